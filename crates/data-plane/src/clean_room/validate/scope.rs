//! The names that expressions can use, and what they stand for.

use datafusion::sql::sqlparser::ast::{Expr, Spanned};
use domain::catalog::{ColumnName, Table, TableName, contract};
use domain::question::{Field, PerSubject, RowExpr};
use domain::{Refusal, RefusalCode};

use super::clauses::normalize;
use super::expr::Typed;
use super::refuse::refuse;
use super::relation::{CREATOR, Found, Known, Named, PERSON, Source};
use super::subquery;

/// The names that expressions can use.
#[derive(Default)]
pub(super) struct Scope {
    /// In the order of the text.
    pub(super) relations: Vec<Named>,
    /// Different subqueries; relations with the same one share it.
    pub(super) per_subject: Vec<PerSubject>,
    /// What subqueries say in `HAVING`: only such people are joined.
    pub(super) having: Vec<RowExpr>,
}

impl Scope {
    /// The tables, in the catalogue's order: the order of the text plays no part.
    pub(super) fn tables(&self) -> Vec<TableName> {
        let mut tables: Vec<TableName> = self.relations.iter().filter_map(|named| Some(named.table()?.name)).collect();
        tables.sort();
        tables
    }

    /// Whether only public tables are named.
    pub(super) fn is_public(&self) -> bool {
        self.relations.iter().all(Named::is_public)
    }

    /// That people are asked about, and not only what everybody may know.
    pub(super) fn private(&self, whole: &impl Spanned) -> Result<(), Refusal> {
        if !self.is_public() {
            return Ok(());
        }
        let refusal = refuse(RefusalCode::Table, whole, "`creator` is public and holds nobody's rows: there is nothing to count");
        Err(refusal.hint("write FROM activity JOIN creator USING (creator_id); the list itself is shown by `fairshare creator list`"))
    }

    /// How far a person counts: groups, and rows in each. Beside several rows of a subquery, which count like those
    /// that they are made of, tables that describe people play no part.
    pub(super) fn contract(&self) -> (u32, u32) {
        let several: Vec<(u32, u32)> = self.relations.iter().filter_map(|named| if let Source::Subquery { several, .. } = named.source { several } else { None }).collect();
        let counting = |known: &Known| several.is_empty() || !known.name.describes_people();
        let tables: Vec<(TableName, &Table)> = self.relations.iter().filter_map(Named::table).filter(counting).map(|known| (known.name, known.table)).collect();
        let all = (!tables.is_empty()).then(|| contract(&tables)).into_iter().chain(several);
        all.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1))).unwrap_or((1, 1))
    }

    /// What the question calls its tables.
    pub(super) fn called(&self) -> String {
        let called = |named: &Named| match named.table() {
            Some(Known { name: TableName::Partner(_), .. }) => format!("`{}`", named.alias),
            Some(known) => format!("`{}`", known.name),
            None => named.called(),
        };
        self.relations.iter().map(called).collect::<Vec<_>>().join(", ")
    }

    /// The subqueries, in the order in which fields name them.
    pub(super) fn per_subject(&self) -> &[PerSubject] {
        &self.per_subject
    }

    /// What subqueries say in `HAVING`.
    pub(super) fn having(&self) -> &[RowExpr] {
        &self.having
    }

    /// Every column of a table, for hints.
    pub(super) fn columns(&self) -> impl Iterator<Item = ColumnName> {
        self.relations.iter().filter_map(Named::table).flat_map(|Known { name, table }| table.columns.iter().filter_map(move |column| table.named(name, column.name)))
    }

    /// Equal questions number their subqueries alike.
    pub(super) fn settle(&mut self) {
        let json = |inner: &PerSubject| serde_json::to_string(inner).unwrap_or_default();
        let mut sorted = self.per_subject.clone();
        sorted.sort_by_cached_key(json);
        let moved: Vec<usize> = self.per_subject.iter().map(|inner| sorted.iter().position(|other| other == inner).unwrap_or(0)).collect();
        let renumbered = |expr: RowExpr| subquery::renumbered(expr, &moved);
        for named in &mut self.relations {
            if let Source::Subquery { columns, .. } = &mut named.source {
                columns.iter_mut().for_each(|column| column.value.expr = renumbered(column.value.expr.clone()));
            }
        }
        self.having = std::mem::take(&mut self.having).into_iter().map(renumbered).collect();
        self.per_subject = sorted;
    }

    /// What an expression names, if it is a name.
    pub(super) fn found(&self, expr: &Expr) -> Option<Result<Found, Refusal>> {
        match expr {
            Expr::Identifier(ident) => Some(self.unqualified(&normalize(ident), expr)),
            Expr::CompoundIdentifier(parts) => Some(match parts.as_slice() {
                [alias, column] if let Some(named) = self.relations.iter().find(|named| named.alias == normalize(alias)) => {
                    let column = normalize(column);
                    named.find(&column).ok_or_else(|| unknown(expr, &[named], &column))
                }
                // As in PostgreSQL, unless the table was given another name.
                [schema, table, column] if let Some(named) = self.relations.iter().find(|named| named.is_partners(&normalize(schema), &normalize(table))) => {
                    let column = normalize(column);
                    named.find(&column).ok_or_else(|| unknown(expr, &[named], &column))
                }
                _ => {
                    let aliases: Vec<&str> = self.relations.iter().map(|named| named.alias.as_str()).collect();
                    let message = format!("`{expr}` names no column of `{}`", aliases.join("`, `"));
                    Err(refuse(RefusalCode::Column, expr, message).hint(format!("write {}.<column> or just <column>", aliases.join(".<column>, "))))
                }
            }),
            _ => None,
        }
    }

    /// Whether an expression is the identifier of people.
    pub(super) fn is_person(&self, expr: &Expr) -> Option<Result<bool, Refusal>> {
        self.found(expr).map(|found| found.map(|found| matches!(found, Found::Id(PERSON))))
    }

    fn unqualified(&self, name: &str, expr: &Expr) -> Result<Found, Refusal> {
        let found: Vec<(&Named, Found)> = self.relations.iter().filter_map(|named| Some((named, named.find(name)?))).collect();
        let way = |named: &Named| if named.alias.is_empty() { "the subquery with a name".to_owned() } else { format!("{}.{name}", named.alias) };
        let several: Vec<String> = found.iter().map(|(named, _)| way(named)).collect();
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => Err(unknown(expr, &self.relations.iter().collect::<Vec<_>>(), name)),
            (Some((_, only)), None) => Ok(only),
            // Identifiers that joined tables share are equal.
            (Some((_, id @ Found::Id(_))), _) => Ok(id),
            (Some(_), Some(_)) => {
                let message = format!("`{name}` is a column of several tables");
                Err(refuse(RefusalCode::Column, expr, message).hint(format!("write {}", several.join(" or "))))
            }
        }
    }

    /// What a name stands for in an expression, if it is a name: a column or what a subquery made. An
    /// identifier is refused.
    pub(super) fn field(&self, expr: &Expr) -> Option<Result<Typed<Field>, Refusal>> {
        self.found(expr).map(|found| match found? {
            Found::Field(field) => Ok(field),
            Found::Id(name) => {
                let message = format!("`{name}` identifies people, their acts or accounts: it can be neither selected, filtered nor grouped by");
                let hint = if name == CREATOR { "join the public list, USING (creator_id), and ask for creator.name" } else { "count people with count(distinct subject_id)" };
                Err(refuse(RefusalCode::Identifier, expr, message).hint(hint))
            }
        })
    }
}

fn unknown(expr: &Expr, relations: &[&Named], name: &str) -> Refusal {
    match relations {
        [only] => refuse(RefusalCode::Column, expr, format!("{} has no column `{name}`", only.called())).hint(format!("its columns: {}", only.columns())),
        several => {
            let columns: Vec<String> = several.iter().map(|named| format!("{}: {}", named.alias, named.columns())).collect();
            refuse(RefusalCode::Column, expr, format!("none of the tables has a column `{name}`")).hint(format!("their columns: {}", columns.join("; ")))
        }
    }
}

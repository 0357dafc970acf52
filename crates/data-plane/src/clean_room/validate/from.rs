//! `FROM`: one table, or several that are joined within each person.
//!
//! # Guarantee
//! Every join that is accepted ties rows of one person to rows of the same person and to no others: all
//! tables are tied by `subject_id`, acts and their hashtags by `activity_id` as well, whatever else the
//! question says. What a person contributes to joined rows is therefore a function of their own rows.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Select, TableAlias, TableFactor, TableWithJoins};
use domain::catalog::{ColumnName, ColumnType, Table, TableName};
use domain::{Refusal, RefusalCode};

use super::clauses::normalize;
use super::refuse::{clause, refuse};

/// The column that every table has.
const PERSON: &str = "subject_id";
/// The column that acts and hashtags share.
const ACT: &str = "activity_id";

/// The names that expressions can use.
#[derive(Default)]
pub(super) struct Scope {
    /// In the order of the text.
    tables: Vec<Named>,
}

/// A table and what the question calls it.
struct Named {
    table: &'static Table,
    alias: String,
}

impl Scope {
    /// The names of a question's `FROM`.
    pub(super) fn of(from: Vec<TableWithJoins>, whole: &Select) -> Result<Self, Refusal> {
        let mentioned = mentioned(&from);
        if let [_, second, ..] = from.as_slice() {
            let refusal = refuse(RefusalCode::Table, &second.relation, "tables beside each other are not offered: they pair everybody with everybody");
            return Err(refusal.hint(rewrite(&mentioned)));
        }
        let Some(TableWithJoins { relation, joins }) = from.into_iter().next() else {
            return Err(refuse(RefusalCode::Table, whole, "a question is about one table, or several that are joined").hint(tables()));
        };
        let mut scope = Self::default();
        scope.add(relation, whole)?;
        for join in joins {
            scope.join(join, &mentioned, whole)?;
        }
        Ok(scope)
    }

    /// The tables, in the catalogue's order: the order of the text plays no part.
    pub(super) fn tables(&self) -> Vec<TableName> {
        let mut tables: Vec<TableName> = self.tables.iter().map(|named| named.table.name).collect();
        tables.sort();
        tables
    }

    /// Every column, for hints.
    pub(super) fn columns(&self) -> impl Iterator<Item = ColumnName> {
        self.tables.iter().flat_map(|named| named.table.columns.iter().filter_map(|column| named.table.named(column.name)))
    }

    /// The column that an expression names, if it is a name.
    pub(super) fn column(&self, expr: &Expr) -> Option<Result<ColumnName, Refusal>> {
        match expr {
            Expr::Identifier(ident) => Some(self.unqualified(&normalize(ident), expr)),
            Expr::CompoundIdentifier(parts) => Some(match parts.as_slice() {
                [alias, column] if let Some(named) = self.tables.iter().find(|named| named.alias == normalize(alias)) => {
                    let column = normalize(column);
                    named.table.named(&column).ok_or_else(|| unknown(expr, &[named], &column))
                }
                _ => {
                    let aliases: Vec<&str> = self.tables.iter().map(|named| named.alias.as_str()).collect();
                    let message = format!("`{expr}` names no column of `{}`", aliases.join("`, `"));
                    Err(refuse(RefusalCode::Column, expr, message).hint(format!("write {}.<column> or just <column>", aliases.join(".<column>, "))))
                }
            }),
            _ => None,
        }
    }

    fn unqualified(&self, name: &str, expr: &Expr) -> Result<ColumnName, Refusal> {
        let found: Vec<(&Named, ColumnName)> = self.tables.iter().filter_map(|named| Some((named, named.table.named(name)?))).collect();
        match found.as_slice() {
            [] => Err(unknown(expr, &self.tables.iter().collect::<Vec<_>>(), name)),
            // Identifiers that joined tables share are equal.
            [(_, column), rest @ ..] if rest.is_empty() || column.column().ty == ColumnType::Id => Ok(*column),
            several => {
                let tables: Vec<String> = several.iter().map(|(named, _)| format!("`{}`", named.table.name)).collect();
                let written: Vec<String> = several.iter().map(|(named, _)| format!("{}.{name}", named.alias)).collect();
                let message = format!("`{name}` is a column of {}", tables.join(" and of "));
                Err(refuse(RefusalCode::Column, expr, message).hint(format!("write {}", written.join(" or "))))
            }
        }
    }

    /// Like [`Scope::column`], and an identifier is refused.
    pub(super) fn open_column(&self, expr: &Expr) -> Option<Result<ColumnName, Refusal>> {
        self.column(expr).map(|found| {
            let column = found?;
            if column.column().ty == ColumnType::Id {
                let message = format!("`{}` identifies people or their acts: it can be neither selected, filtered nor grouped by", column.name());
                return Err(refuse(RefusalCode::Identifier, expr, message).hint("count people with count(distinct subject_id)"));
            }
            Ok(column)
        })
    }

    /// Adds a table under its name or alias.
    fn add(&mut self, relation: TableFactor, whole: &Select) -> Result<(), Refusal> {
        let named = named(relation, whole)?;
        let (table, node) = (named.0.table.name, named.1);
        if self.tables.iter().any(|other| other.table.name == table) {
            return Err(refuse(RefusalCode::Table, &node, format!("`{table}` is joined with itself")).hint("ask each part as its own question"));
        }
        if self.tables.iter().any(|other| other.alias == named.0.alias) {
            return Err(refuse(RefusalCode::Table, &node, format!("two tables are called `{}`", named.0.alias)).hint("give each table its own alias"));
        }
        self.tables.push(named.0);
        Ok(())
    }

    fn join(&mut self, join: Join, mentioned: &[TableName], whole: &Select) -> Result<(), Refusal> {
        let Join { relation, global, join_operator } = join;
        let node = relation.clone();
        let constraint = match join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) if !global => constraint,
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_) => {
                return Err(clause(&node, "an outer join", &rewrite(mentioned)));
            }
            JoinOperator::CrossJoin(_) => return Err(clause(&node, "a CROSS JOIN", &rewrite(mentioned))),
            _ => return Err(clause(&node, "this kind of join", &rewrite(mentioned))),
        };
        self.add(relation, whole)?;
        let tied = match constraint {
            JoinConstraint::Using(columns) => self.using(&columns, mentioned)?,
            JoinConstraint::On(condition) => {
                let mut tied = Vec::new();
                self.on(&condition, mentioned, &mut tied)?;
                tied
            }
            JoinConstraint::Natural => return Err(clause(&node, "a NATURAL JOIN", &rewrite(mentioned))),
            JoinConstraint::None => return Err(clause(&node, "a join without its columns", &rewrite(mentioned))),
        };
        let Some((new, earlier)) = self.tables.split_last() else { return Ok(()) };
        // Acts and hashtags of one person belong together by the act; all others by the person.
        let shares_act = |named: &Named| new.table.column(ACT).is_some() && named.table.column(ACT).is_some();
        let enough = match earlier.iter().find(|named| shares_act(named)) {
            Some(other) => tied.contains(&(other.table.name, ACT)),
            None => !tied.is_empty(),
        };
        if enough {
            return Ok(());
        }
        let message = format!("`{}` is not joined by {}", new.table.name, if earlier.iter().any(shares_act) { "the act that its rows belong to" } else { "the person" });
        Err(refuse(RefusalCode::Clause, &node, message).hint(rewrite(mentioned)))
    }

    /// What `USING` ties the newest table to: tables and columns.
    fn using(&self, columns: &[ObjectName], mentioned: &[TableName]) -> Result<Vec<(TableName, &'static str)>, Refusal> {
        let mut tied = Vec::new();
        for column in columns {
            let name = single_name(column).map(normalize).unwrap_or_default();
            let key = [PERSON, ACT].into_iter().find(|key| *key == name);
            let Some((key, (new, earlier))) = key.zip(self.tables.split_last()).filter(|(key, (new, _))| new.table.column(key).is_some()) else {
                return Err(other_column(column, &format!("`{column}`"), mentioned));
            };
            let before = tied.len();
            tied.extend(earlier.iter().filter(|named| named.table.column(key).is_some()).map(|named| (named.table.name, key)));
            if tied.len() == before {
                let message = format!("no table before `{}` has a column `{key}`", new.table.name);
                return Err(refuse(RefusalCode::Column, column, message).hint(rewrite(mentioned)));
            }
        }
        Ok(tied)
    }

    /// What `ON` ties the newest table to.
    fn on(&self, condition: &Expr, mentioned: &[TableName], tied: &mut Vec<(TableName, &'static str)>) -> Result<(), Refusal> {
        match condition {
            Expr::Nested(inner) => self.on(inner, mentioned, tied),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.on(left, mentioned, tied)?;
                self.on(right, mentioned, tied)
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if let (Some(left), Some(right)) = (self.column(left), self.column(right)) => {
                let (left, right) = (left?, right?);
                let new = self.tables.last().map(|named| named.table.name);
                let other = if Some(left.table()) == new { right } else { left };
                let ties = left.name() == right.name()
                    && left.column().ty == ColumnType::Id
                    && left.table() != right.table()
                    && new.is_some_and(|n| n == left.table() || n == right.table());
                if !ties {
                    return Err(other_column(condition, &format!("`{condition}`"), mentioned));
                }
                tied.push((other.table(), other.name()));
                Ok(())
            }
            other => {
                let refusal = refuse(RefusalCode::Clause, other, format!("`{other}` is not offered in ON, which names the columns that tie a person's rows together"));
                Err(refusal.hint(format!("put conditions into WHERE; {}", rewrite(mentioned))))
            }
        }
    }
}

fn other_column(node: &impl datafusion::sql::sqlparser::ast::Spanned, written: &str, mentioned: &[TableName]) -> Refusal {
    refuse(RefusalCode::Clause, node, format!("{written} does not tie rows of one person together")).hint(rewrite(mentioned))
}

fn unknown(expr: &Expr, tables: &[&Named], name: &str) -> Refusal {
    let names = |named: &&Named| named.table.columns.iter().map(|c| c.name).collect::<Vec<_>>().join(", ");
    match tables {
        [only] => refuse(RefusalCode::Column, expr, format!("`{}` has no column `{name}`", only.table.name)).hint(format!("its columns: {}", names(only))),
        several => {
            let columns: Vec<String> = several.iter().map(|named| format!("{}: {}", named.alias, names(named))).collect();
            refuse(RefusalCode::Column, expr, format!("none of the tables has a column `{name}`")).hint(format!("their columns: {}", columns.join("; ")))
        }
    }
}

fn tables() -> String {
    format!("tables: {}", TableName::WORDS.join(", "))
}

/// The tables of the catalogue that `FROM` names, for the rewrite of a join.
fn mentioned(from: &[TableWithJoins]) -> Vec<TableName> {
    let relations = from.iter().flat_map(|part| std::iter::once(&part.relation).chain(part.joins.iter().map(|join| &join.relation)));
    let mut tables: Vec<TableName> = relations
        .filter_map(|relation| match relation {
            TableFactor::Table { name, .. } => single_name(name).and_then(|ident| normalize(ident).parse().ok()),
            _ => None,
        })
        .collect();
    tables.sort();
    tables.dedup();
    tables
}

/// A `FROM` over these tables that is accepted.
pub(super) fn rewrite(tables: &[TableName]) -> String {
    let Some((first, rest)) = tables.split_first() else { return self::tables() };
    let joined = rest.iter().map(|table| {
        let both_acts = *first == TableName::Activity && *table == TableName::ActivityTag;
        format!(" JOIN {table} USING ({})", if both_acts { ACT } else { PERSON })
    });
    format!("write FROM {first}{}", joined.collect::<String>())
}

/// A table of the catalogue under its name, and where it is named.
fn named(relation: TableFactor, whole: &Select) -> Result<(Named, ObjectName), Refusal> {
    let TableFactor::Table { name, alias, args, with_hints, version, with_ordinality, partitions, json_path, sample, index_hints } = relation else {
        return Err(refuse(RefusalCode::Table, whole, "only tables can be asked, no subqueries or functions").hint(tables()));
    };
    let plain = args.is_none()
        && with_hints.is_empty()
        && version.is_none()
        && !with_ordinality
        && partitions.is_empty()
        && json_path.is_none()
        && sample.is_none()
        && index_hints.is_empty();
    if !plain {
        return Err(refuse(RefusalCode::Clause, &name, "a table is named without arguments, hints, versions or samples"));
    }
    let table_name = single_name(&name)
        .and_then(|ident| normalize(ident).parse::<TableName>().ok())
        .ok_or_else(|| refuse(RefusalCode::Table, &name, format!("there is no table `{name}`")).hint(tables()))?;
    let alias = match alias {
        None => table_name.as_str().to_owned(),
        Some(TableAlias { explicit: _, name, columns, at: None }) if columns.is_empty() => normalize(&name),
        Some(_) => return Err(refuse(RefusalCode::Clause, &name, "an alias that renames columns is not offered").hint("write FROM activity AS a")),
    };
    Ok((Named { table: Table::of(table_name), alias }, name))
}

fn single_name(name: &ObjectName) -> Option<&datafusion::sql::sqlparser::ast::Ident> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(ident),
        _ => None,
    }
}

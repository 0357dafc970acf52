//! `FROM`: one table or subquery, or several that are joined within each person.
//!
//! # Guarantee
//! Every join that is accepted ties rows of one person to rows of the same person and to no others: all
//! tables and subqueries are tied by `subject_id`, acts and their hashtags by `activity_id` as well,
//! whatever else the question says. What a person contributes to joined rows is therefore a function of
//! their own rows. The list of creators is public and tied to acts by `creator_id`, to each at most one row of it.

use std::cell::OnceCell;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query, Select, Spanned, TableAlias, TableFactor, TableWithJoins,
};
use domain::catalog::{ColumnName, ColumnType, Table, TableName, contract};
use domain::partner_table::PartnerTable;
use domain::question::{Field, PerSubject, PlanLimits, RowExpr};
use domain::{Refusal, RefusalCode};

use super::clauses::normalize;
use super::expr::Typed;
use super::refuse::{clause, refuse};
use super::subquery::{self, Column, Understood};

/// The column that every private table has.
pub(super) const PERSON: &str = "subject_id";
/// The column that acts and hashtags share.
const ACT: &str = "activity_id";
/// The column that acts and creators share.
const CREATOR: &str = "creator_id";

/// Everything by which rows are tied.
const TIES: [&str; 3] = [PERSON, ACT, CREATOR];

/// What `FROM` may name besides the tables of every deployment.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// The subqueries that `WITH` names.
    pub(super) ctes: &'a [Cte],
    /// The tables of the partner who asks.
    pub(super) partner: &'a [PartnerTable],
}

/// The schema of partners' tables.
const PARTNER: &str = "partner";

/// A subquery that `WITH` names. It may name those before it.
pub(super) struct Cte {
    pub(super) name: String,
    pub(super) query: Query,
    /// What is understood of it, once it is named: nothing is ignored.
    understood: OnceCell<Result<Understood, Refusal>>,
}

impl Cte {
    /// A subquery that nothing names yet.
    pub(super) const fn new(name: String, query: Query) -> Self {
        Self { name, query, understood: OnceCell::new() }
    }

    /// Whether a `FROM` names it.
    pub(super) fn is_used(&self) -> bool {
        self.understood.get().is_some()
    }

    /// What is understood of it, where these are named before it.
    fn understood(&self, before: Names<'_>) -> Result<Understood, Refusal> {
        self.understood.get_or_init(|| subquery::understand(&self.query, before)).clone()
    }
}

/// The names that expressions can use.
#[derive(Default)]
pub(super) struct Scope {
    /// In the order of the text.
    relations: Vec<Named>,
    /// Different subqueries; relations with the same one share it.
    per_subject: Vec<PerSubject>,
    /// What subqueries say in `HAVING`: only such people are joined.
    having: Vec<RowExpr>,
}

/// What a question calls a table or subquery.
struct Named {
    source: Source,
    alias: String,
}

enum Source {
    Table(Known),
    Subquery {
        columns: Vec<Column>,
        /// Of a person who can have several rows, how far they count.
        several: Option<(u32, u32)>,
    },
}

/// A table that is there, and what its columns are.
#[derive(Clone, Copy)]
struct Known {
    name: TableName,
    table: &'static Table,
}

impl Named {
    /// The table.
    fn table(&self) -> Option<Known> {
        match &self.source {
            Source::Table(known) => Some(*known),
            Source::Subquery { .. } => None,
        }
    }

    /// Whether its rows are nobody's.
    fn is_public(&self) -> bool {
        self.table().is_some_and(|known| known.name.is_public())
    }

    /// How messages call it.
    fn called(&self) -> String {
        if self.alias.is_empty() { "the subquery".to_owned() } else { format!("`{}`", self.alias) }
    }

    /// Whether a person can have many rows.
    fn has_many(&self) -> bool {
        match &self.source {
            Source::Table(known) => matches!(known.name, TableName::Activity | TableName::ActivityTag),
            Source::Subquery { several, .. } => several.is_some(),
        }
    }

    /// Whether a join would pair each of many rows with each of many.
    fn multiplies(&self, other: &Self) -> bool {
        let tied_by_act = self.table().is_some() && other.table().is_some();
        self.has_many() && other.has_many() && !tied_by_act
    }

    /// Whether rows can be tied by `key`.
    fn has_key(&self, key: &str) -> bool {
        match &self.source {
            // Not any column of that name: partners call theirs what they like.
            Source::Table(known) => known.table.column(key).is_some_and(|column| column.ty == ColumnType::Id),
            Source::Subquery { .. } => key == PERSON,
        }
    }

    /// What a name stands for.
    fn find(&self, name: &str) -> Option<Found> {
        match &self.source {
            Source::Table(Known { name: table, table: known }) => {
                let column = known.named(*table, name)?;
                Some(if column.column().ty == ColumnType::Id { Found::Id(column.name()) } else { Found::Field(stored(column)) })
            }
            Source::Subquery { .. } if name == PERSON => Some(Found::Id(PERSON)),
            Source::Subquery { columns, .. } => columns.iter().find(|column| column.name == name).map(|column| Found::Field(column.value.clone())),
        }
    }

    /// Whether it is the partner's table of that name, under that name.
    fn is_partners(&self, schema: &str, table: &str) -> bool {
        schema == PARTNER && self.alias == table && matches!(self.source, Source::Table(Known { name: TableName::Partner(_), .. }))
    }

    fn columns(&self) -> String {
        let names: Vec<&str> = match &self.source {
            Source::Table(known) => known.table.columns.iter().map(|c| c.name).collect(),
            Source::Subquery { columns, .. } => std::iter::once(PERSON).chain(columns.iter().map(|column| column.name.as_str())).collect(),
        };
        names.join(", ")
    }
}

/// What a name in an expression stands for.
enum Found {
    /// An identifier, by which rows are tied.
    Id(&'static str),
    Field(Typed<Field>),
}

fn stored(column: ColumnName) -> Typed<Field> {
    Typed { expr: domain::question::expr::Expr::Leaf(Field::Column(column)), ty: Some(column.column().ty) }
}

impl Scope {
    /// The names of a question's `FROM`.
    pub(super) fn of(from: Vec<TableWithJoins>, names: Names<'_>, whole: &Select) -> Result<Self, Refusal> {
        let mentioned = mentioned(&from, names);
        if let [_, second, ..] = from.as_slice() {
            let refusal = refuse(RefusalCode::Table, &second.relation, "tables beside each other are not offered: they pair everybody with everybody");
            return Err(refusal.hint(rewrite(&mentioned)));
        }
        let Some(TableWithJoins { relation, joins }) = from.into_iter().next() else {
            return Err(refuse(RefusalCode::Table, whole, "a question is about one table, or several that are joined").hint(names.tables()));
        };
        let mut scope = Self::default();
        scope.add(relation, names, whole)?;
        for join in joins {
            scope.join(join, names, &mentioned, whole)?;
        }
        scope.settle();
        Ok(scope)
    }

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
    fn settle(&mut self) {
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
    fn found(&self, expr: &Expr) -> Option<Result<Found, Refusal>> {
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

    /// Adds a table or subquery under its name or alias, and says where it is named.
    fn add(&mut self, relation: TableFactor, names: Names<'_>, whole: &Select) -> Result<(), Refusal> {
        let at = relation.clone();
        let named = match relation {
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let alias = alias.map_or_else(|| Ok(String::new()), |alias| plain_alias(alias, &at))?;
                self.subquery(subquery::understand(&subquery, names)?, alias, &at)?
            }
            TableFactor::Derived { .. } => {
                return Err(refuse(RefusalCode::Clause, &at, "a subquery has no LATERAL or sample").hint("write FROM (SELECT subject_id, … GROUP BY subject_id) AS t"));
            }
            TableFactor::Table { ref name, ref alias, .. } if let Some((cte, before)) = names.cte(name) => {
                let alias = alias.clone().map_or_else(|| Ok(cte.name.clone()), |alias| plain_alias(alias, &at))?;
                self.subquery(cte.understood(before)?, alias, &at)?
            }
            relation => named(relation, names, whole)?,
        };
        if let Some(known) = named.table().filter(|known| self.relations.iter().any(|other| other.table().is_some_and(|other| other.name == known.name))) {
            let called = if let TableName::Partner(_) = known.name { named.alias } else { known.name.to_string() };
            return Err(refuse(RefusalCode::Table, &at, format!("`{called}` is joined with itself")).hint("aggregate one of them per subject, in a subquery"));
        }
        if let Some(other) = self.relations.iter().find(|other| other.multiplies(&named)) {
            let message = format!("{} and {} can both have many rows of a person, and a join would pair each with each", other.called(), named.called());
            return Err(
                refuse(RefusalCode::Clause, &at, message).hint(format!("aggregate both in one subquery, with FILTER; or make one row per person of one: {}", subquery::ONE_ROW))
            );
        }
        if self.relations.iter().any(|other| !named.alias.is_empty() && other.alias == named.alias) {
            return Err(refuse(RefusalCode::Table, &at, format!("two tables are called `{}`", named.alias)).hint("give each table its own alias"));
        }
        self.relations.push(named);
        Ok(())
    }

    fn subquery(&mut self, understood: Understood, alias: String, at: &impl Spanned) -> Result<Named, Refusal> {
        let Understood { inner, mut columns, having } = understood;
        let several = (!inner.keys.is_empty()).then_some(inner.contract);
        let place = self.per_subject.iter().position(|other| *other == inner).unwrap_or(self.per_subject.len());
        if place == self.per_subject.len() {
            self.per_subject.push(inner);
        }
        if self.per_subject.iter().map(PerSubject::count).sum::<usize>() > PlanLimits::PER_SUBJECT {
            let refusal = refuse(RefusalCode::Limit, at, format!("more than {} different subqueries", PlanLimits::PER_SUBJECT));
            return Err(refusal.hint("aggregate over the same rows in one subquery"));
        }
        columns.iter_mut().for_each(|column| column.value.expr = subquery::renumbered(column.value.expr.clone(), &[place]));
        self.having.extend(having.map(|having| subquery::renumbered(having, &[place])));
        Ok(Named { source: Source::Subquery { columns, several }, alias })
    }

    fn join(&mut self, join: Join, names: Names<'_>, mentioned: &[String], whole: &Select) -> Result<(), Refusal> {
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
        self.add(relation, names, whole)?;
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
        let Some((new, earlier)) = self.relations.split_last() else { return Ok(()) };
        // Acts and hashtags of one person belong together by the act; all others by the person.
        let shares_act = |named: &Named| new.has_key(ACT) && named.has_key(ACT);
        // Creators belong to acts by the account; whoever comes after them alone has only that.
        let by = |wanted: &str| tied.iter().any(|(_, key)| *key == wanted);
        let (enough, lacks) = match earlier.iter().position(shares_act) {
            _ if new.is_public() || earlier.iter().all(Named::is_public) => (by(CREATOR), "the account that acts are about"),
            Some(other) => (tied.contains(&(other, ACT)), "the act that its rows belong to"),
            None => (by(PERSON), "the person"),
        };
        if enough {
            return Ok(());
        }
        let message = format!("{} is not joined by {lacks}", new.called());
        Err(refuse(RefusalCode::Clause, &node, message).hint(rewrite(mentioned)))
    }

    /// What `USING` ties the newest relation to: relations by their places, and columns.
    fn using(&self, columns: &[ObjectName], mentioned: &[String]) -> Result<Vec<(usize, &'static str)>, Refusal> {
        let mut tied = Vec::new();
        for column in columns {
            let name = single_name(column).map(normalize).unwrap_or_default();
            let key = TIES.into_iter().find(|key| *key == name);
            let Some((key, (new, earlier))) = key.zip(self.relations.split_last()).filter(|(key, (new, _))| new.has_key(key)) else {
                return Err(other_column(column, &format!("`{column}`"), mentioned));
            };
            let before = tied.len();
            tied.extend(earlier.iter().enumerate().filter(|(_, named)| named.has_key(key)).map(|(place, _)| (place, key)));
            if tied.len() == before {
                let message = format!("no table before `{}` has a column `{key}`", new.alias);
                return Err(refuse(RefusalCode::Column, column, message).hint(rewrite(mentioned)));
            }
        }
        Ok(tied)
    }

    /// The relation and key that an expression names, if it names one.
    fn key(&self, expr: &Expr) -> Option<(usize, &'static str)> {
        let parts: Vec<String> = match expr {
            Expr::Identifier(ident) => vec![normalize(ident)],
            Expr::CompoundIdentifier(parts) => parts.iter().map(normalize).collect(),
            _ => return None,
        };
        let (name, before) = parts.split_last()?;
        let key = TIES.into_iter().find(|key| key == name)?;
        let meant = |named: &Named| match before {
            [] => true,
            [alias] => named.alias == *alias,
            [schema, table] => named.is_partners(schema, table),
            _ => false,
        };
        self.relations.iter().position(|named| meant(named) && named.has_key(key)).map(|place| (place, key))
    }

    /// What `ON` ties the newest relation to.
    fn on(&self, condition: &Expr, mentioned: &[String], tied: &mut Vec<(usize, &'static str)>) -> Result<(), Refusal> {
        match condition {
            Expr::Nested(inner) => self.on(inner, mentioned, tied),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.on(left, mentioned, tied)?;
                self.on(right, mentioned, tied)
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if let (Some(of_left), Some(of_right)) = (self.found(left), self.found(right)) => {
                of_left?;
                of_right?;
                let new = self.relations.len().saturating_sub(1);
                let sides = self.key(left).zip(self.key(right));
                let ties = sides.filter(|((left, a), (right, b))| a == b && left != right && (*left == new || *right == new));
                let Some(((left, key), (right, _))) = ties else { return Err(other_column(condition, &format!("`{condition}`"), mentioned)) };
                tied.push((if left == new { right } else { left }, key));
                Ok(())
            }
            other => {
                let refusal = refuse(RefusalCode::Clause, other, format!("`{other}` is not offered in ON, which names the columns that tie a person's rows together"));
                Err(refusal.hint(format!("put conditions into WHERE; {}", rewrite(mentioned))))
            }
        }
    }
}

fn other_column(node: &impl Spanned, written: &str, mentioned: &[String]) -> Refusal {
    refuse(RefusalCode::Clause, node, format!("{written} does not tie rows of one person together")).hint(rewrite(mentioned))
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

impl Names<'_> {
    /// The tables that can be asked.
    fn tables(&self) -> String {
        let own = TableName::ALL.iter().map(ToString::to_string);
        let partner = self.partner.iter().map(|table| format!("{PARTNER}.{}", table.name()));
        format!("tables: {}", own.chain(partner).collect::<Vec<_>>().join(", "))
    }

    /// The subquery that `WITH` calls so, and the names that it may use itself.
    fn cte(&self, name: &ObjectName) -> Option<(&Cte, Self)> {
        let name = normalize(single_name(name)?);
        let place = self.ctes.iter().position(|cte| cte.name == name)?;
        let (before, from_here) = self.ctes.split_at_checked(place)?;
        Some((from_here.first()?, Self { ctes: before, ..*self }))
    }

    /// The table of that name, and what it is called where the question does not say.
    fn table(&self, name: &ObjectName) -> Option<(Known, String)> {
        let names: Vec<String> = identifiers(name)?.into_iter().map(normalize).collect();
        match names.as_slice() {
            // The number of a partner's table is no name.
            [only] => only.parse().ok().map(|name| (Known { name, table: Table::of(name) }, only.clone())).filter(|(known, _)| TableName::ALL.contains(&known.name)),
            [schema, table] if schema == PARTNER => {
                let found = self.partner.iter().find(|known| known.name().as_str() == table)?;
                Some((Known { name: TableName::Partner(found.id()), table: found.catalog() }, table.clone()))
            }
            _ => None,
        }
    }
}

/// The tables that `FROM` names, in the catalogue's order, for the rewrite of a join.
fn mentioned(from: &[TableWithJoins], names: Names<'_>) -> Vec<String> {
    let relations = from.iter().flat_map(|part| std::iter::once(&part.relation).chain(part.joins.iter().map(|join| &join.relation)));
    let mut tables: Vec<(TableName, String)> = relations
        .filter_map(|relation| match relation {
            TableFactor::Table { name, .. } => names.table(name).map(|(known, _)| (known.name, name.to_string().to_ascii_lowercase())),
            _ => None,
        })
        .collect();
    tables.sort();
    tables.dedup();
    tables.into_iter().map(|(_, written)| written).collect()
}

/// A `FROM` over these tables that is accepted.
pub(super) fn rewrite(tables: &[String]) -> String {
    let is_public = |table: &String| table.parse().is_ok_and(TableName::is_public);
    let lacks_acts = tables.iter().any(is_public) && !tables.iter().any(|table| table == "activity");
    let tables: Vec<String> = lacks_acts.then(|| "activity".to_owned()).into_iter().chain(tables.iter().cloned()).collect();
    let Some((first, rest)) = tables.split_first() else { return "join tables within each person: FROM activity JOIN subject USING (subject_id)".to_owned() };
    let joined = rest.iter().map(|table| {
        let both_acts = first == "activity" && table == "activity_tag";
        let key = if is_public(table) {
            CREATOR
        } else if both_acts {
            ACT
        } else {
            PERSON
        };
        format!(" JOIN {table} USING ({key})")
    });
    format!("write FROM {first}{}", joined.collect::<String>())
}

/// A table under its name.
fn named(relation: TableFactor, names: Names<'_>, whole: &Select) -> Result<Named, Refusal> {
    let at = relation.clone();
    let TableFactor::Table { name, alias, args, with_hints, version, with_ordinality, partitions, json_path, sample, index_hints } = relation else {
        return Err(match relation_of(&at) {
            Some(inner) => refuse(RefusalCode::Clause, inner, "a join in parentheses is not offered").hint("join one table after the other"),
            None => refuse(RefusalCode::Table, whole, "only tables and subqueries can be asked, no functions").hint(names.tables()),
        });
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
        return Err(refuse(RefusalCode::Clause, &name, "a table is named without arguments, hints, versions or samples").hint(names.tables()));
    }
    let (known, called) = names.table(&name).ok_or_else(|| refuse(RefusalCode::Table, &name, format!("there is no table `{name}`")).hint(names.tables()))?;
    let alias = alias.map_or(Ok(called), |alias| plain_alias(alias, &at))?;
    Ok(Named { source: Source::Table(known), alias })
}

/// Where a join in parentheses begins, if it is one.
fn relation_of(relation: &TableFactor) -> Option<&TableFactor> {
    if let TableFactor::NestedJoin { table_with_joins, .. } = relation { Some(&table_with_joins.relation) } else { None }
}

fn plain_alias(alias: TableAlias, at: &impl Spanned) -> Result<String, Refusal> {
    match alias {
        TableAlias { explicit: _, name, columns, at: None } if columns.is_empty() => Ok(normalize(&name)),
        _ => Err(refuse(RefusalCode::Clause, at, "an alias that renames columns is not offered").hint("write FROM activity AS a")),
    }
}

pub(super) fn single_name(name: &ObjectName) -> Option<&Ident> {
    if let [only] = identifiers(name)?.as_slice() { Some(only) } else { None }
}

/// The parts of a name.
fn identifiers(name: &ObjectName) -> Option<Vec<&Ident>> {
    name.0.iter().map(identifier).collect()
}

/// The parser takes a text for a name; PostgreSQL does not.
fn identifier(part: &ObjectNamePart) -> Option<&Ident> {
    match part {
        ObjectNamePart::Identifier(ident) if matches!(ident.quote_style, None | Some('"')) => Some(ident),
        _ => None,
    }
}

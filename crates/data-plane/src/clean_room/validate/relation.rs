//! What a question calls its tables and subqueries, and which there are.

use std::cell::OnceCell;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query, Select, Spanned, TableAlias, TableFactor};
use domain::catalog::{ColumnName, ColumnType, Table, TableName};
use domain::partner_table::PartnerTable;
use domain::question::Field;
use domain::{Refusal, RefusalCode};

use super::clauses::normalize;
use super::expr::Typed;
use super::refuse::refuse;
use super::subquery::{self, Column, Understood};

/// The column that every private table has.
pub(super) const PERSON: &str = "subject_id";
/// The column that acts and hashtags share.
pub(super) const ACT: &str = "activity_id";
/// The column that acts and creators share.
pub(super) const CREATOR: &str = "creator_id";

/// Everything by which rows are tied.
pub(super) const TIES: [&str; 3] = [PERSON, ACT, CREATOR];

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
    pub(super) fn understood(&self, before: Names<'_>) -> Result<Understood, Refusal> {
        self.understood.get_or_init(|| subquery::understand(&self.query, before)).clone()
    }
}

impl Names<'_> {
    /// The tables that can be asked.
    pub(super) fn tables(&self) -> String {
        let own = TableName::ALL.iter().map(ToString::to_string);
        let partner = self.partner.iter().map(|table| format!("{PARTNER}.{}", table.name()));
        format!("tables: {}", own.chain(partner).collect::<Vec<_>>().join(", "))
    }

    /// The subquery that `WITH` calls so, and the names that it may use itself.
    pub(super) fn cte(&self, name: &ObjectName) -> Option<(&Cte, Self)> {
        let name = normalize(single_name(name)?);
        let place = self.ctes.iter().position(|cte| cte.name == name)?;
        let (before, from_here) = self.ctes.split_at_checked(place)?;
        Some((from_here.first()?, Self { ctes: before, ..*self }))
    }

    /// The table of that name, and what it is called where the question does not say.
    pub(super) fn table(&self, name: &ObjectName) -> Option<(Known, String)> {
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

/// What a question calls a table or subquery.
pub(super) struct Named {
    pub(super) source: Source,
    pub(super) alias: String,
}

pub(super) enum Source {
    Table(Known),
    Subquery {
        columns: Vec<Column>,
        /// Of a person who can have several rows, how far they count.
        several: Option<(u32, u32)>,
    },
}

/// A table that is there, and what its columns are.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) name: TableName,
    pub(super) table: &'static Table,
}

impl Named {
    /// The table.
    pub(super) fn table(&self) -> Option<Known> {
        match &self.source {
            Source::Table(known) => Some(*known),
            Source::Subquery { .. } => None,
        }
    }

    /// Whether its rows are nobody's.
    pub(super) fn is_public(&self) -> bool {
        self.table().is_some_and(|known| known.name.is_public())
    }

    /// How messages call it.
    pub(super) fn called(&self) -> String {
        if self.alias.is_empty() { "the subquery".to_owned() } else { format!("`{}`", self.alias) }
    }

    /// Whether a person can have many rows.
    pub(super) fn has_many(&self) -> bool {
        match &self.source {
            Source::Table(known) => matches!(known.name, TableName::Activity | TableName::ActivityTag),
            Source::Subquery { several, .. } => several.is_some(),
        }
    }

    /// Whether a join would pair each of many rows with each of many.
    pub(super) fn multiplies(&self, other: &Self) -> bool {
        let tied_by_act = self.table().is_some() && other.table().is_some();
        self.has_many() && other.has_many() && !tied_by_act
    }

    /// Whether rows can be tied by `key`.
    pub(super) fn has_key(&self, key: &str) -> bool {
        match &self.source {
            // Not any column of that name: partners call theirs what they like.
            Source::Table(known) => known.table.column(key).is_some_and(|column| column.ty == ColumnType::Id),
            Source::Subquery { .. } => key == PERSON,
        }
    }

    /// What a name stands for.
    pub(super) fn find(&self, name: &str) -> Option<Found> {
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
    pub(super) fn is_partners(&self, schema: &str, table: &str) -> bool {
        schema == PARTNER && self.alias == table && matches!(self.source, Source::Table(Known { name: TableName::Partner(_), .. }))
    }

    pub(super) fn columns(&self) -> String {
        let names: Vec<&str> = match &self.source {
            Source::Table(known) => known.table.columns.iter().map(|c| c.name).collect(),
            Source::Subquery { columns, .. } => std::iter::once(PERSON).chain(columns.iter().map(|column| column.name.as_str())).collect(),
        };
        names.join(", ")
    }
}

/// What a name in an expression stands for.
pub(super) enum Found {
    /// An identifier, by which rows are tied.
    Id(&'static str),
    Field(Typed<Field>),
}

fn stored(column: ColumnName) -> Typed<Field> {
    Typed { expr: domain::question::expr::Expr::Leaf(Field::Column(column)), ty: Some(column.column().ty) }
}

/// A table under its name.
pub(super) fn named(relation: TableFactor, names: Names<'_>, whole: &Select) -> Result<Named, Refusal> {
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

pub(super) fn plain_alias(alias: TableAlias, at: &impl Spanned) -> Result<String, Refusal> {
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

//! Subqueries that aggregate per subject: what they are, and what is read of them.

use serde::Serialize;

use super::{Field, Fold, RowExpr};
use crate::catalog::{ColumnName, TableName};

/// A subquery that aggregates per subject: `(SELECT subject_id, … FROM … WHERE … GROUP BY subject_id, …)`.
///
/// # Guarantee
/// Its rows of one person are a function of that person's rows and the bounding key alone: one without keys,
/// and otherwise one for each combination of keys that they have, [`PerSubject::rows`] at most. How often they
/// count afterwards is bounded after the join like everything else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PerSubject {
    /// Its tables, in the catalogue's order.
    pub tables: Vec<TableName>,
    /// Subqueries that its rows come from besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_subject: Vec<Self>,
    /// Which rows.
    pub filter: Option<RowExpr>,
    /// What is grouped by besides the person, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<RowExpr>,
    /// Rows that it makes of one person, at most. Of a person with more combinations of keys, those are
    /// drawn by a keyed hash.
    #[serde(skip_serializing_if = "is_one")]
    pub rows: u32,
    /// How far one person counts by the contracts of what its rows are made of: groups, and rows in each.
    #[serde(skip)]
    pub contract: (u32, u32),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
const fn is_one(rows: &u32) -> bool {
    *rows == 1
}

impl PerSubject {
    /// How many subqueries it is, with those in it.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.per_subject.iter().map(Self::count).sum::<usize>()
    }
}

/// A subquery, with what is read of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inner<'a> {
    /// The subquery.
    pub subquery: &'a PerSubject,
    /// What is read of its rows, each once.
    pub folds: Vec<Fold>,
}

/// The columns of tables that expressions read, sorted, without the owner.
pub(super) fn columns<'a>(exprs: impl Iterator<Item = &'a RowExpr>) -> Vec<ColumnName> {
    let mut columns = Vec::new();
    for expr in exprs {
        expr.leaves(&mut |field| columns.extend(if let Field::Column(column) = field { Some(*column) } else { None }));
    }
    columns.sort();
    columns.dedup();
    columns
}

impl<'a> Inner<'a> {
    /// The subqueries `per_subject`, of which `exprs` are worked out.
    pub(super) fn all(per_subject: &'a [PerSubject], exprs: &[&RowExpr]) -> Vec<Self> {
        let mut all: Vec<Self> = per_subject.iter().map(|subquery| Inner { subquery, folds: Vec::new() }).collect();
        for expr in exprs {
            expr.leaves(&mut |field| {
                if let Field::Fold(place, fold) = field
                    && let Some(inner) = all.get_mut(*place)
                    && !inner.folds.contains(fold)
                {
                    inner.folds.push((**fold).clone());
                }
            });
        }
        all
    }

    /// What is worked out of its joined rows.
    fn exprs(&self) -> impl Iterator<Item = &RowExpr> {
        self.subquery.filter.iter().chain(&self.subquery.keys).chain(self.folds.iter().filter_map(Fold::of))
    }

    /// The columns of its own tables that it reads, sorted, without the owner.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnName> {
        columns(self.exprs())
    }

    /// Its subqueries, with what it reads of each.
    #[must_use]
    pub fn inner(&self) -> Vec<Self> {
        Self::all(&self.subquery.per_subject, &self.exprs().collect::<Vec<_>>())
    }

    /// Its tables, with those of its subqueries.
    #[must_use]
    pub fn all_tables(&self) -> Vec<TableName> {
        self.subquery.tables.iter().copied().chain(self.inner().iter().flat_map(Self::all_tables)).collect()
    }

    /// The columns that it and its subqueries read.
    pub(super) fn all_columns(&self) -> Vec<ColumnName> {
        self.columns().into_iter().chain(self.inner().iter().flat_map(Self::all_columns)).collect()
    }

    /// How many values it and its subqueries make of rows of a person.
    #[must_use]
    pub fn values(&self) -> usize {
        self.folds.len() + self.inner().iter().map(Self::values).sum::<usize>()
    }
}

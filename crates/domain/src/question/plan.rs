//! The part of a question that is paid for.

use std::collections::BTreeMap;

use dp::ContributionBounds;
use serde::Serialize;

use super::expr::{Expr, Function};
use super::subquery::{Inner, columns};
use super::{Aggregate, Key, KeySource, KeyValues, PerSubject, RowExpr, Value};
use crate::catalog::{ColumnName, TableName};
use crate::consent::DataScope;
use crate::partner_table::PartnerTableId;

/// What a question computes from people's rows. Two questions with equal plans are one question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Version of this layout; part of the key under which answers are kept.
    pub schema: u32,
    /// The tables, in the catalogue's order. Several are joined within each person: on the person, and
    /// acts and their hashtags also on the act. Acts are joined to the public list of creators on the account.
    pub tables: Vec<TableName>,
    /// Subqueries that aggregate per subject: their rows of a person are joined to every row of theirs.
    pub per_subject: Vec<PerSubject>,
    /// Which rows.
    pub filter: Option<RowExpr>,
    /// What rows are grouped by, sorted.
    pub keys: Vec<Key>,
    /// What is computed, sorted, without duplicates. With unknown keys it contains
    /// [`Aggregate::CountSubjects`], by which groups are selected.
    pub aggregates: Vec<Aggregate>,
    /// How far one person can count, after the last join.
    pub bounds: ContributionBounds,
    /// A group with an unknown key and fewer people than this is never shown; at least 1.
    pub cohort: u32,
    /// The version of the public list of creators, where the question looks at it: after a new list it is another
    /// question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creators: Option<String>,
}

impl Plan {
    /// Version of the layout and meaning of plans.
    pub const SCHEMA: u32 = 3;

    /// The plan as the JSON that equal questions share.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, integers and lists of them always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Which groups the answer has: public ones when all keys are.
    #[must_use]
    pub fn key_source(&self) -> KeySource {
        if self.keys.iter().any(|key| key.values == KeyValues::Unknown) { KeySource::Unknown } else { KeySource::Public }
    }

    /// Every group of a plan with public keys, in order; one empty key where there is no `GROUP BY`.
    #[must_use]
    pub fn public_keys(&self) -> Vec<Vec<Value>> {
        self.keys.iter().filter_map(Key::public_values).fold(vec![Vec::new()], |prefixes, values| {
            prefixes.iter().flat_map(|prefix| values.iter().map(move |value| [prefix.as_slice(), std::slice::from_ref(value)].concat())).collect()
        })
    }

    /// Which rows count: those of `WHERE` whose keys no list leaves out. Applied before a person's
    /// groups are bounded, so that what is left out uses none of them up.
    #[must_use]
    pub fn row_filter(&self) -> Option<RowExpr> {
        let parts: Vec<RowExpr> = self.filter.iter().cloned().chain(self.keys.iter().filter_map(Key::condition)).collect();
        if parts.is_empty() { None } else { Some(Expr::Call(Function::And, parts).canonical()) }
    }

    /// Which parts of people's data the plan looks at: whoever did not open one of them is not counted.
    #[must_use]
    pub fn scopes(&self) -> Vec<DataScope> {
        let inner = self.inner();
        let tables = self.tables.iter().copied().chain(inner.iter().flat_map(Inner::all_tables)).map(TableName::scope);
        let columns = self.columns().into_iter().chain(inner.iter().flat_map(Inner::all_columns)).map(ColumnName::scope);
        let mut scopes: Vec<DataScope> = tables.chain(columns).collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }

    /// The partners' tables that the plan looks at.
    pub fn partner_tables(&self) -> impl Iterator<Item = PartnerTableId> {
        let inner: Vec<TableName> = self.inner().iter().flat_map(Inner::all_tables).collect();
        self.tables.iter().copied().chain(inner).filter_map(|table| if let TableName::Partner(id) = table { Some(id) } else { None })
    }

    /// The columns of its own tables that the plan reads, sorted, without the owner.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnName> {
        columns(self.exprs())
    }

    /// Its subqueries, with what it reads of each.
    #[must_use]
    pub fn inner(&self) -> Vec<Inner<'_>> {
        Inner::all(&self.per_subject, &self.exprs().collect::<Vec<_>>())
    }

    /// What is worked out of joined rows.
    fn exprs(&self) -> impl Iterator<Item = &RowExpr> {
        let keys = self.keys.iter().map(|key| &key.of);
        keys.chain(&self.filter).chain(self.aggregates.iter().filter_map(Aggregate::of))
    }
}

/// Tighter bounds that a question asks for. Wider ones than the contract's are refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Narrowing {
    /// Groups per person.
    pub groups: Option<u32>,
    /// Rows per person and group.
    pub rows_per_group: Option<u32>,
    /// Rows per person in all groups together.
    pub rows_overall: Option<u32>,
    /// People that a group with an unknown key needs at least.
    pub cohort: Option<u32>,
    /// Lowest and highest sum per person and group, by column.
    pub sums: BTreeMap<String, (f64, f64)>,
    /// Lowest and highest single value in averages, variances and percentiles, by column.
    pub values: BTreeMap<String, (f64, f64)>,
}

/// How large a question may be.
pub struct PlanLimits;

impl PlanLimits {
    /// Bytes of SQL.
    pub const SQL_BYTES: usize = 20_000;
    /// Columns in `GROUP BY`.
    pub const KEYS: usize = 8;
    /// Different paid aggregates.
    pub const AGGREGATES: usize = 16;
    /// Nodes in one expression.
    pub const EXPRESSION_SIZE: usize = 1_000;
    /// Words and signs between two commas, of all open parentheses together: how deep a question can be.
    pub const RUN_TOKENS: usize = 1_000;
    /// Bytes of a pattern of `LIKE`.
    pub const PATTERN_BYTES: usize = 250;
    /// Subqueries, with those in subqueries.
    pub const PER_SUBJECT: usize = 4;
    /// What subqueries make of the rows of a person, in all.
    pub const FOLDS: usize = 16;
    /// Percentiles of one expression.
    pub const QUANTILES: usize = 16;
    /// Groups of a plan with public keys.
    pub const PUBLIC_KEYS: usize = 10_000;
    /// Columns in the output.
    pub const OUTPUT_COLUMNS: usize = 64;
}

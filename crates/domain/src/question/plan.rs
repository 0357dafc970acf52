//! The part of a question that is paid for.

use std::collections::BTreeMap;

use dp::ContributionBounds;
use serde::Serialize;

use super::{Aggregate, Key, KeySource, Predicate, Value};
use crate::catalog::{ColumnName, TableName};
use crate::consent::DataScope;

/// What a question computes from people's rows. Two questions with equal plans are one question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Version of this layout; part of the key under which answers are kept.
    pub schema: u32,
    /// The tables, in the catalogue's order. Several are joined within each person: on the person, and
    /// acts and their hashtags also on the act.
    pub tables: Vec<TableName>,
    /// Which rows.
    pub filter: Option<Predicate>,
    /// Columns grouped by, sorted.
    pub keys: Vec<Key>,
    /// What is computed, sorted, without duplicates. With unknown keys it contains
    /// [`Aggregate::CountSubjects`], by which groups are selected.
    pub aggregates: Vec<Aggregate>,
    /// How far one person can count, after the last join.
    pub bounds: ContributionBounds,
}

impl Plan {
    /// Version of the layout and meaning of plans.
    pub const SCHEMA: u32 = 2;

    /// The plan as the JSON that equal questions share.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, integers and lists of them always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Which groups the answer has: public ones when all keys are.
    #[must_use]
    pub fn key_source(&self) -> KeySource {
        if self.keys.iter().all(|key| key.public_values().is_some()) { KeySource::Public } else { KeySource::Unknown }
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
    pub fn row_filter(&self) -> Option<Predicate> {
        let parts: Vec<Predicate> = self.filter.iter().cloned().chain(self.keys.iter().filter_map(Key::condition)).collect();
        if parts.is_empty() { None } else { Some(Predicate::And(parts).canonical()) }
    }

    /// Which parts of people's data the plan looks at: whoever did not open one of them is not counted.
    #[must_use]
    pub fn scopes(&self) -> Vec<DataScope> {
        let tables = self.tables.iter().map(|table| table.scope());
        let mut scopes: Vec<DataScope> = tables.chain(self.columns().into_iter().map(ColumnName::scope)).collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }

    /// The columns that the plan reads, sorted, without the owner.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnName> {
        let mut columns: Vec<ColumnName> = self.keys.iter().map(|key| key.column).collect();
        if let Some(filter) = &self.filter {
            filter.columns(&mut columns);
        }
        columns.extend(self.aggregates.iter().filter_map(Aggregate::column));
        columns.sort();
        columns.dedup();
        columns
    }
}

/// Tighter bounds that a question asks for. Wider ones than the contract's are refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Narrowing {
    /// Groups per person.
    pub groups: Option<u32>,
    /// Rows per person and group.
    pub rows_per_group: Option<u32>,
    /// Lowest and highest sum per person and group, by column.
    pub sums: BTreeMap<String, (f64, f64)>,
    /// Lowest and highest single value in averages, by column.
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
    /// Nodes in `WHERE`.
    pub const PREDICATE_SIZE: usize = 1_000;
    /// Groups of a plan with public keys.
    pub const PUBLIC_KEYS: usize = 10_000;
    /// Columns in the output.
    pub const OUTPUT_COLUMNS: usize = 64;
}

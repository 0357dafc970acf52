//! What leaves in aggregate, and the proof that it was paid for.

use dp::Cost;
use serde::{Deserialize, Serialize};

use crate::question::{Estimate, Presented, Value};
use crate::{ReleaseId, SubjectSet, Timestamp};

/// Proof that a release was paid for. The control plane makes one after the reservation is durable
/// (`control_plane::release::reserve`), and nothing else does, but for rows that nobody owns.
#[derive(Debug)]
#[must_use = "a charge was paid to look at data"]
pub struct Charge {
    cost: Cost,
}

impl Charge {
    /// The charge of a reservation that is durable.
    pub const fn of_durable_reservation(cost: Cost) -> Self {
        Self { cost }
    }

    /// A charge for looking at rows of people who do not exist: nothing is paid, as there is nobody to
    /// protect. Whoever makes one answers for the rows.
    pub const fn of_synthetic_rows(cost: Cost) -> Self {
        Self { cost }
    }

    /// What was paid.
    #[must_use]
    pub const fn cost(&self) -> Cost {
        self.cost
    }
}

/// One aggregate of a released table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisedAggregate {
    /// The aggregate in SQL.
    pub aggregate: String,
    /// Values are whole multiples of 1/denominator.
    pub denominator: u32,
    /// Half the width of the 95 % range of the noise, in grid units.
    pub half_width: i64,
}

/// One group of a released table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisedRow {
    /// The group's key, in the order of the plan's keys.
    pub key: Vec<Value>,
    /// The noisy values in grid units, in the order of the plan's aggregates.
    pub values: Vec<i64>,
}

/// A table after noise: what a partner has paid for. Its JSON is what the release record keeps and
/// what is delivered again for free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisedTable {
    /// Version of this layout.
    pub schema: u32,
    /// The names of the key columns.
    pub keys: Vec<String>,
    /// The aggregates.
    pub aggregates: Vec<NoisedAggregate>,
    /// The groups, sorted by key.
    pub rows: Vec<NoisedRow>,
}

impl NoisedTable {
    /// The table as the JSON that is stored.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, integers and lists of them always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What the clean room gives for a charge.
#[derive(Debug)]
pub struct Answered {
    /// What leaves.
    pub table: NoisedTable,
    /// Eligible people whose own rows matched. Never leaves.
    pub participants: SubjectSet,
}

/// A budget and how much of it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Gone.
    pub spent: Cost,
    /// Still there.
    pub left: Cost,
}

/// A finished release as its partner sees it.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Whether this is a stored answer, sent again for free.
    pub redelivered: bool,
    /// What it cost when it was made.
    pub cost: Cost,
    /// The agreement's budget now.
    pub budget: Balance,
    /// The start of the release: choices and data as of then.
    pub as_of: Timestamp,
    /// The rows.
    pub presented: Presented,
}

/// What a question would cost, without asking it.
#[derive(Debug, Clone)]
pub struct Quote {
    /// The price.
    pub cost: Cost,
    /// The agreement's budget now.
    pub budget: Balance,
    /// How many questions of this price still fit into every budget.
    pub fits: u64,
    /// What can be expected.
    pub estimate: Estimate,
}

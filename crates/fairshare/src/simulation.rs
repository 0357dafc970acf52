//! A question answered on the rows of a synthetic town: what an answer would look like, and what the bounds
//! would cut.
//!
//! # Guarantee
//! No parameter comes from real data: the town's size and seed are constants, its rows lie in a folder of
//! their own, and the deployment's lake and ledgers are not opened. The noise is that of the question's price.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chrono::NaiveDate;
use control_plane::NewCreator;
use data_plane::{DataFusionCleanRoom, ParquetLake};
use domain::catalog::ColumnType;
use domain::creator::Creator;
use domain::lake::{Arrival, Snapshot, SnapshotCause};
use domain::partner_table::{PartnerColumn, PartnerRows, PartnerTable};
use domain::port::{CleanRoom, Clock, Lake, PaidLook, Unwatched};
use domain::question::{Aggregate, Grid, Mechanisms, Prepared, Presented, Question, Value};
use domain::record::{AccountKey, NormalizedBatch};
use domain::release::{Charge, NoisedTable};
use domain::{CreatorKey, CreatorList, Fault, SubjectId, SubjectSet, Timestamp};
use dp::{BoundingKey, ContributionBounds, OsNoise, Rho};
use ingest::{Deletions, Options};

use crate::demo::town::{self, TownOptions};
use crate::deployment::{SystemClock, threads};

/// People of the town, and the seed of their lives.
const PEOPLE: u32 = 1_000;
const SEED: u64 = 20_261_125;

/// Under which the town's accounts have their numbers: a constant, like all of it.
const KEY: CreatorKey = CreatorKey::from_bytes([0; 16]);

/// A price at which noise is too small to be seen, to compare what the bounds keep.
const EXACT: Rho = Rho::from_nano(10_000_000_000_000_000_000);

/// Bounds that cut nothing in the town, and no wider: the noise grows with them.
const GROUPS: u32 = 1_000;
const ROWS: u32 = 10_000;
/// How many times the contract's a sum may be.
const SUMS: i64 = 100;

/// What was found in the town.
pub(crate) struct Simulated {
    /// How many people live there.
    pub(crate) people: u32,
    /// The answer.
    pub(crate) presented: Presented,
    /// For each number that bounds can cut: the share of it that they keep, over all groups together.
    pub(crate) kept: Vec<(String, f64)>,
}

/// Answers `question` in the town, of a partner who declared these tables.
///
/// # Errors
/// A refusal as for any answer; a fault when the town cannot be built.
pub(crate) async fn simulate(question: &Question, tables: Vec<PartnerTable>) -> anyhow::Result<Simulated> {
    let question = question.clone();
    tokio::task::spawn_blocking(move || Simulation::build(SystemClock.now().date_naive(), tables)?.answer(&question)).await.context("simulating")?
}

/// The town, in a lake of its own.
struct Simulation {
    room: DataFusionCleanRoom,
    snapshot: Snapshot,
    everybody: SubjectSet,
    tables: Vec<PartnerTable>,
    key: BoundingKey,
    /// Removed with all in it when the simulation ends.
    _folder: tempfile::TempDir,
}

impl Simulation {
    fn build(today: NaiveDate, tables: Vec<PartnerTable>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("making a folder for the simulation")?;
        let arrivals = arrivals(&folder.path().join("exports"), today)?;
        let everybody: SubjectSet = arrivals.iter().flat_map(|arrival| arrival.ids.iter().copied()).collect();
        let lake = ParquetLake::new(folder.path().join("lake"));
        let mut manifest = lake.stage(None, &arrivals, &Unwatched)?.manifest;
        for table in &tables {
            manifest = lake.put(Some(&manifest), table.id(), &rows_of(table, &everybody, today))?;
        }
        let snapshot = Snapshot { id: 1, cause: SnapshotCause::Import, at: Timestamp::UNIX_EPOCH, visible_from: Timestamp::UNIX_EPOCH, manifest };
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|e| Fault::new("asking the operating system for randomness", e.to_string()))?;
        let room = DataFusionCleanRoom::new(lake, Arc::new(OsNoise), threads())?;
        Ok(Self { room, snapshot, everybody, tables, key: BoundingKey::from_bytes(key), _folder: folder })
    }

    fn answer(&self, question: &Question) -> anyhow::Result<Simulated> {
        let prepared = self.room.prepare(question, &self.tables, &creators())?;
        let presented = prepared.view.present(&self.look(&prepared)?);
        let bounded = at_no_noise(prepared);
        let (kept, all) = (self.look(&bounded)?, self.look(&unbounded(bounded.clone())?)?);
        let share = |place: usize| {
            let total = |table: &NoisedTable| table.rows.iter().filter_map(|row| row.values.get(place)).map(|x| i128::from(*x).unsigned_abs()).sum::<u128>();
            #[expect(clippy::cast_precision_loss, reason = "a share that is printed")]
            (total(&all) > 0).then(|| (total(&kept) as f64 / total(&all) as f64).min(1.0))
        };
        let shares = bounded.plan.aggregates.iter().enumerate().filter_map(|(place, aggregate)| Some((aggregate.to_string(), share(place)?))).collect();
        Ok(Simulated { people: PEOPLE, presented, kept: shares })
    }

    fn look(&self, prepared: &Prepared) -> Result<NoisedTable, Fault> {
        let charge = Charge::of_synthetic_rows(prepared.cost);
        let look = PaidLook { prepared, charge: &charge, snapshot: &self.snapshot, eligible: &self.everybody, bounding_key: &self.key };
        Ok(self.room.answer(&look)?.table)
    }
}

/// The question at a price at which noise is not seen, of what bounds can cut a part of.
fn at_no_noise(mut prepared: Prepared) -> Prepared {
    let additive = |aggregate: &Aggregate| match aggregate {
        Aggregate::CountSubjects | Aggregate::CountRows | Aggregate::CountKnown { .. } | Aggregate::CountDistinct { .. } | Aggregate::Sum { .. } => true,
        Aggregate::CenteredSum { .. } | Aggregate::CenteredSquares { .. } | Aggregate::Quantiles { .. } => false,
    };
    prepared.plan.aggregates.retain(additive);
    if prepared.plan.aggregates.is_empty() {
        prepared.plan.aggregates.push(Aggregate::CountRows);
    }
    prepared.cost = Mechanisms::cost(&prepared.plan, EXACT);
    prepared
}

/// The question where everything of a person counts.
fn unbounded(mut prepared: Prepared) -> anyhow::Result<Prepared> {
    prepared.plan.bounds = ContributionBounds::new(GROUPS, ROWS, prepared.plan.bounds.rows_at_scan())?;
    for aggregate in &mut prepared.plan.aggregates {
        if let Aggregate::Sum { sums, values, .. } = aggregate {
            *sums = Grid { low: sums.low.saturating_mul(SUMS), high: sums.high.saturating_mul(SUMS), ..*sums };
            *values = None;
        }
    }
    Ok(prepared)
}

/// Who may be named in the town.
fn creators() -> Arc<CreatorList> {
    let listed =
        |new: NewCreator| Creator { id: KEY.id(new.account.platform, &new.account.native_id), name: Some(new.name), platform: new.account.platform, category: new.category };
    Arc::new(CreatorList::new(town::creators().into_iter().map(listed)))
}

/// Rows of a partner's table in the town: every other person has one, with values that are spread over what was
/// declared.
fn rows_of(table: &PartnerTable, everybody: &SubjectSet, today: NaiveDate) -> PartnerRows {
    let mut rows = PartnerRows::of(table.columns());
    for person in everybody.iter().filter(|person| person.0 % 2 == 0) {
        let step = u64::from(person.0 / 2) * 37 % 100;
        let value = |column: &PartnerColumn| {
            let (low, high) = column.range.unwrap_or((0.0, 100.0));
            #[expect(clippy::cast_precision_loss, reason = "below 100")]
            let number = low + (high - low) * step as f64 / 100.0;
            match column.ty {
                #[expect(clippy::cast_possible_truncation, reason = "ranges lie within a thousand million")]
                ColumnType::Integer => Value::Integer(number as i64),
                ColumnType::Float => Value::Float(number),
                ColumnType::Date => today.checked_sub_days(chrono::Days::new(step * 3)).map_or(Value::Null, Value::Date),
                ColumnType::Text | ColumnType::Id | ColumnType::Boolean | ColumnType::Timestamp => Value::Text(format!("{}-{}", column.name, step % 5)),
            }
        };
        rows.push(person, &table.columns().iter().map(value).collect::<Vec<_>>());
    }
    rows
}

/// The town's rows, with ids for its people.
fn arrivals(folder: &Path, today: NaiveDate) -> anyhow::Result<Vec<Arrival>> {
    let town = town::build(folder, &TownOptions { people: PEOPLE, seed: SEED, today })?;
    let options = Options { platform: None, mapping: None, deletions: Deletions::Apply, creators: KEY, today, threads: threads() };
    let mut known: HashMap<AccountKey, SubjectId> = HashMap::new();
    let mut arrivals = Vec::new();
    for source in ingest::sources(&town.sources, &options)? {
        let mut batches: Vec<NormalizedBatch> = Vec::new();
        ingest::read(&source, &options, &Unwatched, &mut |batch| {
            batches.push(batch);
            ControlFlow::Continue(())
        })?;
        let mut ids: Vec<SubjectId> = Vec::new();
        for batch in batches {
            for subject in &batch.subjects {
                let next = SubjectId(u32::try_from(known.len())?);
                ids.push(*known.entry(subject.account.clone()).or_insert(next));
            }
            arrivals.push(Arrival { batch, ids: ids.clone() });
        }
    }
    Ok(arrivals)
}

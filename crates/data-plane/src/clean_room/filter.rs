//! Rows of people who may be asked about, person by person.
//!
//! # Guarantee
//! [`Consented`] hands out rows of eligible people only. The test is made on the person's id inside
//! this module, once per run of their rows, and is no expression of the query: no rewriting of a
//! plan can drop it. All rows of a person come together and from one partition only.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::UInt32Type;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use domain::catalog::{Table, TableName};
use domain::lake::{LakeFile, Snapshot};
use domain::question::Plan;
use domain::{Fault, SubjectId, SubjectSet};
use futures::StreamExt;

use crate::ParquetLake;
use crate::schema::{schema, stored};

/// Where the engine finds the lake's files.
const STORE: &str = "lake://fairshare";

/// The column of the owner in every file.
const OWNER: usize = 0;

/// A scan over the rows of eligible people.
pub(super) struct Consented {
    eligible: Arc<SubjectSet>,
    partitions: Vec<Vec<Bucket>>,
    context: Arc<TaskContext>,
    columns: Vec<&'static str>,
}

/// The scans of one bucket's files. Only here can two files hold rows of one person.
type Bucket = Vec<Arc<dyn ExecutionPlan>>;

impl Consented {
    /// The scan of `plan` over `snapshot`, cut into at most `threads` partitions between buckets.
    pub(super) fn of(lake: &ParquetLake, plan: &Plan, snapshot: &Snapshot, eligible: &SubjectSet, threads: usize) -> Result<Self, Fault> {
        let table = Table::of(plan.table);
        let mut columns: Vec<&'static str> = plan.columns().iter().filter_map(|name| table.column(name)).map(|column| stored(column).0).collect();
        columns.sort_unstable();
        columns.dedup();
        let files = snapshot.manifest.files(plan.table);
        let context = Arc::new(TaskContext::default());
        if !files.is_empty() {
            context.runtime_env().register_object_store(store_url()?.as_ref(), lake.store().object_store()?);
        }
        let bucket = |files: &[LakeFile]| files.iter().map(|file| scan(plan.table, &columns, file)).collect::<Result<Bucket, _>>();
        let partitions = split(files, threads).into_iter().map(|buckets| buckets.into_iter().map(bucket).collect::<Result<Vec<_>, _>>());
        let partitions = partitions.collect::<Result<_, _>>().map_err(engine)?;
        Ok(Self { eligible: Arc::new(eligible.clone()), partitions, context, columns })
    }

    /// The stored columns after the owner, in order.
    pub(super) fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// The partitions, each to be read by one task.
    pub(super) fn into_partitions(self) -> Vec<Partition> {
        let Self { eligible, partitions, context, columns: _ } = self;
        partitions.into_iter().map(|buckets| Partition { eligible: Arc::clone(&eligible), buckets, context: Arc::clone(&context) }).collect()
    }
}

/// One partition: whole people only.
pub(super) struct Partition {
    eligible: Arc<SubjectSet>,
    buckets: Vec<Bucket>,
    context: Arc<TaskContext>,
}

/// What reads a partition.
pub(super) trait Visitor: Send {
    /// A batch made ready for [`Visitor::run`].
    type Batch: Send;

    /// Makes a batch ready: its columns after the owner's, in the order of [`Consented::columns`].
    fn batch(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Self::Batch, Fault>;

    /// Rows of one eligible person. A person's rows may come in several runs, one directly after the
    /// other.
    fn run(&mut self, batch: &Self::Batch, subject: SubjectId, rows: Range<usize>) -> Result<(), Fault>;
}

/// One file of a bucket, as far as it is read.
struct Lane<B> {
    stream: SendableRecordBatchStream,
    loaded: Option<Loaded<B>>,
    last: Option<u32>,
}

struct Loaded<B> {
    owners: ScalarBuffer<u32>,
    batch: B,
    next: usize,
}

impl<B> Lane<B> {
    /// The person whose rows come next; reads on when a batch is used up.
    async fn peek<V: Visitor<Batch = B>>(&mut self, visitor: &mut V) -> Result<Option<u32>, Fault> {
        loop {
            if let Some(Loaded { owners, next, .. }) = &self.loaded
                && let Some(&subject) = owners.get(*next)
            {
                // INVARIANT (clustered): people ascend within a file.
                if self.last.is_some_and(|last| subject < last) {
                    return Err(Fault::broken("the lake's rows are not clustered by person"));
                }
                self.last = Some(subject);
                return Ok(Some(subject));
            }
            let Some(batch) = self.stream.next().await else { return Ok(None) };
            let batch = batch.map_err(engine)?;
            let (owner, columns) = batch.columns().split_first().ok_or_else(|| Fault::broken("a batch without an owner"))?;
            let owners = owner.as_primitive_opt::<UInt32Type>().ok_or_else(|| Fault::broken("an owner that is no id"))?.values().clone();
            self.loaded = Some(Loaded { owners, batch: visitor.batch(columns, batch.num_rows())?, next: 0 });
        }
    }

    /// Takes the run of `subject` at the current place.
    fn take(&mut self, subject: u32) -> Option<(&B, Range<usize>)> {
        let Loaded { owners, batch, next } = self.loaded.as_mut()?;
        let begin = *next;
        let length = owners.get(begin..)?.iter().take_while(|s| **s == subject).count();
        *next = begin + length;
        Some((batch, begin..begin + length))
    }
}

impl Partition {
    /// Reads the partition from beginning to end.
    pub(super) async fn visit<V: Visitor>(self, visitor: &mut V) -> Result<(), Fault> {
        for bucket in self.buckets {
            let lanes = bucket.into_iter().map(|plan| Ok(Lane { stream: plan.execute(0, Arc::clone(&self.context)).map_err(engine)?, loaded: None, last: None }));
            let mut lanes = lanes.collect::<Result<Vec<Lane<V::Batch>>, Fault>>()?;
            let mut heads = Vec::with_capacity(lanes.len());
            for lane in &mut lanes {
                heads.push(lane.peek(visitor).await?);
            }
            // The lowest person first; of equals the first file first.
            while let Some((place, subject)) = heads.iter().enumerate().filter_map(|(place, head)| head.map(|s| (place, s))).min_by_key(|(place, s)| (*s, *place)) {
                let Some(lane) = lanes.get_mut(place) else { break };
                if let Some((batch, rows)) = lane.take(subject)
                    && self.eligible.contains(SubjectId(subject))
                {
                    visitor.run(batch, SubjectId(subject), rows)?;
                }
                if let Some(head) = heads.get_mut(place) {
                    *head = lane.peek(visitor).await?;
                }
            }
        }
        Ok(())
    }
}

/// Contiguous groups of buckets with about equally many rows. Files of one bucket stay together; no
/// two buckets share a person.
fn split(files: &[LakeFile], threads: usize) -> Vec<Vec<&[LakeFile]>> {
    let total: u64 = files.iter().map(|f| f.rows).sum();
    let share = total.div_ceil(threads.max(1) as u64).max(1);
    let mut groups: Vec<Vec<&[LakeFile]>> = Vec::new();
    let mut filled = share;
    for bucket in files.chunk_by(|a, b| a.bucket == b.bucket) {
        if filled >= share {
            groups.push(Vec::new());
            filled = 0;
        }
        filled += bucket.iter().map(|f| f.rows).sum::<u64>();
        if let Some(group) = groups.last_mut() {
            group.push(bucket);
        }
    }
    groups
}

/// One scan per file, each its own plan: the engine has nothing to share work with, so it cannot move
/// part of a file, and with it part of a person, to another partition.
fn scan(table: TableName, columns: &[&'static str], file: &LakeFile) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let schema = schema(table);
    let mut wanted = vec![OWNER];
    for name in columns {
        wanted.push(schema.index_of(name)?);
    }
    let url = ObjectStoreUrl::parse(STORE)?;
    let config = FileScanConfigBuilder::new(url, Arc::new(ParquetSource::new(schema)))
        .with_file_group(FileGroup::new(vec![PartitionedFile::new(file.path.clone(), file.bytes)]))
        .with_preserve_order(true)
        .with_projection_indices(Some(wanted))?
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

fn store_url() -> Result<ObjectStoreUrl, Fault> {
    ObjectStoreUrl::parse(STORE).map_err(engine)
}

/// The engine's error texts can hold people's data: they stay inside the fault.
fn engine(error: DataFusionError) -> Fault {
    Fault::new("scanning the lake", error)
}

//! Rows of people who may be asked about, person by person.
//!
//! # Guarantee
//! [`Consented`] hands out rows of eligible people only. The test is made on the person's id inside
//! this module, once per run of their rows, and is no expression of the query: no rewriting of a
//! plan can drop it. All rows of a person come together and from one partition only.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, UInt32Array};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use domain::lake::{LakeFile, Snapshot};
use domain::question::Prepared;
use domain::{Fault, SubjectId, SubjectSet};
use dp::BoundingKey;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};

use super::fold::Sink;
use super::join::{ACT, Collected, Held, Read, Reading, Scanned, Subquery, Tables, Widening, owners};
use crate::ParquetLake;
use crate::schema::schema;

/// Where the engine finds the lake's files.
const STORE: &str = "lake://fairshare";

/// The column of the owner in every file.
const OWNER: usize = 0;

/// Rows per batch: so many that what each batch costs does not count, and so few that all its columns stay
/// near the processor.
pub(super) const BATCH_ROWS: usize = 16 * 1024;

/// A scan over the rows of eligible people.
pub(super) struct Consented {
    eligible: Arc<SubjectSet>,
    /// By which rows of a subquery are drawn.
    secret: BoundingKey,
    partitions: Vec<Vec<Bucket>>,
    context: Arc<TaskContext>,
    tables: Arc<Tables>,
}

/// The scans of one bucket's files. Only here can two files hold rows of one person.
struct Bucket {
    scanned: Scans,
    /// Of the tables whose rows are joined to the scanned ones, in their order.
    beside: Vec<Scans>,
    /// Of the subqueries, in the order of [`Tables`].
    subqueries: Vec<Self>,
}

/// One scan per file.
type Scans = Vec<Arc<dyn ExecutionPlan>>;

impl Bucket {
    /// The scans of `tables` over the files of the bucket that `file` is in.
    fn of(tables: &Tables, snapshot: &Snapshot, file: &LakeFile) -> Result<Self, DataFusionError> {
        let scans = |read: &Read| snapshot.manifest.files(read.table).iter().filter(|other| other.bucket == file.bucket).map(|file| scan(read, file)).collect::<Result<Scans, _>>();
        Ok(Self {
            scanned: tables.scanned.as_ref().map(scans).transpose()?.unwrap_or_default(),
            beside: tables.beside.iter().map(scans).collect::<Result<_, _>>()?,
            subqueries: tables.subqueries.iter().map(|subquery| Self::of(&subquery.tables, snapshot, file)).collect::<Result<_, _>>()?,
        })
    }
}

impl Consented {
    /// The scan of a question over `snapshot`, cut into at most `threads` partitions between buckets.
    pub(super) fn of(lake: &ParquetLake, prepared: &Prepared, snapshot: &Snapshot, eligible: &SubjectSet, secret: &BoundingKey, threads: usize) -> Result<Self, Fault> {
        let tables = Tables::of(&prepared.plan, &prepared.creators);
        let files = snapshot.manifest.files(tables.leading()?.table);
        let context = Arc::new(TaskContext::default().with_session_config(SessionConfig::new().with_batch_size(BATCH_ROWS)));
        if !files.is_empty() {
            context.runtime_env().register_object_store(store_url()?.as_ref(), lake.store().object_store()?);
        }
        let buckets =
            |buckets: Vec<&[LakeFile]>| buckets.into_iter().filter_map(<[LakeFile]>::first).map(|file| Bucket::of(&tables, snapshot, file)).collect::<Result<Vec<_>, _>>();
        let partitions = split(files, threads).into_iter().map(buckets).collect::<Result<_, _>>().map_err(engine)?;
        Ok(Self { eligible: Arc::new(eligible.clone()), secret: secret.clone(), partitions, context, tables: Arc::new(tables) })
    }

    /// The columns after the owner, in order.
    pub(super) fn columns(&self) -> Vec<Scanned> {
        self.tables.columns()
    }

    /// The partitions, each to be read by one task.
    pub(super) fn into_partitions(self) -> Vec<Partition> {
        let Self { eligible, secret, partitions, context, tables } = self;
        let partition = |buckets| Partition { eligible: Arc::clone(&eligible), secret: secret.clone(), buckets, context: Arc::clone(&context), tables: Arc::clone(&tables) };
        partitions.into_iter().map(partition).collect()
    }
}

/// One partition: whole people only.
pub(super) struct Partition {
    eligible: Arc<SubjectSet>,
    secret: BoundingKey,
    buckets: Vec<Bucket>,
    context: Arc<TaskContext>,
    tables: Arc<Tables>,
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
    reading: Reading,
}

struct Loaded<B> {
    owners: ScalarBuffer<u32>,
    batch: B,
    next: usize,
}

impl<B> Lane<B> {
    /// The person whose rows come next; reads on when a batch is used up.
    async fn peek<V: Visitor<Batch = B>>(&mut self, visitor: &mut V, widening: Option<&Widening<'_>>) -> Result<Option<u32>, Fault> {
        loop {
            if let Some(Loaded { owners, next, .. }) = &self.loaded
                && let Some(&subject) = owners.get(*next)
            {
                return Ok(Some(subject));
            }
            let Some(batch) = self.stream.next().await else { return Ok(None) };
            let batch = batch.map_err(engine)?;
            let (owners, columns) = match widening {
                None => (owners(batch.columns())?, batch.columns().iter().skip(1).cloned().collect()),
                Some(widening) => widening.widen(batch.columns(), &mut self.reading)?,
            };
            if owners.is_empty() {
                continue;
            }
            // INVARIANT (clustered): people ascend within a file.
            if self.last > owners.first().copied() || !ascend(&owners) {
                return Err(Fault::broken("the lake's rows are not clustered by person"));
            }
            self.last = owners.last().copied();
            let batch = visitor.batch(&columns, owners.len())?;
            self.loaded = Some(Loaded { owners, batch, next: 0 });
        }
    }

    /// Hands out the people of the loaded batch, run by run, as long as it is this lane's `turn`.
    fn hand_out<V: Visitor<Batch = B>>(&mut self, visitor: &mut V, eligible: &SubjectSet, turn: impl Fn(u32) -> bool) -> Result<(), Fault> {
        let Some(Loaded { owners, batch, next }) = &mut self.loaded else { return Ok(()) };
        while let Some(rest) = owners.get(*next..)
            && let Some(&subject) = rest.first()
            && turn(subject)
        {
            let rows = *next..*next + run(rest, subject);
            *next = rows.end;
            if eligible.contains(SubjectId(subject)) {
                visitor.run(batch, SubjectId(subject), rows)?;
            }
        }
        Ok(())
    }
}

/// Whether nobody comes after somebody with a higher id. Looks at all rows, so that it needs no branches.
fn ascend(owners: &[u32]) -> bool {
    owners.iter().zip(owners.iter().skip(1)).fold(true, |ascend, (a, b)| ascend & (a <= b))
}

/// Rows at the beginning of `owners`, who ascend, that are of `subject`, the first of them.
fn run(owners: &[u32], subject: u32) -> usize {
    // Of a stride whose last row is of the person, all are.
    const STRIDE: usize = 16;
    let strides = owners.chunks_exact(STRIDE).take_while(|stride| stride.last() == Some(&subject)).count();
    let sure = strides * STRIDE;
    sure + owners.iter().skip(sure).take_while(|owner| **owner == subject).count()
}

impl Partition {
    /// Reads the partition from beginning to end.
    pub(super) async fn visit<V: Visitor>(self, visitor: &mut V) -> Result<(), Fault> {
        for bucket in self.buckets {
            let reader = Reader { tables: &self.tables, eligible: &self.eligible, secret: &self.secret, context: &self.context };
            reader.read(bucket, visitor).await?;
        }
        Ok(())
    }
}

/// What reads buckets: of a plan, or of one of its subqueries.
#[derive(Clone, Copy)]
struct Reader<'a> {
    tables: &'a Tables,
    eligible: &'a SubjectSet,
    secret: &'a BoundingKey,
    context: &'a Arc<TaskContext>,
}

impl Reader<'_> {
    /// Hands out the rows of one bucket, joined, person by person.
    async fn read<V: Visitor>(self, bucket: Bucket, visitor: &mut V) -> Result<(), Fault> {
        let mut held = Vec::with_capacity(bucket.beside.len());
        for (read, scans) in self.tables.beside.iter().zip(bucket.beside) {
            let mut batches = Vec::new();
            for scan in scans {
                let stream = scan.execute(0, Arc::clone(self.context)).map_err(engine)?;
                batches.extend(stream.try_collect::<Vec<_>>().await.map_err(engine)?);
            }
            held.push(Held::of(read, &batches, self.eligible)?);
        }
        let mut subqueries = self.tables.subqueries.iter().zip(bucket.subqueries);
        let made = if self.tables.scanned.is_none() { subqueries.next() } else { None };
        for (subquery, bucket) in subqueries {
            let mut collected = Collected::default();
            self.make(subquery, bucket, &mut collected).await?;
            held.push(collected.held()?);
        }
        let widening = Widening { tables: self.tables, held: &held, eligible: self.eligible };
        if let Some((subquery, bucket)) = made {
            return self.make(subquery, bucket, &mut HandOut { widening, visitor }).await;
        }
        let widening = self.tables.are_several().then_some(&widening);
        let lane =
            |plan: Arc<dyn ExecutionPlan>| Ok(Lane { stream: plan.execute(0, Arc::clone(self.context)).map_err(engine)?, loaded: None, last: None, reading: Reading::default() });
        let lanes = bucket.scanned.into_iter().map(lane);
        let mut lanes = lanes.collect::<Result<Vec<Lane<V::Batch>>, Fault>>()?;
        let mut heads = Vec::with_capacity(lanes.len());
        for lane in &mut lanes {
            heads.push(lane.peek(visitor, widening).await?);
        }
        // The lowest person first; of equals the first file first.
        while let Some((_, place)) = first(&heads, None) {
            let others = first(&heads, Some(place));
            let Some((lane, head)) = lanes.get_mut(place).zip(heads.get_mut(place)) else { break };
            lane.hand_out(visitor, self.eligible, |subject| others.is_none_or(|other| (subject, place) < other))?;
            *head = lane.peek(visitor, widening).await?;
        }
        Ok(())
    }

    /// Gives the rows of a subquery to `sink`.
    fn make<'b>(&'b self, subquery: &'b Subquery, bucket: Bucket, sink: &'b mut dyn Sink) -> BoxFuture<'b, Result<(), Fault>> {
        async move {
            let mut people = subquery.folds.start(&subquery.tables.columns(), self.secret, sink)?;
            Reader { tables: &subquery.tables, ..*self }.read(bucket, &mut people).await?;
            people.finish()
        }
        .boxed()
    }
}

/// Hands out the rows of a subquery, joined, as they are made.
struct HandOut<'a, V> {
    widening: Widening<'a>,
    visitor: &'a mut V,
}

impl<V: Visitor> Sink for HandOut<'_, V> {
    fn take(&mut self, owners: UInt32Array, columns: Vec<ArrayRef>) -> Result<(), Fault> {
        let batch: Vec<ArrayRef> = std::iter::once(Arc::new(owners) as ArrayRef).chain(columns).collect();
        let (owners, columns) = self.widening.widen(&batch, &mut Reading::default())?;
        if owners.is_empty() {
            return Ok(());
        }
        let batch = self.visitor.batch(&columns, owners.len())?;
        let mut next = 0;
        while let Some(rest) = owners.get(next..)
            && let Some(&subject) = rest.first()
        {
            let rows = next..next + run(rest, subject);
            next = rows.end;
            // INVARIANT (consent): only rows of eligible people were widened.
            if self.widening.eligible.contains(SubjectId(subject)) {
                self.visitor.run(&batch, SubjectId(subject), rows)?;
            }
        }
        Ok(())
    }
}

/// The person who comes first at the heads of lanes, and the lane; `except` is not looked at.
fn first(heads: &[Option<u32>], except: Option<usize>) -> Option<(u32, usize)> {
    let others = heads.iter().enumerate().filter(|(place, _)| Some(*place) != except);
    others.filter_map(|(place, head)| head.map(|subject| (subject, place))).min()
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
fn scan(read: &Read, file: &LakeFile) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let schema = schema(read.table);
    let mut wanted = vec![OWNER];
    for name in read.by_act.then_some(&ACT).into_iter().chain(&read.columns) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_long_as_a_person_has_rows() {
        for length in 1..70 {
            for after in [0, 1, 15, 16, 17, 40] {
                let owners = [vec![5; length], vec![6; after]].concat();
                assert_eq!(run(&owners, 5), length, "and {after} after");
            }
        }
    }

    #[test]
    fn people_who_do_not_ascend_are_seen() {
        assert!(ascend(&[]) && ascend(&[3]) && ascend(&[1, 1, 2, 7]));
        assert!((0..40).all(|place| !ascend(&(0..41).map(|n| if n == place { 50 } else { n }).collect::<Vec<_>>())));
    }
}

//! Rows that match the question, of people who may be asked about.
//!
//! # Guarantee
//! [`Consented`] hands out rows of eligible people only. The test is made on the person's id inside
//! this module, once per run of their rows, and is no expression of the query: no rewriting of a
//! plan can drop it. Each person's rows come together and from one partition only.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{Date32Type, Schema, UInt32Type};
use datafusion::common::ScalarValue;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Operator;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{self, BinaryExpr, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use domain::lake::{LakeFile, Snapshot};
use domain::question::{Comparison, Plan, Predicate, Value};
use domain::{Fault, SubjectId, SubjectSet};
use futures::StreamExt;

use crate::ParquetLake;
use crate::schema::schema;

/// Where the engine finds the lake's files.
const STORE: &str = "lake://fairshare";

/// The column of the owner in every batch.
const OWNER: usize = 0;

/// A scan over the rows of eligible people that match a plan's filter.
pub(super) struct Consented {
    eligible: Arc<SubjectSet>,
    partitions: Vec<Arc<dyn ExecutionPlan>>,
    context: Arc<TaskContext>,
    columns: Vec<String>,
}

impl Consented {
    /// The scan of `plan` over `snapshot`, cut into at most `threads` partitions between people.
    pub(super) fn of(lake: &ParquetLake, plan: &Plan, snapshot: &Snapshot, eligible: &SubjectSet, threads: usize) -> Result<Self, Fault> {
        let columns = plan.columns();
        let groups = split(snapshot.manifest.files(plan.table), threads);
        let context = Arc::new(TaskContext::default());
        if !groups.is_empty() {
            let store = LocalFileSystem::new_with_prefix(lake.root()).map_err(|e| Fault::new("opening the lake", e))?;
            context.runtime_env().register_object_store(store_url()?.as_ref(), Arc::new(store));
        }
        let partitions = groups.into_iter().map(|group| partition(plan, &columns, group)).collect::<Result<_, _>>();
        let partitions = partitions.map_err(engine)?;
        Ok(Self { eligible: Arc::new(eligible.clone()), partitions, context, columns })
    }

    /// The names of the columns after the owner.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The partitions, each to be read by one task.
    pub(super) fn into_partitions(self) -> Vec<Partition> {
        let Self { eligible, partitions, context, columns: _ } = self;
        partitions.into_iter().map(|plan| Partition { eligible: Arc::clone(&eligible), plan, context: Arc::clone(&context) }).collect()
    }
}

/// One partition: whole people only.
pub(super) struct Partition {
    eligible: Arc<SubjectSet>,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
}

/// What reads a partition.
pub(super) trait Visitor: Send {
    /// A batch begins: its columns after the owner's, in the order of [`Consented::columns`].
    fn batch(&mut self, columns: &[ArrayRef]) -> Result<(), Fault>;

    /// Rows of one eligible person in the current batch. A person's rows may come in several runs,
    /// one directly after the other.
    fn run(&mut self, subject: SubjectId, rows: Range<usize>) -> Result<(), Fault>;
}

impl Partition {
    /// Reads the partition from beginning to end.
    pub(super) async fn visit(self, visitor: &mut dyn Visitor) -> Result<(), Fault> {
        let mut stream = self.plan.execute(0, self.context).map_err(engine)?;
        let mut last: Option<u32> = None;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(engine)?;
            let Some((owner, columns)) = batch.columns().split_first() else { return Err(Fault::broken("a batch without an owner")) };
            let owners = owner.as_primitive_opt::<UInt32Type>().ok_or_else(|| Fault::broken("an owner that is no id"))?;
            visitor.batch(columns)?;
            let mut begin = 0;
            for run in owners.values().chunk_by(|a, b| a == b) {
                let Some(&subject) = run.first() else { continue };
                // INVARIANT (clustered): people ascend within a file and from file to file.
                if last.is_some_and(|last| subject < last) {
                    return Err(Fault::broken("the lake's rows are not clustered by person"));
                }
                last = Some(subject);
                if self.eligible.contains(SubjectId(subject)) {
                    visitor.run(SubjectId(subject), begin..begin + run.len())?;
                }
                begin += run.len();
            }
        }
        Ok(())
    }
}

/// Contiguous groups of files with about equally many rows. No two files of a table share a person,
/// hence no two groups do.
fn split(files: &[LakeFile], threads: usize) -> Vec<Vec<&LakeFile>> {
    let total: u64 = files.iter().map(|f| f.rows).sum();
    let share = total.div_ceil(threads.max(1) as u64).max(1);
    let mut groups: Vec<Vec<&LakeFile>> = Vec::new();
    let mut filled = share;
    for file in files {
        if filled >= share {
            groups.push(Vec::new());
            filled = 0;
        }
        filled += file.rows;
        if let Some(group) = groups.last_mut() {
            group.push(file);
        }
    }
    groups
}

/// One scan per group of files, each its own plan: the engine has nothing to share work with, so it
/// cannot move part of a file, and with it part of a person, to another partition.
fn partition(plan: &Plan, columns: &[String], files: Vec<&LakeFile>) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let schema = schema(plan.table);
    let mut wanted = vec![OWNER];
    for name in columns {
        wanted.push(schema.index_of(name)?);
    }
    let files = files.into_iter().map(|f| PartitionedFile::new(f.path.clone(), f.bytes)).collect();
    let url = ObjectStoreUrl::parse(STORE)?;
    let config = FileScanConfigBuilder::new(url, Arc::new(ParquetSource::new(schema)))
        .with_file_group(FileGroup::new(files))
        .with_preserve_order(true)
        .with_projection_indices(Some(wanted))?
        .build();
    let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
    match &plan.filter {
        None => Ok(scan),
        Some(filter) => {
            let condition = compile(filter, &scan.schema())?;
            Ok(Arc::new(FilterExec::try_new(condition, scan)?))
        }
    }
}

/// A predicate as the engine's expression: comparisons of columns with constants of their type,
/// whose meaning is [`Predicate::evaluate`].
fn compile(predicate: &Predicate, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    let constant = |value: &Value| -> Arc<dyn PhysicalExpr> { Arc::new(Literal::new(scalar(value))) };
    match predicate {
        Predicate::Constant(truth) => Ok(Arc::new(Literal::new(ScalarValue::Boolean(*truth)))),
        Predicate::Compare { column, op, value } => Ok(Arc::new(BinaryExpr::new(expressions::col(column, schema)?, operator(*op), constant(value)))),
        Predicate::In { column, values } => expressions::in_list(expressions::col(column, schema)?, values.iter().map(constant).collect(), &false, schema),
        Predicate::IsNull { column } => expressions::is_null(expressions::col(column, schema)?),
        Predicate::Like { column, pattern } => expressions::like(false, false, expressions::col(column, schema)?, constant(&Value::Text(pattern.clone())), schema),
        Predicate::And(parts) => fold(parts, Operator::And, true, schema),
        Predicate::Or(parts) => fold(parts, Operator::Or, false, schema),
        Predicate::Not(inner) => expressions::not(compile(inner, schema)?),
    }
}

fn fold(parts: &[Predicate], op: Operator, neutral: bool, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    let mut parts = parts.iter().map(|p| compile(p, schema));
    let Some(first) = parts.next() else { return Ok(Arc::new(Literal::new(ScalarValue::Boolean(Some(neutral))))) };
    parts.try_fold(first?, |all, next| Ok(Arc::new(BinaryExpr::new(all, op, next?)) as Arc<dyn PhysicalExpr>))
}

const fn operator(op: Comparison) -> Operator {
    match op {
        Comparison::Eq => Operator::Eq,
        Comparison::Ne => Operator::NotEq,
        Comparison::Lt => Operator::Lt,
        Comparison::Le => Operator::LtEq,
        Comparison::Gt => Operator::Gt,
        Comparison::Ge => Operator::GtEq,
    }
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null => ScalarValue::Null,
        Value::Boolean(b) => ScalarValue::Boolean(Some(*b)),
        Value::Integer(x) => ScalarValue::Int64(Some(*x)),
        Value::Float(x) => ScalarValue::Float64(Some(*x)),
        Value::Text(text) => ScalarValue::Utf8(Some(text.clone())),
        Value::Date(day) => ScalarValue::Date32(Some(Date32Type::from_naive_date(*day))),
        Value::Timestamp(at) => ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), None),
    }
}

fn store_url() -> Result<ObjectStoreUrl, Fault> {
    ObjectStoreUrl::parse(STORE).map_err(engine)
}

/// The engine's error texts can hold people's data: they stay inside the fault.
fn engine(error: DataFusionError) -> Fault {
    Fault::new("scanning the lake", error)
}

//! The clean room: validate → (paid for) → filter → bound → aggregate → noise.

mod aggregate;
mod bound;
mod column;
mod computed;
mod creator;
mod filter;
mod fold;
mod grouping;
mod join;
mod made;
mod mask;
mod measure;
mod noise;
mod person;
mod set;
mod validate;

use std::fmt;
use std::sync::Arc;

use domain::partner_table::PartnerTable;
use domain::port::{CleanRoom, PaidLook};
use domain::question::{Mechanisms, Prepared, Question};
use domain::release::Answered;
use domain::{CreatorList, Fault, Refusal};
use dp::Noise;
use tokio::runtime::Runtime;

use crate::ParquetLake;
use aggregate::ExactAnswer;
use filter::Consented;

/// A clean room that scans the lake with DataFusion.
///
/// Holds threads of its own, so that its blocking calls can be made from anywhere but an
/// asynchronous task.
pub struct DataFusionCleanRoom {
    lake: ParquetLake,
    noise: Arc<dyn Noise>,
    threads: usize,
    /// Taken only by `drop`.
    runtime: Option<Runtime>,
}

impl fmt::Debug for DataFusionCleanRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataFusionCleanRoom").field("lake", &self.lake).field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl DataFusionCleanRoom {
    /// A clean room over `lake` that draws noise from `noise` and works with `threads` threads.
    ///
    /// # Errors
    /// A fault when threads cannot be started.
    pub fn new(lake: ParquetLake, noise: Arc<dyn Noise>, threads: usize) -> Result<Self, Fault> {
        let threads = threads.max(1);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name("clean-room").enable_all().build();
        let runtime = runtime.map_err(|e| Fault::new("starting the clean room's threads", e))?;
        Ok(Self { lake, noise, threads, runtime: Some(runtime) })
    }

    /// The exact answer. Private to this crate: it must never leave.
    fn exact(&self, look: &PaidLook<'_>) -> Result<ExactAnswer, Fault> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Fault::broken("the clean room is closed"))?;
        let plan = &look.prepared.plan;
        let consented = Consented::of(&self.lake, look.prepared, look.snapshot, look.eligible, look.bounding_key, self.threads)?;
        runtime.block_on(aggregate::aggregate(consented, plan, look.bounding_key))
    }
}

impl CleanRoom for DataFusionCleanRoom {
    fn prepare(&self, question: &Question, tables: &[PartnerTable], creators: &Arc<CreatorList>) -> Result<Prepared, Refusal> {
        validate::prepare(question, tables, creators)
    }

    fn answer(&self, look: &PaidLook<'_>) -> Result<Answered, Fault> {
        let Prepared { plan, cost, .. } = look.prepared;
        if look.charge.cost() != *cost {
            return Err(Fault::broken("the charge is not the price of the question"));
        }
        let mechanisms = Mechanisms::of(plan, cost.rho).map_err(|refusal| Fault::new("choosing the mechanisms", refusal))?;
        let exact = self.exact(look)?;
        noise::noise(exact, plan, &mechanisms, &*self.noise)
    }
}

impl Drop for DataFusionCleanRoom {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;

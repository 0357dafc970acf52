//! The price of a question, before it is paid.

use domain::port::CleanRoom;
use domain::release::{Balance, Quote};
use dp::Cost;

use super::Ask;
use crate::{ControlPlane, Error, agreement, budget};

impl ControlPlane {
    /// Prices a question under the same checks as asking it. Looks at no data, changes and costs nothing.
    ///
    /// # Errors
    /// The refusals that asking would give, except that of an empty budget: the quote says how many fit.
    pub async fn release_quote(&self, room: &dyn CleanRoom, ask: &Ask) -> Result<Quote, Error> {
        let prepared = room.prepare(&ask.question, &self.partner_table_visible(&ask.partner).await?, &self.creators().await?)?;
        let at = self.now();
        let mut tx = self.inner.store.snapshot().await?;
        let terms = agreement::covering(&mut tx, &ask.partner, ask.purpose, ask.agreement.as_ref(), at.date_naive()).await?;
        let mut fits = u64::MAX;
        for scope in budget::scopes(&ask.partner, &terms.name, &budget::month(at)) {
            let Balance { left, .. } = budget::balance_or(&mut tx, &scope, agreement::window_cap(&terms)).await?;
            fits = fits.min(how_many(left, prepared.cost));
        }
        let budget = budget::balance(&mut tx, &budget::agreement_scope(&terms.name)).await?;
        Ok(Quote { cost: prepared.cost, budget, fits, estimate: prepared.estimate()? })
    }
}

fn how_many(left: Cost, cost: Cost) -> u64 {
    let rho = left.rho.nano().checked_div(cost.rho.nano()).unwrap_or(u64::MAX);
    let delta = left.delta.atto().checked_div(cost.delta.atto()).unwrap_or(u64::MAX);
    rho.min(delta)
}

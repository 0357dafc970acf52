//! Budgets: integer counters that only grow, charged by one conditional update each.

use std::collections::BTreeMap;

use domain::release::Balance;
use domain::{AgreementName, PartnerName, Refusal, RefusalCode, Timestamp};
use dp::{Cost, Delta, Rho};
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::agreement::{all_terms, window_cap};
use crate::store::{from_i64, parse_word, to_i64};
use crate::{ControlPlane, Error};

/// One budget.
#[derive(Debug, Clone, Serialize)]
pub struct BudgetLine {
    /// Whose: `deployment`, `partner:…`, `agreement:…` or `window:…:YYYY-MM`.
    pub scope: String,
    /// How much is gone and left.
    pub balance: Balance,
}

pub(crate) const DEPLOYMENT: &str = "deployment";

pub(crate) fn partner_scope(name: &PartnerName) -> String {
    format!("partner:{name}")
}

pub(crate) fn agreement_scope(name: &AgreementName) -> String {
    format!("agreement:{name}")
}

/// The month of `at` in UTC, like `2026-11`.
pub(crate) fn month(at: Timestamp) -> String {
    at.format("%Y-%m").to_string()
}

pub(crate) fn window_scope(name: &AgreementName, at: Timestamp) -> String {
    format!("window:{name}:{}", month(at))
}

impl ControlPlane {
    /// All budgets.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn budget_show(&self) -> Result<Vec<BudgetLine>, Error> {
        let rows = sqlx::query("SELECT rho_cap, rho_spent, delta_cap, delta_spent, scope FROM budget_counter ORDER BY scope").fetch_all(self.inner.store.reader()).await?;
        rows.iter().map(|row| Ok(BudgetLine { scope: row.try_get(4)?, balance: balance_of(row)? })).collect()
    }
}

/// Makes a counter, unless it is there.
pub(crate) async fn open_scope(tx: &mut SqliteConnection, scope: &str, cap: Cost) -> Result<(), Error> {
    sqlx::query("INSERT INTO budget_counter (scope, rho_cap, delta_cap) VALUES (?, ?, ?) ON CONFLICT (scope) DO NOTHING")
        .bind(scope)
        .bind(to_i64(cap.rho.nano())?)
        .bind(to_i64(cap.delta.atto())?)
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes `cost` out of every one of `scopes`, or refuses; a refusal leaves `tx` to be rolled back.
///
/// # Guarantee
/// One conditional update per budget, in one write transaction: whatever runs beside it, what is spent
/// never exceeds a cap.
pub(crate) async fn charge(tx: &mut SqliteConnection, scopes: &[String], cost: Cost) -> Result<(), Error> {
    let mut largest = Rho::MAX;
    for scope in scopes {
        largest = largest.min(balance(tx, scope).await?.left.rho);
    }
    let (rho, delta) = (to_i64(cost.rho.nano())?, to_i64(cost.delta.atto())?);
    for scope in scopes {
        let changed = sqlx::query(
            "UPDATE budget_counter SET rho_spent = rho_spent + ?1, delta_spent = delta_spent + ?2 WHERE scope = ?3 AND rho_cap - rho_spent >= ?1 AND delta_cap - delta_spent >= ?2",
        )
        .bind(rho)
        .bind(delta)
        .bind(scope)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() != 1 {
            let left = balance(tx, scope).await?.left;
            return Err(over(scope, cost, left, largest).into());
        }
    }
    Ok(())
}

/// The refusal of a price that a budget does not cover; `largest` fits into all of them.
fn over(scope: &str, cost: Cost, left: Cost, largest: Rho) -> Refusal {
    let message =
        format!("the budget `{scope}` does not cover this question: it needs ρ = {} and δ = {}, and ρ = {} and δ = {} are left", cost.rho, cost.delta, left.rho, left.delta);
    let hint = if largest > Rho::ZERO && cost.delta <= left.delta {
        format!("the largest price that fits is --rho {largest}")
    } else {
        "nothing is left here; stored answers are still delivered for free".to_owned()
    };
    Refusal::new(RefusalCode::Budget, message).hint(hint)
}

pub(crate) async fn balance(connection: &mut SqliteConnection, scope: &str) -> Result<Balance, Error> {
    balance_or(connection, scope, Cost::ZERO).await
}

/// The balance of a counter, or of one with cap `cap` that was not opened yet.
pub(crate) async fn balance_or(connection: &mut SqliteConnection, scope: &str, cap: Cost) -> Result<Balance, Error> {
    let row = sqlx::query("SELECT rho_cap, rho_spent, delta_cap, delta_spent FROM budget_counter WHERE scope = ?").bind(scope).fetch_optional(connection).await?;
    row.map_or(Ok(Balance { spent: Cost::ZERO, left: cap }), |row| balance_of(&row))
}

fn balance_of(row: &SqliteRow) -> Result<Balance, Error> {
    let [rho_cap, rho_spent, delta_cap, delta_spent] = [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?].map(from_i64);
    let (rho_spent, delta_spent) = (rho_spent?, delta_spent?);
    Ok(Balance {
        spent: Cost { rho: Rho::from_nano(rho_spent), delta: Delta::from_atto(delta_spent) },
        left: Cost { rho: Rho::from_nano(rho_cap?.saturating_sub(rho_spent)), delta: Delta::from_atto(delta_cap?.saturating_sub(delta_spent)) },
    })
}

/// The budgets that a release under `agreement` is charged to, in the order in which they are.
pub(crate) fn scopes(partner: &PartnerName, agreement: &AgreementName, window: &str) -> [String; 4] {
    [DEPLOYMENT.to_owned(), partner_scope(partner), agreement_scope(agreement), format!("window:{agreement}:{window}")]
}

/// Recomputes every counter from reservations and terms; tells the first that differs.
pub(crate) async fn first_wrong(tx: &mut SqliteConnection) -> Result<Option<String>, Error> {
    let mut expected: BTreeMap<String, (Cost, Cost)> = BTreeMap::new();
    let cost = |row: &SqliteRow, at: usize| -> Result<Cost, Error> {
        Ok(Cost { rho: Rho::from_nano(from_i64(row.try_get(at)?)?), delta: Delta::from_atto(from_i64(row.try_get(at + 1)?)?) })
    };
    let row = sqlx::query("SELECT rho_cap, delta_cap FROM deployment").fetch_one(&mut *tx).await?;
    expected.insert(DEPLOYMENT.to_owned(), (cost(&row, 0)?, Cost::ZERO));
    for row in sqlx::query("SELECT partner, rho_cap, delta_cap FROM partner_act WHERE act = 'add'").fetch_all(&mut *tx).await? {
        expected.insert(partner_scope(&parse_word(row.try_get(0)?)?), (cost(&row, 1)?, Cost::ZERO));
    }
    let terms = all_terms(tx).await?;
    for terms in &terms {
        expected.insert(agreement_scope(&terms.name), (terms.lifetime, Cost::ZERO));
    }
    for row in sqlx::query("SELECT partner, agreement, budget_window, rho, delta FROM release_reservation ORDER BY id").fetch_all(&mut *tx).await? {
        let (partner, agreement): (PartnerName, AgreementName) = (parse_word(row.try_get(0)?)?, parse_word(row.try_get(1)?)?);
        let window_cap = terms.iter().find(|t| t.name == agreement).map_or(Cost::ZERO, window_cap);
        for scope in scopes(&partner, &agreement, row.try_get(2)?) {
            let (_, spent) = expected.entry(scope).or_insert((window_cap, Cost::ZERO));
            match spent.checked_add(cost(&row, 3)?) {
                Some(sum) => *spent = sum,
                None => return Ok(Some("the releases cost more than can be counted".to_owned())),
            }
        }
    }
    let rows = sqlx::query("SELECT scope, rho_cap, delta_cap, rho_spent, delta_spent FROM budget_counter ORDER BY scope").fetch_all(tx).await?;
    for row in rows {
        let scope: String = row.try_get(0)?;
        let (cap, spent) = (cost(&row, 1)?, cost(&row, 3)?);
        if expected.remove(&scope) != Some((cap, spent)) {
            return Ok(Some(format!("the budget `{scope}` is not what terms and releases add up to")));
        }
    }
    Ok(expected.pop_first().map(|(scope, _)| format!("the budget `{scope}` is missing")))
}

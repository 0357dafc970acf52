//! How many people's permissions a rule pack would change.

use domain::Timestamp;
use domain::law::RulePack;
use sqlx::SqliteConnection;

use super::act::with;
use super::in_force::InForce;
use crate::Error;
use crate::consent::{Everybody, Rules};
use crate::plane::Inner;

/// Numbers of people are rounded to this.
const ROUNDED_TO: u64 = 10;

/// How many people a change concerns, rounded to tens: exact numbers about few people say something of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preview {
    /// People who could be counted for something and could not any more.
    pub closed: u64,
    /// People who could not be counted for something and could.
    pub opened: u64,
    /// People who chose anything at all.
    pub people: u64,
}

/// Compares the law with the law that has `pack` in it.
pub(super) async fn preview(connection: &mut SqliteConnection, inner: &Inner, pack: &RulePack, now: Timestamp) -> Result<Preview, Error> {
    let before = Rules::read(connection, inner, now).await?;
    let law = with(connection, pack, now).await?;
    let after = Rules { law: std::sync::Arc::new(InForce::of(before.law.act, law)), now };
    let (mut closed, mut opened, mut people) = (0, 0, 0);
    let mut everybody = Everybody::of(connection).await?;
    while let Some(standing) = everybody.next(connection).await? {
        for person in standing.people() {
            people += 1;
            let (mut closes, mut opens) = (false, false);
            for (partner, purpose) in standing.pairs(person.subject) {
                let (old, new) = (standing.permissions(&before, person, partner, purpose), standing.permissions(&after, person, partner, purpose));
                closes |= old.iter().zip(&new).any(|(old, new)| *old && !new);
                opens |= old.iter().zip(&new).any(|(old, new)| !old && *new);
            }
            closed += u64::from(closes);
            opened += u64::from(opens);
        }
    }
    let rounded = |n: u64| n.div_ceil(ROUNDED_TO) * ROUNDED_TO;
    Ok(Preview { closed: rounded(closed), opened: rounded(opened), people: rounded(people) })
}

//! How many people's permissions a rule pack would change.

use domain::Timestamp;
use domain::law::RulePack;
use sqlx::SqliteConnection;

use super::act::with;
use super::in_force::InForce;
use crate::Error;
use crate::consent::{Bits, Block, NOBODY, Rules, chunks};
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
    for chunk in chunks(connection).await? {
        let block = Block::read(connection, chunk).await?;
        let (old, new) = (block.permitted(&before), block.permitted(&after));
        let (mut closes, mut opens) = (NOBODY, NOBODY);
        for (old, new) in old.values().zip(new.values()) {
            closes.iter_mut().zip(old.without(new)).for_each(|(all, some)| *all |= some);
            opens.iter_mut().zip(new.without(old)).for_each(|(all, some)| *all |= some);
        }
        let count = |bits: Bits| bits.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
        closed += count(closes);
        opened += count(opens);
        people += block.people();
    }
    let rounded = |n: u64| n.div_ceil(ROUNDED_TO) * ROUNDED_TO;
    Ok(Preview { closed: rounded(closed), opened: rounded(opened), people: rounded(people) })
}

//! What each person of 65,536 neighbours by id lost in a year.

use domain::{Fault, SubjectId, SubjectSet};
use dp::{Cost, Delta, Rho};
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::plane::Inner;

/// People per chunk.
pub(super) const CHUNK: u32 = 1 << 16;

/// Bytes per person: nano-ρ and 10⁻¹⁸ of δ, little-endian.
const RECORD: usize = 16;

/// The losses of one chunk, by id within it. Whoever is not there lost nothing.
#[derive(Default, PartialEq)]
pub(super) struct Losses(Vec<Cost>);

impl Losses {
    /// What is folded of `year` and `chunk`.
    pub(super) async fn folded(connection: &mut SqliteConnection, inner: &Inner, year: i32, chunk: u32) -> Result<Self, Error> {
        let row = sqlx::query("SELECT sealed FROM loss_chunk WHERE year = ? AND chunk = ?").bind(year).bind(chunk).fetch_optional(connection).await?;
        let Some(row) = row else { return Ok(Self::default()) };
        let bytes = inner.seal.open(&place(year, chunk), row.try_get(0)?)?;
        let (records, rest) = bytes.as_chunks::<RECORD>();
        if !rest.is_empty() {
            return Err(Fault::broken("losses are cut short").into());
        }
        Ok(Self(records.iter().map(|record| from_record(*record)).collect()))
    }

    /// Keeps the losses as what is folded.
    pub(super) async fn keep(&self, tx: &mut SqliteConnection, inner: &Inner, year: i32, chunk: u32) -> Result<(), Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(to_record).collect();
        let sealed = inner.seal.seal(&*inner.entropy, &place(year, chunk), &bytes)?;
        sqlx::query("INSERT INTO loss_chunk (year, chunk, sealed) VALUES (?, ?, ?) ON CONFLICT (year, chunk) DO UPDATE SET sealed = excluded.sealed")
            .bind(year)
            .bind(chunk)
            .bind(sealed)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Charges the people of `set` who are in `chunk`.
    pub(super) fn charge(&mut self, chunk: u32, set: &SubjectSet, cost: Cost) {
        let first = chunk * CHUNK;
        for id in set.as_bitmap().range(first..=first + (CHUNK - 1)) {
            let Ok(low) = usize::try_from(id - first) else { continue };
            if self.0.len() <= low {
                self.0.resize(low + 1, Cost::ZERO);
            }
            if let Some(loss) = self.0.get_mut(low) {
                *loss = loss.saturating_add(cost);
            }
        }
    }

    /// What one person of this chunk lost.
    pub(super) fn of(&self, subject: SubjectId) -> Cost {
        usize::try_from(subject.0 % CHUNK).ok().and_then(|low| self.0.get(low)).copied().unwrap_or(Cost::ZERO)
    }

    /// Whether nobody here lost less than in `other`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.0.iter().enumerate().all(|(low, cost)| cost.fits_in(&self.0.get(low).copied().unwrap_or(Cost::ZERO)))
    }
}

/// One loss as bytes.
pub(super) fn to_record(cost: &Cost) -> [u8; RECORD] {
    (u128::from(cost.rho.nano()) | u128::from(cost.delta.atto()) << 64).to_le_bytes()
}

/// The loss that was kept as bytes.
pub(super) fn from_record(record: [u8; RECORD]) -> Cost {
    let bits = u128::from_le_bytes(record);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(u64::MAX);
    Cost { rho: Rho::from_nano(half(bits)), delta: Delta::from_atto(half(bits >> 64)) }
}

fn place(year: i32, chunk: u32) -> String {
    format!("loss/{year}/{chunk}")
}

/// The chunks that hold people of `set`, ascending.
pub(super) fn chunks(set: &SubjectSet) -> Vec<u32> {
    let mut chunks = Vec::new();
    let mut next = Some(0);
    while let Some(id) = next.and_then(|from: u32| set.as_bitmap().range(from..).next()) {
        let chunk = id / CHUNK;
        chunks.push(chunk);
        next = (chunk + 1).checked_mul(CHUNK);
    }
    chunks
}

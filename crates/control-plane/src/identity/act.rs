//! Merging and splitting.

use domain::audit::EntryKind;
use domain::consent::{ConsentAction, ConsentMethod, Recipient};
use domain::lake::{Manifest, Snapshot, SnapshotCause};
use domain::subject::{IdentityAct, SubjectStatus};
use domain::{Purpose, Refusal, RefusalCode, SubjectId};
use dp::Cost;
use sqlx::{Row, SqliteConnection};

use super::{SALT, evidence_digest};
use crate::accounting::{Joined, cap_of, choose, join};
use crate::audit::AuditWriter;
use crate::consent::{Choice, Rules, Whom, copy_limits, recompute, record, standings};
use crate::import::learn;
use crate::snapshot::LakeLock;
use crate::subject::{Person, ids_of, person, resolve};
use crate::{ControlPlane, Error, snapshot};

/// A merge or split that is under way. Dropping it leaves everything as it was.
#[derive(Debug)]
pub struct IdentityChange {
    act: IdentityAct,
    keep: SubjectId,
    other: SubjectId,
    live: Vec<Snapshot>,
    lock: LakeLock,
}

impl IdentityChange {
    /// What is done.
    #[must_use]
    pub const fn act(&self) -> IdentityAct {
        self.act
    }

    /// The id that counts.
    #[must_use]
    pub const fn keep(&self) -> SubjectId {
        self.keep
    }

    /// The other id.
    #[must_use]
    pub const fn other(&self) -> SubjectId {
        self.other
    }

    /// The snapshots in which the rows lie: the visible one, and those that wait for their tick.
    #[must_use]
    pub fn live(&self) -> &[Snapshot] {
        &self.live
    }

    /// The right to change the lake.
    #[must_use]
    pub const fn lock(&self) -> &LakeLock {
        &self.lock
    }
}

/// What a merge or split led to.
#[derive(Debug, Clone)]
pub struct IdentityChanged {
    /// The id whose choices, cap and loss changed: the one that counts after a merge, the other after a
    /// split.
    pub subject: SubjectId,
    /// What it had agreed to and the other id had not: withdrawn.
    pub withdrawn: Vec<(Recipient, Purpose)>,
    /// Its cap, if that fell.
    pub capped: Option<Cost>,
    /// What it has lost this year.
    pub loss: Cost,
    /// The newest snapshot in which the rows moved, if there were any.
    pub snapshot: Option<i64>,
}

impl ControlPlane {
    /// Begins to make `other` another id of the person `keep`; changes nothing.
    ///
    /// # Errors
    /// Not found; a refusal when the ids cannot be merged; a conflict while a release is being answered
    /// or something else changes the lake.
    pub async fn merge_begin(&self, keep: SubjectId, other: SubjectId) -> Result<IdentityChange, Error> {
        self.identity_begin(IdentityAct::Merge, keep, other).await
    }

    /// Begins to make `other` a person of their own again; changes nothing.
    ///
    /// # Errors
    /// Not found; a refusal when it was not merged; a conflict as for a merge.
    pub async fn split_begin(&self, other: SubjectId) -> Result<IdentityChange, Error> {
        let keep = resolve(&mut *self.inner.store.snapshot().await?, other).await?;
        self.identity_begin(IdentityAct::Split, keep, other).await
    }

    async fn identity_begin(&self, act: IdentityAct, keep: SubjectId, other: SubjectId) -> Result<IdentityChange, Error> {
        let lock = self.lake_lock()?;
        let mut tx = self.inner.store.snapshot().await?;
        check(&mut tx, act, keep, other).await?;
        let live = snapshot::live(&mut tx, self.now()).await?;
        Ok(IdentityChange { act, keep, other, live, lock })
    }

    /// Carries out a merge or split, with what the live snapshots become when the rows have moved, in
    /// their order.
    ///
    /// # Guarantee
    /// One transaction. Releases that start afterwards see the person as one id, with the loss that k²
    /// asks, the stricter of two choices and the lower of two caps; or as two, of whom the other may do
    /// nothing that the first may not, and has lost as much. No loss falls, and no permission is gained.
    ///
    /// # Errors
    /// As when it began; a refusal without evidence.
    pub async fn identity_commit(&self, change: IdentityChange, evidence: &str, moved: Vec<Manifest>) -> Result<IdentityChanged, Error> {
        let IdentityChange { act, keep, other, live, lock } = change;
        let (inner, at) = (&self.inner, self.now());
        if evidence.trim().is_empty() {
            return Err(Refusal::new(RefusalCode::State, "a merge or split needs evidence").hint("say how it is known, for example: --evidence \"letter of 12 May\"").into());
        }
        let mut tx = inner.store.begin().await?;
        check(&mut tx, act, keep, other).await?;
        let id: i64 = sqlx::query("SELECT coalesce(max(id), 0) + 1 FROM identity_act").fetch_one(&mut *tx).await?.try_get(0)?;
        let Joined { loss, commitment, settled } = join(&mut tx, inner, act, id, (keep, other), at).await?;
        let (subject, measure) = match act {
            IdentityAct::Merge => (keep, other),
            IdentityAct::Split => (other, keep),
        };
        let rules = Rules::read(&mut tx, inner, at).await?;
        let choices = not_permitted(&mut tx, &rules, subject, measure).await?;
        // From here on each id counts as it will; choices are recorded under the one that counts.
        let (status, merged_into) = match act {
            IdentityAct::Merge => (SubjectStatus::Merged, Some(keep.0)),
            IdentityAct::Split => (SubjectStatus::Active, None),
        };
        sqlx::query("UPDATE subject SET status = ?, merged_into = ? WHERE subject_id = ?").bind(status.as_str()).bind(merged_into).bind(other.0).execute(&mut *tx).await?;
        record(&mut tx, inner, at, &choices).await?;
        let capped = lower_cap(&mut tx, subject, measure).await?;
        if let Some(cap) = capped {
            choose(&mut tx, inner, subject, cap, ConsentMethod::Merge, at).await?;
        }
        let mut audit = AuditWriter::begin(&mut tx, inner).await?;
        copy_limits(&mut tx, &mut audit, measure, subject, at).await?;
        learn(&mut tx, &rules, [keep, other]).await?;
        recompute(&mut tx, &rules, &[keep, other]).await?;
        let cause = match act {
            IdentityAct::Merge => SnapshotCause::Merge,
            IdentityAct::Split => SnapshotCause::Split,
        };
        // At once, in what is visible too: whoever is somebody else must not be counted as this person.
        let moved: Vec<(Snapshot, Manifest)> = live.into_iter().zip(moved).collect();
        let snapshot = snapshot::replace(&mut tx, &mut audit, cause, &moved, at).await?;
        let mut salt = [0; SALT];
        inner.entropy.fill(&mut salt)?;
        sqlx::query("INSERT INTO identity_evidence (act_id, salt, text) VALUES (?, ?, ?)").bind(id).bind(salt.as_slice()).bind(evidence).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO identity_act (id, act, keep_id, other_id, evidence, losses, settled, snapshot_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(id)
            .bind(act.as_str())
            .bind(keep.0)
            .bind(other.0)
            .bind(evidence_digest(&salt, evidence))
            .bind(commitment)
            .bind(settled)
            .bind(snapshot)
            .bind(crate::store::time_text(at))
            .execute(&mut *tx)
            .await?;
        audit.append(&mut tx, EntryKind::IdentityActed, "identity_act", id).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        drop(lock);
        let withdrawn = choices.into_iter().map(|c| (c.key.recipient, c.key.purpose)).collect();
        Ok(IdentityChanged { subject, withdrawn, capped, loss, snapshot })
    }
}

/// Whether the act can be done now.
async fn check(connection: &mut SqliteConnection, act: IdentityAct, keep: SubjectId, other: SubjectId) -> Result<(), Error> {
    let refuse = |why: String, hint: String| Err(Refusal::new(RefusalCode::State, why).hint(hint).into());
    for id in [keep, other] {
        if person(connection, id).await?.status == SubjectStatus::Erased {
            return Err(Refusal::new(RefusalCode::State, format!("subject {id} was erased")).into());
        }
    }
    match act {
        IdentityAct::Merge => {
            if keep == other {
                return refuse(format!("{keep} and {other} are the same id"), "name two: fairshare subject merge KEEP OTHER".to_owned());
            }
            for (id, hint) in [
                (keep, format!("into that one: fairshare subject merge {} {other}", resolve(connection, keep).await?)),
                (other, format!("split it first: fairshare subject split {other}")),
            ] {
                let into = resolve(connection, id).await?;
                if into != id {
                    return refuse(format!("subject {id} was merged into {into} before"), hint);
                }
            }
            if ids_of(connection, other).await?.len() > 1 {
                return refuse(format!("other ids were merged into {other}"), format!("merge the other way round: fairshare subject merge {other} {keep}"));
            }
        }
        IdentityAct::Split => {
            if keep == other {
                return refuse(format!("subject {other} was not merged into anybody"), "name the id that was merged: fairshare subject show PERSON".to_owned());
            }
        }
    }
    let running = "SELECT 1 FROM release_reservation r WHERE NOT EXISTS (SELECT 1 FROM release_outcome o WHERE o.release = r.release) LIMIT 1";
    if sqlx::query(running).fetch_optional(connection).await?.is_some() {
        return Err(Error::Conflict("a release is being answered, and may be counting these people; try again when it has ended, after ten minutes at most".to_owned()));
    }
    Ok(())
}

/// Withdrawals of everything that `subject` agreed to and by which more would be permitted than for `measure`.
async fn not_permitted(connection: &mut SqliteConnection, rules: &Rules, subject: SubjectId, measure: SubjectId) -> Result<Vec<Choice>, Error> {
    let both = standings(connection, Whom::These(&[subject, measure])).await?;
    let other = person(connection, measure).await?;
    // What they agreed to counts as soon as they are a person of their own.
    let own = Person { status: SubjectStatus::Active, ..person(connection, subject).await? };
    let mut choices = Vec::new();
    for (key, standing) in both.of(subject).filter(|(_, standing)| standing.state.is_valid()) {
        let more = both.partners(&key.recipient).any(|partner| {
            let of = |person| both.permissions(rules, person, partner, key.purpose);
            of(&own).into_iter().zip(of(&other)).any(|(own, other)| own && !other)
        });
        if more {
            choices.push(Choice::now(key, ConsentAction::Withdraw, standing.notice.clone(), ConsentMethod::Merge));
        }
    }
    choices.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(choices)
}

/// The cap of `subject` after it is no higher than that of `measure`, if it falls.
async fn lower_cap(connection: &mut SqliteConnection, subject: SubjectId, measure: SubjectId) -> Result<Option<Cost>, Error> {
    let (mine, theirs) = (cap_of(connection, subject).await?.0, cap_of(connection, measure).await?.0);
    let lower = Cost { rho: mine.rho.min(theirs.rho), delta: mine.delta.min(theirs.delta) };
    Ok((lower != mine).then_some(lower))
}

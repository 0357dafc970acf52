//! People after a replay: whom nothing leads to any more, and what of the rest still counts.

use std::collections::BTreeSet;

use domain::SubjectId;
use domain::audit::EntryKind;
use sqlx::SqliteConnection;

use super::Replay;
use crate::Error;
use crate::audit::AuditWriter;
use crate::consent::Rules;
use crate::erasure::forget;
use crate::import::learn;
use crate::subject::{ids_left, resolve};

/// Erases whoever is known by number only, with all ids of theirs if it is the one that counts, and
/// brings permissions up to date. Tells how many were erased.
///
/// Nobody could find such a person to withdraw or erase them. Their numbers and choices stay; when their
/// sources are imported again they are new, and have agreed to nothing.
pub(super) async fn finish(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, replay: &Replay, rules: &Rules, at: &str) -> Result<u64, Error> {
    let mut erased = BTreeSet::new();
    for &subject in &replay.unknown {
        if resolve(tx, subject).await? == subject {
            erased.extend(ids_left(tx, subject).await?);
        }
        erased.insert(subject);
    }
    for &subject in &erased {
        forget(tx, subject).await?;
        let inserted = sqlx::query("INSERT INTO erasure (subject_id, at) VALUES (?, ?)").bind(subject.0).bind(at).execute(&mut *tx).await?;
        audit.append(tx, EntryKind::SubjectErased, "erasure", inserted.last_insert_rowid()).await?;
    }
    let touched: Vec<SubjectId> = replay.touched.iter().copied().chain(erased.iter().copied()).collect();
    learn(tx, rules, touched.iter().copied()).await?;
    Ok(erased.len() as u64)
}

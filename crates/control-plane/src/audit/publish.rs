//! Checkpoints, tiles and proofs for outsiders.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use audit_log::{Checkpoint, Frontier, Hash, Salt, commitment, entries_path, hash_tiles, inclusion_proof, tile_path, tiles_for};
use domain::Fault;
use sqlx::{Row, SqliteConnection};

use super::EntryProof;
use crate::error::unreadable;
use crate::store::{from_i64, to_i64};
use crate::{ControlPlane, Error};

/// The folder that can be served to everybody as it is.
pub(super) const LOG_FOLDER: &str = "log";

impl ControlPlane {
    /// Signs the tree as it is now, keeps the checkpoint and publishes it with the tree's tiles below
    /// the deployment's folder `log`.
    ///
    /// # Errors
    /// A fault of the store or the file system.
    pub async fn audit_checkpoint(&self) -> Result<String, Error> {
        let mut tx = self.inner.store.begin().await?;
        let row = sqlx::query("SELECT frontier FROM audit_tree WHERE id = 1").fetch_one(&mut *tx).await?;
        let frontier = Frontier::from_bytes(row.try_get(0)?).map_err(|e| unreadable("the audit tree", e))?;
        let last = sqlx::query("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1").fetch_optional(&mut *tx).await?;
        let last: Option<(i64, String)> = last.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?;
        let published = self.inner.dir.join(LOG_FOLDER).join("checkpoint");
        let old_size = match last {
            Some((size, note)) if from_i64(size)? == frontier.size() && published.exists() => return Ok(note),
            Some((size, _)) if published.exists() => from_i64(size)?,
            _ => 0,
        };
        let checkpoint = Checkpoint { origin: self.inner.origin.clone(), size: frontier.size(), root: frontier.root() };
        let note = self.inner.signer.sign(&checkpoint);
        sqlx::query("INSERT INTO checkpoint (size, note) VALUES (?, ?) ON CONFLICT (size) DO NOTHING").bind(to_i64(checkpoint.size)?).bind(&note).execute(&mut *tx).await?;
        let entries = entries(&mut tx).await?;
        // Published while the store is locked, so that an older checkpoint never replaces a newer one.
        publish(&self.inner.dir.join(LOG_FOLDER), &self.verifier_key(), old_size, &entries, &note)?;
        tx.commit().await?;
        Ok(note)
    }

    /// Proves that an entry is in the log, with a fresh checkpoint.
    ///
    /// # Errors
    /// Not found when there is no such entry.
    pub async fn audit_prove(&self, entry: u64) -> Result<EntryProof, Error> {
        let checkpoint = self.audit_checkpoint().await?;
        let size = self.verifier().open(&checkpoint).map_err(|e| Fault::new("reading our own checkpoint", e))?.size;
        let mut tx = self.inner.store.snapshot().await?;
        let entries = entries(&mut tx).await?;
        let not_found = || Error::NotFound { what: "audit entry", name: entry.to_string() };
        let in_checkpoint = usize::try_from(size).ok().and_then(|size| entries.get(..size)).ok_or_else(not_found)?;
        let leaves: Vec<Hash> = in_checkpoint.iter().map(|e| e.leaf).collect();
        let proof = inclusion_proof(&leaves, entry).ok_or_else(not_found)?;
        let row = sqlx::query("SELECT salt, body FROM audit_entry WHERE id = ?").bind(to_i64(entry)?).fetch_one(&mut *tx).await?;
        let leaf = usize::try_from(entry).ok().and_then(|i| leaves.get(i)).copied().ok_or_else(not_found)?;
        Ok(EntryProof { entry, salt: hex::encode(row.try_get::<Vec<u8>, _>(0)?), body: row.try_get(1)?, leaf, proof, checkpoint })
    }
}

/// What is public of an entry.
struct PublicEntry {
    leaf: Hash,
    commitment: Hash,
}

async fn entries(tx: &mut SqliteConnection) -> Result<Vec<PublicEntry>, Error> {
    let rows = sqlx::query("SELECT salt, body, leaf FROM audit_entry ORDER BY id").fetch_all(tx).await?;
    rows.iter()
        .map(|row| {
            let bytes =
                |column: usize| -> Result<[u8; 32], Error> { Ok(row.try_get::<Vec<u8>, _>(column)?.try_into().map_err(|_| Fault::broken("an audit entry of the wrong size"))?) };
            let body: String = row.try_get(1)?;
            Ok(PublicEntry { leaf: Hash::from_bytes(bytes(2)?), commitment: commitment(&Salt::from_bytes(bytes(0)?), body.as_bytes()) })
        })
        .collect()
}

/// Tiles first, the checkpoint last: whoever sees the checkpoint finds its tiles.
fn publish(folder: &Path, key: &str, old_size: u64, entries: &[PublicEntry], note: &str) -> Result<(), Fault> {
    let leaves: Vec<Hash> = entries.iter().map(|e| e.leaf).collect();
    write(&folder.join("key"), format!("{key}\n").as_bytes())?;
    for tile in tiles_for(old_size, leaves.len() as u64) {
        let content = hash_tiles(&tile, &leaves).ok_or_else(|| Fault::broken("a tile beyond the tree"))?;
        write(&folder.join(tile_path(&tile)), &content)?;
        if tile.level == 0 {
            let begin = usize::try_from(tile.index * 256).unwrap_or(usize::MAX);
            let bundle = entries.iter().skip(begin).take(usize::try_from(tile.width).unwrap_or(0));
            // Each entry with its length in two bytes, as tlog-tiles asks.
            let bundle: Vec<u8> = bundle.flat_map(|e| [&[0, 32], e.commitment.as_bytes().as_slice()].concat()).collect();
            write(&folder.join(entries_path(&tile)), &bundle)?;
        }
    }
    write(&folder.join("checkpoint"), note.as_bytes())
}

/// Whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let fault = |e: std::io::Error| Fault::new(format!("publishing {}", path.display()), e);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fault)?;
    }
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary).map_err(fault)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)?;
    fs::rename(&temporary, path).map_err(fault)
}

//! Checkpoints, tiles and proofs for outsiders.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use audit_log::{Checkpoint, Frontier, Hash, Salt, TILE_WIDTH, Tile, commitment, entries_path, inclusion_proof, tile_path, tile_root, tiles_for};
use domain::Fault;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{EntryProof, journal};
use crate::error::unreadable;
use crate::store::{from_i64, to_i64};
use crate::{ControlPlane, Error};

/// The folder that can be served to everybody as it is.
pub(crate) const LOG_FOLDER: &str = "log";

impl ControlPlane {
    /// Signs the tree as it is now, keeps the checkpoint and publishes it with the tree's tiles below
    /// the deployment's folder `log`.
    ///
    /// # Guarantee
    /// Before the checkpoint is published, the journal holds every entry that it covers, durably.
    ///
    /// # Errors
    /// A fault of the store or the file system.
    pub async fn audit_checkpoint(&self) -> Result<String, Error> {
        let mut tx = self.inner.store.begin().await?;
        let row = sqlx::query("SELECT frontier FROM audit_tree WHERE id = 1").fetch_one(&mut *tx).await?;
        let frontier = Frontier::from_bytes(row.try_get(0)?).map_err(|e| unreadable("the audit tree", e))?;
        // What a checkpoint vouches for can be put back from the journal before anybody sees it.
        journal::write(&mut tx, &self.inner, frontier.size()).await?;
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
        // Published while the store is locked, so that an older checkpoint never replaces a newer one.
        let publisher = Publisher { folder: &self.inner.dir.join(LOG_FOLDER), old_size, size: frontier.size() };
        publisher.tiles(&mut tx).await?;
        publisher.finish(&self.verifier_key(), &self.receipt_key()?, &note)?;
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
        let leaves = leaves(&mut tx).await?;
        let not_found = || Error::NotFound { what: "audit entry", name: entry.to_string() };
        let leaves = usize::try_from(size).ok().and_then(|size| leaves.get(..size)).ok_or_else(not_found)?;
        let proof = inclusion_proof(leaves, entry).ok_or_else(not_found)?;
        let row = sqlx::query("SELECT salt, body FROM audit_entry WHERE id = ?").bind(to_i64(entry)?).fetch_one(&mut *tx).await?;
        let leaf = usize::try_from(entry).ok().and_then(|i| leaves.get(i)).copied().ok_or_else(not_found)?;
        Ok(EntryProof { entry, salt: hex::encode(row.try_get::<Vec<u8>, _>(0)?), body: row.try_get(1)?, leaf, proof, checkpoint })
    }
}

pub(crate) async fn leaves(tx: &mut SqliteConnection) -> Result<Vec<Hash>, Error> {
    let rows = sqlx::query("SELECT leaf FROM audit_entry ORDER BY id").fetch_all(tx).await?;
    rows.iter().map(|row| Ok(Hash::from_bytes(bytes(row, 0)?))).collect()
}

fn bytes(row: &SqliteRow, column: usize) -> Result<[u8; 32], Error> {
    Ok(row.try_get::<&[u8], _>(column)?.try_into().map_err(|_| Fault::broken("an audit entry of the wrong size"))?)
}

/// Writes what a log that grew from `old_size` to `size` entries adds to the published files: the work
/// is that of the new entries, however long the log is.
struct Publisher<'a> {
    folder: &'a Path,
    old_size: u64,
    size: u64,
}

impl Publisher<'_> {
    async fn tiles(&self, tx: &mut SqliteConnection) -> Result<(), Error> {
        for tile in tiles_for(self.old_size, self.size) {
            if tile.level == 0 {
                self.entries(tx, &tile).await?;
                continue;
            }
            // Tiles below are full, and were written before: by this loop or by an earlier checkpoint.
            let mut hashes = self.published_part(&tile);
            for child in hashes.len() as u64 / 32..tile.width {
                let below = Tile { level: tile.level - 1, index: tile.index * TILE_WIDTH + child, width: TILE_WIDTH };
                let path = self.folder.join(tile_path(&below));
                let below = fs::read(&path).map_err(|e| Fault::new(format!("reading the published tile {}", path.display()), e))?;
                hashes.extend_from_slice(tile_root(&below).ok_or_else(|| Fault::broken("a published tile is cut short"))?.as_bytes());
            }
            write(&self.folder.join(tile_path(&tile)), &hashes)?;
        }
        Ok(())
    }

    /// What was published of a tile when it was not as wide; nothing when it is not there.
    fn published_part(&self, tile: &Tile) -> Vec<u8> {
        let old = self.old_size >> (8 * u32::from(tile.level));
        let width = old.saturating_sub(tile.index * TILE_WIDTH).min(tile.width);
        let part = fs::read(self.folder.join(tile_path(&Tile { width, ..*tile }))).unwrap_or_default();
        if width > 0 && part.len() as u64 == width * 32 { part } else { Vec::new() }
    }

    /// A tile of leaves, and the entries below it.
    async fn entries(&self, tx: &mut SqliteConnection, tile: &Tile) -> Result<(), Error> {
        let first = tile.index * TILE_WIDTH;
        let rows = sqlx::query("SELECT salt, body, leaf FROM audit_entry WHERE id >= ? AND id < ? ORDER BY id")
            .bind(to_i64(first)?)
            .bind(to_i64(first + tile.width)?)
            .fetch_all(tx)
            .await?;
        if rows.len() as u64 != tile.width {
            return Err(Fault::broken("audit entries are missing").into());
        }
        let (mut leaves, mut bundle) = (Vec::new(), Vec::new());
        for row in &rows {
            leaves.extend_from_slice(&bytes(row, 2)?);
            // Each entry with its length in two bytes, as tlog-tiles asks.
            bundle.extend_from_slice(&[0, 32]);
            bundle.extend_from_slice(commitment(&Salt::from_bytes(bytes(row, 0)?), row.try_get::<&str, _>(1)?.as_bytes()).as_bytes());
        }
        write(&self.folder.join(tile_path(tile)), &leaves)?;
        write(&self.folder.join(entries_path(tile)), &bundle)?;
        Ok(())
    }

    /// Tiles first, the checkpoint last: whoever sees the checkpoint finds its tiles.
    fn finish(&self, key: &str, receipts: &str, note: &str) -> Result<(), Fault> {
        write(&self.folder.join("key"), format!("{key}\n").as_bytes())?;
        write(&self.folder.join("receipts-key"), format!("{receipts}\n").as_bytes())?;
        write(&self.folder.join("checkpoint"), note.as_bytes())
    }
}

/// Whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let fault = |e: std::io::Error| Fault::new(format!("publishing {}", path.display()), e);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fault)?;
    }
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary).map_err(fault)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)?;
    fs::rename(&temporary, path).map_err(fault)?;
    // The folder too, so that the new name survives a loss of power.
    path.parent().map_or(Ok(()), |folder| File::open(folder).and_then(|folder| folder.sync_all())).map_err(fault)
}

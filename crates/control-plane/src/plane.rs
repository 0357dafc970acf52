//! The control plane of one deployment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_log::{Signer, Verifier};
use domain::audit::EntryKind;
use domain::lake::SnapshotClock;
use domain::port::{Clock, Entropy};
use domain::{CreatorKey, Fault, Timestamp};
use dp::Cost;
use sqlx::Row;

use crate::Error;
use crate::accounting::Seal;
use crate::audit::AuditWriter;
use crate::consent::{Group, Rules, set_basis};
use crate::law::LawCache;
use crate::store::{Store, from_i64, time_text, to_i64};

/// Keys of a deployment. Has no way to be printed.
pub struct Secrets {
    /// Seed of the key that signs checkpoints.
    pub log_seed: [u8; 32],
    /// Secret from which the bounding keys of each month are derived.
    pub bounding: [u8; 32],
    /// Secret under which the sets of people whom releases charge are kept, and accounts of others have their numbers.
    pub participants: [u8; 32],
}

/// What is fixed when a deployment is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The unique name of its audit log, by convention a host and path: `town.example/log`.
    pub origin: String,
    /// Privacy loss that all releases to all partners may cost together, ever.
    pub lifetime: Cost,
    /// Privacy loss that one person may have in a year, unless they choose another cap.
    pub subject_cap: Cost,
    /// When new data become visible.
    pub snapshot_clock: SnapshotClock,
    /// Texts of the rule packs that are in force from the beginning.
    pub rule_packs: Vec<String>,
}

/// The control plane of one deployment. Clones share it.
#[derive(Clone)]
pub struct ControlPlane {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) origin: String,
    pub(crate) signer: Signer,
    pub(crate) bounding: [u8; 32],
    pub(crate) seal: Seal,
    pub(crate) links: Seal,
    pub(crate) creators: CreatorKey,
    pub(crate) listed: crate::creator::Cache,
    /// Seed of the key that signs receipts.
    pub(crate) receipts: [u8; 32],
    pub(crate) group: Group,
    pub(crate) law: LawCache,
}

const STORE_FILE: &str = "control.sqlite";

impl ControlPlane {
    /// Whether there is a deployment in the folder `dir`.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn is_made(dir: &Path) -> Result<bool, Error> {
        let path = dir.join(STORE_FILE);
        if !path.exists() {
            return Ok(false);
        }
        let store = Store::open(&path, false).await?;
        let made = is_made(&store).await;
        store.close().await;
        made
    }

    /// Makes a deployment in the folder `dir`.
    ///
    /// # Errors
    /// A conflict when there is one.
    pub async fn create(dir: &Path, settings: Settings, secrets: Secrets, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let store = Store::open(&dir.join(STORE_FILE), true).await?;
        if is_made(&store).await? {
            return Err(Error::Conflict(format!("there is a deployment in {} already", dir.display())));
        }
        let signer = signer(&settings.origin, &secrets)?;
        let (seal, links) = (Seal::new(&secrets.participants), Seal::of_links(&secrets.participants));
        let plane = Self {
            inner: Arc::new(Inner {
                dir: dir.to_owned(),
                store,
                clock,
                entropy,
                origin: settings.origin.clone(),
                signer,
                bounding: secrets.bounding,
                seal,
                links,
                creators: crate::creator::key(&secrets.participants),
                listed: crate::creator::Cache::default(),
                receipts: crate::consent::receipt_seed(&secrets.log_seed),
                group: Group::default(),
                law: LawCache::default(),
            }),
        };
        let mut tx = plane.inner.store.begin().await?;
        sqlx::query("INSERT INTO deployment (id, origin, rho_cap, delta_cap, subject_rho_cap, subject_delta_cap, snapshot_clock, at) VALUES (1, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&settings.origin)
            .bind(to_i64(settings.lifetime.rho.nano())?)
            .bind(to_i64(settings.lifetime.delta.atto())?)
            .bind(to_i64(settings.subject_cap.rho.nano())?)
            .bind(to_i64(settings.subject_cap.delta.atto())?)
            .bind(settings.snapshot_clock.as_str())
            .bind(plane.now_text())
            .execute(&mut *tx)
            .await?;
        crate::budget::open_scope(&mut tx, "deployment", settings.lifetime).await?;
        let mut audit = AuditWriter::begin(&mut tx, &plane.inner).await?;
        audit.append(&mut tx, EntryKind::DeploymentInitialized, "deployment", 1).await?;
        audit.finish(&mut tx).await?;
        crate::law::adopt(&mut tx, &plane.inner, &settings.rule_packs, plane.now()).await?;
        let rules = Rules::read(&mut tx, &plane.inner, plane.now()).await?;
        set_basis(&mut tx, &rules).await?;
        tx.commit().await?;
        Ok(plane)
    }

    /// Opens the deployment in the folder `dir`, and finishes what a crash left open.
    ///
    /// # Errors
    /// Not found when there is none.
    pub async fn open(dir: &Path, secrets: Secrets, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let none = || Error::NotFound { what: "deployment", name: dir.display().to_string() };
        let path = dir.join(STORE_FILE);
        if !path.exists() {
            return Err(none());
        }
        let store = Store::open(&path, false).await?;
        let origin = sqlx::query("SELECT origin FROM deployment WHERE id = 1").fetch_optional(store.reader()).await?;
        let origin: String = origin.ok_or_else(none)?.try_get(0)?;
        let signer = signer(&origin, &secrets)?;
        let (seal, links) = (Seal::new(&secrets.participants), Seal::of_links(&secrets.participants));
        let plane = Self {
            inner: Arc::new(Inner {
                dir: dir.to_owned(),
                store,
                clock,
                entropy,
                origin,
                signer,
                bounding: secrets.bounding,
                seal,
                links,
                creators: crate::creator::key(&secrets.participants),
                listed: crate::creator::Cache::default(),
                receipts: crate::consent::receipt_seed(&secrets.log_seed),
                group: Group::default(),
                law: LawCache::default(),
            }),
        };
        if let Some(why) = plane.behind_its_log().await? {
            plane.inner.store.lock(Some(why));
        } else {
            plane.recover().await?;
        }
        Ok(plane)
    }

    /// Writes a copy of the control store as it is now into the file `path`, which must not be there.
    ///
    /// # Errors
    /// A fault of the store or the file system.
    pub async fn backup_store(&self, path: &Path) -> Result<(), Error> {
        let path = path.to_str().ok_or_else(|| Fault::broken("the path of a backup must be UTF-8"))?;
        self.inner.store.copy_to(path).await?;
        Ok(())
    }

    /// Closes the store. Without it the store is closed in the background.
    pub async fn close(&self) {
        self.inner.store.close().await;
    }

    /// The key with which outsiders check the log, as C2SP text.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.verifier().to_vkey()
    }

    pub(crate) fn verifier(&self) -> Verifier {
        self.inner.signer.verifier()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn now_text(&self) -> String {
        time_text(self.now())
    }

    /// The consent counter, read by `tx`.
    pub(crate) async fn consent_seq(tx: &mut sqlx::SqliteConnection) -> Result<u64, Error> {
        let row = sqlx::query("SELECT value FROM counter WHERE name = 'consent'").fetch_one(tx).await?;
        Ok(from_i64(row.try_get(0)?)?)
    }
}

/// The row makes the deployment: a store without it was left by a `create` that was killed.
async fn is_made(store: &Store) -> Result<bool, Error> {
    Ok(sqlx::query("SELECT 1 FROM deployment").fetch_optional(store.reader()).await?.is_some())
}

fn signer(origin: &str, secrets: &Secrets) -> Result<Signer, Fault> {
    Signer::from_seed(origin, &secrets.log_seed).map_err(|e| Fault::new("making the log's signer", e))
}

#[cfg(test)]
pub(crate) mod tests {
    use testkit::{ManualClock, SeededEntropy};

    use super::*;

    /// A deployment without people, in a folder that goes with the test.
    pub(crate) async fn deployment() -> (tempfile::TempDir, ControlPlane) {
        let folder = tempfile::tempdir().unwrap();
        let cost = Cost { rho: "1".parse().unwrap(), delta: dp::Delta::LIFETIME };
        let settings = Settings { origin: "test.example/log".into(), lifetime: cost, subject_cap: cost, snapshot_clock: SnapshotClock::Import, rule_packs: Vec::new() };
        let secrets = Secrets { log_seed: [1; 32], bounding: [2; 32], participants: [3; 32] };
        let clock = Arc::new(ManualClock::at("2026-11-24T10:00:00.000123Z"));
        let plane = ControlPlane::create(folder.path(), settings, secrets, clock, Arc::new(SeededEntropy::new(1))).await.unwrap();
        (folder, plane)
    }
}

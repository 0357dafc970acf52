//! One deployment on disk, and what the world gives it: time, randomness, keys.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use control_plane::{ControlPlane, Error, Secrets, Settings};
use data_plane::{DataFusionCleanRoom, ParquetLake, S3Access, S3Location};
use domain::port::{CleanRoom, Clock, Entropy};
use domain::{Fault, Timestamp};
use dp::OsNoise;

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the product reads the clock")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }
}

/// The system's randomness.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        getrandom::fill(bytes).map_err(|e| Fault::new("asking the operating system for randomness", e.to_string()))
    }
}

/// An open deployment.
pub(crate) struct Deployment {
    pub(crate) folder: PathBuf,
    pub(crate) control: ControlPlane,
    pub(crate) lake: ParquetLake,
    /// The bucket that the lake is in; none when it is in the deployment's folder.
    pub(crate) bucket: Option<S3Location>,
}

/// The folder of the lake, or of files that are on their way into its bucket.
const LAKE: &str = "lake";

/// Where it is written that the lake is in a bucket. A copy of the deployment has its own lake, and
/// hence no such file.
const LAKE_URL: &str = "lake.url";

impl Deployment {
    /// Makes a deployment in `folder`, whose lake is there too or in a bucket.
    pub(crate) async fn create(folder: &Path, settings: Settings, bucket: Option<S3Location>) -> anyhow::Result<Self> {
        if ControlPlane::is_made(folder).await? {
            return Err(Error::Conflict(format!("there is a deployment in {} already", folder.display())).into());
        }
        let lake = lake(folder, bucket.as_ref())?;
        if let Some(why) = lake.why_unfit()? {
            return Err(Error::Conflict(why).into());
        }
        fs::create_dir_all(folder.join("keys")).with_context(|| format!("making the folder {}", folder.display()))?;
        // Before the store, whose first row makes the deployment: it is never one without its lake.
        write_lake_url(folder, bucket.as_ref()).with_context(|| format!("writing {LAKE_URL}"))?;
        let secrets = Secrets { log_seed: key(folder, "log.seed", true)?, bounding: key(folder, "bounding.key", true)?, participants: key(folder, "participants.key", true)? };
        let control = ControlPlane::create(folder, settings, secrets, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
        Ok(Self { folder: folder.to_owned(), control, lake, bucket })
    }

    /// Opens the deployment in `folder`.
    pub(crate) async fn open(folder: &Path) -> anyhow::Result<Self> {
        let there = folder.join("keys").is_dir();
        if !there {
            return Err(Error::NotFound { what: "deployment", name: folder.display().to_string() }.into());
        }
        let secrets = Secrets { log_seed: key(folder, "log.seed", false)?, bounding: key(folder, "bounding.key", false)?, participants: key(folder, "participants.key", false)? };
        let control = ControlPlane::open(folder, secrets, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
        let bucket = match fs::read_to_string(folder.join(LAKE_URL)) {
            Ok(url) => Some(url.trim().parse().with_context(|| format!("{LAKE_URL} is damaged"))?),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e).with_context(|| format!("reading {LAKE_URL}")),
        };
        Ok(Self { folder: folder.to_owned(), control, lake: lake(folder, bucket.as_ref())?, bucket })
    }

    /// The clean room of this deployment. Its noise is the system's; nothing chooses another.
    pub(crate) fn clean_room(&self) -> anyhow::Result<Arc<dyn CleanRoom>> {
        let threads = threads();
        Ok(Arc::new(DataFusionCleanRoom::new(self.lake.clone(), Arc::new(OsNoise), threads)?))
    }
}

/// Appends a fault with all its causes to the operator's file in the deployment's folder.
pub(crate) fn tell_operator(folder: &Path, fault: &Fault) -> anyhow::Result<()> {
    let path = folder.join("faults.log");
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).with_context(|| format!("writing {}", path.display()))?;
    let mut text = format!("{} {fault}", SystemClock.now());
    let mut cause = std::error::Error::source(fault);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    writeln!(file, "{}", text.replace('\n', " "))?;
    Ok(())
}

fn lake(folder: &Path, bucket: Option<&S3Location>) -> anyhow::Result<ParquetLake> {
    let folder = folder.join(LAKE);
    Ok(match bucket {
        Some(bucket) => ParquetLake::in_bucket(bucket.clone(), access(), folder)?,
        None => ParquetLake::new(folder),
    })
}

fn write_lake_url(folder: &Path, bucket: Option<&S3Location>) -> std::io::Result<()> {
    let path = folder.join(LAKE_URL);
    let Some(bucket) = bucket else {
        return match fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
    };
    let mut file = fs::File::create(path)?;
    writeln!(file, "{bucket}")?;
    file.sync_all()
}

/// How buckets are reached, from the variables that other tools use too.
#[expect(clippy::disallowed_methods, reason = "the place where the product reads what is secret about buckets")]
fn access() -> S3Access {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    S3Access {
        endpoint: var("AWS_ENDPOINT_URL_S3").or_else(|| var("AWS_ENDPOINT_URL")).or_else(|| var("AWS_ENDPOINT")),
        region: var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION")),
        access_key_id: var("AWS_ACCESS_KEY_ID"),
        secret_access_key: var("AWS_SECRET_ACCESS_KEY"),
        session_token: var("AWS_SESSION_TOKEN"),
        allow_http: var("AWS_ALLOW_HTTP").is_some_and(|value| value == "true" || value == "1"),
    }
}

/// A secret of 32 bytes, kept in hexadecimal in a file that only its owner can read.
fn key(folder: &Path, name: &str, create: bool) -> anyhow::Result<[u8; 32]> {
    let path = folder.join("keys").join(name);
    let mut bytes = [0; 32];
    match fs::read_to_string(&path) {
        Ok(text) => hex::decode_to_slice(text.trim(), &mut bytes).with_context(|| format!("the key {} is damaged; restore it from a backup", path.display()))?,
        Err(e) if e.kind() == ErrorKind::NotFound && create => {
            SystemEntropy.fill(&mut bytes)?;
            let mut file = private_file(&path)?;
            writeln!(file, "{}", hex::encode(bytes)).and_then(|()| file.sync_all()).with_context(|| format!("writing the key {}", path.display()))?;
        }
        Err(e) => return Err(e).with_context(|| format!("reading the key {}", path.display())),
    }
    Ok(bytes)
}

/// A new file that only its owner can read.
pub(crate) fn private_file(path: &Path) -> anyhow::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("writing {}", path.display()))
}

/// Threads that work side by side: as many as the machine has cores for this process.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

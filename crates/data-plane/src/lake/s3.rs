//! A bucket behind the S3 interface. Calls block: a few threads of its own do the talking.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path as LocalPath;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{DefaultParquetFileReaderFactory, ParquetFileReaderFactory};
use datafusion::object_store::aws::{AmazonS3, AmazonS3Builder};
use datafusion::object_store::multipart::MultipartStore;
use datafusion::object_store::path::Path;
use datafusion::object_store::prefix::PrefixStore;
use datafusion::object_store::{self, ObjectStore, ObjectStoreExt, PutPayload, PutResult};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use domain::Fault;
use domain::catalog::TableName;
use domain::lake::LakeFile;
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

/// Larger files go in parts of this size.
const PART_BYTES: usize = 8 << 20;

/// How long a server may take to be reached, and a request with its retries.
const CONNECT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_secs(30);
const RETRIES: usize = 5;

/// Where uploads in parts are written down while they run, below the local folder.
const UPLOADS: &str = "uploads";

/// A bucket and a prefix in it, written `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    bucket: String,
    prefix: String,
}

/// What is no location of a lake.
#[derive(Debug)]
pub struct NoLocation(String);

impl fmt::Display for NoLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no place for a lake; write s3://bucket or s3://bucket/prefix", self.0)
    }
}

impl std::error::Error for NoLocation {}

impl std::str::FromStr for S3Location {
    type Err = NoLocation;

    fn from_str(text: &str) -> Result<Self, NoLocation> {
        let wrong = || NoLocation(text.to_owned());
        let rest = text.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let good = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && part != "." && part != "..";
        if !good(bucket) || !(prefix.is_empty() || prefix.split('/').all(good)) {
            return Err(wrong());
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.bucket, self.prefix)
    }
}

/// How a bucket is reached. Has no way to be printed.
#[derive(Clone, Default)]
pub struct S3Access {
    /// The server, when it is not Amazon's.
    pub endpoint: Option<String>,
    /// The region; `us-east-1` when not named.
    pub region: Option<String>,
    /// The key, and its secret; the machine's own role when not named.
    pub access_key_id: Option<String>,
    /// The secret of the key.
    pub secret_access_key: Option<String>,
    /// A token that goes with a key of short life.
    pub session_token: Option<String>,
    /// Whether a server may be reached without encryption.
    pub allow_http: bool,
}

/// A bucket that is open.
pub(super) struct S3 {
    location: S3Location,
    client: Arc<AmazonS3>,
    /// The same, with paths below the prefix.
    below: Arc<PrefixStore<Arc<AmazonS3>>>,
    /// Taken only by `drop`.
    runtime: Option<Runtime>,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3").field(&self.location.to_string()).finish()
    }
}

impl S3 {
    /// Opens a bucket. Nothing is asked of the server yet.
    pub(super) fn open(location: S3Location, access: S3Access) -> Result<Self, Fault> {
        let fault = |e: object_store::Error| Fault::new(format!("opening the lake at {location}"), e);
        let retry = object_store::RetryConfig { max_retries: RETRIES, retry_timeout: RETRY, ..object_store::RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&location.bucket)
            .with_region(access.region.unwrap_or_else(|| "us-east-1".to_owned()))
            .with_client_options(object_store::ClientOptions::new().with_connect_timeout(CONNECT))
            .with_allow_http(access.allow_http)
            .with_retry(retry);
        if let Some(endpoint) = access.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let (Some(id), Some(secret)) = (access.access_key_id, access.secret_access_key) {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        if let Some(token) = access.session_token {
            builder = builder.with_token(token);
        }
        let client = Arc::new(builder.build().map_err(fault)?);
        let below = Arc::new(PrefixStore::new(Arc::clone(&client), location.prefix.as_str()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("lake-s3").enable_all().build();
        let runtime = runtime.map_err(|e| Fault::new("starting the lake's threads", e))?;
        Ok(Self { location, client, below, runtime: Some(runtime) })
    }

    pub(super) fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.below) as Arc<dyn ObjectStore>
    }

    /// Does `work` on this bucket's threads and waits for it, wherever the caller runs.
    fn wait<T, E>(&self, doing: &str, work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, Fault>
    where
        T: Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.outcome(doing, work)?.map_err(|e| self.failed(doing, e))
    }

    /// The same, for work whose errors say something.
    fn outcome<T: Send + 'static>(&self, doing: &str, work: impl Future<Output = T> + Send + 'static) -> Result<T, Fault> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Fault::broken("the lake is closed"))?;
        let (tell, told) = sync_channel(1);
        runtime.spawn(async move {
            // Nobody listens any more when the caller is gone.
            let _ = tell.send(work.await);
        });
        told.recv().map_err(|e| self.failed(doing, e))
    }

    fn failed(&self, doing: &str, error: impl std::error::Error + Send + Sync + 'static) -> Fault {
        Fault::new(format!("{doing} in the lake at {}; what is visible is unchanged, try again when the bucket answers", self.location), error)
    }

    /// Why this place cannot hold a new lake, if so: it holds something, or it would never forget.
    pub(super) fn why_unfit(&self) -> Result<Option<String>, Fault> {
        let below = Arc::clone(&self.below);
        let (held, versioned) = self.wait("looking at what is there", async move {
            if below.list(None).next().await.transpose()?.is_some() {
                return Ok::<_, object_store::Error>((true, false));
            }
            let probe = Path::from("probe");
            let put = below.put(&probe, PutPayload::from_static(b"fairshare")).await?;
            below.delete(&probe).await?;
            Ok((false, keeps_versions(&put)))
        })?;
        Ok(if held { Some(format!("there are objects below {} already; name an empty place", self.location)) } else { versioned.then(|| self.versions()) })
    }

    fn versions(&self) -> String {
        format!(
            "the bucket of {} keeps old versions of objects, so that nobody could be erased from it; turn versioning off and delete the versions (docs/operating.md)",
            self.location
        )
    }

    /// Puts a local file there; large ones in parts.
    pub(super) fn put(&self, from: &LocalPath, path: &str, folder: &LocalPath) -> Result<(), Fault> {
        let doing = format!("writing {path}");
        let read = |e: std::io::Error| Fault::new(format!("reading {}", from.display()), e);
        let mut file = File::open(from).map_err(read)?;
        let first = part(&mut file).map_err(read)?;
        let put = if first.len() < PART_BYTES {
            let (below, to) = (Arc::clone(&self.below), Path::from(path));
            self.wait(&doing, async move { below.put(&to, first.into()).await })?
        } else {
            self.put_parts(&doing, first, &mut file, path, folder)?
        };
        // Somebody turned versions on since the lake was made: nothing more goes there.
        if keeps_versions(&put) {
            return Err(Fault::broken(self.versions()));
        }
        Ok(())
    }

    /// Uploads in parts. The upload is written down before its first part, so that a sweep ends what a
    /// kill left behind: nobody sees such parts, but they are there.
    fn put_parts(&self, doing: &str, first: Vec<u8>, file: &mut File, path: &str, folder: &LocalPath) -> Result<PutResult, Fault> {
        let to = self.whole(path);
        let (client, at) = (Arc::clone(&self.client), to.clone());
        let id = self.wait(doing, async move { client.create_multipart(&at).await })?;
        let note = note_upload(folder, path, &id)?;
        let (mut parts, mut next) = (Vec::new(), first);
        while !next.is_empty() {
            let (client, at, id, place) = (Arc::clone(&self.client), to.clone(), id.clone(), parts.len());
            let bytes = std::mem::take(&mut next);
            parts.push(self.wait(doing, async move { client.put_part(&at, &id, place, bytes.into()).await })?);
            next = part(file).map_err(|e| Fault::new(doing, e))?;
        }
        let client = Arc::clone(&self.client);
        let put = self.wait(doing, async move { client.complete_multipart(&to, &id, parts).await })?;
        fs::remove_file(&note).map_err(|e| Fault::new("forgetting an upload that is done", e))?;
        Ok(put)
    }

    /// Reads some columns of a file: only their bytes are fetched.
    pub(super) fn columns(&self, file: &LakeFile, table: TableName, names: &[&str]) -> Result<Vec<RecordBatch>, Fault> {
        let doing = format!("reading {} of the table {table}", file.path);
        let readers = DefaultParquetFileReaderFactory::new(self.object_store());
        let reader = readers.create_reader(0, PartitionedFile::new(file.path.clone(), file.bytes), None, &ExecutionPlanMetricsSet::new());
        let reader: Box<dyn AsyncFileReader> = reader.map_err(|e| Fault::new(doing.clone(), e))?;
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        self.wait(&doing, async move {
            let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
            let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().map(String::as_str));
            builder.with_projection(mask).with_batch_size(64 * 1024).build()?.try_collect().await
        })
    }

    /// The hash of an object; `None` when it is not there.
    pub(super) fn sha256(&self, path: &str) -> Result<Option<String>, Fault> {
        let (below, at) = (Arc::clone(&self.below), Path::from(path));
        let hash = async move {
            let mut bytes = below.get(&at).await?.into_stream();
            let mut digest = Sha256::new();
            while let Some(chunk) = bytes.try_next().await? {
                digest.update(&chunk);
            }
            Ok(hex::encode(digest.finalize()))
        };
        let doing = format!("hashing {path}");
        match self.outcome(&doing, hash)? {
            Ok(hash) => Ok(Some(hash)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed(&doing, e)),
        }
    }

    /// Copies an object into a local file; tells its size.
    pub(super) fn fetch(&self, path: &str, to: &LocalPath) -> Result<u64, Fault> {
        let mut file = File::create(to).map_err(|e| Fault::new(format!("writing {}", to.display()), e))?;
        let (below, at) = (Arc::clone(&self.below), Path::from(path));
        let (send, receive) = sync_channel(4);
        let copied = async move {
            let mut bytes = below.get(&at).await?.into_stream();
            while let Some(chunk) = bytes.try_next().await? {
                // Whoever writes has failed, and says why.
                if send.send(chunk).is_err() {
                    break;
                }
            }
            Ok::<_, object_store::Error>(())
        };
        let doing = format!("reading {path}");
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(move || -> std::io::Result<u64> {
                let mut written = 0;
                for chunk in receive {
                    file.write_all(&chunk)?;
                    written += chunk.len() as u64;
                }
                Ok(written)
            });
            self.wait(&doing, copied)?;
            writer.join().map_err(|_| Fault::broken("the writer of a copy stopped"))?.map_err(|e| Fault::new(format!("writing {}", to.display()), e))
        })?;
        Ok(written)
    }

    /// Deletes every object of the lake that is not in `named`, and ends uploads that a kill left.
    pub(super) fn remove_all_but(&self, named: &BTreeSet<&str>, folder: &LocalPath) -> Result<u64, Fault> {
        let below = Arc::clone(&self.below);
        let listed = self.wait("listing what is there", async move {
            let mut listed = Vec::new();
            for table in TableName::FOLDERS {
                listed.extend(below.list(Some(&Path::from(*table))).map_ok(|object| object.location).try_collect::<Vec<_>>().await?);
            }
            Ok::<_, object_store::Error>(listed)
        })?;
        let garbage: Vec<Path> = listed.into_iter().filter(|path| !named.contains(path.as_ref())).collect();
        let removed = garbage.len() as u64;
        if removed > 0 {
            let below = Arc::clone(&self.below);
            let gone = async move { below.delete_stream(futures::stream::iter(garbage.into_iter().map(Ok)).boxed()).try_for_each(|_| async { Ok(()) }).await };
            match self.outcome("deleting what nothing needs", gone)? {
                // What is gone already is gone.
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(self.failed("deleting what nothing needs", e)),
            }
        }
        Ok(removed + self.end_uploads(folder)?)
    }

    fn end_uploads(&self, folder: &LocalPath) -> Result<u64, Fault> {
        let fault = |e: std::io::Error| Fault::new("ending uploads that were killed", e);
        let notes = match fs::read_dir(folder.join(UPLOADS)) {
            Ok(notes) => notes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(e) => return Err(fault(e)),
        };
        let mut ended = 0;
        for note in notes {
            let note = note.map_err(fault)?.path();
            let text = fs::read_to_string(&note).map_err(fault)?;
            // A note that was not finished is of an upload without parts.
            if let Some((path, id)) = text.strip_suffix('\n').and_then(|text| text.split_once('\n')) {
                let (client, at, id) = (Arc::clone(&self.client), self.whole(path), id.to_owned());
                match self.outcome("ending an upload", async move { client.abort_multipart(&at, &id).await })? {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(e) => return Err(self.failed("ending an upload", e)),
                }
            }
            fs::remove_file(&note).map_err(fault)?;
            ended += 1;
        }
        Ok(ended)
    }

    /// The path in the bucket.
    fn whole(&self, path: &str) -> Path {
        if self.location.prefix.is_empty() { Path::from(path) } else { Path::from(format!("{}/{path}", self.location.prefix)) }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Whether the bucket keeps what an object was before.
fn keeps_versions(put: &PutResult) -> bool {
    put.version.as_deref().is_some_and(|version| version != "null")
}

/// The next part of a file, empty at its end.
fn part(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes down that an upload in parts begins.
fn note_upload(folder: &LocalPath, path: &str, id: &str) -> Result<std::path::PathBuf, Fault> {
    let fault = |e: std::io::Error| Fault::new("writing down an upload", e);
    let folder = folder.join(UPLOADS);
    fs::create_dir_all(&folder).map_err(fault)?;
    let note = folder.join(hex::encode(Sha256::digest(id)));
    let mut file = File::create(&note).map_err(fault)?;
    writeln!(file, "{path}\n{id}").and_then(|()| file.sync_all()).map_err(fault)?;
    Ok(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_a_bucket_and_a_prefix() {
        for good in ["s3://bucket", "s3://bucket/town", "s3://bucket/a/b-1"] {
            assert_eq!(good.parse::<S3Location>().unwrap().to_string(), good);
        }
        assert_eq!("s3://bucket/town/".parse::<S3Location>().unwrap().to_string(), "s3://bucket/town");
        for bad in ["", "bucket", "s3://", "s3:///x", "s3://a/../b", "s3://user:secret@bucket", "http://bucket", "s3://a//b"] {
            assert!(bad.parse::<S3Location>().is_err(), "{bad}");
        }
    }
}

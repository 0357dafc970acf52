//! The lake in a bucket, against a real server on this machine: moto, from PyPI.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use serde_json::json;
use testkit::{Generator, env_seed};

use crate::command::{Deployment, repository};
use crate::crash::{kill, start};
use crate::erasure::{PEOPLE, files_with, late, write_sources};

/// A server that speaks S3, until it is dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts one with the bucket `town`; says so, or fails, when it is not installed.
    #[expect(clippy::disallowed_methods, reason = "tests are told where tools are; a server needs real time to start")]
    fn start() -> Option<Self> {
        let named = std::env::var("FAIRSHARE_MOTO").unwrap_or_else(|_| "moto_server".to_owned());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let spawned = Command::new(named).args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = spawned else {
            assert!(std::env::var("FAIRSHARE_REQUIRE_ALL").map_or(true, |v| v != "1"), "moto_server is required: pip install 'moto[server]', FAIRSHARE_MOTO=path of moto_server");
            eprintln!("skipped: there is no moto_server; pip install 'moto[server]' or name it in FAIRSHARE_MOTO");
            return None;
        };
        let server = Self { child, port };
        let mut tries = 0;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            tries += 1;
            assert!(tries < 300, "moto_server does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        server.ask("PUT", "/town", "");
        Some(server)
    }

    fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-nobody".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
    }

    /// The body of an answer. The server wants to see that a request is signed, and checks no signature.
    fn ask(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let signed = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nAuthorization: {signed}\r\nContent-Length: {}\r\n\r\n{body}", self.port, body.len()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 2") || answer.starts_with(b"HTTP/1.0 2"), "{method} {path}: {}", String::from_utf8_lossy(&answer));
        answer.split_off(head + 4)
    }

    /// The texts of all elements `tag` of a listing.
    fn listed(&self, path: &str, tag: &str) -> Vec<String> {
        let listing = String::from_utf8(self.ask("GET", path, "")).unwrap();
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        listing.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap().to_owned()).collect()
    }

    fn objects(&self) -> Vec<String> {
        self.listed("/town", "Key")
    }

    /// Copies every object into `folder`.
    fn download(&self, folder: &Path) {
        for key in self.objects() {
            std::fs::write(folder.join(key.replace('/', "-")), self.ask("GET", &format!("/town/{key}"), "")).unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_bucket_holds_the_lake_and_forgets() {
    let Some(server) = Server::start() else { return };
    let d = Deployment::with(&["--lake", "s3://town/lake"], server.env()).with_partner("9");
    let sources = tempfile::tempdir().unwrap();
    let [people, acts] = write_sources(sources.path());
    d.ok(&["import", &people, &acts]);
    d.everybody_gives(PEOPLE, "aggregate_statistics");
    let answer = d.query(&["--rho", "1"], "SELECT count(*) AS n FROM activity");
    let n = answer["rows"][0]["n"].as_i64().unwrap();
    assert!((n - 600).abs() < 400, "{n}");
    // A second import appends a file, compaction makes them one, and what is old goes.
    d.ok(&["import", &late(sources.path())]);
    assert_eq!(d.ok(&["lake", "show"])["tables"][0]["files"], 2);
    let planted = tempfile::tempdir().unwrap();
    server.download(planted.path());
    assert!(!files_with(planted.path(), "canary07").is_empty());
    let compacted = d.ok(&["lake", "compact"]);
    assert_eq!((&compacted["tables"][0]["rows"], &compacted["tables"][0]["files"]), (&json!(601), &json!(1)));
    assert_eq!(d.ok(&["lake", "show"])["lake"], "s3://town/lake");
    assert_eq!(d.ok(&["subject", "erase", "7"])["files"], "gone");
    let left = tempfile::tempdir().unwrap();
    server.download(left.path());
    assert_eq!(files_with(left.path(), "canary07"), Vec::<String>::new());
    assert_eq!(files_with(&d.path(), "canary07"), Vec::<String>::new());
    // Compressed pages show only what is said first; rows are counted besides.
    assert!(!files_with(left.path(), "canary").is_empty(), "everybody else is gone as well");
    let shown = d.ok(&["lake", "show"]);
    assert_eq!((&shown["tables"][0]["rows"], &shown["tables"][2]["rows"]), (&json!(29 * 20), &json!(29)));
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
    // Nothing secret is kept.
    assert_eq!(files_with(&d.path(), "secret-of-nobody"), Vec::<String>::new());
    // A copy is a local lake, and needs no server.
    let copy = sources.path().join("copy");
    d.ok(&["backup", "create", copy.to_str().unwrap()]);
    let object = server.objects().into_iter().find(|k| k.contains("activity/")).unwrap();
    server.ask("DELETE", &format!("/town/{object}"), "");
    assert_eq!(d.run(&["audit", "verify"]).status.code(), Some(6), "a missing object is found");
    drop(server);
    let verified = Command::new(env!("CARGO_BIN_EXE_fairshare")).arg("--data").arg(&copy).args(["--json", "audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    // Without its bucket nothing works and nothing is lost.
    let said = d.fails(1, &["import", &acts]);
    assert!(said.contains("s3://town/lake") && said.contains("try again"), "{said}");
}

#[test]
fn a_killed_import_into_a_bucket_runs_again() {
    let Some(server) = Server::start() else { return };
    let seed = env_seed(96);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let d = Deployment::with(&["--lake", "s3://town"], server.env());
    let script = format!("$BIN --data $DATA --format json import '{}' | tr -d '\\n'; echo", repository("samples/exports/forum"));
    for _ in 0..8 {
        let mut child = start(&d, &script);
        #[expect(clippy::disallowed_methods, reason = "the moment of a kill is a moment in real time")]
        std::thread::sleep(Duration::from_millis(rng.random_range(10..400)));
        kill(&mut child);
        let people = d.ok(&["subject", "list"])["subjects"].as_array().unwrap().len();
        assert!(people == 0 || people == 50, "half an import: {people}");
    }
    d.ok(&["import", &repository("samples/exports/forum")]);
    assert_eq!(d.ok(&["lake", "show"])["tables"][2]["rows"], 60);
    d.ok(&["lake", "sweep"]);
    let files: u64 = d.ok(&["lake", "show"])["tables"].as_array().unwrap().iter().map(|t| t["files"].as_u64().unwrap()).sum();
    assert_eq!(server.objects().len() as u64, files, "what no snapshot names was swept");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn unfit_buckets_are_refused() {
    let Some(server) = Server::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let init = |lake: &str| {
        let data: PathBuf = folder.path().join("data");
        let mut command = Command::new(env!("CARGO_BIN_EXE_fairshare"));
        let output = command.envs(server.env()).arg("--data").arg(&data).args(["init", "--lake", lake]).output().unwrap();
        assert!(!data.exists() || output.status.success(), "a deployment that was refused left something");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    server.ask("PUT", "/town/taken/note", "ours");
    let (code, said) = init("s3://town/taken");
    assert!(code == Some(7) && said.contains("empty"), "{said}");
    server.ask("PUT", "/archive", "");
    let on = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
    server.ask("PUT", "/archive?versioning", on);
    let (code, said) = init("s3://archive/lake");
    assert!(code == Some(7) && said.contains("versions"), "{said}");
    let (code, said) = init("s3://nowhere/lake");
    assert!(code == Some(1) && said.contains("s3://nowhere/lake"), "{said}");
    assert_eq!(init("https://town").0, Some(2));
    assert_eq!(init("s3://town/free").0, Some(0));
    // Versions that are turned on later stop the next import, and what was visible stays.
    let d = Deployment::with(&["--lake", "s3://town/later"], server.env());
    d.ok(&["import", &repository("samples/exports/mastodon/ada")]);
    server.ask("PUT", "/town?versioning", on);
    assert!(d.fails(1, &["import", &repository("samples/exports/forum")]).contains("versioning"));
    assert_eq!(d.ok(&["lake", "show"])["tables"][0]["rows"], 6);
}

/// Large files go in parts; parts that a kill left are ended by a sweep.
#[test]
fn parts_of_killed_uploads_are_swept() {
    let Some(server) = Server::start() else { return };
    let d = Deployment::with(&["--lake", "s3://town/lake"], server.env());
    let sources = tempfile::tempdir().unwrap();
    let mut rng = Generator::new(env_seed(95)).0;
    let words: String =
        (0..280).map(|n| format!("p,k{n},post,{}\n", (0..50_000).map(|_| char::from(rng.random_range(b'0'..=b'z'))).filter(|c| c.is_alphanumeric()).collect::<String>())).collect();
    let file = sources.path().join("large.csv");
    std::fs::write(&file, format!("account,native_key,kind,text\n{words}")).unwrap();
    let mapping = "schema = 1\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\naccount = \"account\"\nnative_key = \"native_key\"\nkind = \"kind\"\ntext = \"text\"\n";
    std::fs::write(file.with_extension("mapping.toml"), mapping).unwrap();
    d.ok(&["import", file.to_str().unwrap()]);
    let shown = d.ok(&["lake", "show"]);
    assert!(shown["tables"][0]["bytes"].as_u64().unwrap() > 8 << 20, "{shown}");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
    let uploads = d.path().join("lake/uploads");
    assert_eq!(std::fs::read_dir(&uploads).unwrap().count(), 0);
    // What a kill between two parts leaves: an upload that runs, and its note.
    let begun = String::from_utf8(server.ask("POST", "/town/lake/activity/half.parquet?uploads", "")).unwrap();
    let id = begun.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(server.listed("/town?uploads", "UploadId"), [id.as_str()]);
    std::fs::write(uploads.join("note"), format!("activity/half.parquet\n{id}\n")).unwrap();
    d.ok(&["lake", "sweep"]);
    assert!(server.listed("/town?uploads", "UploadId").is_empty());
    assert_eq!(std::fs::read_dir(&uploads).unwrap().count(), 0);
}

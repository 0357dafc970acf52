//! Runs the binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sha2::Digest;
use tempfile::TempDir;

/// A folder for one deployment.
pub(crate) struct Deployment {
    folder: TempDir,
    env: Vec<(&'static str, String)>,
}

impl Deployment {
    /// A deployment that was just made.
    pub(crate) fn new() -> Self {
        Self::with(&[], Vec::new())
    }

    /// The same with more options of `init`, and with variables for every command.
    pub(crate) fn with(options: &[&str], env: Vec<(&'static str, String)>) -> Self {
        let deployment = Self { folder: tempfile::tempdir().unwrap(), env };
        // Tests ask more of the same people than a year would allow, and do not wait for midnight.
        let clock: &[&str] = if options.contains(&"--snapshot-clock") { &[] } else { &["--snapshot-clock", "import"] };
        deployment.ok(&[&["init", "--subject-rho", "100", "--subject-delta", "1e-4"], clock, options].concat());
        deployment
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fairshare"));
        command.envs(self.env()).arg("--data").arg(self.path()).arg("--json").args(args);
        command
    }

    pub(crate) fn env(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.env.iter().map(|(name, value)| (*name, value.as_str()))
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed; its JSON.
    pub(crate) fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Runs a command that must end with `code`; what it said.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        said
    }

    /// Partner `acme` with an active agreement and a notice for statistics and ad measurement.
    pub(crate) fn with_partner(self, rho: &str) -> Self {
        self.ok(&["partner", "add", "acme", "--legal-name", "Acme Ltd"]);
        self.ok(&["partner", "approve", "acme"]);
        self.ok(&["agreement", "add", "acme-1", "--partner", "acme", "--purpose", "aggregate_statistics", "--purpose", "ad_measurement", "--rho", rho]);
        self.ok(&["agreement", "approve", "acme-1"]);
        self.ok(&["agreement", "activate", "acme-1"]);
        let text = self.folder.path().join("notice.txt");
        std::fs::write(&text, "May Acme count you?").unwrap();
        self.ok(&["notice", "publish", "acme", "--text", text.to_str().unwrap(), "--purpose", "aggregate_statistics", "--purpose", "ad_measurement", "--partner", "acme"]);
        self
    }

    /// Everybody says yes to `purpose`.
    pub(crate) fn everybody_gives(&self, people: u32, purpose: &str) {
        let mut csv = "subject,partner,purpose,action,notice,explicit\n".to_owned();
        for subject in 0..people {
            csv.push_str(&format!("{subject},acme,{purpose},give,acme,yes\n"));
        }
        let file = self.folder.path().join("choices.csv");
        std::fs::write(&file, csv).unwrap();
        assert_eq!(self.ok(&["consent", "import", file.to_str().unwrap()])["recorded"], people);
    }

    /// A file of the test's own.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// So many people are reached under addresses of their own, and `acme` has a table of twice as many, of whom
    /// the others are not here.
    pub(crate) fn with_own_table(self, people: u32) -> Self {
        let contacts: String = (0..people).map(|person| format!("{person},person{person}@town.example\n")).collect();
        assert_eq!(self.ok(&["subject", "contacts", &self.file("contacts.csv", &format!("subject,email\n{contacts}"))])["written"], people);
        let rows: String = (0..2 * people).map(|n| format!("{},{},{}\n", hashed(&format!("person{n}@town.example")), ["gold", "silver"][(n % 2) as usize], n % 60 * 10)).collect();
        let file = self.file("crm.csv", &format!("email_sha256,tier,spend\n{rows}"));
        let uploaded = self.ok(&["table", "upload", "partner.crm", &file, "--partner", "acme", "--column", "tier:text", "--column", "spend:float:0..500"]);
        assert_eq!((&uploaded["rows"], &uploaded["rejected"], &uploaded["values_beyond_range"]), (&(2 * people).into(), &0.into(), &(2 * people / 60 * 9).into()), "{uploaded}");
        self
    }

    /// The same people, and some who are not here, answered `acme`'s survey, as those of the demo do.
    pub(crate) fn with_survey(self) -> Self {
        let rows: String = (0..80).map(|n| format!("{},{},{},2025-0{}-01\n", hashed(&format!("person{n}@town.example")), ["yes", "no"][n % 2], n % 10, n % 9 + 1)).collect();
        let survey = self.file("survey.csv", &format!("email_sha256,satisfied,hours,asked_on\n{rows}"));
        self.ok(&["table", "upload", "survey", &survey, "--partner", "acme", "--column", "satisfied:text", "--column", "hours:float:0..10", "--column", "asked_on:date"]);
        self
    }

    pub(crate) fn query(&self, extra: &[&str], sql: &str) -> Value {
        self.ok(&[&["query", "--partner", "acme", "--purpose", "aggregate_statistics"], extra, &[sql]].concat())
    }
}

/// An address as partners know it.
pub(crate) fn hashed(address: &str) -> String {
    hex::encode(sha2::Sha256::digest(address))
}

/// A folder of the repository.
pub(crate) fn repository(path: &str) -> String {
    // Tests run in the folder of their crate.
    Path::new("../..").canonicalize().unwrap().join(path).to_str().unwrap().to_owned()
}

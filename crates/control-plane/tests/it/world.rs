//! A deployment with people, a partner and a scripted clean room.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use control_plane::{Ask, Case, Choice, ControlPlane, Limit, NewNotice, Secrets, Serving, Settings};
use domain::agreement::{AgreementAct, AgreementTerms, PartnerAct};
use domain::catalog::{Table, TableName};
use domain::consent::{Actor, ConsentAction, ConsentKey, ConsentMethod, DataScope, LimitAct, LimitKey, LimitKind, LimitSource};
use domain::lake::{Manifest, SnapshotClock, Staged};
use domain::mail::{Contact, ContactSource};
use domain::notice::{NoticeRef, NoticeTerms, ServedBy, Wording};
use domain::partner_table::PartnerTable;
use domain::party::Party;
use domain::port::{CleanRoom, PaidLook};
use domain::question::expr::{Expr, Function};
use domain::question::{Aggregate, Comparison, Field, Mechanisms, Narrowing, Plan, Prepared, Question, Released, Value, View, ViewColumn};
use domain::record::{AccountKey, Counts, NormalizedBatch, SourceInfo, SourceKind, SubjectRecord};
use domain::release::{Answered, NoisedAggregate, NoisedRow, NoisedTable};
use domain::subject::AgeBand;
use domain::{CreatorList, Fault, Platform, Purpose, Refusal, RefusalCode, SubjectId, SubjectSet};
use dp::{Cost, Delta};
use tempfile::TempDir;
use testkit::{ManualClock, SeededEntropy};

pub(crate) const PEOPLE: u32 = 40;

/// Another seed each time: a system's randomness does not repeat when a process starts.
static SEEDS: AtomicU64 = AtomicU64::new(1);

fn entropy() -> Arc<SeededEntropy> {
    Arc::new(SeededEntropy::new(SEEDS.fetch_add(1, Ordering::SeqCst)))
}

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) control: ControlPlane,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn secrets() -> Secrets {
    Secrets { log_seed: [1; 32], bounding: [2; 32], participants: [3; 32] }
}

pub(crate) fn cost(rho: &str) -> Cost {
    Cost { rho: rho.parse().unwrap(), delta: Delta::LIFETIME }
}

impl World {
    /// Forty people, every fourth a minor, every tenth of unknown age; partner `acme` with an active
    /// agreement over ρ = 1.
    pub(crate) async fn new() -> Self {
        Self::with_clock(SnapshotClock::Daily).await
    }

    /// The same with another snapshot clock.
    pub(crate) async fn with_clock(snapshot_clock: SnapshotClock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2026-11-24T10:00:00Z"));
        let settings = Settings { origin: "test.example/log".into(), lifetime: cost("100"), subject_cap: cost("1"), snapshot_clock, rule_packs: vec![PACK.into()] };
        let control = ControlPlane::create(folder.path(), settings, secrets(), clock.clone(), entropy()).await.unwrap();
        let world = Self { folder, control, clock };
        world
            .import(0..PEOPLE, |n| {
                if n % 10 == 0 {
                    AgeBand::Unknown
                } else if n % 4 == 0 {
                    AgeBand::From16To17
                } else {
                    AgeBand::From25To34
                }
            })
            .await;
        world.partner("acme", "1", &[Purpose::AggregateStatistics, Purpose::AdMeasurement]).await;
        world
    }

    pub(crate) async fn import(&self, people: std::ops::Range<u32>, age: impl Fn(u32) -> AgeBand) -> Vec<SubjectId> {
        let subjects = people.map(|n| {
            let mut s = SubjectRecord::new(AccountKey { platform: Platform::Csv, native_id: format!("p{n}") });
            s.handle = Some(format!("Person {n}"));
            s.age = age(n);
            s
        });
        self.import_records(&[(SourceKind::Table, subjects.collect())]).await
    }

    /// Imports sources of these kinds that name these people; the ids of all of them in order.
    pub(crate) async fn import_records(&self, sources: &[(SourceKind, Vec<SubjectRecord>)]) -> Vec<SubjectId> {
        let mut import = self.control.import_begin().await.unwrap();
        let mut ids = Vec::new();
        for (number, (kind, subjects)) in (0..).zip(sources) {
            let source = SourceInfo { path: "people.csv".into(), kind: *kind, platform: Platform::Csv, parser: "csv/1".into() };
            let batch = NormalizedBatch { subjects: subjects.clone(), ..NormalizedBatch::new(source) };
            ids.extend(self.control.import_assign(&mut import, number, &batch).await.unwrap());
            import.end(number, "00".into(), &SubjectSet::new()).unwrap();
        }
        let staged = Staged { manifest: Manifest { schema: 1, bucket_size: 1024, tables: [(TableName::Subject, Vec::new())].into() }, counts: vec![Counts::default()] };
        self.control.import_commit(import, &staged).await.unwrap();
        ids
    }

    pub(crate) async fn partner(&self, name: &str, rho: &str, purposes: &[Purpose]) {
        let partner = name.parse().unwrap();
        self.control.partner_add(&partner, "A legal person", None, cost("10")).await.unwrap();
        self.control.partner_act(&partner, PartnerAct::Approve).await.unwrap();
        let agreement = format!("{name}-1").parse().unwrap();
        let (starts, expires) = ("2026-11-01".parse().unwrap(), "2027-10-31".parse().unwrap());
        self.control
            .agreement_add(&AgreementTerms {
                name: agreement,
                partner: partner.clone(),
                purposes: purposes.to_vec(),
                lifetime: cost(rho),
                window: rho.parse().unwrap(),
                starts,
                expires,
            })
            .await
            .unwrap();
        let agreement = format!("{name}-1").parse().unwrap();
        self.control.agreement_act(&agreement, AgreementAct::Approve).await.unwrap();
        self.control.agreement_act(&agreement, AgreementAct::Activate).await.unwrap();
        self.control.notice_publish(notice(name, &[name], purposes)).await.unwrap();
    }

    /// Says who the controller is.
    pub(crate) async fn describe_controller(&self) {
        let party = Party { legal_name: "Town AG".into(), address: "1 Main Street\nTown".into(), email: Some("privacy@town.example".into()), ..Party::default() };
        self.control.party_describe(None, &party).await.unwrap();
    }

    /// Shows a version of a notice to a person on our page; tells whether that was new.
    pub(crate) async fn served(&self, subject: u32, notice: &str, version: u32, language: &str) -> bool {
        let notice = NoticeRef { name: notice.parse().unwrap(), version };
        let serving = Serving { subject: SubjectId(subject), notice, language: language.into(), by: ServedBy::Page };
        self.control.notice_served(&[serving]).await.unwrap()[0]
    }

    /// Writes down where a person gets their mail.
    pub(crate) async fn contact(&self, subject: u32, email: &str) {
        let contact = Contact { email: email.into(), language: None };
        self.control.subject_contact_set(SubjectId(subject), Some(&contact), ContactSource::Operator).await.unwrap();
    }

    /// Whether `acme` may use all data of a person.
    pub(crate) async fn permits(&self, subject: u32, purpose: Purpose) -> bool {
        self.control.decide(&Case::new(SubjectId(subject), "acme".parse().unwrap(), purpose)).await.unwrap().permit()
    }

    pub(crate) async fn choose(&self, subject: u32, purpose: Purpose, action: ConsentAction) {
        self.control.consent_record(&[choice(subject, purpose, action)]).await.unwrap();
    }

    /// Limits everything that may be done with a person's data, or ends that.
    pub(crate) async fn limit(&self, subject: u32, kind: LimitKind, act: LimitAct) {
        let key = LimitKey { subject: SubjectId(subject), kind, purpose: None, partner: None };
        let limit = Limit { key, act, actor: Actor::Subject, source: LimitSource::Person, two_step: true, at: None, evidence: None };
        self.control.limit_record(&[limit]).await.unwrap();
    }

    /// Makes `other` another id of the person `keep`.
    pub(crate) async fn merge(&self, keep: u32, other: u32, evidence: &str) -> Result<control_plane::IdentityChanged, control_plane::Error> {
        let change = self.control.merge_begin(SubjectId(keep), SubjectId(other)).await?;
        self.control.identity_commit(change, evidence, Vec::new()).await
    }

    pub(crate) async fn split(&self, other: u32, evidence: &str) -> Result<control_plane::IdentityChanged, control_plane::Error> {
        let change = self.control.split_begin(SubjectId(other)).await?;
        self.control.identity_commit(change, evidence, Vec::new()).await
    }

    pub(crate) async fn loss(&self, subject: u32) -> u64 {
        self.control.subject_meter(SubjectId(subject)).await.unwrap().loss.rho.nano()
    }

    /// Files of the store that hold `needle`.
    pub(crate) fn store_files_with(&self, needle: &str) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file());
        files.filter(|p| std::fs::read(p).unwrap().windows(needle.len()).any(|w| w == needle.as_bytes())).map(|p| p.display().to_string()).collect()
    }

    /// Closes the store and opens it anew, as another process would.
    pub(crate) async fn reopen(&mut self) {
        self.control.close().await;
        self.control = ControlPlane::open(self.folder.path(), secrets(), self.clock.clone(), entropy()).await.unwrap();
    }

    /// A deployment whose store is the copy `store`, beside the log and the journal of this one.
    pub(crate) async fn restored(&self, store: &std::path::Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(store, folder.path().join("control.sqlite")).unwrap();
        for part in ["log", "journal"] {
            copy_folder(&self.folder.path().join(part), &folder.path().join(part));
        }
        let control = ControlPlane::open(folder.path(), secrets(), self.clock.clone(), entropy()).await.unwrap();
        Self { folder, control, clock: self.clock.clone() }
    }

    pub(crate) fn tomorrow(&self) {
        self.clock.forward(TimeDelta::days(1));
    }
}

pub(crate) fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy_folder(&path, &to) } else { std::fs::copy(&path, &to).map(drop).unwrap() }
    }
}

/// A law that asks nothing of anybody but that advertisements are for adults.
pub(crate) const PACK: &str = r#"
schema = 1
id = "test"
version = 1
title = "A law for tests"
fallback = true
reviewed = 2026-11-24

[[prohibition]]
id = "minors"
purposes = ["ad_measurement", "targeted_advertising"]
age_below = 18
rule = "no advertising to minors"
grounds = { source = "DSA Art. 28(2)", certainty = "high" }
"#;

/// A notice that asks for these purposes for these partners, over everything.
pub(crate) fn notice(name: &str, partners: &[&str], purposes: &[Purpose]) -> NewNotice {
    let partners = partners.iter().map(|p| p.parse().unwrap()).collect();
    let terms = NoticeTerms { purposes: purposes.to_vec(), partners, open_classes: Vec::new(), scopes: vec![DataScope::Everything] };
    NewNotice::new(name.parse().unwrap(), terms, Wording::new("en", "Your data", "May we?"))
}

pub(crate) fn key(subject: u32, purpose: Purpose) -> ConsentKey {
    ConsentKey::new(SubjectId(subject), "acme".parse().unwrap(), purpose)
}

pub(crate) fn choice(subject: u32, purpose: Purpose, action: ConsentAction) -> Choice {
    Choice::now(key(subject, purpose), action, NoticeRef { name: "acme".parse().unwrap(), version: 1 }, ConsentMethod::Page).explicit()
}

pub(crate) fn ask(sql: &str, rho: &str) -> Ask {
    let question = Question { sql: sql.into(), params: Vec::new(), rho: rho.parse().unwrap(), narrowing: Narrowing::default() };
    Ask { partner: "acme".parse().unwrap(), purpose: Purpose::AggregateStatistics, agreement: None, question, fresh: false }
}

/// A clean room that answers with its number of calls and remembers whom it was allowed to see.
#[derive(Default)]
pub(crate) struct ScriptedRoom {
    pub(crate) calls: AtomicU64,
    pub(crate) eligible: Mutex<SubjectSet>,
    /// The snapshot that it looked at last.
    pub(crate) snapshot: AtomicI64,
    /// Waits for a word before it answers, when it has somebody to wait for.
    pub(crate) waits: Mutex<Option<Receiver<()>>>,
    pub(crate) breaks: AtomicBool,
    /// Who matches, besides being eligible; everybody when not said.
    pub(crate) matching: Mutex<Option<SubjectSet>>,
}

impl CleanRoom for ScriptedRoom {
    fn prepare(&self, question: &Question, _: &[PartnerTable], creators: &Arc<CreatorList>) -> Result<Prepared, Refusal> {
        if !question.sql.starts_with("count") {
            return Err(Refusal::new(RefusalCode::Syntax, "not in the script"));
        }
        // The text stands in for the plan: different questions have different filters.
        let language = Expr::Leaf(Field::Column(Table::of(TableName::Activity).named(TableName::Activity, "language").unwrap()));
        let filter = Some(Expr::call2(Function::Compare(Comparison::Eq), language, Expr::Constant(Value::Text(question.sql.clone()))));
        let bounds = dp::ContributionBounds::new(1, 1, 1).unwrap();
        let plan = Plan {
            schema: Plan::SCHEMA,
            tables: vec![TableName::Activity],
            per_subject: Vec::new(),
            filter,
            keys: Vec::new(),
            aggregates: vec![Aggregate::CountSubjects],
            bounds,
            cohort: 1,
            creators: question.sql.ends_with("creators").then(|| creators.version().to_owned()),
        };
        let view = View { columns: vec![ViewColumn { name: "n".into(), expr: Expr::Leaf(Released::Number(0)) }], having: None, order_by: Vec::new(), limit: None, offset: 0 };
        let cost = Mechanisms::cost(&plan, question.rho);
        Ok(Prepared { plan, view, cost, creators: Arc::clone(creators) })
    }

    fn answer(&self, look: &PaidLook<'_>) -> Result<Answered, Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        *self.eligible.lock().unwrap() = look.eligible.clone();
        self.snapshot.store(look.snapshot.id, Ordering::SeqCst);
        if let Some(word) = self.waits.lock().unwrap().take() {
            word.recv().unwrap();
        }
        if self.breaks.load(Ordering::SeqCst) {
            panic!("a cell of somebody: alice@example.org");
        }
        let matching = self.matching.lock().unwrap().clone();
        let participants = matching.map_or_else(|| look.eligible.clone(), |m| m.iter().filter(|s| look.eligible.contains(*s)).collect());
        let aggregate = NoisedAggregate { aggregate: "count(distinct subject_id)".into(), denominator: 1, half_width: 3 };
        let rows = vec![NoisedRow { key: Vec::new(), values: vec![i64::try_from(call).unwrap()] }];
        Ok(Answered { table: NoisedTable { schema: 1, keys: Vec::new(), aggregates: vec![aggregate], rows }, participants })
    }
}

//! A deployment with people, a partner, a notice in three languages, and its pages on loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use control_plane::{Case, ControlPlane, NewLink, NewNotice, Secrets, Settings};
use domain::agreement::{AgreementAct, AgreementTerms, PartnerAct};
use domain::catalog::TableName;
use domain::consent::{ConsentEvent, DataScope};
use domain::lake::{Manifest, SnapshotClock, Staged};
use domain::law::SHIPPED;
use domain::link::LinkKind;
use domain::notice::{NoticeParticulars, NoticeTerms, Sentence, Wording};
use domain::party::Party;
use domain::record::{AccountKey, Counts, NormalizedBatch, SourceInfo, SourceKind, SubjectRecord};
use domain::subject::AgeBand;
use domain::{Platform, Purpose, SubjectId, SubjectSet};
use dp::{Cost, Delta};
use server::Pages;
use tempfile::TempDir;
use testkit::{ManualClock, SeededEntropy};

use crate::http::{Answer, ask, encoded};

/// People by what the law sees of them.
pub(crate) const ADULT: u32 = 0;
pub(crate) const CALIFORNIAN: u32 = 1;
pub(crate) const CHILD: u32 = 2;
pub(crate) const YOUNG_CALIFORNIAN: u32 = 3;
pub(crate) const OTHER: u32 = 4;

pub(crate) struct World {
    _folder: TempDir,
    pub(crate) control: ControlPlane,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) address: SocketAddr,
    pub(crate) pages: Pages,
    /// What was reported to the operator.
    pub(crate) faults: Arc<Mutex<Vec<String>>>,
}

fn cost(rho: &str) -> Cost {
    Cost { rho: rho.parse().unwrap(), delta: Delta::LIFETIME }
}

pub(crate) const PLATFORM: &str = "https://platform.example";

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2026-11-25T10:00:00Z"));
        let rule_packs = SHIPPED.iter().map(|(_, text)| (*text).to_owned()).collect();
        let settings = Settings { origin: "test.example/log".into(), lifetime: cost("100"), subject_cap: cost("1"), snapshot_clock: SnapshotClock::Daily, rule_packs };
        let secrets = Secrets { log_seed: [1; 32], bounding: [2; 32], participants: [3; 32] };
        let control = ControlPlane::create(folder.path(), settings, secrets, clock.clone(), Arc::new(SeededEntropy::new(7))).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::new(Mutex::new(Vec::new()));
        let told = faults.clone();
        let report = Arc::new(move |fault: &domain::Fault| told.lock().unwrap().push(format!("{fault} {:?}", std::error::Error::source(fault))));
        let pages = Pages { public_url: format!("http://{address}"), allowed: vec![PLATFORM.parse().unwrap()], report };
        tokio::spawn(server::serve(listener, control.clone(), folder.path().join("log"), pages.clone(), std::future::pending()));
        let world = Self { _folder: folder, control, clock, address, pages, faults };
        world.fill().await;
        world
    }

    async fn fill(&self) {
        let people = [
            ("DE", None, AgeBand::From25To34),
            ("US", Some("CA"), AgeBand::From25To34),
            ("DE", None, AgeBand::From13To15),
            ("US", Some("CA"), AgeBand::From13To15),
            ("DE", None, AgeBand::From45To54),
        ];
        let subjects = (0..).zip(people).map(|(n, (country, region, age))| {
            let mut subject = SubjectRecord::new(AccountKey { platform: Platform::Csv, native_id: format!("p{n}") });
            subject.handle = Some(format!("Person {n}"));
            (subject.age, subject.country, subject.region) = (age, Some(country.into()), region.map(str::to_owned));
            subject
        });
        let mut import = self.control.import_begin().await.unwrap();
        let source = SourceInfo { path: "people.csv".into(), kind: SourceKind::Table, platform: Platform::Csv, parser: "csv/1".into() };
        let batch = NormalizedBatch { subjects: subjects.collect(), ..NormalizedBatch::new(source) };
        self.control.import_assign(&mut import, 0, &batch).await.unwrap();
        import.end(0, "00".into(), &SubjectSet::new()).unwrap();
        let staged = Staged { manifest: Manifest { schema: 1, bucket_size: 1024, tables: [(TableName::Subject, Vec::new())].into() }, counts: vec![Counts::default()] };
        self.control.import_commit(import, &staged).await.unwrap();
        let acme = "acme".parse().unwrap();
        let purposes = vec![Purpose::AggregateStatistics, Purpose::SaleOrSharing];
        self.control.partner_add(&acme, "Acme Research <GmbH>", None, cost("10")).await.unwrap();
        self.control.partner_act(&acme, PartnerAct::Approve).await.unwrap();
        let (starts, expires) = ("2026-11-01".parse().unwrap(), "2028-10-31".parse().unwrap());
        let agreement = AgreementTerms {
            name: "acme-1".parse().unwrap(),
            partner: acme.clone(),
            purposes: purposes.clone(),
            lifetime: cost("1"),
            window: "1".parse().unwrap(),
            starts,
            expires,
        };
        self.control.agreement_add(&agreement).await.unwrap();
        for act in [AgreementAct::Approve, AgreementAct::Activate] {
            self.control.agreement_act(&agreement.name, act).await.unwrap();
        }
        let party = Party {
            legal_name: "Town & Sons".into(),
            address: "1 Main Street\nTown".into(),
            country: Some("DE".into()),
            email: Some("privacy@town.example".into()),
            url: Some("https://town.example/privacy?a=1&b=2".into()),
            officer: Some("officer@town.example".into()),
            authority: Some("The Authority".into()),
        };
        self.control.party_describe(None, &party).await.unwrap();
        self.publish(&purposes, false).await;
    }

    /// Publishes the next version of the notice `town`, in three languages.
    pub(crate) async fn publish(&self, purposes: &[Purpose], material: bool) {
        let terms = NoticeTerms { purposes: purposes.to_vec(), partners: vec!["acme".parse().unwrap()], open_classes: Vec::new(), scopes: vec![DataScope::Everything] };
        let particulars = NoticeParticulars { storage: vec!["DE".into()], rights_url: Some("https://town.example/rights".into()), ..NoticeParticulars::default() };
        let wording = |language: &str, title: &str, text: &str, ask: &str| {
            let mut wording = Wording::new(language, title, text);
            wording.sentences.insert(Purpose::AggregateStatistics, Sentence { ask: ask.into(), explicit: None });
            wording
        };
        let new = NewNotice {
            particulars,
            material,
            ..NewNotice::new("town".parse().unwrap(), terms, wording("en", "Your data", "May we?\n\nWe would count.", "Count me in statistics."))
        };
        let name = new.name.clone();
        self.control.notice_publish(new).await.unwrap();
        for (language, title, text, ask) in [("de", "Ihre Daten", "Dürfen wir?", "Zählt mich in Statistiken."), ("ar", "بياناتك", "هل يمكننا؟", "احسبني في الإحصاءات.")]
        {
            self.control.notice_translate(&name, None, wording(language, title, text, ask)).await.unwrap();
        }
    }

    /// The path of a page of a person.
    pub(crate) async fn path(&self, subject: u32) -> String {
        self.path_with(subject, None).await
    }

    /// The same that leads back.
    pub(crate) async fn path_with(&self, subject: u32, return_to: Option<&str>) -> String {
        let link = NewLink { return_to: return_to.map(str::to_owned), ..NewLink::choose(SubjectId(subject), "town".parse().unwrap(), TimeDelta::days(30)) };
        format!("/consent/{}", self.control.consent_link(&link, &self.pages.allowed).await.unwrap())
    }

    /// The path of the page of a person's parent.
    pub(crate) async fn parent_path(&self, subject: u32) -> String {
        let choose = NewLink::choose(SubjectId(subject), "town".parse().unwrap(), TimeDelta::days(30));
        let link = NewLink { kind: LinkKind::Parent, mailbox: Some("parent@town.example".into()), ..choose };
        format!("/consent/{}", self.control.consent_link(&link, &[]).await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.address, "GET", path, headers, "").await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], fields: &[(String, String)]) -> Answer {
        ask(self.address, "POST", path, headers, &encoded(fields)).await
    }

    /// Opens the page, fills these fields in and sends the form.
    pub(crate) async fn fill_in(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = self.get(path, &[]).await.form();
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.post(path, &[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")], &form).await
    }

    pub(crate) async fn history(&self, subject: u32) -> Vec<ConsentEvent> {
        self.control.consent_history(SubjectId(subject)).await.unwrap()
    }

    pub(crate) async fn permits(&self, subject: u32, purpose: Purpose) -> bool {
        self.control.decide(&Case::new(SubjectId(subject), "acme".parse().unwrap(), purpose)).await.unwrap().permit()
    }

    pub(crate) async fn verified(&self) {
        let report = self.control.audit_verify(None).await.unwrap();
        assert!(report.verified, "{:?}", report.bad);
    }
}

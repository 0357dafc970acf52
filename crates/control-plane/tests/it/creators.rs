//! The public list: who may be on it, when it changes, and what stays of a name.

use std::sync::Arc;

use chrono::TimeDelta;
use control_plane::{Choice, Error, NewCreator};
use domain::consent::{ConsentAction, ConsentKey, ConsentMethod, DataScope, LimitAct, LimitKind, Recipient};
use domain::creator::CreatorBasis;
use domain::lake::SnapshotClock;
use domain::notice::{NoticeRef, NoticeTerms, Wording};
use domain::record::{AccountKey, SourceKind, SubjectRecord};
use domain::{CreatorList, Platform, Purpose, RefusalCode, SubjectId};

use crate::reconcile::LAKE;
use crate::world::{ScriptedRoom, World, ask};

fn new(account: &str, name: &str, basis: CreatorBasis) -> NewCreator {
    let account = AccountKey { platform: Platform::Csv, native_id: account.into() };
    NewCreator { account, name: name.into(), category: "News".into(), basis, evidence: Some("a letter".into()) }
}

fn names(list: &CreatorList) -> Vec<Option<&str>> {
    let mut names: Vec<Option<&str>> = list.all().iter().map(|creator| creator.name.as_deref()).collect();
    names.sort_unstable();
    names
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> RefusalCode {
    match outcome {
        Err(Error::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

impl World {
    /// Publishes a notice that asks people whether they may be named.
    async fn ask_for_names(&self) {
        let terms =
            NoticeTerms { purposes: vec![Purpose::PublicNaming], partners: Vec::new(), open_classes: vec!["everybody".parse().unwrap()], scopes: vec![DataScope::Everything] };
        self.control.notice_publish(control_plane::NewNotice::new("naming".parse().unwrap(), terms, Wording::new("en", "Your name", "May we name you?"))).await.unwrap();
    }

    async fn naming(&self, subject: u32, action: ConsentAction, explicit: bool) {
        let recipient = Recipient::Class("everybody".parse().unwrap());
        let key = ConsentKey { subject: SubjectId(subject), recipient, purpose: Purpose::PublicNaming, scope: DataScope::Everything };
        let choice = Choice::now(key, action, NoticeRef { name: "naming".parse().unwrap(), version: 1 }, ConsentMethod::Page);
        self.control.consent_record(&[if explicit { choice.explicit() } else { choice }]).await.unwrap();
    }

    /// What questions call a person's account.
    fn label(&self, account: &str) -> String {
        self.control.creator_key().id(Platform::Csv, account).label()
    }

    async fn names(&self) -> Vec<Option<String>> {
        names(&self.control.creators().await.unwrap()).into_iter().map(|name| name.map(str::to_owned)).collect()
    }

    async fn verified(&self) -> bool {
        let report = self.control.audit_verify(None).await.unwrap();
        assert!(report.verified, "{:?}", report.bad);
        report.verified
    }
}

fn some(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|name| Some((*name).to_owned())).collect()
}

#[tokio::test]
async fn the_list_changes_at_ticks_and_names_go_at_once() {
    let world = World::new().await;
    let added = world.control.creator_add(&[new("herald", "The Herald", CreatorBasis::Organisation), new("radio", "Radio", CreatorBasis::Organisation)]).await.unwrap();
    assert_eq!(added.len(), 2);
    assert_eq!(world.names().await, some(&[]), "not before the tick");
    assert_eq!(world.control.creator_list().await.unwrap().len(), 2, "the operator sees what is to come");
    world.tomorrow();
    assert_eq!(world.names().await, some(&["Radio", "The Herald"]));
    let before = world.control.creators().await.unwrap();
    assert_eq!(before.get(added[0]).map(|creator| creator.category.as_str()), Some("news"));
    assert_eq!(before.get(world.control.creator_key().id(Platform::Csv, "herald")), before.get(added[0]), "numbers are those of the importer");
    let account = AccountKey { platform: Platform::Csv, native_id: "herald".into() };
    world.control.creator_withdraw(&account).await.unwrap();
    let mut hidden = world.names().await;
    hidden.sort();
    assert_eq!(hidden, [None, Some("Radio".to_owned())], "the account is there until the tick, without its name");
    assert_ne!(world.control.creators().await.unwrap().version(), before.version());
    assert!(world.store_files_with("The Herald").is_empty(), "nothing of the name is left in the store");
    world.tomorrow();
    assert_eq!(world.names().await, some(&["Radio"]));
    assert!(matches!(world.control.creator_withdraw(&account).await, Err(Error::NotFound { .. })));
    world.control.creator_add(&[new("herald", "The New Herald", CreatorBasis::Organisation)]).await.unwrap();
    world.tomorrow();
    assert_eq!(world.names().await, some(&["Radio", "The New Herald"]));
    assert!(world.verified().await);
}

#[tokio::test]
async fn accounts_are_listed_once_and_all_or_none() {
    let world = World::new().await;
    let organisation = |account: &str, name: &str| new(account, name, CreatorBasis::Organisation);
    world.control.creator_add(&[organisation("herald", "The Herald")]).await.unwrap();
    for wrong in [
        organisation("herald", "Another Name"),
        organisation("other", "The Herald"),
        organisation("", "A Name"),
        organisation(" x", "A Name"),
        organisation("x", " "),
        organisation("x", "a\nb"),
        NewCreator { category: String::new(), ..organisation("x", "A Name") },
        NewCreator { evidence: None, ..new("x", "A Name", CreatorBasis::Consent) },
    ] {
        assert_eq!(refused(world.control.creator_add(&[organisation("fine", "A Fine Name"), wrong.clone()]).await), RefusalCode::Creator, "{wrong:?}");
    }
    assert_eq!(world.control.creator_list().await.unwrap().len(), 1);
    assert!(world.verified().await);
}

#[tokio::test]
async fn a_person_is_named_only_as_long_as_they_agree() {
    let world = World::new().await;
    world.ask_for_names().await;
    let person = |basis| new("p5", "Person Five", basis);
    // Whatever basis is claimed: an account of somebody who enrolled is theirs.
    for basis in [CreatorBasis::Consent, CreatorBasis::Organisation] {
        assert_eq!(refused(world.control.creator_add(&[person(basis)]).await), RefusalCode::Creator);
    }
    world.naming(5, ConsentAction::Give, false).await;
    assert_eq!(refused(world.control.creator_add(&[person(CreatorBasis::Consent)]).await), RefusalCode::Creator, "not in so many words");
    world.naming(5, ConsentAction::Give, true).await;
    world.control.creator_add(&[person(CreatorBasis::Consent), new("herald", "The Herald", CreatorBasis::Organisation)]).await.unwrap();
    world.tomorrow();
    assert_eq!(world.names().await, some(&["The Herald", &world.label("p5")]), "questions know people by labels");
    let listed = world.control.creator_list().await.unwrap();
    let shown: Vec<(&str, &str)> = listed.iter().map(|creator| (creator.name.as_str(), creator.in_answers.as_str())).collect();
    assert_eq!(shown, [("Person Five", world.label("p5").as_str()), ("The Herald", "The Herald")]);
    world.naming(5, ConsentAction::Withdraw, false).await;
    assert_eq!(world.names().await, [None, Some("The Herald".to_owned())]);
    assert!(world.store_files_with("Person Five").is_empty());
    // Agreeing again does not bring the name back by itself.
    world.naming(5, ConsentAction::Give, true).await;
    world.tomorrow();
    assert_eq!(world.names().await, some(&["The Herald"]));
    assert!(world.verified().await);
}

#[tokio::test]
async fn limits_and_erasures_hide_a_name() {
    let world = World::new().await;
    world.ask_for_names().await;
    for subject in [5, 6] {
        world.naming(subject, ConsentAction::Give, true).await;
    }
    world.control.creator_add(&[new("p5", "Person Five", CreatorBasis::Consent), new("p6", "Person Six", CreatorBasis::Consent)]).await.unwrap();
    world.tomorrow();
    let mut both = some(&[&world.label("p5"), &world.label("p6")]);
    both.sort_unstable();
    assert_eq!(world.names().await, both);
    world.limit(5, LimitKind::OptOut, LimitAct::Set).await;
    assert_eq!(world.names().await, [None, Some(world.label("p6"))]);
    world.control.subject_erase(SubjectId(6)).await.unwrap();
    assert_eq!(world.names().await, [None, None]);
    let people = world.control.erasure_pending().await.unwrap();
    world.control.erasure_finish(&world.control.lake_lock().unwrap(), &people, &[]).await.unwrap();
    assert!(world.store_files_with("Person Six").is_empty());
    world.tomorrow();
    assert_eq!(world.names().await, some(&[]));
    assert!(world.verified().await);
}

#[tokio::test]
async fn whoever_enrols_later_is_asked_as_well() {
    let world = World::new().await;
    world.control.creator_add(&[new("club", "The Club", CreatorBasis::Organisation)]).await.unwrap();
    world.tomorrow();
    assert_eq!(world.names().await, some(&["The Club"]));
    // Streams name accounts of third parties, who never enrolled: a brand's is no person's.
    let record = || vec![SubjectRecord::new(AccountKey { platform: Platform::Csv, native_id: "club".into() })];
    world.import_records(&[(SourceKind::Stream, record())]).await;
    assert_eq!(world.names().await, some(&["The Club"]));
    world.import_records(&[(SourceKind::Export, record())]).await;
    assert_eq!(world.names().await, [None], "somebody brought the account's own archive");
    assert!(world.verified().await);
}

#[tokio::test]
async fn a_new_list_is_another_question() {
    let world = World::with_clock(SnapshotClock::Hourly).await;
    world.choose(1, Purpose::AggregateStatistics, ConsentAction::Give).await;
    let room = Arc::new(ScriptedRoom::default());
    let asked = ask("count of creators", "0.1");
    let other = ask("count of others", "0.1");
    let first = world.control.release_run(room.clone(), &asked).await.unwrap();
    world.control.release_run(room.clone(), &other).await.unwrap();
    world.control.creator_add(&[new("herald", "The Herald", CreatorBasis::Organisation)]).await.unwrap();
    assert!(world.control.release_run(room.clone(), &asked).await.unwrap().redelivered, "the list that counts is the same until the tick");
    world.clock.forward(TimeDelta::hours(1));
    assert!(world.control.release_run(room.clone(), &other).await.unwrap().redelivered, "of a question that does not look at it");
    let second = world.control.release_run(room.clone(), &asked).await.unwrap();
    assert!(!second.redelivered && second.id != first.id);
    assert!(world.control.release_run(room.clone(), &asked).await.unwrap().redelivered);
    world.control.creator_withdraw(&AccountKey { platform: Platform::Csv, native_id: "herald".into() }).await.unwrap();
    assert!(!world.control.release_run(room, &asked).await.unwrap().redelivered, "a name that is hidden is not delivered again");
    assert!(world.verified().await);
}

#[tokio::test]
async fn a_restored_copy_names_nobody_who_was_taken_off() {
    let world = World::new().await;
    world.control.creator_add(&[new("herald", "The Herald", CreatorBasis::Organisation), new("radio", "Radio", CreatorBasis::Organisation)]).await.unwrap();
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy.sqlite");
    world.control.backup_store(&copy).await.unwrap();
    world.control.creator_withdraw(&AccountKey { platform: Platform::Csv, native_id: "herald".into() }).await.unwrap();
    world.control.creator_add(&[new("club", "The Club", CreatorBasis::Organisation)]).await.unwrap();
    world.tomorrow();
    assert_eq!(world.names().await, some(&["Radio", "The Club"]));
    world.control.audit_checkpoint().await.unwrap();
    let restored = world.restored(&copy).await;
    restored.control.reconcile(&LAKE).await.unwrap().unwrap();
    // The name of the club came after the copy and is in no log: it is listed anew, or not at all.
    let listed = restored.names().await;
    assert!(listed.contains(&Some("Radio".to_owned())) && !listed.iter().flatten().any(|name| name.contains("Herald") || name.contains("Club")), "{listed:?}");
    restored.tomorrow();
    assert_eq!(restored.names().await, some(&["Radio"]));
    assert!(restored.verified().await);
}

//! Letters are queued once, tried some times, and leave no address behind.

use chrono::TimeDelta;
use control_plane::{Answer, Error, NewNotice, Notified};
use domain::link::LinkKind;
use domain::mail::{ATTEMPTS_MAX, Contact, ContactSource, MailFailure, MailKind, MailState};
use domain::{Fault, Purpose, RefusalCode, SubjectId};

use crate::notices::{answers, link, strict};
use crate::world::{World, notice};

async fn changed() -> World {
    let world = strict().await;
    for subject in [1, 2, 3] {
        world.control.notice_answer(&link(subject, LinkKind::Choose), &answers(&[(Purpose::AggregateStatistics, Answer::Yes, true)])).await.unwrap();
    }
    world.contact(1, "one@town.example").await;
    world.contact(2, "two@town.example").await;
    world.control.notice_publish(NewNotice { material: true, ..notice("town", &["acme"], &[Purpose::AggregateStatistics]) }).await.unwrap();
    world
}

fn later() -> MailFailure {
    MailFailure::Later(Fault::broken("greylisted"))
}

#[tokio::test]
async fn whoever_must_be_asked_again_is_written_to_once() {
    let world = changed().await;
    let name = "town".parse().unwrap();
    assert_eq!(world.control.notice_notify(&name).await.unwrap(), Notified { queued: 2, before: 0, unreachable: 1 });
    assert_eq!(world.control.notice_notify(&name).await.unwrap(), Notified { queued: 0, before: 2, unreachable: 1 });
    // Person 2 withdraws before the letter goes out: there is nothing to ask any more.
    let given =
        control_plane::Answers { notice: domain::notice::NoticeRef { name: "town".parse().unwrap(), version: 2 }, ..answers(&[(Purpose::AggregateStatistics, Answer::No, false)]) };
    world.control.notice_answer(&link(2, LinkKind::Choose), &given).await.unwrap();
    let claimed = world.control.mail_claim(10).await.unwrap();
    assert_eq!(claimed.iter().map(|m| (m.kind, m.subject, m.address.as_str())).collect::<Vec<_>>(), [(MailKind::NoticeChanged, SubjectId(1), "one@town.example")]);
    assert!(world.control.mail_claim(10).await.unwrap().is_empty(), "claimed is claimed");
    assert_eq!(world.control.mail_settle(&claimed[0], &Ok(())).await.unwrap(), MailState::Sent);
    let states: Vec<MailState> = world.control.mail_list().await.unwrap().iter().map(|m| m.state).collect();
    assert_eq!(states, [MailState::Sent, MailState::Failed]);
    assert_eq!(world.control.notice_notify(&name).await.unwrap(), Notified { queued: 0, before: 1, unreachable: 1 });
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn attempts_end_and_a_claim_that_died_is_followed() {
    let world = changed().await;
    world.control.notice_notify(&"town".parse().unwrap()).await.unwrap();
    let died = world.control.mail_claim(1).await.unwrap();
    world.clock.forward(TimeDelta::minutes(11));
    let mut tried = 1;
    loop {
        let claimed = world.control.mail_claim(10).await.unwrap();
        let Some(mail) = claimed.iter().find(|m| m.id == died[0].id) else { break };
        tried += 1;
        assert_eq!(mail.attempt, tried);
        world.control.mail_settle(mail, &Err(later())).await.unwrap();
        world.clock.forward(TimeDelta::days(1));
    }
    assert_eq!(tried, ATTEMPTS_MAX);
    let all = world.control.mail_list().await.unwrap();
    assert_eq!(all[0].state, MailState::Failed);
}

#[tokio::test]
async fn a_parent_s_address_is_gone_when_the_letter_is() {
    let world = strict().await;
    let child = link(1, LinkKind::Choose);
    let address = "a-parent-of-somebody@town.example";
    assert!(world.control.parent_ask(&child, address, "en").await.unwrap());
    assert!(!world.control.parent_ask(&child, address, "en").await.unwrap(), "once a day");
    world.control.close().await;
    let mut world = world;
    world.reopen().await;
    assert!(!world.store_files_with(address).is_empty(), "the search would find it");
    let claimed = world.control.mail_claim(10).await.unwrap();
    world.control.mail_settle(&claimed[0], &Err(MailFailure::Refused(Fault::broken("no such mailbox")))).await.unwrap();
    assert_eq!(world.store_files_with(address), Vec::<String>::new());
    // Not a cannon: three letters a day.
    for n in 0..2 {
        assert!(world.control.parent_ask(&child, &format!("p{n}@town.example"), "en").await.unwrap());
    }
    assert!(matches!(world.control.parent_ask(&child, "p9@town.example", "en").await, Err(Error::Refused(r)) if r.code == RefusalCode::Mail));
    assert!(world.control.parent_ask(&child, "no address", "en").await.is_err());
    // The confirming letter goes a day later, to where the link came to.
    assert!(world.control.parent_confirm(&link(1, LinkKind::Parent), "en").await.unwrap());
    let kinds = |mails: &[control_plane::QueuedMail]| mails.iter().map(|m| m.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&world.control.mail_claim(10).await.unwrap()), [MailKind::ParentAsked; 2]);
    world.clock.forward(TimeDelta::days(1));
    assert!(kinds(&world.control.mail_claim(10).await.unwrap()).contains(&MailKind::ParentConfirmed));
}

#[tokio::test]
async fn addresses_are_replaced_taken_out_and_erased_and_the_log_never_has_them() {
    let world = World::new().await;
    for address in ["the-first@town.example", "the-second@town.example"] {
        let contact = Contact { email: address.into(), language: Some("de".into()) };
        world.control.subject_contact_set(SubjectId(1), Some(&contact), ContactSource::Subject).await.unwrap();
    }
    let known = world.control.subject_contact(SubjectId(1)).await.unwrap().unwrap();
    assert_eq!((known.email.as_str(), known.language.as_deref()), ("the-second@town.example", Some("de")));
    // Of two ids of one person it is found under both, and the newer word takes the older one's place.
    world.merge(2, 1, "one person").await.unwrap();
    assert_eq!(world.control.subject_contact(SubjectId(2)).await.unwrap().unwrap().email, "the-second@town.example");
    world.contact(2, "the-third@town.example").await;
    assert_eq!(world.control.subject_contact(SubjectId(1)).await.unwrap().unwrap().email, "the-third@town.example");
    world.contact(3, "the-fourth@town.example").await;
    world.control.subject_contact_set(SubjectId(3), None, ContactSource::Subject).await.unwrap();
    assert!(world.control.subject_contact(SubjectId(3)).await.unwrap().is_none());
    assert!(world.control.audit_verify(None).await.unwrap().verified);
    world.control.subject_erase(SubjectId(2)).await.unwrap();
    let lock = world.control.lake_lock().unwrap();
    world.control.erasure_finish(&lock, &[1, 2].map(SubjectId).into_iter().collect(), &[]).await.unwrap();
    world.control.audit_checkpoint().await.unwrap();
    for address in ["the-first@", "the-second@", "the-third@", "the-fourth@"] {
        assert_eq!(world.store_files_with(address), Vec::<String>::new(), "{address}");
    }
    assert!(world.control.audit_verify(None).await.unwrap().verified);
    let refused = world.control.subject_contact_set(SubjectId(3), Some(&Contact { email: "nobody".into(), language: None }), ContactSource::Operator).await;
    assert!(matches!(refused, Err(Error::Refused(r)) if r.code == RefusalCode::Mail));
}

#[tokio::test]
async fn a_restored_copy_writes_to_nobody_twice_and_knows_no_stale_address() {
    let world = changed().await;
    let copy = world.folder.path().join("copy.sqlite");
    world.control.notice_notify(&"town".parse().unwrap()).await.unwrap();
    world.control.backup_store(&copy).await.unwrap();
    let claimed = world.control.mail_claim(10).await.unwrap();
    for mail in &claimed {
        world.control.mail_settle(mail, &Ok(())).await.unwrap();
    }
    world.contact(1, "new@town.example").await;
    world.served(3, "town", 2, "en").await;
    world.control.notice_translate(&"town".parse().unwrap(), None, crate::notices::german()).await.unwrap();
    world.control.audit_checkpoint().await.unwrap();
    let restored = world.restored(&copy).await;
    let reconciled = restored.control.reconcile(&crate::reconcile::LAKE).await.unwrap().unwrap();
    assert!(reconciled.choices > 0);
    assert!(restored.control.mail_claim(10).await.unwrap().is_empty());
    assert!(restored.control.subject_contact(SubjectId(1)).await.unwrap().is_none(), "what was known before is not where they are now");
    assert_eq!(restored.control.notice_show(&"town".parse().unwrap(), None).await.unwrap().translations.len(), 1);
    assert_eq!(restored.control.notice_seen(None, Some(SubjectId(3))).await.unwrap().len(), 1);
    let report = restored.control.audit_verify(None).await.unwrap();
    assert!(report.verified, "{:?}", report.bad);
}

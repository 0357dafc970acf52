use domain::consent::{Actor, ConsentAction, ConsentKey, ConsentMethod, DataScope, LimitAct, LimitKey, LimitKind, LimitSource, Recipient, Strength};
use domain::notice::NoticeRef;
use domain::{PartnerName, Purpose, SubjectId};

use super::rows::Written;
use super::{Choice, Limit, Receipt, permitted_set};
use crate::ControlPlane;
use crate::plane::tests::deployment;
use crate::store::{row_texts, time_text};

/// A person, a partner, and a notice that asks for everything.
async fn fill(plane: &ControlPlane) {
    let mut tx = plane.inner.store.begin().await.unwrap();
    sqlx::query("INSERT INTO subject (subject_id, status, age_band) VALUES (1, 'active', '25_34'), (2, 'active', '25_34'), (4294967295, 'active', '25_34')")
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query("INSERT INTO partner_act (partner, act, at) VALUES ('0-x_', 'add', '')").execute(&mut *tx).await.unwrap();
    let purposes = serde_json::to_string(Purpose::ALL).unwrap();
    let notice = "INSERT INTO notice (name, version, language, purposes, partners, open_classes, scopes, particulars, changed, shown_from, at) \
        VALUES ('9_a-b', 4294967295, 'en', ?, '[\"0-x_\"]', '[\"c-1\"]', '[\"everything\"]', '{}', '[]', '2020-01-01T00:00:00.000000Z', '')";
    sqlx::query(notice).bind(purposes).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_others_wrote_since_the_last_group_is_not_undone_by_the_next() {
    let (_folder, plane) = deployment().await;
    fill(&plane).await;
    let (partner, purpose) = ("0-x_".parse::<PartnerName>().unwrap(), Purpose::AggregateStatistics);
    let give = async |subject| {
        let notice = NoticeRef { name: "9_a-b".parse().unwrap(), version: u32::MAX };
        let choice = Choice::now(ConsentKey::new(SubjectId(subject), partner.clone(), purpose), ConsentAction::Give, notice, ConsentMethod::Page);
        plane.consent_record(&[choice]).await.unwrap();
    };
    let permitted = async || {
        let set = permitted_set(&mut plane.inner.store.snapshot().await.unwrap(), &partner, purpose, &[DataScope::Activity]).await.unwrap();
        set.iter().map(|subject| subject.0).collect::<Vec<_>>()
    };
    give(1).await;
    assert_eq!(permitted().await, [1]);
    // The row of the permitted sets in which both are is changed by another connection.
    let key = LimitKey { subject: SubjectId(1), kind: LimitKind::Objection, purpose: None, partner: None };
    plane.limit_record(&[Limit { key, act: LimitAct::Set, actor: Actor::Subject, source: LimitSource::Person, two_step: false, at: None, evidence: None }]).await.unwrap();
    assert!(permitted().await.is_empty());
    give(2).await;
    assert_eq!(permitted().await, [2]);
}

#[tokio::test]
async fn the_text_of_a_choice_is_that_of_its_row() {
    let (_folder, plane) = deployment().await;
    fill(&plane).await;
    let mut choices = Vec::new();
    let words = Purpose::ALL.iter().zip(["0-x_", "class:c-1"].iter().cycle()).zip(DataScope::ALL.iter().cycle());
    for ((&purpose, recipient), &scope) in words {
        {
            {
                let key = ConsentKey { subject: SubjectId(u32::MAX), recipient: recipient.parse::<Recipient>().unwrap(), purpose, scope };
                let notice = NoticeRef { name: "9_a-b".parse().unwrap(), version: u32::MAX };
                for &action in ConsentAction::ALL {
                    let actor = *Actor::ALL.iter().find(|actor| actor.may(action)).unwrap();
                    for (i, &method) in (0_u8..).zip(ConsentMethod::ALL) {
                        let at = "2024-02-29T12:00:00.5Z".parse().unwrap();
                        choices.push(Choice {
                            actor,
                            strength: Strength::from_bits(i),
                            language: (i % 2 == 0).then(|| "de-AT".to_owned()),
                            evidence: (i % 2 == 0).then(|| "it's".to_owned()),
                            // The past is taken over as it was, fit or not.
                            method: if i == 0 { method } else { ConsentMethod::Import },
                            at: (i > 0).then_some(at),
                            sequence: i.into(),
                            ..Choice::now(key.clone(), action, notice.clone(), method)
                        });
                    }
                }
            }
        }
    }
    // Each by itself: some do not fit the state.
    let (mut receipts, mut refused) = (Vec::new(), 0);
    for choice in choices {
        match plane.consent_record(&[choice]).await {
            Ok(mut one) => receipts.append(&mut one),
            Err(_) => refused += 1,
        }
    }
    assert!(receipts.len() > 5 * refused, "{} of {}", receipts.len(), refused);
    let last = i64::try_from(receipts.len()).unwrap();
    let read = row_texts(&mut plane.inner.store.snapshot().await.unwrap(), "consent_event", 1..=last).await.unwrap();
    let mut last = std::collections::HashMap::new();
    for (Receipt { event, .. }, (_, read)) in receipts.iter().zip(read) {
        let recorded_at = time_text(event.recorded_at);
        assert_eq!(Written::new(event, &recorded_at, last.insert(&event.key, event.seq)).text(), read);
    }
}

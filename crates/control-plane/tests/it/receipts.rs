//! Receipts: whole, signed, and read by whoever has the published key.

use control_plane::{Error, receipt_open};
use domain::consent::{ConsentAction, Strength};
use domain::party::Party;
use domain::{Purpose, RefusalCode, SubjectId};
use serde_json::Value;

use crate::world::{World, choice, notice};

const STATISTICS: Purpose = Purpose::AggregateStatistics;

/// A world that has told people everything.
async fn told() -> World {
    let world = World::new().await;
    let party = |name: &str| Party {
        legal_name: name.into(),
        address: "1 Market Square\n12345 Town".into(),
        country: Some("DE".into()),
        email: Some("privacy@town.example".into()),
        ..Party::default()
    };
    world.control.party_describe(None, &party("Town Council")).await.unwrap();
    world.control.party_describe(Some(&"acme".parse().unwrap()), &party("Acme Ltd")).await.unwrap();
    let mut whole = notice("acme", &["acme"], &[STATISTICS, Purpose::AdMeasurement]);
    whole.particulars.storage = vec!["DE".into()];
    whole.particulars.jurisdiction = Some("DE".into());
    whole.particulars.withdrawal_url = Some("https://town.example/choices".into());
    whole.particulars.rights_url = Some("https://town.example/rights".into());
    world.control.notice_publish(whole).await.unwrap();
    world
}

async fn choose(world: &World, action: ConsentAction, strength: Strength) {
    let mut choice = choice(1, STATISTICS, action);
    (choice.notice.version, choice.strength) = (2, strength);
    world.control.consent_record(&[choice]).await.unwrap();
}

async fn receipt(world: &World) -> Result<control_plane::SignedReceipt, Error> {
    world.control.consent_receipt(SubjectId(1), &"acme".parse().unwrap(), STATISTICS).await
}

#[tokio::test]
async fn a_receipt_tells_everything_and_is_read_with_the_published_key() {
    let world = told().await;
    let explicit = Strength { explicit: true, ..Strength::default() };
    for (action, strength) in
        [(ConsentAction::Request, Strength::default()), (ConsentAction::Give, explicit), (ConsentAction::Withdraw, Strength::default()), (ConsentAction::Give, explicit)]
    {
        choose(&world, action, strength).await;
    }
    let receipt = receipt(&world).await.unwrap();
    assert_eq!((receipt.id.as_str(), receipt.seq), ("1-acme-aggregate_statistics-4", 4));
    world.control.audit_checkpoint().await.unwrap();
    let key = std::fs::read_to_string(world.folder.path().join("log/receipts-key")).unwrap();
    assert_eq!(key.trim(), world.control.receipt_key().unwrap());
    let json: Value = serde_json::from_str(&receipt_open(&receipt.note, &key).unwrap()).unwrap();
    let text = json.to_string();
    for told in [
        "Town Council",
        "Acme Ltd",
        "1 Market Square, 12345 Town",
        "ConsentRequested",
        "ConsentWithdrawn",
        "aggregate_statistics",
        "https://town.example/choices",
        "SpecialCategoryPersonalData",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert_eq!(text.matches("ConsentGiven").count(), 2);
    let shown = world.control.notice_show(&"acme".parse().unwrap(), Some(2)).await.unwrap();
    assert_eq!(text.matches(&shown.own.sha256).count(), 4, "each event names the text by its digest");
    // Nothing about the person but their number.
    assert!(!text.contains("Person 1") && !text.contains("p1"));
    // The same again says the same, but for when it was made.
    assert_eq!(self::receipt(&world).await.unwrap().note, receipt.note);
}

#[tokio::test]
async fn a_receipt_that_was_changed_or_signed_by_another_key_is_none() {
    let world = told().await;
    choose(&world, ConsentAction::Give, Strength::default()).await;
    let (note, key) = (receipt(&world).await.unwrap().note, world.control.receipt_key().unwrap());
    assert!(receipt_open(&note.replace("Acme Ltd", "Acme Inc"), &key).is_err());
    assert!(receipt_open(&note, &world.control.verifier_key()).is_err(), "the log's key signs checkpoints alone");
    assert!(receipt_open(&note, "nonsense").is_err());
    assert!(receipt_open(&world.control.audit_checkpoint().await.unwrap(), &world.control.verifier_key()).is_err(), "a checkpoint is no receipt");
    receipt_open(&note, &key).unwrap();
}

#[tokio::test]
async fn what_nobody_has_told_people_is_named() {
    let world = World::new().await;
    world.choose(1, STATISTICS, ConsentAction::Give).await;
    let lacks = async || match receipt(&world).await {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.code, RefusalCode::Notice);
            refusal.hint.unwrap()
        }
        other => panic!("{other:?}"),
    };
    assert!(lacks().await.contains("controller"));
    let party = Party { legal_name: "Somebody".into(), address: "Somewhere".into(), ..Party::default() };
    world.control.party_describe(None, &party).await.unwrap();
    assert!(lacks().await.contains("partner describe acme"));
    world.control.party_describe(Some(&"acme".parse().unwrap()), &party).await.unwrap();
    assert!(lacks().await.contains("--rights-url"));
    let nothing = world.control.consent_receipt(SubjectId(2), &"acme".parse().unwrap(), STATISTICS).await;
    assert!(matches!(nothing, Err(Error::NotFound { what: "consent", .. })));
}

//! Partners' tables: who may be matched, when questions can name them, and that they go.

use control_plane::{NewPartnerTable, PartnerTableState, Upload, UploadedFile};
use domain::catalog::TableName;
use domain::consent::ConsentAction;
use domain::lake::Manifest;
use domain::partner_table::{HashedAddress, PartnerRows, PartnerTableId};
use domain::port::Lake as _;
use domain::{Purpose, RefusalCode, SubjectId};
use sha2::{Digest, Sha256};

use crate::reconcile::LAKE;
use crate::world::World;

const PURPOSE: Purpose = Purpose::AggregateStatistics;

fn new(name: &str, replace: bool) -> NewPartnerTable {
    NewPartnerTable { partner: "acme".parse().unwrap(), name: name.parse().unwrap(), columns: vec!["tier:text".parse().unwrap()], rows_per_person: 1, replace }
}

fn hashed(address: &str) -> HashedAddress {
    HashedAddress(Sha256::digest(address).into())
}

async fn commit(world: &World, upload: Upload) -> PartnerTableId {
    let id = upload.table().id();
    let manifest = LAKE.put(upload.base().map(|base| &base.manifest), id, &PartnerRows::default()).unwrap();
    let file = UploadedFile { sha256: "00".into(), rows: 3 };
    world.control.partner_table_commit(upload, &manifest, &file).await.unwrap();
    id
}

async fn upload(world: &World, name: &str, replace: bool) -> PartnerTableId {
    let begun = world.control.partner_table_begin(new(name, replace)).await.unwrap();
    commit(world, begun).await
}

async fn states(world: &World) -> Vec<PartnerTableState> {
    world.control.partner_table_list(None).await.unwrap().into_iter().map(|info| info.state).collect()
}

async fn visible(world: &World) -> Vec<PartnerTableId> {
    world.control.partner_table_visible(&"acme".parse().unwrap()).await.unwrap().iter().map(|table| table.id()).collect()
}

async fn head(world: &World) -> Manifest {
    world.control.snapshot_head().await.unwrap().unwrap().manifest
}

#[tokio::test]
async fn only_people_who_agreed_are_matched_and_nobody_decides_for_another() {
    let world = World::new().await;
    for (person, address) in [(1, "Ada@Town.example "), (2, "bo@town.example"), (3, "ada@town.example"), (5, "cy@town.example")] {
        world.contact(person, address.trim()).await;
    }
    for person in [1, 2, 3] {
        world.choose(person, PURPOSE, ConsentAction::Give).await;
    }
    world.choose(2, PURPOSE, ConsentAction::Withdraw).await;
    let upload = world.control.partner_table_begin(new("crm", false)).await.unwrap();
    assert_eq!(upload.owners(&hashed("ada@town.example")), [SubjectId(1), SubjectId(3)], "both who share an address");
    assert!(upload.owners(&hashed("bo@town.example")).is_empty(), "withdrawn");
    assert!(upload.owners(&hashed("cy@town.example")).is_empty(), "never asked");
    assert!(upload.owners(&hashed("dee@town.example")).is_empty(), "not here");
}

#[tokio::test]
async fn a_table_can_be_named_from_its_tick_on_until_it_is_deleted() {
    let world = World::new().await;
    let id = upload(&world, "crm", false).await;
    assert!(matches!(states(&world).await[..], [PartnerTableState::Waiting(_)]) && visible(&world).await.is_empty());
    world.tomorrow();
    assert_eq!((states(&world).await, visible(&world).await), (vec![PartnerTableState::Visible], vec![id]));
    let taken = world.control.partner_table_begin(new("crm", false)).await.err().unwrap().to_string();
    assert!(taken.contains("--replace") || taken.contains("already"), "{taken}");
    let newer = upload(&world, "crm", true).await;
    assert_ne!(newer, id);
    assert_eq!(visible(&world).await, [id], "until the tick");
    world.tomorrow();
    assert_eq!(visible(&world).await, [newer]);
    assert_eq!(states(&world).await[0], PartnerTableState::Replaced);
    let lock = world.control.lake_lock().unwrap();
    let partner = "acme".parse().unwrap();
    world.control.partner_table_delete(&lock, &partner, &"crm".parse().unwrap()).await.unwrap();
    drop(lock);
    assert!(visible(&world).await.is_empty() && !head(&world).await.tables.contains_key(&TableName::Partner(newer)));
    assert!(matches!(states(&world).await[1], PartnerTableState::Deleted(_)));
    let report = world.control.audit_verify(None).await.unwrap();
    assert!(report.bad.is_none(), "{:?}", report.bad);
    let again = upload(&world, "crm", false).await;
    assert!(again > newer, "numbers are never used again");
}

#[tokio::test]
async fn a_deletion_before_the_tick_takes_both_the_old_and_the_new_table() {
    let world = World::new().await;
    upload(&world, "crm", false).await;
    world.tomorrow();
    upload(&world, "crm", true).await;
    let lock = world.control.lake_lock().unwrap();
    world.control.partner_table_delete(&lock, &"acme".parse().unwrap(), &"crm".parse().unwrap()).await.unwrap();
    for snapshot in world.control.snapshot_live().await.unwrap() {
        assert!(snapshot.manifest.tables.keys().all(|table| !matches!(table, TableName::Partner(_))), "{snapshot:?}");
    }
}

#[tokio::test]
async fn whoever_may_ask_nothing_uploads_nothing() {
    let world = World::new().await;
    let other = NewPartnerTable { partner: "nobody".parse().unwrap(), ..new("crm", false) };
    assert!(world.control.partner_table_begin(other).await.is_err());
    world.control.partner_act(&"acme".parse().unwrap(), domain::agreement::PartnerAct::Suspend).await.unwrap();
    match world.control.partner_table_begin(new("crm", false)).await {
        Err(control_plane::Error::Refused(refusal)) => assert_eq!(refusal.code, RefusalCode::Partner),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a suspended partner"),
    }
}

//! One value is changed behind our back, in every table: verification must say so.

use std::sync::Arc;

use domain::Purpose;
use domain::consent::{ConsentAction, LimitAct, LimitKind};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use crate::world::{ScriptedRoom, World, ask};

async fn full_world() -> World {
    let world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    for subject in 1..20 {
        world.choose(subject, Purpose::AggregateStatistics, ConsentAction::Give).await;
        world.choose(subject, Purpose::AdMeasurement, if subject % 2 == 0 { ConsentAction::Refuse } else { ConsentAction::Give }).await;
    }
    world.choose(3, Purpose::AggregateStatistics, ConsentAction::Withdraw).await;
    world.limit(5, LimitKind::OptOut, LimitAct::Set).await;
    world.control.subject_cap(domain::SubjectId(2), crate::world::cost("0.5"), domain::consent::ConsentMethod::Page).await.unwrap();
    world.control.release_run(room.clone(), &ask("count a", "0.1")).await.unwrap();
    world.control.release_run(room.clone(), &ask("count a", "0.1")).await.unwrap();
    world.control.audit_checkpoint().await.unwrap();
    world.merge(17, 18, "one letter from both").await.unwrap();
    world.import(38..42, |_| domain::subject::AgeBand::From65).await;
    let undoing = world.control.undo_begin(2).await.unwrap();
    world.control.undo_commit(undoing, None).await.unwrap();
    world.describe_controller().await;
    world.control.notice_translate(&"acme".parse().unwrap(), None, crate::notices::german()).await.unwrap();
    world.served(6, "acme", 1, "de").await;
    for email in ["first@town.example", "anna@town.example"] {
        world.contact(7, email).await;
    }
    world.control.staff_read(domain::SubjectId(4), "trace").await.unwrap();
    world.control.release_run(room, &ask("count b", "0.1")).await.unwrap();
    world
}

/// Runs `sql` on the store without its triggers, then verifies.
async fn after(sql: &str) -> control_plane::AuditReport {
    let mut world = full_world().await;
    assert!(world.control.audit_verify(None).await.unwrap().verified);
    world.control.close().await;
    let url = format!("sqlite://{}", world.folder.path().join("control.sqlite").display());
    let mut raw = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut raw).await.unwrap();
    for row in sqlx::query("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetch_all(&mut raw).await.unwrap() {
        sqlx::query(AssertSqlSafe(format!("DROP TRIGGER {}", row.get::<String, _>(0)))).execute(&mut raw).await.unwrap();
    }
    for statement in sql.split(';').filter(|s| !s.trim().is_empty()) {
        let changed = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut raw).await.unwrap().rows_affected();
        assert!(changed > 0, "nothing changed by {statement}");
    }
    raw.close().await.unwrap();
    world.reopen().await;
    world.control.audit_verify(None).await.unwrap()
}

#[tokio::test]
async fn a_changed_value_in_any_table_is_found() {
    for (sql, names_entry) in [
        ("UPDATE deployment SET rho_cap = rho_cap + 1", true),
        ("UPDATE import SET sources = replace(sources, 'csv/1', 'csv/2')", true),
        ("UPDATE account SET native_id = 'p99' WHERE native_id = 'p7'", true),
        ("UPDATE subject_fact SET age_band = '18_24' WHERE subject_id = 4", true),
        ("UPDATE subject SET age_band = '18_24' WHERE subject_id = 4", false),
        ("UPDATE subject SET status = 'erased' WHERE subject_id = 5", false),
        ("UPDATE snapshot SET manifest = replace(manifest, '1024', '1025')", true),
        ("UPDATE subject SET salt = zeroblob(16) WHERE subject_id = 4", true),
        ("DELETE FROM account WHERE native_id = 'p9'", true),
        ("UPDATE notice SET particulars = replace(particulars, '{}', '{\"rights_url\":\"https://evil.example\"}')", true),
        ("UPDATE notice_text SET text = 'May we ever?'", true),
        ("UPDATE notice_text SET sentences = '{\"aggregate_statistics\":{\"ask\":\"Sure?\"}}' WHERE language = 'de'", true),
        ("DELETE FROM notice_text WHERE language = 'de'", true),
        ("UPDATE notice_served SET version = 2", true),
        ("UPDATE notice_served SET subject_id = 9 WHERE subject_id = 6", true),
        ("DELETE FROM notice_served", true),
        ("UPDATE party SET details = replace(details, 'Town', 'Village')", true),
        ("DELETE FROM party", true),
        ("UPDATE contact_act SET source = 'import'", true),
        ("DELETE FROM contact_act", true),
        ("UPDATE contact_address SET address = 'somebody@else.example' WHERE subject_id = 7", false),
        ("UPDATE contact_address SET language = 'fr' WHERE subject_id = 7", false),
        ("UPDATE contact_address SET subject_id = 9, act_id = act_id + 100 WHERE subject_id = 7", false),
        ("DELETE FROM contact_address WHERE subject_id = 7", false),
        ("INSERT INTO contact_address SELECT 99, 9, salt, address, language FROM contact_address WHERE subject_id = 7", false),
        ("UPDATE consent_event SET action = 'give' WHERE action = 'withdraw'", true),
        ("UPDATE consent_event SET subject_id = 21 WHERE id = 5", true),
        ("UPDATE consent_event SET previous = 1 WHERE id = 5", true),
        ("UPDATE partner_act SET legal_name = 'Somebody else' WHERE act = 'add'", true),
        ("UPDATE agreement_act SET terms = replace(terms, '2027-10-31', '2037-10-31') WHERE act = 'add'", true),
        ("UPDATE release_reservation SET rho = rho - 1 WHERE id = 1", true),
        ("UPDATE release_outcome SET answer = replace(answer, '[0]', '[7]') WHERE id = 1", true),
        ("UPDATE release_redelivery SET at = '2026-11-24T10:00:01.000000Z'", true),
        ("UPDATE audit_entry SET body = replace(body, 'consent_recorded', 'consent_recordeb') WHERE id = 20", true),
        ("UPDATE audit_entry SET body = body || ' ' WHERE id = 20", true),
        ("UPDATE audit_entry SET salt = zeroblob(32) WHERE id = 20", true),
        ("UPDATE audit_entry SET leaf = zeroblob(32) WHERE id = 20", true),
        ("DELETE FROM audit_entry WHERE id = 20", true),
        ("DELETE FROM consent_event WHERE id = 5", true),
        ("UPDATE consent_state SET state = 'given' WHERE state = 'withdrawn'", false),
        ("INSERT INTO permitted_chunk SELECT partner, 'ai_training', chunk, bits FROM permitted_chunk WHERE purpose = 'aggregate_statistics'", false),
        ("UPDATE permitted_chunk SET bits = (SELECT bits FROM permitted_chunk WHERE purpose = 'ad_measurement') WHERE purpose = 'aggregate_statistics'", false),
        ("UPDATE budget_counter SET rho_spent = rho_spent - 1 WHERE scope = 'deployment'", false),
        ("UPDATE budget_counter SET rho_cap = rho_cap + 1 WHERE scope LIKE 'window:%'", false),
        ("DELETE FROM budget_counter WHERE scope LIKE 'agreement:%'", false),
        ("UPDATE counter SET value = value + 1 WHERE name = 'consent'", false),
        ("UPDATE checkpoint SET note = replace(note, 'test.example/log', 'test.example/lag')", false),
        ("UPDATE cap_choice SET rho_cap = rho_cap * 2", true),
        ("UPDATE subject_cap SET rho_cap = rho_cap * 2", false),
        ("DELETE FROM subject_cap", false),
        ("UPDATE participant_set SET sealed = zeroblob(80) WHERE settled = 1", false),
        ("UPDATE participant_set SET sealed = (SELECT sealed FROM participant_set WHERE settled = 2) WHERE settled = 1", false),
        ("DELETE FROM participant_set WHERE settled = 1", false),
        ("UPDATE release_outcome SET participants = (SELECT participants FROM release_outcome WHERE settled = 2) WHERE settled = 1", true),
        ("UPDATE counter SET value = value - 1 WHERE name = 'settled'", false),
        ("INSERT INTO loss_chunk (year, chunk, sealed) VALUES (2026, 0, zeroblob(60))", false),
        ("UPDATE import SET named = (SELECT named FROM import WHERE id = 1) WHERE id = 2", true),
        ("UPDATE import_undo SET import_id = 1", true),
        ("DELETE FROM import_undo", true),
        ("UPDATE account SET pseudonym = 1 WHERE native_id = 'p7'", true),
        ("UPDATE identity_act SET other_id = 16", true),
        ("UPDATE identity_act SET losses = replace(losses, substr(losses, 1, 1), 'x')", true),
        ("DELETE FROM identity_act", true),
        ("UPDATE identity_evidence SET text = 'because'", false),
        ("DELETE FROM identity_evidence", false),
        ("UPDATE identity_loss SET sealed = zeroblob(44)", false),
        ("UPDATE identity_loss SET subject_id = 3", false),
        ("UPDATE identity_loss SET year = 2025", false),
        ("DELETE FROM identity_loss", false),
        ("UPDATE subject SET merged_into = NULL, status = 'active' WHERE subject_id = 18", false),
        ("UPDATE subject SET merged_into = 16 WHERE subject_id = 18", false),
        ("UPDATE subject SET merged_into = 3 WHERE subject_id = 5", false),
        ("UPDATE staff_read SET subject_id = 9", true),
        ("DELETE FROM staff_read", true),
        ("INSERT INTO staff_read SELECT 9, subject_id, what, at FROM staff_read", false),
        (
            "INSERT INTO consent_event SELECT 999, 30, recipient, purpose, scope, at, sequence, 'give', actor, method, strength, notice, notice_version, language, evidence, valid_until, recorded_at, NULL FROM consent_event WHERE id = 1",
            false,
        ),
        ("UPDATE consent_state SET strength = 7 WHERE state = 'given'", false),
        ("UPDATE consent_state SET valid_until = 4070908800000000 WHERE state = 'given'", false),
        ("UPDATE consent_state SET last_event = last_event - 1 WHERE last_event = (SELECT max(last_event) FROM consent_state)", false),
        ("UPDATE consent_state SET last_event = last_event + 1", false),
        ("UPDATE consent_state SET last_event = 0 WHERE last_event = (SELECT min(last_event) FROM consent_state)", false),
        ("DELETE FROM consent_state WHERE state = 'withdrawn'", false),
        ("UPDATE limit_event SET act = 'lift'", true),
        ("UPDATE limit_event SET subject_id = 9", true),
        ("DELETE FROM limit_event", true),
        ("DELETE FROM limit_state", false),
        ("INSERT INTO limit_state (subject_id, kind, purpose, partner) VALUES (9, 'restriction', '', '')", false),
        ("UPDATE rule_pack_act SET text = replace(text, 'age_below = 18', 'age_below = 13')", true),
        ("DELETE FROM rule_pack_act", true),
        ("UPDATE permitted_basis SET law = 0", false),
        ("UPDATE permitted_basis SET until = '2000-01-01T00:00:00.000000Z'", false),
        ("INSERT INTO notice_floor (notice, purpose, recipient, version) VALUES ('acme', 'ad_measurement', 'acme', 9)", false),
        ("INSERT INTO release_redelivery SELECT 99, release, at FROM release_redelivery", false),
    ] {
        let report = after(sql).await;
        assert!(!report.verified, "not found: {sql}");
        let bad = report.bad.unwrap();
        assert_eq!(bad.entry.is_some(), names_entry, "{sql}: {bad:?}");
        if sql.contains("WHERE id = 20") {
            assert_eq!(bad.entry, Some(20), "{sql}: {bad:?}");
        }
    }
}

/// The newest entries and their rows go, and the tree is made to fit: a checkpoint that was published
/// before still tells.
#[tokio::test]
async fn a_log_that_is_cut_below_a_checkpoint_is_found() {
    let mut world = full_world().await;
    world.control.audit_checkpoint().await.unwrap();
    let before = world.control.audit_verify(None).await.unwrap().entries;
    world.control.close().await;
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", world.folder.path().join("control.sqlite").display())).await.unwrap();
    for row in sqlx::query("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetch_all(&mut raw).await.unwrap() {
        sqlx::query(AssertSqlSafe(format!("DROP TRIGGER {}", row.get::<String, _>(0)))).execute(&mut raw).await.unwrap();
    }
    let rows = sqlx::query("SELECT leaf FROM audit_entry ORDER BY id").fetch_all(&mut raw).await.unwrap();
    let mut frontier = audit_log::Frontier::default();
    for row in &rows[..rows.len() - 1] {
        frontier.push(audit_log::Hash::from_bytes(row.get::<Vec<u8>, _>(0).try_into().unwrap()));
    }
    sqlx::query("DELETE FROM audit_entry WHERE id = (SELECT max(id) FROM audit_entry)").execute(&mut raw).await.unwrap();
    sqlx::query("DELETE FROM release_outcome WHERE id = (SELECT max(id) FROM release_outcome)").execute(&mut raw).await.unwrap();
    sqlx::query("DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)").execute(&mut raw).await.unwrap();
    sqlx::query("UPDATE audit_tree SET frontier = ?").bind(frontier.to_bytes()).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    world.reopen().await;
    let report = world.control.audit_verify(None).await.unwrap();
    assert_eq!(report.entries, before - 1);
    assert_eq!(report.bad.unwrap().entry, Some(before - 1));
}

#[tokio::test]
async fn proofs_hold_for_outsiders() {
    let world = full_world().await;
    let proof = world.control.audit_prove(5).await.unwrap();
    let verifier = audit_log::Verifier::parse(&world.control.verifier_key()).unwrap();
    let checkpoint = verifier.open(&proof.checkpoint).unwrap();
    let salt = audit_log::Salt::from_bytes(hex::decode(&proof.salt).unwrap().try_into().unwrap());
    assert_eq!(audit_log::entry_leaf(&salt, proof.body.as_bytes()), proof.leaf);
    audit_log::verify_inclusion(&proof.leaf, &proof.proof, &checkpoint.root).unwrap();
    let published = std::fs::read_to_string(world.folder.path().join("log/checkpoint")).unwrap();
    assert_eq!(published, proof.checkpoint);
    assert!(!proof.body.contains("Person"), "an entry holds no personal data");
}

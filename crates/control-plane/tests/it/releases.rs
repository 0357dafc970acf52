use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use control_plane::{Ask, Error};
use domain::agreement::{AgreementAct, PartnerAct};
use domain::{Fault, Purpose, RefusalCode};
use dp::Rho;

use crate::world::{ScriptedRoom, World, ask};

fn code(outcome: Result<impl Sized, Error>) -> RefusalCode {
    match outcome {
        Err(Error::Refused(refusal)) => refusal.code,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[tokio::test]
async fn the_same_question_is_free_and_every_other_is_paid() {
    let world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    let first = world.control.release_run(room.clone(), &ask("count a", "0.1")).await.unwrap();
    let again = world.control.release_run(room.clone(), &ask("count a", "0.1")).await.unwrap();
    assert!(!first.redelivered && again.redelivered);
    assert_eq!((&first.id, &first.presented, first.budget.spent), (&again.id, &again.presented, again.budget.spent));
    assert_eq!(room.calls.load(Ordering::SeqCst), 1);
    // For less, the better answer that is there.
    let cheaper = world.control.release_run(room.clone(), &ask("count a", "0.05")).await.unwrap();
    assert_eq!((cheaper.redelivered, cheaper.id, cheaper.cost, cheaper.budget.spent), (true, again.id.clone(), again.cost, again.budget.spent));
    let others = [ask("count b", "0.1"), ask("count a", "0.2"), Ask { purpose: Purpose::AdMeasurement, ..ask("count a", "0.1") }, Ask { fresh: true, ..ask("count a", "0.1") }];
    for other in &others {
        assert!(!world.control.release_run(room.clone(), other).await.unwrap().redelivered);
    }
    // Of those that cost enough, the newest: that which was asked for afresh.
    let newest = world.control.release_run(room.clone(), &ask("count a", "0.1")).await.unwrap();
    assert!(newest.redelivered && newest.id != again.id && newest.cost == again.cost);
    world.tomorrow();
    let next_day = world.control.release_run(room.clone(), &ask("count a", "0.1")).await.unwrap();
    assert!(!next_day.redelivered);
    assert_eq!(next_day.budget.spent.rho.to_string(), "0.7");
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn nothing_runs_without_an_approved_partner_and_an_active_agreement() {
    let world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    let run = |a: Ask| {
        let (control, room) = (world.control.clone(), room.clone());
        async move { code(control.release_run(room, &a).await) }
    };
    assert_eq!(run(Ask { purpose: Purpose::AiTraining, ..ask("count", "0.1") }).await, RefusalCode::Purpose);
    assert_eq!(run(ask("select", "0.1")).await, RefusalCode::Syntax);
    world.clock.forward(TimeDelta::days(400));
    assert_eq!(run(ask("count", "0.1")).await, RefusalCode::Expired);
    world.clock.forward(TimeDelta::days(-400));
    world.control.partner_act(&"acme".parse().unwrap(), PartnerAct::Suspend).await.unwrap();
    assert_eq!(run(ask("count", "0.1")).await, RefusalCode::Partner);
    world.control.partner_act(&"acme".parse().unwrap(), PartnerAct::Approve).await.unwrap();
    world.control.agreement_act(&"acme-1".parse().unwrap(), AgreementAct::End).await.unwrap();
    assert_eq!(run(ask("count", "0.1")).await, RefusalCode::Agreement);
    assert_eq!(room.calls.load(Ordering::SeqCst), 0, "something looked at data");
    assert!(world.control.release_list(None).await.unwrap().is_empty(), "something was charged");
}

/// Sixteen at once on a budget for ten.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_on_the_budget_never_overspends() {
    let world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let (control, room) = (world.control.clone(), room.clone());
            tokio::spawn(async move { control.release_run(room, &ask(&format!("count {n}"), "0.1")).await })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => granted += 1,
            outcome => assert_eq!(code(outcome), RefusalCode::Budget),
        }
    }
    assert_eq!(granted, 10);
    for line in world.control.budget_show().await.unwrap() {
        assert!(line.balance.spent.rho <= "1".parse::<Rho>().unwrap(), "{}", line.scope);
    }
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn a_price_that_does_not_fit_names_the_largest_that_does() {
    let world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    world.control.release_run(room.clone(), &ask("count a", "0.7")).await.unwrap();
    let Err(Error::Refused(refusal)) = world.control.release_run(room.clone(), &ask("count b", "0.5")).await else { panic!("accepted") };
    assert_eq!(refusal.code, RefusalCode::Budget);
    assert_eq!(refusal.hint.unwrap(), "the largest price that fits is --rho 0.3");
    let quote = world.control.release_quote(&*room, &ask("count b", "0.1")).await.unwrap();
    assert_eq!(quote.fits, 3);
    world.control.release_run(room, &ask("count b", "0.3")).await.unwrap();
}

#[tokio::test]
async fn a_broken_room_is_charged_and_says_nothing() {
    let world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    room.breaks.store(true, Ordering::SeqCst);
    let Err(Error::Failed(fault)) = world.control.release_run(room.clone(), &ask("count a", "0.1")).await else { panic!("answered") };
    assert!(!fault.to_string().contains("alice") && !Fault::PUBLIC_TEXT.contains("alice"));
    let releases = world.control.release_list(None).await.unwrap();
    assert_eq!((releases.len(), releases[0].state.as_str()), (1, "abandoned"));
    // Asking again is a new question: nothing was stored, and nothing is paid back.
    room.breaks.store(false, Ordering::SeqCst);
    let after = world.control.release_run(room, &ask("count a", "0.1")).await.unwrap();
    assert_eq!(after.budget.spent.rho.to_string(), "0.2");
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn what_a_crash_left_open_is_abandoned_later_and_stays_charged() {
    let mut world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    // The process goes away between payment and answer.
    let (control, slow) = (world.control.clone(), Arc::new(Sleeping::default()));
    let running = tokio::spawn(async move { control.release_run(slow, &ask("count a", "0.1")).await });
    while world.control.release_list(None).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    running.abort();
    let _ = running.await;
    assert_eq!(code(world.control.release_run(room.clone(), &ask("count a", "0.1")).await), RefusalCode::Running);
    world.clock.forward(TimeDelta::minutes(11));
    world.reopen().await;
    assert_eq!(world.control.release_list(None).await.unwrap()[0].state, "abandoned");
    let after = world.control.release_run(room, &ask("count a", "0.1")).await.unwrap();
    assert_eq!(after.budget.spent.rho.to_string(), "0.2");
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

/// Prepares like the scripted room and takes its time.
#[derive(Default)]
struct Sleeping(ScriptedRoom);

impl domain::port::CleanRoom for Sleeping {
    fn prepare(
        &self,
        question: &domain::question::Question,
        tables: &[domain::partner_table::PartnerTable],
        creators: &Arc<domain::CreatorList>,
    ) -> Result<domain::question::Prepared, domain::Refusal> {
        self.0.prepare(question, tables, creators)
    }

    fn answer(&self, _: &domain::port::PaidLook<'_>) -> Result<domain::release::Answered, Fault> {
        #[expect(clippy::disallowed_methods, reason = "a room that is slow in real time")]
        std::thread::sleep(std::time::Duration::from_secs(2));
        Err(Fault::broken("too late"))
    }
}

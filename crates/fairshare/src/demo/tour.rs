//! The tour: what a newcomer sees.

use std::sync::Arc;

use control_plane::{Ask, Case, Choice, Error};
use domain::Purpose;
use domain::consent::{ConsentAction, ConsentKey, ConsentMethod};
use domain::notice::NoticeRef;
use domain::port::CleanRoom;
use domain::question::{Narrowing, Question, Value};
use domain::release::Release;

use super::{Demonstration, TownPartner, find};
use crate::chart::{Bar, bars, count, grouped};
use crate::command::query::{quote_lines, summary};
use crate::output::note;

const TAGS: &str = "SELECT tag, count(distinct subject_id) AS people FROM activity_tag GROUP BY tag ORDER BY people DESC LIMIT 12";
const HOURS: &str = "SELECT hour, count(*) AS acts FROM activity GROUP BY hour HAVING hour IS NOT NULL ORDER BY hour";

const SURVEY: &str = "SELECT satisfied, count(distinct subject_id) AS people FROM partner.survey GROUP BY satisfied KEYS ('yes', 'no')";

/// Shows the town; tells how many releases it made.
pub(super) async fn tour(demo: &Demonstration) -> anyhow::Result<u64> {
    let control = &demo.deployment.control;
    let room = demo.deployment.clean_room()?;
    arrived(demo);

    heading(2, "A partner asks what it would cost, before anything is paid or looked at");
    let tags = ask(TownPartner::University, Purpose::AggregateStatistics, TAGS, "0.2", false)?;
    question(&tags);
    for line in quote_lines(&control.release_quote(&*room, &tags).await?) {
        note(&format!("  {line}"));
    }

    heading(3, "It asks: the town's hashtags, by people who use them");
    let first = control.release_run(Arc::clone(&room), &tags).await?;
    show(&first, 0);
    note("  Some hashtags may be missing: those of few people are left out, decided with noise.");
    let rhythm = ask(TownPartner::University, Purpose::AggregateStatistics, HOURS, "0.2", false)?;
    question(&rhythm);
    let hours = control.release_run(Arc::clone(&room), &rhythm).await?;
    show(&hours, 0);

    heading(4, "The same question again is free, and gives the same answer");
    let again = control.release_run(Arc::clone(&room), &tags).await?;
    note(&format!("  {}", summary(&again)));

    heading(5, "What the rules refuse, they refuse before any data is read");
    refusals(demo, &room).await?;

    heading(6, "A partner brings rows of its own, matched by hashed address to people who agreed");
    let survey = ask(TownPartner::University, Purpose::AggregateStatistics, SURVEY, "0.05", false)?;
    question(&survey);
    show(&control.release_run(Arc::clone(&room), &survey).await?, 0);

    heading(7, "Somebody changes their mind");
    withdrawal(demo, &room).await?;

    heading(8, "And all of it can be proven");
    let report = control.audit_verify(Some(&demo.deployment.lake)).await?;
    control.audit_checkpoint().await?;
    note(&format!("  {} entries recomputed: every import, notice, choice, agreement act and release.", count(report.entries)));
    note(&format!("  root {}", report.root));
    note(if report.verified { "  Verified. Change one byte of the log or of a recorded row, and it is not." } else { "  NOT VERIFIED." });
    anyhow::ensure!(report.verified, "the demo's own log does not verify: {:?}", report.bad);

    next(demo);
    Ok(control.release_list(None).await?.len() as u64)
}

fn heading(number: u32, text: &str) {
    note(&format!("\n{number}. {text}"));
}

fn question(ask: &Ask) {
    note(&format!("  {} asks, for {}:\n  {}", ask.partner, ask.purpose, ask.question.sql));
}

fn ask(partner: TownPartner, purpose: Purpose, sql: &str, rho: &str, fresh: bool) -> anyhow::Result<Ask> {
    let question = Question { sql: sql.to_owned(), params: Vec::new(), rho: rho.parse()?, narrowing: Narrowing::default() };
    Ok(Ask { partner: partner.partner()?, purpose, agreement: None, question, fresh })
}

fn arrived(demo: &Demonstration) {
    heading(1, "Exports arrive, people choose");
    let counts = &demo.counts;
    note(&format!(
        "  {} exports imported: {} acts by {} people ({} posts, {} replies, {} shares, {} likes, …)",
        count(demo.town.sources.len() as u64),
        count(counts.activities()),
        count(demo.town.citizens.len() as u64),
        count(counts.posts),
        count(counts.replies),
        count(counts.shares),
        count(counts.likes)
    ));
    if let Some(file) = &demo.rejects_file {
        note(&format!("  {} records could not be read; they are kept, with place and reason, in {file}", counts.rejected));
    }
    let choices: usize = demo.town.citizens.iter().map(|c| c.choices.len()).sum();
    note(&format!("  {} choices recorded: yes, no and withdrawn, each for one partner and one purpose. Who never answered counts as no.", count(choices as u64)));
}

/// The first key and the first aggregate as bars.
fn show(release: &Release, aggregate: usize) {
    let drawn = release.presented.rows.iter().filter_map(|row| {
        let label = row.first().map(|(value, _)| value.to_string())?;
        let (value, range) = row.get(aggregate + 1)?;
        let (low, high) = range.as_ref()?;
        let number = |v: &Value| v.as_f64();
        Some(Bar { label, value: number(value)?, low: number(low)?, high: number(high)? })
    });
    let drawn: Vec<Bar> = drawn.collect();
    note(&bars(&drawn));
    note(&format!("  {}", summary(release)));
}

async fn refusals(demo: &Demonstration, room: &Arc<dyn CleanRoom>) -> anyhow::Result<()> {
    let rows = ask(TownPartner::Retailer, Purpose::CommercialResearch, "SELECT subject_id, text FROM activity", "0.05", false)?;
    let purpose = ask(TownPartner::Retailer, Purpose::TargetedAdvertising, "SELECT count(*) FROM activity", "0.05", false)?;
    let budget = ask(TownPartner::Retailer, Purpose::CommercialResearch, "SELECT count(*) FROM activity", "5", false)?;
    for ask in [rows, purpose, budget] {
        question(&ask);
        match demo.deployment.control.release_run(Arc::clone(room), &ask).await {
            Err(Error::Refused(refusal)) => {
                note(&format!("  → refused {}: {}", refusal.code, refusal.message));
                if let Some(hint) = refusal.hint {
                    note(&format!("    hint: {hint}"));
                }
            }
            Err(other) => return Err(other.into()),
            Ok(_) => anyhow::bail!("this should have been refused"),
        }
    }
    Ok(())
}

async fn withdrawal(demo: &Demonstration, room: &Arc<dyn CleanRoom>) -> anyhow::Result<()> {
    let control = &demo.deployment.control;
    let (partner, purpose) = (TownPartner::University, Purpose::AggregateStatistics);
    let agreed = demo.town.citizens.iter().find(|c| c.choices.iter().rfind(|c| c.partner == partner && c.purpose == purpose).is_some_and(|c| c.action == ConsentAction::Give));
    let Some(citizen) = agreed else { anyhow::bail!("nobody in this town agreed to anything; try another seed") };
    let subject = find(&demo.deployment, citizen).await?;
    let case = Case::new(subject, partner.partner()?, purpose);
    let before = control.decide(&case).await?;
    note(&format!("  Subject {subject}, {} for {purpose}: {}", case.partner, if before.permit() { "permit" } else { "deny" }));
    let notice = NoticeRef { name: case.partner.as_str().parse()?, version: 1 };
    let receipts =
        control.consent_record(&[Choice::now(ConsentKey::new(subject, case.partner.clone(), purpose), ConsentAction::Withdraw, notice, ConsentMethod::Operator)]).await?;
    for receipt in &receipts {
        note(&format!("  They withdraw. On disk as choice {}, in the log as entry {}.", receipt.event.seq, receipt.entry));
    }
    let after = control.decide(&case).await?;
    let why = after.reasons().first().map_or_else(String::new, |r| format!(": {}", r.text));
    note(&format!("  Subject {subject}, {} for {purpose}: {}{why}", case.partner, if after.permit() { "permit" } else { "deny" }));
    anyhow::ensure!(before.permit() && !after.permit(), "a withdrawal that does not hold");
    note("  The next new answer is computed without them. Nobody can tell from the numbers that they left:");
    let fresh = control.release_run(Arc::clone(room), &ask(partner, purpose, "SELECT count(distinct subject_id) AS people FROM activity", "0.05", true)?).await?;
    show_total(&fresh);
    Ok(())
}

fn show_total(release: &Release) {
    if let Some([(value, Some((low, high)))]) = release.presented.rows.first().map(Vec::as_slice) {
        let text = |v: &Value| v.as_f64().map_or_else(String::new, grouped);
        note(&format!("  people counted: about {} ({} – {})", text(value), text(low), text(high)));
    }
    note(&format!("  {}", summary(release)));
}

fn next(demo: &Demonstration) {
    let data = demo.deployment.folder.display();
    note(&format!(
        "\nTry next (the town stays in {data}):\n  \
         fairshare --data {data} table show activity\n  \
         fairshare --data {data} query --partner university --purpose academic_research --estimate \"SELECT language, count(distinct subject_id) FROM activity GROUP BY language\"\n  \
         fairshare --data {data} decide --subject 1 --partner bright-ads --purpose ad_measurement\n  \
         fairshare --data {data} consent history 1\n  \
         fairshare --data {data} budget show\n  \
         fairshare --data {data} audit prove 3\n"
    ));
}

//! `fairshare demo`: the whole main job on a synthetic town, through the real importers, the real
//! ledger and the real clean room.

mod survey;
mod tour;
pub(crate) mod town;

use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use control_plane::{Choice, NewNotice};
use domain::agreement::{AgreementAct, AgreementTerms, PartnerAct};
use domain::consent::{ConsentKey, ConsentMethod, DataScope};
use domain::lake::SnapshotClock;
use domain::notice::{NoticeParticulars, NoticeRef, NoticeTerms, Wording};
use domain::party::Party;
use domain::port::Clock;
use domain::record::Counts;
use domain::{PartnerName, Purpose, SubjectId};
use dp::{Cost, Delta};
use ingest::{Deletions, Options};
use serde_json::json;

use crate::cli::{Demo, Init, Serve};
use crate::command;
use crate::deployment::{Deployment, SystemClock};
use crate::output::{line, note};
use crate::progress::TerminalProgress;
use town::{Town, TownOptions, TownPartner};

/// A folder with this file was made by the demo, which may therefore make it anew.
const MARKER: &str = "made-by-demo";

/// Choices recorded in one transaction.
const BATCH: usize = 2_000;

/// The town after everything was set up.
struct Demonstration {
    deployment: Deployment,
    town: Town,
    counts: Counts,
    rejects_file: Option<String>,
}

/// Builds the town, shows it, and serves unless asked not to.
pub(crate) async fn demo(args: Demo, data: &Path) -> anyhow::Result<ExitCode> {
    let demonstration = set_up(&args, data).await?;
    let releases = tour::tour(&demonstration).await?;
    let Demonstration { deployment, counts, .. } = &demonstration;
    let partners = deployment.control.partner_list().await?.len();
    let no_serve = args.no_serve || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal();
    if no_serve {
        line(&json!({ "subjects": args.subjects, "activities": counts.activities(), "partners": partners, "releases": releases, "data": data }).to_string())?;
    } else {
        command::serve(Serve::local()?, deployment).await?;
    }
    deployment.control.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn set_up(args: &Demo, data: &Path) -> anyhow::Result<Demonstration> {
    if data.join(MARKER).exists() {
        fs::remove_dir_all(data).with_context(|| format!("removing the earlier demo in {}", data.display()))?;
    }
    let init = Init {
        origin: "wendelhaven.example/log".to_owned(),
        lifetime_rho: "100".parse()?,
        lifetime_delta: "1e-5".parse()?,
        subject_rho: "1".parse()?,
        subject_delta: "1e-6".parse()?,
        snapshot_clock: SnapshotClock::Daily,
        lake: None,
    };
    let deployment = command::init(data, init).await.context("the demo needs a folder of its own: name one with --data DIR")?;
    fs::write(data.join(MARKER), b"")?;

    note(&format!("Wendelhaven, a town of {} people who do not exist (seed {}).\n", crate::chart::count(args.subjects.into()), args.seed));
    let today = SystemClock.now().date_naive();
    deployment.control.creator_add(&town::creators()).await?;
    let town = town::build(&data.join("exports"), &TownOptions { people: args.subjects, seed: args.seed, today })?;
    let options = Options { platform: None, mapping: None, deletions: Deletions::Apply, creators: deployment.control.creator_key(), today, threads: crate::deployment::threads() };
    let imported = command::import::run(&town.sources, &options, false, &deployment, &TerminalProgress::default()).await?;
    let mut counts = Counts::default();
    imported.sources.iter().for_each(|s| counts.add(&s.counts));
    set_up_partners(&deployment).await?;
    record_choices(&deployment, &town).await?;
    survey::upload(&deployment, &town, today).await?;
    deployment.control.audit_checkpoint().await?;
    Ok(Demonstration { deployment, town, counts, rejects_file: imported.rejects_file })
}

impl TownPartner {
    const ALL: [Self; 3] = [Self::University, Self::Retailer, Self::AdAgency];

    const fn name(self) -> &'static str {
        match self {
            Self::University => "university",
            Self::Retailer => "market-hall",
            Self::AdAgency => "bright-ads",
        }
    }

    const fn legal_name(self) -> &'static str {
        match self {
            Self::University => "University of Wendelhaven",
            Self::Retailer => "Market Hall Cooperative",
            Self::AdAgency => "Bright Ads Ltd",
        }
    }

    const fn purposes(self) -> &'static [Purpose] {
        match self {
            Self::University => &[Purpose::AggregateStatistics, Purpose::AcademicResearch],
            Self::Retailer => &[Purpose::CommercialResearch],
            Self::AdAgency => &[Purpose::AdMeasurement],
        }
    }

    fn partner(self) -> anyhow::Result<PartnerName> {
        Ok(self.name().parse()?)
    }
}

/// What people of the town are told besides what is asked.
fn particulars() -> NoticeParticulars {
    let country = "DE".to_owned();
    NoticeParticulars {
        storage: vec![country.clone()],
        jurisdiction: Some(country),
        withdrawal_url: Some("https://wendelhaven.example/choices".to_owned()),
        rights_url: Some("https://wendelhaven.example/rights".to_owned()),
        ..NoticeParticulars::default()
    }
}

fn party(legal_name: &str) -> Party {
    let address = "1 Market Square, Wendelhaven".to_owned();
    Party { legal_name: legal_name.to_owned(), address, country: Some("DE".to_owned()), email: Some("privacy@wendelhaven.example".to_owned()), ..Party::default() }
}

async fn set_up_partners(deployment: &Deployment) -> anyhow::Result<()> {
    let control = &deployment.control;
    control.party_describe(None, &party("Wendelhaven Social Cooperative")).await?;
    let starts = SystemClock.now().date_naive();
    let expires = starts.checked_add_months(chrono::Months::new(12)).unwrap_or(starts);
    for partner in TownPartner::ALL {
        let name = partner.partner()?;
        control.partner_add(&name, partner.legal_name(), None, Cost { rho: "10".parse()?, delta: Delta::LIFETIME }).await?;
        control.party_describe(Some(&name), &party(partner.legal_name())).await?;
        control.partner_act(&name, PartnerAct::Approve).await?;
        let agreement: domain::AgreementName = format!("{name}-2026").parse()?;
        let lifetime = Cost { rho: "2".parse()?, delta: "1e-7".parse()? };
        control
            .agreement_add(&AgreementTerms {
                name: agreement.clone(),
                partner: name.clone(),
                purposes: partner.purposes().to_vec(),
                lifetime,
                window: "1".parse()?,
                starts,
                expires,
            })
            .await?;
        control.agreement_act(&agreement, AgreementAct::Approve).await?;
        control.agreement_act(&agreement, AgreementAct::Activate).await?;
        let text = format!(
            "{} would like to count you, among many others, for: {}.\nOnly numbers with privacy noise leave; nobody can tell from them whether you took part.\nYou can say no, and you can stop at any time; it costs you nothing.",
            partner.legal_name(),
            partner.purposes().iter().map(|p| p.as_str().replace('_', " ")).collect::<Vec<_>>().join(", ")
        );
        let notice = name.as_str().parse()?;
        let terms = NoticeTerms { purposes: partner.purposes().to_vec(), partners: vec![name], open_classes: Vec::new(), scopes: vec![DataScope::Everything] };
        control.notice_publish(NewNotice { particulars: particulars(), ..NewNotice::new(notice, terms, Wording::new("en", partner.legal_name(), text)) }).await?;
    }
    Ok(())
}

async fn record_choices(deployment: &Deployment, town: &Town) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    for citizen in &town.citizens {
        let subject = find(deployment, citizen).await?;
        for choice in &citizen.choices {
            let partner = choice.partner.partner()?;
            let notice = NoticeRef { name: partner.as_str().parse()?, version: 1 };
            // The page asks about hashtags and interests in a sentence of its own.
            batch.push(Choice::now(ConsentKey::new(subject, partner, choice.purpose), choice.action, notice, ConsentMethod::Page).explicit());
        }
        if batch.len() >= BATCH {
            deployment.control.consent_record(&std::mem::take(&mut batch)).await?;
        }
    }
    deployment.control.consent_record(&batch).await?;
    Ok(())
}

async fn find(deployment: &Deployment, citizen: &town::Citizen) -> anyhow::Result<SubjectId> {
    Ok(deployment.control.subject_find(&citizen.account.to_string()).await?.id)
}

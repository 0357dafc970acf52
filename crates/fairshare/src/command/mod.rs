//! One file per noun.

mod agreement;
mod audit;
mod backup;
mod budget;
mod consent;
mod consent_import;
mod controller;
mod creator;
mod decide;
pub(crate) mod import;
mod insight;
mod lake;
mod limit;
mod notice;
mod partner;
mod partner_table;
mod past_import;
pub(crate) mod query;
mod release;
mod rule_pack;
mod serve;
mod signal;
mod subject;
mod table;

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use control_plane::Settings;
use dp::Cost;

use crate::cli::{Cli, Command, Consent, Init, Insight, Signal};
use crate::demo;
use crate::deployment::Deployment;
use crate::output::{Format, note, object};

pub(crate) use serve::serve;

/// Runs one command.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let format = if cli.json { Format::Json } else { cli.format };
    let data = cli.data;
    match cli.command {
        Command::Init(args) => {
            let deployment = init(&data, args).await?;
            object(format, &serde_json::json!({ "schema": 1, "data": data, "log_key": deployment.control.verifier_key() }))?;
            note("next: fairshare import PATH, then fairshare partner add, agreement add, notice publish");
            close(deployment).await
        }
        Command::Demo(args) => demo::demo(args, &data).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "fairshare", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Table(args) if args.is_public() => table::public(args, format).map(|()| ExitCode::SUCCESS),
        Command::Insight(Insight::List) => insight::insights(format).map(|()| ExitCode::SUCCESS),
        Command::Consent(Consent::Verify { receipt, key }) => consent::verify(&receipt, &key),
        Command::Signal(Signal::Decode(text)) => signal::decode(text, format),
        command => {
            let deployment = Deployment::open(&data).await?;
            let code = on_deployment(command, &deployment, format).await;
            deployment.control.close().await;
            code
        }
    }
}

async fn close(deployment: Deployment) -> anyhow::Result<ExitCode> {
    deployment.control.audit_checkpoint().await?;
    deployment.control.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Makes a deployment with what the command line says.
pub(crate) async fn init(data: &std::path::Path, args: Init) -> anyhow::Result<Deployment> {
    let settings = Settings {
        origin: args.origin,
        lifetime: Cost { rho: args.lifetime_rho, delta: args.lifetime_delta },
        subject_cap: Cost { rho: args.subject_rho, delta: args.subject_delta },
        snapshot_clock: args.snapshot_clock,
        rule_packs: domain::law::SHIPPED.iter().map(|(_, text)| (*text).to_owned()).collect(),
    };
    Deployment::create(data, settings, args.lake).await
}

async fn on_deployment(command: Command, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    // What a command wrote is covered by a signed checkpoint when it ends.
    let mut writes = true;
    let code = match command {
        Command::Import(args) => import::import(args, deployment, format).await?,
        Command::Lake(args) => lake::lake(args, deployment, format).await?,
        Command::Notice(args) => notice::notice(args, deployment, format).await?,
        Command::Controller(args) => controller::controller(args, deployment, format).await?,
        Command::Partner(args) => partner::partner(args, deployment, format).await?,
        Command::Creator(args) => creator::creator(args, deployment, format).await?,
        Command::Agreement(args) => agreement::agreement(args, deployment, format).await?,
        Command::Consent(args) => consent::consent(args, deployment, format).await?,
        Command::Limit(args) => limit::limit(args, deployment, format).await?,
        Command::RulePack(args) => rule_pack::rule_pack(args, deployment, format).await?,
        Command::Signal(Signal::Record(args)) => signal::record(args, deployment, format).await?,
        Command::Table(args) => table::table(args, deployment, format).await?,
        Command::Query(args) => query::query(args, deployment, format).await?,
        Command::Insight(args) => insight::insight(args, deployment, format).await?,
        Command::Subject(args) => subject::subject(args, deployment, format).await?,
        other => {
            writes = false;
            match other {
                Command::Decide(args) => decide::decide(args, deployment, format).await?,
                Command::Budget(args) => budget::budget(args, deployment, format).await?,
                Command::Release(args) => release::release(args, deployment, format).await?,
                Command::Backup(args) => backup::backup(args, deployment, format).await?,
                Command::Audit(args) => audit::audit(args, deployment, format).await?,
                Command::Serve(args) => serve(args, deployment).await?,
                Command::Init(_)
                | Command::Demo(_)
                | Command::Completions { .. }
                | Command::Table(_)
                | Command::Signal(_)
                | Command::Import(_)
                | Command::Notice(_)
                | Command::Controller(_)
                | Command::Partner(_)
                | Command::Creator(_)
                | Command::Agreement(_)
                | Command::Consent(_)
                | Command::Limit(_)
                | Command::RulePack(_)
                | Command::Lake(_)
                | Command::Subject(_)
                | Command::Query(_)
                | Command::Insight(_) => ExitCode::SUCCESS,
            }
        }
    };
    if writes {
        let published = deployment.control.audit_checkpoint().await;
        published.context("what you asked for is done and recorded, but its signed checkpoint could not be published; try `fairshare audit checkpoint`")?;
    }
    Ok(code)
}

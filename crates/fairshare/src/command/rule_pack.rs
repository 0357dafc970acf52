//! `fairshare rule-pack`: the law as data.

use std::process::ExitCode;

use control_plane::{Preview, RulePackInfo};
use domain::law::{RulePack, parse};
use serde_json::{Value, json};

use crate::cli::RulePacks;
use crate::deployment::Deployment;
use crate::input;
use crate::output::{Format, line, note, object, rows};

pub(crate) async fn rule_pack(args: RulePacks, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    match args {
        RulePacks::List => {
            let packs = control.rule_pack_list().await?;
            let headers = ["pack", "version", "in_force", "rules", "for_a_lawyer", "reviewed", "by", "approved_by"];
            let table: Vec<Vec<Value>> = packs.iter().map(summary).collect();
            let document = json!({ "schema": 1, "rule_packs": crate::output::objects(&headers, &table) });
            rows(format, &headers, &table, &document)?;
        }
        RulePacks::Show { pack, version } => {
            let packs = control.rule_pack_list().await?;
            let found = packs.into_iter().rfind(|info| info.pack.id == pack && version.map_or(info.in_force, |v| info.pack.version == v));
            let info = found.ok_or(control_plane::Error::NotFound { what: "rule pack", name: pack })?;
            if format == Format::Table {
                line(info.text.trim_end())?;
            } else {
                object(format, &json!({ "schema": 1, "pack": info.pack, "by": info.by, "at": info.at, "in_force": info.in_force }))?;
            }
        }
        RulePacks::Check { file } => object(format, &checked(&parse(&input::text(&file, "the rule pack")?)?))?,
        RulePacks::Propose { file, by } => {
            let pack = control.rule_pack_propose(&input::text(&file, "the rule pack")?, &by).await?;
            note(&format!("nothing has changed yet: look at it with `fairshare rule-pack preview {} {}`, and let somebody else approve it", pack.id, pack.version));
            object(format, &checked(&pack))?;
        }
        RulePacks::Preview { pack, version } => object(format, &changes(&pack, version, control.rule_pack_preview(&pack, version).await?))?,
        RulePacks::Approve { pack, version, by } => object(format, &changes(&pack, version, control.rule_pack_approve(&pack, version, &by).await?))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(info: &RulePackInfo) -> Vec<Value> {
    let rules = info.pack.rules();
    let lawyer = rules.iter().filter(|(_, _, grounds)| grounds.lawyer).count();
    let approved = info.approved.as_ref().map(|(by, _)| by);
    vec![json!(info.pack.id), json!(info.pack.version), json!(info.in_force), json!(rules.len()), json!(lawyer), json!(info.pack.reviewed), json!(info.by), json!(approved)]
}

fn checked(pack: &RulePack) -> Value {
    json!({ "schema": 1, "pack": pack.id, "version": pack.version, "title": pack.title, "rules": pack.rules().len() })
}

/// Numbers of people are rounded up to tens.
fn changes(pack: &str, version: u32, Preview { closed, opened, people }: Preview) -> Value {
    json!({ "schema": 1, "pack": pack, "version": version, "people_closed_about": closed, "people_opened_about": opened, "people_who_chose_about": people })
}

//! `fairshare creator`: the public list of accounts that may be named.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use control_plane::{CreatorInfo, NewCreator};
use domain::creator::CreatorBasis;
use domain::port::Clock;
use domain::record::AccountKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lake::moment;
use crate::cli::{Creator, CreatorAdd};
use crate::deployment::{Deployment, SystemClock};
use crate::failure::Usage;
use crate::output::{Format, list, note, object};

pub(crate) async fn creator(args: Creator, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    match args {
        Creator::Add(args) => {
            let new = new_creators(args)?;
            control.creator_add(&new).await?;
            object(format, &json!({ "schema": 1, "added": new.len() }))?;
            let listed = control.creator_list().await?;
            if let Some(from) = listed.iter().map(|creator| creator.counts_from).max().filter(|from| *from > SystemClock.now()) {
                note(&format!("questions know the new names from {} on", moment(from)));
            }
        }
        Creator::Withdraw { platform, account } => {
            let from = control.creator_withdraw(&AccountKey { platform, native_id: account.clone() }).await?;
            object(format, &json!({ "schema": 1, "platform": platform, "account": account, "counts_from": from }))?;
            note(&format!("the name is hidden; the account leaves the list at {}", moment(from)));
        }
        Creator::List => {
            let headers = ["name", "in_answers", "platform", "category", "account", "basis", "counts_from"];
            let row = |creator: &CreatorInfo| -> Vec<Value> {
                vec![
                    json!(creator.name),
                    json!(creator.in_answers),
                    json!(creator.account.platform),
                    json!(creator.category),
                    json!(creator.account.native_id),
                    json!(creator.basis),
                    json!(creator.counts_from),
                ]
            };
            let table: Vec<Vec<Value>> = control.creator_list().await?.iter().map(row).collect();
            list(format, "creators", &headers, &table)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line of a CSV file of accounts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    platform: String,
    account: String,
    name: String,
    category: String,
    basis: String,
    #[serde(default)]
    evidence: Option<String>,
}

fn new_creators(args: CreatorAdd) -> anyhow::Result<Vec<NewCreator>> {
    let CreatorAdd { csv, platform, account, name, category, basis, evidence } = args;
    if let Some(path) = csv {
        return read(&path);
    }
    let (Some(platform), Some(native_id), Some(name), Some(category), Some(basis)) = (platform, account, name, category, basis) else {
        return Err(Usage("name one account with --platform, --account, --name, --category and --basis, or many with --csv FILE".to_owned()).into());
    };
    Ok(vec![NewCreator { account: AccountKey { platform, native_id }, name, category, basis, evidence }])
}

/// Reads `platform,account,name,category,basis[,evidence]`, with a header.
fn read(path: &Path) -> anyhow::Result<Vec<NewCreator>> {
    let mut lines = csv::Reader::from_path(path).with_context(|| format!("reading {}", path.display()))?;
    let new = |(number, line): (usize, Result<Line, csv::Error>)| {
        // The header is line 1.
        let at = || format!("{}, line {}", path.display(), number + 2);
        let Line { platform, account, name, category, basis, evidence } = line.with_context(at)?;
        let (platform, basis): (_, CreatorBasis) = (platform.trim().parse().with_context(at)?, basis.trim().parse().with_context(at)?);
        let evidence = evidence.filter(|words| !words.trim().is_empty());
        anyhow::Ok(NewCreator { account: AccountKey { platform, native_id: account.trim().to_owned() }, name, category, basis, evidence })
    };
    lines.deserialize().enumerate().map(new).collect()
}

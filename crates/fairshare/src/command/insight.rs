//! `fairshare insight`: ready-made questions.

use std::process::ExitCode;

use control_plane::PartnerTableState;
use domain::question::{Narrowing, Question};
use domain::release::Release;
use domain::{PartnerIdentifier, PartnerName};
use serde_json::{Value, json};

use super::query;
use crate::cli::{Insight, InsightRun};
use crate::deployment::Deployment;
use crate::insight::{Asked, Kind, Params, Reading, read};
use crate::output::{Format, line, list, note, object, objects, rows};

/// What there is. Needs no deployment.
pub(crate) fn insights(format: Format) -> anyhow::Result<()> {
    let table: Vec<Vec<Value>> = Kind::ALL.iter().map(|kind| vec![json!(kind), json!(kind.about()), json!(kind.options())]).collect();
    Ok(list(format, "insights", &["insight", "answers", "options"], &table)?)
}

/// Asks one.
pub(crate) async fn insight(args: Insight, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let Insight::Run(args) = args else {
        insights(format)?;
        return Ok(ExitCode::SUCCESS);
    };
    let InsightRun { insight, asking, from, to, kind, platform, country, tag, category, by, top, table, show_sql } = *args;
    let table_name = table.clone();
    let asked = insight.question(&Params { from, to, kind, platform, country, tags: tag, category, by, top, table })?;
    if show_sql {
        return show(&asked, format);
    }
    let question = Question { sql: asked.sql.clone(), params: asked.params.clone(), rho: asking.rho()?, narrowing: Narrowing::default() };
    if asking.estimate {
        return query::estimated(&asking.ask(question), deployment, format).await;
    }
    let release = query::released(&asking.ask(question), deployment).await?;
    let uploaded = if insight == Kind::Overlap { uploaded(deployment, &asking.partner, table_name.as_ref()).await? } else { None };
    print(&read(insight, &release.presented, uploaded), insight, &asked, &release, format)?;
    Ok(ExitCode::SUCCESS)
}

fn params(asked: &Asked) -> Vec<Value> {
    asked.params.iter().map(domain::question::Value::to_json).collect()
}

fn show(asked: &Asked, format: Format) -> anyhow::Result<ExitCode> {
    if format == Format::Table {
        line(&asked.sql)?;
        asked.params.iter().enumerate().try_for_each(|(place, value)| line(&format!("${} = {value}", place + 1)))?;
    } else {
        object(format, &json!({ "schema": 1, "sql": asked.sql, "params": params(asked) }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rows that the partner uploaded as the table which questions can name now.
async fn uploaded(deployment: &Deployment, partner: &PartnerName, table: Option<&PartnerIdentifier>) -> anyhow::Result<Option<u64>> {
    let tables = deployment.control.partner_table_list(Some(partner)).await?;
    Ok(tables.iter().find(|info| info.state == PartnerTableState::Visible && Some(info.table.name()) == table).map(|info| info.file.rows))
}

fn print(reading: &Reading, insight: Kind, asked: &Asked, release: &Release, format: Format) -> anyhow::Result<()> {
    let Reading { headers, cells, chart, notes } = reading;
    let (headers, cells) = query::for_format((headers.clone(), cells.clone()), format);
    let names: Vec<&str> = headers.iter().map(String::as_str).collect();
    let mut document = query::release_document(release);
    if let Value::Object(fields) = &mut document {
        fields.insert("insight".to_owned(), json!({ "name": insight, "sql": asked.sql, "params": params(asked), "notes": notes }));
        fields.insert("rows".to_owned(), json!(objects(&names, &cells)));
    }
    rows(format, &names, &cells, &document)?;
    if format == Format::Table {
        line(chart)?;
        if matches!(insight, Kind::Audience | Kind::TopTags | Kind::ShareOfVoice | Kind::TopCreators) {
            query::ties(&release.presented).iter().for_each(|sentence| note(sentence));
        }
        notes.iter().for_each(|sentence| note(sentence));
        note(&query::summary(release));
    }
    Ok(())
}

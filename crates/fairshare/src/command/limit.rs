//! `fairshare limit`: opt-outs, objections and restrictions.

use std::process::ExitCode;

use control_plane::{Limit, RecordedLimit};
use domain::consent::{LimitAct, LimitKey};
use serde_json::{Value, json};

use super::consent::evidence;
use crate::cli::{ChangeLimit, Limits};
use crate::deployment::Deployment;
use crate::output::{Format, list, object};

pub(crate) async fn limit(args: Limits, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    match args {
        Limits::Set(args) => change(args, LimitAct::Set, deployment, format).await?,
        Limits::Lift(args) => change(args, LimitAct::Lift, deployment, format).await?,
        Limits::Show { subject } => {
            let subject = control.subject_find(&subject).await?.id;
            let table: Vec<Vec<Value>> = control.limit_show(subject).await?.iter().map(|key| vec![json!(key.kind), json!(key.purpose), json!(key.partner)]).collect();
            list(format, "limits", &["limit", "purpose", "partner"], &table)?;
        }
        Limits::History { subject } => {
            let subject = control.subject_find(&subject).await?.id;
            let table: Vec<Vec<Value>> = control.limit_history(subject).await?.iter().map(line).collect();
            list(format, "events", &["at", "act", "limit", "purpose", "partner", "by", "source"], &table)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn change(args: ChangeLimit, act: LimitAct, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let subject = deployment.control.subject_find(&args.subject).await?.id;
    let key = LimitKey { subject, kind: args.kind, purpose: args.purpose, partner: args.partner };
    let evidence = args.happened.evidence.as_deref().map(evidence).transpose()?;
    let limit = Limit { key, act, actor: args.by, source: args.source, two_step: args.happened.two_step, at: args.happened.at, evidence };
    for recorded in deployment.control.limit_record(&[limit]).await? {
        object(format, &document(&recorded))?;
    }
    Ok(())
}

fn line(limit: &RecordedLimit) -> Vec<Value> {
    let event = &limit.event;
    vec![json!(event.at), json!(event.act), json!(event.key.kind), json!(event.key.purpose), json!(event.key.partner), json!(event.actor), json!(event.source)]
}

pub(super) fn document(limit: &RecordedLimit) -> Value {
    let event = &limit.event;
    json!({
        "schema": 1, "id": limit.id, "subject": event.key.subject.0, "limit": event.key.kind, "act": event.act, "purpose": event.key.purpose,
        "partner": event.key.partner, "by": event.actor, "source": event.source, "at": event.at, "recorded_at": limit.recorded_at
    })
}

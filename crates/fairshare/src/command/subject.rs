//! `fairshare subject`.

use std::process::ExitCode;

use control_plane::{Counted, Meter, SubjectInfo};
use domain::SubjectId;
use domain::consent::ConsentMethod;
use dp::Cost;
use serde_json::{Value, json};

use super::{import, lake};
use crate::cli::Subject;
use crate::deployment::Deployment;
use crate::output::{Format, note, number, object, objects, rows};

pub(crate) async fn subject(args: Subject, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Subject::List { limit, after } => {
            let people = deployment.control.subject_list(limit, after.map(SubjectId)).await?;
            let headers = ["subject", "status", "age", "country", "accounts"];
            let table: Vec<Vec<Value>> = people.iter().map(|p| vec![json!(p.id.0), json!(p.status), json!(p.age), json!(p.country), json!(accounts(p))]).collect();
            let document = json!({ "schema": 1, "subjects": people.iter().map(document).collect::<Vec<_>>() });
            rows(format, &headers, &table, &document)?;
        }
        Subject::Show { subject } => object(format, &document(&deployment.control.subject_find(&subject).await?))?,
        Subject::Meter { subject } => {
            let person = deployment.control.subject_find(&subject).await?;
            meter(&deployment.control.subject_meter(person.id).await?, format)?;
        }
        Subject::Erase { subject } => erase(&subject, deployment, format).await?,
        Subject::Cap { subject, rho, delta } => {
            let person = deployment.control.subject_find(&subject).await?;
            deployment.control.subject_cap(person.id, Cost { rho, delta }, ConsentMethod::Operator).await?;
            meter(&deployment.control.subject_meter(person.id).await?, format)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Erases a person: at once from every answer, then from the files.
async fn erase(subject: &str, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let person = deployment.control.subject_find(subject).await?;
    deployment.control.subject_erase(person.id).await?;
    note(&format!("subject {} is unreachable from now on", person.id));
    import::delete_rejects(&deployment.folder)?;
    let files = match deployment.control.lake_lock() {
        Ok(lock) => {
            let swept = lake::forget(deployment, &lock).await?;
            if swept.waiting { "when the releases that are being answered have ended: fairshare lake sweep" } else { "gone" }
        }
        Err(control_plane::Error::Conflict(_)) => "when the import that is running has ended: fairshare lake sweep",
        Err(error) => return Err(error.into()),
    };
    object(format, &json!({ "schema": 1, "subject": person.id.0, "reachable": false, "files": files }))?;
    Ok(())
}

/// The releases that counted a person as rows, the sums beside them.
fn meter(meter: &Meter, format: Format) -> std::io::Result<()> {
    let headers = ["release", "at", "partner", "purpose", "rho", "delta", "answered"];
    let line = |c: &Counted| vec![json!(c.release), json!(c.at), json!(c.partner), json!(c.purpose), number(c.cost.rho), json!(c.cost.delta.to_string()), json!(c.answered)];
    let table: Vec<Vec<Value>> = meter.releases.iter().map(line).collect();
    let cost = |cost: Cost| json!({ "rho": number(cost.rho), "delta": cost.delta.to_string() });
    let document = json!({
        "schema": 1, "subject": meter.subject.0, "year": meter.year, "cap": cost(meter.cap), "chosen": meter.chosen,
        "loss": cost(meter.loss), "in_flight": cost(meter.in_flight), "releases": objects(&headers, &table)
    });
    rows(format, &headers, &table, &document)?;
    if format == Format::Table {
        let whose = if meter.chosen { "chosen" } else { "standard" };
        note(&format!("{}: ρ = {} of {} lost ({whose} cap), δ = {} of {}", meter.year, meter.loss.rho, meter.cap.rho, meter.loss.delta, meter.cap.delta));
        if meter.in_flight != Cost::ZERO {
            note(&format!("being answered now, and perhaps counting this person: ρ = {}", meter.in_flight.rho));
        }
    }
    Ok(())
}

fn accounts(person: &SubjectInfo) -> Vec<String> {
    person.accounts.iter().map(|(key, handle)| handle.as_ref().map_or_else(|| key.to_string(), |h| format!("{h} ({key})"))).collect()
}

fn document(person: &SubjectInfo) -> Value {
    json!({ "schema": 1, "subject": person.id.0, "status": person.status, "age": person.age, "country": person.country, "accounts": accounts(person) })
}

//! `fairshare subject`.

use std::process::ExitCode;

use control_plane::SubjectInfo;
use domain::SubjectId;
use serde_json::{Value, json};

use crate::cli::Subject;
use crate::deployment::Deployment;
use crate::output::{Format, object, rows};

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
    }
    Ok(ExitCode::SUCCESS)
}

fn accounts(person: &SubjectInfo) -> Vec<String> {
    person.accounts.iter().map(|(key, handle)| handle.as_ref().map_or_else(|| key.to_string(), |h| format!("{h} ({key})"))).collect()
}

fn document(person: &SubjectInfo) -> Value {
    json!({ "schema": 1, "subject": person.id.0, "status": person.status, "age": person.age, "country": person.country, "accounts": accounts(person) })
}

//! `fairshare notice`.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use control_plane::NewNotice;
use domain::notice::NoticeTerms;
use serde_json::{Value, json};

use crate::cli::Notice;
use crate::deployment::Deployment;
use crate::output::{Format, note, object, rows};

pub(crate) async fn notice(args: Notice, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    match args {
        Notice::Publish { name, text, purpose, partner, open_class, scope, material, shown_from, language } => {
            let text = read(&text)?;
            let terms = NoticeTerms { purposes: purpose, partners: partner, open_classes: open_class, scopes: scope };
            let published = control.notice_publish(NewNotice { name, language, terms, text, shown_from, material }).await?;
            if !published.changed.is_empty() {
                note(&format!(
                    "{} of the things that earlier versions asked must be asked again: nobody is counted for them until they agree to this version",
                    published.changed.len()
                ));
            }
            object(format, &document(&published))?;
        }
        Notice::Show { name, version } => object(format, &document(&control.notice_show(&name, version).await?))?,
        Notice::List => {
            let notices = control.notice_list().await?;
            let table: Vec<Vec<Value>> =
                notices.iter().map(|n| vec![json!(n.name), json!(n.version), json!(n.language), json!(n.terms.purposes), json!(n.terms.partners), json!(n.published_at)]).collect();
            let document = json!({ "schema": 1, "notices": notices.iter().map(document).collect::<Vec<_>>() });
            rows(format, &["notice", "version", "language", "purposes", "partners", "published_at"], &table, &document)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("reading the notice from standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("reading the notice from {}", path.display()))
}

fn document(notice: &domain::notice::Notice) -> Value {
    json!({ "schema": 1, "notice": notice.name, "version": notice.version, "language": notice.language, "purposes": notice.terms.purposes, "partners": notice.terms.partners, "open_classes": notice.terms.open_classes, "scopes": notice.terms.scopes, "changed": notice.changed, "shown_from": notice.shown_from, "sha256": notice.sha256, "published_at": notice.published_at, "text": notice.text })
}

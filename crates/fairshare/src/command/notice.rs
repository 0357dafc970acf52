//! `fairshare notice`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use control_plane::{MailInfo, NewNotice, Seen};
use domain::Purpose;
use domain::law::{Term, TermUnit};
use domain::notice::{NoticeParticulars, NoticeTerms, Sentence, Wording};
use serde_json::{Value, json};

use crate::cli::{Notice, Particulars, PublishNotice, Words};
use crate::deployment::Deployment;
use crate::failure::Usage;
use crate::input;
use crate::output::{Format, line, list, note, object, rows};

pub(crate) async fn notice(args: Notice, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    match args {
        Notice::Publish(args) => {
            let PublishNotice { name, text, purpose, partner, open_class, scope, material, shown_from, language, words, particulars } = *args;
            let wording = wording(name.as_str(), language, input::text(&text, "the notice")?, words)?;
            let terms = NoticeTerms { purposes: purpose, partners: partner, open_classes: open_class, scopes: scope };
            let published = control.notice_publish(NewNotice { name, terms, particulars: told(particulars), wording, shown_from, material }).await?;
            if !published.changed.is_empty() {
                note(&format!(
                    "{} of the things that earlier versions asked must be asked again: nobody is counted for them until they agree to this version",
                    published.changed.len()
                ));
            }
            object(format, &document(&published))?;
        }
        Notice::Translate { name, version, text, language, words } => {
            let wording = wording(name.as_str(), language, input::text(&text, "the notice")?, words)?;
            object(format, &document(&control.notice_translate(&name, version, wording).await?))?;
        }
        Notice::Diff { name, from, to } => {
            let diff = control.notice_diff(&name, from, to).await?;
            if format == Format::Table {
                for (recipient, purpose) in &diff.asked_again {
                    line(&format!("asked again: {purpose} by {recipient}"))?;
                }
                line(diff.text.trim_end())?;
            } else {
                object(format, &json!({ "schema": 1, "diff": diff }))?;
            }
        }
        Notice::Seen { name, subject } => {
            let subject = match subject {
                Some(subject) => Some(control.subject_find(&subject).await?.id),
                None => None,
            };
            let table: Vec<Vec<Value>> = control.notice_seen(name.as_ref(), subject).await?.iter().map(seen).collect();
            list(format, "seen", &["subject", "notice", "language", "by", "at"], &table)?;
        }
        Notice::Notify { name } => {
            let notified = control.notice_notify(&name).await?;
            object(format, &json!({ "schema": 1, "queued": notified.queued, "queued_before": notified.before, "unreachable": notified.unreachable }))?;
        }
        Notice::Letters => {
            let table: Vec<Vec<Value>> = control.mail_list().await?.iter().map(letter).collect();
            list(format, "letters", &["id", "kind", "subject", "notice", "state", "attempts", "due", "why"], &table)?;
        }
        Notice::Show { name, version } => object(format, &document(&control.notice_show(&name, version).await?))?,
        Notice::List => {
            let notices = control.notice_list().await?;
            let line = |n: &domain::notice::Notice| {
                let languages: Vec<&str> = n.texts().map(|text| text.wording.language.as_str()).collect();
                vec![json!(n.name), json!(n.version), json!(languages), json!(n.terms.purposes), json!(n.terms.partners), json!(n.published_at)]
            };
            let table: Vec<Vec<Value>> = notices.iter().map(line).collect();
            let document = json!({ "schema": 1, "notices": notices.iter().map(document).collect::<Vec<_>>() });
            rows(format, &["notice", "version", "languages", "purposes", "partners", "published_at"], &table, &document)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn seen(seen: &Seen) -> Vec<Value> {
    vec![json!(seen.subject.0), json!(seen.notice.to_string()), json!(seen.language), json!(seen.by), json!(seen.at)]
}

fn letter(mail: &MailInfo) -> Vec<Value> {
    vec![json!(mail.id), json!(mail.kind), json!(mail.subject.0), json!(mail.notice.to_string()), json!(mail.state), json!(mail.attempts), json!(mail.due), json!(mail.why)]
}

fn wording(name: &str, language: String, text: String, words: Words) -> anyhow::Result<Wording> {
    let Words { title, ask, ask_explicitly, retention_words, withdrawal_words } = words;
    let mut sentences = BTreeMap::new();
    for (purpose, ask) in by_purpose(&ask)? {
        sentences.insert(purpose, Sentence { ask, explicit: None });
    }
    for (purpose, explicit) in by_purpose(&ask_explicitly)? {
        let sentence = sentences.get_mut(&purpose).ok_or_else(|| Usage(format!("--ask-explicitly {purpose} needs --ask {purpose}=… beside it")))?;
        sentence.explicit = Some(explicit);
    }
    let title = title.unwrap_or_else(|| name.to_owned());
    Ok(Wording { sentences, retention: retention_words, withdrawal: withdrawal_words, ..Wording::new(language, title, text) })
}

fn by_purpose(texts: &[String]) -> anyhow::Result<Vec<(Purpose, String)>> {
    texts
        .iter()
        .map(|text| {
            let (purpose, sentence) = text.split_once('=').ok_or_else(|| Usage(format!("`{text}` is not PURPOSE=TEXT")))?;
            Ok((purpose.parse().map_err(|e| Usage(format!("{e}")))?, sentence.to_owned()))
        })
        .collect()
}

fn told(Particulars { retention, storage, jurisdiction, withdrawal_url, rights_url }: Particulars) -> NoticeParticulars {
    NoticeParticulars { retention: retention.map(|n| Term { n, unit: TermUnit::Day }), storage, jurisdiction, withdrawal_url, rights_url }
}

fn document(notice: &domain::notice::Notice) -> Value {
    let own = &notice.own;
    json!({
        "schema": 1, "notice": notice.name, "version": notice.version, "language": own.wording.language, "purposes": notice.terms.purposes,
        "partners": notice.terms.partners, "open_classes": notice.terms.open_classes, "scopes": notice.terms.scopes, "told": notice.particulars,
        "changed": notice.changed, "shown_from": notice.shown_from, "sha256": own.sha256, "published_at": notice.published_at, "text": own.wording.text,
        "texts": notice.texts().collect::<Vec<_>>()
    })
}

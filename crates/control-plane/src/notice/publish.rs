//! Publishing a version of a notice, and its words in further languages.

use std::collections::BTreeSet;

use domain::audit::EntryKind;
use domain::consent::Recipient;
use domain::notice::{Notice, NoticeParticulars, NoticeTerms, NoticeText, Wording, is_language};
use domain::party::{is_country, is_web_url};
use domain::{NoticeName, Purpose, Refusal, RefusalCode, SubjectId, Timestamp};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::show::{find, find_or_none};
use crate::audit::AuditWriter;
use crate::consent::{Rules, recompute};
use crate::store::{json_rows, time_text};
use crate::{ControlPlane, Error};

/// Longest text of a notice, in bytes.
const TEXT_BYTES_MAX: usize = 100_000;

/// A notice before it has a version.
#[derive(Debug, Clone)]
pub struct NewNotice {
    /// The notice.
    pub name: NoticeName,
    /// What it asks.
    pub terms: NoticeTerms,
    /// What it tells besides.
    pub particulars: NoticeParticulars,
    /// The words, in the notice's own language.
    pub wording: Wording,
    /// Since when people have been shown it, if it was in use before it came here.
    pub shown_from: Option<Timestamp>,
    /// Whether it differs so much from the version before that whoever agreed must be asked again.
    pub material: bool,
}

impl NewNotice {
    /// A notice that tells nothing besides, and was shown to nobody yet.
    #[must_use]
    pub fn new(name: NoticeName, terms: NoticeTerms, wording: Wording) -> Self {
        Self { name, terms, particulars: NoticeParticulars::default(), wording, shown_from: None, material: false }
    }
}

impl ControlPlane {
    /// Publishes the next version of a notice.
    ///
    /// # Guarantee
    /// What an earlier version asked and this one asks otherwise must be asked again: in the same transaction
    /// nobody is counted any more by a yes to the old words. What stays as it was goes on.
    ///
    /// # Errors
    /// A refusal when it names no purpose, no recipient, no data or has no text, says something that cannot be, or
    /// was shown in the future; not found for an unknown partner.
    pub async fn notice_publish(&self, new: NewNotice) -> Result<Notice, Error> {
        let NoticeTerms { purposes, partners, open_classes, scopes } = &new.terms;
        if purposes.is_empty() || (partners.is_empty() && open_classes.is_empty()) || scopes.is_empty() {
            return Err(Refusal::new(RefusalCode::Consent, "a notice needs a text, a purpose, a recipient and data")
                .hint("consent is for a named purpose and recipient: --purpose … --partner …")
                .into());
        }
        check_wording(&new.wording, &new.terms)?;
        check_particulars(&new.particulars)?;
        let published_at = self.now();
        let shown_from = new.shown_from.unwrap_or(published_at);
        if shown_from > published_at {
            return Err(Refusal::new(RefusalCode::ConsentTime, "a notice cannot have been shown in the future").into());
        }
        let mut tx = self.inner.store.begin().await?;
        for partner in partners {
            crate::partner::state(&mut tx, partner).await?;
        }
        let before = find_or_none(&mut tx, &new.name, None).await?;
        let version = before.as_ref().map_or(1, |notice| notice.version.saturating_add(1));
        let changed = before.as_ref().map(|before| before.terms.changed_by(&new.terms, new.material)).unwrap_or_default();
        let inserted = sqlx::query(
            "INSERT INTO notice (name, version, language, purposes, partners, open_classes, scopes, particulars, changed, shown_from, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.name.as_str())
        .bind(version)
        .bind(&new.wording.language)
        .bind(json_rows(purposes)?)
        .bind(json_rows(partners)?)
        .bind(json_rows(open_classes)?)
        .bind(json_rows(scopes)?)
        .bind(json_rows(&new.particulars)?)
        .bind(json_rows(&changed)?)
        .bind(time_text(shown_from))
        .bind(time_text(published_at))
        .execute(&mut *tx)
        .await?;
        let id = inserted.last_insert_rowid();
        let own = NoticeText::new(new.wording, published_at);
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::NoticePublished, "notice", id).await?;
        insert_text(&mut tx, &mut audit, (&new.name, version), &own).await?;
        audit.finish(&mut tx).await?;
        follow(&mut tx, id).await?;
        if !changed.is_empty() {
            let rules = Rules::read(&mut tx, &self.inner, published_at).await?;
            let people = agreed_to(&mut tx, &new.name).await?;
            recompute(&mut tx, &rules, &people).await?;
        }
        tx.commit().await?;
        let NewNotice { name, terms, particulars, .. } = new;
        Ok(Notice { name, version, terms, particulars, changed, own, translations: Vec::new(), shown_from, published_at })
    }

    /// Adds the words of a published version in one more language: the newest version when none is named.
    ///
    /// # Guarantee
    /// What was published never changes: other words in a language that is there need a new version.
    ///
    /// # Errors
    /// Not found; a refusal when the language is there, or when it asks other things than the notice's own words.
    pub async fn notice_translate(&self, name: &NoticeName, version: Option<u32>, wording: Wording) -> Result<Notice, Error> {
        let mut tx = self.inner.store.begin().await?;
        let mut notice = find(&mut tx, name, version).await?;
        check_wording(&wording, &notice.terms)?;
        let refuse = |message: String, hint: &str| Err(Refusal::new(RefusalCode::Notice, message).hint(hint).into());
        if notice.text_in(&wording.language).is_some() {
            return refuse(format!("{} has its words in {} already", notice.reference(), wording.language), "words that people read never change: publish a new version");
        }
        let asks = |wording: &Wording| wording.sentences.iter().map(|(purpose, sentence)| (*purpose, sentence.explicit.is_some())).collect::<BTreeSet<_>>();
        if asks(&wording) != asks(&notice.own.wording) {
            return refuse(format!("the words in {} do not have the sentences of those in {}", wording.language, notice.own.wording.language), "one sentence per purpose in both");
        }
        let text = NoticeText::new(wording, self.now());
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        insert_text(&mut tx, &mut audit, (name, notice.version), &text).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        notice.translations.push(text);
        Ok(notice)
    }
}

async fn insert_text(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, (name, version): (&NoticeName, u32), text: &NoticeText) -> Result<(), Error> {
    let Wording { language, title, text: words, sentences, retention, withdrawal } = &text.wording;
    let inserted =
        sqlx::query("INSERT INTO notice_text (notice, version, language, title, text, sentences, retention, withdrawal, sha256, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(name.as_str())
            .bind(version)
            .bind(language)
            .bind(title)
            .bind(words)
            .bind(json_rows(sentences)?)
            .bind(retention.as_deref())
            .bind(withdrawal.as_deref())
            .bind(&text.sha256)
            .bind(time_text(text.published_at))
            .execute(&mut *tx)
            .await?;
    audit.append(tx, EntryKind::NoticeWorded, "notice_text", inserted.last_insert_rowid()).await?;
    Ok(())
}

/// Words that people can read, and that ask what the notice asks.
fn check_wording(wording: &Wording, terms: &NoticeTerms) -> Result<(), Refusal> {
    let refuse = |message: String, hint: &str| Err(Refusal::new(RefusalCode::Notice, message).hint(hint));
    if !is_language(&wording.language) {
        return refuse(format!("`{}` is not a language", wording.language), "BCP 47, for example en, de or pt-BR");
    }
    let sentences = wording.sentences.values().flat_map(|s| std::iter::once(&s.ask).chain(&s.explicit));
    let texts: Vec<&String> = [&wording.title, &wording.text].into_iter().chain(sentences).chain(&wording.retention).chain(&wording.withdrawal).collect();
    if texts.iter().any(|text| text.trim().is_empty()) {
        return refuse("a notice has an empty text".to_owned(), "it needs a title and a text, and sentences that say something");
    }
    // Among them those that turn the direction of what follows, and could swap a yes and a no before the eyes.
    let hidden = |c: char| (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if texts.iter().any(|text| text.contains(hidden)) {
        return refuse("a notice has control characters in its text".to_owned(), "write it as plain text");
    }
    if wording.words().len() > TEXT_BYTES_MAX {
        return refuse(format!("a notice may have {TEXT_BYTES_MAX} bytes of text"), "people read a page, not a book");
    }
    if let Some(purpose) = wording.sentences.keys().find(|purpose| !terms.purposes.contains(purpose)) {
        return refuse(format!("there is a sentence for {purpose}, which the notice does not ask"), "name the purpose, or leave the sentence out");
    }
    Ok(())
}

fn check_particulars(particulars: &NoticeParticulars) -> Result<(), Refusal> {
    let refuse = |message: String, hint: &str| Err(Refusal::new(RefusalCode::Notice, message).hint(hint));
    let NoticeParticulars { storage, jurisdiction, withdrawal_url, rights_url, .. } = particulars;
    if let Some(country) = storage.iter().chain(jurisdiction).find(|country| !is_country(country)) {
        return refuse(format!("`{country}` is not a country"), "ISO 3166-1 alpha-2, for example DE");
    }
    if let Some(url) = withdrawal_url.iter().chain(rights_url).find(|url| !is_web_url(url)) {
        return refuse(format!("`{url}` cannot stand in a link"), "a whole address, for example https://town.example/rights");
    }
    Ok(())
}

/// Whoever agreed to any version of a notice.
async fn agreed_to(connection: &mut SqliteConnection, name: &NoticeName) -> Result<Vec<SubjectId>, Error> {
    let rows = sqlx::query("SELECT DISTINCT subject_id FROM consent_state WHERE notice = ?").bind(name.as_str()).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect()
}

/// Brings what must be asked again up to the notice of this row.
pub(crate) async fn follow(tx: &mut SqliteConnection, id: i64) -> Result<(), Error> {
    let row = sqlx::query("SELECT name, version, changed FROM notice WHERE id = ?").bind(id).fetch_one(&mut *tx).await?;
    let changed: BTreeSet<(Recipient, Purpose)> = crate::store::parsed(&row, 2)?;
    for (recipient, purpose) in changed {
        sqlx::query("INSERT INTO notice_floor (notice, purpose, recipient, version) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = max(version, excluded.version)")
            .bind(row.try_get::<&str, _>(0)?)
            .bind(purpose.as_str())
            .bind(recipient.to_string())
            .bind(row.try_get::<u32, _>(1)?)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Whether what must be asked again is what the notices say.
pub(crate) async fn first_wrong(connection: &mut SqliteConnection) -> Result<Option<String>, Error> {
    let said = "SELECT n.name, c.value ->> 1, c.value ->> 0, max(n.version) FROM notice n, json_each(n.changed) c GROUP BY 1, 2, 3";
    let kept = "SELECT notice, purpose, recipient, version FROM notice_floor";
    let differing = format!("SELECT 1 FROM (SELECT * FROM ({said}) EXCEPT {kept}) UNION ALL SELECT 1 FROM ({kept} EXCEPT SELECT * FROM ({said})) LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(differing)).fetch_optional(connection).await?;
    Ok(row.map(|_| "what must be asked again is not what the notices say".to_owned()))
}

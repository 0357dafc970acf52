//! Reading notices back.

use domain::consent::DataScope;
use domain::notice::{Notice, NoticeDiff, NoticeTerms, NoticeText, Wording};
use domain::{NoticeName, PartnerName};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::error::unreadable;
use crate::store::{parse_time, parse_word, parsed};
use crate::{ControlPlane, Error};

/// Columns of a notice as [`notice`] reads them.
const SELECT: &str = "SELECT n.name, n.version, n.purposes, n.partners, n.open_classes, n.scopes, n.particulars, n.changed, n.shown_from, n.at,
    (SELECT json_group_array(json_array(t.language, t.title, t.text, json(t.sentences), t.retention, t.withdrawal, t.sha256, t.at) ORDER BY t.language <> n.language, t.id)
       FROM notice_text t WHERE t.notice = n.name AND t.version = n.version) FROM notice n";

/// The words of a notice as [`SELECT`] gives them.
type TextRow<'r> = (String, String, String, std::collections::BTreeMap<domain::Purpose, domain::notice::Sentence>, Option<String>, Option<String>, String, &'r str);

impl ControlPlane {
    /// Every version of every notice.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn notice_list(&self) -> Result<Vec<Notice>, Error> {
        let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} ORDER BY n.name, n.version"))).fetch_all(self.inner.store.reader()).await?;
        rows.iter().map(notice).collect()
    }

    /// One version of a notice, the newest when none is named.
    ///
    /// # Errors
    /// Not found.
    pub async fn notice_show(&self, name: &NoticeName, version: Option<u32>) -> Result<Notice, Error> {
        find(&mut *self.inner.store.snapshot().await?, name, version).await
    }

    /// What changed from one version of a notice to another: to the newest when none is named, and from the one
    /// before it.
    ///
    /// # Errors
    /// Not found.
    pub async fn notice_diff(&self, name: &NoticeName, from: Option<u32>, to: Option<u32>) -> Result<NoticeDiff, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let to = find(&mut tx, name, to).await?;
        let from = find(&mut tx, name, Some(from.unwrap_or(to.version.saturating_sub(1)))).await?;
        let mut between = Vec::new();
        for version in from.version.saturating_add(1)..=to.version {
            between.push(find(&mut tx, name, Some(version)).await?);
        }
        Ok(NoticeDiff::between(&from, &to, &between))
    }
}

pub(crate) async fn find(connection: &mut SqliteConnection, name: &NoticeName, version: Option<u32>) -> Result<Notice, Error> {
    find_or_none(connection, name, version).await?.ok_or_else(|| not_found(name, version))
}

pub(super) async fn find_or_none(connection: &mut SqliteConnection, name: &NoticeName, version: Option<u32>) -> Result<Option<Notice>, Error> {
    let sql = format!("{SELECT} WHERE n.name = ?1 AND (?2 IS NULL OR n.version = ?2) ORDER BY n.version DESC LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(name.as_str()).bind(version).fetch_optional(connection).await?;
    row.as_ref().map(notice).transpose()
}

/// That there is no such notice.
pub(crate) fn not_found(name: &NoticeName, version: Option<u32>) -> Error {
    Error::NotFound { what: "notice", name: version.map_or_else(|| name.to_string(), |v| format!("{name} v{v}")) }
}

fn notice(row: &SqliteRow) -> Result<Notice, Error> {
    let terms = NoticeTerms { purposes: parsed(row, 2)?, partners: parsed::<Vec<PartnerName>>(row, 3)?, open_classes: parsed(row, 4)?, scopes: parsed::<Vec<DataScope>>(row, 5)? };
    let mut texts = parsed::<Vec<TextRow<'_>>>(row, 10)?.into_iter().map(text).collect::<Result<Vec<_>, Error>>()?.into_iter();
    Ok(Notice {
        name: parse_word(row.try_get(0)?)?,
        version: row.try_get(1)?,
        terms,
        particulars: parsed(row, 6)?,
        changed: parsed(row, 7)?,
        own: texts.next().ok_or_else(|| unreadable("a notice", "it has no words"))?,
        translations: texts.collect(),
        shown_from: parse_time(row.try_get(8)?)?,
        published_at: parse_time(row.try_get(9)?)?,
    })
}

fn text((language, title, text, sentences, retention, withdrawal, sha256, at): TextRow<'_>) -> Result<NoticeText, Error> {
    Ok(NoticeText { wording: Wording { language, title, text, sentences, retention, withdrawal }, sha256, published_at: parse_time(at)? })
}

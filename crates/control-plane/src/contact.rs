//! How people are reached. Their addresses go with them, and the log holds salted digests alone.

use domain::audit::EntryKind;
use domain::mail::{Contact, ContactSource, is_address};
use domain::notice::is_language;
use domain::subject::SubjectStatus;
use domain::{Refusal, RefusalCode, SubjectId};
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::reconcile::Lost;
use crate::subject::{ids_of, person, resolve};
use crate::{ControlPlane, Error};

/// Bytes of an address's salt.
const SALT: usize = 32;

impl ControlPlane {
    /// Writes down how a person is reached, or takes it out again. What was known before is deleted.
    ///
    /// # Errors
    /// Not found; a refusal when the address or language cannot be one, or the person was erased.
    pub async fn subject_contact_set(&self, subject: SubjectId, contact: Option<&Contact>, source: ContactSource) -> Result<(), Error> {
        let refused = self.subject_contacts_set(&[(subject, contact.cloned())], source).await?;
        refused.into_iter().try_for_each(|refused| refused.map_or(Ok(()), |refusal| Err(refusal.into())))
    }

    /// The same for many people in one transaction; what is known already changes nothing. For each, why it
    /// was refused, if it was.
    ///
    /// # Errors
    /// Not found, then nothing was changed; a fault of the store.
    pub async fn subject_contacts_set(&self, contacts: &[(SubjectId, Option<Contact>)], source: ContactSource) -> Result<Vec<Option<Refusal>>, Error> {
        let mut tx = self.inner.store.begin().await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let mut refused = Vec::with_capacity(contacts.len());
        for (subject, contact) in contacts {
            let subject = resolve(&mut tx, *subject).await?;
            let why = refusal(&mut tx, subject, contact.as_ref()).await?;
            if why.is_none() && self::contact(&mut tx, subject).await? != *contact {
                self.contact_act(&mut tx, &mut audit, subject, contact.as_ref(), source).await?;
            }
            refused.push(why);
        }
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(refused)
    }

    async fn contact_act(&self, tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, subject: SubjectId, contact: Option<&Contact>, source: ContactSource) -> Result<(), Error> {
        let mut salt = [0; SALT];
        self.inner.entropy.fill(&mut salt)?;
        let digest = contact.map(|contact| contact_digest(&salt, &contact.email, contact.language.as_deref()));
        for id in ids_of(tx, subject).await? {
            // An address that is known of another id of the person is taken out there.
            let known = sqlx::query("SELECT 1 FROM contact_address WHERE subject_id = ?").bind(id.0).fetch_optional(&mut *tx).await?.is_some();
            let (is_the_one, digest) = (id == subject, digest.as_deref().filter(|_| id == subject));
            if !is_the_one && !known {
                continue;
            }
            let inserted = sqlx::query("INSERT INTO contact_act (subject_id, source, contact, at) VALUES (?, ?, ?, ?)").bind(id.0).bind(source.as_str()).bind(digest);
            let act = inserted.bind(self.now_text()).execute(&mut *tx).await?.last_insert_rowid();
            sqlx::query("DELETE FROM contact_address WHERE subject_id = ?").bind(id.0).execute(&mut *tx).await?;
            if let Some(contact) = contact.filter(|_| is_the_one) {
                let inserted = sqlx::query("INSERT INTO contact_address (act_id, subject_id, salt, address, language) VALUES (?, ?, ?, ?, ?)").bind(act).bind(id.0);
                inserted.bind(salt.as_slice()).bind(&contact.email).bind(contact.language.as_deref()).execute(&mut *tx).await?;
            }
            audit.append(tx, EntryKind::ContactChanged, "contact_act", act).await?;
        }
        Ok(())
    }

    /// How a person is reached, under any id of theirs.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn subject_contact(&self, subject: SubjectId) -> Result<Option<Contact>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let subject = resolve(&mut tx, subject).await?;
        contact(&mut tx, subject).await
    }
}

/// Why a contact cannot be written down, if so.
async fn refusal(tx: &mut SqliteConnection, subject: SubjectId, contact: Option<&Contact>) -> Result<Option<Refusal>, Error> {
    if let Some(Contact { email, language }) = contact {
        let refuse = |message: &str, hint: &str| Ok(Some(Refusal::new(RefusalCode::Mail, message).hint(hint)));
        if !is_address(email) {
            return refuse("that cannot be an e-mail address", "for example anna@town.example");
        }
        if language.as_deref().is_some_and(|language| !is_language(language)) {
            return refuse("that is not a language", "BCP 47, for example en, de or pt-BR");
        }
    }
    let erased = person(tx, subject).await?.status == SubjectStatus::Erased;
    Ok(erased.then(|| Refusal::new(RefusalCode::ConsentErased, format!("subject {subject} was erased")).hint("nothing about them can be recorded")))
}

/// How the person who counts under `subject` is reached.
pub(crate) async fn contact(connection: &mut SqliteConnection, subject: SubjectId) -> Result<Option<Contact>, Error> {
    let newest = "SELECT c.address, c.language FROM contact_address c JOIN subject s USING (subject_id) WHERE s.subject_id = ?1 OR s.merged_into = ?1 ORDER BY c.subject_id <> ?1, c.act_id DESC LIMIT 1";
    let row = sqlx::query(newest).bind(subject.0).fetch_optional(connection).await?;
    row.map(|row| Ok(Contact { email: row.try_get(0)?, language: row.try_get(1)? })).transpose()
}

fn contact_digest(salt: &[u8], address: &str, language: Option<&str>) -> String {
    hex::encode(Sha256::new().chain_update(salt).chain_update(Sha256::digest(address)).chain_update(language.unwrap_or_default()).finalize())
}

/// Tells the first person whose address is not the one that was recorded last.
pub(crate) async fn first_wrong(tx: &mut SqliteConnection, lost: &Lost) -> Result<Option<String>, Error> {
    let newest = "SELECT a.id, a.subject_id, a.contact, c.salt, c.address, c.language, EXISTS (SELECT 1 FROM erasure e WHERE e.subject_id = a.subject_id)
        FROM (SELECT max(id) AS id FROM contact_act GROUP BY subject_id) n JOIN contact_act a USING (id) LEFT JOIN contact_address c ON c.act_id = a.id";
    let mut expected = 0_i64;
    for row in sqlx::query(newest).fetch_all(&mut *tx).await? {
        let (id, subject, recorded): (i64, u32, Option<String>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let stored = match (row.try_get::<Option<&[u8]>, _>(3)?, row.try_get::<Option<&str>, _>(4)?) {
            (Some(salt), Some(address)) => Some(contact_digest(salt, address, row.try_get(5)?)),
            _ => None,
        };
        expected += i64::from(stored.is_some());
        let may_be_gone = row.try_get::<bool, _>(6)? || lost.contains("contact_act", id);
        if stored != recorded && !(stored.is_none() && may_be_gone) {
            return Ok(Some(format!("how subject {subject} is reached is not what was recorded")));
        }
    }
    let all: i64 = sqlx::query("SELECT count(*) FROM contact_address").fetch_one(tx).await?.try_get(0)?;
    Ok((all != expected).then(|| "there is an address that nobody recorded, or that another has taken the place of".to_owned()))
}

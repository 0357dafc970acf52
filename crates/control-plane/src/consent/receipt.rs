//! Receipts: a person's own copy of what they chose, signed, in the terms of ISO/IEC TS 27560 and DPV.

use std::collections::BTreeMap;

use audit_log::{Signer, Verifier};
use domain::consent::{Actor, ConsentEvent, ConsentKey, ConsentState, DataScope, Recipient, Standing};
use domain::notice::{Notice, NoticeParticulars, NoticeRef};
use domain::party::Party;
use domain::{Fault, PartnerName, Purpose, Refusal, RefusalCode, SubjectId, Timestamp};
use dpv::vocabulary::{ConsentStatus, PurposeMapping};
use dpv::{Concept, ConsentHistory, Iri, NoticeVersion, Validity};
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use crate::subject::resolve;
use crate::{ControlPlane, Error};

/// What the key that signs receipts is called beside the log's.
const KEY_NAME: &str = "receipts";

/// A receipt, as it is given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReceipt {
    /// Its identifier: what it is about and the last event that it knows.
    pub id: String,
    /// The signed note: header, the receipt as JSON, an empty line, the signature.
    pub note: String,
    /// The last event that it knows.
    pub seq: u64,
}

impl ControlPlane {
    /// The receipt of everything that happened between a person and a partner about one purpose.
    ///
    /// # Guarantee
    /// It tells every event of the ledger, names the texts that were shown by their digests, and passes all checks of
    /// `dpv` for the profile of the GDPR. Whoever has the published key verifies it offline.
    ///
    /// # Errors
    /// Not found when nothing happened; a refusal that names what people must be told and nobody has written down
    /// yet: who the controller and the partner are, and what the notice leaves out.
    pub async fn consent_receipt(&self, subject: SubjectId, partner: &PartnerName, purpose: Purpose) -> Result<SignedReceipt, Error> {
        let created_at = self.now();
        let mut tx = self.inner.store.snapshot().await?;
        let subject = resolve(&mut tx, subject).await?;
        let mut events = super::history(&mut *tx, &[subject].into()).await?;
        events.retain(|event| event.key.purpose == purpose && event.key.recipient == Recipient::Partner(partner.clone()));
        events.sort_by_key(|event| (event.order, event.seq));
        let newest = events.last().ok_or_else(|| Error::NotFound { what: "consent", name: format!("of subject {subject} for {purpose} by {partner}") })?;
        let (seq, newest) = (events.iter().map(|event| event.seq).max().unwrap_or(0), newest.notice.clone());
        let told = Told::read(&mut tx, partner, &events).await?;
        let base = format!("https://{}/", self.inner.origin);
        let iri = |rest: String| Iri::new(format!("{base}{rest}"));
        let particulars = told.notices.get(&newest).ok_or_else(|| Fault::broken("an event under a notice that is not there"))?.complete()?;
        let id = format!("{subject}-{partner}-{purpose}");
        let identifier = format!("{id}-{seq}");
        let history = ConsentHistory {
            id: iri(format!("consents/{id}")),
            identifier: id,
            subject: iri(format!("subjects/{subject}")),
            controller: party(iri("controller".to_owned()), "controller", &told.controller),
            recipient: party(iri(format!("partners/{partner}")), partner.as_str(), &told.partner),
            others: Vec::new(),
            purpose: PurposeMapping::of(purpose.as_str()).ok_or_else(|| Fault::broken("a purpose without its term"))?,
            personal_data: personal_data(&events),
            processing: ["Store", "Aggregate", "Anonymise"].map(|term| Iri::new(format!("{DPV}{term}"))).into(),
            data_sources: vec![Iri::new(format!("{DPV}DataSubjectDataSource"))],
            explicit: events.iter().any(|event| event.strength.explicit),
            storage_locations: particulars.storage.iter().map(|country| location(country)).collect(),
            retention: particulars.retention.map_or_else(
                || Validity::UntilEvent("the yes ends, or the person erases their data".to_owned()),
                |term| Validity::UntilEvent(format!("{} {} after they came", term.n, term.unit)),
            ),
            jurisdictions: particulars.jurisdiction.iter().map(|country| location(country)).collect(),
            withdrawal_url: Iri::new(particulars.withdrawal_url.unwrap_or_default()),
            rights_url: Iri::new(particulars.rights_url.unwrap_or_default()),
            events: told_events(&events, &told, &base)?,
        };
        let receipt = history.receipt(iri(format!("receipts/{identifier}")), identifier.clone(), created_at);
        let findings = receipt.check();
        if let Some(finding) = findings.first() {
            return Err(Fault::broken(format!("a receipt that is not complete: {finding}")).into());
        }
        let text = receipt.to_note_text().map_err(|e| Fault::new("writing a receipt", e))?;
        let note = self.receipt_signer()?.sign_text(&text).map_err(|e| Fault::new("signing a receipt", e))?;
        Ok(SignedReceipt { id: identifier, note, seq })
    }

    /// The key with which outsiders check receipts, as C2SP text.
    ///
    /// # Errors
    /// A fault when the deployment's name cannot be a key's.
    pub fn receipt_key(&self) -> Result<String, Error> {
        Ok(self.receipt_signer()?.verifier().to_vkey())
    }

    /// A key of its own, so that the log's signs checkpoints alone; it follows from the log's, so that there is one
    /// secret to keep.
    fn receipt_signer(&self) -> Result<Signer, Fault> {
        Signer::from_seed(&format!("{}/{KEY_NAME}", self.inner.origin), &self.inner.receipts).map_err(|e| Fault::new("making the signer of receipts", e))
    }
}

/// Opens a receipt with the published key; gives its JSON.
///
/// # Guarantee
/// `Ok` means that the holder of the key signed exactly this receipt.
///
/// # Errors
/// In words, why it is none.
pub fn receipt_open(note: &str, key: &str) -> Result<String, String> {
    let verifier = Verifier::parse(key.trim()).map_err(|e| format!("the key cannot be read: {e}"))?;
    let text = verifier.open_text(note).map_err(|e| e.to_string())?;
    let receipt = dpv::receipt_of_note_text(&text).map_err(|e| e.to_string())?;
    receipt.to_json().map_err(|e| e.to_string())
}

/// The seed of the key that signs receipts.
pub(crate) fn receipt_seed(log_seed: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"fairshare receipts v1").chain_update(log_seed).finalize().into()
}

const DPV: &str = "https://w3id.org/dpv#";
const PERSONAL_DATA: &str = "https://w3id.org/dpv/pd#";

fn location(country: &str) -> Iri {
    Iri::new(format!("https://w3id.org/dpv/loc#{country}"))
}

/// What people were told, and by whom.
struct Told {
    controller: Party,
    partner: Party,
    notices: BTreeMap<NoticeRef, ToldNotice>,
}

struct ToldNotice(Notice);

impl Told {
    async fn read(tx: &mut SqliteConnection, partner: &PartnerName, events: &[ConsentEvent]) -> Result<Self, Error> {
        let controller = crate::party::controller(tx).await?;
        let recipient = crate::party::newest(tx, Some(partner)).await?.ok_or_else(|| {
            Refusal::new(RefusalCode::Notice, format!("a receipt names the partner {partner}, and nobody has written down where it is"))
                .hint(format!("fairshare partner describe {partner} --address …"))
        })?;
        let mut notices = BTreeMap::new();
        for event in events {
            if !notices.contains_key(&event.notice) {
                let notice = crate::notice::find(tx, &event.notice.name, Some(event.notice.version)).await?;
                notices.insert(event.notice.clone(), ToldNotice(notice));
            }
        }
        Ok(Self { controller, partner: recipient, notices })
    }
}

impl ToldNotice {
    /// The text that was shown, as a receipt names it.
    fn version(&self, language: &str, base: &str) -> NoticeVersion {
        let Self(notice) = self;
        let text = notice.text_in(language).unwrap_or(&notice.own);
        let id = format!("{base}notices/{}/{}/{}", notice.name, notice.version, text.wording.language);
        NoticeVersion {
            id: Iri::new(id),
            version: notice.version.to_string(),
            language: text.wording.language.clone(),
            url: None,
            sha256: text.sha256.clone(),
            published_at: notice.shown_from,
        }
    }

    /// What a receipt must tell besides what was asked.
    fn complete(&self) -> Result<NoticeParticulars, Error> {
        let Self(Notice { name, version, particulars, .. }) = self;
        let lacks = [
            (particulars.storage.is_empty(), "--storage COUNTRY"),
            (particulars.jurisdiction.is_none(), "--jurisdiction COUNTRY"),
            (particulars.withdrawal_url.is_none(), "--withdrawal-url URL"),
            (particulars.rights_url.is_none(), "--rights-url URL"),
        ];
        let lacks: Vec<&str> = lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, option)| option).collect();
        if lacks.is_empty() {
            return Ok(particulars.clone());
        }
        let message = format!("the notice {name} v{version} does not tell what a receipt must tell (GDPR Art. 13; ISO/IEC TS 27560)");
        Err(Refusal::new(RefusalCode::Notice, message).hint(format!("publish its next version with {}", lacks.join(" "))).into())
    }
}

fn party(id: Iri, identifier: &str, Party { legal_name, address, email, .. }: &Party) -> dpv::Party {
    dpv::Party { id, identifier: identifier.to_owned(), name: legal_name.clone(), address: address.replace('\n', ", "), email: email.clone() }
}

/// The categories of data that the choices spoke of.
fn personal_data(events: &[ConsentEvent]) -> Vec<Concept> {
    let spoken = |part: DataScope| events.iter().any(|event| event.key.scope.covers(part));
    let mut data = Vec::new();
    if spoken(DataScope::Activity) {
        data.push(Concept::term(Iri::new(format!("{PERSONAL_DATA}SocialMediaCommunication"))));
    }
    if spoken(DataScope::Profile) {
        data.push(Concept::term(Iri::new(format!("{PERSONAL_DATA}Demographic"))));
    }
    if spoken(DataScope::Topics) {
        let types = if events.iter().any(|event| event.strength.explicit) {
            vec![Iri::new(format!("{DPV}SpecialCategoryPersonalData"))]
        } else {
            vec![Iri::new(format!("{DPV}SensitivePersonalData"))]
        };
        data.push(Concept { types, broader: vec![Iri::new(format!("{PERSONAL_DATA}Interest"))], ..Concept::default() });
    }
    data
}

/// Every event, with the state that it led to.
fn told_events(events: &[ConsentEvent], told: &Told, base: &str) -> Result<Vec<dpv::ConsentEvent>, Error> {
    let mut standings: BTreeMap<&ConsentKey, Standing> = BTreeMap::new();
    let mut all = Vec::with_capacity(events.len());
    for event in events {
        let standing = match standings.remove(&event.key) {
            Some(standing) if standing.last == event.order => standing,
            Some(standing) => standing.after(event),
            None => Standing::first(event),
        };
        let notice = told.notices.get(&event.notice);
        let notice = notice.ok_or_else(|| Fault::broken("an event under a notice that is not there"))?.version(&event.language, base);
        all.push(dpv::ConsentEvent {
            status: status(standing.state),
            at: event.order.at,
            validity: validity(&standing, event.order.at),
            actor: match event.actor {
                Actor::Subject | Actor::Parent | Actor::Agent => None,
                Actor::Controller | Actor::System | Actor::Authority => Some(Iri::new(format!("{base}controller"))),
            },
            method: format!("{} by {} over {} data, {}", event.order.action, event.actor, event.key.scope, event.method),
            notice,
        });
        standings.insert(&event.key, standing);
    }
    Ok(all)
}

fn validity(standing: &Standing, at: Timestamp) -> Validity {
    match standing.valid_until.filter(|end| standing.state.is_valid() && *end > at) {
        Some(end) => Validity::Until(end),
        None => Validity::UntilEvent("the person chooses otherwise".to_owned()),
    }
}

const fn status(state: ConsentState) -> ConsentStatus {
    match state {
        ConsentState::Unknown => ConsentStatus::Unknown,
        ConsentState::Requested => ConsentStatus::Requested,
        ConsentState::Deferred => ConsentStatus::RequestDeferred,
        ConsentState::Given => ConsentStatus::Given,
        ConsentState::Renewed => ConsentStatus::RenewedGiven,
        ConsentState::Refused => ConsentStatus::Refused,
        ConsentState::Withdrawn => ConsentStatus::Withdrawn,
        ConsentState::Revoked => ConsentStatus::Revoked,
        ConsentState::Expired => ConsentStatus::Expired,
        ConsentState::Invalidated => ConsentStatus::Invalidated,
    }
}

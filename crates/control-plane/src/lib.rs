//! Governance: who decided what, who may ask what, what was released, and the proof of it all.
//!
//! The only crate that knows SQL stores. It conducts releases through the doors of `domain::port` and
//! has never heard of the engine behind them. Everything goes through [`ControlPlane`]; its methods
//! are named resource first: `notice_publish`, `consent_record`, `release_run`, `audit_verify`.

mod accounting;
mod agreement;
mod audit;
mod budget;
mod consent;
mod contact;
mod creator;
mod erasure;
mod error;
mod identity;
mod import;
mod law;
mod link;
mod mail;
mod notice;
mod partner;
mod partner_table;
mod party;
mod plane;
mod reconcile;
mod release;
mod snapshot;
mod store;
mod subject;

pub use accounting::{Counted, Meter};
pub use agreement::AgreementInfo;
pub use audit::{AuditReport, BadFinding, EntryProof};
pub use budget::BudgetLine;
pub use consent::{Case, Choice, Decided, Limit, Receipt, RecordedLimit, SignedReceipt, receipt_open};
pub use creator::{CreatorInfo, NewCreator};
pub use error::Error;
pub use identity::{IdentityChange, IdentityChanged};
pub use import::{Import, ImportInfo, ImportRecord, ImportedSource, Provenance, Undoing};
pub use law::{Preview, RulePackInfo};
pub use link::NewLink;
pub use mail::{MailInfo, Notified, QueuedMail};
pub use notice::{Answer, Answered, Answers, Asking, Barred, Needs, NewNotice, NoticePage, Outcome, Seen, Serving};
pub use partner::PartnerInfo;
pub use partner_table::{NewPartnerTable, PartnerTableInfo, PartnerTableState, Upload, UploadedFile};
pub use plane::{ControlPlane, Secrets, Settings};
pub use reconcile::Reconciled;
pub use release::{Ask, ReleaseInfo};
pub use snapshot::{Kept, LakeLock};
pub use subject::SubjectInfo;

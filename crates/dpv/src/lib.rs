//! Consent records and receipts, as others can read them.
//!
//! ISO/IEC TS 27560:2023 says what a consent record and a receipt hold; the guide of W3C's Data Privacy
//! Vocabulary (DPV 2.3) says how they are written in JSON-LD. This crate reads what others wrote
//! ([`read`]), says what is missing or wrong in it ([`ConsentRecord::check`], [`ConsentReceipt::check`]), and
//! writes the same bytes for the same record every time ([`ConsentReceipt::to_json`]), so that they can
//! be signed ([`ConsentReceipt::to_note_text`]). [`ConsentHistory`] makes complete records.
//!
//! It knows the forms and no rule about what follows from a choice. Pure: no files, no network, no clock,
//! no keys.
//!
//! Sources: the DPV guide on 27560 (final report of 15 February 2026), DPV 2.3, JSON-LD 1.1, RFC 8785. The
//! standard itself is sold; what it demands is known here through the guide.

mod check;
mod compose;
mod document;
mod error;
mod iri;
mod model;
mod note;
mod time;
pub mod vocabulary;

pub use check::{Check, Finding, Kind};
pub use compose::{ConsentEvent, ConsentHistory, NoticeVersion, Party, Validity};
pub use document::{Document, read};
pub use error::{ReadError, WriteError};
pub use iri::Iri;
pub use model::{
    Checksum, Concept, ConsentControl, ConsentReceipt, ConsentRecord, Contact, Duration, Entity, Event, Fields, Notice, Process, Right, Scope, StorageCondition, Text,
};
pub use note::{NOTE_HEADER, receipt_of_note_text};

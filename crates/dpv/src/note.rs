//! Receipts as signed notes.
//!
//! A receipt is given out as a signed note (C2SP signed-note, Ed25519), the form that the log's checkpoints
//! have: a text, an empty line, and a line for each signature. The text is
//!
//! ```text
//! consent-receipt/1
//! {"@context":{…},"@id":"…","@type":"dpv:ConsentReceipt",…}
//! ```
//!
//! - **The first line** says what the signature is for. A checkpoint's text has three lines or more, this one
//!   has two, so that neither is ever taken for the other, even under one key. Receipts have a key of their
//!   own all the same (name `<deployment>/receipts`), so that the log's key signs checkpoints alone.
//! - **The second line** is the receipt in its one canonical spelling. No newline and no other control
//!   character stands in it as such, as notes demand. Another spelling of the same receipt is refused: a
//!   signature is for bytes, and nobody should have to ask whether two texts mean the same.
//!
//! Who signs: `audit_log::Signer::sign_text`. Who opens it, offline, with the published verifier key:
//! `audit_log::Verifier::open_text`, then [`receipt_of_note_text`]. Keys and signatures are no matter of this
//! crate.

use crate::{ConsentReceipt, ReadError, WriteError};

/// The first line of a receipt's note.
pub const NOTE_HEADER: &str = "consent-receipt/1";

impl ConsentReceipt {
    /// The text that is signed: the header and the receipt's canonical JSON, each on its line.
    ///
    /// # Errors
    /// When a value could not be read back as it is.
    pub fn to_note_text(&self) -> Result<String, WriteError> {
        Ok(format!("{NOTE_HEADER}\n{}\n", self.to_json()?))
    }
}

/// The receipt that [`ConsentReceipt::to_note_text`] wrote.
///
/// # Guarantee
/// `Ok` means that `text` is exactly what the receipt is written as.
///
/// # Errors
/// When it is anything else.
pub fn receipt_of_note_text(text: &str) -> Result<ConsentReceipt, ReadError> {
    let json = text.strip_prefix(NOTE_HEADER).and_then(|rest| rest.strip_prefix('\n')).and_then(|rest| rest.strip_suffix('\n')).ok_or(ReadError::Note)?;
    let receipt = ConsentReceipt::from_json(json)?;
    if receipt.to_note_text().is_ok_and(|canonical| canonical == text) { Ok(receipt) } else { Err(ReadError::Note) }
}

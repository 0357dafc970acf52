//! Checkpoints (C2SP tlog-checkpoint): what a signature vouches for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Hash;

/// A log of `size` entries has this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's unique name.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root over their leaves.
    pub root: Hash,
}

/// A text that is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a checkpoint: {0}")]
pub struct CheckpointError(&'static str);

impl Checkpoint {
    /// The text that is signed: origin, size, root in base64, each on its line.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// Reads a checkpoint. Extension lines are refused: this log writes none.
    ///
    /// # Errors
    /// When the text is not exactly what [`Checkpoint::to_text`] writes.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError("no newline at its end"))?.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError("not three lines"));
        };
        if origin.is_empty() {
            return Err(CheckpointError("no origin"));
        }
        let canonical = size.bytes().all(|b| b.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| canonical).ok_or(CheckpointError("no size"))?;
        let root = STANDARD.decode(root).ok().and_then(|b| <[u8; 32]>::try_from(b).ok()).ok_or(CheckpointError("no root"))?;
        Ok(Self { origin: origin.to_owned(), size, root: Hash::from_bytes(root) })
    }
}

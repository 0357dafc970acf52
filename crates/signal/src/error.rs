//! Why a string is no signal.

/// What is wrong with a string, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("S{code}: {what}{}", place(*.bit))]
pub struct SignalError {
    /// Stable number of the kind of mistake: 701 not of the alphabet, 702 ends too early, 703 a value that a
    /// field cannot have, 704 an unknown version, section or record, 705 segments, sections or fields that do not
    /// fit together, 706 no JSON object.
    pub code: u16,
    /// What is wrong, in one sentence, with the field's name in the standard.
    pub what: String,
    /// The bit at which it is, from 0, in the segment or section that `what` names.
    pub bit: Option<usize>,
}

fn place(bit: Option<usize>) -> String {
    bit.map_or_else(String::new, |bit| format!(" (at bit {bit})"))
}

impl SignalError {
    /// A mistake without a place.
    #[must_use]
    pub fn new(code: u16, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), bit: None }
    }

    /// The same at a bit.
    #[must_use]
    pub const fn at(mut self, bit: usize) -> Self {
        self.bit = Some(bit);
        self
    }
}

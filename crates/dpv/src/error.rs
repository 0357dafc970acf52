//! Why a text is no document, and why a record cannot be written.

/// A text that cannot be read without losing or guessing something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not JSON.
    #[error("V890: not JSON (line {line}, column {column}): give the document as it was issued")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// An object names a property twice, so that one of the two would be lost.
    #[error("V891: a property stands twice in one object (`{0}`): give its values as one array")]
    Twice(String),
    /// A number that JSON readers do not agree on.
    #[error("V892: a number that is not whole, or is beyond 2^53: write it as a text")]
    Number,
    /// A context or feature of JSON-LD that is not read here.
    #[error("V893: {0}: name prefixes and terms in one `@context` at the top, in the document itself")]
    Context(&'static str),
    /// The top is no object, array of objects or `@graph`.
    #[error("V894: neither a node, an array of nodes nor a `@graph` of nodes")]
    NoNodes,
    /// Two nodes have one id, so that it is not clear which is meant.
    #[error("V895: two nodes at the top have the same `@id`: make one of them")]
    SameId,
    /// A note's text that is not exactly one receipt in its one spelling.
    #[error("V896: the text of the note is not a consent receipt in its canonical form")]
    Note,
}

/// A record that no document can say as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A field has a value, and so does its property among the others.
    #[error("V897: `{0}` has a field of its own and stands among the others too: put all values into the field")]
    Twice(String),
    /// An identifier that would be read back as another; named is the property that it stands under.
    #[error("V898: an identifier under `{0}` would be read as something else: write it in full, without prefix")]
    Identifier(String),
    /// A number that JSON readers do not agree on.
    #[error("V899: a number that is not whole, or is beyond 2^53: write it as a text")]
    Number,
}

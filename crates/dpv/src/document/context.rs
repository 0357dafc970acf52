//! What the words of one document stand for: the part of JSON-LD contexts that consent records use.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ReadError;
use crate::iri::{PREFIXES, PREFIXES_OF_THE_GUIDE, compact};
use crate::model::REFERENCES;

/// Prefixes may be built on prefixes, this deep.
const DEPTH_MAX: usize = 8;

/// Longest meaning of a word, in bytes: a few letters of a document stand for as many.
const MEANING_MAX: usize = 512;

/// A word of a context.
#[derive(Debug, Clone)]
struct Term {
    iri: String,
    /// Whether texts under it are identifiers.
    refers: bool,
}

/// The words of one document.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    terms: BTreeMap<String, Term>,
    vocab: Option<String>,
}

impl Context {
    /// The words of documents of ours.
    pub(super) fn ours() -> Self {
        Self { terms: PREFIXES.iter().map(|&(word, iri)| (word.to_owned(), Term { iri: iri.to_owned(), refers: false })).collect(), vocab: None }
    }

    /// What documents without a context mean: the words of the guide, whose examples have none.
    pub(super) fn of_the_guide() -> Self {
        let mut context = Self::ours();
        context.terms.extend(PREFIXES_OF_THE_GUIDE.iter().map(|&(word, iri)| (word.to_owned(), Term { iri: iri.to_owned(), refers: false })));
        context
    }

    /// Reads a `@context`. Contexts elsewhere are not fetched, and what would change the meaning of texts in
    /// ways that are not followed here is refused.
    pub(super) fn read(value: &Value) -> Result<Self, ReadError> {
        let mut context = Self::default();
        match value {
            Value::Null => {}
            Value::Array(parts) => parts.iter().try_for_each(|part| context.extend(part))?,
            one => context.extend(one)?,
        }
        context.resolve()
    }

    fn extend(&mut self, part: &Value) -> Result<(), ReadError> {
        let refuse = |what| Err(ReadError::Context(what));
        let words = match part {
            Value::Object(words) => words,
            Value::String(_) => return refuse("a context elsewhere is not fetched"),
            _ => return refuse("a context is an object of words"),
        };
        for (word, meaning) in words {
            match (word.as_str(), meaning) {
                ("@version" | "@protected", _) => {}
                ("@vocab", Value::String(iri)) if iri.len() <= MEANING_MAX => self.vocab = Some(iri.clone()),
                (keyword, _) if keyword.starts_with('@') => return refuse("of the keywords in a context only `@vocab` and `@version` are read"),
                (_, Value::String(iri)) => drop(self.terms.insert(word.clone(), Term { iri: iri.clone(), refers: false })),
                (_, Value::Object(definition)) => drop(self.terms.insert(word.clone(), Self::definition(word, definition)?)),
                _ => return refuse("a word of a context is an IRI or a definition"),
            }
        }
        Ok(())
    }

    fn definition(word: &str, definition: &Map<String, Value>) -> Result<Term, ReadError> {
        let mut term = Term { iri: word.to_owned(), refers: false };
        for (keyword, value) in definition {
            match (keyword.as_str(), value) {
                ("@id", Value::String(iri)) => term.iri.clone_from(iri),
                ("@type", Value::String(kind)) => term.refers = kind == "@id" || kind == "@vocab",
                ("@container", Value::String(kind)) if kind == "@set" => {}
                ("@prefix" | "@protected", _) => {}
                _ => return Err(ReadError::Context("of a definition only `@id`, `@type` and `@container: @set` are read")),
            }
        }
        Ok(term)
    }

    /// Makes the meanings absolute.
    fn resolve(mut self) -> Result<Self, ReadError> {
        for _ in 0..DEPTH_MAX {
            let before = self.clone();
            let mut changed = false;
            for (word, term) in &mut self.terms {
                let absolute = before.term_of(&term.iri, word);
                if absolute.len() > MEANING_MAX {
                    return Err(ReadError::Context("a word stands for more than 512 bytes"));
                }
                changed |= absolute != term.iri;
                term.iri = absolute;
            }
            if !changed {
                return Ok(self);
            }
        }
        Err(ReadError::Context("the words of the context are defined in a circle"))
    }

    /// A meaning within the context itself: `word` is not defined by itself.
    fn term_of(&self, text: &str, word: &str) -> String {
        if text != word
            && let Some(term) = self.terms.get(text)
        {
            return term.iri.clone();
        }
        let absolute = self.prefixed(text);
        // A word that is neither a term nor prefixed gets the vocabulary's meaning.
        absolute.or_else(|| self.in_vocab(text)).unwrap_or_else(|| text.to_owned())
    }

    fn prefixed(&self, text: &str) -> Option<String> {
        let (prefix, rest) = text.split_once(':')?;
        let term = self.terms.get(prefix).filter(|_| !rest.starts_with("//"))?;
        Some(format!("{}{rest}", term.iri))
    }

    fn in_vocab(&self, text: &str) -> Option<String> {
        let vocab = self.vocab.as_ref().filter(|_| !text.contains(':') && !text.starts_with('@'))?;
        Some(format!("{vocab}{text}"))
    }

    /// What a property or a type stands for: itself when the document gives it no meaning.
    pub(super) fn word(&self, text: &str) -> String {
        self.terms.get(text).map(|term| term.iri.clone()).or_else(|| self.prefixed(text)).or_else(|| self.in_vocab(text)).unwrap_or_else(|| text.to_owned())
    }

    /// What an identifier stands for.
    pub(super) fn identifier(&self, text: &str) -> String {
        self.prefixed(text).unwrap_or_else(|| text.to_owned())
    }

    /// Whether the document says that texts under this property are identifiers.
    pub(super) fn refers(&self, property: &str) -> bool {
        self.terms.get(property).is_some_and(|term| term.refers)
    }
}

/// The context of documents of ours: whole, so that they can be read without any network.
pub(super) fn our_context() -> Value {
    let prefixes = PREFIXES.iter().map(|&(prefix, iri)| (prefix.to_owned(), Value::from(iri)));
    let references = REFERENCES.iter().map(|iri| (compact(iri), serde_json::json!({ "@type": "@id" })));
    Value::Object(prefixes.chain(references).collect())
}

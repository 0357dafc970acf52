//! Identifiers, and the namespaces they are from.

use std::fmt;

/// An IRI of a known namespace, as a literal.
macro_rules! iri {
    (dpv $term:literal) => {
        concat!("https://w3id.org/dpv#", $term)
    };
    (eu_gdpr $term:literal) => {
        concat!("https://w3id.org/dpv/legal/eu/gdpr#", $term)
    };
    (profile $term:literal) => {
        concat!("https://w3id.org/dpv/schema/dpv-27560#", $term)
    };
    (dct $term:literal) => {
        concat!("http://purl.org/dc/terms/", $term)
    };
    (dcat $term:literal) => {
        concat!("http://www.w3.org/ns/dcat#", $term)
    };
    (rdf $term:literal) => {
        concat!("http://www.w3.org/1999/02/22-rdf-syntax-ns#", $term)
    };
    (schema $term:literal) => {
        concat!("https://schema.org/", $term)
    };
    (skos $term:literal) => {
        concat!("http://www.w3.org/2004/02/skos/core#", $term)
    };
    (spdx $term:literal) => {
        concat!("http://spdx.org/rdf/terms#", $term)
    };
    (xsd $term:literal) => {
        concat!("http://www.w3.org/2001/XMLSchema#", $term)
    };
}
pub(crate) use iri;

/// The prefixes that documents of ours declare, in this order.
pub(crate) const PREFIXES: &[(&str, &str)] = &[
    ("dcat", iri!(dcat "")),
    ("dct", iri!(dct "")),
    ("dpv", iri!(dpv "")),
    ("eu-gdpr", iri!(eu_gdpr "")),
    ("loc", "https://w3id.org/dpv/loc#"),
    ("pd", "https://w3id.org/dpv/pd#"),
    ("rdf", iri!(rdf "")),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("schema", iri!(schema "")),
    ("skos", iri!(skos "")),
    ("spdx", iri!(spdx "")),
    ("xsd", iri!(xsd "")),
];

/// What the examples of the guide use besides, without saying so.
pub(crate) const PREFIXES_OF_THE_GUIDE: &[(&str, &str)] = &[("ex", "https://example.com/"), ("tech", "https://w3id.org/dpv/tech#")];

/// The shortest spelling of `iri` in a document of ours.
pub(crate) fn compact(iri: &str) -> String {
    let found = PREFIXES.iter().find_map(|(prefix, space)| Some((prefix, iri.strip_prefix(space)?)));
    match found {
        Some((prefix, rest)) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) => format!("{prefix}:{rest}"),
        _ => iri.to_owned(),
    }
}

/// The name of a thing: an absolute IRI, or an identifier that only its document knows.
///
/// Compact IRIs (`dpv:Marketing`) are a matter of documents: here stands what they stand for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iri(String);

impl Iri {
    /// The identifier `text`, which is not a compact IRI.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a term of DPV or one of its extensions, and so a kind of thing and nobody's name.
    #[must_use]
    pub fn is_dpv_term(&self) -> bool {
        self.0.starts_with("https://w3id.org/dpv")
    }
}

impl fmt::Display for Iri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for Iri {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

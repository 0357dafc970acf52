//! The Global Privacy Platform of IAB: one string with a section per law.
//!
//! A string is `header~section~section`; the header names the sections. Read and written are: the header of
//! version 1, TCF of Europe and of Canada (sections 2 and 5, see [`crate::tcf`]), US Privacy (section 6), and
//! US National and the states (sections 7 to 27). The texts of other sections are kept as they are.
//!
//! Standards: IAB Tech Lab, Global Privacy Platform, "Consent String Specification" (header, Fibonacci
//! code, ranges) and "Sections" (US Privacy, US National 1 and 2, and the US states), as of December 2025.
//!
//! # Guarantee
//!
//! What was read is written so that it reads as the same. The text itself can differ in what lies after the
//! last field of a section, in the forms of vendors' ranges, and for US National where version and length do
//! not fit.

mod header;
mod layout;
mod section;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::SignalError;
use crate::bits::BitReader;
use crate::tcf::{CanadaConsentString, ConsentString};

/// The section with TCF of Europe, version 2.
pub const TCF_EU: u16 = 2;
/// The section with TCF of Canada, version 1.
pub const TCF_CANADA: u16 = 5;
/// The section with US Privacy.
pub const US_PRIVACY: u16 = 6;

/// A GPP string: its sections by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GppString {
    /// The sections, by the id that the header gives them.
    pub sections: BTreeMap<u16, Section>,
}

/// A section of a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// TCF of Europe: section 2.
    TcfEu(Box<ConsentString>),
    /// TCF of Canada: section 5.
    TcfCanada(Box<CanadaConsentString>),
    /// US National or a state: sections 7 to 27.
    Us(UsSection),
    /// US Privacy: a digit of the version, then `Y`, `N` or `-` for notice, opt-out of sale, and LSPA.
    UsPrivacy(String),
    /// The text of a section with an id that this crate does not know.
    Opaque(String),
}

/// A section of the United States.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsSection {
    /// The fields with their names in the standard and in its order, the version first. In IN, KY and RI the
    /// last one, `SensitiveDataProcessing`, is missing where the string does not have it.
    #[serde(serialize_with = "as_map")]
    pub fields: Vec<(&'static str, FieldValue)>,
    /// Values past the end of the lists of the declared version, by field, where any is not 0. Strings of US
    /// National are in use that declare version 1 and are as long as version 2: IAB's library drops what is
    /// too much, but a person's choice is no less one for it.
    #[serde(serialize_with = "as_map", skip_serializing_if = "Vec::is_empty")]
    pub undeclared: Vec<(&'static str, FieldValue)>,
    /// Global Privacy Control, where the string says anything about it.
    pub gpc: Option<bool>,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// A version from 0 to 63, or a value: 0 not applicable, 1 and 2 as the field says.
    Number(u8),
    /// Such values, one for each kind of data or age group.
    List(Vec<u8>),
}

fn as_map<S: Serializer>(fields: &[(&'static str, FieldValue)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}

impl UsSection {
    /// The field `name`, if the section has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }
}

/// The name of a section in the standard, if this crate knows the id.
#[must_use]
pub fn section_name(id: u16) -> Option<&'static str> {
    match id {
        TCF_EU => Some("tcfeuv2"),
        TCF_CANADA => Some("tcfcav1"),
        US_PRIVACY => Some("uspv1"),
        _ => layout::all().find(|layout| layout.id == id).map(|layout| layout.name),
    }
}

impl GppString {
    /// Reads a string.
    ///
    /// # Errors
    ///
    /// Fails when the header or one section is not as the standard says; the error names section, field and
    /// bit. One bad section refuses the whole string: what a person said must not be read in part.
    pub fn decode(text: &str) -> Result<Self, SignalError> {
        let mut parts = text.split('~');
        let ids = header::decode(parts.next().unwrap_or_default()).map_err(|error| within("the header", error))?;
        let found = parts.clone().count();
        if found != ids.len() {
            return Err(SignalError::new(705, format!("the header names {} sections, and {found} follow", ids.len())));
        }
        let read = |(id, text)| Section::decode(id, text).map(|section| (id, section)).map_err(|error| within(&named(id), error));
        let sections = ids.into_iter().zip(parts).map(read).collect::<Result<_, _>>()?;
        Ok(Self { sections })
    }

    /// Writes the string, in the form that IAB's library writes.
    ///
    /// # Errors
    ///
    /// Fails when a section is not of the kind of its id, or a field is missing or has a value that it cannot
    /// have.
    pub fn encode(&self) -> Result<String, SignalError> {
        let mut text = header::encode(self.sections.keys().copied()).map_err(|error| within("the header", error))?;
        for (id, section) in &self.sections {
            text.push('~');
            text.push_str(&section.encode(*id).map_err(|error| within(&named(*id), error))?);
        }
        Ok(text)
    }
}

impl Section {
    /// Reads the text of the section `id`, without its header.
    ///
    /// # Errors
    ///
    /// Fails when the text is not as the standard says.
    pub fn decode(id: u16, text: &str) -> Result<Self, SignalError> {
        match id {
            TCF_EU => ConsentString::decode(text).map(|consent| Self::TcfEu(Box::new(consent))),
            TCF_CANADA => CanadaConsentString::decode(text).map(|consent| Self::TcfCanada(Box::new(consent))),
            US_PRIVACY => us_privacy(text).map(|()| Self::UsPrivacy(text.to_owned())),
            _ if layout::is_us(id) => section::decode(id, text).map(Self::Us),
            _ => opaque(text).map(|()| Self::Opaque(text.to_owned())),
        }
    }

    /// Writes the section as the section `id`.
    ///
    /// # Errors
    ///
    /// Fails when the section is not of the kind of its id, or a field is missing or has a value that it
    /// cannot have.
    pub fn encode(&self, id: u16) -> Result<String, SignalError> {
        match self {
            Self::TcfEu(consent) if id == TCF_EU => consent.encode(),
            Self::TcfCanada(consent) if id == TCF_CANADA => consent.encode(),
            Self::Us(fields) if layout::is_us(id) => section::encode(id, fields),
            Self::UsPrivacy(text) if id == US_PRIVACY => us_privacy(text).map(|()| text.clone()),
            Self::Opaque(text) if section_name(id).is_none() => opaque(text).map(|()| text.clone()),
            _ => Err(SignalError::new(705, "the section is of another kind than its id says")),
        }
    }
}

fn named(id: u16) -> String {
    section_name(id).map_or_else(|| format!("section {id}"), |name| format!("section {id} ({name})"))
}

fn within(part: &str, error: SignalError) -> SignalError {
    SignalError { what: format!("{part}: {}", error.what), ..error }
}

/// Like IAB's library, any digit is a version.
fn us_privacy(text: &str) -> Result<(), SignalError> {
    let mut letters = text.chars();
    for name in ["Version", "Notice", "OptOutSale", "LspaCovered"] {
        let letter = letters.next().ok_or_else(|| SignalError::new(702, format!("the string ends within {name}")))?;
        let is_allowed = if name == "Version" { matches!(letter, '1'..='9') } else { matches!(letter, 'Y' | 'N' | '-') };
        if !is_allowed {
            return Err(SignalError::new(703, format!("{name} cannot be `{}`", letter.escape_default())));
        }
    }
    if letters.next().is_some() { Err(SignalError::new(705, "there is more after LspaCovered")) } else { Ok(()) }
}

/// A kept text is of the alphabet and not empty.
fn opaque(text: &str) -> Result<(), SignalError> {
    if text.is_empty() {
        return Err(SignalError::new(702, "the section is empty"));
    }
    text.split('.').try_for_each(|segment| BitReader::of(segment).map(drop))
}

//! GPP and Global Privacy Control: opt-outs and missing consents of the United States, and TCF within GPP.

use super::{Narrowing, Purpose, Reach, What, of_tcf, of_tcf_canada};
use crate::gpp::{FieldValue, GppString, Section, UsSection, section_name};

const SALE: &[Purpose] = &[Purpose::SaleOrSharing, Purpose::CommercialResearch, Purpose::DirectMarketing];
/// In California, sharing is giving data away for advertising across contexts.
const SHARING: &[Purpose] = &[Purpose::SaleOrSharing, Purpose::TargetedAdvertising, Purpose::AdMeasurement, Purpose::PoliticalAdvertising];
const TARGETED: &[Purpose] = &[Purpose::TargetedAdvertising, Purpose::PoliticalAdvertising];
/// Sale, sharing and targeted advertising.
const ALL_OPT_OUTS: &[Purpose] =
    &[Purpose::SaleOrSharing, Purpose::CommercialResearch, Purpose::DirectMarketing, Purpose::TargetedAdvertising, Purpose::AdMeasurement, Purpose::PoliticalAdvertising];
/// Uses beyond what data was collected for.
const SECONDARY: &[Purpose] = &[
    Purpose::CommercialResearch,
    Purpose::DirectMarketing,
    Purpose::TargetedAdvertising,
    Purpose::AdMeasurement,
    Purpose::SaleOrSharing,
    Purpose::Personalisation,
    Purpose::AiTraining,
    Purpose::PoliticalAdvertising,
];

/// The value that means opted out, or no consent: the same in all fields of all sections. 0 is not applicable, and 2
/// is the opposite.
const NO: u8 = 1;

/// What each field of a section narrows when it is [`NO`]. Other fields are about notices and contracts.
const FIELDS: &[(&str, What, Reach, &[Purpose])] = &[
    ("SaleOptOut", What::OptOut, Reach::Whole, SALE),
    ("SharingOptOut", What::OptOut, Reach::Whole, SHARING),
    ("TargetedAdvertisingOptOut", What::OptOut, Reach::Whole, TARGETED),
    (SENSITIVE, What::NoConsent, Reach::SensitiveData, Purpose::ALL),
    (CHILD, What::NoConsent, Reach::Whole, Purpose::ALL),
    ("PersonalDataConsents", What::NoConsent, Reach::Whole, SECONDARY),
    ("AdditionalDataProcessingConsent", What::NoConsent, Reach::Whole, SECONDARY),
];
const SENSITIVE: &str = "SensitiveDataProcessing";
/// California, Utah and Iowa, where sensitive data is used until a person opts out.
const OPT_OUT_OF_SENSITIVE: &[u16] = &[8, 11, 18];
/// Applicable in any way, it also says that the person is known to be a child.
const CHILD: &str = "KnownChildSensitiveDataConsents";

/// What a `Sec-GPC` header narrows, if it is a signal: a valid opt-out of sale and sharing in California (11 CCR
/// 7025), and of targeted advertising in Colorado (4 CCR 904-3, 5.07) and other states.
#[must_use]
pub fn of_gpc(is_signal: bool) -> Vec<Narrowing> {
    if is_signal { vec![Narrowing::new(What::OptOut, ALL_OPT_OUTS, "Sec-GPC")] } else { Vec::new() }
}

/// What the sections of a GPP string narrow, the TCF among them for one vendor if one is given.
///
/// Every section counts, wherever the person lives. Sections that this crate does not know say nothing here.
#[must_use]
pub fn of_gpp(string: &GppString, vendor: Option<u16>) -> Vec<Narrowing> {
    let mut narrowings = Vec::new();
    for (id, section) in &string.sections {
        let name = section_name(*id).unwrap_or_default();
        let said = match section {
            Section::TcfEu(consent) => of_tcf(consent, vendor),
            Section::TcfCanada(consent) => of_tcf_canada(consent, vendor),
            Section::Us(section) => of_us(*id, section),
            Section::UsPrivacy(text) if text.chars().nth(2) == Some('Y') => vec![Narrowing::new(What::OptOut, ALL_OPT_OUTS, "OptOutSale")],
            Section::UsPrivacy(_) | Section::Opaque(_) => Vec::new(),
        };
        narrowings.extend(said.into_iter().map(|narrowing| Narrowing { said_by: format!("{name} {}", narrowing.said_by), ..narrowing }));
    }
    narrowings
}

fn of_us(id: u16, section: &UsSection) -> Vec<Narrowing> {
    let mut narrowings = Vec::new();
    for (name, what, reach, purposes) in FIELDS {
        let what = if *name == SENSITIVE && OPT_OUT_OF_SENSITIVE.contains(&id) { What::OptOut } else { *what };
        let values = values(section, name);
        let said: Vec<String> = values.iter().filter(|(_, value)| *value == NO).map(|(place, _)| place.clone()).collect();
        if !said.is_empty() {
            narrowings.push(Narrowing::new(what, purposes, format!("{name}{}", said.concat())).reaching(*reach));
        }
        if *name == CHILD && values.iter().any(|(_, value)| *value != 0) {
            narrowings.push(Narrowing::new(What::Child, Purpose::ADVERTISING, *name));
        }
    }
    if section.gpc == Some(true) {
        narrowings.push(Narrowing::new(What::OptOut, ALL_OPT_OUTS, "Gpc"));
    }
    narrowings
}

/// The values of a field with their places in its list, counted from 1 as the standard does, the ones too that the
/// declared version does not have: they are choices all the same.
fn values(section: &UsSection, name: &str) -> Vec<(String, u8)> {
    let undeclared = section.undeclared.iter().find(|(field, _)| *field == name).map(|(_, value)| value);
    let mut values = Vec::new();
    for value in section.get(name).into_iter().chain(undeclared) {
        match value {
            FieldValue::Number(value) => values.push((String::new(), *value)),
            FieldValue::List(more) => {
                for value in more {
                    values.push((format!(" {}", values.len() + 1), *value));
                }
            }
        }
    }
    values
}

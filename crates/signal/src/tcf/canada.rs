//! Consent strings of IAB Canada, version 1: section 5 of GPP.
//!
//! The standard is IAB Tech Lab's "GPP Extension: IAB Canada TCF". Where its general part describes ranges
//! otherwise than IAB's library writes them, the library is followed, for its strings are the ones in use:
//! every set begins with its last vendor in 16 bits. Older strings have their ranges in the code of Europe; they
//! are read too, and written in the newer one.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::bits::{BitReader, BitWriter};
use crate::{IdSet, SignalError};

use super::vendors::Coding;
use super::{PURPOSES, PublisherRestriction, SPECIAL_FEATURES, decode, encode, vendors};

const VERSION: u8 = 1;

/// What a consent string of Canada says. Sets hold the numbers of the bits that are 1, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CanadaConsentString {
    /// When the string was made first, in whole tenths of a second.
    pub created: DateTime<Utc>,
    /// When the string was changed last, in whole tenths of a second.
    pub last_updated: DateTime<Utc>,
    /// The consent platform that wrote the string, 12 bits.
    pub cmp_id: u16,
    /// That platform's own version, 12 bits.
    pub cmp_version: u16,
    /// That platform's own number of the screen, 6 bits.
    pub consent_screen: u8,
    /// Two letters A to Z, the language (ISO 639-1) in which the person was asked.
    pub consent_language: String,
    /// The vendor list that was shown, 12 bits.
    pub vendor_list_version: u16,
    /// The version of the policies, 6 bits.
    pub tcf_policy_version: u8,
    /// Whether purposes were bundled otherwise than the policies say.
    pub use_non_standard_stacks: bool,
    /// Special features, 1 to 12, that the person opted in to.
    pub special_feature_express_consent: IdSet,
    /// Purposes, 1 to 24, with express consent.
    pub purposes_express_consent: IdSet,
    /// Purposes, 1 to 24, that were told and not objected to.
    pub purposes_implied_consent: IdSet,
    /// Vendors with express consent.
    pub vendor_express_consent: IdSet,
    /// Vendors that were told and not objected to.
    pub vendor_implied_consent: IdSet,
    /// By purpose, then type, without doubles.
    pub pub_restrictions: Vec<PublisherRestriction>,
    /// Segment 1: vendors that the person was shown; `None` without the segment.
    pub disclosed_vendors: Option<IdSet>,
    /// Segment 3: what the publisher does for itself; `None` without the segment.
    pub publisher: Option<CanadaPublisher>,
}

/// Consents of the publisher itself, in Canada.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CanadaPublisher {
    /// Purposes, 1 to 24, with express consent.
    pub pub_purposes_express_consent: IdSet,
    /// Purposes, 1 to 24, that were told and not objected to.
    pub pub_purposes_implied_consent: IdSet,
    /// How many purposes of its own the publisher has, at most 63.
    pub num_custom_purposes: u8,
    /// Of those, numbered from 1, the ones with express consent.
    pub custom_purposes_express_consent: IdSet,
    /// Of those, the ones that were told and not objected to.
    pub custom_purposes_implied_consent: IdSet,
}

impl CanadaConsentString {
    /// Reads a consent string of Canada.
    ///
    /// # Errors
    /// The same as those of [`super::ConsentString::decode`], with version 1. The one known string of IAB's tests
    /// that is refused names purpose 56.
    pub fn decode(text: &str) -> Result<Self, SignalError> {
        let mut segments = text.split('.');
        let mut consent = either(segments.next().unwrap_or_default(), core)?;
        for segment in segments {
            let kind = decode::bits(segment)?.number(3, "SubsectionType")?;
            match kind {
                1 => decode::once(&mut consent.disclosed_vendors, "DisclosedVendors", |name| {
                    either(segment, |bits, coding| {
                        bits.number(3, "SubsectionType")?;
                        vendors::read(bits, coding, name)
                    })
                })?,
                3 => decode::once(&mut consent.publisher, "PublisherPurposes", |_| either(segment, |bits, _| publisher(bits)))?,
                0 => return Err(SignalError::new(705, "a second core segment").at(0)),
                other => return Err(SignalError::new(704, format!("SubsectionType {other} is unknown")).at(0)),
            }
        }
        Ok(consent)
    }

    /// Writes the consent string as IAB's library does: vendors as bits or as ranges in Fibonacci code,
    /// whichever is shorter, and the publisher's segment before the disclosed vendors.
    ///
    /// # Errors
    /// The same as those of [`super::ConsentString::encode`].
    pub fn encode(&self) -> Result<String, SignalError> {
        let mut text = core_segment(self)?;
        for segment in [self.publisher.as_ref().map(publisher_segment), self.disclosed_vendors.as_ref().map(disclosed_segment)].into_iter().flatten() {
            text.push('.');
            text.push_str(&segment?);
        }
        Ok(text)
    }
}

/// Reads a whole segment with its ranges in Fibonacci code, or else in that of Europe.
fn either<T>(segment: &str, read: impl Fn(&mut BitReader, Coding) -> Result<T, SignalError>) -> Result<T, SignalError> {
    let bits = decode::bits(segment)?;
    let whole = |coding| {
        let mut bits = bits.clone();
        let value = read(&mut bits, coding)?;
        decode::end(&mut bits)?;
        Ok(value)
    };
    whole(Coding::Fibonacci).or_else(|error| whole(Coding::Fixed).map_err(|_: SignalError| error))
}

fn core(bits: &mut BitReader, coding: Coding) -> Result<CanadaConsentString, SignalError> {
    let version = bits.number(6, "Version")?;
    if version != u64::from(VERSION) {
        return Err(SignalError::new(704, format!("Version is {version} where Canada has {VERSION}; the core segment comes first")).at(0));
    }
    Ok(CanadaConsentString {
        created: decode::time(bits, "Created")?,
        last_updated: decode::time(bits, "LastUpdated")?,
        cmp_id: decode::number(bits, 12, "CmpId")?,
        cmp_version: decode::number(bits, 12, "CmpVersion")?,
        consent_screen: decode::number(bits, 6, "ConsentScreen")?,
        consent_language: decode::letters(bits, "ConsentLanguage")?,
        vendor_list_version: decode::number(bits, 12, "VendorListVersion")?,
        tcf_policy_version: decode::number(bits, 6, "TcfPolicyVersion")?,
        use_non_standard_stacks: bits.flag("UseNonStandardStacks")?,
        special_feature_express_consent: IdSet::read(bits, SPECIAL_FEATURES, "SpecialFeatureExpressConsent")?,
        purposes_express_consent: IdSet::read(bits, PURPOSES, "PurposesExpressConsent")?,
        purposes_implied_consent: IdSet::read(bits, PURPOSES, "PurposesImpliedConsent")?,
        vendor_express_consent: vendors::read(bits, coding, "VendorExpressConsent")?,
        vendor_implied_consent: vendors::read(bits, coding, "VendorImpliedConsent")?,
        // The first strings end here, without restrictions.
        pub_restrictions: if bits.left() < 12 { Vec::new() } else { decode::restrictions(bits, coding)? },
        disclosed_vendors: None,
        publisher: None,
    })
}

fn publisher(bits: &mut BitReader) -> Result<CanadaPublisher, SignalError> {
    bits.number(3, "SubsectionType")?;
    let pub_purposes_express_consent = IdSet::read(bits, PURPOSES, "PubPurposesExpressConsent")?;
    let pub_purposes_implied_consent = IdSet::read(bits, PURPOSES, "PubPurposesImpliedConsent")?;
    let num_custom_purposes = decode::number(bits, 6, "NumCustomPurposes")?;
    Ok(CanadaPublisher {
        pub_purposes_express_consent,
        pub_purposes_implied_consent,
        num_custom_purposes,
        custom_purposes_express_consent: IdSet::read(bits, num_custom_purposes.into(), "CustomPurposesExpressConsent")?,
        custom_purposes_implied_consent: IdSet::read(bits, num_custom_purposes.into(), "CustomPurposesImpliedConsent")?,
    })
}

fn core_segment(consent: &CanadaConsentString) -> Result<String, SignalError> {
    let mut bits = BitWriter::default();
    bits.number(u64::from(VERSION), 6);
    encode::time(&mut bits, consent.created, "Created")?;
    encode::time(&mut bits, consent.last_updated, "LastUpdated")?;
    encode::number(&mut bits, consent.cmp_id, 12, "CmpId")?;
    encode::number(&mut bits, consent.cmp_version, 12, "CmpVersion")?;
    encode::number(&mut bits, consent.consent_screen, 6, "ConsentScreen")?;
    encode::letters(&mut bits, &consent.consent_language, "ConsentLanguage")?;
    encode::number(&mut bits, consent.vendor_list_version, 12, "VendorListVersion")?;
    encode::number(&mut bits, consent.tcf_policy_version, 6, "TcfPolicyVersion")?;
    bits.flag(consent.use_non_standard_stacks);
    encode::set(&mut bits, &consent.special_feature_express_consent, SPECIAL_FEATURES, "SpecialFeatureExpressConsent")?;
    encode::set(&mut bits, &consent.purposes_express_consent, PURPOSES, "PurposesExpressConsent")?;
    encode::set(&mut bits, &consent.purposes_implied_consent, PURPOSES, "PurposesImpliedConsent")?;
    vendors::write(&mut bits, &consent.vendor_express_consent, Coding::Fibonacci, "VendorExpressConsent")?;
    vendors::write(&mut bits, &consent.vendor_implied_consent, Coding::Fibonacci, "VendorImpliedConsent")?;
    let restrictions = encode::united(&consent.pub_restrictions)?;
    // Purposes times types: always fewer than 12 bits count.
    bits.number(restrictions.len() as u64, 12);
    for ((purpose, kind), vendors) in &restrictions {
        bits.number(u64::from(*purpose), 6);
        bits.number(kind.number(), 2);
        vendors::write(&mut bits, vendors, Coding::Fibonacci, "PubRestrictions")?;
    }
    Ok(bits.into_text(8))
}

fn disclosed_segment(disclosed: &IdSet) -> Result<String, SignalError> {
    let mut bits = BitWriter::default();
    bits.number(1, 3);
    vendors::write(&mut bits, disclosed, Coding::Fibonacci, "DisclosedVendors")?;
    Ok(bits.into_text(8))
}

fn publisher_segment(publisher: &CanadaPublisher) -> Result<String, SignalError> {
    let mut bits = BitWriter::default();
    bits.number(3, 3);
    encode::set(&mut bits, &publisher.pub_purposes_express_consent, PURPOSES, "PubPurposesExpressConsent")?;
    encode::set(&mut bits, &publisher.pub_purposes_implied_consent, PURPOSES, "PubPurposesImpliedConsent")?;
    encode::number(&mut bits, publisher.num_custom_purposes, 6, "NumCustomPurposes")?;
    encode::set(&mut bits, &publisher.custom_purposes_express_consent, publisher.num_custom_purposes.into(), "CustomPurposesExpressConsent")?;
    encode::set(&mut bits, &publisher.custom_purposes_implied_consent, publisher.num_custom_purposes.into(), "CustomPurposesImpliedConsent")?;
    Ok(bits.into_text(8))
}

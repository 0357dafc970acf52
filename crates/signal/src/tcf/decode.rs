//! Reading.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::bits::BitReader;
use crate::{IdSet, SignalError};

use super::vendors::Coding;
use super::{ConsentString, PURPOSES, PublisherRestriction, PublisherTc, RestrictionType, SPECIAL_FEATURES, VERSION, vendors};

impl ConsentString {
    /// Reads a consent string.
    ///
    /// # Errors
    /// 701 for a letter that is not base64url, 702 for a segment that ends within a field, 703 for a value
    /// that a field cannot have, 704 for another version than 2 and for an unknown segment, 705 for a segment
    /// that is there twice and for bits after its end. The bit counts from the beginning of the segment.
    pub fn decode(text: &str) -> Result<Self, SignalError> {
        let mut segments = text.split('.');
        let mut consent = core(&mut bits(segments.next().unwrap_or_default())?)?;
        for segment in segments {
            let mut bits = bits(segment)?;
            match bits.number(3, "SegmentType")? {
                0 => return Err(SignalError::new(705, "a second core segment").at(0)),
                1 => once(&mut consent.vendors_disclosed, "DisclosedVendors", |name| vendors::read(&mut bits, Coding::Fixed, name))?,
                2 => once(&mut consent.vendors_allowed, "AllowedVendors", |name| vendors::read(&mut bits, Coding::Fixed, name))?,
                3 => once(&mut consent.publisher, "PublisherTC", |_| publisher(&mut bits))?,
                other => return Err(SignalError::new(704, format!("SegmentType {other} is unknown")).at(0)),
            }
            end(&mut bits)?;
        }
        Ok(consent)
    }
}

/// The bits of a segment.
pub(super) fn bits(segment: &str) -> Result<BitReader, SignalError> {
    BitReader::of(segment).map_err(|error| {
        let place = segment.chars().take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')).count();
        error.at(place * 6)
    })
}

/// Fills a segment that was not there yet.
pub(super) fn once<T>(segment: &mut Option<T>, name: &str, read: impl FnOnce(&str) -> Result<T, SignalError>) -> Result<(), SignalError> {
    if segment.is_some() {
        return Err(SignalError::new(705, format!("a second {name} segment")).at(0));
    }
    *segment = Some(read(name)?);
    Ok(())
}

/// After the last field there are only zeros, as many as the writer liked.
pub(super) fn end(bits: &mut BitReader) -> Result<(), SignalError> {
    while bits.left() > 0 {
        let at = bits.place();
        if bits.flag("the padding")? {
            return Err(SignalError::new(705, "a bit is set after the last field of its segment").at(at));
        }
    }
    Ok(())
}

fn core(bits: &mut BitReader) -> Result<ConsentString, SignalError> {
    match bits.number(6, "Version")? {
        1 => return Err(SignalError::new(704, "Version is 1, which is no consent any more: only 2 is read").at(0)),
        version if version != u64::from(VERSION) => return Err(SignalError::new(704, format!("Version is {version}, and only 2 is read; the core segment comes first")).at(0)),
        _ => {}
    }
    let consent = ConsentString {
        created: time(bits, "Created")?,
        last_updated: time(bits, "LastUpdated")?,
        cmp_id: number(bits, 12, "CmpId")?,
        cmp_version: number(bits, 12, "CmpVersion")?,
        consent_screen: number(bits, 6, "ConsentScreen")?,
        consent_language: letters(bits, "ConsentLanguage")?,
        vendor_list_version: number(bits, 12, "VendorListVersion")?,
        policy_version: number(bits, 6, "TcfPolicyVersion")?,
        is_service_specific: bits.flag("IsServiceSpecific")?,
        use_non_standard_texts: bits.flag("UseNonStandardTexts")?,
        special_feature_optins: IdSet::read(bits, SPECIAL_FEATURES, "SpecialFeatureOptIns")?,
        purpose_consents: IdSet::read(bits, PURPOSES, "PurposesConsent")?,
        purpose_legitimate_interests: IdSet::read(bits, PURPOSES, "PurposesLITransparency")?,
        purpose_one_treatment: bits.flag("PurposeOneTreatment")?,
        publisher_country_code: letters(bits, "PublisherCC")?,
        vendor_consents: vendors::read(bits, Coding::Fixed, "Vendor Consent Section")?,
        vendor_legitimate_interests: vendors::read(bits, Coding::Fixed, "Vendor Legitimate Interest Section")?,
        publisher_restrictions: restrictions(bits, Coding::Fixed)?,
        vendors_disclosed: None,
        vendors_allowed: None,
        publisher: None,
    };
    end(bits)?;
    Ok(consent)
}

fn publisher(bits: &mut BitReader) -> Result<PublisherTc, SignalError> {
    let purpose_consents = IdSet::read(bits, PURPOSES, "PubPurposesConsent")?;
    let purpose_legitimate_interests = IdSet::read(bits, PURPOSES, "PubPurposesLITransparency")?;
    let num_custom_purposes = number(bits, 6, "NumCustomPurposes")?;
    Ok(PublisherTc {
        purpose_consents,
        purpose_legitimate_interests,
        num_custom_purposes,
        custom_consents: IdSet::read(bits, num_custom_purposes.into(), "CustomPurposesConsent")?,
        custom_legitimate_interests: IdSet::read(bits, num_custom_purposes.into(), "CustomPurposesLITransparency")?,
    })
}

/// Restrictions of the same purpose and type become one: there are never more than purposes times types.
pub(super) fn restrictions(bits: &mut BitReader, coding: Coding) -> Result<Vec<PublisherRestriction>, SignalError> {
    let count = bits.number(12, "NumPubRestrictions")?;
    let mut found: BTreeMap<(u8, RestrictionType), IdSet> = BTreeMap::new();
    for _ in 0..count {
        let at = bits.place();
        let purpose: u8 = number(bits, 6, "PurposeId")?;
        if purpose == 0 || u16::from(purpose) > PURPOSES {
            return Err(SignalError::new(703, format!("PurposeId is {purpose}, and purposes are 1 to {PURPOSES}")).at(at));
        }
        let at = bits.place();
        let kind = RestrictionType::of(bits.number(2, "RestrictionType")?).ok_or_else(|| SignalError::new(703, "RestrictionType is 3, which is undefined").at(at))?;
        let vendors = match coding {
            Coding::Fixed => vendors::entries(bits, u16::MAX, "Publisher Restrictions Section")?,
            Coding::Fibonacci => vendors::read(bits, coding, "Publisher Restrictions Section")?,
        };
        found.entry((purpose, kind)).or_default().unite(&vendors);
    }
    Ok(found.into_iter().map(|((purpose_id, restriction_type), vendors)| PublisherRestriction { purpose_id, restriction_type, vendors }).collect())
}

/// A number of `width` bits.
pub(super) fn number<T: TryFrom<u64>>(bits: &mut BitReader, width: usize, name: &str) -> Result<T, SignalError> {
    let at = bits.place();
    T::try_from(bits.number(width, name)?).map_err(|_| SignalError::new(703, format!("{name} is too large")).at(at))
}

/// Tenths of seconds since 1970.
pub(super) fn time(bits: &mut BitReader, name: &str) -> Result<DateTime<Utc>, SignalError> {
    let at = bits.place();
    let tenths: i64 = number(bits, 36, name)?;
    DateTime::from_timestamp_millis(tenths.saturating_mul(100)).ok_or_else(|| SignalError::new(703, format!("{name} is no time")).at(at))
}

/// Two letters.
pub(super) fn letters(bits: &mut BitReader, name: &str) -> Result<String, SignalError> {
    let mut letters = String::with_capacity(2);
    for _ in 0..2 {
        let at = bits.place();
        let number: u8 = number(bits, 6, name)?;
        if number >= 26 {
            return Err(SignalError::new(703, format!("{name} has letter {number}, and letters are 0 to 25")).at(at));
        }
        letters.push(char::from(b'A' + number));
    }
    Ok(letters)
}

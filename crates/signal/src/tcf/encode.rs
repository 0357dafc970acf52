//! Writing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::bits::BitWriter;
use crate::ranges;
use crate::{IdSet, SignalError};

use super::vendors::Coding;
use super::{ConsentString, PURPOSES, PublisherRestriction, PublisherTc, RestrictionType, SPECIAL_FEATURES, VERSION, vendors};

/// The IAB's library fills segments up to whole letters and whole bytes: 24 bits are four and three of them.
const MULTIPLE: usize = 24;

impl ConsentString {
    /// Writes the consent string: vendors as bits or as ranges, whichever is shorter, and the optional
    /// segments in the order of the standard.
    ///
    /// # Errors
    /// 703, without a bit, for a value that its field has no room for: a number too large, a time that is not
    /// in whole tenths of a second, a language or country that is not two letters A to Z, vendor 0.
    pub fn encode(&self) -> Result<String, SignalError> {
        let mut segments = vec![core(self)?];
        if let Some(disclosed) = &self.vendors_disclosed {
            segments.push(vendor_segment(1, disclosed, "DisclosedVendors")?);
        }
        if let Some(allowed) = &self.vendors_allowed {
            segments.push(vendor_segment(2, allowed, "AllowedVendors")?);
        }
        if let Some(publisher) = &self.publisher {
            segments.push(publisher_segment(publisher)?);
        }
        Ok(segments.join("."))
    }
}

fn core(consent: &ConsentString) -> Result<String, SignalError> {
    let mut bits = BitWriter::default();
    bits.number(u64::from(VERSION), 6);
    time(&mut bits, consent.created, "Created")?;
    time(&mut bits, consent.last_updated, "LastUpdated")?;
    number(&mut bits, consent.cmp_id, 12, "CmpId")?;
    number(&mut bits, consent.cmp_version, 12, "CmpVersion")?;
    number(&mut bits, consent.consent_screen, 6, "ConsentScreen")?;
    letters(&mut bits, &consent.consent_language, "ConsentLanguage")?;
    number(&mut bits, consent.vendor_list_version, 12, "VendorListVersion")?;
    number(&mut bits, consent.policy_version, 6, "TcfPolicyVersion")?;
    bits.flag(consent.is_service_specific);
    bits.flag(consent.use_non_standard_texts);
    set(&mut bits, &consent.special_feature_optins, SPECIAL_FEATURES, "SpecialFeatureOptIns")?;
    set(&mut bits, &consent.purpose_consents, PURPOSES, "PurposesConsent")?;
    set(&mut bits, &consent.purpose_legitimate_interests, PURPOSES, "PurposesLITransparency")?;
    bits.flag(consent.purpose_one_treatment);
    letters(&mut bits, &consent.publisher_country_code, "PublisherCC")?;
    vendors::write(&mut bits, &consent.vendor_consents, Coding::Fixed, "Vendor Consent Section")?;
    vendors::write(&mut bits, &consent.vendor_legitimate_interests, Coding::Fixed, "Vendor Legitimate Interest Section")?;
    restrictions(&mut bits, &consent.publisher_restrictions)?;
    Ok(bits.into_text(MULTIPLE))
}

fn vendor_segment(kind: u64, vendors: &IdSet, name: &str) -> Result<String, SignalError> {
    let mut bits = BitWriter::default();
    bits.number(kind, 3);
    vendors::write(&mut bits, vendors, Coding::Fixed, name)?;
    Ok(bits.into_text(MULTIPLE))
}

fn publisher_segment(publisher: &PublisherTc) -> Result<String, SignalError> {
    let mut bits = BitWriter::default();
    bits.number(3, 3);
    set(&mut bits, &publisher.purpose_consents, PURPOSES, "PubPurposesConsent")?;
    set(&mut bits, &publisher.purpose_legitimate_interests, PURPOSES, "PubPurposesLITransparency")?;
    number(&mut bits, publisher.num_custom_purposes, 6, "NumCustomPurposes")?;
    set(&mut bits, &publisher.custom_consents, publisher.num_custom_purposes.into(), "CustomPurposesConsent")?;
    set(&mut bits, &publisher.custom_legitimate_interests, publisher.num_custom_purposes.into(), "CustomPurposesLITransparency")?;
    Ok(bits.into_text(MULTIPLE))
}

/// Restrictions of the same purpose and type as one.
pub(super) fn united(restrictions: &[PublisherRestriction]) -> Result<BTreeMap<(u8, RestrictionType), IdSet>, SignalError> {
    let mut united: BTreeMap<(u8, RestrictionType), IdSet> = BTreeMap::new();
    for restriction in restrictions {
        vendors::without_zero(&restriction.vendors, "Publisher Restrictions Section")?;
        if restriction.purpose_id == 0 || u16::from(restriction.purpose_id) > PURPOSES {
            return Err(SignalError::new(703, format!("PurposeId is {}, and purposes are 1 to {PURPOSES}", restriction.purpose_id)));
        }
        united.entry((restriction.purpose_id, restriction.restriction_type)).or_default().unite(&restriction.vendors);
    }
    Ok(united)
}

/// One restriction for each purpose and type, or several where their entries cannot be counted in 12 bits.
fn restrictions(bits: &mut BitWriter, restrictions: &[PublisherRestriction]) -> Result<(), SignalError> {
    let united = united(restrictions)?;
    let mut written = Vec::new();
    for (key, vendors) in &united {
        let spans = ranges::spans(vendors);
        if spans.is_empty() {
            written.push((key, spans));
        } else {
            written.extend(spans.chunks(ranges::MOST).map(|spans| (key, spans.to_vec())));
        }
    }
    number(bits, written.len() as u64, 12, "NumPubRestrictions")?;
    for ((purpose, kind), spans) in written {
        number(bits, *purpose, 6, "PurposeId")?;
        bits.number(kind.number(), 2);
        vendors::write_entries(bits, &spans, Coding::Fixed);
    }
    Ok(())
}

pub(super) fn number(bits: &mut BitWriter, value: impl Into<u64>, width: usize, name: &str) -> Result<(), SignalError> {
    let value = value.into();
    if value >> width > 0 {
        return Err(SignalError::new(703, format!("{name} is {value}, and it has {width} bits")));
    }
    bits.number(value, width);
    Ok(())
}

/// A time is written exactly or not at all.
pub(super) fn time(bits: &mut BitWriter, time: DateTime<Utc>, name: &str) -> Result<(), SignalError> {
    let tenths = time.timestamp_millis().div_euclid(100);
    let exact = DateTime::from_timestamp_millis(tenths.saturating_mul(100)) == Some(time);
    let tenths = u64::try_from(tenths).ok().filter(|_| exact).ok_or_else(|| SignalError::new(703, format!("{name} is not in whole tenths of a second since 1970")))?;
    number(bits, tenths, 36, name)
}

pub(super) fn letters(bits: &mut BitWriter, letters: &str, name: &str) -> Result<(), SignalError> {
    match letters.as_bytes() {
        [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] => {
            bits.number(u64::from(first - b'A'), 6);
            bits.number(u64::from(second - b'A'), 6);
            Ok(())
        }
        _ => Err(SignalError::new(703, format!("{name} is not two letters A to Z"))),
    }
}

pub(super) fn set(bits: &mut BitWriter, set: &IdSet, width: u16, name: &str) -> Result<(), SignalError> {
    if let Some(outside) = set.iter().find(|number| *number == 0 || *number > width) {
        return Err(SignalError::new(703, format!("{name} has {outside}, and it has 1 to {width}")));
    }
    set.write(bits, width);
    Ok(())
}

//! A few strings that are always here; the IAB's own strings, random values and damage in the modules.

mod canada;
mod random;
mod vectors;

use super::*;
use crate::SignalError;
use crate::bits::{BitReader, BitWriter};

/// A core segment of 259 bits and 5 of padding.
const CORE: &str = "COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA";
const DISCLOSED: &str = "CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA";
const PUBLISHER: &str = "CPTtLAAPTtLAAAKAAAENAAFgALwAAEAAAAAAAOgAgABgAAAA.IAoAAgABgAAEAQAAEAAA.d4AACEAAAAAA";
const RESTRICTED: &str = "COoC-kUOoC-kUAHABAENAwCoAIAAAELAAAwIF5wAoAAgAGAvMACX_ABBAAQAFA";

#[test]
fn every_field_is_read() {
    let consent = ConsentString::decode(PUBLISHER).unwrap();
    let expected = r#"{"created":"2022-02-01T00:00:00Z","lastUpdated":"2022-02-01T00:00:00Z","cmpId":10,"cmpVersion":0,"consentScreen":0,"consentLanguage":"EN","vendorListVersion":0,"policyVersion":5,"isServiceSpecific":true,"useNonStandardTexts":false,"specialFeatureOptins":[],"purposeConsents":[1,3,4,5,6],"purposeLegitimateInterests":[2],"purposeOneTreatment":false,"publisherCountryCode":"AA","vendorConsents":[11,28,29],"vendorLegitimateInterests":[],"publisherRestrictions":[],"vendorsDisclosed":[11,28,29,50,60,80],"vendorsAllowed":null,"publisher":{"purposeConsents":[1,3,4,5,6],"purposeLegitimateInterests":[2,7],"numCustomPurposes":0,"customConsents":[],"customLegitimateInterests":[]}}"#;
    assert_eq!(serde_json::to_string(&consent).unwrap(), expected);
    let restricted = ConsentString::decode(RESTRICTED).unwrap();
    let restriction = PublisherRestriction { purpose_id: 1, restriction_type: RestrictionType::NotAllowed, vendors: [10].into() };
    assert_eq!((restricted.publisher_restrictions, restricted.vendor_legitimate_interests), (vec![restriction], (1..=9).collect()));
    assert_eq!(restricted.vendor_consents, [1, 2, 3, 755].into());
}

#[test]
fn strings_are_written_as_the_iabs_library_writes_them() {
    for text in [CORE, DISCLOSED, PUBLISHER] {
        assert_eq!(ConsentString::decode(text).unwrap().encode().as_deref(), Ok(text));
    }
    // Filled up to whole bytes only.
    assert_eq!(ConsentString::decode(RESTRICTED).unwrap().encode().unwrap(), format!("{RESTRICTED}AA"));
    // The optional segments in another order.
    let [core, disclosed, publisher] = PUBLISHER.split('.').collect::<Vec<_>>()[..] else { panic!("three segments") };
    assert_eq!(ConsentString::decode(&[core, publisher, disclosed].join(".")), ConsentString::decode(PUBLISHER));
}

/// The text with `width` bits from `at` set to `value`.
fn altered(text: &str, at: usize, width: usize, value: u64) -> String {
    let mut bits = BitReader::of(text).unwrap();
    let mut writer = BitWriter::default();
    while bits.left() > 0 {
        let place = bits.place();
        let bit = bits.flag("").unwrap();
        writer.flag(if (at..at + width).contains(&place) { value >> (at + width - 1 - place) & 1 == 1 } else { bit });
    }
    writer.into_text(6)
}

/// Fields of given widths.
fn fields(fields: &[(u64, usize)]) -> String {
    let mut writer = BitWriter::default();
    fields.iter().for_each(|(value, width)| writer.number(*value, *width));
    writer.into_text(8)
}

#[test]
fn mistakes_have_a_number_and_a_place() {
    let with = |segment: &str| format!("{CORE}.{segment}");
    // A disclosed segment with vendors 1 to 10 and one entry.
    let range = |start, end| with(&fields(&[(1, 3), (10, 16), (1, 1), (1, 12), (1, 1), (start, 16), (end, 16)]));
    // One restriction of vendor 7.
    let restriction = |purpose, kind| {
        let mut writer = BitWriter::default();
        let mut core = BitReader::of(CORE).unwrap();
        (0..247).for_each(|_| writer.flag(core.flag("").unwrap()));
        for (value, width) in [(1, 12), (purpose, 6), (kind, 2), (1, 12), (0, 1), (7, 16)] {
            writer.number(value, width);
        }
        writer.into_text(24)
    };
    assert!(ConsentString::decode(&range(3, 10)).is_ok() && ConsentString::decode(&restriction(24, 2)).is_ok());
    for (text, code, bit) in [
        (String::new(), 702, 0),
        ("C".into(), 702, 6),
        ("é".into(), 701, 0),
        (with("IA*A"), 701, 12),
        (format!("{CORE}="), 701, 264),
        (format!(" {CORE}"), 701, 0),
        (CORE.chars().take(40).collect(), 702, 240),
        ("BOOzQoAOOzQoAAPAFSENCW-AIBACCACgACADIAHg".into(), 704, 0),
        (altered(CORE, 0, 6, 3), 704, 0),
        (DISCLOSED.split('.').next_back().unwrap().into(), 704, 0),
        (altered(CORE, 108, 6, 26), 703, 108),
        (altered(CORE, 207, 6, 63), 703, 207),
        // As many vendors as there can be, and no room for them.
        (altered(CORE, 213, 17, 0x1_FFFE), 702, 264),
        (altered(CORE, 247, 12, 4_095), 702, 264),
        (altered(CORE, 263, 1, 1), 705, 263),
        (with(""), 702, 0),
        (with("A"), 705, 0),
        (with(CORE), 705, 0),
        (with("gAAA"), 704, 0),
        (with("IAAA.IAAA"), 705, 0),
        (with("QAAA.IAAA.QAAA"), 705, 0),
        (with("YAAAAAAAAAAA.YAAAAAAAAAAA"), 705, 0),
        (with("YAAAAAAAA"), 702, 54),
        (with(&fields(&[(3, 3), (0, 48), (63, 6)])), 702, 66),
        (range(5, 3), 703, 33),
        (range(0, 3), 703, 33),
        (range(3, 11), 703, 33),
        (restriction(0, 0), 703, 259),
        (restriction(25, 0), 703, 259),
        (restriction(24, 3), 703, 265),
    ] {
        let error = ConsentString::decode(&text).unwrap_err();
        assert_eq!((error.code, error.bit), (code, Some(bit)), "{text}: {error}");
    }
}

#[test]
fn what_has_no_room_is_not_written() {
    let write = |change: &dyn Fn(&mut ConsentString)| {
        let mut consent = ConsentString::decode(PUBLISHER).unwrap();
        change(&mut consent);
        consent.encode()
    };
    let restriction = |purpose_id, vendor| vec![PublisherRestriction { purpose_id, restriction_type: RestrictionType::RequireConsent, vendors: [vendor].into() }];
    let changes: [&dyn Fn(&mut ConsentString); 15] = [
        &|c| c.cmp_id = 4_096,
        &|c| c.consent_screen = 64,
        &|c| c.policy_version = 64,
        &|c| c.created += chrono::TimeDelta::milliseconds(1),
        &|c| c.created = DateTime::UNIX_EPOCH - chrono::TimeDelta::seconds(1),
        &|c| c.last_updated = DateTime::from_timestamp(6_871_947_673, 600_000_000).unwrap(),
        &|c| c.consent_language = "en".into(),
        &|c| c.publisher_country_code = "DEU".into(),
        &|c| c.special_feature_optins = [13].into(),
        &|c| c.purpose_consents = [0].into(),
        &|c| c.vendor_consents = [0, 1].into(),
        &|c| c.vendors_allowed = Some([0].into()),
        &|c| c.publisher.as_mut().unwrap().custom_consents = [1].into(),
        &|c| c.publisher_restrictions = restriction(25, 1),
        &|c| c.publisher_restrictions = restriction(1, 0),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let error = write(change).unwrap_err();
        assert_eq!((error.code, error.bit), (703, None), "change {n}: {error}");
    }
    assert!(write(&|c| c.last_updated = DateTime::from_timestamp(6_871_947_673, 500_000_000).unwrap()).is_ok());
    assert!(write(&|c| c.publisher_restrictions = restriction(24, u16::MAX)).is_ok());
}

#[test]
fn doubled_restrictions_become_one() {
    let mut consent = ConsentString::decode(CORE).unwrap();
    let restriction = |vendors: &[u16]| PublisherRestriction { purpose_id: 2, restriction_type: RestrictionType::NotAllowed, vendors: vendors.iter().copied().collect() };
    consent.publisher_restrictions = vec![restriction(&[1, 5]), restriction(&[2, 5])];
    assert_eq!(ConsentString::decode(&consent.encode().unwrap()).unwrap().publisher_restrictions, [restriction(&[1, 2, 5])]);
    // More ranges than one restriction can have.
    consent.publisher_restrictions = vec![restriction(&(1..=u16::MAX).step_by(2).collect::<Vec<_>>())];
    assert_eq!(ConsentString::decode(&consent.encode().unwrap()), Ok(consent));
}

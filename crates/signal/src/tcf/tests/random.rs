//! Random values come back, and random damage is an error or a value.

use std::collections::BTreeSet;

use rand::RngExt;
use testkit::{Generator, env_seed};

use super::*;

const LETTERS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

pub(super) fn numbers(random: &mut Generator, most: u8) -> IdSet {
    let share = random.0.random_range(0..=4);
    (1..=u16::from(most)).filter(|_| random.0.random_ratio(share, 4)).collect()
}

/// None, few, a run, every second, or up to the last vendor.
pub(super) fn vendors(random: &mut Generator) -> IdSet {
    let most = *[45, 46, 300, 1_200].get(random.0.random_range(0..4_usize)).unwrap();
    match random.0.random_range(0..7) {
        0 => IdSet::default(),
        1 => (0..random.0.random_range(1..60)).map(|_| random.0.random_range(1..=most)).collect(),
        2 => (random.0.random_range(1..=most)..=most).collect(),
        3 => (1..=most).step_by(2).collect(),
        4 => (0..4).map(|_| random.0.random_range(1..=u16::MAX)).chain([u16::MAX]).collect(),
        5 if random.0.random_ratio(1, 50) => (1..=u16::MAX).filter(|_| random.0.random_ratio(2, 3)).collect(),
        _ => (1..=most).filter(|_| random.0.random_ratio(3, 4)).collect(),
    }
}

pub(super) fn letters(random: &mut Generator) -> String {
    (0..2).map(|_| char::from(LETTERS[random.0.random_range(0..26_usize)])).collect()
}

pub(super) fn time(random: &mut Generator) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(random.0.random_range(0..1_i64 << 36) * 100).unwrap()
}

pub(super) fn restrictions(random: &mut Generator) -> Vec<PublisherRestriction> {
    let kinds = [RestrictionType::NotAllowed, RestrictionType::RequireConsent, RestrictionType::RequireLegitimateInterest];
    let keys: BTreeSet<_> = (0..random.0.random_range(0..4)).map(|_| (random.0.random_range(1..=24), kinds[random.0.random_range(0..3_usize)])).collect();
    keys.into_iter().map(|(purpose_id, restriction_type)| PublisherRestriction { purpose_id, restriction_type, vendors: vendors(random) }).collect()
}

fn publisher(random: &mut Generator) -> PublisherTc {
    let num_custom_purposes = random.0.random_range(0..=63);
    PublisherTc {
        purpose_consents: numbers(random, 24),
        purpose_legitimate_interests: numbers(random, 24),
        num_custom_purposes,
        custom_consents: numbers(random, num_custom_purposes),
        custom_legitimate_interests: numbers(random, num_custom_purposes),
    }
}

fn consent(random: &mut Generator) -> ConsentString {
    ConsentString {
        created: time(random),
        last_updated: time(random),
        cmp_id: random.0.random_range(0..4_096),
        cmp_version: random.0.random_range(0..4_096),
        consent_screen: random.0.random_range(0..64),
        consent_language: letters(random),
        vendor_list_version: random.0.random_range(0..4_096),
        policy_version: random.0.random_range(0..64),
        is_service_specific: random.0.random(),
        use_non_standard_texts: random.0.random(),
        special_feature_optins: numbers(random, 12),
        purpose_consents: numbers(random, 24),
        purpose_legitimate_interests: numbers(random, 24),
        purpose_one_treatment: random.0.random(),
        publisher_country_code: letters(random),
        vendor_consents: vendors(random),
        vendor_legitimate_interests: vendors(random),
        publisher_restrictions: restrictions(random),
        vendors_disclosed: random.0.random_bool(0.5).then(|| vendors(random)),
        vendors_allowed: random.0.random_bool(0.5).then(|| vendors(random)),
        publisher: random.0.random_bool(0.5).then(|| publisher(random)),
    }
}

#[test]
fn what_is_written_is_read() {
    let seed = env_seed(20_301);
    let mut random = Generator::new(seed);
    for case in 0..3_000 {
        let consent = consent(&mut random);
        let text = consent.encode().unwrap();
        assert_eq!(ConsentString::decode(&text), Ok(consent), "seed {seed}, case {case}: {text}");
    }
    println!("3000 random values, seed {seed}");
}

/// A mistake has a number and a place; what is read can be written, and means the same.
fn holds(text: &str) -> Result<(), SignalError> {
    let read = ConsentString::decode(text);
    if let Err(error) = &read {
        assert!((701..=705).contains(&error.code) && error.bit.is_some_and(|bit| bit <= text.len() * 6), "{text}: {error}");
    }
    let consent = read?;
    assert_eq!(ConsentString::decode(&consent.encode().unwrap()), Ok(consent), "{text}");
    Ok(())
}

#[test]
fn damage_is_an_error_or_a_value() {
    let seed = env_seed(20_302);
    let mut random = Generator::new(seed);
    let letters: Vec<char> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_..=é\0".chars().collect();
    let (mut values, mut errors) = (0_u32, 0_u32);
    for case in 0..20_000 {
        let base = [CORE, DISCLOSED, PUBLISHER, RESTRICTED][random.0.random_range(0..4_usize)];
        let mut text: Vec<char> = base.chars().collect();
        match random.0.random_range(0..5) {
            0 => text.truncate(random.0.random_range(0..=text.len())),
            1 => text = (0..random.0.random_range(0..300)).map(|_| char::from(random.0.random::<u8>())).collect(),
            2 => text.extend((0..random.0.random_range(1..80)).map(|_| letters[random.0.random_range(0..letters.len())])),
            _ => {
                for _ in 0..random.0.random_range(1..6) {
                    let at = random.0.random_range(0..text.len());
                    text[at] = letters[random.0.random_range(0..64)];
                }
            }
        }
        let text: String = text.into_iter().collect();
        match std::panic::catch_unwind(|| holds(&text)) {
            Ok(Ok(())) => values += 1,
            Ok(Err(_)) => errors += 1,
            Err(_) => panic!("seed {seed}, case {case}: {text:?}"),
        }
    }
    println!("{values} values and {errors} errors of damaged strings, seed {seed}");
    assert!(values > 1_000 && errors > 1_000);
}

#[test]
fn a_few_bits_that_name_all_vendors_again_and_again_are_read_once() {
    let all = [(1, 1), (1, 16), (u64::from(u16::MAX), 16)];
    let mut writer = BitWriter::default();
    let mut core = BitReader::of(CORE).unwrap();
    (0..213).for_each(|_| writer.flag(core.flag("").unwrap()));
    for _ in 0..2 {
        [(65_535, 16), (1, 1), (4_095, 12)].into_iter().chain((0..4_095).flat_map(|_| all)).for_each(|(value, width)| writer.number(value, width));
    }
    writer.number(4_095, 12);
    for n in 0..4_095 {
        [(n % 24 + 1, 6), (n % 3, 2), (3, 12)].into_iter().chain((0..3).flat_map(|_| all)).for_each(|(value, width)| writer.number(value, width));
    }
    let consent = ConsentString::decode(&writer.into_text(24)).unwrap();
    assert_eq!((consent.vendor_consents.len(), consent.vendor_legitimate_interests.len(), consent.publisher_restrictions.len()), (65_535, 65_535, 24));
    assert!(consent.publisher_restrictions.iter().all(|restriction| restriction.vendors.len() == 65_535));
}

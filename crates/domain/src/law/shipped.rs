//! The packs that come with the product.

use super::{RulePack, parse};
use crate::refusal::Refusal;

macro_rules! pack {
    ($id:literal) => {
        ($id, include_str!(concat!("../../../../rulepacks/", $id, ".toml")))
    };
}

/// The id and the text of every shipped pack, as it stands in the folder `rulepacks`.
pub const SHIPPED: &[(&str, &str)] = &[
    pack!("br-lgpd"),
    pack!("ca-pipeda"),
    pack!("ca-qc"),
    pack!("eu-dga"),
    pack!("eu-dsa"),
    pack!("eu-gdpr"),
    pack!("eu-political-ads"),
    pack!("in-dpdp"),
    pack!("uk-gdpr"),
    pack!("us-ca"),
    pack!("us-ca-delete-act"),
    pack!("us-ca-social"),
    pack!("us-co"),
    pack!("us-coppa"),
    pack!("us-ct"),
    pack!("us-md"),
    pack!("us-mn"),
    pack!("us-or"),
    pack!("us-tx"),
    pack!("us-uoom-states"),
    pack!("us-va"),
    pack!("us-virginia-model"),
];

/// Every shipped pack, read.
///
/// # Errors
/// None in a build that passed its tests: [`parse`] is asked of each of them there.
pub fn shipped() -> Result<Vec<RulePack>, Refusal> {
    SHIPPED.iter().map(|(_, text)| parse(text)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{Days, NaiveDate};

    use super::super::Law;
    use super::*;

    #[test]
    fn every_pack_of_the_folder_is_shipped_under_its_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rulepacks");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = names.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
        files.sort();
        assert_eq!(files, SHIPPED.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for (pack, (id, _)) in shipped().unwrap().iter().zip(SHIPPED) {
            assert_eq!(pack.id, *id);
        }
    }

    /// A rule that gets lost is noticed here; one that comes or goes on purpose changes its number.
    #[test]
    fn no_rule_gets_lost() {
        let counts: BTreeMap<String, usize> = shipped().unwrap().iter().map(|pack| (pack.id.clone(), pack.rules().len())).collect();
        let expected = [
            ("br-lgpd", 11),
            ("ca-pipeda", 7),
            ("ca-qc", 10),
            ("eu-dga", 1),
            ("eu-dsa", 5),
            ("eu-gdpr", 35),
            ("eu-political-ads", 3),
            ("in-dpdp", 12),
            ("uk-gdpr", 6),
            ("us-ca", 23),
            ("us-ca-delete-act", 1),
            ("us-ca-social", 1),
            ("us-co", 4),
            ("us-coppa", 2),
            ("us-ct", 5),
            ("us-md", 4),
            ("us-mn", 3),
            ("us-or", 4),
            ("us-tx", 2),
            ("us-uoom-states", 1),
            ("us-va", 1),
            ("us-virginia-model", 8),
        ];
        assert_eq!(counts, expected.map(|(id, rules)| (id.to_owned(), rules)).into());
        assert_eq!(expected.iter().map(|(_, rules)| rules).sum::<usize>(), 149);
    }

    #[test]
    fn packs_are_read_back_as_they_were_written() {
        for pack in shipped().unwrap() {
            assert_eq!(parse(&toml::to_string(&pack).unwrap()).unwrap(), pack, "{}", pack.id);
        }
    }

    #[test]
    fn there_is_a_law_for_every_day() {
        let packs = shipped().unwrap();
        let (mut day, last): (NaiveDate, NaiveDate) = ("2018-01-01".parse().unwrap(), "2030-12-31".parse().unwrap());
        let mut changes = Vec::new();
        while day <= last {
            let law = Law::new(packs.clone(), day).unwrap();
            assert!(law.until().is_none_or(|until| until > day), "{day}");
            changes.extend(law.until());
            day = day + Days::new(1);
        }
        changes.dedup();
        assert!(changes.is_sorted() && changes.contains(&"2026-07-01".parse().unwrap()) && changes.contains(&"2027-05-13".parse().unwrap()), "{changes:?}");
    }
}

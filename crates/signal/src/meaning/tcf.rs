//! TCF of Europe and of Canada: a purpose without consent, a vendor without consent, a publisher's restriction.

use super::{Narrowing, Purpose, What};
use crate::IdSet;
use crate::tcf::{CanadaConsentString, ConsentString, PublisherRestriction, RestrictionType};

/// Which purposes of ours need which purpose of the vendor list. Purpose 1 is about what is stored on a device,
/// which is no purpose of ours.
const PURPOSES: &[(u16, &[Purpose])] = &[
    // Selecting advertising by limited data; profiles for advertising, made and used.
    (2, TARGETED),
    (3, TARGETED),
    (4, TARGETED),
    // Profiles for content, made and used; content by limited data.
    (5, &[Purpose::Personalisation]),
    (6, &[Purpose::Personalisation]),
    (11, &[Purpose::Personalisation]),
    // Measuring advertising.
    (7, &[Purpose::AdMeasurement]),
    // Measuring content; developing and improving services.
    (8, &[Purpose::ServiceImprovement]),
    (10, &[Purpose::ServiceImprovement]),
    // Understanding audiences by statistics.
    (9, &[Purpose::AggregateStatistics, Purpose::CommercialResearch]),
];
const TARGETED: &[Purpose] = &[Purpose::TargetedAdvertising, Purpose::PoliticalAdvertising];

/// All of these, and that a vendor gets data at all.
const OF_A_VENDOR: &[Purpose] = &[
    Purpose::AggregateStatistics,
    Purpose::CommercialResearch,
    Purpose::TargetedAdvertising,
    Purpose::AdMeasurement,
    Purpose::SaleOrSharing,
    Purpose::Personalisation,
    Purpose::ServiceImprovement,
    Purpose::PoliticalAdvertising,
];

/// What a consent string of Europe narrows, for everybody or for one vendor of the Global Vendor List.
///
/// A legitimate interest is no consent. That a vendor was not disclosed counts where the string tells who was.
#[must_use]
pub fn of_tcf(consent: &ConsentString, vendor: Option<u16>) -> Vec<Narrowing> {
    narrowings(&Fields {
        purposes: ("PurposesConsent", &consent.purpose_consents),
        vendors: ("Vendor Consent Section", &consent.vendor_consents),
        disclosed: consent.vendors_disclosed.as_ref(),
        restrictions: &consent.publisher_restrictions,
        vendor,
    })
}

/// What a consent string of Canada narrows. Only express consent counts: silence is none.
#[must_use]
pub fn of_tcf_canada(consent: &CanadaConsentString, vendor: Option<u16>) -> Vec<Narrowing> {
    narrowings(&Fields {
        purposes: ("PurposesExpressConsent", &consent.purposes_express_consent),
        vendors: ("VendorExpressConsent", &consent.vendor_express_consent),
        disclosed: consent.disclosed_vendors.as_ref(),
        restrictions: &consent.pub_restrictions,
        vendor,
    })
}

/// What both strings say, with their names for it.
struct Fields<'a> {
    purposes: (&'static str, &'a IdSet),
    vendors: (&'static str, &'a IdSet),
    disclosed: Option<&'a IdSet>,
    restrictions: &'a [PublisherRestriction],
    vendor: Option<u16>,
}

fn narrowings(fields: &Fields<'_>) -> Vec<Narrowing> {
    let (name, consents) = fields.purposes;
    let missing = PURPOSES.iter().filter(|(number, _)| !consents.contains(*number));
    let mut narrowings: Vec<Narrowing> = missing.map(|(number, purposes)| Narrowing::new(What::NoConsent, purposes, format!("{name} {number}"))).collect();
    let Some(vendor) = fields.vendor else { return narrowings };
    let (name, consents) = fields.vendors;
    if !consents.contains(vendor) {
        narrowings.push(Narrowing::new(What::NoConsent, OF_A_VENDOR, format!("{name} {vendor}")));
    }
    if fields.disclosed.is_some_and(|disclosed| !disclosed.contains(vendor)) {
        narrowings.push(Narrowing::new(What::NoConsent, OF_A_VENDOR, format!("DisclosedVendors {vendor}")));
    }
    narrowings.extend(fields.restrictions.iter().filter_map(|restriction| restricted(restriction, vendor)));
    narrowings
}

/// A publisher can forbid a purpose to a vendor, or leave it no consent to go by; that it must have consent is so
/// already.
fn restricted(restriction: &PublisherRestriction, vendor: u16) -> Option<Narrowing> {
    let forbids = match restriction.restriction_type {
        RestrictionType::NotAllowed | RestrictionType::RequireLegitimateInterest => true,
        RestrictionType::RequireConsent => false,
    };
    let (number, purposes) = PURPOSES.iter().find(|(number, _)| *number == u16::from(restriction.purpose_id))?;
    (forbids && restriction.vendors.contains(vendor)).then(|| Narrowing::new(What::NotAllowed, purposes, format!("PubRestrictions {number} of vendor {vendor}")))
}

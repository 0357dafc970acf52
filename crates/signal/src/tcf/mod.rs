//! Consent strings of IAB Europe's Transparency and Consent Framework, version 2, read and written exactly.
//!
//! The standard is IAB Tech Lab's "Consent string and vendor list formats v2", with the policies 2.2 and
//! 2.3. A string is a core segment, and after it, in any order and each at most once, the vendors that were
//! disclosed, the vendors that may be signalled out of band, and what the publisher does for itself:
//!
//! ```text
//! Core[.DisclosedVendors][.AllowedVendors][.PublisherTC]
//! ```
//!
//! Strings of version 1 are no consent since 2020 and are refused. Nothing is repaired: what the standard
//! gives no meaning to is an error, with the place of the bit.
//!
//! [`CanadaConsentString`] is the sibling of IAB Canada, version 1, which is found within GPP strings only.

mod canada;
mod decode;
mod encode;
#[cfg(test)]
mod tests;
mod vendors;

pub use canada::{CanadaConsentString, CanadaPublisher};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::IdSet;

/// The value of `Version` that is read and written.
const VERSION: u8 = 2;
/// How many purposes, and how many special features, the fields of the standard have room for.
const PURPOSES: u16 = 24;
const SPECIAL_FEATURES: u16 = 12;

/// What a consent string of version 2 says. Sets hold the numbers of the bits that are 1, from 1.
///
/// A string is read with [`ConsentString::decode`] and written with [`ConsentString::encode`]. Reading what
/// was written gives an equal value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentString {
    /// `Created`: when the string was made first, in whole tenths of a second.
    pub created: DateTime<Utc>,
    /// `LastUpdated`: when the string was changed last, in whole tenths of a second.
    pub last_updated: DateTime<Utc>,
    /// `CmpId`: the consent platform that wrote the string, 12 bits.
    pub cmp_id: u16,
    /// `CmpVersion`: that platform's own version, 12 bits.
    pub cmp_version: u16,
    /// `ConsentScreen`: that platform's own number of the screen, 6 bits.
    pub consent_screen: u8,
    /// `ConsentLanguage`: two letters A to Z, the language (ISO 639-1) in which the person was asked.
    pub consent_language: String,
    /// `VendorListVersion`: the Global Vendor List that was shown, 12 bits.
    pub vendor_list_version: u16,
    /// `TcfPolicyVersion`: the version of the policies, 6 bits.
    pub policy_version: u8,
    /// `IsServiceSpecific`: the string holds for one service or group of services only.
    pub is_service_specific: bool,
    /// `UseNonStandardTexts`, before version 2.2 `UseNonStandardStacks`.
    pub use_non_standard_texts: bool,
    /// `SpecialFeatureOptIns`: special features, 1 to 12, that the person opted in to.
    pub special_feature_optins: IdSet,
    /// `PurposesConsent`: purposes, 1 to 24, with consent.
    pub purpose_consents: IdSet,
    /// `PurposesLITransparency`: purposes, 1 to 24, with a legitimate interest and without an objection.
    pub purpose_legitimate_interests: IdSet,
    /// `PurposeOneTreatment`: purpose 1 was not disclosed at all.
    pub purpose_one_treatment: bool,
    /// `PublisherCC`: two letters A to Z, the country whose law the publisher goes by (`AA` is unknown).
    pub publisher_country_code: String,
    /// `Vendor Consent Section`: vendors with consent.
    pub vendor_consents: IdSet,
    /// `Vendor Legitimate Interest Section`: vendors with a legitimate interest and without an objection.
    pub vendor_legitimate_interests: IdSet,
    /// `Publisher Restrictions Section`: by purpose, then type, without doubles.
    pub publisher_restrictions: Vec<PublisherRestriction>,
    /// `Disclosed Vendors` (segment 1): vendors that the person was shown; `None` without the segment, which
    /// version 2.3 makes mandatory. Whether it must be there is for the reader of the value to say.
    pub vendors_disclosed: Option<IdSet>,
    /// `Allowed Vendors` (segment 2): vendors that may be signalled out of band; `None` without the segment.
    pub vendors_allowed: Option<IdSet>,
    /// `Publisher TC` (segment 3): what the publisher does for itself; `None` without the segment.
    pub publisher: Option<PublisherTc>,
}

/// A publisher's limit on what vendors may do for a purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherRestriction {
    /// `PurposeId`, 1 to 24.
    pub purpose_id: u8,
    /// `RestrictionType`.
    pub restriction_type: RestrictionType,
    /// The vendors for which it holds.
    pub vendors: IdSet,
}

/// `RestrictionType`. The fourth value, 3, is undefined in the standard and refused. In Canada consent is
/// express consent, and a legitimate interest is implied consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RestrictionType {
    /// 0: the publisher does not allow the purpose.
    NotAllowed,
    /// 1: the purpose needs consent.
    RequireConsent,
    /// 2: the purpose needs a legitimate interest.
    RequireLegitimateInterest,
}

impl RestrictionType {
    const fn of(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::NotAllowed),
            1 => Some(Self::RequireConsent),
            2 => Some(Self::RequireLegitimateInterest),
            _ => None,
        }
    }

    const fn number(self) -> u64 {
        match self {
            Self::NotAllowed => 0,
            Self::RequireConsent => 1,
            Self::RequireLegitimateInterest => 2,
        }
    }
}

/// `Publisher TC`: consents and legitimate interests of the publisher itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherTc {
    /// `PubPurposesConsent`: purposes, 1 to 24, with consent.
    pub purpose_consents: IdSet,
    /// `PubPurposesLITransparency`: purposes, 1 to 24, with a legitimate interest and without an objection.
    pub purpose_legitimate_interests: IdSet,
    /// `NumCustomPurposes`: how many purposes of its own the publisher has, at most 63.
    pub num_custom_purposes: u8,
    /// `CustomPurposesConsent`: of those, numbered from 1, the ones with consent.
    pub custom_consents: IdSet,
    /// `CustomPurposesLITransparency`: of those, the ones with a legitimate interest and without an objection.
    pub custom_legitimate_interests: IdSet,
}

//! How the sections of the United States are laid out: one table row for each section and version.
//!
//! Names and order are those of the section specifications of IAB Tech Lab. MD, IN, KY and RI use the newer
//! form, which begins with the version of the MSPA.

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Six bits: the version of the section.
    Version,
    /// Two bits: 0 not applicable, 1 and 2 as the section says; 3 means nothing.
    Value,
    /// So many values of two bits.
    Values(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What may follow the core of a section after a dot.
#[derive(Debug, Clone, Copy)]
pub(super) enum Second {
    Nothing,
    /// Two type bits, and the flag of Global Privacy Control.
    Gpc,
    /// More fields, without type bits.
    Fields(&'static [Field]),
}

#[derive(Debug)]
pub(super) struct Layout {
    pub(super) id: u16,
    /// The name of the section in the standard.
    pub(super) name: &'static str,
    pub(super) version: u8,
    pub(super) core: &'static [Field],
    pub(super) second: Second,
}

const fn value(name: &'static str) -> Field {
    Field { name, kind: Kind::Value }
}

const fn sensitive(count: usize) -> Field {
    Field { name: "SensitiveDataProcessing", kind: Kind::Values(count) }
}

const fn children(count: usize) -> Field {
    Field { name: "KnownChildSensitiveDataConsents", kind: Kind::Values(count) }
}

const fn row(id: u16, name: &'static str, core: &'static [Field], second: Second) -> Layout {
    Layout { id, name, version: 1, core, second }
}

const VERSION: Field = Field { name: "Version", kind: Kind::Version };
const MSPA_VERSION: Field = Field { name: "MspaVersion", kind: Kind::Version };
const SHARING: Field = value("SharingNotice");
const PROCESSING: Field = value("ProcessingNotice");
const SALE_NOTICE: Field = value("SaleOptOutNotice");
const SHARING_NOTICE: Field = value("SharingOptOutNotice");
const ADS_NOTICE: Field = value("TargetedAdvertisingOptOutNotice");
const SENSITIVE_NOTICE: Field = value("SensitiveDataProcessingOptOutNotice");
const SENSITIVE_NOTICE_IA: Field = value("SensitiveDataOptOutNotice");
const LIMIT_NOTICE: Field = value("SensitiveDataLimitUseNotice");
const SALE: Field = value("SaleOptOut");
const SHARE: Field = value("SharingOptOut");
const ADS: Field = value("TargetedAdvertisingOptOut");
/// One value where the section knows one age group, without a list.
const CHILD: Field = value("KnownChildSensitiveDataConsents");
const PERSONAL: Field = value("PersonalDataConsents");
const ADDITIONAL: Field = value("AdditionalDataProcessingConsent");
const COVERED: Field = value("MspaCoveredTransaction");
const OPTION_MODE: Field = value("MspaOptOutOptionMode");
const PROVIDER_MODE: Field = value("MspaServiceProviderMode");
const MODE: Field = value("MspaMode");

/// The form of IN, KY and RI; MD has it without children.
const NEWER: &[Field] = &[MSPA_VERSION, COVERED, MODE, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, CHILD, ADDITIONAL];
const NEWER_SECOND: Second = Second::Fields(&[sensitive(8)]);
const MD: &[Field] = &[MSPA_VERSION, COVERED, MODE, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, ADDITIONAL];

#[rustfmt::skip]
static LAYOUTS: &[Layout] = &[
    row(7, "usnat", &[VERSION, SHARING, SALE_NOTICE, SHARING_NOTICE, ADS_NOTICE, SENSITIVE_NOTICE, LIMIT_NOTICE, SALE, SHARE, ADS,
        sensitive(12), children(2), PERSONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    Layout { id: 7, name: "usnat", version: 2, core: &[VERSION, SHARING, SALE_NOTICE, SHARING_NOTICE, ADS_NOTICE, SENSITIVE_NOTICE, LIMIT_NOTICE, SALE, SHARE, ADS,
        sensitive(16), children(3), PERSONAL, COVERED, OPTION_MODE, PROVIDER_MODE], second: Second::Gpc },
    row(8, "usca", &[VERSION, SALE_NOTICE, SHARING_NOTICE, LIMIT_NOTICE, SALE, SHARE, sensitive(9), children(2), PERSONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(9, "usva", &[VERSION, SHARING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), CHILD, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Nothing),
    row(10, "usco", &[VERSION, SHARING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(7), CHILD, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(11, "usut", &[VERSION, SHARING, SALE_NOTICE, ADS_NOTICE, SENSITIVE_NOTICE, SALE, ADS, sensitive(8), CHILD, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Nothing),
    row(12, "usct", &[VERSION, SHARING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), children(3), COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(13, "usfl", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), children(3), ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Nothing),
    row(14, "usmt", &[VERSION, SHARING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), children(3), ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(15, "usor", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(11), children(3), ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(16, "ustx", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), CHILD, ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(17, "usde", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(9), children(5), ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(18, "usia", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SENSITIVE_NOTICE_IA, SALE, ADS, sensitive(8), CHILD, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(19, "usne", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), CHILD, ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(20, "usnh", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), children(3), ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(21, "usnj", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(10), children(5), ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(22, "ustn", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), CHILD, ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(23, "usmn", &[VERSION, PROCESSING, SALE_NOTICE, ADS_NOTICE, SALE, ADS, sensitive(8), CHILD, ADDITIONAL, COVERED, OPTION_MODE, PROVIDER_MODE], Second::Gpc),
    row(24, "usmd", MD, Second::Gpc),
    row(25, "usin", NEWER, NEWER_SECOND),
    row(26, "usky", NEWER, NEWER_SECOND),
    row(27, "usri", NEWER, NEWER_SECOND),
];

/// Every layout, in the order of ids and versions.
pub(super) fn all() -> impl Iterator<Item = &'static Layout> {
    LAYOUTS.iter()
}

/// The layout of a version of a section.
pub(super) fn of(id: u16, version: u8) -> Option<&'static Layout> {
    all().find(|layout| layout.id == id && layout.version == version)
}

/// Whether the section is one of the United States, in any version.
pub(super) fn is_us(id: u16) -> bool {
    all().any(|layout| layout.id == id)
}

//! The rules say no: typed, with a stable code, safe to show.

use serde::Serialize;

crate::words! {
    /// Why the rules say no. Codes are stable; `docs/refusals.md` lists them.
    pub enum RefusalCode("refusal code") {
        /// The text is not SQL that we can read.
        Syntax = "Q100",
        /// Not one single `SELECT`.
        Statement = "Q101",
        /// A clause that is not offered.
        Clause = "Q102",
        /// A table that does not exist or cannot be asked.
        Table = "Q103",
        /// A column that does not exist in this table.
        Column = "Q104",
        /// A function or aggregate that is not offered.
        Function = "Q105",
        /// An expression that is not offered in this place.
        Expression = "Q106",
        /// `subject_id` or another identifier may not be used like this.
        Identifier = "Q107",
        /// Types that do not fit together.
        Type = "Q108",
        /// Personal rows were asked for instead of aggregates.
        RawRows = "Q109",
        /// Something in the question is larger than the limits.
        Limit = "Q110",
        /// A bound that is wider than the contract or makes no sense.
        Bound = "Q111",
        /// A price that cannot be paid: zero, negative or too large.
        Price = "Q112",
        /// A parameter without a value, or a value without its parameter.
        Parameter = "Q113",
        /// The partner is not approved.
        Partner = "A200",
        /// No agreement of this partner is active.
        Agreement = "A201",
        /// The agreement does not cover the purpose.
        Purpose = "A202",
        /// The agreement has expired or has not begun.
        Expired = "A203",
        /// There is no data to ask yet.
        NoSnapshot = "A204",
        /// The same question is being answered right now.
        Running = "A205",
        /// A partner's table that cannot be taken in like that.
        PartnerTable = "A206",
        /// A budget does not cover the price.
        Budget = "B300",
        /// A choice that cannot be recorded as asked.
        Consent = "C400",
        /// Its time lies in the future, before its notice, or where no time can lie.
        ConsentTime = "C401",
        /// It is known already.
        ConsentDuplicate = "C402",
        /// A yes that is older than a choice that is known.
        ConsentLate = "C403",
        /// The person may not be asked again yet.
        ConsentQuiet = "C404",
        /// This actor may not do that.
        ConsentActor = "C405",
        /// The person was erased.
        ConsentErased = "C406",
        /// The state of the consent does not allow it.
        ConsentState = "C407",
        /// A limit that cannot be lifted like that.
        CannotLift = "C408",
        /// A notice, or whoever stands behind it, is not as people must be told of it.
        Notice = "C409",
        /// A link to a page of a person cannot be made like that.
        Link = "C410",
        /// Somebody cannot be written to like that.
        Mail = "C411",
        /// An account that cannot be named in public like that.
        Creator = "C413",
        /// A rule pack that cannot be read, or has an unknown field, word or outcome.
        PackText = "L600",
        /// A rule without source, certainty or review.
        PackGrounds = "L601",
        /// A rule that contradicts itself or another.
        PackRule = "L602",
        /// A region that is not known, or none.
        PackRegion = "L603",
        /// Packs that inherit in a circle, or from one that is missing.
        PackInheritance = "L604",
        /// A step with a rule pack that needs another person, or another state.
        PackApproval = "L605",
        /// A step that the state of the thing does not allow.
        State = "S500",
    }
}

/// A place in the text of a question. Lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

/// Why the rules say no.
///
/// # Guarantee
/// A refusal is made from public parameters only: the question's text, agreements, budgets. It
/// never depends on any person's rows or choices, so it can be shown to a partner as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// Stable code.
    pub code: RefusalCode,
    /// What was refused and why, in one sentence.
    pub message: String,
    /// Where in the question's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without place and hint.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), at: None, hint: None }
    }

    /// Adds what to do instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the place, if there is one.
    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.at = place;
        self
    }
}

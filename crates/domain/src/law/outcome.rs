//! What a rule asks before data may be used.

crate::words! {
    /// What a rule asks, from the laxest to the strictest: of several rules the strictest counts.
    pub enum Outcome("outcome") {
        /// The law does not speak of it.
        OutOfScope = "out_of_scope",
        /// People must have been told.
        NoticeOnly = "notice_only",
        /// People must be able to say no.
        OptOut = "opt_out",
        /// People must have said yes.
        OptIn = "opt_in",
        /// People must have said yes and confirmed it (11 CCR 7028, 7071).
        TwoStepOptIn = "two_step_opt_in",
        /// People must have said yes in so many words (GDPR Art. 9(2)(a)).
        ExplicitOptIn = "explicit_opt_in",
        /// A holder of parental responsibility must have said yes (GDPR Art. 8).
        ParentalOptIn = "parental_opt_in",
        /// Forbidden, and no consent cures it.
        Prohibit = "prohibit",
    }
}

impl Outcome {
    /// What is asked of anybody before a release counts them, whatever their law says: a yes.
    ///
    /// # Guarantee
    /// Silence is not consent. No pack goes below this.
    pub const FLOOR: Self = Self::OptIn;
}

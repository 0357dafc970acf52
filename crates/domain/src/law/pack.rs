//! A rule pack, as it is written.
//!
//! Every kind of rule has a table of its own; whatever stands in none of them is a mistake and refused.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Deadline, Outcome, Term, day};
use crate::Purpose;

crate::words! {
    /// How sure we are that a rule says what the law says.
    pub enum Certainty("certainty") {
        /// Settled text.
        High = "high",
        /// One secondary source, or not checked again.
        Medium = "medium",
        /// Contested, pending, or easily wrong.
        Low = "low",
    }
}

crate::words! {
    /// How much data tells about a person that they may not want known, from little to most.
    pub enum Sensitivity("sensitivity") {
        /// Tells nothing of a person by itself.
        None = "none",
        /// Narrows down who somebody is: age, country.
        Quasi = "quasi",
        /// Private by its nature.
        Sensitive = "sensitive",
        /// Reveals, or may reveal, what GDPR Art. 9 names: beliefs, health, orientation and the like.
        Special = "special",
    }
}

crate::words! {
    /// How the rule was read.
    pub enum Seen("reading") {
        /// On a page that somebody had before them, most often a secondary one.
        Page = "page",
        /// In somebody's memory.
        Memory = "memory",
    }
}

/// What every rule says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// The law and article.
    pub source: String,
    /// How sure we are.
    pub certainty: Certainty,
    /// How it was read; unknown when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Whether a lawyer must confirm it before it may permit more than the floor does.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lawyer: bool,
    /// When somebody last checked it; the pack's date when not said.
    #[serde(default, deserialize_with = "day::option", skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<NaiveDate>,
    /// What else is good to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One rule: its id within its kind and pack, and its grounds beside what it says.
macro_rules! rules {
    ($($(#[$meta:meta])* $name:ident ($kind:literal) { $($(#[$fmeta:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Its name within the pack and kind.
            pub id: String,
            /// Where it comes from.
            pub grounds: Grounds,
            /// First day on which it holds, if later than the pack's.
            #[serde(default, deserialize_with = "day::option", skip_serializing_if = "Option::is_none")]
            pub since: Option<NaiveDate>,
            $($(#[$fmeta])* pub $field: $type,)*
        }

        impl Rule for $name {
            const KIND: &'static str = $kind;
            fn id(&self) -> &str { &self.id }
            fn grounds(&self) -> &Grounds { &self.grounds }
            fn since(&self) -> Option<NaiveDate> { self.since }
        }
    )+};
}

/// What all kinds of rules have in common.
pub trait Rule: Clone {
    /// The kind, as the pack's table is called.
    const KIND: &'static str;
    /// The name within the pack and kind.
    fn id(&self) -> &str;
    /// Where the rule comes from.
    fn grounds(&self) -> &Grounds;
    /// First day on which it holds, if later than the pack's.
    fn since(&self) -> Option<NaiveDate>;
}

rules! {
    /// What a use asks of people.
    ConsentRule("consent") {
        /// The uses.
        purposes: Vec<Purpose>,
        /// What they ask.
        outcome: Outcome,
        /// Only of people younger than this, in years.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        age_below: Option<u8>,
        /// Articles that name the legal basis.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        basis: Vec<String>,
        /// What a valid consent needs besides.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        requirements: Vec<String>,
    }
    /// A use that no consent cures.
    Prohibition("prohibition") {
        /// The uses.
        purposes: Vec<Purpose>,
        /// Only of people younger than this, in years. Unknown age counts as younger.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        age_below: Option<u8>,
        /// Only with data that are at least this sensitive.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sensitivity: Option<Sensitivity>,
        /// What is forbidden, in words.
        rule: String,
    }
    /// Who needs a parent's yes, or a yes of their own where others are only asked for a no.
    AgeRule("age") {
        /// Younger than this, in years: a parent's yes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parental_below: Option<u8>,
        /// The same where a member state chose another age.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        parental_below_in: BTreeMap<String, u8>,
        /// Younger than this, in years: a yes of their own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opt_in_below: Option<u8>,
        /// Whether that yes must have been asked for twice (11 CCR 7071).
        #[serde(default, skip_serializing_if = "is_false")]
        two_step: bool,
        /// For these uses; for all when none is named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        purposes: Vec<Purpose>,
        /// The rule in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    }
    /// What sensitive data ask.
    SensitiveRule("sensitive") {
        /// For these uses; for all when none is named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        purposes: Vec<Purpose>,
        /// From this sensitivity on.
        sensitivity: Sensitivity,
        /// What they ask.
        outcome: Outcome,
        /// The categories that the law names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        categories: Vec<String>,
        /// What counts as revealing a category.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inference: Option<String>,
    }
    /// What makes a consent valid, and for how long.
    ValidityRule("validity") {
        /// What a valid consent needs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        requirements: Vec<String>,
        /// After this it must be asked again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term: Option<Term>,
        /// After a no, a withdrawal or an opt-out nobody may be asked again for so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quiet: Option<Term>,
        /// Whether a yes to a class of recipients covers those that join it later.
        #[serde(default, skip_serializing_if = "is_false")]
        open_class: bool,
        /// What must be provable.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
    }
    /// A machine's signal that must be honoured.
    SignalRule("signal") {
        /// The uses that it closes.
        purposes: Vec<Purpose>,
        /// How it is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<String>,
        /// What it means.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effect: Option<String>,
        /// What people must be shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display: Option<String>,
        /// What counts when it contradicts what the person chose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conflict: Option<String>,
    }
    /// A right that people can use, and by when it is answered.
    RightRule("right") {
        /// The article.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        article: Option<String>,
        /// The rights that it stands for, when several.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rights: Vec<String>,
        /// By when receipt is confirmed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acknowledge: Option<Deadline>,
        /// By when it is answered.
        respond: Deadline,
        /// By when the product answers, where it is quicker than the law asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<Term>,
        /// By how much that can be put off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extend: Option<Extension>,
        /// By when an appeal is decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        appeal: Option<Deadline>,
        /// How often work is looked for, where requests wait elsewhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        poll_every: Option<Term>,
        /// When the clock stops.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop_clock: Option<String>,
        /// Whether the person must show who they are: `none` forbids asking.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verification: Option<String>,
        /// Who else is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        propagate: Option<String>,
        /// What it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effect: Option<String>,
        /// What it covers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
        /// What it may cost, and how often it is free.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fee: Option<String>,
        /// What the answer must hold.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        must_include: Vec<String>,
        /// When it may be denied.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exceptions: Vec<String>,
    }
    /// Who is told of a breach, and by when.
    BreachRule("breach") {
        /// Authority, subjects, controller, register.
        to: Vec<String>,
        /// Who tells them, when it is not the controller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// By when.
        deadline: Deadline,
        /// By when details follow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supplement: Option<Term>,
        /// From which risk on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        threshold: Option<String>,
        /// How long the register keeps it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep: Option<Term>,
    }
    /// What people are told, and by when.
    NoticeRule("notice") {
        /// In which case.
        when: String,
        /// By when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Deadline>,
        /// Whichever of these comes first, if before the deadline.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        earlier_of: Vec<String>,
        /// What it must say.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        content: Vec<String>,
    }
    /// A record that must be kept.
    RecordRule("record") {
        /// The rule in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
        /// What it holds.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        content: Vec<String>,
        /// What calls for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trigger: Vec<String>,
        /// How long it is kept at least.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep: Option<Term>,
    }
    /// What a contract must hold.
    AgreementRule("agreement") {
        /// The kind of contract.
        kind: String,
        /// What it must hold.
        must_contain: Vec<String>,
    }
    /// A rule for people to read: transfers, anonymity, research, retention, penalties, warnings.
    Statement("statement") {
        /// What it is about.
        topic: String,
        /// What it says.
        rule: String,
        /// Its points.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        points: Vec<String>,
    }
}

/// By how much an answer can be put off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// How many.
    pub n: u32,
    /// Of what.
    pub unit: super::TermUnit,
    /// Within which time the person is told.
    pub notify_within_first: Term,
    /// Whether reasons must be given.
    pub reason_required: bool,
}

/// A law, or a part of one, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulePack {
    /// Version of this layout: 1.
    pub schema: u32,
    /// Its name: lower-case letters, digits and hyphens.
    pub id: String,
    /// Its version, from 1 upwards.
    pub version: u32,
    /// The law.
    pub title: String,
    /// To whom it applies, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies: Option<String>,
    /// Where people live whom it concerns: codes, `EU` or `EEA`.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Whether it counts for people whose residence is unknown or has no pack.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fallback: bool,
    /// Whether it only stands to be inherited from.
    #[serde(default, rename = "abstract", skip_serializing_if = "is_false")]
    pub is_abstract: bool,
    /// The pack whose rules it takes over, where it has none of the same kind and id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherits: Option<String>,
    /// First day on which it holds.
    #[serde(default, deserialize_with = "day::option", skip_serializing_if = "Option::is_none")]
    pub in_force: Option<NaiveDate>,
    /// Days on which amendments began to hold.
    #[serde(default, deserialize_with = "day::list", skip_serializing_if = "Vec::is_empty")]
    pub amended: Vec<NaiveDate>,
    /// When somebody last checked it against the law.
    #[serde(deserialize_with = "day::one")]
    pub reviewed: NaiveDate,
    /// What else is good to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// See [`ConsentRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consent: Vec<ConsentRule>,
    /// See [`Prohibition`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prohibition: Vec<Prohibition>,
    /// See [`AgeRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub age: Vec<AgeRule>,
    /// See [`SensitiveRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<SensitiveRule>,
    /// See [`ValidityRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validity: Vec<ValidityRule>,
    /// See [`SignalRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signal: Vec<SignalRule>,
    /// See [`RightRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub right: Vec<RightRule>,
    /// See [`BreachRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breach: Vec<BreachRule>,
    /// See [`NoticeRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notice: Vec<NoticeRule>,
    /// See [`RecordRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub record: Vec<RecordRule>,
    /// See [`AgreementRule`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreement: Vec<AgreementRule>,
    /// See [`Statement`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statement: Vec<Statement>,
}

/// Calls a macro with every list of rules that a pack has.
macro_rules! each_kind {
    ($do:ident) => {
        $do!(consent, prohibition, age, sensitive, validity, signal, right, breach, notice, record, agreement, statement)
    };
}
pub(super) use each_kind;

impl RulePack {
    /// The kind, id and grounds of every rule.
    pub fn rules(&self) -> Vec<(&'static str, &str, &Grounds)> {
        fn of<R: Rule>(rules: &[R]) -> impl Iterator<Item = (&'static str, &str, &Grounds)> {
            rules.iter().map(|rule| (R::KIND, rule.id(), rule.grounds()))
        }
        macro_rules! all { ($($kind:ident),+) => {{ let mut all = Vec::new(); $(all.extend(of(&self.$kind));)+ all }}; }
        each_kind!(all)
    }

    /// The pack with the rules of `parent` that it does not have.
    #[must_use]
    pub(super) fn inheriting(mut self, parent: &Self) -> Self {
        fn take<R: Rule>(own: &mut Vec<R>, parent: &[R]) {
            let missing: Vec<R> = parent.iter().filter(|rule| own.iter().all(|o| o.id() != rule.id())).cloned().collect();
            own.extend(missing);
        }
        macro_rules! all { ($($kind:ident),+) => { $(take(&mut self.$kind, &parent.$kind);)+ }; }
        each_kind!(all);
        self
    }
}

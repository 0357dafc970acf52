//! What a notice asks of one person: each purpose for each recipient, by the law of where they live.

use domain::consent::{Consent, ConsentKey, ConsentState, DataScope, Recipient, Standing};
use domain::law::{Outcome, RuleInForce, Use};
use domain::link::LinkKind;
use domain::notice::Notice;
use domain::party::Party;
use domain::{NoticeName, Purpose, SubjectId, Timestamp};
use sqlx::SqliteConnection;

use super::show::find;
use crate::consent::{Rules, Standings, Whom, standings};
use crate::plane::Inner;
use crate::subject::{Person, person, resolve};
use crate::{ControlPlane, Error};

/// What a yes of this person needs besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// In so many words, for the data that may reveal what is specially protected.
    pub explicit: bool,
    /// By a parent.
    pub parental: bool,
    /// Confirmed in a second step.
    pub two_step: bool,
}

/// Why something is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred {
    /// The law forbids it with this person, and no yes cures it.
    Law,
    /// The law asks that recipients are named, and this is a class of them.
    OpenClass,
}

/// One question of a notice, to one person.
#[derive(Debug, Clone)]
pub struct Asking {
    /// What for.
    pub purpose: Purpose,
    /// Who would receive.
    pub recipient: Recipient,
    /// Who that is, as people are told; a class has none.
    pub party: Option<Party>,
    /// Where it stands.
    pub state: ConsentState,
    /// Since when, of an answer.
    pub since: Option<Timestamp>,
    /// Whether the yes that stands is explicit.
    pub explicit: bool,
    /// Whether a yes that stands is a parent's.
    pub parental: bool,
    /// Whether the person said yes to an earlier version, and must be asked again.
    pub changed: bool,
    /// Until when the controller may not ask again after a no.
    pub quiet_until: Option<Timestamp>,
    /// What a yes needs besides.
    pub needs: Needs,
    /// Why it is not asked, if so.
    pub barred: Option<Barred>,
    /// The rules that forbid it, where the law bars it; each once.
    pub barred_by: Vec<RuleInForce>,
    /// Whether something that the person limits covers it, so that a yes has no effect.
    pub limited: bool,
    /// Whether seeing the notice is being asked: it is not answered, or the answer was to an older version or lies
    /// longer back than a quiet period.
    pub(super) open: bool,
    /// What a choice is recorded about: one for each kind of data that the notice names.
    pub(super) keys: Vec<ConsentKey>,
    /// Where each of them stands by itself, and on which version.
    pub(super) stands: Vec<(ConsentState, Option<u32>)>,
}

impl Asking {
    /// Whether a yes to any of it stands, as it was said, so that there is something to take back.
    #[must_use]
    pub fn has_yes(&self) -> bool {
        self.state.is_valid() || self.changed || self.stands.iter().any(|(state, _)| state.is_valid())
    }

    /// Whether whoever opens such a link is asked about it: a parent about what needs one, and about a yes of theirs
    /// that the law has closed.
    #[must_use]
    pub const fn concerns(&self, kind: LinkKind) -> bool {
        match kind {
            LinkKind::Choose => true,
            LinkKind::Parent => self.needs.parental || (self.barred.is_some() && self.parental),
        }
    }
}

/// A notice as one person sees it.
#[derive(Debug, Clone)]
pub struct NoticePage {
    /// The person.
    pub subject: SubjectId,
    /// The newest version.
    pub notice: Notice,
    /// Who asks.
    pub controller: Party,
    /// What is asked, by purpose and recipient as the notice names them.
    pub asked: Vec<Asking>,
    /// When this was so.
    pub as_of: Timestamp,
}

impl NoticePage {
    /// The question about a purpose and recipient.
    #[must_use]
    pub fn asking(&self, purpose: Purpose, recipient: &Recipient) -> Option<&Asking> {
        self.asked.iter().find(|asking| asking.purpose == purpose && asking.recipient == *recipient)
    }
}

impl ControlPlane {
    /// The newest version of a notice as one person sees it. Records nothing.
    ///
    /// # Errors
    /// Not found; a refusal when nobody has said who the controller is.
    pub async fn notice_page(&self, subject: SubjectId, name: &NoticeName) -> Result<NoticePage, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let subject = resolve(&mut tx, subject).await?;
        page(&mut tx, &self.inner, subject, name, self.now()).await
    }
}

pub(super) async fn page(tx: &mut SqliteConnection, inner: &Inner, subject: SubjectId, name: &NoticeName, now: Timestamp) -> Result<NoticePage, Error> {
    let notice = find(tx, name, None).await?;
    let controller = crate::party::controller(tx).await?;
    let person = person(tx, subject).await?;
    let known = standings(tx, Whom::These(&[subject])).await?;
    let rules = Rules::read(tx, inner, now).await?;
    let reader = Reader { notice: &notice, person: &person, known: &known, rules: &rules };
    let mut asked = Vec::new();
    for &purpose in &notice.terms.purposes {
        for recipient in notice.terms.recipients() {
            let party = match &recipient {
                Recipient::Partner(partner) => Some(crate::party::of_partner(tx, partner).await?),
                Recipient::Class(_) => None,
            };
            asked.push(reader.asking(purpose, recipient, party));
        }
    }
    Ok(NoticePage { subject, notice, controller, asked, as_of: now })
}

struct Reader<'a> {
    notice: &'a Notice,
    person: &'a Person,
    known: &'a Standings,
    rules: &'a Rules,
}

impl Reader<'_> {
    fn asking(&self, purpose: Purpose, recipient: Recipient, party: Option<Party>) -> Asking {
        let Self { notice, person, known, rules } = self;
        let Rules { law, now } = rules;
        let subject = person.subject;
        let parts: Vec<DataScope> = DataScope::PARTS.into_iter().filter(|part| notice.terms.scopes.iter().any(|scope| scope.covers(*part))).collect();
        let mut needs = Needs::default();
        let (mut forbidden, mut opens_classes) = (0, true);
        for part in &parts {
            let (demands, opens) = law.demands(person.residence, person.age, Use { purpose, sensitivity: part.sensitivity() });
            opens_classes &= opens;
            if demands.contains(Outcome::Prohibit) {
                forbidden += 1;
                continue;
            }
            needs.explicit |= demands.contains(Outcome::ExplicitOptIn);
            needs.parental |= demands.contains(Outcome::ParentalOptIn);
            needs.two_step |= demands.contains(Outcome::TwoStepOptIn);
        }
        let is_class = matches!(recipient, Recipient::Class(_));
        let barred = if forbidden == parts.len() {
            Some(Barred::Law)
        } else if is_class && !opens_classes {
            Some(Barred::OpenClass)
        } else {
            None
        };
        let keys: Vec<ConsentKey> = notice.terms.scopes.iter().map(|&scope| ConsentKey { subject, recipient: recipient.clone(), purpose, scope }).collect();
        let of_keys: Vec<_> = keys.iter().map(|key| known.get(key)).collect();
        // What counts for a partner may have been said to more than the notice asks, or to its class.
        let seen: Vec<Consent> = match &recipient {
            Recipient::Partner(partner) => parts.iter().map(|part| known.consent(subject, partner, purpose, *part, *now)).collect(),
            Recipient::Class(_) => keys.iter().map(|key| known.get(key).map_or_else(Consent::default, |standing| known.alone(key, standing, *now))).collect(),
        };
        let state = together(seen.iter().map(|consent| consent.state));
        let answered = of_keys.iter().flatten();
        let since = if state.is_valid() {
            answered.filter_map(|s| s.given.map(|yes| yes.at)).max()
        } else if state.is_no() {
            answered.filter_map(|s| s.refused_at).max()
        } else {
            None
        };
        let refused = keys.iter().filter_map(|key| known.refused_at(key)).max();
        let quiet_until = refused.and_then(|at| law.law.quiet_until(person.residence, at));
        let no_stands = state.is_no() && of_keys.iter().flatten().any(|standing| self.version(standing) == Some(notice.version));
        let limited = known.is_limited(subject, &recipient, purpose);
        let open = barred.is_none() && !limited && !state.is_valid() && quiet_until.map_or(!no_stands, |end| end <= *now);
        Asking {
            purpose,
            recipient,
            party,
            state,
            since,
            explicit: state.is_valid() && seen.iter().any(|consent| consent.strength.explicit),
            parental: seen.iter().any(|consent| consent.state.is_valid() && consent.strength.parental),
            changed: seen.iter().any(|consent| consent.superseded),
            quiet_until: quiet_until.filter(|end| end > now),
            open,
            needs,
            barred,
            barred_by: if barred == Some(Barred::Law) { self.forbidding(purpose, &parts) } else { Vec::new() },
            limited,
            stands: of_keys.iter().map(|standing| standing.map_or((ConsentState::Unknown, None), |s| (s.state_at(*now), self.version(s)))).collect(),
            keys,
        }
    }

    /// The rules that forbid a use of these parts of the person's data.
    fn forbidding(&self, purpose: Purpose, parts: &[DataScope]) -> Vec<RuleInForce> {
        let Self { person, rules, .. } = self;
        let asked = parts.iter().flat_map(|part| rules.law.law.asked(person.residence, person.age, Use { purpose, sensitivity: part.sensitivity() }).rules);
        let mut forbidding: Vec<RuleInForce> = Vec::new();
        for rule in asked.filter(|rule| rule.outcome == Outcome::Prohibit) {
            if !forbidding.contains(&rule) {
                forbidding.push(rule);
            }
        }
        forbidding
    }

    /// The version of this notice on which a consent stands.
    fn version(&self, standing: &Standing) -> Option<u32> {
        let on = &standing.notice;
        (on.name == self.notice.name).then_some(on.version)
    }
}

/// Where several parts stand together: a yes is a yes to all of them.
fn together(states: impl Iterator<Item = ConsentState>) -> ConsentState {
    let states: Vec<ConsentState> = states.collect();
    let not_valid = states.iter().filter(|state| !state.is_valid());
    not_valid.clone().find(|state| state.is_no()).or(not_valid.clone().next()).or(states.first()).copied().unwrap_or(ConsentState::Unknown)
}

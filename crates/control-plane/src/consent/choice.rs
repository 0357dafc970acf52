//! A choice as it comes in, and whether it can be recorded.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::consent::{Actor, Arrival, ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, ConsentState, DataScope, EventOrder, Recipient, Standing, Strength};
use domain::notice::NoticeRef;
use domain::subject::SubjectStatus;
use domain::{Fault, PartnerClass, PartnerName, Purpose, Refusal, RefusalCode, Timestamp};

use super::record::Known;
use crate::Error;
use crate::subject::Person;

/// How far a clock elsewhere may be ahead of ours.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// No choice about social media is older: 1 January 1995.
const OLDEST: i64 = 788_918_400;

/// A choice that a person made, or another event of a consent.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What it is about.
    pub key: ConsentKey,
    /// What happened.
    pub action: ConsentAction,
    /// Who acted.
    pub actor: Actor,
    /// The text that the person saw.
    pub notice: NoticeRef,
    /// In which language, if not the notice's own.
    pub language: Option<String>,
    /// How it reached us.
    pub method: ConsentMethod,
    /// How firmly, of a yes.
    pub strength: Strength,
    /// When it happened, if not now.
    pub at: Option<Timestamp>,
    /// The source's own number among events of one instant.
    pub sequence: u32,
    /// SHA-256 of what proves it, in hexadecimal.
    pub evidence: Option<String>,
}

impl Choice {
    /// Something that happened now: by the person, or by the controller where only they can.
    #[must_use]
    pub const fn now(key: ConsentKey, action: ConsentAction, notice: NoticeRef, method: ConsentMethod) -> Self {
        let actor = match action {
            ConsentAction::Request | ConsentAction::Revoke | ConsentAction::Invalidate => Actor::Controller,
            ConsentAction::Expire => Actor::System,
            _ => Actor::Subject,
        };
        let strength = Strength { explicit: false, parental: false, two_step: false };
        Self { key, action, actor, notice, language: None, method, strength, at: None, sequence: 0, evidence: None }
    }

    /// The same in so many words (GDPR Art. 9(2)(a)).
    #[must_use]
    pub const fn explicit(mut self) -> Self {
        self.strength.explicit = true;
        self
    }
}

/// That a choice is on disk.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The choice as the ledger keeps it.
    pub event: ConsentEvent,
    /// Where the consent stands now.
    pub state: ConsentState,
    /// Whether something later was known already, so that today's state did not change by it.
    pub late: bool,
    /// Its entry in the audit log.
    pub entry: u64,
}

/// What a notice asks.
pub(super) struct Asked {
    pub(super) language: String,
    pub(super) purposes: Vec<Purpose>,
    pub(super) partners: Vec<PartnerName>,
    pub(super) open_classes: Vec<PartnerClass>,
    pub(super) scopes: Vec<DataScope>,
    /// When people were shown it first.
    pub(super) shown_from: Timestamp,
}

impl Asked {
    fn asks(&self, key: &ConsentKey) -> bool {
        let recipient = match &key.recipient {
            Recipient::Partner(partner) => self.partners.contains(partner),
            Recipient::Class(class) => self.open_classes.contains(class),
        };
        let scope = self.scopes.iter().any(|asked| asked.covers(key.scope)) || DataScope::PARTS.iter().all(|part| key.scope.covers(*part) && self.scopes.contains(part));
        recipient && scope && self.purposes.contains(&key.purpose)
    }
}

impl Known<'_> {
    /// The events that a request leads to, all or none.
    pub(super) fn events(&mut self, request: &[Choice]) -> Result<Vec<Receipt>, Error> {
        let mut draft = Draft::default();
        let mut receipts = Vec::with_capacity(request.len());
        for choice in request {
            let person = self.person(choice.key.subject)?;
            // Whatever id of theirs a person is called by, the choice is about the one that counts.
            let key = ConsentKey { subject: person.subject, ..choice.key.clone() };
            let asked = self.notices.get(&choice.notice).ok_or_else(|| crate::notice::not_found(&choice.notice.name, Some(choice.notice.version)))?;
            let before = draft.standings.get(&key).or_else(|| self.standings.get(&key));
            let order = self.order(choice, before);
            let event = self.event(choice, key.clone(), &person, asked, order, self.seq + 1 + receipts.len() as u64);
            let arrival = before.map_or(Arrival::Next, |standing| standing.meets(&event));
            self.check(&event, &person, asked, before, arrival)?;
            let standing = match (before, arrival) {
                (None, _) => Standing::first(&event),
                (Some(standing), Arrival::Next) => standing.clone().after(&event),
                (Some(_), Arrival::Late | Arrival::Duplicate) => {
                    let known = self.history(&key).chain(draft.events.iter().filter(|e| e.key == key));
                    let all: Vec<ConsentEvent> = known.chain([&event]).cloned().collect();
                    Standing::replay(&all).ok_or_else(|| Fault::broken("a consent without events"))?
                }
            };
            let state = self.standings.alone(&key, &standing, self.rules.now).state;
            draft.standings.insert(key, standing);
            if self.histories.is_some() {
                draft.events.push(event.clone());
            }
            receipts.push(Receipt { event, state, late: arrival == Arrival::Late, entry: 0 });
        }
        self.seq += receipts.len() as u64;
        if let Some(histories) = &mut self.histories {
            for event in draft.events {
                histories.entry(event.key.clone()).or_default().push(event);
            }
        }
        for (key, standing) in draft.standings {
            self.standings.put(&key, standing);
        }
        Ok(receipts)
    }

    /// What is known to have happened to a consent of which a choice tells the past.
    fn history(&self, key: &ConsentKey) -> impl Iterator<Item = &ConsentEvent> {
        self.histories.iter().filter_map(|all| all.get(key)).flatten()
    }

    /// When it counts as having happened: what happens now comes after everything that is known.
    fn order(&self, choice: &Choice, before: Option<&Standing>) -> EventOrder {
        let Choice { action, sequence, .. } = *choice;
        let (at, sequence) = match (choice.at, before) {
            (Some(at), _) => (at, sequence),
            (None, Some(Standing { last, .. })) if last.at >= self.rules.now => (last.at, last.sequence.saturating_add(1)),
            (None, _) => (self.rules.now, sequence),
        };
        EventOrder { at, sequence, action }
    }

    fn event(&self, choice: &Choice, key: ConsentKey, person: &Person, asked: &Asked, order: EventOrder, seq: u64) -> ConsentEvent {
        let is_yes = matches!(choice.action, ConsentAction::Give | ConsentAction::Renew);
        let strength = Strength { parental: choice.actor == Actor::Parent, ..choice.strength };
        ConsentEvent {
            seq,
            key,
            order,
            actor: choice.actor,
            method: choice.method,
            strength: if is_yes { strength } else { Strength::default() },
            notice: choice.notice.clone(),
            language: choice.language.clone().unwrap_or_else(|| asked.language.clone()),
            evidence: choice.evidence.clone(),
            valid_until: if is_yes { self.rules.law.law.consent_ends(person.residence, order.at) } else { None },
            recorded_at: self.rules.now,
        }
    }

    /// A yes counts only for what the person was asked; a no and a withdrawal always count.
    fn check(&self, event: &ConsentEvent, person: &Person, asked: &Asked, before: Option<&Standing>, arrival: Arrival) -> Result<(), Error> {
        use ConsentAction::{Defer, Expire, Give, Invalidate, Refuse, Renew, Request, Revoke, Withdraw};
        let refuse = |code, message: String, hint: &str| Err(Refusal::new(code, message).hint(hint).into());
        let ConsentEvent { key, order, actor, method, notice, strength, .. } = event;
        let (action, now) = (order.action, self.rules.now);
        if person.status == SubjectStatus::Erased {
            return refuse(RefusalCode::ConsentErased, format!("subject {} was erased", person.subject), "nothing about them can be recorded");
        }
        if self.standings.partners.of(&key.recipient).next().is_none() && !matches!(&key.recipient, Recipient::Class(class) if asked.open_classes.contains(class)) {
            return Err(Error::NotFound { what: "recipient", name: key.recipient.to_string() });
        }
        if !actor.may(action) {
            return refuse(
                RefusalCode::ConsentActor,
                format!("a consent cannot be {} by the {}", participle(action), actor),
                "only the person or their parent agrees; an agent may say no for them",
            );
        }
        let is_yes = matches!(action, Give | Renew);
        if is_yes && !asked.asks(key) {
            let message = format!("the notice {notice} does not ask consent for {} by {} over {} data", key.purpose, key.recipient, key.scope);
            return refuse(RefusalCode::Consent, message, "publish a notice that names this purpose, recipient and data, and ask again");
        }
        if order.at > now + SKEW || order.at.timestamp() < OLDEST {
            return refuse(RefusalCode::ConsentTime, format!("nothing can have happened at {}", order.at), "check the time and its zone");
        }
        if is_yes && order.at < asked.shown_from {
            let message = format!("the notice {notice} was shown from {} on, after this yes of {}", asked.shown_from, order.at);
            return refuse(RefusalCode::ConsentTime, message, "nobody agrees to a text that is not there yet: name the version that was, or publish it with --shown-from");
        }
        match arrival {
            Arrival::Duplicate => {
                return refuse(RefusalCode::ConsentDuplicate, format!("this choice of {} is known already", order.at), "nothing was recorded, and nothing is lost");
            }
            Arrival::Late if is_yes && *method != ConsentMethod::Import => {
                return refuse(
                    RefusalCode::ConsentLate,
                    format!("a later choice than this yes of {} is known", order.at),
                    "the past of a consent is completed with: fairshare consent import",
                );
            }
            Arrival::Late if self.history(key).any(|e| e.order == *order && e.strength == *strength && e.notice == *notice) => {
                return refuse(RefusalCode::ConsentDuplicate, format!("this choice of {} is known already", order.at), "nothing was recorded, and nothing is lost");
            }
            Arrival::Late | Arrival::Next => {}
        }
        // The past is taken over as it was; what does not fit has no effect.
        if *method == ConsentMethod::Import {
            return Ok(());
        }
        let state = before.map_or(ConsentState::Unknown, |standing| standing.state_at(now));
        match action {
            Request => {
                if self.standings.is_limited(person.subject, &key.recipient, key.purpose) {
                    return refuse(
                        RefusalCode::ConsentQuiet,
                        "this person opted out, objected or paused, and is not asked as long as that stands".to_owned(),
                        "they can lift it and agree of their own accord at any time",
                    );
                }
                let refused_at = self.standings.refused_at(key).max(before.and_then(|standing| standing.refused_at));
                let quiet = refused_at.and_then(|at| self.rules.law.law.quiet_until(person.residence, at));
                if let Some(end) = quiet.filter(|end| *end > now) {
                    return refuse(
                        RefusalCode::ConsentQuiet,
                        format!("this person said no, and may not be asked again before {end}"),
                        "they can agree of their own accord at any time",
                    );
                }
            }
            Defer | Renew | Revoke | Expire | Invalidate if state.after(action) == state && !(action == Renew && state == ConsentState::Renewed) => {
                return refuse(
                    RefusalCode::ConsentState,
                    format!("a consent that is {state} cannot be {}", participle(action)),
                    "fairshare consent show PERSON tells where it stands",
                );
            }
            Give | Refuse | Withdraw | Defer | Renew | Revoke | Expire | Invalidate => {}
        }
        Ok(())
    }
}

/// What a request would change, until all of it is known to be right.
#[derive(Default)]
struct Draft {
    standings: BTreeMap<ConsentKey, Standing>,
    /// As far as a history has to know them.
    events: Vec<ConsentEvent>,
}

const fn participle(action: ConsentAction) -> &'static str {
    match action {
        ConsentAction::Request => "requested",
        ConsentAction::Defer => "deferred",
        ConsentAction::Give => "given",
        ConsentAction::Renew => "renewed",
        ConsentAction::Expire => "ended",
        ConsentAction::Refuse => "refused",
        ConsentAction::Withdraw => "withdrawn",
        ConsentAction::Revoke => "revoked",
        ConsentAction::Invalidate => "invalidated",
    }
}

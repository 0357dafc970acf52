//! The state of a consent: the replay of its events.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};

use super::{ConsentAction, ConsentEvent, DataScope, EventOrder, Recipient, Strength};
use crate::Timestamp;
use crate::notice::NoticeRef;

crate::words! {
    /// Where a consent stands. Only [`ConsentState::Given`] and [`ConsentState::Renewed`] permit anything.
    pub enum ConsentState("consent state") {
        /// Never asked, or never answered: silence is not consent.
        Unknown = "unknown",
        /// Asked, not answered.
        Requested = "requested",
        /// Asked, and the answer put off.
        Deferred = "deferred",
        /// Agreed.
        Given = "given",
        /// Agreed again.
        Renewed = "renewed",
        /// Said no.
        Refused = "refused",
        /// Agreed once, and took it back.
        Withdrawn = "withdrawn",
        /// Agreed once, and the controller took the permission away.
        Revoked = "revoked",
        /// Agreed once, too long ago.
        Expired = "expired",
        /// Found void.
        Invalidated = "invalidated",
    }
}

impl ConsentState {
    /// Whether the person's yes stands.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        matches!(self, Self::Given | Self::Renewed)
    }

    /// Whether the person said no, so that a quiet period runs.
    #[must_use]
    pub const fn is_no(self) -> bool {
        matches!(self, Self::Refused | Self::Withdrawn)
    }

    /// The state at `now` of a consent that counts until `end`: a yes whose time is over has expired.
    #[must_use]
    pub fn at(self, now: Timestamp, end: Option<Timestamp>) -> Self {
        if self.is_valid() && end.is_some_and(|end| end <= now) { Self::Expired } else { self }
    }

    /// The state after one more event, in the order of [`EventOrder`].
    ///
    /// Total: an event that does not fit changes nothing. What a person says always counts: a yes, a no and a
    /// withdrawal have effect in every state, for nobody is told that their choice does not fit a machine.
    ///
    /// # Guarantee
    /// Into [`ConsentState::Given`] leads only [`ConsentAction::Give`], into [`ConsentState::Renewed`] only
    /// [`ConsentAction::Renew`] from a yes that stands.
    #[must_use]
    pub const fn after(self, action: ConsentAction) -> Self {
        use ConsentAction::{Defer, Expire, Give, Invalidate, Refuse, Renew, Request, Revoke, Withdraw};
        match (action, self) {
            (Give, _) => Self::Given,
            (Renew, Self::Given | Self::Renewed) => Self::Renewed,
            (Withdraw, _) | (Refuse, Self::Given | Self::Renewed) => Self::Withdrawn,
            (Refuse, _) => Self::Refused,
            (Revoke, Self::Given | Self::Renewed) => Self::Revoked,
            (Expire, Self::Given | Self::Renewed) => Self::Expired,
            (Invalidate, Self::Given | Self::Renewed | Self::Expired | Self::Withdrawn) => Self::Invalidated,
            // Asking does not end a yes; being asked again ends a no only as far as words go.
            (Request, Self::Given | Self::Renewed) => self,
            (Request, _) => Self::Requested,
            (Defer, Self::Requested) => Self::Deferred,
            (Defer | Renew | Revoke | Expire | Invalidate, _) => self,
        }
    }
}

/// Where the consent of one key stands, and everything of its past that decisions need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The state, apart from the clock.
    pub state: ConsentState,
    /// The last event, by the order that counts.
    pub last: EventOrder,
    /// The newest yes that had effect. Asking again does not make it newer.
    pub given: Option<EventOrder>,
    /// The newest no, revocation or invalidation, whether or not anything was there to end: a yes to more, or to the
    /// class, that is older does not count any more. That a yes expired says nothing of others.
    pub ended: Option<EventOrder>,
    /// How firm the newest yes was.
    pub strength: Strength,
    /// Until when it counts.
    pub valid_until: Option<Timestamp>,
    /// When the person last said no; it stays known when they are asked again.
    pub refused_at: Option<Timestamp>,
    /// The text of the newest yes; of the last event while there was none.
    pub notice: NoticeRef,
}

/// How an event meets what is known of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It comes after everything known.
    Next,
    /// The same event is known already.
    Duplicate,
    /// Something later is known: the state is replayed with it in its place.
    Late,
}

impl Standing {
    /// The standing after the first event of a key.
    #[must_use]
    pub fn first(event: &ConsentEvent) -> Self {
        let nothing = Self {
            state: ConsentState::Unknown,
            last: event.order,
            given: None,
            ended: None,
            strength: Strength::default(),
            valid_until: None,
            refused_at: None,
            notice: event.notice.clone(),
        };
        nothing.after(event)
    }

    /// How an event meets this standing. Of two of one [`EventOrder`] one counts, whichever came first: the one
    /// with the weaker yes, then with the shorter one, then of the older text.
    #[must_use]
    pub fn meets(&self, event: &ConsentEvent) -> Arrival {
        let is_known = match event.order.action {
            // Of a yes that had effect all of it is known.
            ConsentAction::Give | ConsentAction::Renew if self.given == Some(self.last) => {
                (event.strength, end(event.valid_until), &event.notice) >= (self.strength, end(self.valid_until), &self.notice)
            }
            // Of one that had none nothing is: a replay finds out.
            ConsentAction::Give | ConsentAction::Renew => false,
            // Of anything else only the text could differ, and it counts until there is a yes.
            _ => self.given.is_some() || event.notice >= self.notice,
        };
        match event.order.cmp(&self.last) {
            Ordering::Greater => Arrival::Next,
            Ordering::Equal if is_known => Arrival::Duplicate,
            Ordering::Equal | Ordering::Less => Arrival::Late,
        }
    }

    /// The standing after one more event, which comes after all that it knows.
    #[must_use]
    pub fn after(mut self, event: &ConsentEvent) -> Self {
        use ConsentAction::{Give, Invalidate, Refuse, Renew, Revoke, Withdraw};
        let (order, action) = (event.order, event.order.action);
        let before = self.state_at(order.at);
        // A renewal is of the same text or a newer one.
        let outdated = action == Renew && (event.notice.name != self.notice.name || event.notice.version < self.notice.version);
        self.state = if outdated { before } else { before.after(action) };
        let is_yes = matches!(action, Give | Renew) && !outdated && self.state.is_valid();
        if is_yes {
            (self.strength, self.given, self.valid_until) = (event.strength, Some(order), event.valid_until);
        }
        if matches!(action, Refuse | Withdraw) {
            self.refused_at = Some(order.at);
        }
        if matches!(action, Refuse | Withdraw | Revoke | Invalidate) {
            self.ended = Some(order);
        }
        if is_yes || self.given.is_none() {
            self.notice = event.notice.clone();
        }
        self.last = order;
        self
    }

    /// The standing after all of `events`, whatever their order; see [`Standing::meets`] for equal ones.
    #[must_use]
    pub fn replay(events: &[ConsentEvent]) -> Option<Self> {
        fn among_equals(event: &ConsentEvent) -> (Option<(Strength, Timestamp)>, &NoticeRef) {
            let is_yes = matches!(event.order.action, ConsentAction::Give | ConsentAction::Renew);
            (is_yes.then(|| (event.strength, end(event.valid_until))), &event.notice)
        }
        let mut events: Vec<&ConsentEvent> = events.iter().collect();
        events.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| among_equals(a).cmp(&among_equals(b))));
        events.dedup_by_key(|event| event.order);
        let (first, rest) = events.split_first()?;
        Some(rest.iter().fold(Self::first(first), |standing, event| standing.after(event)))
    }

    /// The state at `now`: a yes whose time is over has expired.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> ConsentState {
        self.state.at(now, self.valid_until)
    }
}

/// When a yes ends that may have no end.
fn end(valid_until: Option<Timestamp>) -> Timestamp {
    valid_until.unwrap_or(Timestamp::MAX_UTC)
}

/// A standing that speaks of a use: whose key covers the partner and the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covering {
    /// To whom the choice spoke.
    pub recipient: Recipient,
    /// About which data.
    pub scope: DataScope,
    /// Where it stands.
    pub standing: Standing,
    /// Whether the notice has changed so much since that it must be asked again.
    pub superseded: bool,
    /// Whether the notice named the class as open to whoever joins it.
    pub open_class: bool,
}

/// What the ledger says of a use: the newest of the choices that cover it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// Where it stands.
    pub state: ConsentState,
    /// How firm it was.
    pub strength: Strength,
    /// Whether it spoke to a class, not to the partner.
    pub by_class: bool,
    /// Whether the notice has changed since.
    pub superseded: bool,
}

impl Consent {
    /// What `covering` say together of `part` of the data, at `now`.
    ///
    /// # Guarantee
    /// The newest choice that covers the use counts: a yes only if no choice that covers the use has ended or refused it
    /// since. Of two yeses of one instant the weaker counts. A yes to a class that the notice did not name as open
    /// speaks of nobody in particular and is passed over; so is a yes to an open class where the partner has a yes
    /// that names it. A no to a class covers everybody in it.
    #[must_use]
    pub fn of(covering: &[Covering], part: DataScope, now: Timestamp) -> Self {
        let covering = || covering.iter().filter(|c| c.scope.covers(part));
        let ended = covering().filter_map(|c| c.standing.ended).max();
        let yes = |named_alone: bool| {
            let counts = move |c: &&Covering| c.standing.given > ended && if c.is_named() { true } else { c.open_class && !named_alone };
            let seen = covering().filter(counts).map(|c| (c.standing.given, Self::seen(c, now)));
            // Of two of one instant the stricter.
            seen.max_by_key(|(given, consent)| (*given, !consent.state.is_valid(), consent.by_class, Reverse(consent.strength))).map(|(_, consent)| consent)
        };
        match yes(false) {
            Some(newest) if newest.by_class => yes(true).filter(|named| named.state.is_valid()).unwrap_or(newest),
            Some(newest) => newest,
            None => {
                // Nobody said yes to this partner since: how it ended, or how far asking has got.
                let last = covering().filter(|c| c.standing.ended == ended && (ended.is_some() || c.standing.given.is_none())).max_by_key(|c| c.standing.last);
                let state = last.map_or(ConsentState::Unknown, |c| match ended {
                    // A yes to the class that came after it is passed over.
                    Some(ended) if c.standing.given > Some(ended) => ConsentState::Given.after(ended.action),
                    _ => c.standing.state_at(now),
                });
                Self { state, ..Self::default() }
            }
        }
    }

    fn seen(covering: &Covering, now: Timestamp) -> Self {
        Self { by_class: !covering.is_named(), ..Self::alone(covering.standing.state_at(now), covering.standing.strength, covering.superseded) }
    }

    /// What one choice says that names the partner, where no other covers the use: `state` as of now.
    ///
    /// # Guarantee
    /// Permits exactly what [`Consent::of`] permits of the choice. Nothing older or newer is weighed against it: a yes
    /// that stands is newer than every end of its own key.
    #[must_use]
    pub const fn alone(state: ConsentState, strength: Strength, superseded: bool) -> Self {
        let superseded = superseded && state.is_valid();
        let state = if superseded { ConsentState::Requested } else { state };
        Self { state, strength, by_class: false, superseded }
    }
}

impl Covering {
    /// Whether the choice names the partner, rather than the class.
    const fn is_named(&self) -> bool {
        matches!(self.recipient, Recipient::Partner(_))
    }
}

impl Default for Consent {
    /// Of somebody who never chose.
    fn default() -> Self {
        Self { state: ConsentState::Unknown, strength: Strength::default(), by_class: false, superseded: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Actor, ConsentKey, ConsentMethod};
    use crate::{Purpose, SubjectId};

    const ACME: &str = "acme";
    const CLASS: &str = "class:university";

    fn at(day: u32) -> Timestamp {
        format!("2026-11-{day:02}T09:00:00Z").parse().unwrap()
    }

    fn event(day: u32, action: ConsentAction) -> ConsentEvent {
        ConsentEvent {
            seq: 0,
            key: ConsentKey::new(SubjectId(1), ACME.parse().unwrap(), Purpose::AggregateStatistics),
            order: EventOrder { at: at(day), sequence: 0, action },
            actor: Actor::Subject,
            method: ConsentMethod::Page,
            strength: Strength::default(),
            notice: NoticeRef { name: "main".parse().unwrap(), version: 1 },
            language: "en".into(),
            evidence: None,
            valid_until: None,
            recorded_at: at(day),
        }
    }

    fn key(recipient: &str, scope: DataScope, events: &[(u32, ConsentAction)]) -> Covering {
        let events: Vec<ConsentEvent> = events.iter().map(|&(day, action)| event(day, action)).collect();
        Covering { recipient: recipient.parse().unwrap(), scope, standing: Standing::replay(&events).unwrap(), superseded: false, open_class: false }
    }

    fn topics(covering: &[Covering]) -> (ConsentState, bool) {
        let consent = Consent::of(covering, DataScope::Topics, at(30));
        (consent.state, consent.by_class)
    }

    #[test]
    fn asking_again_makes_no_old_yes_newer_than_a_no() {
        use ConsentAction::{Defer, Give, Request, Withdraw};
        let all = key(ACME, DataScope::Everything, &[(1, Give), (3, Request), (4, Defer)]);
        let part = key(ACME, DataScope::Topics, &[(2, Withdraw)]);
        assert_eq!(topics(&[all.clone(), part]), (ConsentState::Withdrawn, false));
        // Nor does asking about a part end a yes to all.
        assert_eq!(topics(&[all, key(ACME, DataScope::Topics, &[(5, Request)])]), (ConsentState::Given, false));
    }

    #[test]
    fn a_second_no_counts_as_much_as_the_first() {
        use ConsentAction::{Give, Withdraw};
        let part = key(ACME, DataScope::Topics, &[(1, Withdraw), (3, Withdraw)]);
        assert_eq!(part.standing.refused_at, Some(at(3)));
        assert_eq!(topics(&[key(ACME, DataScope::Everything, &[(2, Give)]), part]), (ConsentState::Withdrawn, false));
    }

    #[test]
    fn a_yes_to_a_class_that_covers_nobody_undoes_no_withdrawal() {
        use ConsentAction::{Give, Withdraw};
        let named = key(ACME, DataScope::Everything, &[(1, Give)]);
        let class = key(CLASS, DataScope::Everything, &[(2, Withdraw), (3, Give)]);
        assert_eq!(topics(&[named.clone(), class.clone()]), (ConsentState::Withdrawn, false));
        let open = Covering { open_class: true, ..class };
        assert_eq!(topics(&[named, open]), (ConsentState::Given, true));
    }

    #[test]
    fn a_named_yes_stands_beside_a_newer_one_to_its_class() {
        use ConsentAction::Give;
        let named = key(ACME, DataScope::Everything, &[(1, Give)]);
        let open = Covering { open_class: true, ..key(CLASS, DataScope::Everything, &[(2, Give)]) };
        assert_eq!(topics(&[named, open]), (ConsentState::Given, false));
    }

    #[test]
    fn a_part_that_expired_or_was_superseded_is_not_covered_by_an_older_yes_to_all() {
        use ConsentAction::{Expire, Give, Request};
        let all = key(ACME, DataScope::Everything, &[(1, Give)]);
        assert_eq!(topics(&[all.clone(), key(ACME, DataScope::Topics, &[(2, Give), (3, Expire)])]), (ConsentState::Expired, false));
        assert_eq!(topics(&[all.clone(), key(ACME, DataScope::Topics, &[(2, Give), (3, Expire), (4, Request)])]), (ConsentState::Requested, false));
        let superseded = Covering { superseded: true, ..key(ACME, DataScope::Topics, &[(2, Give)]) };
        assert_eq!(Consent::of(&[all, superseded], DataScope::Topics, at(30)), Consent { state: ConsentState::Requested, superseded: true, ..Consent::default() });
    }

    #[test]
    fn events_of_one_order_count_alike_whichever_came_first() {
        use ConsentAction::Give;
        let weak = event(1, Give);
        let firm = ConsentEvent { strength: Strength { explicit: true, ..Strength::default() }, ..weak.clone() };
        let short = ConsentEvent { valid_until: Some(at(9)), ..weak.clone() };
        for (first, second, arrival) in [(&weak, &firm, Arrival::Duplicate), (&firm, &weak, Arrival::Late), (&short, &weak, Arrival::Duplicate), (&weak, &short, Arrival::Late)] {
            assert_eq!(Standing::first(first).meets(second), arrival);
        }
        assert_eq!(Standing::replay(&[firm.clone(), weak.clone()]), Standing::replay(&[weak, firm]));
    }
}

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
    /// The last event that settled something: a yes that had effect, a no, or an end. Asking settles nothing, nor
    /// does putting an answer off, so neither makes an old yes newer than a no that lies between.
    pub decided: Option<EventOrder>,
    /// How firm the newest yes was.
    pub strength: Strength,
    /// When the newest yes was said.
    pub given_at: Option<Timestamp>,
    /// Until when it counts.
    pub valid_until: Option<Timestamp>,
    /// When the person last said no; it stays known when they are asked again.
    pub refused_at: Option<Timestamp>,
    /// The text of the event that made the state.
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
            decided: None,
            strength: Strength::default(),
            given_at: None,
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
            ConsentAction::Give | ConsentAction::Renew if self.decided == Some(self.last) => {
                (event.strength, end(event.valid_until), &event.notice) >= (self.strength, end(self.valid_until), &self.notice)
            }
            // Of one that had none nothing is: a replay finds out.
            ConsentAction::Give | ConsentAction::Renew => false,
            _ => event.notice >= self.notice,
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
        use ConsentAction::{Expire, Give, Invalidate, Refuse, Renew, Revoke, Withdraw};
        let (order, action) = (event.order, event.order.action);
        let before = self.state_at(order.at);
        // A renewal is of the same text or a newer one.
        let outdated = action == Renew && (event.notice.name != self.notice.name || event.notice.version < self.notice.version);
        self.state = if outdated { before } else { before.after(action) };
        let is_yes = matches!(action, Give | Renew) && !outdated && self.state.is_valid();
        let is_no = matches!(action, Refuse | Withdraw);
        if is_yes {
            (self.strength, self.given_at, self.valid_until) = (event.strength, Some(order.at), event.valid_until);
        }
        if is_no {
            self.refused_at = Some(order.at);
        }
        // An end settles something even where nothing was to end: it is newer than a yes to more than this.
        if is_yes || is_no || matches!(action, Expire | Revoke | Invalidate) {
            self.decided = Some(order);
        }
        if is_yes || self.state != before {
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
        if self.state.is_valid() && self.valid_until.is_some_and(|end| end <= now) { ConsentState::Expired } else { self.state }
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
    /// The newest choice that covers the use counts; of two of one instant the stricter. A yes to a class that the
    /// notice did not name as open speaks of nobody in particular and is passed over; so is a yes to an open class
    /// where the partner has one that names it. A no to a class covers everybody in it.
    #[must_use]
    pub fn of(covering: &[Covering], part: DataScope, now: Timestamp) -> Self {
        let is_class_yes = |c: &Covering| matches!(c.recipient, Recipient::Class(_)) && c.standing.state.is_valid();
        let newest = |counts: &dyn Fn(&Covering) -> bool| {
            let speaking = covering.iter().filter(|c| c.scope.covers(part) && counts(c)).map(|c| (c, Self::seen(c, now)));
            speaking.max_by_key(|(c, consent)| (c.standing.decided, !consent.state.is_valid(), consent.by_class, Reverse(consent.strength), c.standing.last))
        };
        match newest(&|c| c.open_class || !is_class_yes(c)) {
            None => Self::default(),
            Some((c, consent)) if is_class_yes(c) => {
                let named = newest(&|c| !is_class_yes(c)).map(|(_, named)| named).filter(|named| named.state.is_valid());
                named.unwrap_or(consent)
            }
            Some((_, consent)) => consent,
        }
    }

    fn seen(Covering { recipient, standing, superseded, .. }: &Covering, now: Timestamp) -> Self {
        let state = standing.state_at(now);
        let superseded = *superseded && state.is_valid();
        let by_class = matches!(recipient, Recipient::Class(_));
        Self { state: if superseded { ConsentState::Requested } else { state }, strength: standing.strength, by_class, superseded }
    }
}

impl Default for Consent {
    /// Of somebody who never chose.
    fn default() -> Self {
        Self { state: ConsentState::Unknown, strength: Strength::default(), by_class: false, superseded: false }
    }
}

//! The state of a consent: the replay of its events.

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
            strength: Strength::default(),
            given_at: None,
            valid_until: None,
            refused_at: None,
            notice: event.notice.clone(),
        };
        nothing.after(event)
    }

    /// How an event meets this standing. Of two that differ in firmness alone the weaker counts, whichever
    /// came first.
    #[must_use]
    pub fn meets(&self, order: EventOrder, strength: Strength) -> Arrival {
        match order.cmp(&self.last) {
            std::cmp::Ordering::Greater => Arrival::Next,
            std::cmp::Ordering::Equal if strength >= self.strength => Arrival::Duplicate,
            std::cmp::Ordering::Equal | std::cmp::Ordering::Less => Arrival::Late,
        }
    }

    /// The standing after one more event, which comes after all that it knows.
    #[must_use]
    pub fn after(mut self, event: &ConsentEvent) -> Self {
        let before = self.state_at(event.order.at);
        // A renewal is of the same text or a newer one.
        let outdated = event.order.action == ConsentAction::Renew && (event.notice.name != self.notice.name || event.notice.version < self.notice.version);
        let state = if outdated { before } else { before.after(event.order.action) };
        let is_yes = matches!(event.order.action, ConsentAction::Give | ConsentAction::Renew) && !outdated;
        if state != before || is_yes {
            self.notice = event.notice.clone();
        }
        if is_yes && state.is_valid() {
            (self.strength, self.given_at, self.valid_until) = (event.strength, Some(event.order.at), event.valid_until);
        }
        if state.is_no() && state != before {
            self.refused_at = Some(event.order.at);
        }
        (self.state, self.last) = (state, event.order);
        self
    }

    /// The standing after all of `events`, whatever their order; of equal ones the weakest counts.
    #[must_use]
    pub fn replay(events: &[ConsentEvent]) -> Option<Self> {
        let mut events: Vec<&ConsentEvent> = events.iter().collect();
        events.sort_by_key(|event| (event.order, event.strength, event.seq));
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

impl Default for ConsentState {
    fn default() -> Self {
        Self::Unknown
    }
}

impl Consent {
    /// What `covering` say together of `part` of the data, at `now`.
    ///
    /// # Guarantee
    /// The newest choice that covers the use counts. A yes to a class that the notice did not name as open
    /// speaks of nobody in particular and is passed over; a no to a class covers everybody in it.
    #[must_use]
    pub fn of(covering: &[Covering], part: DataScope, now: Timestamp) -> Self {
        let speaks = |c: &&Covering| c.scope.covers(part) && (matches!(c.recipient, Recipient::Partner(_)) || c.open_class || !c.standing.state.is_valid());
        let newest = covering.iter().filter(speaks).max_by_key(|c| c.standing.last);
        let Some(Covering { recipient, standing, superseded, .. }) = newest else {
            return Self::default();
        };
        let state = standing.state_at(now);
        let superseded = *superseded && state.is_valid();
        Self { state: if superseded { ConsentState::Requested } else { state }, strength: standing.strength, by_class: matches!(recipient, Recipient::Class(_)), superseded }
    }
}

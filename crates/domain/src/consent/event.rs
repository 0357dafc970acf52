//! Events and the state they lead to.

use serde::{Deserialize, Serialize};

use crate::notice::NoticeRef;
use crate::{PartnerName, Purpose, SubjectId, Timestamp};

crate::words! {
    /// What a person did (ISO/IEC TS 27560, W3C DPV).
    pub enum ConsentAction("consent action") {
        /// Agreed.
        Give = "give",
        /// Said no when asked.
        Refuse = "refuse",
        /// Took an earlier yes back (GDPR Art. 7(3)).
        Withdraw = "withdraw",
    }
}

crate::words! {
    /// How the choice reached us.
    pub enum ConsentMethod("consent method") {
        /// The person chose on a page of ours.
        Page = "page",
        /// The operator recorded a choice that the person made elsewhere.
        Operator = "operator",
        /// Many existing choices were taken over from another system.
        Import = "import",
        /// Two ids of one person were merged or split, and the stricter choice counts.
        Merge = "merge",
    }
}

/// What a choice is about. A yes to one key says nothing about another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConsentKey {
    /// The person.
    pub subject: SubjectId,
    /// The recipient.
    pub partner: PartnerName,
    /// What for.
    pub purpose: Purpose,
}

/// One choice, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEvent {
    /// Position in the ledger: without gaps, in the order of commits.
    pub seq: u64,
    /// What the choice is about.
    pub key: ConsentKey,
    /// The choice.
    pub action: ConsentAction,
    /// The text that the person saw.
    pub notice: NoticeRef,
    /// How it reached us.
    pub method: ConsentMethod,
    /// When it was recorded.
    pub at: Timestamp,
}

crate::words! {
    /// What the ledger says about one key. Only [`ConsentState::Given`] permits anything.
    pub enum ConsentState("consent state") {
        /// Never asked, or never answered: silence is not consent.
        Unknown = "unknown",
        /// Agreed.
        Given = "given",
        /// Said no.
        Refused = "refused",
        /// Agreed once, and took it back.
        Withdrawn = "withdrawn",
    }
}

impl ConsentState {
    /// The state after one more choice: the newest choice wins, whatever came before.
    ///
    /// Total on purpose. A person is never told that their choice does not fit a state machine.
    #[must_use]
    pub const fn after(self, action: ConsentAction) -> Self {
        match (self, action) {
            (_, ConsentAction::Give) => Self::Given,
            (_, ConsentAction::Refuse) => Self::Refused,
            (_, ConsentAction::Withdraw) => Self::Withdrawn,
        }
    }

    /// The state after all of `actions`, oldest first.
    pub fn replay(actions: impl IntoIterator<Item = ConsentAction>) -> Self {
        actions.into_iter().fold(Self::Unknown, Self::after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever writes choices reads no states.
    #[test]
    fn the_newest_choice_wins_whatever_came_before() {
        for &action in ConsentAction::ALL {
            for &before in ConsentState::ALL {
                assert_eq!(before.after(action), ConsentState::Unknown.after(action));
            }
        }
    }
}

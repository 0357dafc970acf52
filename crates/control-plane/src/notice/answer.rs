//! What somebody answered on a page, as choices of theirs.

use chrono::TimeDelta;
use domain::consent::{Actor, ConsentAction, ConsentMethod, ConsentState, Recipient, Strength};
use domain::link::{Link, LinkKind};
use domain::notice::NoticeRef;
use domain::{Purpose, Refusal, RefusalCode};
use sha2::{Digest, Sha256};

use super::ask::{Asking, NoticePage};
use crate::consent::{Choice, Receipt};
use crate::{ControlPlane, Error};

/// What the seal of a confirmation is bound to.
const PLACE: &str = "confirmation";

/// For how long an answer can be confirmed.
const CONFIRM_WITHIN: TimeDelta = TimeDelta::hours(1);

domain::words! {
    /// An answer to one question.
    pub enum Answer("answer") {
        /// Yes.
        Yes = "yes",
        /// No, or not any more.
        No = "no",
        /// Not now.
        Later = "later",
    }
}

/// One question answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What for.
    pub purpose: Purpose,
    /// Who would receive.
    pub recipient: Recipient,
    /// The answer.
    pub answer: Answer,
    /// Whether an explicit yes was said besides.
    pub explicit: bool,
}

/// What somebody answered on the page that a link opened.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The version that they saw.
    pub notice: NoticeRef,
    /// In which language.
    pub language: String,
    /// What they answered; what is not named stays as it is.
    pub answers: Vec<Answered>,
    /// What [`Outcome::Confirm`] gave them before, when they confirm.
    pub confirmation: Option<String>,
}

/// What became of it.
#[derive(Debug)]
pub enum Outcome {
    /// It is recorded.
    Recorded {
        /// One receipt for each choice; none where nothing changed.
        receipts: Vec<Receipt>,
        /// What the person said yes to, and a parent has to.
        needs_parent: Vec<(Recipient, Purpose)>,
    },
    /// Nothing is recorded yet: the law asks that a yes is confirmed in a second step. With this the same answers
    /// can be sent again, within an hour.
    Confirm(String),
    /// Nothing is recorded: a newer version was published while they read.
    Changed,
}

impl ControlPlane {
    /// Records what somebody answered, all or none.
    ///
    /// # Guarantee
    /// A no is recorded whatever else is asked, and of what the law has closed: it needs nothing but the link. Where a parent's yes is asked, a
    /// child's yes is recorded as put off, and permits nothing. Where a second step is asked, no yes is recorded by
    /// the first. Nothing is recorded about what the notice does not ask, or about anybody else than the link is
    /// for.
    ///
    /// # Errors
    /// Not found; a refusal when something is answered that this person is not asked.
    pub async fn notice_answer(&self, link: &Link, given: &Answers) -> Result<Outcome, Error> {
        let page = self.notice_page(link.subject, &link.notice.name).await?;
        if page.notice.reference() != given.notice {
            return Ok(Outcome::Changed);
        }
        let mut asked = Vec::with_capacity(given.answers.len());
        for answered in &given.answers {
            let Answered { purpose, recipient, answer, .. } = answered;
            let asking = page.asking(*purpose, recipient).filter(|asking| asking.barred.is_none() || *answer == Answer::No);
            let asking = asking.filter(|asking| asking.concerns(link.kind));
            asked.push((asking.ok_or_else(|| not_asked(*purpose, recipient))?, answered));
        }
        let twice = asked.iter().any(|(asking, answered)| answered.answer == Answer::Yes && asking.needs.two_step && !is_put_off(link, asking));
        let confirmed = given.confirmation.as_deref().is_some_and(|token| self.confirms(token, link, given));
        if twice && !confirmed {
            let ends = (self.now() + CONFIRM_WITHIN).timestamp();
            return Ok(Outcome::Confirm(self.token(PLACE, &(ends, digest(link, given)))?));
        }
        let (mut choices, mut needs_parent) = (Vec::new(), Vec::new());
        for (asking, answered) in asked {
            if answered.answer == Answer::Yes && is_put_off(link, asking) {
                needs_parent.push((asking.recipient.clone(), asking.purpose));
            }
            choices.extend(self::choices(&page, link, given, (asking, answered), confirmed));
        }
        // Where nothing changes there is nothing to record.
        let receipts = if choices.is_empty() { Vec::new() } else { self.consent_record(&choices).await? };
        Ok(Outcome::Recorded { receipts, needs_parent })
    }

    fn confirms(&self, token: &str, link: &Link, given: &Answers) -> bool {
        self.opened::<(i64, String)>(PLACE, token).is_some_and(|(ends, of)| ends > self.now().timestamp() && of == digest(link, given))
    }
}

const fn actor(link: &Link) -> Actor {
    match link.kind {
        LinkKind::Choose => Actor::Subject,
        LinkKind::Parent => Actor::Parent,
    }
}

/// Whether a yes by this link waits for a parent's.
const fn is_put_off(link: &Link, asking: &Asking) -> bool {
    asking.needs.parental && matches!(link.kind, LinkKind::Choose)
}

fn choices(page: &NoticePage, link: &Link, given: &Answers, (asking, answered): (&Asking, &Answered), confirmed: bool) -> Vec<Choice> {
    let answer = if answered.answer == Answer::Yes && is_put_off(link, asking) { Answer::Later } else { answered.answer };
    let each = asking.keys.iter().zip(&asking.stands).filter_map(|(key, (state, version))| {
        let action = match answer {
            Answer::Yes if state.is_valid() && version.is_some() => ConsentAction::Renew,
            Answer::Yes => ConsentAction::Give,
            Answer::No if asking.state.is_valid() || asking.changed || state.is_valid() => ConsentAction::Withdraw,
            Answer::No => ConsentAction::Refuse,
            // Whoever puts an answer off changes nothing that stands.
            Answer::Later if *state == ConsentState::Requested => ConsentAction::Defer,
            Answer::Later => return None,
        };
        let strength = Strength { explicit: answered.explicit, two_step: confirmed && asking.needs.two_step, parental: false };
        Some(Choice { actor: actor(link), language: Some(given.language.clone()), strength, ..Choice::now(key.clone(), action, page.notice.reference(), ConsentMethod::Page) })
    });
    each.collect()
}

/// What exactly is confirmed.
fn digest(link: &Link, given: &Answers) -> String {
    let mut answers: Vec<String> = given.answers.iter().map(|a| format!("{} {} {} {}", a.purpose, a.recipient, a.answer, a.explicit)).collect();
    answers.sort_unstable();
    hex::encode(Sha256::digest(format!("{} {} {} {} {}", link.kind, link.subject, given.notice, given.language, answers.join("\n"))))
}

fn not_asked(purpose: Purpose, recipient: &Recipient) -> Error {
    Refusal::new(RefusalCode::Consent, format!("nobody asks this person for {purpose} by {recipient} here")).hint("answer what the page asks").into()
}

//! Signed links: what opens a page for one person.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::link::{Link, LinkKind, Origin};
use domain::notice::NoticeRef;
use domain::subject::SubjectStatus;
use domain::{Fault, NoticeName, Refusal, RefusalCode, SubjectId, Timestamp};

use crate::subject::{person, resolve};
use crate::{ControlPlane, Error};

/// What the seal of a link is bound to.
const PLACE: &str = "link";

/// Longest time for which a link opens.
const VALID_MAX: TimeDelta = TimeDelta::days(366);

/// Longest token that is looked at, in characters.
const TOKEN_MAX: usize = 6_000;

/// A link's claims as they are sealed: kind, subject, notice, version, end in seconds, where it leads back, and
/// the mailbox that it was sent to.
type Claims = (LinkKind, SubjectId, NoticeName, u32, i64, Option<String>, Option<String>);

/// A link that is wanted.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// What for.
    pub kind: LinkKind,
    /// For whom.
    pub subject: SubjectId,
    /// About which notice.
    pub notice: NoticeName,
    /// For how long.
    pub valid_for: TimeDelta,
    /// Where the page leads back to.
    pub return_to: Option<String>,
    /// The address that it is sent to, of a parent.
    pub mailbox: Option<String>,
}

impl NewLink {
    /// For a person to choose.
    #[must_use]
    pub const fn choose(subject: SubjectId, notice: NoticeName, valid_for: TimeDelta) -> Self {
        Self { kind: LinkKind::Choose, subject, notice, valid_for, return_to: None, mailbox: None }
    }
}

impl ControlPlane {
    /// Makes a link, as the token that stands at the end of its address; `allowed` are the origins to which pages
    /// may lead back.
    ///
    /// # Guarantee
    /// Whoever does not have this deployment's keys can neither make a token nor change one, nor read from it
    /// whom it is for: it is sealed with AES-256-GCM under a key of its own, with a random nonce (the tag is the
    /// authentication, compared in constant time).
    ///
    /// # Errors
    /// Not found; a refusal when the person was erased, the time is none, the place to lead back to is not on the
    /// list, or nobody has said who the controller is.
    pub async fn consent_link(&self, new: &NewLink, allowed: &[Origin]) -> Result<String, Error> {
        let refuse = |message: String, hint: &str| Err(Refusal::new(RefusalCode::Link, message).hint(hint).into());
        if new.valid_for <= TimeDelta::zero() || new.valid_for > VALID_MAX {
            return refuse("a link opens for a second at least and 366 days at most".to_owned(), "for example 30 days");
        }
        if let Some(url) = &new.return_to
            && !Origin::of(url).is_some_and(|origin| allowed.contains(&origin))
        {
            return refuse(format!("pages may not lead back to {url}"), "allow its origin where the service is started");
        }
        let mut tx = self.inner.store.snapshot().await?;
        crate::party::controller(&mut tx).await?;
        let subject = resolve(&mut tx, new.subject).await?;
        if person(&mut tx, subject).await?.status == SubjectStatus::Erased {
            return Err(Refusal::new(RefusalCode::ConsentErased, format!("subject {subject} was erased")).hint("nobody can be asked any more").into());
        }
        let notice = crate::notice::find(&mut tx, &new.notice, None).await?;
        let expires = (self.now() + new.valid_for).timestamp();
        let claims: Claims = (new.kind, subject, notice.name, notice.version, expires, new.return_to.clone(), new.mailbox.clone());
        self.token(PLACE, &claims)
    }

    /// What a token says, of a person who is there: nothing when it was not made here, was changed, has expired,
    /// or the person is gone. Nobody is told which.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn link_open(&self, token: &str) -> Result<Option<Link>, Error> {
        let Some((kind, subject, name, version, expires, return_to, mailbox)) = self.opened::<Claims>(PLACE, token) else { return Ok(None) };
        let Some(expires) = Timestamp::from_timestamp(expires, 0).filter(|end| *end > self.now()) else { return Ok(None) };
        let mut tx = self.inner.store.snapshot().await?;
        let subject = resolve(&mut tx, subject).await?;
        match person(&mut tx, subject).await {
            Ok(person) if person.status == SubjectStatus::Active => Ok(Some(Link { kind, subject, notice: NoticeRef { name, version }, expires, return_to, mailbox })),
            Ok(_) | Err(Error::NotFound { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// A sealed text that stands in URLs and forms.
    pub(crate) fn token(&self, place: &str, claims: &impl serde::Serialize) -> Result<String, Error> {
        let text = serde_json::to_vec(claims).map_err(|e| Fault::new("writing a token", e))?;
        Ok(URL_SAFE_NO_PAD.encode(self.inner.links.seal(&*self.inner.entropy, place, &text)?))
    }

    /// What such a text says, if it was made here for this place.
    pub(crate) fn opened<T: serde::de::DeserializeOwned>(&self, place: &str, token: &str) -> Option<T> {
        if token.len() > TOKEN_MAX {
            return None;
        }
        let text = self.inner.links.open(place, &URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

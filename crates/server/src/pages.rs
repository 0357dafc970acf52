//! What pages and letters need to know of the world outside.

use std::sync::Arc;

use domain::Fault;
use domain::link::Origin;

/// How pages are reached, and what they may lead back to.
#[derive(Clone)]
pub struct Pages {
    /// Where people reach this service: `https://consent.town.example`, below a path if a proxy puts it there, and
    /// without a slash at the end.
    pub public_url: String,
    /// Origins of platforms: pages may lead back to them, and forms may come from them.
    pub allowed: Vec<Origin>,
    /// Tells the operator what went wrong.
    pub report: Arc<dyn Fn(&Fault) + Send + Sync>,
}

impl Pages {
    /// The address of a consent page.
    #[must_use]
    pub fn consent_url(&self, token: &str) -> String {
        format!("{}/consent/{token}", self.public_url.trim_end_matches('/'))
    }

    pub(crate) fn own_origin(&self) -> Option<Origin> {
        Origin::of(&self.public_url)
    }
}

//! Who takes part (27560: party).

use super::node::node;
use super::property::{BROADER, CONTACT_POINT, CONTACT_TYPE, EMAIL, HAS_IDENTIFIER, HAS_NAME, IDENTIFIER, STREET_ADDRESS, TELEPHONE, URL};
use super::{Concept, Text};
use crate::Iri;
use crate::iri::iri;

node! {
    /// A person or an organisation; where it is only referred to, its name alone.
    pub struct Entity {
        /// Legal names (`party_name`).
        names: Text = [HAS_NAME],
        /// Identifiers that are texts (`party_id`); those with a structure are among the others.
        identifiers: String = [HAS_IDENTIFIER],
        /// Further names, such as one that only the controller knows (`pii_principal_id` of a data subject).
        alternate_identifiers: String = [IDENTIFIER],
        /// Wider kinds.
        broader: Iri = [BROADER],
        /// How it is reached (`party_contact`, `party_address`, `party_email`, `party_phone`).
        contacts: Contact = [CONTACT_POINT],
        /// Pages (`party_url`).
        urls: Concept = [URL],
    }
}

node! {
    /// A way to reach an entity (schema.org `ContactPoint` or `PostalAddress`).
    pub struct Contact {
        /// What it is for.
        kinds: Text = [CONTACT_TYPE],
        /// Addresses for electronic mail.
        emails: String = [EMAIL],
        /// Telephone numbers.
        telephones: String = [TELEPHONE],
        /// Pages.
        urls: Iri = [URL],
        /// Street, place and code.
        street_addresses: Text = [STREET_ADDRESS],
    }
}

impl Entity {
    /// Whether it stands for a kind of party (`dpv:DataSubject`) and for nobody by name.
    #[must_use]
    pub fn is_a_kind(&self) -> bool {
        self.id.as_ref().is_some_and(Iri::is_dpv_term)
    }

    /// Whether it is described, and not only referred to.
    #[must_use]
    pub fn is_described(&self) -> bool {
        *self != Self { id: self.id.clone(), ..Self::default() }
    }
}

impl Contact {
    /// Whether a letter reaches it.
    #[must_use]
    pub fn is_postal(&self) -> bool {
        !self.street_addresses.is_empty() || self.types.iter().any(|kind| kind.as_str() == iri!(schema "PostalAddress"))
    }
}

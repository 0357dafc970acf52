//! What happened to a consent (27560: event).

use serde_json::Value;

use super::node::{Item, See, node};
use super::property::{HAS_DURATION, HAS_INDICATION_METHOD, HAS_LEGAL_BASIS, HAS_NOTICE, IS_IMPLEMENTED_BY, IS_INDICATED_AT_TIME, IS_INDICATED_BY, RDF_VALUE};
use super::{Concept, Entity, Fields, Notice, Text};
use crate::vocabulary::{ConsentStatus, ConsentType};
use crate::{Iri, WriteError};

node! {
    /// A change of a consent's state.
    pub struct Event {
        /// When, in ISO 8601 (`event_time`).
        times: String = [IS_INDICATED_AT_TIME],
        /// How long the state is good for (`validity_duration`).
        durations: Duration = [HAS_DURATION],
        /// Who did it (`entity_id`).
        indicated_by: Entity = [IS_INDICATED_BY],
        /// Who carried it out.
        implemented_by: Entity = [IS_IMPLEMENTED_BY],
        /// By what act.
        methods: Text = [HAS_INDICATION_METHOD],
        /// The kind of consent (`event_type`), when it does not stand among the types.
        legal_bases: Concept = [HAS_LEGAL_BASIS],
        /// What was shown.
        notices: Notice = [HAS_NOTICE],
    }
}

impl Event {
    /// The states that it says to be (`event_state`): one, when it is well formed.
    pub fn statuses(&self) -> impl Iterator<Item = ConsentStatus> {
        self.id.iter().chain(&self.types).filter_map(|term| ConsentStatus::from_iri(term.as_str()))
    }

    /// The kinds of consent that it says itself.
    pub fn consent_types(&self) -> impl Iterator<Item = ConsentType> {
        self.types.iter().chain(self.legal_bases.iter().flat_map(Concept::terms)).filter_map(|term| ConsentType::of_basis(term.as_str()))
    }
}

/// How long something lasts: a plain value, or one with its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duration {
    /// The kinds of duration; none for a plain value.
    pub kinds: Vec<Iri>,
    /// An ISO 8601 duration, a date, an event or a number, as the kind says.
    pub value: Option<String>,
    /// What has no field here, as it came.
    pub other: Fields,
}

impl Item for Duration {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Object(map) if !map.contains_key("@value") => {
                let mut other = Fields::from(map.clone());
                let kinds = other.take(&["@type"]);
                let is_one = other.get(RDF_VALUE).is_some_and(|value| !value.is_array());
                let value = if is_one { other.take(&[RDF_VALUE]).into_iter().next() } else { None };
                Some(Self { kinds, value, other })
            }
            plain => String::read(plain).map(|value| Self { kinds: Vec::new(), value: Some(value), other: Fields::default() }),
        }
    }

    fn write(&self) -> Result<Value, WriteError> {
        match &self.value {
            Some(value) if self.kinds.is_empty() && self.other.is_empty() => Ok(Value::String(value.clone())),
            value => {
                let mut fields = self.other.clone();
                fields.put("@type", &self.kinds)?;
                fields.put(RDF_VALUE, value.as_slice())?;
                Ok(Value::Object(fields.as_map().clone().into_iter().collect()))
            }
        }
    }

    fn visit(&self, path: &str, see: &mut See<'_>) {
        see(path, &self.other, &[&["@type", RDF_VALUE]]);
    }
}

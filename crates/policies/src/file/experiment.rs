//! `experiments:` of a policy: what is tried on a share of the accounts.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{
    Amount, Cel, Days, Factor, HoursOfDay, LanguageWish, MomentText, Name, Percent,
    policy::{
        BundleDoc, ChannelDoc, ContactDoc, HandOffDoc, PayWithDoc, PersonaDoc, PlanDoc, PolicyDoc,
        SendDoc, StepDoc,
    },
};
use crate::yaml::At;

/// Something that is tried on a share of the accounts. Arms are drawn by a stable hash of this name
/// and the account: an account keeps its arm for as long as the shares allow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExperimentDoc {
    /// Its name. Another name draws the accounts anew.
    #[schemars(example = &"evening-sms")]
    pub experiment: At<Name>,
    /// Share of the accounts on which it is tried.
    #[schemars(example = &"20%")]
    pub share: At<Percent>,
    /// Share of the accounts that are compared with them, under the policy as it is. As large as
    /// `share` where left out.
    #[schemars(example = &"20%")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub control: Option<At<Percent>>,
    /// What differs, by path: `personas.<name>.<key>`, `steps.<name>.<key>`, or a key of the
    /// policy itself.
    pub r#override: At<OverrideDoc>,
}

/// What differs, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct OverrideDoc(pub Vec<Change>);

/// One path with its other value.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub path: At<String>,
    pub to: To,
}

/// What a path changes.
#[derive(Debug, Clone)]
pub(crate) enum To {
    Persona(String, Box<PersonaChange>),
    Step(String, Box<StepChange>),
    Policy(Box<PolicyChange>),
    /// `personas.<name>.<key>` or `steps.<name>.<key>` with a key that cannot be tried.
    UnknownKey(&'static [&'static str]),
    /// None of the three forms of a path.
    Unknown,
}

/// Puts a value in the place of another.
trait Put<T> {
    fn put(&mut self, value: T);
}

impl<T> Put<T> for Option<T> {
    fn put(&mut self, value: T) {
        *self = Some(value);
    }
}

impl<T> Put<At<T>> for At<T> {
    fn put(&mut self, value: At<T>) {
        *self = value;
    }
}

/// A change of one key of a part of the policy: at most one of the members is there.
macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident of $part:ident { $($key:ident: $value:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $name { $($key: Option<$value>,)* }

        impl $name {
            /// Keys that can be tried.
            pub const KEYS: &[&str] = &[$(stringify!($key),)*];

            fn read<'de, M: MapAccess<'de>>(
                key: &str,
                map: &mut M,
            ) -> Result<Option<Box<Self>>, M::Error> {
                let mut change = Self::default();
                match key {
                    $(stringify!($key) => change.$key = Some(map.next_value()?),)*
                    _ => return Ok(None),
                }
                Ok(Some(Box::new(change)))
            }

            pub fn apply(&self, part: &mut $part) {
                $(if let Some(value) = &self.$key {
                    part.$key.put(value.clone());
                })*
            }
        }
    )*};
}

changes! {
    /// A change of a persona.
    PersonaChange of PersonaDoc {
        when: At<Cel>,
        language: At<LanguageWish>,
        tone: At<Name>,
        channels: At<Vec<At<ChannelDoc>>>,
        hours: At<HoursOfDay>,
        pay_with: At<Vec<PayWithDoc>>,
        pace: At<Factor>,
    }
    /// A change of a step.
    StepChange of StepDoc {
        send: At<SendDoc>,
        hand_off: At<HandOffDoc>,
        at: At<MomentText>,
        deadline: At<Days>,
        fee: At<Amount>,
        lump_sum: At<bool>,
        expires: At<Days>,
        when: At<Cel>,
        plans: At<Vec<At<PlanDoc>>>,
        text: At<Name>,
    }
    /// A change of a key of the policy itself. What is owed and which law holds cannot be tried.
    PolicyChange of PolicyDoc {
        spread_minutes: At<u32>,
        contact: At<ContactDoc>,
        minimum: At<Amount>,
        bundle: BundleDoc,
        in_flight: At<Days>,
        promise_within: At<Days>,
    }
}

impl<'de> Deserialize<'de> for OverrideDoc {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Paths;
        impl<'de> Visitor<'de> for Paths {
            type Value = OverrideDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of paths to values")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<OverrideDoc, M::Error> {
                let mut changes = Vec::new();
                while let Some(path) = map.next_key::<At<String>>()? {
                    let to = change(&path, &mut map)?;
                    changes.push(Change { path, to });
                }
                Ok(OverrideDoc(changes))
            }
        }
        from.deserialize_map(Paths)
    }
}

/// The value behind a path, read as what the path names. Names may hold dots, keys do not.
fn change<'de, M: MapAccess<'de>>(path: &str, map: &mut M) -> Result<To, M::Error> {
    let parts = path.split_once('.').and_then(|(of, rest)| Some((of, rest.rsplit_once('.')?)));
    let (found, keys) = match parts {
        Some(("personas", (name, key))) => {
            let change = PersonaChange::read(key, map)?;
            (change.map(|change| To::Persona(name.to_owned(), change)), PersonaChange::KEYS)
        }
        Some(("steps", (name, key))) => {
            let change = StepChange::read(key, map)?;
            (change.map(|change| To::Step(name.to_owned(), change)), StepChange::KEYS)
        }
        _ => (PolicyChange::read(path, map)?.map(To::Policy), &[][..]),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    map.next_value::<IgnoredAny>()?;
    Ok(if keys.is_empty() { To::Unknown } else { To::UnknownKey(keys) })
}

impl JsonSchema for OverrideDoc {
    fn schema_name() -> Cow<'static, str> {
        "Override".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = "[A-Za-z0-9._-]{1,64}";
        let pattern = format!(
            "^(personas\\.{name}\\.({})|steps\\.{name}\\.({})|{})$",
            PersonaChange::KEYS.join("|"),
            StepChange::KEYS.join("|"),
            PolicyChange::KEYS.join("|"),
        );
        json_schema!({
            "type": "object",
            "description": "What differs for those on whom it is tried, by path: \
                            `personas.<name>.<key>`, `steps.<name>.<key>`, or a key of the policy \
                            itself. Each value is written as in its own place.",
            "propertyNames": { "pattern": pattern },
            "minProperties": 1,
            "examples": [{ "personas.regular.hours": "18:00-19:00" }],
        })
    }
}

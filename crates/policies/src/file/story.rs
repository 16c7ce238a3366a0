//! `tests/*.yaml`: a story about one debtor.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use kulanz_domain::{
    fact::{Channel, PayWith},
    policy::Arm,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::{Country, Day, HoursOfDay, LanguageCode, Zone};
use crate::{
    file::policy::{ChannelDoc, PayWithDoc},
    story::Guard,
    yaml::At,
};

/// A story: what happens to one debtor's account, and what must follow. Its policy is the one in
/// whose folder `tests` it lies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Kulanz story")]
pub(crate) struct StoryDoc {
    /// What the story shows, in one sentence.
    #[schemars(length(min = 1), example = &"someone who pays after the reminder hears nothing more")]
    pub test: At<String>,
    /// Guards that the story shows at work: it fails where one of them never had anything to stop.
    #[serde(default)]
    pub guards: Vec<At<Guard>>,
    /// Who owes.
    pub debtor: At<DebtorDoc>,
    /// In which arms of the policy's experiments the debtor is; outside of those left out.
    #[schemars(example = serde_json::json!({ "evening-sms": "treated" }))]
    #[serde(default)]
    pub arms: BTreeMap<String, At<ArmDoc>>,
    /// What happens, in time. A day alone means its first moment.
    pub events: At<Vec<At<EventLine>>>,
    /// What must follow.
    #[schemars(length(min = 1))]
    pub expect: At<Vec<At<ExpectLine>>>,
    /// The last day that is played; a year after the last day that the story names where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub until: Option<At<Day>>,
}

/// Who owes, as the shop knows it when the story begins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DebtorDoc {
    /// Whether consumer protection applies.
    pub kind: KindDoc,
    /// The policy's first language where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub language: Option<At<LanguageCode>>,
    /// The creditor's country where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub country: Option<At<Country>>,
    /// Federal state, for its holidays.
    #[schemars(regex(pattern = "^[A-Z0-9]{1,3}$"), example = &"NW")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub region: Option<At<String>>,
    /// The creditor's zone where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub timezone: Option<At<Zone>>,
    /// There is an e-mail address.
    #[serde(default)]
    pub email: bool,
    /// There is a mobile number, for text messages.
    #[serde(default)]
    pub mobile: bool,
    /// There is a postal address: letters need it, and so does an agency.
    #[serde(default)]
    pub address: bool,
    /// `false`: never by text message.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub sms_consent: Option<bool>,
    /// Day of birth: what somebody bought before coming of age waits for a person.
    #[schemars(example = &"2009-05-14")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub birth_date: Option<At<Day>>,
    /// Needs special care.
    #[serde(default)]
    pub vulnerable: bool,
    /// A lawyer or guardian acts.
    #[serde(default)]
    pub represented: bool,
    /// Channels in the debtor's own order.
    #[serde(default)]
    pub prefers: Vec<ChannelDoc>,
    /// Ways to pay in the debtor's own order.
    #[serde(default)]
    pub pays_with: Vec<PayWithDoc>,
    /// Hours in which the debtor wants to be reached.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub hours: Option<At<HoursOfDay>>,
    /// Attributes that the creditor's file lists as harmless.
    #[serde(default)]
    pub attributes: BTreeMap<String, At<String>>,
}

/// Whether consumer protection applies.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindDoc {
    /// A consumer.
    Consumer,
    /// A business.
    Business,
}

/// An arm of an experiment.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArmDoc {
    /// What is tried holds.
    Treated,
    /// The policy holds as it is, compared with the treated.
    Control,
}

impl From<ArmDoc> for Arm {
    fn from(arm: ArmDoc) -> Self {
        match arm {
            ArmDoc::Treated => Self::Treated,
            ArmDoc::Control => Self::Control,
        }
    }
}

impl DebtorDoc {
    /// Channels for which there is an address.
    pub fn reachable(&self) -> Vec<Channel> {
        let known = [self.email, self.mobile, self.address];
        Channel::ALL.into_iter().zip(known).filter_map(|(one, is)| is.then_some(one)).collect()
    }

    pub fn prefers(&self) -> Vec<Channel> {
        self.prefers.iter().copied().map(Channel::from).collect()
    }

    pub fn pays_with(&self) -> Vec<PayWith> {
        self.pays_with.iter().copied().map(PayWith::from).collect()
    }
}

/// A line of a list: a sentence, most often behind the day on which it is true.
#[derive(Debug)]
pub(crate) struct Line {
    /// The day, or day and time; absent where the line is a sentence alone.
    pub when: Option<String>,
    pub says: At<Sentence>,
}

/// A sentence of a story.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sentence(pub String);

impl std::ops::Deref for Sentence {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

/// Something that happens.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct EventLine(pub Line);

/// Something that must follow.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct ExpectLine(pub Line);

/// What a line of a list has to be.
pub(crate) const A_LINE: &str = "a sentence, or a day, a colon and a sentence";
/// What is wrong with a line that has no sentence.
pub(crate) const NO_SENTENCE: &str = "a line needs a sentence";
/// What is wrong with a line that holds two.
pub(crate) const TWO_LINES: &str = "a second day stands in this line of the list";

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Line;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(A_LINE)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Line, E> {
                let says = At {
                    value: Sentence(text.to_owned()),
                    place: Default::default(),
                    bytes: (0, 0),
                };
                Ok(Line { when: None, says })
            }

            fn visit_map<M: de::MapAccess<'de>>(self, mut map: M) -> Result<Line, M::Error> {
                let Some((when, says)) = map.next_entry::<String, At<Sentence>>()? else {
                    return Err(de::Error::custom(NO_SENTENCE));
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(de::Error::custom(TWO_LINES));
                }
                Ok(Line { when: Some(when), says })
            }
        }
        from.deserialize_any(Either)
    }
}

const MOMENT: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2})?$";

impl JsonSchema for EventLine {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A day, or day and time in the creditor's zone, and what happens then. \
                            All sentences are in policies/README.md.",
            "propertyNames": { "pattern": MOMENT },
            "additionalProperties": { "type": "string" },
            "minProperties": 1,
            "maxProperties": 1,
            "examples": [
                { "2026-03-01": "invoice R-1 of 89.90 due 2026-03-15" },
                { "2026-03-20": "payment of 89.90 for R-1" },
                { "2026-03-21": "dispute D-1 about R-1" },
            ],
        })
    }
}

impl JsonSchema for ExpectLine {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What must follow: a sentence, most often behind a day, or day and \
                            time in the creditor's zone. All sentences are in policies/README.md.",
            "anyOf": [
                { "type": "string", "examples": ["nothing else", "nothing before 2026-03-19"] },
                {
                    "type": "object",
                    "propertyNames": { "pattern": MOMENT },
                    "additionalProperties": { "type": "string" },
                    "minProperties": 1,
                    "maxProperties": 1,
                    "examples": [{ "2026-03-19 09:00": "reminder by email for R-1" }],
                },
            ],
        })
    }
}

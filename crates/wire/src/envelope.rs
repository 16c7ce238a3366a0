//! The CloudEvents 1.0 envelope in its three modes: structured, batch and binary.

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use kulanz_domain::ids::AccountId;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    MAX_BATCH_BYTES,
    kind::EventType,
    leaf::Moment,
    member::{Context, Leaf, Name, Scalar},
    rejection::{Reason, Rejection},
};

/// Levels of lists and objects in one event; the published types need five.
const MAX_DEPTH: usize = 32;

/// How events lie in a message or body, by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One event as a JSON object: [`decode`](crate::decode).
    Structured,
    /// A JSON array of events: [`split_batch`], then [`decode`](crate::decode) for each.
    Batch,
    /// One event a line: [`lines`](crate::lines), then [`decode`](crate::decode) for each.
    Ndjson,
    /// Attributes in headers, the data as the body: [`decode_binary`](crate::decode_binary).
    Binary,
}

impl Mode {
    /// The mode that `content_type` stands for, or `None` where it is none of ours.
    pub fn of(content_type: &str) -> Option<Self> {
        match &*essence(content_type) {
            "application/cloudevents+json" => Some(Self::Structured),
            "application/cloudevents-batch+json" => Some(Self::Batch),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                Some(Self::Ndjson)
            }
            other if is_json(other) => Some(Self::Binary),
            _ => None,
        }
    }
}

/// The protocol that carried a binary-mode event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Headers `ce-…`, values percent-encoded.
    Http,
    /// Headers `ce_…`, values as they are.
    Kafka,
}

/// The media type in lower case, without parameters.
fn essence(content_type: &str) -> String {
    let end = content_type.find(';').unwrap_or(content_type.len());
    content_type.get(..end).unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || media_type == "text/json"
        || media_type.starts_with("application/") && media_type.ends_with("+json")
}

/// The bytes as text that is safe to parse: bounded, UTF-8, not nested deeply.
pub(crate) fn checked(bytes: &[u8], limit: usize) -> Result<&str, Rejection> {
    if bytes.len() > limit {
        let sentence = format!("has {} bytes, more than the {limit} allowed", bytes.len());
        return Err(Rejection::new(Reason::TooLarge, "", sentence));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let sentence = format!("is not UTF-8 from byte {} on", error.valid_up_to());
        Rejection::new(Reason::Malformed, "", sentence)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A batch is one level more; the difference does not matter to what the bound is for.
    if is_deep(text.as_bytes()) {
        let sentence = format!("is nested more than {MAX_DEPTH} levels deep");
        return Err(Rejection::new(Reason::Malformed, "", sentence));
    }
    Ok(text)
}

fn is_deep(json: &[u8]) -> bool {
    // Counting all brackets is fast and settles it for every honest event.
    // `{` and `[` differ from each other in one bit, so that this compiles to a few SIMD steps.
    let brackets: usize = json
        .chunks(255)
        .map(|part| usize::from(part.iter().map(|b| u8::from(b & 0xdf == b'[')).sum::<u8>()))
        .sum();
    if brackets <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// The events of an `application/cloudevents-batch+json` body, each as its own JSON text, in
/// order. Whether each is an event is for [`decode`](crate::decode) to say.
pub fn split_batch(body: &[u8]) -> Result<Vec<&[u8]>, Rejection> {
    let text = checked(body, MAX_BATCH_BYTES)?;
    let events: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                Rejection::new(Reason::Invalid, "", "a batch must be a JSON array of events")
            }
            _ => syntax(&error, ""),
        })?;
    Ok(events.into_iter().map(|event| event.get().as_bytes()).collect())
}

/// A syntax error as a rejection. What serde_json says of syntax holds no values.
pub(crate) fn syntax(error: &serde_json::Error, pointer: &str) -> Rejection {
    let told = error.to_string();
    // Within a member, line and column would count from its start and mislead.
    let told = match told.split_once(" at line ") {
        Some((what, _)) if !pointer.is_empty() => what,
        _ => &told,
    };
    Rejection::new(Reason::Malformed, pointer, format!("is not JSON: {told}"))
}

/// Attributes as found, before any is checked.
#[derive(Default)]
pub(crate) struct Attributes<'a> {
    specversion: Option<Attribute<'a>>,
    id: Option<Attribute<'a>>,
    source: Option<Attribute<'a>>,
    kind: Option<Attribute<'a>>,
    subject: Option<Attribute<'a>>,
    time: Option<Attribute<'a>>,
    datacontenttype: Option<Attribute<'a>>,
    traceparent: Option<Attribute<'a>>,
    data: Option<&'a str>,
    has_base64: bool,
}

/// A context attribute: always a string for those that we read.
struct Attribute<'a>(Cow<'a, str>);

impl<'de> Leaf<'de> for Attribute<'de> {
    fn check(value: Scalar<'de>) -> Result<Self, Cow<'static, str>> {
        match value {
            Scalar::Text(text) => Ok(Self(text)),
            _ => Err("must be a string".into()),
        }
    }
}

/// A checked envelope.
pub(crate) struct Envelope<'a> {
    pub id: Cow<'a, str>,
    pub source: Cow<'a, str>,
    pub kind: EventType,
    pub account: AccountId,
    pub time: Timestamp,
    /// As sent; whether it is well-formed has not been checked.
    pub traceparent: Option<Cow<'a, str>>,
    /// JSON.
    pub data: &'a str,
}

struct EventSeed<'c>(&'c mut Context);

impl<'de> DeserializeSeed<'de> for EventSeed<'_> {
    type Value = Attributes<'de>;
    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EventSeed<'_> {
    type Value = Attributes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (context, mut found) = (self.0, Attributes::default());
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "specversion" => {
                    context.member("specversion", &mut found.specversion, &mut map)?;
                }
                "id" => context.member("id", &mut found.id, &mut map)?,
                "source" => context.member("source", &mut found.source, &mut map)?,
                "type" => context.member("type", &mut found.kind, &mut map)?,
                "subject" => context.member("subject", &mut found.subject, &mut map)?,
                "time" => context.member("time", &mut found.time, &mut map)?,
                "datacontenttype" => {
                    context.member("datacontenttype", &mut found.datacontenttype, &mut map)?;
                }
                "traceparent" => {
                    context.member("traceparent", &mut found.traceparent, &mut map)?;
                }
                "data" => {
                    let raw: &'de RawValue = map.next_value()?;
                    if found.data.replace(raw.get()).is_some() {
                        *context = Context::inside("data");
                        return Err(context.fail("occurs twice"));
                    }
                }
                "data_base64" => {
                    map.next_value::<IgnoredAny>()?;
                    found.has_base64 = true;
                }
                // Extension attributes are allowed by CloudEvents and of no interest here.
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

impl<'a> Attributes<'a> {
    /// Reads a structured-mode event.
    pub(crate) fn structured(text: &'a str) -> Result<Self, Rejection> {
        let mut context = Context::default();
        let mut json = serde_json::Deserializer::from_str(text);
        let read = EventSeed(&mut context).deserialize(&mut json);
        let found = read.map_err(|error| failure(&error, context))?;
        json.end().map_err(|error| syntax(&error, ""))?;
        Ok(found)
    }

    /// Gathers the attributes of a binary-mode event; `body` is its data.
    pub(crate) fn binary(
        transport: Transport,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: &'a str,
    ) -> Result<Self, Rejection> {
        let mut found = Self { data: Some(body), ..Self::default() };
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            let attribute = match (name.as_str(), transport) {
                ("content-type", _) => "datacontenttype",
                ("traceparent", _) => "traceparent",
                (_, Transport::Http) => name.strip_prefix("ce-").unwrap_or_default(),
                (_, Transport::Kafka) => name.strip_prefix("ce_").unwrap_or_default(),
            };
            let (attribute, slot) = match attribute {
                "specversion" => ("specversion", &mut found.specversion),
                "id" => ("id", &mut found.id),
                "source" => ("source", &mut found.source),
                "type" => ("type", &mut found.kind),
                "subject" => ("subject", &mut found.subject),
                "time" => ("time", &mut found.time),
                "datacontenttype" => ("datacontenttype", &mut found.datacontenttype),
                // The transport's own header and ours may both be there; they say the same.
                "traceparent" if found.traceparent.is_some() => continue,
                "traceparent" => ("traceparent", &mut found.traceparent),
                _ => continue,
            };
            let invalid =
                |sentence: &str| Rejection::new(Reason::Invalid, format!("/{attribute}"), sentence);
            let value = match transport {
                Transport::Http => percent_decoded(value),
                Transport::Kafka => Cow::Borrowed(value),
            };
            let text = match value {
                Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
                Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
            };
            let text = text.ok_or_else(|| invalid("is not UTF-8"))?;
            if slot.replace(Attribute(text)).is_some() {
                return Err(invalid("occurs twice"));
            }
        }
        Ok(found)
    }

    /// Checks every attribute, in the order in which they decide what the event is.
    pub(crate) fn finish(self) -> Result<Envelope<'a>, Rejection> {
        let subject = self.subject.as_ref().map(|subject| subject.0.parse::<AccountId>());
        let (kind, time) = match self.check(subject.as_ref().map(Result::is_ok)) {
            Ok(checked) => checked,
            Err(rejection) => {
                let event = self.id.map(|id| id.0.chars().take(256).collect());
                let account = subject.and_then(Result::ok);
                return Err(Rejection { event, account, ..rejection });
            }
        };
        match (self.id, self.source, subject, self.data) {
            (Some(id), Some(source), Some(Ok(account)), Some(data)) => Ok(Envelope {
                id: id.0,
                source: source.0,
                kind,
                account,
                time,
                traceparent: self.traceparent.map(|given| given.0),
                data,
            }),
            _ => Err(Rejection::new(Reason::Invalid, "", "lacks an attribute")),
        }
    }

    /// `is_account`: whether there is a subject, and whether it is an account.
    fn check(&self, is_account: Option<bool>) -> Result<(EventType, Timestamp), Rejection> {
        if present(&self.specversion, "/specversion")? != "1.0" {
            return Err(invalid("/specversion", "must be \"1.0\""));
        }
        let kind = EventType::named(present(&self.kind, "/type")?).ok_or_else(|| {
            Rejection::new(Reason::UnknownType, "/type", "is none of the published event types")
        })?;
        identifying(present(&self.id, "/id")?, "/id")?;
        identifying(present(&self.source, "/source")?, "/source")?;
        match is_account {
            None => return Err(invalid("/subject", "is missing")),
            Some(false) => {
                let sentence = "must be the account, written creditor/debtor";
                return Err(invalid("/subject", sentence));
            }
            Some(true) => {}
        }
        let time = present(&self.time, "/time")?;
        let Moment(time) = Moment::check(Scalar::Text(Cow::Borrowed(time)))
            .map_err(|sentence| invalid("/time", &sentence))?;
        let content_type = self.datacontenttype.as_ref().map(|given| &*given.0);
        if content_type.is_some_and(|t| t != "application/json" && !is_json(&essence(t))) {
            let sentence = "must be application/json or left out";
            return Err(invalid("/datacontenttype", sentence));
        }
        if self.has_base64 {
            let sentence = "is not taken: send the data as a JSON object under `data`";
            return Err(invalid("/data_base64", sentence));
        }
        if self.data.is_none() {
            return Err(invalid("/data", "is missing"));
        }
        Ok((kind, time))
    }
}

fn invalid(pointer: &str, sentence: &str) -> Rejection {
    Rejection::new(Reason::Invalid, pointer, sentence)
}

fn present<'t>(given: &'t Option<Attribute<'_>>, pointer: &str) -> Result<&'t str, Rejection> {
    given.as_ref().map(|text| &*text.0).ok_or_else(|| invalid(pointer, "is missing"))
}

fn identifying(text: &str, pointer: &str) -> Result<(), Rejection> {
    if (1..=256).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(invalid(pointer, "must have 1 to 256 bytes and no control characters"))
}

/// What ended reading, as a rejection.
pub(crate) fn failure(error: &serde_json::Error, context: Context) -> Rejection {
    match (error.classify(), context.fault.as_ref()) {
        (serde_json::error::Category::Data, Some(sentence)) => {
            Rejection::new(Reason::Invalid, context.pointer(), sentence.clone())
        }
        (serde_json::error::Category::Data, None) => {
            Rejection::new(Reason::Invalid, context.pointer(), "must be a JSON object")
        }
        _ => syntax(error, &context.pointer()),
    }
}

fn percent_decoded(value: &[u8]) -> Cow<'_, [u8]> {
    let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let value = quoted.unwrap_or(value);
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let hex = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        let pair = match tail {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                decoded.push(high * 16 + low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(decoded)
}

/// Whether `text` is a W3C trace context of version 00 that names a trace.
pub(crate) fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let names = |part: &str| part.bytes().any(|b| b != b'0');
    let parts: Vec<&str> = text.split('-').collect();
    matches!(&*parts, ["00", trace, parent, flags]
        if is_hex(trace, 32) && names(trace)
            && is_hex(parent, 16) && names(parent)
            && is_hex(flags, 2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn brackets_within_texts_are_not_levels() {
        let text = format!(r#"{{"a":"{}\"{}"}}"#, "[".repeat(50), "{".repeat(50));
        assert!(!is_deep(text.as_bytes()));
        assert!(is_deep("[".repeat(MAX_DEPTH + 1).as_bytes()));
        assert!(!is_deep("[],".repeat(100).as_bytes()));
    }

    #[test]
    fn header_values_are_percent_decoded() {
        assert_eq!(&*percent_decoded(b"Euro%20%E2%82%AC%2"), "Euro €%2".as_bytes());
        assert_eq!(&*percent_decoded(b"\"plain\""), b"plain");
    }

    #[test]
    fn a_traceparent_that_names_no_trace_is_not_continued() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!is_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
        assert!(!is_traceparent("00-4bf92f-1-01"));
    }

    #[test]
    fn a_batch_is_split_into_its_events() {
        let parts = split_batch(br#" [ {"a":1} , [2] ] "#).unwrap();
        assert_eq!(parts, [br#"{"a":1}"#.as_slice(), b"[2]"]);
        assert_eq!(split_batch(b"{}").unwrap_err().reason, Reason::Invalid);
        assert_eq!(split_batch(b"[{}").unwrap_err().reason, Reason::Malformed);
    }

    #[test]
    fn the_content_type_tells_the_mode() {
        let mode = |text| Mode::of(text);
        assert_eq!(mode("application/cloudevents+json; charset=UTF-8"), Some(Mode::Structured));
        assert_eq!(mode("application/cloudevents-batch+json"), Some(Mode::Batch));
        assert_eq!(mode("Application/X-NDJSON"), Some(Mode::Ndjson));
        assert_eq!(mode("application/json"), Some(Mode::Binary));
        assert_eq!(mode("text/xml"), None);
    }
}

//! Inbound records, from bytes and headers to what [`intake`](crate::intake) takes.

use std::borrow::Cow;

use kulanz_wire::{DecodeOptions, Inbound, Mode, Reason, Rejection, Transport};
use rdkafka::{
    Message,
    message::{Headers, OwnedMessage},
};
use serde_json::Value;

use super::settings::KafkaSettings;
use crate::intake::Arrived;

/// Where a record lies: `kafka:TOPIC/PARTITION@OFFSET`.
pub fn origin(record: &OwnedMessage) -> String {
    format!("kafka:{}/{}@{}", record.topic(), record.partition(), record.offset())
}

/// A record as it came, decoded or not.
pub fn arrived<'a>(
    record: &'a OwnedMessage,
    settings: &KafkaSettings,
    options: &DecodeOptions<'_>,
) -> Arrived<'a> {
    let (bytes, decoded) = match record.payload() {
        None => (Cow::Borrowed(&[][..]), Err(no_value())),
        Some(value) if is_binary(record) => {
            let decoded =
                kulanz_wire::decode_binary(Transport::Kafka, headers(record), value, options);
            (Cow::Owned(structured(record, value)), decoded)
        }
        Some(value) => {
            let decoded = kulanz_wire::decode(value, options);
            (Cow::Borrowed(value), decoded.map(|inbound| in_trace(inbound, record)))
        }
    };
    let decoded = decoded.and_then(|inbound| in_its_place(inbound, record, settings));
    Arrived { bytes, origin: origin(record), decoded }
}

/// A record that nothing is to be read of.
pub fn undecoded(record: &OwnedMessage) -> Arrived<'_> {
    let bytes = match record.payload() {
        Some(value) if is_binary(record) => Cow::Owned(structured(record, value)),
        value => Cow::Borrowed(value.unwrap_or_default()),
    };
    let decoded = Err(Rejection::new(Reason::Malformed, "", "it was not looked at"));
    Arrived { bytes, origin: origin(record), decoded }
}

/// Where the event names no trace, it is in that of its record: a producer that is instrumented
/// says so in a header, whatever the value is.
fn in_trace(mut inbound: Inbound, record: &OwnedMessage) -> Inbound {
    if inbound.traceparent.is_none() {
        let told = headers(record).find(|(name, _)| name.eq_ignore_ascii_case("traceparent"));
        let told = told.and_then(|(_, value)| std::str::from_utf8(value).ok());
        inbound.traceparent = told.map(ToOwned::to_owned);
    }
    inbound
}

fn headers(record: &OwnedMessage) -> impl Iterator<Item = (&str, &[u8])> {
    let headers = record.headers().into_iter().flat_map(Headers::iter);
    headers.filter_map(|header| Some((header.key, header.value?)))
}

/// Structured unless headers carry the attributes. The Kafka binding tells the two apart by the
/// content type; whoever sends plain JSON without one sends a structured event.
fn is_binary(record: &OwnedMessage) -> bool {
    let content_type = headers(record).find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let mode =
        content_type.and_then(|(_, value)| std::str::from_utf8(value).ok()).and_then(Mode::of);
    let named = headers(record).any(|(name, _)| is_attribute(name));
    mode != Some(Mode::Structured) && named
}

fn is_attribute(name: &str) -> bool {
    name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("ce_"))
}

fn no_value() -> Rejection {
    let sentence = "the record has no value (a tombstone): inbound topics are not compacted, and \
                    nothing is taken back by one; send the event that says what happened";
    Rejection::new(Reason::Malformed, "", sentence)
}

/// The order of an account's events rests on the key, and who may say what on the topic.
fn in_its_place(
    inbound: Inbound,
    record: &OwnedMessage,
    settings: &KafkaSettings,
) -> Result<Inbound, Rejection> {
    let refused = |reason, sentence: String| {
        let event = Some(inbound.key.1.clone());
        let account = Some(inbound.account.clone());
        Rejection { event, account, ..Rejection::new(reason, "", sentence) }
    };
    let topic = super::topics::full(inbound.kind.topic(), settings);
    if record.topic() != topic {
        let sentence = format!("{} belongs on the topic {topic}", inbound.kind);
        return Err(refused(Reason::WrongTopic, sentence));
    }
    if record.key() != Some(inbound.account.to_string().as_bytes()) {
        let sentence = "the record's key has to be the event's subject, creditor/debtor: only so \
                        do an account's events stay in order";
        return Err(refused(Reason::WrongKey, sentence.to_owned()));
    }
    Ok(inbound)
}

/// A binary-mode event as a structured one: a dead letter of its body alone could never be taken
/// again.
fn structured(record: &OwnedMessage, body: &[u8]) -> Vec<u8> {
    let mut event = serde_json::Map::new();
    for (name, value) in headers(record) {
        let value = Value::from(String::from_utf8_lossy(value));
        match name.to_ascii_lowercase().as_str() {
            "content-type" => event.insert("datacontenttype".to_owned(), value),
            "traceparent" => event.insert("traceparent".to_owned(), value),
            other => match other.strip_prefix("ce_") {
                Some(name) => event.insert(name.to_owned(), value),
                None => continue,
            },
        };
    }
    let mut whole = serde_json::to_vec(&event).unwrap_or_default();
    // The body stays as it is, whether or not it is JSON.
    whole.pop();
    whole.extend_from_slice(if event.is_empty() { b"\"data\":" } else { b",\"data\":" });
    whole.extend_from_slice(body);
    whole.push(b'}');
    whole
}

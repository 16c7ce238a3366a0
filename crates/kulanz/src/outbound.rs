//! What the outside hears of an account's events: the CloudEvent form of a stored event, the same
//! for webhooks, for Kafka and for whoever asks over HTTP.
//!
//! Debtors' personal data are not in events. Names of our own people are in some, for the log:
//! they stay in the house. Nothing else is left out, so that an account can be rebuilt elsewhere.

#[cfg(test)]
mod schema;

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kulanz_store::StoredEvent;
use serde_json::{Map, Value, json, value::RawValue};

/// The CloudEvents `source` of all that leaves.
pub const SOURCE: &str = "kulanz";

/// Members of an event's data that name a person of the creditor.
const NAMES: [&str; 2] = ["by", "owner"];

/// The CloudEvents `type` of a kind of event: `NoticeSent` is `kulanz.account.notice_sent.v1`.
pub fn event_type(kind: &str) -> String {
    format!("kulanz.account.{}.v1", word(kind))
}

/// The word for a kind of event in files and types: `NoticeSent` is `notice_sent`.
pub fn word(kind: &str) -> String {
    let mut word = String::with_capacity(kind.len() + 4);
    push_word(kind, &mut word);
    word
}

fn push_word(kind: &str, text: &mut String) {
    for (at, letter) in kind.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
}

/// A stored event as a structured CloudEvent. Its `id` is the position in the order of all events,
/// which is all that a receiver needs to know an event again; `accountversion` is its place
/// among those of its account, without gaps.
///
/// An error means that the row is damaged.
pub fn cloud_event(event: &StoredEvent) -> Result<Value> {
    Ok(json!({
        "specversion": "1.0",
        "id": event.position.to_string(),
        "source": SOURCE,
        "type": event_type(&event.kind),
        "subject": event.account,
        "time": event.recorded_at.to_string(),
        "accountversion": event.version,
        "datacontenttype": "application/json",
        "data": data(event)?,
    }))
}

/// Writes the text of [`cloud_event`], of one event after the other. Members are copied as they lie in
/// the log where nothing has to be left out: that is nearly every event.
#[derive(Default)]
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "only Kafka wants the text"))]
pub struct EventText {
    text: String,
    /// The last moment that was written: events of a batch have one.
    time: Option<(Timestamp, String)>,
}

#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "only Kafka wants the text"))]
impl EventText {
    /// The text of an event; an error means that the row is damaged.
    pub fn of(&mut self, event: &StoredEvent) -> Result<&str> {
        self.text.clear();
        match as_it_lies(event) {
            Some(data) => self.put_together(event, data)?,
            None => self.text.push_str(&cloud_event(event)?.to_string()),
        }
        Ok(&self.text)
    }

    /// All that is put beside the data is made of characters that need no escape.
    fn put_together(&mut self, event: &StoredEvent, data: &str) -> Result<()> {
        if self.time.as_ref().is_none_or(|(last, _)| *last != event.recorded_at) {
            self.time = Some((event.recorded_at, event.recorded_at.to_string()));
        }
        let time = self.time.as_ref().map_or("", |(_, text)| text);
        write!(self.text, r#"{{"accountversion":{},"data":"#, event.version)?;
        self.text.push_str(data);
        self.text.push_str(r#","datacontenttype":"application/json","id":""#);
        write!(self.text, "{}", event.position)?;
        self.text.push_str(r#"","source":"kulanz","specversion":"1.0","subject":""#);
        self.text.push_str(event.account.creditor.as_str());
        self.text.push('/');
        self.text.push_str(event.account.debtor.as_str());
        self.text.push_str(r#"","time":""#);
        self.text.push_str(time);
        self.text.push_str(r#"","type":"kulanz.account."#);
        push_word(&event.kind, &mut self.text);
        self.text.push_str(r#".v1"}"#);
        Ok(())
    }
}

/// The members of the event as the log has them, where they are whole, and nothing of them has to be
/// left out.
fn as_it_lies(event: &StoredEvent) -> Option<&str> {
    let has = |text: &str| event.payload.contains(text);
    let named = |name: &&str| has(name) && has(&format!("\"{name}\""));
    if NAMES.iter().any(named) || has("person:") {
        return None;
    }
    let kind = event.kind.as_str();
    let plain = kind.bytes().all(|letter| letter.is_ascii_alphanumeric());
    let data = event.payload.strip_prefix("{\"")?.strip_prefix(kind)?.strip_prefix("\":")?;
    let data = data.strip_suffix('}').filter(|data| plain && data.starts_with('{'))?;
    serde_json::from_str::<&RawValue>(data).ok().map(RawValue::get)
}

/// The members of the event, which the log keeps under the name of its kind.
fn data(event: &StoredEvent) -> Result<Map<String, Value>> {
    let damaged = || format!("the event at position {} is damaged", event.position);
    let Value::Object(mut payload) = serde_json::from_str(&event.payload).with_context(damaged)?
    else {
        bail!(damaged());
    };
    let Some(Value::Object(mut data)) = payload.remove(&event.kind) else { bail!(damaged()) };
    NAMES.iter().for_each(|name| {
        data.remove(*name);
    });
    if let Some(Value::String(id)) = data.get_mut("stamp").and_then(|stamp| stamp.get_mut("id"))
        && let Some(named) = id.strip_prefix("person:")
    {
        let rest = named.rsplit_once('#').map_or("", |(_, rest)| rest);
        *id = format!("person#{rest}");
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stored(kind: &str, payload: Value) -> StoredEvent {
        StoredEvent {
            position: 4711,
            account: "lindenmoor/K-1".parse().unwrap(),
            version: 3,
            kind: kind.to_owned(),
            payload: payload.to_string(),
            recorded_at: "2026-03-29T01:00:00.000001Z".parse().unwrap(),
            cause: "person:Anna Sommer".to_owned(),
        }
    }

    fn text_of(event: &StoredEvent) -> Result<String> {
        EventText::default().of(event).map(str::to_owned)
    }

    #[test]
    fn an_event_leaves_as_a_cloud_event_under_its_position() {
        let payload = json!({ "ClaimSettled": { "invoice": "R-1", "on": "2026-03-29" } });
        assert_eq!(
            cloud_event(&stored("ClaimSettled", payload)).unwrap(),
            json!({
                "specversion": "1.0", "id": "4711", "source": "kulanz",
                "type": "kulanz.account.claim_settled.v1", "subject": "lindenmoor/K-1",
                "time": "2026-03-29T01:00:00.000001Z", "accountversion": 3,
                "datacontenttype": "application/json",
                "data": { "invoice": "R-1", "on": "2026-03-29" },
            })
        );
    }

    #[test]
    fn the_text_of_an_event_is_that_of_its_value() {
        let content = json!({ "invoice": "R-1", "on": "2026-03-29", "amount": "1.20",
                              "note": "\u{e4} \"quoted\"", "parts": [{ "a": null }] });
        let event = stored("ClaimSettled", json!({ "ClaimSettled": content }));
        let text = text_of(&event).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), cloud_event(&event).unwrap());
    }

    #[test]
    fn names_of_our_own_people_stay_in_the_house() {
        let events = [
            ("ClaimAdmitted", json!({ "invoice": "R-1", "by": "Anna Sommer" })),
            ("HoldPlaced", json!({ "hold": "H-1", "owner": "anna-sommer" })),
            (
                "GivenUp",
                json!({ "stamp": { "at": "2026-03-29T01:00:00Z", "id": "person:Anna #1#h2x" } }),
            ),
        ];
        for (kind, content) in events {
            let content: Value = content;
            let event = cloud_event(&stored(kind, json!({ kind: content.clone() }))).unwrap();
            assert!(!event.to_string().to_lowercase().contains("anna"), "{event}");
            let text = text_of(&stored(kind, json!({ kind: content }))).unwrap();
            assert_eq!(text, event.to_string());
        }
        let own = json!({ "GivenUp": { "stamp": { "id": "person:Anna #1#h2x" } } });
        let event = cloud_event(&stored("GivenUp", own)).unwrap();
        assert_eq!(event["data"]["stamp"]["id"], "person#h2x");
    }

    #[test]
    fn a_row_whose_kind_and_content_differ_is_damaged() {
        let cut = StoredEvent {
            payload: r#"{"ClaimSettled":{"invoice":"R-1"}"#.to_owned(),
            ..stored("ClaimSettled", json!(null))
        };
        assert!(text_of(&cut).is_err());
        for payload in [json!([]), json!({ "NoticeSent": {} }), json!({ "ClaimSettled": 1 })] {
            let damaged = "the event at position 4711 is damaged";
            let error = cloud_event(&stored("ClaimSettled", payload.clone())).unwrap_err();
            assert_eq!(error.to_string(), damaged);
            let error = text_of(&stored("ClaimSettled", payload)).unwrap_err();
            assert_eq!(error.to_string(), damaged);
        }
    }

    #[test]
    fn types_are_named_after_kinds() {
        assert_eq!(event_type("NoticeWasWrong"), "kulanz.account.notice_was_wrong.v1");
    }
}

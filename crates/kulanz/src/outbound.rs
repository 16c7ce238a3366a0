//! What the outside hears of an account's events: the CloudEvent form of a stored event, the same
//! for webhooks, for Kafka and for whoever asks over HTTP.
//!
//! Debtors' personal data are not in events. Names of our own people are in some, for the log:
//! they stay in the house. Nothing else is left out, so that an account can be rebuilt elsewhere.

#[cfg(test)]
mod schema;

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use kulanz_domain::ids::AccountId;
use kulanz_store::StoredEvent;
use serde::Serialize;
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
    for letter in kind.chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
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

/// The text of [`cloud_event`]. Members are copied as they lie in the log, without a look into
/// them, where nothing has to be left out: that is nearly every event.
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "only Kafka wants the text"))]
pub fn cloud_event_text(event: &StoredEvent) -> Result<String> {
    #[derive(Serialize)]
    struct Envelope<'e> {
        accountversion: u64,
        data: &'e RawValue,
        datacontenttype: &'static str,
        id: String,
        source: &'static str,
        specversion: &'static str,
        subject: &'e AccountId,
        time: String,
        r#type: String,
    }
    let named = |member: &str| event.payload.contains(member);
    if NAMES.iter().any(|name| named(&format!("\"{name}\""))) || named("person:") {
        return Ok(cloud_event(event)?.to_string());
    }
    let damaged = || format!("the event at position {} is damaged", event.position);
    let members: HashMap<&str, &RawValue> =
        serde_json::from_str(&event.payload).with_context(damaged)?;
    let data = members.get(event.kind.as_str()).filter(|data| data.get().starts_with('{'));
    Ok(serde_json::to_string(&Envelope {
        accountversion: event.version,
        data: data.with_context(damaged)?,
        datacontenttype: "application/json",
        id: event.position.to_string(),
        source: SOURCE,
        specversion: "1.0",
        subject: &event.account,
        time: event.recorded_at.to_string(),
        r#type: event_type(&event.kind),
    })?)
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
        let text = cloud_event_text(&event).unwrap();
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
            let text = cloud_event_text(&stored(kind, json!({ kind: content }))).unwrap();
            assert_eq!(text, event.to_string());
        }
        let own = json!({ "GivenUp": { "stamp": { "id": "person:Anna #1#h2x" } } });
        let event = cloud_event(&stored("GivenUp", own)).unwrap();
        assert_eq!(event["data"]["stamp"]["id"], "person#h2x");
    }

    #[test]
    fn a_row_whose_kind_and_content_differ_is_damaged() {
        for payload in [json!([]), json!({ "NoticeSent": {} }), json!({ "ClaimSettled": 1 })] {
            let damaged = "the event at position 4711 is damaged";
            let error = cloud_event(&stored("ClaimSettled", payload.clone())).unwrap_err();
            assert_eq!(error.to_string(), damaged);
            let error = cloud_event_text(&stored("ClaimSettled", payload)).unwrap_err();
            assert_eq!(error.to_string(), damaged);
        }
    }

    #[test]
    fn types_are_named_after_kinds() {
        assert_eq!(event_type("NoticeWasWrong"), "kulanz.account.notice_was_wrong.v1");
    }
}

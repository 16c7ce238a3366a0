//! Writing events: for generators, tests and pages that speak the same contract.

use jiff::Timestamp;
use kulanz_domain::ids::AccountId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::kind::EventType;

/// A CloudEvents 1.0 event in structured mode. Extension attributes may be added; they are
/// passed over.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CloudEvent<'a> {
    /// Always `1.0`.
    #[schemars(extend("const" = "1.0"))]
    specversion: &'a str,
    /// With `source` the idempotency key: the second arrival of the same pair changes nothing.
    #[schemars(length(min = 1, max = 256))]
    id: &'a str,
    /// Who says it: a URI reference.
    #[schemars(length(min = 1, max = 256))]
    source: &'a str,
    /// One of the published types.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = EventType::ALL))]
    kind: &'a str,
    /// The account, `creditor/debtor`; also the Kafka key.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,64}$"))]
    subject: String,
    /// When it happened, RFC 3339 with an offset.
    #[schemars(extend("format" = "date-time"))]
    time: String,
    /// `application/json`, or left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'a str>,
    /// W3C trace context: continued, not restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    /// What happened; the schema of the type describes it.
    #[schemars(with = "Map<String, Value>")]
    data: Value,
}

/// One structured-mode event as a line without its line end. `creditor` and `debtor` are added to
/// `data` where it is an object that lacks them; nothing else is checked: [`decode`] does that.
///
/// [`decode`]: crate::decode
pub fn cloud_event(
    kind: EventType,
    id: &str,
    source: &str,
    account: &AccountId,
    time: Timestamp,
    mut data: Value,
) -> String {
    if let Value::Object(members) = &mut data {
        for (name, value) in
            [("creditor", account.creditor.as_str()), ("debtor", account.debtor.as_str())]
        {
            members.entry(name).or_insert_with(|| Value::String(value.to_owned()));
        }
    }
    let event = CloudEvent {
        specversion: "1.0",
        id,
        source,
        kind: kind.name(),
        subject: account.to_string(),
        time: time.to_string(),
        datacontenttype: Some("application/json"),
        traceparent: None,
        data,
    };
    // Through `Value`, whose text cannot fail: all names are strings.
    serde_json::json!(event).to_string()
}

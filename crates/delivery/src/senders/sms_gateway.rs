//! SMS by a JSON gateway over HTTP: the shape that most providers share, set by configuration.
//!
//! What a gateway has to do: take one request a message, with the body that `body` describes and
//! the header `Idempotency-Key: <notice id>`; answer 2xx when it has taken the message, with its
//! own id where `id_pointer` says; answer 2xx without a second message when the same key comes
//! again; 429, or 503 with `Retry-After`, when it wants to be left alone by all messages; 401 or 402
//! when our secret or our credit is no good, which is the same; 410 (or another of
//! `bad_number_statuses`) when the number cannot receive messages; any other 4xx when it will
//! never take the request.
//!
//! A gateway that ignores the key is used with `honours_idempotency: false`: then an attempt
//! without a clear answer is of unknown outcome and is not repeated.

use std::time::Duration;

use async_trait::async_trait;
use jiff::fmt::rfc2822;
use kulanz_domain::ids::NoticeId;
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Accepted, Outgoing, Pace, Recipient, Secret, SendError, Sender, SenderConfigError};
use crate::render::{Content, clean};

/// A gateway for text messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsGatewayConfig {
    /// Where requests go; `https`, or `http` on the same machine.
    #[schemars(example = "https://sms.example.org/v1/messages")]
    pub url: String,
    /// `POST` or `PUT`.
    #[serde(default = "default_method")]
    pub method: String,
    /// Name of the header that carries the secret.
    #[serde(default = "default_auth_header")]
    pub auth_header: String,
    /// The header's whole value, such as `Bearer 1234`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = Secret::File("/run/secrets/sms".into()))]
    pub auth: Option<Secret>,
    /// The request's JSON; `{to}`, `{from}`, `{text}` and `{reference}` are replaced in its
    /// texts.
    #[serde(default = "default_body")]
    pub body: Value,
    /// Sender shown on the mobile where the creditor has none of its own.
    #[schemars(example = &"Lindenmoor")]
    pub from: String,
    /// JSON pointer (RFC 6901) to the gateway's id in its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = "/id")]
    pub id_pointer: Option<String>,
    /// A second request under the same key is certain not to be a second message.
    #[serde(default = "default_true")]
    pub honours_idempotency: bool,
    /// Answers that mean that the number itself is bad.
    #[serde(default = "default_bad_number_statuses")]
    pub bad_number_statuses: Vec<u16>,
    /// Time for a whole attempt, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// Messages that are on their way to it at the same time, from each server process.
    #[serde(default = "default_at_once")]
    pub at_once: u16,
    /// Messages within any second, from each server process. Where left out: as many as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = 50)]
    pub per_second: Option<u32>,
}

fn default_method() -> String {
    "POST".to_owned()
}

fn default_auth_header() -> String {
    AUTHORIZATION.to_string()
}

/// `{"to": "{to}", "from": "{from}", "text": "{text}", "reference": "{reference}"}`.
pub fn default_body() -> Value {
    json!({"to": "{to}", "from": "{from}", "text": "{text}", "reference": "{reference}"})
}

fn default_true() -> bool {
    true
}

fn default_bad_number_statuses() -> Vec<u16> {
    vec![410]
}

fn default_timeout_ms() -> u64 {
    20_000
}

fn default_at_once() -> u16 {
    64
}

/// Most of an answer that is read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Sends text messages.
#[derive(Debug)]
pub struct SmsGateway {
    config: SmsGatewayConfig,
    url: Url,
    method: Method,
    client: Client,
    via: String,
    pace: Pace,
}

impl SmsGateway {
    /// Reads the secret and checks the settings; connects to nothing yet.
    pub fn new(config: SmsGatewayConfig) -> Result<Self, SenderConfigError> {
        let url: Url =
            config.url.parse().map_err(|error| SenderConfigError::setting("url", error))?;
        let host = url
            .host_str()
            .ok_or_else(|| SenderConfigError::setting("url", "there is no host"))?
            .to_owned();
        let local = matches!(host.as_str(), "127.0.0.1" | "[::1]" | "localhost");
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return Err(SenderConfigError::setting(
                "url",
                "must be https, for numbers and texts are personal data",
            ));
        }
        let method = match config.method.as_str() {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            _ => return Err(SenderConfigError::setting("method", "must be POST or PUT")),
        };
        check_body(&config.body)?;
        if config.timeout_ms == 0 {
            return Err(SenderConfigError::setting("timeout_ms", "must not be 0"));
        }
        let pace = Pace::of(config.at_once, config.per_second)?;
        let mut headers = HeaderMap::new();
        if let Some(secret) = &config.auth {
            let name: HeaderName = config
                .auth_header
                .parse()
                .map_err(|error| SenderConfigError::setting("auth_header", error))?;
            let mut value = HeaderValue::from_str(secret.read()?.reveal()).map_err(|_| {
                SenderConfigError::setting("auth", "the secret cannot stand in a header")
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        // The first caller decides for the process; that another was before is no error.
        super::use_ring();
        let timeout = Duration::from_millis(config.timeout_ms);
        let mut builder = Client::builder()
            .default_headers(headers)
            .timeout(timeout)
            // Shorter, so that a connection that never came about is told from a lost answer.
            .connect_timeout(timeout / 2)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never());
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| SenderConfigError::setting("url", error))?;
        Ok(Self { via: format!("sms gateway {host}"), config, url, method, client, pace })
    }

    /// The request left and no clear answer came.
    fn unclear(&self, reason: String) -> SendError {
        if self.config.honours_idempotency {
            SendError::Retry { reason, after: None, may_have_left: true, busy: false }
        } else {
            SendError::unknown(reason)
        }
    }

    fn failed(&self, error: &reqwest::Error) -> SendError {
        if error.is_builder() {
            return SendError::refused("the request cannot be composed");
        }
        if error.is_connect() {
            return SendError::busy("the gateway cannot be reached");
        }
        self.unclear(if error.is_timeout() {
            "the gateway did not answer in time".to_owned()
        } else {
            "the connection to the gateway broke".to_owned()
        })
    }

    async fn judge(&self, response: Response) -> Result<Accepted, SendError> {
        let status = response.status();
        let reason = format!("the gateway answered {}", status.as_u16());
        if status.is_success() {
            let gateway_id = self.gateway_id(response).await;
            return Ok(Accepted { via: self.via.clone(), gateway_id });
        }
        let after = retry_after(response.headers());
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
                Err(SendError::Retry { reason, after, may_have_left: false, busy: false })
            }
            StatusCode::TOO_MANY_REQUESTS => {
                Err(SendError::Retry { reason, after, may_have_left: false, busy: true })
            }
            // Our secret or our credit is no good: somebody has to see to it, and no message is the
            // worse for it.
            StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => Err(SendError::busy(reason)),
            // Naming a time says that the request was turned away.
            StatusCode::SERVICE_UNAVAILABLE if after.is_some() => {
                Err(SendError::Retry { reason, after, may_have_left: false, busy: true })
            }
            // Where keys are honoured: an earlier request with this key is still being worked on.
            StatusCode::CONFLICT if self.config.honours_idempotency => {
                Err(SendError::Retry { reason, after, may_have_left: true, busy: false })
            }
            refused if refused.is_client_error() => Err(SendError::Refused {
                reason,
                address_bad: self.config.bad_number_statuses.contains(&refused.as_u16()),
            }),
            _ => Err(self.unclear(reason)),
        }
    }

    /// The message is taken whatever the rest of the answer says.
    async fn gateway_id(&self, mut response: Response) -> Option<String> {
        let pointer = self.config.id_pointer.as_deref()?;
        let mut answer = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if answer.len() + chunk.len() <= LONGEST_ANSWER => {
                    answer.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                Ok(Some(_)) | Err(_) => {
                    tracing::warn!("a text message was taken, its id could not be read");
                    return None;
                }
            }
        }
        let answer: Value = serde_json::from_slice(&answer).ok()?;
        match answer.pointer(pointer)? {
            Value::String(id) => Some(clean(id)),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

#[async_trait]
impl Sender for SmsGateway {
    async fn send(&self, message: &Outgoing, key: &NoticeId) -> Result<Accepted, SendError> {
        let (Content::Sms(sms), Recipient::Mobile(number)) = (&message.content, &message.to) else {
            return Err(SendError::refused("an SMS gateway takes text messages to mobiles only"));
        };
        let digits = number.strip_prefix('+').unwrap_or_default();
        if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(SendError::bad_address("not a mobile number in E.164 form"));
        }
        let values = [
            ("{to}", number.as_str()),
            ("{from}", message.from.sms.as_deref().unwrap_or(&self.config.from)),
            ("{text}", &sms.text),
            ("{reference}", &message.reference),
        ];
        let request = self
            .client
            .request(self.method.clone(), self.url.clone())
            .header("Idempotency-Key", key.as_str())
            .json(&filled(&self.config.body, &values));
        match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn idempotent(&self) -> bool {
        self.config.honours_idempotency
    }

    fn pace(&self) -> Pace {
        self.pace
    }
}

/// Seconds, or a date that is compared with the answer's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = |text: &str| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let wait = moment(asked)?.duration_since(moment(text(DATE)?)?);
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn check_body(body: &Value) -> Result<(), SenderConfigError> {
    let mut names = Vec::new();
    collect(body, &mut names);
    let known = ["{to}", "{from}", "{text}", "{reference}"];
    if let Some(wrong) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(SenderConfigError::setting("body", format!("unknown value {wrong}")));
    }
    match ["{to}", "{text}"].iter().find(|needed| !names.iter().any(|name| name == *needed)) {
        Some(missing) => Err(SenderConfigError::setting("body", format!("{missing} is missing"))),
        None => Ok(()),
    }
}

fn collect(body: &Value, names: &mut Vec<String>) {
    match body {
        Value::String(text) => {
            names.extend(pieces(text).into_iter().filter(|(name, _)| *name).map(|(_, p)| p.into()));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(members) => members.values().for_each(|member| collect(member, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `a {to} b` in its pieces; `true` for `{…}`.
fn pieces(text: &str) -> Vec<(bool, &str)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find('{') {
        let (plain, from) = rest.split_at(begin);
        let Some(end) = from.find('}') else { break };
        let (name, after) = from.split_at(end + 1);
        pieces.extend([(false, plain), (true, name)]);
        rest = after;
    }
    pieces.push((false, rest));
    pieces
}

/// In one pass, so that no value is searched for names.
fn filled(body: &Value, values: &[(&str, &str)]) -> Value {
    match body {
        Value::String(text) => {
            let value = |piece: &str| values.iter().find(|(name, _)| *name == piece);
            let filled = pieces(text)
                .into_iter()
                .map(|(name, piece)| match value(piece).filter(|_| name) {
                    Some((_, value)) => *value,
                    None => piece,
                })
                .collect();
            Value::String(filled)
        }
        Value::Array(items) => items.iter().map(|item| filled(item, values)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), filled(member, values)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        plain => plain.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_put_in_once_and_never_read_as_a_name() {
        let body = json!({"a": ["{to}", {"b": "x {text} {from}"}], "n": 1, "c": "{ {to"});
        let values = [("{to}", "{text}"), ("{text}", "hi {to}"), ("{from}", "L")];
        assert_eq!(
            filled(&body, &values),
            json!({"a": ["{text}", {"b": "x hi {to} L"}], "n": 1, "c": "{ {to"})
        );
    }

    #[test]
    fn a_body_names_number_and_text_and_nothing_unknown() {
        assert!(check_body(&default_body()).is_ok());
        let wrong = check_body(&json!({"to": "{to}", "text": "{txt}"})).unwrap_err();
        assert_eq!(wrong.to_string(), "body: unknown value {txt}");
        assert!(check_body(&json!({"to": "{to}"})).is_err());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_beside_the_answers_own() {
        let headers = |pairs: &[(HeaderName, &'static str)]| {
            pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect()
        };
        let after = |pairs: &[_]| retry_after(&headers(pairs));
        let minute = Some(Duration::from_secs(60));
        assert_eq!(after(&[(RETRY_AFTER, "60")]), minute);
        let (one, two) = ("Wed, 18 Mar 2026 10:00:00 GMT", "Wed, 18 Mar 2026 10:01:00 GMT");
        assert_eq!(after(&[(RETRY_AFTER, two), (DATE, one)]), minute);
        assert_eq!(after(&[(RETRY_AFTER, one), (DATE, two)]), Some(Duration::ZERO));
        assert_eq!(after(&[(RETRY_AFTER, two)]), None);
        assert_eq!(after(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn a_gateway_elsewhere_is_spoken_to_by_https_only() {
        let config = |url: &str| SmsGatewayConfig {
            url: url.to_owned(),
            method: default_method(),
            auth_header: default_auth_header(),
            auth: None,
            body: default_body(),
            from: "Lindenmoor".to_owned(),
            id_pointer: None,
            honours_idempotency: true,
            bad_number_statuses: default_bad_number_statuses(),
            timeout_ms: default_timeout_ms(),
            at_once: default_at_once(),
            per_second: None,
        };
        assert!(SmsGateway::new(config("http://gateway.example/sms")).is_err());
        assert!(SmsGateway::new(config("http://127.0.0.1:1/sms")).is_ok());
        assert!(SmsGateway::new(config("gateway")).is_err());
    }
}

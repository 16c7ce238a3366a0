//! `POST /v1/events`: events in, one by one, in batches, as lines.

use std::borrow::Cow;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use kulanz_store::TokenRow;
use kulanz_wire::{DecodeOptions, Mode, Rejection, Transport};
use serde_json::{Value, json};

use super::{
    Server,
    asked::whole,
    caller::{Caller, SENDERS},
    problem::{PROBLEM_JSON, Refused},
};
use crate::{
    house::harmless,
    intake::{self, Answer, Arrived, Problem},
};

/// Facts recorded at once from one body.
const CHUNK: usize = 1000;

/// Takes events: 202 with a receipt for each.
pub async fn take(
    State(server): State<Server>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refused> {
    caller.needs(SENDERS)?;
    let token = caller.token;
    let headers = request.headers().clone();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(mode) = content_type.and_then(Mode::of) else {
        return Err(Refused::content_type(
            "use application/cloudevents+json, application/cloudevents-batch+json, \
             application/x-ndjson, or application/json with ce-… headers",
        ));
    };
    let body = whole(request).await?;
    let harmless = harmless(&server.house.loaded);
    let options = DecodeOptions { harmless_attributes: &harmless };
    let parts: Vec<&[u8]> = match mode {
        Mode::Structured | Mode::Binary => vec![&body],
        Mode::Ndjson => kulanz_wire::lines(&body).map(|(_, line)| line).collect(),
        Mode::Batch => kulanz_wire::split_batch(&body).map_err(|rejection| {
            Refused::new(StatusCode::BAD_REQUEST, "batch", "not a batch", rejection.sentence)
        })?,
    };
    let mut answers = Vec::with_capacity(parts.len());
    for chunk in parts.chunks(CHUNK) {
        let mut arrived = Vec::with_capacity(chunk.len());
        let mut forbidden = Vec::new();
        for (at, part) in chunk.iter().enumerate() {
            let (bytes, decoded) = match mode {
                Mode::Binary => {
                    let named =
                        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
                    let decoded = intake::decoded(|| {
                        kulanz_wire::decode_binary(Transport::Http, named, part, &options)
                    });
                    (Cow::Owned(structured(&headers, part)), decoded)
                }
                _ => {
                    let decoded = intake::decoded(|| kulanz_wire::decode(part, &options));
                    let decoded = decoded.map(|inbound| in_trace(inbound, &headers));
                    (Cow::Borrowed(*part), decoded)
                }
            };
            match forbids(token.as_ref(), &decoded) {
                Some(answer) => forbidden.push((at, answer)),
                None => arrived.push(Arrived { bytes, origin: "http".to_owned(), decoded }),
            }
        }
        let taken = intake::take(&server.house.engine, arrived).await;
        let mut taken = taken.map_err(|error| Refused::fault(&error))?;
        for (at, answer) in forbidden {
            taken.insert(at, answer);
        }
        answers.extend(taken);
    }
    let single = matches!(mode, Mode::Structured | Mode::Binary);
    Ok(receipts(answers, single))
}

/// Where the event names no trace, it is in that of its request.
fn in_trace(mut inbound: kulanz_wire::Inbound, headers: &HeaderMap) -> kulanz_wire::Inbound {
    if inbound.traceparent.is_none() {
        let told = headers.get("traceparent").and_then(|value| value.to_str().ok());
        inbound.traceparent = told.map(ToOwned::to_owned);
    }
    inbound
}

/// A token of one creditor speaks for that one alone. What it says of another's accounts is not
/// even kept: whoever retries dead letters must not lend it a voice.
fn forbids(
    token: Option<&TokenRow>,
    decoded: &Result<kulanz_wire::Inbound, Rejection>,
) -> Option<Answer> {
    let own = token?.creditor.as_ref()?;
    let (id, account) = match decoded {
        Ok(inbound) => (Some(inbound.key.1.clone()), Some(&inbound.account)),
        Err(rejection) => (rejection.event.clone(), rejection.account.as_ref()),
    };
    account.filter(|account| account.creditor != *own)?;
    let detail = "this token does not speak for the creditor of the event; nothing was kept";
    let mut problem = Problem::new("forbidden", "not with this token", detail);
    problem.pointer = "/subject".to_owned();
    Some(Answer { id, status: "rejected", problem: Some(problem), ignored: Vec::new() })
}

/// A binary-mode event as a structured one: its attributes lie in headers, and a dead letter of
/// the body alone could never be taken again.
fn structured(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
    let mut event = serde_json::Map::new();
    for (name, value) in headers {
        match name.as_str() {
            "content-type" => event.insert("datacontenttype".to_owned(), text(value.as_bytes())),
            "traceparent" => event.insert("traceparent".to_owned(), text(value.as_bytes())),
            other => match other.strip_prefix("ce-") {
                Some(name) => {
                    event.insert(name.to_owned(), text(&percent_decoded(value.as_bytes())))
                }
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

fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let digit = |at: usize| value.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut plain = Vec::with_capacity(value.len());
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.extend(u8::try_from(high * 16 + low));
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    plain
}

/// 202 with a receipt each; a single event that was rejected is a problem of its own.
fn receipts(mut answers: Vec<Answer>, single: bool) -> Response {
    if single && answers.len() == 1 {
        let answer = answers.remove(0);
        if let Some(problem) = &answer.problem {
            let status = match problem.kind.ends_with(":forbidden") {
                true => StatusCode::FORBIDDEN,
                false => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let mut body = Refused::of(status, problem.clone()).body();
            body["id"] = json!(answer.id);
            let kind = (header::CONTENT_TYPE, PROBLEM_JSON);
            return (status, [kind], Json(body)).into_response();
        }
        return (StatusCode::ACCEPTED, Json(json!({ "receipts": [answer] }))).into_response();
    }
    (StatusCode::ACCEPTED, Json(json!({ "receipts": answers }))).into_response()
}

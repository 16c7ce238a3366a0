//! The server: events in, debtors' pages, and in a sandbox the outbox page.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::tz::TimeZone;
use kulanz_engine::token_hash;
use kulanz_store::TokenRow;
use kulanz_wire::{DecodeOptions, MAX_BATCH_BYTES, Mode, Rejection, Transport};
use serde_json::{Value, json};

use crate::{
    house::{House, harmless},
    intake::{self, Answer, Arrived, Problem},
    orders::{self, Order},
};

/// Facts recorded at once from one body.
const CHUNK: usize = 1000;

/// Shared by all requests.
#[derive(Clone)]
pub struct Server {
    /// The installation.
    pub house: Arc<House>,
    /// Test pages may be shown.
    pub sandbox: bool,
}

/// A refused request.
pub(crate) struct Refused(StatusCode, Problem);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, problem) = self;
        let body = json!({
            "type": problem.kind, "title": problem.title, "detail": problem.detail,
            "status": status.as_u16(),
        });
        let mut response = (status, Json(body)).into_response();
        let kind = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

pub(crate) fn refused(
    status: StatusCode,
    kind: &str,
    title: &str,
    detail: impl Into<String>,
) -> Refused {
    Refused(status, Problem::new(kind, title, detail))
}

pub(crate) fn fault(error: &anyhow::Error) -> Refused {
    tracing::error!(error = format!("{error:#}"), "a request failed");
    let detail = "nothing of it is confirmed; send it again, what was recorded is not doubled";
    refused(StatusCode::SERVICE_UNAVAILABLE, "fault", "a fault of ours", detail)
}

/// The routes of the program itself; debtors' pages are merged in by the caller.
pub fn router(server: Server) -> Router {
    let mut router =
        Router::new().route("/v1/events", post(events)).route("/v1/orders", post(order));
    if server.sandbox {
        router = router
            .route("/", get(crate::outbox_page::index))
            .route("/outbox", get(crate::outbox_page::index))
            .route("/outbox/{notice}", get(crate::outbox_page::message))
            .route("/outbox/{notice}/html", get(crate::outbox_page::html));
    }
    router.layer(DefaultBodyLimit::max(MAX_BATCH_BYTES)).with_state(server)
}

/// Who asks. Without any token in the store, and from this machine alone, everybody may.
pub(crate) async fn person(
    server: &Server,
    from: IpAddr,
    headers: &HeaderMap,
) -> Result<Option<TokenRow>, Refused> {
    let store = server.house.engine.store();
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    let unauthorized =
        |detail: &str| refused(StatusCode::UNAUTHORIZED, "unauthorized", "who are you?", detail);
    let failed = |error: kulanz_store::StoreError| fault(&error.into());
    if let Some(token) = given {
        let row = store.token(token_hash(token.trim())).await.map_err(failed)?;
        return row.map(Some).ok_or_else(|| unauthorized("this token is not known"));
    }
    if !from.is_loopback() || !store.tokens().await.map_err(failed)?.is_empty() {
        return Err(unauthorized(
            "send `Authorization: Bearer …` with a token of `kulanz token create`",
        ));
    }
    Ok(None)
}

async fn events(
    State(server): State<Server>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let token = person(&server, from.ip(), &headers).await?;
    let may = |role: &str| matches!(role, "events" | "admin");
    if let Some(token) = token.as_ref().filter(|token| !may(&token.role)) {
        let detail =
            format!("the token of {} is for `{}`, not for events", token.person, token.role);
        return Err(refused(StatusCode::FORBIDDEN, "forbidden", "not with this token", detail));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(mode) = content_type.and_then(Mode::of) else {
        let detail = "use application/cloudevents+json, application/cloudevents-batch+json, \
                      application/x-ndjson, or application/json with ce-… headers";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(refused(status, "content_type", "unknown content type", detail));
    };
    let harmless = harmless(&server.house.loaded);
    let options = DecodeOptions { harmless_attributes: &harmless };
    let parts: Vec<&[u8]> = match mode {
        Mode::Structured | Mode::Binary => vec![&body],
        Mode::Ndjson => kulanz_wire::lines(&body).map(|(_, line)| line).collect(),
        Mode::Batch => kulanz_wire::split_batch(&body).map_err(|rejection| {
            refused(StatusCode::BAD_REQUEST, "batch", "not a batch", rejection.sentence)
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
                    let decoded =
                        kulanz_wire::decode_binary(Transport::Http, named, part, &options);
                    (Cow::Owned(structured(&headers, part)), decoded)
                }
                _ => (Cow::Borrowed(*part), kulanz_wire::decode(part, &options)),
            };
            match forbids(token.as_ref(), &decoded) {
                Some(answer) => forbidden.push((at, answer)),
                None => arrived.push(Arrived { bytes, origin: "http".to_owned(), decoded }),
            }
        }
        let taken = intake::take(&server.house.engine, arrived).await;
        let mut taken = taken.map_err(|error| fault(&error))?;
        for (at, answer) in forbidden {
            taken.insert(at, answer);
        }
        answers.extend(taken);
    }
    let single = matches!(mode, Mode::Structured | Mode::Binary);
    Ok(receipts(answers, single))
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
            let mut body = json!(problem);
            body["status"] = json!(status.as_u16());
            body["id"] = json!(answer.id);
            let mut response = (status, Json(body)).into_response();
            let kind = header::HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            return response;
        }
        return (StatusCode::ACCEPTED, Json(json!({ "receipts": [answer] }))).into_response();
    }
    (StatusCode::ACCEPTED, Json(json!({ "receipts": answers }))).into_response()
}

async fn order(
    State(server): State<Server>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Result<Json<Value>, Refused> {
    let token = person(&server, from.ip(), &headers).await?;
    let name = match &token {
        Some(token) => {
            let other = token.creditor.as_ref().zip(order.creditor());
            if !order.needs().contains(&token.role.as_str())
                || other.is_some_and(|(own, asked)| own != asked)
                || (token.creditor.is_some() && order.creditor().is_none())
            {
                let detail = format!("{} may not do this with role `{}`", token.person, token.role);
                let title = "not with this token";
                return Err(refused(StatusCode::FORBIDDEN, "forbidden", title, detail));
            }
            token.person.clone()
        }
        None => {
            let name = headers.get("x-kulanz-person").and_then(|value| value.to_str().ok());
            name.unwrap_or("somebody").to_owned()
        }
    };
    match orders::execute(&server.house, order, &name).await {
        Ok(outcome) => Ok(Json(json!(outcome))),
        Err(error) => {
            let detail = format!("{error:#}");
            Err(refused(StatusCode::CONFLICT, "refused", "the order was refused", detail))
        }
    }
}

/// Listens on `address`; anything but loopback needs a token in the store first.
pub async fn listen(house: &House, address: SocketAddr) -> Result<tokio::net::TcpListener> {
    let tokens = house.engine.store().tokens().await?;
    let published = house.settings.base_url.as_deref().is_some_and(|url| !is_local(url));
    if published && tokens.is_empty() {
        bail!(
            "base_url says that a proxy shows this server to others, and through a proxy everybody \
             looks like this machine. Make a token first: `kulanz token create --person NAME \
             --role events`"
        );
    }
    if !address.ip().is_loopback() && tokens.is_empty() {
        bail!(
            "nobody could be told apart on {address}: make a token first (`kulanz token create \
             --person NAME --role events`), or listen on 127.0.0.1"
        );
    }
    tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is something else there?"))
}

/// Whether a URL names this machine.
fn is_local(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    matches!(host, "localhost" | "127.0.0.1") || rest.starts_with("[::1]")
}

/// The time for people, in the zone of the machine's clock setting.
pub fn shown(at: jiff::Timestamp) -> String {
    at.to_zoned(TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC))
        .strftime("%a %Y-%m-%d %H:%M")
        .to_string()
}

//! `Idempotency-Key` on commands, as draft-ietf-httpapi-idempotency-key-header has it: asked twice
//! with one key, a command is done once and both hear the same.
//!
//! The key belongs to the token: nobody meets another's. What is kept lies with the data, sealed,
//! since an answer may hold a link that opens a debtor's page. Of a command that is one append it is
//! part of that append ([`once`]); of others it stands beside what they do ([`once_begun`]).

use std::{future::Future, sync::Arc};

use anyhow::{Context, Result, anyhow};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use kulanz_engine::panics;
use kulanz_store::RequestRow;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::JoinError;

use super::{Server, caller::Caller, problem::PROBLEM_JSON, problem::Refused};

mod keyed;

pub use keyed::Keyed;
use keyed::Settled;

/// How long an answer is given again.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a command may take that is not one append. One that has no answer after that was
/// interrupted.
const LONGEST: SignedDuration = SignedDuration::from_mins(2);
/// Longest key in characters.
const LONGEST_KEY: usize = 255;

const NAME: &str = "idempotency-key";
/// Set on an answer that is given again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    status: u16,
    /// JSON.
    body: String,
}

impl Answer {
    /// A good one.
    pub fn of(status: StatusCode, body: &impl Serialize) -> Result<Self, Refused> {
        let body = serde_json::to_string(body).map_err(|error| Refused::fault(&error.into()))?;
        Ok(Self { status: status.as_u16(), body })
    }

    fn refused(refused: &Refused) -> Self {
        Self { status: refused.status().as_u16(), body: refused.body().to_string() }
    }

    fn is_fault(&self) -> bool {
        self.status >= 500
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let kind = if self.status < 400 { "application/json" } else { PROBLEM_JSON };
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// A command that came in.
pub struct Command<'a> {
    /// Who gave it.
    pub caller: &'a Caller,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Where it was sent to.
    pub path: &'a str,
    /// What it says.
    pub body: &'a [u8],
}

/// What a command with a key is known by.
#[derive(Clone, Copy)]
struct Asked {
    request: [u8; 32],
    fingerprint: [u8; 32],
}

impl Asked {
    /// `None` where there is no key.
    fn of(command: &Command<'_>) -> Result<Option<Self>, Refused> {
        let Some(key) = key(command.headers)? else { return Ok(None) };
        let scope = command.caller.token.as_ref().map_or([0; 32], |token| token.token_hash);
        let request = hash(&[&scope, key.as_bytes()]);
        let fingerprint = hash(&[command.path.as_bytes(), command.body]);
        Ok(Some(Self { request, fingerprint }))
    }

    /// The answer where something is kept under this key already.
    fn told(&self, server: &Server, kept: RequestRow) -> Result<Response, Refused> {
        if kept.fingerprint != self.fingerprint {
            return Err(Refused::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this key was used for something else",
                "the key came with another path or body before; take a new key for a new command",
            ));
        }
        if let Some(sealed) = kept.answer {
            let answer =
                open(server, &self.request, &sealed).map_err(|error| Refused::fault(&error))?;
            let mut response = answer.into_response();
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            return Ok(response);
        }
        let (status, title) = (StatusCode::CONFLICT, "no answer to this key yet");
        if server.house.engine.clock().now().duration_since(kept.begun_at) < LONGEST {
            let detail = "the same command is being worked on; ask again in a moment";
            return Err(Refused::new(status, "idempotency_in_flight", title, detail).later());
        }
        let detail = "the server ended while it worked on this command, and whether it took \
                      effect is not known: look at what it was to change, then take a new key \
                      where it did not";
        Err(Refused::new(status, "idempotency_unknown", title, detail))
    }
}

/// Before then nothing is known of a key any more.
fn expired(now: Timestamp) -> Timestamp {
    now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN)
}

/// Does `work`, one append at most, and answers; with a key, at most once: the key and the answer,
/// which has `status`, are part of the append. So a server that dies leaves both or neither.
pub async fn once<W>(
    server: &Server,
    command: Command<'_>,
    status: StatusCode,
    work: impl FnOnce(Option<Keyed>) -> W,
) -> Result<Response, Refused>
where
    W: Future<Output = Result<Answer, Refused>> + Send + 'static,
{
    let Some(asked) = Asked::of(&command)? else {
        return work(None).await.map(IntoResponse::into_response);
    };
    let engine = &server.house.engine;
    let now = engine.clock().now();
    if let Some(kept) = engine.store().request(asked.request, expired(now)).await? {
        return asked.told(server, kept);
    }
    let keyed = Keyed::new(asked, now, status, engine.vault().service_key().clone());
    let (house, work) = (Arc::clone(&server.house), work(Some(keyed.clone())));
    // Goes on to its end where the caller goes away, so that the answer is there when it comes back.
    let task = tokio::spawn(async move {
        let answered = work.await;
        keyed.settle(&**house.engine.store(), answered).await
    });
    match task.await {
        Ok(Settled::Own(answered)) => answered.map(IntoResponse::into_response),
        Ok(Settled::Earlier(kept)) => asked.told(server, kept),
        Err(error) => Err(died(&error)),
    }
}

/// As [`once`] for what is not one append: that it began is kept first, and its answer last. Of what
/// a server died on the outcome is unknown.
pub async fn once_begun(
    server: &Server,
    command: Command<'_>,
    work: impl Future<Output = Result<Answer, Refused>> + Send + 'static,
) -> Result<Response, Refused> {
    let Some(asked) = Asked::of(&command)? else {
        return work.await.map(IntoResponse::into_response);
    };
    let engine = &server.house.engine;
    let now = engine.clock().now();
    let Asked { request, fingerprint } = asked;
    let row = RequestRow { request, fingerprint, begun_at: now, answer: None };
    match engine.store().begin_request(row, expired(now)).await? {
        None => done(server, request, work).await,
        Some(kept) => asked.told(server, kept),
    }
}

/// Goes on to its end where the caller goes away, so that the answer is there when it comes back.
async fn done(
    server: &Server,
    request: [u8; 32],
    work: impl Future<Output = Result<Answer, Refused>> + Send + 'static,
) -> Result<Response, Refused> {
    let house = Arc::clone(&server.house);
    let task = tokio::spawn(async move {
        let answered = work.await;
        let answer = answered.as_ref().map_or_else(Answer::refused, Answer::clone);
        let engine = &house.engine;
        let kept = match answer.is_fault() {
            true => Ok(None),
            false => serde_json::to_vec(&answer).map_err(anyhow::Error::from).and_then(|plain| {
                Ok(Some(engine.vault().service_key().seal(&place(&request), &plain)?))
            }),
        };
        let kept = match kept {
            Ok(kept) => engine.store().end_request(request, kept).await.map_err(Into::into),
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            // What was asked is done: that is the answer, now if not later.
            tracing::error!(error = format!("{error:#}"), "an answer was not kept");
        }
        answered
    });
    match task.await {
        Ok(answered) => answered.map(IntoResponse::into_response),
        Err(error) => Err(died(&error)),
    }
}

/// The task that worked on a command has ended before its answer.
fn died(error: &JoinError) -> Refused {
    Refused::fault(&anyhow!("a command was not worked on to its end: {}", panics::ended(error)))
}

fn open(server: &Server, request: &[u8; 32], sealed: &[u8]) -> Result<Answer> {
    let key = server.house.engine.vault().service_key();
    let plain = key.open(&place(request), sealed).context("an answer that was kept")?;
    Ok(serde_json::from_slice(&plain)?)
}

/// A sealed answer opens for its own request alone.
fn place(request: &[u8; 32]) -> String {
    let hex: String = request.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("request/{hex}")
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The key: a string of structured fields (`"…"`), or the same without its quotes, which many
/// clients send.
fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let mut given = headers.get_all(NAME).iter();
    let Some(first) = given.next() else { return Ok(None) };
    let wrong = || {
        let detail = format!(
            "Idempotency-Key is one text of 1 to {LONGEST_KEY} visible ASCII characters in quotes, \
             such as \"8e03978e-40d5-43dd-bc93-6894a57f9324\""
        );
        let status = StatusCode::BAD_REQUEST;
        Refused::new(status, "idempotency_key", "not an idempotency key", detail)
    };
    let text = first.to_str().map_err(|_| wrong())?.trim();
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let plain = quoted.unwrap_or(text);
    let fits = (1..=LONGEST_KEY).contains(&plain.len())
        && plain.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    match given.next().is_none() && fits {
        true => Ok(Some(plain.to_owned())),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key_of(values: &[&str]) -> Option<Option<String>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(NAME, value.parse().unwrap());
        }
        key(&headers).ok()
    }

    #[test]
    fn a_key_stands_in_quotes_or_alone() {
        assert_eq!(key_of(&[]), Some(None));
        assert_eq!(key_of(&["\"a-1\""]), Some(Some("a-1".to_owned())));
        assert_eq!(key_of(&["a-1"]), Some(Some("a-1".to_owned())));
        let long = "x".repeat(256);
        for wrong in ["", "\"\"", "a b", "\"a", "a\\", long.as_str()] {
            assert_eq!(key_of(&[wrong]), None, "{wrong:?}");
        }
        assert_eq!(key_of(&["a", "b"]), None);
    }

    #[test]
    fn two_parts_do_not_run_into_each_other() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }
}

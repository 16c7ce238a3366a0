//! `Idempotency-Key` on commands, as draft-ietf-httpapi-idempotency-key-header has it: asked twice
//! with one key, a command is done once and both hear the same.
//!
//! The key belongs to the token: nobody meets another's. What is kept lies with the data, sealed,
//! since an answer may hold a link that opens a debtor's page. Of a command that is one append it is
//! part of that append ([`once`]); of others it stands beside what they do ([`once_begun`]).

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, anyhow};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use kulanz_engine::panics;
use kulanz_store::RequestRow;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tokio::task::JoinError;

use super::{Server, caller::Caller, problem::PROBLEM_JSON, problem::Refused};
use crate::house::House;

mod keyed;

pub use keyed::Keyed;
use keyed::Settled;

/// How long an answer is given again.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a command may take that is not one append. One that has no answer after that was
/// interrupted, most likely: it is gone on with.
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
    /// More of the command comes after what is one append, and is not done yet, or could not be: it is
    /// done when the same is asked again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unfinished: bool,
}

/// What comes after a command's one append. It may be done several times.
pub type Rest =
    Box<dyn FnOnce(Answer) -> Pin<Box<dyn Future<Output = Result<Answer, Refused>> + Send>> + Send>;

impl Answer {
    /// A good one.
    pub fn of(status: StatusCode, body: &impl Serialize) -> Result<Self, Refused> {
        let body = serde_json::to_string(body).map_err(|error| Refused::fault(&error.into()))?;
        Ok(Self { status: status.as_u16(), body, unfinished: false })
    }

    /// What a good one says.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        serde_json::from_str(&self.body).map_err(|error| Refused::fault(&error.into()))
    }

    fn refused(refused: &Refused) -> Self {
        let (status, body) = (refused.status().as_u16(), refused.body().to_string());
        Self { status, body, unfinished: false }
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

    /// Whether the same command began, and nobody works on it any more: it ended with a fault of ours,
    /// or whoever worked on it died. That this server does not is known.
    fn was_left(&self, server: &Server, kept: &RequestRow, now: Timestamp) -> Result<bool> {
        if kept.fingerprint != self.fingerprint {
            return Ok(false);
        }
        Ok(match &kept.answer {
            Some(sealed) => open(server, &self.request, sealed)?.is_fault(),
            // Who has the data alone knows it at once.
            None => {
                !server.house.engine.store().is_shared()
                    || now.duration_since(kept.begun_at) >= LONGEST
            }
        })
    }

    /// The answer where something is kept under this key already.
    fn told(&self, server: &Server, kept: RequestRow) -> Result<Answer, Refused> {
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
            if !answer.is_fault() {
                return Ok(answer);
            }
        }
        Err(in_flight(kept.begun_at, server.house.engine.clock().now()))
    }
}

/// The same command is being worked on, or whoever did has died: nobody can tell yet.
fn in_flight(begun_at: Timestamp, now: Timestamp) -> Refused {
    let (status, title) = (StatusCode::CONFLICT, "no answer to this key yet");
    let detail = format!(
        "the same command is being worked on since {begun_at}; ask again with the same key, which goes \
         on with it where the server that worked on it has died, {} seconds after that at the latest",
        LONGEST.as_secs()
    );
    let kind = "idempotency_in_flight";
    Refused::new(status, kind, title, detail).after(ask_again(now.duration_since(begun_at)))
}

/// In how many seconds to ask again: after as long as it took already, so that few ask in vain, and
/// no later than it is known that whoever worked on it has died.
fn ask_again(took: SignedDuration) -> u64 {
    let left = LONGEST.saturating_sub(took);
    let wait = if left.is_positive() { took.min(left) } else { took };
    wait.as_secs().clamp(1, LONGEST.as_secs()).unsigned_abs()
}

/// Commands that this server works on, by their keys.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<Mutex<HashSet<[u8; 32]>>>);

/// One of them, until it is dropped.
struct Working(UnderWay, [u8; 32]);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where it is worked on already.
    fn begin(&self, request: [u8; 32]) -> Option<Working> {
        self.lock().insert(request).then(|| Working(self.clone(), request))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

/// Before then nothing is known of a key any more.
fn expired(now: Timestamp) -> Timestamp {
    now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN)
}

/// An answer that is given again.
fn replayed(answer: Answer) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Does `work`, one append at most, and answers; with a key, at most once: the key and the answer,
/// which has `status`, are part of the append. So a server that dies leaves both or neither. What has
/// a `rest` is answered after that, and as long as the rest is not done it is done when the same is
/// asked again.
pub async fn once<W>(
    server: &Server,
    command: Command<'_>,
    status: StatusCode,
    work: impl FnOnce(Option<Keyed>) -> W,
    rest: Option<Rest>,
) -> Result<Response, Refused>
where
    W: Future<Output = Result<Answer, Refused>> + Send + 'static,
{
    let Some(asked) = Asked::of(&command)? else {
        let answer = work(None).await?;
        return Ok(match rest {
            Some(rest) => rest(answer).await?.into_response(),
            None => answer.into_response(),
        });
    };
    let engine = &server.house.engine;
    let now = engine.clock().now();
    if let Some(kept) = engine.store().request(asked.request, expired(now)).await? {
        let answer = asked.told(server, kept)?;
        return finished(&server.house, asked.request, answer, rest).await.map(replayed);
    }
    let service_key = engine.vault().service_key().clone();
    let keyed = Keyed::new(asked, now, status, rest.is_some(), service_key);
    let (house, work) = (Arc::clone(&server.house), work(Some(keyed.clone())));
    // Goes on to its end where the caller goes away, so that the answer is there when it comes back.
    let task = tokio::spawn(async move {
        let answered = work.await;
        match keyed.settle(&**house.engine.store(), answered).await {
            Settled::Own(Ok(answer)) => {
                (Settled::Own(finished(&house, asked.request, answer, rest).await), None)
            }
            settled => (settled, rest),
        }
    });
    match task.await {
        Ok((Settled::Own(answered), _)) => answered.map(IntoResponse::into_response),
        Ok((Settled::Earlier(kept), rest)) => {
            let answer = asked.told(server, kept)?;
            finished(&server.house, asked.request, answer, rest).await.map(replayed)
        }
        Err(error) => Err(died(&error)),
    }
}

/// Does the rest of a command, where there is one that is not done, and keeps the whole answer.
async fn finished(
    house: &House,
    request: [u8; 32],
    answer: Answer,
    rest: Option<Rest>,
) -> Result<Answer, Refused> {
    let Some(rest) = rest.filter(|_| answer.unfinished) else { return Ok(answer) };
    let answer = rest(answer).await?;
    if let Err(error) = keep(house, request, &answer).await {
        // What was asked is done: that is the answer, now if not later.
        tracing::error!(error = format!("{error:#}"), "an answer was not kept");
    }
    Ok(answer)
}

/// Keeps the answer to a command that began. One of a fault of ours says that it is to be gone on with.
async fn keep(house: &House, request: [u8; 32], answer: &Answer) -> Result<()> {
    let engine = &house.engine;
    let plain = serde_json::to_vec(answer)?;
    let sealed = engine.vault().service_key().seal(&place(&request), &plain)?;
    Ok(engine.store().end_request(request, Some(sealed)).await?)
}

/// A command that is not one append, and came with a key.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The key, as it is kept.
    pub key: String,
    /// When it came first.
    pub at: Timestamp,
    /// It came before, and a server died on it or had a fault: some of it may be done.
    pub again: bool,
}

/// As [`once`] for what is not one append: that it began is kept first, and its answer last. Each part
/// of it can be done twice without harm, so that what a server died on, or what ended with a fault of
/// ours, is gone on with by whoever is asked for the same again.
pub async fn once_begun<W>(
    server: &Server,
    command: Command<'_>,
    work: impl FnOnce(Option<Begun>) -> W,
) -> Result<Response, Refused>
where
    W: Future<Output = Result<Answer, Refused>> + Send + 'static,
{
    let Some(asked) = Asked::of(&command)? else {
        return work(None).await.map(IntoResponse::into_response);
    };
    let engine = &server.house.engine;
    let now = engine.clock().now();
    let Asked { request, fingerprint } = asked;
    let Some(working) = server.under_way.begin(request) else {
        let kept = engine.store().request(request, expired(now)).await?;
        return kept.map_or_else(
            || Err(in_flight(now, now)),
            |kept| asked.told(server, kept).map(replayed),
        );
    };
    let begun = |at, again| Some(Begun { key: place(&request), at, again });
    let row = RequestRow { request, fingerprint, begun_at: now, answer: None };
    match engine.store().begin_request(row, expired(now)).await? {
        None => done(server, working, work(begun(now, false))).await,
        Some(kept) => match asked.was_left(server, &kept, now) {
            Ok(true) => {
                tracing::warn!("a command that was not worked on to its end is gone on with");
                done(server, working, work(begun(kept.begun_at, true))).await
            }
            Ok(false) => asked.told(server, kept).map(replayed),
            Err(error) => Err(Refused::fault(&error)),
        },
    }
}

/// Goes on to its end where the caller goes away, so that the answer is there when it comes back.
async fn done(
    server: &Server,
    working: Working,
    work: impl Future<Output = Result<Answer, Refused>> + Send + 'static,
) -> Result<Response, Refused> {
    let house = Arc::clone(&server.house);
    let task = tokio::spawn(async move {
        let working = working; // until its answer is kept
        let answered = match panics::caught_in("http", work).await {
            Ok(answered) => answered,
            Err(fault) => Err(fault.into()),
        };
        let answer = answered.as_ref().map_or_else(Answer::refused, Answer::clone);
        if let Err(error) = keep(&house, working.1, &answer).await {
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
    fn who_asks_again_waits_as_long_as_it_took_and_not_beyond_the_end_of_a_dead_server() {
        let after = |seconds| ask_again(SignedDuration::from_secs(seconds));
        assert_eq!([-5, 0, 1, 7, 50].map(after), [1, 1, 1, 7, 50]);
        assert_eq!([61, 100, 119].map(after), [59, 20, 1], "when it can be gone on with");
        assert_eq!([120, 500].map(after), [120, 120], "one that takes long");
    }

    #[test]
    fn two_parts_do_not_run_into_each_other() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }
}

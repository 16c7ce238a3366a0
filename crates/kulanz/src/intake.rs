//! Inbound events, from bytes to receipts: the same for HTTP, files and retried dead letters.
//! Whatever cannot be taken becomes a dead letter; nothing is lost.

use std::{borrow::Cow, collections::BTreeMap};

use anyhow::Result;
use kulanz_engine::{Engine, Fault, Incoming, Receipt, panics, trace};
use kulanz_store::{DeadLetter, InboxKey};
use kulanz_wire::{Inbound, Reason, Rejection};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::oneshot;
use tracing::{Level, Span, event, field::Empty};

use crate::telemetry::METRIC;

/// Title of the problem where an event makes the program panic.
const FAULT: &str = "a fault of ours; the event is kept";

/// What became of one inbound event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
pub struct Answer {
    /// CloudEvents `id`, where it could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `accepted`, `duplicate`, `rejected`, or `failed`: a fault of ours, send it again.
    #[schemars(extend("enum" = ["accepted", "duplicate", "rejected", "failed"]))]
    pub status: &'static str,
    /// Why not, in the form of RFC 9457.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Members that were kept out, since no schema names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// An RFC 9457 problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// What kind, as a URN of ours.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line.
    pub title: String,
    /// What is wrong and what would be right.
    pub detail: String,
    /// JSON pointer into the event; empty: all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// Number of the dead letter that keeps the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<u64>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:kulanz:problem:{kind}"),
            title: title.to_owned(),
            detail: detail.into(),
            pointer: String::new(),
            dead_letter: None,
        }
    }
}

/// One event as it came, decoded or not.
pub struct Arrived<'a> {
    /// The bytes of the event in structured mode.
    pub bytes: Cow<'a, [u8]>,
    /// `http`, `file:NAME:LINE`, `kafka:TOPIC/PARTITION@OFFSET`.
    pub origin: String,
    /// What decoding said.
    pub decoded: Result<Inbound, Rejection>,
}

/// What decoding says; an event that makes the program panic is kept as one that breaks the
/// contract is, and may be tried again once that is mended.
pub fn decoded(decode: impl FnOnce() -> Result<Inbound, Rejection>) -> Result<Inbound, Rejection> {
    panics::caught("decode", decode).unwrap_or_else(|_| {
        Err(Rejection::new(Reason::Fault, "", "the program panicked on it; the log says where"))
    })
}

/// Counts of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Recorded.
    pub accepted: u64,
    /// Recorded before.
    pub duplicates: u64,
    /// Dead letters.
    pub rejected: u64,
}

impl Counts {
    /// Adds one answer.
    pub fn count(&mut self, answer: &Answer) {
        match answer.status {
            "accepted" => self.accepted += 1,
            "duplicate" => self.duplicates += 1,
            _ => self.rejected += 1,
        }
    }
}

/// Records what was decoded and keeps the rest as dead letters. An error is a fault of ours: send
/// all of it again, whatever was recorded is a duplicate then.
pub async fn take(engine: &Engine, arrived: Vec<Arrived<'_>>) -> Result<Vec<Answer>> {
    let (mut answers, lost) = recorded(engine, &arrived, Turn::default(), Alone::Too).await?;
    if lost.is_empty() {
        return Ok(answers);
    }
    let (places, letters): (Vec<usize>, Vec<DeadLetter>) = lost.into_iter().unzip();
    let numbers = engine.store().put_dead_letters(letters).await?;
    for (at, number) in places.into_iter().zip(numbers) {
        if let Some(problem) = answers[at].problem.as_mut() {
            problem.dead_letter = Some(number);
        }
    }
    Ok(answers)
}

/// A place in a row: whoever has it waits until the one before has handed its events over, and
/// lets the next one go when it has done so, or is gone.
#[derive(Debug, Default)]
pub struct Turn {
    before: Option<oneshot::Receiver<()>>,
    next: Option<oneshot::Sender<()>>,
}

impl Turn {
    /// The turn after all that were made from `last`, and the end of the row from then on.
    #[cfg(feature = "kafka")]
    pub fn after(last: Self) -> (Self, Self) {
        let (next, before) = oneshot::channel();
        (Self { next: Some(next), ..last }, Self { before: Some(before), next: None })
    }

    fn end(self) {
        if let Some(next) = self.next {
            // Where nobody waits, nobody has to know.
            let _ = next.send(());
        }
    }

    async fn comes(&mut self) {
        if let Some(before) = self.before.take() {
            // Gone is as good as done.
            let _ = before.await;
        }
    }
}

/// Answers, and dead letters that the caller has to keep, each with its place among what arrived.
type Recorded = (Vec<Answer>, Vec<(usize, DeadLetter)>);

/// Whether an event that makes the program panic is told once more alone, to know whether it is to
/// blame, and is a dead letter then; else all of it fails, and is told again by who had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Too,
    #[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "Kafka's are told again"))]
    Not,
}

/// Records what was decoded; the rest as dead letters. The engine gets it when its `turn` has come.
#[cfg(feature = "kafka")]
pub async fn record(engine: &Engine, arrived: &[Arrived<'_>], turn: Turn) -> Result<Recorded> {
    recorded(engine, arrived, turn, Alone::Not).await
}

async fn recorded(
    engine: &Engine,
    arrived: &[Arrived<'_>],
    mut turn: Turn,
    alone: Alone,
) -> Result<Recorded> {
    let mut answers: Vec<Option<Answer>> = Vec::with_capacity(arrived.len());
    let mut items = Vec::new();
    let mut places = Vec::new();
    let mut lost: Vec<(usize, &'static str, String, Option<kulanz_domain::ids::AccountId>)> =
        Vec::new();
    // Open until all of it is durable.
    let mut spans = Vec::new();
    for (at, one) in arrived.iter().enumerate() {
        match &one.decoded {
            Ok(inbound) => {
                let mut item = incoming(inbound)?;
                if let Some(span) = span(inbound) {
                    item.trace = trace::context(&span);
                    spans.push((at, span));
                }
                items.push(item);
                places.push(at);
                answers.push(None);
            }
            Err(rejection) => {
                let account = rejection.account.clone();
                lost.push((at, rejection.reason.name(), told(rejection), account));
                answers.push(Some(rejected(rejection)));
            }
        }
    }
    turn.comes().await;
    let receipts = match items.is_empty() {
        true => Vec::new(),
        false => {
            let handed_over = engine.hand_over(items).await?;
            turn.end();
            handed_over.receipts().await?
        }
    };
    for (at, receipt) in places.into_iter().zip(receipts) {
        let Ok(inbound) = &arrived[at].decoded else { continue };
        let receipt = match receipt {
            Receipt::Faulted(detail) if alone == Alone::Too && is_panic(&detail) => {
                let again = engine.record(vec![incoming(inbound)?]).await?;
                again.into_iter().next().unwrap_or(Receipt::Faulted(detail))
            }
            receipt => receipt,
        };
        let (status, problem) = match receipt {
            Receipt::Faulted(detail) if alone == Alone::Too && is_panic(&detail) => {
                let (account, event) = (&inbound.account, inbound.key.1.as_str());
                tracing::error!(%account, event, "an event makes the program panic");
                let problem = Problem::new(Reason::Fault.name(), FAULT, &detail);
                lost.push((at, Reason::Fault.name(), detail, Some(inbound.account.clone())));
                ("rejected", Some(problem))
            }
            Receipt::Accepted => ("accepted", None),
            Receipt::Duplicate => ("duplicate", None),
            Receipt::Faulted(detail) => anyhow::bail!("{detail}"),
            Receipt::Refused(refusal) => {
                let detail = refusal.to_string();
                let problem = Problem::new("refused", "the account refuses the event", &detail);
                lost.push((at, "refused", detail, Some(inbound.account.clone())));
                ("rejected", Some(problem))
            }
            Receipt::UnknownCreditor(creditor) => {
                let detail = format!(
                    "there is no file for creditor {creditor}: write policies/creditors/{creditor}\
                     .yaml, then retry the dead letter"
                );
                let title = "the creditor is not known";
                let problem = Problem::new("unknown_creditor", title, &detail);
                lost.push((at, "unknown_creditor", detail, None));
                ("rejected", Some(problem))
            }
        };
        answers[at] = Some(Answer {
            id: Some(inbound.key.1.clone()),
            status,
            problem,
            ignored: inbound.ignored.clone(),
        });
    }
    let mut letters = Vec::with_capacity(lost.len());
    for (at, reason, detail, account) in lost {
        let one = &arrived[at];
        letters.push((at, letter(engine, one, reason, detail, account.as_ref()).await?));
    }
    for (at, span) in spans {
        span.record("status", answers[at].as_ref().map_or("failed", |answer| answer.status));
    }
    let answers: Vec<Answer> = answers.into_iter().flatten().collect();
    counted(arrived, &answers);
    Ok((answers, letters))
}

fn is_panic(detail: &str) -> bool {
    detail == Fault::Panicked.to_string()
}

/// What could not be taken, sealed.
pub async fn letter(
    engine: &Engine,
    arrived: &Arrived<'_>,
    reason: &str,
    detail: String,
    account: Option<&kulanz_domain::ids::AccountId>,
) -> Result<DeadLetter> {
    let (account, sealed) = engine.seal_letter(account, &arrived.bytes).await?;
    Ok(DeadLetter {
        number: 0,
        received_at: engine.clock().now(),
        origin: arrived.origin.clone(),
        reason: reason.to_owned(),
        detail,
        sealed,
        account,
        open: true,
    })
}

/// Where the producer traces an event: our part of that trace.
fn span(inbound: &Inbound) -> Option<Span> {
    let producer = trace::continued(inbound.traceparent.as_deref())?;
    let (account, event) = (&inbound.account, inbound.key.1.as_str());
    let span = tracing::info_span!(
        parent: None, "intake.take_event", %account, event, status = Empty
    );
    Some(producer.adopt(span))
}

/// Tells the metrics what became of events.
fn counted(arrived: &[Arrived<'_>], answers: &[Answer]) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (one, answer) in arrived.iter().zip(answers) {
        // `file:NAME:LINE` and the like: the kind of origin is what is counted by.
        let origin = one.origin.split(':').next().unwrap_or_default();
        *counts.entry((origin, answer.status)).or_default() += 1;
    }
    for ((origin, status), number) in counts {
        event!(
            target: METRIC, Level::TRACE, monotonic_counter.kulanz_events = number, origin, status
        );
    }
}

/// A decoded event as the engine takes it.
pub fn incoming(inbound: &Inbound) -> Result<Incoming> {
    let mut secrets = Vec::with_capacity(inbound.secrets.len());
    for (slot, personal) in &inbound.secrets {
        secrets.push((slot.clone(), serde_json::to_vec(&**personal)?));
    }
    Ok(Incoming {
        key: InboxKey { source: inbound.key.0.clone(), id: inbound.key.1.clone() },
        account: inbound.account.clone(),
        stamp: inbound.stamp.clone(),
        fact: inbound.fact.clone(),
        secrets,
        recorded_at: None,
        trace: None,
    })
}

fn told(rejection: &Rejection) -> String {
    match rejection.pointer.as_str() {
        "" => rejection.sentence.clone(),
        pointer => format!("{pointer}: {}", rejection.sentence),
    }
}

/// The answer to an event that breaks the contract.
pub fn rejected(rejection: &Rejection) -> Answer {
    let title = match rejection.reason {
        Reason::Fault => FAULT,
        _ => "the event breaks the contract",
    };
    let mut problem = Problem::new(rejection.reason.name(), title, &rejection.sentence);
    problem.pointer = rejection.pointer.clone();
    let id = rejection.event.clone();
    Answer { id, status: "rejected", problem: Some(problem), ignored: Vec::new() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn an_event_that_cannot_be_decoded_for_a_panic_is_kept_as_a_fault_of_ours() {
        let rejection = decoded(|| panic!("Kim lives at kim@example.org")).unwrap_err();
        let answer = rejected(&rejection);
        let problem = answer.problem.unwrap();
        assert_eq!((answer.status, problem.title.as_str()), ("rejected", FAULT));
        assert_eq!(problem.kind, "urn:kulanz:problem:fault");
        assert!(!told(&rejection).contains("Kim"));
    }
}

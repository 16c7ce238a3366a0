//! The event contract: from bytes to [`Fact`]s, and nothing decided on the way.
//!
//! [`decode`] reads one CloudEvent. What it lets through is well-formed by the published schemas;
//! what a fact means for its account, and whether its creditor exists, is for others to say.
//! Personal members leave the event here: they travel beside the fact in [`Inbound::secrets`].
//!
//! - [`files`] reads event files, plain or compressed, line by line.
//! - [`encode`] writes events, for generators and tests.
//! - [`schema`] is the published form of the contract.

mod data;
pub mod encode;
mod envelope;
pub mod files;
mod kind;
mod leaf;
mod member;
mod personal;
mod rejection;
pub mod schema;

use jiff::Timestamp;
use kulanz_domain::{
    fact::{Fact, Stamp},
    ids::{AccountId, CreditorId},
};

use data::Data;
pub use encode::cloud_event;
use envelope::{Attributes, Envelope, checked, failure, is_traceparent, syntax};
pub use envelope::{Mode, Transport, split_batch};
pub use kind::EventType;
use member::Context;
pub use personal::Personal;
use rejection::Fault;
pub use rejection::{Reason, Rejection};

/// The largest event: 1 MiB. Longer ones are refused before any of it is parsed.
pub const MAX_EVENT_BYTES: usize = 1 << 20;
/// The largest batch or NDJSON body: 16 MiB.
pub const MAX_BATCH_BYTES: usize = 16 << 20;
/// The debtor of payments that nobody has assigned yet: the subject is `creditor/_unmatched`.
pub const UNMATCHED: &str = "_unmatched";

/// What decoding must know of creditors.
#[derive(Clone, Copy)]
pub struct DecodeOptions<'a> {
    /// Whether the creditor's file lists this attribute of debtors as harmless: harmless ones
    /// become part of the fact, all others are personal.
    pub harmless_attributes: &'a (dyn Fn(&CreditorId, &str) -> bool + Sync),
}

impl DecodeOptions<'static> {
    /// Takes every attribute as personal.
    pub const STRICT: Self = Self { harmless_attributes: &|_, _| false };
}

/// An event that keeps to the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// CloudEvents `source` and `id`: together, in this order, the idempotency key.
    pub key: (String, String),
    /// The account that the event is about.
    pub account: AccountId,
    /// Orders facts about the same thing.
    pub stamp: Stamp,
    /// The CloudEvents `time`.
    pub at: Timestamp,
    /// W3C trace context to continue.
    pub traceparent: Option<String>,
    /// Type of the event.
    pub kind: EventType,
    /// What happened, free of personal data.
    pub fact: Fact,
    /// Personal members by the slot under which they are to be sealed (`debtor`, `invoice/R-1`,
    /// `payment/P-1/return` …), in the account's vault and with this event's stamp.
    pub secrets: Vec<(String, Personal)>,
    /// JSON pointers of members that were left out because no type has them.
    pub ignored: Vec<String>,
}

/// Decodes one structured-mode event (also a line of NDJSON, or an item of a batch).
pub fn decode(bytes: &[u8], options: &DecodeOptions<'_>) -> Result<Inbound, Rejection> {
    let text = checked(bytes, MAX_EVENT_BYTES)?;
    inbound(Attributes::structured(text)?.finish()?, options)
}

/// Decodes one binary-mode event: context attributes from `headers` (names in any case; others
/// than `ce-…` or `ce_…`, `content-type` and `traceparent` are passed over), data from `body`.
pub fn decode_binary<'a>(
    transport: Transport,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    body: &'a [u8],
    options: &DecodeOptions<'_>,
) -> Result<Inbound, Rejection> {
    let text = checked(body, MAX_EVENT_BYTES)?;
    inbound(Attributes::binary(transport, headers, text)?.finish()?, options)
}

/// The lines of an NDJSON body with their numbers, from 1; empty lines are passed over.
pub fn lines(body: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    (1..).zip(body.split(|b| *b == b'\n')).filter_map(|(number, line)| {
        let line = line.trim_ascii();
        (!line.is_empty()).then_some((number, line))
    })
}

fn inbound(envelope: Envelope<'_>, options: &DecodeOptions<'_>) -> Result<Inbound, Rejection> {
    let (fact, secrets, mut ignored) = by_type(&envelope, options).map_err(|rejection| {
        let event = Some(envelope.id.clone().into_owned());
        Rejection { event, account: Some(envelope.account.clone()), ..rejection }
    })?;
    let traceparent = match envelope.traceparent {
        Some(text) if is_traceparent(&text) => Some(text.into_owned()),
        Some(_) => {
            // W3C: a context that cannot be read is not continued, and no reason to refuse.
            ignored.push("/traceparent".to_owned());
            None
        }
        None => None,
    };
    let id = format!("{}#{}", envelope.source, envelope.id);
    Ok(Inbound {
        key: (envelope.source.into_owned(), envelope.id.into_owned()),
        account: envelope.account,
        stamp: Stamp { at: envelope.time, id },
        at: envelope.time,
        traceparent,
        kind: envelope.kind,
        fact,
        secrets,
        ignored,
    })
}

type Told = (Fact, personal::Secrets, Vec<String>);

fn by_type(envelope: &Envelope<'_>, options: &DecodeOptions<'_>) -> Result<Told, Rejection> {
    use EventType::*;
    let read = match envelope.kind {
        DebtorUpdated => translate::<data::DebtorUpdated>,
        DebtorInsolvencyOpened => translate::<data::DebtorInsolvencyOpened>,
        DebtorDeceased => translate::<data::DebtorDeceased>,
        HoldPlaced => translate::<data::HoldPlaced>,
        HoldReleased => translate::<data::HoldReleased>,
        InvoiceIssued => translate::<data::InvoiceIssued>,
        InvoiceAdjusted => translate::<data::InvoiceAdjusted>,
        InvoiceCredited => translate::<data::InvoiceCredited>,
        InvoiceCancelled => translate::<data::InvoiceCancelled>,
        InvoiceRescheduled => translate::<data::InvoiceRescheduled>,
        InvoiceDefaultDeclared => translate::<data::InvoiceDefaultDeclared>,
        InvoiceAcknowledged => translate::<data::InvoiceAcknowledged>,
        InvoiceSuspended => translate::<data::InvoiceSuspended>,
        InvoiceTitled => translate::<data::InvoiceTitled>,
        InvoiceWaived => translate::<data::InvoiceWaived>,
        InvoiceWrittenOff => translate::<data::InvoiceWrittenOff>,
        DisputeOpened => translate::<data::DisputeOpened>,
        DisputeResolved => translate::<data::DisputeResolved>,
        PaymentReceived => translate::<data::PaymentReceived>,
        PaymentReturned => translate::<data::PaymentReturned>,
        PaymentRefunded => translate::<data::PaymentRefunded>,
        PaymentFailed => translate::<data::PaymentFailed>,
        PaymentAssigned => translate::<data::PaymentAssigned>,
        ReminderSent => translate::<data::ReminderSent>,
        ReminderDelivered | ReminderBounced | ReminderFailed | ReminderAnswered => {
            translate::<data::ReminderReceipt>
        }
        PlacementAccepted | PlacementRejected | PlacementClosed => {
            translate::<data::PlacementMoved>
        }
        PlacementPaymentReceived => translate::<data::PlacementPaymentReceived>,
        PlacementStatus => translate::<data::PlacementStatus>,
    };
    read(envelope, options)
}

/// Reads the data of one type and parts the fact from the personal members.
fn translate<T: Data>(
    envelope: &Envelope<'_>,
    options: &DecodeOptions<'_>,
) -> Result<Told, Rejection> {
    let mut context = Context::inside("data");
    let mut json = serde_json::Deserializer::from_str(envelope.data);
    let data = match T::read(&mut json, &mut context) {
        Ok(data) => data,
        Err(error) => return Err(failure(&error, context)),
    };
    json.end().map_err(|error| syntax(&error, "/data"))?;
    let rejected = |fault: Fault| {
        Rejection::new(Reason::Invalid, format!("/data/{}", fault.member), fault.sentence)
    };
    same_account(&data, envelope).map_err(rejected)?;
    let mut translation = data::Translation {
        kind: envelope.kind,
        account: &envelope.account,
        time: envelope.time,
        is_harmless: options.harmless_attributes,
        secrets: Vec::new(),
    };
    let fact = data.fact(&mut translation).map_err(rejected)?;
    Ok((fact, translation.secrets, context.ignored))
}

fn same_account(data: &impl Data, envelope: &Envelope<'_>) -> Result<(), Fault> {
    let account = &envelope.account;
    let unmatched = account.debtor.as_str() == UNMATCHED;
    if *data.creditor() != account.creditor {
        return Err(Fault::new("creditor", "is not the creditor that the subject names"));
    }
    match data.debtor() {
        Some(debtor) if *debtor != account.debtor => {
            Err(Fault::new("debtor", "is not the debtor that the subject names"))
        }
        None if !unmatched => {
            Err(Fault::new("debtor", "is missing: only creditor/_unmatched goes without"))
        }
        _ if unmatched && !may_be_unmatched(envelope.kind) => {
            Err(Fault::new("debtor", "is `_unmatched`, which is for payments alone"))
        }
        _ => Ok(()),
    }
}

const fn may_be_unmatched(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::PaymentReceived
            | EventType::PaymentReturned
            | EventType::PaymentRefunded
            | EventType::PaymentAssigned
    )
}

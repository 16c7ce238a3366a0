//! The published form of the contract: JSON Schema 2020-12, made from the structs that read the
//! events, so that the two cannot differ.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::Value;

use crate::{data, encode::CloudEvent, kind::EventType};

/// A schema and the file under `schemas/` that it is published as.
#[derive(Debug, Clone)]
pub struct Published {
    /// Path under `schemas/`.
    pub file: String,
    /// The schema.
    pub schema: Value,
}

impl Published {
    /// The file's text.
    pub fn text(&self) -> String {
        format!("{:#}\n", self.schema)
    }
}

/// The envelope, then the data of each type in the order of [`EventType::ALL`].
pub fn all() -> Vec<Published> {
    let mut all = vec![Published {
        file: "events/envelope.v1.json".to_owned(),
        schema: made::<CloudEvent<'static>>("envelope", None),
    }];
    all.extend(EventType::ALL.iter().map(|kind| Published {
        file: format!("events/{}.v1.json", kind.word()),
        schema: of(*kind),
    }));
    all
}

/// The schema of the `data` of events of that type.
pub fn of(kind: EventType) -> Value {
    use EventType::*;
    let word = kind.word();
    match kind {
        DebtorUpdated => made::<data::DebtorUpdated>(word, None),
        DebtorInsolvencyOpened => made::<data::DebtorInsolvencyOpened>(word, None),
        DebtorDeceased => made::<data::DebtorDeceased>(word, None),
        HoldPlaced => made::<data::HoldPlaced>(word, None),
        HoldReleased => made::<data::HoldReleased>(word, None),
        InvoiceIssued => made::<data::InvoiceIssued>(word, None),
        InvoiceAdjusted => made::<data::InvoiceAdjusted>(word, None),
        InvoiceCredited => made::<data::InvoiceCredited>(word, None),
        InvoiceCancelled => made::<data::InvoiceCancelled>(word, None),
        InvoiceRescheduled => made::<data::InvoiceRescheduled>(word, None),
        InvoiceDefaultDeclared => made::<data::InvoiceDefaultDeclared>(word, None),
        InvoiceAcknowledged => made::<data::InvoiceAcknowledged>(word, None),
        InvoiceSuspended => made::<data::InvoiceSuspended>(word, None),
        InvoiceTitled => made::<data::InvoiceTitled>(word, None),
        InvoiceWaived => made::<data::InvoiceWaived>(word, None),
        InvoiceWrittenOff => made::<data::InvoiceWrittenOff>(word, None),
        DisputeOpened => made::<data::DisputeOpened>(word, None),
        DisputeResolved => made::<data::DisputeResolved>(word, None),
        PaymentReceived => made::<data::PaymentReceived>(word, None),
        PaymentReturned => made::<data::PaymentReturned>(word, None),
        PaymentRefunded => made::<data::PaymentRefunded>(word, None),
        PaymentFailed => made::<data::PaymentFailed>(word, None),
        PaymentAssigned => made::<data::PaymentAssigned>(word, None),
        ReminderSent => made::<data::ReminderSent>(word, None),
        ReminderDelivered => receipt(word, "A message reached its device or mailbox."),
        ReminderBounced => receipt(word, "An address does not exist: it is not used again."),
        ReminderFailed => receipt(word, "A message failed; its address may still be good."),
        ReminderAnswered => receipt(word, "The debtor replied to a message."),
        PlacementAccepted => moved(word, "The agency took the placement on."),
        PlacementRejected => moved(word, "The agency refused the placement."),
        PlacementPaymentReceived => made::<data::PlacementPaymentReceived>(word, None),
        PlacementStatus => made::<data::PlacementStatus>(word, None),
        PlacementClosed => moved(word, "The agency closed the placement."),
    }
}

fn receipt(word: &str, about: &str) -> Value {
    made::<data::ReminderReceipt>(word, Some(about))
}

fn moved(word: &str, about: &str) -> Value {
    made::<data::PlacementMoved>(word, Some(about))
}

fn made<T: JsonSchema>(word: &str, about: Option<&str>) -> Value {
    let settings = SchemaSettings::draft2020_12();
    let mut schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), Value::String(format!("urn:kulanz:schema:{word}:v1")));
    schema.insert("title".to_owned(), Value::String(format!("kulanz.{word}.v1")));
    if let Some(about) = about {
        schema.insert("description".to_owned(), Value::String(about.to_owned()));
    }
    schema.to_value()
}

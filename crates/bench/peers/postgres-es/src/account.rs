//! An account in the small: invoices are recorded once, payments once and against their invoice.
//! Its commands and events are as large as those of Kulanz; it decides nothing about dunning, sends
//! nothing and keeps no read model, which is in the peer's favour.

use std::collections::{BTreeMap, BTreeSet};

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

/// What is known of a debtor at a creditor. Amounts are cents.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Account {
    /// What is still owed of each invoice.
    open: BTreeMap<String, i64>,
    /// Payments that were recorded.
    payments: BTreeSet<String>,
    /// What was paid beyond what was owed.
    unallocated: i64,
}

/// An invoice as a shop tells of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invoice {
    /// Its id.
    pub invoice: String,
    /// Day of issue.
    pub issued_on: String,
    /// Day due.
    pub due_on: String,
    /// In cents, above zero.
    pub cents: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// What was bought.
    pub description: String,
    /// The order behind it.
    pub order: String,
    /// Who told of it.
    pub source: String,
    /// Under which id.
    pub event: String,
}

/// A payment as a bank tells of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// Its id.
    pub payment: String,
    /// The invoice that it is for.
    pub invoice: String,
    /// Day of booking.
    pub booked_on: String,
    /// In cents, above zero.
    pub cents: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// How it was paid.
    pub method: String,
    /// What the payer wrote.
    pub reference: String,
    /// Who told of it.
    pub source: String,
    /// Under which id.
    pub event: String,
}

/// What an account can be told.
#[derive(Debug, Clone)]
pub enum Command {
    /// Something is owed.
    RecordInvoice(Invoice),
    /// Something was paid.
    RecordPayment(Payment),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Something is owed.
    InvoiceRecorded(Invoice),
    /// Something was paid; `allocated` of it went to the invoice.
    PaymentRecorded {
        /// As it came.
        payment: Payment,
        /// Cents that the invoice owed.
        allocated: i64,
    },
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::InvoiceRecorded(_) => "InvoiceRecorded",
            Self::PaymentRecorded { .. } => "PaymentRecorded",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a command does nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing or less than nothing.
    #[error("{0} is of no amount")]
    NoAmount(String),
    /// A payment for what was never owed.
    #[error("there is no invoice {0}")]
    UnknownInvoice(String),
}

impl Account {
    /// What `command` makes happen. What is known already makes nothing happen.
    fn decide(&self, command: Command) -> Result<Option<Event>, Refusal> {
        match command {
            Command::RecordInvoice(told) => {
                if told.cents <= 0 {
                    return Err(Refusal::NoAmount(told.invoice));
                }
                if self.open.contains_key(&told.invoice) {
                    return Ok(None);
                }
                Ok(Some(Event::InvoiceRecorded(told)))
            }
            Command::RecordPayment(told) => {
                if told.cents <= 0 {
                    return Err(Refusal::NoAmount(told.payment));
                }
                if self.payments.contains(&told.payment) {
                    return Ok(None);
                }
                let Some(owed) = self.open.get(&told.invoice) else {
                    return Err(Refusal::UnknownInvoice(told.invoice));
                };
                let allocated = told.cents.min(*owed);
                Ok(Some(Event::PaymentRecorded { payment: told, allocated }))
            }
        }
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: Command,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Refusal> {
        if let Some(event) = self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::InvoiceRecorded(told) => {
                self.open.insert(told.invoice, told.cents);
            }
            Event::PaymentRecorded { payment, allocated } => {
                if let Some(owed) = self.open.get_mut(&payment.invoice) {
                    *owed -= allocated;
                }
                self.unallocated += payment.cents - allocated;
                self.payments.insert(payment.payment);
            }
        }
    }
}

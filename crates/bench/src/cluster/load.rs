//! The events of a shop, and their way into Kafka.

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, ToSpan, civil::Date};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Whose events.
pub const CREDITOR: &str = "lindenmoor";

/// Invoices of an account in a book, each with its payment.
pub const INVOICES: u32 = 5;

/// A debtor who is reached by e-mail and lives in `zone`.
pub fn debtor(number: u32, zone: &str) -> Value {
    event(
        &format!("d{number}"),
        "debtor.updated",
        number,
        json!({
            "kind": "consumer", "name": format!("Kundin {number}"), "country": "DE", "language": "de",
            "email": format!("k{number}@example.org"), "timezone": zone,
        }),
    )
}

/// An invoice that is due on `due`.
pub fn invoice(number: u32, nth: u32, due: Date) -> Result<Value> {
    let issued = due.checked_sub(14.days())?;
    Ok(event(
        &format!("i{number}-{nth}"),
        "invoice.issued",
        number,
        json!({
            "invoice": format!("R-{number}-{nth}"), "issued_on": issued, "due_on": due,
            "amount": euros(number, nth), "currency": "EUR", "description": "Garden furniture",
        }),
    ))
}

/// What pays it.
pub fn payment(number: u32, nth: u32, on: Date) -> Value {
    event(
        &format!("p{number}-{nth}"),
        "payment.received",
        number,
        json!({
            "payment": format!("Z-{number}-{nth}"), "booked_on": on, "amount": euros(number, nth),
            "currency": "EUR", "method": "transfer", "invoice": format!("R-{number}-{nth}"),
        }),
    )
}

fn euros(number: u32, nth: u32) -> String {
    format!("{}.{:02}", 20 + (number + nth) % 180, number % 100)
}

fn event(id: &str, what: &str, number: u32, mut data: Value) -> Value {
    let debtor = format!("K-{number:07}");
    let subject = format!("{CREDITOR}/{debtor}");
    data["creditor"] = json!(CREDITOR);
    data["debtor"] = json!(debtor);
    json!({
        "specversion": "1.0", "id": id, "source": "/bench", "type": format!("kulanz.{what}.v1"),
        "subject": subject, "time": Timestamp::now().to_string(),
        "datacontenttype": "application/json", "data": data,
    })
}

/// A shop's producer.
pub struct Shop {
    producer: BaseProducer,
    prefix: String,
}

impl Shop {
    /// Of the broker at `address`; its topics' names begin with `prefix`.
    pub fn new(address: &str, prefix: &str) -> Result<Self> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", address).set("partitioner", "murmur2_random");
        client.set("queue.buffering.max.messages", "1000000");
        // As who sends thousands a second does: at the default of 5 ms each record is a batch of its
        // own on one of 64 partitions, and the broker takes what the database needs.
        client.set("linger.ms", "20");
        // As Kafka's own client has it. What is sent at once would else lie in batches of a megabyte,
        // one partition after the other, as no day's traffic does.
        client.set("batch.size", "16384");
        Ok(Self { producer: client.create()?, prefix: prefix.to_owned() })
    }

    /// Sends an event under its account's name, to the topic that the contract has for it.
    pub fn send(&self, event: &Value) -> Result<()> {
        let kind = event["type"].as_str().context("a type")?;
        let topic = match kind.split('.').nth(1) {
            Some("debtor") => "debtors",
            Some("invoice") => "invoices",
            _ => "payments",
        };
        let topic = format!("{}kulanz.{topic}", self.prefix);
        let (key, bytes) = (event["subject"].as_str().context("an account")?, event.to_string());
        let mut waiting = Some(BaseRecord::to(&topic).key(key).payload(bytes.as_str()));
        while let Some(record) = waiting.take() {
            match self.producer.send(record) {
                Ok(()) => {}
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                    self.producer.poll(Duration::from_millis(20));
                    waiting = Some(record);
                }
                Err((error, _)) => bail!("an event cannot be sent: {error}"),
            }
        }
        Ok(())
    }

    /// Lets the client do its work.
    pub fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until the broker has all of it.
    pub fn flush(&self) -> Result<()> {
        Ok(self.producer.flush(Duration::from_secs(120))?)
    }
}

/// A zone of the world in which it is a workday's forenoon or noon now: debtors there may be
/// written to, whenever the benchmark is run.
pub fn zone_at_noon() -> Result<String> {
    let now = Timestamp::now();
    for offset in (-12_i8..=14).rev() {
        let there = jiff::tz::Offset::constant(offset).to_datetime(now);
        let sunday = there.weekday() == jiff::civil::Weekday::Sunday;
        if (9..=13).contains(&there.hour()) && !sunday {
            // The names count westwards.
            return Ok(format!("Etc/GMT{}{}", if offset > 0 { "-" } else { "+" }, offset.abs()));
        }
    }
    bail!("it is Sunday wherever it is day: nobody may be written to. Run it on another day")
}

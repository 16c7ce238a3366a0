//! What of the log goes out on which topic: events of accounts in the form that all outside hear
//! ([`outbound`](crate::outbound)), and what agencies have to hear of them
//! (`schemas/placement-order.schema.json`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map::Entry};

use anyhow::{Context, Result};
use kulanz_domain::{
    Account, AccountEvent,
    account::PlacementState,
    event::Allocation,
    fact::PlacementReport,
    ids::{AccountId, InvoiceId, PlacementId},
    money::Decimal,
};
use kulanz_store::{Store, StoredEvent};
use serde_json::{Map, Value, json};

use super::topics::{ACCOUNTS, PLACEMENT_ORDERS};

/// A record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Topic without prefix.
    pub topic: &'static str,
    /// `creditor/debtor`.
    pub key: String,
    /// A structured CloudEvent.
    pub value: String,
}

/// An event of the log as it goes out; its `id` is its place in the log.
pub fn account_event(stored: &StoredEvent) -> Result<Record> {
    let value = crate::outbound::cloud_event_text(stored)?;
    Ok(Record { topic: ACCOUNTS, key: stored.account.to_string(), value })
}

fn record(
    topic: &'static str,
    stored: &StoredEvent,
    kind: &str,
    id: String,
    data: Value,
) -> Record {
    let account = &stored.account;
    let mut whole = Map::new();
    whole.insert("creditor".to_owned(), json!(account.creditor));
    whole.insert("debtor".to_owned(), json!(account.debtor));
    if let Value::Object(members) = data {
        whole.extend(members);
    }
    let value = json!({
        "specversion": "1.0", "id": id, "source": crate::outbound::SOURCE, "type": kind,
        "subject": account.to_string(), "time": stored.recorded_at.to_string(),
        "datacontenttype": "application/json", "data": whole,
    });
    Record { topic, key: account.to_string(), value: value.to_string() }
}

/// What agencies have to hear of the log. Few accounts are with one: only their streams are read.
pub struct Orders {
    /// Accounts of which anything ever went to an agency.
    placed: HashSet<AccountId>,
}

impl Orders {
    /// Before the first events that are asked about are read.
    pub async fn begin(store: &dyn Store) -> Result<Self> {
        Ok(Self { placed: store.placed().await?.into_iter().collect() })
    }

    /// What these events mean for agencies: placed, recalled, paid to us meanwhile. They are those
    /// of the log that follow the last ones that were asked about.
    pub async fn of(&mut self, store: &dyn Store, events: &[StoredEvent]) -> Result<Vec<Record>> {
        let (mut streams, mut found) = (HashMap::new(), Vec::new());
        for event in events.iter().filter(|event| concerns(&event.kind)) {
            let account = &event.account;
            if event.kind == "PlacementReleased" {
                self.placed.insert(account.clone());
            }
            if !self.placed.contains(account) {
                continue;
            }
            let stream = match streams.entry(account) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(store.stream(account.clone(), 0).await?),
            };
            found.extend(of(event, stream)?);
        }
        Ok(found)
    }
}

fn concerns(kind: &str) -> bool {
    matches!(kind, "PlacementReleased" | "PlacementRecalled" | "PaymentAllocated" | "Reallocated")
}

/// What one event means for agencies, by the stream up to it.
fn of(event: &StoredEvent, stream: &[StoredEvent]) -> Result<Vec<Record>> {
    let mut account = Account::default();
    let mut told_by_agency = BTreeSet::new();
    for past in stream.iter().filter(|past| past.version < event.version) {
        let past: AccountEvent = serde_json::from_str(&past.payload)?;
        account.apply_event(&past);
        if let AccountEvent::PlacementReported { report, .. } = past
            && let PlacementReport::PaymentReceived { payment, .. } = report
        {
            told_by_agency.insert(payment);
        }
    }
    let agency = |placement: &PlacementId| {
        let known = account.placements.get(placement);
        known.map(|placement| placement.agency.clone()).context("a placement without its agency")
    };
    let id = event.position;
    let placed = |kind: &str, id: String, data: Value| {
        record(PLACEMENT_ORDERS, event, &format!("kulanz.placement.{kind}.v1"), id, data)
    };
    Ok(match serde_json::from_str(&event.payload)? {
        AccountEvent::PlacementReleased { placement, at, amounts, interest, .. } => {
            let claims = amounts.iter().map(|(invoice, principal, fees)| {
                let interest = interest.iter().find(|(of, ..)| of == invoice);
                json!({ "invoice": invoice, "principal": principal, "fees": fees,
                        "interest": interest.map_or(Decimal::ZERO, |(_, amount, _)| *amount) })
            });
            let data = json!({ "placement": placement, "agency": agency(&placement)?,
                               "at": at.to_string(), "claims": claims.collect::<Vec<_>>() });
            vec![placed("placed", id.to_string(), data)]
        }
        AccountEvent::PlacementRecalled { placement, reason } => {
            let data = json!({ "placement": placement, "agency": agency(&placement)?,
                               "reason": reason });
            vec![placed("recalled", id.to_string(), data)]
        }
        AccountEvent::PaymentAllocated { payment, parts, .. }
        | AccountEvent::Reallocated { payment, parts, .. } => {
            let mut orders = Vec::new();
            let out = account.placements.iter();
            let out = out.filter(|(_, one)| one.state == PlacementState::Released);
            for (placement, one) in out.filter(|_| !told_by_agency.contains(&payment)) {
                let Some(paid) = paid(&one.claims, &parts) else { continue };
                let mut data = json!({ "placement": placement, "agency": one.agency });
                data["payment"] = json!(payment);
                data["claims"] = paid;
                orders.push(placed("paid_directly", format!("{id}/{placement}"), data));
            }
            orders
        }
        _ => Vec::new(),
    })
}

/// What a payment settles of these claims, each in total; `None` where nothing.
fn paid(claims: &[InvoiceId], parts: &[Allocation]) -> Option<Value> {
    let mut sums: BTreeMap<&InvoiceId, Decimal> = BTreeMap::new();
    for part in parts.iter().filter(|part| claims.contains(&part.invoice)) {
        *sums.entry(&part.invoice).or_default() += part.amount;
    }
    let sums: Vec<Value> = sums
        .into_iter()
        .map(|(invoice, amount)| json!({ "invoice": invoice, "amount": amount }))
        .collect();
    (!sums.is_empty()).then_some(Value::Array(sums))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stored(version: u64, kind: &str, content: Value) -> StoredEvent {
        StoredEvent {
            position: 100 + version,
            account: "shop/K-1".parse().unwrap(),
            version,
            kind: kind.to_owned(),
            payload: json!({ kind: content }).to_string(),
            recorded_at: "2026-03-01T08:00:00Z".parse().unwrap(),
            cause: "/bank#1".to_owned(),
        }
    }

    /// What each event of the stream means for agencies: type and data.
    fn told(stream: &[StoredEvent]) -> Vec<(String, Value)> {
        let all = stream.iter().filter(|event| concerns(&event.kind));
        let all = all.flat_map(|event| of(event, stream).unwrap());
        all.map(|record| {
            let mut event: Value = serde_json::from_str(&record.value).unwrap();
            (event["type"].as_str().unwrap().to_owned(), event["data"].take())
        })
        .collect()
    }

    #[test]
    fn an_agency_hears_of_its_placement_of_money_that_came_to_us_and_of_the_recall() {
        let policy = json!({ "name": "p", "version": 1, "hash": "0" });
        let part = |invoice: &str, part: &str, amount: &str| {
            json!({ "invoice": invoice,
            "part": part, "amount": amount })
        };
        let allocated = |version, payment: &str, parts: Value| {
            stored(version, "PaymentAllocated", json!({ "payment": payment, "parts": parts }))
        };
        let stream = [
            allocated(1, "P-0", json!([part("R-1", "principal", "1.00")])),
            stored(
                2,
                "HandoffDue",
                json!({ "placement": "PL-1", "agency": "nord", "claims": ["R-1"], "step": "last",
                        "release": "one_person", "policy": policy, "missing": [] }),
            ),
            stored(
                3,
                "PlacementReleased",
                json!({ "placement": "PL-1", "by": "ada", "at": "2026-03-01T08:00:00Z",
                        "amounts": [["R-1", "49.00", "2.50"]],
                        "interest": [["R-1", "0.31", "2026-03-01"]] }),
            ),
            allocated(
                4,
                "P-1",
                json!([
                    part("R-1", "fees", "2.50"),
                    part("R-1", "principal", "7.50"),
                    part("R-2", "principal", "5.00")
                ]),
            ),
            // Of another claim alone.
            allocated(5, "P-2", json!([part("R-2", "principal", "1.00")])),
            // The agency said so itself.
            stored(
                6,
                "PlacementReported",
                json!({ "placement": "PL-1", "on": "2026-03-02", "report": { "payment_received": {
                    "payment": "P-3", "amount": { "amount": "3.00", "currency": "EUR" },
                    "paid_to_creditor": false } } }),
            ),
            allocated(7, "P-3", json!([part("R-1", "principal", "3.00")])),
            stored(8, "PlacementRecalled", json!({ "placement": "PL-1", "reason": "disputed" })),
            allocated(9, "P-4", json!([part("R-1", "principal", "3.00")])),
        ];
        let of = |word: &str, members: Value| {
            let mut data = json!({ "creditor": "shop", "debtor": "K-1", "placement": "PL-1",
                                   "agency": "nord" });
            data.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            (format!("kulanz.placement.{word}.v1"), data)
        };
        let expected = [
            of(
                "placed",
                json!({ "at": "2026-03-01T08:00:00Z", "claims": [{ "invoice": "R-1",
                        "principal": "49.00", "fees": "2.50", "interest": "0.31" }] }),
            ),
            of(
                "paid_directly",
                json!({ "payment": "P-1", "claims": [{ "invoice": "R-1", "amount": "10.00" }] }),
            ),
            of("recalled", json!({ "reason": "disputed" })),
        ];
        assert_eq!(told(&stream), expected);
    }
}

//! What of the log goes out on which topic: events of accounts in the form that all outside hear
//! ([`outbound`](crate::outbound)), and what agencies have to hear of them
//! (`schemas/placement-order.schema.json`).

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use kulanz_delivery::placement::Update;
use kulanz_domain::{
    Account, AccountEvent,
    account::PlacementState,
    event::Allocation,
    ids::{AccountId, CreditorId, InvoiceId, PlacementId},
    money::Decimal,
    placed::{PlacementNow, concerns_agencies},
};
use kulanz_store::{Head, Store, StoredEvent};
use serde_json::{Map, Value, json};

use super::topics::PLACEMENT_ORDERS;

/// Accounts that are read at once.
const AT_ONCE: usize = 500;

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

/// What agencies have to hear of the log. Few accounts are with one, and few of their events concern
/// it: only for those is an account looked at.
pub struct Orders {
    /// Accounts of which something may be with an agency.
    placed: HashSet<AccountId>,
}

impl Orders {
    /// Before the first events that are asked about are read.
    pub async fn begin(store: &dyn Store) -> Result<Self> {
        Ok(Self { placed: store.placed().await?.into_iter().collect() })
    }

    /// What these events mean for agencies: placed, recalled, changed meanwhile. They are those of
    /// the log that follow the last ones that were asked about. `zone_of`: where a creditor's days
    /// are meant.
    pub async fn of(
        &mut self,
        store: &dyn Store,
        events: &[StoredEvent],
        zone_of: impl Fn(&CreditorId) -> TimeZone,
    ) -> Result<Vec<Record>> {
        let mut concerned = Vec::new();
        for event in events {
            if event.kind == "PlacementReleased" {
                self.placed.insert(event.account.clone());
            }
            if self.placed.contains(&event.account) {
                let happened: AccountEvent = serde_json::from_str(&event.payload)?;
                if concerns_agencies(&happened) {
                    concerned.push((event, happened));
                }
            }
        }
        let (mut courses, mut found) =
            (self.courses(store, &concerned, zone_of).await?, Vec::new());
        for (event, happened) in concerned {
            let course =
                courses.get_mut(&event.account).context("an account without its course")?;
            found.extend(course.at(event, &happened)?);
        }
        for (account, course) in courses {
            if course.with_agency().is_empty() {
                self.placed.remove(&account); // until something of it goes out again
            }
        }
        Ok(found)
    }

    /// The accounts as they were before the first of these events each: read together, from their
    /// snapshots where those are no later than that.
    async fn courses(
        &self,
        store: &dyn Store,
        events: &[(&StoredEvent, AccountEvent)],
        zone_of: impl Fn(&CreditorId) -> TimeZone,
    ) -> Result<HashMap<AccountId, Course>> {
        let mut first = BTreeMap::new();
        for (event, _) in events {
            first.entry(&event.account).or_insert(event.version);
        }
        let (mut courses, first) = (HashMap::with_capacity(first.len()), Vec::from_iter(first));
        for some in first.chunks(AT_ONCE) {
            let heads = store.heads(some.iter().map(|(account, _)| (*account).clone()).collect());
            for ((account, version), head) in some.iter().zip(heads.await?) {
                let before = |head: &Head| {
                    head.snapshot.as_ref().is_none_or(|(taken_at, _)| taken_at < version)
                };
                let (snapshot, events) = match head.filter(before) {
                    Some(head) => (head.snapshot, head.events),
                    None => (None, store.stream((*account).clone(), 0).await?),
                };
                let account_then = match snapshot {
                    Some((_, state)) => kulanz_engine::snapshot(&state)?,
                    None => Account::default(),
                };
                let course = Course::of(account_then, events, zone_of(&account.creditor));
                courses.insert((*account).clone(), course);
            }
        }
        Ok(courses)
    }
}

/// An account that is with an agency, event by event.
struct Course {
    stream: std::vec::IntoIter<StoredEvent>,
    zone: TimeZone,
    account: Account,
}

impl Course {
    /// `account` is what it was before the first event of `stream`.
    fn of(account: Account, stream: Vec<StoredEvent>, zone: TimeZone) -> Self {
        Self { stream: stream.into_iter(), zone, account }
    }

    /// What one event means for agencies. Those that are asked about come in their order.
    fn at(&mut self, event: &StoredEvent, happened: &AccountEvent) -> Result<Vec<Record>> {
        let earlier = |past: &StoredEvent| past.version < event.version;
        while self.stream.as_slice().first().is_some_and(earlier) {
            if let Some(past) = self.stream.next() {
                self.account.apply_event(&serde_json::from_str(&past.payload)?);
            }
        }
        self.stream.next();
        let before = self.with_agency();
        self.account.apply_event(happened);
        let mut orders = self.told(event, happened)?;
        let id = &event.account;
        for (placement, now) in self.with_agency() {
            // All that changes what is open, or whom the agency may ask, is told the same way.
            if before.get(&placement).is_none_or(|known| *known == now) {
                continue;
            }
            let Some(placed) = self.account.placements.get(&placement) else { continue };
            let moment = (event.recorded_at, &self.zone);
            let update = Update::new(id, &placement, placed, &self.account, moment);
            let data = serde_json::to_value(update)?;
            orders.push(order(event, "updated", &placement, data));
        }
        Ok(orders)
    }

    /// What the agencies that have placements have to know of them.
    fn with_agency(&self) -> BTreeMap<PlacementId, PlacementNow> {
        let out = self.account.placements.iter();
        let out = out.filter(|(_, one)| one.state == PlacementState::Released);
        out.map(|(id, one)| (id.clone(), PlacementNow::of(&self.account, one))).collect()
    }

    /// What an event itself says, once it is part of the account.
    fn told(&self, event: &StoredEvent, happened: &AccountEvent) -> Result<Vec<Record>> {
        let account = &self.account;
        let agency = |placement: &PlacementId| {
            let known = account.placements.get(placement);
            known
                .map(|placement| placement.agency.clone())
                .context("a placement without its agency")
        };
        Ok(match happened {
            AccountEvent::PlacementReleased { placement, at, amounts, interest, .. } => {
                let claims = amounts.iter().map(|(invoice, principal, fees)| {
                    let interest = interest.iter().find(|(of, ..)| of == invoice);
                    json!({ "invoice": invoice, "principal": principal, "fees": fees,
                            "interest": interest.map_or(Decimal::ZERO, |(_, amount, _)| *amount) })
                });
                let data = json!({ "placement": placement, "agency": agency(placement)?,
                                   "at": at.to_string(), "claims": claims.collect::<Vec<_>>() });
                vec![placed("placed", event, event.position.to_string(), data)]
            }
            AccountEvent::PlacementRecalled { placement, reason } => {
                let data = json!({ "placement": placement, "agency": agency(placement)?,
                                   "reason": reason });
                vec![placed("recalled", event, event.position.to_string(), data)]
            }
            AccountEvent::PaymentAllocated { payment, parts, .. }
            | AccountEvent::Reallocated { payment, parts, .. } => {
                let mut orders = Vec::new();
                let out = account.placements.iter();
                let out = out.filter(|(_, one)| one.state == PlacementState::Released);
                let known = account.payments.get(payment);
                let theirs = known.is_some_and(|payment| payment.by_agency.is_some());
                for (placement, one) in out.filter(|_| !theirs) {
                    let Some(paid) = paid(&one.claims, parts) else { continue };
                    let mut data = json!({ "placement": placement, "agency": one.agency });
                    data["payment"] = json!(payment);
                    data["claims"] = paid;
                    orders.push(order(event, "paid_directly", placement, data));
                }
                orders
            }
            _ => Vec::new(),
        })
    }
}

fn placed(kind: &str, event: &StoredEvent, id: String, data: Value) -> Record {
    record(PLACEMENT_ORDERS, event, &format!("kulanz.placement.{kind}.v1"), id, data)
}

/// An event that may concern several placements: each is told under an id of its own.
fn order(event: &StoredEvent, kind: &str, placement: &PlacementId, data: Value) -> Record {
    let word = if kind == "updated" { "/updated" } else { "" };
    placed(kind, event, format!("{}/{placement}{word}", event.position), data)
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
    use kulanz_store::{Append, KeyChange, NewEvent, Wake, sqlite::SqliteStore};

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
        let mut course = Course::of(Account::default(), stream.to_vec(), TimeZone::UTC);
        let all = stream.iter().flat_map(|event| {
            course.at(event, &serde_json::from_str(&event.payload).unwrap()).unwrap()
        });
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

    /// `R-1` of 89.90, with an agency, and what came after.
    fn placed_stream(after: &[(&str, Value)]) -> Vec<StoredEvent> {
        let policy = json!({ "name": "p", "version": 1, "hash": "0" });
        let invoice = json!({ "invoice": "R-1", "issued_on": "2026-01-05", "due_on": "2026-01-19",
                              "amount": { "amount": "89.90", "currency": "EUR" } });
        let mut all = vec![
            ("InvoiceIssued", json!({ "invoice": invoice, "recorded_at": "2026-01-05T08:00:00Z" })),
            (
                "HandoffDue",
                json!({ "placement": "PL-1", "agency": "nord", "claims": ["R-1"], "step": "last",
                        "release": "one_person", "policy": policy, "missing": [] }),
            ),
            (
                "PlacementReleased",
                json!({ "placement": "PL-1", "by": "ada", "at": "2026-03-01T08:00:00Z",
                        "amounts": [["R-1", "89.90", "0.00"]] }),
            ),
        ];
        all.extend(after.iter().cloned());
        let stored =
            |(version, (kind, content)): (u64, (&str, Value))| stored(version, kind, content);
        (1..).zip(all).map(stored).collect()
    }

    /// Each word of what is open by now: principal, fees, and the part that is asked for.
    fn updates(after: &[(&str, Value)], part: &str) -> Vec<[String; 3]> {
        let told = told(&placed_stream(after)).into_iter();
        let told = told.filter(|(kind, _)| kind == "kulanz.placement.updated.v1");
        told.map(|(_, data)| {
            assert_eq!((&data["placement"], &data["agency"]), (&json!("PL-1"), &json!("nord")));
            let claim = &data["claims"][0];
            let text = |member: &str| claim[member].as_str().unwrap_or_default().to_owned();
            [text("open_principal"), text("open_fees"), text(part)]
        })
        .collect()
    }

    #[test]
    fn an_agency_hears_of_all_that_changes_what_is_open_after_the_handoff() {
        let eur = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
        let stamp = json!({ "at": "2026-03-02T08:00:00Z", "id": "/shop#1" });
        let (r, on) = ("R-1", "2026-03-02");
        let money = (
            "PaymentReceived",
            json!({ "payment": "P-1", "booked_on": on,
            "amount": eur("20.00"), "method": "transfer", "invoice": r }),
        );
        type Case<'c> = (&'c str, &'c [(&'c str, Value)], &'c [[&'c str; 3]]);
        let cases: [Case<'_>; 6] = [
            (
                "credited",
                &[(
                    "InvoiceCredited",
                    json!({ "invoice": r, "credit": "C-1", "on": on,
                                              "amount": eur("50.00") }),
                )],
                &[["39.90", "0.00", "50.00"]],
            ),
            (
                "waived",
                &[(
                    "GivenUp",
                    json!({ "invoice": r, "stamp": stamp, "on": on, "amount": "9.90",
                                      "part": null, "written_off": false }),
                )],
                &[["80.00", "0.00", "9.90"]],
            ),
            (
                "written_off",
                &[(
                    "GivenUp",
                    json!({ "invoice": r, "stamp": stamp, "on": on, "amount": "1.90",
                                      "part": "principal", "written_off": true }),
                )],
                &[["88.00", "0.00", "1.90"]],
            ),
            (
                "principal",
                &[(
                    "InvoiceAdjusted",
                    json!({ "invoice": r, "stamp": stamp, "on": on,
                                              "amount": eur("70.00") }),
                )],
                &[["70.00", "0.00", "70.00"]],
            ),
            (
                // It comes, a part is given back, the bank takes the rest: the claim rises.
                "fees_charged",
                &[
                    money.clone(),
                    (
                        "PaymentRefunded",
                        json!({ "payment": "P-1", "on": on,
                                                "amount": eur("5.00") }),
                    ),
                    (
                        "PaymentReturned",
                        json!({ "payment": "P-1", "on": on, "amount": "15.00",
                                                "reason": "AC04", "fee": "3.50" }),
                    ),
                ],
                &[["69.90", "0.00", "0.00"], ["74.90", "0.00", "0.00"], ["89.90", "3.50", "3.50"]],
            ),
            // What changes nothing is not told.
            (
                "principal",
                &[(
                    "InvoiceRescheduled",
                    json!({ "invoice": r, "stamp": stamp,
                                                           "due_on": "2026-01-20" }),
                )],
                &[],
            ),
        ];
        for (part, after, expected) in cases {
            assert_eq!(updates(after, part), expected, "{part}");
        }
        let told = told(&placed_stream(&[money]));
        let payments = &told[1].1["claims"][0]["payments"];
        let expected = json!([{ "payment": "P-1", "booked_on": on, "method": "transfer",
                                "fees": "0.00", "interest": "0.00", "principal": "20.00" }]);
        assert_eq!(*payments, expected);
    }

    #[test]
    fn an_agency_hears_whom_to_leave_alone_and_not_why() {
        let (on, owner) = ("2026-03-02", "hardship");
        let hold = |hold: &str, invoice: Value, until: Value| {
            (
                "HoldPlaced",
                json!({ "hold": hold, "invoice": invoice, "owner": owner,
                                   "until": until, "on": on }),
            )
        };
        let debtor = |second: u32, represented: bool| {
            let stamp = json!({ "at": format!("2026-03-02T08:00:{second:02}Z"), "id": "/shop#2" });
            let profile = json!({ "kind": "consumer", "language": "de", "country": "DE",
                                  "represented": represented });
            ("DebtorUpdated", json!({ "stamp": stamp, "profile": profile }))
        };
        let after = [
            hold("H-1", Value::Null, json!("2026-03-31")),
            hold("H-2", json!("R-2"), Value::Null), // not the agency's
            ("HoldReleased", json!({ "hold": "H-1" })),
            debtor(1, false),
            debtor(2, true),
            debtor(3, true),
            debtor(4, false),
        ];
        let told = told(&placed_stream(&after)).into_iter();
        let told = told.filter(|(kind, _)| kind == "kulanz.placement.updated.v1");
        let told: Vec<(Value, Value)> = told
            .map(|(_, mut data)| {
                assert!(!data.to_string().contains(owner), "{data}");
                (data["holds"].take(), data["represented"].take())
            })
            .collect();
        let held = json!([{ "hold": "H-1", "invoice": null, "placed_on": on,
                            "until": "2026-03-31", "released": false }]);
        let nothing = json!([]);
        let expected = [
            (held, json!(false)),
            (nothing.clone(), json!(false)),
            (nothing.clone(), json!(true)),
            (nothing, json!(false)),
        ];
        assert_eq!(told, expected);
    }

    fn kind(name: &str) -> &'static str {
        let mut kinds = AccountEvent::KINDS.iter();
        kinds.find(|kind| **kind == name).copied().unwrap()
    }

    /// One append to an account.
    fn append(version: u64, events: &[StoredEvent], snapshot: Option<&Account>) -> Append {
        let new = |event: &StoredEvent| NewEvent {
            kind: kind(&event.kind),
            payload: event.payload.clone(),
            recorded_at: event.recorded_at,
            cause: event.cause.clone(),
        };
        Append {
            partition: 0,
            account: "shop/K-1".parse().unwrap(),
            expected_version: version,
            events: events.iter().map(new).collect(),
            snapshot: snapshot.map(|account| serde_json::to_vec(account).unwrap()),
            wake: Wake::Keep,
            inbox: Vec::new(),
            requests: Vec::new(),
            key: KeyChange::Keep,
            secrets: Vec::new(),
            forgets: Vec::new(),
            outbox: Vec::new(),
            held: Vec::new(),
            paylinks: Vec::new(),
            views: None,
        }
    }

    #[tokio::test]
    async fn an_account_is_read_from_its_snapshot_and_not_at_all_once_nothing_of_it_is_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).unwrap();
        let hold = json!({ "hold": "H-1", "invoice": null, "owner": "x", "until": null,
                           "on": "2026-03-02" });
        let mut events = placed_stream(&[
            ("HoldPlaced", hold),
            ("PlacementRecalled", json!({ "placement": "PL-1", "reason": "disputed" })),
            ("HoldReleased", json!({ "hold": "H-1" })),
        ]);
        let mut account = Account::default();
        for event in &mut events[..3] {
            account.apply_event(&serde_json::from_str(&event.payload).unwrap());
            event.payload = "unreadable".to_owned(); // whoever reads it fails
        }
        let (before, after) = events.split_at(3);
        for append in [append(0, before, Some(&account)), append(3, after, None)] {
            store.commit(vec![append]).await.unwrap();
        }
        let logged = store.events_after(0, 99).await.unwrap();
        let mut orders = Orders::begin(&store).await.unwrap();
        let mut told = Vec::new();
        for event in &logged[3..] {
            let event = std::slice::from_ref(event);
            told.extend(orders.of(&store, event, |_| TimeZone::UTC).await.unwrap());
        }
        let kinds = told.iter().map(|order| {
            let order: Value = serde_json::from_str(&order.value).unwrap();
            order["type"].as_str().unwrap().to_owned()
        });
        assert_eq!(
            kinds.collect::<Vec<_>>(),
            ["updated", "recalled"].map(|word| { format!("kulanz.placement.{word}.v1") })
        );
        assert!(orders.placed.is_empty());
    }
}

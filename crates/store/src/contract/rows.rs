//! Rows for the suite: whole, with as little in them as the promise needs.

use jiff::{Timestamp, civil::date};
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, InvoiceId, NoticeId, StepName},
    money::Currency,
};

use crate::{
    Append, BookRow, ClaimRow, InboxKey, KeyChange, Lease, NewEvent, NoticeRow, OutboxChange,
    OutboxRow, OutboxState, Outcome, Paylink, Secret, Store, Views, Wake, WorkRow,
};

pub(crate) fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

pub(crate) fn creditor(id: &str) -> CreditorId {
    id.parse().unwrap()
}

/// The e-mails of a creditor.
pub(crate) fn queue(id: &str) -> (CreditorId, Channel) {
    (creditor(id), Channel::Email)
}

pub(crate) fn notice_id(id: &str) -> NoticeId {
    id.parse().unwrap()
}

/// A lease that outlasts the test.
pub(crate) fn by(holder: &str) -> Lease {
    Lease { holder: holder.to_owned(), seconds: 600 }
}

pub(crate) fn invoice_id(id: &str) -> InvoiceId {
    id.parse().unwrap()
}

pub(crate) fn step(id: &str) -> StepName {
    id.parse().unwrap()
}

/// `seconds` after a morning in March.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_773_993_600 + seconds).unwrap()
}

pub(crate) fn event(payload: &str) -> NewEvent {
    NewEvent {
        kind: "PaymentReceived",
        payload: payload.to_owned(),
        recorded_at: at(0),
        cause: "bank#1".to_owned(),
    }
}

/// An append of `events` on version `expected` that changes nothing else.
pub(crate) fn append(id: &str, expected: u64, events: &[&str]) -> Append {
    Append {
        account: account(id),
        partition: 7,
        expected_version: expected,
        events: events.iter().map(|payload| event(payload)).collect(),
        snapshot: None,
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

pub(crate) fn key(source: &str, id: &str) -> InboxKey {
    InboxKey { source: source.to_owned(), id: id.to_owned() }
}

pub(crate) fn secret(slot: &str, stamp: &str, sealed: &[u8]) -> Secret {
    Secret { slot: slot.to_owned(), stamp: stamp.to_owned(), sealed: sealed.to_vec() }
}

pub(crate) fn message(id: &str, notice: &str, next_at: Timestamp) -> OutboxRow {
    OutboxRow {
        notice: notice_id(notice),
        account: account(id),
        channel: Channel::Email,
        step: Some(step("reminder")),
        state: OutboxState::Queued,
        attempts: 0,
        next_at,
        decided_at: at(0),
        changed_at: at(0),
        detail: None,
        traceparent: None,
    }
}

/// New accounts with one message each.
pub(crate) fn messages(rows: &[OutboxRow]) -> Vec<Append> {
    rows.iter()
        .map(|row| Append {
            outbox: vec![OutboxChange::Put(row.clone())],
            ..append(&row.account.to_string(), 0, &["{}"])
        })
        .collect()
}

pub(crate) fn paylink(id: &str, first: u8) -> Paylink {
    Paylink {
        token_hash: [first; 32],
        account: account(id),
        notice: Some(notice_id("N-1")),
        created_at: at(0),
        expires_at: at(9),
    }
}

pub(crate) fn book(currency: Currency, principal: i64) -> BookRow {
    BookRow {
        currency,
        principal,
        paid: 100,
        credited: 20,
        unallocated: 3,
        outstanding: principal - 120,
        fees: 4,
        claims: 2,
        open_claims: 1,
    }
}

pub(crate) fn claim(invoice: &str, outstanding: i64) -> ClaimRow {
    ClaimRow {
        invoice: invoice_id(invoice),
        currency: Currency::EUR,
        issued_on: date(2026, 2, 28),
        due_on: date(2026, 3, 14),
        principal: 8_990,
        outstanding,
        fees: 0,
        step: Some(step("reminder")),
        state: "open".to_owned(),
    }
}

pub(crate) fn notice(id: &str, decided_at: Timestamp) -> NoticeRow {
    NoticeRow {
        notice: notice_id(id),
        step: Some(step("reminder")),
        persona: Some("forgetful".to_owned()),
        channel: Channel::Sms,
        state: "sent".to_owned(),
        decided_at,
        sent_at: Some(decided_at),
    }
}

pub(crate) fn item(list: &str, item: &str, since: Timestamp) -> WorkRow {
    WorkRow { list: list.to_owned(), item: item.to_owned(), since, detail: "look".to_owned() }
}

/// A new account with `views`.
pub(crate) fn with_views(id: &str, views: Views) -> Append {
    Append { views: Some(views), ..append(id, 0, &["{}"]) }
}

/// Commits `batch`, all of which must hold.
pub(crate) async fn commit(store: &dyn Store, batch: Vec<Append>) {
    for outcome in store.commit(batch).await.unwrap() {
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    }
}

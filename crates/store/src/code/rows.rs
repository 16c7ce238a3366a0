//! Rows of the interface, read from columns.

use jiff::Timestamp;
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, StepName},
};

use super::Columns;
use crate::{
    BookRow, CheckoutRow, ClaimRow, DeadLetter, Head, NoticeRow, OutboxRow, Paylink, PlacementRow,
    PolicyRow, RequestRow, Secret, StoreError, StoredEvent, TokenRow, WorkRow,
};

/// A head without its events.
pub(crate) fn bare_head(row: &dyn Columns) -> Result<Head, StoreError> {
    let snapshot = match row.bytes_if_any("state")? {
        Some(state) => Some((row.count("taken_at")?, state)),
        None => None,
    };
    Ok(Head {
        version: row.count("version")?,
        snapshot,
        events: Vec::new(),
        key: row.bytes_if_any("wrapped")?,
        wake_at: row.moment_if_any("wake_at")?,
    })
}

pub(crate) fn event(row: &dyn Columns, account: AccountId) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        position: row.count("position")?,
        account,
        version: row.count("version")?,
        kind: row.text("kind")?,
        payload: row.text("payload")?,
        recorded_at: row.moment("recorded_at")?,
        cause: row.text("cause")?,
    })
}

pub(crate) fn wake_up(row: &dyn Columns) -> Result<(AccountId, Timestamp), StoreError> {
    Ok((row.account()?, row.moment("wake_at")?))
}

pub(crate) fn secret(row: &dyn Columns) -> Result<Secret, StoreError> {
    Ok(Secret { slot: row.text("slot")?, stamp: row.text("stamp")?, sealed: row.bytes("sealed")? })
}

/// Of whom messages wait, and by which channel they go.
pub(crate) fn queue(row: &dyn Columns) -> Result<(CreditorId, Channel), StoreError> {
    Ok((row.parsed("creditor")?, row.channel()?))
}

pub(crate) fn outbox_row(row: &dyn Columns) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        notice: row.parsed("notice")?,
        account: row.account()?,
        channel: row.channel()?,
        step: row.parsed_if_any("step")?,
        state: row.outbox_state()?,
        attempts: row.small("attempts")?,
        next_at: row.moment("next_at")?,
        decided_at: row.moment("decided_at")?,
        changed_at: row.moment("changed_at")?,
        detail: row.text_if_any("detail")?,
        traceparent: row.text_if_any("traceparent")?,
    })
}

/// A message with the persona of its notice.
pub(crate) fn queued_row(row: &dyn Columns) -> Result<(OutboxRow, Option<String>), StoreError> {
    Ok((outbox_row(row)?, row.text_if_any("persona")?))
}

pub(crate) fn paylink(row: &dyn Columns) -> Result<Paylink, StoreError> {
    Ok(Paylink {
        token_hash: row.hash("token_hash")?,
        account: row.account()?,
        notice: row.parsed_if_any("notice")?,
        created_at: row.moment("created_at")?,
        expires_at: row.moment("expires_at")?,
    })
}

pub(crate) fn book(row: &dyn Columns) -> Result<BookRow, StoreError> {
    Ok(BookRow {
        currency: row.currency("currency")?,
        principal: row.integer("principal")?,
        paid: row.integer("paid")?,
        credited: row.integer("credited")?,
        unallocated: row.integer("unallocated")?,
        outstanding: row.integer("outstanding")?,
        fees: row.integer("fees")?,
        claims: row.integer("claims")?,
        open_claims: row.integer("open_claims")?,
    })
}

pub(crate) fn claim(row: &dyn Columns) -> Result<ClaimRow, StoreError> {
    Ok(ClaimRow {
        invoice: row.parsed("invoice")?,
        currency: row.currency("currency")?,
        issued_on: row.day("issued_on")?,
        due_on: row.day("due_on")?,
        principal: row.integer("principal")?,
        outstanding: row.integer("outstanding")?,
        fees: row.integer("fees")?,
        step: row.parsed_if_any("step")?,
        state: row.text("state")?,
    })
}

pub(crate) fn notice(row: &dyn Columns) -> Result<(AccountId, NoticeRow), StoreError> {
    let notice = NoticeRow {
        notice: row.parsed("notice")?,
        step: row.parsed_if_any("step")?,
        persona: row.text_if_any("persona")?,
        channel: row.channel()?,
        state: row.text("state")?,
        decided_at: row.moment("decided_at")?,
        sent_at: row.moment_if_any("sent_at")?,
    };
    Ok((row.account()?, notice))
}

/// Step, channel, persona, state and how many notices share them.
pub(crate) type NoticeCount = (Option<StepName>, Channel, Option<String>, String, u64);

pub(crate) fn notice_count(row: &dyn Columns) -> Result<NoticeCount, StoreError> {
    Ok((
        row.parsed_if_any("step")?,
        row.channel()?,
        row.text_if_any("persona")?,
        row.text("state")?,
        row.count("notices")?,
    ))
}

pub(crate) fn work(row: &dyn Columns) -> Result<(AccountId, WorkRow), StoreError> {
    let work = WorkRow {
        list: row.text("list")?,
        item: row.text("item")?,
        since: row.moment("since")?,
        detail: row.text("detail")?,
    };
    Ok((row.account()?, work))
}

pub(crate) fn dead_letter(row: &dyn Columns) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        number: row.count("number")?,
        received_at: row.moment("received_at")?,
        origin: row.text("origin")?,
        reason: row.text("reason")?,
        detail: row.text("detail")?,
        sealed: row.bytes("sealed")?,
        account: row.parsed_if_any("account")?,
        open: row.flag("open")?,
    })
}

pub(crate) fn token(row: &dyn Columns) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        token_hash: row.hash("token_hash")?,
        person: row.text("person")?,
        role: row.text("role")?,
        creditor: row.parsed_if_any("creditor")?,
        created_at: row.moment("created_at")?,
    })
}

pub(crate) fn request(row: &dyn Columns) -> Result<RequestRow, StoreError> {
    Ok(RequestRow {
        request: row.hash("request")?,
        fingerprint: row.hash("fingerprint")?,
        begun_at: row.moment("begun_at")?,
        answer: row.bytes_if_any("answer")?,
    })
}

pub(crate) fn policy(row: &dyn Columns) -> Result<PolicyRow, StoreError> {
    Ok(PolicyRow {
        name: row.text("name")?,
        version: row.small("version")?,
        hash: row.text("hash")?,
        sources: row.text("sources")?,
        registered_at: row.moment("registered_at")?,
    })
}

pub(crate) fn placement(row: &dyn Columns) -> Result<PlacementRow, StoreError> {
    Ok(PlacementRow {
        placement: row.parsed("placement")?,
        account: row.parsed("account")?,
        agency: row.text("agency")?,
        state: row.text("state")?,
        changed_at: row.moment("changed_at")?,
    })
}

pub(crate) fn checkout(row: &dyn Columns) -> Result<CheckoutRow, StoreError> {
    Ok(CheckoutRow {
        checkout: row.text("checkout")?,
        account: row.parsed("account")?,
        provider: row.text("provider")?,
        amount: row.integer("amount")?,
        currency: row.currency("currency")?,
        state: row.text("state")?,
        created_at: row.moment("created_at")?,
        changed_at: row.moment("changed_at")?,
    })
}

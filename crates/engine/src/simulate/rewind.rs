//! An account as it stood when a day began, from its log alone.
//!
//! A fact counts from its own day on, or from the day on which it was recorded if that was earlier:
//! histories are brought in years later. What we decided counts from the moment of the decision.
//! How payments were used and what was settled is not taken from the log but computed again from
//! the facts that remain, as the books always are.

use std::collections::HashMap;

use jiff::{civil::Date, tz::TimeZone};
use kulanz_domain::{
    Account, AccountEvent,
    account::PlacementState,
    book::Book,
    calendar::day_in,
    ids::{AccountId, InvoiceId},
};
use kulanz_store::StoredEvent;
use tokio::runtime::Handle;

use super::{
    cells::{DayNumber, number},
    walk::Walk,
};
use crate::Fault;

/// An account as it stood.
pub(super) struct Rewound {
    pub account: Account,
    /// Version of the last event that counts.
    pub version: u64,
    /// A message of ours left from that day on.
    pub served_after: bool,
}

/// The stream of an account, read.
pub(super) struct Stream {
    events: Vec<(StoredEvent, AccountEvent)>,
}

impl Stream {
    /// Reads all of it.
    pub fn read(walk: &Walk, runtime: &Handle, id: &AccountId) -> Result<Self, Fault> {
        let stored = runtime.block_on(walk.store.stream(id.clone(), 0))?;
        let events = stored.into_iter().map(|stored| {
            let event = serde_json::from_str(&stored.payload)?;
            Ok((stored, event))
        });
        Ok(Self { events: events.collect::<Result<_, Fault>>()? })
    }

    /// The account when day `cut` began.
    pub fn before(&self, cut: DayNumber, zone: &TimeZone) -> Rewound {
        let (mut account, mut version, mut served_after) = (Account::default(), 0, false);
        for (stored, event) in &self.events {
            if derived(event) {
                continue;
            }
            let recorded = day_in(stored.recorded_at, zone);
            let day = own_day(event, zone).map_or(recorded, |own| own.min(recorded));
            if number(day) < cut {
                account.apply_event(event);
                version = stored.version;
            } else {
                served_after |= matches!(event, AccountEvent::NoticeSent { .. });
            }
        }
        settle(&mut account);
        Rewound { account, version, served_after }
    }

    /// The days on which claims went out to an agency, the first of each.
    pub fn released(&self, zone: &TimeZone) -> HashMap<InvoiceId, DayNumber> {
        let mut released = HashMap::new();
        for (_, event) in &self.events {
            let AccountEvent::PlacementReleased { at, amounts, .. } = event else { continue };
            for (invoice, ..) in amounts {
                released.entry(invoice.clone()).or_insert_with(|| number(day_in(*at, zone)));
            }
        }
        released
    }
}

/// Whether anything of an account ever went to an agency, so that its log is worth reading.
pub(super) fn was_placed(account: &Account) -> bool {
    let kept_here = |state| matches!(state, PlacementState::Due | PlacementState::Withdrawn);
    account.placements.values().any(|placement| !kept_here(placement.state))
}

/// What the books say of the facts that are there.
fn settle(account: &mut Account) {
    let mut settled: HashMap<InvoiceId, Date> = HashMap::new();
    let mut used = Vec::new();
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        for column in &book.claims {
            if let Some(day) = column.settled_on() {
                settled.insert(column.invoice.clone(), day);
            }
        }
        used.extend(book.used.iter().map(|(payment, parts)| (payment.clone(), parts.clone())));
    }
    for (invoice, claim) in &mut account.claims {
        claim.settled_on = settled.get(invoice).copied();
    }
    for (payment, parts) in used {
        if let Some(payment) = account.payments.get_mut(&payment) {
            payment.allocated = parts;
        }
    }
}

/// What follows from facts and is computed again.
const fn derived(event: &AccountEvent) -> bool {
    use AccountEvent as E;
    matches!(
        event,
        E::ClaimSettled { .. }
            | E::ClaimReopened { .. }
            | E::PaymentAllocated { .. }
            | E::Reallocated { .. }
            | E::NoticeWasWrong { .. }
    )
}

/// The day that a fact speaks of.
fn own_day(event: &AccountEvent, zone: &TimeZone) -> Option<Date> {
    use AccountEvent as E;
    Some(match event {
        E::InvoiceIssued { invoice, .. } => invoice.issued_on,
        E::PaymentReceived { booked_on, .. } => *booked_on,
        E::InvoiceAdjusted { on, .. }
        | E::InvoiceCredited { on, .. }
        | E::InvoiceCancelled { on, .. }
        | E::Acknowledged { on, .. }
        | E::Titled { on, .. }
        | E::GivenUp { on, .. }
        | E::DisputeOpened { on, .. }
        | E::DisputeResolved { on, .. }
        | E::PaymentReturned { on, .. }
        | E::PaymentRefunded { on, .. }
        | E::PaymentFailed { on, .. }
        | E::InsolvencyOpened { on }
        | E::DebtorDeceased { on }
        | E::HoldPlaced { on, .. }
        | E::PromiseMade { on, .. }
        | E::PlanAgreed { on, .. } => *on,
        E::DebtorUpdated { stamp, .. }
        | E::InvoiceRescheduled { stamp, .. }
        | E::PaymentAssigned { stamp, .. } => day_in(stamp.at, zone),
        E::ReminderReported { at, .. } | E::NoticeSent { at, .. } => day_in(*at, zone),
        _ => return None,
    })
}

//! A plan over a book of a shop, in a process of its own, from an SQLite store.

use std::{
    collections::VecDeque,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, ToSpan, civil::date};
use kulanz_domain::{
    calendar::Span,
    fact::{BirthTold, Channel, DebtorKind, DebtorProfile, Fact, Invoice, Stamp, Supply},
    ids::{AccountId, CreditorId, DebtorId},
    money::{Currency, Decimal, Money},
    policy::{Policy, Rules},
};
use kulanz_engine::{
    Incoming, Receipt,
    clock::Clock,
    plan::{Options, Pair, Report, compare},
};
use kulanz_store::{InboxKey, Store, sqlite::SqliteStore};

use crate::{
    child::peak_bytes,
    history::{self, Shipped},
    import,
    synthetic::Dice,
};

/// The argument that makes this program the child.
pub const CHILD: &str = "--child-plan";
/// Whose book.
pub const CREDITOR: &str = "lindenmoor";
/// The moment at which the book stands.
pub const NOW: &str = "2026-10-12T06:00:00Z";
/// Accounts that are recorded at once.
const AT_ONCE: u32 = 500;
/// Batches that are decided while another is written.
const AHEAD: usize = 3;

/// What a child has done.
pub struct Ran {
    /// From before its start to after its end.
    pub took: Duration,
    /// Most memory that it ever held, in bytes.
    pub peak_bytes: u64,
}

/// Fills a new database in `folder` with `accounts` debtors, most of whom owe something.
pub async fn fill(shipped: &Arc<Shipped>, folder: &Path, accounts: u32) -> Result<()> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder)?);
    let engine = import::engine(store, shipped, Clock::standing(NOW.parse()?));
    let mut dice = Dice::new(20_261_012);
    let mut waiting = VecDeque::new();
    for first in (0..accounts).step_by(usize::try_from(AT_ONCE)?) {
        let mut events = Vec::new();
        for number in first..(first + AT_ONCE).min(accounts) {
            shopper(&mut dice, number, &mut events)?;
        }
        let engine = engine.clone();
        waiting.push_back(tokio::spawn(async move { engine.record(events).await }));
        if waiting.len() > AHEAD
            && let Some(done) = waiting.pop_front()
        {
            accepted(&done.await??)?;
        }
    }
    for done in waiting {
        accepted(&done.await??)?;
    }
    Ok(())
}

fn accepted(receipts: &[Receipt]) -> Result<()> {
    match receipts.iter().find(|receipt| **receipt != Receipt::Accepted) {
        Some(other) => bail!("an event was not accepted: {other:?}"),
        None => Ok(()),
    }
}

/// A debtor with up to four invoices of the last months, the latest of which is open for two of
/// three.
fn shopper(dice: &mut Dice, number: u32, events: &mut Vec<Incoming>) -> Result<()> {
    let debtor = DebtorId::new(&format!("K-{number:07}"))?;
    let account = AccountId::new(CreditorId::new(CREDITOR)?, debtor);
    let mut told = 0;
    let mut tell = |events: &mut Vec<Incoming>, on: jiff::civil::Date, fact: Fact| -> Result<()> {
        let id = format!("{number}-{told}");
        told += 1;
        let at = on.at(9, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC)?.timestamp();
        events.push(Incoming {
            key: InboxKey { source: "/bench".to_owned(), id: id.clone() },
            account: account.clone(),
            stamp: Stamp { at, id },
            fact,
            secrets: Vec::new(),
            recorded_at: Some(at),
            trace: None,
        });
        Ok(())
    };
    let today = date(2026, 10, 12);
    let reachable = match dice.roll(4) {
        0 => vec![Channel::Email],
        1 => vec![Channel::Sms],
        _ => vec![Channel::Email, Channel::Sms],
    };
    let profile = DebtorProfile {
        kind: DebtorKind::Consumer,
        language: ["de", "en"][usize::try_from(dice.roll(2))?].to_owned(),
        country: "DE".to_owned(),
        region: None,
        timezone: None,
        reachable,
        prefers: Vec::new(),
        pays_with: Vec::new(),
        hours: None,
        sms_consent: None,
        vulnerable: dice.roll(50) == 0,
        address_researched: false,
        represented: false,
        minor_until: None,
        birth_told: BirthTold::Never,
        attributes: Default::default(),
    };
    tell(events, date(2026, 5, 1), Fact::DebtorUpdated { profile })?;
    let invoices = 1 + dice.roll(4);
    for nth in 0..invoices {
        let last = nth + 1 == invoices;
        let age = (invoices - nth - 1) * 40 + dice.roll(40);
        let due_on = today.checked_sub(i64::try_from(age)?.days())?.checked_add(15.days())?;
        let issued_on = due_on.checked_sub(14.days())?;
        let invoice = kulanz_domain::ids::InvoiceId::new(&format!("R-{number}-{nth}"))?;
        let cents = i64::try_from(2_000 + dice.roll(20_000))?;
        let amount = Money::new(Decimal::new(cents, 2), Currency::EUR);
        let issued = Invoice {
            invoice: invoice.clone(),
            issued_on,
            due_on,
            amount,
            contract_on: None,
            contract_object_known: false,
            contract_rate: None,
            received_on: None,
            due_date_agreed: false,
            late_payment_notice: true,
            supply: Supply::GoodsServices,
            consumer_credit: false,
        };
        let told_on = issued_on.min(today);
        tell(events, told_on, Fact::InvoiceIssued { invoice: issued })?;
        if !last || dice.roll(3) == 0 {
            let paid_on = due_on.checked_add(i64::try_from(dice.roll(12))?.days())?.min(today);
            let payment = kulanz_domain::ids::PaymentId::new(&format!("Z-{number}-{nth}"))?;
            let method = "transfer".to_owned();
            let invoice = Some(invoice);
            let booked_on = paid_on;
            let paid = Fact::PaymentReceived { payment, booked_on, amount, method, invoice };
            tell(events, paid_on, paid)?;
        }
    }
    Ok(())
}

/// Runs a child over the database in `folder`.
pub fn run(folder: &Path) -> Result<(Ran, Report)> {
    let begun = Instant::now();
    let program = std::env::current_exe()?;
    let done = Command::new(program).arg(CHILD).arg(folder).output()?;
    let took = begun.elapsed();
    if !done.status.success() {
        bail!("the plan failed: {}", String::from_utf8_lossy(&done.stderr));
    }
    let said = String::from_utf8(done.stdout)?;
    let (peak, report) = said.split_once('\n').context("a child says its peak and its report")?;
    Ok((Ran { took, peak_bytes: peak.parse()? }, serde_json::from_str(report)?))
}

/// What the child does: reminders two days earlier than shipped, 30 days ahead, all cores.
pub fn main(folder: &Path) -> Result<()> {
    let shipped = Shipped::load(&history::policies())?;
    let rules = shipped.rules().get(&CreditorId::new(CREDITOR)?).context("the shop is shipped")?;
    let mut earlier: Policy =
        Policy::clone(rules.policy(Currency::EUR).context("the shop has a policy in euros")?);
    earlier.reference.version += 1;
    let reminder = earlier.steps.iter_mut().find(|step| step.name.as_str() == "reminder");
    reminder.context("the shop has a step `reminder`")?.at.span = Span::Days(2);
    let mut candidate = Rules::clone(&rules);
    candidate.policies.insert("EUR", Arc::new(earlier));
    let pair =
        Pair { in_force: rules, candidate: Arc::new(candidate), reworded: Default::default() };
    let from: Timestamp = NOW.parse()?;
    let options = Options { from, days: 30, list: 10, threads: None };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_read_only(folder)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(compare(store, pair, options, |_| {}))?;
    println!("{}", peak_bytes()?);
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

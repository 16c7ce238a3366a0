//! `kulanz account show|timeline|export`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::civil::Date;
use kulanz_domain::{
    Account, AccountEvent,
    account::DeliveryStop,
    book::Book,
    event::{Allocation, FeeKind, Rate},
    ids::{AccountId, InvoiceId, PaymentId, StepName},
    money::{Currency, Money, plain},
    policy::InterestClaimed,
};
use kulanz_engine::{replay, views::claim_state};
use kulanz_store::{Head, Store, StoredEvent};
use serde_json::{Value, json};

use crate::{
    data,
    explain::must,
    house::{Places, machine_day, vault},
    http::shown,
    settings::Settings,
};

mod rests;

/// An account as it lies in the store.
pub struct Opened {
    /// State.
    pub account: Account,
    /// Head.
    pub head: Head,
    /// Store it came from.
    pub store: std::sync::Arc<dyn Store>,
}

/// Reads an account, also while a server works on the data.
pub async fn open(places: &Places, id: &AccountId) -> Result<Opened> {
    let store = data::read(places).await?;
    let head = store.heads(vec![id.clone()]).await?.into_iter().next().flatten();
    let head = must(head, id)?;
    Ok(Opened { account: replay(&head)?, head, store })
}

/// What is sealed of an account, by slot.
pub async fn secrets(
    places: &Places,
    id: &AccountId,
    opened: &Opened,
) -> Result<BTreeMap<String, Value>> {
    let Some(wrapped) = &opened.head.key else { return Ok(BTreeMap::new()) };
    let key = vault(&places.data, &Settings::read(&places.config)?, &*opened.store)
        .await?
        .unwrap_key(id, wrapped)?;
    let mut plain = BTreeMap::new();
    for secret in opened.store.secrets(id.clone(), Vec::new()).await? {
        let bytes = key.open_json(id, &secret.slot, &secret.sealed)?;
        plain.insert(secret.slot, serde_json::from_slice(&bytes)?);
    }
    Ok(plain)
}

/// `2026-12-01=30.00` as a rate.
pub fn rate(text: &str, currency: Currency) -> Result<Rate> {
    let (day, amount) =
        text.split_once('=').with_context(|| format!("`{text}` is not DAY=AMOUNT"))?;
    let due_on = day.parse().with_context(|| format!("`{day}` is not a day such as 2026-12-01"))?;
    Ok(Rate { due_on, amount: Money::parse(amount, currency)?.amount })
}

/// Prints how an account stands.
pub async fn show(places: &Places, id: &AccountId, as_json: bool) -> Result<()> {
    let opened = open(places, id).await?;
    let account = &opened.account;
    let today = machine_day();
    let mut books = Vec::new();
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        let claims: Vec<Value> = book
            .claims
            .iter()
            .map(|column| {
                json!({
                    "invoice": column.invoice, "due_on": column.due_on,
                    "principal": plain(column.principal, currency),
                    "paid": plain(column.paid, currency),
                    "credited": plain(column.credited, currency),
                    "outstanding": plain(column.outstanding, currency),
                    "fees": plain(column.fees, currency),
                    "interest": plain(column.interest_on(today), currency),
                    "state": claim_state(account, column),
                    "last_step": column.claim.last_step().map(|taken| &taken.step),
                })
            })
            .collect();
        books.push(json!({
            "currency": currency.code(), "open": plain(book.open_on(today), currency),
            "paid": plain(book.paid, currency),
            "unallocated": plain(book.unallocated, currency), "claims": claims,
        }));
    }
    let name = secrets(places, id, &opened).await?;
    let name = name.get("debtor").and_then(|d| d["name"].as_str()).map(str::to_owned);
    let rests = rests::running(account, today);
    if as_json {
        let rests: Vec<&Value> = rests.iter().map(|(_, object)| object).collect();
        let all = json!({
            "account": id, "name": name, "version": opened.head.version, "books": books,
            "next_look": opened.head.wake_at.map(|at| at.to_string()),
            "insolvent_on": account.insolvent_on, "deceased_on": account.deceased_on,
            "erased_at": account.erased_at.map(|at| at.to_string()),
            "delivery_stop": account.delivery_stop, "rests": rests,
            "overrides": account.overrides_on(today).collect::<Vec<_>>(),
        });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    println!("{id}  {}", name.as_deref().unwrap_or("(no name on file)"));
    for (what, since) in
        [("insolvent since", account.insolvent_on), ("died on", account.deceased_on)]
    {
        if let Some(day) = since {
            println!("{what} {day}");
        }
    }
    if let Some(at) = account.erased_at {
        println!("erased {}", shown(at));
    }
    if let Some(stop) = &account.delivery_stop {
        println!("{}", delivery(stop));
    }
    for one in account.overrides_on(today) {
        println!("override {}  {}", one.id, crate::overrides::said(one));
    }
    rests.iter().for_each(|(line, _)| println!("{line}"));
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    for book in &books {
        println!(
            "\n{} open {}, paid {}, not allocated {}",
            text(&book["currency"]),
            text(&book["open"]),
            text(&book["paid"]),
            text(&book["unallocated"])
        );
        println!(
            "  {:<20} {:<10} {:>12} {:>12} {:>8} {:>8}  {:<11} last step",
            "invoice", "due", "principal", "outstanding", "fees", "interest", "state"
        );
        for claim in book["claims"].as_array().into_iter().flatten() {
            println!(
                "  {:<20} {:<10} {:>12} {:>12} {:>8} {:>8}  {:<11} {}",
                text(&claim["invoice"]),
                text(&claim["due_on"]),
                text(&claim["principal"]),
                text(&claim["outstanding"]),
                text(&claim["fees"]),
                text(&claim["interest"]),
                text(&claim["state"]),
                text(&claim["last_step"])
            );
        }
    }
    match opened.head.wake_at {
        Some(at) => {
            println!("\nlooked at again on {}; `kulanz policy explain` says why", shown(at))
        }
        None => println!("\nnothing is planned; `kulanz policy explain` says why"),
    }
    Ok(())
}

/// Prints all that happened.
pub async fn timeline(places: &Places, id: &AccountId, as_json: bool) -> Result<()> {
    let opened = open(places, id).await?;
    let events = opened.store.stream(id.clone(), 0).await?;
    if as_json {
        let rows: Vec<Value> = events.iter().map(row).collect::<Result<_>>()?;
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let mut used: BTreeMap<PaymentId, Vec<Allocation>> = BTreeMap::new();
    for event in &events {
        println!("{}  {:<20} {}", shown(event.recorded_at), event.kind, said(event, &mut used)?);
    }
    Ok(())
}

fn row(event: &StoredEvent) -> Result<Value> {
    let payload: Value = serde_json::from_str(&event.payload)?;
    Ok(json!({ "version": event.version, "at": event.recorded_at.to_string(), "kind": event.kind,
               "cause": event.cause, "event": payload }))
}

/// `2.50 to fees of R-1, 40.00 to principal of R-1`.
fn parts(parts: &[Allocation]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| {
            let which = format!("{:?}", part.part).to_lowercase();
            format!("{} to {which} of {}", part.amount, part.invoice)
        })
        .collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// `R-1 by in-arrears, R-2 by last-call`.
fn causes(claims: &[(InvoiceId, StepName)]) -> String {
    let claims: Vec<String> =
        claims.iter().map(|(claim, step)| format!("{claim} by {step}")).collect();
    claims.join(", ")
}

/// That deliveries on account are stopped.
pub fn delivery(stop: &DeliveryStop) -> String {
    format!("deliveries on account are stopped since {}: {}", stop.since, causes(&stop.claims))
}

/// One line on an event. `used`: how payments were used by the events before it.
fn said(event: &StoredEvent, used: &mut BTreeMap<PaymentId, Vec<Allocation>>) -> Result<String> {
    use AccountEvent as E;
    let by = event.cause.strip_prefix("person:").map_or_else(String::new, |p| format!("  ({p})"));
    let what = match serde_json::from_str::<AccountEvent>(&event.payload)? {
        E::InvoiceIssued { invoice, .. } => {
            format!("{} of {} due {}", invoice.invoice, invoice.amount, invoice.due_on)
        }
        E::InvoiceAdjusted { invoice, amount, .. } => format!("{invoice} now {amount}"),
        E::InvoiceCredited { invoice, amount, .. } => format!("{invoice} less {amount}"),
        E::InvoiceCompleted { invoice, .. }
        | E::InvoiceCancelled { invoice, .. }
        | E::ClaimReopened { invoice }
        | E::ClaimAdmitted { invoice, .. }
        | E::ContractApproved { invoice, .. } => invoice.to_string(),
        E::InvoiceRescheduled { invoice, due_on, .. } => format!("{invoice} due {due_on}"),
        E::PaymentReceived { payment, amount, booked_on, method, .. } => {
            format!("{payment} of {amount} by {method}, booked {booked_on}")
        }
        E::PaymentReturned { payment, reason, .. } => format!("{payment}, {reason}"),
        E::PaymentAllocated { payment, parts: now, implied }
        | E::Reallocated { payment, parts: now, implied } => {
            let flag = if implied { ", by its amount alone" } else { "" };
            let line = format!("{payment}: {}{flag}", parts(&now));
            match used.insert(payment, now) {
                Some(before) => format!("{line}; before: {}", parts(&before)),
                None => line,
            }
        }
        E::GivenUp { invoice, amount, part, written_off, .. } => {
            let amount = amount.map_or_else(|| "all".to_owned(), |amount| amount.to_string());
            let part = part.map_or_else(String::new, |part| format!("{part:?} ").to_lowercase());
            let how = if written_off { "written off" } else { "waived" };
            format!("{amount} {part}of {invoice} {how}")
        }
        E::InterestTermsSet(terms) => {
            let claimed = match &terms.claimed {
                InterestClaimed::None => "none".to_owned(),
                InterestClaimed::Statutory => "statutory".to_owned(),
                InterestClaimed::Percent(percent) => format!("{percent}% at most"),
            };
            let since = match terms.from == Date::MIN {
                true => "from the first day of default".to_owned(),
                false => format!("from {}", terms.from),
            };
            format!("{} {claimed}, {}, {since}", terms.currency.code(), terms.count.name())
        }
        E::BaseRatesTaken { rates } => {
            let rates: Vec<String> =
                rates.iter().map(|(from, percent)| format!("{percent}% from {from}")).collect();
            rates.join(", ")
        }
        E::ClaimSettled { invoice, on } => format!("{invoice} on {on}"),
        E::FeeCharged { invoice, kind, amount, .. } => match kind {
            FeeKind::Reminder => format!("{amount} on {invoice}"),
            FeeKind::LumpSum => format!("{amount} on {invoice}, lump sum"),
        },
        E::FeeReversed { invoice, reason, .. } => format!("{invoice}: {reason:?}"),
        E::DefaultBegins { invoice, from, .. } => format!("{invoice} from {from}"),
        E::NoticeDecided(notice) => {
            let claims: Vec<String> =
                notice.claims.iter().map(|claim| claim.invoice.to_string()).collect();
            let channel = notice.channel.name();
            format!("{} by {channel} to {}: {}", notice.step, notice.persona, claims.join(", "))
        }
        E::NoticeSent { notice, deadline, .. } => match deadline {
            Some(day) => format!("{notice}, to be paid by {day}"),
            None => notice.to_string(),
        },
        E::StepTaken { step, claims, .. } => {
            let claims: Vec<&str> = claims.iter().map(|one| one.as_str()).collect();
            format!("{step}, nothing sent: {}", claims.join(", "))
        }
        E::DeliveryStopped { claims, on } => {
            format!("since {on}: {}", causes(&claims))
        }
        E::OverrideSet(set) => format!("{} {}", set.id, crate::overrides::said(&set)),
        E::OverrideLifted { id, .. } => id.to_string(),
        E::NoticeSuppressed { notice, reason } => format!("{notice}: {reason:?}"),
        E::NoticeParked { notice, .. } | E::NoticeDiscarded { notice, .. } => notice.to_string(),
        E::LimitationNear { invoice, act_by } => match act_by {
            Some(day) => format!("{invoice}, last day to act {day}"),
            None => format!("{invoice}: not near any more"),
        },
        E::ReopeningUntold { invoice, payment, .. } => match payment {
            Some(payment) => format!("{invoice}: no step tells what became of {payment}"),
            None => format!("{invoice}: over"),
        },
        E::NoticeWasWrong { notice, invoice, told, right } => {
            format!("{notice} asked {told} for {invoice}; owed was {right}")
        }
        E::NoticeReceipt { notice, receipt, .. } => format!("{notice}: {receipt:?}"),
        E::DisputeOpened { dispute, invoice, .. } => format!("{dispute} of {invoice}"),
        E::DisputeResolved { dispute, outcome, .. } => format!("{dispute}: {outcome:?}"),
        E::HoldPlaced { hold, owner, until, .. } => match until {
            Some(day) => format!("{hold} by {owner} until {day}"),
            None => format!("{hold} by {owner}"),
        },
        E::HoldReleased { hold, .. } => hold.to_string(),
        E::HelpUnanswered { hold, on } => format!("{hold} was over before {on}, nobody answered"),
        E::PromiseMade { promise, until, .. } => format!("{promise} until {until}"),
        E::PromiseKept { promise, .. }
        | E::PromiseBroken { promise, .. }
        | E::PromiseResumed { promise, .. } => promise.to_string(),
        E::PlanAgreed { plan, rates, .. } => format!("{plan}, {} rates", rates.len()),
        E::PlanCompleted { plan, .. }
        | E::PlanBroken { plan, .. }
        | E::PlanResumed { plan, .. } => plan.to_string(),
        E::HandoffDue { placement, agency, missing, .. } => match missing.is_empty() {
            true => format!("{placement} to {agency}"),
            false => format!("{placement} to {agency} lacks {}", missing.join(", ")),
        },
        E::PlacementApproved { placement, by } | E::PlacementReleased { placement, by, .. } => {
            format!("{placement} by {by}")
        }
        E::PlacementRecalled { placement, reason } | E::HandoffWithdrawn { placement, reason } => {
            format!("{placement}: {reason:?}")
        }
        _ => String::new(),
    };
    Ok(format!("{what}{by}"))
}

/// Prints all that is stored of a person, personal data included (Art. 15 GDPR).
pub async fn export(places: &Places, id: &AccountId) -> Result<()> {
    let opened = open(places, id).await?;
    let events = opened.store.stream(id.clone(), 0).await?;
    let events: Vec<Value> = events.iter().map(row).collect::<Result<_>>()?;
    let all = json!({
        "account": id, "personal_data": secrets(places, id, &opened).await?, "events": events,
    });
    println!("{}", serde_json::to_string_pretty(&all)?);
    Ok(())
}

//! `kulanz demo`: an invented shop over some months of a virtual clock, then a live server on it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashSet},
    net::SocketAddr,
    path::PathBuf,
};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use kulanz_demo_data::{Reaction, Shop, generate, keeps_word, reacts};
use kulanz_domain::{
    Account, Command,
    account::{PlacementState, Standing},
    arrangement::{offers, plannable},
    book::Book,
    calendar::day_in,
    fact::{Channel, DisputeOutcome, Fact, Stamp},
    ids::*,
    money::{Decimal, Money},
};
use kulanz_engine::{Engine, ExecuteError, Incoming, clock::Clock};
use kulanz_store::{InboxKey, OutboxState};
use kulanz_wire::DecodeOptions;
use serde_json::json;

use crate::{
    house::{House, Places, harmless},
    intake::{self, Arrived},
    serve::Running,
};

/// Options of the demo.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Do the same unattended and exit
    #[arg(long)]
    pub exit: bool,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Months to walk through
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=24))]
    pub months: u32,
    /// Another seed makes another shop
    #[arg(long, default_value_t = 4711)]
    pub seed: u64,
    /// Write address and example links to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub ready: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

const ZONE: &str = "Europe/Berlin";
const TODAY: Date = jiff::civil::date(2026, 11, 18);

/// What a debtor does some time after a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Play {
    Pay { account: AccountId, claims: Vec<InvoiceId>, percent: u8, card: bool },
    Promise { account: AccountId, days: u32, nth: u32 },
    Plan { account: AccountId, nth: u32 },
    PayRate { account: AccountId, plan: PlanId, rate: usize },
    Dispute { account: AccountId, invoice: InvoiceId },
    Settle { account: AccountId, invoice: InvoiceId, dispute: DisputeId },
    Help { account: AccountId },
}

struct Walk<'a> {
    house: &'a House,
    seed: u64,
    plays: BinaryHeap<Reverse<(Timestamp, u64, Play)>>,
    seen: HashSet<NoticeId>,
    counted: BTreeMap<(String, String), u32>,
    number: u64,
}

/// Runs the demo in `data`, a folder of its own that is emptied first.
pub async fn run(places: Places, options: Options) -> Result<()> {
    let zone = TimeZone::get(ZONE)?;
    let shop = Shop::until(TODAY, options.months)?;
    let start = shop.first_day.at(6, 0, 0, 0).to_zoned(zone.clone())?.timestamp();
    let end = TODAY.at(17, 30, 0, 0).to_zoned(zone.clone())?.timestamp();
    if places.data.exists() {
        std::fs::remove_dir_all(&places.data)
            .with_context(|| format!("{} cannot be emptied", places.data.display()))?;
    }
    let clock = Clock::standing(start);
    let house = House::open_demo(places, clock.clone()).await?;
    let address = SocketAddr::from(([127, 0, 0, 1], options.port));
    let running = Running::new(house, address).await?;
    walk(&running, &options, start, end).await?;
    release_one(&running.house).await?;
    clock.set(end);
    clock.tick();
    let links = links(&running).await?;
    report(&running, &options, &links).await?;
    if let Some(file) = &options.ready {
        let ready = json!({ "address": running.url(), "links": links });
        std::fs::write(file, serde_json::to_string_pretty(&ready)?)
            .with_context(|| file.display().to_string())?;
    }
    if options.exit {
        return Ok(());
    }
    running.serve().await
}

/// Lets the clock jump from one thing that happens to the next.
async fn walk(
    running: &Running,
    options: &Options,
    start: Timestamp,
    end: Timestamp,
) -> Result<()> {
    let house = &running.house;
    let engine = &house.engine;
    let events = generate(options.seed, TODAY, options.months)?;
    let days = u64::try_from(end.duration_since(start).as_hours() / 24).unwrap_or(0);
    let bar = crate::progress::days(days);
    let harmless = harmless(&house.loaded);
    let decode = DecodeOptions { harmless_attributes: &harmless };
    let mut walk = Walk {
        house,
        seed: options.seed,
        plays: BinaryHeap::new(),
        seen: HashSet::new(),
        counted: BTreeMap::new(),
        number: 0,
    };
    let mut coming = events.iter().peekable();
    loop {
        let event = coming.peek().map(|event| event.at);
        let wake = engine.store().next_wake(kulanz_store::Partitions::ALL).await?;
        let play = walk.plays.peek().map(|Reverse((at, ..))| *at);
        let Some(next) = [event, wake, play].into_iter().flatten().min() else { break };
        if next > end {
            break;
        }
        let now = next.max(engine.clock().now());
        engine.clock().set(now);
        bar.set_position(u64::try_from(now.duration_since(start).as_hours() / 24).unwrap_or(0));
        let mut arrived = Vec::new();
        while let Some(event) = coming.next_if(|event| event.at <= now) {
            let bytes = event.line.as_bytes();
            let decoded = kulanz_wire::decode(bytes, &decode);
            arrived.push(Arrived { bytes: bytes.into(), origin: "demo".to_owned(), decoded });
        }
        if !arrived.is_empty() {
            intake::take(engine, arrived).await?;
        }
        while walk.plays.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((_, _, play))) = walk.plays.pop() else { break };
            walk.play(play, now).await?;
        }
        engine.run_due().await?;
        while running.dispatcher.run_once().await? > 0 {}
        walk.react(now).await?;
    }
    engine.clock().set(end);
    engine.run_due().await?;
    while running.dispatcher.run_once().await? > 0 {}
    bar.finish_and_clear();
    Ok(())
}

impl Walk<'_> {
    fn later(&mut self, at: Timestamp, play: Play) {
        self.number += 1;
        self.plays.push(Reverse((at, self.number, play)));
    }

    /// Debtors make up their minds about the messages that were sent since the last look.
    async fn react(&mut self, now: Timestamp) -> Result<()> {
        let engine = self.house.engine.clone();
        let sent = engine.store().outbox(Some(OutboxState::Sent), 64).await?;
        for row in sent.into_iter().rev() {
            if !self.seen.insert(row.notice.clone()) {
                continue;
            }
            let Some(loaded) = engine.load(&row.account).await? else { continue };
            let Some(notice) = loaded.account.notices.get(&row.notice) else { continue };
            let debtor = row.account.debtor.to_string();
            let kind = notice.decided.kind.clone();
            let nth = self.counted.entry((debtor.clone(), kind.clone())).or_insert(0);
            *nth += 1;
            let nth = *nth;
            let account = row.account.clone();
            let claims: Vec<InvoiceId> =
                notice.decided.claims.iter().map(|claim| claim.invoice.clone()).collect();
            let Some(first) = claims.first().cloned() else { continue };
            let days = |days: u32| at_day(now, days);
            let pay = |percent, card| Play::Pay {
                account: account.clone(),
                claims: claims.clone(),
                percent,
                card,
            };
            let (at, play) = match reacts(self.seed, &debtor, &kind, nth) {
                Reaction::PaysAfterDays(n) => (days(n)?, pay(100, false)),
                Reaction::PaysOverPageAfterHours(hours) => {
                    (now.checked_add(SignedDuration::from_hours(hours.into()))?, pay(100, true))
                }
                Reaction::PartPaymentAfterDays(n, percent) => (days(n)?, pay(percent, false)),
                Reaction::PromisesAfterDays(n, until) => {
                    (days(n)?, Play::Promise { account, days: until, nth })
                }
                Reaction::AsksForPlanAfterDays(n) => (days(n)?, Play::Plan { account, nth }),
                Reaction::DisputesAfterDays(n) => {
                    (days(n)?, Play::Dispute { account, invoice: first })
                }
                Reaction::AsksForHelpAfterDays(n) => (days(n)?, Play::Help { account }),
                Reaction::Ignores => continue,
            };
            self.later(at, play);
        }
        Ok(())
    }

    async fn play(&mut self, play: Play, now: Timestamp) -> Result<()> {
        let engine = self.house.engine.clone();
        let (Play::Pay { account: id, .. }
        | Play::Promise { account: id, .. }
        | Play::Plan { account: id, .. }
        | Play::PayRate { account: id, .. }
        | Play::Dispute { account: id, .. }
        | Play::Settle { account: id, .. }
        | Play::Help { account: id }) = &play;
        let id = id.clone();
        let Some(loaded) = engine.load(&id).await? else { return Ok(()) };
        let account = &loaded.account;
        let rules = crate::orders::rules(&engine, &id)?;
        let today = day_in(now, &rules.creditor.zone);
        self.number += 1;
        let number = self.number;
        match play {
            Play::Pay { claims, percent, card, .. } => {
                let facts = payments(account, &claims, percent, card, today, number)?;
                record(&engine, &id, now, number, facts).await?;
            }
            Play::Promise { days, nth, .. } => {
                let until = today.checked_add(i64::from(days).days())?;
                let promise = PromiseId::new(&format!("VR-{number}"))?;
                let open = open_claims(account);
                let command = Command::Promise { promise, until, now, rules, by_person: false };
                if took(engine.execute(&id, command, "page").await)?
                    && keeps_word(self.seed, id.debtor.as_str(), nth)
                {
                    let at = at_day(now, days.saturating_sub(1))?.max(now);
                    let (percent, card) = (100, true);
                    self.later(at, Play::Pay { account: id, claims: open, percent, card });
                }
            }
            Play::Plan { nth, .. } => {
                let Some(currency) = account.currencies().first().copied() else { return Ok(()) };
                let Some(policy) = rules.policy(currency) else { return Ok(()) };
                let (_, open) = plannable(account, currency, today);
                let first_on = today.checked_add(7.days())?;
                let offered = offers(policy, open, first_on);
                let Some((_, rates)) = offered.into_iter().next() else { return Ok(()) };
                let plan = PlanId::new(&format!("RR-{number}"))?;
                let command = Command::AgreePlan {
                    plan: plan.clone(),
                    currency,
                    rates: rates.clone(),
                    now,
                    rules: rules.clone(),
                    by_person: false,
                };
                if took(engine.execute(&id, command, "page").await)?
                    && keeps_word(self.seed, id.debtor.as_str(), nth)
                {
                    for (rate, due) in rates.iter().enumerate() {
                        let at =
                            due.due_on.at(9, 40, 0, 0).to_zoned(rules.creditor.zone.clone())?;
                        let (account, plan) = (id.clone(), plan.clone());
                        self.later(at.timestamp(), Play::PayRate { account, plan, rate });
                    }
                }
            }
            Play::PayRate { plan, rate, .. } => {
                let Some(plan) = account.plans.get(&plan) else { return Ok(()) };
                let due = plan.rates.get(rate).filter(|_| plan.standing == Standing::Open);
                let Some(due) = due else { return Ok(()) };
                let fact = Fact::PaymentReceived {
                    payment: PaymentId::new(&format!("ZR-{number}"))?,
                    booked_on: today,
                    amount: Money::new(due.amount, plan.currency),
                    method: "transfer".to_owned(),
                    invoice: None,
                };
                record(&engine, &id, now, number, vec![fact]).await?;
            }
            Play::Dispute { invoice, .. } => {
                let dispute = DisputeId::new(&format!("ER-{number}"))?;
                let on = today;
                let fact = Fact::DisputeOpened {
                    dispute: dispute.clone(),
                    invoice: invoice.clone(),
                    on,
                    amount: None,
                };
                record(&engine, &id, now, number, vec![fact]).await?;
                let at = at_day(now, 9)?;
                self.later(at, Play::Settle { account: id, invoice, dispute });
            }
            Play::Settle { invoice, dispute, .. } => {
                // The shop looks into it and is right more often than not.
                let outcome = match number % 5 {
                    0 => DisputeOutcome::Upheld,
                    _ => DisputeOutcome::Rejected,
                };
                let on = today;
                let fact = Fact::DisputeResolved { dispute, invoice, on, outcome, amount: None };
                record(&engine, &id, now, number, vec![fact]).await?;
            }
            Play::Help { .. } => {
                let hold = HoldId::new(&format!("SR-{number}"))?;
                let fact =
                    Fact::HoldPlaced { hold, invoice: None, owner: "hardship".into(), until: None };
                record(&engine, &id, now, number, vec![fact]).await?;
            }
        }
        Ok(())
    }
}

/// A refusal means that things have changed since: the debtor's plan came to nothing.
fn took(done: Result<kulanz_engine::Done, ExecuteError>) -> Result<bool> {
    match done {
        Ok(_) => Ok(true),
        Err(ExecuteError::Refused(_)) => Ok(false),
        Err(ExecuteError::Failed(fault)) => Err(fault.into()),
    }
}

fn open_claims(account: &Account) -> Vec<InvoiceId> {
    let mut open = Vec::new();
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        let columns = book.claims.iter().filter(|column| column.is_open());
        open.extend(columns.map(|column| column.invoice.clone()));
    }
    open
}

/// Payments for those of `claims` that are still open.
fn payments(
    account: &Account,
    claims: &[InvoiceId],
    percent: u8,
    card: bool,
    today: Date,
    number: u64,
) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        for column in claims.iter().filter_map(|id| book.claim(id)) {
            let share = column.open_on(today) * Decimal::from(percent) / Decimal::ONE_HUNDRED;
            let amount = share.round_dp(2);
            if amount > Decimal::ZERO && !column.claim.disputed() {
                facts.push(Fact::PaymentReceived {
                    payment: PaymentId::new(&format!("ZR-{number}-{}", facts.len()))?,
                    booked_on: today,
                    amount: Money::new(amount, currency),
                    method: if card { "card" } else { "transfer" }.to_owned(),
                    invoice: Some(column.invoice.clone()),
                });
            }
        }
    }
    Ok(facts)
}

async fn record(
    engine: &Engine,
    account: &AccountId,
    now: Timestamp,
    number: u64,
    facts: Vec<Fact>,
) -> Result<()> {
    let mut items = Vec::with_capacity(facts.len());
    for (place, fact) in facts.into_iter().enumerate() {
        let key = InboxKey { source: "/demo/debtors".into(), id: format!("{number}-{place}") };
        items.push(Incoming {
            stamp: Stamp { at: now, id: format!("{}#{}", key.source, key.id) },
            key,
            account: account.clone(),
            fact,
            secrets: Vec::new(),
            recorded_at: None,
            trace: None,
        });
    }
    if !items.is_empty() {
        engine.record(items).await?;
    }
    Ok(())
}

/// Ten past nine, `days` after `now`.
fn at_day(now: Timestamp, days: u32) -> Result<Timestamp> {
    let zone = TimeZone::get(ZONE)?;
    let day = day_in(now, &zone).checked_add(i64::from(days).days())?;
    Ok(day.at(9, 10, 0, 0).to_zoned(zone)?.timestamp().max(now))
}

/// Two persons release the first placement that has all its fields, so that there is a folder to
/// look at.
async fn release_one(house: &House) -> Result<()> {
    let waiting = house.engine.store().work(Some("release".to_owned()), 1).await?;
    if let Some((account, row)) = waiting.first() {
        let placement = PlacementId::new(&row.item)?;
        for person in ["Ada", "Ben"] {
            let cause = format!("person:{person}");
            let hand = crate::orders::Hand { engine: &house.engine, cause: &cause, keyed: None };
            crate::handoff::release(house, &hand, account, &placement, person).await?;
        }
    }
    Ok(())
}

/// Fresh paylinks of accounts in as many different states as there are.
async fn links(running: &Running) -> Result<Vec<serde_json::Value>> {
    let engine = &running.house.engine;
    let mut found: BTreeMap<&'static str, serde_json::Value> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = engine.store().accounts(None, after.clone(), 200).await?;
        let Some(last) = page.last().cloned() else { break };
        for id in page {
            let Some(loaded) = engine.load(&id).await? else { continue };
            let state = state(&loaded.account, TODAY);
            if let Some(state) = state.filter(|state| !found.contains_key(state)) {
                let expires = engine.clock().now().checked_add(SignedDuration::from_hours(2400))?;
                let (token, link) = engine.new_paylink(&id, None, expires)?;
                let extra = kulanz_engine::Extra { paylinks: vec![link], ..Default::default() };
                took(engine.execute_with(&id, None, "demo", extra).await)?;
                let url = format!("{}/p/{token}", running.url());
                let account = id.to_string();
                found.insert(state, json!({ "state": state, "account": account, "url": url }));
            }
        }
        after = Some(last);
    }
    let mut links: Vec<_> = found.into_values().collect();
    let open = ["open_interest", "open_several"];
    let open = open.iter().find_map(|one| links.iter().find(|link| link["state"] == *one)).cloned();
    if let Some(url) = open.as_ref().and_then(|link| link["url"].as_str()) {
        for form in ["paid", "disagree", "later", "plan", "help"] {
            links.push(json!({ "state": format!("form_{form}"), "url": format!("{url}/{form}") }));
        }
    }
    links.push(json!({ "state": "outbox", "url": format!("{}/outbox", running.url()) }));
    Ok(links)
}

/// The state that a debtor's page would show, as far as the demo tells them apart.
fn state(account: &Account, today: Date) -> Option<&'static str> {
    account.profile()?;
    if account.erased_at.is_some() || account.claims.is_empty() {
        return None;
    }
    let open = open_claims(account);
    let placed =
        account.placements.values().any(|placement| placement.state == PlacementState::Released);
    Some(if account.insolvent_on.is_some() {
        "insolvent"
    } else if account.deceased_on.is_some() {
        "deceased"
    } else if placed {
        "placed"
    } else if account.plans.values().any(|plan| plan.standing == Standing::Open) {
        "planned"
    } else if account.promises.values().any(|promise| promise.standing == Standing::Open) {
        "promised"
    } else if account.holds.values().any(|hold| hold.placed.is_some() && !hold.released) {
        "held"
    } else if account.claims.values().any(|claim| claim.disputed()) {
        "disputed"
    } else if open.is_empty() {
        "paid"
    } else if account.currencies().into_iter().any(|currency| {
        let book = Book::of(account, currency);
        book.claims.iter().any(|column| column.interest_on(today) > Decimal::ZERO)
    }) {
        "open_interest"
    } else if open.len() > 1 {
        "open_several"
    } else if account.contacts.is_empty() {
        return None;
    } else if account.profile()?.language.starts_with("en") {
        "open_english"
    } else {
        "open"
    })
}

/// Prints what happened and what to do next.
async fn report(running: &Running, options: &Options, links: &[serde_json::Value]) -> Result<()> {
    let store = running.house.engine.store();
    let counts = store.notice_counts(None).await?;
    let book = {
        let now = running.house.engine.clock().now();
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        crate::book::totals(&**store, today).await?
    };
    if options.json {
        let notices: Vec<_> = counts
            .iter()
            .map(|(step, channel, persona, state, number)| {
                json!({ "step": step, "channel": channel.name(), "persona": persona,
                        "state": state, "count": number })
            })
            .collect();
        let all = json!({ "address": running.url(), "book": book, "notices": notices,
                          "links": links });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    println!("What Lindenmoor's debtors heard in {} months:\n", options.months);
    println!("  {:<12} {:<14} {:>7} {:>7} {:>9}", "step", "persona", "e-mail", "SMS", "not sent");
    let mut rows: BTreeMap<(String, String), [u64; 3]> = BTreeMap::new();
    for (step, channel, persona, state, number) in &counts {
        let step = step.as_ref().map_or("-", StepName::as_str).to_owned();
        let row = rows.entry((step, persona.clone().unwrap_or_default())).or_default();
        let sent = matches!(state.as_str(), "sent" | "delivered");
        row[match (sent, channel) {
            (false, _) => 2,
            (true, Channel::Email) => 0,
            (true, _) => 1,
        }] += number;
    }
    let policy =
        running.house.loaded.policies.iter().find(|p| p.policy.creditor.as_str() == "lindenmoor");
    let place = |step: &str| {
        policy.and_then(|p| p.policy.steps.iter().position(|s| s.name.as_str() == step))
    };
    let mut ordered: Vec<_> = rows.into_iter().collect();
    ordered.sort_by_key(|((step, persona), _)| (place(step), persona.clone()));
    for ((step, persona), [email, sms, other]) in ordered {
        println!("  {step:<12} {persona:<14} {email:>7} {sms:>7} {other:>9}");
    }
    println!();
    crate::book::print(&book);
    let data = running.house.places.data.display();
    if options.exit {
        println!("\nIts data are in {data}. Without --exit a server is left up on them.");
        return Ok(());
    }
    println!("\nOpen {}/outbox for each message as its reader saw it.", running.url());
    println!("Debtors' pages, one for each state:");
    for link in links {
        println!(
            "  {:<14} {}",
            link["state"].as_str().unwrap_or(""),
            link["url"].as_str().unwrap_or("")
        );
    }
    println!(
        "\nIt is {}. Add an invoice of your own, due ten days ago:\n",
        crate::http::shown(running.house.engine.clock().now())
    );
    println!("{}", curl(&running.url()));
    println!(
        "\nIts reminder is in the outbox within seconds. In another terminal this says why:\n"
    );
    let program = std::env::args().next().unwrap_or_else(|| "kulanz".to_owned());
    println!("{program} policy explain lindenmoor/K-me --data {data}\n");
    println!("ready: {}   (Ctrl-C ends it)", running.url());
    Ok(())
}

/// Two events in one request: a debtor, and an invoice that is due ten days before the demo's
/// today.
fn curl(url: &str) -> String {
    let data = r#"[
 {"specversion":"1.0","id":"my-1","source":"/my/shop","type":"kulanz.debtor.updated.v1",
  "subject":"lindenmoor/K-me","time":"2026-11-18T17:00:00+01:00",
  "data":{"creditor":"lindenmoor","debtor":"K-me","kind":"consumer","name":"Mia Muster",
   "language":"de","country":"DE","email":"mia@example.org"}},
 {"specversion":"1.0","id":"my-2","source":"/my/shop","type":"kulanz.invoice.issued.v1",
  "subject":"lindenmoor/K-me","time":"2026-11-18T17:00:00+01:00",
  "data":{"creditor":"lindenmoor","debtor":"K-me","invoice":"R-me-1","issued_on":"2026-10-25",
   "due_on":"2026-11-08","amount":"49.90","currency":"EUR","description":"Gartenschere"}}]"#;
    format!(
        "curl -sS {url}/v1/events -H 'Content-Type: application/cloudevents-batch+json' -d '{data}'"
    )
}

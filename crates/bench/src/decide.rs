//! The next step of accounts that are in memory, one after the other on one core.
//!
//! The accounts have lived: up to eight invoices over a year, most of them paid, on time or late,
//! some in parts, some disputed; the policy's messages were sent on their days. Something is open
//! on each of them, and nothing stops it as a whole: every decision chooses a persona and climbs
//! the ladder of at least one claim.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use kulanz_domain::{
    Account,
    course::Course,
    decision::{Action, Decision, next_step},
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    policy::{Condition, Policy, Rules},
};

use crate::{check::copy, history, synthetic::Dice};

/// Steps and personas that each decision is about: see `decide/policy.yaml`.
const STEPS: usize = 8;
const PERSONAS: usize = 6;
const POLICY: &str = include_str!("decide/policy.yaml");
const CREDITOR: &str = "lindenmoor";
/// Accounts in memory.
const ACCOUNTS: u32 = 5_000;
/// How often each of them is decided upon in a run.
const ROUNDS: u32 = 60;
/// The day on which they stand.
const TODAY: Date = Date::constant(2026, 10, 12);

/// Accounts in memory and the rules that they are decided by.
pub struct Warm {
    accounts: Vec<Account>,
    rules: Arc<Rules>,
    fresh: NoticeId,
    /// What each round has to find.
    found: Vec<Found>,
}

/// What a round over all accounts found, so that no decision can be left out or differ.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Found {
    messages: u64,
    handoffs: u64,
    quiet: u64,
    findings: u64,
    personas: u64,
    /// Sum of the seconds of all wake-ups.
    wakes: i64,
}

impl Found {
    fn add(&mut self, decision: &Decision) {
        match decision.action {
            Action::Wait => {}
            Action::Notify(_) => self.messages += 1,
            Action::HandOff(_) => self.handoffs += 1,
            Action::Pass(_) => self.quiet += 1,
        }
        self.findings += decision.findings.len() as u64;
        self.personas += decision.personas.len() as u64;
        let wake = decision.wake.map_or(0, Timestamp::as_second);
        self.wakes = self.wakes.wrapping_add(wake);
    }
}

/// Loads the policy from `folder`, which is filled for that, and lets the accounts live.
pub fn warm(folder: &Path) -> Result<Warm> {
    let rules = rules(folder)?;
    let mut dice = Dice::new(20_261_012);
    let accounts: Result<Vec<Account>> =
        (0..ACCOUNTS).map(|number| lived(&mut dice, number, &rules)).collect();
    let fresh = NoticeId::new("N-bench-0")?;
    let mut warm = Warm { accounts: accounts?, rules, fresh, found: Vec::new() };
    warm.look_closely()?;
    Ok(warm)
}

/// The policy as the shop would load it: compiled from its file, with the shop's texts beside it.
fn rules(folder: &Path) -> Result<Arc<Rules>> {
    let (shipped, own) = (history::policies(), folder.join("shop-b2c"));
    copy(&shipped.join("creditors"), &folder.join("creditors"))?;
    copy(&shipped.join("shop-b2c").join("templates"), &own.join("templates"))?;
    fs::write(own.join("policy.yaml"), POLICY)?;
    let loaded = kulanz_policies::load(folder, TODAY).map_err(|found| {
        let first = found.iter().map(|one| format!("{}: {}", one.line, one.message)).next();
        anyhow!("the policy cannot be loaded: {}", first.unwrap_or_default())
    })?;
    let rules = loaded.rules.get(&CreditorId::new(CREDITOR)?).context("the shop is loaded")?;
    let policy = rules.policy(Currency::EUR).context("the shop has a policy in euros")?;
    ensure!((policy.steps.len(), policy.personas.len()) == (STEPS, PERSONAS), "{policy:?}");
    Ok(Arc::clone(rules))
}

/// One account from its first day to today.
fn lived(dice: &mut Dice, number: u32, rules: &Arc<Rules>) -> Result<Account> {
    let mut facts = Vec::new();
    facts.push((day_before(500)?, Fact::DebtorUpdated { profile: profile(dice)? }));
    let invoices = 1 + dice.roll(8);
    for nth in 0..invoices {
        order(dice, (number, nth), nth + 1 == invoices, &mut facts)?;
    }
    facts.sort_by_key(|(day, _)| *day); // stable: an invoice stands before its payment
    let id = AccountId::new(CreditorId::new(CREDITOR)?, DebtorId::new(&format!("K-{number}"))?);
    let mut course = Course::new(id, Arc::clone(rules), format!("{number}-"));
    let mut hear = |_: &Account, _: &[kulanz_domain::AccountEvent]| {};
    let mut wake = None;
    let end = at(TODAY)?;
    for (nth, (day, fact)) in facts.into_iter().enumerate() {
        let now = at(day)?;
        while let Some(due) = wake.filter(|due| *due < now) {
            wake = course.decide(due, &mut hear)?;
        }
        let stamp = Stamp { at: now, id: format!("{number}-{nth}") };
        course.record(fact, stamp, &mut hear)?;
        wake = course.decide(now, &mut hear)?;
    }
    while let Some(due) = wake.filter(|due| *due < end) {
        wake = course.decide(due, &mut hear)?;
    }
    Ok(course.account().clone())
}

fn profile(dice: &mut Dice) -> Result<DebtorProfile> {
    let reachable = match dice.roll(4) {
        0 => vec![Channel::Email],
        1 => vec![Channel::Sms],
        _ => vec![Channel::Email, Channel::Sms],
    };
    let kind = if dice.roll(8) == 0 { DebtorKind::Business } else { DebtorKind::Consumer };
    let region = [None, Some("NW"), Some("BY"), Some("SN")][usize::try_from(dice.roll(4))?];
    Ok(DebtorProfile {
        kind,
        language: ["de", "en"][usize::try_from(dice.roll(2))?].to_owned(),
        country: "DE".to_owned(),
        region: region.map(str::to_owned),
        timezone: None,
        reachable,
        prefers: if dice.roll(5) == 0 { vec![Channel::Sms] } else { Vec::new() },
        pays_with: Vec::new(),
        hours: (dice.roll(10) == 0).then(|| "17:00-19:00".to_owned()),
        sms_consent: None,
        vulnerable: dice.roll(20) == 0,
        address_researched: false,
        represented: false,
        minor_until: None,
        birth_told: BirthTold::Never,
        attributes: Default::default(),
    })
}

/// An invoice and what became of it. The latest is open, and of the earlier ones every tenth.
fn order(
    dice: &mut Dice,
    (number, nth): (u32, u64),
    latest: bool,
    facts: &mut Vec<(Date, Fact)>,
) -> Result<()> {
    let issued_on = match latest {
        true => day_before(10 + dice.roll(110))?,
        false => day_before(60 + dice.roll(380))?,
    };
    let due_on = after(issued_on, 14)?;
    let invoice = InvoiceId::new(&format!("R-{number}-{nth}"))?;
    let cents = 2_000 + dice.roll(20_000);
    let euros = |cents: u64| -> Result<Money> {
        Ok(Money::new(Decimal::new(i64::try_from(cents)?, 2), Currency::EUR))
    };
    let issued = Invoice {
        invoice: invoice.clone(),
        issued_on,
        due_on,
        amount: euros(cents)?,
        contract_on: Some(issued_on),
        contract_object_known: true,
        contract_rate: None,
        received_on: None,
        due_date_agreed: false,
        late_payment_notice: true,
        supply: Supply::GoodsServices,
        consumer_credit: false,
    };
    facts.push((issued_on, Fact::InvoiceIssued { invoice: issued }));
    let open = latest || dice.roll(10) == 0;
    if dice.roll(25) == 0 {
        let dispute = DisputeId::new(&format!("E-{number}-{nth}"))?;
        let on = after(issued_on, 5)?;
        facts.push((
            on,
            Fact::DisputeOpened { dispute, invoice: invoice.clone(), on, amount: None },
        ));
        if !open || dice.roll(2) == 0 {
            let dispute = DisputeId::new(&format!("E-{number}-{nth}"))?;
            let (invoice, outcome, on) = (invoice.clone(), DisputeOutcome::Rejected, after(on, 4)?);
            facts.push((on, Fact::DisputeResolved { dispute, invoice, on, outcome, amount: None }));
        }
    }
    let paid = match open {
        true if dice.roll(6) == 0 => cents / 3,
        true => 0,
        false => cents,
    };
    if paid > 0 {
        let late = if dice.roll(3) == 0 { dice.roll(60) } else { 0 };
        let booked_on = after(due_on, late)?.min(day_before(1)?);
        let payment = PaymentId::new(&format!("Z-{number}-{nth}"))?;
        let (amount, method) = (euros(paid)?, "transfer".to_owned());
        let invoice = (dice.roll(5) > 0).then_some(invoice);
        facts.push((
            booked_on,
            Fact::PaymentReceived { payment, booked_on, amount, method, invoice },
        ));
    }
    Ok(())
}

fn day_before(days: u64) -> Result<Date> {
    Ok(TODAY.checked_sub(i64::try_from(days)?.days())?)
}

fn after(day: Date, days: u64) -> Result<Date> {
    Ok(day.checked_add(i64::try_from(days)?.days())?)
}

fn at(day: Date) -> Result<Timestamp> {
    Ok(day.at(6, 0, 0, 0).to_zoned(TimeZone::UTC)?.timestamp())
}

impl Warm {
    /// The moments of a run's rounds: some hours apart, over two weeks and a half.
    fn moment(round: u32) -> Result<Timestamp> {
        let hours = 7 * i64::from(round);
        Ok(at(TODAY)?.checked_add(SignedDuration::from_hours(hours))?)
    }

    /// Says what each round has to find. Accounts that come from their stored form, with nothing
    /// kept, and conditions that are asked for each day have to lead to the same decisions.
    fn look_closely(&mut self) -> Result<()> {
        let asked = Arc::new(AtomicU64::new(0));
        let counting = counting(&self.rules, &asked, true)?;
        let plain = without_short_cuts(&self.rules)?;
        let (mut chosen, mut whole) = ([0u64; PERSONAS], DefaultHasher::new());
        for round in 0..ROUNDS {
            let now = Self::moment(round)?;
            let mut found = Found::default();
            for account in &self.accounts {
                let decision = next_step(account, &self.rules, now, &self.fresh);
                if round % 20 == 0 {
                    let cold: Account = serde_json::from_str(&serde_json::to_string(account)?)?;
                    for rules in [&counting, &plain] {
                        let again = next_step(&cold, rules, now, &self.fresh);
                        ensure!(decision == again, "{decision:?} is not {again:?}");
                    }
                }
                let [(_, persona, _)] = decision.personas.as_slice() else {
                    return Err(anyhow!("no persona was chosen: {decision:?}"));
                };
                let policy = self.rules.policy(Currency::EUR).context("there is a policy")?;
                let place = policy.personas.iter().position(|one| one.name == *persona);
                chosen[place.context("the persona is the policy's")?] += 1;
                format!("{decision:?}").hash(&mut whole);
                found.add(&decision);
            }
            ensure!(found.personas == u64::from(ACCOUNTS), "each decision chooses a persona");
            self.found.push(found);
        }
        ensure!(chosen.iter().all(|count| *count > 0), "personas were chosen {chosen:?} times");
        let messages: u64 = self.found.iter().map(|found| found.messages).sum();
        ensure!(messages > 0, "nothing was due in any round");
        let looked = u64::from(ROUNDS.div_ceil(20) * ACCOUNTS);
        let conditions = asked.load(Ordering::Relaxed) as f64 / looked as f64;
        ensure!(conditions > 2.0, "{conditions:.1} conditions a decision are too few");
        let claims: usize = self.accounts.iter().map(|account| account.claims.len()).sum();
        let open = |account: &Account| {
            account.claims.values().filter(|claim| claim.settled_on.is_none()).count()
        };
        let open: usize = self.accounts.iter().map(open).sum();
        let each = |count: usize| count as f64 / self.accounts.len() as f64;
        eprintln!(
            "decide: {ACCOUNTS} accounts with {:.1} claims each, {:.1} of them open; \
             {conditions:.1} conditions a decision, personas chosen {chosen:?}, {messages} \
             messages due, checksum {:016x}",
            each(claims),
            each(open),
            whole.finish()
        );
        Ok(())
    }

    /// Decisions a second of this thread's own time; what they find is compared.
    pub fn run(&self) -> Result<f64> {
        let moments: Vec<Timestamp> = (0..ROUNDS).map(Self::moment).collect::<Result<_>>()?;
        let mut all = Vec::with_capacity(moments.len());
        let begun = Clock::start();
        for now in moments {
            let mut found = Found::default();
            for account in &self.accounts {
                found.add(&next_step(account, &self.rules, now, &self.fresh));
            }
            all.push(found);
        }
        let took = begun.seconds();
        ensure!(all == self.found, "a round found something else than the first one");
        Ok(f64::from(ROUNDS * ACCOUNTS) / took)
    }
}

/// The same rules, with conditions that have to be asked for each day.
fn without_short_cuts(rules: &Rules) -> Result<Rules> {
    counting(rules, &Arc::default(), false)
}

/// The same rules, with conditions that count how often they are asked; `at_once` they may say that
/// no day makes them hold.
fn counting(rules: &Rules, asked: &Arc<AtomicU64>, at_once: bool) -> Result<Rules> {
    let policy = rules.policy(Currency::EUR).context("there is a policy")?;
    let mut policy: Policy = Policy::clone(policy);
    let personas = policy.personas.iter_mut().map(|persona| &mut persona.when);
    let steps = policy.steps.iter_mut().map(|step| &mut step.when);
    for when in personas.chain(steps).flatten() {
        let (inner, asked) = (when.clone(), Arc::clone(asked));
        let source = Arc::clone(&when.source);
        let over_days = inner.clone();
        let counted =
            Condition::new(&source, when.depends_on_day, when.reads_claim, move |facts| {
                asked.fetch_add(1, Ordering::Relaxed);
                inner.holds(facts)
            });
        *when = counted.with_days(move |facts| !at_once || over_days.can_hold(facts));
    }
    let mut counting = rules.clone();
    counting.policies.insert("EUR", Arc::new(policy));
    Ok(counting)
}

/// Time on the processor of this thread, where the system tells it; else time that passes. Others
/// that use the machine meanwhile count for less.
struct Clock {
    wall: Instant,
    on_cpu: Option<u64>,
}

impl Clock {
    fn start() -> Self {
        Self { wall: Instant::now(), on_cpu: on_cpu() }
    }

    fn seconds(&self) -> f64 {
        match (self.on_cpu, on_cpu()) {
            (Some(from), Some(to)) if to > from => (to - from) as f64 / 1e9,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

/// Nanoseconds that this thread has run; the first figure of Linux's `schedstat`.
fn on_cpu() -> Option<u64> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split_whitespace().next()?.parse().ok()
}

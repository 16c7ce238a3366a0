//! Forecasts: the live book some days ahead, with payments drawn from its own past.
//!
//! Each open account is played ahead once by the code that decides, as if nobody paid
//! ([`plan`](crate::plan) does the same). That is the course: which message would go on which day,
//! what it would charge, when a claim would go to an agency. Then payments are drawn for it many
//! times, by rates that the book's own history gives ([`hazard`]); what comes after a payment does
//! not happen. So the bands cost little more than the play.
//!
//! The same way is taken from a day that is over, with what was known then, and compared with what
//! happened ([`calibrate`]).
//!
//! Left out on purpose, and said in every output by the caller: new invoices, payments in parts,
//! money that an agency brings, interest. Disputes, holds, promises and plans to come change how
//! likely a payment is, but the course is not played anew after them. A bundle goes as it was
//! decided while any claim in it is open.
//!
//! The store is only read. The result depends on book, time, rules and seed alone, not on threads.

mod calibrate;
mod case;
mod cells;
mod hazard;
mod learn;
mod report;
mod rewind;
mod survey;
mod tally;
mod walk;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use kulanz_domain::{
    book::Book,
    ids::{AccountId, StepName},
    money::Currency,
    policy::{Rules, StepAction},
};
use kulanz_store::{Head, Store};
use rust_decimal::prelude::FromPrimitive as _;
use tokio::runtime::Handle;

pub use report::{
    Band, Calibration, Forecast, Held, HeldWeek, History, Learnt, Outlook, Part, Report, Start,
    Unpaid, Week,
};

use self::{
    case::{Ground, Span, number_in},
    cells::day,
    hazard::{Draws, Model},
    learn::{Table, Window},
    rewind::{Stream, was_placed},
    survey::{Look, Survey},
    tally::{Scratch, Tally},
    walk::{Sample, Walk, Work},
};
use crate::{Fault, backtest::cores, replay};

/// Accounts that are learnt from, at most about.
const LEARNT: u64 = 200_000;
/// Accounts on which the forecast is checked, at most about: their logs are read from the start.
const CHECKED: u64 = 50_000;
/// Fewer payments in full say too little.
const LEAST_PAID: u64 = 50;
/// A shorter history says too little.
const LEAST_DAYS: usize = 28;

/// What to forecast.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The rules to play.
    pub rules: Arc<Rules>,
    /// The rules in force: those of the past, as far as we know.
    pub in_force: Arc<Rules>,
}

/// How.
#[derive(Debug, Clone)]
pub struct Options {
    /// The moment from which is told; its day is the first.
    pub from: Timestamp,
    /// How many days.
    pub days: u16,
    /// All chance comes from it.
    pub seed: u64,
    /// How many futures are drawn.
    pub draws: usize,
    /// Forecast days that are over as well, and compare.
    pub calibrate: bool,
    /// Threads to use; `None`: as many as there are cores.
    pub threads: Option<usize>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A first look at the history.
    Survey,
    /// Counting days and payments.
    Learn,
    /// Forecasting days that are over.
    Calibrate,
    /// Playing the accounts ahead and drawing payments.
    Play,
}

/// Forecasts the book of a creditor. `progress` hears what is being done, and how many accounts
/// went by since it last heard.
///
/// # Errors
/// What the store says, and a stored account that cannot be read or played.
pub async fn forecast(
    store: Arc<dyn Store>,
    asked: Asked,
    options: Options,
    progress: impl Fn(Stage, usize) + Send + Sync + 'static,
) -> Result<Report, Fault> {
    let creditor = asked.rules.creditor.id.clone();
    let zone = asked.rules.creditor.zone.clone();
    let today = number_in(options.from, &zone);
    let (accounts, _) = store.book(Some(creditor.clone())).await?;
    let walk = Walk { store, creditor: creditor.clone(), threads: cores(options.threads) };
    let progress = Arc::new(progress);
    let passed = |stage: Stage| {
        let progress = Arc::clone(&progress);
        Arc::new(move |count| progress(stage, count))
    };

    let sample = Sample::of(accounts, LEARNT);
    let looks =
        walk.over(sample, &passed(Stage::Survey), || Look::new(zone.clone(), today)).await?;
    let survey = Arc::new(Survey::of(looks, &[&asked.rules, &asked.in_force]));
    let shared = Shared { survey: Arc::clone(&survey), zone: zone.clone(), walk: walk.clone() };
    let mut learnt = BTreeMap::new();
    if let Some(window) = survey.window {
        let worker = || Learner { shared: shared.clone(), window, tables: BTreeMap::new() };
        for learner in walk.over(sample, &passed(Stage::Learn), worker).await? {
            merge_tables(&mut learnt, learner.tables);
        }
    }
    let models: BTreeMap<&'static str, Arc<Model>> = learnt
        .iter()
        .filter(|(_, table)| survey.too_little(table).is_none())
        .map(|(code, table)| (*code, Arc::new(Model::fit(table))))
        .collect();

    let mut checks = BTreeMap::new();
    if options.calibrate {
        let sample = Sample::of(accounts, CHECKED);
        let asked = calibrate::Asked { rules: &asked.in_force, options: &options, sample };
        checks = calibrate::run(&shared, asked, &passed(Stage::Calibrate)).await?;
    }

    let span = Span { from: options.from, first: today, days: usize::from(options.days) };
    let silent = survey.window.map_or(0, |window| (today - window.end) / 7);
    let worker = || Player {
        shared: shared.clone(),
        rules: Arc::clone(&asked.rules),
        span,
        draws: draws(&models, &options, span, silent),
        replicates: options.draws,
        tallies: BTreeMap::new(),
        scratch: Scratch::default(),
    };
    let mut tallies: BTreeMap<&'static str, (Currency, Tally)> = BTreeMap::new();
    for player in walk.over(Sample::ALL, &passed(Stage::Play), worker).await? {
        merge_tallies(&mut tallies, player.tallies);
    }

    // What is paid to the last cent has a past that can be checked.
    for (code, (currency, _)) in &survey.sizes {
        tallies.entry(code).or_insert_with(|| (*currency, Tally::new(options.draws, span.days)));
    }
    let outlooks = tallies.iter().map(|(code, (currency, tally))| {
        let table = learnt.get(code);
        let model = models.get(code);
        let too_little = match model {
            Some(_) => None,
            None => Some(
                table.map_or_else(no_history, |table| survey.too_little(table).unwrap_or_default()),
            ),
        };
        let calibration = match checks.remove(code) {
            Some(done) => done,
            None if options.calibrate => Calibration::NotPossible(no_history()),
            None => Calibration::NotAsked,
        };
        let forecast = model.map(|_| {
            let mut forecast = tally.forecast(today, &survey.names, *currency);
            let policy = asked.rules.policy(*currency);
            forecast.order_steps(|name| {
                let steps = policy.map(|policy| &policy.steps)?;
                steps.iter().position(|step| step.name.as_str() == name)
            });
            forecast
        });
        let outlook = Outlook {
            start: tally.start(*currency),
            learnt: Learnt {
                unknown_steps: survey.unknown_steps(table, &asked.rules, *currency),
                ..learnt_from(table, model.map(|model| &**model))
            },
            unpaid: tally.if_unpaid(*currency),
            too_little,
            forecast,
            calibration,
        };
        ((*code).to_owned(), outlook)
    });
    let currencies = outlooks.collect();
    Ok(Report {
        creditor,
        first_day: day(today),
        days: options.days,
        seed: options.seed,
        draws: options.draws,
        accounts,
        history: survey.window.map(|window| History {
            first_day: day(window.first),
            last_day: day(window.end - 1),
            accounts: survey.accounts,
            brought_in: survey.brought_counts,
        }),
        currencies,
    })
}

fn no_history() -> String {
    "The book has no history in this currency: nothing can be learnt.".to_owned()
}

fn learnt_from(table: Option<&Table>, model: Option<&Model>) -> Learnt {
    let weeks = model.map(|model| model.weeks);
    let percent = weeks.map_or(0.0, |weeks| weeks.variance.sqrt() * 100.0);
    Learnt {
        claims: table.map_or(0, |table| table.claims),
        paid: table.map_or(0, Table::paid),
        claim_days: table.map_or(0, Table::days),
        weeks_differ: rust_decimal::Decimal::from_f64(percent).unwrap_or_default().round_dp(1),
        weeks: weeks.map_or(0, |weeks| weeks.seen),
        unknown_steps: Vec::new(),
    }
}

fn draws(
    models: &BTreeMap<&'static str, Arc<Model>>,
    options: &Options,
    span: Span,
    silent: i32,
) -> BTreeMap<&'static str, Draws> {
    let (seed, draws) = (options.seed, options.draws);
    let fresh = |model: &Arc<Model>| Draws::new(Arc::clone(model), seed, draws, span.days, silent);
    models.iter().map(|(code, model)| (*code, fresh(model))).collect()
}

fn merge_tables(all: &mut BTreeMap<&'static str, Table>, part: BTreeMap<&'static str, Table>) {
    for (code, table) in part {
        all.entry(code).or_default().merge(&table);
    }
}

type Tallies = BTreeMap<&'static str, (Currency, Tally)>;

fn merge_tallies(all: &mut Tallies, part: Tallies) {
    for (code, (currency, tally)) in part {
        match all.get_mut(code) {
            Some((_, known)) => known.merge(&tally),
            None => drop(all.insert(code, (currency, tally))),
        }
    }
}

impl Survey {
    /// Why nothing can be forecast from `table`.
    fn too_little(&self, table: &Table) -> Option<String> {
        let (paid, days) = (table.paid(), self.window.map_or(0, Window::days));
        (paid < LEAST_PAID || days < LEAST_DAYS).then(|| {
            format!(
                "Too little history for a forecast: {paid} payments in full on {days} days; it \
                 takes {LEAST_PAID} on {LEAST_DAYS}."
            )
        })
    }
}

impl Survey {
    /// Steps of the policy, messages all, that no claim ever waited after.
    fn unknown_steps(
        &self,
        table: Option<&Table>,
        rules: &Rules,
        currency: Currency,
    ) -> Vec<String> {
        let seen = |step: &StepName| {
            let number = self.names.step(step);
            table.is_some_and(|table| table.cells.keys().any(|cell| cell.step == number))
        };
        let steps = rules.policy(currency).into_iter().flat_map(|policy| &policy.steps);
        let messages = steps.filter(|step| !matches!(step.action, StepAction::HandOff { .. }));
        messages
            .map(|step| &step.name)
            .filter(|name| !seen(name))
            .map(ToString::to_string)
            .collect()
    }
}

/// What all workers look at.
#[derive(Clone)]
struct Shared {
    survey: Arc<Survey>,
    zone: TimeZone,
    walk: Walk,
}

impl Shared {
    /// Adds what is known of an account before the window's end.
    fn learn(
        &self,
        account: &kulanz_domain::Account,
        released: &HashMap<kulanz_domain::ids::InvoiceId, i32>,
        window: Window,
        tables: &mut BTreeMap<&'static str, Table>,
    ) {
        let brought_counts = self.survey.brought_counts.unwrap_or(true);
        for currency in account.currencies() {
            let sizes = self.survey.sizes.get(currency.code());
            let sizes = sizes.map(|(_, sizes)| *sizes).unwrap_or_default();
            let table = tables.entry(currency.code()).or_default();
            let book = Book::of(account, currency);
            let with = (&self.zone, &self.survey.names, sizes);
            learn::told(account, &book, released, with, window.end, |column, mut told| {
                if !brought_counts && let Some(day) = learn::brought_in(column.claim, &self.zone) {
                    told.from = told.from.max(day);
                }
                table.tell(&told, window);
            });
        }
    }

    fn ground<'a>(&'a self, span: Span, rules: Option<&'a Arc<Rules>>) -> Ground<'a> {
        let (names, sizes) = (&self.survey.names, &self.survey.sizes);
        Ground { names, sizes, zone: &self.zone, span, rules }
    }
}

/// Counts days and payments.
struct Learner {
    shared: Shared,
    window: Window,
    tables: BTreeMap<&'static str, Table>,
}

impl Work for Learner {
    fn look(&mut self, runtime: &Handle, id: &AccountId, head: &Head) -> Result<(), Fault> {
        let account = replay(head)?;
        // When a claim went to an agency only the log says.
        let released = match was_placed(&account) {
            true => Stream::read(&self.shared.walk, runtime, id)?.released(&self.shared.zone),
            false => HashMap::new(),
        };
        self.shared.learn(&account, &released, self.window, &mut self.tables);
        Ok(())
    }
}

/// Plays accounts ahead and draws their payments.
struct Player {
    shared: Shared,
    rules: Arc<Rules>,
    span: Span,
    draws: BTreeMap<&'static str, Draws>,
    replicates: usize,
    tallies: Tallies,
    scratch: Scratch,
}

impl Player {
    fn add(&mut self, id: &AccountId, case: &case::Case) {
        let debts = case.debts.iter().map(|debt| debt.currency);
        let aside = case.aside.iter().map(|(currency, ..)| *currency);
        let currencies: BTreeMap<&'static str, Currency> =
            debts.chain(aside).map(|currency| (currency.code(), currency)).collect();
        for (code, currency) in currencies {
            let fresh = || (currency, Tally::new(self.replicates, self.span.days));
            let (_, tally) = self.tallies.entry(code).or_insert_with(fresh);
            tally.unpaid(case, code);
            if let Some(draws) = self.draws.get_mut(code) {
                let who = (&*id.to_string(), case, code);
                tally.draw(who, self.span.first, draws, &mut self.scratch);
            }
        }
    }
}

impl Work for Player {
    fn look(&mut self, _: &Handle, id: &AccountId, head: &Head) -> Result<(), Fault> {
        let account = replay(head)?;
        let open = |claim: &kulanz_domain::claim::Claim| {
            claim.invoice.is_some() && claim.settled_on.is_none()
        };
        if !account.claims.values().any(|claim| open(claim)) {
            return Ok(());
        }
        let ground = self.shared.ground(self.span, Some(&self.rules));
        if let Some(case) = ground.case(id, &account, head.version)? {
            self.add(id, &case);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

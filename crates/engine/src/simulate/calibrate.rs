//! A forecast of days that are over, with what was known before them, beside what happened.
//!
//! Accounts are taken back to the morning of the first held-out day from their logs alone, rates
//! are learnt up to that morning, the same rules are played ahead from it, the same draws are made.
//! Then the claims that were open that morning are looked at as they are known now.
//!
//! Where no message of ours left on any of the held-out days, as in a history that was brought in,
//! none is played either. That is known only afterwards, but of the book as a whole, not of a
//! debtor.

use std::{collections::BTreeMap, sync::Arc};

use kulanz_domain::{
    Account,
    book::Book,
    ids::AccountId,
    money::{Currency, Decimal},
    policy::Rules,
};
use kulanz_store::Head;
use rust_decimal::prelude::FromPrimitive as _;
use tokio::runtime::Handle;

use super::{
    Calibration, Held, HeldWeek, LEAST_DAYS, LEAST_PAID, Options, Player, Shared,
    case::{Span, at_agency},
    cells::{DayNumber, day, number},
    draws,
    hazard::Model,
    learn::{Table, Window, amount, minor, paid_on},
    merge_tables,
    report::{Band, band, last_of, marks},
    rewind::Stream,
    tally::Scratch,
    walk::{Sample, Work},
};
use crate::{Fault, replay};

/// At least so many days are held out.
const LEAST_HELD: usize = 14;

/// What is asked for.
pub(super) struct Asked<'a> {
    pub rules: &'a Arc<Rules>,
    pub options: &'a Options,
    pub sample: Sample,
}

/// Forecasts the last days of the history and compares, by currency.
pub(super) async fn run(
    shared: &Shared,
    asked: Asked<'_>,
    passed: &Arc<impl Fn(usize) + Send + Sync + 'static>,
) -> Result<BTreeMap<&'static str, Calibration>, Fault> {
    let currencies: Vec<_> = shared.survey.sizes.keys().copied().collect();
    let not_possible = |why: String| -> BTreeMap<&'static str, Calibration> {
        currencies.iter().map(|code| (*code, Calibration::NotPossible(why.clone()))).collect()
    };
    let Some(window) = shared.survey.window else { return Ok(BTreeMap::new()) };
    // As long as the forecast, but two thirds of the history stay to learn from.
    let held = usize::from(asked.options.days).min(window.days() / 3);
    if held < LEAST_HELD || window.days() - held < LEAST_DAYS {
        return Ok(not_possible(format!(
            "The history of {} days is too short to hold out {LEAST_HELD} and learn from \
             {LEAST_DAYS}: how good this forecast is, nobody can say.",
            window.days()
        )));
    }
    let cut = window.end - DayNumber::try_from(held).unwrap_or(0);
    let before = Window { first: window.first, end: cut };
    let learners = shared.walk.over(asked.sample, passed, || Learner {
        shared: shared.clone(),
        window: before,
        tables: BTreeMap::new(),
        served: false,
        accounts: 0,
    });
    let (mut tables, mut served, mut accounts) = (BTreeMap::<&'static str, Table>::new(), false, 0);
    for learner in learners.await? {
        served |= learner.served;
        accounts += learner.accounts;
        merge_tables(&mut tables, learner.tables);
    }
    let models: BTreeMap<&'static str, Arc<Model>> = tables
        .iter()
        .filter(|(_, table)| table.paid() >= LEAST_PAID)
        .map(|(code, table)| (*code, Arc::new(Model::fit(table))))
        .collect();
    let start = day(cut).to_zoned(shared.zone.clone());
    let from = start.map_or(asked.options.from, |start| start.timestamp());
    let span = Span { from, first: cut, days: held };
    let players = shared.walk.over(asked.sample, passed, || Checker {
        player: Player {
            shared: shared.clone(),
            rules: Arc::clone(asked.rules),
            span,
            draws: draws(&models, asked.options, span, 0),
            replicates: asked.options.draws,
            tallies: BTreeMap::new(),
            scratch: Scratch::default(),
        },
        played: served,
        actual: BTreeMap::new(),
    });
    let (mut tallies, mut actual) = (BTreeMap::new(), BTreeMap::<&'static str, Actual>::new());
    for checker in players.await? {
        super::merge_tallies(&mut tallies, checker.player.tallies);
        for (code, part) in checker.actual {
            actual.entry(code).or_insert_with(|| Actual::new(held)).merge(&part);
        }
    }
    let mut checks = BTreeMap::new();
    for code in currencies {
        let paid = tables.get(code).map_or(0, Table::paid);
        let calibration = match (tallies.get(code), actual.get(code)) {
            (Some((currency, tally)), Some(actual)) if models.contains_key(code) => {
                let mut held = compare(tally, actual, (cut, held), *currency);
                (held.accounts, held.learnt_paid, held.played) = (accounts, paid, served);
                Calibration::Done(Box::new(held))
            }
            _ => Calibration::NotPossible(format!(
                "On {} the book knew {paid} payments in full; it takes {LEAST_PAID} known and \
                 something open to check a forecast.",
                day(cut)
            )),
        };
        checks.insert(code, calibration);
    }
    Ok(checks)
}

fn compare(
    tally: &super::Tally,
    actual: &Actual,
    (first, days): (DayNumber, usize),
    currency: Currency,
) -> Held {
    let running = tally.running();
    let mut weeks = Vec::new();
    let mut errors = Vec::new();
    for (days, sums) in running {
        let Band { low, middle, high } = band(sums.iter().map(|sums| sums.recovered).collect());
        let happened: i64 = actual.recovered[..days].iter().sum();
        errors.push(middle - happened);
        weeks.push(HeldWeek {
            days: u16::try_from(days).unwrap_or(u16::MAX),
            last_day: last_of(first, days),
            predicted: Band {
                low: amount(low, currency),
                middle: amount(middle, currency),
                high: amount(high, currency),
            },
            actual: amount(happened, currency),
            inside: (low..=high).contains(&happened),
        });
    }
    let percent = |of: f64| {
        let share = Decimal::from_f64(of * 100.0 / (tally.owed.max(1) as f64));
        share.unwrap_or_default().round_dp(1)
    };
    let distance: f64 = errors.iter().map(|error| error.abs() as f64).sum();
    let inside = weeks.iter().filter(|week| week.inside).count();
    debug_assert_eq!(marks(days).len(), weeks.len());
    Held {
        first_day: day(first),
        days: u16::try_from(days).unwrap_or(u16::MAX),
        accounts: 0,
        claims: u64::try_from(tally.claims).unwrap_or(0),
        open: amount(tally.owed, currency),
        learnt_paid: 0,
        played: false,
        mean_error: percent(distance / errors.len().max(1) as f64),
        end_error: percent(errors.last().map_or(0.0, |error| *error as f64)),
        inside: u64::try_from(inside).unwrap_or(0),
        in_parts: amount(actual.in_parts, currency),
        weeks,
    }
}

/// What happened to the claims that were open.
struct Actual {
    /// By day.
    recovered: Vec<i64>,
    in_parts: i64,
}

impl Actual {
    fn new(days: usize) -> Self {
        Self { recovered: vec![0; days], in_parts: 0 }
    }

    fn merge(&mut self, other: &Self) {
        self.recovered.iter_mut().zip(&other.recovered).for_each(|(our, their)| *our += their);
        self.in_parts += other.in_parts;
    }
}

/// Learns on accounts as they stood.
struct Learner {
    shared: Shared,
    window: Window,
    tables: BTreeMap<&'static str, Table>,
    served: bool,
    accounts: u64,
}

impl Work for Learner {
    fn look(&mut self, runtime: &Handle, id: &AccountId, _: &Head) -> Result<(), Fault> {
        let stream = Stream::read(&self.shared.walk, runtime, id)?;
        let then = stream.before(self.window.end, &self.shared.zone);
        self.served |= then.served_after;
        self.accounts += 1;
        let released = stream.released(&self.shared.zone);
        self.shared.learn(&then.account, &released, self.window, &mut self.tables);
        Ok(())
    }
}

/// Forecasts accounts as they stood, and looks at what happened.
struct Checker {
    player: Player,
    played: bool,
    actual: BTreeMap<&'static str, Actual>,
}

impl Work for Checker {
    fn look(&mut self, runtime: &Handle, id: &AccountId, head: &Head) -> Result<(), Fault> {
        let (first, days) = (self.player.span.first, self.player.span.days);
        let stream = Stream::read(&self.player.shared.walk, runtime, id)?;
        let then = stream.before(first, &self.player.shared.zone);
        let rules = Arc::clone(&self.player.rules);
        let ground = self.player.shared.ground(self.player.span, self.played.then_some(&rules));
        let Some(case) = ground.case(id, &then.account, then.version)? else { return Ok(()) };
        self.player.add(id, &case);
        let released = stream.released(&self.player.shared.zone);
        let now = replay(head)?;
        if !case.debts.is_empty() {
            self.happened(&then.account, &now, &released, (first, days));
        }
        Ok(())
    }
}

impl Checker {
    /// Adds what became of the claims that were open.
    fn happened(
        &mut self,
        then: &Account,
        now: &Account,
        released: &std::collections::HashMap<kulanz_domain::ids::InvoiceId, DayNumber>,
        (first, days): (DayNumber, usize),
    ) {
        for currency in then.currencies() {
            let (before, after) = (Book::of(then, currency), Book::of(now, currency));
            let fresh = || Actual::new(days);
            let actual = self.actual.entry(currency.code()).or_insert_with(fresh);
            for column in before.claims.iter().filter(|column| !column.outstanding.is_zero()) {
                let owed = minor(column.outstanding + column.fees, currency);
                let Some(known) = after.claim(column.invoice) else { continue };
                if at_agency(then, column.claim) {
                    continue;
                }
                let away = released.get(column.invoice).copied().unwrap_or(DayNumber::MAX);
                let paid = paid_on(known).map(number).filter(|day| *day < away);
                let place = paid.and_then(|day| usize::try_from(day - first).ok());
                match place {
                    Some(place) if place >= days => {}
                    Some(place) => {
                        // Fees of messages since then are paid with it; interest is not counted.
                        let more = known.fees_paid - column.fees_paid - column.fees;
                        let more = minor(more, currency).max(0);
                        actual.recovered[place] += owed + more;
                    }
                    None => {
                        let part = minor(known.paid - column.paid, currency);
                        actual.in_parts += part.clamp(0, owed);
                    }
                }
            }
        }
    }
}

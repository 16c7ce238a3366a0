#![allow(clippy::unwrap_used)]
//! Invented books whose debtors pay by rates that we know.

mod book;

use std::{collections::BTreeSet, sync::Arc};

use kulanz_domain::money::Currency;
use rand::{RngExt as _, rngs::ChaCha8Rng};

use super::{
    case::{Case, Debt, Mail},
    cells::{Cell, DayNumber, LEVELS, Names, Sizes, Track},
    hazard::{Draws, Model, stream},
    learn::{Count, Table, Told, Window},
    report::band,
    tally::{Scratch, Sums, Tally},
};

/// Days of the invented history.
const HISTORY: Window = Window { first: 0, end: 300 };

/// The chance of a day, as we invented it: more when it is due, more after a step, less for long.
fn chance(cell: Cell) -> f64 {
    let time = match cell.timing {
        0 => 0.12,
        1..=2 => 0.03,
        3..=5 => 0.008,
        6..=9 => 0.05,
        _ => 0.015,
    };
    let step = if cell.step > 0 { 1.5 } else { 1.0 };
    time * step * [1.3, 1.0, 0.9, 0.6][usize::from(cell.size)]
}

fn invented(random: &mut ChaCha8Rng) -> (Track, i64) {
    let due = random.random_range(20..330);
    let amount = random.random_range(1_000..50_000);
    let size = Sizes::of((1_000..50_000).step_by(100).collect()).class(amount);
    (
        Track { due, size, steps: vec![(due + 5, 2, 2), (due + 15, 3, 2)], ..Track::default() },
        amount,
    )
}

/// The day of payment between `from` and before `to`.
fn pays(
    random: &mut ChaCha8Rng,
    track: &Track,
    from: DayNumber,
    to: DayNumber,
) -> Option<DayNumber> {
    let mut paid = None;
    track.spans(from, to, |first, end, cell| {
        for day in first..end {
            if paid.is_none() && random.random::<f64>() < chance(cell) {
                paid = Some(day);
            }
        }
    });
    paid
}

/// A history of `claims`, and what is open at its end: each with what then happens.
fn history(random: &mut ChaCha8Rng, claims: usize, days: usize) -> (Table, Case, i64) {
    let (mut table, mut case, mut truth) = (Table::default(), Case::default(), 0);
    let last = HISTORY.end + DayNumber::try_from(days).unwrap();
    for _ in 0..claims {
        let (track, amount) = invented(random);
        let issued = track.due - 20;
        if issued >= HISTORY.end {
            continue;
        }
        let paid = pays(random, &track, issued, HISTORY.end);
        let to = paid.map_or(HISTORY.end, |day| day + 1);
        table.tell(
            &Told { track: track.clone(), from: issued, to, paid: paid.is_some(), gone: false },
            HISTORY,
        );
        if paid.is_none() {
            truth += pays(random, &track, HISTORY.end, last).map_or(0, |_| amount);
            case.debts.push(debt(track, amount));
        }
    }
    (table, case, truth)
}

fn debt(track: Track, owed: i64) -> Debt {
    let currency = Currency::EUR;
    Debt { currency, track, from: 0, owed, fees: Vec::new(), away: None }
}

/// The sums of all days, by replicate.
fn drawn(table: &Table, case: Case, seed: u64, days: usize) -> (Tally, Vec<Sums>) {
    let draws = 200;
    let mut chance = Draws::new(Arc::new(Model::fit(table)), seed, draws, days, 0);
    let mut tally = Tally::new(draws, days);
    // Each claim is a debtor of its own.
    for (number, debt) in case.debts.into_iter().enumerate() {
        let case = Case { debts: vec![debt], ..Case::default() };
        tally.unpaid(&case, "EUR");
        let who = (&*format!("D-{number}"), &case, "EUR");
        tally.draw(who, HISTORY.end, &mut chance, &mut Scratch::default());
    }
    let end = tally.running().pop().unwrap().1;
    (tally, end)
}

#[test]
fn invented_rates_are_learnt_back() {
    let (table, ..) = history(&mut stream(1, "learn"), 30_000, 0);
    let model = Model::fit(&table);
    let mut compared = 0;
    for (cell, count) in table.cells.iter().filter(|(_, count)| count.paid >= 100) {
        let (known, learnt) = (chance(*cell), 1.0 - (-model.rate_at(*cell, LEVELS - 1)).exp());
        let error = known / (count.paid as f64).sqrt();
        let off = (learnt - known).abs();
        assert!(off < 4.0 * error, "{cell:?}: {learnt} instead of {known}, {count:?}");
        compared += 1;
    }
    assert!(compared > 25, "{compared}");
    // No week was different from the others.
    assert!(model.weeks.seen > 20 && model.weeks.variance < 0.002, "{:?}", model.weeks);
}

#[test]
fn a_cell_that_nobody_stood_in_has_the_rate_above_it_and_varies_more() {
    let (table, ..) = history(&mut stream(2, "learn"), 6_000, 0);
    let model = Arc::new(Model::fit(&table));
    let known = Cell { timing: 7, size: 1, ..Cell::default() };
    let unknown = Cell { step: 9, persona: 9, ..known };
    let (above, own) = (model.rate_at(unknown, 2), model.rate_at(unknown, LEVELS - 1));
    assert!((above / own - 1.0).abs() < 1e-9, "{above} {own}");
    let mut draws = Draws::new(model, 1, 400, 1, 0);
    let spread = |rates: &[f64]| {
        let logs: Vec<f64> = rates.iter().map(|rate| rate.ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64
    };
    let (seen, unseen) = (spread(&draws.rates(known)), spread(&draws.rates(unknown)));
    assert!(unseen > 4.0 * seen, "{unseen} {seen}");
}

#[test]
fn nine_of_ten_forecasts_hold_what_then_happens() {
    let (mut inside, mut below, runs) = (0, 0, 60);
    for run in 0..runs {
        let (table, case, truth) = history(&mut stream(run, "cover"), 1_500, 30);
        assert!(case.debts.len() > 60, "{}", case.debts.len());
        let (_, end) = drawn(&table, case, run, 30);
        let band = band(end.iter().map(|sums| sums.recovered).collect());
        inside += u64::from((band.low..=band.high).contains(&truth));
        below += u64::from(truth < band.middle);
    }
    println!("{inside} of {runs} within the band, {below} below the median");
    // Two standard errors are 8 of 100; weeks make the bands a little wider than they had to be.
    assert!((runs * 80 / 100..=runs * 99 / 100).contains(&inside), "{inside} of {runs}");
    assert!((runs * 35 / 100..=runs * 65 / 100).contains(&below), "{below} of {runs}");
}

#[test]
fn weeks_that_differ_are_noticed_and_widen_the_band() {
    // Every second month nearly nobody pays.
    let mut table = Table::default();
    let mut random = stream(5, "months");
    for _ in 0..20_000 {
        let (track, _) = invented(&mut random);
        let issued = track.due - 20;
        let mut paid = None;
        for day in issued..HISTORY.end {
            let factor = if day / 28 % 2 == 0 { 1.7 } else { 0.3 };
            if paid.is_none() && random.random::<f64>() < 0.02 * factor {
                paid = Some(day);
            }
        }
        let to = paid.map_or(HISTORY.end, |day| day + 1);
        table.tell(&Told { track, from: issued, to, paid: paid.is_some(), gone: false }, HISTORY);
    }
    let weeks = Model::fit(&table).weeks;
    assert!((0.3..0.7).contains(&weeks.variance), "{weeks:?}");
    assert!((0.3..0.9).contains(&weeks.stays), "{weeks:?}");
    let few = Table::default();
    assert_eq!(Model::fit(&few).weeks.seen, 0, "nothing is known of weeks");
}

#[test]
fn the_same_seed_gives_the_same_and_another_one_another() {
    let (table, ..) = history(&mut stream(3, "same"), 2_000, 0);
    let case = |salt| {
        let mut random = stream(salt, "case");
        Case { debts: vec![debt(invented(&mut random).0, 5_000)], ..Case::default() }
    };
    let first = drawn(&table, case(1), 7, 60).0;
    assert_eq!(first, drawn(&table, case(1), 7, 60).0);
    assert_ne!(first, drawn(&table, case(1), 8, 60).0);
}

#[test]
fn no_cent_is_lost_and_nobody_pays_more_than_is_owed() {
    let (mut table, ..) = history(&mut stream(4, "cents"), 3_000, 0);
    // Some are taken out, half of them for good.
    for (at, cell) in table.cells.keys().copied().enumerate() {
        table.taken.insert(cell, at as u64 % 7);
    }
    table.gone = table.taken.values().sum::<u64>() / 2;
    table.stayed = Count { days: 1_000, paid: 50 };
    table.stayed_gone = 20;
    let mut draws = Draws::new(Arc::new(Model::fit(&table)), 4, 50, 90, 0);
    let mut random = stream(4, "cases");
    let mut all = Tally::new(50, 90);
    let mut scratch = Scratch::default();
    for number in 0..300 {
        let mut case = Case::default();
        for at in 0..random.random_range(1..5) {
            let (mut track, owed) = invented(&mut random);
            track.due = HISTORY.end - 30 + random.random_range(0..40);
            track.steps.clear();
            if random.random_range(0..4) == 0 {
                track.stays.push((HISTORY.end - 5, DayNumber::MAX));
            }
            let mut debt = debt(track, owed);
            debt.from = random.random_range(0..10);
            if random.random_range(0..3) == 0 {
                debt.away = Some(random.random_range(0..90));
            }
            let last = debt.away.unwrap_or(89);
            for _ in 0..random.random_range(0..4) {
                let on = random.random_range(0..=last);
                debt.fees.push((on, random.random_range(1..500)));
                case.mails.push(Mail {
                    currency: Currency::EUR,
                    at: on,
                    step: 2,
                    persona: 2,
                    claims: vec![at],
                });
            }
            case.debts.push(debt);
        }
        let mut one = Tally::new(50, 90);
        one.unpaid(&case, "EUR");
        one.draw((&format!("D-{number}"), &case, "EUR"), HISTORY.end, &mut draws, &mut scratch);
        let most: i64 = case
            .debts
            .iter()
            .map(|d| d.owed + d.fees.iter().map(|(_, fee)| fee).sum::<i64>())
            .sum();
        for (replicate, sums) in one.running().pop().unwrap().1.iter().enumerate() {
            assert!(sums.recovered <= most);
            let kept = sums.recovered + sums.handed + sums.gone + one.open[replicate];
            assert_eq!(one.owed + sums.fees, kept, "replicate {replicate}");
            let groups = one.steps.values().map(|groups| groups[replicate]);
            let (paid, open) = groups.fold((0, 0), |(a, b), g| (a + g.recovered, b + g.open));
            assert_eq!((paid, open), (sums.recovered, one.open[replicate]));
            assert!(sums.messages <= one.unpaid.messages && sums.fees <= one.unpaid.fees);
        }
        all.merge(&one);
    }
    let end = all.running().pop().unwrap().1;
    for (replicate, sums) in end.iter().enumerate() {
        assert_eq!(
            all.owed + sums.fees,
            sums.recovered + sums.handed + sums.gone + all.open[replicate]
        );
    }
    assert!(end.iter().any(|sums| sums.messages < all.unpaid.messages), "somebody paid before");
    assert!(end.iter().any(|sums| sums.gone > 0), "some came to their end otherwise");
}

#[test]
fn what_is_taken_out_is_learnt_and_lowers_what_comes() {
    // Every day one of fifty pays and one of fifty is disputed for ten days, without a payment.
    let mut random = stream(6, "outs");
    let mut table = Table::default();
    let mut paid_of = 0;
    for _ in 0..4_000 {
        let due = random.random_range(0..200);
        let mut track = Track { due, ..Track::default() };
        let (mut day, mut paid) = (due, None);
        while day < due + 60 && paid.is_none() {
            match random.random_range(0..50) {
                0 => paid = Some(day),
                1 => {
                    track.stays.push((day + 1, day + 11));
                    day += 10;
                }
                _ => {}
            }
            day += 1;
        }
        paid_of += u64::from(paid.is_some());
        let to = paid.map_or(due + 60, |day| day + 1);
        let told = Told { track, from: due, to, paid: paid.is_some(), gone: false };
        table.tell(&told, HISTORY);
    }
    let (taken, free) = (table.taken.values().sum::<u64>() as f64, table.outs().days() as f64);
    assert!((0.017..0.023).contains(&(taken / free)), "{taken} of {free}");
    let lasted = table.stayed.days as f64 / table.stayed.paid as f64;
    assert!((9.0..11.5).contains(&lasted), "{lasted}");
    let case = Case {
        debts: (0..400)
            .map(|_| debt(Track { due: HISTORY.end, ..Track::default() }, 100))
            .collect(),
        ..Case::default()
    };
    let (_, end) = drawn(&table, case, 6, 60);
    let share = end.iter().map(|sums| sums.paid).sum::<i64>() as f64 / (200.0 * 400.0);
    let known = paid_of as f64 / 4_000.0;
    assert!((share - known).abs() < 0.06, "{share} instead of {known}");

    // Nobody knows when a dispute of today ends, but the book knows how long they last.
    let disputed = |number| {
        let stays = vec![(HISTORY.end - number % 3, DayNumber::MAX)];
        debt(Track { due: HISTORY.end - 10, stays, ..Track::default() }, 100)
    };
    let case = Case { debts: (0..400).map(disputed).collect(), ..Case::default() };
    let (tally, end) = drawn(&table, case, 7, 60);
    let early: i64 = tally.running()[0].1.iter().map(|sums| sums.paid).sum();
    let late: i64 = end.iter().map(|sums| sums.paid).sum();
    assert!(early * 10 < late, "{early} in the first week, {late} in all");
    assert!(late as f64 / 80_000.0 > 0.7 * known, "{late}");
}

#[test]
fn what_comes_after_a_payment_does_not_happen() {
    // Everybody pays on the first day of the history, so nearly everybody does now.
    let mut table = Table::default();
    for day in 0..290 {
        let track = Track { due: day, size: 0, ..Track::default() };
        table.tell(&Told { track, from: day, to: day + 1, paid: true, gone: false }, HISTORY);
    }
    let track = Track { due: HISTORY.end, size: 0, ..Track::default() };
    let mut debt = debt(track, 1_000);
    debt.fees = vec![(0, 50), (20, 250)];
    debt.away = Some(40);
    let mail = |at| Mail { currency: Currency::EUR, at, step: 2, persona: 2, claims: vec![0] };
    let case = Case { debts: vec![debt], mails: vec![mail(0), mail(20)], aside: Vec::new() };
    let mut draws = Draws::new(Arc::new(Model::fit(&table)), 1, 200, 60, 0);
    let mut tally = Tally::new(200, 60);
    tally.unpaid(&case, "EUR");
    tally.draw(("D", &case, "EUR"), HISTORY.end, &mut draws, &mut Scratch::default());
    let end = tally.running().pop().unwrap().1;
    let early: Vec<&Sums> = end.iter().filter(|sums| sums.messages == 1).collect();
    assert!(early.len() > 150, "{}", early.len());
    // The message of the day on which they pay has gone, and its fee is paid with the claim.
    assert!(early.iter().all(|s| (s.recovered, s.fees, s.handoffs) == (1_050, 50, 0)));
    assert!(end.iter().all(|s| s.handed == 0 || (s.handed, s.recovered) == (1_300, 0)));
}

#[test]
fn names_have_numbers_and_what_is_not_listed_is_another() {
    let names = Names::new(BTreeSet::from(["reminder".parse().unwrap()]), BTreeSet::new());
    let number = names.step(&"reminder".parse().unwrap());
    assert_eq!(names.step_name(number).as_deref(), Some("reminder"));
    let other = names.step(&"mahnung".parse().unwrap());
    assert_eq!(names.step_name(other).as_deref(), Some("another"));
    assert_eq!(names.step_name(0), None);
    assert_eq!(names.persona(None), 0);
}

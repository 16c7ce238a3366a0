//! Payments drawn for the claims of a case, many times, and the sums of each time.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand_distr::{Distribution, Exp1};

use super::{
    case::{Case, Debt, Mail},
    cells::{Cell, DayNumber, Track},
    hazard::Draws,
};

/// A claim that is not paid on any day that is told.
const NEVER: usize = usize::MAX;

/// What happened on one day, in one replicate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Money that came for claims that were paid in full, fees included.
    pub recovered: i64,
    /// Claims that were paid in full.
    pub paid: i64,
    pub messages: i64,
    /// Fees that messages charged.
    pub fees: i64,
    /// Claims due to go to an agency, and what was open of them.
    pub handoffs: i64,
    pub handed: i64,
    /// What came to its end without money: cancelled, credited, given up.
    pub gone: i64,
}

impl Sums {
    pub fn add(&mut self, other: &Self) {
        self.recovered += other.recovered;
        self.paid += other.paid;
        self.messages += other.messages;
        self.fees += other.fees;
        self.handoffs += other.handoffs;
        self.handed += other.handed;
        self.gone += other.gone;
    }
}

/// What happened under one step or persona, in one replicate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub messages: i64,
    /// Money that came while it was the last one.
    pub recovered: i64,
    /// Open at the end with it as the last one.
    pub open: i64,
}

/// The sums of all replicates, in one currency.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub replicates: usize,
    pub days: usize,
    /// Claims, and what was open of them at the beginning.
    pub claims: i64,
    pub owed: i64,
    /// Accounts with something open.
    pub accounts: i64,
    /// By day and then replicate.
    pub sums: Vec<Sums>,
    /// Open at the end, by replicate.
    pub open: Vec<i64>,
    /// By number of the step, and then replicate.
    pub steps: BTreeMap<u16, Vec<Group>>,
    pub personas: BTreeMap<u16, Vec<Group>>,
    /// As if nobody paid.
    pub unpaid: Sums,
    /// Claims and money that are not drawn: insolvent, dead, erased; at an agency.
    pub aside: [(i64, i64); 2],
}

/// What becomes of a claim in a replicate.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// The day on which it is paid.
    paid: usize,
    /// Step and persona on that day, or at the end.
    step: u16,
    persona: u16,
    /// The day on which it is taken out; it still gets what goes on that day.
    out: usize,
    /// The day from which on it is dunned again.
    back: usize,
    /// The day on which it comes to its end without money.
    gone: usize,
}

const OPEN: Fate = Fate { paid: NEVER, step: 0, persona: 0, out: NEVER, back: NEVER, gone: NEVER };

impl Fate {
    /// A message of day `at` goes to it, if it is in one.
    const fn hears(&self, at: usize) -> bool {
        at <= self.paid && at <= self.gone && (at <= self.out || at >= self.back)
    }
}

/// Room for what is drawn of one case.
#[derive(Default)]
pub(super) struct Scratch {
    luck: Vec<f64>,
    left: Vec<f64>,
    /// By debt and then replicate.
    fates: Vec<Fate>,
}

impl Tally {
    pub fn new(replicates: usize, days: usize) -> Self {
        Self {
            replicates,
            days,
            claims: 0,
            owed: 0,
            accounts: 0,
            sums: vec![Sums::default(); replicates * days],
            open: vec![0; replicates],
            steps: BTreeMap::new(),
            personas: BTreeMap::new(),
            unpaid: Sums::default(),
            aside: [(0, 0); 2],
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.claims += other.claims;
        self.owed += other.owed;
        self.accounts += other.accounts;
        self.sums.iter_mut().zip(&other.sums).for_each(|(our, their)| our.add(their));
        self.open.iter_mut().zip(&other.open).for_each(|(our, their)| *our += their);
        self.unpaid.add(&other.unpaid);
        for (our, their) in self.aside.iter_mut().zip(other.aside) {
            *our = (our.0 + their.0, our.1 + their.1);
        }
        for (ours, theirs) in
            [(&mut self.steps, &other.steps), (&mut self.personas, &other.personas)]
        {
            for (name, groups) in theirs {
                let fresh = || vec![Group::default(); groups.len()];
                for (our, their) in ours.entry(*name).or_insert_with(fresh).iter_mut().zip(groups) {
                    our.messages += their.messages;
                    our.recovered += their.recovered;
                    our.open += their.open;
                }
            }
        }
    }

    /// Adds what would happen to `case` if nobody paid; the debts of one currency alone.
    pub fn unpaid(&mut self, case: &Case, code: &str) {
        let mut any = false;
        for debt in case.debts.iter().filter(|debt| debt.currency.code() == code) {
            any = true;
            self.claims += 1;
            self.owed += debt.owed;
            self.unpaid.fees += debt.fees.iter().map(|(_, fee)| fee).sum::<i64>();
            if let Some(away) = debt.away {
                self.unpaid.handoffs += 1;
                self.unpaid.handed += owed_on(debt, away);
            }
        }
        let mails = case.mails.iter().filter(|mail| mail.currency.code() == code);
        self.unpaid.messages += i64::try_from(mails.count()).unwrap_or(i64::MAX);
        for (_, why, owed) in case.aside.iter().filter(|(of, ..)| of.code() == code) {
            let (claims, money) = &mut self.aside[*why as usize];
            *claims += 1;
            *money += owed;
        }
        self.accounts += i64::from(any);
    }

    /// Draws payments for the debts of `case` in one currency and adds what follows.
    pub fn draw(
        &mut self,
        (account, case, code): (&str, &Case, &str),
        first: DayNumber,
        draws: &mut Draws,
        scratch: &mut Scratch,
    ) {
        let all = self.replicates;
        draws.luck(account, &mut scratch.luck);
        scratch.fates.clear();
        scratch.fates.resize(case.debts.len() * all, OPEN);
        for (at, debt) in case.debts.iter().enumerate() {
            if debt.currency.code() != code {
                continue;
            }
            let fates = &mut scratch.fates[at * all..(at + 1) * all];
            let days =
                Days { first, from: debt.from, end: debt.away.unwrap_or(NEVER).min(self.days) };
            take_out(&debt.track, days, (account, at), draws, &mut scratch.left, fates);
            pay(&debt.track, days, draws, (&scratch.luck, &mut scratch.left), fates);
            self.settle(debt, fates);
        }
        for mail in case.mails.iter().filter(|mail| mail.currency.code() == code) {
            self.send(mail, &scratch.fates);
        }
    }

    fn settle(&mut self, debt: &Debt, fates: &[Fate]) {
        let all = self.replicates;
        let fresh = || vec![Group::default(); all];
        for (replicate, fate) in fates.iter().enumerate() {
            // What is stayed on the day does not go to an agency.
            let away = debt.away.filter(|at| fate.hears(*at));
            let gone = fate.gone;
            let mut owed = debt.owed;
            for (at, fee) in debt.fees.iter().filter(|(at, _)| fate.hears(*at)) {
                self.sums[at * all + replicate].fees += fee;
                owed += fee;
            }
            let mut groups = [(&mut self.steps, fate.step), (&mut self.personas, fate.persona)]
                .map(|(groups, name)| &mut groups.entry(name).or_insert_with(fresh)[replicate]);
            if fate.paid != NEVER {
                let sums = &mut self.sums[fate.paid * all + replicate];
                sums.recovered += owed;
                sums.paid += 1;
                groups.iter_mut().for_each(|group| group.recovered += owed);
            } else if let Some(away) = away {
                let sums = &mut self.sums[away * all + replicate];
                sums.handoffs += 1;
                sums.handed += owed;
            } else if gone < self.days {
                self.sums[gone * all + replicate].gone += owed;
            } else {
                self.open[replicate] += owed;
                groups.iter_mut().for_each(|group| group.open += owed);
            }
        }
    }

    fn send(&mut self, mail: &Mail, fates: &[Fate]) {
        let all = self.replicates;
        let fresh = || vec![Group::default(); all];
        let step = self.steps.entry(mail.step).or_insert_with(fresh);
        let persona = self.personas.entry(mail.persona).or_insert_with(fresh);
        for replicate in 0..all {
            // Whoever pays on the day may have paid after it came.
            if mail.claims.iter().any(|debt| fates[debt * all + replicate].hears(mail.at)) {
                self.sums[mail.at * all + replicate].messages += 1;
                step[replicate].messages += 1;
                persona[replicate].messages += 1;
            }
        }
    }
}

/// What is owed of a debt at the end of a day.
fn owed_on(debt: &Debt, at: usize) -> i64 {
    let charged = debt.fees.iter().filter(|(on, _)| *on <= at);
    debt.owed + charged.map(|(_, fee)| fee).sum::<i64>()
}

/// The days of a claim: the number of the first that is told, and the places of its own.
#[derive(Clone, Copy)]
struct Days {
    first: DayNumber,
    from: usize,
    end: usize,
}

impl Days {
    fn number(self, at: usize) -> DayNumber {
        self.first.saturating_add(DayNumber::try_from(at).unwrap_or(DayNumber::MAX))
    }

    fn spans(self, track: &Track, mut each: impl FnMut(usize, usize, Cell)) {
        let place = |day: DayNumber| usize::try_from(day - self.first).unwrap_or(0);
        track.spans(self.number(self.from), self.number(self.end), |from, to, cell| {
            each(place(from), place(to), cell);
        });
    }
}

/// The day of a stretch on which the rate, times the factors of its days, has used up what is left;
/// `None`, and less left, where it does not.
fn reached(
    (draws, replicate): (&Draws, usize),
    (from, to): (usize, usize),
    rate: f64,
    left: &mut f64,
) -> Option<usize> {
    let before = draws.factors_before(from)[replicate];
    let adds = rate * (draws.factors_before(to)[replicate] - before);
    if adds < *left {
        *left -= adds;
        return None;
    }
    let reached = before + *left / rate;
    let day = (from..to).find(|at| draws.factors_before(at + 1)[replicate] >= reached);
    Some(day.unwrap_or(to - 1))
}

/// Draws on which day something begins to stay a claim's dunning or ends it, and for how long.
fn take_out(
    track: &Track,
    days: Days,
    (account, at): (&str, usize),
    draws: &mut Draws,
    left: &mut Vec<f64>,
    fates: &mut [Fate],
) {
    let Some(outs) = &mut draws.outs else { return };
    let mut random = outs.draws.stream(&format!("{account}/{at}"));
    left.clear();
    left.extend((0..fates.len()).map(|_| -> f64 { Exp1.sample(&mut random) }));
    days.spans(track, |from, to, cell| {
        if cell.stayed {
            return;
        }
        let rates = outs.draws.rates(cell);
        for (replicate, fate) in fates.iter_mut().enumerate().filter(|(_, one)| one.out == NEVER) {
            let of = (&outs.draws, replicate);
            let day = reached(of, (from, to), rates[replicate], &mut left[replicate]);
            let Some(day) = day else { continue };
            fate.out = day;
        }
    });
    let endless = endless(track, days);
    for (replicate, fate) in fates.iter_mut().enumerate() {
        if fate.out == NEVER && endless.is_none() {
            continue;
        }
        let (ends, goes) = (random.random::<f64>(), random.random::<f64>());
        let lasts: f64 = Exp1.sample(&mut random);
        // A stay is of a day at least.
        let lasts = 1 + (lasts / outs.ends[replicate].max(1e-6)).min(1e6) as usize;
        if let Some(from) = endless {
            fate.out = from;
        } else if ends < outs.gone {
            fate.gone = fate.out;
            continue;
        }
        fate.back = fate.out.saturating_add(lasts);
        if goes < outs.stayed_gone {
            fate.gone = fate.back;
        }
    }
}

/// The day from which on a stay of which nobody knows when it ends is looked at.
fn endless(track: &Track, days: Days) -> Option<usize> {
    let first = days.number(days.from);
    let mut known = track.stays.iter().filter(|(_, to)| *to == DayNumber::MAX);
    known.any(|(from, _)| *from <= first).then_some(days.from)
}

/// The day on which a claim is paid, by replicate: the one on which the rates since the first day,
/// each times the factor of its week, add up to the debtor's luck.
fn pay(
    track: &Track,
    days: Days,
    draws: &mut Draws,
    (luck, left): (&[f64], &mut Vec<f64>),
    fates: &mut [Fate],
) {
    left.clear();
    left.extend_from_slice(luck);
    days.spans(track, |from, to, cell| {
        let rates = draws.rates(cell);
        for (replicate, fate) in fates.iter_mut().enumerate().filter(|(_, one)| one.paid == NEVER) {
            (fate.step, fate.persona) = (cell.step, cell.persona);
            let of = (&*draws, replicate);
            if let Some(day) = reached(of, (from, to), rates[replicate], &mut left[replicate]) {
                fate.paid = day;
            }
        }
    });
    // Few are taken out before they pay. These are told once more with the stay in it, from which
    // they may come back.
    for (replicate, fate) in fates.iter_mut().enumerate() {
        if fate.out == NEVER {
            continue;
        }
        if fate.out >= fate.paid && endless(track, days).is_none() {
            (fate.out, fate.back, fate.gone) = (NEVER, NEVER, NEVER);
            continue;
        }
        fate.paid = NEVER;
        let mut stayed = track.clone();
        stayed.stays.retain(|(_, to)| *to != DayNumber::MAX);
        let from = if endless(track, days).is_some() { fate.out } else { fate.out + 1 };
        stayed.stays.push((days.number(from), days.number(fate.back)));
        let mut left = luck[replicate];
        let own = Days { end: days.end.min(fate.gone), ..days };
        own.spans(&stayed, |from, to, cell| {
            if fate.paid == NEVER {
                (fate.step, fate.persona) = (cell.step, cell.persona);
                let rate = draws.rates(cell)[replicate];
                if let Some(day) = reached((draws, replicate), (from, to), rate, &mut left) {
                    fate.paid = day;
                }
            }
        });
        if fate.paid != NEVER {
            fate.gone = NEVER;
        }
    }
}

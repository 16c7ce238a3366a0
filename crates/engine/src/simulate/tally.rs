//! Payments drawn for the claims of a case, many times, and the sums of each time.

use std::collections::BTreeMap;

use super::{
    case::{Case, Debt, Mail},
    cells::DayNumber,
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
}

impl Sums {
    pub fn add(&mut self, other: &Self) {
        self.recovered += other.recovered;
        self.paid += other.paid;
        self.messages += other.messages;
        self.fees += other.fees;
        self.handoffs += other.handoffs;
        self.handed += other.handed;
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

/// What is the same for all claims of a case while it is drawn.
#[derive(Default)]
pub(super) struct Scratch {
    luck: Vec<f64>,
    left: Vec<f64>,
    /// By debt and then replicate: the day of payment, and step and persona on it or at the end.
    fates: Vec<(usize, u16, u16)>,
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
        scratch.fates.resize(case.debts.len() * all, (NEVER, 0, 0));
        for (at, debt) in case.debts.iter().enumerate() {
            if debt.currency.code() != code {
                continue;
            }
            scratch.left.clone_from(&scratch.luck);
            let fates = &mut scratch.fates[at * all..(at + 1) * all];
            pay(debt, first, self.days, draws, &mut scratch.left, fates);
            self.settle(debt, fates);
        }
        for mail in case.mails.iter().filter(|mail| mail.currency.code() == code) {
            self.send(mail, &scratch.fates);
        }
    }

    fn settle(&mut self, debt: &Debt, fates: &[(usize, u16, u16)]) {
        let all = self.replicates;
        let fresh = || vec![Group::default(); all];
        for (replicate, (paid, step, persona)) in fates.iter().enumerate() {
            let end = debt.away.unwrap_or(NEVER).min(*paid);
            for (at, fee) in debt.fees.iter().filter(|(at, _)| *at <= end) {
                self.sums[at * all + replicate].fees += fee;
            }
            let owed = owed_on(debt, end);
            let mut groups = [(&mut self.steps, step), (&mut self.personas, persona)]
                .map(|(groups, name)| &mut groups.entry(*name).or_insert_with(fresh)[replicate]);
            if *paid != NEVER {
                let sums = &mut self.sums[paid * all + replicate];
                sums.recovered += owed;
                sums.paid += 1;
                groups.iter_mut().for_each(|group| group.recovered += owed);
            } else if let Some(away) = debt.away {
                let sums = &mut self.sums[away * all + replicate];
                sums.handoffs += 1;
                sums.handed += owed;
            } else {
                self.open[replicate] += owed;
                groups.iter_mut().for_each(|group| group.open += owed);
            }
        }
    }

    fn send(&mut self, mail: &Mail, fates: &[(usize, u16, u16)]) {
        let all = self.replicates;
        let fresh = || vec![Group::default(); all];
        let step = self.steps.entry(mail.step).or_insert_with(fresh);
        let persona = self.personas.entry(mail.persona).or_insert_with(fresh);
        for replicate in 0..all {
            // Whoever pays on the day may have paid after it came.
            if mail.claims.iter().any(|debt| fates[debt * all + replicate].0 >= mail.at) {
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

/// The day on which a debt is paid, by replicate: the one on which the rates since the first day,
/// each times the factor of its week, add up to the debtor's luck.
fn pay(
    debt: &Debt,
    first: DayNumber,
    days: usize,
    draws: &mut Draws,
    left: &mut [f64],
    fates: &mut [(usize, u16, u16)],
) {
    let number = |at: usize| first + DayNumber::try_from(at).unwrap_or(DayNumber::MAX);
    let end = debt.away.unwrap_or(days).min(days);
    debt.track.spans(number(debt.from), number(end), |from, to, cell| {
        let place = |day: DayNumber| usize::try_from(day - first).unwrap_or(0);
        let (from, to) = (place(from), place(to));
        let rates = draws.rates(cell);
        let (before, after) = (draws.factors_before(from), draws.factors_before(to));
        for (replicate, fate) in fates.iter_mut().enumerate() {
            if fate.0 != NEVER {
                continue;
            }
            (fate.1, fate.2) = (cell.step, cell.persona);
            let adds = rates[replicate] * (after[replicate] - before[replicate]);
            if adds < left[replicate] {
                left[replicate] -= adds;
                continue;
            }
            let reached = before[replicate] + left[replicate] / rates[replicate];
            let day = (from..to).find(|at| draws.factors_before(at + 1)[replicate] >= reached);
            fate.0 = day.unwrap_or(to - 1);
        }
    });
}

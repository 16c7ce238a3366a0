//! The totals that a back-test and a live book have in common.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use kulanz_domain::{
    Account,
    account::PlacementState,
    book::Book,
    fact::Channel,
    ids::{AccountId, StepName},
    money::{Currency, Decimal, decimals},
};
use serde::{Deserialize, Serialize};

use crate::UNMATCHED;

/// Totals over accounts, as `--json` prints them; amounts are decimal strings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Inbound events that were recorded.
    pub events: u64,
    /// Accounts, without the one on which payments of unknown debtors wait.
    pub accounts: u64,
    /// Claims issued, settled and cancelled ones included.
    pub claims: u64,
    /// By step: claims that it happened to. A handoff's step counts once it was due.
    pub steps: BTreeMap<StepName, u64>,
    /// By step and channel: messages that a gateway took.
    pub notices: BTreeMap<StepName, BTreeMap<Channel, u64>>,
    /// Placements that lack nothing: waiting for persons, or with an agency.
    pub placements: u64,
    /// Placements that are due and lack a field.
    pub handoffs_due: u64,
    /// By ISO 4217 code.
    pub currencies: BTreeMap<String, Totals>,
}

/// Money in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Invoiced, with the latest adjustments and without cancelled claims.
    pub principal: Decimal,
    /// Received less returned and refunded.
    pub paid: Decimal,
    /// Credit notes.
    pub credited: Decimal,
    /// Money beyond what is owed.
    pub unallocated: Decimal,
    /// Principal still owed.
    pub outstanding: Decimal,
    /// Fees still owed.
    pub fees: Decimal,
    /// Interest still owed, up to the day of the count.
    #[serde(default)]
    pub interest: Decimal,
}

impl Totals {
    fn amounts(&mut self) -> [&mut Decimal; 7] {
        let Self { principal, paid, credited, unallocated, outstanding, fees, interest } = self;
        [principal, paid, credited, unallocated, outstanding, fees, interest]
    }
}

impl Summary {
    /// Adds an account as it stands, with interest up to `on`. `events` stays: an account does not
    /// know how many it took.
    pub fn add(&mut self, id: &AccountId, account: &Account, on: Date) {
        self.accounts += u64::from(id.debtor.as_str() != UNMATCHED);
        for currency in account.currencies() {
            self.add_book(currency, &Book::of(account, currency), on);
        }
        let mut handed: BTreeMap<&StepName, BTreeSet<_>> = BTreeMap::new();
        for placement in account.placements.values() {
            handed.entry(&placement.step).or_default().extend(&placement.claims);
            match placement.state {
                PlacementState::Due if !placement.missing.is_empty() => self.handoffs_due += 1,
                PlacementState::Withdrawn | PlacementState::Recalled => {}
                _ => self.placements += 1,
            }
        }
        for (step, claims) in handed {
            count(&mut self.steps, step, claims.len());
        }
        for claim in account.claims.values() {
            for (at, taken) in claim.steps.iter().enumerate() {
                if claim.steps[..at].iter().all(|earlier| earlier.step != taken.step) {
                    count(&mut self.steps, &taken.step, 1);
                }
            }
        }
        for notice in account.notices.values().filter(|notice| notice.sent_at.is_some()) {
            let step = &notice.decided.step;
            if !self.notices.contains_key(step) {
                self.notices.insert(step.clone(), BTreeMap::new());
            }
            if let Some(channels) = self.notices.get_mut(step) {
                *channels.entry(notice.decided.channel).or_default() += 1;
            }
        }
    }

    fn add_book(&mut self, currency: Currency, book: &Book<'_>, on: Date) {
        self.claims += u64::try_from(book.claims.len()).unwrap_or(u64::MAX);
        if !self.currencies.contains_key(currency.code()) {
            self.currencies.insert(currency.code().to_owned(), Totals::default());
        }
        let Some(totals) = self.currencies.get_mut(currency.code()) else { return };
        totals.paid += book.paid;
        totals.unallocated += book.unallocated;
        for column in &book.claims {
            totals.principal += column.principal;
            totals.credited += column.claim.credited();
            totals.outstanding += column.outstanding;
            totals.fees += column.fees;
            totals.interest += column.interest_on(on);
        }
        let scale = decimals(currency).unwrap_or(2);
        for amount in totals.amounts() {
            amount.rescale(scale.max(amount.scale()));
        }
    }

    /// Adds totals over other accounts.
    pub fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.accounts += other.accounts;
        self.claims += other.claims;
        self.placements += other.placements;
        self.handoffs_due += other.handoffs_due;
        for (step, more) in other.steps {
            *self.steps.entry(step).or_default() += more;
        }
        for (step, channels) in other.notices {
            let known = self.notices.entry(step).or_default();
            for (channel, more) in channels {
                *known.entry(channel).or_default() += more;
            }
        }
        for (code, mut more) in other.currencies {
            let totals = self.currencies.entry(code).or_default();
            for (sum, more) in totals.amounts().into_iter().zip(more.amounts()) {
                *sum += *more;
            }
        }
    }
}

fn count(steps: &mut BTreeMap<StepName, u64>, step: &StepName, claims: usize) {
    let more = u64::try_from(claims).unwrap_or(u64::MAX);
    match steps.get_mut(step) {
        Some(known) => *known += more,
        None => {
            steps.insert(step.clone(), more);
        }
    }
}

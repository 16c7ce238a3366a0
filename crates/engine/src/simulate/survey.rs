//! A first look at a book: how far its history reaches, how large its claims are, which names
//! occur.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::tz::TimeZone;
use kulanz_domain::{
    Account,
    ids::{AccountId, PersonaName, StepName},
    money::Currency,
    policy::Rules,
};
use kulanz_store::Head;
use tokio::runtime::Handle;

use super::{
    cells::{DayNumber, Names, Sizes, number},
    learn::{Window, brought_in, minor},
    walk::Work,
};
use crate::{Fault, replay};

/// Days of history that are learnt from: people change, and so do shops.
const LEARNT_DAYS: DayNumber = 730;
/// Claims that were brought in count from their issue where at least one of so many came paid: then
/// it was a history. A list of open items says nothing of those who had paid by then.
const PAID_OF: u64 = 5;

/// What a worker has seen.
pub(super) struct Look {
    pub zone: TimeZone,
    pub today: DayNumber,
    pub accounts: u64,
    first: Option<DayNumber>,
    last: Option<DayNumber>,
    amounts: BTreeMap<&'static str, (Currency, Vec<i64>)>,
    steps: BTreeSet<StepName>,
    personas: BTreeSet<PersonaName>,
    brought: u64,
    brought_paid: u64,
}

impl Look {
    pub fn new(zone: TimeZone, today: DayNumber) -> Self {
        Self {
            zone,
            today,
            accounts: 0,
            first: None,
            last: None,
            amounts: BTreeMap::new(),
            steps: BTreeSet::new(),
            personas: BTreeSet::new(),
            brought: 0,
            brought_paid: 0,
        }
    }

    fn happened(&mut self, day: DayNumber) {
        if day <= self.today {
            self.first = Some(self.first.map_or(day, |first| first.min(day)));
            self.last = Some(self.last.map_or(day, |last| last.max(day)));
        }
    }

    fn see(&mut self, account: &Account) {
        self.accounts += 1;
        let received = account.payments.values().filter_map(|payment| payment.received.as_ref());
        received.for_each(|received| self.happened(number(received.booked_on)));
        let notices = account.notices.values().map(|notice| notice.decided.persona.clone());
        self.personas.extend(notices);
        for claim in account.claims.values() {
            let Some(invoice) = &claim.invoice else { continue };
            self.happened(number(invoice.issued_on));
            let currency = invoice.amount.currency;
            let of = self.amounts.entry(currency.code()).or_insert((currency, Vec::new()));
            of.1.push(minor(claim.payable(), currency));
            for taken in &claim.steps {
                if !self.steps.contains(&taken.step) {
                    self.steps.insert(taken.step.clone());
                }
            }
            if let Some(recorded) = brought_in(claim, &self.zone) {
                self.brought += 1;
                let paid = claim.settled_on.map(number);
                self.brought_paid += u64::from(paid.is_some_and(|day| day < recorded));
            }
        }
    }
}

impl Work for Look {
    fn look(&mut self, _: &Handle, _: &AccountId, head: &Head) -> Result<(), Fault> {
        self.see(&replay(head)?);
        Ok(())
    }
}

/// What the first look found.
#[derive(Debug)]
pub(super) struct Survey {
    pub accounts: u64,
    pub names: Names,
    /// By currency code.
    pub sizes: HashMap<&'static str, (Currency, Sizes)>,
    /// The days of history there are; `None`: none.
    pub window: Option<Window>,
    /// Claims that were brought in count from their issue; `None` where there are none.
    pub brought_counts: Option<bool>,
}

impl Survey {
    /// Puts together what the workers saw; `rules` are those that will be played.
    pub fn of(looks: Vec<Look>, rules: &[&Rules]) -> Self {
        let mut all: Option<Look> = None;
        for look in looks {
            let Some(all) = &mut all else {
                all = Some(look);
                continue;
            };
            all.accounts += look.accounts;
            [look.first, look.last].into_iter().flatten().for_each(|day| all.happened(day));
            for (code, (currency, amounts)) in look.amounts {
                all.amounts.entry(code).or_insert((currency, Vec::new())).1.extend(amounts);
            }
            all.steps.extend(look.steps);
            all.personas.extend(look.personas);
            all.brought += look.brought;
            all.brought_paid += look.brought_paid;
        }
        let mut all = all.unwrap_or_else(|| Look::new(TimeZone::UTC, 0));
        for policy in rules.iter().flat_map(|rules| rules.policies.values()) {
            all.steps.extend(policy.steps.iter().map(|step| step.name.clone()));
            all.personas.extend(policy.personas.iter().map(|persona| persona.name.clone()));
        }
        let window = all.first.zip(all.last).map(|(first, last)| {
            let end = all.today.min(last + 1);
            Window { first: first.max(end - LEARNT_DAYS).min(end), end }
        });
        let sizes = all.amounts.into_iter();
        Self {
            accounts: all.accounts,
            names: Names::new(all.steps, all.personas),
            sizes: sizes.map(|(code, (of, amounts))| (code, (of, Sizes::of(amounts)))).collect(),
            window,
            brought_counts: (all.brought > 0).then_some(all.brought_paid * PAID_OF >= all.brought),
        }
    }
}

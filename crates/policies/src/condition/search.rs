//! Is there anybody for whom some conditions hold and others do not? Found by trying the values
//! between which the conditions tell a difference, in combinations that an account can have.
//!
//! The search is bounded: it looks at [`MOST`] values and operators for one policy. Beyond that,
//! and where the values tried prove nothing, the answer is that it cannot tell.

use std::{collections::BTreeSet, sync::Arc};

use jiff::civil::Date;
use kulanz_domain::{
    fact::DebtorKind,
    money::{Currency, Decimal, decimals},
};

use super::{
    domain::Domain,
    tree::{Bool, Flag, Quantity, Word, kind_name},
    world::{Known, World},
};

/// Values and operators that are looked at for one policy.
pub const MOST: u64 = 2_000_000;

/// The most values of one fact that are tried.
const VALUES: usize = 400;
/// Up to so many invoices all numbers are tried where shares of them are read too.
const COUNTED: i64 = 60;
/// Of so many invoices one alone is a share of nothing, rounded to four decimals.
const MANY: i64 = 20_000;
/// More than any boundary that matters.
const PLENTY: i64 = 1_000_000;

/// A condition and what it has to be.
pub(crate) type Wanted<'a> = (&'a Bool, bool);

/// What is known of all accounts that are asked about.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub currency: Currency,
    /// The persona that was chosen.
    pub persona: Option<Arc<str>>,
    pub kind: Option<DebtorKind>,
    /// What no interest adds to: a claim owes this in principal and fees at least.
    pub owed: Option<Decimal>,
    /// Days overdue from … to.
    pub overdue: (Option<i64>, Option<i64>),
    /// In default, for certain.
    pub in_default: bool,
    /// No interest is ever owed.
    pub without_interest: bool,
    /// Facts that are the same for somebody else who is looked for.
    pub fixed: Vec<(Word, Option<Arc<str>>)>,
}

impl Setting {
    /// Anybody at all.
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            persona: None,
            kind: None,
            owed: None,
            overdue: (None, None),
            in_default: false,
            without_interest: false,
            fixed: Vec::new(),
        }
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Somebody.
    Found(World),
    /// Nobody, for certain.
    Never,
    /// It cannot tell.
    Unsure,
}

/// Looks for somebody for whom all of `wanted` is so. `left` is what may still be looked at.
pub(crate) fn search(wanted: &[Wanted<'_>], setting: &Setting, left: &mut u64) -> Answer {
    let conditions = wanted.iter().map(|(condition, _)| *condition);
    let Some(domain) = Domain::within(conditions, *left) else {
        *left = 0;
        return Answer::Unsure;
    };
    *left -= domain.size;
    let mut search = Search { wanted, setting, size: domain.size.max(1), left, cut: false };
    let (slots, complete) = slots(&domain, setting);
    let mut world = World::default();
    match search.fill(&slots, &mut world) {
        true => Answer::Found(world),
        false if search.cut || !complete => Answer::Unsure,
        false => Answer::Never,
    }
}

/// The values of `word` that make a difference for `conditions`.
pub(crate) fn values_of(word: &Word, conditions: &[&Bool]) -> Option<Vec<Option<Arc<str>>>> {
    let domain = Domain::of(conditions.iter().copied());
    Some(texts(word, domain.words.get(word)?))
}

/// A fact and the values that are tried for it.
enum Slot {
    Flag(Flag, Vec<bool>),
    Word(Word, Vec<Option<Arc<str>>>),
    Quantity(Quantity, Vec<Decimal>),
    /// A share of the invoices that were paid.
    Share(Quantity, BTreeSet<Decimal>),
    Today(Vec<Date>),
}

struct Search<'a> {
    wanted: &'a [Wanted<'a>],
    setting: &'a Setting,
    size: u64,
    left: &'a mut u64,
    cut: bool,
}

impl Search<'_> {
    /// Gives all of `slots` a value, and says whether it could.
    fn fill(&mut self, slots: &[Slot], world: &mut World) -> bool {
        if *self.left < self.size {
            self.cut = true;
            return false;
        }
        *self.left -= self.size;
        let met = |(condition, value): &Wanted<'_>| match world.decides(condition) {
            Some(known) => known == *value,
            None => true,
        };
        if !self.wanted.iter().all(met) || !possible(world, self.setting) {
            return false;
        }
        let Some((slot, rest)) = slots.split_first() else { return true };
        let candidates: Vec<Known> = match slot {
            Slot::Flag(flag, values) => {
                values.iter().map(|value| Known::Flag(*flag, *value)).collect()
            }
            Slot::Word(word, values) => {
                values.iter().map(|value| Known::Word(word.clone(), value.clone())).collect()
            }
            Slot::Quantity(quantity, values) => {
                values.iter().map(|value| Known::Quantity(*quantity, *value)).collect()
            }
            Slot::Share(quantity, at) => {
                let paid = world.quantity(Quantity::InvoicesPaid);
                let values = shares(*quantity, at, paid);
                values.into_iter().map(|value| Known::Quantity(*quantity, value)).collect()
            }
            Slot::Today(values) => values.iter().map(|value| Known::Today(*value)).collect(),
        };
        for candidate in candidates {
            world.push(candidate);
            if self.fill(rest, world) {
                return true;
            }
            world.pop();
            if self.cut {
                return false;
            }
        }
        false
    }
}

/// The facts that are read, each with its values; and whether these are enough.
fn slots(domain: &Domain, setting: &Setting) -> (Vec<Slot>, bool) {
    let mut slots = Vec::new();
    let mut complete = domain.complete;
    for flag in &domain.flags {
        let values = match flag {
            Flag::InDefault if setting.in_default => vec![true],
            _ => vec![false, true],
        };
        slots.push(Slot::Flag(*flag, values));
    }
    for (word, constants) in &domain.words {
        let one = |text: &str| vec![Some(Arc::from(text))];
        let fixed = setting.fixed.iter().find(|(other, _)| other == word);
        let values = match (word, fixed) {
            (_, Some((_, value))) => vec![value.clone()],
            (Word::Kind, None) => match setting.kind {
                Some(kind) => one(kind_name(kind)),
                None => texts(word, constants),
            },
            (Word::Currency, None) => one(setting.currency.code()),
            (Word::Persona, None) => vec![setting.persona.clone()],
            _ => texts(word, constants),
        };
        slots.push(Slot::Word(word.clone(), values));
    }
    let (money, money_complete) = money(domain, setting);
    complete &= money_complete;
    let days = days(domain, setting);
    let shared = [Quantity::LateShare, Quantity::AverageDaysLate];
    let shared = shared.iter().any(|share| domain.quantities.contains_key(share));
    for (quantity, at) in &domain.quantities {
        slots.push(match quantity {
            Quantity::LateShare | Quantity::AverageDaysLate => Slot::Share(*quantity, at.clone()),
            Quantity::AccountOutstanding
            | Quantity::ClaimOutstanding
            | Quantity::Principal
            | Quantity::Fees
            | Quantity::Interest => Slot::Quantity(*quantity, money.clone()),
            Quantity::DaysOverdue | Quantity::OldestDaysOverdue => {
                Slot::Quantity(*quantity, days.clone())
            }
            Quantity::InvoicesPaid
            | Quantity::PromisesKept
            | Quantity::Disputes
            | Quantity::OpenClaims => {
                let mut values = around(at, Decimal::ONE);
                values.extend([Decimal::ZERO, Decimal::ONE, Decimal::from(PLENTY)]);
                if shared && *quantity == Quantity::InvoicesPaid {
                    let counted = Decimal::from(COUNTED);
                    complete &= at.iter().all(|at| *at < counted);
                    values.extend((0..=COUNTED).map(Decimal::from));
                }
                let least = if *quantity == Quantity::OpenClaims { 1 } else { 0 };
                values.retain(|value| *value >= Decimal::from(least));
                Slot::Quantity(*quantity, values.into_iter().collect())
            }
        });
    }
    if let Some(at) = &domain.today {
        let mut values: BTreeSet<Date> = at.clone();
        values.extend(at.iter().filter_map(|day| day.yesterday().ok()));
        values.extend(at.iter().filter_map(|day| day.tomorrow().ok()));
        let today = Date::constant(2026, 11, 21);
        values.extend(at.is_empty().then_some(today));
        slots.push(Slot::Today(values.into_iter().collect()));
    }
    for slot in &mut slots {
        let too_many = match slot {
            Slot::Quantity(_, values) if values.len() > VALUES => {
                values.truncate(VALUES);
                true
            }
            Slot::Word(_, values) if values.len() > VALUES => {
                values.truncate(VALUES);
                true
            }
            _ => false,
        };
        complete &= !too_many;
    }
    (slots, complete)
}

/// Every text named and one that is not; for attributes also none at all.
fn texts(word: &Word, named: &BTreeSet<Arc<str>>) -> Vec<Option<Arc<str>>> {
    let unnamed = |options: &[&str]| {
        let free = options.iter().find(|option| named.iter().all(|name| **name != ***option));
        Arc::from(free.copied().unwrap_or("other than all of these"))
    };
    let another: Arc<str> = match word {
        Word::Kind => {
            let kinds = [DebtorKind::Consumer, DebtorKind::Business];
            return kinds.map(|kind| Some(Arc::from(kind_name(kind)))).into();
        }
        Word::Country => unnamed(&["DE", "FR", "AT", "IT", "PL", "NL", "US", "CH", "ES"]),
        Word::Language => unnamed(&["de", "en", "fr", "it", "pl", "nl", "tr", "es", "uk"]),
        _ => unnamed(&["another", "other", "something else"]),
    };
    let mut values: Vec<_> = named.iter().map(|name| Some(Arc::clone(name))).collect();
    values.push(Some(another));
    if matches!(word, Word::Attribute(_)) {
        values.push(None);
    }
    values
}

/// Each value, rounded down to a multiple of `unit`, and the multiples beside it.
fn around(at: &BTreeSet<Decimal>, unit: Decimal) -> BTreeSet<Decimal> {
    let mut values = BTreeSet::new();
    for at in at {
        let Some(floor) = at.checked_div(unit).map(|times| times.floor()) else { continue };
        let beside = [-1, 0, 1].map(|step| {
            floor.checked_add(Decimal::from(step)).and_then(|times| times.checked_mul(unit))
        });
        values.extend(beside.into_iter().flatten());
    }
    values
}

/// The amounts that are tried for each of the facts that are money: what one is compared with
/// matters for the others too, since they depend on one another.
fn money(domain: &Domain, setting: &Setting) -> (Vec<Decimal>, bool) {
    let cent = Decimal::new(1, decimals(setting.currency).unwrap_or(2));
    let amounts = [
        Quantity::AccountOutstanding,
        Quantity::ClaimOutstanding,
        Quantity::Principal,
        Quantity::Fees,
        Quantity::Interest,
    ];
    let read: Vec<&BTreeSet<Decimal>> =
        amounts.iter().filter_map(|amount| domain.quantities.get(amount)).collect();
    let mut at: BTreeSet<Decimal> = read.iter().flat_map(|at| at.iter().copied()).collect();
    at.extend(setting.owed);
    if read.len() > 1 {
        let apart: Vec<Decimal> = at
            .iter()
            .take(20)
            .flat_map(|a| at.iter().take(20).filter_map(|b| a.checked_sub(*b)))
            .collect();
        at.extend(apart);
    }
    let mut values = around(&at, cent);
    let most = values.last().copied().unwrap_or_default().max(Decimal::from(PLENTY));
    values.extend([Decimal::ZERO, cent]);
    values.extend(most.checked_add(Decimal::ONE_HUNDRED));
    values.retain(|value| *value >= Decimal::ZERO);
    // With three amounts or more a mixture of several boundaries may be what fits.
    (values.into_iter().collect(), read.len() <= 2)
}

fn days(domain: &Domain, setting: &Setting) -> Vec<Decimal> {
    let facts = [Quantity::DaysOverdue, Quantity::OldestDaysOverdue];
    let mut at: BTreeSet<Decimal> =
        facts.iter().filter_map(|fact| domain.quantities.get(fact)).flatten().copied().collect();
    at.extend([setting.overdue.0, setting.overdue.1].into_iter().flatten().map(Decimal::from));
    let mut values = around(&at, Decimal::ONE);
    values.extend([Decimal::from(10), Decimal::from(-10)]);
    let ends = (values.first().copied(), values.last().copied());
    values.extend(ends.0.and_then(|first| first.checked_sub(Decimal::ONE_HUNDRED)));
    values.extend(ends.1.and_then(|last| last.checked_add(Decimal::ONE_HUNDRED)));
    values.into_iter().collect()
}

/// The shares of `paid` invoices around each of `at`.
fn shares(quantity: Quantity, at: &BTreeSet<Decimal>, paid: Option<Decimal>) -> BTreeSet<Decimal> {
    let is_share = quantity == Quantity::LateShare;
    let step = Decimal::new(1, 4);
    let mut values = match paid {
        Some(paid) if paid.is_zero() => return BTreeSet::from([Decimal::ZERO]),
        // Among so many invoices there are all shares of four decimals.
        Some(paid) if paid >= Decimal::from(MANY) => around(at, step),
        Some(paid) => {
            let mut values = BTreeSet::new();
            for at in at {
                let Some(part) = at.checked_mul(paid).map(|part| part.floor()) else { continue };
                let beside = [-1, 0, 1, 2].map(|more| {
                    let part = part.checked_add(Decimal::from(more))?;
                    Some(part.checked_div(paid)?.round_dp(4))
                });
                values.extend(beside.into_iter().flatten());
            }
            values.extend(Decimal::ONE.checked_div(paid).map(|one| one.round_dp(4)));
            values
        }
        None => around(at, step),
    };
    values.extend([Decimal::ZERO, Decimal::ONE]);
    if !is_share {
        values.extend([Decimal::TEN, Decimal::from(PLENTY)]);
    }
    let most = if is_share { Decimal::ONE } else { Decimal::MAX };
    values.retain(|value| (Decimal::ZERO..=most).contains(value));
    values
}

/// Whether an account can have the facts that are known (see `decision::Case::facts` in the
/// domain and `Account::history`).
fn possible(world: &World, setting: &Setting) -> bool {
    let get = |quantity| world.quantity(quantity);
    let both = |a, b, fits: fn(Decimal, Decimal) -> bool| match (get(a), get(b)) {
        (Some(a), Some(b)) => fits(a, b),
        _ => true,
    };
    use Quantity::{
        AccountOutstanding, AverageDaysLate, ClaimOutstanding, DaysOverdue, Fees, Interest,
        InvoicesPaid, LateShare, OldestDaysOverdue, OpenClaims, Principal,
    };
    let history = both(InvoicesPaid, LateShare, |paid, share| !paid.is_zero() || share.is_zero())
        && both(InvoicesPaid, AverageDaysLate, |paid, days| !paid.is_zero() || days.is_zero())
        // Whoever is late is so by a day at least; rounding hides one of 20 000 alone.
        && both(LateShare, AverageDaysLate, |share, days| share <= days)
        && match (get(InvoicesPaid), get(LateShare), get(AverageDaysLate)) {
            (Some(paid), Some(share), Some(days)) => {
                !(share.is_zero() && days > Decimal::ZERO && paid < Decimal::from(MANY))
            }
            _ => true,
        };
    let of_claim = both(Fees, ClaimOutstanding, |fees, claim| fees <= claim)
        && match (get(ClaimOutstanding), get(Principal), get(Fees)) {
            (Some(claim), Some(principal), Some(fees)) => claim - fees <= principal,
            _ => true,
        }
        && get(Principal).is_none_or(|principal| !principal.is_sign_negative())
        && get(Interest).is_none_or(|owed| !setting.without_interest || owed.is_zero())
        && get(ClaimOutstanding)
            .zip(setting.owed.or(Some(Decimal::ZERO)))
            .is_none_or(|(owed, least)| owed >= least)
        && get(DaysOverdue).is_none_or(|days| {
            setting.overdue.0.is_none_or(|least| days >= Decimal::from(least))
                && setting.overdue.1.is_none_or(|most| days <= Decimal::from(most))
        });
    let single = get(OpenClaims) == Some(Decimal::ONE);
    let of_account = both(ClaimOutstanding, AccountOutstanding, |claim, all| claim <= all)
        && both(Fees, AccountOutstanding, |fees, all| fees <= all)
        && both(DaysOverdue, OldestDaysOverdue, |claim, oldest| claim <= oldest)
        && (!single || both(ClaimOutstanding, AccountOutstanding, |claim, all| claim == all))
        && (!single || both(DaysOverdue, OldestDaysOverdue, |claim, oldest| claim == oldest))
        && get(OldestDaysOverdue)
            .zip(setting.overdue.0)
            .is_none_or(|(oldest, least)| oldest >= Decimal::from(least))
        && get(AccountOutstanding).zip(setting.owed).is_none_or(|(all, least)| all >= least);
    history && of_claim && of_account
}

#[cfg(test)]
mod tests;

//! Whether arrangements were kept: by the days on which money was booked, not by those on which
//! word of it came.
//!
//! What an arrangement has come to is found from the books as they were when a day's patience was
//! over, by what is known now: money booked by then counts however late it is told, and what went
//! back by then does not. What goes back later is owed again, and was paid in time nonetheless.
//!
//! Time ends what runs ([`review`]). What has ended is looked at again when word comes of money that
//! was booked before its last day was over ([`Before`]): for the worse only where that word itself
//! makes the difference, so that no correction harms who was told that a promise was kept.
//!
//! **Invariant:** what is found does not depend on the standing of the arrangement itself, nor on
//! what followed from it. So an arrangement ends the same in whichever order things are told, and
//! looking twice finds nothing new.

use jiff::civil::Date;

use super::{charged_since, done, patience, still_open};
use crate::{
    account::{Account, Plan, Promise, Standing},
    book::Book,
    command::{Raised, reverse_fees},
    decision::start_of,
    event::{AccountEvent, FeeReversal},
    fact::{Fact, PlacementReport},
    ids::*,
    money::Decimal,
    policy::Rules,
};

/// What the books say of an arrangement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// It runs; look again on this day.
    Runs(Date),
    /// Kept, by this day.
    Kept(Date),
    /// Not kept when this day began.
    Broken(Date),
}

/// An arrangement of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Made {
    Promise(PromiseId),
    Plan(PlanId),
}

/// What arrangements had come to that had ended, before something was learnt.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// From the first that may stand differently on: how one stands bears on the interest, and so on
    /// what money was used for, of those after it.
    all: Vec<Made>,
    known: Vec<(Made, Found)>,
    word: Word,
}

/// What a fact may say of arrangements that have ended.
#[derive(Debug, Clone, Copy, Default)]
enum Word {
    /// Money that was booked on this day came, went back, or is another account's.
    Money(Date),
    /// Less is owed than was believed. Who was right not to pay broke no promise; nothing else comes
    /// of it here, since a plan that nobody paid does not run on.
    Correction,
    #[default]
    Other,
}

/// Ends what has come to its end, and what depends on it with it; the day of the next look.
pub(super) fn review(raised: &mut Raised<'_>, rules: &Rules, today: Date) -> Option<Date> {
    let runs = |made: &Made| made.stands(raised.account).0 == Standing::Open;
    let before = Before::from_first(raised.account, rules, today, runs);
    let mut next: Option<Date> = None;
    for made in &before.all {
        let standing = made.stands(raised.account).0;
        let Some(found) = made.found(raised.account, rules, today) else { continue };
        if standing != Standing::Open && before.knew(made, found) {
            continue;
        }
        if let Found::Runs(day) = found {
            next = Some(next.map_or(day, |earlier| earlier.min(day)));
        }
        made.stand(raised, found, rules);
    }
    next
}

impl Before {
    /// Before `fact` is recorded; nothing where it can make no difference.
    pub(crate) fn fact(account: &Account, fact: &Fact, rules: &Rules, today: Date) -> Self {
        let word = Word::of(account, fact);
        let may_differ = |made: &Made| match (word, made.stands(account).0) {
            (_, Standing::Open) | (Word::Other, _) => false,
            (Word::Correction, standing) => standing == Standing::Broken,
            (Word::Money(on), _) => made.over_on(account, rules).is_some_and(|over| on < over),
        };
        Self { word, ..Self::from_first(account, rules, today, may_differ) }
    }

    fn from_first(
        account: &Account,
        rules: &Rules,
        today: Date,
        first: impl Fn(&Made) -> bool,
    ) -> Self {
        let mut all = in_order(account);
        let Some(first) = all.iter().position(first) else { return Self::default() };
        all.drain(..first);
        let ended = all.iter().filter(|made| made.stands(account).0 != Standing::Open);
        let known =
            ended.filter_map(|made| Some((made.clone(), made.found(account, rules, today)?)));
        Self { known: known.collect(), all, word: Word::Other }
    }

    fn knew(&self, made: &Made, found: Found) -> bool {
        self.known.iter().any(|(one, known)| one == made && *known == found)
    }

    /// After it was recorded: whether anything stands differently.
    pub(crate) fn look_again(&self, raised: &mut Raised<'_>, rules: &Rules, today: Date) -> bool {
        let so_far = raised.events.len();
        for made in &self.all {
            let (standing, ended_on) = made.stands(raised.account);
            if standing == Standing::Open {
                continue; // time ends it
            }
            let Some(found) = made.found(raised.account, rules, today) else { continue };
            let differs = !self.knew(made, found);
            let counts = match self.word {
                Word::Money(_) => differs || found.is_better_than(standing, ended_on),
                Word::Correction => differs && matches!(found, Found::Kept(_)),
                Word::Other => false,
            };
            if counts {
                made.stand(raised, found, rules);
            }
        }
        raised.events.len() > so_far
    }
}

impl Word {
    fn of(account: &Account, fact: &Fact) -> Self {
        // An agency and the bank may tell of the same money: the day moves with the word that counts.
        let told = |payment, on: Date| {
            let known = account.payments.get(payment).and_then(|known| known.received.as_ref());
            Self::Money(known.map_or(on, |known| known.booked_on.min(on)))
        };
        let payment = match fact {
            Fact::PaymentReceived { payment, booked_on, .. } => return told(payment, *booked_on),
            Fact::PlacementReported { report, on, .. } => {
                return match report {
                    PlacementReport::PaymentReceived { payment, .. } => told(payment, *on),
                    _ => Self::Other,
                };
            }
            Fact::PaymentReturned { payment, .. }
            | Fact::PaymentRefunded { payment, .. }
            | Fact::PaymentAssigned { payment, .. } => account.payments.get(payment),
            Fact::InvoiceCredited { .. }
            | Fact::InvoiceCancelled { .. }
            | Fact::InvoiceAdjusted { .. }
            | Fact::DisputeResolved { .. } => return Self::Correction,
            _ => return Self::Other,
        };
        let received = payment.and_then(|payment| payment.received.as_ref());
        received.map_or(Self::Other, |received| Self::Money(received.booked_on))
    }
}

/// Arrangements in the order in which they were made.
fn in_order(account: &Account) -> Vec<Made> {
    let promises =
        account.promises.iter().map(|(id, one)| (one.on, false, Made::Promise(id.clone())));
    let plans = account.plans.iter().map(|(id, one)| (one.on, true, Made::Plan(id.clone())));
    let mut all: Vec<(Date, bool, Made)> = promises.chain(plans).collect();
    all.sort_by_key(|(on, plan, _)| (*on, *plan));
    all.into_iter().map(|(.., made)| made).collect()
}

impl Found {
    /// What counts as broken was kept, or for longer.
    fn is_better_than(self, standing: Standing, ended_on: Option<Date>) -> bool {
        standing == Standing::Broken
            && match self {
                Self::Broken(on) => ended_on.is_some_and(|known| known < on),
                Self::Runs(_) | Self::Kept(_) => true,
            }
    }
}

impl Made {
    fn stands(&self, account: &Account) -> (Standing, Option<Date>) {
        let (promise, plan) = match self {
            Self::Promise(id) => (account.promises.get(id).map(|p| (p.standing, p.ended_on)), None),
            Self::Plan(id) => (None, account.plans.get(id).map(|p| (p.standing, p.ended_on))),
        };
        promise.or(plan).unwrap_or((Standing::Broken, None))
    }

    /// The day from which on nothing that is booked can keep it.
    fn over_on(&self, account: &Account, rules: &Rules) -> Option<Date> {
        match self {
            Self::Promise(id) => Some(ends(account.promises.get(id)?, rules)),
            Self::Plan(id) => {
                let plan = account.plans.get(id)?;
                Some(patience(rules, plan.currency, plan.rates.last()?.due_on))
            }
        }
    }

    fn found(&self, account: &Account, rules: &Rules, today: Date) -> Option<Found> {
        Some(match self {
            Self::Promise(id) => promised(account, id, account.promises.get(id)?, rules, today),
            Self::Plan(id) => in_rates(account, id, account.plans.get(id)?, rules, today),
        })
    }

    /// It stands as `found`.
    fn stand(&self, raised: &mut Raised<'_>, found: Found, rules: &Rules) {
        let (standing, ended_on) = self.stands(raised.account);
        let (then, ends) = match found {
            Found::Runs(_) => (Standing::Open, None),
            Found::Kept(on) => (Standing::Kept, Some(on)),
            Found::Broken(on) => (Standing::Broken, Some(on)),
        };
        if (standing, ended_on) == (then, ends) {
            return;
        }
        let too_early = ends.is_none_or(|on| ended_on.is_none_or(|had| had < on));
        let wrongly =
            matches!(self, Self::Plan(_)) && standing == Standing::Broken && then != standing;
        if standing != Standing::Open && (too_early || wrongly) {
            self.resume(raised, (standing, ended_on), (then, ends), rules);
        }
        let event = match (self, then, ends) {
            (_, Standing::Open, _) => return,
            (Self::Promise(id), Standing::Kept, on) => {
                AccountEvent::PromiseKept { promise: id.clone(), on }
            }
            (Self::Promise(id), Standing::Broken, on) => {
                AccountEvent::PromiseBroken { promise: id.clone(), on }
            }
            (Self::Plan(id), Standing::Kept, on) => {
                AccountEvent::PlanCompleted { plan: id.clone(), on }
            }
            (Self::Plan(id), Standing::Broken, on) => {
                AccountEvent::PlanBroken { plan: id.clone(), on }
            }
        };
        raised.raise(event);
    }

    /// It had ended too early: `ends` is when it ended then, where it did, be it kept or not.
    fn resume(
        &self,
        raised: &mut Raised<'_>,
        (standing, had_ended): (Standing, Option<Date>),
        (then, ends): (Standing, Option<Date>),
        rules: &Rules,
    ) {
        let id = match self {
            Self::Plan(id) => id.clone(),
            Self::Promise(id) => {
                let Some(promise) = raised.account.promises.get(id) else { return };
                let on = had_ended.unwrap_or(promise.until);
                raised.raise(AccountEvent::PromiseResumed { promise: id.clone(), on });
                return;
            }
        };
        let Some(plan) = raised.account.plans.get(&id).cloned() else { return };
        let on = had_ended.unwrap_or(plan.on);
        // While it counted as broken it was reminded of, and fees may have been charged for that.
        let wrongly = standing == Standing::Broken;
        let until = ends.filter(|_| then == Standing::Broken);
        let moment = |day: Date| start_of(day, &rules.creditor.zone);
        let since = wrongly.then(|| moment(on));
        raised.raise(AccountEvent::PlanResumed { plan: id, on, since, until: until.map(moment) });
        if wrongly {
            reverse_fees(raised, |invoice, fee| {
                let meanwhile = on <= fee.on && until.is_none_or(|until| fee.on < until);
                (meanwhile && plan.claims.contains(invoice)).then_some(FeeReversal::Planned)
            });
        }
    }
}

/// The day from which on a payment for a promise cannot be on its way any more.
fn ends(promise: &Promise, rules: &Rules) -> Date {
    let ends = promise.open.iter().map(|money| patience(rules, money.currency, promise.until));
    ends.max().unwrap_or(promise.until)
}

fn promised(
    account: &Account,
    id: &PromiseId,
    promise: &Promise,
    rules: &Rules,
    today: Date,
) -> Found {
    let ends = ends(promise, rules);
    let mut then = by(account, ends);
    then.promises.retain(|other, one| other == id || one.on < promise.on);
    then.plans.retain(|_, plan| plan.on < promise.on);
    if let Some(one) = then.promises.get_mut(id) {
        (one.standing, one.ended_on) = (Standing::Open, None);
    }
    let mut kept_on = Some(promise.on);
    for money in &promise.open {
        let paid = done(&then, money.currency, promise);
        kept_on = kept_on.zip(paid).map(|(one, other)| one.max(other));
    }
    match (kept_on, replaced_on(account, promise).filter(|on| *on < ends)) {
        (Some(on), None) => Found::Kept(on),
        (on, Some(replaced)) => Found::Kept(on.map_or(replaced, |on| on.min(replaced))),
        (None, None) if today >= ends => Found::Broken(ends),
        (None, None) => Found::Runs(ends),
    }
}

/// The day on which instalments took the place of a promise.
fn replaced_on(account: &Account, promise: &Promise) -> Option<Date> {
    let then = account.plans.values().map(|plan| plan.on);
    then.filter(|on| promise.on < *on || promise.ended_on == Some(*on)).min()
}

fn in_rates(account: &Account, id: &PlanId, plan: &Plan, rules: &Rules, today: Date) -> Found {
    let followed_on = followed_on(account, id, plan);
    let by = |day: Date| {
        let mut then = by(account, day);
        then.plans.retain(|other, one| other == id || one.on < plan.on);
        then.promises.retain(|_, one| one.on <= plan.on);
        if let Some(broken_on) = plan.ended_on.filter(|_| plan.standing == Standing::Broken) {
            // What was charged for reminders since would not have been, had it not been broken.
            for (_, claim) in then.claims.iter_mut().filter(|(id, _)| plan.claims.contains(id)) {
                claim.fees.retain(|fee| fee.on < broken_on);
            }
        }
        if let Some(one) = then.plans.get_mut(id) {
            (one.standing, one.ended_on) = (Standing::Open, None);
        }
        then
    };
    let agreed: Decimal = plan.rates.iter().map(|rate| rate.amount).sum();
    let mut owed = Decimal::ZERO;
    let mut last = None;
    for (at, rate) in plan.rates.iter().enumerate() {
        let ends = patience(rules, plan.currency, rate.due_on);
        if today.min(followed_on.unwrap_or(today)) < ends {
            let now = by(followed_on.unwrap_or(Date::MAX));
            return match (still_open(&now, plan, today).is_zero(), followed_on) {
                (true, _) => Found::Kept(paid_on(&now, plan)),
                (false, Some(on)) => Found::Broken(on),
                (false, None) => Found::Runs(ends),
            };
        }
        let then = by(ends);
        owed += rate.amount;
        // What was charged since, a returned debit for instance, is due with the last rate.
        let since = charged_since(&then, plan);
        if at + 1 == plan.rates.len() {
            owed += since;
        }
        let paid = agreed + since - still_open(&then, plan, ends);
        if owed > Decimal::ZERO && paid < owed {
            return Found::Broken(ends);
        }
        last = Some(then);
    }
    Found::Kept(last.map_or(plan.on, |then| paid_on(&then, plan)))
}

/// The day on which another plan took its place. It does not run beside that one.
fn followed_on(account: &Account, id: &PlanId, plan: &Plan) -> Option<Date> {
    let later = account.plans.iter().filter(|(other, one)| *other != id && plan.on < one.on);
    let same = later.filter(|(_, one)| one.claims.iter().any(|claim| plan.claims.contains(claim)));
    same.map(|(_, one)| one.on).min()
}

/// The day on which the last claim of a plan was settled.
fn paid_on(account: &Account, plan: &Plan) -> Date {
    let book = Book::of(account, plan.currency);
    let columns = plan.claims.iter().filter_map(|id| book.claim(id));
    let settled = columns.filter(|column| !column.claim.never_owed());
    settled.filter_map(|column| column.settled_on()).fold(plan.on, Date::max)
}

/// The account as if nothing had been paid, had gone back, been charged or given up from `day` on.
/// What corrections take off was never owed; what they add later is none of it.
fn by(account: &Account, day: Date) -> Account {
    let mut then = account.clone();
    then.let_go_of_books();
    then.payments.retain(|_, one| one.received.as_ref().is_none_or(|r| r.booked_on < day));
    for payment in then.payments.values_mut() {
        payment.returned.retain(|one| one.on < day);
        payment.refunded.retain(|(on, _)| *on < day);
    }
    for claim in then.claims.values_mut() {
        claim.fees.retain(|fee| fee.on < day);
        claim.given_up.retain(|_, given| given.on < day);
        if !claim.never_owed() {
            claim.credits.retain(|_, (on, _)| *on < day);
        }
        let invoiced = claim.invoice.as_ref().map(|invoice| invoice.amount.amount);
        let adds = |amount: Decimal| invoiced.is_some_and(|invoiced| amount > invoiced);
        let adjusted = claim.adjusted.take();
        claim.adjusted = adjusted.filter(|to| to.1 < day || !adds(to.2.amount));
    }
    then
}

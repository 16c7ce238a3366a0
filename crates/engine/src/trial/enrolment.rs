//! One account in one experiment: when it was enrolled, in which arm, and what came of it.

use jiff::civil::Date;
use kulanz_domain::{
    Account,
    account::NoticeState,
    calendar::day_in,
    fact::Part,
    ids::{ExperimentName, InvoiceId},
    money::Decimal,
    policy::Arm,
    statement::{ClaimStatement, Line, Statement, What},
};

use super::Known;

/// Days from the first up to, without, the second on which an account was in an arm, or in none.
pub(super) type Span = (Date, Date, Option<Arm>);

/// An account, enrolled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unit {
    /// The arm on the day of the enrolment.
    pub arm: Arm,
    /// It came into the other arm later.
    pub moved: bool,
    /// The day of the enrolment.
    pub on: Date,
    /// Claims that were overdue then.
    pub claims: u64,
    /// Principal that was open of them.
    pub open: Decimal,
    /// Messages within the days.
    pub messages: u64,
    /// The days are over.
    pub followed: bool,
    /// Principal that came in within the days.
    pub recovered: Decimal,
    /// At least one day is over.
    pub looked: bool,
    /// Days until all was paid, or until nobody looked any further.
    pub days: u32,
    /// All was paid, by money.
    pub paid: bool,
}

/// Where to look.
pub(super) struct Look<'a> {
    pub account: &'a Account,
    pub facts: &'a Known,
    pub experiment: &'a ExperimentName,
    /// The first day that does not count any more.
    pub as_of: Date,
    pub days: u16,
}

/// The arms in time, each until the next was told.
pub(super) fn spans(told: impl Iterator<Item = (Date, Option<Arm>)>) -> Vec<Span> {
    let told: Vec<(Date, Option<Arm>)> = told.collect();
    let ends = told.iter().skip(1).map(|(from, _)| *from).chain([Date::MAX]);
    told.iter().zip(ends).map(|((from, arm), to)| (*from, to, *arm)).collect()
}

impl Look<'_> {
    /// The account as a unit; `None` where no claim was overdue while it was in an arm.
    pub(super) fn unit(&self, spans: &[Span]) -> Option<Unit> {
        let (currency, seat) = (self.facts.currency, self.facts.seat);
        let statement = Statement::of(self.account, currency, seat, self.as_of);
        let claims: Vec<Claim<'_>> =
            statement.claims.iter().filter_map(|claim| self.claim(claim)).collect();
        let first = claims.iter().filter_map(|claim| claim.enrolled(spans, self.as_of)).min();
        let (on, arm) = first?;
        let overdue: Vec<&Claim<'_>> = claims
            .iter()
            .filter(|claim| claim.overdue_from <= on && claim.open_before(on) > Decimal::ZERO)
            .collect();
        let over = |days: i64| on.saturating_add(jiff::Span::new().days(days));
        let end = over(i64::from(self.days));
        let recovered = overdue.iter().map(|claim| claim.paid(on, end.min(self.as_of))).sum();
        let (days, paid) = self.spell(&overdue, on);
        let moved = |(from, _, later): &Span| *from > on && later.is_some_and(|one| one != arm);
        Some(Unit {
            arm,
            moved: spans.iter().any(moved),
            on,
            claims: overdue.len() as u64,
            open: overdue.iter().map(|claim| claim.open_before(on)).sum(),
            messages: self.messages(arm, on, end),
            followed: end <= self.as_of,
            recovered,
            looked: on < self.as_of,
            days,
            paid,
        })
    }

    /// A claim with its first day overdue, by the due date that the invoice had: a later one may be
    /// what the messages brought about.
    fn claim<'s>(&self, statement: &'s ClaimStatement) -> Option<Claim<'s>> {
        let id: &InvoiceId = &statement.invoice;
        let invoice = self.account.claims.get(id)?.invoice.as_ref()?;
        Some(Claim { overdue_from: invoice.due_on.tomorrow().ok()?, lines: &statement.lines })
    }

    /// Messages of this experiment that a gateway took from `from` on, before `to`.
    fn messages(&self, arm: Arm, from: Date, to: Date) -> u64 {
        let of_it = self.account.notices.values().filter(|notice| {
            let mut arms = notice.decided.arms.iter();
            let ours = arms.any(|one| one.experiment == *self.experiment && one.arm == arm);
            let sent = notice.sent_at.filter(|_| notice.state != NoticeState::Suppressed);
            let day = sent.map(|at| day_in(at, &self.facts.zone));
            ours && day.is_some_and(|day| from <= day && day < to)
        });
        of_it.count() as u64
    }

    /// Days from `on` until nothing was open of `claims`, and whether that was by money; else how
    /// long it was looked at.
    fn spell(&self, claims: &[&Claim<'_>], on: Date) -> (u32, bool) {
        let since = |day: Date| u32::try_from((day - on).get_days()).unwrap_or(0);
        let looked = self.as_of.yesterday().unwrap_or(self.as_of);
        let lines = || claims.iter().flat_map(|claim| claim.principal());
        let mut days: Vec<Date> =
            lines().map(|line| line.on).filter(|day| on <= *day && *day < self.as_of).collect();
        days.sort_unstable();
        days.dedup();
        let open = |day: Date| -> Decimal {
            lines().filter(|line| line.on <= day).map(|line| line.amount).sum()
        };
        // The last stretch without anything open counts: money may have gone back in between.
        let open_last = days.iter().rposition(|day| open(*day) > Decimal::ZERO);
        let ended = days.get(open_last.map_or(0, |at| at + 1));
        match ended {
            None => (since(looked), false),
            Some(day) => {
                let mut that_day = lines().filter(|line| line.on == *day);
                let money = that_day.any(|line| matches!(line.what, What::Paid { .. }));
                (since(*day), money)
            }
        }
    }
}

/// What moved the principal of a claim.
struct Claim<'a> {
    overdue_from: Date,
    lines: &'a [Line],
}

impl Claim<'_> {
    fn principal(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| match &line.what {
            What::Invoiced
            | What::Adjusted
            | What::Cancelled
            | What::Credited { .. }
            | What::Remitted => true,
            What::Paid { part, .. } | What::Waived { part } | What::WrittenOff { part } => {
                *part == Part::Principal
            }
            What::Fee { .. } | What::LumpSum { .. } | What::BankFee { .. } | What::Interest(_) => {
                false
            }
        })
    }

    /// Principal open as `day` begins.
    fn open_before(&self, day: Date) -> Decimal {
        self.principal().filter(|line| line.on < day).map(|line| line.amount).sum()
    }

    /// Principal paid from `from` on, before `to`.
    fn paid(&self, from: Date, to: Date) -> Decimal {
        let paid = self.principal().filter(|line| matches!(line.what, What::Paid { .. }));
        paid.filter(|line| from <= line.on && line.on < to).map(|line| -line.amount).sum()
    }

    /// The first day on which it was overdue while the account was in an arm, before `as_of`.
    fn enrolled(&self, spans: &[Span], as_of: Date) -> Option<(Date, Arm)> {
        spans.iter().find_map(|(from, to, arm)| {
            let (day, arm) = ((*from).max(self.overdue_from), (*arm)?);
            let runs = day < *to && day <= as_of;
            (runs && self.open_before(day) > Decimal::ZERO).then_some((day, arm))
        })
    }
}

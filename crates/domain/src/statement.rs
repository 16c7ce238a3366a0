//! Kontoauszug: every line that makes up what is owed, claim by claim, and how each payment was
//! used. The lines of a claim add up to what is open of it, to the cent, on the statement's day.
//!
//! It is a view on the [`Book`] and decides nothing. For a day in the past, give it the account as
//! of that day: [`Account::as_of`].

use jiff::civil::Date;
use serde::Serialize;

use crate::{
    account::Account,
    accrual::Accrued,
    book::{Book, ClaimBook},
    event::{AccountEvent, Allocation, FeeKind},
    fact::Part,
    ids::*,
    law::{DefaultGround, DefaultPeriod, Seat, default_periods, interest::in_cents},
    money::{Currency, Decimal, decimals},
};

/// What is owed on a day and why, in one currency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    /// Day up to which interest is counted.
    pub as_of: Date,
    /// Currency of all amounts.
    pub currency: Currency,
    /// Issued claims in the order of their ids.
    pub claims: Vec<ClaimStatement>,
    /// Payments by booking day, then id.
    pub payments: Vec<PaymentLine>,
    /// Received less returned and refunded.
    pub paid: Decimal,
    /// Money beyond what is owed.
    pub unallocated: Decimal,
    /// Owed on all claims.
    pub open: Decimal,
}

/// One claim with all that moved it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimStatement {
    /// Claim.
    pub invoice: InvoiceId,
    /// Day of issue.
    pub issued_on: Date,
    /// Day by which to pay, as rescheduled.
    pub due_on: Date,
    /// Stretches in default: first day, ground, last day where it ended.
    pub default: Vec<DefaultLine>,
    /// In time; they add up to `open`.
    pub lines: Vec<Line>,
    /// Principal owed.
    pub principal: Decimal,
    /// Fees owed.
    pub fees: Decimal,
    /// Interest owed up to `interest_to`.
    pub interest: Decimal,
    /// The last day that interest is counted for; absent where none has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interest_to: Option<Date>,
    /// All of it.
    pub open: Decimal,
}

/// A stretch in default.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DefaultLine {
    /// First day.
    pub from: Date,
    /// Last day, where it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// Why it began.
    pub ground: DefaultGround,
}

/// Something that moved a claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Day; of interest the last one of its days.
    pub on: Date,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// Adds to what is owed, or takes off it where negative.
    pub amount: Decimal,
}

/// What moved a claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// The invoice.
    Invoiced,
    /// The invoice has another amount since.
    Adjusted,
    /// Nothing of it is owed any more.
    Cancelled,
    /// A credit note.
    Credited {
        /// Which.
        credit: CreditId,
    },
    /// A dispute that was decided for the debtor.
    Remitted,
    /// A fee of a reminder.
    Fee {
        /// The notice that cost it.
        notice: NoticeId,
    },
    /// The lump sum of § 288 (5) BGB.
    LumpSum {
        /// The notice that asked for it.
        notice: NoticeId,
    },
    /// What the bank charged for a payment that went back.
    BankFee {
        /// The payment.
        payment: PaymentId,
    },
    /// Interest.
    Interest(InterestLine),
    /// Money.
    Paid {
        /// Which payment.
        payment: PaymentId,
        /// For what.
        part: Part,
    },
    /// Given up for good.
    Waived {
        /// Of what.
        part: Part,
    },
    /// Given up for the books.
    WrittenOff {
        /// Of what.
        part: Part,
    },
}

/// Days with one rate on one principal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InterestLine {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Days as counted.
    pub days: i32,
    /// Length of the year that they are a share of.
    pub year_days: i32,
    /// What bore it.
    pub principal: Decimal,
    /// The base rate, where the rate moves with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_percent: Option<Decimal>,
    /// Percent a year.
    pub percent: Decimal,
}

/// A payment and how it is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PaymentLine {
    /// Which.
    pub payment: PaymentId,
    /// Booking day.
    pub booked_on: Date,
    /// As it came.
    pub received: Decimal,
    /// Less what went back.
    pub net: Decimal,
    /// Transfer, card …
    pub method: String,
    /// For what it is used; less than `net` where something waits as credit.
    pub used: Vec<Allocation>,
    /// Nobody said what it was for: the amount did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub implied: bool,
}

impl Statement {
    /// The statement of `account` in `currency`, with interest up to `as_of`; `seat` is the
    /// creditor's, for when default began.
    pub fn of(account: &Account, currency: Currency, seat: Seat, as_of: Date) -> Self {
        let book = Book::of(account, currency);
        let claims = book.claims.iter().map(|column| claim(account, &book, column, seat, as_of));
        Self {
            as_of,
            currency,
            claims: claims.collect(),
            payments: payments(account, &book),
            paid: book.paid,
            unallocated: book.unallocated,
            open: book.open_on(as_of),
        }
    }
}

fn claim(
    account: &Account,
    book: &Book<'_>,
    column: &ClaimBook<'_>,
    seat: Seat,
    as_of: Date,
) -> ClaimStatement {
    let issued_on = column.claim.invoice.as_ref().map_or(column.due_on, |one| one.issued_on);
    let mut lines = Vec::new();
    principal(column, &mut lines);
    fees(account, book.currency, column, &mut lines);
    interest(column, book.currency, as_of, &mut lines);
    gone(account, book, column, &mut lines);
    lines.retain(|line| !line.amount.is_zero());
    lines.sort_by_key(|line| line.on); // stable: of one day what is owed comes before what is paid
    let periods = default_periods(column.claim, seat, account.profile());
    let line = |one: &DefaultPeriod| DefaultLine { from: one.from, to: one.to, ground: one.ground };
    let begun = periods.iter().filter(|period| period.from <= as_of);
    ClaimStatement {
        invoice: column.invoice.clone(),
        issued_on,
        due_on: column.due_on,
        default: begun.map(line).collect(),
        lines,
        principal: column.outstanding,
        fees: column.fees,
        interest: column.interest_on(as_of),
        interest_to: column.interest_counted_to(as_of),
        open: column.open_on(as_of),
    }
}

/// Invoice, adjustment, cancellation, credit notes and disputes: they end at what is payable.
fn principal(column: &ClaimBook<'_>, lines: &mut Vec<Line>) {
    let Some(invoice) = &column.claim.invoice else { return };
    let mut put = |on: Date, what: What, amount: Decimal| lines.push(Line { on, what, amount });
    let (on, first) = (invoice.issued_on, invoice.amount.amount);
    put(on, What::Invoiced, first);
    match (column.claim.cancelled_on, column.claim.adjusted.as_deref()) {
        (Some(on), _) => put(on, What::Cancelled, column.principal - first),
        (None, Some((_, on, _))) => put(*on, What::Adjusted, column.principal - first),
        (None, None) => {}
    }
    let from_others: Decimal = column.credited_from.iter().map(|(_, _, amount)| *amount).sum();
    let mut left = column.credited - from_others;
    for (credit, (on, money)) in &column.claim.credits {
        let taken = left.min(money.amount);
        left -= taken;
        put(*on, What::Credited { credit: credit.clone() }, -taken);
    }
    for (credit, on, amount) in &column.credited_from {
        put(*on, What::Credited { credit: credit.clone() }, -*amount);
    }
    let resolved = column.claim.disputes.values().filter_map(|one| Some(one.decided()?.0));
    put(resolved.max().unwrap_or(on), What::Remitted, -column.remitted);
}

fn fees(account: &Account, currency: Currency, column: &ClaimBook<'_>, lines: &mut Vec<Line>) {
    for fee in column.claim.fees.iter().filter(|fee| !fee.reversed) {
        let notice = fee.notice.clone();
        let what = match fee.kind {
            FeeKind::Reminder => What::Fee { notice },
            FeeKind::LumpSum => What::LumpSum { notice },
        };
        lines.push(Line { on: fee.on, what, amount: fee.amount });
    }
    if column.claim.never_owed() {
        return;
    }
    for (id, payment) in &account.payments {
        if payment.designation() == Some(column.invoice) {
            lines.extend(payment.return_fees(currency).map(|(on, amount)| Line {
                on,
                what: What::BankFee { payment: id.clone() },
                amount,
            }));
        }
    }
}

/// The segments, in cents that add up to the rounded sum.
fn interest(column: &ClaimBook<'_>, currency: Currency, as_of: Date, lines: &mut Vec<Line>) {
    let segments = column.interest_segments(as_of);
    let scale = decimals(currency).unwrap_or(2);
    let cents = in_cents(segments.iter().map(|one| one.exact), scale);
    for (Accrued { segment, principal, .. }, amount) in segments.into_iter().zip(cents) {
        let what = What::Interest(InterestLine {
            from: segment.from,
            to: segment.to,
            days: segment.days,
            year_days: segment.year.number(),
            principal,
            base_percent: segment.base,
            percent: segment.percent,
        });
        lines.push(Line { on: segment.to, what, amount });
    }
}

/// Payments, waivers and write-offs.
fn gone(account: &Account, book: &Book<'_>, column: &ClaimBook<'_>, lines: &mut Vec<Line>) {
    for (id, parts) in book.used {
        let received = account.payments.get(id).and_then(|payment| payment.received.as_ref());
        let Some(booked_on) = received.map(|received| received.booked_on) else { continue };
        for part in parts.iter().filter(|part| part.invoice == *column.invoice) {
            let what = What::Paid { payment: id.clone(), part: part.part };
            lines.push(Line { on: booked_on, what, amount: -part.amount });
        }
    }
    for (stamp, given) in &column.claim.given_up {
        for part in [Part::Fees, Part::Interest, Part::Principal] {
            let amount = -column.given_up_of(stamp, part);
            let what = match given.written_off {
                true => What::WrittenOff { part },
                false => What::Waived { part },
            };
            lines.push(Line { on: given.on, what, amount });
        }
    }
}

fn payments(account: &Account, book: &Book<'_>) -> Vec<PaymentLine> {
    let mut lines: Vec<PaymentLine> = account
        .payments
        .iter()
        .filter_map(|(id, payment)| {
            let received = payment.received.as_ref()?;
            let ours = received.amount.currency == book.currency && payment.assigned_to.is_none();
            ours.then(|| PaymentLine {
                payment: id.clone(),
                booked_on: received.booked_on,
                received: received.amount.amount,
                net: payment.net(book.currency).map_or(Decimal::ZERO, |(_, net)| net),
                method: received.method.clone(),
                used: book.used.get(id).cloned().unwrap_or_default(),
                implied: book.implied.contains(id),
            })
        })
        .collect();
    lines.sort_by_key(|line| line.booked_on);
    lines
}

impl Account {
    /// The account by what is known today of the time up to the end of `day`: events that took
    /// effect later are left out. `events` is the whole log in its order.
    pub fn as_of<'e>(events: impl IntoIterator<Item = &'e AccountEvent>, day: Date) -> Self {
        let mut account = Self::default();
        for event in events {
            if takes_effect_on(event).is_none_or(|on| on <= day) {
                account.apply_event(event);
            }
        }
        account
    }
}

/// The day on which an event moves money or stops interest; `None` for all others.
fn takes_effect_on(event: &AccountEvent) -> Option<Date> {
    use AccountEvent as E;
    match event {
        E::InvoiceIssued { invoice, .. } => Some(invoice.issued_on),
        E::InvoiceAdjusted { on, .. }
        | E::InvoiceCredited { on, .. }
        | E::InvoiceCancelled { on, .. }
        | E::GivenUp { on, .. }
        | E::DisputeOpened { on, .. }
        | E::DisputeResolved { on, .. }
        | E::PaymentReceived { booked_on: on, .. }
        | E::PaymentReturned { on, .. }
        | E::PaymentRefunded { on, .. }
        | E::FeeCharged { on, .. }
        | E::PromiseMade { on, .. }
        | E::PlanAgreed { on, .. }
        | E::PromiseResumed { on, .. }
        | E::PlanResumed { on, .. }
        | E::InsolvencyOpened { on }
        | E::DebtorDeceased { on } => Some(*on),
        E::InvoiceRescheduled { on, .. }
        | E::PromiseKept { on, .. }
        | E::PromiseBroken { on, .. }
        | E::PlanCompleted { on, .. }
        | E::PlanBroken { on, .. } => *on,
        _ => None,
    }
}

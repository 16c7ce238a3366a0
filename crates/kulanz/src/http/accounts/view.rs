//! An account as it is told over HTTP. The names of its members stay.

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    Account,
    book::{Book, ClaimBook},
    decision::{ClaimExplained, Explanation, StepState, WaitReason},
    ids::{AccountId, InvoiceId},
    money::{Currency, Decimal, plain},
    policy::Rules,
    reference::PaymentReference,
};
use kulanz_engine::views::claim_state;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    explain::words,
    http::{
        placements::state_name,
        schema::{AccountName, Amount, CurrencyCode, Day, Id, Moment},
    },
};

/// An account in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Summary {
    /// `creditor/debtor`.
    pub account: AccountName,
    /// Number of its events.
    pub version: u64,
    /// When it is looked at again if nothing is told before.
    pub next_look: Option<Moment>,
    /// What is owed, by currency.
    pub books: Vec<BookTotals>,
}

/// What is owed in one currency.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BookTotals {
    /// ISO 4217.
    pub currency: CurrencyCode,
    /// Owed today: principal, fees and interest.
    pub open: Amount,
    /// Principal still owed.
    pub outstanding: Amount,
    /// Fees still owed.
    pub fees: Amount,
    /// Interest owed up to today.
    pub interest: Amount,
    /// Received less returned and refunded.
    pub paid: Amount,
    /// Money beyond what is owed.
    pub unallocated: Amount,
    /// Claims of which something is open.
    pub open_claims: usize,
}

/// An account with its claims.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountView {
    /// `creditor/debtor`.
    pub account: AccountName,
    /// Number of its events.
    pub version: u64,
    /// The day up to which interest is counted, in the creditor's zone.
    pub as_of: Day,
    /// When it is looked at again if nothing is told before.
    pub next_look: Option<Moment>,
    /// The next message or handoff if nobody says anything.
    pub next: Option<Next>,
    /// What stops all of it.
    pub blocked: Option<Blocked>,
    /// Insolvency was opened on.
    pub insolvent_on: Option<Day>,
    /// The debtor died on.
    pub deceased_on: Option<Day>,
    /// Its key was destroyed at.
    pub erased_at: Option<Moment>,
    /// What debtors are asked to write on a transfer for several claims at once: mostly an RF
    /// reference (ISO 11649), in electronic form.
    pub payment_reference: String,
    /// One a currency.
    pub books: Vec<BookView>,
    /// Mahnsperren, ended ones included.
    pub holds: Vec<HoldView>,
    /// Placements at agencies, ended ones included.
    pub placements: Vec<PlacementView>,
}

/// What happens next.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Next {
    /// When.
    pub at: Moment,
    /// Step of the ladder.
    pub step: Id,
    /// What it does: `reminder`, `mahnung`, `hand_off` …
    pub kind: String,
    /// By which channel; absent for a handoff.
    pub channel: Option<String>,
    /// To which agency; absent for a message.
    pub agency: Option<Id>,
    /// Which claims.
    pub claims: Vec<Id>,
}

/// Why something does not happen.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Blocked {
    /// `on_hold`, `promised`, `disputed`, `not_before` …
    pub reason: String,
    /// The same in words, with what a person can do about it.
    pub why: String,
    /// Until when; absent: until something is told.
    pub until: Option<Moment>,
}

/// A book with its claims.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BookView {
    /// Totals.
    #[serde(flatten)]
    pub totals: BookTotals,
    /// Settled ones included.
    pub claims: Vec<ClaimView>,
}

/// A claim.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClaimView {
    /// Claim and invoice.
    pub invoice: Id,
    /// What debtors are asked to write on a transfer for this claim: mostly an RF reference (ISO
    /// 11649), in electronic form.
    pub payment_reference: String,
    /// Day of issue.
    pub issued_on: Day,
    /// Day due, as rescheduled.
    pub due_on: Day,
    /// With the latest adjustment.
    pub principal: Amount,
    /// Principal paid.
    pub paid: Amount,
    /// Credit notes.
    pub credited: Amount,
    /// Principal still owed.
    pub outstanding: Amount,
    /// Fees still owed.
    pub fees: Amount,
    /// Interest owed up to today.
    pub interest: Amount,
    /// Owed today, all parts.
    pub open: Amount,
    /// `open`, `settled`, `disputed`, `planned`, `promised`, `placed` …
    pub state: String,
    /// The highest step that happened.
    pub level: Option<Id>,
    /// The step that comes next.
    pub next_step: Option<NextStep>,
}

/// The next step of a claim.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NextStep {
    /// Which.
    pub step: Id,
    /// The first day on which it comes, as far as that is known.
    pub not_before: Option<Day>,
    /// Why it does not come now; absent: it is due.
    pub waits: Option<Blocked>,
}

/// Mahnsperre.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HoldView {
    /// Which.
    pub hold: Id,
    /// Absent: the whole account.
    pub invoice: Option<Id>,
    /// Who looks after it.
    pub owner: Option<String>,
    /// Day of placing; absent where only its end was told so far.
    pub on: Option<Day>,
    /// Last day; absent: until released.
    pub until: Option<Day>,
    /// It was ended.
    pub released: bool,
}

/// Abgabe an Inkasso.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlacementView {
    /// Which.
    pub placement: Id,
    /// To whom.
    pub agency: Id,
    /// Which claims.
    pub claims: Vec<Id>,
    /// `due`, `released`, `withdrawn`, `recalled`, `rejected`, `closed`.
    pub state: &'static str,
    /// The agency's last word.
    pub agency_state: Option<String>,
}

impl Summary {
    /// Of an account with its version and wake-up, on a day.
    pub fn of(
        id: &AccountId,
        account: &Account,
        (version, wake): (u64, Option<Timestamp>),
        today: Date,
    ) -> Self {
        let books = account.currencies().into_iter();
        let books = books.map(|currency| totals(&Book::of(account, currency), today));
        let (account, next_look) = (AccountName(id.to_string()), wake.map(Moment::of));
        Self { account, version, next_look, books: books.collect() }
    }
}

impl AccountView {
    /// Of an account with its version and wake-up, on a day, with what is decided on it.
    pub fn of(
        id: &AccountId,
        account: &Account,
        (version, wake): (u64, Option<Timestamp>),
        today: Date,
        told: Option<(&Explanation, &Rules)>,
    ) -> Self {
        let books = account.currencies().into_iter();
        let books = books.map(|currency| book((id, account), currency, today, told));
        let rules = told.map(|(_, rules)| rules);
        let told = told.map(|(told, _)| told);
        Self {
            account: AccountName(id.to_string()),
            version,
            as_of: Day::of(today),
            next_look: wake.map(Moment::of),
            next: told.and_then(|told| told.next.as_ref()).map(|next| Next {
                at: Moment::of(next.at),
                step: Id::of(&next.step),
                kind: next.kind.clone(),
                channel: next.channel.map(|channel| channel.name().to_owned()),
                agency: next.agency.as_ref().map(Id::of),
                claims: next.claims.iter().map(Id::of).collect(),
            }),
            blocked: told.and_then(|told| told.blocked.as_ref()).zip(rules).and_then(
                |(found, rules)| Some(blocked(found.waits.as_ref()?, found.until, rules)),
            ),
            insolvent_on: account.insolvent_on.map(Day::of),
            deceased_on: account.deceased_on.map(Day::of),
            erased_at: account.erased_at.map(Moment::of),
            payment_reference: payment_reference(id, None),
            books: books.collect(),
            holds: holds(account),
            placements: placements(account),
        }
    }
}

fn totals(book: &Book<'_>, today: Date) -> BookTotals {
    let amount = |amount: Decimal| Amount(plain(amount, book.currency));
    let sum = |of: fn(&ClaimBook<'_>) -> Decimal| amount(book.claims.iter().map(of).sum());
    BookTotals {
        currency: CurrencyCode(book.currency.code().to_owned()),
        open: amount(book.open_on(today)),
        outstanding: sum(|column| column.outstanding),
        fees: sum(|column| column.fees),
        interest: amount(book.claims.iter().map(|column| column.interest_on(today)).sum()),
        paid: amount(book.paid),
        unallocated: amount(book.unallocated),
        open_claims: book.claims.iter().filter(|column| column.is_open()).count(),
    }
}

/// As the debtor's page and messages show it, without its spaces.
fn payment_reference(id: &AccountId, single: Option<&InvoiceId>) -> String {
    PaymentReference::of(&id.debtor, single).electronic().to_owned()
}

fn book(
    (id, account): (&AccountId, &Account),
    currency: Currency,
    today: Date,
    told: Option<(&Explanation, &Rules)>,
) -> BookView {
    let book = Book::of(account, currency);
    let told = told.and_then(|(told, rules)| {
        Some((told.currencies.iter().find(|one| one.currency == currency)?, rules))
    });
    let amount = |amount: Decimal| Amount(plain(amount, currency));
    let claims = book.claims.iter().map(|column| {
        let explained = told.and_then(|(told, rules)| {
            Some((told.claims.iter().find(|one| one.invoice == *column.invoice)?, rules))
        });
        let issued = column.claim.invoice.as_ref().map_or(column.due_on, |one| one.issued_on);
        ClaimView {
            invoice: Id::of(column.invoice),
            payment_reference: payment_reference(id, Some(column.invoice)),
            issued_on: Day::of(issued),
            due_on: Day::of(column.due_on),
            principal: amount(column.principal),
            paid: amount(column.paid),
            credited: amount(column.credited),
            outstanding: amount(column.outstanding),
            fees: amount(column.fees),
            interest: amount(column.interest_on(today)),
            open: amount(column.open_on(today)),
            state: claim_state(account, column).to_owned(),
            level: column.claim.last_step().map(|taken| Id::of(&taken.step)),
            next_step: explained.and_then(|(claim, rules)| next_step(claim, rules)),
        }
    });
    BookView { totals: totals(&book, today), claims: claims.collect() }
}

/// The lowest step that can still come: it neither happened nor was skipped, and is not ruled out by
/// its condition, its day or an earlier answer.
fn next_step(claim: &ClaimExplained, rules: &Rules) -> Option<NextStep> {
    claim.steps.iter().find_map(|step| {
        let waits = match &step.state {
            StepState::Due => None,
            StepState::Waits {
                reason:
                    WaitReason::Expired
                    | WaitReason::ConditionFalse(_)
                    | WaitReason::StepMissing(_)
                    | WaitReason::WentBack(_)
                    | WaitReason::GivenBack(_),
                ..
            } => return None,
            StepState::Blocked { reason, until } | StepState::Waits { reason, until } => {
                Some(blocked(reason, *until, rules))
            }
            StepState::Happened(_)
            | StepState::HandedOver { .. }
            | StepState::Skipped
            | StepState::Later => return None,
        };
        let not_before = step.not_before.map(Day::of);
        Some(NextStep { step: Id::of(&step.step), not_before, waits })
    })
}

fn blocked(reason: &WaitReason, until: Option<Timestamp>, rules: &Rules) -> Blocked {
    let why = words::reason(reason, rules);
    Blocked { reason: word(reason), why, until: until.map(Moment::of) }
}

/// The word for a reason, without what it is about.
fn word(reason: &WaitReason) -> String {
    match serde_json::to_value(reason) {
        Ok(Value::String(word)) => word,
        Ok(Value::Object(about)) => about.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

fn holds(account: &Account) -> Vec<HoldView> {
    let holds = account.holds.iter().map(|(id, hold)| {
        let placed = hold.placed.as_ref();
        HoldView {
            hold: Id::of(id),
            invoice: placed.and_then(|placed| placed.invoice.as_ref()).map(Id::of),
            owner: placed.map(|placed| placed.owner.clone()),
            on: placed.map(|placed| Day::of(placed.on)),
            until: placed.and_then(|placed| placed.until).map(Day::of),
            released: hold.released,
        }
    });
    holds.collect()
}

fn placements(account: &Account) -> Vec<PlacementView> {
    let placements = account.placements.iter().map(|(id, placement)| PlacementView {
        placement: Id::of(id),
        agency: Id::of(&placement.agency),
        claims: placement.claims.iter().map(Id::of).collect(),
        state: state_name(placement.state),
        agency_state: placement.agency_state.clone(),
    });
    placements.collect()
}

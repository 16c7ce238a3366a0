//! The read side of an account, computed from its state alone: the same state gives the same rows,
//! whether they are written beside the events or by a rebuild.

use std::{hash::Hash, mem};

use jiff::Timestamp;
use kulanz_domain::{
    Account,
    account::{Notice, NoticeState, Placement, PlacementState, Standing},
    book::{Book, ClaimBook},
    ids::*,
    money::{Currency, Decimal, decimals},
    placed::PlacementNow,
    pleas::HARDSHIP,
    searches::PAYMENT_SEARCH,
};
use kulanz_store::{BookRow, ClaimRow, NoticeRow, Views, WorkRow, quick_hash};
use rust_decimal::prelude::ToPrimitive;

/// The debtor id under which payments wait whose debtor nobody knows.
pub const UNMATCHED: &str = "_unmatched";

/// `amount` in the currency's smallest unit. Amounts are bounded far below the limits of `i64`.
pub fn minor_units(amount: Decimal, currency: Currency) -> i64 {
    let scale = decimals(currency).unwrap_or(2);
    let factor = Decimal::from(10u64.pow(scale));
    (amount * factor).trunc().to_i64().unwrap_or(i64::MAX)
}

/// What was written before, so that only rows that changed are written again: hashes of rows by
/// hashes of their names. A few bytes a row: there is one for each account in memory.
#[derive(Debug, Default, Clone)]
pub struct Written {
    /// Sorted.
    rows: Vec<(u64, u64)>,
    /// Whether all rows that the store has are known.
    known: bool,
    /// Whether there were work items.
    work: bool,
    /// In which there were books.
    currencies: Vec<Currency>,
}

impl Written {
    /// Of an account that has no rows yet.
    pub fn nothing() -> Self {
        Self { known: true, ..Self::default() }
    }

    fn changed(&mut self, name: (&str, &str), row: &impl Hash) -> bool {
        let (name, row) = (quick_hash(&name), quick_hash(row));
        match self.rows.binary_search_by_key(&name, |known| known.0) {
            Ok(at) => mem::replace(&mut self.rows[at].1, row) != row,
            Err(at) => {
                self.rows.insert(at, (name, row));
                true
            }
        }
    }
}

/// The rows of `account` that differ from what was `written`, and what else has to be said.
pub fn of(id: &AccountId, account: &Account, written: &mut Written) -> Views {
    let mut views = all(id, account);
    views.claims.retain(|row| written.changed(("claim", row.invoice.as_str()), row));
    views.notices.retain(|row| written.changed(("notice", row.notice.as_str()), row));
    let currencies: Vec<Currency> = views.books.iter().map(|book| book.currency).collect();
    let book_goes = written.currencies.iter().any(|before| !currencies.contains(before));
    let work = !views.work.is_empty();
    views.nothing_goes = written.known && !written.work && !work && !book_goes;
    let all = !views.nothing_goes;
    let changed = |row: &BookRow| written.changed(("book", row.currency.code()), row) || all;
    views.books.retain(changed);
    (written.known, written.work, written.currencies) = (true, work, currencies);
    views
}

/// All rows of `account`.
pub fn all(id: &AccountId, account: &Account) -> Views {
    let mut views = Views::default();
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        views.books.push(book_row(&book));
        views.claims.extend(book.claims.iter().map(|column| claim_row(account, &book, column)));
    }
    views.notices.extend(account.notices.values().map(|notice| notice_row(notice)));
    work(id, account, &mut views.work);
    views
}

/// Totals of one book.
pub fn book_row(book: &Book<'_>) -> BookRow {
    let sum = |of: fn(&ClaimBook<'_>) -> Decimal| {
        minor_units(book.claims.iter().map(of).sum(), book.currency)
    };
    let open = book.claims.iter().filter(|column| column.is_open()).count();
    BookRow {
        currency: book.currency,
        principal: sum(|column| column.principal),
        paid: minor_units(book.paid, book.currency),
        credited: sum(|column| column.claim.credited()),
        unallocated: minor_units(book.unallocated, book.currency),
        outstanding: sum(|column| column.outstanding),
        fees: sum(|column| column.fees),
        claims: i64::try_from(book.claims.len()).unwrap_or(i64::MAX),
        open_claims: i64::try_from(open).unwrap_or(i64::MAX),
    }
}

fn claim_row(account: &Account, book: &Book<'_>, column: &ClaimBook<'_>) -> ClaimRow {
    let issued = column.claim.invoice.as_ref().map_or(column.due_on, |i| i.issued_on);
    ClaimRow {
        invoice: column.invoice.clone(),
        currency: book.currency,
        issued_on: issued,
        due_on: column.due_on,
        principal: minor_units(column.principal, book.currency),
        outstanding: minor_units(column.outstanding, book.currency),
        fees: minor_units(column.fees, book.currency),
        step: column.claim.last_step().map(|taken| taken.step.clone()),
        state: claim_state(account, column).to_owned(),
    }
}

/// One word for people.
pub fn claim_state(account: &Account, column: &ClaimBook<'_>) -> &'static str {
    let claim = column.claim;
    let planned = |plan: &kulanz_domain::account::Plan| {
        plan.standing == Standing::Open && plan.claims.contains(column.invoice)
    };
    if claim.cancelled_on.is_some() {
        "cancelled"
    } else if !column.is_open() {
        "settled"
    } else if let Some(placement) = claim.placement.as_ref().map(|id| &account.placements[id]) {
        match placement.state {
            PlacementState::Due => "handoff_due",
            _ => "placed",
        }
    } else if claim.disputed() {
        "disputed"
    } else if account.plans.values().any(planned) {
        "planned"
    } else if account.promises.values().any(|p| p.standing == Standing::Open) {
        "promised"
    } else {
        "open"
    }
}

fn notice_row(notice: &Notice) -> NoticeRow {
    NoticeRow {
        notice: notice.decided.notice.clone(),
        step: Some(notice.decided.step.clone()),
        persona: Some(notice.decided.persona.to_string()),
        channel: notice.decided.channel,
        state: notice.state.name().to_owned(),
        decided_at: notice.decided.at,
        sent_at: notice.sent_at,
    }
}

/// What the agency has to hear of a placement, where that is not what went out.
fn moved(account: &Account, placement: &Placement) -> String {
    let now = PlacementNow::of(account, placement);
    let before = placement.went_out.as_deref().cloned();
    let said = now.changes_since(&before.unwrap_or_else(|| as_told(now.clone(), placement)));
    if said.is_empty() { said } else { format!("; {said}") }
}

/// What went out of a placement, by a snapshot that knows no more of it than principal and fees.
fn as_told(mut now: PlacementNow, placement: &Placement) -> PlacementNow {
    for claim in &mut now.claims {
        let told = placement.amounts.iter().find(|(invoice, ..)| *invoice == claim.invoice);
        if let Some((_, principal, fees)) = told {
            (claim.open_principal, claim.open_fees) = (*principal, *fees);
        }
    }
    now
}

/// What of the account waits for a person.
fn work(id: &AccountId, account: &Account, rows: &mut Vec<WorkRow>) {
    let day = |day: jiff::civil::Date| {
        day.to_zoned(jiff::tz::TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |z| z.timestamp())
    };
    let mut row = |list: &str, item: &str, since: Timestamp, detail: String| {
        rows.push(WorkRow { list: list.to_owned(), item: item.to_owned(), since, detail });
    };
    if account.erased_at.is_some() {
        return;
    }
    let unheard = account.unanswered_plea();
    let left = |invoice: &InvoiceId| {
        let claim = account.claims.get(invoice);
        claim.is_some_and(|claim| claim.settled_on.is_none() && claim.placement.is_none())
    };
    if let Some(stop) = &account.delivery_stop {
        let claims: Vec<String> =
            stop.claims.iter().map(|(claim, step)| format!("{claim} ({step})")).collect();
        let detail = format!("no deliveries on account: {}", claims.join(", "));
        row("delivery_stopped", "account", day(stop.since), detail);
    }
    for (placement, entry) in &account.placements {
        let since = entry.claims.iter().filter_map(|c| account.claims.get(c)?.last_step());
        let since = since.map(|step| step.at).max().unwrap_or(Timestamp::UNIX_EPOCH);
        match entry.state {
            PlacementState::Due if entry.missing.is_empty() => {
                let agreed = match entry.approved_by.first() {
                    Some(by) => format!("{by} agreed; a second person has to"),
                    None => "a person has to agree".to_owned(),
                };
                let asked = unheard.map_or_else(String::new, |day| {
                    format!("; asked for help on {day}, and nobody answered")
                });
                let detail = format!("to {}: {agreed}{asked}", entry.agency);
                row("release", placement.as_str(), since, detail);
            }
            PlacementState::Due => {
                let detail = format!("lacks {}", entry.missing.join(", "));
                row("incomplete_placement", placement.as_str(), since, detail);
            }
            PlacementState::Released => {
                let moved = moved(account, entry);
                let detail = format!("with {}{moved}", entry.agency);
                row("with_agency", placement.as_str(), since, detail);
            }
            PlacementState::Recalled => {
                let detail = format!("called back from {}", entry.agency);
                row("recalled_placement", placement.as_str(), since, detail);
            }
            PlacementState::Closed if entry.claims.iter().any(left) => {
                let detail = format!("{} is done and something is still open", entry.agency);
                row("closed_placement", placement.as_str(), since, detail);
            }
            PlacementState::Rejected if entry.claims.iter().any(left) => {
                let detail = format!("{} refused it", entry.agency);
                row("rejected_placement", placement.as_str(), since, detail);
            }
            _ => {}
        }
    }
    for (hold, entry) in &account.holds {
        let Some(placed) = entry.placed.as_ref().filter(|_| !entry.released) else { continue };
        let list = match placed.owner.as_str() {
            HARDSHIP if entry.unanswered && unheard.is_some() => {
                let over = placed.until.map_or_else(String::new, |until| format!(" on {until}"));
                let detail = format!(
                    "the pause ended{over} and nobody answered; get in touch, then `kulanz account \
                     release {id} --hold {hold}`"
                );
                row("help_unanswered", hold.as_str(), day(placed.on), detail);
                continue;
            }
            HARDSHIP => "hardship",
            PAYMENT_SEARCH => "payment_search",
            _ => continue,
        };
        let until = placed.until.map_or_else(String::new, |until| format!(" until {until}"));
        let asked = list == "hardship" && placed.until.is_some();
        let answer = if asked { "; answer before it ends" } else { "" };
        row(list, hold.as_str(), day(placed.on), format!("dunning rests{until}{answer}"));
    }
    for (notice, entry) in &account.notices {
        let (list, what) = match entry.state {
            NoticeState::Parked => ("parked_notice", "could not be delivered"),
            NoticeState::Unknown => ("unknown_notice", "nobody knows whether it left"),
            _ => continue,
        };
        row(list, notice.as_str(), entry.decided.at, what.to_owned());
    }
    for (invoice, claim) in &account.claims {
        if claim.held_back && claim.settled_on.is_none() {
            let since = claim.recorded_at.unwrap_or(Timestamp::UNIX_EPOCH);
            let detail = format!(
                "long overdue when the policy first met it; let it in with \
                 `kulanz account release {id} --claim {invoice}`"
            );
            row("old_claim", invoice.as_str(), since, detail);
        }
        let minors = claim.made_by_minor(account.profile()).filter(|_| claim.settled_on.is_none());
        if let Some(until) = minors {
            let since = claim.recorded_at.unwrap_or(Timestamp::UNIX_EPOCH);
            let detail = format!(
                "made by a minor, who is of age by {until}: ask the parents, or the debtor once of \
                 age (§§ 107, 108 BGB). Where they agree: `kulanz account release {id} --claim \
                 {invoice}`; where not, the shop cancels the invoice"
            );
            row("minor", invoice.as_str(), since, detail);
        }
        if let Some(act_by) = claim.barred_after.filter(|_| claim.settled_on.is_none()) {
            let detail = format!(
                "the last day to act is {act_by} (§§ 195, 214 BGB); after it nobody is dunned"
            );
            row("limitation", invoice.as_str(), day(act_by), detail);
        }
        for (dispute, entry) in &claim.disputes {
            let Some((on, _)) = entry.opened.filter(|_| entry.is_open()) else { continue };
            row("dispute", dispute.as_str(), day(on), format!("of invoice {invoice}"));
        }
    }
    for (invoice, untold) in &account.untold {
        let Some(claim) = account.claims.get(invoice) else { continue };
        if claim.settled_on.is_some() || claim.placement.is_some() {
            continue;
        }
        let payment = &untold.payment;
        let detail = format!(
            "payment {payment} had paid it and went back, or counts elsewhere; no step of the policy \
             can tell the debtor. Write to them, with what is open and by when to pay it, and report \
             that as `reminder.sent` with `counts_as`: until then it goes to no agency. Or give it \
             up: `kulanz account waive {id} --invoice {invoice}`"
        );
        row("reopening_untold", invoice.as_str(), day(untold.since), detail);
    }
    for (payment, entry) in &account.payments {
        let Some((agency, bank)) = entry.disagreement() else { continue };
        let counts = if entry.booked.is_some() { agency } else { bank };
        let since = entry.received.as_ref().map_or(Timestamp::UNIX_EPOCH, |one| day(one.booked_on));
        let detail = format!(
            "the agency tells of {agency}, the bank of {bank}; {counts} counts. Once it is clear, \
             tell what went back, or by `payment.assigned` that it is right"
        );
        row("payment_differs", payment.as_str(), since, detail);
    }
    if id.debtor.as_str() == UNMATCHED {
        for (payment, entry) in &account.payments {
            let Some(received) = entry.received.as_ref() else { continue };
            if entry.assigned_to.is_none() {
                let detail = format!("{} booked without a debtor", received.amount);
                row("unmatched_payment", payment.as_str(), day(received.booked_on), detail);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use kulanz_domain::{AccountEvent, fact::*, money::Money};

    use super::*;

    fn id() -> AccountId {
        "lindenmoor/D-1".parse().unwrap()
    }

    fn with_old_claim() -> Account {
        let mut account = Account::default();
        let invoice = Invoice {
            invoice: InvoiceId::new("R-1").unwrap(),
            issued_on: "2026-01-05".parse().unwrap(),
            due_on: "2026-01-19".parse().unwrap(),
            amount: Money::parse("89.90", Currency::EUR).unwrap(),
            contract_on: None,
            contract_object_known: false,
            contract_rate: None,
            received_on: None,
            due_date_agreed: false,
            late_payment_notice: false,
            supply: Supply::GoodsServices,
            consumer_credit: false,
        };
        let recorded_at = "2026-06-01T10:00:00Z".parse().unwrap();
        account.apply_event(&AccountEvent::InvoiceIssued { invoice, recorded_at });
        let invoice = InvoiceId::new("R-1").unwrap();
        account.apply_event(&AccountEvent::ClaimHeldBack { invoice });
        account
    }

    #[test]
    fn an_old_claim_is_on_the_list_of_work_until_a_person_lets_it_in() {
        let mut account = with_old_claim();
        let work = all(&id(), &account).work;
        assert_eq!((work[0].list.as_str(), work[0].item.as_str()), ("old_claim", "R-1"));
        assert!(work[0].detail.ends_with("release lindenmoor/D-1 --claim R-1`"));
        let (invoice, by) = (InvoiceId::new("R-1").unwrap(), "ute".to_owned());
        account.apply_event(&AccountEvent::ClaimAdmitted { invoice, by });
        assert_eq!(all(&id(), &account).work, []);
    }

    #[test]
    fn a_claim_that_no_step_can_tell_of_is_on_the_list_of_work_until_that_is_over() {
        let mut account = with_old_claim();
        let invoice = InvoiceId::new("R-1").unwrap();
        account.apply_event(&AccountEvent::ClaimAdmitted { invoice, by: "ute".to_owned() });
        let told = |payment: Option<&str>| AccountEvent::ReopeningUntold {
            invoice: InvoiceId::new("R-1").unwrap(),
            payment: payment.map(|name| PaymentId::new(name).unwrap()),
            on: "2026-06-02".parse().unwrap(),
        };
        account.apply_event(&told(Some("P-1")));
        let work = all(&id(), &account).work;
        assert_eq!((work.len(), work[0].list.as_str()), (1, "reopening_untold"));
        assert_eq!(
            (work[0].item.as_str(), work[0].since),
            ("R-1", "2026-06-02T00:00Z".parse().unwrap())
        );
        assert!(work[0].detail.starts_with("payment P-1 had paid it"), "{}", work[0].detail);
        assert!(work[0].detail.ends_with("waive lindenmoor/D-1 --invoice R-1`"));
        let mut paid = account.clone();
        let (invoice, on) = (InvoiceId::new("R-1").unwrap(), "2026-06-03".parse().unwrap());
        paid.apply_event(&AccountEvent::ClaimSettled { invoice, on });
        assert_eq!(all(&id(), &paid).work, []);
        account.apply_event(&told(None));
        assert_eq!(all(&id(), &account).work, []);
    }

    #[test]
    fn who_asked_for_help_stands_on_a_list_of_their_own_once_the_pause_is_over_unanswered() {
        let mut account = with_old_claim();
        let hold = HoldId::new("page-7").unwrap();
        let (on, until) = ("2026-03-01".parse().unwrap(), "2026-03-31".parse().ok());
        let owner = HARDSHIP.to_owned();
        let placed = AccountEvent::HoldPlaced {
            hold: hold.clone(),
            invoice: None,
            owner,
            until,
            on,
            at: None,
        };
        account.apply_event(&placed);
        let row = |account: &Account| all(&id(), account).work.remove(0);
        assert_eq!(row(&account).list, "hardship");
        assert_eq!(row(&account).detail, "dunning rests until 2026-03-31; answer before it ends");
        let on = "2026-04-01".parse().unwrap();
        account.apply_event(&AccountEvent::HelpUnanswered { hold: hold.clone(), on });
        assert_eq!(row(&account).list, "help_unanswered");
        let detail = "the pause ended on 2026-03-31 and nobody answered; get in touch, then \
                      `kulanz account release lindenmoor/D-1 --hold page-7`";
        assert_eq!(row(&account).detail, detail);
        account.apply_event(&AccountEvent::HoldReleased { hold, at: None });
        assert_eq!(row(&account).list, "old_claim");
    }

    #[test]
    fn a_placement_tells_what_is_open_by_now_where_that_is_not_what_went_out() {
        let mut account = with_old_claim();
        let placement = PlacementId::new("P-1").unwrap();
        let (invoice, policy) = (InvoiceId::new("R-1").unwrap(), PolicyName::new("b2c").unwrap());
        let policy =
            kulanz_domain::policy::PolicyRef { name: policy, version: 1, hash: "0".into() };
        account.apply_event(&AccountEvent::HandoffDue {
            placement: placement.clone(),
            agency: AgencyId::new("nord").unwrap(),
            claims: vec![invoice.clone()],
            step: StepName::new("inkasso").unwrap(),
            release: kulanz_domain::policy::Release::OnePerson,
            policy,
            missing: Vec::new(),
        });
        account.apply_event(&AccountEvent::PlacementReleased {
            placement,
            by: "ute".to_owned(),
            at: "2026-06-02T10:00:00Z".parse().unwrap(),
            amounts: vec![(invoice.clone(), Decimal::new(8990, 2), Decimal::ZERO)],
            interest: Vec::new(),
        });
        let told = |account: &Account| {
            let work = all(&id(), account).work;
            work.into_iter().find(|row| row.list == "with_agency").unwrap().detail
        };
        assert_eq!(told(&account), "with nord");
        account.apply_event(&AccountEvent::InvoiceCredited {
            invoice,
            credit: CreditId::new("C-1").unwrap(),
            on: "2026-06-03".parse().unwrap(),
            amount: Money::parse("50.00", Currency::EUR).unwrap(),
        });
        assert_eq!(
            told(&account),
            "with nord; open by now: R-1 39.90, 0.00 of it fees (credited 50.00)"
        );
    }

    #[test]
    fn an_account_whose_deliveries_are_stopped_is_on_a_list_with_the_claims_that_cause_it() {
        let mut account = Account::default();
        let claims = vec![(InvoiceId::new("R-1").unwrap(), StepName::new("in-arrears").unwrap())];
        let on = "2026-10-12".parse().unwrap();
        account.apply_event(&AccountEvent::DeliveryStopped { claims, on });
        let work = all(&id(), &account).work;
        assert_eq!((work[0].list.as_str(), work[0].item.as_str()), ("delivery_stopped", "account"));
        assert_eq!(work[0].detail, "no deliveries on account: R-1 (in-arrears)");
        account.apply_event(&AccountEvent::DeliveryResumed { on });
        assert_eq!(all(&id(), &account).work, []);
    }
}

//! `timeline.csv`: what happened to which claim when, as a table.

use std::io;

use jiff::Timestamp;
use kulanz_domain::{
    Account, AccountEvent,
    book::Book,
    fact::{Part, PlacementReport},
    ids::{AccountId, InvoiceId, NoticeId, PlacementId},
    money::{Currency, Decimal, Money},
};
use serde::Serialize;

/// The first line.
const HEADER: &str = "at,account,claim,event,step,persona,channel,amount,reason\r\n";

/// Rows by `at`, account and claim, then in the order in which they happened.
///
/// `at` is a UTC instant, `event` the kind of an event of the account, `amount` a decimal in the
/// claim's currency. Rows about several claims are repeated for each; those about the whole
/// account have no `claim`. Master data, terms and policies that were met have none.
#[derive(Debug, Default)]
pub struct Timeline {
    text: Vec<String>,
    rows: Vec<Row>,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy)]
struct Row {
    at: Timestamp,
    /// Place of the account among all.
    rank: u32,
    /// Place within the account.
    order: u32,
    /// Text that holds it, and from where to where.
    text: u32,
    from: u32,
    to: u32,
}

/// Texts are at most about this long, so that places in them are small.
const TEXT: usize = 1 << 24;

impl Timeline {
    /// The rows of the account that stands at `rank` among all.
    pub(super) fn of(&mut self, rank: u32, id: &AccountId) -> Rows<'_> {
        if self.text.last().is_none_or(|text| text.len() > TEXT) {
            self.text.push(String::new());
        }
        let first = self.rows.len();
        Rows {
            timeline: self,
            rank,
            account: format!(",{id},"),
            first,
            claims: Vec::new(),
            at: None,
        }
    }

    /// Adds the rows of other accounts.
    pub(super) fn append(&mut self, other: Self) {
        let before = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.extend(other.text);
        self.rows.extend(other.rows.into_iter().map(|row| Row { text: row.text + before, ..row }));
    }

    pub(super) fn sorted(mut self) -> Self {
        self.rows.sort_unstable_by_key(|row| (row.at, row.rank, row.order));
        self
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes all as CSV (RFC 4180) with a header.
    ///
    /// # Errors
    /// What `to` says.
    pub fn write(&self, mut to: impl io::Write) -> io::Result<()> {
        to.write_all(HEADER.as_bytes())?;
        for row in &self.rows {
            let text = self.text.get(row.text as usize);
            let line = text.and_then(|text| text.get(row.from as usize..row.to as usize));
            to.write_all(line.unwrap_or_default().as_bytes())?;
        }
        to.flush()
    }
}

/// A field as RFC 4180 has it.
fn quoted(field: &str, text: &mut String) {
    if !field.contains([',', '"', '\r', '\n']) {
        text.push_str(field);
        return;
    }
    text.push('"');
    text.push_str(&field.replace('"', "\"\""));
    text.push('"');
}

/// The word that a value is stored as.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(serde_json::Value::Object(one)) => one.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// The rows of one account as they come about.
pub(super) struct Rows<'a> {
    timeline: &'a mut Timeline,
    rank: u32,
    /// `,creditor/debtor,`
    account: String,
    /// The account's first row.
    first: usize,
    /// The claim of each row.
    claims: Vec<Option<InvoiceId>>,
    /// The last moment, as text.
    at: Option<(Timestamp, String)>,
}

/// Columns of a notice or placement: step, persona, channel.
type Columns<'a> = (&'a str, &'a str, &'static str);

impl Rows<'_> {
    /// Adds what `event` says; `account` has applied it, and maybe some that came after.
    pub(super) fn event(&mut self, at: Timestamp, account: &Account, event: &AccountEvent) {
        use AccountEvent as E;
        let currency = |invoice: &InvoiceId| account.claims.get(invoice)?.currency();
        let money = |invoice: &InvoiceId, amount: Option<Decimal>| {
            Some(Money::new(amount?, currency(invoice)?))
        };
        let mut claim = None;
        let mut amount = None;
        let mut reason = String::new();
        match event {
            // What decided is told with its sending; what was met is no news of a claim.
            E::DebtorUpdated { .. }
            | E::PolicyMet { .. }
            | E::InterestTermsSet(_)
            | E::BaseRatesTaken { .. }
            | E::NoticeDecided(_) => return,
            E::NoticeSent { notice, .. } => return self.notice(at, account, event, notice, None),
            E::NoticeSuppressed { notice, reason } => {
                return self.notice(at, account, event, notice, Some(&word(reason)));
            }
            E::HandoffDue { placement, missing, .. }
            | E::HandoffFieldsChanged { placement, missing } => {
                let lacks = match missing.is_empty() {
                    true => String::new(),
                    false => format!("lacks {}", missing.join("; ")),
                };
                return self.placement(at, account, event, placement, &lacks);
            }
            E::HandoffWithdrawn { placement, reason }
            | E::PlacementRecalled { placement, reason } => {
                return self.placement(at, account, event, placement, &word(reason));
            }
            E::PlacementApproved { placement, by } | E::PlacementReleased { placement, by, .. } => {
                return self.placement(at, account, event, placement, by);
            }
            E::PlacementReported { placement, report, .. } => {
                let told = match report {
                    PlacementReport::Status { state } => state.clone(),
                    other => word(other),
                };
                return self.placement(at, account, event, placement, &told);
            }
            E::PaymentAllocated { parts, .. } | E::Reallocated { parts, .. } => {
                for part in parts {
                    let (invoice, used) = (&part.invoice, money(&part.invoice, Some(part.amount)));
                    let to = match part.part {
                        Part::Fees => "fees",
                        Part::Interest => "interest",
                        Part::Principal => "principal",
                    };
                    self.put(at, Some(invoice), event, used, to);
                }
                return;
            }
            E::DeliveryStopped { claims, .. } => {
                for (invoice, step) in claims {
                    self.write(at, Some(invoice), event, (step.as_str(), "", ""), None, "");
                }
                return;
            }
            E::ReminderReported { invoices, .. } => {
                for invoice in invoices {
                    self.put(at, Some(invoice), event, None, "");
                }
                return;
            }
            E::StepTaken { step, claims, persona, .. } => {
                let columns = (step.as_str(), persona.as_str(), "");
                claims.iter().for_each(|one| self.write(at, Some(one), event, columns, None, ""));
                return;
            }
            E::InvoiceIssued { invoice, .. } => {
                (claim, amount) = (Some(&invoice.invoice), Some(invoice.amount));
            }
            E::InvoiceAdjusted { invoice, amount: new, .. }
            | E::InvoiceCredited { invoice, amount: new, .. } => {
                (claim, amount) = (Some(invoice), Some(*new));
            }
            E::InvoiceRescheduled { invoice, due_on, .. } => {
                claim = Some(invoice);
                reason = format!("due on {due_on}");
            }
            E::LimitationNear { invoice, act_by } => {
                claim = Some(invoice);
                reason = act_by.map_or_else(String::new, |day| format!("act by {day}"));
            }
            E::DefaultDeclared { invoice, from, .. } | E::DefaultBegins { invoice, from, .. } => {
                claim = Some(invoice);
                reason = format!("from {from}");
            }
            E::GivenUp { invoice, amount: given, written_off, .. } => {
                (claim, amount) = (Some(invoice), money(invoice, *given));
                reason = (if *written_off { "written_off" } else { "waived" }).to_owned();
            }
            E::DisputeOpened { invoice, amount: disputed, .. } => {
                (claim, amount) = (Some(invoice), money(invoice, *disputed));
            }
            E::DisputeResolved { invoice, outcome, amount: remains, .. } => {
                (claim, amount) = (Some(invoice), money(invoice, *remains));
                reason = word(outcome);
            }
            E::ClaimSettled { invoice, on } => {
                claim = Some(invoice);
                reason = format!("on {on}");
            }
            E::FeeCharged { invoice, amount: fee, .. } => {
                (claim, amount) = (Some(invoice), money(invoice, Some(*fee)));
            }
            E::FeeReversed { invoice, reason: why, .. } => {
                claim = Some(invoice);
                reason = word(why);
            }
            E::InvoiceCompleted { invoice, .. }
            | E::InvoiceCancelled { invoice, .. }
            | E::Acknowledged { invoice, .. }
            | E::Suspended { invoice, .. }
            | E::Titled { invoice, .. }
            | E::ClaimReopened { invoice }
            | E::ClaimHeldBack { invoice }
            | E::ClaimAdmitted { invoice, .. }
            | E::ContractApproved { invoice, .. }
            | E::ReopeningUntold { invoice, .. } => claim = Some(invoice),
            E::PaymentReceived { amount: received, method, invoice, .. } => {
                (claim, amount) = (invoice.as_ref(), Some(*received));
                reason.clone_from(method);
            }
            E::PaymentReturned { payment, amount: returned, reason: why, .. } => {
                let entry = account.payments.get(payment);
                claim = entry.and_then(|entry| entry.designation());
                amount = entry.and_then(|entry| entry.received.as_ref()).map(|r| r.amount);
                if let (Some(all), Some(part)) = (&mut amount, returned) {
                    all.amount = *part;
                }
                reason.clone_from(why);
            }
            E::PaymentRefunded { payment, amount: back, .. } => {
                claim = account.payments.get(payment).and_then(|entry| entry.designation());
                amount = Some(*back);
            }
            E::PaymentFailed { invoice, reason: why, .. } => {
                claim = Some(invoice);
                reason.clone_from(why);
            }
            E::PaymentAssigned { to, invoice, .. } => {
                claim = invoice.as_ref();
                reason = to.as_ref().map_or_else(String::new, |to| format!("to {to}"));
            }
            E::HoldPlaced { invoice, owner, .. } => {
                claim = invoice.as_ref();
                reason.clone_from(owner);
            }
            E::NoticeReceipt { notice, receipt, .. } => {
                return self.notice(at, account, event, notice, Some(&word(receipt)));
            }
            E::NoticeWasWrong { invoice, told, right, .. } => {
                claim = Some(invoice);
                amount = money(invoice, Some(*told - *right));
                reason = format!("told {told}, owed {right}");
            }
            E::NoticeParked { notice, .. } | E::NoticeDiscarded { notice, .. } => {
                return self.notice(at, account, event, notice, None);
            }
            E::OverrideSet(set) => {
                claim = set.invoice.as_ref();
                reason.clone_from(&set.by);
            }
            E::OverrideLifted { by, .. } => reason.clone_from(by),
            E::PromiseMade { until, .. } => reason = format!("until {until}"),
            E::InsolvencyOpened { .. }
            | E::DebtorDeceased { .. }
            | E::HoldReleased { .. }
            | E::HelpUnanswered { .. }
            | E::PromiseKept { .. }
            | E::PromiseBroken { .. }
            | E::PromiseResumed { .. }
            | E::PlanAgreed { .. }
            | E::PlanCompleted { .. }
            | E::PlanBroken { .. }
            | E::PlanResumed { .. }
            | E::DeliveryResumed { .. }
            | E::AccountErased { .. } => {}
        }
        self.put(at, claim, event, amount, &reason);
    }

    fn put(
        &mut self,
        at: Timestamp,
        claim: Option<&InvoiceId>,
        event: &AccountEvent,
        amount: Option<Money>,
        reason: &str,
    ) {
        self.write(at, claim, event, ("", "", ""), amount, reason);
    }

    fn write(
        &mut self,
        at: Timestamp,
        claim: Option<&InvoiceId>,
        event: &AccountEvent,
        (step, persona, channel): Columns<'_>,
        amount: Option<Money>,
        reason: &str,
    ) {
        let place = self.timeline.text.len().saturating_sub(1);
        let Some(text) = self.timeline.text.last_mut() else { return };
        if self.at.as_ref().is_none_or(|(last, _)| *last != at) {
            self.at = Some((at, at.to_string()));
        }
        let from = text.len();
        text.push_str(self.at.as_ref().map_or("", |(_, shown)| shown));
        text.push_str(&self.account);
        text.push_str(claim.map_or("", InvoiceId::as_str));
        for column in [event.kind(), step, persona, channel] {
            text.push(',');
            text.push_str(column);
        }
        text.push(',');
        if let Some(amount) = amount {
            text.push_str(&amount.plain());
        }
        text.push(',');
        quoted(reason, text);
        text.push_str("\r\n");
        let small = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let (from, to) = (small(from), small(text.len()));
        let (rank, text) = (self.rank, small(place));
        self.timeline.rows.push(Row { at, rank, order: 0, text, from, to });
        self.claims.push(claim.cloned());
    }

    /// A row for each claim in a notice of ours; one without a claim for anybody else's.
    fn notice(
        &mut self,
        at: Timestamp,
        account: &Account,
        event: &AccountEvent,
        notice: &NoticeId,
        reason: Option<&str>,
    ) {
        let Some(entry) = account.notices.get(notice) else {
            return self.put(at, None, event, None, reason.unwrap_or_default());
        };
        let decided = &entry.decided;
        let reason = reason.or(decided.persona_because.as_deref()).unwrap_or_default();
        for part in &decided.claims {
            let columns = (part.step.as_str(), decided.persona.as_str(), decided.channel.name());
            let amount = Money::new(part.principal + part.fees + part.interest, decided.currency);
            self.write(at, Some(&part.invoice), event, columns, Some(amount), reason);
        }
    }

    /// A row for each claim of a placement, with what is owed on it.
    fn placement(
        &mut self,
        at: Timestamp,
        account: &Account,
        event: &AccountEvent,
        placement: &PlacementId,
        reason: &str,
    ) {
        let Some(entry) = account.placements.get(placement) else {
            return self.put(at, None, event, None, reason);
        };
        let books: Vec<(Currency, Book<'_>)> =
            account.currencies().into_iter().map(|c| (c, Book::of(account, c))).collect();
        for invoice in &entry.claims {
            let owed = books.iter().find_map(|(currency, book)| {
                let column = book.claim(invoice)?;
                let interest = entry.interest.iter().find(|(id, ..)| id == invoice);
                let interest = interest.map_or(Decimal::ZERO, |(_, amount, _)| *amount);
                let owed = column.outstanding + column.fees + interest;
                Some(Money::new(owed, *currency))
            });
            let columns = (entry.step.as_str(), "", "");
            self.write(at, Some(invoice), event, columns, owed, reason);
        }
    }

    /// Puts the account's rows in their order.
    pub(super) fn finish(self) {
        let Some(rows) = self.timeline.rows.get_mut(self.first..) else { return };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| (rows[*a].at, &self.claims[*a]).cmp(&(rows[*b].at, &self.claims[*b])));
        for (place, at) in (0..).zip(order) {
            rows[at].order = place;
        }
    }
}

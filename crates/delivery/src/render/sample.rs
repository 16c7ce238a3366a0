//! Samples with which texts are rendered before any debtor sees them.

use jiff::civil::{Date, date};
use kulanz_domain::{
    ids::{DebtorId, InvoiceId},
    money::{Currency, Decimal, Money, decimals},
    reference::PaymentReference,
    went_back::Reassigned,
};

use super::{
    context::{ClaimLine, Creditor, MessageContext, PlanLine},
    locale::large,
};

/// What is known of the occasion on which a text is sent.
#[derive(Debug, Clone)]
pub struct Occasion<'a> {
    /// The real creditor: what its file lacks, its texts cannot use.
    pub creditor: &'a Creditor,
    /// Currency of the policy.
    pub currency: Currency,
    /// The step names a deadline.
    pub deadline: bool,
    /// Numbers of rates of the plans that the step offers.
    pub plans: &'a [u32],
    /// Where debtors' pages are, such as `https://pay.example`.
    pub base_url: &'a str,
}

/// Day on which the invoices of samples were issued.
pub(super) const ISSUED_ON: Date = date(2026, 8, 28);
/// Day on which they are due.
pub(super) const DUE_ON: Date = date(2026, 9, 11);

/// A message that nobody got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// About one claim.
    Short,
    /// About two claims, with all kinds of costs.
    Several,
    /// The longest that is to be expected: long names, large amounts, long references.
    Longest,
}

impl Sample {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Short, Self::Several, Self::Longest];

    /// The word used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Several => "several",
            Self::Longest => "longest",
        }
    }

    pub(super) fn message(self, occasion: &Occasion<'_>) -> MessageContext {
        let money = |whole: i64| Money::new(Decimal::from(whole), occasion.currency);
        match self {
            Self::Short => base(occasion, money(49), vec![line("R-1", money(49), None)]),
            Self::Several => MessageContext {
                fees: money(40),
                lump_sum: money(40),
                interest: money(3),
                searched_on: Some(date(2026, 8, 12)),
                went_back_on: Some(date(2026, 8, 24)),
                reassigned: Some(reassigned(Some(money(20)))),
                help_asked_on: Some(date(2026, 8, 3)),
                ..base(
                    occasion,
                    money(181),
                    vec![
                        line("R-2026-104", money(49), Some("Gartenstuhl")),
                        line("R-2026-117", money(89), None),
                    ],
                )
            },
            Self::Longest => longest(occasion),
        }
    }
}

/// All samples, in their order.
pub fn samples(occasion: &Occasion<'_>) -> Vec<MessageContext> {
    Sample::ALL.iter().map(|sample| sample.message(occasion)).collect()
}

fn longest(occasion: &Occasion<'_>) -> MessageContext {
    let large = large(occasion.currency);
    let description = "Gartenmöbel-Set „Schwarzwald“, sechsteilig, Lieferung frei Haus";
    let claims = (1..=12)
        .map(|n| line(&format!("RECHNUNG-2026-{n:06}"), large, Some(description)))
        .collect();
    MessageContext {
        debtor_name: Some("Maximiliane-Charlotte von Oberhausen-Westfalen".to_owned()),
        searched_on: Some(date(2026, 8, 12)),
        went_back_on: Some(date(2026, 8, 24)),
        reassigned: Some(reassigned(Some(large))),
        help_asked_on: Some(date(2026, 8, 3)),
        principal: large,
        fees: large,
        fee: large,
        lump_sum: large,
        interest: large,
        reference: "KD-2026-000000-1234567".to_owned(),
        payment_reference: payment_reference("KD-2026-000000-1234567"),
        ..base(occasion, large, claims)
    }
}

fn base(occasion: &Occasion<'_>, total: Money, claims: Vec<ClaimLine>) -> MessageContext {
    let zero = Money::zero(occasion.currency);
    MessageContext {
        creditor: occasion.creditor.clone(),
        debtor_name: Some("Anna Beispiel".to_owned()),
        total,
        principal: total,
        fees: zero,
        fee: zero,
        lump_sum: zero,
        interest: zero,
        interest_to: date(2026, 9, 18),
        bears_interest: true,
        searched_on: None,
        went_back_on: None,
        reassigned: None,
        help_asked_on: None,
        deadline: occasion.deadline.then_some(date(2026, 9, 30)),
        claims,
        plans: occasion.plans.iter().map(|rates| plan(*rates, total)).collect(),
        link: format!("{}/p/AbCdEfGhIjKlMnOpQrStUv", occasion.base_url.trim_end_matches('/')),
        reference: "KD-10042".to_owned(),
        payment_reference: payment_reference("KD-10042"),
    }
}

/// What to write on a transfer for an invoice or a debtor of samples.
pub(super) fn payment_reference(id: &str) -> String {
    InvoiceId::new(id)
        .ok()
        .zip(DebtorId::new(id).ok())
        .map_or_else(String::new, |(invoice, debtor)| {
            PaymentReference::of(&debtor, Some(&invoice)).shown()
        })
}

/// With an amount: a payment of the debtor's own.
fn reassigned(amount: Option<Money>) -> Reassigned {
    Reassigned { on: date(2026, 8, 26), own: amount.map(|amount| (date(2026, 8, 21), amount)) }
}

fn line(invoice: &str, amount: Money, description: Option<&str>) -> ClaimLine {
    ClaimLine {
        invoice: invoice.to_owned(),
        amount,
        issued_on: ISSUED_ON,
        due_on: DUE_ON,
        description: description.map(str::to_owned),
    }
}

fn plan(rates: u32, total: Money) -> PlanLine {
    let scale = decimals(total.currency).unwrap_or(2);
    let rate = (total.amount / Decimal::from(rates.max(1))).trunc_with_scale(scale);
    let last = total.amount - rate * Decimal::from(rates.saturating_sub(1));
    let [rate, last] = [rate, last].map(|amount| Money::new(amount, total.currency));
    PlanLine { rates, rate, first: rate, last, last_on: date(2027, 9, 30) }
}

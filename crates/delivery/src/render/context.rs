//! What a message can say: typed values in, variables of one language out.

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use kulanz_domain::{
    money::{Decimal, Money},
    went_back::Reassigned,
};
use serde::Serialize;
use thiserror::Error;

use super::locale::{Style, clean, iban};

/// A creditor as the debtor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creditor {
    /// Name as debtors know it.
    pub name: String,
    /// Where to ask by e-mail; a text that uses it does not render without.
    pub support_email: Option<String>,
    /// Where to ask by phone; a text that uses it does not render without.
    pub support_phone: Option<String>,
    /// Where to pay by transfer; a text that uses it does not render without.
    pub iban: Option<String>,
    /// Who the creditor is by law, at the foot of each e-mail (§ 35a GmbHG).
    pub imprint: Option<String>,
    /// Colour of the e-mail's header.
    pub colour: Colour,
}

/// A colour `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// A text is not a colour of the form `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a colour such as #1f4e5f")]
pub struct ColourError(String);

impl Default for Colour {
    /// A quiet dark blue.
    fn default() -> Self {
        Self([0x1F, 0x3A, 0x5F])
    }
}

impl FromStr for Colour {
    type Err = ColourError;
    fn from_str(text: &str) -> Result<Self, ColourError> {
        let wrong = || ColourError(text.chars().take(20).collect());
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6).ok_or_else(wrong)?;
        let value = digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok())
            .flatten()
            .ok_or_else(wrong)?;
        let [_, red, green, blue] = value.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Colour {
    /// Black or white, whichever reads better on this colour: at least 4.5 to 1 (WCAG 2.2,
    /// 1.4.3), for one of the two always reaches it.
    pub fn text(self) -> &'static str {
        let linear = |part: u8| {
            let share = f64::from(part) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0;
        let luminance = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
        if luminance > 0.179 { "#000000" } else { "#ffffff" }
    }
}

/// One claim as listed in a message.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimLine {
    /// Number of the invoice.
    pub invoice: String,
    /// What is still owed of it.
    pub amount: Money,
    /// Day of issue.
    pub issued_on: Date,
    /// Day due.
    pub due_on: Date,
    /// What it is for, where known; the variable is empty otherwise.
    pub description: Option<String>,
}

/// An instalment plan on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanLine {
    /// Number of rates.
    pub rates: u32,
    /// Each rate after the first and before the last.
    pub rate: Money,
    /// The first rate.
    pub first: Money,
    /// The last rate, which makes up for what does not divide.
    pub last: Money,
    /// Day of the last rate.
    pub last_on: Date,
}

/// All that a message may say. Amounts are exact and of one currency.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageContext {
    /// Who is owed.
    pub creditor: Creditor,
    /// The debtor's name, where known; the variable is empty otherwise.
    pub debtor_name: Option<String>,
    /// All that is asked for, fees and interest included.
    pub total: Money,
    /// Principal still owed.
    pub principal: Money,
    /// Fees owed, those that come with this message included.
    pub fees: Money,
    /// The fee that comes with this message.
    pub fee: Money,
    /// The lump sum that comes with this message (§ 288 (5) BGB).
    pub lump_sum: Money,
    /// Interest owed up to `interest_to`.
    pub interest: Money,
    /// The day up to which interest was counted.
    pub interest_to: Date,
    /// From the day after the deadline on, interest is added, or would be in default.
    pub bears_interest: bool,
    /// The day on which the debtor said that it was paid, where a search has found nothing.
    pub searched_on: Option<Date>,
    /// The day on which a bank sent money back that had paid one of the claims, where no message
    /// has told since.
    pub went_back_on: Option<Date>,
    /// A payment that had paid one of the claims and counts elsewhere since, where no message has told.
    pub reassigned: Option<Reassigned>,
    /// The day on which the debtor asked for help, where the pause is over and nobody answered.
    pub help_asked_on: Option<Date>,
    /// Day by which to pay; a text that uses it unguarded does not render without.
    pub deadline: Option<Date>,
    /// The claims that the message is about.
    pub claims: Vec<ClaimLine>,
    /// Plans on offer.
    pub plans: Vec<PlanLine>,
    /// The debtor's own page.
    pub link: String,
    /// What names the matter: the invoice, or with several the debtor.
    pub reference: String,
    /// What to write on a transfer, as the debtor's page shows it.
    pub payment_reference: String,
}

impl fmt::Debug for ClaimLine {
    /// Without the description.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimLine")
            .field("invoice", &self.invoice)
            .field("amount", &self.amount)
            .field("due_on", &self.due_on)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MessageContext {
    /// Without name and link: both are the debtor's alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageContext")
            .field("total", &self.total)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

/// The variables of templates: every value formatted, cleaned and on one line.
#[derive(Serialize)]
pub(super) struct Variables {
    creditor: CreditorVariables,
    debtor: DebtorVariables,
    total: String,
    principal: String,
    fees: String,
    fee: String,
    lump_sum: String,
    interest: String,
    interest_to: String,
    has_fee: bool,
    has_fees: bool,
    has_lump_sum: bool,
    has_interest: bool,
    bears_interest: bool,
    searched: bool,
    searched_on: Option<String>,
    went_back: bool,
    went_back_on: Option<String>,
    reassigned: bool,
    reassigned_on: Option<String>,
    reassigned_paid_on: Option<String>,
    reassigned_amount: Option<String>,
    help_unanswered: bool,
    help_asked_on: Option<String>,
    has_deadline: bool,
    one: bool,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    pub(super) link: String,
    reference: String,
    payment_reference: String,
    payment_coded: bool,
    pub(super) claims: Vec<ClaimVariables>,
    plans: Vec<PlanVariables>,
}

#[derive(Serialize)]
struct CreditorVariables {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    support_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    support_phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iban: Option<String>,
}

#[derive(Serialize)]
struct DebtorVariables {
    name: String,
}

#[derive(Serialize)]
pub(super) struct ClaimVariables {
    pub(super) invoice: String,
    pub(super) amount: String,
    issued_on: String,
    pub(super) due_on: String,
    pub(super) description: String,
}

#[derive(Serialize)]
struct PlanVariables {
    rates: u32,
    rate: String,
    first: String,
    last: String,
    last_on: String,
}

impl MessageContext {
    /// The variables as the language of a text writes them.
    pub(super) fn variables(&self, style: Style) -> Variables {
        let cleaned = |text: &Option<String>| text.as_deref().map(clean);
        let own = self.reassigned.as_ref().and_then(|one| one.own);
        Variables {
            creditor: CreditorVariables {
                name: clean(&self.creditor.name),
                support_email: cleaned(&self.creditor.support_email),
                support_phone: cleaned(&self.creditor.support_phone),
                iban: self.creditor.iban.as_deref().map(iban),
            },
            debtor: DebtorVariables { name: cleaned(&self.debtor_name).unwrap_or_default() },
            total: style.money(self.total),
            principal: style.money(self.principal),
            fees: style.money(self.fees),
            fee: style.money(self.fee),
            lump_sum: style.money(self.lump_sum),
            interest: style.money(self.interest),
            interest_to: style.date(self.interest_to),
            has_fee: self.fee.amount > Decimal::ZERO,
            has_fees: self.fees.amount > Decimal::ZERO,
            has_lump_sum: self.lump_sum.amount > Decimal::ZERO,
            has_interest: self.interest.amount > Decimal::ZERO,
            bears_interest: self.bears_interest,
            searched: self.searched_on.is_some(),
            searched_on: self.searched_on.map(|day| style.date(day)),
            went_back: self.went_back_on.is_some(),
            went_back_on: self.went_back_on.map(|day| style.date(day)),
            reassigned: self.reassigned.is_some(),
            reassigned_on: self.reassigned.as_ref().map(|one| style.date(one.on)),
            reassigned_paid_on: own.map(|(day, _)| style.date(day)),
            reassigned_amount: own.map(|(_, amount)| style.money(amount)),
            help_unanswered: self.help_asked_on.is_some(),
            help_asked_on: self.help_asked_on.map(|day| style.date(day)),
            has_deadline: self.deadline.is_some(),
            one: self.claims.len() == 1,
            count: self.claims.len(),
            oldest_due: self.claims.iter().map(|c| c.due_on).min().map(|day| style.date(day)),
            deadline: self.deadline.map(|day| style.date(day)),
            link: clean(&self.link),
            reference: clean(&self.reference),
            payment_reference: clean(&self.payment_reference),
            payment_coded: !self.payment_reference.contains(&self.reference),
            claims: self.claims.iter().map(|claim| claim.variables(style)).collect(),
            plans: self.plans.iter().map(|plan| plan.variables(style)).collect(),
        }
    }
}

impl ClaimLine {
    fn variables(&self, style: Style) -> ClaimVariables {
        ClaimVariables {
            invoice: clean(&self.invoice),
            amount: style.money(self.amount),
            issued_on: style.date(self.issued_on),
            due_on: style.date(self.due_on),
            description: self.description.as_deref().map(clean).unwrap_or_default(),
        }
    }
}

impl PlanLine {
    fn variables(&self, style: Style) -> PlanVariables {
        PlanVariables {
            rates: self.rates,
            rate: style.money(self.rate),
            first: style.money(self.first),
            last: style.money(self.last),
            last_on: style.date(self.last_on),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_hex_digits_and_its_text_is_readable_on_it() {
        let colour = |text: &str| text.parse::<Colour>();
        assert_eq!(colour("#1F4e5f").unwrap().to_string(), "#1f4e5f");
        for wrong in ["", "1f4e5f", "#fff", "#+1234a", "#1f4e5f;x", "#ääà"] {
            assert!(colour(wrong).is_err(), "{wrong}");
        }
        assert_eq!(colour("#ffff00").unwrap().text(), "#000000");
        assert_eq!(colour("#1f4e5f").unwrap().text(), "#ffffff");
        assert_eq!(Colour::default().text(), "#ffffff");
    }
}

//! Facts: what shops, banks, gateways and agencies told us, free of personal data.
//!
//! A fact is the payload of a [`Command::Record`](crate::account::Command) and becomes one
//! [`AccountEvent`](crate::event::AccountEvent) with the same content. Names, addresses, free
//! texts and bank details travel beside it and are sealed in the vault; they never enter `domain`.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    ids::*,
    money::{Currency, Decimal, Money},
};

/// When a fact happened and the id it came with: of several facts about the same thing the
/// greatest stamp wins, in whatever order they arrive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stamp {
    /// The CloudEvents `time`.
    pub at: Timestamp,
    /// The CloudEvents `id` and `source`, joined as `source#id`.
    pub id: String,
}

/// Whether consumer protection applies (§ 13, § 14 BGB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DebtorKind {
    /// Verbraucher.
    Consumer,
    /// Unternehmer.
    Business,
}

/// A way to reach a debtor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text message to a mobile.
    Sms,
    /// Paper by post.
    Letter,
}

impl Channel {
    /// All channels, in the order in which they are listed to people.
    pub const ALL: [Self; 3] = [Self::Email, Self::Sms, Self::Letter];

    /// The name used in files and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Letter => "letter",
        }
    }
}

/// A way to pay that the page can offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PayWith {
    /// Credit transfer, with a GiroCode.
    Transfer,
    /// Card, on the provider's page.
    Card,
    /// PayPal, on the provider's page.
    Paypal,
    /// SEPA direct debit.
    SepaDebit,
}

/// Which word about the debtor told their day of birth. Who leaves it out says nothing of it, and
/// makes nobody older: what was said before holds until another day is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BirthTold {
    /// None.
    #[default]
    Never,
    /// This one.
    Here,
    /// Another one, with this stamp.
    With(Box<Stamp>),
}

impl BirthTold {
    const fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }
}

/// What decisions may know of a debtor. Which addresses exist is here; the addresses are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DebtorProfile {
    /// Consumer or business.
    pub kind: DebtorKind,
    /// BCP 47, lower-case primary subtag first: `de`, `de-AT`.
    pub language: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Federal state where the address tells it: `NW`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// IANA zone, the creditor's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Channels for which an address is on file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reachable: Vec<Channel>,
    /// Channels in the debtor's own order of preference; empty: no wish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefers: Vec<Channel>,
    /// Ways to pay in the debtor's own order of preference; empty: no wish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pays_with: Vec<PayWith>,
    /// Hours in which the debtor wants to be reached, `17:00-19:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// `Some(false)`: never by SMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_consent: Option<bool>,
    /// The shop knows that this person needs special care.
    #[serde(default, skip_serializing_if = "is_false")]
    pub vulnerable: bool,
    /// The address was found by research (§ 13a RDG wants it said).
    #[serde(default, skip_serializing_if = "is_false")]
    pub address_researched: bool,
    /// A lawyer or guardian acts: notices go there alone; the channels above are theirs.
    #[serde(default, skip_serializing_if = "is_false")]
    pub represented: bool,
    /// Contracts of before this day were made by a minor, or may have been (§ 106 BGB): the first of
    /// a month, on or after the 18th birthday. The day of birth is sealed; absent where it was not
    /// told, or is so long ago that no such claim is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor_until: Option<Date>,
    /// Which word `minor_until`, or that there is none, comes from.
    #[serde(default, skip_serializing_if = "BirthTold::is_never")]
    pub birth_told: BirthTold,
    /// Attributes that the creditor's file lists as harmless.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl DebtorProfile {
    /// The stamp of the word that told the day of birth, of a profile that came with `own`. An
    /// earlier release kept no such stamp: a minor was then told of with the profile itself.
    pub fn birth_word<'a>(&'a self, own: &'a Stamp) -> Option<&'a Stamp> {
        match &self.birth_told {
            BirthTold::With(word) => Some(word),
            BirthTold::Here => Some(own),
            BirthTold::Never => self.minor_until.is_some().then_some(own),
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What the claim is for (§ 288 (2) BGB asks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// Entgeltforderung: payment for goods or services.
    #[default]
    GoodsServices,
    /// Anything else: damages, fines, repayments.
    Other,
}

/// An invoice as issued; its claim carries the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invoice {
    /// Document and claim.
    pub invoice: InvoiceId,
    /// Day of issue.
    pub issued_on: Date,
    /// Day by which to pay.
    pub due_on: Date,
    /// Gross amount.
    pub amount: Money,
    /// Day of the contract (§ 13a RDG).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_on: Option<Date>,
    /// A contract object is on file in the vault.
    #[serde(default, skip_serializing_if = "is_false")]
    pub contract_object_known: bool,
    /// Agreed default interest, percent a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_rate: Option<Decimal>,
    /// Day of receipt, where known; else three days after issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_on: Option<Date>,
    /// Both sides agreed the due date (§ 286 (2) no. 1 BGB).
    #[serde(default, skip_serializing_if = "is_false")]
    pub due_date_agreed: bool,
    /// The invoice told the consumer about the 30 days (§ 286 (3) BGB).
    #[serde(default, skip_serializing_if = "is_false")]
    pub late_payment_notice: bool,
    /// What it is for.
    #[serde(default)]
    pub supply: Supply,
    /// Consumer credit: § 497 (3) BGB orders the allocation.
    #[serde(default, skip_serializing_if = "is_false")]
    pub consumer_credit: bool,
}

/// Part of a claim, in the order of § 367 (1) BGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Costs.
    Fees,
    /// Zinsen.
    Interest,
    /// Hauptleistung.
    Principal,
}

/// How a dispute ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DisputeOutcome {
    /// The debtor was right: nothing of the disputed amount is owed.
    Upheld,
    /// The debtor was wrong: all is owed.
    Rejected,
    /// `amount` remains owed of the disputed amount.
    Partly,
}

/// What an agency reports of a placement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlacementReport {
    /// Taken on.
    Accepted,
    /// Refused.
    Rejected,
    /// Money received by the agency, or directly by the creditor.
    PaymentReceived {
        /// Counts as a payment of the account under this id.
        payment: PaymentId,
        /// Gross.
        amount: Money,
        /// `true`: the creditor has it; `false`: the agency holds it.
        paid_to_creditor: bool,
        /// Share kept for costs, interest, principal, where told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<[Decimal; 3]>,
    },
    /// State of the work: `debtor_moved`, `instalments`, `court` …
    Status {
        /// The agency's word.
        state: String,
    },
    /// Over.
    Closed,
}

/// What happened to a message that a gateway had taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// Reached the device or mailbox, as far as the gateway knows.
    Delivered,
    /// The address does not exist: it is not used again.
    Bounced,
    /// Not delivered; the address may still be good.
    Failed,
    /// The debtor replied.
    Answered,
    /// The debtor replied STOP: the channel is not used again.
    Stopped,
}

/// A fact about one account. See `schemas/` for the form in which each arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the members are those of the published schemas, one file a type
pub enum Fact {
    DebtorUpdated {
        profile: DebtorProfile,
    },
    InsolvencyOpened {
        on: Date,
    },
    DebtorDeceased {
        on: Date,
    },
    HoldPlaced {
        hold: HoldId,
        invoice: Option<InvoiceId>,
        owner: String,
        until: Option<Date>,
    },
    HoldReleased {
        hold: HoldId,
    },
    InvoiceIssued {
        invoice: Invoice,
    },
    InvoiceAdjusted {
        invoice: InvoiceId,
        on: Date,
        amount: Money,
    },
    InvoiceCredited {
        invoice: InvoiceId,
        credit: CreditId,
        on: Date,
        amount: Money,
    },
    InvoiceCancelled {
        invoice: InvoiceId,
        on: Date,
    },
    InvoiceRescheduled {
        invoice: InvoiceId,
        due_on: Date,
    },
    DefaultDeclared {
        invoice: InvoiceId,
        from: Date,
        ground: String,
    },
    Acknowledged {
        invoice: InvoiceId,
        on: Date,
    },
    Suspended {
        invoice: InvoiceId,
        from: Date,
        to: Option<Date>,
        ground: String,
    },
    Titled {
        invoice: InvoiceId,
        on: Date,
    },
    /// `amount` in the claim's currency; `None`: all that is open of `part`, or of everything.
    Waived {
        invoice: InvoiceId,
        on: Date,
        amount: Option<Decimal>,
        part: Option<Part>,
    },
    WrittenOff {
        invoice: InvoiceId,
        on: Date,
        amount: Option<Decimal>,
        part: Option<Part>,
    },
    DisputeOpened {
        dispute: DisputeId,
        invoice: InvoiceId,
        on: Date,
        amount: Option<Decimal>,
    },
    DisputeResolved {
        dispute: DisputeId,
        invoice: InvoiceId,
        on: Date,
        outcome: DisputeOutcome,
        amount: Option<Decimal>,
    },
    PaymentReceived {
        payment: PaymentId,
        booked_on: Date,
        amount: Money,
        method: String,
        invoice: Option<InvoiceId>,
    },
    /// `fee`: what the bank charged for the return, in the payment's currency.
    PaymentReturned {
        payment: PaymentId,
        on: Date,
        amount: Option<Decimal>,
        reason: String,
        fee: Option<Decimal>,
    },
    PaymentRefunded {
        payment: PaymentId,
        on: Date,
        amount: Money,
    },
    PaymentFailed {
        attempt: String,
        invoice: InvoiceId,
        on: Date,
        method: String,
        reason: String,
    },
    /// On the receiving account: the payment as it was booked on `creditor/_unmatched`.
    /// On `creditor/_unmatched` itself: it leaves (`to` is the receiver).
    PaymentAssigned {
        payment: PaymentId,
        to: AccountId,
        invoice: Option<InvoiceId>,
    },
    /// The shop or another system reminded the debtor.
    ReminderReported {
        notice: NoticeId,
        channel: Channel,
        at: Timestamp,
        invoices: Vec<InvoiceId>,
        counts_as: Option<StepName>,
        starts_default: bool,
    },
    /// A receipt for a notice of ours or of another sender.
    NoticeReceipt {
        notice: NoticeId,
        channel: Channel,
        at: Timestamp,
        receipt: Receipt,
    },
    PlacementReported {
        placement: PlacementId,
        agency: AgencyId,
        invoice: Option<InvoiceId>,
        on: Date,
        report: PlacementReport,
    },
}

impl Fact {
    /// `Some` where the fact itself carries a currency.
    pub fn currency(&self) -> Option<Currency> {
        match self {
            Self::InvoiceIssued { invoice } => Some(invoice.amount.currency),
            Self::InvoiceAdjusted { amount, .. }
            | Self::InvoiceCredited { amount, .. }
            | Self::PaymentReceived { amount, .. }
            | Self::PaymentRefunded { amount, .. } => Some(amount.currency),
            Self::PlacementReported {
                report: PlacementReport::PaymentReceived { amount, .. },
                ..
            } => Some(amount.currency),
            _ => None,
        }
    }
}

//! What an agency gets to read: the contents of `claims.json`, `manifest.json` and a recall.
//!
//! These types are the published form; the JSON Schemas are made from them.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{ids::*, money::Currency};
use schemars::JsonSchema;
use serde::Serialize;

use super::words::*;

/// The form of this release, in each file of a placement.
pub const FORMAT: &str = "kulanz.placement.v1";

/// `claims.json`: everything that § 13a RDG wants an agency to be able to tell, and what it needs
/// to act rightly.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlacementData {
    /// Form of this file: `kulanz.placement.v1`.
    pub format: &'static str,
    /// Id of the placement; name of its folder.
    #[schemars(with = "Id")]
    pub placement: PlacementId,
    /// To whom it goes.
    #[schemars(with = "Id")]
    pub agency: AgencyId,
    /// The moment whose books these are.
    pub created_at: Timestamp,
    /// Who is owed.
    pub creditor: CreditorEntry,
    /// Who owes.
    pub debtor: DebtorEntry,
    /// Claims in the order of their ids.
    pub claims: Vec<ClaimEntry>,
    /// Times in which nobody was to write to the debtor; the reasons stay in the house.
    pub holds: Vec<HoldEntry>,
    /// Promises to pay.
    pub promises: Vec<PromiseEntry>,
    /// Instalment plans over these claims.
    pub plans: Vec<PlanEntry>,
    /// Sums over `claims`, one entry a currency, in the order of their codes.
    pub totals: Vec<Totals>,
}

impl fmt::Debug for PlacementData {
    /// Ids alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlacementData")
            .field("placement", &self.placement)
            .field("agency", &self.agency)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// The creditor (§ 13a (1) no. 1 RDG).
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct CreditorEntry {
    /// Id.
    #[schemars(with = "Id")]
    pub id: CreditorId,
    /// As in the commercial register.
    pub legal_name: String,
    /// Seat.
    pub address: PostalAddress,
    /// Where debtors pay the creditor directly, without spaces.
    pub iban: String,
    /// The creditor can deduct input tax: no VAT on collection costs then.
    pub input_tax_deduction: bool,
    /// Whom to ask: e-mail.
    pub support_email: String,
    /// Whom to ask: telephone.
    pub support_phone: String,
}

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PostalAddress {
    /// Street and number.
    pub street: String,
    /// Postcode.
    pub postcode: String,
    /// City.
    pub city: String,
    /// Federal state or region as told.
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2, where known.
    pub country: Option<String>,
}

/// The debtor. Attributes and care notes that the shop keeps are not handed over.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct DebtorEntry {
    /// As the creditor names them.
    #[schemars(with = "Id")]
    pub id: DebtorId,
    /// Consumer or business.
    pub kind: Kind,
    /// Full name or company.
    pub name: String,
    /// Address; absent only where a representative has one.
    pub address: Option<PostalAddress>,
    /// The address was found by research (§ 13a (1) no. 7 RDG).
    pub address_researched: bool,
    /// Country of residence, ISO 3166-1 alpha-2.
    pub country: String,
    /// Language to write in, BCP 47.
    pub language: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Mobile number, E.164.
    pub mobile: Option<String>,
    /// Day of birth, `2026-03-29`.
    pub birth_date: Option<String>,
    /// Lawyer or guardian: write to them alone.
    pub represented_by: Option<Representative>,
}

/// A lawyer or guardian.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct Representative {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Postal address.
    pub address: Option<PostalAddress>,
}

/// One claim. Its amounts add up: `principal` + `fees_charged` = `credited` + `remitted` +
/// `waived` + `written_off` + `paid_principal` + `paid_fees` + `open_principal` + `open_fees`.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct ClaimEntry {
    /// Number of the invoice, also the claim's id.
    #[schemars(with = "Id")]
    pub invoice: InvoiceId,
    /// Day of issue.
    pub issued_on: Date,
    /// Day by which to pay, as last rescheduled.
    pub due_on: Date,
    /// What kind of claim.
    pub supply: Ground,
    /// Day of the contract.
    pub contract_on: Date,
    /// Object of the contract.
    pub contract_object: String,
    /// The invoice's own words.
    pub description: Option<String>,
    /// Where the invoice can be read.
    pub document_url: Option<String>,
    /// Currency of all amounts of this claim, ISO 4217.
    #[schemars(with = "Code")]
    pub currency: Currency,
    /// Invoiced, with the latest adjustment.
    pub principal: Amount,
    /// Credit notes, as far as they meet principal.
    pub credited: Amount,
    /// Taken off by disputes beyond the credit notes.
    pub remitted: Amount,
    /// Waived.
    pub waived: Amount,
    /// Written off.
    pub written_off: Amount,
    /// Principal paid.
    pub paid_principal: Amount,
    /// Fees paid.
    pub paid_fees: Amount,
    /// Interest paid.
    pub paid_interest: Amount,
    /// Fees charged: the sum of `costs`.
    pub fees_charged: Amount,
    /// Interest charged up to `interest.until`: the sum of its segments, paid and waived interest
    /// included.
    pub interest_charged: Amount,
    /// Principal still owed.
    pub open_principal: Amount,
    /// Fees still owed.
    pub open_fees: Amount,
    /// Everything still owed, `interest` included.
    pub open_total: Amount,
    /// Interest (§ 13a (1) no. 3 RDG).
    pub interest: Interest,
    /// Costs of the creditor (§ 13a (1) no. 5 RDG).
    pub costs: Vec<Cost>,
    /// Default; null while it has not begun.
    pub default: Option<DefaultEntry>,
    /// What was sent, in time.
    pub notices: Vec<NoticeEntry>,
    /// A dispute is open.
    pub disputed: bool,
    /// All disputes.
    pub disputes: Vec<DisputeEntry>,
    /// Payments, as far as they were used for this claim.
    pub payments: Vec<PaymentEntry>,
    /// Payments for this claim that the bank took back.
    pub returned_payments: Vec<ReturnEntry>,
    /// The debtor was told that a credit bureau may learn of it (§ 31 (2) BDSG). Kulanz sends no
    /// such notice.
    pub credit_bureau_notice_given: bool,
}

/// Interest claimed up to the release of the placement.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct Interest {
    /// Amount still owed.
    pub amount: Amount,
    /// Percent a year on the last day, where something is claimed.
    pub rate_percent: Option<String>,
    /// First day, where something is claimed.
    pub from: Option<Date>,
    /// Last day, where something is claimed.
    pub until: Option<Date>,
    /// Percent a year that was agreed in the contract.
    pub agreed_rate_percent: Option<String>,
    /// Days, rates and principal that make up what was charged.
    pub segments: Vec<InterestSegment>,
    /// Why this amount, and why more than the statutory rate where it is more.
    pub reason: String,
}

/// Days with one rate on one principal.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct InterestSegment {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Days as counted.
    pub days: i32,
    /// Length of the year that they are a share of.
    pub year_days: i32,
    /// What bore it.
    pub principal: Amount,
    /// Base rate, where the rate moves with it.
    pub base_rate_percent: Option<String>,
    /// Percent a year.
    pub rate_percent: String,
    /// Amount; the segments' amounts add up to `interest_charged`.
    pub amount: Amount,
}

/// A fee.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct Cost {
    /// Kind.
    pub kind: CostKind,
    /// Amount charged.
    pub amount: Amount,
    /// Day.
    pub on: Date,
    /// The notice that cost it.
    #[schemars(with = "Option<Id>")]
    pub notice: Option<NoticeId>,
    /// The payment whose return cost it.
    #[schemars(with = "Option<Id>")]
    pub payment: Option<PaymentId>,
    /// Why it is owed.
    pub reason: String,
}

/// Verzug.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct DefaultEntry {
    /// First day.
    pub from: Date,
    /// Ground.
    pub ground: DefaultWord,
    /// The notice that brought it about.
    #[schemars(with = "Option<Id>")]
    pub notice: Option<NoticeId>,
    /// The creditor's own words.
    pub explanation: Option<String>,
}

/// A message to the debtor.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct NoticeEntry {
    /// Id.
    #[schemars(with = "Id")]
    pub notice: NoticeId,
    /// When a gateway took it, or when it was decided if nobody knows whether it left.
    pub at: Timestamp,
    /// The same as a day in the creditor's zone.
    pub on: Date,
    /// Step of the policy's ladder.
    #[schemars(with = "Id")]
    pub step: StepName,
    /// What the step does: `reminder`, `mahnung` …; absent for other senders' messages.
    pub kind: Option<String>,
    /// Channel; absent for other senders' messages.
    pub channel: Option<ChannelWord>,
    /// What the debtor was told to pay by.
    pub deadline: Option<Date>,
    /// Evidence of delivery.
    pub evidence: Evidence,
}

/// Einwand.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct DisputeEntry {
    /// Id.
    #[schemars(with = "Id")]
    pub dispute: DisputeId,
    /// Day; null where only its end was told.
    pub opened_on: Option<Date>,
    /// Disputed amount; null: all of it.
    pub amount: Option<Amount>,
    /// The debtor's words.
    pub reason: Option<String>,
    /// How it stands.
    pub outcome: DisputeWord,
    /// Day of its end.
    pub resolved_on: Option<Date>,
    /// What remains owed of the disputed amount, where it ended `partly`.
    pub remains: Option<Amount>,
}

/// A payment, as far as it was used for the claim (§§ 366, 367 BGB).
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct PaymentEntry {
    /// Id.
    #[schemars(with = "Id")]
    pub payment: PaymentId,
    /// Booking day.
    pub booked_on: Date,
    /// Transfer, card …
    pub method: String,
    /// Used for fees.
    pub fees: Amount,
    /// Used for interest.
    pub interest: Amount,
    /// Used for principal.
    pub principal: Amount,
}

/// A payment that went back.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReturnEntry {
    /// Id.
    #[schemars(with = "Id")]
    pub payment: PaymentId,
    /// Day.
    pub on: Date,
    /// What went back.
    pub amount: Amount,
    /// What the bank charged, where the debtor bears it; also among `costs`.
    pub bank_fee: Option<Amount>,
}

/// Mahnsperre.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct HoldEntry {
    /// Id.
    #[schemars(with = "Id")]
    pub hold: HoldId,
    /// Only this claim; null: the whole account.
    #[schemars(with = "Option<Id>")]
    pub invoice: Option<InvoiceId>,
    /// First day.
    pub placed_on: Date,
    /// Last day, where one was set.
    pub until: Option<Date>,
    /// Ended by a person or by the shop.
    pub released: bool,
}

/// An amount of a currency.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct Sum {
    /// ISO 4217.
    #[schemars(with = "Code")]
    pub currency: Currency,
    /// Amount.
    pub amount: Amount,
}

/// Zahlungszusage.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct PromiseEntry {
    /// Id.
    #[schemars(with = "Id")]
    pub promise: PromiseId,
    /// Day of the promise.
    pub made_on: Date,
    /// Last day to pay.
    pub until: Date,
    /// What was open then.
    pub open: Vec<Sum>,
    /// How it stands.
    pub standing: StandingWord,
}

/// Ratenplan.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlanEntry {
    /// Id.
    #[schemars(with = "Id")]
    pub plan: PlanId,
    /// Day of the agreement.
    pub agreed_on: Date,
    /// Claims in it, those of other placements included.
    #[schemars(with = "Vec<Id>")]
    pub claims: Vec<InvoiceId>,
    /// Currency.
    #[schemars(with = "Code")]
    pub currency: Currency,
    /// Rates in order.
    pub rates: Vec<RateEntry>,
    /// How it stands.
    pub standing: StandingWord,
}

/// A rate of a plan.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct RateEntry {
    /// Last day.
    pub due_on: Date,
    /// Amount.
    pub amount: Amount,
}

/// Control totals of one currency.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Totals {
    /// ISO 4217.
    #[schemars(with = "Code")]
    pub currency: Currency,
    /// Number of claims.
    pub claims: usize,
    /// Sum of `open_principal`.
    pub principal: Amount,
    /// Sum of `open_fees`.
    pub fees: Amount,
    /// Sum of the interest.
    pub interest: Amount,
    /// Sum of `open_total`.
    pub total: Amount,
    /// Sum of what payments were used for these claims.
    pub payments: Amount,
}

/// `manifest.json`: written last, so that a folder with a manifest is whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Manifest {
    /// Form of the files: `kulanz.placement.v1`.
    pub format: &'static str,
    /// Id of the placement; name of its folder.
    #[schemars(with = "Id")]
    pub placement: PlacementId,
    /// To whom it goes.
    #[schemars(with = "Id")]
    pub agency: AgencyId,
    /// Who is owed.
    #[schemars(with = "Id")]
    pub creditor: CreditorId,
    /// Who owes.
    #[schemars(with = "Id")]
    pub debtor: DebtorId,
    /// The moment whose books these are.
    pub created_at: Timestamp,
    /// The other files of the folder.
    pub files: Vec<FileEntry>,
    /// Invoices that can be read elsewhere; none is copied into `documents/` yet.
    pub documents: Vec<DocumentEntry>,
    /// Control totals, one entry a currency, in the order of their codes.
    pub totals: Vec<Totals>,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileEntry {
    /// Name inside the folder.
    pub name: &'static str,
    /// Length in bytes.
    pub bytes: usize,
    /// SHA-256, 64 hex digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// An invoice's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DocumentEntry {
    /// Which invoice.
    #[schemars(with = "Id")]
    pub invoice: InvoiceId,
    /// Where it can be read.
    pub url: String,
}

/// What is open of a placement by the creditor's books, and whom to leave alone, where that is no
/// more what went out: money came or went back, a credit note was written, something was waived,
/// corrected or charged, a hold began or ended, a lawyer or guardian took over.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct Update {
    /// Form of the file: `kulanz.placement.v1`.
    pub format: &'static str,
    /// Which placement.
    #[schemars(with = "Id")]
    pub placement: PlacementId,
    /// The agency that has it.
    #[schemars(with = "Id")]
    pub agency: AgencyId,
    /// Who is owed.
    #[schemars(with = "Id")]
    pub creditor: CreditorId,
    /// The later of two counts.
    pub at: Timestamp,
    /// All of its claims, also those of which nothing is open any more.
    pub claims: Vec<OpenClaim>,
    /// Times in which nobody is to write to the debtor, or about one claim; none that was released.
    pub holds: Vec<HoldEntry>,
    /// A lawyer or guardian acts for the debtor, who must not be written to: the creditor says who.
    pub represented: bool,
}

/// What is open of a claim, and what made it so: totals since it was issued, as in `claims.json`.
/// Interest runs on its principal as the placement says.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct OpenClaim {
    /// Claim.
    #[schemars(with = "Id")]
    pub invoice: InvoiceId,
    /// Currency of the amounts.
    #[schemars(with = "Code")]
    pub currency: Currency,
    /// Invoiced, with the latest adjustment.
    pub principal: Amount,
    /// Credit notes, as far as they meet principal.
    pub credited: Amount,
    /// Taken off by disputes beyond the credit notes.
    pub remitted: Amount,
    /// Waived.
    pub waived: Amount,
    /// Written off.
    pub written_off: Amount,
    /// Fees charged.
    pub fees_charged: Amount,
    /// Principal.
    pub open_principal: Amount,
    /// Fees.
    pub open_fees: Amount,
    /// Interest up to the end of `interest_until`.
    pub open_interest: Amount,
    /// Last day of `open_interest`; null: it bears none.
    pub interest_until: Option<Date>,
    /// Payments that count, as far as they were used for this claim, those that the agency told of
    /// included. One that is not here any more went back.
    pub payments: Vec<PaymentEntry>,
}

/// A placement has to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Recall {
    /// Form of the file: `kulanz.placement.v1`.
    pub format: &'static str,
    /// Which placement.
    #[schemars(with = "Id")]
    pub placement: PlacementId,
    /// The agency that has it.
    #[schemars(with = "Id")]
    pub agency: AgencyId,
    /// Who is owed.
    #[schemars(with = "Id")]
    pub creditor: CreditorId,
    /// Its claims.
    #[schemars(with = "Vec<Id>")]
    pub claims: Vec<InvoiceId>,
    /// When.
    pub recalled_at: Timestamp,
    /// Why.
    pub reason: RecallReason,
}

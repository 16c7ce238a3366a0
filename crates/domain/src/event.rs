//! Account events: what the log keeps for ever. Past tense, no personal data.
//!
//! Two sorts: *facts*, recorded as they were told, and *decisions* of ours. Each decision carries
//! what it was based on, so that it can be explained from the log alone.

mod content;
mod kind;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

pub use self::content::*;
use crate::{
    accrual::InterestTerms,
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    overrides::Override,
    policy::{ArmTaken, PolicyRef, Release},
};

/// Everything that can happen to an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum AccountEvent {
    // ---- facts about the debtor
    /// Master data as of its stamp.
    DebtorUpdated {
        /// Orders several.
        stamp: Stamp,
        /// Without personal data.
        profile: DebtorProfile,
    },
    /// Insolvency was opened (§ 87 InsO: no collection outside the proceedings).
    InsolvencyOpened {
        /// Day.
        on: Date,
    },
    /// The debtor died.
    DebtorDeceased {
        /// Day.
        on: Date,
    },
    /// A person or the shop stopped dunning.
    HoldPlaced {
        /// Id.
        hold: HoldId,
        /// `None`: the whole account.
        invoice: Option<InvoiceId>,
        /// Who looks after it.
        owner: String,
        /// Last day; `None`: until released.
        until: Option<Date>,
        /// Day of placing.
        on: Date,
        /// Moment of placing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// The hold is over; may come before its beginning, and ends none that was placed later.
    HoldReleased {
        /// Id.
        hold: HoldId,
        /// When it ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// The debtor had asked for help, the pause is over, and nobody has answered.
    HelpUnanswered {
        /// The pause.
        hold: HoldId,
        /// Day on which dunning goes on.
        on: Date,
    },

    // ---- facts about claims
    /// A claim came into being.
    InvoiceIssued {
        /// The document.
        invoice: Invoice,
        /// When Kulanz learnt of it.
        recorded_at: Timestamp,
    },
    /// The same invoice was told again, with what an agency has to know of its contract (§ 13a RDG).
    InvoiceCompleted {
        /// Claim.
        invoice: InvoiceId,
        /// Day of the contract.
        contract_on: Option<Date>,
        /// What the contract is about is known.
        contract_object_known: bool,
    },
    /// New principal.
    InvoiceAdjusted {
        /// Claim.
        invoice: InvoiceId,
        /// Orders several.
        stamp: Stamp,
        /// Day.
        on: Date,
        /// New principal.
        amount: Money,
    },
    /// Credit note.
    InvoiceCredited {
        /// Claim.
        invoice: InvoiceId,
        /// Credit note.
        credit: CreditId,
        /// Day.
        on: Date,
        /// Amount.
        amount: Money,
    },
    /// Nothing of it is owed any more.
    InvoiceCancelled {
        /// Claim.
        invoice: InvoiceId,
        /// Day.
        on: Date,
    },
    /// New due date.
    InvoiceRescheduled {
        /// Claim.
        invoice: InvoiceId,
        /// Orders several.
        stamp: Stamp,
        /// Day on which it was told, in the creditor's zone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<Date>,
        /// New due date.
        due_on: Date,
    },
    /// The creditor says that default began, and why (§ 286 (2) BGB).
    DefaultDeclared {
        /// Claim.
        invoice: InvoiceId,
        /// First day of default.
        from: Date,
        /// Ground.
        ground: String,
    },
    /// Acknowledged by the debtor (§ 212 BGB).
    Acknowledged {
        /// Claim.
        invoice: InvoiceId,
        /// Day.
        on: Date,
    },
    /// Limitation is suspended (§§ 203 to 211 BGB).
    Suspended {
        /// Claim.
        invoice: InvoiceId,
        /// First day.
        from: Date,
        /// Last day.
        to: Option<Date>,
        /// Ground.
        ground: String,
    },
    /// A court title exists.
    Titled {
        /// Claim.
        invoice: InvoiceId,
        /// Day.
        on: Date,
    },
    /// The creditor gives up a part for good (Erlass) or for the books (Ausbuchung).
    GivenUp {
        /// Claim.
        invoice: InvoiceId,
        /// Orders several.
        stamp: Stamp,
        /// Day.
        on: Date,
        /// `None`: all that is open of `part`; what goes back after `on` is owed again.
        amount: Option<Decimal>,
        /// `None`: of everything, principal last.
        part: Option<Part>,
        /// `true`: written off, `false`: waived.
        written_off: bool,
    },
    /// The debtor disagrees.
    DisputeOpened {
        /// Id.
        dispute: DisputeId,
        /// Claim.
        invoice: InvoiceId,
        /// Day.
        on: Date,
        /// `None`: all of it.
        amount: Option<Decimal>,
        /// Moment: orders several of one day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// The dispute ended; may come before its beginning.
    DisputeResolved {
        /// Id.
        dispute: DisputeId,
        /// Claim.
        invoice: InvoiceId,
        /// Day.
        on: Date,
        /// How.
        outcome: DisputeOutcome,
        /// What remains owed of the disputed amount, for `Partly`.
        amount: Option<Decimal>,
        /// Moment: orders several of one day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },

    // ---- facts about money
    /// Money came in; again under the same id where both an agency and the bank told of it: the last
    /// one counts.
    PaymentReceived {
        /// Id.
        payment: PaymentId,
        /// Booking day.
        booked_on: Date,
        /// Gross.
        amount: Money,
        /// Transfer, card …
        method: String,
        /// The debtor's designation (§ 366 (1) BGB).
        invoice: Option<InvoiceId>,
    },
    /// Money went back; may come before the payment.
    PaymentReturned {
        /// Id.
        payment: PaymentId,
        /// Day.
        on: Date,
        /// `None`: all.
        amount: Option<Decimal>,
        /// ISO 20022 code or `other`.
        reason: String,
        /// The bank's actual fee.
        fee: Option<Decimal>,
        /// When we learnt of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// We gave money back.
    PaymentRefunded {
        /// Id.
        payment: PaymentId,
        /// Day.
        on: Date,
        /// Amount.
        amount: Money,
    },
    /// An attempt to collect failed; nothing was booked.
    PaymentFailed {
        /// Attempt.
        attempt: String,
        /// Claim.
        invoice: InvoiceId,
        /// Day.
        on: Date,
        /// ISO 20022 code or `other`.
        reason: String,
    },
    /// The payment belongs to another account, or to another claim of this one.
    PaymentAssigned {
        /// Id.
        payment: PaymentId,
        /// Orders several.
        stamp: Stamp,
        /// Account that it belongs to; `None`: it stays on this one.
        to: Option<AccountId>,
        /// Claim there.
        invoice: Option<InvoiceId>,
        /// When we learnt of it; absent where it was recorded before that was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// How a payment was used, for the first time (§§ 366, 367 BGB).
    PaymentAllocated {
        /// Id.
        payment: PaymentId,
        /// To what; less than the payment where something waits as credit.
        parts: Vec<Allocation>,
        /// Nobody said what it was for: the amount did (§ 366 BGB, disputed).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        implied: bool,
    },
    /// A fact that came late changed how a payment is used.
    Reallocated {
        /// Id.
        payment: PaymentId,
        /// To what, from now on.
        parts: Vec<Allocation>,
        /// Nobody said what it was for: the amount did (§ 366 BGB, disputed).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        implied: bool,
    },

    // ---- what follows for a claim
    /// Nothing is open on the claim any more; again where a late fact moves the day.
    ClaimSettled {
        /// Claim.
        invoice: InvoiceId,
        /// Day on which it was in truth settled.
        on: Date,
    },
    /// Something is open again: a payment went back, an adjustment raised the principal.
    ClaimReopened {
        /// Claim.
        invoice: InvoiceId,
    },
    /// A notice brings default about (§ 286 (1) BGB).
    DefaultBegins {
        /// Claim.
        invoice: InvoiceId,
        /// By which notice.
        notice: NoticeId,
        /// First day of default.
        from: Date,
    },
    /// A fee is owed.
    FeeCharged {
        /// Claim.
        invoice: InvoiceId,
        /// What it is for.
        #[serde(default, skip_serializing_if = "FeeKind::is_reminder")]
        kind: FeeKind,
        /// The notice that cost it.
        notice: NoticeId,
        /// Day.
        on: Date,
        /// Amount in the claim's currency.
        amount: Decimal,
    },
    /// The fee is not owed after all.
    FeeReversed {
        /// Claim.
        invoice: InvoiceId,
        /// The notice that had cost it.
        notice: NoticeId,
        /// Why.
        reason: FeeReversal,
    },

    // ---- interest
    /// Under which terms interest accrues from now on, in one currency.
    InterestTermsSet(InterestTerms),
    /// Base rates that interest on this account is computed with: first day and percent of each
    /// half-year. What a table says later of the same half-years changes nothing here.
    BaseRatesTaken {
        /// From old to new, without a gap to those that were taken before.
        rates: Vec<(Date, Decimal)>,
    },

    // ---- limitation
    /// The claim is barred soon, or is barred (§§ 195, 214 BGB); absent: it is not near any more.
    LimitationNear {
        /// Claim.
        invoice: InvoiceId,
        /// Last day on which the creditor can act.
        act_by: Option<Date>,
    },

    // ---- policy
    /// A policy looked at the account for the first time, or in a new version.
    PolicyMet {
        /// Which.
        policy: PolicyRef,
        /// When.
        at: Timestamp,
        /// Arms of its experiments that the account is in from then on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        arms: Vec<ArmTaken>,
    },
    /// The claim was overdue for longer than the policy takes without asking when the two first
    /// met: it waits for a person.
    ClaimHeldBack {
        /// Claim.
        invoice: InvoiceId,
    },
    /// A person let an old claim enter the ladder.
    ClaimAdmitted {
        /// Claim.
        invoice: InvoiceId,
        /// Who.
        by: String,
    },

    /// Money that had paid the claim went back or counts elsewhere, and no step can tell the debtor: a
    /// person does, else it is never handed over. Without a payment: that is over.
    ReopeningUntold {
        /// Claim.
        invoice: InvoiceId,
        /// The money.
        payment: Option<PaymentId>,
        /// Day.
        on: Date,
    },

    /// A person saw that a contract binds the debtor, who was a minor when it was made: the parents
    /// agreed to it, or the debtor did once of age (§§ 107, 108 BGB).
    ContractApproved {
        /// Claim.
        invoice: InvoiceId,
        /// Who.
        by: String,
    },

    // ---- messages
    /// A message was decided; it goes out through the outbox.
    NoticeDecided(Box<NoticeDecided>),
    /// The gateway took it: the step happened.
    NoticeSent {
        /// Which.
        notice: NoticeId,
        /// When.
        at: Timestamp,
        /// What the debtor was told to pay by.
        deadline: Option<Date>,
    },
    /// It was not sent, because the account changed in between.
    NoticeSuppressed {
        /// Which.
        notice: NoticeId,
        /// Why.
        reason: Suppression,
    },
    /// It could not be delivered, or nobody knows whether it was: a person looks.
    NoticeParked {
        /// Which.
        notice: NoticeId,
        /// Bytes may have left.
        outcome_unknown: bool,
    },
    /// A person decided about a parked notice: it counts as not sent.
    NoticeDiscarded {
        /// Which.
        notice: NoticeId,
        /// Who.
        by: String,
    },
    /// What became of a message after a gateway took it, ours or another sender's.
    NoticeReceipt {
        /// Which.
        notice: NoticeId,
        /// Channel.
        channel: Channel,
        /// When.
        at: Timestamp,
        /// What.
        receipt: Receipt,
    },
    /// By what we know today, a message that was sent asked for too much: a payment or a correction
    /// of before came to us later. Told again where that changes; `right` equal to `told`: it was
    /// no mistake after all.
    NoticeWasWrong {
        /// Which.
        notice: NoticeId,
        /// Claim.
        invoice: InvoiceId,
        /// Principal that it asked for.
        told: Decimal,
        /// Principal that was owed on that day.
        right: Decimal,
    },
    /// The shop or another system reminded the debtor.
    ReminderReported {
        /// The sender's id.
        notice: NoticeId,
        /// Channel.
        channel: Channel,
        /// When.
        at: Timestamp,
        /// Claims.
        invoices: Vec<InvoiceId>,
        /// Stands for this step of the policy.
        counts_as: Option<StepName>,
        /// It asked clearly enough to start default (§ 286 (1) BGB).
        starts_default: bool,
        /// Word that it came back was here before: no step happened, and no default began.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        came_back: bool,
    },

    // ---- steps that send nothing
    /// A step of the ladder happened, and nothing was sent.
    StepTaken {
        /// Which.
        step: StepName,
        /// To which claims.
        claims: Vec<InvoiceId>,
        /// Persona at that time.
        persona: PersonaName,
        /// By which policy.
        policy: PolicyRef,
        /// When.
        at: Timestamp,
    },

    /// The shop should not deliver on account any more (Liefersperre), because of these claims; told
    /// anew where they change.
    DeliveryStopped {
        /// Each with the step that stops deliveries.
        claims: Vec<(InvoiceId, StepName)>,
        /// Day.
        on: Date,
    },
    /// No claim speaks against deliveries on account any more.
    DeliveryResumed {
        /// Day.
        on: Date,
    },

    // ---- what persons decide differently
    /// A person decides differently for the account or a claim.
    OverrideSet(Override),
    /// From that day on it does not hold any more.
    OverrideLifted {
        /// Which.
        #[serde(rename = "override")]
        id: OverrideId,
        /// Who.
        by: String,
        /// Day.
        on: Date,
    },

    // ---- arrangements
    /// Zahlungszusage.
    PromiseMade {
        /// Id.
        promise: PromiseId,
        /// Last day.
        until: Date,
        /// What was open then, by currency.
        open: Vec<Money>,
        /// Day of the promise.
        on: Date,
    },
    /// It was paid by then; after [`PromiseBroken`](Self::PromiseBroken) where word of it came late.
    PromiseKept {
        /// Id.
        promise: PromiseId,
        /// Day by which that was so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<Date>,
    },
    /// It was not; after [`PromiseKept`](Self::PromiseKept) where the money went back in time.
    PromiseBroken {
        /// Id.
        promise: PromiseId,
        /// First day on which no payment for it could be on its way any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<Date>,
    },
    /// It had been kept, and runs on: the money went back before it was over. Another end may
    /// follow at once.
    PromiseResumed {
        /// Id.
        promise: PromiseId,
        /// Day by which it had been kept.
        on: Date,
    },
    /// Ratenplan.
    PlanAgreed {
        /// Id.
        plan: PlanId,
        /// Claims in it.
        claims: Vec<InvoiceId>,
        /// Currency of all of them.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        currency: Currency,
        /// Day and amount of each rate; they add up to what was open.
        rates: Vec<Rate>,
        /// Day of the agreement.
        on: Date,
    },
    /// All of it is paid.
    PlanCompleted {
        /// Id.
        plan: PlanId,
        /// Day by which that was so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<Date>,
    },
    /// A rate stayed away for longer than the grace, or another plan took its place after that.
    PlanBroken {
        /// Id.
        plan: PlanId,
        /// First day on which no payment for that rate could be on its way any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<Date>,
    },

    /// It had ended, and runs on: by word that came late, rates were paid in time, or what had
    /// completed it went back before a rate was due. Another end may follow at once.
    PlanResumed {
        /// Id.
        plan: PlanId,
        /// Day on which it had ended.
        on: Date,
        /// From here on it had wrongly counted as broken: steps of its claims do not count.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// Up to here, where it was broken then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },

    // ---- handoff
    /// Claims are due to go to an agency; persons release it.
    HandoffDue {
        /// Id of the placement to be.
        placement: PlacementId,
        /// To whom.
        agency: AgencyId,
        /// Claims.
        claims: Vec<InvoiceId>,
        /// Step.
        step: StepName,
        /// Who must agree.
        release: Release,
        /// By which policy.
        policy: PolicyRef,
        /// Fields of § 13a RDG that are not there yet.
        missing: Vec<String>,
    },
    /// The missing fields changed.
    HandoffFieldsChanged {
        /// Placement.
        placement: PlacementId,
        /// Still missing.
        missing: Vec<String>,
    },
    /// A first person agreed where two must.
    PlacementApproved {
        /// Placement.
        placement: PlacementId,
        /// Who.
        by: String,
    },
    /// It goes out, with what was owed at that moment.
    PlacementReleased {
        /// Placement.
        placement: PlacementId,
        /// Who agreed last; `policy` where the release is automatic.
        by: String,
        /// When.
        at: Timestamp,
        /// Each claim's principal and fees.
        amounts: Vec<(InvoiceId, Decimal, Decimal)>,
        /// Interest of each claim that bears any, and the day up to which it was counted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        interest: Vec<(InvoiceId, Decimal, Date)>,
    },
    /// It will not go out: what made it due is gone.
    HandoffWithdrawn {
        /// Placement.
        placement: PlacementId,
        /// Why.
        reason: Suppression,
    },
    /// The agency has to stop: all of it is paid to us, a claim of it is disputed, the debtor is
    /// insolvent, died, or was erased. The claims are ours again: where a dispute was rejected, or
    /// one of several claims stays undisputed, the ladder makes them due once more.
    PlacementRecalled {
        /// Placement.
        placement: PlacementId,
        /// Why.
        reason: Suppression,
    },
    /// What the agency says. With `Rejected` and `Closed` the claims are ours again, whatever is
    /// still open of them: the debtor can agree on instalments, a person can write off or sue, and
    /// a step that names another agency can follow. The same agency does not get them a second
    /// time by itself. After a recall both words only confirm that it stopped.
    PlacementReported {
        /// Placement.
        placement: PlacementId,
        /// Day.
        on: Date,
        /// What.
        report: PlacementReport,
    },

    // ---- end
    /// The key was destroyed: nobody can be told from the log any more, nobody is contacted.
    AccountErased {
        /// When.
        at: Timestamp,
    },
}

//! The names of the events, as the log's column has them.

use super::AccountEvent;

macro_rules! kinds {
    ($($name:ident)*) => {
        impl AccountEvent {
            /// All kinds.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The kind, as the log's column has it.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)*
                }
            }
        }
    };
}

kinds! {
    DebtorUpdated
    InsolvencyOpened
    DebtorDeceased
    HoldPlaced
    HoldReleased
    HelpUnanswered
    InvoiceIssued
    InvoiceCompleted
    InvoiceAdjusted
    InvoiceCredited
    InvoiceCancelled
    InvoiceRescheduled
    DefaultDeclared
    Acknowledged
    Suspended
    Titled
    GivenUp
    DisputeOpened
    DisputeResolved
    PaymentReceived
    PaymentReturned
    PaymentRefunded
    PaymentFailed
    PaymentAssigned
    PaymentAllocated
    Reallocated
    ClaimSettled
    ClaimReopened
    DefaultBegins
    FeeCharged
    FeeReversed
    InterestTermsSet
    BaseRatesTaken
    LimitationNear
    PolicyMet
    ClaimHeldBack
    ClaimAdmitted
    ContractApproved
    ReopeningUntold
    NoticeDecided
    NoticeSent
    NoticeSuppressed
    NoticeParked
    NoticeDiscarded
    NoticeReceipt
    NoticeWasWrong
    ReminderReported
    StepTaken
    DeliveryStopped
    DeliveryResumed
    OverrideSet
    OverrideLifted
    PromiseMade
    PromiseKept
    PromiseBroken
    PromiseResumed
    PlanAgreed
    PlanCompleted
    PlanBroken
    PlanResumed
    HandoffDue
    HandoffFieldsChanged
    PlacementApproved
    PlacementReleased
    HandoffWithdrawn
    PlacementRecalled
    PlacementReported
    AccountErased
}

impl cqrs_es::DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        self.kind().to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

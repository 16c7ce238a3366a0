//! The names of the events, as the log's column has them.

use super::AccountEvent;

impl AccountEvent {
    /// The kind, as the log's column has it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::DebtorUpdated { .. } => "DebtorUpdated",
            Self::InsolvencyOpened { .. } => "InsolvencyOpened",
            Self::DebtorDeceased { .. } => "DebtorDeceased",
            Self::HoldPlaced { .. } => "HoldPlaced",
            Self::HoldReleased { .. } => "HoldReleased",
            Self::InvoiceIssued { .. } => "InvoiceIssued",
            Self::InvoiceAdjusted { .. } => "InvoiceAdjusted",
            Self::InvoiceCredited { .. } => "InvoiceCredited",
            Self::InvoiceCancelled { .. } => "InvoiceCancelled",
            Self::InvoiceRescheduled { .. } => "InvoiceRescheduled",
            Self::DefaultDeclared { .. } => "DefaultDeclared",
            Self::Acknowledged { .. } => "Acknowledged",
            Self::Suspended { .. } => "Suspended",
            Self::Titled { .. } => "Titled",
            Self::GivenUp { .. } => "GivenUp",
            Self::DisputeOpened { .. } => "DisputeOpened",
            Self::DisputeResolved { .. } => "DisputeResolved",
            Self::PaymentReceived { .. } => "PaymentReceived",
            Self::PaymentReturned { .. } => "PaymentReturned",
            Self::PaymentRefunded { .. } => "PaymentRefunded",
            Self::PaymentFailed { .. } => "PaymentFailed",
            Self::PaymentAssigned { .. } => "PaymentAssigned",
            Self::PaymentAllocated { .. } => "PaymentAllocated",
            Self::Reallocated { .. } => "Reallocated",
            Self::ClaimSettled { .. } => "ClaimSettled",
            Self::ClaimReopened { .. } => "ClaimReopened",
            Self::DefaultBegins { .. } => "DefaultBegins",
            Self::FeeCharged { .. } => "FeeCharged",
            Self::FeeReversed { .. } => "FeeReversed",
            Self::InterestTermsSet(_) => "InterestTermsSet",
            Self::BaseRatesTaken { .. } => "BaseRatesTaken",
            Self::LimitationNear { .. } => "LimitationNear",
            Self::PolicyMet { .. } => "PolicyMet",
            Self::ClaimHeldBack { .. } => "ClaimHeldBack",
            Self::ClaimAdmitted { .. } => "ClaimAdmitted",
            Self::NoticeDecided(_) => "NoticeDecided",
            Self::NoticeSent { .. } => "NoticeSent",
            Self::NoticeSuppressed { .. } => "NoticeSuppressed",
            Self::NoticeParked { .. } => "NoticeParked",
            Self::NoticeDiscarded { .. } => "NoticeDiscarded",
            Self::NoticeReceipt { .. } => "NoticeReceipt",
            Self::NoticeWasWrong { .. } => "NoticeWasWrong",
            Self::ReminderReported { .. } => "ReminderReported",
            Self::StepTaken { .. } => "StepTaken",
            Self::DeliveryStopped { .. } => "DeliveryStopped",
            Self::DeliveryResumed { .. } => "DeliveryResumed",
            Self::OverrideSet(_) => "OverrideSet",
            Self::OverrideLifted { .. } => "OverrideLifted",
            Self::PromiseMade { .. } => "PromiseMade",
            Self::PromiseKept { .. } => "PromiseKept",
            Self::PromiseBroken { .. } => "PromiseBroken",
            Self::PlanAgreed { .. } => "PlanAgreed",
            Self::PlanCompleted { .. } => "PlanCompleted",
            Self::PlanBroken { .. } => "PlanBroken",
            Self::HandoffDue { .. } => "HandoffDue",
            Self::HandoffFieldsChanged { .. } => "HandoffFieldsChanged",
            Self::PlacementApproved { .. } => "PlacementApproved",
            Self::PlacementReleased { .. } => "PlacementReleased",
            Self::HandoffWithdrawn { .. } => "HandoffWithdrawn",
            Self::PlacementRecalled { .. } => "PlacementRecalled",
            Self::PlacementReported { .. } => "PlacementReported",
            Self::AccountErased { .. } => "AccountErased",
        }
    }
}

impl cqrs_es::DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        self.kind().to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

//! The inbound event types and the topic that each arrives on.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! kinds {
    ($( $topic:literal: $( $name:ident = $word:literal, )* ; )*) => {
        /// An inbound event type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // each is described by its schema
        pub enum EventType { $($( $name, )*)* }

        impl EventType {
            /// All types, by topic, in the order of the published table.
            pub const ALL: &[Self] = &[$($( Self::$name, )*)*];

            /// The type as CloudEvents has it: `kulanz.invoice.issued.v1`.
            pub const fn name(self) -> &'static str {
                match self { $($( Self::$name => concat!("kulanz.", $word, ".v1"), )*)* }
            }

            /// The type without prefix and version: `invoice.issued`.
            pub const fn word(self) -> &'static str {
                match self { $($( Self::$name => $word, )*)* }
            }

            /// The topic that it is published on: `kulanz.invoices`.
            pub const fn topic(self) -> &'static str {
                match self { $($( Self::$name => $topic, )*)* }
            }

            /// The type of that full name.
            pub fn named(name: &str) -> Option<Self> {
                match name.strip_prefix("kulanz.")?.strip_suffix(".v1")? {
                    $($( $word => Some(Self::$name), )*)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    "kulanz.debtors":
        DebtorUpdated = "debtor.updated",
        DebtorInsolvencyOpened = "debtor.insolvency_opened",
        DebtorDeceased = "debtor.deceased",
        HoldPlaced = "hold.placed",
        HoldReleased = "hold.released",
    ;
    "kulanz.invoices":
        InvoiceIssued = "invoice.issued",
        InvoiceAdjusted = "invoice.adjusted",
        InvoiceCredited = "invoice.credited",
        InvoiceCancelled = "invoice.cancelled",
        InvoiceRescheduled = "invoice.rescheduled",
        InvoiceDefaultDeclared = "invoice.default_declared",
        InvoiceAcknowledged = "invoice.acknowledged",
        InvoiceSuspended = "invoice.suspended",
        InvoiceTitled = "invoice.titled",
        InvoiceWaived = "invoice.waived",
        InvoiceWrittenOff = "invoice.written_off",
        DisputeOpened = "dispute.opened",
        DisputeResolved = "dispute.resolved",
    ;
    "kulanz.payments":
        PaymentReceived = "payment.received",
        PaymentReturned = "payment.returned",
        PaymentRefunded = "payment.refunded",
        PaymentFailed = "payment.failed",
        PaymentAssigned = "payment.assigned",
    ;
    "kulanz.reminders":
        ReminderSent = "reminder.sent",
        ReminderDelivered = "reminder.delivered",
        ReminderBounced = "reminder.bounced",
        ReminderFailed = "reminder.failed",
        ReminderAnswered = "reminder.answered",
    ;
    "kulanz.placements":
        PlacementAccepted = "placement.accepted",
        PlacementRejected = "placement.rejected",
        PlacementPaymentReceived = "placement.payment_received",
        PlacementStatus = "placement.status",
        PlacementClosed = "placement.closed",
    ;
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_name_and_no_other_version_is() {
        for kind in EventType::ALL {
            assert_eq!(EventType::named(kind.name()), Some(*kind));
        }
        assert_eq!(EventType::ALL.len(), 33);
        for wrong in ["kulanz.invoice.issued.v2", "invoice.issued", "kulanz.", ""] {
            assert_eq!(EventType::named(wrong), None, "{wrong:?}");
        }
    }
}

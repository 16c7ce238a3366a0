//! The law that no policy can loosen: default, interest, fees, allocation, limitation.
//!
//! State of 2026-11-21, see `docs/law.md` for sources and `GLOSSARY.md` for the German terms. Not
//! legal advice. Each rule is a function with its paragraph; **[V]** behind it: read in a source,
//! **[M]**: from memory, waits for a lawyer's eye.

use jiff::{SignedDuration, civil::Date};

pub mod allocation;
mod collection_cost;
mod contact;
mod default;
mod fee_table;
mod fees;
pub mod grounds;
pub mod interest;
mod limitation;
mod minors;
pub mod rates;
mod returns;

pub use self::{
    collection_cost::{
        CollectionCase, CollectionCost, CollectionCostError, EXPENSES_CAP, EXPENSES_SHARE,
        EXTENSIVE_FACTOR, HIGHEST_FACTOR, HandoffCost, MINIMUM_FEE, SETTLEMENT_FACTOR,
        SETTLEMENT_SHARE, SIMPLE_FACTOR, SettlementFee, UNDISPUTED_FACTOR, VAT_SHARE,
        collection_cost, handoff_cost,
    },
    contact::contact_limits,
    default::*,
    fee_table::{FeeStep, FeeTable, FeeTableError, Tariff},
    fees::*,
    limitation::{
        Limitation, LimitationCase, LimitationError, LimitationStep, Period, Suspension,
        SuspensionGround, limitation,
    },
    minors::minor_until,
    returns::debtor_bears_return,
};

fn later(day: Date, days: i32) -> Date {
    let span = SignedDuration::from_hours(24 * i64::from(days));
    day.checked_add(span).unwrap_or(Date::MAX)
}

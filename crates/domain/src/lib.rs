//! The rules of Kulanz: accounts, money, calendar, law, personas and the next step.
//!
//! Pure: no IO, no clock, no random numbers. Time, ids and the policy in force arrive with each
//! command, so that any decision can be computed again from the log alone.

pub mod calendar;
pub mod contact;
pub mod fact;
pub mod ids;
pub mod money;
pub mod reference;

//! The rules of Kulanz: accounts, money, calendar, law, personas and the next step.
//!
//! Pure: no IO, no clock, no random numbers. Time, ids and the policy in force arrive with each
//! command, so that any decision can be computed again from the log alone.

pub mod account;
pub mod accrual;
mod aggregate;
pub mod arrangement;
pub mod book;
pub mod brake;
pub mod calendar;
pub mod claim;
pub mod command;
pub mod contact;
pub mod course;
pub mod decision;
pub mod event;
pub mod fact;
pub mod ids;
mod ladder;
pub mod law;
pub mod money;
pub mod overrides;
pub mod placed;
pub mod pleas;
pub mod policy;
pub mod reference;
#[cfg(feature = "schema")]
mod schema;
pub mod searches;
pub mod statement;
pub mod watch;
pub mod went_back;

pub use account::Account;
pub use aggregate::Subject;
pub use command::{Command, Executed, Refusal};
pub use event::AccountEvent;

//! An outbox row becomes an e-mail or SMS: templates, senders, retries.
//!
//! This crate decides nothing about whom to contact, when or why: it is given a text's name and
//! the values, and says how the attempt ended. A failure is told in words without personal data,
//! so that it can be logged and kept in the clear.

pub mod backoff;
pub mod dispatcher;
mod measures;
pub mod placement;
pub mod render;
mod renewal;
pub mod senders;
mod workshop;

pub use renewal::RenewalError;

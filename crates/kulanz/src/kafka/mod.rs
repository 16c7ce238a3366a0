//! Apache Kafka: events in by a consumer group, account events out. Nothing here decides
//! anything: inbound records go the way of every fact ([`intake`](crate::intake)), outbound ones
//! are read from the log.
//!
//! - Inbound offsets are committed after the facts are durable, so that a record may come again
//!   and never gets lost; the inbox makes its second coming harmless.
//! - Outbound records are written at least once and in the log's order; how far that is lies with
//!   the data.
//!
//! A build without the feature `kafka` has the settings, and refuses.

pub mod settings;

#[cfg(feature = "kafka")]
mod administration;
#[cfg(feature = "kafka")]
mod connection;
#[cfg(feature = "kafka")]
mod consumer;
#[cfg(feature = "kafka")]
mod lag;
#[cfg(feature = "kafka")]
mod outbound;
#[cfg(feature = "kafka")]
mod producer;
#[cfg(feature = "kafka")]
mod records;
#[cfg(feature = "kafka")]
mod running;
#[cfg(feature = "kafka")]
mod topics;

#[cfg(feature = "kafka")]
pub use administration::{check, create};
#[cfg(feature = "kafka")]
pub use lag::state;
#[cfg(feature = "kafka")]
pub use running::Running;

#[cfg(not(feature = "kafka"))]
mod absent;
#[cfg(not(feature = "kafka"))]
pub use absent::{Running, check, create, state};

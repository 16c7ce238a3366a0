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
mod bulk;
#[cfg(feature = "kafka")]
mod connection;
#[cfg(feature = "kafka")]
mod consumer;
#[cfg(feature = "kafka")]
mod lag;
#[cfg(feature = "kafka")]
mod notices;
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
use administration::{check, create};
#[cfg(feature = "kafka")]
pub use lag::state;
#[cfg(feature = "kafka")]
pub use running::{Running, notices};

// Its tests run in every build.
#[cfg(any(test, not(feature = "kafka")))]
#[cfg_attr(feature = "kafka", allow(dead_code, reason = "the other build's"))]
mod absent;
#[cfg(not(feature = "kafka"))]
pub use absent::{Running, notices, state};
#[cfg(not(feature = "kafka"))]
use absent::{check, create};

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::house::Places;

/// What is done with the topics.
#[derive(Debug, Subcommand)]
pub enum Topics {
    /// Make those that are missing; exit 1 where one that is there is wrong
    Create {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look whether all are there and as they should be; exit 1 where not
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Makes topics or looks at them.
pub async fn topics_command(places: &Places, command: &Topics) -> Result<ExitCode> {
    match command {
        Topics::Create { json } => create(places, *json).await,
        Topics::Check { json } => check(places, *json).await,
    }
}

//! In place of Kafka, in a build without it.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Result, bail};
use kulanz_delivery::senders::Sender;
use kulanz_store::Store;

use super::settings::KafkaSettings;
use crate::house::{House, Places};

const SENTENCE: &str = "this `kulanz` was built without Kafka, and kulanz.yaml has `kafka:`. Take \
                        that out and use HTTP, or build with it: cargo build -p kulanz --features \
                        kafka (needs a C compiler, make and OpenSSL's headers)";

/// Never at work.
pub struct Running;

impl Running {
    /// Refuses where the settings name a cluster.
    pub async fn start(house: &Arc<House>) -> Result<Option<Self>> {
        match house.settings.kafka {
            None => Ok(None),
            Some(_) => bail!(SENTENCE),
        }
    }

    /// Nothing that could.
    pub async fn failed(&mut self) -> anyhow::Error {
        std::future::pending().await
    }

    /// Nothing to end.
    pub async fn stop(self) {}
}

/// Refuses.
pub fn notices(_: &KafkaSettings) -> Result<Arc<dyn Sender>> {
    bail!(SENTENCE)
}

/// Refuses.
pub async fn create(_: &Places, _: bool) -> Result<ExitCode> {
    bail!(SENTENCE)
}

/// Refuses.
pub async fn check(_: &Places, _: bool) -> Result<ExitCode> {
    bail!(SENTENCE)
}

/// Refuses.
pub async fn state(_: &KafkaSettings, _: Option<&dyn Store>) -> Result<String> {
    bail!(SENTENCE)
}

//! In place of Kafka, in a build without it.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Result, bail};
use kulanz_delivery::senders::Sender;
use kulanz_store::Store;

use super::settings::KafkaSettings;
use crate::house::{House, Places};

const VIA: &str = "this `kulanz` was built without Kafka. Take `via` out, or build with it: cargo \
                   build -p kulanz --features kafka (needs a C compiler, make and OpenSSL's \
                   headers), and name the cluster in kulanz.yaml";
const SENTENCE: &str = "this `kulanz` was built without Kafka, and kulanz.yaml has `kafka:`. Take \
                        that out and use HTTP, or build with it: cargo build -p kulanz --features \
                        kafka (needs a C compiler, make and OpenSSL's headers)";

/// Never at work.
pub struct Running;

impl Running {
    /// Refuses where the settings name a cluster.
    pub async fn start(house: &Arc<House>) -> Result<Option<Self>> {
        start(house.settings.kafka.as_ref())
    }

    /// Nothing that could.
    pub async fn failed(&mut self) -> anyhow::Error {
        std::future::pending().await
    }

    /// Nothing to end.
    pub async fn stop(self) {}
}

fn start(settings: Option<&KafkaSettings>) -> Result<Option<Running>> {
    match settings {
        None => Ok(None),
        Some(_) => bail!(SENTENCE),
    }
}

/// Refuses, before a cluster is named that would not help.
pub fn notices(_: Option<&KafkaSettings>) -> Result<Arc<dyn Sender>> {
    bail!(VIA)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const WORDS: [&str; 2] = ["built without Kafka", "cargo build -p kulanz --features kafka"];

    #[test]
    fn a_build_without_kafka_does_not_start_where_a_cluster_is_named() {
        let named = serde_json::from_str(r#"{ "brokers": "kafka:9092" }"#).unwrap();
        let refused = start(Some(&named)).err().unwrap().to_string();
        for words in WORDS.into_iter().chain(["kulanz.yaml has `kafka:`. Take that out"]) {
            assert!(refused.contains(words), "{refused}");
        }
        assert!(start(None).unwrap().is_none());
    }

    #[test]
    fn a_creditor_whose_messages_go_by_kafka_is_refused_by_a_build_without_it() {
        let named = serde_json::from_str(r#"{ "brokers": "kafka:9092" }"#).unwrap();
        for settings in [None, Some(&named)] {
            let refused = notices(settings).err().unwrap().to_string();
            for words in WORDS.into_iter().chain(["Take `via` out"]) {
                assert!(refused.contains(words), "{refused}");
            }
        }
    }
}

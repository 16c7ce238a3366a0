//! How far Kafka and the log are apart, for `kulanz doctor`.

use std::time::Duration;

use anyhow::{Context, Result};
use kulanz_store::Store;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use super::{
    administration,
    connection::{self, Ears},
    producer,
    settings::KafkaSettings,
    topics,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// One sentence: records that wait to come in, events that wait to go out.
pub async fn state(settings: &KafkaSettings, store: Option<&dyn Store>) -> Result<String> {
    administration::ready(settings).await?;
    let (asked, ears) = (settings.clone(), Ears::new(settings));
    let lag = tokio::task::spawn_blocking(move || inbound(&asked, ears)).await??;
    let outbound = match store {
        None => String::new(),
        Some(store) => {
            let (end, at) = (store.position().await?, producer::position(store).await?);
            format!("; written to kulanz.accounts up to {at} of {end}")
        }
    };
    Ok(format!("{}: {lag}{outbound}", settings.brokers))
}

fn inbound(settings: &KafkaSettings, ears: Ears) -> Result<String> {
    let mut client = connection::client(settings)?;
    client.set("group.id", &settings.group);
    let consumer: BaseConsumer<Ears> =
        client.create_with_context(ears).context("kafka in kulanz.yaml")?;
    let explained = |error| consumer.context().explain(&error);
    let mut asked = TopicPartitionList::new();
    for topic in topics::inbound() {
        for partition in 0..i32::from(settings.partitions) {
            asked.add_partition(&topic.full(settings), partition);
        }
    }
    let committed = consumer.committed_offsets(asked, PATIENCE).map_err(explained)?;
    let mut waiting: i64 = 0;
    for one in committed.elements() {
        let ends = consumer.fetch_watermarks(one.topic(), one.partition(), PATIENCE);
        let (low, high) = ends.map_err(explained)?;
        let next = match one.offset() {
            Offset::Offset(next) => next.max(low),
            _ => low,
        };
        waiting += (high - next).max(0);
    }
    Ok(match waiting {
        0 => "everything that came in is recorded".to_owned(),
        1 => "1 record waits to be recorded".to_owned(),
        many => format!("{many} records wait to be recorded"),
    })
}

//! The topics: names, what flows, how long it is kept. `schemas/asyncapi.yaml` says the same.

use super::settings::KafkaSettings;

/// Which way a topic's records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// To us.
    In,
    /// From us.
    Out,
}

/// A topic as the code knows it; its name in a cluster has the prefix of the settings before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// Name without prefix.
    pub name: &'static str,
    /// Direction.
    pub flow: Flow,
    /// For how long records are kept; `None`: for ever.
    pub retention_days: Option<u32>,
}

/// Facts about debtors: carries personal data, so 7 days and never compacted.
pub const DEBTORS: &str = "kulanz.debtors";
/// Claims: whoever has a partition of it takes the wake-ups of the accounts there.
pub const INVOICES: &str = "kulanz.invoices";
/// Every event of every account.
pub const ACCOUNTS: &str = "kulanz.accounts";
/// What agencies are asked to do.
pub const PLACEMENT_ORDERS: &str = "kulanz.placement-orders";
/// Messages that are ready, for shops that send through a gateway of their own: ids alone.
pub const NOTICES: &str = "kulanz.notices";
/// Inbound records that could not be taken, sealed.
pub const DEAD_LETTERS: &str = "kulanz.dead-letters";

const fn topic(name: &'static str, flow: Flow, retention_days: Option<u32>) -> Topic {
    Topic { name, flow, retention_days }
}

/// All of them, inbound ones first.
pub const ALL: [Topic; 9] = [
    topic(DEBTORS, Flow::In, Some(7)),
    topic(INVOICES, Flow::In, Some(30)),
    topic("kulanz.payments", Flow::In, Some(30)),
    topic("kulanz.reminders", Flow::In, Some(30)),
    topic("kulanz.placements", Flow::In, Some(30)),
    topic(ACCOUNTS, Flow::Out, None),
    topic(PLACEMENT_ORDERS, Flow::Out, Some(30)),
    // A message that nobody took up for so long is not to be sent any more.
    topic(NOTICES, Flow::Out, Some(7)),
    // As long as the service key may open what is sealed with it.
    topic(DEAD_LETTERS, Flow::Out, Some(30)),
];

/// The largest record that we write, and that `topics create` allows on topics of ours: an event
/// of an account with some thousands of claims.
pub const LARGEST_OUT: u32 = 4 << 20;

/// The inbound ones.
pub fn inbound() -> impl Iterator<Item = &'static Topic> {
    ALL.iter().filter(|topic| topic.flow == Flow::In)
}

impl Topic {
    /// Name in the cluster.
    pub fn full(&self, settings: &KafkaSettings) -> String {
        full(self.name, settings)
    }

    /// What a new topic is made with, and an old one is held to.
    pub fn configuration(&self) -> Vec<(&'static str, String)> {
        let retention = self.retention_days.map_or(-1, |days| i64::from(days) * 86_400_000);
        let mut made =
            vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", retention.to_string())];
        if self.flow == Flow::Out {
            made.push(("max.message.bytes", LARGEST_OUT.to_string()));
        }
        made
    }
}

/// A topic's name in the cluster.
pub fn full(name: &str, settings: &KafkaSettings) -> String {
    format!("{}{name}", settings.prefix)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kulanz_wire::EventType;

    use super::*;

    #[test]
    fn the_inbound_topics_are_those_that_the_contract_names() {
        let contract: BTreeSet<&str> = EventType::ALL.iter().map(|kind| kind.topic()).collect();
        let ours: BTreeSet<&str> = inbound().map(|topic| topic.name).collect();
        assert_eq!(ours, contract);
    }

    #[test]
    fn personal_data_are_kept_for_a_week_and_never_compacted() {
        let debtors = ALL.iter().find(|topic| topic.name == DEBTORS);
        let configuration = debtors.map(Topic::configuration).unwrap_or_default();
        assert!(configuration.contains(&("cleanup.policy", "delete".to_owned())));
        assert!(configuration.contains(&("retention.ms", "604800000".to_owned())));
    }

    fn published() -> serde_json::Value {
        let text = include_str!("../../../../schemas/asyncapi.yaml");
        serde_saphyr::from_str(text).unwrap_or_default()
    }

    fn texts(value: &serde_json::Value) -> BTreeSet<String> {
        let members = value.as_object().into_iter().flatten();
        members.map(|(name, _)| name.clone()).collect()
    }

    #[test]
    fn the_published_channels_are_the_topics_with_what_they_are_made_of() {
        let published = published();
        let channels = published["channels"].as_object().cloned().unwrap_or_default();
        assert_eq!(channels.len(), ALL.len());
        for topic in &ALL {
            let found = channels.iter().find(|(_, channel)| channel["address"] == topic.name);
            let (name, channel) = found.unwrap_or_else(|| panic!("{} is not there", topic.name));
            let kafka = &channel["bindings"]["kafka"];
            assert_eq!(kafka["partitions"].as_u64(), (topic.flow == Flow::In).then_some(64));
            let mut made = kafka["topicConfiguration"].clone();
            made["cleanup.policy"] = made["cleanup.policy"][0].clone();
            for (key, value) in topic.configuration() {
                let told = made[key].as_str().map_or(made[key].to_string(), str::to_owned);
                assert_eq!(told, value, "{} {key}", topic.name);
            }
            assert_eq!(texts(&made).len(), topic.configuration().len());
            let operations = published["operations"].as_object().cloned().unwrap_or_default();
            let to = format!("#/channels/{name}");
            let operation = operations.values().find(|one| one["channel"]["$ref"] == *to);
            let action = if topic.flow == Flow::In { "receive" } else { "send" };
            assert_eq!(operation.map(|one| &one["action"]), Some(&action.into()));
        }
    }

    #[test]
    fn the_published_messages_are_the_types_of_the_contract() {
        let published = published();
        for topic in inbound() {
            let kinds = EventType::ALL.iter().filter(|kind| kind.topic() == topic.name);
            let kinds: BTreeSet<String> = kinds.map(|kind| kind.word().to_owned()).collect();
            let channels = published["channels"].as_object().into_iter().flatten();
            let channel = channels.map(|(_, one)| one).find(|one| one["address"] == topic.name);
            assert_eq!(channel.map(|one| texts(&one["messages"])), Some(kinds), "{}", topic.name);
        }
        for kind in EventType::ALL {
            let message = &published["components"]["messages"][kind.word()];
            assert_eq!(message["name"], kind.name());
            let data = &message["payload"]["allOf"][1]["properties"]["data"]["$ref"];
            assert_eq!(*data, format!("events/{}.v1.json", kind.word()));
        }
    }
}

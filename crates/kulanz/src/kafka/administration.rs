//! `kulanz topics create|check`: the topics as a cluster has them, beside those that we need.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context, Result, bail};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    error::{KafkaError, RDKafkaErrorCode},
};
use serde::Serialize;

use super::{
    connection::{self, Ears, Seen, told},
    settings::{KafkaSettings, Sasl},
    topics::{self, ALL, Flow, Topic},
};
use crate::{house::Places, progress, settings::Settings};

/// How a topic is.
#[derive(Debug, Serialize)]
struct Found {
    topic: String,
    /// `made`, `well`, `missing`, `wrong`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<usize>,
    /// What is wrong and what to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrong: Vec<String>,
}

fn settings(places: &Places) -> Result<KafkaSettings> {
    Settings::read(&places.config)?.kafka.context(
        "there is no `kafka:` in kulanz.yaml: write `kafka: { brokers: \"HOST:PORT\" }` first, \
         or set KULANZ_KAFKA__BROKERS=HOST:PORT",
    )
}

/// The topics that we may see, by name.
async fn seen(settings: &KafkaSettings) -> Result<BTreeMap<String, Seen>> {
    let (settings, ears) = (settings.clone(), Ears::new(settings));
    let seen = tokio::task::spawn_blocking(move || connection::look(&settings, ears)).await??;
    Ok(seen.into_iter().map(|topic| (topic.name.clone(), topic)).collect())
}

/// Fails unless every topic is there and the inbound ones have the partitions that they need.
pub async fn ready(settings: &KafkaSettings) -> Result<()> {
    let seen = seen(settings).await?;
    let mut wrong = Vec::new();
    for topic in &ALL {
        let name = topic.full(settings);
        match seen.get(&name) {
            None => wrong.push(format!("{name} is not there, or we may not see it")),
            Some(found) => wrong.extend(partitions(topic, found.partitions, settings)),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        "Kafka is not ready: {}. `kulanz topics create` makes what is missing, `kulanz topics \
         check` tells the rest",
        wrong.join("; ")
    )
}

/// What is wrong with the number of partitions.
fn partitions(topic: &Topic, found: usize, settings: &KafkaSettings) -> Option<String> {
    if topic.flow != Flow::In || found == usize::from(settings.partitions) {
        return None;
    }
    let name = topic.full(settings);
    let right = settings.partitions;
    Some(match found > usize::from(right) {
        true => format!(
            "{name} has {found} partitions instead of {right}: set kafka.partitions to the number \
             that all inbound topics have, or make the topic anew"
        ),
        false => format!(
            "{name} has {found} partitions instead of {right}: all inbound topics need the same \
             number, or an account's events land at different instances. While it is empty: \
             `kafka-topics --alter --topic {name} --partitions {right}`"
        ),
    })
}

fn admin(settings: &KafkaSettings) -> Result<(AdminClient<Ears>, Ears)> {
    let ears = Ears::new(settings);
    let made = connection::client(settings)?.create_with_context(ears.clone());
    Ok((made.context("kafka in kulanz.yaml")?, ears))
}

/// Makes the topics that are missing and looks at those that are there.
pub async fn create(places: &Places, as_json: bool) -> Result<ExitCode> {
    let settings = settings(places)?;
    let there = seen(&settings).await?;
    let missing: Vec<&Topic> =
        ALL.iter().filter(|topic| !there.contains_key(&topic.full(&settings))).collect();
    if with_token(&settings) && !missing.is_empty() {
        let commands: Vec<String> = missing.iter().map(|topic| by_hand(topic, &settings)).collect();
        bail!(
            "topics cannot be made with a token: librdkafka's client for that asks for none. Make \
             them with Kafka's own tools, then `kulanz topics check`:\n{}",
            commands.join("\n")
        );
    }
    let (admin, ears) = admin(&settings)?;
    let bar = progress::things(missing.len() as u64, "topics");
    let mut made = Vec::new();
    for topic in missing {
        make(&admin, &ears, topic, &settings).await?;
        made.push(topic.full(&settings));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut found = look(&settings, &made).await?;
    for one in found.iter_mut().filter(|one| one.state == "well" && made.contains(&one.topic)) {
        one.state = "made";
    }
    print(&found, as_json)
}

/// Looks at all topics; exit code 1 where one is missing or wrong.
pub async fn check(places: &Places, as_json: bool) -> Result<ExitCode> {
    print(&look(&settings(places)?, &[]).await?, as_json)
}

/// Rust's admin client serves no requests for tokens, so that it would wait for ever.
fn with_token(settings: &KafkaSettings) -> bool {
    settings.security.as_ref().is_some_and(|one| one.sasl == Some(Sasl::Oauthbearer))
}

/// The command of Kafka's own that makes a topic.
fn by_hand(topic: &Topic, settings: &KafkaSettings) -> String {
    let mut command = format!(
        "  kafka-topics --bootstrap-server {} --create --topic {} --partitions {}",
        settings.brokers,
        topic.full(settings),
        settings.partitions
    );
    if let Some(copies) = settings.replication {
        command.push_str(&format!(" --replication-factor {copies}"));
    }
    for (key, value) in topic.configuration() {
        command.push_str(&format!(" --config {key}={value}"));
    }
    command
}

async fn make(
    admin: &AdminClient<Ears>,
    ears: &Ears,
    topic: &Topic,
    settings: &KafkaSettings,
) -> Result<()> {
    let name = topic.full(settings);
    let copies = settings.replication.map_or(-1, i32::from);
    let replication = TopicReplication::Fixed(copies);
    let partitions = i32::from(settings.partitions);
    let configuration = topic.configuration();
    let mut new = NewTopic::new(&name, partitions, replication);
    for (key, value) in &configuration {
        new = new.set(key, value);
    }
    let asked = admin.create_topics([&new], &options()).await;
    let results = asked.map_err(|error| ears.explain(&error))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, RDKafkaErrorCode::InvalidReplicationFactor)) => bail!(
                "{name} cannot be made: the cluster has fewer brokers than kafka.replication asks \
                 copies of ({copies}); set it to the number of brokers, or fewer"
            ),
            Err((name, code)) => {
                let reason = KafkaError::AdminOp(code).to_string();
                return Err(told(code, &reason, settings))
                    .with_context(|| format!("{name} cannot be made"));
            }
        }
    }
    Ok(())
}

fn options() -> AdminOptions {
    let patience = std::time::Duration::from_secs(30);
    AdminOptions::new().request_timeout(Some(patience)).operation_timeout(Some(patience))
}

/// Each topic beside what it should be. A topic that was just `made` may take a moment to show.
async fn look(settings: &KafkaSettings, made: &[String]) -> Result<Vec<Found>> {
    let mut there = seen(settings).await?;
    for _ in 0..100 {
        if made.iter().all(|name| there.get(name).is_some_and(|found| found.partitions > 0)) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        there = seen(settings).await?;
    }
    let names: Vec<String> = ALL.iter().map(|topic| topic.full(settings)).collect();
    let present: Vec<&String> = names.iter().filter(|name| there.contains_key(*name)).collect();
    let configured = configurations(settings, &present).await?;
    let mut found = Vec::new();
    for (topic, name) in ALL.iter().zip(&names) {
        let Some(seen) = there.get(name) else {
            let wrong = vec!["not there, or we may not see it: `kulanz topics create`".to_owned()];
            found.push(Found { topic: name.clone(), state: "missing", partitions: None, wrong });
            continue;
        };
        let mut wrong: Vec<String> =
            partitions(topic, seen.partitions, settings).into_iter().collect();
        if let (Some(asked), Some(copies)) = (settings.replication, seen.copies)
            && copies < usize::from(asked)
        {
            wrong.push(format!(
                "{copies} copies instead of {asked}: `kafka-reassign-partitions` adds some"
            ));
        }
        if let Some(configured) = configured.get(name) {
            wrong.extend(misconfigured(topic, name, configured));
        }
        let state = if wrong.is_empty() { "well" } else { "wrong" };
        let partitions = Some(seen.partitions);
        found.push(Found { topic: name.clone(), state, partitions, wrong });
    }
    Ok(found)
}

/// Settings of the topics themselves. A cluster that does not tell them is a note, no error: the
/// right to read them is not needed for anything else.
async fn configurations(
    settings: &KafkaSettings,
    names: &[&String],
) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut found = BTreeMap::new();
    if names.is_empty() {
        return Ok(found);
    }
    if with_token(settings) {
        eprintln!("note: how topics are kept cannot be looked at with a token");
        return Ok(found);
    }
    let (admin, ears) = admin(settings)?;
    let asked: Vec<ResourceSpecifier<'_>> =
        names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let answers = admin.describe_configs(&asked, &options()).await;
    for (answer, name) in answers.map_err(|error| ears.explain(&error))?.into_iter().zip(names) {
        match answer {
            Ok(resource) => {
                let entries = resource.entries.into_iter();
                let entries = entries.filter_map(|entry| Some((entry.name, entry.value?)));
                found.insert((*name).clone(), entries.collect());
            }
            Err(code) => eprintln!("note: the cluster does not tell how {name} is kept ({code})"),
        }
    }
    Ok(found)
}

fn misconfigured(topic: &Topic, name: &str, configured: &BTreeMap<String, String>) -> Vec<String> {
    let mend = |key: &str, value: &str| {
        format!(
            "`kafka-configs --alter --entity-type topics --entity-name {name} --add-config \
             {key}={value}`"
        )
    };
    let mut wrong = Vec::new();
    for (key, right) in topic.configuration() {
        let Some(found) = configured.get(key).filter(|found| **found != right) else { continue };
        let number = |text: &str| text.parse::<i64>().unwrap_or(i64::MAX);
        let what = match key {
            "cleanup.policy" => format!("is compacted ({found}), which would lose events"),
            // Personal data not for longer; everything else at least for as long.
            "retention.ms" if topic.name == topics::DEBTORS => {
                if (0..=number(&right)).contains(&number(found)) {
                    continue;
                }
                "keeps personal data for longer than 7 days".to_owned()
            }
            "retention.ms" if topic.retention_days.is_none() && number(found) >= 0 => {
                "forgets events, so that nobody could rebuild from it".to_owned()
            }
            "max.message.bytes" if number(found) < number(&right) => {
                format!("takes records of {found} bytes at most, ours may have {right}")
            }
            _ => continue,
        };
        wrong.push(format!("{what}: {}", mend(key, &right)));
    }
    wrong
}

fn print(found: &[Found], as_json: bool) -> Result<ExitCode> {
    let sick = found.iter().any(|one| !one.wrong.is_empty());
    if as_json {
        println!("{}", serde_json::to_string_pretty(found)?);
    } else {
        for one in found {
            let partitions = one.partitions.map_or(String::new(), |n| format!("{n} partitions"));
            println!("{:<8} {:<28} {partitions}", one.state, one.topic);
            for wrong in &one.wrong {
                println!("         {wrong}");
            }
        }
    }
    Ok(if sick { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

//! What is wrong with settings beyond their types.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result, bail};
use kulanz_delivery::senders::{Secret, SmsGateway, Smtp};
use kulanz_domain::money::currency;

use super::Given;
use crate::{data, house::Places, kafka::settings::KafkaSettings, webhooks};

/// What no single value can tell; looked at whenever settings are read.
pub fn sense(given: &Given) -> Vec<String> {
    let settings = &given.settings;
    let mut found = Findings::of(given);
    let mut names = BTreeSet::new();
    for (at, webhook) in settings.webhooks.iter().enumerate() {
        if !names.insert(&webhook.name) {
            let said = format!("two webhooks are named `{}`", webhook.name);
            found.say(&format!("webhooks.{at}.name"), &said);
        }
    }
    if let Some(prices) = &settings.prices
        && let Err(error) = currency(&prices.currency)
    {
        found.say("prices.currency", &format!("{error}; an ISO 4217 code is wanted, as EUR"));
    }
    if let Some(kafka) = &settings.kafka {
        found.note("kafka", kafka.check());
    }
    if !(0.0..=1.0).contains(&settings.telemetry.traces) {
        found.say("telemetry.traces", "a share is wanted, 0 to 1");
    }
    found.all
}

/// All that can be told without any other machine: whether secrets and files can be read, whether
/// addresses are some, whether a server with these settings would start.
pub fn thorough(given: &Given, places: &Places) -> Vec<String> {
    let settings = &given.settings;
    let mut found = Findings::of(given);
    if let Some(url) = &settings.base_url {
        found.note("base_url", address(url, &["http", "https"]));
    }
    if let Some(url) = &settings.telemetry.otlp {
        found.note("telemetry.otlp", address(url, &["http", "https"]));
    }
    if let Some(smtp) = &settings.smtp {
        found.note("smtp", Smtp::new(smtp.clone()).map(drop).map_err(Into::into));
    }
    if let Some(sms) = &settings.sms {
        found.note("sms", SmsGateway::new(sms.clone()).map(drop).map_err(Into::into));
    }
    let database = if settings.database.is_some() { "database" } else { "database_password" };
    found.note(database, data::config(settings).map(drop));
    if let Some(kafka) = &settings.kafka {
        if !cfg!(feature = "kafka") {
            let said = "this `kulanz` was built without Kafka: take `kafka` out, or build with it";
            found.say("kafka", said);
        }
        kafka_files(&mut found, kafka);
    }
    for (at, webhook) in settings.webhooks.iter().enumerate() {
        let key = format!("webhooks.{at}");
        found.note(&key, webhooks::Endpoint::new(webhook, places).map(drop));
        if let Some(creditor) = &webhook.creditor {
            let file = places.config.join(format!("policies/creditors/{creditor}.yaml"));
            if !file.is_file() {
                let said = format!("there is no file {}", file.display());
                found.say(&format!("{key}.creditor"), &said);
            }
        }
    }
    let key = settings.master_key(&places.data);
    if key.exists() && !key.is_file() {
        found.say("master_key_file", &format!("{} is no file", key.display()));
    }
    found.all
}

fn kafka_files(found: &mut Findings<'_>, kafka: &KafkaSettings) {
    let Some(security) = &kafka.security else { return };
    let files =
        [("ca", &security.ca), ("certificate", &security.certificate), ("key", &security.key)];
    for (name, file) in files {
        if let Some(file) = file {
            found.note(&format!("kafka.security.{name}"), readable(file));
        }
    }
    if let Some(place) = &security.password {
        found.note("kafka.security.password", revealed(place));
    }
    if let Some(oauth) = &security.oauth {
        found.note("kafka.security.oauth.secret", revealed(&oauth.secret));
    }
}

fn revealed(place: &Secret) -> Result<()> {
    place.reveal().map(drop).map_err(Into::into)
}

fn readable(file: &Path) -> Result<()> {
    std::fs::File::open(file)
        .map(drop)
        .with_context(|| format!("{} cannot be read", file.display()))
}

fn address(url: &str, schemes: &[&str]) -> Result<()> {
    let parsed = reqwest::Url::parse(url).context("this is no address; write https://HOST")?;
    if !schemes.contains(&parsed.scheme()) || parsed.host().is_none() {
        bail!("an address with {} and a host is wanted", schemes.join(" or "));
    }
    Ok(())
}

/// What was found, each with where it was written.
struct Findings<'a> {
    given: &'a Given,
    all: Vec<String>,
}

impl<'a> Findings<'a> {
    fn of(given: &'a Given) -> Self {
        Self { given, all: Vec::new() }
    }

    fn say(&mut self, key: &str, said: &str) {
        let place = self.given.origin(key).map(|origin| format!("{origin}: "));
        let place = place.unwrap_or_default();
        let key = if said.starts_with(key) { String::new() } else { format!("{key}: ") };
        self.all.push(format!("{place}{key}{said}"));
    }

    fn note(&mut self, key: &str, result: Result<()>) {
        if let Err(error) = result {
            self.say(key, &format!("{error:#}"));
        }
    }
}

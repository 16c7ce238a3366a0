//! Settings of an installation: `kulanz.yaml` in the configuration folder, all of it optional, and
//! the environment, which wins over it.

mod check;
mod command;
mod default;
mod environment;
mod keys;
mod reader;
mod show;
mod tree;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use kulanz_delivery::senders::{Secret, SmsGatewayConfig, SmtpConfig};
use kulanz_domain::money::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::command::{Config, run};
use self::tree::{Node, Origin};

use crate::{kafka::settings::KafkaSettings, telemetry::TelemetrySettings, webhooks::Webhook};

/// The file. What is left out has a default that works on one machine without any service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where debtors reach their pages, without a slash at its end. Where left out: the address
    /// that the server listens on.
    #[schemars(example = "https://pay.example.org")]
    pub base_url: Option<String>,
    /// Mail server. Without one there is no e-mail; without any gateway, messages are on the
    /// outbox page.
    pub smtp: Option<SmtpConfig>,
    /// SMS gateway. Without one there are no text messages; see `smtp`.
    pub sms: Option<SmsGatewayConfig>,
    /// PostgreSQL database that holds the data, `postgres://USER@HOST/DATABASE` with libpq's
    /// parameters. Without one they are in the data folder. Keys, erasures and placements always
    /// are.
    #[schemars(example = "postgres://kulanz@db.example.org/kulanz")]
    pub database: Option<String>,
    /// Password of the user in `database`, where the server wants one.
    #[schemars(example = Secret::File("/run/secrets/database".into()))]
    pub database_password: Option<Secret>,
    /// File with the master key, below the data folder unless absolute. All instances on one
    /// database have the same.
    pub master_key_file: PathBuf,
    /// Folder into which placements are written, below the data folder unless absolute. Where left
    /// out: the data folder itself. All instances on one database reach the same.
    #[schemars(example = &"placements")]
    pub handoff: Option<PathBuf>,
    /// Megabytes of memory for accounts, about. Where they take more, those that were not used for
    /// longest are given up, and read again when they are needed. Half of what the program may have
    /// is a good value.
    pub memory_mb: u32,
    /// Kafka cluster that carries events in and out, beside HTTP and files.
    pub kafka: Option<KafkaSettings>,
    /// Where events of accounts are sent to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
    /// What messages cost, for `kulanz policy plan`.
    pub prices: Option<Prices>,
    /// Logs, traces and metrics of a server.
    pub telemetry: TelemetrySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: None,
            smtp: None,
            sms: None,
            database: None,
            database_password: None,
            master_key_file: "master.key".into(),
            handoff: None,
            memory_mb: 1024,
            kafka: None,
            webhooks: Vec::new(),
            prices: None,
            telemetry: TelemetrySettings::default(),
        }
    }
}

/// What gateways and printers ask for a message. A channel that is left out costs nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Currency of the prices, an ISO 4217 code.
    #[serde(default = "euro")]
    pub currency: String,
    /// A letter, with its postage.
    #[serde(default)]
    pub letter: Price,
    /// A text message, for each of the parts that it is sent in.
    #[serde(default)]
    pub sms: Price,
    /// An e-mail.
    #[serde(default)]
    pub email: Price,
}

fn euro() -> String {
    "EUR".to_owned()
}

/// A price, kept exactly as written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price(pub Decimal);

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let amount = Decimal::from_str_exact(&text).ok().filter(|_| plain);
        amount.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no price: write it as 0.95"))
        })
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.to_string().serialize(to)
    }
}

impl JsonSchema for Price {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Price".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"], "pattern": "^[0-9]+(\\.[0-9]+)?$", "minimum": 0
        })
    }
}

/// Settings, and where each comes from.
pub struct Given {
    /// What counts.
    pub settings: Settings,
    /// What was written.
    written: Node,
}

impl Given {
    /// Reads `kulanz.yaml` in `folder`, where there is one, and this process's environment.
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("kulanz.yaml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(other) => {
                return Err(other).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        Self::of(&text, &path, std::env::vars_os())
    }

    /// The same of a file's text and of these variables.
    fn of(
        text: &str,
        path: &Path,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self> {
        let origin = Origin::File { path: path.into(), line: 1 };
        let written = Node::parse(text, &origin);
        let mut written = written.with_context(|| format!("{} is wrong", path.display()))?;
        let wrong = environment::put(&mut written, variables);
        if !wrong.is_empty() {
            bail!(wrong.join("\n  "));
        }
        let settings = reader::read(&written)?;
        let given = Self { settings, written };
        let wrong = check::sense(&given);
        if !wrong.is_empty() {
            bail!(wrong.join("\n  "));
        }
        Ok(given)
    }

    /// Where a setting was written, or the section above it; `None` where nowhere.
    fn origin(&self, key: &str) -> Option<&Origin> {
        let parts: Vec<&str> = key.split('.').collect();
        let above = (1..=parts.len()).rev();
        let nearest = above.filter_map(|length| parts.get(..length));
        nearest
            .flat_map(|path| self.written.get(path.iter().copied()))
            .map(|one| &one.origin)
            .next()
    }
}

impl Settings {
    /// Reads `kulanz.yaml` in `folder`, where there is one, and the environment.
    pub fn read(folder: &Path) -> Result<Self> {
        Ok(Given::read(folder)?.settings)
    }

    /// Bytes of memory for accounts.
    pub fn memory(&self) -> usize {
        (self.memory_mb as usize) << 20
    }

    /// Where the master key is.
    pub fn master_key(&self, data: &Path) -> PathBuf {
        data.join(&self.master_key_file)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let given = Given::of(text, Path::new("kulanz.yaml"), []);
        given.map(|given| given.settings).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn prices_are_kept_to_the_last_digit() {
        let prices =
            read("prices: { letter: 0.95, sms: 0.0749, email: 0 }").unwrap().prices.unwrap();
        assert_eq!(prices.sms.0.to_string(), "0.0749");
        assert_eq!((prices.letter.0.to_string(), prices.currency), ("0.95".into(), "EUR".into()));
        assert_eq!(
            read("prices: { sms: \"0.10\" }").unwrap().prices.unwrap().letter.0,
            Decimal::ZERO
        );
    }

    #[test]
    fn what_is_no_price_is_refused_with_its_line() {
        for wrong in ["prices: { sms: -1 }", "prices: { sms: 7 ct }", "prices: { sms: 1e2 }"] {
            let error = read(wrong).unwrap_err();
            assert!(
                error.contains("is no price") && error.contains("kulanz.yaml:1: prices.sms"),
                "{wrong}: {error}"
            );
        }
        assert!(read("prices: { fax: 1 }").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_its_key_and_what_to_do() {
        for (text, said) in [
            ("smtp:\n  host: a\n  port: b\n", "kulanz.yaml:3: smtp.port: `b` is no whole number"),
            (
                "smtp: { host: a, port: 1 }",
                "smtp.from is missing: write it there, or set KULANZ_SMTP__FROM",
            ),
            (
                "\nkafka: { brokrs: a }",
                "kulanz.yaml:2: there is no setting kafka.brokrs; did you mean brokers?",
            ),
            ("kafka: a:9092", "kulanz.yaml:1: kafka: keys with values are wanted here"),
            ("base_url: [a]", "base_url: one value is wanted here, not a list"),
            ("database: ~\nhandoff:", ""),
            ("smtp: { host: , port: 1, from: a }", "smtp.host: there is no value"),
            ("database_password: hunter2", "database_password: a secret does not stand here"),
            ("database_password: { file: a, env: B }", "exactly one is wanted: env or file"),
            (
                "webhooks: [{ name: a, url: b, secret_file: c }, { name: a, url: d, \
                 secret_file: e }]",
                "kulanz.yaml:1: webhooks.1.name: two webhooks are named `a`",
            ),
            ("prices: { currency: XXY }", "prices.currency"),
            ("kafka: { brokers: a, partitions: 12 }", "kafka.partitions is 12"),
            (
                "webhooks: [{ name: a, url: b, secret_file: c, begin: soon }]",
                "webhooks.0.begin: `soon` is not known here: write one of now, first",
            ),
            ("a: 1\na: 2", "kulanz.yaml is wrong"),
        ] {
            match (read(text), said) {
                (Ok(_), "") => {}
                (Ok(_), _) => panic!("taken: {text}"),
                (Err(error), said) => {
                    assert!(error.contains(said) && !said.is_empty(), "{text}: {error}");
                    assert!(!error.contains("hunter2"), "{error}");
                }
            }
        }
    }
}

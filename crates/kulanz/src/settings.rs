//! Settings of an installation: `kulanz.yaml` in the configuration folder, all of it optional.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kulanz_delivery::senders::{Secret, SmsGatewayConfig, SmtpConfig};
use kulanz_domain::money::{Decimal, currency};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{kafka::settings::KafkaSettings, telemetry::TelemetrySettings, webhooks::Webhook};

/// The file. What is left out has a default that works on one machine without any service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where debtors reach their pages, without a slash at its end. Default: the address that
    /// the server listens on.
    pub base_url: Option<String>,
    /// Mail server. Without one there is no e-mail; without any gateway, messages are on the
    /// outbox page.
    pub smtp: Option<SmtpConfig>,
    /// SMS gateway. Without one there are no text messages; see `smtp`.
    pub sms: Option<SmsGatewayConfig>,
    /// PostgreSQL database that holds the data, `postgres://USER@HOST/DATABASE` with libpq's
    /// parameters. Without one they are in the data folder. Keys, erasures and placements always
    /// are.
    pub database: Option<String>,
    /// Password of the user in `database`, where the server wants one.
    pub database_password: Option<Secret>,
    /// File with the master key, below the data folder unless absolute; `master.key` where left
    /// out. All instances on one database have the same.
    pub master_key_file: Option<PathBuf>,
    /// Folder into which placements are written, below the data folder unless absolute.
    pub handoff: Option<PathBuf>,
    /// Kafka cluster that carries events in and out, beside HTTP and files.
    pub kafka: Option<KafkaSettings>,
    /// Where events of accounts are sent to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
    /// What messages cost, for `kulanz policy plan`.
    pub prices: Option<Prices>,
    /// Logs, traces and metrics of a server.
    pub telemetry: Option<TelemetrySettings>,
}

/// What gateways and printers ask for a message. A channel that is left out costs nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// ISO 4217.
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

impl Settings {
    /// Reads `kulanz.yaml` in `folder`, where there is one.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("kulanz.yaml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(other) => {
                return Err(other).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        let settings: Self = serde_saphyr::from_str(&text)
            .with_context(|| format!("{} is wrong", path.display()))?;
        for (at, webhook) in settings.webhooks.iter().enumerate() {
            if settings.webhooks[..at].iter().any(|other| other.name == webhook.name) {
                let (name, path) = (&webhook.name, path.display());
                anyhow::bail!("{path} is wrong: two webhooks are named `{name}`");
            }
        }
        if let Some(prices) = &settings.prices {
            currency(&prices.currency).with_context(|| {
                format!("{} is wrong: prices.currency is no ISO 4217 code", path.display())
            })?;
        }
        if let Some(kafka) = &settings.kafka {
            kafka.check().with_context(|| format!("{} is wrong", path.display()))?;
        }
        Ok(settings)
    }

    /// Where the master key is.
    pub fn master_key(&self, data: &Path) -> PathBuf {
        data.join(self.master_key_file.as_deref().unwrap_or(Path::new("master.key")))
    }

    /// No message leaves the machine: test pages and the sandbox provider may be offered.
    pub const fn is_sandbox(&self) -> bool {
        self.smtp.is_none() && self.sms.is_none()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
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
            assert!(error.contains("is no price") && error.contains("line 1"), "{wrong}: {error}");
        }
        assert!(read("prices: { fax: 1 }").is_err());
    }
}

//! `kafka:` in `kulanz.yaml`. Read by every build, so that one without Kafka can say what it lacks.

use std::path::PathBuf;

use anyhow::{Result, bail};
use kulanz_delivery::senders::Secret;
use kulanz_engine::PARTITIONS;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Kafka cluster that carries events in and out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// `HOST:PORT` of some of the brokers, with commas between.
    #[schemars(example = "kafka-1.example.org:9093,kafka-2.example.org:9093")]
    pub brokers: String,
    /// Consumer group; all instances of one installation share it.
    #[serde(default = "default_group")]
    pub group: String,
    /// Put before the names of all topics: `staging.` makes `staging.kulanz.invoices`.
    #[serde(default)]
    pub prefix: String,
    /// Partitions of every inbound topic. Choose it once: with another number an account's
    /// events lie elsewhere.
    #[serde(default = "default_partitions")]
    pub partitions: u16,
    /// Copies of each partition that `kulanz topics create` asks for; where left out, what the
    /// cluster has as its default.
    #[schemars(example = 3)]
    pub replication: Option<u16>,
    /// Encryption, and who we are. Without it the connection is in the clear and nobody's.
    pub security: Option<Security>,
}

/// How the connection to the brokers is protected.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// TLS. Without it a password or a token goes over the wire for everybody to read.
    #[serde(default = "yes")]
    pub tls: bool,
    /// PEM file with the authorities to trust; the system's where left out.
    #[schemars(example = "/etc/kafka/ca.pem")]
    pub ca: Option<PathBuf>,
    /// PEM file with our own certificate, where brokers ask for one; with it goes `key`.
    #[schemars(example = "/etc/kafka/kulanz.pem")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the key of `certificate`.
    #[schemars(example = "/etc/kafka/kulanz.key")]
    pub key: Option<PathBuf>,
    /// How we say who we are.
    #[schemars(example = &"scram_sha_512")]
    pub sasl: Option<Sasl>,
    /// User, for `plain` and the two of SCRAM.
    #[schemars(example = &"kulanz")]
    pub user: Option<String>,
    /// The user's password.
    #[schemars(example = Secret::File("/run/secrets/kafka".into()))]
    pub password: Option<Secret>,
    /// Where tokens come from, for `oauthbearer`.
    pub oauth: Option<OAuth>,
}

/// A way to say who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sasl {
    /// Name and password as they are.
    Plain,
    /// Name and password, of which the wire shows nothing.
    #[serde(rename = "scram_sha_256")]
    ScramSha256,
    /// The same with a longer hash.
    #[serde(rename = "scram_sha_512")]
    ScramSha512,
    /// A token of an identity provider.
    Oauthbearer,
}

#[cfg(feature = "kafka")]
impl Sasl {
    /// As brokers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}

/// OAuth 2.0 client credentials (RFC 6749, 4.4).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// Token endpoint.
    #[schemars(example = "https://id.example.org/token")]
    pub token_url: String,
    /// Client id.
    #[schemars(example = &"kulanz")]
    pub client: String,
    /// Client secret.
    #[schemars(example = Secret::File("/run/secrets/oauth".into()))]
    pub secret: Secret,
    /// What to ask for.
    #[schemars(example = &"kafka")]
    pub scope: Option<String>,
}

fn default_group() -> String {
    "kulanz".to_owned()
}

const fn default_partitions() -> u16 {
    PARTITIONS
}

const fn yes() -> bool {
    true
}

impl KafkaSettings {
    /// What no single member can tell.
    pub fn check(&self) -> Result<()> {
        if self.brokers.trim().is_empty() {
            bail!("kafka.brokers is empty: name some as HOST:PORT");
        }
        if self.partitions == 0 || !PARTITIONS.is_multiple_of(self.partitions) {
            bail!(
                "kafka.partitions is {}: it has to divide {PARTITIONS}, into which accounts are \
                 shared out (1, 2, 4, 8, 16, 32 or 64)",
                self.partitions
            );
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !self.prefix.chars().all(allowed) || self.prefix.len() > 100 {
            bail!("kafka.prefix becomes part of topics' names: letters, digits, `.`, `_`, `-`");
        }
        let Some(security) = &self.security else { return Ok(()) };
        if security.certificate.is_some() != security.key.is_some() {
            bail!("kafka.security.certificate and .key go together");
        }
        if !security.tls && (security.ca.is_some() || security.certificate.is_some()) {
            bail!("kafka.security: `ca` and `certificate` are of no use with `tls: false`");
        }
        let named = security.user.is_some() && security.password.is_some();
        let any = security.user.is_some() || security.password.is_some();
        match security.sasl {
            Some(Sasl::Oauthbearer) if any || security.oauth.is_none() => {
                bail!("kafka.security: `sasl: oauthbearer` goes with `oauth`, without `user`")
            }
            Some(Sasl::Oauthbearer) => {
                let url = security.oauth.as_ref().map_or("", |oauth| oauth.token_url.as_str());
                let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
                let here = here.iter().any(|start| {
                    url.strip_prefix(start).is_some_and(|rest| rest.starts_with([':', '/']))
                });
                if !here && !url.starts_with("https://") {
                    bail!("kafka.security.oauth.token_url: a secret goes there, so https:// alone");
                }
                Ok(())
            }
            Some(_) if !named => {
                bail!("kafka.security: `sasl` needs `user` and `password: {{ file: PATH }}`")
            }
            None if any => bail!(
                "kafka.security: `user` needs `sasl`: scram_sha_256, scram_sha_512 or plain, as \
                 the brokers want it"
            ),
            _ if security.oauth.is_some() => {
                bail!("kafka.security: `oauth` goes with `sasl: oauthbearer`")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn checked(text: &str) -> Result<KafkaSettings, String> {
        let settings: KafkaSettings = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
        settings.check().map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn brokers_alone_are_enough() {
        let settings = checked("brokers: localhost:9092").unwrap();
        assert_eq!((settings.group.as_str(), settings.partitions), ("kulanz", 64));
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_what_would() {
        for (security, word) in [
            ("user: kulanz", "scram_sha_256"),
            ("sasl: scram_sha_512", "needs `user`"),
            ("sasl: scram_sha_256, user: kulanz", "password"),
            ("sasl: oauthbearer", "`oauth`"),
            ("tls: false, ca: ca.pem", "tls: false"),
            ("certificate: a.pem", "go together"),
            (
                "sasl: oauthbearer, oauth: { token_url: 'http://localhost.evil.example/t', \
                 client: k, secret: { env: S } }",
                "https://",
            ),
            ("sasl: kerberos", "kerberos"),
            ("password: secret", "line 2"),
        ] {
            let error = checked(&format!("brokers: b:1\nsecurity: {{ {security} }}")).unwrap_err();
            assert!(error.contains(word), "{security}: {error}");
        }
        assert!(checked("brokers: b:1\npartitions: 12").unwrap_err().contains("divide 64"));
        assert!(checked("brokers: b:1\nprefix: a/b").unwrap_err().contains("prefix"));
        assert!(checked("brokers: ' '").unwrap_err().contains("HOST:PORT"));
        assert!(checked("brokers: b:1\ntopic: x").is_err());
    }
}

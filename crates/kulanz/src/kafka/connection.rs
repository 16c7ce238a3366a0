//! The connection to the brokers: settings as librdkafka wants them, and what it says of faults
//! as sentences that tell what to do.

use std::{
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use rdkafka::{
    ClientConfig, ClientContext,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryResult, ProducerContext},
};

use super::settings::{KafkaSettings, OAuth, Sasl};

/// How long a look at the cluster may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The part that all clients share.
pub fn client(settings: &KafkaSettings) -> Result<ClientConfig> {
    settings.check()?;
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &settings.brokers);
    client.set("client.id", "kulanz");
    client.set("socket.keepalive.enable", "true");
    client.set("reconnect.backoff.max.ms", "5000");
    let Some(security) = &settings.security else { return Ok(client) };
    let protocol = match (security.tls, security.sasl) {
        (true, Some(_)) => "sasl_ssl",
        (true, None) => "ssl",
        (false, Some(_)) => "sasl_plaintext",
        (false, None) => "plaintext",
    };
    client.set("security.protocol", protocol);
    let files = [
        ("ssl.ca.location", &security.ca),
        ("ssl.certificate.location", &security.certificate),
        ("ssl.key.location", &security.key),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            client.set(name, readable(file)?);
        }
    }
    if let Some(sasl) = security.sasl {
        client.set("sasl.mechanism", sasl.name());
    }
    if let (Some(user), Some(password)) = (&security.user, &security.password) {
        let password = password.reveal().context("kafka.security.password in kulanz.yaml")?;
        client.set("sasl.username", user).set("sasl.password", password);
    }
    Ok(client)
}

/// A file's name, once it is sure that it can be read: librdkafka would say less of it.
fn readable(file: &Path) -> Result<String> {
    std::fs::File::open(file).with_context(|| {
        format!("kafka.security names {}, which cannot be read", file.display())
    })?;
    Ok(file.display().to_string())
}

/// Hears what librdkafka says beside answers, and brings tokens.
#[derive(Clone)]
pub struct Ears {
    settings: Arc<KafkaSettings>,
    runtime: tokio::runtime::Handle,
    last: Arc<Mutex<Option<(RDKafkaErrorCode, String)>>>,
    refused: Arc<OnceLock<KafkaError>>,
}

impl Ears {
    /// For one client; on a tokio runtime.
    pub fn new(settings: &KafkaSettings) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let (settings, last, refused) =
            (Arc::new(settings.clone()), Arc::default(), Arc::default());
        Self { settings, runtime, last, refused }
    }

    /// The first error of a record that was not taken, where nobody waits for each of them.
    pub fn refused(&self) -> Option<&KafkaError> {
        self.refused.get()
    }

    fn hear(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // That all brokers are down is the consequence of what was heard before.
        if last.is_none() || code != RDKafkaErrorCode::AllBrokersDown {
            *last = Some((code, reason.to_owned()));
        }
    }

    /// An error, with what was heard before it.
    pub fn explain(&self, error: &KafkaError) -> anyhow::Error {
        let last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let code = error.rdkafka_error_code();
        let vague = code.is_none_or(|code| {
            matches!(
                code,
                RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::MessageTimedOut
            )
        });
        match (last, code) {
            (Some((heard, reason)), _) if vague => told(heard, &reason, &self.settings),
            (_, Some(code)) => told(code, &error.to_string(), &self.settings),
            _ => anyhow!("Kafka: {error}"),
        }
    }
}

impl ClientContext for Ears {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters comes as an error too.
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
        if let Some(code) = error.rdkafka_error_code() {
            self.hear(code, reason);
        }
    }

    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let security = self.settings.security.as_ref();
        let oauth = security.and_then(|security| security.oauth.as_ref());
        let oauth = oauth.ok_or("kafka.security.oauth is not set")?;
        // Called on threads of librdkafka's clients, or where a look at the cluster blocks anyway.
        let token = self.runtime.block_on(token(oauth));
        if let Err(error) = &token {
            self.hear(RDKafkaErrorCode::Authentication, &format!("{error:#}"));
        }
        Ok(token?)
    }
}

impl ConsumerContext for Ears {}

/// Of a producer whose records nobody waits for one by one.
impl ProducerContext for Ears {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            // The first one counts: what follows it may be its consequence.
            let _ = self.refused.set(error.clone());
        }
    }
}

/// Asks the identity provider for a token.
async fn token(oauth: &OAuth) -> Result<OAuthToken> {
    let secret = oauth.secret.reveal().context("kafka.security.oauth.secret in kulanz.yaml")?;
    let asked = async {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(oauth.scope.as_deref().map(|scope| ("scope", scope)));
        kulanz_delivery::senders::use_ring();
        // A secret goes where the settings say, and nowhere else.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            .build()?;
        let body: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let request = client
            .post(&oauth.token_url)
            .basic_auth(escaped(&oauth.client), Some(escaped(&secret)))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        request.send().await?.error_for_status()?.json::<serde_json::Value>().await
    };
    let answer = asked.await.with_context(|| format!("no token from {}", oauth.token_url))?;
    let token = answer["access_token"].as_str().context("the answer has no access_token")?;
    let lives = answer["expires_in"].as_i64().unwrap_or(300);
    let until = jiff::Timestamp::now().as_millisecond() + lives.clamp(10, 86_400) * 1000;
    Ok(OAuthToken {
        token: token.to_owned(),
        principal_name: oauth.client.clone(),
        lifetime_ms: until,
    })
}

/// As forms are encoded.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A fault as a sentence that says what to do.
pub fn told(code: RDKafkaErrorCode, reason: &str, settings: &KafkaSettings) -> anyhow::Error {
    use RDKafkaErrorCode::*;
    let brokers = &settings.brokers;
    let security = settings.security.as_ref();
    let who = security.and_then(|s| s.user.clone().or(s.oauth.as_ref().map(|o| o.client.clone())));
    let who = who.map_or("nobody in particular".to_owned(), |user| format!("`{user}`"));
    match code {
        Authentication | SaslAuthenticationFailed => match security.and_then(|s| s.sasl) {
            Some(Sasl::Oauthbearer) => anyhow!(
                "the brokers at {brokers} take no token of {who}: look at kafka.security.oauth in \
                 kulanz.yaml ({reason})"
            ),
            _ => anyhow!(
                "the brokers at {brokers} refuse user {who}: look at user, password and sasl under \
                 kafka.security in kulanz.yaml ({reason})"
            ),
        },
        SSL => anyhow!(
            "TLS with the brokers at {brokers} fails: does kafka.security.ca name the authority of \
             their certificates, and does the name in them match? ({reason})"
        ),
        TopicAuthorizationFailed
        | GroupAuthorizationFailed
        | ClusterAuthorizationFailed
        | TransactionalIdAuthorizationFailed => anyhow!(
            "the cluster does not allow this to {who}: it needs Read on the inbound topics and on \
             group `{}`, Write on the outbound topics, Describe on all, and Create and Alter for \
             `kulanz topics create` ({reason})",
            settings.group
        ),
        Resolve => anyhow!("kafka.brokers: a name in {brokers} cannot be resolved ({reason})"),
        BrokerTransportFailure | AllBrokersDown | OperationTimedOut | MessageTimedOut => {
            NoAnswer(format!(
                "no broker answers at {brokers}: does Kafka run there, and is that its address? A \
                 broker that wants TLS or a password hangs up on whoever brings none ({reason})"
            ))
            .into()
        }
        _ => anyhow!("Kafka: {reason}"),
    }
}

/// Nobody is there: the one fault that passes by itself.
#[derive(Debug)]
pub struct NoAnswer(String);

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoAnswer {}

/// Topics of the cluster that we may see, with the number of their partitions and of copies.
/// Blocks; for `spawn_blocking`.
pub fn look(settings: &KafkaSettings, ears: Ears) -> Result<Vec<Seen>> {
    let mut config = client(settings)?;
    config.set("group.id", &settings.group);
    let consumer: BaseConsumer<Ears> =
        config.create_with_context(ears).context("kafka in kulanz.yaml")?;
    let until = Instant::now() + PATIENCE;
    loop {
        // Serves what is heard beside the answers, and tokens.
        if let Some(Err(error)) = consumer.poll(Duration::from_millis(50))
            && let Some(code) = error.rdkafka_error_code()
        {
            consumer.context().hear(code, &error.to_string());
        }
        match consumer.fetch_metadata(None, Duration::from_secs(2)) {
            Ok(found) => {
                let seen = found.topics().iter().filter(|topic| topic.error().is_none());
                let seen = seen.map(|topic| Seen {
                    name: topic.name().to_owned(),
                    partitions: topic.partitions().len(),
                    copies: topic.partitions().iter().map(|p| p.replicas().len()).min(),
                });
                return Ok(seen.collect());
            }
            Err(error) => {
                let explained = consumer.context().explain(&error);
                let sure = consumer.context().is_sure();
                if sure || Instant::now() > until {
                    return Err(explained);
                }
            }
        }
    }
}

impl Ears {
    /// Whether waiting will not mend what was heard.
    fn is_sure(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        last.as_ref().is_some_and(|(code, _)| {
            use RDKafkaErrorCode::*;
            matches!(code, Authentication | SaslAuthenticationFailed | SSL)
        })
    }
}

/// A topic as a cluster has it.
pub struct Seen {
    /// Name.
    pub name: String,
    /// Partitions.
    pub partitions: usize,
    /// Copies of the partition that has fewest.
    pub copies: Option<usize>,
}

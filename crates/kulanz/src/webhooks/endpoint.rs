//! One endpoint, ready to be sent to.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use kulanz_domain::{
    AccountEvent,
    ids::{CreditorId, PolicyName},
};
use kulanz_store::StoredEvent;
use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT},
    redirect,
};

use super::{
    settings::{Begin, Webhook},
    signature::Secrets,
};
use crate::{house::Places, outbound};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// As much of an answer is read, so that the connection can be used again.
const ANSWER: usize = 64 * 1024;

/// One endpoint.
pub struct Endpoint {
    /// Name.
    pub name: String,
    /// A new one begins with the first event.
    pub from_start: bool,
    /// Failing for so long, it is parked.
    pub give_up_after: SignedDuration,
    url: Url,
    creditor: Option<CreditorId>,
    /// `None`: all.
    kinds: Option<BTreeSet<&'static str>>,
    secrets: Secrets,
    client: Client,
}

/// What became of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// The endpoint has it.
    Taken,
    /// It wants nothing any more.
    Gone,
    /// Not taken, or nobody knows: it is sent again.
    Failed {
        /// Why, without what the endpoint said.
        why: String,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
}

impl Endpoint {
    /// Checks the settings and reads the secret.
    pub fn new(webhook: &Webhook, places: &Places) -> Result<Self> {
        let at = || format!("webhook `{}` in kulanz.yaml", webhook.name);
        PolicyName::new(&webhook.name)
            .ok()
            .with_context(|| format!("{}: a name has 1 to 64 of A-Z a-z 0-9 . _ -", at()))?;
        let url = url(&webhook.url).with_context(at)?;
        let kinds = kinds(&webhook.events).with_context(at)?;
        let file = places.config.join(&webhook.secret_file);
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("{}: secret_file {} cannot be read", at(), file.display()))?;
        let secrets = Secrets::parse(&text)
            .with_context(|| format!("{}: secret_file {}", at(), file.display()))?;
        kulanz_delivery::senders::use_ring();
        let mut builder = Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(CONNECT)
            // Elsewhere nobody knows the secret, and an address inside could be meant.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never());
        if is_here(&url) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            name: webhook.name.clone(),
            from_start: webhook.begin == Begin::First,
            give_up_after: SignedDuration::from_hours(24 * i64::from(webhook.give_up_after_days)),
            url,
            creditor: webhook.creditor.clone(),
            kinds,
            secrets,
            client: builder.build().with_context(at)?,
        })
    }

    /// Whether an event is one of those that it was set up for.
    pub fn wants(&self, event: &StoredEvent) -> bool {
        self.creditor.as_ref().is_none_or(|creditor| event.account.creditor == *creditor)
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(event.kind.as_str()))
    }

    /// Sends one event.
    pub async fn send(&self, id: &str, at: Timestamp, body: String) -> Sent {
        let signature = self.secrets.sign(id, at, &body);
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header(USER_AGENT, concat!("kulanz/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", at.as_second())
            .header("webhook-signature", signature)
            .body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let why = if error.is_timeout() {
                    format!("no answer within {} s", PATIENCE.as_secs())
                } else if error.is_connect() {
                    "it cannot be reached".to_owned()
                } else {
                    "the connection broke".to_owned()
                };
                return Sent::Failed { why, after: None };
            }
        };
        let status = response.status();
        let after = retry_after(response.headers(), at);
        let mut read = 0;
        while let Ok(Some(piece)) = response.chunk().await {
            read += piece.len();
            if read > ANSWER {
                break;
            }
        }
        match status {
            taken if taken.is_success() => Sent::Taken,
            StatusCode::GONE => Sent::Gone,
            elsewhere if elsewhere.is_redirection() => {
                let why = format!(
                    "it answers {}: redirects are not followed, name the final address",
                    elsewhere.as_u16()
                );
                Sent::Failed { why, after }
            }
            other => Sent::Failed { why: format!("it answers {}", other.as_u16()), after },
        }
    }
}

/// `https`, or `http` on this machine.
fn url(text: &str) -> Result<Url> {
    let url: Url = text.parse().ok().with_context(|| format!("`{text}` is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        bail!("a URL holds no name or password: the signature tells the receiver who sends");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here(&url) => Ok(url),
        "http" => bail!("`{text}`: use https; http is for this machine alone"),
        other => bail!("`{text}`: use https, not {other}"),
    }
}

/// Whether a URL names this machine.
fn is_here(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

/// Kinds by their words or types.
fn kinds(words: &[String]) -> Result<Option<BTreeSet<&'static str>>> {
    if words.is_empty() {
        return Ok(None);
    }
    let known = |word: &String| {
        let kinds = AccountEvent::KINDS.iter().copied();
        let mut named = kinds
            .filter(|kind| outbound::word(kind) == *word || outbound::event_type(kind) == *word);
        named.next().with_context(|| {
            let all: Vec<String> = AccountEvent::KINDS.iter().map(|k| outbound::word(k)).collect();
            format!("there is no event `{word}`; there are {}", all.join(", "))
        })
    };
    words.iter().map(known).collect::<Result<BTreeSet<_>>>().map(Some)
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = asked.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(asked).ok()?.timestamp();
    Duration::try_from(date.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn endpoints_are_reached_by_https_or_on_this_machine() {
        for right in ["https://shop.example/hooks", "http://127.0.0.1:9/x", "http://[::1]/"] {
            assert!(url(right).is_ok(), "{right}");
        }
        for (wrong, why) in [
            ("http://shop.example/", "use https"),
            ("http://169.254.169.254/latest", "use https"),
            ("http://localhost.shop.example/", "use https"),
            ("file:///etc/passwd", "use https, not file"),
            ("https://user:pass@shop.example/", "no name or password"),
            ("shop.example", "not a URL"),
        ] {
            let error = url(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn events_are_named_by_their_words_or_types() {
        let named = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            kinds(&words)
        };
        assert_eq!(named(&[]).unwrap(), None);
        let both = named(&["notice_sent", "kulanz.account.claim_settled.v1"]).unwrap().unwrap();
        assert_eq!(both.into_iter().collect::<Vec<_>>(), ["ClaimSettled", "NoticeSent"]);
        let error = named(&["notice_send"]).unwrap_err().to_string();
        assert!(error.contains("no event `notice_send`") && error.contains("notice_sent"));
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        let now: Timestamp = "2026-03-29T10:00:00Z".parse().unwrap();
        let told = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now).map(|after| after.as_secs())
        };
        assert_eq!(told("120"), Some(120));
        assert_eq!(told("Sun, 29 Mar 2026 10:05:00 GMT"), Some(300));
        assert_eq!(told("Sun, 29 Mar 2026 09:05:00 GMT"), None);
        assert_eq!(told("soon"), None);
    }
}

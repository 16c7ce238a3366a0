//! Signatures of Standard Webhooks: HMAC-SHA256 over id, timestamp and body.

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ring::hmac::{HMAC_SHA256, Key, sign};

/// Shortest secret in bytes, as the specification has it.
const SHORTEST: usize = 24;
/// Longest.
const LONGEST: usize = 64;

/// One secret, or two while one replaces the other. Never printed.
#[derive(Clone)]
pub struct Secrets(Vec<Key>);

impl Secrets {
    /// Reads secrets, one a line.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys = lines.map(key).collect::<Result<Vec<_>>>()?;
        match keys.len() {
            1 | 2 => Ok(Self(keys)),
            0 => bail!("it is empty: write a secret `whsec_…` into it"),
            more => bail!("it has {more} secrets: one, or two while one replaces the other"),
        }
    }

    /// The header `webhook-signature`.
    pub fn sign(&self, id: &str, at: Timestamp, body: &str) -> String {
        let signed = format!("{id}.{}.{body}", at.as_second());
        let all = self
            .0
            .iter()
            .map(|key| format!("v1,{}", STANDARD.encode(sign(key, signed.as_bytes()))));
        all.collect::<Vec<_>>().join(" ")
    }
}

/// What is wrong is told without the secret.
fn key(line: &str) -> Result<Key> {
    let encoded = line.strip_prefix("whsec_").context("a secret begins with `whsec_`")?;
    let bytes = STANDARD.decode(encoded).ok().context("what follows `whsec_` is not base64")?;
    if !(SHORTEST..=LONGEST).contains(&bytes.len()) {
        bail!(
            "a secret has {SHORTEST} to {LONGEST} bytes, this one {}. Make one: \
             echo whsec_$(openssl rand -base64 32)",
            bytes.len()
        );
    }
    Ok(Key::new(HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    /// The sample that the specification's own libraries test with.
    #[test]
    fn the_published_sample_is_signed_as_published() {
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let one = Secrets::parse(SECRET).unwrap().sign(id, at, body);
        assert_eq!(one, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = Secrets::parse(&format!("{OTHER}\n{SECRET}\n")).unwrap().sign(id, at, body);
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(second, one);
        assert!(first.starts_with("v1,") && first != one);
    }

    #[test]
    fn what_is_no_secret_is_told_without_it() {
        for (wrong, why) in [
            ("", "it is empty"),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with `whsec_`"),
            ("whsec_geheim!", "not base64"),
            ("whsec_MfKQ9r8GKYqrTwjU", "24 to 64 bytes, this one 12"),
            (&[SECRET, SECRET, OTHER].join("\n"), "3 secrets"),
        ] {
            let error = Secrets::parse(wrong).err().unwrap().to_string();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("geheim") && !error.contains("MfKQ"), "{error}");
        }
    }
}

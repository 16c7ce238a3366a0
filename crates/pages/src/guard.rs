//! What stands between the pages and the world: headers, the check that a form is ours, and the
//! limit on how often one may be sent.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::{SignedDuration, Timestamp, civil::Date};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Forms that one link may send from one address in [`SPAN`].
const TIMES: u32 = 30;
const SPAN: SignedDuration = SignedDuration::from_mins(1);
/// Links and addresses remembered at once.
const REMEMBERED: usize = 4096;

/// Puts the headers on that every answer carries. Debtor pages are for nobody's cache, search
/// engine or referrer log; no script runs and no other site may show or be told of them.
pub(crate) fn protect(headers: &mut HeaderMap, form_action: &HeaderValue, cacheable: bool) {
    let fixed: [(HeaderName, &'static str); 3] = [
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, form_action.clone());
    // Style sheets carry their hash or colour in the name and nobody's data in them.
    let kept = match cacheable {
        true => "public, max-age=31536000, immutable",
        false => "no-store",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
}

/// The content security policy. Forms go to this site alone, under the name it was opened by or
/// its public one; the only payment provider so far is on it too.
pub(crate) fn policy(base_url: &str) -> HeaderValue {
    const HEAD: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
                        frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
    origin(base_url)
        .and_then(|origin| HeaderValue::try_from(format!("{HEAD} {origin}")).ok())
        .unwrap_or(HeaderValue::from_static(HEAD))
}

/// Scheme, host and port of an address, where these are plain enough to stand in a header.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let fits = matches!(scheme, "http" | "https") && !host.is_empty() && host.chars().all(plain);
    fits.then(|| format!("{scheme}://{host}"))
}

/// Whether a browser says that the form comes from another site. Those that say nothing are told
/// apart by the [`nonce`] alone. (`Origin` is `null` here, because there are no referrers.)
pub(crate) fn from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    !matches!(site, None | Some(b"same-origin" | b"none"))
}

/// What a form of ours carries: only who was shown the form on that day can know it.
pub(crate) fn nonce(token: &str, form: &str, version: u64, day: Date) -> String {
    let text = format!("kulanz form\n{token}\n{form}\n{version}\n{day}");
    hex(&Sha256::digest(text.as_bytes())[..16])
}

/// Whether `given` was made for this form today or yesterday: forms may stay open over midnight.
pub(crate) fn nonce_fits(given: &str, token: &str, form: &str, version: u64, today: Date) -> bool {
    let days = [Some(today), today.yesterday().ok()];
    days.into_iter().flatten().any(|day| {
        let right = nonce(token, form, version, day);
        bool::from(right.as_bytes().ct_eq(given.as_bytes()))
    })
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts forms by link and address, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<HashMap<[u8; 16], (Timestamp, u32)>>);

impl Limiter {
    /// Counts one more; whether it may pass.
    pub(crate) fn admits(&self, link: &str, from: Option<IpAddr>, now: Timestamp) -> bool {
        let digest = Sha256::digest(format!("{link}\n{from:?}").as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not lock anybody out.
        let running =
            |since: &Timestamp| (SignedDuration::ZERO..SPAN).contains(&now.duration_since(*since));
        if seen.len() >= REMEMBERED && !seen.contains_key(&key) {
            seen.retain(|_, (since, _)| running(since));
            if seen.len() >= REMEMBERED
                && let Some(oldest) = seen.iter().min_by_key(|(_, (since, _))| *since)
            {
                let oldest = *oldest.0;
                seen.remove(&oldest);
            }
        }
        let (since, count) = seen.entry(key).or_insert((now, 0));
        if !running(since) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= TIMES
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::{ToSpan, civil::date};

    use super::*;

    #[test]
    fn a_form_is_ours_for_two_days_and_for_nothing_else() {
        let day = date(2026, 3, 1);
        let nonce = nonce("token", "paid", 7, day);
        assert!(nonce_fits(&nonce, "token", "paid", 7, day));
        assert!(nonce_fits(&nonce, "token", "paid", 7, day.tomorrow().unwrap()));
        assert!(!nonce_fits(&nonce, "token", "paid", 7, day + 2.days()));
        assert!(!nonce_fits(&nonce, "token", "paid", 8, day));
        assert!(!nonce_fits(&nonce, "token", "help", 7, day));
        assert!(!nonce_fits(&nonce, "other", "paid", 7, day));
        assert!(!nonce_fits("", "token", "paid", 7, day));
    }

    #[test]
    fn too_many_forms_wait_for_the_next_minute_and_memory_stays_bounded() {
        let limiter = Limiter::default();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        assert!((0..TIMES).all(|_| limiter.admits("a", here, now)));
        assert!(!limiter.admits("a", here, now));
        assert!(limiter.admits("b", here, now));
        assert!(limiter.admits("a", None, now));
        assert!(limiter.admits("a", here, now + SPAN));
        for number in 0..REMEMBERED + 50 {
            limiter.admits(&number.to_string(), here, now);
        }
        assert!(limiter.0.lock().unwrap().len() <= REMEMBERED);
    }

    #[test]
    fn the_form_action_names_the_public_address_and_nothing_that_could_break_the_header() {
        let value = policy("https://pay.example.org/kulanz");
        assert!(value.to_str().unwrap().ends_with("form-action 'self' https://pay.example.org"));
        for wrong in ["", "ftp://x", "https://a b", "https://a;script-src *", "https://"] {
            assert!(policy(wrong).to_str().unwrap().ends_with("form-action 'self'"), "{wrong}");
        }
    }
}

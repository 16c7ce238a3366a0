//! Where messages are made: texts, letterheads and what was decided in, a message with its paylink
//! out, and the form in which it is kept.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use jiff::{SignedDuration, Timestamp, ToSpan};
use kulanz_domain::{
    arrangement::offers,
    book::Book,
    calendar::day_in,
    fact::Channel,
    ids::CreditorId,
    law,
    money::{Decimal, Money},
    policy::PolicyRef,
    reference::PaymentReference,
};
use kulanz_engine::{
    Fault,
    making::{Decided, Maker, Of},
    store::{Paylink, Store},
    token_hash,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::{
    dispatcher::{Letterhead, Person},
    render::{
        ClaimLine, Coding, Content, Document, MessageContext, PlanLine, RenderError, SmsText,
        Templates, TextKey, TextSource,
    },
    senders::Recipient,
};

/// How long a paylink opens its page.
const LINK_DAYS: i64 = 120;

/// Everything that a message is made with, beside what is known of its account.
pub(crate) struct Workshop {
    letterheads: HashMap<CreditorId, Letterhead>,
    texts: RwLock<HashMap<(String, u32), Arc<Templates>>>,
    base_url: String,
    /// Tells it from one that would make other messages of the same.
    mark: String,
}

/// Why a message could not be made.
#[derive(Debug, Error)]
pub(crate) enum Unmade {
    #[error("no address on file")]
    NoAddress,
    #[error("no letterhead for the creditor")]
    NoLetterhead,
    #[error("the texts of {0} version {1} cannot be had")]
    NoTexts(String, u32),
    #[error("its account was erased since the last look")]
    Erased,
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A message.
pub(crate) struct Made {
    pub(crate) content: Content,
    pub(crate) to: Recipient,
    pub(crate) paylink: Paylink,
    of: Of,
    at: Timestamp,
}

/// A message as it is kept, sealed: what its reader sees, and what it was made of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept<'m> {
    to: Cow<'m, str>,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Cow<'m, str>>,
    text: Cow<'m, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<Cow<'m, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coding: Option<Coding>,
    of: Cow<'m, Of>,
    by: Cow<'m, str>,
}

impl Workshop {
    /// For rules with this `fingerprint`.
    pub(crate) fn new(
        letterheads: HashMap<CreditorId, Letterhead>,
        base_url: String,
        fingerprint: &str,
    ) -> Self {
        let heads: BTreeMap<_, _> = letterheads.iter().collect();
        let release = env!("CARGO_PKG_VERSION");
        let hash = token_hash(&format!("{release} {fingerprint} {base_url} {heads:?}"));
        let mark = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { letterheads, texts: RwLock::default(), base_url, mark }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn letterhead(&self, creditor: &CreditorId) -> Option<&Letterhead> {
        self.letterheads.get(creditor)
    }

    pub(crate) fn add_texts(&self, policy: &str, version: u32, templates: Arc<Templates>) {
        let mut texts = self.texts.write().unwrap_or_else(PoisonError::into_inner);
        texts.insert((policy.to_owned(), version), templates);
    }

    /// Makes sure that the texts of the version that decided are there, also where a newer one is in
    /// force since.
    pub(crate) async fn fetch_texts(
        &self,
        store: &dyn Store,
        policy: &PolicyRef,
    ) -> Result<(), Unmade> {
        if self.texts(policy).is_ok() {
            return Ok(());
        }
        let (name, version) = (policy.name.as_str(), policy.version);
        let missing = || Unmade::NoTexts(name.to_owned(), version);
        let row = store.policy(name.to_owned(), version).await.map_err(Fault::from)?;
        let sources: BTreeMap<String, String> =
            serde_json::from_str(&row.ok_or_else(missing)?.sources).map_err(Fault::from)?;
        let texts = sources
            .into_iter()
            .filter_map(|(file, source)| Some((text_key(&file)?, TextSource { file, source })));
        let templates = Templates::compile(texts).map_err(|_| missing())?;
        self.add_texts(name, version, Arc::new(templates));
        Ok(())
    }

    fn texts(&self, policy: &PolicyRef) -> Result<Arc<Templates>, Unmade> {
        let key = (policy.name.as_str().to_owned(), policy.version);
        let texts = self.texts.read().unwrap_or_else(PoisonError::into_inner);
        texts.get(&key).cloned().ok_or(Unmade::NoTexts(key.0, key.1))
    }

    /// Makes a message; its texts have to be there.
    pub(crate) fn message(&self, decided: &Decided<'_>) -> Result<Made, Unmade> {
        let Decided { id, notice, at, .. } = *decided;
        let head = self.letterhead(&id.creditor).ok_or(Unmade::NoLetterhead)?;
        let person = Person::of(decided.data.get("debtor"));
        let to = person.recipient(notice.channel).ok_or(Unmade::NoAddress)?;
        let texts = self.texts(&notice.policy)?;
        let expires = at.saturating_add(SignedDuration::from_hours(24 * LINK_DAYS));
        let (token, paylink) =
            kulanz_engine::paylink(id, Some(notice.notice.clone()), at, expires.unwrap_or(at))?;
        let link = format!("{}/p/{token}", self.base_url);
        let context = context(decided, head, person.name, link);
        let key = TextKey {
            text: notice.text.clone(),
            language: notice.language.clone(),
            tone: notice.tone.clone(),
            channel: notice.channel,
        };
        let content = texts.render(&key, &context)?;
        Ok(Made { content, to, paylink, of: decided.of.clone(), at })
    }

    /// The form in which a message is kept.
    pub(crate) fn keep(&self, made: &Made) -> Result<Vec<u8>, Fault> {
        let to = match &made.to {
            Recipient::Email { address, .. } => address,
            Recipient::Mobile(number) => number,
        };
        let (to, of, by) = (to.into(), Cow::Borrowed(&made.of), Cow::Borrowed(&*self.mark));
        let at = made.at;
        let kept = match &made.content {
            Content::Email(Document { subject, text, html })
            | Content::Letter(Document { subject, text, html }) => {
                let (subject, text, html) = (Some(subject.into()), text.into(), Some(html.into()));
                Kept { to, at, subject, text, html, segments: None, coding: None, of, by }
            }
            Content::Sms(SmsText { text, coding, segments }) => {
                let (segments, coding) = (Some(*segments), Some(*coding));
                let text = text.into();
                Kept { to, at, subject: None, text, html: None, segments, coding, of, by }
            }
        };
        // As long as it gets, about.
        let mut json = Vec::with_capacity(8192);
        serde_json::to_writer(&mut json, &kept)?;
        Ok(json)
    }

    /// A kept message, where it is what would be made now.
    pub(crate) fn as_kept(&self, kept: Value, decided: &Decided<'_>) -> Option<Content> {
        let kept: Kept<'_> = serde_json::from_value(kept).ok()?;
        let zone = &decided.rules.creditor.zone;
        let same_day = day_in(kept.at, zone) == day_in(decided.at, zone);
        if !same_day || *kept.of != decided.of || kept.by != self.mark {
            return None;
        }
        let Kept { subject, text, html, segments, coding, .. } = kept;
        let (text, subject) = (text.into_owned(), subject.map(Cow::into_owned));
        let html = html.map(Cow::into_owned);
        Some(match decided.notice.channel {
            Channel::Sms => Content::Sms(SmsText { text, coding: coding?, segments: segments? }),
            Channel::Email => Content::Email(Document { subject: subject?, text, html: html? }),
            Channel::Letter => Content::Letter(Document { subject: subject?, text, html: html? }),
        })
    }
}

impl Maker for Workshop {
    fn make(&self, decided: &Decided<'_>) -> Option<(Vec<u8>, Paylink)> {
        // Whoever is to send it meets the same, and parks it where it is for a person to mend.
        let made = self.message(decided).ok()?;
        let kept = self.keep(&made).ok()?;
        Some((kept, made.paylink))
    }
}

/// `templates/<text>.<language>.<tone>.<channel>.hbs` as the key of a text.
fn text_key(file: &str) -> Option<TextKey> {
    let name = file.strip_prefix("templates/")?.strip_suffix(".hbs")?;
    let mut parts = name.rsplitn(4, '.');
    let channel = parts.next()?;
    let (tone, language, text) = (parts.next()?, parts.next()?, parts.next()?);
    let channel = Channel::ALL.into_iter().find(|known| known.name() == channel)?;
    let (text, language, tone) = (text.to_owned(), language.to_owned(), tone.to_owned());
    Some(TextKey { text, language, tone, channel })
}

fn context(
    of: &Decided<'_>,
    head: &Letterhead,
    name: Option<String>,
    link: String,
) -> MessageContext {
    let Decided { id, account, notice: decided, rules, at, data, .. } = *of;
    let currency = decided.currency;
    let money = |amount: Decimal| Money::new(amount, currency);
    let today = day_in(at, &rules.creditor.zone);
    let book = Book::of(account, currency);
    let mut claims = Vec::with_capacity(decided.claims.len());
    let (mut principal, mut fees) = (Decimal::ZERO, Decimal::ZERO);
    let mut interest = Decimal::ZERO;
    let told_to = decided.interest_to.unwrap_or(today);
    let mut counted_to = None;
    for part in &decided.claims {
        let Some(column) = book.claim(&part.invoice) else { continue };
        principal += column.outstanding;
        fees += column.fees;
        interest += column.interest_on(told_to);
        counted_to = counted_to.max(column.interest_counted_to(told_to));
        let about = data.get(&format!("invoice/{}", part.invoice));
        let description = about.and_then(|v| v.get("description")).and_then(Value::as_str);
        claims.push(ClaimLine {
            invoice: part.invoice.to_string(),
            amount: money(column.open_on(told_to)),
            issued_on: column.claim.invoice.as_ref().map_or(column.due_on, |i| i.issued_on),
            due_on: column.due_on,
            description: description.map(str::to_owned),
        });
    }
    let fee = decided.fee.as_ref().map_or(Decimal::ZERO, |(_, amount)| *amount);
    let lump_sum = decided.lump_sums.iter().map(|(_, amount)| *amount).sum::<Decimal>();
    fees += fee + lump_sum;
    let debtor = account.profile();
    let deadline =
        decided.deadline.map(|span| law::deadline(span, today, rules.creditor.seat(), debtor));
    let late_from = deadline.unwrap_or(today).saturating_add(1.day());
    let mut parts = decided.claims.iter();
    let bears_interest = parts.any(|part| account.would_bear_interest(&part.invoice, late_from));
    let first_on = today.checked_add(7.days()).unwrap_or(today);
    let offered = match rules.policy(currency).filter(|_| !decided.plans.is_empty()) {
        Some(policy) => offers(policy, principal + fees + interest, first_on),
        None => Vec::new(),
    };
    let plans = offered.into_iter().filter(|(terms, _)| decided.plans.contains(terms));
    let plans = plans.filter_map(|(terms, rates)| {
        Some(PlanLine {
            rates: terms.rates,
            first: money(rates.first()?.amount),
            rate: money(rates.get(1)?.amount),
            last: money(rates.last()?.amount),
            last_on: rates.last()?.due_on,
        })
    });
    let single = match decided.claims.as_slice() {
        [only] => Some(&only.invoice),
        _ => None,
    };
    MessageContext {
        creditor: head.creditor.clone(),
        debtor_name: name,
        total: money(principal + fees + interest),
        principal: money(principal),
        fees: money(fees),
        fee: money(fee),
        lump_sum: money(lump_sum),
        interest: money(interest),
        interest_to: counted_to.unwrap_or(told_to),
        bears_interest,
        searched_on: account.searched_in_vain(today, &rules.creditor.zone),
        went_back_on: account.went_back_unsaid(
            currency,
            decided.claims.iter().map(|part| &part.invoice),
            &rules.creditor.zone,
        ),
        reassigned: account.reassigned_unsaid(
            currency,
            decided.claims.iter().map(|part| &part.invoice),
            &rules.creditor.zone,
        ),
        help_asked_on: account.plea_to_own_up_to(&rules.creditor.zone),
        deadline,
        claims,
        plans: plans.collect(),
        link,
        reference: single.map_or_else(|| id.debtor.to_string(), ToString::to_string),
        payment_reference: PaymentReference::of(&id.debtor, single).shown(),
    }
}

#[cfg(test)]
mod tests;

//! A fresh paylink at the debtor's own request, for one that has expired. It goes to the address
//! on file and nowhere else; whoever holds the old link never sees the new one.
//!
//! It is an answer and no notice: no step, no fee, nothing that the contact limits count. Against
//! nuisance there is one answer an hour at most.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::{
    calendar::day_in,
    decision::channel_gap,
    fact::Channel,
    ids::{AccountId, NoticeId},
    money::{Currency, Decimal, Money},
};
use kulanz_engine::{Engine, ExecuteError, Extra, Fault, store::Paylink};
use thiserror::Error;

use crate::{
    dispatcher::{Letterhead, Person},
    render::{MessageContext, RenderError, Templates, TextKey, TextSource},
    senders::{Outgoing, SendError, Sender},
};

/// One answer in this time.
const PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// How long the fresh link opens its page.
const LINK: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Why no fresh link was sent.
#[derive(Debug, Error)]
pub enum RenewalError {
    /// Nobody to send it to: no address on file, or the account was erased.
    #[error("no address on file")]
    NoAddress,
    /// No text.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The gateway did not take it.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The texts of renewals, of the shop's voice but part of the program.
pub(crate) fn texts() -> Result<Templates, Vec<crate::render::TemplateProblem>> {
    let files = [
        ("de", Channel::Email, include_str!("../texts/renew.de.email.hbs")),
        ("en", Channel::Email, include_str!("../texts/renew.en.email.hbs")),
        ("de", Channel::Sms, include_str!("../texts/renew.de.sms.hbs")),
        ("en", Channel::Sms, include_str!("../texts/renew.en.sms.hbs")),
    ];
    Templates::compile(files.into_iter().map(|(language, channel, source)| {
        let file = format!("renew.{language}.{}.hbs", channel.name());
        (key(language, channel), TextSource { file, source: source.to_owned() })
    }))
}

fn key(language: &str, channel: Channel) -> TextKey {
    let (text, tone) = ("renew".to_owned(), "clear".to_owned());
    TextKey { text, language: language.to_owned(), tone, channel }
}

/// What a renewal is made with.
pub(crate) struct Renewal<'a> {
    pub engine: &'a Engine,
    pub head: &'a Letterhead,
    pub senders: &'a BTreeMap<Channel, Arc<dyn Sender>>,
    pub texts: &'a Templates,
    pub base_url: &'a str,
}

impl Renewal<'_> {
    pub(crate) async fn send(&self, expired: &Paylink) -> Result<(), RenewalError> {
        let id = &expired.account;
        let now = self.engine.clock().now();
        let mark = format!("renewed/{id}");
        if self.answered(&mark, now).await? {
            return Ok(());
        }
        let loaded = self.engine.load(id).await?.ok_or(RenewalError::NoAddress)?;
        let rules = self.engine.rules(id).ok_or(RenewalError::NoAddress)?;
        let debtor = loaded.account.profile().ok_or(RenewalError::NoAddress)?;
        let secrets = self.engine.secrets(id, &loaded, &["debtor"]).await?;
        let person = Person::of(secrets.get("debtor"));
        let open = |channel: Channel| {
            let gap = channel_gap(&loaded.account, debtor, &rules.creditor, channel);
            let sender = self.senders.get(&channel).filter(|_| gap.is_none())?;
            Some((channel, sender, person.recipient(channel)?))
        };
        let (channel, sender, to) =
            Channel::ALL.into_iter().find_map(open).ok_or(RenewalError::NoAddress)?;
        let expires = now.saturating_add(LINK).unwrap_or(now);
        let (token, link) = self.engine.new_paylink(id, None, expires)?;
        let language = if debtor.language.starts_with("de") { "de" } else { "en" };
        let nothing = Money::new(Decimal::ZERO, Currency::EUR);
        let context = MessageContext {
            creditor: self.head.creditor.clone(),
            debtor_name: person.name.clone(),
            total: nothing,
            principal: nothing,
            fees: nothing,
            fee: nothing,
            lump_sum: nothing,
            interest: nothing,
            interest_to: day_in(now, &rules.creditor.zone),
            deadline: None,
            claims: Vec::new(),
            plans: Vec::new(),
            link: format!("{}/p/{token}", self.base_url),
            reference: String::new(),
        };
        let content = self.texts.render(&key(language, channel), &context)?;
        let short: String = token_id(&link);
        let notice = NoticeId::new(&short).map_err(|e| Fault::Other(e.to_string()))?;
        self.keep(id, link).await?;
        let from = self.head.origin.clone();
        let message = Outgoing { to, from, content, reference: short, date: now };
        sender.send(&message, &notice).await?;
        self.engine.store().put_meta(mark, Some(now.to_string())).await.map_err(Fault::from)?;
        tracing::info!(account = %id, "a fresh link was sent");
        Ok(())
    }

    async fn answered(&self, mark: &str, now: Timestamp) -> Result<bool, Fault> {
        let last = self.engine.store().meta(mark.to_owned()).await?;
        let last = last.and_then(|text| text.parse::<Timestamp>().ok());
        Ok(last.is_some_and(|last| now.duration_since(last) < PAUSE))
    }

    async fn keep(&self, id: &AccountId, link: Paylink) -> Result<(), RenewalError> {
        let extra = Extra { paylinks: vec![link], ..Extra::default() };
        match self.engine.execute_with(id, None, "renewal", extra).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Failed(fault)) => Err(fault.into()),
            Err(ExecuteError::Refused(_)) => Err(RenewalError::NoAddress),
        }
    }
}

/// An id for the gateway that tells nothing of the token.
fn token_id(link: &Paylink) -> String {
    let hex: String = link.token_hash[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("L-{hex}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_programs_own_texts_compile() {
        assert!(super::texts().is_ok());
    }
}

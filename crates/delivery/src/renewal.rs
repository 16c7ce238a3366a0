//! A fresh paylink at the debtor's own request, for one that has expired. It goes to the address
//! on file and nowhere else; whoever holds the old link never sees the new one.
//!
//! It is an answer and no notice: no step, no fee, nothing that the contact limits count. Against
//! nuisance there is one answer an hour at most.

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
    render::{Content, MessageContext, RenderError, Templates, TextKey, TextSource},
    senders::{Outgoing, Recipient, SendError, Sender, Senders},
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
    pub senders: &'a Senders,
    pub texts: &'a Templates,
    pub base_url: &'a str,
}

impl Renewal<'_> {
    pub(crate) async fn send(&self, expired: &Paylink) -> Result<(), RenewalError> {
        let id = &expired.account;
        let now = self.engine.clock().now();
        let mark = format!("renewed/{id}");
        let store = self.engine.store();
        let last = store.meta(mark.clone()).await.map_err(Fault::from)?;
        if answered(last.as_deref(), now) {
            return Ok(());
        }
        let loaded = self.engine.load(id).await?.ok_or(RenewalError::NoAddress)?;
        let rules = self.engine.rules(id).ok_or(RenewalError::NoAddress)?;
        let debtor = loaded.account.profile().ok_or(RenewalError::NoAddress)?;
        let secrets = self.engine.secrets(id, &loaded, &["debtor"]).await?;
        let person = Person::of(secrets.get("debtor"));
        let open = |channel: Channel| {
            let gap = channel_gap(&loaded.account, debtor, &rules.creditor, channel);
            // No notice: the shop's own gateway could not fetch it.
            let sender = self.senders.ours(&id.creditor, channel).filter(|_| gap.is_none())?;
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
            bears_interest: false,
            searched_on: None,
            went_back_on: None,
            reassigned: None,
            help_asked_on: None,
            deadline: None,
            claims: Vec::new(),
            plans: Vec::new(),
            link: format!("{}/p/{token}", self.base_url),
            reference: String::new(),
            payment_reference: String::new(),
        };
        let content = self.texts.render(&key(language, channel), &context)?;
        let short: String = token_id(&link);
        let notice = NoticeId::new(&short).map_err(|e| Fault::Other(e.to_string()))?;
        // Of several instances that are asked at once one answers.
        let own = Some(now.to_string());
        let first = store.swap_meta(mark.clone(), last.clone(), own.clone()).await;
        if !first.map_err(Fault::from)? {
            return Ok(());
        }
        let sent = self.keep_and_send(id, link, sender.as_ref(), content, to, notice, now).await;
        if sent.is_err() {
            // Asking again at once may help.
            store.swap_meta(mark, own, last).await.map_err(Fault::from)?;
        }
        sent?;
        tracing::info!(account = %id, "a fresh link was sent");
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // what a message is made of
    async fn keep_and_send(
        &self,
        id: &AccountId,
        link: Paylink,
        sender: &dyn Sender,
        content: Content,
        to: Recipient,
        notice: NoticeId,
        now: Timestamp,
    ) -> Result<(), RenewalError> {
        self.keep(id, link).await?;
        let from = self.head.origin.clone();
        let reference = notice.to_string();
        let account = id.clone();
        let message = Outgoing { account, step: None, to, from, content, reference, date: now };
        sender.send(&message, &notice).await?;
        Ok(())
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

fn answered(last: Option<&str>, now: Timestamp) -> bool {
    let last = last.and_then(|text| text.parse::<Timestamp>().ok());
    last.is_some_and(|last| now.duration_since(last) < PAUSE)
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

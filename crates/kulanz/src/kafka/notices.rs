//! `kulanz.notices`: messages that are ready, for shops that send through a gateway of their own
//! (`schemas/notice-ready.schema.json`). A record has ids alone; who is to read what is fetched by
//! `GET /v1/notices/ID`, so that neither names nor addresses nor links lie in a log that no
//! erasure reaches.
//!
//! For delivery this is a gateway like another: the message was looked at once more and kept before
//! it comes here, and that the cluster has the record is that the gateway took it. The notice's id
//! is the key: whoever reads takes each id once, so that a record in doubt is written again.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use kulanz_delivery::{
    render::Content,
    senders::{Accepted, Outgoing, SendError, Sender},
};
use kulanz_domain::{fact::Channel, ids::NoticeId};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde_json::{Value, json};

use super::{outbound::Record, producer::Outlet, settings::KafkaSettings, topics::NOTICES};

/// For how long a record is tried before its message waits for its next turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells of messages.
pub struct Notices {
    outlet: Outlet,
}

impl Notices {
    /// Connects in the background.
    pub fn new(settings: &KafkaSettings) -> Result<Self> {
        Ok(Self { outlet: Outlet::with_patience(settings, PATIENCE)? })
    }
}

#[async_trait]
impl Sender for Notices {
    async fn send(&self, message: &Outgoing, key: &NoticeId) -> Result<Accepted, SendError> {
        // While no broker answers, nothing is queued that could leave when it is no longer right.
        if let Err(error) = self.outlet.is_there(NOTICES).await {
            let (reason, after) = (format!("{error:#}"), None);
            return Err(SendError::Retry { reason, after, may_have_left: false, busy: true });
        }
        match self.outlet.write(&record(message, key)).await {
            Ok(()) => Ok(Accepted { via: format!("Kafka topic {NOTICES}"), gateway_id: None }),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn idempotent(&self) -> bool {
        true
    }
}

impl Notices {
    fn failed(&self, error: &KafkaError) -> SendError {
        let reason = format!("{:#}", self.outlet.explain(error));
        // Turned away, or never queued; all else may be there, and is taken once for each key.
        let turned_away = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::QueueFull
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownPartition,
            )
        );
        let (may_have_left, busy) = (!turned_away, turned_away);
        SendError::Retry { reason, after: None, may_have_left, busy }
    }
}

fn record(message: &Outgoing, notice: &NoticeId) -> Record {
    let account = &message.account;
    let channel = match message.content {
        Content::Email(_) => Channel::Email,
        Content::Sms(_) => Channel::Sms,
        Content::Letter(_) => Channel::Letter,
    };
    let mut data = json!({
        "creditor": account.creditor, "debtor": account.debtor, "notice": notice,
        "channel": channel.name(), "path": format!("/v1/notices/{notice}"),
    });
    if let Some(step) = &message.step {
        data["step"] = json!(step);
    }
    let value: Value = json!({
        "specversion": "1.0", "id": notice, "source": crate::outbound::SOURCE,
        "type": "kulanz.notice.ready.v1", "subject": account.to_string(),
        "time": message.date.to_string(), "datacontenttype": "application/json", "data": data,
    });
    Record { topic: NOTICES, key: account.to_string(), value: value.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kulanz_delivery::{
        render::sms,
        senders::{Origin, Recipient},
    };

    use super::*;

    #[test]
    fn a_record_says_which_message_and_nothing_of_its_reader() {
        let message = Outgoing {
            account: "shop/K-1".parse().unwrap(),
            step: Some("mahnung".parse().unwrap()),
            to: Recipient::Mobile("+4915112345678".to_owned()),
            from: Origin { name: "Shop".to_owned(), ..Origin::default() },
            content: Content::Sms(sms("Hallo Kim, https://pay.example/p/geheim").unwrap()),
            reference: "N-1".to_owned(),
            date: "2026-03-18T10:00:00Z".parse().unwrap(),
        };
        let record = record(&message, &NoticeId::new("N-1").unwrap());
        assert_eq!((record.topic, record.key.as_str()), (NOTICES, "shop/K-1"));
        let value: Value = serde_json::from_str(&record.value).unwrap();
        let expected = json!({
            "specversion": "1.0", "id": "N-1", "source": "kulanz",
            "type": "kulanz.notice.ready.v1", "subject": "shop/K-1",
            "time": "2026-03-18T10:00:00Z", "datacontenttype": "application/json",
            "data": { "creditor": "shop", "debtor": "K-1", "notice": "N-1", "channel": "sms",
                      "step": "mahnung", "path": "/v1/notices/N-1" },
        });
        assert_eq!(value, expected);
    }
}

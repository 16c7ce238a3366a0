use std::{net::TcpListener, time::Duration};

use kulanz_delivery::{
    render::{Content, sms},
    senders::{
        Accepted, OutboxPage, Outgoing, Pace, Recipient, Secret, SendError, Sender, SmsGateway,
        SmsGatewayConfig,
    },
};
use serde_json::{Value, json};

use super::{
    notice, outgoing,
    process::{Folder, Server},
};

fn config(port: u16) -> SmsGatewayConfig {
    serde_json::from_value(json!({
        "url": format!("http://127.0.0.1:{port}/messages"),
        "from": "Lindenmoor",
        "id_pointer": "/message/id",
        "timeout_ms": 2_000,
    }))
    .unwrap()
}

fn careless(port: u16) -> SmsGatewayConfig {
    SmsGatewayConfig { honours_idempotency: false, ..config(port) }
}

fn text(text: &str) -> Outgoing {
    let to = Recipient::Mobile("+4915112345678".to_owned());
    outgoing(to, Content::Sms(sms(text).unwrap()))
}

async fn attempt(config: &SmsGatewayConfig, said: &str, key: &str) -> Result<Accepted, SendError> {
    SmsGateway::new(config.clone()).unwrap().send(&text(said), &notice(key)).await
}

async fn taken(server: &Server) -> Vec<Value> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://127.0.0.1:{}/taken", server.port)).send().await;
    answer.unwrap().json().await.unwrap()
}

/// Tried again; whether the gateway may have it.
fn retried(ended: &Result<Accepted, SendError>, seconds: Option<u64>) -> bool {
    let Err(SendError::Retry { after, reason, may_have_left, .. }) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(*after, seconds.map(Duration::from_secs), "{reason}");
    *may_have_left
}

fn unknown(ended: &Result<Accepted, SendError>) {
    assert!(matches!(ended, Err(SendError::Unknown { .. })), "{ended:?}");
}

#[tokio::test]
async fn a_text_message_is_taken_with_key_sender_and_secret() {
    let server = Server::gateway();
    let folder = Folder::new();
    let secret = folder.0.join("token");
    std::fs::write(&secret, "Bearer geheim\n").unwrap();
    let config = SmsGatewayConfig { auth: Some(Secret::File(secret)), ..config(server.port) };
    let accepted = attempt(&config, "Grüße: 35,00 € {to}", "N-1").await.unwrap();
    assert_eq!(accepted.via, "sms gateway 127.0.0.1");
    assert_eq!(accepted.gateway_id.as_deref(), Some("sms-N-1"));
    let body = json!({
        "to": "+4915112345678",
        "from": "Lindenmoor",
        "text": "Grüße: 35,00 € {to}",
        "reference": "KD-7",
    });
    assert_eq!(
        taken(&server).await,
        [json!({"key": "N-1", "requests": 1, "body": body, "authorization": "Bearer geheim"})]
    );
}

#[tokio::test]
async fn the_body_takes_the_providers_shape_and_the_creditors_own_sender() {
    let server = Server::gateway();
    let body = json!({"messages": [{"recipient": "{to}", "content": "{from}: {text}"}]});
    let config = SmsGatewayConfig { body, id_pointer: None, ..config(server.port) };
    let mut message = text("[odd] hi");
    message.from.sms = Some("Gartenshop".to_owned());
    let sender = SmsGateway::new(config).unwrap();
    let accepted = sender.send(&message, &notice("N-2")).await.unwrap();
    assert_eq!(accepted.gateway_id, None);
    let content = json!({"recipient": "+4915112345678", "content": "Gartenshop: [odd] hi"});
    assert_eq!(taken(&server).await[0]["body"], json!({"messages": [content]}));
}

#[tokio::test]
async fn an_answer_without_the_id_is_still_an_acceptance() {
    let server = Server::gateway();
    let accepted = attempt(&config(server.port), "[odd]", "N-3").await.unwrap();
    assert_eq!(accepted.gateway_id, None);
    assert_eq!(taken(&server).await.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_repeated_under_the_same_key_and_taken_once() {
    let server = Server::gateway();
    let config = config(server.port);
    assert!(SmsGateway::new(config.clone()).unwrap().idempotent());
    let words = ["[take-and-500]", "[take-and-hang]", "[take-and-close]", "[fail-once]"];
    for (number, word) in words.iter().enumerate() {
        let key = format!("N-{number}");
        assert!(retried(&attempt(&config, word, &key).await, None), "{word}");
        let accepted = attempt(&config, word, &key).await.unwrap();
        assert_eq!(accepted.gateway_id, Some(format!("sms-{key}")), "{word}");
    }
    let taken = taken(&server).await;
    assert_eq!(taken.len(), words.len());
    assert!(taken.iter().all(|row| row["requests"] == 2), "{taken:?}");
}

#[tokio::test]
async fn without_idempotency_a_lost_answer_means_unknown() {
    let server = Server::gateway();
    let config = careless(server.port);
    assert!(!SmsGateway::new(config.clone()).unwrap().idempotent());
    let words = ["[500]", "[hang]", "[take-and-hang]", "[take-and-close]", "[302]"];
    for (number, word) in words.iter().enumerate() {
        unknown(&attempt(&config, word, &format!("N-{number}")).await);
    }
}

#[tokio::test]
async fn a_gateway_that_fails_or_hangs_is_tried_again() {
    let server = Server::gateway();
    for word in ["[500]", "[hang]", "[409]", "[302]"] {
        assert!(retried(&attempt(&config(server.port), word, "N-1").await, None), "{word}");
    }
    assert_eq!(taken(&server).await.len(), 0);
}

#[tokio::test]
async fn a_gateway_that_names_a_time_is_obeyed() {
    let server = Server::gateway();
    for config in [config(server.port), careless(server.port)] {
        assert!(!retried(&attempt(&config, "[429]", "N-1").await, Some(37)));
        assert!(!retried(&attempt(&config, "[503]", "N-1").await, Some(90)));
    }
}

/// The next message would hear the same.
fn busy(ended: &Result<Accepted, SendError>) -> bool {
    matches!(ended, Err(SendError::Retry { busy: true, may_have_left: false, .. }))
}

#[tokio::test]
async fn what_a_gateway_has_against_us_is_told_from_what_it_has_against_a_message() {
    let server = Server::gateway();
    for config in [config(server.port), careless(server.port)] {
        for (word, all) in [
            ("[429]", true),
            ("[503]", true),
            ("[401]", true),
            ("[402]", true),
            ("[408]", false),
            ("[409]", false),
            ("[422]", false),
            ("[500]", false),
        ] {
            let ended = attempt(&config, word, "N-1").await;
            assert_eq!(busy(&ended), all, "{word}: {ended:?}");
        }
    }
    assert_eq!(taken(&server).await.len(), 0);
}

#[tokio::test]
async fn a_pace_of_nothing_is_an_oversight() {
    let said = |change: Value| {
        let mut config = json!({ "url": "http://127.0.0.1:1/", "from": "L" });
        config.as_object_mut().unwrap().append(&mut change.as_object().unwrap().clone());
        SmsGateway::new(serde_json::from_value(config).unwrap()).map(|it| it.pace())
    };
    let error = |change| said(change).unwrap_err().to_string();
    assert_eq!(error(json!({ "at_once": 0 })), "at_once: must not be 0");
    let limit = "per_second: must not be 0; leave it out for no limit";
    assert_eq!(error(json!({ "per_second": 0 })), limit);
    let pace = Pace { at_once: 3, per_second: std::num::NonZeroU32::new(50) };
    assert_eq!(said(json!({ "at_once": 3, "per_second": 50 })).unwrap(), pace);
    assert_eq!(said(json!({})).unwrap(), Pace::default());
}

#[tokio::test]
async fn other_4xx_are_refusals_and_only_some_blame_the_number() {
    let server = Server::gateway();
    for (word, bad) in [("[410]", true), ("[422]", false)] {
        let ended = attempt(&config(server.port), word, "N-1").await;
        let Err(SendError::Refused { reason, address_bad }) = &ended else { panic!("{ended:?}") };
        assert_eq!(*address_bad, bad, "{word}");
        // The gateway's own words hold the number and are not repeated.
        assert!(!reason.contains("4915"), "{reason}");
    }
    let ended = attempt(&careless(server.port), "[409]", "N-1").await;
    assert!(matches!(ended, Err(SendError::Refused { address_bad: false, .. })), "{ended:?}");
}

#[tokio::test]
async fn a_gateway_that_cannot_be_reached_took_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let ended = attempt(&careless(port), "hi", "N-1").await;
    assert!(!retried(&ended, None) && busy(&ended));
}

#[tokio::test]
async fn a_number_that_is_none_is_refused_before_anything_is_sent() {
    for wrong in ["", "015112345678", "+49 151 1234567", "+12", "+491511234567890123"] {
        let mut message = text("hi");
        message.to = Recipient::Mobile(wrong.to_owned());
        let ended = SmsGateway::new(config(1)).unwrap().send(&message, &notice("N-1")).await;
        assert!(matches!(ended, Err(SendError::Refused { address_bad: true, .. })), "{ended:?}");
    }
}

#[tokio::test]
async fn without_a_gateway_messages_are_accepted_for_the_outbox_page() {
    let accepted = OutboxPage.send(&text("hi"), &notice("N-1")).await.unwrap();
    assert_eq!(accepted, Accepted { via: "outbox page".to_owned(), gateway_id: None });
    assert!(OutboxPage.idempotent());
}

//! Senders against real server processes: what they deliver, and what they make of every way in
//! which a server can fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod gateway;
mod process;
mod smtp;
mod smtp_connections;

use kulanz_delivery::render::Content;
use kulanz_delivery::senders::{Origin, Outgoing, Recipient};
use kulanz_domain::ids::NoticeId;

fn notice(id: &str) -> NoticeId {
    NoticeId::new(id).unwrap()
}

fn outgoing(to: Recipient, content: Content) -> Outgoing {
    Outgoing {
        account: "shop/K-7".parse().unwrap(),
        step: None,
        to,
        from: Origin {
            name: "Gärtnerei Lindenmoor, Köln".to_owned(),
            email: None,
            reply_to: Some("hilfe@lindenmoor.example".to_owned()),
            sms: None,
        },
        content,
        reference: "KD-7".to_owned(),
        date: "2026-03-18T10:00:00Z".parse().unwrap(),
    }
}

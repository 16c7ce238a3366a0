//! A run of e-mails goes by a few connections, and none is lost or doubled by their ends.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kulanz_delivery::{
    render::{Content, Document},
    senders::{Accepted, Secret, SendError, Sender, Smtp, SmtpConfig, SmtpTls},
};

use super::{
    notice,
    process::{Folder, Server},
    smtp::{config, mail},
};

async fn send(smtp: &Smtp, id: usize, local: &str) -> Result<Accepted, SendError> {
    let mut message = mail(&format!("{local}@example.org"));
    let (subject, text) = ("Offen".to_owned(), "Guten Tag,\n\n1,00 € ist offen.\n".to_owned());
    message.content = Content::Email(Document { subject, html: text.clone(), text });
    smtp.send(&message, &notice(&format!("N-{id}"))).await
}

/// Sends `count` messages, so many at a time, each until it is taken; how many attempts it took.
async fn run(smtp: Smtp, count: usize, at_once: usize) -> usize {
    let (smtp, mut lanes) = (Arc::new(smtp), tokio::task::JoinSet::new());
    for lane in 0..at_once {
        let smtp = Arc::clone(&smtp);
        lanes.spawn(async move {
            let mut attempts = 0;
            for id in (lane..count).step_by(at_once) {
                loop {
                    attempts += 1;
                    match send(&smtp, id, "anna").await {
                        Ok(_) => break,
                        Err(SendError::Retry { may_have_left: false, .. }) if attempts < 9999 => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            attempts
        });
    }
    lanes.join_all().await.into_iter().sum()
}

/// Each message that was sent arrived once.
fn once_each(folder: &Folder, count: usize) {
    let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
    for message in folder.messages() {
        let headers = message["headers"].as_array().unwrap();
        let id = headers.iter().find(|pair| pair[0] == "Message-ID").unwrap()[1].to_string();
        *arrived.entry(id).or_default() += 1;
    }
    assert_eq!(arrived.len(), count, "lost");
    assert!(arrived.values().all(|times| *times == 1), "doubled: {arrived:?}");
}

#[tokio::test]
async fn a_thousand_messages_go_by_a_few_connections() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let ours = SmtpConfig { at_once: 4, ..config(server.port) };
    assert_eq!(run(Smtp::new(ours).unwrap(), 1_000, 4).await, 1_000);
    once_each(&folder, 1_000);
    // Each carries a hundred: some servers take no more by one.
    let (opened, _) = folder.connections();
    assert!((10..=14).contains(&opened), "{opened} connections");
}

#[tokio::test]
async fn messages_by_tls_sign_in_once() {
    let folder = Folder::new();
    let secret = folder.0.join("password");
    std::fs::write(&secret, "geheim").unwrap();
    let server = Server::smtp(&folder, &["--tls", "starttls", "--login", "shop:geheim"]);
    let ours = SmtpConfig {
        tls: SmtpTls::Starttls,
        user: Some("shop".to_owned()),
        password: Some(Secret::File(secret)),
        extra_ca: Some(folder.0.join("ca.pem")),
        ..config(server.port)
    };
    assert_eq!(run(Smtp::new(ours).unwrap(), 20, 1).await, 20);
    once_each(&folder, 20);
    assert_eq!(folder.connections().0, 1);
}

#[tokio::test]
async fn a_server_that_closes_connections_between_messages_costs_nothing_but_new_ones() {
    for ends in ["close", "421", "mail"] {
        let folder = Folder::new();
        let server = Server::smtp(&folder, &["--messages", "7", "--ends", ends]);
        let attempts = run(Smtp::new(config(server.port)).unwrap(), 70, 2).await;
        // That a connection ended is no failure of the message that would have been next.
        assert_eq!(attempts, 70, "{ends}");
        once_each(&folder, 70);
        let (opened, _) = folder.connections();
        assert!((10..=12).contains(&opened), "{ends}: {opened} connections");
    }
}

#[tokio::test]
async fn a_server_that_dies_between_two_messages_gets_the_second_when_it_is_back() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let port = server.port;
    let smtp = Smtp::new(config(port)).unwrap();
    send(&smtp, 1, "anna").await.unwrap();
    drop(server);
    let ended = send(&smtp, 2, "anna").await;
    let Err(SendError::Retry { reason, may_have_left: false, busy: true, .. }) = &ended else {
        panic!("{ended:?}")
    };
    assert!(reason.starts_with("connecting: "), "{reason}");

    let again = Folder::new();
    let _server = Server::smtp(&again, &["--port", &port.to_string()]);
    send(&smtp, 2, "anna").await.unwrap();
    once_each(&folder, 1);
    once_each(&again, 1);
}

#[tokio::test]
async fn what_has_no_answer_to_its_end_is_unknown_on_a_used_connection_too() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let smtp = Smtp::new(config(server.port)).unwrap();
    send(&smtp, 1, "anna").await.unwrap();
    let ended = send(&smtp, 2, "vanish").await;
    assert!(matches!(&ended, Err(SendError::Unknown { .. })), "{ended:?}");
    assert_eq!(folder.connections().0, 1, "the second went by the connection of the first");
    send(&smtp, 3, "anna").await.unwrap();
    once_each(&folder, 3);
    assert_eq!(folder.connections().0, 2);
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_behind_for_the_next() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let smtp = Smtp::new(config(server.port)).unwrap();
    for (id, local) in ["nobody", "spam", "greylisted", "blocked"].iter().enumerate() {
        let ended = send(&smtp, id, local).await;
        assert!(matches!(&ended, Err(SendError::Refused { .. } | SendError::Retry { .. })));
        send(&smtp, 10 + id, "anna").await.unwrap();
    }
    once_each(&folder, 4);
    assert!(folder.messages().iter().all(|it| it["to"] == serde_json::json!(["anna@example.org"])));
    assert_eq!(folder.connections().0, 1);
}

/// A server whose answers are one ahead of what was said would seem to take what it never got.
#[tokio::test]
async fn a_server_that_answers_out_of_turn_is_not_believed() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let smtp = Smtp::new(config(server.port)).unwrap();
    send(&smtp, 1, "stutter").await.unwrap();
    let ended = send(&smtp, 2, "anna").await;
    let taken = folder.messages().len() == 2;
    assert_eq!(taken, ended.is_ok(), "{ended:?}");
    let ended = send(&smtp, 3, "early").await;
    let Err(SendError::Retry { reason, may_have_left: false, .. }) = &ended else {
        panic!("{ended:?}")
    };
    assert_eq!(reason, "DATA: the server answered 250");
}

#[tokio::test]
async fn a_connection_that_nobody_needs_is_closed() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let smtp = Smtp::new(config(server.port)).unwrap().with_idle(Duration::from_millis(50));
    send(&smtp, 1, "anna").await.unwrap();
    let closed = async {
        while folder.connections() != (1, 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed).await.expect("closed by itself");
    send(&smtp, 2, "anna").await.unwrap();
    once_each(&folder, 2);
    assert_eq!(folder.connections().0, 2);
}

#[tokio::test]
async fn a_server_that_closes_what_is_idle_gets_the_next_by_a_new_one() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &["--idle", "0.05"]);
    let smtp = Smtp::new(config(server.port)).unwrap();
    send(&smtp, 1, "anna").await.unwrap();
    let closed = async {
        while folder.connections() != (1, 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed).await.expect("closed by the server");
    send(&smtp, 2, "anna").await.unwrap();
    once_each(&folder, 2);
    assert_eq!(folder.connections().0, 2);
}

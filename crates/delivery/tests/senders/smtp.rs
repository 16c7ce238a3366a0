use std::{net::TcpListener, path::Path};

use kulanz_delivery::{
    render::{Content, Document, sms},
    senders::{
        Accepted, Outgoing, Recipient, Secret, SendError, Sender, Smtp, SmtpConfig, SmtpTls,
    },
};
use serde_json::Value;

use super::{
    notice, outgoing,
    process::{Folder, Server},
};

pub fn config(port: u16) -> SmtpConfig {
    SmtpConfig {
        host: "localhost".to_owned(),
        port,
        tls: SmtpTls::None,
        user: None,
        password: None,
        from: "rechnung@lindenmoor.example".to_owned(),
        at_once: 32,
        per_second: None,
        timeout_ms: 20_000,
        extra_ca: None,
    }
}

fn document() -> Document {
    let long = "Sehr lange Zeilen müssen heil ankommen, auch mit Ümläuten. ".repeat(40);
    Document {
        subject: "Lindenmoor: 1.237,06 € sind seit dem 12. März offen – bitte prüfen Sie das"
            .to_owned(),
        text: format!("Guten Tag Jörg Müller,\n\n{long}\n.\n..zwei Punkte\n\nGrüße\n"),
        html: format!(
            "<!DOCTYPE html>\n<html lang=\"de\"><body><p>{long}</p>\n.\n</body></html>\n"
        ),
    }
}

pub fn mail(address: &str) -> Outgoing {
    let name = Some("Jörg \"Jogi\" Müller\r\nBcc: victim@example.org".to_owned());
    let to = Recipient::Email { name, address: address.to_owned() };
    outgoing(to, Content::Email(document()))
}

async fn attempt(config: SmtpConfig, address: &str) -> Result<Accepted, SendError> {
    Smtp::new(config).unwrap().send(&mail(address), &notice("N-1")).await
}

fn header<'a>(message: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = message["headers"].as_array().unwrap();
    headers.iter().filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_email_arrives_whole_in_both_parts() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let accepted = attempt(config(server.port), "joerg@example.org").await.unwrap();
    assert_eq!(accepted.via, "smtp localhost");
    assert_eq!(accepted.gateway_id.as_deref(), Some("2.0.0 Ok: queued as T1"));

    let messages = folder.messages();
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message["from"], "rechnung@lindenmoor.example");
    assert_eq!(message["to"], serde_json::json!(["joerg@example.org"]));
    assert_eq!(message["type"], "multipart/alternative");
    let Document { subject, text, html } = document();
    assert_eq!(header(message, "Subject"), [subject.as_str()]);
    assert_eq!(header(message, "Message-ID"), ["<N-1@lindenmoor.example>"]);
    assert_eq!(header(message, "Auto-Submitted"), ["auto-generated"]);
    assert_eq!(header(message, "Date"), ["Wed, 18 Mar 2026 10:00:00 +0000"]);
    assert_eq!(
        header(message, "From"),
        ["\"Gärtnerei Lindenmoor, Köln\" <rechnung@lindenmoor.example>"]
    );
    assert_eq!(
        header(message, "Reply-To"),
        ["\"Gärtnerei Lindenmoor, Köln\" <hilfe@lindenmoor.example>"]
    );
    // On the way lines end in CR LF.
    let sent = |kind: &str, part: String| serde_json::json!([kind, part.replace('\n', "\r\n")]);
    assert_eq!(message["parts"][0], sent("text/plain", text));
    assert_eq!(message["parts"][1], sent("text/html", html));
    let raw = message["raw"].as_str().unwrap();
    assert!(raw.is_ascii());
    assert!(raw.split("\r\n").all(|line| line.len() <= 998 && !line.contains('\n')));
}

#[tokio::test]
async fn a_name_with_line_breaks_adds_no_header() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let mut hostile = mail("anna@example.org");
    hostile.from.name = "Shop\r\nX-Evil: yes\r\n\r\nbody".to_owned();
    if let Content::Email(document) = &mut hostile.content {
        document.subject = "Hallo\r\nBcc: victim@example.org".to_owned();
    }
    let sender = Smtp::new(config(server.port)).unwrap();
    sender.send(&hostile, &notice("N-2")).await.unwrap();
    let messages = folder.messages();
    for name in ["Bcc", "X-Evil"] {
        assert_eq!(header(&messages[0], name), [""; 0]);
    }
    assert_eq!(header(&messages[0], "Subject"), ["Hallo Bcc: victim@example.org"]);
    assert_eq!(messages[0]["to"], serde_json::json!(["anna@example.org"]));
}

#[tokio::test]
async fn starttls_with_sign_in_is_used_and_insisted_on() {
    let folder = Folder::new();
    let secret = folder.0.join("password");
    std::fs::write(&secret, "geh heim\n").unwrap();
    let server = Server::smtp(&folder, &["--tls", "starttls", "--login", "shop:geh heim"]);
    let ours = SmtpConfig {
        tls: SmtpTls::Starttls,
        user: Some("shop".to_owned()),
        password: Some(Secret::File(secret.clone())),
        extra_ca: Some(folder.0.join("ca.pem")),
        ..config(server.port)
    };
    attempt(ours.clone(), "anna@example.org").await.unwrap();
    assert_eq!(folder.messages()[0]["encrypted"], true);

    // An authority that nobody vouched for, and a wrong password: ours to correct, so try later.
    let stranger = SmtpConfig { extra_ca: None, ..ours.clone() };
    assert!(retried(attempt(stranger, "anna@example.org").await, "STARTTLS: "));
    std::fs::write(&secret, "falsch").unwrap();
    let said = "signing in: the server answered 535 5.7.8";
    assert!(retried(attempt(ours, "anna@example.org").await, said));

    // A server without TLS gets nothing, rather than everything in the clear.
    let plain_folder = Folder::new();
    let plain = Server::smtp(&plain_folder, &[]);
    let wants_tls = SmtpConfig { tls: SmtpTls::Starttls, ..config(plain.port) };
    let said = "the server offers no STARTTLS";
    assert!(retried(attempt(wants_tls, "anna@example.org").await, said));
    assert_eq!(plain_folder.messages().len() + folder.messages().len(), 1);
}

#[tokio::test]
async fn implicit_tls_works_from_the_first_byte() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &["--tls", "implicit"]);
    let ours = SmtpConfig {
        tls: SmtpTls::Implicit,
        extra_ca: Some(folder.0.join("ca.pem")),
        ..config(server.port)
    };
    attempt(ours, "anna@example.org").await.unwrap();
    assert_eq!(folder.messages()[0]["encrypted"], true);
}

/// Whether the next message would hear the same.
fn retried(ended: Result<Accepted, SendError>, said: &str) -> bool {
    let Err(SendError::Retry { reason, after: None, may_have_left: false, busy }) = &ended else {
        panic!("{ended:?}")
    };
    assert!(reason.starts_with(said), "{reason}");
    assert!(!reason.contains("example.org"), "{reason}");
    *busy
}

fn refused(ended: Result<Accepted, SendError>, said: &str, bad: bool) {
    let Err(SendError::Refused { reason, address_bad }) = &ended else { panic!("{ended:?}") };
    assert_eq!((reason.as_str(), *address_bad), (said, bad));
}

#[tokio::test]
async fn what_fails_before_the_final_dot_or_is_answered_was_not_taken() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let to = async |local| attempt(config(server.port), &format!("{local}@example.org")).await;
    assert!(!retried(to("greylisted").await, "RCPT: the server answered 451 4.7.1"));
    assert!(retried(to("later").await, "end of message: the server answered 451 4.3.0"));
    assert!(retried(to("quota").await, "RCPT: the server answered 454 4.7.0"));
    assert!(!retried(to("gone").await, "RCPT: "));
    refused(to("nobody").await, "RCPT: the server answered 550 5.1.1", true);
    refused(to("unplain").await, "RCPT: the server answered 550", true);
    refused(to("blocked").await, "RCPT: the server answered 550 5.7.1", false);
    refused(to("spam").await, "end of message: the server answered 554 5.7.1", false);
    assert_eq!(folder.messages().len(), 0);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_or_says_nothing_took_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Connects, for the kernel answers, but no greeting ever comes.
    let mute = SmtpConfig { timeout_ms: 300, ..config(port) };
    assert!(!retried(attempt(mute, "anna@example.org").await, "the server did not answer in time"));
    drop(listener);
    assert!(retried(attempt(config(port), "anna@example.org").await, "connecting: "));
}

#[tokio::test]
async fn without_an_answer_to_the_final_dot_the_outcome_is_unknown() {
    let folder = Folder::new();
    let server = Server::smtp(&folder, &[]);
    let unknown = |ended: Result<Accepted, SendError>| {
        assert!(matches!(&ended, Err(SendError::Unknown { .. })), "{ended:?}");
    };
    unknown(attempt(config(server.port), "vanish@example.org").await);
    // It did take the message: a second attempt would have been a second message.
    assert_eq!(folder.messages().len(), 1);
    let hurried = SmtpConfig { timeout_ms: 2_000, ..config(server.port) };
    unknown(attempt(hurried, "silent@example.org").await);
    assert_eq!(folder.messages().len(), 2);
    assert!(!Smtp::new(config(1)).unwrap().idempotent());
}

#[tokio::test]
async fn what_is_no_address_or_no_email_is_refused_before_anything_is_said() {
    for wrong in ["", "anna", "anna@", "a@b\r\nRCPT TO:<c@example.org>", "a b@example.org"] {
        refused(attempt(config(1), wrong).await, "not an e-mail address", true);
    }
    let mobile = Recipient::Mobile("+4915112345678".to_owned());
    let text = outgoing(mobile, Content::Sms(sms("hi").unwrap()));
    let ended = Smtp::new(config(1)).unwrap().send(&text, &notice("N-3")).await;
    refused(ended, "a mail server takes e-mails to mailboxes only", false);
}

#[test]
fn a_configuration_that_cannot_work_is_an_error_at_start() {
    let wrong = |change: fn(&mut SmtpConfig)| {
        let mut config = config(25);
        change(&mut config);
        Smtp::new(config).unwrap_err().to_string()
    };
    assert!(wrong(|c| c.from = "lindenmoor".to_owned()).starts_with("from: "));
    assert!(wrong(|c| c.user = Some("shop".to_owned())).starts_with("user: "));
    assert!(wrong(|c| c.timeout_ms = 0).starts_with("timeout_ms: "));
    assert!(wrong(|c| c.at_once = 0).starts_with("at_once: "));
    assert!(wrong(|c| c.per_second = Some(0)).starts_with("per_second: "));
    let missing = wrong(|c| {
        c.user = Some("shop".to_owned());
        c.password = Some(Secret::File(Path::new("/does/not/exist").to_owned()));
    });
    assert!(missing.starts_with("the secret in file /does/not/exist cannot be read"), "{missing}");
    let in_the_clear = wrong(|c| {
        c.host = "mail.example".to_owned();
        c.user = Some("shop".to_owned());
        c.password = Some(Secret::Env("PATH".to_owned()));
    });
    assert!(in_the_clear.starts_with("tls: a password is never"), "{in_the_clear}");
    let no_ca = wrong(|c| {
        c.tls = SmtpTls::Implicit;
        c.extra_ca = Some(Path::new("/does/not/exist").to_owned());
    });
    assert!(no_ca.starts_with("the certificates in /does/not/exist"), "{no_ca}");
}

//! Settings: the default file, the environment, what is shown and what is refused.

use std::fs;

use serde_json::{Value, json};

use super::{
    events,
    http::NDJSON,
    world::{Installation, Said, lines, repository},
};

/// Runs the program with these variables.
fn run(house: &Installation, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = house.command(arguments);
    command.envs(variables.iter().copied());
    Said::of(command.output().unwrap())
}

#[test]
fn a_server_takes_the_printed_default_file_as_it_is() {
    let house = Installation::new();
    let printed = house.run(&["config", "default"]).well().out;
    assert!(printed.contains("\n#  brokers: ") && printed.contains("\ntelemetry:\n"), "{printed}");
    fs::write(house.config().join("kulanz.yaml"), printed).unwrap();
    house.run(&["config", "check"]).well();
    house.serve().stop();
}

#[test]
fn a_server_is_set_by_its_environment_alone() {
    let house = Installation::new();
    house.settings(&json!({ "base_url": "http://127.0.0.1:9", "telemetry": { "logs": "text" } }));
    let base_url = "http://127.0.0.1:7";
    let server = house.serve_with(&[
        ("KULANZ_BASE_URL", base_url),
        ("KULANZ_TELEMETRY__LOGS", "json"),
        ("KULANZ_MASTER_KEY_FILE", "other.key"),
        // As Kubernetes makes them of the service `kulanz`.
        ("KULANZ_PORT", "tcp://10.0.0.1:80"),
        ("KULANZ_SERVICE_HOST", "10.0.0.1"),
    ]);
    let told = [
        events::debtor("atelier/K-1", "regular", "kim@example.org", "+491511234567"),
        events::invoice("atelier/K-1", "R-1", "49.90", &events::day(3)),
    ];
    assert_eq!(server.post("/v1/events", &[NDJSON], lines(&told).as_bytes()).status, 202);
    let json_body = [("content-type", "application/json")];
    let link = server.post("/v1/accounts/atelier/K-1/paylinks", &json_body, b"{}");
    let url = link.json()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(base_url), "{url}");
    server.stop();
    assert!(house.data().join("other.key").is_file());
    assert!(!house.data().join("master.key").exists());
}

#[test]
fn a_server_with_a_variable_that_is_no_setting_does_not_start() {
    let house = Installation::new();
    for (name, value, words) in [
        ("KULANZ_BASE_ULR", "https://pay.example.org", "did you mean KULANZ_BASE_URL?"),
        ("KULANZ_KAFKA_BROKERS", "kafka:9092", "did you mean KULANZ_KAFKA__BROKERS?"),
        ("KULANZ_KAFKA__BOOTSTRAP_SERVERS", "kafka:9092", "KULANZ_KAFKA__BROKERS"),
        ("KULANZ_DATABASE", "", "is empty"),
        ("KULANZ_DATABASE_PASSWORD", "hunter2", "KULANZ_DATABASE_PASSWORD__FILE=PATH"),
        ("KULANZ_TELEMETRY__TRACES", "2", "a share is wanted"),
        ("KULANZ_TELEMETRY__LOGS", "xml", "write one of text, json"),
    ] {
        let said = run(&house, &["serve", "--listen", "127.0.0.1:0"], &[(name, value)]);
        let said = said.refused(&[name, words]);
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
}

#[test]
fn what_counts_is_shown_with_its_origin_and_without_secrets() {
    let house = Installation::new();
    let secret = house.file("secret", "hunter2\n");
    house.settings(&json!({
        "smtp": { "host": "mail", "port": 25, "from": "a@b.example", "user": "k",
                  "password": { "file": secret } },
    }));
    let variables = [("KULANZ_SMTP__PORT", "587"), ("KULANZ_PRICES__SMS", "0.0750")];
    let rows = run(&house, &["config", "show", "--json"], &variables).well().json();
    let row = |key: &str| -> Value {
        let rows = rows.as_array().unwrap();
        rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("{key}")).clone()
    };
    assert_eq!(row("smtp.port")["value"], 587);
    assert_eq!(row("smtp.port")["from"], json!({ "written": "KULANZ_SMTP__PORT" }));
    let file = format!("{}:1", house.config().join("kulanz.yaml").display());
    assert_eq!(row("smtp.host")["from"], json!({ "written": file }));
    assert_eq!(row("smtp.tls")["from"], "default");
    assert_eq!(row("prices.sms")["value"], "0.0750");
    assert_eq!(row("kafka")["value"], Value::Null);
    assert!(row("smtp.password")["value"].as_str().unwrap().starts_with("*** of the file"));
    let text = run(&house, &["config", "show"], &variables).well().out;
    assert!(text.contains("KULANZ_SMTP__PORT") && !text.contains("hunter2"), "{text}");
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_what_to_do() {
    let house = Installation::new();
    house.settings(&json!({
        "base_url": "pay.example.org",
        "database": "postgres://kulanz:hunter2@db.example.org/kulanz",
        "smtp": { "host": "mail", "port": 25, "from": "a@b.example", "user": "k",
                  "password": { "file": "/nowhere/smtp" } },
        "webhooks": [{ "name": "shop", "url": "http://shop.example.org", "secret_file": "s",
                       "creditor": "nobody" }],
    }));
    let said = house.run(&["config", "check"]).refused(&[
        "kulanz.yaml:1: base_url: ",
        "holds a password",
        "smtp: the secret in file /nowhere/smtp cannot be read",
        "webhooks.0: ",
        "policies/creditors/nobody.yaml",
    ]);
    assert!(!said.err.contains("hunter2"), "{}", said.err);
    let said = house.run(&["config", "check", "--json"]);
    assert_eq!(said.code, 1);
    assert_eq!(said.json()["wrong"].as_array().unwrap().len(), 5, "{}", said.out);
    let empty = Installation::new();
    assert_eq!(empty.json(&["config", "check"])["well"], true);
}

#[test]
fn the_settings_under_deploy_are_taken() {
    let house = Installation::new();
    for folder in ["deploy/compose", "deploy/kubernetes"] {
        let config = repository().join(folder);
        let mut command = std::process::Command::new(&*super::world::PROGRAM);
        command.args(["config", "show", "--json", "--config"]).arg(config);
        let rows = Said::of(command.current_dir(house.config()).output().unwrap()).well().json();
        let rows = rows.as_array().unwrap();
        assert!(rows.iter().any(|row| row["key"] == "kafka.brokers"), "{folder}");
    }
}

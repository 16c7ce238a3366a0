//! The published schema of HTTP against a real server: schemathesis makes requests from it, right
//! ones and wrong ones, and holds each answer against what the schema promises.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::json;

use super::{
    delivery::overdue,
    events::invoice,
    http::{self, NDJSON},
    orders::due_for_an_agency,
    world::{Installation, PROGRAM, eventually, lines, repository},
};

/// The Python in whose environment the tool is.
fn python() -> PathBuf {
    let target = PROGRAM.ancestors().nth(2).expect("a target folder");
    let setup = repository().join("tests/tools/fuzz/setup.sh");
    let made = Command::new(setup).arg(target).stderr(Stdio::inherit()).output().unwrap();
    assert!(made.status.success(), "the tool's environment cannot be made");
    String::from_utf8(made.stdout).unwrap().trim().into()
}

/// With how many requests a path; KULANZ_FUZZ names more for a long look.
fn examples() -> String {
    std::env::var("KULANZ_FUZZ").unwrap_or_else(|_| "25".to_owned())
}

#[test]
fn every_answer_is_one_that_the_schema_promises() {
    let python = python();
    let house = Installation::new();
    let token = house.token("fuzz", "admin", None);
    let server = house.serve();
    let bearer = format!("Bearer {token}");
    let headers = [NDJSON, ("Authorization", bearer.as_str())];
    let mut events = overdue("atelier/K-7", "email", "kim@example.org", "+447700900001");
    events.push(invoice("kontor/K-9", "R-9", "5.00", "2036-01-01"));
    events.extend(due_for_an_agency());
    let answer = server.post("/v1/events", &headers, lines(&events).as_bytes());
    assert_eq!(answer.status, 202);
    let notice = eventually("a reminder is there", || {
        let rows = house.json(&["outbox", "list"]);
        Some(rows[0]["notice"].as_str()?.to_owned())
    });
    let placement = eventually("a placement is there", || {
        let rows = house.json(&["handoff", "list"]);
        Some(rows[0]["placement"].as_str()?.to_owned())
    });
    // Ids that are there, so that not every answer is 404.
    let known = house.file(
        "fuzz.toml",
        format!(
            "[parameters]\n\"path.creditor\" = \"atelier\"\n\"path.debtor\" = \"K-1\"\n\
         \"path.notice\" = \"{notice}\"\n\"path.placement\" = \"{placement}\"\n"
        ),
    );
    for (what, config) in [("any ids", None), ("ids that are there", Some(&known))] {
        let mut run = Command::new(&python);
        run.args(["-m", "schemathesis.cli"]);
        if let Some(config) = config {
            run.arg("--config-file").arg(config);
        }
        run.arg("run").arg(repository().join("schemas/openapi.yaml"));
        run.args(["--url", &format!("http://{}", server.address)]);
        run.args(["--header", &format!("Authorization: {bearer}")]);
        run.args(["--checks", "all", "--max-examples", &examples(), "--workers", "1"]);
        run.args(["--phases", "examples,coverage,fuzzing", "--no-shrink", "--no-color"]);
        run.args(["--exclude-checks", NOT_PROMISED, "--continue-on-failure"]);
        run.args(["--request-timeout", "20", "--suppress-health-check", "all"]);
        let done = run.current_dir(house.path("")).env("PYTHONUTF8", "1").output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(
            done.status.success(),
            "with {what}: {said}\n{}\nlog: {}",
            String::from_utf8_lossy(&done.stderr),
            house.log()
        );
        assert!(said.contains("generated"), "it did something: {said}");
    }
    // It is alive, and what it was told before is still true.
    let read = [("Authorization", bearer.as_str())];
    let told = http::request(&server.address, "GET", "/v1/accounts/kontor/K-9", &read, b"");
    assert_eq!(told.unwrap().json()["books"][0]["claims"][0]["principal"], json!("5.00"));
    server.stop();
    assert_eq!(house.run(&["doctor"]).well().code, 0);
}

/// What a schema cannot promise: that an event or an order which has the right form is taken. The
/// data of an event have to fit its subject, an order has to fit the account.
const NOT_PROMISED: &str = "positive_data_acceptance";

//! What lies under deploy/, as far as it can be tried without a cluster.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;

use super::{
    events,
    world::{Installation, PROGRAM, repository},
};

#[test]
fn a_loss_is_rehearsed() {
    let house = Installation::new();
    let file = house.events(
        "told.ndjson",
        &[
            events::debtor("atelier/K-1", "regular", "kim@example.org", "+4915112345678"),
            events::invoice("atelier/K-1", "R-1", "49.90", &events::day(-3)),
            events::debtor("atelier/K-2", "regular", "tom@example.org", "+4915112345679"),
            events::invoice("atelier/K-2", "R-2", "12.00", &events::day(-3)),
        ],
    );
    let rehearse = |person: &str| {
        let mut script = Command::new(repository().join("deploy/rehearse.sh"));
        script.arg(&*PROGRAM).arg(house.config()).arg(&file).arg(person).output().unwrap()
    };
    let said = rehearse("atelier/K-1");
    let out = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{out}{}", String::from_utf8_lossy(&said.stderr));
    assert!(out.contains("the same book to the cent") && out.contains("K-1 stays erased"), "{out}");
    assert!(!rehearse("atelier/K-9").status.success());
}

#[test]
fn a_copy_is_made_beside_a_running_server_without_its_key() {
    let house = Installation::new();
    let server = house.serve();
    server.accept(&[events::debtor("atelier/K-1", "regular", "kim@example.org", "+491511234567")]);
    server.accept(&[events::invoice("atelier/K-1", "R-1", "49.90", &events::day(3))]);
    let to = house.path("copy");
    let made = house.json(&["backup", to.to_str().unwrap()]);
    assert_eq!((&made["accounts"], made["position"].as_u64() > Some(0)), (&1.into(), true));
    let names: Vec<_> = fs::read_dir(&to).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(names, ["kulanz.db"]);
    house.run(&["backup", to.to_str().unwrap()]).refused(&["is there already"]);
    server.stop();
    let empty = Installation::new();
    empty.run(&["backup", empty.path("copy").to_str().unwrap()]).refused(&["no data at"]);
}

/// Names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("kulanz_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let read = |file: &str| fs::read_to_string(repository().join(file)).unwrap();
    let known = metrics(&read("docs/operations.md"));
    let is_known = |name: &str| {
        let plain = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
        known.contains(name) || plain.is_some_and(|name| known.contains(name))
    };
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/kulanz.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = metrics(&read("deploy/prometheus/alerts.yaml"));
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            asked.extend(metrics(target["expr"].as_str().unwrap()));
        }
    }
    assert!(asked.len() > 8, "{asked:?}");
    for name in &asked {
        assert!(is_known(name), "{name} is in no list of metrics");
    }
}

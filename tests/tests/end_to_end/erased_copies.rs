//! What our own folders of placements say of a person goes with the person.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    http::JSON,
    orders::due_for_an_agency,
    world::{Installation, copy, eventually, files},
};

/// Two debtors, each due for the same agency.
pub fn two_debtors() -> Vec<Value> {
    let first = serde_json::to_string(&due_for_an_agency()).unwrap();
    let mut second = first.clone();
    for (one, other) in [("K-1", "K-2"), ("R-1", "R-3"), ("R-2", "R-4"), ("P-1", "P-9")] {
        second = second.replace(one, other);
    }
    second = second.replace("N-reminder", "M-reminder").replace("N-mahnung", "M-mahnung");
    second = second.replace("Teststrasse 5", "Xylophonweg 17");
    let parse = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap();
    [parse(&first), parse(&second)].concat()
}

/// All bytes below a folder, with the files' paths.
fn below(folder: &Path) -> String {
    let one = |file| format!("{file:?}{}", String::from_utf8_lossy(&fs::read(&file).unwrap()));
    files(folder).into_iter().map(one).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn unfinished(house: &Installation) -> Vec<Value> {
    let rows = house.json(&["handoff", "list"]);
    let rows = rows.as_array().unwrap().iter();
    rows.filter(|row| row["state"] == "erasure_unfinished").cloned().collect()
}

#[test]
fn with_a_person_goes_what_the_folders_of_placements_say() {
    let house = Installation::new();
    let (ada, bob) = (house.token("ada", "approver", None), house.token("bob", "clerk", None));
    house.import(&house.events("history.ndjson", &two_debtors())).well();
    let server = house.serve();
    let waiting = eventually("both placements wait", || {
        let rows = house.json(&["handoff", "list"]);
        rows.as_array().filter(|rows| rows.len() == 2).cloned()
    });
    let agency = house.data().join("handoff/muster-inkasso/atelier");
    let folder_of = |account: &str| {
        let row = waiting.iter().find(|row| row["account"] == account).unwrap();
        let placement = row["placement"].as_str().unwrap();
        for token in [&ada, &bob] {
            house.run(&["handoff", "release", placement, "--token", token]).well();
        }
        agency.join(placement)
    };
    let (first, second) = (folder_of("atelier/K-1"), folder_of("atelier/K-2"));
    assert!(below(&first).contains("Kim K-1") && below(&first).contains("Teststrasse 5"));
    let other = below(&second);
    assert!(other.contains("Kim K-2") && other.contains("Xylophonweg 17"));
    server.stop();
    let backup = house.path("backup");
    copy(&first, &backup);

    // The folder cannot be written: the key is gone all the same, and what is left is told.
    let lock = agency.join(".lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let erase = |account: &str| house.run(&["account", "erase", account, "--yes", "--token", &ada]);
    let path = first.display().to_string();
    erase("atelier/K-1").refused(&[
        "the key of atelier/K-1 is destroyed",
        &format!("{path} still holds name and address of an erased person"),
        "delete it by hand",
        ".lock cannot be written",
        "kulanz handoff list",
    ]);
    assert!(house.json(&["account", "show", "atelier/K-1"])["erased_at"].is_string());
    assert!(below(&first).contains("Kim K-1"));
    let left = unfinished(&house);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["account"], "atelier/K-1");

    // A server tries again. Nothing else is touched, and the agency hears of it.
    let server = house.serve();
    eventually("it is told that it does not go", || {
        house.log().contains("copies of erased persons are left").then_some(())
    });
    assert_eq!(unfinished(&house), left);
    fs::remove_dir(&lock).unwrap();
    eventually("nothing is unfinished", || unfinished(&house).is_empty().then_some(()));
    assert_eq!(names(&first), ["erased.json"]);
    let note: Value =
        serde_json::from_slice(&fs::read(first.join("erased.json")).unwrap()).unwrap();
    let erased_at = &house.json(&["account", "show", "atelier/K-1"])["erased_at"];
    assert_eq!(&note["erased_at"], erased_at, "{note}");
    let recall =
        fs::read(agency.join("recalls").join(first.file_name().unwrap()).with_extension("json"));
    let recall: Value = serde_json::from_slice(&recall.unwrap()).unwrap();
    assert_eq!(recall["reason"], "erased");
    let all = below(house.data());
    for personal in ["Kim K-1", "Teststrasse 5"] {
        assert!(!all.contains(personal), "{personal}");
    }
    assert_eq!(below(&second), other);

    // Beside a server the same: the order says what is left, then what it did.
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let path = second.display().to_string();
    erase("atelier/K-2").refused(&[
        "the key of atelier/K-2 is destroyed",
        &format!("{path} still holds name and address of an erased person"),
        ".lock cannot be written",
    ]);
    fs::remove_dir(&lock).unwrap();
    let said = erase("atelier/K-2").well().out;
    assert!(said.contains(&format!("{path} is erased but for a note")), "{said}");
    assert_eq!(names(&second), ["erased.json"]);
    assert!(!below(house.data()).contains("Kim K-2"));
    assert_eq!(unfinished(&house), Vec::<Value>::new());
    server.stop();

    // A folder that comes back from a backup, or that the agency took away.
    fs::remove_dir_all(&first).unwrap();
    copy(&backup, &first);
    assert!(below(&first).contains("Kim K-1"));
    fs::remove_dir_all(&second).unwrap();
    let server = house.serve();
    eventually("it is erased again", || (names(&first) == ["erased.json"]).then_some(()));
    server.stop();
    let said = erase("atelier/K-2").well().out;
    assert!(said.contains(&format!("{path} is not there any more")), "{said}");
    assert_eq!(house.json(&["rebuild"])["wrong_snapshots"], json!([]));
}

#[test]
fn asked_again_with_its_key_an_erasure_says_what_is_left_until_nothing_is() {
    let house = Installation::new();
    let (ada, bob) = (house.token("ada", "approver", None), house.token("bob", "clerk", None));
    house.import(&house.events("history.ndjson", &due_for_an_agency())).well();
    let server = house.serve();
    let waiting =
        eventually("the placement waits", || house.json(&["handoff", "list"]).get(0).cloned());
    let placement = waiting["placement"].as_str().unwrap();
    for token in [&ada, &bob] {
        house.run(&["handoff", "release", placement, "--token", token]).well();
    }
    let agency = house.data().join("handoff/muster-inkasso/atelier");
    let folder = agency.join(placement);
    assert!(below(&folder).contains("Kim K-1"));
    let lock = agency.join(".lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();

    let order = json!({ "order": "erase", "account": "atelier/K-1" }).to_string();
    let bearer = format!("Bearer {ada}");
    let headers = [JSON, ("Authorization", bearer.as_str()), ("Idempotency-Key", "\"gone\"")];
    let erase = || server.post("/v1/orders", &headers, order.as_bytes());
    for _ in 0..2 {
        let problem = erase().problem(409);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("the key of atelier/K-1 is destroyed"), "{detail}");
        assert!(detail.contains("still holds name and address"), "{detail}");
    }
    fs::remove_dir(&lock).unwrap();
    let done = erase();
    assert_eq!((done.status, done.header("idempotency-replayed")), (200, Some("true")), "{done:?}");
    let said = done.json()["said"].to_string();
    assert!(said.contains("nobody can be told from it"), "{said}");
    assert!(said.contains("is erased but for a note"), "{said}");
    assert_eq!(erase().body, done.body);
    assert_eq!(names(&folder), ["erased.json"]);
    assert_eq!(
        house.kinds("atelier/K-1").iter().filter(|kind| *kind == "AccountErased").count(),
        1
    );
    server.stop();
}

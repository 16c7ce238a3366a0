//! From a blank folder to a policy that serves.

use std::fs;

use super::{events, world::Installation};

fn fill_in(house: &Installation) {
    let file = house.config().join("policies/creditors/workshop.yaml");
    let mut text = fs::read_to_string(&file).unwrap();
    for (empty, filled) in [
        ("legal_name: \"\"", "legal_name: Workshop GmbH"),
        ("street: \"\"", "street: Hafenweg 1"),
        ("postcode: \"\"", "postcode: \"48155\""),
        ("city: \"\"", "city: Münster"),
        ("iban: \"\"", "iban: DE89 3704 0044 0532 0130 00"),
        ("  email: \"\"", "  email: help@workshop.example"),
        ("phone: \"\"", "phone: +49 221 4710 123"),
        ("from: \"\"", "from: billing@workshop.example"),
    ] {
        assert!(text.contains(empty), "{empty}");
        text = text.replacen(empty, filled, 1);
    }
    fs::write(file, text).unwrap();
}

#[test]
fn a_new_policy_is_in_order_once_its_creditor_is_filled_in() {
    let house = Installation::new();
    fs::remove_dir_all(house.config().join("policies")).unwrap();
    let said = house.run(&["policy", "new", "goodwill", "--creditor", "workshop"]).well();
    assert!(said.out.contains("fill in what is empty"), "{}", said.out);
    assert!(said.out.contains("no server starts on these files"), "{}", said.out);
    // Each empty line is named, and nothing but those.
    let said = house.run(&["policy", "check"]).refused(&["workshop.yaml:7:13", "not an IBAN"]);
    assert_eq!(said.out, "8 errors, 0 warnings\n");
    fill_in(&house);
    let said = house.run(&["policy", "check"]).well();
    assert_eq!(said.out, "0 errors, 0 warnings\n", "{}", said.err);
    let said = house.run(&["policy", "test"]).well();
    assert!(said.out.ends_with("1 passed, 0 failed\n"), "{}", said.out);

    let server = house.serve();
    let account = "workshop/K-1";
    server.accept(&[
        events::debtor(account, "regular", "mia@example.org", "+4915112345678"),
        events::invoice(account, "R-1", "49.90", &events::day(1)),
    ]);
    let said = house.run(&["policy", "explain", account]).well();
    assert!(said.out.contains("reminder"), "{}", said.out);
    server.stop();
}

#[test]
fn what_is_there_already_is_not_touched() {
    let house = Installation::new();
    let creditor = house.config().join("policies/creditors/workshop.yaml");
    house.run(&["policy", "new", "goodwill", "--creditor", "workshop"]).well();
    fill_in(&house);
    let filled = fs::read_to_string(&creditor).unwrap();
    house
        .run(&["policy", "new", "goodwill", "--creditor", "workshop"])
        .refused(&["is there already", "another name"]);
    // A second policy for the same creditor leaves the creditor's file as it is.
    let second = ["policy", "new", "goodwill-chf", "--creditor", "workshop", "--currency", "CHF"];
    house.run(&second).well();
    assert_eq!(fs::read_to_string(&creditor).unwrap(), filled);
    house.run(&["policy", "check"]).well();
    house.run(&["policy", "new", "creditors", "--creditor", "workshop"]).refused(&["another name"]);
    assert_eq!(house.run(&["policy", "new", "../x", "--creditor", "workshop"]).code, 2);
    assert_eq!(house.run(&["policy", "new", "x", "--creditor", "w", "--currency", "XXX"]).code, 2);
}

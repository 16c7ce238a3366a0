use std::{fs, process::Command};

use serde_json::{Value, json};

use super::world::{Installation, repository};

fn worked() -> String {
    fs::read_to_string(repository().join("crates/domain/testdata/law.json")).unwrap()
}

#[test]
fn the_worked_examples_pass_and_a_broken_one_is_named() {
    let house = Installation::new();
    let file = house.file("law.json", worked());
    let said = house.run(&["law", "check", &file.display().to_string()]).well();
    assert_eq!(said.out, "130 passed, 0 failed\n");

    let mut broken: Value = serde_json::from_str(&worked()).unwrap();
    broken["interest"][0]["expected"]["interest"]["act_act"] = json!("3.40");
    broken["limitation"][1]["expected_act_by_193"] = json!("2024-01-01");
    let file = house.file("broken.json", broken.to_string());
    let said = house.run(&["law", "check", &file.display().to_string()]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (
            1,
            "INT-01 interest.act_act: expected 3.40, found 3.39\n\
         LIM-03 expected_act_by_193: expected 2024-01-01, found 2024-01-02\n\
         128 passed, 2 failed\n",
        )
    );
    let said = house.run(&["law", "check", "--json", &file.display().to_string()]);
    assert_eq!((said.code, &said.json()["passed"]), (1, &json!(128)));
}

#[test]
fn a_file_that_holds_no_worked_examples_is_malformed() {
    let house = Installation::new();
    for (name, text, reason) in [
        ("cut.json", "{\"interest\": [", "cut.json: not JSON: EOF while parsing a list at line 1"),
        ("list.json", "[]", "list.json: not an object"),
        ("empty.json", "{}", "empty.json: no worked examples"),
        ("odd.json", "{\"interest\": [[]]}", "odd.json: interest[0]: not an object"),
    ] {
        let file = house.file(name, text);
        let said = house.run(&["law", "check", &file.display().to_string()]);
        assert_eq!(said.code, 2, "{name}: {}", said.err);
        assert!(said.err.contains(reason), "{name}: {}", said.err);
    }
    assert_eq!(house.run(&["law", "check", "nowhere.json"]).code, 2);
}

#[test]
fn bad_input_is_refused_with_its_reason() {
    let house = Installation::new();
    let interest = |from, to| house.run(&["law", "interest", "100.00", "--from", from, "--to", to]);
    interest("2001-12-31", "2002-01-31").refused(&["no base rate is known before 2002-01-01"]);
    interest("2025-02-03", "2025-02-01").refused(&["more than a day before"]);
    interest("2026-12-01", "2099-01-15").refused(&["not published yet", "kulanz law rates update"]);
    interest("2025-02-03", "2025-02-02").well();
    let words = ["law", "interest", "100.00 USD", "--from", "2025-01-01", "--to", "2025-01-31"];
    house.run(&words).refused(&["USD and EUR cannot be added"]);

    let unknown = house.run(&["law", "business-day", "2026-06-04", "--state", "XX"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("`XX` is no state"), "{}", unknown.err);
    let turned =
        ["law", "limitation", "--due", "2022-05-10", "--suspended", "2024-06-08..2024-03-01"];
    house.run(&turned).refused(&["ends on 2024-03-01, before it starts"]);
    assert_eq!(house.run(&["law", "limitation"]).code, 2);
    let old = ["law", "collection-cost", "35.00", "--mandated", "2020-12-31"];
    house.run(&old).refused(&["2020-12-31", "the table begins 2021-01-01"]);
    house.run(&["law", "default"]).refused(&["name what happened"]);
    let mixed = [
        "law",
        "allocate",
        "10.00",
        "--debt",
        "principal=5.00",
        "--debt",
        "principal=5.00,currency=USD",
    ];
    house.run(&mixed).refused(&["debt 2", "USD and EUR cannot be added"]);
    let nobody = ["law", "allocate", "10.00", "--debt", "id=A,principal=5.00", "--designated", "B"];
    house.run(&nobody).refused(&["no debt is called `B`; there are A"]);
}

#[test]
fn answers_say_how_they_came_about() {
    let house = Installation::new();
    for (arguments, words) in [
        (
            &["law", "interest", "1000.00", "--from", "2025-06-15", "--to", "2025-07-15"][..],
            &["§§ 288 (1), 247 BGB", "2025-06-30", "7.27"][..],
        ),
        (
            &["law", "default", "--due", "2025-04-18", "--agreed", "--state", "BE"],
            &["§ 286 (2) no. 1 BGB", "§ 193 BGB", "Wed 2025-04-23"],
        ),
        (
            &["law", "allocate", "250.00", "--debt", "principal=500.00,costs=42.90,interest=11.37"],
            &["§ 367 (1) BGB", "195.73", "304.27"],
        ),
        (
            &["law", "limitation", "--due", "2020-06-01", "--state", "NW"],
            &["§§ 195, 199 (1) BGB", "act by Tue 2024-01-02"],
        ),
        (
            &["law", "collection-cost", "149.90", "--mandated", "2026-03-02"],
            &["VV 2300 RVG", "30.90", "55.62"],
        ),
        (
            &["law", "business-day", "2026-06-04", "--state", "NW", "--add", "1"],
            &["Fronleichnam", "Fri 2026-06-05"],
        ),
    ] {
        let said = house.run(arguments).well();
        for word in words {
            assert!(said.out.contains(word), "{word}: {}", said.out);
        }
        assert!(said.out.ends_with("Not legal advice.\n"), "{}", said.out);
        let answer = house.json(arguments);
        assert!(answer.is_object(), "{answer}");
        let explained =
            answer.get("explanation").or_else(|| answer["paid_later"].get("explanation"));
        assert!(explained.is_some_and(|lines| lines.is_array()), "{answer}");
    }
}

#[test]
fn a_newer_table_takes_its_place_or_is_refused_with_its_line() {
    let house = Installation::new();
    let shipped = house.run(&["law", "rates", "show", "--csv"]).well().out;
    let last = shipped.lines().last().unwrap().to_owned();
    let update = |name: &str, text: &str, force: bool| {
        let file = house.file(name, text).display().to_string();
        let flag = if force { "--force" } else { "--table=de" };
        house.run(&["law", "rates", "update", &file, flag])
    };
    let next = format!("{shipped}2027-01-01,1.77\n");
    let said = update("next.csv", &next, false).well();
    assert!(said.out.contains("lasts to 2027-06-30"), "{}", said.out);
    assert!(said.out.contains("from its next start"), "{}", said.out);
    let words = ["law", "interest", "100.00", "--from", "2026-12-01", "--to", "2027-01-15"];
    assert_eq!(house.json(&words)["amount"], "0.83");
    let table = house.json(&["law", "rates", "show"]);
    assert_eq!(table["last_day"], "2027-06-30");
    assert!(table["origin"].as_str().unwrap().ends_with("law/base-rates-de.csv"), "{table}");

    update("shorter.csv", &shipped, false).refused(&["it ends on 2026-12-31", "--force"]);
    let changed = next.replace("2022-01-01,-0.88", "2022-01-01,-0.80");
    update("changed.csv", &changed, false)
        .refused(&["the rate from 2022-01-01 is -0.80, in use is -0.88"]);
    for (name, text, reason) in [
        ("gap.csv", next.replace("2024-07-01,3.37\n", ""), "line 47: the half-year 2024-07-01"),
        ("twice.csv", next.replace(&last, &format!("{last}\n{last}")), "stands twice"),
        ("order.csv", format!("{next}2001-07-01,3.62\n"), "from old to new"),
        ("day.csv", next.replace("2027-01-01", "1.1.2027"), "line 52: `1.1.2027` is no day"),
        ("comma.csv", next.replace(",1.77", ",1,77"), "line 52: `1,77` is no percentage"),
        ("head.csv", next.replace("percent", "rate"), "line 1:"),
    ] {
        update(name, &text, true).refused(&[name, reason]);
    }
    assert_eq!(house.json(&["law", "rates", "show"])["last_day"], "2027-06-30");
    assert!(update("shorter.csv", &shipped, true).well().out.contains("Taken by force"));
    assert_eq!(house.json(&["law", "rates", "show"])["last_day"], "2026-12-31");
    let checks = house.run(&["doctor", "--json"]).json();
    let said = checks.as_array().unwrap().iter().find(|check| check["what"] == "base rates");
    assert!(said.unwrap()["said"].as_str().unwrap().contains("law/base-rates-de.csv"), "{checks}");
    let left: Vec<_> = fs::read_dir(house.data().join("law")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    fs::write(house.data().join("law/base-rates-de.csv"), "valid_from,percent\n2025-01-01\n")
        .unwrap();
    house.run(&words).refused(&["law/base-rates-de.csv", "line 2: a row is a day"]);
}

#[test]
fn a_newer_fee_table_takes_its_place_or_is_refused_with_its_line() {
    let house = Installation::new();
    let shipped = house.run(&["law", "rates", "show", "--table", "rvg", "--csv"]).well().out;
    let update = |name: &str, text: &str| {
        let file = house.file(name, text).display().to_string();
        house.run(&["law", "rates", "update", &file, "--table", "rvg"])
    };
    let block = shipped.lines().filter(|line| line.starts_with("2025-06-01"));
    let later: String =
        block.map(|line| format!("{}\n", line.replace("2025-06-01", "2030-01-01"))).collect();
    let raised = later.replace("first,500.00,,51.50", "first,500.00,,60.00");
    update("later.csv", &format!("{shipped}{raised}")).well();
    let words = ["law", "collection-cost", "500.00", "--factor", "0.9", "--mandated", "2030-01-01"];
    assert_eq!(house.json(&words)["business_fee_vv2300"], "54.00");
    update("older.csv", &shipped).refused(&["the tariff from 2030-01-01 is missing"]);
    let cut = shipped.replace("2025-06-01,step,,50000.00,175.00\n", "");
    update("cut.csv", &cut).refused(&["cut.csv", "line 18", "lacks a last step"]);
}

/// The holidays of an independent package, for all states and years, against ours.
#[test]
fn an_independent_calendar_knows_the_same_holidays() {
    let house = Installation::new();
    let setup = repository().join("crates/delivery/tests/tools/setup.sh");
    let target = repository().join("target");
    let made = Command::new("sh").arg(&setup).arg(&target).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let python = String::from_utf8(made.stdout).unwrap();
    let script = repository().join("tests/tools/holiday_examples.py");
    let told = Command::new(python.trim()).arg(&script).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let file = house.file("holidays.json", String::from_utf8(told.stdout).unwrap());
    let said = house.run(&["law", "check", &file.display().to_string()]);
    // Sixteen states, Austria and Switzerland, 17 years.
    assert_eq!((said.code, said.out.as_str()), (0, "306 passed, 0 failed\n"));
}

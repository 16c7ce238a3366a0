//! `kulanz policy test`.

use std::fs;

use serde_json::json;

use super::world::{Installation, repository};

const GOOD: &str = "test: whoever pays after the reminder <hears> nothing more
debtor: { kind: consumer, email: true }
events:
  - 2026-09-01: invoice R-1 of 89.90 due 2026-09-10
  - 2026-09-17: payment of 89.90 for R-1
expect:
  - 2026-09-14 08:00: reminder by email for R-1, persona everyone
  - nothing else
";

fn house(stories: &[(&str, &str)]) -> Installation {
    let house = Installation::new();
    let folder = house.config().join("policies/atelier-private/tests");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in stories {
        fs::write(folder.join(name), text).unwrap();
    }
    house
}

#[test]
fn the_shipped_policies_pass_and_lack_no_story() {
    let house = Installation::new();
    let policies = repository().join("policies").display().to_string();
    let said = house.run(&["policy", "test", "--require-tests", &policies]).well();
    let last = said.out.lines().last().unwrap();
    let passed: usize = last.strip_suffix(" passed, 0 failed").unwrap().parse().unwrap();
    assert_eq!(said.out.lines().count(), passed + 1, "one line a story: {}", said.out);
    assert!(passed > 60, "{last}");
}

#[test]
fn a_story_that_fails_prints_its_days_and_ends_with_1() {
    let disputed = GOOD
        .replace("  - 2026-09-17: payment of 89.90", "  - 2026-09-12: dispute D-1 about R-1\n#")
        .replace("<hears>", "& never");
    let house = house(&[("good.yaml", GOOD), ("disputed.yaml", &disputed)]);
    let said = house.run(&["policy", "test"]);
    assert_eq!(said.code, 1, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
    let row = "- 2026-09-14 08:00  expected reminder by email for R-1, persona everyone; waits: \
               disputed (line 8)";
    assert!(lines.contains(&row), "{}", said.out);
    assert_eq!(lines.last(), Some(&"1 passed, 1 failed"));

    let said = house.run(&["policy", "test", "--filter", "<HEARS>"]).well();
    assert!(said.out.ends_with("1 passed, 0 failed\n"), "{}", said.out);

    house.run(&["policy", "test", "--filter", "xyz"]).refused(&["no story's", "`xyz`"]);

    let said = house.run(&["policy", "test", "--json"]);
    let all = said.json();
    assert_eq!((said.code, &all["passed"], &all["failed"]), (1, &json!(1), &json!(1)));
    let failing = all["stories"][0]["days"].as_array().unwrap();
    let failing: Vec<_> = failing.iter().filter(|row| row["mark"] == "missing").collect();
    assert_eq!(failing.len(), 1);
    assert_eq!((&failing[0]["when"], &failing[0]["line"]), (&json!("2026-09-14 08:00"), &json!(8)));

    let report = house.path("report.xml").display().to_string();
    assert_eq!(house.run(&["policy", "test", "--junit", &report]).code, 1);
    let xml = fs::read_to_string(report).unwrap();
    assert!(xml.contains("tests=\"2\" failures=\"1\" errors=\"0\""), "{xml}");
    assert!(xml.contains("reminder &lt;hears&gt; nothing") && xml.contains("&amp; never"), "{xml}");
    assert_eq!(elements(&xml), ["testsuites", "testsuite", "testcase", "failure", "testcase"]);
}

/// The elements of a document in order; panics where one is not closed.
fn elements(xml: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for tag in xml.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('"') && !text.contains('>'), "{text}");
        if tag.starts_with('?') {
            continue;
        }
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap().to_owned();
        all.push(name.clone());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

#[test]
fn what_no_story_shows_fails_where_it_is_required() {
    let house = house(&[("good.yaml", GOOD)]);
    house.run(&["policy", "test"]).well();
    let said = house.run(&["policy", "test", "--require-tests"]);
    assert_eq!(said.code, 1);
    for lack in
        ["step `mahnung`", "step `inkasso`", "persona `by-text-message`", "guard `disputed`"]
    {
        assert!(said.out.contains(lack), "{lack}: {}", said.out);
    }
    for shown in ["step `reminder`", "persona `everyone`"] {
        assert!(!said.out.contains(shown), "{shown}: {}", said.out);
    }
    let both = house.run(&["policy", "test", "--require-tests", "--filter", "x"]);
    assert_eq!(both.code, 2, "a part of the stories cannot show everything");
}

#[test]
fn a_broken_story_is_told_with_line_column_and_help() {
    let broken = GOOD.replace("by email", "by mail");
    let house = house(&[("broken.yaml", &broken), ("good.yaml", GOOD)]);
    let said = house.run(&["policy", "test"]);
    assert_eq!(said.code, 1);
    for words in ["BROKEN", "broken.yaml:7:35", "`mail` is no channel", "did you mean `email`?"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(said.out.ends_with("1 passed, 1 failed\n"), "{}", said.out);
    let report = house.path("report.xml").display().to_string();
    house.run(&["policy", "test", "--junit", &report]);
    assert!(fs::read_to_string(report).unwrap().contains("failures=\"0\" errors=\"1\""));
    house.run(&["policy", "test", "nowhere"]).refused(&["no folder nowhere"]);
}

//! A policy is planned on the live book, applied, and decides after the next start.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    events::{day, debtor, invoice, payment},
    world::{Installation, Said, eventually},
};

/// Three debtors who owe, one of them by text message, and one who has paid. Under version 1 the
/// reminders come 4 days after the due date.
fn book() -> Vec<Value> {
    vec![
        debtor("atelier/K-1", "email", "kim@example.org", "+447700900001"),
        invoice("atelier/K-1", "R-1", "90.00", &day(-3)),
        debtor("atelier/K-2", "email", "kit@example.org", "+447700900002"),
        invoice("atelier/K-2", "R-2", "60.00", &day(5)),
        debtor("atelier/K-3", "sms", "kay@example.org", "+447700900003"),
        invoice("atelier/K-3", "R-3", "30.00", &day(3)),
        debtor("atelier/K-4", "email", "kai@example.org", "+447700900004"),
        invoice("atelier/K-4", "R-4", "70.00", &day(-3)),
        payment("atelier/K-4", "Z-4", "70.00", &day(-1), "R-4"),
    ]
}

fn imported() -> Installation {
    let house = Installation::new();
    house.import(&house.events("book.ndjson", &book())).well();
    house
}

fn folder(house: &Installation) -> PathBuf {
    house.config().join("policies/atelier-private")
}

/// Replaces text in the policy of `folder`.
#[track_caller]
fn edit(folder: &Path, changes: &[(&str, &str)]) {
    let file = folder.join("policy.yaml");
    let mut text = fs::read_to_string(&file).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in {text}");
        text = text.replacen(from, to, 1);
    }
    fs::write(file, text).unwrap();
}

/// Reminders two days earlier, and everything that counts from them.
const EARLIER: &[(&str, &str)] = &[("version: 1", "version: 2"), ("at: due + 4d", "at: due + 2d")];

fn plan(house: &Installation, more: &[&str]) -> Said {
    let folder = folder(house).display().to_string();
    house.run(&[&["policy", "plan", &folder], more].concat())
}

/// A plan that changes something, as JSON.
#[track_caller]
fn changes(house: &Installation) -> Value {
    let said = plan(house, &["--json"]);
    assert_eq!(said.code, 2, "out: {}\nerr: {}", said.out, said.err);
    said.json()
}

fn apply(house: &Installation, plan: &Value) -> Said {
    house.run(&["policy", "apply", plan["id"].as_str().unwrap(), "--as", "ada"])
}

/// Versions that decided the messages of an account, with their steps.
fn decided(house: &Installation, account: &str) -> Vec<(String, u64)> {
    let timeline = house.json(&["account", "timeline", account]);
    let rows = timeline.as_array().unwrap().iter();
    let decided = rows.filter_map(|row| row["event"].get("NoticeDecided"));
    decided
        .map(|notice| {
            let step = notice["step"].as_str().unwrap().to_owned();
            (step, notice["policy"]["version"].as_u64().unwrap())
        })
        .collect()
}

fn has_met(house: &Installation, account: &str, version: u64) -> bool {
    let timeline = house.json(&["account", "timeline", account]);
    let rows = timeline.as_array().unwrap().iter();
    let mut met = rows.filter_map(|row| row["event"].get("PolicyMet"));
    met.any(|met| met["policy"]["version"] == version)
}

#[test]
fn a_plan_says_what_changes_and_nothing_where_nothing_does() {
    let house = imported();
    let same = plan(&house, &[]).well();
    assert!(same.out.contains("These are the files that are in force."), "{}", same.out);
    assert!(same.out.contains("Nothing changes for any of the 3 accounts"), "{}", same.out);

    edit(&folder(&house), EARLIER);
    let planned = changes(&house);
    let report = &planned["report"];
    assert_eq!((&report["accounts"], &report["open"]), (&json!(4), &json!(3)));
    assert_eq!(report["affected"], 3);
    assert_eq!(report["steps"]["reminder"]["earlier"], json!({ "claims": 3, "days": 5 }));
    assert_eq!(report["steps"]["reminder"]["changed"], 3);
    // The handoff of K-3 comes within the 30 days by it.
    assert_eq!((&report["new"]["count"], &report["gone"]["count"]), (&json!(1), &json!(0)));
    assert_eq!(report["new"]["named"][0]["account"], "atelier/K-3");
    assert_eq!(report["new"]["named"][0]["step"], "inkasso");
    assert_eq!(report["candidate"]["notices"]["reminder"], json!({ "email": 2, "sms": 1 }));
    assert_eq!(
        (&planned["candidate"]["version"], &planned["in_force"]["version"]),
        (&json!(2), &json!(1))
    );
    let first = &report["changed"]["named"][0];
    assert_eq!((&first["account"], &first["step"]), (&json!("atelier/K-1"), &json!("inkasso")));
    // It is kept, and nothing else was written.
    let kept = house.data().join("plans").join(format!("{}.json", planned["id"].as_str().unwrap()));
    let kept: Value = serde_json::from_str(&fs::read_to_string(kept).unwrap()).unwrap();
    assert_eq!(kept, planned);
    assert_eq!(house.kinds("atelier/K-1"), ["DebtorUpdated", "InvoiceIssued"]);

    let told = plan(&house, &["--list", "1"]);
    for words in [
        "atelier-private version 2 in place of version 1, for atelier in EUR",
        "as if nobody paid",
        "  ~ reminder           changed for 3 claims: 3 earlier, by 1.6 days on average",
        "and 6 more",
        "kulanz policy apply",
    ] {
        assert!(told.out.contains(words), "lacks {words:?}: {}", told.out);
    }
}

#[test]
fn steps_that_are_new_or_gone_other_channels_and_costs_are_told() {
    let house = imported();
    house.settings(&json!({ "prices": { "sms": "0.0749", "email": "0.001" } }));
    edit(
        &folder(&house),
        &[
            ("version: 1", "version: 2"),
            ("channels: [email, sms]", "channels: [sms, email]"),
            ("when: claim.outstanding >= 1000", "when: claim.outstanding >= 80"),
            ("    when: claim.outstanding >= 25\n", "    when: claim.outstanding >= 2500\n"),
        ],
    );
    let said = plan(&house, &["--json", "--days", "60"]);
    assert_eq!(said.code, 2, "{}", said.err);
    let report = &said.json()["report"];
    assert_eq!(report["new"]["named"][0]["step"], "instalments");
    assert_eq!(report["new"]["count"], 1);
    assert_eq!(report["gone"]["count"], 3);
    assert_eq!(report["gone"]["named"][0]["in_force"]["agency"], "muster-inkasso");
    assert_eq!(report["aspects"]["channel"], 4);
    assert_eq!(report["in_force"]["handoffs"]["muster-inkasso"], 3);
    let costs = &said.json()["costs"];
    assert_eq!(costs["in_force"]["pieces"]["email"], 4);
    let parts = |side: &str| costs[side]["pieces"]["sms"].as_u64().unwrap();
    assert!(parts("in_force") >= 2 && parts("candidate") > parts("in_force"), "{costs}");
    let exact = |side: &str, emails: u64| {
        let ten_thousandths = parts(side) * 749 + emails * 10;
        format!("{}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000)
    };
    let total = |side: &str| costs[side]["total"].as_str().unwrap().to_owned();
    assert_eq!(total("in_force"), exact("in_force", 4));
    assert_eq!(total("candidate"), exact("candidate", 0));
}

#[test]
fn what_cannot_be_planned_is_said() {
    let house = Installation::new();
    plan(&house, &[]).refused(&["no data at"]);
    let house = imported();
    house.run(&["policy", "plan", "nowhere"]).refused(&["no policy.yaml in nowhere"]);
    // The same version with other content.
    edit(&folder(&house), &[("at: due + 4d", "at: due + 3d")]);
    plan(&house, &[]).refused(&["version 1 was registered", "new version"]);
    edit(
        &folder(&house),
        &[("version: 1", "version: 2"), ("persona: everyone", "persona: every one")],
    );
    plan(&house, &[]).refused(&["policy.yaml"]);
    apply(&house, &json!({ "id": "0123456789ab" })).refused(&["there is no plan 0123456789ab"]);
}

#[test]
fn a_stale_plan_is_refused() {
    let house = imported();
    edit(&folder(&house), EARLIER);
    let planned = changes(&house);

    // The files changed, if only by a word in a text.
    let text = folder(&house).join("templates/reminder.en.clear.email.hbs");
    let before = fs::read_to_string(&text).unwrap();
    fs::write(&text, before.clone() + "\nThank you.\n").unwrap();
    apply(&house, &planned).refused(&["changed since the plan", "policy plan"]);
    let reworded = changes(&house);
    assert_eq!(reworded["report"]["aspects"]["wording"], 2);
    fs::write(&text, before).unwrap();

    // The book changed.
    let more = [
        debtor("atelier/K-5", "email", "kip@example.org", "+447700900005"),
        invoice("atelier/K-5", "R-5", "50.00", &day(2)),
    ];
    house.import(&house.events("more.ndjson", &more)).well();
    apply(&house, &planned).refused(&["a fresh plan differs", "reminder by e-mail", "2%"]);
    let plan_id = planned["id"].as_str().unwrap();
    let all = house.run(&["policy", "apply", plan_id, "--as", "ada", "--tolerance", "150%"]);
    assert!(all.code == 2 && all.err.contains("no share"), "{all:?}");

    // The policy in force changed: two plans, of which one is applied.
    let first = changes(&house);
    apply(&house, &first).well();
    apply(&house, &first).refused(&["the policy in force changed"]);
    assert!(house.run(&["policy", "apply", "nonsense", "--as", "ada"]).err.contains("no plan"));
}

#[test]
fn a_wide_tolerance_takes_what_moved() {
    let house = imported();
    edit(&folder(&house), EARLIER);
    let planned = changes(&house);
    let more = [
        debtor("atelier/K-5", "email", "kip@example.org", "+447700900005"),
        invoice("atelier/K-5", "R-5", "50.00", &day(2)),
    ];
    house.import(&house.events("more.ndjson", &more)).well();
    let plan_id = planned["id"].as_str().unwrap();
    house.run(&["policy", "apply", plan_id, "--as", "ada", "--tolerance", "100%"]).well();
}

#[test]
fn an_applied_version_decides_after_the_next_start_and_nobody_gets_a_step_twice() {
    let house = imported();
    let more = [
        debtor("atelier/K-5", "email", "kip@example.org", "+447700900005"),
        invoice("atelier/K-5", "R-5", "50.00", &day(-5)),
    ];
    house.import(&house.events("more.ndjson", &more)).well();
    let server = house.serve();
    eventually("version 1 reminds K-5", || {
        house.kinds("atelier/K-5").contains(&"NoticeSent".to_owned()).then_some(())
    });
    eventually("version 1 looked at K-1", || has_met(&house, "atelier/K-1", 1).then_some(()));
    assert!(decided(&house, "atelier/K-1").is_empty());

    edit(&folder(&house), EARLIER);
    let planned = changes(&house);
    let named = planned["report"]["changed"]["named"].as_array().unwrap();
    assert!(named.iter().all(|line| line["account"] != "atelier/K-5"), "{named:?}");
    let said = apply(&house, &planned).well();
    assert!(said.out.contains("from the next start"), "{}", said.out);
    // The server goes on as it was.
    assert!(decided(&house, "atelier/K-1").is_empty());
    server.stop();

    let server = house.serve();
    eventually("version 2 reminds K-1, whose day has come by it", || {
        (decided(&house, "atelier/K-1") == [("reminder".to_owned(), 2)]).then_some(())
    });
    eventually("version 2 looked at K-5", || has_met(&house, "atelier/K-5", 2).then_some(()));
    eventually("version 2 looked at K-2", || has_met(&house, "atelier/K-2", 2).then_some(()));
    assert_eq!(decided(&house, "atelier/K-5"), [("reminder".to_owned(), 1)]);
    server.stop();
    assert_eq!(plan(&house, &[]).code, 0, "it is in force now");

    // What is put into the folder now waits for somebody to apply it.
    edit(&folder(&house), &[("version: 2", "version: 3"), ("at: due + 2d", "at: due + 1d")]);
    let server = house.serve();
    assert!(
        house.log().contains("has version 3 of atelier-private, which is not in force"),
        "{}",
        house.log()
    );
    server.accept(&[
        debtor("atelier/K-6", "email", "kim@example.org", "+447700900006"),
        invoice("atelier/K-6", "R-6", "50.00", &day(-3)),
    ]);
    eventually("version 2 decides", || {
        (decided(&house, "atelier/K-6") == [("reminder".to_owned(), 2)]).then_some(())
    });
    server.stop();
}

#[test]
fn a_shop_that_never_applied_goes_by_its_folder_from_start_to_start() {
    let house = imported();
    house.serve().stop();
    edit(&folder(&house), EARLIER);
    // An order between two starts changes nothing of what is in force.
    house.json(&["account", "promise", "atelier/K-2", "--until", &day(9), "--as", "ada"]);
    assert_eq!(changes(&house)["in_force"]["version"], 1);
    let server = house.serve();
    eventually("version 2 reminds K-1", || {
        (decided(&house, "atelier/K-1") == [("reminder".to_owned(), 2)]).then_some(())
    });
    assert!(house.log().contains("version 2 is in force since this start"), "{}", house.log());
    server.stop();
}

#[test]
fn only_who_may_puts_a_policy_in_force() {
    let house = imported();
    edit(&folder(&house), EARLIER);
    let planned = changes(&house);
    let clerk = house.token("carl", "clerk", None);
    let other = house.token("olga", "approver", Some("kontor"));
    let own = house.token("anna", "approver", Some("atelier"));
    let id = planned["id"].as_str().unwrap();
    let give = |token: &str| house.run(&["policy", "apply", id, "--token", token]);
    give(&clerk).refused(&["may not do this"]);
    give(&other).refused(&["does not speak for this creditor"]);
    give(&own).well();
}

#[test]
fn the_page_stands_alone_and_holds_the_same_figures() {
    let house = imported();
    edit(&folder(&house), EARLIER);
    let file = house.path("plan.html");
    let said = plan(&house, &["--html", &file.display().to_string()]);
    assert_eq!(said.code, 2, "{}", said.err);
    let page = fs::read_to_string(&file).unwrap();
    for reference in ["http:", "https:", "src=", "href=", "<script", "@import", "url("] {
        assert!(!page.contains(reference), "{reference} in the page");
    }
    for words in
        ["atelier/K-1", "as if nobody paid", "<svg", "prefers-color-scheme:dark", "3 earlier"]
    {
        assert!(page.contains(words), "the page lacks {words}");
    }
    balanced(&page);
}

#[test]
fn where_the_brake_would_stop_is_told_beforehand_as_text_json_and_page() {
    let house = imported();
    let more = [
        debtor("atelier/K-5", "email", "kat@example.org", "+447700900005"),
        invoice("atelier/K-5", "R-5", "80.00", &day(-3)),
    ];
    house.import(&house.events("more.ndjson", &more)).well();
    edit(&folder(&house), EARLIER);
    edit(&folder(&house), &[("minimum: 5.00", "minimum: 5.00\nbrake: { per_hour: 1 }")]);
    let file = house.path("plan.html");
    let said = plan(&house, &["--html", &file.display().to_string()]);
    let told = "1 message of that day would wait until a person releases it.";
    assert!(said.code == 2 && said.out.contains(told), "{}", said.out);
    let lines = |words: &[&str]| {
        let has = |line: &&str| words.iter().all(|word| line.contains(word));
        assert_eq!(said.out.lines().filter(has).count(), 1, "{words:?} in {}", said.out);
    };
    lines(&["reached on", "no brake", "20"]);
    lines(&["by the limit", "per_hour"]);
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.contains(told) && page.contains("<h2>Brake</h2>"), "{page}");
    let report = &changes(&house)["report"];
    let stopped = &report["candidate"]["stopped"];
    assert_eq!(stopped["limit"], "per_hour");
    assert_eq!((&stopped["allowed"], &stopped["waiting"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&report["in_force"]["stopped"], &report["in_force"]["brake"]),
        (&Value::Null, &Value::Null)
    );
}

/// Every element that was opened is closed, in order.
#[track_caller]
fn balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes something else");
        } else if !tag.ends_with('/') && !["meta", "br", "!doctype"].contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} are never closed");
}

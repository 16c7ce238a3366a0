//! Experiments from the file of a policy to the report: who is treated how, why, and what came of it.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use super::{
    events::{day, debtor, invoice, payment},
    world::{Installation, copy, eventually, repository},
};

/// Adds to the file of a policy.
fn try_on(policy: &Path, experiments: &str) {
    let file = policy.join("policy.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("{text}\nexperiments:\n{experiments}")).unwrap();
}

/// Account and content of each event of a kind, in the order of the log.
fn log(house: &Installation, kind: &str) -> Vec<(String, Value)> {
    let database = house.database();
    let sql = "SELECT creditor || '/' || debtor, payload FROM events \
               JOIN accounts ON number = account WHERE kind = ?1 ORDER BY position";
    let mut rows = database.prepare(sql).unwrap();
    let rows =
        rows.query_map([kind], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let parsed = rows.unwrap().map(|row| {
        let (account, payload) = row.unwrap();
        let event: Value = serde_json::from_str(&payload).unwrap();
        (account, event[kind].clone())
    });
    parsed.collect()
}

fn arm<'v>(event: &'v Value, experiment: &str) -> Option<&'v str> {
    let arms = event["arms"].as_array()?;
    arms.iter().find(|one| one["experiment"] == experiment)?["arm"].as_str()
}

#[test]
fn on_imported_accounts_each_arm_is_treated_by_its_own_and_the_report_counts_them() {
    let house = Installation::new();
    let policy = house.config().join("policies/atelier-private");
    let tries = "  - { experiment: by-sms, share: 40%, override: { personas.everyone.channels: \
                 [sms, email] } }\n";
    try_on(&policy, tries);
    let mut events = Vec::new();
    for n in 0..60 {
        let account = format!("atelier/K-{n}");
        let (mail, mobile) = (format!("kim{n}@example.org"), format!("+4477009001{n:02}"));
        events.push(debtor(&account, "email", &mail, &mobile));
        events.push(invoice(&account, &format!("R-{n}"), "80.00", &day(-6)));
    }
    // One of them has paid before anybody looked.
    events.push(payment("atelier/K-7", "Z-7", "80.00", &day(-1), "R-7"));
    house.import(&house.events("book.ndjson", &events)).well();
    let nobody = house.run(&["experiment", "report", "by-sms"]);
    nobody.refused(&["no account has met a policy that runs the experiment by-sms"]);

    let server = house.serve();
    eventually("59 reminders", || (log(&house, "NoticeSent").len() == 59).then_some(()));
    server.stop();

    let mut by_arm: BTreeMap<Option<String>, u64> = BTreeMap::new();
    for (account, notice) in log(&house, "NoticeDecided") {
        let arm = arm(&notice, "by-sms");
        let channel = if arm == Some("treated") { "sms" } else { "email" };
        assert_eq!(notice["channel"], channel, "{account} {arm:?}");
        *by_arm.entry(arm.map(str::to_owned)).or_default() += 1;
    }
    let of = |arm: &str| by_arm.get(&Some(arm.to_owned())).copied().unwrap_or(0);
    let (treated, control) = (of("treated"), of("control"));
    assert!(treated >= 12 && control >= 12 && by_arm.len() == 3, "{by_arm:?}");

    let page = house.path("report.html");
    let report = house.json(&["experiment", "report", "--html", page.to_str().unwrap()]);
    let report = &report[0];
    for (arm, accounts) in [("treated", treated), ("control", control)] {
        let told = &report[arm];
        assert_eq!(told["accounts"], accounts, "{report}");
        assert_eq!(told["messages"], accounts);
        assert_eq!(told["claims"], accounts);
        assert_eq!(told["open"], format!("{}.00", accounts * 80));
        assert_eq!((&told["followed"], &told["share"]), (&json!(0), &Value::Null), "day 0");
    }
    assert_eq!(report["enrolled"], json!([day(0), day(0)]));
    assert_eq!(report["shares"], json!([{ "version": 1, "treated": "40", "control": "40" }]));
    let told = house.run(&["experiment", "report", "by-sms"]).well();
    assert!(told.out.contains("No difference can be told yet"), "{}", told.out);
    let html = fs::read_to_string(page).unwrap();
    assert!(html.contains("Experiment by-sms of atelier-private") && !html.contains("<script"));

    // Somebody can be told why.
    let notices = log(&house, "NoticeDecided");
    let (account, _) =
        notices.iter().find(|(_, one)| arm(one, "by-sms") == Some("treated")).unwrap();
    let told = house.run(&["policy", "explain", account]).well();
    assert!(told.out.contains("experiment by-sms: treated"), "{}", told.out);
}

#[test]
fn played_over_months_every_message_is_explained_in_its_arm_and_the_figures_add_up() {
    let shop = Installation::new();
    fs::remove_dir_all(shop.config().join("policies")).unwrap();
    copy(&repository().join("policies"), &shop.config().join("policies"));
    let tries = "  - experiment: soon\n    share: 50%\n    override: { steps.reminder.at: due + 1d }\n  \
                 - experiment: formal\n    share: 30%\n    override: { personas.everyone.hours: \
                 \"17:00-19:00\" }\n";
    try_on(&shop.config().join("policies/shop-b2c"), tries);
    shop.run(&["policy", "check"]).well();
    shop.run(&["demo", "--exit", "--json", "--months", "3", "--port", "0"]).well();
    // The creditors alone: no file of a policy may be needed.
    let house = Installation::with_data(&shop.data().join("demo"));
    fs::remove_dir_all(house.config().join("policies")).unwrap();
    let creditors = house.config().join("policies/creditors");
    copy(&repository().join("policies/creditors"), &creditors);

    let met: BTreeMap<String, Value> = log(&house, "PolicyMet")
        .into_iter()
        .filter(|(_, met)| met["policy"]["name"] == "shop-b2c")
        .map(|(account, met)| (account, met["arms"].clone()))
        .collect();
    let notices: Vec<(String, Value)> = log(&house, "NoticeDecided")
        .into_iter()
        .filter(|(_, notice)| notice["policy"]["name"] == "shop-b2c")
        .collect();
    assert!(notices.len() > 40, "{} are too few to tell", notices.len());
    for (account, notice) in &notices {
        assert_eq!(notice["arms"], met[account], "{account}: the arm does not change");
    }
    for (account, notice) in notices.iter().take(12) {
        let id = notice["notice"].as_str().unwrap();
        let told = house.json(&["policy", "explain", account, "--at", id]);
        let due = &told["due"]["notice"];
        for member in notice.as_object().unwrap().keys().filter(|key| *key != "notice") {
            assert_eq!(due[member], notice[member], "{account} {id} {member}: {told}");
        }
        assert_eq!(told["currencies"][0]["arms"], notice["arms"]);
    }

    let reports = house.json(&["experiment", "report", "--days", "366"]);
    let names: Vec<&Value> = reports.as_array().unwrap().iter().map(|r| &r["experiment"]).collect();
    assert_eq!(names, ["formal", "soon"]);
    let soon = &house.json(&["experiment", "report", "soon", "--days", "21"])[0];
    let long = &reports[1];
    let sent: Vec<String> = log(&house, "NoticeSent")
        .into_iter()
        .map(|(_, sent)| sent["notice"].as_str().unwrap().to_owned())
        .collect();
    for side in ["treated", "control"] {
        let ours = notices.iter().filter(|(_, notice)| {
            arm(notice, "soon") == Some(side)
                && sent.iter().any(|id| *id == notice["notice"].as_str().unwrap())
        });
        let all = ours.clone().count() as u64;
        let after_due = ours.filter(|(_, notice)| notice["kind"] != "notice").count() as u64;
        let counted = long[side]["messages"].as_u64().unwrap();
        assert!((after_due..=all).contains(&counted), "{side}: {after_due} {counted} {all}");
        assert_eq!(soon[side]["accounts"], long[side]["accounts"], "enrolled alike");
        let drawn = met.values().filter(|arms| arm(&json!({ "arms": arms }), "soon") == Some(side));
        let enrolled = soon[side]["accounts"].as_u64().unwrap();
        assert!(enrolled > 15 && enrolled < drawn.count() as u64, "some pay in time: {soon}");
        let share = soon[side]["share"]["value"].as_f64().unwrap();
        let amount = |what: &str| soon[side][what].as_str().unwrap().parse::<f64>().unwrap();
        assert!((share - amount("recovered") / amount("followed_open")).abs() < 1e-9, "{soon}");
    }
    let difference = &soon["days_difference"]["value"];
    assert!(difference.as_f64().is_some(), "{soon}");
    // The report reads only: asked again it says the same.
    assert_eq!(*soon, house.json(&["experiment", "report", "soon", "--days", "21"])[0]);
}

//! `kulanz policy preview`: what a debtor would read, before any debtor does.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::world::{Installation, copy, repository};

/// An installation with the shipped policies.
fn shipped() -> Installation {
    let house = Installation::new();
    let to = house.config().join("policies");
    fs::remove_dir_all(&to).unwrap();
    copy(&repository().join("policies"), &to);
    house
}

fn templates(house: &Installation, policy: &str) -> BTreeSet<String> {
    let folder = house.config().join("policies").join(policy).join("templates");
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| format!("templates/{}", entry.file_name().display())).collect()
}

fn preview(house: &Installation, arguments: &[&str]) -> Vec<Value> {
    let shown = house.json(&[&["policy", "preview"], arguments].concat());
    shown.as_array().unwrap().clone()
}

fn text(message: &Value, member: &str) -> String {
    message[member].as_str().unwrap().to_owned()
}

#[test]
fn every_text_of_the_shipped_policies_is_shown_and_nothing_is_recorded() {
    let house = shipped();
    for policy in ["shop-b2c", "shop-b2b"] {
        let files = templates(&house, policy);
        let said = house.run(&["policy", "preview", policy]).well();
        assert!(said.out.contains("Samples: names, amounts and days are invented"));
        for file in &files {
            assert!(said.out.contains(&format!("Template: {file}\n")), "{policy} lacks {file}");
        }
        let messages = preview(&house, &[policy]);
        let named = messages.iter().map(|message| text(message, "file")).collect();
        assert_eq!(files, named);
        for message in &messages {
            // All of it is printed too, below its own head.
            let first = text(message, "text").lines().next().unwrap().to_owned();
            assert!(said.out.contains(&first), "{first}");
            assert!(!text(message, "text").contains("{{"), "{message}");
            assert_eq!(message["channel"] == "sms", message["html"].is_null(), "{message}");
            if message["channel"] == "sms" {
                assert!((1..=2).contains(&message["segments"].as_u64().unwrap()), "{message}");
            }
        }
    }
    assert!(!house.data().exists(), "a preview asks for no data");
}

#[test]
fn what_is_asked_for_is_shown_and_nothing_else() {
    let house = shipped();
    let filters = ["--step", "mahnung", "--language", "de", "--tone", "warm", "--channel", "email"];
    let one = preview(&house, &[&["shop-b2c"], &filters[..]].concat());
    let [one] = one.as_slice() else { panic!("{one:?}") };
    assert_eq!(one["file"], "templates/mahnung.de.warm.email.hbs");
    assert_eq!((&one["sample"], &one["at"]), (&"several".into(), &"reminder + 10d".into()));
    assert_eq!((&one["deadline"], &one["days_after_due"]), (&"2026-10-05".into(), &14.into()));
    assert_eq!(one["personas"], serde_json::json!(["careful", "regular"]));
    assert!(text(one, "html").starts_with("<!DOCTYPE html>"));
    let short = ["shop-b2c", "--step", "reminder", "--channel", "sms", "--sample", "short"];
    let short = preview(&house, &short);
    assert_eq!(short.len(), 4);
    assert!(short.iter().all(|message| text(message, "text").contains("49")), "{short:?}");
    // By its folder, with the name of another creditor.
    let folder = house.config().join("policies/shop-b2c").display().to_string();
    let other = preview(&house, &[&folder, "--creditor", "lindenmoor-profi", "--channel", "sms"]);
    assert!(other.iter().all(|message| text(message, "text").contains("Lindenmoor Profi")));
}

#[test]
fn a_sample_leaves_on_a_day_with_contact_hours_and_owes_what_earlier_messages_cost() {
    let house = shipped();
    let file = house.config().join("policies/shop-b2c/policy.yaml");
    let policy = fs::read_to_string(&file).unwrap();
    let changed = |before: &str, after: &str, policy: String| {
        assert!(policy.contains(before), "{before}");
        policy.replace(before, after)
    };
    // Nine days after 11 September is a Sunday. Both last calls may cost 20 cents by SMS.
    let policy = changed("at: due + 4d", "at: due + 9d", policy);
    let policy = changed(
        "    at: mahnung + 28d\n    deadline: 10d\n",
        "    at: mahnung + 11d\n    deadline: 10d\n    fee: 2.50\n",
        policy,
    );
    let policy = changed(
        "  # Two persons release it",
        "  - step: very-last-call\n    send: mahnung\n    text: last-call\n    \
         at: last-call + 20d\n    deadline: 10d\n    fee: 2.50\n\n  # Two persons release it",
        policy,
    );
    fs::write(&file, changed("at: last-call + 14d", "at: very-last-call + 14d", policy)).unwrap();
    let shown = |step: &str, channel: &str| {
        let asked = ["--language", "de", "--tone", "clear", "--sample", "short", "--step", step];
        let found = preview(&house, &[&["shop-b2c", "--channel", channel], &asked[..]].concat());
        let [only] = found.as_slice() else { panic!("{found:?}") };
        only.clone()
    };
    let sent_on = |step: &str| text(&shown(step, "sms"), "sent_on");
    assert_eq!(sent_on("reminder"), "2026-09-21");
    // Ten days later is a Thursday. Its deadline ends on the 12th, a Monday; then come two business
    // days for money on its way, whatever the policy says of the last call.
    assert_eq!(sent_on("mahnung"), "2026-10-01");
    assert_eq!(sent_on("last-call"), "2026-10-14");
    let first = shown("last-call", "sms");
    assert_eq!(first["fee"], "0.20");
    assert!(text(&first, "text").contains("50,20"), "49, 1 of interest and 0.20: {first}");
    let second = shown("very-last-call", "sms");
    assert_eq!(second["fee"], "0.20");
    assert!(text(&second, "text").contains("50,40"), "{second}");
    assert!(text(&second, "text").contains("0,40"), "{second}");
    // By e-mail nothing was charged, so that nothing is carried on.
    assert!(text(&shown("very-last-call", "email"), "text").contains("50,00"));
}

#[test]
fn what_is_not_there_is_refused_in_a_sentence_that_names_what_is() {
    let house = shipped();
    let refused = |arguments: &[&str], words: &[&str]| {
        let said = house.run(&[&["policy", "preview"], arguments].concat()).refused(words);
        assert_eq!((said.out.as_str(), said.err.lines().count()), ("", 1), "{said:?}");
    };
    refused(&["shop-b2"], &["`shop-b2`", "road-fines, shop-b2b, shop-b2c and wholesale"]);
    let b2c = |more: [&'static str; 2]| ["shop-b2c", more[0], more[1]];
    refused(&b2c(["--step", "mahnun"]), &["reminder, mahnung", "did you mean `mahnung`?"]);
    refused(&b2c(["--step", "inkasso"]), &["`inkasso` sends no message"]);
    refused(&b2c(["--language", "fr"]), &["`fr`", "de and en"]);
    refused(&b2c(["--tone", "formal"]), &["`formal`", "warm and clear"]);
    refused(&b2c(["--channel", "fax"]), &["`fax`", "email and sms"]);
    refused(&b2c(["--creditor", "nobody"]), &["`nobody`", "lindenmoor-profi"]);
    let odd = house.run(&["policy", "preview", "shop-b2c", "--sample", "huge"]);
    assert_eq!(odd.code, 2);
    assert!(odd.err.contains("short, several and longest"), "{}", odd.err);
}

#[test]
fn a_text_that_cannot_be_sent_is_told_as_policy_check_tells_it() {
    let house = shipped();
    let file = house.config().join("policies/shop-b2c/templates/mahnung.de.warm.email.hbs");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("{{total}}", "{{totl}}")).unwrap();
    let checked = house.run(&["policy", "check"]).refused(&[]).err;
    let finding = checked.split("error: ").find(|one| one.contains("`totl`")).unwrap();
    assert!(finding.contains("mahnung.de.warm.email.hbs:5:"), "{finding}");
    let html = house.path("page.html");
    let seen = ["policy", "preview", "shop-b2c", "--html", &html.display().to_string()];
    let seen = house.run(&seen).refused(&[finding.trim(), "1 error in"]);
    assert!(seen.out.is_empty() && !html.exists());
}

#[test]
fn a_new_policy_is_seen_before_its_creditor_is_filled_in() {
    let house = Installation::new();
    fs::remove_dir_all(house.config().join("policies")).unwrap();
    house.run(&["policy", "new", "goodwill", "--creditor", "workshop"]).well();
    let said = house.run(&["policy", "preview", "goodwill"]).well();
    for told in ["workshop.yaml is not in order yet: an invented creditor", "Beispielladen"] {
        assert!(said.out.contains(told), "lacks {told:?}: {}", said.out);
    }
    fs::remove_file(house.config().join("policies/creditors/workshop.yaml")).unwrap();
    let said = house.run(&["policy", "preview", "goodwill"]).well();
    assert!(said.out.contains("workshop.yaml is not there: an invented creditor"), "{}", said.out);
    assert!(preview(&house, &["goodwill"]).iter().all(|one| one["invented_creditor"] == true));
}

#[test]
fn the_page_holds_every_message_and_loads_nothing() {
    let house = shipped();
    let file = house.path("messages.html");
    let arguments = ["policy", "preview", "shop-b2c", "--html", &file.display().to_string()];
    let said = house.run(&arguments).well();
    assert!(said.out.starts_with("40 messages"), "{}", said.out);
    let page = fs::read_to_string(&file).unwrap();
    let messages = preview(&house, &["shop-b2c"]);
    for message in &messages {
        let shown = [&message["text"], &message["subject"], &message["html"]];
        for part in shown.into_iter().filter_map(Value::as_str) {
            let part = escaped(part.trim_end());
            assert!(page.contains(&part), "{} is not whole", message["file"]);
        }
        assert!(page.contains(&text(message, "file")), "{message}");
    }
    assert_eq!(page.matches("<article ").count(), messages.len());
    let frames = messages.iter().filter(|message| message["channel"] == "email").count();
    assert_eq!(page.matches("<iframe sandbox ").count(), frames);
    // Also not in the e-mails, which stand in it escaped.
    let whole = page.replace("&lt;", "<").replace("&quot;", "\"");
    for loads in ["<script", "src=\"http", "<link", "<img", "url(", "@import", "<base", "<form"] {
        assert!(!whole.contains(loads), "the page has {loads}");
    }
    assert!(!page.contains("href=\"http"), "only e-mails have links, and theirs are escaped");
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

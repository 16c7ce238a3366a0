//! Whole folders of policies: broken ones with the finding that each has to get, and the shipped
//! ones, which have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use jiff::civil::{Date, Weekday, date};
use kulanz_domain::{
    calendar::{Region, Span},
    fact::{Channel, PayWith},
    ids::CreditorId,
    money::{Currency, Decimal},
    policy::{Anchor, Bundle, LanguageChoice, Moment, PlanTerms, Release, StepAction},
};
use kulanz_policies::*;
use proptest::prelude::*;
use serde_json::Value;

#[path = "files/experiments.rs"]
mod experiments;
#[path = "files/stories.rs"]
mod stories;

const ON: Date = date(2026, 11, 21);

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixture() -> String {
    fs::read_to_string(here("tests/fixture/policy.yaml")).unwrap()
}

/// A folder of its own with the fixture's creditor and texts and the policies given.
fn folder(name: &str, policies: &[(&str, &[u8])]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(dir.join("creditors")).unwrap();
    fs::copy(here("tests/fixture/creditors/shop.yaml"), dir.join("creditors/shop.yaml")).unwrap();
    for (policy, text) in policies {
        let templates = dir.join(policy).join("templates");
        fs::create_dir_all(&templates).unwrap();
        fs::write(dir.join(policy).join("policy.yaml"), text).unwrap();
        for text in ["reminder", "mahnung", "offer"] {
            for channel in ["email", "letter"] {
                let file = templates.join(format!("{text}.de.clear.{channel}.hbs"));
                fs::write(file, "Guten Tag {{debtor.name}}").unwrap();
            }
        }
    }
    dir
}

fn findings(name: &str, text: &[u8]) -> Vec<Diagnostic> {
    check(&folder(name, &[("fixture", text)]), ON)
}

fn spoken(found: &Diagnostic) -> String {
    match &found.help {
        Some(help) => format!("{}; {help}", found.message),
        None => found.message.clone(),
    }
}

fn rendered(found: &[Diagnostic]) -> String {
    found.iter().map(|found| found.render(false)).collect()
}

/// A broken policy says itself what is to be found, in its first lines: `# expect: 7: message`.
/// That is all that is found, notes aside: a mistake that brings others along is told once.
#[test]
fn each_broken_policy_gets_its_finding_at_its_line_and_no_other() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(here("tests/bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 60, "{}", files.len());
    let mut failures = String::new();
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let name = file.file_stem().unwrap().to_str().unwrap();
        let found = findings(&format!("bad-{name}"), &bytes);
        let mut told: Vec<&Diagnostic> = found.iter().collect();
        let lines = text.trim_start_matches('\u{feff}').lines();
        let expects: Vec<&str> = lines.map_while(|line| line.strip_prefix("# expect: ")).collect();
        assert!(!expects.is_empty(), "{name}");
        for expected in expects {
            let (line, message) = expected.split_once(": ").unwrap_or((expected, ""));
            let line: usize = line.trim_end_matches(':').parse().unwrap();
            let met = told
                .iter()
                .position(|found| found.line == line && spoken(found).contains(message.trim()));
            match met {
                Some(at) => drop(told.remove(at)),
                None => failures += &format!("{name}: no `{expected}`\n{}\n", rendered(&found)),
            }
        }
        for more in told.iter().filter(|more| more.severity > Severity::Note) {
            failures += &format!("{name}: more than expected\n{}\n", more.render(false));
        }
        // Every finding shows its line and keeps its caret inside of it.
        for found in found.iter().filter(|found| found.line > 0) {
            let line = found.source_line.as_ref().unwrap();
            assert_eq!(Some(line.as_str()), text.lines().nth(found.line - 1), "{name}");
            assert!(found.column <= line.chars().count() + 1, "{name}: {found:?}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_policy_without_a_brake_is_told_so_and_of_several_the_strictest_limits_hold() {
    let brake = "brake: { per_hour: 300, per_day: 900, times_usual: 4 }\n";
    let with =
        |text: &str| fixture().replace("bundle: account\n", &format!("bundle: account\n{text}"));
    let said = |name: &str, text: &str| rendered(&findings(name, text.as_bytes()));
    assert!(said("no-brake", &fixture()).contains("nothing stops a flood of messages"));
    assert!(!said("with-brake", &with(brake)).contains("nothing stops"));
    let other = with("brake: { per_hour: 500, per_day: 800 }\n");
    let other =
        other.replace("currency: EUR", "currency: CHF").replace("policy: fixture", "policy: b");
    let dir = folder("brakes", &[("fixture", with(brake).as_bytes()), ("b", other.as_bytes())]);
    let loaded = load(&dir, ON).unwrap_or_else(|found| panic!("{}", rendered(&found)));
    let found = loaded.rules[&CreditorId::new("shop").unwrap()].brake().unwrap();
    let limits = [found.per_hour, found.per_day, found.times_usual].map(|n| n.unwrap().get());
    assert_eq!(limits, [300, 800, 4]);
}

#[test]
fn the_caret_stands_below_the_word_that_is_wrong() {
    let column = |name: &str, word: &str| {
        let text = fs::read_to_string(here(&format!("tests/bad/{name}.yaml"))).unwrap();
        let found = findings(&format!("caret-{name}"), text.as_bytes());
        let found = found.iter().find(|found| found.is_error()).unwrap().clone();
        let line: Vec<char> = found.source_line.unwrap().chars().collect();
        let under: String = line[found.column - 1..][..found.length].iter().collect();
        assert_eq!(under, word, "{name}");
    };
    column("unknown-key", "minimun");
    column("unknown-fact", "history.invoice_paid");
    column("folded-condition", "history.invoices_payd");
    column("quoted-condition", "\"costumer\\\"");
    column("unknown-step", "remindr + 10d");
    column("unknown-agency", "nordinkaso");
    column("unknown-attribute", "debtor.attributes[\"segmnt\"]");
}

#[test]
fn a_policy_becomes_what_its_file_says() {
    let dir = folder("good", &[("fixture", fixture().as_bytes())]);
    let loaded = load(&dir, ON).unwrap_or_else(|found| panic!("{}", rendered(&found)));
    let shop = CreditorId::new("shop").unwrap();
    let rules = &loaded.rules[&shop];
    let policy = rules.policy(Currency::EUR).unwrap();
    let ten = |n: i64| Decimal::new(n, 2);
    assert_eq!(policy.minimum, ten(500));
    assert_eq!((policy.bundle, policy.in_flight), (Bundle::Account, Span::BusinessDays(2)));
    assert_eq!(policy.promise_within, Span::Days(30));
    assert_eq!((policy.region, policy.meets_overdue_days), (Region::DeNw, 60));
    assert_eq!((policy.entry, policy.spread_minutes), (None, 0));
    assert_eq!((policy.cap.times.get(), policy.cap.within_days.get()), (2, 7));
    let [regular, everyone] = policy.personas.as_slice() else { panic!("two personas") };
    assert_eq!(regular.window.hours_on(Weekday::Friday).unwrap().to_string(), "17:00-19:00");
    assert_eq!(regular.window.hours_on(Weekday::Saturday), None);
    assert_eq!(regular.window.hours_of(date(2026, 12, 25)), None, "Christmas");
    assert_eq!(everyone.window.hours_on(Weekday::Monday).unwrap().to_string(), "09:00-19:00");
    assert_eq!((regular.pace, everyone.pace), (Decimal::new(15, 1), Decimal::ONE));
    assert_eq!(regular.channels, [Channel::Email, Channel::Letter]);
    assert_eq!(everyone.pay_with, [PayWith::Transfer, PayWith::Card]);
    assert_eq!((&everyone.language, &*everyone.tone), (&LanguageChoice::Debtor, "clear"));
    assert!(everyone.when.is_none() && regular.when.is_some());
    let [reminder, mahnung, offer, inkasso] = policy.steps.as_slice() else { panic!("four") };
    assert_eq!(reminder.action, StepAction::Reminder);
    let after = |anchor, n| Moment { anchor, before: false, span: Span::Days(n) };
    assert_eq!(reminder.at, after(Anchor::Due, 4));
    assert_eq!(mahnung.at, after(Anchor::Step(0), 10));
    assert_eq!((mahnung.fee, mahnung.deadline), (ten(250), Some(Span::Days(10))));
    let plan = PlanTerms { rates: 3, first_percent: Some(Decimal::from(25)), at_least: ten(2000) };
    assert_eq!(offer.action, StepAction::Offer { plans: vec![plan] });
    assert_eq!((&*offer.text, &*reminder.text), ("offer", "reminder"));
    let StepAction::HandOff { agency, release } = &inkasso.action else { panic!("hands off") };
    assert_eq!((agency.as_str(), *release), ("nordinkasso", Release::FourEyes));
    let file = &loaded.creditors[&shop];
    assert_eq!((file.iban.as_str(), file.logo_text.as_str()), ("DE02120300000000202051", "Muster"));
    assert_eq!(file.creditor.channels, [Channel::Email, Channel::Letter]);
    let texts = &loaded.policies[0].templates;
    assert_eq!(texts.len(), 6);
    assert!(texts.get("offer", "de", "clear", Channel::Email).is_some());
    assert!(texts.get("offer", "en", "clear", Channel::Email).is_none());
}

#[test]
fn the_hash_changes_with_every_file_and_with_nothing_else() {
    let hash = |name: &str, change: &dyn Fn(&Path)| {
        let dir = folder(name, &[("fixture", fixture().as_bytes())]);
        change(&dir.join("fixture"));
        let loaded = load(&dir, ON).unwrap();
        let policy = &loaded.policies[0];
        assert!(policy.hash_full.starts_with(&*policy.policy.reference.hash));
        assert_eq!((policy.hash_full.len(), policy.policy.reference.hash.len()), (64, 16));
        policy.hash_full.clone()
    };
    let plain = hash("hash-1", &|_| ());
    assert_eq!(plain, hash("hash-2", &|dir| fs::write(dir.join("README"), "x").unwrap()));
    let text = |dir: &Path| {
        fs::write(dir.join("templates/offer.de.clear.email.hbs"), "Anders").unwrap();
    };
    assert_ne!(plain, hash("hash-3", &text));
    let policy = |dir: &Path| fs::write(dir.join("policy.yaml"), fixture() + "\n").unwrap();
    assert_ne!(plain, hash("hash-4", &policy));
}

#[test]
fn the_latest_policy_that_has_begun_is_in_force_and_two_at_once_are_refused() {
    let named = |name: &str, from: &str| {
        let text = fixture().replace("policy: fixture", &format!("policy: {name}"));
        text.replace("version: 1", &format!("version: 1\nvalid_from: {from}"))
    };
    let (old, new) = (named("old", "2026-01-01"), named("new", "2026-06-01"));
    let dir = folder("two", &[("old", old.as_bytes()), ("new", new.as_bytes())]);
    let in_force = |on| {
        let rules = load(&dir, on).unwrap().rules;
        let rules = &rules[&CreditorId::new("shop").unwrap()];
        rules.policy(Currency::EUR).map(|policy| policy.reference.name.to_string())
    };
    assert_eq!(in_force(date(2025, 12, 31)), None);
    assert_eq!(in_force(date(2026, 5, 31)).as_deref(), Some("old"));
    assert_eq!(in_force(date(2026, 6, 1)).as_deref(), Some("new"));
    let twin = named("twin", "2026-06-01");
    let dir = folder("twins", &[("new", new.as_bytes()), ("twin", twin.as_bytes())]);
    let found = rendered(&load(&dir, ON).unwrap_err());
    assert!(found.contains("`new` and `twin` are both for the EUR claims of `shop`"), "{found}");
    let dir = folder("namesakes", &[("a", new.as_bytes()), ("b", new.as_bytes())]);
    let found = rendered(&load(&dir, ON).unwrap_err());
    assert!(found.contains("version 1 of `new` is in"), "{found}");
}

#[test]
fn what_editors_do_to_text_files_gets_one_precise_message_each() {
    let only = |name: &str, bytes: &[u8], line: usize, message: &str| {
        let found = findings(name, bytes);
        assert_eq!(found.len(), 1, "{name}: {}", rendered(&found));
        assert_eq!(found[0].line, line, "{name}: {}", rendered(&found));
        assert!(spoken(&found[0]).contains(message), "{name}: {}", rendered(&found));
    };
    let text = fixture();
    let with = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    only("tab", &with("  days:", "\tdays:"), 8, "a tab indents this line");
    only("nbsp", &with("  days:", "\u{a0} days:"), 8, "a space that is none");
    only("bom", &[b"\xef\xbb\xbf", text.as_bytes()].concat(), 1, "byte order mark");
    only("utf16", b"\xff\xfea\0", 0, "is UTF-16");
    only("latin1", &[text.as_bytes(), b"# M\xfcnster\n"].concat(), 44, "this is not UTF-8");
    only("zero-width", &with("minimum", "mini\u{200b}mum"), 11, "an invisible character, U+200B");
    only("bell", &with("minimum", "mini\u{7}mum"), 11, "an invisible character, U+0007");
    only("large", &[text.as_bytes(), &vec![b'#'; 1 << 20]].concat(), 0, "larger than 1 MiB");
    only("empty", b"", 1, "the file is empty");
    only(
        "deep",
        &with("minimum: 5.00", &format!("minimum: {}", "[".repeat(300))),
        11,
        "a single value is wanted here",
    );
}

#[test]
fn a_broken_creditor_is_told_where_it_is_broken() {
    let text = fs::read_to_string(here("tests/fixture/creditors/shop.yaml")).unwrap();
    let cases = [
        ("2020 51", "2020 52", "check sum"),
        ("id: shop", "id: shopp", "has another name"),
        ("service@muster.example", "service at muster", "is not an e-mail address"),
        ("Europe/Berlin", "Europe/Munich", "is not a time zone"),
        ("DE-NW", "NRW", "is no holiday calendar"),
        ("law: de", "law: fr", "`fr` is not known here"),
        ("country: DE", "country: Germany", "is not a country"),
        ("legal_name: Muster Versand GmbH", "legal_name: \"  \"", "this is empty"),
        (
            "email: { from: rechnung@muster.example }\n  letter: {}",
            "sms: { sender: \"Muster-Shop!\" }",
            "cannot be the sender",
        ),
        ("harmless_attributes", "harmles_attributes", "did you mean `harmless_attributes`?"),
        ("input_tax_deduction: true\n", "", "the key `input_tax_deduction` is missing"),
    ];
    for (at, (from, to, message)) in cases.into_iter().enumerate() {
        let dir = folder(&format!("creditor-{at}"), &[]);
        assert!(text.contains(from), "{from}");
        fs::write(dir.join("creditors/shop.yaml"), text.replace(from, to)).unwrap();
        let found = load_creditors(&dir).unwrap_err();
        assert!(found.iter().any(|found| spoken(found).contains(message)), "{}", rendered(&found));
    }
}

#[test]
fn what_follows_from_a_broken_creditor_is_not_told() {
    let dir = folder("broken-creditor", &[("fixture", fixture().as_bytes())]);
    let file = dir.join("creditors/shop.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("2020 51", "2020 52")).unwrap();
    for found in [check(&dir, ON), check(&dir.join("fixture"), ON)] {
        assert_eq!(found.len(), 1, "{}", rendered(&found));
        assert!(found[0].file.ends_with("shop.yaml") && found[0].line == 5);
    }
    assert!(load_policy(&dir.join("fixture"), &BTreeMap::new()).is_err_and(|f| f.len() == 1));
}

#[test]
fn a_file_of_any_size_gets_one_finding_and_bounded_work() {
    let text = fixture().replace("bundle: account", "bundle: account\nbrake: { per_hour: 9 }");
    let with = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    let long = "x".repeat(900 * 1024);
    let names = |what: &str, rest: &str| -> String {
        (0..1_500).map(|n| format!("  - {what}: n{n}\n    {rest}\n")).collect()
    };
    for (name, bytes, message) in [
        ("size-10", vec![b'a'; 10 << 20], "larger than 1 MiB"),
        ("size-name", with("policy: fixture", &format!("policy: {long}")), "is not a policy name"),
        ("size-amount", with("minimum: 5.00", &format!("minimum: {long}")), "is not"),
        ("size-key", with("minimum", &long), "cannot be read as YAML"),
        ("size-when", with("claim.outstanding >= 50", &long), "this condition is too large"),
        ("size-comment", with("minimum: 5.00", &format!("minimun: 5 # {long}")), "no key"),
        ("size-spaces", with("minimum: 5.00", &format!("minimun:{}5", " ".repeat(900_000))), "key"),
    ] {
        let found = findings(name, &bytes);
        assert_eq!(found.len(), 1, "{name}: {}", rendered(&found));
        assert!(spoken(&found[0]).contains(message), "{name}: {}", rendered(&found));
        assert!(rendered(&found).len() < 2_000, "{name}");
    }
    // What is searched for is bounded for a whole policy, however many personas and steps it has:
    // where that ends, a note says so, and nothing is claimed.
    let many = names("persona", "when: history.invoices_paid * history.disputes == 77.5");
    let found = findings("many", &with("personas:\n", &format!("personas:\n{many}")));
    assert!(found.iter().all(|found| found.severity == Severity::Note), "{}", rendered(&found));
    assert!(found.len() > 1_000, "{}", found.len());
}

#[test]
fn the_shipped_policies_and_creditors_are_without_errors_and_warnings() {
    let dir = here("../../policies");
    let loaded = load(&dir, ON).unwrap_or_else(|found| panic!("{}", rendered(&found)));
    let warnings: Vec<Diagnostic> = loaded
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Warning)
        .cloned()
        .collect();
    assert!(warnings.is_empty(), "{}", rendered(&warnings));
    for (name, creditor, currency) in [
        ("shop-b2c", "lindenmoor", Currency::EUR),
        ("road-fines", "comune", Currency::EUR),
        ("wholesale", "wholesale", Currency::USD),
    ] {
        let rules = &loaded.rules[&CreditorId::new(creditor).unwrap()];
        let policy = rules.policy(currency).unwrap();
        assert_eq!(policy.reference.name.as_str(), name);
        let alone = load_policy(&dir.join(name), &loaded.creditors);
        assert_eq!(alone.unwrap().0.policy.reference, policy.reference);
        assert!(!check(&dir.join(name), ON).iter().any(Diagnostic::is_error));
    }
}

#[test]
fn the_published_schemas_are_those_of_the_file_formats() {
    for (file, schema) in [
        ("policy.schema.json", policy_schema()),
        ("creditor.schema.json", creditor_schema()),
        ("story.schema.json", story_schema()),
    ] {
        let path = here("../../schemas").join(file);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &schema).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(published == schema, "{file} is out of date: run with UPDATE_SCHEMAS=1");
    }
}

/// An editor shows to whoever writes a file what each key is for, and how its value looks where
/// that is no matter of choosing.
#[test]
fn every_key_of_the_schemas_says_what_it_is_for() {
    fn walk(schema: &Value, path: &str, wrong: &mut Vec<String>, keys: &mut usize) {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            *keys += 1;
            let path = format!("{path}.{key}");
            if property["description"].as_str().is_none_or(|text| text.trim().len() < 5) {
                wrong.push(format!("{path} has no description"));
            }
            assert!(!property.to_string().contains("null"), "{path}: {property}");
            let plain = matches!(property["type"].as_str(), Some("string" | "integer" | "number"));
            if plain && property["examples"].is_null() && property["enum"].is_null() {
                wrong.push(format!("{path} has no example"));
            }
        }
        for (name, inner) in schema["definitions"].as_object().into_iter().flatten() {
            if inner["description"].as_str().is_none_or(str::is_empty) {
                wrong.push(format!("{name} has no description"));
            }
            walk(inner, name, wrong, keys);
        }
    }
    for (name, schema, least) in
        [("policy", policy_schema(), 60), ("creditor", creditor_schema(), 35)]
    {
        let (mut wrong, mut keys) = (Vec::new(), 0);
        let schema: Value = serde_json::from_str(&schema).unwrap();
        walk(&schema, name, &mut wrong, &mut keys);
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(keys >= least, "only {keys} keys in {name}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_it() {
    let missing = here("tests/nowhere");
    let found = load(&missing, ON).unwrap_err();
    assert!(rendered(&found).contains("there is no such folder"));
    assert!(load_policy(&missing, &BTreeMap::new()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_file_makes_the_loader_panic(
        junk in ".{0,60}",
        at in 0usize..1_100,
        cut in 0usize..80,
    ) {
        let mut text: Vec<char> = fixture().chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, junk.chars());
        let text: String = text.into_iter().collect();
        for found in findings("random", text.as_bytes()) {
            let shown = found.render(true);
            prop_assert!(!shown.is_empty());
        }
    }
}

#[test]
fn a_policy_is_the_same_from_the_sources_that_were_kept_of_it() {
    let dir = folder("sources", &[("fixture", fixture().as_bytes())]);
    let (creditors, _) = load_creditors(&dir).unwrap();
    let (read, _) = load_policy(&dir.join("fixture"), &creditors).unwrap();
    let label = "fixture version 1";
    let kept = load_registered(label, &read.sources, &creditors).unwrap();
    assert_eq!((&kept.hash_full, &kept.sources), (&read.hash_full, &read.sources));
    assert_eq!(kept.policy.reference, read.policy.reference);
    assert_eq!(format!("{:?}", kept.policy), format!("{:?}", read.policy));
    let texts = |policy: &LoadedPolicy| {
        let all = policy.templates.iter();
        all.map(|(key, text)| (key.clone(), text.source.clone())).collect::<Vec<_>>()
    };
    assert_eq!(texts(&kept), texts(&read));
    assert!(!texts(&kept).is_empty());

    // Files that are not those of a policy are refused, with the label in place of a folder.
    let found = load_registered(label, &BTreeMap::new(), &creditors).unwrap_err();
    assert!(found[0].file.starts_with("fixture version 1"), "{found:?}");
    let mut broken = read.sources.clone();
    broken.insert("policy.yaml".to_owned(), fixture().replace("creditor: shop", "creditor: other"));
    assert!(load_registered(label, &broken, &creditors).is_err());
}

//! Stories: broken ones with the finding that each has to get, wrong ones that have to fail on the
//! right day, and the shipped ones, which pass and show every step, persona and guard.

use std::{collections::BTreeMap, fs, path::PathBuf};

use kulanz_policies::*;
use proptest::prelude::*;

use crate::{fixture, folder, here, rendered, spoken};

/// A policy's folder with one story; what can be read of it and what cannot.
fn read(name: &str, story: &[u8]) -> (Vec<Story>, Vec<BrokenStory>) {
    let dir = folder(name, &[("fixture", fixture().as_bytes())]);
    let tests = dir.join("fixture/tests");
    fs::create_dir_all(&tests).unwrap();
    fs::write(tests.join("one.yaml"), story).unwrap();
    let (creditors, _) = load_creditors(&dir).unwrap();
    let (policy, _) = load_policy(&dir.join("fixture"), &creditors).unwrap();
    let (good, broken, found) = stories(&policy, &creditors[&policy.policy.creditor]);
    assert!(found.is_empty(), "{}", rendered(&found));
    (good, broken)
}

/// What comes of a story about a consumer with an e-mail address.
fn played(name: &str, events: &[&str], expect: &[&str]) -> Verdict {
    told(
        name,
        "test: a story\ndebtor: { kind: consumer, email: true, address: true }\n",
        events,
        expect,
    )
}

fn told(name: &str, head: &str, events: &[&str], expect: &[&str]) -> Verdict {
    let lines = |lines: &[&str]| lines.iter().map(|l| format!("  - {l}\n")).collect::<String>();
    let text = format!("{head}events:\n{}expect:\n{}", lines(events), lines(expect));
    let (good, broken) = read(&format!("story-{name}"), text.as_bytes());
    let findings: String = broken.iter().map(|one| rendered(&one.findings)).collect();
    assert!(broken.is_empty(), "{findings}");
    good[0].play()
}

/// The rows that make it fail.
fn failures(verdict: &Verdict) -> Vec<String> {
    let rows = verdict.rows.iter().filter(|row| row.mark.fails());
    rows.map(|row| format!("{} {}: {}", row.mark.sign(), row.when, row.text)).collect()
}

const INVOICE: &str = "2026-09-01: invoice R-1 of 89.90 due 2026-09-10";
const REMINDER: &str = "2026-09-14 09:00: reminder by email for R-1";

/// So the published schema has it too.
#[test]
fn keys_of_stories_may_be_left_out_and_not_left_empty() {
    let story = |key: &str| {
        let (in_debtor, outside) = match key {
            "" => (String::new(), ""),
            "until" => (String::new(), "until:\n"),
            key => (format!(", {key}: "), ""),
        };
        format!(
            "test: a story\ndebtor: {{ kind: consumer, email: true{in_debtor} }}\n{outside}events:\n  \
             - {INVOICE}\nexpect:\n  - {REMINDER}\n"
        )
    };
    assert!(read("story-all-left-out", story("").as_bytes()).1.is_empty());
    for key in ["until", "language", "country", "region", "timezone", "sms_consent", "hours"] {
        let (good, broken) = read(&format!("story-empty-{key}"), story(key).as_bytes());
        assert!(good.is_empty() && broken.len() == 1, "{key}");
    }
}

#[test]
fn each_broken_story_gets_its_finding_at_its_line() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(here("tests/bad-stories")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 70, "{}", files.len());
    let mut failures = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let (good, broken) = read(&format!("bad-story-{name}"), text.as_bytes());
        assert!(good.is_empty(), "{name} is read");
        let found = &broken[0].findings;
        assert!(found.iter().any(Diagnostic::is_error), "{name}");
        for expected in text.lines().map_while(|line| line.strip_prefix("# expect: ")) {
            let (line, message) = expected.split_once(':').unwrap();
            let line: usize = line.parse().unwrap();
            let mut all = found.iter();
            if !all.any(|one| one.line == line && spoken(one).contains(message.trim())) {
                failures += &format!("{name}: no `{expected}`\n{}\n", rendered(found));
            }
        }
        for found in found.iter().filter(|found| found.line > 0) {
            let line = found.source_line.as_ref().unwrap();
            assert_eq!(Some(line.as_str()), text.lines().nth(found.line - 1), "{name}");
            assert!(found.column <= line.chars().count() + 1, "{name}: {found:?}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn the_caret_stands_below_the_word_of_the_sentence_that_is_wrong() {
    let under = |name: &str| {
        let text = fs::read_to_string(here(&format!("tests/bad-stories/{name}.yaml"))).unwrap();
        let (_, broken) = read(&format!("story-caret-{name}"), text.as_bytes());
        let found = broken[0].findings[0].clone();
        let line: Vec<char> = found.source_line.unwrap().chars().collect();
        line[found.column - 1..][..found.length].iter().collect::<String>()
    };
    assert_eq!(under("amount-with-comma"), "89,90");
    assert_eq!(under("claim-unknown"), "R-2");
    assert_eq!(under("persona-unknown"), "regullar");
    assert_eq!(under("day-impossible"), "2026-02-30");
    assert_eq!(under("day-in-a-sentence"), "2026-11-31");
    assert_eq!(under("nothing-what"), "much");
    assert_eq!(under("expected-claim-unknown"), "R-11");
    assert_eq!(under("out-of-order"), "2026-08-31");
}

#[test]
fn what_editors_and_attackers_do_to_a_story_gets_one_message() {
    let text = fs::read_to_string(here("tests/fixture/story.yaml")).unwrap();
    let only = |name: &str, bytes: &[u8], line: usize, message: &str| {
        let (good, broken) = read(&format!("story-{name}"), bytes);
        assert!(good.is_empty(), "{name}");
        let found = &broken[0].findings;
        assert_eq!((found.len(), found[0].line), (1, line), "{name}: {}", rendered(found));
        assert!(spoken(&found[0]).contains(message), "{name}: {}", rendered(found));
    };
    only("empty", b"", 1, "the file is empty");
    only("bom", &[b"\xef\xbb\xbf", text.as_bytes()].concat(), 1, "byte order mark");
    only("latin-1", &[text.as_bytes(), b"# M\xfcnster\n"].concat(), 17, "this is not UTF-8");
    only("large", &[text.as_bytes(), &vec![b'#'; 1 << 20]].concat(), 0, "larger than 1 MiB");
    let tab = text.replacen("  - 2026-08-01", "\t- 2026-08-01", 1);
    only("tab", tab.as_bytes(), 5, "a tab indents this line");
    let deep = text.replacen("[disputed]", &"[".repeat(300), 1);
    only("deep", deep.as_bytes(), 2, "");
    let long = text.replacen("by card", &"by card and ".repeat(50_000), 1);
    only("long", long.as_bytes(), 7, "`and` is not understood here");
}

#[test]
fn a_story_that_is_as_expected_passes() {
    let paid = "2026-09-17: payment of 89.90 for R-1";
    let verdict = played("passes", &[INVOICE, paid], &[REMINDER, "R-1 is settled", "nothing else"]);
    assert!(verdict.passed(), "{}", verdict.difference());
    let steps: Vec<&str> = verdict.steps.iter().map(|step| step.as_str()).collect();
    let personas: Vec<&str> = verdict.personas.iter().map(|one| one.as_str()).collect();
    assert_eq!((steps, personas), (vec!["reminder"], vec!["everyone"]));
}

#[test]
fn what_does_not_happen_is_told_on_its_day_with_the_reason() {
    let dispute = "2026-09-12: dispute D-1 about R-1";
    let verdict = played("disputed", &[INVOICE, dispute], &[REMINDER, "nothing else"]);
    assert_eq!(
        failures(&verdict),
        ["- 2026-09-14 09:00: expected reminder by email for R-1; waits: disputed"]
    );
    let difference = verdict.difference();
    let expected = "  2026-09-01        (invoice R-1 of 89.90 due 2026-09-10)\n  \
                    2026-09-12        (dispute D-1 about R-1)\n\
                    - 2026-09-14 09:00  expected reminder by email for R-1; waits: disputed (line 7)\n";
    assert_eq!(difference, expected);
    let hold = "2026-09-12: hold H-1 until 2026-09-20";
    let verdict = played("held", &[INVOICE, hold], &[REMINDER]);
    assert_eq!(
        failures(&verdict),
        ["- 2026-09-14 09:00: expected reminder by email for R-1; instead 2026-09-21 09:00: \
          reminder by email for R-1, persona everyone, in de, tone clear, total 89.90"]
    );
    let paid = "2026-09-11: payment of 89.90 for R-1";
    let verdict = played("paid", &[INVOICE, paid], &[REMINDER]);
    assert_eq!(
        failures(&verdict),
        ["- 2026-09-14 09:00: expected reminder by email for R-1; waits: R-1 is settled"]
    );
    let verdict = played("early", &[INVOICE], &["2026-09-13: mahnung by email for R-1"]);
    assert!(failures(&verdict)[0].contains("instead 2026-09-24 09:00: mahnung by email for R-1"));
}

#[test]
fn what_happens_unexpectedly_is_told_on_its_day() {
    let paid = "2026-09-28: payment of 89.90 for R-1";
    let verdict = played("unexpected", &[INVOICE, paid], &[REMINDER, "nothing else"]);
    let failures = failures(&verdict);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0].starts_with("+ 2026-09-24 09:00: not expected: mahnung by email for R-1"));
    let verdict = played("not-asked", &[INVOICE, paid], &[REMINDER]);
    assert!(verdict.passed(), "without `nothing else` more may happen");
    for (number, nothing) in
        ["nothing before 2026-09-14 09:01", "nothing from 2026-09-14 to 2026-09-15"]
            .iter()
            .enumerate()
    {
        let name = format!("nothing-{number}");
        assert!(!played(&name, &[INVOICE, paid], &[REMINDER, nothing]).passed(), "{nothing}");
    }
    for (number, nothing) in
        ["nothing before 2026-09-14 09:00", "nothing from 2026-09-15 to 2026-09-23"]
            .iter()
            .enumerate()
    {
        let name = format!("nothing-good-{number}");
        assert!(played(&name, &[INVOICE, paid], &[REMINDER, nothing]).passed(), "{nothing}");
    }
}

/// Each detail, right and wrong: a test that cannot fail would show nothing.
#[test]
fn each_detail_and_state_that_is_wrong_fails_and_that_is_right_passes() {
    let details = [
        ("persona everyone", "persona regular"),
        ("in de", "total 89.91"),
        ("deadline 2026-10-05", "deadline 2026-10-04"),
        ("no fee", "fee 2.50"),
        ("no interest", "interest 0.01"),
        ("no lump sum", "lump sum 40.00"),
        ("total 89.90", "total 92.40"),
        ("deadline 2026-10-05", "no deadline"),
        ("pay with transfer", "pay with card"),
    ];
    for (number, (right, wrong)) in details.into_iter().enumerate() {
        let with = |detail: &str| format!("2026-09-24 09:00: mahnung by email for R-1, {detail}");
        let good = played(&format!("detail-{number}"), &[INVOICE], &[REMINDER, &with(right)]);
        assert!(good.passed(), "{right}: {}", good.difference());
        let bad = played(&format!("detail-bad-{number}"), &[INVOICE], &[REMINDER, &with(wrong)]);
        let failures = failures(&bad);
        assert_eq!(failures.len(), 1, "{wrong}");
        assert!(failures[0].contains("; it has "), "{}", failures[0]);
        assert!(failures[0].starts_with("- 2026-09-24 09:00"), "{}", failures[0]);
    }
    let states = [
        ("2026-09-20: R-1 is open", "2026-09-20: R-1 is settled"),
        ("R-1 is settled", "R-1 is open"),
        ("2026-10-05: R-1 is not in default", "2026-10-05: R-1 is in default"),
        ("2026-10-06: R-1 is in default", "2026-10-06: R-1 is not in default"),
        ("R-1 is in default from 2026-10-06", "R-1 is in default from 2026-10-07"),
        ("2026-09-20: R-1 owes 89.90", "2026-09-20: R-1 owes 89.91"),
        ("2026-09-20: account owes 89.90, no fees", "2026-09-20: account owes 89.90, fees 1.00"),
        ("2026-09-20: R-1 waits, not due yet", "2026-09-20: R-1 waits, disputed"),
        (
            "2026-09-20: R-1 waits for mahnung, not due yet, until 2026-09-24",
            "2026-09-20: R-1 waits for mahnung, not due yet, until 2026-09-25",
        ),
        ("account owes nothing", "account owes 1.00"),
    ];
    for (number, (right, wrong)) in states.into_iter().enumerate() {
        let paid = "2026-10-06: payment of 89.90 for R-1";
        let good = played(&format!("state-{number}"), &[INVOICE, paid], &[right]);
        assert!(good.passed(), "{right}: {}", good.difference());
        let bad = played(&format!("state-bad-{number}"), &[INVOICE, paid], &[wrong]);
        assert_eq!(failures(&bad).len(), 1, "{wrong}: {}", bad.difference());
    }
}

#[test]
fn messages_can_bounce_placements_be_released_and_arrangements_end() {
    let contract = "2026-09-01: invoice R-1 of 89.90 due 2026-09-10, contract of 2026-08-30, \
                    contract object known";
    let verdict = played(
        "bounces",
        &[
            "2026-08-01: history of 3 invoices paid on time",
            contract,
            "2026-09-16 17:30: last message bounces",
        ],
        &[
            "2026-09-16 17:00: reminder by email for R-1, persona regular",
            "2026-09-16 17:30: reminder by letter for R-1, persona regular",
        ],
    );
    assert!(verdict.passed(), "{}", verdict.difference());
    let verdict = played(
        "released",
        &[
            contract,
            "2026-10-20: placement is released by ada",
            "2026-10-20 11:00: placement of R-1 is released by ben",
            "2026-11-01: payment of 89.90 for R-1",
        ],
        &[
            "2026-10-15: inkasso to nordinkasso for R-1, lacks nothing",
            "2026-10-20 11:00: placement is released",
            "2026-10-25: R-1 waits, placed",
            "2026-11-01: placement is recalled",
            "R-1 is settled",
        ],
    );
    assert!(verdict.passed(), "{}", verdict.difference());
    let plan = "2026-10-08: plan of 3 rates from 2026-10-20";
    let verdict = played(
        "plan",
        &[contract, plan],
        &["2026-10-21: R-1 waits, in a plan", "2026-10-23: plan is broken"],
    );
    assert!(verdict.passed(), "{}", verdict.difference());
    let verdict = played(
        "promise",
        &[contract, "2026-09-12: promise until 2026-09-30", "2026-09-30: payment of 89.90"],
        &["2026-09-20: account waits, promised", "2026-09-30: promise is kept", "nothing else"],
    );
    assert!(verdict.passed(), "{}", verdict.difference());
}

#[test]
fn what_a_person_may_not_do_fails_the_story_at_that_line() {
    let refused = |name: &str, event: &str| {
        let verdict = played(name, &[INVOICE, event], &["nothing before 2026-09-14"]);
        let failures = failures(&verdict);
        assert_eq!(failures.len(), 1, "{event}: {}", verdict.difference());
        failures[0].clone()
    };
    let promise = refused("promise-late", "2026-09-12: promise until 2027-09-12");
    assert!(
        promise.contains("! 2026-09-12: promise until 2027-09-12; this cannot be: the last day")
    );
    let none = "2026-09-12: placement is released by ada";
    assert!(refused("no-placement", none).contains("no placement waits to be released"));
    assert!(refused("bounce", "2026-09-12: last message bounces").contains("no message was sent"));
    let rates = refused("rates", "2026-09-12: plan of 4 rates from 2026-09-20");
    assert!(rates.contains("the policy offers 3 rates"), "{rates}");
    assert!(
        refused("agency", "2026-09-12: agency accepts").contains("no placement is at an agency")
    );
}

#[test]
fn a_guard_that_had_nothing_to_stop_fails_the_story_that_names_it() {
    let head = |guard: &str| {
        format!("test: a story\nguards: [{guard}]\ndebtor: {{ kind: consumer, email: true }}\n")
    };
    for guard in Guard::ALL {
        let name = guard.name();
        let verdict = told(
            &format!("guard-{name}"),
            &head(name),
            &[INVOICE, "2026-09-05: payment of 89.90 for R-1"],
            &["nothing else"],
        );
        let failures = failures(&verdict);
        assert_eq!(failures.len(), 1, "{name}");
        assert!(failures[0].contains(&format!("the guard `{name}`")), "{}", failures[0]);
        assert!(verdict.guards.is_empty());
    }
    let shown = told(
        "guard-shown",
        &head("disputed, no_fee_before_default"),
        &[INVOICE, "2026-09-25: dispute D-1 about R-1"],
        &[REMINDER, "2026-09-24 09:00: mahnung by email for R-1, no fee", "nothing else"],
    );
    assert!(shown.passed(), "{}", shown.difference());
    assert_eq!(shown.guards.len(), 2);
}

#[test]
fn a_story_can_be_about_a_minor() {
    let head = "test: a story\nguards: [made_by_minor]\n\
                debtor: { kind: consumer, email: true, birth_date: 2010-09-02 }\n";
    let waits = "2026-12-01: R-1 waits, made by a minor";
    let minor = told("minor", head, &[INVOICE], &[waits, "nothing else"]);
    assert!(minor.passed(), "{}", minor.difference());
    assert_eq!(minor.guards.len(), 1);
    // Another day of birth, a person, or the whole of what is owed: it waits no more.
    let corrected = [INVOICE, "2026-09-05: debtor was born 1988-02-29"];
    let until_paid = [corrected[0], corrected[1], "2026-09-15: payment of 89.90 for R-1"];
    let corrected = told("minor-not", head, &until_paid, &[REMINDER, "nothing else"]);
    assert!(corrected.passed(), "{}", corrected.difference());
    let let_in = [INVOICE, "2026-09-05: R-1 is admitted", "2026-09-15: payment of 89.90 for R-1"];
    let let_in = told("minor-let-in", head, &let_in, &[REMINDER, "R-1 is settled", "nothing else"]);
    assert!(let_in.passed(), "{}", let_in.difference());
    let promise = [INVOICE, "2026-09-05: promise until 2026-09-20"];
    let refused = failures(&told("minor-promise", head, &promise, &["nothing else"]));
    assert!(refused[0].contains("the debtor is a minor"), "{refused:?}");
}

#[test]
fn what_no_story_shows_is_listed() {
    let dir = folder("uncovered", &[("fixture", fixture().as_bytes())]);
    let (creditors, _) = load_creditors(&dir).unwrap();
    let (policy, _) = load_policy(&dir.join("fixture"), &creditors).unwrap();
    let creditor = &creditors[&policy.policy.creditor].creditor;
    let lacks = |verdicts: &[Verdict]| -> Vec<String> {
        let found = uncovered(&policy.policy, creditor, verdicts);
        found.iter().map(ToString::to_string).collect()
    };
    let none = lacks(&[]);
    for name in ["step `inkasso`", "persona `regular`", "guard `time_barred`"] {
        assert!(none.iter().any(|lack| lack.contains(name)), "{name}: {none:?}");
    }
    for name in ["no_lump_sum", "no_interest"] {
        assert!(!none.iter().any(|lack| lack.contains(name)), "the fixture has none: {name}");
    }
    let good = played("covers", &[INVOICE], &[REMINDER]);
    assert_eq!(lacks(std::slice::from_ref(&good)).len(), none.len() - 2, "a step and a persona");
    let bad = played("covers-not", &[INVOICE], &[REMINDER, "R-1 is settled"]);
    assert_eq!(lacks(&[bad]), none, "a story that fails shows nothing");
}

#[test]
fn the_shipped_stories_pass_and_show_every_step_persona_and_guard() {
    let dir = here("../../policies");
    let (creditors, _) = load_creditors(&dir).unwrap();
    let mut wrong = String::new();
    let mut without_schema = Vec::new();
    for name in ["road-fines", "shop-b2b", "shop-b2c", "wholesale"] {
        let (policy, _) = load_policy(&dir.join(name), &creditors).unwrap();
        let creditor = &creditors[&policy.policy.creditor];
        let (good, broken, found) = stories(&policy, creditor);
        assert!(found.is_empty(), "{}", rendered(&found));
        for one in broken {
            wrong += &rendered(&one.findings);
        }
        let mut verdicts = Vec::new();
        let mut sentences = BTreeMap::new();
        for story in &good {
            let verdict = story.play();
            if !verdict.passed() {
                wrong += &format!("{}\n{}", story.file.display(), verdict.difference());
            }
            verdicts.push(verdict);
            let twin = sentences.insert(story.test.clone(), &story.file);
            assert_eq!(twin, None, "two stories of {name} say the same: {}", story.test);
            let text = fs::read_to_string(&story.file).unwrap();
            let schema = "# yaml-language-server: $schema=../../../schemas/story.schema.json\n";
            if !text.starts_with(schema) {
                without_schema.push(story.file.clone());
            }
        }
        for lack in uncovered(&policy.policy, &creditor.creditor, &verdicts) {
            wrong += &format!("{name}: {lack}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(without_schema.is_empty(), "the first line names the schema: {without_schema:?}");
}

/// A story that could not fail would show nothing: each shipped one fails on the right day once one
/// of its messages is expected seven minutes later.
#[test]
fn each_message_of_the_shipped_stories_is_missed_where_it_comes_at_another_time() {
    let dir = here("../../policies");
    let (creditors, _) = load_creditors(&dir).unwrap();
    let mut missed = 0;
    for name in ["road-fines", "shop-b2b", "shop-b2c", "wholesale"] {
        let (mut policy, _) = load_policy(&dir.join(name), &creditors).unwrap();
        let creditor = &creditors[&policy.policy.creditor];
        let (shipped, ..) = stories(&policy, creditor);
        policy.dir = folder(&format!("late-{name}"), &[]).join(name);
        fs::create_dir_all(policy.dir.join("tests")).unwrap();
        let mut late = BTreeMap::new();
        for story in &shipped {
            let text = fs::read_to_string(&story.file).unwrap();
            let stem = story.file.file_stem().unwrap().to_str().unwrap();
            let lines = text.lines().enumerate().skip_while(|(_, line)| *line != "expect:");
            for (number, line) in lines {
                let Some(at) = line.find(":00: ").filter(|_| line.contains(" by ")) else {
                    continue;
                };
                let changed = format!("{}:07: {}", &line[..at], &line[at + 5..]);
                let file = format!("{stem}-{number}.yaml");
                let text = text.replace(line, &changed);
                fs::write(policy.dir.join("tests").join(&file), text).unwrap();
                late.insert(file, format!("{}:07", &line[4..at]));
            }
        }
        let (read, broken, _) = stories(&policy, creditor);
        // Where another line of that hour follows the changed one stands too late.
        assert!(broken.len() < 4, "{}", broken.len());
        for story in read {
            let when = &late[story.file.file_name().unwrap().to_str().unwrap()];
            let verdict = story.play();
            let mut rows = verdict.rows.iter();
            let row = rows.find(|row| row.mark == Mark::Missing && row.when == *when);
            assert!(row.is_some(), "{}\n{}", story.file.display(), verdict.difference());
            missed += 1;
        }
    }
    assert!(missed > 60, "{missed}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_as_a_story_gives_an_error_or_a_story_that_can_be_played(
        junk in ".{0,40}",
        at in 0usize..700,
        cut in 0usize..60,
    ) {
        let whole = fs::read_to_string(here("tests/fixture/story.yaml")).unwrap();
        let mut text: Vec<char> = whole.chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, junk.chars());
        let text: String = text.into_iter().collect();
        let (good, broken) = read("story-any", text.as_bytes());
        prop_assert_eq!(good.len() + broken.len(), 1);
        for story in good {
            let _ = story.play().difference();
        }
        for one in broken {
            prop_assert!(one.findings.iter().any(Diagnostic::is_error));
            let _ = rendered(&one.findings);
        }
    }

    #[test]
    fn any_words_in_a_sentence_give_an_error_or_a_story(
        event in proptest::collection::vec(word(), 0..9),
        expected in proptest::collection::vec(word(), 0..9),
    ) {
        let quoted = |words: Vec<String>| serde_json::to_string(&words.join(" ")).unwrap();
        let text = format!(
            "test: a story\ndebtor: {{ kind: consumer, email: true, address: true }}\nevents:\n  \
             - {INVOICE}\n  - 2026-09-16: {}\nexpect:\n  - {REMINDER}\n  - 2026-09-25: {}\n  \
             - {}\nuntil: 2026-12-01\n",
            quoted(event), quoted(expected.clone()), quoted(expected)
        );
        let (good, broken) = read("story-words", text.as_bytes());
        prop_assert_eq!(good.len() + broken.len(), 1);
        good.iter().for_each(|story| drop(story.play()));
    }
}

/// Words that sentences are made of, so that many get far into the grammar.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(
            "invoice payment of for R-1 89.90 10.00 due 2026-09-20 2026-10-20 , is are returned fee \
             credit note dispute D-1 about upheld rejected partly remains owed hold H-1 until \
             released promise plan 3 rates from by a person shop reminder email letter counts as \
             mahnung starts default last message bounces stopped insolvency death debtor has no \
             mobile address vulnerable placement ada agency accepts closes receives erasure \
             waived written off cancelled adjusted to now in acknowledged suspended titled \
             admitted history 12 invoices paid on time 5 days late nothing else before owes \
             account waits disputed settled open not inkasso nordinkasso lacks persona everyone \
             total deadline interest was born"
                .split_whitespace()
                .collect::<Vec<_>>()
        ).prop_map(str::to_owned),
        1 => ".{0,8}",
    ]
}

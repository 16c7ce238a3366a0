//! Experiments: what a file tries becomes a variant of the policy, and stories show each arm.

use std::{collections::BTreeSet, fs, sync::Arc};

use kulanz_domain::{
    ids::AccountId,
    money::{Currency, Decimal},
    policy::{Arm, ArmTaken, Policy, Trials},
};
use kulanz_policies::*;

use crate::{ON, findings, fixture, folder, rendered};

const TWO: &str = "\
experiments:
  - experiment: evening
    share: 20%
    override:
      personas.regular.hours: \"18:00-19:00\"
      personas.everyone.hours: \"18:00-19:00\"
  - experiment: patience
    share: 12.5%
    control: 37.5%
    override: { steps.reminder.at: due + 6d, steps.mahnung.fee: 1.20, bundle: claim }
";

fn loaded(name: &str, experiments: &str) -> LoadedPolicy {
    let dir = folder(name, &[("fixture", format!("{}{experiments}", fixture()).as_bytes())]);
    let (creditors, _) = load_creditors(&dir).unwrap();
    let (policy, _) = load_policy(&dir.join("fixture"), &creditors).unwrap();
    policy
}

fn trials(policy: &LoadedPolicy) -> &Trials {
    policy.policy.trials.as_ref().unwrap()
}

fn treated(names: &[&str]) -> Vec<ArmTaken> {
    let arm = Arm::Treated;
    names.iter().map(|name| ArmTaken { experiment: name.parse().unwrap(), arm }).collect()
}

#[test]
fn each_variant_is_the_policy_with_what_is_tried() {
    let policy = loaded("experiments-two", TWO);
    let shares: Vec<_> = trials(&policy)
        .experiments()
        .iter()
        .map(|one| (one.name.as_str(), one.treated, one.control))
        .collect();
    assert_eq!(shares, [("evening", 200_000, 200_000), ("patience", 125_000, 375_000)]);
    let told = |names: &[&str]| {
        let variant = trials(&policy).in_arms(&treated(names)).unwrap();
        let hours = variant.personas[0].window.hours_on(jiff::civil::Weekday::Monday).unwrap();
        let (reminder, mahnung) = (&variant.steps[0], &variant.steps[1]);
        assert_eq!(variant.reference, policy.policy.reference);
        (hours.to_string(), reminder.at.span.to_string(), mahnung.fee, variant.bundle)
    };
    use kulanz_domain::policy::Bundle::{Account, Claim};
    let (late, early) = ("18:00-19:00".to_owned(), "17:00-19:00".to_owned());
    let fee = |cents| Decimal::new(cents, 2);
    assert_eq!(told(&[]), (early.clone(), "4d".into(), fee(250), Account));
    assert_eq!(told(&["evening"]), (late.clone(), "4d".into(), fee(250), Account));
    assert_eq!(told(&["patience"]), (early, "6d".into(), fee(120), Claim));
    assert_eq!(told(&["evening", "patience"]), (late, "6d".into(), fee(120), Claim));
    assert_eq!(trials(&policy).treatments().count(), 4);
}

#[test]
fn the_shares_of_a_file_are_met_by_its_accounts() {
    let policy = loaded("experiments-shares", TWO);
    let of = |arm| {
        let patience = &trials(&policy).experiments()[1];
        let accounts = (0..100_000).map(|n| format!("shop/K-{n}").parse::<AccountId>().unwrap());
        accounts.filter(|account| patience.arm(account) == Some(arm)).count()
    };
    // Four standard deviations: sqrt(100,000 p (1 - p)) is 105 and 153.
    let (treated, control) = (of(Arm::Treated), of(Arm::Control));
    assert!(
        treated.abs_diff(12_500) <= 420 && control.abs_diff(37_500) <= 612,
        "{treated} {control}"
    );
}

#[test]
fn a_text_that_is_sent_in_one_arm_alone_is_used_and_must_be_there() {
    let tries = "\
experiments:
  - experiment: offer-at-once
    share: 10%
    override: { steps.mahnung.text: reminder }
";
    let found = findings("experiments-text", format!("{}{tries}", fixture()).as_bytes());
    assert!(found.iter().all(|one| one.severity == Severity::Note), "{}", rendered(&found));
    let missing = tries.replace("text: reminder", "text: soft-mahnung");
    let found = findings("experiments-no-text", format!("{}{missing}", fixture()).as_bytes());
    let errors: Vec<&Diagnostic> = found.iter().filter(|one| one.is_error()).collect();
    assert_eq!(errors.len(), 1, "{}", rendered(&found));
    assert_eq!(errors[0].line, 47);
    assert!(errors[0].message.contains("soft-mahnung.de.clear.email.hbs"), "{}", errors[0].message);
}

#[test]
fn kept_sources_give_the_same_variants() {
    let dir = folder("experiments-kept", &[("fixture", format!("{}{TWO}", fixture()).as_bytes())]);
    let loaded = load(&dir, ON).unwrap();
    let policy = &loaded.policies[0];
    let kept = compile_registered("fixture@1", &policy.sources, &loaded.creditors).unwrap();
    let shown = |policy: &Arc<Policy>| {
        let trials = policy.trials.as_ref().unwrap();
        trials.treatments().map(|one| format!("{:?}", one)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&kept), shown(&policy.policy));
    // And the rules of an account are those of its arms.
    let rules = &loaded.rules.values().next().unwrap();
    let arms: BTreeSet<Vec<ArmTaken>> = (0..500)
        .map(|n| rules.of(&format!("shop/K-{n}").parse().unwrap()))
        .map(|rules| rules.policy(Currency::EUR).unwrap().arms.clone())
        .collect();
    assert_eq!(arms.len(), 9);
}

/// The marks of a story in the arms told.
fn story(name: &str, arms: &str, expect: &str) -> Result<Verdict, String> {
    let dir = folder(name, &[("fixture", format!("{}{TWO}", fixture()).as_bytes())]);
    let tests = dir.join("fixture/tests");
    fs::create_dir_all(&tests).unwrap();
    let text = format!(
        "test: a story\ndebtor: {{ kind: consumer, email: true }}\n{arms}events:\n  - 2026-09-01: \
         invoice R-1 of 89.90 due 2026-09-10\nexpect:\n  - {expect}: reminder by email for R-1\n"
    );
    fs::write(tests.join("one.yaml"), text).unwrap();
    let (creditors, _) = load_creditors(&dir).unwrap();
    let (policy, _) = load_policy(&dir.join("fixture"), &creditors).unwrap();
    let (good, broken, _) = stories(&policy, &creditors[&policy.policy.creditor]);
    match broken.first() {
        Some(broken) => Err(rendered(&broken.findings)),
        None => Ok(good[0].play()),
    }
}

#[test]
fn a_story_is_played_in_the_arms_that_it_names_and_outside_of_all_others() {
    for (n, (arms, expect)) in [
        ("", "2026-09-14 09:00"),
        ("arms: { evening: control }\n", "2026-09-14 09:00"),
        ("arms: { evening: treated }\n", "2026-09-14 18:00"),
        ("arms: { patience: treated }\n", "2026-09-16 09:00"),
        ("arms: { evening: treated, patience: treated }\n", "2026-09-16 18:00"),
    ]
    .into_iter()
    .enumerate()
    {
        let right = story(&format!("experiments-story-{n}"), arms, expect).unwrap();
        assert!(right.passed(), "{arms}{:?}", right.rows);
        let other = if expect.contains("09:00") { "18:00" } else { "09:00" };
        let wrong = format!("{} {other}", &expect[..10]);
        let wrong = story(&format!("experiments-story-{n}"), arms, &wrong).unwrap();
        assert!(!wrong.passed(), "{arms}");
    }
}

#[test]
fn a_story_names_experiments_of_its_policy_alone() {
    let found = story("experiments-story-misspelt", "arms: { evenig: treated }\n", "2026-09-14");
    let found = found.unwrap_err();
    assert!(found.contains("the policy has no experiment `evenig`"), "{found}");
    assert!(found.contains("did you mean `evening`?"), "{found}");
    let found = story("experiments-story-arm", "arms: { evening: outside }\n", "2026-09-14");
    assert!(found.unwrap_err().contains("`outside` is not known here"));
}

#[test]
fn an_experiment_wants_a_story_about_somebody_on_whom_it_is_tried() {
    let lacks = |verdict: Verdict| {
        let policy = loaded("experiments-uncovered", TWO);
        let (creditors, _) = load_creditors(policy.dir.parent().unwrap()).unwrap();
        let creditor = &creditors[&policy.policy.creditor].creditor;
        let found = uncovered(&policy.policy, creditor, &[verdict]);
        let found = found.iter().map(ToString::to_string).filter(|lack| lack.contains("arms"));
        found.collect::<Vec<_>>()
    };
    let evening = "no passing story has `arms: { evening: treated }`".to_owned();
    let patience = "no passing story has `arms: { patience: treated }`".to_owned();
    let compared = story("experiments-covers-1", "arms: { evening: control }\n", "2026-09-14");
    assert_eq!(lacks(compared.unwrap()), [evening, patience.clone()]);
    let shown = story("experiments-covers-2", "arms: { evening: treated }\n", "2026-09-14");
    assert_eq!(lacks(shown.unwrap()), [patience]);
}

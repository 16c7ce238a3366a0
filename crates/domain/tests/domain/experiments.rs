//! An experiment decides, and says so in the log.

use std::{collections::BTreeSet, sync::Arc};

use kulanz_domain::{
    AccountEvent,
    contact::ContactWindow,
    event::NoticeDecided,
    fact::Channel::*,
    ids::*,
    policy::{Arm, ArmTaken, Experiment, Policy, Rules, Trials},
};

use crate::{story::Story, world::*};

fn named(text: &str) -> ExperimentName {
    text.parse().unwrap()
}

fn tried(name: &str, treated: u32, control: u32) -> Experiment {
    Experiment { name: named(name), treated, control }
}

fn with_window(policy: &Policy, window: ContactWindow) -> Policy {
    let mut policy = policy.clone();
    policy.personas.iter_mut().for_each(|persona| persona.window = window);
    policy
}

/// Messages in the evening in one experiment, text messages first in another.
fn two_experiments() -> Arc<Rules> {
    let plain = shop_b2c();
    let evening = "18:00-19:00".parse().unwrap();
    let evening = with_window(&plain, window().narrowed(None, Some(evening)));
    let sms = |policy: &Policy| {
        let mut policy = policy.clone();
        policy.personas.iter_mut().for_each(|persona| persona.channels = vec![Sms, Email]);
        policy
    };
    let variants = [plain.clone(), evening.clone(), sms(&plain), sms(&evening)];
    let experiments = vec![tried("evening", 200_000, 200_000), tried("sms", 300_000, 300_000)];
    let trials = Trials::new(experiments, &variants).unwrap();
    let policy = Policy { trials: Some(Arc::new(trials)), ..plain };
    Arc::new(rules([policy]))
}

fn taken(experiment: &str, arm: Arm) -> ArmTaken {
    ArmTaken { experiment: named(experiment), arm }
}

/// The first message to somebody in these arms, and the arms that meeting the policy recorded.
fn first_message(rules: &Arc<Rules>, arms: &[ArmTaken]) -> (NoticeDecided, Vec<ArmTaken>) {
    let rules = rules.in_arms(arms);
    let mut story = Story::new(rules.as_ref().clone());
    story.now = at("2026-03-01");
    let mut story = story.told(debtor(consumer())).told(issued("R-1", "89.90", "2026-03-15"));
    story.decide();
    for hour in 0..11 {
        story.now = at("2026-03-19 09:00") + jiff::SignedDuration::from_hours(hour);
        story.decide();
    }
    let met = story.log.iter().find_map(|event| match event {
        AccountEvent::PolicyMet { arms, .. } => Some(arms.clone()),
        _ => None,
    });
    (story.last_notice().clone(), met.unwrap())
}

#[test]
fn each_arm_decides_by_its_own_policy_and_the_log_says_which() {
    let rules = two_experiments();
    let (treated, control) = (taken("evening", Arm::Treated), taken("evening", Arm::Control));
    let (sms, no_sms) = (taken("sms", Arm::Treated), taken("sms", Arm::Control));
    for (arms, when, channel) in [
        (vec![], "2026-03-19 09:00", Email),
        (vec![control.clone()], "2026-03-19 09:00", Email),
        (vec![treated.clone()], "2026-03-19 18:00", Email),
        (vec![control, sms.clone()], "2026-03-19 09:00", Sms),
        (vec![treated.clone(), no_sms], "2026-03-19 18:00", Email),
        (vec![treated, sms], "2026-03-19 18:00", Sms),
    ] {
        let (notice, met) = first_message(&rules, &arms);
        assert_eq!((show(notice.at).as_str(), notice.channel), (when, channel), "{arms:?}");
        assert_eq!(notice.arms, arms);
        assert_eq!(met, arms, "known before any message");
        assert_eq!(notice.policy, shop_b2c().reference, "a variant is the same version");
    }
}

#[test]
fn an_account_gets_the_rules_of_its_own_arms() {
    let rules = two_experiments();
    let mut seen = BTreeSet::new();
    for n in 0..2_000 {
        let account: AccountId = format!("lindenmoor/K-{n}").parse().unwrap();
        let own = rules.of(&account);
        let policy = &own.policies["EUR"];
        let trials = rules.policies["EUR"].trials.as_ref().unwrap();
        let drawn = trials.experiments().iter().filter_map(|one| {
            one.arm(&account).map(|arm| ArmTaken { experiment: one.name.clone(), arm })
        });
        assert_eq!(policy.arms, drawn.collect::<Vec<_>>(), "{account}");
        let sms_first = policy.personas[0].channels[0] == Sms;
        assert_eq!(sms_first, policy.arms.contains(&taken("sms", Arm::Treated)), "{account}");
        assert!(Arc::ptr_eq(&own, &own.of(&account)), "what is chosen is not chosen again");
        seen.insert(policy.arms.clone());
    }
    assert_eq!(seen.len(), 9, "every combination of arms occurs");
}

#[test]
fn without_experiments_the_rules_are_the_same_for_everybody_and_not_copied() {
    let plain = Arc::new(rules([shop_b2c()]));
    assert!(Arc::ptr_eq(&plain, &plain.of(&account_id())));
    assert!(Arc::ptr_eq(&plain, &plain.in_arms(&[taken("evening", Arm::Treated)])));
}

#[test]
fn the_law_holds_in_every_arm() {
    let plain = shop_b2c();
    let at_night = with_window(&plain, ContactWindow::always());
    let trials = Trials::new(vec![tried("night", 500_000, 500_000)], &[plain.clone(), at_night]);
    let policy = Policy { trials: trials.map(Arc::new), ..plain };
    let rules = Arc::new(rules([policy])).in_arms(&[taken("night", Arm::Treated)]);
    let mut story = Story::new(rules.as_ref().clone());
    story.now = at("2026-03-01");
    let story = story.told(debtor(consumer())).told(issued("R-1", "89.90", "2026-03-15"));
    let story = story.on("2026-03-19 00:30");
    let decision = story.look();
    let until = decision.findings.iter().find_map(|found| found.until);
    assert_eq!(until.map(show).as_deref(), Some("2026-03-19 08:00"));
    story.on("2026-03-19 08:00").takes("reminder", Email);
}

#[test]
fn what_was_recorded_before_there_were_experiments_is_read() {
    let policy = r#"{"name":"shop-b2c","version":4,"hash":"0123456789abcdef"}"#;
    let met = format!(r#"{{"PolicyMet":{{"policy":{policy},"at":"2026-03-01T00:00:00Z"}}}}"#);
    let read: AccountEvent = serde_json::from_str(&met).unwrap();
    assert!(matches!(&read, AccountEvent::PolicyMet { arms, .. } if arms.is_empty()));
    assert_eq!(serde_json::to_string(&read).unwrap(), met, "and written as before");
    let (notice, _) = first_message(&Arc::new(rules([shop_b2c()])), &[]);
    let written = serde_json::to_string(&notice).unwrap();
    assert!(!written.contains("arms"), "{written}");
    let (notice, _) = first_message(&two_experiments(), &[taken("sms", Arm::Control)]);
    let written = serde_json::to_value(&notice).unwrap();
    assert_eq!(written["arms"], serde_json::json!([{ "experiment": "sms", "arm": "control" }]));
}

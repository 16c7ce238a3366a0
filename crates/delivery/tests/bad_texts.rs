//! Texts with a mistake: each gets one finding, in its line. The last line says which:
//! `{{! expect: 3: message }}`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, num::NonZeroU32, path::Path};

use jiff::tz::TimeZone;
use kulanz_delivery::render::{Creditor, Remark, TextKey, TextSource, examine};
use kulanz_domain::{
    calendar::{Region, Span},
    contact::ContactCap,
    fact::Channel,
    ids::{CreditorId, PolicyName, StepName},
    money::{Currency, Decimal},
    policy::{
        Anchor, Bundle, InterestClaimed, InterestPolicy, Moment, Policy, PolicyRef, Step,
        StepAction,
    },
};

/// A ladder of one reminder with the text `text`.
fn policy(text: &str) -> Policy {
    let step = Step {
        name: StepName::new("reminder").unwrap(),
        action: StepAction::Reminder,
        at: Moment { anchor: Anchor::Due, before: false, span: Span::Days(4) },
        deadline: None,
        fee: Decimal::ZERO,
        lump_sum: false,
        stop_delivery: false,
        expires: None,
        when: None,
        text: text.into(),
    };
    Policy {
        reference: PolicyRef {
            name: PolicyName::new("texts").unwrap(),
            version: 1,
            hash: "0".into(),
        },
        creditor: CreditorId::new("shop").unwrap(),
        currency: Currency::EUR,
        languages: vec!["de".to_owned()],
        zone: TimeZone::UTC,
        region: Region::default(),
        cap: ContactCap { times: NonZeroU32::MIN, within_days: NonZeroU32::MIN },
        minimum: Decimal::ZERO,
        bundle: Bundle::Account,
        interest: InterestPolicy {
            claimed: InterestClaimed::None,
            count: Default::default(),
            last_day_counts: true,
        },
        rest_waived: Decimal::ZERO,
        in_flight: Span::BusinessDays(2),
        promise_within: Span::Days(30),
        meets_overdue_days: 60,
        entry: None,
        spread_minutes: 0,
        brake: None,
        trials: None,
        arms: Vec::new(),
        personas: Vec::new(),
        steps: vec![step],
    }
}

fn remarks(name: &str, channel: Channel, source: &str) -> Vec<Remark> {
    let key = TextKey {
        text: name.to_owned(),
        language: "de".to_owned(),
        tone: "clear".to_owned(),
        channel,
    };
    let creditor = Creditor {
        name: "Muster".to_owned(),
        support_email: Some("hilfe@muster.example".to_owned()),
        support_phone: None,
        iban: Some("DE02120300000000202051".to_owned()),
        imprint: None,
        colour: Default::default(),
    };
    let text = TextSource { file: format!("{name}.hbs"), source: source.to_owned() };
    examine(&policy(name), [(key, text)], &creditor, "https://zahlen.muster.example")
}

#[test]
fn each_broken_text_gets_its_finding_at_its_line_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|one| one.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 30, "{}", files.len());
    let mut failures = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let source = fs::read_to_string(&file).unwrap();
        let channel = if name.contains(".sms.") { Channel::Sms } else { Channel::Email };
        let found = remarks(&name, channel, &source);
        let expected = source.lines().find_map(|line| line.strip_prefix("{{! expect: ")).unwrap();
        let (line, message) = expected.trim_end_matches("}}").trim().split_once(": ").unwrap();
        match found.as_slice() {
            [one]
                if one.problem.line.to_string() == line
                    && one.problem.message.contains(message) => {}
            other => failures += &format!("{name}: expected {line}: {message}\n{other:#?}\n"),
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_hostile_text_is_refused_in_bounded_work() {
    // Nesting is the template engine's own recursion: it must end, whatever it says.
    let nested = format!("{}x{}", "{{#if one}}".repeat(200), "{{/if}}".repeat(200));
    let open = "{{#each claims}}".repeat(200);
    for source in [nested, open, "{{".repeat(10_000), "{{{".repeat(5_000), "[[".repeat(5_000)] {
        let source = format!("Subject: x\n\n{source}");
        let found = remarks("hostile", Channel::Email, &source);
        assert!(found.iter().all(|remark| remark.problem.message.len() < 2_000));
    }
}

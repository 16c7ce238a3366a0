//! A story as text: what people do on which day, and what Kulanz does about it.
//!
//! The walk goes from fact to fact and from wake-up to wake-up, so it shows as well that each
//! wake-up comes in time. Messages are taken by the gateway as soon as they are decided.

use jiff::Timestamp;
use kulanz_domain::{
    AccountEvent, Command,
    arrangement::{offers, plannable},
    calendar::day_in,
    fact::*,
    ids::*,
    money::{Currency, plain},
    policy::Rules,
};

use crate::{story::Story, world::*};

/// Walks to the end of the day `until` and compares what Kulanz did.
#[track_caller]
pub fn check(facts: &str, until: &str, expected: &str) {
    check_under(rules([shop_b2c()]), facts, until, expected);
}

#[track_caller]
pub fn check_under(rules: Rules, facts: &str, until: &str, expected: &str) {
    let found = walk(rules, facts, until);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(found.join("\n"), expected.join("\n"), "\n\nfound:\n{}\n", found.join("\n"));
}

fn walk(rules: Rules, facts: &str, until: &str) -> Vec<String> {
    let mut lines = facts.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    let mut story = Story::new(rules);
    let mut told: Vec<String> = Vec::new();
    let end = at(&format!("{until} 23:59"));
    let mut turns = 0;
    loop {
        turns += 1;
        assert!(turns < 1000, "the walk does not end");
        let next = lines.peek().map(|line| moment_of(line));
        let wake = story.wake.filter(|wake| *wake <= end);
        story.now = match (next, wake) {
            (Some(fact), Some(wake)) if wake < fact => wake,
            (Some(fact), _) => fact,
            (None, Some(wake)) => wake,
            (None, None) => return told,
        };
        let before = story.log.len();
        if next == Some(story.now) {
            happens(&mut story, lines.next().unwrap());
        }
        story.decide();
        while let Some(notice) = waiting(&story) {
            story.confirm(&notice);
            story.decide();
        }
        told.extend(story.log[before..].iter().filter_map(|event| line(event, story.now, &story)));
    }
}

fn waiting(story: &Story) -> Option<NoticeId> {
    let decided = kulanz_domain::account::NoticeState::Decided;
    story.account.notices.iter().find(|(_, n)| n.state == decided).map(|(id, _)| id.clone())
}

fn moment_of(line: &str) -> Timestamp {
    match line.as_bytes().get(13) {
        Some(b':') => at(&line[..16]),
        _ => at(&format!("{} 08:00", &line[..10])),
    }
}

/// One line of the story becomes a fact or a command.
fn happens(story: &mut Story, line: &str) {
    let on = &line[..10];
    let rest = if line.as_bytes().get(13) == Some(&b':') { &line[16..] } else { &line[10..] };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let after = |word: &str| {
        let at = words.iter().position(|one| *one == word)?;
        words.get(at + 1).copied()
    };
    let last = || story.log.iter().rev().find_map(crate::story::notice_of).unwrap();
    let fact = match words[0] {
        "consumer" | "business" => {
            let base = if words[0] == "business" { business() } else { consumer() };
            let mut profile = base;
            if words.len() > 1 {
                profile.reachable = words[1..].iter().filter_map(|word| channel(word)).collect();
            }
            profile.vulnerable = words.contains(&"vulnerable");
            debtor(profile)
        }
        "invoice" => issued(words[1], after("of").unwrap(), after("due").unwrap()),
        "payment" => paid(words[1], after("of").unwrap(), on, after("for")),
        "return" => returned(words[1], on, after("fee")),
        "dispute" if words.len() == 2 => disputed(&format!("E-{}", words[1]), words[1], on, None),
        "dispute" => {
            let outcome = match words[2] {
                "upheld" => DisputeOutcome::Upheld,
                "partly" => DisputeOutcome::Partly,
                _ => DisputeOutcome::Rejected,
            };
            resolved(&format!("E-{}", words[1]), words[1], on, outcome, words.get(3).copied())
        }
        "hold" => hold(words[1], None, after("until")),
        "release" => hold_released(words[1]),
        "new-due-date" => rescheduled(words[1], words[2]),
        "shop" => shop_reminded(words[1], &show(story.now), after("of").unwrap(), after("as")),
        "bounce" => {
            let last = last();
            receipt(&last.notice.clone(), last.channel, &show(story.now), Receipt::Bounced)
        }
        "promise" => {
            story.promise(&format!("Z-{on}"), words[1]).unwrap();
            return;
        }
        "plan" => {
            let (_, open) = plannable(&story.account, Currency::EUR, story.today());
            let policy = story.rules.policy(Currency::EUR).unwrap().clone();
            let offered = offers(&policy, open, day(words[3]));
            let wanted: u32 = words[1].parse().unwrap();
            let (_, rates) = offered.into_iter().find(|(t, _)| t.rates == wanted).unwrap();
            story.agree(&format!("R-{on}"), &rates).unwrap();
            return;
        }
        "signs" => {
            story.release(words[1]).unwrap();
            return;
        }
        "admit" => {
            let (invoice, by) = (id(words[1]), "ute".into());
            story.execute(&Command::Admit { invoice, by }).unwrap();
            return;
        }
        other => panic!("no such word in a story: {other}"),
    };
    story.record(fact).unwrap();
}

fn channel(word: &str) -> Option<Channel> {
    Channel::ALL.into_iter().find(|channel| channel.name() == word)
}

/// What Kulanz did, as a person would say it; facts say nothing.
fn line(event: &AccountEvent, now: Timestamp, story: &Story) -> Option<String> {
    let at = show(now);
    let today = day_in(now, &story.rules.creditor.zone);
    Some(match event {
        AccountEvent::NoticeSent { notice, deadline, .. } => {
            let decided = &story.account.notices[notice].decided;
            let claims: Vec<String> = decided
                .claims
                .iter()
                .map(|part| {
                    let own = if part.step == decided.step { "" } else { " as its " };
                    let step = if own.is_empty() { "" } else { part.step.as_str() };
                    format!("{}{own}{step}", part.invoice)
                })
                .collect();
            let fee = decided
                .fee
                .as_ref()
                .map(|(_, fee)| format!(", fee {}", plain(*fee, Currency::EUR)));
            let pay_by = deadline.map(|day| format!(", pay by {day}"));
            format!(
                "{at} {} by {} for {}{}{}",
                decided.step,
                decided.channel.name(),
                claims.join(", "),
                fee.unwrap_or_default(),
                pay_by.unwrap_or_default()
            )
        }
        AccountEvent::DefaultBegins { invoice, from, .. } => {
            format!("{at} {invoice} will be in default from {from}")
        }
        AccountEvent::ClaimSettled { invoice, on } if *on == today => {
            format!("{at} {invoice} is settled")
        }
        AccountEvent::ClaimSettled { invoice, on } => format!("{at} {invoice} was settled on {on}"),
        AccountEvent::ClaimReopened { invoice } => format!("{at} {invoice} is open again"),
        AccountEvent::FeeReversed { invoice, .. } => format!("{at} fee on {invoice} taken back"),
        AccountEvent::PromiseKept { .. } => format!("{at} promise kept"),
        AccountEvent::PromiseBroken { .. } => format!("{at} promise broken"),
        AccountEvent::PlanAgreed { rates, .. } => {
            let rates: Vec<String> = rates
                .iter()
                .map(|rate| format!("{} on {}", plain(rate.amount, Currency::EUR), rate.due_on))
                .collect();
            format!("{at} plan: {}", rates.join(", "))
        }
        AccountEvent::PlanCompleted { .. } => format!("{at} plan completed"),
        AccountEvent::PlanBroken { .. } => format!("{at} plan broken"),
        AccountEvent::PromiseResumed { .. } => format!("{at} promise runs on"),
        AccountEvent::PlanResumed { .. } => format!("{at} plan runs on"),
        AccountEvent::HandoffDue { claims, missing, .. } => {
            let claims: Vec<&str> = claims.iter().map(InvoiceId::as_str).collect();
            let missing = if missing.is_empty() { "" } else { ", incomplete" };
            format!("{at} inkasso is due for {}{missing}", claims.join(", "))
        }
        AccountEvent::HandoffWithdrawn { reason, .. } => {
            format!("{at} inkasso withdrawn: {reason:?}")
        }
        AccountEvent::PlacementReleased { by, amounts, .. } => {
            let amounts: Vec<String> = amounts
                .iter()
                .map(|(claim, principal, fees)| format!("{claim} {principal} + {fees}"))
                .collect();
            format!("{at} handed over by {by}: {}", amounts.join(", "))
        }
        AccountEvent::PlacementRecalled { reason, .. } => format!("{at} recalled: {reason:?}"),
        _ => return None,
    })
}

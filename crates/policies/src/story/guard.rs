//! Guards: what the law, or decency, keeps a policy from. A story that names one has to show it at
//! work: it counts only where the guard had something to stop while the story was played.

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    account::Account,
    calendar::{Region, holiday},
    decision::{Decision, WaitReason},
    event::{NoticeClaim, NoticeDecided},
    fact::DebtorKind,
    ids::InvoiceId,
    law::{self, consumer_cap},
    policy::{Creditor, InterestClaimed, Law, Policy, Rules, Step, StepAction},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that no policy can loosen.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// The message that brings default about, and any before it, costs nothing.
    NoFeeBeforeDefault,
    /// A consumer's reminder costs no more than the channel allows: letter 2.50, SMS 0.20, e-mail
    /// nothing.
    FeeCap,
    /// Consumers owe no lump sum (§ 288 (5) BGB).
    NoLumpSumForConsumers,
    /// No interest before default.
    NoInterestBeforeDefault,
    /// Nothing about a claim that is disputed.
    Disputed,
    /// Nothing while a hold is on the account or the claim.
    OnHold,
    /// Nothing before a promised day.
    Promised,
    /// Nothing while a plan is kept.
    PlanKept,
    /// Nothing to an insolvent debtor.
    Insolvent,
    /// Nothing to a debtor who died.
    Deceased,
    /// Nothing outside of the contact hours.
    ContactWindow,
    /// Nothing on a holiday.
    Holiday,
    /// No more contacts than allowed in a span of days.
    ContactCap,
    /// No hand-off before default.
    NoHandoffBeforeDefault,
    /// No hand-off without the fields that an agency needs (§ 13a RDG).
    HandoffFields,
    /// Nothing about a claim that is time-barred (§ 214 BGB).
    TimeBarred,
    /// Nothing about a claim that a minor made, until a person has seen that it binds them (§§ 106
    /// to 108 BGB).
    MadeByMinor,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::NoFeeBeforeDefault,
        Self::FeeCap,
        Self::NoLumpSumForConsumers,
        Self::NoInterestBeforeDefault,
        Self::Disputed,
        Self::OnHold,
        Self::Promised,
        Self::PlanKept,
        Self::Insolvent,
        Self::Deceased,
        Self::ContactWindow,
        Self::Holiday,
        Self::ContactCap,
        Self::NoHandoffBeforeDefault,
        Self::HandoffFields,
        Self::TimeBarred,
        Self::MadeByMinor,
    ];

    /// As it is written in a story: `no_fee_before_default`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFeeBeforeDefault => "no_fee_before_default",
            Self::FeeCap => "fee_cap",
            Self::NoLumpSumForConsumers => "no_lump_sum_for_consumers",
            Self::NoInterestBeforeDefault => "no_interest_before_default",
            Self::Disputed => "disputed",
            Self::OnHold => "on_hold",
            Self::Promised => "promised",
            Self::PlanKept => "plan_kept",
            Self::Insolvent => "insolvent",
            Self::Deceased => "deceased",
            Self::ContactWindow => "contact_window",
            Self::Holiday => "holiday",
            Self::ContactCap => "contact_cap",
            Self::NoHandoffBeforeDefault => "no_handoff_before_default",
            Self::HandoffFields => "handoff_fields",
            Self::TimeBarred => "time_barred",
            Self::MadeByMinor => "made_by_minor",
        }
    }

    /// What a story has to bring about so that the guard has something to stop.
    pub const fn shown_by(self) -> &'static str {
        match self {
            Self::NoFeeBeforeDefault => "a step with a fee goes out before default",
            Self::FeeCap => {
                "a step with a fee goes to a consumer who is in default, by a channel that may \
                 cost less"
            }
            Self::NoLumpSumForConsumers => {
                "a step with the lump sum goes to a consumer who is in default"
            }
            Self::NoInterestBeforeDefault => {
                "a message goes out about an overdue claim before default"
            }
            Self::Disputed => "an open claim waits since it is disputed",
            Self::OnHold => "an open claim or account waits since a hold is on it",
            Self::Promised => "an account waits for a promised day",
            Self::PlanKept => "an open claim waits since a plan is kept",
            Self::Insolvent => "the account waits since the debtor is insolvent",
            Self::Deceased => "the account waits since the debtor died",
            Self::ContactWindow => {
                "a message is due at a moment outside of the contact hours, on a day that is no \
                 holiday (a hold that is released at night, for instance)"
            }
            Self::Holiday => "a message is due on a holiday (a hold that is released on it)",
            Self::ContactCap => "a message waits since as many as allowed went out",
            Self::NoHandoffBeforeDefault => "the hand-off is due before default",
            Self::HandoffFields => "a hand-off is due that lacks a field",
            Self::TimeBarred => "an open claim waits since it is barred",
            Self::MadeByMinor => {
                "an open claim waits since the debtor was a minor when it was made (`birth_date`)"
            }
        }
    }

    /// Whether it can ever have something to stop in `policy`, so that it needs a story.
    pub fn applies(self, policy: &Policy, creditor: &Creditor) -> bool {
        let german = matches!(creditor.law, Law::De | Law::At);
        let steps = &policy.steps;
        let hands_off = steps.iter().any(|s| matches!(s.action, StepAction::HandOff { .. }));
        match self {
            Self::NoFeeBeforeDefault => german && steps.iter().any(|s| !s.fee.is_zero()),
            Self::FeeCap => {
                let senders = || creditor.channels.iter().copied();
                german && steps.iter().any(|s| senders().any(|one| consumer_cap(one) < s.fee))
            }
            Self::NoLumpSumForConsumers => german && steps.iter().any(|step| step.lump_sum),
            Self::NoInterestBeforeDefault => {
                creditor.law != Law::None && policy.interest.claimed != InterestClaimed::None
            }
            Self::Holiday => policy.region != Region::None,
            Self::NoHandoffBeforeDefault => hands_off && creditor.law != Law::None,
            Self::HandoffFields => hands_off,
            Self::TimeBarred => creditor.law == Law::De,
            Self::Disputed
            | Self::OnHold
            | Self::Promised
            | Self::PlanKept
            | Self::Insolvent
            | Self::Deceased
            | Self::ContactWindow
            | Self::ContactCap
            | Self::MadeByMinor => true,
        }
    }
}

/// Guards that `decision` at `now` met, by the reasons that it gives.
pub(super) fn met_by_waiting(
    decision: &Decision,
    rules: &Rules,
    policy: &Policy,
    account: &Account,
    now: Timestamp,
) -> impl Iterator<Item = Guard> {
    let on = debtors_day(rules, account, now);
    let theirs = account.profile().and_then(|d| Region::of(&d.country, d.region.as_deref()));
    let regions = [Some(policy.region), theirs];
    let free = regions.into_iter().flatten().any(|region| holiday(on, region).is_some());
    decision.findings.iter().filter_map(move |found| {
        Some(match found.waits.as_ref()? {
            WaitReason::Disputed => Guard::Disputed,
            WaitReason::OnHold(_) => Guard::OnHold,
            WaitReason::Promised(_) => Guard::Promised,
            WaitReason::Planned(_) => Guard::PlanKept,
            WaitReason::Insolvent => Guard::Insolvent,
            WaitReason::Deceased => Guard::Deceased,
            WaitReason::OutsideWindow if free => Guard::Holiday,
            WaitReason::OutsideWindow => Guard::ContactWindow,
            WaitReason::ContactCap => Guard::ContactCap,
            WaitReason::NotInDefault => Guard::NoHandoffBeforeDefault,
            WaitReason::TimeBarred(_) => Guard::TimeBarred,
            WaitReason::MadeByMinor(_) => Guard::MadeByMinor,
            _ => return None,
        })
    })
}

/// Guards that held something back from a message: fee, lump sum, interest.
pub(super) fn met_by_message(
    decided: &NoticeDecided,
    rules: &Rules,
    policy: &Policy,
    account: &Account,
    today: Date,
) -> Vec<Guard> {
    let step_of = |name| policy.steps.iter().find(|step: &&Step| step.name == name);
    let consumer = account.profile().is_some_and(|d| d.kind == DebtorKind::Consumer);
    let german = matches!(rules.creditor.law, Law::De | Law::At);
    let in_default = |invoice: &InvoiceId| {
        let claim = account.claims.get(invoice);
        let begins = claim
            .and_then(|claim| law::default_begins(claim, rules.creditor.seat(), account.profile()));
        begins.is_some_and(|(from, _)| from <= today)
    };
    let mut met = Vec::new();
    let lead = decided.claims.iter().find(|claim| claim.step == decided.step);
    if let Some((lead, step)) = lead.zip(step_of(decided.step.clone())).filter(|_| german) {
        let charged = decided.fee.as_ref().map(|(_, fee)| *fee).unwrap_or_default();
        let late = in_default(&lead.invoice);
        if !step.fee.is_zero() && !late && charged.is_zero() {
            met.push(Guard::NoFeeBeforeDefault);
        }
        let lump_sum = decided.lump_sums.iter().any(|(invoice, _)| *invoice == lead.invoice);
        if charged < step.fee && late && consumer && charged == consumer_cap(decided.channel) {
            met.push(Guard::FeeCap);
        }
        if step.lump_sum && late && consumer && !lump_sum {
            met.push(Guard::NoLumpSumForConsumers);
        }
    }
    let claims_interest = policy.interest.claimed != InterestClaimed::None;
    let overdue = |invoice: &InvoiceId| {
        let due_on = account.claims.get(invoice).and_then(|claim| claim.due_on());
        due_on.is_some_and(|due_on| due_on < today)
    };
    let free = |claim: &NoticeClaim| {
        claim.interest.is_zero() && overdue(&claim.invoice) && !in_default(&claim.invoice)
    };
    if claims_interest && rules.creditor.law != Law::None && decided.claims.iter().any(free) {
        met.push(Guard::NoInterestBeforeDefault);
    }
    met
}

fn debtors_day(rules: &Rules, account: &Account, now: Timestamp) -> Date {
    let named = account.profile().and_then(|debtor| debtor.timezone.as_deref());
    let zone = named.and_then(|name| jiff::tz::TimeZone::get(name).ok());
    let zone = zone.unwrap_or_else(|| rules.creditor.zone.clone());
    kulanz_domain::calendar::day_in(now, &zone)
}

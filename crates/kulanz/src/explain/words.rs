//! Reasons, guards and moments in words.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{
    decision::{Explanation, FeeExplained, FeeLimit, PutOff, WaitReason},
    event::ChannelGap,
    fact::Channel,
    law::{DefaultGround, FeeGuard},
    policy::{ConditionPart, Rules},
};

/// `Mon 2026-03-30 09:00 Europe/Berlin`.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let shown = at.to_zoned(zone.clone());
    let seconds = if shown.second() == 0 { "%a %Y-%m-%d %H:%M" } else { "%a %Y-%m-%d %H:%M:%S" };
    format!("{} {}", shown.strftime(seconds), zone.iana_name().unwrap_or("UTC"))
}

/// `Mon 2026-03-30 09:00`, for tables.
pub fn short(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// `Mon 30 March at 9:00`; with the year where it is not that of the explanation.
pub fn on(at: Timestamp, told: &Explanation, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    let form = match at.year() == told.today.year() {
        true => "%a %-d %B at %-H:%M",
        false => "%a %-d %B %Y at %-H:%M",
    };
    at.strftime(form).to_string()
}

/// `16 March`; with the year where it is not that of the explanation.
pub fn day(day: Date, told: &Explanation) -> String {
    let form = if day.year() == told.today.year() { "%-d %B" } else { "%-d %B %Y" };
    day.strftime(form).to_string()
}

/// `, until Mon 30 March at 9:00`, or nothing.
pub fn until(at: Option<Timestamp>, told: &Explanation, zone: &TimeZone) -> String {
    at.map_or_else(String::new, |at| format!(", until {}", on(at, told, zone)))
}

/// `e-mail`.
pub const fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "e-mail",
        Channel::Sms => "SMS",
        Channel::Letter => "letter",
    }
}

/// Why a channel cannot serve.
pub const fn gap(gap: ChannelGap) -> &'static str {
    match gap {
        ChannelGap::NoAddress => "no address on file",
        ChannelGap::NoConsent => "the debtor does not want it",
        ChannelGap::Bounced => "the address bounced",
        ChannelGap::NotOffered => "the creditor has no sender for it",
    }
}

/// The parts that decide a condition, with what they read: `claim.outstanding >= 60 is false
/// (claim.outstanding = 45.00)`.
pub fn parts(parts: &[ConditionPart]) -> String {
    let said = parts.iter().map(|part| {
        let reads: Vec<String> = part
            .reads
            .iter()
            .map(|fact| match &fact.value {
                Some(value) => format!("{} = {value}", fact.fact),
                None => format!("{} is absent", fact.fact),
            })
            .collect();
        let reads = match reads.is_empty() {
            true => String::new(),
            false => format!(" ({})", reads.join(", ")),
        };
        format!("{} is {}{reads}", part.part, part.holds)
    });
    said.collect::<Vec<_>>().join("; ")
}

/// What a step charges and what the law takes off it.
pub fn fee(fee: &FeeExplained) -> String {
    let why = match &fee.limited_by {
        None => return format!("charges {}", fee.allowed),
        Some(FeeLimit::Override) => "a person said so, see the override".to_owned(),
        Some(FeeLimit::LumpSum) => "the lump sum of § 288 (5) BGB was charged".to_owned(),
        Some(FeeLimit::Law(FeeGuard::OnlyIfAgreed)) => "only what was agreed (OR 104)".to_owned(),
        Some(FeeLimit::Law(FeeGuard::NotInDefault)) => {
            "the debtor is not in default before it (§ 286 BGB)".to_owned()
        }
        Some(FeeLimit::Law(FeeGuard::ConsumerCap(by))) => {
            format!("all that a consumer owes for this by {}", channel(*by))
        }
    };
    format!("its fee of {} is capped to {:.2}: {why}", fee.asked, fee.allowed)
}

/// Why default began.
pub const fn ground(ground: DefaultGround) -> &'static str {
    match ground {
        DefaultGround::Declared => "declared by the creditor (§ 286 (2) no. 3, 4 BGB)",
        DefaultGround::AgreedDate => "a date was agreed (§ 286 (2) no. 1 BGB)",
        DefaultGround::ThirtyDays => "30 days after due date and receipt (§ 286 (3) BGB)",
        DefaultGround::Notice => "by a Mahnung (§ 286 (1) BGB)",
    }
}

/// What put a step off.
pub const fn put_off(by: PutOff) -> &'static str {
    match by {
        PutOff::DueDate => "not before the claim is overdue",
        PutOff::Entry => "old when the policy met it: accounts enter one after the other",
        PutOff::Distance => "keeps its distance from the step before",
        PutOff::Deadline => "the deadline that was told, and money on its way",
        PutOff::Refund => "money was given back: its credit note may be on its way",
    }
}

/// A reason to wait, as a clause.
pub fn reason(reason: &WaitReason, rules: &Rules) -> String {
    match reason {
        WaitReason::Erased => "the account was erased".to_owned(),
        WaitReason::Insolvent => "the debtor is insolvent; the law allows no notice".to_owned(),
        WaitReason::Deceased => "the debtor died; a person finds out who inherits".to_owned(),
        WaitReason::DebtorUnknown => {
            "no `debtor.updated` has come: nobody knows whom to write to".to_owned()
        }
        WaitReason::OnHold(hold) => format!("hold {hold} is on it"),
        WaitReason::Promised(promise) => format!("promise {promise} and its grace run"),
        WaitReason::Planned(plan) => format!("plan {plan} is being kept"),
        WaitReason::NoPolicy(currency) => {
            format!("{} has no policy in {}", rules.creditor.id, currency.code())
        }
        WaitReason::NothingOwed => "nothing is owed".to_owned(),
        WaitReason::NoticePending(notice) => format!("message {notice} is on its way"),
        WaitReason::NoticeParked(notice) => {
            format!("message {notice} is stuck; see `kulanz outbox list --stuck`")
        }
        WaitReason::Disputed => "it is disputed".to_owned(),
        WaitReason::TimeBarred(on) => {
            format!("it is barred: the last day to act was {on} (§ 214 BGB)")
        }
        WaitReason::MadeByMinor(until) => {
            format!(
                "the debtor was a minor when it was made (of age by {until}): where the parents, or \
                 the debtor once of age, agree to it (§§ 107, 108 BGB) a person lets it in (`kulanz \
                 account release … --claim`), and where not, the shop cancels it"
            )
        }
        WaitReason::BelowMinimum => "it is below the minimum".to_owned(),
        WaitReason::OldClaim => {
            "it was long overdue when the policy first met it; a person lets it in \
             (`kulanz account release … --claim`)"
                .to_owned()
        }
        WaitReason::CreditCovers => "money that waits on the account covers it".to_owned(),
        WaitReason::Placed(placement) => format!("placement {placement} has it"),
        WaitReason::GivenBack(placement) => {
            format!("the agency gave it back (placement {placement}); a person goes on")
        }
        WaitReason::NotBefore => "its day has not come".to_owned(),
        WaitReason::ConditionFalse(when) => format!("its condition is false: {when}"),
        WaitReason::Expired => "it comes before the due date or not at all".to_owned(),
        WaitReason::StepMissing(step) => format!("it insists on `{step}`, which never happened"),
        WaitReason::WentBack(payment) => format!(
            "payment {payment} went back or counts elsewhere: the debtor first hears what is open, \
             with a deadline"
        ),
        WaitReason::NotInDefault => "the debtor is not in default yet".to_owned(),
        WaitReason::NoFurther(by) => format!("a person said no further, override {by}"),
        WaitReason::TopOfLadder => "all steps are done".to_owned(),
        WaitReason::Spread => "messages of a day are spread; its moment has not come".to_owned(),
        WaitReason::OutsideWindow => "the contact window is closed".to_owned(),
        WaitReason::ContactCap => "as many contacts as allowed were made".to_owned(),
        WaitReason::CatchingUp => {
            "what is late is caught up one message a day, and today there was one".to_owned()
        }
        WaitReason::NoChannel => "no channel can reach the debtor".to_owned(),
    }
}

//! Reasons to wait, in the few words that a story uses for them.

use kulanz_domain::decision::WaitReason;

/// The words for `reason`.
pub(super) const fn name(reason: &WaitReason) -> &'static str {
    match reason {
        WaitReason::Erased => "erased",
        WaitReason::Insolvent => "insolvent",
        WaitReason::Deceased => "deceased",
        WaitReason::DebtorUnknown => "debtor unknown",
        WaitReason::OnHold(_) => "on hold",
        WaitReason::Promised(_) => "promised",
        WaitReason::Planned(_) => "in a plan",
        WaitReason::NoPolicy(_) => "no policy",
        WaitReason::NothingOwed => "nothing owed",
        WaitReason::NoticePending(_) => "message on its way",
        WaitReason::NoticeParked(_) => "message parked",
        WaitReason::Disputed => "disputed",
        WaitReason::TimeBarred(_) => "time-barred",
        WaitReason::MadeByMinor(_) => "made by a minor",
        WaitReason::BelowMinimum => "below the minimum",
        WaitReason::OldClaim => "too old",
        WaitReason::CreditCovers => "covered by credit",
        WaitReason::Placed(_) => "placed",
        WaitReason::GivenBack(_) => "given back",
        WaitReason::NotBefore => "not due yet",
        WaitReason::ConditionFalse(_) => "condition false",
        WaitReason::Expired => "too late for it",
        WaitReason::StepMissing(_) => "step missing",
        WaitReason::WentBack(_) => "money went back",
        WaitReason::NotInDefault => "not in default",
        WaitReason::NoFurther(_) => "no further",
        WaitReason::TopOfLadder => "no step left",
        WaitReason::OutsideWindow => "outside contact hours",
        WaitReason::Spread => "spread over the day",
        WaitReason::ContactCap => "contact cap",
        WaitReason::CatchingUp => "catching up",
        WaitReason::NoChannel => "no channel",
    }
}

/// All that a story can expect.
pub(super) const NAMES: [&str; 29] = [
    "insolvent",
    "deceased",
    "on hold",
    "promised",
    "in a plan",
    "no policy",
    "nothing owed",
    "disputed",
    "time-barred",
    "made by a minor",
    "below the minimum",
    "too old",
    "covered by credit",
    "placed",
    "given back",
    "not due yet",
    "condition false",
    "too late for it",
    "step missing",
    "money went back",
    "not in default",
    "no step left",
    "no further",
    "outside contact hours",
    "spread over the day",
    "contact cap",
    "catching up",
    "no channel",
    "erased",
];

/// The reason with what it is about, for people.
pub(super) fn told(reason: &WaitReason) -> String {
    let name = name(reason);
    match reason {
        WaitReason::OnHold(hold) => format!("{name} ({hold})"),
        WaitReason::ConditionFalse(when) => format!("{name} ({when})"),
        WaitReason::StepMissing(step) => format!("{name} ({step})"),
        WaitReason::WentBack(payment) => format!("{name} ({payment})"),
        WaitReason::TimeBarred(on) => format!("{name} since {on}"),
        WaitReason::NoPolicy(currency) => format!("{name} in {}", currency.code()),
        _ => name.to_owned(),
    }
}

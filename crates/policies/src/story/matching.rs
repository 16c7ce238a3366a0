//! Whether something that happened is what an expectation speaks of.

use std::collections::BTreeSet;

use jiff::civil::Date;
use kulanz_domain::{
    event::NoticeDecided,
    ids::InvoiceId,
    money::{Decimal, plain},
    policy::Policy,
};

use super::{
    expect::{Detail, PAY_WITH, What},
    play::Happened,
};

/// Whether the happening is the one that the expectation is about, details aside.
pub(super) fn speaks_of(what: &What, happened: &Happened) -> bool {
    match (what, happened) {
        (What::Message { step, channel, claims, .. }, Happened::Message { decided, .. }) => {
            let told: BTreeSet<&InvoiceId> =
                decided.claims.iter().map(|one| &one.invoice).collect();
            decided.step == *step
                && decided.channel == *channel
                && told == claims.iter().collect::<BTreeSet<_>>()
        }
        (
            What::HandOff { step, agency, claims, .. },
            Happened::HandOff { step: taken, agency: to, claims: given, .. },
        ) => {
            step == taken
                && agency == to
                && given.iter().collect::<BTreeSet<_>>() == claims.iter().collect()
        }
        (What::Quiet { step, claims }, Happened::Quiet { step: taken, claims: given }) => {
            step == taken && given.iter().collect::<BTreeSet<_>>() == claims.iter().collect()
        }
        (What::Comes(turn), Happened::Turn(came, _)) => turn == came,
        _ => false,
    }
}

/// Whether the happening is probably what was meant.
pub(super) fn close_to(what: &What, happened: &Happened) -> bool {
    match (what, happened) {
        (What::Message { step, claims, .. }, Happened::Message { decided, .. }) => {
            let mut told = decided.claims.iter();
            decided.step == *step && told.any(|one| claims.contains(&one.invoice))
        }
        (
            What::HandOff { step, claims, .. },
            Happened::HandOff { step: taken, claims: given, .. },
        )
        | (What::Quiet { step, claims }, Happened::Quiet { step: taken, claims: given }) => {
            step == taken && given.iter().any(|one| claims.contains(one))
        }
        (What::Comes(turn), Happened::Turn(came, _)) => turn == came,
        _ => false,
    }
}

/// What the message asks for in all.
pub(super) fn total(decided: &NoticeDecided) -> Decimal {
    let claims = decided.claims.iter().map(|one| one.principal + one.fees + one.interest);
    let fee = decided.fee.iter().map(|(_, fee)| *fee);
    claims.chain(fee).chain(decided.lump_sums.iter().map(|(_, amount)| *amount)).sum()
}

/// How the message differs from a detail; `None`: not at all.
pub(super) fn differs(
    detail: &Detail,
    decided: &NoticeDecided,
    deadline: Option<Date>,
    policy: &Policy,
) -> Option<String> {
    let amount = |name: &str, is: Decimal, wanted: Decimal| {
        (is != wanted).then(|| format!("{name} {}", plain(is, policy.currency)))
    };
    match detail {
        Detail::Persona(persona) => {
            (decided.persona != *persona).then(|| format!("persona {}", decided.persona))
        }
        Detail::Language(language) => {
            (decided.language != *language).then(|| format!("language {}", decided.language))
        }
        Detail::Tone(tone) => (decided.tone != *tone).then(|| format!("tone {}", decided.tone)),
        Detail::Deadline(wanted) => (deadline != *wanted).then(|| match deadline {
            Some(day) => format!("deadline {day}"),
            None => "no deadline".to_owned(),
        }),
        Detail::Total(wanted) => amount("total", total(decided), *wanted),
        Detail::Fee(wanted) => {
            let fee = decided.fee.as_ref().map_or(Decimal::ZERO, |(_, fee)| *fee);
            amount("fee", fee, *wanted)
        }
        Detail::LumpSum(wanted) => {
            amount("lump sum", decided.lump_sums.iter().map(|(_, amount)| *amount).sum(), *wanted)
        }
        Detail::Interest(wanted) => {
            amount("interest", decided.claims.iter().map(|one| one.interest).sum(), *wanted)
        }
        Detail::PayWith(wanted) => (decided.pay_with.first() != Some(wanted)).then(|| {
            let ways = decided.pay_with.iter().filter_map(|way| {
                PAY_WITH.iter().find(|(_, known)| known == way).map(|(name, _)| *name)
            });
            format!("pay with {}", ways.collect::<Vec<_>>().join(", "))
        }),
    }
}

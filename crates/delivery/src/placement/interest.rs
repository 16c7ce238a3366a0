//! Interest of a claim as the agency gets it (§ 13a (1) no. 3, 4 RDG).

use jiff::civil::Date;
use kulanz_domain::{
    accrual::Accrued,
    book::ClaimBook,
    law::interest::in_cents,
    money::{Currency, Decimal, decimals},
};

use super::document::{Interest, InterestSegment};
use super::words::Amount;

/// The interest of `column` up to `until`, as it was released.
pub(super) fn interest(column: &ClaimBook<'_>, currency: Currency, until: Date) -> Interest {
    let amount = |value: Decimal| Amount::new(value, currency);
    let accrued = column.interest_segments(until);
    let cents = in_cents(accrued.iter().map(|one| one.exact), decimals(currency).unwrap_or(2));
    let agreed = column.claim.invoice.as_ref().and_then(|invoice| invoice.contract_rate);
    let agreed = agreed.map(|rate| rate.normalize().to_string());
    let last = accrued.last().map(|one| one.segment);
    Interest {
        amount: amount(column.interest_on(until)),
        rate_percent: last.map(|last| percent(last.percent)),
        from: accrued.first().map(|first| first.segment.from),
        until: last.map(|last| last.to),
        reason: reason(&accrued, agreed.as_deref()),
        agreed_rate_percent: agreed,
        segments: accrued
            .iter()
            .zip(cents)
            .map(|(one, cents)| InterestSegment {
                from: one.segment.from,
                to: one.segment.to,
                days: one.segment.days,
                year_days: one.segment.year.number(),
                principal: amount(one.principal),
                base_rate_percent: one.segment.base.map(percent),
                rate_percent: percent(one.segment.percent),
                amount: amount(cents),
            })
            .collect(),
    }
}

fn percent(rate: Decimal) -> String {
    rate.normalize().to_string()
}

fn reason(accrued: &[Accrued], agreed: Option<&str>) -> String {
    match (accrued.is_empty(), agreed) {
        (true, _) => "The creditor claims no interest for the time up to this placement.".into(),
        (false, Some(rate)) => format!(
            "Default interest of {rate} % a year as agreed in the contract, which stands in for \
             the statutory rate."
        ),
        (false, None) => {
            "Default interest at no more than the statutory rate, on principal alone, from the \
             first day of default."
                .into()
        }
    }
}

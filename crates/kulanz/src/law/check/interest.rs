//! Worked examples of interest in Germany, Austria and Switzerland.

use kulanz_domain::{
    fact::Supply,
    law::interest::{DayCount, Obligation, Rate, statutory_rate},
    money,
    policy::Law,
};
use serde_json::{Value, json};

use super::{Computed, Entry, Odd, Tables};
use crate::law::interest::Question;

/// `interest` and `interest_errors`.
pub fn germany(entry: &Entry<'_>, tables: &Tables) -> Result<Computed, Odd> {
    let question = question(entry, Law::De, tables)?;
    let found = question.row().map_err(Odd::refused)?;
    // A refusal is asked for in words, beside or instead of a result.
    let expected = match entry.expected_error() {
        Some(_) => Value::Null,
        None => entry.needs("expected")?.clone(),
    };
    Ok(Computed { expected, found })
}

/// `interest_at`.
pub fn austria(entry: &Entry<'_>, tables: &Tables) -> Result<Computed, Odd> {
    amount(entry, &question(entry, Law::At, tables)?)
}

/// `interest_ch`.
pub fn switzerland(entry: &Entry<'_>, tables: &Tables) -> Result<Computed, Odd> {
    amount(entry, &question(entry, Law::Ch, tables)?)
}

/// The amount by one convention, or all that there is.
fn amount(entry: &Entry<'_>, question: &Question<'_>) -> Result<Computed, Odd> {
    let expected = entry.get("expected");
    let found = match expected {
        Some(Value::Object(_)) => question.row().map_err(Odd::refused)?,
        _ => {
            let interest = question.interest(convention(entry)?).map_err(Odd::refused)?;
            json!({ "interest": interest.to_string() })
        }
    };
    let expected = match expected {
        Some(Value::Object(all)) => Value::Object(all.clone()),
        Some(amount) => json!({ "interest": amount }),
        None if entry.expected_error().is_some() => Value::Null,
        None => return Err(Odd::unclear("`expected` is missing")),
    };
    Ok(Computed { expected, found })
}

/// How days count; the default where nothing is told.
fn convention(entry: &Entry<'_>) -> Result<DayCount, Odd> {
    let Some(name) = entry.text("convention") else { return Ok(DayCount::default()) };
    let known = DayCount::ALL.into_iter().find(|count| count.name() == name);
    known.ok_or_else(|| Odd::unclear(format!("the convention `{name}`")))
}

/// The debt, its rate and its days.
pub fn question<'a>(entry: &Entry<'_>, law: Law, tables: &'a Tables) -> Result<Question<'a>, Odd> {
    let agreed = entry.maybe_decimal("rate")?;
    let rate = match agreed {
        Some(percent) => Rate::Fixed(percent),
        None => statutory(entry, law)?,
    };
    let from = entry.any_day(&["interest_from", "from"])?;
    let from = from.ok_or_else(|| Odd::unclear("`interest_from` is missing"))?;
    let last = entry.any_day(&["interest_to", "to"])?;
    let before = entry.maybe_day("to_exclusive")?;
    let to = match (last, before) {
        (Some(last), _) => last,
        (None, Some(before)) => before.yesterday().map_err(Odd::refused)?,
        (None, None) => return Err(Odd::unclear("`interest_to` is missing")),
    };
    let base_rates = match law {
        Law::At => &tables.austria,
        _ => &tables.germany,
    };
    Ok(Question {
        principal: entry.amount("principal")?,
        rate,
        days: (from, to),
        base_rates,
        decimals: money::decimals(entry.currency()?).unwrap_or(2),
    })
}

fn statutory(entry: &Entry<'_>, law: Law) -> Result<Rate, Odd> {
    let supply = match entry.text("supply") {
        None | Some("goods_services") => Supply::GoodsServices,
        Some("other") => Supply::Other,
        Some(other) => return Err(Odd::unclear(format!("the supply `{other}`"))),
    };
    let debtor = match law {
        // The rate is the same for all.
        Law::Ch => entry.debtor().unwrap_or(kulanz_domain::fact::DebtorKind::Consumer),
        _ => entry.debtor()?,
    };
    let obligation = Obligation {
        debtor,
        supply,
        // What bears interest arose before it did.
        arose_on: entry.any_day(&["contract_date", "arose_on", "interest_from", "from"])?,
        performed_on: entry.any_day(&["performed_on", "performed"])?,
    };
    statutory_rate(law, obligation).ok_or_else(|| Odd::unclear("no law gives a rate"))
}

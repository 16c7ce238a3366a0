//! Worked examples of allocation.

use jiff::civil::Date;
use kulanz_domain::{
    fact::Part,
    law::{
        allocation::{Allocated, Debt},
        interest::DayCount,
    },
    money::{self, Decimal},
    policy::Law,
};
use serde_json::{Value, json};

use super::{Computed, Entry, Odd, Tables, interest::question};
use crate::law::{
    allocate::{Named, allocate, applied},
    interest::Question,
};

/// `allocation`, by its `mode`.
pub fn run(entry: &Entry<'_>, tables: &Tables) -> Result<Computed, Odd> {
    let found = match entry.text("mode") {
        Some("367(1)") => single(entry, false)?,
        Some("497(3)") => single(entry, true)?,
        Some("366+367") => several(entry, false)?,
        Some("366+497") => several(entry, true)?,
        Some("367(1)+interest") => with_interest(entry, false, tables)?,
        Some("497(3)+interest") => with_interest(entry, true, tables)?,
        Some(other) => return Err(Odd::unclear(format!("the mode `{other}`"))),
        None => return Err(Odd::unclear("`mode` is missing")),
    };
    let expected = match entry.expected_error() {
        Some(_) => Value::Null,
        None => entry.needs("expected")?.clone(),
    };
    Ok(Computed { expected, found })
}

fn single(entry: &Entry<'_>, consumer_credit: bool) -> Result<Value, Odd> {
    let given = entry.needs("debt")?;
    let debt = read(entry, given, consumer_credit)?;
    let payment = entry.amount("payment")?;
    let debts = [Named { id: "debt".to_owned(), debt: debt.clone() }];
    let allocated = allocate(&debts, payment, None, decimals(entry)?);
    Ok(json!({ "applied": parts(&allocated, 0), "remaining": remaining(&debt, &allocated, 0),
               "overpaid": allocated.rest.to_string(), "implied": allocated.implied }))
}

fn several(entry: &Entry<'_>, consumer_credit: bool) -> Result<Value, Odd> {
    let list = entry.needs("debts")?.as_array();
    let list = list.ok_or_else(|| Odd::unclear("`debts` is no list"))?;
    let mut debts = Vec::new();
    for given in list {
        let id = given["id"].as_str().ok_or_else(|| Odd::unclear("a debt has no `id`"))?;
        let debt = read(entry, given, consumer_credit)?;
        debts.push(Named { id: id.to_owned(), debt });
    }
    let designated = match entry.get("designation") {
        None => None,
        Some(value) => {
            let id =
                value.as_str().or_else(|| value["id"].as_str()).or_else(|| value["debt"].as_str());
            let at = id.and_then(|id| debts.iter().position(|debt| debt.id == id));
            Some(at.ok_or_else(|| Odd::unclear(format!("the designation {value}")))?)
        }
    };
    let allocated = allocate(&debts, entry.amount("payment")?, designated, decimals(entry)?);
    let (mut used, mut left) = (json!({}), json!({}));
    for (at, named) in debts.iter().enumerate() {
        used[&named.id] = parts(&allocated, at);
        left[&named.id] = remaining(&named.debt, &allocated, at);
    }
    Ok(json!({ "applied": used, "remaining": left, "overpaid": allocated.rest.to_string(),
               "implied": allocated.implied }))
}

/// Interest to the payment's day, the payment, interest on what is left from the next day.
fn with_interest(entry: &Entry<'_>, consumer_credit: bool, tables: &Tables) -> Result<Value, Odd> {
    let paid_on = entry.day("payment_date")?;
    let stated_on = entry.day("statement_date")?;
    let payment = entry.amount("payment")?;
    let count = DayCount::default();
    let whole = entry.spanning(paid_on);
    let before = question(&Entry::nested(&whole), Law::De, tables)?;
    let interest = before.interest(count).map_err(Odd::refused)?;
    let debt = Debt {
        interest,
        principal: before.principal,
        costs: entry.maybe_amount("costs")?.unwrap_or_default(),
        ..plain(paid_on, consumer_credit)
    };
    let debts = [Named { id: "debt".to_owned(), debt: debt.clone() }];
    let allocated = allocate(&debts, payment, None, before.decimals);
    let left = |part, open: Decimal| open - applied(&allocated, 0, part);
    let principal = left(Part::Principal, debt.principal);
    let next = paid_on.tomorrow().map_err(Odd::refused)?;
    let after = Question { principal, days: (next, stated_on), ..before };
    let later = after.interest(count).map_err(Odd::refused)?;
    let open = principal + left(Part::Fees, debt.costs) + left(Part::Interest, debt.interest);
    Ok(json!({
        "interest_to_payment": interest.to_string(),
        "applied": parts(&allocated, 0), "remaining": remaining(&debt, &allocated, 0),
        "overpaid": allocated.rest.to_string(), "principal_after": principal.to_string(),
        "interest_after": later.to_string(), "open_at_statement": (open + later).to_string(),
    }))
}

fn decimals(entry: &Entry<'_>) -> Result<u32, Odd> {
    Ok(money::decimals(entry.currency()?).unwrap_or(2))
}

fn plain(due_on: Date, consumer_credit: bool) -> Debt {
    Debt {
        costs: Decimal::ZERO,
        interest: Decimal::ZERO,
        principal: Decimal::ZERO,
        due: true,
        disputed: false,
        security: 0,
        rate: Decimal::ZERO,
        due_on,
        consumer_credit,
    }
}

fn read(entry: &Entry<'_>, given: &Value, consumer_credit: bool) -> Result<Debt, Odd> {
    let debt = Entry::nested(given);
    let (ours, theirs) = (entry.currency()?, debt.currency()?);
    if debt.text("currency").is_some() && ours != theirs {
        let (ours, theirs) = (ours.code(), theirs.code());
        return Err(Odd::Refused(format!("{theirs} and {ours} cannot be added")));
    }
    let amount = |key: &str| debt.maybe_amount(key).map(Option::unwrap_or_default);
    let due_on = debt.any_day(&["due_date", "due_on"])?;
    let paid_on = entry.maybe_day("payment_date")?;
    let by_dates = due_on.zip(paid_on).is_none_or(|(due_on, paid_on)| due_on <= paid_on);
    let security = match debt.get("security") {
        None => 0,
        Some(value) => {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            let told = number.or_else(|| value.as_bool().map(u32::from));
            told.ok_or_else(|| Odd::unclear(format!("the security {value}")))?
        }
    };
    Ok(Debt {
        costs: amount("costs")? + amount("legal_costs")?,
        interest: amount("interest")?,
        principal: amount("principal")?,
        due: debt.get("due").and_then(Value::as_bool).unwrap_or(by_dates),
        disputed: debt.flag("disputed"),
        security,
        rate: debt.maybe_decimal("rate")?.unwrap_or_default(),
        ..plain(due_on.unwrap_or(Date::ZERO), consumer_credit)
    })
}

/// What went to each part; costs by both of their names.
fn parts(allocated: &Allocated, at: usize) -> Value {
    let part = |part| applied(allocated, at, part).to_string();
    json!({ "costs": part(Part::Fees), "legal_costs": part(Part::Fees),
            "interest": part(Part::Interest), "principal": part(Part::Principal) })
}

fn remaining(debt: &Debt, allocated: &Allocated, at: usize) -> Value {
    let left = |open: Decimal, part| (open - applied(allocated, at, part)).to_string();
    let costs = left(debt.costs, Part::Fees);
    json!({ "costs": costs, "legal_costs": costs, "interest": left(debt.interest, Part::Interest),
            "principal": left(debt.principal, Part::Principal) })
}

//! Worked examples of the start of default. The members and the words of `rule` say which ground.

use jiff::civil::Date;
use kulanz_domain::{
    calendar::Region,
    fact::{DebtorKind, Supply},
    law::grounds::{
        DefaultStart, NoDefault, by_agreed_date, by_event, by_refusal, by_reminder, by_thirty_days,
    },
};
use serde_json::{Map, Value, json};

use super::{Computed, Entry, Odd, Tables};

/// `default_start`. A reason is asked for by being there, its words are free.
pub fn run(entry: &Entry<'_>, _: &Tables) -> Result<Computed, Odd> {
    let input = entry.within("input");
    let judged = judge(&input)?;
    let presence = |is_there: bool| if is_there { "a reason" } else { "none" };
    let mut expected = Map::new();
    for key in entry.keys().filter(|key| matches!(*key, "first_interest_day" | "reason")) {
        let told = entry.get(key);
        expected.insert(
            key.to_owned(),
            match key {
                "reason" => presence(told.is_some()).into(),
                _ => told.cloned().unwrap_or(Value::Null),
            },
        );
    }
    if !expected.contains_key("first_interest_day") && entry.expected_error().is_none() {
        return Err(Odd::unclear("`first_interest_day` is missing"));
    }
    let found = json!({
        "first_interest_day": judged.ok().map(|start| start.first_day),
        "reason": presence(judged.is_err()),
    });
    Ok(Computed { expected: Value::Object(expected), found })
}

fn judge(input: &Entry<'_>) -> Result<Result<DefaultStart, NoDefault>, Odd> {
    let rule = input.text("rule").unwrap_or_default().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| rule.contains(word));
    let regions = regions(input)?;
    let due_on = input.any_day(&["due", "due_date", "due_on"])?;

    if let Some(refused_on) = input.any_day(&["refused_on", "refused", "refusal"])? {
        return Ok(Ok(by_refusal(refused_on, due_on)));
    }
    let reminded =
        ["reminder_received", "reminder_on", "reminder", "mahnung_received", "reminded_on"];
    if let Some(received_on) = input.any_day(&reminded)? {
        return reminder(input, &says, received_on, due_on, &regions);
    }
    let sent = input.any_day(&["letter_sent", "reminder_sent", "mahnung_sent", "sent"])?;
    if let Some(sent_on) = sent {
        let letter = input.text("channel").map_or_else(
            || says(&["letter", "post"]),
            |channel| matches!(channel, "letter" | "post"),
        ) || input.get("letter_sent").is_some();
        let days = if letter { 3 } else { 0 };
        let region = regions.first().copied().unwrap_or_default();
        let received_on = kulanz_domain::calendar::add_business_days(sent_on, days, region);
        return reminder(input, &says, received_on, due_on, &regions);
    }
    let event_keys = [
        "event",
        "event_on",
        "event_date",
        "delivered",
        "delivered_on",
        "delivery",
        "invoice_received_event",
        "notice_given",
        "start",
    ];
    if let Some(event) = input.any_day(&event_keys)? {
        let (months, days) = period(input)?;
        return Ok(Ok(by_event(event, months, days, &regions)));
    }
    thirty_days_or_date(input, &says, due_on, &regions)
}

fn reminder(
    input: &Entry<'_>,
    says: &dyn Fn(&[&str]) -> bool,
    received_on: Date,
    due_on: Option<Date>,
    regions: &[Region],
) -> Result<Result<DefaultStart, NoDefault>, Odd> {
    if says(&["friendly", "zahlungserinnerung"]) || input.flag("friendly") {
        return Ok(Err(NoDefault::FriendlyReminder));
    }
    if due_on.is_none() && says(&["before the due", "before due", "before it was due"]) {
        return Ok(Err(NoDefault::ReminderBeforeDue));
    }
    let deadline = input.any_day(&["deadline", "deadline_on", "pay_by"])?;
    Ok(by_reminder(received_on, due_on, deadline, regions))
}

/// Thirty days after due date and receipt, or an agreed calendar date.
fn thirty_days_or_date(
    input: &Entry<'_>,
    says: &dyn Fn(&[&str]) -> bool,
    due_on: Option<Date>,
    regions: &[Region],
) -> Result<Result<DefaultStart, NoDefault>, Odd> {
    let both = input.maybe_day("due_and_invoice_received")?;
    let received = input.any_day(&["invoice_received", "received", "invoice_received_on"])?;
    let thirty = both.is_some() || received.is_some() || says(&["30-day", "30 day", "thirty"]);
    let later = [both, received, due_on].into_iter().flatten().max();
    match later {
        Some(day) if thirty => {
            let supply = match input.text("supply") {
                Some("other") => Supply::Other,
                _ if says(&["damages", "no payment for goods", "not for goods"]) => Supply::Other,
                _ => Supply::GoodsServices,
            };
            let told = told(input, says);
            Ok(by_thirty_days(day, supply, debtor(input, says)?, told, regions))
        }
        Some(day) => {
            let alone = says(&["alone", "not agreed", "unilateral", "one-sided", "merely printed"]);
            let agreed = input.get("agreed").or_else(|| input.get("due_date_agreed"));
            let agreed = agreed.and_then(Value::as_bool).unwrap_or(!alone);
            Ok(by_agreed_date(day, agreed, regions))
        }
        None => Err(Odd::unclear("no day from which default could begin is known to us")),
    }
}

fn debtor(input: &Entry<'_>, says: &dyn Fn(&[&str]) -> bool) -> Result<DebtorKind, Odd> {
    if input.any(&["debtor_type", "debtor"]).is_some() {
        return input.debtor();
    }
    Ok(match says(&["business", "b2b", "entrepreneur", "company"]) && !says(&["consumer"]) {
        true => DebtorKind::Business,
        false => DebtorKind::Consumer,
    })
}

fn told(input: &Entry<'_>, says: &dyn Fn(&[&str]) -> bool) -> bool {
    let given = input.any(&["notice", "late_payment_notice", "notice_on_invoice", "told"]);
    given.and_then(Value::as_bool).unwrap_or_else(|| {
        let none = [
            "no notice",
            "without notice",
            "without the notice",
            "without a notice",
            "not told",
            "notice missing",
            "no hint",
            "lacks",
        ];
        says(&["notice", "told", "hint"]) && !says(&none)
    })
}

/// Months and days of an agreed period.
fn period(input: &Entry<'_>) -> Result<(i32, i32), Odd> {
    let number = |keys: &[&str]| -> Result<Option<i32>, Odd> {
        let Some(value) = input.any(keys) else { return Ok(None) };
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        let number = number.filter(|number| (0..=10_000).contains(number));
        number.map(Some).ok_or_else(|| Odd::unclear(format!("{value} is no number of days")))
    };
    let days = number(&["days", "period_days", "n", "deadline_days"])?;
    let weeks = number(&["weeks", "period_weeks"])?;
    let months = number(&["months", "period_months"])?;
    if days.or(weeks).or(months).is_none() {
        return Err(Odd::unclear("the period from the event is missing"));
    }
    Ok((months.unwrap_or(0), days.unwrap_or(0) + 7 * weeks.unwrap_or(0)))
}

fn regions(input: &Entry<'_>) -> Result<Vec<Region>, Odd> {
    let mut regions = Vec::new();
    for key in ["state", "creditor_state", "debtor_state"] {
        regions.extend(input.state(key)?);
    }
    if regions.is_empty() {
        regions.push(Region::De);
    }
    Ok(regions)
}

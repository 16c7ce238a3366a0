//! Worked examples of the start of default. The members and the words of `rule` say which ground.

use jiff::civil::Date;
use kulanz_domain::{
    calendar::{Region, add_business_days},
    fact::{DebtorKind, Supply},
    law::grounds::{
        DefaultStart, NoDefault, by_agreed_date, by_event, by_refusal, by_reminder,
        by_served_order, by_thirty_days,
    },
};
use serde_json::{Map, Value, json};

use super::{Computed, Entry, Odd, Tables, entry::day};

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

/// The ground that the members and the words speak of.
fn judge(input: &Entry<'_>) -> Result<Result<DefaultStart, NoDefault>, Odd> {
    let rule = input.text("rule").unwrap_or_default().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| rule.contains(word));
    let regions = regions(input)?;
    let due_on = input.any_day(&["due", "due_date", "due_on"])?;

    let at_fault = input.any(&["at_fault", "debtor_at_fault", "fault"]).and_then(Value::as_bool);
    if at_fault == Some(false)
        || says(&["no fault", "not at fault", "without fault", "not the debtor's fault", "286(4)"])
    {
        return Ok(Err(NoDefault::NotAtFault));
    }
    if let Some(refused_on) = input.any_day(&["refused_on", "refused", "refusal"])? {
        return Ok(Ok(by_refusal(refused_on, due_on)));
    }
    if let Some(served_on) = input.any_day(&["served_on", "served", "order_served"])? {
        return Ok(Ok(by_served_order(served_on)));
    }
    const REMINDED: [&str; 6] = [
        "reminder_received",
        "reminder_on",
        "reminder",
        "mahnung_received",
        "reminded_on",
        "letter_received",
    ];
    if let Some(received_on) = input.any_day(&REMINDED)? {
        return reminder(input, &says, received_on, due_on, &regions);
    }
    const SENT: [&str; 4] = ["letter_sent", "reminder_sent", "mahnung_sent", "sent"];
    if let Some(sent_on) = input.any_day(&SENT)? {
        let letter = input.get("letter_sent").is_some()
            || input.text("channel").map_or_else(
                || says(&["letter", "post"]),
                |channel| matches!(channel, "letter" | "post"),
            );
        // A letter takes three business days, whatever else is sent arrives the same day.
        let region = regions.first().copied().unwrap_or_default();
        let received_on = add_business_days(sent_on, if letter { 3 } else { 0 }, region);
        return reminder(input, &says, received_on, due_on, &regions);
    }
    let thirty =
        says(&["30-day", "30 day", "thirty"]) || input.get("due_and_invoice_received").is_some();
    if let Some((months, days)) = period(input, &rule)?.filter(|_| !thirty)
        && let Some(event) = event(input)?
    {
        return Ok(Ok(by_event(event, months, days, &regions)));
    }
    thirty_days_or_date(input, &says, due_on, thirty, &regions)
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
    if due_on.is_none() && says(&["before"]) && says(&["due"]) {
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
    thirty: bool,
    regions: &[Region],
) -> Result<Result<DefaultStart, NoDefault>, Odd> {
    let both = input.maybe_day("due_and_invoice_received")?;
    let received = input.any_day(&["invoice_received", "received", "invoice_received_on"])?;
    let thirty = thirty || received.is_some();
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
            let alone =
                says(&["alone", "not agreed", "unilateral", "one-sided", "set by the creditor"]);
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
        let denied = ["no ", "not ", "without", "missing", "lacks", "absent", "never"];
        says(&["notice", "told", "hint"]) && !says(&denied)
    })
}

/// Months and days of an agreed period: in members, else in the words (`14 days after …`).
fn period(input: &Entry<'_>, rule: &str) -> Result<Option<(i32, i32)>, Odd> {
    let number = |keys: &[&str]| -> Result<Option<i32>, Odd> {
        let Some(value) = input.any(keys) else { return Ok(None) };
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        let number = number.filter(|number| (0..=10_000).contains(number));
        number.map(Some).ok_or_else(|| Odd::unclear(format!("{value} is no number of days")))
    };
    let days = number(&["days", "period_days", "n", "deadline_days"])?;
    let weeks = number(&["weeks", "period_weeks"])?;
    let months = number(&["months", "period_months"])?;
    Ok(match days.or(weeks).or(months) {
        Some(_) => Some((months.unwrap_or(0), days.unwrap_or(0) + 7 * weeks.unwrap_or(0))),
        None => in_words(rule),
    })
}

fn in_words(rule: &str) -> Option<(i32, i32)> {
    const NUMBERS: [&str; 10] =
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let words: Vec<&str> =
        rule.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.windows(2).find_map(|pair| {
        let [number, unit] = pair else { return None };
        let spelt = || NUMBERS.iter().position(|word| word == number).map(|at| at + 1);
        let number = number.parse().ok().or_else(|| spelt().and_then(|n| i32::try_from(n).ok()))?;
        let number = Some(number).filter(|number| (1..=10_000).contains(number))?;
        match *unit {
            "day" | "days" => Some((0, number)),
            "week" | "weeks" => Some((0, 7 * number)),
            "month" | "months" => Some((number, 0)),
            _ => None,
        }
    })
}

/// The day of the event: by a known name, else the only day that is told.
fn event(input: &Entry<'_>) -> Result<Option<Date>, Odd> {
    const NAMES: [&str; 8] = [
        "event",
        "event_on",
        "event_date",
        "delivered",
        "delivered_on",
        "delivery",
        "invoice_received",
        "notice_given",
    ];
    if let Some(event) = input.any_day(&NAMES)? {
        return Ok(Some(event));
    }
    let days = input.keys().filter_map(|key| day(input.get(key)?).ok());
    let days: Vec<Date> = days.collect();
    Ok(match days.as_slice() {
        [only] => Some(*only),
        _ => None,
    })
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

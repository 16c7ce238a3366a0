//! Inbound events, in the form in which a shop sends them.

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

/// An event about `creditor/debtor`.
pub fn event(kind: &str, id: &str, account: &str, at: &str, data: Value) -> Value {
    let (creditor, debtor) = account.split_once('/').expect("creditor/debtor");
    let mut data = data;
    data["creditor"] = json!(creditor);
    if debtor != "_unmatched" {
        data["debtor"] = json!(debtor);
    }
    json!({ "specversion": "1.0", "id": id, "source": "/tests", "subject": account, "time": at,
            "type": format!("kulanz.{kind}.v1"), "data": data })
}

pub fn invoice(account: &str, number: &str, amount: &str, due_on: &str) -> Value {
    let due: Date = due_on.parse().expect("a day");
    let issued = due.checked_sub(14.days()).expect("a day");
    event(
        "invoice.issued",
        &format!("issued-{number}"),
        account,
        &format!("{issued}T09:00:00Z"),
        json!({ "invoice": number, "issued_on": issued, "due_on": due, "amount": amount,
                "currency": "EUR" }),
    )
}

pub fn payment(account: &str, number: &str, amount: &str, on: &str, invoice: &str) -> Value {
    event(
        "payment.received",
        &format!("received-{number}"),
        account,
        &format!("{on}T12:00:00Z"),
        json!({ "payment": number, "booked_on": on, "amount": amount, "currency": "EUR",
                "method": "transfer", "invoice": invoice }),
    )
}

/// A debtor for whom it is noon now, wherever that may be; reached by e-mail, or by text message
/// where `group` is `sms`.
pub fn debtor(account: &str, group: &str, email: &str, mobile: &str) -> Value {
    let (_, number) = account.split_once('/').expect("creditor/debtor");
    event(
        "debtor.updated",
        &format!("debtor-{number}"),
        account,
        "2026-01-01T09:00:00Z",
        json!({ "kind": "consumer", "name": format!("Kim {number}"), "language": "en",
                "country": "GB", "timezone": noon_zone(), "email": email, "mobile": mobile,
                "attributes": { "group": group } }),
    )
}

/// A zone whose clocks show something between 13:00 and 14:00.
fn noon_zone() -> String {
    let hour = i64::from(Timestamp::now().to_zoned(TimeZone::UTC).hour());
    // Zones of this family have the sign the other way round.
    match 13 - hour {
        0 => "Etc/GMT".to_owned(),
        east @ 1.. => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", -west),
    }
}

/// The creditors' today, moved by some days.
pub fn day(from_today: i32) -> String {
    let today = Zoned::now().with_time_zone(TimeZone::get("Europe/Berlin").expect("a zone"));
    today.date().checked_add(from_today.days()).expect("a day").to_string()
}

/// Now, moved by some days.
pub fn moment(days_from_now: i64) -> String {
    let moved = SignedDuration::from_hours(24 * days_from_now);
    Timestamp::now().checked_add(moved).expect("a moment").to_string()
}

//! A history of the size and shape of the road fines, from a seed: a fine each, due after sixty
//! days, the debtor known with it; half of them raised by a penalty, half of them paid, a few
//! appealed, over thirteen years.

use std::{
    fs,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};
use jiff::{
    ToSpan,
    civil::{Date, date},
};
use serde_json::{Value, json};

/// SplitMix64: the same numbers on every machine.
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to just before `below`.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below.max(1)
    }
}

/// Writes a history of `accounts` debtors to `file`, one CloudEvent a line in the order of time;
/// how many events it has.
pub fn write(file: &Path, accounts: u32) -> Result<u64> {
    let mut dice = Dice(20_261_121);
    let mut events: Vec<(Date, u64, Value)> = Vec::new();
    for number in 0..accounts {
        fine(&mut dice, number, &mut events)?;
    }
    events.sort_by_key(|(day, order, _)| (*day, *order));
    let created = fs::File::create(file).with_context(|| file.display().to_string())?;
    let mut out = BufWriter::new(created);
    for (_, _, event) in &events {
        serde_json::to_writer(&mut out, event)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(u64::try_from(events.len())?)
}

fn fine(dice: &mut Dice, number: u32, events: &mut Vec<(Date, u64, Value)>) -> Result<()> {
    let debtor = format!("S{number}");
    let mut put = |day: Date, what: &str, data: Value| {
        let order = u64::try_from(events.len()).unwrap_or(u64::MAX);
        let id = format!("{debtor}-{order}");
        let mut data = data;
        data["creditor"] = json!("comune");
        data["debtor"] = json!(debtor);
        events.push((day, order, cloud_event(&id, what, &debtor, day, data)));
    };
    let days = |from: Date, days: u64| -> Result<Date> {
        Ok(from.checked_add(i64::try_from(days)?.days())?)
    };
    let issued = days(date(2000, 1, 1), dice.roll(4_700))?;
    let due = days(issued, 60)?;
    let cents = 2_000 + dice.roll(6_000);
    let euros = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
    let issue = json!({
        "invoice": debtor, "issued_on": issued, "due_on": due, "amount": euros(cents),
        "currency": "EUR", "description": "Road traffic fine, article 157",
        "late_payment_notice": true,
    });
    put(issued, "invoice.issued", issue);
    let language = ["it", "de", "en"][usize::try_from(dice.roll(3))?];
    let mut profile = json!({
        "kind": "consumer", "name": format!("Cittadino {debtor}"), "country": "IT",
        "language": language, "timezone": "Europe/Rome",
        "email": format!("{debtor}@example.org"),
        "attributes": { "vehicle_class": "A", "article": "157", "points": "0" },
    });
    if dice.roll(2) == 0 {
        profile["mobile"] = json!("+4915254599371");
    }
    put(issued, "debtor.updated", profile);
    let mut owed = cents;
    if dice.roll(100) < 53 {
        owed = cents * 2;
        let day = days(due, 30 + dice.roll(60))?;
        let raised = json!({
            "invoice": debtor, "on": day, "amount": euros(owed), "currency": "EUR",
            "reason": "Statutory penalty",
        });
        put(day, "invoice.adjusted", raised);
    }
    if dice.roll(100) < 3 {
        let day = days(issued, 20 + dice.roll(60))?;
        let opened = json!({
            "dispute": format!("A-{debtor}"), "invoice": debtor, "on": day, "reason": "Appeal",
        });
        put(day, "dispute.opened", opened);
    }
    let mut left = match dice.roll(100) {
        0..46 => owed,
        46..48 => owed / 2,
        _ => 0,
    };
    let mut day = days(issued, 5 + dice.roll(400))?;
    while left > 0 {
        let part = if left > 1_000 && dice.roll(10) == 0 { left / 2 } else { left };
        left -= part;
        let paid = json!({
            "payment": format!("P-{debtor}-{left}"), "booked_on": day, "amount": euros(part),
            "currency": "EUR", "method": "transfer", "invoice": debtor,
        });
        put(day, "payment.received", paid);
        day = days(day, 30)?;
    }
    Ok(())
}

fn cloud_event(id: &str, what: &str, debtor: &str, day: Date, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/bench", "type": format!("kulanz.{what}.v1"),
        "subject": format!("comune/{debtor}"), "time": format!("{day}T00:00:00+01:00"),
        "datacontenttype": "application/json", "data": data,
    })
}

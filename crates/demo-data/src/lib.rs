//! The demo shop "Lindenmoor": invented debtors, their invoices, and what they do about them,
//! with and without a message from Kulanz.
//!
//! [`generate`] tells what happens unasked, as the CloudEvents lines that the shop and its bank
//! would send. [`reacts`] tells what a debtor does when a message arrives. Both depend on a seed
//! alone, so that a demo can be repeated to the byte. Nothing here sends, stores or knows the
//! engine; nothing here is about real people, mailboxes, telephones or accounts.
//!
//! Payments here are named `Z-…`, credit notes `G-…`, disputes `E-…`, holds `S-…`: whoever plays
//! reactions uses other prefixes.

mod dice;
mod goods;
mod names;
mod people;
mod plan;
mod reaction;
mod story;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Error, Span, Timestamp, civil::Date, tz::TimeZone};
use serde_json::json;

pub use crate::reaction::{Reaction, keeps_word, reacts};
use crate::{
    dice::Dice,
    people::{Person, people},
    plan::{Fate, Order, orders},
    story::{CREDITOR, Source, Story, banking, later, members},
};

/// The days that the demo walks through, in Europe/Berlin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shop {
    /// The first day of business with Kulanz.
    pub first_day: Date,
    /// The demo's today; nothing happens after 17:00 on it.
    pub today: Date,
}

impl Shop {
    /// `months` of business up to `today`; an error where the calendar has no such day.
    pub fn until(today: Date, months: u32) -> Result<Self, Error> {
        let back = Span::new().try_months(i64::from(months))?;
        Ok(Self { first_day: today.checked_sub(back)?, today })
    }
}

/// Something that the shop or its bank reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it happened: the event's `time`.
    pub at: Timestamp,
    /// One structured CloudEvents 1.0 event as one line of JSON, without the line's end.
    pub line: String,
}

/// All events of `months` up to `today` (17:00 in Berlin), the first first: about 300 debtors and
/// 180 invoices a month. The same arguments give the same bytes. An error means that `today` or
/// `months` leaves the calendar.
pub fn generate(seed: u64, today: Date, months: u32) -> Result<Vec<Event>, Error> {
    let shop = Shop::until(today, months)?;
    let zone = TimeZone::get("Europe/Berlin")?;
    let end = today.at(17, 0, 0, 0).to_zoned(zone.clone())?.timestamp();
    let people = people(seed, today);
    let orders = orders(seed, &people, &shop, months)?;

    let mut story = Story { people: &people, shop: &shop, zone, drafts: Vec::new() };
    let mut first: BTreeMap<usize, &Order> = BTreeMap::new();
    for order in &orders {
        first.entry(order.debtor).or_insert(order);
    }
    for (place, person) in people.iter().enumerate() {
        story.introduce(person, first.get(&place).copied())?;
    }
    let (mut year, mut number) = (shop.first_day.year(), 0);
    for order in &orders {
        if order.on.year() != year {
            (year, number) = (order.on.year(), 0);
        }
        number += 1;
        let invoice = format!("R-{year}-{number:05}");
        let mut dice = Dice::of(seed, &format!("invoice/{invoice}"));
        story.invoice(invoice, order, &mut dice)?;
    }
    blows_of_fate(seed, &mut story, &people, &orders)?;

    let mut drafts = story.drafts;
    drafts.retain(|draft| draft.at <= end);
    drafts.sort_by_key(|draft| draft.at);
    let (mut from_shop, mut from_bank) = (0_u32, 0_u32);
    Ok(drafts
        .into_iter()
        .map(|draft| {
            let (source, count, prefix) = match draft.source {
                Source::Shop => ("/shop/lindenmoor", &mut from_shop, "shop"),
                Source::Bank => ("/bank/lindenmoor", &mut from_bank, "bank"),
            };
            *count += 1;
            let line = json!({
                "specversion": "1.0",
                "id": format!("{prefix}-{count:06}"),
                "source": source,
                "type": format!("kulanz.{}.v1", draft.kind),
                "subject": format!("{CREDITOR}/{}", draft.debtor),
                "time": draft.time,
                "datacontenttype": "application/json",
                "data": draft.data,
            });
            Event { at: draft.at, line: line.to_string() }
        })
        .collect())
}

/// One debtor becomes insolvent, one dies, two are left in peace for a while, five move.
fn blows_of_fate(
    seed: u64,
    story: &mut Story,
    people: &[Person],
    orders: &[Order],
) -> Result<(), Error> {
    let mut dice = Dice::of(seed, "blows of fate");
    // Long enough ago that it happens within the months, and a private person each.
    let mut seen = BTreeSet::new();
    let mut struck = orders
        .iter()
        .filter(|order| order.fate == Fate::Open && !people[order.debtor].business)
        .filter(|order| later(order.on, 45) <= story.shop.today)
        .filter(|order| seen.insert(order.debtor))
        .map(|order| (&people[order.debtor], order.on))
        .collect::<Vec<_>>();
    dice.shuffle(&mut struck);
    let mut struck = struck.into_iter();

    if let Some((person, issued)) = struck.next() {
        let on = banking(later(issued, 24));
        let data = members([("on", on.to_string()), ("reference", "71 IN 204/26".into())]);
        story.office(on, "debtor.insolvency_opened", &person.id, data, &mut dice)?;
    }
    if let Some((person, issued)) = struck.next() {
        let on = banking(later(issued, 21));
        let data = members([("on", on.to_string())]);
        story.office(on, "debtor.deceased", &person.id, data, &mut dice)?;
    }
    for (nth, (person, issued)) in struck.by_ref().take(2).enumerate() {
        let on = banking(later(issued, 17));
        let hold = format!("S-{:03}", nth + 1);
        let reason = ["Wasserschaden, bittet um etwas Zeit", "Klärung mit dem Paketdienst"];
        let data = members([
            ("hold", hold.clone()),
            ("reason", reason[nth].into()),
            ("owner", "buchhaltung".into()),
            ("until", later(on, 28).to_string()),
        ]);
        story.office(on, "hold.placed", &person.id, data, &mut dice)?;
        if nth == 1 {
            let data = members([("hold", hold)]);
            let on = banking(later(on, 9));
            story.office(on, "hold.released", &person.id, data, &mut dice)?;
        }
    }
    for (person, issued) in struck.take(5) {
        story.moves(person, later(issued, dice.between(2, 30)), &mut dice)?;
    }
    Ok(())
}

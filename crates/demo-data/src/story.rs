//! From orders to events: each invoice is told from its issue to its end, as the shop and its
//! bank would report it.

use jiff::{
    Error, Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use serde_json::{Map, Value, json};

use crate::{
    Shop,
    dice::Dice,
    goods::{basket, euros},
    people::{Method, Person},
    plan::{Fate, Order},
};

/// The creditor's id.
pub(crate) const CREDITOR: &str = "lindenmoor";
/// Where a payment waits that fits no debtor.
const UNMATCHED: &str = "_unmatched";
/// What the bank charges for a returned direct debit, cents.
const RETURN_FEE: u32 = 300;

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Shop,
    Bank,
}

/// An event before it has its id.
pub(crate) struct Draft {
    pub(crate) at: Timestamp,
    /// With Berlin's offset.
    pub(crate) time: String,
    pub(crate) source: Source,
    /// Without `kulanz.` and version.
    pub(crate) kind: &'static str,
    pub(crate) debtor: String,
    pub(crate) data: Map<String, Value>,
}

/// Collects what happens.
pub(crate) struct Story<'a> {
    pub(crate) people: &'a [Person],
    pub(crate) shop: &'a Shop,
    pub(crate) zone: TimeZone,
    pub(crate) drafts: Vec<Draft>,
}

/// One invoice while it is told.
struct Tale<'a> {
    invoice: String,
    person: &'a Person,
    issued: Date,
    due: Date,
    cents: u32,
    payments: u32,
}

/// `("invoice", "R-2026-00001")` and so on as the members of `data`.
pub(crate) fn members<const N: usize>(list: [(&str, String); N]) -> Map<String, Value> {
    list.into_iter().map(|(key, text)| (key.to_owned(), Value::String(text))).collect()
}

/// `days` later; beyond the calendar's end its last day.
pub(crate) fn later(day: Date, days: u32) -> Date {
    day.saturating_add(i64::from(days.min(10_000)).days())
}

fn earlier(day: Date, days: u32) -> Date {
    day.saturating_sub(i64::from(days.min(10_000)).days())
}

/// The day itself or the next on which banks book. Easter is a working day here.
pub(crate) fn banking(day: Date) -> Date {
    let closed = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
        || matches!((day.month(), day.day()), (1, 1) | (5, 1) | (12, 25 | 26));
    if closed && day < Date::MAX { banking(later(day, 1)) } else { day }
}

/// The day itself or the last before it on which banks book.
fn banked_by(day: Date) -> Date {
    if banking(day) == day || day == Date::MIN { day } else { banked_by(earlier(day, 1)) }
}

impl Story<'_> {
    /// Records something on `day` at `second`s after midnight in Berlin.
    fn tell(
        &mut self,
        (day, second): (Date, u32),
        source: Source,
        kind: &'static str,
        debtor: &str,
        mut data: Map<String, Value>,
    ) -> Result<(), Error> {
        let (hour, rest) = (second / 3600, second % 3600);
        let at = day
            .at(hour.min(23) as i8, (rest / 60) as i8, (rest % 60) as i8, 0)
            .to_zoned(self.zone.clone())?;
        data.insert("creditor".into(), CREDITOR.into());
        data.insert("debtor".into(), debtor.into());
        self.drafts.push(Draft {
            at: at.timestamp(),
            time: at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            source,
            kind,
            debtor: debtor.to_owned(),
            data,
        });
        Ok(())
    }

    /// The shop's staff does something: Monday to Friday, 9 to 17.
    pub(crate) fn office(
        &mut self,
        day: Date,
        kind: &'static str,
        debtor: &str,
        data: Map<String, Value>,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let second = dice.between(9 * 3600, 17 * 3600 - 1);
        self.tell((day, second), Source::Shop, kind, debtor, data)
    }

    /// The debtor is known to Kulanz a little before the first invoice.
    pub(crate) fn introduce(
        &mut self,
        person: &Person,
        first: Option<&Order>,
    ) -> Result<(), Error> {
        let when = first
            .map_or((self.shop.first_day, 8 * 3600), |order| (order.on, order.minute * 60 - 420));
        self.tell(when, Source::Shop, "debtor.updated", &person.id, person.card.clone())
    }

    /// Tells one invoice to its end.
    pub(crate) fn invoice(
        &mut self,
        invoice: String,
        order: &Order,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let people = self.people;
        let person = &people[order.debtor];
        let basket = basket(dice, person.english, person.business);
        let mut tale = Tale {
            invoice,
            person,
            issued: order.on,
            due: later(order.on, 14),
            cents: basket.cents,
            payments: 0,
        };
        let ordered = earlier(order.on, dice.below(3));
        let mut data = members([
            ("invoice", tale.invoice.clone()),
            ("issued_on", tale.issued.to_string()),
            ("due_on", tale.due.to_string()),
            ("amount", euros(tale.cents)),
            ("currency", "EUR".into()),
            ("contract_on", ordered.to_string()),
            (
                "contract_object",
                format!("LM-{}: {}", dice.between(100_000, 999_999), basket.description),
            ),
            ("description", basket.description),
        ]);
        if dice.percent(93) {
            data.insert("late_payment_notice".into(), true.into());
        }
        let when = (order.on, order.minute * 60 + dice.below(60));
        self.tell(when, Source::Shop, "invoice.issued", &person.id, data)?;
        self.fate(order.fate, &mut tale, dice)
    }

    fn fate(&mut self, fate: Fate, tale: &mut Tale, dice: &mut Dice) -> Result<(), Error> {
        let (due, cents) = (tale.due, tale.cents);
        match fate {
            Fate::OnTime => {
                let day = on_time(tale, dice);
                self.pays(tale, day, cents, dice)
            }
            Fate::Early => {
                let day = later(tale.issued, dice.between(1, 7));
                self.pays_by(tale, day, cents, not_debit(tale.person.method), dice)
            }
            Fate::Late(days) => {
                let method = not_debit(tale.person.method);
                let day = later(due, days);
                // A few days late is not so late that a weekend leads to a reminder.
                let day = if days <= 3 { banked_by(day) } else { day };
                self.pays_by(tale, day, cents, method, dice)
            }
            Fate::Open => Ok(()),
            Fate::Prepaid => {
                let day = earlier(tale.issued, dice.between(1, 3)).max(self.shop.first_day);
                self.pays_by(tale, day, cents, not_debit(tale.person.method), dice)
            }
            Fate::Overpaid => self.overpays(tale, dice),
            Fate::Part { rest } => {
                let part = share(cents, dice.between(30, 70));
                let day = on_time(tale, dice);
                self.pays_by(tale, day, part, not_debit(tale.person.method), dice)?;
                if !rest {
                    return Ok(());
                }
                let day = banked_by(later(due, dice.below(3)));
                self.pays_by(tale, day, cents - part, not_debit(tale.person.method), dice)
            }
            Fate::Misread { found } => self.misread(tale, found, dice),
            Fate::Returned => self.returned(tale, dice),
            Fate::Credited { all } => self.credited(tale, all, dice),
            Fate::Cancelled => {
                let reason = *dice.pick(&[
                    "doppelt berechnet",
                    "Bestellung vor dem Versand storniert",
                    "falscher Empfänger",
                ]);
                let day = later(tale.issued, dice.between(1, 9));
                self.staff(tale, day, "invoice.cancelled", [("reason", reason.into())], dice)
            }
            Fate::Rescheduled => {
                let day = banking(later(tale.issued, dice.between(5, 11)));
                let new = later(due, *dice.pick(&[14, 21, 30]));
                let reason = *dice.pick(&["Lieferung kam später", "auf Bitte des Kunden"]);
                let data = members([
                    ("invoice", tale.invoice.clone()),
                    ("due_on", new.to_string()),
                    ("reason", reason.into()),
                ]);
                self.office(day, "invoice.rescheduled", &tale.person.id, data, dice)?;
                let method = not_debit(tale.person.method);
                self.pays_by(tale, earlier(new, dice.between(3, 8)), cents, method, dice)
            }
            Fate::Adjusted => {
                let new = share(cents, dice.between(75, 95));
                let reason = *dice.pick(&["Rabatt vergessen", "Artikel nicht lieferbar"]);
                let change =
                    [("amount", euros(new)), ("currency", "EUR".into()), ("reason", reason.into())];
                let day = later(tale.issued, dice.between(1, 4));
                self.staff(tale, day, "invoice.adjusted", change, dice)?;
                let method = not_debit(tale.person.method);
                self.pays_by(tale, later(tale.issued, dice.between(8, 11)), new, method, dice)
            }
            Fate::Disputed => self.disputed(tale, dice),
            Fate::Declined => {
                let day = later(tale.issued, dice.between(3, 9));
                let data = members([
                    ("attempt", format!("V-{}", &tale.invoice[2..])),
                    ("invoice", tale.invoice.clone()),
                    ("on", day.to_string()),
                    ("method", "card".into()),
                    ("reason", "card declined".into()),
                ]);
                let when = (day, dice.between(8 * 3600, 20 * 3600));
                self.tell(when, Source::Shop, "payment.failed", &tale.person.id, data)?;
                self.pays_by(tale, later(day, dice.below(2)), cents, Method::Paypal, dice)
            }
        }
    }

    /// Staff does `kind` to the invoice, on a working day from `day`.
    fn staff<const N: usize>(
        &mut self,
        tale: &Tale,
        day: Date,
        kind: &'static str,
        more: [(&str, String); N],
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let day = banking(day);
        let mut data = members([("invoice", tale.invoice.clone()), ("on", day.to_string())]);
        data.extend(members(more));
        self.office(day, kind, &tale.person.id, data, dice)
    }

    fn pays(
        &mut self,
        tale: &mut Tale,
        day: Date,
        cents: u32,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        self.pays_by(tale, day, cents, tale.person.method, dice)
    }

    fn pays_by(
        &mut self,
        tale: &mut Tale,
        day: Date,
        cents: u32,
        method: Method,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let (mut data, source, when) = self.payment(tale, day, cents, method, dice);
        data.insert("invoice".into(), tale.invoice.as_str().into());
        self.tell(when, source, "payment.received", &tale.person.id, data)
    }

    /// A payment that does not say for what: its data, who reports it and when.
    fn payment(
        &mut self,
        tale: &mut Tale,
        day: Date,
        cents: u32,
        method: Method,
        dice: &mut Dice,
    ) -> (Map<String, Value>, Source, (Date, u32)) {
        tale.payments += 1;
        let mut data = members([
            ("payment", tale.payment()),
            ("amount", euros(cents)),
            ("currency", "EUR".into()),
            ("method", method.name().into()),
        ]);
        let (source, day, second) = match method {
            Method::Card | Method::Paypal => {
                let evening = dice.percent(45);
                let hours = if evening { (18, 22) } else { (7, 18) };
                (Source::Shop, day, dice.between(hours.0 * 3600, hours.1 * 3600 - 1))
            }
            Method::Transfer | Method::SepaDebit => {
                let person = tale.person;
                let remittance = match method {
                    Method::SepaDebit => format!("SEPA {} {}", tale.invoice, person.id),
                    _ if dice.percent(70) => format!("{} {}", tale.invoice, person.id),
                    _ => format!("Rechnung {}", &tale.invoice[2..]),
                };
                data.insert("remittance".into(), remittance.into());
                data.insert("payer_name".into(), person.name.as_str().into());
                data.insert("payer_iban".into(), person.iban.as_str().into());
                (Source::Bank, banking(day), dice.between(23_400, 34_200))
            }
        };
        data.insert("booked_on".into(), day.to_string().into());
        (data, source, (day, second))
    }

    fn overpays(&mut self, tale: &mut Tale, dice: &mut Dice) -> Result<(), Error> {
        let method = not_debit(tale.person.method);
        let day = on_time(tale, dice);
        let excess = if dice.percent(50) {
            // Paid twice, a few days apart.
            self.pays_by(tale, day, tale.cents, method, dice)?;
            let again = banking(later(day, dice.between(1, 4)));
            self.pays_by(tale, again, tale.cents, method, dice)?;
            tale.cents
        } else {
            let rounded = tale.cents.next_multiple_of(1000);
            self.pays_by(tale, day, rounded, method, dice)?;
            rounded - tale.cents
        };
        if excess < 500 || dice.percent(40) {
            return Ok(()); // stays as credit for the next order
        }
        let on = banking(later(day, dice.between(6, 12)));
        let data = members([
            ("payment", tale.payment()),
            ("on", on.to_string()),
            ("amount", euros(excess)),
            ("currency", "EUR".into()),
        ]);
        self.tell(
            (on, dice.between(30_000, 34_200)),
            Source::Bank,
            "payment.refunded",
            &tale.person.id,
            data,
        )
    }

    fn misread(&mut self, tale: &mut Tale, found: bool, dice: &mut Dice) -> Result<(), Error> {
        let day = earlier(tale.due, dice.between(6, 10));
        let cents = tale.cents;
        let (mut data, source, when) = self.payment(tale, day, cents, Method::Transfer, dice);
        let number = &tale.invoice[2..];
        let remittance = match dice.below(4) {
            0 => format!("R-{}", number.replace('0', "O")),
            1 => format!("Rechn. {}", number.replace('-', "").trim_end_matches('0')),
            2 => "Lindenmoor Bestellung danke".to_owned(),
            _ => format!("RG {}", number.chars().rev().collect::<String>()),
        };
        data.insert("remittance".into(), remittance.into());
        self.tell(when, source, "payment.received", UNMATCHED, data)?;
        if !found {
            return Ok(());
        }
        let on = banking(later(when.0, dice.between(1, 4)));
        let data = members([
            ("payment", tale.payment()),
            ("to", format!("{CREDITOR}/{}", tale.person.id)),
            ("invoice", tale.invoice.clone()),
        ]);
        self.office(on, "payment.assigned", UNMATCHED, data, dice)
    }

    fn returned(&mut self, tale: &mut Tale, dice: &mut Dice) -> Result<(), Error> {
        let day = banking(tale.due);
        self.pays_by(tale, day, tale.cents, Method::SepaDebit, dice)?;
        let reason = *dice.pick(&["AM04", "AM04", "AM04", "AC04", "MD06", "MS02"]);
        let mut on = day;
        for _ in 0..dice.between(1, 3) {
            on = banking(later(on, 1));
        }
        let data = members([
            ("payment", tale.payment()),
            ("on", on.to_string()),
            ("reason", reason.into()),
            ("fee", euros(RETURN_FEE)),
        ]);
        let when = (on, dice.between(23_400, 34_200));
        self.tell(when, Source::Bank, "payment.returned", &tale.person.id, data)
    }

    fn credited(&mut self, tale: &mut Tale, all: bool, dice: &mut Dice) -> Result<(), Error> {
        let credit = if all { tale.cents } else { share(tale.cents, dice.between(15, 60)) };
        let reason = *dice.pick(&[
            "Rücksendung innerhalb der Widerrufsfrist",
            "Artikel beschädigt zurückgegeben",
            "Teilrücksendung: falsche Größe",
        ]);
        let details = [
            ("credit", format!("G-{}", &tale.invoice[2..])),
            ("amount", euros(credit)),
            ("currency", "EUR".into()),
            ("reason", reason.into()),
        ];
        let day = later(tale.issued, dice.between(4, 8));
        self.staff(tale, day, "invoice.credited", details, dice)?;
        match tale.cents - credit {
            0 => Ok(()),
            rest => {
                let method = not_debit(tale.person.method);
                self.pays_by(tale, earlier(tale.due, dice.between(2, 3)), rest, method, dice)
            }
        }
    }

    fn disputed(&mut self, tale: &mut Tale, dice: &mut Dice) -> Result<(), Error> {
        let reason = *dice.pick(&[
            "Ware beschädigt angekommen",
            "Paket nicht erhalten",
            "anderer Artikel geliefert als bestellt",
            "Preis stimmt nicht mit der Bestellung überein",
            "Rücksendung noch nicht gutgeschrieben",
        ]);
        let dispute = format!("E-{}", &tale.invoice[2..]);
        let opened = banking(later(tale.issued, dice.between(4, 15)));
        let about = [("dispute", dispute.clone()), ("reason", reason.into())];
        self.staff(tale, opened, "dispute.opened", about, dice)?;
        if dice.percent(15) {
            return Ok(()); // still open
        }
        let closed = banking(later(opened, dice.between(5, 18)));
        let (outcome, owed) = match dice.below(10) {
            0..4 => ("upheld", 0),
            4..7 => ("rejected", tale.cents),
            _ => ("partly", share(tale.cents, dice.between(40, 80))),
        };
        let mut result = members([
            ("invoice", tale.invoice.clone()),
            ("on", closed.to_string()),
            ("dispute", dispute),
            ("outcome", outcome.into()),
        ]);
        if outcome == "partly" {
            result.insert("amount".into(), euros(owed).into());
        }
        self.office(closed, "dispute.resolved", &tale.person.id, result, dice)?;
        if owed == 0 || dice.percent(40) {
            return Ok(());
        }
        let method = not_debit(tale.person.method);
        self.pays_by(tale, later(closed, dice.between(1, 2)), owed, method, dice)
    }

    /// A debtor moves and has a new address for post, and for some for mail.
    pub(crate) fn moves(
        &mut self,
        person: &Person,
        day: Date,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let mut card = person.card.clone();
        let street = format!("Musterallee {}", dice.between(1, 60));
        let address = json!({
            "street": street, "postcode": "58095", "city": "Hagen", "region": "NW",
        });
        card.insert("address".into(), address);
        self.office(banking(day), "debtor.updated", &person.id, card, dice)
    }
}

impl Tale<'_> {
    /// The latest payment's id.
    fn payment(&self) -> String {
        format!("Z-{}-{}", &self.invoice[2..], self.payments)
    }
}

/// A direct debit is collected on the due date; whoever pays, pays before: two in five within
/// four days. Never so late that a weekend carries the booking beyond the due date.
fn on_time(tale: &Tale, dice: &mut Dice) -> Date {
    match tale.person.method {
        Method::SepaDebit => tale.due,
        _ if dice.percent(40) => later(tale.issued, dice.between(1, 4)),
        _ => later(tale.issued, dice.between(2, 11)),
    }
}

/// Whoever pays at another time than the due date does not pay by direct debit.
const fn not_debit(method: Method) -> Method {
    match method {
        Method::SepaDebit => Method::Transfer,
        other => other,
    }
}

/// `percent` of `cents`, in whole ten cents, at least one cent and never all of it.
fn share(cents: u32, percent: u32) -> u32 {
    (cents * percent / 1000 * 10).clamp(1, cents.saturating_sub(1).max(1))
}

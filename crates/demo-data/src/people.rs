//! Who buys at Lindenmoor: invented people and businesses. Mail goes to `example.org` and
//! `example.com`, mobiles lie in the two blocks that the German regulator keeps for fiction, and
//! streets are examples, so that nothing of this can reach anybody.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use crate::{
    dice::Dice,
    names::{FORMS, ORIGINS, Origin, STREETS, TOWNS, TRADES, VIENNA_AND_MORE},
    reaction::Temperament,
};

/// How many debtors the shop has.
pub(crate) const DEBTORS: u32 = 300;

/// How a debtor likes to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Transfer,
    Card,
    Paypal,
    SepaDebit,
}

impl Method {
    /// As the contract writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Card => "card",
            Self::Paypal => "paypal",
            Self::SepaDebit => "sepa_debit",
        }
    }
}

/// One debtor and what the story has to know of it.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) business: bool,
    pub(crate) english: bool,
    pub(crate) iban: String,
    pub(crate) method: Method,
    pub(crate) temperament: Temperament,
    /// The members of `debtor.updated`.
    pub(crate) card: Map<String, Value>,
}

/// All debtors, `K-10001` first.
pub(crate) fn people(seed: u64, today: Date) -> Vec<Person> {
    let mut taken = BTreeSet::new();
    let mut mobiles: Vec<String> = (0..100)
        .flat_map(|n| [format!("+4917139200{n:02}"), format!("+49176040690{n:02}")])
        .collect();
    Dice::of(seed, "mobiles").shuffle(&mut mobiles);
    let mut debtors: Vec<Person> =
        (1..=DEBTORS).map(|n| person(seed, n, today, &mut taken, &mut mobiles)).collect();
    needing_care(&mut debtors);
    debtors
}

/// Two debtors who need special care and one whom a guardian represents.
fn needing_care(debtors: &mut [Person]) {
    let mut consumers = debtors
        .iter_mut()
        .filter(|one| !one.business && one.temperament == Temperament::Struggling);
    for one in consumers.by_ref().take(2) {
        one.card.insert("vulnerable".into(), true.into());
    }
    if let Some(one) = consumers.next() {
        let guardian = json!({
            "name": "Betreuungsbüro Musterhof",
            "email": "betreuung.musterhof@example.org",
            "address": {
                "street": "Beispielplatz 1", "postcode": "48143", "city": "Münster",
                "region": "NW",
            },
        });
        one.card.insert("represented_by".into(), guardian);
    }
}

fn person(
    seed: u64,
    number: u32,
    today: Date,
    taken: &mut BTreeSet<String>,
    mobiles: &mut Vec<String>,
) -> Person {
    let id = format!("K-{}", 10_000 + number);
    let mut dice = Dice::of(seed, &format!("debtor/{id}"));
    let place = Place::of(number, &mut dice);
    let business = place.german && dice.percent(12);
    // English speakers in Germany, beside those abroad.
    let english = place.language == Some("en") || place.german && !business && dice.percent(8);
    let name = loop {
        let drawn = if business { business_name(&mut dice) } else { name(&mut dice, english) };
        if taken.insert(drawn.clone()) {
            break drawn;
        }
    };
    let method = match (business, dice.below(100)) {
        (true, 0..75) | (false, 0..44) => Method::Transfer,
        (true, _) | (false, 87..) => Method::SepaDebit,
        (false, 44..64) => Method::Card,
        (false, _) => Method::Paypal,
    };

    let mut card = Map::new();
    card.insert("kind".into(), if business { "business" } else { "consumer" }.into());
    card.insert("name".into(), name.as_str().into());
    let language = if english { "en" } else { place.language.unwrap_or("de") };
    card.insert("language".into(), language.into());
    card.insert("country".into(), place.country.into());
    if let Some(zone) = place.zone {
        card.insert("timezone".into(), zone.into());
    }
    let has_email = dice.percent(95);
    if has_email {
        card.insert("email".into(), email(&name, business, &mut dice).into());
    }
    // Two hundred numbers are kept for fiction; the others gave none.
    if let Some(mobile) = mobiles.pop_if(|_| !has_email || dice.percent(72)) {
        card.insert("mobile".into(), mobile.into());
        match dice.below(100) {
            0..22 => card.insert("consents".into(), json!({ "sms": true })),
            22..31 => card.insert("consents".into(), json!({ "sms": false })),
            _ => None,
        };
    }
    if dice.percent(97) {
        card.insert("address".into(), place.address);
    }
    if dice.percent(35) {
        card.insert("prefers".into(), wishes(method, &mut dice));
    }
    if !business && dice.percent(60) {
        let years = i16::try_from(dice.between(19, 79)).unwrap_or(40);
        let (month, day) = (dice.between(1, 12) as i8, dice.between(1, 28) as i8);
        if let Ok(born) = Date::new(today.year().saturating_sub(years), month, day) {
            card.insert("birth_date".into(), born.to_string().into());
        }
    }
    let channel = if dice.percent(38) { "app" } else { "web" };
    card.insert("attributes".into(), json!({ "channel": channel }));

    let temperament = Temperament::of(seed, &id);
    Person { name, business, english, iban: iban(&mut dice), method, temperament, card, id }
}

struct Place {
    german: bool,
    language: Option<&'static str>,
    country: &'static str,
    zone: Option<&'static str>,
    address: Value,
}

impl Place {
    /// Nearly all live in Germany; every thirtieth in Austria, and one each far enough away for
    /// the clock to differ.
    fn of(number: u32, dice: &mut Dice) -> Self {
        let street = format!("{} {}", dice.pick(&STREETS), dice.between(1, 88));
        let abroad = match number {
            47 => Some(("PT", "Europe/Lisbon", Some("en"), "1100-001", "Lisboa")),
            112 => Some(("GR", "Europe/Athens", Some("el"), "105 51", "Athina")),
            203 => Some(("ES", "Atlantic/Canary", None, "38700", "Santa Cruz de La Palma")),
            n if n % 30 == 8 => {
                let (postcode, city) = *dice.pick(&VIENNA_AND_MORE);
                Some(("AT", "Europe/Vienna", Some("de-AT"), postcode, city))
            }
            _ => None,
        };
        if let Some((country, zone, language, postcode, city)) = abroad {
            let address = json!({ "street": street, "postcode": postcode, "city": city });
            return Self { german: false, language, country, zone: Some(zone), address };
        }
        let (postcode, city, region) = *dice.pick(&TOWNS);
        let address = json!({
            "street": street, "postcode": postcode, "city": city, "region": region,
        });
        Self { german: true, language: None, country: "DE", zone: None, address }
    }
}

fn name(dice: &mut Dice, english: bool) -> String {
    // Most bear names of the country, and some of their neighbours.
    let origin = match (english, dice.below(100)) {
        (true, 0..60) => &ORIGINS[ORIGINS.len() - 1],
        (false, 0..58) => &ORIGINS[0],
        _ => neighbour(dice),
    };
    let family = *dice.pick(&origin.family);
    let given = dice.pick(&origin.given);
    let second = *dice.pick(&ORIGINS[0].family);
    match dice.below(25) {
        0 if second != family => format!("{given} {family}-{second}"),
        _ => format!("{given} {family}"),
    }
}

/// Neither the first nor the last of the list.
fn neighbour(dice: &mut Dice) -> &'static Origin {
    &ORIGINS[1 + dice.below(ORIGINS.len() as u32 - 2) as usize]
}

fn business_name(dice: &mut Dice) -> String {
    let origin = if dice.percent(70) { &ORIGINS[0] } else { neighbour(dice) };
    let family = *dice.pick(&origin.family);
    format!("{} {family} {}", dice.pick(&TRADES), dice.pick(&FORMS))
}

fn email(name: &str, business: bool, dice: &mut Dice) -> String {
    let local = ascii(name);
    let domain = if dice.percent(60) { "example.org" } else { "example.com" };
    match business {
        true => format!("buchhaltung.{local}@{domain}"),
        false => format!("{local}@{domain}"),
    }
}

/// `Jörg Çelik` as `joerg.celik`: names are unique, and so are these but for rare accents.
fn ascii(name: &str) -> String {
    let mut local = String::new();
    for letter in name.to_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' | '-' => local.push(letter),
            ' ' if !local.is_empty() => local.push('.'),
            'ä' | 'æ' => local.push_str("ae"),
            'ö' | 'ø' => local.push_str("oe"),
            'ü' => local.push_str("ue"),
            'ß' => local.push_str("ss"),
            'á' | 'à' | 'ã' => local.push('a'),
            'ç' | 'ć' | 'č' => local.push('c'),
            'é' | 'è' | 'ę' => local.push('e'),
            'ğ' => local.push('g'),
            'ı' | 'í' => local.push('i'),
            'ł' => local.push('l'),
            'ń' | 'ñ' => local.push('n'),
            'ó' | 'ô' => local.push('o'),
            'ş' | 'š' | 'ś' => local.push('s'),
            'ż' | 'ž' => local.push('z'),
            _ => {}
        }
    }
    local
}

fn wishes(method: Method, dice: &mut Dice) -> Value {
    let mut wishes = Map::new();
    match dice.below(10) {
        0..4 => wishes.insert("channels".into(), json!(["email"])),
        4..6 => wishes.insert("channels".into(), json!(["email", "letter"])),
        6..8 => wishes.insert("channels".into(), json!(["sms", "email"])),
        _ => None,
    };
    if dice.percent(60) {
        wishes.insert("pay_with".into(), json!([method.name()]));
    }
    if wishes.is_empty() || dice.percent(25) {
        let hours = *dice.pick(&["17:00-19:00", "09:00-12:00", "12:00-18:00"]);
        wishes.insert("hours".into(), hours.into());
    }
    Value::Object(wishes)
}

/// Right by its check digits, at a bank that cannot exist: no German bank code begins with 9.
fn iban(dice: &mut Dice) -> String {
    let bank = 90_000_000 + dice.below(9_999_999);
    let account = dice.below(u32::MAX);
    let digits = u128::from(bank) * 10_000_000_000 + u128::from(account);
    // ISO 7064: DE is 1314, then two zeros in place of the check digits.
    let check = 98 - (digits * 1_000_000 + 131_400) % 97;
    format!("DE{check:02}{bank:08}{account:010}")
}

//! Languages, countries and time zones.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Check, no, schema};
use crate::member::{Leaf, Scalar};

/// A BCP 47 tag with its primary subtag in lower case.
pub(crate) struct Language(pub(crate) String);

impl Leaf<'_> for Language {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const RULE: &str = "must be a BCP 47 language tag such as \"de\" or \"de-AT\"";
        let Scalar::Text(text) = value else { return no(RULE) };
        let (primary, rest) = match text.split_once('-') {
            Some((primary, rest)) => (primary, Some(rest)),
            None => (&*text, None),
        };
        let fits = (2..=3).contains(&primary.len())
            && primary.bytes().all(|b| b.is_ascii_alphabetic())
            && text.len() <= 35
            && rest.is_none_or(|rest| {
                rest.split('-').all(|subtag| {
                    (1..=8).contains(&subtag.len())
                        && subtag.bytes().all(|b| b.is_ascii_alphanumeric())
                })
            });
        if !fits {
            return no(RULE);
        }
        let mut tag = text.into_owned();
        let end = tag.find('-').unwrap_or(tag.len());
        if let Some(primary) = tag.get_mut(..end) {
            primary.make_ascii_lowercase();
        }
        Ok(Self(tag))
    }
}

schema!(Language, "Language", {
    "type": "string",
    "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$",
    "maxLength": 35,
});

/// ISO 3166-1 alpha-2, with `XK` as it is used for Kosovo.
pub(crate) struct Country(pub(crate) String);

const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ \
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW \
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY \
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA \
    ZM ZW";

/// Binary search: each country takes two letters and a space, the last one no space.
fn is_country(text: &str) -> bool {
    let (mut low, mut high) = (0, COUNTRIES.len().div_ceil(3));
    while low < high {
        let middle = usize::midpoint(low, high);
        let known = COUNTRIES.get(middle * 3..middle * 3 + 2).unwrap_or_default();
        match known.cmp(text) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    false
}

impl Leaf<'_> for Country {
    fn check(value: Scalar<'_>) -> Check<Self> {
        match value {
            Scalar::Text(text) if is_country(&text) => Ok(Self(text.into_owned())),
            _ => no("must be an ISO 3166-1 country of two capitals, such as \"DE\""),
        }
    }
}

schema!(Country, "Country", { "type": "string", "pattern": "^[A-Z]{2}$", "examples": ["DE"] });

/// A zone of the IANA time zone database.
pub(crate) struct Zone(pub(crate) String);

impl Leaf<'_> for Zone {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const RULE: &str = "must be an IANA time zone such as \"Europe/Berlin\"";
        let Scalar::Text(text) = value else { return no(RULE) };
        let zone = jiff::tz::TimeZone::get(&text).or_else(|_| no(RULE))?;
        zone.iana_name().map_or_else(|| no(RULE), |name| Ok(Self(name.to_owned())))
    }
}

schema!(Zone, "Zone", { "type": "string", "examples": ["Europe/Berlin"] });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_is_found_and_nothing_between_them() {
        for country in COUNTRIES.split(' ') {
            assert!(is_country(country), "{country:?}");
        }
        assert!(COUNTRIES.split(' ').is_sorted());
        for wrong in ["", "D", "de", "E ", " A", "DEU", "XX", "AA", "ZZ"] {
            assert!(!is_country(wrong), "{wrong:?}");
        }
    }
}

//! Texts, free or with a shape of their own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Check, no, schema};
use crate::member::{Leaf, Scalar};

/// One line of at most `MAX` characters, not empty.
pub(crate) struct Line<const MAX: usize = 256>(pub(crate) String);

impl<const MAX: usize> Leaf<'_> for Line<MAX> {
    fn check(value: Scalar<'_>) -> Check<Self> {
        let Scalar::Text(text) = value else { return no("must be a string") };
        if text.is_empty() || text.len() > MAX && text.chars().count() > MAX {
            return Err(format!("must have 1 to {MAX} characters").into());
        }
        if text.chars().any(char::is_control) {
            return no("has a control character");
        }
        Ok(Self(text.into_owned()))
    }
}

impl<const MAX: usize> JsonSchema for Line<MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Line".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX })
    }
}

/// Free text of at most 4,000 characters; lines may break, other control characters are refused.
pub(crate) struct Prose(pub(crate) String);

impl Leaf<'_> for Prose {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const MAX: usize = 4_000;
        let Scalar::Text(text) = value else { return no("must be a string") };
        if text.len() > MAX && text.chars().count() > MAX {
            return no("has more than 4000 characters");
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return no("has a control character");
        }
        Ok(Self(text.into_owned()))
    }
}

schema!(Prose, "Text", { "type": "string", "maxLength": 4000 });

/// A text with a shape of its own, such as an e-mail address.
macro_rules! shaped {
    ($(
        $(#[$about:meta])* $name:ident, $max:literal, $fits:expr, $rule:literal, $json:tt;
    )*) => {$(
        $(#[$about])*
        pub(crate) struct $name(pub(crate) String);

        impl Leaf<'_> for $name {
            fn check(value: Scalar<'_>) -> Check<Self> {
                let fits: fn(&str) -> bool = $fits;
                match value {
                    Scalar::Text(text) if text.len() <= $max && fits(&text) => {
                        Ok(Self(text.into_owned()))
                    }
                    _ => no($rule),
                }
            }
        }

        schema!($name, "Shaped", $json);
    )*};
}

fn is_email(text: &str) -> bool {
    let plain = |c: char| match c {
        '<' | '>' | ',' | ';' | ':' | '"' | '(' | ')' | '[' | ']' | '\\' => false,
        other => !other.is_control() && !other.is_whitespace(),
    };
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.len() <= 64
            && !domain.contains('@')
            && text.chars().all(plain)
            && domain.split('.').count() >= 2
            && domain.split('.').all(|label| !label.is_empty() && label.len() <= 63)
    })
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !text.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"".contains(c))
    })
}

fn is_hours(text: &str) -> bool {
    let minutes = |clock: &str| {
        let (hour, minute) = clock.split_once(':')?;
        let two = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok()).flatten();
        let (hour, minute) = (two(hour)?, two(minute)?);
        (hour < 24 && minute < 60 || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
    };
    let ends = text.split_once('-').and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
    text.is_ascii() && !text.contains('+') && ends.is_some_and(|(from, to)| from < to)
}

shaped! {
    /// An e-mail address.
    Email, 254, is_email, "must be an e-mail address such as \"name@example.org\"",
    { "type": "string", "format": "email", "pattern": "^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$" };
    /// A phone number by E.164.
    Mobile, 16, is_e164, "must be a phone number by E.164: +, country code and number, digits only",
    { "type": "string", "pattern": "^\\+[1-9][0-9]{6,14}$" };
    /// An absolute web address.
    WebAddress, 2048, is_url, "must be a web address that begins with https:// or http://",
    { "type": "string", "format": "uri", "pattern": "^https?://", "maxLength": 2048 };
    /// Hours of a day.
    Hours, 11, is_hours, "must be hours of a day such as \"17:00-19:00\", the earlier first",
    { "type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$" };
}

/// The value of an attribute: one line, which may be empty.
pub(crate) struct Attribute(pub(crate) String);

impl Leaf<'_> for Attribute {
    fn check(value: Scalar<'_>) -> Check<Self> {
        match value {
            Scalar::Text(text) if text.len() <= 256 && !text.chars().any(char::is_control) => {
                Ok(Self(text.into_owned()))
            }
            _ => no("must have strings of at most 256 bytes without control characters"),
        }
    }
}

schema!(Attribute, "Attribute", { "type": "string", "maxLength": 256 });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_address_has_a_local_part_and_a_domain_with_a_dot() {
        for right in ["a@example.org", "first.last+tag@sub.example.org", "büro@example.org"] {
            assert!(is_email(right), "{right:?}");
        }
        for wrong in [
            "",
            "a",
            "a@",
            "@example.org",
            "a@example",
            "a@b@example.org",
            "a b@example.org",
            "a@example..org",
            "A <a@example.org>",
            "a@example.org,b@example.org",
        ] {
            assert!(!is_email(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn hours_are_two_times_of_one_day_in_order() {
        for right in ["17:00-19:00", "00:00-24:00"] {
            assert!(is_hours(right), "{right:?}");
        }
        for wrong in
            ["17-19", "19:00-17:00", "17:00-17:00", "17:60-18:00", "17:00-24:01", "+7:00-+9:00"]
        {
            assert!(!is_hours(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_mobile_number_is_written_by_e_164() {
        assert!(is_e164("+491713920001"));
        for wrong in ["01713920001", "+0491713920001", "+49 171 3920001", "+49171", "+"] {
            assert!(!is_e164(wrong), "{wrong:?}");
        }
    }
}

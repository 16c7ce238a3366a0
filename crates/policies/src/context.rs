//! One file being checked: its findings so far, and the small parsers that report to them.

use std::{fmt::Display, ops::Deref, str::FromStr};

use jiff::tz::TimeZone;
use kulanz_domain::{
    fact::Channel,
    money::{Currency, Decimal, Money},
};

use crate::{
    condition::{self, Compiled, Scope},
    diagnostic::{Diagnostic, Place, Severity, Source, look_alike},
    file::Cel,
    yaml::At,
};

/// Collects what is found in one file.
pub(crate) struct Context<'a> {
    pub source: &'a Source,
    pub found: Vec<Diagnostic>,
}

impl<'a> Context<'a> {
    pub fn new(source: &'a Source) -> Self {
        Self { source, found: Vec::new() }
    }

    pub fn report(
        &mut self,
        severity: Severity,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let mut finding = self.source.at(severity, place, message);
        finding.help = help;
        self.found.push(finding);
    }

    /// An error with advice.
    pub fn error(&mut self, place: Place, message: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.report(Severity::Error, place, message, help);
    }

    pub fn warning(&mut self, place: Place, message: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.report(Severity::Warning, place, message, help);
    }

    pub fn note(&mut self, place: Place, message: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.report(Severity::Note, place, message, help);
    }

    /// Reads `text` as a `T`, or reports why it is none.
    pub fn read<T: FromStr<Err: Display>>(&mut self, text: &str, place: Place) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(e) => {
                let e: T::Err = e;
                self.report(Severity::Error, place, e.to_string(), look_alike(text));
                None
            }
        }
    }

    /// A non-negative amount with at most the decimals of `currency`.
    pub fn amount(&mut self, text: &str, place: Place, currency: Currency) -> Option<Decimal> {
        match Money::parse(text, currency) {
            Ok(money) => Some(money.amount),
            Err(e) => {
                let help = look_alike(text).or_else(|| {
                    text.contains(',').then(|| "write a point before the cents: 2.50".to_owned())
                });
                self.report(Severity::Error, place, e.to_string(), help);
                None
            }
        }
    }

    /// A decimal written plainly.
    pub fn decimal(&mut self, text: &str, place: Place) -> Option<Decimal> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let value = Decimal::from_str_exact(text).ok().filter(|_| plain);
        if value.is_none() {
            let message = format!("`{}` is not a plain decimal", short(text));
            self.report(Severity::Error, place, message, look_alike(text));
        }
        value
    }

    /// Percent as `25%`.
    pub fn percent(&mut self, text: &str, place: Place) -> Option<Decimal> {
        match text.strip_suffix('%') {
            Some(number) => self.decimal(number.trim_end(), place),
            None => {
                let message = format!("`{}` is not a share", short(text));
                self.error(place, message, "write it as 25%");
                None
            }
        }
    }

    pub fn zone(&mut self, text: &str, place: Place) -> Option<TimeZone> {
        let zone = TimeZone::get(text).ok();
        if zone.is_none() {
            let message = format!("`{}` is not a time zone", short(text));
            self.error(place, message, "write an IANA zone such as Europe/Berlin");
        }
        zone
    }

    /// Compiles a condition; its errors point into the line it stands in.
    pub fn condition(&mut self, at: &At<Cel>, scope: Scope<'_>) -> Option<Compiled> {
        match condition::compile(at, scope) {
            Ok(compiled) => Some(compiled),
            Err(errors) => {
                for error in errors {
                    let place = self.inside(at, error.start, error.end);
                    self.report(Severity::Error, place, error.message, error.help);
                }
                None
            }
        }
    }

    /// The place of the bytes `start..end` of a value. A value that YAML folded, quoted or escaped
    /// is laid along its source text, character by character.
    pub fn inside<T>(&self, at: &At<T>, start: usize, end: usize) -> Place
    where
        T: Deref<Target = str>,
    {
        let (from, length) = at.bytes;
        // The span of a block scalar ends early in some layouts: its text never starts later.
        let raw = self.source.text.get(from..).unwrap_or_default();
        let value: &str = &at.value;
        let mut raw_at = 0;
        let mut start_at = None;
        for (value_at, c) in value.char_indices() {
            if value_at >= end && start_at.is_some() {
                break;
            }
            let rest = raw.get(raw_at..).unwrap_or_default();
            let skipped = match c.is_whitespace() {
                true => rest.find(char::is_whitespace),
                false => rest.find(c),
            };
            let Some(skipped) = skipped else { break };
            let here = raw_at + skipped;
            if value_at >= start && start_at.is_none() {
                start_at = Some(here);
            }
            let width = raw.get(here..).and_then(|r| r.chars().next()).map_or(1, char::len_utf8);
            raw_at = here + width;
        }
        let start_at = start_at.unwrap_or_else(|| raw_at.min(length.max(raw_at)));
        let stretch = raw.get(start_at..raw_at.max(start_at)).unwrap_or_default();
        let on_line = stretch.lines().next().unwrap_or_default().chars().count();
        self.source.place(from + start_at, on_line.max(1))
    }
}

pub(crate) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Words for people: `e-mail`.
pub(crate) const fn spoken(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "e-mail",
        Channel::Sms => "SMS",
        Channel::Letter => "letter",
    }
}

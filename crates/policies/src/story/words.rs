//! The sentences of a story, word by word: a small reader whose errors point at the word.

use std::{fmt::Display, str::FromStr};

use jiff::civil::{Date, DateTime};
use kulanz_domain::{
    fact::Channel,
    money::{self, Currency, Decimal, Money},
};

use crate::{
    compile,
    context::short,
    diagnostic::{did_you_mean, look_alike},
};

/// What cannot be read, and where it stands in the sentence, in bytes.
#[derive(Debug)]
pub(super) struct Unread {
    pub start: usize,
    pub end: usize,
    pub message: String,
    pub help: Option<String>,
}

pub(super) type Read<T> = Result<T, Unread>;

/// A sentence being read. A comma behind a word is a word of its own.
pub(super) struct Words<'a> {
    text: &'a str,
    words: Vec<(usize, &'a str)>,
    at: usize,
}

impl<'a> Words<'a> {
    pub fn of(text: &'a str) -> Self {
        let mut words = Vec::new();
        for word in text.split_whitespace() {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            match word.strip_suffix([',', ':']) {
                Some(bare) if !bare.is_empty() => {
                    words.push((start, bare));
                    words.push((start + bare.len(), ","));
                }
                _ => words.push((start, word)),
            }
        }
        Self { text, words, at: 0 }
    }

    pub fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).map(|(_, word)| *word)
    }

    /// The word after the next one.
    pub fn peek_second(&self) -> Option<&'a str> {
        self.words.get(self.at + 1).map(|(_, word)| *word)
    }

    pub fn take(&mut self, word: &str) -> bool {
        let is = self.peek() == Some(word);
        self.at += usize::from(is);
        is
    }

    /// Takes all of `phrase`, which has spaces between its words, or nothing.
    pub fn take_phrase(&mut self, phrase: &str) -> bool {
        let start = self.at;
        let all = phrase.split(' ').all(|word| self.take(word));
        if !all {
            self.at = start;
        }
        all
    }

    pub fn must(&mut self, phrase: &str) -> Read<()> {
        match self.take_phrase(phrase) {
            true => Ok(()),
            false => Err(self.wrong(format!("`{phrase}` is wanted here"), None)),
        }
    }

    /// The next word, which has to be there.
    pub fn word(&mut self, what: &str) -> Read<&'a str> {
        match self.peek() {
            Some(word) if word != "," => {
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.wrong(format!("{what} is missing here"), None)),
        }
    }

    /// The start of the word that was read last, and its end.
    pub fn last(&self) -> (usize, usize) {
        let read = self.at.checked_sub(1).and_then(|at| self.words.get(at));
        read.map_or((0, self.text.len()), |(start, word)| (*start, start + word.len()))
    }

    /// An error at the word that comes next, or at the end.
    pub fn wrong(&self, message: String, help: Option<String>) -> Unread {
        let (start, end) = match self.words.get(self.at) {
            Some((start, word)) => (*start, start + word.len()),
            None => (self.text.trim_end().len().saturating_sub(1), self.text.trim_end().len()),
        };
        let help = help.or_else(|| self.text.get(start..end).and_then(look_alike));
        Unread { start, end, message, help }
    }

    /// An error at the word that was read last.
    pub fn wrong_before(&self, message: String, help: Option<String>) -> Unread {
        let (start, end) = self.last();
        let help = help.or_else(|| self.text.get(start..end).and_then(look_alike));
        Unread { start, end, message, help }
    }

    /// Nothing may follow; `clauses` are those that could.
    pub fn end(&self, clauses: &[&str]) -> Read<()> {
        let Some(word) = self.peek() else { return Ok(()) };
        let help = match clauses {
            [] => "the sentence should end before it".to_owned(),
            clauses => format!("behind a comma can follow: {}", clauses.join("; ")),
        };
        Err(self.wrong(format!("`{}` is not understood here", short(word)), Some(help)))
    }

    /// The next word as one of `options`.
    pub fn one_of<T: Copy>(&mut self, what: &str, options: &[(&str, T)]) -> Read<T> {
        let word = self.word(what)?;
        let names = || options.iter().map(|(name, _)| *name);
        let found = options.iter().find(|(name, _)| *name == word);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let help =
                look_alike(word).or_else(|| did_you_mean(word, names())).unwrap_or_else(|| {
                    format!("write one of {}", names().collect::<Vec<_>>().join(", "))
                });
            self.wrong_before(format!("`{}` is no {what}", short(word)), Some(help))
        })
    }

    pub fn parse<T: FromStr<Err: Display>>(&mut self, what: &str) -> Read<T> {
        let word = self.word(what)?;
        word.parse().map_err(|error: T::Err| self.wrong_before(error.to_string(), None))
    }

    pub fn channel(&mut self) -> Read<Channel> {
        let options = Channel::ALL.map(|channel| (channel.name(), channel));
        self.one_of("channel", &options)
    }

    /// An amount, with a currency where it is not `currency`.
    pub fn money(&mut self, currency: Currency) -> Read<Money> {
        let text = self.word("an amount")?;
        let number = self.at;
        let other = self.peek().filter(|word| {
            word.len() == 3 && word.bytes().all(|letter| letter.is_ascii_uppercase())
        });
        let currency = match other {
            None => currency,
            Some(code) => {
                self.at += 1;
                money::currency(code).map_err(|error| self.wrong_before(error.to_string(), None))?
            }
        };
        Money::parse(text, currency).map_err(|error| {
            self.at = number;
            let comma = text.contains(',').then(|| "write a point before the cents: 2.50".into());
            self.wrong_before(error.to_string(), comma)
        })
    }

    pub fn amount(&mut self, currency: Currency) -> Read<Decimal> {
        Ok(self.money(currency)?.amount)
    }

    pub fn number(&mut self, what: &str) -> Read<u32> {
        let word = self.word(what)?;
        let digits = word.bytes().all(|digit| digit.is_ascii_digit());
        word.parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| self.wrong_before(format!("`{}` is not {what}", short(word)), None))
    }

    pub fn day(&mut self) -> Read<Date> {
        let word = self.word("a day")?;
        day(word).ok_or_else(|| self.wrong_before(no_day(word), Some(DAY.to_owned())))
    }

    /// A day with or without a time.
    pub fn moment(&mut self) -> Read<(Date, Option<DateTime>)> {
        let date = self.day()?;
        let Some(word) = self.peek().filter(|word| word.contains(':')) else {
            return Ok((date, None));
        };
        let time = time(date, word);
        let time = time.ok_or_else(|| {
            self.wrong(format!("`{}` is not a time", short(word)), Some("write 09:00".into()))
        })?;
        self.at += 1;
        Ok((date, Some(time)))
    }
}

const DAY: &str = "write a day that exists as YYYY-MM-DD";

fn no_day(word: &str) -> String {
    format!("`{}` is not a day", short(word))
}

/// `2026-03-19`.
pub(super) fn day(text: &str) -> Option<Date> {
    let day = compile::date(text)?;
    // Far from where spans and zones would leave the calendar.
    (1970..=2200).contains(&day.year()).then_some(day)
}

/// A day of birth.
pub(super) fn birth(text: &str) -> Option<Date> {
    compile::date(text).filter(|day| (1850..=2100).contains(&day.year()))
}

fn time(day: Date, text: &str) -> Option<DateTime> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_digit());
        part.parse::<i8>().ok().filter(|_| digits)
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    (hour < 24 && minute < 60).then(|| day.at(hour, minute, 0, 0))
}

/// What stands before the colon of a line: a day, or a day and a time.
pub(super) fn when(text: &str) -> Result<(Date, Option<DateTime>), (String, &'static str)> {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let day = day(first).ok_or_else(|| (no_day(first), DAY))?;
    if rest.is_empty() {
        return Ok((day, None));
    }
    let wrong = || (format!("`{}` is not a time", short(rest)), "write 09:00");
    Ok((day, Some(time(day, rest).ok_or_else(wrong)?)))
}

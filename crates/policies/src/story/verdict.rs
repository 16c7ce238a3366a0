//! What was expected against what happened, day by day.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use kulanz_domain::{
    book::Book,
    calendar::day_in,
    decision::Finding,
    ids::*,
    law,
    money::{Decimal, plain},
    policy::ArmTaken,
};

use super::{
    Event, Expected, Guard, Story, end_of,
    expect::{Owed, What, When},
    matching::{close_to, differs, speaks_of, total},
    play::{Happened, Happening, Played, Snapshot, play},
    reason,
};

/// What a row of a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The story told it.
    Told,
    /// Expected, and so it was.
    Met,
    /// It happened, and the story does not ask.
    Happened,
    /// Expected, and it was not so.
    Missing,
    /// It happened although nothing else should have.
    Unexpected,
    /// The story asks for what cannot be.
    Refused,
}

impl Mark {
    /// Whether the story fails by it.
    pub const fn fails(self) -> bool {
        matches!(self, Self::Missing | Self::Unexpected | Self::Refused)
    }

    /// As it stands before a row: `-` is missing, `+` was not expected.
    pub const fn sign(self) -> char {
        match self {
            Self::Told | Self::Met | Self::Happened => ' ',
            Self::Missing => '-',
            Self::Unexpected => '+',
            Self::Refused => '!',
        }
    }

    /// The word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Met => "met",
            Self::Happened => "happened",
            Self::Missing => "missing",
            Self::Unexpected => "unexpected",
            Self::Refused => "refused",
        }
    }
}

/// One line of what was expected and what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub mark: Mark,
    /// Day, or day and time, in the creditor's zone: `2026-03-30 09:00`; empty at the end.
    pub when: String,
    /// What it says, with the reason where it fails.
    pub text: String,
    /// Line of the story's file; 0 where it has none.
    pub line: usize,
    at: Timestamp,
}

/// What came of a story.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Everything in time.
    pub rows: Vec<Row>,
    /// Steps that the story expected and got.
    pub steps: BTreeSet<StepName>,
    /// Personas whose messages the story expected and got.
    pub personas: BTreeSet<PersonaName>,
    /// Guards that the story names, and that had something to stop.
    pub guards: BTreeSet<Guard>,
    /// Arms that the debtor is in.
    pub arms: Vec<ArmTaken>,
}

impl Verdict {
    /// Whether all is as expected.
    pub fn passed(&self) -> bool {
        !self.rows.iter().any(|row| row.mark.fails())
    }

    /// The rows as text, one a line: a sign, when, what.
    pub fn difference(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let place = match row.line {
                line if line > 0 && row.mark.fails() => format!(" (line {line})"),
                _ => String::new(),
            };
            let (sign, when) = (row.mark.sign(), &row.when);
            out += format!("{sign} {when:<16}  {}{place}", row.text).trim_end();
            out.push('\n');
        }
        out
    }
}

impl Story {
    /// Plays it and compares.
    pub fn play(&self) -> Verdict {
        let zone = &self.rules.creditor.zone;
        let looks: BTreeSet<Timestamp> =
            self.expected.iter().map(|one| self.look_of(one.when)).chain([self.end]).collect();
        let events: Vec<_> = self.events.iter().map(|one| (one.at, &*one.deeds)).collect();
        let played = play(&self.account, &self.rules, &self.policy, &events, &looks);
        let mut judge = Judge {
            story: self,
            zone,
            used: vec![false; played.happenings.len()],
            played,
            verdict: Verdict {
                rows: Vec::new(),
                steps: BTreeSet::new(),
                personas: BTreeSet::new(),
                guards: BTreeSet::new(),
                arms: self.policy.arms.clone(),
            },
        };
        judge.told();
        self.expected.iter().for_each(|one| judge.expect(one));
        judge.rest();
        judge.guards();
        judge.verdict.rows.sort_by_key(|row| row.at); // stable: of one moment as they were put
        judge.verdict
    }

    /// When the account is looked at for an expectation: after all that happens then.
    fn look_of(&self, when: When) -> Timestamp {
        match when {
            When::Day(day) => self.end_of(day),
            When::At(_, at) => at,
            When::AtTheEnd => self.end,
        }
    }

    fn end_of(&self, day: Date) -> Timestamp {
        let zone = &self.rules.creditor.zone;
        end_of(day, &|day, _| {
            day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |start| start.timestamp())
        })
    }
}

struct Judge<'a> {
    story: &'a Story,
    zone: &'a TimeZone,
    played: Played,
    /// By the number of the happening.
    used: Vec<bool>,
    verdict: Verdict,
}

impl Judge<'_> {
    fn put(&mut self, mark: Mark, at: Timestamp, when: String, text: String, line: usize) {
        self.verdict.rows.push(Row { mark, when, text, line, at });
    }

    fn told(&mut self) {
        let story = self.story;
        for (number, Event { at, timed, line, text, .. }) in story.events.iter().enumerate() {
            let when = match timed {
                true => self.clock(*at),
                false => day_in(*at, self.zone).to_string(),
            };
            let refused = self.played.refused.iter().find(|(one, _)| *one == number);
            let (mark, text) = match refused {
                Some((_, why)) => (Mark::Refused, format!("{text}; this cannot be: {why}")),
                None => (Mark::Told, format!("({text})")),
            };
            self.put(mark, *at, when, text, *line);
        }
        if self.played.endless {
            let text = "the story does not come to an end: give it an earlier `until`".to_owned();
            self.put(Mark::Refused, self.story.end, String::new(), text, 0);
        }
    }

    fn clock(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    fn when(&self, when: When) -> String {
        match when {
            When::Day(day) => day.to_string(),
            When::At(_, at) => self.clock(at),
            When::AtTheEnd => String::new(),
        }
    }

    fn expect(&mut self, expected: &Expected) {
        let Expected { when, line, text, what } = expected;
        let at = self.story.look_of(*when);
        let why = match what {
            What::Message { .. } | What::HandOff { .. } | What::Quiet { .. } | What::Comes(_) => {
                match self.find(*when, what) {
                    Some(number) => {
                        if let Some(used) = self.used.get_mut(number) {
                            *used = true;
                        }
                        self.compare(number, what)
                    }
                    None => Some(self.why_not(at, *when, what)),
                }
            }
            What::NothingBefore(_) | What::NothingBetween(..) | What::NothingElse => return,
            _ => match self.played.snapshots.get(&at) {
                Some(snapshot) => self.state(snapshot, what),
                None => Some("the story ended before".to_owned()),
            },
        };
        let shown = self.when(*when);
        match why {
            None => self.put(Mark::Met, at, shown, text.clone(), *line),
            Some(why) => {
                self.put(Mark::Missing, at, shown, format!("expected {text}; {why}"), *line);
            }
        }
    }

    /// The first happening that the expectation speaks of and that no other has taken.
    fn find(&self, when: When, what: &What) -> Option<usize> {
        let mut all = self.played.happenings.iter().enumerate();
        let found = all.find(|(number, happening)| {
            let free = !self.used.get(*number).copied().unwrap_or(true);
            let on_time = match when {
                When::Day(day) => day_in(happening.at, self.zone) == day,
                // Where a policy spreads its messages they leave at any second.
                When::At(_, at) => (at..at + 1.minute()).contains(&happening.at),
                When::AtTheEnd => true,
            };
            free && on_time && speaks_of(what, &happening.what)
        });
        found.map(|(number, _)| number)
    }

    /// How a happening differs from what is expected of it; `None`: not at all.
    fn compare(&mut self, number: usize, what: &What) -> Option<String> {
        let happening = self.played.happenings.get(number)?;
        match (what, &happening.what) {
            (What::Message { step, details, .. }, Happened::Message { decided, deadline }) => {
                let policy = &self.story.policy;
                let wrong: Vec<String> = details
                    .iter()
                    .filter_map(|detail| differs(detail, decided, *deadline, policy))
                    .collect();
                if !wrong.is_empty() {
                    return Some(format!("it has {}", wrong.join(", ")));
                }
                self.verdict.steps.insert(step.clone());
                self.verdict.personas.insert(decided.persona.clone());
                None
            }
            (What::HandOff { step, lacks, .. }, Happened::HandOff { missing, .. }) => {
                let fits = |wanted: &Vec<String>| {
                    let named = |field: &String, wanted: &String| {
                        field == wanted || field.starts_with(&format!("{wanted} of "))
                    };
                    missing.iter().all(|field| wanted.iter().any(|one| named(field, one)))
                        && wanted.iter().all(|one| missing.iter().any(|field| named(field, one)))
                };
                if lacks.as_ref().is_none_or(fits) {
                    self.verdict.steps.insert(step.clone());
                    return None;
                }
                Some(match missing.is_empty() {
                    true => "it lacks nothing".to_owned(),
                    false => format!("it lacks {}", missing.join(", ")),
                })
            }
            (What::Quiet { step, .. }, _) => {
                self.verdict.steps.insert(step.clone());
                None
            }
            _ => None,
        }
    }

    /// Why something expected did not happen.
    fn why_not(&self, at: Timestamp, when: When, what: &What) -> String {
        let near = self
            .played
            .happenings
            .iter()
            .zip(&self.used)
            .filter(|(happening, used)| !**used && close_to(what, &happening.what));
        let day = match when {
            When::Day(day) | When::At(day, _) => day,
            When::AtTheEnd => day_in(at, self.zone),
        };
        let away = |happening: &Happening| {
            (day_in(happening.at, self.zone) - day).get_days().unsigned_abs()
        };
        if let Some((near, _)) = near.min_by_key(|(happening, _)| away(happening)) {
            let what = self.brief(&near.what);
            return format!("instead {}: {what}", self.clock(near.at));
        }
        let (claims, step) = match what {
            What::Message { claims, step, .. }
            | What::HandOff { claims, step, .. }
            | What::Quiet { claims, step } => (claims, step),
            _ => return "it did not come to that".to_owned(),
        };
        let Some(snapshot) = self.played.snapshots.get(&at) else {
            return "the story ended before".to_owned();
        };
        let whys: BTreeSet<String> =
            claims.iter().map(|claim| self.waiting(snapshot, claim, Some(step))).collect();
        whys.into_iter().collect::<Vec<_>>().join("; ")
    }

    /// Why nothing happens to a claim at a moment.
    fn waiting(&self, snapshot: &Snapshot, claim: &InvoiceId, step: Option<&StepName>) -> String {
        let Some(known) = snapshot.account.claims.get(claim).filter(|one| one.invoice.is_some())
        else {
            return format!("{claim} is not known yet");
        };
        if known.settled_on.is_some() {
            return format!("waits: {claim} is settled");
        }
        let findings = &snapshot.decision.findings;
        let of_claim = |one: &&Finding| one.invoice.as_ref() == Some(claim);
        let found = findings
            .iter()
            .find(|one| of_claim(one) && one.step.is_some() && one.step.as_ref() == step)
            .or_else(|| findings.iter().find(|one| one.invoice.is_none()))
            .or_else(|| findings.iter().rev().find(of_claim));
        match found {
            Some(Finding { step: of, waits: Some(reason), until, .. }) => {
                let until =
                    until.map_or_else(String::new, |at| format!(", until {}", self.clock(at)));
                let of = of.as_ref().filter(|of| Some(*of) != step);
                let of = of.map_or_else(String::new, |of| format!(" for {of}"));
                format!("waits{of}: {}{until}", reason::told(reason))
            }
            _ => format!("nothing is due for {claim}"),
        }
    }

    /// What is otherwise about a lasting state; `None`: nothing.
    fn state(&self, snapshot: &Snapshot, what: &What) -> Option<String> {
        let (account, policy) = (&snapshot.account, &self.story.policy);
        let seat = self.story.rules.creditor.seat();
        match what {
            What::Settled(claim, settled) => {
                let known = account.claims.get(claim).filter(|one| one.invoice.is_some());
                let Some(known) = known else { return Some(format!("{claim} is not known yet")) };
                if known.settled_on.is_some() == *settled {
                    return None;
                }
                let book = Book::of(account, policy.currency);
                let open = book.claim(claim).map_or(Decimal::ZERO, |c| c.open_on(snapshot.on));
                Some(format!("{} is open", plain(open, policy.currency)))
            }
            What::InDefault(claim, wanted, from) => {
                let known = account.claims.get(claim)?;
                let begins = law::default_begins(known, seat, account.profile());
                let fits = match (begins, from) {
                    (Some((day, _)), Some(from)) => day == *from,
                    (Some((day, _)), None) => (day <= snapshot.on) == *wanted,
                    (None, _) => !wanted,
                };
                let told = begins.map_or_else(
                    || "nothing began it".to_owned(),
                    |(day, _)| format!("it begins on {day}"),
                );
                (!fits).then_some(told)
            }
            What::Owes(claim, owed) => {
                let book = Book::of(account, policy.currency);
                let columns = || {
                    book.claims.iter().filter(|c| claim.as_ref().is_none_or(|id| c.invoice == id))
                };
                let is = |owed: Owed| -> Decimal {
                    match owed {
                        Owed::All => columns().map(|c| c.open_on(snapshot.on)).sum(),
                        Owed::Principal => columns().map(|c| c.outstanding).sum(),
                        Owed::Fees => columns().map(|c| c.fees).sum(),
                        Owed::Interest => columns().map(|c| c.interest_on(snapshot.on)).sum(),
                    }
                };
                let wrong = owed.iter().filter(|(part, amount)| is(*part) != *amount);
                let wrong: Vec<String> = wrong
                    .map(|(part, _)| {
                        format!("{} {}", plain(is(*part), policy.currency), part.name())
                    })
                    .collect();
                (!wrong.is_empty()).then(|| format!("it is {}", wrong.join(", ")))
            }
            What::Waits { claim, step, reason: wanted, until } => {
                let fits = |one: &Finding| {
                    let about = one.invoice.is_none() || one.invoice == *claim;
                    let of = step.is_none() || one.step == *step;
                    let named = one.waits.as_ref().is_some_and(|is| reason::name(is) == *wanted);
                    let ends = one.until.map(|at| day_in(at, self.zone));
                    about && of && named && (until.is_none() || ends == *until)
                };
                if snapshot.decision.findings.iter().any(fits) {
                    return None;
                }
                Some(match claim {
                    Some(claim) => self.waiting(snapshot, claim, step.as_ref()),
                    None => {
                        let waits = snapshot.decision.findings.iter();
                        let waits = waits.filter_map(|one| Some(reason::told(one.waits.as_ref()?)));
                        format!("waits: {}", waits.collect::<Vec<_>>().join("; "))
                    }
                })
            }
            _ => None,
        }
    }

    /// What happened without being expected.
    fn rest(&mut self) {
        let happenings = std::mem::take(&mut self.played.happenings);
        for (happening, used) in happenings.iter().zip(self.used.clone()) {
            let (text, when) = (self.brief(&happening.what), self.clock(happening.at));
            let forbidden = self.forbidden(happening, used);
            let (mark, line) = match forbidden {
                Some(line) => (Mark::Unexpected, line),
                None if used => continue,
                None => (Mark::Happened, 0),
            };
            let text = match mark {
                Mark::Unexpected => format!("not expected: {text}"),
                _ => text,
            };
            self.put(mark, happening.at, when, text, line);
        }
        self.played.happenings = happenings;
    }

    /// The line that forbids a happening.
    fn forbidden(&self, happening: &Happening, used: bool) -> Option<usize> {
        if !happening.contacts() {
            return None;
        }
        let on = day_in(happening.at, self.zone);
        let lines = self.story.expected.iter().filter(|one| match one.what {
            What::NothingBefore(at) => happening.at < at,
            What::NothingBetween(from, to) => (from..=to).contains(&on),
            What::NothingElse => !used,
            _ => false,
        });
        lines.map(|one| one.line).next()
    }

    fn guards(&mut self) {
        for guard in &self.story.guards {
            if self.played.met.contains(guard) {
                self.verdict.guards.insert(*guard);
                continue;
            }
            let applies = guard.applies(&self.story.policy, &self.story.rules.creditor);
            let text = match applies {
                true => format!(
                    "the guard `{}` had nothing to stop: it does where {}",
                    guard.name(),
                    guard.shown_by()
                ),
                false => format!("the guard `{}` never applies to this policy", guard.name()),
            };
            self.put(Mark::Missing, self.story.end, String::new(), text, 0);
        }
    }

    /// A happening as an expectation would say it, and for a message to whom and how.
    fn brief(&self, happened: &Happened) -> String {
        let listed = |claims: Vec<&str>| claims.join(" and ");
        match happened {
            Happened::Message { decided, deadline } => {
                let claims = decided.claims.iter().map(|one| one.invoice.as_str()).collect();
                let currency = decided.currency;
                let mut text = format!(
                    "{} by {} for {}, persona {}, in {}, tone {}",
                    decided.step,
                    decided.channel.name(),
                    listed(claims),
                    decided.persona,
                    decided.language,
                    decided.tone
                );
                if let Some((_, fee)) = &decided.fee {
                    text += &format!(", fee {}", plain(*fee, currency));
                }
                for (_, lump_sum) in &decided.lump_sums {
                    text += &format!(", lump sum {}", plain(*lump_sum, currency));
                }
                if let Some(deadline) = deadline {
                    text += &format!(", deadline {deadline}");
                }
                text + &format!(", total {}", plain(total(decided), currency))
            }
            Happened::HandOff { step, agency, claims, missing } => {
                let claims = claims.iter().map(InvoiceId::as_str).collect();
                let lacks = match missing.is_empty() {
                    true => ", lacks nothing".to_owned(),
                    false => format!(", lacks {}", missing.join(", lacks ")),
                };
                format!("{step} to {agency} for {}{lacks}", listed(claims))
            }
            Happened::Quiet { step, claims } => {
                let claims = claims.iter().map(InvoiceId::as_str).collect();
                format!("{step} quietly for {}", listed(claims))
            }
            Happened::Turn(turn, None) => turn.name().to_owned(),
            Happened::Turn(turn, Some(claim)) => match turn {
                super::expect::Turn::FeeTakenBack => format!("{} on {claim}", turn.name()),
                _ => format!("{claim} {}", turn.name()),
            },
        }
    }
}

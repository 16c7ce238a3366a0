//! What a story expects: short sentences about messages, hand-offs, claims and waiting.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    fact::{Channel, PayWith},
    ids::*,
    money::Decimal,
    policy::{Policy, StepAction},
};

use super::{
    reason,
    words::{Read, Unread, Words},
};
use crate::{context::short, diagnostic::did_you_mean};

/// When something must be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// At any time of the day; what lasts, at the end of it.
    Day(Date),
    /// At this moment.
    At(Date, Timestamp),
    /// When the story ends.
    AtTheEnd,
}

/// Something expected.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A message goes out.
    Message { step: StepName, channel: Channel, claims: BTreeSet<InvoiceId>, details: Vec<Detail> },
    /// Claims are due to go to an agency.
    HandOff {
        step: StepName,
        agency: AgencyId,
        claims: BTreeSet<InvoiceId>,
        /// What it lacks; empty: nothing; absent: not asked.
        lacks: Option<Vec<String>>,
    },
    /// A step happens, and nothing is sent.
    Quiet { step: StepName, claims: BTreeSet<InvoiceId> },
    /// Nothing of it is open any more, or something is.
    Settled(InvoiceId, bool),
    /// In default, since a day where one is told; or not.
    InDefault(InvoiceId, bool, Option<Date>),
    /// What is owed on a claim, or on the account, of a part or of all.
    Owes(Option<InvoiceId>, Vec<(Owed, Decimal)>),
    /// Nothing happens, and why.
    Waits {
        /// Absent: the account.
        claim: Option<InvoiceId>,
        step: Option<StepName>,
        reason: &'static str,
        until: Option<Date>,
    },
    /// An arrangement, a placement or a fee comes to something.
    Comes(Turn),
    /// No message and no hand-off before this moment.
    NothingBefore(Timestamp),
    /// No message and no hand-off on these days.
    NothingBetween(Date, Date),
    /// No message and no hand-off that is not expected.
    NothingElse,
}

/// More about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detail {
    Persona(PersonaName),
    Language(String),
    Tone(String),
    Deadline(Option<Date>),
    Total(Decimal),
    Fee(Decimal),
    LumpSum(Decimal),
    Interest(Decimal),
    PayWith(PayWith),
}

/// Of what something is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    All,
    Principal,
    Fees,
    Interest,
}

impl Owed {
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "in all",
            Self::Principal => "principal",
            Self::Fees => "fees",
            Self::Interest => "interest",
        }
    }
}

/// What an arrangement, a placement, a fee comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    PromiseKept,
    PromiseBroken,
    PlanCompleted,
    PlanBroken,
    PlacementReleased,
    PlacementWithdrawn,
    PlacementRecalled,
    FeeTakenBack,
    DeliveryStopped,
    DeliveryResumed,
    Settled,
    Reopened,
    HeldBack,
}

impl Turn {
    const TOLD: [(&'static str, Self); 10] = [
        ("promise is kept", Self::PromiseKept),
        ("promise is broken", Self::PromiseBroken),
        ("plan is completed", Self::PlanCompleted),
        ("plan is broken", Self::PlanBroken),
        ("placement is released", Self::PlacementReleased),
        ("placement is withdrawn", Self::PlacementWithdrawn),
        ("placement is recalled", Self::PlacementRecalled),
        ("fee is taken back", Self::FeeTakenBack),
        ("delivery is stopped", Self::DeliveryStopped),
        ("delivery is resumed", Self::DeliveryResumed),
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::PromiseKept => "promise is kept",
            Self::PromiseBroken => "promise is broken",
            Self::PlanCompleted => "plan is completed",
            Self::PlanBroken => "plan is broken",
            Self::PlacementReleased => "placement is released",
            Self::PlacementWithdrawn => "placement is withdrawn",
            Self::PlacementRecalled => "placement is recalled",
            Self::FeeTakenBack => "fee is taken back",
            Self::DeliveryStopped => "delivery is stopped",
            Self::DeliveryResumed => "delivery is resumed",
            Self::Settled => "is settled",
            Self::Reopened => "is open again",
            Self::HeldBack => "waits for a person to let it in",
        }
    }
}

pub(super) const PAY_WITH: [(&str, PayWith); 4] = [
    ("transfer", PayWith::Transfer),
    ("card", PayWith::Card),
    ("paypal", PayWith::Paypal),
    ("sepa_debit", PayWith::SepaDebit),
];

/// Reads expectations about the debtor of a policy.
pub(super) struct Reader<'a> {
    pub policy: &'a Policy,
    /// Claims that the sentence names, and where.
    pub mentioned: Vec<(InvoiceId, (usize, usize))>,
    /// The latest day that the sentence names.
    pub latest: Option<Date>,
    /// The first moment of a day, and the moment of a time, in the creditor's zone.
    pub moment: &'a dyn Fn(Date, Option<jiff::civil::DateTime>) -> Timestamp,
}

impl Reader<'_> {
    /// What `text`, about `when`, expects.
    pub fn read(&mut self, text: &str, when: When) -> Read<What> {
        let words = &mut Words::of(text);
        let dated = when != When::AtTheEnd;
        if !dated && words.take("nothing") {
            return self.nothing(words);
        }
        let turn = Turn::TOLD.iter().find(|(phrase, _)| words.take_phrase(phrase));
        if let Some((_, turn)) = turn {
            words.end(&[])?;
            return self.only_dated(dated, words, What::Comes(*turn));
        }
        let second = words.peek_second();
        let what = match second {
            Some("by") => self.message(words)?,
            Some("to") => self.hand_off(words)?,
            Some("quietly") => self.quiet(words)?,
            Some("is") => self.state(words)?,
            Some("owes") => self.owes(words)?,
            Some("waits") => self.waits(words)?,
            _ => return Err(self.unknown(words, dated)),
        };
        let of_a_day =
            matches!(what, What::Message { .. } | What::HandOff { .. } | What::Quiet { .. });
        match of_a_day {
            true => self.only_dated(dated, words, what),
            false => Ok(what),
        }
    }

    fn only_dated(&self, dated: bool, words: &Words<'_>, what: What) -> Read<What> {
        if dated {
            return Ok(what);
        }
        let help = "write the day before it: `2026-03-19 09:00: …`".to_owned();
        Err(Unread { start: 0, ..words.wrong_before("when is missing here".into(), Some(help)) })
    }

    fn unknown(&self, words: &mut Words<'_>, dated: bool) -> Unread {
        let first = words.peek().unwrap_or_default().to_owned();
        if dated && first == "nothing" {
            let help = "write it without a day, or `nothing before 2026-03-19`".to_owned();
            return words.wrong("`nothing` stands without a day".into(), Some(help));
        }
        let step = self.policy.steps.iter().any(|step| step.name.as_str() == first);
        let help = match step {
            true => format!(
                "write `{first} by email for R-1`, `{first} to AGENCY for R-1`, or `{first} \
                 quietly for R-1`"
            ),
            false => {
                "write `STEP by CHANNEL for R-1`, `STEP to AGENCY for R-1`, `STEP quietly for \
                      R-1`, `R-1 is settled`, `R-1 is in default from DAY`, `R-1 owes 10.00`, `R-1 waits, disputed`, \
                      `promise is broken`, `nothing else`"
                    .to_owned()
            }
        };
        words.wrong(format!("`{}` is no expectation", short(&first)), Some(help))
    }

    fn day(&mut self, words: &mut Words<'_>) -> Read<Date> {
        let day = words.day()?;
        self.latest = self.latest.max(Some(day));
        Ok(day)
    }

    fn nothing(&mut self, words: &mut Words<'_>) -> Read<What> {
        let what = if words.take("else") {
            What::NothingElse
        } else if words.take("before") {
            let (day, time) = words.moment()?;
            What::NothingBefore((self.moment)(day, time))
        } else if words.take("from") {
            let from = self.day(words)?;
            words.must("to")?;
            let to = self.day(words)?;
            if to < from {
                return Err(words.wrong_before("this is before its beginning".into(), None));
            }
            What::NothingBetween(from, to)
        } else {
            let help = "else; before 2026-03-19; from 2026-03-19 to 2026-04-01".to_owned();
            return Err(words.wrong("what follows `nothing` is not understood".into(), Some(help)));
        };
        words.end(&[])?;
        Ok(what)
    }

    fn step(&self, words: &mut Words<'_>) -> Read<(StepName, StepAction)> {
        let word = words.word("a step")?;
        let steps = &self.policy.steps;
        let found = steps.iter().find(|step| step.name.as_str() == word).ok_or_else(|| {
            let names = || steps.iter().map(|step| step.name.as_str());
            let help = did_you_mean(word, names()).unwrap_or_else(|| {
                format!("its steps are {}", names().collect::<Vec<_>>().join(", "))
            });
            let message = format!("the policy has no step `{}`", short(word));
            words.wrong_before(message, Some(help))
        })?;
        Ok((found.name.clone(), found.action.clone()))
    }

    fn claim(&mut self, words: &mut Words<'_>) -> Read<InvoiceId> {
        let invoice = words.parse::<InvoiceId>("an invoice")?;
        self.mentioned.push((invoice.clone(), words.last()));
        Ok(invoice)
    }

    fn claims(&mut self, words: &mut Words<'_>) -> Read<BTreeSet<InvoiceId>> {
        words.must("for")?;
        let mut claims = BTreeSet::from([self.claim(words)?]);
        while words.take("and") {
            claims.insert(self.claim(words)?);
        }
        Ok(claims)
    }

    fn message(&mut self, words: &mut Words<'_>) -> Read<What> {
        let (step, action) = self.step(words)?;
        let instead = match action {
            StepAction::HandOff { .. } => Some(format!("write `{step} to AGENCY for R-1`")),
            StepAction::Quiet => Some(format!("write `{step} quietly for R-1`")),
            _ => None,
        };
        if let Some(help) = instead {
            return Err(words.wrong_before(format!("`{step}` sends nothing"), Some(help)));
        }
        words.must("by")?;
        let channel = words.channel()?;
        let claims = self.claims(words)?;
        let mut details = Vec::new();
        while words.take(",") {
            details.push(self.detail(words)?);
        }
        words.end(&DETAILS)?;
        Ok(What::Message { step, channel, claims, details })
    }

    fn detail(&mut self, words: &mut Words<'_>) -> Read<Detail> {
        let policy = self.policy;
        let currency = policy.currency;
        if words.take("no") {
            let none = [
                ("fee", Detail::Fee(Decimal::ZERO)),
                ("interest", Detail::Interest(Decimal::ZERO)),
                ("deadline", Detail::Deadline(None)),
                ("lump", Detail::LumpSum(Decimal::ZERO)),
            ];
            let found = none.into_iter().find(|(name, _)| words.take(name));
            let Some((name, detail)) = found else {
                let help = "no fee; no interest; no deadline; no lump sum".to_owned();
                return Err(words.wrong("what is missing is not understood".into(), Some(help)));
            };
            if name == "lump" {
                words.must("sum")?;
            }
            return Ok(detail);
        }
        Ok(if words.take("persona") {
            let names = policy.personas.iter().map(|one| (one.name.as_str(), &one.name));
            let names: Vec<(&str, &PersonaName)> = names.collect();
            Detail::Persona(words.one_of("persona of this policy", &names)?.clone())
        } else if words.take("in") {
            let names: Vec<(&str, &String)> =
                policy.languages.iter().map(|one| (one.as_str(), one)).collect();
            Detail::Language(words.one_of("language of this policy", &names)?.clone())
        } else if words.take("tone") {
            let names: Vec<(&str, &str)> =
                policy.personas.iter().map(|one| (&*one.tone, &*one.tone)).collect();
            Detail::Tone(words.one_of("tone of this policy", &names)?.to_owned())
        } else if words.take("deadline") {
            Detail::Deadline(Some(self.day(words)?))
        } else if words.take("total") {
            Detail::Total(words.amount(currency)?)
        } else if words.take("fee") {
            Detail::Fee(words.amount(currency)?)
        } else if words.take_phrase("lump sum") {
            Detail::LumpSum(words.amount(currency)?)
        } else if words.take("interest") {
            Detail::Interest(words.amount(currency)?)
        } else if words.take_phrase("pay with") {
            Detail::PayWith(words.one_of("way to pay", &PAY_WITH)?)
        } else {
            words.end(&DETAILS)?;
            return Err(words.wrong("something is missing behind the comma".into(), None));
        })
    }

    fn quiet(&mut self, words: &mut Words<'_>) -> Read<What> {
        let (step, action) = self.step(words)?;
        if action != StepAction::Quiet {
            let help = format!("write `{step} by email for R-1`, or make it `send: nothing`");
            return Err(words.wrong_before(format!("`{step}` is no quiet step"), Some(help)));
        }
        words.must("quietly")?;
        let claims = self.claims(words)?;
        words.end(&[])?;
        Ok(What::Quiet { step, claims })
    }

    fn hand_off(&mut self, words: &mut Words<'_>) -> Read<What> {
        let (step, action) = self.step(words)?;
        if !matches!(action, StepAction::HandOff { .. }) {
            let help = format!("write `{step} by email for R-1`");
            return Err(words.wrong_before(format!("`{step}` is no hand-off"), Some(help)));
        }
        words.must("to")?;
        let agencies = self.policy.steps.iter().filter_map(|step| match &step.action {
            StepAction::HandOff { agency, .. } => Some((agency.as_str(), agency)),
            _ => None,
        });
        let agencies: Vec<(&str, &AgencyId)> = agencies.collect();
        let agency = words.one_of("agency of this policy", &agencies)?.clone();
        let claims = self.claims(words)?;
        let mut lacks = None;
        while words.take(",") {
            if words.take_phrase("lacks nothing") {
                lacks = Some(Vec::new());
                continue;
            }
            words.must("lacks")?;
            let mut field = Vec::new();
            while let Some(word) = words.peek().filter(|word| *word != ",") {
                field.push(words.word(word)?);
            }
            if field.is_empty() {
                return Err(words.wrong("a field is missing here".into(), None));
            }
            lacks.get_or_insert_with(Vec::new).push(field.join(" "));
        }
        words.end(&["lacks nothing", "lacks debtor's address"])?;
        Ok(What::HandOff { step, agency, claims, lacks })
    }

    fn state(&mut self, words: &mut Words<'_>) -> Read<What> {
        let claim = self.claim(words)?;
        words.must("is")?;
        let not = words.take("not");
        let what = if words.take("settled") {
            What::Settled(claim, !not)
        } else if words.take("open") {
            What::Settled(claim, not)
        } else if words.take_phrase("in default") {
            let from = match !not && words.take("from") {
                true => Some(self.day(words)?),
                false => None,
            };
            What::InDefault(claim, !not, from)
        } else {
            let help = "settled; open; in default from 2026-04-01; not in default".to_owned();
            return Err(words.wrong("how it stands is not understood".into(), Some(help)));
        };
        words.end(&[])?;
        Ok(what)
    }

    fn owes(&mut self, words: &mut Words<'_>) -> Read<What> {
        let claim = match words.take("account") {
            true => None,
            false => Some(self.claim(words)?),
        };
        words.must("owes")?;
        let currency = self.policy.currency;
        let all = match words.take("nothing") {
            true => Decimal::ZERO,
            false => words.amount(currency)?,
        };
        let mut owed = vec![(Owed::All, all)];
        while words.take(",") {
            let none = words.take("no");
            let parts = [
                ("principal", Owed::Principal),
                ("fees", Owed::Fees),
                ("interest", Owed::Interest),
            ];
            let part = words.one_of("part of a claim", &parts)?;
            let amount = if none { Decimal::ZERO } else { words.amount(currency)? };
            owed.push((part, amount));
        }
        words.end(&["principal 10.00", "fees 2.50", "interest 0.15", "no fees"])?;
        Ok(What::Owes(claim, owed))
    }

    fn waits(&mut self, words: &mut Words<'_>) -> Read<What> {
        let claim = match words.take("account") {
            true => None,
            false => Some(self.claim(words)?),
        };
        words.must("waits")?;
        let step = match words.take("for") {
            true => Some(self.step(words)?.0),
            false => None,
        };
        words.must(",")?;
        let reason = reason::NAMES.into_iter().find(|name| words.take_phrase(name));
        let Some(reason) = reason else {
            let word = words.peek().unwrap_or_default();
            let help = did_you_mean(word, reason::NAMES)
                .unwrap_or_else(|| format!("write one of {}", reason::NAMES.join("; ")));
            let message = format!("`{}` is no reason to wait", short(word));
            return Err(words.wrong(message, Some(help)));
        };
        let until = match words.take_phrase(", until") {
            true => Some(self.day(words)?),
            false => None,
        };
        words.end(&["until 2026-04-01"])?;
        Ok(What::Waits { claim, step, reason, until })
    }
}

const DETAILS: [&str; 9] = [
    "persona NAME",
    "in de",
    "tone warm",
    "fee 2.50 (or no fee)",
    "interest 1.20 (or no interest)",
    "lump sum 40.00 (or no lump sum)",
    "deadline 2026-04-01 (or no deadline)",
    "total 92.40",
    "pay with card",
];

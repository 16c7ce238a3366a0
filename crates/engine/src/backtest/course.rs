//! What became of each claim, and the figures by which two policies are compared.

use std::{collections::BTreeMap, fmt};

use jiff::civil::Date;
use kulanz_domain::{
    Account, AccountEvent,
    book::Book,
    fact::Channel,
    ids::{AccountId, AgencyId, InvoiceId, PersonaName, StepName},
    money::{Decimal, decimals},
};

use crate::UNMATCHED;

/// A step that a claim took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Day in the creditor's zone.
    pub on: Date,
    /// Which.
    pub step: StepName,
    /// By which channel and to which persona; absent where nothing is sent.
    pub notice: Option<(Channel, PersonaName)>,
    /// To which agency; absent where none gets it.
    pub agency: Option<AgencyId>,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.on, self.step)?;
        match (&self.notice, &self.agency) {
            (Some((channel, persona)), _) => write!(f, " by {} to {persona}", channel.name()),
            (None, Some(agency)) => write!(f, " to {agency}"),
            (None, None) => f.write_str(" quietly"),
        }
    }
}

/// The steps that a claim took, in time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course(pub Vec<Stage>);

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (place, stage) in self.0.iter().enumerate() {
            write!(f, "{}{stage}", if place == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Courses of one account as they come about.
#[derive(Debug, Default)]
pub(super) struct Stages(BTreeMap<InvoiceId, Course>);

impl Stages {
    /// Adds what `event` says; `account` has applied it.
    pub(super) fn event(&mut self, on: Date, account: &Account, event: &AccountEvent) {
        match event {
            AccountEvent::NoticeSent { notice, .. } => {
                let Some(entry) = account.notices.get(notice) else { return };
                for part in &entry.decided.claims {
                    let notice = Some((entry.decided.channel, entry.decided.persona.clone()));
                    let stage = Stage { on, step: part.step.clone(), notice, agency: None };
                    self.0.entry(part.invoice.clone()).or_default().0.push(stage);
                }
            }
            AccountEvent::StepTaken { claims, step, .. } => {
                for invoice in claims {
                    let stage = Stage { on, step: step.clone(), notice: None, agency: None };
                    self.0.entry(invoice.clone()).or_default().0.push(stage);
                }
            }
            AccountEvent::HandoffDue { claims, step, agency, .. } => {
                for invoice in claims {
                    let agency = Some(agency.clone());
                    let stage = Stage { on, step: step.clone(), notice: None, agency };
                    self.0.entry(invoice.clone()).or_default().0.push(stage);
                }
            }
            _ => {}
        }
    }
}

/// What a policy did over a history, beside the totals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Messages by channel.
    pub messages: BTreeMap<Channel, u64>,
    /// Accounts that got at least one message.
    pub people_contacted: u64,
    /// By ISO 4217 code: fees of the policy that were charged and not reversed.
    pub fees_charged: BTreeMap<String, Decimal>,
    /// By ISO 4217 code: interest that accrued, whatever was paid of it.
    pub interest_charged: BTreeMap<String, Decimal>,
    /// Courses of the claims that took a step at all.
    pub courses: BTreeMap<(AccountId, InvoiceId), Course>,
    /// By step: how many claims took it how many days after they were due.
    days: BTreeMap<StepName, BTreeMap<i32, u64>>,
}

impl Figures {
    /// Adds an account as it stands on its last day.
    pub(super) fn add(&mut self, id: &AccountId, account: &Account, stages: Stages, on: Date) {
        let sent = account.notices.values().filter(|notice| notice.sent_at.is_some());
        let mut any = false;
        for notice in sent {
            *self.messages.entry(notice.decided.channel).or_default() += 1;
            any = true;
        }
        self.people_contacted += u64::from(any && id.debtor.as_str() != UNMATCHED);
        for currency in account.currencies() {
            let scale = decimals(currency).unwrap_or(2);
            let more = |to: &mut BTreeMap<String, Decimal>, amount: Decimal| {
                let sum = to.entry(currency.code().to_owned()).or_default();
                *sum += amount;
                sum.rescale(scale.max(sum.scale()));
            };
            for column in &Book::of(account, currency).claims {
                let charged = column.claim.fees.iter().filter(|fee| !fee.reversed);
                more(&mut self.fees_charged, charged.map(|fee| fee.amount).sum());
                more(&mut self.interest_charged, column.interest_charged(on));
            }
        }
        for (invoice, course) in stages.0 {
            if let Some(due_on) = account.claims.get(&invoice).and_then(|claim| claim.due_on()) {
                for (place, stage) in course.0.iter().enumerate() {
                    let again = course.0.iter().take(place).any(|one| one.step == stage.step);
                    if !again {
                        let days = (stage.on - due_on).get_days();
                        let of_step = self.days.entry(stage.step.clone()).or_default();
                        *of_step.entry(days).or_default() += 1;
                    }
                }
            }
            self.courses.insert((id.clone(), invoice), course);
        }
    }

    /// Adds figures over other accounts.
    pub(super) fn merge(&mut self, other: Self) {
        for (channel, more) in other.messages {
            *self.messages.entry(channel).or_default() += more;
        }
        self.people_contacted += other.people_contacted;
        for (code, more) in other.fees_charged {
            *self.fees_charged.entry(code).or_default() += more;
        }
        for (code, more) in other.interest_charged {
            *self.interest_charged.entry(code).or_default() += more;
        }
        self.courses.extend(other.courses);
        for (step, days) in other.days {
            let known = self.days.entry(step).or_default();
            for (day, more) in days {
                *known.entry(day).or_default() += more;
            }
        }
    }

    /// Messages over all channels.
    pub fn messages_in_all(&self) -> u64 {
        self.messages.values().sum()
    }

    /// Messages for each person who got any, to two decimals; `None` where nobody did.
    pub fn messages_a_person(&self) -> Option<Decimal> {
        let people = Decimal::from(self.people_contacted);
        (!people.is_zero()).then(|| (Decimal::from(self.messages_in_all()) / people).round_dp(2))
    }

    /// Median of the days from the due date, as it stood in the end, to the first time that a
    /// claim took each step; below zero before it.
    pub fn median_days(&self) -> BTreeMap<StepName, Decimal> {
        let median = |(step, days): (&StepName, &BTreeMap<i32, u64>)| {
            let all: u64 = days.values().sum();
            let at = |place: u64| {
                let mut before = 0;
                let found = days.iter().find(|(_, count)| {
                    before += **count;
                    place < before
                });
                found.map_or(0, |(day, _)| i64::from(*day))
            };
            let middle = at(all.saturating_sub(1) / 2) + at(all / 2);
            (step.clone(), Decimal::new(middle * 5, 1).normalize())
        };
        self.days.iter().map(median).collect()
    }
}

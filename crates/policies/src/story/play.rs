//! A story played: through the same commands that serve, by the story's own clock.
//!
//! What is decided is taken by the gateway at once. Whatever bounces, the story says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    Account, AccountEvent, Command, Refusal,
    account::{NoticeState, PlacementState},
    arrangement::{offers, plannable, rates},
    calendar::day_in,
    course::Course,
    decision::{Decision, next_step},
    event::{NoticeDecided, Rate},
    fact::{Channel, Fact, Receipt, Stamp},
    ids::*,
    money::{Currency, Decimal},
    overrides::Override,
    policy::{PlanTerms, Policy, Rules},
};

use super::{
    event::Deed,
    expect::Turn,
    guard::{self, Guard},
};

/// Something that Kulanz did or found, as the story tells it.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    pub at: Timestamp,
    pub what: Happened,
}

#[derive(Debug, Clone)]
pub(super) enum Happened {
    /// A message was taken by the gateway.
    Message { decided: Box<NoticeDecided>, deadline: Option<Date> },
    /// Claims are due to go to an agency.
    HandOff { step: StepName, agency: AgencyId, claims: Vec<InvoiceId>, missing: Vec<String> },
    /// A step happened, and nothing was sent.
    Quiet { step: StepName, claims: Vec<InvoiceId> },
    /// An arrangement, a placement, a fee, a claim came to something.
    Turn(Turn, Option<InvoiceId>),
}

impl Happening {
    /// Whether it reaches the debtor or an agency.
    pub const fn contacts(&self) -> bool {
        matches!(self.what, Happened::Message { .. } | Happened::HandOff { .. })
    }
}

/// The account as it stood at a moment, and what was found about it.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub account: Account,
    pub decision: Decision,
    pub on: Date,
}

/// What came of a story.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// In time.
    pub happenings: Vec<Happening>,
    /// By the moments that were asked for.
    pub snapshots: BTreeMap<Timestamp, Snapshot>,
    /// Guards that had something to stop.
    pub met: BTreeSet<Guard>,
    /// What was refused, by the number of the event.
    pub refused: Vec<(usize, String)>,
    /// It was given up before the last look.
    pub endless: bool,
}

/// More turns than any story has; what would go on for ever ends here.
const TURNS: usize = 20_000;

/// An event at its moment.
pub(super) type Told<'a> = (Timestamp, &'a [Deed]);

/// Plays `events`, which are in time, and looks at the account at each moment of `looks`, after
/// all that happens then. Ends with the last look.
pub(super) fn play(
    id: &AccountId,
    rules: &Arc<Rules>,
    policy: &Policy,
    events: &[Told<'_>],
    looks: &BTreeSet<Timestamp>,
) -> Played {
    let seed = "story-".to_owned();
    let mut stage = Stage {
        course: Course::new(id.clone(), Arc::clone(rules), seed),
        rules,
        policy,
        played: Played::default(),
        last_message: None,
        told: 0,
    };
    let mut events = events.iter().enumerate().peekable();
    let mut looks = looks.iter().copied().peekable();
    let mut wake: Option<Timestamp> = None;
    for _ in 0..TURNS {
        let next_event = events.peek().map(|(_, (at, _))| *at);
        let next_look = looks.peek().copied();
        let Some(end) = next_look else { return stage.played };
        let now = [next_event, wake].into_iter().flatten().min().filter(|at| *at <= end);
        let Some(now) = now else {
            let _ = looks.next();
            stage.look(end);
            continue;
        };
        while let Some((number, (_, deeds))) = events.next_if(|(_, (at, _))| *at == now) {
            for deed in *deeds {
                if let Err(refusal) = stage.happens(deed, now) {
                    stage.played.refused.push((number, refusal));
                }
            }
        }
        wake = stage.decide(now);
    }
    stage.played.endless = true;
    looks.for_each(|at| stage.look(at));
    stage.played
}

struct Stage<'a> {
    course: Course,
    rules: &'a Arc<Rules>,
    policy: &'a Policy,
    played: Played,
    last_message: Option<(NoticeId, Channel)>,
    told: usize,
}

impl Stage<'_> {
    fn day(&self, now: Timestamp) -> Date {
        day_in(now, &self.rules.creditor.zone)
    }

    fn decision(&self, now: Timestamp) -> Option<Decision> {
        let fresh = NoticeId::new("N-story").ok()?;
        Some(next_step(self.course.account(), self.rules, now, &fresh))
    }

    fn look(&mut self, at: Timestamp) {
        let Some(decision) = self.decision(at) else { return };
        let (account, on) = (self.course.account().clone(), self.day(at));
        self.meets(&decision, at);
        self.played.snapshots.insert(at, Snapshot { account, decision, on });
    }

    fn meets(&mut self, decision: &Decision, at: Timestamp) {
        let account = self.course.account();
        let met = guard::met_by_waiting(decision, self.rules, self.policy, account, at);
        self.played.met.extend(met);
    }

    fn decide(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut heard = Heard { events: Vec::new(), met: BTreeSet::new() };
        let (rules, policy, today) = (self.rules, self.policy, self.day(now));
        let wake = self.course.decide(now, &mut |account: &Account, events: &[AccountEvent]| {
            heard.hear(account, events, rules, policy, today);
        });
        self.take(heard, now);
        if let Some(decision) = self.decision(now) {
            self.meets(&decision, now);
        }
        // A decision refuses nothing but an erased account, for which there is no later.
        wake.ok().flatten()
    }

    fn execute(&mut self, command: &Command, now: Timestamp) -> Result<(), Refusal> {
        let mut heard = Heard { events: Vec::new(), met: BTreeSet::new() };
        let (rules, policy, today) = (self.rules, self.policy, self.day(now));
        let done =
            self.course.execute(command, &mut |account: &Account, events: &[AccountEvent]| {
                heard.hear(account, events, rules, policy, today);
            });
        self.take(heard, now);
        done
    }

    fn record(&mut self, fact: Fact, now: Timestamp) -> Result<(), Refusal> {
        self.told += 1;
        let stamp = Stamp { at: now, id: format!("story#{:06}", self.told) };
        let mut heard = Heard { events: Vec::new(), met: BTreeSet::new() };
        let (rules, policy, today) = (self.rules, self.policy, self.day(now));
        let done =
            self.course.record(fact, stamp, &mut |account: &Account, events: &[AccountEvent]| {
                heard.hear(account, events, rules, policy, today);
            });
        self.take(heard, now);
        done
    }

    fn take(&mut self, heard: Heard, now: Timestamp) {
        self.played.met.extend(heard.met);
        for what in heard.events {
            if let Happened::Message { decided, .. } = &what {
                self.last_message = Some((decided.notice.clone(), decided.channel));
            }
            self.played.happenings.push(Happening { at: now, what });
        }
    }

    /// Does what the story says; else why it cannot be.
    fn happens(&mut self, deed: &Deed, now: Timestamp) -> Result<(), String> {
        let rules = Arc::clone(self.rules);
        let number = self.told + 1;
        let done = match deed {
            Deed::Fact(fact) => self.record(fact.clone(), now),
            Deed::OfLastMessage(receipt) => {
                let (notice, channel) =
                    self.last_message.clone().ok_or("no message was sent before")?;
                let known = self.course.account().notices.get(&notice);
                if known.is_some_and(|one| one.state == NoticeState::Bounced)
                    && *receipt == Receipt::Bounced
                {
                    return Err("the last message bounced already".to_owned());
                }
                let receipt = Fact::NoticeReceipt { notice, channel, at: now, receipt: *receipt };
                self.record(receipt, now)
            }
            Deed::Promise(until, by_person) => {
                self.told += 1;
                let promise = id(&format!("promise-{number}"))?;
                let (until, by_person) = (*until, *by_person);
                self.execute(&Command::Promise { promise, until, now, rules, by_person }, now)
            }
            Deed::Plan { rates, first_on, by_person } => {
                self.told += 1;
                let plan = id(&format!("plan-{number}"))?;
                let currency = self.policy.currency;
                let rates = self.rates(*rates, *first_on, *by_person, now)?;
                let by_person = *by_person;
                self.execute(
                    &Command::AgreePlan { plan, currency, rates, now, rules, by_person },
                    now,
                )
            }
            Deed::Release(claim, by) => {
                let placement = self.placement(PlacementState::Due, claim.as_ref())?;
                let by = by.clone();
                self.execute(&Command::ReleasePlacement { placement, by, now, rules }, now)
            }
            Deed::OfPlacement(report) => {
                let placement = self.placement(PlacementState::Released, None)?;
                let entry = self.course.account().placements.get(&placement);
                let agency = entry.map(|entry| entry.agency.clone());
                let agency = agency.ok_or("no placement is at an agency")?;
                let (on, report) = (self.day(now), report.clone());
                let fact = Fact::PlacementReported { placement, agency, invoice: None, on, report };
                self.record(fact, now)
            }
            Deed::Admit(invoice) => {
                let (invoice, by) = (invoice.clone(), "story".to_owned());
                self.execute(&Command::Admit { invoice, by }, now)
            }
            Deed::Override { id, invoice, terms, until } => {
                let set = Override {
                    id: id.clone(),
                    invoice: invoice.clone(),
                    terms: (**terms).clone(),
                    until: *until,
                    by: "story".to_owned(),
                    on: self.day(now),
                    lifted_on: None,
                };
                self.execute(&Command::SetOverride { set, rules }, now)
            }
            Deed::LiftOverride(id) => {
                let (id, by) = (id.clone(), "story".to_owned());
                self.execute(&Command::LiftOverride { id, by, now, rules }, now)
            }
            Deed::Erase => self.execute(&Command::Erase { at: now }, now),
        };
        done.map_err(|refusal| refusal.to_string())
    }

    fn placement(
        &self,
        state: PlacementState,
        claim: Option<&InvoiceId>,
    ) -> Result<PlacementId, String> {
        let placements = self.course.account().placements.iter();
        let mut fitting = placements.filter(|(_, one)| {
            one.state == state && claim.is_none_or(|claim| one.claims.contains(claim))
        });
        let what = match state {
            PlacementState::Due => "waits to be released",
            _ => "is at an agency",
        };
        let first = fitting.next().ok_or_else(|| format!("no placement {what}"))?;
        match fitting.next() {
            None => Ok(first.0.clone()),
            Some(_) => Err(format!("more than one placement {what}: write of which claim it is")),
        }
    }

    /// The rates that the policy offers, or equal ones where a person agrees.
    fn rates(
        &self,
        count: u32,
        first_on: Date,
        by_person: bool,
        now: Timestamp,
    ) -> Result<Vec<Rate>, String> {
        let currency: Currency = self.policy.currency;
        let (_, open) = plannable(self.course.account(), currency, self.day(now));
        if by_person {
            let terms = PlanTerms { rates: count, first_percent: None, at_least: Decimal::ZERO };
            let equal = rates(&terms, open, currency, first_on);
            return equal.ok_or_else(|| "so many rates cannot be made of it".to_owned());
        }
        let offered = offers(self.policy, open, first_on);
        let found = offered.iter().find(|(terms, _)| terms.rates == count);
        found.map(|(_, rates)| rates.clone()).ok_or_else(|| {
            let counts = offered.iter().map(|(terms, _)| terms.rates.to_string());
            match counts.collect::<Vec<_>>() {
                none if none.is_empty() => "the policy offers no plan for it".to_owned(),
                some => format!("the policy offers {} rates", some.join(" or ")),
            }
        })
    }
}

fn id<T: std::str::FromStr<Err = IdError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: IdError| error.to_string())
}

struct Heard {
    events: Vec<Happened>,
    met: BTreeSet<Guard>,
}

impl Heard {
    fn hear(
        &mut self,
        account: &Account,
        events: &[AccountEvent],
        rules: &Rules,
        policy: &Policy,
        today: Date,
    ) {
        use AccountEvent as E;
        for event in events {
            let happened = match event {
                E::NoticeDecided(decided) => {
                    let met = guard::met_by_message(decided, rules, policy, account, today);
                    self.met.extend(met);
                    continue;
                }
                E::NoticeSent { notice, deadline, .. } => {
                    let Some(entry) = account.notices.get(notice) else { continue };
                    let decided = Box::new(entry.decided.clone());
                    Happened::Message { decided, deadline: *deadline }
                }
                E::HandoffDue { agency, claims, step, missing, .. } => {
                    if !missing.is_empty() {
                        self.met.insert(Guard::HandoffFields);
                    }
                    Happened::HandOff {
                        step: step.clone(),
                        agency: agency.clone(),
                        claims: claims.clone(),
                        missing: missing.clone(),
                    }
                }
                E::StepTaken { step, claims, .. } => {
                    Happened::Quiet { step: step.clone(), claims: claims.clone() }
                }
                E::DeliveryStopped { .. } => Happened::Turn(Turn::DeliveryStopped, None),
                E::DeliveryResumed { .. } => Happened::Turn(Turn::DeliveryResumed, None),
                E::ClaimSettled { invoice, .. } => {
                    Happened::Turn(Turn::Settled, Some(invoice.clone()))
                }
                E::ClaimReopened { invoice } => {
                    Happened::Turn(Turn::Reopened, Some(invoice.clone()))
                }
                E::ClaimHeldBack { invoice } => {
                    Happened::Turn(Turn::HeldBack, Some(invoice.clone()))
                }
                E::FeeReversed { invoice, .. } => {
                    Happened::Turn(Turn::FeeTakenBack, Some(invoice.clone()))
                }
                E::PromiseKept { .. } => Happened::Turn(Turn::PromiseKept, None),
                E::PromiseBroken { .. } => Happened::Turn(Turn::PromiseBroken, None),
                E::PlanCompleted { .. } => Happened::Turn(Turn::PlanCompleted, None),
                E::PlanBroken { .. } => Happened::Turn(Turn::PlanBroken, None),
                E::PlacementReleased { .. } => Happened::Turn(Turn::PlacementReleased, None),
                E::HandoffWithdrawn { .. } => Happened::Turn(Turn::PlacementWithdrawn, None),
                E::PlacementRecalled { .. } => Happened::Turn(Turn::PlacementRecalled, None),
                _ => continue,
            };
            self.events.push(happened);
        }
    }
}

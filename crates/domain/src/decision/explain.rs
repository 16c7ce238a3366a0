//! A decision with all that it rests on: facts, personas, each step of the ladder and why it does
//! not come, the guards of the law, and what comes next.
//!
//! Nothing is decided here. The same code that decides is asked, step by step, for what it sees.

pub mod view;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{Action, Case, Finding, WaitReason, block, foresee::foresee, next_step_on};
use crate::{
    account::Account,
    accrual::InterestTerms,
    book::{Book, ClaimBook},
    calendar::day_in,
    claim::StepTaken,
    command::{Refusal, as_found},
    contact::ContactCap,
    decision::{Due, explain::view::*},
    fact::Channel,
    ids::*,
    ladder, law,
    money::{Currency, Decimal},
    overrides::Effective,
    policy::*,
    watch::limitation_of,
};

/// Explains what is decided on `account` at `now`, as a look at that moment would find it. `fresh`
/// is the id that a notice would get.
///
/// # Errors
/// A refusal while what comes next is played through, which would be a mistake in the rules.
pub fn explain(
    account: &Account,
    rules: &Arc<Rules>,
    now: Timestamp,
    fresh: &NoticeId,
) -> Result<Explanation, Refusal> {
    let today = day_in(now, &rules.creditor.zone);
    let (account, again) = as_found(account, rules, now);
    let next = foresee(&account, rules, now)?;
    let decision = next_step_on(&account, rules, now, today, fresh);
    let next_look = match decision.action {
        Action::Wait => [decision.wake, again].into_iter().flatten().min(),
        _ => None,
    };
    let due = match decision.action {
        Action::Wait => None,
        Action::Notify(notice) => Some(Due::Notice(notice)),
        Action::HandOff(draft) => Some(Due::Handoff(draft)),
        Action::Pass(step) => Some(Due::Quiet(step)),
    };
    let blocked = block(&account, &rules.creditor.zone, today).err();
    let blocked = blocked.map(|(reason, until)| about(None, reason, until));
    let currencies = account.currencies().into_iter();
    let currencies = currencies
        .map(|currency| in_currency(&account, rules, currency, (now, blocked.as_ref())))
        .collect();
    let findings = decision.findings;
    let overrides = account.overrides_on(today).cloned().collect();
    let delivery_stop = account.delivery_stop;
    Ok(Explanation {
        at: now,
        today,
        due,
        blocked,
        findings,
        next_look,
        next,
        delivery_stop,
        overrides,
        currencies,
    })
}

fn about(invoice: Option<&InvoiceId>, reason: WaitReason, until: Option<Timestamp>) -> Finding {
    Finding { invoice: invoice.cloned(), step: None, waits: Some(reason), until, due_on: None }
}

fn in_currency(
    account: &Account,
    rules: &Rules,
    currency: Currency,
    (now, blocked): (Timestamp, Option<&Finding>),
) -> CurrencyExplained {
    let today = day_in(now, &rules.creditor.zone);
    let book = Book::of(account, currency);
    let open = book.claims.iter().filter(|column| column.open_on(today) > Decimal::ZERO);
    let policy = rules.policy(currency);
    let mut told = CurrencyExplained {
        currency,
        policy: policy.map(|policy| policy.reference.clone()),
        arms: policy.map(|policy| policy.arms.clone()).unwrap_or_default(),
        open: book.open_on(today),
        unallocated: book.unallocated,
        facts: Vec::new(),
        personas: Vec::new(),
        contact: None,
        claims: Vec::new(),
    };
    let (Some(policy), Some(debtor)) = (policy, account.profile()) else {
        told.claims = open.map(|column| bare(account, rules, &book, column, now)).collect();
        return told;
    };
    let case = Case::new(account, rules, policy, &book, debtor, (now, today));
    told.facts = case.facts(None, None, today).all();
    let Some(persona) = case.persona() else { return told };
    let of_account = case.effective(persona, None);
    told.personas = personas(&case, &of_account);
    told.contact = Some(contact(&case, &of_account.persona));
    let claims = open.map(|column| {
        let own = case.effective(persona, Some(column.invoice));
        let channel = case.channel(&own.persona, &mut Vec::new());
        View { case: &case, own: &own, blocked, channel }.claim(column)
    });
    told.claims = claims.collect();
    told
}

fn personas(case: &Case<'_>, own: &Effective<'_>) -> Vec<PersonaExplained> {
    let facts = case.facts(None, None, case.today);
    let chosen = &own.persona.name;
    let personas = case.policy.personas.iter();
    let told = personas.map(|persona| PersonaExplained {
        persona: persona.name.clone(),
        when: persona.when.as_ref().map(|when| when.source.to_string()),
        matches: persona.when.as_ref().is_none_or(|when| when.holds(&facts)),
        chosen: *chosen == persona.name,
        chosen_by: own.persona_by.clone().filter(|_| *chosen == persona.name),
        because: persona.when.as_ref().map_or_else(Vec::new, |when| when.decisive(&facts)),
    });
    told.collect()
}

fn contact(case: &Case<'_>, persona: &Persona) -> ContactExplained {
    let (window, zone) = case.window(persona);
    let contacts = case.contacts();
    let mut caps = vec![cap("policy", case.policy.cap, &contacts, case.now)];
    let limits = law::contact_limits(case.rules.creditor.law);
    caps.extend(limits.map(|limits| cap("law", limits.cap, &contacts, case.now)));
    let free = caps.iter().filter_map(|cap| cap.until).max().unwrap_or(case.now);
    let mut passed_over = Vec::new();
    let channel = case.channel(persona, &mut passed_over);
    let there = day_in(case.now, &zone);
    ContactExplained {
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        hours_today: window.hours_of(there).map(|hours| hours.to_string()),
        open: window.is_open(case.now, &zone),
        next_possible: window.next_open(free, &zone),
        caps,
        channel,
        passed_over,
    }
}

fn cap(
    of: &'static str,
    at_most: ContactCap,
    contacts: &[Timestamp],
    now: Timestamp,
) -> CapExplained {
    let days = i64::from(at_most.within_days.get());
    let since = now.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN);
    let counted = contacts.iter().copied().filter(|at| *at > since).collect();
    let free = at_most.next_allowed(contacts, now);
    CapExplained { of, at_most, counted, until: (free > now).then_some(free) }
}

/// A claim of which no policy knows what to do, or whose debtor is not known.
fn bare(
    account: &Account,
    rules: &Rules,
    book: &Book<'_>,
    column: &ClaimBook<'_>,
    now: Timestamp,
) -> ClaimExplained {
    let today = day_in(now, &rules.creditor.zone);
    let seat = rules.creditor.seat();
    let debtor = account.profile();
    let limitation = limitation_of(account, column.invoice, book, seat);
    ClaimExplained {
        invoice: column.invoice.clone(),
        due_on: column.due_on,
        late_from: seat.day_after(column.due_on, debtor),
        open: column.open_on(today),
        facts: Vec::new(),
        blocked: None,
        steps: Vec::new(),
        former_steps: Vec::new(),
        default: law::default_begins(column.claim, seat, debtor).map(|(from, ground)| {
            let by = column.claim.defaults.iter().find(|(_, day)| **day == from);
            let notice = by.filter(|_| ground == law::DefaultGround::Notice);
            let notice = notice.map(|(notice, _)| notice.clone());
            DefaultExplained { from, begun: from <= today, ground, notice }
        }),
        interest: interest(account, book.currency, column, today),
        limitation_act_by: limitation.and_then(|limitation| limitation.act_by),
    }
}

fn interest(
    account: &Account,
    currency: Currency,
    column: &ClaimBook<'_>,
    today: Date,
) -> Option<InterestExplained> {
    let in_force = |one: &&InterestTerms| one.currency == currency && one.from <= today;
    let terms = account.interest.iter().rfind(in_force)?;
    let latest = column.interest_segments(today).into_iter().next_back();
    let (owed, to) = (column.interest_on(today), column.interest_to(today));
    let nothing = terms.claimed == InterestClaimed::None && owed.is_zero();
    (!nothing).then(|| InterestExplained {
        claimed: terms.claimed.clone(),
        count: terms.count,
        percent: latest.map(|one| one.segment.percent),
        base_percent: latest.and_then(|one| one.segment.base),
        owed,
        to,
    })
}

/// A case as its claims are told.
struct View<'c, 'a> {
    case: &'c Case<'a>,
    own: &'c Effective<'c>,
    /// What stops the whole account.
    blocked: Option<&'c Finding>,
    channel: Option<Channel>,
}

impl View<'_, '_> {
    fn claim(&self, column: &ClaimBook<'_>) -> ClaimExplained {
        let case = self.case;
        let persona = &*self.own.persona;
        let stopped = case.claim_block(column, column.open_on(case.today), self.own.minimum);
        let stopped = stopped.map(|(reason, until)| about(Some(column.invoice), reason, until));
        let looked = ladder::look(case, column, self.own);
        let (interest, begun) = (column.interest_on(case.today), case.default_begins(column));
        let of_claim = case.claim_facts(column, case.today, (interest, begun));
        let facts = case.facts(Some(of_claim), Some(persona.name.as_str()), case.today);
        let steps = case.policy.steps.iter().enumerate().map(|(at, step)| {
            let state = self.state(column, at, &looked, stopped.as_ref());
            let place = ladder::place(case, column, persona, at);
            // Until the step that it counts from happened, nobody can name its day.
            let open = match state {
                StepState::Skipped => true,
                StepState::Later => matches!(step.at.anchor, Anchor::Step(_)),
                _ => false,
            };
            let condition = step.when.as_ref().map(|when| ConditionExplained {
                when: when.source.to_string(),
                holds: when.holds(&facts),
                because: when.decisive(&facts),
            });
            let to_come = !matches!(state, StepState::Happened(_)) && !open;
            StepExplained {
                step: step.name.clone(),
                kind: step.action.name(),
                when_due: moment(&step.at, &case.policy.steps),
                counted_from: place.from.filter(|_| !open),
                not_before: place.day.filter(|_| !open),
                put_off_by: place.put_off_by.filter(|_| to_come),
                fee: to_come.then(|| self.fee(column, step, place.day)).flatten(),
                condition,
                state,
            }
        });
        let known = |taken: &&StepTaken| case.policy.steps.iter().any(|s| s.name == taken.step);
        let former = column.claim.steps.iter().filter(|taken| !known(taken));
        ClaimExplained {
            facts: facts.all().into_iter().filter(|fact| fact.fact.starts_with("claim.")).collect(),
            steps: steps.collect(),
            former_steps: former.map(|taken| self.happened(taken)).collect(),
            blocked: stopped,
            ..bare(case.account, case.rules, case.book, column, case.now)
        }
    }

    fn state(
        &self,
        column: &ClaimBook<'_>,
        at: usize,
        looked: &ladder::Looked,
        stopped: Option<&Finding>,
    ) -> StepState {
        let steps = &self.case.policy.steps;
        let name = &steps[at].name;
        let mut taken = column.claim.steps.iter().rev();
        if looked.due != Some(at) // else it comes again
            && let Some(taken) = taken.find(|taken| taken.step == *name)
        {
            return StepState::Happened(self.happened(taken));
        }
        let placement = column.claim.placement.as_ref();
        let placement = placement.and_then(|id| Some((id, self.case.account.placements.get(id)?)));
        if let Some((id, placement)) = placement.filter(|(_, placement)| placement.step == *name) {
            let (placement, placement_state) = (id.clone(), placement.state);
            return StepState::HandedOver { placement, placement_state };
        }
        if let Some(by) = self.own.stops(self.case.policy, at) {
            return StepState::Waits { reason: WaitReason::NoFurther(by.clone()), until: None };
        }
        if let Some((_, reason, until)) = looked.found.iter().find(|(found, ..)| *found == at) {
            return StepState::Waits { reason: reason.clone(), until: *until };
        }
        if looked.due == Some(at) {
            let stop = self.blocked.or(stopped);
            return match stop.and_then(|stop| Some((stop.waits.clone()?, stop.until))) {
                Some((reason, until)) => StepState::Blocked { reason, until },
                // What sends nothing needs no window, no channel and no room below a cap.
                None if steps[at].is_quiet() => StepState::Due,
                None => self.guarded(column, at),
            };
        }
        match at < looked.lowest {
            true => StepState::Skipped,
            false => StepState::Later,
        }
    }

    /// A step whose day has come, as window, caps and channels leave it.
    fn guarded(&self, column: &ClaimBook<'_>, at: usize) -> StepState {
        let contact = contact(self.case, &self.own.persona);
        let waits = |reason| StepState::Waits { reason, until: contact.next_possible };
        if contact.caps.iter().any(|cap| cap.until.is_some()) {
            return waits(WaitReason::ContactCap);
        }
        if !contact.open {
            return waits(WaitReason::OutsideWindow);
        }
        let (window, zone) = self.case.window(&self.own.persona);
        if self.case.catches_up(self.case.late_since(column, at, &self.own.persona).is_some()) {
            let until = self.case.after_today(&window, &zone);
            return StepState::Waits { reason: WaitReason::CatchingUp, until };
        }
        if let Some(own) = self.case.spread(&window, &zone) {
            return StepState::Waits { reason: WaitReason::Spread, until: Some(own) };
        }
        match contact.channel {
            Some(_) => StepState::Due,
            None => StepState::Waits { reason: WaitReason::NoChannel, until: None },
        }
    }

    fn happened(&self, taken: &StepTaken) -> Happened {
        let ours = taken.notice.as_ref().and_then(|notice| self.case.account.notices.get(notice));
        let ours = ours.map(|notice| &notice.decided);
        let policy = ours.map(|decided| decided.policy.clone());
        Happened {
            step: taken.step.clone(),
            at: taken.at,
            notice: taken.notice.clone(),
            channel: ours.map(|decided| decided.channel),
            persona: ours.map(|decided| decided.persona.clone()),
            persona_because: ours.and_then(|decided| decided.persona_because.clone()),
            other_policy: policy.as_ref().is_some_and(|by| *by != self.case.policy.reference),
            policy,
            deadline: taken.deadline,
        }
    }

    /// What the step would charge on `day`, or today where that day has passed.
    fn fee(&self, column: &ClaimBook<'_>, step: &Step, day: Option<Date>) -> Option<FeeExplained> {
        let charges = matches!(step.action, StepAction::Mahnung | StepAction::Offer { .. });
        if !charges || step.fee.is_zero() || column.claim.took(&step.name) {
            return None;
        }
        let asked = step.fee;
        if !self.own.fees {
            let limited_by = Some(FeeLimit::Override);
            return Some(FeeExplained { asked, allowed: Decimal::ZERO, limited_by });
        }
        if column.claim.costs_charged().1 {
            let limited_by = Some(FeeLimit::LumpSum);
            return Some(FeeExplained { asked, allowed: Decimal::ZERO, limited_by });
        }
        let debtor = self.case.debtor;
        let day = day.map_or(self.case.today, |day| day.max(self.case.today));
        let in_default = self.case.in_default(column, day);
        let law = self.case.rules.creditor.law;
        let guard = law::fee_guard(self.channel?, in_default, law, debtor.kind);
        let guard = guard.filter(|guard| guard.cap() < asked);
        let allowed = guard.map_or(asked, |guard| guard.cap());
        Some(FeeExplained { asked, allowed, limited_by: guard.map(FeeLimit::Law) })
    }
}

/// `reminder + 10d`, as in the policy.
fn moment(at: &Moment, steps: &[Step]) -> String {
    let anchor = match at.anchor {
        Anchor::Due => "due",
        Anchor::Issued => "issued",
        Anchor::Default => "default",
        Anchor::Step(named) => steps.get(named).map_or("?", |step| step.name.as_str()),
    };
    let sign = if at.before { '-' } else { '+' };
    format!("{anchor} {sign} {}", at.span)
}

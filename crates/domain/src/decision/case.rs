//! One currency of an account at a moment: which claims have a step that is due, and what is made
//! of them.

use std::{cell::OnceCell, sync::Arc};

use jiff::{
    Timestamp,
    civil::Date,
    tz::{Offset, TimeZone},
};

use super::{
    Action, Decision, Finding, HandoffDraft, QuietStep, WaitReason, after, channel_gap,
    contact_window, missing_fields, start_of,
};
use crate::{
    account::{Account, NoticeState, Standing},
    book::{Book, ClaimBook, WentBack},
    calendar::day_in,
    contact::ContactWindow,
    event::{ChannelGap, NoticeClaim, NoticeDecided},
    fact::{Channel, DebtorProfile},
    ids::*,
    ladder::{self, Rung},
    law,
    money::Decimal,
    overrides::Effective,
    policy::*,
    watch::{Watch, watch},
};

/// A claim whose step is due now.
struct Due<'a> {
    column: &'a ClaimBook<'a>,
    rung: usize,
    /// What holds for it once persons were heard.
    own: Effective<'a>,
}

/// One currency of an account at a moment.
pub(crate) struct Case<'a> {
    pub account: &'a Account,
    pub rules: &'a Rules,
    pub policy: &'a Policy,
    pub book: &'a Book<'a>,
    pub debtor: &'a DebtorProfile,
    pub now: Timestamp,
    pub today: Date,
    history: History,
    /// Claims of which something is open today, and how much.
    owed: Vec<(&'a ClaimBook<'a>, Decimal)>,
    open: AccountFacts,
    oldest_due_on: Option<Date>,
    /// The contact window of one persona and the zone that it is meant in.
    window: OnceCell<(&'a Persona, ContactWindow, TimeZone)>,
    /// Money that went back; looked for before a handoff alone.
    went_back: OnceCell<Vec<WentBack<'a>>>,
    /// Money that we gave back not long ago.
    refunded: OnceCell<Vec<WentBack<'a>>>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        account: &'a Account,
        rules: &'a Rules,
        policy: &'a Policy,
        book: &'a Book<'a>,
        debtor: &'a DebtorProfile,
        (now, today): (Timestamp, Date),
    ) -> Self {
        let open = book.claims.iter().map(|column| (column, column.open_on(today)));
        let owed: Vec<_> = open.filter(|(_, open)| *open > Decimal::ZERO).collect();
        let oldest_due_on = owed.iter().map(|(column, _)| column.due_on).min();
        Self {
            account,
            rules,
            policy,
            book,
            debtor,
            now,
            today,
            history: account.history(book),
            open: AccountFacts {
                outstanding: owed.iter().map(|(one, _)| one.outstanding + one.fees).sum(),
                open_claims: u32::try_from(owed.len()).unwrap_or(u32::MAX),
                oldest_days_overdue: 0, // depends on the day that is asked for
            },
            oldest_due_on,
            owed,
            window: OnceCell::new(),
            went_back: OnceCell::new(),
            refunded: OnceCell::new(),
        }
    }

    pub(super) fn decide(&self, fresh: &NoticeId, decision: &mut Decision) {
        if self.owed.is_empty() {
            decision.wait(None, None, WaitReason::NothingOwed, None);
            return;
        }
        let Some(persona) = self.persona() else {
            decision.wait(None, None, WaitReason::NoChannel, None); // a policy for nobody
            return;
        };
        let of_account = self.effective(persona, None);
        decision.personas.push((
            self.book.currency,
            of_account.persona.name.clone(),
            because(&of_account),
        ));
        let mut due: Vec<Due<'_>> = Vec::new();
        for (column, open) in &self.owed {
            let own = self.effective(persona, Some(column.invoice));
            if let Some((reason, until)) = self.claim_block(column, *open, own.minimum) {
                decision.wait(Some(column.invoice), None, reason, until);
                continue;
            }
            match ladder::climb(self, column, &own) {
                Rung::Due(rung) => due.push(Due { column, rung, own }),
                Rung::Waits(found, day) => {
                    for (rung, reason, until) in found {
                        let step = rung.map(|at| &self.policy.steps[at].name);
                        let due_on = day.filter(|_| reason == WaitReason::NotBefore);
                        decision.wait(Some(column.invoice), step, reason, until);
                        if let Some(finding) = decision.findings.last_mut() {
                            finding.due_on = due_on;
                        }
                    }
                }
            }
        }
        if let Some(step) = self.quiet_step(&due) {
            decision.action = Action::Pass(step);
            return;
        }
        let (handoffs, messages): (Vec<Due<'_>>, Vec<Due<'_>>) = due.into_iter().partition(|due| {
            matches!(self.policy.steps[due.rung].action, StepAction::HandOff { .. })
        });
        if let Some(first) = handoffs.first() {
            let together: Vec<&Due<'_>> =
                handoffs.iter().filter(|due| due.rung == first.rung).collect();
            if let Some(draft) = self.handoff(&together) {
                decision.action = Action::HandOff(draft);
                return;
            }
        }
        if !messages.is_empty() {
            self.message(messages, fresh, decision);
        }
    }

    /// What holds for a claim, or with no claim for the account, once persons were heard.
    pub(crate) fn effective<'p>(
        &'p self,
        persona: &'p Persona,
        invoice: Option<&InvoiceId>,
    ) -> Effective<'p> {
        Effective::of(self.account, self.policy, persona, invoice, self.today)
    }

    /// Whether the condition under which a claim takes `step` holds today; of a step that the policy
    /// does not know any more nothing is known.
    pub(crate) fn meets(&self, invoice: &InvoiceId, step: &StepName) -> bool {
        let known = self.policy.steps.iter().find(|one| one.name == *step);
        let (Some(step), Some(column), Some(persona)) =
            (known, self.book.claim(invoice), self.persona())
        else {
            return true;
        };
        let own = self.effective(persona, Some(invoice));
        ladder::holds_today(self, column, &own.persona, step)
    }

    /// Money that went back in this currency after it had paid something.
    pub(crate) fn went_back(&self) -> &[WentBack<'a>] {
        self.went_back.get_or_init(|| Book::went_back(self.account, self.book.currency))
    }

    /// The last day since `since` on which we gave money back that had paid the claim. Each look at
    /// a case asks with the same day.
    pub(crate) fn refunded_on(&self, invoice: &InvoiceId, since: Date) -> Option<Date> {
        let look = || Book::refunded_since(self.account, self.book.currency, since);
        let refunded = self.refunded.get_or_init(look).iter();
        refunded.filter(|one| one.claims.contains(invoice)).map(|one| one.on).max()
    }

    /// Money of the claim went back, and the debtor was not told what is open since: no handoff.
    pub(crate) fn untold(&self, invoice: &InvoiceId) -> bool {
        let Some((column, persona)) = self.book.claim(invoice).zip(self.persona()) else {
            return false;
        };
        let own = self.effective(persona, Some(invoice));
        ladder::untold(self, column, &own.persona)
    }

    /// What stops one claim of which so much is open today, and until when.
    pub(super) fn claim_block(
        &self,
        column: &ClaimBook<'_>,
        open: Decimal,
        minimum: Decimal,
    ) -> Option<(WaitReason, Option<Timestamp>)> {
        let zone = &self.rules.creditor.zone;
        let claim = column.claim;
        if let Some(notice) = &claim.pending {
            let state = self.account.notices.get(notice).map(|notice| notice.state);
            return Some(match state {
                Some(NoticeState::Parked | NoticeState::Unknown) => {
                    (WaitReason::NoticeParked(notice.clone()), None)
                }
                _ => (WaitReason::NoticePending(notice.clone()), None),
            });
        }
        if let Some(placement) = &claim.placement {
            return Some((WaitReason::Placed(placement.clone()), None));
        }
        if let Some(until) = claim.made_by_minor(Some(self.debtor)) {
            return Some((WaitReason::MadeByMinor(until), None));
        }
        if claim.disputed() {
            return Some((WaitReason::Disputed, None));
        }
        if let Some((hold, until)) = self.account.hold_on(Some(column.invoice), self.today) {
            let until = until.map(|day| after(day, zone));
            return Some((WaitReason::OnHold(hold.clone()), until));
        }
        let in_plan = self
            .account
            .plans
            .iter()
            .find(|(_, p)| p.standing == Standing::Open && p.claims.contains(column.invoice));
        if let Some((plan, _)) = in_plan {
            return Some((WaitReason::Planned(plan.clone()), None)); // ends by `review`
        }
        if let Watch::Barred(on) = self.watch(column) {
            return Some((WaitReason::TimeBarred(on), None));
        }
        // What is open can grow by interest alone.
        let grows = |enough: &dyn Fn(Decimal) -> bool| {
            let day = column.grows_until(enough, self.today)?;
            Some(start_of(day, zone))
        };
        if open < minimum {
            return Some((WaitReason::BelowMinimum, grows(&|open| open >= minimum)));
        }
        if self.policy.entry.is_none() && !claim.admitted && self.was_old(column) {
            return Some((WaitReason::OldClaim, None));
        }
        let credit = self.book.unallocated;
        if credit >= open {
            return Some((WaitReason::CreditCovers, grows(&|open| open > credit)));
        }
        None
    }

    fn watch(&self, column: &ClaimBook<'_>) -> Watch {
        let claim = (column.invoice, column.claim);
        watch(self.account, claim, self.book, self.rules.creditor.seat(), self.today)
    }

    /// The claim was overdue for longer than the policy takes without asking, on the day on
    /// which the policy and the claim first met.
    pub(crate) fn was_old(&self, column: &ClaimBook<'_>) -> bool {
        let met = self.met_at(column);
        let too_long =
            |day: Date| (day - column.due_on).get_days() > self.policy.meets_overdue_days;
        // No zone is ahead of this day: it answers for most claims without asking the zone.
        let latest = Offset::UTC.to_datetime(met).date().tomorrow().unwrap_or(Date::MAX);
        too_long(latest) && too_long(day_in(met, &self.rules.creditor.zone))
    }

    /// When the policy and the claim first met.
    fn met_at(&self, column: &ClaimBook<'_>) -> Timestamp {
        let met = self.account.met.get(&self.policy.reference.name).map_or(self.now, |(at, _)| *at);
        column.claim.recorded_at.map_or(met, |recorded| recorded.max(met))
    }

    /// The step at which a claim that was old when it was met enters, and the first day for that;
    /// the accounts are spread over the time that the policy gives.
    pub(crate) fn entry(&self, column: &ClaimBook<'_>) -> Option<(usize, Date)> {
        let entry = self.policy.entry.filter(|_| !column.claim.admitted && self.was_old(column))?;
        let met = day_in(self.met_at(column), &self.rules.creditor.zone);
        let after = entry.over.share(self.share());
        Some((entry.step, after.after(met, self.policy.region)))
    }

    /// A number that is the account's own and spreads accounts evenly: FNV-1a of its first claim.
    fn share(&self) -> u64 {
        let first = self.account.claims.keys().next().map_or("", InvoiceId::as_str);
        first.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// Not before this moment of today, where the policy spreads messages; `None`: now.
    pub(super) fn spread(&self, window: &ContactWindow, zone: &TimeZone) -> Option<Timestamp> {
        let minutes = i64::from(self.policy.spread_minutes);
        if minutes == 0 {
            return None;
        }
        let seconds = i64::try_from(self.share() % (60 * minutes.unsigned_abs())).unwrap_or(0);
        let opening = window.opening_of(day_in(self.now, zone), zone)?;
        let own = opening.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()?;
        (own > self.now && window.is_open(own, zone)).then_some(own)
    }

    /// The first persona that matches. The last one always does.
    pub(crate) fn persona(&self) -> Option<&'a Persona> {
        let facts = self.facts(None, None, self.today);
        let matches =
            |persona: &&Persona| persona.when.as_ref().is_none_or(|when| when.holds(&facts));
        let personas = &self.policy.personas;
        personas.iter().find(matches).or_else(|| personas.last())
    }

    /// What conditions can read on `day`.
    pub(crate) fn facts<'f>(
        &'f self,
        claim: Option<ClaimFacts>,
        persona: Option<&'f str>,
        day: Date,
    ) -> Facts<'f> {
        let oldest = self.oldest_due_on.map_or(0, |due_on| days_between(due_on, day));
        Facts {
            debtor: self.debtor,
            history: self.history,
            account: AccountFacts { oldest_days_overdue: oldest, ..self.open },
            claim,
            persona,
            today: day,
        }
    }

    /// A claim on `day`, with its interest up to then and the first day of its default.
    pub(crate) fn claim_facts(
        &self,
        column: &ClaimBook<'_>,
        day: Date,
        (interest, begun): (Decimal, Option<Date>),
    ) -> ClaimFacts {
        ClaimFacts {
            outstanding: column.outstanding + column.fees,
            principal: column.principal,
            fees: column.fees,
            interest,
            days_overdue: days_between(column.due_on, day),
            in_default: begun.is_some_and(|from| from <= day),
            currency: self.book.currency,
        }
    }

    /// The first day of default, known or foreseen.
    pub(crate) fn default_begins(&self, column: &ClaimBook<'_>) -> Option<Date> {
        let begins =
            law::default_begins(column.claim, self.rules.creditor.seat(), Some(self.debtor));
        begins.map(|(from, _)| from)
    }

    pub(crate) fn in_default(&self, column: &ClaimBook<'_>, day: Date) -> bool {
        self.default_begins(column).is_some_and(|from| from <= day)
    }

    /// The lowest step that is due and sends nothing, with all claims that take it.
    fn quiet_step(&self, due: &[Due<'_>]) -> Option<QuietStep> {
        let quiet = due.iter().map(|due| due.rung).filter(|at| self.policy.steps[*at].is_quiet());
        let lowest = quiet.min()?;
        let first = due.iter().find(|due| due.rung == lowest)?;
        let persona = &first.own.persona.name;
        let claims =
            due.iter().filter(|due| due.rung == lowest && due.own.persona.name == *persona);
        Some(QuietStep {
            step: self.policy.steps[lowest].name.clone(),
            claims: claims.map(|due| due.column.invoice.clone()).collect(),
            persona: persona.clone(),
            policy: self.policy.reference.clone(),
        })
    }

    fn handoff(&self, due: &[&Due<'_>]) -> Option<HandoffDraft> {
        let step = &self.policy.steps[due.first()?.rung];
        let StepAction::HandOff { agency, release } = &step.action else { return None };
        let claims: Vec<InvoiceId> = due.iter().map(|due| due.column.invoice.clone()).collect();
        let missing = missing_fields(self.account, &self.rules.creditor, &claims);
        Some(HandoffDraft {
            agency: agency.clone(),
            claims,
            step: step.name.clone(),
            release: *release,
            missing,
            policy: self.policy.reference.clone(),
        })
    }

    fn message(&self, mut due: Vec<Due<'_>>, fresh: &NoticeId, decision: &mut Decision) {
        due.sort_by_key(|due| (std::cmp::Reverse(due.rung), due.column.due_on));
        let late = |due: &Due<'_>| self.late_since(due.column, due.rung, &due.own.persona);
        let any_late = due.iter().any(|due| late(due).is_some());
        if self.policy.bundle == Bundle::Claim {
            due.truncate(1);
        }
        let Some(first) = due.first() else { return };
        // One message speaks to people in one way: what is to be told otherwise comes after it.
        let voice = first.own.clone();
        due.retain(|due| due.own.same_voice(&voice));
        let persona = &*voice.persona;
        // What is not overdue yet is not asked for with what is: it has a message of its own.
        let overdue = |due: &Due<'_>| due.column.due_on < self.today;
        let leads = due.first().is_some_and(overdue);
        due.retain(|due| overdue(due) == leads);
        let Some((rung, invoice)) = due.first().map(|lead| (lead.rung, lead.column.invoice)) else {
            return;
        };
        let step = &self.policy.steps[rung];
        // The words are that step's: what it is not meant for, an agency say, is not told so.
        due.retain(|due| {
            due.rung == rung || ladder::holds_today(self, due.column, &due.own.persona, step)
        });
        let Some(lead) = due.first() else { return };
        let (window, zone) = self.window(persona);
        let contacts = self.contacts();
        let mut cap = self.policy.cap.next_allowed(&contacts, self.now);
        if let Some(limits) = law::contact_limits(self.rules.creditor.law) {
            cap = cap.max(limits.cap.next_allowed(&contacts, self.now));
        }
        let reason =
            if cap > self.now { WaitReason::ContactCap } else { WaitReason::OutsideWindow };
        let open_at = window.next_open(cap.max(self.now), &zone);
        if open_at != Some(self.now) {
            decision.wait(Some(invoice), Some(&step.name), reason, open_at);
            return;
        }
        if self.catches_up(any_late) {
            let tomorrow = self.after_today(&window, &zone);
            decision.wait(Some(invoice), Some(&step.name), WaitReason::CatchingUp, tomorrow);
            return;
        }
        if let Some(own) = self.spread(&window, &zone) {
            decision.wait(Some(invoice), Some(&step.name), WaitReason::Spread, Some(own));
            return;
        }
        let mut passed_over = Vec::new();
        let Some(channel) = self.channel(persona, &mut passed_over) else {
            decision.wait(Some(invoice), Some(&step.name), WaitReason::NoChannel, None);
            return;
        };
        let claims = due.iter().map(|due| self.notice_claim(due)).collect();
        let wanted = match step.action {
            // What comes again because money went back costs nothing.
            _ if lead.column.claim.took(&step.name) => Decimal::ZERO,
            StepAction::Mahnung | StepAction::Offer { .. } if lead.own.fees => step.fee,
            _ => Decimal::ZERO,
        };
        let in_default = self.in_default(lead.column, self.today);
        let fee = law::fee_allowed(wanted, channel, in_default, &self.rules.creditor, self.debtor);
        // The lump sum is credited against what reminders cost: beside it they cost nothing.
        let lump_sums = self.lump_sums(&due);
        let (_, lump_sum_charged) = lead.column.claim.costs_charged();
        let of_lead = lump_sums.iter().any(|(charged, _)| charged == invoice);
        let fee = if lump_sum_charged || of_lead { Decimal::ZERO } else { fee };
        let told_to = due.iter().filter_map(|due| due.column.interest_to(self.today));
        let interest_to = told_to.max();
        let plans = match &step.action {
            StepAction::Offer { plans } => plans.clone(),
            _ => Vec::new(),
        };
        let mut overrides: Vec<OverrideId> = Vec::new();
        for id in due.iter().flat_map(|due| &due.own.because) {
            if !overrides.contains(id) {
                overrides.push(id.clone());
            }
        }
        for due in &due {
            decision.findings.push(Finding {
                invoice: Some(due.column.invoice.clone()),
                step: Some(self.policy.steps[due.rung].name.clone()),
                waits: None,
                until: None,
                due_on: None,
            });
        }
        decision.action = Action::Notify(Box::new(NoticeDecided {
            notice: fresh.clone(),
            policy: self.policy.reference.clone(),
            arms: self.policy.arms.clone(),
            step: step.name.clone(),
            kind: step.action.name().to_owned(),
            text: step.text.to_string(),
            persona: persona.name.clone(),
            persona_because: because(&voice).map(|why| why.to_string()),
            language: self.language(persona),
            tone: persona.tone.to_string(),
            channel,
            passed_over,
            pay_with: self.pay_with(persona),
            currency: self.book.currency,
            claims,
            fee: (fee > Decimal::ZERO).then(|| (invoice.clone(), fee)),
            lump_sums,
            interest_to,
            deadline: step.deadline,
            overrides,
            plans,
            late_since: due.iter().filter_map(late).min(),
            at: self.now,
        }));
    }

    /// The day on which a message of a step that is due could have gone first, where that has
    /// passed: window, contact cap and our knowledge of the claim allowed it then. Nobody was
    /// there to send it, or something else stopped it that has ended since.
    pub(super) fn late_since(
        &self,
        column: &ClaimBook<'_>,
        rung: usize,
        persona: &Persona,
    ) -> Option<Date> {
        let day = ladder::place(self, column, persona, rung).day?;
        // What comes again counts from no day of the ladder.
        if day >= self.today || column.claim.took(&self.policy.steps[rung].name) {
            return None;
        }
        let zone = &self.rules.creditor.zone;
        let known = column.claim.recorded_at.unwrap_or(Timestamp::MIN);
        let from = start_of(day, zone).max(known);
        let contacts = self.contacts();
        let mut free = self.policy.cap.next_allowed(&contacts, from);
        if let Some(limits) = law::contact_limits(self.rules.creditor.law) {
            free = free.max(limits.cap.next_allowed(&contacts, from));
        }
        let (window, theirs) = self.window(persona);
        let first = day_in(window.next_open(free, &theirs)?, zone);
        (first < self.today).then_some(first)
    }

    /// Whether a message has to wait for tomorrow: what is late is caught up one message a day,
    /// whatever the bundle and the currency, and nothing else goes to the account on such a day.
    pub(super) fn catches_up(&self, late: bool) -> bool {
        let zone = &self.rules.creditor.zone;
        let today = |at: Timestamp| day_in(at, zone) == self.today;
        let was_late = self.account.notices.values().any(|notice| {
            use NoticeState::{Discarded, Parked, Suppressed};
            let counts = !matches!(notice.state, Suppressed | Parked | Discarded);
            counts
                && notice.decided.late_since.is_some()
                && today(notice.sent_at.unwrap_or(notice.decided.at))
        });
        (late || was_late) && self.contacts().into_iter().any(today)
    }

    /// When the window opens next, on another day than today.
    pub(super) fn after_today(&self, window: &ContactWindow, zone: &TimeZone) -> Option<Timestamp> {
        window.next_open(after(self.today, &self.rules.creditor.zone), zone)
    }

    fn notice_claim(&self, due: &Due<'_>) -> NoticeClaim {
        let step = &self.policy.steps[due.rung];
        let begun = self.default_begins(due.column);
        NoticeClaim {
            invoice: due.column.invoice.clone(),
            step: step.name.clone(),
            principal: due.column.outstanding,
            fees: due.column.fees,
            interest: due.column.interest_on(self.today),
            starts_default: step.action == StepAction::Mahnung
                && begun.is_none_or(|from| from > self.today),
        }
    }

    /// What of the lump sum each claim's step charges, as far as the law lets it.
    fn lump_sums(&self, due: &[Due<'_>]) -> Vec<(InvoiceId, Decimal)> {
        let charged = due.iter().filter_map(|due| {
            let claim = due.column.claim;
            let supply = claim.invoice.as_ref()?.supply;
            let (fees, before) = claim.costs_charged();
            let step = &self.policy.steps[due.rung];
            // What comes again costs nothing.
            if !step.lump_sum || before || claim.took(&step.name) || !due.own.fees {
                return None;
            }
            let amount = law::lump_sum(
                self.rules.creditor.law,
                self.debtor.kind,
                supply,
                self.book.currency,
                self.in_default(due.column, self.today),
                fees,
            );
            (amount > Decimal::ZERO).then(|| (due.column.invoice.clone(), amount))
        });
        charged.collect()
    }

    /// Contacts that were made, and those that are on their way.
    pub(super) fn contacts(&self) -> Vec<Timestamp> {
        let mut contacts = self.account.contacts.clone();
        let on_their_way = |state| matches!(state, NoticeState::Decided | NoticeState::Unknown);
        let pending = self.account.notices.values().filter(|notice| on_their_way(notice.state));
        contacts.extend(pending.map(|notice| notice.decided.at));
        contacts.sort_unstable();
        contacts
    }

    /// When this persona of this debtor may be contacted, and in which zone: policy, persona and
    /// law, without the holidays where the debtor lives, narrowed to the debtor's wish unless
    /// that leaves nothing.
    pub(crate) fn window(&self, persona: &Persona) -> (ContactWindow, TimeZone) {
        let look = |persona| contact_window(persona, self.debtor, &self.rules.creditor);
        let of_policy = self.policy.personas.iter().find(|one| std::ptr::eq(*one, persona));
        let Some(persona) = of_policy else { return look(persona) };
        let (of, window, zone) = self.window.get_or_init(|| {
            let (window, zone) = look(persona);
            (persona, window, zone)
        });
        match std::ptr::eq(*of, persona) {
            true => (*window, zone.clone()),
            false => look(persona),
        }
    }

    pub(super) fn channel(
        &self,
        persona: &Persona,
        passed_over: &mut Vec<(Channel, ChannelGap)>,
    ) -> Option<Channel> {
        let mut order = persona.channels.clone();
        let wish = |channel: &Channel| {
            let prefers = &self.debtor.prefers;
            prefers.iter().position(|wished| wished == channel).unwrap_or(prefers.len())
        };
        order.sort_by_key(wish);
        for channel in order {
            match channel_gap(self.account, self.debtor, &self.rules.creditor, channel) {
                None => return Some(channel),
                Some(gap) => passed_over.push((channel, gap)),
            }
        }
        None
    }

    fn language(&self, persona: &Persona) -> String {
        let languages = &self.policy.languages;
        let wanted = match &persona.language {
            LanguageChoice::Debtor => self.debtor.language.as_str(),
            LanguageChoice::Fixed(fixed) => fixed.as_str(),
        };
        let primary = wanted.split('-').next().unwrap_or(wanted);
        let exact = languages.iter().find(|have| have.eq_ignore_ascii_case(wanted));
        let found = exact.or_else(|| languages.iter().find(|have| have.as_str() == primary));
        found.or_else(|| languages.first()).cloned().unwrap_or_default()
    }

    fn pay_with(&self, persona: &Persona) -> Vec<crate::fact::PayWith> {
        let mut ways = persona.pay_with.clone();
        let wish = |way: &crate::fact::PayWith| {
            let wished = &self.debtor.pays_with;
            wished.iter().position(|one| one == way).unwrap_or(wished.len())
        };
        ways.sort_by_key(wish);
        ways
    }
}

fn days_between(from: Date, to: Date) -> i32 {
    (to - from).get_days()
}

/// Why a persona: its condition, or the override that chose it.
fn because(own: &Effective<'_>) -> Option<Arc<str>> {
    match &own.persona_by {
        Some(id) => Some(format!("override {id}").into()),
        None => own.persona.when.as_ref().map(|when| Arc::clone(&when.source)),
    }
}

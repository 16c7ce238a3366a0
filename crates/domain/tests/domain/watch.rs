//! Looks at an account after each event: what `ARCHITECTURE.md` says of every account.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Weekday},
};
use kulanz_domain::{
    Account, AccountEvent, Command,
    account::{NoticeState, Placement, PlacementState, Standing},
    book::Book,
    calendar::day_in,
    decision::{Due, Explanation, Recheck, explain, recheck},
    event::NoticeDecided,
    fact::*,
    ids::*,
    law,
    money::{Currency, Decimal},
    placed::{PlacementNow, concerns_agencies},
    policy::*,
};

use crate::{
    story::{Story, cents_are_kept, statements_add_up},
    world::day,
};

pub struct Watched {
    pub story: Story,
}

impl Watched {
    pub const fn new(story: Story) -> Self {
        Self { story }
    }

    /// Does something, and looks at each event of it.
    pub fn does(&mut self, what: impl FnOnce(&mut Story)) {
        let before = self.story.account.clone();
        let so_far = self.story.log.len();
        what(&mut self.story);
        self.look_at_each_event(before, so_far);
    }

    /// A decision: it finds all that is due, explains it, and sleeps until something is.
    pub fn decides(&mut self) {
        let before = self.story.account.clone();
        let so_far = self.story.log.len();
        let now = self.story.now;
        let told = self.explained();
        self.story.decide();
        self.look_at_each_event(before, so_far);
        let events = &self.story.log[so_far..];
        told_as_done(&told, events);
        for decided in events.iter().filter_map(crate::story::notice_of) {
            let found = recheck(&self.story.account, &self.story.rules, &decided.notice, now);
            assert_eq!(found, Recheck::Send, "{decided:?}");
        }
        assert_eq!(self.story.decide(), [], "what was decided is not decided again");
        self.sleeps_until_its_wake();
        self.stops_deliveries();
    }

    fn explained(&self) -> Explanation {
        let story = &self.story;
        let fresh = NoticeId::new("N-explained").unwrap();
        let told = explain(&story.account, &story.rules, story.now, &fresh);
        told.expect("what may come is no mistake in the rules")
    }

    /// The gateway takes a message that the recheck let pass.
    pub fn sends(&mut self, notice: &NoticeId) {
        let account = &self.story.account;
        let told = &account.notices[notice].decided;
        let book = Book::of(account, told.currency);
        for part in &told.claims {
            let column = book.claim(&part.invoice).unwrap();
            let interest = told.interest_to.map_or(Decimal::ZERO, |day| column.interest_on(day));
            let owed = (column.outstanding, column.fees, interest);
            assert_eq!(owed, (part.principal, part.fees, part.interest), "{}", part.invoice);
            owed_and_free(account, &part.invoice, self.story.now, &self.story.rules);
            assert_eq!(column.claim.placement, None, "{} is placed", part.invoice);
        }
        self.does(|story| {
            story.confirm(notice);
        });
    }

    /// Nothing happens by itself before the account wakes.
    fn sleeps_until_its_wake(&self) {
        let story = &self.story;
        let hours = |hours: i64| story.now + SignedDuration::from_hours(hours);
        let before_wake = story.wake.map(|wake| wake - SignedDuration::from_secs(1));
        let moments = [hours(1), hours(13), hours(3 * 24), hours(24 * 24), hours(200 * 24)];
        for moment in moments.into_iter().chain(before_wake) {
            if moment > story.now && story.wake.is_none_or(|wake| moment < wake) {
                let mut later = story.account.clone();
                let (rules, seed) = (story.rules.clone(), "asleep".into());
                let executed =
                    later.execute(&Command::Decide { rules, now: moment, seed }).unwrap();
                let (wake, now) = (story.wake, story.now);
                assert_eq!(executed.events, [], "at {moment}, decided {now}, wakes {wake:?}");
            }
        }
    }

    /// Deliveries are stopped for claims that are late, open, undisputed and not barred.
    fn stops_deliveries(&self) {
        let (account, today) = (&self.story.account, self.story.today());
        if account.erased_at.is_some() {
            return;
        }
        let stopped: Vec<&InvoiceId> =
            account.delivery_stop.iter().flat_map(|stop| &stop.claims).map(|(id, _)| id).collect();
        for (invoice, claim) in &account.claims {
            let Some(currency) = claim.currency() else { continue };
            let policy = self.story.rules.policy(currency);
            let stops = |name: &StepName| {
                let mut steps = policy.iter().flat_map(|policy| &policy.steps);
                steps.any(|step| step.stop_delivery && step.name == *name)
            };
            let book = Book::of(account, currency);
            let column = book.claim(invoice).unwrap();
            let late = column.due_on < today;
            let barred = claim.barred_after.is_some_and(|last| last < today);
            let covered = book.unallocated >= column.open_on(today);
            let weighs = late && column.is_open() && !claim.disputed() && !barred && !covered;
            let weighs = weighs && claim.steps.iter().any(|taken| stops(&taken.step));
            assert_eq!(stopped.contains(&invoice), weighs, "deliveries because of {invoice}");
        }
    }

    fn look_at_each_event(&self, mut account: Account, so_far: usize) {
        let rules = &self.story.rules;
        let now = self.story.now;
        // As if all that is ever owed were with an agency from the beginning.
        let everything = everything(&self.story.account);
        for event in &self.story.log[so_far..] {
            before(&account, event, now, rules);
            let was = placed(&account, &everything);
            let steps = steps_of(&account);
            account.apply_event(event);
            cents_are_kept(&account, self.story.horizon());
            let mut stored = account.clone();
            stored.let_go_of_books();
            let (kept, fresh) = (Book::all(&account), Book::all(&stored));
            assert_eq!(kept.collect::<Vec<_>>(), fresh.collect::<Vec<_>>(), "{event:?}");
            if !concerns_agencies(event) {
                for (one, now) in was {
                    assert_eq!(PlacementNow::of(&account, &one), now, "{event:?}");
                }
            }
            let undoes = matches!(
                event,
                AccountEvent::NoticeReceipt { receipt: Receipt::Bounced, .. }
                    | AccountEvent::PlanResumed { .. }
            );
            for (claim, taken) in steps {
                let now = account.claims[&claim].steps.len();
                assert!(now >= taken || undoes, "{claim} fell back by {event:?}");
            }
        }
        assert_eq!(account, self.story.account);
    }

    /// The whole of it, looked at again as of days of the past.
    pub fn ends(self) {
        for on in ["2026-01-20", "2026-02-28", "2026-04-01", "2026-06-30"] {
            statements_add_up(&Account::as_of(&self.story.log, day(on)), day(on));
        }
    }
}

fn everything(account: &Account) -> Placement {
    let claims: Vec<InvoiceId> = account.claims.keys().cloned().collect();
    let until = day("2026-04-30");
    Placement {
        agency: AgencyId::new("nord").unwrap(),
        interest: claims.iter().map(|it| (it.clone(), Decimal::ZERO, until)).collect(),
        claims,
        step: StepName::new("last-call").unwrap(),
        policy: crate::world::shop_b2c().reference,
        release: Release::OnePerson,
        missing: Vec::new(),
        approved_by: Default::default(),
        state: PlacementState::Released,
        amounts: Vec::new(),
        went_out: None,
        agency_state: None,
    }
}

fn placed(account: &Account, everything: &Placement) -> Vec<(Placement, PlacementNow)> {
    let own = account.placements.values();
    let own = own.filter(|one| one.state == PlacementState::Released);
    let all = [everything].into_iter().chain(own);
    all.map(|one| (one.clone(), PlacementNow::of(account, one))).collect()
}

fn steps_of(account: &Account) -> Vec<(InvoiceId, usize)> {
    account.claims.iter().map(|(id, claim)| (id.clone(), claim.steps.len())).collect()
}

/// The first thing that a look did is the one that was told before.
fn told_as_done(told: &Explanation, events: &[AccountEvent]) {
    let done = events.iter().find_map(|event| match event {
        AccountEvent::NoticeDecided(one) => Some((one.step.clone(), claims_of(one))),
        AccountEvent::HandoffDue { step, claims, .. } => Some((step.clone(), claims.clone())),
        AccountEvent::StepTaken { step, claims, .. } => Some((step.clone(), claims.clone())),
        _ => None,
    });
    let due = told.due.as_ref().map(|due| match due {
        Due::Notice(one) => (one.step.clone(), claims_of(one)),
        Due::Handoff(draft) => (draft.step.clone(), draft.claims.clone()),
        Due::Quiet(step) => (step.step.clone(), step.claims.clone()),
    });
    assert_eq!(due, done, "explained otherwise than decided");
}

fn claims_of(decided: &NoticeDecided) -> Vec<InvoiceId> {
    decided.claims.iter().map(|part| part.invoice.clone()).collect()
}

/// What must be so before an event may follow.
fn before(account: &Account, event: &AccountEvent, now: Timestamp, rules: &Rules) {
    let today = day_in(now, &rules.creditor.zone);
    match event {
        AccountEvent::NoticeDecided(decided) => {
            fees_are_lawful(account, decided, today, rules);
            within_the_cap(account, decided, now, rules);
            for part in &decided.claims {
                blocked_by_nothing(account, &part.invoice, now, rules);
                deadlines_have_passed(account, &part.invoice, today, rules, decided.currency);
                let claim = &account.claims[&part.invoice];
                let twice = claim.steps.iter().any(|taken| taken.step == part.step);
                assert!(!twice || went_back(account), "{} takes {} twice", part.invoice, part.step);
            }
        }
        AccountEvent::HandoffDue { claims, .. } => {
            for invoice in claims {
                blocked_by_nothing(account, invoice, now, rules);
                let currency = account.claims[invoice].currency().unwrap();
                deadlines_have_passed(account, invoice, today, rules, currency);
            }
        }
        AccountEvent::PlacementReleased { placement, amounts, by, .. } => {
            let due = &account.placements[placement];
            assert_eq!(due.state, PlacementState::Due);
            assert!(by != "policy" || account.unanswered_plea().is_none());
            for invoice in &due.claims {
                owed_and_free(account, invoice, now, rules);
                let book = Book::of(account, account.claims[invoice].currency().unwrap());
                let column = book.claim(invoice).unwrap();
                let told = (invoice.clone(), column.outstanding, column.fees);
                assert!(amounts.contains(&told), "{amounts:?}");
            }
        }
        _ => {}
    }
}

fn went_back(account: &Account) -> bool {
    let mut payments = account.payments.values();
    payments
        .any(|one| !one.returned.is_empty() || !one.refunded.is_empty() || one.assigned.is_some())
}

/// Nothing is decided about a claim that is settled, disputed, barred, made by a minor, on hold,
/// in a plan or placed, nor for an account that is on hold, promised, insolvent, deceased, erased.
fn blocked_by_nothing(account: &Account, invoice: &InvoiceId, now: Timestamp, rules: &Rules) {
    owed_and_free(account, invoice, now, rules);
    let (claim, today) = (&account.claims[invoice], day_in(now, &rules.creditor.zone));
    assert_eq!(claim.placement, None, "{invoice} is placed");
    assert!(claim.barred_after.is_none_or(|last| today <= last), "{invoice} is barred");
}

fn owed_and_free(account: &Account, invoice: &InvoiceId, now: Timestamp, rules: &Rules) {
    let today = day_in(now, &rules.creditor.zone);
    let claim = &account.claims[invoice];
    let book = Book::of(account, claim.currency().unwrap());
    let column = book.claim(invoice).unwrap();
    assert!(account.erased_at.is_none() && account.insolvent_on.is_none());
    assert!(account.deceased_on.is_none() && account.hold_on(None, today).is_none());
    assert!(account.promises.values().all(|one| one.standing != Standing::Open), "promised");
    assert!(column.is_open() && column.open_on(today) > Decimal::ZERO, "{invoice} is settled");
    assert!(!claim.disputed(), "{invoice} is disputed");
    assert_eq!(claim.made_by_minor(account.profile()), None, "{invoice}");
    assert!(account.hold_on(Some(invoice), today).is_none(), "{invoice} is on hold");
    let mut plans = account.plans.values().filter(|plan| plan.standing == Standing::Open);
    assert!(!plans.any(|plan| plan.claims.contains(invoice)), "{invoice} is in a plan");
    assert!(book.unallocated < column.open_on(today), "there is money for {invoice}");
}

/// Nothing follows before a deadline that was told has passed, and a payment had time to arrive.
fn deadlines_have_passed(
    account: &Account,
    invoice: &InvoiceId,
    today: Date,
    rules: &Rules,
    currency: Currency,
) {
    let policy = rules.policy(currency).unwrap();
    let told = account.notices.values().filter(|one| {
        matches!(one.state, NoticeState::Sent | NoticeState::Delivered)
            && one.decided.claims.iter().any(|part| part.invoice == *invoice)
    });
    for deadline in told.filter_map(|one| one.deadline) {
        let patience = policy.in_flight.after(deadline, policy.region);
        assert!(today >= patience, "{invoice} has until {deadline}");
    }
}

/// No fee before default, none above what a consumer has to bear, no lump sum from consumers.
fn fees_are_lawful(account: &Account, decided: &NoticeDecided, today: Date, rules: &Rules) {
    let (debtor, law) = (account.profile().unwrap(), rules.creditor.law);
    if law == Law::None {
        return;
    }
    let consumer = debtor.kind == DebtorKind::Consumer;
    assert!(!consumer || decided.lump_sums.is_empty(), "lump sum of a consumer");
    let seat = rules.creditor.seat();
    let lump_sums = decided.lump_sums.iter();
    for (invoice, amount) in decided.fee.iter().chain(lump_sums) {
        let claim = &account.claims[invoice];
        let begins = law::default_begins(claim, seat, Some(debtor));
        assert!(begins.is_some_and(|(from, _)| from <= today), "a fee before default");
        assert!(*amount > Decimal::ZERO);
    }
    if let Some((_, fee)) = decided.fee.as_ref().filter(|_| consumer && law == Law::De) {
        let cap = [("email", "0"), ("sms", "0.20"), ("letter", "2.50")];
        let cap = cap.iter().find(|(name, _)| *name == decided.channel.name()).unwrap().1;
        assert!(*fee <= crate::world::amount(cap), "{fee} by {}", decided.channel.name());
    }
}

/// Two contacts in seven days, in decent hours, at an address that is known and alive.
fn within_the_cap(account: &Account, decided: &NoticeDecided, now: Timestamp, rules: &Rules) {
    let week = now - SignedDuration::from_hours(7 * 24);
    let made = account.contacts.iter().filter(|at| **at > week).count();
    let pending = account.notices.values().filter(|one| {
        matches!(one.state, NoticeState::Decided | NoticeState::Unknown) && one.decided.at > week
    });
    assert!(made + pending.count() < 2, "a third contact in a week: {:?}", account.contacts);
    let debtor = account.profile().unwrap();
    assert!(debtor.reachable.contains(&decided.channel));
    assert!(!account.dead_channels.contains_key(&decided.channel));
    assert!(decided.channel != Channel::Sms || debtor.sms_consent != Some(false));
    let zone = debtor.timezone.as_deref().map(|zone| jiff::tz::TimeZone::get(zone).unwrap());
    let there = now.to_zoned(zone.unwrap_or_else(|| rules.creditor.zone.clone()));
    assert!((8..20).contains(&there.hour()), "at {there}");
    assert_ne!(there.weekday(), Weekday::Sunday);
}

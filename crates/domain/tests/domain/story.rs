//! Given, on a day, then: an account with a clock that is told things and asked what is due.
//!
//! After each command the story looks at what must always hold: the log gives the account, both
//! survive JSON, no cent is lost, and nobody is written to who paid, disagreed or has time.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use kulanz_domain::{
    Account, AccountEvent, Command, Refusal,
    account::{NoticeState, PlacementState, Standing},
    book::{Book, ClaimBook, Column},
    decision::{Decision, Recheck, WaitReason, next_step, recheck},
    event::{NoticeDecided, Rate, Suppression},
    fact::*,
    ids::*,
    money::{Currency, Decimal},
    policy::{Policy, Rules},
    statement::Statement,
};

use crate::world::*;

#[derive(Clone)]
pub struct Story {
    pub account: Account,
    pub rules: Arc<Rules>,
    pub now: Timestamp,
    pub log: Vec<AccountEvent>,
    shadow: Account,
    commands: u32,
    pub wake: Option<Timestamp>,
}

/// An account of a consumer, that was told `facts` on the days on which they happened.
pub fn given(facts: impl IntoIterator<Item = Fact>) -> Story {
    let mut story = Story::new(rules([shop_b2c()]));
    story.now = at("2026-01-01");
    story = story.told(debtor(consumer()));
    for fact in facts {
        story.now = fact_day(&fact).unwrap_or(story.now).max(story.now);
        story = story.told(fact);
    }
    story
}

fn fact_day(fact: &Fact) -> Option<Timestamp> {
    let day = match fact {
        Fact::InvoiceIssued { invoice } => invoice.issued_on,
        Fact::PaymentReceived { booked_on, .. } => *booked_on,
        Fact::DisputeOpened { on, .. } | Fact::DisputeResolved { on, .. } => *on,
        Fact::PaymentReturned { on, .. } | Fact::InvoiceCredited { on, .. } => *on,
        _ => return None,
    };
    Some(day.at(8, 0, 0, 0).to_zoned(TimeZone::get("Europe/Berlin").unwrap()).unwrap().timestamp())
}

impl Story {
    pub fn new(rules: Rules) -> Self {
        Self {
            account: Account::default(),
            rules: Arc::new(rules),
            now: at("2026-01-01"),
            log: Vec::new(),
            shadow: Account::default(),
            commands: 0,
            wake: None,
        }
    }

    /// Goes on from a state whose log is not of interest.
    pub fn start_from(&mut self, account: Account) {
        self.shadow = account.clone();
        self.account = account;
    }

    pub fn under(mut self, policy: Policy) -> Self {
        self.rules = Arc::new(rules([policy]));
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    pub fn today(&self) -> jiff::civil::Date {
        self.now.to_zoned(creditor().zone).date()
    }

    /// A day by which all that was told has happened.
    pub fn horizon(&self) -> jiff::civil::Date {
        day("2026-12-31").max(self.today().saturating_add(jiff::Span::new().days(90)))
    }

    pub fn on(mut self, when: &str) -> Self {
        self.now = at(when);
        self
    }

    /// The books that a command leaves with the account are those that somebody computes who has
    /// nothing but the stored account, and so are decisions.
    fn hands_on_its_books(&self, stored: &Account) {
        let kept: Vec<Book<'_>> = Book::all(&self.account).collect();
        let fresh: Vec<Book<'_>> = Book::all(stored).collect();
        assert_eq!(kept, fresh, "books that were kept are those of now");
        let currencies: Vec<Currency> = kept.iter().map(|book| book.currency).collect();
        assert_eq!(currencies, stored.currencies());
        let fresh_id = NoticeId::new("N-handed-on").unwrap();
        let decide = |account| next_step(account, &self.rules, self.now, &fresh_id);
        assert_eq!(decide(&self.account), decide(stored), "decisions by kept books");
    }

    /// Executes a command; what must always hold is looked at afterwards.
    pub fn execute(&mut self, command: &Command) -> Result<Vec<AccountEvent>, Refusal> {
        let executed = match self.account.execute(command) {
            Ok(executed) => executed,
            Err(refusal) => {
                assert_eq!(self.account, self.shadow, "a refusal leaves the account as it was");
                return Err(refusal);
            }
        };
        if matches!(command, Command::Decide { .. }) {
            self.wake = executed.wake;
            assert!(self.wake.is_none_or(|wake| wake > self.now), "wakes in the past");
        }
        for event in &executed.events {
            if let AccountEvent::NoticeDecided(decided) = event {
                decided_for_those_who_owe(&self.shadow, decided, self.now, &self.rules);
            }
            self.shadow.apply_event(event);
            let json = serde_json::to_string(event).unwrap();
            assert_eq!(&serde_json::from_str::<AccountEvent>(&json).unwrap(), event);
        }
        assert_eq!(self.account, self.shadow, "the log gives the account");
        let json = serde_json::to_string(&self.account).unwrap();
        let stored: Account = serde_json::from_str(&json).unwrap();
        assert_eq!(stored, self.account);
        self.hands_on_its_books(&stored);
        no_cent_is_lost(&self.account, self.horizon());
        self.log.extend(executed.events.iter().cloned());
        Ok(executed.events)
    }

    fn stamp(&mut self) -> Stamp {
        self.commands += 1;
        Stamp { at: self.now, id: format!("test#{:05}", self.commands) }
    }

    pub fn record(&mut self, fact: Fact) -> Result<Vec<AccountEvent>, Refusal> {
        let stamp = self.stamp();
        self.record_as(fact, stamp)
    }

    pub fn record_as(&mut self, fact: Fact, stamp: Stamp) -> Result<Vec<AccountEvent>, Refusal> {
        let (account, rules) = (account_id(), self.rules.clone());
        self.execute(&Command::Record { fact, stamp, at: self.now, account, rules })
    }

    pub fn decide(&mut self) -> Vec<AccountEvent> {
        self.commands += 1;
        let seed = format!("{}", self.commands).into();
        let command = Command::Decide { rules: self.rules.clone(), now: self.now, seed };
        self.execute(&command).expect("a decision is never refused")
    }

    pub fn confirm(&mut self, notice: &NoticeId) -> Vec<AccountEvent> {
        let rules = self.rules.clone();
        let command = Command::ConfirmSent { notice: notice.clone(), at: self.now, rules };
        self.execute(&command).unwrap()
    }

    pub fn told(mut self, fact: Fact) -> Self {
        self.record(fact).expect("the fact is taken");
        self
    }

    /// The fact is known already.
    pub fn told_again(mut self, fact: Fact) -> Self {
        assert_eq!(self.record(fact), Ok(Vec::new()), "records nothing");
        self
    }

    pub fn refuses(mut self, fact: Fact, refusal: Refusal) -> Self {
        assert_eq!(self.record(fact), Err(refusal));
        self
    }

    pub fn does(mut self, command: Command) -> Self {
        self.execute(&command).expect("the command is taken");
        self
    }

    pub fn will_not(mut self, command: Command, refusal: Refusal) -> Self {
        assert_eq!(self.execute(&command), Err(refusal));
        self
    }

    pub fn look(&self) -> Decision {
        let fresh = NoticeId::new("N-look").unwrap();
        next_step(&self.account, &self.rules, self.now, &fresh)
    }

    /// Nothing happens now, for this reason among others.
    pub fn waits(mut self, reason: WaitReason) -> Self {
        let events = self.decide();
        let noise = |event: &&AccountEvent| !is_news(event);
        assert!(events.iter().all(|event| noise(&event)), "does something: {events:?}");
        let found = self.look();
        let reasons: Vec<_> = found.findings.iter().filter_map(|one| one.waits.clone()).collect();
        assert!(reasons.contains(&reason), "waits for {reasons:?}");
        self
    }

    /// After [`waits`](Self::waits): when it looks again.
    pub fn until(self, when: &str) -> Self {
        assert_eq!(self.wake.map(show).as_deref(), Some(when));
        self
    }

    /// But for limitation, which is looked at years later, nothing is planned.
    pub fn until_something_happens(self) -> Self {
        let soon = self.wake.filter(|wake| *wake < at("2029-01-01"));
        assert_eq!(soon.map(show), None);
        self
    }

    /// Decides one message; it waits to be sent.
    pub fn decides(mut self, step: &str, channel: Channel) -> Self {
        let events = self.decide();
        let decided: Vec<_> = events.iter().filter_map(notice_of).collect();
        let found: Vec<_> = decided.iter().map(|n| (n.step.as_str(), n.channel)).collect();
        assert_eq!(found, [(step, channel)], "{:?}", self.look().findings);
        self
    }

    /// A step happens, and nothing is sent.
    pub fn passes(mut self, step: &str, claims: &[&str]) -> Self {
        let events = self.decide();
        let taken: Vec<_> = events.iter().filter(|event| is_news(event)).collect();
        match taken.as_slice() {
            [AccountEvent::StepTaken { step: name, claims: of, .. }] => {
                assert_eq!(name.as_str(), step);
                assert_eq!(of.iter().map(InvoiceId::as_str).collect::<Vec<_>>(), claims);
            }
            other => panic!("{other:?}, {:?}", self.look().findings),
        }
        self
    }

    /// Decides one message and sends it.
    pub fn takes(self, step: &str, channel: Channel) -> Self {
        self.decides(step, channel).sends()
    }

    /// Takes all steps of `shop-b2c` up to the last call, for a claim due on 15 March.
    pub fn takes_all_to_the_last_call(self) -> Self {
        let steps = [
            ("2026-03-19", "reminder"),
            ("2026-03-30", "mahnung"),
            ("2026-04-13", "instalments"),
            ("2026-04-20", "last-call"),
        ];
        steps.into_iter().fold(self, |story, (day, step)| story.on(day).takes(step, Channel::Email))
    }

    /// The gateway takes the message that waits.
    pub fn sends(mut self) -> Self {
        let notice = self.pending();
        assert_eq!(recheck(&self.account, &self.rules, &notice, self.now), Recheck::Send);
        self.confirm(&notice);
        self
    }

    pub fn suppressed_because(mut self, reason: Suppression) -> Self {
        let notice = self.pending();
        let found = recheck(&self.account, &self.rules, &notice, self.now);
        assert_eq!(found, Recheck::Suppress(reason));
        self.execute(&Command::Suppress { notice, reason }).unwrap();
        self
    }

    pub fn pending(&self) -> NoticeId {
        let mut waiting =
            self.account.notices.iter().filter(|(_, one)| one.state == NoticeState::Decided);
        waiting.next().expect("a message waits").0.clone()
    }

    pub fn last_notice(&self) -> &NoticeDecided {
        self.log.iter().rev().find_map(notice_of).expect("a message was decided")
    }

    pub fn promises(mut self, name: &str, until: &str) -> Self {
        self.promise(name, until).expect("the promise is taken");
        self
    }

    pub fn promise(&mut self, name: &str, until: &str) -> Result<Vec<AccountEvent>, Refusal> {
        let promise = PromiseId::new(name).unwrap();
        let (now, rules) = (self.now, self.rules.clone());
        let until = day(until);
        self.execute(&Command::Promise { promise, until, now, rules, by_person: false })
    }

    pub fn agree(&mut self, name: &str, rates: &[Rate]) -> Result<Vec<AccountEvent>, Refusal> {
        let (now, rules) = (self.now, self.rules.clone());
        let (plan, currency) = (PlanId::new(name).unwrap(), Currency::EUR);
        let rates = rates.to_vec();
        self.execute(&Command::AgreePlan { plan, currency, rates, now, rules, by_person: false })
    }

    pub fn release(&mut self, by: &str) -> Result<Vec<AccountEvent>, Refusal> {
        let (now, rules) = (self.now, self.rules.clone());
        let placement = self.placement();
        self.execute(&Command::ReleasePlacement { placement, by: by.into(), now, rules })
    }

    pub fn released_by(mut self, by: &str) -> Self {
        self.release(by).expect("may be released");
        self
    }

    pub fn placement(&self) -> PlacementId {
        let placements = &self.account.placements;
        let due = placements.iter().find(|(_, one)| one.state == PlacementState::Due);
        due.or(placements.iter().next_back()).expect("a placement").0.clone()
    }

    pub fn placement_is(self, state: PlacementState) -> Self {
        let last = self.account.placements.values().next_back().expect("a placement");
        assert_eq!(last.state, state);
        self
    }

    pub fn book<T>(&self, look: impl FnOnce(&Book<'_>) -> T) -> T {
        look(&Book::of(&self.account, Currency::EUR))
    }

    fn column<T>(&self, invoice: &str, look: impl FnOnce(&ClaimBook<'_>) -> T) -> T {
        self.book(|book| look(book.claim(&id(invoice)).expect("the claim is in the books")))
    }

    /// Principal and fees that are open on a claim.
    pub fn owes(self, invoice: &str, principal: &str, fees: &str) -> Self {
        let open = self.column(invoice, |c| (c.outstanding, c.fees));
        assert_eq!(open, (amount(principal), amount(fees)), "open on {invoice}");
        self
    }

    pub fn keeps_as_credit(self, money: &str) -> Self {
        assert_eq!(self.book(|book| book.unallocated), amount(money), "waits as credit");
        self
    }

    /// Day on which it was in truth settled.
    pub fn settled(self, invoice: &str, on: Option<&str>) -> Self {
        let settled = self.account.claims[&id(invoice)].settled_on;
        assert_eq!(settled, on.map(day), "{invoice} settled on");
        self
    }

    /// The kinds of events since the story began.
    pub fn happened(self, kind: &str, times: usize) -> Self {
        let kinds: Vec<_> = self.log.iter().map(AccountEvent::kind).collect();
        assert_eq!(kinds.iter().filter(|one| **one == kind).count(), times, "{kind} in {kinds:?}");
        self
    }
}

pub fn notice_of(event: &AccountEvent) -> Option<&NoticeDecided> {
    match event {
        AccountEvent::NoticeDecided(decided) => Some(decided),
        _ => None,
    }
}

fn is_news(event: &AccountEvent) -> bool {
    use AccountEvent as E;
    matches!(event, E::NoticeDecided(_) | E::HandoffDue { .. } | E::StepTaken { .. })
}

/// No message for whoever has paid, disagreed, or was given time.
fn decided_for_those_who_owe(
    account: &Account,
    decided: &NoticeDecided,
    now: Timestamp,
    rules: &Rules,
) {
    let today = kulanz_domain::calendar::day_in(now, &rules.creditor.zone);
    assert!(account.insolvent_on.is_none() && account.deceased_on.is_none());
    assert!(account.erased_at.is_none() && account.hold_on(None, today).is_none());
    assert!(account.promises.values().all(|one| one.standing != Standing::Open));
    assert!(!decided.claims.is_empty());
    let book = Book::of(account, decided.currency);
    for part in &decided.claims {
        let column = book.claim(&part.invoice).expect("it is in the books");
        assert!(column.is_open(), "{} is settled", part.invoice);
        assert!(column.claim.pending.is_none() && column.claim.placement.is_none());
        assert!(!column.claim.disputed(), "{} is disputed", part.invoice);
        assert_eq!(column.claim.made_by_minor(account.profile()), None, "{}", part.invoice);
        assert!(account.hold_on(Some(&part.invoice), today).is_none(), "on hold");
        let planned = |plan: &kulanz_domain::account::Plan| {
            plan.standing == Standing::Open && plan.claims.contains(&part.invoice)
        };
        assert!(!account.plans.values().any(planned), "in a plan");
        assert!(book.unallocated < column.open_on(today), "there is money for it");
        match decided.kind.as_str() {
            "notice" => assert!(today < column.due_on),
            _ => assert!(today > column.due_on, "{} is not overdue", part.invoice),
        }
    }
}

/// The lines of a statement add up to what the books say is open, claim by claim.
pub fn statements_add_up(account: &Account, on: jiff::civil::Date) {
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        let statement = Statement::of(account, currency, creditor().seat(), on);
        assert_eq!(statement.claims.len(), book.claims.len());
        for (claim, column) in statement.claims.iter().zip(&book.claims) {
            let sum: Decimal = claim.lines.iter().map(|line| line.amount).sum();
            assert_eq!(sum, column.open_on(on), "lines of {}: {claim:#?}", claim.invoice);
            assert_eq!(claim.open, claim.principal + claim.fees + claim.interest);
        }
        assert_eq!(statement.open, book.open_on(on));
    }
}

/// Money is conserved in each book, on whichever day, and the log says how payments are used.
pub fn no_cent_is_lost(account: &Account, horizon: jiff::civil::Date) {
    cents_are_kept(account, horizon);
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        for (payment, entry) in &account.payments {
            let own = entry.received.as_ref().is_some_and(|r| r.amount.currency == currency);
            let parts = book.used.get(payment).cloned().unwrap_or_default();
            assert!(!own || entry.allocated == parts, "allocation of {payment}");
        }
    }
}

/// Money is conserved in each book, on whichever day; also between two events of one command.
/// Statements are of a day by which all that was told has happened.
pub fn cents_are_kept(account: &Account, horizon: jiff::civil::Date) {
    statements_add_up(account, horizon);
    for on in [day("2026-01-10"), day("2026-04-30"), horizon] {
        no_cent_is_lost_on(account, on);
    }
}

fn no_cent_is_lost_on(account: &Account, on: jiff::civil::Date) {
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        let (mut used, mut surplus) = (Decimal::ZERO, Decimal::ZERO);
        for column in &book.claims {
            let Column { paid, fees_paid, credited, remitted, .. } = **column;
            let given_up = column.waived + column.written_off;
            let gone = paid + fees_paid + column.interest_paid + credited + remitted + given_up;
            let owed = column.principal + column.fees_charged + column.interest_charged(on);
            assert_eq!(owed, gone + column.open_on(on), "{} in the books", column.invoice);
            let all = [paid, fees_paid, credited, remitted, column.outstanding, column.fees];
            assert!(all.iter().all(|one| *one >= Decimal::ZERO), "{column:?}");
            assert!(
                column.interest_paid >= Decimal::ZERO && column.interest_on(on) >= Decimal::ZERO
            );
            used += paid + fees_paid + column.interest_paid;
            surplus += column.claim.credited() - credited;
        }
        assert_eq!(book.paid + surplus, used + book.unallocated, "received in {currency}");
        let mut told = Decimal::ZERO;
        for (payment, entry) in &account.payments {
            let parts = book.used.get(payment).map_or(&[][..], Vec::as_slice);
            let sum: Decimal = parts.iter().map(|part| part.amount).sum();
            let net = entry.net(currency).map_or(Decimal::ZERO, |(_, net)| net);
            assert!(sum <= net, "{payment} is used beyond what it is");
            told += sum;
        }
        assert_eq!(told, used, "allocations");
    }
}

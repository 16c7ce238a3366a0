//! Wild histories: every kind of fact and of command, under several houses, with time passing in
//! between. What must always hold is looked at after each event; see `watch.rs`.

use std::sync::Arc;

use jiff::{SignedDuration, Span as Days, Timestamp, civil::Date};
use kulanz_domain::{
    Command,
    account::{NoticeState, PlacementState, Standing},
    arrangement::{offers, plannable, still_open},
    book::Book,
    decision::{Recheck, recheck},
    event::Rate,
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    overrides::Override,
    policy::Rules,
};
use proptest::prelude::*;

use crate::{houses::*, story::Story, watch::Watched, world::*};

/// What happens next, and the numbers that say how.
#[derive(Debug, Clone, Copy)]
pub struct Move(pub Kind, pub [u8; 4]);

/// All kinds of facts, commands and things that happen to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    // time
    Wake,
    Days,
    // facts
    Profile,
    Insolvency,
    Death,
    Hold,
    Plea,
    Unhold,
    Issue,
    Complete,
    Adjust,
    Credit,
    Cancel,
    Reschedule,
    Default,
    Acknowledge,
    Suspend,
    Title,
    GiveUp,
    Dispute,
    Resolve,
    Pay,
    PayRest,
    Return,
    Refund,
    Fail,
    Assign,
    Reminded,
    Receipt,
    AgencyPaid,
    AgencySays,
    // people
    Promise,
    Plan,
    Release,
    Admit,
    Overrule,
    Lift,
    Erase,
    NewPolicy,
    // gateways
    Send,
    Deliver,
    Bounce,
    Stop,
    Lose,
    Park,
    Discard,
}

/// How often each kind comes, of a hundred and some.
const WEIGHTS: [(u32, Kind); 46] = {
    use Kind::*;
    [
        (14, Wake),
        (30, Days),
        (3, Profile),
        (1, Insolvency),
        (1, Death),
        (1, Hold),
        (1, Plea),
        (2, Unhold),
        (8, Issue),
        (1, Complete),
        (2, Adjust),
        (3, Credit),
        (1, Cancel),
        (2, Reschedule),
        (1, Default),
        (1, Acknowledge),
        (1, Suspend),
        (1, Title),
        (2, GiveUp),
        (2, Dispute),
        (3, Resolve),
        (6, Pay),
        (4, PayRest),
        (5, Return),
        (3, Refund),
        (1, Fail),
        (3, Assign),
        (2, Reminded),
        (1, Receipt),
        (2, AgencyPaid),
        (3, AgencySays),
        (4, Promise),
        (4, Plan),
        (10, Release),
        (2, Admit),
        (3, Overrule),
        (2, Lift),
        (1, Erase),
        (1, NewPolicy),
        (20, Send),
        (3, Deliver),
        (2, Bounce),
        (1, Stop),
        (1, Lose),
        (1, Park),
        (2, Discard),
    ]
};

fn kinds() -> impl Strategy<Value = Kind> {
    proptest::strategy::Union::new_weighted(
        WEIGHTS.iter().map(|(weight, kind)| (*weight, Just(*kind))).collect(),
    )
}

pub fn moves() -> impl Strategy<Value = Vec<Move>> {
    proptest::collection::vec((kinds(), any::<[u8; 4]>()).prop_map(|(k, n)| Move(k, n)), 0..90)
}

pub struct Wild {
    pub watched: Watched,
    number: usize,
}

impl Wild {
    pub fn new(house: &House) -> Self {
        let mut story = Story::new(house.rules());
        story.now = at("2026-01-05 08:00");
        Self { watched: Watched::new(story), number: 0 }
    }

    fn story(&self) -> &Story {
        &self.watched.story
    }

    /// Lives through the moves.
    pub fn lives(mut self, moves: &[Move]) -> Watched {
        self.tell(debtor(consumer()));
        for one in moves {
            self.number += 1;
            self.moves(*one);
        }
        self.watched
    }

    fn tell(&mut self, fact: Fact) {
        self.watched.does(|story| {
            let _ = story.record(fact); // what contradicts is refused, and leaves no trace
        });
    }

    fn command(&mut self, command: Command) {
        self.watched.does(|story| {
            let _ = story.execute(&command);
        });
    }

    /// To the next wake-up, or a week on.
    fn sleep_until(&mut self, until: Option<Timestamp>) {
        let week = self.story().now + SignedDuration::from_hours(7 * 24);
        let wake = self.story().wake;
        let next = [wake, until].into_iter().flatten().min().unwrap_or(week);
        self.watched.story.now = next;
        self.watched.decides();
    }

    fn moves(&mut self, Move(kind, [a, b, c, d]): Move) {
        let (today, now) = (self.story().today(), self.story().now);
        let rules = self.story().rules.clone();
        let invoice = || id(of(&INVOICES, a));
        let currency = currency_of(of(&INVOICES, a));
        let money = |number| Money::new(money_of(number), currency);
        let by = || of(&["ute", "jan"], b).to_owned();
        let notices = |states: &[NoticeState]| -> Vec<NoticeId> {
            let all = self.watched.story.account.notices.iter();
            all.filter(|(_, one)| states.contains(&one.state)).map(|(id, _)| id.clone()).collect()
        };
        use NoticeState::{Decided, Delivered, Parked, Sent, Unknown};
        match kind {
            Kind::Wake => {
                self.watched.decides();
                // A wake-up years ahead, for limitation, would leave nothing else to be seen.
                let soon = now + SignedDuration::from_hours(60 * 24);
                self.sleep_until((a % 16 > 0).then_some(soon));
            }
            Kind::Days => {
                let until =
                    now + SignedDuration::from_hours(i64::from(a % 40) * 24 + i64::from(b % 24));
                self.watched.decides();
                let mut turns = 0;
                while self.story().now < until {
                    turns += 1;
                    assert!(turns < 400, "it never comes to rest");
                    self.sleep_until(Some(until));
                    if c % 3 > 0 {
                        self.send();
                    }
                }
            }
            Kind::Profile => self.tell(debtor(profile([a, b, c, d], today))),
            Kind::Insolvency if d % 4 == 0 => {
                self.tell(Fact::InsolvencyOpened { on: around(today, a) })
            }
            Kind::Death if d % 16 == 0 => self.tell(Fact::DebtorDeceased { on: around(today, a) }),
            Kind::Insolvency | Kind::Death => {}
            Kind::Hold => self.tell(Fact::HoldPlaced {
                hold: HoldId::new(of(&["H-1", "H-2"], b)).unwrap(),
                invoice: (c % 2 == 0).then(invoice),
                owner: "ute".into(),
                until: (d % 16 > 0).then(|| around(today, d / 4 % 3 + 13)),
            }),
            Kind::Plea => self.tell(Fact::HoldPlaced {
                hold: HoldId::new(of(&["page-1", "page-2"], b)).unwrap(),
                invoice: None,
                owner: "hardship".into(),
                until: Some(today.checked_add(Days::new().days(10)).unwrap()),
            }),
            Kind::Unhold => {
                let hold = of(&["H-1", "H-2", "page-1", "page-2"], a);
                self.tell(hold_released(hold));
            }
            Kind::Issue | Kind::Complete => {
                let name = of(&INVOICES, a);
                let mut told = invoice_of(name, [b, c, d], today);
                if let Some(known) =
                    self.story().account.claims.get(&id(name)).and_then(|it| it.invoice.clone())
                {
                    told = Invoice {
                        contract_on: known.contract_on.or(told.contract_on),
                        contract_object_known: true,
                        ..known
                    };
                }
                self.tell(Fact::InvoiceIssued { invoice: told });
            }
            Kind::Adjust => {
                let amount =
                    if c % 8 == 0 { Money::new(Decimal::ZERO, currency) } else { money(c) };
                self.tell(Fact::InvoiceAdjusted {
                    invoice: invoice(),
                    on: around(today, b),
                    amount,
                });
            }
            Kind::Credit => {
                let credit = CreditId::new(&format!("C-{}", self.number)).unwrap();
                let on = around(today, b);
                self.tell(Fact::InvoiceCredited {
                    invoice: invoice(),
                    credit,
                    on,
                    amount: money(c),
                });
            }
            Kind::Cancel => {
                self.tell(Fact::InvoiceCancelled { invoice: invoice(), on: around(today, b) })
            }
            Kind::Reschedule => {
                self.tell(Fact::InvoiceRescheduled {
                    invoice: invoice(),
                    due_on: around(today, b),
                });
            }
            Kind::Default => {
                let from = around(today, b);
                self.tell(Fact::DefaultDeclared {
                    invoice: invoice(),
                    from,
                    ground: "refusal".into(),
                });
            }
            Kind::Acknowledge => {
                self.tell(Fact::Acknowledged { invoice: invoice(), on: around(today, b) })
            }
            Kind::Suspend => self.tell(Fact::Suspended {
                invoice: invoice(),
                from: around(today, b),
                to: (c % 2 == 0).then(|| around(today, c / 2)),
                ground: "talks".into(),
            }),
            Kind::Title => self.tell(Fact::Titled { invoice: invoice(), on: around(today, b) }),
            Kind::GiveUp => {
                let (invoice, on, amount) = (invoice(), around(today, b), maybe(c));
                let part = of(
                    &[None, Some(Part::Principal), Some(Part::Fees), Some(Part::Interest)],
                    d / 2,
                );
                self.tell(match d % 2 {
                    0 => Fact::Waived { invoice, on, amount, part },
                    _ => Fact::WrittenOff { invoice, on, amount, part },
                });
            }
            Kind::Dispute => self.tell(Fact::DisputeOpened {
                dispute: DisputeId::new(of(&["E-1", "E-2"], b)).unwrap(),
                invoice: invoice(),
                on: around(today, d),
                amount: maybe(c),
            }),
            Kind::Resolve => {
                use DisputeOutcome::{Partly, Rejected, Upheld};
                self.tell(Fact::DisputeResolved {
                    dispute: DisputeId::new(of(&["E-1", "E-2"], b)).unwrap(),
                    invoice: invoice(),
                    on: around(today, d),
                    outcome: of(&[Rejected, Rejected, Partly, Upheld], c),
                    amount: maybe(c / 4),
                });
            }
            Kind::Pay => self.pay(a, today, money_of(b), c, d),
            Kind::PayRest => {
                let (name, claim) = (of(&INVOICES, a), invoice());
                let open = self.story().account.currencies();
                let open = open.iter().filter(|it| **it == currency_of(name)).map(|currency| {
                    let book = Book::of(&self.story().account, *currency);
                    let column =
                        book.claim(&claim).map_or(Decimal::ZERO, |column| column.open_on(today));
                    if b % 2 == 0 { column } else { book.open_on(today) }
                });
                let open: Decimal = open.sum();
                if open > Decimal::ZERO {
                    let payment = PaymentId::new(&format!("A-{}-{name}", self.number)).unwrap();
                    let invoice = (c % 2 == 0).then_some(claim);
                    self.tell(Fact::PaymentReceived {
                        payment,
                        booked_on: around(today, d),
                        amount: Money::new(open, currency),
                        method: "transfer".into(),
                        invoice,
                    });
                }
            }
            Kind::Return => {
                let fee = (d % 3 == 0).then(|| amount("3.20"));
                let reason = of(&["AM04", "AC04", "MD06", "MS03"], d / 3);
                let payment = self.some_payment(a);
                let amount = if b % 3 == 0 { maybe(c) } else { None };
                self.tell(Fact::PaymentReturned {
                    payment,
                    on: around(today, b),
                    amount,
                    reason: reason.into(),
                    fee,
                });
            }
            Kind::Refund => {
                let payment = self.some_payment(a);
                let known = self.story().account.payments.get(&payment);
                let received = known.and_then(|one| one.received.as_ref()).map(|one| one.amount);
                let fallback = Money::new(money_of(c), currency_of(payment.as_str()));
                let whole = received.unwrap_or(fallback);
                let amount = match d % 2 {
                    0 => whole,
                    _ => Money::new(money_of(c), whole.currency),
                };
                self.tell(Fact::PaymentRefunded { payment, on: around(today, b), amount });
            }
            Kind::Fail => self.tell(Fact::PaymentFailed {
                attempt: format!("T-{}", self.number),
                invoice: invoice(),
                on: around(today, b),
                method: "card".into(),
                reason: "AM04".into(),
            }),
            Kind::Assign => {
                let payment = self.some_payment(a);
                let to = of(&["lindenmoor/D-1", "lindenmoor/D-2"], b).parse().unwrap();
                let invoice = (c % 3 > 0).then(|| id(of(&INVOICES, d)));
                self.tell(Fact::PaymentAssigned { payment, to, invoice });
            }
            Kind::Reminded => self.tell(Fact::ReminderReported {
                notice: NoticeId::new(&format!("S-{}", self.number)).unwrap(),
                channel: of(&Channel::ALL, b),
                at: now - SignedDuration::from_hours(i64::from(c % 72)),
                invoices: vec![invoice()],
                counts_as: of(&[None, Some("reminder"), Some("mahnung"), Some("last-call")], d)
                    .map(step),
                starts_default: d % 8 > 3,
            }),
            Kind::Receipt => {
                let reported = self.story().account.reported.iter().next_back().cloned();
                let notice = reported.unwrap_or_else(|| NoticeId::new("S-0").unwrap());
                use Receipt::{Answered, Bounced, Failed, Stopped};
                let what = of(&[Receipt::Delivered, Bounced, Failed, Answered, Stopped], b);
                self.tell(receipt(&notice, of(&Channel::ALL, c), "2026-06-01", what));
            }
            Kind::AgencyPaid => {
                let placement = self.some_placement(a);
                let payment = match b % 3 {
                    0 => self.some_payment(c),
                    _ => PaymentId::new(&format!("I-{}", self.number % 7)).unwrap(),
                };
                let claims =
                    self.story().account.placements.get(&placement).map(|it| it.claims.clone());
                let invoice =
                    claims.and_then(|claims| claims.first().cloned()).unwrap_or_else(invoice);
                let currency = currency_of(invoice.as_str());
                self.tell(Fact::PlacementReported {
                    placement,
                    agency: AgencyId::new("nordinkasso").unwrap(),
                    invoice: (d % 2 == 0).then_some(invoice),
                    on: around(today, d),
                    report: PlacementReport::PaymentReceived {
                        payment,
                        amount: Money::new(money_of(c), currency),
                        paid_to_creditor: d % 4 > 1,
                        split: None,
                    },
                });
            }
            Kind::AgencySays => {
                let report = match b % 4 {
                    0 => PlacementReport::Accepted,
                    1 => PlacementReport::Rejected,
                    2 => PlacementReport::Closed,
                    _ => PlacementReport::Status { state: "court".into() },
                };
                let placement = self.some_placement(a);
                self.tell(Fact::PlacementReported {
                    placement,
                    agency: AgencyId::new("nordinkasso").unwrap(),
                    invoice: None,
                    on: today,
                    report,
                });
            }
            Kind::Promise => self.command(Command::Promise {
                promise: PromiseId::new(&format!("Z-{}", self.number)).unwrap(),
                until: today.checked_add(Days::new().days(i32::from(a) % 25)).unwrap(),
                now,
                rules,
                by_person: b % 3 == 0,
            }),
            Kind::Plan => self.plan([a, b, c, d], &rules),
            Kind::Release => {
                let due = self.story().account.placements.iter();
                let mut due = due.filter(|(_, one)| one.state == PlacementState::Due);
                if let Some(placement) = due.next().map(|(id, _)| id.clone()) {
                    for by in ["ute", "jan"].into_iter().take(1 + usize::from(c % 2)) {
                        let (placement, by, rules) =
                            (placement.clone(), by.to_owned(), rules.clone());
                        self.command(Command::ReleasePlacement { placement, by, now, rules });
                    }
                }
            }
            Kind::Admit => self.command(Command::Admit { invoice: invoice(), by: by() }),
            Kind::Overrule => {
                let set = Override {
                    id: OverrideId::new(&format!("V-{}", self.number)).unwrap(),
                    invoice: (b % 2 == 0).then(invoice),
                    terms: terms(c),
                    until: (d % 2 == 0).then(|| around(today, d / 2 % 3 + 13)),
                    by: "ute".into(),
                    on: today,
                    lifted_on: None,
                };
                self.command(Command::SetOverride { set, rules });
            }
            Kind::Lift => {
                let overrides = &self.story().account.overrides;
                if let Some(id) = overrides.last().map(|one| one.id.clone()) {
                    self.command(Command::LiftOverride { id, by: by(), now, rules });
                }
            }
            Kind::Erase if d % 16 == 0 => self.command(Command::Erase { at: now }),
            Kind::Erase => {}
            Kind::NewPolicy => self.watched.story.rules = Arc::new(later_version(&rules)),
            Kind::Send => self.send(),
            Kind::Deliver | Kind::Bounce => {
                let what = if kind == Kind::Bounce { Receipt::Bounced } else { Receipt::Delivered };
                let known = notices(&[Sent, Delivered, Unknown, Parked, Decided]);
                if let Some(notice) = known.get(usize::from(a) % known.len().max(1)).cloned() {
                    let channel = self.story().account.notices[&notice].decided.channel;
                    self.tell(Fact::NoticeReceipt { notice, channel, at: now, receipt: what });
                }
            }
            Kind::Stop => {
                if let Some(notice) = notices(&[Sent, Delivered]).pop() {
                    let channel = self.story().account.notices[&notice].decided.channel;
                    self.tell(Fact::NoticeReceipt {
                        notice,
                        channel,
                        at: now,
                        receipt: Receipt::Stopped,
                    });
                }
            }
            Kind::Lose | Kind::Park => {
                for notice in notices(&[Decided]) {
                    self.command(Command::Park { notice, outcome_unknown: kind == Kind::Lose });
                }
            }
            Kind::Discard => {
                for notice in notices(&[Parked, Unknown]) {
                    match a % 3 {
                        0 => self.command(Command::ConfirmSent {
                            notice,
                            at: now,
                            rules: rules.clone(),
                        }),
                        _ => self.command(Command::Discard { notice, by: "ute".into() }),
                    }
                }
            }
        }
    }

    fn some_payment(&self, number: u8) -> PaymentId {
        let known: Vec<&PaymentId> = self.story().account.payments.keys().collect();
        match known.get(usize::from(number) % (known.len() + 2)) {
            Some(known) => (*known).clone(),
            None => PaymentId::new(of(&PAYMENTS, number)).unwrap(),
        }
    }

    fn some_placement(&self, number: u8) -> PlacementId {
        let known: Vec<&PlacementId> = self.story().account.placements.keys().collect();
        let known = known.get(usize::from(number) % known.len().max(1));
        known.map_or_else(|| PlacementId::new("P-x").unwrap(), |known| (*known).clone())
    }

    fn pay(&mut self, name: u8, today: Date, amount: Decimal, when: u8, for_claim: u8) {
        let name = of(&PAYMENTS, name);
        let invoice = (!for_claim.is_multiple_of(3)).then(|| id(of(&INVOICES, for_claim / 3)));
        self.tell(Fact::PaymentReceived {
            payment: PaymentId::new(name).unwrap(),
            booked_on: around(today, when),
            amount: Money::new(amount, currency_of(name)),
            method: "transfer".into(),
            invoice,
        });
    }

    /// What the policy offers, or what a person agrees to, or pays for one that runs.
    fn plan(&mut self, [a, b, c, d]: [u8; 4], rules: &Arc<Rules>) {
        let (today, now) = (self.story().today(), self.story().now);
        let currency = if d % 5 == 0 { Currency::USD } else { Currency::EUR };
        let running = self.story().account.plans.values();
        let mut running = running.filter(|one| one.standing == Standing::Open);
        if let Some(plan) = running.next() {
            // A rate, or all of it.
            let (name, currency) =
                (if plan.currency == Currency::USD { "U" } else { "T" }, plan.currency);
            let rest = still_open(&self.story().account, plan, today);
            let money = if a % 3 == 0 { rest } else { plan.rates[0].amount };
            let payment = PaymentId::new(&format!("{name}-{}", self.number)).unwrap();
            if money > Decimal::ZERO {
                self.tell(Fact::PaymentReceived {
                    payment,
                    booked_on: around(today, b),
                    amount: Money::new(money, currency),
                    method: "transfer".into(),
                    invoice: None,
                });
            }
            return;
        }
        let (_, open) = plannable(&self.story().account, currency, today);
        let policy = rules.policy(currency).unwrap().clone();
        let plan = PlanId::new(&format!("T-{}", self.number)).unwrap();
        let by_person = c % 3 == 0;
        let rates = if by_person {
            let half = (open / Decimal::TWO).round_dp(2);
            let on = |days| today.checked_add(Days::new().days(days)).unwrap();
            vec![
                Rate { due_on: on(i32::from(a % 20)), amount: half },
                Rate { due_on: on(i32::from(a % 20) + 15), amount: open - half },
            ]
        } else {
            let offered = offers(&policy, open, today);
            let Some((_, rates)) = offered.get(usize::from(b) % offered.len().max(1)) else {
                return;
            };
            rates.clone()
        };
        self.command(Command::AgreePlan {
            plan,
            currency,
            rates,
            now,
            rules: rules.clone(),
            by_person,
        });
    }

    /// The gateway takes what waits, unless the recheck says no.
    fn send(&mut self) {
        let waiting = self.story().account.notices.iter();
        let waiting = waiting.filter(|(_, one)| one.state == NoticeState::Decided);
        let waiting: Vec<NoticeId> = waiting.map(|(id, _)| id.clone()).collect();
        for notice in waiting {
            let story = self.story();
            match recheck(&story.account, &story.rules, &notice, story.now) {
                Recheck::Send => self.watched.sends(&notice),
                Recheck::Suppress(reason) => self.command(Command::Suppress { notice, reason }),
                Recheck::Later(open) => assert!(open > story.now),
                Recheck::NotPending => panic!("it waits"),
            }
        }
    }
}

/// 32 histories in each run; `PROPTEST_CASES` asks for more.
fn looked_at() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { 32 };
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4_000, ..asked }
}

proptest! {
    #![proptest_config(looked_at())]

    #[test]
    fn whatever_happens_what_must_hold_holds(house in houses(), moves in moves()) {
        Wild::new(&house).lives(&moves).ends();
    }
}

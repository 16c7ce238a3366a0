//! Houses, and what is told in them, from numbers.

use std::sync::Arc;

use jiff::{Span as Days, civil::Date};
use kulanz_domain::{
    calendar::Span,
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    overrides::{Charges, OverrideTerms},
    policy::*,
};
use proptest::prelude::*;

use crate::world::*;

/// A creditor with policies.
#[derive(Debug, Clone, Copy)]
pub struct House {
    pub interest: bool,
    pub rest_waived: bool,
    pub each_claim: bool,
    pub stops_delivery: bool,
    pub lump_sum: bool,
    pub quiet: bool,
    pub letters: bool,
    pub enters: bool,
    pub release: u8,
    pub law: u8,
}

pub fn houses() -> impl Strategy<Value = House> {
    (any::<[bool; 8]>(), 0u8..4, 0u8..6).prop_map(|(yes, release, law)| House {
        interest: yes[0],
        rest_waived: yes[1],
        each_claim: yes[2],
        stops_delivery: yes[3],
        lump_sum: yes[4],
        quiet: yes[5],
        letters: yes[6],
        enters: yes[7],
        release,
        law,
    })
}

impl House {
    pub fn rules(&self) -> Rules {
        let mut rules = rules([self.policy(Currency::EUR), self.policy(Currency::USD)]);
        rules.creditor.law =
            [Law::De, Law::De, Law::De, Law::At, Law::Ch, Law::None][usize::from(self.law)];
        rules
    }

    fn policy(&self, currency: Currency) -> Policy {
        let mut policy = if self.interest { with_interest() } else { shop_b2c() };
        if currency != Currency::EUR {
            policy.reference.name = PolicyName::new("dollars").unwrap();
            policy.currency = currency;
        }
        if self.rest_waived {
            policy.rest_waived = amount("3.00");
        }
        if self.each_claim {
            policy.bundle = Bundle::Claim;
        }
        if self.stops_delivery {
            policy.steps[2].stop_delivery = true;
        }
        if self.lump_sum {
            policy.steps[4].lump_sum = true;
        }
        if self.letters {
            for persona in &mut policy.personas {
                persona.channels.insert(0, Channel::Letter);
            }
        }
        if self.enters {
            policy.entry = Some(Entry { step: 1, over: Span::BusinessDays(5) });
        }
        if let StepAction::HandOff { release, .. } = &mut policy.steps[5].action {
            *release =
                [Release::FourEyes, Release::OnePerson, Release::OnePerson, Release::Automatic]
                    [usize::from(self.release)];
        }
        if self.quiet {
            let mut hand_off = policy.steps.pop().unwrap();
            hand_off.at = moment(Anchor::Step(5), 7);
            policy.steps.push(rung("review", StepAction::Quiet, moment(Anchor::Step(4), 10)));
            policy.steps.push(hand_off);
        }
        policy
    }
}

/// The same house with a later version: another pace, no offer.
pub fn later_version(rules: &Rules) -> Rules {
    let mut rules = rules.clone();
    for policy in rules.policies.values_mut() {
        let policy = Arc::make_mut(policy);
        policy.reference.version += 1;
        let shorter = policy.reference.version % 2 == 1;
        let span = if shorter { 7 } else { 10 };
        policy.steps[2].at = moment(Anchor::Step(1), span);
        policy.steps[2].stop_delivery = !policy.steps[2].stop_delivery;
    }
    rules
}

pub const INVOICES: [&str; 7] = ["R-1", "R-2", "R-3", "R-1", "R-2", "R-4", "R-5"];
pub const PAYMENTS: [&str; 6] = ["P-1", "P-2", "P-3", "P-4", "P-5", "P-6"];

pub fn currency_of(name: &str) -> Currency {
    match name {
        "R-4" | "P-5" => Currency::USD,
        "R-5" | "P-6" => Currency::CHF,
        _ => Currency::EUR,
    }
}

pub fn of<T: Copy>(list: &[T], number: u8) -> T {
    list[usize::from(number) % list.len()]
}

pub fn money_of(number: u8) -> Decimal {
    let few = ["10.00", "25.00", "50.00", "75.00", "100.00", "89.90", "120.00", "0.01", "400.00"];
    amount(of(&few, number))
}

pub fn maybe(number: u8) -> Option<Decimal> {
    (!number.is_multiple_of(3)).then(|| money_of(number / 3))
}

/// A day not far from `today`, before it more often than after.
pub fn around(today: Date, number: u8) -> Date {
    let offsets = [0, 0, 0, -1, -2, -3, -5, -8, -14, -25, -40, -70, 0, 1, 5, 20];
    today.checked_add(Days::new().days(of(&offsets, number))).unwrap()
}

pub fn invoice_of(name: &str, [b, c, d]: [u8; 3], today: Date) -> Invoice {
    // Some are long overdue: near to being barred, or barred.
    let ago = Days::new().days(if c % 13 == 0 { 1100 + i32::from(c) } else { 0 });
    let issued_on = around(today, d).checked_sub(ago).unwrap();
    let net = of(&[14, 14, 0, 30, 7], d / 16);
    let due_on = issued_on.checked_add(Days::new().days(net)).unwrap();
    let mut invoice = invoice(name, Money::new(money_of(b), currency_of(name)), "2026-02-01");
    (invoice.issued_on, invoice.due_on) = (issued_on, due_on);
    invoice.contract_on =
        (c % 4 > 0).then(|| issued_on.checked_sub(Days::new().days(i32::from(c))).unwrap());
    invoice.contract_object_known = c % 5 > 0;
    invoice.due_date_agreed = c % 3 == 0;
    invoice.late_payment_notice = c % 7 < 3;
    invoice.contract_rate = (c % 6 == 0).then(|| Decimal::from(12));
    invoice.consumer_credit = c % 11 == 0;
    if c % 9 == 0 {
        invoice.supply = Supply::Other;
    }
    invoice
}

pub fn profile([a, b, c, d]: [u8; 4], today: Date) -> DebtorProfile {
    let mut profile = if a % 3 == 0 { business() } else { consumer() };
    profile.vulnerable = a % 7 == 0;
    profile.represented = a % 5 == 0;
    match b % 16 {
        0 => profile.reachable = vec![Channel::Sms],
        1 => profile.reachable = vec![Channel::Email, Channel::Letter],
        2 => profile.reachable.clear(),
        _ => {}
    }
    profile.sms_consent = of(&[None, Some(true), Some(false)], b / 6);
    if c % 4 == 0 {
        profile.prefers = vec![Channel::Sms];
    }
    profile.hours = (c % 5 == 0).then(|| "17:00-19:00".to_owned());
    if c % 6 == 0 {
        profile.timezone = Some("America/New_York".into());
    }
    if c % 7 == 0 {
        (profile.country, profile.region) = ("AT".into(), None);
    }
    match d % 8 {
        0 => {
            profile.minor_until = Some(around(today, d / 8));
            profile.birth_told = BirthTold::Here;
        }
        1 => profile.birth_told = BirthTold::Here,
        _ => {}
    }
    profile
}

pub fn terms(number: u8) -> OverrideTerms {
    let mut terms = OverrideTerms::default();
    match number % 9 {
        0 => terms.persona = Some(PersonaName::new("business").unwrap()),
        1 => terms.language = Some("en".into()),
        2 => terms.channels = Some(vec![Channel::Sms]),
        3 => terms.pace = Some(amount("0.5")),
        4 => terms.fees = Some(Charges::None),
        5 => terms.interest = Some(Charges::None),
        6 => terms.minimum = Some(amount("60.00")),
        7 => terms.no_further_than = Some(step("mahnung")),
        _ => {
            terms.fees = Some(Charges::Policy);
            terms.interest = Some(Charges::Policy);
        }
    }
    terms
}

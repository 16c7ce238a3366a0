//! The shop of the tests: its creditor, its policy in code, and short words for facts.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{
    calendar::{Region, Span},
    contact::{ContactCap, ContactWindow},
    fact::*,
    ids::*,
    law::rates::RateTable,
    money::{Currency, Decimal, Money},
    policy::*,
};

pub fn amount(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

pub fn usd(text: &str) -> Money {
    Money::parse(text, Currency::USD).unwrap()
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// `2026-03-30 09:00` in Berlin; a day alone means noon.
pub fn at(text: &str) -> Timestamp {
    at_in(text, "Europe/Berlin")
}

pub fn at_in(text: &str, zone: &str) -> Timestamp {
    let text = if text.contains(':') { text.replace(' ', "T") } else { format!("{text}T12:00") };
    let local: jiff::civil::DateTime = text.parse().unwrap();
    local.to_zoned(TimeZone::get(zone).unwrap()).unwrap().timestamp()
}

pub fn show(at: Timestamp) -> String {
    at.to_zoned(TimeZone::get("Europe/Berlin").unwrap()).strftime("%Y-%m-%d %H:%M").to_string()
}

pub fn creditor() -> Creditor {
    Creditor {
        id: CreditorId::new("lindenmoor").unwrap(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        region: Region::DeNw,
        law: Law::De,
        channels: Channel::ALL.to_vec(),
        agencies: vec![AgencyId::new("nordinkasso").unwrap()],
        complete_for_placement: true,
        base_rates: Arc::new(RateTable::Germany.shipped().unwrap()),
    }
}

pub fn step(name: &str) -> StepName {
    StepName::new(name).unwrap()
}

pub fn moment(anchor: Anchor, days: i32) -> Moment {
    Moment { anchor, before: days < 0, span: Span::Days(days.abs()) }
}

pub fn rung(name: &str, action: StepAction, at: Moment) -> Step {
    let (deadline, fee, when) = (None, Decimal::ZERO, None);
    Step {
        name: step(name),
        action,
        at,
        deadline,
        fee,
        lump_sum: false,
        stop_delivery: false,
        expires: None,
        when,
        text: name.into(),
    }
}

pub fn window() -> ContactWindow {
    let hours = "09:00-19:00".parse().unwrap();
    ContactWindow::law_default_de().narrowed(None, Some(hours)).without_holidays_of(Region::DeNw)
}

pub fn persona(name: &str, when: Option<Condition>, channels: &[Channel]) -> Persona {
    Persona {
        name: PersonaName::new(name).unwrap(),
        when,
        language: LanguageChoice::Debtor,
        tone: "clear".into(),
        window: window(),
        channels: channels.to_vec(),
        pay_with: vec![PayWith::Paypal, PayWith::Card, PayWith::Transfer],
        pace: Decimal::ONE,
    }
}

fn claims_at_least(least: i64) -> impl Fn(&Facts<'_>) -> bool {
    move |facts| facts.claim.is_some_and(|claim| claim.outstanding >= Decimal::from(least))
}

/// The ladder of `shop-b2c`: heads-up, reminder, mahnung, instalments, last-call, inkasso.
pub fn shop_b2c() -> Policy {
    let regular = Condition::new("regular", false, false, |facts| {
        facts.debtor.kind == DebtorKind::Consumer
            && facts.history.invoices_paid >= 3
            && facts.history.late_share < Decimal::new(34, 2)
    });
    let business =
        Condition::new("business", false, false, |facts| facts.debtor.kind == DebtorKind::Business);
    let is_regular = Condition::new("persona == \"regular\"", false, false, |facts| {
        facts.persona == Some("regular")
    });
    let worth = |name: &str, least| Condition::new(name, false, true, claims_at_least(least));
    let handed_over = Condition::new("25 and not vulnerable", false, true, |facts| {
        claims_at_least(25)(facts) && !facts.debtor.vulnerable
    });
    let plans = vec![
        PlanTerms { rates: 3, first_percent: Some(amount("25")), at_least: amount("20.00") },
        PlanTerms { rates: 6, first_percent: None, at_least: amount("20.00") },
    ];
    let agency = AgencyId::new("nordinkasso").unwrap();
    let steps = vec![
        Step {
            when: Some(is_regular),
            ..rung("heads-up", StepAction::Notice, moment(Anchor::Due, -3))
        },
        rung("reminder", StepAction::Reminder, moment(Anchor::Due, 4)),
        Step {
            deadline: Some(Span::Days(10)),
            fee: amount("2.50"),
            ..rung("mahnung", StepAction::Mahnung, moment(Anchor::Step(1), 10))
        },
        Step {
            when: Some(worth("claim.outstanding >= 50", 50)),
            ..rung("instalments", StepAction::Offer { plans }, moment(Anchor::Step(2), 12))
        },
        Step {
            deadline: Some(Span::Days(10)),
            fee: amount("2.50"),
            ..rung("last-call", StepAction::Mahnung, moment(Anchor::Step(2), 21))
        },
        Step {
            when: Some(handed_over),
            ..rung(
                "inkasso",
                StepAction::HandOff { agency, release: Release::FourEyes },
                moment(Anchor::Step(4), 14),
            )
        },
    ];
    use Channel::{Email, Letter, Sms};
    let evening = "17:00-19:00".parse().unwrap();
    Policy {
        reference: PolicyRef {
            name: PolicyName::new("shop-b2c").unwrap(),
            version: 4,
            hash: "0123456789abcdef".into(),
        },
        creditor: creditor().id,
        currency: Currency::EUR,
        languages: vec!["de".into(), "en".into()],
        zone: creditor().zone,
        region: Region::DeNw,
        cap: ContactCap {
            times: NonZeroU32::new(2).unwrap(),
            within_days: NonZeroU32::new(7).unwrap(),
        },
        minimum: amount("5.00"),
        bundle: Bundle::Account,
        interest: InterestPolicy::default(),
        rest_waived: Decimal::ZERO,
        in_flight: Span::BusinessDays(2),
        promise_within: Span::Days(30),
        meets_overdue_days: 60,
        entry: None,
        spread_minutes: 0,
        brake: None,
        trials: None,
        arms: Vec::new(),
        personas: vec![
            Persona {
                tone: "warm".into(),
                window: window().narrowed(None, Some(evening)),
                pace: amount("1.5"),
                ..persona("regular", Some(regular), &[Email, Sms])
            },
            persona("business", Some(business), &[Email, Letter]),
            persona("everyone", None, &[Email, Sms]),
        ],
        steps,
    }
}

/// The same policy, with statutory interest.
pub fn with_interest() -> Policy {
    let interest = InterestPolicy { claimed: InterestClaimed::Statutory, ..Default::default() };
    Policy { interest, ..shop_b2c() }
}

pub fn rules(policies: impl IntoIterator<Item = Policy>) -> Rules {
    let by_currency = policies.into_iter().map(|one| (one.currency.code(), Arc::new(one)));
    Rules { creditor: creditor(), policies: by_currency.collect::<BTreeMap<_, _>>() }
}

/// A consumer in Dortmund with an e-mail address and a mobile.
pub fn consumer() -> DebtorProfile {
    DebtorProfile {
        kind: DebtorKind::Consumer,
        language: "de".into(),
        country: "DE".into(),
        region: Some("NW".into()),
        timezone: None,
        reachable: vec![Channel::Email, Channel::Sms, Channel::Letter],
        prefers: Vec::new(),
        pays_with: Vec::new(),
        hours: None,
        sms_consent: None,
        vulnerable: false,
        address_researched: false,
        represented: false,
        minor_until: None,
        birth_told: BirthTold::Never,
        attributes: BTreeMap::new(),
    }
}

pub fn business() -> DebtorProfile {
    DebtorProfile { kind: DebtorKind::Business, ..consumer() }
}

pub fn account_id() -> AccountId {
    "lindenmoor/D-1".parse().unwrap()
}

pub fn id(text: &str) -> InvoiceId {
    InvoiceId::new(text).unwrap()
}

// ---- facts, in the words of the contract

pub fn debtor(profile: DebtorProfile) -> Fact {
    Fact::DebtorUpdated { profile }
}

/// Issued two weeks before it is due, complete for an agency.
pub fn invoice(name: &str, money: Money, due: &str) -> Invoice {
    let due_on = day(due);
    let issued_on = due_on.checked_sub(jiff::Span::new().days(14)).unwrap();
    Invoice {
        invoice: id(name),
        issued_on,
        due_on,
        amount: money,
        contract_on: Some(issued_on),
        contract_object_known: true,
        contract_rate: None,
        received_on: None,
        due_date_agreed: false,
        late_payment_notice: false,
        supply: Supply::GoodsServices,
        consumer_credit: false,
    }
}

pub fn issued(name: &str, money: &str, due: &str) -> Fact {
    Fact::InvoiceIssued { invoice: invoice(name, eur(money), due) }
}

pub fn paid(name: &str, money: &str, on: &str, invoice: Option<&str>) -> Fact {
    paid_in(name, eur(money), on, invoice)
}

pub fn paid_in(name: &str, amount: Money, on: &str, invoice: Option<&str>) -> Fact {
    Fact::PaymentReceived {
        payment: PaymentId::new(name).unwrap(),
        booked_on: day(on),
        amount,
        method: "transfer".into(),
        invoice: invoice.map(id),
    }
}

pub fn returned(name: &str, on: &str, fee: Option<&str>) -> Fact {
    Fact::PaymentReturned {
        payment: PaymentId::new(name).unwrap(),
        on: day(on),
        amount: None,
        reason: "AM04".into(),
        fee: fee.map(amount),
    }
}

pub fn disputed(name: &str, invoice: &str, on: &str, part: Option<&str>) -> Fact {
    Fact::DisputeOpened {
        dispute: DisputeId::new(name).unwrap(),
        invoice: id(invoice),
        on: day(on),
        amount: part.map(amount),
    }
}

pub fn resolved(
    name: &str,
    invoice: &str,
    on: &str,
    outcome: DisputeOutcome,
    remains: Option<&str>,
) -> Fact {
    Fact::DisputeResolved {
        dispute: DisputeId::new(name).unwrap(),
        invoice: id(invoice),
        on: day(on),
        outcome,
        amount: remains.map(amount),
    }
}

pub fn credited(name: &str, invoice: &str, on: &str, money: &str) -> Fact {
    Fact::InvoiceCredited {
        invoice: id(invoice),
        credit: CreditId::new(name).unwrap(),
        on: day(on),
        amount: eur(money),
    }
}

pub fn adjusted(invoice: &str, on: &str, money: &str) -> Fact {
    Fact::InvoiceAdjusted { invoice: id(invoice), on: day(on), amount: eur(money) }
}

pub fn rescheduled(invoice: &str, due: &str) -> Fact {
    Fact::InvoiceRescheduled { invoice: id(invoice), due_on: day(due) }
}

pub fn cancelled(invoice: &str, on: &str) -> Fact {
    Fact::InvoiceCancelled { invoice: id(invoice), on: day(on) }
}

pub fn hold(name: &str, invoice: Option<&str>, until: Option<&str>) -> Fact {
    Fact::HoldPlaced {
        hold: HoldId::new(name).unwrap(),
        invoice: invoice.map(id),
        owner: "ute".into(),
        until: until.map(day),
    }
}

pub fn hold_released(name: &str) -> Fact {
    Fact::HoldReleased { hold: HoldId::new(name).unwrap() }
}

pub fn shop_reminded(name: &str, when: &str, invoice: &str, as_step: Option<&str>) -> Fact {
    Fact::ReminderReported {
        notice: NoticeId::new(name).unwrap(),
        channel: Channel::Email,
        at: at(when),
        invoices: vec![id(invoice)],
        counts_as: as_step.map(step),
        starts_default: false,
    }
}

pub fn receipt(notice: &NoticeId, channel: Channel, when: &str, receipt: Receipt) -> Fact {
    Fact::NoticeReceipt { notice: notice.clone(), channel, at: at(when), receipt }
}

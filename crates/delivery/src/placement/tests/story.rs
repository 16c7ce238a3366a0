//! One account that has been through everything, and its placement.

use kulanz_domain::{
    event::{AccountEvent as E, Allocation, NoticeClaim, NoticeDecided, Rate},
    fact::*,
    policy::{Law, PolicyRef, Release},
};
use serde_json::json;

use super::super::*;

pub(super) struct Story {
    pub(super) id: AccountId,
    pub(super) account: Account,
    pub(super) placement: PlacementId,
    pub(super) secrets: BTreeMap<String, Value>,
    pub(super) creditor: Creditor,
    pub(super) card: CreditorCard,
    pub(super) at: Timestamp,
}

pub(super) fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

pub(super) fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

pub(super) fn debtor(name: &str) -> Value {
    json!({
        "name": name,
        "mobile": "+491701234567",
        "address": { "street": "Am Wall 3", "postcode": "50667", "city": "Köln" },
        "attributes": { "group": "Stammkundin" },
    })
}

fn stamp(at: &str) -> Stamp {
    Stamp { at: id(at), id: "shop#1".to_owned() }
}

pub(super) fn policy() -> PolicyRef {
    PolicyRef { name: id("shop-b2c"), version: 1, hash: "0123456789abcdef".into() }
}

impl Story {
    /// An account of a consumer with nothing on it.
    pub(super) fn empty() -> Self {
        let mut account = Account::default();
        account.apply_event(&E::DebtorUpdated {
            stamp: stamp("2026-01-01T08:00:00Z"),
            profile: DebtorProfile {
                kind: DebtorKind::Consumer,
                language: "de".to_owned(),
                country: "DE".to_owned(),
                region: Some("NW".to_owned()),
                timezone: None,
                reachable: vec![Channel::Email, Channel::Letter],
                prefers: Vec::new(),
                pays_with: Vec::new(),
                hours: None,
                sms_consent: None,
                vulnerable: false,
                address_researched: true,
                represented: false,
                minor_until: None,
                birth_told: BirthTold::Never,
                attributes: BTreeMap::new(),
            },
        });
        Self {
            id: id("lindenmoor/K-1"),
            account,
            placement: id("P-1"),
            secrets: BTreeMap::from([("debtor".to_owned(), debtor("Ada Beispiel"))]),
            creditor: Creditor {
                id: id("lindenmoor"),
                zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
                region: id("DE-NW"),
                law: Law::De,
                channels: vec![Channel::Email, Channel::Letter],
                agencies: vec![id("nordinkasso")],
                complete_for_placement: true,
                base_rates: kulanz_domain::law::rates::RateTable::Germany.shipped().unwrap().into(),
            },
            card: CreditorCard {
                legal_name: "Lindenmoor Versand GmbH".to_owned(),
                address: PostalAddress {
                    street: "Gartenallee 12".to_owned(),
                    postcode: "48143".to_owned(),
                    city: "Münster".to_owned(),
                    region: None,
                    country: Some("DE".to_owned()),
                },
                iban: "DE89370400440532013000".to_owned(),
                input_tax_deduction: true,
                support_email: "service@lindenmoor.example".to_owned(),
                support_phone: "+49 221 4710 123".to_owned(),
            },
            at: id("2026-04-02T10:00:00Z"),
        }
    }

    pub(super) fn moment(&self) -> (Timestamp, &jiff::tz::TimeZone) {
        (self.at, &self.creditor.zone)
    }

    pub(super) fn invoice(&mut self, invoice: &str, amount: Money) {
        self.account.apply_event(&E::InvoiceIssued {
            invoice: Invoice {
                invoice: id(invoice),
                issued_on: id("2026-01-03"),
                due_on: id("2026-01-17"),
                amount,
                contract_on: Some(id("2026-01-02")),
                contract_object_known: true,
                contract_rate: None,
                received_on: None,
                due_date_agreed: false,
                late_payment_notice: false,
                supply: Supply::GoodsServices,
                consumer_credit: false,
            },
            recorded_at: id("2026-01-03T08:00:00Z"),
        });
        let words = json!({
            "contract_object": "Gartenbank",
            "document_url": format!("https://lindenmoor.example/{invoice}.pdf"),
        });
        self.secrets.insert(format!("invoice/{invoice}"), words);
    }

    pub(super) fn payment(&mut self, payment: &str, on: &str, amount: &str) {
        self.account.apply_event(&E::PaymentReceived {
            payment: id(payment),
            booked_on: id(on),
            amount: eur(amount),
            method: "transfer".to_owned(),
            invoice: Some(id("R-1")),
        });
        let bank = json!({ "payer_name": "anna", "payer_iban": "DE02120300000000202051" });
        self.secrets.insert(format!("payment/{payment}"), bank);
    }

    fn notice(&mut self, notice: &str, step: &str, channel: Channel, at: &str, until: &str) {
        self.account.apply_event(&E::NoticeDecided(Box::new(NoticeDecided {
            notice: id(notice),
            policy: policy(),
            step: id(step),
            kind: "mahnung".to_owned(),
            text: step.to_owned(),
            persona: id("everybody"),
            persona_because: None,
            arms: Vec::new(),
            language: "de".to_owned(),
            tone: "friendly".to_owned(),
            channel,
            passed_over: Vec::new(),
            pay_with: Vec::new(),
            currency: Currency::EUR,
            claims: vec![NoticeClaim {
                invoice: id("R-1"),
                step: id(step),
                principal: eur("89.90").amount,
                fees: Decimal::ZERO,
                interest: Decimal::ZERO,
                starts_default: false,
            }],
            fee: None,
            lump_sums: Vec::new(),
            interest_to: None,
            deadline: None,
            overrides: Vec::new(),
            plans: Vec::new(),
            late_since: None,
            at: id(at),
        })));
        self.account.apply_event(&E::NoticeSent {
            notice: id(notice),
            at: id(at),
            deadline: Some(id(until)),
        });
    }

    /// One claim with a returned debit, a dispute, a hold, three messages, a part payment, a
    /// broken promise and a broken plan, handed over.
    pub(super) fn full() -> Self {
        let mut story = Self::empty();
        story.invoice("R-1", eur("89.90"));
        story.payment("Z-1", "2026-01-18", "89.90");
        let facts = [
            E::ReminderReported {
                notice: id("shop-77"),
                channel: Channel::Email,
                at: id("2026-01-20T09:00:00Z"),
                invoices: vec![id("R-1")],
                counts_as: Some(id("reminder")),
                starts_default: false,
                came_back: false,
            },
            E::DisputeOpened {
                dispute: id("D-1"),
                invoice: id("R-1"),
                on: id("2026-01-22"),
                amount: None,
                at: None,
            },
            E::HoldPlaced {
                hold: id("H-1"),
                invoice: None,
                owner: "service".to_owned(),
                until: None,
                on: id("2026-01-23"),
                at: None,
            },
            E::HoldReleased { hold: id("H-1"), at: None },
            E::PaymentReturned {
                payment: id("Z-1"),
                on: id("2026-01-25"),
                amount: None,
                reason: "AM04".to_owned(),
                fee: Some(eur("3.50").amount),
                at: None,
            },
            E::DisputeResolved {
                dispute: id("D-1"),
                invoice: id("R-1"),
                on: id("2026-02-01"),
                outcome: DisputeOutcome::Rejected,
                amount: None,
                at: None,
            },
            E::PromiseMade {
                promise: id("V-1"),
                until: id("2026-02-09"),
                open: vec![eur("89.90")],
                on: id("2026-02-02"),
            },
            E::PromiseBroken { promise: id("V-1"), on: None },
        ];
        facts.iter().for_each(|fact| story.account.apply_event(fact));
        // 23:30 UTC is the next day in Münster.
        story.notice("N-1", "mahnung1", Channel::Email, "2026-02-09T23:30:00Z", "2026-02-20");
        story.payment("Z-2", "2026-02-20", "23.50");
        story.notice("N-2", "mahnung2", Channel::Letter, "2026-03-02T09:00:00Z", "2026-03-12");
        let follows = [
            E::NoticeReceipt {
                notice: id("N-1"),
                channel: Channel::Email,
                at: id("2026-02-09T23:31:00Z"),
                receipt: Receipt::Delivered,
            },
            E::DefaultBegins { invoice: id("R-1"), notice: id("N-1"), from: id("2026-02-21") },
            E::FeeCharged {
                invoice: id("R-1"),
                kind: kulanz_domain::event::FeeKind::Reminder,
                notice: id("N-2"),
                on: id("2026-03-02"),
                amount: eur("2.50").amount,
            },
            E::PlanAgreed {
                plan: id("T-1"),
                claims: vec![id("R-1")],
                currency: Currency::EUR,
                rates: vec![
                    Rate { due_on: id("2026-03-10"), amount: eur("30.00").amount },
                    Rate { due_on: id("2026-04-10"), amount: eur("42.40").amount },
                ],
                on: id("2026-03-03"),
            },
            E::PlanBroken { plan: id("T-1"), on: None },
        ];
        follows.iter().for_each(|fact| story.account.apply_event(fact));
        story.secrets.insert(
            "dispute/D-1".to_owned(),
            json!({ "reason": "Ich habe nur einen Stuhl bekommen." }),
        );
        story.secrets.insert("hold/H-1".to_owned(), json!({ "reason": "liegt im Krankenhaus" }));
        story.release(&["R-1"]);
        story
    }

    /// Hands `claims` over with what the books say now.
    pub(super) fn release(&mut self, claims: &[&str]) {
        let claims: Vec<InvoiceId> = claims.iter().map(|claim| id(claim)).collect();
        let (mut amounts, mut interest) = (Vec::new(), Vec::new());
        let today = kulanz_domain::calendar::day_in(self.at, &self.creditor.zone);
        for currency in self.account.currencies() {
            let book = Book::of(&self.account, currency);
            let columns = claims.iter().filter_map(|claim| book.claim(claim));
            for one in columns {
                amounts.push((one.invoice.clone(), one.outstanding, one.fees));
                let to = one.interest_to(today);
                interest.extend(to.map(|to| (one.invoice.clone(), one.interest_on(today), to)));
            }
        }
        self.account.apply_event(&E::HandoffDue {
            placement: self.placement.clone(),
            agency: id("nordinkasso"),
            claims,
            step: id("hand_off"),
            release: Release::FourEyes,
            policy: policy(),
            missing: Vec::new(),
        });
        self.account.apply_event(&E::PlacementReleased {
            placement: self.placement.clone(),
            by: "anna".to_owned(),
            at: self.at,
            amounts,
            interest,
        });
    }

    pub(super) fn handoff(&self) -> Handoff<'_> {
        Handoff {
            id: &self.id,
            account: &self.account,
            placement: &self.placement,
            secrets: &self.secrets,
            creditor: &self.creditor,
            card: &self.card,
            at: self.at,
        }
    }

    pub(super) fn build(&self) -> Result<PlacementData, NotReady> {
        build(&self.handoff())
    }

    pub(super) fn recall(&self) -> Recall {
        let placed = &self.account.placements[&self.placement];
        Recall::new(&self.id, &self.placement, placed, Suppression::Paid, self.at)
    }

    pub(super) fn erased(&self) -> Erased {
        let placed = &self.account.placements[&self.placement];
        Erased {
            format: FORMAT,
            placement: self.placement.clone(),
            agency: placed.agency.clone(),
            creditor: self.id.creditor.clone(),
            erased_at: self.at,
        }
    }

    /// Sum of what the payments were used for on `claims`, straight from the books.
    pub(super) fn used(book: &Book<'_>, claims: &[InvoiceId]) -> Decimal {
        let ours = |part: &&Allocation| claims.contains(&part.invoice);
        book.used.values().flatten().filter(ours).map(|part| part.amount).sum()
    }
}

//! Whatever happened to an account, the table, the JSON, the manifest and the books agree.

use kulanz_domain::{
    accrual::InterestTerms, event::AccountEvent as E, fact::*, law::interest::DayCount,
    policy::InterestClaimed, statement::Statement,
};
use proptest::{collection::vec, prelude::*};

use super::{read, story::*};
use crate::placement::*;

#[derive(Debug, Clone)]
enum Thing {
    Adjust(u8, i64),
    Credit(u8, i64),
    Pay(Option<u8>, i64, u8),
    Return(u8, Option<i64>),
    Fee(u8, i64),
    Waive(u8, Option<i64>),
    WriteOff(u8, i64),
    Dispute(u8, DisputeOutcome, i64),
}

fn thing() -> impl Strategy<Value = Thing> {
    let which = 0..6u8;
    let cents = 1..20_000i64;
    let outcome = prop_oneof![
        Just(DisputeOutcome::Upheld),
        Just(DisputeOutcome::Rejected),
        Just(DisputeOutcome::Partly)
    ];
    prop_oneof![
        (which.clone(), cents.clone()).prop_map(|(at, to)| Thing::Adjust(at, to)),
        (which.clone(), cents.clone()).prop_map(|(at, by)| Thing::Credit(at, by)),
        (proptest::option::of(which.clone()), cents.clone(), 1..28u8)
            .prop_map(|(at, by, day)| Thing::Pay(at, by, day)),
        (0..12u8, proptest::option::of(1..900i64)).prop_map(|(at, fee)| Thing::Return(at, fee)),
        (which.clone(), 1..500i64).prop_map(|(at, by)| Thing::Fee(at, by)),
        (which.clone(), proptest::option::of(cents.clone()))
            .prop_map(|(at, by)| Thing::Waive(at, by)),
        (which.clone(), cents.clone()).prop_map(|(at, by)| Thing::WriteOff(at, by)),
        (which, outcome, cents).prop_map(|(at, how, left)| Thing::Dispute(at, how, left)),
    ]
}

fn name(at: u8) -> InvoiceId {
    id(&format!("R-{at}"))
}

/// Claims 4 and 5 are in yen, the others in euros.
fn currency(at: u8) -> Currency {
    if at >= 4 { Currency::JPY } else { Currency::EUR }
}

fn amount(at: u8, cents: i64) -> Money {
    let scale = if at >= 4 { 0 } else { 2 };
    Money::new(Decimal::new(cents, scale), currency(at))
}

fn happen(story: &mut Story, number: usize, thing: &Thing) {
    let on = id("2026-02-01");
    let stamp = Stamp { at: story.at, id: format!("shop#{number}") };
    let event = match thing {
        Thing::Adjust(at, to) => {
            E::InvoiceAdjusted { invoice: name(*at), stamp, on, amount: amount(*at, *to) }
        }
        Thing::Credit(at, by) => E::InvoiceCredited {
            invoice: name(*at),
            credit: id(&format!("G-{number}")),
            on,
            amount: amount(*at, *by),
        },
        Thing::Pay(at, by, day) => E::PaymentReceived {
            payment: id(&format!("Z-{number}")),
            booked_on: id(&format!("2026-03-{day:02}")),
            amount: amount(at.unwrap_or(0), *by),
            method: "card".to_owned(),
            invoice: at.map(name),
        },
        Thing::Return(at, fee) => E::PaymentReturned {
            payment: id(&format!("Z-{at}")),
            on: id("2026-03-29"),
            amount: None,
            reason: "AM04".to_owned(),
            fee: fee.map(|fee| Decimal::new(fee, 0)),
            at: None,
        },
        Thing::Fee(at, by) => E::FeeCharged {
            invoice: name(*at),
            kind: kulanz_domain::event::FeeKind::Reminder,
            notice: id(&format!("N-{number}")),
            on,
            amount: amount(*at, *by).amount,
        },
        Thing::Waive(at, by) => E::GivenUp {
            invoice: name(*at),
            stamp,
            on,
            amount: by.map(|by| amount(*at, by).amount),
            part: None,
            written_off: false,
        },
        Thing::WriteOff(at, by) => E::GivenUp {
            invoice: name(*at),
            stamp,
            on,
            amount: Some(amount(*at, *by).amount),
            part: Some(Part::Principal),
            written_off: true,
        },
        Thing::Dispute(at, outcome, left) => E::DisputeResolved {
            dispute: id(&format!("D-{at}")),
            invoice: name(*at),
            on,
            outcome: *outcome,
            amount: Some(amount(*at, *left).amount),
            at: None,
        },
    };
    if let Thing::Dispute(at, ..) = thing {
        let (dispute, invoice) = (id(&format!("D-{at}")), name(*at));
        story.account.apply_event(&E::DisputeOpened {
            dispute,
            invoice,
            on,
            amount: None,
            at: None,
        });
    }
    story.account.apply_event(&event);
}

fn sum(rows: &[BTreeMap<String, String>], currency: Currency, column: &str) -> Decimal {
    let ours = rows.iter().filter(|row| row["currency"] == currency.code());
    ours.map(|row| row[column].parse::<Decimal>().unwrap()).sum()
}

fn sum_of(claims: &[&Value], member: &str) -> Decimal {
    claims.iter().map(|claim| claim[member].as_str().unwrap().parse::<Decimal>().unwrap()).sum()
}

/// Interest runs on all claims since 20 January.
fn bears_interest(story: &mut Story) {
    for currency in [Currency::EUR, Currency::JPY] {
        story.account.apply_event(&E::InterestTermsSet(InterestTerms {
            currency,
            from: jiff::civil::Date::MIN,
            seat: story.creditor.seat(),
            claimed: InterestClaimed::Statutory,
            count: DayCount::ActAct,
            last_day_counts: true,
        }));
    }
    let rates = story.creditor.base_rates.rows().filter(|(day, _)| day.year() >= 2026).collect();
    story.account.apply_event(&E::BaseRatesTaken { rates });
    for at in 0..6 {
        let (invoice, from) = (name(at), id("2026-01-20"));
        story.account.apply_event(&E::DefaultDeclared { invoice, from, ground: "x".to_owned() });
    }
}

proptest! {
    #[test]
    fn table_json_manifest_and_books_have_the_same_sums(
        invoiced in vec(1..30_000i64, 6),
        things in vec(thing(), 0..40),
        placed in proptest::sample::subsequence(vec![0u8, 1, 2, 3, 4, 5], 1..=6),
        interest in any::<bool>(),
    ) {
        let mut story = Story::empty();
        for (at, cents) in (0u8..).zip(&invoiced) {
            story.invoice(&format!("R-{at}"), amount(at, *cents));
        }
        if interest {
            bears_interest(&mut story);
        }
        for (number, thing) in things.iter().enumerate() {
            happen(&mut story, number, thing);
        }
        let claims: Vec<InvoiceId> = placed.iter().map(|at| name(*at)).collect();
        let names: Vec<&str> = claims.iter().map(InvoiceId::as_str).collect();
        story.release(&names);
        let data = story.build().unwrap();
        let read = read(&data);

        prop_assert_eq!(read.rows.len(), claims.len());
        prop_assert_eq!(&read.manifest["totals"], &read.claims["totals"]);
        let mut seen = 0;
        for totals in read.manifest["totals"].as_array().unwrap() {
            let currency = Currency::from_code(totals["currency"].as_str().unwrap()).unwrap();
            let book = Book::of(&story.account, currency);
            let columns: Vec<_> = claims.iter().filter_map(|claim| book.claim(claim)).collect();
            let entries: Vec<&Value> = read.claims["claims"].as_array().unwrap().iter()
                .filter(|claim| claim["currency"] == currency.code()).collect();
            let told = |member: &str| totals[member].as_str().unwrap().parse::<Decimal>().unwrap();

            prop_assert_eq!(totals["claims"].as_u64().unwrap() as usize, columns.len());
            let principal: Decimal = columns.iter().map(|column| column.outstanding).sum();
            let fees: Decimal = columns.iter().map(|column| column.fees).sum();
            let today = jiff::civil::date(2026, 4, 2);
            let owed: Decimal = columns.iter().map(|column| column.interest_on(today)).sum();
            let statement = Statement::of(&story.account, currency, story.creditor.seat(), today);
            let placed = statement.claims.iter().filter(|claim| claims.contains(&claim.invoice));
            prop_assert_eq!(placed.map(|claim| claim.open).sum::<Decimal>(), principal + fees + owed);
            for (member, column, booked) in [
                ("principal", "open_principal", principal),
                ("fees", "open_fees", fees),
                ("interest", "interest", owed),
                ("total", "open_total", principal + fees + owed),
            ] {
                prop_assert_eq!(told(member), booked, "manifest {}", member);
                prop_assert_eq!(sum(&read.rows, currency, column), booked, "csv {}", column);
                if column != "interest" {
                    prop_assert_eq!(sum_of(&entries, column), booked, "json {}", column);
                }
            }
            let paid = Story::used(&book, &claims);
            prop_assert_eq!(told("payments"), paid);
            let paid_columns = sum(&read.rows, currency, "paid_principal")
                + sum(&read.rows, currency, "paid_fees")
                + sum(&read.rows, currency, "paid_interest");
            prop_assert_eq!(paid_columns, paid);
            seen += columns.len();
        }
        prop_assert_eq!(seen, claims.len());

        for claim in read.claims["claims"].as_array().unwrap() {
            let of = |member| sum_of(&[claim], member);
            let costs: Vec<&Value> = claim["costs"].as_array().unwrap().iter().collect();
            prop_assert_eq!(sum_of(&costs, "amount"), of("fees_charged"));
            let gone = ["credited", "remitted", "waived", "written_off", "paid_principal",
                "paid_fees", "paid_interest", "open_principal", "open_fees"];
            let owed: Vec<&Value> = vec![&claim["interest"]];
            let gone = gone.map(of).iter().sum::<Decimal>() + sum_of(&owed, "amount");
            let charged = of("principal") + of("fees_charged") + of("interest_charged");
            prop_assert_eq!(charged, gone);
            let segments = claim["interest"]["segments"].as_array().unwrap();
            let segments: Vec<&Value> = segments.iter().collect();
            prop_assert_eq!(sum_of(&segments, "amount"), of("interest_charged"));
        }
    }

    #[test]
    fn any_text_comes_back_from_the_table_and_is_no_formula(text in "\\PC{1,40}|[=+@;\"'\t\r\n-]{1,6}x") {
        prop_assume!(!text.trim().is_empty());
        let mut story = Story::full();
        story.secrets.insert("debtor".to_owned(), debtor(&text));
        let data = story.build().unwrap();
        let cell = &read(&data).rows[0]["debtor_name"];
        prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
        prop_assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), &text);
    }
}

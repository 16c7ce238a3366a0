//! `kulanz law allocate`.

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::civil::Date;
use kulanz_domain::{
    fact::Part,
    law::allocation::{Allocated, Debt, by_law, to_designated_first},
    money::{self, Currency, Decimal, Money},
};
use serde_json::{Value, json};

use super::derivation::{amount, decimal, print, print_json, table};
use crate::house::machine_day;

pub const EXAMPLES: &str = "\
Examples:
  kulanz law allocate 250.00 --debt principal=500.00,costs=42.90,interest=11.37
  kulanz law allocate 400.00 --on 2026-01-01 \\
    --debt id=A,due=2025-01-15,rate=6.27,principal=300.00,costs=5.00,interest=10.00 \\
    --debt id=B,due=2025-03-15,rate=6.27,principal=200.00,interest=4.00
  kulanz law allocate 1000.00 --consumer-credit --debt principal=3000.00,interest=120.00

A debt has id, due, principal, costs, interest, rate (percent a year), security (0: none; less comes
first), disputed (yes) and currency.";

/// The payment and the debts.
#[derive(Debug, Args)]
pub struct Options {
    /// Amount paid
    payment: String,
    /// A debt, as often as there are any
    #[arg(long = "debt", required = true, value_name = "NAME=VALUE,…")]
    debts: Vec<String>,
    /// Day of the payment; today where left out
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    on: Option<Date>,
    /// Id of the debt that the debtor meant
    #[arg(long, value_name = "ID")]
    designated: Option<String>,
    /// Consumer credit: costs, principal, interest (§ 497 (3) BGB)
    #[arg(long)]
    consumer_credit: bool,
    /// Currency
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A debt with its name.
#[derive(Debug, Clone)]
pub struct Named {
    /// Name.
    pub id: String,
    /// The debt.
    pub debt: Debt,
}

/// How a payment is used: by designation, what is left by law over the others.
pub fn allocate(
    debts: &[Named],
    payment: Decimal,
    designated: Option<usize>,
    decimals: u32,
) -> Allocated {
    let plain: Vec<Debt> = debts.iter().map(|named| named.debt.clone()).collect();
    match designated {
        Some(at) => to_designated_first(&plain, at, payment, decimals),
        None => by_law(&plain, payment, decimals),
    }
}

/// What of `allocated` went to a part of a debt.
pub fn applied(allocated: &Allocated, debt: usize, part: Part) -> Decimal {
    let ours = allocated.applied.iter().filter(|one| one.debt == debt && one.part == part);
    ours.map(|one| one.amount).sum()
}

/// Answers.
pub fn run(options: &Options) -> Result<()> {
    let currency = money::currency(&options.currency)?;
    let on = options.on.unwrap_or_else(machine_day);
    let payment = amount(&options.payment, currency).context("payment")?;
    let mut debts: Vec<Named> = Vec::new();
    for (at, text) in options.debts.iter().enumerate() {
        let debt = read(text, at, currency, on, options.consumer_credit)
            .with_context(|| format!("debt {} (`{text}`)", at + 1))?;
        if debts.iter().any(|other| other.id == debt.id) {
            bail!("two debts are called `{}`", debt.id);
        }
        debts.push(debt);
    }
    let designated = match &options.designated {
        None => None,
        Some(id) => Some(debts.iter().position(|debt| debt.id == *id).with_context(|| {
            let ids: Vec<&str> = debts.iter().map(|debt| debt.id.as_str()).collect();
            format!("no debt is called `{id}`; there are {}", ids.join(", "))
        })?),
    };
    let allocated = allocate(&debts, payment, designated, money::decimals(currency).unwrap_or(2));
    let lines = derivation(&debts, Money::new(payment, currency), &allocated, designated);
    match options.json {
        true => print_json(&row(&debts, &allocated, currency, &lines)),
        false => {
            print(&lines);
            Ok(())
        }
    }
}

fn read(
    text: &str,
    at: usize,
    currency: Currency,
    on: Date,
    consumer_credit: bool,
) -> Result<Named> {
    let mut named = Named {
        id: (at + 1).to_string(),
        debt: Debt {
            costs: Decimal::ZERO,
            interest: Decimal::ZERO,
            principal: Decimal::ZERO,
            due: true,
            disputed: false,
            security: 0,
            rate: Decimal::ZERO,
            due_on: on,
            consumer_credit,
        },
    };
    let debt = &mut named.debt;
    for pair in text.split(',') {
        let (name, value) =
            pair.split_once('=').with_context(|| format!("`{pair}` is not NAME=VALUE"))?;
        match name.trim() {
            "id" => value.clone_into(&mut named.id),
            "due" => {
                debt.due_on = value
                    .parse()
                    .ok()
                    .with_context(|| format!("due: `{value}` is no day (YYYY-MM-DD)"))?;
                debt.due = debt.due_on <= on;
            }
            "principal" => debt.principal = amount(value, currency).context("principal")?,
            "costs" => debt.costs = amount(value, currency).context("costs")?,
            "interest" => debt.interest = amount(value, currency).context("interest")?,
            "rate" => debt.rate = decimal(value).map_err(anyhow::Error::msg).context("rate")?,
            "security" => debt.security = value.parse().context("security is a whole number")?,
            "disputed" => debt.disputed = matches!(value, "yes" | "true"),
            "currency" if value == currency.code() => {}
            "currency" => bail!("{value} and {} cannot be added", currency.code()),
            other => bail!("`{other}` is no part of a debt; see --help"),
        }
    }
    Ok(named)
}

const PARTS: [(Part, &str); 3] =
    [(Part::Fees, "costs"), (Part::Interest, "interest"), (Part::Principal, "principal")];

fn open(debt: &Debt, part: Part) -> Decimal {
    match part {
        Part::Fees => debt.costs,
        Part::Interest => debt.interest,
        Part::Principal => debt.principal,
    }
}

fn row(debts: &[Named], allocated: &Allocated, currency: Currency, lines: &[String]) -> Value {
    let (mut used, mut remaining) = (json!({}), json!({}));
    for (at, named) in debts.iter().enumerate() {
        for (part, name) in PARTS {
            let amount = applied(allocated, at, part);
            used[&named.id][name] = money::plain(amount, currency).into();
            remaining[&named.id][name] =
                money::plain(open(&named.debt, part) - amount, currency).into();
        }
    }
    json!({ "applied": used, "remaining": remaining, "overpaid": money::plain(allocated.rest, currency),
            "implied_designation": allocated.implied, "explanation": lines })
}

fn derivation(
    debts: &[Named],
    payment: Money,
    allocated: &Allocated,
    designated: Option<usize>,
) -> Vec<String> {
    let plain = |amount| money::plain(amount, payment.currency);
    let rows: Vec<Vec<String>> = debts
        .iter()
        .enumerate()
        .flat_map(|(at, named)| {
            PARTS.iter().map(move |&(part, name)| {
                let (open, used) = (open(&named.debt, part), applied(allocated, at, part));
                vec![
                    named.id.clone(),
                    name.to_owned(),
                    plain(open),
                    plain(used),
                    plain(open - used),
                ]
            })
        })
        .collect();
    let order = match (designated, debts) {
        (Some(_), _) => "The debtor named the debt (§ 366 (1) BGB)",
        (None, [_]) => "One debt",
        _ => {
            "Order: due before not due, less secured, more burdensome, older, equally old ones pro \
             rata (§ 366 (2) BGB); what is disputed comes last"
        }
    };
    let parts = match debts.iter().any(|named| named.debt.consumer_credit) {
        true => "Within a debt: costs, principal, interest (§ 497 (3) BGB)",
        false => "Within a debt: costs, interest, principal (§ 367 (1) BGB)",
    };
    let mut lines = vec![format!("Payment of {payment}"), order.into(), parts.into()];
    if allocated.implied {
        lines.push(
            "The amount is one debt's principal to the cent: taken as naming it (disputed in law)"
                .to_owned(),
        );
    }
    lines.extend(table(&["debt", "part", "open", "paid", "remains"], &rows));
    if allocated.rest > Decimal::ZERO {
        lines.push(format!("Overpaid: {}", plain(allocated.rest)));
    }
    lines
}

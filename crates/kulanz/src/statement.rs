//! `kulanz account statement`: each line that makes up what is owed, for people and as JSON.

use anyhow::{Result, bail};
use jiff::civil::Date;
use kulanz_domain::{
    Account, AccountEvent,
    book::Book,
    event::Allocation,
    fact::Part,
    ids::{AccountId, InvoiceId},
    law::{DefaultGround, Seat},
    money::{Currency, Decimal, plain},
    statement::{ClaimStatement, InterestLine, PaymentLine, Statement, What},
    watch::limitation_of,
};
use serde_json::{Value, json};

use crate::{
    account::open,
    house::{Places, load_policies, machine_day},
};

/// Prints the statement of an account as of a day, by what is known today of the time up to it.
pub async fn run(
    places: &Places,
    id: &AccountId,
    as_of: Option<Date>,
    as_json: bool,
) -> Result<()> {
    let today = machine_day();
    let loaded = load_policies(&places.config, today)?;
    let Some(creditor) = loaded.creditors.get(&id.creditor) else {
        bail!("there is no file policies/creditors/{}.yaml", id.creditor);
    };
    let seat = creditor.creditor.seat();
    let opened = open(places, id).await?;
    let as_of = as_of.unwrap_or(today);
    let events = opened.store.stream(id.clone(), 0).await?;
    let events = events.iter().map(|event| serde_json::from_str::<AccountEvent>(&event.payload));
    let events = events.collect::<Result<Vec<_>, _>>()?;
    let account = Account::as_of(&events, as_of);
    let statements: Vec<Statement> = account
        .currencies()
        .into_iter()
        .map(|currency| Statement::of(&account, currency, seat, as_of))
        .collect();
    if as_json {
        let statements = statements.iter().map(|one| with_limitation(&account, one, seat));
        let statements = statements.collect::<Result<Vec<_>>>()?;
        let all = json!({ "account": id, "as_of": as_of, "statements": statements });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    println!("Statement of {id} as of {as_of}");
    if statements.is_empty() {
        println!("\nnothing was invoiced by then");
    }
    for statement in &statements {
        print(&account, statement, seat);
    }
    Ok(())
}

fn act_by(account: &Account, invoice: &InvoiceId, currency: Currency, seat: Seat) -> Option<Date> {
    limitation_of(account, invoice, &Book::of(account, currency), seat)?.act_by
}

fn with_limitation(account: &Account, statement: &Statement, seat: Seat) -> Result<Value> {
    let mut value = serde_json::to_value(statement)?;
    for (claim, row) in
        statement.claims.iter().zip(value["claims"].as_array_mut().into_iter().flatten())
    {
        row["act_by"] = json!(act_by(account, &claim.invoice, statement.currency, seat));
    }
    Ok(value)
}

fn print(account: &Account, statement: &Statement, seat: Seat) {
    let currency = statement.currency;
    for claim in &statement.claims {
        println!("\n{}", head(claim));
        for line in &claim.lines {
            row(&line.on.to_string(), &said(&line.what, currency), line.amount, currency);
        }
        row("", "open", claim.open, currency);
        if let Some(to) = claim.interest_to.filter(|to| *to < statement.as_of) {
            println!("  interest is counted up to {to}");
        }
        if !claim.open.is_zero()
            && let Some(day) = act_by(account, &claim.invoice, currency, seat)
        {
            println!("  the last day to act is {day} (§§ 195 to 214 BGB)");
        }
    }
    if !statement.payments.is_empty() {
        println!("\nPayments");
    }
    for payment in &statement.payments {
        let used = used(&payment.used, currency);
        let what = format!("{} by {}{}", payment.payment, payment.method, went_back(payment));
        row(&payment.booked_on.to_string(), &what, payment.received, currency);
        let flag = if payment.implied { " (meant by its amount, § 366 BGB)" } else { "" };
        println!("  {:<12}used for {used}{flag}", "");
    }
    println!();
    row(currency.code(), "open in all", statement.open, currency);
    if !statement.unallocated.is_zero() {
        row("", "waits as credit", statement.unallocated, currency);
    }
}

/// As wide as the longest line of interest; narrow terminals wrap it.
fn row(on: &str, what: &str, amount: Decimal, currency: Currency) {
    println!("  {on:<12}{what:<84} {:>12}", plain(amount, currency));
}

fn head(claim: &ClaimStatement) -> String {
    let mut head = format!("{}  issued {}, due {}", claim.invoice, claim.issued_on, claim.due_on);
    for stretch in &claim.default {
        let ground = match stretch.ground {
            DefaultGround::Declared => "as the creditor declared, § 286 (2) BGB",
            DefaultGround::AgreedDate => "the agreed day had passed, § 286 (2) no. 1 BGB",
            DefaultGround::ThirtyDays => "30 days after due date and receipt, § 286 (3) BGB",
            DefaultGround::Notice => "by a Mahnung, § 286 (1) BGB",
        };
        let to = stretch.to.map(|to| format!(" to {to}")).unwrap_or_default();
        head += &format!("\n  in default from {}{to}: {ground}", stretch.from);
    }
    head
}

fn went_back(payment: &PaymentLine) -> String {
    match payment.received == payment.net {
        true => String::new(),
        false => format!(", of which {} stayed", payment.net),
    }
}

const fn part_name(part: Part) -> &'static str {
    match part {
        Part::Fees => "fees",
        Part::Interest => "interest",
        Part::Principal => "principal",
    }
}

fn used(parts: &[Allocation], currency: Currency) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|one| {
            let amount = plain(one.amount, currency);
            format!("{amount} {} of {}", part_name(one.part), one.invoice)
        })
        .collect();
    if parts.is_empty() { "nothing yet".to_owned() } else { parts.join(", ") }
}

fn said(what: &What, currency: Currency) -> String {
    match what {
        What::Invoiced => "invoice".to_owned(),
        What::Adjusted => "invoice corrected".to_owned(),
        What::Cancelled => "invoice cancelled".to_owned(),
        What::Credited { credit } => format!("credit note {credit}"),
        What::Remitted => "dispute decided for the debtor".to_owned(),
        What::Fee { notice } => format!("fee of message {notice}"),
        What::LumpSum { notice } => format!("lump sum with message {notice} (§ 288 (5) BGB)"),
        What::BankFee { payment } => format!("bank's fee for the return of {payment}"),
        What::Interest(line) => interest(line, currency),
        What::Paid { payment, part } => format!("paid by {payment}: {}", part_name(*part)),
        What::Waived { part } => format!("waived: {}", part_name(*part)),
        What::WrittenOff { part } => format!("written off: {}", part_name(*part)),
    }
}

fn interest(line: &InterestLine, currency: Currency) -> String {
    let rate = match line.base_percent {
        Some(base) => format!("{} % (base rate {base} %)", line.percent),
        None => format!("{} %", line.percent),
    };
    format!(
        "interest from {}: {} days of {} at {rate} on {}",
        line.from,
        line.days,
        line.year_days,
        plain(line.principal, currency)
    )
}

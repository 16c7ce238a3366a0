//! Refuses orders that would be taken and mean nothing, or something else than was meant.

use anyhow::{Result, bail};
use jiff::civil::Date;
use kulanz_domain::{
    Account,
    book::Book,
    fact::Part,
    ids::InvoiceId,
    money::{Decimal, Money},
};

/// Who reads it later has nothing else to go by.
pub fn reason(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        bail!("the reason is empty: say in a few words why");
    }
    Ok(())
}

/// A last day that is over would end what has not begun.
pub fn last_day(until: Option<Date>, today: Date) -> Result<()> {
    match until {
        Some(day) if day < today => bail!("{day} has passed: name today or a later day"),
        _ => Ok(()),
    }
}

/// What is given up is an amount above zero, and no more than is open: less than nothing would be a
/// debt that nobody has, and more is a slip of the keyboard that would cost the whole claim.
pub fn given_up(
    account: &Account,
    invoice: &InvoiceId,
    (amount, part): (Option<Decimal>, Option<Part>),
    today: Date,
) -> Result<()> {
    let issued = account.claims.get(invoice).and_then(|claim| claim.invoice.as_ref());
    let Some(currency) = issued.map(|issued| issued.amount.currency) else { return Ok(()) };
    if let Some(amount) = amount.filter(|amount| *amount <= Decimal::ZERO) {
        bail!("{amount} cannot be given up: name an amount above zero");
    }
    let amount = amount.map(|amount| Money::parse(&amount.to_string(), currency)).transpose()?;
    let book = Book::of(account, currency);
    let Some(column) = book.claim(invoice) else { return Ok(()) };
    let (open, of) = match part {
        None => (column.open_on(today), ""),
        Some(Part::Principal) => (column.outstanding, "the principal of "),
        Some(Part::Fees) => (column.fees, "the fees of "),
        Some(Part::Interest) => (column.interest_on(today), "the interest on "),
    };
    match amount {
        _ if open.is_zero() => bail!("nothing is open of {of}{invoice}"),
        Some(amount) if amount.amount > open => {
            bail!("only {} is open of {of}{invoice}", Money::new(open, currency))
        }
        _ => Ok(()),
    }
}

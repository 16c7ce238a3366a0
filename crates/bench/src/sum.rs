//! An independent sum over event files, to the cent: plain JSON and whole numbers, nothing of
//! the rest of Kulanz.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::BufRead,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Invoiced with the latest adjustments and without cancelled claims, and received less returned
/// and refunded, in cents, by currency.
pub type Sums = BTreeMap<String, (i128, i128)>;

#[derive(Default)]
struct Claim {
    issued: Option<(String, i128)>,
    /// Time, `source#id` and amount of the latest adjustment.
    adjusted: Option<(i128, String, i128)>,
    cancelled: bool,
}

#[derive(Default)]
struct Payment {
    received: Option<(String, i128)>,
    /// What went back; `None`: all of it.
    back: Vec<Option<i128>>,
}

/// Adds up the events in `lines`, each of them once.
pub fn of(lines: impl BufRead) -> Result<Sums> {
    let mut seen = HashSet::new();
    let mut claims: HashMap<(String, String), Claim> = HashMap::new();
    let mut payments: HashMap<(String, String), Payment> = HashMap::new();
    for line in lines.lines() {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        let event: Value = serde_json::from_str(&line)?;
        let text = |name: &str| event[name].as_str().map(str::to_owned).context("a member");
        if !seen.insert((text("source")?, text("id")?)) {
            continue;
        }
        let data = &event["data"];
        let stamp = format!("{}#{}", text("source")?, text("id")?);
        // Claims are the account's, payments are the creditor's.
        let claim = || (text("subject").unwrap_or_default(), plain(&data["invoice"]));
        let payment = || (plain(&data["creditor"]), plain(&data["payment"]));
        let amount = || Ok::<_, anyhow::Error>((plain(&data["currency"]), cents(&data["amount"])?));
        match text("type")?.as_str() {
            "kulanz.invoice.issued.v1" => {
                claims.entry(claim()).or_default().issued = Some(amount()?);
            }
            "kulanz.invoice.adjusted.v1" => {
                let at = text("time")?.parse::<jiff::Timestamp>()?.as_nanosecond();
                let told = (at, stamp, amount()?.1);
                let latest = &mut claims.entry(claim()).or_default().adjusted;
                if latest.as_ref().is_none_or(|known| (known.0, &known.1) < (told.0, &told.1)) {
                    *latest = Some(told);
                }
            }
            "kulanz.invoice.cancelled.v1" => claims.entry(claim()).or_default().cancelled = true,
            "kulanz.payment.received.v1" => {
                payments.entry(payment()).or_default().received = Some(amount()?);
            }
            "kulanz.payment.returned.v1" | "kulanz.payment.refunded.v1" => {
                let amount = match &data["amount"] {
                    Value::Null => None,
                    amount => Some(cents(amount)?),
                };
                payments.entry(payment()).or_default().back.push(amount);
            }
            _ => {}
        }
    }
    let mut sums = Sums::new();
    for claim in claims.into_values().filter(|claim| !claim.cancelled) {
        let Some((currency, issued)) = claim.issued else { continue };
        let principal = claim.adjusted.map_or(issued, |(_, _, amount)| amount);
        sums.entry(currency).or_default().0 += principal;
    }
    for payment in payments.into_values() {
        let Some((currency, received)) = payment.received else { continue };
        let back: i128 = payment.back.into_iter().map(|part| part.unwrap_or(received)).sum();
        sums.entry(currency).or_default().1 += (received - back).max(0);
    }
    Ok(sums)
}

fn plain(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Hundredths of `35`, `35.5` or `35.00`.
pub fn cents(value: &Value) -> Result<i128> {
    let text = value.as_str().context("an amount is a string")?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 2 {
        bail!("{text} has more than two decimals");
    }
    Ok(whole.parse::<i128>()? * 100 + format!("{fraction:0<2}").parse::<i128>()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::{history, synthetic};

    #[test]
    fn cents_are_read_without_floats() {
        let read = |text: &str| cents(&json!(text)).unwrap();
        assert_eq!((read("35"), read("35.5"), read("0.05")), (3500, 3550, 5));
        assert!(cents(&json!("1.005")).is_err());
        assert!(cents(&json!(1.5)).is_err());
    }

    #[test]
    fn a_back_test_and_the_independent_sum_agree_to_the_cent() {
        let folder = std::env::temp_dir().join(format!("kulanz-sum-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("events.ndjson");
        synthetic::write(&file, 500).unwrap();
        let shipped = history::Shipped::load(&history::policies()).unwrap();
        let outcome = history::back_test(&shipped, &file).unwrap();
        history::reconcile(&outcome.summary, &file).unwrap();
        let mut wrong = outcome.summary;
        wrong.currencies.get_mut("EUR").unwrap().paid += rust_decimal::Decimal::new(1, 2);
        assert!(history::reconcile(&wrong, &file).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn real_histories_agree_to_the_cent_where_they_are_at_hand() {
        let Some(folder) = std::env::var_os("KULANZ_HISTORIES") else {
            println!("KULANZ_HISTORIES names no folder: nothing to compare");
            return;
        };
        let shipped = history::Shipped::load(&history::policies()).unwrap();
        for name in ["road-fines-dev.ndjson.gz", "ibm-receivables.ndjson.gz"] {
            let file = std::path::Path::new(&folder).join(name);
            let outcome = history::back_test(&shipped, &file).unwrap();
            assert!(outcome.rejected.is_empty(), "{name}: {:?}", outcome.rejected.first());
            history::reconcile(&outcome.summary, &file).unwrap();
        }
    }
}

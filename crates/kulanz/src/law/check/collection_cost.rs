//! Worked examples of collection costs, and of the fee table.

use kulanz_domain::law::{CollectionCase, FeeTable, collection_cost};
use serde_json::{Value, json};

use super::{Computed, Difference, Entry, Malformed, Odd, Tables, Verdict, compare, entry};
use crate::law::{
    collection_cost::row,
    derivation::{cents, decimal},
};

/// `rvg_inkasso`.
pub fn run(entry: &Entry<'_>, tables: &Tables) -> Result<Computed, Odd> {
    let input = entry.within("input");
    let mandated_on = input.any_day(&["mandate_date", "mandated_on", "date"])?;
    let case = CollectionCase {
        value: input.amount("value")?,
        mandated_on: mandated_on.ok_or_else(|| Odd::unclear("`mandate_date` is missing"))?,
        factor: input
            .maybe_decimal("factor")?
            .ok_or_else(|| Odd::unclear("`factor` is missing"))?,
        undisputed: input.get("undisputed").is_none_or(|_| input.flag("undisputed"))
            && !input.flag("disputed"),
        extensive: input.flag("extensive") || input.flag("difficult"),
        settlement: input.flag("settlement"),
        vat: input.flag("vat"),
    };
    let found = collection_cost(&case, &tables.fees).map_err(Odd::refused)?;
    Ok(Computed { expected: entry.needs("expected")?.clone(), found: row(&found) })
}

/// `rvg_table`: one example for each value of each tariff.
pub fn table(tariffs: &Value, fees: &FeeTable) -> Result<Vec<Verdict>, Malformed> {
    let no_map = |place: &str| Malformed(format!("{place}: not an object of fees"));
    let mut verdicts = Vec::new();
    for (name, values) in tariffs.as_object().ok_or_else(|| no_map("rvg_table"))? {
        let tariff = fees.tariffs().iter().find(|tariff| tariff.name() == *name);
        let place = format!("rvg_table.{name}");
        for (value, fee) in values.as_object().ok_or_else(|| no_map(&place))? {
            let differences = match (tariff, decimal(value)) {
                (None, _) => vec![Difference::Refused(format!("no tariff {name}"))],
                (_, Err(wrong)) => vec![Difference::NotUnderstood(wrong)],
                (Some(tariff), Ok(worth)) => {
                    let told = entry::number(fee).map_or(Value::Null, Value::String);
                    let fee = json!({ "fee": told });
                    compare(&fee, &json!({ "fee": cents(tariff.fee(worth)) }))
                }
            };
            verdicts.push(Verdict {
                list: "rvg_table".to_owned(),
                id: format!("{place}.{value}"),
                unsure: false,
                differences,
            });
        }
    }
    Ok(verdicts)
}

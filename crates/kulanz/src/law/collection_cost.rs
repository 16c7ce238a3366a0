//! `kulanz law collection-cost`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use jiff::civil::Date;
use kulanz_domain::{
    law::{
        CollectionCase, CollectionCost, HandoffCost, MINIMUM_FEE, UNDISPUTED_FACTOR,
        collection_cost, handoff_cost,
    },
    money::{Currency, Decimal},
};
use serde_json::{Value, json};

use super::{
    derivation::{amount, cents, decimal, print, print_json},
    rates,
};
use crate::house::machine_day;

pub const EXAMPLES: &str = "\
Examples:
  kulanz law collection-cost 149.90
  kulanz law collection-cost 35.00 --factor 0.5 --mandated 2026-03-02
  kulanz law collection-cost 800.00 --factor 0.9 --settlement --vat

Without --factor both ordinary cases of an undisputed claim are shown: paid within two weeks of the
agency's first demand (0.5), and later (0.9).";

/// The mandate.
#[derive(Debug, Args)]
pub struct Options {
    /// Value of the claim in euros: its principal
    value: String,
    /// Day on which the agency is mandated; today where left out
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    mandated: Option<Date>,
    /// Factor of the business fee (VV 2300 RVG)
    #[arg(long, value_parser = decimal)]
    factor: Option<Decimal>,
    /// The debtor has disputed the claim
    #[arg(long, requires = "factor")]
    disputed: bool,
    /// Unusually extensive or hard work: up to 1.3
    #[arg(long, requires = "factor")]
    extensive: bool,
    /// With a payment agreement (VV 1000 no. 2 RVG)
    #[arg(long, requires = "factor")]
    settlement: bool,
    /// The creditor cannot deduct input tax
    #[arg(long)]
    vat: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Answers.
pub fn run(data: &Path, options: &Options) -> Result<()> {
    let table = rates::fees(data)?.table;
    let value = amount(&options.value, Currency::EUR)?;
    let mandated_on = options.mandated.unwrap_or_else(machine_day);
    let Some(factor) = options.factor else {
        let both = handoff_cost(value, mandated_on, options.vat, &table)?;
        return match options.json {
            true => print_json(&json!({ "paid_at_once": answer(value, &both.paid_at_once),
                                        "paid_later": answer(value, &both.paid_later) })),
            false => {
                print(&both_cases(value, &both));
                Ok(())
            }
        };
    };
    let case = CollectionCase {
        value,
        mandated_on,
        factor,
        undisputed: !options.disputed,
        extensive: options.extensive,
        settlement: options.settlement,
        vat: options.vat,
    };
    let cost = collection_cost(&case, &table)?;
    match options.json {
        true => print_json(&answer(value, &cost)),
        false => {
            print(&derivation(value, &cost));
            Ok(())
        }
    }
}

fn answer(value: Decimal, cost: &CollectionCost) -> Value {
    let mut answer = row(cost);
    answer["explanation"] = derivation(value, cost).into();
    answer
}

/// With the names that worked examples use.
pub fn row(cost: &CollectionCost) -> Value {
    let mut row = json!({
        "tariff": cost.tariff, "tariff_from": cost.tariff_from,
        "base_fee_1_0": cents(cost.base_fee), "small_claim": cost.small_claim,
        "factor": cost.factor.to_string(), "minimum_applied": cost.minimum_applied,
        "business_fee_vv2300": cents(cost.business_fee),
        "expenses_vv7002": cents(cost.expenses), "net": cents(cost.net),
        "vat_19": cents(cost.vat), "total": cents(cost.total),
    });
    if let Some(settlement) = &cost.settlement {
        row["settlement_value_31b"] = cents(settlement.value).into();
        row["settlement_fee_vv1000"] = cents(settlement.fee).into();
    }
    row
}

fn both_cases(value: Decimal, both: &HandoffCost) -> Vec<String> {
    let mut lines =
        vec!["Paid within two weeks of the agency's first demand (VV 2300 RVG note 2):".to_owned()];
    lines.extend(derivation(value, &both.paid_at_once));
    lines.push(String::new());
    lines.push("Paid later:".to_owned());
    lines.extend(derivation(value, &both.paid_later));
    lines
}

fn derivation(value: Decimal, cost: &CollectionCost) -> Vec<String> {
    let line = |amount: Decimal, what: String| format!("  {:>12}  {what}", cents(amount));
    let base = match cost.small_claim {
        true => "§ 13 (2) RVG, undisputed and small",
        false => "§ 13 (1) RVG",
    };
    let mut lines = vec![format!(
        "Claim of {}, tariff from {}: 1.0 fee {} ({base})",
        cents(value),
        cost.tariff_from,
        cents(cost.base_fee)
    )];
    if cost.factor != cost.factor_asked {
        let limit = match cost.factor == UNDISPUTED_FACTOR {
            true => "more only for unusually extensive or hard work",
            false => "never more",
        };
        lines.push(format!(
            "Factor {} instead of {}: the claim is undisputed, {limit} (VV 2300 RVG note 2)",
            cost.factor, cost.factor_asked
        ));
    }
    let fee = format!("business fee, {} of it (VV 2300 RVG)", cost.factor);
    let least = match cost.minimum_applied {
        true => format!(", raised to the least fee of {} (§ 13 (3) RVG)", cents(MINIMUM_FEE)),
        false => String::new(),
    };
    lines.push(line(cost.business_fee, format!("{fee}{least}")));
    if let Some(settlement) = &cost.settlement {
        let what = format!(
            "payment agreement, 0.7 of {} for half the claim, {} (VV 1000 no. 2, § 31b RVG)",
            cents(settlement.base_fee),
            cents(settlement.value)
        );
        lines.push(line(settlement.fee, what));
    }
    lines.push(line(cost.expenses, "expenses, 20 % of that, 20.00 at most (VV 7002 RVG)".into()));
    if !cost.vat.is_zero() {
        lines.push(line(cost.net, "without tax".into()));
        lines.push(line(cost.vat, "VAT of 19 % (VV 7008 RVG)".into()));
    }
    lines.push(line(cost.total, "at most to be borne by the debtor (§ 13e RDG)".into()));
    lines
}

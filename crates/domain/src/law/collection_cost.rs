//! What handing a claim over would add to it: the costs of a collection agency that a debtor has
//! to bear, § 13e RDG with the fees of the RVG.
//!
//! Shown to people before a handoff; Kulanz itself charges none of it. Not computed: the reduction
//! of later court fees, several mandates in one matter, and § 13f RDG (agency and lawyer both).

use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;
use thiserror::Error;

use super::FeeTable;

/// Least amount of a fee (§ 13 (3) RVG). [V]
pub const MINIMUM_FEE: Decimal = Decimal::from_parts(1500, 0, 0, false, 2);
/// Highest factor of an undisputed claim (VV 2300 RVG, note 2 sentence 1). [V]
pub const UNDISPUTED_FACTOR: Decimal = Decimal::from_parts(9, 0, 0, false, 1);
/// The same where the work was unusually extensive or hard (note 2 sentence 3). [V]
pub const EXTENSIVE_FACTOR: Decimal = Decimal::from_parts(13, 0, 0, false, 1);
/// Factor where the debtor pays upon the first demand (note 2 sentence 2). [V]
pub const SIMPLE_FACTOR: Decimal = Decimal::from_parts(5, 0, 0, false, 1);
/// Highest factor of VV 2300 RVG at all. [V]
pub const HIGHEST_FACTOR: Decimal = Decimal::from_parts(25, 0, 0, false, 1);
/// Factor for a payment agreement (VV 1000 no. 2 RVG). [V]
pub const SETTLEMENT_FACTOR: Decimal = Decimal::from_parts(7, 0, 0, false, 1);
/// Share of the claim that is a payment agreement's value (§ 31b RVG). [V]
pub const SETTLEMENT_SHARE: Decimal = Decimal::from_parts(5, 0, 0, false, 1);
/// Expenses as a share of the fees (VV 7002 RVG). [V]
pub const EXPENSES_SHARE: Decimal = Decimal::from_parts(2, 0, 0, false, 1);
/// Most that these expenses can be (VV 7002 RVG). [V]
pub const EXPENSES_CAP: Decimal = Decimal::from_parts(2000, 0, 0, false, 2);
/// Value-added tax (VV 7008 RVG, § 12 (1) UStG). [V]
pub const VAT_SHARE: Decimal = Decimal::from_parts(19, 0, 0, false, 2);

/// A mandate to collect a claim. Amounts are euros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectionCase {
    /// Value of the claim: its principal.
    pub value: Decimal,
    /// Day on which the agency was mandated.
    pub mandated_on: Date,
    /// Factor of the business fee.
    pub factor: Decimal,
    /// The debtor has not disputed the claim.
    pub undisputed: bool,
    /// Unusually extensive or hard work.
    pub extensive: bool,
    /// A payment agreement was made.
    pub settlement: bool,
    /// The creditor cannot deduct input tax, so that the tax is damage too.
    pub vat: bool,
}

/// Result, line by line; each is rounded half up to the cent (§ 2 (2) RVG).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CollectionCost {
    /// First day of the tariff in force.
    pub tariff_from: Date,
    /// Name of that tariff, its year.
    pub tariff: String,
    /// The 1.0 fee for the value.
    pub base_fee: Decimal,
    /// Whether that is the small claim's fee of § 13 (2) RVG.
    pub small_claim: bool,
    /// Factor asked for.
    pub factor_asked: Decimal,
    /// Factor that the law allows.
    pub factor: Decimal,
    /// Business fee (VV 2300 RVG).
    pub business_fee: Decimal,
    /// Payment agreement, where there is one.
    pub settlement: Option<SettlementFee>,
    /// Whether a fee was raised to the least amount of § 13 (3) RVG.
    pub minimum_applied: bool,
    /// Expenses (VV 7002 RVG).
    pub expenses: Decimal,
    /// Sum of fees and expenses.
    pub net: Decimal,
    /// Value-added tax (VV 7008 RVG); zero where the creditor deducts it.
    pub vat: Decimal,
    /// All of it.
    pub total: Decimal,
}

/// Fee for a payment agreement (VV 1000 no. 2, § 31b RVG).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SettlementFee {
    /// Its value, half of the claim.
    pub value: Decimal,
    /// The 1.0 fee for that value.
    pub base_fee: Decimal,
    /// 0.7 of it.
    pub fee: Decimal,
}

/// What a handoff now would add for the debtor, in the two ordinary cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandoffCost {
    /// Paid within two weeks of the agency's first demand: 0.5.
    pub paid_at_once: CollectionCost,
    /// Paid later: 0.9.
    pub paid_later: CollectionCost,
}

/// Why no cost can be computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CollectionCostError {
    /// The table does not reach back that far.
    #[error("no tariff is known for a mandate of {mandated_on}: the table begins {begins}")]
    BeforeFirstTariff {
        /// Day of the mandate.
        mandated_on: Date,
        /// First day of the table.
        begins: Date,
    },
    /// Nothing to collect.
    #[error("the value {0} is not a positive amount in whole cents up to 1000000000000.00")]
    Value(Decimal),
    /// No factor of VV 2300 RVG.
    #[error("the factor {0} is not above 0 and at most 2.5 (VV 2300 RVG)")]
    Factor(Decimal),
}

/// Costs of a collection agency that a debtor has to bear at most (§ 13e RDG). [V]
///
/// - Business fee VV 2300 RVG: factor times the fee of § 13 RVG. For an undisputed claim the
///   factor is 0.9 at most, 1.3 where the work was unusually extensive or hard, and up to EUR 50
///   the fee of § 13 (2) RVG holds. A disputed one has the factor as given and the ordinary fee.
///   [V] These limits are law since 2021-10-01; for older mandates of the tariff of 2021 they are
///   applied too, in the debtor's favour.
/// - Payment agreement VV 1000 no. 2 RVG: 0.7 of the ordinary fee for half the claim (§ 31b). [V]
/// - No fee below EUR 15 (§ 13 (3) RVG), expenses 20 % of the fees, EUR 20 at most (VV 7002). [V]
/// - VAT only where the creditor cannot deduct it (VV 7008 RVG, § 249 BGB). [V]
pub fn collection_cost(
    case: &CollectionCase,
    table: &FeeTable,
) -> Result<CollectionCost, CollectionCostError> {
    let CollectionCase { value, mandated_on, factor: factor_asked, undisputed, .. } = *case;
    if value <= Decimal::ZERO || value > crate::money::LARGEST || cents(value) != value {
        return Err(CollectionCostError::Value(value));
    }
    if factor_asked <= Decimal::ZERO || factor_asked > HIGHEST_FACTOR {
        return Err(CollectionCostError::Factor(factor_asked));
    }
    let tariff = table.on(mandated_on).ok_or_else(|| CollectionCostError::BeforeFirstTariff {
        mandated_on,
        begins: table.tariffs().first().map_or(Date::MIN, |first| first.valid_from),
    })?;

    let factor = match (undisputed, case.extensive) {
        (true, false) => factor_asked.min(UNDISPUTED_FACTOR),
        (true, true) => factor_asked.min(EXTENSIVE_FACTOR),
        (false, _) => factor_asked,
    };
    let base_fee = tariff.business_fee(value, undisputed);
    let business = cents(base_fee * factor);
    let business_fee = business.max(MINIMUM_FEE);
    let settlement = case.settlement.then(|| {
        let value = cents(value * SETTLEMENT_SHARE);
        let base_fee = tariff.fee(value);
        let fee = cents(base_fee * SETTLEMENT_FACTOR).max(MINIMUM_FEE);
        SettlementFee { value, base_fee, fee }
    });

    let fees = business_fee + settlement.map_or(Decimal::ZERO, |settlement| settlement.fee);
    let expenses = cents(fees * EXPENSES_SHARE).min(EXPENSES_CAP);
    let net = fees + expenses;
    let vat = match case.vat {
        true => cents(net * VAT_SHARE),
        false => Decimal::ZERO,
    };
    Ok(CollectionCost {
        tariff_from: tariff.valid_from,
        tariff: tariff.name(),
        base_fee,
        small_claim: undisputed && value <= tariff.small_claim_up_to,
        factor_asked,
        factor,
        business_fee,
        settlement,
        minimum_applied: business < MINIMUM_FEE,
        expenses,
        net,
        vat,
        total: net + vat,
    })
}

/// What handing over an undisputed claim on `day` would add: 0.5 where the debtor pays upon the
/// agency's first demand, else 0.9 (VV 2300 RVG, note 2). [V]
pub fn handoff_cost(
    value: Decimal,
    day: Date,
    vat: bool,
    table: &FeeTable,
) -> Result<HandoffCost, CollectionCostError> {
    let with = |factor| CollectionCase {
        value,
        mandated_on: day,
        factor,
        undisputed: true,
        extensive: false,
        settlement: false,
        vat,
    };
    Ok(HandoffCost {
        paid_at_once: collection_cost(&with(SIMPLE_FACTOR), table)?,
        paid_later: collection_cost(&with(UNDISPUTED_FACTOR), table)?,
    })
}

/// Half up to the cent.
fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::civil::date;
    use serde_json::Value;

    use super::*;

    fn amount(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn case(value: &str, factor: &str) -> CollectionCase {
        CollectionCase {
            value: amount(value),
            mandated_on: date(2026, 3, 2),
            factor: amount(factor),
            undisputed: true,
            extensive: false,
            settlement: false,
            vat: false,
        }
    }

    fn cost(case: CollectionCase) -> CollectionCost {
        collection_cost(&case, &FeeTable::shipped().unwrap()).unwrap()
    }

    #[test]
    fn the_worked_examples_come_out_to_the_cent() {
        let all: Value = serde_json::from_str(include_str!("../../testdata/law.json")).unwrap();
        let entries = all["rvg_inkasso"].as_array().unwrap();
        for entry in entries {
            let (input, expected) = (&entry["input"], &entry["expected"]);
            let text = |key: &str| input[key].as_str().unwrap();
            let flag = |key: &str| input[key].as_bool().unwrap();
            let found = cost(CollectionCase {
                mandated_on: text("mandate_date").parse().unwrap(),
                undisputed: flag("undisputed"),
                settlement: flag("settlement"),
                vat: flag("vat"),
                ..case(text("value"), text("factor"))
            });
            assert_eq!(found.tariff, expected["tariff"], "{entry}");
            for (key, found) in [
                ("base_fee_1_0", Some(found.base_fee)),
                ("business_fee_vv2300", Some(found.business_fee)),
                ("settlement_value_31b", found.settlement.map(|settlement| settlement.value)),
                ("settlement_fee_vv1000", found.settlement.map(|settlement| settlement.fee)),
                ("expenses_vv7002", Some(found.expenses)),
                ("net", Some(found.net)),
                ("vat_19", Some(found.vat)),
                ("total", Some(found.total)),
            ] {
                assert_eq!(found, expected[key].as_str().map(amount), "{key} {entry}");
            }
        }
        assert_eq!(entries.len(), 7);
    }

    #[test]
    fn no_fee_is_below_fifteen_euros() {
        let old = CollectionCase { mandated_on: date(2025, 5, 31), ..case("35.00", "0.4") };
        let found = cost(old);
        assert_eq!((found.base_fee, found.business_fee), (amount("30.00"), amount("15.00")));
        assert!(found.minimum_applied);
        assert!(!cost(case("35.00", "0.5")).minimum_applied);
    }

    #[test]
    fn a_disputed_claim_has_its_own_factor_and_no_small_fee() {
        let found = cost(CollectionCase { undisputed: false, ..case("35.00", "1.3") });
        assert_eq!((found.base_fee, found.business_fee), (amount("51.50"), amount("66.95")));
        assert_eq!(found.total, amount("80.34"));
    }

    #[test]
    fn an_undisputed_claim_has_a_factor_of_nine_tenths_at_most() {
        let found = cost(case("800.00", "1.3"));
        assert_eq!((found.factor, found.business_fee), (amount("0.9"), amount("83.70")));
        let hard = cost(CollectionCase { extensive: true, ..case("800.00", "2.0") });
        assert_eq!((hard.factor, hard.business_fee), (amount("1.3"), amount("120.90")));
    }

    #[test]
    fn a_settlement_of_a_small_claim_has_the_ordinary_fee() {
        let found = cost(CollectionCase { settlement: true, ..case("35.01", "0.9") });
        let settlement = found.settlement.unwrap();
        assert_eq!(settlement.value, amount("17.51"));
        assert_eq!((settlement.base_fee, settlement.fee), (amount("51.50"), amount("36.05")));
        assert_eq!((found.business_fee, found.expenses), (amount("28.35"), amount("12.88")));
    }

    #[test]
    fn a_debtor_sees_both_ordinary_cases() {
        let table = FeeTable::shipped().unwrap();
        let found = handoff_cost(amount("149.90"), date(2026, 11, 21), false, &table).unwrap();
        assert_eq!(found.paid_at_once.total, amount("30.90"));
        assert_eq!(found.paid_later.total, amount("55.62"));
    }

    #[test]
    fn what_cannot_be_computed_is_refused_with_its_reason() {
        let table = FeeTable::shipped().unwrap();
        let told = |case: CollectionCase| collection_cost(&case, &table).unwrap_err().to_string();
        let old = CollectionCase { mandated_on: date(2020, 12, 31), ..case("35.00", "0.9") };
        assert_eq!(
            told(old),
            "no tariff is known for a mandate of 2020-12-31: the table begins 2021-01-01"
        );
        for wrong in ["0", "-1.00", "1.005", "1000000000000.01"] {
            assert!(told(case(wrong, "0.9")).starts_with("the value"), "{wrong}");
        }
        for wrong in ["0", "-0.5", "2.6"] {
            assert!(told(case("35.00", wrong)).starts_with("the factor"), "{wrong}");
        }
    }
}

//! What the bank charged for a returned debit (Rücklastschrift), and when the debtor bears it.
//!
//! It is damage of the creditor's, and the debtor's only where a duty of the debtor's was broken
//! (§ 280 (1) BGB) [M]. The bank's reason alone tells us why the money went back. So only reasons
//! count that lie with the debtor in any case; with all others, and where none is told, the
//! creditor bears the fee. Whoever knows better can invoice it.

/// Whether the debtor bears the bank's fee for a return with this ISO 20022 reason: there was no
/// money on the account (AM04), or the account that the debtor had named was closed (AC04).
///
/// Not with: a wrong account number or one that takes no debits (AC01, AC06, AC13, AG01: it may be
/// ours); no or no valid mandate (MD01, MD02); a debit twice (AM05); death (MD07); what the banks
/// got wrong (AG02, BE05, FF01, RC01, RR01 to RR04, CNOR, DNOR, TM01). Nor where the debtor took the
/// money back (MD06, MS02, SL01): that is their right, and they may have had a reason for it. MS03
/// tells nothing.
pub fn debtor_bears_return(reason: &str) -> bool {
    matches!(reason, "AM04" | "AC04")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debtor_bears_what_lies_with_the_debtor_alone() {
        assert!(["AM04", "AC04"].into_iter().all(debtor_bears_return));
        let others = [
            "AC01", "AC06", "AC13", "AG01", "AG02", "AM05", "BE05", "CNOR", "DNOR", "MD01", "MD02",
            "MD06", "MD07", "MS02", "MS03", "RC01", "RR01", "SL01", "am04", "other", "",
        ];
        assert!(!others.into_iter().any(debtor_bears_return));
    }
}

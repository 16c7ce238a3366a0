//! Anrechnung, §§ 366, 367, 497 (3) BGB: who of several debts gets a payment, and which part of it.
//!
//! Pure: debts as they stand on the booking day go in, what is used of the payment comes out. The
//! rules [V]:
//!
//! 1. The debt that the debtor designated (§ 366 (1)).
//! 2. Without a word: the debt whose open principal the payment equals to the cent. It says what
//!    was meant (an implied designation), and it is flagged, since that is disputed.
//! 3. Else § 366 (2): due before not due, less secured, more burdensome (higher rate), older,
//!    equally old ones pro rata. What is disputed comes after all others: whoever disagrees with
//!    one debt and pays without a word means the others.
//! 4. Within a debt costs, interest, principal (§ 367 (1)); for consumer credit costs, principal,
//!    interest (§ 497 (3)); principal first where the payment equals it to the cent.

use std::cmp::Reverse;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::fact::Part;

/// A debt on the booking day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// Costs open (§ 367: Kosten).
    pub costs: Decimal,
    /// Interest open.
    pub interest: Decimal,
    /// Principal open.
    pub principal: Decimal,
    /// Due by the booking day.
    pub due: bool,
    /// Disputed on the booking day.
    pub disputed: bool,
    /// How well it is secured: less comes first.
    pub security: u32,
    /// Percent a year that it costs the debtor: more comes first.
    pub rate: Decimal,
    /// Due date.
    pub due_on: Date,
    /// § 497 (3) BGB holds.
    pub consumer_credit: bool,
}

/// What is used for one part of one debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Place of the debt among those given.
    pub debt: usize,
    /// Part of it.
    pub part: Part,
    /// How much; never zero.
    pub amount: Decimal,
}

/// How a payment is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocated {
    /// What of it is used for what.
    pub applied: Vec<Applied>,
    /// What is left over.
    pub rest: Decimal,
    /// The amount itself designated a debt, or its principal.
    pub implied: bool,
}

impl Debt {
    /// All that is open.
    pub fn open(&self) -> Decimal {
        self.costs + self.interest + self.principal
    }

    /// The payment is the principal to the cent, while other parts are open as well or first.
    fn is_exactly(&self, money: Decimal) -> bool {
        money == self.principal && self.principal > Decimal::ZERO
    }

    /// Parts in the order in which they are paid, with what is open of each; `principal_first`
    /// where the payment is the principal to the cent.
    fn parts(&self, principal_first: bool) -> [(Part, Decimal); 3] {
        let (costs, interest) = ((Part::Fees, self.costs), (Part::Interest, self.interest));
        let principal = (Part::Principal, self.principal);
        match (principal_first, self.consumer_credit) {
            (true, _) => [principal, costs, interest],
            (false, true) => [costs, principal, interest],
            (false, false) => [costs, interest, principal],
        }
    }

    fn rank(&self) -> (bool, bool, u32, Reverse<Decimal>, Date) {
        (self.disputed, !self.due, self.security, Reverse(self.rate), self.due_on)
    }
}

impl Allocated {
    /// Pays one debt; what is left over. `whole`: `money` is a payment as it came, whose amount
    /// may name the principal; what is left of one names nothing.
    fn pay(&mut self, debts: &[Debt], at: usize, money: Decimal, whole: bool) -> Decimal {
        let debt = &debts[at];
        let named = whole && debt.is_exactly(money);
        self.implied |= named && debt.costs + debt.interest > Decimal::ZERO;
        let mut rest = money;
        for (part, open) in debt.parts(named) {
            let amount = rest.min(open);
            if amount > Decimal::ZERO {
                rest -= amount;
                self.applied.push(Applied { debt: at, part, amount });
            }
        }
        rest
    }

    /// Pays by rank (rule 3); what is left over.
    fn pay_by_rank(
        &mut self,
        debts: &[Debt],
        order: &[usize],
        money: Decimal,
        decimals: u32,
    ) -> Decimal {
        let mut rest = money;
        let mut from = 0;
        while from < order.len() && rest > Decimal::ZERO {
            let same = debts[order[from]].rank();
            let alike = order[from..].iter().take_while(|at| debts[**at].rank() == same);
            let to = from + alike.count();
            for (at, share) in pro_rata(debts, &order[from..to], rest, decimals) {
                rest -= share - self.pay(debts, at, share, false);
            }
            from = to;
        }
        rest
    }
}

/// Pays the debt that was designated (rule 1) and no other.
pub fn to_designated(debts: &[Debt], at: usize, money: Decimal) -> Allocated {
    let mut allocated = Allocated::default();
    allocated.rest = allocated.pay(debts, at, money, true);
    allocated
}

/// Pays one debt with what is left of a payment.
pub fn rest_to(debts: &[Debt], at: usize, rest: Decimal) -> Allocated {
    let mut allocated = Allocated::default();
    allocated.rest = allocated.pay(debts, at, rest, false);
    allocated
}

/// Pays the debt that was designated (rule 1), with what is left the others by rank (rule 3).
pub fn to_designated_first(debts: &[Debt], at: usize, money: Decimal, decimals: u32) -> Allocated {
    let mut allocated = to_designated(debts, at, money);
    let mut others = by_rank(debts);
    others.retain(|other| *other != at);
    allocated.rest = allocated.pay_by_rank(debts, &others, allocated.rest, decimals);
    allocated
}

/// Pays without designation (rules 2 and 3). `decimals`: the currency's, for shares pro rata.
pub fn by_law(debts: &[Debt], money: Decimal, decimals: u32) -> Allocated {
    let order = by_rank(debts);
    let mut allocated = Allocated::default();
    if let Some(exact) = order.iter().find(|at| debts[**at].is_exactly(money)) {
        allocated.implied = order.len() > 1;
        allocated.rest = allocated.pay(debts, *exact, money, true);
        return allocated;
    }
    allocated.rest = allocated.pay_by_rank(debts, &order, money, decimals);
    allocated
}

/// Open debts in the order of § 366 (2) BGB.
fn by_rank(debts: &[Debt]) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..debts.len()).filter(|at| debts[*at].open() > Decimal::ZERO).collect();
    order.sort_by_key(|at| debts[*at].rank());
    order
}

/// Splits `money` over debts of the same rank in proportion to what is open, to the cent; the
/// cents that do not divide go to the largest fractions, the first of equal ones.
fn pro_rata(
    debts: &[Debt],
    group: &[usize],
    money: Decimal,
    decimals: u32,
) -> Vec<(usize, Decimal)> {
    if let [only] = group {
        return vec![(*only, money)];
    }
    let open: Vec<Decimal> = group.iter().map(|at| debts[*at].open()).collect();
    let all: Decimal = open.iter().sum();
    if money >= all {
        return group.iter().copied().zip(open).collect();
    }
    let exact: Vec<Decimal> = open.iter().map(|one| money * *one / all).collect();
    let mut shares: Vec<Decimal> =
        exact.iter().map(|share| share.trunc_with_scale(decimals)).collect();
    let mut rest = money - shares.iter().sum::<Decimal>();
    let mut fractions: Vec<usize> = (0..shares.len()).collect();
    fractions.sort_by_key(|at| Reverse(exact[*at] - shares[*at]));
    for at in fractions {
        let more = rest.min(Decimal::new(1, decimals)).min(open[at] - shares[at]);
        shares[at] += more;
        rest -= more;
    }
    group.iter().copied().zip(shares).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn amount(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn debt(due_on: &str, interest: &str, principal: &str) -> Debt {
        Debt {
            costs: Decimal::ZERO,
            interest: amount(interest),
            principal: amount(principal),
            due: true,
            disputed: false,
            security: 0,
            rate: Decimal::ZERO,
            due_on: due_on.parse().unwrap(),
            consumer_credit: false,
        }
    }

    /// `A interest 10.00`, a line each.
    fn told(allocated: &Allocated) -> Vec<String> {
        let lines = allocated
            .applied
            .iter()
            .map(|one| format!("{} {:?} {}", ["A", "B", "C"][one.debt], one.part, one.amount));
        lines.collect()
    }

    #[test]
    fn what_is_left_of_a_payment_names_no_principal() {
        let debts = [debt("2025-01-15", "0.00", "100.00"), debt("2025-03-15", "4.00", "200.00")];
        let found = by_law(&debts, amount("300.00"), 2);
        assert_eq!(told(&found), ["A Principal 100.00", "B Interest 4.00", "B Principal 196.00"]);
        assert!(!found.implied);
        let meant = to_designated_first(&debts, 0, amount("300.00"), 2);
        assert_eq!(told(&meant), told(&found));
        let whole = by_law(&debts, amount("200.00"), 2);
        assert_eq!(told(&whole), ["B Principal 200.00"]);
        assert!(whole.implied);
        assert_eq!(told(&rest_to(&debts, 1, amount("200.00")))[0], "B Interest 4.00");
    }

    #[test]
    fn cents_that_do_not_divide_go_to_the_largest_fractions() {
        let alike = |amounts: [&str; 3]| amounts.map(|open| debt("2025-01-15", "0.00", open));
        let shares = |amounts, money| told(&by_law(&alike(amounts), amount(money), 2));
        let by_size = ["A Principal 16.67", "B Principal 33.33", "C Principal 50.00"];
        assert_eq!(shares(["120.00", "240.00", "360.00"], "100.00"), by_size);
        let equal = ["A Principal 33.34", "B Principal 33.33", "C Principal 33.33"];
        assert_eq!(shares(["50.00", "50.00", "50.00"], "100.00"), equal);
    }
}

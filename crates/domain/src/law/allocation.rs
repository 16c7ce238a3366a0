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

    /// Parts in the order in which `money` pays them, with what is open of each.
    fn parts(&self, money: Decimal) -> [(Part, Decimal); 3] {
        let (costs, interest) = ((Part::Fees, self.costs), (Part::Interest, self.interest));
        let principal = (Part::Principal, self.principal);
        match (self.is_exactly(money), self.consumer_credit) {
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
    /// Pays one debt; what is left over.
    fn pay(&mut self, debts: &[Debt], at: usize, money: Decimal) -> Decimal {
        let debt = &debts[at];
        self.implied |= debt.is_exactly(money) && debt.costs + debt.interest > Decimal::ZERO;
        let mut rest = money;
        for (part, open) in debt.parts(money) {
            let amount = rest.min(open);
            if amount > Decimal::ZERO {
                rest -= amount;
                self.applied.push(Applied { debt: at, part, amount });
            }
        }
        rest
    }
}

/// Pays the debt that was designated (rule 1) and no other.
pub fn to_designated(debts: &[Debt], at: usize, money: Decimal) -> Allocated {
    let mut allocated = Allocated::default();
    allocated.rest = allocated.pay(debts, at, money);
    allocated
}

/// Pays without designation (rules 2 and 3). `decimals`: the currency's, for shares pro rata.
pub fn by_law(debts: &[Debt], money: Decimal, decimals: u32) -> Allocated {
    let mut order: Vec<usize> =
        (0..debts.len()).filter(|at| debts[*at].open() > Decimal::ZERO).collect();
    order.sort_by_key(|at| debts[*at].rank());
    let mut allocated = Allocated::default();
    if let Some(exact) = order.iter().find(|at| debts[**at].is_exactly(money)) {
        allocated.implied = order.len() > 1;
        allocated.rest = allocated.pay(debts, *exact, money);
        return allocated;
    }
    let mut rest = money;
    let mut from = 0;
    while from < order.len() && rest > Decimal::ZERO {
        let same = debts[order[from]].rank();
        let to = from + order[from..].iter().take_while(|at| debts[**at].rank() == same).count();
        for (at, share) in pro_rata(debts, &order[from..to], rest, decimals) {
            rest -= share - allocated.pay(debts, at, share);
        }
        from = to;
    }
    allocated.rest = rest;
    allocated
}

/// Splits `money` over debts of the same rank in proportion to what is open, to the cent; the
/// cents that do not divide go to the first.
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
    let mut shares: Vec<Decimal> =
        open.iter().map(|one| (money * *one / all).trunc_with_scale(decimals)).collect();
    let mut rest = money - shares.iter().sum::<Decimal>();
    for (share, one) in shares.iter_mut().zip(&open) {
        let more = rest.min(*one - *share);
        *share += more;
        rest -= more;
    }
    group.iter().copied().zip(shares).collect()
}

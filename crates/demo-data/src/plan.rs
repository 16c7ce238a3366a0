//! Who orders when, and what becomes of each invoice unasked.

use jiff::{Error, Span, civil::Date};

use crate::{
    Shop,
    dice::Dice,
    people::{Method, Person},
    reaction::Temperament,
};

/// Invoices a month.
pub(crate) const INVOICES_A_MONTH: u32 = 180;

/// What becomes of an invoice without any message from Kulanz. Days count from the due date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Paid by the due date.
    OnTime,
    /// Paid well before the due date, before anybody could give notice of it.
    Early,
    /// Paid so many days late.
    Late(u32),
    /// Not paid unasked.
    Open,
    /// Paid before the invoice was written.
    Prepaid,
    /// Paid, and too much: rounded up or twice.
    Overpaid,
    /// Paid in part; the rest only if `rest`.
    Part { rest: bool },
    /// Paid with a reference that nobody can read; found by a person if `found`.
    Misread { found: bool },
    /// Collected, and returned by the debtor's bank.
    Returned,
    /// Goods went back: all of them, or a part and the rest is paid.
    Credited { all: bool },
    /// Should not have been written.
    Cancelled,
    /// Due later, then paid.
    Rescheduled,
    /// The amount was corrected, then paid.
    Adjusted,
    /// The debtor disagreed.
    Disputed,
    /// A card was declined before another way of paying worked.
    Declined,
}

/// One order that becomes one invoice.
pub(crate) struct Order {
    /// Place in the list of debtors.
    pub(crate) debtor: usize,
    pub(crate) on: Date,
    /// Minute of the day, Europe/Berlin.
    pub(crate) minute: u32,
    pub(crate) fate: Fate,
}

/// All orders of the months, the first first.
pub(crate) fn orders(
    seed: u64,
    people: &[Person],
    shop: &Shop,
    months: u32,
) -> Result<Vec<Order>, Error> {
    let mut dice = Dice::of(seed, "orders");
    let days = u32::try_from(shop.first_day.until(shop.today)?.get_days()).unwrap_or(0);
    let mut orders = Vec::new();
    for (debtor, count) in counts(people.len(), months, &mut dice).into_iter().enumerate() {
        let mut moments: Vec<(u32, u32)> = (0..count).map(|_| moment(&mut dice, days)).collect();
        moments.sort_unstable();
        for (nth, (day, minute)) in moments.into_iter().enumerate() {
            let on = shop.first_day.checked_add(Span::new().try_days(i64::from(day))?)?;
            let fate = usual(&people[debtor], 2 * nth < count as usize - 1, &mut dice);
            orders.push(Order { debtor, on, minute, fate });
        }
    }
    unusual(&mut orders, people, &mut dice);
    orders.sort_by_key(|order| (order.on, order.minute, order.debtor));
    Ok(orders)
}

/// A day within the months and a minute; on the last day the shop is still open.
fn moment(dice: &mut Dice, days: u32) -> (u32, u32) {
    let day = dice.below(days + 1);
    let last = if day == days { 16 * 60 } else { 21 * 60 };
    (day, dice.between(8 * 60, last))
}

/// How often each debtor orders: three in ten once, three in ten again and again.
fn counts(debtors: usize, months: u32, dice: &mut Dice) -> Vec<u32> {
    let wanted = INVOICES_A_MONTH.saturating_mul(months);
    let mut counts: Vec<u32> = (0..debtors)
        .map(|_| match dice.below(10) {
            0..3 => 1,
            3..7 => dice.between(2, 3),
            _ => dice.between(4, 8),
        })
        .collect();
    // Those who order once keep to it, where there are invoices enough.
    let least = u32::from(wanted as usize >= debtors);
    let mut sum: u32 = counts.iter().sum();
    while sum != wanted && debtors > 0 {
        let count = &mut counts[dice.below(debtors as u32) as usize];
        if sum < wanted && *count > 1 {
            *count += 1;
            sum += 1;
        } else if sum > wanted && *count > least {
            *count -= 1;
            sum -= 1;
        }
    }
    counts
}

/// What the debtor's temperament makes of it; `first_half` of this debtor's invoices.
fn usual(person: &Person, first_half: bool, dice: &mut Dice) -> Fate {
    let roll = dice.below(100);
    match person.temperament {
        Temperament::Prompt => match roll {
            0..4 => Fate::Open,
            4..7 => Fate::Late(dice.between(1, 3)),
            _ => Fate::OnTime,
        },
        Temperament::Tardy => match roll {
            0..25 => Fate::OnTime,
            25..62 => Fate::Late(dice.between(1, 3)),
            _ => Fate::Late(dice.between(5, 12)),
        },
        // They began well.
        Temperament::Forgetful | Temperament::Silent if first_half => Fate::Early,
        Temperament::Forgetful | Temperament::Silent => Fate::Open,
        Temperament::Struggling => match roll {
            0..50 => Fate::OnTime,
            50..65 => Fate::Part { rest: false },
            _ => Fate::Open,
        },
        Temperament::Contrarian => match roll {
            0..65 => Fate::OnTime,
            _ => Fate::Disputed,
        },
    }
}

/// What can happen to anybody: of 900 invoices so many each, taken from those paid on time.
fn unusual(orders: &mut [Order], people: &[Person], dice: &mut Dice) {
    let shares: [(u32, Fate); 14] = [
        (8, Fate::Prepaid),
        (9, Fate::Overpaid),
        (5, Fate::Part { rest: false }),
        (5, Fate::Part { rest: true }),
        (7, Fate::Misread { found: true }),
        (4, Fate::Misread { found: false }),
        (18, Fate::Returned),
        (5, Fate::Credited { all: true }),
        (15, Fate::Credited { all: false }),
        (6, Fate::Cancelled),
        (8, Fate::Rescheduled),
        (7, Fate::Adjusted),
        (9, Fate::Disputed),
        (8, Fate::Declined),
    ];
    let mut free: Vec<usize> = (0..orders.len())
        .filter(|&at| {
            orders[at].fate == Fate::OnTime
                && people[orders[at].debtor].temperament == Temperament::Prompt
        })
        .collect();
    dice.shuffle(&mut free);
    let total = orders.len() as u32;
    for (share, fate) in shares {
        for _ in 0..(share * total).div_ceil(900) {
            // Returned are direct debits; everything else is open to all.
            let fits = free.iter().rposition(|&at| {
                fate != Fate::Returned || people[orders[at].debtor].method == Method::SepaDebit
            });
            if let Some(at) = fits {
                orders[free.swap_remove(at)].fate = fate;
            }
        }
    }
}

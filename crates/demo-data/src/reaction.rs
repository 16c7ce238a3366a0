//! How a debtor answers what Kulanz sends. What a debtor does unasked is in `story`; both follow
//! from the same temperament, so that they never pay the same invoice twice by accident.

use crate::dice::Dice;

/// What a debtor does about a message. Days and hours count from the moment it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reaction {
    /// Transfers what the message asked for.
    PaysAfterDays(u32),
    /// Opens the link and pays there.
    PaysOverPageAfterHours(u32),
    /// Transfers a part: after days, percent of what was asked for (20 to 70).
    PartPaymentAfterDays(u32, u8),
    /// Promises to pay: after days, so many days from the promise.
    PromisesAfterDays(u32, u32),
    /// Asks to pay in instalments.
    AsksForPlanAfterDays(u32),
    /// Disagrees with the invoice.
    DisputesAfterDays(u32),
    /// Says that the money is not there.
    AsksForHelpAfterDays(u32),
    /// Does nothing because of this message.
    Ignores,
}

/// How a debtor deals with bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temperament {
    /// Pays on time; rarely something slips.
    Prompt,
    /// Pays late, but unasked.
    Tardy,
    /// Has the money and needs to be told.
    Forgetful,
    /// Would like to pay and cannot always.
    Struggling,
    /// Finds something wrong.
    Contrarian,
    /// Does not answer.
    Silent,
}

impl Temperament {
    /// The temperament of a debtor: a matter of seed and id alone.
    pub(crate) fn of(seed: u64, debtor: &str) -> Self {
        match Dice::of(seed, &format!("temperament/{debtor}")).below(1000) {
            0..715 => Self::Prompt,
            715..790 => Self::Tardy,
            790..900 => Self::Forgetful,
            900..950 => Self::Struggling,
            950..975 => Self::Contrarian,
            _ => Self::Silent,
        }
    }
}

/// What `debtor_id` does about the `nth` message (from 1) of `notice_kind` that it gets:
/// `notice` (before the due date), `reminder`, `mahnung` or `offer` (instalments). Any other kind
/// is ignored. The same arguments always give the same answer.
///
/// A debtor who reacts means the *overdue* claims that the message listed, or for a `notice` the
/// ones it announced; pay no others, since [`generate`](crate::generate) has payments for those.
pub fn reacts(seed: u64, debtor_id: &str, notice_kind: &str, nth: u32) -> Reaction {
    let temperament = Temperament::of(seed, debtor_id);
    let mut dice = Dice::of(seed, &format!("reaction/{debtor_id}/{notice_kind}/{nth}"));
    match notice_kind {
        "notice" => on_notice(temperament, &mut dice),
        "reminder" => on_reminder(temperament, &mut dice),
        "mahnung" => on_mahnung(temperament, nth, &mut dice),
        "offer" => on_offer(temperament, &mut dice),
        _ => Reaction::Ignores,
    }
}

/// Whether `debtor_id` keeps its word the `nth` time (from 1): pays on the promised day, or pays
/// the nth instalment.
pub fn keeps_word(seed: u64, debtor_id: &str, nth: u32) -> bool {
    let chance = match Temperament::of(seed, debtor_id) {
        Temperament::Prompt | Temperament::Tardy => 97,
        Temperament::Forgetful => 90,
        Temperament::Struggling => 78,
        Temperament::Contrarian => 85,
        Temperament::Silent => 30,
    };
    Dice::of(seed, &format!("word/{debtor_id}/{nth}")).percent(chance)
}

/// Only the forgetful gain by a word before the due date: the others have paid or will.
fn on_notice(temperament: Temperament, dice: &mut Dice) -> Reaction {
    match temperament {
        Temperament::Forgetful if dice.percent(45) => page(dice, 40),
        _ => Reaction::Ignores,
    }
}

fn on_reminder(temperament: Temperament, dice: &mut Dice) -> Reaction {
    let roll = dice.below(100);
    match temperament {
        Temperament::Prompt | Temperament::Forgetful => match roll {
            0..52 => page(dice, 60),
            52..78 => transfer(dice, 6),
            78..82 => promise(dice),
            82..84 => Reaction::DisputesAfterDays(dice.between(1, 5)),
            84..86 => part(dice),
            _ => Reaction::Ignores,
        },
        // Their own payment is on its way.
        Temperament::Tardy | Temperament::Silent => Reaction::Ignores,
        Temperament::Struggling => match roll {
            0..18 => part(dice),
            18..40 => promise(dice),
            40..54 => Reaction::AsksForPlanAfterDays(dice.between(1, 6)),
            54..64 => Reaction::AsksForHelpAfterDays(dice.between(1, 7)),
            64..82 => transfer(dice, 9),
            _ => Reaction::Ignores,
        },
        Temperament::Contrarian => match roll {
            0..35 => Reaction::DisputesAfterDays(dice.between(1, 6)),
            35..80 => transfer(dice, 8),
            _ => Reaction::Ignores,
        },
    }
}

fn on_mahnung(temperament: Temperament, nth: u32, dice: &mut Dice) -> Reaction {
    let roll = dice.below(100);
    match temperament {
        Temperament::Prompt | Temperament::Tardy | Temperament::Forgetful => match roll {
            0..58 => page(dice, 72),
            58..86 => transfer(dice, 8),
            86..91 => promise(dice),
            91..93 => Reaction::AsksForPlanAfterDays(dice.between(1, 5)),
            _ => Reaction::Ignores,
        },
        Temperament::Struggling => match roll {
            0..18 => part(dice),
            18..36 => promise(dice),
            36..60 => Reaction::AsksForPlanAfterDays(dice.between(1, 7)),
            60..70 => Reaction::AsksForHelpAfterDays(dice.between(1, 7)),
            70..82 => transfer(dice, 10),
            _ => Reaction::Ignores,
        },
        Temperament::Contrarian => match roll {
            0..15 => Reaction::DisputesAfterDays(dice.between(1, 6)),
            15..75 => transfer(dice, 9),
            _ => Reaction::Ignores,
        },
        Temperament::Silent if nth >= 2 && roll < 25 => transfer(dice, 9),
        Temperament::Silent => Reaction::Ignores,
    }
}

fn on_offer(temperament: Temperament, dice: &mut Dice) -> Reaction {
    let roll = dice.below(100);
    match temperament {
        Temperament::Struggling => match roll {
            0..62 => Reaction::AsksForPlanAfterDays(dice.between(0, 5)),
            62..74 => Reaction::AsksForHelpAfterDays(dice.between(1, 6)),
            74..84 => page(dice, 72),
            _ => Reaction::Ignores,
        },
        Temperament::Silent => match roll {
            0..12 => Reaction::AsksForPlanAfterDays(dice.between(1, 6)),
            _ => Reaction::Ignores,
        },
        _ => match roll {
            0..35 => Reaction::AsksForPlanAfterDays(dice.between(0, 4)),
            35..75 => page(dice, 60),
            _ => Reaction::Ignores,
        },
    }
}

fn page(dice: &mut Dice, hours: u32) -> Reaction {
    // Two throws, the smaller one: most who open the link do so soon.
    let (one, other) = (dice.between(1, hours), dice.between(1, hours));
    Reaction::PaysOverPageAfterHours(one.min(other))
}

fn transfer(dice: &mut Dice, days: u32) -> Reaction {
    Reaction::PaysAfterDays(dice.between(1, days))
}

fn part(dice: &mut Dice) -> Reaction {
    let percent = 20 + 10 * dice.below(6) as u8;
    Reaction::PartPaymentAfterDays(dice.between(2, 8), percent)
}

fn promise(dice: &mut Dice) -> Reaction {
    Reaction::PromisesAfterDays(dice.between(0, 4), dice.between(5, 14))
}

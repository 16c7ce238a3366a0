//! Debtors who told us on their page that they cannot pay, and whom nobody answered.
//!
//! The page promises two things: so many days without reminders, and a person who looks for a
//! way. The first one keeps itself. Where the second one was not kept when the days are over,
//! dunning goes on, as was told, but not as though nothing had been: a fact of the log says so, a
//! list of work has it, the next message owns up to it, and no claim goes to an agency without a
//! person.
//!
//! Dunning that rests until somebody acts was rejected: nobody would be told anything any more, the
//! debtor least of all, while interest and limitation run.

use jiff::{civil::Date, tz::TimeZone};

use crate::{
    account::{Account, Hold, HoldPlaced},
    event::AccountEvent,
    ids::HoldId,
};

/// Owner of the holds of people who cannot pay.
pub const HARDSHIP: &str = "hardship";

/// How the ids of holds begin that debtors asked for themselves, on their page. What others place
/// was agreed with somebody.
pub const ON_THE_PAGE: &str = "page-";

impl Account {
    /// The pause that the debtor asked for last, since they cannot pay.
    fn last_plea(&self) -> Option<(&HoldId, &Hold, &HoldPlaced)> {
        let asked = self.holds.iter().filter(|(id, _)| id.as_str().starts_with(ON_THE_PAGE));
        let pleas = asked.filter_map(|(id, hold)| Some((id, hold, hold.placed.as_ref()?)));
        let pleas = pleas.filter(|(_, _, placed)| placed.owner == HARDSHIP);
        pleas.max_by_key(|(id, _, placed)| (placed.on, *id))
    }

    /// Whether anything was done since `day` by which a person, or the debtor with us, found a way.
    /// A promise of the day itself was made before: while the pause runs the page takes none.
    fn way_found_since(&self, day: Date) -> bool {
        let holds = self.holds.iter().filter(|(id, _)| !id.as_str().starts_with(ON_THE_PAGE));
        let placed = holds.filter_map(|(_, hold)| hold.placed.as_ref());
        let mut placed = placed.filter(|placed| placed.invoice.is_none());
        placed.any(|placed| placed.on >= day)
            || self.plans.values().any(|plan| plan.on >= day)
            || self.promises.values().any(|promise| promise.on > day)
            || self.overrides.iter().any(|set| set.on >= day)
    }

    /// The day on which the debtor asked for help, where the pause is over and nobody did anything.
    pub fn unanswered_plea(&self) -> Option<Date> {
        let (_, hold, placed) = self.last_plea()?;
        let waits = hold.unanswered && !hold.released && !self.way_found_since(placed.on);
        waits.then_some(placed.on)
    }

    /// [`unanswered_plea`](Self::unanswered_plea), until a message was sent after that day.
    pub fn plea_to_own_up_to(&self, zone: &TimeZone) -> Option<Date> {
        self.unanswered_plea().filter(|asked_on| !self.heard_from_us_after(*asked_on, zone))
    }

    /// What is to be said where the pause of the last plea has ended by `today` without an answer.
    pub(crate) fn plea_ran_out(&self, today: Date) -> Option<AccountEvent> {
        let (id, hold, placed) = self.last_plea()?;
        let ended = placed.until.is_some_and(|until| until < today);
        let open =
            || self.claims.values().any(|one| one.invoice.is_some() && one.settled_on.is_none());
        let unanswered = ended && !hold.unanswered && !hold.released && open();
        let unanswered = unanswered && !self.way_found_since(placed.on);
        unanswered.then(|| AccountEvent::HelpUnanswered { hold: id.clone(), on: today })
    }
}

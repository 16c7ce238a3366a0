//! Searches for money that debtors say they have paid.

use jiff::{ToSpan, civil::Date, tz::TimeZone};

use crate::{
    account::{Account, NoticeState},
    calendar::day_in,
};

/// Owner of the holds during which a payment is searched for.
pub const PAYMENT_SEARCH: &str = "payment-search";

/// Money that was booked so many days before the debtor spoke of it may be what was meant.
const LOOKED_BACK: i32 = 60;

impl Account {
    /// The day on which the debtor last said that it was paid, where the search for it is over and
    /// nothing was found: no money at all that could be meant, lest we deny what came in part.
    pub fn found_nothing(&self, today: Date) -> Option<Date> {
        let holds = self.holds.values();
        let searches = holds.filter_map(|hold| Some((hold, hold.placed.as_ref()?)));
        let searches = searches.filter(|(_, placed)| placed.owner == PAYMENT_SEARCH);
        let (hold, said) = searches.max_by_key(|(_, placed)| placed.on)?;
        let over = hold.released || said.until.is_some_and(|until| until < today);
        let from = said.on.saturating_sub(LOOKED_BACK.days());
        let mut payments = self.payments.values().filter_map(|payment| payment.received.as_ref());
        let found = payments.any(|received| received.booked_on >= from);
        (over && !found).then_some(said.on)
    }

    /// [`found_nothing`](Self::found_nothing), until a message was sent after that day.
    pub fn searched_in_vain(&self, today: Date, zone: &TimeZone) -> Option<Date> {
        self.found_nothing(today).filter(|said_on| !self.heard_from_us_after(*said_on, zone))
    }

    /// Whether a message of ours went out after `day` and did not come back.
    pub(crate) fn heard_from_us_after(&self, day: Date, zone: &TimeZone) -> bool {
        let notices = self.notices.values().filter(|one| one.state != NoticeState::Bounced);
        let mut sent = notices.filter_map(|notice| notice.sent_at);
        sent.any(|at| day_in(at, zone) > day)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{
        account::{Hold, HoldPlaced, Payment, Received},
        ids::{HoldId, PaymentId},
        money::{Currency, Money},
    };

    fn told_on(on: Date) -> Account {
        let mut account = Account::default();
        let placed = HoldPlaced {
            invoice: None,
            owner: PAYMENT_SEARCH.to_owned(),
            until: Some(on.saturating_add(14.days())),
            on,
            at: None,
        };
        let hold = Hold { placed: Some(placed), ..Hold::default() };
        account.holds.insert(HoldId::new("H-1").unwrap(), hold);
        account
    }

    fn in_vain(account: &Account, today: Date) -> Option<Date> {
        account.searched_in_vain(today, &TimeZone::UTC)
    }

    #[test]
    fn a_search_is_told_of_once_it_is_over() {
        let mut account = told_on(date(2026, 3, 1));
        assert_eq!(in_vain(&Account::default(), date(2026, 3, 16)), None);
        assert_eq!(in_vain(&account, date(2026, 3, 15)), None);
        assert_eq!(in_vain(&account, date(2026, 3, 16)), Some(date(2026, 3, 1)));
        account.holds.values_mut().for_each(|hold| hold.released = true);
        assert_eq!(in_vain(&account, date(2026, 3, 2)), Some(date(2026, 3, 1)));
        account.holds.values_mut().for_each(|hold| {
            hold.placed.as_mut().unwrap().owner = "hardship".to_owned();
        });
        assert_eq!(in_vain(&account, date(2026, 3, 16)), None);
    }

    #[test]
    fn whoever_paid_anything_is_not_told_that_nothing_was_found() {
        for (booked_on, told) in [(date(2025, 12, 30), true), (date(2025, 12, 31), false)] {
            let mut account = told_on(date(2026, 3, 1));
            let received = Received {
                booked_on,
                amount: Money::parse("5.00", Currency::EUR).unwrap(),
                method: "transfer".to_owned(),
                invoice: None,
            };
            let payment = Payment { received: Some(received), ..Payment::default() };
            account.payments.insert(PaymentId::new("P-1").unwrap(), payment.into());
            assert_eq!(in_vain(&account, date(2026, 3, 16)).is_some(), told, "{booked_on}");
        }
    }
}

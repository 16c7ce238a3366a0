//! An account at the beginning of a forecast: what is open, and what would happen to it if nobody
//! paid, told by the code that decides.

use std::{collections::HashMap, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use kulanz_domain::{
    Account,
    account::{NoticeState, PlacementState},
    book::Book,
    calendar::day_in,
    claim::Claim,
    event::NoticeDecided,
    ids::{AccountId, InvoiceId},
    money::{Currency, Decimal},
    policy::Rules,
};

use super::{
    cells::{DayNumber, Names, Sizes, Track, day, number},
    learn::{minor, track},
};
use crate::{
    Fault,
    plan::ahead::{self, Deed, Start},
};

/// The days that are told, and the moment at which the first is entered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub from: Timestamp,
    pub first: DayNumber,
    pub days: usize,
}

impl Span {
    fn end(self, zone: &TimeZone) -> Timestamp {
        let days = DayNumber::try_from(self.days).unwrap_or(DayNumber::MAX);
        let end = day(self.first.saturating_add(days)).to_zoned(zone.clone());
        end.map_or(Timestamp::MAX, |start| start.timestamp())
    }

    /// The place of a day; `None` after the last one.
    fn place(self, day: DayNumber) -> Option<usize> {
        let at = usize::try_from((day - self.first).max(0)).unwrap_or(usize::MAX);
        (at < self.days).then_some(at)
    }
}

/// An open claim.
#[derive(Debug)]
pub(super) struct Debt {
    pub currency: Currency,
    /// With the steps that it would take if nobody paid.
    pub track: Track,
    /// The first place on which it can be paid.
    pub from: usize,
    /// Principal and fees that are open, in minor units.
    pub owed: i64,
    /// Fees that messages will charge on it, by the place of their day.
    pub fees: Vec<(usize, i64)>,
    /// The place of the day on which it is due to go to an agency.
    pub away: Option<usize>,
}

/// A message that goes unless all its claims are paid before.
#[derive(Debug)]
pub(super) struct Mail {
    pub currency: Currency,
    pub at: usize,
    pub step: u16,
    pub persona: u16,
    /// Places in [`Case::debts`].
    pub claims: Vec<usize>,
}

/// Why what is open is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Aside {
    /// Insolvent, dead, or erased.
    Stopped,
    /// At an agency, or waiting to be released to one.
    Agency,
}

/// An account.
#[derive(Debug, Default)]
pub(super) struct Case {
    pub debts: Vec<Debt>,
    pub mails: Vec<Mail>,
    pub aside: Vec<(Currency, Aside, i64)>,
}

/// What is the same for all accounts.
pub(super) struct Ground<'a> {
    pub names: &'a Names,
    pub sizes: &'a HashMap<&'static str, (Currency, Sizes)>,
    pub zone: &'a TimeZone,
    pub span: Span,
    /// Rules to play; `None`: nobody is written to.
    pub rules: Option<&'a Arc<Rules>>,
}

impl Ground<'_> {
    pub fn sizes(&self, currency: Currency) -> Sizes {
        self.sizes.get(currency.code()).map(|(_, sizes)| *sizes).unwrap_or_default()
    }

    /// The case of an account; `None` where nothing is open.
    pub fn case(
        &self,
        id: &AccountId,
        account: &Account,
        version: u64,
    ) -> Result<Option<Case>, Fault> {
        let stopped = account.insolvent_on.is_some()
            || account.deceased_on.is_some()
            || account.erased_at.is_some();
        let (mut case, mut places) = (Case::default(), HashMap::<InvoiceId, usize>::new());
        for currency in account.currencies() {
            for column in &Book::of(account, currency).claims {
                let owed = minor(column.outstanding + column.fees, currency);
                // Rests of fees and interest alone are not drawn: no history says how they are
                // paid.
                if column.outstanding.is_zero() {
                    continue;
                }
                let aside = match stopped {
                    true => Some(Aside::Stopped),
                    false => at_agency(account, column.claim).then_some(Aside::Agency),
                };
                if let Some(aside) = aside {
                    case.aside.push((currency, aside, owed));
                    continue;
                }
                let sizes = self.sizes(currency);
                let Some(track) = track(account, column.claim, self.zone, self.names, sizes) else {
                    continue;
                };
                let issued = column.claim.invoice.as_ref().map(|invoice| number(invoice.issued_on));
                let from = issued.map_or(Some(0), |day| self.span.place(day));
                let Some(from) = from else { continue };
                places.insert(column.invoice.clone(), case.debts.len());
                let (fees, away) = (Vec::new(), None);
                case.debts.push(Debt { currency, track, from, owed, fees, away });
            }
        }
        if case.debts.is_empty() && case.aside.is_empty() {
            return Ok(None);
        }
        if let Some(rules) = self.rules.filter(|_| !case.debts.is_empty()) {
            self.play(&mut case, &places, (id, account, version), &rules.of(id))?;
        }
        Ok(Some(case))
    }

    fn play(
        &self,
        case: &mut Case,
        places: &HashMap<InvoiceId, usize>,
        (id, account, version): (&AccountId, &Account, u64),
        rules: &Arc<Rules>,
    ) -> Result<(), Fault> {
        let on_their_way =
            account.notices.values().filter(|notice| notice.state == NoticeState::Decided);
        for notice in on_their_way {
            self.mail(case, places, self.span.first, &notice.decided);
        }
        let span = (self.span.from, self.span.end(self.zone));
        let start = Start { id, account, version };
        let future = ahead::play(&start, rules, span)
            .map_err(|refusal| Fault::Other(format!("{id} cannot be played ahead: {refusal}")))?;
        for (on, notice) in &future.messages {
            self.mail(case, places, number(*on), notice);
        }
        for ((invoice, _), act) in &future.acts {
            let Deed::Handoff(_) = act.deed else { continue };
            let debt = places.get(invoice).and_then(|at| case.debts.get_mut(*at));
            if let (Some(debt), Some(at)) = (debt, self.span.place(number(act.day))) {
                debt.away = Some(debt.away.map_or(at, |known| known.min(at)));
            }
        }
        Ok(())
    }

    fn mail(
        &self,
        case: &mut Case,
        places: &HashMap<InvoiceId, usize>,
        on: DayNumber,
        notice: &NoticeDecided,
    ) {
        let Some(at) = self.span.place(on) else { return };
        let persona = self.names.persona(Some(&notice.persona));
        let mut claims = Vec::with_capacity(notice.claims.len());
        for part in &notice.claims {
            let Some(place) = places.get(&part.invoice) else { continue };
            claims.push(*place);
            if let Some(debt) = case.debts.get_mut(*place) {
                debt.track.steps.push((on, self.names.step(&part.step), persona));
            }
        }
        let mut charge = |invoice: &InvoiceId, amount: Decimal| {
            let debt = places.get(invoice).and_then(|place| case.debts.get_mut(*place));
            let fee = minor(amount, notice.currency);
            if let Some(debt) = debt.filter(|_| fee > 0) {
                debt.fees.push((at, fee));
            }
        };
        notice.fee.iter().chain(&notice.lump_sums).for_each(|(invoice, fee)| charge(invoice, *fee));
        if !claims.is_empty() {
            let step = self.names.step(&notice.step);
            case.mails.push(Mail { currency: notice.currency, at, step, persona, claims });
        }
    }
}

/// The claim is at an agency, or persons are about to decide whether it goes there.
pub(super) fn at_agency(account: &Account, claim: &Claim) -> bool {
    let placement = claim.placement.as_ref().and_then(|id| account.placements.get(id));
    placement.is_some_and(|placement| {
        matches!(placement.state, PlacementState::Due | PlacementState::Released)
    })
}

/// The day of a moment.
pub(super) fn number_in(at: Timestamp, zone: &TimeZone) -> DayNumber {
    number(day_in(at, zone))
}

//! The last look at an account before a message leaves.

use jiff::Timestamp;

use super::{
    WaitReason, after, block, channel_gap,
    reach::{debtors_window, decent_window},
};
use crate::{
    account::{Account, NoticeState, Standing},
    book::Book,
    calendar::day_in,
    event::Suppression,
    ids::NoticeId,
    ladder,
    money::Decimal,
    policy::*,
    watch::{Watch, watch},
};

/// What to do with a decided message at the moment of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recheck {
    /// All is as it was decided.
    Send,
    /// The window has closed meanwhile.
    Later(Timestamp),
    /// What it says is no longer so.
    Suppress(Suppression),
    /// It is not waiting to be sent: sent, suppressed or unknown to the account.
    NotPending,
}

/// Looks at the account once more before a message leaves: whoever has paid, disagreed or asked
/// for time in between is not written to.
pub fn recheck(account: &Account, rules: &Rules, notice: &NoticeId, now: Timestamp) -> Recheck {
    let Some(entry) = account.notices.get(notice) else { return Recheck::NotPending };
    if entry.state != NoticeState::Decided {
        return Recheck::NotPending;
    }
    let decided = &entry.decided;
    let today = day_in(now, &rules.creditor.zone);
    let debtor = match block(account, &rules.creditor.zone, today) {
        Ok(debtor) => debtor,
        Err((reason, _)) => {
            return Recheck::Suppress(match reason {
                WaitReason::Erased => Suppression::Erased,
                WaitReason::Insolvent => Suppression::Insolvent,
                WaitReason::Deceased => Suppression::Deceased,
                WaitReason::Promised(_) => Suppression::Promised,
                WaitReason::DebtorUnknown => Suppression::ChannelGone,
                _ => Suppression::OnHold,
            });
        }
    };
    let book = Book::of(account, decided.currency);
    let mut open = Decimal::ZERO;
    let mut changed = false;
    for part in &decided.claims {
        let Some(column) = book.claim(&part.invoice) else {
            return Recheck::Suppress(Suppression::AmountsChanged);
        };
        let policy = rules.policy(decided.currency);
        let step = policy.and_then(|p| p.steps.iter().find(|step| step.name == part.step));
        if !ladder::still_fits(step, &decided.kind, column.due_on, today) {
            return Recheck::Suppress(Suppression::AmountsChanged);
        }
        open += column.open_on(today);
        // Interest is told up to a day: days that passed since change nothing of what was told.
        let told_to = decided.interest_to.unwrap_or(day_in(decided.at, &rules.creditor.zone));
        let interest = column.interest_on(told_to);
        changed |= column.outstanding != part.principal || column.fees != part.fees;
        changed |= interest != part.interest;
        if column.claim.disputed() {
            return Recheck::Suppress(Suppression::Disputed);
        }
        if account.hold_on(Some(&part.invoice), today).is_some() {
            return Recheck::Suppress(Suppression::OnHold);
        }
        let seat = rules.creditor.seat();
        let claim = (column.invoice, column.claim);
        if matches!(watch(account, claim, &book, seat, today), Watch::Barred(_)) {
            return Recheck::Suppress(Suppression::TimeBarred);
        }
        if column.claim.placement.is_some() {
            return Recheck::Suppress(Suppression::Placed);
        }
        let mut plans = account.plans.values();
        if plans.any(|p| p.standing == Standing::Open && p.claims.contains(&part.invoice)) {
            return Recheck::Suppress(Suppression::Planned);
        }
        if book.unallocated > Decimal::ZERO && book.unallocated >= column.open_on(today) {
            return Recheck::Suppress(Suppression::CreditCovers);
        }
    }
    if open.is_zero() {
        return Recheck::Suppress(Suppression::Paid);
    }
    if changed {
        return Recheck::Suppress(Suppression::AmountsChanged);
    }
    let policy = rules.policy(decided.currency);
    if let Some(reason) = policy.and_then(|policy| account.overruled(policy, decided, today)) {
        return Recheck::Suppress(reason);
    }
    if channel_gap(account, debtor, &rules.creditor, decided.channel).is_some() {
        return Recheck::Suppress(Suppression::ChannelGone);
    }
    // The policy may have changed since: its window for everybody counts then, or the law's.
    let personas = rules.policy(decided.currency).map_or(&[][..], |policy| &policy.personas);
    let persona = personas.iter().find(|one| one.name == decided.persona);
    let persona = persona.or_else(|| personas.last());
    let base = persona.map_or_else(|| decent_window(&rules.creditor), |persona| persona.window);
    let (window, zone) = debtors_window(base, debtor, &rules.creditor);
    // What waited for days, for a brake or a gateway, leaves one message a day like all that is
    // late.
    let day = |at: Timestamp| day_in(at, &rules.creditor.zone);
    let waited = day(decided.at) < today;
    if waited && account.contacts.iter().any(|contact| day(*contact) == today) {
        let tomorrow = window.next_open(after(today, &rules.creditor.zone), &zone);
        return tomorrow.map_or(Recheck::Suppress(Suppression::ChannelGone), Recheck::Later);
    }
    match window.next_open(now, &zone) {
        Some(open) if open > now => Recheck::Later(open),
        Some(_) => Recheck::Send,
        None => Recheck::Suppress(Suppression::ChannelGone),
    }
}

//! The last look at an account before a message leaves.

use jiff::{Timestamp, civil::Date};

use super::{
    Case, WaitReason, after, block, channel_gap,
    reach::{debtors_window, decent_window},
};
use crate::{
    account::{Account, NoticeState, Standing},
    book::Book,
    calendar::day_in,
    event::{NoticeClaim, NoticeDecided, Suppression},
    fact::DebtorProfile,
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
    let (debtor, change) = match look(account, rules, decided, today) {
        Ok(found) => found,
        Err(reason) => return Recheck::Suppress(reason),
    };
    if change != Change::None {
        return Recheck::Suppress(Suppression::AmountsChanged);
    }
    let policy = rules.policy(decided.currency);
    if let Some(reason) = policy.and_then(|policy| account.overruled(policy, decided, today)) {
        return Recheck::Suppress(reason);
    }
    if !meant(account, rules, decided, debtor, now) {
        return Recheck::Suppress(Suppression::ConditionFalse);
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

/// Why a message must not reach its reader any more, though it was given to a gateway that has not
/// sent it yet; the fee and the interest that it brought are no reason.
pub fn overtaken(
    account: &Account,
    rules: &Rules,
    notice: &NoticeId,
    now: Timestamp,
) -> Option<Suppression> {
    let decided = &account.notices.get(notice)?.decided;
    match look(account, rules, decided, day_in(now, &rules.creditor.zone)) {
        Err(reason) => Some(reason),
        Ok((_, Change::Principal)) => Some(Suppression::AmountsChanged),
        Ok((debtor, Change::None | Change::Rest)) => {
            let meant = meant(account, rules, decided, debtor, now);
            (!meant).then_some(Suppression::ConditionFalse)
        }
    }
}

/// Whether the conditions of its steps still hold: the debtor may need care since, or a message
/// that speaks of an agency be true no more. Steps without one cost nothing to ask.
fn meant(
    account: &Account,
    rules: &Rules,
    decided: &NoticeDecided,
    debtor: &DebtorProfile,
    now: Timestamp,
) -> bool {
    let Some(policy) = rules.policy(decided.currency) else { return true };
    let conditional = |part: &NoticeClaim| {
        let step = policy.steps.iter().find(|step| step.name == part.step);
        step.is_some_and(|step| step.when.is_some())
    };
    if !decided.claims.iter().any(conditional) {
        return true;
    }
    let book = Book::of(account, decided.currency);
    let today = day_in(now, &rules.creditor.zone);
    let case = Case::new(account, rules, policy, &book, debtor, (now, today));
    decided.claims.iter().all(|part| case.meets(&part.invoice, &part.step))
}

/// What is no longer as a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    /// Fees or interest.
    Rest,
    Principal,
}

/// Whether what a message is about is still owed and may be asked for.
fn look<'a>(
    account: &'a Account,
    rules: &Rules,
    decided: &NoticeDecided,
    today: Date,
) -> Result<(&'a DebtorProfile, Change), Suppression> {
    let debtor =
        block(account, &rules.creditor.zone, today).map_err(|(reason, _)| match reason {
            WaitReason::Erased => Suppression::Erased,
            WaitReason::Insolvent => Suppression::Insolvent,
            WaitReason::Deceased => Suppression::Deceased,
            WaitReason::Promised(_) => Suppression::Promised,
            WaitReason::DebtorUnknown => Suppression::ChannelGone,
            _ => Suppression::OnHold,
        })?;
    let book = Book::of(account, decided.currency);
    let mut open = Decimal::ZERO;
    let mut change = Change::None;
    for part in &decided.claims {
        let Some(column) = book.claim(&part.invoice) else {
            return Err(Suppression::AmountsChanged);
        };
        let policy = rules.policy(decided.currency);
        let step = policy.and_then(|p| p.steps.iter().find(|step| step.name == part.step));
        if !ladder::still_fits(step, &decided.kind, column.due_on, today) {
            return Err(Suppression::AmountsChanged);
        }
        open += column.open_on(today);
        // Interest is told up to a day: days that passed since change nothing of what was told.
        let told_to = decided.interest_to.unwrap_or(day_in(decided.at, &rules.creditor.zone));
        let interest = column.interest_on(told_to);
        if column.outstanding != part.principal {
            change = Change::Principal;
        } else if change == Change::None && (column.fees != part.fees || interest != part.interest)
        {
            change = Change::Rest;
        }
        if column.claim.disputed() {
            return Err(Suppression::Disputed);
        }
        if column.claim.made_by_minor(Some(debtor)).is_some() {
            return Err(Suppression::MadeByMinor);
        }
        if account.hold_on(Some(&part.invoice), today).is_some() {
            return Err(Suppression::OnHold);
        }
        let seat = rules.creditor.seat();
        let claim = (column.invoice, column.claim);
        if matches!(watch(account, claim, &book, seat, today), Watch::Barred(_)) {
            return Err(Suppression::TimeBarred);
        }
        if column.claim.placement.is_some() {
            return Err(Suppression::Placed);
        }
        let mut plans = account.plans.values();
        if plans.any(|p| p.standing == Standing::Open && p.claims.contains(&part.invoice)) {
            return Err(Suppression::Planned);
        }
        if book.unallocated > Decimal::ZERO && book.unallocated >= column.open_on(today) {
            return Err(Suppression::CreditCovers);
        }
    }
    if open.is_zero() {
        return Err(Suppression::Paid);
    }
    Ok((debtor, change))
}

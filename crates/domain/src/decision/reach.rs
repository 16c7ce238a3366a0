//! Reaching a debtor: in which hours, and by which channel.

use jiff::tz::TimeZone;

use crate::{
    account::Account,
    calendar::Region,
    contact::{ContactWindow, Hours},
    event::ChannelGap,
    fact::{Channel, DebtorProfile},
    law,
    policy::*,
};

/// When a persona of a debtor may be contacted, and in which zone.
pub fn contact_window(
    persona: &Persona,
    debtor: &DebtorProfile,
    creditor: &Creditor,
) -> (ContactWindow, TimeZone) {
    debtors_window(persona.window, debtor, creditor)
}

pub(super) fn debtors_window(
    base: ContactWindow,
    debtor: &DebtorProfile,
    creditor: &Creditor,
) -> (ContactWindow, TimeZone) {
    let zone = debtor
        .timezone
        .as_deref()
        .filter(|name| creditor.zone.iana_name() != Some(name))
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or_else(|| creditor.zone.clone());
    let mut window = match law::contact_limits(creditor.law) {
        Some(limits) => base.intersect(&limits.window),
        None => base,
    };
    if let Some(region) = Region::of(&debtor.country, debtor.region.as_deref()) {
        window = window.without_holidays_of(region);
    }
    if let Some(hours) = debtor.hours.as_deref().and_then(|text| text.parse::<Hours>().ok()) {
        let wished = window.narrowed(None, Some(hours));
        if !wished.is_empty() {
            window = wished;
        }
    }
    (window, zone)
}

/// Where no policy narrows it.
pub(super) fn decent_window(creditor: &Creditor) -> ContactWindow {
    let limits = law::contact_limits(creditor.law);
    limits
        .map_or_else(ContactWindow::decency_default, |limits| limits.window)
        .without_holidays_of(creditor.region)
}

/// Why `channel` cannot reach the debtor; `None`: it can.
pub fn channel_gap(
    account: &Account,
    debtor: &DebtorProfile,
    creditor: &Creditor,
    channel: Channel,
) -> Option<ChannelGap> {
    if !creditor.channels.contains(&channel) {
        return Some(ChannelGap::NotOffered);
    }
    if !debtor.reachable.contains(&channel) {
        return Some(ChannelGap::NoAddress);
    }
    if channel == Channel::Sms && debtor.sms_consent == Some(false) {
        return Some(ChannelGap::NoConsent);
    }
    account.dead_channels.get(&channel).copied()
}

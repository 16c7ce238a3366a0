//! What being late may cost beside interest: reminder fees and the lump sum against businesses.

use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    fact::{Channel, DebtorKind, DebtorProfile, Supply},
    money::Currency,
    policy::{Creditor, Law},
};

/// What of `wanted` may be charged for a notice.
///
/// Only what the reminder itself costs, and only in default: the one that brings default about
/// carries none (BGH VIII ZR 95/18 on lump sums; § 309 no. 5 BGB) [V]. Against consumers: letter
/// 2.50, SMS 0.20, e-mail nothing. Switzerland: fees only if agreed, which we cannot know.
pub fn fee_allowed(
    wanted: Decimal,
    channel: Channel,
    in_default: bool,
    creditor: &Creditor,
    debtor: &DebtorProfile,
) -> Decimal {
    let guard = fee_guard(channel, in_default, creditor.law, debtor.kind);
    guard.map_or(wanted, |guard| wanted.min(guard.cap()))
}

/// What limits the fee of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeGuard {
    /// Switzerland: only what was agreed (OR 104), which we cannot know.
    OnlyIfAgreed,
    /// The notice that brings default about carries no fee (§ 286 (1) BGB).
    NotInDefault,
    /// What a notice to a consumer costs by this channel.
    ConsumerCap(Channel),
}

impl FeeGuard {
    /// The most that it lets through.
    pub const fn cap(self) -> Decimal {
        match self {
            Self::OnlyIfAgreed | Self::NotInDefault => Decimal::ZERO,
            Self::ConsumerCap(channel) => consumer_cap(channel),
        }
    }
}

/// What limits a fee; `None`: nothing but what the policy asks.
pub const fn fee_guard(
    channel: Channel,
    in_default: bool,
    law: Law,
    debtor: DebtorKind,
) -> Option<FeeGuard> {
    match (law, debtor) {
        (Law::None, _) => None,
        (Law::Ch, _) => Some(FeeGuard::OnlyIfAgreed),
        _ if !in_default => Some(FeeGuard::NotInDefault),
        (_, DebtorKind::Business) => None,
        (_, DebtorKind::Consumer) => Some(FeeGuard::ConsumerCap(channel)),
    }
}

/// The most that a reminder to a consumer may cost [V: what German courts accept].
pub const fn consumer_cap(channel: Channel) -> Decimal {
    match channel {
        Channel::Letter => Decimal::from_parts(250, 0, 0, false, 2),
        Channel::Sms => Decimal::from_parts(20, 0, 0, false, 2),
        Channel::Email => Decimal::ZERO,
    }
}

/// § 288 (5) BGB [V], § 458 UGB [M]: 40 euros a claim, against businesses alone.
pub const LUMP_SUM: Decimal = Decimal::from_parts(40, 0, 0, false, 0);

/// What of the lump sum may be charged for a claim now: nothing against consumers, before default,
/// for what is no payment for goods or services, in another currency, or a second time. It is
/// credited against the costs of legal pursuit, so that reminder fees charged before count
/// (`fees_charged`), and none are charged after it.
pub fn lump_sum(
    law: Law,
    debtor: DebtorKind,
    supply: Supply,
    currency: Currency,
    in_default: bool,
    fees_charged: Decimal,
) -> Decimal {
    let owed = matches!(law, Law::De | Law::At)
        && debtor == DebtorKind::Business
        && supply == Supply::GoodsServices
        && currency == Currency::EUR
        && in_default;
    if owed { (LUMP_SUM - fees_charged).max(Decimal::ZERO) } else { Decimal::ZERO }
}

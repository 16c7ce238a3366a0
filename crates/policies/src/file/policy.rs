//! `policy.yaml`.

use kulanz_domain::{
    fact::{Channel, PayWith},
    law::interest::DayCount,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Amount, Cel, CurrencyCode, Day, Days, Factor, HolidayRegion, HoursOfDay, Interest,
    LanguageCode, LanguageWish, MomentText, Name, Percent, Zone, experiment::ExperimentDoc,
};
use crate::yaml::At;

/// How one creditor reminds people of claims in one currency: who is spoken to how (personas), and
/// what happens when (steps).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Kulanz policy")]
pub(crate) struct PolicyDoc {
    /// The policy's name, the same as its folder's.
    pub policy: At<Name>,
    /// Counts up with every change: the same version with other content is refused.
    #[schemars(range(min = 1), example = 4)]
    pub version: At<u32>,
    /// Whose claims: the name of a file under `creditors/`.
    pub creditor: At<Name>,
    /// In which currency. One policy per creditor and currency is in force on a day.
    pub currency: At<CurrencyCode>,
    /// Languages with texts; the first is the fallback.
    #[schemars(length(min = 1))]
    pub languages: At<Vec<At<LanguageCode>>>,
    /// The first day on which it is in force; of several that have begun, the latest is.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub valid_from: Option<At<Day>>,
    /// Going live on an existing book: where claims enter that are long overdue when the policy
    /// first meets them. Left out: those overdue for more than 60 days wait for a person.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub start: Option<At<StartDoc>>,
    /// Messages of a day leave over so many minutes from the opening of the contact window on, by
    /// account, not all at once. 0 where left out.
    #[schemars(range(max = 600), example = 120)]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub spread_minutes: Option<At<u32>>,
    /// More messages than this stop, all of the creditor's, and wait until a person releases them.
    /// Never where left out. Of several policies of a creditor the strictest limit holds.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub brake: Option<At<BrakeDoc>>,
    /// Zone and holidays by which days are counted; the creditor's where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub calendar: Option<CalendarDoc>,
    /// When and how often people may be contacted, in their own time zone. The law's defaults
    /// where left out; never wider than the law.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub contact: Option<At<ContactDoc>>,
    /// Below this a claim is shown, not dunned. 0 where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub minimum: Option<At<Amount>>,
    /// `account`: one message for all claims that are due a step. `claim`: one each. `account`
    /// where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub bundle: Option<BundleDoc>,
    /// Default interest, while a claim is in default. `statutory`: what the law gives, or what was
    /// agreed. A percentage: no more than that. `none` where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub interest: Option<At<Interest>>,
    /// How days become a share of a year. `act_act` (never above the annual rate) where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub day_count: Option<DayCountDoc>,
    /// Interest is counted for the day of the payment too. `true` where left out.
    #[schemars(example = true)]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub payment_day_counts: Option<bool>,
    /// What a claim still owes in interest and fees after a payment is waived up to this: interest
    /// that ran on while the money was on its way, above all. 0 where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub rest_waived: Option<At<Amount>>,
    /// A payment may be on its way: wait this long after a deadline. `2bd` where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub in_flight: Option<At<Days>>,
    /// How far ahead a debtor may promise to pay. `30d` where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub promise_within: Option<At<Days>>,
    /// Kinds of debtors and what is tuned to each; the first match wins, the last one has no
    /// condition.
    #[schemars(length(min = 1))]
    pub personas: At<Vec<At<PersonaDoc>>>,
    /// The ladder, lowest first.
    #[schemars(length(min = 1))]
    pub steps: At<Vec<At<StepDoc>>>,
    /// What is tried on a share of the accounts, beside a control arm that is treated as the rest
    /// of the file says. Three at most.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub experiments: Option<At<Vec<At<ExperimentDoc>>>>,
}

/// What becomes of claims that are already long overdue.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartDoc {
    /// Claims overdue for longer than this, in days or weeks.
    pub overdue_longer_than: At<Days>,
    /// Enter the ladder at this step; lower ones are passed over. Left out: they wait for a person.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub enter_at: Option<At<Name>>,
    /// Spread over this time, by account; all on the first day where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub over: Option<At<Days>>,
}

/// Limits above which sending stops and asks; at least one of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrakeDoc {
    /// Messages within any 60 minutes.
    #[schemars(range(min = 1), example = 2000)]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub per_hour: Option<At<u32>>,
    /// Messages on a day in the creditor's zone.
    #[schemars(range(min = 1), example = 10_000)]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub per_day: Option<At<u32>>,
    /// Messages on a day, as a multiple of the usual number: the middle one of the days of the last
    /// 28 on which any left, once there are five. 100 messages a day always pass it.
    #[schemars(range(min = 2), example = 5)]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub times_usual: Option<At<u32>>,
}

/// How days are counted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarDoc {
    /// Zone in which the policy's days begin and end; the creditor's where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub timezone: Option<At<Zone>>,
    /// Whose holidays are no business days; those of the creditor's state where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub holidays: Option<At<HolidayRegion>>,
}

/// When and how often people may be contacted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactDoc {
    /// Limits to start from: `de`, `at`, `ch` (Mon-Fri 8-20, Sat 9-18; 3 in 7 days), `uk-conc`
    /// (Mon-Sat 8-21; 7 in 7), `us-reg-f` (every day 8-21; 7 in 7), `none`. What the creditor's law says where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub preset: Option<At<PresetDoc>>,
    /// Days of the week; all that are allowed where left out.
    #[schemars(example = ["mon", "tue", "wed", "thu", "fri"])]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub days: Option<At<Vec<DayOfWeek>>>,
    /// Hours of the day; all that are allowed where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub hours: Option<At<HoursOfDay>>,
    /// At most so many messages in so many days, over all channels.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub at_most: Option<At<CapDoc>>,
}

/// A named set of contact limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PresetDoc {
    De,
    At,
    Ch,
    UkConc,
    UsRegF,
    None,
}

impl PresetDoc {
    pub const fn name(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::At => "at",
            Self::Ch => "ch",
            Self::UkConc => "uk-conc",
            Self::UsRegF => "us-reg-f",
            Self::None => "none",
        }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DayOfWeek {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// `{ times: 2, in: 7d }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CapDoc {
    /// How many messages.
    #[schemars(range(min = 1))]
    #[schemars(example = 2)]
    pub times: u32,
    /// In how many days or weeks.
    #[serde(rename = "in")]
    pub within: At<Days>,
}

/// How claims share messages.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BundleDoc {
    /// One message for all claims of the account that are due a step; what is not due yet is not in
    /// one with what is overdue, nor what the condition of that message's step does not hold for.
    Account,
    /// One message a claim.
    Claim,
}

/// How days become a share of a year.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DayCountDoc {
    /// Days over the year's own length, 365 or 366.
    ActAct,
    /// Days over 365, also in leap years.
    #[serde(rename = "act_365")]
    Act365,
    /// Months of 30 days over 360.
    #[serde(rename = "d30_360")]
    D30360,
}

impl From<DayCountDoc> for DayCount {
    fn from(count: DayCountDoc) -> Self {
        match count {
            DayCountDoc::ActAct => Self::ActAct,
            DayCountDoc::Act365 => Self::Act365,
            DayCountDoc::D30360 => Self::D30360,
        }
    }
}

/// A way to reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChannelDoc {
    Email,
    Sms,
    Letter,
}

impl From<ChannelDoc> for Channel {
    fn from(channel: ChannelDoc) -> Self {
        match channel {
            ChannelDoc::Email => Self::Email,
            ChannelDoc::Sms => Self::Sms,
            ChannelDoc::Letter => Self::Letter,
        }
    }
}

/// A way to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PayWithDoc {
    /// Credit transfer, with a GiroCode.
    Transfer,
    Card,
    Paypal,
    SepaDebit,
}

impl From<PayWithDoc> for PayWith {
    fn from(way: PayWithDoc) -> Self {
        match way {
            PayWithDoc::Transfer => Self::Transfer,
            PayWithDoc::Card => Self::Card,
            PayWithDoc::Paypal => Self::Paypal,
            PayWithDoc::SepaDebit => Self::SepaDebit,
        }
    }
}

/// A kind of debtor, and how it is spoken to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonaDoc {
    /// Its name.
    pub persona: At<Name>,
    /// Which accounts it is for; only the last persona has none. May not read `claim.*` or
    /// `persona`: a persona belongs to the account.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub when: Option<At<Cel>>,
    /// The language of messages; `debtor` where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub language: Option<At<LanguageWish>>,
    /// The tone of the texts: part of the names of their files. `clear` where left out.
    #[schemars(example = &"warm")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub tone: Option<At<Name>>,
    /// Channels in order: the next one is used where the debtor cannot be reached by the first.
    /// All of the creditor's where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub channels: Option<At<Vec<At<ChannelDoc>>>>,
    /// Hours in which these people are contacted: narrows `contact`, never widens it.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub hours: Option<At<HoursOfDay>>,
    /// Ways to pay in order; transfer and card where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub pay_with: Option<At<Vec<PayWithDoc>>>,
    /// Waits after the due date are multiplied by this; deadlines told to people never change.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub pace: Option<At<Factor>>,
}

/// What a step sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SendDoc {
    /// A friendly word before the due date.
    Notice,
    /// Zahlungserinnerung: friendly, no fee, does not start default.
    Reminder,
    /// Mahnung: names a deadline; default begins if it has not yet.
    Mahnung,
    /// An offer to pay in instalments.
    Offer,
    /// Nothing: the step happens on its day without a message, and later steps count from it.
    Nothing,
}

/// A rung of the ladder: it sends something (or, by `send: nothing`, stays quiet), or hands the
/// claim off.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepDoc {
    /// Its name; later steps count from it.
    pub step: At<Name>,
    /// What it sends.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub send: Option<At<SendDoc>>,
    /// Hands the claim to a collection agency instead.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub hand_off: Option<At<HandOffDoc>>,
    /// When it is due.
    pub at: At<MomentText>,
    /// The time given to pay, counted from the sending.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub deadline: Option<At<Days>>,
    /// Charged with a mahnung, as far as the law lets it for the channel used.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub fee: Option<At<Amount>>,
    /// Charges the lump sum of 40 euros with a mahnung, as far as the law lets it: once a claim,
    /// in default, never to consumers (§ 288 (5) BGB).
    #[schemars(example = true)]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub lump_sum: Option<At<bool>>,
    /// Liefersperre: from when the step has happened, the shop should not deliver on account any
    /// more. Lifted by itself once the claims are paid, withdrawn, deferred or disputed.
    #[schemars(example = true)]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub stop_delivery: Option<At<bool>>,
    /// It does not happen any more so long after its day. However late where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub expires: Option<At<Days>>,
    /// For which claims; always where left out. Tried again until a later step has happened.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub when: Option<At<Cel>>,
    /// Instalment plans to choose from, with `send: offer`.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub plans: Option<At<Vec<At<PlanDoc>>>>,
    /// The name of the text: `templates/<text>.<language>.<tone>.<channel>.hbs`. The step's name
    /// where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub text: Option<At<Name>>,
}

/// A plan of monthly rates.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanDoc {
    /// Number of rates, a month apart.
    #[schemars(range(min = 2, max = 36))]
    #[schemars(example = 3)]
    pub rates: u32,
    /// Share of the first rate; equal rates where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub first: Option<At<Percent>>,
    /// No rate is below this: a plan whose rates would be is not offered.
    pub at_least: At<Amount>,
}

/// Handing a claim to an agency.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandOffDoc {
    /// One of the creditor's agencies.
    pub agency: At<Name>,
    /// Who must agree; `four_eyes` where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub release: Option<At<ReleaseDoc>>,
    /// Why nobody needs to agree (Art. 22 GDPR), with `release: automatic`.
    #[schemars(example = &"contract of 2026-03-01, section 4")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub ground: Option<At<String>>,
}

/// Who releases a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReleaseDoc {
    /// Two different persons.
    FourEyes,
    /// One person.
    OnePerson,
    /// Nobody; `ground` says why.
    Automatic,
}

//! What messages cost by the price list in `kulanz.yaml`.
//!
//! How many parts a text message has depends on names and amounts; here it is that of the text
//! about one claim with usual ones.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use kulanz_delivery::render::{Content, Creditor, Occasion, TextKey, samples};
use kulanz_domain::{
    fact::Channel,
    money::{Decimal, currency, decimals},
    policy::StepAction,
};
use kulanz_engine::plan::Side;
use kulanz_policies::LoadedPolicy;
use serde::{Deserialize, Serialize};

use crate::{house::templates, settings::Prices};

/// Costs of both futures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// ISO 4217.
    pub currency: String,
    /// Under the rules in force.
    pub in_force: Cost,
    /// With the candidate.
    pub candidate: Cost,
}

/// Costs of one future.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// What is paid for: letters, parts of text messages, e-mails.
    pub pieces: BTreeMap<Channel, u64>,
    /// What all of it costs.
    pub total: Decimal,
}

impl Costs {
    /// Of the futures with the policies that send in them.
    pub fn of(
        prices: &Prices,
        (old, before): (Option<&LoadedPolicy>, &Side),
        (new, after): (&LoadedPolicy, &Side),
        creditor: &Creditor,
    ) -> Result<Self> {
        let in_force = match old {
            Some(old) => Cost::of(prices, old, before, creditor)?,
            None => Cost::default(),
        };
        let candidate = Cost::of(prices, new, after, creditor)?;
        Ok(Self { currency: prices.currency.clone(), in_force, candidate })
    }
}

impl Cost {
    fn of(
        prices: &Prices,
        policy: &LoadedPolicy,
        side: &Side,
        creditor: &Creditor,
    ) -> Result<Self> {
        let parts = parts(policy, creditor)?;
        let mut pieces: BTreeMap<Channel, u64> = BTreeMap::new();
        for (text, messages) in &side.texts {
            let channel = text.rsplit('.').next().unwrap_or_default();
            let channel = Channel::ALL.into_iter().find(|one| one.name() == channel);
            let channel = channel.with_context(|| format!("text {text} has no channel"))?;
            // A text of a policy in another currency of the creditor is not among these.
            let each = parts.get(text.as_str()).copied().unwrap_or(1);
            *pieces.entry(channel).or_default() += messages * each;
        }
        let mut total: Decimal = pieces
            .iter()
            .map(|(channel, number)| Decimal::from(*number) * price(prices, *channel))
            .sum();
        // Exact: a price a message may have more decimals than its currency.
        total = total.normalize();
        total.rescale(total.scale().max(decimals(currency(&prices.currency)?).unwrap_or(2)));
        Ok(Self { pieces, total })
    }
}

fn price(prices: &Prices, channel: Channel) -> Decimal {
    match channel {
        Channel::Letter => prices.letter.0,
        Channel::Sms => prices.sms.0,
        Channel::Email => prices.email.0,
    }
}

/// Parts of each text message by the text's name.
fn parts(policy: &LoadedPolicy, creditor: &Creditor) -> Result<BTreeMap<String, u64>> {
    let compiled = templates(policy).map_err(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("texts cannot be used:\n  {}", all.join("\n  "))
    })?;
    let mut parts = BTreeMap::new();
    for step in &policy.policy.steps {
        let plans: Vec<u32> = match &step.action {
            StepAction::HandOff { .. } | StepAction::Quiet => continue,
            StepAction::Offer { plans } => plans.iter().map(|plan| plan.rates).collect(),
            _ => Vec::new(),
        };
        let occasion = Occasion {
            creditor,
            currency: policy.policy.currency,
            deadline: step.deadline.is_some(),
            plans: &plans,
            base_url: crate::house::SAMPLE_URL,
        };
        let sample = samples(&occasion).into_iter().next().context("there is no sample")?;
        let of_step = |key: &&TextKey| key.text == *step.text && key.channel == Channel::Sms;
        for key in compiled.keys().filter(of_step) {
            let name = format!("{}.{}.{}.sms", key.text, key.language, key.tone);
            if let Content::Sms(message) = compiled.render(key, &sample)? {
                parts.entry(name).or_insert(message.segments as u64);
            }
        }
    }
    Ok(parts)
}

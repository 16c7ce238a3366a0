//! Experiments of a policy: which arm an account is in, and the policy as it holds for that arm.
//!
//! An arm is a function of the experiment's name and the account's alone: not of time, order, the
//! policy's version or what else is tried. So it can be computed again for ever, and an account
//! stays where it is while the shares grow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Policy, Rules};
use crate::ids::{AccountId, ExperimentName};

/// Shares are counted in millionths of the accounts.
pub const WHOLE: u32 = 1_000_000;

/// The most experiments of a policy: each doubles the variants that are compiled and checked.
pub const MOST_EXPERIMENTS: usize = 3;

/// A side of an experiment. An account that is on neither is outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// What is tried holds.
    Treated,
    /// The policy holds as it is; compared with the treated.
    Control,
}

impl Arm {
    /// The word used in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Treated => "treated",
            Self::Control => "control",
        }
    }
}

/// The arm that an account is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ArmTaken {
    /// Of which experiment.
    pub experiment: ExperimentName,
    /// Which.
    pub arm: Arm,
}

/// An experiment that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Its name; another name draws the accounts anew.
    pub name: ExperimentName,
    /// Share of the accounts that are treated, in millionths.
    pub treated: u32,
    /// Share of the accounts that are compared with them, in millionths.
    pub control: u32,
}

impl Experiment {
    /// The arm of an account; `None`: outside. The treated are at one end of the range and the
    /// control arm at the other: a share that grows takes from those outside alone, until none of
    /// them are left.
    pub fn arm(&self, account: &AccountId) -> Option<Arm> {
        let place = place(&self.name, account);
        if place < self.treated {
            Some(Arm::Treated)
        } else if place >= WHOLE.saturating_sub(self.control) {
            Some(Arm::Control)
        } else {
            None
        }
    }
}

/// Where an account stands in an experiment: 0 to a million less one, evenly and independently of
/// its place in others. It never changes: what was recorded under it must be found again.
pub fn place(experiment: &ExperimentName, account: &AccountId) -> u32 {
    let parts = [account.creditor.as_str(), account.debtor.as_str()];
    let hash = parts.iter().fold(hashed(OFFSET, experiment.as_str()), |hash, part| {
        hashed(step(hash, b'/'), part) // no name holds a slash
    });
    let mut mixed = hash;
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^= mixed >> 33;
    // The upper half times a million, over 2^32.
    u32::try_from(((mixed >> 32) * u64::from(WHOLE)) >> 32).unwrap_or(0)
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

fn hashed(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, step)
}

/// A step of FNV-1a, with its upper half folded in: in FNV-1a itself the low bits of two names'
/// hashes differ by the same bits for every account.
const fn step(hash: u64, byte: u8) -> u64 {
    let hash = (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3);
    hash ^ (hash >> 32)
}

/// The experiments of a policy, with a policy for each arm that accounts can be in.
#[derive(Debug, Clone)]
pub struct Trials {
    experiments: Vec<Experiment>,
    /// By arms: a number in base three, the first experiment lowest; 0 is outside of all.
    variants: Vec<Arc<Policy>>,
}

impl Trials {
    /// `treated[n]` is the policy with what is tried in each experiment whose bit is set in `n`,
    /// the first experiment lowest: all 2 to the power of their number. `None` where there are
    /// others, or more than [`MOST_EXPERIMENTS`].
    pub fn new(experiments: Vec<Experiment>, treated: &[Policy]) -> Option<Self> {
        let count = experiments.len();
        if count > MOST_EXPERIMENTS || treated.len() != 1 << count {
            return None;
        }
        let ways = 3usize.pow(u32::try_from(count).ok()?);
        let mut variants = Vec::with_capacity(ways);
        for way in 0..ways {
            let (mut bits, mut rest, mut arms) = (0, way, Vec::new());
            for (at, experiment) in experiments.iter().enumerate() {
                let arm = match rest % 3 {
                    1 => Some(Arm::Treated),
                    2 => Some(Arm::Control),
                    _ => None,
                };
                rest /= 3;
                bits |= usize::from(arm == Some(Arm::Treated)) << at;
                let experiment = experiment.name.clone();
                arms.extend(arm.map(|arm| ArmTaken { experiment, arm }));
            }
            let policy = treated.get(bits)?;
            variants.push(Arc::new(Policy { arms, trials: None, ..policy.clone() }));
        }
        Some(Self { experiments, variants })
    }

    /// The experiments, in the order of the file.
    pub fn experiments(&self) -> &[Experiment] {
        &self.experiments
    }

    /// Each policy that differs from the others: what is tried in some of the experiments. The
    /// first one is the policy as it is.
    pub fn treatments(&self) -> impl Iterator<Item = &Arc<Policy>> {
        let treated = |one: &&Arc<Policy>| one.arms.iter().all(|taken| taken.arm == Arm::Treated);
        self.variants.iter().filter(treated)
    }

    /// The policy for who is in these arms, and outside of all other experiments.
    pub fn in_arms(&self, arms: &[ArmTaken]) -> Option<&Arc<Policy>> {
        self.variant(|experiment| {
            arms.iter().find(|taken| taken.experiment == experiment.name).map(|taken| taken.arm)
        })
    }

    /// The policy for who is in the arm that `arm` says of each experiment.
    fn variant(&self, arm: impl Fn(&Experiment) -> Option<Arm>) -> Option<&Arc<Policy>> {
        let place = self.experiments.iter().rev().fold(0, |place, experiment| {
            place * 3
                + match arm(experiment) {
                    None => 0,
                    Some(Arm::Treated) => 1,
                    Some(Arm::Control) => 2,
                }
        });
        self.variants.get(place)
    }
}

impl Policy {
    /// The policy as it is and, of its experiments, with what is tried in some of them: all that
    /// somebody may get.
    pub fn treatments(&self) -> impl Iterator<Item = &Self> {
        let tried = self.trials.iter().flat_map(|trials| trials.treatments().skip(1));
        std::iter::once(self).chain(tried.map(Arc::as_ref))
    }
}

impl Rules {
    /// The rules as they hold for one account: of each policy the variant of the account's arms.
    /// Without experiments these are the same rules.
    pub fn of(self: &Arc<Self>, account: &AccountId) -> Arc<Self> {
        self.varied(|trials| trials.variant(|experiment| experiment.arm(account)))
    }

    /// The rules as they hold for who is in these arms, and outside of all other experiments.
    pub fn in_arms(self: &Arc<Self>, arms: &[ArmTaken]) -> Arc<Self> {
        self.varied(|trials| trials.in_arms(arms))
    }

    fn varied(self: &Arc<Self>, choose: impl Fn(&Trials) -> Option<&Arc<Policy>>) -> Arc<Self> {
        if self.policies.values().all(|policy| policy.trials.is_none()) {
            return Arc::clone(self);
        }
        let mut rules = Self::clone(self);
        for policy in rules.policies.values_mut() {
            let variant = policy.trials.as_deref().and_then(&choose);
            if let Some(variant) = variant.map(Arc::clone) {
                *policy = variant;
            }
        }
        Arc::new(rules)
    }
}

#[cfg(test)]
mod tests;

//! What no story of a policy shows.

use std::fmt;

use kulanz_domain::{
    ids::{ExperimentName, PersonaName, StepName},
    policy::{Arm, Creditor, Policy},
};

use super::{Guard, Verdict};

/// Something that no passing story of a policy shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uncovered {
    /// No story expects the step.
    Step(StepName),
    /// No story expects a message to the persona.
    Persona(PersonaName),
    /// No story is about somebody on whom it is tried.
    Experiment(ExperimentName),
    /// No story names the guard and shows it at work.
    Guard(Guard),
}

impl fmt::Display for Uncovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => write!(f, "no passing story expects the step `{step}`"),
            Self::Persona(persona) => {
                write!(f, "no passing story expects a message to the persona `{persona}`")
            }
            Self::Experiment(name) => {
                write!(f, "no passing story has `arms: {{ {name}: treated }}`")
            }
            Self::Guard(guard) => write!(
                f,
                "no passing story names the guard `{}` and shows it at work: {}",
                guard.name(),
                guard.shown_by()
            ),
        }
    }
}

/// What of `policy` none of the verdicts on its stories shows; failed ones show nothing.
pub fn uncovered<'v>(
    policy: &Policy,
    creditor: &Creditor,
    verdicts: impl IntoIterator<Item = &'v Verdict>,
) -> Vec<Uncovered> {
    let passed: Vec<&Verdict> = verdicts.into_iter().filter(|one| one.passed()).collect();
    let steps = policy.steps.iter().map(|step| &step.name);
    let steps = steps.filter(|step| !passed.iter().any(|one| one.steps.contains(*step)));
    let personas = policy.personas.iter().map(|persona| &persona.name);
    let personas = personas.filter(|name| !passed.iter().any(|one| one.personas.contains(*name)));
    let guards = Guard::ALL.into_iter().filter(|guard| guard.applies(policy, creditor));
    let guards = guards.filter(|guard| !passed.iter().any(|one| one.guards.contains(guard)));
    let shown = |name: &ExperimentName| {
        let mut arms = passed.iter().flat_map(|one| &one.arms);
        arms.any(|taken| taken.experiment == *name && taken.arm == Arm::Treated)
    };
    let trials = policy.trials.iter().flat_map(|trials| trials.experiments());
    let tried = trials.map(|one| &one.name).filter(|name| !shown(name));
    let tried = tried.cloned().map(Uncovered::Experiment);
    let steps = steps.cloned().map(Uncovered::Step);
    let personas = personas.cloned().map(Uncovered::Persona);
    steps.chain(personas).chain(tried).chain(guards.map(Uncovered::Guard)).collect()
}

//! Conditions: CEL over typed facts, compiled to closures over exact decimals and dates.
//!
//! The `cel` crate gives the syntax alone. Types are checked here against the facts of
//! [`kulanz_domain::policy::Facts`], literals are read from the source text, so that no float
//! takes part, and what runs later is a small tree that cannot fail: a fact that is absent makes
//! its comparison false, and so does arithmetic that leaves the range of decimals. There is no
//! division, no loop and no function beyond those below, so a condition ends, always.

mod check;
mod days;
mod domain;
mod pieces;
mod search;
mod syntax;
mod tree;
mod world;

use kulanz_domain::policy::Condition;

use self::check::Checker;
pub use self::search::MOST;
pub(crate) use self::{
    search::{Answer, Setting, Wanted, search, values_of},
    tree::{Bool, Word},
};

/// The longest condition, in characters.
pub const LONGEST: usize = 2_000;
/// The deepest nesting.
pub const DEEPEST: usize = 32;
/// The most values and operators.
pub const LARGEST: usize = 500;

/// Where a condition stands, which says what it can read.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Chooses a persona: `claim.*` and `persona` cannot be read, for a persona belongs to the
    /// account.
    Persona,
    /// Guards a step; `personas` are the names that `persona` can have.
    Step {
        /// Names of the policy's personas.
        personas: &'a [&'a str],
    },
}

/// What is wrong with a condition and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// First byte in the source.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ConditionError {
    fn new(start: usize, end: usize, message: impl Into<String>) -> Self {
        Self { start, end, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A condition with what `check` asks of it.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub condition: Condition,
    pub tree: std::sync::Arc<Bool>,
    /// Bytes of the parts that all have to hold.
    parts: Vec<(usize, usize)>,
    /// Attributes of the debtor that it reads, with their place in the source.
    pub attributes: Vec<(String, usize, usize)>,
}

impl Compiled {
    /// The parts that all have to hold, as written, with what they became.
    pub fn parts(&self) -> impl Iterator<Item = (&str, &Bool)> {
        let (mut trees, mut open) = (Vec::new(), vec![&*self.tree]);
        while let Some(next) = open.pop() {
            match next {
                Bool::And(a, b) => open.extend([&**b, &**a]),
                other => trees.push(other),
            }
        }
        let source = &self.condition.source;
        let texts =
            self.parts.iter().map(|(start, end)| source.get(*start..*end).unwrap_or_default());
        texts.zip(trees)
    }
}

/// Compiles `source`, or says all that is wrong with it. Never panics, whatever the text.
pub fn compile_condition(source: &str, scope: Scope<'_>) -> Result<Condition, Vec<ConditionError>> {
    compile(source, scope).map(|compiled| compiled.condition)
}

pub(crate) fn compile(source: &str, scope: Scope<'_>) -> Result<Compiled, Vec<ConditionError>> {
    let parsed = syntax::parse(source).map_err(|error| vec![error])?;
    let mut checker = Checker::new(source, &parsed.info, scope);
    let tree = checker.condition(&parsed.expression);
    let pieces = tree.as_ref().and_then(|_| pieces::of(source, &parsed, scope));
    let parts = checker.parts(&parsed.expression);
    let (errors, reads) = checker.finish();
    let tree = match tree {
        Some(tree) if errors.is_empty() => std::sync::Arc::new(tree),
        _ => return Err(errors),
    };
    let held = std::sync::Arc::clone(&tree);
    let condition = Condition::new(source, reads.day, reads.claim, move |facts| held.holds(facts));
    let (condition, over_days) = (condition.reading_interest(reads.interest), tree.clone());
    let condition = condition.with_days(move |facts| over_days.can_be(true, facts));
    let condition = match pieces {
        Some(pieces) => condition.with_parts(move |facts| pieces.decisive(facts)),
        None => condition,
    };
    Ok(Compiled { condition, tree, parts, attributes: reads.attributes })
}

#[cfg(test)]
mod tests;

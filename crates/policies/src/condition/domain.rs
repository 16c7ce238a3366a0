//! The values of each fact between which conditions tell a difference: every constant that a fact
//! is compared with, and what lies just below and just above it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::civil::Date;
use kulanz_domain::money::Decimal;

use super::tree::{Bool, Day, Flag, Number, Quantity, Text, Word};

/// What conditions read, and what they compare it with.
#[derive(Debug, Default)]
pub(super) struct Domain {
    pub flags: BTreeSet<Flag>,
    pub quantities: BTreeMap<Quantity, BTreeSet<Decimal>>,
    /// Attributes of which it is asked whether they are there have an entry too.
    pub words: BTreeMap<Word, BTreeSet<Arc<str>>>,
    pub today: Option<BTreeSet<Date>>,
    /// Values and operators of all conditions: the work of looking at them once.
    pub size: u64,
    /// The values are enough to tell whether anything fits. They are not where facts are
    /// multiplied with each other, say; what is found is true all the same.
    pub complete: bool,
}

impl Domain {
    pub fn of<'a>(conditions: impl IntoIterator<Item = &'a Bool>) -> Self {
        Self::within(conditions, u64::MAX).unwrap_or_default()
    }

    /// The same; `None` where there are more than about `most` values and operators.
    pub fn within<'a>(conditions: impl IntoIterator<Item = &'a Bool>, most: u64) -> Option<Self> {
        let mut domain = Self { complete: true, ..Self::default() };
        for condition in conditions {
            domain.condition(condition);
            if domain.size > most {
                return None;
            }
        }
        Some(domain)
    }

    fn condition(&mut self, condition: &Bool) {
        self.size += 1;
        match condition {
            Bool::Is(_) => {}
            Bool::Of(flag) => drop(self.flags.insert(*flag)),
            Bool::HasAttribute(name) => {
                self.words.entry(Word::Attribute(Arc::clone(name))).or_default();
            }
            Bool::Not(inner) => self.condition(inner),
            Bool::And(a, b) | Bool::Or(a, b) | Bool::Same(_, a, b) => {
                self.condition(a);
                self.condition(b);
            }
            Bool::Choice(when, yes, no) => {
                self.condition(when);
                self.condition(yes);
                self.condition(no);
            }
            Bool::Numbers(_, a, b) => self.numbers(a, b),
            Bool::NumberIn(a, list) => {
                self.numbers(a, a);
                list.iter().for_each(|b| self.numbers(a, b));
            }
            Bool::Texts(_, a, b) => self.texts(a, [b]),
            Bool::TextIn(a, list) => self.texts(a, list),
            Bool::Part(_, a, b) => {
                self.texts(a, [b]);
                // Parts of texts may be told apart in more ways than the constants themselves.
                self.complete &= matches!(a, Text::Of(Word::Kind | Word::Currency | Word::Persona));
            }
            Bool::Dates(_, a, b) => self.days(a, [b]),
            Bool::DateIn(a, list) => self.days(a, list),
        }
    }

    /// Finds where the difference of two numbers changes its sign.
    fn numbers(&mut self, a: &Number, b: &Number) {
        for one in self.ways(a) {
            for other in self.ways(b) {
                self.boundary(one, other);
            }
        }
    }

    fn boundary(&mut self, a: &Number, b: &Number) {
        let mut line = Line::default();
        let known = line.add(a, Decimal::ONE).and_then(|()| line.add(b, -Decimal::ONE));
        let facts = quantities(a).into_iter().chain(quantities(b));
        let facts: BTreeSet<Quantity> = facts.collect();
        for fact in &facts {
            self.quantities.entry(*fact).or_default();
        }
        line.slopes.retain(|_, slope| !slope.is_zero());
        let slopes: Vec<(Quantity, Decimal)> = line.slopes.into_iter().collect();
        match (known, slopes.as_slice()) {
            (Some(()), []) => {}
            (Some(()), [(fact, slope)]) => {
                let at = (-line.constant).checked_div(*slope);
                self.complete &= at.is_some();
                self.quantities.entry(*fact).or_default().extend(at);
            }
            _ => {
                // Facts against facts: the constants are tried, and prove nothing.
                self.complete = false;
                let constants: BTreeSet<Decimal> = constants(a).chain(constants(b)).collect();
                for fact in facts {
                    self.quantities.entry(fact).or_default().extend(&constants);
                }
            }
        }
    }

    /// The numbers that a choice may give; deeper ones are not taken apart.
    fn ways<'n>(&mut self, number: &'n Number) -> Vec<&'n Number> {
        match number {
            Number::Choice(when, yes, no) => {
                self.condition(when);
                let mut ways = self.ways(yes);
                ways.extend(self.ways(no));
                ways
            }
            other => {
                let mut open = vec![other];
                while let Some(next) = open.pop() {
                    self.size += 1;
                    match next {
                        Number::Minus(inner) => open.push(inner),
                        Number::Sum(a, b) | Number::Difference(a, b) | Number::Product(a, b) => {
                            open.extend([&**a, &**b]);
                        }
                        Number::Choice(when, yes, no) => {
                            self.condition(when);
                            open.extend([&**yes, &**no]);
                        }
                        Number::Is(_) | Number::Of(_) => {}
                    }
                }
                vec![other]
            }
        }
    }

    fn texts<'t>(&mut self, a: &'t Text, list: impl IntoIterator<Item = &'t Text>) {
        let (mut words, mut constants) = (BTreeSet::new(), BTreeSet::new());
        for text in [a].into_iter().chain(list) {
            self.text(text, &mut words, &mut constants);
        }
        let fixed = |word: &&Word| matches!(word, Word::Kind | Word::Currency | Word::Persona);
        self.complete &= words.iter().filter(|word| !fixed(word)).count() <= 1;
        for word in words {
            self.words.entry(word).or_default().extend(constants.iter().cloned());
        }
    }

    fn text(
        &mut self,
        text: &Text,
        words: &mut BTreeSet<Word>,
        constants: &mut BTreeSet<Arc<str>>,
    ) {
        self.size += 1;
        match text {
            Text::Is(value) => drop(constants.insert(Arc::clone(value))),
            Text::Of(word) => drop(words.insert(word.clone())),
            Text::Choice(when, yes, no) => {
                self.condition(when);
                self.text(yes, words, constants);
                self.text(no, words, constants);
            }
        }
    }

    fn days<'d>(&mut self, a: &'d Day, list: impl IntoIterator<Item = &'d Day>) {
        let mut open: Vec<&Day> = [a].into_iter().chain(list).collect();
        let mut dates = BTreeSet::new();
        let mut reads = false;
        while let Some(day) = open.pop() {
            self.size += 1;
            match day {
                Day::Is(date) => drop(dates.insert(*date)),
                Day::Today => reads = true,
                Day::Choice(when, yes, no) => {
                    self.condition(when);
                    open.extend([&**yes, &**no]);
                }
            }
        }
        if reads {
            self.today.get_or_insert_default().extend(dates);
        }
    }
}

/// A sum of facts, each times a constant, and a constant.
#[derive(Default)]
struct Line {
    slopes: BTreeMap<Quantity, Decimal>,
    constant: Decimal,
}

impl Line {
    /// `None` where it is no such sum.
    fn add(&mut self, number: &Number, times: Decimal) -> Option<()> {
        match number {
            Number::Is(value) => {
                self.constant = self.constant.checked_add(value.checked_mul(times)?)?;
            }
            Number::Of(quantity) => {
                let slope = self.slopes.entry(*quantity).or_default();
                *slope = slope.checked_add(times)?;
            }
            Number::Minus(inner) => self.add(inner, -times)?,
            Number::Sum(a, b) => {
                self.add(a, times)?;
                self.add(b, times)?;
            }
            Number::Difference(a, b) => {
                self.add(a, times)?;
                self.add(b, -times)?;
            }
            Number::Product(a, b) => match (constant(a), constant(b)) {
                (Some(value), _) => self.add(b, times.checked_mul(value)?)?,
                (_, Some(value)) => self.add(a, times.checked_mul(value)?)?,
                _ => return None,
            },
            Number::Choice(..) => return None,
        }
        Some(())
    }
}

/// The value of a number without facts.
fn constant(number: &Number) -> Option<Decimal> {
    let mut line = Line::default();
    line.add(number, Decimal::ONE)?;
    line.slopes.is_empty().then_some(line.constant)
}

fn leaves(number: &Number) -> Vec<&Number> {
    let (mut open, mut leaves) = (vec![number], Vec::new());
    while let Some(next) = open.pop() {
        match next {
            Number::Minus(inner) => open.push(inner),
            Number::Sum(a, b)
            | Number::Difference(a, b)
            | Number::Product(a, b)
            | Number::Choice(_, a, b) => open.extend([&**a, &**b]),
            Number::Is(_) | Number::Of(_) => leaves.push(next),
        }
    }
    leaves
}

fn quantities(number: &Number) -> Vec<Quantity> {
    let facts = leaves(number).into_iter().filter_map(|leaf| match leaf {
        Number::Of(quantity) => Some(*quantity),
        _ => None,
    });
    facts.collect()
}

fn constants(number: &Number) -> impl Iterator<Item = Decimal> {
    leaves(number).into_iter().filter_map(|leaf| match leaf {
        Number::Is(value) => Some(*value),
        _ => None,
    })
}

//! Of which parts a condition is made, so that a person can be told which of them decided it.

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue, operators as op},
};
use kulanz_domain::policy::{ConditionPart, Facts};

use super::{
    Scope,
    check::{Checker, dotted, is_fact},
    syntax::Parsed,
    tree::Bool,
};

/// The attributes of a debtor, as a fact.
const ATTRIBUTES: &str = "debtor.attributes";

/// A condition taken apart at its `&&` and `||`.
#[derive(Debug)]
pub(super) enum Piece {
    All(Vec<Piece>),
    Any(Vec<Piece>),
    One { part: String, tree: Bool, reads: Vec<String> },
}

/// Takes a condition apart that was found to be in order.
pub(super) fn of(source: &str, parsed: &Parsed, scope: Scope<'_>) -> Option<Piece> {
    // What it finds was found before: it only looks for the types of the parts once more.
    let mut checker = Checker::new(source, &parsed.info, scope);
    piece(&mut checker, &parsed.expression)
}

fn piece(checker: &mut Checker<'_>, e: &IdedExpr) -> Option<Piece> {
    if let Expr::Call(call) = &e.expr
        && let [a, b] = call.args.as_slice()
        && let name @ (op::LOGICAL_AND | op::LOGICAL_OR) = call.func_name.as_str()
    {
        let mut parts = Vec::new();
        for side in [a, b] {
            match (name, piece(checker, side)?) {
                (op::LOGICAL_AND, Piece::All(inner)) | (op::LOGICAL_OR, Piece::Any(inner)) => {
                    parts.extend(inner);
                }
                (_, other) => parts.push(other),
            }
        }
        return Some(match name {
            op::LOGICAL_AND => Piece::All(parts),
            _ => Piece::Any(parts),
        });
    }
    let mut reads = Vec::new();
    facts(e, &mut reads);
    let (start, end) = balanced(checker.source, checker.extent(e));
    let part = checker.source.get(start..end)?.trim().to_owned();
    Some(Piece::One { part, tree: checker.truth(e)?, reads })
}

/// The syntax tree has no brackets: those that a stretch has one half of are taken in.
fn balanced(source: &str, (mut start, mut end): (usize, usize)) -> (usize, usize) {
    loop {
        let (mut open, mut lacking, mut quote) = (0usize, 0usize, None);
        for c in source.get(start..end).unwrap_or_default().chars() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(begun), c) if begun == c => quote = None,
                (None, '(' | '[') => open += 1,
                (None, ')' | ']') if open == 0 => lacking += 1,
                (None, ')' | ']') => open -= 1,
                _ => {}
            }
        }
        let before = source.get(..start).unwrap_or_default().trim_end();
        let after = source.get(end..).unwrap_or_default();
        let gap = after.len() - after.trim_start().len();
        let begins = lacking > 0 && before.ends_with(['(', '[']);
        let ends = open > 0 && after.trim_start().starts_with([')', ']']);
        match (begins, ends) {
            (true, _) => start = before.len() - 1,
            (_, true) => end += gap + 1,
            _ => return (start, end),
        }
    }
}

/// The facts below a node, in their order, each once.
fn facts(e: &IdedExpr, found: &mut Vec<String>) {
    let mut read = |name: String| {
        if !found.contains(&name) {
            found.push(name);
        }
    };
    if let Some(name) = dotted(e) {
        match name.strip_prefix(ATTRIBUTES).and_then(|rest| rest.strip_prefix('.')) {
            Some(key) => read(attribute(key)),
            None if is_fact(&name) && name != ATTRIBUTES => read(name),
            None => {}
        }
        return;
    }
    match &e.expr {
        Expr::Call(call) => {
            if let [a, b] = call.args.as_slice() {
                let key = match call.func_name.as_str() {
                    op::INDEX if is_attributes(a) => Some(b),
                    op::IN if is_attributes(b) => Some(a),
                    _ => None,
                };
                if let Some(Expr::Literal(LiteralValue::String(key))) = key.map(|key| &key.expr) {
                    return read(attribute(key));
                }
            }
            let parts = call.target.iter().map(|target| &**target).chain(&call.args);
            parts.for_each(|part| facts(part, found));
        }
        Expr::Select(select) => facts(&select.operand, found),
        Expr::List(list) => list.elements.iter().for_each(|item| facts(item, found)),
        _ => {}
    }
}

fn is_attributes(e: &IdedExpr) -> bool {
    dotted(e).as_deref() == Some(ATTRIBUTES)
}

fn attribute(key: &str) -> String {
    format!("{ATTRIBUTES}[\"{key}\"]")
}

impl Piece {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Self::One { tree, .. } => tree.holds(facts),
        }
    }

    /// The parts that make it what it is: those that are false where all have to hold, those that
    /// hold where one is enough, else all of them.
    pub fn decisive(&self, facts: &Facts<'_>) -> Vec<ConditionPart> {
        let holds = self.holds(facts);
        match self {
            Self::One { part, reads, .. } => {
                let reads = reads.iter().map(|name| facts.named(name)).collect();
                vec![ConditionPart { part: part.clone(), holds, reads }]
            }
            Self::All(parts) | Self::Any(parts) => {
                let same = parts.iter().filter(|part| part.holds(facts) == holds);
                same.flat_map(|part| part.decisive(facts)).collect()
            }
        }
    }
}

//! From text to syntax tree: size and nesting are limited before the parser, which recurses, sees
//! the text, and it runs on a stack of its own.

use std::thread;

use cel::{
    IdedExpr,
    common::ast::{EntryExpr, Expr, SourceInfo},
    parser::Parser,
};

use super::{ConditionError, DEEPEST, LARGEST, LONGEST};
use crate::diagnostic::look_alike;

/// Bytes of stack for the parser: room for the deepest text that the limits let through.
const STACK: usize = 64 * 1024 * 1024;

pub(super) struct Parsed {
    pub expression: IdedExpr,
    pub info: SourceInfo,
}

pub(super) fn parse(source: &str) -> Result<Parsed, ConditionError> {
    limits(source)?;
    let text = source.to_owned();
    let parser =
        thread::Builder::new().name("condition".into()).stack_size(STACK).spawn(move || {
            let result = Parser::new().parse_with_source_info(&text);
            result.map_err(|errors| {
                let first = errors.errors.into_iter().next();
                first.map_or((1, 1, String::new()), |e| (e.pos.0, e.pos.1, e.msg))
            })
        });
    let whole = |message: &str| ConditionError::new(0, source.len(), message);
    let Ok(parsed) = parser.map(thread::JoinHandle::join) else {
        return Err(whole("cannot be checked: the system gives no thread for it"));
    };
    let (expression, info) = match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err((line, column, message))) => return Err(located(source, line, column, &message)),
        Err(_) => return Err(whole("this is no condition")),
    };
    let (nodes, depth) = size(&expression);
    if nodes > LARGEST || depth > DEEPEST {
        return Err(too_large(source));
    }
    Ok(Parsed { expression, info })
}

fn too_large(source: &str) -> ConditionError {
    let message = format!(
        "this condition is too large: at most {LONGEST} characters, {LARGEST} values and \
         operators, nested {DEEPEST} deep"
    );
    ConditionError::new(0, source.len(), message)
}

/// Counts brackets and words outside of quotes.
fn limits(source: &str) -> Result<(), ConditionError> {
    if source.trim().is_empty() {
        let empty = ConditionError::new(0, source.len(), "this condition is empty");
        return Err(empty.help("leave the key out where there is no condition"));
    }
    if source.chars().count() > LONGEST {
        return Err(too_large(source));
    }
    let (mut open, mut choices, mut words, mut in_word) = (0usize, 0usize, 0usize, false);
    let mut rest = source.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' | '\'' => {
                words += 1;
                while let Some((_, inner)) = rest.next() {
                    match inner {
                        '\\' => drop(rest.next()),
                        end if end == c => break,
                        _ => {}
                    }
                }
            }
            '/' if rest.peek().is_some_and(|(_, next)| *next == '/') => {
                while rest.next().is_some_and(|(_, inner)| inner != '\n') {}
            }
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '?' => choices += 1,
            c if !c.is_ascii() => {
                let shown: String = c.into();
                let message = format!("`{shown}` has no place in a condition outside of quotes");
                let mut error = ConditionError::new(at, at + c.len_utf8(), message);
                error.help = look_alike(&shown);
                return Err(error);
            }
            _ => {}
        }
        let word = c.is_ascii_alphanumeric() || c == '_';
        words += usize::from(!(c.is_whitespace() || word && in_word));
        in_word = word;
        if open > DEEPEST || choices > DEEPEST || words > 3 * LARGEST {
            return Err(too_large(source));
        }
    }
    Ok(())
}

/// The parser's complaint in our words, at its place.
fn located(source: &str, line: isize, column: isize, message: &str) -> ConditionError {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let before: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = source.get(before..).unwrap_or_default();
    let start = before + rest.chars().take(column - 1).map(char::len_utf8).sum::<usize>();
    let start = start.min(source.len());
    let tail = source.get(start..).unwrap_or_default();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let length = match tail.chars().next() {
        Some(c) if word(c) => tail.chars().take_while(|c| word(*c)).map(char::len_utf8).sum(),
        Some(c) => c.len_utf8(),
        None => 0,
    };
    let single = tail.starts_with('=') && !tail.starts_with("==");
    let detail = message.trim_start_matches("Syntax error: ");
    let detail = detail.split(" expecting {").next().unwrap_or(detail);
    let error = |text: String| ConditionError::new(start, start + length, text);
    if single {
        return error("`=` is no comparison".into()).help("write `==`");
    }
    if detail.contains("has() macro") {
        return error("`has` wants a name with dots".into())
            .help("write `\"name\" in debtor.attributes`");
    }
    if detail.contains("<EOF>") {
        return error("the condition ends too early".into());
    }
    error(format!("this is no condition: {detail}"))
        .help("a condition compares facts: claim.outstanding >= 50 && debtor.kind == \"consumer\"")
}

/// Nodes and depth of a tree.
fn size(expression: &IdedExpr) -> (usize, usize) {
    let (mut nodes, mut deepest) = (0, 0);
    let mut open = vec![(expression, 1)];
    while let Some((next, depth)) = open.pop() {
        nodes += 1;
        deepest = deepest.max(depth);
        let mut push = |child| open.push((child, depth + 1));
        match &next.expr {
            Expr::Call(call) => {
                call.target.iter().for_each(|target| push(target));
                call.args.iter().for_each(push);
            }
            Expr::List(list) => list.elements.iter().for_each(push),
            Expr::Select(select) => push(&select.operand),
            Expr::Map(map) => map.entries.iter().for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => push(&entry.value),
                EntryExpr::StructField(field) => push(&field.value),
            }),
            // Loops and structs are refused as such, whatever is in them.
            Expr::Comprehension(_)
            | Expr::Struct(_)
            | Expr::Ident(_)
            | Expr::Literal(_)
            | Expr::Unspecified => {}
        }
    }
    (nodes, deepest)
}

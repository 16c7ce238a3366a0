//! Types: each node of the syntax tree becomes a typed one, or says why it cannot.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, SelectExpr, SourceInfo, operators as op},
};
use kulanz_domain::money::Decimal;

use super::{
    ConditionError, Scope,
    tree::{Bool, Day, Flag, Number, Part, Quantity, Relation, Text, Word},
};
use crate::diagnostic::{did_you_mean, look_alike};

/// A node with its type.
#[derive(Debug, Clone)]
enum Typed {
    Bool(Bool),
    Number(Number),
    Text(Text),
    Date(Day),
    List(Vec<Typed>),
    Attributes,
}

impl Typed {
    const fn name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a yes or no",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Date(_) => "a date",
            Self::List(_) => "a list",
            Self::Attributes => "a map of attributes",
        }
    }
}

type Fact = (&'static str, fn() -> Typed);

/// The facts by name.
const FACTS: &[Fact] = &[
    ("debtor.kind", || Typed::Text(Text::Of(Word::Kind))),
    ("debtor.country", || Typed::Text(Text::Of(Word::Country))),
    ("debtor.language", || Typed::Text(Text::Of(Word::Language))),
    ("debtor.vulnerable", || Typed::Bool(Bool::Of(Flag::Vulnerable))),
    ("debtor.attributes", || Typed::Attributes),
    ("history.invoices_paid", || Typed::Number(Number::Of(Quantity::InvoicesPaid))),
    ("history.late_share", || Typed::Number(Number::Of(Quantity::LateShare))),
    ("history.average_days_late", || Typed::Number(Number::Of(Quantity::AverageDaysLate))),
    ("history.promises_kept", || Typed::Number(Number::Of(Quantity::PromisesKept))),
    ("history.disputes", || Typed::Number(Number::Of(Quantity::Disputes))),
    ("account.outstanding", || Typed::Number(Number::Of(Quantity::AccountOutstanding))),
    ("account.open_claims", || Typed::Number(Number::Of(Quantity::OpenClaims))),
    ("account.oldest_days_overdue", || Typed::Number(Number::Of(Quantity::OldestDaysOverdue))),
    ("claim.outstanding", || Typed::Number(Number::Of(Quantity::ClaimOutstanding))),
    ("claim.principal", || Typed::Number(Number::Of(Quantity::Principal))),
    ("claim.fees", || Typed::Number(Number::Of(Quantity::Fees))),
    ("claim.interest", || Typed::Number(Number::Of(Quantity::Interest))),
    ("claim.days_overdue", || Typed::Number(Number::Of(Quantity::DaysOverdue))),
    ("claim.in_default", || Typed::Bool(Bool::Of(Flag::InDefault))),
    ("claim.currency", || Typed::Text(Text::Of(Word::Currency))),
    ("persona", || Typed::Text(Text::Of(Word::Persona))),
    ("today", || Typed::Date(Day::Today)),
];

/// Whether there is such a fact.
pub(super) fn is_fact(name: &str) -> bool {
    FACTS.iter().any(|(fact, _)| *fact == name)
}

#[cfg(test)]
pub(super) const fn number_of_facts() -> usize {
    FACTS.len()
}

/// What a condition reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub day: bool,
    pub claim: bool,
    pub interest: bool,
    pub attributes: Vec<(String, usize, usize)>,
}

pub(super) struct Checker<'a> {
    pub(super) source: &'a str,
    info: &'a SourceInfo,
    scope: Scope<'a>,
    errors: Vec<ConditionError>,
    reads: Reads,
}

impl<'a> Checker<'a> {
    pub fn new(source: &'a str, info: &'a SourceInfo, scope: Scope<'a>) -> Self {
        Self { source, info, scope, errors: Vec::new(), reads: Reads::default() }
    }

    pub fn finish(self) -> (Vec<ConditionError>, Reads) {
        (self.errors, self.reads)
    }

    /// The whole condition.
    pub fn condition(&mut self, expression: &IdedExpr) -> Option<Bool> {
        match self.typed(expression)? {
            Typed::Bool(tree) => Some(tree),
            other => {
                let message = format!("a condition is a yes or no, this is {}", other.name());
                self.error(expression, message, Some("compare it: == != < <= > >=".into()))
            }
        }
    }

    /// Bytes of the parts of a condition that all have to hold, in their order.
    pub fn parts(&self, e: &IdedExpr) -> Vec<(usize, usize)> {
        match &e.expr {
            Expr::Call(call) if call.func_name == op::LOGICAL_AND => {
                call.args.iter().flat_map(|part| self.parts(part)).collect()
            }
            _ => vec![self.extent(e)],
        }
    }

    /// Bytes of a node in the source.
    pub(super) fn extent(&self, e: &IdedExpr) -> (usize, usize) {
        let own = self.info.offset_for(e.id).map(|(start, stop)| {
            (usize::try_from(start).unwrap_or(0), usize::try_from(stop).unwrap_or(0) + 1)
        });
        let mut all: Vec<(usize, usize)> = own.into_iter().collect();
        match &e.expr {
            Expr::Call(call) => {
                all.extend(call.target.iter().map(|target| self.extent(target)));
                all.extend(call.args.iter().map(|arg| self.extent(arg)));
            }
            Expr::Select(select) => {
                all.push(self.extent(&select.operand));
                if let Some((_, dot)) = own
                    && let Some(rest) = self.source.get(dot..)
                    && let Some(at) = rest.find(select.field.as_str())
                {
                    all.push((dot, dot + at + select.field.len()));
                }
            }
            Expr::List(list) => all.extend(list.elements.iter().map(|item| self.extent(item))),
            _ => {}
        }
        let mut start = all.iter().map(|(start, _)| *start).min().unwrap_or(0);
        let end = all.iter().map(|(_, end)| *end).max().unwrap_or(self.source.len());
        let mut end = end.min(self.source.len());
        if let (Expr::Call(call), Some((open, _))) = (&e.expr, own) {
            let closes = match self.source.get(open..).and_then(|rest| rest.chars().next()) {
                Some('(') => ')',
                Some('[') => ']',
                _ => return (start.min(end), end),
            };
            // A function's own token is its bracket: its name stands before.
            let before = self.source.get(..start).unwrap_or_default();
            if start == open && before.trim_end().ends_with(&call.func_name) {
                start = before.trim_end().len() - call.func_name.len();
            }
            let after = self.source.get(end..).unwrap_or_default();
            let gap = after.len() - after.trim_start().len();
            if after.trim_start().starts_with(closes) {
                end += gap + 1;
            }
        }
        (start.min(end), end)
    }

    fn error<T>(&mut self, at: &IdedExpr, message: String, help: Option<String>) -> Option<T> {
        let (start, end) = self.extent(at);
        self.errors.push(ConditionError { start, end, message, help });
        None
    }

    fn typed(&mut self, e: &IdedExpr) -> Option<Typed> {
        match &e.expr {
            Expr::Literal(literal) => self.literal(e, literal),
            Expr::Ident(name) => self.fact(e, name),
            Expr::Select(select) => self.select(e, select),
            Expr::Call(call) => self.call(e, call),
            Expr::List(list) => {
                let items: Vec<_> = list.elements.iter().map(|item| self.typed(item)).collect();
                items.into_iter().collect::<Option<_>>().map(Typed::List)
            }
            Expr::Comprehension(_) => self.error(e, "conditions have no loops".into(), None),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.error(e, "this has no place in a condition".into(), None)
            }
        }
    }

    fn literal(&mut self, e: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        match literal {
            LiteralValue::Boolean(value) => Some(Typed::Bool(Bool::Is(**value))),
            LiteralValue::Int(value) => Some(Typed::Number(Number::Is((**value).into()))),
            LiteralValue::String(value) => Some(Typed::Text(Text::Is((**value).into()))),
            // The parser went through a float: the exact value stands in the source.
            LiteralValue::Double(value) => {
                let (start, end) = self.extent(e);
                let written = self.source.get(start..end).unwrap_or_default();
                let Ok(exact) = Decimal::from_str_exact(written) else {
                    let help = "write it plainly, with at most 28 digits: 0.34".to_owned();
                    return self.error(e, "this number is not exact".into(), Some(help));
                };
                let signed = if value.is_sign_negative() { -exact } else { exact };
                Some(Typed::Number(Number::Is(signed)))
            }
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) => {
                self.error(e, "this literal has no place in a condition".into(), None)
            }
            LiteralValue::Null => {
                let help = "a fact that is absent makes its comparison false".to_owned();
                self.error(e, "conditions have no null".into(), Some(help))
            }
        }
    }

    fn select(&mut self, e: &IdedExpr, select: &SelectExpr) -> Option<Typed> {
        if let Some(name) = dotted(e)
            && !name.starts_with("debtor.attributes.")
        {
            return match select.test {
                false => self.fact(e, &name),
                true => {
                    let help = "use it for debtor.attributes alone: every other fact is there";
                    self.error(e, "`has` is not needed here".into(), Some(help.into()))
                }
            };
        }
        match self.typed(&select.operand)? {
            Typed::Attributes => {
                let name: std::sync::Arc<str> = select.field.as_str().into();
                self.note_attribute(e, &name);
                Some(match select.test {
                    true => Typed::Bool(Bool::HasAttribute(name)),
                    false => Typed::Text(Text::Of(Word::Attribute(name))),
                })
            }
            other => {
                let message = format!("{} has no `.{}`", other.name(), select.field);
                self.error(e, message, None)
            }
        }
    }

    fn note_attribute(&mut self, e: &IdedExpr, name: &str) {
        let (start, end) = self.extent(e);
        self.reads.attributes.push((name.to_owned(), start, end));
    }

    fn fact(&mut self, e: &IdedExpr, name: &str) -> Option<Typed> {
        let Some((_, typed)) = FACTS.iter().find(|(fact, _)| *fact == name) else {
            let names = || FACTS.iter().map(|(fact, _)| *fact);
            let group = name.split('.').next().unwrap_or_default();
            let help =
                look_alike(name).or_else(|| did_you_mean(name, names())).or_else(|| {
                    let same: Vec<_> = names()
                        .filter(|fact| fact.split('.').next() == Some(group))
                        .map(|fact| format!("`{fact}`"))
                        .collect();
                    if same.is_empty() {
                        let last = name.rsplit('.').next().unwrap_or_default();
                        let near = names().find(|fact| fact.rsplit('.').next() == Some(last));
                        return Some(near.map_or_else(
                        || "facts start with debtor, history, account or claim; or are `persona` \
                            and `today`; texts stand in quotes"
                            .to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    ));
                    }
                    Some(format!("there are {}", same.join(", ")))
                });
            return self.error(e, format!("`{name}` is not a fact"), help);
        };
        let of_claim = name.starts_with("claim.");
        if matches!(self.scope, Scope::Persona) && (of_claim || name == "persona") {
            let message = format!("the choice of a persona cannot read `{name}`");
            let help = match of_claim {
                true => {
                    "a persona belongs to the account: use `account.*`, or put this condition \
                         on the step"
                }
                false => "the persona is what is being chosen here",
            };
            return self.error(e, message, Some(help.into()));
        }
        self.reads.claim |= of_claim;
        self.reads.interest |= name == "claim.interest";
        self.reads.day |= matches!(
            name,
            "today"
                | "claim.days_overdue"
                | "claim.in_default"
                | "claim.interest"
                | "account.oldest_days_overdue"
        );
        Some(typed())
    }

    fn call(&mut self, e: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let name = call.func_name.as_str();
        match (&call.target, call.args.as_slice()) {
            (None, [a, b]) if relation(name).is_some() => {
                let (typed_a, typed_b) = (self.typed(a), self.typed(b));
                self.compare(e, relation(name)?, (a, typed_a?), (b, typed_b?))
            }
            (None, [a, b]) if matches!(name, op::LOGICAL_AND | op::LOGICAL_OR) => {
                let (a, b) = (self.truth(a), self.truth(b));
                let (a, b) = (Box::new(a?), Box::new(b?));
                Some(Typed::Bool(match name {
                    op::LOGICAL_AND => Bool::And(a, b),
                    _ => Bool::Or(a, b),
                }))
            }
            (None, [a]) if name == op::LOGICAL_NOT => {
                Some(Typed::Bool(Bool::Not(Box::new(self.truth(a)?))))
            }
            (None, [a]) if name == op::NEGATE => {
                Some(Typed::Number(Number::Minus(Box::new(self.number(a)?))))
            }
            (None, [a, b]) if matches!(name, op::ADD | op::SUBSTRACT | op::MULTIPLY) => {
                let (a, b) = (self.number(a), self.number(b));
                let (a, b) = (Box::new(a?), Box::new(b?));
                Some(Typed::Number(match name {
                    op::ADD => Number::Sum(a, b),
                    op::SUBSTRACT => Number::Difference(a, b),
                    _ => Number::Product(a, b),
                }))
            }
            (None, [_, _]) if matches!(name, op::DIVIDE | op::MODULO) => {
                let help = "multiply the other side: instead of `a / b > 2` write `a > 2 * b`";
                self.error(e, "conditions do not divide".into(), Some(help.into()))
            }
            (None, [when, yes, no]) if name == op::CONDITIONAL => self.choice(e, when, yes, no),
            (None, [map, key]) if name == op::INDEX => self.index(e, map, key),
            (None, [item, list]) if name == op::IN => self.contained(e, item, list),
            (None, [day]) if name == "date" => self.date(e, day),
            (Some(text), [part]) if method(name).is_some() => {
                let (text, part) = (self.text(text), self.text(part));
                Some(Typed::Bool(Bool::Part(method(name)?, text?, part?)))
            }
            _ => {
                let known = ["date", "has", "startsWith", "endsWith", "contains"];
                let help = did_you_mean(name, known).unwrap_or_else(|| {
                    "there are date(\"2026-01-01\"), has(debtor.attributes.name), and for texts \
                     .startsWith(), .endsWith(), .contains()"
                        .to_owned()
                });
                let message = match known.contains(&name) {
                    true => format!("`{name}` is not used like this"),
                    false => format!("there is no function `{name}`"),
                };
                self.error(e, message, Some(help))
            }
        }
    }

    fn compare(
        &mut self,
        e: &IdedExpr,
        relation: Relation,
        (at_a, a): (&IdedExpr, Typed),
        (at_b, b): (&IdedExpr, Typed),
    ) -> Option<Typed> {
        let equality = matches!(relation, Relation::Equal | Relation::NotEqual);
        Some(Typed::Bool(match (a, b) {
            (Typed::Number(a), Typed::Number(b)) => Bool::Numbers(relation, a, b),
            (Typed::Date(a), Typed::Date(b)) => Bool::Dates(relation, a, b),
            (Typed::Text(a), Typed::Text(b)) if equality => {
                self.possible(at_b, &a, &b);
                self.possible(at_a, &b, &a);
                Bool::Texts(relation, a, b)
            }
            (Typed::Bool(a), Typed::Bool(b)) if equality => {
                Bool::Same(relation, Box::new(a), Box::new(b))
            }
            (a @ (Typed::Text(_) | Typed::Bool(_)), b) if a.name() == b.name() => {
                let message = format!("{} is neither more nor less than another", a.name());
                return self.error(e, message, Some("use == or !=".into()));
            }
            (a, b) => {
                let help = match (&a, &b) {
                    (Typed::Number(_), Typed::Text(Text::Is(_)))
                    | (Typed::Text(Text::Is(_)), Typed::Number(_)) => {
                        Some("numbers stand without quotes: 50.00".to_owned())
                    }
                    (Typed::Date(_), Typed::Text(_)) | (Typed::Text(_), Typed::Date(_)) => {
                        Some("write dates as date(\"2026-01-01\")".to_owned())
                    }
                    _ => None,
                };
                let message = format!("{} is compared with {}", a.name(), b.name());
                return self.error(e, message, help);
            }
        }))
    }

    /// Whether `fact` can ever have the constant `value`.
    fn possible(&mut self, at: &IdedExpr, fact: &Text, value: &Text) {
        let Text::Is(value) = value else { return };
        let code =
            |n: usize, case: fn(&u8) -> bool| value.len() == n && value.bytes().all(|b| case(&b));
        let error = match (fact, self.scope) {
            (Text::Of(Word::Kind), _) if !matches!(&**value, "consumer" | "business") => {
                let near = did_you_mean(value, ["consumer", "business"]);
                let help = near.unwrap_or_else(|| "it is `consumer` or `business`".into());
                (format!("`debtor.kind` is never \"{value}\""), help)
            }
            (Text::Of(Word::Persona), Scope::Step { personas })
                if !personas.contains(&&**value) =>
            {
                let near = did_you_mean(value, personas.iter().copied());
                let help = near.unwrap_or_else(|| format!("there are {}", personas.join(", ")));
                (format!("there is no persona \"{value}\""), help)
            }
            (Text::Of(Word::Country), _) if !code(2, u8::is_ascii_uppercase) => (
                format!("`debtor.country` is never \"{value}\""),
                "it is an ISO 3166-1 code of two capitals: \"DE\"".into(),
            ),
            (Text::Of(Word::Currency), _) if !code(3, u8::is_ascii_uppercase) => (
                format!("`claim.currency` is never \"{value}\""),
                "it is an ISO 4217 code: \"EUR\"".into(),
            ),
            (Text::Of(Word::Language), _)
                if value.chars().any(|c| !(c.is_ascii_alphanumeric() || c == '-')) =>
            {
                (format!("`debtor.language` is never \"{value}\""), "it is a code: \"de\"".into())
            }
            _ => return,
        };
        self.error::<()>(at, error.0, Some(error.1));
    }

    fn choice(
        &mut self,
        e: &IdedExpr,
        when: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Option<Typed> {
        let (when, yes, no) = (self.truth(when), self.typed(yes), self.typed(no));
        let when = Box::new(when?);
        Some(match (yes?, no?) {
            (Typed::Bool(a), Typed::Bool(b)) => {
                Typed::Bool(Bool::Choice(when, Box::new(a), Box::new(b)))
            }
            (Typed::Number(a), Typed::Number(b)) => {
                Typed::Number(Number::Choice(when, Box::new(a), Box::new(b)))
            }
            (Typed::Text(a), Typed::Text(b)) => {
                Typed::Text(Text::Choice(when, Box::new(a), Box::new(b)))
            }
            (Typed::Date(a), Typed::Date(b)) => {
                Typed::Date(Day::Choice(when, Box::new(a), Box::new(b)))
            }
            (a, b) => {
                let message = format!("one way gives {}, the other {}", a.name(), b.name());
                return self.error(e, message, None);
            }
        })
    }

    fn index(&mut self, e: &IdedExpr, map: &IdedExpr, key: &IdedExpr) -> Option<Typed> {
        match (self.typed(map)?, &key.expr) {
            (Typed::Attributes, Expr::Literal(LiteralValue::String(name))) => {
                self.note_attribute(e, name);
                Some(Typed::Text(Text::Of(Word::Attribute((**name).into()))))
            }
            (Typed::Attributes, _) => {
                let help = "name it: debtor.attributes[\"segment\"]".to_owned();
                self.error(key, "an attribute is named by a text".into(), Some(help))
            }
            (other, _) => self.error(e, format!("{} has no `[…]`", other.name()), None),
        }
    }

    fn contained(&mut self, e: &IdedExpr, item: &IdedExpr, list: &IdedExpr) -> Option<Typed> {
        let (typed_item, typed_list) = (self.typed(item), self.typed(list));
        let (typed_item, typed_list) = (typed_item?, typed_list?);
        let items = match (&typed_item, typed_list) {
            (Typed::Text(Text::Is(name)), Typed::Attributes) => {
                self.note_attribute(e, name);
                return Some(Typed::Bool(Bool::HasAttribute(std::sync::Arc::clone(name))));
            }
            (_, Typed::List(items)) => items,
            (_, other) => {
                let message = format!("`in` looks into a list, this is {}", other.name());
                return self.error(list, message, Some("write it as [\"DE\", \"AT\"]".into()));
            }
        };
        let places: &[IdedExpr] = match &list.expr {
            Expr::List(list) => &list.elements,
            _ => &[],
        };
        let odd = items.iter().zip(places).find(|(other, _)| other.name() != typed_item.name());
        if let Some((other, place)) = odd {
            let message = format!("{} stands in a list for {}", other.name(), typed_item.name());
            return self.error(place, message, None);
        }
        Some(Typed::Bool(match typed_item {
            Typed::Text(text) => {
                let texts: Vec<Text> = items.into_iter().filter_map(as_text).collect();
                for (value, place) in texts.iter().zip(places) {
                    self.possible(place, &text, value);
                }
                Bool::TextIn(text, texts)
            }
            Typed::Number(number) => {
                Bool::NumberIn(number, items.into_iter().filter_map(as_number).collect())
            }
            Typed::Date(day) => Bool::DateIn(day, items.into_iter().filter_map(as_date).collect()),
            other => {
                let message = format!("{} cannot be looked for in a list", other.name());
                return self.error(item, message, None);
            }
        }))
    }

    fn date(&mut self, e: &IdedExpr, day: &IdedExpr) -> Option<Typed> {
        let Expr::Literal(LiteralValue::String(text)) = &day.expr else {
            let help = "write it as date(\"2026-01-01\")".to_owned();
            return self.error(e, "`date` takes a text in quotes".into(), Some(help));
        };
        match crate::compile::date(text) {
            Some(date) => Some(Typed::Date(Day::Is(date))),
            None => {
                let help = "write it as 2026-01-31".to_owned();
                self.error(day, format!("\"{}\" is no date", &**text), Some(help))
            }
        }
    }

    pub(super) fn truth(&mut self, e: &IdedExpr) -> Option<Bool> {
        match self.typed(e)? {
            Typed::Bool(tree) => Some(tree),
            other => self.wrong(e, "a yes or no", &other),
        }
    }

    fn number(&mut self, e: &IdedExpr) -> Option<Number> {
        match self.typed(e)? {
            Typed::Number(number) => Some(number),
            other => self.wrong(e, "a number", &other),
        }
    }

    fn text(&mut self, e: &IdedExpr) -> Option<Text> {
        match self.typed(e)? {
            Typed::Text(text) => Some(text),
            other => self.wrong(e, "a text", &other),
        }
    }

    fn wrong<T>(&mut self, e: &IdedExpr, wanted: &str, found: &Typed) -> Option<T> {
        self.error(e, format!("{wanted} is wanted here, this is {}", found.name()), None)
    }
}

fn as_text(typed: Typed) -> Option<Text> {
    match typed {
        Typed::Text(text) => Some(text),
        _ => None,
    }
}

fn as_number(typed: Typed) -> Option<Number> {
    match typed {
        Typed::Number(number) => Some(number),
        _ => None,
    }
}

fn as_date(typed: Typed) -> Option<Day> {
    match typed {
        Typed::Date(day) => Some(day),
        _ => None,
    }
}

fn relation(name: &str) -> Option<Relation> {
    Some(match name {
        op::EQUALS => Relation::Equal,
        op::NOT_EQUALS => Relation::NotEqual,
        op::LESS => Relation::Less,
        op::LESS_EQUALS => Relation::LessOrEqual,
        op::GREATER => Relation::Greater,
        op::GREATER_EQUALS => Relation::GreaterOrEqual,
        _ => return None,
    })
}

fn method(name: &str) -> Option<Part> {
    Some(match name {
        "startsWith" => Part::Starts,
        "endsWith" => Part::Ends,
        "contains" => Part::Contains,
        _ => return None,
    })
}

/// `a.b.c` of a chain of names.
pub(super) fn dotted(e: &IdedExpr) -> Option<String> {
    match &e.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", dotted(&select.operand)?, select.field)),
        _ => None,
    }
}

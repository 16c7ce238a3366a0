//! What a template may name, checked when it is compiled: also in branches that no sample takes.

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};

/// Helpers that stay registered. None of them reads or writes anything but the text.
pub(super) const HELPERS: [&str; 13] =
    ["if", "unless", "each", "with", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or", "not"];

/// Built-in helpers that are taken out: texts need neither log lines nor computed names.
pub(super) const REMOVED: [&str; 4] = ["lookup", "log", "raw", "len"];

/// Where names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Message,
    Creditor,
    Debtor,
    Claim,
    Plan,
    Value,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Object(Scope),
    List(Scope),
}

impl Scope {
    fn find(self, name: &str) -> Option<Kind> {
        let texts: &[&str] = match self {
            Self::Message => match name {
                "creditor" => return Some(Kind::Object(Self::Creditor)),
                "debtor" => return Some(Kind::Object(Self::Debtor)),
                "claims" => return Some(Kind::List(Self::Claim)),
                "plans" => return Some(Kind::List(Self::Plan)),
                _ => &[
                    "total",
                    "principal",
                    "fees",
                    "fee",
                    "lump_sum",
                    "interest",
                    "interest_to",
                    "has_fee",
                    "has_fees",
                    "has_lump_sum",
                    "has_interest",
                    "bears_interest",
                    "searched",
                    "searched_on",
                    "went_back",
                    "went_back_on",
                    "reassigned",
                    "reassigned_on",
                    "reassigned_paid_on",
                    "reassigned_amount",
                    "help_unanswered",
                    "help_asked_on",
                    "has_deadline",
                    "one",
                    "count",
                    "oldest_due",
                    "deadline",
                    "link",
                    "reference",
                    "payment_reference",
                    "payment_coded",
                ],
            },
            Self::Creditor => &["name", "support_email", "support_phone", "iban"],
            Self::Debtor => &["name"],
            Self::Claim => &["invoice", "amount", "issued_on", "due_on", "description"],
            Self::Plan => &["rates", "rate", "first", "last", "last_on"],
            Self::Value => &[],
        };
        texts.contains(&name).then_some(Kind::Text)
    }
}

/// Problems of `template` as (line, sentence).
pub(super) fn problems(template: &Template) -> Vec<(usize, String)> {
    let mut check = Check { scopes: vec![Scope::Message], lists: 0, line: 1, found: Vec::new() };
    check.template(template);
    check.found
}

struct Check {
    scopes: Vec<Scope>,
    lists: usize,
    line: usize,
    found: Vec<(usize, String)>,
}

impl Check {
    fn say(&mut self, message: String) {
        self.found.push((self.line, message));
    }

    fn template(&mut self, template: &Template) {
        for (at, element) in template.elements.iter().enumerate() {
            if let Some(mapping) = template.mapping.get(at) {
                self.line = mapping.0;
            }
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                    self.expression(helper);
                }
                TemplateElement::HelperBlock(helper) => self.block(helper),
                TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => {
                    self.say("decorators are not available in texts".to_owned());
                }
                TemplateElement::PartialExpression(_) | TemplateElement::PartialBlock(_) => {
                    self.say("a text cannot include another text".to_owned());
                }
                // The library may learn new elements; a text must not use them unseen.
                #[allow(unreachable_patterns)]
                _ => self.say("this expression is not available in texts".to_owned()),
            }
        }
    }

    fn expression(&mut self, helper: &HelperTemplate) {
        let name = helper.name.as_name().unwrap_or_default().to_owned();
        if helper.params.is_empty() && helper.hash.is_empty() {
            self.printed(&name);
        } else {
            self.helper(&name, helper);
        }
    }

    fn printed(&mut self, name: &str) {
        match self.resolve(name) {
            Some(Kind::Text) => {}
            Some(Kind::Object(_)) => {
                self.say(format!("`{name}` has parts: name one, such as `{name}.name`"));
            }
            Some(Kind::List(_)) => self.say(format!("`{name}` is a list: use `#each {name}`")),
            None if name == "else" => self.say("`else` outside of a block".to_owned()),
            None => self.say(format!("unknown variable `{name}`")),
        }
    }

    fn helper(&mut self, name: &str, helper: &HelperTemplate) {
        if !HELPERS.contains(&name) {
            self.say(format!("unknown helper `{name}`; there are {}", HELPERS.join(", ")));
        }
        for parameter in helper.params.iter().chain(helper.hash.values()) {
            self.parameter(parameter);
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        match parameter {
            Parameter::Literal(_) => {}
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(helper) => {
                    let name = helper.name.as_name().unwrap_or_default().to_owned();
                    self.helper(&name, helper);
                }
                _ => self.say("this expression is not available in texts".to_owned()),
            },
            named => {
                let name = named.as_name().unwrap_or_default().to_owned();
                if self.resolve(&name).is_none() {
                    self.say(format!("unknown variable `{name}`"));
                }
            }
        }
    }

    fn block(&mut self, helper: &HelperTemplate) {
        let line = self.line;
        let name = helper.name.as_name().unwrap_or_default().to_owned();
        self.helper(&name, helper);
        if helper.block_param.is_some() {
            self.say("`as |…|` is not available in texts".to_owned());
        }
        if matches!(name.as_str(), "if" | "unless" | "each" | "with") && helper.params.len() != 1 {
            self.say(format!("`#{name}` takes exactly one value"));
        }
        let inner = match name.as_str() {
            "each" | "with" => self.entered(&name, helper),
            _ => None,
        };
        if let Some(scope) = inner {
            self.scopes.push(scope);
            self.lists += usize::from(name == "each");
        }
        if let Some(body) = &helper.template {
            self.template(body);
        }
        if inner.is_some() {
            self.scopes.pop();
            self.lists -= usize::from(name == "each");
        }
        if let Some(otherwise) = &helper.inverse {
            self.line = line;
            self.template(otherwise);
        }
    }

    /// The scope inside `#each` or `#with`; on a wrong value one that knows no names.
    fn entered(&mut self, block: &str, helper: &HelperTemplate) -> Option<Scope> {
        let name = helper.params.first()?.as_name()?.to_owned();
        match (block, self.resolve(&name)) {
            ("each", Some(Kind::List(scope))) | ("with", Some(Kind::Object(scope))) => Some(scope),
            (_, None) => Some(Scope::Value),
            ("each", Some(_)) => {
                self.say(format!("`{name}` is not a list"));
                Some(Scope::Value)
            }
            (_, Some(_)) => {
                self.say(format!("`{name}` has no parts"));
                Some(Scope::Value)
            }
        }
    }

    fn resolve(&self, name: &str) -> Option<Kind> {
        if let Some(local) = name.strip_prefix('@') {
            let known = matches!(local, "index" | "first" | "last") && self.lists > 0;
            return known.then_some(Kind::Text);
        }
        let mut depth = self.scopes.len().checked_sub(1)?;
        let mut rest = name;
        while let Some(outer) = rest.strip_prefix("../") {
            depth = depth.checked_sub(1)?;
            rest = outer;
        }
        let mut kind = Kind::Object(*self.scopes.get(depth)?);
        let rest = rest.strip_prefix("this.").or(rest.strip_prefix("./")).unwrap_or(rest);
        if matches!(rest, "this" | "." | "") {
            return Some(kind);
        }
        for part in rest.split(['.', '/']) {
            let Kind::Object(scope) = kind else { return None };
            kind = scope.find(part)?;
        }
        Some(kind)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<(usize, String)> {
        problems(&Template::compile(source).unwrap())
    }

    #[test]
    fn names_are_known_where_they_stand() {
        for right in [
            "{{creditor.name}} {{debtor.name}} {{total}} {{{link}}} {{count}}",
            "{{#if has_fee}}{{fee}}{{else if has_deadline}}{{deadline}}{{else}}-{{/if}}",
            "{{#each claims}}{{invoice}} {{this.amount}} {{../total}} {{@index}}{{/each}}",
            "{{#each plans}}{{#unless @first}}, {{/unless}}{{rates}} {{last_on}}{{/each}}",
            "{{#with creditor}}{{name}} {{../debtor.name}}{{/with}}",
            "{{#if (and has_fee (gt count 1))}}x{{/if}}{{! a remark }}",
            "{{#if creditor.support_phone}}{{creditor.support_phone}}{{/if}}",
        ] {
            assert_eq!(found(right), [], "{right}");
        }
    }

    #[test]
    fn an_unknown_name_is_found_with_its_line_even_in_a_branch_never_taken() {
        for (wrong, line, named) in [
            ("a\n{{totl}}", 2, "`totl`"),
            ("{{#if has_fee}}\nx\n{{feee}}\n{{/if}}", 3, "`feee`"),
            ("{{#if has_fees}}a{{else}}\n{{oops}}{{/if}}", 2, "`oops`"),
            ("{{#if typo}}a{{/if}}", 1, "`typo`"),
            ("{{#if (gt cuont 1)}}a{{/if}}", 1, "`cuont`"),
            ("{{#each claims}}\n{{total}}\n{{/each}}", 2, "`total`"),
            ("{{#each total}}{{/each}}", 1, "not a list"),
            ("{{claims}}", 1, "is a list"),
            ("{{creditor}}", 1, "has parts"),
            ("{{creditor.secret}}", 1, "`creditor.secret`"),
            ("{{../total}}", 1, "`../total`"),
            ("{{@root.total}}", 1, "`@root.total`"),
            ("{{lookup claims 0}}", 1, "`lookup`"),
            ("{{log total}}", 1, "`log`"),
            ("{{shout total}}", 1, "`shout`"),
            ("{{> other}}", 1, "include"),
            ("{{#*inline \"x\"}}y{{/inline}}", 1, "decorators"),
            ("{{#each claims as |c|}}{{invoice}}{{/each}}", 1, "as |"),
            ("{{#if}}x{{/if}}", 1, "exactly one"),
        ] {
            let found = found(wrong);
            let hit = found.iter().any(|(at, said)| *at == line && said.contains(named));
            assert!(hit, "{wrong:?}: {found:?}");
        }
    }
}

//! Texts: handlebars sources in, an e-mail, letter or text message out.
//!
//! The texts of a policy are compiled once. Every name in them is checked then, also in branches
//! that are seldom taken, so that a send does not fail on what a check could have found. The
//! engine is strict and has no helper that reads or writes anything. Values cannot pose as
//! syntax: they are put in after parsing, lose line breaks and control characters, and are
//! escaped where they become HTML.
//!
//! An e-mail's or letter's source begins with `Subject: …` and a blank line. Then come paragraphs
//! parted by blank lines; lines that begin with `- ` are a list. `[[claims]]` on a line of its
//! own is the list of claims, `[[pay]]` the link to the debtor's page. A text message's source is
//! a plain text whose lines are joined.

mod check;
mod context;
mod email;
mod examine;
mod locale;
mod plain;
mod preview;
mod sample;
mod sms;

use std::{collections::BTreeMap, fmt};

use handlebars::{Handlebars, RenderErrorReason, Template, no_escape};
use kulanz_domain::fact::Channel;
use thiserror::Error;

pub(crate) use self::locale::clean;
pub use self::{
    context::{ClaimLine, Colour, ColourError, Creditor, MessageContext, PlanLine},
    examine::{Remark, examine},
    plain::{HARDEST, WORDS},
    preview::{Previewed, preview},
    sample::{Occasion, Sample, samples},
    sms::{Coding, SmsText, SmsTooLong, sms},
};

/// Names one text of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextKey {
    /// Name of the text, such as `reminder`.
    pub text: String,
    /// BCP 47 language that it is written in; amounts and dates follow it.
    pub language: String,
    /// Tone.
    pub tone: String,
    /// Channel.
    pub channel: Channel,
}

impl fmt::Display for TextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.text, self.language, self.tone, self.channel.name())
    }
}

/// A text as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSource {
    /// File that it comes from, for messages to its author.
    pub file: String,
    /// Its content.
    pub source: String,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {message}")]
pub struct TemplateProblem {
    /// File.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// A sentence for its author.
    pub message: String,
}

/// Why a message could not be made. Nothing of it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// The policy has no such text.
    #[error("there is no text {0}")]
    NoText(TextKey),
    /// The text asks for something that this message does not have.
    #[error("a text does not render")]
    Failed(#[source] TemplateProblem),
}

/// A message as its reader will see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// For a mailbox.
    Email(Document),
    /// For paper.
    Letter(Document),
    /// For a mobile.
    Sms(SmsText),
}

/// A message with a subject.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// One line without control characters.
    pub subject: String,
    /// Plain text, lines parted by `\n`.
    pub text: String,
    /// A whole HTML document that loads nothing.
    pub html: String,
}

impl fmt::Debug for Document {
    /// Without the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").finish_non_exhaustive()
    }
}

/// All texts of a policy, compiled.
#[derive(Debug)]
pub struct Templates {
    registry: Handlebars<'static>,
    files: BTreeMap<TextKey, Prepared>,
}

/// Where a text comes from, and what is rendered.
#[derive(Debug)]
struct Prepared {
    file: String,
    prepared: String,
}

impl Templates {
    /// Compiles all texts; on any problem all problems of all texts.
    pub fn compile(
        sources: impl IntoIterator<Item = (TextKey, TextSource)>,
    ) -> Result<Self, Vec<TemplateProblem>> {
        let mut templates = Self { registry: registry(), files: BTreeMap::new() };
        let mut problems = Vec::new();
        for (key, TextSource { file, source }) in sources {
            let problem = |(line, message)| TemplateProblem { file: file.clone(), line, message };
            let (prepared, found) = prepare(key.channel, &source);
            problems.extend(found.into_iter().map(problem));
            match Template::compile_with_name(&prepared, key.to_string()) {
                Ok(template) => {
                    problems.extend(check::problems(&template).into_iter().map(problem));
                    templates.registry.register_template(&key.to_string(), template);
                }
                Err(error) => {
                    let line = error.pos().map_or(1, |(line, _)| line);
                    problems.push(problem((line, clean(&error.reason().to_string()))));
                }
            }
            let text = Prepared { file: file.clone(), prepared };
            if let Some(other) = templates.files.insert(key, text) {
                problems.push(problem((1, format!("the same text is in {}", other.file))));
            }
        }
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    /// The texts that there are.
    pub fn keys(&self) -> impl Iterator<Item = &TextKey> {
        self.files.keys()
    }

    /// Makes the message of a text; or tells file, line and variable.
    pub fn render(&self, key: &TextKey, message: &MessageContext) -> Result<Content, RenderError> {
        let text = self.files.get(key).ok_or_else(|| RenderError::NoText(key.clone()))?;
        let file = &text.file;
        let failed = |line, message| {
            RenderError::Failed(TemplateProblem { file: file.clone(), line, message })
        };
        let values = message.variables(locale::Style::of(&key.language));
        let rendered = self
            .registry
            .render(&key.to_string(), &values)
            .map_err(|error| failed(error.line_no.unwrap_or(1), reason(error.reason())))?;
        if key.channel == Channel::Sms {
            let text = sms(&rendered).map_err(|long| failed(1, long.to_string()))?;
            return Ok(Content::Sms(text));
        }
        let frame = email::Frame {
            language: &key.language,
            creditor: clean(&message.creditor.name),
            imprint: message.creditor.imprint.as_deref().map(clean),
            colour: message.creditor.colour,
        };
        let email::Parts { subject, text, html } = email::parts(&rendered, &values, &frame);
        if subject.is_empty() {
            return Err(failed(1, "the subject came out empty".to_owned()));
        }
        let document = Document { subject, text, html };
        Ok(match key.channel {
            Channel::Letter => Content::Letter(document),
            Channel::Email | Channel::Sms => Content::Email(document),
        })
    }

    /// Renders a text with each of `messages` (see [`samples`]); each problem once.
    pub fn check(&self, key: &TextKey, messages: &[MessageContext]) -> Vec<TemplateProblem> {
        let mut problems: Vec<TemplateProblem> = Vec::new();
        for message in messages {
            let problem = match self.render(key, message) {
                Ok(_) => continue,
                Err(RenderError::Failed(problem)) => problem,
                Err(error @ RenderError::NoText(_)) => {
                    TemplateProblem { file: key.to_string(), line: 1, message: error.to_string() }
                }
            };
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems
    }
}

fn registry() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    // The output is plain text; HTML is made of it afterwards, and escaped there.
    registry.register_escape_fn(no_escape);
    for name in check::REMOVED {
        registry.unregister_helper(name);
    }
    registry
}

fn prepare(channel: Channel, source: &str) -> (String, Vec<(usize, String)>) {
    if channel != Channel::Sms {
        return email::prepare(source);
    }
    let mut found = Vec::new();
    if source.trim().is_empty() {
        found.push((1, "the text is empty".to_owned()));
    }
    for (at, line) in source.lines().enumerate() {
        if line.contains("[[") {
            found.push((at + 1, "a text message has no markers".to_owned()));
        }
    }
    (source.to_owned(), found)
}

fn reason(reason: &RenderErrorReason) -> String {
    match reason {
        RenderErrorReason::MissingVariable(Some(name)) => {
            format!("`{name}` has no value in this message")
        }
        RenderErrorReason::MissingVariable(None) => "a value is missing".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;

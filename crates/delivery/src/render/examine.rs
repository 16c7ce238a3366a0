//! All that can be said of a policy's texts before anybody gets them: whether they render for
//! every step that sends them, how they fit into text messages, how they read.

use kulanz_domain::policy::{Policy, Step, StepAction};

use super::{
    Content, Creditor, Occasion, RenderError, TemplateProblem, Templates, TextKey, TextSource,
    context::MessageContext,
    plain, samples,
    sms::{self, Coding},
};

/// Something to say of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The text cannot be sent; otherwise it can be, and should be better.
    pub is_error: bool,
    /// Which text, where and what.
    pub problem: TemplateProblem,
    /// What to do about it.
    pub help: Option<String>,
}

impl From<TemplateProblem> for Remark {
    fn from(problem: TemplateProblem) -> Self {
        Self { is_error: true, problem, help: None }
    }
}

/// Examines the texts of `policy`, each with samples of all steps that send it. `base_url` is where
/// debtors' pages might be: links have a length.
pub fn examine(
    policy: &Policy,
    sources: impl IntoIterator<Item = (TextKey, TextSource)>,
    creditor: &Creditor,
    base_url: &str,
) -> Vec<Remark> {
    let templates = match Templates::compile(sources) {
        Ok(templates) => templates,
        Err(problems) => return problems.into_iter().map(Remark::from).collect(),
    };
    let mut remarks: Vec<Remark> = Vec::new();
    for step in &policy.steps {
        let Some(plans) = plans_of(step) else { continue };
        let messages = samples(&occasion(policy, step, &plans, creditor, base_url));
        for key in templates.keys().filter(|key| key.text == *step.text) {
            for remark in templates.examined(key, &messages) {
                if !remarks.contains(&remark) {
                    remarks.push(remark);
                }
            }
        }
    }
    remarks
}

/// Numbers of rates of the plans that a step offers; `None` where it sends nothing.
pub(super) fn plans_of(step: &Step) -> Option<Vec<u32>> {
    match &step.action {
        StepAction::HandOff { .. } | StepAction::Quiet => None,
        StepAction::Offer { plans } => Some(plans.iter().map(|plan| plan.rates).collect()),
        _ => Some(Vec::new()),
    }
}

/// The occasion on which a step sends its text.
pub(super) fn occasion<'a>(
    policy: &Policy,
    step: &Step,
    plans: &'a [u32],
    creditor: &'a Creditor,
    base_url: &'a str,
) -> Occasion<'a> {
    let deadline = step.deadline.is_some();
    Occasion { creditor, currency: policy.currency, deadline, plans, base_url }
}

impl Templates {
    fn examined(&self, key: &TextKey, messages: &[MessageContext]) -> Vec<Remark> {
        let mut remarks: Vec<Remark> = Vec::new();
        let mut coded = None;
        for message in messages {
            match self.render(key, message) {
                Ok(Content::Sms(sms)) if sms.coding == Coding::Ucs2 => {
                    let longest: usize = coded.as_ref().map_or(0, |(parts, _)| *parts);
                    coded = Some((longest.max(sms.segments), sms.text));
                }
                Ok(_) | Err(RenderError::NoText(_)) => {}
                Err(RenderError::Failed(problem)) => {
                    if !remarks.iter().any(|one| one.problem == problem) {
                        remarks.push(problem.into());
                    }
                }
            }
        }
        if !remarks.is_empty() {
            return remarks; // how it reads matters once it can be sent
        }
        remarks.extend(coded.map(|(parts, text)| self.coding(key, parts, &text)));
        // The longest sample is a measure of room; people get what the first ones show.
        for message in messages.iter().take(2) {
            for remark in self.reading(key, message) {
                let same = |one: &Remark| one.problem.line == remark.problem.line;
                if !remarks.iter().any(same) {
                    remarks.push(remark);
                }
            }
        }
        remarks
    }

    fn remark(&self, key: &TextKey, line: usize, message: String, help: &str) -> Remark {
        let file = self.files.get(key).map(|text| text.file.clone()).unwrap_or_default();
        let problem = TemplateProblem { file, line, message };
        Remark { is_error: false, problem, help: Some(help.to_owned()) }
    }

    /// A text message with characters that leave room for less than half.
    fn coding(&self, key: &TextKey, parts: usize, text: &str) -> Remark {
        let odd = sms::foreign(text);
        let source = self.files.get(key).map_or("", |text| text.prepared.as_str());
        let line = source.lines().position(|line| line.contains(|c| odd.contains(&c)));
        let shown: Vec<String> = odd.iter().take(5).map(|c| format!("`{c}`")).collect();
        let message = format!(
            "{} {} not in the alphabet of text messages: a part holds 67 characters instead of 153, \
             and this text takes {parts}",
            shown.join(", "),
            if shown.len() == 1 { "is" } else { "are" }
        );
        self.remark(key, line.map_or(1, |at| at + 1), message, "write it with plain letters")
    }

    /// How a text reads.
    fn reading(&self, key: &TextKey, message: &MessageContext) -> Vec<Remark> {
        let language = key.language.split('-').next().unwrap_or_default();
        let values = message.variables(super::locale::Style::of(&key.language));
        let Some(text) = self.files.get(key) else { return Vec::new() };
        let numbered = plain::numbered(&text.prepared);
        // The same text rendered before; numbers of lines cannot make it fail.
        let Ok(rendered) = self.registry.render_template(&numbered, &values) else {
            return Vec::new();
        };
        let sentences = plain::sentences(&rendered);
        let mut remarks = Vec::new();
        for sentence in &sentences {
            let words = plain::length(&sentence.text);
            if words > plain::WORDS {
                let message = format!("a sentence of {words} words: {}", sentence.text);
                let help = format!("at most {} are easy to read: make two of it", plain::WORDS);
                remarks.push(self.remark(key, sentence.line, message, &help));
            }
        }
        let score = plain::wiener(sentences.iter().map(|sentence| sentence.text.as_str()));
        if let Some(score) = score.filter(|score| language == "de" && *score > plain::HARDEST) {
            let hardest = sentences.iter().max_by_key(|sentence| {
                // Alone most sentences are too short to be measured: four of the same are not.
                plain::wiener(std::iter::repeat_n(sentence.text.as_str(), 20))
            });
            if let Some(hardest) = hardest {
                let message = format!(
                    "this text is hard to read: {score} on the first Wiener Sachtextformel, {} at \
                     most is plain. The hardest sentence: {}",
                    plain::HARDEST,
                    hardest.text
                );
                let help = "shorter sentences, words of one or two syllables";
                remarks.push(self.remark(key, hardest.line, message, help));
            }
        }
        remarks
    }
}

//! A preview for the terminal.

use super::{Card, Preview, words};
use crate::house::count;

/// All messages, each below a line that says what it is.
pub fn render(preview: &Preview) -> String {
    let mut out = format!("{}\n", words::title(preview));
    for note in words::notes(preview) {
        out.push_str(&format!("{note}\n"));
    }
    let mut step = None;
    for card in &preview.cards {
        let this = (card.made.place, &card.tried);
        if step != Some(this) {
            step = Some(this);
            out.push_str(&format!("\n\n=== {} ===\n", card.step.name));
            facts(&words::step(card, preview), &mut out);
        }
        message(card, &mut out);
    }
    out.push_str(&format!("\n{}\n", count(preview.cards.len(), "sample message")));
    out
}

fn facts(facts: &[(&str, String)], out: &mut String) {
    for (name, said) in facts {
        out.push_str(&format!("{name}: {said}\n"));
    }
}

fn message(card: &Card, out: &mut String) {
    let [step, language, tone, _] = card.names();
    let channel = words::channel(card.made.key.channel);
    out.push_str(&format!("\n--- {step}, {language}, {tone}, {channel} (sample)\n"));
    facts(&words::card(card), out);
    if let Some(size) = words::size(&card.made.content) {
        out.push_str(&format!("Size: {size}\n"));
    }
    let (subject, text, _) = card.parts();
    out.push('\n');
    if let Some(subject) = subject {
        out.push_str(&format!("    Subject: {subject}\n\n"));
    }
    for line in text.trim_end().lines() {
        match line.is_empty() {
            true => out.push('\n'),
            false => out.push_str(&format!("    {line}\n")),
        }
    }
}

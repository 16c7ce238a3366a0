//! A plan for a terminal.

use std::fmt::Write as _;

use kulanz_engine::plan::Listed;

use super::{Plan, figures};

/// All of it, ended by a line feed.
pub fn render(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write(plan, &mut out);
    out
}

fn write(plan: &Plan, out: &mut String) -> std::fmt::Result {
    let (title, said) = figures::head(plan);
    writeln!(out, "{title}")?;
    said.iter().try_for_each(|sentence| writeln!(out, "{sentence}"))?;
    writeln!(out)?;
    for step in figures::in_order(plan) {
        let Some(changes) = plan.report.steps.get(step) else { continue };
        for (sign, what) in figures::step_signs(changes) {
            writeln!(out, "  {sign} {:<18} {what}", step.as_str())?;
        }
    }
    for (aspect, claims) in &plan.report.aspects {
        writeln!(out, "      {:<18} {claims}", figures::aspect(*aspect))?;
    }
    for group in figures::groups(plan) {
        writeln!(out, "\n{:<60} {:>12} {:>12} {:>12}", group.heading, "in force", "then", "")?;
        for one in group.figures {
            let (label, before, after) = (one.label, one.before, one.after);
            let line = format!("  {label:<58} {before:>12} {after:>12} {:>12}", one.difference);
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    let report = &plan.report;
    list(out, '+', "New", &report.new)?;
    list(out, '-', "Gone", &report.gone)?;
    list(out, '~', "Changed", &report.changed)
}

fn list(out: &mut String, sign: char, heading: &str, listed: &Listed) -> std::fmt::Result {
    if listed.count == 0 {
        return Ok(());
    }
    writeln!(out, "\n{heading}")?;
    for line in &listed.named {
        let words = figures::line_words(line);
        writeln!(out, "  {sign} {} {} {}: {words}", line.account, line.claim, line.step)?;
    }
    let rest = listed.count - listed.named.len() as u64;
    if rest > 0 {
        writeln!(out, "    and {rest} more")?;
    }
    Ok(())
}

//! Reports for a terminal.

use std::fmt::Write as _;

use super::{Told, figures};

/// All of them, ended by a line feed each.
pub fn render(told: &[Told]) -> String {
    let mut out = String::new();
    for one in told {
        // Writing to a text cannot fail.
        let _ = write(one, &mut out);
    }
    out
}

fn write(told: &Told, out: &mut String) -> std::fmt::Result {
    let (title, said) = figures::head(told);
    writeln!(out, "{title}")?;
    said.iter().try_for_each(|sentence| writeln!(out, "{sentence}"))?;
    writeln!(out, "\n{:<38} {:>18} {:>18} {:>18}", "", "treated", "control", "difference")?;
    for one in figures::rows(&told.report) {
        let (label, treated, control) = (one.label, one.treated, one.control);
        let line = format!("  {label:<36} {treated:>18} {control:>18} {:>18}", one.difference);
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    told.notes.iter().try_for_each(|note| writeln!(out, "{note}"))?;
    writeln!(out)
}

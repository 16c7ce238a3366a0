//! A forecast for a terminal.

use std::fmt::Write as _;

use kulanz_engine::simulate::{Calibration, Forecast, Held, Part};

use super::{
    Simulation,
    words::{self, money, number, range},
};

/// All of it, ended by a line feed.
pub fn render(simulation: &Simulation) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write(simulation, &mut out);
    out
}

fn write(simulation: &Simulation, out: &mut String) -> std::fmt::Result {
    let (title, said) = words::head(simulation);
    writeln!(out, "{title}")?;
    said.iter().try_for_each(|sentence| writeln!(out, "{sentence}"))?;
    for (code, outlook) in &simulation.report.currencies {
        writeln!(out, "\n{code}")?;
        for sentence in words::standing(outlook) {
            writeln!(out, "{sentence}")?;
        }
        if let Some(why) = &outlook.too_little {
            writeln!(out, "NO FORECAST. {why}")?;
        }
        if let Some(forecast) = &outlook.forecast {
            weeks(out, forecast)?;
            parts(out, "By last step", "none yet", &forecast.steps)?;
            parts(out, "By persona of the last message", "none yet", &forecast.personas)?;
        }
        writeln!(out, "\nCompared with days that are over")?;
        for sentence in words::calibration(&outlook.calibration) {
            writeln!(out, "{sentence}")?;
        }
        if let Calibration::Done(held) = &outlook.calibration {
            self::held(out, held)?;
        }
    }
    writeln!(out, "\nWhat this cannot know")?;
    simulation.cannot_know.iter().try_for_each(|sentence| writeln!(out, "- {sentence}"))
}

fn weeks(out: &mut String, forecast: &Forecast) -> std::fmt::Result {
    writeln!(
        out,
        "\nSummed up from the first day on; the median, and where nine of ten futures lie"
    )?;
    writeln!(
        out,
        "{:<10} {:>14} {:<28} {:>14} {:>9} {:<18} {:>12} {:>14} {:>15}",
        "until",
        "recovered",
        "",
        "still open",
        "messages",
        "",
        "fees",
        "to agencies",
        "ended otherwise"
    )?;
    for week in &forecast.weeks {
        writeln!(
            out,
            "{:<10} {:>14} {:<28} {:>14} {:>9} {:<18} {:>12} {:>14} {:>15}",
            week.last_day.to_string(),
            money(week.recovered.middle),
            range(&week.recovered, money),
            money(week.open.middle),
            number(week.messages.middle),
            range(&week.messages, number),
            money(week.fees.middle),
            money(week.handed_over.middle),
            money(week.gone.middle),
        )?;
    }
    Ok(())
}

fn parts(out: &mut String, heading: &str, none: &str, parts: &[Part]) -> std::fmt::Result {
    writeln!(
        out,
        "\n{heading:<32} {:>9} {:<18} {:>14} {:<28} {:>14}",
        "messages", "", "recovered", "", "open at the end"
    )?;
    for part in parts {
        writeln!(
            out,
            "  {:<30} {:>9} {:<18} {:>14} {:<28} {:>14}",
            part.name.as_deref().unwrap_or(none),
            number(part.messages.middle),
            range(&part.messages, number),
            money(part.recovered.middle),
            range(&part.recovered, money),
            money(part.open.middle),
        )?;
    }
    Ok(())
}

fn held(out: &mut String, held: &Held) -> std::fmt::Result {
    writeln!(out, "{:<10} {:>14} {:<28} {:>14}", "until", "predicted", "", "happened")?;
    for week in &held.weeks {
        writeln!(
            out,
            "{:<10} {:>14} {:<28} {:>14}{}",
            week.last_day.to_string(),
            money(week.predicted.middle),
            range(&week.predicted, money),
            money(week.actual),
            if week.inside { "" } else { "  outside" }
        )?;
    }
    Ok(())
}

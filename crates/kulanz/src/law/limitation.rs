//! `kulanz law limitation`.

use anyhow::Result;
use clap::Args;
use jiff::civil::Date;
use kulanz_domain::{
    calendar::Region,
    law::{
        Limitation, LimitationCase, LimitationStep, Period, Suspension, SuspensionGround,
        limitation,
    },
};
use serde_json::{Value, json};

use super::derivation::{days, print, print_json, region, weekday};

pub const EXAMPLES: &str = "\
Examples:
  kulanz law limitation --due 2023-10-12 --state NW
  kulanz law limitation --due 2022-05-10 --acknowledged 2024-05-20
  kulanz law limitation --due 2022-05-10 --negotiated 2025-12-01..2025-12-20
  kulanz law limitation --title-final 2024-05-20

Days without an end (`2025-12-01..`) still go on. Both ends count.";

/// What bears on it.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("period").required(true))]
pub struct Options {
    /// Day on which the claim fell due: three years from the end of its year
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day, group = "period")]
    due: Option<Date>,
    /// Day on which a title became final: thirty years from it
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day, group = "period")]
    title_final: Option<Date>,
    /// Days on which the debtor acknowledged the claim or paid a part (§ 212 BGB)
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    acknowledged: Vec<Date>,
    /// Negotiations (§ 203 BGB)
    #[arg(long, value_name = "FROM..TO", value_parser = span)]
    negotiated: Vec<Days>,
    /// Deferral (§ 205 BGB)
    #[arg(long, value_name = "FROM..TO", value_parser = span)]
    deferred: Vec<Days>,
    /// Proceedings, to their end or the last act in them (§ 204 BGB); six months are added
    #[arg(long, value_name = "FROM..TO", value_parser = span)]
    court: Vec<Days>,
    /// Days that do not count for another reason
    #[arg(long, value_name = "FROM..TO", value_parser = span)]
    suspended: Vec<Days>,
    /// States whose holidays move the day by which to act; the days of all German states where
    /// left out
    #[arg(long, value_parser = region)]
    state: Vec<Region>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy)]
struct Days {
    from: Date,
    to: Option<Date>,
}

fn span(text: &str) -> Result<Days, String> {
    let wrong = || format!("`{text}` is not FROM..TO, such as 2025-12-01..2025-12-20");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let to = match to {
        "" => None,
        day => Some(day.parse().map_err(|_| wrong())?),
    };
    Ok(Days { from: from.parse().map_err(|_| wrong())?, to })
}

impl Options {
    fn case(&self) -> Option<LimitationCase> {
        use SuspensionGround::{Court, Deferral, Negotiation, Other};
        let standard = self.due.map(|due_on| Period::Standard { due_on });
        let period = self.title_final.map(|final_on| Period::Title { final_on }).or(standard)?;
        let given = [
            (Negotiation, &self.negotiated),
            (Deferral, &self.deferred),
            (Court, &self.court),
            (Other, &self.suspended),
        ];
        let suspensions = given.into_iter().flat_map(|(ground, list)| {
            list.iter().map(move |&Days { from, to }| Suspension { from, to, ground })
        });
        let regions = match self.state.is_empty() {
            true => vec![Region::De],
            false => self.state.clone(),
        };
        Some(LimitationCase {
            period,
            suspensions: suspensions.collect(),
            acknowledged_on: self.acknowledged.clone(),
            regions,
        })
    }
}

/// Answers.
pub fn run(options: &Options) -> Result<()> {
    let Some(case) = options.case() else {
        anyhow::bail!("name the day on which the claim fell due (--due), or the title's")
    };
    let found = limitation(&case)?;
    let lines = derivation(&found);
    match options.json {
        true => print_json(&row(&found, &lines))?,
        false => print(&lines),
    }
    Ok(())
}

fn row(found: &Limitation, lines: &[String]) -> Value {
    json!({ "last_day": found.last_day, "act_by": found.act_by, "steps": found.steps,
            "explanation": lines })
}

fn derivation(found: &Limitation) -> Vec<String> {
    let mut lines: Vec<String> = found.steps.iter().map(said).collect();
    lines.push(match (found.last_day, found.act_by) {
        (Some(last_day), Some(act_by)) => {
            format!("Last day {}; act by {}", weekday(last_day), weekday(act_by))
        }
        _ => "No last day yet: the period stands still (§ 209 BGB)".to_owned(),
    });
    lines
}

fn said(step: &LimitationStep) -> String {
    use LimitationStep as Step;
    match *step {
        Step::Starts { period: Period::Standard { due_on }, first_day, last_day } => format!(
            "Due {due_on}: three years from the end of that year, {first_day} to {last_day} \
             (§§ 195, 199 (1) BGB)"
        ),
        Step::Starts { period: Period::Title { final_on }, first_day, last_day } => format!(
            "Title final on {final_on}: thirty years, {first_day} to {last_day} (§§ 197 (1) \
             no. 3, 201 BGB)"
        ),
        Step::StartsAnew { acknowledged_on, first_day, last_day } => format!(
            "Acknowledged or paid in part on {acknowledged_on}: the period starts anew on the \
             next day, {first_day} to {last_day} (§ 212 (1) no. 1 BGB)"
        ),
        Step::AcknowledgedTooEarly { acknowledged_on, first_day } => format!(
            "Acknowledged on {acknowledged_on}, before the period began on {first_day}: changes \
             nothing (BGH VIII ZR 344/12)"
        ),
        Step::AcknowledgedTooLate { acknowledged_on, last_day } => format!(
            "Acknowledged on {acknowledged_on}, after the period had ended on {last_day}: starts \
             nothing anew (§ 212 BGB)"
        ),
        Step::Suspended { from, to, days: number, last_day } => {
            format!("{from} to {to} do not count: {} later, {last_day} (§ 209 BGB)", days(number))
        }
        Step::SuspendedTooEarly { from, to, first_day } => {
            format!("{from} to {to} lie before the period began on {first_day}: change nothing")
        }
        Step::SuspendedTooLate { from, last_day } => format!(
            "What began on {from} came after the period had ended on {last_day}: changes nothing"
        ),
        Step::StandsStill { from } => {
            format!("Stands still since {from}, with no end told (§ 209 BGB)")
        }
        Step::SixMonthsMore { ended_on, to } => format!(
            "Proceedings ended on {ended_on}: the period stands still for six more months, to \
             {to} (§ 204 (2) BGB)"
        ),
        Step::NotBefore { ended_on, last_day } => format!(
            "Negotiations ended on {ended_on}: not barred before three months have passed, \
             {last_day} (§ 203 BGB)"
        ),
        Step::Rolled { last_day, act_by } => {
            format!(
                "{} is no working day: act by {} (§ 193 BGB)",
                weekday(last_day),
                weekday(act_by)
            )
        }
    }
}

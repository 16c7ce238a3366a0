//! `kulanz law default`.

use anyhow::{Result, bail};
use clap::Args;
use jiff::civil::Date;
use kulanz_domain::{
    calendar::Region,
    fact::Supply,
    law::grounds::{
        DefaultStart, NoDefault, by_agreed_date, by_event, by_refusal, by_reminder,
        by_served_order, by_thirty_days,
    },
};
use serde_json::{Value, json};

use super::{
    derivation::{print, print_json, region, weekday},
    interest::Debtor,
};

pub const EXAMPLES: &str = "\
Examples:
  kulanz law default --due 2025-04-18 --agreed --state BE
  kulanz law default --due 2026-04-01 --invoice-received 2026-04-01 --told --state BY
  kulanz law default --due 2026-03-15 --reminder 2026-03-19 --deadline 2026-03-28 --state NW
  kulanz law default --event 2026-03-02 --event-days 14
  kulanz law default --refused 2025-06-04

All grounds that can be judged from what is given are shown; the earliest one counts.";

/// What happened.
#[derive(Debug, Args)]
pub struct Options {
    /// Due date
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    due: Option<Date>,
    /// The due date was agreed, not set by the creditor alone
    #[arg(long, requires = "due")]
    agreed: bool,
    /// Day of an event from which an agreed period runs, such as delivery
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    event: Option<Date>,
    /// Days of that period
    #[arg(long, value_name = "N", default_value_t = 0, requires = "event")]
    event_days: u16,
    /// Months of that period
    #[arg(long, value_name = "N", default_value_t = 0, requires = "event")]
    event_months: u16,
    /// Day on which the invoice arrived
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day, requires = "due")]
    invoice_received: Option<Date>,
    /// The invoice told of the 30 days
    #[arg(long)]
    told: bool,
    /// Not for goods or services (damages, fines, repayments)
    #[arg(long)]
    other: bool,
    /// Who owes it
    #[arg(long, value_enum, default_value = "consumer")]
    debtor: Debtor,
    /// Day on which a reminder (Mahnung) arrived
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    reminder: Option<Date>,
    /// Deadline that the reminder names
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day, requires = "reminder")]
    deadline: Option<Date>,
    /// Day on which the debtor refused seriously and finally
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    refused: Option<Date>,
    /// Day on which an action or a payment order was served
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    served: Option<Date>,
    /// The debtor has shown not to be at fault
    #[arg(long)]
    not_at_fault: bool,
    /// States of both sides, whose holidays move a deadline
    #[arg(long, value_parser = region)]
    state: Vec<Region>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A ground, and what it brings about.
struct Judged {
    ground: &'static str,
    paragraph: &'static str,
    result: Result<DefaultStart, NoDefault>,
}

impl Options {
    fn judged(&self) -> Vec<Judged> {
        let default = [Region::De];
        let regions = if self.state.is_empty() { &default[..] } else { &self.state };
        let supply = if self.other { Supply::Other } else { Supply::GoodsServices };
        let mut all = Vec::new();
        let mut judge = |ground, paragraph, result| all.push(Judged { ground, paragraph, result });
        if let Some(due_on) = self.due {
            let agreed = by_agreed_date(due_on, self.agreed, regions);
            judge("agreed date", "§ 286 (2) no. 1 BGB", agreed);
        }
        if let Some(event) = self.event {
            let (months, days) = (self.event_months.into(), self.event_days.into());
            let start = by_event(event, months, days, regions);
            judge("period from an event", "§ 286 (2) no. 2 BGB", Ok(start));
        }
        if let Some((due_on, received_on)) = self.due.zip(self.invoice_received) {
            let both = due_on.max(received_on);
            let kind = self.debtor.kind();
            let thirty = by_thirty_days(both, supply, kind, self.told, regions);
            judge("30 days after due date and receipt", "§ 286 (3) BGB", thirty);
        }
        if let Some(received_on) = self.reminder {
            let reminded = by_reminder(received_on, self.due, self.deadline, regions);
            judge("reminder", "§ 286 (1) BGB", reminded);
        }
        if let Some(refused_on) = self.refused {
            let start = by_refusal(refused_on, self.due);
            judge("refusal", "§ 286 (2) no. 3 BGB", Ok(start));
        }
        if let Some(served_on) = self.served {
            let start = by_served_order(served_on);
            judge("served order", "§ 286 (1) sentence 2 BGB", Ok(start));
        }
        if self.not_at_fault {
            all.iter_mut().for_each(|one| one.result = Err(NoDefault::NotAtFault));
        }
        all
    }
}

/// Answers.
pub fn run(options: &Options) -> Result<()> {
    let judged = options.judged();
    if judged.is_empty() {
        bail!("name what happened: --due, --event, --reminder, --refused or --served; see --help");
    }
    let begun = judged.iter().filter_map(|one| Some((one.ground, one.result.ok()?.first_day)));
    let first = begun.min_by_key(|(_, day)| *day);
    let mut lines: Vec<String> = judged.iter().map(said).collect();
    lines.push(match first {
        Some((ground, day)) => {
            format!("In default from {}, the first interest day: {ground}", weekday(day))
        }
        None => "No default".to_owned(),
    });
    match options.json {
        true => print_json(&json!({
            "first_interest_day": first.map(|(_, day)| day),
            "ground": first.map(|(ground, _)| ground),
            "grounds": judged.iter().map(row).collect::<Vec<_>>(),
            "explanation": lines,
        })),
        false => {
            print(&lines);
            Ok(())
        }
    }
}

fn row(judged: &Judged) -> Value {
    let mut row = json!({ "ground": judged.ground, "paragraph": judged.paragraph });
    match judged.result {
        Ok(start) => {
            row["deadline"] = json!(start.deadline);
            row["rolled"] = json!(start.rolled);
            row["first_day"] = json!(start.first_day);
        }
        Err(reason) => row["reason"] = reason.to_string().into(),
    }
    row
}

fn said(judged: &Judged) -> String {
    let Judged { ground, paragraph, result } = judged;
    match result {
        Err(reason) => format!("{ground}: none, {reason}"),
        Ok(DefaultStart { deadline: None, first_day, .. }) => {
            format!("{ground} ({paragraph}): the next day, {}", weekday(*first_day))
        }
        Ok(DefaultStart { deadline: Some(deadline), rolled, first_day }) => {
            let rolled =
                rolled.filter(|rolled| rolled != deadline).map_or_else(String::new, |day| {
                    format!(", which rolls to {} (§ 193 BGB)", weekday(day))
                });
            format!(
                "{ground} ({paragraph}): last day {}{rolled}; first day of default {}",
                weekday(*deadline),
                weekday(*first_day)
            )
        }
    }
}

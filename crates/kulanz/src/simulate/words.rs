//! What a forecast says in sentences, the same on a terminal, on a page and in JSON.

use kulanz_domain::money::Decimal;
use kulanz_engine::simulate::{Band, Calibration, Held, Outlook, Report};

use super::Simulation;

/// `12,345.60`.
pub fn money(mut amount: Decimal) -> String {
    let scale = amount.scale();
    amount.rescale(scale.max(if scale == 0 { 0 } else { 2 }));
    let text = amount.to_string();
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) => (whole, format!(".{rest}")),
        None => (text.as_str(), String::new()),
    };
    format!("{}{rest}", grouped(whole))
}

/// `12,345`.
pub fn number(count: u64) -> String {
    grouped(&count.to_string())
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `low to high`, or one figure where they are the same.
pub fn range<T: PartialEq + Copy>(band: &Band<T>, shown: fn(T) -> String) -> String {
    match band.low == band.high {
        true => shown(band.low),
        false => format!("{} to {}", shown(band.low), shown(band.high)),
    }
}

/// Title and the sentences above all currencies.
pub fn head(simulation: &Simulation) -> (String, Vec<String>) {
    let report = &simulation.report;
    let title = format!(
        "{}: {} days from {} as this book's past lets expect",
        report.creditor, report.days, report.first_day
    );
    let played: Vec<String> = simulation
        .policies
        .iter()
        .map(|(code, version)| {
            let standing = if version.in_force { "in force" } else { "not in force" };
            format!("{} version {} for {code} ({standing})", version.policy, version.version)
        })
        .collect();
    let mut said = vec![format!("Played: {}.", played.join(", "))];
    match &report.history {
        Some(history) => {
            said.push(format!(
                "Learnt from {} to {}, {} of {} accounts; {} futures drawn from seed {}.",
                history.first_day,
                history.last_day,
                number(history.accounts),
                number(report.accounts),
                report.draws,
                report.seed
            ));
            match history.brought_in {
                Some(true) => said.push(
                    "Part of the history was brought in later, paid claims with it: it counts from \
                     each invoice on."
                        .to_owned(),
                ),
                Some(false) => said.push(
                    "Claims that were brought in later came open, hardly any paid: each counts only \
                     from the day on which it was recorded."
                        .to_owned(),
                ),
                None => {}
            }
            let silent = (report.first_day - history.last_day).get_days();
            if silent > 7 {
                said.push(format!(
                    "The newest invoice or payment is of {}, {silent} days before: if any are \
                     missing, this is wrong.",
                    history.last_day
                ));
            }
        }
        None => said.push("The book is empty: there is nothing to forecast.".to_owned()),
    }
    (title, said)
}

/// How a currency's book stands, and what was learnt.
pub fn standing(outlook: &Outlook) -> Vec<String> {
    let (start, learnt) = (&outlook.start, &outlook.learnt);
    let mut said = vec![format!(
        "{} claims of {} accounts are open: {}, principal and fees.",
        number(start.claims),
        number(start.accounts),
        money(start.open)
    )];
    if start.stopped_claims > 0 {
        said.push(format!(
            "Beside them {} claims of {} whose debtors are insolvent, dead or erased: not in this.",
            number(start.stopped_claims),
            money(start.stopped)
        ));
    }
    if start.agency_claims > 0 {
        said.push(format!(
            "Beside them {} claims of {} that are at an agency or wait to be released to one: not \
             in this.",
            number(start.agency_claims),
            money(start.agency)
        ));
    }
    if outlook.forecast.is_some() {
        let weeks = match learnt.weeks {
            0 => "how weeks differ, it has too few to say: a quarter up or down is assumed".into(),
            seen => format!("weeks differ by {}% ({seen} of them)", learnt.weeks_differ),
        };
        said.push(format!(
            "It has seen {} payments in full of {} claims in {} days of waiting; {weeks}.",
            number(learnt.paid),
            number(learnt.claims),
            number(learnt.claim_days)
        ));
    }
    let unpaid = &outlook.unpaid;
    said.push(format!(
        "If nobody paid: {} messages, {} in fees, {} claims of {} due to go to agencies.",
        number(unpaid.messages),
        money(unpaid.fees),
        number(unpaid.handoffs),
        money(unpaid.handed_over)
    ));
    said
}

/// What came of forecasting days that are over.
pub fn calibration(outcome: &Calibration) -> Vec<String> {
    match outcome {
        Calibration::NotAsked => {
            vec!["It was not compared with days that are over (--no-calibrate).".to_owned()]
        }
        Calibration::NotPossible(why) => {
            vec![format!("NOT COMPARED with days that are over. {why}")]
        }
        Calibration::Done(held) => held_out(held),
    }
}

fn held_out(held: &Held) -> Vec<String> {
    let weeks = held.weeks.len();
    let mut said = vec![format!(
        "The same for {} days from {}, with what was known before them ({} payments in full): {} \
         claims of {} were open, on {} accounts.",
        held.days,
        held.first_day,
        number(held.learnt_paid),
        number(held.claims),
        money(held.open),
        number(held.accounts)
    )];
    if !held.played {
        said.push(
            "No message of ours left on these days: none is played in them. What messages bring \
             about was not put to the test."
                .to_owned(),
        );
    }
    if let Some(end) = held.weeks.last() {
        let off = match held.end_error {
            none if none.is_zero() => "less than 0.1% of what was open off".to_owned(),
            less if less.is_sign_negative() => format!("{}% of what was open too little", -less),
            more => format!("{more}% of what was open too much"),
        };
        said.push(format!(
            "At the end {} were predicted ({}) and {} came: {off}. Mean error of the curve {}%; \
             what happened lay within the band in {} of {weeks} weeks.",
            money(end.predicted.middle),
            range(&end.predicted, money),
            money(end.actual),
            held.mean_error,
            held.inside
        ));
    }
    if held.inside * 4 < weeks as u64 * 3 {
        said.push("TAKE THE BANDS FOR TOO NARROW: they did not hold these days.".to_owned());
    }
    if !held.in_parts.is_zero() {
        said.push(format!(
            "{} came in parts for claims that were not paid in full by the end: neither side counts \
             it.",
            money(held.in_parts)
        ));
    }
    said
}

/// What a forecast cannot know.
pub fn cannot_know(report: &Report) -> Vec<String> {
    let mut said = vec![
        "It takes for granted that debtors go on as they did: no season, no crisis, no other way to \
         pay, no bank that stands still is in it unless the history had it."
            .to_owned(),
        "It knows what followed a step, not what the step brought about: who got the last call had \
         not paid for long. What another policy would do to people, only an experiment says."
            .to_owned(),
    ];
    for (code, outlook) in &report.currencies {
        let unknown = &outlook.learnt.unknown_steps;
        if outlook.forecast.is_some() && !unknown.is_empty() {
            said.push(format!(
                "No claim in {code} ever waited after the steps {}: it is taken that people answer \
                 them as they answer the others.",
                unknown.join(", ")
            ));
        }
    }
    said.push(
        "Debtors without a past are taken for the average of those who stand where they stand."
            .to_owned(),
    );
    said.push(
        "Not in it: invoices to come, payments in parts, money that an agency brings, interest, what \
         persons decide. Disputes, holds, promises and plans to come are in the money as often as they \
         were, but the messages that they put off are not."
            .to_owned(),
    );
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_by_thousands() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(0), "0");
        assert_eq!(money(Decimal::new(-12_345_670, 2)), "-123,456.70");
        assert_eq!(money(Decimal::new(999, 0)), "999");
    }

    #[test]
    fn a_range_without_width_is_one_figure() {
        let band = |low, high| Band { low, middle: low, high };
        assert_eq!(range(&band(3, 3), number), "3");
        assert_eq!(range(&band(3, 1_000), number), "3 to 1,000");
    }
}

//! Two policies over the same history, side by side.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};
use kulanz_domain::{
    ids::{AccountId, InvoiceId, StepName},
    money::Decimal,
};
use kulanz_engine::backtest::{Course, Figures, History, Options as Play, Outcome};
use kulanz_policies::{Creditors, LoadedPolicy};
use serde_json::{Value, json};

use super::{Options, complain, gather, made, rules, write_timeline};
use crate::progress;

/// What no back-test can know.
const CANNOT_KNOW: &str = "\
What this cannot know: people paid, promised and disagreed under what they were told in truth. Under \
another policy they may have done so sooner, later or not at all. So it says who would have heard what \
when, not who would have paid: do not read paid or outstanding amounts as an effect of a policy.";

/// A policy with the creditors beside it.
type Loaded = (Creditors, LoadedPolicy);

/// One side of the comparison.
struct Side {
    name: String,
    outcome: Outcome,
    figures: Figures,
}

/// A line of the comparison.
struct Row {
    what: String,
    unit: &'static str,
    a: Option<Decimal>,
    b: Option<Decimal>,
}

/// A claim with its course by each policy.
type Differing<'a> = (&'a AccountId, &'a InvoiceId, &'a Course, &'a Course);

/// Plays both, prints them side by side and writes what differs.
pub fn run(options: &Options, a: Loaded, b: Loaded) -> Result<()> {
    let (one, other) = (&a.1.policy, &b.1.policy);
    if one.creditor != other.creditor || one.currency != other.currency {
        bail!(
            "{} is for {} in {}, {} for {} in {}: only policies for the same claims can be compared",
            called(&a.1),
            one.creditor,
            one.currency.code(),
            called(&b.1),
            other.creditor,
            other.currency.code()
        );
    }
    if a.1.hash_full == b.1.hash_full {
        bail!("{} and {} are the same policy", a.1.dir.display(), b.1.dir.display());
    }
    let (history, broken) = gather(options, &a.0)?;
    let first = play(options, history.clone(), &a)?;
    let second = play(options, history, &b)?;
    let differing = differing(&first.figures, &second.figures);
    let rows = rows(&first, &second);
    let all = as_value(&first, &second, &rows, differing.len())?;
    if let Some(out) = &options.out {
        made(out)?;
        write_timeline(&first.outcome, &out.join("timeline-a.csv"))?;
        write_timeline(&second.outcome, &out.join("timeline-b.csv"))?;
        write_difference(&differing, &out.join("difference.csv"))?;
        let file = out.join("comparison.json");
        let text = serde_json::to_string_pretty(&all)?;
        fs::write(&file, format!("{text}\n")).with_context(|| file.display().to_string())?;
    }
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&all)?),
        false => print(options, (&first, &second), &rows, differing.len()),
    }
    let rejected = [&first.outcome.rejected, &second.outcome.rejected];
    let most = rejected.into_iter().max_by_key(|one| one.len());
    complain(broken, most.map_or(&[], Vec::as_slice))
}

fn called(policy: &LoadedPolicy) -> String {
    let reference = &policy.policy.reference;
    format!("{} version {} ({})", reference.name, reference.version, reference.hash)
}

fn play(options: &Options, history: History, loaded: &Loaded) -> Result<Side> {
    let (creditors, policy) = loaded;
    let bar = progress::things(history.len() as u64, "events");
    let settings = Play { until: options.until, threads: None };
    let shared = rules(creditors, policy);
    let mut outcome = history.play_courses(&shared, &settings, |count| bar.inc(count as u64));
    bar.finish_and_clear();
    let figures = outcome.figures.take().context("the courses were not kept")?;
    Ok(Side { name: called(policy), outcome, figures })
}

/// Claims whose course is another one, by account and claim.
fn differing<'a>(a: &'a Figures, b: &'a Figures) -> Vec<Differing<'a>> {
    static NOTHING: Course = Course(Vec::new());
    let claims: BTreeSet<_> = a.courses.keys().chain(b.courses.keys()).collect();
    let both = claims.into_iter().map(|key| {
        let by = |figures: &'a Figures| figures.courses.get(key).unwrap_or(&NOTHING);
        (&key.0, &key.1, by(a), by(b))
    });
    both.filter(|(_, _, a, b)| a != b).collect()
}

fn rows(a: &Side, b: &Side) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |what: String, unit, a: Option<Decimal>, b: Option<Decimal>| {
        rows.push(Row { what, unit, a, b });
    };
    let number = |number: u64| Some(Decimal::from(number));
    let (of_a, of_b) = (&a.outcome.summary, &b.outcome.summary);
    let steps: BTreeSet<&StepName> = of_a.steps.keys().chain(of_b.steps.keys()).collect();
    for step in &steps {
        let claims =
            |side: &Side| Some(side.outcome.summary.steps.get(*step).copied().unwrap_or(0).into());
        row(format!("claims that got `{step}`"), "claims", claims(a), claims(b));
    }
    let days = [a.figures.median_days(), b.figures.median_days()];
    for step in &steps {
        let [in_a, in_b] = days.each_ref().map(|days| days.get(*step).copied());
        if in_a.is_some() || in_b.is_some() {
            row(format!("days from due to `{step}`, median"), "days", in_a, in_b);
        }
    }
    let channels = a.figures.messages.keys().chain(b.figures.messages.keys());
    for channel in channels.copied().collect::<BTreeSet<_>>() {
        let sent = |side: &Side| side.figures.messages.get(&channel).copied().unwrap_or(0);
        let what = format!("messages by {}", channel.name());
        row(what, "messages", number(sent(a)), number(sent(b)));
    }
    let (in_a, in_b) = (a.figures.messages_in_all(), b.figures.messages_in_all());
    row("messages in all".into(), "messages", number(in_a), number(in_b));
    let (in_a, in_b) = (a.figures.people_contacted, b.figures.people_contacted);
    row("people contacted".into(), "people", number(in_a), number(in_b));
    let (in_a, in_b) = (a.figures.messages_a_person(), b.figures.messages_a_person());
    row("messages for each of them".into(), "messages", in_a, in_b);
    row("placements".into(), "placements", number(of_a.placements), number(of_b.placements));
    let (in_a, in_b) = (number(of_a.handoffs_due), number(of_b.handoffs_due));
    row("handoffs that lack a field".into(), "placements", in_a, in_b);
    for (name, of) in [
        ("fees charged", (&a.figures.fees_charged, &b.figures.fees_charged)),
        ("interest accrued", (&a.figures.interest_charged, &b.figures.interest_charged)),
    ] {
        for code in of.0.keys().chain(of.1.keys()).collect::<BTreeSet<_>>() {
            let amount = |sums: &std::collections::BTreeMap<String, Decimal>| {
                Some(sums.get(code).copied().unwrap_or_default())
            };
            row(format!("{name}, {code}"), "money", amount(of.0), amount(of.1));
        }
    }
    rows
}

impl Row {
    /// What B has more than A.
    fn difference(&self) -> Option<Decimal> {
        self.a.zip(self.b).map(|(a, b)| b - a)
    }
}

fn as_value(a: &Side, b: &Side, rows: &[Row], differing: usize) -> Result<Value> {
    let side = |side: &Side| -> Result<Value> {
        let figures = &side.figures;
        Ok(json!({
            "policy": side.name,
            "summary": serde_json::to_value(&side.outcome.summary)?,
            "messages": figures.messages,
            "messages_in_all": figures.messages_in_all(),
            "people_contacted": figures.people_contacted,
            "messages_a_person": figures.messages_a_person(),
            "fees_charged": figures.fees_charged,
            "interest_charged": figures.interest_charged,
            "median_days_from_due": figures.median_days(),
        }))
    };
    let rows = rows.iter().map(|row| {
        json!({ "what": row.what, "unit": row.unit, "a": row.a, "b": row.b,
                "difference": row.difference() })
    });
    Ok(json!({
        "a": side(a)?, "b": side(b)?, "rows": rows.collect::<Vec<_>>(),
        "claims_whose_course_differs": differing, "cannot_know": CANNOT_KNOW,
    }))
}

fn print(options: &Options, (a, b): (&Side, &Side), rows: &[Row], differing: usize) {
    println!("A  {}\nB  {}\n", a.name, b.name);
    let summary = &a.outcome.summary;
    println!(
        "{} events, {} accounts, {} claims, the same for both\n",
        summary.events, summary.accounts, summary.claims
    );
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    println!("  {:<width$} {:>14} {:>14} {:>14}", "", "A", "B", "B less A");
    let shown = |value: Option<Decimal>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
    for row in rows {
        let difference = row.difference().map_or_else(String::new, |more| match more {
            more if more.is_zero() => "=".to_owned(),
            more if more.is_sign_positive() => format!("+{more}"),
            more => more.to_string(),
        });
        let (in_a, in_b) = (shown(row.a), shown(row.b));
        println!("  {:<width$} {in_a:>14} {in_b:>14} {difference:>14}", row.what);
    }
    println!("\n  {differing} of {} claims take another course", summary.claims);
    println!("\n{CANNOT_KNOW}");
    if let Some(out) = &options.out {
        println!(
            "\n{}: timeline-a.csv, timeline-b.csv, difference.csv, comparison.json",
            out.display()
        );
    }
}

/// Claims whose course differs, with both courses (RFC 4180).
fn write_difference(differing: &[Differing<'_>], file: &Path) -> Result<()> {
    let created = fs::File::create(file).with_context(|| file.display().to_string())?;
    let mut to = BufWriter::new(created);
    let mut write = || -> std::io::Result<()> {
        to.write_all(b"account,claim,course_a,course_b\r\n")?;
        for (account, invoice, a, b) in differing {
            // Ids, days and names of steps: none of them has a comma or a quote.
            write!(to, "{account},{invoice},{a},{b}\r\n")?;
        }
        to.flush()
    };
    write().with_context(|| file.display().to_string())
}

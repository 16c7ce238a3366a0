//! `kulanz override set|list|lift`: what a person decides differently for one account or claim.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use kulanz_domain::{
    fact::{Channel, PayWith},
    ids::*,
    money::Decimal,
    overrides::{Charges, Override, OverrideTerms},
};
use serde_json::{Value, json};

use crate::{
    account,
    cli::By,
    client,
    house::{Places, machine_day},
    orders::Order,
};

/// What there is.
#[derive(Debug, Subcommand)]
pub enum Overrides {
    /// Decide differently for an account, or with --invoice for one claim
    #[command(after_help = "Of each thing the claim's override counts before the account's, and \
                            that before the policy. The law wins over all of them.\n\nExamples:\n  \
                            kulanz override set lindenmoor/K-1 --persona careful --until \
                            2027-03-31 --reason \"asked for more time on the phone\" --as ada\n  \
                            kulanz override set lindenmoor/K-1 --invoice R-1 --no-further-than \
                            reminder --fees none --reason \"our delivery was late\" --as ada")]
    Set(Box<Set>),
    /// What holds, with its reasons; those that are over too with --all
    List {
        /// creditor/debtor
        account: AccountId,
        /// Those that are over too
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take one back: from today on the policy decides again
    Lift {
        /// creditor/debtor
        account: AccountId,
        /// The override
        id: OverrideId,
        #[command(flatten)]
        by: By,
    },
}

/// An override to be set.
#[derive(Debug, Args)]
pub struct Set {
    /// creditor/debtor
    account: AccountId,
    /// Only this claim
    #[arg(long)]
    invoice: Option<InvoiceId>,
    /// Speak to the debtor as this persona
    #[arg(long)]
    persona: Option<PersonaName>,
    /// Language of messages
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Channels in order, and no others: email,sms,letter
    #[arg(long, value_delimiter = ',', value_parser = word::<Channel>)]
    channels: Option<Vec<Channel>>,
    /// Ways to pay in order: transfer,card,paypal,sepa_debit
    #[arg(long, value_delimiter = ',', value_parser = word::<PayWith>)]
    pay_with: Option<Vec<PayWith>>,
    /// Multiply waits after the due date by this; 2 waits twice as long
    #[arg(long)]
    pace: Option<Decimal>,
    /// `none`: steps charge nothing; `policy`: as the policy says, whatever the account has
    #[arg(long, value_parser = word::<Charges>, value_name = "none|policy")]
    fees: Option<Charges>,
    /// `none`: no interest runs from today on; `policy`: as the policy says
    #[arg(long, value_parser = word::<Charges>, value_name = "none|policy")]
    interest: Option<Charges>,
    /// Below this a claim is shown, not dunned
    #[arg(long, value_name = "AMOUNT")]
    minimum: Option<Decimal>,
    /// No step above this one is taken
    #[arg(long, value_name = "STEP")]
    no_further_than: Option<StepName>,
    /// Last day; until it is lifted where left out
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    until: Option<Date>,
    /// Why; kept sealed
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    by: By,
}

/// A word as it is stored.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| {
        let error = error.to_string();
        match error.split_once("expected ") {
            Some((_, known)) => format!("expected {known}"),
            None => error,
        }
    })
}

/// Runs a command.
pub async fn run(places: &Places, command: Overrides) -> Result<()> {
    match command {
        Overrides::Set(set) => {
            let Set { account, invoice, until, reason, by, .. } = *set;
            if reason.trim().is_empty() {
                bail!("--reason says why, for whoever looks at the account next");
            }
            let terms = OverrideTerms {
                persona: set.persona,
                language: set.language,
                channels: set.channels,
                pay_with: set.pay_with,
                pace: set.pace,
                fees: set.fees,
                interest: set.interest,
                minimum: set.minimum,
                no_further_than: set.no_further_than,
            };
            let terms = Box::new(terms);
            let order = Order::SetOverride { account, invoice, terms, until, reason };
            client::give(places, order, by.into()).await
        }
        Overrides::Lift { account, id, by } => {
            client::give(places, Order::LiftOverride { account, id }, by.into()).await
        }
        Overrides::List { account, all, json } => list(places, &account, all, json).await,
    }
}

/// The slot in which the reason of an override is sealed.
pub fn slot(id: &OverrideId) -> String {
    format!("override/{id}")
}

async fn list(places: &Places, id: &AccountId, all: bool, as_json: bool) -> Result<()> {
    let opened = account::open(places, id).await?;
    let secrets = account::secrets(places, id, &opened).await?;
    let today = machine_day();
    let shown = opened.account.overrides.iter().filter(|one| all || one.holds_on(today));
    let rows: Vec<(&Override, Option<&str>)> = shown
        .map(|one| (one, secrets.get(&slot(&one.id)).and_then(|kept| kept["reason"].as_str())))
        .collect();
    if as_json {
        let rows = rows.iter().map(|(one, reason)| {
            let mut row = serde_json::to_value(one)?;
            row["reason"] = json!(reason);
            row["holds"] = json!(one.holds_on(today));
            Ok(row)
        });
        let rows = rows.collect::<Result<Vec<Value>>>().context("an override as JSON")?;
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if rows.is_empty() {
        println!("nothing is overridden; the policy decides");
    }
    for (one, reason) in rows {
        let over = if one.holds_on(today) { "" } else { "  (over)" };
        println!("{}  {}{over}", one.id, said(one));
        println!("    by {} on {}: {}", one.by, one.on, reason.unwrap_or("(no reason on file)"));
    }
    Ok(())
}

/// `R-1: no further than reminder, no fees; until 2027-03-31`.
pub fn said(one: &Override) -> String {
    let terms = &one.terms;
    let list = |all: Vec<String>| all.join(", ");
    let mut said = Vec::new();
    said.extend(terms.persona.as_ref().map(|persona| format!("persona {persona}")));
    said.extend(terms.language.as_ref().map(|language| format!("in {language}")));
    said.extend(
        terms.channels.as_ref().map(|all| {
            format!("by {}", list(all.iter().map(|one| one.name().to_owned()).collect()))
        }),
    );
    said.extend(
        terms
            .pay_with
            .as_ref()
            .map(|all| format!("pay with {}", list(all.iter().map(stored).collect()))),
    );
    said.extend(terms.pace.map(|pace| format!("pace {pace}")));
    let charges = [("fees", terms.fees), ("interest", terms.interest)];
    said.extend(charges.into_iter().filter_map(|(what, charges)| {
        Some(match charges? {
            Charges::None => format!("no {what}"),
            Charges::Policy => format!("{what} as the policy says"),
        })
    }));
    said.extend(terms.minimum.map(|minimum| format!("minimum {minimum}")));
    said.extend(terms.no_further_than.as_ref().map(|step| format!("no further than {step}")));
    let of = one.invoice.as_ref().map_or("account".to_owned(), ToString::to_string);
    let until = one.until.map_or_else(String::new, |until| format!("; until {until}"));
    let lifted = one.lifted_on.map_or_else(String::new, |on| format!("; lifted on {on}"));
    format!("{of}: {}{until}{lifted}", said.join(", "))
}

/// The word that a value is stored as.
fn stored(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

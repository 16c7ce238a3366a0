//! Commands and their help texts.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand};
use jiff::civil::Date;
use kulanz_domain::{
    fact::Part,
    ids::*,
    money::{Decimal, currency},
};
use kulanz_engine::{Mode, clock::Clock};

use crate::{
    account, backtest, backup, book, brake, client, data, demo, doctor, experiment, explain,
    handoff,
    house::{self, House, Places},
    import, kafka, law, letters, moving,
    orders::Order,
    outbox,
    overrides::{self, Overrides},
    plan, policy, policy_test, preview,
    serve::Running,
    settings::{self, Settings},
    simulate, starter, statement,
    telemetry::{self, Telemetry},
    token, typed, webhooks,
};

/// Dunning and collections that treat debtors with respect.
#[derive(Debug, Parser)]
#[command(name = "kulanz", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// Data folder
    #[arg(
        long,
        global = true,
        env = "KULANZ_DATA",
        default_value = "kulanz-data",
        value_name = "DIR"
    )]
    data: PathBuf,
    /// Folder with `policies/` and, if there is one, `kulanz.yaml`
    #[arg(long, global = true, env = "KULANZ_CONFIG", default_value = ".", value_name = "DIR")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  kulanz demo                             an invented shop, some months of it, then a live server
  kulanz serve                            events in at http://127.0.0.1:8080/v1/events
  kulanz import history.ndjson.gz         record a history; nobody is contacted
  kulanz policy check                     what is wrong with the policies, with line and column
  kulanz policy plan policies/shop-b2c    what a changed policy would change on the live book
  kulanz policy simulate                  what the book's past lets expect of the next 90 days
  kulanz policy explain lindenmoor/K-1    why the last step, why not the next, when next
  kulanz account timeline lindenmoor/K-1  all that happened

Logs go to the standard error; KULANZ_LOG=debug says more.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an invented shop over some months of a virtual clock, then serve it
    #[command(after_help = "Examples:\n  kulanz demo\n  kulanz demo --exit --json")]
    Demo(demo::Options),
    /// Take events, contact debtors, serve their pages
    #[command(
        after_help = "Examples:\n  kulanz serve\n  kulanz serve --listen 127.0.0.1:9000 --data \
                      /var/lib/kulanz\n\nBeyond this machine a token guards it: see `kulanz token \
                      create --help`."
    )]
    Serve {
        /// Address to listen on, an IP address and a port
        #[arg(long, env = "KULANZ_LISTEN", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// Record event files (NDJSON, plain, .gz or .zst); nobody is contacted
    #[command(after_help = "Examples:\n  kulanz import 2024.ndjson.gz 2025.ndjson.zst\n  zcat \
                            x.gz | kulanz import -")]
    Import {
        /// Files in any order; `-` is the standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print the counts as JSON
        #[arg(long)]
        json: bool,
    },
    /// Check event files against the contract
    #[command(subcommand)]
    Events(Events),
    /// Totals of the live book
    Book {
        /// Print JSON, with the members of a back-test's
        #[arg(long)]
        json: bool,
    },
    /// Look at accounts and change them
    #[command(subcommand)]
    Account(Box<Accounts>),
    /// Decide differently for one account or one claim
    #[command(subcommand)]
    Override(Overrides),
    /// Messages that a person has to look at
    #[command(subcommand)]
    Outbox(Outbox),
    /// Inbound events that could not be taken
    #[command(subcommand)]
    DeadLetters(letters::Letters),
    /// Placements at collection agencies
    #[command(subcommand)]
    Handoff(Handoffs),
    /// What waits for a person
    Work {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Topics of the Kafka cluster that kulanz.yaml names
    #[command(subcommand)]
    Topics(kafka::Topics),
    /// Limits on how many messages leave, and what waits since one was reached
    #[command(after_help = brake::EXAMPLES, args_conflicts_with_subcommands = true)]
    Brake {
        #[command(subcommand)]
        command: Option<brake::Brakes>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tokens for the HTTP side and for persons
    #[command(subcommand)]
    Token(token::Tokens),
    /// Webhooks: where events of accounts are sent to
    #[command(subcommand)]
    Webhooks(Webhooks),
    /// Creditor files
    #[command(subcommand)]
    Creditor(Creditors),
    /// Policy files
    #[command(subcommand)]
    Policy(Policies),
    /// What policies try on a share of the accounts
    #[command(subcommand)]
    Experiment(Experiments),
    /// The law that Kulanz keeps: ask it, check it
    #[command(subcommand)]
    Law(law::Law),
    /// What a policy would have done over a history, alone or beside another one
    #[command(after_help = backtest::EXAMPLES)]
    Backtest(backtest::Options),
    /// Compute the read side again from the events
    Rebuild {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Settings: kulanz.yaml and the environment
    #[command(subcommand)]
    Config(settings::Config),
    /// Check configuration, policies and data
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy the data folder's database, also while a server works on it
    #[command(after_help = "Example:\n  kulanz backup /backup/kulanz-$(date +%F)")]
    Backup(backup::Options),
    /// Move the data folder's data into the database that kulanz.yaml names
    #[command(after_help = moving::EXAMPLES)]
    Move(moving::Options),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  kulanz completions bash > \
                            ~/.local/share/bash-completion/completions/kulanz")]
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Events {
    /// Check files; nothing is recorded
    #[command(after_help = "Example:\n  kulanz events check today.ndjson")]
    Check {
        /// Files; `-` is the standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Who gives an order.
#[derive(Debug, Clone, Args)]
pub struct By {
    /// Your name, for the log
    #[arg(long = "as", value_name = "NAME", env = "KULANZ_PERSON", value_parser = typed::person)]
    person: Option<String>,
    /// Your token (`kulanz token create`); needed once there are any
    #[arg(long, env = "KULANZ_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl From<By> for client::Giver {
    fn from(by: By) -> Self {
        Self { person: by.person, token: by.token, as_json: by.json }
    }
}

#[derive(Debug, Subcommand)]
enum Accounts {
    /// What is owed, and how things stand
    Show {
        /// creditor/debtor
        account: AccountId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Each line that makes up what is owed: invoices, fees, interest by the day, payments
    #[command(
        after_help = "Examples:\n  kulanz account statement lindenmoor/K-1\n  kulanz account \
                            statement lindenmoor/K-1 --as-of 2026-06-30 --json\n\nThe lines of a \
                            claim add up to what is open of it. A day in the past is told by what \
                            is known today."
    )]
    Statement {
        /// creditor/debtor
        account: AccountId,
        /// The day, also one in the past or to come; today where left out
        #[arg(long, value_name = "DATE", value_parser = typed::day)]
        as_of: Option<Date>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// All that happened
    Timeline {
        /// creditor/debtor
        account: AccountId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// All that is stored of a person (Art. 15 GDPR), personal data included
    Export {
        /// creditor/debtor
        account: AccountId,
    },
    /// Stop dunning
    #[command(after_help = "Example:\n  kulanz account hold lindenmoor/K-1 --until 2026-12-24 \
                            --reason 'called, is in hospital' --as ada")]
    Hold {
        /// creditor/debtor
        account: AccountId,
        /// Only this claim
        #[arg(long)]
        invoice: Option<InvoiceId>,
        /// Last day
        #[arg(long, value_name = "DATE", value_parser = typed::day)]
        until: Option<Date>,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
    },
    /// End a hold, or let a claim enter the ladder that was old or that a minor made
    #[command(after_help = "Examples:\n  kulanz account release lindenmoor/K-1 --hold \
                            H-mfy4jsnj8t --as ada\n  kulanz account release lindenmoor/K-1 \
                            --claim R-1 --as ada\n\n`kulanz account show` names holds, `kulanz \
                            work` the claims that wait.")]
    Release {
        /// creditor/debtor
        account: AccountId,
        /// The hold
        #[arg(long)]
        hold: Option<HoldId>,
        /// The claim that was old, or that a minor made
        #[arg(long)]
        claim: Option<InvoiceId>,
        #[command(flatten)]
        by: By,
    },
    /// Give up a part of a claim for good
    #[command(after_help = "Example:\n  kulanz account waive lindenmoor/K-1 --invoice R-1 --part \
                            fees --reason 'our delivery was late' --as ada")]
    Waive(GiveUp),
    /// Give up a part of a claim for the books
    #[command(after_help = "Example:\n  kulanz account write-off lindenmoor/K-1 --invoice R-1 \
                            --reason 'moved away, address unknown' --as ada")]
    WriteOff(GiveUp),
    /// Agree with the debtor on a day
    #[command(after_help = "Example:\n  kulanz account promise lindenmoor/K-1 --until 2026-12-24 \
                            --as ada")]
    Promise {
        /// creditor/debtor
        account: AccountId,
        /// Last day
        #[arg(long, value_name = "DATE", value_parser = typed::day)]
        until: Date,
        #[command(flatten)]
        by: By,
    },
    /// Agree on instalments
    #[command(after_help = "Example:\n  kulanz account plan lindenmoor/K-1 --rate \
                            2026-12-01=30.00 --rate 2027-01-01=30.00 --as ada")]
    Plan {
        /// creditor/debtor
        account: AccountId,
        /// Day and amount of a rate, as often as there are rates
        #[arg(long = "rate", required = true, value_name = "DAY=AMOUNT")]
        rates: Vec<String>,
        /// Currency
        #[arg(long, default_value = "EUR")]
        currency: String,
        #[command(flatten)]
        by: By,
    },
    /// Destroy the account's key and our copies of placements (Art. 17 GDPR): cannot be undone
    #[command(after_help = "Example:\n  kulanz account erase lindenmoor/K-1 --yes --as ada")]
    Erase {
        /// creditor/debtor
        account: AccountId,
        /// Yes, for good
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
struct GiveUp {
    /// creditor/debtor
    account: AccountId,
    /// Claim
    #[arg(long)]
    invoice: InvoiceId,
    /// Amount; all that is open where left out
    #[arg(long, value_parser = typed::amount, allow_negative_numbers = true)]
    amount: Option<Decimal>,
    /// Only this part: principal, fees or interest
    #[arg(long, value_parser = typed::part)]
    part: Option<Part>,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    by: By,
}

#[derive(Debug, Subcommand)]
enum Outbox {
    /// Messages, newest first; those that a person has to look at with --stuck
    List {
        /// Only parked ones and those of unknown outcome
        #[arg(long)]
        stuck: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// A stuck message was sent after all
    Sent {
        /// Message
        notice: NoticeId,
        #[command(flatten)]
        by: By,
    },
    /// A stuck message was not sent: the account decides again
    NotSent {
        /// Message
        notice: NoticeId,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Subcommand)]
enum Handoffs {
    /// Placements that wait, lack something, or are out
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Agree to a placement; four eyes means two persons
    #[command(after_help = "Example:\n  kulanz handoff release P-0123456789abcdef-7-0 --token \
                            $ADAS_TOKEN")]
    Release {
        /// Placement
        placement: PlacementId,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Subcommand)]
enum Webhooks {
    /// Where each stands
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Try one again at once, also where it was parked
    Retry {
        /// Its name in kulanz.yaml
        name: String,
        #[command(flatten)]
        by: By,
    },
    /// Send an event that says nothing, to see whether the other side takes it
    SendTest {
        /// Its name in kulanz.yaml
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum Creditors {
    /// Check creditor files
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Experiments {
    /// What came of it in each arm: money, days to pay, 95 % intervals
    #[command(after_help = experiment::EXAMPLES)]
    Report(experiment::Options),
}

#[derive(Debug, Subcommand)]
enum Policies {
    /// Make a policy to begin with: a ladder, its texts, a story, and a creditor file to fill in
    #[command(after_help = "Examples:\n  kulanz policy new my-shop --creditor my-shop\n  kulanz \
                            policy new my-shop-chf --creditor my-shop --currency CHF")]
    New(starter::New),
    /// Check policies: files, conditions, texts, law; exit 1 where there is an error
    ///
    /// Where there are data, languages without texts are told, with the number of debtors who owe
    /// something and read them.
    #[command(after_help = "Examples:\n  kulanz policy check\n  kulanz policy check \
                            policies/shop-b2c\n  kulanz policy check --data /var/lib/kulanz")]
    Check(policy::Check),
    /// Look at the messages of a policy as debtors would get them; nothing is sent
    #[command(after_help = preview::EXAMPLES)]
    Preview(preview::Options),
    /// Play the stories of policies; exit 1 where one fails
    #[command(after_help = "Examples:\n  kulanz policy test\n  kulanz policy test \
                            policies/shop-b2c --require-tests\n  kulanz policy test --filter \
                            holiday --json\n  kulanz policy test --junit report.xml\n\nA line \
                            of a difference that begins with `-` was expected and did not happen; \
                            with `+` it happened unexpectedly; with `!` it cannot be.")]
    Test(policy_test::Options),
    /// What a policy would change on the live book; exit 0: nothing, 2: something
    #[command(after_help = plan::EXAMPLES)]
    Plan(plan::Options),
    /// Put a planned policy in force, from the next start of the server on
    #[command(after_help = plan::APPLY_EXAMPLES)]
    Apply {
        /// The plan's id, or its file
        plan: String,
        /// How far a fresh plan may differ, in percent of the messages
        #[arg(long, default_value = "2%", value_parser = plan::percent, value_name = "PERCENT")]
        tolerance: Decimal,
        #[command(flatten)]
        by: By,
    },
    /// The live book some days ahead, with payments drawn from its own past, and how good that is
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(simulate::Options),
    /// Why the last step, why not the next, when next; for any moment
    #[command(after_help = explain::EXAMPLES)]
    Explain {
        /// creditor/debtor
        account: AccountId,
        /// A moment of the past or to come, or a message's id; now where left out
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Cli {
    /// Logs to the standard error; of a server metrics and traces too, as its settings say.
    pub fn telemetry(&self) -> Result<Telemetry> {
        if !matches!(self.command, Command::Serve { .. }) {
            telemetry::logs_only("warn", telemetry::LogFormat::Text);
            return Ok(Telemetry::default());
        }
        let settings = Settings::read(&self.config)?.telemetry;
        telemetry::start("info", &settings)
    }
}

/// Runs a command.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    let places = Places { config: cli.config, data: cli.data };
    match cli.command {
        Command::Demo(options) => {
            let data = places.data.join("demo");
            demo::run(Places { data, ..places }, options).await?;
        }
        Command::Serve { listen } => {
            crate::tell_panics_by_place();
            let house = House::open(places, Clock::wall(), Mode::Serving).await?;
            let from = data::place(&house.places.data, &house.settings);
            let running = Running::new(house, listen).await?;
            eprintln!("kulanz serves {} from {from}", running.url());
            running.serve().await?;
        }
        Command::Import { files, json } => return import::run(places, files, json).await,
        Command::Events(Events::Check { files, json }) => {
            return import::check(&places, &files, json);
        }
        Command::Book { json } => {
            let store = data::read(&places).await?;
            let totals = book::totals(&*store, house::machine_day()).await?;
            match json {
                true => println!("{}", serde_json::to_string_pretty(&totals)?),
                false => book::print(&totals),
            }
        }
        Command::Account(command) => accounts(&places, *command).await?,
        Command::Override(command) => overrides::run(&places, command).await?,
        Command::Outbox(command) => outboxes(&places, command).await?,
        Command::DeadLetters(command) => letters::run(&places, command).await?,
        Command::Handoff(command) => match command {
            Handoffs::List { json } => {
                handoff::list(&*data::read(&places).await?, json).await?;
            }
            Handoffs::Release { placement, by } => {
                let store = data::read(&places).await?;
                let account = handoff::account_of(&*store, &placement).await?;
                drop(store);
                order(&places, Order::ReleasePlacement { account, placement }, by).await?;
            }
        },
        Command::Work { json } => {
            outbox::work(&*data::read(&places).await?, json).await?;
        }
        Command::Topics(command) => return kafka::topics_command(&places, &command).await,
        Command::Brake { command, json } => brake::run(&places, command, json).await?,
        Command::Token(command) => token::run(&places, command).await?,
        Command::Webhooks(command) => match command {
            Webhooks::List { json } => webhooks::list(&places, json).await?,
            Webhooks::Retry { name, by } => {
                order(&places, Order::RetryWebhook { name }, by).await?;
            }
            Webhooks::SendTest { name } => webhooks::send_test(&places, &name).await?,
        },
        Command::Creditor(Creditors::Check { json }) => {
            return policy::check_creditors(&places, json);
        }
        Command::Policy(command) => match command {
            Policies::New(options) => return starter::new(&places, &options),
            Policies::Check(options) => return policy::check(&places, &options).await,
            Policies::Preview(options) => preview::run(&places, &options)?,
            Policies::Test(options) => return policy_test::run(&places, &options),
            Policies::Plan(options) => return plan::run(&places, &options).await,
            Policies::Apply { plan, tolerance, by } => {
                return plan::apply(&places, &plan, tolerance, by.into()).await;
            }
            Policies::Simulate(options) => return simulate::run(&places, &options).await,
            Policies::Explain { account, at, json } => {
                explain::run(&places, &account, at.as_deref(), json).await?;
            }
        },
        Command::Experiment(Experiments::Report(options)) => {
            experiment::report(&places, &options).await?;
        }
        Command::Law(command) => return law::run(&places.data, &command),
        Command::Backtest(options) => backtest::run(&places, &options)?,
        Command::Rebuild { json } => doctor::rebuild(&places, json).await?,
        Command::Backup(options) => return backup::run(&places, &options).await,
        Command::Move(options) => return moving::run(&places, &options).await,
        Command::Config(command) => return settings::run(&places, &command),
        Command::Doctor { json } => return doctor::run(&places, json).await,
        Command::Completions { shell } => {
            // Printed by `print!`: whoever reads only its beginning is told of no fault.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "kulanz", &mut script);
            print!("{}", String::from_utf8_lossy(&script));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn order(places: &Places, order: Order, by: By) -> Result<()> {
    client::give(places, order, by.into()).await
}

async fn accounts(places: &Places, command: Accounts) -> Result<()> {
    match command {
        Accounts::Show { account, json } => account::show(places, &account, json).await,
        Accounts::Statement { account, as_of, json } => {
            statement::run(places, &account, as_of, json).await
        }
        Accounts::Timeline { account, json } => account::timeline(places, &account, json).await,
        Accounts::Export { account } => account::export(places, &account).await,
        Accounts::Hold { account, invoice, until, reason, by } => {
            order(places, Order::Hold { account, invoice, until, reason }, by).await
        }
        Accounts::Release { account, hold, claim, by } => {
            order(places, Order::Release { account, hold, claim }, by).await
        }
        Accounts::Waive(given) => give_up(places, given, false).await,
        Accounts::WriteOff(given) => give_up(places, given, true).await,
        Accounts::Promise { account, until, by } => {
            order(places, Order::Promise { account, until }, by).await
        }
        Accounts::Plan { account, rates, currency: code, by } => {
            let currency = currency(&code)?;
            let rates = rates.iter().map(|text| account::rate(text, currency));
            let rates = rates.collect::<Result<Vec<_>>>()?;
            order(places, Order::Plan { account, currency, rates }, by).await
        }
        Accounts::Erase { account, yes, by } => {
            if !yes {
                anyhow::bail!(
                    "this destroys the key of {account}: name, addresses, messages and free texts \
                     cannot be read by anybody any more. Add --yes to do it"
                );
            }
            order(places, Order::Erase { account }, by).await
        }
    }
}

async fn give_up(places: &Places, given: GiveUp, write_off: bool) -> Result<()> {
    let GiveUp { account, invoice, amount, part, reason, by } = given;
    let asked = Order::GiveUp { account, invoice, amount, part, reason, write_off };
    order(places, asked, by).await
}

async fn outboxes(places: &Places, command: Outbox) -> Result<()> {
    match command {
        Outbox::List { stuck, json } => {
            outbox::list(&*data::read(places).await?, stuck, json).await
        }
        Outbox::Sent { notice, by } => {
            let account = outbox::account_of(places, &notice).await?;
            order(places, Order::NoticeWasSent { account, notice }, by).await
        }
        Outbox::NotSent { notice, by } => {
            let account = outbox::account_of(places, &notice).await?;
            order(places, Order::NoticeWasNotSent { account, notice }, by).await
        }
    }
}

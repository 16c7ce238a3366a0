//! Policy and creditor files: read, checked with places and advice, and compiled into what
//! [`kulanz_domain::policy`] evaluates.
//!
//! [`load`] reads a folder of policies, [`check`] says all that is wrong with it or could be meant
//! otherwise, [`compile_condition`] turns CEL into a closure over exact decimals. The file formats
//! are published as JSON Schemas ([`policy_schema`], [`creditor_schema`]).
//!
//! Texts are found and counted here, rendered elsewhere. The law's limits are named here for the
//! reader; they are kept, whatever a file says, where fees and contacts are decided.

mod check;
mod compile;
mod condition;
mod context;
mod creditor;
mod diagnostic;
mod file;
mod load;
mod look;
mod registered;
mod schema;
mod story;
mod templates;
mod yaml;

pub use self::{
    compile::parse_moment,
    condition::{ConditionError, DEEPEST, LARGEST, LONGEST, MOST, Scope, compile_condition},
    creditor::{Address, Agency, Counselling, CreditorFile, EmailSender, Support},
    diagnostic::{Diagnostic, Severity, nearest},
    load::{
        Checked, Creditors, Findings, Loaded, LoadedPolicy, check, examine, load, load_creditors,
        load_policy,
    },
    look::{Looked, look},
    registered::{compile_registered, load_registered},
    schema::{creditor_schema, policy_schema, story_schema},
    story::{BrokenStory, Guard, Mark, Row, Story, Uncovered, Verdict, stories, uncovered},
    templates::{Template, TemplateKey, Templates},
};

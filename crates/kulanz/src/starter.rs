//! `kulanz policy new`: a policy to begin with, complete and in order: a ladder of three steps, its
//! texts in German and English, a story, the schemas for the editor; and an empty creditor file,
//! where there is none, for somebody to fill in. Nothing that is there already is touched.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use kulanz_domain::{
    ids::{CreditorId, PolicyName},
    money::{Currency, currency},
};

use crate::house::Places;

/// What `policy new` is asked for.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The policy's name, that of its folder too
    #[arg(value_name = "NAME")]
    name: PolicyName,
    /// Whose claims; a file to fill in is made where there is none of that name
    #[arg(long, value_name = "NAME")]
    creditor: CreditorId,
    /// Currency of the claims
    #[arg(long, default_value = "EUR", value_parser = currency)]
    currency: Currency,
}

const POLICY: &str = include_str!("starter/policy.yaml");
const CREDITOR: &str = include_str!("starter/creditor.yaml");
const STORY: &str = include_str!("starter/story.yaml");

/// The shipped texts in the tone `clear`, as the starter's steps name them.
macro_rules! texts {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../policies/shop-b2c/templates/", $name)))),*]
    };
}
const TEXTS: &[(&str, &str)] = texts![
    "reminder.de.clear.email.hbs" "reminder.de.clear.sms.hbs"
    "reminder.en.clear.email.hbs" "reminder.en.clear.sms.hbs"
    "mahnung.de.clear.email.hbs" "mahnung.de.clear.sms.hbs"
    "mahnung.en.clear.email.hbs" "mahnung.en.clear.sms.hbs"
    "offer.de.clear.email.hbs" "offer.de.clear.sms.hbs"
    "offer.en.clear.email.hbs" "offer.en.clear.sms.hbs"
];

/// What the first line of each file names, so that editors complete and check.
const SCHEMAS: [(&str, &str); 3] = [
    ("policy.schema.json", include_str!("../../../schemas/policy.schema.json")),
    ("creditor.schema.json", include_str!("../../../schemas/creditor.schema.json")),
    ("story.schema.json", include_str!("../../../schemas/story.schema.json")),
];

/// Makes the files and says what comes next.
pub fn new(places: &Places, options: &New) -> Result<ExitCode> {
    let (name, creditor) = (options.name.as_str(), options.creditor.as_str());
    if name == "creditors" {
        bail!("`creditors` is the folder of the creditors' files: choose another name");
    }
    let policies = places.config.join("policies");
    let folder = policies.join(name);
    if folder.exists() {
        bail!("{} is there already: choose another name", folder.display());
    }
    let fill = |text: &str| {
        let text = text.replace("<creditor>", creditor).replace("<name>", name);
        text.replace("<currency>", options.currency.code())
    };
    let mut files = vec![
        (folder.join("policy.yaml"), fill(POLICY)),
        (folder.join("tests/pays-after-the-reminder.yaml"), fill(STORY)),
    ];
    for (text, source) in TEXTS {
        files.push((folder.join("templates").join(text), (*source).to_owned()));
    }
    for (file, text) in files {
        if !write(&file, &text)? {
            bail!("{} is there already: nothing of it was changed", file.display());
        }
    }
    for (file, schema) in SCHEMAS {
        write(&places.config.join("schemas").join(file), schema)?;
    }
    let of_creditor = policies.join("creditors").join(format!("{creditor}.yaml"));
    let made = write(&of_creditor, &fill(CREDITOR))?;

    println!("{}", folder.display());
    println!("  policy.yaml    who hears what, when and how: begin here");
    println!("  templates/     the words, in German and English");
    println!("  tests/         stories that say what must happen");
    if made {
        println!("{}\n  who is owed: fill in what is empty", of_creditor.display());
        // All files hold or none: what a server began with stays, but none begins with this.
        println!(
            "  until that is done no server starts on these files, also not for other creditors"
        );
    }
    println!("\nNext:");
    if made {
        println!("  kulanz creditor check");
    }
    println!("  kulanz policy check");
    println!("  kulanz policy test {}", Path::new("policies").join(name).display());
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that is not there yet; whether it did.
fn write(file: &PathBuf, text: &str) -> Result<bool> {
    let folder = file.parent().context("a file lies in a folder")?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut open) => {
            open.write_all(text.as_bytes())
                .with_context(|| format!("{} cannot be written", file.display()))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("{} cannot be written", file.display())),
    }
}

//! Creditor files: checked, and split into what decisions need
//! ([`kulanz_domain::policy::Creditor`]) and what stands in letters and on pages.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use kulanz_domain::{
    calendar::Region,
    fact::Channel,
    ids::{AgencyId, CreditorId},
    law::rates::{BaseRates, RateTable},
    policy::{Creditor, Law},
};

use crate::{
    context::{Context, short},
    diagnostic::{Diagnostic, Place, Source},
    file::creditor::{AgencyDoc, ChannelsDoc, CreditorDoc, LawDoc, ViaDoc},
    yaml::{self, At},
};

/// A creditor as letters, pages and placements see it.
#[derive(Debug, Clone)]
pub struct CreditorFile {
    /// What decisions need.
    pub creditor: Creditor,
    /// As in the commercial register.
    pub legal_name: String,
    /// The name that debtors know.
    pub trading_name: String,
    /// Seat.
    pub address: Address,
    /// Without spaces.
    pub iban: String,
    /// Where the file has one.
    pub bic: Option<String>,
    /// IANA name of the zone.
    pub timezone: String,
    /// Vorsteuerabzug.
    pub input_tax_deduction: bool,
    /// Whom debtors may ask.
    pub support: Support,
    /// Accent colour as `#rrggbb`.
    pub colour: String,
    /// The name at the top of each page.
    pub logo_text: String,
    /// Sender of e-mails.
    pub email: Option<EmailSender>,
    /// Sender of text messages.
    pub sms_sender: Option<String>,
    /// The line above the envelope's window, where letters are sent.
    pub letter_sender: Option<String>,
    /// Channels whose messages a gateway of the shop's own sends, which hears of them by Kafka.
    pub by_kafka: Vec<Channel>,
    /// Agencies.
    pub agencies: Vec<Agency>,
    /// Attributes of debtors that are no personal data: they stay outside of the vault.
    pub harmless_attributes: Vec<String>,
    /// Text or address of the imprint.
    pub imprint: Option<String>,
    /// Where the privacy notice is.
    pub privacy_url: Option<String>,
    /// Where people in need get advice.
    pub debt_counselling: Vec<Counselling>,
    /// Where this was read from.
    pub file: PathBuf,
}

impl CreditorFile {
    /// Who.
    pub fn id(&self) -> &CreditorId {
        &self.creditor.id
    }
}

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Street and number.
    pub street: String,
    /// Postcode.
    pub postcode: String,
    /// City.
    pub city: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// Whom debtors may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// E-mail address.
    pub email: String,
    /// Telephone as shown.
    pub phone: String,
    /// When somebody answers, as shown.
    pub hours: Option<String>,
}

/// Who e-mails come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailSender {
    /// Sender address.
    pub from: String,
    /// Where answers go, if elsewhere.
    pub reply_to: Option<String>,
}

/// An agency that takes placements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agency {
    /// How policies name it.
    pub id: AgencyId,
    /// Its name.
    pub name: String,
    /// The folder into which placements are written, as in the file.
    pub directory: PathBuf,
}

/// Where people in need get advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counselling {
    /// Name.
    pub name: String,
    /// https address.
    pub url: String,
    /// Telephone, where known.
    pub phone: Option<String>,
}

/// Reads and checks one creditor file; `None` where it cannot be used.
pub(crate) fn read(path: &Path, found: &mut Vec<Diagnostic>) -> Option<CreditorFile> {
    let source = yaml::read(path).map_err(|e| found.push(*e)).ok()?;
    parse(path, &source, found)
}

pub(crate) fn parse(
    path: &Path,
    source: &Source,
    found: &mut Vec<Diagnostic>,
) -> Option<CreditorFile> {
    let doc: CreditorDoc = yaml::parse(source).map_err(|e| found.push(*e)).ok()?;
    let mut context = Context::new(source);
    let file = compile(path, &doc, &mut context);
    let usable = !context.found.iter().any(Diagnostic::is_error);
    found.append(&mut context.found);
    file.filter(|_| usable)
}

/// The tables that this release ships. An installation can put newer ones in their place.
fn base_rates(law: Law) -> Arc<BaseRates> {
    let table = if law == Law::At { RateTable::Austria } else { RateTable::Germany };
    // A test reads both, so that what is shipped is well-formed.
    Arc::new(table.shipped().unwrap_or_else(|_| BaseRates::from(Vec::new())))
}

fn compile(path: &Path, doc: &CreditorDoc, context: &mut Context<'_>) -> Option<CreditorFile> {
    let id: Option<CreditorId> = context.read(&doc.id, doc.id.place);
    if path.file_stem().is_some_and(|stem| stem != doc.id.as_str()) {
        let message = format!("the file of `{}` has another name", short(&doc.id));
        context.error(doc.id.place, message, &format!("name it {}.yaml", short(&doc.id)));
    }
    let zone = context.zone(&doc.timezone, doc.timezone.place);
    let region: Option<Region> = context.read(&doc.state, doc.state.place);
    let legal_name = line(context, &doc.legal_name, 120);
    let trading_name = doc.trading_name.as_ref().map(|name| line(context, name, 70));
    let address = &doc.address;
    let address = Address {
        street: line(context, &address.street, 120),
        postcode: line(context, &address.postcode, 20),
        city: line(context, &address.city, 80),
        country: country(context, &address.country, address.country.place),
    };
    let iban = iban(context, &doc.iban, doc.iban.place);
    if let Some(bic) = &doc.bic {
        let shape = matches!(bic.len(), 8 | 11) && bic.bytes().all(|b| b.is_ascii_alphanumeric());
        if !shape {
            let message = format!("`{}` is not a BIC", short(bic));
            context.error(bic.place, message, "a BIC has 8 or 11 letters and digits");
        }
    }
    let support = Support {
        email: email(context, &doc.support.email, doc.support.email.place),
        phone: line(context, &doc.support.phone, 40),
        hours: doc.support.hours.as_ref().map(|hours| line(context, hours, 80)),
    };
    let trading_name = trading_name.unwrap_or_else(|| legal_name.clone());
    let branding = doc.branding.as_ref();
    let logo = branding.and_then(|branding| branding.logo_text.as_ref());
    let logo_text = logo.map_or_else(|| trading_name.clone(), |text| line(context, text, 40));
    let colour = match branding.and_then(|branding| branding.colour.as_ref()) {
        Some(colour) => colour_of(context, colour, colour.place),
        None => "#24425c".to_owned(),
    };
    let senders = senders(context, &doc.channels);
    let agencies = agencies(context, &doc.agencies);
    let harmless_attributes = doc.harmless_attributes.iter().map(|name| line(context, name, 64));
    let harmless_attributes = harmless_attributes.collect();
    let imprint = doc.imprint.as_ref().map(|text| line(context, text, 2_000));
    let privacy_url = doc.privacy_url.as_ref().map(|url| web(context, url, url.place));
    let mut debt_counselling = Vec::new();
    for advice in &doc.debt_counselling {
        debt_counselling.push(Counselling {
            name: line(context, &advice.name, 120),
            url: web(context, &advice.url, advice.url.place),
            phone: advice.phone.as_ref().map(|phone| line(context, phone, 40)),
        });
    }
    let law = match doc.law.value {
        LawDoc::De => Law::De,
        LawDoc::At => Law::At,
        LawDoc::Ch => Law::Ch,
        LawDoc::None => Law::None,
    };
    let creditor = Creditor {
        id: id?,
        zone: zone?,
        region: region?,
        law,
        channels: senders.channels,
        agencies: agencies.iter().map(|agency| agency.id.clone()).collect(),
        // All of them are keys that a file must have, and none may be empty.
        complete_for_placement: true,
        base_rates: base_rates(law),
    };
    Some(CreditorFile {
        creditor,
        legal_name,
        trading_name,
        address,
        iban,
        bic: doc.bic.as_ref().map(|bic| bic.value.0.clone()),
        timezone: doc.timezone.value.0.clone(),
        input_tax_deduction: doc.input_tax_deduction,
        support,
        colour,
        logo_text,
        email: senders.email,
        sms_sender: senders.sms,
        letter_sender: senders.letter,
        by_kafka: senders.by_kafka,
        agencies,
        harmless_attributes,
        imprint,
        privacy_url,
        debt_counselling,
        file: path.to_owned(),
    })
}

struct Senders {
    channels: Vec<Channel>,
    by_kafka: Vec<Channel>,
    email: Option<EmailSender>,
    sms: Option<String>,
    letter: Option<String>,
}

fn senders(context: &mut Context<'_>, doc: &At<ChannelsDoc>) -> Senders {
    let place = doc.place;
    let doc = &doc.value;
    let mut channels = Vec::new();
    let vias = [
        (Channel::Email, doc.email.as_ref().map(|sender| sender.via)),
        (Channel::Sms, doc.sms.as_ref().map(|sender| sender.via)),
    ];
    let by_kafka = vias.into_iter().filter(|(_, via)| *via == Some(ViaDoc::Kafka));
    let by_kafka = by_kafka.map(|(channel, _)| channel).collect();
    let email = doc.email.as_ref().map(|sender| {
        channels.push(Channel::Email);
        EmailSender {
            from: email(context, &sender.from, sender.from.place),
            reply_to: sender.reply_to.as_ref().map(|to| email(context, to, to.place)),
        }
    });
    let sms = doc.sms.as_ref().map(|sender| {
        channels.push(Channel::Sms);
        let text = line(context, &sender.sender, 16);
        let number = text.strip_prefix('+').is_some_and(|digits| {
            (6..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        });
        let name = (1..=11).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ');
        if !number && !name {
            let message = format!("`{}` cannot be the sender of a text message", short(&text));
            let help = "at most 11 letters and digits, or a number such as +4915112345678";
            context.error(sender.sender.place, message, help);
        }
        text
    });
    let letter = doc.letter.as_ref().map(|sender| {
        channels.push(Channel::Letter);
        sender.sender.as_ref().map(|text| line(context, text, 120)).unwrap_or_default()
    });
    if channels.is_empty() {
        context.error(place, "there is no channel", "add email, sms or letter with its sender");
    }
    Senders { channels, by_kafka, email, sms, letter }
}

fn agencies(context: &mut Context<'_>, docs: &[At<AgencyDoc>]) -> Vec<Agency> {
    let mut agencies: Vec<Agency> = Vec::new();
    for doc in docs {
        let id: Option<AgencyId> = context.read(&doc.id, doc.id.place);
        let name = line(context, &doc.name, 120);
        let directory = PathBuf::from(line(context, &doc.delivery.directory, 400));
        let Some(id) = id else { continue };
        if agencies.iter().any(|other| other.id == id) {
            context.error(doc.id.place, format!("there are two agencies `{id}`"), "");
        }
        agencies.push(Agency { id, name, directory });
    }
    agencies
}

/// A text that is not empty and at most `longest` characters long.
fn line(context: &mut Context<'_>, text: &At<String>, longest: usize) -> String {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        context.error(text.place, "this is empty", "");
    } else if trimmed.chars().count() > longest {
        context.error(text.place, format!("this is longer than {longest} characters"), "");
    }
    trimmed.to_owned()
}

fn country(context: &mut Context<'_>, text: &str, place: Place) -> String {
    if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_uppercase()) {
        let message = format!("`{}` is not a country", short(text));
        context.error(place, message, "write two capitals: DE");
    }
    text.to_owned()
}

fn iban(context: &mut Context<'_>, text: &str, place: Place) -> String {
    let compact: String = text.chars().filter(|c| *c != ' ').collect();
    if compact.parse::<iban::Iban>().is_err() {
        let message = format!("`{}` is not an IBAN", short(text));
        context.error(place, message, "a digit is wrong or missing: its check sum does not fit");
    }
    compact
}

fn email(context: &mut Context<'_>, text: &str, place: Place) -> String {
    let good = text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
    }) && !text
        .contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;".contains(c))
        && text.matches('@').count() == 1;
    if !good {
        context.error(place, format!("`{}` is not an e-mail address", short(text)), "");
    }
    text.to_owned()
}

fn web(context: &mut Context<'_>, text: &str, place: Place) -> String {
    let good = text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"<>".contains(c));
    if !good {
        let message = format!("`{}` is not a web address", short(text));
        context.error(place, message, "it starts with https://");
    }
    text.to_owned()
}

fn colour_of(context: &mut Context<'_>, text: &str, place: Place) -> String {
    let digits = text.strip_prefix('#').unwrap_or_default();
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        let message = format!("`{}` is not a colour", short(text));
        context.error(place, message, "write it as \"#2f6b4f\", in quotes");
    }
    text.to_owned()
}

//! `creditors/<id>.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bic, Colour, Country, EmailAddress, HolidayRegion, Iban, Name, Web, Zone};
use crate::yaml::At;

/// Who is owed: what letters, pages, decisions and placements need to know of a creditor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Kulanz creditor")]
pub(crate) struct CreditorDoc {
    /// The same as the file's name.
    pub id: At<Name>,
    /// The name as in the commercial register.
    #[schemars(example = &"Lindenmoor Versand GmbH")]
    pub legal_name: At<String>,
    /// The name that debtors know; the legal name where left out.
    #[schemars(example = &"Lindenmoor")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub trading_name: Option<At<String>>,
    /// Postal address of the seat.
    pub address: AddressDoc,
    /// Where transfers go.
    pub iban: At<Iban>,
    /// Only where the bank wants it.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub bic: Option<At<Bic>>,
    /// Zone in which the creditor's days begin and end.
    pub timezone: At<Zone>,
    /// Whose holidays hold at the seat.
    pub state: At<HolidayRegion>,
    /// Whether the creditor can deduct input tax (§ 13a RDG wants it said).
    #[schemars(example = true)]
    pub input_tax_deduction: bool,
    /// Whom debtors may ask.
    pub support: SupportDoc,
    /// How pages and messages look.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub branding: Option<BrandingDoc>,
    /// Senders: a channel without one is never used.
    pub channels: At<ChannelsDoc>,
    /// Agencies that take placements.
    #[serde(default)]
    pub agencies: Vec<At<AgencyDoc>>,
    /// Which law limits what may be done: Germany, Austria, Switzerland, or none of them.
    pub law: At<LawDoc>,
    /// Attributes of debtors that are no personal data: conditions may read these alone.
    #[serde(default)]
    #[schemars(example = ["segment", "shop"])]
    pub harmless_attributes: Vec<At<String>>,
    /// The imprint's text or address.
    #[schemars(example = &"https://lindenmoor.example/impressum")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub imprint: Option<At<String>>,
    /// Where the privacy notice is.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub privacy_url: Option<At<Web>>,
    /// Where people in need get advice; shown on every page.
    #[serde(default)]
    pub debt_counselling: Vec<CounsellingDoc>,
}

/// A postal address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressDoc {
    /// Street and number.
    #[schemars(example = &"Gartenallee 12")]
    pub street: At<String>,
    /// Postcode, in quotes: it may begin with a zero.
    #[schemars(example = &"48143")]
    pub postcode: At<String>,
    /// Town.
    #[schemars(example = &"Münster")]
    pub city: At<String>,
    /// Country as ISO 3166-1 alpha-2.
    pub country: At<Country>,
}

/// Whom debtors may ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SupportDoc {
    /// Where debtors write to.
    pub email: At<EmailAddress>,
    /// Where debtors call, with the country.
    #[schemars(example = &"+49 221 4710 123")]
    pub phone: At<String>,
    /// When somebody answers, as shown: `Mo-Fr 9-17 Uhr`.
    #[schemars(example = &"Mo-Fr 9-17 Uhr")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub hours: Option<At<String>>,
}

/// How pages and messages look.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrandingDoc {
    /// The accent colour.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub colour: Option<At<Colour>>,
    /// The name as written at the top of each page, at most 40 characters.
    #[schemars(example = &"Lindenmoor")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub logo_text: Option<At<String>>,
}

/// Senders by channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelsDoc {
    /// E-mails, and who they come from.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub email: Option<EmailSenderDoc>,
    /// Text messages, and who they come from.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub sms: Option<SmsSenderDoc>,
    /// Letters on paper; `{}` where nothing is to be said of them.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub letter: Option<LetterSenderDoc>,
}

/// What takes messages of a channel to their readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ViaDoc {
    /// The mail server or gateway of `kulanz.yaml`.
    #[default]
    Gateway,
    /// A gateway of the shop's own, which hears of each message on Kafka's topic `kulanz.notices`.
    Kafka,
}

/// Who e-mails come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailSenderDoc {
    /// The address that messages come from.
    pub from: At<EmailAddress>,
    /// Where answers go; the sender where left out.
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub reply_to: Option<At<EmailAddress>>,
    /// What takes them to their readers; `gateway` where left out.
    #[serde(default)]
    pub via: ViaDoc,
}

/// Who text messages come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmsSenderDoc {
    /// At most 11 letters and digits, or a number such as +4915112345678.
    #[schemars(regex(pattern = r"^([A-Za-z0-9 ]{1,11}|\+[0-9]{6,15})$"), example = &"Lindenmoor")]
    pub sender: At<String>,
    /// What takes them to their readers; `gateway` where left out.
    #[serde(default)]
    pub via: ViaDoc,
}

/// Letters are printed with the address above.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LetterSenderDoc {
    /// The line above the window of the envelope; name and address where left out.
    #[schemars(example = &"Lindenmoor, Gartenallee 12, 48143 Münster")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub sender: Option<At<String>>,
}

/// An agency.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgencyDoc {
    /// How policies name it.
    pub id: At<Name>,
    /// Its name.
    #[schemars(example = &"Nordinkasso Muster GmbH")]
    pub name: At<String>,
    /// How it gets placements.
    pub delivery: DeliveryDoc,
}

/// How an agency gets placements.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveryDoc {
    /// The folder into which they are written.
    #[schemars(example = "handoff/nordinkasso")]
    pub directory: At<String>,
}

/// Whose law limits what may be done.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LawDoc {
    /// Germany.
    De,
    /// Austria.
    At,
    /// Switzerland.
    Ch,
    /// None of these: fines, other countries.
    None,
}

/// A place where people in need get advice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CounsellingDoc {
    /// Who gives the advice.
    #[schemars(example = &"Caritas, Beratung bei Schulden")]
    pub name: At<String>,
    /// Where they are found.
    pub url: At<Web>,
    /// Where they are called.
    #[schemars(example = &"+49 221 4710 123")]
    #[serde(default, deserialize_with = "crate::yaml::filled")]
    pub phone: Option<At<String>>,
}

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
    pub legal_name: At<String>,
    /// The name that debtors know; the legal name where left out.
    pub trading_name: Option<At<String>>,
    /// Postal address of the seat.
    pub address: AddressDoc,
    /// Where transfers go.
    pub iban: At<Iban>,
    /// Only where the bank wants it.
    pub bic: Option<At<Bic>>,
    /// Zone in which the creditor's days begin and end.
    pub timezone: At<Zone>,
    /// Whose holidays hold at the seat.
    pub state: At<HolidayRegion>,
    /// Whether the creditor can deduct input tax (§ 13a RDG wants it said).
    pub input_tax_deduction: bool,
    /// Whom debtors may ask.
    pub support: SupportDoc,
    /// How pages and messages look.
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
    pub imprint: Option<At<String>>,
    /// Where the privacy notice is.
    pub privacy_url: Option<At<Web>>,
    /// Where people in need get advice; shown on every page.
    #[serde(default)]
    pub debt_counselling: Vec<CounsellingDoc>,
}

/// A postal address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressDoc {
    pub street: At<String>,
    pub postcode: At<String>,
    pub city: At<String>,
    pub country: At<Country>,
}

/// Whom debtors may ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SupportDoc {
    pub email: At<EmailAddress>,
    pub phone: At<String>,
    /// When somebody answers, as shown: `Mo-Fr 9-17 Uhr`.
    pub hours: Option<At<String>>,
}

/// How pages and messages look.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrandingDoc {
    /// The accent colour.
    pub colour: Option<At<Colour>>,
    /// The name as written at the top of each page, at most 40 characters.
    pub logo_text: Option<At<String>>,
}

/// Senders by channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelsDoc {
    pub email: Option<EmailSenderDoc>,
    pub sms: Option<SmsSenderDoc>,
    pub letter: Option<LetterSenderDoc>,
}

/// Who e-mails come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailSenderDoc {
    pub from: At<EmailAddress>,
    pub reply_to: Option<At<EmailAddress>>,
}

/// Who text messages come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmsSenderDoc {
    /// At most 11 letters and digits, or a number such as +4915112345678.
    #[schemars(regex(pattern = r"^([A-Za-z0-9 ]{1,11}|\+[0-9]{6,15})$"), example = &"Lindenmoor")]
    pub sender: At<String>,
}

/// Letters are printed with the address above.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LetterSenderDoc {
    /// The line above the window of the envelope; name and address where left out.
    pub sender: Option<At<String>>,
}

/// An agency.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgencyDoc {
    /// How policies name it.
    pub id: At<Name>,
    /// Its name.
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
    pub name: At<String>,
    pub url: At<Web>,
    pub phone: Option<At<String>>,
}

//! Who the debtor is, and what stops contact with them: insolvency, death, holds.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use kulanz_domain::{
    fact::{BirthTold, Channel, DebtorProfile, Fact},
    ids::{CreditorId, DebtorId, HoldId, InvoiceId},
    law::minor_until,
};
use serde_json::{Map, Value};

use super::{Data, Translation, of_account};
use crate::{leaf::*, member::members, personal::Slot, rejection::Fault};

/// Attributes of one debtor.
const MAX_ATTRIBUTES: usize = 64;

members! {
    /// The debtor as the shop knows them now: replaces all that was said before, but for what
    /// `birth_date` says of their age. Of several, the one with the greatest (`time`, `id`) wins, in
    /// whatever order they arrive.
    pub struct DebtorUpdated {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes, as the creditor names them.
        debtor: Id<DebtorId>,
        /// Consumer (Verbraucher, § 13 BGB) or business (Unternehmer, § 14 BGB).
        kind: KindWord,
        /// Full name or company. Personal.
        name: Line,
        /// Language to write in, BCP 47.
        language: Language,
        /// Country of residence, ISO 3166-1 alpha-2.
        country: Country,
        /// IANA time zone; the creditor's where absent.
        timezone: Option<Zone>,
        /// E-mail address. Personal.
        email: Option<Email>,
        /// Mobile number, E.164. Personal.
        mobile: Option<Mobile>,
        /// Postal address. Personal, but for the federal state.
        address: Option<Address>,
        /// The debtor's own wishes.
        prefers: Option<Prefers>,
        /// Consents and their refusal.
        consents: Option<Consents>,
        /// Day of birth. Personal. Of somebody younger than 22 it is kept with the facts by the end
        /// of which month they come, or came, of age: claims of before wait for a person. Where it is
        /// left out, that stays as it was told before.
        birth_date: Option<Birth>,
        /// The shop knows that this person needs special care.
        vulnerable: Option<Flag>,
        /// The address was found by research (§ 13a RDG wants it said).
        address_researched: Option<Flag>,
        /// A lawyer or guardian acts for the debtor: notices go there alone. Personal.
        represented_by: Option<Representative>,
        /// Anything else that policies may ask for, string to string. Personal, but for those
        /// that the creditor's file lists as harmless.
        attributes: Option<BTreeMap<String, Attribute>>,
    }

    /// A postal address.
    pub struct Address {
        /// Street and number.
        street: Line,
        /// Postcode.
        postcode: Line<16>,
        /// City.
        city: Line,
        /// Federal state, such as `NW` or `DE-NW`.
        region: Option<Line<64>>,
    }

    /// The debtor's own wishes; lists are in the order of preference.
    pub struct Prefers {
        /// Channels.
        channels: Option<Vec<ChannelWord>>,
        /// Ways to pay.
        pay_with: Option<Vec<PayWithWord>>,
        /// Hours in which to be reached, `17:00-19:00`.
        hours: Option<Hours>,
    }

    /// Consents.
    pub struct Consents {
        /// Absent: allowed for dunning; `false`: never by SMS.
        sms: Option<Flag>,
    }

    /// A lawyer or guardian.
    pub struct Representative {
        /// Name.
        name: Line,
        /// E-mail address.
        email: Option<Email>,
        /// Postal address.
        address: Option<Address>,
    }

    /// Insolvency proceedings were opened over the debtor's estate.
    pub struct DebtorInsolvencyOpened {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Day of the court's order.
        on: Day,
        /// Court and file number. Personal.
        reference: Option<Prose>,
    }

    /// The debtor has died.
    pub struct DebtorDeceased {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owed.
        debtor: Id<DebtorId>,
        /// Day of death, or on which it became known.
        on: Day,
        /// Where it is known from. Personal.
        reference: Option<Prose>,
    }

    /// Mahnsperre: nothing is sent until it is released or runs out.
    pub struct HoldPlaced {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Names the hold, so that it can be released.
        hold: Id<HoldId>,
        /// Only this claim; absent: the whole account.
        invoice: Option<Id<InvoiceId>>,
        /// Why, in the words of whoever placed it. Personal.
        reason: Prose,
        /// Team or login that answers for it. Kept with the facts where it is an identifier,
        /// treated as personal otherwise.
        owner: Line,
        /// Last day; absent: until it is released.
        until: Option<Day>,
    }

    /// The end of a hold. May arrive before its beginning.
    pub struct HoldReleased {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which hold.
        hold: Id<HoldId>,
    }
}

impl Data for DebtorUpdated {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let represented = self.represented_by.is_some();
        let reachable = match &self.represented_by {
            Some(other) => reachable(other.email.is_some(), false, other.address.is_some()),
            None => reachable(self.email.is_some(), self.mobile.is_some(), self.address.is_some()),
        };
        let region = self.address.as_ref().and_then(|address| {
            federal_state(address.region.as_ref()?.0.as_str(), &self.country.0)
        });
        let told_on = translation.time.to_zoned(TimeZone::UTC).date();
        let (minor_until, birth_told) = match &self.birth_date {
            Some(birth) => {
                let born_on = birth.0.parse().ok();
                (born_on.and_then(|born_on| minor_until(born_on, told_on)), BirthTold::Here)
            }
            None => (None, BirthTold::Never),
        };
        let prefers = self.prefers;
        let (channels, pay_with, hours) =
            prefers.map(|wish| (wish.channels, wish.pay_with, wish.hours)).unwrap_or_default();
        let (harmless, other) = attributes(self.attributes.unwrap_or_default(), translation)?;

        let mut slot = Slot::default();
        slot.put("name", self.name.0);
        slot.put_some("email", self.email.map(|email| email.0));
        slot.put_some("mobile", self.mobile.map(|mobile| mobile.0));
        if let Some(address) = self.address {
            slot.put_map("address", address.into_map());
        }
        slot.put_some("birth_date", self.birth_date.map(|birth| birth.0));
        if let Some(other) = self.represented_by {
            slot.put_map("represented_by", other.into_map());
        }
        slot.put_map("attributes", other);
        slot.seal(|| "debtor".to_owned(), &mut translation.secrets);

        Ok(Fact::DebtorUpdated {
            profile: DebtorProfile {
                kind: self.kind.0,
                language: self.language.0,
                country: self.country.0,
                region,
                timezone: self.timezone.map(|zone| zone.0),
                reachable,
                prefers: each_once(channels.unwrap_or_default(), |word| word.0),
                pays_with: each_once(pay_with.unwrap_or_default(), |word| word.0),
                hours: hours.map(|hours| hours.0),
                sms_consent: self.consents.and_then(|given| given.sms).map(|Flag(sms)| sms),
                vulnerable: is_set(self.vulnerable),
                address_researched: is_set(self.address_researched),
                represented,
                minor_until,
                birth_told,
                attributes: harmless,
            },
        })
    }
}

/// Channels for which there is an address, in the order of [`Channel::ALL`].
fn reachable(email: bool, sms: bool, letter: bool) -> Vec<Channel> {
    let known = [email, sms, letter];
    Channel::ALL
        .into_iter()
        .zip(known)
        .filter_map(|(channel, has)| has.then_some(channel))
        .collect()
}

/// The state's short code; a region written in words stays with the address in the vault.
fn federal_state(region: &str, country: &str) -> Option<String> {
    let short =
        region.strip_prefix(country).and_then(|rest| rest.strip_prefix('-')).unwrap_or(region);
    let is_code = (1..=3).contains(&short.len())
        && short.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    is_code.then(|| short.to_owned())
}

fn each_once<W, T: PartialEq>(words: Vec<W>, value: impl Fn(W) -> T) -> Vec<T> {
    let mut once = Vec::with_capacity(words.len());
    for word in words {
        let item = value(word);
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}

type Attributes = (BTreeMap<String, String>, Map<String, Value>);

/// Parts the harmless attributes from the personal ones.
fn attributes(
    all: BTreeMap<String, Attribute>,
    translation: &Translation<'_>,
) -> Result<Attributes, Fault> {
    if all.len() > MAX_ATTRIBUTES {
        return Err(Fault::new("attributes", "has more than 64 members"));
    }
    let (mut harmless, mut other) = (BTreeMap::new(), Map::new());
    for (name, Attribute(value)) in all {
        if (translation.is_harmless)(&translation.account.creditor, &name) {
            harmless.insert(name, value);
        } else {
            other.insert(name, Value::String(value));
        }
    }
    Ok((harmless, other))
}

impl Address {
    fn into_map(self) -> Map<String, Value> {
        let mut slot = Slot::default();
        slot.put("street", self.street.0);
        slot.put("postcode", self.postcode.0);
        slot.put("city", self.city.0);
        slot.put_some("region", self.region.map(|region| region.0));
        slot.into_map()
    }
}

impl Representative {
    fn into_map(self) -> Map<String, Value> {
        let mut slot = Slot::default();
        slot.put("name", self.name.0);
        slot.put_some("email", self.email.map(|email| email.0));
        if let Some(address) = self.address {
            slot.put_map("address", address.into_map());
        }
        slot.into_map()
    }
}

impl Data for DebtorInsolvencyOpened {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let mut slot = Slot::default();
        slot.put_some("reference", self.reference.map(|text| text.0));
        slot.seal(|| "insolvency".to_owned(), &mut translation.secrets);
        Ok(Fact::InsolvencyOpened { on: self.on.0 })
    }
}

impl Data for DebtorDeceased {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let mut slot = Slot::default();
        slot.put_some("reference", self.reference.map(|text| text.0));
        slot.seal(|| "death".to_owned(), &mut translation.secrets);
        Ok(Fact::DebtorDeceased { on: self.on.0 })
    }
}

impl Data for HoldPlaced {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let hold = self.hold.0;
        let mut slot = Slot::default();
        slot.put("reason", self.reason.0);
        // A login or a team is an identifier; a full name or an e-mail address is not.
        let owner = match HoldId::new(&self.owner.0) {
            Ok(_) => self.owner.0,
            Err(_) => {
                slot.put("owner", self.owner.0);
                "other".to_owned()
            }
        };
        slot.seal(|| format!("hold/{hold}"), &mut translation.secrets);
        Ok(Fact::HoldPlaced {
            hold,
            invoice: self.invoice.map(|invoice| invoice.0),
            owner,
            until: self.until.map(|day| day.0),
        })
    }
}

impl Data for HoldReleased {
    of_account!();

    fn fact(self, _: &mut Translation<'_>) -> Result<Fact, Fault> {
        Ok(Fact::HoldReleased { hold: self.hold.0 })
    }
}

//! Who is owed and who owes.

use serde_json::Value;

use super::{Handoff, Secrets, document::*, text_of};

/// The creditor; what its card lacks is added to `missing`.
pub(super) fn creditor(from: &Handoff<'_>, missing: &mut Vec<String>) -> CreditorEntry {
    let card = from.card;
    let address = &card.address;
    let required = [
        ("creditor's name", &card.legal_name),
        ("creditor's street", &address.street),
        ("creditor's postcode", &address.postcode),
        ("creditor's city", &address.city),
        ("creditor's IBAN", &card.iban),
    ];
    let blank = required.iter().filter(|(_, text)| text.trim().is_empty());
    missing.extend(blank.map(|(name, _)| (*name).to_owned()));
    CreditorEntry {
        id: from.id.creditor.clone(),
        legal_name: card.legal_name.clone(),
        address: address.clone(),
        iban: card.iban.clone(),
        input_tax_deduction: card.input_tax_deduction,
        support_email: card.support_email.clone(),
        support_phone: card.support_phone.clone(),
    }
}

/// The debtor with an address of theirs or of whoever acts for them.
pub(super) fn debtor(from: &Handoff<'_>, missing: &mut Vec<String>) -> Option<DebtorEntry> {
    let Some(profile) = from.account.profile() else {
        missing.push("debtor".to_owned());
        return None;
    };
    let secrets = Secrets(from.secrets);
    let own = from.secrets.get("debtor");
    let address = own.and_then(|slot| address(slot.get("address")?, Some(&profile.country)));
    let other = own.and_then(|slot| slot.get("represented_by"));
    let represented_by = other.and_then(|other| {
        Some(Representative {
            name: text_of(other, "name")?,
            email: text_of(other, "email"),
            address: other.get("address").and_then(|found| self::address(found, None)),
        })
    });
    if profile.represented && represented_by.is_none() {
        missing.push("debtor's representative".to_owned());
    }
    let theirs = represented_by.as_ref().and_then(|other| other.address.as_ref());
    if address.is_none() && theirs.is_none() {
        missing.push("debtor's address".to_owned());
    }
    let Some(name) = secrets.text("debtor", "name") else {
        missing.push("debtor's name".to_owned());
        return None;
    };
    Some(DebtorEntry {
        id: from.id.debtor.clone(),
        kind: profile.kind.into(),
        name,
        address,
        address_researched: profile.address_researched,
        country: profile.country.clone(),
        language: profile.language.clone(),
        email: secrets.text("debtor", "email"),
        mobile: secrets.text("debtor", "mobile"),
        birth_date: secrets.text("debtor", "birth_date"),
        represented_by,
    })
}

fn address(value: &Value, country: Option<&String>) -> Option<PostalAddress> {
    Some(PostalAddress {
        street: text_of(value, "street")?,
        postcode: text_of(value, "postcode")?,
        city: text_of(value, "city")?,
        region: text_of(value, "region"),
        country: country.cloned(),
    })
}

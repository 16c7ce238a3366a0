#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::Value;

use super::*;

const IBAN: &str = "DE89370400440532013000";

fn worked() -> Value {
    serde_json::from_str(include_str!("../../testdata/law.json")).unwrap()
}

fn texts(list: &Value) -> Vec<String> {
    serde_json::from_value(list.clone()).unwrap()
}

#[test]
fn the_worked_payloads_come_out_byte_for_byte() {
    let worked = worked();
    let entries = worked["epc_qr"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    for entry in entries {
        let field = |key: &str| entry["input"][key].as_str();
        let transfer = Transfer {
            version: match field("version") {
                Some("001") => EpcVersion::V001,
                _ => EpcVersion::V002,
            },
            bic: field("bic"),
            name: field("name").unwrap(),
            iban: field("iban").unwrap(),
            amount: field("amount").map(|amount| amount.parse().unwrap()),
            purpose: None,
            reference: None,
            text: field("text"),
        };
        let payload = epc_qr(&transfer).unwrap();
        assert_eq!(payload, entry["payload"].as_str().unwrap());
        assert_eq!(payload.len() as u64, entry["bytes"].as_u64().unwrap());
    }
}

#[test]
fn references_are_made_and_told_from_wrong_ones() {
    let worked = worked();
    for (base, made) in worked["references"]["rf_generated"].as_object().unwrap() {
        assert_eq!(rf_from(base).unwrap(), made.as_str().unwrap());
    }
    for right in texts(&worked["references"]["rf_valid"]) {
        assert_eq!(rf(&right).unwrap(), right.replace(' ', ""));
    }
    let wrong = ["", "RF", "RF18", "ÄF18539007547034", "RF1ä539007547034", "RF00539007547034"];
    for wrong in
        texts(&worked["references"]["rf_invalid"]).into_iter().chain(wrong.map(String::from))
    {
        assert!(rf(&wrong).is_err(), "{wrong:?}");
    }
    for wrong in ["", "R-1", "a", "Ä", &"1".repeat(22)] {
        assert!(rf_from(wrong).is_err(), "{wrong:?}");
    }
    assert!(rf(&rf_from(&"Z".repeat(21)).unwrap()).is_ok());
}

#[test]
fn a_single_changed_digit_of_a_reference_is_noticed() {
    let right = rf_from("2026000041").unwrap();
    for at in 2..right.len() {
        for digit in b'0'..=b'9' {
            let mut changed = right.clone().into_bytes();
            changed[at] = digit;
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(rf(&changed).is_ok(), changed == right, "{changed}");
        }
    }
}

#[test]
fn an_iban_needs_its_check_digits_and_its_countrys_form() {
    let worked = worked();
    for right in texts(&worked["references"]["iban_valid"]) {
        assert_eq!(iban(&right).unwrap(), right);
    }
    for wrong in texts(&worked["references"]["iban_invalid"]) {
        assert!(iban(&wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(iban("de89 3704 0044 0532 0130 00").unwrap(), IBAN);
    assert!(iban("DE8937040044053201300").is_err());
    let error = iban("DE88370400440532013000").unwrap_err();
    assert!(!error.to_string().contains("3704"), "an account number is personal: {error}");
}

fn simple() -> Transfer<'static> {
    Transfer { name: "Lindenmoor GmbH", iban: IBAN, ..Transfer::default() }
}

#[test]
fn a_structured_reference_takes_the_line_before_the_text() {
    let transfer = Transfer {
        amount: Some(Decimal::new(355, 1)),
        purpose: Some("GDDS"),
        reference: Some("RF18 5390 0754 7034"),
        ..simple()
    };
    let expected =
        format!("BCD\n002\n1\nSCT\n\nLindenmoor GmbH\n{IBAN}\nEUR35.50\nGDDS\nRF18539007547034");
    assert_eq!(epc_qr(&transfer), Ok(expected));
    let bare = epc_qr(&simple()).unwrap();
    assert_eq!(bare, format!("BCD\n002\n1\nSCT\n\nLindenmoor GmbH\n{IBAN}"));
}

#[test]
fn what_a_banking_app_would_misread_is_refused() {
    let long = "x".repeat(141);
    let is = |transfer: Transfer<'_>| epc_qr(&transfer).unwrap_err();
    let length = |field, len, max| EpcError::Length { field, len, max };
    assert_eq!(is(Transfer { name: "", ..simple() }), length("name", 0, 70));
    assert_eq!(is(Transfer { name: &long[..71], ..simple() }), length("name", 71, 70));
    assert_eq!(is(Transfer { text: Some(&long), ..simple() }), length("text", 141, 140));
    assert_eq!(is(Transfer { text: Some("a\nb"), ..simple() }), EpcError::Control("text"));
    assert_eq!(is(Transfer { name: "a\rb", ..simple() }), EpcError::Control("name"));
    assert_eq!(is(Transfer { bic: Some("COBADEFF1"), ..simple() }), EpcError::Bic);
    assert_eq!(is(Transfer { version: EpcVersion::V001, ..simple() }), EpcError::BicMissing);
    assert_eq!(is(Transfer { purpose: Some("goods"), ..simple() }), EpcError::Purpose);
    let both = Transfer { reference: Some("RF18539007547034"), text: Some("a"), ..simple() };
    assert_eq!(is(both), EpcError::ReferenceAndText);
    assert!(matches!(
        is(Transfer { reference: Some("R-1"), ..simple() }),
        EpcError::Reference(ReferenceError::Rf(_))
    ));
    assert!(matches!(
        is(Transfer { iban: "DE00", ..simple() }),
        EpcError::Reference(ReferenceError::Iban(_))
    ));
    for amount in ["0", "0.00", "-1", "0.005", "1.001", "1000000000"] {
        let amount = amount.parse().unwrap();
        let refused = is(Transfer { amount: Some(amount), ..simple() });
        assert_eq!(refused, EpcError::Amount(amount));
    }
    for (amount, shown) in [("0.01", "EUR0.01"), ("999999999.99", "EUR999999999.99")] {
        let amount = Some(amount.parse().unwrap());
        assert!(epc_qr(&Transfer { amount, ..simple() }).unwrap().ends_with(shown));
    }
    let (name, text) = ("ä".repeat(70), "ß".repeat(140));
    let wide = is(Transfer { name: &name, text: Some(&text), ..simple() });
    assert_eq!(wide, EpcError::TooLong(462));
}

#[test]
fn a_payload_of_331_bytes_is_the_longest() {
    let name = "ä".repeat(70);
    for (umlauts, fits) in [(9, true), (10, false)] {
        let text = "ß".repeat(umlauts) + &"s".repeat(140 - umlauts);
        let made = epc_qr(&Transfer { name: &name, text: Some(&text), ..simple() });
        assert_eq!(made.map(|payload| payload.len()).ok(), fits.then_some(331), "{umlauts}");
    }
}

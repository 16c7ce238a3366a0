//! What the agency gets, from a whole account to the bytes on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod disk;
mod random;
mod story;

use kulanz_domain::event::AccountEvent as E;
use serde_json::{Value, json};

use self::story::Story;
use super::{document::*, folder::files, *};

/// The files of a placement, parsed.
struct Read {
    claims: Value,
    manifest: Value,
    rows: Vec<BTreeMap<String, String>>,
}

fn read(data: &PlacementData) -> Read {
    let [(_, claims), (_, table), (_, manifest)] = files(data).unwrap();
    let mut reader = ::csv::ReaderBuilder::new().delimiter(b';').from_reader(&*table);
    let rows = reader.deserialize().map(Result::unwrap).collect();
    Read {
        claims: serde_json::from_slice(&claims).unwrap(),
        manifest: serde_json::from_slice(&manifest).unwrap(),
        rows,
    }
}

#[test]
fn the_agency_gets_all_that_section_13a_rdg_asks_for() {
    let story = Story::full();
    let read = read(&story.build().unwrap());
    let claim = &read.claims["claims"][0];
    assert_eq!(read.claims["creditor"]["legal_name"], "Lindenmoor Versand GmbH");
    assert_eq!(read.claims["creditor"]["input_tax_deduction"], true);
    assert_eq!(read.claims["debtor"]["address"]["street"], "Am Wall 3");
    assert_eq!(read.claims["debtor"]["address_researched"], true);
    assert_eq!(claim["contract_on"], "2026-01-02");
    assert_eq!(claim["contract_object"], "Gartenbank");
    assert_eq!(claim["principal"], "89.90");
    assert_eq!(claim["open_principal"], "69.90");
    assert_eq!(claim["interest"]["amount"], "0.00");
    assert!(claim["interest"]["reason"].as_str().unwrap().contains("no interest"));
    assert_eq!(
        claim["costs"],
        json!([
            {
                "kind": "returned_payment", "amount": "3.50", "on": "2026-01-25", "notice": null,
                "payment": "Z-1",
                "reason": "What the bank charged the creditor for the return of this payment.",
            },
            {
                "kind": "notice", "amount": "2.50", "on": "2026-03-02", "notice": "N-2",
                "payment": null,
                "reason": "Cost of a reminder after default had begun by letter: print and \
                           postage (§§ 280 (1), (2), 286 BGB).",
            },
        ])
    );
    assert_eq!(
        claim["default"],
        json!({ "from": "2026-02-21", "ground": "notice", "notice": "N-1", "explanation": null })
    );
    let sent: Vec<(&str, &str, &str, &str)> = claim["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |member: &str| one[member].as_str().unwrap_or("-");
            (text("on"), text("step"), text("channel"), text("evidence"))
        })
        .collect();
    assert_eq!(
        sent,
        [
            ("2026-01-20", "reminder", "-", "reported_by_sender"),
            ("2026-02-10", "mahnung1", "email", "delivered"),
            ("2026-03-02", "mahnung2", "letter", "accepted_by_gateway"),
        ]
    );
    assert_eq!(claim["disputed"], false);
    assert_eq!(
        claim["disputes"],
        json!([{
            "dispute": "D-1", "opened_on": "2026-01-22", "amount": null,
            "reason": "Ich habe nur einen Stuhl bekommen.", "outcome": "rejected",
            "resolved_on": "2026-02-01", "remains": null,
        }])
    );
    assert_eq!(
        claim["payments"],
        json!([{
            "payment": "Z-2", "booked_on": "2026-02-20", "method": "transfer",
            "fees": "3.50", "interest": "0.00", "principal": "20.00",
        }])
    );
    assert_eq!(
        claim["returned_payments"],
        json!([{
            "payment": "Z-1", "on": "2026-01-25", "amount": "89.90", "bank_fee": "3.50",
        }])
    );
    assert_eq!(claim["credit_bureau_notice_given"], false);
    assert_eq!(read.claims["holds"][0]["placed_on"], "2026-01-23");
    assert_eq!(read.claims["promises"][0]["standing"], "broken");
    assert_eq!(read.claims["plans"][0]["rates"][0]["amount"], "30.00");
    assert_eq!(
        read.manifest["documents"],
        json!([{ "invoice": "R-1", "url": "https://lindenmoor.example/R-1.pdf" }])
    );
}

#[test]
fn what_the_agency_need_not_know_stays_in_the_house() {
    let story = Story::full();
    let written = files(&story.build().unwrap()).unwrap();
    for secret in ["im Krankenhaus", "DE02120300000000202051", "Stammkundin", "anna"] {
        for (name, bytes) in &written {
            let text = String::from_utf8_lossy(bytes);
            assert!(!text.contains(secret), "{name} says {secret}");
        }
    }
}

#[test]
fn a_placement_that_lacks_a_required_field_says_each_one() {
    let mut story = Story::full();
    story.secrets.remove("debtor");
    story.secrets.remove("invoice/R-1");
    story.card.address.city = " ".to_owned();
    let Err(NotReady::Missing { fields, .. }) = story.build() else { panic!("built") };
    let expected =
        ["creditor's city", "debtor's address", "debtor's name", "object of the contract of R-1"];
    assert_eq!(fields, expected);
}

#[test]
fn a_debtor_with_a_lawyer_is_handed_over_with_the_lawyers_address() {
    let mut story = Story::full();
    story.secrets.insert(
        "debtor".to_owned(),
        json!({
            "name": "Ada Beispiel",
            "represented_by": {
                "name": "RAin Muster",
                "address": { "street": "Markt 1", "postcode": "50667", "city": "Köln" },
            },
        }),
    );
    let read = read(&story.build().unwrap());
    assert_eq!(read.claims["debtor"]["address"], Value::Null);
    assert_eq!(read.claims["debtor"]["represented_by"]["address"]["city"], "Köln");
    assert_eq!(read.rows[0]["represented_by"], "RAin Muster");
    assert_eq!(read.rows[0]["street"], "Markt 1");
}

#[test]
fn only_a_released_placement_with_the_amounts_of_its_release_is_built() {
    let mut story = Story::full();
    let unknown = PlacementId::new("P-9").unwrap();
    let other = Handoff { placement: &unknown, ..story.handoff() };
    assert_eq!(build(&other), Err(NotReady::Unknown(unknown.clone())));

    let mut paid = Story::full();
    paid.payment("Z-3", "2026-04-01", "10.00");
    let changed = paid.build().unwrap_err();
    assert_eq!(changed.to_string(), "R-1 was released with 72.40 EUR and stands at 62.40 EUR");

    story.account.apply_event(&E::PlacementRecalled {
        placement: story.placement.clone(),
        reason: Suppression::Paid,
    });
    assert_eq!(story.build(), Err(NotReady::NotReleased(story.placement.clone())));
}

#[test]
fn default_that_has_not_begun_is_not_claimed() {
    let mut story = Story::full();
    story.at = "2026-02-15T12:00:00Z".parse().unwrap();
    assert!(story.build().unwrap().claims[0].default.is_none());
}

#[test]
fn no_cell_of_the_table_is_a_formula() {
    let mut story = Story::full();
    for name in ["=1+1", "+49", "-2", "@sum", "'t Hooft", "\t=1", "a;b\"c\r\nd", "plain", "＝1"] {
        story.secrets.insert("debtor".to_owned(), story::debtor(name));
        let data = story.build().unwrap();
        let cell = &read(&data).rows[0]["debtor_name"];
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '＝']), "{cell:?}");
        assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), name);
    }
    let (_, table) = &files(&story.build().unwrap()).unwrap()[1];
    let table = String::from_utf8(table.clone()).unwrap();
    assert!(table.starts_with("placement;creditor;creditor_name;agency;debtor;"));
    assert_eq!(table.matches("\r\n").count(), 2);
}

#[test]
fn the_committed_schemas_are_those_of_the_files_that_are_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    for (name, schema) in schema::all() {
        let text = format!("{schema:#}\n");
        let file = folder.join(name);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == text, "{name} differs: run with UPDATE_SCHEMAS=1 and look at it");
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        assert!(schema["description"].is_string(), "{name}");
    }
}

#[test]
fn what_is_written_fits_its_schema() {
    let story = Story::full();
    let read = read(&story.build().unwrap());
    let recall = serde_json::to_value(story.recall()).unwrap();
    let placed = &story.account.placements[&story.placement];
    let update = Update::new(&story.id, &story.placement, placed, &story.account, story.moment());
    let update = serde_json::to_value(update).unwrap();
    let erased = serde_json::to_value(story.erased()).unwrap();
    let files = [&read.claims, &read.manifest, &recall, &update, &erased];
    for ((_, schema), file) in schema::all().into_iter().zip(files) {
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(file).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path};

use kulanz_domain::money::Currency;
use kulanz_engine::vault::Vault;

use super::*;
use crate::render::{Creditor, Occasion, samples};

/// All e-mails of the shipped policies with their sample data, as they are kept.
fn shipped() -> Vec<(String, Vec<u8>)> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let workshop =
        Workshop::new(HashMap::new(), "https://pay.lindenmoor.example".to_owned(), "rules");
    let creditor = Creditor {
        name: "Lindenmoor".to_owned(),
        support_email: Some("hilfe@lindenmoor.example".to_owned()),
        support_phone: Some("+49 30 5550100".to_owned()),
        iban: Some("DE02120300000000202051".to_owned()),
        imprint: Some("Lindenmoor GmbH, Berlin".to_owned()),
        colour: "#2f5d50".parse().unwrap(),
    };
    let occasion = Occasion {
        creditor: &creditor,
        currency: Currency::EUR,
        deadline: true,
        plans: &[3, 6],
        base_url: workshop.base_url(),
    };
    let at: Timestamp = "2026-09-18T09:00:00Z".parse().unwrap();
    let account = "lindenmoor/K-10042".parse().unwrap();
    let mut kept = Vec::new();
    for policy in fs::read_dir(policies).unwrap() {
        let Ok(files) = fs::read_dir(policy.unwrap().path().join("templates")) else { continue };
        for file in files {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let key = text_key(&format!("templates/{name}")).unwrap();
            if key.channel != Channel::Email {
                continue;
            }
            let source =
                TextSource { file: name.clone(), source: fs::read_to_string(&path).unwrap() };
            let texts = Templates::compile([(key.clone(), source)]).unwrap();
            for message in samples(&occasion) {
                let content = texts.render(&key, &message).unwrap();
                let of = Of {
                    version: 3,
                    stamps: [("debtor", "1"), ("invoice/R-1", "2")]
                        .map(|(slot, stamp)| (slot.to_owned(), stamp.to_owned()))
                        .into(),
                };
                let (_, paylink) = kulanz_engine::paylink(&account, None, at, at).unwrap();
                let to = Recipient::Email { name: None, address: "anna@example.org".to_owned() };
                let made = Made { content, to, paylink, of, at };
                kept.push((name.clone(), workshop.keep(&made).unwrap()));
            }
        }
    }
    kept
}

#[test]
fn an_email_takes_a_tenth_of_its_room_and_opens_again() {
    let (vault, account) = (Vault::new([7; 32]), "lindenmoor/K-10042".parse().unwrap());
    let (key, _) = vault.new_key(&account).unwrap();
    let shipped = shipped();
    assert!(shipped.len() > 50, "{}", shipped.len());
    let mut sizes = (0, 0);
    for (name, kept) in shipped {
        let sealed = key.seal_json(&account, "notice/N-1", &kept).unwrap();
        assert!(key.open_json(&account, "notice/N-1", &sealed).unwrap() == kept, "{name}");
        assert!(sealed.len() * 4 < kept.len(), "{name}: {} of {}", sealed.len(), kept.len());
        sizes = (sizes.0 + sealed.len(), sizes.1 + kept.len());
    }
    assert!(
        sizes.0 * 10 < sizes.1,
        "{sizes:?}: were the texts changed, so that the dictionary is of old ones?"
    );
}

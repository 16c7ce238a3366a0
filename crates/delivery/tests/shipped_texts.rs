//! Every text that is shipped renders, also for the longest message that is to be expected.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path};

use kulanz_delivery::render::{
    Content, Creditor, Occasion, Templates, TextKey, TextSource, samples,
};
use kulanz_domain::{fact::Channel, money::Currency};

/// `mahnung.de.clear.email.hbs`.
fn key(file: &str) -> TextKey {
    let parts: Vec<&str> = file.split('.').collect();
    let [text, language, tone, channel, "hbs"] = parts[..] else { panic!("file name {file}") };
    let known = Channel::ALL.into_iter().find(|known| known.name() == channel);
    TextKey {
        text: text.to_owned(),
        language: language.to_owned(),
        tone: tone.to_owned(),
        channel: known.unwrap_or_else(|| panic!("channel of {file}")),
    }
}

fn texts(folder: &Path) -> Vec<(TextKey, TextSource)> {
    let mut texts: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let source = fs::read_to_string(&path).unwrap();
            (key(&name), TextSource { file: path.display().to_string(), source })
        })
        .collect();
    texts.sort_by(|(a, _), (b, _)| a.cmp(b));
    texts
}

#[test]
fn every_shipped_text_renders_and_holds_the_link() {
    let creditor = Creditor {
        name: "Stadtwerke Lindenmoor".to_owned(),
        support_email: Some("forderungen@lindenmoor.example".to_owned()),
        support_phone: Some("+49 221 1234567".to_owned()),
        iban: Some("DE02120300000000202051".to_owned()),
        imprint: Some("Lindenmoor Versand GmbH, Münster".to_owned()),
        colour: Default::default(),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut problems = Vec::new();
    let mut checked = 0;
    for policy in ["shop-b2c", "shop-b2b", "wholesale", "road-fines"] {
        let texts = texts(&root.join(policy).join("templates"));
        let templates = match Templates::compile(texts) {
            Ok(templates) => templates,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        let occasion = Occasion {
            creditor: &creditor,
            currency: if policy == "wholesale" { Currency::USD } else { Currency::EUR },
            deadline: true,
            plans: &[3, 6],
            base_url: "https://zahlen.lindenmoor.example",
        };
        let samples = samples(&occasion);
        for key in templates.keys() {
            problems.extend(templates.check(key, &samples));
            for sample in &samples {
                match templates.render(key, sample) {
                    Ok(Content::Email(document) | Content::Letter(document)) => {
                        assert!(document.text.contains(&sample.link), "{policy} {key}");
                        assert!(document.html.contains(&sample.link), "{policy} {key}");
                    }
                    Ok(Content::Sms(sms)) => {
                        assert!(sms.text.contains(&sample.link), "{policy} {key}");
                    }
                    Err(_) => {} // among the problems
                }
            }
            checked += 1;
        }
    }
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", shown.join("\n"));
    assert!(checked >= 40, "only {checked} texts found");
}

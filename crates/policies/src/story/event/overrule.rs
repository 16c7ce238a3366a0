//! `override O-1 on R-1 until 2026-12-24, no fees, no further than reminder`; `override O-1 is
//! lifted`.

use kulanz_domain::{
    ids::*,
    money::Decimal,
    overrides::{Charges, OverrideTerms},
};

use super::{super::expect::PAY_WITH, Deed, Teller};
use crate::{
    diagnostic::did_you_mean,
    story::words::{Read, Words},
};

/// What can be different.
const CLAUSES: [&str; 9] = [
    "persona careful",
    "in en",
    "by email and sms",
    "pay with card and transfer",
    "pace 2",
    "no fees (or fees as in the policy)",
    "no interest (or interest as in the policy)",
    "minimum 50.00",
    "no further than reminder",
];

impl Teller {
    pub(super) fn overruled(&mut self, words: &mut Words<'_>) -> Read<Vec<Deed>> {
        let id = words.parse::<OverrideId>("the override's name")?;
        words.take("is");
        if words.take("lifted") {
            words.end(&[])?;
            return match self.overrides.contains(&id) {
                true => Ok(vec![Deed::LiftOverride(id)]),
                false => {
                    let known = self.overrides.iter().map(OverrideId::as_str);
                    let near = did_you_mean(id.as_str(), known);
                    Err(words.wrong_before(format!("no override {id} was set before"), near))
                }
            };
        }
        let invoice = match words.take("on") {
            true => Some(self.claim(words)?),
            false => None,
        };
        let until = match words.take("until") {
            true => Some(self.day(words)?),
            false => None,
        };
        let mut terms = OverrideTerms::default();
        while words.take(",") {
            self.term(words, &mut terms)?;
        }
        words.end(&CLAUSES)?;
        if terms.is_empty() {
            let help = format!("write behind a comma: {}", CLAUSES.join("; "));
            return Err(words.wrong("what is different is missing here".into(), Some(help)));
        }
        self.overrides.insert(id.clone());
        Ok(vec![Deed::Override { id, invoice, terms: Box::new(terms), until }])
    }

    fn term(&self, words: &mut Words<'_>, terms: &mut OverrideTerms) -> Read<()> {
        if words.take("persona") {
            terms.persona = Some(words.parse("a persona")?);
        } else if words.take("in") {
            terms.language = Some(words.word("a language")?.to_owned());
        } else if words.take("by") {
            let mut channels = vec![words.channel()?];
            while words.take("and") {
                channels.push(words.channel()?);
            }
            terms.channels = Some(channels);
        } else if words.take_phrase("pay with") {
            let mut ways = vec![words.one_of("way to pay", &PAY_WITH)?];
            while words.take("and") {
                ways.push(words.one_of("way to pay", &PAY_WITH)?);
            }
            terms.pay_with = Some(ways);
        } else if words.take("pace") {
            terms.pace = Some(words.parse::<Decimal>("a pace")?);
        } else if words.take_phrase("no fees") {
            terms.fees = Some(Charges::None);
        } else if words.take_phrase("fees as in the policy") {
            terms.fees = Some(Charges::Policy);
        } else if words.take_phrase("no interest") {
            terms.interest = Some(Charges::None);
        } else if words.take_phrase("interest as in the policy") {
            terms.interest = Some(Charges::Policy);
        } else if words.take("minimum") {
            terms.minimum = Some(words.amount(self.currency)?);
        } else if words.take_phrase("no further than") {
            terms.no_further_than = Some(words.parse("a step")?);
        } else {
            words.end(&CLAUSES)?;
            return Err(words.wrong("something is missing behind the comma".into(), None));
        }
        Ok(())
    }
}

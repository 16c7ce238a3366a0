//! What happens in a story: short sentences to facts, and to what persons do.

mod overrule;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Date};
use kulanz_domain::{
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    overrides::OverrideTerms,
};

use super::{
    minor_until,
    words::{Read, Unread, Words, birth},
};
use crate::{context::short, diagnostic::did_you_mean};

/// Something that happens, ready to be played.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// Somebody tells us a fact.
    Fact(Fact),
    /// A receipt for the message that was sent last.
    OfLastMessage(Receipt),
    /// A promise; `bool`: a person of the finance team agreed.
    Promise(Date, bool),
    /// Rates from a day on; `bool`: a person of the finance team agreed.
    Plan { rates: u32, first_on: Date, by_person: bool },
    /// A person agrees to a placement: of this claim, or the only one.
    Release(Option<InvoiceId>, String),
    /// The agency says something of the placement that was released last.
    OfPlacement(PlacementReport),
    /// A person lets a claim in that was old, or that a minor made.
    Admit(InvoiceId),
    /// A person decides differently for the account or a claim.
    Override {
        id: OverrideId,
        invoice: Option<InvoiceId>,
        terms: Box<OverrideTerms>,
        until: Option<Date>,
    },
    /// A person takes that back.
    LiftOverride(OverrideId),
    /// The account is erased.
    Erase,
}

/// How sentences begin, as they are suggested.
pub(super) const SENTENCES: [&str; 16] = [
    "invoice",
    "payment",
    "credit note",
    "dispute",
    "hold",
    "override",
    "promise",
    "plan",
    "shop reminder",
    "last message",
    "insolvency",
    "death",
    "debtor",
    "placement",
    "agency",
    "erasure",
];

/// Reads the events of one story: what an earlier sentence told, a later one can use.
pub(super) struct Teller {
    account: AccountId,
    currency: Currency,
    /// The debtor as last told.
    pub profile: DebtorProfile,
    /// Claims that an invoice stands behind.
    pub issued: BTreeSet<InvoiceId>,
    /// Claims that the sentence names, and where.
    pub mentioned: Vec<(InvoiceId, (usize, usize))>,
    payments: BTreeSet<PaymentId>,
    last_payment: Option<PaymentId>,
    disputes: BTreeMap<DisputeId, InvoiceId>,
    holds: BTreeSet<HoldId>,
    overrides: BTreeSet<OverrideId>,
    number: usize,
    /// The latest day that the sentences name.
    pub latest: Option<Date>,
    /// The last day of a plan.
    pub last_rate: Option<Date>,
}

impl Teller {
    pub fn new(account: AccountId, currency: Currency, profile: DebtorProfile) -> Self {
        Self {
            account,
            currency,
            profile,
            issued: BTreeSet::new(),
            mentioned: Vec::new(),
            payments: BTreeSet::new(),
            last_payment: None,
            disputes: BTreeMap::new(),
            holds: BTreeSet::new(),
            overrides: BTreeSet::new(),
            number: 0,
            latest: None,
            last_rate: None,
        }
    }

    /// What `text`, on the day `on` at the moment `at`, says that happens.
    pub fn read(&mut self, text: &str, on: Date, at: Timestamp) -> Read<Vec<Deed>> {
        self.number += 1;
        let words = &mut Words::of(text);
        let first = words.word("what happens")?;
        let fact = match first {
            "invoice" => self.invoice(words, on)?,
            "payment" => self.payment(words, on)?,
            "credit" => self.credit(words, on)?,
            "dispute" => self.dispute(words, on)?,
            "hold" => self.hold(words)?,
            "shop" => self.reminder(words, at)?,
            "debtor" => self.debtor(words)?,
            "insolvency" => Fact::InsolvencyOpened { on },
            "death" => Fact::DebtorDeceased { on },
            "history" => return self.history(words, on),
            "override" => return self.overruled(words),
            "promise" => return self.promise(words),
            "plan" => return self.plan(words),
            "last" => return last_message(words),
            "placement" => return self.placement(words),
            "agency" => return self.agency(words),
            "erasure" => {
                words.end(&[])?;
                return Ok(vec![Deed::Erase]);
            }
            _ => return self.of_claim(text, on),
        };
        words.end(&[])?;
        Ok(vec![Deed::Fact(fact)])
    }

    fn claim(&mut self, words: &mut Words<'_>) -> Read<InvoiceId> {
        let invoice = words.parse::<InvoiceId>("an invoice")?;
        self.mentioned.push((invoice.clone(), words.last()));
        Ok(invoice)
    }

    fn day(&mut self, words: &mut Words<'_>) -> Read<Date> {
        let day = words.day()?;
        self.latest = self.latest.max(Some(day));
        Ok(day)
    }

    fn invoice(&mut self, words: &mut Words<'_>, on: Date) -> Read<Fact> {
        let id = words.parse::<InvoiceId>("the invoice's number")?;
        if self.issued.contains(&id) {
            let message = format!("there is an invoice {id} already");
            return Err(words.wrong_before(message, Some("give it another number".into())));
        }
        words.must("of")?;
        let amount = words.money(self.currency)?;
        words.must("due")?;
        let mut invoice = Invoice {
            invoice: id.clone(),
            issued_on: on,
            due_on: self.day(words)?,
            amount,
            contract_on: None,
            contract_object_known: false,
            contract_rate: None,
            received_on: None,
            due_date_agreed: false,
            late_payment_notice: false,
            supply: Supply::default(),
            consumer_credit: false,
        };
        while words.take(",") {
            if words.take("issued") {
                invoice.issued_on = words.day()?;
            } else if words.take("received") {
                invoice.received_on = Some(self.day(words)?);
            } else if words.take_phrase("due date agreed") {
                invoice.due_date_agreed = true;
            } else if words.take_phrase("contract of") {
                invoice.contract_on = Some(words.day()?);
            } else if words.take_phrase("contract object known") {
                invoice.contract_object_known = true;
            } else if words.take_phrase("agreed rate") {
                invoice.contract_rate = Some(percent(words)?);
            } else if words.take_phrase("late payment notice") {
                invoice.late_payment_notice = true;
            } else if words.take_phrase("not for goods or services") {
                invoice.supply = Supply::Other;
            } else if words.take_phrase("consumer credit") {
                invoice.consumer_credit = true;
            } else {
                words.end(&INVOICE_CLAUSES)?;
                return Err(words.wrong("something is missing behind the comma".into(), None));
            }
        }
        words.end(&INVOICE_CLAUSES)?;
        self.issued.insert(id);
        Ok(Fact::InvoiceIssued { invoice })
    }

    fn payment(&mut self, words: &mut Words<'_>, on: Date) -> Read<Fact> {
        let named = match words.peek() {
            Some("of" | "returned" | "is" | "refunded" | "assigned") => None,
            _ => Some(words.parse::<PaymentId>("`of` and an amount")?),
        };
        if words.take("of") {
            let payment = match named {
                Some(named) => named,
                None => self.number_of("Z")?,
            };
            if !self.payments.insert(payment.clone()) {
                return Err(words.wrong(format!("there is a payment {payment} already"), None));
            }
            self.last_payment = Some(payment.clone());
            let amount = words.money(self.currency)?;
            let invoice = match words.take("for") {
                true => Some(self.claim(words)?),
                false => None,
            };
            let method = match words.take("by") {
                true => words.word("a way to pay")?.to_owned(),
                false => "transfer".to_owned(),
            };
            return Ok(Fact::PaymentReceived { payment, booked_on: on, amount, method, invoice });
        }
        let known = self.payments.iter().map(PaymentId::as_str);
        let payment = match named {
            Some(named) if self.payments.contains(&named) => named,
            Some(named) => {
                let near = did_you_mean(named.as_str(), known);
                return Err(words.wrong_before(format!("no payment {named} came before"), near));
            }
            None => self.last_payment.clone().ok_or_else(|| {
                words.wrong("no payment came before".into(), Some("write `payment of …`".into()))
            })?,
        };
        words.take("is");
        if words.take_phrase("assigned to") {
            let (to, invoice) = (self.account.clone(), Some(self.claim(words)?));
            return Ok(Fact::PaymentAssigned { payment, to, invoice });
        }
        if words.take("refunded") {
            words.must(", amount")?;
            let amount = words.money(self.currency)?;
            return Ok(Fact::PaymentRefunded { payment, on, amount });
        }
        words.must("returned")?;
        let (mut amount, mut fee) = (None, None);
        let mut reason = "AC04".to_owned();
        while words.take(",") {
            if words.take("fee") {
                fee = Some(words.amount(self.currency)?);
            } else if words.take("reason") {
                reason = words.word("a code")?.to_owned();
            } else if words.take("amount") {
                amount = Some(words.amount(self.currency)?);
            } else {
                words.end(&["fee 3.00", "amount 20.00", "reason AM04"])?;
                return Err(words.wrong("something is missing behind the comma".into(), None));
            }
        }
        Ok(Fact::PaymentReturned { payment, on, amount, reason, fee })
    }

    fn credit(&mut self, words: &mut Words<'_>, on: Date) -> Read<Fact> {
        words.must("note")?;
        let credit = match words.peek() {
            Some("of") => self.number_of("G")?,
            _ => words.parse::<CreditId>("`of` and an amount")?,
        };
        words.must("of")?;
        let amount = words.money(self.currency)?;
        words.must("for")?;
        Ok(Fact::InvoiceCredited { invoice: self.claim(words)?, credit, on, amount })
    }

    fn dispute(&mut self, words: &mut Words<'_>, on: Date) -> Read<Fact> {
        let dispute = words.parse::<DisputeId>("the dispute's name")?;
        if words.take("about") {
            let invoice = self.claim(words)?;
            self.disputes.insert(dispute.clone(), invoice.clone());
            let amount = match words.take(",") {
                true => {
                    words.must("amount")?;
                    Some(words.amount(self.currency)?)
                }
                false => None,
            };
            return Ok(Fact::DisputeOpened { dispute, invoice, on, amount });
        }
        let Some(invoice) = self.disputes.get(&dispute).cloned() else {
            let near = did_you_mean(dispute.as_str(), self.disputes.keys().map(DisputeId::as_str));
            let message = format!("no dispute {dispute} was opened before");
            let help = near.unwrap_or_else(|| format!("write `dispute {dispute} about R-1`"));
            return Err(words.wrong_before(message, Some(help)));
        };
        words.take("is");
        let (outcome, amount) = if words.take_phrase("partly upheld") {
            words.must(",")?;
            let amount = words.amount(self.currency)?;
            words.must("remains owed")?;
            (DisputeOutcome::Partly, Some(amount))
        } else {
            let ends = [("upheld", DisputeOutcome::Upheld), ("rejected", DisputeOutcome::Rejected)];
            (words.one_of("end of a dispute", &ends)?, None)
        };
        Ok(Fact::DisputeResolved { dispute, invoice, on, outcome, amount })
    }

    fn hold(&mut self, words: &mut Words<'_>) -> Read<Fact> {
        let hold = words.parse::<HoldId>("the hold's name")?;
        words.take("is");
        if words.take("released") {
            return match self.holds.contains(&hold) {
                true => Ok(Fact::HoldReleased { hold }),
                false => {
                    let near = did_you_mean(hold.as_str(), self.holds.iter().map(HoldId::as_str));
                    Err(words.wrong(format!("no hold {hold} was placed before"), near))
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
        self.holds.insert(hold.clone());
        Ok(Fact::HoldPlaced { hold, invoice, owner: "story".into(), until })
    }

    fn reminder(&mut self, words: &mut Words<'_>, at: Timestamp) -> Read<Fact> {
        words.must("reminder by")?;
        let channel = words.channel()?;
        words.must("for")?;
        let mut invoices = vec![self.claim(words)?];
        while words.take("and") {
            invoices.push(self.claim(words)?);
        }
        let (mut counts_as, mut starts_default) = (None, false);
        while words.take(",") {
            if words.take_phrase("counts as") {
                counts_as = Some(words.parse::<StepName>("a step")?);
            } else if words.take_phrase("starts default") {
                starts_default = true;
            } else {
                words.end(&["counts as STEP", "starts default"])?;
                return Err(words.wrong("something is missing behind the comma".into(), None));
            }
        }
        let notice = self.number_of("shop")?;
        Ok(Fact::ReminderReported { notice, channel, at, invoices, counts_as, starts_default })
    }

    fn debtor(&mut self, words: &mut Words<'_>) -> Read<Fact> {
        let channels =
            [("email", Channel::Email), ("mobile", Channel::Sms), ("address", Channel::Letter)];
        let profile = &mut self.profile;
        loop {
            if words.take("has") {
                let no = words.take("no");
                let channel = words.one_of("way to be reached", &channels)?;
                profile.reachable.retain(|one| *one != channel);
                if !no {
                    profile.reachable.push(channel);
                }
            } else if words.take_phrase("refuses sms") {
                profile.sms_consent = Some(false);
            } else if words.take_phrase("allows sms") {
                profile.sms_consent = Some(true);
            } else if words.take("is") {
                let not = words.take("not");
                words.must("vulnerable")?;
                profile.vulnerable = !not;
            } else if words.take_phrase("was born") {
                let told = words.word("a day of birth")?;
                let born_on = birth(told).ok_or_else(|| {
                    let message = format!("`{}` is not a day of birth", short(told));
                    words.wrong_before(message, Some("write it as 2009-05-14".into()))
                })?;
                (profile.minor_until, profile.birth_told) = (minor_until(born_on), BirthTold::Here);
            } else if words.take("speaks") {
                profile.language = words.word("a language")?.to_owned();
            } else {
                let help = "has email; has no mobile; refuses sms; is vulnerable; speaks en; \
                            was born 2009-05-14";
                return Err(words.wrong("what changes is missing here".into(), Some(help.into())));
            }
            if !words.take(",") {
                break;
            }
        }
        Ok(Fact::DebtorUpdated { profile: profile.clone() })
    }

    /// Invoices of before, paid by then: what makes somebody a regular customer.
    fn history(&mut self, words: &mut Words<'_>, on: Date) -> Read<Vec<Deed>> {
        words.must("of")?;
        let count = words.number("a number of invoices")?;
        if !(1..=60).contains(&count) {
            return Err(words.wrong_before("1 to 60 invoices make a history".into(), None));
        }
        let _ = words.take("invoice") || words.take("invoices");
        words.must("paid")?;
        let late = match words.take_phrase("on time") {
            true => 0,
            false => {
                let late = words.number("a number of days")?;
                let _ = words.take("day") || words.take("days");
                words.must("late")?;
                late
            }
        };
        if late > 29 {
            let message = "later than 29 days is default: write those invoices out".to_owned();
            return Err(words.wrong_before(message, None));
        }
        words.end(&[])?;
        let day = |days: u32| {
            on.checked_sub(i64::from(days).days())
                .map_err(|_| words.wrong("this is too early".into(), None))
        };
        let mut deeds = Vec::new();
        for number in 0..count {
            let id = format!("before-{}-{number}", self.number);
            let invoice = InvoiceId::new(&id).map_err(|error| internal(error.to_string()))?;
            let payment = PaymentId::new(&id).map_err(|error| internal(error.to_string()))?;
            self.issued.insert(invoice.clone());
            let amount = Money::new(Decimal::ONE_HUNDRED, self.currency);
            deeds.push(Deed::Fact(Fact::InvoiceIssued {
                invoice: Invoice {
                    invoice: invoice.clone(),
                    issued_on: day(60)?,
                    due_on: day(30)?,
                    amount,
                    contract_on: None,
                    contract_object_known: false,
                    contract_rate: None,
                    received_on: None,
                    due_date_agreed: false,
                    late_payment_notice: false,
                    supply: Supply::default(),
                    consumer_credit: false,
                },
            }));
            let (booked_on, method) = (day(30 - late)?, "transfer".to_owned());
            let invoice = Some(invoice);
            let paid = Fact::PaymentReceived { payment, booked_on, amount, method, invoice };
            deeds.push(Deed::Fact(paid));
        }
        Ok(deeds)
    }

    fn promise(&mut self, words: &mut Words<'_>) -> Read<Vec<Deed>> {
        words.must("until")?;
        let until = self.day(words)?;
        let by_person = words.take_phrase(", by a person");
        words.end(&["by a person"])?;
        Ok(vec![Deed::Promise(until, by_person)])
    }

    fn plan(&mut self, words: &mut Words<'_>) -> Read<Vec<Deed>> {
        words.must("of")?;
        let rates = words.number("a number of rates")?;
        if !(2..=36).contains(&rates) {
            return Err(words.wrong_before("a plan has 2 to 36 rates".into(), None));
        }
        words.must("rates from")?;
        let first_on = self.day(words)?;
        let by_person = words.take_phrase(", by a person");
        words.end(&["by a person"])?;
        let last_rate = first_on.checked_add(i64::from(rates).months()).ok();
        self.last_rate = self.last_rate.max(last_rate);
        Ok(vec![Deed::Plan { rates, first_on, by_person }])
    }

    fn placement(&mut self, words: &mut Words<'_>) -> Read<Vec<Deed>> {
        let claim = match words.take("of") {
            true => Some(self.claim(words)?),
            false => None,
        };
        words.take("is");
        words.must("released by")?;
        let by = words.word("a person")?.to_owned();
        words.end(&[])?;
        Ok(vec![Deed::Release(claim, by)])
    }

    fn agency(&mut self, words: &mut Words<'_>) -> Read<Vec<Deed>> {
        let says = ["accepts", "rejects", "closes", "receives", "reports"].map(|word| (word, word));
        let report = match words.one_of("word of an agency", &says)? {
            "accepts" => PlacementReport::Accepted,
            "rejects" => PlacementReport::Rejected,
            "closes" => PlacementReport::Closed,
            "reports" => PlacementReport::Status { state: words.word("a state")?.to_owned() },
            _ => PlacementReport::PaymentReceived {
                payment: self.number_of("agency")?,
                amount: words.money(self.currency)?,
                paid_to_creditor: false,
                split: None,
            },
        };
        words.end(&[])?;
        Ok(vec![Deed::OfPlacement(report)])
    }

    /// `R-1 is cancelled`, `20.00 of R-1 is waived`.
    fn of_claim(&mut self, text: &str, on: Date) -> Read<Vec<Deed>> {
        let words = &mut Words::of(text);
        let unknown = words.wrong(
            format!("`{}` is no event", short(text)),
            did_you_mean(words.peek().unwrap_or_default(), SENTENCES).or_else(|| {
                Some(format!("an event begins with {}, or an invoice", SENTENCES.join(", ")))
            }),
        );
        let (mut part, mut amount) = (None, None);
        if words.peek_second() == Some("of") {
            let parts = [
                ("fees", Part::Fees),
                ("interest", Part::Interest),
                ("principal", Part::Principal),
            ];
            let first = words.peek().unwrap_or_default();
            part = parts.iter().find(|(name, _)| *name == first).map(|(_, part)| *part);
            match part {
                Some(_) => words.word("a part").map(|_| ())?,
                None if first.starts_with(|c: char| c.is_ascii_digit()) => {
                    amount = Some(words.amount(self.currency)?);
                }
                None => return Err(unknown),
            }
            words.must("of")?;
        }
        if !matches!(words.peek_second(), Some("is" | "are")) {
            return Err(unknown);
        }
        let invoice = self.claim(words)?;
        let _ = words.take("is") || words.take("are");
        let fact = if words.take("waived") {
            Fact::Waived { invoice, on, amount, part }
        } else if words.take_phrase("written off") {
            Fact::WrittenOff { invoice, on, amount, part }
        } else if amount.is_some() || part.is_some() {
            return Err(words.wrong("`waived` or `written off` is wanted here".into(), None));
        } else if words.take("cancelled") {
            Fact::InvoiceCancelled { invoice, on }
        } else if words.take_phrase("adjusted to") {
            Fact::InvoiceAdjusted { invoice, on, amount: words.money(self.currency)? }
        } else if words.take_phrase("now due") {
            Fact::InvoiceRescheduled { invoice, due_on: self.day(words)? }
        } else if words.take_phrase("in default from") {
            Fact::DefaultDeclared { invoice, from: self.day(words)?, ground: "story".into() }
        } else if words.take("acknowledged") {
            Fact::Acknowledged { invoice, on }
        } else if words.take_phrase("suspended") {
            let from = if words.take("from") { words.day()? } else { on };
            let to = if words.take("to") { Some(self.day(words)?) } else { None };
            if to.is_some_and(|to| to < from) {
                return Err(words.wrong_before("this is before its beginning".into(), None));
            }
            Fact::Suspended { invoice, from, to, ground: "story".into() }
        } else if words.take("titled") {
            Fact::Titled { invoice, on }
        } else if words.take("admitted") {
            words.end(&[])?;
            return Ok(vec![Deed::Admit(invoice)]);
        } else {
            let help = "waived; written off; cancelled; adjusted to 20.00; now due 2026-05-01; in \
                        default from 2026-05-01; acknowledged; suspended to 2026-05-01; titled; \
                        admitted";
            let message = "what becomes of it is missing or unknown here".to_owned();
            return Err(words.wrong(message, Some(help.into())));
        };
        words.end(&[])?;
        Ok(vec![Deed::Fact(fact)])
    }

    /// An id made of the number of the sentence.
    fn number_of<T: std::str::FromStr<Err = IdError>>(&self, kind: &str) -> Read<T> {
        format!("{kind}-{}", self.number)
            .parse()
            .map_err(|error: IdError| internal(error.to_string()))
    }
}

const INVOICE_CLAUSES: [&str; 9] = [
    "issued 2026-03-01",
    "received 2026-03-04",
    "due date agreed",
    "contract of 2026-02-01",
    "contract object known",
    "agreed rate 8%",
    "late payment notice",
    "not for goods or services",
    "consumer credit",
];

fn internal(message: String) -> Unread {
    Unread { start: 0, end: 1, message, help: None }
}

fn last_message(words: &mut Words<'_>) -> Read<Vec<Deed>> {
    words.must("message")?;
    words.take("is");
    let ends = [
        ("bounces", Receipt::Bounced),
        ("bounced", Receipt::Bounced),
        ("fails", Receipt::Failed),
        ("failed", Receipt::Failed),
        ("delivered", Receipt::Delivered),
        ("answered", Receipt::Answered),
        ("stopped", Receipt::Stopped),
    ];
    let receipt = words.one_of("end of a message", &ends)?;
    words.end(&[])?;
    Ok(vec![Deed::OfLastMessage(receipt)])
}

fn percent(words: &mut Words<'_>) -> Read<Decimal> {
    let word = words.word("a rate")?;
    let rate = word.strip_suffix('%').and_then(|number| Decimal::from_str_exact(number).ok());
    let rate = rate.filter(|rate| !rate.is_sign_negative() && *rate <= Decimal::ONE_HUNDRED);
    rate.ok_or_else(|| {
        let message = format!("`{}` is no rate", short(word));
        words.wrong_before(message, Some("write percent a year: 8%".into()))
    })
}

//! The fold-out with every line that makes up the sum: what, on which day, how much, and what each
//! payment was used for. It shows [`Statement`], which adds up to the books by itself.

use std::collections::BTreeMap;

use jiff::{ToSpan, civil::Date};
use kulanz_domain::{
    account::Account,
    event::Allocation,
    fact::Part,
    ids::InvoiceId,
    law::DefaultGround,
    money::{Decimal, Money},
    statement::{ClaimStatement, InterestLine, Line, PaymentLine, Statement, What},
};

use crate::{
    case::{Case, Section},
    catalogue::Text,
    html::Html,
    visit::Visit,
};

/// For so long after all was paid its claims are shown; while some are open, only these.
const SETTLED_DAYS: i64 = 90;

/// All lines of a section, folded; nothing where no claim is open or was lately.
pub(crate) fn fold_out(html: &mut Html, visit: &Visit, case: &Case<'_>, section: &Section<'_>) {
    let seat = visit.rules.creditor.seat();
    let all = Statement::of(case.account, section.book.currency, seat, section.today);
    let since = section.today.saturating_sub(SETTLED_DAYS.days());
    let settled_on = |id: &InvoiceId| section.book.claim(id).and_then(|one| one.settled_on());
    let mut claims: Vec<&ClaimStatement> =
        all.claims.iter().filter(|claim| claim.open > Decimal::ZERO).collect();
    if claims.is_empty() {
        let lately = |claim: &&ClaimStatement| settled_on(&claim.invoice) >= Some(since);
        claims = all.claims.iter().filter(lately).collect();
    }
    if claims.is_empty() {
        return;
    }
    let reassigned = case.account.reassigned(section.book.currency, &visit.rules.creditor.zone);
    let page = Fold { visit, section, reassigned };
    html.raw("<details class=\"statement\" id=\"statement-").raw(section.book.currency.code());
    html.raw("\"><summary>").raw(visit.t(Text::StatementTitle)).raw("</summary>");
    page.intro(html, case.account, &claims);
    for claim in &claims {
        page.claim(html, case.account, claim);
    }
    if claims.len() > 1 {
        let amount = page.money(claims.iter().map(|claim| claim.open).sum());
        html.raw("<p class=\"all\">").text(visit.fill(Text::SumAll, &[("amount", &amount)]));
        html.raw("</p>");
    }
    let of_claims = |payment: &&PaymentLine| {
        let shown = |part: &Allocation| claims.iter().any(|claim| claim.invoice == part.invoice);
        payment.used.iter().any(shown) || rest(payment) > Decimal::ZERO
    };
    page.payments(html, &all.payments.iter().filter(of_claims).collect::<Vec<_>>());
    html.raw("</details>");
}

/// What of a payment is not used.
fn rest(payment: &PaymentLine) -> Decimal {
    payment.net - payment.used.iter().map(|part| part.amount).sum::<Decimal>()
}

struct Fold<'a> {
    visit: &'a Visit,
    section: &'a Section<'a>,
    /// Claims that have lost a payment, and when.
    reassigned: BTreeMap<InvoiceId, Date>,
}

impl Fold<'_> {
    fn money(&self, amount: Decimal) -> String {
        self.visit.lang.money(self.section.money(amount))
    }

    /// Up to which day interest is counted, and why no further.
    fn intro(&self, html: &mut Html, account: &Account, claims: &[&ClaimStatement]) {
        let (visit, today) = (self.visit, self.section.today);
        let charged = |claim: &&&ClaimStatement| {
            claim.lines.iter().any(|line| matches!(line.what, What::Interest(_)))
        };
        let charged = claims.iter().filter(charged);
        let to = charged.filter_map(|claim| claim.interest_to).max();
        let text = if to.is_some() { Text::StatementIntro } else { Text::StatementIntroPlain };
        let day = visit.lang.date(to.unwrap_or(today));
        html.element("p", visit.fill(text, &[("date", &day)]));
        let known_to = account.base_rates.as_ref().map(|rates| rates.last_day());
        if to.is_some_and(|to| to < today && known_to == Some(to)) {
            html.element("p", visit.t(Text::RatesEnd));
        }
    }

    fn claim(&self, html: &mut Html, account: &Account, claim: &ClaimStatement) {
        let visit = self.visit;
        html.raw("<table><caption>").raw(visit.t(Text::Invoice)).raw(" ");
        html.text(claim.invoice.as_str()).raw("</caption><thead><tr>");
        self.columns(html);
        html.raw("</tr></thead><tbody>");
        for line in &claim.lines {
            html.raw("<tr><td>");
            self.what(html, line);
            html.raw("</td><td class=\"sum\">").text(self.money(line.amount)).raw("</td></tr>");
        }
        html.raw("</tbody><tfoot><tr><th scope=\"row\">");
        html.raw(visit.t(Text::SumOpen)).raw("</th><td class=\"sum\">");
        html.text(self.money(claim.open)).raw("</td></tr></tfoot></table>");
        if let Some(on) = self.reassigned.get(&claim.invoice).filter(|_| claim.open > Decimal::ZERO)
        {
            let gaps = [("date", &*visit.lang.date(*on))];
            html.element("p", visit.fill(Text::Reassigned, &gaps));
        }
        self.default(html, account, claim);
    }

    fn what(&self, html: &mut Html, line: &Line) {
        let visit = self.visit;
        let text = match &line.what {
            What::Interest(interest) => return self.interest(html, interest),
            What::Invoiced => Text::LineInvoiced,
            What::Adjusted => Text::LineAdjusted,
            What::Cancelled => Text::LineCancelled,
            What::Credited { .. } => Text::LineCredited,
            What::Remitted => Text::LineRemitted,
            What::Fee { .. } => Text::LineFee,
            What::LumpSum { .. } => Text::LineLumpSum,
            What::BankFee { .. } => Text::LineBankFee,
            What::Paid { part, .. } => match part {
                Part::Fees => Text::LinePaidFees,
                Part::Interest => Text::LinePaidInterest,
                Part::Principal => Text::LinePaid,
            },
            What::Waived { part } => match part {
                Part::Fees => Text::LineWaivedFees,
                Part::Interest => Text::LineWaivedInterest,
                Part::Principal => Text::LineWaived,
            },
            What::WrittenOff { part } => match part {
                Part::Fees => Text::LineWrittenOffFees,
                Part::Interest => Text::LineWrittenOffInterest,
                Part::Principal => Text::LineWrittenOff,
            },
        };
        self.day(html, line.on);
        html.raw(visit.t(text));
    }

    fn day(&self, html: &mut Html, on: Date) {
        html.raw("<span class=\"soft day\">").text(self.visit.lang.short_date(on));
        html.raw("</span> ");
    }

    /// Two columns, so that there is room on a phone.
    fn columns(&self, html: &mut Html) {
        html.raw("<th scope=\"col\">").raw(self.visit.t(Text::LineWhat)).raw("</th>");
        html.raw("<th scope=\"col\" class=\"sum\">").raw(self.visit.t(Text::Amount));
        html.raw("</th>");
    }

    fn interest(&self, html: &mut Html, line: &InterestLine) {
        let (visit, lang) = (self.visit, self.visit.lang);
        let (from, to) = (lang.short_date(line.from), lang.short_date(line.to));
        html.text(visit.fill(Text::LineInterest, &[("from", &from), ("to", &to)]));
        let days = match line.days {
            1 => visit.t(Text::OneDay).to_owned(),
            count => visit.fill(Text::Days, &[("count", &count.to_string())]),
        };
        let amount = self.money(line.principal);
        let base = line.base_percent;
        let text = if base.is_some() { Text::InterestOverBase } else { Text::InterestOn };
        let base = base.unwrap_or_default();
        let points = lang.percent(line.percent - base);
        let gaps = [
            ("days", days.as_str()),
            ("amount", &amount),
            ("percent", &lang.percent(line.percent)),
            ("base", &lang.percent(base)),
            ("points", points.trim_end_matches(['%', '\u{a0}', ' '])),
        ];
        html.raw("<br><span class=\"soft\">").text(visit.fill(text, &gaps)).raw("</span>");
    }

    /// Since when the debtor is in default and why, in a sentence a stretch; only of stretches with
    /// interest: where a claim was paid or put off in time there is nothing to explain.
    fn default(&self, html: &mut Html, account: &Account, claim: &ClaimStatement) {
        let bore_interest = |from: Date, to: Option<Date>| {
            claim.lines.iter().any(|line| match &line.what {
                What::Interest(days) => from <= days.to && to.is_none_or(|to| days.from <= to),
                _ => false,
            })
        };
        let told = claim.default.iter().filter(|line| bore_interest(line.from, line.to));
        let told: Vec<_> = told.collect();
        if told.is_empty() {
            return;
        }
        let visit = self.visit;
        html.raw("<p class=\"default\">");
        for line in told {
            let text = match line.ground {
                DefaultGround::Notice if by_deadline(account, claim, line.from) => {
                    Text::DefaultNotice
                }
                DefaultGround::Notice => Text::DefaultMahnung,
                DefaultGround::AgreedDate => Text::DefaultAgreed,
                DefaultGround::ThirtyDays => Text::DefaultThirtyDays,
                DefaultGround::Declared => Text::DefaultDeclared,
            };
            html.text(visit.fill(text, &[("date", &visit.lang.date(line.from))])).raw(" ");
            if let Some(to) = line.to {
                let gaps = [("date", &*visit.lang.date(to))];
                html.text(visit.fill(Text::DefaultEnded, &gaps)).raw(" ");
            }
        }
        html.raw("</p>");
    }

    fn payments(&self, html: &mut Html, payments: &[&PaymentLine]) {
        if payments.is_empty() {
            return;
        }
        let visit = self.visit;
        html.raw("<table><caption>").raw(visit.t(Text::UsedTitle)).raw("</caption><thead><tr>");
        self.columns(html);
        html.raw("</tr></thead><tbody>");
        for payment in payments {
            html.raw("<tr><td>");
            self.day(html, payment.booked_on);
            html.raw("<ul>");
            for part in &payment.used {
                let text = match part.part {
                    Part::Fees => Text::UsedForFees,
                    Part::Interest => Text::UsedForInterest,
                    Part::Principal => Text::UsedFor,
                };
                let amount = self.money(part.amount);
                let gaps = [("amount", amount.as_str()), ("invoice", part.invoice.as_str())];
                html.element("li", visit.fill(text, &gaps));
            }
            for (text, amount) in
                [(Text::WentBack, payment.received - payment.net), (Text::NotUsed, rest(payment))]
            {
                if amount > Decimal::ZERO {
                    let amount = self.money(amount);
                    html.element("li", visit.fill(text, &[("amount", &amount)]));
                }
            }
            html.raw("</ul>");
            if payment.implied {
                html.element("p", visit.t(Text::UsedImplied));
            }
            let received = Money::new(payment.received, self.section.book.currency);
            html.raw("</td><td class=\"sum\">").text(visit.lang.money(received));
            html.raw("</td></tr>");
        }
        html.raw("</tbody></table>");
    }
}

/// The Mahnung that the default on `from` began with told a deadline.
fn by_deadline(account: &Account, claim: &ClaimStatement, from: Date) -> bool {
    let Some(known) = account.claims.get(&claim.invoice) else { return false };
    let mut begun = known.defaults.iter().filter(|(_, day)| **day == from);
    begun.any(|(notice, _)| account.notices.get(notice).is_some_and(|one| one.deadline.is_some()))
}

//! Writes the read side: rows that are computed from events and can be computed again.

use std::collections::BTreeMap;

use super::{
    code::{moment, text},
    pool::{Step, step},
};
use crate::{BookRow, ClaimRow, NoticeRow, Views, WorkRow};

const DROP_BOOKS: &str = "DELETE FROM books WHERE account = ANY($1::bigint[])
    AND (account, currency) NOT IN (SELECT * FROM unnest($2::bigint[], $3::text[]))";

const PUT_BOOKS: &str = "INSERT INTO books (account, currency, principal, paid, credited,
    unallocated, outstanding, fees, claims, open_claims)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[],
    $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
    ON CONFLICT (account, currency) DO UPDATE SET principal = excluded.principal,
    paid = excluded.paid, credited = excluded.credited, unallocated = excluded.unallocated,
    outstanding = excluded.outstanding, fees = excluded.fees, claims = excluded.claims,
    open_claims = excluded.open_claims";

const PUT_CLAIMS: &str = "INSERT INTO claims (account, invoice, currency, issued_on, due_on,
    principal, outstanding, fees, step, state)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::date[], $5::date[],
    $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::text[])
    ON CONFLICT (account, invoice) DO UPDATE SET currency = excluded.currency,
    issued_on = excluded.issued_on, due_on = excluded.due_on, principal = excluded.principal,
    outstanding = excluded.outstanding, fees = excluded.fees, step = excluded.step,
    state = excluded.state";

const PUT_NOTICES: &str = "INSERT INTO notices (account, notice, step, persona, channel, state,
    decided_at, sent_at)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[],
    $6::text[], $7::timestamptz[], $8::timestamptz[])
    ON CONFLICT (account, notice) DO UPDATE SET step = excluded.step,
    persona = excluded.persona, channel = excluded.channel, state = excluded.state,
    decided_at = excluded.decided_at, sent_at = excluded.sent_at";

const DROP_WORK: &str = "DELETE FROM work WHERE account = ANY($1::bigint[])";

const PUT_WORK: &str = "INSERT INTO work (account, list, item, since, detail)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])";

/// Nothing of an account's earlier rows remains.
pub(super) const CLEAR: [&str; 4] = [
    "DELETE FROM books WHERE account = $1",
    "DELETE FROM claims WHERE account = $1",
    "DELETE FROM notices WHERE account = $1",
    "DELETE FROM work WHERE account = $1",
];

/// Rows of the tables `books`, `claims`, `notices`, `work`, each once: the last said counts.
#[derive(Default)]
pub(super) struct ViewRows<'v> {
    /// Accounts whose earlier books and work go.
    replaced: Vec<i64>,
    books: BTreeMap<(i64, &'v str), &'v BookRow>,
    claims: BTreeMap<(i64, &'v str), &'v ClaimRow>,
    notices: BTreeMap<(i64, &'v str), &'v NoticeRow>,
    work: BTreeMap<(i64, &'v str, &'v str), &'v WorkRow>,
}

impl<'v> ViewRows<'v> {
    /// Books and work replace all earlier ones unless nothing of them goes, claims and notices
    /// those of the same id; an account without rows has none to replace.
    pub(super) fn add(&mut self, account: i64, views: &'v Views, without_rows: bool) {
        if !without_rows && !views.nothing_goes {
            self.replaced.push(account);
        }
        let books = views.books.iter().map(|row| ((account, row.currency.code()), row));
        self.books.extend(books);
        let claims = views.claims.iter().map(|row| ((account, row.invoice.as_str()), row));
        self.claims.extend(claims);
        let notices = views.notices.iter().map(|row| ((account, row.notice.as_str()), row));
        self.notices.extend(notices);
        let work = views.work.iter().map(|row| ((account, &row.list[..], &row.item[..]), row));
        self.work.extend(work);
    }

    pub(super) fn steps(&self) -> Vec<Step<'v>> {
        let mut steps = Vec::new();
        if !self.replaced.is_empty() {
            steps.push(step!(
                DROP_BOOKS,
                self.replaced.clone(),
                self.books.keys().map(|key| key.0).collect::<Vec<_>>(),
                self.books.keys().map(|key| key.1).collect::<Vec<_>>(),
            ));
            steps.push(step!(DROP_WORK, self.replaced.clone()));
        }
        self.put_books(&mut steps);
        self.put_claims(&mut steps);
        self.put_notices(&mut steps);
        self.put_work(&mut steps);
        steps
    }

    fn put_books(&self, steps: &mut Vec<Step<'v>>) {
        let figure = |of: fn(&BookRow) -> i64| -> Vec<i64> {
            self.books.values().map(|row| of(row)).collect()
        };
        if !self.books.is_empty() {
            steps.push(step!(
                PUT_BOOKS,
                self.books.keys().map(|key| key.0).collect::<Vec<_>>(),
                self.books.keys().map(|key| key.1).collect::<Vec<_>>(),
                figure(|row| row.principal),
                figure(|row| row.paid),
                figure(|row| row.credited),
                figure(|row| row.unallocated),
                figure(|row| row.outstanding),
                figure(|row| row.fees),
                figure(|row| row.claims),
                figure(|row| row.open_claims),
            ));
        }
    }

    fn put_claims(&self, steps: &mut Vec<Step<'v>>) {
        let rows = || self.claims.values();
        if !self.claims.is_empty() {
            steps.push(step!(
                PUT_CLAIMS,
                self.claims.keys().map(|key| key.0).collect::<Vec<_>>(),
                self.claims.keys().map(|key| key.1).collect::<Vec<_>>(),
                rows().map(|row| row.currency.code()).collect::<Vec<_>>(),
                rows().map(|row| row.issued_on).collect::<Vec<_>>(),
                rows().map(|row| row.due_on).collect::<Vec<_>>(),
                rows().map(|row| row.principal).collect::<Vec<_>>(),
                rows().map(|row| row.outstanding).collect::<Vec<_>>(),
                rows().map(|row| row.fees).collect::<Vec<_>>(),
                rows().map(|row| row.step.as_ref().map(|step| step.as_str())).collect::<Vec<_>>(),
                rows().map(|row| text(&row.state)).collect::<Vec<_>>(),
            ));
        }
    }

    fn put_notices(&self, steps: &mut Vec<Step<'v>>) {
        let rows = || self.notices.values();
        if !self.notices.is_empty() {
            steps.push(step!(
                PUT_NOTICES,
                self.notices.keys().map(|key| key.0).collect::<Vec<_>>(),
                self.notices.keys().map(|key| key.1).collect::<Vec<_>>(),
                rows().map(|row| row.step.as_ref().map(|step| step.as_str())).collect::<Vec<_>>(),
                rows().map(|row| row.persona.as_deref().map(text)).collect::<Vec<_>>(),
                rows().map(|row| row.channel.name()).collect::<Vec<_>>(),
                rows().map(|row| text(&row.state)).collect::<Vec<_>>(),
                rows().map(|row| moment(row.decided_at)).collect::<Vec<_>>(),
                rows().map(|row| row.sent_at.map(moment)).collect::<Vec<_>>(),
            ));
        }
    }

    fn put_work(&self, steps: &mut Vec<Step<'v>>) {
        let rows = || self.work.values();
        if !self.work.is_empty() {
            steps.push(step!(
                PUT_WORK,
                self.work.keys().map(|key| key.0).collect::<Vec<_>>(),
                self.work.keys().map(|key| key.1).collect::<Vec<_>>(),
                self.work.keys().map(|key| key.2).collect::<Vec<_>>(),
                rows().map(|row| moment(row.since)).collect::<Vec<_>>(),
                rows().map(|row| text(&row.detail)).collect::<Vec<_>>(),
            ));
        }
    }
}

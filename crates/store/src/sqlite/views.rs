//! Writes the read side: rows that are computed from events and can be computed again.

use rusqlite::{Connection, Statement, params};

use super::{code, sql};
use crate::{BookRow, ClaimRow, NoticeRow, StoreError, Views, WorkRow};

/// Prepared statements for the tables `books`, `claims`, `notices`, `work`.
pub(super) struct ViewWriter<'c> {
    connection: &'c Connection,
    put_book: Statement<'c>,
    put_claim: Statement<'c>,
    put_notice: Statement<'c>,
    put_work: Statement<'c>,
    currencies: Statement<'c>,
    clear_work: Statement<'c>,
}

impl<'c> ViewWriter<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            connection,
            put_book: connection.prepare(sql::PUT_BOOK)?,
            put_claim: connection.prepare(sql::PUT_CLAIM)?,
            put_notice: connection.prepare(sql::PUT_NOTICE)?,
            put_work: connection.prepare(sql::PUT_WORK)?,
            currencies: connection.prepare("SELECT currency FROM books WHERE account = ?1")?,
            clear_work: connection.prepare("DELETE FROM work WHERE account = ?1")?,
        })
    }

    /// Books and work replace all earlier ones unless nothing of them goes, claims and notices those of the same id.
    pub(super) fn update(&mut self, account: i64, views: &Views) -> Result<(), StoreError> {
        if !views.nothing_goes {
            self.drop_books_not_in(account, &views.books)?;
            self.clear_work.execute([account])?;
        }
        self.insert(account, views)
    }

    /// As [`Self::update`] for an account that has no rows yet.
    pub(super) fn insert(&mut self, account: i64, views: &Views) -> Result<(), StoreError> {
        for book in &views.books {
            self.put_book(account, book)?;
        }
        for claim in &views.claims {
            self.put_claim(account, claim)?;
        }
        for notice in &views.notices {
            self.put_notice(account, notice)?;
        }
        for item in &views.work {
            self.put_work(account, item)?;
        }
        Ok(())
    }

    /// Nothing of the account's earlier rows remains.
    pub(super) fn replace(&mut self, account: i64, views: &Views) -> Result<(), StoreError> {
        for table in ["books", "claims", "notices", "work"] {
            self.connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE account = ?1"))?
                .execute([account])?;
        }
        self.insert(account, views)
    }

    fn drop_books_not_in(&mut self, account: i64, books: &[BookRow]) -> Result<(), StoreError> {
        let mut gone: Vec<String> = Vec::new();
        let mut rows = self.currencies.query([account])?;
        while let Some(row) = rows.next()? {
            let found = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            if !books.iter().any(|book| book.currency.code() == found) {
                gone.push(found.to_owned());
            }
        }
        drop(rows);
        for currency in gone {
            self.connection
                .prepare_cached("DELETE FROM books WHERE account = ?1 AND currency = ?2")?
                .execute(params![account, currency])?;
        }
        Ok(())
    }

    fn put_book(&mut self, account: i64, row: &BookRow) -> Result<(), StoreError> {
        self.put_book.execute(params![
            account,
            row.currency.code(),
            row.principal,
            row.paid,
            row.credited,
            row.unallocated,
            row.outstanding,
            row.fees,
            row.claims,
            row.open_claims,
        ])?;
        Ok(())
    }

    fn put_claim(&mut self, account: i64, row: &ClaimRow) -> Result<(), StoreError> {
        self.put_claim.execute(params![
            account,
            row.invoice.as_str(),
            row.currency.code(),
            code::day(row.issued_on),
            code::day(row.due_on),
            row.principal,
            row.outstanding,
            row.fees,
            row.step.as_ref().map(|step| step.as_str()),
            row.state,
        ])?;
        Ok(())
    }

    fn put_notice(&mut self, account: i64, row: &NoticeRow) -> Result<(), StoreError> {
        self.put_notice.execute(params![
            account,
            row.notice.as_str(),
            row.step.as_ref().map(|step| step.as_str()),
            row.persona,
            row.channel.name(),
            row.state,
            code::moment(row.decided_at),
            row.sent_at.map(code::moment),
        ])?;
        Ok(())
    }

    fn put_work(&mut self, account: i64, row: &WorkRow) -> Result<(), StoreError> {
        self.put_work.execute(params![
            account,
            row.list,
            row.item,
            code::moment(row.since),
            row.detail
        ])?;
        Ok(())
    }
}

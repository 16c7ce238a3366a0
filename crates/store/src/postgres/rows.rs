//! The rows of a round of appends: a statement a table, each with all its rows as arrays.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kulanz_domain::ids::{AccountId, NoticeId};

use super::{
    batch::Holds,
    code::{moment, not_before, text},
    pool::{Step, step},
    views::ViewRows,
};
use crate::{
    KeyChange, NewEvent, OutboxChange, OutboxRow, OutboxState, QuickMap, RequestRow, Secret,
    StoreError, Wake, code::state_name,
};

const NEW_HEADS: &str = "INSERT INTO accounts (creditor, debtor, partition, version, wake_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::timestamptz[])
    RETURNING number, creditor, debtor, version";

const MOVE_HEADS: &str = "UPDATE accounts SET version = moved.version
    FROM unnest($1::bigint[], $2::bigint[]) AS moved(number, version)
    WHERE accounts.number = moved.number";

const MOVE_HEADS_AND_WAKES: &str = "UPDATE accounts
    SET version = moved.version, wake_at = moved.wake_at
    FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS moved(number, version, wake_at)
    WHERE accounts.number = moved.number";

const MOVE_EXPECTED: &str = "UPDATE accounts SET version = moved.version,
    wake_at = CASE WHEN moved.keep THEN accounts.wake_at ELSE moved.wake_at END
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bool[], $6::timestamptz[])
    AS moved(creditor, debtor, expected, version, keep, wake_at)
    WHERE accounts.creditor = moved.creditor COLLATE \"C\"
    AND accounts.debtor = moved.debtor COLLATE \"C\" AND accounts.version = moved.expected
    RETURNING accounts.number, accounts.creditor, accounts.debtor, accounts.version";

const ADD_EVENTS: &str = "INSERT INTO events
    (position, account, version, kind, payload, recorded_at, cause)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
    $6::timestamptz[], $7::text[])";

const PUT_SNAPSHOTS: &str = "INSERT INTO snapshots (account, version, state)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
    ON CONFLICT (account) DO UPDATE SET version = excluded.version, state = excluded.state";

const REMEMBER: &str = "INSERT INTO inbox (key) SELECT * FROM unnest($1::bytea[])";

const ANSWER: &str = "INSERT INTO requests (request, fingerprint, begun_at, answer)
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::timestamptz[], $4::bytea[])";

const CREATE_KEYS: &str = "INSERT INTO keys (account, wrapped, destroyed)
    SELECT account, wrapped, false FROM unnest($1::bigint[], $2::bytea[]) AS new(account, wrapped)
    ON CONFLICT (account) DO UPDATE SET wrapped = excluded.wrapped, destroyed = false
    WHERE keys.destroyed RETURNING account";

const PUT_SECRETS: &str = "INSERT INTO secrets (account, slot, stamp, sealed)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[])
    ON CONFLICT (account, slot) DO UPDATE SET stamp = excluded.stamp, sealed = excluded.sealed
    WHERE excluded.stamp >= secrets.stamp";

const FORGET_SECRETS: &str = "DELETE FROM secrets
    USING unnest($1::bigint[], $2::text[]) AS gone(account, slot)
    WHERE secrets.account = gone.account AND secrets.slot = gone.slot COLLATE \"C\"";

const PUT_MESSAGES: &str = "INSERT INTO outbox (notice, account, channel, step, state, attempts,
    next_at, decided_at, changed_at, detail, of_creditor, traceparent)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[],
    $6::bigint[], $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::text[],
    $11::text[], $12::text[])";

/// In the order in which all lock messages (`sending.rs`).
const MOVE_MESSAGES: &str = "WITH moved AS (
        SELECT outbox.number, asked.*
        FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[])
        AS asked(notice, to_state, to_next, to_changed, to_detail)
        JOIN outbox ON outbox.notice = asked.notice COLLATE \"C\"
        ORDER BY outbox.notice FOR NO KEY UPDATE OF outbox
    )
    UPDATE outbox SET state = to_state, next_at = to_next, changed_at = to_changed,
    detail = to_detail FROM moved WHERE outbox.number = moved.number RETURNING outbox.notice";

const PUT_PAYLINKS: &str = "INSERT INTO paylinks
    (token_hash, account, notice, created_at, expires_at)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::timestamptz[],
    $5::timestamptz[])";

const ERASE: [&str; 3] = [
    "UPDATE keys SET wrapped = '', destroyed = true WHERE account = ANY($1::bigint[])",
    "DELETE FROM secrets WHERE account = ANY($1::bigint[])",
    "DELETE FROM paylinks WHERE account = ANY($1::bigint[])",
];

const NOTE_ERASURES: &str = "INSERT INTO erasures (account, version)
    SELECT * FROM unnest($1::bigint[], $2::bigint[])
    ON CONFLICT (account) DO UPDATE SET version = excluded.version";

/// A statement with the number of rows that it must answer with, and what is wrong where not.
pub(super) type Checked<'b> = (Step<'b>, Option<(usize, String)>);

/// The moment of the wake-up that an append sets, where it sets one.
fn wake_at(holds: &Holds<'_>) -> Option<Timestamp> {
    match holds.append.wake {
        Wake::At(at) => Some(not_before(at)),
        Wake::Keep | Wake::Never => None,
    }
}

/// The heads of accounts that are new; answers with their numbers.
pub(super) fn new_heads<'b>(new: &[&Holds<'b>]) -> Step<'b> {
    let accounts = || new.iter().map(|holds| &holds.append.account);
    step!(
        NEW_HEADS,
        accounts().map(|account| account.creditor.as_str()).collect::<Vec<_>>(),
        accounts().map(|account| account.debtor.as_str()).collect::<Vec<_>>(),
        new.iter().map(|holds| i32::from(holds.append.partition)).collect::<Vec<_>>(),
        new.iter().map(|holds| holds.version() as i64).collect::<Vec<_>>(),
        new.iter().map(|holds| wake_at(holds)).collect::<Vec<_>>(),
    )
}

/// Moves the heads of accounts that are there from the versions that are expected; answers with
/// those that were so, as they are then.
pub(super) fn move_heads<'b>(moved: &[&Holds<'b>]) -> Step<'b> {
    let accounts = || moved.iter().map(|holds| &holds.append.account);
    step!(
        MOVE_EXPECTED,
        accounts().map(|account| account.creditor.as_str()).collect::<Vec<_>>(),
        accounts().map(|account| account.debtor.as_str()).collect::<Vec<_>>(),
        moved.iter().map(|holds| holds.append.expected_version as i64).collect::<Vec<_>>(),
        moved.iter().map(|holds| holds.version() as i64).collect::<Vec<_>>(),
        moved.iter().map(|holds| holds.append.wake == Wake::Keep).collect::<Vec<_>>(),
        moved.iter().map(|holds| wake_at(holds)).collect::<Vec<_>>(),
    )
}

/// Puts inbox keys, in an order that is everybody's.
pub(super) fn remember(mut keys: Vec<&[u8]>) -> Step<'_> {
    keys.sort_unstable();
    step!(REMEMBER, keys)
}

/// Keeps requests with their answers, in an order that is everybody's.
pub(super) fn answer(mut requests: Vec<&RequestRow>) -> Step<'_> {
    requests.sort_unstable_by_key(|row| row.request);
    step!(
        ANSWER,
        requests.iter().map(|row| &row.request[..]).collect::<Vec<_>>(),
        requests.iter().map(|row| &row.fingerprint[..]).collect::<Vec<_>>(),
        requests.iter().map(|row| moment(row.begun_at)).collect::<Vec<_>>(),
        requests.iter().map(|row| row.answer.as_deref()).collect::<Vec<_>>(),
    )
}

/// Appends of different accounts with what they need of the database.
pub(super) struct Round<'b> {
    appends: Vec<(&'b Holds<'b>, i64)>,
    positions: &'b QuickMap<usize, Vec<i64>>,
}

impl<'b> Round<'b> {
    pub(super) fn new(
        round: &'b [Holds<'b>],
        heads: &QuickMap<AccountId, (i64, u64)>,
        positions: &'b QuickMap<usize, Vec<i64>>,
    ) -> Result<Self, StoreError> {
        let numbered = round.iter().map(|holds| {
            let account = &holds.append.account;
            let head = heads.get(account);
            let (number, _) =
                head.ok_or_else(|| StoreError::Damaged(format!("{account} has no number")))?;
            Ok((holds, *number))
        });
        Ok(Self { appends: numbered.collect::<Result<_, StoreError>>()?, positions })
    }

    /// What to write, in this order.
    pub(super) fn steps(&self) -> Vec<Checked<'b>> {
        let mut steps = Vec::new();
        self.heads(&mut steps);
        self.inbox(&mut steps);
        self.requests(&mut steps);
        steps.extend(self.steps_after_heads());
        steps
    }

    /// The same without heads, inbox keys and requests.
    pub(super) fn steps_after_heads(&self) -> Vec<Checked<'b>> {
        let mut steps = Vec::new();
        self.events(&mut steps);
        self.snapshots(&mut steps);
        self.keys(&mut steps);
        self.secrets(&mut steps);
        self.forgets(&mut steps);
        self.messages(&mut steps);
        self.moves(&mut steps);
        self.paylinks(&mut steps);
        self.views(&mut steps);
        // Last, so that nothing which came with it survives.
        self.erasures(&mut steps);
        steps
    }

    /// Leaves the index of wake-ups alone where the wake-up stays.
    fn heads(&self, steps: &mut Vec<Checked<'b>>) {
        let moved = || self.appends.iter().filter(|(holds, _)| !holds.new);
        let keep: Vec<_> = moved()
            .filter(|(holds, _)| holds.append.wake == Wake::Keep && !holds.append.events.is_empty())
            .collect();
        if !keep.is_empty() {
            steps.push((
                step!(
                    MOVE_HEADS,
                    keep.iter().map(|(_, number)| *number).collect::<Vec<_>>(),
                    keep.iter().map(|(holds, _)| holds.version() as i64).collect::<Vec<_>>(),
                ),
                None,
            ));
        }
        let wake: Vec<_> = moved().filter(|(holds, _)| holds.append.wake != Wake::Keep).collect();
        if !wake.is_empty() {
            steps.push((
                step!(
                    MOVE_HEADS_AND_WAKES,
                    wake.iter().map(|(_, number)| *number).collect::<Vec<_>>(),
                    wake.iter().map(|(holds, _)| holds.version() as i64).collect::<Vec<_>>(),
                    wake.iter().map(|(holds, _)| wake_at(holds)).collect::<Vec<_>>(),
                ),
                None,
            ));
        }
    }

    fn events(&self, steps: &mut Vec<Checked<'b>>) {
        let mut rows: Vec<(i64, i64, i64, &'b NewEvent)> = Vec::new();
        for (holds, number) in &self.appends {
            let positions = self.positions.get(&holds.place).map_or(&[][..], Vec::as_slice);
            let version = holds.append.expected_version as i64;
            let numbered = positions.iter().zip(version + 1..).zip(&holds.append.events);
            rows.extend(numbered.map(|((at, version), event)| (*at, *number, version, event)));
        }
        if rows.is_empty() {
            return;
        }
        steps.push((
            step!(
                ADD_EVENTS,
                rows.iter().map(|row| row.0).collect::<Vec<_>>(),
                rows.iter().map(|row| row.1).collect::<Vec<_>>(),
                rows.iter().map(|row| row.2).collect::<Vec<_>>(),
                rows.iter().map(|row| row.3.kind).collect::<Vec<_>>(),
                rows.iter().map(|row| text(&row.3.payload)).collect::<Vec<_>>(),
                rows.iter().map(|row| moment(row.3.recorded_at)).collect::<Vec<_>>(),
                rows.iter().map(|row| text(&row.3.cause)).collect::<Vec<_>>(),
            ),
            None,
        ));
    }

    fn inbox(&self, steps: &mut Vec<Checked<'b>>) {
        let keys: Vec<&[u8]> =
            self.appends.iter().flat_map(|(holds, _)| holds.inbox).map(|key| &key[..]).collect();
        if !keys.is_empty() {
            steps.push((remember(keys), None));
        }
    }

    fn requests(&self, steps: &mut Vec<Checked<'b>>) {
        let requests: Vec<&RequestRow> =
            self.appends.iter().flat_map(|(holds, _)| &holds.append.requests).collect();
        if !requests.is_empty() {
            steps.push((answer(requests), None));
        }
    }

    fn snapshots(&self, steps: &mut Vec<Checked<'b>>) {
        let taken: Vec<(i64, i64, &[u8])> = self
            .appends
            .iter()
            .filter_map(|(holds, number)| {
                let state = holds.append.snapshot.as_deref()?;
                Some((*number, holds.version() as i64, state))
            })
            .collect();
        if !taken.is_empty() {
            steps.push((
                step!(
                    PUT_SNAPSHOTS,
                    taken.iter().map(|row| row.0).collect::<Vec<_>>(),
                    taken.iter().map(|row| row.1).collect::<Vec<_>>(),
                    taken.iter().map(|row| row.2).collect::<Vec<_>>(),
                ),
                None,
            ));
        }
    }

    fn keys(&self, steps: &mut Vec<Checked<'b>>) {
        let created: Vec<(i64, &[u8], &AccountId)> = self
            .appends
            .iter()
            .filter_map(|(holds, number)| match &holds.append.key {
                KeyChange::Create(wrapped) => Some((*number, &wrapped[..], &holds.append.account)),
                KeyChange::Keep | KeyChange::Destroy => None,
            })
            .collect();
        if !created.is_empty() {
            let wrong = format!("{} has a key already", one_of(created.iter().map(|row| row.2)));
            steps.push((
                step!(
                    CREATE_KEYS,
                    created.iter().map(|row| row.0).collect::<Vec<_>>(),
                    created.iter().map(|row| row.1).collect::<Vec<_>>(),
                ),
                Some((created.len(), wrong)),
            ));
        }
    }

    fn secrets(&self, steps: &mut Vec<Checked<'b>>) {
        let mut rows: BTreeMap<(i64, &str), &'b Secret> = BTreeMap::new();
        for (holds, number) in &self.appends {
            for secret in &holds.append.secrets {
                let kept = rows.entry((*number, &secret.slot)).or_insert(secret);
                if secret.stamp >= kept.stamp {
                    *kept = secret;
                }
            }
        }
        if !rows.is_empty() {
            steps.push((
                step!(
                    PUT_SECRETS,
                    rows.keys().map(|(number, _)| *number).collect::<Vec<_>>(),
                    rows.values().map(|secret| text(&secret.slot)).collect::<Vec<_>>(),
                    rows.values().map(|secret| text(&secret.stamp)).collect::<Vec<_>>(),
                    rows.values().map(|secret| &secret.sealed[..]).collect::<Vec<_>>(),
                ),
                None,
            ));
        }
    }

    /// After those that are put.
    fn forgets(&self, steps: &mut Vec<Checked<'b>>) {
        let (mut numbers, mut slots) = (Vec::new(), Vec::new());
        for (holds, number) in &self.appends {
            numbers.extend(holds.append.forgets.iter().map(|_| *number));
            slots.extend(holds.append.forgets.iter().map(|slot| text(slot)));
        }
        if !slots.is_empty() {
            steps.push((step!(FORGET_SECRETS, numbers, slots), None));
        }
    }

    fn messages(&self, steps: &mut Vec<Checked<'b>>) {
        // In the order of the batch: that is the order in which they are listed.
        let mut rows: Vec<(usize, i64, &'b OutboxRow)> = Vec::new();
        for (holds, number) in &self.appends {
            for change in &holds.append.outbox {
                if let OutboxChange::Put(row) = change {
                    rows.push((holds.place, *number, row));
                }
            }
        }
        rows.sort_by_key(|row| row.0);
        if rows.is_empty() {
            return;
        }
        steps.push((
            step!(
                PUT_MESSAGES,
                rows.iter().map(|row| row.2.notice.as_str()).collect::<Vec<_>>(),
                rows.iter().map(|row| row.1).collect::<Vec<_>>(),
                rows.iter().map(|row| row.2.channel.name()).collect::<Vec<_>>(),
                rows.iter()
                    .map(|row| row.2.step.as_ref().map(|step| step.as_str()))
                    .collect::<Vec<_>>(),
                rows.iter().map(|row| state_name(row.2.state)).collect::<Vec<_>>(),
                rows.iter().map(|row| i64::from(row.2.attempts)).collect::<Vec<_>>(),
                rows.iter().map(|row| not_before(row.2.next_at)).collect::<Vec<_>>(),
                rows.iter().map(|row| moment(row.2.decided_at)).collect::<Vec<_>>(),
                rows.iter().map(|row| moment(row.2.changed_at)).collect::<Vec<_>>(),
                rows.iter().map(|row| row.2.detail.as_deref().map(text)).collect::<Vec<_>>(),
                rows.iter().map(|row| row.2.account.creditor.as_str()).collect::<Vec<_>>(),
                rows.iter().map(|row| row.2.traceparent.as_deref()).collect::<Vec<_>>(),
            ),
            None,
        ));
    }

    fn moves(&self, steps: &mut Vec<Checked<'b>>) {
        type Moved<'b> = (OutboxState, Timestamp, Timestamp, Option<&'b str>);
        // Of several moves of one message in a round the last counts.
        let mut rows: BTreeMap<&NoticeId, (usize, Moved<'b>)> = BTreeMap::new();
        for (holds, _) in &self.appends {
            for change in &holds.append.outbox {
                let OutboxChange::Move { notice, state, next_at, changed_at, detail } = change
                else {
                    continue;
                };
                let moved = (*state, *next_at, *changed_at, detail.as_deref());
                let last = rows.entry(notice).or_insert((holds.place, moved));
                if holds.place >= last.0 {
                    *last = (holds.place, moved);
                }
            }
        }
        if rows.is_empty() {
            return;
        }
        let wrong = format!("there is no message {}", one_of(rows.keys()));
        let moves = || rows.values().map(|(_, moved)| moved);
        steps.push((
            step!(
                MOVE_MESSAGES,
                rows.keys().map(|notice| notice.as_str()).collect::<Vec<_>>(),
                moves().map(|moved| state_name(moved.0)).collect::<Vec<_>>(),
                moves().map(|moved| not_before(moved.1)).collect::<Vec<_>>(),
                moves().map(|moved| moment(moved.2)).collect::<Vec<_>>(),
                moves().map(|moved| moved.3.map(text)).collect::<Vec<_>>(),
            ),
            Some((rows.len(), wrong)),
        ));
    }

    fn paylinks(&self, steps: &mut Vec<Checked<'b>>) {
        let rows: Vec<_> = self
            .appends
            .iter()
            .flat_map(|(holds, number)| {
                holds.append.paylinks.iter().map(move |link| (*number, link))
            })
            .collect();
        if !rows.is_empty() {
            steps.push((
                step!(
                    PUT_PAYLINKS,
                    rows.iter().map(|(_, link)| &link.token_hash[..]).collect::<Vec<_>>(),
                    rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
                    rows.iter()
                        .map(|(_, link)| link.notice.as_ref().map(|notice| notice.as_str()))
                        .collect::<Vec<_>>(),
                    rows.iter().map(|(_, link)| moment(link.created_at)).collect::<Vec<_>>(),
                    rows.iter().map(|(_, link)| moment(link.expires_at)).collect::<Vec<_>>(),
                ),
                None,
            ));
        }
    }

    fn views(&self, steps: &mut Vec<Checked<'b>>) {
        let mut rows = ViewRows::default();
        for (holds, number) in &self.appends {
            if let Some(views) = &holds.append.views {
                rows.add(*number, views, holds.new);
            }
        }
        steps.extend(rows.steps().into_iter().map(|step| (step, None)));
    }

    fn erasures(&self, steps: &mut Vec<Checked<'b>>) {
        let erased: Vec<(i64, i64)> = self
            .appends
            .iter()
            .filter(|(holds, _)| holds.append.key == KeyChange::Destroy)
            .map(|(holds, number)| (*number, holds.version() as i64))
            .collect();
        if erased.is_empty() {
            return;
        }
        let numbers = || erased.iter().map(|row| row.0).collect::<Vec<_>>();
        for sql in ERASE {
            steps.push((step!(sql, numbers()), None));
        }
        let versions: Vec<i64> = erased.iter().map(|row| row.1).collect();
        steps.push((step!(NOTE_ERASURES, numbers(), versions), None));
    }
}

fn one_of<T: std::fmt::Display>(names: impl ExactSizeIterator<Item = T>) -> String {
    let (count, mut names) = (names.len(), names);
    match names.next() {
        Some(only) if count == 1 => only.to_string(),
        Some(first) => format!("{first} or another one of {count}"),
        None => String::new(),
    }
}

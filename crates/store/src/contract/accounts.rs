//! Promises about wake-ups, the vault and the read side.

use std::sync::Arc;

use jiff::Timestamp;
use kulanz_domain::{fact::Channel, ids::AccountId, money::Currency};

use super::rows::*;
use crate::{
    Append, BookRow, KeyChange, Outcome, Partitions, Share, Store, StoreError, Views, Wake,
};

/// `At`, `Keep` and `Never` do what they say, and the earliest comes first.
pub async fn a_wake_up_is_set_kept_and_cleared(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let wake = |id: &str, version, wake| Append { wake, ..append(id, version, &["{}"]) };
    assert_eq!(store.next_wake(Partitions::ALL).await.unwrap(), None);
    commit(
        &*store,
        vec![
            wake("shop/d1", 0, Wake::At(at(30))),
            wake("shop/d2", 0, Wake::At(at(10))),
            wake("shop/d3", 0, Wake::At(at(20))),
            wake("shop/d4", 0, Wake::Keep),
            wake("shop/d5", 0, Wake::Never),
        ],
    )
    .await;
    let due = async |until, limit| -> Vec<(AccountId, Timestamp)> {
        store.due(at(until), Share::ALL, limit).await.unwrap()
    };
    let (d1, d2, d3) = (account("shop/d1"), account("shop/d2"), account("shop/d3"));
    assert_eq!(store.next_wake(Partitions::ALL).await.unwrap(), Some(at(10)));
    assert_eq!(due(9, 9).await, []);
    assert_eq!(due(20, 9).await, [(d2.clone(), at(10)), (d3.clone(), at(20))]);
    assert_eq!(due(99, 1).await, [(d2.clone(), at(10))]);
    commit(
        &*store,
        vec![
            wake("shop/d1", 1, Wake::Keep),
            wake("shop/d2", 1, Wake::Never),
            wake("shop/d3", 1, Wake::At(at(40))),
        ],
    )
    .await;
    assert_eq!(due(99, 9).await, [(d1, at(30)), (d3, at(40))]);
    assert_eq!(store.next_wake(Partitions::ALL).await.unwrap(), Some(at(30)));
}

/// A moment between two microseconds is named as the later one, and due at it.
pub async fn a_wake_up_is_never_named_too_early(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let odd = Timestamp::from_nanosecond(at(10).as_nanosecond() + 1_001).unwrap();
    let wake = Append { wake: Wake::At(odd), ..append("shop/d1", 0, &["{}"]) };
    commit(&*store, vec![wake]).await;
    let named = store.next_wake(Partitions::ALL).await.unwrap().unwrap();
    assert!(named >= odd, "{named} is before {odd}");
    assert_eq!(store.due(at(10), Share::ALL, 9).await.unwrap(), []);
    assert_eq!(store.due(named, Share::ALL, 9).await.unwrap(), [(account("shop/d1"), named)]);
}

/// The order is that of [`AccountId`], whatever characters the ids hold.
pub async fn accounts_are_listed_in_their_order_page_by_page(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let ids = ["b/x", "a-b/x", "a/y", "a.b/1", "a/Y", "a/y-1", "a/10", "a/9"];
    commit(&*store, ids.iter().map(|id| append(id, 0, &["{}"])).collect()).await;
    let mut sorted = ids.map(account).to_vec();
    sorted.sort();
    assert_eq!(store.accounts(None, None, 99).await.unwrap(), sorted);
    let mut paged: Vec<AccountId> = Vec::new();
    loop {
        let page = store.accounts(None, paged.last().cloned(), 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, sorted);
    let of_a: Vec<AccountId> =
        sorted.iter().filter(|id| id.creditor == creditor("a")).cloned().collect();
    assert_eq!(store.accounts(Some(creditor("a")), None, 99).await.unwrap(), of_a);
    let rest = store.accounts(Some(creditor("a")), Some(of_a[1].clone()), 99).await.unwrap();
    assert_eq!(rest, of_a[2..]);
    let after_b = store.accounts(Some(creditor("a")), Some(account("b/x")), 99).await.unwrap();
    assert_eq!(after_b, []);
    let of_b = store.accounts(Some(creditor("b")), Some(account("a/zzz")), 99).await.unwrap();
    assert_eq!(of_b, [account("b/x")]);
}

/// What is to be forgotten is gone for whoever opens the data next, and nothing else is.
pub async fn a_secret_that_is_forgotten_is_gone_and_no_other(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let with = |id: &str, slots: &[&str]| Append {
        secrets: slots.iter().map(|slot| secret(slot, "5", b"x")).collect(),
        ..append(id, 0, &["{}"])
    };
    let slots = ["debtor", "notice/N-1", "notice/N-10"];
    commit(&*store, vec![with("shop/d1", &slots), with("shop/d2", &slots)]).await;
    let forgets = |slots: &[&str]| slots.iter().map(|slot| (*slot).to_owned()).collect();
    commit(
        &*store,
        vec![
            Append { forgets: forgets(&["notice/N-1", "never"]), ..append("shop/d1", 1, &[]) },
            Append {
                secrets: vec![secret("notice/N-2", "1", b"y"), secret("notice/N-3", "1", b"z")],
                forgets: forgets(&["notice/N-2"]),
                ..append("shop/d2", 1, &[])
            },
        ],
    )
    .await;
    // What comes later, with whatever stamp, is kept.
    let secrets = vec![secret("notice/N-1", "1", b"again")];
    commit(&*store, vec![Append { secrets, ..append("shop/d2", 1, &[]) }]).await;
    drop(store);
    let store = open().await;
    let kept = async |id: &str| {
        let kept = store.secrets(account(id), Vec::new()).await.unwrap();
        kept.into_iter().map(|secret| secret.slot).collect::<Vec<_>>()
    };
    assert_eq!(kept("shop/d1").await, ["debtor", "notice/N-10"]);
    assert_eq!(kept("shop/d2").await, ["debtor", "notice/N-1", "notice/N-10", "notice/N-3"]);
}

/// Arrival order does not decide; asked for by name, only those are read.
pub async fn of_two_secrets_the_greater_stamp_wins(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let with = |id: &str, version, secrets: &[(&str, &str, &str)]| Append {
        secrets: secrets
            .iter()
            .map(|(slot, stamp, sealed)| secret(slot, stamp, sealed.as_bytes()))
            .collect(),
        ..append(id, version, &["{}"])
    };
    let first = [("debtor", "2026-03-02", "march"), ("invoice/R-1", "1", "goods")];
    commit(&*store, vec![with("shop/d1", 0, &first), with("shop/d2", 0, &[("debtor", "1", "x")])])
        .await;
    commit(&*store, vec![with("shop/d1", 1, &[("debtor", "2026-02-09", "february")])]).await;
    let one = account("shop/d1");
    let read = store.secrets(one.clone(), vec![]).await.unwrap();
    let march = secret("debtor", "2026-03-02", b"march");
    assert_eq!(read, [march, secret("invoice/R-1", "1", b"goods")]);
    commit(&*store, vec![with("shop/d1", 2, &[("debtor", "2026-04-01", "april")])]).await;
    let named = vec!["debtor".to_owned(), "debtors".to_owned()];
    let read = store.secrets(one.clone(), named).await.unwrap();
    assert_eq!(read, [secret("debtor", "2026-04-01", b"april")]);
    let backwards = vec!["invoice/R-1".to_owned(), "debtor".to_owned()];
    let read = store.secrets(one, backwards).await.unwrap();
    let slots: Vec<&str> = read.iter().map(|secret| secret.slot.as_str()).collect();
    assert_eq!(slots, ["invoice/R-1", "debtor"]);
    let wanted = [
        ("shop/d2", &["debtor", "invoice/R-1"][..]),
        ("shop/none", &["debtor"]),
        ("shop/d1", &["invoice/R-1", "debtor"]),
        ("shop/d2", &[]),
    ];
    let wanted = wanted.map(|(id, slots)| {
        (account(id), slots.iter().map(|slot| (*slot).to_owned()).collect::<Vec<_>>())
    });
    let read = store.secrets_of(wanted.to_vec()).await.unwrap();
    let april = secret("debtor", "2026-04-01", b"april");
    let goods = secret("invoice/R-1", "1", b"goods");
    assert_eq!(read, [vec![secret("debtor", "1", b"x")], vec![], vec![goods, april], vec![]]);
    assert_eq!(store.secrets(account("shop/none"), vec![]).await.unwrap(), []);
}

/// After `Destroy` nothing opens what was sealed, and the erasure can be applied again.
pub async fn erasure_destroys_key_secrets_and_paylinks_and_is_listed(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let with = |id: &str, first| Append {
        key: KeyChange::Create(vec![first; 48]),
        secrets: vec![secret("debtor", "1", b"x"), secret("notice/N-1", "1", b"y")],
        paylinks: vec![paylink(id, first)],
        ..append(id, 0, &["{}"])
    };
    commit(&*store, vec![with("shop/d1", 1), with("shop/d2", 2)]).await;
    let second_key = Append { key: KeyChange::Create(vec![7; 48]), ..append("shop/d2", 1, &[]) };
    let refused = store.commit(vec![second_key]).await;
    assert!(matches!(refused, Err(StoreError::Misused(_))), "{refused:?}");

    let erase = Append { key: KeyChange::Destroy, ..append("shop/d1", 1, &["erased"]) };
    commit(&*store, vec![erase]).await;
    check_erased(&*store).await;
    drop(store);
    check_erased(&*open().await).await;
}

async fn check_erased(store: &dyn Store) {
    let (one, two) = (account("shop/d1"), account("shop/d2"));
    let heads = store.heads(vec![one.clone(), two.clone()]).await.unwrap();
    assert_eq!(heads[0].as_ref().and_then(|head| head.key.clone()), None);
    assert_eq!(heads[1].as_ref().and_then(|head| head.key.clone()), Some(vec![2; 48]));
    assert_eq!(store.secrets(one.clone(), vec![]).await.unwrap(), []);
    assert_eq!(store.secrets(two, vec![]).await.unwrap().len(), 2);
    assert_eq!(store.paylink([1; 32]).await.unwrap(), None);
    assert_eq!(store.paylink([2; 32]).await.unwrap(), Some(paylink("shop/d2", 2)));
    assert_eq!(store.erasures().await.unwrap(), std::slice::from_ref(&one));
    assert_eq!(store.stream(one, 0).await.unwrap().len(), 2);
}

/// What an append seals, sends and links beside its erasure is not kept.
pub async fn nothing_that_comes_with_an_erasure_survives_it(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let key = KeyChange::Create(vec![1; 48]);
    commit(&*store, vec![Append { key, ..append("shop/d1", 0, &["{}"]) }]).await;
    let erase = Append {
        key: KeyChange::Destroy,
        secrets: vec![secret("debtor", "9", b"x")],
        paylinks: vec![paylink("shop/d1", 1)],
        ..append("shop/d1", 1, &["erased"])
    };
    commit(&*store, vec![erase]).await;
    let one = account("shop/d1");
    assert_eq!(store.secrets(one.clone(), vec![]).await.unwrap(), []);
    assert_eq!(store.paylink([1; 32]).await.unwrap(), None);
    let head = store.heads(vec![one.clone()]).await.unwrap().remove(0).unwrap();
    assert_eq!((head.version, head.key), (2, None));
    assert_eq!(store.erasures().await.unwrap(), [one]);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

/// From the first year that an event can name to the last.
pub async fn days_of_all_years_come_back(open: impl AsyncFn() -> Arc<dyn Store>) {
    use jiff::civil::date;
    let store = open().await;
    let claims = vec![
        crate::ClaimRow { issued_on: date(0, 1, 1), due_on: date(1, 2, 28), ..claim("R-1", 1) },
        crate::ClaimRow {
            issued_on: date(2000, 2, 29),
            due_on: date(9999, 12, 31),
            ..claim("R-2", 2)
        },
    ];
    let views = Views { claims: claims.clone(), ..Views::default() };
    commit(&*store, vec![with_views("shop/d1", views)]).await;
    assert_eq!(store.claims(account("shop/d1")).await.unwrap(), claims);
}

/// Books and work replace all of the account; claims and notices those that they name.
pub async fn views_replace_what_they_say_and_leave_the_rest(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let before = Views {
        books: vec![book(Currency::EUR, 900), book(Currency::USD, 400)],
        claims: vec![claim("R-1", 100), claim("R-2", 200)],
        notices: vec![notice("N-1", at(1)), notice("N-2", at(2))],
        work: vec![item("hardship", "R-1", at(1)), item("release", "R-2", at(2))],
        ..Views::default()
    };
    commit(&*store, vec![with_views("shop/d1", before.clone())]).await;
    commit(&*store, vec![with_views("shop/d2", before.clone())]).await;
    let after = Views {
        books: vec![book(Currency::EUR, 901)],
        claims: vec![claim("R-2", 0), claim("R-3", 300)],
        notices: vec![notice("N-3", at(3))],
        work: vec![item("release", "R-3", at(3))],
        ..Views::default()
    };
    let change = Append { views: Some(after), ..append("shop/d1", 1, &["{}"]) };
    commit(&*store, vec![change, append("shop/d2", 1, &["{}"])]).await;

    let one = account("shop/d1");
    let claims = store.claims(one.clone()).await.unwrap();
    assert_eq!(claims, [claim("R-1", 100), claim("R-2", 0), claim("R-3", 300)]);
    assert_eq!(store.claims(account("shop/d2")).await.unwrap(), before.claims);
    let notices = store.notices(Some(one), 9).await.unwrap();
    let ids: Vec<_> = notices.iter().map(|(_, row)| row.notice.as_str()).collect();
    assert_eq!(ids, ["N-3", "N-2", "N-1"]);
    let release = store.work(Some("release".to_owned()), 9).await.unwrap();
    let items: Vec<_> = release.iter().map(|(_, row)| row.item.as_str()).collect();
    assert_eq!(items, ["R-2", "R-3"]);
    assert_eq!(store.work(Some("hardship".to_owned()), 9).await.unwrap().len(), 1);
    let (accounts, books) = store.book(None).await.unwrap();
    assert_eq!((accounts, books[0].principal, books[1].principal), (2, 1_801, 400));
}

/// Sums to the cent, currencies apart, creditors apart where asked.
pub async fn books_are_summed_by_currency_and_creditor(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    assert_eq!(store.book(None).await.unwrap(), (0, vec![]));
    let books = |books: &[BookRow]| Views { books: books.to_vec(), ..Views::default() };
    commit(
        &*store,
        vec![
            with_views("shop/d1", books(&[book(Currency::EUR, 10_000_000_000_001)])),
            with_views("shop/d2", books(&[book(Currency::EUR, 2), book(Currency::USD, 3)])),
            with_views("mall/d1", books(&[book(Currency::EUR, 40)])),
            append("mall/d2", 0, &["{}"]),
        ],
    )
    .await;
    let sum = |currency, principal: i64, rows: i64| BookRow {
        currency,
        principal,
        paid: 100 * rows,
        credited: 20 * rows,
        unallocated: 3 * rows,
        outstanding: principal - 120 * rows,
        fees: 4 * rows,
        claims: 2 * rows,
        open_claims: rows,
    };
    let usd = sum(Currency::USD, 3, 1);
    let all = store.book(None).await.unwrap();
    assert_eq!(all, (4, vec![sum(Currency::EUR, 10_000_000_000_043, 3), usd.clone()]));
    let shop = store.book(Some(creditor("shop"))).await.unwrap();
    assert_eq!(shop, (2, vec![sum(Currency::EUR, 10_000_000_000_003, 2), usd]));
    let mall = store.book(Some(creditor("mall"))).await.unwrap();
    assert_eq!(mall, (2, vec![sum(Currency::EUR, 40, 1)]));
    assert_eq!(store.book(Some(creditor("none"))).await.unwrap(), (0, vec![]));
}

/// Counts by step, channel, persona and state; lists over all accounts or one.
pub async fn notices_are_counted_and_listed_newest_first(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let external = crate::NoticeRow {
        step: None,
        persona: None,
        channel: Channel::Letter,
        state: "decided".to_owned(),
        sent_at: None,
        ..notice("X-1", at(9))
    };
    let notices = |rows: Vec<_>| Views { notices: rows, ..Views::default() };
    commit(
        &*store,
        vec![
            with_views("shop/d1", notices(vec![notice("N-1", at(5)), notice("N-2", at(1))])),
            with_views("shop/d2", notices(vec![external.clone()])),
            with_views("mall/d1", notices(vec![notice("N-1", at(3))])),
        ],
    )
    .await;
    let all = store.notices(None, 3).await.unwrap();
    assert_eq!(all[0], (account("shop/d2"), external));
    assert_eq!(all[1], (account("shop/d1"), notice("N-1", at(5))));
    assert_eq!(all[2].0, account("mall/d1"));
    assert_eq!(all.len(), 3);
    let sent = |count| {
        let persona = Some("forgetful".to_owned());
        (Some(step("reminder")), Channel::Sms, persona, "sent".to_owned(), count)
    };
    let decided = (None, Channel::Letter, None, "decided".to_owned(), 1);
    let mut counts = store.notice_counts(None).await.unwrap();
    counts.sort_by_key(|count| count.4);
    assert_eq!(counts, [decided, sent(3)]);
    assert_eq!(store.notice_counts(Some(creditor("mall"))).await.unwrap(), [sent(1)]);
}

/// Over all accounts, one list or all.
pub async fn work_is_listed_oldest_first(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let work = |rows: Vec<_>| Views { work: rows, ..Views::default() };
    let (old, new) = (item("hardship", "R-1", at(1)), item("hardship", "R-2", at(3)));
    let release = item("release", "P-1", at(2));
    commit(
        &*store,
        vec![
            with_views("shop/d1", work(vec![new.clone()])),
            with_views("shop/d2", work(vec![old.clone(), release.clone()])),
        ],
    )
    .await;
    let (one, two) = (account("shop/d1"), account("shop/d2"));
    let all = store.work(None, 9).await.unwrap();
    assert_eq!(
        all,
        [(two.clone(), old.clone()), (two.clone(), release), (one.clone(), new.clone())]
    );
    let hardship = store.work(Some("hardship".to_owned()), 9).await.unwrap();
    assert_eq!(hardship, [(two, old), (one, new)]);
    assert_eq!(store.work(None, 1).await.unwrap().len(), 1);
}

/// Where nothing goes, books that are not named stay, and so do other accounts' rows.
pub async fn views_where_nothing_goes_leave_what_they_do_not_say(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let before = Views {
        books: vec![book(Currency::EUR, 900), book(Currency::USD, 400)],
        claims: vec![claim("R-1", 100)],
        ..Views::default()
    };
    commit(&*store, vec![with_views("shop/d1", before)]).await;
    let more = Views {
        books: vec![book(Currency::EUR, 901)],
        claims: vec![claim("R-2", 1)],
        nothing_goes: true,
        ..Views::default()
    };
    let change = Append { views: Some(more), ..append("shop/d1", 1, &["{}"]) };
    commit(&*store, vec![change]).await;
    let (_, books) = store.book(None).await.unwrap();
    assert_eq!(books, [book(Currency::EUR, 901), book(Currency::USD, 400)]);
    let claims = store.claims(account("shop/d1")).await.unwrap();
    assert_eq!(claims, [claim("R-1", 100), claim("R-2", 1)]);
}

/// Nothing of the earlier rows remains, and the stream stays as it was.
pub async fn a_rebuild_replaces_all_views_of_an_account(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let views = |first: &str, principal| Views {
        books: vec![book(Currency::EUR, principal)],
        claims: vec![claim(first, principal)],
        notices: vec![notice(first, at(0))],
        work: vec![item("hardship", first, at(0))],
        ..Views::default()
    };
    commit(&*store, vec![with_views("shop/d1", views("OLD", 7))]).await;
    let one = account("shop/d1");
    store.replace_views(one.clone(), views("NEW", 9)).await.unwrap();
    assert_eq!(store.claims(one.clone()).await.unwrap(), [claim("NEW", 9)]);
    let notices = store.notices(Some(one.clone()), 9).await.unwrap();
    assert_eq!(notices, [(one.clone(), notice("NEW", at(0)))]);
    let work = store.work(None, 9).await.unwrap();
    assert_eq!(work, [(one.clone(), item("hardship", "NEW", at(0)))]);
    assert_eq!(store.book(None).await.unwrap().1[0].principal, 9);
    let next = store.commit(vec![append("shop/d1", 1, &["{}"])]).await.unwrap();
    assert!(matches!(next[..], [Outcome::Committed { .. }]));
    let nobody = store.replace_views(account("shop/none"), Views::default()).await;
    assert!(matches!(nobody, Err(StoreError::Misused(_))), "{nobody:?}");
}

//! Links: who gets in, what reading does, and what every answer carries.

use std::sync::{Arc, Mutex};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use kulanz_domain::{Command, ids::AccountId};
use kulanz_pages::Renew;

use crate::house::*;

#[tokio::test]
async fn reading_changes_nothing() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let provider = house.to_provider(&link).await;
    let checkout = provider.split('?').next().unwrap().rsplit('/').next().unwrap();
    let mut paths = vec![link.clone(), provider.clone(), format!("{link}/return/{checkout}")];
    for exit in ["paid", "disagree", "later", "plan", "help", "renew", "pay/card"] {
        paths.push(format!("{link}/{exit}"));
    }
    for query in ["?done=paid", "?lang=en", "/plan?first=2026-03-20"] {
        paths.push(format!("{link}{query}"));
    }
    // Also where a checkout is overtaken, which only a form makes void.
    for _ in 0..2 {
        let before = house.traces().await;
        for path in &paths {
            for method in [Method::GET, Method::HEAD] {
                let request = Request::builder().method(method).uri(path);
                let answer = house.send(request.body(Body::empty()).unwrap()).await;
                assert!(!answer.status.is_server_error(), "{path}");
            }
        }
        assert_eq!(house.traces().await, before);
        house.payment("Z-1", eur("1.00"), None).await;
    }
}

#[tokio::test]
async fn unknown_malformed_and_erased_links_look_the_same() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let at = house.clock.now();
    house.engine.execute(&house.account, Command::Erase { at }, "test").await.unwrap();
    let erased = house.get(&link).await;
    assert_eq!(erased.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get(&format!("{link}/")).await.status, StatusCode::NOT_FOUND);
    let token = link.trim_start_matches("/p/");
    let long = "a".repeat(5000);
    for other in ["AAAAAAAAAAAAAAAAAAAAAA", "x", "..%2F..", &long, "%00"] {
        let page = house.get(&format!("/p/{other}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        let same = page.body.replace(&format!("/p/{other}"), "/p/T");
        assert_eq!(same, erased.body.replace(&format!("/p/{token}"), "/p/T"), "{other}");
    }
    for cut in ["/p", "/p/"] {
        let page = house.get(cut).await;
        assert!(page.status == StatusCode::NOT_FOUND && page.has("Diese Seite gibt es nicht"));
    }
    assert!(!erased.has("Lindenmoor") && erased.has("Es wurde nichts abgebucht."));
}

#[tokio::test]
async fn a_link_opens_one_account_alone() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let provider = house.to_provider(&house.link().await).await;
    let checkout = provider.split('?').next().unwrap().rsplit('/').next().unwrap();
    let other: AccountId = "shop/K-2".parse().unwrap();
    let mut stranger = House::new().await;
    stranger.account = other;
    stranger.debtor("de", false).await;
    let link = stranger.link().await;
    let page = stranger.get(&link).await;
    assert_eq!(page.after("<h1>"), "Es ist nichts offen");
    let slash = stranger.get(&format!("{link}/")).await;
    assert!(slash.status == StatusCode::OK && slash.has("Es ist nichts offen"));
    for path in
        [format!("{link}/return/{checkout}"), format!("/sandbox/{checkout}?back={}", &link[3..])]
    {
        assert_eq!(stranger.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn an_expired_link_shows_nothing_and_is_renewed_to_the_address_on_file_alone() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&sent);
    let renew: Renew = Arc::new(move |link| {
        kept.lock().unwrap().push(link.account.to_string());
        Box::pin(async { Ok(()) })
    });
    let house = House::with(Ladder::Quiet, Some(renew)).await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    house.clock.set(later(30));
    for path in [link.clone(), format!("{link}/paid"), format!("{link}/return/CO-1")] {
        let page = house.get(&path).await;
        assert_eq!(page.status, StatusCode::GONE, "{path}");
        assert!(!page.has("100,00") && !page.has("R-1") && page.has("hilfe@lindenmoor.example"));
    }
    let page = house.get(&link).await;
    assert!(page.has(&format!("action=\"{link}/renew?lang=de\"")));
    assert!(sent.lock().unwrap().is_empty(), "reading sends nothing");
    let renewed = house.post(&format!("{link}/renew?lang=de"), &[]).await;
    assert_eq!(renewed.status, StatusCode::OK);
    assert_eq!(renewed.after("<h1>"), "Der neue Link ist auf dem Weg");
    assert_eq!(*sent.lock().unwrap(), ["shop/K-1"]);
    assert!(!renewed.has("/p/") || renewed.has(&format!("{link}?lang")), "no new link is shown");
    let paid = house.post(&format!("{link}/paid"), &[]).await;
    assert_eq!(paid.status, StatusCode::GONE);
}

#[tokio::test]
async fn an_expired_link_speaks_the_debtors_language_whatever_the_browsers() {
    let renew: Renew = Arc::new(|_| Box::pin(async { Ok(()) }));
    let house = House::with(Ladder::Quiet, Some(renew)).await;
    house.debtor("en-GB", false).await;
    let link = house.link().await;
    house.clock.set(later(30));
    let german = Request::builder().uri(&link).header(header::ACCEPT_LANGUAGE, "de-DE,de;q=0.9");
    let page = house.send(german.body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::GONE);
    assert_eq!(page.after("<h1>"), "This link is too old");
    assert!(page.has("<html lang=\"en\">") && page.has(&format!("{link}/renew?lang=en")));
    let renewed = house.post(&format!("{link}/renew"), &[]).await;
    assert_eq!(renewed.after("<h1>"), "The new link is on its way");
    // The reader may switch, there too.
    let switched = house.get(&format!("{link}?lang=de")).await;
    assert_eq!(switched.after("<h1>"), "Dieser Link ist zu alt");
}

#[tokio::test]
async fn an_expired_link_of_an_erased_account_is_unknown() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    house.clock.set(later(30));
    assert_eq!(house.get(&link).await.status, StatusCode::GONE);
    let at = house.clock.now();
    house.engine.execute(&house.account, Command::Erase { at }, "test").await.unwrap();
    let page = house.get(&link).await;
    assert!(page.status == StatusCode::NOT_FOUND && !page.has("Lindenmoor"));
}

#[tokio::test]
async fn without_a_way_to_send_an_expired_link_names_whom_to_ask() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    house.clock.set(later(31));
    let page = house.get(&link).await;
    assert!(!page.has("/renew") && page.has("Melden Sie sich bitte bei uns."));
    assert_eq!(house.post(&format!("{link}/renew"), &[]).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn every_answer_is_for_its_reader_alone() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let provider = house.to_provider(&link).await;
    let paths = [&link, &provider, &format!("{link}/plan"), "/p/x", &format!("{link}/nothing")];
    for path in paths {
        let answer = house.get(path).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("x-robots-tag").starts_with("noindex"));
        let policy = header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self' data:",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self' http://127.0.0.1:8080",
        ] {
            assert!(policy.contains(rule), "{rule}");
        }
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        for forbidden in ["<script", "<style", " style=", "javascript:", "//cdn", "<img"] {
            assert!(!answer.has(forbidden), "{forbidden} in {path}");
        }
        assert!(answer.has("<meta name=\"viewport\"") && answer.has("id=\"test-banner\""));
        assert_eq!(answer.body.matches("<h1").count(), 1, "{path}");
    }
    let wrong = house.send(Request::delete(&link).body(Body::empty()).unwrap()).await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(wrong.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn the_style_sheets_of_a_page_are_there() {
    let house = House::new().await;
    let page = house.get(&house.link().await).await;
    let sheets: Vec<&str> = page
        .body
        .split("stylesheet\" href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(sheets.len(), 2);
    for sheet in sheets {
        let answer = house.get(sheet).await;
        assert_eq!(answer.status, StatusCode::OK, "{sheet}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert!(answer.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        assert!(!answer.has("url(") && !answer.has("@import"));
    }
}

#[tokio::test]
async fn forms_from_other_sites_and_floods_are_turned_away() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let path = format!("{link}/help");
    let fields = house.get(&path).await.hidden(&path);
    for site in ["cross-site", "same-site", "nonsense"] {
        let request = Request::post(&path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site);
        let answer = house.send(request.body(Body::from(encoded(&fields))).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{site}");
    }
    assert_eq!(house.count("HoldPlaced").await, 0);
    let request = Request::post(&path).header(header::CONTENT_TYPE, "text/plain");
    let answer = house.send(request.body(Body::from(encoded(&fields))).unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let large = with(fields, &[("reason", &"x".repeat(40_000))]);
    assert_eq!(house.post(&path, &large).await.status, StatusCode::BAD_REQUEST);
    let mut last = StatusCode::OK;
    for _ in 0..40 {
        let answer = house.post(&path, &[]).await;
        last = answer.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.headers[header::RETRY_AFTER], "60");
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(house.get(&link).await.status, StatusCode::OK, "reading goes on");
}

#[tokio::test]
async fn without_dev_mode_there_is_neither_banner_nor_sandbox() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let mut pages = house.pages.clone();
    pages.dev_mode = false;
    let router = kulanz_pages::router(pages);
    let get = |path: String| {
        use tower::ServiceExt;
        router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap())
    };
    let page = get(link.clone()).await.unwrap();
    let body = axum::body::to_bytes(page.into_body(), 1_000_000).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(!body.contains("test-banner") && !body.contains("pay/card"));
    assert!(body.contains("pay-transfer"));
    let sandbox = get(format!("/sandbox/CO-1?back={}", &link[3..])).await.unwrap();
    assert_eq!(sandbox.status(), StatusCode::NOT_FOUND);
}

//! The outbox page: each message as its reader would see it. Offered only where no message leaves
//! the machine, and to this machine alone.

use axum::{
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use kulanz_domain::ids::NoticeId;
use kulanz_store::{OutboxRow, OutboxState};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

use crate::http::{Server, shown};

/// Messages listed on a page.
const LISTED: u32 = 200;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2428;--soft:#5a666c;--line:#d8dfe2;--paper:#fff;\
--wash:#f3f6f7;--accent:#1f5e46}\
@media(prefers-color-scheme:dark){:root{--ink:#e8edef;--soft:#a4b0b6;--line:#37434a;\
--paper:#14191c;--wash:#1d2428;--accent:#7fd1ac}}\
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);\
background:var(--paper)}\
main{max-width:70rem;margin:0 auto;padding:1rem}\
.banner{background:#7a4a00;color:#fff;padding:.5rem 1rem;text-align:center;font-weight:600}\
h1{font-size:1.5rem}a{color:var(--accent)}\
ul.list{list-style:none;margin:0;padding:0}\
ul.list li{border-top:1px solid var(--line);padding:.75rem 0;overflow-wrap:anywhere}\
ul.list a.subject{display:block;font-weight:600;padding:.25rem 0;min-height:2.75rem}\
.meta{color:var(--soft);font-size:.9rem}\
.tag{display:inline-block;background:var(--wash);border:1px solid var(--line);border-radius:1rem;\
padding:0 .6rem;margin-right:.35rem}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--wash);padding:1rem;\
border-radius:.5rem;font:inherit}\
iframe{width:100%;height:46rem;border:1px solid var(--line);border-radius:.5rem;background:Canvas}\
.phone{max-width:22rem;background:var(--wash);border-radius:1.25rem;padding:1rem;\
overflow-wrap:anywhere;white-space:pre-wrap}";

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\
         <p class=\"banner\" style=\"margin:0\" role=\"note\">test: no money moves, no message leaves this machine</p>\
         <main>{body}</main></body></html>"
    );
    let mut response = Html(html).into_response();
    guard(&mut response);
    response
}

fn guard(response: &mut Response) {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src data:; \
                  frame-ancestors 'self'; base-uri 'none'";
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn problem(status: StatusCode, text: &str) -> Response {
    let mut response = page("Outbox", &format!("<h1>Outbox</h1><p>{}</p>", escape(text)));
    *response.status_mut() = status;
    response
}

/// Refuses whoever is not on this machine: also what a proxy on it passes on, and a page of the
/// web whose name was made to point here.
fn elsewhere(from: SocketAddr, headers: &HeaderMap) -> Option<Response> {
    let passed_on = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    let passed_on = passed_on.iter().any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let ours = from.ip().is_loopback() && !passed_on && host.is_none_or(is_this_machine);
    let told = "Only this machine may read the outbox: open http://127.0.0.1 with the port here.";
    (!ours).then(|| problem(StatusCode::FORBIDDEN, told))
}

/// Whether a `Host` header names this machine: `localhost:8080`, `127.0.0.1`, `[::1]:8080`.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// All messages, newest first.
pub async fn index(
    State(server): State<Server>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if let Some(response) = elsewhere(from, &headers) {
        return response;
    }
    let engine = &server.house.engine;
    let rows = match engine.store().outbox(None, LISTED).await {
        Ok(rows) => rows,
        Err(error) => return problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    let mut items = String::new();
    for row in &rows {
        let kept = kept(&server, row).await.ok().flatten();
        let subject = kept.as_ref().and_then(|kept| {
            kept.get("subject").or_else(|| kept.get("text"))?.as_str().map(str::to_owned)
        });
        let subject = subject.unwrap_or_else(|| "(not made yet)".to_owned());
        let step = row.step.as_ref().map_or("", |step| step.as_str());
        items.push_str(&format!(
            "<li><a class=\"subject\" href=\"/outbox/{id}\">{subject}</a>\
             <span class=\"tag\">{state:?}</span><span class=\"tag\">{channel}</span>\
             <span class=\"tag\">{step}</span>\
             <span class=\"meta\">{account} · {at}</span></li>",
            id = escape(row.notice.as_str()),
            subject = escape(subject.lines().next().unwrap_or_default()),
            state = row.state,
            channel = row.channel.name(),
            step = escape(step),
            account = escape(&row.account.to_string()),
            at = shown(row.changed_at),
        ));
    }
    let empty = "<p>No message yet. A reminder shows up here as soon as one is due.</p>";
    let list = match items.is_empty() {
        true => empty.to_owned(),
        false => format!("<ul class=\"list\">{items}</ul>"),
    };
    let now = shown(engine.clock().now());
    page(
        "Outbox",
        &format!(
            "<h1>Outbox</h1><p class=\"meta\">It is {now}. The newest {LISTED} messages, each as \
             its reader would see it.</p>{list}"
        ),
    )
}

async fn kept(server: &Server, row: &OutboxRow) -> anyhow::Result<Option<Value>> {
    let engine = &server.house.engine;
    let Some(loaded) = engine.load(&row.account).await? else { return Ok(None) };
    let slot = format!("notice/{}", row.notice);
    let mut secrets = engine.secrets(&row.account, &loaded, &[&slot]).await?;
    Ok(secrets.remove(&slot))
}

async fn find(server: &Server, notice: &str) -> Result<(OutboxRow, Option<Value>), Box<Response>> {
    let unknown = || Box::new(problem(StatusCode::NOT_FOUND, "There is no such message."));
    let id = NoticeId::new(notice).map_err(|_| unknown())?;
    let failed = |text: String| Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, &text));
    let row = server.house.engine.store().outbox_row(id).await;
    let row = row.map_err(|error| failed(error.to_string()))?.ok_or_else(unknown)?;
    let kept = kept(server, &row).await.map_err(|error| failed(error.to_string()))?;
    Ok((row, kept))
}

/// One message.
pub async fn message(
    State(server): State<Server>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(notice): Path<String>,
) -> Response {
    if let Some(response) = elsewhere(from, &headers) {
        return response;
    }
    let (row, kept) = match find(&server, &notice).await {
        Ok(found) => found,
        Err(response) => return *response,
    };
    let text = |member: &str| {
        let value = kept.as_ref().and_then(|kept| kept.get(member)).and_then(Value::as_str);
        value.map(escape)
    };
    let body = match (text("subject"), text("html"), text("text")) {
        (Some(_), Some(_), Some(plain)) => format!(
            "<h2>As HTML</h2><iframe title=\"The e-mail as HTML\" sandbox \
             src=\"/outbox/{notice}/html\"></iframe><h2>As plain text</h2><pre>{}</pre>",
            linked(&plain)
        ),
        (_, _, Some(sms)) => {
            format!("<h2>Text message</h2><p class=\"phone\">{}</p>", linked(&sms))
        }
        _ if row.state == OutboxState::Suppressed => {
            "<p>It was not sent. What it said is not kept.</p>".to_owned()
        }
        _ => "<p>It has not been made yet.</p>".to_owned(),
    };
    let title = text("subject").unwrap_or_else(|| format!("Message {}", escape(&notice)));
    let to = text("to").map_or_else(String::new, |to| format!("To {to} · "));
    let detail = row.detail.as_deref().map_or_else(String::new, |d| format!(" · {}", escape(d)));
    page(
        &title,
        &format!(
            "<p><a href=\"/outbox\">All messages</a></p><h1>{title}</h1>\
             <p class=\"meta\">{to}{channel} · {state:?} {at}{detail} · {account}</p>{body}",
            channel = row.channel.name(),
            state = row.state,
            at = shown(row.changed_at),
            account = escape(&row.account.to_string()),
        ),
    )
}

/// The paylinks of an escaped text as links.
fn linked(escaped: &str) -> String {
    let link = |word: &str| {
        let known = word.starts_with("http://") || word.starts_with("https://");
        match known && word.contains("/p/") {
            true => format!("<a href=\"{word}\">{word}</a>"),
            false => word.to_owned(),
        }
    };
    let lines = escaped.split('\n').map(|line| {
        let words: Vec<String> = line.split(' ').map(link).collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The HTML part alone, for the frame.
pub async fn html(
    State(server): State<Server>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(notice): Path<String>,
) -> Response {
    if let Some(response) = elsewhere(from, &headers) {
        return response;
    }
    let kept = match find(&server, &notice).await {
        Ok((_, kept)) => kept,
        Err(response) => return *response,
    };
    let html = kept.as_ref().and_then(|kept| kept.get("html")).and_then(Value::as_str);
    match html {
        Some(html) => {
            let mut response = Html(html.to_owned()).into_response();
            guard(&mut response);
            response
        }
        None => problem(StatusCode::NOT_FOUND, "This message has no HTML part."),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_under_its_own_names_reads_messages() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:8080", "127.0.0.1.nip.io", "10.0.0.1:80"] {
            assert!(!is_this_machine(host), "{host}");
        }
        let (here, there) =
            (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([10, 0, 0, 1], 1)));
        let with = |name: &'static str, value| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            headers
        };
        assert!(elsewhere(here, &HeaderMap::new()).is_none());
        assert!(elsewhere(there, &HeaderMap::new()).is_some());
        assert!(elsewhere(here, &with("host", "localhost:8080")).is_none());
        assert!(elsewhere(here, &with("host", "pay.example.org")).is_some());
        assert!(elsewhere(here, &with("x-forwarded-for", "192.0.2.1")).is_some());
    }
}

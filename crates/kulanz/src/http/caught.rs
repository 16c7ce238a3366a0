//! A request that makes the program panic is its sender's trouble alone: it is answered as a fault
//! of ours, and told in the log by its route, for paths may hold a link.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use kulanz_engine::panics;

use super::problem::Refused;

/// Around all routes of the program itself; debtors' pages have their own, which speaks to debtors.
pub async fn caught(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    match panics::caught_in("http", next.run(request)).await {
        Ok(response) => response,
        Err(fault) => {
            tracing::error!(route, "a request makes the program panic");
            Refused::from(fault).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use axum::{Router, middleware::from_fn, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async fn asked(connection: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut said = vec![0; 4096];
        let read = connection.read(&mut said).await.unwrap();
        String::from_utf8_lossy(&said[..read]).into_owned()
    }

    #[tokio::test]
    async fn a_request_that_panics_is_answered_and_the_connection_goes_on() {
        let panics = get(|| async { panic!("Kim lives at kim@example.org") as &'static str });
        let router = Router::new().route("/bad/{of}", panics);
        let router = router.route("/good", get(|| async { "ok" })).layer(from_fn(caught));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        let mut connection = TcpStream::connect(address).await.unwrap();
        let said = asked(&mut connection, "/bad/kim").await;
        assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
        assert!(said.contains("urn:kulanz:problem:fault") && !said.contains("Kim"), "{said}");
        assert!(asked(&mut connection, "/good").await.ends_with("ok"));
    }
}

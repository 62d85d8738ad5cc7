//! Who may speak to the server: pages of its own, on this machine, or whoever has the token.
//!
//! In: a request. Out: the same request, or a refusal. A browser sends other sites' requests here too, so that the Host and the Origin are looked at (DNS rebinding, cross-site forms), and requests that
//! change something must carry a header that such forms cannot set.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::answers::{HEADERS, Refusal};

/// The header of requests that change something.
pub(super) const HEADER: &str = "x-occlude";
const COOKIE: &str = "occlude-token";

/// What is checked.
#[derive(Debug)]
pub(super) struct Gate {
    /// Where the server listens.
    pub(super) address: SocketAddr,
    /// Needed by everyone, if there is one.
    pub(super) token: Option<String>,
}

impl Gate {
    /// What a browser on this machine calls the server.
    fn is_own_host(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let is_own_name = name.eq_ignore_ascii_case("localhost")
            || name
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip == self.address.ip() || ip.is_loopback());
        is_own_name && port == Some(self.address.port())
    }

    fn check(&self, method: &Method, headers: &HeaderMap, query: Option<&str>) -> Result<(), Refusal> {
        let refuse = |why: &str, hint: &str| Err(Refusal::new(StatusCode::FORBIDDEN, why).with_hint(hint));
        let text = |name: &header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(&header::HOST).unwrap_or_default();
        match &self.token {
            Some(token) if has_token(token, headers, query) => {}
            Some(_) => {
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "this server wants its token")
                    .with_hint("open the address that occlude serve printed, with ?token=... in it"));
            }
            None if self.is_own_host(host) => {}
            None => {
                return refuse(
                    &format!("the request is for the host \"{host}\", this server is {}", self.address),
                    "open the address that occlude serve printed",
                );
            }
        }
        if let Some(origin) = text(&header::ORIGIN) {
            let is_own = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
            if !is_own {
                return refuse(
                    &format!("the request comes from {origin}, another site"),
                    "only the server's own page may ask",
                );
            }
        }
        if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
            && method != Method::GET
        {
            return refuse("the request comes from another site", "only the server's own page may ask");
        }
        if method != Method::GET && method != Method::HEAD && !headers.contains_key(HEADER) {
            return refuse(
                "the request changes something and has no header X-Occlude",
                "send the header X-Occlude: 1",
            );
        }
        Ok(())
    }
}

/// Compares all of it, however early it differs.
fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn token_in(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("token="))
}

fn has_token(token: &str, headers: &HeaderMap, query: Option<&str>) -> bool {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'));
    let cookie = cookies.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('=')).next();
    [bearer, cookie, token_in(query)].into_iter().flatten().any(|given| is_same(given, token))
}

/// Lets requests through that may come in, and sets the headers of every answer.
pub(super) async fn keep(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let query = request.uri().query();
    let mut response = match gate.check(request.method(), request.headers(), query) {
        Err(refusal) => refusal.into_response(),
        // The token goes from the address into a cookie, so that it does not stay in sight.
        Ok(()) => match (&gate.token, token_in(query)) {
            (Some(token), Some(_)) if request.method() == Method::GET => {
                let mut response = Redirect::to(request.uri().path()).into_response();
                if let Ok(cookie) =
                    HeaderValue::from_str(&format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"))
                {
                    response.headers_mut().insert(header::SET_COOKIE, cookie);
                }
                response
            }
            _ => next.run(request).await,
        },
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        token: Option<&str>,
        method: Method,
        given: &[(&str, &str)],
        query: Option<&str>,
    ) -> Option<StatusCode> {
        let gate =
            Gate { address: "127.0.0.1:7423".parse().expect("an address"), token: token.map(str::to_string) };
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(
                header::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                value.parse().expect("a value"),
            );
        }
        gate.check(&method, &headers, query).err().map(|refusal| refusal.into_response().status())
    }

    #[test]
    fn the_host_must_be_this_machine() {
        for host in ["127.0.0.1:7423", "localhost:7423", "[::1]:7423", "LOCALHOST:7423"] {
            assert_eq!(check(None, Method::GET, &[("host", host)], None), None, "{host}");
        }
        for host in [
            "evil.example:7423",
            "127.0.0.1:80",
            "127.0.0.1",
            "localhost.evil.example:7423",
            "",
            "[::1]",
            "127.0.0.1:7423:7423",
        ] {
            assert_eq!(
                check(None, Method::GET, &[("host", host)], None),
                Some(StatusCode::FORBIDDEN),
                "{host}"
            );
        }
    }

    #[test]
    fn other_sites_may_not_ask() {
        let host = ("host", "localhost:7423");
        let own = ("origin", "http://localhost:7423");
        assert_eq!(check(None, Method::POST, &[host, own, (HEADER, "1")], None), None);
        assert_eq!(check(None, Method::POST, &[host, own], None), Some(StatusCode::FORBIDDEN), "no header");
        for origin in
            ["http://evil.example", "null", "http://localhost:7424", "http://localhost:7423.evil.example"]
        {
            assert_eq!(
                check(None, Method::POST, &[host, ("origin", origin), (HEADER, "1")], None),
                Some(StatusCode::FORBIDDEN),
                "{origin}"
            );
        }
        let cross = ("sec-fetch-site", "cross-site");
        assert_eq!(
            check(None, Method::DELETE, &[host, cross, (HEADER, "1")], None),
            Some(StatusCode::FORBIDDEN)
        );
    }

    #[test]
    fn with_a_token_everyone_needs_it() {
        let host = ("host", "10.0.0.7:7423");
        let denied = Some(StatusCode::UNAUTHORIZED);
        assert_eq!(check(Some("s3cret"), Method::GET, &[host], None), denied);
        assert_eq!(check(Some("s3cret"), Method::GET, &[host], Some("token=s3cre")), denied);
        assert_eq!(
            check(Some("s3cret"), Method::GET, &[host, ("cookie", "occlude-token=s3cret2")], None),
            denied
        );
        assert_eq!(check(Some("s3cret"), Method::GET, &[host], Some("a=b&token=s3cret")), None);
        assert_eq!(
            check(Some("s3cret"), Method::GET, &[host, ("cookie", "x=y; occlude-token=s3cret")], None),
            None
        );
        assert_eq!(
            check(Some("s3cret"), Method::GET, &[host, ("authorization", "Bearer s3cret")], None),
            None
        );
    }
}

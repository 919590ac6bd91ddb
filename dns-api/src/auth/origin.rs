//! What keeps web pages from using a browser against the API.
//!
//! Authority comes with a header that no page can make a browser send by itself, so pages have none to begin with. These
//! checks stand before that: a page must not even get as far as a wrong login, or read what needs no token.

use std::net::IpAddr;

use axum::body::HttpBody;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, Request};

use crate::model::{Problem, ProblemKind};

/// Says where a browser's request comes from ([Fetch Metadata](https://www.w3.org/TR/fetch-metadata/)).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Types of bodies that there are. None of them can be sent by a form, or by a script that did not ask first.
const BODIES: &[&str] = &[JSON, TEXT_DNS];
const JSON: &str = "application/json";
const TEXT_DNS: &str = "text/dns";

/// Refuses what a page of another site may have made a browser send.
///
/// # Errors
/// Says which check failed.
pub(crate) fn check<B: HttpBody>(
    request: &Request<B>,
    is_loopback: bool,
    hosts: &[String],
) -> Result<(), Problem> {
    let forbidden = |detail: String| Err(Problem::new(ProblemKind::CrossSite, detail));
    let Ok(host) = host(request) else {
        return Err(Problem::new(ProblemKind::Malformed, "there must be one Host header"));
    };
    // Under a name of their own that leads to a loopback address, pages count as ours. Browsers always say the name.
    if is_loopback && host.is_some_and(|host| !is_our_host(host, hosts)) {
        return forbidden(format!(
            "Host is '{}', and on a loopback address only localhost, loopback addresses and the names in api.hosts will do: \
                list it there if a proxy is asked by that name",
            host.unwrap_or_default()
        ));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let headers = request.headers();
    if let Some(site) = headers.get(SEC_FETCH_SITE)
        && !matches!(site.as_bytes(), b"same-origin" | b"none")
    {
        return forbidden(
            "Sec-Fetch-Site tells of a page of another site, and these cannot change anything".to_owned(),
        );
    }
    let is_own =
        |origin: &str| origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    for origin in headers.get_all(ORIGIN) {
        if !origin.to_str().is_ok_and(is_own) {
            return forbidden(format!(
                "Origin is not '{}', the Host that is asked: pages of other sites cannot change anything, and a proxy must pass \
                    Host on as it is, with that name in api.hosts if this listens on a loopback address",
                host.unwrap_or_default()
            ));
        }
    }
    if !request.body().is_end_stream() && !is_known_body(headers) {
        let wanted = if request.uri().path().ends_with("/import") { TEXT_DNS } else { JSON };
        let detail = format!("Content-Type must say what the body is, which has to be {wanted} here");
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    Ok(())
}

/// The host that is asked, port included: that of an absolute URI before that of the header
/// ([RFC 9112, section 3.2.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2)).
fn host<B>(request: &Request<B>) -> Result<Option<&str>, ()> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(host.to_str().map_err(drop)?),
        (Some(_), Some(_)) => return Err(()),
    };
    Ok(request.uri().authority().map(Authority::as_str).or(named))
}

/// A loopback address, a name that must stand for one ([RFC 6761, section 6.3]), or a name from the configuration.
///
/// [RFC 6761, section 6.3]: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
fn is_our_host(host: &str, hosts: &[String]) -> bool {
    let name = without_port(host);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    if let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return address.to_canonical().is_loopback() || hosts.contains(&name);
    }
    hosts.iter().any(|own| own.trim_end_matches('.').eq_ignore_ascii_case(&name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

fn is_known_body(headers: &HeaderMap) -> bool {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    BODIES.iter().any(|known| essence.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn status(is_loopback: bool, method: &str, headers: &[(&str, &str)], body: &'static str) -> u16 {
        let mut request = Request::builder().method(method).uri("/api/v1/records");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        match check(&request, is_loopback, &["dns.example.org".to_owned()]) {
            Ok(()) => 200,
            Err(problem) => problem.status,
        }
    }

    #[test]
    fn names_that_lead_to_loopback_by_rebinding_are_refused() {
        for (host, expected) in [
            ("localhost", 200),
            ("LOCALHOST:8080", 200),
            ("api.localhost.:8080", 200),
            ("127.0.0.1:8080", 200),
            ("127.1.2.3", 200),
            ("[::1]:8080", 200),
            ("[::1]", 200),
            ("[::ffff:127.0.0.1]:80", 200),
            ("dns.example.org:8080", 200),
            ("DNS.example.org.", 200),
            ("evil.example", 403),
            ("evil.example:8080", 403),
            ("localhost.evil.example", 403),
            ("notlocalhost", 403),
            ("127.0.0.1.evil.example", 403),
            ("192.0.2.1", 403),
            ("[2001:db8::1]", 403),
            ("", 403),
        ] {
            assert_eq!(status(true, "GET", &[("host", host)], ""), expected, "{host}");
            assert_eq!(status(false, "GET", &[("host", host)], ""), 200, "{host}");
        }
        assert_eq!(status(true, "GET", &[], ""), 200, "no browser leaves it out");
        assert_eq!(status(true, "GET", &[("host", "localhost"), ("host", "localhost")], ""), 400);
        let absolute = Request::builder().uri("http://evil.example/").header("host", "localhost");
        assert_eq!(check(&absolute.body(Body::empty()).unwrap(), true, &[]).unwrap_err().status, 403);
    }

    #[test]
    fn other_sites_change_nothing() {
        let host = ("host", "dns.example.org:8080");
        for (header, get, post) in [
            (("origin", "http://dns.example.org:8080"), 200, 200),
            (("origin", "https://dns.example.org:8080"), 200, 200),
            (("origin", "http://dns.example.org"), 200, 403),
            (("origin", "http://evil.example"), 200, 403),
            (("origin", "null"), 200, 403),
            (("origin", ""), 200, 403),
            (("sec-fetch-site", "same-origin"), 200, 200),
            (("sec-fetch-site", "none"), 200, 200),
            (("sec-fetch-site", "cross-site"), 200, 403),
            (("sec-fetch-site", "same-site"), 200, 403),
        ] {
            for (method, expected) in
                [("GET", get), ("HEAD", get), ("POST", post), ("DELETE", post), ("OPTIONS", post)]
            {
                assert_eq!(status(false, method, &[host, header], ""), expected, "{method} {header:?}");
            }
        }
    }

    #[test]
    fn forms_have_no_body_that_will_do() {
        for (content_type, expected) in [
            ("application/json", 200),
            ("Application/JSON; charset=utf-8", 200),
            ("text/dns", 200),
            ("text/plain", 415),
            ("text/plain; application/json", 415),
            ("application/x-www-form-urlencoded", 415),
            ("multipart/form-data; boundary=x", 415),
            ("", 415),
        ] {
            assert_eq!(
                status(true, "POST", &[("content-type", content_type)], "{}"),
                expected,
                "{content_type}"
            );
            assert_eq!(status(true, "POST", &[("content-type", content_type)], ""), 200, "{content_type}");
        }
        assert_eq!(status(true, "PUT", &[], "{}"), 415);
    }
}

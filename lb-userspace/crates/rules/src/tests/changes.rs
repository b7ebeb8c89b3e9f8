//! Transforms and redirects: request in, URL out.

use super::rules::{HTTP, HTTPS, REQUEST};
use crate::{
    ListenerEnd, Protocol, Redirect, RedirectError, RequestHead, Rewrite, Rewriter, Transforms,
    UrlError, location,
};

fn rewrite(regex: &str, replace: &str) -> Rewrite {
    Rewrite { regex: regex.to_owned(), replace: replace.to_owned() }
}

#[test]
fn url_rewrite_changes_path_and_query() {
    let cases = [
        ("^/order/(.*)$", "/$1", "/order/7", Some("a=1"), Ok("/7?a=1")),
        ("^/order/(.*)$", "/$1", "/other", Some("a=1"), Ok("/other?a=1")),
        ("^/order/(.*)$", "/$1", "/other", None, Ok("/other")),
        ("\\?.*$", "", "/a", Some("b=c"), Ok("/a")),
        ("^/(\\w+)/(\\w+)$", "/$2?from=$1", "/a/b", None, Ok("/b?from=a")),
        ("b", "c", "/bb", None, Ok("/cb")),
        ("^/(?<rest>.*)$", "/$$${rest}x", "/a", None, Ok("/$ax")),
        ("^/static(.*)$", "/files/$1", "/static../secret", None, Err(UrlError::DotSegment)),
        ("^/x/(.*)$", "$1", "/x/y", None, Err(UrlError::NotAbsolute)),
        ("^/a(.*)$", "/%0$1", "/a0", None, Err(UrlError::Escape)),
        ("^/a", "/#", "/a", None, Err(UrlError::Fragment)),
    ];
    for (regex, replace, path, query, expected) in cases {
        let rewriter =
            Rewriter::new(&Transforms { url: Some(rewrite(regex, replace)), host: None }).unwrap();
        let found = rewriter.apply(&RequestHead { path, query, ..REQUEST });
        let found = found.map(|rewritten| rewritten.url.into_owned()).map_err(|error| error.reason);
        assert_eq!(found, expected.map(str::to_owned), "{regex} {replace} on {path}");
    }
}

#[test]
fn host_rewrite_sees_the_host_without_port() {
    let cases = [
        (
            "^(.+)-shop\\.example\\.com$",
            "$1.internal",
            "A-shop.example.com:443",
            Ok(Some("a.internal")),
        ),
        ("^x$", "y", "a.example.com", Ok(None)),
        ("example\\.com$", "internal:8080", "a.example.com", Ok(Some("a.internal:8080"))),
        ("^.*$", "", "a.example.com", Err(UrlError::Host)),
        ("^.*$", "a/b", "a.example.com", Err(UrlError::Host)),
    ];
    for (regex, replace, host, expected) in cases {
        let rewriter =
            Rewriter::new(&Transforms { url: None, host: Some(rewrite(regex, replace)) }).unwrap();
        let found = rewriter.apply(&RequestHead { host, ..REQUEST });
        let found = found.map(|rewritten| rewritten.host).map_err(|error| error.reason);
        assert_eq!(
            found,
            expected.map(|host| host.map(str::to_owned)),
            "{regex} {replace} on {host}"
        );
    }
}

#[test]
fn a_redirect_keeps_what_it_does_not_name() {
    let same = || Redirect {
        protocol: None,
        host: None,
        port: None,
        path: None,
        query: None,
        status: 301,
    };
    let own = |text: &str| Some(text.to_owned());
    let to_https = || Redirect { protocol: Some(Protocol::Https), ..same() };
    let high = ListenerEnd { protocol: Protocol::Https, port: 8443 };
    let cases = [
        (HTTP, to_https(), "https://a.com/x/y?q=1"),
        (HTTP, Redirect { port: Some(8443), ..to_https() }, "https://a.com:8443/x/y?q=1"),
        (HTTPS, Redirect { host: own("www.#{host}"), ..same() }, "https://www.a.com/x/y?q=1"),
        (high, Redirect { host: own("b.com"), ..same() }, "https://b.com:8443/x/y?q=1"),
        (high, Redirect { port: Some(443), ..same() }, "https://a.com/x/y?q=1"),
        (
            HTTPS,
            Redirect { path: own("/new/#{path}"), query: own(""), ..same() },
            "https://a.com/new/x/y",
        ),
        (
            HTTPS,
            Redirect {
                path: own("/#{host}/#{port}/#{path}"),
                query: own("#{query}&u=#{protocol}-#{host}-#{port}-#{path}"),
                ..same()
            },
            "https://a.com/a.com/443/x/y?q=1&u=https-a.com-443-x/y",
        ),
    ];
    for (listener, redirect, expected) in cases {
        let request = RequestHead { host: "A.com:80", path: "/x/y", query: Some("q=1"), ..REQUEST };
        assert_eq!(
            location(&redirect, &request, listener).as_deref(),
            Ok(expected),
            "{redirect:?}"
        );
    }
}

#[test]
fn a_redirect_to_itself_or_to_nonsense_is_refused() {
    let to = |host: &str, path: &str, query: Option<&str>| Redirect {
        protocol: None,
        host: Some(host.to_owned()),
        port: None,
        path: Some(path.to_owned()),
        query: query.map(str::to_owned),
        status: 302,
    };
    let request = RequestHead { host: "a.com", path: "/x", query: Some("q=1"), ..REQUEST };
    let loops = [
        to("a.com", "/x", None),
        to("#{host}", "/x", Some("q=1")),
        to("a.com", "/#{path}", Some("#{query}")),
    ];
    for redirect in loops {
        let found = location(&redirect, &request, HTTPS);
        assert_eq!(
            found,
            Err(RedirectError::Loop("https://a.com/x?q=1".to_owned())),
            "{redirect:?}"
        );
    }
    assert!(location(&to("a.com", "/x", Some("q=2")), &request, HTTPS).is_ok());
    let no_query = RequestHead { query: Some(""), ..request };
    let found = location(&to("a.com", "/x", Some("")), &no_query, HTTPS);
    assert!(matches!(found, Err(RedirectError::Loop(_))), "{found:?}");
    let bad_host = RequestHead { host: "a.com\r\nx", ..request };
    let found = location(&to("#{host}", "/y", None), &bad_host, HTTPS);
    assert!(matches!(found, Err(RedirectError::Url { reason: UrlError::Host, .. })), "{found:?}");
    let bad_path = RequestHead { path: "/a%00", ..request };
    let found = location(&to("b.com", "/#{path}", None), &bad_path, HTTPS);
    assert!(matches!(found, Err(RedirectError::Url { reason: UrlError::Escape, .. })), "{found:?}");
}

//! Which API a request reaches, by path prefix and method, and which requests reach none.

use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome};

/// Without a catch-all.
const SHOP: &str = r#"
[[route]]
name = "orders"
path_prefix = "/orders"
rewrite_prefix = "/prod"

[[route]]
name = "returns"
path_prefix = "/orders/returns"
methods = ["GET", "HEAD"]

[[route]]
name = "plain"
path_prefix = "/plain"
"#;

fn shop() -> Result<Stage, Failure> {
    Stage::set_with(|config| config.list(SHOP))
}

#[test]
fn the_longest_prefix_decides_and_is_rewritten() -> Outcome {
    let stage = shop()?;
    for (asked, route, forwarded) in [
        ("/orders", "orders", "/prod"),
        ("/orders/7?page=2", "orders", "/prod/7?page=2"),
        ("/orders/a%2Fb/%C3%A9;v=1", "", ""),
        ("/orders/returns/a%2Fb/%C3%A9;v=1?x=%20", "returns", "/orders/returns/a%2Fb/%C3%A9;v=1?x=%20"),
        ("/%6frders/%37", "orders", "/prod/%37"),
        ("/plain/orders", "plain", "/plain/orders"),
    ] {
        for protocol in ["--http1.1", "--http2"] {
            let answer = stage.curl("good", asked).args(&[protocol, "--path-as-is"]).call()?;
            if route.is_empty() {
                assert_eq!(answer.status, 400, "as deep as routes look, one spelling: {asked}");
                continue;
            }
            let echo = answer.echo()?;
            let query = echo.query.map(|query| format!("?{query}")).unwrap_or_default();
            assert_eq!(format!("{}{query}", echo.path), forwarded, "{protocol} {asked}");
            let path = asked.split('?').next().unwrap_or(asked);
            assert_eq!(stage.postern.requested(path)?.expect_text("route")?, route);
        }
    }
    Ok(())
}

#[test]
fn what_no_route_takes_is_refused_by_name() -> Outcome {
    let stage = shop()?;
    for (method, path, status, reason) in [
        ("GET", "/", 404, "no_route"),
        ("GET", "/ordersx", 404, "no_route"),
        ("GET", "/plain.", 404, "no_route"),
        ("POST", "/orders/returns/7", 405, "method_not_allowed"),
    ] {
        for protocol in ["--http1.1", "--http2"] {
            let answer = stage.curl("good", path).args(&[protocol, "--request", method]).call()?;
            assert_eq!(answer.status, status, "{method} {path}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.header("allow"), (status == 405).then_some("GET, HEAD"));
            assert_eq!(stage.postern.requested(path)?.expect_text("reason")?, reason);
        }
    }
    assert_eq!(stage.curl("good", "/plain").call()?.status, 200);
    let metrics = stage.postern.metrics()?;
    assert_eq!(metrics.sum("postern_refusals_total", &[("reason", "no_route")]), 6.0);
    assert_eq!(metrics.sum("postern_route_requests_total", &[("route", "plain"), ("class", "2xx")]), 1.0);
    assert_eq!(metrics.sum("postern_route_requests_total", &[]), 1.0, "the rest took no route");
    Ok(())
}

#[test]
fn no_spelling_of_a_path_escapes_its_route() -> Outcome {
    let stage = shop()?;
    for path in [
        "/plain/../orders",
        "/plain/%2e%2e/orders",
        "/plain/.%2E/orders",
        "/plain/x/../../orders",
        "/plain/a/b/c/..%2f..%2forders",
        "/plain/a/b/..%5corders",
        "/plain/a/b/..;x/orders",
        "/plain/a/b/%252e%252e/orders",
        "/plain/./x",
        "/plain//x",
        "//orders",
        "/plain%2forders",
        "/orders%2freturns/7",
        "/orders;x/returns",
        "/orders/returns%3bx",
        "/plain/a/b/%c0%ae%c0%ae/orders",
        "/plain/a/b/%00",
        "/plain/a/b/%zz",
    ] {
        for protocol in ["--http1.1", "--http2"] {
            let answer = stage.curl("good", path).args(&[protocol, "--path-as-is"]).call()?;
            assert_eq!(answer.status, 400, "{protocol} {path}: {}", answer.text());
            assert_eq!(stage.postern.requested(path)?.expect_text("reason")?, "ambiguous_path", "{path}");
        }
    }
    // What curl does not send.
    let mut connection = stage.connect("good", Version::Tls13)?;
    assert_eq!(connection.get("/plain/a\\..\\..\\orders")?.status, 400);
    assert_eq!(connection.get("/plain/x")?.status, 200, "the connection goes on");
    Ok(())
}

#[test]
fn a_route_has_an_upstream_of_its_own() -> Outcome {
    // The endpoint knows no such API behind the Host that the second route sets.
    let stage = Stage::set_with(|config| {
        config.list(
            "[[route]]\nname = 'here'\n\
             [[route]]\nname = 'elsewhere'\npath_prefix = '/elsewhere'\n\
             [route.upstream]\nhost = 'zzzzzzzzzz.execute-api.eu-west-1.amazonaws.com'\n",
        )
    })?;
    assert_eq!(stage.curl("good", "/here").call()?.status, 200);
    let answer = stage.curl("good", "/elsewhere/x").call()?;
    assert_eq!((answer.status, answer.text().contains("Forbidden")), (403, true));
    Ok(())
}

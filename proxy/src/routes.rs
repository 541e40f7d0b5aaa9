//! Which route a request takes: by the name that it asks for, then by the longest path prefix, then by method.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};

use crate::config::Config;
use crate::names::ByName;
use crate::refusal::Refusal;
use crate::target;

/// Every route, arranged for looking up. Never changes.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Arc<Route>>,
    by_host: ByName<Prefixes>,
    any: Prefixes,
    /// The number of each server but the default one.
    servers: ByName<usize>,
    /// There is one route, and it takes everything.
    sole: bool,
    /// Names decide something, so that a request must not name another server than its connection.
    named: bool,
    /// Paths decide something, so that they must have one reading.
    by_path: bool,
    /// Segments of the longest prefix.
    depth: usize,
}

/// Routes by path prefix; those of one prefix differ in their methods.
type Prefixes = HashMap<Box<[u8]>, Vec<Arc<Route>>>;

/// One way through the proxy.
#[derive(Debug)]
pub struct Route {
    /// Its place among the routes.
    pub number: usize,
    /// What it is called; `None` for the only one there is, without `[[route]]`.
    pub name: Option<String>,
    /// Which of [`Config::upstreams`].
    pub upstream: usize,
    methods: Vec<Method>,
    rewrite: Option<String>,
    /// Whether clients without a certificate may take it.
    pub anonymous: bool,
}

/// What a connection is for.
#[derive(Debug, Clone, Default)]
pub struct Destination {
    /// The number of its server; 0 is the default one.
    pub server: usize,
    /// The name that the client asked for (SNI), in lower case.
    pub name: Option<Box<str>>,
}

/// The route of one request.
#[derive(Debug, Clone, Copy)]
pub struct Routed<'a> {
    /// The route.
    pub route: &'a Route,
    /// Bytes of the path that its prefix matched.
    matched: usize,
}

impl Routes {
    /// Arranges the routes of `config`.
    pub fn new(config: &Config) -> Self {
        let routes = &config.routes;
        let (mut by_host, mut any) = (ByName::<Prefixes>::default(), Prefixes::new());
        let mut all = Vec::new();
        for (number, config) in routes.iter().enumerate() {
            let route = Arc::new(Route {
                number,
                name: config.name.clone(),
                upstream: config.upstream,
                methods: config.methods.clone(),
                rewrite: config.rewrite_prefix.clone(),
                anonymous: config.danger_allow_anonymous,
            });
            let add = |prefixes: &mut Prefixes| {
                prefixes.entry(config.path_prefix.as_slice().into()).or_default().push(route.clone());
            };
            for host in &config.hosts {
                add(by_host.entry(host));
            }
            if config.hosts.is_empty() {
                add(&mut any);
            }
            all.push(route);
        }
        let servers = server_numbers(config);
        let named = !by_host.is_empty() || !servers.is_empty();
        let prefixed = routes.iter().any(|route| !route.path_prefix.is_empty());
        let rewritten = routes.iter().any(|route| route.rewrite_prefix.is_some());
        let by_method = routes.iter().any(|route| !route.methods.is_empty());
        Self {
            sole: routes.len() == 1 && !named && !prefixed && !by_method,
            named,
            by_path: prefixed || rewritten,
            depth: routes.iter().map(|route| segments(&route.path_prefix)).max().unwrap_or(0),
            routes: all,
            by_host,
            any,
            servers,
        }
    }

    /// The route that is the `number`th.
    pub fn get(&self, number: usize) -> Option<&Route> {
        self.routes.get(number).map(AsRef::as_ref)
    }

    /// The route of `request`, which came on a connection for `destination`.
    ///
    /// # Errors
    ///
    /// A request that names another server than its connection, that can be read in two ways, or that no route takes.
    pub fn find<B>(&self, request: &Request<B>, destination: &Destination) -> Result<Routed<'_>, Refusal> {
        let path = request.uri().path();
        if self.by_path {
            let plain =
                target::check(path, self.depth).map_err(|detail| Refusal::AmbiguousPath { detail })?;
            if plain.escaped {
                let decoded = target::decoded(path, self.depth);
                let mut routed = self.lookup(request, destination, &decoded)?;
                routed.matched =
                    end_of(path.as_bytes(), segments(decoded.get(..routed.matched).unwrap_or_default()));
                return Ok(routed);
            }
        }
        if let (true, Some(route)) = (self.sole, self.routes.first()) {
            return Ok(Routed { route, matched: 0 });
        }
        self.lookup(request, destination, path.as_bytes())
    }

    fn lookup<B>(
        &self,
        request: &Request<B>,
        destination: &Destination,
        path: &[u8],
    ) -> Result<Routed<'_>, Refusal> {
        let name = if self.named { self.asked_for(request, destination)? } else { None };
        let by_host = name.as_deref().map(|name| self.by_host.find(name));
        for prefixes in by_host.into_iter().flatten().chain([&self.any]) {
            if let Some((routes, matched)) = longest(prefixes, path, self.depth) {
                return by_method(routes, request.method()).map(|route| Routed { route, matched });
            }
        }
        Err(Refusal::NoRoute { path: request.uri().path().to_owned() })
    }

    /// The name that a request asks for, in lower case: the one that its connection was made for, if that has one.
    ///
    /// RFC 9110 §7.4: a request for another name is misdirected. It would be judged by the wrong server's rules, so the
    /// client is sent to make a connection of its own for it.
    fn asked_for<'a, B>(
        &self,
        request: &'a Request<B>,
        destination: &'a Destination,
    ) -> Result<Option<Cow<'a, str>>, Refusal> {
        let host = request.headers().get(HOST).map(|host| host.to_str().map_or("", bare));
        let authority = request.uri().authority().map(|authority| bare(authority.host()));
        if let (Some(host), Some(authority)) = (host, authority)
            && !host.eq_ignore_ascii_case(authority)
        {
            // RFC 9113 §8.3.1; RFC 9112 §3.2.2 says which one counts, and the next server may not know.
            let detail = "Host and the target name different hosts".into();
            return Err(Refusal::MalformedRequest { detail });
        }
        let misdirected = |asked: &str, name: Option<&str>| Refusal::Misdirected {
            asked: asked.to_owned(),
            server_name: name.unwrap_or("no name").to_owned(),
        };
        match (authority.or(host), destination.name.as_deref()) {
            (Some(asked), Some(name)) if !asked.eq_ignore_ascii_case(name) => {
                Err(misdirected(asked, Some(name)))
            }
            (_, Some(name)) => Ok(Some(Cow::Borrowed(name))),
            (None, None) => Ok(None),
            (Some(asked), None) => {
                let upper = asked.bytes().any(|byte| byte.is_ascii_uppercase());
                let asked = if upper { Cow::Owned(asked.to_ascii_lowercase()) } else { Cow::Borrowed(asked) };
                let server = self.servers.find(&asked).next().copied().unwrap_or(0);
                if server == destination.server { Ok(Some(asked)) } else { Err(misdirected(&asked, None)) }
            }
        }
    }
}

/// The number of each server in `config` but the default one, which is 0.
pub fn server_numbers(config: &Config) -> ByName<usize> {
    let mut numbers = ByName::default();
    for (number, server) in config.servers.iter().enumerate() {
        for name in &server.names {
            *numbers.entry(name) = number;
        }
    }
    numbers
}

impl Routed<'_> {
    /// What the upstream is asked for: path and query in origin form, with the route's prefix in place of the client's.
    ///
    /// # Errors
    ///
    /// A target that is too long.
    pub fn target(&self, uri: &Uri) -> Result<Uri, Refusal> {
        let Some(prefix) = &self.route.rewrite else {
            // RFC 9112 §3.2.1: path and query, whatever form the client used.
            let target = uri.path_and_query().cloned();
            return Ok(Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/"))));
        };
        let rest = uri.path().get(self.matched..).unwrap_or_default();
        let rest = if prefix.is_empty() && rest.is_empty() { "/" } else { rest };
        let (mark, query) = uri.query().map_or(("", ""), |query| ("?", query));
        let target = [prefix, rest, mark, query].concat();
        let target = PathAndQuery::from_maybe_shared(Bytes::from(target))
            .map_err(|error| Refusal::MalformedRequest { detail: error.to_string().into() })?;
        Ok(Uri::from(target))
    }
}

/// A host without port, brackets and final dot.
fn bare(host: &str) -> &str {
    let name = match host.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.strip_suffix('.').unwrap_or(name)
}

/// The routes of the longest prefix of `path`, in whole segments, and its length.
fn longest<'a>(prefixes: &'a Prefixes, path: &[u8], depth: usize) -> Option<(&'a [Arc<Route>], usize)> {
    let mut prefix = path.get(..end_of(path, depth))?;
    loop {
        if let Some(routes) = prefixes.get(prefix) {
            return Some((routes, prefix.len()));
        }
        if prefix.is_empty() {
            return None;
        }
        let shorter = prefix.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        prefix = prefix.get(..shorter)?;
    }
}

/// How many segments there are in a prefix.
fn segments(prefix: &[u8]) -> usize {
    prefix.iter().filter(|byte| **byte == b'/').count()
}

/// Where the first `segments` segments of `path` end.
fn end_of(path: &[u8], segments: usize) -> usize {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| at).nth(segments).unwrap_or(path.len())
}

/// Among routes of one prefix: the one that names `method`, or else the one that takes all.
fn by_method<'a>(routes: &'a [Arc<Route>], method: &Method) -> Result<&'a Route, Refusal> {
    let named = routes.iter().find(|route| route.methods.contains(method));
    match named.or_else(|| routes.iter().find(|route| route.methods.is_empty())) {
        Some(route) => Ok(route),
        None => {
            let allowed = routes.iter().flat_map(|route| &route.methods).map(Method::as_str);
            let allowed = allowed.collect::<Vec<_>>().join(", ");
            Err(Refusal::MethodNotAllowed { method: method.to_string(), allowed })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with the name of the route and what the upstream is asked for, or the refusal's name.
    fn ask(routes: &str, server_name: Option<&str>, request: &str) -> String {
        let routes = Routes::new(&Config::with_routes(routes));
        let destination = Destination { server: 0, name: server_name.map(Into::into) };
        let (method, uri) = request.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        match routes.find(&request, &destination) {
            Ok(routed) => {
                let name = routed.route.name.clone().unwrap_or_default();
                format!("{name} {}", routed.target(request.uri()).unwrap())
            }
            Err(refusal) => refusal.label().to_owned(),
        }
    }

    const SHOP: &str = r#"
        [[route]]
        name = "rest"
        [[route]]
        name = "orders"
        path_prefix = "/orders"
        rewrite_prefix = "/prod"
        [[route]]
        name = "returns"
        path_prefix = "/orders/returns/"
        [[route]]
        name = "new"
        path_prefix = "/orders/returns"
        methods = ["POST", "PUT"]
        [[route]]
        name = "reports"
        path_prefix = "/reports"
        methods = ["GET"]
        rewrite_prefix = "/"
    "#;

    #[test]
    fn the_longest_prefix_in_whole_segments_wins() {
        for (request, expected) in [
            ("GET /", "rest /"),
            ("GET /ordersx", "rest /ordersx"),
            ("GET /orders", "orders /prod"),
            ("GET /orders/", "orders /prod/"),
            ("GET /orders/7?page=2", "orders /prod/7?page=2"),
            ("GET /orders/return", "orders /prod/return"),
            ("GET /orders/returns", "returns /orders/returns"),
            ("GET /orders/returns/1/2/3?", "returns /orders/returns/1/2/3?"),
            ("POST /orders/returns/1", "new /orders/returns/1"),
            ("GET /reports", "reports /"),
            ("GET /reports?a=/orders", "reports /?a=/orders"),
            ("GET /reports/a/b", "reports /a/b"),
            ("POST /reports/a", "method_not_allowed"),
            ("HEAD /reports/a", "method_not_allowed"),
        ] {
            assert_eq!(ask(SHOP, None, request), expected, "{request}");
        }
    }

    #[test]
    fn an_encoded_prefix_is_the_same_prefix() {
        for (request, expected) in [
            ("GET /%6frder%73/%37", "orders /prod/%37"),
            ("GET /orders/return%73/x%2fy", "returns /orders/return%73/x%2fy"),
            ("GET /order%73%2freturns", "ambiguous_path"),
            ("GET /orders/../reports", "ambiguous_path"),
            ("GET /x/y/z/%2e%2e/orders", "ambiguous_path"),
            ("GET /orders//returns", "ambiguous_path"),
            ("GET /orders;x/returns", "ambiguous_path"),
        ] {
            assert_eq!(ask(SHOP, None, request), expected, "{request}");
        }
    }

    const HOSTS: &str = r#"
        [[route]]
        name = "exact"
        hosts = ["API.example.com", "other.example.com"]
        path_prefix = "/a"
        [[route]]
        name = "wild"
        hosts = ["*.example.com"]
        [[route]]
        name = "any"
        path_prefix = "/a/b"
    "#;

    #[test]
    fn the_most_specific_host_wins_and_another_name_is_misdirected() {
        for (name, request, expected) in [
            (Some("api.example.com"), "GET https://api.example.com/a/b/c", "exact /a/b/c"),
            (Some("api.example.com"), "GET https://Api.Example.COM.:8443/a", "exact /a"),
            (Some("api.example.com"), "GET /x", "wild /x"),
            (Some("x.example.com"), "GET /a/b", "wild /a/b"),
            (Some("x.y.example.com"), "GET /a/b", "any /a/b"),
            (Some("x.y.example.com"), "GET /a", "no_route"),
            (Some("example.com"), "GET /a", "no_route"),
            (Some("api.example.com"), "GET https://other.example.com/a", "misdirected_request"),
            (Some("other.example.net"), "GET https://api.example.com/a", "misdirected_request"),
            (None, "GET https://API.example.com/a", "exact /a"),
            (None, "GET https://127.0.0.1/a/b", "any /a/b"),
            (None, "GET /a/b", "any /a/b"),
        ] {
            assert_eq!(ask(HOSTS, name, request), expected, "{name:?} {request}");
        }
    }

    #[test]
    fn without_routes_everything_passes_as_it_is() {
        for target in ["/", "/a//../b;c%2f", "https://elsewhere.example/x?y"] {
            let request = format!("GET {target}");
            let path = target.strip_prefix("https://elsewhere.example").unwrap_or(target);
            assert_eq!(ask("", Some("api.example.com"), &request), format!(" {path}"));
        }
    }

    #[test]
    fn a_host_that_contradicts_the_target_is_malformed() {
        let routes = Routes::new(&Config::with_routes(HOSTS));
        let request = Request::builder().uri("https://api.example.com/a").header(HOST, "other.example.com");
        let refusal = routes.find(&request.body(()).unwrap(), &Destination::default()).unwrap_err();
        assert_eq!(refusal.label(), "malformed_request");
    }
}

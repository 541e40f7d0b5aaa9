//! `[[route]]`: which requests go to which upstream.

use http::Method;

use super::host::HostPattern;
use super::section::Section;
use super::upstream::Upstream;
use crate::target;

/// Names stand in every line of the log and in metrics.
const MOST_NAME: usize = 64;

/// One way through the proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Where it is in the configuration: `route[1]`.
    pub key: String,
    /// What it is called in logs and metrics; `None` for the only route there is, without `[[route]]`.
    pub name: Option<String>,
    /// The names that it answers to; none means every name.
    pub hosts: Vec<HostPattern>,
    /// Decoded, without the slash at its end: `/orders`, and nothing for `/`.
    pub path_prefix: Vec<u8>,
    /// What stands in place of `path_prefix` upstream, without the slash at its end; `None` to leave the path alone.
    pub rewrite_prefix: Option<String>,
    /// The methods that it takes; none means all.
    pub methods: Vec<Method>,
    /// Whether clients without a certificate may take it.
    pub danger_allow_anonymous: bool,
    /// Which of [`super::Config::upstreams`].
    pub upstream: usize,
}

/// Every route, and the distinct upstreams that they lead to.
///
/// Without `[[route]]` there is one, for everything, to `[upstream]`.
pub(super) fn read(root: &mut Section<'_>) -> (Vec<Route>, Vec<Upstream>) {
    let read = root.sections("route", |route| {
        let upstream = Upstream::read(&mut route.heir("upstream", "upstream"));
        (Route::read(route, upstream.stage.as_deref()), upstream)
    });
    if read.is_empty() {
        let upstream = Upstream::read(&mut root.section("upstream"));
        return (vec![Route::only(upstream.stage.as_deref())], vec![upstream]);
    }
    let (mut routes, mut upstreams) = (Vec::new(), Vec::new());
    for (route, upstream) in read {
        let known = upstreams.iter().position(|known| *known == upstream);
        routes.push(Route { upstream: known.unwrap_or(upstreams.len()), ..route });
        if known.is_none() {
            upstreams.push(upstream);
        }
    }
    (routes, upstreams)
}

impl Route {
    /// The one for everything.
    fn only(stage: Option<&str>) -> Self {
        Self {
            key: String::new(),
            name: None,
            hosts: Vec::new(),
            path_prefix: Vec::new(),
            rewrite_prefix: stage.map(|stage| format!("/{stage}")),
            methods: Vec::new(),
            danger_allow_anonymous: false,
            upstream: 0,
        }
    }

    fn read(route: &mut Section<'_>, stage: Option<&str>) -> Self {
        let name = route.string("name", "what the route is called in logs and metrics");
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) || name.len() > MOST_NAME {
            route.problem(
                "name",
                "not a short name",
                "up to 64 letters, digits, dots, dashes and underscores",
            );
        }
        let path_prefix = prefix(route, "path_prefix").unwrap_or_default();
        let rewritten = rewrite(route, stage).filter(|rewritten| *rewritten != path_prefix);
        Self {
            key: route.path().to_owned(),
            name: Some(name),
            hosts: HostPattern::read(route, "hosts"),
            path_prefix: target::decoded(&path_prefix, usize::MAX),
            rewrite_prefix: rewritten,
            methods: methods(route),
            danger_allow_anonymous: route.boolean("danger_allow_anonymous", false),
            upstream: 0,
        }
    }
}

/// What stands in place of the prefix: as with the base path mapping of a custom domain, the stage, unless something else is said.
fn rewrite(route: &mut Section<'_>, stage: Option<&str>) -> Option<String> {
    let stage = stage.map(|stage| format!("/{stage}"));
    let Some(said) = prefix(route, "rewrite_prefix") else { return stage };
    if let Some(stage) = stage
        && said.strip_prefix(&stage).is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'))
    {
        let problem = format!("does not begin with the stage, {stage}");
        route.problem("rewrite_prefix", problem, "write the stage in front, or remove upstream.stage");
    }
    Some(said)
}

/// A path without the slash at its end, so that `/` is nothing.
fn prefix(route: &mut Section<'_>, name: &str) -> Option<String> {
    let path = route.optional_string(name)?;
    if let Err(ambiguity) = target::check(&path, usize::MAX) {
        let hint = "a path such as \"/orders\", spelt as plainly as a client may";
        route.problem(name, format!("cannot be matched: {ambiguity}"), hint);
        return None;
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>^`{|}".contains(&byte)) {
        route.problem(name, "not the path of a URI", "percent-encode what is not allowed there");
        return None;
    }
    Some(path.strip_suffix('/').unwrap_or(&path).to_owned())
}

fn methods(route: &mut Section<'_>) -> Vec<Method> {
    let mut methods = Vec::new();
    for text in route.strings("methods") {
        let refused = ["CONNECT", "TRACE"].contains(&text.as_str());
        let lower = text.bytes().any(|byte| byte.is_ascii_lowercase());
        match Method::from_bytes(text.as_bytes()) {
            Ok(method) if !refused && !lower && !methods.contains(&method) => methods.push(method),
            _ => {
                let hint = "methods in capitals, each once, such as [\"GET\", \"HEAD\"]; CONNECT and TRACE never pass";
                route.problem("methods", format!("{text:?} does not fit"), hint);
            }
        }
    }
    methods
}

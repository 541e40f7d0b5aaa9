//! What is wrong between servers and routes that are each right: names taken twice, and what nobody can reach.

use std::collections::HashMap;

use super::fields::Invalid;
use super::route::Route;
use super::server::{ClientAuth, Server};

/// Everything that contradicts something else.
pub(super) fn find(servers: &[Server], routes: &[Route]) -> Vec<Invalid> {
    let mut problems = Vec::new();
    names_of_servers(servers, &mut problems);
    names_of_routes(routes, &mut problems);
    claims(routes, &mut problems);
    anonymous(servers, routes, &mut problems);
    problems
}

fn names_of_servers(servers: &[Server], problems: &mut Vec<Invalid>) {
    let mut taken = HashMap::new();
    for server in servers {
        for name in &server.names {
            if let Some(first) = taken.insert(name, server) {
                let problem = format!("{name} is a name of {}, too", first.key);
                problems.push(Invalid::new(
                    format!("{}.names", server.key),
                    problem,
                    "a name has one server",
                ));
            }
        }
    }
}

fn names_of_routes(routes: &[Route], problems: &mut Vec<Invalid>) {
    let mut taken = HashMap::new();
    for route in routes.iter().filter(|route| route.name.as_ref().is_some_and(|name| !name.is_empty())) {
        if let Some(first) = taken.insert(&route.name, route) {
            let problem = format!("{} has that name, too", first.key);
            let hint = "logs and metrics could not tell them apart";
            problems.push(Invalid::new(format!("{}.name", route.key), problem, hint));
        }
    }
}

/// Two routes must not both take a request. What is more specific wins, whatever the order; this is about what is not.
fn claims(routes: &[Route], problems: &mut Vec<Invalid>) {
    let mut taken = HashMap::new();
    for route in routes {
        let hosts: Vec<_> = match route.hosts.as_slice() {
            [] => vec!["every host".to_owned()],
            hosts => hosts.iter().map(ToString::to_string).collect(),
        };
        let methods: Vec<_> = match route.methods.as_slice() {
            [] => vec!["every method"],
            methods => methods.iter().map(http::Method::as_str).collect(),
        };
        let claims = hosts.iter().flat_map(|host| methods.iter().map(move |method| (host.clone(), *method)));
        let mut clashes = Vec::new();
        for (host, method) in claims {
            let claim = (host, route.path_prefix.as_slice(), method);
            if let Some(first) = taken.get(&claim) {
                clashes.push(format!("{first} ({method}, {})", claim.0));
            } else {
                taken.insert(claim, &route.key);
            }
        }
        if !clashes.is_empty() {
            let all = clashes.len() == hosts.len() * methods.len();
            let what = if all { "never reached: all of it" } else { "ambiguous: some of it" };
            let problem = format!("{what} is taken by {}", clashes.join(", "));
            let hint = "give one of them other hosts, another path_prefix or other methods";
            problems.push(Invalid::new(&route.key, problem, hint));
        }
    }
}

fn anonymous(servers: &[Server], routes: &[Route], problems: &mut Vec<Invalid>) {
    let allowed = routes.iter().any(|route| route.danger_allow_anonymous);
    for server in servers.iter().filter(|server| server.client_auth == ClientAuth::Off && !allowed) {
        let key = format!("{}.mode", server.client_auth_key());
        let problem = "\"off\", and no route says danger_allow_anonymous, so that nobody is let in";
        problems.push(Invalid::new(key, problem, "say so in the routes that are for everybody"));
    }
    if servers.iter().any(|server| server.client_auth.allows_anonymous()) {
        return;
    }
    for route in routes.iter().filter(|route| route.danger_allow_anonymous) {
        let problem = "has no effect: every server requires a certificate";
        let hint = "set client_auth.mode = \"optional\" for one, or remove it";
        problems.push(Invalid::new(format!("{}.danger_allow_anonymous", route.key), problem, hint));
    }
}

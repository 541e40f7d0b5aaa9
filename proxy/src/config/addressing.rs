//! Where an upstream is, and the names that it is called by: connect address, SNI and `Host` are three settings.
//!
//! A private API of API Gateway is reached through an execute-api VPC endpoint, which serves every API of its Region and tells
//! them apart by `Host` or by `x-apigw-api-id`. From `api_id`, `region` and `vpce` the rest follows.

use http::HeaderValue;
use rustls_pki_types::ServerName;

use super::section::Section;

/// Where to connect, and as what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Addressing {
    /// `host:port`.
    pub(super) address: String,
    /// For SNI, and to be found in the upstream's certificate.
    pub(super) server_name: ServerName<'static>,
    pub(super) host: HeaderValue,
    /// `x-apigw-api-id`, where that and not `Host` says which API is meant.
    pub(super) api_id_header: Option<HeaderValue>,
}

/// What the keys say, before anything follows from it.
struct Stated {
    address: Option<String>,
    host: Option<String>,
    api_id: Option<String>,
    region: Option<String>,
    vpce: Option<String>,
    in_header: bool,
}

impl Addressing {
    pub(super) fn read(upstream: &mut Section<'_>) -> Self {
        // Another API than the inherited one has none of that one's names; another endpoint is elsewhere.
        if upstream.sets("api_id") || upstream.sets("host") {
            upstream.disown(&["api_id", "host", "server_name"]);
        }
        if upstream.sets("address") || upstream.sets("vpce") {
            upstream.disown(&["address", "vpce"]);
        }
        let stated = Stated::read(upstream);
        let region = stated.region(upstream);
        let address = stated.address(upstream, region.as_deref());
        let host = stated.host(upstream, region.as_deref(), &address);
        let server_name = server_name(upstream, &host, address.is_empty());
        let api_id_header = stated.api_id.filter(|_| stated.in_header);
        Self {
            address,
            server_name,
            host: header(upstream, "host", &host),
            api_id_header: api_id_header.map(|id| header(upstream, "api_id", &id)),
        }
    }
}

impl Stated {
    fn read(upstream: &mut Section<'_>) -> Self {
        let stated = Self {
            address: upstream.optional_string("address"),
            host: upstream.optional_string("host"),
            api_id: upstream.optional_string("api_id"),
            region: upstream.optional_string("region"),
            vpce: upstream.optional_string("vpce"),
            in_header: upstream.parsed("api_id_in", false, "\"host\" or \"header\"", |text| match text {
                "host" => Some(false),
                "header" => Some(true),
                _ => None,
            }),
        };
        let label = |text: &String| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !stated.api_id.as_ref().is_none_or(label) {
            upstream.problem("api_id", "no id of an API", "small letters and digits, such as \"abcde12345\"");
        }
        let part =
            |text: &String| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !stated.region.as_ref().is_none_or(part) {
            upstream.problem("region", "no name of a Region", "such as \"eu-west-1\"");
        }
        if let Some(vpce) = &stated.vpce {
            let name = vpce.split('.').next().unwrap_or_default().to_owned();
            if !vpce.starts_with("vpce-") || !part(&name) || vpce.contains(':') {
                let hint = "its id, \"vpce-0123456789abcdef0\", or one of its DNS names, without a port";
                upstream.problem("vpce", "no VPC endpoint", hint);
            }
            if stated.address.is_some() {
                let hint = "remove one of them: both say where to connect";
                upstream.problem("vpce", "contradicts address", hint);
            }
        }
        if stated.in_header && stated.api_id.is_none() {
            upstream.problem("api_id", "missing, and api_id_in is \"header\"", "the id of the API");
        }
        stated
    }

    /// The name in `address`, without its port.
    fn connect_name(&self) -> Option<&str> {
        self.address.as_deref().map(|address| split(address).0)
    }

    /// The Region that is stated, or that a name is in.
    fn region(&self, upstream: &mut Section<'_>) -> Option<String> {
        let names = [
            ("host", self.host.as_deref()),
            ("vpce", self.vpce.as_deref()),
            ("address", self.connect_name()),
        ];
        let mut region = self.region.clone().map(|region| ("region", region));
        for (key, name) in names {
            let Some((_, found)) = name.and_then(|name| execute_api(split(name).0)) else { continue };
            match &region {
                None => region = Some((key, found.to_owned())),
                Some((other, region)) if region != found => {
                    let problem = format!("in {found}, but {other} is in {region}");
                    upstream.problem(key, problem, "an endpoint serves the APIs of its own Region");
                }
                Some(_) => {}
            }
        }
        region.map(|(_, region)| region)
    }

    fn address(&self, upstream: &mut Section<'_>, region: Option<&str>) -> String {
        if let Some(address) = &self.address {
            let (name, port) = split(address);
            if name.is_empty() || port.parse::<u16>().is_err() {
                let hint = "such as \"vpce-0123.execute-api.eu-west-1.vpce.amazonaws.com:443\"";
                upstream.problem("address", "not host:port", hint);
            }
            return address.clone();
        }
        match (&self.vpce, &self.api_id, region) {
            (Some(vpce), _, _) if vpce.contains('.') => format!("{vpce}:443"),
            // The endpoint's id alone is part of no name but this one.
            (Some(vpce), Some(api), Some(region)) => {
                format!("{}:443", host_of(&format!("{api}-{vpce}"), region))
            }
            // The endpoint's private DNS.
            (None, Some(api), Some(region)) => format!("{}:443", host_of(api, region)),
            (vpce, Some(_), None) if self.region.is_none() => {
                let needed = if vpce.is_some() { "with the id of an endpoint" } else { "without an address" };
                let hint = format!("such as \"eu-west-1\": {needed}, names are made of it");
                upstream.problem("region", "missing", hint);
                String::new()
            }
            _ => {
                let hint =
                    "host:port of the VPC endpoint, or api_id with region or vpce, from which it follows";
                upstream.problem("address", "missing", hint);
                String::new()
            }
        }
    }

    fn host(&self, upstream: &mut Section<'_>, region: Option<&str>, address: &str) -> String {
        let (name, port) = split(address);
        if let Some(host) = &self.host {
            let api = execute_api(split(host).0).map(|(label, _)| label);
            let same =
                |id: &String| api.is_some_and(|api| api == id || api.starts_with(&format!("{id}-vpce-")));
            if !self.in_header && !self.api_id.as_ref().is_none_or(same) {
                let problem = "names something else than api_id, which is not used then";
                upstream.problem(
                    "host",
                    problem,
                    "remove host, remove api_id, or set api_id_in = \"header\"",
                );
            }
            return host.clone();
        }
        let by_host = self.api_id.as_ref().filter(|_| !self.in_header);
        match (by_host, region) {
            // The name that is connected to says it already.
            (Some(api), _) if name.starts_with(&format!("{api}-vpce-")) => name.to_owned(),
            (Some(api), Some(region)) => host_of(api, region),
            (Some(_), None) => {
                let hint = "such as \"eu-west-1\": Host is made of it";
                if !address.is_empty() {
                    upstream.problem("region", "missing", hint);
                }
                String::new()
            }
            (None, _) => {
                if name.starts_with("vpce-") && !self.in_header {
                    let hint = "set api_id, or host = \"{api-id}.execute-api.{region}.amazonaws.com\"";
                    upstream.problem(
                        "host",
                        "missing: the endpoint serves many APIs, and this one is not named",
                        hint,
                    );
                }
                if port == "443" { name.to_owned() } else { address.to_owned() }
            }
        }
    }
}

fn server_name(upstream: &mut Section<'_>, host: &str, unknown: bool) -> ServerName<'static> {
    let name = upstream.optional_string("server_name").unwrap_or_else(|| split(host).0.to_owned());
    let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(bare).unwrap_or_else(|error| {
        // What it should follow from is missing, and has been reported.
        if !unknown && !name.is_empty() {
            upstream.problem("server_name", error.to_string(), "a DNS name or an IP address");
        }
        ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
    })
}

fn header(upstream: &mut Section<'_>, key: &str, text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|error| {
        upstream.problem(key, error.to_string(), "a name, and a port if not 443");
        HeaderValue::from_static("")
    })
}

/// Name and port; the port is empty if there is none.
fn split(address: &str) -> (&str, &str) {
    match address.rsplit_once(':') {
        // The colons of an IPv6 address without a port.
        Some((name, _)) if name.contains(':') && !name.ends_with(']') => (address, ""),
        Some(split) => split,
        None => (address, ""),
    }
}

/// The first label and the Region of `{label}.execute-api.{region}.…amazonaws.com…`.
fn execute_api(name: &str) -> Option<(&str, &str)> {
    let (label, rest) = name.split_once(".execute-api.")?;
    let (region, domain) = rest.split_once('.')?;
    let domain = domain.strip_prefix("vpce.").unwrap_or(domain);
    matches!(domain, "amazonaws.com" | "amazonaws.com.cn").then_some((label, region))
}

fn host_of(label: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{label}.execute-api.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::fields::Fields;

    /// `address host sni header` of a table, or the keys that are wrong.
    fn read(keys: &str) -> Result<String, Vec<String>> {
        read_from(&format!("[upstream]\n{keys}"), |root| Addressing::read(&mut root.section("upstream")))
    }

    fn read_from(
        document: &str,
        read: impl Fn(&mut Section<'_>) -> Addressing,
    ) -> Result<String, Vec<String>> {
        let mut fields = Fields::new(document.parse().unwrap(), Path::new(""));
        let read = read(&mut fields.root());
        let (problems, _) = fields.finish();
        if !problems.is_empty() {
            return Err(problems.into_iter().map(|problem| problem.key).collect());
        }
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let header = read.api_id_header.as_ref().map(text).unwrap_or_default();
        Ok(format!("{} {} {} {header}", read.address, text(&read.host), read.server_name.to_str()))
    }

    const NAME: &str = "vpce-0a1b-c2d3.execute-api.eu-west-1.vpce.amazonaws.com";
    const HOST: &str = "abc.execute-api.eu-west-1.amazonaws.com";

    #[test]
    fn names_follow_from_what_is_known() {
        for (keys, expected) in [
            ("address = 'a.example:8443'".to_owned(), "a.example:8443 a.example:8443 a.example ".to_owned()),
            ("address = '[::1]:443'".to_owned(), "[::1]:443 [::1] ::1 ".to_owned()),
            ("api_id = 'abc'\nregion = 'eu-west-1'".to_owned(), format!("{HOST}:443 {HOST} {HOST} ")),
            (format!("api_id = 'abc'\nvpce = '{NAME}'"), format!("{NAME}:443 {HOST} {HOST} ")),
            (format!("api_id = 'abc'\naddress = '{NAME}:444'"), format!("{NAME}:444 {HOST} {HOST} ")),
            (
                format!("api_id = 'abc'\napi_id_in = 'header'\nvpce = '{NAME}'"),
                format!("{NAME}:443 {NAME} {NAME} abc"),
            ),
            (
                "api_id = 'abc'\nregion = 'cn-north-1'\nvpce = 'vpce-0a1b'".to_owned(),
                "abc-vpce-0a1b.execute-api.cn-north-1.amazonaws.com.cn:443 \
                 abc-vpce-0a1b.execute-api.cn-north-1.amazonaws.com.cn \
                 abc-vpce-0a1b.execute-api.cn-north-1.amazonaws.com.cn "
                    .to_owned(),
            ),
            (
                "api_id = 'abc'\nregion = 'eu-west-1'\naddress = '10.0.0.7:443'".to_owned(),
                format!("10.0.0.7:443 {HOST} {HOST} "),
            ),
            // A private custom domain.
            (
                format!("vpce = '{NAME}'\nhost = 'api.internal.example'"),
                format!("{NAME}:443 api.internal.example api.internal.example "),
            ),
            (
                format!("vpce = '{NAME}'\nhost = '{HOST}'\nserver_name = '{NAME}'"),
                format!("{NAME}:443 {HOST} {NAME} "),
            ),
        ] {
            assert_eq!(read(&keys), Ok(expected), "{keys}");
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (keys, wrong) in [
            (String::new(), vec!["upstream.address"]),
            ("api_id = 'abc'".to_owned(), vec!["upstream.region"]),
            ("api_id = 'abc'\nvpce = 'vpce-0a1b'".to_owned(), vec!["upstream.region"]),
            ("api_id = 'abc'\naddress = '10.0.0.7:443'".to_owned(), vec!["upstream.region"]),
            ("vpce = 'vpce-0a1b'\nregion = 'eu-west-1'".to_owned(), vec!["upstream.address"]),
            (format!("vpce = '{NAME}'"), vec!["upstream.host"]),
            (format!("address = '{NAME}:443'\napi_id_in = 'header'"), vec!["upstream.api_id"]),
            (format!("address = 'a.example:443'\nvpce = '{NAME}'\napi_id = 'abc'"), vec!["upstream.vpce"]),
            (format!("vpce = '{NAME}'\napi_id = 'abc'\nregion = 'eu-west-2'"), vec!["upstream.vpce"]),
            (format!("vpce = '{NAME}'\napi_id = 'xyz'\nhost = '{HOST}'"), vec!["upstream.host"]),
            (format!("vpce = '{NAME}'\napi_id = 'A.b'"), vec!["upstream.api_id"]),
            ("address = 'a.example'".to_owned(), vec!["upstream.address"]),
            ("address = 'a b:443'".to_owned(), vec!["upstream.server_name"]),
            ("api_id = 'abc'\nregion = 'eu-west-1'\nvpce = 'eni-1'".to_owned(), vec!["upstream.vpce"]),
        ] {
            assert_eq!(read(&keys), Err(wrong.into_iter().map(str::to_owned).collect()), "{keys}");
        }
    }

    #[test]
    fn a_route_inherits_the_endpoint_and_not_the_name_of_another_api() {
        let inherit = |own: &str, general: &str| {
            read_from(&format!("[upstream]\n{general}\n[[route]]\n[route.upstream]\n{own}"), |root| {
                // The table itself is read by nobody here.
                Addressing::read(&mut root.section("upstream"));
                root.sections("route", |route| Addressing::read(&mut route.heir("upstream", "upstream")))
                    .remove(0)
            })
        };
        let general = format!("vpce = '{NAME}'\nhost = '{HOST}'\nserver_name = '{NAME}'");
        let other = "xyz.execute-api.eu-west-1.amazonaws.com";
        assert_eq!(inherit("api_id = 'xyz'", &general), Ok(format!("{NAME}:443 {other} {other} ")));
        assert_eq!(inherit("address = '10.0.0.7:443'", &general), Ok(format!("10.0.0.7:443 {HOST} {NAME} ")));
    }
}

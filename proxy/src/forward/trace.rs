//! The names of requests and traces that systems hand each other: passed if they are well-formed, or made.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};
use time::OffsetDateTime;

use super::ours::Found;
use crate::config::{IdentityHeaders, RequestId, Trace};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The longest name of a request, and the longest `X-Amzn-Trace-Id`, that a client may give.
const LONGEST: usize = 256;
/// W3C Trace Context §3.3.1.5: what everybody should be able to carry.
const LONGEST_STATE: usize = 512;
/// W3C Trace Context §3.3.1.1.
const MOST_MEMBERS: usize = 32;

/// Sets or checks what `settings` want. `found` says what is there, and `ours` is our own name of the request.
pub(super) fn set(headers: &mut HeaderMap, found: Found, ours: &str, settings: &IdentityHeaders) {
    let name = &settings.names.request_id;
    match settings.request_id {
        RequestId::Accept if found.request_id && only(headers, name).is_some_and(is_request_id) => {}
        RequestId::Make | RequestId::Accept => {
            if let Ok(value) = HeaderValue::from_str(ours) {
                headers.insert(name.clone(), value);
            }
        }
        RequestId::Off => {}
    }
    if settings.trace_context == Trace::Start || found.trace_context {
        trace_context(headers, settings.trace_context);
    }
    if settings.amzn_trace_id == Trace::Start || found.amzn_trace_id {
        amzn_trace_id(headers, settings.amzn_trace_id);
    }
}

fn trace_context(headers: &mut HeaderMap, wanted: Trace) {
    if !only(headers, &TRACEPARENT).is_some_and(is_traceparent) {
        headers.remove(&TRACEPARENT);
        // §3.3: nothing without the parent that it belongs to.
        headers.remove(&TRACESTATE);
        if wanted == Trace::Start
            && let Some(value) = new_traceparent()
        {
            headers.insert(TRACEPARENT, value);
        }
    } else if headers.contains_key(&TRACESTATE) && !is_tracestate(headers) {
        headers.remove(&TRACESTATE);
    }
}

fn amzn_trace_id(headers: &mut HeaderMap, wanted: Trace) {
    if only(headers, &AMZN_TRACE_ID).is_some_and(is_amzn_trace_id) {
        return;
    }
    headers.remove(&AMZN_TRACE_ID);
    if wanted == Trace::Start
        && let Some(random) = random::<12>()
    {
        let text = format!("Root=1-{:08x}-{random}", OffsetDateTime::now_utc().unix_timestamp());
        headers.extend(HeaderValue::from_str(&text).ok().map(|value| (AMZN_TRACE_ID, value)));
    }
}

/// The text of a field that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()
}

fn is_request_id(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:~+/=@".contains(c);
    !text.is_empty() && text.len() <= LONGEST && text.chars().all(fits)
}

/// W3C Trace Context §3.2.2.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.splitn(5, '-');
    let (Some(version), Some(trace), Some(parent), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let known = |text: &str, length| is_hex(text, length) && text.contains(|c| c != '0');
    // Only versions to come may say more than this one.
    let end = parts.next().is_none() || version != "00";
    text.len() <= LONGEST
        && is_hex(version, 2)
        && version != "ff"
        && known(trace, 32)
        && known(parent, 16)
        && is_hex(flags, 2)
        && end
}

/// W3C Trace Context §3.3.1: a list of `key=value`, no key twice.
fn is_tracestate(headers: &HeaderMap) -> bool {
    let (mut keys, mut length) = (Vec::new(), 0);
    for value in headers.get_all(&TRACESTATE) {
        let Ok(text) = value.to_str() else { return false };
        length += text.len();
        for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            match member.split_once('=') {
                Some((key, value)) if is_state_key(key) && is_state_value(value) && !keys.contains(&key) => {
                    keys.push(key);
                }
                None if member.is_empty() => {}
                _ => return false,
            }
        }
    }
    length <= LONGEST_STATE && keys.len() <= MOST_MEMBERS
}

fn is_state_key(key: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-*/@".contains(c);
    key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && key.chars().all(fits)
        && key.matches('@').count() <= 1
}

fn is_state_value(value: &str) -> bool {
    !value.is_empty() && !value.contains('=') && value.chars().all(|c| c == ' ' || c.is_ascii_graphic())
}

/// As AWS documents it for X-Ray: `Root=1-{time}-{id};Parent={id};Sampled={0, 1 or ?}`, and keys of others.
fn is_amzn_trace_id(text: &str) -> bool {
    let mut roots = 0;
    let well_formed = text.split(';').all(|pair| {
        let Some((key, value)) = pair.trim().split_once('=') else { return false };
        roots += usize::from(key == "Root");
        match key {
            "Root" | "Self" => is_root(value),
            "Parent" => is_hex(value, 16),
            "Sampled" => matches!(value, "0" | "1" | "?"),
            _ => {
                !key.is_empty()
                    && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                    && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:|/+".contains(c))
            }
        }
    });
    text.len() <= LONGEST && well_formed && roots == 1
}

fn is_root(value: &str) -> bool {
    let Some((time, id)) = value.strip_prefix("1-").and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    is_hex(time, 8) && is_hex(id, 24)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

/// Sampled, because nobody behind us could decide otherwise any more.
fn new_traceparent() -> Option<HeaderValue> {
    let text = format!("00-{}-{}-01", random::<16>()?, random::<8>()?);
    HeaderValue::from_str(&text).ok()
}

/// Of `N` octets, hexadecimal.
fn random<const N: usize>() -> Option<String> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets).ok()?;
    Some(octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparents() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(good));
        assert!(is_traceparent(&format!("{}-what-comes", good.replacen("00", "cc", 1))));
        assert!(is_traceparent(new_traceparent().unwrap().to_str().unwrap()));
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn tracestates() {
        let check = |values: &[&str]| {
            let value = |text: &&str| (TRACESTATE, HeaderValue::from_str(text).unwrap());
            is_tracestate(&values.iter().map(value).collect())
        };
        assert!(check(&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "1t@v=x y"]));
        assert!(check(&["a=1, ,b=2"]));
        let long = format!("a={}", "y".repeat(511));
        for bad in [&["a"][..], &["a=1", "a=2"], &["A=1"], &["a=b=c"], &["a=\u{e9}"], &["a="], &[&long]] {
            assert!(!check(bad), "{bad:?}");
        }
    }

    #[test]
    fn amzn_trace_ids() {
        for good in [
            "Root=1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "Self=1-67891234-012456789abcdef012345678;Root=1-67891233-abcdef012345678912345678",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=100:e3b0c442:11;CalledFrom=app",
        ] {
            assert!(is_amzn_trace_id(good), "{good}");
        }
        for bad in [
            "",
            "Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Root=1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=yes",
            "Root=1-5759e988-bd862e3fe1be46a994272793;x=\"",
        ] {
            assert!(!is_amzn_trace_id(bad), "{bad}");
        }
        let mut headers = HeaderMap::new();
        amzn_trace_id(&mut headers, Trace::Start);
        assert!(only(&headers, &AMZN_TRACE_ID).is_some_and(is_amzn_trace_id), "{headers:?}");
    }

    #[test]
    fn request_ids() {
        assert!(is_request_id("0f6c1e6e-1b7a-4f3e-9b1a-0d5b8f3c2a10"));
        assert!(
            !is_request_id("")
                && !is_request_id("a b")
                && !is_request_id(&"a".repeat(257))
                && !is_request_id("a\"b")
        );
    }
}

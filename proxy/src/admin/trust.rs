//! `/trust`: where trust comes from and how it is, and an operator's word on it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{JSON, TEXT, response};
use crate::app::App;
use crate::clock::{rfc3339, seconds};
use crate::reload::{approve, clear};
use crate::trust::Why;

/// What an operator may want.
pub(super) enum Act {
    Approve,
    Clear,
}

/// How everything is.
pub(super) fn status(app: &App) -> Value {
    let now = app.clock.now();
    let trust = app.trust.current();
    let time = |at: OffsetDateTime| rfc3339(at.unix_timestamp());
    let crls: Vec<_> = trust
        .revocations
        .crls()
        .map(|crl| {
            let metadata = crl.index.metadata();
            json!({
                "issuer": metadata.issuer,
                "scope": metadata.scope.as_ref().map(ToString::to_string),
                "source": &*crl.origin,
                "crl_number": metadata.crl_number.map(|number| number.to_string()),
                "this_update": time(metadata.this_update),
                "next_update": rfc3339(crl.next_update),
                "next_update_in_seconds": crl.next_update - seconds(now),
                "entries": metadata.entries,
                "state": trust.revocations.freshness(crl, now).label(),
                "version": crl.version.as_deref(),
                "published": crl.modified.map(time),
                "fetched": time(crl.fetched),
                "in_force": time(crl.since),
            })
        })
        .collect();
    let not_taken: Vec<_> = app
        .trust
        .not_taken()
        .iter()
        .map(|it| {
            let issuer = it.crl.as_ref().map(|crl| &crl.0);
            let (problem, hint) = (&it.problem.problem, &it.problem.hint);
            json!({
                "reason": it.why.label(), "issuer": issuer, "key": it.problem.key, "problem": problem, "hint": hint,
            })
        })
        .collect();
    let sources: Vec<_> = app
        .trust
        .sources()
        .status()
        .into_iter()
        .map(|source| {
            json!({
                "key": source.key,
                "place": source.place,
                "answered": source.answered.map(time),
                "error": source.fault.map(|fault| fault.to_string()),
            })
        })
        .collect();
    json!({ "trust_generation": trust.generation, "crls": crls, "not_taken": not_taken, "sources": sources })
}

/// Does what an operator says. `issuer` is a name as `/trust` shows it.
pub(super) async fn act(app: Arc<App>, act: Act, issuer: Option<String>) -> Response<Full<Bytes>> {
    let acting = tokio::task::spawn_blocking(move || match (act, issuer) {
        (Act::Approve, issuer) => {
            let approved = approve(&app, issuer.as_deref());
            let held = app.trust.not_taken().iter().any(|it| it.why == Why::Held);
            Ok(json!({ "approved": approved, "held": held }))
        }
        (Act::Clear, Some(issuer)) => clear(&app, &issuer)
            .map(|cleared| json!({ "cleared": cleared }))
            .map_err(|problem| problem.to_string()),
        (Act::Clear, None) => Err("say whose: {\"issuer\": \"CN=...\"}, as GET /trust shows it".to_owned()),
    });
    match acting.await {
        Ok(Ok(done)) => response(StatusCode::OK, JSON, format!("{done}\n")),
        Ok(Err(problem)) => response(StatusCode::BAD_REQUEST, TEXT, format!("{problem}\n")),
        Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "it panicked; see the log\n"),
    }
}

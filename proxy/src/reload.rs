//! What changed comes into force: on SIGHUP, when a look at a source finds something, and by an operator's word. Each thing that goes
//! wrong is said when it begins and when it ends, not as long as it lasts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::app::App;
use crate::clock::rfc3339;
use crate::config::Invalid;
use crate::forward::Upstreams;
use crate::sources::{Look, Place, Watched};
use crate::trust::{Freshness, Reloaded, Why};

/// After the first failure; it doubles with each further one, up to the interval: what fails is asked for no less often than
/// what does not.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// What was said last.
#[derive(Default)]
pub struct Said(Mutex<State>);

#[derive(Default)]
struct State {
    problems: BTreeMap<String, Invalid>,
    freshness: BTreeMap<String, Freshness>,
}

/// Reads everything again, off the threads that answer.
pub async fn reload(app: &Arc<App>, upstreams: &Arc<Upstreams>) {
    let (reloading, upstreams) = (app.clone(), upstreams.clone());
    let reloading = spawn_blocking(move || {
        reloading.trust.sources().look_at_all(true);
        (reloading.trust.reload(&reloading.config), upstreams.reload())
    });
    let Ok((reloaded, mut kept)) = reloading.await else {
        return tracing::error!("the reload panicked; everything stays as it was");
    };
    kept.extend(reloaded.not_taken.iter().map(|it| it.problem.clone()));
    kept.extend(app.trust.sources().faults().into_iter().map(|(_, fault)| fault));
    app.metrics.reload(kept.is_empty());
    // Who asks is told, whether or not it was said before.
    app.said.0.lock().unwrap_or_else(PoisonError::into_inner).problems.clear();
    report(app, &reloaded);
    let generation = app.trust.current().generation;
    tracing::info!(trust_generation = generation, kept = kept.len(), "reloaded");
}

/// Brings into force what changed, off the threads that answer.
async fn refresh(app: &Arc<App>) {
    let refreshing = app.clone();
    match spawn_blocking(move || refreshing.trust.reload(&refreshing.config)).await {
        Ok(reloaded) => report(app, &reloaded),
        Err(_) => {
            tracing::error!("what changed was not taken: its reading panicked");
        }
    }
}

/// Looks at every source until the process ends.
pub async fn watch(app: Arc<App>) {
    say_changes(&app);
    let sources = app.trust.sources().clone();
    let (files, others): (Vec<_>, Vec<_>) =
        sources.watched().into_iter().partition(|it| matches!(it.place(), Place::File(_)));
    for place in others {
        tokio::spawn(watch_one(app.clone(), place));
    }
    tokio::spawn(try_again(app.clone()));
    let Some(interval) = app.config.sources.files_interval else { return };
    let files = Arc::new(files);
    loop {
        sleep(interval).await;
        let (sources, files, metrics) = (sources.clone(), files.clone(), app.metrics.clone());
        // Not the application: a file system that hangs must not keep the process from ending.
        let looked = spawn_blocking(move || {
            let mut any = false;
            for file in &*files {
                let look = sources.look_again(file);
                metrics.trust.looked(look);
                any |= look == Look::Changed;
            }
            any
        });
        if looked.await.unwrap_or(false) {
            refresh(&app).await;
        } else {
            // Time passes: a CRL may be on its next step.
            say_changes(&app);
        }
    }
}

/// Tries again what this machine has kept from being taken, such as a full disk.
async fn try_again(app: Arc<App>) {
    let mut failures = 0;
    loop {
        sleep(retry_after(&app, failures)).await;
        if app.trust.is_behind() {
            refresh(&app).await;
            failures += 1;
        } else {
            failures = 0;
        }
    }
}

fn retry_after(app: &App, failures: u32) -> Duration {
    app.config.sources.pause().min(FIRST_RETRY.saturating_mul(1 << failures.min(16)))
}

async fn watch_one(app: Arc<App>, watched: Watched) {
    let (sources, watched, mut failures) = (app.trust.sources().clone(), Arc::new(watched), 0);
    loop {
        sleep(if failures == 0 { app.config.sources.pause() } else { retry_after(&app, failures) }).await;
        let (looking, place, metrics) = (sources.clone(), watched.clone(), app.metrics.clone());
        let looked = spawn_blocking(move || {
            let look = looking.look_again(&place);
            metrics.trust.looked(look);
            look
        });
        let look = looked.await.unwrap_or(Look::Failed);
        failures = if look == Look::Failed { failures + 1 } else { 0 };
        if look == Look::Changed {
            refresh(&app).await;
        } else {
            say_changes(&app);
        }
    }
}

/// Counts and says what came of a reload.
pub fn report(app: &App, reloaded: &Reloaded) {
    app.metrics.trust.swapped(&reloaded.swapped);
    for crl in &reloaded.swapped {
        let metadata = crl.index.metadata();
        let time = |at: time::OffsetDateTime| rfc3339(at.unix_timestamp());
        tracing::info!(
            issuer = metadata.issuer,
            crl_number = metadata.crl_number.map(tracing::field::display),
            entries = metadata.entries,
            source = &*crl.origin,
            this_update = time(metadata.this_update),
            version = crl.version.as_deref(),
            published = crl.modified.map(time),
            fetched = time(crl.fetched),
            in_force = time(crl.since),
            "CRL in force"
        );
    }
    say_changes(app);
}

/// Says what is wrong now and was not, what was and is not any longer, and which CRLs are on another step of the ladder.
fn say_changes(app: &App) {
    let (faults, not_taken) = (app.trust.sources().faults(), app.trust.not_taken());
    app.metrics.trust.report(faults.len(), &not_taken);
    let mut now: BTreeMap<_, _> = faults.into_iter().collect();
    now.extend(not_taken.iter().map(|it| (it.problem.to_string(), it.problem.clone())));
    let mut said = app.said.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (id, Invalid { key, problem, hint }) in &now {
        if !said.problems.contains_key(id) {
            tracing::error!(key, problem, hint, "kept the last good");
        }
    }
    for (_, before) in said.problems.iter().filter(|(id, _)| !now.contains_key(*id)) {
        tracing::info!(key = before.key, problem = before.problem, "over");
    }
    said.problems = now;
    let trust = app.trust.current();
    let mut steps = BTreeMap::new();
    for crl in trust.revocations.crls() {
        let (step, name) = (trust.revocations.freshness(crl, app.clock.now()), crl.name());
        let before = said.freshness.get(&name).copied().unwrap_or(Freshness::Fresh);
        let next_update = rfc3339(crl.next_update);
        let state = step.label();
        match step {
            _ if step == before => {}
            Freshness::Fresh => tracing::info!(crl = name, state, next_update, "CRL fresh again"),
            Freshness::Warn => tracing::warn!(crl = name, state, next_update, "CRL soon out of date"),
            Freshness::Grace => {
                tracing::warn!(crl = name, state, next_update, "CRL out of date, and still counts");
            }
            Freshness::Stale => tracing::error!(crl = name, state, next_update, "CRL out of date"),
        }
        steps.insert(name, step);
    }
    said.freshness = steps;
}

/// Lets in what the brake holds, of one issuer or all of it. Answers whose CRLs these were.
pub fn approve(app: &App, issuer: Option<&str>) -> Vec<String> {
    let (approved, reloaded) = app.trust.approve(&app.config, issuer);
    tracing::warn!(crls = approved.join("; "), "an operator has approved what the brake held");
    report(app, &reloaded);
    approved
}

/// Clears the CRLs of an issuer and their floors. Answers whether there were any.
///
/// # Errors
///
/// The floors cannot be kept.
pub fn clear(app: &App, issuer: &str) -> Result<bool, Invalid> {
    let (cleared, reloaded) = app.trust.clear(&app.config, issuer)?;
    tracing::warn!(issuer, cleared, "an operator has cleared the CRLs of an issuer");
    report(app, &reloaded);
    Ok(cleared)
}

/// Whether the brake holds anything.
pub fn is_held(app: &App) -> bool {
    app.trust.not_taken().iter().any(|it| it.why == Why::Held)
}

//! Start, memory and swap with a big CRL.

use std::time::{Duration, Instant};

use postern_tests::Failure;

use super::crl_handshake::grouped;
use super::{Ground, in_turns};
use crate::arena::{EVERY_CORE, SETTLING};
use crate::client::Client;
use crate::comparison::{Bar, Comparison, Measured};
use crate::contestant::{Post, Who};
use crate::lists::{List, Lists};
use crate::report::mebibytes;

/// Who is on the second list, and not on the first.
const LEAVER: &str = "leaver";
/// Between two looks at memory.
const LOOK: Duration = Duration::from_millis(20);
/// Nobody takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one life gave, in the order of the comparisons.
const FIGURES: usize = 4;

pub(super) fn compare(ground: &Ground<'_>, lists: &mut Lists<'_>) -> Result<Vec<Comparison>, Failure> {
    let entries = ground.effort.revoked;
    ground.pki.issue(LEAVER, |_params| {})?;
    let [first, second] = [lists.make(entries, None)?, lists.make(entries, Some(LEAVER))?];
    let mut all: Vec<_> = Who::bare().into_iter().map(|who| (who.name(), (who, Vec::new()))).collect();
    in_turns(ground.effort.rounds.div_ceil(2), &mut all, |(who, lives)| {
        lives.push(life(ground, *who, [&first, &second])?);
        Ok(0.0.into())
    })?;
    let bars: [(&str, &str, Option<f64>); FIGURES] = [
        ("start to the first 200", "s", Some(0.1)),
        ("memory", "MiB", Some(0.1)),
        ("swap to the first refusal", "s", Some(0.2)),
        ("memory's peak at the swap", "MiB", None),
    ];
    let compared = bars.iter().enumerate().map(|(at, &(what, unit, at_most))| {
        let rounds = all.iter().map(|(name, (_, lives))| {
            let figures = lives.iter().filter_map(|life| life.get(at)).map(|&figure| Measured::from(figure));
            (name.clone(), figures.collect())
        });
        let what = format!("{what}, {} revoked", grouped(entries));
        Comparison::new(what, unit, at_most.and_then(Bar::of_the_best), rounds.collect())
    });
    Ok(compared.collect())
}

fn life(ground: &Ground<'_>, who: Who, [first, second]: [&List; 2]) -> Result<[f64; FIGURES], Failure> {
    // What counts is how long it takes, so it may have all that there is.
    let post = Post { core: EVERY_CORE, will_swap: true, ..ground.post(first) };
    let mut proxy = who.start(&post)?;
    let address = proxy.subject().address;
    let [good, leaver] = [Client::of(ground.pki, "good", address)?, Client::of(ground.pki, LEAVER, address)?];
    let start = proxy.started();
    ground.runtime.block_on(async {
        while good.once().await.is_err() {
            patient(start, "the first 200", who).await?;
        }
        let started = start.elapsed();
        if leaver.once().await.is_err() {
            return Err(Failure::Missing(format!(
                "an answer for the client that is not revoked yet, by {}",
                who.name()
            )));
        }
        tokio::time::sleep(SETTLING).await;
        let memory = proxy.memory_bytes();
        let start = proxy.swap(ground.pki, second)?;
        let refused = refusal(start, who, [&good, &leaver]);
        tokio::pin!(refused);
        let mut peak = memory;
        let refused = loop {
            tokio::select! {
                refused = &mut refused => break refused?,
                () = tokio::time::sleep(LOOK) => peak = peak.max(proxy.memory_bytes()),
            }
        };
        peak = peak.max(proxy.memory_bytes());
        Ok([started.as_secs_f64(), mebibytes(memory), refused.as_secs_f64(), mebibytes(peak)])
    })
}

/// How long until the client that is on the second list was refused. A refusal that does not last, or that is everybody's, is none.
async fn refusal(start: Instant, who: Who, [good, leaver]: [&Client; 2]) -> Result<Duration, Failure> {
    loop {
        let asked = Instant::now();
        let answered = leaver.once().await.is_ok();
        let after = start.elapsed();
        if answered {
            // It has all of a core to change over.
            tokio::time::sleep(asked.elapsed()).await;
        } else if good.once().await.is_ok() && leaver.once().await.is_err() {
            return Ok(after);
        }
        patient(start, "the refusal of a revoked client", who).await?;
    }
}

async fn patient(since: Instant, awaited: &str, who: Who) -> Result<(), Failure> {
    if since.elapsed() > PATIENCE {
        return Err(Failure::Missing(format!("{awaited}, by {}", who.name())));
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(())
}

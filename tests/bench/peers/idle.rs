//! Memory for connections that are open and say nothing.

use postern_tests::{Failure, proc};

use super::{Ground, in_turns};
use crate::arena::SETTLING;
use crate::comparison::{Bar, Comparison, Measured};
use crate::contestant::Who;
use crate::lists::Lists;
use crate::load::{Load, Mode};
use crate::report::mebibytes;

/// Proportional memory of a thousand TLS 1.3 connections that have carried one HTTP/1.1 request each.
pub(super) fn compare(ground: &Ground<'_>, lists: &mut Lists<'_>) -> Result<Vec<Comparison>, Failure> {
    let list = lists.make(10, None)?;
    let post = ground.post(&list);
    let mut all: Vec<_> = Who::bare().into_iter().map(|who| (who.name(), who)).collect();
    let rounds = in_turns(ground.effort.rounds.div_ceil(2), &mut all, |who| {
        // Anew each time: memory that was used before would be used again.
        let proxy = who.start(&post)?;
        memory(ground, proxy.subject())
    })?;
    Ok(vec![Comparison::new("memory of 1,000 idle connections", "MiB", Bar::of("nginx", 0.6), rounds)])
}

fn memory(ground: &Ground<'_>, subject: crate::arena::Subject) -> Result<Measured, Failure> {
    let connections = ground.effort.idle.max(1);
    ground.runtime.block_on(async {
        let hold = |operations| {
            let load = Load { pki: ground.pki, mode: Mode::Http1, connections: None, operations };
            async move {
                load.hold(subject.address)
                    .await
                    .map_err(|fault| Failure::Missing(format!("an answer ({fault})")))
            }
        };
        // What the first request allocates is not the connections'.
        let first = hold(1).await?;
        tokio::time::sleep(SETTLING).await;
        let before = proc::proportional_memory_bytes(subject.pid)?;
        let open = hold(connections).await?;
        tokio::time::sleep(SETTLING).await;
        let all = proc::proportional_memory_bytes(subject.pid)?.saturating_sub(before);
        drop((first, open));
        Ok(Measured { operations: connections, ..(mebibytes(all) / f64::from(connections) * 1e3).into() })
    })
}

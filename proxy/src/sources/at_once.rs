//! Several looks at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Each waits for the network, most of the time.
const MOST: usize = 8;

/// Does something with each of `all`, some of them at the same time.
pub(super) fn at_once<T: Sync>(all: &[T], each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(one);
        }
    };
    thread::scope(|scope| {
        for _ in 1..all.len().min(MOST) {
            // Without another thread, those that there are do it all.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
}

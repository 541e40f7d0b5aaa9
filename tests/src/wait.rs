//! Waiting on a condition, with a deadline.

use std::time::{Duration, Instant};

use crate::Failure;

/// Long enough for a debug build on a busy machine; a test that passes never waits this long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at a condition that cannot notify.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `condition` again and again until it gives a value.
///
/// # Errors
///
/// [`Failure::Deadline`] after [`PATIENCE`], naming `awaited`; and whatever `condition` fails with, at once.
pub fn until<T>(
    awaited: &str,
    mut condition: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if start.elapsed() > PATIENCE {
            return Err(Failure::Deadline {
                awaited: awaited.to_owned(),
                limit: PATIENCE,
                context: String::new(),
            });
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that polls; everything else calls `until`")]
fn pause() {
    std::thread::sleep(PAUSE);
}

//! What may be sent a second time, and how often.

use std::sync::{Mutex, PoisonError};

use http::Method;

use crate::config;

/// RFC 9110 §9.2.2: twice has the same effect as once, so that a request that may have been carried out may be sent again.
pub(super) fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE].contains(method)
}

/// Keeps repeats from becoming the load that an upstream dies of: some of a hundred requests, and a few at once.
pub(super) struct Budget {
    percent: u64,
    /// In hundredths of a repeat.
    most: u64,
    inner: Mutex<Inner>,
}

struct Inner {
    /// In hundredths of a repeat.
    left: u64,
    requests: u64,
}

impl Budget {
    pub(super) fn new(settings: &config::Retry) -> Self {
        let most = u64::from(settings.burst) * 100;
        Self {
            percent: settings.budget_percent.into(),
            most,
            inner: Mutex::new(Inner { left: most, requests: 0 }),
        }
    }

    /// Takes one repeat, if there is one left after that many `requests`.
    pub(super) fn take(&self, requests: u64) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = requests.saturating_sub(inner.requests).saturating_mul(self.percent);
        let left = inner.left.saturating_add(earned).min(self.most);
        *inner = Inner { left: left.saturating_sub(100), requests };
        if left < 100 {
            inner.left = left;
        }
        left >= 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_a_share_of_requests_and_a_few_at_once() {
        let budget = Budget::new(&config::Retry { attempts: 1, budget_percent: 20, burst: 2 });
        assert_eq!([0, 0, 0].map(|requests| budget.take(requests)), [true, true, false]);
        // Four requests earn four fifths of a repeat, five a whole one.
        assert_eq!([4, 5, 5].map(|requests| budget.take(requests)), [false, true, false]);
        // However many there were: not more than the burst.
        assert_eq!([1_000, 1_000, 1_000].map(|requests| budget.take(requests)), [true, true, false]);
    }

    #[test]
    fn what_changes_something_each_time_is_not_repeated() {
        assert!(is_idempotent(&Method::GET) && is_idempotent(&Method::DELETE));
        assert!(!is_idempotent(&Method::POST) && !is_idempotent(&Method::PATCH));
    }
}

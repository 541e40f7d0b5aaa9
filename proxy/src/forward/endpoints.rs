//! The addresses of an upstream as one worker knows them: which one is next, and which ones are left alone for a while.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::addresses::Target;
use crate::config::Ejection;

/// Names an endpoint as long as its address is known.
pub(super) type EndpointId = u32;

struct Endpoint {
    id: EndpointId,
    target: Arc<Target>,
    /// Requests that are on its connections now, and connections being made to it.
    outstanding: u32,
    /// In a row.
    failures: u32,
    /// In a row, without a request that went well between them.
    ejections: u32,
    ejected: Option<Ejected>,
}

struct Ejected {
    until: Instant,
    /// Of health checks, when it was ejected.
    passes: u32,
}

impl Endpoint {
    fn usable(&self, now: Instant) -> bool {
        let ejected = self
            .ejected
            .as_ref()
            .is_some_and(|ejected| now < ejected.until && self.target.passes() == ejected.passes);
        !ejected && self.target.is_healthy()
    }
}

/// All endpoints of one upstream.
pub(super) struct Endpoints {
    list: Vec<Endpoint>,
    settings: Ejection,
    last_id: EndpointId,
    random: u64,
}

impl Endpoints {
    pub(super) fn new(settings: Ejection) -> Self {
        Self { list: Vec::new(), settings, last_id: 0, random: RandomState::new().hash_one(0) | 1 }
    }

    /// Takes a new list of addresses. What is known of those that stay is kept.
    pub(super) fn update(&mut self, targets: &[Arc<Target>]) {
        let mut last = std::mem::take(&mut self.list);
        for target in targets {
            let known = last.iter().position(|endpoint| endpoint.target.address == target.address);
            let endpoint = match known.map(|at| last.swap_remove(at)) {
                Some(known) => Endpoint { target: target.clone(), ..known },
                None => {
                    self.last_id = self.last_id.wrapping_add(1);
                    Endpoint {
                        id: self.last_id,
                        target: target.clone(),
                        outstanding: 0,
                        failures: 0,
                        ejections: 0,
                        ejected: None,
                    }
                }
            };
            self.list.push(endpoint);
        }
    }

    /// Of two endpoints taken at random, the one with fewer outstanding requests: nearly as good as the best of all, and
    /// without the herd that runs to the best of all (Mitzenmacher, The Power of Two Choices, 2001).
    ///
    /// Endpoints nearby come first, then the others; ejected and unhealthy ones only when there is no other, and so does `avoid`.
    pub(super) fn choose(&mut self, now: Instant, avoid: Option<EndpointId>) -> Option<EndpointId> {
        if let [only] = self.list.as_slice() {
            return Some(only.id);
        }
        let tiers: [&dyn Fn(&Endpoint) -> bool; 4] = [
            &|it| it.target.nearby && Some(it.id) != avoid && it.usable(now),
            &|it| Some(it.id) != avoid && it.usable(now),
            &|it| Some(it.id) != avoid,
            &|_| true,
        ];
        let (one, other) = (self.random(), self.random());
        for tier in tiers {
            let count = self.list.iter().filter(|it| tier(it)).count();
            let pick = |random: usize, among: usize| random.checked_rem(among);
            let Some(first) = pick(one, count) else { continue };
            // Another one, if there is another one.
            let second = pick(other, count.saturating_sub(1)).map_or(first, |at| (first + 1 + at) % count);
            let nth = |n| self.list.iter().filter(|it| tier(it)).nth(n);
            return match (nth(first), nth(second)) {
                (Some(a), Some(b)) if b.outstanding < a.outstanding => Some(b.id),
                (Some(a), _) => Some(a.id),
                (None, _) => None,
            };
        }
        None
    }

    /// Every address, in the order in which they are to be tried: `first`, then those that are thought to work.
    pub(super) fn order(&self, first: EndpointId, now: Instant) -> Vec<(EndpointId, SocketAddr)> {
        let mut all: Vec<_> = self.list.iter().collect();
        all.sort_by_key(|it| (it.id != first, !it.usable(now), !it.target.nearby, it.outstanding));
        all.into_iter().map(|it| (it.id, it.target.address)).collect()
    }

    /// Whether that endpoint's address is still one of the upstream's.
    pub(super) fn has(&self, id: EndpointId) -> bool {
        self.list.iter().any(|it| it.id == id)
    }

    /// Whether that endpoint may get requests.
    pub(super) fn is_usable(&self, id: EndpointId, now: Instant) -> bool {
        self.list.iter().any(|it| it.id == id && it.usable(now))
    }

    pub(super) fn begin(&mut self, id: EndpointId) {
        if let Some(it) = self.get(id) {
            it.outstanding += 1;
        }
    }

    pub(super) fn end(&mut self, id: EndpointId) {
        if let Some(it) = self.get(id) {
            it.outstanding = it.outstanding.saturating_sub(1);
        }
    }

    /// It answered.
    pub(super) fn succeeded(&mut self, id: EndpointId) {
        if let Some(it) = self.get(id) {
            (it.failures, it.ejections, it.ejected) = (0, 0, None);
        }
    }

    /// It could not be connected to, or did not answer. Tells for how long it is left alone from now on, if it is. The last usable one stays.
    pub(super) fn failed(&mut self, id: EndpointId, now: Instant) -> Option<(SocketAddr, Duration)> {
        let others = self.list.iter().any(|it| it.id != id && it.usable(now));
        let settings = self.settings.clone();
        let it = self.get(id)?;
        it.failures = it.failures.saturating_add(1);
        if settings.failures == 0 || it.failures < settings.failures || !others || !it.usable(now) {
            return None;
        }
        // When its time is over, one more failure is enough.
        it.failures = settings.failures - 1;
        let time = settings.shortest.saturating_mul(1 << it.ejections.min(16)).min(settings.longest);
        it.ejections += 1;
        it.ejected = Some(Ejected { until: now + time, passes: it.target.passes() });
        Some((it.target.address, time))
    }

    fn get(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.list.iter_mut().find(|it| it.id == id)
    }

    /// Marsaglia, Xorshift RNGs, 2003: good enough to pick an address.
    fn random(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 32).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn targets(nearby: &[bool]) -> Vec<Arc<Target>> {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        (1..).zip(nearby).map(|(port, nearby)| Arc::new(Target::new(address(port), *nearby))).collect()
    }

    fn endpoints(targets: &[Arc<Target>]) -> Endpoints {
        let settings = Ejection { failures: 2, shortest: SECOND, longest: SECOND * 3 };
        let mut endpoints = Endpoints::new(settings);
        endpoints.update(targets);
        endpoints
    }

    /// What is chosen at least once in many times.
    fn chosen(endpoints: &mut Endpoints, now: Instant) -> Vec<EndpointId> {
        let mut ids: Vec<_> = (0..200).filter_map(|_| endpoints.choose(now, None)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn fail(endpoints: &mut Endpoints, id: EndpointId, times: u32, now: Instant) -> Option<Duration> {
        (0..times).filter_map(|_| endpoints.failed(id, now)).last().map(|(_, time)| time)
    }

    #[test]
    fn the_busiest_of_all_is_never_chosen() {
        let (mut endpoints, now) = (endpoints(&targets(&[false; 3])), Instant::now());
        endpoints.begin(2);
        assert_eq!(chosen(&mut endpoints, now), [1, 3]);
        endpoints.end(2);
        assert_eq!(chosen(&mut endpoints, now), [1, 2, 3]);
    }

    #[test]
    fn one_that_fails_is_left_alone_for_longer_each_time_until_it_answers() {
        let (mut endpoints, now) = (endpoints(&targets(&[false; 2])), Instant::now());
        assert_eq!(fail(&mut endpoints, 1, 1, now), None);
        assert_eq!(fail(&mut endpoints, 1, 1, now), Some(SECOND));
        assert_eq!(chosen(&mut endpoints, now), [2]);
        let later = now + SECOND;
        assert_eq!(chosen(&mut endpoints, later), [1, 2]);
        assert_eq!(fail(&mut endpoints, 1, 1, later), Some(SECOND * 2), "one failure is enough now");
        assert_eq!(fail(&mut endpoints, 1, 1, later + SECOND * 2), Some(SECOND * 3), "the longest there is");
        endpoints.succeeded(1);
        assert_eq!(fail(&mut endpoints, 1, 2, later), Some(SECOND));
    }

    #[test]
    fn the_last_one_is_never_left_alone() {
        let (mut endpoints, now) = (endpoints(&targets(&[false; 2])), Instant::now());
        assert!(fail(&mut endpoints, 1, 9, now).is_some());
        assert_eq!(fail(&mut endpoints, 2, 9, now), None);
        assert_eq!(chosen(&mut endpoints, now), [2]);
    }

    #[test]
    fn a_health_check_brings_one_back_and_keeps_one_away() {
        let targets = targets(&[false; 2]);
        let (mut endpoints, now) = (endpoints(&targets), Instant::now());
        fail(&mut endpoints, 1, 2, now);
        targets[0].passed();
        assert_eq!(chosen(&mut endpoints, now), [1, 2]);
        targets[1].missed(1);
        assert_eq!(chosen(&mut endpoints, now), [1]);
        targets[0].missed(1);
        assert_eq!(chosen(&mut endpoints, now), [1, 2], "when all are bad, all are tried");
    }

    #[test]
    fn addresses_nearby_come_first_and_a_failed_one_last() {
        let (mut endpoints, now) = (endpoints(&targets(&[true, false, true])), Instant::now());
        assert_eq!(chosen(&mut endpoints, now), [1, 3]);
        assert_eq!(endpoints.choose(now, Some(1)), Some(3));
        fail(&mut endpoints, 3, 2, now);
        assert_eq!(endpoints.choose(now, Some(1)), Some(2));
        let order: Vec<_> = endpoints.order(2, now).into_iter().map(|(id, _)| id).collect();
        assert_eq!(order, [2, 1, 3]);
    }

    #[test]
    fn what_is_known_of_an_address_outlives_a_lookup() {
        let all = targets(&[false; 3]);
        let (mut endpoints, now) = (endpoints(&all), Instant::now());
        endpoints.begin(2);
        endpoints.update(&all[1..]);
        assert!(!endpoints.has(1) && endpoints.has(2));
        assert_eq!(chosen(&mut endpoints, now), [3]);
    }
}

//! How many connections each client holds, where that is limited: counts by key, which vanish with the last connection.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher as _, Hash};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks that the keys are spread over, so that workers hardly ever meet at one.
const SHARDS: usize = 64;

/// The shares of all clients.
#[derive(Debug)]
pub struct Shares<K> {
    limit: usize,
    /// Seeded at random: clients must not be able to choose keys that meet.
    hasher: RandomState,
    shards: [Mutex<HashMap<K, usize>>; SHARDS],
}

/// One connection's part of its client's share, given back when dropped.
#[derive(Debug)]
pub struct Share<K: Hash + Eq> {
    shares: Arc<Shares<K>>,
    key: K,
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// At most `limit` for each key; with 0 nobody counts.
    pub fn new(limit: usize) -> Arc<Self> {
        let shards = std::array::from_fn(|_| Mutex::default());
        Arc::new(Self { limit, hasher: RandomState::new(), shards })
    }

    /// One more for `key`, where there is a limit.
    ///
    /// # Errors
    ///
    /// The limit, when it has that many.
    pub fn take(self: &Arc<Self>, key: impl FnOnce() -> K) -> Result<Option<Share<K>>, usize> {
        if self.limit == 0 {
            return Ok(None);
        }
        let key = key();
        match self.shard(&key).entry(key.clone()) {
            Entry::Occupied(taken) if *taken.get() >= self.limit => return Err(self.limit),
            Entry::Occupied(mut taken) => *taken.get_mut() += 1,
            Entry::Vacant(first) => drop(first.insert(1)),
        }
        Ok(Some(Share { shares: self.clone(), key }))
    }
}

impl<K: Hash + Eq> Shares<K> {
    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, usize>> {
        let shards = u64::try_from(SHARDS).unwrap_or(1);
        let at = usize::try_from(self.hasher.hash_one(key) % shards).unwrap_or_default();
        let [first, ..] = &self.shards;
        self.shards.get(at).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut shard = self.shares.shard(&self.key);
        match shard.get_mut(&self.key) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => drop(shard.remove(&self.key)),
        }
    }
}

/// What is counted as one address: of IPv6 the network of 64 bits, which is the least that a client is given.
pub fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_limit_and_leaves_nothing_behind() {
        let shares = Shares::new(2);
        let (first, second) = (shares.take(|| "a").unwrap(), shares.take(|| "a").unwrap());
        assert_eq!(shares.take(|| "a").unwrap_err(), 2);
        let other = shares.take(|| "b").unwrap();
        drop(first);
        let third = shares.take(|| "a").unwrap();
        drop((second, third, other));
        assert!(shares.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }

    #[test]
    fn no_limit_counts_nothing() {
        assert!(Shares::new(0).take(|| "a").unwrap().is_none());
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let key = |text: &str| address_key(text.parse().unwrap()).to_string();
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(key("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(key("192.0.2.7"), "192.0.2.7");
    }
}

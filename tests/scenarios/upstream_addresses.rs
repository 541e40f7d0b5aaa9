//! An upstream whose name has several addresses: all are used, the dead ones are left alone, and the name is looked up again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postern_tests::name_server::NameServer;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::raw_tls::{RawTls, Version};
use postern_tests::upstream::Upstream;
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome};

const NAME: &str = "api.postern.test";
const THREE: [Ipv4Addr; 3] =
    [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];

/// Certificates, a name server, and private APIs on several addresses and one port.
struct Cluster {
    pki: Pki,
    names: NameServer,
    upstreams: Vec<Upstream>,
}

impl Cluster {
    fn start(addresses: &[Ipv4Addr]) -> Result<Self, Failure> {
        let (pki, names) = (Pki::make()?, NameServer::start()?);
        let mut upstreams: Vec<Upstream> = Vec::new();
        for address in addresses {
            let port = upstreams.first().map_or(0, |first| first.address().port());
            upstreams.push(Upstream::start_at(&pki, SocketAddr::new((*address).into(), port))?);
        }
        names.set(NAME, addresses);
        Ok(Self { pki, names, upstreams })
    }

    fn port(&self) -> u16 {
        self.upstreams.first().map_or(0, |first| first.address().port())
    }

    /// One worker, so that what it learnt is known to all requests.
    fn config(&self, name: &str) -> Config {
        Config::new(&self.pki, self.names.address())
            .text("upstream.address", format!("{name}:{}", self.port()))
            .raw("resolver.nameservers", format!("[\"{}\"]", self.names.address()))
            .raw("listen.workers", 1)
    }
}

/// The address that answered.
fn served_by(client: &mut RawTls) -> Result<IpAddr, Failure> {
    let response = client.get("/")?;
    assert_eq!(response.status, 200);
    let address = response.header("x-served-by").and_then(|address| address.parse::<SocketAddr>().ok());
    address.map(|address| address.ip()).ok_or_else(|| Failure::Missing("x-served-by".to_owned()))
}

fn connect(pki: &Pki, postern: &Postern) -> Result<RawTls, Failure> {
    RawTls::connect(pki, postern.address(), "good", Version::Tls13)
}

/// Which addresses answer `count` requests.
fn answering(pki: &Pki, postern: &Postern, count: usize) -> Result<Vec<IpAddr>, Failure> {
    let mut client = connect(pki, postern)?;
    let mut seen = (0..count).map(|_| served_by(&mut client)).collect::<Result<Vec<_>, _>>()?;
    seen.sort();
    seen.dedup();
    Ok(seen)
}

#[test]
fn losing_and_regaining_one_of_three_addresses_costs_no_request() -> Outcome {
    const INTERVAL: Duration = Duration::from_secs(1);
    let mut cluster = Cluster::start(&THREE)?;
    // Without the health check, an address that failed would be left alone for longer than the test takes.
    let config = cluster
        .config(NAME)
        .raw("upstream.health.interval_ms", INTERVAL.as_millis())
        .raw("upstream.ejection.shortest_ms", 600_000)
        .raw("upstream.ejection.longest_ms", 600_000);
    let postern = Postern::start(&config)?;
    let (lost, stop) = (THREE[1], AtomicBool::new(false));
    let (answers, of_lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let load = || -> Outcome {
        let mut client = connect(&cluster.pki, &postern)?;
        while !stop.load(Ordering::Relaxed) {
            // Every answer is 200, or this thread fails the test.
            let address = served_by(&mut client)?;
            answers.fetch_add(1, Ordering::Relaxed);
            of_lost.fetch_add(usize::from(address == lost), Ordering::Relaxed);
        }
        Ok(())
    };
    let at_least = |what: &str, counter: &AtomicUsize, more: usize| -> Outcome {
        let goal = counter.load(Ordering::Relaxed) + more;
        until(what, || Ok((counter.load(Ordering::Relaxed) >= goal).then_some(())))
    };
    let back_after = std::thread::scope(|scope| -> Result<Duration, Failure> {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        let mut story = || -> Result<Duration, Failure> {
            at_least("the second address to answer", &of_lost, 20)?;
            let gone = cluster.upstreams.remove(1);
            let address = gone.address();
            gone.kill();
            postern.metric_reaches("postern_upstream_ejections_total", &[("upstream", "default")], 1.0)?;
            at_least("the others to answer", &answers, 200)?;
            cluster.upstreams.push(Upstream::start_at(&cluster.pki, address)?);
            let began = Instant::now();
            at_least("the second address to answer again", &of_lost, 1)?;
            Ok(began.elapsed())
        };
        let back_after = story();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_panic| Failure::Missing("a client that does not panic".to_owned()))??;
        }
        back_after
    })?;
    assert!(back_after < INTERVAL + Duration::from_millis(700), "one interval and a check: {back_after:?}");
    let metrics = postern.metrics()?;
    assert_eq!(metrics.sum("postern_refusals_total", &[]), 0.0, "{}", metrics.text());
    assert_eq!(metrics.sum("postern_upstream_addresses", &[]), 3.0);
    Ok(())
}

#[test]
fn a_name_is_looked_up_again_and_its_last_addresses_outlive_the_name_server() -> Outcome {
    let cluster = Cluster::start(&THREE)?;
    let [one, two, _] = THREE;
    cluster.names.set(NAME, &[one]);
    let postern = Postern::start(&cluster.config(NAME))?;
    assert_eq!(answering(&cluster.pki, &postern, 5)?, [one]);
    cluster.names.set(NAME, &[two]);
    // The connection to the first address is alive, and not used any more.
    until("the second address to answer", || {
        Ok((answering(&cluster.pki, &postern, 1)? == [two]).then_some(()))
    })?;
    cluster.names.fail();
    postern.metric_reaches("postern_upstream_lookups_total", &[("result", "failed")], 1.0)?;
    assert_eq!(answering(&cluster.pki, &postern, 5)?, [two]);
    Ok(())
}

#[test]
fn addresses_of_the_own_zone_come_first_and_the_others_when_those_fail() -> Outcome {
    let mut cluster = Cluster::start(&THREE)?;
    cluster.names.set("vpce-1-2.execute-api.postern.test", &THREE);
    cluster.names.set("vpce-1-2-eu-west-1c.execute-api.postern.test", &[THREE[2]]);
    let config = cluster.config("vpce-1-2.execute-api.postern.test").text("upstream.zone", "eu-west-1c");
    let postern = Postern::start(&config)?;
    assert_eq!(answering(&cluster.pki, &postern, 20)?, [THREE[2]]);
    cluster.upstreams.remove(2).kill();
    let mut client = connect(&cluster.pki, &postern)?;
    for _ in 0..20 {
        assert_ne!(served_by(&mut client)?, THREE[2]);
    }
    Ok(())
}

#[test]
fn all_addresses_are_used() -> Outcome {
    let cluster = Cluster::start(&THREE)?;
    let postern = Postern::start(&cluster.config(NAME))?;
    // 60 times one of three at random: all but certain.
    assert_eq!(answering(&cluster.pki, &postern, 60)?, THREE);
    Ok(())
}

#[test]
fn an_address_that_accepts_and_says_nothing_costs_a_moment_not_the_timeout() -> Outcome {
    let cluster = Cluster::start(&THREE[..1])?;
    // The kernel completes the connection; nobody ever reads from it.
    let _silent = TcpListener::bind((THREE[1], cluster.port()))?;
    cluster.names.set(NAME, &THREE[..2]);
    let config = cluster
        .config(NAME)
        .raw("upstream.attempt_delay_ms", 50)
        .raw("upstream.connect_timeout_ms", 60_000)
        .raw("upstream.max_idle_connections", 0)
        .raw("upstream.ejection.longest_ms", 600_000)
        .raw("upstream.ejection.shortest_ms", 600_000);
    let postern = Postern::start(&config)?;
    let mut client = connect(&cluster.pki, &postern)?;
    until("the silent address to be left alone", || {
        assert_eq!(served_by(&mut client)?, THREE[0]);
        Ok((postern.metrics()?.sum("postern_upstream_ejections_total", &[]) >= 1.0).then_some(()))
    })?;
    let failures =
        || Ok::<_, Failure>(postern.metrics()?.sum("postern_upstream_address_failures_total", &[]));
    let before = failures()?;
    assert_eq!(answering(&cluster.pki, &postern, 10)?, THREE[..1]);
    assert_eq!(failures()?, before, "it is not tried any more");
    Ok(())
}

#[test]
fn a_name_without_addresses_is_502() -> Outcome {
    let cluster = Cluster::start(&THREE[..1])?;
    let postern = Postern::start(&cluster.config("nowhere.postern.test"))?;
    let answer =
        postern_tests::curl::Curl::https(&cluster.pki, postern.address(), Some("good"), "/").call()?;
    crate::upstream_faults::assert_problem(&postern, &answer, 502, "upstream_unresolved")?;
    // Names of /etc/hosts need no name server.
    let postern = Postern::start(&cluster.config("localhost"))?;
    assert_eq!(answering(&cluster.pki, &postern, 1)?, THREE[..1]);
    Ok(())
}

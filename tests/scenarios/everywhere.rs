//! The first promise, with every real part in the path: a CRL goes up to S3, the function indexes it, two proxies fetch the
//! index, and a revoked client is out of both of them, however it is connected, while nobody else notices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use postern_tests::echo::{self, says};
use postern_tests::lambda::Function;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::Process;
use postern_tests::raw_tls::{RawTls, Version, alert_of, resuming_config};
use postern_tests::s3::{BUCKET, S3};
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, Outcome, binary, files};
use rustls::{AlertDescription, ClientConfig};
use serde_json::json;

/// How often the proxies look.
const INTERVAL: Duration = Duration::from_secs(2);
/// What a request in flight gets to end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Good connections to each proxy.
const GOOD: usize = 100;

#[test]
fn a_revoked_client_is_out_everywhere_within_one_interval() -> Outcome {
    let mut pipeline = Pipeline::start()?;
    let posterns = pipeline.posterns()?;
    let addresses = [posterns[0].address(), posterns[1].address()];
    let good = resuming_config(&pipeline.pki, "loyal", Version::Tls13)?;
    let crowds =
        addresses.map(|address| Crowd::gather(&good, address)).into_iter().collect::<Result<Vec<_>, _>>()?;

    let mut connections = Vec::new();
    let mut tickets = Vec::new();
    for (here, there) in [(0, 1), (1, 0)] {
        connections.extend(every_kind_of_connection(&pipeline.pki, addresses[here])?);
        for version in [Version::Tls12, Version::Tls13] {
            // A ticket of the one is good at the other.
            let config = resuming_config(&pipeline.pki, "good", version)?;
            RawTls::connect_with(config.clone(), addresses[here])?.get("/")?;
            let mut resumed = RawTls::connect_with(config.clone(), addresses[there])?;
            assert_eq!(resumed.get("/")?.status, 200);
            assert!(resumed.is_resumed(), "{version:?}");
            tickets.push((config, addresses[there]));
        }
    }

    pipeline.pki.revoke("good")?;
    let uploaded = Instant::now();
    pipeline.publish("intermediate")?;
    let indexed = Instant::now();
    for (what, connection) in &mut connections {
        connection
            .until_closed()
            .map_err(|failure| Failure::Missing(format!("the end of {what}: {failure}; it")))?;
    }
    let (since_indexed, since_uploaded) = (indexed.elapsed(), uploaded.elapsed());
    for (config, address) in tickets {
        assert_eq!(
            alert(config, address)?,
            AlertDescription::CertificateRevoked,
            "a ticket of the other proxy"
        );
    }
    for address in addresses {
        let fresh = resuming_config(&pipeline.pki, "good", Version::Tls13)?;
        assert_eq!(alert(fresh, address)?, AlertDescription::CertificateRevoked, "a new connection");
    }
    println!("closed {since_indexed:.1?} after the index and {since_uploaded:.1?} after the upload");
    assert!(since_indexed <= INTERVAL + LAST_WORDS, "took {since_indexed:?}");

    let asked: usize = crowds.into_iter().map(Crowd::disperse).sum::<Result<_, _>>()?;
    assert!(asked > 2 * GOOD, "the good clients had something to ask");
    for address in addresses {
        let again = RawTls::connect_with(good.clone(), address)?;
        assert!(again.is_resumed(), "good clients keep their sessions");
    }
    for postern in &posterns {
        let refused = postern.metrics()?;
        let reason = |reason| refused.sum("postern_refusals_total", &[("reason", reason)]);
        assert_eq!(refused.sum("postern_refusals_total", &[]), reason("certificate_revoked"));
    }
    Ok(())
}

/// How a new connection ends.
fn alert(config: Arc<ClientConfig>, address: SocketAddr) -> Result<AlertDescription, Failure> {
    match RawTls::connect_with(config, address) {
        Ok(mut connection) => connection.alert(),
        Err(Failure::Connection(error)) => alert_of(&error).ok_or(error.into()),
        Err(other) => Err(other),
    }
}

/// The connections of the client that is going to be revoked: none of them is in the middle of a request that could end it.
fn every_kind_of_connection(pki: &Pki, address: SocketAddr) -> Result<Vec<(&'static str, RawTls)>, Failure> {
    let connect = || RawTls::connect(pki, address, "good", Version::Tls13);
    let (silent, mut idle, mut streaming, mut upgraded) = (connect()?, connect()?, connect()?, connect()?);
    assert_eq!(idle.get("/")?.status, 200);
    streaming.send("GET /bytes/1000000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    streaming.first_bytes()?;
    echo::upgrade(&mut upgraded)?;
    says(&mut upgraded, "still good")?;
    Ok(vec![
        ("a connection that never asked", silent),
        ("an idle one", idle),
        ("a download", streaming),
        ("an upgraded one", upgraded),
    ])
}

/// Where CRLs go up, and indexes come out.
struct Pipeline {
    function: Function,
    s3: S3,
    upstream: Upstream,
    echo: SocketAddr,
    pki: Pki,
}

impl Pipeline {
    fn start() -> Result<Self, Failure> {
        let (s3, pki) = (S3::start()?, Pki::make()?);
        pki.issue("loyal", |_| {})?;
        let function = Function::start(&s3.environment())?;
        let (upstream, echo) = (Upstream::start(&pki)?, echo::serve(&pki)?);
        let mut pipeline = Self { function, s3, upstream, echo, pki };
        for ca in ["intermediate", "root"] {
            let certificate = files::read(&pipeline.pki.path(&format!("{ca}.pem")))?;
            pipeline.s3.put(&format!("crl/{ca}.crl.crt"), &certificate)?;
            pipeline.publish(ca)?;
        }
        Ok(pipeline)
    }

    /// What the CA does, and what S3 then says.
    fn publish(&mut self, ca: &str) -> Outcome {
        let key = format!("crl/{ca}.crl");
        self.s3.put(&key, &files::read(&self.pki.path(&key))?)?;
        let event = json!({
            "version": "0", "source": "aws.s3", "detail-type": "Object Created",
            "detail": { "bucket": { "name": BUCKET }, "object": { "key": key } },
        });
        self.function.invoke(&event)?.done()?;
        Ok(())
    }

    /// Two of one fleet.
    fn posterns(&self) -> Result<[Postern; 2], Failure> {
        let keys = self.pki.path("tickets.keys");
        files::write(&keys, "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=\n")?;
        let crls = ["intermediate", "root"].map(|ca| format!("s3://{BUCKET}/crl/{ca}.crl.crlx"));
        let echo = format!(
            "[[route]]\nname = \"chat\"\npath_prefix = \"/chat\"\n[route.upstream]\naddress = \"{}\"\nallow_upgrade = true\n[[route]]\nname = \"api\"\n",
            self.echo
        );
        let config = Config::new(&self.pki, self.upstream.address())
            .raw("revocation.crls", format!("{crls:?}"))
            .raw(
                "revocation.issuers",
                format!("[{:?}]", self.pki.path("intermediate.pem").display().to_string()),
            )
            .raw("sources.interval_ms", INTERVAL.as_millis())
            .raw("sources.s3_path_style", true)
            .text("tickets.keys", keys.display())
            .list(&echo);
        let start = || {
            let mut command = binary::postern_with_aws()?;
            Postern::start_as(&config, command.envs(self.s3.environment()), Process::spawn)
        };
        Ok([start()?, start()?])
    }
}

/// Good clients, who go on asking over their connections.
struct Crowd {
    home: Arc<AtomicBool>,
    asking: JoinHandle<Result<usize, Failure>>,
}

impl Crowd {
    fn gather(config: &Arc<ClientConfig>, address: SocketAddr) -> Result<Self, Failure> {
        let connect = |_| RawTls::connect_with(config.clone(), address);
        let mut connections = (0..GOOD).map(connect).collect::<Result<Vec<_>, _>>()?;
        let home = Arc::new(AtomicBool::new(false));
        let gone = home.clone();
        let asking = thread::spawn(move || {
            let mut asked = 0;
            while !gone.load(Ordering::Relaxed) {
                for connection in &mut connections {
                    assert_eq!(connection.get("/")?.status, 200);
                    asked += 1;
                }
            }
            Ok(asked)
        });
        Ok(Self { home, asking })
    }

    /// How often they asked.
    fn disperse(self) -> Result<usize, Failure> {
        self.home.store(true, Ordering::Relaxed);
        self.asking
            .join()
            .map_err(|_panic| Failure::Missing("a good client that was not refused".to_owned()))?
    }
}

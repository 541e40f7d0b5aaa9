//! The keys of tickets: shared, replaced, lost.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern_tests::moto::Moto;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern, check};
use postern_tests::process::Process;
use postern_tests::s3::{BUCKET, S3};
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, Outcome, binary, files};
use serde_json::{Value, json};

use super::{VERSIONS, Visit, Visitor, tickets};

/// A line of a key file.
pub(super) fn key(number: u8) -> String {
    format!("{}\n", STANDARD.encode(digest::digest(&digest::SHA256, &[number])))
}

/// A postern whose keys can be replaced.
struct Keyed {
    postern: Postern,
    _upstream: Upstream,
    pki: Pki,
}

impl Keyed {
    fn set(keys: &str) -> Result<Self, Failure> {
        let pki = Pki::make()?;
        let upstream = Upstream::start(&pki)?;
        files::write(&pki.path("ticket.keys"), keys)?;
        let config = Config::new(&pki, upstream.address());
        let postern = Postern::start(&config.text("tickets.keys", pki.path("ticket.keys").display()))?;
        Ok(Self { postern, _upstream: upstream, pki })
    }

    fn replace(&self, keys: &str) -> Outcome {
        files::write(&self.pki.path("ticket.keys"), keys)?;
        self.postern.reload()
    }
}

#[test]
fn a_key_opens_until_it_is_dropped() -> Outcome {
    let keyed = Keyed::set(&key(1))?;
    let address = keyed.postern.address();
    for version in VERSIONS {
        keyed.replace(&key(1))?;
        let visitor = Visitor::new(&keyed.pki, "good", version)?;
        assert_eq!(visitor.visit(address)?, Visit::Full, "{version:?}");
        keyed.replace(&(key(2) + &key(1)))?;
        assert_eq!(visitor.visit(address)?, Visit::Resumed, "the old one still opens");
        // TLS 1.3 gave two tickets of the old key and two of the new one; the newest comes first.
        keyed.replace(&key(2))?;
        assert_eq!(visitor.visit(address)?, Visit::Resumed, "its new ticket is of the new key");
        keyed.replace(&key(3))?;
        assert_eq!(visitor.visit(address)?, Visit::Full, "nothing opens that");
    }
    assert!(tickets(&keyed.postern, "unreadable")? >= 2.0);
    Ok(())
}

#[test]
fn a_ticket_of_another_process_with_keys_of_its_own_means_a_full_handshake() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    let config = Config::new(&pki, upstream.address());
    let (first, second) = (Postern::start(&config)?, Postern::start(&config)?);
    for version in VERSIONS {
        let visitor = Visitor::new(&pki, "good", version)?;
        assert_eq!(visitor.visit(first.address())?, Visit::Full);
        assert_eq!(visitor.visit(second.address())?, Visit::Full);
    }
    assert_eq!(tickets(&second, "unreadable")?, 2.0);
    Ok(())
}

#[test]
fn a_reload_keeps_sessions_and_a_bad_key_file_changes_nothing() -> Outcome {
    let keyed = Keyed::set(&key(1))?;
    for version in VERSIONS {
        let visitor = Visitor::new(&keyed.pki, "good", version)?;
        assert_eq!(visitor.visit(keyed.postern.address())?, Visit::Full);
        keyed.replace("not-a-key\n")?;
        assert_eq!(visitor.visit(keyed.postern.address())?, Visit::Resumed);
    }
    let line = keyed.postern.said(&["tickets.keys", "line 1: not base64"])?;
    assert!(!line.contains("not-a-key"), "{line}");
    Ok(())
}

#[test]
fn a_bad_key_file_is_reported_by_check() -> Outcome {
    let pki = Pki::make()?;
    let config = Config::new(&pki, ([127, 0, 0, 1], 1).into());
    for (content, problem) in [
        ("# nothing\n", "holds no key"),
        ("c2hvcnQ=\n", "line 1: 5 bytes, not 32 to 64"),
        (&(key(1) + &key(1)), "line 2: the same key again"),
    ] {
        files::write(&pki.path("ticket.keys"), content)?;
        let checked = check(&config.clone().text("tickets.keys", pki.path("ticket.keys").display()))?;
        assert_eq!(checked.status.code(), Some(1), "{checked:?}");
        assert!(checked.stderr.contains("tickets.keys: "), "{checked:?}");
        assert!(checked.stderr.contains(problem), "{checked:?}");
    }
    let checked = check(&config.text("tickets.keys", pki.path("absent").display()))?;
    assert!(checked.stderr.contains("cannot be read"), "{checked:?}");
    Ok(())
}

/// Two of a fleet whose keys are at `place`, where `put` puts others: what one sealed, the other opens.
fn assert_shared(
    place: &str,
    environment: &[(&'static str, String)],
    put: impl Fn(&str) -> Outcome,
) -> Outcome {
    let (pki, copies) = (Pki::make()?, files::temporary_directory()?);
    let upstream = Upstream::start(&pki)?;
    put(&key(1))?;
    let config = Config::new(&pki, upstream.address())
        .text("tickets.keys", place)
        .raw("sources.interval_ms", 100)
        .raw("sources.s3_path_style", true)
        .text("sources.directory", copies.path().display());
    let start = || {
        let mut command = binary::postern_with_aws()?;
        Postern::start_as(&config, command.envs(environment.iter().cloned()), Process::spawn)
    };
    let (here, there) = (start()?, start()?);
    for version in VERSIONS {
        let visitor = Visitor::new(&pki, "good", version)?;
        assert_eq!(visitor.visit(here.address())?, Visit::Full);
        assert_eq!(visitor.visit(there.address())?, Visit::Resumed, "{version:?}");
    }
    let generation = |least| {
        let reaches = |postern: &Postern| postern.metric_reaches("postern_trust_generation", &[], least);
        reaches(&here).and_then(|_| reaches(&there))
    };
    // As docs/resumption.md says.
    let visitor = Visitor::new(&pki, "good", VERSIONS[1])?;
    assert_eq!(visitor.visit(here.address())?, Visit::Full);
    for (step, keys) in (1..).zip([key(1) + &key(2), key(2) + &key(1), key(2)]) {
        put(&keys)?;
        generation(f64::from(step))?;
        assert_eq!(visitor.visit(there.address())?, Visit::Resumed, "step {step}");
    }
    put("not-a-key\n")?;
    let line = here.said(&["kept the last good", "tickets.keys", "line 1: not base64"])?;
    assert!(!line.contains("not-a-key"), "{line}");
    assert_eq!(visitor.visit(here.address())?, Visit::Resumed);
    put(&key(3))?;
    here.said(&["\"over\"", "tickets.keys"])?;
    assert_eq!(visitor.visit(here.address())?, Visit::Full, "nothing opens that");
    assert_eq!(std::fs::read_dir(copies.path())?.count(), 0, "a secret gets to no disk");
    Ok(())
}

#[test]
fn a_secret_of_aws_holds_the_keys_of_a_fleet() -> Outcome {
    let moto = Moto::start()?;
    let secret = json!({ "Name": "tickets", "SecretString": "none yet" });
    let made = moto.call("secretsmanager", "secretsmanager.CreateSecret", &secret)?;
    let arn = made.get("ARN").and_then(Value::as_str).unwrap_or_default();
    assert_shared(arn, &moto.environment(), |keys| {
        let secret = json!({ "SecretId": "tickets", "SecretString": keys });
        moto.call("secretsmanager", "secretsmanager.PutSecretValue", &secret).map(drop)
    })
}

#[test]
fn an_object_in_s3_holds_the_keys_of_a_fleet() -> Outcome {
    let s3 = S3::start()?;
    let place = format!("s3://{BUCKET}/ticket.keys");
    assert_shared(&place, &s3.environment(), |keys| s3.put("ticket.keys", keys.as_bytes()))
}

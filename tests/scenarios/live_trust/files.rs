//! Files that change without a signal.

use std::os::unix::fs::symlink;

use postern_tests::pki::Pki;
use postern_tests::postern::Postern;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Outcome, files};

use super::{config, pem, replace, until_status, with_crl_at};

#[test]
fn a_swapped_data_link_is_seen() -> Outcome {
    let (pki, volume) = (Pki::make()?, files::temporary_directory()?);
    pki.issue("good2", |_| {})?;
    let upstream = Upstream::start(&pki)?;
    // As Kubernetes mounts a volume: every file is a link through `..data`, which is what is swapped.
    let place = |version: &str| {
        let directory = volume.path().join(version);
        std::fs::create_dir(&directory)?;
        std::fs::copy(pki.path("crl/intermediate.crl"), directory.join("ca.crl"))?;
        symlink(version, volume.path().join("..next"))?;
        std::fs::rename(volume.path().join("..next"), volume.path().join("..data"))
    };
    place("..1")?;
    symlink("..data/ca.crl", volume.path().join("ca.crl"))?;
    let crl = volume.path().join("ca.crl").display().to_string();
    let postern = Postern::start(&with_crl_at(config(&pki, &upstream), &pki, &crl))?;
    assert_eq!(
        postern_tests::curl::Curl::https(&pki, postern.address(), Some("good"), "/").call()?.status,
        200,
        "a bare CRL in DER"
    );
    pki.revoke("good")?;
    place("..2")?;
    let stage = Stage { postern, upstream, pki };
    until_status(&stage, "good", 0)?;
    assert_eq!(stage.curl("good2", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn certificates_and_bundles_are_taken_without_a_signal_and_good_connections_stay() -> Outcome {
    let (pki, directory) = (Pki::make()?, files::temporary_directory()?);
    let upstream = Upstream::start(&pki)?;
    let bundle = directory.path().join("root.pem");
    files::copy(&pki.path("root.pem"), &bundle)?;
    let config = config(&pki, &upstream).text("client_auth.trust_bundle", bundle.display());
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    let mut open = stage.connect("good", postern_tests::raw_tls::Version::Tls13)?;
    assert_eq!(open.get("/")?.status, 200);
    let other = Pki::make()?;
    let both = [files::read(&stage.pki.path("root.pem"))?, files::read(&other.path("root.pem"))?].concat();
    let more = directory.path().join("both.pem");
    files::write(&more, both)?;
    replace(&more, &bundle)?;
    stage.postern.metric_reaches("postern_trust_generation", &[], 1.0)?;
    assert_eq!(open.get("/")?.status, 200, "its anchor is still there");
    files::write(&more, b"nothing")?;
    replace(&more, &bundle)?;
    stage.postern.said(&["kept the last good", "root.pem"])?;
    assert_eq!(open.get("/")?.status, 200);
    replace(&other.path("root.pem"), &bundle)?;
    stage.postern.said(&["\"over\"", "root.pem"])?;
    assert!(open.until_closed()?.is_empty(), "its anchor is gone");
    Ok(())
}

#[test]
fn a_bare_crl_in_pem_is_taken_from_a_file_and_again_when_it_changes() -> Outcome {
    let (pki, directory) = (Pki::make()?, files::temporary_directory()?);
    let upstream = Upstream::start(&pki)?;
    let place = directory.path().join("ca.pem");
    let write = |pki: &Pki| {
        let next = directory.path().join("next.pem");
        files::write(&next, pem(&files::read(&pki.path("crl/intermediate.crl"))?))?;
        replace(&next, &place)
    };
    write(&pki)?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &place.display().to_string());
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    stage.pki.revoke("good")?;
    write(&stage.pki)?;
    until_status(&stage, "good", 0)
}

//! crl-tool reads what CAs publish on the web, whatever the web does to it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use postern_tests::pki::Pki;
use postern_tests::process::{Finished, run};
use postern_tests::web::{Answer, Web};
use postern_tests::{Failure, Outcome, binary, files};

/// A PKI, whose CRL a server publishes in many ways.
struct Publisher {
    pki: Pki,
    crl: Vec<u8>,
}

impl Publisher {
    fn new() -> Result<Self, Failure> {
        let pki = Pki::make()?;
        let crl = files::read(&pki.path("crl/intermediate.crl"))?;
        Ok(Self { pki, crl })
    }

    /// Where new indexes go.
    fn out(&self) -> PathBuf {
        self.pki.path("new.crlx")
    }

    fn issuer(&self) -> PathBuf {
        self.pki.path("intermediate.pem")
    }

    /// `crl-tool build` of the CRL at `url`, with more arguments.
    fn build(&self, url: &str, more: &[&str]) -> Result<Finished, Failure> {
        let (issuer, out) = (self.issuer(), self.out());
        let mut arguments: Vec<&OsStr> =
            vec!["build".as_ref(), "--crl".as_ref(), url.as_ref(), "--issuer".as_ref(), issuer.as_ref()];
        arguments.extend(["--out".as_ref(), out.as_os_str()]);
        arguments.extend(more.iter().map(OsStr::new));
        crl_tool(&arguments, None)
    }
}

/// Runs `crl-tool`; the servers are those of the test, whatever proxy the environment names.
fn crl_tool(
    arguments: &[impl AsRef<OsStr>],
    certificate_authority: Option<&Path>,
) -> Result<Finished, Failure> {
    let mut command = binary::command("crl-tool")?;
    command.args(arguments).env("NO_PROXY", "*");
    if let Some(file) = certificate_authority {
        command.env("SSL_CERT_FILE", file);
    }
    run("crl-tool", &mut command)
}

#[test]
fn a_crl_is_built_from_what_a_ca_publishes() -> Outcome {
    let publisher = Publisher::new()?;
    let expected = files::read(&publisher.pki.path("crl/intermediate.crlx"))?;
    let pem = {
        let mut command = binary::command("crl-tool")?;
        let convert = command.arg("convert").arg(publisher.pki.path("crl/intermediate.crlx"));
        run("crl-tool convert", convert.args(["--to", "pem", "--out", "-"]))?.success()?.stdout
    };
    let crl = publisher.crl.as_slice();
    let web = Web::start(&[
        ("/file", Answer::file(crl)),
        ("/pem", Answer::file(pem.as_bytes())),
        ("/chunked", Answer::chunked(crl, true)),
        ("/unannounced", Answer::unannounced(crl)),
        ("/moved", Answer::redirect("/file")),
    ])?;
    for path in ["/file", "/pem", "/chunked", "/unannounced", "/moved"] {
        publisher.build(&web.url(path), &[])?.success()?;
        assert_eq!(files::read(&publisher.out())?, expected, "{path}");
        std::fs::remove_file(publisher.out())?;
    }
    // Without the query: that is where secrets are.
    let built = publisher.build(&web.url("/absent?secret=1"), &[])?;
    assert_eq!(built.code(), 2);
    assert!(built.stderr.contains("/absent?...: the server answered with status 404"), "{}", built.stderr);
    assert!(!built.stderr.contains("secret"), "{}", built.stderr);
    assert!(web.requests().contains(&"/absent?secret=1".to_owned()), "{:?}", web.requests());
    Ok(())
}

#[test]
fn every_command_reads_from_an_address() -> Outcome {
    let publisher = Publisher::new()?;
    let index = files::read(&publisher.pki.path("crl/intermediate.crlx"))?;
    let web = Web::start(&[
        ("/crl", Answer::file(&publisher.crl)),
        ("/index", Answer::chunked(&index, true)),
        ("/page", Answer::file(b"<html>It works!</html>")),
    ])?;
    let (crl, index) = (web.url("/crl"), web.url("/index"));
    let issuer = publisher.issuer().display().to_string();
    let client = publisher.pki.path("clients/revoked.pem").display().to_string();
    for (arguments, code) in [
        (&["verify", &crl, "--issuer", &issuer][..], 0),
        (&["verify", &index, "--issuer", &issuer], 0),
        (&["inspect", &index], 0),
        (&["lookup", &index, "--cert", &client], 1),
        (&["diff", &index, &index], 0),
        (&["convert", &index, "--to", "json", "--out", "-"], 0),
    ] {
        let finished = crl_tool(arguments, None)?;
        assert_eq!(finished.code(), code, "{arguments:?}: {}", finished.stderr);
        // Another file than the command wants, at an address with a secret in it, which nobody gets to see.
        let other = format!("{}?secret", web.url("/page"));
        let swapped = |&it: &&str| if it == index || it == crl { other.clone() } else { it.to_owned() };
        let arguments: Vec<String> = arguments.iter().map(swapped).collect();
        let finished = crl_tool(&arguments, None)?;
        assert_eq!(finished.code(), 2, "{arguments:?}: {}", finished.stdout);
        assert!(finished.stderr.contains("/page?...: "), "{arguments:?}: {}", finished.stderr);
        assert!(!finished.stderr.contains("secret"), "{arguments:?}: {}", finished.stderr);
    }
    Ok(())
}

#[test]
fn what_breaks_on_the_way_replaces_nothing() -> Outcome {
    let publisher = Publisher::new()?;
    let crl = publisher.crl.as_slice();
    let (half, rest) = crl.split_at(crl.len() / 2);
    let web = Web::start(&[
        ("/gone", Answer::status("410 Gone")),
        ("/moved", Answer::redirect("/gone")),
        ("/circle", Answer::redirect("/circle")),
        ("/page", Answer::file(b"<html>It works!</html>")),
        ("/cut", Answer::announced(crl.len(), half)),
        ("/cut-chunks", Answer::chunked(half, false)),
        ("/short", Answer::announced(half.len(), crl)),
        ("/unannounced-half", Answer::unannounced(half)),
        ("/longer", Answer::file(&[crl, rest].concat())),
        ("/huge", Answer::announced(usize::MAX / 2, crl)),
        ("/endless", Answer::unannounced(b"\n").endless()),
        ("/silent", Answer::announced(crl.len(), half).then_silence()),
    ])?;
    files::write(&publisher.out(), b"the last good one")?;
    let limit = &["--max-bytes", "10000"][..];
    for (path, more, said) in [
        ("/gone", &[][..], "the server answered with status 410\n"),
        ("/moved", &[], "status 410, redirected to http://127.0.0.1:"),
        ("/circle", &[], "over 5 redirects"),
        ("/page", &[], "neither a DER SEQUENCE nor a PEM block"),
        ("/cut", &[], "cut off after"),
        ("/cut-chunks", &[], "cut off after"),
        ("/short", &[], "bytes early"),
        ("/unannounced-half", &[], "bytes early"),
        ("/longer", &[], "bytes after the end"),
        ("/huge", &[], "bytes, and the limit is"),
        ("/endless", limit, "over the limit of 85536 bytes"),
        ("/silent", &["--timeout", "1"], "not finished within 1 s"),
    ] {
        let finished = publisher.build(&web.url(path), more)?;
        assert_eq!(finished.code(), 2, "{path}: {}", finished.stderr);
        let stderr = &finished.stderr;
        assert!(stderr.contains(&web.url(path)) && stderr.contains(said), "{path}: {stderr}");
        assert!(stderr.contains("\n  hint: "), "{path}: {stderr}");
        assert_eq!(files::read(&publisher.out())?, b"the last good one", "{path}");
    }
    // What was sent in vain lay in the buffers of two sockets.
    assert!(web.sent() < 16 << 20, "{} bytes were taken", web.sent());
    // And where nobody listens.
    let address = web.url("/file");
    drop(web);
    let finished = publisher.build(&address, &[])?;
    assert!(finished.code() == 2 && finished.stderr.contains("onnection refused"), "{}", finished.stderr);
    Ok(())
}

#[test]
fn https_is_proved_and_http_is_not_believed() -> Outcome {
    let publisher = Publisher::new()?;
    let (root, issuer) = (publisher.pki.path("root.pem"), files::read(&publisher.issuer())?);
    let files = [("/ca.crl", Answer::file(&publisher.crl)), ("/ca.pem", Answer::file(&issuer))];
    let plain = Web::start(&files)?;
    let [crl, certificate] = files;
    let downgrade = ("/downgrade.pem", Answer::redirect(&plain.url("/ca.pem")));
    let secure = Web::start_tls(&[crl, certificate, downgrade], &publisher.pki)?;
    let verify =
        |crl: &str, issuer: &str, ca: Option<&Path>| crl_tool(&["verify", crl, "--issuer", issuer], ca);

    let local = publisher.issuer().display().to_string();
    let stranger = verify(&secure.url("/ca.crl"), &local, None)?;
    assert_eq!(stranger.code(), 2);
    assert!(
        stranger.stderr.contains("tls: ") && stranger.stderr.contains("SSL_CERT_FILE"),
        "{}",
        stranger.stderr
    );
    verify(&secure.url("/ca.crl"), &local, Some(&root))?.success()?;

    // The certificate proves the CRL, so that nothing proves the certificate but the way it came.
    verify(&plain.url("/ca.crl"), &secure.url("/ca.pem"), Some(&root))?.success()?;
    for issuer in [plain.url("/ca.pem"), secure.url("/downgrade.pem")] {
        let refused = verify(&plain.url("/ca.crl"), &issuer, Some(&root))?;
        assert_eq!(refused.code(), 2, "{issuer}");
        assert!(refused.stderr.contains("plain http"), "{}", refused.stderr);
    }
    Ok(())
}

#[test]
fn an_address_that_cannot_be_read_here_is_refused_by_name() -> Outcome {
    let publisher = Publisher::new()?;
    for (address, said, way_out) in [
        ("s3://bucket/ca.crl", "built without s3:// addresses", "--features aws"),
        ("s3://bucket", "not a complete address", "s3://BUCKET/KEY"),
        ("ldap://directory/cn=CA", "a kind that crl-tool does not read", "https://"),
    ] {
        let refused = publisher.build(address, &[])?;
        assert_eq!(refused.code(), 2, "{address}");
        let stderr = &refused.stderr;
        assert!(stderr.contains(&format!("{address}: ")) && stderr.contains(said), "{stderr}");
        assert!(stderr.contains(way_out), "{stderr}");
    }
    let (crl, issuer) = (publisher.pki.path("crl/intermediate.crl"), publisher.issuer());
    let (crl, issuer) = (crl.display().to_string(), issuer.display().to_string());
    for (more, said) in [
        (&["--out", "s3://bucket/ca.crlx"][..], "s3://bucket/ca.crlx: this crl-tool was built without"),
        (&["--out", "http://example.com/ca.crlx"], "an address that crl-tool does not write to"),
        (&["--out", "x.crlx", "--json", "s3://bucket/ca.json"], "only indexes are written to addresses"),
        (&["--out", "x.crlx", "--sign-key-kms", "alias/index"], "was built without AWS KMS"),
    ] {
        let refused = crl_tool(&[&["build", "--crl", &crl, "--issuer", &issuer][..], more].concat(), None)?;
        assert_eq!(refused.code(), 2, "{more:?}");
        assert!(refused.stderr.contains(said), "{more:?}: {}", refused.stderr);
    }
    Ok(())
}

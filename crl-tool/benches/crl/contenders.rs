//! Who is measured.

use anyhow::{Context, Result};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// The name of the floor that all others are compared with.
pub(crate) const FUSED: &str = "floor: read, SHA-256 and strict DER walk";

/// One size's files, gone when dropped.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Result<Files> {
        Ok(Files(tempfile::Builder::new().prefix("bench-crl").tempdir()?))
    }

    pub(crate) fn crl(&self) -> PathBuf {
        self.0.path().join("bench.crl")
    }

    pub(crate) fn issuer(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    /// The indexes that the contenders leave, each with a name.
    pub(crate) fn indexes(&self) -> [(&'static str, PathBuf); 2] {
        let path = |name| self.0.path().join(name);
        [("with its CRL", path("whole.crlx")), ("sidecar", path("bench.crlx"))]
    }
}

/// A command to measure.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) ours: bool,
    pub(crate) command: Vec<String>,
}

/// Everyone who can run here, floors first.
pub(crate) fn all(files: &Files) -> Result<Vec<Contender>> {
    let this = std::env::current_exe()?;
    let (this, tool) = (path(&this)?, env!("CARGO_BIN_EXE_crl-tool"));
    let (crl, issuer) = (files.crl(), files.issuer());
    let (crl, issuer) = (path(&crl)?, path(&issuer)?);
    let [whole, sidecar] = files.indexes().map(|(_, path)| path);
    let python = "import sys; from cryptography import x509; \
                  crl = x509.load_der_x509_crl(open(sys.argv[1], 'rb').read()); \
                  ca = x509.load_pem_x509_certificate(open(sys.argv[2], 'rb').read()); \
                  assert crl.is_signature_valid(ca.public_key()); \
                  assert len({entry.serial_number for entry in crl}) > 0";
    let build = [tool, "build", "--crl", crl, "--issuer", issuer, "--out"];
    let whole = [&build[..], &[path(&whole)?]].concat();
    let sidecar = [&build[..], &[path(&sidecar)?, "--sidecar"]].concat();
    let mut all = vec![
        contender("floor: read and SHA-256", true, &[this, "sha256", crl]),
        contender(FUSED, true, &[this, "fused", crl]),
        contender("crl-tool verify", true, &[tool, "verify", crl, "--issuer", issuer]),
        contender("crl-tool build", true, &whole),
        contender("crl-tool build --sidecar", true, &sidecar),
        contender("x509-parser", false, &[this, "x509-parser", crl]),
        contender("rustls-webpki, owned", false, &[this, "webpki", crl]),
    ];
    if runs("openssl", &["version"]) {
        let command = ["openssl", "crl", "-inform", "DER", "-in", crl, "-CAfile", issuer, "-noout"];
        all.push(contender("openssl crl -CAfile", false, &command));
    }
    if runs("python3", &["-c", "import cryptography"]) {
        all.push(contender("Python cryptography, and a set", false, &["python3", "-c", python, crl, issuer]));
    }
    Ok(all)
}

fn contender(name: &'static str, ours: bool, command: &[&str]) -> Contender {
    Contender { name, ours, command: command.iter().map(|&word| word.to_owned()).collect() }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a temporary directory that is not UTF-8")
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Reads a CRL into rustls-webpki's searchable form.
pub(crate) fn webpki(crl: &Path) -> Result<()> {
    black_box(webpki::OwnedCertRevocationList::from_der(&fs::read(crl)?)?);
    Ok(())
}

/// Reads a CRL with x509-parser.
pub(crate) fn x509_parser(crl: &Path) -> Result<()> {
    let der = fs::read(crl)?;
    let (_, crl) = CertificateRevocationList::from_der(&der).context("x509-parser")?;
    black_box(crl.iter_revoked_certificates().count());
    Ok(())
}

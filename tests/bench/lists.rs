//! CRLs of any size, in the form that each proxy takes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certs::{Authority, Crl, Padding, Reason, Revoked};
use postern_tests::pki::Pki;
use postern_tests::raw_tls::certificates;
use postern_tests::{Failure, crl_tool, files};
use time::{Duration, OffsetDateTime};
use webpki::EndEntityCert;

/// The same entries in every run.
const SEED: u64 = 42;

/// CRLs of a PKI's intermediate CA; their files go with it.
pub(crate) struct Lists<'a> {
    pki: &'a Pki,
    directory: tempfile::TempDir,
    made: u8,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct List {
    pub(crate) entries: u64,
    der: PathBuf,
    /// For postern.
    pub(crate) index: PathBuf,
}

impl<'a> Lists<'a> {
    pub(crate) fn of(pki: &'a Pki) -> Result<Self, Failure> {
        Ok(Self { pki, directory: files::temporary_directory()?, made: 0 })
    }

    /// A CRL, and its index, with the serial numbers of nobody in particular, and that of `revoked`. It is newer than any before.
    pub(crate) fn make(&mut self, entries: u64, revoked: Option<&str>) -> Result<List, Failure> {
        self.made += 1;
        let path = |ending: &str| self.directory.path().join(format!("{}.{ending}", self.made));
        let list = List { entries, der: path("crl"), index: path("crlx") };
        let now = OffsetDateTime::now_utc();
        let number = u128::try_from(now.unix_timestamp_nanos()).unwrap_or_default();
        let until = now - Duration::days(1);
        let mut crl = Crl::new(number, now - Duration::hours(1)).with(Padding { entries, seed: SEED, until });
        if let Some(client) = revoked {
            let serial = serial(self.pki, client)?;
            crl = crl.with(Revoked { serial, date: until, reason: Reason::KeyCompromise });
        }
        let (certificate, key) = (self.pki.path("intermediate.pem"), self.pki.path("ca/intermediate.key"));
        let text = |path| Ok::<_, Failure>(String::from_utf8_lossy(&files::read(path)?).into_owned());
        let written = Authority::from_pem(&text(&certificate)?, &text(&key)?)
            .and_then(|issuer| crl.write(&issuer, &mut File::create(&list.der)?));
        written.map_err(|error| Failure::Missing(format!("a CRL of {entries} entries ({error})")))?;
        crl_tool::build(&list.der, &certificate, &list.index)?.success()?;
        Ok(list)
    }
}

impl List {
    /// The configuration of a postern that takes its index from `index`.
    pub(crate) fn configured(pki: &Pki, index: &std::path::Path) -> String {
        let [_, root] = pki.indexes();
        format!("[{:?}, {:?}]", index.display(), root.display())
    }

    /// Writes it for the others: PEM, with the root's CRL behind it.
    pub(crate) fn write_pem(&self, pki: &Pki, path: &std::path::Path) -> Result<(), Failure> {
        let mut out = BufWriter::new(File::create(path)?);
        for list in [&self.der, &pki.path("crl/root.crl")] {
            writeln!(out, "-----BEGIN X509 CRL-----")?;
            // 64 characters a line.
            for line in files::read(list)?.chunks(48) {
                writeln!(out, "{}", STANDARD.encode(line))?;
            }
            writeln!(out, "-----END X509 CRL-----")?;
        }
        Ok(out.flush()?)
    }
}

fn serial(pki: &Pki, client: &str) -> Result<Vec<u8>, Failure> {
    let chain = certificates(pki, &format!("clients/{client}.pem"))?;
    let missing = || Failure::Missing(format!("the certificate of {client}"));
    let leaf = chain.first().ok_or_else(missing)?;
    let leaf =
        EndEntityCert::try_from(leaf).map_err(|error| Failure::Missing(format!("a leaf ({error})")))?;
    Ok(leaf.serial().to_vec())
}

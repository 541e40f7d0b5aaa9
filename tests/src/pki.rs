//! Certificates of a test: made by the `certs` binary, in a directory that goes with the test.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint,
    DistinguishedName, ExtendedKeyUsagePurpose, Issuer, KeyIdMethod, KeyPair, RevokedCertParams,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::process::run;
use crate::{Failure, binary, crl_tool, files};

/// A development PKI: the files that `certs dev` makes, with an index of each CRL.
pub struct Pki {
    directory: PathBuf,
    /// Removes the directory with the last user.
    _temporary: Option<tempfile::TempDir>,
}

impl Pki {
    /// Makes one in a temporary directory, and indexes its CRLs.
    ///
    /// # Errors
    ///
    /// When `certs` or `crl-tool` is missing or fails.
    pub fn make() -> Result<Self, Failure> {
        Self::make_with(&[])
    }

    /// As [`Pki::make`], with more arguments for `certs dev`.
    ///
    /// # Errors
    ///
    /// As [`Pki::make`].
    pub fn make_with(arguments: &[&str]) -> Result<Self, Failure> {
        let temporary = files::temporary_directory()?;
        let pki = Self { directory: temporary.path().join("pki"), _temporary: Some(temporary) };
        run(
            "certs dev",
            binary::command("certs")?.arg("dev").arg("--out").arg(&pki.directory).args(arguments),
        )?
        .success()?;
        pki.index()?;
        Ok(pki)
    }

    /// One that exists already; dropping it leaves the files alone.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), _temporary: None }
    }

    /// A file of the PKI, such as `crl/root.crl`.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// The indexes of both CRLs.
    #[must_use]
    pub fn indexes(&self) -> [PathBuf; 2] {
        [self.path("crl/intermediate.crlx"), self.path("crl/root.crlx")]
    }

    /// Rebuilds both indexes from the CRLs as they are now.
    ///
    /// # Errors
    ///
    /// When `crl-tool build` fails.
    pub fn index(&self) -> Result<(), Failure> {
        for name in ["intermediate", "root"] {
            let (crl, issuer, index) = (
                self.path(&format!("crl/{name}.crl")),
                self.path(&format!("{name}.pem")),
                self.path(&format!("crl/{name}.crlx")),
            );
            crl_tool::build(&crl, &issuer, &index)?.success()?;
        }
        Ok(())
    }

    /// Revokes a client and rebuilds the index, as an operator would.
    ///
    /// # Errors
    ///
    /// When `certs revoke` or `crl-tool build` fails.
    pub fn revoke(&self, client: &str) -> Result<(), Failure> {
        let mut command = binary::command("certs")?;
        command.arg("revoke").arg("--dir").arg(&self.directory).arg(client);
        run("certs revoke", &mut command)?.success()?;
        self.index()
    }

    /// Issues a client certificate of the intermediate with whatever `change` makes of it, as `clients/{client}.pem` and `.key`.
    ///
    /// # Errors
    ///
    /// When the CA's files cannot be read, or the certificate cannot be made.
    pub fn issue(&self, client: &str, change: impl FnOnce(&mut CertificateParams)) -> Result<(), Failure> {
        let mut params = CertificateParams::default();
        // It has a name to begin with.
        params.distinguished_name = DistinguishedName::new();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.intermediate()?)?;
        let chain = leaf.pem() + &self.text("intermediate.pem")?;
        files::write(&self.path(&format!("clients/{client}.pem")), chain)?;
        files::write(&self.path(&format!("clients/{client}.key")), key.serialize_pem())
    }

    fn intermediate(&self) -> Result<Issuer<'static, KeyPair>, Failure> {
        let key = KeyPair::from_pem(&self.text("ca/intermediate.key")?)?;
        Ok(Issuer::from_ca_cert_pem(&self.text("intermediate.pem")?, key)?)
    }

    fn text(&self, file: &str) -> Result<String, Failure> {
        files::read(&self.path(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Replaces the intermediate's CRL by one that is valid between the two times and revokes `entries`
    /// serial numbers that are nobody's, and rebuilds the index.
    ///
    /// # Errors
    ///
    /// When the CA's files cannot be read, or the CRL cannot be made.
    pub fn reissue_crl(
        &self,
        this_update: OffsetDateTime,
        next_update: OffsetDateTime,
        entries: u64,
    ) -> Result<(), Failure> {
        self.reissue(this_update, next_update, entries, &Number::Next, None)
    }

    /// As [`Pki::reissue_crl`], with this number.
    ///
    /// # Errors
    ///
    /// As [`Pki::reissue_crl`].
    pub fn reissue_crl_numbered(&self, number: u64, entries: u64) -> Result<(), Failure> {
        let now = OffsetDateTime::now_utc();
        let (from, until) = (now - Duration::hours(1), now + Duration::hours(1));
        self.reissue(from, until, entries, &Number::This(number), None)
    }

    /// Replaces the intermediate's CRL by an empty one for the certificates that name this distribution point only, and
    /// rebuilds the index.
    ///
    /// # Errors
    ///
    /// As [`Pki::reissue_crl`].
    pub fn reissue_partition(&self, uri: &str) -> Result<(), Failure> {
        let distribution_point = CrlDistributionPoint { uris: vec![uri.to_owned()] };
        let partition = CrlIssuingDistributionPoint { distribution_point, scope: None };
        let now = OffsetDateTime::now_utc();
        self.reissue(now - Duration::hours(1), now + Duration::hours(1), 0, &Number::Next, Some(partition))
    }

    fn reissue(
        &self,
        this_update: OffsetDateTime,
        next_update: OffsetDateTime,
        entries: u64,
        number: &Number,
        issuing_distribution_point: Option<CrlIssuingDistributionPoint>,
    ) -> Result<(), Failure> {
        let issuer = self.intermediate()?;
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(number.value()),
            issuing_distribution_point,
            revoked_certs: (0..entries)
                .map(|serial| RevokedCertParams {
                    serial_number: scattered(serial),
                    revocation_time: this_update,
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        files::write(&self.path("crl/intermediate.crl"), list.signed_by(&issuer)?.der())?;
        self.index()
    }
}

/// The number of a CRL.
enum Number {
    /// Higher than any before, and than any that `certs` gives.
    Next,
    This(u64),
}

impl Number {
    fn value(&self) -> u64 {
        match self {
            Self::Next => u64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap_or(u64::MAX),
            Self::This(number) => *number,
        }
    }
}

/// A serial number of 16 octets, as scattered as those of a real CA.
fn scattered(count: u64) -> SerialNumber {
    let digest = digest::digest(&digest::SHA256, &count.to_le_bytes());
    // RFC 5280 §4.1.2.2: positive, so its first bit is 0; not 0 itself, so that no octet goes.
    let first = digest.as_ref().first().map_or(1, |octet| octet & 0x7f | 0x40);
    SerialNumber::from(
        std::iter::once(first).chain(digest.as_ref().iter().skip(1).take(15).copied()).collect::<Vec<_>>(),
    )
}

//! CAs, their clients and their CRLs, as good or as bad as a test wants them.

use std::path::PathBuf;

use postern_tests::explain::Question;
use postern_tests::process::{Finished, run};
use postern_tests::{Failure, binary, files};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, SigningKey,
};
use tempfile::TempDir;
use time::OffsetDateTime;

/// A directory with everything of a test.
pub(super) struct Forge {
    directory: TempDir,
}

/// Somebody with a key: a CA, or one who signs CRLs.
pub(super) struct Holder {
    pub(super) name: &'static str,
    pub(super) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// What is out of the ordinary in a certificate.
#[derive(Default)]
pub(super) struct Traits {
    pub(super) serial: u64,
    /// The DER of its distribution points.
    pub(super) points: Option<Vec<u8>>,
    pub(super) is_ca: bool,
    pub(super) signs_crls: bool,
    pub(super) not_after: Option<OffsetDateTime>,
}

/// What a CRL lists, and how it is limited.
#[derive(Default)]
pub(super) struct Crl {
    /// Serials, each with the issuer that its entry names.
    pub(super) entries: Vec<(u8, Option<&'static str>)>,
    pub(super) indirect: bool,
    pub(super) without_next_update: bool,
}

pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|octet| *octet == 0).collect();
    let first = length.first().copied().unwrap_or(0);
    let header = match length.as_slice() {
        [] => vec![tag, 0],
        [_] if first < 0x80 => vec![tag, first],
        _ => [&[tag, 0x80 | u8::try_from(length.len()).unwrap_or(0)], length.as_slice()].concat(),
    };
    [header, content].concat()
}

/// The DER `Name` of a common name.
pub(super) fn name(common: &str) -> Vec<u8> {
    let attribute = element(0x30, &[&[0x06, 3, 0x55, 4, 3], &element(0x0c, &[common.as_bytes()])]);
    element(0x30, &[&element(0x31, &[&attribute])])
}

fn extension(number: u8, value: &[u8]) -> Vec<u8> {
    element(0x30, &[&[0x06, 3, 0x55, 0x1d, number], &[1, 1, 0xff], &element(0x04, &[value])])
}

/// Distribution points: CRLs of `issuer`.
pub(super) fn crls_of(issuer: &str) -> Vec<u8> {
    element(0x30, &[&element(0x30, &[&element(0xa2, &[&element(0xa4, &[&name(issuer)])])])])
}

fn params(common: &str, traits: &Traits) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    params.serial_number = Some(SerialNumber::from(traits.serial));
    if traits.is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }
    if traits.signs_crls {
        params.key_usages.push(KeyUsagePurpose::CrlSign);
    }
    params.not_after = traits.not_after.unwrap_or(params.not_after);
    let points = traits.points.iter().cloned();
    params
        .custom_extensions
        .extend(points.map(|points| CustomExtension::from_oid_content(&[2, 5, 29, 31], points)));
    params
}

impl Holder {
    /// A trust anchor.
    pub(super) fn root(name: &'static str) -> Result<Self, Failure> {
        let key = KeyPair::generate()?;
        let params = params(name, &Traits { serial: 1, is_ca: true, signs_crls: true, ..Traits::default() });
        let certificate = params.self_signed(&key)?;
        Ok(Self { name, certificate, issuer: Issuer::new(params, key) })
    }

    /// Somebody whose certificate this one issues.
    pub(super) fn issue(&self, name: &'static str, traits: &Traits) -> Result<Self, Failure> {
        let key = KeyPair::generate()?;
        let params = params(name, traits);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Self { name, certificate, issuer: Issuer::new(params, key) })
    }

    /// A CA below this one.
    pub(super) fn ca(&self, name: &'static str, serial: u64) -> Result<Self, Failure> {
        self.issue(name, &Traits { serial, is_ca: true, signs_crls: true, ..Traits::default() })
    }

    /// A client of this CA.
    pub(super) fn client(&self, serial: u64, points: Option<Vec<u8>>) -> Result<Self, Failure> {
        self.issue("client", &Traits { serial, points, ..Traits::default() })
    }

    /// A CRL by this key, DER.
    pub(super) fn crl(&self, crl: &Crl) -> Result<Vec<u8>, Failure> {
        // ecdsa-with-SHA256
        let algorithm = element(0x30, &[&[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
        let time = |text: &str| element(0x17, &[text.as_bytes()]);
        let entries = crl.entries.iter().map(|(serial, issuer)| {
            let named =
                issuer.map(|issuer| extension(29, &element(0x30, &[&element(0xa4, &[&name(issuer)])])));
            let extensions = named.map(|named| element(0x30, &[&named])).unwrap_or_default();
            element(0x30, &[&element(0x02, &[&[*serial]]), &time("260101000000Z"), &extensions])
        });
        let entries: Vec<u8> = entries.collect::<Vec<_>>().concat();
        let list = if entries.is_empty() { Vec::new() } else { element(0x30, &[&entries]) };
        let scope = extension(28, &element(0x30, &[&[0x84, 1, 0xff]]));
        let scope = if crl.indirect { scope } else { Vec::new() };
        let number = element(0x30, &[&[0x06, 3, 0x55, 0x1d, 20], &element(0x04, &[&[2, 1, 1]])]);
        let next_update = if crl.without_next_update { Vec::new() } else { time("491231000000Z") };
        let signed = element(
            0x30,
            &[
                &[2, 1, 1],
                &algorithm,
                &name(self.name),
                &time("260101000000Z"),
                &next_update,
                &list,
                &element(0xa0, &[&element(0x30, &[&number, &scope])]),
            ],
        );
        let signature = element(0x03, &[&[0], &self.issuer.key().sign(&signed)?]);
        Ok(element(0x30, &[&signed, &algorithm, &signature]))
    }
}

impl Forge {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { directory: files::temporary_directory()? })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// A PEM file of these certificates.
    pub(super) fn pem(&self, file: &str, holders: &[&Holder]) -> Result<PathBuf, Failure> {
        let text: String = holders.iter().map(|holder| holder.certificate.pem()).collect();
        files::write(&self.path(file), text)?;
        Ok(self.path(file))
    }

    /// The index of a CRL by `signer`.
    pub(super) fn index(&self, file: &str, signer: &Holder, crl: &Crl) -> Result<PathBuf, Failure> {
        self.build(file, signer, crl)?.success()?;
        Ok(self.path(&format!("{file}.crlx")))
    }

    fn build(&self, file: &str, signer: &Holder, crl: &Crl) -> Result<Finished, Failure> {
        let (list, out) = (self.path(&format!("{file}.crl")), self.path(&format!("{file}.crlx")));
        files::write(&list, signer.crl(crl)?)?;
        let issuer = self.pem(&format!("{file}.issuer.pem"), &[signer])?;
        let mut command = binary::command("crl-tool")?;
        command.arg("build").arg("--crl").arg(list).arg("--issuer").arg(issuer).arg("--out").arg(out);
        run("crl-tool build", &mut command)
    }

    /// What becomes of a client with this chain.
    pub(super) fn decide(
        &self,
        anchors: &[&Holder],
        chain: &[&Holder],
        indexes: &[&PathBuf],
        signers: &[&PathBuf],
    ) -> Result<String, Failure> {
        Question {
            trust_bundle: &self.pem("anchors.pem", anchors)?,
            chain: &self.pem("chain.pem", chain)?,
            indexes: &indexes.iter().map(|path| (*path).clone()).collect::<Vec<_>>(),
            crl_signers: &signers.iter().map(|path| (*path).clone()).collect::<Vec<_>>(),
            at: None,
        }
        .ask()
    }
}

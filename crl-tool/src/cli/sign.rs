//! `crl-tool sign`

use super::failure::Failure;
use super::file::{Output, is_standard};
use super::inspect;
use super::issuers::Issuers;
use super::signer::{self, SignWith};
use super::style::Style;
use super::transfer::Transfer;
use clap::{ArgGroup, Args};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Sign an index, or sign it with another key
///
/// The index is proved first, as `crl-tool verify` does: who signs vouches for it. A signature that it has already is
/// replaced. The proxy takes signed indexes only where `revocation.require_signature_by` lists public keys.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("proof").args(["issuer", "issuer_acm_pca"]).required(true).multiple(true)),
    group(ArgGroup::new("key").args(["sign_key", "sign_key_kms"]).required(true)),
)]
pub(crate) struct Sign {
    /// The index
    #[arg(value_name = "FILE.crlx")]
    file: PathBuf,

    #[command(flatten)]
    issuers: Issuers,

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    sign: SignWith,

    /// The file to write; by default the index itself, replaced as a whole
    #[arg(long, value_name = "FILE.crlx")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  openssl genpkey -algorithm ED25519 -out index.key && openssl pkey -in index.key -pubout -out index.pub
  crl-tool sign ca.crlx --issuer ca.pem --sign-key index.key
  crl-tool lookup ca.crlx --require-signature-by index.pub --cert client.pem

Exit codes: 0 signed, 2 failed (nothing was replaced).";

impl Sign {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let path = self.out.as_ref().unwrap_or(&self.file);
        if is_standard(&self.file) {
            return Err(Failure::new("`-`: cannot sign a stream", "name the file of the index"));
        }
        let signer = self.sign.signer(&self.transfer)?;
        let issuers = self.issuers.read(&self.transfer)?;
        let mut source = File::open(&self.file).map_err(Failure::io("read", &self.file))?;
        let out = Output::create_index(path, &self.transfer)?;
        io::copy(&mut source, &mut out.file()).map_err(Failure::io("write", path))?;
        // What is proved is the copy, so that nothing else can be signed.
        signer::finish(out.file(), &self.file, None)?.verify_by(&issuers)?;
        let index = signer::finish(out.file(), &self.file, signer.as_deref())?;
        out.publish()?;
        if !is_standard(path) {
            let key = index.signed_by().map(|key| inspect::hexadecimal(&key)).unwrap_or_default();
            let mut json = inspect::object(&index);
            json.insert("file".to_owned(), path.display().to_string().into());
            style.say(format!("{}: signed with the key {key}", path.display()), &json.into())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

//! Where the files of a PKI are, and writing them.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use crate::files::{Access, Overwrite, Staging, private_directory};
use crate::pem::write as write_pem;
use crate::{Authority, Crl, Error, Identity, Pki};

/// A PKI's directory.
pub(crate) struct Layout<'a>(pub(crate) &'a Path);

impl Layout<'_> {
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.pem"))
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key"))
    }

    pub(crate) fn clients(&self) -> PathBuf {
        self.0.join("clients")
    }

    /// The CAs' private keys. A server is given the other files, never these.
    fn ca(&self) -> PathBuf {
        self.0.join("ca")
    }

    pub(crate) fn ca_key(&self, ca: &str) -> PathBuf {
        Layout(&self.ca()).key(ca)
    }

    /// A CA's CRL as DER and as PEM.
    pub(crate) fn crl(&self, ca: &str) -> [PathBuf; 2] {
        let dir = self.0.join("crl");
        [dir.join(format!("{ca}.crl")), dir.join(format!("{ca}.crl.pem"))]
    }

    /// Stages a CA's CRL as DER and as PEM.
    pub(crate) fn stage_crl(
        &self,
        staging: &mut Staging,
        ca: &str,
        crl: &Crl,
        issuer: &Authority,
    ) -> Result<(), Error> {
        let [der, pem] = self.crl(ca);
        let staged = staging.add(&der, Access::Public, |out| crl.write(issuer, out))?;
        staging.add(&pem, Access::Public, |out| {
            let der = File::open(&staged).map_err(Error::io("read", &staged))?;
            Ok(write_pem("X509 CRL", BufReader::new(der), out)?)
        })?;
        Ok(())
    }
}

/// The CAs as their files are called.
pub(crate) const ROOT: &str = "root";
pub(crate) const INTERMEDIATE: &str = "intermediate";
const UPSTREAM_CA: &str = "upstream-ca";

/// Files that were written and belong together: a certificate and its key, or the two forms of a CRL.
#[derive(Debug)]
pub struct Written {
    /// The files.
    pub files: [PathBuf; 2],
    /// What they are, or what they are good for.
    pub what: String,
    /// The last moment they are valid.
    pub until: Option<OffsetDateTime>,
}

enum Content<'a> {
    Ca(&'a Authority),
    Identity(&'a Identity),
    Crl(&'static str, &'a Authority, Crl),
}

impl Pki {
    /// Writes everything into `dir`, which is created if need be, and tells what was written.
    ///
    /// # Errors
    /// [`Error::Exists`] when `overwrite` refuses and any file is in the way: nothing is written then.
    /// [`Error::Io`] when the file system fails; files put in place before that are whole.
    pub fn write(&self, dir: &Path, overwrite: Overwrite) -> Result<Vec<Written>, Error> {
        let layout = Layout(dir);
        let plan = self.plan(&layout);
        let files: Vec<&Path> =
            plan.iter().flat_map(|(written, _)| &written.files).map(PathBuf::as_path).collect();
        let mut staging = Staging::new(overwrite, &files)?;
        private_directory(&layout.ca())?;
        for (Written { files: [first, second], .. }, content) in &plan {
            match content {
                Content::Ca(authority) => {
                    staging.add(first, Access::Public, text(&authority.certificate_pem()))?;
                    staging.add(second, Access::Private, text(&authority.key_pem()))?;
                }
                Content::Identity(identity) => identity.stage(&mut staging, [first, second])?,
                Content::Crl(ca, authority, crl) => layout.stage_crl(&mut staging, ca, crl, authority)?,
            }
        }
        staging.commit()?;
        Ok(plan.into_iter().map(|(written, _)| written).collect())
    }

    fn plan(&self, layout: &Layout<'_>) -> Vec<(Written, Content<'_>)> {
        let authorities = [
            (ROOT, &self.root, "root CA: trust it for the server and the clients"),
            (INTERMEDIATE, &self.intermediate, "intermediate CA: issues server and clients"),
            (UPSTREAM_CA, &self.upstream_ca, "upstream CA: trust it for the private API"),
        ]
        .map(|(name, authority, what)| {
            let files = [layout.certificate(name), layout.ca_key(name)];
            let until = Some(authority.valid_until());
            (Written { files, what: what.to_owned(), until }, Content::Ca(authority))
        });

        let clients = layout.clients();
        let identities = [
            (layout.0, &self.server, "server, with the intermediate"),
            (layout.0, &self.upstream, "private API, directly below its CA"),
        ]
        .into_iter()
        .chain(self.clients.iter().map(|client| (clients.as_path(), &client.identity, client.outcome)))
        .map(|(dir, identity, what)| {
            let until = Some(identity.validity().until);
            let files = identity.files(dir);
            (Written { files, what: what.to_owned(), until }, Content::Identity(identity))
        });

        let crls = [
            (INTERMEDIATE, &self.intermediate, self.intermediate_crl()),
            (ROOT, &self.root, self.root_crl()),
        ]
        .map(|(name, issuer, crl)| {
            let what = format!("CRL {} of the {name} CA", crl.number);
            let files = layout.crl(name);
            (Written { files, what, until: crl.next_update }, Content::Crl(name, issuer, crl))
        });

        authorities.into_iter().chain(identities).chain(crls).collect()
    }
}

impl Identity {
    /// Writes `NAME.pem` and `NAME.key` into `dir`. In a PKI's `clients` directory, [`crate::revoke`] finds it.
    ///
    /// # Errors
    /// As [`Pki::write`].
    pub fn write(&self, dir: &Path, overwrite: Overwrite) -> Result<(), Error> {
        let files = self.files(dir);
        let mut staging = Staging::new(overwrite, &files.each_ref().map(PathBuf::as_path))?;
        self.stage(&mut staging, files.each_ref())?;
        staging.commit()
    }

    fn files(&self, dir: &Path) -> [PathBuf; 2] {
        let layout = Layout(dir);
        [layout.certificate(self.name()), layout.key(self.name())]
    }

    fn stage(&self, staging: &mut Staging, [certificate, key]: [&PathBuf; 2]) -> Result<(), Error> {
        staging.add(certificate, Access::Public, text(&self.chain_pem()))?;
        staging.add(key, Access::Private, text(&self.key_pem()))?;
        Ok(())
    }
}

fn text(content: &str) -> impl FnOnce(&mut dyn Write) -> Result<(), Error> {
    move |out| Ok(out.write_all(content.as_bytes())?)
}

//! Revoking a certificate of a PKI in a directory: its CA's CRL is issued anew.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use crate::files::{Overwrite, Staging};
use crate::layout::{INTERMEDIATE, Layout, ROOT};
use crate::published::PublishedCrl;
use crate::{Authority, Crl, Error, Reason, Revoked, pem};

/// What became of a request to revoke.
#[derive(Debug)]
pub enum Outcome {
    /// The CRL was issued anew and lists the certificate.
    Revoked {
        /// The certificate's serial number.
        serial: Vec<u8>,
        /// The new CRL's number.
        number: u128,
        /// When the next CRL is due.
        next_update: Option<OffsetDateTime>,
        /// The CRL's files, DER and PEM.
        files: [PathBuf; 2],
    },
    /// The certificate was on the CRL already. Nothing was changed.
    AlreadyRevoked {
        /// The certificate's serial number.
        serial: Vec<u8>,
        /// When it was revoked.
        date: OffsetDateTime,
        /// Why.
        reason: Reason,
        /// The CRL's number.
        number: u128,
    },
}

/// Puts the certificate `name` of the PKI in `dir` on its CA's CRL. Names are those of the files in `clients`, and
/// `server` and `intermediate`. All earlier entries stay, and the CRL number grows by one.
///
/// # Errors
/// [`Error::UnknownName`] with the names there are; [`Error::OtherIssuer`] for a certificate that this PKI's CA did
/// not issue. After any error the CRL is as it was.
pub fn revoke(dir: &Path, name: &str, reason: Reason, now: OffsetDateTime) -> Result<Outcome, Error> {
    let layout = Layout(dir);
    let (certificate, ca) = find(&layout, name)?;
    let key = layout.ca_key(ca);

    // Two at a time would both continue the same CRL, and one entry would be lost. Held until the file is closed.
    let lock = File::open(&key).map_err(Error::io("read", &key))?;
    lock.lock().map_err(Error::io("lock", &key))?;

    let issuer = Authority::from_pem(&read(&layout.certificate(ca))?, &read(&key)?)?;
    let serial = serial(&certificate, name, &issuer)?;
    let files = layout.crl(ca);
    let published = PublishedCrl::open(&files[0], &issuer)?;
    if let Some((date, reason)) = published.find(&serial)? {
        return Ok(Outcome::AlreadyRevoked { serial, date, reason, number: published.number() });
    }

    let number = published.number().saturating_add(1);
    // A verifier takes an older thisUpdate for a replay, whatever the clock here says by now.
    let this_update = now.max(published.this_update());
    let crl = Crl::new(number, this_update).with(published).with(Revoked {
        serial: serial.clone(),
        date: now,
        reason,
    });
    let mut staging = Staging::new(Overwrite::Replace, &[])?;
    layout.stage_crl(&mut staging, ca, &crl, &issuer)?;
    staging.commit()?;
    Ok(Outcome::Revoked { serial, number, next_update: crl.next_update, files })
}

/// The certificate of that name and the CA that issued it.
fn find(layout: &Layout<'_>, name: &str) -> Result<(PathBuf, &'static str), Error> {
    match name {
        "server" => return Ok((layout.certificate(name), INTERMEDIATE)),
        INTERMEDIATE => return Ok((layout.certificate(name), ROOT)),
        _ => {}
    }
    let clients = layout.clients();
    let mut known = Vec::new();
    for entry in fs::read_dir(&clients).map_err(Error::io("read", &clients))? {
        let path = entry.map_err(Error::io("read", &clients))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            known.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
    }
    // Only a name from the listing becomes a path: "../x" is merely unknown.
    if known.iter().any(|known| known == name) {
        return Ok((Layout(&clients).certificate(name), INTERMEDIATE));
    }
    known.sort();
    known.extend(["server", INTERMEDIATE].map(str::to_owned));
    Err(Error::UnknownName { name: name.to_owned(), known })
}

/// The serial number of the certificate in that file, if `issuer` issued it.
fn serial(path: &Path, name: &str, issuer: &Authority) -> Result<Vec<u8>, Error> {
    let not_pem = || Error::NotPem { path: path.to_owned(), expected: "certificate" };
    let der = pem::first_certificate(&read(path)?).ok_or_else(not_pem)?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_opaque| not_pem())?;
    // The name alone does not tell: `stranger` has an issuer of the same name.
    let issued_here = certificate.iter_extensions().any(|extension| {
        let ParsedExtension::AuthorityKeyIdentifier(id) = extension.parsed_extension() else { return false };
        id.key_identifier.as_ref().is_some_and(|id| id.0 == issuer.key_id())
    });
    if !issued_here {
        return Err(Error::OtherIssuer { name: name.to_owned(), issuer: issuer.name().to_owned() });
    }
    Ok(certificate.raw_serial().to_vec())
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}

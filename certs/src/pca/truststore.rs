//! The certificates of CAs, one after the other, as proxies read them.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use x509_parser::pem::Pem;

use super::{PrivateCa, present, refused};
use crate::files::{Access, Overwrite, Staging};
use crate::{Error, pem};

impl PrivateCa {
    /// Writes the certificates of `cas` and of those above them, each once, to a file or to `s3://BUCKET/KEY`. What is
    /// there is replaced as a whole.
    ///
    /// # Errors
    /// AWS's, and those of the file.
    pub fn truststore(&self, cas: &[String], out: &str) -> Result<(), Error> {
        let mut bundle: Vec<Vec<u8>> = Vec::new();
        for ca in cas {
            let get = self.client.get_certificate_authority_certificate().certificate_authority_arn(ca);
            let answer = self.call(get.send())?;
            let certificate = present(answer.certificate, "a certificate")?;
            let all = format!("{certificate}\n{}", answer.certificate_chain.unwrap_or_default());
            for block in Pem::iter_from_buffer(all.as_bytes()).map_while(Result::ok) {
                if !bundle.contains(&block.contents) {
                    bundle.push(block.contents);
                }
            }
        }
        let shown = format!("{} certificates of {} CAs to {out}", bundle.len(), cas.len());
        if !self.step(&if self.dry_run { format!("write {shown}") } else { format!("writing {shown}") }) {
            return Ok(());
        }
        let text = pem::certificates(&bundle);
        let Some(address) = out.strip_prefix("s3://") else {
            let path = Path::new(out);
            let mut staging = Staging::new(Overwrite::Replace, &[path])?;
            staging.add(path, Access::Public, |file| Ok(file.write_all(text.as_bytes())?))?;
            return staging.commit();
        };
        let (bucket, key) = address
            .split_once('/')
            .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
            .ok_or_else(|| Error::Aws(format!("{out} is not s3://BUCKET/KEY")))?;
        let s3 = aws_sdk_s3::Client::new(&self.config);
        let put = s3.put_object().bucket(bucket).key(key).content_type("application/x-pem-file");
        let put = self.runtime.block_on(put.body(ByteStream::from(text.into_bytes())).send());
        put.map(|_| ()).map_err(|error| refused(&error))
    }
}

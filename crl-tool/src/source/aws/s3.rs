//! Objects of Amazon S3, and of servers that speak its protocol.

use super::super::Terms;
use super::super::counted::Counted;
use super::super::fault::DownloadFault;
use super::{Session, chain, fault};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use std::io::{self, Read};

/// Asks for an object; it is read as it comes.
pub(in super::super) fn open(
    bucket: &str,
    key: &str,
    terms: &Terms,
) -> Result<impl Read + use<>, DownloadFault> {
    let session = Session::start(terms, None)?;
    let client = client(&session, terms);
    let object =
        session.wait(client.get_object().bucket(bucket).key(key).send())?.map_err(|error| fault(&error))?;
    let announced = object.content_length.and_then(|length| u64::try_from(length).ok());
    let body = Body { session, stream: object.body, chunk: Vec::new().into() };
    Counted::new(body, announced, terms.max_bytes)
}

fn client(session: &Session, terms: &Terms) -> Client {
    let config = aws_sdk_s3::config::Builder::from(&session.config).force_path_style(terms.s3_path_style);
    Client::from_conf(config.build())
}

/// An object on its way: at most one chunk of it is here.
struct Body {
    session: Session,
    stream: ByteStream,
    chunk: Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.session.wait(self.stream.next())? {
                Some(chunk) => self.chunk = chunk.map_err(|error| DownloadFault::Broken(chain(&error)))?,
                None => return Ok(0),
            }
        }
        let count = self.chunk.len().min(buffer.len());
        let part = self.chunk.split_to(count);
        buffer.get_mut(..count).unwrap_or_default().copy_from_slice(&part);
        Ok(count)
    }
}

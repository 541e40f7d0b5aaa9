//! Objects of Amazon S3, and of servers that speak its protocol.

use super::super::counted::Counted;
use super::super::fault::DownloadFault;
use super::super::{Download, Terms};
use super::{Session, chain, fault};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;

/// S3's name for an object that is not there.
pub(super) const ABSENT: &str = "NoSuchKey";

/// What a HEAD request, whose answer has no body, is told of an object that is not there.
const ABSENT_HEAD: &str = "NotFound";
/// The HTTP status for what is still as it was.
const NOT_MODIFIED: u16 = 304;

/// Asks for an object; it is read as it comes.
pub(in super::super) fn open(bucket: &str, key: &str, terms: &Terms) -> Result<Download, DownloadFault> {
    let object = Bucket::of(bucket, terms)?.get(key)?;
    Ok(Download { body: Box::new(object.body), etag: Some(object.etag), modified: object.modified })
}

/// A bucket, for a few calls.
pub(super) struct Bucket<'a> {
    name: &'a str,
    client: Client,
    session: Arc<Session>,
    max_bytes: u64,
}

/// An object on its way.
pub(super) struct Object {
    /// S3's name for this content at this key.
    pub(super) etag: String,
    /// S3's name for it among all that were ever at this key, if the bucket keeps them.
    pub(super) version: Option<String>,
    pub(super) modified: Option<OffsetDateTime>,
    pub(super) body: Counted<Body>,
}

/// What is known of an object without its content.
pub(super) struct Head {
    pub(super) etag: String,
    pub(super) metadata: HashMap<String, String>,
}

/// A client for the S3 of a session.
pub(super) fn client(session: &Session, terms: &Terms) -> Client {
    let config = aws_sdk_s3::config::Builder::from(&session.config);
    Client::from_conf(config.force_path_style(terms.s3_path_style).build())
}

impl<'a> Bucket<'a> {
    pub(super) fn of(name: &'a str, terms: &Terms) -> Result<Bucket<'a>, DownloadFault> {
        let session = Session::start(terms, None)?;
        Ok(Bucket::on(name, client(&session, terms), session, terms))
    }

    /// With a client that there is already.
    pub(super) fn on(name: &'a str, client: Client, session: Session, terms: &Terms) -> Bucket<'a> {
        Bucket { name, client, session: Arc::new(session), max_bytes: terms.max_bytes }
    }

    /// Asks for an object.
    pub(super) fn get(&self, key: &str) -> Result<Object, DownloadFault> {
        let object = self.get_unless(key, None)?;
        object.ok_or_else(|| DownloadFault::AwsCall("nothing has changed, and nobody asked".to_owned()))
    }

    /// Asks for an object, which is not sent if its ETag is `known`.
    pub(super) fn get_unless(&self, key: &str, known: Option<&str>) -> Result<Option<Object>, DownloadFault> {
        let call = self.client.get_object().bucket(self.name).key(key);
        let object = self.session.wait(call.set_if_none_match(known.map(str::to_owned)).send())?;
        let object = match object {
            Err(error) if error.raw_response().is_some_and(|it| it.status().as_u16() == NOT_MODIFIED) => {
                return Ok(None);
            }
            object => object.map_err(|error| fault(&error))?,
        };
        let announced = object.content_length.and_then(|length| u64::try_from(length).ok());
        let body = Body { session: self.session.clone(), stream: object.body, chunk: Bytes::new() };
        let body = Counted::new(body, announced, self.max_bytes)?;
        let modified = object.last_modified.map(|at| OffsetDateTime::from_unix_timestamp(at.secs()));
        let modified = modified.and_then(Result::ok);
        let (etag, version) = (object.e_tag.unwrap_or_default(), object.version_id);
        Ok(Some(Object { etag, version, modified, body }))
    }

    /// Asks what an object is; `None`: there is none.
    pub(super) fn head(&self, key: &str) -> Result<Option<Head>, DownloadFault> {
        let call = self.client.head_object().bucket(self.name).key(key).send();
        match self.session.wait(call)?.map_err(|error| fault(&error)) {
            Ok(object) => Ok(Some(Head {
                etag: object.e_tag.unwrap_or_default(),
                metadata: object.metadata.unwrap_or_default(),
            })),
            Err(DownloadFault::Aws { code, .. }) if code == ABSENT_HEAD => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The keys that start with `prefix`, at most `most` of them.
    pub(super) fn list(&self, prefix: &str, most: usize) -> Result<Vec<String>, DownloadFault> {
        let call = self.client.list_objects_v2().bucket(self.name).prefix(prefix);
        let mut pages = call.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = self.session.wait(pages.next())? {
            let page = page.map_err(|error| fault(&error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            if keys.len() > most {
                return Err(DownloadFault::TooMany { limit: most });
            }
        }
        Ok(keys)
    }

    /// Puts a file in the place of the object with this ETag, or of none.
    pub(super) fn replace(
        &self,
        key: &str,
        etag: Option<&str>,
        file: &Path,
        metadata: &HashMap<String, String>,
    ) -> Result<(), DownloadFault> {
        let content = self.session.wait(ByteStream::from_path(file))?;
        let content = content.map_err(|error| DownloadFault::Broken(chain(&error)))?;
        let put = self.client.put_object().bucket(self.name).key(key).body(content);
        let put = put.set_metadata(Some(metadata.clone()));
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        self.session.wait(put.send())?.map_err(|error| fault(&error)).map(|_| ())
    }
}

/// The content of an object: at most one chunk of it is here.
pub(super) struct Body {
    session: Arc<Session>,
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

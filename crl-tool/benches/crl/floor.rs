//! What nothing that verifies a CRL can go below: reading it, hashing it, and walking its entries.

use anyhow::{Result, bail};
use aws_lc_rs::digest::{Context, SHA256};
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;

/// Bytes read at once. Larger or smaller ones are slower.
const CHUNK: usize = 256 * 1024;
/// The most bytes of an entry in the CRLs made here.
const ENTRY: usize = 128;

/// Some processors copy slowly from the start of a page to just behind the start of another one, where allocators put
/// large buffers.
const ASIDE: usize = 64;

/// Reads and hashes.
pub(crate) fn sha256(crl: &Path) -> Result<()> {
    let mut file = File::open(crl)?;
    let mut buffer = vec![0; ASIDE + CHUNK];
    let buffer = buffer.get_mut(ASIDE..).unwrap_or_default();
    let mut digest = Context::new(&SHA256);
    loop {
        let count = file.read(buffer)?;
        if count == 0 {
            black_box(digest.finish());
            return Ok(());
        }
        digest.update(buffer.get(..count).unwrap_or_default());
    }
}

/// Reads, hashes, and walks the entries: tags, minimal lengths, nothing outside of its container, minimal serials,
/// dates made of digits, well-formed extensions. It collects nothing but the number of entries.
pub(crate) fn fused(crl: &Path) -> Result<()> {
    let mut file = File::open(crl)?;
    let mut buffer = vec![0; CHUNK];
    let mut digest = Context::new(&SHA256);
    let (mut kept, mut left, mut entries) = (0, None, 0_u64);
    loop {
        let count = file.read(buffer.get_mut(kept..).unwrap_or_default())?;
        let unread = buffer.get(..kept + count).unwrap_or_default();
        digest.update(unread.get(kept..).unwrap_or_default());
        let mut rest = unread;
        if left.is_none() {
            let (start, length) = list(unread)?;
            (rest, left) = (unread.get(start..).unwrap_or_default(), Some(length));
        }
        let Some(left) = &mut left else { bail!("no list") };
        while *left > 0 && (rest.len() >= ENTRY || rest.len() >= *left) {
            let before = rest.len();
            let Some(after) = entry(rest) else { bail!("entry {entries} is malformed") };
            rest = after;
            *left = left.checked_sub(before - rest.len()).unwrap_or_default();
            entries += 1;
        }
        if count == 0 {
            black_box((digest.finish(), entries));
            return if *left == 0 { Ok(()) } else { bail!("truncated") };
        }
        // What follows the list is hashed only.
        let start = if *left == 0 { unread.len() } else { unread.len() - rest.len() };
        let end = unread.len();
        buffer.copy_within(start..end, 0);
        kept = end - start;
    }
}

/// Where the list of entries starts, and its length. Version, algorithm, name and two dates precede it.
fn list(bytes: &[u8]) -> Result<(usize, usize)> {
    let found = || {
        let (_, outer, _) = header(bytes)?;
        let (_, mut fields, _) = header(outer)?;
        for _ in 0..5 {
            let (_, content, length) = header(fields)?;
            fields = content.get(length..)?;
        }
        let (_, content, length) = header(fields)?;
        Some((bytes.len() - content.len(), length))
    };
    match found() {
        Some(found) => Ok(found),
        None => bail!("no list of entries"),
    }
}

/// The tag, what follows the header, and the length it states.
#[inline]
fn header(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    match *bytes {
        [tag, length @ 0..=0x7f, ref rest @ ..] => Some((tag, rest, usize::from(length))),
        [tag, 0x81, a @ 0x80..=0xff, ref rest @ ..] => Some((tag, rest, usize::from(a))),
        [tag, 0x82, a @ 1..=0xff, b, ref rest @ ..] => {
            Some((tag, rest, usize::from(u16::from_be_bytes([a, b]))))
        }
        [tag, 0x83, a @ 1..=0xff, b, c, ref rest @ ..] => {
            Some((tag, rest, usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?))
        }
        [tag, 0x84, a @ 1..=0xff, b, c, d, ref rest @ ..] => {
            Some((tag, rest, usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?))
        }
        _ => None,
    }
}

/// The content of the element at the start, which has the tag `wanted`, and what follows it.
#[inline]
fn element(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, rest, length) = header(bytes)?;
    if tag == wanted { rest.split_at_checked(length) } else { None }
}

/// Walks the entry at the start and returns what follows it.
#[inline]
fn entry(bytes: &[u8]) -> Option<&[u8]> {
    let (fields, after) = element(bytes, 0x30)?;
    let (serial, fields) = element(fields, 0x02)?;
    let minimal = match *serial {
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => false,
        [_, ..] => serial.len() <= 32,
    };
    let (date, fields) = element(fields, 0x17)?;
    let digits = date.strip_suffix(b"Z")?;
    let sound =
        minimal && digits.len() == 12 && digits.iter().fold(true, |all, it| all & it.is_ascii_digit());
    if !sound {
        return None;
    }
    if !fields.is_empty() {
        let (mut list, end) = element(fields, 0x30)?;
        while !list.is_empty() {
            let (extension, next) = element(list, 0x30)?;
            let (_, extension) = element(extension, 0x06)?;
            let (_, rest) = element(extension, 0x04)?;
            if !rest.is_empty() {
                return None;
            }
            list = next;
        }
        if !end.is_empty() {
            return None;
        }
    }
    Some(after)
}

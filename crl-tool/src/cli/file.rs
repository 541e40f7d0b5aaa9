//! File arguments, any of which may be `-`, or an address where a file is read.

use super::failure::Failure;
use super::transfer::{self, Transfer};
use crl_tool::{Draft, Index, Input, PublicKey};
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The most bytes of a file with certificates or keys.
pub(crate) const SMALL_LIMIT: u64 = 16 << 20;

/// Whether `path` stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// A CRL or an index: whichever a file turns out to be.
pub(crate) enum Either {
    Crl(Input),
    Index(Box<Index>),
}

impl Either {
    /// Opens a file and looks what it is. If there are `keys`, it must be an index that one of them signed.
    pub(crate) fn open(path: &Path, transfer: &Transfer, keys: &[PublicKey]) -> Result<Either, Failure> {
        if let Some((name, mut stream)) = stream(path, transfer.index(path)?) {
            let mut first = Vec::new();
            (&mut stream).take(8).read_to_end(&mut first).map_err(Failure::io("read", path))?;
            let whole = io::Cursor::new(first.clone()).chain(stream);
            return if Index::is_index(&first) || !keys.is_empty() {
                index_of_stream(path, whole, keys).map(|index| Either::Index(Box::new(index)))
            } else {
                Ok(Either::Crl(Input::from_reader(&name, whole)))
            };
        }
        let mut first = Vec::new();
        let file = File::open(path).map_err(Failure::io("read", path))?;
        file.take(8).read_to_end(&mut first).map_err(Failure::io("read", path))?;
        if Index::is_index(&first) || !keys.is_empty() {
            Ok(Either::Index(Box::new(index(path, transfer, keys)?)))
        } else {
            Ok(Either::Crl(Input::open(path)?))
        }
    }
}

/// What is read from its beginning to its end, with its name: standard input, or a download. `None`: a file.
fn stream(path: &Path, download: Option<Box<dyn Read>>) -> Option<(String, Box<dyn Read>)> {
    if is_standard(path) {
        return Some(("standard input".to_owned(), Box::new(io::stdin())));
    }
    download.map(|download| (transfer::name(path), download))
}

/// Opens an index, or says that a file is none. If there are `keys`, one of them must have signed all of it.
pub(crate) fn index(path: &Path, transfer: &Transfer, keys: &[PublicKey]) -> Result<Index, Failure> {
    match stream(path, transfer.index(path)?) {
        Some((_, stream)) => index_of_stream(path, stream, keys),
        None => index_in(File::open(path).map_err(Failure::io("read", path))?, path, keys),
    }
}

fn index_in(file: File, path: &Path, keys: &[PublicKey]) -> Result<Index, Failure> {
    if keys.is_empty() {
        return Ok(Index::from_file(file, path)?);
    }
    let index = Index::from_signed_file(file, path, keys)?;
    index.check_crl()?;
    Ok(index)
}

/// An index is read at many places, so that one from a stream goes to a temporary file first.
fn index_of_stream(path: &Path, mut stream: impl Read, keys: &[PublicKey]) -> Result<Index, Failure> {
    let name = if is_standard(path) { "standard input".to_owned() } else { transfer::name(path) };
    let name = Path::new(&name);
    let mut file = tempfile::tempfile().map_err(Failure::io("copy to a temporary file", name))?;
    io::copy(&mut stream, &mut file).map_err(Failure::io("copy to a temporary file", name))?;
    index_in(file, name, keys)
}

/// Opens the CRL that a command reads.
pub(crate) fn crl(path: &Path, transfer: &Transfer) -> Result<Input, Failure> {
    match stream(path, transfer.crl(path)?) {
        Some((name, stream)) => Ok(Input::from_reader(&name, stream)),
        None => Ok(Input::open(path)?),
    }
}

/// The lines of a text file.
pub(crate) fn lines(path: &Path) -> Result<impl Iterator<Item = io::Result<String>> + use<>, Failure> {
    let source: Box<dyn Read> = if is_standard(path) {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(Failure::io("read", path))?)
    };
    Ok(io::BufReader::new(source).lines())
}

/// Reads a file with certificates or public keys as a whole.
pub(crate) fn whole(path: &Path, transfer: &Transfer) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let read = match stream(path, transfer.authentic(path, SMALL_LIMIT)?) {
        Some((_, stream)) => stream.take(SMALL_LIMIT + 1).read_to_end(&mut content),
        None => File::open(path).and_then(|file| file.take(SMALL_LIMIT + 1).read_to_end(&mut content)),
    };
    match read.map(u64::try_from).map_err(Failure::io("read", path))? {
        Ok(length) if length <= SMALL_LIMIT => Ok(content),
        _ => Err(Failure::new(
            format!("{}: over 16 MiB", transfer::name(path)),
            "pass a file with the certificates or the keys only",
        )),
    }
}

/// A file to be written: in its place when finished, or copied to where no file can be put in place.
pub(crate) enum Output {
    File(PathBuf, Draft),
    Copied(PathBuf, File, Box<dyn Write>),
    /// An index for an address, and how it gets there.
    Sent(PathBuf, File, Transfer),
}

impl Output {
    /// As [`Output::create`], for an index, which can also go to an address.
    pub(crate) fn create_index(path: &Path, transfer: &Transfer) -> Result<Output, Failure> {
        if is_standard(path) || !transfer::is_address(path) {
            return Output::create(path);
        }
        let file = tempfile::tempfile().map_err(Failure::io("make a temporary file for", path))?;
        Ok(Output::Sent(path.to_owned(), file, *transfer))
    }

    pub(crate) fn create(path: &Path) -> Result<Output, Failure> {
        if transfer::is_address(path) {
            let message = format!("{}: only indexes are written to addresses", transfer::name(path));
            return Err(Failure::new(message, "write to a file, and copy that with the `aws` command"));
        }
        if is_standard(path) {
            return copied(path, Box::new(io::stdout()));
        }
        if path.is_dir() {
            let message = format!("{}: a directory", path.display());
            return Err(Failure::new(message, "pass the name of the file to write"));
        }
        // A link stays one: the file that it leads to is replaced.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if target.exists() && !target.is_file() {
            // A device or a pipe: putting a file in its place would destroy it (/dev/null, for a start).
            let device = File::options().write(true).open(&target).map_err(Failure::io("write", path))?;
            return copied(path, Box::new(device));
        }
        let draft = Draft::new(&target).map_err(Failure::io("write", path))?;
        Ok(Output::File(path.to_owned(), draft))
    }

    pub(crate) fn file(&self) -> &File {
        match self {
            Output::File(_, draft) => draft.file(),
            Output::Copied(_, file, _) => file,
            Output::Sent(_, file, _) => file,
        }
    }

    pub(crate) fn publish(self) -> Result<(), Failure> {
        match self {
            Output::File(path, draft) => draft.publish().map_err(Failure::io("write", &path)),
            Output::Copied(path, mut file, mut out) => {
                let copied = file.seek(SeekFrom::Start(0)).and_then(|_| io::copy(&mut file, &mut out));
                let copied = copied.and_then(|_bytes| out.flush());
                let shown = if is_standard(&path) { Path::new("standard output") } else { &path };
                copied.map_err(Failure::io("write", shown))
            }
            Output::Sent(path, file, transfer) => {
                // A file without a name, so that nothing is left of it, has one here, by which it can be read again.
                let file = format!("/proc/self/fd/{}", file.as_raw_fd());
                transfer.publish(&path, Path::new(&file))
            }
        }
    }
}

fn copied(path: &Path, out: Box<dyn Write>) -> Result<Output, Failure> {
    let file = tempfile::tempfile().map_err(Failure::io("make a temporary file for", path))?;
    Ok(Output::Copied(path.to_owned(), file, out))
}

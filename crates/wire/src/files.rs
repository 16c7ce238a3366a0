//! Event files: NDJSON, plain, gzip or zstd, read line by line with bounded memory.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

use crate::{
    MAX_EVENT_BYTES,
    rejection::{Reason, Rejection},
};

const BUFFER: usize = 128 * 1024;

/// Why a file cannot be read (further).
#[derive(Debug, Error)]
pub enum FileError {
    /// The file cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The compressed data ends before its end: the file was cut off.
    #[error("{path} is cut off after line {line}: its compressed data has no end")]
    Truncated {
        /// Which file.
        path: PathBuf,
        /// Last whole line.
        line: u64,
    },
    /// The file cannot be read further, or its compressed data is damaged.
    #[error("cannot read {path} after line {line}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Last whole line.
        line: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// How far a file has been read, in bytes as they lie on the disk (compressed where the file is).
#[derive(Debug, Clone)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: u64,
}

impl Progress {
    /// Bytes read so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of the file when it was opened; 0 where that is not known (a pipe).
    pub fn total(&self) -> u64 {
        self.total
    }
}

struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.read.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens an event file. What it is packed with is told by its first bytes, not by its name.
pub fn open(path: &Path) -> Result<Lines, FileError> {
    let failed = |source| FileError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if about.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let total = if about.is_file() { about.len() } else { 0 };
    over(Box::new(file), total, path)
}

/// Reads events from anything, such as the standard input; `name` stands in errors.
pub fn over(from: Box<dyn Read + Send>, total: u64, name: &Path) -> Result<Lines, FileError> {
    let failed = |source| FileError::Open { path: name.to_owned(), source };
    let read = Arc::new(AtomicU64::new(0));
    let progress = Progress { read: Arc::clone(&read), total };
    let mut raw = BufReader::with_capacity(BUFFER, Counted { inner: from, read });
    let first = raw.fill_buf().map_err(failed)?;
    let from: Box<dyn BufRead + Send> = if first.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(raw)))
    } else if first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(failed)?;
        Box::new(BufReader::with_capacity(BUFFER, decoder))
    } else {
        Box::new(raw)
    };
    Ok(Lines { from, name: name.to_owned(), progress, number: 0, line: Vec::new() })
}

/// The lines of an event file. Empty ones are passed over; CRLF and a byte order mark are fine.
pub struct Lines {
    from: Box<dyn BufRead + Send>,
    name: PathBuf,
    progress: Progress,
    number: u64,
    line: Vec<u8>,
}

/// One line.
#[derive(Debug)]
pub struct Line<'a> {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its bytes without the line end, or why they were skipped ([`Reason::TooLarge`]).
    pub content: Result<&'a [u8], Rejection>,
}

impl Lines {
    /// A handle that tells how far this has been read, also from another thread.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// The next line that is not empty; `None` at the end. After an error nothing more can be
    /// read. At most [`MAX_EVENT_BYTES`] of a line are ever held.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, FileError> {
        loop {
            let Some(length) = self.read_line().map_err(|error| self.failed(error))? else {
                return Ok(None);
            };
            self.number += 1;
            if length > self.line.len() {
                let sentence =
                    format!("has {length} bytes, more than the {MAX_EVENT_BYTES} allowed");
                let content = Err(Rejection::new(Reason::TooLarge, "", sentence));
                return Ok(Some(Line { number: self.number, content }));
            }
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                let content = Ok(self.line.trim_ascii());
                return Ok(Some(Line { number: self.number, content }));
            }
        }
    }

    /// Reads to the next line end; the length of the line, of which `self.line` holds all, or
    /// less where it is too long.
    fn read_line(&mut self) -> io::Result<Option<usize>> {
        self.line.clear();
        let (mut length, mut any) = (0usize, false);
        loop {
            let bytes = match self.from.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                return Ok(any.then_some(length));
            }
            any = true;
            let end = bytes.iter().position(|b| *b == b'\n');
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            length = length.saturating_add(part.len());
            if length <= MAX_EVENT_BYTES {
                self.line.extend_from_slice(part);
            } else {
                self.line.clear();
            }
            let used = part.len() + usize::from(end.is_some());
            self.from.consume(used);
            if end.is_some() {
                return Ok(Some(length));
            }
        }
    }

    fn failed(&self, source: io::Error) -> FileError {
        let (path, line) = (self.name.clone(), self.number);
        if source.kind() == io::ErrorKind::UnexpectedEof {
            FileError::Truncated { path, line }
        } else {
            FileError::Read { path, line, source }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Cursor, Write};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn lines_of(bytes: Vec<u8>) -> Lines {
        let total = bytes.len() as u64;
        over(Box::new(Cursor::new(bytes)), total, Path::new("events")).unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    /// All lines as `number:text`, with `!reason` where one was skipped.
    fn told(mut lines: Lines) -> Result<Vec<String>, FileError> {
        let mut told = Vec::new();
        while let Some(line) = lines.next_line()? {
            told.push(match line.content {
                Ok(text) => format!("{}:{}", line.number, String::from_utf8_lossy(text)),
                Err(rejection) => format!("{}!{}", line.number, rejection.reason.name()),
            });
        }
        Ok(told)
    }

    #[test]
    fn plain_gzip_and_zstd_files_give_the_same_lines() {
        let text = b"\xef\xbb\xbf{\"a\":1}\r\n\r\n  \n{\"b\":2}";
        let expected = ["1:{\"a\":1}", "4:{\"b\":2}"];
        assert_eq!(told(lines_of(text.to_vec())).unwrap(), expected);
        assert_eq!(told(lines_of(gzip(text))).unwrap(), expected);
        let zstd = zstd::encode_all(text.as_slice(), 1).unwrap();
        assert_eq!(told(lines_of(zstd)).unwrap(), expected);
    }

    #[test]
    fn gzip_files_that_were_joined_are_read_to_the_end() {
        let joined = [gzip(b"1\n"), gzip(b"2\n")].concat();
        assert_eq!(told(lines_of(joined)).unwrap(), ["1:1", "2:2"]);
    }

    #[test]
    fn a_file_that_was_cut_off_says_after_which_line() {
        let text: String = (0..5_000).map(|n| format!("{{\"n\":{}}}\n", n * 7_919)).collect();
        for packed in [gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).unwrap()] {
            let cut = packed[..packed.len() - 5].to_vec();
            let error = told(lines_of(cut)).unwrap_err();
            assert!(matches!(error, FileError::Truncated { .. }), "{error}");
        }
    }

    #[test]
    fn damaged_compressed_data_is_an_error_not_an_end() {
        let mut packed = gzip(&b"{\"a\":1}\n".repeat(1_000));
        let last = packed.len() - 6;
        packed[last] ^= 0xff;
        assert!(matches!(told(lines_of(packed)), Err(FileError::Read { .. })));
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_without_being_held() {
        let mut text = vec![b'x'; 10 * MAX_EVENT_BYTES];
        text.extend_from_slice(b"\n{}\n");
        let mut lines = lines_of(gzip(&text));
        let first = lines.next_line().unwrap().unwrap();
        assert_eq!(first.content.unwrap_err().reason, Reason::TooLarge);
        assert!(lines.line.capacity() <= 2 * MAX_EVENT_BYTES);
        assert_eq!(lines.next_line().unwrap().unwrap().content.unwrap(), b"{}");
        assert!(lines.next_line().unwrap().is_none());
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_taken() {
        let mut text = vec![b'x'; MAX_EVENT_BYTES];
        text.push(b'\n');
        assert_eq!(
            lines_of(text).next_line().unwrap().unwrap().content.unwrap().len(),
            MAX_EVENT_BYTES
        );
    }

    #[test]
    fn progress_counts_bytes_as_they_lie_on_the_disk() {
        let packed = gzip(&b"{}\n".repeat(100_000));
        let total = packed.len() as u64;
        let lines = lines_of(packed);
        let progress = lines.progress();
        assert_eq!(told(lines).unwrap().len(), 100_000);
        assert_eq!((progress.read(), progress.total()), (total, total));
    }

    #[test]
    fn an_empty_file_has_no_lines_and_a_folder_is_an_error() {
        assert!(told(lines_of(Vec::new())).unwrap().is_empty());
        assert!(matches!(open(Path::new("/")), Err(FileError::Open { .. })));
    }
}

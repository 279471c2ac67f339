//! The records of a table's file, whatever its encoding, line ends and separator.

use crate::error::{Error, ErrorKind, Result};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

/// A row longer than this many bytes is an error, before it is held in memory.
pub const MAXIMUM_ROW_BYTES: u64 = 64 * 1024;

/// A table that must be converted is held in memory whole; a larger one is an error.
const MAXIMUM_CONVERTED_BYTES: u64 = 256 << 20;

const BUFFER_BYTES: u64 = 8 * 1024;

/// Bytes that the encoding, the line ends and the separator are told from.
const HEAD_BYTES: u64 = 4_096;

/// The records of a table, one after the other.
pub(super) struct Records<'a> {
    table: &'a Path,
    reader: csv::Reader<Bounded>,
    taken: Rc<Cell<u64>>,
    record: csv::ByteRecord,
    is_first: bool,
    /// The fields are separated by spaces, which names may hold, too.
    pub(super) is_spaced: bool,
}

impl<'a> Records<'a> {
    /// # Errors
    /// Kind `Io` where the table cannot be read, `Dataset` where it is no text.
    pub(super) fn open(table: &'a Path) -> Result<Records<'a>> {
        let (head, content) = content(table)?;
        let delimiter = delimiter(&head);
        let taken = Rc::new(Cell::new(0));
        // The last line may lack its end, from which lines are counted.
        let bounded = Bounded { inner: content.chain(&b"\n"[..]), given: 0, taken: Rc::clone(&taken) };
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .terminator(csv::Terminator::Any(b'\n'))
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER_BYTES as usize)
            .from_reader(bounded);
        let record = csv::ByteRecord::new();
        Ok(Records { table, reader, taken, record, is_first: true, is_spaced: delimiter == b' ' })
    }

    /// The fields of the next row that is not empty, and its line; `None` at the end.
    ///
    /// # Errors
    /// Kind `Dataset` for a row above [`MAXIMUM_ROW_BYTES`], `Io` where reading fails.
    pub(super) fn next(&mut self) -> Result<Option<(Vec<Vec<u8>>, u64)>> {
        loop {
            let line = self.reader.position().line();
            let read = self.reader.read_byte_record(&mut self.record);
            if !read.map_err(|error| failed(self.table, line, error))? {
                return Ok(None);
            }
            self.taken.set(self.reader.position().byte());
            let mut fields: Vec<Vec<u8>> = self.record.iter().map(<[u8]>::to_vec).collect();
            if let Some(last) = fields.last_mut()
                && last.ends_with(b"\r")
            {
                last.pop();
            }
            let is_first = std::mem::replace(&mut self.is_first, false);
            if let Some(first) = fields.first_mut().filter(|_| is_first)
                && let Some(rest) = first.strip_prefix(b"\xef\xbb\xbf")
            {
                *first = rest.to_vec();
            }
            if is_first && fields.first().is_some_and(|field| field.starts_with(b"sep=")) {
                continue;
            }
            if self.is_spaced {
                fields = spaced(fields);
            }
            if fields == [b""] || fields.is_empty() {
                self.is_first = is_first;
                continue;
            }
            // A record's own position is before the empty lines above it.
            let inside = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
            return Ok(Some((fields, self.reader.position().line() - 1 - inside)));
        }
    }
}

/// Two fields: the last word, and all before it, which is a name that may hold spaces.
fn spaced(fields: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut fields = fields;
    while fields.last().is_some_and(Vec::is_empty) {
        fields.pop();
    }
    match fields.split_last() {
        Some((last, before)) if before.len() > 1 => vec![before.join(&b' '), last.clone()],
        _ => fields,
    }
}

fn failed(table: &Path, line: u64, error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            super::refused(table, line, error)
        }
        csv::ErrorKind::Io(error) => Error::io("cannot read the table", table, error),
        _ => super::refused(table, line, "the row cannot be read as CSV"),
    }
}

/// The table's beginning, and all of it: UTF-16 as UTF-8, lines that end in a carriage return alone with an end of line.
fn content(table: &Path) -> Result<(Vec<u8>, Box<dyn Read>)> {
    let cannot = |source| Error::io("cannot read the table", table, source);
    let open = || File::open(table).map_err(|source| Error::io("cannot open the table", table, source));
    let mut head = Vec::new();
    open()?.take(HEAD_BYTES).read_to_end(&mut head).map_err(cannot)?;
    let is_utf_16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    let has_bare_returns = head.contains(&b'\r') && !head.contains(&b'\n');
    if !is_utf_16 && head.contains(&0) {
        return Err(Error::new(ErrorKind::Dataset, "the file is not a CSV")
            .with_path(table)
            .with_hint("save it as CSV in UTF-8"));
    }
    if !is_utf_16 && !has_bare_returns {
        return Ok((head, Box::new(open()?)));
    }
    let mut bytes = Vec::new();
    open()?.take(MAXIMUM_CONVERTED_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAXIMUM_CONVERTED_BYTES {
        let encoding = if is_utf_16 { "in UTF-16" } else { "whose lines end in a carriage return alone" };
        let message = format!("a table {encoding} may have {} MB", MAXIMUM_CONVERTED_BYTES >> 20);
        return Err(Error::new(ErrorKind::Dataset, message)
            .with_path(table)
            .with_hint("save it as CSV in UTF-8"));
    }
    let mut text = if is_utf_16 { utf_8(&bytes).unwrap_or_default() } else { bytes };
    if !text.contains(&b'\n') {
        text.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
    }
    let head = text.iter().take(HEAD_BYTES as usize).copied().collect();
    Ok((head, Box::new(Cursor::new(text))))
}

/// Text in UTF-16, which a mark at its beginning tells, as UTF-8; `None` for other text.
pub fn utf_8(bytes: &[u8]) -> Option<Vec<u8>> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let units = bytes[2..].as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    let text = char::decode_utf16(units).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER));
    Some(text.collect::<String>().into_bytes())
}

/// What `sep=` in the first line says, as Excel writes it; else of comma, semicolon and tab the one that the first line holds
/// most often; or a space, where it holds none of them.
fn delimiter(head: &[u8]) -> u8 {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut lines = head.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default();
    if let [b's', b'e', b'p', b'=', delimiter] = line {
        return *delimiter;
    }
    let count = |delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    // `max_by_key` keeps the last of equals: the comma.
    let most = [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',');
    if count(most) == 0 && count(b' ') > 0 { b' ' } else { most }
}

/// A reader that fails when one row grows without end: `taken` is where the last complete row ended.
struct Bounded {
    inner: io::Chain<Box<dyn Read>, &'static [u8]>,
    given: u64,
    taken: Rc<Cell<u64>>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What the parser has buffered beyond its last row is at most one buffer.
        if self.given.saturating_sub(self.taken.get()) > MAXIMUM_ROW_BYTES + BUFFER_BYTES {
            let message = format!("a row is longer than {MAXIMUM_ROW_BYTES} bytes (an open quote?)");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let count = self.inner.read(buffer)?;
        self.given += count as u64;
        Ok(count)
    }
}

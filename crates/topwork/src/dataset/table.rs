//! A CSV of file names and labels becomes the same list that a folder of class folders would.
//!
//! The header is required: `filename` (or `file_name`, `path`, `file`, `image`) and `label` (or `class`), optionally
//! `set` (or `split`), in any order and case, separated by commas, semicolons or tabs. Names are relative to the
//! table. Further columns are not looked at. No photo is opened here; every message names the line.

use super::folder::{check_classes, twins};
use super::{Dataset, Sample, Set, Skipped, name, quoted, unknown_classes};
use crate::error::{Error, ErrorKind, Result};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A row longer than this many bytes is an error, before it is held in memory.
pub const MAXIMUM_ROW_BYTES: u64 = 64 * 1024;

/// One row, understood.
struct Row {
    line: u64,
    name: String,
    path: PathBuf,
    class: String,
    set: Option<Set>,
}

/// Reads the photos to train on.
///
/// Spaces around a label are dropped; a file name is taken as it is, or where no such file exists as
/// [`name::escape`] writes it, or with `\` for `/`. Rows without a value for the set are split later. Several rows
/// for one file are one sample if they agree.
///
/// # Errors
/// Kind `Dataset` with the line for: no or an unknown header, a row of another length, an empty name or label, an
/// unknown set, a row above [`MAXIMUM_ROW_BYTES`], one file with two labels, a class that only the test or
/// validation rows have, fewer than two classes; `Io` where the table cannot be read.
pub fn read(table: &Path) -> Result<Dataset> {
    let rows = rows(table)?;
    let training = rows.iter().filter(|row| matches!(row.set, None | Some(Set::Training)));
    let classes: BTreeSet<&String> = training.map(|row| &row.class).collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    check_classes(&classes, table).map_err(|error| match classes.as_slice() {
        [] => empty(table),
        _ => error,
    })?;
    let warning = twins(&classes);
    let mut dataset = collect(table, rows, classes)?;
    dataset.warnings.extend(warning);
    Ok(dataset)
}

/// Reads photos of classes that are fixed already, all for that set. Where the table has a column for the set and
/// rows whose set is `test`, only these are taken, and a note says so.
///
/// # Errors
/// As [`read`], except that one class is enough.
pub fn read_as(table: &Path, classes: &[String], set: Set) -> Result<Dataset> {
    let mut rows = rows(table)?;
    let all = rows.len();
    let mut note = None;
    if rows.iter().any(|row| row.set == Some(Set::Test)) {
        rows.retain(|row| row.set == Some(Set::Test));
        note = Some(format!("of {all} rows, the {} of the test set are taken", rows.len()));
    }
    if rows.is_empty() {
        return Err(empty(table));
    }
    rows.iter_mut().for_each(|row| row.set = Some(set));
    let mut dataset = collect(table, rows, classes.to_vec())?;
    dataset.notes.extend(note);
    Ok(dataset)
}

fn empty(table: &Path) -> Error {
    Error::new(ErrorKind::Dataset, "the table has no rows to learn from").with_path(table)
}

fn refused(table: &Path, line: u64, message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Dataset, format!("line {line}: {message}")).with_path(table)
}

fn collect(table: &Path, rows: Vec<Row>, classes: Vec<String>) -> Result<Dataset> {
    let root = table.parent().unwrap_or(Path::new("")).to_path_buf();
    let labels: BTreeMap<&str, usize> =
        classes.iter().enumerate().map(|(label, class)| (class.as_str(), label)).collect();
    let unknown: BTreeSet<String> = rows
        .iter()
        .filter(|row| !labels.contains_key(row.class.as_str()))
        .map(|row| row.class.clone())
        .collect();
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.into_iter().collect();
        let first = rows.iter().find(|row| row.class == unknown[0]).map_or(0, |row| row.line);
        let set =
            rows.iter().find(|row| row.class == unknown[0]).and_then(|row| row.set).unwrap_or(Set::Training);
        let error = unknown_classes(&unknown, &classes, set);
        let hint = error.hint().map(str::to_string);
        let error = refused(table, first, error);
        return Err(match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        });
    }

    let mut first_row: BTreeMap<&Path, &Row> = BTreeMap::new();
    let mut contradictions = Vec::new();
    let mut repeated = 0;
    let mut dataset = Dataset { root, ..Dataset::default() };
    for row in &rows {
        if let Some(first) = first_row.get(row.path.as_path()) {
            if first.class != row.class {
                contradictions.push(format!(
                    "{} is {} in line {} and {} in line {}",
                    quoted(std::slice::from_ref(&row.name)),
                    quoted(std::slice::from_ref(&first.class)),
                    first.line,
                    quoted(std::slice::from_ref(&row.class)),
                    row.line
                ));
                continue;
            }
            if first.set == row.set {
                repeated += 1;
                continue;
            }
        } else {
            first_row.insert(&row.path, row);
        }
        let label = labels[row.class.as_str()];
        let (name, path) = (row.name.clone(), row.path.clone());
        match unusable(&row.path) {
            None => dataset.samples.push(Sample { name, path, label, set: row.set }),
            Some((reason, detail)) => dataset.skipped.push(Skipped {
                name,
                path,
                reason: reason.to_string(),
                detail: format!("line {}: {detail}", row.line),
                label: Some(label),
                set: row.set,
            }),
        }
    }
    if !contradictions.is_empty() {
        return Err(Error::new(
            ErrorKind::Dataset,
            format!("the table gives one file two labels: {}", contradictions.join("; ")),
        )
        .with_path(table));
    }
    if dataset.samples.is_empty() {
        let message = format!("none of the {} files of the table can be used", dataset.skipped.len());
        let first =
            dataset.skipped.first().map(|skipped| format!(": {}", skipped.detail)).unwrap_or_default();
        return Err(Error::new(ErrorKind::Dataset, message + &first)
            .with_path(table)
            .with_hint("file names are relative to the folder that the table lies in"));
    }
    if repeated > 0 {
        dataset.notes.push(format!("{repeated} rows repeat an earlier row"));
    }
    dataset.classes = classes;
    dataset.sort();
    Ok(dataset)
}

/// Why the path is no photo, as far as the disk says without opening it.
fn unusable(path: &Path) -> Option<(&'static str, String)> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(metadata) if metadata.is_dir() => Some(("not-a-file", "a folder".to_string())),
        Ok(_) => Some(("not-a-file", "neither a file nor a folder".to_string())),
        Err(error) => match super::walk::unusable(&error) {
            super::walk::Kind::Unusable(reason, detail) => Some((reason, detail)),
            _ => None,
        },
    }
}

/// Where each column is.
struct Columns {
    filename: usize,
    label: usize,
    set: Option<usize>,
    count: usize,
}

fn rows(table: &Path) -> Result<Vec<Row>> {
    let file = File::open(table).map_err(|source| Error::io("cannot open the table", table, source))?;
    let head = head(table)?;
    let taken = Rc::new(Cell::new(0));
    // The last line may lack its end, from which lines are counted.
    let bounded = Bounded { inner: file.chain(&b"\n"[..]), given: 0, taken: Rc::clone(&taken) };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(&head))
        .terminator(csv::Terminator::Any(b'\n'))
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(BUFFER_BYTES as usize)
        .from_reader(bounded);

    let root = table.parent().unwrap_or(Path::new(""));
    let mut record = csv::ByteRecord::new();
    let mut columns: Option<Columns> = None;
    let mut rows = Vec::new();
    loop {
        let line = reader.position().line();
        if !reader.read_byte_record(&mut record).map_err(|error| failed(table, line, error))? {
            break;
        }
        taken.set(reader.position().byte());
        let fields: Vec<&[u8]> = fields(&record);
        if fields == [b""] {
            continue;
        }
        // A record's own position is before the empty lines above it.
        let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        let line = reader.position().line() - 1 - inside;
        match &columns {
            None => columns = Some(header(table, &fields)?),
            Some(columns) => rows.push(row(table, root, columns, &fields, line)?),
        }
    }
    if columns.is_none() {
        return Err(Error::new(ErrorKind::Dataset, "the table is empty")
            .with_path(table)
            .with_hint(HEADER_HINT));
    }
    Ok(rows)
}

/// The fields of a row without the `\r` that lines of Windows end in.
fn fields(record: &csv::ByteRecord) -> Vec<&[u8]> {
    let mut fields: Vec<&[u8]> = record.iter().collect();
    if let Some(last) = fields.last_mut() {
        *last = last.strip_suffix(b"\r").unwrap_or(last);
    }
    fields
}

const HEADER_HINT: &str = "the first line names the columns: filename,label and, if you like, set";

fn failed(table: &Path, line: u64, error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            refused(table, line, error)
        }
        csv::ErrorKind::Io(error) => Error::io("cannot read the table", table, error),
        other => refused(table, line, format!("{other:?}")),
    }
}

/// The table's first bytes, enough for its first line.
fn head(table: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(table)
        .and_then(|file| file.take(4096).read_to_end(&mut head))
        .map_err(|source| Error::io("cannot read the table", table, source))?;
    let message = if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        "the table is UTF-16"
    } else if head.contains(&0) {
        "the file is not a CSV"
    } else {
        return Ok(head);
    };
    Err(Error::new(ErrorKind::Dataset, message).with_path(table).with_hint("save it as CSV in UTF-8"))
}

/// Of comma, semicolon and tab the one that the first line holds most often.
fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    // `max_by_key` keeps the last of equals: the comma.
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

fn header(table: &Path, fields: &[&[u8]]) -> Result<Columns> {
    let titles: Vec<String> = fields
        .iter()
        .map(|title| {
            let title = title.strip_prefix(b"\xef\xbb\xbf").unwrap_or(title);
            name::escape_bytes(title.trim_ascii()).to_lowercase()
        })
        .collect();
    let column = |what: &str, names: &[&str]| {
        let mut found = (0..titles.len()).filter(|index| names.contains(&titles[*index].as_str()));
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(refused(table, 1, format!("two columns could be the {what}: {}", quoted(&titles)))
                    .with_hint(HEADER_HINT))
            }
            (first, _) => Ok(first),
        }
    };
    let filename = column("file name", &["filename", "file_name", "path", "file", "image"])?;
    let label = column("label", &["label", "class"])?;
    let set = column("set", &["set", "split"])?;
    match (filename, label) {
        (Some(filename), Some(label)) => Ok(Columns { filename, label, set, count: titles.len() }),
        _ => {
            Err(refused(table, 1, format!("no column filename and label in the header: {}", quoted(&titles)))
                .with_hint(HEADER_HINT))
        }
    }
}

fn row(table: &Path, root: &Path, columns: &Columns, fields: &[&[u8]], line: u64) -> Result<Row> {
    if fields.len() != columns.count {
        let message = format!("{} fields where the header has {}", fields.len(), columns.count);
        return Err(
            refused(table, line, message).with_hint("put a name that holds the separator into quotes")
        );
    }
    let filename = fields[columns.filename];
    if filename.trim_ascii().is_empty() {
        return Err(refused(table, line, "the file name is empty"));
    }
    let class = fields[columns.label].trim_ascii();
    if class.is_empty() {
        return Err(refused(table, line, "the label is empty"));
    }
    let set = match columns.set.map(|column| fields[column].trim_ascii()) {
        None | Some(b"") => None,
        Some(text) => {
            let text = name::escape_bytes(text);
            Some(Set::named(&text).ok_or_else(|| {
                refused(table, line, format!("unknown set {}", quoted(std::slice::from_ref(&text))))
                    .with_hint("a set is training, validation, test or nothing")
            })?)
        }
    };
    let relative = located(root, filename);
    Ok(Row {
        line,
        name: name::escape(&relative),
        path: root.join(&relative),
        class: name::escape_bytes(class),
        set,
    })
}

/// The relative path that a table's file name means: as it is, else unescaped, else with `\` for `/`, whichever
/// exists; as it is where none does. `.` parts are dropped, so that one file has one path.
fn located(root: &Path, filename: &[u8]) -> PathBuf {
    let plain = path_from(filename);
    if !filename.contains(&b'\\') || std::fs::symlink_metadata(root.join(&plain)).is_ok() {
        return plain;
    }
    let exists = |path: &PathBuf| std::fs::symlink_metadata(root.join(path)).is_ok();
    let text = std::str::from_utf8(filename).ok();
    let unescaped = text.and_then(|text| name::unescape(text).ok()).map(|path| path.components().collect());
    if let Some(path) = unescaped.filter(exists) {
        return path;
    }
    let slashes: Vec<u8> = filename.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    Some(path_from(&slashes)).filter(exists).unwrap_or(plain)
}

fn path_from(bytes: &[u8]) -> PathBuf {
    // Text that is not UTF-8 is a file name in bytes; where names cannot be bytes it names no file.
    let path = name::unescape(&name::escape_bytes(bytes))
        .unwrap_or_else(|_| PathBuf::from(String::from_utf8_lossy(bytes).into_owned()));
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

const BUFFER_BYTES: u64 = 8 * 1024;

/// A reader that fails when one row grows without end: `taken` is where the last complete row ended.
struct Bounded {
    inner: io::Chain<File, &'static [u8]>,
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

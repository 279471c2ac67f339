//! A CSV of file names and labels becomes the same list that a folder of class folders would.
//!
//! The header is required: `filename` (or `path`, `image`, `image_id`, …) and `label` (or `class`, `species`, …), optionally
//! `set` (or `split`, `subset`, `is_valid`, …), in any order and case, separated by commas, semicolons or tabs. Names are
//! relative to the table, and may lack their ending or their folder. Rows without a label are left out. Further columns are not looked at. No photo is opened here; every message names the line.

use super::folder::{check_classes, twins};
use super::{Dataset, Sample, Set, Skipped, name, quoted, unknown_classes};
use crate::error::{Error, ErrorKind, Result};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
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
/// Kind `Dataset` with the line for: no or an unknown header, a row of another length, an empty name, an
/// unknown set, a row above [`MAXIMUM_ROW_BYTES`], one file with two labels, a class that only the test or
/// validation rows have, fewer than two classes; `Io` where the table cannot be read.
pub fn read(table: &Path) -> Result<Dataset> {
    let Rows { rows, notes } = rows(table)?;
    let training = rows.iter().filter(|row| matches!(row.set, None | Some(Set::Training)));
    let classes: BTreeSet<&String> = training.map(|row| &row.class).collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    check_classes(&classes, table).map_err(|error| match classes.as_slice() {
        [] => empty(table),
        _ => error,
    })?;
    let warnings: Vec<String> =
        [twins(&classes), same_numbers(&classes), lists(&classes)].into_iter().flatten().collect();
    let mut dataset = collect(table, rows, classes)?;
    dataset.warnings.extend(warnings);
    dataset.notes.extend(notes);
    let nothing = |class: &&String| ["none", "empty", "background"].contains(&class.to_lowercase().as_str());
    let nothing: Vec<String> = dataset.classes.iter().filter(nothing).cloned().collect();
    if !nothing.is_empty() {
        let classes = if nothing.len() == 1 { "a class like any other" } else { "classes like any other" };
        dataset.notes.push(format!(
            "taken as {classes}: {}; leave a label blank where nobody knows it",
            quoted(&nothing)
        ));
    }
    Ok(dataset)
}

/// Reads photos of classes that are fixed already, all for that set. Where the table has a column for the set and
/// rows whose set is `test`, only these are taken, and a note says so.
///
/// # Errors
/// As [`read`], except that one class is enough.
pub fn read_as(table: &Path, classes: &[String], set: Set) -> Result<Dataset> {
    let Rows { mut rows, notes } = rows(table)?;
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
    dataset.notes.extend(notes);
    dataset.notes.extend(note);
    Ok(dataset)
}

/// A warning for labels that are one number, written in two ways.
fn same_numbers(classes: &[String]) -> Option<String> {
    let mut numbers: Vec<(f64, &String)> = classes
        .iter()
        .filter_map(|class| Some((class.parse().ok().filter(|n: &f64| n.is_finite())?, class)))
        .collect();
    numbers.sort_by(|one, other| one.0.total_cmp(&other.0));
    let pairs: Vec<String> = numbers
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| quoted(&[pair[0].1.clone(), pair[1].1.clone()]))
        .collect();
    (!pairs.is_empty())
        .then(|| format!("two classes each, though they are the same number: {}", pairs.join("; ")))
}

/// A warning for labels that hold several: where a part of one is a class of its own.
fn lists(classes: &[String]) -> Option<String> {
    let known: BTreeSet<&str> = classes.iter().map(String::as_str).collect();
    let is_list = |class: &&String| {
        let parts: Vec<&str> = class.split([';', '|', ',']).map(str::trim).collect();
        parts.len() > 1 && parts.iter().any(|part| known.contains(part))
    };
    let found: Vec<String> = classes.iter().filter(is_list).take(5).cloned().collect();
    (!found.is_empty()).then(|| {
        format!(
            "labels that look like several: {}; each photo gets one class, so they are classes of their own",
            quoted(&found)
        )
    })
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
    /// The column says whether a photo is for validation.
    is_validity: bool,
    count: usize,
}

/// Rows, and what a person should know about them.
struct Rows {
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// What the label column says, and whether it was not UTF-8.
enum Label {
    None,
    Class { class: String, is_decoded: bool },
}

fn rows(table: &Path) -> Result<Rows> {
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
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    let (mut unlabelled, mut decoded) = (Vec::new(), Vec::new());
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
            None => columns = Some(header(table, &fields, &mut notes)?),
            Some(columns) => match label(columns, &fields) {
                Some(Label::None) => unlabelled.push(line),
                Some(Label::Class { class, is_decoded }) => {
                    if is_decoded {
                        decoded.push(class.clone());
                    }
                    rows.push(row(table, root, columns, &fields, class, line)?);
                }
                None => return Err(wrong_length(table, columns, &fields, line)),
            },
        }
    }
    if columns.is_none() {
        return Err(Error::new(ErrorKind::Dataset, "the table is empty")
            .with_path(table)
            .with_hint(HEADER_HINT));
    }
    notes.extend(find_by_name(table, root, &mut rows)?);
    if let Some(first) = unlabelled.first() {
        let rows = if unlabelled.len() == 1 { "row has" } else { "rows have" };
        notes.push(format!("left out: {} {rows} no label, first line {first}", unlabelled.len()));
    }
    decoded.sort();
    decoded.dedup();
    if !decoded.is_empty() {
        notes.push(format!("the table is not UTF-8; read as Windows-1252: {}", quoted(&decoded)));
    }
    Ok(Rows { rows, notes })
}

/// Looks below the table's folder, once, for the files of rows whose path leads nowhere: by the last parts of their paths, with
/// or without the ending. Says how many were found so.
///
/// # Errors
/// Kind `Dataset` with the line where several files could be meant.
fn find_by_name(table: &Path, root: &Path, rows: &mut [Row]) -> Result<Option<String>> {
    let is_lost = |row: &Row| {
        let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        row.path.file_name().is_some() && std::fs::symlink_metadata(&row.path).is_err_and(missing)
    };
    let mut lost: Vec<&mut Row> = rows.iter_mut().filter(|row| is_lost(row)).collect();
    if lost.is_empty() {
        return Ok(None);
    }
    let folder = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let files = super::walk::walk(folder, "", &[])?.files;
    let mut index: BTreeMap<OsString, Vec<usize>> = BTreeMap::new();
    for (at, (_, path)) in files.iter().enumerate() {
        let names = [path.file_name(), path.file_stem()];
        let distinct = if names[0] == names[1] { 1 } else { 2 };
        for name in names.into_iter().take(distinct).flatten() {
            index.entry(name.to_owned()).or_default().push(at);
        }
    }
    let mut count = 0;
    for row in &mut lost {
        let relative = row.path.strip_prefix(root).unwrap_or(&row.path).to_path_buf();
        let Some(name) = relative.file_name() else { continue };
        let fits = |at: &&usize| {
            let path = &files[**at].1;
            path.ends_with(&relative) || path.with_extension("").ends_with(&relative)
        };
        let found: Vec<usize> = index.get(name).into_iter().flatten().filter(fits).copied().collect();
        if found.len() > 1 {
            let names: Vec<String> = found.iter().take(3).map(|at| files[*at].0.clone()).collect();
            let message = format!(
                "\"{}\" could be {} files: {}",
                name::visible(&row.name),
                found.len(),
                quoted(&names)
            );
            return Err(
                refused(table, row.line, message).with_hint("write the path below the table's folder")
            );
        }
        if let [at] = found[..] {
            row.name.clone_from(&files[at].0);
            row.path = root.join(files[at].1.strip_prefix(folder).unwrap_or(&files[at].1));
            count += 1;
        }
    }
    let names = if count == 1 { "name" } else { "names" };
    Ok((count > 0)
        .then(|| format!("{count} {names} of the table found in folders below it, by the name alone")))
}

/// What the field's tools call the columns, the plainest names first.
const FILENAME_COLUMNS: &[&[&str]] = &[
    &["filename", "file_name", "path", "file", "image"],
    &[
        "filenames",
        "image_path",
        "imagepath",
        "img_path",
        "filepath",
        "file_path",
        "image_file",
        "image_name",
        "img",
        "photo",
    ],
    &["image_id", "imageid"],
    &["name", "id"],
];
const LABEL_COLUMNS: &[&[&str]] = &[
    &["label", "class"],
    &[
        "labels",
        "class_name",
        "label_name",
        "category",
        "species",
        "breed",
        "target",
        "choice",
        "dx",
        "emotion",
    ],
];
const SET_COLUMNS: &[&[&str]] =
    &[&["set", "split"], &["subset", "partition", "usage", "dataset", "data set", "data_set"]];

fn wrong_length(table: &Path, columns: &Columns, fields: &[&[u8]], line: u64) -> Error {
    let message = format!("{} fields where the header has {}", fields.len(), columns.count);
    refused(table, line, message).with_hint("put a name that holds the separator into quotes")
}

/// The label of a row; `None` if the row has another number of fields than the header.
///
/// What pandas, R and spreadsheets write for a missing value is no class; `none`, `empty` and `background` are, for camera
/// traps have them.
fn label(columns: &Columns, fields: &[&[u8]]) -> Option<Label> {
    if fields.len() != columns.count {
        return None;
    }
    let label = fields[columns.label].trim_ascii();
    let missing: [&[u8]; 6] = [b"", b"nan", b"na", b"n/a", b"null", b"#n/a"];
    if missing.iter().any(|missing| label.eq_ignore_ascii_case(missing)) {
        return Some(Label::None);
    }
    Some(match std::str::from_utf8(label) {
        Ok(_) => Label::Class { class: name::escape_bytes(label), is_decoded: false },
        Err(_) => {
            let text: String = label.iter().map(|byte| windows_1252(*byte)).collect();
            Label::Class { class: name::escape_bytes(text.as_bytes()), is_decoded: true }
        }
    })
}

/// The character of a byte in the encoding of Western European Windows, as the WHATWG's Encoding Standard has it.
fn windows_1252(byte: u8) -> char {
    const UPPER: [char; 32] = [
        '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
        '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}',
        '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}',
        '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
    ];
    match byte {
        0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
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
    } else if head.contains(&b'\r') && !head.contains(&b'\n') {
        "the table's lines end in a carriage return alone"
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

/// The set of a row in a column such as fastai's `is_valid`.
fn validity(text: &str) -> Option<Set> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "1.0" | "yes" => Some(Set::Validation),
        "false" | "0" | "0.0" | "no" => Some(Set::Training),
        _ => None,
    }
}

fn header(table: &Path, fields: &[&[u8]], notes: &mut Vec<String>) -> Result<Columns> {
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
    // Of each list the first one that the header has counts: a table with `filename` and `id` has its names in the former.
    let first = |what: &str, lists: &[&[&str]]| -> Result<Option<usize>> {
        for names in lists {
            if let Some(found) = column(what, names)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    };
    let filename = first("file name", FILENAME_COLUMNS)?;
    let label = first("label", LABEL_COLUMNS)?;
    let named_set = first("set", SET_COLUMNS)?;
    let validity = column("set", &["is_valid", "is_validation"])?;
    let set = named_set.or(validity);
    let unused = titles.iter().enumerate().filter(|(index, title)| {
        Some(*index) != set
            && ["fold", "kfold", "is_valid", "is_validation", "is_test"].contains(&title.as_str())
    });
    let unused: Vec<String> = unused.map(|(_, title)| title.clone()).collect();
    if !unused.is_empty() {
        notes.push(format!("not used: the column {}", quoted(&unused)));
    }
    match (filename, label) {
        (Some(filename), Some(label)) => {
            let is_validity = named_set.is_none() && validity.is_some();
            Ok(Columns { filename, label, set, is_validity, count: titles.len() })
        }
        _ => {
            Err(refused(table, 1, format!("no column filename and label in the header: {}", quoted(&titles)))
                .with_hint(HEADER_HINT))
        }
    }
}

fn row(
    table: &Path,
    root: &Path,
    columns: &Columns,
    fields: &[&[u8]],
    class: String,
    line: u64,
) -> Result<Row> {
    let mut filename = fields[columns.filename];
    let trimmed = filename.trim_ascii();
    if trimmed != filename && std::fs::symlink_metadata(root.join(located(root, filename))).is_err() {
        filename = trimmed;
    }
    if filename.trim_ascii().is_empty() {
        return Err(refused(table, line, "the file name is empty"));
    }
    let set = match columns.set.map(|column| fields[column].trim_ascii()) {
        None | Some(b"") => None,
        Some(text) => {
            let text = name::escape_bytes(text);
            let set = if columns.is_validity { validity(&text) } else { Set::named(&text) };
            Some(set.ok_or_else(|| {
                refused(table, line, format!("unknown set {}", quoted(std::slice::from_ref(&text))))
                    .with_hint("a set is training, validation, test or nothing")
            })?)
        }
    };
    let relative = with_ending(root, located(root, filename));
    Ok(Row { line, name: name::escape(&relative), path: root.join(&relative), class, set })
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

/// The path, or if there is nothing of that name and it has no ending, with the one ending of photos with which there is.
fn with_ending(root: &Path, path: PathBuf) -> PathBuf {
    if path.extension().is_some() || std::fs::symlink_metadata(root.join(&path)).is_ok() {
        return path;
    }
    let endings = ["jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "gif", "JPG", "JPEG", "PNG"];
    let exists = |path: &PathBuf| std::fs::symlink_metadata(root.join(path)).is_ok();
    let mut found = endings.iter().map(|ending| path.with_extension(ending)).filter(exists);
    match (found.next(), found.next()) {
        (Some(only), None) => only,
        _ => path,
    }
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

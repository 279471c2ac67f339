//! A table of file names and labels becomes the same list that a folder of class folders would.
//!
//! The header names the columns: `filename` (or `path`, `image`, `image_id`, …) and `label` (or `class`, `species`, …), optionally
//! `set` (or `split`, `subset`, `is_valid`, …), in any order and case, separated by commas, semicolons, tabs or spaces; lists
//! without a header that start with a photo are understood, too. Names are relative to the table, and may lack their ending or
//! their folder. Rows without a label are left out. Further columns are not looked at. No photo is opened here; every message
//! names the line.

mod columns;
mod locate;
mod source;

use self::columns::{Columns, Fields, HEADER_HINT};
use self::locate::Place;
use self::source::Records;
use super::classes::{Spellings, label_of, merged_by_case, merged_note, twins};
use super::folder::check_classes;
use super::{Dataset, Options, Sample, SkipReason, Skipped, Subset, name, quoted, unknown_classes};
use crate::error::{Error, ErrorKind, Result};
use crate::notice::Notice;
use crate::photo::{PhotoSource, Reason, Unreadable};
use crate::remedy::Remedy;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use self::source::{MAXIMUM_ROW_BYTES, utf_8};
pub use crate::remedy::Column;

/// So many rows tell what a column holds.
const ROWS_AHEAD: usize = 100;

/// So many problems of a table are listed.
const LISTED_PROBLEMS: usize = 20;

/// One row, understood.
struct Row {
    line: u64,
    name: String,
    path: PathBuf,
    class: String,
    set: Option<Subset>,
}

/// What is wrong with a row.
struct Problem {
    line: u64,
    message: String,
    remedy: Box<Remedy>,
}

impl Problem {
    fn new(line: u64, message: impl Into<String>, remedy: impl Into<Remedy>) -> Problem {
        Problem { line, message: message.into(), remedy: Box::new(remedy.into()) }
    }
}

/// Reads the photos to train on.
///
/// Labels that nobody can tell apart are one class (composed and decomposed umlauts, spaces around them, signs without a
/// width); a file name is taken as it is, or where no such file exists as [`name::escape`] writes it, or with `\` for `/`.
/// Rows without a value for the set are split later. Several rows for one file are one sample if they agree.
///
/// # Errors
/// Kind `Dataset` with the lines for: no or an unknown header, rows of another length, empty names, unknown
/// sets, a row above [`MAXIMUM_ROW_BYTES`], files with two labels, a class that only the test or
/// validation rows have, fewer than two classes; `Io` where the table cannot be read.
pub fn read(table: &Path, options: &Options) -> Result<Dataset> {
    let Rows { mut rows, notes, place } = rows(table, options)?;
    let mut merged_classes = None;
    if options.merge_case {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(row.class.clone()).or_default() += 1);
        let merged = merged_by_case(&counts);
        rows.iter_mut().for_each(|row| row.class.clone_from(&merged[&row.class]));
        merged_classes = merged_note(&counts, &merged);
    }
    let training = rows.iter().filter(|row| matches!(row.set, None | Some(Subset::Training)));
    let classes: BTreeSet<&String> = training.map(|row| &row.class).collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    check_classes(&classes, table).map_err(|error| match classes.as_slice() {
        [] => empty(table),
        _ => error,
    })?;
    let mut dataset = collect(table, place, rows, classes, options)?;
    let warnings = [same_numbers(&dataset.classes), lists(&dataset.classes)];
    dataset.warnings.extend(twins(&dataset.classes, &dataset.counts(|_| true)));
    dataset.warnings.extend(warnings.into_iter().flatten());
    dataset.notes.extend(notes);
    dataset.notes.extend(merged_classes);
    let nothing = |class: &&String| ["none", "empty", "background"].contains(&class.to_lowercase().as_str());
    let nothing: Vec<String> = dataset.classes.iter().filter(nothing).cloned().collect();
    if !nothing.is_empty() {
        dataset.notes.push(Notice::ClassesOfNothing(nothing));
    }
    Ok(dataset)
}

/// Reads photos of classes that are fixed already, all for that set. Where the table has a column for the set and
/// rows whose set is `test`, only these are taken, and a note says so.
///
/// # Errors
/// As [`read`], except that one class is enough.
pub fn read_as(table: &Path, classes: &[String], set: Subset, options: &Options) -> Result<Dataset> {
    let Rows { mut rows, notes, place } = rows(table, options)?;
    let all = rows.len();
    let mut note = None;
    if rows.iter().any(|row| row.set == Some(Subset::Test)) {
        rows.retain(|row| row.set == Some(Subset::Test));
        note = Some(Notice::RowsOfTestSet { rows: rows.len(), of: all });
    }
    if rows.is_empty() {
        return Err(empty(table));
    }
    for row in &mut rows {
        row.set = Some(set);
        if let Some(label) = label_of(classes, &row.class, options.merge_case) {
            row.class.clone_from(&classes[label]);
        }
    }
    let mut dataset = collect(table, place, rows, classes.to_vec(), options)?;
    dataset.notes.extend(notes);
    dataset.notes.extend(note);
    Ok(dataset)
}

/// A warning for labels that are one number, written in two ways.
fn same_numbers(classes: &[String]) -> Option<Notice> {
    let mut numbers: Vec<(f64, &String)> = classes
        .iter()
        .filter_map(|class| Some((class.parse().ok().filter(|n: &f64| n.is_finite())?, class)))
        .collect();
    numbers.sort_by(|one, other| one.0.total_cmp(&other.0));
    let pairs: Vec<[String; 2]> = numbers
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| [pair[0].1.clone(), pair[1].1.clone()])
        .collect();
    (!pairs.is_empty()).then_some(Notice::SameNumbers(pairs))
}

/// A warning for labels that hold several: where a part of one is a class of its own.
fn lists(classes: &[String]) -> Option<Notice> {
    let known: BTreeSet<&str> = classes.iter().map(String::as_str).collect();
    let is_list = |class: &&String| {
        let parts: Vec<&str> = class.split([';', '|', ',']).map(str::trim).collect();
        parts.len() > 1 && parts.iter().any(|part| known.contains(part))
    };
    let found: Vec<String> = classes.iter().filter(is_list).take(5).cloned().collect();
    (!found.is_empty()).then_some(Notice::LabelLists(found))
}

fn empty(table: &Path) -> Error {
    Error::new(ErrorKind::Dataset, "the table has no rows to learn from").with_path(table)
}

fn refused(table: &Path, line: u64, message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Dataset, format!("line {line}: {message}")).with_path(table)
}

fn collect(
    table: &Path,
    place: Place,
    rows: Vec<Row>,
    classes: Vec<String>,
    options: &Options,
) -> Result<Dataset> {
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
        let set = rows
            .iter()
            .find(|row| row.class == unknown[0])
            .and_then(|row| row.set)
            .unwrap_or(Subset::Training);
        let error = unknown_classes(&unknown, &classes, set);
        let remedy = error.remedy().cloned();
        let error = refused(table, first, error);
        return Err(remedy.into_iter().fold(error, Error::with_hint));
    }

    let mut first_row: BTreeMap<&Path, &Row> = BTreeMap::new();
    let mut contradicted: BTreeMap<&Path, [(String, u64); 2]> = BTreeMap::new();
    for row in &rows {
        let first = *first_row.entry(&row.path).or_insert(row);
        if first.class != row.class {
            let label = |row: &Row| (row.class.clone(), row.line);
            contradicted.entry(&row.path).or_insert_with(|| [label(first), label(row)]);
        }
    }
    if !contradicted.is_empty() && !options.skip_conflicts {
        let files: Vec<String> = contradicted
            .iter()
            .take(LISTED_PROBLEMS)
            .map(|(path, labels)| {
                let labels = SkipReason::TwoLabels(labels.clone()).detail();
                format!("{} is {labels}", quoted(std::slice::from_ref(&first_row[path].name)))
            })
            .collect();
        let more = match contradicted.len() {
            count if count > LISTED_PROBLEMS => format!("; {} more", count - LISTED_PROBLEMS),
            _ => String::new(),
        };
        let number = if contradicted.len() == 1 {
            "one file".to_owned()
        } else {
            format!("{} files", contradicted.len())
        };
        let message = format!("the table gives {number} two labels: {}{more}", files.join("; "));
        return Err(Error::new(ErrorKind::Dataset, message)
            .with_path(table)
            .with_hint(Remedy::SkipConflictingRows));
    }
    let mut repeated = 0;
    let mut used: BTreeSet<(&Path, Option<Subset>)> = BTreeSet::new();
    let mut dataset = Dataset { root: place.root, ..Dataset::default() };
    for row in &rows {
        if !used.insert((&row.path, row.set)) {
            repeated += usize::from(!contradicted.contains_key(row.path.as_path()));
            continue;
        }
        let label = labels[row.class.as_str()];
        let (name, path) = (row.name.clone(), row.path.clone());
        let skipped = |reason: SkipReason, label| {
            let (name, path) = (row.name.clone(), row.path.clone());
            Skipped { name, path: Some(path), reason, label, set: row.set }
        };
        match (contradicted.get(row.path.as_path()), unusable(&row.path)) {
            (Some(labels), _) => {
                dataset.skipped.push(skipped(SkipReason::TwoLabels(labels.clone()), None));
            }
            (None, None) => {
                let photo = PhotoSource::File(path);
                dataset.samples.push(Sample { set: row.set, ..Sample::new(name, photo, label) });
            }
            (None, Some(Unreadable { reason, detail })) => {
                let detail = format!("line {}: {detail}", row.line);
                dataset.skipped.push(skipped(SkipReason::new(reason, detail), Some(label)));
            }
        }
    }
    if dataset.samples.is_empty() {
        let message = format!("none of the {} files of the table can be used", dataset.skipped.len());
        let first = dataset
            .skipped
            .first()
            .map(|skipped| format!(": {}", skipped.reason.detail()))
            .unwrap_or_default();
        return Err(Error::new(ErrorKind::Dataset, message + &first)
            .with_path(table)
            .with_hint(Remedy::NamePhotosFolder));
    }
    if repeated > 0 {
        dataset.notes.push(Notice::RepeatedRows(repeated));
    }
    dataset.classes = classes;
    dataset.sort();
    Ok(dataset)
}

/// Why the path is no photo, as far as the disk says without opening it.
fn unusable(path: &Path) -> Option<Unreadable> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(metadata) if metadata.is_dir() => Some(Unreadable::new(Reason::NotAFile, "a folder")),
        Ok(_) => Some(Unreadable::new(Reason::NotAFile, "neither a file nor a folder")),
        Err(error) => match super::walk::unusable(&error) {
            super::walk::Kind::Unusable(why) => Some(why),
            _ => None,
        },
    }
}

/// Rows, and what a person should know about them.
struct Rows {
    rows: Vec<Row>,
    notes: Vec<Notice>,
    place: Place,
}

/// What the label column says, and whether it was not UTF-8.
enum Label {
    None,
    Class { class: String, is_decoded: bool },
}

fn rows(table: &Path, options: &Options) -> Result<Rows> {
    let place = match &options.photos {
        Some(folder) => Place { root: folder.clone(), is_named: true },
        None => Place { root: table.parent().unwrap_or(Path::new("")).to_path_buf(), is_named: false },
    };
    if place.is_named && !place.root.is_dir() {
        let message = "the folder of the table's photos is not there";
        return Err(Error::new(ErrorKind::Dataset, message).with_path(&place.root));
    }
    let mut records = Records::open(table)?;
    let Some(first) = records.next()? else {
        return Err(Error::new(ErrorKind::Dataset, "the table is empty")
            .with_path(table)
            .with_hint(HEADER_HINT));
    };
    let mut ahead = Vec::new();
    while ahead.len() < ROWS_AHEAD
        && let Some(row) = records.next()?
    {
        ahead.push(row);
    }
    let mut notes = Vec::new();
    let columns = Columns::of(table, &place, options, &first, &ahead, &mut notes)?;

    let mut understood = Understood {
        place: &place,
        columns,
        rows: Vec::new(),
        problems: Vec::new(),
        spellings: Spellings::default(),
        unlabelled: Vec::new(),
        decoded: BTreeSet::new(),
    };
    if !understood.columns.has_header {
        understood.take(&first.0, first.1);
    }
    for (fields, line) in &ahead {
        understood.take(fields, *line);
    }
    while let Some((fields, line)) = records.next()? {
        understood.take(&fields, line);
    }
    let Understood { mut rows, mut problems, spellings, unlabelled, decoded, .. } = understood;
    notes.extend(place.find(&mut rows, &mut problems)?);
    check(table, problems)?;
    if let Some(first) = unlabelled.first() {
        notes.push(Notice::UnlabelledRows { rows: unlabelled.len(), first_line: *first });
    }
    notes.extend(spellings.note());
    if !decoded.is_empty() {
        let decoded: Vec<String> = decoded.into_iter().collect();
        notes.push(Notice::ReadAsWindows1252(decoded));
    }
    Ok(Rows { rows, notes, place })
}

/// # Errors
/// Kind `Dataset` with all problems, if there are some.
fn check(table: &Path, problems: Vec<Problem>) -> Result<()> {
    let Some(first) = problems.first() else { return Ok(()) };
    if problems.len() == 1 {
        return Err(refused(table, first.line, &first.message).with_hint(*first.remedy.clone()));
    }
    let listed: Vec<String> = problems
        .iter()
        .take(LISTED_PROBLEMS)
        .map(|problem| format!("line {}: {}", problem.line, problem.message))
        .collect();
    let more = match problems.len() {
        count if count > LISTED_PROBLEMS => format!("; {} more", count - LISTED_PROBLEMS),
        _ => String::new(),
    };
    let message = format!("{} rows cannot be understood: {}{more}", problems.len(), listed.join("; "));
    Err(Error::new(ErrorKind::Dataset, message).with_path(table).with_hint(*first.remedy.clone()))
}

/// What is understood of the rows so far.
struct Understood<'a> {
    place: &'a Place,
    columns: Columns,
    rows: Vec<Row>,
    problems: Vec<Problem>,
    spellings: Spellings,
    unlabelled: Vec<u64>,
    decoded: BTreeSet<String>,
}

impl Understood<'_> {
    fn take(&mut self, fields: &Fields, line: u64) {
        if fields.len() != self.columns.count {
            let message = format!("{} fields where the first line has {}", fields.len(), self.columns.count);
            self.problems.push(Problem::new(
                line,
                message,
                "put a name that holds the separator into quotes",
            ));
            return;
        }
        let class = match label(&fields[self.columns.label]) {
            Label::None => {
                self.unlabelled.push(line);
                return;
            }
            Label::Class { class, is_decoded } => {
                if is_decoded {
                    self.decoded.insert(class.clone());
                }
                self.spellings.take(class)
            }
        };
        match self.row(fields, class, line) {
            Ok(row) => self.rows.push(row),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn row(&self, fields: &Fields, class: String, line: u64) -> std::result::Result<Row, Problem> {
        let Columns { filename, folder, set, is_validity, twins, .. } = &self.columns;
        if let Some((column, one, other)) =
            twins.iter().find(|(_, one, other)| fields[*one] != fields[*other])
        {
            let [one, other] = [one, other].map(|column| name::escape_bytes(&fields[*column]));
            let message = format!("two columns of one kind differ: {}", quoted(&[one, other]));
            return Err(Problem::new(line, message, Remedy::NameColumns(vec![(*column, None)])));
        }
        let mut filename = fields[*filename].clone();
        if filename.trim_ascii().is_empty() {
            return Err(Problem::new(line, "the file name is empty", "give each row the name of a photo"));
        }
        if let Some(folder) =
            folder.map(|folder| fields[folder].trim_ascii()).filter(|folder| !folder.is_empty())
        {
            filename = [folder, b"/", &filename].concat();
        }
        let set = match set.map(|column| fields[column].trim_ascii()) {
            None | Some(b"") => None,
            Some(text) => {
                let text = name::escape_bytes(text);
                let set = if *is_validity { validity(&text) } else { Subset::named(&text) };
                Some(set.ok_or_else(|| {
                    let message = format!("unknown set {}", quoted(&[text]));
                    Problem::new(line, message, "a set is training, validation, test or nothing")
                })?)
            }
        };
        let relative = self.place.relative(&filename);
        Ok(Row { line, name: name::escape(&relative), path: self.place.root.join(&relative), class, set })
    }
}

/// What a field of the label column says.
///
/// What pandas, R and spreadsheets write for a missing value is no class; `none`, `empty` and `background` are, for camera
/// traps have them.
fn label(field: &[u8]) -> Label {
    let label = field.trim_ascii();
    let missing: [&[u8]; 6] = [b"", b"nan", b"na", b"n/a", b"null", b"#n/a"];
    if missing.iter().any(|missing| label.eq_ignore_ascii_case(missing)) {
        return Label::None;
    }
    match std::str::from_utf8(label) {
        Ok(_) => Label::Class { class: name::escape_bytes(label), is_decoded: false },
        Err(_) => {
            let text: String = label.iter().map(|byte| windows_1252(*byte)).collect();
            Label::Class { class: name::escape_bytes(text.as_bytes()), is_decoded: true }
        }
    }
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

/// The set of a row in a column such as fastai's `is_valid`.
fn validity(text: &str) -> Option<Subset> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "1.0" | "yes" => Some(Subset::Validation),
        "false" | "0" | "0.0" | "no" => Some(Subset::Training),
        _ => None,
    }
}

//! What the columns of a table hold: told by their titles, by the names that a person gives, or by the rows themselves.

use super::super::{Options, Subset, name, quoted};
use super::locate::Place;
use super::refused;
use crate::error::{Error, Result};
use crate::notice::Notice;
use crate::remedy::{Column, Remedy};
use std::path::Path;

/// Where each column is.
pub(super) struct Columns {
    pub(super) filename: usize,
    /// A folder that stands before the file name.
    pub(super) folder: Option<usize>,
    pub(super) label: usize,
    pub(super) set: Option<usize>,
    /// The column says whether a photo is for validation.
    pub(super) is_validity: bool,
    pub(super) count: usize,
    /// The first row names the columns.
    pub(super) has_header: bool,
    /// Columns that must hold the same as those that are used.
    pub(super) twins: Vec<(Column, usize, usize)>,
}

/// Fields of a row.
pub(super) type Fields = Vec<Vec<u8>>;

pub(super) const HEADER_HINT: &str = "the first line names the columns: filename,label and, if you like, set";

/// What the field's tools call the columns, the plainest names first.
const FILENAME_COLUMNS: &[&[&str]] = &[
    &["filename", "file_name", "path", "file", "image"],
    &[
        "filenames",
        "files",
        "images",
        "image_path",
        "imagepath",
        "img_path",
        "filepath",
        "file_path",
        "image_file",
        "image_filename",
        "image_name",
        "img_name",
        "img",
        "photo",
        "photo_path",
        "picture",
    ],
    &["image_id", "imageid", "img_id", "photo_id"],
    &["name", "id"],
];
const LABEL_COLUMNS: &[&[&str]] = &[
    &["label", "class"],
    &[
        "labels",
        "classes",
        "class_name",
        "label_name",
        "classname",
        "category",
        "category_name",
        "species",
        "breed",
        "target",
        "choice",
        "dx",
        "diagnosis",
        "emotion",
        "tag",
        "y",
    ],
    &["class_id", "label_id", "category_id", "scientific_name", "common_name"],
];
const SET_COLUMNS: &[&[&str]] =
    &[&["set", "split"], &["subset", "partition", "usage", "dataset", "data set", "data_set", "data_split"]];
const VALIDITY_COLUMNS: &[&str] = &["is_valid", "is_validation"];
const FOLDER_COLUMNS: &[&str] = &["relativepath", "relative_path"];
/// Columns that may say what a photo is for, in a way that is not understood.
const OTHER_SET_COLUMNS: &[&str] = &["fold", "kfold", "is_valid", "is_validation", "is_test", "is_train"];

impl Columns {
    /// The columns of a table with this first row and these rows behind it.
    ///
    /// # Errors
    /// Kind `Dataset` with a hint where a column is missing, or could be several.
    pub(super) fn of(
        table: &Path,
        place: &Place,
        options: &Options,
        (first, line): &(Fields, u64),
        ahead: &[(Fields, u64)],
        notes: &mut Vec<Notice>,
    ) -> Result<Columns> {
        let titles: Vec<String> =
            first.iter().map(|title| name::escape_bytes(title.trim_ascii()).to_lowercase()).collect();
        let mut search = Search { table, place, titles: &titles, line: *line, ahead, twins: Vec::new() };
        let filename = search.find(&FILENAME, options.filename_column.as_deref())?;
        let label = search.find(&LABEL, options.label_column.as_deref())?;
        let named_set = search.find(&SET, options.set_column.as_deref())?;
        let (Some(filename), Some(label)) = (filename, label) else {
            let is_named = options.filename_column.is_some() || options.label_column.is_some();
            return match without_header(place, first).filter(|_| !is_named) {
                Some(columns) => {
                    notes.push(columns.note());
                    Ok(columns)
                }
                None => Err(search.missing(filename, label, place.looks_like_photo(first))),
            };
        };
        let validity = titles.iter().position(|title| VALIDITY_COLUMNS.contains(&title.as_str()));
        // A column that a person names may be one of either kind.
        let is_validity = match (named_set, &options.set_column) {
            (None, _) => validity.is_some(),
            (Some(set), _) => VALIDITY_COLUMNS.contains(&titles[set].as_str()),
        };
        let set = named_set.or(validity);
        let unused = titles
            .iter()
            .enumerate()
            .filter(|(index, title)| Some(*index) != set && OTHER_SET_COLUMNS.contains(&title.as_str()));
        let unused: Vec<String> = unused.map(|(_, title)| title.clone()).collect();
        if !unused.is_empty() {
            notes.push(Notice::UnusedColumns(unused));
        }
        let folder = titles.iter().position(|title| FOLDER_COLUMNS.contains(&title.as_str()));
        let folder = folder.filter(|folder| *folder != filename && titles[filename] == "file");
        let twins = search.twins;
        Ok(Columns {
            filename,
            folder,
            label,
            set,
            is_validity,
            count: titles.len(),
            has_header: true,
            twins,
        })
    }

    /// How a table without a header was understood.
    fn note(&self) -> Notice {
        let set = self.set.map(|set| set + 1);
        Notice::NoHeader { filename: self.filename + 1, label: self.label + 1, set }
    }
}

/// A kind of column.
struct Kind {
    column: Column,
    lists: &'static [&'static [&'static str]],
    holds_names: bool,
}

const FILENAME: Kind = Kind { column: Column::Filename, lists: FILENAME_COLUMNS, holds_names: true };
const LABEL: Kind = Kind { column: Column::Label, lists: LABEL_COLUMNS, holds_names: false };
const SET: Kind = Kind { column: Column::Subset, lists: SET_COLUMNS, holds_names: false };

struct Search<'a> {
    table: &'a Path,
    place: &'a Place,
    titles: &'a [String],
    line: u64,
    ahead: &'a [(Fields, u64)],
    twins: Vec<(Column, usize, usize)>,
}

impl Search<'_> {
    /// The column of that kind: the one of that name, else of the first list that the header has one of.
    fn find(&mut self, kind: &Kind, named: Option<&str>) -> Result<Option<usize>> {
        if let Some(named) = named {
            let wanted = named.trim().to_lowercase();
            let found = self.titles.iter().position(|title| *title == wanted);
            return found.map(Some).ok_or_else(|| {
                let named = quoted(&[named.to_owned()]);
                let message = format!("no column {named} in the header: {}", quoted(self.titles));
                refused(self.table, self.line, message)
                    .with_hint(Remedy::NameColumns(vec![(kind.column, None)]))
            });
        }
        for names in kind.lists {
            let found: Vec<usize> = (0..self.titles.len())
                .filter(|index| names.contains(&self.titles[*index].as_str()))
                .collect();
            match found[..] {
                [] => {}
                [only] => return Ok(Some(only)),
                [..] => return self.one_of(kind, &found).map(Some),
            }
        }
        Ok(None)
    }

    /// The one of several columns whose files are there; or the first, where all hold the same.
    fn one_of(&mut self, kind: &Kind, found: &[usize]) -> Result<usize> {
        let field = |row: &Fields, column: usize| row.get(column).cloned().unwrap_or_default();
        if kind.holds_names {
            let leads = |column: usize| self.ahead.iter().any(|(row, _)| self.place.has(&field(row, column)));
            let leading: Vec<usize> = found.iter().copied().filter(|column| leads(*column)).collect();
            if let [only] = leading[..] {
                return Ok(only);
            }
        }
        let (first, others) = (found[0], &found[1..]);
        let are_equal = |row: &Fields| others.iter().all(|other| field(row, *other) == field(row, first));
        if !self.ahead.is_empty() && self.ahead.iter().all(|(row, _)| are_equal(row)) {
            self.twins.extend(others.iter().map(|other| (kind.column, first, *other)));
            return Ok(first);
        }
        let titles: Vec<String> = found.iter().map(|column| self.titles[*column].clone()).collect();
        let message =
            format!("{} columns could be the {}: {}", titles.len(), kind.column.as_str(), quoted(&titles));
        let remedy = Remedy::NameColumns(vec![(kind.column, Some(titles[0].clone()))]);
        Err(refused(self.table, self.line, message).with_hint(remedy))
    }

    fn missing(&self, filename: Option<usize>, label: Option<usize>, is_row: bool) -> Error {
        if is_row {
            let message = format!("the first line is no header, but a row of {} fields", self.titles.len());
            return refused(self.table, self.line, message)
                .with_hint(format!("{HEADER_HINT}; put one above"));
        }
        let kinds = [(filename, &FILENAME), (label, &LABEL)];
        let missing: Vec<&Kind> =
            kinds.into_iter().filter(|(found, _)| found.is_none()).map(|(_, kind)| kind).collect();
        let what: Vec<&str> = missing.iter().map(|kind| kind.column.as_str()).collect();
        let columns = missing.iter().map(|kind| (kind.column, None)).collect();
        let message =
            format!("no column for the {} in the header: {}", what.join(" and the "), quoted(self.titles));
        refused(self.table, self.line, message).with_hint(Remedy::NameColumns(columns))
    }
}

/// The columns of a list that starts with its first photo: `path label`, in either order, with a set behind it or not, or
/// as MXNet writes lists: `number label path`.
fn without_header(place: &Place, first: &Fields) -> Option<Columns> {
    let is_photo = |index: usize| place.is_photo(&first[index]);
    let text = |index: usize| String::from_utf8_lossy(&first[index]).trim().to_owned();
    let (filename, label, set) = match first.len() {
        2 if is_photo(0) != is_photo(1) => {
            let filename = usize::from(is_photo(1));
            (filename, 1 - filename, None)
        }
        3 if is_photo(2) && !is_photo(1) && text(0).parse::<u64>().is_ok() => (2, 1, None),
        3 if is_photo(0) && !is_photo(1) && Subset::named(&text(2)).is_some() => (0, 1, Some(2)),
        _ => return None,
    };
    let (folder, is_validity, twins) = (None, false, Vec::new());
    Some(Columns { filename, folder, label, set, is_validity, count: first.len(), has_header: false, twins })
}

//! Where the files of a table lie: below its folder or the one that a person names, or in one beside or above it.

use super::super::walk::{self, Kind};
use super::super::{name, quoted};
use super::{Problem, Row};
use crate::error::Result;
use crate::notice::Notice;
use crate::remedy::Remedy;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

/// Endings of photos, as far as a name that lacks one is completed.
const ENDINGS: [&str; 12] =
    ["jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "gif", "heic", "JPG", "JPEG", "PNG"];

/// So many of the names that lead nowhere are looked for in folders beside the table's, and in so many folders.
const TRIED_NAMES: usize = 20;
const TRIED_FOLDERS: usize = 1_000;

/// The folder that file names are relative to.
pub(super) struct Place {
    pub(super) root: PathBuf,
    /// A person named it.
    pub(super) is_named: bool,
}

impl Place {
    /// Whether a field leads to a file.
    pub(super) fn has(&self, field: &[u8]) -> bool {
        !field.trim_ascii().is_empty() && exists(&self.root.join(self.relative(field)))
    }

    /// Whether a field is the name of a photo, by its ending or because there is such a file.
    pub(super) fn is_photo(&self, field: &[u8]) -> bool {
        let field = field.trim_ascii();
        let ending = field.iter().rposition(|byte| *byte == b'.').map(|dot| &field[dot + 1..]);
        let has_ending = ending
            .is_some_and(|ending| ENDINGS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(ending)));
        has_ending || self.has(field) && self.root.join(self.relative(field)).is_file()
    }

    /// Whether one of these fields is, or holds, the name of a photo.
    pub(super) fn looks_like_photo(&self, fields: &[Vec<u8>]) -> bool {
        let words = |field: &Vec<u8>| field.split(|byte| *byte == b' ').any(|word| self.is_photo(word));
        fields.iter().any(|field| self.is_photo(field) || words(field))
    }

    /// The path below the root that a field means; without the spaces around it, if nothing else is there.
    pub(super) fn relative(&self, field: &[u8]) -> PathBuf {
        let trimmed = field.trim_ascii();
        let field = if trimmed != field && !exists(&self.root.join(located(&self.root, field))) {
            trimmed
        } else {
            field
        };
        with_ending(&self.root, located(&self.root, field))
    }

    /// Looks once for the files of rows whose path leads nowhere: below the folder, by the last parts of their paths, with or
    /// without the ending; then in the folders beside and above. Says how many were found so.
    pub(super) fn find(&self, rows: &mut [Row], problems: &mut Vec<Problem>) -> Result<Vec<Notice>> {
        let mut notes = Vec::new();
        let all = rows.len();
        let mut lost: Vec<&mut Row> = rows.iter_mut().filter(|row| is_lost(row)).collect();
        if lost.is_empty() {
            return Ok(notes);
        }
        notes.extend(self.find_below(&mut lost, problems)?);
        lost.retain(|row| is_lost(row));
        // Where some files lie here, one that is missing is missing: elsewhere another may have its name.
        if !self.is_named && lost.len() == all {
            notes.extend(self.find_beside(&mut lost, problems));
        }
        Ok(notes)
    }

    fn find_below(&self, lost: &mut [&mut Row], problems: &mut Vec<Problem>) -> Result<Option<Notice>> {
        let folder = if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root };
        let files = walk::walk(folder, "", &[])?.files;
        let mut index: BTreeMap<OsString, Vec<usize>> = BTreeMap::new();
        let plain: Vec<PathBuf> = files.iter().map(|(_, path)| plain(path)).collect();
        for (at, path) in plain.iter().enumerate() {
            let names = [path.file_name(), path.file_stem()];
            let distinct = if names[0] == names[1] { 1 } else { 2 };
            for name in names.into_iter().take(distinct).flatten() {
                index.entry(name.to_owned()).or_default().push(at);
            }
        }
        let mut count = 0;
        for row in lost {
            let relative = self::plain(row.path.strip_prefix(&self.root).unwrap_or(&row.path));
            let Some(name) = relative.file_name() else { continue };
            let fits = |at: &&usize| {
                let path = &plain[**at];
                path.ends_with(&relative) || path.with_extension("").ends_with(&relative)
            };
            let found: Vec<usize> = index.get(name).into_iter().flatten().filter(fits).copied().collect();
            if found.len() > 1 {
                let names: Vec<String> = found.iter().take(3).map(|at| files[*at].0.clone()).collect();
                let shown = name::visible(&row.name);
                let message = format!("\"{shown}\" could be {} files: {}", found.len(), quoted(&names));
                problems.push(Problem::new(row.line, message, "write the path below the table's folder"));
            }
            if let [at] = found[..] {
                row.name.clone_from(&files[at].0);
                row.path = self.root.join(files[at].1.strip_prefix(folder).unwrap_or(&files[at].1));
                count += 1;
            }
        }
        Ok((count > 0).then_some(Notice::FoundBelow(count)))
    }

    fn find_beside(&self, lost: &mut [&mut Row], problems: &mut Vec<Problem>) -> Option<Notice> {
        let above = Path::new("..");
        let listed = walk::entries(&self.root.join(above)).ok()?;
        let folders = listed.iter().filter(|entry| matches!(entry.kind, Kind::Folder { .. }));
        let beside = folders.take(TRIED_FOLDERS).map(|entry| above.join(&entry.name));
        let relative = |row: &Row| row.path.strip_prefix(&self.root).unwrap_or(&row.path).to_path_buf();
        let found_in = |folder: &Path, row: &Row| -> Option<PathBuf> {
            let relative = relative(row);
            let inner = with_ending(&self.root.join(folder), relative);
            let path = folder.join(inner);
            exists(&self.root.join(&path)).then_some(path)
        };
        let tried =
            |folder: &PathBuf| lost.iter().take(TRIED_NAMES).any(|row| found_in(folder, row).is_some());
        let found: Vec<PathBuf> = std::iter::once(above.to_path_buf()).chain(beside).filter(tried).collect();
        let [folder] = &found[..] else {
            if let Some(row) = lost.first().filter(|_| !found.is_empty()) {
                let names: Vec<String> = found.iter().map(|folder| name::escape(folder)).collect();
                let message = format!("the files of the table could lie in {}", quoted(&names));
                problems.push(Problem::new(row.line, message, Remedy::NamePhotosFolder));
            }
            return None;
        };
        let mut count = 0;
        for row in lost {
            if let Some(path) = found_in(folder, row) {
                row.name = name::escape(&path);
                row.path = self.root.join(path);
                count += 1;
            }
        }
        Some(Notice::FoundBeside { names: count, folder: name::escape(folder) })
    }
}

/// A path as two systems may write it alike: composed, with slashes.
fn plain(path: &Path) -> PathBuf {
    path.to_string_lossy().replace('\\', "/").nfc().collect::<String>().into()
}

fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

fn is_lost(row: &Row) -> bool {
    let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    row.path.file_name().is_some() && std::fs::symlink_metadata(&row.path).is_err_and(missing)
}

/// The relative path that a table's file name means: as it is, else unescaped, else with `\` for `/`, whichever
/// exists; as it is where none does. `.` parts are dropped, so that one file has one path.
fn located(root: &Path, filename: &[u8]) -> PathBuf {
    let plain = path_from(filename);
    if !filename.contains(&b'\\') || exists(&root.join(&plain)) {
        return plain;
    }
    let is_there = |path: &PathBuf| exists(&root.join(path));
    let text = std::str::from_utf8(filename).ok();
    let unescaped = text.and_then(|text| name::unescape(text).ok()).map(|path| path.components().collect());
    if let Some(path) = unescaped.filter(is_there) {
        return path;
    }
    let slashes: Vec<u8> = filename.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    Some(path_from(&slashes)).filter(is_there).unwrap_or(plain)
}

/// The path, or if there is nothing of that name and it has no ending, with the one ending of photos with which there is.
fn with_ending(root: &Path, path: PathBuf) -> PathBuf {
    if path.extension().is_some() || exists(&root.join(&path)) {
        return path;
    }
    let is_there = |path: &PathBuf| exists(&root.join(path));
    let found: Vec<PathBuf> =
        ENDINGS.iter().map(|ending| path.with_extension(ending)).filter(is_there).collect();
    match &found[..] {
        [only] => only.clone(),
        // Where the case of letters makes no difference, `jpg` and `JPG` lead to one file, which has one spelling.
        [first, others @ ..]
            if others.iter().all(|other| is_one_file(&root.join(first), &root.join(other))) =>
        {
            found.iter().find(|path| is_its_spelling(root, path)).unwrap_or(first).clone()
        }
        _ => path,
    }
}

fn is_its_spelling(root: &Path, path: &Path) -> bool {
    std::fs::canonicalize(root.join(path)).is_ok_and(|real| real.file_name() == path.file_name())
}

fn is_one_file(one: &Path, other: &Path) -> bool {
    matches!((walk::identity(one), walk::identity(other)), (Ok(one), Ok(other)) if one == other)
}

fn path_from(bytes: &[u8]) -> PathBuf {
    // Text that is not UTF-8 is a file name in bytes; where names cannot be bytes it names no file.
    let path = name::unescape(&name::escape_bytes(bytes))
        .unwrap_or_else(|_| PathBuf::from(String::from_utf8_lossy(bytes).into_owned()));
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

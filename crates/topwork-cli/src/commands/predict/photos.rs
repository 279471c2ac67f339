//! The photos that are asked for: files, folders, patterns, and lists on standard input.

use std::ffi::OsStr;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use topwork::dataset::{Skipped, folder, name, table};
use topwork::run::PhotoToPredict;
use topwork::{Error, ErrorKind, PhotoSource};

use crate::failure::Failure;
use crate::terminal::Terminal;

/// The longest name that is taken from standard input, in bytes.
const LONGEST_LINE: u64 = 1 << 16;

/// The most that is taken of a list in UTF-16, in bytes.
const LONGEST_LIST: u64 = 256 << 20;

pub(super) fn list(arguments: &[PathBuf], terminal: Terminal) -> Result<Vec<PhotoToPredict>, Failure> {
    let mut asked = Vec::new();
    for argument in arguments {
        if argument.as_os_str() == OsStr::new("-") {
            for path in lines(std::io::stdin().lock())? {
                add(&path, &mut asked, terminal)?;
            }
        } else if !argument.exists() && is_pattern(argument) {
            let mut found = 0;
            for path in matches(argument)? {
                add(&path, &mut asked, terminal)?;
                found += 1;
            }
            if found == 0 {
                return Err(Error::new(ErrorKind::Configuration, "no files match the pattern")
                    .with_path(argument)
                    .into());
            }
        } else {
            add(argument, &mut asked, terminal)?;
        }
    }
    Ok(asked)
}

fn add(path: &Path, asked: &mut Vec<PhotoToPredict>, terminal: Terminal) -> Result<(), Failure> {
    let listing = folder::photos(path)?;
    if path.is_dir() && listing.photos.is_empty() && listing.skipped.is_empty() {
        terminal.warn(format!("no photos in {}", name::visible(&name::escape(path))));
    }
    let photos = listing.photos.into_iter();
    asked.extend(photos.map(|(name, path)| PhotoToPredict { name, photo: Ok(PhotoSource::File(path)) }));
    let skipped = listing.skipped.into_iter();
    asked.extend(skipped.map(|Skipped { name, reason, .. }| PhotoToPredict { name, photo: Err(reason) }));
    Ok(())
}

/// Names from a list, a line each, written as `topwork` writes them.
fn lines(mut input: impl BufRead) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |error| Failure::from(Error::io("cannot read", Path::new("standard input"), error));
    // Windows' shell writes lists in UTF-16.
    let start = input.fill_buf().map_err(cannot)?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        let mut list = Vec::new();
        input.take(LONGEST_LIST).read_to_end(&mut list).map_err(cannot)?;
        return lines_of_bytes(&table::utf_8(&list).unwrap_or_default()[..]);
    }
    lines_of_bytes(input)
}

fn lines_of_bytes(mut input: impl BufRead) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for number in 1.. {
        let mut line = Vec::new();
        let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let in_line = |error: Error| Failure::from(error.with_path(format!("standard input, line {number}")));
        match read {
            Ok(0) => break,
            Ok(length) if length as u64 == LONGEST_LINE => {
                return Err(in_line(Error::new(ErrorKind::Configuration, "a line is too long to be a name")));
            }
            Ok(_) => {}
            Err(error) => return Err(Error::io("cannot read", Path::new("standard input"), error).into()),
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Windows marks the beginning of a list in UTF-8.
        let line = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if !line.is_empty() {
            // `find` writes bytes as they are, topwork escapes what is not UTF-8: both are understood, and a name
            // that exists as it stands is taken as it stands.
            let plain = path_from_bytes(line);
            let path = match plain.exists() {
                true => plain,
                false => {
                    std::str::from_utf8(line).ok().and_then(|text| name::unescape(text).ok()).unwrap_or(plain)
                }
            };
            paths.push(path);
        }
    }
    Ok(paths)
}

#[cfg(unix)]
fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

fn matches(pattern: &Path) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |why: String| {
        Failure::from(
            Error::new(ErrorKind::Configuration, format!("not a pattern ({why})")).with_path(pattern),
        )
    };
    let text = pattern.to_str().ok_or_else(|| wrong("it is not UTF-8".to_owned()))?;
    let found = glob::glob(text).map_err(|error| wrong(error.to_string()))?;
    Ok(found.filter_map(Result::ok).collect())
}

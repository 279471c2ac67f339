//! `topwork predict`: the most probable classes of each photo, to standard output as soon as they are known.

use std::ffi::OsStr;
use std::io::{BufRead, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use topwork::backbone::{self, Arithmetic};
use topwork::dataset::{folder, name, table};
use topwork::{Classifier, Error, ErrorKind, Precision};

use crate::arguments::{Format, Predict};
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::work::{self, shell_quoted};

/// Photos that are worked on before their answers are written.
const BATCH: usize = 256;

/// The longest name that is taken from standard input, in bytes.
const LONGEST_LINE: u64 = 1 << 16;

/// The most that is taken of a list in UTF-16, in bytes.
const LONGEST_LIST: u64 = 256 << 20;

pub(crate) fn run(arguments: &Predict) -> Result<Outcome, Failure> {
    let terminal = Terminal::new(arguments.work.quiet);
    let classifier = open(arguments, terminal)?;
    let photos = list(&arguments.photos, terminal)?;
    let mut writer = Writer::new(arguments.format, &classifier, arguments.top as usize)?;
    let mut failed = false;
    for batch in photos.chunks(BATCH) {
        let paths: Vec<&Path> = batch.iter().map(|photo| photo.path.as_path()).collect();
        let extraction = work::extract(classifier.extractor(), &paths, &arguments.work, terminal)?;
        for (photo, outcome) in batch.iter().zip(&extraction.photos) {
            let answer = match (&photo.problem, &outcome.row) {
                (Some(problem), _) => Err(problem.clone()),
                (None, Err(unreadable)) => Err(unreadable.to_string()),
                (None, Ok(row)) => Ok(classifier.probabilities(&extraction.features, *row)),
            };
            failed |= answer.is_err();
            writer.write(&photo.name, answer)?;
        }
        writer.flush()?;
    }
    Ok(if failed { Outcome::TooManySkipped } else { Outcome::Done })
}

fn open(arguments: &Predict, terminal: Terminal) -> Result<Classifier, Failure> {
    let isa = work::isa()?;
    if let Some(model) = &arguments.model {
        return Ok(Classifier::open(model, isa)?);
    }
    let mut message = "no --model: these are ImageNet's 1,000 classes, not yours".to_owned();
    if let Some(run) = run_lying_here() {
        message += &format!("; for your classifier add --model {}", shell_quoted(&run));
    }
    terminal.say(message);
    let row = backbone::row(arguments.backbone.as_deref().unwrap_or(topwork::DEFAULT_BACKBONE))?;
    let weights = row.weights()?;
    let ranges = match arguments.precision.map(Precision::from) {
        Some(Precision::F32) => None,
        Some(Precision::Int8) => Some(row.ranges_of(&weights)?),
        None => row.known_ranges(&weights)?,
    };
    let arithmetic = ranges.as_ref().map_or(Arithmetic::F32, Arithmetic::Int8);
    Ok(Classifier::imagenet(row.fit(&weights, row.input, arithmetic, isa)?)?)
}

/// The newest run folder of the default name in the current folder.
fn run_lying_here() -> Option<PathBuf> {
    let runs = std::fs::read_dir(".").ok()?.flatten().map(|entry| PathBuf::from(entry.file_name()));
    runs.filter(|path| path.to_string_lossy().starts_with("topwork-run"))
        .filter_map(|path| {
            let written = path.join("model.safetensors").metadata().ok()?.modified().ok()?;
            Some((written, path))
        })
        .max()
        .map(|(_, path)| path)
}

/// A photo to classify, or a name that leads to none.
struct Asked {
    name: String,
    path: PathBuf,
    problem: Option<String>,
}

fn list(arguments: &[PathBuf], terminal: Terminal) -> Result<Vec<Asked>, Failure> {
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
                return Err(Error::new(ErrorKind::Configuration, "no file fits the pattern")
                    .with_path(argument)
                    .into());
            }
        } else {
            add(argument, &mut asked, terminal)?;
        }
    }
    Ok(asked)
}

fn add(path: &Path, asked: &mut Vec<Asked>, terminal: Terminal) -> Result<(), Failure> {
    let listing = folder::photos(path)?;
    if path.is_dir() && listing.photos.is_empty() && listing.skipped.is_empty() {
        terminal.warn(format!("no photo in {}", name::visible(&name::escape(path))));
    }
    let photos = listing.photos.into_iter().map(|(name, path)| Asked { name, path, problem: None });
    asked.extend(photos);
    asked.extend(listing.skipped.into_iter().map(|skipped| Asked {
        problem: Some(format!("{}: {}", skipped.reason, skipped.detail)),
        name: skipped.name,
        path: skipped.path,
    }));
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

/// Writes answers in the format asked for.
struct Writer<'a> {
    format: Format,
    classifier: &'a Classifier,
    top: usize,
    out: BufWriter<std::io::Stdout>,
}

impl<'a> Writer<'a> {
    fn new(format: Format, classifier: &'a Classifier, top: usize) -> Result<Writer<'a>, Failure> {
        let mut writer = Writer { format, classifier, top, out: BufWriter::new(std::io::stdout()) };
        if format == Format::Csv {
            writer.row(["filename", "rank", "class", "probability", "wnid", "error"])?;
        }
        Ok(writer)
    }

    fn write(&mut self, name: &str, answer: Result<Vec<f64>, String>) -> Result<(), Failure> {
        let record = self.classifier.record();
        let rows: Vec<(usize, &str, f64, &str)> = answer
            .as_ref()
            .map(|probabilities| {
                let mut order: Vec<usize> = (0..probabilities.len()).collect();
                // Equal probabilities keep the order of the classes.
                order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
                let wordnet_id = |class: usize| record.wordnet_ids.get(class).map_or("", String::as_str);
                let row = |(rank, class): (usize, usize)| {
                    (rank + 1, record.classes[class].as_str(), probabilities[class], wordnet_id(class))
                };
                order.into_iter().take(self.top).enumerate().map(row).collect()
            })
            .unwrap_or_default();
        let error = answer.err();
        match self.format {
            Format::Csv => {
                for (rank, class, probability, wordnet_id) in rows {
                    let (rank, probability) = (rank.to_string(), probability.to_string());
                    self.row([name, &rank, class, &probability, wordnet_id, ""])?;
                }
                if let Some(error) = error {
                    self.row([name, "", "", "", "", &error])?;
                }
            }
            Format::Json => {
                let none = serde_json::Value::Null;
                for (rank, class, probability, wordnet_id) in rows {
                    let wnid = if wordnet_id.is_empty() { none.clone() } else { json!(wordnet_id) };
                    self.line(&json!({
                        "filename": name, "rank": rank, "class": class, "probability": probability, "wnid": wnid,
                        "error": none,
                    }))?;
                }
                if let Some(error) = error {
                    self.line(&json!({
                        "filename": name, "rank": none, "class": none, "probability": none, "wnid": none,
                        "error": error,
                    }))?;
                }
            }
            Format::Text => {
                let out = &mut self.out;
                writeln!(out, "{}", name::visible(name))?;
                for (_, class, probability, _) in rows {
                    writeln!(
                        out,
                        "  {:>6} %  {}",
                        topwork::report::percent(probability),
                        name::visible(class)
                    )?;
                }
                if let Some(error) = error {
                    writeln!(out, "  {}", name::visible(&error))?;
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, object: &serde_json::Value) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{object}")?)
    }

    fn row(&mut self, fields: [&str; 6]) -> Result<(), Failure> {
        let mut row = csv::Writer::from_writer(Vec::new());
        row.write_record(fields)?;
        let bytes = row.into_inner().map_err(|error| error.into_error())?;
        Ok(self.out.write_all(&bytes)?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

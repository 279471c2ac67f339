//! What commands share: the instruction set, the feature store, extraction with progress, the stopwatch.

use std::borrow::Cow;
use std::path::Path;
use std::time::Instant;

use topwork::backbone::{self, Arithmetic, Backbone, Row};
use topwork::dataset::name::visible;
use topwork::features::extract::{Extraction, Run};
use topwork::features::store::{self, Store};
use topwork::features::{self, CALIBRATION_PHOTOS};
use topwork::network::Ranges;
use topwork::photo::SampleRange;
use topwork::weights::Cache;
use topwork::{Error, ErrorKind, Extractor, Isa, Precision, Weights};

use crate::arguments::Work;
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::Terminal;

/// The instruction set that `TOPWORK_ISA` names, else the fastest.
pub(crate) fn isa() -> Result<Isa, Failure> {
    let Some(name) = std::env::var_os("TOPWORK_ISA") else { return Ok(Isa::best()) };
    let name = name.to_string_lossy();
    Isa::named(&name).ok_or_else(|| {
        let known: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
        let message =
            format!("TOPWORK_ISA={name}: this processor and this program have {}", known.join(", "));
        Error::new(ErrorKind::Configuration, message).with_hint("unset TOPWORK_ISA for the fastest").into()
    })
}

/// The extractor on the backbone of that name.
pub(crate) fn extractor(name: &str, precision: Precision) -> Result<Extractor, Failure> {
    Ok(Extractor::new(backbone::backbone(name, precision, isa()?)?))
}

/// The backbone on these weights. On bytes, weights from a file need ranges: those that are kept beside them, else such as these
/// photos show, which are kept from then on.
pub(crate) fn backbone_on(
    row: &Row,
    weights: &Weights,
    precision: Precision,
    photos: &[&Path],
    work: &Work,
    terminal: Terminal,
) -> Result<Backbone, Failure> {
    let isa = isa()?;
    let ranges = match precision {
        Precision::F32 => None,
        Precision::Int8 => Some(match row.known_ranges(weights)? {
            Some(ranges) => ranges,
            None => calibrate(row, weights, photos, work.threads, terminal)?,
        }),
    };
    let arithmetic = ranges.as_ref().map_or(Arithmetic::F32, Arithmetic::Int8);
    Ok(row.fit(weights, row.input, arithmetic, isa)?)
}

/// Finds the ranges of these weights on some of the photos, and keeps them beside the weights.
pub(crate) fn calibrate(
    row: &Row,
    weights: &Weights,
    photos: &[&Path],
    threads: Option<u16>,
    terminal: Terminal,
) -> Result<Ranges, Failure> {
    let looked_at = counted(photos.len().min(CALIBRATION_PHOTOS), "photo");
    terminal.say(format!("finding the ranges of int8 for {} on {looked_at}", row.name));
    let run = Run { threads: threads.map_or(0, usize::from), stop: interrupt::flag(), ..Run::default() };
    let ranges = features::calibrate(row, weights, photos, isa()?, &run)?;
    if let Err(error) = Cache::of_user().and_then(|cache| cache.keep_ranges(&ranges)) {
        terminal.warn(format!("the ranges cannot be kept, and are looked for again next time: {error}"));
    }
    Ok(ranges)
}

/// The features of these files, with progress and what the store has to say.
pub(crate) fn extract(
    extractor: &Extractor,
    paths: &[impl AsRef<Path> + Sync],
    work: &Work,
    terminal: Terminal,
) -> Result<Extraction, Failure> {
    with_store(paths.len(), work, terminal, |store, run| extractor.extract(paths, store, run))
}

/// The same where the photos at these places choose how those of 16 bits are read.
pub(crate) fn extract_choosing(
    extractor: Extractor,
    paths: &[impl AsRef<Path> + Sync],
    choosing: &[usize],
    work: &Work,
    terminal: Terminal,
) -> Result<(Extractor, Extraction), Failure> {
    with_store(paths.len(), work, terminal, |store, run| {
        extractor.extract_choosing(paths, choosing, store, run)
    })
}

fn with_store<T>(
    photos: usize,
    work: &Work,
    terminal: Terminal,
    extract: impl FnOnce(&Store, &Run) -> topwork::Result<T>,
) -> Result<T, Failure> {
    let folder = match (&work.store, work.no_store) {
        (_, true) => None,
        (Some(folder), false) => Some(folder.clone()),
        (None, false) => store::default_folder()
            .map_err(|error| terminal.warn(format!("no feature store: {error}; TOPWORK_CACHE can name one")))
            .ok(),
    };
    let store = folder.as_deref().map_or_else(Store::none, Store::open);
    let said = store.notes();
    for note in &said {
        terminal.warn(note);
    }
    let extraction = {
        let progress = terminal.progress("photos", photos);
        let run = Run {
            threads: work.threads.map_or(0, usize::from),
            progress: &|now| progress.set(now.done),
            stop: interrupt::flag(),
        };
        extract(&store, &run)
    };
    for note in store.close().iter().skip(said.len()) {
        terminal.warn(note);
    }
    if let Some(status) = folder.as_deref().map(store::status).filter(store::Status::is_large) {
        terminal.warn(format!(
            "the feature store has {:.1} GB; `topwork store clear` deletes it, and features are computed anew",
            (status.bytes + status.damaged_bytes) as f64 / 1e9
        ));
    }
    Ok(extraction?)
}

/// How photos of 16 bits are read, where there are some and they do not simply use all bits.
pub(crate) fn range_note(range: SampleRange, photos: usize) -> Option<String> {
    let photos = counted(photos, "photo");
    let values = match range {
        SampleRange::Bits(16) => return None,
        SampleRange::Bits(bits) => format!("use {bits} of them: 0 is black, {} white", (1u32 << bits) - 1),
        SampleRange::Between(black, white) => format!("are read from {black} (black) to {white} (white)"),
        _ => return None,
    };
    Some(format!("{photos} of 16 bits {values}"))
}

/// How many of these photos have samples of 16 bits.
pub(crate) fn of_sixteen_bits(extraction: &Extraction) -> usize {
    extraction.facts.iter().filter(|facts| facts.samples.is_some()).count()
}

/// Seconds of each stage of a command, in their order.
pub(crate) struct Stopwatch {
    last: Instant,
    stages: Vec<(String, f64)>,
}

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch { last: Instant::now(), stages: Vec::new() }
    }

    /// The time since the last stage ended belongs to this one.
    pub(crate) fn stage(&mut self, name: &str) {
        let now = Instant::now();
        self.stages.push((name.to_owned(), (now - self.last).as_secs_f64()));
        self.last = now;
    }

    pub(crate) fn stages(&self) -> &[(String, f64)] {
        &self.stages
    }
}

/// A path as an argument for a shell, quoted where it must be. What a terminal should not see, or cannot, is written
/// as `$'\NNN'`, which bash, zsh and POSIX since 2024 turn back into the bytes of the name.
pub(crate) fn shell_quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./+,=@%:".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    let shown = |text: &str| visible(text) == text;
    if matches!(text, Cow::Borrowed(text) if shown(text)) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let octal = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("\\{byte:03o}")).collect() };
    let mut quoted = "$'".to_owned();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut bytes = [0; 4];
            let text = character.encode_utf8(&mut bytes);
            match character {
                '\'' | '\\' => quoted.extend(['\\', character]),
                _ if shown(text) => quoted.push(character),
                _ => quoted += &octal(text.as_bytes()),
            }
        }
        quoted += &octal(chunk.invalid());
    }
    quoted + "'"
}

/// A number with its noun: `1 file`, `1,200 classes`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let plural = match noun.strip_suffix('s') {
        Some(stem) if noun.ends_with("ss") => format!("{stem}ses"),
        _ => format!("{noun}s"),
    };
    format!("{} {}", topwork::report::grouped(number as u64), if number == 1 { noun } else { &plural })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_nouns() {
        assert_eq!(counted(1, "class"), "1 class");
        assert_eq!(counted(1_200, "class"), "1,200 classes");
        assert_eq!(counted(0, "photo"), "0 photos");
    }

    #[test]
    fn arguments_are_quoted_where_a_shell_would_change_them() {
        for (path, expected) in [
            ("a/b-1.jpg", "a/b-1.jpg"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("é", "'é'"),
            ("a\nit's\\\u{1b}1", r"$'a\012it\'s\\\0331'"),
            ("\u{202e}x", r"$'\342\200\256x'"),
        ] {
            assert_eq!(shell_quoted(Path::new(path)), expected);
        }
    }
}

//! The full pipeline from files to stored features, as training runs it: photos a second, and where the time goes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jpeg_encoder::{ColorType, Encoder};
use serde_json::{Map, Value, json};
use topwork::dataset::folder;
use topwork::features::extract::{Progress, Seconds};
use topwork::features::store::Store;
use topwork::report::counted;
use topwork::{CancelToken, Error, ErrorKind, Execution, Extractor, PhotoSource};

use super::{Measurements, figure, percent, rounded, row, threads_named};
use crate::failure::Failure;
use crate::interrupt;
use crate::pictures::{Kind, SIDE, draw};

/// Pictures of each kind that are drawn, and files that each makes: enough that opening a store does not count.
const DRAWN: u64 = 8;
const COPIES: u32 = 16;

const QUALITY: u8 = 90;

pub(super) fn measure(
    extractor: &Extractor,
    photos: &[PathBuf],
    threads: &[usize],
    seconds: f64,
    report: &mut Measurements,
) -> Result<(), Failure> {
    let scratch = tempfile::tempdir()
        .map_err(|error| Error::io("cannot create a folder in", &std::env::temp_dir(), error))?;
    let (paths, source) = if photos.is_empty() {
        let paths = drawn(scratch.path())?;
        let source = format!("{} of {SIDE} x {SIDE}", counted(paths.len(), "drawn picture"));
        (paths, source)
    } else {
        let paths = listed(photos)?;
        let source = counted(paths.len(), "photo");
        (paths, source)
    };
    // The first photo of a worker costs more: its buffers have no memory yet.
    let execution = Execution { isa: extractor.isa(), threads: 1, cancel: interrupt::token() };
    let photos = PhotoSource::files(&paths);
    let first = &photos[..photos.len().min(threads.last().copied().unwrap_or(1))];
    extractor.extract(first, &Store::none(), execution.with_threads(first.len()), &|_| {})?;

    let measured: Vec<Measured> = threads
        .iter()
        .map(|&threads| Measured::new(extractor, &photos, scratch.path(), threads, seconds))
        .collect::<Result<_, Failure>>()?;
    report.line(format!("line from files to stored features, {source}"));
    let mut header = row(["ms a photo and thread"]);
    for measured in &measured {
        header.extend([threads_named(measured.threads), "of the time".to_owned()]);
    }
    let mut rows = vec![header];
    for (stage, name) in STAGES.iter().enumerate() {
        let mut cells = row([name]);
        for measured in &measured {
            let stages = measured.stages();
            cells.extend([figure(1e3 * stages[stage]), percent(stages[stage] / measured.whole())]);
        }
        rows.push(cells);
    }
    let mut cells = row(["whole"]);
    measured.iter().for_each(|measured| cells.extend([figure(1e3 * measured.whole()), String::new()]));
    rows.push(cells);
    let mut cells = row(["photos/s"]);
    measured.iter().for_each(|measured| cells.extend([figure(measured.speed()), String::new()]));
    rows.push(cells);
    report.table(&rows);
    let failed = measured.iter().map(|measured| measured.progress.failed).max().unwrap_or(0);
    if failed > 0 {
        report.line(format!("  {} could not be used; `topwork check` says why", counted(failed, "file")));
    }
    report.line("");
    let runs: Vec<Value> = measured.iter().map(Measured::json).collect();
    report.figure("line", json!({ "source": source, "files": paths.len(), "runs": runs }));
    Ok(())
}

/// The stages in their order; the last is what the others leave of the time: looking for duplicates, waiting for the
/// store's last commit.
const STAGES: [&str; 7] = ["read", "hash", "decode", "resize", "network", "store", "other"];

/// What went through the line in the given time.
struct Measured {
    threads: usize,
    seconds: f64,
    progress: Progress,
}

impl Measured {
    /// Photos from the first on, with a store that knows none of them; from the beginning again where they do not last.
    fn new(
        extractor: &Extractor,
        photos: &[PhotoSource],
        scratch: &Path,
        threads: usize,
        seconds: f64,
    ) -> Result<Measured, Failure> {
        let mut measured = Measured { threads, seconds: 0.0, progress: Progress::default() };
        let mut hopeless = false;
        while measured.seconds < seconds && !hopeless {
            let folder = tempfile::tempdir_in(scratch)
                .map_err(|error| Error::io("cannot create a folder in", scratch, error))?;
            let store = Store::open(folder.path());
            let start = Instant::now();
            let deadline = Duration::from_secs_f64(seconds - measured.seconds);
            let cancel = CancelToken::new();
            let latest = Mutex::new(Progress::default());
            let progress = |now: Progress| {
                let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
                if now.done > latest.done {
                    *latest = now;
                }
                if start.elapsed() >= deadline || interrupt::requested() {
                    cancel.cancel();
                }
            };
            let execution = Execution { isa: extractor.isa(), threads, cancel: &cancel };
            match extractor.extract(photos, &store, execution, &progress) {
                Ok(extraction) => hopeless = extraction.progress.computed == 0,
                Err(error) if error.kind() == ErrorKind::Interrupted && !interrupt::requested() => {}
                Err(error) => return Err(error.into()),
            }
            store.close();
            measured.seconds += start.elapsed().as_secs_f64();
            let latest = latest.into_inner().unwrap_or_else(PoisonError::into_inner);
            add(&mut measured.progress, &latest);
        }
        if measured.progress.computed == 0 {
            let error = Error::new(ErrorKind::Dataset, "none of the files is a photo that can be used");
            return Err(error.with_hint("topwork check PHOTOS").into());
        }
        Ok(measured)
    }

    /// Photos a second.
    fn speed(&self) -> f64 {
        self.progress.computed as f64 / self.seconds
    }

    /// Seconds of one thread for a photo.
    fn whole(&self) -> f64 {
        self.threads as f64 / self.speed()
    }

    /// Seconds of one thread for a photo, in the order of [`STAGES`].
    fn stages(&self) -> [f64; STAGES.len()] {
        let Seconds { read, hash, store, decode, resize, network } = self.progress.seconds;
        let known = [read, hash, decode, resize, network, store];
        let mut stages = [0.0; STAGES.len()];
        for (stage, seconds) in stages.iter_mut().zip(known) {
            *stage = seconds / self.progress.computed as f64;
        }
        stages[STAGES.len() - 1] = (self.whole() - stages.iter().sum::<f64>()).max(0.0);
        stages
    }

    fn json(&self) -> Value {
        let stages = STAGES.iter().zip(self.stages());
        let mut milliseconds: Map<String, Value> =
            stages.map(|(name, seconds)| ((*name).to_owned(), rounded(1e3 * seconds))).collect();
        milliseconds.insert("whole".to_owned(), rounded(1e3 * self.whole()));
        json!({
            "threads": self.threads,
            "seconds": rounded(self.seconds),
            "photos": self.progress.computed,
            "failed": self.progress.failed,
            "photos_per_second": rounded(self.speed()),
            "milliseconds": milliseconds,
        })
    }
}

fn add(sum: &mut Progress, more: &Progress) {
    sum.computed += more.computed;
    sum.failed += more.failed;
    let (sum, more) = (&mut sum.seconds, &more.seconds);
    sum.read += more.read;
    sum.hash += more.hash;
    sum.store += more.store;
    sum.decode += more.decode;
    sum.resize += more.resize;
    sum.network += more.network;
}

fn listed(photos: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for photo in photos {
        if !photo.exists() {
            return Err(Error::new(ErrorKind::Dataset, "there is no such photo or folder")
                .with_path(photo)
                .into());
        }
        paths.extend(folder::photos(photo)?.photos.into_iter().map(|(_, path)| path));
    }
    if paths.is_empty() {
        let error = Error::new(ErrorKind::Dataset, "no photo in this folder").with_path(&photos[0]);
        return Err(error.into());
    }
    Ok(paths)
}

/// Draws pictures into that folder. Copies differ in bytes after the end of the picture, which no decoder looks at.
fn drawn(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for kind in Kind::ALL {
        for seed in 0..DRAWN {
            let mut jpeg = Vec::new();
            Encoder::new(&mut jpeg, QUALITY).encode(&draw(kind, seed), SIDE, SIDE, ColorType::Rgb).map_err(
                |error| Error::new(ErrorKind::Bug, "a picture cannot be encoded").with_source(error),
            )?;
            for copy in 0..COPIES {
                let path = folder.join(format!("{}-{seed}-{copy}.jpg", kind.name()));
                let bytes = [jpeg.as_slice(), &copy.to_le_bytes()].concat();
                std::fs::write(&path, bytes).map_err(|error| Error::io("cannot write", &path, error))?;
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

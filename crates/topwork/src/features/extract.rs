//! From files to features on all cores: read, hash, look up, and for photos not seen before decode, resize, network.
//!
//! Whole photos per worker. Photos do not interact, so neither the number of threads nor the order of the files nor
//! what the store knows can change a result. One bad photo never ends a run.

use super::store::{Key, Store};
use super::{Facts, Features};
use crate::error::{Error, ErrorKind, Result};
use crate::execution::{CancelToken, Execution, share};
use crate::fence::fenced;
use crate::network::Layout;
use crate::photo::{Content, Limits, PhotoSource, Reason, SampleCounts, SampleRange, Unreadable};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The steps from a photo to features, whose composition [`extract`] is. `W` is what a worker needs for itself.
pub struct Steps<'a, W> {
    /// Stands for everything that the features of a photo of this content depend on besides it.
    pub identity: &'a (dyn Fn(&Content) -> [u8; 32] + Sync),
    /// How the features of a photo are written.
    pub layout: &'a Layout,
    /// What is read at most.
    pub limits: &'a Limits,
    /// Makes the buffers of one worker.
    pub workspace: &'a (dyn Fn() -> W + Sync),
    /// A photo to a row of features, and what else is known; adds the seconds of decode, resize and network.
    pub features: &'a FeaturesStep<'a, W>,
}

/// See [`Steps::features`].
pub type FeaturesStep<'a, W> =
    dyn Fn(&Content, &mut W, &mut Seconds, &mut [u8]) -> std::result::Result<Facts, Unreadable> + Sync + 'a;

/// Called after every photo, from any thread; a slow thread's call may come after a later count.
pub type OnPhoto<'a> = &'a (dyn Fn(Progress) + Sync);

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Photos in all.
    pub total: usize,
    /// Photos dealt with; the following three add up to it.
    pub done: usize,
    /// Features computed in this run.
    pub computed: usize,
    /// Known: from the store, or the same bytes as another photo of this run (even if that has no features).
    pub known: usize,
    /// Without features.
    pub failed: usize,
    /// Time spent so far, summed over all workers.
    pub seconds: Seconds,
}

/// Seconds by stage, summed over workers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seconds {
    /// Files to bytes.
    pub read: f64,
    /// Bytes to their digest.
    pub hash: f64,
    /// Looking up and keeping.
    pub store: f64,
    /// Bytes to pixels.
    pub decode: f64,
    /// Pixels to the network's input.
    pub resize: f64,
    /// The network.
    pub network: f64,
}

/// What became of one photo.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractedPhoto {
    /// BLAKE3 of its bytes; `None` where they could not be read.
    pub digest: Option<[u8; 32]>,
    /// Its row in [`Extraction::features`], or why it has none. Identical photos share a row.
    pub row: std::result::Result<usize, Unreadable>,
}

/// The features of many photos.
#[derive(Clone, Debug, PartialEq)]
pub struct Extraction {
    /// One row for each different photo that could be used, in the order of their first files.
    pub features: Features,
    /// What else is known of each of these photos.
    pub facts: Vec<Facts>,
    /// One for each file, in the order given.
    pub photos: Vec<ExtractedPhoto>,
    /// Counts and times.
    pub progress: Progress,
}

impl Extraction {
    /// The features of a photo, by its place among the files given; `None` where it has none.
    ///
    /// # Panics
    /// If the place is out of range.
    pub fn features_of(&self, index: usize) -> Option<Vec<f32>> {
        self.photos[index].row.as_ref().ok().map(|row| self.features.row(*row))
    }

    /// The row of features of a photo that is used, by its place among the files given.
    pub(crate) fn row_of(&self, index: usize) -> Result<usize> {
        self.photos[index].row.as_ref().copied().map_err(|unreadable| {
            Error::new(ErrorKind::Bug, format!("a photo without features is used ({unreadable})"))
        })
    }

    /// What is known of a photo besides its features, by its place among the files given; `None` where it has none.
    ///
    /// # Panics
    /// If the place is out of range.
    pub fn facts_of(&self, index: usize) -> Option<Facts> {
        self.photos[index].row.as_ref().ok().map(|row| self.facts[*row])
    }

    /// The digests of the photos that have features, in the order given; `None` for the others.
    pub fn usable_digests(&self) -> Vec<Option<[u8; 32]>> {
        self.photos.iter().map(|photo| photo.digest.filter(|_| photo.row.is_ok())).collect()
    }
}

/// Extracts all these photos with `pass`, which takes photos and a range. Where no range is given and photos of 16 bits are among
/// those at the places `choosing`, these choose the range for all, and the photos that it changes are extracted again.
///
/// # Errors
/// Those of `pass`.
pub fn choose_range(
    photos: &[PhotoSource],
    choosing: &[usize],
    given: SampleRange,
    mut pass: impl FnMut(&[PhotoSource], SampleRange) -> Result<Extraction>,
) -> Result<Extraction> {
    let mut extraction = pass(photos, given)?;
    let samples = |index: usize| extraction.facts_of(index)?.samples;
    let chosen = SampleRange::of_photos(choosing.iter().filter_map(|index| samples(*index)));
    if !given.is_declared() || chosen.is_declared() {
        return Ok(extraction);
    }
    let bits = |samples: SampleCounts| SampleRange::Bits(samples.declared.unwrap_or(16));
    let is_changed = |index: &usize| samples(*index).is_some_and(|samples| bits(samples) != chosen);
    let changed: Vec<usize> = (0..photos.len()).filter(is_changed).collect();
    let again = pass(&changed.iter().map(|index| photos[*index].clone()).collect::<Vec<_>>(), chosen)?;
    for (place, photo) in changed.iter().zip(&again.photos) {
        let (Ok(ours), Ok(theirs)) = (&extraction.photos[*place].row, &photo.row) else { continue };
        extraction.features.bytes_mut(*ours).copy_from_slice(again.features.bytes(*theirs));
        extraction.facts[*ours] = again.facts[*theirs];
    }
    extraction.progress.seconds.add(&again.progress.seconds);
    Ok(extraction)
}

/// The features of all these photos. Identical bytes are computed once, and nothing that the store knows.
///
/// The caller's thread works, too: with one thread, or where the system gives no other, it does everything.
///
/// # Errors
/// Kind `Interrupted` if it was asked to stop; what was computed until then is in the store.
pub fn extract<W>(
    photos: &[PhotoSource],
    steps: &Steps<W>,
    store: &Store,
    execution: Execution,
    on_photo: OnPhoto,
) -> Result<Extraction> {
    let size = Facts::BYTES + steps.layout.row_bytes();
    let mut values = vec![0; photos.len() * size];
    let mut outcomes: Vec<Slot> = Vec::new();
    let progress = Mutex::new(Progress { total: photos.len(), ..Progress::default() });
    {
        let mut rows = values.chunks_mut(size);
        let places = photos.iter().map(|_| Mutex::new((rows.next().unwrap_or_default(), Slot::Untouched)));
        let shared = Shared {
            photos,
            steps,
            store,
            cancel: execution.cancel,
            on_photo,
            places: places.collect(),
            next: AtomicUsize::new(0),
            first: Mutex::new(HashMap::new()),
            progress: &progress,
        };
        let mut workers = vec![(); execution.threads.min(photos.len())];
        share(workers.len(), &mut workers, |workers| workers.iter().for_each(|()| worker(&shared)));
        store.flush();
        outcomes.extend(
            shared
                .places
                .into_iter()
                .map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner).1),
        );
    }
    execution.cancel.check("the extraction of features")?;
    let progress = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    gathered(values, steps.layout, outcomes, progress)
}

/// What became of one file while the run goes on.
enum Slot {
    Untouched,
    Unread(Unreadable),
    /// Its row of the matrix is filled: facts, then features.
    Filled([u8; 32]),
    Refused([u8; 32], Unreadable),
    /// The same bytes as a file that another worker has, or had.
    Same([u8; 32]),
}

struct Shared<'a, W> {
    photos: &'a [PhotoSource],
    steps: &'a Steps<'a, W>,
    store: &'a Store,
    cancel: &'a CancelToken,
    on_photo: OnPhoto<'a>,
    places: Vec<Mutex<(&'a mut [u8], Slot)>>,
    next: AtomicUsize,
    first: Mutex<HashMap<[u8; 32], usize>>,
    progress: &'a Mutex<Progress>,
}

fn worker<W>(shared: &Shared<W>) {
    let mut workspace = None;
    while !shared.cancel.is_cancelled() {
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        let Some(photo) = shared.photos.get(index) else { return };
        let mut trace = Trace::default();
        let mut place = locked(&shared.places[index]);
        let (row, slot) = &mut *place;
        let (became, source) = fenced(|| one(shared, index, photo, &mut workspace, &mut trace, row))
            .unwrap_or_else(|| {
                // Buffers that a panic left half-written are not used again.
                workspace = None;
                let unreadable =
                    Unreadable::new(Reason::Internal, "a defect of topwork: this photo made it panic");
                match trace.digest {
                    Some(digest) => (Slot::Refused(digest, unreadable), Source::Refused),
                    None => (Slot::Unread(unreadable), Source::Refused),
                }
            });
        *slot = became;
        drop(place);
        let now = {
            let mut progress = locked(shared.progress);
            progress.done += 1;
            match source {
                Source::Computed => progress.computed += 1,
                Source::Known => progress.known += 1,
                Source::Refused => progress.failed += 1,
            }
            progress.seconds.add(&trace.seconds);
            *progress
        };
        (shared.on_photo)(now);
    }
}

/// What is known of a photo so far, kept where a panic leaves it.
#[derive(Default)]
struct Trace {
    seconds: Seconds,
    digest: Option<[u8; 32]>,
}

enum Source {
    Computed,
    Known,
    Refused,
}

fn one<W>(
    shared: &Shared<W>,
    index: usize,
    photo: &PhotoSource,
    workspace: &mut Option<W>,
    trace: &mut Trace,
    row: &mut [u8],
) -> (Slot, Source) {
    let steps = shared.steps;
    let Trace { seconds, digest: hashed } = trace;
    let content = match timed(&mut seconds.read, || photo.content(steps.limits)) {
        Ok(content) => content,
        Err(unreadable) => return (Slot::Unread(unreadable), Source::Refused),
    };
    let digest = timed(&mut seconds.hash, || content.digest());
    *hashed = Some(digest);
    let first = *locked(&shared.first).entry(digest).or_insert(index);
    if first != index {
        return (Slot::Same(digest), Source::Known);
    }
    let key = Key::new(&digest, &(steps.identity)(&content));
    match timed(&mut seconds.store, || shared.store.look_up(&key, row)) {
        Some(Ok(())) if steps.layout.is_finite(&row[Facts::BYTES..]) => {
            return (Slot::Filled(digest), Source::Known);
        }
        Some(Err(unreadable)) if is_lasting(&unreadable) => {
            return (Slot::Refused(digest, unreadable), Source::Refused);
        }
        _ => {}
    }
    let workspace = workspace.get_or_insert_with(steps.workspace);
    let (facts, features) = row.split_at_mut(Facts::BYTES);
    match (steps.features)(&content, workspace, seconds, features) {
        Ok(found) => {
            facts.copy_from_slice(&found.to_bytes());
            timed(&mut seconds.store, || shared.store.keep(key, || Ok(row.to_vec())));
            (Slot::Filled(digest), Source::Computed)
        }
        Err(unreadable) => {
            if is_lasting(&unreadable) {
                timed(&mut seconds.store, || shared.store.keep(key, || Err(unreadable.clone())));
            }
            (Slot::Refused(digest, unreadable), Source::Refused)
        }
    }
}

/// Whether a verdict depends on the photo's bytes alone: not on limits that can be set, on the formats that this build
/// decodes, nor on the moment.
fn is_lasting(unreadable: &Unreadable) -> bool {
    match unreadable.reason {
        Reason::Empty | Reason::NotAnImage | Reason::Truncated | Reason::Corrupt => true,
        Reason::Unsupported
        | Reason::TooLarge
        | Reason::NotAFile
        | Reason::Missing
        | Reason::NoPermission
        | Reason::Io
        | Reason::Internal => false,
    }
}

pub(super) fn timed<T>(seconds: &mut f64, action: impl FnOnce() -> T) -> T {
    // WebAssembly has no clock of its own, and the standard library's panics there.
    if cfg!(all(target_family = "wasm", target_os = "unknown")) {
        return action();
    }
    let start = Instant::now();
    let result = action();
    *seconds += start.elapsed().as_secs_f64();
    result
}

impl Seconds {
    fn add(&mut self, other: &Seconds) {
        self.read += other.read;
        self.hash += other.hash;
        self.store += other.store;
        self.decode += other.decode;
        self.resize += other.resize;
        self.network += other.network;
    }
}

/// Locks that only ever guard whole assignments are sound after a panic elsewhere.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes the gaps that photos without features of their own left in the matrix.
fn gathered(
    mut values: Vec<u8>,
    layout: &Layout,
    slots: Vec<Slot>,
    progress: Progress,
) -> Result<Extraction> {
    // Which of several identical files was computed depends on the threads; the order of rows must not, so it is
    // the order of the first files.
    let mut computed: HashMap<[u8; 32], usize> = HashMap::new();
    let mut refused: HashMap<[u8; 32], Unreadable> = HashMap::new();
    for (index, slot) in slots.iter().enumerate() {
        match slot {
            Slot::Filled(digest) => drop(computed.insert(*digest, index)),
            Slot::Refused(digest, unreadable) => drop(refused.insert(*digest, unreadable.clone())),
            _ => {}
        }
    }
    let mut row_of: HashMap<[u8; 32], usize> = HashMap::new();
    let mut source = Vec::new();
    let mut photos = Vec::with_capacity(slots.len());
    for slot in slots {
        let (digest, row) = match slot {
            Slot::Unread(unreadable) => (None, Err(unreadable)),
            Slot::Untouched => return Err(untouched()),
            Slot::Filled(digest) | Slot::Same(digest) | Slot::Refused(digest, _) => {
                let row = match (computed.get(&digest), refused.get(&digest)) {
                    (Some(&index), _) => Ok(*row_of.entry(digest).or_insert_with(|| {
                        source.push(index);
                        source.len() - 1
                    })),
                    (None, Some(unreadable)) => Err(unreadable.clone()),
                    (None, None) => return Err(untouched()),
                };
                (Some(digest), row)
            }
        };
        photos.push(ExtractedPhoto { digest, row });
    }
    let row_bytes = layout.row_bytes();
    let size = Facts::BYTES + row_bytes;
    let facts = source
        .iter()
        .map(|&index| values[index * size..].first_chunk().map_or_else(Facts::default, Facts::from_bytes));
    let facts = facts.collect();
    let of = |index: usize| index * size + Facts::BYTES..(index + 1) * size;
    if source.is_sorted() {
        for (row, &index) in source.iter().enumerate() {
            values.copy_within(of(index), row * row_bytes);
        }
        values.truncate(source.len() * row_bytes);
        values.shrink_to_fit();
    } else {
        values = source.iter().flat_map(|&index| &values[of(index)]).copied().collect();
    }
    Ok(Extraction { features: Features { layout: layout.clone(), bytes: values }, facts, photos, progress })
}

fn untouched() -> Error {
    Error::new(ErrorKind::Bug, "a photo was not looked at")
}

#[cfg(test)]
mod tests;

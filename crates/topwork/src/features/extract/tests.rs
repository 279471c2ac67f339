//! Extraction with a stand-in for the network: features are the sums of a photo's bytes.

use super::*;
use crate::features::store::Mode;
use crate::photo::SampleCounts;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

const WIDTH: usize = 5;

fn bytes_of<'a>(content: &'a Content) -> &'a [u8] {
    match content {
        Content::Bytes(bytes) => bytes,
        Content::Pixels(photo) => &photo.pixels,
    }
}

fn on_threads(threads: usize) -> Execution<'static> {
    Execution::default().with_threads(threads)
}

fn layout() -> Layout {
    Layout::plain(WIDTH, 0)
}

fn row(bytes: &[u8]) -> Vec<u8> {
    expected(bytes).iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn facts(bytes: &[u8]) -> Facts {
    let samples = SampleCounts { all: bytes.len() as u64, ..SampleCounts::default() };
    Facts { samples: Some(samples), ..Facts::default() }
}

fn expected(bytes: &[u8]) -> Vec<f32> {
    (0..WIDTH)
        .map(|start| bytes.iter().skip(start).step_by(WIDTH).map(|byte| f32::from(*byte)).sum())
        .collect()
}

/// Runs a stand-in that refuses what starts with `bad`, panics at `panic`, and counts its calls.
fn run(paths: &[PathBuf], store: &Store, threads: usize, calls: &AtomicU64) -> Extraction {
    let features = |content: &Content, workspace: &mut Vec<u8>, seconds: &mut Seconds, out: &mut [u8]| {
        let bytes = bytes_of(content);
        calls.fetch_add(1, Ordering::Relaxed);
        seconds.decode += 0.001;
        assert!(workspace.is_empty(), "a workspace survived a panic");
        if bytes.starts_with(b"panic") {
            workspace.push(1);
            panic!("wanted by the test");
        }
        if let Some(reason) = bytes.strip_prefix(b"bad:") {
            let reason = Reason::named(std::str::from_utf8(reason).unwrap()).unwrap();
            return Err(Unreadable::new(reason, "a\0detail\nof two lines"));
        }
        out.copy_from_slice(&row(bytes));
        Ok(facts(bytes))
    };
    let steps = Steps {
        identity: &|_| [7; 32],
        layout: &layout(),
        limits: &Limits::default(),
        workspace: &Vec::new,
        features: &features,
    };
    extract(&PhotoSource::files(paths), &steps, store, on_threads(threads), &|_| {}).unwrap()
}

fn photos(folder: &Path, contents: &[&[u8]]) -> Vec<PathBuf> {
    contents
        .iter()
        .enumerate()
        .map(|(index, bytes)| {
            let path = folder.join(format!("{index}.jpg"));
            std::fs::write(&path, bytes).unwrap();
            path
        })
        .collect()
}

#[test]
fn the_result_does_not_depend_on_threads_or_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let mut contents: Vec<Vec<u8>> =
        (0..200_u32).map(|index| (index % 150).to_le_bytes().repeat(1 + index as usize % 150)).collect();
    contents[3] = b"bad:corrupt".to_vec();
    contents[20] = b"panic".to_vec();
    contents[90] = b"panic".to_vec();
    contents[155] = b"bad:corrupt".to_vec();
    let slices: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    let mut paths = photos(folder.path(), &slices);
    paths.insert(9, folder.path().join("none.jpg"));

    let calls = AtomicU64::new(0);
    let plain = run(&paths, &Store::none(), 1, &calls);
    assert_eq!(plain.progress.done, 201);
    assert_eq!(plain.photos[9].row.as_ref().unwrap_err().reason, Reason::Missing);
    assert_eq!(plain.photos[9].digest, None);
    assert_eq!(plain.photos[3].row, plain.photos[156].row);
    assert_eq!(plain.photos[21].row.as_ref().unwrap_err().reason, Reason::Internal);
    assert_eq!(plain.photos[91].row, plain.photos[21].row);
    // 200 photos, of which 150 differ; photo 3's twin (153) is then alone; 20 and 90 panic, as one.
    for (index, outcome) in plain.photos.iter().enumerate() {
        if let Ok(row) = outcome.row {
            let bytes = std::fs::read(&paths[index]).unwrap();
            assert_eq!(plain.features.row(row), expected(&bytes), "photo {index}");
            assert_eq!(plain.facts_of(index), Some(facts(&bytes)));
            assert_eq!(outcome.digest, Some(*blake3::hash(&bytes).as_bytes()));
        }
    }
    let rows = plain.photos.iter().filter_map(|outcome| outcome.row.as_ref().ok()).max();
    assert_eq!(plain.features.len(), rows.unwrap() + 1);

    let cache = tempfile::tempdir().unwrap();
    let different = calls.swap(0, Ordering::Relaxed);
    for threads in [4, 2, 3, 1] {
        let store = Store::open(cache.path());
        assert_eq!(store.mode(), Mode::Writing);
        let again = run(&paths, &store, threads, &calls);
        assert_eq!(again.features, plain.features, "{threads} threads");
        assert_eq!(again.facts, plain.facts, "{threads} threads");
        assert_eq!(again.photos, plain.photos, "{threads} threads");
        assert_eq!(store.close(), Vec::new());
        // Only the photo that panics is tried again.
        assert_eq!(calls.swap(0, Ordering::Relaxed), if threads == 4 { different } else { 1 });
    }
}

#[test]
fn verdicts_that_depend_on_more_than_the_bytes_are_not_kept() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let paths = photos(folder.path(), &[b"bad:too-large", b"bad:truncated", b"bad:unsupported"]);
    for expected in [3, 2] {
        let (store, calls) = (Store::open(cache.path()), AtomicU64::new(0));
        let reasons: Vec<Reason> = run(&paths, &store, 1, &calls)
            .photos
            .into_iter()
            .map(|photo| photo.row.unwrap_err().reason)
            .collect();
        assert_eq!(reasons, [Reason::TooLarge, Reason::Truncated, Reason::Unsupported]);
        assert_eq!(calls.into_inner(), expected);
    }
}

#[test]
fn a_stop_keeps_what_is_done() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let contents: Vec<Vec<u8>> = (0..500_u32).map(|index| index.to_le_bytes().to_vec()).collect();
    let slices: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    let paths = photos(folder.path(), &slices);

    let cancel = CancelToken::new();
    let features = |content: &Content, _: &mut (), _: &mut Seconds, out: &mut [u8]| {
        let bytes = bytes_of(content);
        out.copy_from_slice(&row(bytes));
        Ok(facts(bytes))
    };
    let steps = Steps {
        identity: &|_| [7; 32],
        layout: &layout(),
        limits: &Limits::default(),
        workspace: &|| (),
        features: &features,
    };
    let progress = |progress: Progress| {
        if progress.done >= 100 {
            cancel.cancel();
        }
    };
    let store = Store::open(cache.path());
    let execution = on_threads(2).with_cancel(&cancel);
    let error = extract(&PhotoSource::files(&paths), &steps, &store, execution, &progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    drop(store);

    let calls = AtomicU64::new(0);
    let again = run(&paths, &Store::open(cache.path()), 2, &calls);
    let known = again.progress.known;
    // Two workers: each may have had one more in hand.
    assert!((100..=103).contains(&known), "{known}");
    assert_eq!(calls.into_inner(), 500 - known as u64);
}

#[test]
fn nothing_and_no_width_are_fine() {
    let calls = AtomicU64::new(0);
    let nothing = run(&[], &Store::none(), 0, &calls);
    assert!(nothing.features.is_empty() && nothing.photos.is_empty());
}

/// A row of both maps serves who needs the last alone; a row of the last alone is computed again.
#[test]
fn rows_of_more_serve_who_needs_less() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let paths = photos(folder.path(), &[b"one", b"two"]);
    let computed = |tapped: usize, calls: usize| {
        let counted = AtomicU64::new(0);
        let features = |content: &Content, _: &mut (), _: &mut Seconds, out: &mut [u8]| {
            let bytes = bytes_of(content);
            counted.fetch_add(1, Ordering::Relaxed);
            let values = (0..out.len() / 4).flat_map(|at| (f32::from(bytes[0]) + at as f32).to_le_bytes());
            out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
            Ok(facts(bytes))
        };
        let layout = Layout::plain(3, tapped);
        let steps = Steps {
            identity: &|_| [7; 32],
            layout: &layout,
            limits: &Limits::default(),
            workspace: &|| (),
            features: &features,
        };
        let store = Store::open(cache.path());
        let extraction =
            extract(&PhotoSource::files(&paths), &steps, &store, on_threads(2), &|_| {}).unwrap();
        assert_eq!(counted.into_inner(), calls as u64, "{tapped}");
        assert_eq!(extraction.features_of(1).unwrap()[..3], [116.0, 117.0, 118.0]);
        assert_eq!(extraction.features.layout(), &layout);
    };
    computed(0, 2);
    computed(0, 0);
    computed(2, 2);
    computed(2, 0);
    computed(0, 0);
}

/// Extracts with the stand-in, which calls `look` for each photo that it computes.
fn with_look(sources: &[PhotoSource], threads: usize, look: &(dyn Fn() + Sync)) -> Extraction {
    let features = |content: &Content, _: &mut (), _: &mut Seconds, out: &mut [u8]| {
        look();
        out.copy_from_slice(&row(bytes_of(content)));
        Ok(facts(bytes_of(content)))
    };
    let steps = Steps {
        identity: &|_| [7; 32],
        layout: &layout(),
        limits: &Limits::default(),
        workspace: &|| (),
        features: &features,
    };
    extract(sources, &steps, &Store::none(), on_threads(threads), &|_| {}).unwrap()
}

/// Photos in memory are the same photos as in files; pixels have a digest of their own.
#[test]
fn bytes_and_pixels_need_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let photo = crate::Photo { width: 2, height: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
    let short = crate::Photo { pixels: vec![1, 2, 3], ..photo.clone() };
    let mut sources = PhotoSource::files(photos(folder.path(), &[b"one"]));
    sources.push(PhotoSource::Bytes(b"one".as_slice().into()));
    sources.push(PhotoSource::Pixels(photo.clone().into()));
    sources.push(PhotoSource::Pixels(short.into()));
    let found = with_look(&sources, 2, &|| {});
    assert_eq!(found.photos[0], found.photos[1]);
    assert_eq!(found.features_of(2), Some(expected(&photo.pixels)));
    assert_eq!(found.photos[3].row.as_ref().unwrap_err().reason, Reason::Corrupt);
}

/// WebAssembly has one thread; it must do.
#[test]
fn one_thread_is_the_callers_own() {
    let folder = tempfile::tempdir().unwrap();
    let sources = PhotoSource::files(photos(folder.path(), &[b"one", b"two", b"three"]));
    let caller = std::thread::current().id();
    let found = with_look(&sources, 1, &|| assert_eq!(std::thread::current().id(), caller));
    assert_eq!(found.progress.computed, 3);
}

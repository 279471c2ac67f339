//! Features on disk, under the digest of the photo's bytes and the identity of the extractor.
//!
//! A redb database in the user's cache folder, never among the photos. It is a convenience and behaves like one:
//! [`Store::open`] never fails, and whatever goes wrong later (disk full, damage, another run) turns into a note
//! and a photo that is computed again. Nothing that is read is trusted: each row carries a checksum.

use crate::error::{Error, ErrorKind, Result};
use crate::folders;
use crate::photo::{Reason, Unreadable};
use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase,
    ReadableTableMetadata, StorageError, TableDefinition, TableError, WriteTransaction,
};
use std::io::ErrorKind as IoKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The file's name in its folder.
pub const FILE_NAME: &str = "features.redb";

/// Above this many bytes a program should say how large the store has become.
pub const LARGE_BYTES: u64 = 2_000_000_000;

/// Rows are committed durably when this many are waiting, or the oldest has waited for [`COMMIT_INTERVAL`].
pub const COMMIT_ROWS: usize = 64;

/// See [`COMMIT_ROWS`].
pub const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

const TABLE: TableDefinition<&[u8; 64], &[u8]> = TableDefinition::new("features 2");

/// Where versions up to 0.1 kept rows of f32; it is deleted, so that its pages are used again.
const FORMER_TABLE: TableDefinition<&[u8; 64], &[u8]> = TableDefinition::new("features 1");

/// Rows are read once a run: a large cache would only cost memory.
const CACHE_BYTES: usize = 32 << 20;

/// A verdict on a photo holds for the version that gave it: a later one may read more formats.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The digest of the photo's bytes, then the identity of the extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 64]);

impl Key {
    /// The key of a photo's features.
    pub fn new(photo: &[u8; 32], extractor: &[u8; 32]) -> Key {
        let mut key = [0; 64];
        key[..32].copy_from_slice(photo);
        key[32..].copy_from_slice(extractor);
        Key(key)
    }
}

/// What is known about a photo: its features as they are kept, or why it has none.
pub type Row = std::result::Result<Vec<u8>, Unreadable>;

/// What a store can do in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reads and keeps.
    Writing,
    /// Reads along while another run writes, or where the folder cannot be written.
    Reading,
    /// Neither.
    Off,
}

enum Handle {
    Writing(Database),
    Reading(ReadOnlyDatabase),
    Off,
}

/// The features of earlier runs.
pub struct Store {
    path: PathBuf,
    handle: Handle,
    notes: Mutex<Vec<String>>,
    /// Its structure turned out broken.
    damaged: AtomicBool,
    /// Nothing is looked up any more in this run.
    unreadable: AtomicBool,
}

impl Store {
    /// Opens or creates the store in that folder. Never fails: [`notes`](Store::notes) say what does not work.
    pub fn open(folder: &Path) -> Store {
        let mut store = Store::none();
        store.path = folder.join(FILE_NAME);
        if let Err(error) = std::fs::create_dir_all(folder) {
            store.note(format!("no feature store: cannot make {}: {error}", folder.display()));
            return store;
        }
        store.handle = match open_for_writing(&store.path) {
            Ok(database) => Handle::Writing(database),
            Err(Failure::Damaged(why)) => store.set_aside_and_open(&why),
            Err(Failure::Busy) => store.read_along("another run is writing to the feature store"),
            Err(Failure::Denied(why)) => {
                store.read_along(&format!("the feature store cannot be written ({why})"))
            }
        };
        store
    }

    /// A store that knows nothing and keeps nothing.
    pub fn none() -> Store {
        Store {
            path: PathBuf::new(),
            handle: Handle::Off,
            notes: Mutex::new(Vec::new()),
            damaged: AtomicBool::new(false),
            unreadable: AtomicBool::new(false),
        }
    }

    /// What it can do.
    pub fn mode(&self) -> Mode {
        match self.handle {
            Handle::Writing(_) => Mode::Writing,
            Handle::Reading(_) => Mode::Reading,
            Handle::Off => Mode::Off,
        }
    }

    /// What a person should know about it, so far.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().map(|notes| notes.clone()).unwrap_or_default()
    }

    /// What is known about a photo: its features are written to `features`, or the reason why it has none is
    /// returned. `None` where nothing is known, or nothing that makes sense. May be called from many threads.
    ///
    /// Each look-up is a transaction of its own: one for the whole run would keep the writer from using pages again
    /// that it has replaced, and the file would grow to several times its size.
    pub fn look_up(&self, key: &Key, features: &mut [u8]) -> Option<std::result::Result<(), Unreadable>> {
        if self.unreadable.load(Ordering::Relaxed) {
            return None;
        }
        let found = guarded(|| match &self.handle {
            Handle::Writing(database) => fetch(database, key, features),
            Handle::Reading(database) => fetch(database, key, features),
            Handle::Off => Ok(None),
        });
        match found {
            Some(Ok(known)) => return known,
            Some(Err(redb::Error::TableDoesNotExist(_))) => return None,
            // The writer has noted why; the rows are still in the file for the next run.
            Some(Err(redb::Error::PreviousIo | redb::Error::DatabaseClosed)) => {}
            Some(Err(redb::Error::Corrupted(_))) | None => self.damaged.store(true, Ordering::Relaxed),
            Some(Err(error)) => self.note(format!("the feature store cannot be read: {error}")),
        }
        self.unreadable.store(true, Ordering::Relaxed);
        None
    }

    /// Keeps the rows that come in until all senders are gone: one thread calls this, the workers send.
    ///
    /// Each row is durable at most [`COMMIT_INTERVAL`] after it came in. A store that cannot write any more says so
    /// in a note and lets the rows go by.
    pub fn keep(&self, rows: Receiver<(Key, Row)>) {
        let Handle::Writing(database) = &self.handle else { return };
        let mut batch: Vec<(Key, Vec<u8>)> = Vec::with_capacity(COMMIT_ROWS);
        let mut oldest = Instant::now();
        loop {
            let wait = match batch.is_empty() {
                true => Duration::from_secs(3600),
                false => COMMIT_INTERVAL.saturating_sub(oldest.elapsed()),
            };
            let over = match rows.recv_timeout(wait) {
                Ok((key, row)) => {
                    if batch.is_empty() {
                        oldest = Instant::now();
                    }
                    batch.push((key, encoded(&key, &row)));
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            let due = batch.len() >= COMMIT_ROWS || oldest.elapsed() >= COMMIT_INTERVAL;
            if !batch.is_empty() && (over || due) {
                let failure = match guarded(|| commit(database, &batch)) {
                    Some(Ok(())) => None,
                    Some(Err(redb::Error::Corrupted(why))) => {
                        self.damaged.store(true, Ordering::Relaxed);
                        Some(why)
                    }
                    Some(Err(error)) => Some(error.to_string()),
                    None => {
                        self.damaged.store(true, Ordering::Relaxed);
                        Some("it is damaged".to_string())
                    }
                };
                if let Some(why) = failure {
                    self.note(format!("the feature store keeps nothing more: {why}"));
                    return;
                }
                batch.clear();
            }
            if over {
                return;
            }
        }
    }

    /// Closes it; a store that turned out damaged is set aside, so that the next run starts a new one. All notes.
    pub fn close(self) -> Vec<String> {
        let Store { path, handle, notes, damaged, .. } = self;
        let mut notes = notes.into_inner().unwrap_or_default();
        let writing = matches!(handle, Handle::Writing(_));
        guarded(|| drop(handle));
        if writing && damaged.into_inner() {
            notes.push(match set_aside(&path) {
                Ok(aside) => format!("the feature store is damaged: set aside as {}", aside.display()),
                Err(error) => format!("the feature store {} is damaged: {error}", path.display()),
            });
        }
        notes
    }

    fn note(&self, note: String) {
        if let Ok(mut notes) = self.notes.lock() {
            notes.push(note);
        }
    }

    fn set_aside_and_open(&self, why: &str) -> Handle {
        let path = self.path.display();
        match set_aside(&self.path) {
            Err(error) => {
                self.note(format!("no feature store: {path} is damaged ({why}) and cannot be moved: {error}"))
            }
            Ok(aside) => {
                let aside = aside.display();
                match open_for_writing(&self.path) {
                    Ok(database) => {
                        self.note(format!(
                            "the feature store was damaged ({why}): set aside as {aside}, started anew"
                        ));
                        return Handle::Writing(database);
                    }
                    Err(_) => self
                        .note(format!("no feature store: {path} was damaged ({why}), set aside as {aside}")),
                }
            }
        }
        Handle::Off
    }

    fn read_along(&self, why: &str) -> Handle {
        match guarded(|| builder(ConcurrencyMode::SingleWriter).open_read_only(&self.path)) {
            Some(Ok(database)) => {
                self.note(format!("{why}: this run reads what is there and keeps nothing new"));
                Handle::Reading(database)
            }
            _ => {
                self.note(format!("{why}: this run goes on without it"));
                Handle::Off
            }
        }
    }
}

fn fetch(
    database: &impl ReadableDatabase,
    key: &Key,
    features: &mut [u8],
) -> std::result::Result<Option<std::result::Result<(), Unreadable>>, redb::Error> {
    let table = database.begin_read()?.open_table(TABLE)?;
    let row = table.get(&key.0)?;
    Ok(row.and_then(|row| decoded(key, row.value(), features)))
}

/// redb trusts a file that was closed properly, and may panic where that trust is broken.
fn guarded<T>(action: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(action)).ok()
}

/// Kind, payload, then the first eight bytes of BLAKE3(key, kind, payload).
fn encoded(key: &Key, row: &Row) -> Vec<u8> {
    let mut bytes = Vec::new();
    match row {
        Ok(features) => {
            bytes.reserve_exact(1 + features.len() + 8);
            bytes.push(FEATURES);
            bytes.extend(features);
        }
        Err(Unreadable { reason, detail }) => {
            bytes.push(REFUSAL);
            bytes.extend([VERSION, "\0", reason.as_str(), "\0", detail].concat().into_bytes());
        }
    }
    let checksum = checksum(key, &bytes);
    bytes.extend(checksum);
    bytes
}

const FEATURES: u8 = 1;
const REFUSAL: u8 = 2;

fn checksum(key: &Key, bytes: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&key.0);
    hasher.update(bytes);
    let mut checksum = [0; 8];
    checksum.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    checksum
}

fn decoded(key: &Key, bytes: &[u8], features: &mut [u8]) -> Option<std::result::Result<(), Unreadable>> {
    let (bytes, found) = bytes.split_last_chunk::<8>()?;
    let (kind, payload) = bytes.split_first()?;
    if checksum(key, bytes) != *found {
        return None;
    }
    match *kind {
        // Who needs the last map alone is content with a row that holds another one, too.
        FEATURES if payload.len() >= features.len() => {
            features.copy_from_slice(&payload[..features.len()]);
            Some(Ok(()))
        }
        REFUSAL => {
            let mut parts = std::str::from_utf8(payload).ok()?.splitn(3, '\0');
            let (version, reason, detail) = (parts.next()?, parts.next()?, parts.next()?);
            let reason = Reason::named(reason)?;
            (version == VERSION).then(|| Err(Unreadable::new(reason, detail)))
        }
        _ => None,
    }
}

fn commit(database: &Database, batch: &[(Key, Vec<u8>)]) -> std::result::Result<(), redb::Error> {
    let transaction: WriteTransaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(TABLE)?;
        for (key, row) in batch {
            table.insert(&key.0, row.as_slice())?;
        }
    }
    Ok(transaction.commit()?)
}

/// Makes the table, in the place of one of an earlier version.
fn start(database: &Database) -> std::result::Result<(), redb::Error> {
    let transaction: WriteTransaction = database.begin_write()?;
    transaction.delete_table(FORMER_TABLE)?;
    transaction.open_table(TABLE)?;
    Ok(transaction.commit()?)
}

/// Why a store cannot be opened for writing.
enum Failure {
    Damaged(String),
    Busy,
    Denied(String),
}

fn builder(mode: ConcurrencyMode) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_concurrency_mode(mode);
    builder
}

fn open_for_writing(path: &Path) -> std::result::Result<Database, Failure> {
    let opened = guarded(|| {
        // Systems without locks on parts of a file have one process at a time.
        let database = match builder(ConcurrencyMode::SingleWriter).create(path) {
            Err(DatabaseError::Storage(StorageError::Unsupported)) => {
                builder(ConcurrencyMode::ExclusiveWriter).create(path)
            }
            opened => opened,
        }?;
        // The table exists from the first moment, and one of another shape shows at once.
        let exists = match database.begin_read().map(|transaction| transaction.open_table(TABLE)) {
            Ok(Ok(_)) => true,
            Ok(Err(TableError::TableDoesNotExist(_))) => false,
            Ok(Err(error)) => return Err(damaged(error)),
            Err(error) => return Err(damaged(error)),
        };
        if !exists {
            start(&database).map_err(|error| match error {
                redb::Error::Io(error) => DatabaseError::Storage(StorageError::Io(error)),
                error => damaged(error),
            })?;
        }
        Ok(database)
    });
    match opened {
        Some(Ok(database)) => Ok(database),
        None => Err(Failure::Damaged("its structure is broken".to_string())),
        Some(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(Failure::Busy),
        Some(Err(DatabaseError::Storage(StorageError::Io(error)))) => match error.kind() {
            IoKind::InvalidData | IoKind::UnexpectedEof => Err(Failure::Damaged(error.to_string())),
            _ => Err(Failure::Denied(error.to_string())),
        },
        Some(Err(
            error @ (DatabaseError::Storage(StorageError::Corrupted(_))
            | DatabaseError::UpgradeRequired(_)
            | DatabaseError::RepairAborted),
        )) => Err(Failure::Damaged(error.to_string())),
        Some(Err(error)) => Err(Failure::Denied(error.to_string())),
    }
}

fn damaged(error: impl std::fmt::Display) -> DatabaseError {
    DatabaseError::Storage(StorageError::Corrupted(error.to_string()))
}

/// Renames the file to the first free `features.redb.damaged-N`.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    for number in 1..10_000 {
        let aside = path.with_file_name(format!("{FILE_NAME}.damaged-{number}"));
        if std::fs::symlink_metadata(&aside).is_err() {
            std::fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(std::io::Error::other("too many damaged stores lie there already: topwork store clear"))
}

/// What lies in a folder for features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The store's file.
    pub path: PathBuf,
    /// Its size; 0 where there is none.
    pub bytes: u64,
    /// The photos that it knows, for each extractor; `None` where it cannot be read now.
    pub entries: Option<u64>,
    /// Bytes of damaged stores that were set aside.
    pub damaged_bytes: u64,
}

impl Status {
    /// Whether a program should mention the size.
    pub fn is_large(&self) -> bool {
        self.bytes + self.damaged_bytes > LARGE_BYTES
    }
}

/// How large the store in that folder is. Changes nothing.
pub fn status(folder: &Path) -> Status {
    let path = folder.join(FILE_NAME);
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let damaged_bytes =
        set_aside_files(folder).iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).sum();
    let entries = match bytes {
        0 => Some(0),
        _ => guarded(|| {
            let database = builder(ConcurrencyMode::SingleWriter).open_read_only(&path).ok()?;
            match database.begin_read().ok()?.open_table(TABLE) {
                Ok(table) => table.len().ok(),
                Err(TableError::TableDoesNotExist(_)) => Some(0),
                Err(_) => None,
            }
        })
        .flatten(),
    };
    Status { path, bytes, entries, damaged_bytes }
}

/// Deletes the store in that folder, and damaged ones beside it; nothing else. The bytes that became free.
///
/// # Errors
/// Kind `Store` where another run uses it; `Io` where it cannot be deleted.
pub fn clear(folder: &Path) -> Result<u64> {
    let path = folder.join(FILE_NAME);
    if path.exists()
        && matches!(
            guarded(|| builder(ConcurrencyMode::ExclusiveWriter).open(&path).map(drop)),
            Some(Err(DatabaseError::DatabaseAlreadyOpen))
        )
    {
        return Err(Error::new(ErrorKind::Store, "another run uses the feature store")
            .with_path(path)
            .with_hint("wait for it to end"));
    }
    let mut freed = 0;
    for file in set_aside_files(folder).into_iter().chain([path]) {
        let bytes = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
        match std::fs::remove_file(&file) {
            Ok(()) => freed += bytes,
            Err(error) if error.kind() == IoKind::NotFound => {}
            Err(error) => return Err(Error::io("cannot delete the feature store", &file, error)),
        }
    }
    Ok(freed)
}

fn set_aside_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(listed) = std::fs::read_dir(folder) else { return Vec::new() };
    let prefix = format!("{FILE_NAME}.damaged-");
    let mut files: Vec<PathBuf> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix))
        })
        .collect();
    files.sort();
    files
}

/// Where features are kept: `TOPWORK_CACHE`, else `topwork` in the system's folder for caches.
///
/// # Errors
/// Kind `Configuration` where the system names no such folder.
pub fn default_folder() -> Result<PathBuf> {
    folders::caches()
        .map_err(|error| error.with_hint("set TOPWORK_CACHE to a folder, or go without: --no-store"))
}

#[cfg(test)]
mod tests;

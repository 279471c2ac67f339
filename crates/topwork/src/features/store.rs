//! Features on disk, under the digest of the photo's bytes and the identity of the extractor.
//!
//! A redb database in the user's cache folder, never among the photos. It is a convenience and behaves like one:
//! [`Store::open`] never fails, and whatever goes wrong later (disk full, damage) turns into a notice
//! and a photo that is computed again. Nothing that is read is trusted: each row carries a checksum.

use crate::error::{Error, ErrorKind, Result};
use crate::fence::fenced;
use crate::folders;
use crate::photo::{Reason, Unreadable};
use crate::remedy::Remedy;
use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase,
    ReadableTableMetadata, StorageError, TableDefinition, TableError, WriteTransaction,
};
use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The file's name in its folder.
pub const FILE_NAME: &str = "features.redb";

/// Above this many bytes a program should say how large the store has become.
pub const LARGE_BYTES: u64 = 2_000_000_000;

/// Rows are committed durably when this many are waiting, or the oldest has waited for [`COMMIT_INTERVAL`].
pub const COMMIT_ROWS: usize = 64;

/// See [`COMMIT_ROWS`].
pub const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// A store to which nothing was written for so long lets other processes write.
pub const QUIET: Duration = Duration::from_secs(2);

/// How long the last rows of a run wait for another process to be quiet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Rows that wait at most while another process writes.
const BACKLOG: usize = 16_384;

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

/// What a person should know about a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreNotice {
    /// The system names no folder for caches.
    NoFolder(String),
    /// The folder cannot be made.
    CannotCreate {
        /// The folder.
        folder: PathBuf,
        /// The system's message.
        cause: String,
    },
    /// Rows of earlier runs are read, but none can be added.
    CannotWrite(String),
    /// Neither read nor written.
    CannotOpen(String),
    /// Reading failed; what is there is computed again.
    CannotRead(String),
    /// Writing failed; nothing more is kept.
    KeepsNothingMore(String),
    /// Other runs were writing all the time, so that the features of so many photos were not kept.
    Busy(usize),
    /// It was damaged and stands aside now, so that a new one can start.
    SetAside {
        /// What is wrong with it.
        cause: String,
        /// Where it is now.
        aside: PathBuf,
    },
    /// It is damaged and cannot be moved.
    Damaged {
        /// The store.
        path: PathBuf,
        /// What is wrong with it, and why it cannot be moved.
        cause: String,
    },
    /// It has become large: so many bytes.
    Large(u64),
}

impl std::fmt::Display for StoreNotice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreNotice::NoFolder(cause) => write!(formatter, "no feature store: {cause}"),
            StoreNotice::CannotCreate { folder, cause } => {
                write!(formatter, "no feature store: cannot create {}: {cause}", folder.display())
            }
            StoreNotice::CannotWrite(cause) => {
                write!(formatter, "cannot write to the feature store: {cause}; new features are not kept")
            }
            StoreNotice::CannotOpen(cause) => {
                write!(formatter, "cannot open the feature store: {cause}; features are not kept")
            }
            StoreNotice::CannotRead(cause) => write!(formatter, "cannot read the feature store: {cause}"),
            StoreNotice::KeepsNothingMore(cause) => {
                write!(formatter, "cannot write to the feature store: {cause}; further features are not kept")
            }
            StoreNotice::Busy(photos) => write!(
                formatter,
                "another run was writing to the feature store; the features of {photos} photos are not kept"
            ),
            StoreNotice::SetAside { cause, aside } => write!(
                formatter,
                "the feature store was damaged ({cause}); moved to {}, a new one is started",
                aside.display()
            ),
            StoreNotice::Damaged { path, cause } => {
                write!(formatter, "the feature store {} is damaged: {cause}", path.display())
            }
            StoreNotice::Large(bytes) => {
                write!(formatter, "the feature store is large: {:.1} GB", *bytes as f64 / 1e9)
            }
        }
    }
}

/// The features of earlier runs. One for a process; threads share it.
///
/// While it has nothing to write it leaves the writing to other processes: see [`QUIET`].
pub struct Store {
    shared: Arc<Shared>,
    writer: Mutex<Option<Writer>>,
}

struct Shared {
    path: PathBuf,
    handle: RwLock<Handle>,
    notices: Mutex<Vec<StoreNotice>>,
    /// Its structure turned out broken.
    damaged: AtomicBool,
    /// Nothing is looked up any more.
    unreadable: AtomicBool,
    /// Nothing is kept any more.
    full: AtomicBool,
}

/// The thread that commits rows.
struct Writer {
    sender: SyncSender<Message>,
    thread: JoinHandle<()>,
}

enum Message {
    Keep(Key, Row),
    /// To be answered when all rows before it are durable, or given up.
    Flush(Sender<()>),
}

impl Store {
    /// Opens or creates the store in that folder. Never fails: [`take_notices`](Store::take_notices) say what does not work.
    pub fn open(folder: &Path) -> Store {
        let shared = Shared::new(folder.join(FILE_NAME));
        if let Err(error) = std::fs::create_dir_all(folder) {
            let (folder, cause) = (folder.to_owned(), error.to_string());
            shared.notice(StoreNotice::CannotCreate { folder, cause });
            return Store { shared: Arc::new(shared), writer: Mutex::default() };
        }
        let handle = shared.open();
        let is_usable = !matches!(handle, Handle::Off);
        *written(&shared.handle) = handle;
        let shared = Arc::new(shared);
        let writer = if is_usable { Writer::start(&shared) } else { None };
        if is_usable && writer.is_none() {
            shared.full.store(true, Ordering::Relaxed);
            shared.give_back();
        }
        Store { shared, writer: Mutex::new(writer) }
    }

    /// A store that knows nothing and keeps nothing.
    pub fn none() -> Store {
        Store { shared: Arc::new(Shared::new(PathBuf::new())), writer: Mutex::default() }
    }

    /// What it can do at this moment.
    pub fn mode(&self) -> Mode {
        match *read(&self.shared.handle) {
            Handle::Writing(_) => Mode::Writing,
            Handle::Reading(_) => Mode::Reading,
            Handle::Off => Mode::Off,
        }
    }

    /// What a person should know about it and was not told yet.
    pub fn take_notices(&self) -> Vec<StoreNotice> {
        self.shared.notices.lock().map(|mut notices| std::mem::take(&mut *notices)).unwrap_or_default()
    }

    /// What is known about a photo: its features are written to `features`, or the reason why it has none is
    /// returned. `None` if nothing is known, or nothing that makes sense. May be called from many threads.
    ///
    /// Each look-up is a transaction of its own: one for the whole run would keep the writer from using pages again
    /// that it has replaced, and the file would grow to several times its size.
    pub fn look_up(&self, key: &Key, features: &mut [u8]) -> Option<std::result::Result<(), Unreadable>> {
        let shared = &self.shared;
        if shared.unreadable.load(Ordering::Relaxed) {
            return None;
        }
        let handle = read(&shared.handle);
        let found = fenced(|| match &*handle {
            Handle::Writing(database) => fetch(database, key, features),
            Handle::Reading(database) => fetch(database, key, features),
            Handle::Off => Ok(None),
        });
        match found {
            Some(Ok(known)) => return known,
            Some(Err(redb::Error::TableDoesNotExist(_))) => return None,
            // The writer has noted why; the rows are still in the file for the next run.
            Some(Err(redb::Error::PreviousIo | redb::Error::DatabaseClosed)) => {}
            Some(Err(redb::Error::Corrupted(_))) | None => shared.damaged.store(true, Ordering::Relaxed),
            Some(Err(error)) => shared.notice(StoreNotice::CannotRead(error.to_string())),
        }
        shared.unreadable.store(true, Ordering::Relaxed);
        None
    }

    /// Keeps a row, which is made only if it can be kept. Each is durable at most [`COMMIT_INTERVAL`] after it came in, unless
    /// another process is writing; a store that cannot write any more says so in a notice and lets the rows go by.
    pub fn keep(&self, key: Key, row: impl FnOnce() -> Row) {
        if !self.shared.full.load(Ordering::Relaxed) {
            self.send(|| Message::Keep(key, row()));
        }
    }

    /// Returns when all rows that were kept are durable, or given up.
    pub fn flush(&self) {
        let (answer, answered) = channel();
        self.send(|| Message::Flush(answer));
        answered.recv().unwrap_or_default();
    }

    fn send(&self, message: impl FnOnce() -> Message) {
        let sender = self.writer.lock().ok().and_then(|writer| Some(writer.as_ref()?.sender.clone()));
        if let Some(sender) = sender {
            sender.send(message()).unwrap_or_default();
        }
    }

    /// Closes it; a store that turned out damaged is set aside, so that the next run starts a new one. What was not told yet.
    pub fn close(self) -> Vec<StoreNotice> {
        self.end();
        self.take_notices()
    }

    fn end(&self) {
        let writer = self.writer.lock().ok().and_then(|mut writer| writer.take());
        if let Some(Writer { sender, thread }) = writer {
            drop(sender);
            thread.join().unwrap_or_default();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

impl Writer {
    /// `None` if the system gives no thread.
    fn start(shared: &Arc<Shared>) -> Option<Writer> {
        let (sender, receiver) = sync_channel(2 * COMMIT_ROWS);
        let shared = Arc::clone(shared);
        let work = move || {
            fenced(|| shared.write(&receiver));
            shared.end();
        };
        let thread = std::thread::Builder::new().name("topwork store".to_owned()).spawn(work).ok()?;
        Some(Writer { sender, thread })
    }
}

/// Rows that wait for a commit.
#[derive(Default)]
struct Batch {
    rows: Vec<(Key, Vec<u8>)>,
    /// When the first came in, or a commit was last tried.
    since: Option<Instant>,
}

impl Shared {
    fn new(path: PathBuf) -> Shared {
        let flag = || AtomicBool::new(false);
        let (handle, notices) = (RwLock::new(Handle::Off), Mutex::default());
        Shared { path, handle, notices, damaged: flag(), unreadable: flag(), full: flag() }
    }

    /// Commits what comes in until all senders are gone, and gives the lock on writing back after a time of quiet.
    fn write(&self, messages: &Receiver<Message>) {
        let mut batch = Batch::default();
        let mut active = Instant::now();
        loop {
            let is_writing = matches!(*read(&self.handle), Handle::Writing(_));
            let wait = match batch.since {
                Some(since) => COMMIT_INTERVAL.saturating_sub(since.elapsed()),
                None if is_writing => QUIET.saturating_sub(active.elapsed()),
                None => Duration::from_secs(3600),
            };
            let mut answer = None;
            let mut is_over = false;
            match messages.recv_timeout(wait) {
                Ok(Message::Keep(key, row)) => {
                    batch.since.get_or_insert_with(Instant::now);
                    batch.rows.push((key, encoded(&key, &row)));
                }
                Ok(Message::Flush(sender)) => answer = Some(sender),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => is_over = true,
            }
            let is_last = is_over || answer.is_some();
            let is_due = batch.since.is_some_and(|since| since.elapsed() >= COMMIT_INTERVAL)
                || batch.rows.len() >= COMMIT_ROWS && is_writing;
            if !batch.rows.is_empty() && (is_last || is_due) {
                self.commit(&mut batch, is_last);
                active = Instant::now();
            }
            if let Some(answer) = answer {
                answer.send(()).unwrap_or_default();
            }
            if is_over {
                return;
            }
            if is_writing && batch.rows.is_empty() && active.elapsed() >= QUIET {
                self.give_back();
            }
        }
    }

    /// Commits the batch, or leaves it for later if another process is writing; what is the last must be done soon or never.
    fn commit(&self, batch: &mut Batch, is_last: bool) {
        batch.since = Some(Instant::now());
        let patience = Instant::now() + if is_last { PATIENCE } else { Duration::ZERO };
        while !self.full.load(Ordering::Relaxed) {
            if self.take_lock() {
                self.commit_rows(&batch.rows);
                return *batch = Batch::default();
            }
            if Instant::now() >= patience {
                if is_last || batch.rows.len() > BACKLOG {
                    self.notice(StoreNotice::Busy(batch.rows.len()));
                    *batch = Batch::default();
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        *batch = Batch::default();
    }

    fn commit_rows(&self, rows: &[(Key, Vec<u8>)]) {
        let handle = read(&self.handle);
        let Handle::Writing(database) = &*handle else { return };
        let cause = match fenced(|| commit(database, rows)) {
            Some(Ok(())) => return,
            Some(Err(redb::Error::Corrupted(why))) => {
                self.damaged.store(true, Ordering::Relaxed);
                why
            }
            Some(Err(error)) => error.to_string(),
            None => {
                self.damaged.store(true, Ordering::Relaxed);
                "it is damaged".to_owned()
            }
        };
        self.full.store(true, Ordering::Relaxed);
        self.notice(StoreNotice::KeepsNothingMore(cause));
    }

    /// Whether this process may write: it opens the store again if it had given it back.
    fn take_lock(&self) -> bool {
        let mut handle = written(&self.handle);
        if matches!(*handle, Handle::Writing(_)) {
            return true;
        }
        let former = std::mem::replace(&mut *handle, Handle::Off);
        fenced(|| drop(former));
        *handle = self.open();
        matches!(*handle, Handle::Writing(_))
    }

    /// For writing if that is possible now, else for reading.
    fn open(&self) -> Handle {
        match open_for_writing(&self.path) {
            Ok(database) => Handle::Writing(database),
            Err(OpenError::Busy) => self.open_for_reading(None),
            Err(OpenError::Damaged(why)) => self.set_aside_and_open(why),
            Err(OpenError::Denied(why)) => {
                self.full.store(true, Ordering::Relaxed);
                self.open_for_reading(Some(why))
            }
        }
    }

    /// Lets other processes write.
    fn give_back(&self) {
        let mut handle = written(&self.handle);
        let former = std::mem::replace(&mut *handle, Handle::Off);
        fenced(|| drop(former));
        *handle = self.open_for_reading(None);
    }

    fn end(&self) {
        let handle = std::mem::replace(&mut *written(&self.handle), Handle::Off);
        fenced(|| drop(handle));
        if !self.damaged.load(Ordering::Relaxed) || is_open_elsewhere(&self.path) {
            return;
        }
        let cause = "its structure is broken".to_owned();
        self.notice(match set_aside(&self.path) {
            Ok(aside) => StoreNotice::SetAside { cause, aside },
            Err(error) => StoreNotice::Damaged { path: self.path.clone(), cause: error.to_string() },
        });
    }

    fn notice(&self, notice: StoreNotice) {
        if let Ok(mut notices) = self.notices.lock() {
            notices.push(notice);
        }
    }

    fn set_aside_and_open(&self, why: String) -> Handle {
        match set_aside(&self.path) {
            Err(error) => {
                let cause = format!("{why}; {error}");
                self.notice(StoreNotice::Damaged { path: self.path.clone(), cause });
            }
            Ok(aside) => match open_for_writing(&self.path) {
                Ok(database) => {
                    self.notice(StoreNotice::SetAside { cause: why, aside });
                    return Handle::Writing(database);
                }
                Err(_) => self.notice(StoreNotice::Damaged { path: aside, cause: why }),
            },
        }
        Handle::Off
    }

    /// `why` is what keeps this process from writing, other than another process.
    fn open_for_reading(&self, why: Option<String>) -> Handle {
        match fenced(|| builder(ConcurrencyMode::SingleWriter).open_read_only(&self.path)) {
            Some(Ok(database)) => {
                why.into_iter().for_each(|why| self.notice(StoreNotice::CannotWrite(why)));
                Handle::Reading(database)
            }
            Some(Err(error)) => {
                self.notice(StoreNotice::CannotOpen(why.unwrap_or_else(|| error.to_string())));
                Handle::Off
            }
            None => {
                self.notice(StoreNotice::CannotOpen("its structure is broken".to_owned()));
                Handle::Off
            }
        }
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn written<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
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
enum OpenError {
    Damaged(String),
    Busy,
    Denied(String),
}

fn builder(mode: ConcurrencyMode) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_concurrency_mode(mode);
    builder
}

fn open_for_writing(path: &Path) -> std::result::Result<Database, OpenError> {
    let opened = fenced(|| {
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
        None => Err(OpenError::Damaged("its structure is broken".to_string())),
        Some(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(OpenError::Busy),
        Some(Err(DatabaseError::Storage(StorageError::Io(error)))) => match error.kind() {
            IoKind::InvalidData | IoKind::UnexpectedEof => Err(OpenError::Damaged(error.to_string())),
            _ => Err(OpenError::Denied(error.to_string())),
        },
        Some(Err(
            error @ (DatabaseError::Storage(StorageError::Corrupted(_))
            | DatabaseError::UpgradeRequired(_)
            | DatabaseError::RepairAborted),
        )) => Err(OpenError::Damaged(error.to_string())),
        Some(Err(error)) => Err(OpenError::Denied(error.to_string())),
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
    Err(std::io::Error::other("too many damaged stores are there already; clear the store"))
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

/// The size of the store in that folder, and of damaged ones that were set aside, in bytes.
fn sizes(folder: &Path) -> (u64, u64) {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    (size(&folder.join(FILE_NAME)), set_aside_files(folder).iter().map(|path| size(path)).sum())
}

/// The size of the store in that folder, if it is so large that a program should mention it.
pub(crate) fn large_size(folder: &Path) -> Option<u64> {
    let (bytes, damaged_bytes) = sizes(folder);
    Some(bytes + damaged_bytes).filter(|bytes| *bytes > LARGE_BYTES)
}

/// How large the store in that folder is. Changes nothing.
pub fn status(folder: &Path) -> Status {
    let path = folder.join(FILE_NAME);
    let (bytes, damaged_bytes) = sizes(folder);
    let entries = match bytes {
        0 => Some(0),
        _ => fenced(|| {
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
    if path.exists() && is_open_elsewhere(&path) {
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

/// Whether another process has it open, or another store of this one.
fn is_open_elsewhere(path: &Path) -> bool {
    let opened = fenced(|| builder(ConcurrencyMode::ExclusiveWriter).open(path).map(drop));
    matches!(opened, Some(Err(DatabaseError::DatabaseAlreadyOpen)))
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
    folders::caches().map_err(|error| error.with_hint(Remedy::NameStoreFolder))
}

#[cfg(test)]
mod tests;

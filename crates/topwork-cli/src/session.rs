//! What the program's options make of a session, and the job of a command.

use topwork::Extractor;
use topwork::Precision;
use topwork::backbone;
use topwork::run::{Session, SessionOptions, StoreOptions};

use crate::arguments::Work;
use crate::failure::Failure;

/// The session that these options ask for.
pub(crate) fn session(work: &Work) -> Result<Session, Failure> {
    let store = match (&work.store, work.no_store) {
        (_, true) => StoreOptions::None,
        (Some(folder), false) => StoreOptions::Folder(folder.clone()),
        (None, false) => StoreOptions::User,
    };
    Ok(Session::open(SessionOptions { isa: None, threads: work.threads.map(usize::from), store })?)
}

/// A session that keeps no features.
pub(crate) fn session_without_store(threads: Option<u16>) -> Result<Session, Failure> {
    let threads = threads.map(usize::from);
    Ok(Session::open(SessionOptions { isa: None, threads, store: StoreOptions::None })?)
}

/// The extractor on the backbone of that name.
pub(crate) fn extractor(name: &str, precision: Precision, session: &Session) -> Result<Extractor, Failure> {
    Ok(Extractor::new(backbone::backbone(name, precision, session.isa())?))
}

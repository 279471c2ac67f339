//! How work is done: on which instructions, by how many threads, and until when. Nothing here changes a result.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use topwork_kernels::Isa;

use crate::error::{Error, ErrorKind, Result};

/// A wish to stop, shared by who may utter it and the work that looks at it. Clones are the same token.
#[derive(Clone, Debug)]
pub struct CancelToken(Option<Arc<AtomicBool>>);

impl CancelToken {
    /// A token that nobody can cancel.
    pub const NEVER: &'static CancelToken = &CancelToken(None);

    /// A token that is not cancelled.
    pub fn new() -> CancelToken {
        CancelToken(Some(Arc::default()))
    }

    /// Asks all work under this token to stop. It ends within a photo or a pass over the features, as
    /// [`ErrorKind::Interrupted`]; what it put into the store stays there.
    pub fn cancel(&self) {
        if let Some(cancelled) = &self.0 {
            cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|cancelled| cancelled.load(Ordering::Relaxed))
    }

    /// An error once it was cancelled.
    pub(crate) fn check(&self, what: &str) -> Result<()> {
        match self.is_cancelled() {
            true => Err(Error::new(ErrorKind::Interrupted, format!("{what} was stopped"))),
            false => Ok(()),
        }
    }
}

impl Default for CancelToken {
    fn default() -> CancelToken {
        CancelToken::new()
    }
}

/// How work is done.
#[derive(Clone, Copy, Debug)]
pub struct Execution<'a> {
    /// The instruction set of every kernel.
    pub isa: Isa,
    /// Threads, at least 1. One thread is the caller's own: none is started.
    pub threads: usize,
    /// Ends the work early.
    pub cancel: &'a CancelToken,
}

impl Default for Execution<'_> {
    /// The fastest instructions, a thread for each core, to the end.
    fn default() -> Self {
        Execution { isa: Isa::best(), threads: all_cores(), cancel: CancelToken::NEVER }
    }
}

impl<'a> Execution<'a> {
    /// The same with so many threads.
    pub fn with_threads(self, threads: usize) -> Execution<'a> {
        Execution { threads: threads.max(1), ..self }
    }

    /// The same under that token.
    pub fn with_cancel(self, cancel: &'a CancelToken) -> Execution<'a> {
        Execution { cancel, ..self }
    }
}

/// The threads that can run at once, or 1 if the system does not say.
pub(crate) fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Deals out items to threads in their order, as many each; the caller's thread takes its part, and the part of every thread that the
/// system refuses to start.
pub(crate) fn share<I: Send>(threads: usize, items: &mut [I], work: impl Fn(&mut [I]) + Sync) {
    if threads <= 1 || items.len() <= 1 {
        return work(items);
    }
    let each = items.len().div_ceil(threads);
    let parts: Vec<_> = items.chunks_mut(each).map(|part| Mutex::new(Some(part))).collect();
    let take = |part: &Mutex<Option<&mut [I]>>| {
        let part = part.lock().unwrap_or_else(PoisonError::into_inner).take();
        part.into_iter().for_each(&work);
    };
    std::thread::scope(|scope| {
        let mut own = vec![&parts[0]];
        for part in &parts[1..] {
            if std::thread::Builder::new().spawn_scoped(scope, || take(part)).is_err() {
                own.push(part);
            }
        }
        own.into_iter().for_each(take);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once() {
        for threads in [1, 2, 3, 8, 100] {
            let mut items: Vec<usize> = (0..37).collect();
            share(threads, &mut items, |items| items.iter_mut().for_each(|item| *item += 100));
            assert_eq!(items, (100..137).collect::<Vec<_>>(), "{threads} threads");
        }
        share(4, &mut [] as &mut [u8], |_| {});
    }

    #[test]
    fn one_thread_is_the_callers() {
        let caller = std::thread::current().id();
        let mut items = [(); 9];
        share(1, &mut items, |_| assert_eq!(std::thread::current().id(), caller));
    }

    #[test]
    fn a_token_is_cancelled_for_all_its_clones_and_for_no_other() {
        let (token, other) = (CancelToken::new(), CancelToken::new());
        let clone = token.clone();
        assert!(clone.check("work").is_ok());
        token.cancel();
        CancelToken::NEVER.cancel();
        assert!(clone.is_cancelled() && !other.is_cancelled() && !CancelToken::NEVER.is_cancelled());
        let error = clone.check("work").unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Interrupted, "work was stopped"));
    }
}

//! Panics that are caught and become a plain outcome: a decoder's on a hostile file, the store's on a damaged one.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static FENCES: Cell<usize> = const { Cell::new(0) };
}

/// Runs the action; `None` if it panics. A panic hook learns from [`panics_are_caught`] that nobody needs to hear of it.
pub(crate) fn fenced<T>(action: impl FnOnce() -> T) -> Option<T> {
    FENCES.set(FENCES.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(action));
    FENCES.set(FENCES.get() - 1);
    outcome.ok()
}

/// Whether a panic on this thread, now, is caught by topwork and told to the caller as the reason why a photo, a weights file
/// or the store cannot be used. A program's panic hook asks it, so that its user sees no message about a panic that ends nothing.
pub fn panics_are_caught() -> bool {
    FENCES.get() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_seen_from_within_and_gone_after() {
        assert!(!panics_are_caught());
        let inner = fenced(|| (fenced(|| panic!("on purpose")), panics_are_caught()));
        assert_eq!(inner, Some((None::<()>, true)));
        assert!(!panics_are_caught());
    }
}

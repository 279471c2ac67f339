//! Ctrl-C and SIGTERM: the first asks the work to stop at the next photo, the second ends the program at once.

use std::sync::LazyLock;

use topwork::CancelToken;

static TOKEN: LazyLock<CancelToken> = LazyLock::new(CancelToken::new);

/// Listens from now on.
pub(crate) fn install() {
    let listening = ctrlc::set_handler(|| {
        if TOKEN.is_cancelled() {
            std::process::exit(130);
        }
        TOKEN.cancel();
    });
    // Without a handler the signal ends the program, and the store is safe against that as well.
    drop(listening);
}

/// Cancelled when the user asks to stop.
pub(crate) fn token() -> &'static CancelToken {
    &TOKEN
}

/// Whether the user asked to stop.
pub(crate) fn requested() -> bool {
    TOKEN.is_cancelled()
}

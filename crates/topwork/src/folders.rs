//! The folders of this user that the environment names.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};

/// The value of a variable of the environment; an empty one counts as none.
pub(crate) fn environment(variable: &str) -> Option<OsString> {
    std::env::var_os(variable).filter(|value| !value.is_empty())
}

/// Where topwork keeps what it can make or get again: `TOPWORK_CACHE`, else `topwork` in the system's folder for caches.
///
/// # Errors
/// [`ErrorKind::Configuration`] where the system names no such folder.
pub(crate) fn caches() -> Result<PathBuf> {
    caches_from(environment).ok_or_else(|| {
        Error::new(ErrorKind::Configuration, "this system names no folder for caches (HOME is not set)")
            .with_hint("set TOPWORK_CACHE to a folder")
    })
}

fn caches_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(folder) = variable("TOPWORK_CACHE") {
        return Some(PathBuf::from(folder));
    }
    let caches = if cfg!(windows) {
        variable("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        home(variable).map(|home| home.join("Library/Caches"))
    } else {
        xdg_caches(variable)
    };
    caches.map(|caches| caches.join("topwork"))
}

/// The folder for caches as the specification of XDG has it, which frameworks follow on every system.
pub(crate) fn xdg_caches(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // The specification says that a relative path is to be ignored.
    let named = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| home(variable).map(|home| home.join(".cache")))
}

/// The user's own folder.
pub(crate) fn home(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Option<PathBuf> {
        caches_from(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_folder_follows_the_system() {
        assert_eq!(variables(&[("TOPWORK_CACHE", "/x/y"), ("HOME", "/h")]), Some(PathBuf::from("/x/y")));
        assert_eq!(variables(&[]), None);
        #[cfg(all(unix, not(target_os = "macos")))]
        {
            assert_eq!(variables(&[("HOME", "/h")]), Some(PathBuf::from("/h/.cache/topwork")));
            let absolute = variables(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]);
            assert_eq!(absolute, Some(PathBuf::from("/c/topwork")));
            let relative = variables(&[("HOME", "/h"), ("XDG_CACHE_HOME", "c")]);
            assert_eq!(relative, Some(PathBuf::from("/h/.cache/topwork")));
        }
        #[cfg(target_os = "macos")]
        assert_eq!(variables(&[("HOME", "/h")]), Some(PathBuf::from("/h/Library/Caches/topwork")));
        #[cfg(windows)]
        assert_eq!(variables(&[("LOCALAPPDATA", "C:\\l")]), Some(PathBuf::from("C:\\l\\topwork")));
    }
}

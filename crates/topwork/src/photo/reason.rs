//! Why a photo cannot be used, in a word for programs and a phrase for people.

use std::fmt;

/// Why a file is not used, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// The file holds no bytes.
    Empty,
    /// The content is that of no image format.
    NotAnImage,
    /// The file ends before the picture does.
    Truncated,
    /// The content contradicts its format or its checksums.
    Corrupt,
    /// An image format, or a variant of one, that is not decoded here.
    Unsupported,
    /// More bytes, pixels or scans than the limits allow.
    TooLarge,
    /// A folder, pipe, socket or device.
    NotAFile,
    /// The file, or what a link points to, does not exist.
    Missing,
    /// The system refuses to open the file.
    NoPermission,
    /// Reading failed.
    Io,
    /// A defect of topwork: the photo made a worker panic.
    Internal,
}

impl Reason {
    const ALL: [Reason; Reason::Internal as usize + 1] = [
        Reason::Empty,
        Reason::NotAnImage,
        Reason::Truncated,
        Reason::Corrupt,
        Reason::Unsupported,
        Reason::TooLarge,
        Reason::NotAFile,
        Reason::Missing,
        Reason::NoPermission,
        Reason::Io,
        Reason::Internal,
    ];

    /// The reason with that word; the inverse of [`as_str`](Reason::as_str).
    pub fn named(word: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The word that stands in tables, such as `not-an-image`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::NotAnImage => "not-an-image",
            Reason::Truncated => "truncated",
            Reason::Corrupt => "corrupt",
            Reason::Unsupported => "unsupported",
            Reason::TooLarge => "too-large",
            Reason::NotAFile => "not-a-file",
            Reason::Missing => "missing",
            Reason::NoPermission => "no-permission",
            Reason::Io => "io",
            Reason::Internal => "internal",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A photo that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in a phrase on one line, such as "JPEG: the file ends within the picture".
    pub detail: String,
}

impl Unreadable {
    /// A photo that cannot be used for that reason.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Unreadable {
        Unreadable { reason, detail: detail.into() }
    }

    pub(super) fn truncated(detail: impl Into<String>) -> Unreadable {
        let detail: String = detail.into();
        Unreadable::new(Reason::Truncated, detail + "; copy it again from where it came")
    }

    pub(super) fn corrupt(detail: impl Into<String>) -> Unreadable {
        let detail: String = detail.into();
        Unreadable::new(Reason::Corrupt, detail + "; copy it again from where it came, or save it anew")
    }

    /// What to do follows, unless the phrase says it.
    pub(super) fn unsupported(detail: impl Into<String>) -> Unreadable {
        let mut detail: String = detail.into();
        if !["save it", "convert"].iter().any(|word| detail.contains(word)) {
            detail += "; save it as JPEG or PNG";
        }
        Unreadable::new(Reason::Unsupported, detail)
    }

    /// The same, with the format's name before the phrase, which becomes one line of bounded length.
    pub(super) fn of(mut self, format: &str) -> Unreadable {
        const LONGEST: usize = 200;
        let phrase = self.detail.chars().map(|sign| if sign.is_control() { ' ' } else { sign });
        self.detail =
            format!("{format}: ").chars().chain(phrase).take(LONGEST).collect::<String>().trim().into();
        self
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.reason, self.detail)
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_word() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason}");
            assert_eq!(Reason::named(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::named("Io"), None);
    }
}

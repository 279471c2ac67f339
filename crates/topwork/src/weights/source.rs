//! Where the weights of a backbone were published: what a download must be, and what a file that is already there may be.

use std::fmt;

use super::Digests;

/// A published file of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// The name of the file, as it lies in the caches of torch and Keras; a name of our own for files from Hugging Face, whose
    /// names are all alike.
    pub file: &'static str,
    /// Where it can be downloaded; none for files that come with a package.
    pub url: Option<&'static str>,
    /// Its length in bytes, where it is known.
    pub bytes: Option<u64>,
    /// What its contents are recognised by.
    pub checksum: Checksum,
    /// The licence under which it was published.
    pub licence: &'static str,
    /// Share of ImageNet's validation photos whose first class is right, in percent, as published.
    pub top1: Option<f64>,
}

/// The digest that a publisher states; hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Checksum {
    /// The whole SHA-256.
    Sha256(&'static str),
    /// The first digits of the SHA-256, which stand in the file's name.
    Sha256Prefix(&'static str),
    /// MD5: recognises a file, and is no protection against a forged one.
    Md5(&'static str),
}

impl Source {
    /// Whether a file is the one that was published.
    ///
    /// # Errors
    /// In what it differs, for people.
    pub fn check(&self, found: &Digests) -> Result<(), String> {
        self.check_length(found.bytes)?;
        let (expected, digest) = match self.checksum {
            Checksum::Sha256(expected) | Checksum::Sha256Prefix(expected) => (expected, &found.sha256),
            Checksum::Md5(expected) => (expected, &found.md5),
        };
        let agrees = match self.checksum {
            Checksum::Sha256Prefix(_) => digest.starts_with(expected),
            Checksum::Sha256(_) | Checksum::Md5(_) => digest == expected,
        };
        if agrees { Ok(()) } else { Err(format!("expected {}, found {digest}", self.checksum)) }
    }

    /// Whether a file has the published length, where that is known.
    ///
    /// # Errors
    /// As [`Source::check`].
    pub fn check_length(&self, found: u64) -> Result<(), String> {
        match self.bytes {
            Some(expected) if expected != found => Err(format!("expected {expected} bytes, found {found}")),
            _ => Ok(()),
        }
    }

    /// Owner and name of its repository on Hugging Face, and its path there, where its address is one of these.
    pub(super) fn hugging_face(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let (repository, path) =
            self.url?.strip_prefix("https://huggingface.co/")?.split_once("/resolve/main/")?;
        let (owner, name) = repository.split_once('/')?;
        Some((owner, name, path))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Checksum::Sha256(digits) => write!(formatter, "SHA-256 {digits}"),
            Checksum::Sha256Prefix(digits) => write!(formatter, "a SHA-256 that begins with {digits}"),
            Checksum::Md5(digits) => write!(formatter, "MD5 {digits}"),
        }
    }
}

//! Where the weights of a backbone were published: what a download must be, and what a file that is already there may be.

/// A published file of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// The name of the file, as it lies in the caches of frameworks.
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

//! Where weights lie: a folder of topwork's own, and the caches that users of torch, Keras and Hugging Face already have, which
//! are only read. A file counts as a published one by its length and checksum, never by its name alone.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::record::Record;
use super::{Digests, MAX_BYTES, Source, Weights, refused};
use crate::error::{Error, ErrorKind, Result};
use crate::folders;
use crate::network::Ranges;
use crate::remedy::Remedy;
use crate::report::write_whole;

/// A longer file of ranges is none of ours.
const MAX_RANGES_BYTES: u64 = 16 << 20;

/// The folders in which weights are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
    others: OtherCaches,
}

/// Caches of frameworks, where there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherCaches {
    /// Where `torch.hub` keeps its files: `$TORCH_HOME/hub/checkpoints`.
    pub torch: Option<PathBuf>,
    /// Where Keras keeps its files: `$KERAS_HOME/models`.
    pub keras: Option<PathBuf>,
    /// Where `huggingface_hub` keeps its repositories: `$HF_HUB_CACHE`.
    pub hugging_face: Option<PathBuf>,
}

/// Whose cache a file lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// topwork's own.
    Topwork,
    /// That of `torch.hub`.
    Torch,
    /// Keras'.
    Keras,
    /// That of `huggingface_hub`.
    HuggingFace,
}

/// A file of weights whose digests are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it lies.
    pub path: PathBuf,
    /// Whose cache that is.
    pub place: Place,
    /// The published file that it is; none for a file of the user's own.
    pub source: Option<Source>,
    /// Its length and digests; those of a file that was not modified since they were last computed are not computed again.
    pub digests: Digests,
}

/// A file that has the name of weights and is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where it lies.
    pub path: PathBuf,
    /// Why it is not used.
    pub reason: String,
}

/// What there is of the weights of a backbone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// Files that can be used, the one to be used first: topwork's own, the newest first, then those of frameworks.
    pub found: Vec<Found>,
    /// Files that cannot.
    pub rejected: Vec<Rejected>,
}

/// What [`Cache::verify`] says of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The file.
    pub path: PathBuf,
    /// Its state.
    pub state: State,
}

/// What became of a file whose digests are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is what it was.
    Unchanged,
    /// It is something else, and why.
    Changed(String),
    /// It is gone.
    Missing,
}

impl Cache {
    /// The folders of this user: `weights` in topwork's folder (`TOPWORK_CACHE`), and those that `TORCH_HOME`, `KERAS_HOME`,
    /// `HF_HUB_CACHE` and `HF_HOME` name, or the frameworks' usual ones.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] where the system names no folder for caches.
    pub fn of_user() -> Result<Cache> {
        Ok(Cache::at(folders::caches()?.join("weights"), OtherCaches::from_variables(folders::environment)))
    }

    /// A cache in that folder, which need not exist yet.
    pub fn at(folder: impl Into<PathBuf>, others: OtherCaches) -> Cache {
        Cache { folder: folder.into(), others }
    }

    /// Its own folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All files of a backbone, everywhere.
    pub fn search(&self, backbone: &str, sources: &[Source]) -> Search {
        let mut search = self.own(backbone, sources);
        search.append(self.foreign(backbone, sources));
        search
    }

    /// The weights of a backbone: those with that BLAKE3, or without one the newest in topwork's own folder, else those that a
    /// framework has.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if there are none, with what could be done about it; or if the file cannot be read, or is not
    /// the one whose digests are known: an older one does not take its place.
    pub fn weights(&self, backbone: &str, sources: &[Source], digest: Option<&[u8; 32]>) -> Result<Weights> {
        let wanted = digest.map(hexadecimal);
        let right = |found: &Found| wanted.as_ref().is_none_or(|wanted| found.digests.blake3 == *wanted);
        let mut search = self.own(backbone, sources);
        let newest = search.rejected.iter().max_by_key(|rejected| modified(&rejected.path));
        let older = |found: &Found| modified(&found.path) < newest.and_then(|newest| modified(&newest.path));
        if let Some(Rejected { path, reason }) = newest
            && wanted.is_none()
            && search.found.first().is_none_or(older)
        {
            let message = format!("the newest weights of {backbone} cannot be used: {reason}");
            let hint = format!(
                "delete this file, or put the right one there: {}",
                self.how_to_get(backbone, sources)
            );
            return Err(refused(message).with_path(path).with_hint(hint));
        }
        search.found.retain(right);
        if search.found.is_empty() {
            search.append(self.foreign(backbone, sources));
            search.found.retain(right);
        }
        match search.found.first() {
            Some(found) => found.read(),
            None => Err(self.absent(backbone, sources, wanted.as_deref(), &search.rejected)),
        }
    }

    /// Keeps the bytes of a file of weights for a backbone, under a name that their digests give it. From now on they are the weights
    /// that the backbone's name stands for.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the folder cannot be written.
    pub fn keep(
        &self,
        backbone: &str,
        source: Option<&Source>,
        bytes: &[u8],
        digests: Digests,
        extension: &str,
    ) -> Result<Found> {
        let path = self.folder.join(name_by_content(backbone, &digests, extension));
        self.make_folder()?;
        write_whole(&path, bytes)?;
        self.record(backbone, source, path, digests)
    }

    /// Hashes every file of a backbone again, and names those of the own folder that are gone.
    pub fn verify(&self, backbone: &str, sources: &[Source]) -> Vec<Verified> {
        let search = self.search(backbone, sources);
        let mut verified: Vec<Verified> = Vec::new();
        for Found { path, digests, .. } in search.found {
            let state = match digests_of(&path) {
                Ok(now) if now == digests => State::Unchanged,
                Ok(now) => State::Changed(changed(&digests, &now)),
                Err(reason) => State::Changed(reason),
            };
            verified.push(Verified { path, state });
        }
        verified.extend(
            search
                .rejected
                .into_iter()
                .map(|rejected| Verified { path: rejected.path, state: State::Changed(rejected.reason) }),
        );
        // What is gone from the cache of a framework is no loss of ours.
        let own = |record: &Record| record.backbone == backbone && record.file.is_relative();
        for record in self.records().into_iter().filter(own) {
            let path = self.folder.join(&record.file);
            if !path.exists() && verified.iter().all(|known| known.path != path) {
                verified.push(Verified { path, state: State::Missing });
            }
        }
        verified
    }

    /// The ranges of int8 that are kept beside the weights of that BLAKE3.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if they are not understood or belong to other weights; [`ErrorKind::Io`] if they cannot be read.
    pub fn ranges(&self, digest: &[u8; 32]) -> Result<Option<Ranges>> {
        let digest = hexadecimal(digest);
        let path = self.ranges_path(&digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("cannot read", &path, error)),
        };
        let mut json = String::new();
        file.take(MAX_RANGES_BYTES)
            .read_to_string(&mut json)
            .map_err(|error| Error::io("cannot read", &path, error))?;
        let hint = "delete this file, and the ranges are found again";
        let ranges = Ranges::from_json(&json).map_err(|error| error.with_path(&path).with_hint(hint))?;
        if ranges.weights != digest {
            let message = format!("ranges of other weights: expected {digest}, found {:?}", ranges.weights);
            return Err(refused(message).with_path(path).with_hint(hint));
        }
        Ok(Some(ranges))
    }

    /// Keeps ranges beside the weights that they belong to.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if they name no weights; [`ErrorKind::Io`] if the folder cannot be written.
    pub fn keep_ranges(&self, ranges: &Ranges) -> Result<()> {
        // The name becomes a path.
        if blake3::Hash::from_hex(&ranges.weights).is_err() {
            return Err(refused(format!("{:?} is no digest of weights", ranges.weights)));
        }
        self.make_folder()?;
        write_whole(&self.ranges_path(&ranges.weights.to_lowercase()), ranges.to_json()?.as_bytes())
    }

    fn ranges_path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.ranges.json"))
    }

    pub(super) fn make_folder(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|error| Error::io("cannot make", &self.folder, error))
    }

    /// Writes down what is known of a file in the own folder.
    pub(super) fn record(
        &self,
        backbone: &str,
        source: Option<&Source>,
        path: PathBuf,
        digests: Digests,
    ) -> Result<Found> {
        let metadata = fs::metadata(&path).map_err(|error| Error::io("cannot read", &path, error))?;
        let file = path.strip_prefix(&self.folder).unwrap_or(&path).to_owned();
        let name = source.map(|source| source.name);
        Record::new(backbone, name, file, &metadata, digests.clone()).write(&self.folder)?;
        Ok(Found { path, place: Place::Topwork, source: source.copied(), digests })
    }

    fn records(&self) -> Vec<Record> {
        let Ok(listed) = fs::read_dir(&self.folder) else { return Vec::new() };
        listed.filter_map(|entry| Record::read(&entry.ok()?.path())).collect()
    }

    /// What lies in the own folder: files that were added or downloaded, by their records, and published ones that were put
    /// there by hand, by their names.
    fn own(&self, backbone: &str, sources: &[Source]) -> Search {
        let mut search = Search::default();
        let records = self.records();
        let named: BTreeSet<&Path> = sources.iter().map(|source| Path::new(source.file)).collect();
        for file in &named {
            let path = self.folder.join(file);
            if path.exists() {
                let sources: Vec<Source> =
                    sources.iter().filter(|source| Path::new(source.file) == *file).copied().collect();
                search.push(path.clone(), self.identify(&path, Place::Topwork, backbone, &sources, &records));
            }
        }
        for record in records.iter().filter(|record| record.backbone == backbone) {
            let path = self.folder.join(&record.file);
            if record.file.is_relative() && !named.contains(record.file.as_path()) && path.exists() {
                search.push(path.clone(), self.check(&path, record, sources));
            }
        }
        search.found.sort_by_cached_key(|found| {
            std::cmp::Reverse((modified(&found.path), found.digests.blake3.clone()))
        });
        search
    }

    /// What lies in the caches of frameworks, in the order of the sources.
    fn foreign(&self, backbone: &str, sources: &[Source]) -> Search {
        let mut search = Search::default();
        let records = self.records();
        let mut seen = BTreeSet::new();
        for source in sources {
            for (place, path) in self.others.places_of(source) {
                if path.exists() && seen.insert(path.clone()) {
                    let alike = |other: &&Source| {
                        self.others.places_of(other).iter().any(|(_, other)| *other == path)
                    };
                    let sources: Vec<Source> = sources.iter().filter(alike).copied().collect();
                    search.push(path.clone(), self.identify(&path, place, backbone, &sources, &records));
                }
            }
        }
        search
    }

    /// Which of the sources a file is; what was found is written down, where that is possible.
    fn identify(
        &self,
        path: &Path,
        place: Place,
        backbone: &str,
        sources: &[Source],
        records: &[Record],
    ) -> std::result::Result<Found, String> {
        let metadata = regular(path)?;
        let known = records
            .iter()
            .find(|record| self.folder.join(&record.file) == path && record.is_current(&metadata));
        let digests = match known {
            Some(record) => record.digests.clone(),
            None => {
                // Lengths first: a download that was broken off need not be hashed.
                explain(sources, |source| source.check_length(metadata.len()))?;
                digests_of(path)?
            }
        };
        let source = explain(sources, |source| source.check(&digests))?;
        // Of two files alike the first stays known: the second may be gone tomorrow.
        let alike = |record: &Record| record.backbone == backbone && record.digests == digests;
        let other = records.iter().any(|record| alike(record) && self.folder.join(&record.file).exists());
        if known.is_none() && !other {
            let file = path.strip_prefix(&self.folder).unwrap_or(path).to_owned();
            let record = Record::new(backbone, Some(source.name), file, &metadata, digests.clone());
            // Without a record the file is hashed again the next time, and nothing else.
            let _ = self.make_folder().and_then(|()| record.write(&self.folder));
        }
        Ok(Found { path: path.to_owned(), place, source: Some(*source), digests })
    }

    /// Whether a file in the own folder is still the one of its record.
    fn check(&self, path: &Path, record: &Record, sources: &[Source]) -> std::result::Result<Found, String> {
        let metadata = regular(path)?;
        if !record.is_current(&metadata) {
            let now = digests_of(path)?;
            if now != record.digests {
                return Err(changed(&record.digests, &now));
            }
            // As in `identify`.
            let _ = record.touched(&metadata).write(&self.folder);
        }
        let source = sources.iter().find(|source| record.source.as_deref() == Some(source.name));
        if let Some(source) = source {
            source.check(&record.digests)?;
        }
        let digests = record.digests.clone();
        Ok(Found { path: path.to_owned(), place: Place::Topwork, source: source.copied(), digests })
    }

    /// Why a backbone cannot be used, and what can be done about it.
    fn absent(
        &self,
        backbone: &str,
        sources: &[Source],
        digest: Option<&str>,
        rejected: &[Rejected],
    ) -> Error {
        let mut message = format!("the weights of {backbone} are not here");
        if let Some(digest) = digest {
            message = format!("the weights of {backbone} with BLAKE3 {digest} are not here");
            let record = self.records().into_iter().find(|record| record.digests.blake3 == digest);
            if let Some(record) = record {
                message += &format!(" ({} is gone or changed)", self.folder.join(record.file).display());
            }
        }
        for Rejected { path, reason } in rejected {
            message += &format!("; {} is not used: {reason}", path.display());
        }
        Error::new(ErrorKind::Weights, message).with_hint(self.how_to_get(backbone, sources))
    }

    /// What can be fetched, and which file can be put where.
    pub(super) fn how_to_get(&self, backbone: &str, sources: &[Source]) -> Remedy {
        let download = sources.iter().find(|source| source.url.is_some());
        let files: BTreeSet<&str> = sources.iter().map(|source| source.file).collect();
        Remedy::GetWeights {
            backbone: backbone.to_owned(),
            download: download.map(|source| (source.name, source.bytes, source.licence)),
            files: files.into_iter().collect(),
            folder: self.folder.clone(),
        }
    }
}

impl OtherCaches {
    /// As torch 2, Keras 3 and huggingface_hub 1 choose their folders.
    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> OtherCaches {
        let named = |name: &str| variable(name).map(PathBuf::from);
        let caches = || folders::xdg_caches(&variable);
        let torch = named("TORCH_HOME").or_else(|| Some(caches()?.join("torch")));
        let keras = named("KERAS_HOME").or_else(|| Some(folders::home(&variable)?.join(".keras")));
        let hub = || named("HF_HOME").or_else(|| Some(caches()?.join("huggingface")));
        OtherCaches {
            torch: torch.map(|torch| torch.join("hub").join("checkpoints")),
            keras: keras.map(|keras| keras.join("models")),
            hugging_face: named("HF_HUB_CACHE").or_else(|| Some(hub()?.join("hub"))),
        }
    }

    /// Where a published file would lie.
    fn places_of(&self, source: &Source) -> Vec<(Place, PathBuf)> {
        let flat = [(Place::Torch, &self.torch), (Place::Keras, &self.keras)];
        let mut places: Vec<(Place, PathBuf)> = flat
            .into_iter()
            .filter_map(|(place, folder)| Some((place, folder.as_ref()?.join(source.file))))
            .collect();
        if let (Some(hub), Some((owner, name, path))) = (&self.hugging_face, source.hugging_face()) {
            let snapshots = hub.join(format!("models--{owner}--{name}")).join("snapshots");
            let mut found: Vec<PathBuf> = fs::read_dir(snapshots)
                .map(|listed| listed.filter_map(|entry| Some(entry.ok()?.path().join(path))).collect())
                .unwrap_or_default();
            found.sort();
            places.extend(found.into_iter().map(|path| (Place::HuggingFace, path)));
        }
        places
    }
}

impl Found {
    /// Reads the file, which must be the one whose digests are known.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if it is another one now, or as [`Weights::read`].
    pub fn read(&self) -> Result<Weights> {
        let weights = Weights::read(&self.path)?;
        let digest = hexadecimal(&weights.digest());
        if digest == self.digests.blake3 {
            return Ok(Weights { source: self.source.map(|source| source.name), ..weights });
        }
        let message = format!("this file changed: expected BLAKE3 {}, found {digest}", self.digests.blake3);
        Err(refused(message).with_path(&self.path).with_hint(Remedy::VerifyWeights))
    }
}

impl Search {
    fn push(&mut self, path: PathBuf, outcome: std::result::Result<Found, String>) {
        match outcome {
            Ok(found) => self.found.push(found),
            Err(reason) => self.rejected.push(Rejected { path, reason }),
        }
    }

    fn append(&mut self, mut other: Search) {
        self.found.append(&mut other.found);
        self.rejected.append(&mut other.rejected);
    }
}

/// The first source that a check allows, else what each check says.
fn explain(
    sources: &[Source],
    check: impl Fn(&Source) -> std::result::Result<(), String>,
) -> std::result::Result<&Source, String> {
    let mut reasons = Vec::new();
    for source in sources {
        match check(source) {
            Ok(()) => return Ok(source),
            Err(reason) => reasons.push(format!("for {} {reason}", source.name)),
        }
    }
    Err(reasons.join("; "))
}

fn regular(path: &Path) -> std::result::Result<fs::Metadata, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    match metadata.is_file() {
        true if metadata.len() <= MAX_BYTES => Ok(metadata),
        true => Err(format!("{} bytes; the limit is {MAX_BYTES}", metadata.len())),
        false => Err("this is no file".to_owned()),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn digests_of(path: &Path) -> std::result::Result<Digests, String> {
    File::open(path).and_then(Digests::of).map_err(|error| error.to_string())
}

fn changed(known: &Digests, now: &Digests) -> String {
    format!("it changed: expected BLAKE3 {}, found {}", known.blake3, now.blake3)
}

fn hexadecimal(digest: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}

/// A name that no other content has.
pub(super) fn name_by_content(backbone: &str, digests: &Digests, extension: &str) -> String {
    let plain = !extension.is_empty() && extension.chars().all(|letter| letter.is_ascii_alphanumeric());
    let extension = if plain { extension } else { "weights" };
    format!("{backbone}-{}.{extension}", &digests.blake3[..16])
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;

//! The weights of a backbone as files: found in the user's caches, added to them, told apart by their digests.

use std::path::Path;

use super::{BACKBONES, BackboneSpec, Origin};
use crate::error::{Error, ErrorKind, Result};
use crate::network::Ranges;
use crate::remedy::Remedy;
use crate::weights::{Cache, Digests, Found, LoadReport, Source, Weights, read_bytes};

/// A file that was added to a cache.
#[derive(Debug)]
pub struct Added {
    /// The backbone that it is for.
    pub spec: &'static BackboneSpec,
    /// Where it lies now.
    pub found: Found,
    /// What became of its tensors.
    pub report: LoadReport,
}

impl BackboneSpec {
    /// The published files of its weights; none where they are in the program.
    pub fn sources(&self) -> &'static [Source] {
        match self.origin {
            Origin::Embedded { .. } => &[],
            Origin::File { sources, .. } => sources,
        }
    }

    /// The weights that belong to it: in the program, else what [`Cache::of_user`] has.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if they are not here, with the ways to get them, or cannot be read.
    pub fn weights(&self) -> Result<Weights> {
        match self.origin {
            Origin::Embedded { weights, .. } => Weights::from_bytes(weights),
            Origin::File { sources, .. } => Cache::of_user()?.weights(self.name, sources, None),
        }
    }

    /// Those of its weights whose file has that BLAKE3: what a saved classifier stands on. The name of the published file that it
    /// is, where that is known, is what is asked for if it is not here.
    ///
    /// # Errors
    /// As [`BackboneSpec::weights`].
    pub fn weights_of(&self, digest: &[u8; 32], source: Option<&str>) -> Result<Weights> {
        match self.origin {
            Origin::Embedded { .. } => {
                let weights = self.weights()?;
                if weights.digest() == *digest {
                    return Ok(weights);
                }
                let text = |digest| blake3::Hash::from_bytes(digest).to_hex();
                let (expected, found) = (text(*digest), text(weights.digest()));
                let message = format!(
                    "this program has other weights of {}: expected {expected}, found {found}",
                    self.name
                );
                Err(Error::new(ErrorKind::Weights, message)
                    .with_hint("train again, or use the version it came from"))
            }
            Origin::File { sources, .. } => {
                let named = sources.iter().find(|known| source == Some(known.name));
                let sources = named.map_or(sources, std::slice::from_ref);
                Cache::of_user()?.weights(self.name, sources, Some(digest))
            }
        }
    }

    /// The ranges of int8 that belong to these weights.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if there are none, or they cannot be read.
    pub fn ranges_of(&self, weights: &Weights) -> Result<Ranges> {
        self.known_ranges(weights)?.ok_or_else(|| {
            let message = format!("these weights of {} have no ranges yet, which int8 needs", self.name);
            Error::new(ErrorKind::Weights, message).with_hint(Remedy::Calibrate)
        })
    }

    /// The ranges of int8 that belong to these weights, where they are in the program or [`Cache::of_user`] has them.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if they cannot be read.
    pub fn known_ranges(&self, weights: &Weights) -> Result<Option<Ranges>> {
        match self.origin {
            Origin::Embedded { ranges, .. } => Ranges::from_json(ranges).map(Some),
            Origin::File { .. } => Cache::of_user()?.ranges(&weights.digest()),
        }
    }
}

/// Copies a file of weights into a cache, for a backbone. Where none is named, the file must be a published one.
///
/// # Errors
/// [`ErrorKind::Weights`] if the file cannot be read, does not fit the network, or was published for another backbone;
/// [`ErrorKind::Configuration`] if no backbone is named and the file is none that was published, with those that it fits, or if
/// the backbone's weights are in the program; [`ErrorKind::Io`] if the folder cannot be written.
pub fn add(file: &Path, spec: Option<&'static BackboneSpec>, cache: &Cache) -> Result<Added> {
    let bytes = read_bytes(file)?;
    let on_file = |error: Error| error.with_path(file);
    let weights = Weights::from_bytes(&bytes).map_err(on_file)?;
    let digests = Digests::of(bytes.as_slice()).map_err(|error| Error::io("cannot read", file, error))?;
    let published = published(&digests);
    let spec = match (spec, published) {
        (Some(spec), Some((other, source))) if spec.name != other.name => {
            let message = format!(
                "these are the weights {}, which belong to {} with its preprocessing, not to {}",
                source.name, other.name, spec.name
            );
            let remedy = Remedy::NameBackbone(vec![other.name]);
            return Err(on_file(Error::new(ErrorKind::Weights, message).with_hint(remedy)));
        }
        (Some(spec), _) | (None, Some((spec, _))) => spec,
        (None, None) => return Err(on_file(unknown(&weights))),
    };
    if let Origin::Embedded { .. } = spec.origin {
        let message = format!("the weights of {} are in the program", spec.name);
        return Err(on_file(Error::new(ErrorKind::Configuration, message)));
    }
    let report = spec.check(&weights).map_err(on_file)?;
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let source = published.map(|(_, source)| source);
    let found = cache.keep(spec.name, source, &bytes, digests, extension)?;
    Ok(Added { spec, found, report })
}

/// The backbone and the published file with these digests.
fn published(digests: &Digests) -> Option<(&'static BackboneSpec, &'static Source)> {
    BACKBONES.iter().find_map(|spec| {
        let source = spec.sources().iter().find(|source| source.check(digests).is_ok())?;
        Some((spec, source))
    })
}

/// Why the backbone of a file must be named, and which could be meant.
fn unknown(weights: &Weights) -> Error {
    let fitting: Vec<&str> = BACKBONES
        .iter()
        .filter(|spec| matches!(spec.origin, Origin::File { .. }) && spec.check(weights).is_ok())
        .map(|spec| spec.name)
        .collect();
    let message = "this is none of the published files, so its backbone must be named";
    Error::new(ErrorKind::Configuration, message).with_hint(Remedy::NameBackbone(fitting))
}

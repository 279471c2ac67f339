//! The composition of the line from a photo's bytes to its features: the one path that every caller takes.

use std::sync::Arc;

use topwork_kernels::Isa;

use super::Facts;
use super::extract::{Extraction, OnPhoto, Seconds, Steps, choose_range, extract, timed};
use super::store::Store;
use crate::backbone::Backbone;
use crate::error::Result;
use crate::execution::Execution;
use crate::network::{Arena, Layout, Precision, Ranges};
use crate::photo::{self, Content, DECODING, Limits, Photo, PhotoSource, SampleRange, Unreadable};
use crate::preprocess::{Preprocess, Scratch};

/// Raised whenever a decoder, the resampler or a kernel changes pixels or features, so that stored features of older
/// versions are not mixed with new ones. A test with golden digests fails otherwise.
pub const NUMERICS_VERSION: u32 = 3;

/// A frozen backbone with all that stands before it: turns photos into features.
/// Cheap to clone: clones share the network.
#[derive(Clone, Debug)]
pub struct Extractor {
    backbone: Arc<Backbone>,
    limits: Limits,
    identity: [u8; 32],
    layout: Layout,
    range: SampleRange,
}

/// The buffers of one worker; nothing else is allocated while a photo passes through the network.
pub struct Workspace {
    scratch: Scratch,
    arena: Arena,
}

impl Extractor {
    /// An extractor on that backbone, with the default limits on photos: the averages of the last map.
    pub fn new(backbone: impl Into<Arc<Backbone>>) -> Extractor {
        let backbone = backbone.into();
        let layout = backbone.network.layout().last();
        Extractor::of(backbone, layout)
    }

    /// The same, and the averages of the map in the middle that the backbone offers beside it.
    pub fn with_tap(backbone: impl Into<Arc<Backbone>>) -> Extractor {
        let backbone = backbone.into();
        let layout = backbone.network.layout().clone();
        Extractor::of(backbone, layout)
    }

    fn of(backbone: Arc<Backbone>, layout: Layout) -> Extractor {
        let mut hasher = blake3::Hasher::new();
        let preprocess = serde_json::to_string(&backbone.preprocess).expect("numbers and names become JSON");
        hasher.update(format!("topwork extractor {NUMERICS_VERSION}\0").as_bytes());
        hasher.update(&backbone.digest);
        let precision = backbone.network.precision();
        hasher.update(format!("{}\0{preprocess}\0{DECODING}\0", precision.as_str()).as_bytes());
        match precision {
            Precision::Int8 => {
                hasher.update(&backbone.ranges.as_ref().map(Ranges::digest).unwrap_or_default())
            }
            // The last bits of f32 sums depend on the instruction set.
            Precision::F32 => hasher.update(backbone.network.isa().level().name().as_bytes()),
        };
        // Which of the maps a run asks for is no part of it: a row that holds both serves those who need one.
        for part in backbone.network.layout().parts() {
            hasher
                .update(format!("{}\0{}\0{}\0", part.layer, part.channels, part.encoding.size()).as_bytes());
        }
        let identity = *hasher.finalize().as_bytes();
        Extractor { backbone, limits: Limits::default(), identity, layout, range: SampleRange::default() }
    }

    /// The network and what belongs to its weights.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// How photos are prepared.
    pub fn preprocess(&self) -> &Preprocess {
        &self.backbone.preprocess
    }

    /// The arithmetic of the network.
    pub fn precision(&self) -> Precision {
        self.backbone.network.precision()
    }

    /// The instruction set of the network.
    pub fn isa(&self) -> Isa {
        self.backbone.network.isa()
    }

    /// The averages of the last map alone; rows that others computed stay valid.
    pub fn without_tap(self) -> Extractor {
        Extractor { layout: self.layout.last(), ..self }
    }

    /// The same with samples of 16 bits read in that range.
    pub fn in_range(self, range: SampleRange) -> Extractor {
        Extractor { range, ..self }
    }

    /// How samples of 16 bits are read.
    pub fn range(&self) -> SampleRange {
        self.range
    }

    /// The features of the pattern on which networks prove themselves, see [`probe`](crate::network::probe).
    pub fn probe_features(&self) -> Vec<f32> {
        self.backbone.probe_features(&self.layout)
    }

    /// How a photo's features are written.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The number of features of a photo.
    pub fn feature_dim(&self) -> usize {
        self.layout.width()
    }

    /// BLAKE3 of everything that features depend on but the photo, and the range in which samples of 16 bits are read.
    pub fn identity(&self) -> &[u8; 32] {
        &self.identity
    }

    /// The identity for a photo of this content: on the range only photos depend whose samples have 16 bits, and read
    /// otherwise than by themselves.
    fn identity_for(&self, content: &Content) -> [u8; 32] {
        let range = match content {
            Content::Bytes(bytes) => photo::range_that_matters(bytes, self.range),
            Content::Pixels(_) => None,
        };
        match range {
            None => self.identity,
            Some(range) => {
                let range = serde_json::to_string(&range).expect("numbers and names become JSON");
                let mut hasher = blake3::Hasher::new();
                hasher.update(&self.identity).update(range.as_bytes());
                *hasher.finalize().as_bytes()
            }
        }
    }

    /// Buffers for one worker.
    pub fn workspace(&self) -> Workspace {
        Workspace { scratch: Scratch::default(), arena: self.backbone.network.arena() }
    }

    /// A photo's bytes to a row of features as the [`layout`](Extractor::layout) says, and what else is known; the seconds of each stage are added.
    ///
    /// # Errors
    /// Why the photo cannot be used.
    ///
    /// # Panics
    /// If `row` has another length.
    pub fn features_from_bytes(
        &self,
        bytes: &[u8],
        workspace: &mut Workspace,
        seconds: &mut Seconds,
        row: &mut [u8],
    ) -> std::result::Result<Facts, Unreadable> {
        let shorter = self.preprocess().shorter();
        let (photo, facts) = timed(&mut seconds.decode, || {
            let (photo, samples) = photo::decode_in_range(bytes, &self.limits, shorter, self.range)?;
            let facts = Facts::of(&photo, samples);
            Ok((photo, facts))
        })?;
        self.features_from_photo(&photo, workspace, seconds, row);
        Ok(facts)
    }

    /// A photo to a row of features, as [`features_from_bytes`](Extractor::features_from_bytes).
    ///
    /// # Errors
    /// Why the photo cannot be used.
    ///
    /// # Panics
    /// If `row` has another length.
    pub fn features_from_content(
        &self,
        content: &Content,
        workspace: &mut Workspace,
        seconds: &mut Seconds,
        row: &mut [u8],
    ) -> std::result::Result<Facts, Unreadable> {
        match content {
            Content::Bytes(bytes) => self.features_from_bytes(bytes, workspace, seconds, row),
            Content::Pixels(photo) => {
                self.features_from_photo(photo, workspace, seconds, row);
                Ok(Facts::of(photo, None))
            }
        }
    }

    fn features_from_photo(
        &self,
        photo: &Photo,
        workspace: &mut Workspace,
        seconds: &mut Seconds,
        row: &mut [u8],
    ) {
        let Workspace { scratch, arena } = workspace;
        timed(&mut seconds.resize, || self.preprocess().pixels(photo, self.isa(), scratch, arena.pixels()));
        timed(&mut seconds.network, || self.backbone.network.run(arena, row));
    }

    /// The features of many photos; see [`extract`].
    ///
    /// # Errors
    /// As [`extract`].
    pub fn extract(
        &self,
        photos: &[PhotoSource],
        store: &Store,
        execution: Execution,
        on_photo: OnPhoto,
    ) -> Result<Extraction> {
        let steps = Steps {
            identity: &|content| self.identity_for(content),
            layout: &self.layout,
            limits: &self.limits,
            workspace: &|| self.workspace(),
            features: &|content, workspace, seconds, row| {
                self.features_from_content(content, workspace, seconds, row)
            },
        };
        extract(photos, &steps, store, execution, on_photo)
    }

    /// The same, where the photos at the places `choosing` choose how those of 16 bits are read; see [`choose_range`].
    ///
    /// # Errors
    /// As [`extract`].
    pub fn extract_choosing(
        mut self,
        photos: &[PhotoSource],
        choosing: &[usize],
        store: &Store,
        execution: Execution,
        on_photo: OnPhoto,
    ) -> Result<(Extractor, Extraction)> {
        let extraction = choose_range(photos, choosing, self.range, |photos, range| {
            self.range = range;
            self.extract(photos, store, execution, on_photo)
        })?;
        Ok((self, extraction))
    }
}

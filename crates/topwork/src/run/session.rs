//! What runs of one process share: the instruction set, the threads, the feature store, the networks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use topwork_kernels::Isa;

use super::job::{Event, Job, Stage};
use crate::backbone::{Arithmetic, Backbone, BackboneSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::execution::{CancelToken, Execution, all_cores};
use crate::features::Extractor;
use crate::features::extract::Extraction;
use crate::features::store::{self, Store, StoreNotice};
use crate::folders::environment;
use crate::notice::Notice;
use crate::photo::PhotoSource;
use crate::weights::Weights;

/// What a [`Session`] is made of. `Default` is the fastest, with the user's store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// The instruction set of every kernel; `None` for the one that `TOPWORK_ISA` names, else the fastest.
    pub isa: Option<Isa>,
    /// Threads; `None` for one for each core.
    pub threads: Option<usize>,
    /// Where features are kept.
    pub store: StoreOptions,
}

/// Where features are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreOptions {
    /// In [`store::default_folder`].
    #[default]
    User,
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere.
    None,
}

/// What runs of one process share. `Send` and `Sync`: threads run in it side by side.
pub struct Session {
    isa: Isa,
    threads: usize,
    store: Store,
    notices: Mutex<Vec<Notice>>,
    backbones: Mutex<Vec<Weak<Backbone>>>,
}

impl Session {
    /// Opens the store; what does not work with it becomes a notice of the first run.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if `TOPWORK_ISA` names an instruction set that this processor or program does not have.
    pub fn open(options: SessionOptions) -> Result<Session> {
        let isa = match options.isa {
            Some(isa) => isa,
            None => isa_of_environment()?,
        };
        let mut notices = Vec::new();
        let folder = match options.store {
            StoreOptions::None => None,
            StoreOptions::Folder(folder) => Some(folder),
            StoreOptions::User => match store::default_folder() {
                Ok(folder) => Some(folder),
                Err(error) => {
                    notices.push(Notice::Store(StoreNotice::NoFolder(error.to_string())));
                    None
                }
            },
        };
        let large = folder.as_deref().and_then(store::large_size);
        notices.extend(large.map(|bytes| Notice::Store(StoreNotice::Large(bytes))));
        Ok(Session {
            isa,
            threads: options.threads.unwrap_or_else(all_cores).max(1),
            store: folder.as_deref().map_or_else(Store::none, Store::open),
            notices: Mutex::new(notices),
            backbones: Mutex::default(),
        })
    }

    /// The instruction set of every kernel.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The features of earlier runs.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How work is done in this session, until it is cancelled.
    pub fn execution<'a>(&self, cancel: &'a CancelToken) -> Execution<'a> {
        Execution { isa: self.isa, threads: self.threads, cancel }
    }

    /// The network of that backbone with these weights, for photos of its own size; one that is in use already is shared.
    ///
    /// # Errors
    /// As [BackboneSpec::instantiate].
    pub fn backbone(
        &self,
        spec: &BackboneSpec,
        weights: &Weights,
        arithmetic: Arithmetic,
    ) -> Result<Arc<Backbone>> {
        let mut backbones = self.backbones.lock().unwrap_or_else(PoisonError::into_inner);
        backbones.retain(|backbone| backbone.strong_count() > 0);
        let ranges = match arithmetic {
            Arithmetic::F32 => None,
            Arithmetic::Int8(ranges) => Some(ranges),
        };
        let is_same = |backbone: &Arc<Backbone>| {
            backbone.name == spec.name
                && backbone.digest == weights.digest()
                && backbone.ranges.as_ref() == ranges
        };
        if let Some(known) = backbones.iter().filter_map(Weak::upgrade).find(is_same) {
            return Ok(known);
        }
        let made = Arc::new(spec.instantiate(weights, spec.architecture.input, arithmetic, self.isa)?);
        backbones.push(Arc::downgrade(&made));
        Ok(made)
    }

    /// Says what is to be said of the store, and not said yet.
    pub(super) fn tell(&self, job: &Job) {
        let pending = std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner));
        pending.iter().for_each(|notice| job.notice(notice));
        self.store.take_notices().into_iter().for_each(|notice| job.notice(&Notice::Store(notice)));
    }

    /// The features of photos; those at the places `choosing` choose how photos of 16 bits are read.
    pub(super) fn extract(
        &self,
        extractor: &Extractor,
        photos: &[PhotoSource],
        choosing: &[usize],
        job: &Job,
    ) -> Result<(Extractor, Extraction)> {
        self.tell(job);
        job.stage(Stage::Features { photos: photos.len() });
        let execution = self.execution(job.cancel);
        let on_photo = |progress| (job.events)(Event::Photos(progress));
        let found = extractor.clone().extract_choosing(photos, choosing, &self.store, execution, &on_photo);
        self.tell(job);
        found
    }
}

/// The instruction set that `TOPWORK_ISA` names, else the fastest.
fn isa_of_environment() -> Result<Isa> {
    let Some(name) = environment("TOPWORK_ISA") else { return Ok(Isa::best()) };
    let name = name.to_string_lossy();
    Isa::named(&name).ok_or_else(|| {
        let known: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
        let message =
            format!("TOPWORK_ISA={name}: this processor and this program have {}", known.join(", "));
        Error::new(ErrorKind::Configuration, message).with_hint("unset TOPWORK_ISA for the fastest")
    })
}

//! The saved classifier: one `.safetensors` file with the head's tensors and, as JSON under one metadata key,
//! everything else that an answer depends on.
//!
//! Data only: no code ever runs from the file. The same inputs give the same bytes, so there is no clock, path,
//! host, duration or number of threads in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::backbone::{self, Arithmetic, Backbone, ImageNet, SELF_TEST_HINT};
use crate::error::{Error, ErrorKind, Result};
use crate::features::extract::Seconds;
use crate::features::{Extractor, Features, Tap, Workspace, inputs};
use crate::fence::fenced;
use crate::head::{Head, Linear, NamedTensor};
use crate::network::{Precision, Ranges};
use crate::photo::{Content, Limits, PhotoSource, Reason, SampleRange, Unreadable};
use crate::preprocess::Preprocess;
use crate::remedy::Remedy;
use crate::report::write_whole;
use crate::run::Answer;
use topwork_kernels::Isa;

/// The number of the file format that this version writes, and the newest that it reads.
pub const MODEL_FORMAT: u32 = 2;

/// The oldest version of topwork that reads [`MODEL_FORMAT`].
const READABLE_SINCE: &str = "0.1.0";

/// The metadata key under which the JSON record stands.
const METADATA_KEY: &str = "topwork";

/// The tensor that holds the features of the probe pattern.
const SELF_TEST: &str = "self_test.features";

/// How far the probe's f32 features may lie from the recorded ones, relative to the largest of them. The last bits
/// of f32 sums depend on the instruction set; a broken kernel is off by far more.
const SELF_TEST_TOLERANCE: f32 = 1e-3;

/// No head that topwork writes comes near it; a larger file is refused before it is read.
const MAX_BYTES: u64 = 2 << 30;

/// Everything of a classifier but its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Number of the file format.
    pub format: u32,
    /// The oldest version of topwork that reads this format.
    pub readable_since: String,
    /// Class names; the order of the head's outputs.
    pub classes: Vec<String>,
    /// WordNet ids of the classes, where they have some; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wordnet_ids: Vec<String>,
    /// The network below the head.
    pub backbone: BackboneRecord,
    /// How a photo becomes the network's input.
    pub preprocess: Preprocess,
    /// The arithmetic of the network.
    pub precision: Precision,
    /// Digest of the ranges between which its tensors are represented, hexadecimal; none in f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranges: Option<String>,
    /// The ranges themselves, where they were found on photos of the user's: with them and the weights the model answers on
    /// any machine. Those of embedded weights are in the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Ranges>,
    /// What the head takes of the map in the middle of the network; nothing, if that is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tap: Option<Tap>,
    /// How samples of 16 bits are read; as each file declares, if that is absent.
    #[serde(default, skip_serializing_if = "SampleRange::is_declared")]
    pub samples: SampleRange,
    /// What the classifier was trained with.
    pub settings: serde_json::Value,
}

/// Which weights the features come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackboneRecord {
    /// Name in [`BACKBONES`](crate::backbone::BACKBONES).
    pub name: String,
    /// BLAKE3 of the weights file, hexadecimal.
    pub digest: String,
    /// Name of the published file that it is, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A head on a frozen backbone, with its classes: what answers "what is on this photo?".
pub struct Classifier {
    record: ModelRecord,
    head: Head,
    extractor: Extractor,
    /// Buffers of calls that are over.
    workspaces: Mutex<Vec<Workspace>>,
}

impl Classifier {
    /// Puts a trained head on the extractor that its features came from. Without `tap` the head takes the averages of
    /// the last map alone, and the classifier computes no others.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the head's inputs or outputs do not fit the extractor or the classes, or the
    /// extractor does not give what `tap` names.
    pub fn new(
        extractor: Extractor,
        head: Head,
        tap: Option<Tap>,
        classes: Vec<String>,
        settings: serde_json::Value,
    ) -> Result<Classifier> {
        let extractor = if tap.is_some() { extractor } else { extractor.without_tap() };
        let record = ModelRecord { tap, ..record(&extractor, classes, settings) };
        check_shapes(&record, &head, &extractor, ErrorKind::Configuration)?;
        Ok(Classifier { record, head, extractor, workspaces: Mutex::default() })
    }

    /// The backbone with its own top: ImageNet's 1,000 classes, without any training.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Weights`] if the weights bring no top, or it does not fit the network.
    pub fn imagenet(backbone: impl Into<Arc<Backbone>>) -> Result<Classifier> {
        let backbone = backbone.into();
        let Some(ImageNet { weights, bias, classes }) = backbone.imagenet.clone() else {
            let message = format!("these weights of {} have no ImageNet classifier", backbone.name);
            let hint = "take a file that was saved with its top, or train a head of your own";
            return Err(Error::new(ErrorKind::Weights, message).with_hint(hint));
        };
        let head = Head::Linear(Linear::new(classes.len(), weights, bias)?);
        let (wordnet_ids, names): (Vec<String>, Vec<String>) =
            classes.into_iter().map(|class| (class.wnid, class.name)).unzip();
        let extractor = Extractor::new(backbone);
        let record = ModelRecord { wordnet_ids, ..record(&extractor, names, serde_json::Value::Null) };
        check_shapes(&record, &head, &extractor, ErrorKind::Weights)?;
        Ok(Classifier { record, head, extractor, workspaces: Mutex::default() })
    }

    /// Opens a model file, or the `model.safetensors` of a run folder, and lets the network prove itself on the probe.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Model`] if the file is none, is damaged, is of a newer format, names a backbone that this
    /// program does not have, or if the network does not give the recorded features; [`ErrorKind::Io`] if it
    /// cannot be read.
    pub fn open(path: &Path, isa: Isa) -> Result<Classifier> {
        let file = model_file(path);
        let length =
            std::fs::metadata(&file).map_err(|error| Error::io("cannot read the model", &file, error))?.len();
        if length > MAX_BYTES {
            let message =
                format!("the model has {length} bytes, more than the {MAX_BYTES} that a model may have");
            return Err(Error::new(ErrorKind::Model, message).with_path(file));
        }
        let bytes = std::fs::read(&file).map_err(|error| Error::io("cannot read the model", &file, error))?;
        Classifier::from_bytes(&bytes, isa).map_err(|error| error.with_path(file))
    }

    /// The same as [`Classifier::open`], from the file's bytes.
    ///
    /// # Errors
    ///
    /// As [`Classifier::open`].
    pub fn from_bytes(bytes: &[u8], isa: Isa) -> Result<Classifier> {
        let (record, head, probe) = parse(bytes)?;
        let backbone = backbone_of(&record, isa).map_err(|error| {
            let remedy = error.remedy().cloned();
            let message = "the model stands on a backbone that is not here";
            let error = Error::new(ErrorKind::Model, message).with_source(error);
            remedy.into_iter().fold(error, Error::with_hint)
        })?;
        record.samples.check()?;
        let extractor =
            if record.tap.is_some() { Extractor::with_tap(backbone) } else { Extractor::new(backbone) };
        let extractor = extractor.in_range(record.samples);
        if record.ranges != ranges_digest(&extractor) {
            let message = format!(
                "the model was trained with other ranges of int8: expected {:?}, found {:?}",
                record.ranges,
                ranges_digest(&extractor)
            );
            return Err(Error::new(ErrorKind::Model, message)
                .with_hint("train again, or use the version it came from"));
        }
        if record.preprocess != *extractor.preprocess() {
            let message =
                format!("the model was trained with another preprocessing of {}", record.backbone.name);
            return Err(Error::new(ErrorKind::Model, message)
                .with_hint("train again, or use the version it came from"));
        }
        check_shapes(&record, &head, &extractor, ErrorKind::Model)?;
        self_test(&extractor, &probe)?;
        Ok(Classifier { record, head, extractor, workspaces: Mutex::default() })
    }

    /// The bytes of the model file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Bug`] if the tensors cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors = self.head.tensors();
        let probe = self.extractor.probe_features();
        tensors.push(NamedTensor { name: SELF_TEST.to_owned(), shape: vec![probe.len()], values: probe });
        let stored: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
            .into_iter()
            .map(|NamedTensor { name, shape, values }| {
                (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            })
            .collect();
        let bug = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Bug, format!("the model's tensors cannot be written: {error}"))
        };
        let views = stored
            .iter()
            .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| bug(&error))?;
        // By way of a `Value`, whose objects are sorted by key: the bytes must not depend on the order of fields.
        let record = serde_json::to_value(&self.record).map_err(|error| bug(&error))?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), record.to_string())]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| bug(&error))
    }

    /// Writes the model file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.to_bytes()?)
    }

    /// The answer for one photo, on the caller's thread. Buffers are kept for the next call, from whichever thread.
    pub fn answer(&self, name: impl Into<String>, photo: &PhotoSource) -> Answer {
        match photo.content(&Limits::default()).and_then(|content| self.classify(&content)) {
            Ok(probabilities) => Answer::new(name, &self.record.classes, probabilities),
            Err(unreadable) => Answer::unreadable(name, unreadable),
        }
    }

    fn classify(&self, content: &Content) -> std::result::Result<Vec<f64>, Unreadable> {
        let pool = || self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = pool().pop();
        let mut workspace = kept.unwrap_or_else(|| self.extractor.workspace());
        let layout = self.extractor.layout();
        let mut row = vec![0; layout.row_bytes()];
        // A workspace that a panic left half-written is not put back.
        let found = fenced(|| {
            let seconds = &mut Seconds::default();
            self.extractor.features_from_content(content, &mut workspace, seconds, &mut row)
        });
        let defect = || Unreadable::new(Reason::Internal, "a defect of topwork: this photo made it panic");
        found.ok_or_else(defect)??;
        pool().push(workspace);
        let inputs = inputs(layout, &row, self.record.tap.as_ref());
        Ok(self.head.probabilities(self.extractor.isa(), &inputs))
    }

    /// The probability of every class for a row of features that the [`extractor`](Classifier::extractor) gave, or one
    /// on the same backbone that gives more.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn probabilities(&self, features: &Features, row: usize) -> Vec<f64> {
        self.head.probabilities(self.extractor.isa(), &features.inputs(row, self.record.tap.as_ref()))
    }

    /// What an answer depends on, besides the tensors.
    pub fn record(&self) -> &ModelRecord {
        &self.record
    }

    /// What turns features into probabilities.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What turns photos into features.
    pub fn extractor(&self) -> &Extractor {
        &self.extractor
    }
}

fn record(extractor: &Extractor, classes: Vec<String>, settings: serde_json::Value) -> ModelRecord {
    ModelRecord {
        format: MODEL_FORMAT,
        readable_since: READABLE_SINCE.to_owned(),
        classes,
        wordnet_ids: Vec::new(),
        backbone: BackboneRecord {
            name: extractor.backbone().name.to_owned(),
            digest: blake3::Hash::from_bytes(extractor.backbone().digest).to_hex().to_string(),
            source: extractor.backbone().source.map(str::to_owned),
        },
        preprocess: extractor.preprocess().clone(),
        precision: extractor.precision(),
        ranges: ranges_digest(extractor),
        calibration: extractor.backbone().ranges.clone().filter(|_| !extractor.backbone().is_embedded()),
        tap: None,
        samples: extractor.range(),
        settings,
    }
}

/// The network that a record names, on the weights and the ranges that it names.
fn backbone_of(record: &ModelRecord, isa: Isa) -> Result<Backbone> {
    let row = backbone::spec(&record.backbone.name)?;
    let digest = blake3::Hash::from_hex(&record.backbone.digest).map_err(|error| {
        let message = format!("{:?} is no digest of weights", record.backbone.digest);
        Error::new(ErrorKind::Model, message).with_source(error)
    })?;
    let weights = row.weights_of(digest.as_bytes(), record.backbone.source.as_deref())?;
    match (&record.calibration, record.precision) {
        (Some(ranges), Precision::Int8) => {
            ranges.check()?;
            row.instantiate(&weights, row.architecture.input, Arithmetic::Int8(ranges), isa)
        }
        _ => row.prepare(&weights, row.architecture.input, record.precision, isa),
    }
}

fn ranges_digest(extractor: &Extractor) -> Option<String> {
    let ranges = extractor.backbone().ranges.as_ref()?;
    Some(blake3::Hash::from_bytes(ranges.digest()).to_hex().to_string())
}

/// The model file of a run folder, or the path itself.
pub fn model_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("model.safetensors") } else { path.to_owned() }
}

fn parse(bytes: &[u8]) -> Result<(ModelRecord, Head, Vec<f32>)> {
    let model = |message: String| Error::new(ErrorKind::Model, message);
    let not_one = |error: &dyn std::fmt::Display| {
        model(format!("this is no topwork model: {error}")).with_hint(Remedy::NameModel)
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| not_one(&error))?;
    let json = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(METADATA_KEY))
        .ok_or_else(|| not_one(&"the file holds tensors, but no record of a classifier"))?;
    // The format number first: the rest of a newer record may look different.
    let value: serde_json::Value = serde_json::from_str(json).map_err(|error| not_one(&error))?;
    let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if format > u64::from(MODEL_FORMAT) {
        let since =
            value.get("readable_since").and_then(serde_json::Value::as_str).unwrap_or("a newer version");
        return Err(model(format!(
            "the model has format {format}, and this version reads up to {MODEL_FORMAT}"
        ))
        .with_hint(format!("use topwork {since} or newer")));
    }
    let precision = value.get("precision").and_then(serde_json::Value::as_str);
    if let Some(precision) =
        precision.filter(|name| Precision::ALL.iter().all(|known| known.as_str() != *name))
    {
        let message = format!("the model was trained in {precision} arithmetic, which this version lacks");
        return Err(model(message).with_hint("use a newer topwork"));
    }
    let record: ModelRecord = serde_json::from_value(value).map_err(|error| not_one(&error))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| not_one(&error))?;
    let mut probe = None;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(model(format!("tensor {name}: expected F32, found {:?}", view.dtype())));
        }
        let values: Vec<f32> =
            view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(model(format!("tensor {name} holds a value that is not finite")));
        }
        if name == SELF_TEST {
            probe = Some(values);
        } else {
            tensors.push(NamedTensor { name: name.to_owned(), shape: view.shape().to_vec(), values });
        }
    }
    let head = Head::from_tensors(&tensors, record.classes.len())?;
    let probe = probe.ok_or_else(|| model(format!("tensor {SELF_TEST} is missing")))?;
    Ok((record, head, probe))
}

fn check_shapes(record: &ModelRecord, head: &Head, extractor: &Extractor, kind: ErrorKind) -> Result<()> {
    let classes = &record.classes;
    let mut sorted: Vec<&String> = classes.iter().collect();
    sorted.sort();
    sorted.dedup();
    // ImageNet has two cranes and two maillots, told apart by their WordNet ids.
    if sorted.len() != classes.len() && record.wordnet_ids.is_empty() {
        return Err(Error::new(kind, "a class name stands twice in the list of classes"));
    }
    if !record.wordnet_ids.is_empty() && record.wordnet_ids.len() != classes.len() {
        let message = format!("{} classes, but {} WordNet ids", classes.len(), record.wordnet_ids.len());
        return Err(Error::new(kind, message));
    }
    if head.classes() != classes.len() {
        let message = format!("{} classes, but a head for {}", classes.len(), head.classes());
        return Err(Error::new(kind, message));
    }
    if let Some(tap) = &record.tap {
        let given = extractor.layout().tap().map(|part| part.layer.as_str());
        if given != Some(tap.layer.as_str()) {
            let given = given.unwrap_or("no other layer");
            let message = format!("a head on the layer {:?}, and the network offers {given}", tap.layer);
            return Err(Error::new(kind, message));
        }
        if !(tap.factor.is_finite() && tap.factor > 0.0) {
            let message = format!("the layer {:?} counts {} times", tap.layer, tap.factor);
            return Err(Error::new(kind, message));
        }
    }
    let feature_dim = extractor.feature_dim();
    if head.input_dim() != feature_dim {
        let message =
            format!("a head for {} features on a network that gives {feature_dim}", head.input_dim());
        return Err(Error::new(kind, message));
    }
    Ok(())
}

/// On bytes the probe's features must be the recorded ones, in f32 within the tolerance.
fn self_test(extractor: &Extractor, expected: &[f32]) -> Result<()> {
    let found = extractor.probe_features();
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let tolerance = match extractor.precision() {
        Precision::Int8 => 0.0,
        Precision::F32 => SELF_TEST_TOLERANCE * largest,
    };
    let farthest = found.iter().zip(expected).fold(0.0_f32, |far, (a, b)| {
        // A NaN must not hide behind `max`.
        let distance = (a - b).abs();
        if distance.is_nan() { f32::INFINITY } else { far.max(distance) }
    });
    if found.len() == expected.len() && farthest <= tolerance {
        return Ok(());
    }
    let message = format!(
        "the self-test failed: with the instruction set {} the network gives features that are {farthest} off \
         (at most {tolerance} is allowed)",
        extractor.isa().name(),
    );
    Err(Error::new(ErrorKind::Model, message).with_hint(SELF_TEST_HINT))
}

//! What a training can be told. Plain data with defaults, for a program's options, a function's arguments and a request's JSON.

use serde::{Deserialize, Serialize};

use super::stopwatch::Stopwatch;
use super::training::Training;
use crate::backbone::{self, DEFAULT_BACKBONE};
use crate::dataset::Dataset;
use crate::dataset::split::{Conflicts, Rule};
use crate::error::{Error, ErrorKind, Result};
use crate::network::Precision;
use crate::photo::SampleRange;
use crate::train::{ClassWeight, too_many_folds};

/// What a training can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TrainingOptions {
    /// The backbone's name.
    pub backbone: String,
    /// The arithmetic of the network.
    pub precision: Precision,
    /// The layers whose features the head may use.
    pub features: FeatureLayers,
    /// The layers on top of the features.
    pub head: HeadOptions,
    /// How validation photos are chosen, unless the data have their own or there are folds.
    pub split: SplitRule,
    /// The share of the training photos that validates, from 0 to below 1.
    pub validation_share: f64,
    /// In place of one validation set, so many folds, each predicted by a head that was trained on the others.
    pub folds: Option<usize>,
    /// How much each class counts.
    pub class_weight: ClassWeight,
    /// What to do with identical photos in two classes.
    pub conflicts: Conflicts,
    /// How samples of 16 bits are read; as declared means: as the training photos suggest.
    pub samples: SampleRange,
    /// Dense layers: at most so many epochs; `None` for as many as take no longer than the features.
    pub epochs: Option<usize>,
    /// Dense layers: photos of a step.
    pub batch_size: usize,
    /// Dense layers: the first learning rate.
    pub learning_rate: f64,
    /// Decides the split, the folds, and the first weights of dense layers.
    pub seed: u64,
}

/// The layers whose features the head may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FeatureLayers {
    /// The last one, and one in the middle if cross-validation shows that it helps.
    #[default]
    Auto,
    /// The last one alone.
    Last,
}

/// The layers on top of the features.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeadOptions {
    /// Logistic regression.
    #[default]
    Linear,
    /// Dense ReLU layers with so many units each, and an output layer.
    Dense(Vec<usize>),
}

impl HeadOptions {
    /// The units of each layer but the last.
    pub fn hidden_layers(&self) -> &[usize] {
        match self {
            HeadOptions::Linear => &[],
            HeadOptions::Dense(layers) => layers,
        }
    }
}

/// How validation photos are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SplitRule {
    /// By class and seed: [`Rule::Stratified`].
    #[default]
    Stratified,
    /// As Keras' `ImageDataGenerator`: [`Rule::Keras`].
    Keras,
}

impl Default for TrainingOptions {
    fn default() -> TrainingOptions {
        TrainingOptions {
            backbone: DEFAULT_BACKBONE.to_owned(),
            precision: Precision::Int8,
            features: FeatureLayers::Auto,
            head: HeadOptions::Linear,
            split: SplitRule::Stratified,
            validation_share: 0.15,
            folds: None,
            class_weight: ClassWeight::Equal,
            conflicts: Conflicts::Error,
            samples: SampleRange::Declared,
            epochs: None,
            batch_size: 32,
            learning_rate: 0.001,
            seed: 42,
        }
    }
}

impl TrainingOptions {
    /// As the notebook on Keras' ResNet-50 does it: features of `include_top=False, pooling="avg"`, Keras' split, four dense
    /// layers, batches of 40.
    pub fn notebook() -> TrainingOptions {
        TrainingOptions {
            backbone: "resnet50".to_owned(),
            precision: Precision::F32,
            split: SplitRule::Keras,
            features: FeatureLayers::Last,
            head: HeadOptions::Dense(vec![1024, 512, 256, 128]),
            epochs: Some(100),
            batch_size: 40,
            ..TrainingOptions::default()
        }
    }

    /// Checks the options, the data as far as they are known before a photo is read, and that the weights are here.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for options that make no sense or an unknown backbone; [`ErrorKind::Dataset`] for fewer than
    /// two classes, or more folds than a class has photos; [`ErrorKind::Weights`] if the weights are not here.
    pub fn plan(self, dataset: Dataset) -> Result<Training> {
        let fail = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        let spec = backbone::spec(&self.backbone)?;
        if !(0.0..1.0).contains(&self.validation_share) {
            return fail(format!(
                "the validation share must be at least 0 and below 1, not {}",
                self.validation_share
            ));
        }
        if let HeadOptions::Dense(layers) = &self.head {
            let is_size = |units: &usize| (1..=65_536).contains(units);
            if layers.len() > 32 || !layers.iter().all(is_size) {
                return fail(format!(
                    "a head has at most 32 dense layers of 1 to 65536 units, not {layers:?}"
                ));
            }
        }
        if self.epochs == Some(0) || self.batch_size == 0 {
            return fail("there must be at least one epoch, and one photo in a batch".to_owned());
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return fail(format!("the learning rate must be above 0, not {}", self.learning_rate));
        }
        self.samples.check()?;
        if dataset.classes.len() < 2 {
            let message = format!("a classifier needs two classes, found {}", dataset.classes.len());
            return Err(Error::new(ErrorKind::Dataset, message));
        }
        if let Some(folds) = self.folds {
            if folds < 2 {
                return fail(format!("there must be at least 2 folds, not {folds}"));
            }
            let counts = dataset.counts(|sample| sample.set != Some(crate::dataset::Subset::Test));
            let smallest = counts.into_iter().min().unwrap_or(0);
            if smallest < folds {
                return Err(too_many_folds(folds, smallest, "photo"));
            }
        }
        let mut stopwatch = Stopwatch::start();
        let weights = spec.weights()?;
        stopwatch.stage("weights");
        Ok(Training { options: self, spec, weights, dataset, seconds: stopwatch.stages() })
    }

    pub(super) fn rule(&self) -> Rule {
        match (self.folds, self.split) {
            (Some(_), _) => Rule::AllTrain,
            (None, SplitRule::Stratified) => {
                Rule::Stratified { share: self.validation_share, seed: self.seed }
            }
            (None, SplitRule::Keras) => Rule::Keras { share: self.validation_share },
        }
    }
}

//! What a result depends on, as models and `run.json` record it.

use serde::{Deserialize, Serialize};

use super::head::TrainedHead;
use super::options::{FeatureLayers, HeadOptions, SplitRule, TrainingOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::train::ClassWeight;

/// What a result depends on, as models and `run.json` record it. What does not apply is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrainingSettings {
    /// How much each class counts.
    pub class_weight: ClassWeight,
    /// The seed.
    pub seed: u64,
    /// The number of folds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// The share of the training photos that validates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_share: Option<f64>,
    /// How validation photos were chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitRule>,
    /// `logistic regression` or `dense layers`.
    pub head: String,
    /// Units of the dense layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<usize>>,
    /// At most so many epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Photos of a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// The first learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// The epoch whose weights are kept; for dense layers without validation, `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<Option<usize>>,
    /// C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// The weight of the tapped map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tap_weight: Option<f64>,
    /// The layers whose features the head may use.
    pub features: FeatureLayers,
    /// C of each fold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength_of_folds: Option<Vec<f64>>,
    /// The weight of the tapped map of each fold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tap_weight_of_folds: Option<Vec<f64>>,
}

impl TrainingSettings {
    pub(super) fn new(options: &TrainingOptions, trained: &TrainedHead) -> TrainingSettings {
        let mut settings = TrainingSettings {
            class_weight: options.class_weight,
            seed: options.seed,
            features: options.features,
            ..TrainingSettings::default()
        };
        match options.folds {
            Some(folds) => settings.folds = Some(folds),
            None => {
                settings.validation_share = Some(options.validation_share);
                settings.split = Some(options.split);
            }
        }
        match &options.head {
            HeadOptions::Linear => settings.head = "logistic regression".to_owned(),
            HeadOptions::Dense(layers) => {
                settings.head = "dense layers".to_owned();
                settings.layers = Some(layers.clone());
                settings.epochs = trained.epochs;
                settings.batch_size = Some(options.batch_size);
                settings.learning_rate = Some(options.learning_rate);
                settings.best_epoch = Some(trained.history.best_epoch);
            }
        }
        if let Some(choice) = &trained.choice {
            settings.strength = (options.head == HeadOptions::Linear).then_some(choice.strength);
            settings.tap_weight = choice.gain.map(|_| choice.tap_weight);
        }
        if let Some(folds) = trained.folds.as_ref().filter(|folds| !folds.choices.is_empty()) {
            settings.strength_of_folds = Some(folds.choices.iter().map(|choice| choice.strength).collect());
            settings.tap_weight_of_folds = (options.features == FeatureLayers::Auto)
                .then(|| folds.choices.iter().map(|choice| choice.tap_weight).collect());
        }
        settings
    }

    pub(super) fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| {
            Error::new(ErrorKind::Bug, "the settings cannot be written as JSON").with_source(error)
        })
    }
}

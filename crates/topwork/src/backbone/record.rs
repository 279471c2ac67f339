//! What a weights file says about itself, as JSON under the metadata key `topwork`: its preprocessing.

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::preprocess::{Channels, Filter, Preprocess, Resize, Rounding};
use crate::weights::Weights;

/// The part of the record that topwork acts on; origin, licence and class names stand beside it.
#[derive(Deserialize)]
pub(super) struct PreprocessRecord {
    preprocessing: Preprocessing,
}

impl PreprocessRecord {
    /// Reads the record of a weights file.
    pub(super) fn of(weights: &Weights) -> Result<PreprocessRecord> {
        let json = weights.metadata("topwork");
        let json =
            json.ok_or_else(|| Error::new(ErrorKind::Weights, "the weights have no record \"topwork\""))?;
        serde_json::from_str(json).map_err(|error| {
            Error::new(ErrorKind::Weights, "the weights' record \"topwork\" is not understood")
                .with_source(error)
        })
    }

    /// How photos are prepared for these weights.
    pub(super) fn preprocess(&self) -> Result<Preprocess> {
        let record = &self.preprocessing;
        let preprocess = Preprocess {
            resize: Resize::Shorter {
                size: record.resize.shorter_side,
                rounding: match record.resize.longer_side {
                    LongerSide::RoundHalfToEven => Rounding::HalfEven,
                },
            },
            filter: record.resize.filter,
            width: record.crop.width,
            height: record.crop.height,
            offset: match record.crop.offset {
                Offset::FloorOfHalf => Rounding::Floor,
            },
            channels: record.channel_order,
            mean: record.mean,
            scale: match record.formula {
                Formula::Divide => record.scale.map(f32::recip),
            },
        };
        preprocess.check()?;
        Ok(preprocess)
    }
}

/// Words that topwork does not know are refused, not ignored: another preprocessing would be another network.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preprocessing {
    channel_order: Channels,
    crop: Crop,
    formula: Formula,
    mean: [f32; 3],
    resize: Resized,
    scale: [f32; 3],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crop {
    height: u32,
    offset: Offset,
    width: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resized {
    #[serde(rename = "antialias")]
    _antialias: Antialias,
    filter: Filter,
    longer_side: LongerSide,
    shorter_side: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Offset {
    FloorOfHalf,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LongerSide {
    RoundHalfToEven,
}

#[derive(Deserialize)]
enum Formula {
    #[serde(rename = "(x - mean) / scale")]
    Divide,
}

/// `true`: the resampler knows nothing else.
#[derive(Deserialize)]
#[serde(try_from = "bool")]
struct Antialias;

impl TryFrom<bool> for Antialias {
    type Error = &'static str;

    fn try_from(value: bool) -> std::result::Result<Antialias, &'static str> {
        value.then_some(Antialias).ok_or("resizing without antialiasing is not known")
    }
}

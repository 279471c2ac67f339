//! Recording the ranges of a network's tensors on real photos, and choosing the limits between which bytes are spread.
//!
//! Two passes over the same photos in f32: the first finds the smallest and the largest values, the second counts values in bins
//! between them. Labels are not needed.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::execution::{CancelToken, Execution, share};

use super::{Activation, LayerKind, Network, Values};

/// Bins of a histogram.
const BINS: usize = 2048;

/// How the limits of a tensor follow from the values that it was seen to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The smallest and the largest value.
    MinMax,
    /// The limits with the smallest mean squared difference between values and bytes, with values outside counted as the limit.
    MeanSquaredError,
}

impl Method {
    /// Its name, as ranges record it.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::MinMax => "min-max",
            Method::MeanSquaredError => "mean squared error",
        }
    }
}

/// The values of the tensors that need ranges, as far as they have been seen.
#[derive(Debug)]
pub struct Calibration {
    tensors: Vec<Tensor>,
    photos: usize,
}

#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    low: f32,
    high: f32,
    counts: Vec<u64>,
}

impl Calibration {
    /// Looks at these photos, each the bytes of the network's input.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`](crate::ErrorKind) if asked to stop.
    ///
    /// # Panics
    /// If the network is not in f32, or a photo is not of its size.
    pub fn of(
        network: &Network,
        photos: &[impl AsRef<[u8]> + Sync],
        execution: Execution,
    ) -> Result<Calibration> {
        let wanted = network
            .layers()
            .iter()
            .filter(|layer| !matches!(layer.kind, LayerKind::MaxPool | LayerKind::GlobalAverage))
            .filter(|layer| layer.activation != Activation::Relu6);
        let empty = |name: &String| Tensor { name: name.clone(), low: 0.0, high: 0.0, counts: vec![0; BINS] };
        let mut tensors: Vec<Tensor> = wanted.map(|layer| empty(&layer.name)).collect();
        let each = photos.len().div_ceil(execution.threads.max(1)).max(1);
        for action in [Tensor::widen, Tensor::count] {
            let mut parts: Vec<_> = photos.chunks(each).map(|part| (part, tensors.clone())).collect();
            share(parts.len(), &mut parts, |parts| {
                parts
                    .iter_mut()
                    .for_each(|(part, tensors)| look(network, part, tensors, execution.cancel, action));
            });
            execution.cancel.check("the calibration")?;
            let seen: Vec<Vec<Tensor>> = parts.into_iter().map(|(_, tensors)| tensors).collect();
            for (at, tensor) in tensors.iter_mut().enumerate() {
                seen.iter().for_each(|seen| tensor.merge(&seen[at]));
            }
        }
        Ok(Calibration { tensors, photos: photos.len() })
    }

    /// How many photos were looked at.
    pub fn photos(&self) -> usize {
        self.photos
    }

    /// The limits of each tensor. A tensor that was 0 throughout gets 0 to 1.
    pub fn ranges(&self, method: Method) -> BTreeMap<String, (f32, f32)> {
        let limits = |tensor: &Tensor| match method {
            _ if tensor.low == tensor.high => (0.0, 1.0),
            Method::MinMax => (tensor.low, tensor.high),
            Method::MeanSquaredError => tensor.least_squares(),
        };
        self.tensors.iter().map(|tensor| (tensor.name.clone(), limits(tensor))).collect()
    }
}

/// Shows the values of each tensor, on each of these photos, to `action`.
fn look(
    network: &Network,
    photos: &[impl AsRef<[u8]>],
    tensors: &mut [Tensor],
    cancel: &CancelToken,
    action: impl Fn(&mut Tensor, &[f32]),
) {
    let (mut arena, mut features) = (network.arena(), vec![0.0; network.feature_dim()]);
    for photo in photos {
        if cancel.is_cancelled() {
            return;
        }
        let mut tensors = tensors.iter_mut().peekable();
        network.trace(photo.as_ref(), &mut arena, &mut features, |layer, values| {
            let Values::F32(values) = values else { panic!("calibration looks at f32 values") };
            if let Some(tensor) = tensors.next_if(|tensor| tensor.name == layer.name) {
                action(tensor, values);
            }
        });
    }
}

impl Tensor {
    /// What another thread has seen. Each began with the counts of none.
    fn merge(&mut self, other: &Tensor) {
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
    }

    /// Zero always lies within: padding is zero.
    fn widen(&mut self, values: &[f32]) {
        for value in values {
            self.low = self.low.min(*value);
            self.high = self.high.max(*value);
        }
    }

    fn count(&mut self, values: &[f32]) {
        let bins = BINS as f32 / (self.high - self.low);
        for value in values {
            let bin = ((value - self.low) * bins) as usize;
            self.counts[bin.min(BINS - 1)] += 1;
        }
    }

    /// Of limits in steps of a 64th of each side, those with the least squares.
    fn least_squares(&self) -> (f32, f32) {
        const STEPS: u16 = 64;
        let shares = |limit: f32| (1..=STEPS).map(move |step| limit * f32::from(step) / f32::from(STEPS));
        let lows: Vec<f32> = if self.low < 0.0 { shares(self.low).collect() } else { vec![0.0] };
        let pairs = lows.iter().flat_map(|low| shares(self.high).map(move |high| (*low, high)));
        let pairs = pairs.filter(|(low, high)| low < high);
        let best = pairs.map(|limits| (self.squares(limits), limits)).min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or((self.low, self.high), |(_, limits)| limits)
    }

    /// The sum of squared differences for these limits: within them that of uniform rounding, outside them to the limit.
    fn squares(&self, (low, high): (f32, f32)) -> f64 {
        let (low, high) = (f64::from(low), f64::from(high));
        let step = (high - low) / 255.0;
        let (start, width) = (f64::from(self.low), f64::from(self.high - self.low) / BINS as f64);
        let bins = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        bins.map(|(bin, count)| {
            let value = start + (bin as f64 + 0.5) * width;
            let outside = (low - value).max(value - high).max(0.0);
            *count as f64 * (step * step / 12.0 + outside * outside)
        })
        .sum()
    }
}

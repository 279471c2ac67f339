//! The weights of one axis: which source pixels make each target pixel of the crop.
//!
//! All of it is f64 arithmetic in Pillow's order, done once a plan; the passes only read the results.

use super::{Filter, PRECISION};
use std::f64::consts::PI;
use std::ops::Range;

/// One axis of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    /// Pixels of the source along this axis.
    pub(crate) source: usize,
    /// The first source pixel of each target pixel of the crop.
    pub(crate) starts: Vec<u32>,
    /// How many source pixels make each target pixel; `start + count` never passes the source's end.
    pub(crate) counts: Vec<u32>,
    /// Weights stored for each target pixel: the largest count, rounded up to an even number.
    pub(crate) taps: usize,
    /// The weights with 22 fractional bits, `taps` a target pixel, zeros behind those that count; empty where
    /// pixels are only copied.
    pub(crate) weights: Vec<i32>,
    /// The same weights, two taps at a time, in parts that fit 16 bits.
    pub(crate) split: Vec<Split>,
    target: usize,
    exact: Vec<f64>,
}

/// The weights of two neighbouring taps, each as `high · 2¹¹ + low`; the first tap's part lies in the lower half.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    pub(crate) low: i32,
    pub(crate) high: i32,
}

impl Split {
    /// Bits in the lower part of a weight. Weights are below 2²⁶, as the filters' are below 2: both parts fit.
    pub(crate) const LOW_BITS: u32 = 11;

    fn new(first: i32, second: i32) -> Split {
        let mask = (1 << Split::LOW_BITS) - 1;
        let pair = |first: i32, second: i32| (first & 0xffff) | (second << 16);
        Split {
            low: pair(first & mask, second & mask),
            high: pair(first >> Split::LOW_BITS, second >> Split::LOW_BITS),
        }
    }

    /// The whole weight of the first (0) or the second (1) tap.
    pub(crate) fn weight(self, tap: usize) -> i32 {
        let part = |pair: i32| if tap == 0 { i32::from(pair as i16) } else { pair >> 16 };
        (part(self.high) << Split::LOW_BITS) + part(self.low)
    }
}

impl Axis {
    pub(crate) fn plan(&mut self, filter: Filter, source: usize, target: usize, first: usize, len: usize) {
        // Sources are counted in 32 bits; targets, of which only the crop is made, by whole numbers of an f64.
        assert!((1..=i32::MAX as usize).contains(&source), "{source} pixels");
        assert!((1..=1 << 52).contains(&(target as u64)), "to {target} pixels");
        assert!(len > 0 && first < target && len <= target - first, "crop {first}+{len} of {target} pixels");
        (self.source, self.target) = (source, target);
        self.starts.clear();
        self.counts.clear();
        self.weights.clear();
        self.split.clear();
        let targets = first..first + len;
        match filter {
            _ if source == target => self.plan_copy(targets),
            Filter::Nearest => self.plan_nearest(targets),
            Filter::Bilinear => self.plan_weighted(targets, 1.0, bilinear),
            Filter::Bicubic => self.plan_weighted(targets, 2.0, bicubic),
            Filter::Lanczos => self.plan_weighted(targets, 3.0, lanczos),
        }
    }

    /// Target pixels of the crop.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether every target pixel is one source pixel.
    pub(crate) fn copies(&self) -> bool {
        self.weights.is_empty()
    }

    /// Whether the target pixels are source pixels side by side.
    pub(crate) fn is_identity(&self) -> bool {
        self.copies() && self.source == self.target
    }

    /// The source pixels that the crop needs.
    pub(crate) fn span(&self) -> Range<usize> {
        // Both ends grow with the target pixel, so the first and the last one bound all.
        let last = self.len() - 1;
        self.starts[0] as usize..(self.starts[last] + self.counts[last]) as usize
    }

    fn plan_copy(&mut self, targets: Range<usize>) {
        self.taps = 1;
        self.starts.extend(targets.map(|target| target as u32));
        self.counts.resize(self.starts.len(), 1);
    }

    fn plan_nearest(&mut self, targets: Range<usize>) {
        self.taps = 1;
        let scale = self.source as f64 / self.target as f64;
        // Pillow adds the scale up from pixel to pixel, and so do we: a multiplication rounds otherwise. Targets
        // beyond what anybody holds in memory are not counted out.
        const LONGEST_COUNT: usize = 1 << 20;
        let skipped = targets.start.saturating_sub(LONGEST_COUNT);
        let mut position = scale * (skipped as f64 + 0.5);
        for _ in skipped..targets.start {
            position += scale;
        }
        for _ in targets {
            self.starts.push((position as u32).min(self.source as u32 - 1));
            position += scale;
        }
        self.counts.resize(self.starts.len(), 1);
    }

    fn plan_weighted(&mut self, targets: Range<usize>, radius: f64, filter: fn(f64) -> f64) {
        let scale = self.source as f64 / self.target as f64;
        let stretch = scale.max(1.0);
        let support = radius * stretch;
        let narrow = 1.0 / stretch;
        for target in targets.clone() {
            let centre = (target as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as u32;
            let end = ((centre + support + 0.5) as usize).min(self.source) as u32;
            self.starts.push(start);
            self.counts.push(end - start);
        }
        self.taps = self.counts.iter().max().map_or(0, |count| *count as usize).next_multiple_of(2);
        self.weights.reserve(self.starts.len() * self.taps);
        for (index, target) in targets.enumerate() {
            let centre = (target as f64 + 0.5) * scale;
            let sources = self.starts[index]..self.starts[index] + self.counts[index];
            self.exact.clear();
            let mut sum = 0.0;
            for source in sources {
                let weight = filter((f64::from(source) - centre + 0.5) * narrow);
                self.exact.push(weight);
                sum += weight;
            }
            let whole = f64::from(1u32 << PRECISION);
            for weight in &self.exact {
                let share = if sum == 0.0 { *weight } else { weight / sum };
                self.weights.push((share * whole + 0.5f64.copysign(share)) as i32);
            }
            self.weights.resize(self.weights.len() + self.taps - self.exact.len(), 0);
        }
        let (pairs, _) = self.weights.as_chunks::<2>();
        self.split.extend(pairs.iter().map(|[first, second]| Split::new(*first, *second)));
    }
}

fn bilinear(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    // The sine comes from `libm`, so that the weights do not depend on the system's.
    if x == 0.0 { 1.0 } else { libm::sin(x * PI) / (x * PI) }
}

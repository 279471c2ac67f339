//! The passes in plain loops: the specification of the resampler.

use super::{Axis, CHANNELS, PRECISION, View};
use std::ops::Range;

const HALF: i32 = 1 << (PRECISION - 1);

/// From rows of the source's width to rows of the crop's width.
pub(super) fn horizontal(axis: &Axis, view: View<'_>, out: &mut [u8]) {
    let rows = view.pixels.chunks_exact(view.stride).zip(out.chunks_exact_mut(axis.len() * CHANNELS));
    for (row, out) in rows {
        for (target, out) in out.chunks_exact_mut(CHANNELS).enumerate() {
            let (start, weights) = window(axis, target);
            let start = (start - view.first_column) * CHANNELS;
            for (channel, out) in out.iter_mut().enumerate() {
                let taps = row[start + channel..].iter().step_by(CHANNELS).zip(weights);
                *out = byte(taps.fold(HALF, |sum, (pixel, weight)| sum + i32::from(*pixel) * weight));
            }
        }
    }
}

/// From the rows that the crop needs to the rows of the crop, for some columns.
pub(super) fn vertical(axis: &Axis, view: View<'_>, columns: Range<usize>, out: &mut [u8]) {
    let first = (columns.start - view.first_column) * CHANNELS;
    for (target, out) in out.chunks_exact_mut(columns.len() * CHANNELS).enumerate() {
        let (start, weights) = window(axis, target);
        let rows = &view.pixels[(start - view.first_row) * view.stride + first..];
        for (column, out) in out.iter_mut().enumerate() {
            let taps = rows[column..].iter().step_by(view.stride).zip(weights);
            *out = byte(taps.fold(HALF, |sum, (pixel, weight)| sum + i32::from(*pixel) * weight));
        }
    }
}

/// The horizontal pass where every target pixel is one source pixel.
pub(super) fn pick_columns(axis: &Axis, view: View<'_>, out: &mut [u8]) {
    let rows = view.pixels.chunks_exact(view.stride).zip(out.chunks_exact_mut(axis.len() * CHANNELS));
    for (row, out) in rows {
        if axis.is_identity() {
            let start = (axis.starts[0] as usize - view.first_column) * CHANNELS;
            out.copy_from_slice(&row[start..start + out.len()]);
            continue;
        }
        for (out, start) in out.chunks_exact_mut(CHANNELS).zip(&axis.starts) {
            let start = (*start as usize - view.first_column) * CHANNELS;
            out.copy_from_slice(&row[start..start + CHANNELS]);
        }
    }
}

/// The vertical pass where every target row is one source row.
pub(super) fn pick_rows(axis: &Axis, view: View<'_>, columns: Range<usize>, out: &mut [u8]) {
    let (first, bytes) = ((columns.start - view.first_column) * CHANNELS, columns.len() * CHANNELS);
    for (out, start) in out.chunks_exact_mut(bytes).zip(&axis.starts) {
        let start = (*start as usize - view.first_row) * view.stride + first;
        out.copy_from_slice(&view.pixels[start..start + bytes]);
    }
}

/// A target pixel's first source pixel and the weights that count.
fn window(axis: &Axis, target: usize) -> (usize, &[i32]) {
    let first = target * axis.taps;
    (axis.starts[target] as usize, &axis.weights[first..first + axis.counts[target] as usize])
}

fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

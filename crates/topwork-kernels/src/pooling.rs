//! Pooling: the largest value under a window, channel by channel, of f32 or of bytes. Loops run over channels innermost,
//! where compilers use vectors; the layer is a thousandth of a network's time.

use crate::window::Window;

/// The largest value of each channel among the input pixels under the kernel; `channels` values a pixel. What lies outside the
/// input does not count, as if it were smaller than all: PyTorch's padding, and TensorFlow's after a ReLU, where zeros around
/// the input change nothing.
///
/// # Panics
/// If the sizes do not agree, or a position of the kernel meets no pixel of the input.
pub fn max_pool<T: Copy + PartialOrd>(window: &Window, channels: usize, input: &[T], output: &mut [T]) {
    let (read, written) = (input.len(), output.len());
    assert_eq!(read, window.input_pixels() * channels, "input of {read} values for {window:?} x {channels}");
    assert_eq!(written, window.output_pixels() * channels, "output of {written} values for {window:?}");
    if channels == 0 {
        return;
    }
    let width = window.output().1;
    for (pixel, largest) in output.chunks_exact_mut(channels).enumerate() {
        let (rows, across) = (window.rows(pixel / width), window.columns(pixel % width));
        assert!(rows.from < rows.to && across.from < across.to, "{window:?} looks at nothing");
        let seen = Seen {
            first: (rows.input * window.input.1 + across.input) * channels,
            rows: rows.to - rows.from,
            columns: across.to - across.from,
            line: window.input.1 * channels,
            channels,
        };
        let (vectors, rest) = largest.as_chunks_mut::<LANES>();
        let whole = vectors.len() * LANES;
        for (channel, vector) in (0..).step_by(LANES).zip(vectors) {
            *vector = seen.largest(channel, input);
        }
        for (channel, value) in (whole..).zip(rest) {
            [*value] = seen.largest(channel, input);
        }
    }
}

/// Channels whose values are kept in registers while the kernel passes.
const LANES: usize = 32;

/// The pixels under the kernel.
struct Seen {
    /// Where the values of the first begin.
    first: usize,
    rows: usize,
    columns: usize,
    /// From one row to the next.
    line: usize,
    channels: usize,
}

impl Seen {
    /// The largest values of the `N` channels from that one on.
    fn largest<T: Copy + PartialOrd, const N: usize>(&self, channel: usize, input: &[T]) -> [T; N] {
        let values = |at: usize| *input[at + channel..].first_chunk::<N>().expect("a whole pixel");
        let mut largest = values(self.first);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let values = values(self.first + row * self.line + column * self.channels);
                for (largest, value) in largest.iter_mut().zip(values) {
                    *largest = if value > *largest { value } else { *largest };
                }
            }
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, one output value at a time.
    fn defined(window: &Window, channels: usize, input: &[u8]) -> Vec<u8> {
        let (height, width) = window.output();
        let mut output = Vec::new();
        for place in 0..height * width * channels {
            let (pixel, channel) = (place / channels, place % channels);
            let mut largest = None;
            for tap in 0..window.taps() {
                let row = pixel / width * window.stride.0 + tap / window.kernel.1;
                let column = pixel % width * window.stride.1 + tap % window.kernel.1;
                let (Some(y), Some(x)) =
                    (row.checked_sub(window.before.0), column.checked_sub(window.before.1))
                else {
                    continue;
                };
                if y < window.input.0 && x < window.input.1 {
                    largest = largest.max(Some(input[(y * window.input.1 + x) * channels + channel]));
                }
            }
            output.push(largest.expect("the kernel meets the input"));
        }
        output
    }

    #[test]
    fn the_largest_value_under_the_kernel_counts() {
        for (input, kernel, stride, padding, channels) in [
            ((7, 10), (3, 3), (2, 2), (1, 1), 5),
            ((6, 6), (3, 3), (2, 2), (1, 1), 64),
            ((112, 3), (3, 3), (2, 2), (1, 1), 1),
            ((5, 4), (2, 2), (1, 1), (0, 0), 3),
            ((5, 4), (3, 3), (2, 2), (1, 1), 67),
            ((1, 1), (3, 3), (2, 2), (1, 1), 2),
            ((9, 8), (2, 3), (3, 1), (0, 2), 4),
        ] {
            let window = Window::padded(input, kernel, stride, padding);
            let mut state = 1_u32;
            let bytes: Vec<u8> = (0..window.input_pixels() * channels)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            let expected = defined(&window, channels, &bytes);
            let mut found = vec![0; expected.len()];
            max_pool(&window, channels, &bytes, &mut found);
            assert_eq!(found, expected, "{window:?}");
            // Below zero, so that padding with zeros would show.
            let floats: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte) - 300.0).collect();
            let mut found = vec![0.0; expected.len()];
            max_pool(&window, channels, &floats, &mut found);
            let expected: Vec<f32> = expected.iter().map(|byte| f32::from(*byte) - 300.0).collect();
            assert_eq!(found, expected, "{window:?} in f32");
        }
    }
}

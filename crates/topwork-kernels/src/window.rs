//! Where a sliding kernel stands on a plane: sizes, strides and padding. Arithmetic on sizes only.

use std::ops::Range;

/// A kernel that slides over a plane of pixels. All pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the input.
    pub input: (usize, usize),
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Step between two positions of the kernel.
    pub stride: (usize, usize),
    /// Rows of zeros above and columns of zeros left of the input.
    pub before: (usize, usize),
    /// Rows of zeros below and columns of zeros right of the input.
    pub after: (usize, usize),
}

impl Window {
    /// TensorFlow's `SAME`: as many outputs as strides begin within the input. An odd number of padding rows
    /// or columns puts the extra one below or to the right, unlike PyTorch's symmetric padding.
    pub fn same(input: (usize, usize), kernel: (usize, usize), stride: (usize, usize)) -> Window {
        let total = |input: usize, kernel: usize, stride: usize| {
            (input.div_ceil(stride).saturating_sub(1) * stride + kernel).saturating_sub(input)
        };
        let vertical = total(input.0, kernel.0, stride.0);
        let horizontal = total(input.1, kernel.1, stride.1);
        let before = (vertical / 2, horizontal / 2);
        Window { input, kernel, stride, before, after: (vertical - before.0, horizontal - before.1) }
    }

    /// The same number of zeros on opposite sides.
    pub fn padded(
        input: (usize, usize),
        kernel: (usize, usize),
        stride: (usize, usize),
        padding: (usize, usize),
    ) -> Window {
        Window { input, kernel, stride, before: padding, after: padding }
    }

    /// Height and width of the output; zero where the kernel does not fit.
    pub fn output(&self) -> (usize, usize) {
        let count = |input: usize, kernel: usize, stride: usize, padding: usize| {
            (input + padding).checked_sub(kernel).filter(|_| input > 0).map_or(0, |room| room / stride + 1)
        };
        (
            count(self.input.0, self.kernel.0, self.stride.0, self.before.0 + self.after.0),
            count(self.input.1, self.kernel.1, self.stride.1, self.before.1 + self.after.1),
        )
    }

    /// Pixels of the input.
    pub fn input_pixels(&self) -> usize {
        self.input.0 * self.input.1
    }

    /// Pixels of the output.
    pub fn output_pixels(&self) -> usize {
        let (height, width) = self.output();
        height * width
    }

    /// Taps of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// Whether each output pixel sees just the input pixel at its own place.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == (1, 1) && self.before == (0, 0) && self.after == (0, 0)
    }

    /// The input rows that those output rows see, and the window that makes just these rows from just those.
    pub(crate) fn band(&self, rows: Range<usize>) -> (Range<usize>, Window) {
        let first = rows.start * self.stride.0;
        let padding = self.before.0.saturating_sub(first);
        let start = first.saturating_sub(self.before.0).min(self.input.0);
        // From the first row under the kernel, padding included, to the last.
        let height = if rows.is_empty() { 0 } else { (rows.len() - 1) * self.stride.0 + self.kernel.0 };
        let end = (start + height.saturating_sub(padding)).min(self.input.0);
        let window = Window {
            input: (end - start, self.input.1),
            before: (padding, self.before.1),
            after: (height.saturating_sub(padding + end - start), self.after.1),
            ..*self
        };
        (start..end, window)
    }

    /// The kernel rows that lie within the input for that output row, and the first input row that they see.
    pub(crate) fn rows(&self, output_row: usize) -> Span {
        Span::new(output_row, self.input.0, self.kernel.0, self.stride.0, self.before.0)
    }

    /// The kernel columns that lie within the input for that output column, and the first input column.
    pub(crate) fn columns(&self, output_column: usize) -> Span {
        Span::new(output_column, self.input.1, self.kernel.1, self.stride.1, self.before.1)
    }
}

/// The taps `from..to` of a kernel lie within the input, which they meet at `input..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) input: usize,
}

impl Span {
    fn new(output: usize, input: usize, kernel: usize, stride: usize, before: usize) -> Span {
        let start = output * stride;
        let from = before.saturating_sub(start).min(kernel);
        let to = (input + before).saturating_sub(start).min(kernel).max(from);
        Span { from, to, input: (start + from).saturating_sub(before) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_is_tensorflow_s() {
        // (input, kernel, stride) → (before, after, output), from tf.nn.conv2d's documentation of SAME.
        for (input, kernel, stride, expected) in [
            (224, 3, 2, (0, 1, 112)),
            (225, 3, 2, (1, 1, 113)),
            (112, 3, 1, (1, 1, 112)),
            (56, 5, 2, (1, 2, 28)),
            (7, 5, 1, (2, 2, 7)),
            (1, 3, 2, (1, 1, 1)),
            (5, 1, 2, (0, 0, 3)),
            (0, 3, 1, (1, 1, 0)),
        ] {
            let window = Window::same((input, input), (kernel, kernel), (stride, stride));
            let found = (window.before.0, window.after.1, window.output().0);
            if input == 0 {
                assert_eq!(found.2, 0, "input 0");
            } else {
                assert_eq!(found, expected, "input {input}, kernel {kernel}, stride {stride}");
            }
        }
    }

    /// Each band's window has as many rows as asked for, each of which sees the same taps and input rows as in the whole.
    #[test]
    fn bands_see_what_the_whole_sees() {
        for (input, kernel, stride, before, after) in [
            (7, 3, 1, 1, 1),
            (6, 5, 2, 1, 2),
            (9, 5, 2, 2, 2),
            (5, 5, 1, 2, 2),
            (8, 1, 1, 0, 0),
            (9, 1, 3, 0, 0),
        ] {
            let mut window = Window::padded((input, 4), (kernel, 3), (stride, 1), (before, 1));
            window.after.0 = after;
            let height = window.output().0;
            for start in 0..height {
                for end in start + 1..=height {
                    let (seen, band) = window.band(start..end);
                    assert_eq!(band.output(), (end - start, window.output().1), "{window:?} {start}..{end}");
                    for row in start..end {
                        let (whole, part) = (window.rows(row), band.rows(row - start));
                        let shifted = Span { input: part.input + seen.start, ..part };
                        assert_eq!(shifted, whole, "{window:?} {start}..{end}, row {row}");
                    }
                }
            }
            assert_eq!(
                window.band(0..height).0,
                0..window.rows(height - 1).input + window.rows(height - 1).to - window.rows(height - 1).from
            );
        }
    }

    #[test]
    fn spans_are_the_taps_inside() {
        for (input, kernel, stride, padding) in
            [(7, 3, 1, 1), (6, 5, 2, 2), (1, 7, 2, 3), (2, 3, 3, 0), (9, 2, 1, 1)]
        {
            let window = Window::padded((input, 1), (kernel, 1), (stride, 1), (padding, 0));
            for row in 0..window.output().0 {
                let inside: Vec<usize> = (0..kernel)
                    .filter(|tap| (padding..padding + input).contains(&(row * stride + tap)))
                    .collect();
                let span = window.rows(row);
                assert_eq!((span.from..span.to).collect::<Vec<_>>(), inside);
                if let Some(first) = inside.first() {
                    assert_eq!(span.input, row * stride + first - padding);
                }
            }
        }
    }
}

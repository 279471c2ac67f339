//! Convolution over all channels without gathering: where an output row's pixels lie within the input, the values under a row
//! of the kernel are one run of memory, and the next pixel's begin a stride further. So the tile of the matrix product reads
//! them where they are. Pixels at the left and right border see shorter runs, and are made one by one.
//!
//! The weights pass once for each output row, so they must be few: the first layers of networks.

use crate::arch::avx512::gemm::{Panel, Source, rows_of};
use crate::epilogue::Epilogue;
use crate::isa::{Isa, Level};
use crate::window::Window;

/// See [`crate::convolution::convolution`], which has checked the sizes; `weights` as packed for the matrix product.
pub(crate) fn convolution(
    isa: Isa,
    window: &Window,
    channels: usize,
    input: &[f32],
    weights: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    let columns = epilogue.bias.len();
    let ((height, width), kernel) = (window.output(), window.kernel);
    let whole = |x: &usize| {
        let across = window.columns(*x);
        across.to - across.from == kernel.1
    };
    let first = (0..width).find(whole).unwrap_or(width);
    let end = (first..width).find(|x| !whole(x)).unwrap_or(width);
    for y in 0..height {
        let rows = window.rows(y);
        // The pixels from `x` on, which see the same kernel columns.
        let mut pixels = |x: usize, count: usize| {
            let across = window.columns(x);
            let source = Source {
                row: window.stride.1 * channels,
                runs: rows.to - rows.from,
                run: window.input.1 * channels,
                length: (across.to - across.from) * channels,
                skip: kernel.1 * channels,
            };
            let from = (rows.from * kernel.1 + across.from) * channels;
            let input = &input[(rows.input * window.input.1 + across.input) * channels..];
            let mut column = 0;
            while column < columns {
                let panel = Panel::new(column, kernel.0 * kernel.1 * channels, weights, epilogue, columns)
                    .starting_at(from);
                let at = (y * width + x) * columns + column;
                let residual = epilogue.residual.map(|all| &all[at..]);
                // SAFETY: the assertion above: this processor has AVX-512.
                unsafe { rows_of(count, &source, input, &panel, residual, &mut output[at..]) };
                column += panel.columns();
            }
        };
        (0..first).for_each(|x| pixels(x, 1));
        if first < end {
            pixels(first, end - first);
        }
        (end..width).for_each(|x| pixels(x, 1));
    }
}

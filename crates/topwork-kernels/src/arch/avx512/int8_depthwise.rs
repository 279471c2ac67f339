//! Depthwise convolution of bytes for 3 x 3 and 5 x 5 kernels at strides 1 and 2.
//!
//! `vpdpbusd` adds four products of bytes that lie next to each other, but the taps of a channel lie a pixel apart. So
//! four neighbouring pixels of 64 channels are interleaved by eight unpackings into four vectors of 16 channels x 4
//! pixels, which then serve every output that sees one of these pixels: the weights of a kernel row are kept at each
//! byte offset ([`expand`]), 0 where a pixel is not under the kernel. A tile of 2 (3 x 3) or 4 (5 x 5) outputs of a row,
//! 1 or 2 at stride 2, uses up one or two such groups of four pixels, and its 4 to 16 sums stay in registers.
//!
//! Unpacking permutes the channels within 128-bit lanes; the two packings of the epilogue undo just that, so that the
//! permutation costs nothing but a permuted order of weights, scales and biases. Where 32 or 16 channels are left, a
//! vector holds two or four neighbouring tiles instead; where some channels do not fill a block, the last block
//! overlaps the one before it and computes the same bytes again. So there are no masks, but at least 16 channels.
//!
//! Pixels left and right of the input are read from a vector of zero points. Kernel rows above and below are left out.

use std::arch::x86_64::*;
use std::ops::Range;

use crate::buffer::Buffer;
use crate::int8::{Requantise, Residual};
use crate::isa::{Isa, Level};
use crate::window::Window;

/// Bytes of a vector.
const VECTOR: usize = 64;

/// Dwords of a vector.
const DWORDS: usize = 16;

/// Vectors in which a group of four pixels is interleaved.
const QUARTERS: usize = 4;

/// Byte offsets at which the weights of a row are used, at most.
const OFFSETS: usize = 8;

/// Minus the lowest of these offsets.
const LOWEST: isize = 3;

/// Outputs of a part of a strip that are computed at once, half of the block's channels after the other: 16 sums.
const OUTPUTS: usize = 8;

/// Groups of a row that are interleaved at once, at most: one more than a number of times of tiles of OUTPUTS outputs.
const GROUPS: usize = 33;

/// Bytes of input rows that are read again for each block of channels: they should stay in the second-level cache.
const BAND: usize = 256 * 1024;

/// Weights of a square kernel, scales and biases in blocks of channels, permuted as unpacking permutes.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Height and width of the kernel.
    kernel: usize,
    channels: usize,
    zero_point: u8,
    blocks: Vec<Block>,
    /// For each block, kernel row and four taps of it: four weights a channel, 0 beyond the kernel.
    weights: Buffer<i32>,
    /// For each block and kernel row: minus the zero point times the sum of the weights.
    starts: Buffer<i32>,
    scales: Buffer<f32>,
    biases: Buffer<f32>,
    output_zero_point: u8,
}

/// Channels that are computed together.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: usize,
    /// How many tiles share a vector: each has 64 channels divided by this.
    tiles: usize,
}

impl Block {
    /// The channel in that place of that vector.
    fn channel(self, quarter: usize, place: usize) -> usize {
        let lane = place / 4 % (4 / self.tiles);
        self.first + lane * 16 + quarter * 4 + place % 4
    }

    /// The blocks that cover that many channels, none if they are too few.
    fn cover(channels: usize) -> Vec<Block> {
        let (mut blocks, mut covered) = (Vec::new(), 0);
        while channels >= 16 && covered < channels {
            let left = channels - covered;
            let tiles = match () {
                () if left > 32 && channels >= 64 => 1,
                () if left > 16 && channels >= 32 => 2,
                () => 4,
            };
            let first = covered.min(channels - VECTOR / tiles);
            blocks.push(Block { first, tiles });
            covered = first + VECTOR / tiles;
        }
        blocks
    }
}

impl Packed {
    /// Packs `weights`, given as tap row, tap column, channel, or `None` if there is no fast path for such a layer.
    pub(crate) fn new(
        weights: &[i8],
        taps: usize,
        channels: usize,
        zero_point: u8,
        requantise: &Requantise,
    ) -> Option<Packed> {
        let kernel = match taps {
            9 => 3,
            25 => 5,
            _ => return None,
        };
        let blocks = Block::cover(channels);
        if blocks.is_empty() {
            return None;
        }
        let weight = |row: usize, column: usize, channel: usize| match column < kernel {
            true => weights[(row * kernel + column) * channels + channel],
            false => 0,
        };
        let (mut packed, mut starts, mut scales, mut biases) = (vec![], vec![], vec![], vec![]);
        for block in &blocks {
            let places = (0..QUARTERS).flat_map(|quarter| (0..DWORDS).map(move |place| (quarter, place)));
            let order: Vec<usize> = places.map(|(quarter, place)| block.channel(quarter, place)).collect();
            for row in 0..kernel {
                for column in (0..kernel).step_by(4) {
                    packed.extend(order.iter().map(|&channel| {
                        i32::from_le_bytes([0, 1, 2, 3].map(|next| weight(row, column + next, channel) as u8))
                    }));
                }
                starts.extend(order.iter().map(|&channel| {
                    let sum: i32 = (0..kernel).map(|column| i32::from(weight(row, column, channel))).sum();
                    -i32::from(zero_point) * sum
                }));
            }
            scales.extend(order.iter().map(|&channel| requantise.scale[channel]));
            biases.extend(order.iter().map(|&channel| requantise.bias[channel]));
        }
        Some(Packed {
            kernel,
            channels,
            zero_point,
            blocks,
            weights: Buffer::copy_of(&packed),
            starts: Buffer::copy_of(&starts),
            scales: Buffer::copy_of(&scales),
            biases: Buffer::copy_of(&biases),
            output_zero_point: requantise.zero_point,
        })
    }

    /// What the sums of a block begin with where those kernel rows lie within the input.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn starts<const K: usize>(&self, block: usize, rows: Range<usize>) -> [__m512i; QUARTERS] {
        let mut starts = [_mm512_setzero_si512(); QUARTERS];
        if self.zero_point != 0 {
            for row in rows {
                let values = &self.starts[(block * K + row) * VECTOR..][..VECTOR];
                for (start, values) in starts.iter_mut().zip(values.chunks_exact(DWORDS)) {
                    // SAFETY: `values` has 16 values.
                    let values = unsafe { _mm512_loadu_si512(values.as_ptr().cast()) };
                    *start = _mm512_add_epi32(*start, values);
                }
            }
        }
        starts
    }

    /// Whether it can be used for that window.
    pub(crate) fn fits(&self, window: &Window) -> bool {
        window.kernel == (self.kernel, self.kernel) && matches!(window.stride.1, 1 | 2)
    }
}

/// See [`crate::int8::depthwise`], which has checked the sizes; the window is one that fits.
pub(crate) fn depthwise(
    isa: Isa,
    window: &Window,
    packed: &Packed,
    input: &[u8],
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    assert!(packed.fits(window), "{window:?} is not of that kernel");
    assert_eq!(input.len(), window.input_pixels() * packed.channels);
    assert_eq!(output.len(), window.output_pixels() * packed.channels);
    assert!(residual.is_none_or(|residual| residual.values.len() >= output.len()));
    if output.is_empty() {
        return;
    }
    let zero_points = [packed.zero_point; VECTOR];
    let mut layer = Layer { window, packed, input, residual, output, zero_points: &zero_points };
    // SAFETY: the assertions above: this processor has AVX-512 with VNNI, and the sizes agree.
    unsafe {
        match (window.kernel.1, window.stride.1) {
            (3, 1) => layer.bands::<3, 1, 2>(),
            (3, _) => layer.bands::<3, 2, 2>(),
            (_, 1) => layer.bands::<5, 1, 4>(),
            _ => layer.bands::<5, 2, 2>(),
        }
    }
}

/// What the whole layer shares.
struct Layer<'a> {
    window: &'a Window,
    packed: &'a Packed,
    input: &'a [u8],
    residual: Option<&'a Residual<'a>>,
    output: &'a mut [u8],
    zero_points: &'a [u8; VECTOR],
}

/// The weights of a block at each byte offset, by kernel row, offset and quarter.
type Expanded<const K: usize> = [[[__m512i; QUARTERS]; OFFSETS]; K];

/// The interleaved groups of the input rows that an output row sees; input row y is in place y mod `K`.
type Ring<const K: usize> = [[[__m512i; QUARTERS]; GROUPS]; K];

/// A part of the output rows that is computed at once.
#[derive(Clone, Copy)]
struct Strip {
    /// The first output column.
    first: usize,
    /// Tiles in each of the parts that share a vector.
    tiles: usize,
}

/// What all tiles of a strip of an output row and a block share.
struct Line<'a> {
    starts: [__m512i; QUARTERS],
    scales: &'a [f32],
    biases: &'a [f32],
    channels: usize,
    width: usize,
    output_zero_point: u8,
    zero_points: *const u8,
    /// The first channel of the output row.
    output: *mut u8,
    /// The same of the skip connection.
    residual: Option<(*const u8, &'a Residual<'a>)>,
}

impl Layer<'_> {
    /// The whole layer for kernels of `K` columns and horizontal stride `S` in tiles of `T` outputs.
    ///
    /// # Safety
    /// The kernel and the stride are the window's, and the sizes agree.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn bands<const K: usize, const S: usize, const T: usize>(&mut self) {
        let (height, width) = self.window.output();
        let row = self.window.input.1 * self.packed.channels * self.window.stride.0;
        let band = (BAND / row.max(1)).max(1);
        let mut weights: Expanded<K> = [[[_mm512_setzero_si512(); QUARTERS]; OFFSETS]; K];
        let mut ring: Ring<K> = [[[_mm512_setzero_si512(); QUARTERS]; GROUPS]; K];
        for from in (0..height).step_by(band) {
            let rows = from..(from + band).min(height);
            for (index, block) in self.packed.blocks.iter().enumerate() {
                expand::<K>(&self.packed.weights, index, &mut weights);
                let most = (GROUPS - 1) * T * block.tiles;
                for first in (0..width).step_by(most) {
                    let tiles = most.min(width - first).div_ceil(T * block.tiles);
                    let strip = Strip { first, tiles };
                    // SAFETY: promised by the caller; the rows are rows of the output and the block one of those packed.
                    unsafe {
                        match block.tiles {
                            1 => self.strip::<K, S, T, 1>(strip, rows.clone(), index, &weights, &mut ring),
                            2 => self.strip::<K, S, T, 2>(strip, rows.clone(), index, &weights, &mut ring),
                            _ => self.strip::<K, S, T, 4>(strip, rows.clone(), index, &weights, &mut ring),
                        }
                    }
                }
            }
        }
    }

    /// One block of a strip of some output rows, `N` parts a vector.
    ///
    /// # Safety
    /// As for `bands`; there are such rows and there is such a block, of `N` tiles a vector.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn strip<const K: usize, const S: usize, const T: usize, const N: usize>(
        &mut self,
        strip: Strip,
        rows: Range<usize>,
        index: usize,
        weights: &Expanded<K>,
        ring: &mut Ring<K>,
    ) {
        let (packed, window) = (self.packed, self.window);
        let (width, channels) = (window.output().1, packed.channels);
        let first = packed.blocks[index].first;
        let places = index * VECTOR..(index + 1) * VECTOR;
        let mut line = Line {
            starts: [_mm512_setzero_si512(); QUARTERS],
            scales: &packed.scales[places.clone()],
            biases: &packed.biases[places],
            channels,
            width,
            output_zero_point: packed.output_zero_point,
            zero_points: self.zero_points.as_ptr(),
            output: self.output.as_mut_ptr(),
            residual: None,
        };
        let mut next = 0;
        for y in rows {
            let seen = window.rows(y);
            let inside = seen.input..seen.input + (seen.to - seen.from);
            for row in next.max(inside.start)..inside.end {
                let from = row * window.input.1 * channels;
                let source = self.input[from..from + window.input.1 * channels].as_ptr().wrapping_add(first);
                // SAFETY: an input row, from the block's first channel on.
                unsafe { self.fill::<K, S, T, N>(strip, source, &mut ring[row % K]) };
            }
            next = next.max(inside.end);
            line.starts = packed.starts::<K>(index, seen.from..seen.to);
            let at = y * width * channels + first;
            line.output = self.output[at..].as_mut_ptr();
            line.residual = self.residual.map(|residual| (residual.values[at..].as_ptr(), residual));
            let mut groups = [&ring[0]; K];
            for (place, row) in groups.iter_mut().zip(inside.clone()) {
                *place = &ring[row % K];
            }
            let groups = &groups[..inside.len()];
            let weights = &weights[seen.from..seen.to];
            // SAFETY: the rows are those seen, and the line is what they share.
            unsafe { tiles::<K, S, T, N>(&line, weights, groups, strip) };
        }
    }

    /// Interleaves what the strip sees of an input row, which begins at `source`.
    ///
    /// # Safety
    /// There is such a row.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn fill<const K: usize, const S: usize, const T: usize, const N: usize>(
        &self,
        strip: Strip,
        source: *const u8,
        groups: &mut [[__m512i; QUARTERS]; GROUPS],
    ) {
        let apart = strip.tiles * T * S;
        let mut column = (strip.first * S) as isize - self.window.before.1 as isize;
        // SAFETY: promised by the caller.
        let mut left = unsafe { self.pair::<N>(source, column, apart) };
        for quarters in &mut groups[..strip.tiles + spare::<K, S, T>()] {
            // SAFETY: as above.
            let right = unsafe { self.pair::<N>(source, column + 2, apart) };
            *quarters = [
                _mm512_unpacklo_epi16(left[0], right[0]),
                _mm512_unpackhi_epi16(left[0], right[0]),
                _mm512_unpacklo_epi16(left[1], right[1]),
                _mm512_unpackhi_epi16(left[1], right[1]),
            ];
            column += (T * S) as isize;
            // Groups of 3 x 3 kernels at stride 1 share two of their pixels with the next.
            // SAFETY: as above.
            left = if T * S == 2 { right } else { unsafe { self.pair::<N>(source, column, apart) } };
        }
    }

    /// The pixels in that column and the next, interleaved: the lower and the upper half of each lane's channels. The parts of a
    /// vector are so many columns apart.
    ///
    /// # Safety
    /// There is an input row at `source`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn pair<const N: usize>(&self, source: *const u8, column: isize, apart: usize) -> [__m512i; 2] {
        let (channels, inside) = (self.packed.channels, self.window.input.1 as isize);
        let first = source.wrapping_offset(column * channels as isize);
        // Loops and not closures here and in `run`: a closure keeps its values in memory where it is not inlined.
        let (mut these, mut next) = ([first; N], [first; N]);
        for part in 0..N {
            these[part] = first.wrapping_add(part * apart * channels);
            next[part] = these[part].wrapping_add(channels);
        }
        if column < 0 || column + ((N - 1) * apart + 2) as isize > inside {
            for part in 0..N {
                let column = column + (part * apart) as isize;
                if column < 0 || column >= inside {
                    these[part] = self.zero_points.as_ptr();
                }
                if column + 1 < 0 || column + 1 >= inside {
                    next[part] = self.zero_points.as_ptr();
                }
            }
        }
        // SAFETY: columns of the row and channels of the block, or the zero points.
        let (these, next) = unsafe { (load(these), load(next)) };
        [_mm512_unpacklo_epi8(these, next), _mm512_unpackhi_epi8(these, next)]
    }
}

/// Groups that a tile sees beside its own.
const fn spare<const K: usize, const S: usize, const T: usize>() -> usize {
    ((T - 1) * S + K).div_ceil(4) - 1
}

/// All tiles of a strip. Never inlined: the compiler would work out the lengths of the slices in the innermost loop.
///
/// # Safety
/// `line` is what that strip, row and block share; `weights` and `rows` are those of the kernel rows within the input.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tiles<const K: usize, const S: usize, const T: usize, const N: usize>(
    line: &Line,
    weights: &[[[__m512i; QUARTERS]; OFFSETS]],
    rows: &[&[[__m512i; QUARTERS]; GROUPS]],
    strip: Strip,
) {
    for tile in (0..strip.tiles).step_by(OUTPUTS / T) {
        let end = tile + OUTPUTS / T;
        let last = strip.first + ((N - 1) * strip.tiles + end) * T;
        // SAFETY: promised by the caller; the tiles are plain if that is said.
        unsafe {
            if end <= strip.tiles && last <= line.width && line.residual.is_none() {
                run::<K, S, T, N, true>(line, weights, rows, strip, tile);
            } else {
                run::<K, S, T, N, false>(line, weights, rows, strip, tile);
            }
        }
    }
}

/// Tiles of [`OUTPUTS`] outputs in each of the `N` parts of a strip. `PLAIN`: all of the outputs exist, and there is no skip
/// connection.
///
/// # Safety
/// As for `tiles`; what is said of `PLAIN`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn run<const K: usize, const S: usize, const T: usize, const N: usize, const PLAIN: bool>(
    line: &Line,
    weights: &[[[__m512i; QUARTERS]; OFFSETS]],
    rows: &[&[[__m512i; QUARTERS]; GROUPS]],
    strip: Strip,
    tile: usize,
) {
    let spare = spare::<K, S, T>();
    let mut words = [_mm512_setzero_si512(); OUTPUTS];
    for half in 0..2 {
        let mut sums = [[line.starts[half * 2], line.starts[half * 2 + 1]]; OUTPUTS];
        for (weights, groups) in weights.iter().zip(rows) {
            let groups = &groups[tile..tile + OUTPUTS / T + spare];
            for part in 0..2 {
                let quarter = half * 2 + part;
                for (group, pixels) in groups.iter().enumerate() {
                    for (output, sums) in sums.iter_mut().enumerate() {
                        let (tile, output) = (output / T, output % T);
                        if group < tile || group > tile + spare {
                            continue;
                        }
                        // Where the group's first pixel lies under this output's kernel.
                        let offset = ((group - tile) * 4) as isize - (output * S) as isize;
                        if offset > -4 && offset < K as isize {
                            let weights = &weights[(offset + LOWEST) as usize];
                            sums[part] = _mm512_dpbusd_epi32(sums[part], pixels[quarter], weights[quarter]);
                        }
                    }
                }
            }
        }
        for (output, (sums, words)) in sums.into_iter().zip(&mut words).enumerate() {
            let (tile, output) = (tile + output / T, output % T);
            let mut places = [0; N];
            for (part, place) in places.iter_mut().enumerate() {
                *place = strip.first + (part * strip.tiles + tile) * T + output;
            }
            let exists = |x: usize| PLAIN || tile < strip.tiles && x < line.width;
            let mut skip = None;
            if let (false, Some((values, residual))) = (PLAIN, line.residual) {
                let mut parts = [line.zero_points; N];
                for (part, x) in parts.iter_mut().zip(places) {
                    if exists(x) {
                        *part = values.wrapping_add(x * line.channels);
                    }
                }
                // SAFETY: an output that exists, in the skip connection, which is as large; or the zero points.
                skip = Some((unsafe { load(parts) }, residual));
            }
            let requantised = requantised(sums, half, line, skip);
            if half == 0 {
                *words = requantised;
                continue;
            }
            let bytes = _mm512_packus_epi16(*words, requantised);
            for (part, x) in places.into_iter().enumerate() {
                if exists(x) {
                    // SAFETY: an output that exists, and the block's channels.
                    unsafe { store::<N>(bytes, part, line.output.add(x * line.channels)) };
                }
            }
        }
    }
}

/// The weights of a block at each byte offset: what lies under four pixels of which the first is under that tap.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn expand<const K: usize>(weights: &[i32], block: usize, expanded: &mut Expanded<K>) {
    let groups = K.div_ceil(4);
    let row = groups * VECTOR;
    for (tap_row, expanded) in expanded.iter_mut().enumerate() {
        let weights = &weights[(block * K + tap_row) * row..][..row];
        for quarter in 0..QUARTERS {
            let load = |group: usize| {
                let values = &weights[group * VECTOR + quarter * DWORDS..][..DWORDS];
                // SAFETY: `values` has 16 values.
                unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
            };
            let low = load(0);
            let high = if groups > 1 { load(1) } else { _mm512_setzero_si512() };
            for offset in -LOWEST..K as isize {
                let bits = 8 * offset as i32;
                // Counts of 32 and more, and so negative ones too, give 0.
                let value = if offset > 0 {
                    _mm512_or_si512(
                        _mm512_srlv_epi32(low, _mm512_set1_epi32(bits)),
                        _mm512_sllv_epi32(high, _mm512_set1_epi32(32 - bits)),
                    )
                } else {
                    _mm512_sllv_epi32(low, _mm512_set1_epi32(-bits))
                };
                expanded[(offset + LOWEST) as usize][quarter] = value;
            }
        }
    }
}

/// 64 bytes, 32 from each of two places, or 16 from each of four.
///
/// # Safety
/// There are that many bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn load<const N: usize>(parts: [*const u8; N]) -> __m512i {
    // SAFETY: promised by the caller.
    unsafe {
        match N {
            1 => _mm512_loadu_si512(parts[0].cast()),
            2 => {
                let low = _mm256_loadu_si256(parts[0].cast());
                _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), _mm256_loadu_si256(parts[1].cast()))
            }
            _ => {
                let low = _mm512_castsi128_si512(_mm_loadu_si128(parts[0].cast()));
                let low = _mm512_inserti32x4::<1>(low, _mm_loadu_si128(parts[1].cast()));
                let low = _mm512_inserti32x4::<2>(low, _mm_loadu_si128(parts[2].cast()));
                _mm512_inserti32x4::<3>(low, _mm_loadu_si128(parts[3].cast()))
            }
        }
    }
}

/// Writes the channels of one of `N` tiles.
///
/// # Safety
/// There is room for them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn store<const N: usize>(bytes: __m512i, part: usize, place: *mut u8) {
    // SAFETY: promised by the caller.
    unsafe {
        match (N, part) {
            (1, _) => _mm512_storeu_si512(place.cast(), bytes),
            (2, 0) => _mm256_storeu_si256(place.cast(), _mm512_castsi512_si256(bytes)),
            (2, _) => _mm256_storeu_si256(place.cast(), _mm512_extracti64x4_epi64::<1>(bytes)),
            (_, 0) => _mm_storeu_si128(place.cast(), _mm512_castsi512_si128(bytes)),
            (_, 1) => _mm_storeu_si128(place.cast(), _mm512_extracti32x4_epi32::<1>(bytes)),
            (_, 2) => _mm_storeu_si128(place.cast(), _mm512_extracti32x4_epi32::<2>(bytes)),
            _ => _mm_storeu_si128(place.cast(), _mm512_extracti32x4_epi32::<3>(bytes)),
        }
    }
}

/// Four pixels of 64 channels to four vectors of 16 channels x 4 pixels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn interleave([a, b, c, d]: [__m512i; 4]) -> [__m512i; QUARTERS] {
    let (low, high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
    let (next_low, next_high) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
    [
        _mm512_unpacklo_epi16(low, next_low),
        _mm512_unpackhi_epi16(low, next_low),
        _mm512_unpacklo_epi16(high, next_high),
        _mm512_unpackhi_epi16(high, next_high),
    ]
}

/// Two of the quarters of an output pixel to words, which saturate only where the bytes will.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn requantised(sums: [__m512i; 2], half: usize, line: &Line, skip: Option<(__m512i, &Residual)>) -> __m512i {
    let mut values = [_mm512_setzero_ps(); 2];
    for part in 0..2 {
        let places = (half * 2 + part) * DWORDS..(half * 2 + part + 1) * DWORDS;
        let (scales, biases) = (&line.scales[places.clone()], &line.biases[places]);
        // SAFETY: 16 values each.
        let (scale, bias) = unsafe { (_mm512_loadu_ps(scales.as_ptr()), _mm512_loadu_ps(biases.as_ptr())) };
        values[part] = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[part]), scale), bias);
    }
    if let Some((bytes, residual)) = skip {
        let zero = _mm512_setzero_si512();
        // Widened by the same unpackings, so permuted in the same way.
        let skips = interleave([bytes, zero, zero, zero]);
        let (zero_point, ratio) =
            (_mm512_set1_epi32(residual.zero_point.into()), _mm512_set1_ps(residual.ratio));
        for part in 0..2 {
            let skip = _mm512_cvtepi32_ps(_mm512_sub_epi32(skips[half * 2 + part], zero_point));
            values[part] = _mm512_add_ps(values[part], _mm512_mul_ps(skip, ratio));
        }
    }
    // Rounded to nearest even; the saturation of the packings is the clamp.
    let words = _mm512_packs_epi32(_mm512_cvtps_epi32(values[0]), _mm512_cvtps_epi32(values[1]));
    _mm512_adds_epi16(words, _mm512_set1_epi16(line.output_zero_point.into()))
}

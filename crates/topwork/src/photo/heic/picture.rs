//! One coded picture: HEVC by the heifer-hevc-dec crate, and its samples as RGB.

use super::super::{Photo, Unreadable};
use super::container::Fields;
use heifer_hevc_dec::Error;
use heifer_hevc_dec::nal::NalUnit;
use heifer_hevc_dec::params::ParameterSets;
use heifer_hevc_dec::recon::{Frame, Reconstructor};
use heifer_hevc_dec::slice::SliceHeader;
use heifer_hevc_dec::syntax::{Picture, decode_slice_segment};

/// Bits of the fraction in the conversion to RGB.
const FRACTION: u32 = 14;

/// Decodes the first picture of coded data; `parameters` is the content of its `hvcC`, and a picture of more than
/// `most` pixels is refused before anything is allocated for it.
///
/// Slices must follow one another without gap or overlap: the decoder would go over the picture again for each.
pub(super) fn decode(parameters: &[u8], data: &[u8], most: u64) -> Result<Frame, Unreadable> {
    let mut fields = Fields(parameters);
    if fields.number(1)? != 1 {
        return Err(Unreadable::unsupported("parameters of an unknown version"));
    }
    fields.take(20)?;
    let width = fields.number(1)? as usize % 4 + 1;
    let mut units = Vec::new();
    for _ in 0..fields.number(1)? {
        fields.take(1)?;
        for _ in 0..fields.number(2)? {
            let length = fields.number(2)? as usize;
            units.push(fields.take(length)?);
        }
    }
    let mut fields = Fields(data);
    while !fields.0.is_empty() {
        let length = fields.number(width)? as usize;
        units.push(fields.take(length)?);
    }

    let mut sets = ParameterSets::default();
    let mut slices = Vec::new();
    for unit in units {
        let unit = NalUnit::parse(unit).map_err(unreadable)?;
        match (unit.header.layer_id, unit.header.unit_type.is_slice()) {
            (0, true) => slices.push(unit),
            (0, false) if slices.is_empty() => drop(sets.add(&unit).map_err(unreadable)?),
            _ => {}
        }
    }

    let mut state: Option<(Picture<'_>, Reconstructor<'_>)> = None;
    let mut previous = None;
    for slice in &slices {
        // The first bit says whether a picture begins.
        if state.is_some() && slice.rbsp.first().is_some_and(|byte| byte & 0x80 != 0) {
            break;
        }
        let header =
            SliceHeader::parse(&slice.rbsp, &slice.header, &sets, previous.as_ref()).map_err(unreadable)?;
        let (picture_set, sequence) =
            sets.get(usize::from(header.slice_pic_parameter_set_id)).map_err(unreadable)?;
        let (columns, rows) = (sequence.pic_width_in_luma_samples, sequence.pic_height_in_luma_samples);
        if u64::from(columns) * u64::from(rows) > most {
            return Err(Unreadable::corrupt(format!("a coded picture of {columns} x {rows} pixels")));
        }
        if sequence.bit_depth_luma.max(sequence.bit_depth_chroma) > 12 {
            return Err(Unreadable::unsupported("more than 12 bits a sample"));
        }
        let (picture, reconstructor) = state.get_or_insert_with(|| {
            (Picture::new(sequence, picture_set), Reconstructor::new(sequence, picture_set))
        });
        let address = picture.layout.rs_to_ts.get(header.slice_segment_address as usize);
        if address != Some(&picture.decoded_ctbs) {
            return Err(Unreadable::corrupt("a slice is missing or there twice"));
        }
        reconstructor.start_slice(&header);
        let quantizer = header.slice_qp_y(&sets).map_err(unreadable)?;
        let data = slice.rbsp.get(header.header_size..).unwrap_or_default();
        decode_slice_segment(picture, &header, quantizer, data, reconstructor).map_err(unreadable)?;
        if let Some(error) = reconstructor.error.take() {
            return Err(unreadable(error));
        }
        if !header.dependent_slice_segment_flag {
            previous = Some(header);
        }
    }
    let (picture, reconstructor) = state.ok_or_else(|| Unreadable::corrupt("a picture without slices"))?;
    if !picture.is_complete() {
        return Err(Unreadable::corrupt("slices are missing"));
    }
    let sequence = picture.sps;
    let frame = reconstructor.finish(false);
    Ok(if sequence.conf_win_offsets == [0; 4] { frame } else { frame.cropped(sequence) })
}

fn unreadable(error: Error) -> Unreadable {
    match error {
        Error::Unimplemented(what) => Unreadable::unsupported(what),
        error => Unreadable::corrupt(error.to_string()),
    }
}

/// What the samples mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    /// `matrix_coefficients` of ITU-T H.273; 0 says that the planes are green, blue and red.
    pub(super) matrix: u16,
    /// Whether the samples go from the smallest number to the largest.
    pub(super) full_range: bool,
}

impl Colour {
    /// What the coded data say themselves.
    pub(super) fn of(frame: &Frame) -> Colour {
        Colour { matrix: u16::from(frame.matrix_coeffs), full_range: frame.full_range }
    }

    /// The share of red and of blue in the luma; where nothing is said, those of BT.601 as in libheif.
    fn shares(self) -> Result<(f64, f64), Unreadable> {
        match self.matrix {
            0 => Ok((0.0, 0.0)),
            1 => Ok((0.2126, 0.0722)),
            2 | 5 | 6 => Ok((0.299, 0.114)),
            4 => Ok((0.30, 0.11)),
            7 => Ok((0.212, 0.087)),
            9 => Ok((0.2627, 0.0593)),
            matrix => Err(Unreadable::unsupported(format!("matrix {matrix} of colours"))),
        }
    }
}

/// Writes the upper left of a frame into a canvas at `left` and `top`, as much as fits.
///
/// Colours of half the resolution are repeated, and of more than 8 bits the upper 8 are kept, as libheif does.
pub(super) fn paint(
    frame: &Frame,
    colour: Colour,
    canvas: &mut Photo,
    (left, top): (u32, u32),
    (width, height): (u32, u32),
) -> Result<(), Unreadable> {
    let width = width.min(canvas.width.saturating_sub(left)) as usize;
    let height = height.min(canvas.height.saturating_sub(top)) as usize;
    if width == 0 || height == 0 {
        return Ok(());
    }
    let (stride, left, top) = (canvas.width as usize * 3, left as usize * 3, top as usize);
    let rows = canvas.pixels.chunks_exact_mut(stride).skip(top).take(height);
    let rows = rows.map(|row| &mut row[left..left + width * 3]);

    let [columns, chroma_columns, _] = frame.widths.map(|width| width as usize);
    let depth = u32::from(frame.bit_depth[0]);
    let lumas = frame.planes[0].chunks_exact(columns);
    if chroma_columns == 0 {
        for (row, luma) in rows.zip(lumas) {
            for (pixel, &sample) in row.chunks_exact_mut(3).zip(luma) {
                pixel.fill((sample >> (depth - 8)) as u8);
            }
        }
        return Ok(());
    }

    let (red_share, blue_share) = colour.shares()?;
    let green_share = 1.0 - red_share - blue_share;
    let chroma_depth = u32::from(frame.bit_depth[1]);
    let largest = (1 << depth) - 1;
    // What one step of a sample is worth, in steps of the result.
    let scale = |depth: u32, range: u32| {
        let steps = if colour.full_range { (1 << depth) - 1 } else { range << (depth - 8) };
        f64::from(largest) / f64::from(steps) * f64::from(1 << FRACTION)
    };
    let factor = |factor: f64| (factor * scale(chroma_depth, 224)).round() as i32;
    let black = |depth: u32| if colour.full_range { 0 } else { 16 << (depth - 8) };
    let (luma_black, luma_scale) = (black(depth), scale(depth, 219).round() as i32);
    let middle = 1 << (chroma_depth - 1);
    let [red, blue] = [red_share, blue_share].map(|share| factor(2.0 * (1.0 - share)));
    let [green_red, green_blue] =
        [red_share, blue_share].map(|share| factor(-2.0 * share * (1.0 - share) / green_share));
    let byte = |value: i32| {
        let value = (value + (1 << (FRACTION - 1))) >> FRACTION;
        (value.clamp(0, largest) >> (depth - 8)) as u8
    };

    let [across, down] =
        [columns / chroma_columns, (frame.heights[0] / frame.heights[1].max(1)) as usize].map(|by| by.max(1));
    let chroma = |plane: usize, y: usize| {
        let mut rows = frame.planes[plane].chunks_exact(chroma_columns);
        rows.nth(y / down)
            .unwrap_or_default()
            .iter()
            .flat_map(move |sample| (0..across).map(|_| i32::from(*sample)))
    };
    for ((y, row), luma) in rows.enumerate().zip(lumas) {
        let samples = luma.iter().map(|&sample| (i32::from(sample) - luma_black) * luma_scale);
        let samples = samples.zip(chroma(1, y).zip(chroma(2, y)));
        for (pixel, (luma, (cb, cr))) in row.chunks_exact_mut(3).zip(samples) {
            let values = if colour.matrix == 0 {
                let shared =
                    |sample| (sample - black(chroma_depth)) * scale(chroma_depth, 219).round() as i32;
                [shared(cr), luma, shared(cb)]
            } else {
                let (cb, cr) = (cb - middle, cr - middle);
                [luma + red * cr, luma + green_blue * cb + green_red * cr, luma + blue * cb]
            };
            pixel.copy_from_slice(&values.map(byte));
        }
    }
    Ok(())
}

//! JPEGs of several megapixels, decoded to an eighth or a quarter of their width and height.
//!
//! Of each block only the coefficients are computed that such a size can show; the others are passed over, a look-up each,
//! but for the checks: whatever the file holds is read to its end. Whole numbers and no vector instructions, so that the
//! pixels are the same everywhere.

mod bits;
mod component;
mod huffman;
mod inverse;
mod scan;
mod tables;

use super::super::{Limits, Photo, Unreadable};
use super::colour::Colour;
use super::structure::{Part, SOS, Structure};
use component::Component;
use tables::Tables;

/// Decodes a picture of which each 8 x 8 pixels become `size` x `size`, where `size` is 1 or 2; of width and height
/// what is left over counts whole.
pub(super) fn decode(
    structure: &Structure,
    size: u32,
    colour: Colour,
    limits: &Limits,
) -> Result<Photo, Unreadable> {
    let mut components = Component::all(structure, size as usize);
    let (width, height) = ((structure.width * size).div_ceil(8), (structure.height * size).div_ceil(8));
    let planes: u64 = components.iter().map(|component| component.bytes(structure.is_progressive)).sum();
    limits.check_memory(planes + u64::from(width) * u64::from(height) * 3)?;
    components.iter_mut().for_each(|component| component.allocate(structure.is_progressive));
    let (mut tables, mut scans) = (Tables::default(), structure.scans.iter());
    let mut scan = None;
    for part in &structure.parts {
        match part {
            Part::Segment(SOS, _) => scan = scans.next(),
            Part::Segment(marker, segment) => tables.take(*marker, segment)?,
            Part::Data(data) => {
                if let Some(scan) = scan.take() {
                    scan::decode(structure, scan, data, &tables, &mut components)?;
                }
            }
        }
    }
    if components.iter().any(|component| component.steps.is_none()) {
        return Err(Unreadable::corrupt("a component without a scan"));
    }
    if structure.is_progressive {
        components.iter_mut().for_each(Component::write_all);
    }
    let pixels = rgb(&components, colour, width as usize, height as usize);
    Ok(Photo { width, height, pixels })
}

fn rgb(components: &[Component], colour: Colour, width: usize, height: usize) -> Vec<u8> {
    let mut pixels = vec![0; width * height * 3];
    let mut buffers: [Vec<u8>; 4] = Default::default();
    for (row, pixels) in pixels.chunks_exact_mut(width * 3).enumerate() {
        let mut rows: [&[u8]; 4] = [&[]; 4];
        for ((samples, component), buffer) in rows.iter_mut().zip(components).zip(&mut buffers) {
            *samples = &component.row(row, buffer)[..width];
        }
        colour.write_row(rows, pixels);
    }
    pixels
}

//! HEIC: HEIF files whose pictures are coded as HEVC, one picture or a grid of tiles as phones write them.
//!
//! The pixels are those of libheif. The container's crop, rotation and mirroring are applied, in its order; the EXIF
//! orientation is not, for it only repeats them.

mod container;
mod picture;

use super::orientation::Orientation;
use super::pixels::{self, Layout};
use super::{Decoded, Limits, Photo, Reason, Unreadable};
use container::{Container, Fields, Kind};
use heifer_hevc_dec::recon::Frame;
use picture::Colour;

/// Bytes a pixel that one coded picture takes at most: three samples of 16 bits, twice while they are cropped, and what
/// the decoder notes of each block.
const CODED: u64 = 13;
/// Bytes a pixel of a photo out of tiles: its colours and a turned copy.
const ASSEMBLED: u64 = 6;
/// Bytes a pixel more where there is opacity: its own picture and a copy of both.
const OPACITY: u64 = 7;
/// Pixels by which a coded picture may be wider and higher than what is shown of it: its largest block.
const PADDING: u64 = 64;
/// Turns, crops and mirrorings of one item; the standard permits one of each.
const TRANSFORMS: usize = 3;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, Unreadable> {
    let container = Container::parse(bytes)?;
    let primary = container.primary;
    let opacity = container.referring(primary, b"auxl").find(|&item| is_opacity(&container, item));
    let mut decoder = Decoder {
        container: &container,
        limits,
        data: limits.hevc_data,
        more: if opacity.is_some() { OPACITY } else { 0 },
    };
    let mut photo = decoder.item(primary, None, true)?;
    if let Some(item) = opacity {
        let raw = Colour { matrix: 6, full_range: true };
        let opacity = decoder.item(item, Some(raw), true)?;
        let multiplied = container.references(primary, b"prem").contains(&item);
        photo.pixels = over_white(&photo, &opacity, multiplied);
    }
    Ok(Decoded::new(photo, Orientation::UPRIGHT))
}

fn is_opacity(container: &Container<'_>, item: u32) -> bool {
    let kind = container.property(item, b"auxC").and_then(|content| content.get(4..)).unwrap_or_default();
    kind.starts_with(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
        || kind.starts_with(b"urn:mpeg:hevc:2015:auxid:1\0")
}

/// The photo over white. Opacity of another size is stretched, as libheif does.
fn over_white(photo: &Photo, opacity: &Photo, multiplied: bool) -> Vec<u8> {
    let place = |at: usize, from: u32, to: u32| at * from as usize / to as usize;
    let mut samples = Vec::with_capacity(photo.pixels.len() / 3 * 4);
    for (y, row) in photo.pixels.chunks_exact(photo.width as usize * 3).enumerate() {
        let start = place(y, opacity.height, photo.height) * opacity.width as usize;
        for (x, pixel) in row.chunks_exact(3).enumerate() {
            samples.extend_from_slice(pixel);
            samples.push(opacity.pixels[(start + place(x, opacity.width, photo.width)) * 3]);
        }
    }
    match multiplied {
        true => pixels::multiplied_rgb(Layout::RgbAlpha, &samples),
        false => pixels::rgb(Layout::RgbAlpha, samples),
    }
}

/// Decodes items, and counts what is left of the limits.
struct Decoder<'a> {
    container: &'a Container<'a>,
    limits: &'a Limits,
    /// Bytes of coded data.
    data: u64,
    /// Bytes a pixel for what is held besides.
    more: u64,
}

impl Decoder<'_> {
    /// An item's pixels, turned as the container says. `colour` is what its samples mean, where that is not for the
    /// file to say.
    fn item(&mut self, item: u32, colour: Option<Colour>, may_derive: bool) -> Result<Photo, Unreadable> {
        let kind = self.container.kind(item).ok_or_else(|| Unreadable::corrupt("a picture is missing"))?;
        let photo = match &kind {
            b"hvc1" | b"hev1" => self.coded(item, colour)?,
            b"grid" => self.grid(item, colour)?,
            b"iden" if may_derive => {
                let source = self.container.references(item, b"dimg").first();
                let source = *source.ok_or_else(|| Unreadable::corrupt("a copy of no picture"))?;
                self.item(source, colour, false)?
            }
            kind => return Err(Unreadable::unsupported(format!("pictures of the kind {}", name(kind)))),
        };
        transformed(photo, self.transforms(item))
    }

    fn transforms(&self, item: u32) -> impl Iterator<Item = (Kind, &'_ [u8])> {
        let is_transform = |kind: &Kind| matches!(kind, b"clap" | b"irot" | b"imir");
        self.container.properties(item).filter(move |(kind, _)| is_transform(kind))
    }

    /// One coded picture as a photo of its own.
    fn coded(&mut self, item: u32, colour: Option<Colour>) -> Result<Photo, Unreadable> {
        let (width, height) = self.size(item)?;
        self.limits.check_size(u64::from(width), u64::from(height), CODED + self.more)?;
        let frame = self.frame(item, (width, height))?;
        let colour = colour.or(self.colour(item)?).unwrap_or(Colour::of(&frame));
        let (width, height) = (width.min(frame.widths[0]), height.min(frame.heights[0]));
        let mut photo = blank(width, height);
        picture::paint(&frame, colour, &mut photo, (0, 0), (width, height))?;
        Ok(photo)
    }

    /// A photo out of tiles, row by row.
    fn grid(&mut self, item: u32, colour: Option<Colour>) -> Result<Photo, Unreadable> {
        let data = self.container.data(item, self.data)?;
        let mut fields = Fields(&data);
        let [version, flags, rows, columns] = [0; 4].map(|_: u8| fields.number(1));
        let (rows, columns) = (rows? as u32 + 1, columns? as u32 + 1);
        if version? != 0 {
            return Err(Unreadable::unsupported("a grid of an unknown version"));
        }
        let bytes = if flags? & 1 == 0 { 2 } else { 4 };
        let (width, height) = (fields.number(bytes)? as u32, fields.number(bytes)? as u32);
        self.limits.check_size(u64::from(width), u64::from(height), ASSEMBLED + self.more)?;

        let tiles = self.container.references(item, b"dimg");
        let (tile_width, tile_height) = match tiles.first() {
            Some(&tile) if tiles.len() as u32 == rows * columns => self.size(tile)?,
            _ => return Err(Unreadable::corrupt(format!("{} tiles, not {rows} x {columns}", tiles.len()))),
        };
        let covers = |tile: u32, count: u32, whole: u32| {
            tile > 0 && u64::from(tile) * u64::from(count) >= u64::from(whole)
        };
        if !covers(tile_width, columns, width) || !covers(tile_height, rows, height) {
            return Err(Unreadable::corrupt("the tiles do not fill the photo"));
        }
        let coded = coded_pixels(tile_width, tile_height).saturating_mul(tiles.len() as u64);
        if coded > self.limits.pixels {
            let most = self.limits.pixels;
            return Err(too_large(format!("{} tiles of {coded} pixels, {most} are allowed", tiles.len())));
        }
        // Known before the first tile is decoded, which takes most of the time.
        let mut left = self.data;
        for &tile in tiles {
            let bytes = self.container.data(tile, left)?.len() as u64;
            left = left.checked_sub(bytes).ok_or_else(|| too_much_data(self.limits.hevc_data))?;
        }
        let pixels = u64::from(width) * u64::from(height) * (ASSEMBLED + self.more);
        let tile_pixels = u64::from(tile_width) * u64::from(tile_height);
        self.limits.check_memory(tile_pixels.saturating_mul(CODED).saturating_add(pixels))?;

        let colour = colour.or(self.colour(item)?);
        let mut photo = blank(width, height);
        for (index, &tile) in tiles.iter().enumerate() {
            let (row, column) = (index as u32 / columns, index as u32 % columns);
            let place = (tile_width.saturating_mul(column), tile_height.saturating_mul(row));
            let is_coded = matches!(&self.container.kind(tile), Some([b'h', b'v', b'c', b'1']));
            if !is_coded
                || self.transforms(tile).next().is_some()
                || self.size(tile)? != (tile_width, tile_height)
            {
                return Err(Unreadable::unsupported("tiles that are turned or of several kinds"));
            }
            let frame = self.frame(tile, (tile_width, tile_height))?;
            if frame.widths[0] < tile_width || frame.heights[0] < tile_height {
                return Err(Unreadable::corrupt("a tile is smaller than declared"));
            }
            let colour = colour.or(self.colour(tile)?).unwrap_or(Colour::of(&frame));
            picture::paint(&frame, colour, &mut photo, place, (tile_width, tile_height))?;
        }
        Ok(photo)
    }

    /// The samples of a coded picture of a declared size.
    fn frame(&mut self, item: u32, (width, height): (u32, u32)) -> Result<Frame, Unreadable> {
        let most = coded_pixels(width, height);
        let parameters = self.container.property(item, b"hvcC");
        let parameters = parameters.ok_or_else(|| Unreadable::corrupt("a picture without parameters"))?;
        let data = self.container.data(item, self.data)?;
        let bytes = (data.len() + parameters.len()) as u64;
        self.data = self.data.checked_sub(bytes).ok_or_else(|| too_much_data(self.limits.hevc_data))?;
        picture::decode(parameters, &data, most)
    }

    /// The declared size.
    fn size(&self, item: u32) -> Result<(u32, u32), Unreadable> {
        let content = self.container.property(item, b"ispe");
        let mut fields = Fields(content.ok_or_else(|| Unreadable::corrupt("a picture without a size"))?);
        fields.take(4)?;
        Ok((fields.number(4)? as u32, fields.number(4)? as u32))
    }

    /// What the container says of an item's samples.
    fn colour(&self, item: u32) -> Result<Option<Colour>, Unreadable> {
        let mut found = self.container.properties(item).filter(|(kind, _)| kind == b"colr");
        let found = found.find_map(|(_, content)| content.strip_prefix(b"nclx"));
        let Some(content) = found else { return Ok(None) };
        let mut fields = Fields(content);
        fields.take(4)?;
        let matrix = fields.number(2)? as u16;
        Ok(Some(Colour { matrix, full_range: fields.number(1)? & 0x80 != 0 }))
    }
}

/// The pixels that a picture of a declared size may have as it is coded.
fn coded_pixels(width: u32, height: u32) -> u64 {
    (u64::from(width) + PADDING).saturating_mul(u64::from(height) + PADDING)
}

fn blank(width: u32, height: u32) -> Photo {
    Photo { width, height, pixels: vec![0; width as usize * height as usize * 3] }
}

fn transformed<'a>(
    mut photo: Photo,
    transforms: impl Iterator<Item = (Kind, &'a [u8])>,
) -> Result<Photo, Unreadable> {
    for (place, (kind, content)) in transforms.enumerate() {
        if place == TRANSFORMS {
            return Err(Unreadable::corrupt(format!("more than {TRANSFORMS} turns and crops")));
        }
        let mut fields = Fields(content);
        // Quarters of a turn against the clock, and the axis of a mirror, as EXIF numbers them.
        let value = match &kind {
            b"irot" => [1, 8, 3, 6][fields.number(1)? as usize % 4],
            b"imir" => [4, 2][fields.number(1)? as usize % 2],
            _ => {
                photo = cropped(&photo, fields)?;
                continue;
            }
        };
        photo = Orientation::of(value).upright(photo);
    }
    Ok(photo)
}

/// The clean aperture: fractions of a width, a height and the distances of its centre from the photo's.
fn cropped(photo: &Photo, mut fields: Fields<'_>) -> Result<Photo, Unreadable> {
    let mut fraction = || Ok::<_, Unreadable>((fields.number(4)? as u32, fields.number(4)? as u32));
    let (width, height, across, down) = (fraction()?, fraction()?, fraction()?, fraction()?);
    // Half a pixel goes down for columns and up for rows, as in libheif.
    let span = |whole: u32, size: (u32, u32), offset: (u32, u32), half: i64| {
        let size = i64::from(size.0)
            .checked_div(i64::from(size.1))
            .filter(|size| (1..=i64::from(whole)).contains(size))?;
        let below = i64::from(offset.1);
        let start = (2 * i64::from(offset.0 as i32) + (i64::from(whole) - size + half) * below)
            .checked_div_euclid(2 * below)?;
        let start = start.clamp(0, i64::from(whole) - size);
        Some((start as usize, size as usize))
    };
    let corrupt = || Unreadable::corrupt("a crop beyond the picture");
    let (left, width) = span(photo.width, width, across, 0).ok_or_else(corrupt)?;
    let (top, height) = span(photo.height, height, down, 1).ok_or_else(corrupt)?;
    let rows = photo.pixels.chunks_exact(photo.width as usize * 3).skip(top).take(height);
    let pixels = rows.flat_map(|row| &row[left * 3..(left + width) * 3]).copied().collect();
    Ok(Photo { width: width as u32, height: height as u32, pixels })
}

fn name(kind: &Kind) -> String {
    String::from_utf8_lossy(kind).into_owned()
}

fn too_large(detail: String) -> Unreadable {
    Unreadable::new(Reason::TooLarge, detail)
}

fn too_much_data(most: u64) -> Unreadable {
    too_large(format!("more than {most} bytes of HEVC data"))
}

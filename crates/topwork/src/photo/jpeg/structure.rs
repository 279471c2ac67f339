//! The structure of a JPEG file: its segments and scans, without decoding any of them.
//!
//! It follows libjpeg-turbo (`jdmarker.c`) in what it forgives: bytes between segments, fill bytes, anything
//! behind the end marker, and a missing end marker; and forgives a second start marker, which libjpeg-turbo does
//! not.

use super::super::Unreadable;
use super::standard_tables::STANDARD_TABLES;
use std::borrow::Cow;
use std::io::BufRead;

const SOI: u8 = 0xd8;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;
pub(super) const DQT: u8 = 0xdb;
pub(super) const DHT: u8 = 0xc4;
pub(super) const DRI: u8 = 0xdd;
/// What XMP packets start with.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Blocks that the components of a scan may have in one unit.
const MOST_BLOCKS: u32 = 10;

/// What a JPEG file holds.
pub(super) struct Structure<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: Vec<Component>,
    pub(super) scans: Vec<Scan>,
    pub(super) is_progressive: bool,
    /// A JFIF marker stands before the first scan.
    pub(super) has_jfif: bool,
    /// The number in the Adobe marker.
    pub(super) adobe_transform: Option<u8>,
    /// The first EXIF block.
    pub(super) exif: Option<&'a [u8]>,
    /// The first XMP packet.
    pub(super) xmp: Option<&'a [u8]>,
    /// The end marker is there.
    pub(super) has_end: bool,
    /// What decoding needs, in the order of the file.
    pub(super) parts: Vec<Part<'a>>,
    /// Bytes of all scans.
    pub(super) data: u64,
}

/// A part of a file that decoding needs.
pub(super) enum Part<'a> {
    /// A segment: its marker, and what stands behind its length.
    Segment(u8, Cow<'a, [u8]>),
    /// The entropy-coded data of the scan whose header stands before it, with its restart markers.
    Data(&'a [u8]),
}

/// A component as the frame header declares it.
pub(super) struct Component {
    pub(super) name: u8,
    pub(super) horizontal: u8,
    pub(super) vertical: u8,
    /// Place of its quantisation table.
    pub(super) quantisation: u8,
}

/// What a scan brings.
pub(super) struct Scan {
    /// Places of its components in the frame.
    pub(super) components: Vec<usize>,
    /// For each of them the places of the Huffman tables, for the first coefficient and the others.
    pub(super) tables: Vec<(u8, u8)>,
    /// First and last coefficient, in zigzag order.
    pub(super) spectrum: (u8, u8),
    /// The bit down to which they were known before, 0 if they were not.
    pub(super) bit_before: u8,
    /// The bit down to which it makes them known.
    pub(super) bit: u8,
}

impl<'a> Structure<'a> {
    /// Whether it is sequential, in several scans, and its components differ in size in a way that zune-jpeg 0.5 gets wrong:
    /// vertically, or in a scan that holds some of them.
    pub(super) fn is_sequential_in_pieces(&self) -> bool {
        let is_piece = |scan: &Scan| (2..self.components.len()).contains(&scan.components.len());
        let differs = |size: fn(&Component) -> u8| {
            self.components.windows(2).any(|pair| size(&pair[0]) != size(&pair[1]))
        };
        let (vertically, horizontally) = (differs(|one| one.vertical), differs(|one| one.horizontal));
        let is_wrong = vertically || horizontally && self.scans.iter().any(is_piece);
        !self.is_progressive && self.scans.len() > 1 && is_wrong
    }

    /// Walks through a file.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Structure<'a>, Unreadable> {
        let mut structure = Structure {
            width: 0,
            height: 0,
            components: Vec::new(),
            scans: Vec::new(),
            is_progressive: false,
            has_jfif: false,
            adobe_transform: None,
            exif: None,
            xmp: None,
            has_end: false,
            parts: Vec::new(),
            data: 0,
        };
        let mut at = 2;
        while let Some((marker, next)) = next_marker(bytes, at) {
            at = next;
            match marker {
                SOI | 0x01 | 0xd0..=0xd7 => continue,
                EOI => {
                    structure.has_end = true;
                    break;
                }
                0x02..=0xbf => return Err(Unreadable::corrupt(format!("marker ff{marker:02x}"))),
                _ => {}
            }
            let Some(segment) = segment(bytes, at)? else { break };
            at += 2 + segment.len();
            structure.take(marker, segment)?;
            if marker == SOS {
                let end = end_of_scan(bytes, at);
                structure.parts.push(Part::Data(&bytes[at..end]));
                structure.data += (end - at) as u64;
                at = end;
            }
        }
        if structure.scans.is_empty() {
            let found = if structure.components.is_empty() { "header" } else { "first scan" };
            return Err(if structure.has_end {
                Unreadable::corrupt(format!("it ends without a {found}"))
            } else {
                Unreadable::truncated(format!("the file ends before the {found}"))
            });
        }
        structure.complete_tables();
        Ok(structure)
    }

    /// Puts the standard Huffman tables before all else if the first scan needs one that was not defined: the frames of
    /// Motion JPEG leave them out. `jdhuff.c` of libjpeg-turbo does the same.
    fn complete_tables(&mut self) {
        let mut defined = [[false; 16]; 2];
        for part in &self.parts {
            match part {
                Part::Segment(DHT, segment) => {
                    let mut rest = &segment[..];
                    while let [kind, counts @ ..] = rest {
                        if let Some(defined) = defined.get_mut(usize::from(kind >> 4)) {
                            defined[usize::from(kind & 15)] = true;
                        }
                        let symbols: usize = counts.iter().take(16).map(|count| usize::from(*count)).sum();
                        rest = counts.get(16 + symbols..).unwrap_or_default();
                    }
                }
                Part::Data(_) => break,
                Part::Segment(..) => {}
            }
        }
        let is_defined = |(first, others): &(u8, u8)| {
            let needs =
                |class: usize| !self.is_progressive || (class == 0) == (self.scans[0].spectrum.0 == 0);
            [(0, first), (1, others)]
                .into_iter()
                .all(|(class, place)| !needs(class) || defined[class][usize::from(*place)])
        };
        if !self.scans[0].tables.iter().all(is_defined) {
            self.parts.insert(0, Part::Segment(DHT, STANDARD_TABLES.into()));
        }
    }

    /// The parts as one stream, with `ending` behind the last scan.
    pub(super) fn stream(&self, ending: &[u8]) -> Vec<u8> {
        let length = |part: &Part| match part {
            Part::Segment(_, segment) => 4 + segment.len(),
            Part::Data(data) => data.len(),
        };
        let mut stream = Vec::with_capacity(self.parts.iter().map(length).sum::<usize>() + ending.len() + 2);
        stream.extend_from_slice(&[0xff, SOI]);
        for part in &self.parts {
            match part {
                Part::Segment(marker, segment) => {
                    stream.extend_from_slice(&[0xff, *marker]);
                    stream.extend_from_slice(&((segment.len() + 2) as u16).to_be_bytes());
                    stream.extend_from_slice(segment);
                }
                Part::Data(data) => stream.extend_from_slice(data),
            }
        }
        stream.extend_from_slice(ending);
        stream
    }

    /// Bytes a pixel that decoding holds besides the result: the coefficients, if they come in several scans.
    pub(super) fn bytes_per_pixel(&self) -> u64 {
        let buffered = self.is_progressive || self.scans.len() > 1;
        let samples: u64 =
            self.components.iter().map(|it| u64::from(it.horizontal) * u64::from(it.vertical)).sum();
        let (horizontal, vertical) = self.largest_sampling();
        if buffered { (2 * samples).div_ceil(horizontal * vertical) } else { 0 }
    }

    /// Checks that the scans can hold the picture at all: each block takes a bit at least, and two where its
    /// coefficients are not spread over scans.
    pub(super) fn check_amount(&self) -> Result<(), Unreadable> {
        let (largest_horizontal, largest_vertical) = self.largest_sampling();
        let blocks: u64 = self
            .components
            .iter()
            .map(|component| {
                let across = (u64::from(self.width) * u64::from(component.horizontal))
                    .div_ceil(8 * largest_horizontal);
                let down =
                    (u64::from(self.height) * u64::from(component.vertical)).div_ceil(8 * largest_vertical);
                across * down
            })
            .sum();
        let bits = if self.is_progressive { blocks } else { 2 * blocks };
        if self.data * 8 < bits {
            return Err(Unreadable::truncated(format!(
                "{} bytes of data cannot hold {} x {} pixels",
                self.data, self.width, self.height
            )));
        }
        Ok(())
    }

    /// Whether the scans bring all coefficients of all components down to the last bit.
    pub(super) fn is_refined(&self) -> bool {
        (0..self.components.len()).all(|component| {
            let mut known = [false; 64];
            for scan in self.scans.iter().filter(|scan| scan.components.contains(&component)) {
                let (first, last) = if self.is_progressive { scan.spectrum } else { (0, 63) };
                for known in &mut known[usize::from(first)..=usize::from(last)] {
                    *known = scan.bit == 0 || !self.is_progressive;
                }
            }
            known.iter().all(|known| *known)
        })
    }

    /// The largest horizontal and vertical sampling.
    pub(super) fn largest_sampling(&self) -> (u64, u64) {
        let largest =
            |sampling: fn(&Component) -> u8| self.components.iter().map(sampling).max().unwrap_or(1);
        (u64::from(largest(|it| it.horizontal)), u64::from(largest(|it| it.vertical)))
    }

    fn take(&mut self, marker: u8, segment: &'a [u8]) -> Result<(), Unreadable> {
        match marker {
            DQT | DHT | DRI => self.parts.push(Part::Segment(marker, segment.into())),
            0xc0..=0xc2 => self.take_frame(marker, segment)?,
            0xc3 | 0xc5..=0xc7 | 0xcb | 0xcd..=0xcf => {
                return Err(Unreadable::unsupported(match marker {
                    0xc3 | 0xcb => "lossless coding",
                    0xc5..=0xc7 | 0xcd..=0xcf => "hierarchical coding",
                    _ => "this coding",
                }));
            }
            0xc9 | 0xca | 0xcc => return Err(Unreadable::unsupported("arithmetic coding")),
            SOS => self.take_scan(segment)?,
            0xe0 if segment.starts_with(b"JFIF\0") && self.scans.is_empty() => self.has_jfif = true,
            0xe1 if segment.starts_with(b"Exif\0\0") && self.exif.is_none() => self.exif = Some(segment),
            0xe1 if segment.starts_with(XMP) && self.xmp.is_none() => self.xmp = Some(segment),
            0xee if segment.starts_with(b"Adobe") && segment.len() >= 12 && self.scans.is_empty() => {
                self.adobe_transform = Some(segment[11]);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_frame(&mut self, marker: u8, segment: &[u8]) -> Result<(), Unreadable> {
        if !self.components.is_empty() {
            return Err(Unreadable::corrupt("two frame headers"));
        }
        let [precision, h1, h0, w1, w0, count, components @ ..] = segment else {
            return Err(Unreadable::corrupt("a short frame header"));
        };
        if *precision != 8 {
            return Err(Unreadable::unsupported(format!("{precision} bits a sample")));
        }
        self.width = u32::from(u16::from_be_bytes([*w1, *w0]));
        self.height = u32::from(u16::from_be_bytes([*h1, *h0]));
        if self.height == 0 {
            return Err(Unreadable::unsupported("a height that is told after the picture (DNL)"));
        }
        let (components, rest) = components.as_chunks::<3>();
        if components.len() != usize::from(*count) || !rest.is_empty() || components.is_empty() {
            return Err(Unreadable::corrupt("a frame header of the wrong length"));
        }
        let mut header = segment.to_vec();
        // The components are renamed 1, 2, 3, 4, so that zune-jpeg draws no conclusions from their names.
        for (index, [name, sampling, quantisation]) in components.iter().enumerate() {
            let (horizontal, vertical) = (sampling >> 4, sampling & 15);
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
                return Err(Unreadable::corrupt(format!("sampling {horizontal}x{vertical}")));
            }
            if self.components.iter().any(|component| component.name == *name) {
                return Err(Unreadable::corrupt("two components of one name"));
            }
            let quantisation = *quantisation;
            self.components.push(Component { name: *name, horizontal, vertical, quantisation });
            header[6 + index * 3] = index as u8 + 1;
        }
        let (most_horizontal, most_vertical) = self.largest_sampling();
        for Component { horizontal, vertical, .. } in &self.components {
            if most_horizontal % u64::from(*horizontal) != 0 || most_vertical % u64::from(*vertical) != 0 {
                return Err(Unreadable::unsupported(format!(
                    "sampling {horizontal}x{vertical} beside {most_horizontal}x{most_vertical}"
                )));
            }
        }
        // zune-jpeg cannot do the one and does the other wrongly.
        if self.components.iter().any(|component| component.horizontal == 3) {
            return Err(Unreadable::unsupported("sampling of three columns"));
        }
        let first = &self.components[0];
        if (u64::from(first.horizontal), u64::from(first.vertical)) != (most_horizontal, most_vertical) {
            return Err(Unreadable::unsupported("a first component sampled more coarsely than another"));
        }
        self.is_progressive = marker == 0xc2;
        self.parts.push(Part::Segment(marker, header.into()));
        Ok(())
    }

    fn take_scan(&mut self, segment: &[u8]) -> Result<(), Unreadable> {
        let short = || Unreadable::corrupt("a scan header of the wrong length");
        let (count, rest) = segment.split_first().ok_or_else(short)?;
        if rest.len() != 2 * usize::from(*count) + 3 || !(1..=4).contains(count) {
            return Err(short());
        }
        let mut header = segment.to_vec();
        let (mut components, mut tables) = (Vec::new(), Vec::new());
        for index in 0..usize::from(*count) {
            let name = rest[index * 2];
            let place = self.components.iter().position(|component| component.name == name);
            let component = place.ok_or_else(|| Unreadable::corrupt("a scan of an unknown component"))?;
            components.push(component);
            tables.push((rest[index * 2 + 1] >> 4, rest[index * 2 + 1] & 15));
            header[1 + index * 2] = component as u8 + 1;
        }
        let blocks: u32 = components
            .iter()
            .map(|place| u32::from(self.components[*place].horizontal * self.components[*place].vertical))
            .sum();
        if components.len() > 1 && blocks > MOST_BLOCKS {
            return Err(Unreadable::unsupported(format!("sampling of {blocks} blocks a unit")));
        }
        let [first, last, bits] = rest[rest.len() - 3..] else { return Err(short()) };
        if self.is_progressive && (first > last || last > 63) {
            return Err(Unreadable::corrupt("a scan of coefficients that do not exist"));
        }
        let (spectrum, bit_before, bit) = ((first, last), bits >> 4, bits & 15);
        self.scans.push(Scan { components, tables, spectrum, bit_before, bit });
        self.parts.push(Part::Segment(SOS, header.into()));
        Ok(())
    }
}

/// The next marker from `at` on, and the place behind it; bytes before it are skipped.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        let fill = bytes[at..].iter().position(|byte| *byte != 0xff)?;
        at += fill + 1;
        if bytes[at - 1] != 0 {
            return Some((bytes[at - 1], at));
        }
    }
}

/// The segment whose length stands at `at`, or `None` if the file ends within it.
fn segment(bytes: &[u8], at: usize) -> Result<Option<&[u8]>, Unreadable> {
    let Some([high, low]) = bytes.get(at..at + 2) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length < 2 {
        return Err(Unreadable::corrupt("a segment of negative length"));
    }
    Ok(bytes.get(at + 2..at + length))
}

/// Where the entropy-coded data that starts at `at` ends: at the next marker that is no restart marker.
fn end_of_scan(bytes: &[u8], at: usize) -> usize {
    let mut rest = &bytes[at..];
    // The standard library's search through a buffer is the fast one.
    while rest.skip_until(0xff).is_ok_and(|skipped| skipped > 0) {
        match rest {
            [] => return bytes.len(),
            [0 | 0xd0..=0xd7 | 0xff, ..] => {}
            _ => return bytes.len() - rest.len() - 1,
        }
    }
    bytes.len()
}

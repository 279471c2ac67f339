//! The boxes of a HEIF file (ISO/IEC 14496-12 and 23008-12), as far as its main picture needs them.
//!
//! Every count, size and offset comes from the file. Tables are read entry by entry and never reserved by a declared
//! count, so memory stays a small multiple of the index; an item's bytes are found when they are asked for.

use super::super::Unreadable;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Bytes of the index; that of a photo with a thousand tiles takes 60 kB.
const LARGEST_INDEX: usize = 4 << 20;

/// Four letters: the kind of a box, an item or a reference.
pub(super) type Kind = [u8; 4];

/// A HEIF file's index.
pub(super) struct Container<'a> {
    bytes: &'a [u8],
    /// The bytes that small items keep in the index itself.
    inner: &'a [u8],
    /// The item that is shown.
    pub(super) primary: u32,
    kinds: BTreeMap<u32, Kind>,
    places: BTreeMap<u32, Place<'a>>,
    references: Vec<(Kind, u32, Vec<u32>)>,
    properties: Vec<(Kind, &'a [u8])>,
    associations: BTreeMap<u32, Vec<u16>>,
}

/// Where an item's bytes are: extents of the file or of the index.
struct Place<'a> {
    method: u64,
    base: u64,
    /// Bytes of an extent's index, offset and length.
    widths: [usize; 3],
    extents: &'a [u8],
    count: u64,
}

impl<'a> Container<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Container<'a>, Unreadable> {
        let mut container = Container {
            bytes,
            inner: &[],
            primary: 0,
            kinds: BTreeMap::new(),
            places: BTreeMap::new(),
            references: Vec::new(),
            properties: Vec::new(),
            associations: BTreeMap::new(),
        };
        let index = index(bytes)?;
        if index.len() > LARGEST_INDEX {
            return Err(Unreadable::corrupt(format!("an index of {} bytes", index.len())));
        }
        let mut primary = None;
        for part in boxes(full(index)?.1.0) {
            let (kind, content) = part?;
            match &kind {
                b"pitm" => {
                    let (version, mut fields) = full(content)?;
                    primary = Some(fields.number(if version == 0 { 2 } else { 4 })? as u32);
                }
                b"iinf" => container.read_kinds(content)?,
                b"iloc" => container.read_places(content)?,
                b"iref" => container.read_references(content)?,
                b"idat" => container.inner = content,
                b"iprp" => {
                    for part in boxes(content) {
                        match part? {
                            (kind, content) if kind == *b"ipco" => {
                                container.properties = boxes(content).collect::<Result<_, _>>()?;
                            }
                            (kind, content) if kind == *b"ipma" => container.read_associations(content)?,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        container.primary =
            primary.ok_or_else(|| Unreadable::unsupported("a file without a main picture"))?;
        Ok(container)
    }

    fn read_kinds(&mut self, content: &'a [u8]) -> Result<(), Unreadable> {
        let (version, mut fields) = full(content)?;
        fields.number(if version == 0 { 2 } else { 4 })?;
        for part in boxes(fields.0) {
            let (version, mut fields) = full(part?.1)?;
            let id = fields.number(if version < 3 { 2 } else { 4 })? as u32;
            fields.take(2)?;
            self.kinds.entry(id).or_insert(fields.kind()?);
        }
        Ok(())
    }

    fn read_places(&mut self, content: &'a [u8]) -> Result<(), Unreadable> {
        let (version, mut fields) = full(content)?;
        let widths = fields.number(2)? as usize;
        let [offset, length, base, index] = [12, 8, 4, 0].map(|shift| widths >> shift & 15);
        let index = if version == 0 { 0 } else { index };
        if [offset, length, base, index].into_iter().any(|width| !matches!(width, 0 | 4 | 8)) {
            return Err(Unreadable::corrupt("an offset of neither 4 nor 8 bytes"));
        }
        for _ in 0..fields.number(if version < 2 { 2 } else { 4 })? {
            let id = fields.number(if version < 2 { 2 } else { 4 })? as u32;
            let method = if version == 0 { 0 } else { fields.number(2)? & 15 };
            if fields.number(2)? != 0 {
                return Err(Unreadable::unsupported("a picture in another file"));
            }
            let base = fields.number(base)?;
            let count = fields.number(2)?;
            let extents = fields.take(count as usize * (index + offset + length))?;
            let place = Place { method, base, widths: [index, offset, length], extents, count };
            self.places.entry(id).or_insert(place);
        }
        Ok(())
    }

    fn read_references(&mut self, content: &'a [u8]) -> Result<(), Unreadable> {
        let (version, fields) = full(content)?;
        let width = if version == 0 { 2 } else { 4 };
        for part in boxes(fields.0) {
            let (kind, content) = part?;
            let mut fields = Fields(content);
            let from = fields.number(width)? as u32;
            let count = fields.number(2)? as usize;
            let to = fields.take(count * width)?.chunks_exact(width).map(big_endian);
            self.references.push((kind, from, to.map(|id| id as u32).collect()));
        }
        Ok(())
    }

    fn read_associations(&mut self, content: &'a [u8]) -> Result<(), Unreadable> {
        let flags = *content.get(3).ok_or_else(ends)?;
        let (version, mut fields) = full(content)?;
        let width = if flags & 1 == 0 { 1 } else { 2 };
        for _ in 0..fields.number(4)? {
            let id = fields.number(if version == 0 { 2 } else { 4 })? as u32;
            let count = fields.number(1)? as usize;
            let entries = fields.take(count * width)?.chunks_exact(width);
            // The highest bit says whether a reader must know the property.
            let mask = if width == 1 { 0x7f } else { 0x7fff };
            let entries = entries.map(|entry| big_endian(entry) as u16 & mask).collect();
            self.associations.entry(id).or_insert(entries);
        }
        Ok(())
    }

    pub(super) fn kind(&self, item: u32) -> Option<Kind> {
        self.kinds.get(&item).copied()
    }

    /// An item's properties, in the order in which they apply.
    pub(super) fn properties(&self, item: u32) -> impl Iterator<Item = (Kind, &'a [u8])> {
        let places = self.associations.get(&item).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|&place| self.properties.get(usize::from(place).checked_sub(1)?).copied())
    }

    pub(super) fn property(&self, item: u32, wanted: &Kind) -> Option<&'a [u8]> {
        self.properties(item).find(|(kind, _)| kind == wanted).map(|(_, content)| content)
    }

    /// The items that one refers to.
    pub(super) fn references(&self, item: u32, kind: &Kind) -> &[u32] {
        let found = self.references.iter().find(|(found, from, _)| found == kind && *from == item);
        found.map_or(&[], |(_, _, to)| to)
    }

    /// The items that refer to one.
    pub(super) fn referring(&self, item: u32, kind: &Kind) -> impl Iterator<Item = u32> {
        let found = self.references.iter().filter(move |(found, _, to)| found == kind && to.contains(&item));
        found.map(|(_, from, _)| *from)
    }

    /// An item's bytes, `most` of them at most.
    pub(super) fn data(&self, item: u32, most: u64) -> Result<Cow<'a, [u8]>, Unreadable> {
        let place = self.places.get(&item).ok_or_else(|| Unreadable::corrupt("a picture without a place"))?;
        let source = match place.method {
            0 => self.bytes,
            1 => self.inner,
            _ => return Err(Unreadable::unsupported("a picture in pieces of other items")),
        };
        let mut fields = Fields(place.extents);
        let mut data = Cow::Borrowed(&[][..]);
        for _ in 0..place.count {
            fields.take(place.widths[0])?;
            let (offset, length) = (fields.number(place.widths[1])?, fields.number(place.widths[2])?);
            let start = place.base.saturating_add(offset);
            // A length of 0 means all that follows.
            let end = if length == 0 { source.len() as u64 } else { start.saturating_add(length) };
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            let Some(extent) = range.and_then(|(start, end)| source.get(start..end)) else {
                return Err(match place.method {
                    0 => Unreadable::truncated(format!("{} of {end} bytes", source.len())),
                    _ => Unreadable::corrupt("a picture beyond the index"),
                });
            };
            if (data.len() + extent.len()) as u64 > most {
                return Err(super::too_much_data(most));
            }
            if data.is_empty() {
                data = Cow::Borrowed(extent);
            } else {
                data.to_mut().extend_from_slice(extent);
            }
        }
        Ok(data)
    }
}

/// The index: the content of the box `meta`. A file that ends within a box that matters is truncated; what is no box,
/// as cameras and tools append it, ends the search.
fn index(bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let truncated = || Unreadable::truncated("the file ends within its index or its pictures");
    let (mut rest, mut index, mut is_film) = (bytes, None, false);
    while !rest.is_empty() {
        match split(rest) {
            Ok((kind, content, behind)) => {
                if kind == *b"meta" && index.is_none() {
                    index = Some(content);
                }
                is_film |= kind == *b"moov";
                rest = behind;
            }
            Err(Some(kind)) if matches!(&kind, b"ftyp" | b"meta" | b"mdat") => return Err(truncated()),
            Err(_) if index.is_none() => return Err(truncated()),
            Err(_) => break,
        }
    }
    index.ok_or_else(|| match is_film {
        true => Unreadable::unsupported("a sequence without a main picture"),
        false => truncated(),
    })
}

/// The first box: its kind, its content and what follows; or the kind of one that is longer than the bytes, if it has
/// a kind.
#[allow(clippy::type_complexity, reason = "used in two places")]
fn split(bytes: &[u8]) -> Result<(Kind, &[u8], &[u8]), Option<Kind>> {
    let (header, _) = bytes.split_first_chunk::<8>().ok_or(None)?;
    let kind = [header[4], header[5], header[6], header[7]];
    let (start, size) = match big_endian(&header[..4]) {
        0 => (8, bytes.len() as u64),
        1 => (16, big_endian(bytes.get(8..16).ok_or(Some(kind))?)),
        size => (8, size),
    };
    let end = usize::try_from(size).ok().filter(|end| (start..=bytes.len()).contains(end));
    let end = end.ok_or(Some(kind))?;
    Ok((kind, &bytes[start..end], &bytes[end..]))
}

/// The boxes within one.
fn boxes(mut rest: &[u8]) -> impl Iterator<Item = Result<(Kind, &[u8]), Unreadable>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        Some(match split(rest) {
            Ok((kind, content, behind)) => {
                rest = behind;
                Ok((kind, content))
            }
            Err(_) => {
                rest = &[];
                Err(ends())
            }
        })
    })
}

/// The version of a box that has one, and the fields behind its flags.
fn full(content: &[u8]) -> Result<(u64, Fields<'_>), Unreadable> {
    let mut fields = Fields(content);
    let version = fields.number(1)?;
    fields.take(3)?;
    Ok((version, fields))
}

/// Fields one after another, each read through a bounds check.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(ends)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The number in the next `width` bytes, of which there are 8 at most.
    pub(super) fn number(&mut self, width: usize) -> Result<u64, Unreadable> {
        self.take(width).map(big_endian)
    }

    fn kind(&mut self) -> Result<Kind, Unreadable> {
        let bytes = self.take(4)?;
        Ok([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn ends() -> Unreadable {
    Unreadable::corrupt("the index ends within a box")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::Reason;

    fn of(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes(), &kind[..], content].concat()
    }

    /// A file whose only item has `count` extents of the widths in the table's header.
    fn with_extents(widths: [u8; 2], count: u16, extents: &[u8]) -> Vec<u8> {
        let place = [&[0, 1, 0, 0][..], &count.to_be_bytes(), extents].concat();
        let places = [&[0; 4][..], &widths, &[0, 1], &place].concat();
        let index = [&[0; 4][..], &of(b"pitm", &[0, 0, 0, 0, 0, 1]), &of(b"iloc", &places)].concat();
        [of(b"ftyp", b"heic\0\0\0\0"), of(b"meta", &index), of(b"mdat", b"0123456789")].concat()
    }

    #[test]
    fn extents_are_joined_within_a_limit() {
        // Two extents of two bytes; the last ten bytes are those of the only box with data.
        let place = |offset: u32, length: u32| [offset.to_be_bytes(), length.to_be_bytes()].concat();
        let start = with_extents([0x44, 0], 2, &[0; 16]).len() as u32 - 10;
        let bytes = with_extents([0x44, 0], 2, &[place(start + 3, 2), place(start, 2)].concat());
        let container = Container::parse(&bytes).unwrap();
        assert_eq!(container.data(1, 4).unwrap(), &b"3401"[..]);
        assert_eq!(container.data(1, 3).unwrap_err().reason, Reason::TooLarge);
        assert_eq!(container.data(2, 4).unwrap_err().reason, Reason::Corrupt);
        let beyond = with_extents([0x44, 0], 1, &place(start + 9, 2));
        let error = Container::parse(&beyond).unwrap().data(1, 99).unwrap_err();
        assert_eq!(error.reason, Reason::Truncated, "{error}");
    }

    /// Each stands for the whole file and takes no byte itself.
    #[test]
    fn many_extents_without_numbers_cost_nothing() {
        let bytes = with_extents([0, 0], u16::MAX, b"");
        let error = Container::parse(&bytes).unwrap().data(1, 100_000).unwrap_err();
        assert_eq!(error.reason, Reason::TooLarge, "{error}");
    }
}

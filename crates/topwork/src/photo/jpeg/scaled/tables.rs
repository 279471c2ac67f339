//! The tables that stand between the scans: quantisation, Huffman, the restart interval.

use super::super::super::Unreadable;
use super::super::structure::{DHT, DQT, DRI};
use super::huffman::Huffman;

/// What was defined so far. Huffman tables are built when a scan uses them, so that many definitions cost nothing.
#[derive(Default)]
pub(super) struct Tables<'a> {
    quantisation: [Option<[u16; 64]>; 4],
    huffman: [[Option<Definition<'a>>; 4]; 2],
    /// Units between two restart markers; 0 for none.
    pub(super) restart: u32,
}

type Definition<'a> = (&'a [u8; 16], &'a [u8]);

impl<'a> Tables<'a> {
    /// Takes a segment of tables; others are passed over.
    pub(super) fn take(&mut self, marker: u8, segment: &'a [u8]) -> Result<(), Unreadable> {
        match marker {
            DQT => self.take_quantisation(segment),
            DHT => self.take_huffman(segment),
            DRI => {
                let interval = <[u8; 2]>::try_from(segment);
                let interval =
                    interval.map_err(|_| Unreadable::corrupt("a restart interval of the wrong length"))?;
                self.restart = u32::from(u16::from_be_bytes(interval));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn take_quantisation(&mut self, mut segment: &[u8]) -> Result<(), Unreadable> {
        while let [kind, rest @ ..] = segment {
            let width = usize::from(kind >> 4) + 1;
            let table = self.quantisation.get_mut(usize::from(kind & 15));
            let (Some(table), true, Some(steps)) = (table, width <= 2, rest.get(..64 * width)) else {
                return Err(Unreadable::corrupt("a quantisation table"));
            };
            let step = |index: usize| match width {
                1 => u16::from(steps[index]),
                _ => u16::from_be_bytes([steps[2 * index], steps[2 * index + 1]]),
            };
            *table = Some(std::array::from_fn(step));
            segment = &rest[64 * width..];
        }
        Ok(())
    }

    fn take_huffman(&mut self, mut segment: &'a [u8]) -> Result<(), Unreadable> {
        let wrong = || Unreadable::corrupt("a Huffman table");
        while let [kind, rest @ ..] = segment {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
            let count = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(count).ok_or_else(wrong)?;
            let of_class = self.huffman.get_mut(usize::from(kind >> 4)).ok_or_else(wrong)?;
            *of_class.get_mut(usize::from(kind & 15)).ok_or_else(wrong)? = Some((counts, symbols));
            segment = rest;
        }
        Ok(())
    }

    /// The quantisation steps at a place, in the order of coding.
    pub(super) fn quantisation(&self, place: u8) -> Result<&[u16; 64], Unreadable> {
        let table = self.quantisation.get(usize::from(place)).and_then(Option::as_ref);
        table.ok_or_else(|| Unreadable::corrupt("a quantisation table is missing"))
    }

    /// The Huffman table at a place: of first coefficients (class 0), or of the others (class 1).
    pub(super) fn huffman(&self, class: usize, place: u8) -> Result<Huffman, Unreadable> {
        let definition = self.huffman[class].get(usize::from(place)).copied().flatten();
        let (counts, symbols) =
            definition.ok_or_else(|| Unreadable::corrupt("a Huffman table is missing"))?;
        Huffman::new(counts, symbols)
    }
}

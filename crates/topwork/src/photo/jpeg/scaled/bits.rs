//! The bits of entropy-coded data: stuffed zeros left out, restart markers as ends.

use super::super::super::Unreadable;

/// Reads bits from the highest of each byte on. What is rare takes and gives it by value, so that it can stay in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The first byte that is not counted in `buffer`.
    at: usize,
    /// The next bits, from the highest on. Those behind `count` are zeros or the beginning of the byte at `at`.
    buffer: u64,
    /// Bits of `buffer` that count.
    count: u32,
    /// Zeros put behind the end, of the bits that count.
    padding: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { data, at: 0, buffer: 0, count: 0, padding: 0 }
    }

    /// Makes sure of `least` bits (up to 56). Behind the end, or a marker, they are zeros.
    #[inline(always)]
    pub(super) fn refill(&mut self, least: u32) {
        if self.count >= least {
            return;
        }
        if let Some(chunk) = self.data.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_be_bytes(*chunk);
            if !has_ff(word) {
                self.buffer |= word >> self.count;
                let bytes = (63 - self.count) / 8;
                self.at += bytes as usize;
                self.count += bytes * 8;
                return;
            }
        }
        *self = self.refilled_byte_by_byte();
    }

    #[cold]
    #[inline(never)]
    fn refilled_byte_by_byte(mut self) -> Bits<'a> {
        while self.count <= 56 {
            let byte = match self.data.get(self.at..).unwrap_or_default() {
                [0xff, 0, ..] => {
                    self.at += 2;
                    0xff
                }
                [0xff, ..] | [] => {
                    self.padding += 8;
                    0
                }
                [byte, ..] => {
                    self.at += 1;
                    *byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// The next `count` bits (1 to 32), which stay; no more than a refill made sure of.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (64 - count)) as u32
    }

    /// Takes `count` bits (0 to 32) away; no more than a refill made sure of.
    #[inline(always)]
    pub(super) fn consume(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// The next `count` bits (0 to 16).
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        self.refill(16);
        self.taken(count)
    }

    /// A number of `size` bits (0 to 16) as Annex F.2.2.1 codes it: those that start with a zero are negative. No more bits
    /// than a refill made sure of.
    #[inline(always)]
    pub(super) fn number(&mut self, size: u32) -> i32 {
        let is_negative = !((self.buffer as i64) >> 63) as i32;
        self.taken(size) as i32 + (is_negative & ((-1 << size) + 1))
    }

    #[inline(always)]
    fn taken(&mut self, count: u32) -> u32 {
        let bits = ((self.buffer >> 1) >> (63 - count)) as u32;
        self.consume(count);
        bits
    }

    /// An error where bits behind the end were taken.
    #[inline(always)]
    pub(super) fn check_end(&self) -> Result<(), Unreadable> {
        if self.padding > self.count {
            return Err(ended());
        }
        Ok(())
    }

    /// Why decoding failed here: behind the end, or so close to it that a code may reach beyond, nothing is decoded rightly.
    #[cold]
    pub(super) fn reason(&self, error: Unreadable) -> Unreadable {
        const LONGEST_CODE: u32 = 16;
        if self.padding > 0 && self.count < self.padding + LONGEST_CODE { ended() } else { error }
    }

    /// Goes behind the next restart marker, which must be number `expected`; what is left before it is skipped.
    pub(super) fn restart(&mut self, expected: u8) -> Result<(), Unreadable> {
        while let Some(byte) = self.data.get(self.at) {
            self.at += 1;
            if *byte != 0xff {
                continue;
            }
            match self.data.get(self.at) {
                Some(0 | 0xff) => {}
                Some(marker) if *marker == 0xd0 + expected => {
                    *self = Bits { data: self.data, at: self.at + 1, buffer: 0, count: 0, padding: 0 };
                    return Ok(());
                }
                Some(_) => return Err(Unreadable::corrupt("a restart marker out of turn")),
                None => break,
            }
        }
        Err(Unreadable::truncated("the data ends before a restart marker"))
    }
}

fn ended() -> Unreadable {
    Unreadable::truncated("the data ends within the picture")
}

/// Whether a byte of the word is 0xff.
#[inline(always)]
fn has_ff(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let inverted = !word;
    inverted.wrapping_sub(ONES) & word & (ONES << 7) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_without_stuffing_and_end_at_markers() {
        // Two segments of 40 bytes, 0xff in every seventh.
        let plain: Vec<u8> = (0..40u8).map(|byte| if byte % 7 == 3 { 0xff } else { byte * 5 }).collect();
        let stuffed: Vec<u8> = plain
            .iter()
            .flat_map(|byte| [*byte, 0].into_iter().take(1 + usize::from(*byte == 0xff)))
            .collect();
        let data = [&stuffed[..], &[0xff, 0xd0], &stuffed].concat();
        for size in 1..=16u32 {
            let mut bits = Bits::new(&data);
            for segment in 0..2 {
                for start in (0..plain.len() as u32 * 8 / size).map(|index| index * size) {
                    let bit = |at: u32| u32::from(plain[at as usize / 8] >> (7 - at % 8) & 1);
                    let expected = (start..start + size).fold(0, |sum, at| sum << 1 | bit(at));
                    assert_eq!(bits.take(size), expected, "{size} bits from {start} of segment {segment}");
                    bits.check_end().unwrap();
                }
                let left = plain.len() as u32 * 8 % size;
                bits.take(left);
                bits.check_end().unwrap();
                bits.take(1);
                bits.check_end().unwrap_err();
                if segment == 0 {
                    bits.restart(0).unwrap();
                }
            }
            bits.restart(1).unwrap_err();
        }
    }

    #[test]
    fn numbers_are_signed() {
        let mut bits = Bits::new(&[0b0001_1011, 0b0111_1000]);
        bits.refill(16);
        assert_eq!([0, 1, 1, 2, 2].map(|size| bits.number(size)), [0, -1, -1, -2, 2]);
        // What is left is 11 011 11000: 3, and 3 − 7.
        assert_eq!([2, 3].map(|size| bits.number(size)), [3, -4]);
    }
}

//! Huffman tables, with the common codes looked up at once.

use super::super::super::Unreadable;
use super::bits::Bits;

/// Codes of up to so many bits are looked up.
const FAST: u32 = 10;

/// Bits in which [`Runs`] looks for several codes at once.
const RUN: u32 = 12;

/// A table of codes and what they mean.
pub(super) struct Huffman {
    /// For each beginning of bits the code that it starts with; an empty one where that is longer.
    fast: Box<[Code; 1 << FAST]>,
    /// By length: one more than the largest code, left-aligned in 16 bits; and what is added to a code for the
    /// place of its symbol.
    ends: [(u32, i32); 17],
    symbols: Vec<u8>,
}

/// A code, as the coefficients behind the first use it.
#[derive(Clone, Copy, Default)]
pub(super) struct Code {
    /// Zeros before a coefficient in the upper four bits, its size in the lower.
    pub(super) symbol: u8,
    /// Bits of the code; 0 for no code.
    pub(super) length: u8,
    /// Bits of the code and the coefficient.
    pub(super) total: u8,
    /// Coefficients that are passed; [`Code::END`] where the block ends.
    pub(super) step: u8,
}

impl Code {
    /// More than the coefficients of a block.
    pub(super) const END: u8 = 128;

    fn new(symbol: u8, length: u32) -> Code {
        let (zeros, size) = (symbol >> 4, symbol & 15);
        let step = if size == 0 && zeros != 15 { Code::END } else { zeros + 1 };
        Code { symbol, length: length as u8, total: length as u8 + size, step }
    }
}

impl Huffman {
    /// A table out of the 16 counts of codes by length, and the symbols in their order.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Huffman, Unreadable> {
        let mut fast = Box::new([Code::default(); 1 << FAST]);
        let mut ends = [(0, 0); 17];
        let (mut code, mut place) = (0u32, 0usize);
        for (length, count) in (1..).zip(counts) {
            ends[length as usize].1 = place as i32 - code as i32;
            for _ in 0..*count {
                if code >> length != 0 || place >= symbols.len() {
                    return Err(Unreadable::corrupt("a Huffman table of too many codes"));
                }
                if length <= FAST {
                    let start = (code << (FAST - length)) as usize;
                    fast[start..start + (1 << (FAST - length))].fill(Code::new(symbols[place], length));
                }
                code += 1;
                place += 1;
            }
            ends[length as usize].0 = code << (16 - length);
            code <<= 1;
        }
        Ok(Huffman { fast, ends, symbols: symbols.to_vec() })
    }

    /// The next code, which stays. It and its number, 31 bits at most, can be consumed.
    #[inline(always)]
    pub(super) fn peek(&self, bits: &mut Bits) -> Result<Code, Unreadable> {
        bits.refill(32);
        let code = self.fast[bits.peek(FAST) as usize];
        if code.length != 0 { Ok(code) } else { self.longer(bits.peek(16)) }
    }

    /// The code that these 16 bits start with, if it is longer than those that are looked up.
    #[cold]
    #[inline(never)]
    fn longer(&self, next: u32) -> Result<Code, Unreadable> {
        for length in FAST + 1..=16 {
            let (end, offset) = self.ends[length as usize];
            if next < end {
                let place = (next >> (16 - length)) as i32 + offset;
                let symbol = usize::try_from(place).ok().and_then(|place| self.symbols.get(place));
                return symbol.map(|symbol| Code::new(*symbol, length)).ok_or_else(no_code);
            }
        }
        Err(no_code())
    }

    /// The next symbol.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits) -> Result<u8, Unreadable> {
        let code = self.peek(bits)?;
        bits.consume(u32::from(code.length));
        Ok(code.symbol)
    }

    /// The next difference of first coefficients.
    #[inline(always)]
    pub(super) fn difference(&self, bits: &mut Bits) -> Result<i32, Unreadable> {
        let size = self.symbol(bits)?;
        if size > 11 {
            return Err(Unreadable::corrupt("a first coefficient of too many bits"));
        }
        Ok(bits.number(u32::from(size)))
    }
}

/// For each beginning of bits all codes with their numbers that it holds whole, to pass over several at once.
pub(super) struct Runs(Box<[Run; 1 << RUN]>);

/// Codes one after the other.
#[derive(Clone, Copy, Default)]
struct Run {
    /// Bits of the codes and their numbers.
    bits: u8,
    /// Coefficients that are passed before the last of the codes.
    before: u8,
    /// Coefficients that are passed.
    step: u8,
}

impl Runs {
    pub(super) fn new(table: &Huffman) -> Runs {
        let mut runs = Box::new([Run::default(); 1 << RUN]);
        for (beginning, run) in runs.iter_mut().enumerate() {
            loop {
                let rest = (beginning << run.bits) & ((1 << RUN) - 1);
                let code = table.fast[rest >> (RUN - FAST)];
                let bits = run.bits + code.total;
                // A pass of more than a block is none.
                if code.length == 0 || u32::from(bits) > RUN || run.step >= 64 {
                    break;
                }
                *run = Run { bits, before: run.step, step: run.step + code.step };
            }
        }
        Runs(runs)
    }

    /// Passes over the coefficients from `next` on, to the end of the block; gives where that is.
    #[inline(always)]
    pub(super) fn pass(
        &self,
        table: &Huffman,
        bits: &mut Bits,
        mut next: usize,
    ) -> Result<usize, Unreadable> {
        while next < 64 {
            bits.refill(RUN);
            let run = self.0[bits.peek(RUN) as usize];
            // A code behind the end of the block belongs to the next one.
            if run.bits != 0 && next + usize::from(run.before) < 64 {
                bits.consume(u32::from(run.bits));
                next += usize::from(run.step);
            } else {
                let code = table.peek(bits)?;
                bits.consume(u32::from(code.total));
                next += usize::from(code.step);
            }
        }
        Ok(next)
    }
}

fn no_code() -> Unreadable {
    Unreadable::corrupt("bits that are no Huffman code")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_all_lengths_are_found() {
        // One code of each length but two of the last: 0, 10, 110, … and the code of ones, which is left out.
        let mut counts = [1; 16];
        counts[15] = 1;
        let symbols: Vec<u8> = (0..16).map(|index| index * 17).collect();
        let table = Huffman::new(&counts, &symbols).unwrap();
        for (index, symbol) in symbols.iter().enumerate() {
            let word = (!(u32::MAX >> index)).to_be_bytes();
            let stuffed: Vec<u8> = word
                .iter()
                .flat_map(|byte| if *byte == 0xff { vec![0xff, 0] } else { vec![*byte] })
                .collect();
            let mut bits = Bits::new(&stuffed);
            assert_eq!(table.symbol(&mut bits).unwrap(), *symbol);
            assert_eq!(bits.take(1), 0, "behind {} ones and a zero", index);
        }
        let ones = [0xff, 0].repeat(4);
        assert!(table.symbol(&mut Bits::new(&ones)).is_err());
    }

    #[test]
    fn impossible_tables_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Huffman::new(&counts, &[1, 2, 3]).is_err());
        counts[0] = 2;
        assert!(Huffman::new(&counts, &[1]).is_err());
        assert!(Huffman::new(&counts, &[1, 2]).is_ok());
    }
}

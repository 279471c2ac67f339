//! What this processor can do at most: loops that do nothing but one thing, so that the speed of a kernel can be stated as
//! a share of the machine's limit. Whoever calls them holds the watch.
//!
//! An arithmetic loop has more independent sums than the latency of its instruction times the instructions a cycle
//! needs, and neither loads nor stores. Sums and factors are hidden from the optimiser, which can drop or hoist none of it.

#[cfg(target_arch = "x86_64")]
use crate::arch::{amx, avx2, avx512};
use crate::isa::{Isa, Level};
use std::hint::black_box;

/// The arithmetic that a limit holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// Products of f32 values, added in f32.
    Float,
    /// Products of 8-bit values (in registers as such, or widened to 16 bits), added in i32.
    Byte,
}

/// A loop of multiply-adds at full speed, for one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    isa: Isa,
    arithmetic: Arithmetic,
    instruction: &'static str,
    bits: u32,
    /// Sums that a pass of the loop adds to; a product and an addition each.
    sums: u64,
    run: fn(Isa, u64),
}

impl Peak {
    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The arithmetic.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    /// What does the work, by its name in the instruction set.
    pub fn instruction(&self) -> &'static str {
        self.instruction
    }

    /// Width of the vectors or tiles in bits; 0 where the compiler has the choice.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Makes that many passes, and returns the multiplications and additions that it did.
    pub fn run(&self, passes: u64) -> u64 {
        (self.run)(self.isa, passes);
        passes * self.sums * 2
    }
}

/// The loops of all instruction sets that this processor and this crate share, the plainest first.
pub fn peaks() -> Vec<Peak> {
    Isa::available().into_iter().flat_map(peaks_of).collect()
}

/// The fastest loop of that arithmetic among the instruction sets that `isa` includes, if there is one.
pub fn peak(isa: Isa, arithmetic: Arithmetic) -> Option<Peak> {
    peaks_of(isa).into_iter().filter(|peak| peak.arithmetic == arithmetic).max_by_key(|peak| peak.bits)
}

fn peaks_of(isa: Isa) -> Vec<Peak> {
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "only AMX adds one"))]
    let mut peaks = peaks_of_vectors(isa);
    #[cfg(target_arch = "x86_64")]
    if isa.has_tiles() {
        peaks.push(Peak {
            isa,
            arithmetic: Arithmetic::Byte,
            instruction: "tdpbusd",
            bits: 8192,
            sums: amx::peak::BYTE_PRODUCTS,
            run: amx::peak::byte,
        });
    }
    peaks
}

fn peaks_of_vectors(isa: Isa) -> Vec<Peak> {
    match isa.level() {
        Level::Scalar | Level::Neon => vec![Peak {
            isa,
            arithmetic: Arithmetic::Float,
            instruction: "a * b + c",
            bits: 0,
            sums: PLAIN_SUMS as u64,
            run: |_, passes| plain_float(passes),
        }],
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => vec![
            Peak {
                isa,
                arithmetic: Arithmetic::Float,
                instruction: "vfmadd231ps",
                bits: 256,
                sums: avx2::peak::FLOAT_SUMS,
                run: avx2::peak::float,
            },
            Peak {
                isa,
                arithmetic: Arithmetic::Byte,
                instruction: "vpmaddwd + vpaddd",
                bits: 256,
                sums: avx2::peak::WORD_PRODUCTS,
                run: avx2::peak::word,
            },
        ],
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => vec![
            Peak {
                isa,
                arithmetic: Arithmetic::Float,
                instruction: "vfmadd231ps",
                bits: 512,
                sums: avx512::peak::FLOAT_SUMS,
                run: avx512::peak::float,
            },
            Peak {
                isa,
                arithmetic: Arithmetic::Byte,
                instruction: "vpdpbusd",
                bits: 256,
                sums: avx512::peak::BYTE_PRODUCTS_256,
                run: avx512::peak::byte_256,
            },
            Peak {
                isa,
                arithmetic: Arithmetic::Byte,
                instruction: "vpdpbusd",
                bits: 512,
                sums: avx512::peak::BYTE_PRODUCTS_512,
                run: avx512::peak::byte_512,
            },
        ],
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2 | Level::Avx512 => Vec::new(),
    }
}

/// Additions in a pass of [`chain`].
const CHAINED: u64 = 32;

/// Makes that many passes over operations that each wait for the one before, a cycle each on every processor of the last
/// decades; returns how many there were. Divided by the seconds that is the clock.
pub fn chain(passes: u64) -> u64 {
    // Factors in registers: some processors add small constants without spending a cycle.
    let (add, flip) = (black_box(0x9E37_79B9_u64), black_box(0x5555_5555_u64));
    let mut value = black_box(1_u64);
    for _ in 0..passes {
        for _ in 0..CHAINED / 2 {
            // Two kinds in turn, which have no closed form that a compiler could use instead.
            value = value.wrapping_add(add) ^ flip;
        }
    }
    black_box(value);
    passes * CHAINED
}

/// Reads all of the values once, with the widest loads of the instruction set.
pub fn read(isa: Isa, values: &[f32]) {
    let folded = match isa.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::peak::read(isa, values),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::peak::read(isa, values),
        _ => plain_read(values),
    };
    black_box(folded);
}

/// Enough for two 128-bit multiplications and additions a cycle, whose latencies add up to eight.
const PLAIN_SUMS: usize = 64;

/// As the compiler makes it for the plainest processor of the platform.
fn plain_float(passes: u64) {
    let (factor, add) = (black_box(0.5_f32), black_box(0.25_f32));
    let mut sums: [f32; PLAIN_SUMS] = black_box([0.0; PLAIN_SUMS]);
    for _ in 0..passes {
        for sum in &mut sums {
            *sum = *sum * factor + add;
        }
    }
    black_box(sums);
}

/// All bits of all values, folded into one word.
fn plain_read(values: &[f32]) -> u32 {
    const LANES: usize = 32;
    let mut lanes = [0_u32; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder().iter().fold(0, |folded, value| folded ^ value.to_bits());
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane ^= value.to_bits();
        }
    }
    lanes.into_iter().fold(rest, |folded, lane| folded ^ lane)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// The fastest of several tries, in operations a second.
    fn rate(run: impl Fn(u64) -> u64, passes: u64) -> f64 {
        let once = |_| {
            let start = Instant::now();
            run(passes) as f64 / start.elapsed().as_secs_f64()
        };
        (0..5).map(once).fold(0.0, f64::max)
    }

    /// A loop that the optimiser dropped would do more than any processor can.
    #[test]
    fn no_loop_is_optimised_away() {
        let mut failures = Vec::new();
        let clock = rate(chain, 20_000);
        if !(1e8..1e10).contains(&clock) {
            failures.push(format!("chain: {clock:.2e} additions a second"));
        }
        for peak in peaks() {
            // No processor does more than four vectors of 1,024 bits a cycle; nor, in tiles, four times what the first ones did.
            let products = if peak.bits() > 1024 { 4.0 * 1024.0 } else { 4.0 * 1024.0 / 8.0 };
            let possible = clock * products * 2.0;
            let found = rate(|passes| peak.run(passes), 20_000);
            if !(clock / 100.0..possible).contains(&found) {
                failures.push(format!("{} {}: {found:.2e}", peak.isa().name(), peak.instruction()));
            }
        }
        assert!(failures.is_empty(), "at a clock of {clock:.2e}:\n{}", failures.join("\n"));
    }

    #[test]
    fn every_value_is_read() {
        let mut failures = Vec::new();
        for len in [0, 1, 7, 8, 31, 32, 64, 127, 128, 129, 300] {
            let mut values: Vec<f32> = (0..len).map(|at| at as f32).collect();
            let before = plain_read(&values);
            for at in 0..len {
                values[at] = -values[at];
                for isa in Isa::available() {
                    let found = match isa.level() {
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx2 => avx2::peak::read(isa, &values),
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx512 => avx512::peak::read(isa, &values),
                        _ => plain_read(&values),
                    };
                    if found != before ^ 1 << 31 {
                        failures.push(format!("{}: value {at} of {len}", isa.name()));
                    }
                }
                values[at] = -values[at];
            }
        }
        assert!(failures.is_empty(), "not read:\n{}", failures.join("\n"));
    }

    #[test]
    fn each_set_has_its_own_loops() {
        for isa in Isa::available() {
            assert!(peak(isa, Arithmetic::Float).is_some_and(|peak| peak.isa() == isa), "{}", isa.name());
        }
        let widest =
            |name| Isa::named(name).and_then(|isa| peak(isa, Arithmetic::Byte)).map(|peak| peak.bits());
        assert!(widest("avx512").is_none_or(|bits| bits == 512));
        assert!(widest("avx2").is_none_or(|bits| bits == 256));
    }
}

//! The instruction set that a kernel may use, as a value that exists only where the processor has it.

/// An instruction set that this processor supports.
///
/// Values are made by [`Isa::best`], [`Isa::available`] and [`Isa::named`] only, each of which asks the
/// processor, so holding one proves that its instructions can be executed. Safe wrappers rely on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa {
    level: Level,
    /// AMX beside AVX-512.
    tiles: bool,
}

/// The instruction sets for which this crate has kernels, from the plainest to the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Plain loops: the specification of every operation.
    Scalar,
    /// x86-64 with AVX2 and FMA (256-bit vectors).
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI (512-bit vectors, sums of four products of bytes), beside AVX2 and FMA.
    Avx512,
    /// 64-bit Arm with NEON (128-bit vectors).
    Neon,
}

impl Level {
    const ALL: [Level; 4] = [Level::Scalar, Level::Avx2, Level::Avx512, Level::Neon];

    /// The name of the set alone.
    pub fn name(self) -> &'static str {
        match self {
            Level::Scalar => "scalar",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Neon => "neon",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_supported(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        match self {
            Level::Scalar => true,
            Level::Avx2 => has!("avx2") && has!("fma"),
            Level::Avx512 => {
                Level::Avx2.is_supported()
                    && has!("avx512f")
                    && has!("avx512bw")
                    && has!("avx512dq")
                    && has!("avx512vl")
                    && has!("avx512vnni")
            }
            Level::Neon => false,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn is_supported(self) -> bool {
        match self {
            Level::Scalar => true,
            Level::Avx2 | Level::Avx512 => false,
            Level::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_supported(self) -> bool {
        self == Level::Scalar
    }
}

impl Isa {
    /// Plain loops, available everywhere.
    pub const SCALAR: Isa = Isa::of(Level::Scalar);

    const fn of(level: Level) -> Isa {
        Isa { level, tiles: false }
    }

    /// The fastest instruction set that this processor and this crate share.
    pub fn best() -> Isa {
        Isa::available().last().copied().unwrap_or(Isa::SCALAR)
    }

    /// All instruction sets that this processor and this crate share, the plainest first.
    pub fn available() -> Vec<Isa> {
        let mut all: Vec<Isa> =
            Level::ALL.into_iter().filter(|level| level.is_supported()).map(Isa::of).collect();
        #[cfg(target_arch = "x86_64")]
        if Level::Avx512.is_supported() && crate::arch::amx::is_supported() {
            all.push(Isa { level: Level::Avx512, tiles: true });
        }
        all
    }

    /// The instruction set of that name (`scalar`, `avx2`, `avx512`, `amx`, `neon`), or `None` if the name is unknown or the
    /// processor lacks it.
    pub fn named(name: &str) -> Option<Isa> {
        Isa::available().into_iter().find(|isa| isa.name() == name)
    }

    /// The name by which [`Isa::named`] finds it.
    pub fn name(self) -> &'static str {
        if self.tiles { "amx" } else { self.level.name() }
    }

    /// Whether the instructions of that level may be used: its own, or those that it builds upon.
    pub fn includes(self, level: Level) -> bool {
        self.level == level || level == Level::Scalar || (self.level, level) == (Level::Avx512, Level::Avx2)
    }

    /// Which of the vector instruction sets it is, for dispatch.
    pub fn level(self) -> Level {
        self.level
    }

    /// Whether it has AMX's products of tiles of bytes beside AVX-512.
    pub fn has_tiles(self) -> bool {
        self.tiles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_set_is_found_by_its_name() {
        assert_eq!(Isa::available().first(), Some(&Isa::SCALAR));
        for isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Some(isa));
        }
        assert_eq!(Isa::named("quantum"), None);
    }

    /// `TOPWORK_TEST_ISA=avx2` makes the whole suite fail where that set is missing, so that no path goes
    /// untested without a word.
    #[test]
    fn wanted_set_is_there() {
        if let Ok(wanted) = std::env::var("TOPWORK_TEST_ISA") {
            assert!(
                Isa::named(&wanted).is_some(),
                "TOPWORK_TEST_ISA={wanted}: not available on this processor"
            );
        }
    }
}

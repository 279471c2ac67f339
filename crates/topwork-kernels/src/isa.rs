//! The instruction set that a kernel may use, as a value that exists only where the processor has it.

/// An instruction set that this processor supports.
///
/// Values are made by [`Isa::best`], [`Isa::available`] and [`Isa::named`] only, each of which asks the
/// processor, so holding one proves that its instructions can be executed. Safe wrappers rely on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa(Level);

/// The instruction sets for which this crate has kernels, from the plainest to the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Plain loops: the specification of every operation.
    Scalar,
    /// x86-64 with AVX2 and FMA (256-bit vectors).
    Avx2,
}

impl Level {
    const ALL: [Level; 2] = [Level::Scalar, Level::Avx2];

    fn name(self) -> &'static str {
        match self {
            Level::Scalar => "scalar",
            Level::Avx2 => "avx2",
        }
    }

    fn is_supported(self) -> bool {
        match self {
            Level::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => {
                std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 => false,
        }
    }
}

impl Isa {
    /// Plain loops, available everywhere.
    pub const SCALAR: Isa = Isa(Level::Scalar);

    /// The fastest instruction set that this processor and this crate share.
    pub fn best() -> Isa {
        Isa::available().last().copied().unwrap_or(Isa::SCALAR)
    }

    /// All instruction sets that this processor and this crate share, the plainest first.
    pub fn available() -> Vec<Isa> {
        Level::ALL.into_iter().filter(|level| level.is_supported()).map(Isa).collect()
    }

    /// The instruction set of that name (`scalar`, `avx2`), or `None` if the name is unknown or the
    /// processor lacks it.
    pub fn named(name: &str) -> Option<Isa> {
        Isa::available().into_iter().find(|isa| isa.name() == name)
    }

    /// The name by which [`Isa::named`] finds it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Which of the instruction sets it is, for dispatch.
    pub fn level(self) -> Level {
        self.0
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

//! The arithmetic of a network.

use serde::{Deserialize, Serialize};

/// In which arithmetic a network is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floating point: the reference. The last bits depend on the instruction set.
    F32,
    /// Bytes with exact sums: several times faster, and the same bits on every machine.
    #[default]
    Int8,
}

impl Precision {
    /// Both, the default first.
    pub const ALL: [Precision; 2] = [Precision::Int8, Precision::F32];

    /// `int8` or `f32`.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
        }
    }
}

//! What AMX can do at most: one `tdpbusd` every 16 cycles, each with 16 x 16 sums of 64 products.

use std::arch::asm;

use super::{Configured, LINE, ROWS};
use crate::isa::Isa;

/// Tiles of sums that hide the latency of 52 cycles.
const TILES: u64 = 6;

/// Products in a pass of [`byte`].
pub(crate) const BYTE_PRODUCTS: u64 = TILES * (ROWS * ROWS * LINE) as u64;

/// Multiply-adds of bytes.
pub(crate) fn byte(isa: Isa, passes: u64) {
    assert!(isa.has_tiles(), "not an AMX processor");
    // SAFETY: the assertion above.
    let _configured = unsafe { Configured::new() };
    for _ in 0..passes {
        // SAFETY: the assertion above; only tiles change, which hold zeros since they were configured.
        unsafe {
            asm!(
                "tdpbusd tmm0, tmm6, tmm7",
                "tdpbusd tmm1, tmm6, tmm7",
                "tdpbusd tmm2, tmm6, tmm7",
                "tdpbusd tmm3, tmm6, tmm7",
                "tdpbusd tmm4, tmm6, tmm7",
                "tdpbusd tmm5, tmm6, tmm7",
                options(nostack, nomem, preserves_flags),
            );
        }
    }
}

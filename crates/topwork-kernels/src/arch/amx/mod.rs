//! AMX beside AVX-512: tiles of 16 rows of 64 bytes, of which one instruction multiplies two and adds the products to a third.
//! Everything that is not a matrix product of bytes is AVX-512's.
//!
//! The instructions are written in assembly: the language has no stable intrinsics for them. Compilers use no tile of
//! their own accord, so tiles and their configuration keep their values between two pieces of assembly.

pub(crate) mod int8_matrix;
pub(crate) mod peak;

use std::arch::asm;

/// Rows of a tile.
const ROWS: usize = 16;

/// Bytes of a row of a tile.
const LINE: usize = 64;

/// Whether the processor has tiles with products of bytes, and the system saves them for this process.
pub(crate) fn is_supported() -> bool {
    use std::sync::OnceLock;
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| has_tiles() && is_permitted())
}

fn has_tiles() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const TILE: u32 = 1 << 24;
    const INT8: u32 = 1 << 25;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (TILE | INT8) == TILE | INT8
}

/// Asks Linux for the registers, which are larger than what a thread has by default (`Documentation/arch/x86/xstate.rst`). It
/// answers with an error where it does not know them.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XTILEDATA: i64 = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: the system call takes two numbers and no memory, and changes nothing but what this process may use.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Other systems have other ways, which are not tried.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// All eight tiles as 16 rows of 64 bytes, as `ldtilecfg` reads it: palette, 15 bytes, bytes a row of 16 tiles, rows of 16 tiles.
#[repr(C, align(64))]
struct Configuration([u8; 64]);

impl Configuration {
    const fn whole() -> Configuration {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            bytes[16 + 2 * tile] = LINE as u8;
            bytes[48 + tile] = ROWS as u8;
            tile += 1;
        }
        Configuration(bytes)
    }
}

/// Tiles are configured as long as it lives.
struct Configured;

impl Configured {
    /// # Safety
    /// The processor and the system support tiles.
    unsafe fn new() -> Configured {
        static WHOLE: Configuration = Configuration::whole();
        // SAFETY: reads the 64 bytes of the configuration; the caller vouches for the instruction.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE.0, options(nostack, readonly, preserves_flags))
        };
        Configured
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        // SAFETY: whoever made this vouched for the instructions; no tile is in use any more.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    }
}

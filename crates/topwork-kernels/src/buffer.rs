//! f32 storage that begins on a cache line, so that vector loads and stores do not straddle two lines.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;

/// A fixed number of f32 values, the first at an address divisible by 64.
#[derive(Debug, Default)]
pub struct Buffer {
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// That many zeros.
    pub fn zeros(len: usize) -> Buffer {
        let storage = vec![0.0; len + LINE / size_of::<f32>()];
        // `align_offset` may decline to answer; then only speed suffers.
        let start = storage.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
        Buffer { storage, start, len }
    }

    /// Those values.
    pub fn copy_of(values: &[f32]) -> Buffer {
        let mut buffer = Buffer::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

//! Storage that begins on a cache line, so that vector loads and stores do not straddle two lines.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;

/// A fixed number of values, the first at an address divisible by 64.
#[derive(Debug, Default)]
pub struct Buffer<T> {
    storage: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Buffer<T> {
    /// That many zeros.
    pub fn zeros(len: usize) -> Buffer<T> {
        let storage = vec![T::default(); len + LINE / size_of::<T>()];
        // `align_offset` may decline to answer; then only speed suffers.
        let start = storage.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Buffer { storage, start, len }
    }

    /// Those values.
    pub fn copy_of(values: &[T]) -> Buffer<T> {
        let mut buffer = Buffer::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

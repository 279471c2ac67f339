//! Vectors of four sums of two products each, in plain loops.

/// Four pairs of words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pairs([[i16; 2]; 4]);

/// Four sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums([i32; 4]);

impl Pairs {
    pub(crate) fn new(pairs: [[i16; 2]; 4]) -> Pairs {
        Pairs(pairs)
    }
}

impl Sums {
    pub(crate) fn new(values: [i32; 4]) -> Sums {
        Sums(values)
    }

    /// Adds the two products of each pair.
    #[inline(always)]
    pub(crate) fn add_products(&mut self, left: Pairs, right: Pairs) {
        for (sum, (left, right)) in self.0.iter_mut().zip(left.0.iter().zip(right.0)) {
            *sum += i32::from(left[0]) * i32::from(right[0]) + i32::from(left[1]) * i32::from(right[1]);
        }
    }

    pub(crate) fn values(self) -> [i32; 4] {
        self.0
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::int8::portable;

    /// The plain loops run where neither SSE2 nor NEON is; here they are compared with those.
    #[test]
    fn products_are_those_of_the_vectors() {
        let bounds = [i16::from(i8::MIN), -1, 0, 1, i16::from(i8::MAX), i16::from(u8::MAX)];
        for (index, value) in bounds.iter().copied().cycle().take(36).enumerate() {
            let other = bounds[index / bounds.len()];
            let (left, right) = ([[value, other], [other, 3], [-7, value], [255, 255]], [[other, value]; 4]);
            let start = [0, 5, -123_456_789, 123_456_789];
            let mut expected = portable::Sums::new(start);
            expected.add_products(portable::Pairs::new(left), portable::Pairs::new(right));
            let mut found = Sums::new(start);
            found.add_products(Pairs::new(left), Pairs::new(right));
            assert_eq!(found.values(), expected.values(), "{left:?} times {right:?}");
        }
    }
}

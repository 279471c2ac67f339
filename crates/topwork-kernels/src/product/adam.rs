//! A step of Adam in the same pass that computes the gradient, which so never goes through memory.

use super::Matrix;
use super::tile::{Destination, Left, Right, Size, product};
use super::vector::Vector;
use crate::Isa;

/// The numbers of one step: with the gradient g of a value w,
/// `m += (g − m) · mean_share`, `v += (g · g − v) · square_share`, `w −= m · rate / (√v · scale + epsilon)`,
/// each operation rounded to f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// 1 − β₁.
    pub mean_share: f32,
    /// 1 − β₂.
    pub square_share: f32,
    /// The learning rate with whatever corrects it.
    pub rate: f32,
    /// What √v is multiplied by.
    pub scale: f32,
    /// What keeps the division safe.
    pub epsilon: f32,
}

/// Values that are learned, with the running means of their gradients and of the squares of those, I x U each.
#[derive(Debug)]
pub struct Learned<'a> {
    /// w.
    pub values: &'a mut [f32],
    /// m.
    pub means: &'a mut [f32],
    /// v.
    pub squares: &'a mut [f32],
}

/// One step for an I x U matrix whose gradient is `leftᵀ · right`, the transposed N x I times N x U.
///
/// # Panics
/// If the sizes do not agree.
pub fn descend(isa: Isa, left: Matrix, right: Matrix, step: &AdamStep, learned: Learned) {
    let size = Size { rows: left.columns, columns: right.columns, depth: right.rows };
    assert_eq!(left.rows, right.rows, "factors of {} and {} rows", left.rows, right.rows);
    let Learned { values, means, squares } = learned;
    for found in [values.len(), means.len(), squares.len()] {
        assert_eq!(found, size.rows * size.columns, "{found} values for {} x {}", size.rows, size.columns);
    }
    let to = Descent {
        values: values.as_mut_ptr(),
        means: means.as_mut_ptr(),
        squares: squares.as_mut_ptr(),
        columns: size.columns,
        step: *step,
    };
    let (left, right) = (
        Left::<true> { values: left.values.as_ptr(), stride: left.stride },
        Right { values: right.values.as_ptr(), stride: right.stride },
    );
    // SAFETY: a `Matrix` holds as many values as it says, and the sizes agree.
    unsafe { product(isa, left, right, size, &to) }
}

struct Descent {
    values: *mut f32,
    means: *mut f32,
    squares: *mut f32,
    columns: usize,
    step: AdamStep,
}

impl Destination for Descent {
    #[inline(always)]
    unsafe fn begin<V: Vector, const R: usize, const C: usize>(&self, _: usize, _: usize) -> [[V; C]; R] {
        // SAFETY: the caller's promise: the processor has the instructions.
        [[unsafe { V::all(0.0) }; C]; R]
    }

    #[inline(always)]
    unsafe fn end<V: Vector, const R: usize, const C: usize>(
        &self,
        row: usize,
        column: usize,
        sums: [[V; C]; R],
    ) {
        for (down, sums) in sums.into_iter().enumerate() {
            for (vector, gradient) in sums.into_iter().enumerate() {
                let at = (row + down) * self.columns + column + vector * V::LANES;
                // SAFETY: the caller's promise: the processor has the instructions, and all of these places exist.
                unsafe {
                    let (value, mean, square) =
                        (self.values.add(at), self.means.add(at), self.squares.add(at));
                    let step = &self.step;
                    let m = V::load(mean);
                    let m = m.add(gradient.sub(m).mul(V::all(step.mean_share)));
                    m.store(mean);
                    let v = V::load(square);
                    let v = v.add(gradient.mul(gradient).sub(v).mul(V::all(step.square_share)));
                    v.store(square);
                    let below = v.sqrt().mul(V::all(step.scale)).add(V::all(step.epsilon));
                    V::load(value).sub(m.mul(V::all(step.rate)).div(below)).store(value);
                }
            }
        }
    }
}

//! The memory of L-BFGS: what the last steps taught about the curvature, as a direction to go next.

/// A sum of products in eight lanes, so that it is fast and its order is fixed.
pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let (left, left_rest) = left.as_chunks::<8>();
    let (right, right_rest) = right.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..8 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    for (lane, (left, right)) in left_rest.iter().zip(right_rest).enumerate() {
        lanes[lane] += left * right;
    }
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// `target += factor · addend`
pub(crate) fn add_scaled(target: &mut [f64], factor: f64, addend: &[f64]) {
    for (target, addend) in target.iter_mut().zip(addend) {
        *target += factor * addend;
    }
}

/// Steps and changes of the gradient, the newest last (Nocedal and Wright, Numerical Optimization, 2nd edition,
/// algorithm 7.4), above a diagonal first guess of the curvature.
pub(crate) struct Memory {
    pairs: Vec<Pair>,
    capacity: usize,
    /// The first guess of the inverse Hessian's diagonal.
    inverse_diagonal: Vec<f64>,
    scale: f64,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// step · change
    product: f64,
}

impl Memory {
    /// Thirty steps save a third of the iterations that ten need on the features of 1,700 photos; where there are
    /// many coordinates, fewer are kept, so that the memory stays within some tens of megabytes.
    pub(crate) fn new(inverse_diagonal: Vec<f64>) -> Memory {
        let capacity = (1_000_000 / inverse_diagonal.len().max(1)).clamp(10, 30);
        Memory { pairs: Vec::new(), capacity, inverse_diagonal, scale: 1.0 }
    }

    /// Forgets the steps, not the diagonal.
    pub(crate) fn clear(&mut self) {
        self.pairs.clear();
        self.scale = 1.0;
    }

    /// Adapts what was learned to a loss that counts `factor` times as much beside the same penalty ½‖·‖² on the
    /// first `penalised` coordinates: the change of the gradient that a step made was linear in both.
    pub(crate) fn scale_loss(&mut self, factor: f64, penalised: usize, inverse_diagonal: Vec<f64>) {
        self.inverse_diagonal = inverse_diagonal;
        for pair in &mut self.pairs {
            for (index, (change, step)) in pair.change.iter_mut().zip(&pair.step).enumerate() {
                let penalty = if index < penalised { *step } else { 0.0 };
                *change = factor * (*change - penalty) + penalty;
            }
            pair.product = dot(&pair.step, &pair.change);
        }
        self.pairs.retain(|pair| pair.product > 0.0);
        self.rescale();
    }

    /// Learns from a step; a step that shows no positive curvature (rounding) teaches nothing.
    pub(crate) fn learn(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let product = dot(&step, &change);
        let least = 1e-14 * (dot(&step, &step) * dot(&change, &change)).sqrt();
        if product <= least || !product.is_finite() {
            return;
        }
        if self.pairs.len() == self.capacity {
            self.pairs.remove(0);
        }
        self.pairs.push(Pair { step, change, product });
        self.rescale();
    }

    /// Fits the diagonal's scale to the newest step.
    fn rescale(&mut self) {
        self.scale = self.pairs.last().map_or(1.0, |pair| {
            let scaled: Vec<f64> =
                pair.change.iter().zip(&self.inverse_diagonal).map(|(y, d)| y * d).collect();
            pair.product / dot(&pair.change, &scaled)
        });
    }

    /// The direction −H⁻¹ · gradient, as far as the memory knows H.
    pub(crate) fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|value| -value).collect();
        let mut factors = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let factor = dot(&pair.step, &direction) / pair.product;
            add_scaled(&mut direction, -factor, &pair.change);
            factors.push(factor);
        }
        for (value, diagonal) in direction.iter_mut().zip(&self.inverse_diagonal) {
            *value *= self.scale * diagonal;
        }
        for (pair, factor) in self.pairs.iter().zip(factors.into_iter().rev()) {
            let other = dot(&pair.change, &direction) / pair.product;
            add_scaled(&mut direction, factor - other, &pair.step);
        }
        direction
    }
}

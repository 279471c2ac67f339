//! How far a share of `n` photos can be trusted. Pure arithmetic on two counts.

use serde::{Deserialize, Serialize};

/// The two-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.959963984540054;

/// The range in which the true share lies, at that level of confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end, a share.
    pub low: f64,
    /// Upper end, a share.
    pub high: f64,
    /// Confidence: .95.
    pub level: f64,
}

/// The Wilson score interval (E. B. Wilson 1927; `scipy.stats.binomtest(...).proportion_ci(method="wilson")`), 95 %.
/// `None` without photos.
pub fn wilson(successes: u64, n: u64) -> Option<Interval> {
    if n == 0 || successes > n {
        return None;
    }
    let (count, share, square) = (n as f64, successes as f64 / n as f64, Z_95 * Z_95);
    let middle = (share + square / (2.0 * count)) / (1.0 + square / count);
    let half = Z_95 / (1.0 + square / count)
        * (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    // Rounding must not put a bound on the wrong side of a share that was counted exactly.
    let low = if successes == 0 { 0.0 } else { middle - half };
    let high = if successes == n { 1.0 } else { middle + half };
    Some(Interval { low, high, level: 0.95 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_stay_within_zero_and_one() {
        for n in [1, 2, 10, 1000, 1_000_000] {
            let none = wilson(0, n).expect("n > 0");
            let all = wilson(n, n).expect("n > 0");
            assert_eq!(none.low, 0.0, "0 of {n}");
            assert_eq!(all.high, 1.0, "{n} of {n}");
            assert!(none.high > 0.0 && none.high < 1.0 && all.low > 0.0 && all.low < 1.0, "n = {n}");
        }
        assert_eq!(wilson(0, 0), None);
    }
}

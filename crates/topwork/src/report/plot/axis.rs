//! Round numbers for an axis.

/// Ticks at round distances (1, 2 or 5 times a power of ten) that enclose `low..=high`, about `wanted` of them. What is
/// not finite, or empty, gives 0 to 1.
pub(crate) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let (low, high) =
        if low.is_finite() && high.is_finite() && low < high { (low, high) } else { widened(low) };
    let rough = (high - low) / wanted.max(1) as f64;
    let power = libm::pow(10.0, rough.log10().floor());
    let distance =
        [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough * 0.999);
    let distance = distance.unwrap_or(10.0 * power);
    let (first, last) = ((low / distance + 1e-9).floor(), (high / distance - 1e-9).ceil());
    // Ten times the wanted number cannot be reached; the bound keeps a defect from filling the memory.
    let count = ((last - first) as usize).min(10 * wanted.max(1));
    (0..=count).map(|at| (first + at as f64) * distance).collect()
}

/// A range around a single value that starts at zero.
fn widened(value: f64) -> (f64, f64) {
    if value.is_finite() && value != 0.0 { (value.min(0.0), value.max(0.0)) } else { (0.0, 1.0) }
}

/// The text of each tick, with as many decimals as their distance asks for.
pub(crate) fn labels(ticks: &[f64]) -> Vec<String> {
    let distance = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let decimals =
        if distance.is_finite() { (-(distance * 1.001).log10().floor()).clamp(0.0, 12.0) } else { 0.0 };
    ticks.iter().map(|tick| format!("{:.*}", decimals as usize, tick + 0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        for ((low, high), expected) in [
            ((0.0, 1.0), "0.0 0.2 0.4 0.6 0.8 1.0"),
            ((0.0, 0.68), "0.0 0.2 0.4 0.6 0.8"),
            ((0.912, 0.991), "0.90 0.92 0.94 0.96 0.98 1.00"),
            ((1.0, 20.0), "0 5 10 15 20"),
            ((0.0, 0.0), "0.0 0.2 0.4 0.6 0.8 1.0"),
            ((3.0, 3.0), "0 1 2 3"),
            ((f64::NAN, 1.0), "0.0 0.2 0.4 0.6 0.8 1.0"),
            ((0.0, 3e-7), "0.0000000 0.0000001 0.0000002 0.0000003"),
        ] {
            assert_eq!(labels(&ticks(low, high, 5)).join(" "), expected, "{low} to {high}");
        }
    }
}

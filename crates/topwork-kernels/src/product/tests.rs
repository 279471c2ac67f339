//! Every instruction set against plain loops, bit for bit.

use super::*;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Nothing, one, just below and above every vector and tile, beyond two tiles.
const ROWS: [usize; 10] = [0, 1, 2, 4, 5, 7, 12, 13, 26, 40];
const COLUMNS: [usize; 12] = [0, 1, 3, 4, 9, 16, 17, 31, 32, 33, 48, 71];
const DEPTHS: [usize; 4] = [0, 1, 3, 40];

/// The contract, written as plainly as it can be.
fn plain(left: impl Fn(usize, usize) -> f32, right: &[f32], n: usize, k: usize, out: &mut [f32]) {
    for (row, out) in out.chunks_exact_mut(n.max(1)).enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            for inner in 0..k {
                *out += left(row, inner) * right[inner * n + column];
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_bits_of_the_contract() {
    let mut failures = Vec::new();
    for (m, n, k) in
        ROWS.iter().flat_map(|m| COLUMNS.map(|n| (*m, n))).flat_map(|(m, n)| DEPTHS.map(|k| (m, n, k)))
    {
        let (left, right, start) = (numbers(m * k, 1), numbers(k * n, 2), numbers(m * n, 3));
        let mut wanted = start.clone();
        plain(|row, inner| left[row * k + inner], &right, n, k, &mut wanted);
        let transposed: Vec<f32> = (0..k * m).map(|at| left[at % m * k + at / m]).collect();
        for isa in Isa::available() {
            let mut found = start.clone();
            let right = Matrix::new(&right, k, n, n);
            add_product(isa, Matrix::new(&left, m, k, k), right, MatrixMut::new(&mut found, m, n, n));
            let mut again = start.clone();
            add_transposed_product(
                isa,
                Matrix::new(&transposed, k, m, m),
                right,
                MatrixMut::new(&mut again, m, n, n),
            );
            for (what, found) in [("as it is", found), ("transposed", again)] {
                if bits(&found) != bits(&wanted) {
                    failures.push(format!("{m} x {k} x {n} {what} {}", isa.name()));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Blocks of a larger matrix: what lies between them stays as it is, and cutting the inner dimension changes nothing.
#[test]
fn blocks_give_the_bits_of_the_whole() {
    let (m, n, k) = (23, 45, 50);
    let (left, right, start) = (numbers(m * k, 1), numbers(k * n, 2), numbers(m * n, 3));
    let mut wanted = start.clone();
    plain(|row, inner| left[row * k + inner], &right, n, k, &mut wanted);
    for isa in Isa::available() {
        let mut found = start.clone();
        for inner in [0..17, 17..50] {
            for columns in [0..33, 33..45] {
                let left = Matrix::new(&left[inner.start..], m, inner.len(), k);
                let right =
                    Matrix::new(&right[inner.start * n + columns.start..], inner.len(), columns.len(), n);
                let out = MatrixMut::new(&mut found[columns.start..], m, columns.len(), n);
                add_product(isa, left, right, out);
            }
        }
        assert_eq!(bits(&found), bits(&wanted), "{}", isa.name());
    }
}

#[test]
fn every_instruction_set_descends_alike() {
    let step = AdamStep { mean_share: 0.1, square_share: 0.001, rate: 0.02, scale: 1.5, epsilon: 1e-7 };
    let mut failures = Vec::new();
    for (i, u, n) in
        ROWS.iter().flat_map(|i| COLUMNS.map(|u| (*i, u))).flat_map(|(i, u)| DEPTHS.map(|n| (i, u, n)))
    {
        let (left, right) = (numbers(n * i, 1), numbers(n * u, 2));
        let start = [numbers(i * u, 3), numbers(i * u, 4), numbers(i * u, 5).iter().map(|v| v * v).collect()];
        let mut gradient = vec![0.0; i * u];
        plain(|row, inner| left[inner * i + row], &right, u, n, &mut gradient);
        let mut wanted = start.clone();
        for (at, g) in gradient.iter().enumerate() {
            let [w, m, v] = &mut wanted;
            m[at] += (g - m[at]) * step.mean_share;
            v[at] += (g * g - v[at]) * step.square_share;
            w[at] -= m[at] * step.rate / (v[at].sqrt() * step.scale + step.epsilon);
        }
        for isa in Isa::available() {
            let mut found = start.clone();
            let [values, means, squares] = &mut found;
            let (left, right) = (Matrix::new(&left, n, i, i), Matrix::new(&right, n, u, u));
            descend(isa, left, right, &step, Learned { values, means, squares });
            if found.each_ref().map(|found| bits(found)) != wanted.each_ref().map(|wanted| bits(wanted)) {
                failures.push(format!("{n} x {i} and {n} x {u} {}", isa.name()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Two rounded operations and one fused operation differ here: (1 + e)² − (1 + 2e) is e² when fused.
#[test]
fn products_are_not_fused() {
    let e = f32::EPSILON;
    for isa in Isa::available() {
        let mut out = [-(1.0 + 2.0 * e); 71];
        let right = [1.0 + e; 71];
        add_product(
            isa,
            Matrix::new(&[1.0 + e], 1, 1, 1),
            Matrix::new(&right, 1, 71, 71),
            MatrixMut::new(&mut out, 1, 71, 71),
        );
        assert_eq!(out, [0.0; 71], "{}", isa.name());
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let refused = |work: fn()| std::panic::catch_unwind(work).is_err();
    assert!(refused(|| _ = Matrix::new(&[0.0; 5], 2, 3, 3)), "too few values");
    assert!(refused(|| _ = Matrix::new(&[0.0; 9], 3, 3, 2)), "rows that overlap");
    assert!(refused(|| _ = Matrix::new(&[0.0; 9], usize::MAX, 3, usize::MAX)), "more than there can be");
    let product = |k: usize, n: usize| {
        let (left, right) = ([0.0; 6], [0.0; 6]);
        let mut out = [0.0; 4];
        add_product(
            Isa::SCALAR,
            Matrix::new(&left, 2, 3, 3),
            Matrix::new(&right, k, n, n),
            MatrixMut::new(&mut out, 2, 2, 2),
        );
    };
    product(3, 2);
    for (k, n) in [(2, 2), (3, 1)] {
        assert!(std::panic::catch_unwind(|| product(k, n)).is_err(), "{k} x {n}");
    }
}

//! Matrix products and convolutions of bytes on every instruction set that this processor has, against the plain loops of
//! `reference`: the same bits, always.

use topwork_kernels::Isa;
use topwork_kernels::int8::{
    LARGEST, PackedMatrix, Requantise, Residual, convolution, gathered_len, matrix_product,
};
use topwork_kernels::reference;
use topwork_kernels::window::Window;

/// Numbers from a counter, so that no case depends on another.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// What the bytes and weights of a case are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Values {
    /// Anything.
    Mixed,
    /// All bytes 255 and all weights that: the sums of pairs leave 16 bits.
    Extreme(i8),
}

const VALUES: [Values; 5] =
    [Values::Mixed, Values::Mixed, Values::Extreme(127), Values::Extreme(-127), Values::Extreme(-128)];

const ZERO_POINTS: [u8; 3] = [0, 127, 255];

/// A layer without its input.
struct Layer {
    weights: Vec<i8>,
    zero_point: u8,
    requantise: Requantise,
    skip: Option<(Vec<u8>, u8, f32)>,
}

impl Layer {
    /// `index` decides about zero points, values, the skip connection and the numbers.
    fn new(depth: usize, columns: usize, outputs: usize, index: usize) -> (Layer, Values, Numbers) {
        let mut numbers = Numbers(index as u64);
        let values = VALUES[index % VALUES.len()];
        let weights = match values {
            Values::Mixed => numbers.bytes(depth * columns).into_iter().map(|byte| byte as i8).collect(),
            Values::Extreme(weight) => vec![weight; depth * columns],
        };
        // Sums of `depth` products spread over some multiples of the range of a byte. Some scales are powers of two, so that
        // halves occur, which must go to the even neighbour.
        let spread = match values {
            Values::Mixed => 9000.0 * (depth.max(1) as f32).sqrt(),
            Values::Extreme(_) => 32_000.0 * depth.max(1) as f32,
        };
        let fraction = |number: u32| (number % 4096) as f32 / 4096.0;
        let scale = (0..columns).map(|column| match column % 3 {
            0 => 2f32.powi((128.0 / spread).log2() as i32),
            _ => (0.1 + fraction(numbers.next())) * 300.0 / spread,
        });
        let scale: Vec<f32> = scale.collect();
        let bias = (0..columns).map(|column| match column % 4 {
            0 => (fraction(numbers.next()) * 16.0).floor() / 2.0,
            _ => (fraction(numbers.next()) - 0.5) * 300.0,
        });
        let requantise = Requantise {
            scale,
            bias: bias.collect(),
            zero_point: ZERO_POINTS[index / 3 % ZERO_POINTS.len()],
        };
        let skip = (index % 7 < 3).then(|| {
            let ratio = if index.is_multiple_of(2) { 0.5 } else { 1.7 * fraction(numbers.next()) };
            (numbers.bytes(outputs), ZERO_POINTS[(index / 2) % ZERO_POINTS.len()], ratio)
        });
        let layer = Layer { weights, zero_point: ZERO_POINTS[index % ZERO_POINTS.len()], requantise, skip };
        layer.check(depth, columns);
        (layer, values, numbers)
    }

    /// What whoever makes layers checks.
    fn check(&self, depth: usize, columns: usize) {
        let ratio = self.skip.as_ref().map_or(0.0, |skip| skip.2);
        for column in 0..columns {
            let sizes = (0..depth).map(|row| i32::from(self.weights[row * columns + column]).abs());
            let (scale, bias) = (self.requantise.scale[column], self.requantise.bias[column]);
            assert!(255.0 * sizes.sum::<i32>() as f32 * scale + bias.abs() + 255.0 * ratio < LARGEST);
        }
    }

    fn packed(&self, isa: Isa, depth: usize, columns: usize) -> PackedMatrix {
        PackedMatrix::new(isa, &self.weights, depth, columns, self.zero_point, self.requantise.clone())
    }

    fn residual(&self) -> Option<Residual<'_>> {
        let (values, zero_point, ratio) = self.skip.as_ref()?;
        Some(Residual { values, zero_point: *zero_point, ratio: *ratio })
    }
}

fn input(values: Values, count: usize, numbers: &mut Numbers) -> Vec<u8> {
    match values {
        Values::Mixed => numbers.bytes(count),
        Values::Extreme(_) => vec![255; count],
    }
}

/// The first difference.
fn compare(name: &str, expected: &[u8], found: &[u8]) -> Result<(), String> {
    let different = expected.iter().zip(found).position(|(expected, found)| expected != found);
    match different {
        Some(at) => Err(format!("{name}: output {at} is {}, not {}", found[at], expected[at])),
        None if expected.len() != found.len() => Err(format!("{name}: {} outputs", found.len())),
        None => Ok(()),
    }
}

#[track_caller]
fn report(cases: usize, failures: &[String]) {
    let shown = failures[..failures.len().min(20)].join("\n");
    assert!(failures.is_empty(), "{} of {cases} cases failed:\n{shown}", failures.len());
}

/// Compares one product on every instruction set; the padding of the rows of input holds 255.
fn check_product((rows, depth, columns): (usize, usize, usize), index: usize, failures: &mut Vec<String>) {
    let (layer, values, mut numbers) = Layer::new(depth, columns, rows * columns, index);
    let row_len = depth.next_multiple_of(4);
    // A product without columns has no rows to speak of, so neither has its input.
    let mut bytes = input(values, if columns == 0 { 0 } else { rows * row_len }, &mut numbers);
    for row in bytes.chunks_exact_mut(row_len.max(1)) {
        row[depth..].fill(255);
    }
    let mut expected = vec![0; rows * columns];
    let residual = layer.residual();
    reference::int8::matrix_product(
        &bytes,
        row_len,
        &layer.weights,
        layer.zero_point,
        &layer.requantise,
        residual.as_ref(),
        &mut expected,
    );
    for isa in Isa::available() {
        let name = format!("{} {rows} x {depth} x {columns}, case {index}: {values:?}", isa.name());
        let packed = layer.packed(isa, depth, columns);
        assert_eq!(packed.row_len(), row_len);
        let mut found = vec![99; rows * columns];
        matrix_product(&packed, &bytes, residual.as_ref(), &mut found);
        failures.extend(compare(&name, &expected, &found).err());
    }
}

#[test]
fn matrix_products_are_the_reference_s() {
    // Around one and two tiles of rows (6, 8 or 12) and panels of up to 64 columns, of every number of vectors.
    let rows = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 24, 25, 49];
    let columns =
        [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 48, 49, 63, 64, 65, 80, 96, 112, 128, 130];
    let depths = [0, 1, 2, 3, 4, 5, 7, 8, 16, 27, 33];
    let (mut index, mut failures) = (0, Vec::new());
    for rows in rows {
        for columns in columns {
            for depth in depths {
                index += 1;
                check_product((rows, depth, columns), index, &mut failures);
            }
        }
    }
    report(index * Isa::available().len(), &failures);
}

/// Depths of whole tiles of AMX, around one and two tiles of rows and columns.
#[test]
fn products_of_whole_tiles_are_the_reference_s() {
    let (mut index, mut failures) = (0, Vec::new());
    for rows in [1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 100] {
        for columns in [1, 5, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 96, 130] {
            for depth in [63, 64, 65, 128, 192, 320] {
                index += 1;
                check_product((rows, depth, columns), index, &mut failures);
            }
        }
    }
    report(index * Isa::available().len(), &failures);
}

/// More rows than one block has, and depths as in the last layers of large networks.
#[test]
fn large_products_are_the_reference_s() {
    let mut failures = Vec::new();
    let sizes = [
        (3136, 16, 96),
        (3136, 64, 96),
        (61, 1152, 40),
        (200, 1023, 17),
        (50, 4608, 33),
        (20_000, 3, 5),
        (7, 9000, 3),
    ];
    for (index, sizes) in sizes.into_iter().enumerate() {
        for variant in 0..3 {
            check_product(sizes, index * 5 + variant, &mut failures);
        }
    }
    report(sizes.len() * 3 * Isa::available().len(), &failures);
}

/// Values that lie just beside, on and beyond the halves, and far outside of the range of a byte.
#[test]
fn rounding_and_clamping_are_the_reference_s() {
    let mut failures = Vec::new();
    for zero_point in [0, 1, 2, 127, 128, 254, 255] {
        let base =
            [0.5f32, 1.5, 2.5, 126.5, 127.5, 253.5, 254.5, 255.5, 256.5, 300.0, 32767.5, 40000.0, 1e6, 1e9];
        let mut bias = vec![0.0, -0.0, f32::MIN_POSITIVE];
        for value in base {
            for value in [value, value.next_up(), value.next_down()] {
                bias.extend([value, -value]);
            }
        }
        let columns = bias.len();
        let requantise = Requantise { scale: vec![1.0; columns], bias, zero_point };
        let mut expected = vec![0; columns * 2];
        let weights = vec![1; columns];
        let rows = [0, 9, 9, 9, 1, 9, 9, 9];
        reference::int8::matrix_product(&rows, 4, &weights, 0, &requantise, None, &mut expected);
        for isa in Isa::available() {
            let packed = PackedMatrix::new(isa, &weights, 1, columns, 0, requantise.clone());
            let mut found = vec![99; columns * 2];
            matrix_product(&packed, &rows, None, &mut found);
            failures.extend(compare(&format!("{} {zero_point}", isa.name()), &expected, &found).err());
        }
    }
    report(7 * Isa::available().len(), &failures);
}

type Pair = (usize, usize);

/// Kernel, stride and padding (TensorFlow's where there is none).
const WINDOWS: [(Pair, Pair, Option<Pair>); 14] = [
    ((1, 1), (1, 1), None),
    ((1, 1), (2, 2), None),
    ((2, 2), (1, 1), None),
    ((3, 3), (1, 1), None),
    ((3, 3), (2, 2), None),
    ((3, 3), (2, 2), Some((1, 1))),
    ((3, 3), (1, 1), Some((0, 0))),
    ((4, 2), (3, 3), None),
    ((5, 5), (1, 1), None),
    ((5, 5), (2, 2), Some((4, 0))),
    ((2, 3), (1, 2), Some((1, 0))),
    ((6, 6), (1, 1), None),
    ((7, 7), (2, 2), Some((3, 3))),
    ((3, 7), (2, 1), None),
];

const PLANES: [Pair; 12] =
    [(0, 0), (1, 1), (1, 9), (9, 1), (2, 2), (3, 4), (5, 3), (6, 7), (7, 7), (9, 10), (12, 13), (13, 21)];

/// Compares one convolution on every instruction set.
fn check_convolution(
    window: &Window,
    channels: usize,
    columns: usize,
    index: usize,
    failures: &mut Vec<String>,
) {
    let (depth, outputs) = (window.taps() * channels, window.output_pixels() * columns);
    let (layer, values, mut numbers) = Layer::new(depth, columns, outputs, index);
    let bytes = input(values, window.input_pixels() * channels, &mut numbers);
    let residual = layer.residual();
    let mut expected = vec![0; outputs];
    reference::int8::convolution(
        window,
        channels,
        &bytes,
        &layer.weights,
        layer.zero_point,
        &layer.requantise,
        residual.as_ref(),
        &mut expected,
    );
    for isa in Isa::available() {
        let name = format!("{} {window:?} {channels} → {columns}, case {index}: {values:?}", isa.name());
        let packed = layer.packed(isa, depth, columns);
        let mut gathered = vec![77; gathered_len(window, &packed)];
        let mut found = vec![99; outputs];
        convolution(window, &packed, &bytes, &mut gathered, residual.as_ref(), &mut found);
        failures.extend(compare(&name, &expected, &found).err());
    }
}

#[test]
fn convolutions_are_the_reference_s() {
    let (mut index, mut failures) = (0, Vec::new());
    for plane in PLANES {
        for (kernel, stride, padding) in WINDOWS {
            let window = match padding {
                None => Window::same(plane, kernel, stride),
                Some(padding) => Window::padded(plane, kernel, stride, padding),
            };
            for (channels, columns) in [(3, 32), (1, 1), (4, 17), (5, 3), (16, 24), (32, 20), (64, 33)] {
                index += 1;
                check_convolution(&window, channels, columns, index, &mut failures);
            }
        }
    }
    report(index * Isa::available().len(), &failures);
}

/// More output pixels than one gathered block has, in the first layers of the networks that there are.
#[test]
fn convolutions_of_several_blocks_are_the_reference_s() {
    let mut failures = Vec::new();
    let cases = [
        (Window::same((61, 45), (3, 3), (1, 1)), 24, 9),
        (Window::same((97, 64), (3, 3), (2, 2)), 3, 32),
        (Window::padded((97, 64), (3, 3), (2, 2), (1, 1)), 3, 32),
        (Window::padded((64, 97), (7, 7), (2, 2), (3, 3)), 3, 64),
        (Window::padded((14, 14), (1, 1), (2, 2), (0, 0)), 256, 128),
        (Window::padded((56, 40), (3, 3), (1, 1), (1, 1)), 64, 64),
        (Window::padded((14, 11), (3, 3), (1, 1), (1, 1)), 256, 70),
        (Window::padded((15, 14), (3, 3), (2, 2), (1, 1)), 128, 64),
    ];
    for (index, (window, channels, columns)) in cases.iter().enumerate() {
        for variant in 0..3 {
            check_convolution(window, *channels, *columns, index * 5 + variant, &mut failures);
        }
    }
    report(cases.len() * 3 * Isa::available().len(), &failures);
}

#[test]
fn wrong_sizes_are_refused_by_name() {
    for isa in Isa::available() {
        let message = |run: &dyn Fn()| {
            let panic =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("must be refused");
            panic.downcast_ref::<String>().cloned().unwrap_or_default()
        };
        let requantise = Requantise { scale: vec![1.0; 2], bias: vec![0.0; 2], zero_point: 0 };
        let packed = |depth| PackedMatrix::new(isa, &vec![0; depth * 2], depth, 2, 0, requantise.clone());
        let refused = |run: &dyn Fn(), expected: &str| {
            let found = message(run);
            assert!(found.contains(expected), "{}: {found:?} instead of {expected:?}", isa.name());
        };
        let product = packed(3);
        refused(
            &|| matrix_product(&product, &[0; 7], None, &mut [0; 4]),
            "input of 7 values for 2 rows of 4",
        );
        refused(&|| matrix_product(&product, &[0; 8], None, &mut [0; 3]), "output of 3 values");
        let skip = Residual { values: &[0; 3], zero_point: 0, ratio: 1.0 };
        refused(&|| matrix_product(&product, &[0; 8], Some(&skip), &mut [0; 4]), "residual of 3 for 4");
        let window = Window::same((2, 2), (3, 3), (1, 1));
        let square = packed(9);
        let run = |read: usize, room: usize, written: usize| {
            convolution(&window, &square, &vec![0; read], &mut vec![0; room], None, &mut vec![0; written]);
        };
        refused(&|| run(5, 999, 8), "input of 5 values");
        refused(&|| run(4, 999, 7), "output of 7 values");
        refused(&|| run(4, 1, 8), "room for 1 gathered values");
    }
}

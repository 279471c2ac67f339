use super::*;
use crate::weights::Tensor;

/// Values in -1 to 1 from a counter.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 23) as f32) - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn layer(shape: [usize; 4], seed: u64) -> Convolution {
    let channels = shape[0];
    Convolution {
        groups: Groups::One,
        stride: 1,
        padding: Padding::Same,
        weights: Tensor { shape: shape.to_vec(), values: values(shape.iter().product(), seed) },
        bias: None,
        batch_norm: BatchNorm {
            weight: values(channels, seed + 1),
            bias: values(channels, seed + 2),
            mean: values(channels, seed + 3),
            variance: values(channels, seed + 4).iter().map(|value| value.abs()).collect(),
            epsilon: 1e-3,
        },
        residual: None,
        activation: Activation::Relu6,
    }
}

/// Every kind of layer, on an input that is not square: ResNet's first layer, a depthwise one, a skip, a strided projection,
/// the largest under a kernel.
fn small() -> Graph {
    let mut graph = Graph::new(
        19,
        26,
        Normalisation { mean: [127.0, 100.0, 90.0], scale: [1.0 / 128.0, 0.016, 1.0 / 255.0] },
    );
    let bias = Some(values(10, 15));
    let stem = Convolution { stride: 2, padding: Padding::Explicit(3), bias, ..layer([10, 3, 7, 7], 10) };
    let stem = graph.convolution("stem", graph.input(), stem);
    let depthwise = Convolution { groups: Groups::Depthwise, ..layer([10, 1, 5, 5], 20) };
    let depthwise = graph.convolution("depthwise", stem, depthwise);
    let skip =
        Convolution { residual: Some(stem), activation: Activation::Linear, ..layer([10, 10, 1, 1], 30) };
    let skip = graph.convolution("skip", depthwise, skip);
    let strided = Convolution { stride: 2, activation: Activation::Relu, ..layer([17, 10, 1, 1], 40) };
    let strided = graph.convolution("strided", skip, strided);
    let pool = graph.max_pool("pool", strided, 3, 2, 1);
    graph.global_average("average", pool);
    graph
}

fn photo(graph: &Graph, seed: u64) -> Vec<u8> {
    values(graph.shapes[0].len(), seed).iter().map(|value| (value * 127.0 + 128.0) as u8).collect()
}

/// Folding, packing, planning and running change nothing but the rounding: within 1e-5 of the largest value.
#[test]
fn layers_are_what_their_definition_says() {
    let graph = small();
    let pixels = photo(&graph, 1);
    let tensors = definition::tensors(&graph, &pixels);
    for isa in Isa::available() {
        let network = Network::new(&graph, isa);
        let (mut index, mut failures) = (0, Vec::new());
        let mut features = vec![f32::NAN; network.feature_dim()];
        network.trace(&pixels, &mut network.arena(), &mut features, |layer, values| {
            index += 1;
            let output = values.to_f32();
            let largest = tensors[index].iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
            let wrong = output.iter().zip(&tensors[index]);
            let wrong = wrong.filter(|(found, expected)| {
                let close = (f64::from(**found) - **expected).abs() <= 1e-5 * largest;
                !close
            });
            let wrong = wrong.count();
            if wrong > 0 || output.len() != tensors[index].len() {
                failures.push(format!("{} {}: {wrong} of {} values", isa.name(), layer.name, output.len()));
            }
        });
        assert_eq!(index, graph.operations.len());
        assert!(failures.is_empty(), "{failures:#?}");
    }
}

#[test]
fn an_arena_remembers_nothing() {
    let graph = small();
    for isa in Isa::available() {
        let network = Network::new(&graph, isa);
        let run = |photo: &[u8], arena: &mut Arena| {
            let mut features = vec![f32::NAN; network.feature_dim()];
            network.features(photo, arena, &mut features);
            features.iter().map(|value| value.to_bits()).collect::<Vec<u32>>()
        };
        let photos: Vec<Vec<u8>> = (0..4).map(|seed| photo(&graph, seed)).collect();
        let fresh: Vec<_> = photos.iter().map(|photo| run(photo, &mut network.arena())).collect();
        let mut used = network.arena();
        for (photo, expected) in photos.iter().zip(&fresh).rev().chain(photos.iter().zip(&fresh)) {
            assert_eq!(&run(photo, &mut used), expected, "{}", isa.name());
        }
        assert_ne!(fresh[0], fresh[1], "different photos have different features");
    }
}

/// Two inverted-residual blocks so wide that their planes take several bands, with and without a skip.
fn blocks() -> Graph {
    let normalisation = Normalisation { mean: [127.0; 3], scale: [1.0 / 128.0; 3] };
    let mut graph = Graph::new(150, 130, normalisation);
    let mut node = graph.convolution("stem", graph.input(), layer([10, 3, 3, 3], 10));
    for (index, (kernel, stride)) in [(3, 1), (5, 2)].into_iter().enumerate() {
        let seed = 100 * index as u64;
        let input = node;
        node = graph.convolution("expand", node, layer([30, 10, 1, 1], seed + 20));
        let each = layer([30, 1, kernel, kernel], seed + 30);
        node =
            graph.convolution("depthwise", node, Convolution { groups: Groups::Depthwise, stride, ..each });
        let residual = (stride == 1).then_some(input);
        let project = layer([10, 30, 1, 1], seed + 40);
        let project = Convolution { residual, activation: Activation::Linear, ..project };
        node = graph.convolution("project", node, project);
    }
    graph.global_average("average", node);
    graph
}

/// `features` runs blocks in bands of rows, `trace` one layer after the other.
#[test]
fn bands_change_no_bit() {
    for graph in [small(), blocks()] {
        for isa in Isa::available() {
            let network = Network::new(&graph, isa);
            let mut arena = network.arena();
            let (mut one, mut other) = (vec![0.0; network.feature_dim()], vec![0.0; network.feature_dim()]);
            for seed in 0..2 {
                let pixels = photo(&graph, seed);
                network.features(&pixels, &mut arena, &mut one);
                network.trace(&pixels, &mut arena, &mut other, |_, _| ());
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&one), bits(&other), "{}, {} layers", isa.name(), network.layers().len());
            }
        }
    }
    let Engine::Float(engine) = Network::new(&blocks(), Isa::SCALAR).engine else { panic!("f32") };
    assert_eq!(engine.units, [0..1, 1..4, 4..7, 7..8]);
}

/// The averages of the tapped layer's output, in f32 and as sums, beside those of the last; and the last alone where there
/// is no room for more.
#[test]
fn the_tapped_layer_is_averaged() {
    for (mut graph, tap) in [(small(), "depthwise"), (blocks(), "depthwise"), (small(), "strided")] {
        assert!(!graph.tap("no such layer") && graph.tap(tap));
        let photo = photo(&graph, 3);
        let ranges = ranges(&graph, &[photo.clone(), self::photo(&graph, 4)]);
        for isa in Isa::available() {
            for network in
                [Network::new(&graph, isa), Network::quantised(&graph, &ranges, isa).expect("the ranges fit")]
            {
                let layout = network.layout();
                let number = graph.tap.expect("a tap");
                let mut expected = Vec::new();
                let (mut arena, mut features) = (network.arena(), vec![f32::NAN; network.feature_dim()]);
                let mut count = 0;
                network.trace(&photo, &mut arena, &mut features, |layer, values| {
                    if count == number {
                        let (values, channels) = (values.to_f32(), layer.output.channels);
                        let mean = |channel| {
                            let own = values.iter().skip(channel).step_by(channels);
                            own.map(|value| f64::from(*value)).sum::<f64>() * channels as f64
                                / values.len() as f64
                        };
                        expected = (0..channels).map(mean).collect();
                    }
                    count += 1;
                });
                let (mut row, mut found) = (vec![0; layout.row_bytes()], vec![f32::NAN; layout.width()]);
                arena.pixels().copy_from_slice(&photo);
                network.run(&mut arena, &mut row);
                layout.read(&row, &mut found);
                let (last, tapped) = found.split_at(features.len());
                assert_eq!(last, features);
                assert_eq!(
                    (layout.tap().expect("a tap").layer.as_str(), tapped.len()),
                    (tap, expected.len())
                );
                for (found, expected) in tapped.iter().zip(&expected) {
                    let close = (f64::from(*found) - expected).abs() <= 1e-4 * expected.abs().max(1e-2);
                    assert!(close, "{tap} {:?} {found} {expected}", network.precision());
                }
                let mut short = vec![0; layout.last().row_bytes()];
                arena.pixels().copy_from_slice(&photo);
                network.run(&mut arena, &mut short);
                assert_eq!(short, row[..short.len()]);
            }
        }
    }
}

#[test]
fn a_channel_that_training_switched_off_stays_finite() {
    let mut spec = layer([1, 1, 1, 1], 1);
    spec.batch_norm.variance = vec![0.0];
    let folded = fold::fold(&spec);
    assert!(folded.weights[0].is_finite() && folded.bias[0].is_finite());
}

#[test]
fn layers_describe_themselves() {
    let network = Network::new(&small(), Isa::SCALAR);
    let found: Vec<_> = network
        .layers()
        .iter()
        .map(|layer| {
            (layer.name.as_str(), layer.kind, layer.output.height, layer.output.width, layer.multiply_adds)
        })
        .collect();
    let expected = [
        ("stem", LayerKind::Convolution, 10, 13, 10 * 13 * 7 * 7 * 3 * 10),
        ("depthwise", LayerKind::Depthwise, 10, 13, 10 * 13 * 5 * 5 * 10),
        ("skip", LayerKind::Pointwise, 10, 13, 10 * 13 * 10 * 10),
        ("strided", LayerKind::Convolution, 5, 7, 5 * 7 * 10 * 17),
        ("pool", LayerKind::MaxPool, 3, 4, 0),
        ("average", LayerKind::GlobalAverage, 1, 1, 0),
    ];
    assert_eq!(found, expected);
    assert_eq!((network.input(), network.feature_dim()), ((19, 26), 17));
}

#[test]
fn workers_may_share_a_network() {
    fn shared<T: Send + Sync>() {}
    shared::<Network>();
}

/// The least and the largest value of each layer of the small network, on its photos.
fn ranges(graph: &Graph, photos: &[Vec<u8>]) -> Ranges {
    let network = Network::new(graph, Isa::SCALAR);
    let seen =
        calibration::Calibration::of(&network, photos, crate::Execution::default().with_threads(1)).unwrap();
    assert_eq!(seen.photos(), photos.len());
    for method in [calibration::Method::MinMax, calibration::Method::MeanSquaredError] {
        let together =
            calibration::Calibration::of(&network, photos, crate::Execution::default().with_threads(3))
                .unwrap();
        assert_eq!(together.ranges(method), seen.ranges(method), "on three threads");
    }
    Ranges::new("none".into(), "test".into(), photos.len(), seen.ranges(calibration::Method::MinMax))
}

/// All layers of a network, one after the other, as they pass.
fn bits(network: &Network, photo: &[u8]) -> Vec<u32> {
    let mut all = Vec::new();
    let mut features = vec![f32::NAN; network.feature_dim()];
    network.trace(photo, &mut network.arena(), &mut features, |_, values| {
        all.extend(values.to_f32().iter().map(|value| value.to_bits()));
    });
    all.extend(features.iter().map(|value| value.to_bits()));
    all
}

#[test]
fn bytes_are_the_same_on_every_instruction_set() {
    let graph = small();
    let photos: Vec<Vec<u8>> = (0..4).map(|seed| photo(&graph, seed)).collect();
    let ranges = ranges(&graph, &photos[..2]);
    let scalar = Network::quantised(&graph, &ranges, Isa::SCALAR).unwrap();
    for isa in Isa::available() {
        let network = Network::quantised(&graph, &ranges, isa).unwrap();
        assert_eq!((network.precision(), network.isa()), (Precision::Int8, isa));
        for photo in &photos {
            assert_eq!(bits(&network, photo), bits(&scalar, photo), "{}", isa.name());
        }
    }
}

/// Bytes round: on photos within the ranges every layer is as close to f32 as some steps of its range allow.
#[test]
fn bytes_stay_close_to_f32() {
    let graph = small();
    let photos: Vec<Vec<u8>> = (0..4).map(|seed| photo(&graph, seed)).collect();
    let float = Network::new(&graph, Isa::SCALAR);
    let bytes = Network::quantised(&graph, &ranges(&graph, &photos), Isa::SCALAR).unwrap();
    for photo in &photos {
        let layers = |network: &Network| {
            let mut layers = Vec::new();
            let mut features = vec![f32::NAN; network.feature_dim()];
            network.trace(photo, &mut network.arena(), &mut features, |_, values| {
                layers.push(values.to_f32());
            });
            layers
        };
        for ((expected, found), layer) in layers(&float).iter().zip(&layers(&bytes)).zip(float.layers()) {
            let largest = expected.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
            let squares: f32 = expected.iter().zip(found).map(|(a, b)| (a - b) * (a - b)).sum();
            let mean = (squares / expected.len() as f32).sqrt();
            assert!(mean > 0.0 && mean < 0.02 * largest, "{}: {mean} of {largest}", layer.name);
        }
    }
}

#[test]
fn what_bytes_cannot_hold_is_refused() {
    let graph = small();
    let good = ranges(&graph, &[photo(&graph, 1)]);
    let refused =
        |ranges: &Ranges| Network::quantised(&graph, ranges, Isa::SCALAR).err().unwrap().to_string();
    let mut missing = good.clone();
    missing.tensors.remove("skip");
    assert!(refused(&missing).contains("skip"), "{}", refused(&missing));
    let mut small = good.clone();
    small.tensors.insert("skip".into(), (-1e-8, 1e-8));
    assert!(refused(&small).contains("skip"), "{}", refused(&small));
    for text in [
        "",
        "{}",
        &good.to_json().unwrap().replace("\"format\": 1", "\"format\": 2"),
        &good.to_json().unwrap().replace("\"tensors\"", "\"others\""),
    ] {
        assert_eq!(Ranges::from_json(text).err().unwrap().kind(), crate::ErrorKind::Weights, "{text}");
    }
    assert_eq!(Ranges::from_json(&good.to_json().unwrap()).unwrap(), good);
    assert_ne!(good.digest(), small.digest());
}

/// A tensor of 400,000 small values and two of 255: limits of 0 to h cost 400,000 · (h / 255)² / 12 inside and 2 · (255 − h)²
/// outside, least at h = 203. (A step between candidates is 4.)
#[test]
fn limits_with_the_least_squares_leave_outliers_out() {
    let mut graph = Graph::new(1, 2, Normalisation { mean: [0.0; 3], scale: [1.0; 3] });
    let mut spec = layer([1, 3, 1, 1], 1);
    spec.weights.values = vec![1.0, 0.0, 0.0];
    spec.batch_norm = BatchNorm {
        weight: vec![1.0],
        bias: vec![0.0],
        mean: vec![0.0],
        variance: vec![1.0 - 1e-3],
        epsilon: 1e-3,
    };
    spec.activation = Activation::Linear;
    graph.convolution("only", graph.input(), spec);
    let mut photos: Vec<Vec<u8>> = (0..200_000_u32).map(|at| vec![(at % 8) as u8; 6]).collect();
    photos.push(vec![255; 6]);
    let network = Network::new(&graph, Isa::SCALAR);
    let seen =
        calibration::Calibration::of(&network, &photos, crate::Execution::default().with_threads(2)).unwrap();
    let limits = |method| seen.ranges(method)["only"];
    assert_eq!(limits(calibration::Method::MinMax), (0.0, 255.0));
    let (low, high) = limits(calibration::Method::MeanSquaredError);
    assert!(low == 0.0 && (high - 203.0).abs() < 4.0, "{low} to {high}");
}

//! Files that Keras and PyTorch wrote of a narrow ResNet (`reference/weights_files/`) give what they give there.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use topwork_kernels::Isa;

use super::*;
use crate::network::{Network, Normalisation};
use crate::weights::{LoadReport, Weights};

/// What `reference/weights_files/make.py` writes.
#[derive(Deserialize)]
struct Expected {
    height: usize,
    width: usize,
    keras: Outputs,
    pytorch: Outputs,
}

#[derive(Clone, Deserialize)]
struct Outputs {
    features: Vec<f32>,
    logits: Vec<f32>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/weights_files")
}

fn expected() -> Expected {
    let text = std::fs::read(folder().join("expected.json")).expect("committed beside make.py");
    serde_json::from_slice(&text).expect("as make.py writes it")
}

fn narrow(framework: Conventions) -> ResNet {
    ResNet { framework, stem: 8, stages: [(2, 4), (1, 4), (1, 8), (1, 8)], classes: 5 }
}

fn weights(path: &Path) -> Weights {
    let bytes = std::fs::read(path).expect("committed beside make.py");
    let bytes =
        if path.extension().is_some_and(|extension| extension == "gz") { unpack(&bytes) } else { bytes };
    Weights::from_bytes(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn unpack(bytes: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    std::io::Read::read_to_end(&mut decoder, &mut unpacked).expect("a good gzip file");
    unpacked
}

fn build(framework: Conventions, weights: &Weights, input: (usize, usize)) -> (Built, LoadReport) {
    let normalisation = match framework {
        Conventions::Keras => Normalisation { mean: [103.939, 116.779, 123.68], scale: [1.0; 3] },
        Conventions::PyTorch => Normalisation {
            mean: [123.675, 116.28, 103.53],
            scale: [0.229, 0.224, 0.225].map(|deviation: f64| (1.0 / (255.0 * deviation)) as f32),
        },
    };
    let graph = Graph::new(input.0, input.1, normalisation);
    Reader::fill(weights, |reader| narrow(framework).build(reader, graph))
}

/// The network with these weights gives what the framework gives, on every instruction set.
fn check(framework: Conventions, weights: &Weights, top: bool, unused: &[&str], name: &str) {
    let expected = expected();
    let input = (expected.height, expected.width);
    let outputs = match framework {
        Conventions::Keras => &expected.keras,
        Conventions::PyTorch => &expected.pytorch,
    };
    let (built, report) = build(framework, weights, input);
    report.require_complete().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(report.unused, unused, "{name}");
    let pixels: Vec<u8> = (0..input.0 * input.1 * 3)
        .map(|at| {
            let (y, x, c) = (at / 3 / input.1, at / 3 % input.1, at % 3);
            (y * 7 + x * 13 + c * 29 + y * x) as u8
        })
        .collect();
    let norm = |values: &[f32]| values.iter().map(|value| f64::from(value * value)).sum::<f64>().sqrt();
    for isa in Isa::available() {
        let network = Network::new(&built.graph, isa);
        let mut features = vec![0.0; network.feature_dim()];
        network.features(&pixels, &mut network.arena(), &mut features);
        assert_eq!(features.len(), outputs.features.len());
        let differences: Vec<f32> = features.iter().zip(&outputs.features).map(|(a, b)| a - b).collect();
        let relative = norm(&differences) / norm(&outputs.features);
        assert!(relative <= 1e-4, "{name}, {}: features differ by {relative:e}", isa.name());
        assert_eq!(built.top.is_some(), top, "{name}");
        let Some(top) = &built.top else { continue };
        let rows = top.weights.chunks_exact(features.len()).zip(&top.bias);
        for (class, (row, bias)) in rows.enumerate() {
            let logit = row.iter().zip(&features).map(|(weight, value)| weight * value).sum::<f32>() + bias;
            let difference = (logit - outputs.logits[class]).abs();
            assert!(difference <= 1e-3, "{name}, {}: logit {class} differs by {difference:e}", isa.name());
        }
    }
}

#[test]
fn keras_files_give_what_keras_gives() {
    const LEGACY: [&str; 2] = ["dense/bias", "dense/kernel"];
    const NUMBERED: [&str; 2] = ["layers/dense/vars/0", "layers/dense/vars/1"];
    const TWO: [&str; 4] =
        ["layers/dense/vars/0", "layers/dense/vars/1", "layers/dense_1/vars/0", "layers/dense_1/vars/1"];
    for (name, top, unused) in [
        ("legacy.h5", true, &[][..]),
        ("legacy_split.h5", true, &[]),
        ("legacy_model.h5", true, &[]),
        ("legacy_without_top.h5", false, &[]),
        ("legacy_nested.h5", false, &LEGACY),
        ("early.h5", true, &[]),
        ("early_keras1.h5", false, &[]),
        ("superblock2.h5", true, &[]),
        ("superblock3.h5", true, &[]),
        ("whole.weights.h5", true, &[]),
        ("whole.keras", true, &[]),
        ("without_top.weights.h5", false, &[]),
        ("nested.weights.h5", false, &NUMBERED),
        ("nested.keras", false, &NUMBERED),
        ("sequential.weights.h5", false, &TWO),
        ("extended.weights.h5", false, &NUMBERED),
    ] {
        let path = folder().join("keras").join(format!("{name}.gz"));
        check(Conventions::Keras, &weights(&path), top, unused, name);
    }
}

#[test]
fn pytorch_files_give_what_pytorch_gives() {
    for name in [
        "zip.pth",
        "legacy.pth",
        "tar.pth",
        "state_dict.pth",
        "model_state_dict.pth",
        "f16.pth",
        "bf16.pth",
        "channels_last.pth",
        "checkpoint.pth",
        "whole_model.pth",
        "plain.safetensors",
    ] {
        let weights = weights(&folder().join("pytorch").join(name));
        check(Conventions::PyTorch, &weights, true, &[], name);
    }
}

#[test]
fn what_lies_beside_the_weights_is_named() {
    let unread = |name: &str| weights(&folder().join("pytorch").join(name)).unread().join("; ");
    assert_eq!(unread("zip.pth"), "");
    let checkpoint = unread("checkpoint.pth");
    assert!(
        checkpoint.contains("argparse.Namespace") && checkpoint.contains("beside \"model\""),
        "{checkpoint}"
    );
    assert!(unread("whole_model.pth").contains("pytorch_files.Network"));
}

#[test]
fn every_committed_file_is_tested() {
    for (kind, files) in [("keras", 16), ("pytorch", 11)] {
        let found = std::fs::read_dir(folder().join(kind)).expect("committed").count();
        assert_eq!(found, files, "{kind}");
    }
}

/// The same weights for other sizes: what does not fit is told with both shapes.
#[test]
fn a_file_of_another_network_is_told_apart() {
    let file = weights(&folder().join("pytorch/zip.pth"));
    let graph = Graph::new(64, 64, Normalisation { mean: [0.0; 3], scale: [1.0; 3] });
    let (_, report) = Reader::fill(&file, |reader| resnet50(Conventions::PyTorch).build(reader, graph));
    let message = report.require_complete().expect_err("a narrow network").to_string();
    assert!(message.contains("\"conv1.weight\" is [8, 3, 7, 7] instead of [64, 3, 7, 7]"), "{message}");
    assert!(message.contains("\"layer1.2.conv1.weight\" [64, 256, 1, 1]"), "{message}");
    let graph = Graph::new(64, 64, Normalisation { mean: [0.0; 3], scale: [1.0; 3] });
    let (built, report) = Reader::fill(&file, |reader| narrow(Conventions::Keras).build(reader, graph));
    let message = report.require_complete().expect_err("another framework's").to_string();
    assert!(message.contains("\"conv1_conv/bias\" [8]"), "{message}");
    assert!(built.top.is_none());
}

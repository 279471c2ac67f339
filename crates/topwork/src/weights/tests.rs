use std::collections::HashMap;

use ::safetensors::tensor::{Dtype, TensorView, serialize};
use half::{bf16, f16};

use super::*;

/// A file with these tensors and the metadata `note = kept`.
fn file(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (*name, TensorView::new(*dtype, shape.to_vec(), data).expect("sizes agree"))
    });
    serialize(views, Some(HashMap::from([("note".to_owned(), "kept".to_owned())]))).expect("serialisable")
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[track_caller]
fn message(bytes: &[u8]) -> String {
    let error = Weights::from_bytes(bytes).expect_err("must be refused");
    assert_eq!(error.kind(), ErrorKind::Weights);
    error.to_string()
}

#[test]
fn three_float_types_become_f32_exactly() {
    let halves = [1.5, -0.25, 6.1e-5].map(f16::from_f32);
    let brains = [3.0e38, -1.0e-30].map(bf16::from_f32);
    let bytes = file(&[
        ("full", Dtype::F32, &[2, 1], floats(&[0.1, f32::MIN_POSITIVE])),
        ("half", Dtype::F16, &[3], halves.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ("brain", Dtype::BF16, &[2], brains.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ("none", Dtype::F32, &[0, 5], Vec::new()),
        ("bn.num_batches_tracked", Dtype::I64, &[], vec![0; 8]),
    ]);
    let weights = Weights::from_bytes(&bytes).expect("a good file");
    let tensor = |name| weights.tensor(name).expect("present");
    assert_eq!(tensor("full"), &Tensor { shape: vec![2, 1], values: vec![0.1, f32::MIN_POSITIVE] });
    assert_eq!(tensor("half").values, halves.map(f16::to_f32));
    assert_eq!(tensor("brain").values, brains.map(bf16::to_f32));
    assert_eq!(tensor("none").values, [] as [f32; 0]);
    assert_eq!(weights.names().collect::<Vec<_>>(), ["brain", "full", "half", "none"]);
    assert_eq!(weights.metadata("note"), Some("kept"));
    assert_eq!(weights.digest(), *blake3::hash(&bytes).as_bytes());
}

#[test]
fn values_that_are_no_numbers_are_refused_by_name() {
    for (dtype, data, found) in [
        (Dtype::F32, floats(&[0.0, f32::NAN]), "NaN at place 1"),
        (Dtype::F32, floats(&[f32::INFINITY, 0.0]), "inf at place 0"),
        (
            Dtype::F16,
            [f16::NEG_INFINITY, f16::ONE].iter().flat_map(|value| value.to_le_bytes()).collect(),
            "-inf at place 0",
        ),
        (
            Dtype::BF16,
            [bf16::ONE, bf16::NAN].iter().flat_map(|value| value.to_le_bytes()).collect(),
            "NaN at place 1",
        ),
        (Dtype::I32, vec![0; 8], "I32 values"),
        (Dtype::U8, vec![0; 2], "U8 values"),
    ] {
        let message = message(&file(&[("a.weight", dtype, &[2], data)]));
        assert!(message.contains("a.weight") && message.contains(found), "{message}");
    }
}

#[test]
fn damaged_files_are_refused_at_every_length() {
    let whole = file(&[("a", Dtype::F32, &[2], floats(&[1.0, 2.0]))]);
    for len in 0..whole.len() {
        message(&whole[..len]);
    }
    message(&[&whole[..], &[0]].concat());
    let header = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    for (name, bytes) in [
        ("a page of HTML", b"<!DOCTYPE html><html></html>".to_vec()),
        ("a header length beyond all memory", [&u64::MAX.to_le_bytes()[..], b"{}"].concat()),
        (
            "a shape whose product overflows",
            header(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#),
        ),
        ("offsets that run backwards", header(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#)),
        ("offsets outside the file", header(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#)),
        ("a shape of another size", header(r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,0]}}"#)),
        ("deep nesting", header(&"{\"a\":".repeat(5000))),
    ] {
        assert!(Weights::from_bytes(&bytes).is_err(), "{name} was accepted");
    }
}

#[test]
fn the_report_tells_what_became_of_each_tensor() {
    let bytes = file(&[
        ("stem.weight", Dtype::F32, &[2, 2], floats(&[1.0, 2.0, 3.0, 4.0])),
        ("stem.bais", Dtype::F32, &[2], floats(&[1.0, 2.0])),
        ("block.0.weight", Dtype::F32, &[1], floats(&[7.0])),
    ]);
    let weights = Weights::from_bytes(&bytes).expect("a good file");
    let (values, report) = Reader::fill(&weights, |reader| {
        let stem = reader.child("stem");
        stem.tensor("bias", &[2]);
        assert_eq!(stem.optional("top", &[3]), None);
        assert_eq!(reader.optional("block.0.weight", &[2]), None, "another shape");
        let wrong = reader.child("block").child(0).tensor("weight", &[1, 3]);
        assert_eq!(wrong, Tensor { shape: vec![1, 3], values: vec![0.0; 3] });
        stem.tensor("weight", &[2, 2]).values
    });
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0]);
    let expected = LoadReport {
        applied: vec!["stem.weight".into()],
        missing: vec![Missing {
            name: "stem.bias".into(),
            shape: vec![2],
            nearest: Some("stem.bais".into()),
        }],
        absent: vec![Missing { name: "stem.top".into(), shape: vec![3], nearest: None }],
        unused: vec!["stem.bais".into()],
        mismatched: vec![Mismatch { name: "block.0.weight".into(), expected: vec![1, 3], found: vec![1] }],
    };
    assert_eq!(report, expected);
    assert_eq!(
        report.require_exact().expect_err("not exact").to_string(),
        "these weights do not fit the network: 1 tensors applied; 1 missing: \"stem.bias\" [2] (the file has \
         \"stem.bais\"); 1 of another shape: \"block.0.weight\" is [1] instead of [1, 3]; 1 unused: \"stem.bais\""
    );
    let (_, exact) = Reader::fill(&weights, |reader| {
        for name in weights.names() {
            reader.optional(name, &weights.tensor(name).expect("named").shape).expect("in this shape");
        }
    });
    exact.require_exact().expect("all of the file is used");
}

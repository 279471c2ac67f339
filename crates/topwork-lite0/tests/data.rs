//! What the files of `data/` must hold, whoever wrote them last: the recorded bytes, every tensor that the network's table
//! asks for and none besides, one complete record, 1,000 distinct classes.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::{Dtype, SafeTensors};

fn record_text() -> String {
    let (_, header) = SafeTensors::read_metadata(topwork_lite0::WEIGHTS).expect("the header is well formed");
    let metadata = header.metadata().as_ref().expect("the header has metadata");
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["topwork"]);
    metadata["topwork"].clone()
}

fn record() -> serde_json::Value {
    serde_json::from_str(&record_text()).expect("the record is JSON")
}

/// Name → shape, from the table of blocks: (expand ratio, kernel, in, out).
fn expected_tensors() -> BTreeMap<String, Vec<usize>> {
    #[rustfmt::skip]
    let blocks = [
        (1, 3, 32, 16),
        (6, 3, 16, 24), (6, 3, 24, 24),
        (6, 5, 24, 40), (6, 5, 40, 40),
        (6, 3, 40, 80), (6, 3, 80, 80), (6, 3, 80, 80),
        (6, 5, 80, 112), (6, 5, 112, 112), (6, 5, 112, 112),
        (6, 5, 112, 192), (6, 5, 192, 192), (6, 5, 192, 192), (6, 5, 192, 192),
        (6, 3, 192, 320),
    ];
    let mut tensors = BTreeMap::new();
    let mut normalised = |convolution: String, batch_norm: String, shape: [usize; 4]| {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            tensors.insert(format!("{batch_norm}.{part}"), vec![shape[0]]);
        }
        tensors.insert(format!("{convolution}.weight"), shape.to_vec());
    };
    normalised("_conv_stem".into(), "_bn0".into(), [32, 3, 3, 3]);
    for (index, (expand, kernel, input, output)) in blocks.into_iter().enumerate() {
        let block = format!("_blocks.{index}");
        let hidden = input * expand;
        if expand != 1 {
            normalised(format!("{block}._expand_conv"), format!("{block}._bn0"), [hidden, input, 1, 1]);
        }
        normalised(format!("{block}._depthwise_conv"), format!("{block}._bn1"), [hidden, 1, kernel, kernel]);
        normalised(format!("{block}._project_conv"), format!("{block}._bn2"), [output, hidden, 1, 1]);
    }
    normalised("_conv_head".into(), "_bn1".into(), [1280, 320, 1, 1]);
    tensors.insert("_fc.weight".into(), vec![1000, 1280]);
    tensors.insert("_fc.bias".into(), vec![1000]);
    tensors
}

#[test]
fn the_checksum_is_that_of_the_file() {
    assert_eq!(topwork_lite0::WEIGHTS.len(), 10_606_536);
    assert_eq!(blake3::hash(topwork_lite0::WEIGHTS).to_hex().as_str(), topwork_lite0::CHECKSUM);
}

#[test]
fn the_file_holds_the_tensors_of_the_table_and_no_others() {
    let file = SafeTensors::deserialize(topwork_lite0::WEIGHTS).unwrap();
    let found: BTreeMap<String, Vec<usize>> =
        file.iter().map(|(name, tensor)| (name.to_string(), tensor.shape().to_vec())).collect();
    assert_eq!(found, expected_tensors());
    assert_eq!(found.len(), 247);
}

#[test]
fn large_matrices_are_f16_and_everything_else_f32() {
    let file = SafeTensors::deserialize(topwork_lite0::WEIGHTS).unwrap();
    let wrong: Vec<String> = file
        .iter()
        .filter(|(_, tensor)| {
            let numbers = tensor.shape().iter().product::<usize>();
            let large = tensor.shape().len() > 1 && numbers > 65_536;
            tensor.dtype() != if large { Dtype::F16 } else { Dtype::F32 }
        })
        .map(|(name, tensor)| format!("{name}: {:?} {:?}", tensor.dtype(), tensor.shape()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_record_is_complete_and_names_the_origin() {
    let record = record();
    let keys: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
    #[rustfmt::skip]
    assert_eq!(keys, [
        "changes", "classes", "imagenet_top1", "licence", "name", "network", "origin", "paper", "preprocessing",
        "source", "training_data",
    ]);
    assert_eq!(record["name"], topwork_lite0::NAME);
    assert_eq!(record["licence"], "Apache-2.0");
    assert_eq!(record["origin"]["sha256"], topwork_lite0::ORIGIN_SHA256);
    let preprocessing = serde_json::json!({
        "channel_order": "rgb",
        "resize": {
            "shorter_side": 256, "filter": "bicubic", "antialias": true, "longer_side": "round_half_to_even"
        },
        "crop": {"height": 224, "width": 224, "offset": "floor_of_half"},
        "formula": "(x - mean) / scale",
        "mean": [127.0, 127.0, 127.0],
        "scale": [128.0, 128.0, 128.0],
    });
    assert_eq!(record["preprocessing"], preprocessing);
}

#[test]
fn the_record_is_written_with_sorted_keys() {
    // serde_json's map is ordered by key, so that writing the record again gives the same text only if it was sorted.
    assert_eq!(serde_json::to_string(&record()).unwrap(), record_text());
}

#[test]
fn there_are_a_thousand_distinct_classes() {
    let classes: Vec<(&str, &str)> = topwork_lite0::classes().collect();
    assert_eq!(classes.len(), 1000);
    assert_eq!(topwork_lite0::CLASSES.lines().count(), 1001);
    assert_eq!(topwork_lite0::CLASSES.lines().next(), Some("wnid,name"));

    let well_formed = |wnid: &str| {
        wnid.len() == 9 && wnid.starts_with('n') && wnid[1..].bytes().all(|digit| digit.is_ascii_digit())
    };
    let wrong: Vec<_> = classes
        .iter()
        .filter(|(wnid, name)| {
            !well_formed(wnid) || name.is_empty() || name.trim() != *name || name.contains([',', '"'])
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(classes.is_sorted_by(|left, right| left.0 < right.0), "ids ascend strictly, hence are unique");
    assert_eq!(classes.iter().map(|row| row.1).collect::<BTreeSet<_>>().len(), 1000);
}

#[test]
fn known_classes_stand_where_imagenet_has_them() {
    let classes: Vec<(&str, &str)> = topwork_lite0::classes().collect();
    for (index, row) in [
        (0, ("n01440764", "tench")),
        (101, ("n01871265", "tusker")),
        (134, ("n02012849", "crane bird")),
        (281, ("n02123045", "tabby")),
        (386, ("n02504458", "African elephant")),
        (517, ("n03126707", "crane")),
        (999, ("n15075141", "toilet tissue")),
    ] {
        assert_eq!(classes[index], row, "class {index}");
    }
}

#[test]
fn the_record_lists_the_same_classes() {
    let listed: Vec<serde_json::Value> =
        topwork_lite0::classes().map(|(wnid, name)| serde_json::json!([wnid, name])).collect();
    assert_eq!(record()["classes"], serde_json::Value::Array(listed));
}

#[test]
fn the_notice_of_the_crate_is_the_notice_of_the_repository() {
    assert_eq!(include_str!("../NOTICE"), include_str!("../../../NOTICE"));
    assert_eq!(include_str!("../LICENSE"), include_str!("../../../LICENSE-APACHE"));
    assert!(include_str!("../NOTICE").contains(topwork_lite0::CHECKSUM));
    assert!(include_str!("../NOTICE").contains(topwork_lite0::ORIGIN_SHA256));
}

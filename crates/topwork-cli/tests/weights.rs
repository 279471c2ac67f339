//! `topwork weights`, and what other commands say where weights are absent.

mod common;

use std::path::{Path, PathBuf};

use common::{Place, Run};
use safetensors::tensor::{Dtype, TensorView, serialize};

/// ResNet-50 as PyTorch names it, all weights small, without its classifier: as bf16, 47 MB.
fn resnet50(value: u16, names: &[(&str, Vec<usize>)]) -> Vec<u8> {
    let data: Vec<Vec<u8>> =
        names.iter().map(|(_, shape)| value.to_le_bytes().repeat(shape.iter().product())).collect();
    let views = names.iter().zip(&data).map(|((name, shape), data)| {
        (*name, TensorView::new(Dtype::BF16, shape.clone(), data).expect("sizes agree"))
    });
    serialize(views, None).expect("serialisable")
}

/// Names and shapes of torchvision's state dict.
fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut tensors = Vec::new();
    let mut layer = |convolution: String, norm: String, shape: [usize; 4]| {
        tensors.push((format!("{convolution}.weight"), shape.to_vec()));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            tensors.push((format!("{norm}.{part}"), vec![shape[0]]));
        }
    };
    layer("conv1".to_owned(), "bn1".to_owned(), [64, 3, 7, 7]);
    let mut from = 64;
    for (stage, (blocks, channels)) in [(3, 64), (4, 128), (6, 256), (3, 512)].into_iter().enumerate() {
        for block in 0..blocks {
            let place = format!("layer{}.{block}", stage + 1);
            let part = |number: usize| (format!("{place}.conv{number}"), format!("{place}.bn{number}"));
            for (number, shape) in [
                (1, [channels, from, 1, 1]),
                (2, [channels, channels, 3, 3]),
                (3, [4 * channels, channels, 1, 1]),
            ] {
                let (convolution, norm) = part(number);
                layer(convolution, norm, shape);
            }
            if block == 0 {
                let project = |number: usize| format!("{place}.downsample.{number}");
                layer(project(0), project(1), [4 * channels, from, 1, 1]);
            }
            from = 4 * channels;
        }
    }
    tensors
}

/// A ResNet-50 of a user's own, with a value that tells it from others.
fn own(value: u16) -> Vec<u8> {
    let mut tensors = tensors();
    tensors.push(("fc.weight".to_owned(), vec![2, 2048]));
    tensors.push(("fc.bias".to_owned(), vec![2]));
    let names: Vec<(&str, Vec<usize>)> =
        tensors.iter().map(|(name, shape)| (name.as_str(), shape.clone())).collect();
    resnet50(value, &names)
}

const SMALL: u16 = 0x3c00;

fn json(text: &str) -> Vec<serde_json::Value> {
    serde_json::from_str(text).expect("a JSON array")
}

#[test]
fn the_list_names_every_published_file_and_where_it_is() {
    let place = Place::new();
    let list = place.run(&["weights", "list"]).expect(0);
    for part in [
        "efficientnet_lite0",
        "embedded",
        "resnet50-0676ba61.pth",
        "102.5",
        "80.85",
        "absent",
        "BSD-3-Clause",
    ] {
        assert!(list.stdout.contains(part), "no {part:?} in:\n{}", list.stdout);
    }
    assert_eq!(list.stderr, "");
    let lines = json(&place.run(&["weights", "list", "--format", "json"]).expect(0).stdout);
    assert!(lines.len() > 8);
    for line in lines {
        let absent = line["backbone"] != "efficientnet_lite0";
        assert_eq!(line["state"], if absent { "absent" } else { "embedded" }, "{line}");
        assert_eq!(line["path"], serde_json::Value::Null, "{line}");
    }
    assert!(!place.path("cache").exists(), "a list makes nothing");

    place.write("no caches/hub/checkpoints/resnet50-0676ba61.pth", b"broken off");
    let list = place.run(&["weights", "list"]).expect(0);
    let warning = "expected 102530333 bytes, found 10";
    assert!(list.stderr.contains(warning) && list.stderr.contains("checkpoints"), "{}", list.stderr);
    assert_eq!(place.read("no caches/hub/checkpoints/resnet50-0676ba61.pth"), "broken off");
}

#[test]
fn a_file_is_added_listed_used_and_verified() {
    let place = Place::new();
    let (first, second) = (own(SMALL), own(SMALL + 1));
    place.write("first.safetensors", &first);
    place.write("second.safetensors", &second);

    // Which preprocessing it needs is not in the file.
    let unnamed = place.run(&["weights", "add", "first.safetensors"]).expect(1);
    for part in ["--backbone", "resnet50_torchvision", "resnet50_timm_a1"] {
        assert!(unnamed.stderr.contains(part), "no {part:?} in:\n{}", unnamed.stderr);
    }
    assert!(!unnamed.stderr.contains("resnet50,"), "Keras' variant is another network: {}", unnamed.stderr);

    let mut paths = Vec::new();
    for name in ["first", "second"] {
        let file = format!("{name}.safetensors");
        let added = place.run(&["weights", "add", &file, "--backbone", "resnet50_torchvision"]).expect(0);
        for part in ["265 tensors applied", "2 unused", "fc.weight", "BLAKE3"] {
            assert!(added.stdout.contains(part), "no {part:?} in:\n{}", added.stdout);
        }
        let path = added.stdout.lines().last().and_then(|line| line.split("  ").next()).expect("a path");
        paths.push(PathBuf::from(path));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(std::fs::read(&paths[0]).expect("kept"), first);
    assert_eq!(std::fs::read(&paths[1]).expect("kept"), second);

    let lines = json(&place.run(&["weights", "list", "--format", "json"]).expect(0).stdout);
    let own: Vec<_> = lines.iter().filter(|line| line["name"].is_null() && line["state"] == "here").collect();
    let digests: Vec<_> = own.iter().map(|line| line["blake3"].as_str().expect("a digest")).collect();
    let expected = [&second, &first].map(|bytes| blake3::hash(bytes).to_hex().to_string());
    assert_eq!(digests, expected, "the newest first");

    let verified = place.run(&["weights", "verify"]).expect(0);
    assert_eq!(verified.stdout.matches("ok ").count(), 2, "{}", verified.stdout);
    std::fs::write(&paths[0], b"something else").expect("written");
    std::fs::remove_file(&paths[1]).expect("removed");
    let verified = place.run(&["weights", "verify", "resnet50_torchvision"]).expect(1);
    assert!(
        verified.stdout.contains("changed  ") && verified.stdout.contains("missing  "),
        "{}",
        verified.stdout
    );
    assert!(verified.stderr.contains("2 files"), "{}", verified.stderr);
    let other = place.run(&["weights", "verify", "resnet50"]).expect(0);
    assert_eq!(other.stdout, "");
}

/// The path that `weights add` prints.
fn added(place: &Place, file: &str, value: u16) -> PathBuf {
    place.write(file, &own(value));
    let added = place.run(&["weights", "add", file, "--backbone", "resnet50_torchvision"]).expect(0);
    std::thread::sleep(std::time::Duration::from_millis(20));
    PathBuf::from(added.stdout.lines().last().and_then(|line| line.split("  ").next()).expect("a path"))
}

#[test]
fn a_model_finds_its_weights_by_digest() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 4, 0);
    let first = added(&place, "first.safetensors", SMALL);
    let train = ["train", "photos", "--backbone", "resnet50_torchvision", "--precision", "f32"];
    place.run(&train).expect(0);
    let predict = ["predict", "--model", "topwork-run", "photos/a/000.ppm", "--format", "csv"];
    let answer = place.run(&predict).expect(0).stdout;

    let second = added(&place, "second.safetensors", SMALL + 1);
    assert_eq!(place.run(&predict).expect(0).stdout, answer);
    std::fs::remove_file(&second).expect("removed");
    assert_eq!(place.run(&predict).expect(0).stdout, answer);

    let digest = blake3::hash(&std::fs::read(&first).expect("kept")).to_hex();
    std::fs::remove_file(&first).expect("removed");
    let absent = place.run(&predict).expect(1);
    for part in [digest.as_str(), "topwork weights add FILE --backbone resnet50_torchvision"] {
        assert!(absent.stderr.contains(part), "no {part:?} in:\n{}", absent.stderr);
    }
    added(&place, "first.safetensors", SMALL);
    assert_eq!(place.run(&predict).expect(0).stdout, answer);
}

#[test]
fn what_cannot_be_added_is_explained() {
    let place = Place::new();
    place.write("page.html", b"<!DOCTYPE html>");
    place.write("small.safetensors", &resnet50(SMALL, &[("conv1.weight", vec![4, 3, 7, 7])]));
    for (arguments, parts) in [
        (&["page.html"][..], &["page.html"][..]),
        (&["absent.pth"], &["absent.pth", "cannot read"]),
        (&["."], &["this is a folder"]),
        (&["small.safetensors"], &["--backbone", "no backbone fits"]),
        (
            &["small.safetensors", "--backbone", "resnet50_torchvision"],
            &["[4, 3, 7, 7] instead of [64, 3, 7, 7]"],
        ),
        (&["small.safetensors", "--backbone", "efficientnet_lite0"], &["in the program"]),
    ] {
        let run = place.run(&[&["weights", "add"], arguments].concat()).expect(1);
        for part in parts {
            assert!(run.stderr.contains(part), "{arguments:?}: no {part:?} in:\n{}", run.stderr);
        }
        assert_eq!(run.stdout, "");
    }
    assert!(!place.path("cache/weights").exists(), "nothing was kept");
}

#[test]
fn absent_weights_are_explained_before_anything_is_written() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 4, 0);
    let run = place.run(&["train", "photos", "--backbone", "resnet50"]).expect(1);
    let folder = place.path("cache").join("weights").display().to_string();
    for part in [
        "the weights of resnet50 are not here",
        "topwork weights get resnet50_keras (103.0 MB, MIT",
        "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        &folder,
        "topwork weights add FILE --backbone resnet50",
    ] {
        assert!(run.stderr.contains(part), "no {part:?} in:\n{}", run.stderr);
    }
    assert!(!place.path("topwork-run").exists());
}

#[test]
fn get_without_a_network_says_which_file_to_put_where() {
    let place = Place::new();
    // A proxy that is not there stands for a network that is not there.
    let mut command = place.command(&["weights", "get", "resnet50_torchvision_v2"]);
    for variable in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"] {
        command.env(variable, "http://127.0.0.1:9");
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("SSL_CERT_FILE");
    let start = std::time::Instant::now();
    let run = Run::from(command.output().expect("the program starts")).expect(1);
    assert!(start.elapsed() < std::time::Duration::from_secs(40), "{:?}", start.elapsed());
    let folder = place.path("cache").join("weights");
    for part in [
        "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
        "put it as resnet50-11ad3fa6.pth",
        &folder.display().to_string(),
    ] {
        assert!(run.stderr.contains(part), "no {part:?} in:\n{}", run.stderr);
    }
    assert_eq!(run.stdout, "");
    assert_eq!(files(&folder), [] as [PathBuf; 0]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).map(|listed| listed.flatten().map(|entry| entry.path()).collect());
    listed.unwrap_or_default()
}

#[test]
fn what_cannot_be_fetched_is_explained() {
    let place = Place::new();
    for (name, part) in [
        ("efficientnet_lite0", "in the program"),
        ("resnet50_keras_2016", "no download is available"),
        ("resnet51", "resnet50_torchvision_v2"),
    ] {
        let run = place.run(&["weights", "get", name]).expect(1);
        assert!(run.stderr.contains(part), "{name}: no {part:?} in:\n{}", run.stderr);
    }
}

/// ResNet-50 as PyTorch names it, without its classifier, with weights that keep values in bounds from layer to layer.
fn drawn() -> Vec<u8> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors()
        .into_iter()
        .map(|(name, shape)| {
            let inputs: usize = shape.iter().skip(1).product();
            let (middle, spread) = match name.rsplit_once('.').map(|(_, part)| part) {
                _ if shape.len() > 1 => (0.0, (6.0 / inputs as f32).sqrt()),
                Some("weight") if name.contains("bn3") => (0.2, 0.1),
                Some("weight" | "running_var") => (1.0, 0.5),
                _ => (0.0, 0.1),
            };
            // The upper half of an f32 is a bf16.
            let value = |_| ((middle + spread * noise()).to_bits() >> 16) as u16;
            let values = (0..shape.iter().product::<usize>()).map(value).flat_map(u16::to_le_bytes).collect();
            (name, shape, values)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, data)| {
        (name, TensorView::new(Dtype::BF16, shape.clone(), data).expect("sizes agree"))
    });
    serialize(views, None).expect("serialisable")
}

/// From a file of the user's own to a model on bytes, which needs nothing but that file to answer elsewhere.
#[test]
fn weights_of_one_s_own_carry_a_model_on_bytes() {
    let place = Place::new();
    place.photos("photos", &["blue", "red"], 6, 0);
    place.write("my.safetensors", &drawn());
    let add = ["weights", "add", "my.safetensors", "--backbone", "resnet50_torchvision"];
    let added = place.run(&add).expect(0);
    let kept =
        added.stdout.lines().last().and_then(|line| line.split("  ").next()).expect("a path").to_owned();

    let train = ["train", "photos", "--backbone", "resnet50_torchvision", "--out"];
    let first = place.run(&[&train[..], &["first"]].concat()).expect(0);
    assert!(
        first.stderr.contains("calibrating resnet50_torchvision for int8 on 12 photos"),
        "{}",
        first.stderr
    );
    let again = place.run(&[&train[..], &["again"]].concat()).expect(0);
    assert!(!again.stderr.contains("calibrating"), "once is enough: {}", again.stderr);
    assert_eq!(place.json("again/run.json")["features"]["extracted"], 0);
    let model = |run: &str| std::fs::read(place.path(run).join("model.safetensors")).expect("written");
    assert!(model("first") == model("again"));

    // Ranges that other photos would give must not change what a model answers.
    let ranges: Vec<PathBuf> = files(&place.path("cache/weights"))
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with(".ranges.json"))
        .collect();
    assert_eq!(ranges.len(), 1);
    std::fs::remove_file(&ranges[0]).expect("removed");
    let predict = ["predict", "--model", "first", "photos/blue/000.ppm", "--format", "csv", "--no-store"];
    let answer = place.run(&predict).expect(0).stdout;
    place.photos("others", &["grey"], 3, 50);
    place.run(&[&add[..], &["--calibrate", "others"]].concat()).expect(0);
    assert!(ranges[0].exists());
    assert_eq!(place.run(&predict).expect(0).stdout, answer);

    let imagenet = ["predict", "--backbone", "resnet50_torchvision", "photos/blue/000.ppm"];
    let refused = place.run(&imagenet).expect(1);
    assert!(refused.stderr.contains("have no ImageNet classifier"), "{}", refused.stderr);

    std::fs::remove_file(&kept).expect("removed");
    let absent = place.run(&predict).expect(1);
    for part in
        [blake3::hash(&drawn()).to_hex().as_str(), "topwork weights add FILE --backbone resnet50_torchvision"]
    {
        assert!(absent.stderr.contains(part), "no {part:?} in:\n{}", absent.stderr);
    }
}

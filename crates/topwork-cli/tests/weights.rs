//! `topwork weights`, and what other commands say where weights are absent. Nothing of this machine's caches is seen.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Place, Run};
use safetensors::tensor::{Dtype, TensorView, serialize};

/// The program with every folder that it looks into below the place.
fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    for (variable, folder) in [
        ("HOME", "home"),
        ("USERPROFILE", "home"),
        ("XDG_CACHE_HOME", "home/.cache"),
        ("TORCH_HOME", "torch"),
        ("KERAS_HOME", "keras"),
        ("HF_HOME", "hub"),
    ] {
        command.env(variable, place.path(folder));
    }
    for variable in ["HF_HUB_CACHE", "SSL_CERT_FILE", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(variable);
    }
    command
}

fn run(place: &Place, arguments: &[&str]) -> Run {
    Run::from(command(place, arguments).output().expect("the program starts"))
}

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
    let list = run(&place, &["weights", "list"]).expect(0);
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
    let lines = json(&run(&place, &["weights", "list", "--format", "json"]).expect(0).stdout);
    assert!(lines.len() > 8);
    for line in lines {
        let absent = line["backbone"] != "efficientnet_lite0";
        assert_eq!(line["state"], if absent { "absent" } else { "embedded" }, "{line}");
        assert_eq!(line["path"], serde_json::Value::Null, "{line}");
    }
    assert!(!place.path("cache").exists(), "a list makes nothing");

    place.write("torch/hub/checkpoints/resnet50-0676ba61.pth", b"broken off");
    let list = run(&place, &["weights", "list"]).expect(0);
    let warning = "expected 102530333 bytes, found 10";
    assert!(list.stderr.contains(warning) && list.stderr.contains("checkpoints"), "{}", list.stderr);
    assert_eq!(place.read("torch/hub/checkpoints/resnet50-0676ba61.pth"), "broken off");
}

#[test]
fn a_file_is_added_listed_used_and_verified() {
    let place = Place::new();
    let (first, second) = (own(SMALL), own(SMALL + 1));
    place.write("first.safetensors", &first);
    place.write("second.safetensors", &second);

    // Which preprocessing it needs is not in the file.
    let unnamed = run(&place, &["weights", "add", "first.safetensors"]).expect(1);
    for part in ["--backbone", "resnet50_torchvision", "resnet50_timm_a1"] {
        assert!(unnamed.stderr.contains(part), "no {part:?} in:\n{}", unnamed.stderr);
    }
    assert!(!unnamed.stderr.contains("resnet50,"), "Keras' variant is another network: {}", unnamed.stderr);

    let mut paths = Vec::new();
    for name in ["first", "second"] {
        let file = format!("{name}.safetensors");
        let added = run(&place, &["weights", "add", &file, "--backbone", "resnet50_torchvision"]).expect(0);
        for part in ["265 tensors applied", "2 unused", "fc.weight", "BLAKE3"] {
            assert!(added.stdout.contains(part), "no {part:?} in:\n{}", added.stdout);
        }
        let path = added.stdout.lines().last().and_then(|line| line.split("  ").next()).expect("a path");
        paths.push(PathBuf::from(path));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(std::fs::read(&paths[0]).expect("kept"), first);
    assert_eq!(std::fs::read(&paths[1]).expect("kept"), second);

    let lines = json(&run(&place, &["weights", "list", "--format", "json"]).expect(0).stdout);
    let own: Vec<_> = lines.iter().filter(|line| line["name"].is_null() && line["state"] == "here").collect();
    let digests: Vec<_> = own.iter().map(|line| line["blake3"].as_str().expect("a digest")).collect();
    let expected = [&second, &first].map(|bytes| blake3::hash(bytes).to_hex().to_string());
    assert_eq!(digests, expected, "the newest first");

    let verified = run(&place, &["weights", "verify"]).expect(0);
    assert_eq!(verified.stdout.matches("ok ").count(), 2, "{}", verified.stdout);
    std::fs::write(&paths[0], b"something else").expect("written");
    std::fs::remove_file(&paths[1]).expect("removed");
    let verified = run(&place, &["weights", "verify", "resnet50_torchvision"]).expect(1);
    assert!(
        verified.stdout.contains("changed  ") && verified.stdout.contains("missing  "),
        "{}",
        verified.stdout
    );
    assert!(verified.stderr.contains("2 files"), "{}", verified.stderr);
    let other = run(&place, &["weights", "verify", "resnet50"]).expect(0);
    assert_eq!(other.stdout, "");
}

#[test]
fn what_cannot_be_added_is_explained() {
    let place = Place::new();
    place.write("page.html", b"<!DOCTYPE html>");
    place.write("small.safetensors", &resnet50(SMALL, &[("conv1.weight", vec![4, 3, 7, 7])]));
    for (arguments, parts) in [
        (&["page.html"][..], &["page.html"][..]),
        (&["absent.pth"], &["absent.pth", "cannot read"]),
        (&["."], &["no file"]),
        (&["small.safetensors"], &["--backbone", "fits none"]),
        (
            &["small.safetensors", "--backbone", "resnet50_torchvision"],
            &["[4, 3, 7, 7] instead of [64, 3, 7, 7]"],
        ),
        (&["small.safetensors", "--backbone", "efficientnet_lite0"], &["in the program"]),
    ] {
        let run = run(&place, &[&["weights", "add"], arguments].concat()).expect(1);
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
    let run = run(&place, &["train", "photos", "--backbone", "resnet50"]).expect(1);
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
    let mut command = command(&place, &["weights", "get", "resnet50_torchvision_v2"]);
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        command.env(variable, "http://127.0.0.1:9");
    }
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
        ("resnet50_keras_2016", "nobody offers"),
        ("resnet51", "resnet50_torchvision_v2"),
    ] {
        let run = run(&place, &["weights", "get", name]).expect(1);
        assert!(run.stderr.contains(part), "{name}: no {part:?} in:\n{}", run.stderr);
    }
}

//! The notebook's recipe, and the summary of networks that goes with it.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod common;

use common::Place;

#[test]
fn the_notebook_s_recipe_reports_as_keras_and_scikit_learn_do() {
    let place = Place::new();
    place.photos("photos/train", &["blue", "red"], 20, 0);
    place.photos("photos/test", &["blue", "red"], 3, 100);
    let arguments =
        ["train", "photos", "--recipe", "notebook", "--backbone", "efficientnet_lite0", "--epochs", "3"];
    let run = place.run(&arguments).expect(0);
    assert!(run.stderr.contains("Epoch 1/3\n1/1 - "), "{}", run.stderr);
    let epoch = run.stderr.lines().find(|line| line.starts_with("1/1 - ")).unwrap();
    for name in
        [" - accuracy: ", " - loss: ", " - val_accuracy: ", " - val_loss: ", " - learning_rate: 0.0010"]
    {
        assert!(epoch.contains(name), "{epoch}");
    }
    let best = "Restoring model weights from the end of the best epoch: ";
    assert!(run.stderr.contains(best), "{}", run.stderr);
    assert!(run.stdout.contains("              precision    recall  f1-score   support\n"), "{}", run.stdout);
    assert!(run.stdout.contains("\n[[3 0]\n [0 3]]\n"), "{}", run.stdout);

    let settings = place.json("topwork-run/run.json");
    assert_eq!(settings["precision"], "f32");
    let settings = &settings["settings"];
    assert_eq!(settings["layers"], serde_json::json!([1024, 512, 256, 128]));
    assert_eq!((&settings["batch_size"], &settings["split"]), (&40.into(), &"keras".into()));
    assert_eq!((&settings["seed"], &settings["validation_share"]), (&42.into(), &0.15.into()));
    // Keras takes the first files of each class for validation, before any shuffling.
    let split = place.read("topwork-run/split.csv");
    for file in ["train/blue/000.ppm", "train/blue/002.ppm", "train/red/000.ppm"] {
        assert!(split.contains(&format!("{file},validation,")), "{file} in\n{split}");
    }
    assert!(split.contains("train/blue/003.ppm,training,"), "{split}");
    let page = place.read("topwork-run/report.html");
    assert!(page.contains("epoch") && page.matches("<img").count() >= 6, "curves and a grid of photos");
}

#[test]
fn without_its_weights_the_recipe_says_how_to_get_them() {
    let place = Place::new();
    place.photos("photos", &["blue", "red"], 4, 0);
    for arguments in [
        &["train", "photos", "--recipe", "notebook"][..],
        &["predict", "--backbone", "resnet50", "photos/blue/000.ppm"],
    ] {
        let run = place.run(arguments).expect(1);
        assert!(run.stdout.is_empty());
        for words in
            ["resnet50", "resnet50_weights_tf_dim_ordering_tf_kernels.h5", "topwork weights get", "cache"]
        {
            assert!(run.stderr.contains(words), "{words} is not in\n{}", run.stderr);
        }
    }
    assert!(!place.path("topwork-run").exists(), "no run folder for a run that cannot begin");
}

#[test]
fn a_model_brings_its_own_backbone() {
    let place = Place::new();
    let both = ["predict", "--model", "run", "--backbone", "resnet50", "photo.jpg"];
    assert!(place.run(&both).expect(2).stderr.contains("--backbone"));
    place.run(&["predict", "--backbone", "resnet51", "photo.jpg"]).expect(2);
}

/// Keras 3.15: `ResNet50(include_top=False, pooling="avg")` and the notebook's five dense layers.
#[test]
fn the_summary_has_the_sizes_of_keras() {
    let place = Place::new();
    let run = place.run(&["backbones", "--layers", "resnet50", "--head", "1024,512,256,128"]).expect(0);
    for line in [
        "parameters frozen   23,587,712",
        "parameters trained   2,787,329",
        "parameters in all   26,375,041",
        "stem                   convolution 7 x 7 / 2, batch norm, ReLU          112 x 112 x 64       9,728  frozen",
        "head.1                 dense, ReLU                                               1,024   2,098,176  trained",
        "head.5                 dense, sigmoid                                                1         129  trained",
    ] {
        assert!(run.stdout.contains(line), "{line}\nis not in\n{}", run.stdout);
    }
    let run = place.run(&["backbones"]).expect(0);
    for row in topwork::backbone::BACKBONES {
        assert!(run.stdout.contains(row.name), "{}", run.stdout);
    }
    place.run(&["backbones", "--layers", "nothing"]).expect(2);
}

/// The notebook's own five answers, where Keras' published file is in a cache of this machine.
#[test]
fn the_elephant_has_the_notebook_s_probabilities() {
    const EXPECTED: [(&str, &str, f64); 5] = [
        ("n01871265", "tusker", 0.6576),
        ("n02113799", "standard_poodle", 0.1207),
        ("n02504458", "African_elephant", 0.0957),
        ("n02504013", "Indian_elephant", 0.0804),
        ("n02102973", "Irish_water_spaniel", 0.0223),
    ];
    let Some(photo) = common::shared_data("African_Elephant.jpg") else { return };
    let place = Place::new();
    if !common::with_cached_weights(&place, "resnet50") {
        return;
    }
    let photo = photo.to_str().unwrap();
    let arguments = ["--backbone", "resnet50", "--precision", "f32", "--format", "csv", photo];
    let run = place.run(&[&["predict"], &arguments[..]].concat()).expect(0);
    let rows = common::rows(&run.stdout);
    println!("{rows:#?}");
    for (wordnet_id, name, expected) in EXPECTED {
        let row = rows.iter().find(|row| row[4] == wordnet_id);
        let found: f64 = row.unwrap_or_else(|| panic!("{name} is not among the five"))[3].parse().unwrap();
        assert!((found - expected).abs() <= 0.01, "{name}: {found}, the notebook has {expected}");
    }
}

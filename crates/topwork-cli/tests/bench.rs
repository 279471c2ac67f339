//! `topwork bench`: what it reports and that the parts make the whole. Never how fast: tests run on busy machines.

mod common;

use std::process::Stdio;

use common::Place;
use serde_json::Value;

/// The JSON that a measurement of a moment gives.
#[track_caller]
fn measured(place: &Place, arguments: &[&str]) -> Value {
    let arguments = [&["bench", "--format", "json", "--seconds", "0.02"], arguments].concat();
    let run = place.run(&arguments).expect(0);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", run.stdout))
}

#[track_caller]
fn number(figures: &Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap_or_else(|| panic!("no number {name:?} in {figures:#}"))
}

#[track_caller]
fn list<'a>(figures: &'a Value, name: &str) -> &'a [Value] {
    let list = figures[name].as_array().unwrap_or_else(|| panic!("no list {name:?} in {figures:#}"));
    assert!(!list.is_empty(), "{name:?} is empty in {figures:#}");
    list
}

/// Equal but for the digits that were rounded away.
fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-4 * one.abs().max(other.abs())
}

#[test]
fn the_machine_has_a_clock_peaks_and_bandwidths() {
    let figures = measured(&Place::new(), &["--machine", "--threads", "2"]);
    let clock = number(&figures, "clock_ghz");
    assert!((0.05..12.0).contains(&clock), "a clock of {clock} GHz");
    let names: Vec<&str> = list(&figures, "peaks").iter().filter_map(|peak| peak["isa"].as_str()).collect();
    for isa in topwork::Isa::available() {
        assert!(names.contains(&isa.name()), "no peak of {} in {names:?}", isa.name());
    }
    assert_eq!(list(&figures, "bandwidths").len(), 3);
    for list_of_values in list(&figures, "peaks")
        .iter()
        .map(|peak| list(peak, "gop_per_second"))
        .chain(list(&figures, "bandwidths").iter().map(|level| list(level, "gb_per_second")))
    {
        let threads: Vec<u64> = list_of_values.iter().filter_map(|value| value["threads"].as_u64()).collect();
        assert_eq!(threads, [1, 2]);
        for value in list_of_values {
            assert!(number(value, "value") > 0.0, "{value}");
        }
    }
}

#[test]
fn the_stages_of_the_line_make_the_whole() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 3, 0);
    place.write("photos/broken.jpg", b"no photo");
    let figures = measured(&place, &["photos", "--threads", "2"]);
    let line = &figures["line"];
    assert_eq!(number(line, "files"), 7.0);
    let runs = list(line, "runs");
    assert_eq!(runs.iter().map(|run| number(run, "threads")).collect::<Vec<_>>(), [1.0, 2.0]);
    for run in runs {
        let stages = run["milliseconds"].as_object().expect("stages");
        let whole = number(&run["milliseconds"], "whole");
        let parts: f64 =
            stages.iter().filter(|(name, _)| *name != "whole").filter_map(|(_, ms)| ms.as_f64()).sum();
        // Stages cannot take longer than there was time; what is left of the time is a row of its own.
        assert!(close(parts, whole), "{parts} of {whole} ms in {run:#}");
        for stage in ["read", "hash", "decode", "resize", "network", "store"] {
            assert!(number(&run["milliseconds"], stage) > 0.0, "{stage} in {run:#}");
        }
        let expected = 1e3 * number(run, "threads") / number(run, "photos_per_second");
        assert!(close(whole, expected), "{whole} ms, but {expected} by the photos a second");
        assert!(number(run, "photos") >= 1.0 && number(run, "seconds") > 0.0, "{run:#}");
    }
    assert!(!place.path("cache").exists(), "the user's store was touched");
}

#[test]
fn the_layers_of_the_network_make_the_types_and_the_types_the_whole() {
    let figures = measured(&Place::new(), &["--network", "--layers", "--threads", "1"]);
    assert!(figures["line"].is_null(), "{figures:#}");
    let network = &figures["network"];
    let runs = list(network, "runs");
    assert_eq!(runs.len(), 1, "{runs:#?}");
    let (images, speed) = (number(&runs[0], "images_per_second"), number(&runs[0], "gop_per_second"));
    assert!(close(images * number(network, "gop_per_image"), speed), "{network:#}");
    let sum = |name, of| list(network, name).iter().map(|entry| number(entry, of)).sum::<f64>();
    assert!(close(sum("types", "share_of_time"), 1.0) && close(sum("layers", "share_of_time"), 1.0));
    assert!(close(sum("types", "milliseconds"), sum("layers", "milliseconds")), "{network:#}");
    assert_eq!(sum("types", "layers"), list(network, "layers").len() as f64);
    let operations = list(network, "layers")
        .iter()
        .map(|layer| number(layer, "milliseconds") * number(layer, "gop_per_second") / 1e3)
        .sum::<f64>();
    assert!(close(operations, number(network, "gop_per_image")), "{operations} GOP in {network:#}");
}

#[test]
fn the_instruction_set_that_is_asked_for_is_used() {
    let place = Place::new();
    for isa in topwork::Isa::available() {
        let mut command = place.command(&["bench", "--network", "--format", "json", "--seconds", "0.01"]);
        let run =
            common::Run::from(command.env("TOPWORK_ISA", isa.name()).output().expect("it starts")).expect(0);
        let figures: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(figures["isa"], isa.name());
    }
}

#[test]
fn tables_name_what_they_show() {
    let place = Place::new();
    let run = place.run(&["bench", "--seconds", "0.02", "--threads", "2"]).expect(0);
    for part in ["drawn picture", "decode", "photos/s", "2 threads", "depthwise 3x3", "of the peak"] {
        assert!(run.stdout.contains(part), "no {part:?} in:\n{}", run.stdout);
    }
    assert!(!place.path("cache").exists(), "the user's store was touched");
    let run = place.run(&["bench", "--machine", "--seconds", "0.01"]).expect(0);
    for part in ["GHz", "scalar", "L2 cache", "memory"] {
        assert!(run.stdout.contains(part), "no {part:?} in:\n{}", run.stdout);
    }
}

#[test]
fn what_cannot_be_measured_is_said() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).expect("a folder");
    place.write("bad/broken.jpg", b"no photo");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["bench", "nowhere"], 1, "nowhere"),
        (&["bench", "empty"], 1, "no photo in this folder"),
        (&["bench", "bad"], 1, "topwork check"),
        (&["bench", "--seconds", "0"], 2, "--seconds"),
        (&["bench", "--machine", "--network"], 2, "--network"),
        (&["bench", "bad", "--network"], 2, "PHOTOS"),
    ];
    let mut failures = Vec::new();
    for (arguments, status, part) in cases {
        let run = place.run(arguments);
        if run.status != status || !run.stderr.contains(part) || run.stderr.contains("panicked") {
            failures.push(format!("{arguments:?}: status {}, {}", run.status, run.stderr));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let place = Place::new();
    let mut command = place.command(&["bench", "--machine", "--seconds", "0.001"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
}

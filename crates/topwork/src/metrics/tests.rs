//! Every figure against scikit-learn and SciPy, on the small evaluations of `reference/metrics/make.py`.

use serde_json::Value;

use super::*;

const REFERENCE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../reference/metrics/metrics.json"));

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

fn evaluate_rows(classes: &[String], labels: &[usize], rows: &[Vec<f64>]) -> Evaluation {
    evaluate(classes, labels.iter().copied().zip(rows.iter().map(Vec::as_slice)))
}

fn of_case(case: &Value) -> Evaluation {
    let classes: Vec<String> = serde_json::from_value(case["classes"].clone()).unwrap();
    let labels: Vec<usize> = serde_json::from_value(case["labels"].clone()).unwrap();
    let rows: Vec<Vec<f64>> = match case.get("hot") {
        Some(hot) => {
            let hot: Vec<usize> = serde_json::from_value(hot.clone()).unwrap();
            let row = |hot| (0..classes.len()).map(|class| if class == hot { 1.0 } else { 0.0 }).collect();
            hot.into_iter().map(row).collect()
        }
        None => {
            let rows: Vec<Vec<u32>> = serde_json::from_value(case["thousandths"].clone()).unwrap();
            rows.iter().map(|row| row.iter().map(|part| f64::from(*part) / 1000.0).collect()).collect()
        }
    };
    evaluate_rows(&classes, &labels, &rows)
}

#[test]
fn figures_equal_those_of_scikit_learn() {
    let reference: Value = serde_json::from_str(REFERENCE).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    let mut failures = Vec::new();
    for case in cases {
        let (name, expected) = (case["name"].as_str().unwrap(), &case["expected"]);
        let evaluation = of_case(case);
        let mut close = |what: &str, found: Option<f64>, expected: &Value| {
            let equal = match (found, expected.as_f64()) {
                (Some(found), Some(expected)) => (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            if !equal {
                failures.push(format!("{name}: {what}: {found:?}, expected {expected}"));
            }
        };
        close("accuracy", evaluation.accuracy, &expected["accuracy"]);
        close("interval low", evaluation.accuracy_interval.map(|i| i.low), &expected["interval"][0]);
        close("interval high", evaluation.accuracy_interval.map(|i| i.high), &expected["interval"][1]);
        close("balanced accuracy", evaluation.balanced_accuracy, &expected["balanced_accuracy"]);
        close("log loss", evaluation.log_loss, &expected["log_loss"]);
        close("ROC AUC", evaluation.roc_auc, &expected["roc_auc"]);
        if let Some(top5) = expected.get("top5") {
            close("top 5", evaluation.top5_accuracy, top5);
        }
        let report = &evaluation.classification_report;
        let averages = [report.macro_average, report.weighted_average];
        let found: Vec<ClassScores> =
            report.classes.iter().map(|(_, class)| *class).chain(averages).collect();
        let rows = expected["scores"].as_array().unwrap();
        close("rows", Some(found.len() as f64), &rows.len().into());
        for (at, (found, expected)) in found.iter().zip(rows).enumerate() {
            close(&format!("precision {at}"), Some(found.precision), &expected[0]);
            close(&format!("recall {at}"), Some(found.recall), &expected[1]);
            close(&format!("f1 {at}"), Some(found.f1), &expected[2]);
            close(&format!("support {at}"), Some(found.support as f64), &expected[3]);
        }
        let counts = serde_json::to_value(evaluation.confusion_matrix.rows()).unwrap();
        if expected.get("confusion").is_some_and(|expected| *expected != counts) {
            failures.push(format!("{name}: counts {counts}, expected {}", expected["confusion"]));
        }
        let text = crate::report::classification_text(report);
        if text != expected["text"].as_str().unwrap() {
            failures.push(format!("{name}: text\n{text}\nexpected\n{}", expected["text"].as_str().unwrap()));
        }
    }
    assert!(cases.len() >= 50, "{} cases", cases.len());
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_order_of_addition_is_numpy_s() {
    // The bits of numpy's np.sum(1 / np.arange(1, n + 1)); a plain loop gives others for 129 and 1000.
    let expected = [
        (7, 0x4004be2be2be2be2),
        (20, 0x400cc82bbab7a28b),
        (129, 0x4015c37b09149ba9),
        (1000, 0x401df11f45f4e61a),
    ];
    for (n, expected) in expected {
        let values: Vec<f64> = (1..=n).map(|value| 1.0 / f64::from(value)).collect();
        assert_eq!(pairwise_sum(&values).to_bits(), expected, "{n} values");
    }
}

#[test]
fn no_photos_give_no_figures() {
    for classes in [0, 1, 2, 7] {
        let evaluation = evaluate_rows(&names(classes), &[], &[]);
        assert_eq!(evaluation.n, 0);
        let figures = [
            evaluation.accuracy,
            evaluation.balanced_accuracy,
            evaluation.log_loss,
            evaluation.roc_auc,
            evaluation.top5_accuracy,
            evaluation.accuracy_interval.map(|interval| interval.low),
            evaluation.baseline.as_ref().map(|baseline| baseline.accuracy),
        ];
        assert_eq!(figures, [None; 7], "{classes} classes");
        let json = serde_json::to_string(&evaluation).unwrap();
        assert!(json.contains(r#""n":0,"accuracy":null,"#), "{json}");
        assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), evaluation);
    }
}

#[test]
fn a_class_without_photos_keeps_its_place() {
    let classes = names(3);
    let rows = [vec![0.8, 0.1, 0.1], vec![0.1, 0.1, 0.8], vec![0.2, 0.7, 0.1]];
    let evaluation = evaluate_rows(&classes, &[0, 2, 2], &rows);
    let report = &evaluation.classification_report;
    assert_eq!(report.classes[1], ("class 1".to_owned(), ClassScores::default()));
    assert_eq!(report.macro_average.recall, (1.0 + 0.0 + 0.5) / 3.0, "counts in the macro average");
    assert_eq!(evaluation.balanced_accuracy, Some(0.75), "left out of the balanced accuracy");
    let worst = evaluation.worst_confusion.unwrap();
    assert_eq!((worst.actual.as_str(), worst.predicted.as_str(), worst.count), ("class 2", "class 1", 1));
}

#[test]
fn the_baseline_is_the_largest_class_and_the_first_of_equals() {
    let rows = vec![vec![0.5, 0.5]; 4];
    let baseline =
        |labels: &[usize]| evaluate_rows(&names(2), labels, &rows[..labels.len()]).baseline.unwrap();
    assert_eq!(baseline(&[1, 1, 0]), Baseline { class: "class 1".to_owned(), accuracy: 2.0 / 3.0 });
    assert_eq!(baseline(&[1, 0]), Baseline { class: "class 0".to_owned(), accuracy: 0.5 });
}

#[test]
fn json_comes_back_as_it_was() {
    let reference: Value = serde_json::from_str(REFERENCE).unwrap();
    for case in reference["cases"].as_array().unwrap() {
        let evaluation = of_case(case);
        let json = serde_json::to_string(&evaluation).unwrap();
        assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), evaluation, "{}", case["name"]);
    }
}

#[test]
fn many_classes_are_stored_by_the_cells_that_are_not_zero() {
    let mut matrix = ConfusionMatrix::new(&names(5_000));
    matrix.add(4_999, 3, 7);
    matrix.add(0, 0, 1);
    let json = serde_json::to_string(&matrix).unwrap();
    assert!(
        json.ends_with(r#""cells":[[0,0,1],[4999,3,7]]}"#) && json.len() < 100_000,
        "{} bytes",
        json.len()
    );
    assert_eq!(serde_json::from_str::<ConfusionMatrix>(&json).unwrap(), matrix);
}

#[test]
fn damaged_counts_are_refused() {
    for (json, reason) in [
        (r#"{"labels":["a","b"],"counts":[[1,0]]}"#, "2 rows of 2"),
        (r#"{"labels":["a","b"],"counts":[[1,0],[1]]}"#, "2 rows of 2"),
        (r#"{"labels":["a"],"cells":[[0,1,1]]}"#, "outside"),
        (r#"{"labels":["a"],"cells":[[0,0,18446744073709551615],[0,0,1]]}"#, "overflow"),
        (r#"{"labels":["a"]}"#, "either"),
    ] {
        let message = serde_json::from_str::<ConfusionMatrix>(json).unwrap_err().to_string();
        assert!(message.contains(reason), "{json}: {message}");
    }
}

#[test]
fn a_class_with_the_name_of_an_average_gives_way_to_it() {
    let classes = ["accuracy".to_owned(), "dogs".to_owned()];
    let evaluation = evaluate_rows(&classes, &[0, 1], &[vec![0.9, 0.1], vec![0.8, 0.2]]);
    let json = serde_json::to_value(&evaluation).unwrap();
    assert_eq!(json["classification_report"]["accuracy"], 0.5);
    assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), evaluation);
}

//! The page as a whole: what it must hold, what must never get into it, and how large it may become.

use std::path::PathBuf;

use topwork::Isa;
use topwork::dataset::{SkipReason, Skipped, Subset};
use topwork::metrics::{Evaluation, evaluate};
use topwork::photo::{Photo, Reason, Unreadable};
use topwork::report::{Picture, Report, SetReport, html, thumbnail};
use topwork::train::{Epoch, Gain, History, LinearChoice, Trial};

/// Names that break out of markup, attributes, lines or the direction of writing.
const UGLY: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "a\nb\tc",
    "' onload='x",
    "&amp;",
    "\u{202e}gpj.exe",
];

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class:04}")).collect()
}

/// `photos` rows, each sure of a class: the true one, but for every seventh photo.
fn evaluation(classes: &[String], photos: usize) -> Evaluation {
    let rows: Vec<(usize, Vec<f64>)> = (0..photos)
        .map(|photo| {
            let label = photo % classes.len();
            let predicted = if photo % 7 == 3 { (label + 1) % classes.len() } else { label };
            let sure = |class| if class == predicted { 0.9 } else { 0.1 / (classes.len() - 1) as f64 };
            (label, (0..classes.len()).map(sure).collect())
        })
        .collect();
    evaluate(classes, rows.iter().map(|(label, row)| (*label, row.as_slice())))
}

fn picture(name: &str, actual: &str, predicted: &str) -> Picture {
    let photo =
        Photo { width: 320, height: 240, pixels: (0..320 * 240 * 3).map(|at| (at % 251) as u8).collect() };
    Picture {
        thumbnail: Some(thumbnail(&photo, 224, Isa::best()).expect("a thumbnail")),
        name: name.to_owned(),
        actual: Some(actual.to_owned()),
        predicted: predicted.to_owned(),
        probability: 0.987,
    }
}

fn history(epochs: usize) -> History {
    let epoch = |epoch: usize| Epoch {
        epoch,
        loss: 1.0 / epoch as f64,
        accuracy: 1.0 - 0.5 / epoch as f64,
        val_loss: Some(1.1 / epoch as f64),
        val_accuracy: Some(1.0 - 0.6 / epoch as f64),
        learning_rate: 0.001,
    };
    History { epochs: (1..=epochs).map(epoch).collect(), best_epoch: Some(epochs / 2 + 1) }
}

fn skipped(name: &str, reason: &str, detail: &str) -> Skipped {
    Skipped {
        name: name.to_owned(),
        path: Some(PathBuf::from("/home/somebody/private").join(name)),
        reason: SkipReason::Unreadable(Unreadable::new(Reason::named(reason).expect("a reason"), detail)),
        label: None,
        set: None,
    }
}

fn full(classes: &[String]) -> Report {
    let set = |set, photos| SetReport { set, evaluation: evaluation(classes, photos) };
    let text = |name: &str| vec![(name.to_owned(), "value".to_owned())];
    Report {
        title: "pets".to_owned(),
        summary: "two classes".to_owned(),
        command: "topwork train pets".to_owned(),
        notes: vec!["Look out.".to_owned()],
        sets: vec![set(Subset::Validation, 70), set(Subset::Test, 140)],
        mistakes: vec![picture("a/1.jpg", &classes[0], &classes[1])],
        grid: vec![
            picture("a/2.jpg", &classes[0], &classes[0]),
            picture("b/3.jpg", &classes[1], &classes[0]),
        ],
        history: Some(history(12)),
        history_step: "epoch".to_owned(),
        choice: Some(LinearChoice {
            strength: 0.01,
            tap_weight: 1.0,
            folds: Some(5),
            trials: [0.0, 1.0]
                .map(|tap_weight| Trial {
                    strength: 0.01,
                    tap_weight,
                    photos: 70,
                    log_loss: 0.25 - 0.05 * tap_weight,
                    accuracy: 0.95,
                })
                .to_vec(),
            gain: Some(Gain { log_loss: 0.05, standard_error: 0.01 }),
        }),
        skipped: vec![skipped("a/broken.jpg", "corrupt", "the data end early")],
        settings: text("seed"),
        versions: text("numerics"),
        digests: text("weights"),
        seconds: vec![("features".to_owned(), 3.0), ("head".to_owned(), 1.0)],
    }
}

/// Fails on what a browser would act on: anything that loads, runs or leads away.
#[track_caller]
fn assert_inert(page: &str) {
    let page = page.to_lowercase();
    let active = ["script", "link", "iframe", "object", "embed", "form", "base", "a", "image", "use"];
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("every tag is closed");
        let name = tag.split(' ').next().unwrap_or_default();
        assert!(!active.contains(&name), "<{tag}>");
        // Every second part between quotes is outside of an attribute's value.
        for part in tag.split('"').step_by(2) {
            assert!(!part.trim_start().starts_with("on"), "an event handler in <{tag}>");
        }
    }
    let sources = page.split("<img ").skip(1).map(|image| &image[..40]);
    for source in sources {
        assert!(source.starts_with("src=\"data:image/jpeg;base64,"), "{source}");
    }
    let style =
        page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).expect("a style").0;
    for load in ["@import", "url(", "http"] {
        assert!(!style.contains(load), "{load} in the style sheet");
    }
}

/// Fails unless every tag that is opened is closed, in order.
#[track_caller]
fn assert_well_formed(page: &str) {
    const VOID: [&str; 4] = ["meta", "img", "br", "wbr"];
    let mut open: Vec<&str> = Vec::new();
    let after_style = page.split_once("</style>").expect("a style sheet").1;
    for tag in after_style.split('<').skip(1) {
        let name = tag.split(['>', ' ']).next().unwrap_or_default();
        match name.strip_prefix('/') {
            // Opened before the style sheet.
            Some("head" | "html") => {}
            Some(closed) => assert_eq!(open.pop(), Some(closed), "closed in the wrong order"),
            None if VOID.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn the_page_holds_everything_in_order_and_can_do_nothing() {
    let page = html(&full(&names(2)));
    assert_inert(&page);
    assert_well_formed(&page);
    let order = [
        "<h1>pets</h1>",
        "Test set",
        "Clearly better than always answering",
        "Look out.",
        "Validation set",
        "Worst mistakes",
        "Who was taken for whom",
        "Class by class",
        "A random sample",
        "Training",
        "Loss (nats)",
        "Accuracy (%)",
        "Strength of regularisation",
        "Validation set in full",
        "Files left out",
        "a/broken.jpg",
        "What was run",
        "topwork train pets",
        "seed",
        "features",
        "numerics",
        "weights",
    ];
    let mut from = 0;
    for part in order {
        from += page[from..].find(part).unwrap_or_else(|| panic!("{part} is missing, or stands too early"));
    }
    assert!(page.contains("default-src 'none'"), "the policy forbids every load");
    assert!(!page.contains("/home/somebody"), "no path of this machine");
}

#[test]
fn every_plot_can_be_read_without_seeing_it() {
    let page = html(&full(&names(2)));
    let plots: Vec<&str> =
        page.split("<svg").skip(1).map(|rest| rest.split("</svg>").next().unwrap_or_default()).collect();
    assert_eq!(plots.len(), 2);
    for plot in plots {
        assert!(
            plot.contains("role=\"img\"") && plot.contains("<title id=") && plot.contains("<desc id="),
            "{plot}"
        );
        assert!(plot.contains("training: from") && plot.contains("validation: from"), "{plot}");
        for id in ["-title", "-text"] {
            assert_eq!(plot.matches(id).count(), 2, "an id and the reference to it: {plot}");
        }
    }
    assert!(page.contains("The numbers"), "and as a table");
    let right = "<span class=\"mark\" role=\"img\" aria-label=\"right\">✓</span>";
    assert!(page.contains(right) && page.contains(&right.replace("right", "wrong").replace('✓', "✗")));
    assert_eq!(page.matches("<img ").count(), page.matches(" alt=\"").count());
}

#[test]
fn ugly_names_stay_names_everywhere() {
    let mut classes: Vec<String> = UGLY.map(str::to_owned).to_vec();
    for many in [false, true] {
        if many {
            classes.extend(names(40));
        }
        let mut report = full(&classes);
        for ugly in UGLY {
            report.title += ugly;
            report.summary += ugly;
            report.command += ugly;
            report.notes.push(ugly.to_owned());
            report.mistakes.push(picture(ugly, ugly, "class"));
            report.mistakes.push(Picture { thumbnail: None, ..picture(ugly, "class", ugly) });
            report.grid.push(picture(ugly, ugly, ugly));
            report.skipped.push(skipped(ugly, "corrupt", ugly));
            for pairs in [&mut report.settings, &mut report.versions, &mut report.digests] {
                pairs.push((ugly.to_owned(), ugly.to_owned()));
            }
            report.seconds.push((ugly.to_owned(), 1.0));
        }
        report.history_step = UGLY[0].to_owned();
        let page = html(&report);
        assert_inert(&page);
        assert_well_formed(&page);
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("a\\nb\\tc") && page.contains("\\u{202e}gpj.exe"), "what is hidden is shown");
        assert!(!page.contains('\u{202e}'));
    }
}

#[test]
fn parts_without_data_are_left_out_or_say_so() {
    let of_test =
        |evaluation| Report { sets: vec![SetReport { set: Subset::Test, evaluation }], ..Report::default() };
    let empty = html(&Report::default());
    assert_well_formed(&empty);
    assert!(empty.contains("Nothing was evaluated"));
    let page = html(&of_test(evaluate(&names(2), [])));
    assert_well_formed(&page);
    assert!(page.contains("There was no photo to judge by") && !page.contains("NaN"));
    let page = html(&of_test(evaluate(&names(2), [(0, &[1.0, 0.0][..]), (1, &[0.0, 1.0][..])])));
    assert!(page.contains("None: all 2 photos were answered rightly"));
    for epochs in [0, 1] {
        let page = html(&Report { history: Some(history(epochs)), ..full(&names(2)) });
        assert_well_formed(&page);
        assert!(!page.contains("NaN"), "{epochs} epochs");
    }
}

#[test]
fn a_run_that_diverged_is_drawn_as_far_as_it_has_numbers() {
    let mut diverged = history(8);
    diverged.epochs[3].loss = f64::NAN;
    diverged.epochs[4].val_loss = Some(f64::INFINITY);
    let page = html(&Report { history: Some(diverged), ..full(&names(2)) });
    let lines: Vec<&str> =
        page.split(" points=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
    let counts: Vec<usize> = lines.iter().map(|line| line.split(' ').count()).collect();
    assert_eq!(counts, [7, 7, 8, 8], "points of loss, validation loss, accuracy, validation accuracy");
    assert!(lines.iter().all(|line| !line.contains("NaN") && !line.contains("inf")), "{lines:?}");
}

#[test]
fn the_verdict_follows_the_interval() {
    let verdict = |right: usize, n: usize| {
        let row = |at: usize| {
            let answered = if at < right { at % 2 } else { 1 - at % 2 };
            (at % 2, if answered == 0 { [0.9, 0.1] } else { [0.1, 0.9] })
        };
        let rows: Vec<(usize, [f64; 2])> = (0..n).map(row).collect();
        topwork::report::verdict(&evaluate(&names(2), rows.iter().map(|(label, row)| (*label, &row[..]))))
    };
    for (right, n, expected) in [
        (990, 1000, "Clearly better than always answering “class 0000”, which would be right for 50.0 %."),
        (500, 1000, "Not clearly better than"),
        (100, 1000, "Worse than"),
        (5, 10, "more labelled photos would narrow it"),
        (1, 1, "All photos are of one class"),
        (0, 0, "There was no photo"),
    ] {
        let text = verdict(right, n);
        assert!(text.contains(expected), "{right} of {n}: {text}");
    }
}

#[test]
fn thousands_of_classes_and_files_do_not_blow_up_the_page() {
    let classes = names(5_000);
    let long = "x".repeat(4_000);
    let mut report = full(&classes);
    report.sets = vec![SetReport { set: Subset::Test, evaluation: evaluation(&classes, 2_000) }];
    report.history = Some(history(20_000));
    let broken = skipped("broken.jpg", "corrupt", &long);
    report.skipped =
        (0..100_000).map(|at| Skipped { name: format!("{at}{long}"), ..broken.clone() }).collect();
    report.grid = (0..25).map(|_| picture("a.jpg", "a", "b")).collect();
    report.mistakes = (0..25).map(|_| picture("a.jpg", "a", "b")).collect();
    let page = html(&report);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    for stated in [
        "rarer kinds of mistakes",
        "The 100 classes with the lowest F1 of 5,000",
        "and 99,500 others",
        "skipped.csv",
        "history.csv",
    ] {
        assert!(page.contains(stated), "what is left out is stated: {stated}");
    }
}

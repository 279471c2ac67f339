//! Whole runs through `topwork::run`, without the program: from memory, without a disk, cancelled at each stage, in one session side
//! by side.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use topwork::dataset::{self, Sample, SkipReason, Subset};
use topwork::photo::Reason;
use topwork::run::{
    Answer, EvaluationOptions, Event, HeadOptions, Inspection, Job, PhotoToPredict, RunFolder, RunInfo,
    Session, SessionOptions, Stage, StoreOptions, TrainedRun, TrainingOptions, evaluate, inspect,
};
use topwork::{CancelToken, Classifier, Dataset, ErrorKind, Isa, Notice, Photo, PhotoSource};

const CLASSES: [&str; 2] = ["day", "night"];

fn session() -> Session {
    let store = StoreOptions::None;
    Session::open(SessionOptions { store, threads: Some(2), ..SessionOptions::default() }).unwrap()
}

fn photo(class: usize, number: usize) -> Photo {
    let light = [180, 5][class] + number;
    let pixels = (0..16 * 12 * 3).map(|at| (light + at * 7 % 20) as u8).collect();
    Photo { width: 16, height: 12, pixels }
}

/// The same pixels as a file.
fn ppm(photo: &Photo) -> Vec<u8> {
    [format!("P6 {} {} 255\n", photo.width, photo.height).as_bytes(), &photo.pixels].concat()
}

/// Photos in memory: every third one as pixels, the others as the bytes of files.
fn in_memory(count: usize) -> Dataset {
    let mut samples = Vec::new();
    for (label, class) in CLASSES.iter().enumerate() {
        for number in 0..count {
            let photo = photo(label, number);
            let source = match number % 3 {
                0 => PhotoSource::Pixels(Arc::new(photo)),
                _ => PhotoSource::Bytes(ppm(&photo).into()),
            };
            let set = (number % 5 == 4).then_some(Subset::Test);
            samples.push(Sample { set, ..Sample::new(format!("{class}/{number:02}.ppm"), source, label) });
        }
    }
    Dataset::from_samples(CLASSES.map(str::to_owned).to_vec(), samples).unwrap()
}

fn trained(
    options: TrainingOptions,
    data: Dataset,
    session: &Session,
    job: &Job,
) -> topwork::Result<TrainedRun> {
    options.plan(data)?.run(session, job)
}

fn options(change: impl FnOnce(&mut TrainingOptions)) -> TrainingOptions {
    let mut options = TrainingOptions::default();
    change(&mut options);
    options
}

#[test]
fn a_run_needs_no_disk() {
    let (session, job) = (session(), Job::default());
    let run = trained(TrainingOptions::default(), in_memory(20), &session, &job).unwrap();
    let (set, evaluation) = run.results.leading().unwrap();
    assert_eq!((*set, evaluation.n, evaluation.accuracy), (Subset::Test, 8, Some(1.0)));
    let files = run.files(&RunInfo { title: "light".to_owned(), ..RunInfo::default() }).unwrap();
    let names: Vec<&str> = files.files.iter().map(|file| file.name).collect();
    let expected = [
        "split.csv",
        "history.csv",
        "model.safetensors",
        "metrics.json",
        "predictions.csv",
        "skipped.csv",
        "report.html",
        "run.json",
    ];
    assert_eq!(names, expected);
    // Pictures of photos that have no file are in the report, too.
    let report = String::from_utf8(files.files[6].bytes.clone()).unwrap();
    assert_eq!(report.matches("data:image/jpeg").count(), 8);

    let classifier = Classifier::from_bytes(&files.files[2].bytes, session.isa()).unwrap();
    let unseen = photo(1, 33);
    let answer = classifier.answer("new", &PhotoSource::Pixels(Arc::new(unseen.clone())));
    assert_eq!(
        (answer.label.as_deref(), answer.class, answer.error.as_ref()),
        (Some("night"), Some(1), None)
    );
    assert_eq!(answer.probability, Some(answer.probabilities[1]));
    let again = classifier.answer("new", &PhotoSource::Bytes(ppm(&unseen).into()));
    assert_eq!(again, answer);

    let mut data = in_memory(20);
    data.samples.iter_mut().for_each(|sample| sample.set = Some(Subset::Evaluation));
    let evaluated = evaluate(&classifier, &data, &EvaluationOptions::default(), &session, &job).unwrap();
    assert_eq!(evaluated.results.evaluation(Subset::Evaluation).unwrap().n, 40);
    assert_eq!(evaluated.files(&RunInfo::default()).unwrap().files.len(), 5);
}

#[test]
fn a_folder_gives_the_bytes_that_memory_gives() {
    let folder = tempfile::tempdir().unwrap();
    for (label, class) in CLASSES.iter().enumerate() {
        for set in ["train", "test"] {
            std::fs::create_dir_all(folder.path().join("data").join(set).join(class)).unwrap();
        }
        for number in 0..10 {
            let set = if number % 5 == 4 { "test" } else { "train" };
            let path = folder.path().join("data").join(set).join(class).join(format!("{number:02}.ppm"));
            std::fs::write(path, ppm(&photo(label, number))).unwrap();
        }
    }
    let session = session();
    let read = dataset::open(&folder.path().join("data"), &dataset::Options::default()).unwrap();
    let mut memory = read.clone();
    for sample in &mut memory.samples {
        let bytes = std::fs::read(sample.photo.path().unwrap()).unwrap();
        sample.photo = PhotoSource::Bytes(bytes.into());
    }
    let reserved = RunFolder::reserve(&folder.path().join("run")).unwrap();
    let files = |data| {
        let run = trained(TrainingOptions::default(), data, &session, &Job::default()).unwrap();
        run.files(&RunInfo::default()).unwrap()
    };
    let (of_files, of_memory) = (files(read), files(memory));
    for (one, other) in of_files.files.iter().zip(&of_memory.files) {
        // These tell how long it took.
        let has_times = ["report.html", "run.json"].contains(&one.name);
        assert!(one.name == other.name && (has_times || one.bytes == other.bytes), "{}", one.name);
    }
    let path = reserved.commit(&of_files).unwrap();
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 8);
    assert_eq!(std::fs::read(path.join("model.safetensors")).unwrap(), of_memory.files[2].bytes);
    // A folder that was reserved in vain is gone.
    let reserved = RunFolder::reserve(&folder.path().join("run")).unwrap();
    let second = reserved.path().to_owned();
    assert_eq!(second, folder.path().join("run-2"));
    drop(reserved);
    assert!(!second.exists());
}

#[test]
fn a_run_can_be_cancelled_at_each_stage_and_the_next_one_goes_on() {
    let session = session();
    let dense = options(|options| {
        options.head = HeadOptions::Dense(vec![8]);
        options.epochs = Some(3);
        options.folds = Some(2);
    });
    let linear = options(|options| options.folds = Some(2));
    for options in [linear, dense] {
        let count = |events: &AtomicUsize| events.load(Ordering::Relaxed);
        let all = AtomicUsize::new(0);
        let job = Job { events: &|_| _ = all.fetch_add(1, Ordering::Relaxed), ..Job::default() };
        let whole = trained(options.clone(), in_memory(10), &session, &job).unwrap();
        let all = count(&all);
        assert!(all > 20, "{all} events");
        // The last event is that of the evaluation, or of a warning after it.
        let some = (1..all - 1).filter(|until| *until < 12 || until % (all / 8) == 0 || *until > all - 6);
        for until in some {
            let (cancel, events) = (CancelToken::new(), AtomicUsize::new(0));
            let stage = Mutex::new(None);
            let listen = |event: Event| {
                if let Event::Stage(now) = event {
                    *stage.lock().unwrap() = Some(now);
                }
                if events.fetch_add(1, Ordering::Relaxed) + 1 == until {
                    cancel.cancel();
                }
            };
            let job = Job { events: &listen, cancel: &cancel };
            match trained(options.clone(), in_memory(10), &session, &job) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{until} of {all}: {error}"),
                Ok(_) => {
                    let last = *stage.lock().unwrap();
                    assert_eq!(last, Some(Stage::Evaluation), "{until} of {all} was not heard");
                }
            }
        }
        // The same session, another token.
        let again = trained(options.clone(), in_memory(10), &session, &Job::default()).unwrap();
        assert_eq!(again.classifier.to_bytes().unwrap(), whole.classifier.to_bytes().unwrap());
    }
}

#[test]
fn threads_share_a_session() {
    let session = session();
    let models: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let run = || {
            let run = trained(TrainingOptions::default(), in_memory(10), &session, &Job::default()).unwrap();
            run.classifier.to_bytes().unwrap()
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(models.windows(2).all(|pair| pair[0] == pair[1]));
    // Classifiers on one backbone have one network in memory.
    let runs = [0, 1].map(|seed| {
        let options = options(|options| options.seed = seed);
        trained(options, in_memory(10), &session, &Job::default()).unwrap()
    });
    let [one, other] = runs.each_ref().map(|run| run.classifier.extractor().backbone());
    assert!(std::ptr::eq(one, other));
}

#[test]
fn answers_come_in_order_and_can_be_ended() {
    let (session, job) = (session(), Job::default());
    let run = trained(TrainingOptions::default(), in_memory(10), &session, &job).unwrap();
    let photos = (0..600).map(|number| {
        let photo = match number % 50 {
            7 => Err(SkipReason::Loop),
            8 => Ok(PhotoSource::Bytes(b"no photo".as_slice().into())),
            _ => Ok(PhotoSource::Pixels(Arc::new(photo(number % 2, number % 30)))),
        };
        PhotoToPredict { name: number.to_string(), photo }
    });
    let mut answers: Vec<Answer> = Vec::new();
    let sink = |answer| {
        answers.push(answer);
        if answers.len() < 550 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    run.classifier.predict(photos, &session, &job, sink).unwrap();
    assert_eq!(answers.len(), 550);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.name, number.to_string());
        match number % 50 {
            7 => assert_eq!(answer.error, Some(SkipReason::Loop)),
            8 => assert!(
                matches!(&answer.error, Some(SkipReason::Unreadable(why)) if why.reason == Reason::NotAnImage)
            ),
            _ => assert_eq!(answer.label.as_deref(), Some(CLASSES[number % 2]), "{number}"),
        }
        assert_eq!(answer.top(1).first().map(|(class, _)| *class), answer.class);
    }
}

#[test]
fn groups_never_part() {
    let session = session();
    let mut data = in_memory(40);
    for (index, sample) in data.samples.iter_mut().enumerate() {
        sample.set = None;
        sample.group = Some(format!("group {}", index / 3));
    }
    let groups: Vec<Option<String>> = data.samples.iter().map(|sample| sample.group.clone()).collect();
    let split = trained(TrainingOptions::default(), data.clone(), &session, &Job::default()).unwrap();
    let validating = split.split.of_set(Subset::Validation);
    assert!((8..=12).contains(&validating.len()), "{} photos validate", validating.len());
    for index in 0..groups.len() {
        for other in 0..groups.len() {
            assert!(groups[index] != groups[other] || split.split.sets[index] == split.split.sets[other]);
        }
    }
    let folds = options(|options| options.folds = Some(5));
    let run = trained(folds, data, &session, &Job::default()).unwrap();
    let fold_of = &run.folds.as_ref().unwrap().folds.fold_of;
    for (index, fold) in fold_of.iter().enumerate() {
        for (other, of) in fold_of.iter().enumerate() {
            assert!(groups[index] != groups[other] || fold == of, "{index} and {other} part");
        }
    }
}

#[test]
fn a_plan_refuses_before_any_work() {
    let refused = |change: fn(&mut TrainingOptions), kind: ErrorKind| {
        let error = options(change).plan(in_memory(5)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    };
    refused(|options| options.backbone = "none".to_owned(), ErrorKind::Configuration);
    refused(|options| options.validation_share = 1.0, ErrorKind::Configuration);
    refused(|options| options.folds = Some(6), ErrorKind::Configuration);
    refused(|options| options.folds = Some(1), ErrorKind::Configuration);
    refused(|options| options.batch_size = 0, ErrorKind::Configuration);
    refused(|options| options.epochs = Some(0), ErrorKind::Configuration);
    refused(|options| options.learning_rate = f64::NAN, ErrorKind::Configuration);
    refused(|options| options.head = HeadOptions::Dense(vec![0]), ErrorKind::Configuration);
    let one = Dataset::from_samples(vec!["day".to_owned()], Vec::new()).unwrap();
    assert_eq!(TrainingOptions::default().plan(one).unwrap_err().kind(), ErrorKind::Dataset);
    let unsorted = Dataset::from_samples(vec!["b".to_owned(), "a".to_owned()], Vec::new());
    assert_eq!(unsorted.unwrap_err().kind(), ErrorKind::Dataset);
    let unknown = vec![Sample::new("a", PhotoSource::Bytes(b"".as_slice().into()), 2)];
    let unknown = Dataset::from_samples(CLASSES.map(str::to_owned).to_vec(), unknown);
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Dataset);
}

#[test]
fn options_are_json_with_defaults() {
    let parsed = |text: &str| serde_json::from_str::<TrainingOptions>(text);
    assert_eq!(parsed("{}").unwrap(), TrainingOptions::default());
    let text = r#"{"head": {"dense": [64]}, "folds": 5, "class_weight": "balanced", "precision": "f32"}"#;
    let options = parsed(text).unwrap();
    assert_eq!((options.head.hidden_layers(), options.folds, options.seed), (&[64][..], Some(5), 42));
    assert!(parsed(r#"{"fold": 5}"#).is_err(), "a name that is not one");
    let notebook = TrainingOptions::notebook();
    assert_eq!(parsed(&serde_json::to_string(&notebook).unwrap()).unwrap(), notebook);
}

#[test]
fn an_inspection_tells_what_training_would_meet() {
    let mut data = in_memory(6);
    let twin = data.samples[1].photo.clone();
    data.samples.push(Sample::new("night/twin.ppm", twin, 1));
    data.samples.push(Sample::new("night/zero.jpg", PhotoSource::Bytes(b"".as_slice().into()), 1));
    let notices = Mutex::new(Vec::<Notice>::new());
    let listen = |event: Event| {
        if let Event::Notice(notice) = event {
            notices.lock().unwrap().push(notice.clone());
        }
    };
    let job = Job { events: &listen, ..Job::default() };
    let found: Inspection = inspect(data, &Default::default(), &session(), &job).unwrap();
    assert_eq!((found.conflicts(), found.skipped.files().len()), (2, 3));
    assert_eq!(found.skipped.by_reason(), [("conflict", 2), ("empty", 1)]);
    assert!(found.problem.is_none() && notices.into_inner().unwrap().is_empty());
    assert!(found.skipped.too_many(0.1).is_some() && found.skipped.too_many(0.5).is_none());
}

/// Everything that a session runs uses its instruction set: the library nowhere chooses one by itself.
#[test]
fn the_instruction_set_is_chosen_in_one_place() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.ends_with("tests.rs")
                && !["contract.rs", "reference.rs", "formula.rs"].contains(&name.as_str())
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                if code
                    .lines()
                    .any(|line| line.contains("Isa::best()") && !line.trim_start().starts_with("//"))
                {
                    found.push(path.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/"));
                }
            }
        }
    }
    found.sort();
    assert_eq!(found, ["execution.rs", "run/session.rs"]);
    let scalar = SessionOptions { isa: Some(Isa::SCALAR), store: StoreOptions::None, threads: Some(1) };
    let plain =
        trained(TrainingOptions::default(), in_memory(10), &Session::open(scalar).unwrap(), &Job::default());
    let best = trained(TrainingOptions::default(), in_memory(10), &session(), &Job::default()).unwrap();
    let plain = plain.unwrap();
    assert_eq!(plain.classifier.extractor().isa(), Isa::SCALAR);
    assert_eq!(plain.classifier.to_bytes().unwrap(), best.classifier.to_bytes().unwrap());
}

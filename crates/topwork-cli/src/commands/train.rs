//! `topwork train`: photos with classes → features → split → head → evaluation → a run folder.

mod epochs;
mod head;

use std::io::Write;
use std::path::Path;

use serde_json::json;
use topwork::dataset::name::visible;
use topwork::dataset::split::{Conflicts, Rule, Split, split};
use topwork::dataset::{self, Dataset, Options, Set};
use topwork::features::extract::Extraction;
use topwork::features::look_warnings;
use topwork::train::{ClassWeight, Examples, LinearChoice};
use topwork::{Classifier, Error, ErrorKind, Extractor, backbone};

use self::head::{Trained, class_weight, train_head};
use crate::arguments::{ConflictsChoice, FeaturesChoice, HeadChoice, RecipeChoice, SplitChoice, Train};
use crate::failure::{Failure, Outcome};
use crate::recipe::Recipe;
use crate::results::{Results, Skips, check_formats};
use crate::run_folder::RunFolder;
use crate::terminal::Terminal;
use crate::work::{self, Stopwatch, counted};

/// With fewer validation photos than this, the interval of the accuracy is wide and folds say more.
const FEW_VALIDATION_PHOTOS: usize = 300;

/// The folds that are suggested then, where the classes are large enough.
const SUGGESTED_FOLDS: usize = 5;

pub(crate) fn run(arguments: &Train) -> Result<Outcome, Failure> {
    let (outcome, _) = train(arguments)?;
    Ok(outcome)
}

/// Trains and prints the summary; also used by the demo.
pub(crate) fn train(arguments: &Train) -> Result<(Outcome, std::path::PathBuf), Failure> {
    let terminal = Terminal::new(arguments.work.quiet);
    let mut stopwatch = Stopwatch::start();
    let recipe = Recipe::of(arguments);
    let row = backbone::row(&recipe.backbone)?;
    let weights = row.weights()?;
    stopwatch.stage("weights");
    let dataset =
        list(&arguments.data, arguments.test.as_deref(), &arguments.understanding.options(), terminal)?;
    stopwatch.stage("list");
    let precision = recipe.precision.into();
    let photos = training_paths(&dataset);
    let backbone = work::backbone_on(row, &weights, precision, &photos, &arguments.work, terminal)?;
    let extractor = match recipe.features {
        FeaturesChoice::Auto => Extractor::with_tap(backbone),
        FeaturesChoice::Last => Extractor::new(backbone),
    };
    drop(weights);
    stopwatch.stage("network");

    let folder = RunFolder::reserve(&arguments.out)?;
    let extractor = extractor.in_range(arguments.level.unwrap_or_default());
    let (extractor, extraction) = work::extract_choosing(
        extractor,
        &paths(&dataset),
        &training_places(&dataset),
        &arguments.work,
        terminal,
    )?;
    if let Some(note) = work::range_note(extractor.range(), work::of_sixteen_bits(&extraction)) {
        terminal.say(format!("note: {note}"));
    }
    stopwatch.stage("features");
    check_formats(&extraction, terminal)?;

    let split = split_photos(arguments, &recipe, &dataset, &extraction, terminal)?;
    let examples = examples(&dataset, &split, &extraction)?;
    let photos = counted(examples.training.len(), "photo");
    terminal.say(format!("training the head on {photos} of {}", counted(dataset.classes.len(), "class")));
    let trained = train_head(arguments, &recipe, &examples, terminal)?;
    stopwatch.stage("head");

    let settings = settings(arguments, &recipe, &trained);
    let skips = Skips::new(&dataset, &extraction, &split);
    let mut results = Results::new(&dataset.classes, arguments.seed);
    if let Some(folds) = &trained.folds {
        let probabilities = folds.probabilities.chunks_exact(dataset.classes.len());
        for (index, row) in split.of_set(Set::Training).into_iter().zip(probabilities) {
            results.add(&dataset.samples[index], Set::CrossValidation, row.to_vec());
        }
    }
    for set in [Set::Validation, Set::Test] {
        for index in split.of_set(set) {
            let inputs = extraction.features.inputs(row_of(&extraction, index)?, trained.tap.as_ref());
            let probabilities = trained.head.probabilities(&inputs);
            results.add(&dataset.samples[index], set, probabilities);
        }
    }
    results.evaluate();
    stopwatch.stage("evaluation");

    let smallest = smallest_class(&dataset, &split);
    let mut notes = notes(&dataset, &split, &results, smallest);
    notes.extend(trained.choice.as_ref().and_then(choice_note));
    notes.extend(look_warnings(&dataset, &extraction));
    for note in notes.iter().filter(|note| !dataset.warnings.contains(note)) {
        terminal.warn(note);
    }
    let digests: Vec<_> = extraction.photos.iter().map(|photo| photo.digest).collect();
    let fold_of = trained.folds.as_ref().map(|folds| folds.folds.fold_of.as_slice());
    folder.write("split.csv", &dataset::manifest::csv(&dataset, &split, &digests, fold_of)?)?;
    folder.write("history.csv", &topwork::report::history_csv(&trained.history))?;
    let Trained { head, tap, history, choice, .. } = trained;
    let classifier = Classifier::new(extractor, head, tap, dataset.classes.clone(), settings.clone())?;
    folder.write("model.safetensors", &classifier.to_bytes()?)?;
    let mut page = results.page(&arguments.data, notes, classifier.extractor().isa());
    page.summary = format!(
        "{}, learned from {}; {} on the features of {}.",
        counted(dataset.classes.len(), "class"),
        counted(examples.training.len(), "photo"),
        settings["head"].as_str().unwrap_or("dense layers"),
        classifier.record().backbone.name
    );
    page.history_step = if recipe.head == HeadChoice::Linear { "iteration" } else { "epoch" }.to_owned();
    page.history = Some(history);
    page.choice = choice;
    results.finish(
        &folder,
        page,
        &classifier,
        &settings,
        &skips,
        &extraction,
        &arguments.work,
        &mut stopwatch,
    )?;

    let path = folder.finish();
    let mut out = std::io::stdout().lock();
    if arguments.recipe == Some(RecipeChoice::Notebook) {
        results.print_tables(&mut out)?;
    }
    results.print(&mut out, &skips, stopwatch.stages(), &path)?;
    let example = results.example().map_or_else(|| "PHOTO".to_owned(), work::shell_quoted);
    writeln!(out, "next: topwork predict --model {} {example}", work::shell_quoted(&path))?;
    let outcome = skips.outcome(arguments.max_skipped, terminal);
    Ok((outcome, path))
}

/// Lists the photos and says how they were understood.
pub(crate) fn list(
    data: &Path,
    test: Option<&Path>,
    options: &Options,
    terminal: Terminal,
) -> Result<Dataset, Failure> {
    let mut dataset = dataset::open(data, options)?;
    if let Some(test) = test {
        if dataset.samples.iter().any(|sample| sample.set == Some(Set::Test)) {
            let message = "the photos bring a test set of their own, and --test gives another";
            return Err(Error::new(ErrorKind::Configuration, message)
                .with_path(data)
                .with_hint("leave out --test, or give the training folder alone")
                .into());
        }
        // Columns and folders are told of DATA; the test photos are understood by themselves.
        let options = Options {
            merge_case: options.merge_case,
            skip_conflicts: options.skip_conflicts,
            ..Options::default()
        };
        dataset.add(dataset::open_as(test, &dataset.classes, Set::Test, &options)?);
    }
    for note in &dataset.notes {
        terminal.say(format!("note: {note}"));
    }
    let others: Vec<_> = dataset.ignored.iter().filter(|ignored| ignored.reason == "no-photo").collect();
    if let Some(first) = others.first() {
        let (number, name) = (counted(others.len(), "file"), visible(&first.name));
        terminal.say(format!("note: not used: {number} that by name are no photos, such as \"{name}\""));
    }
    for warning in &dataset.warnings {
        terminal.warn(warning);
    }
    Ok(dataset)
}

/// The files of a data set, in the order of its samples.
pub(crate) fn paths(dataset: &Dataset) -> Vec<&Path> {
    dataset.samples.iter().map(|sample| sample.path.as_path()).collect()
}

/// The files that may be looked at before there is a split.
fn training_paths(dataset: &Dataset) -> Vec<&Path> {
    training_places(dataset).into_iter().map(|index| dataset.samples[index].path.as_path()).collect()
}

/// The places of the photos that may choose something before there is a split: those of no test set.
pub(crate) fn training_places(dataset: &Dataset) -> Vec<usize> {
    (0..dataset.samples.len()).filter(|index| dataset.samples[*index].set != Some(Set::Test)).collect()
}

/// What identical photos in two classes are.
pub(crate) fn conflicts(choice: ConflictsChoice) -> Conflicts {
    match choice {
        ConflictsChoice::Error => Conflicts::Error,
        ConflictsChoice::Skip => Conflicts::Skip,
    }
}

fn split_photos(
    arguments: &Train,
    recipe: &Recipe,
    dataset: &Dataset,
    extraction: &Extraction,
    terminal: Terminal,
) -> Result<Split, Failure> {
    let rule = match (arguments.folds, recipe.split) {
        (Some(_), _) => Rule::AllTrain,
        (None, SplitChoice::Stratified) => Rule::Stratified { share: arguments.val, seed: arguments.seed },
        (None, SplitChoice::Keras) => Rule::Keras { share: arguments.val },
    };
    let split =
        split(dataset, &extraction.usable_digests(), rule, conflicts(arguments.understanding.conflicts))?;
    for note in &split.notes {
        terminal.say(format!("note: {note}"));
    }
    Ok(split)
}

/// Photos to learn from and to watch, as rows of features.
struct SplitExamples<'a> {
    training: Examples<'a>,
    validation: Option<Examples<'a>>,
}

fn examples<'a>(
    dataset: &Dataset,
    split: &Split,
    extraction: &'a Extraction,
) -> Result<SplitExamples<'a>, Failure> {
    let of_set = |set: Set| -> Result<Examples<'a>, Failure> {
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        for index in split.of_set(set) {
            rows.push(row_of(extraction, index)?);
            labels.push(dataset.samples[index].label);
        }
        Ok(Examples::from_features(&extraction.features, &rows, labels, dataset.classes.len())?)
    };
    let (training, validation) = (of_set(Set::Training)?, of_set(Set::Validation)?);
    Ok(SplitExamples { training, validation: (!validation.is_empty()).then_some(validation) })
}

/// The row of features of a photo that is used.
pub(crate) fn row_of(extraction: &Extraction, index: usize) -> Result<usize, Failure> {
    extraction.photos[index].row.as_ref().copied().map_err(|unreadable| {
        Error::new(ErrorKind::Bug, format!("a photo without features is used ({unreadable})")).into()
    })
}

/// What the result depends on, as it is saved in the model and in `run.json`.
fn settings(arguments: &Train, recipe: &Recipe, trained: &Trained) -> serde_json::Value {
    let mut settings = json!({
        "class_weight": if class_weight(arguments) == ClassWeight::Balanced { "balanced" } else { "equal" },
        "seed": arguments.seed,
    });
    match arguments.folds {
        Some(folds) => settings["folds"] = json!(folds),
        None => {
            settings["validation_share"] = json!(arguments.val);
            settings["split"] =
                json!(if recipe.split == SplitChoice::Keras { "keras" } else { "stratified" });
        }
    }
    match &recipe.head {
        HeadChoice::Linear => settings["head"] = json!("logistic regression"),
        HeadChoice::Dense(layers) => {
            settings["head"] = json!("dense layers");
            settings["layers"] = json!(layers);
            settings["epochs"] = json!(trained.epochs);
            settings["batch_size"] = json!(recipe.batch_size);
            settings["learning_rate"] = json!(arguments.learning_rate);
            settings["best_epoch"] = json!(trained.history.best_epoch);
        }
    }
    if let Some(choice) = &trained.choice {
        if recipe.head == HeadChoice::Linear {
            settings["strength"] = json!(choice.strength);
        }
        if choice.gain.is_some() {
            settings["tap_weight"] = json!(choice.tap_weight);
        }
    }
    settings["features"] = json!(if recipe.features == FeaturesChoice::Last { "last" } else { "auto" });
    if let Some(folds) = trained.folds.as_ref().filter(|folds| !folds.strengths.is_empty()) {
        settings["strength_of_folds"] = json!(folds.strengths);
        if recipe.features == FeaturesChoice::Auto {
            settings["tap_weight_of_folds"] = json!(folds.tap_weights);
        }
    }
    settings
}

/// How many photos the smallest class has for training and validation together.
fn smallest_class(dataset: &Dataset, split: &Split) -> usize {
    let mut counts = vec![0; dataset.classes.len()];
    for set in [Set::Training, Set::Validation] {
        for index in split.of_set(set) {
            counts[dataset.samples[index].label] += 1;
        }
    }
    counts.into_iter().min().unwrap_or(0)
}

/// What a reader must know about the choice of C.
fn choice_note(choice: &LinearChoice) -> Option<String> {
    if choice.folds.is_none() {
        return Some(format!("no class has two photos, so nothing chose C: it is {}", choice.strength));
    }
    let end = format!("the best C is {}, the last one tried; a better one may lie beyond", choice.strength);
    choice.is_at_the_end().then_some(end)
}

/// What a reader of the figures must know.
fn notes(dataset: &Dataset, split: &Split, results: &Results, smallest_class: usize) -> Vec<String> {
    let mut notes = dataset.warnings.clone();
    notes.extend(split.warnings.iter().cloned());
    let validation = split.of_set(Set::Validation).len();
    let folds = smallest_class.min(SUGGESTED_FOLDS);
    let few = match validation {
        _ if results.evaluation(Set::CrossValidation).is_some() => None,
        0 if results.evaluation(Set::Test).is_none() => {
            Some("no photo was held out, so the accuracy is unknown".to_owned())
        }
        1..FEW_VALIDATION_PHOTOS => Some(format!("validation has only {}", counted(validation, "photo"))),
        _ => None,
    };
    if let Some(few) = few {
        // Folds need a photo of every class each; with fewer, only more photos help.
        notes.push(match folds {
            0 | 1 => few,
            _ => format!("{few}: --folds {folds} predicts every training photo and says more"),
        });
    }
    notes
}

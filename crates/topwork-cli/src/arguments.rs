//! What can be typed: commands, options, and the examples that end every `--help`.

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use topwork::Precision;
use topwork::dataset::Options;
use topwork::dataset::split::Conflicts;
use topwork::photo::SampleRange;
use topwork::run::{
    EvaluationOptions, FeatureLayers, HeadOptions, InspectionOptions, SplitRule, TrainingOptions,
};
use topwork::train::ClassWeight;

/// Turns a folder of photos into an image classifier you can trust.
#[derive(Parser)]
#[command(name = "topwork", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Examples:
  topwork demo                              run the full pipeline on generated images
  topwork check PHOTOS                      show how topwork reads a folder of class folders
  topwork train PHOTOS                      train, evaluate and write topwork-run/report.html
  topwork predict --model topwork-run new.jpg")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Train a classifier on photos and evaluate it
    Train(Train),
    /// Evaluate a classifier on photos whose classes are known
    Evaluate(Evaluate),
    /// Classify photos
    Predict(Predict),
    /// Show how topwork reads a folder or table of photos, without training
    Check(Check),
    /// Run the full pipeline on generated images
    Demo(Demo),
    /// List the backbones, or the layers of one
    Backbones(Backbones),
    /// Show or clear the feature store
    Store(Store),
    /// List, download, add and verify the weights of backbones
    Weights(Weights),
    /// Measure the speed of the pipeline, stage by stage, and of the network
    Bench(Bench),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// Where features are kept, and how many threads to use.
#[derive(Args)]
pub(crate) struct Work {
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Folder of the feature store [default: TOPWORK_CACHE, or the user's cache folder]
    #[arg(long, value_name = "DIR", conflicts_with = "no_store")]
    pub(crate) store: Option<PathBuf>,
    /// Do not read or write the feature store
    #[arg(long)]
    pub(crate) no_store: bool,
    /// Print only results, warnings and errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// How a folder or table of photos is read.
#[derive(Args, Clone, Default)]
pub(crate) struct Reading {
    /// Column of a table with the file names [default: recognised by its title]
    #[arg(long, value_name = "TITLE")]
    pub(crate) filename_column: Option<String>,
    /// Column of a table with the labels [default: recognised by its title]
    #[arg(long, value_name = "TITLE")]
    pub(crate) label_column: Option<String>,
    /// Column of a table with the sets [default: recognised by its title]
    #[arg(long, value_name = "TITLE")]
    pub(crate) set_column: Option<String>,
    /// Folder that a table's file names are relative to [default: the table's own, or one next to or above it]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) photos: Option<PathBuf>,
    /// Merge classes that differ only in upper and lower case
    #[arg(long)]
    pub(crate) merge_case: bool,
    /// What to do with identical photos in two classes, and with files that have two labels in a table
    #[arg(long, value_enum, default_value_t = ConflictsChoice::Error)]
    pub(crate) conflicts: ConflictsChoice,
}

impl Reading {
    pub(crate) fn options(&self) -> Options {
        Options {
            filename_column: self.filename_column.clone(),
            label_column: self.label_column.clone(),
            set_column: self.set_column.clone(),
            photos: self.photos.clone(),
            merge_case: self.merge_case,
            skip_conflicts: self.conflicts == ConflictsChoice::Skip,
        }
    }

    pub(crate) fn evaluation(&self) -> EvaluationOptions {
        let mut options = EvaluationOptions::default();
        options.conflicts = self.conflicts.into();
        options
    }
}

impl Train {
    /// The preset that was chosen, and over it whatever was typed.
    pub(crate) fn options(&self) -> TrainingOptions {
        let mut options = match self.recipe {
            None => TrainingOptions::default(),
            Some(RecipeChoice::Notebook) => TrainingOptions::notebook(),
        };
        fn set<T: Clone>(option: &mut T, typed: Option<&T>) {
            typed.into_iter().for_each(|typed| option.clone_from(typed));
        }
        set(&mut options.backbone, self.backbone.as_ref());
        set(&mut options.precision, self.precision.map(Precision::from).as_ref());
        set(&mut options.features, self.features.map(FeatureLayers::from).as_ref());
        set(&mut options.head, self.head.as_ref());
        set(&mut options.split, self.split.map(SplitRule::from).as_ref());
        set(&mut options.batch_size, self.batch_size.map(|size| size as usize).as_ref());
        set(&mut options.samples, self.level.as_ref());
        options.validation_share = self.val;
        options.folds = self.folds.map(usize::from);
        options.class_weight = match self.class_weight {
            None => ClassWeight::Equal,
            Some(ClassWeightChoice::Balanced) => ClassWeight::Balanced,
        };
        options.conflicts = self.reading.conflicts.into();
        options.epochs = self.epochs.map(|epochs| epochs as usize).or(options.epochs);
        options.learning_rate = self.learning_rate;
        options.seed = self.seed;
        options
    }

    pub(crate) fn inspection(&self) -> InspectionOptions {
        let mut options = InspectionOptions::default();
        options.samples = self.level.unwrap_or_default();
        options
    }
}

#[derive(Args)]
#[command(
    after_help = "DATA is a folder of class folders (PHOTOS/cat/1.jpg), a folder that holds train and test
(and validation) folders of them, or a CSV with the columns filename,label and optionally set.

Examples:
  topwork train PHOTOS
  topwork train PHOTOS --folds 5                 cross-validation: predict every photo
  topwork train PHOTOS --test OTHER --out run-2
  topwork train labels.csv --class-weight balanced
  topwork train PHOTOS --head 1024,512,256,128   dense layers instead of logistic regression
  topwork train PHOTOS --recipe notebook         ResNet-50 and dense layers, as in the Keras notebook
  topwork train PHOTOS --recipe notebook --backbone efficientnet_lite0"
)]
pub(crate) struct Train {
    /// Folder or CSV of photos with their classes
    pub(crate) data: PathBuf,
    /// Test set, if DATA has none; never used for model selection
    #[arg(long, value_name = "DATA")]
    pub(crate) test: Option<PathBuf>,
    /// Folder for the results; a folder that is not empty is never overwritten
    #[arg(long, value_name = "RUN", default_value = "topwork-run")]
    pub(crate) out: PathBuf,
    /// Preset for options not given below
    #[arg(long, value_enum)]
    pub(crate) recipe: Option<RecipeChoice>,
    /// Head: linear (logistic regression), or units of dense layers [default: linear]
    #[arg(long, value_name = "linear|N,N,…", value_parser = head)]
    pub(crate) head: Option<HeadOptions>,
    /// Share of the training photos held out for validation
    #[arg(long, value_name = "SHARE", default_value = "0.15", value_parser = share, conflicts_with = "folds")]
    pub(crate) val: f64,
    /// Number of cross-validation folds, in place of one validation set
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) folds: Option<u16>,
    /// How validation photos are chosen [default: stratified]
    #[arg(long, value_enum, conflicts_with = "folds")]
    pub(crate) split: Option<SplitChoice>,
    /// Seed of the split, the folds and the initial weights
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Weight classes inversely to their size
    #[arg(long, value_enum)]
    pub(crate) class_weight: Option<ClassWeightChoice>,
    /// Backbone: the network that computes the features [default: efficientnet_lite0]
    #[arg(long, value_name = "NAME", value_parser = backbone_names())]
    pub(crate) backbone: Option<String>,
    /// Precision of the network [default: int8]
    #[arg(long, value_enum)]
    pub(crate) precision: Option<PrecisionChoice>,
    /// Layers whose features the head uses [default: auto]
    #[arg(long, value_enum)]
    pub(crate) features: Option<FeaturesChoice>,
    /// Dense layers: maximum number of epochs [default: as many as take no longer than the features; 100 with a recipe]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) epochs: Option<u32>,
    /// Dense layers: batch size [default: 32]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) batch_size: Option<u32>,
    /// Dense layers: initial learning rate
    #[arg(long, default_value_t = 0.001, value_parser = positive)]
    pub(crate) learning_rate: f64,
    /// Values of 16-bit photos shown as black and white [default: 0 and the largest value of the bits in use]
    #[arg(long, value_name = "BLACK,WHITE", value_parser = level)]
    pub(crate) level: Option<SampleRange>,
    /// Share of files that may be skipped; above it, the exit status is 3
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = share_or_percent)]
    pub(crate) max_skipped: f64,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) work: Work,
}

#[derive(Args)]
#[command(after_help = "Examples:
  topwork evaluate --model topwork-run NEW_PHOTOS
  topwork evaluate --model topwork-run/model.safetensors labels.csv --out evaluation-1")]
pub(crate) struct Evaluate {
    /// Run folder, or the model file in it
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) model: PathBuf,
    /// Folder or CSV of photos with their classes, named as in the model
    pub(crate) data: PathBuf,
    /// Folder for the results; a folder that is not empty is never overwritten
    #[arg(long, value_name = "RUN", default_value = "topwork-evaluation")]
    pub(crate) out: PathBuf,
    /// Share of files that may be skipped; above it, the exit status is 3
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = share_or_percent)]
    pub(crate) max_skipped: f64,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) work: Work,
}

#[derive(Args)]
#[command(after_help = "Examples:
  topwork predict elephant.jpg                           ImageNet's 1,000 classes, without training
  topwork predict --backbone resnet50 elephant.jpg       the same by another network
  topwork predict --model topwork-run new.jpg FOLDER
  topwork predict --model topwork-run FOLDER --format csv --top 1 > answers.csv
  find . -name '*.jpg' | topwork predict --model topwork-run - --format json")]
pub(crate) struct Predict {
    /// Run folder, or the model file in it [default: ImageNet's 1,000 classes]
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Without a model: backbone with ImageNet classes [default: efficientnet_lite0]
    #[arg(long, value_name = "NAME", value_parser = backbone_names(), conflicts_with = "model")]
    pub(crate) backbone: Option<String>,
    /// Without a model: precision of the network [default: int8 if it is calibrated, else f32]
    #[arg(long, value_enum, conflicts_with = "model")]
    pub(crate) precision: Option<PrecisionChoice>,
    /// Photos, folders, patterns like '*.jpg', or - for a list on standard input, one name per line
    #[arg(required = true, value_name = "PHOTO|FOLDER|-")]
    pub(crate) photos: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Number of classes per photo, the most probable first
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top: u32,
    #[command(flatten)]
    pub(crate) work: Work,
}

/// Those of training, so that the same line says what it would find; what decides nothing here is hidden.
#[derive(Args)]
#[command(after_help = "The other options of `train` are accepted and ignored.

Examples:
  topwork check PHOTOS
  topwork check labels.csv --label-column species --merge-case")]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) train: Train,
}

/// Options of `check` that its help shows.
const SHOWN_IN_CHECK: [&str; 13] = [
    "data",
    "test",
    "level",
    "filename_column",
    "label_column",
    "set_column",
    "photos",
    "merge_case",
    "conflicts",
    "max_skipped",
    "threads",
    "quiet",
    "help",
];

impl Arguments {
    /// What the program was started with; ends it with help or a message where that is asked for or wrong.
    pub(crate) fn of_program() -> Arguments {
        let is_shown = |argument: &clap::Arg| SHOWN_IN_CHECK.contains(&argument.get_id().as_str());
        let command = Arguments::command().mut_subcommand("check", |check| {
            check.mut_args(|argument| {
                let is_hidden = !is_shown(&argument);
                argument.hide(is_hidden)
            })
        });
        Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

#[derive(Args)]
#[command(after_help = "Examples:
  topwork demo
  topwork demo --out /tmp/demo")]
pub(crate) struct Demo {
    /// Folder for the images and the results; a folder that is not empty is never overwritten
    #[arg(long, value_name = "DIR", default_value = "topwork-demo")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) work: Work,
}

#[derive(Args)]
#[command(after_help = "Examples:
  topwork backbones
  topwork backbones --layers resnet50
  topwork backbones --layers resnet50 --head 1024,512,256,128 --classes 2")]
pub(crate) struct Backbones {
    /// Show the layers of this backbone: sizes, parameters, frozen or trained
    #[arg(long, value_name = "NAME", value_parser = backbone_names())]
    pub(crate) layers: Option<String>,
    /// Show the layers of this head, too: linear, or units of dense layers
    #[arg(long, value_name = "linear|N,N,…", value_parser = head, requires = "layers")]
    pub(crate) head: Option<HeadOptions>,
    /// Number of classes of the head
    #[arg(long, value_name = "N", default_value_t = 2, requires = "head", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) classes: u32,
}

#[derive(Args)]
#[command(after_help = "Examples:
  topwork store size
  topwork store clear")]
pub(crate) struct Store {
    /// What to do
    #[arg(value_enum)]
    pub(crate) action: StoreAction,
    /// Folder of the feature store [default: TOPWORK_CACHE, or the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StoreAction {
    /// Print the path of the store
    Path,
    /// Print the number of photos, and the size
    Size,
    /// Delete the store; photos are not touched
    Clear,
}

#[derive(Args)]
#[command(
    after_help = "Weights are kept in the folder `weights` of the user's cache folder (TOPWORK_CACHE). Those already downloaded by
torch, Keras and Hugging Face are used where they are.

Examples:
  topwork weights list
  topwork weights get resnet50
  topwork weights add my.safetensors --backbone resnet50_torchvision
  topwork weights verify"
)]
pub(crate) struct Weights {
    #[command(subcommand)]
    pub(crate) action: WeightsAction,
}

#[derive(Subcommand)]
pub(crate) enum WeightsAction {
    /// List all known files, and which of them are here
    List(WeightsList),
    /// Download a published file over HTTPS
    Get(WeightsGet),
    /// Add a file of weights for a backbone
    Add(WeightsAdd),
    /// Verify the checksums of all files that are here
    Verify(WeightsVerify),
}

#[derive(Args)]
#[command(after_help = "Examples:
  topwork weights list
  topwork weights list --format json")]
pub(crate) struct WeightsList {
    /// Output format
    #[arg(long, value_enum, default_value_t = Figures::Text)]
    pub(crate) format: Figures,
}

#[derive(Args)]
#[command(
    after_help = "Length and checksum must match the published ones. HTTPS_PROXY, ALL_PROXY and NO_PROXY are used.

Examples:
  topwork weights get resnet50
  topwork weights get resnet50_torchvision_v2"
)]
pub(crate) struct WeightsGet {
    /// Name of a backbone, or of a file in `topwork weights list`
    pub(crate) name: String,
    /// Print only results, warnings and errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Args)]
#[command(
    after_help = "The file is recognised by its content; the backbone of a published file is known. The file added last is used for the
backbone; models trained with an earlier one keep using that.

Examples:
  topwork weights add resnet50-0676ba61.pth
  topwork weights add my.safetensors --backbone resnet50_torchvision
  topwork weights add my.pth --backbone resnet50_torchvision --calibrate PHOTOS"
)]
pub(crate) struct WeightsAdd {
    /// File of weights
    pub(crate) file: PathBuf,
    /// Backbone of these weights [default: the one for which the file was published]
    #[arg(long, value_name = "NAME", value_parser = backbone_names())]
    pub(crate) backbone: Option<String>,
    /// Calibrate for int8 on these photos now, and not on those of the first training
    #[arg(long, value_name = "PHOTO|FOLDER")]
    pub(crate) calibrate: Option<PathBuf>,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Print only results, warnings and errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Args)]
#[command(after_help = "The exit status is 1 if a file changed or is missing.

Examples:
  topwork weights verify
  topwork weights verify resnet50")]
pub(crate) struct WeightsVerify {
    /// Backbone [default: all]
    #[arg(value_name = "NAME", value_parser = backbone_names())]
    pub(crate) backbone: Option<String>,
}

#[derive(Args)]
#[command(
    after_help = "Other work on the machine slows the measurement. Nothing is kept: features go to a store that is deleted at the end.

Examples:
  topwork bench                          the full pipeline on generated images, then the network alone
  topwork bench PHOTOS --seconds 10      the full pipeline on your photos
  topwork bench --network --layers       the network alone, layer by layer
  topwork bench --machine --format json  clock, arithmetic and bandwidth of this machine"
)]
pub(crate) struct Bench {
    /// Photos or folders of photos [default: generated images]
    #[arg(value_name = "PHOTOS", conflicts_with_all = ["network", "machine"])]
    pub(crate) photos: Vec<PathBuf>,
    /// Measure only the network, on generated pixels
    #[arg(long, conflicts_with = "machine")]
    pub(crate) network: bool,
    /// Show each layer of the network, not only the types of layers
    #[arg(long, conflicts_with = "machine")]
    pub(crate) layers: bool,
    /// Measure only the machine: clock, multiply-adds, bandwidth of caches and memory
    #[arg(long)]
    pub(crate) machine: bool,
    /// Backbone: the network that computes the features
    #[arg(long, value_name = "NAME", default_value = topwork::DEFAULT_BACKBONE, value_parser = backbone_names())]
    pub(crate) backbone: String,
    /// Precision of the network
    #[arg(long, value_enum, default_value_t = PrecisionChoice::Int8)]
    pub(crate) precision: PrecisionChoice,
    /// Threads of the second measurement; the first uses one [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Seconds per measurement [default: 2; with --machine 0.2]
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) seconds: Option<f64>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Figures::Text)]
    pub(crate) format: Figures,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Figures {
    /// Tables
    Text,
    /// JSON, with times in milliseconds
    Json,
}

#[derive(Args)]
#[command(after_help = "Examples:
  topwork completions bash > ~/.local/share/bash-completion/completions/topwork
  topwork completions zsh  > ~/.zfunc/_topwork")]
pub(crate) struct Completions {
    /// Name of the shell
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum RecipeChoice {
    /// resnet50 in f32, the split of Keras, dense layers 1024, 512, 256, 128, batch size 40
    Notebook,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum SplitChoice {
    /// Stratified by class, drawn by the seed
    Stratified,
    /// The first files of each class in sorted order, as in Keras' ImageDataGenerator(validation_split=…)
    Keras,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum FeaturesChoice {
    /// The last layer, and one in the middle if cross-validation shows that it helps
    Auto,
    /// Only the last layer
    Last,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ClassWeightChoice {
    /// n / (classes · photos of the class)
    Balanced,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum PrecisionChoice {
    /// 8-bit integers: fast, and the same answers on every machine
    Int8,
    /// 32-bit floating point: the reference
    F32,
}

impl From<SplitChoice> for SplitRule {
    fn from(choice: SplitChoice) -> SplitRule {
        match choice {
            SplitChoice::Stratified => SplitRule::Stratified,
            SplitChoice::Keras => SplitRule::Keras,
        }
    }
}

impl From<FeaturesChoice> for FeatureLayers {
    fn from(choice: FeaturesChoice) -> FeatureLayers {
        match choice {
            FeaturesChoice::Auto => FeatureLayers::Auto,
            FeaturesChoice::Last => FeatureLayers::Last,
        }
    }
}

impl From<ConflictsChoice> for Conflicts {
    fn from(choice: ConflictsChoice) -> Conflicts {
        match choice {
            ConflictsChoice::Error => Conflicts::Error,
            ConflictsChoice::Skip => Conflicts::Skip,
        }
    }
}

impl From<PrecisionChoice> for Precision {
    fn from(choice: PrecisionChoice) -> Precision {
        match choice {
            PrecisionChoice::Int8 => Precision::Int8,
            PrecisionChoice::F32 => Precision::F32,
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, ValueEnum)]
pub(crate) enum ConflictsChoice {
    /// Stop with an error that lists them
    #[default]
    Error,
    /// Skip them all and list them
    Skip,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// A table per photo
    Text,
    /// filename,rank,class,probability,wnid,error
    Csv,
    /// The same fields as JSON, one object per line
    Json,
}

fn head(text: &str) -> Result<HeadOptions, String> {
    if text == "linear" {
        return Ok(HeadOptions::Linear);
    }
    let widths: Option<Vec<usize>> = text
        .split(',')
        .map(|width| width.trim().parse().ok().filter(|width| (1..=65_536).contains(width)))
        .collect();
    match widths {
        Some(widths) if widths.len() <= 32 => Ok(HeadOptions::Dense(widths)),
        _ => {
            Err("expected `linear`, or at most 32 layer widths from 1 to 65536 like 1024,512,256,128"
                .to_owned())
        }
    }
}

fn level(text: &str) -> Result<SampleRange, String> {
    let numbers = text.split_once(',').map(|(black, white)| (black.trim().parse(), white.trim().parse()));
    match numbers {
        Some((Ok(black), Ok(white))) if black < white => Ok(SampleRange::Between(black, white)),
        _ => Err("expected two values from 0 to 65535, the smaller first, like 500,4000".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 up to, not including, 1, like 0.15".to_owned()),
    }
}

fn share_or_percent(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    match share {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share like 10% or 0.1".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a number above 0".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.001..=3600.0).contains(&value) => Ok(value),
        _ => Err("expected seconds from 0.001 to 3600".to_owned()),
    }
}

fn backbone_names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(
        topwork::backbone::BACKBONES.iter().map(|backbone| backbone.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        let command = Arguments::command();
        let nested = command.get_subcommands().flat_map(|one| one.get_subcommands());
        for one in std::iter::once(&command).chain(command.get_subcommands()).chain(nested) {
            let help = one.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:"), "{} --help has no examples", one.get_name());
        }
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(head("linear"), Ok(HeadOptions::Linear));
        assert_eq!(head("1024, 512"), Ok(HeadOptions::Dense(vec![1024, 512])));
        for bad in ["", "0", "12,", "a", "-3", "65537"] {
            assert!(head(bad).is_err(), "{bad}");
        }
        assert_eq!(share_or_percent("10%"), Ok(0.1));
        assert_eq!(share_or_percent("0.5"), Ok(0.5));
        assert!(share_or_percent("11").is_err() && share_or_percent("NaN").is_err());
        assert!(share("1").is_err() && share("-0.1").is_err() && share("0").is_ok());
        assert!(seconds("0").is_err() && seconds("3601").is_err() && seconds("0.5") == Ok(0.5));
        assert_eq!(level("500,4000"), Ok(SampleRange::Between(500, 4_000)));
        assert!(level("5").is_err() && level("9,9").is_err() && level("0,65536").is_err());
        assert!(positive("0").is_err() && positive("inf").is_err());
    }
}

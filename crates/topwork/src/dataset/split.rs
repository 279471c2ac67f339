//! Who trains, who validates, who tests; and that no photo does two of these.
//!
//! Pure functions over the list of photos and the digests of their bytes: no file is read, no clock, no order of
//! the disk. A test photo influences nothing but its own duplicates, which leave training.

use super::{Dataset, Sample, SkipReason, Skipped, Subset, name, quoted};
use crate::error::{Error, ErrorKind, Result};
use crate::notice::Notice;
use crate::remedy::Remedy;
use std::collections::BTreeMap;

/// BLAKE3 of a photo's bytes.
pub type Digest = [u8; 32];

/// How validation is taken from the training photos, where the data bring none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Of each class the photos whose BLAKE3(seed, bytes) is smallest: round(share · n) of them, halves up, but at
    /// least one and never all; of a class with one photo none.
    ///
    /// The choice depends on the seed and the bytes alone. Renaming moves nobody, and one photo more or less moves
    /// at most one other of its class and none of the others.
    Stratified {
        /// The part that validates, from 0 to below 1; 0 takes none.
        share: f64,
        /// Another seed, another choice.
        seed: u64,
    },
    /// What `ImageDataGenerator(validation_split = share)` takes: of each class the first int(share · n) files.
    ///
    /// Counted are all files whose names end like [`KERAS_EXTENSIONS`], readable or not, in Keras' order (folders
    /// by path, in each the files by name, by code point). Files that Keras does not see train. Two differences:
    /// hidden files are not counted, and linked folders are. Source: keras 3.15
    /// `legacy/preprocessing/image.py`, `_list_valid_filenames_in_directory`.
    Keras {
        /// The part that validates.
        share: f64,
    },
    /// None: all photos train, as for cross-validation.
    AllTrain,
}

/// The endings that Keras' `ImageDataGenerator` looks for, after lower-casing; without a dot, as in Keras.
pub const KERAS_EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff"];

/// What to do with the same bytes in two classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflicts {
    /// An error that lists them all.
    #[default]
    Error,
    /// None of them is used; each is listed with the reason `conflict`.
    Skip,
}

/// Who does what.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The set of each photo, in the order of [`Dataset::samples`]; `None` for one that is not used.
    pub sets: Vec<Option<Subset>>,
    /// The photos that are not used for their content: `duplicate` and `conflict`. Unreadable ones are not among
    /// them.
    pub skipped: Vec<Skipped>,
    /// How it was done, where that was a choice.
    pub notes: Vec<Notice>,
    /// What a person should look at.
    pub warnings: Vec<Notice>,
}

impl Split {
    /// The indices of the photos of that set.
    pub fn of_set(&self, set: Subset) -> Vec<usize> {
        (0..self.sets.len()).filter(|&index| self.sets[index] == Some(set)).collect()
    }
}

/// Splits the photos. `digests` is in the order of [`Dataset::samples`]; `None` for a photo that cannot be read.
///
/// Identical bytes are one sample: kept in test before validation before training, and there under the first name;
/// the others are skipped as `duplicate`. Where the data bring a validation set, no rule takes another one.
///
/// # Errors
/// Kind `Dataset` for conflicts that are not to be skipped, for a class without a photo that can train, and for
/// fewer than two classes; `Configuration` for a share outside 0 to 1.
pub fn split(
    dataset: &Dataset,
    digests: &[Option<Digest>],
    rule: Rule,
    conflicts: Conflicts,
) -> Result<Split> {
    assert_eq!(dataset.samples.len(), digests.len(), "one digest a photo");
    if let Rule::Stratified { share, .. } | Rule::Keras { share } = rule
        && !(0.0..1.0).contains(&share)
    {
        let message = format!("the share for validation must be at least 0 and below 1, not {share}");
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    let samples = &dataset.samples;
    let mut sets: Vec<Subset> = samples.iter().map(|sample| sample.set.unwrap_or(Subset::Training)).collect();
    let mut notes = Vec::new();
    let mut warnings = Vec::new();
    let brings_validation = sets.contains(&Subset::Validation);
    match rule {
        Rule::AllTrain => {}
        _ if brings_validation => notes.push(Notice::OwnValidation),
        Rule::Keras { share } => {
            keras(dataset, share, &mut sets, &mut notes);
            join_groups(dataset, &mut sets);
        }
        Rule::Stratified { .. } => {}
    }

    let (mut skipped, dropped) = repeated(&dataset.classes, samples, &sets, digests, conflicts)?;
    let used = |index: usize| digests[index].is_some() && !dropped[index];

    if let Rule::Stratified { share, seed } = rule
        && !brings_validation
        && share > 0.0
    {
        let is_drawn = |index: &usize| used(*index) && sets[*index] == Subset::Training;
        let pool: Vec<usize> = (0..samples.len()).filter(is_drawn).collect();
        for index in drawn(dataset, digests, &pool, share, seed) {
            sets[index] = Subset::Validation;
        }
    }

    let sets: Vec<Option<Subset>> =
        (0..samples.len()).map(|index| used(index).then(|| sets[index])).collect();
    // Photos for a classifier that is trained already need nobody to train.
    if samples.iter().any(|sample| sample.set != Some(Subset::Evaluation)) {
        check_training(dataset, &sets, &skipped, &mut warnings)?;
    }
    skipped.sort_by(|a, b| (a.name.as_bytes(), a.set).cmp(&(b.name.as_bytes(), b.set)));
    Ok(Split { sets, skipped, notes, warnings })
}

/// The photos of the pool that validate: whole groups, in the order of their first photos' ranks, as long as no class gets more
/// than its share. A class that got none for the size of its groups gets its smallest one, unless that is all of it.
fn drawn(dataset: &Dataset, digests: &[Option<Digest>], pool: &[usize], share: f64, seed: u64) -> Vec<usize> {
    let numbers = dataset.groups();
    let mut groups: BTreeMap<usize, (Digest, Vec<usize>)> = BTreeMap::new();
    let mut left = vec![0; dataset.classes.len()];
    for &index in pool {
        let Some(digest) = &digests[index] else { continue };
        left[dataset.samples[index].label] += 1;
        let rank = rank(seed, digest);
        let (first, members) = groups.entry(numbers[index]).or_insert((rank, Vec::new()));
        *first = rank.min(*first);
        members.push(index);
    }
    let wanted: Vec<usize> = left.iter().map(|photos| validation_count(share, *photos)).collect();
    let mut groups: Vec<(Digest, Vec<usize>)> = groups.into_values().collect();
    groups.sort();
    let mut draw = Draw { taken: vec![0; wanted.len()], wanted, left, validating: Vec::new() };
    let counts = |members: &[usize]| {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        members.iter().for_each(|index| *counts.entry(dataset.samples[*index].label).or_default() += 1);
        counts
    };
    let mut others = Vec::new();
    for (_, members) in groups {
        let counts = counts(&members);
        match counts.iter().all(|(label, count)| draw.taken[*label] + count <= draw.wanted[*label]) {
            true => draw.take(members, &counts),
            false => others.push(members),
        }
    }
    others.sort_by_key(Vec::len);
    for members in others {
        let counts = counts(&members);
        let is_missing = counts.keys().any(|label| draw.wanted[*label] > 0 && draw.taken[*label] == 0);
        if is_missing && counts.iter().all(|(label, count)| *count < draw.left[*label]) {
            draw.take(members, &counts);
        }
    }
    draw.validating
}

/// For each class the photos that are to validate, that do, and that are left to train on.
struct Draw {
    wanted: Vec<usize>,
    taken: Vec<usize>,
    left: Vec<usize>,
    validating: Vec<usize>,
}

impl Draw {
    fn take(&mut self, members: Vec<usize>, counts: &BTreeMap<usize, usize>) {
        for (label, count) in counts {
            self.taken[*label] += count;
            self.left[*label] -= count;
        }
        self.validating.extend(members);
    }
}

/// The place of a photo in the order in which its class goes to validation.
fn rank(seed: u64, digest: &Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"topwork split 1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(digest);
    *hasher.finalize().as_bytes()
}

fn validation_count(share: f64, photos: usize) -> usize {
    match photos {
        0 | 1 => 0,
        _ => ((share * photos as f64 + 0.5).floor() as usize).clamp(1, photos - 1),
    }
}

/// Finds identical bytes among photos that can be read: what is dropped, and for which reason.
///
/// # Errors
/// Kind `Dataset` for identical bytes in two classes, listing them all, unless they are to be skipped.
fn repeated(
    classes: &[String],
    samples: &[Sample],
    sets: &[Subset],
    digests: &[Option<Digest>],
    conflicts: Conflicts,
) -> Result<(Vec<Skipped>, Vec<bool>)> {
    let mut groups: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
    for (index, digest) in digests.iter().enumerate() {
        if let Some(digest) = digest {
            groups.entry(*digest).or_default().push(index);
        }
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    for group in &mut groups {
        group.sort_by_key(|&index| (kept_rank(sets[index]), samples[index].name.as_bytes(), index));
    }
    groups.sort_by_key(|group| (samples[group[0]].name.as_bytes(), group[0]));

    let mut skipped = Vec::new();
    let mut dropped = vec![false; samples.len()];
    let mut listed = Vec::new();
    let mut drop = |index: usize, reason: SkipReason| {
        skipped.push(Skipped::new(&samples[index], reason, Some(sets[index])));
        dropped[index] = true;
    };
    for group in &groups {
        let first = group[0];
        if group.iter().all(|&index| samples[index].label == samples[first].label) {
            for &index in &group[1..] {
                drop(index, SkipReason::Duplicate { of: samples[first].name.clone(), set: sets[first] });
            }
            continue;
        }
        let members: Vec<String> = group
            .iter()
            .map(|&index| {
                let class = &classes[samples[index].label];
                format!("\"{}\" ({})", name::visible(&samples[index].name), name::visible(class))
            })
            .collect();
        listed.push(members.join(" = "));
        for &index in group {
            let other = group.iter().find(|&&other| samples[other].label != samples[index].label);
            let other = &samples[*other.expect("a conflict has two labels")];
            let (with, class) = (other.name.clone(), classes[other.label].clone());
            drop(index, SkipReason::Conflict { with, class });
        }
    }
    if conflicts == Conflicts::Error && !listed.is_empty() {
        let message = format!(
            "identical files in two classes, {}: {}",
            if listed.len() == 1 { "once".to_string() } else { format!("{} times", listed.len()) },
            listed.join("; ")
        );
        return Err(Error::new(ErrorKind::Dataset, message).with_hint(Remedy::SkipConflicts));
    }
    Ok((skipped, dropped))
}

fn kept_rank(set: Subset) -> u8 {
    match set {
        Subset::Test | Subset::Evaluation => 0,
        Subset::Validation => 1,
        Subset::Training | Subset::CrossValidation => 2,
    }
}

fn keras(dataset: &Dataset, share: f64, sets: &mut [Subset], notes: &mut Vec<Notice>) {
    let mut unseen = 0;
    for label in 0..dataset.classes.len() {
        let trains = |set: Option<Subset>| matches!(set, None | Some(Subset::Training));
        let mut files: Vec<(KerasOrder, Option<usize>)> = Vec::new();
        for (index, sample) in dataset.samples.iter().enumerate() {
            if sample.label == label && trains(sample.set) {
                if keras_sees(&sample.name) {
                    files.push((keras_order(&sample.name), Some(index)));
                } else {
                    unseen += 1;
                }
            }
        }
        for skipped in &dataset.skipped {
            // Folders were never files for Keras; whatever else has the name of a photo was counted.
            let counted = !matches!(skipped.reason, SkipReason::Loop | SkipReason::TooDeep)
                && keras_sees(&skipped.name);
            if skipped.label == Some(label) && trains(skipped.set) && counted {
                files.push((keras_order(&skipped.name), None));
            }
        }
        files.sort();
        // Python's int() cuts off, and the product is of two f64, as here.
        let count = (share * files.len() as f64) as usize;
        for (_, index) in &files[..count] {
            if let Some(index) = index {
                sets[*index] = Subset::Validation;
            }
        }
    }
    if unseen > 0 {
        notes.push(Notice::UnseenByKeras(unseen));
    }
}

/// Photos of a group that a rule by names has parted all train.
fn join_groups(dataset: &Dataset, sets: &mut [Subset]) {
    let numbers = dataset.groups();
    let mut trains = vec![false; sets.len()];
    for (index, group) in numbers.iter().enumerate() {
        trains[*group] |= sets[index] == Subset::Training;
    }
    for (set, group) in sets.iter_mut().zip(&numbers) {
        if *set == Subset::Validation && trains[*group] {
            *set = Subset::Training;
        }
    }
}

fn keras_sees(name: &str) -> bool {
    let lower = name.to_lowercase();
    KERAS_EXTENSIONS.iter().any(|ending| lower.ends_with(ending))
}

/// Folder, then file, each as Python compares strings.
type KerasOrder = (Vec<u32>, Vec<u32>);

fn keras_order(name: &str) -> KerasOrder {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    (code_points(folder), code_points(file))
}

/// Python's code points of a file name: a byte that is not UTF-8 becomes a lone surrogate (`surrogateescape`).
fn code_points(escaped: &str) -> Vec<u32> {
    let bytes = name::unescape_bytes(escaped).unwrap_or_else(|_| escaped.as_bytes().to_vec());
    let mut points = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        points.extend(chunk.valid().chars().map(u32::from));
        points.extend(chunk.invalid().iter().map(|byte| 0xdc00 + u32::from(*byte)));
    }
    points
}

fn check_training(
    dataset: &Dataset,
    sets: &[Option<Subset>],
    skipped: &[Skipped],
    warnings: &mut Vec<Notice>,
) -> Result<()> {
    let count = |set: Subset| {
        let mut counts = vec![0_usize; dataset.classes.len()];
        for (sample, of) in dataset.samples.iter().zip(sets) {
            if *of == Some(set) {
                counts[sample.label] += 1;
            }
        }
        counts
    };
    let with = |counts: &[usize], wanted: usize| -> Vec<String> {
        let classes = dataset.classes.iter().zip(counts);
        classes.filter(|(_, count)| **count == wanted).map(|(class, _)| class.clone()).collect()
    };
    if dataset.classes.len() < 2 {
        let message = format!("a classifier needs two classes, there is: {}", quoted(&dataset.classes));
        return Err(Error::new(ErrorKind::Dataset, message));
    }
    let training = count(Subset::Training);
    let empty = with(&training, 0);
    if !empty.is_empty() {
        // Of photos that are the same within the training set, one stays: these are in another set, too.
        let is_elsewhere = |skipped: &&Skipped| {
            let class = skipped.label.map(|label| &dataset.classes[label]);
            matches!(skipped.reason, SkipReason::Duplicate { .. })
                && class.is_some_and(|class| empty.contains(class))
        };
        let elsewhere = skipped
            .iter()
            .filter(is_elsewhere)
            .filter(|skipped| skipped.set == Some(Subset::Training))
            .count();
        if elsewhere > 0 {
            let message = format!(
                "every photo to train on of {} is a photo of the test or validation set, too ({elsewhere} in all)",
                quoted(&empty)
            );
            return Err(Error::new(ErrorKind::Dataset, message).with_hint(
                "take other photos for the test set: a figure on photos that were learned from says nothing",
            ));
        }
        let message = format!("no photo to train on is left of {}", quoted(&empty));
        return Err(Error::new(ErrorKind::Dataset, message).with_hint(Remedy::Inspect));
    }
    let single = with(&training, 1);
    if !single.is_empty() {
        warnings.push(Notice::SinglePhotos(single));
    }
    let validation = count(Subset::Validation);
    let unseen = with(&validation, 0);
    if validation.iter().any(|count| *count > 0) && !unseen.is_empty() {
        warnings.push(Notice::MissingClasses { set: Subset::Validation, classes: unseen });
    }
    Ok(())
}

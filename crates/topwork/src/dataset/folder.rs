//! A folder of class folders, or of sets of them, becomes a list of photos with labels.
//!
//! Which file is a photo is decided by its content, later: here everything counts that is not hidden and not
//! left behind by a system. The class list is the byte-sorted names of the training set's class folders, fixed
//! once; other sets are matched to it by name. Nothing here opens a file.

use super::classes::{Spellings, label_of, merged_by_case, merged_note, twins};
use super::walk::{self, Entry, Found, Kind, entries, joined, walk};
use super::{
    Dataset, IgnoreReason, Ignored, Options, Sample, SkipReason, Skipped, Subset, name, quoted,
    unknown_classes,
};
use crate::error::{Error, ErrorKind, Result};
use crate::notice::Notice;
use crate::photo::{PhotoSource, Reason};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use walk::{MAXIMUM_DEPTH, MAXIMUM_FILES};

/// A folder that holds class folders, and its name below the root.
struct SetFolder {
    set: Option<Subset>,
    path: PathBuf,
    name: String,
}

/// How a folder is laid out.
struct Layout {
    /// One unnamed set, or the training set and those beside it.
    sets: Vec<SetFolder>,
    /// The folders above them that a link must not lead back to.
    above: Vec<PathBuf>,
    ignored: Vec<Ignored>,
    /// Names of folders beside the sets.
    unused: Vec<String>,
    notes: Vec<Notice>,
}

impl Layout {
    /// Classes in one folder, and nothing beside it.
    fn of_one(folder: SetFolder) -> Layout {
        let (above, ignored, unused, notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Layout { sets: vec![folder], above, ignored, unused, notes }
    }
}

/// Reads the photos to train on.
///
/// `root` holds class folders; or folders for the sets (`train`, `training_set`, `val`, `testing`, …, see
/// [`Subset::named`]) that hold class folders; or a single folder that holds one of these. Photos may lie deeper
/// inside a class folder. Links are followed, and a folder that a link leads back to is skipped as `loop`.
///
/// Rules: a class folder without files is left out, with a warning; in another set a class without photos is fine,
/// a class that training does not have is an error; folders whose names nobody can tell apart are one class (composed
/// and decomposed umlauts, spaces at the ends, signs without a width); classes that differ only in upper and lower case, or
/// look alike, are two classes, with a warning.
///
/// # Errors
/// Kind `Dataset`, with a hint, for an empty folder, no class folder, one class only, no photo at all, two folders
/// for one set, an unknown class; `Io` where the folder cannot be listed.
pub fn read(root: &Path, options: &Options) -> Result<Dataset> {
    let layout = understand(root, &[])?;
    let training = layout.sets.iter().find(|folder| matches!(folder.set, None | Some(Subset::Training)));
    let Some(training) = training else {
        let found: Vec<String> = layout.sets.iter().map(|folder| folder.name.clone()).collect();
        let message = format!("there is no training set beside {}", quoted(&found));
        return Err(Error::new(ErrorKind::Dataset, message)
            .with_path(root)
            .with_hint("call its folder train, training or training_set"));
    };
    let mut dataset = Dataset {
        root: root.to_path_buf(),
        ignored: layout.ignored,
        notes: layout.notes,
        ..Dataset::default()
    };

    let mut read = class_folders(training, &layout.above, &mut dataset)?;
    if options.merge_case {
        let counts = read.iter().map(|(class, found)| (class.clone(), found.files.len())).collect();
        let merged = merged_by_case(&counts);
        dataset.notes.extend(merged_note(&counts, &merged));
        read = joined_by_class(read.into_iter().map(|(class, found)| (merged[&class].clone(), found)));
    }
    if read.is_empty() {
        return Err(match training.set {
            Some(_) => unlabelled_sets(root, &layout.sets),
            None => no_class_folders(&training.path),
        });
    }
    if training.set.is_none() {
        check_for_sets_below(root, &training.name, &read)?;
    }
    if !layout.unused.is_empty() {
        dataset.warnings.push(Notice::FoldersBesideSets(layout.unused));
    }
    let lost = dataset
        .ignored
        .iter()
        .filter(|ignored| ignored.reason == IgnoreReason::BesideClasses && may_be_photo(&ignored.name));
    let lost: Vec<String> = lost.map(|ignored| ignored.name.clone()).collect();
    if let Some(first) = lost.first() {
        let (photos, example) = (lost.len(), first.clone());
        dataset.warnings.push(Notice::PhotosBesideClasses { photos, example });
    }
    if let Some(skipped) = read.iter().find_map(|(_, found)| unlisted(found)) {
        let message = format!("a class folder cannot be listed ({})", skipped.reason.detail());
        return Err(Error::new(ErrorKind::Dataset, message)
            .with_path(skipped.path.clone().unwrap_or_default())
            .with_hint("make it readable, or move it away: a class must not get lost in silence"));
    }
    let (filled, empty): (Vec<_>, Vec<_>) = read.into_iter().partition(|(_, found)| !found.files.is_empty());
    if !filled.is_empty() && !empty.is_empty() {
        let names: Vec<String> = empty.iter().map(|(class, _)| class.clone()).collect();
        dataset.warnings.push(Notice::EmptyClasses(names));
    }
    for (_, found) in empty {
        take(&mut dataset, found, None, training.set);
    }
    dataset.classes = filled.iter().map(|(class, _)| class.clone()).collect();
    for (label, (_, found)) in filled.into_iter().enumerate() {
        take(&mut dataset, found, Some(label), training.set);
    }
    check_classes(&dataset.classes, &training.path)?;
    dataset.warnings.extend(twins(&dataset.classes, &dataset.counts(|_| true)));
    for folder in layout.sets.iter().filter(|folder| !std::ptr::eq(*folder, training)) {
        let set = folder.set.expect("only a training set has no name");
        let read = class_folders(folder, &layout.above, &mut dataset)?;
        if read.is_empty() {
            dataset.ignored.push(Ignored { name: folder.name.clone(), reason: IgnoreReason::NoClasses });
            dataset.warnings.push(Notice::UnlabelledSet(folder.name.clone()));
        } else {
            match_classes(&mut dataset, read, set, options)?;
        }
    }
    dataset.sort();
    Ok(dataset)
}

/// The reason why nothing is known of a class folder, where the system does not let it be listed.
fn unlisted(found: &Found) -> Option<&Skipped> {
    let [only] = &found.skipped[..] else { return None };
    let SkipReason::Unreadable(why) = &only.reason else { return None };
    let denied = matches!(why.reason, Reason::NoPermission | Reason::Io);
    (found.files.is_empty() && denied && only.path.as_ref().is_some_and(|path| !path.is_file()))
        .then_some(only)
}

/// Reads photos of classes that are fixed already, for that set. Of a folder that holds several sets, the test set
/// is taken, and a note says so. A class without photos is fine.
///
/// # Errors
/// As [`read`], except that one class is enough.
pub fn read_as(root: &Path, classes: &[String], set: Subset, options: &Options) -> Result<Dataset> {
    let mut layout = understand(root, classes)?;
    let position = layout.sets.iter().position(|folder| matches!(folder.set, None | Some(Subset::Test)));
    let Some(position) = position else {
        let found: Vec<String> = layout.sets.iter().map(|folder| folder.name.clone()).collect();
        let message = format!("there is no test set beside {}", quoted(&found));
        return Err(Error::new(ErrorKind::Dataset, message)
            .with_path(root)
            .with_hint("name the set's own folder"));
    };
    let folder = layout.sets.swap_remove(position);
    let mut dataset = Dataset {
        root: root.to_path_buf(),
        classes: classes.to_vec(),
        ignored: layout.ignored,
        notes: layout.notes,
        ..Dataset::default()
    };
    if folder.set.is_some() {
        dataset.notes.push(Notice::FolderOfSet(folder.name.clone()));
        dataset.ignored.extend(
            layout.sets.into_iter().map(|other| Ignored { name: other.name, reason: IgnoreReason::OtherSet }),
        );
    }
    let read = class_folders(&folder, &layout.above, &mut dataset)?;
    if read.is_empty() {
        return Err(no_class_folders(&folder.path));
    }
    match_classes(&mut dataset, read, set, options)?;
    if dataset.samples.is_empty() {
        return Err(
            Error::new(ErrorKind::Dataset, "there is no photo in the class folders").with_path(&folder.path)
        );
    }
    dataset.sort();
    Ok(dataset)
}

/// What [`photos`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Name (the path as it was asked for, escaped as [`name`] says) and path of what may be a photo, sorted by name.
    pub photos: Vec<(String, PathBuf)>,
    /// What cannot be used.
    pub skipped: Vec<Skipped>,
    /// What is no photo by its name.
    pub ignored: Vec<Ignored>,
}

/// All photos below a folder, at any depth, for prediction; of a path that is no folder, that path itself, whatever
/// it is.
///
/// # Errors
/// Kind `Dataset` for more than [`MAXIMUM_FILES`] files.
pub fn photos(path: &Path) -> Result<Listing> {
    let name = name::escape(path);
    if !path.is_dir() {
        return Ok(Listing { photos: vec![(name, path.to_path_buf())], ..Listing::default() });
    }
    let Found { files, skipped, ignored } = walk(path, &name, &[])?;
    Ok(Listing { photos: files, skipped, ignored })
}

/// Finds out whether `root` holds classes, sets or one folder of them. A single folder called like one of `known`
/// is a class.
fn understand(root: &Path, known: &[String]) -> Result<Layout> {
    let listed = list(root)?;
    if let Some(layout) = sets(root, "", &listed)? {
        return Ok(layout);
    }
    let folders: Vec<&Entry> = listed.iter().filter(|entry| is_folder(entry)).collect();
    if let [only] = folders.as_slice()
        && label_of(known, &name::escape_part(&only.name), false).is_none()
        && let Ok(inner) = entries(&only.path)
    {
        let inner_name = joined("", &only.name);
        let layout = match sets(&only.path, &inner_name, &inner)? {
            Some(layout) => Some(layout),
            None if inner.iter().filter(|entry| is_folder(entry)).count() >= 2 => {
                let folder = SetFolder { set: None, path: only.path.clone(), name: inner_name.clone() };
                Some(Layout::of_one(folder))
            }
            None => None,
        };
        if let Some(mut layout) = layout {
            layout.notes.push(Notice::SingleFolder(inner_name));
            layout.above.push(root.to_path_buf());
            layout.ignored.extend(ignored(&listed, "", IgnoreReason::BesideClasses));
            return Ok(layout);
        }
    }
    if folders.is_empty() {
        return Err(no_class_folders(root));
    }
    let folder = SetFolder { set: None, path: root.to_path_buf(), name: String::new() };
    Ok(Layout::of_one(folder))
}

/// The sets that a folder holds, where it holds sets: all its folders are called like sets, or at least two are and
/// hold folders themselves (a class may well be called "train").
fn sets(base: &Path, prefix: &str, listed: &[Entry]) -> Result<Option<Layout>> {
    let folders: Vec<&Entry> = listed.iter().filter(|entry| is_folder(entry)).collect();
    let mut named: Vec<(Subset, &Entry)> =
        folders.iter().filter_map(|entry| Some((Subset::named(entry.name.to_str()?)?, *entry))).collect();
    if named.len() < folders.len() {
        let longer = named_among_others(&folders);
        if longer.len() > named.len() {
            named = longer;
        }
    }
    let nested = named.iter().filter(|(_, entry)| holds_folders(&entry.path)).count();
    let distinct = |set| named.iter().any(|&(other, _)| other == set);
    let all = !folders.is_empty() && named.len() == folders.len();
    if !(all || nested >= 2 && distinct(Subset::Training)) {
        return Ok(None);
    }
    let mut sets: Vec<SetFolder> = Vec::new();
    for (set, entry) in &named {
        if let Some(other) = sets.iter().find(|other| other.set == Some(*set)) {
            let message = format!("two folders for the {} set: {}", set.as_str(), {
                quoted(&[other.name.clone(), joined(prefix, &entry.name)])
            });
            return Err(Error::new(ErrorKind::Dataset, message)
                .with_path(base)
                .with_hint("keep one, or name the folder that holds the classes"));
        }
        let (path, name) = unwrapped(*set, entry.path.clone(), joined(prefix, &entry.name));
        sets.push(SetFolder { set: Some(*set), path, name });
    }
    sets.sort_by_key(|folder| folder.set);
    let mut beside = ignored(listed, prefix, IgnoreReason::BesideSets);
    let others = folders.iter().filter(|entry| !named.iter().any(|(_, named)| std::ptr::eq(*named, **entry)));
    let unused: Vec<String> = others.map(|entry| joined(prefix, &entry.name)).collect();
    beside.extend(unused.iter().map(|name| Ignored { name: name.clone(), reason: IgnoreReason::BesideSets }));
    Ok(Some(Layout { sets, above: vec![base.to_path_buf()], ignored: beside, unused, notes: Vec::new() }))
}

/// Folders called `pets_train` and `pets_test`, or `train` and `test1`: the training set and others, which say the same
/// beside the set. Empty if they look like classes.
fn named_among_others<'a>(folders: &[&'a Entry]) -> Vec<(Subset, &'a Entry)> {
    let found: Vec<(Subset, String, &Entry)> = folders
        .iter()
        .filter_map(|entry| {
            let (set, others) = Subset::named_among_others(entry.name.to_str()?)?;
            Some((set, others, *entry))
        })
        .collect();
    let Some((_, common, _)) = found.iter().find(|(set, ..)| *set == Subset::Training) else {
        return Vec::new();
    };
    let alike = || found.iter().filter(|(_, others, _)| others == common);
    let is_beside = alike().any(|(set, ..)| *set != Subset::Training);
    if is_beside { alike().map(|(set, _, entry)| (*set, *entry)).collect() } else { Vec::new() }
}

/// Some archives hold `training_set/training_set/…`: the inner folder, where it is all there is.
fn unwrapped(set: Subset, path: PathBuf, name: String) -> (PathBuf, String) {
    if let Ok(inner) = entries(&path) {
        let mut visible = inner.iter().filter(|entry| !matches!(entry.kind, Kind::Ignored(_)));
        if let (Some(only), None) = (visible.next(), visible.next())
            && is_folder(only)
            && only.name.to_str().and_then(Subset::named) == Some(set)
        {
            return (only.path.clone(), joined(&name, &only.name));
        }
    }
    (path, name)
}

fn list(folder: &Path) -> Result<Vec<Entry>> {
    entries(folder).map_err(|source| Error::io("cannot list the folder", folder, source))
}

fn is_folder(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Folder { .. })
}

fn holds_folders(folder: &Path) -> bool {
    entries(folder).is_ok_and(|inner| inner.iter().any(is_folder))
}

/// What lies beside the folders that are used: by its name no photo, or for the reason that its place gives.
fn ignored(listed: &[Entry], prefix: &str, place: IgnoreReason) -> Vec<Ignored> {
    listed
        .iter()
        .filter_map(|entry| match entry.kind {
            Kind::Folder { .. } => None,
            Kind::Ignored(reason) => Some(Ignored { name: joined(prefix, &entry.name), reason }),
            Kind::File | Kind::Unusable(..) => {
                Some(Ignored { name: joined(prefix, &entry.name), reason: place })
            }
        })
        .collect()
}

/// The class folders of a set with all that lies in them, sorted by the bytes of the class names.
fn class_folders(
    folder: &SetFolder,
    above: &[PathBuf],
    dataset: &mut Dataset,
) -> Result<Vec<(String, Found)>> {
    let listed = list(&folder.path)?;
    dataset.ignored.extend(ignored(&listed, &folder.name, IgnoreReason::BesideClasses));
    let mut above: Vec<&Path> = above.iter().map(PathBuf::as_path).collect();
    above.push(&folder.path);
    let (mut classes, mut spellings) = (Vec::new(), Spellings::default());
    for entry in listed.iter().filter(|entry| is_folder(entry)) {
        let found = walk(&entry.path, &joined(&folder.name, &entry.name), &above)?;
        classes.push((spellings.take(name::escape_part(&entry.name)), found));
    }
    dataset.notes.extend(spellings.note());
    Ok(joined_by_class(classes.into_iter()))
}

/// The folders of each class as one, sorted by the bytes of the class names.
fn joined_by_class(folders: impl Iterator<Item = (String, Found)>) -> Vec<(String, Found)> {
    let mut classes: BTreeMap<String, Found> = BTreeMap::new();
    for (class, found) in folders {
        let all = classes.entry(class).or_default();
        all.files.extend(found.files);
        all.skipped.extend(found.skipped);
        all.ignored.extend(found.ignored);
    }
    classes.into_iter().collect()
}

fn take(dataset: &mut Dataset, found: Found, label: Option<usize>, set: Option<Subset>) {
    if let Some(label) = label {
        dataset.samples.extend(
            found
                .files
                .into_iter()
                .map(|(name, path)| Sample { set, ..Sample::new(name, PhotoSource::File(path), label) }),
        );
    }
    dataset.skipped.extend(found.skipped.into_iter().map(|skipped| Skipped { label, set, ..skipped }));
    dataset.ignored.extend(found.ignored);
}

/// Adds a set whose classes are known, by their names.
fn match_classes(
    dataset: &mut Dataset,
    read: Vec<(String, Found)>,
    set: Subset,
    options: &Options,
) -> Result<()> {
    let mut unknown = Vec::new();
    for (class, found) in read {
        let label = label_of(&dataset.classes, &class, options.merge_case);
        if label.is_none() && !found.files.is_empty() {
            unknown.push(class);
        } else {
            take(dataset, found, label, Some(set));
        }
    }
    if !unknown.is_empty() {
        return Err(unknown_classes(&unknown, &dataset.classes, set));
    }
    let counts = dataset.counts(|sample| sample.set == Some(set));
    let missing: Vec<String> = dataset
        .classes
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count == 0)
        .map(|(class, _)| class.clone())
        .collect();
    if !missing.is_empty() {
        dataset.warnings.push(Notice::MissingClasses { set, classes: missing });
    }
    Ok(())
}

/// Photos that lie in the folders of sets, as competitions give them.
fn unlabelled_sets(root: &Path, sets: &[SetFolder]) -> Error {
    let names: Vec<String> = sets.iter().map(|folder| folder.name.clone()).collect();
    let message =
        format!("{} look like sets, not classes, and the training set has no class folders", quoted(&names));
    Error::new(ErrorKind::Dataset, message).with_path(root).with_hint(
        "put its photos into a folder for each class, or name a CSV file with the columns filename and label",
    )
}

/// Whether someone may miss that file among the photos: by the ending of its name.
fn may_be_photo(name: &str) -> bool {
    let endings =
        ["jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff", "heic", "heif", "avif", "ppm", "pgm"];
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// # Errors
/// Kind `Dataset` where class folders hold folders for the training set and another: their test photos must not be trained
/// on.
fn check_for_sets_below(root: &Path, prefix: &str, read: &[(String, Found)]) -> Result<()> {
    let above = prefix.split('/').filter(|part| !part.is_empty()).count();
    for (class, found) in read {
        let inside = |name: &str| -> Option<String> {
            let mut inner = name.split('/').skip(above + 1);
            let (folder, _) = (inner.next()?, inner.next()?);
            Some(folder.to_owned())
        };
        let folders: std::collections::BTreeSet<String> =
            found.files.iter().filter_map(|(name, _)| inside(name)).collect();
        let has = |wanted: fn(Subset) -> bool| {
            folders.iter().filter_map(|folder| Subset::named(folder)).any(wanted)
        };
        if has(|set| set == Subset::Training) && has(|set| set != Subset::Training) {
            let folders: Vec<String> = folders.into_iter().collect();
            let shown = name::visible(class);
            let message = format!("the class folder \"{shown}\" holds the sets {}", quoted(&folders));
            let hint = format!("put the sets above the classes: train/{shown}, test/{shown}");
            return Err(Error::new(ErrorKind::Dataset, message).with_path(root).with_hint(hint));
        }
    }
    Ok(())
}

fn no_class_folders(folder: &Path) -> Error {
    let files = entries(folder)
        .map_or(0, |listed| listed.iter().filter(|entry| matches!(entry.kind, Kind::File)).count());
    let (message, hint) = match files {
        0 => ("the folder is empty", "DATA is a folder with one folder of photos a class"),
        _ => (
            "the folder has no class folders",
            "put the photos of each class into a folder of its own, or name a CSV file with the columns filename and label",
        ),
    };
    Error::new(ErrorKind::Dataset, message).with_path(folder).with_hint(hint)
}

/// # Errors
/// Kind `Dataset` for fewer than two classes.
pub(super) fn check_classes(classes: &[String], place: &Path) -> Result<()> {
    let (message, hint) = match classes {
        [] => ("there is no photo in the class folders".to_string(), "fill at least two of them"),
        [only] => (
            format!("there is only one class: {}", quoted(std::slice::from_ref(only))),
            "a classifier needs at least two classes: add a folder of photos that show something else",
        ),
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::Dataset, message).with_path(place).with_hint(hint))
}

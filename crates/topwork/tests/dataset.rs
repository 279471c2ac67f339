//! Folders, tables and splits, as people bring them: the rows on folders, names, duplicates and CSV of the list of
//! bad inputs. Everything is made by the tests; the shared photos are only looked at where they are present.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use topwork::dataset::split::{Conflicts, Digest, Rule, split};
#[cfg_attr(not(unix), allow(unused_imports, reason = "some tests are for Unix alone"))]
use topwork::dataset::{Dataset, Options, Sample, Subset, folder, manifest, name};
use topwork::{ErrorKind, PhotoSource};

fn open(data: &Path) -> topwork::Result<Dataset> {
    topwork::dataset::open(data, &Options::default())
}

fn open_as(data: &Path, classes: &[String], set: Subset) -> topwork::Result<Dataset> {
    topwork::dataset::open_as(data, classes, set, &Options::default())
}

/// A folder with these files; a path that ends in `/` is an empty folder.
fn tree(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        if file.ends_with('/') {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
    }
    root
}

fn names(dataset: &Dataset) -> Vec<String> {
    let line = |sample: &Sample| {
        let set = sample.set.map_or("-", Subset::as_str);
        format!("{set} {} {}", dataset.classes[sample.label], sample.name)
    };
    dataset.samples.iter().map(line).collect()
}

fn skipped(dataset: &Dataset) -> Vec<(&str, &str)> {
    dataset.skipped.iter().map(|skipped| (skipped.name.as_str(), skipped.reason.code())).collect()
}

fn texts(notices: &[topwork::Notice]) -> Vec<String> {
    notices.iter().map(ToString::to_string).collect()
}

fn ignored(dataset: &Dataset) -> Vec<(&str, &str)> {
    dataset.ignored.iter().map(|ignored| (ignored.name.as_str(), ignored.reason.code())).collect()
}

#[track_caller]
fn refused(result: topwork::Result<Dataset>, words: &[&str]) -> topwork::Error {
    let error = result.expect_err("should be refused");
    assert_eq!(error.kind(), ErrorKind::Dataset, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{error} lacks {word}");
    }
    error
}

#[test]
fn set_names_in_all_spellings() {
    let cases: &[(Option<Subset>, &[&str])] = &[
        (
            Some(Subset::Training),
            &["train", "training", "training_set", "training-set", "train_set", "TRAIN", "Training Set"],
        ),
        (Some(Subset::Validation), &["val", "valid", "validation", "validation_set", "Val-Set"]),
        (Some(Subset::Test), &["test", "testing", "test_set", "TestSet", "test-data"]),
        (None, &["", "cats", "trains", "set", "data", "dataset", "contest", "tests1", "evaluation"]),
    ];
    for (set, spellings) in cases {
        for spelling in *spellings {
            assert_eq!(Subset::named(spelling), *set, "{spelling}");
        }
    }
}

// On Windows and macOS they are one folder.
#[cfg(target_os = "linux")]
#[test]
fn classes_may_differ_in_case_alone() {
    let root = tree(&["a/x", "A/x", "b/x"]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes, ["A", "a", "b"]);
    assert!(texts(&dataset.warnings)[0].contains("differ only in case"), "{:?}", dataset.warnings);
    let root = tree(&["train/a/1", "train/b/1", "Train/a/1"]);
    refused(open(root.path()), &["two folders for the training set", "\"Train\", \"train\""]);
}

#[test]
fn class_folders_alone() {
    let root = tree(&["dogs/b.jpg", "dogs/deep/er/a", "cats/Z", "cats/a.jpg", "B/x", "a/x", "readme.md"]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes, ["B", "a", "cats", "dogs"]);
    let expected = [
        "- B B/x",
        "- a a/x",
        "- cats cats/Z",
        "- cats cats/a.jpg",
        "- dogs dogs/b.jpg",
        "- dogs dogs/deep/er/a",
    ];
    assert_eq!(names(&dataset), expected);
    assert_eq!(ignored(&dataset), [("readme.md", "no-photo")]);
    for sample in &dataset.samples {
        assert_eq!(std::fs::read_to_string(sample.photo.path().unwrap()).unwrap(), sample.name);
    }
}

#[test]
fn sets_in_any_spelling_and_one_level_deeper() {
    let sets = [
        ["training_set", "test_set", "validation"],
        ["train", "test", "val"],
        ["Training", "TESTING", "Valid"],
        ["train-set", "testset", "validation-set"],
    ];
    for [training, test, validation] in sets {
        for above in ["", "archive/"] {
            let files: Vec<String> = [
                format!("{above}{training}/cats/1.jpg"),
                format!("{above}{training}/dogs/1.jpg"),
                format!("{above}{test}/dogs/2.jpg"),
                format!("{above}{validation}/cats/3.jpg"),
                format!("{above}notes.txt"),
            ]
            .into();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let root = tree(&files);
            let dataset = open(root.path()).unwrap();
            assert_eq!(dataset.classes, ["cats", "dogs"]);
            let expected = [
                format!("training cats {above}{training}/cats/1.jpg"),
                format!("training dogs {above}{training}/dogs/1.jpg"),
                format!("validation cats {above}{validation}/cats/3.jpg"),
                format!("test dogs {above}{test}/dogs/2.jpg"),
            ];
            assert_eq!(names(&dataset), expected);
            assert_eq!(ignored(&dataset), [(format!("{above}notes.txt").as_str(), "no-photo")]);
            assert_eq!(dataset.notes.len(), usize::from(!above.is_empty()), "{:?}", dataset.notes);
            let missing = |set: &str| texts(&dataset.warnings).iter().any(|warning| warning.contains(set));
            assert!(missing("test set has no photo of \"cats\""), "{:?}", dataset.warnings);
        }
    }
    // An archive within an archive, and the folder's folder that is a set of its own.
    let root =
        tree(&["training_set/training_set/a/1", "training_set/training_set/b/1", "test_set/test_set/a/2"]);
    assert_eq!(open(root.path()).unwrap().samples.len(), 3);
    // Classes may be called like sets.
    let root = tree(&["train/1.jpg", "bus/1.jpg", "test/1.jpg"]);
    assert_eq!(open(root.path()).unwrap().classes, ["bus", "test", "train"]);
    let root = tree(&["train/old/1.jpg", "bus/1.jpg", "car/1.jpg"]);
    assert_eq!(open(root.path()).unwrap().classes, ["bus", "car", "train"]);
    // A single folder of classes, which may have photos further down.
    let root = tree(&["PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg"]);
    let dataset = open(root.path()).unwrap();
    assert_eq!((dataset.classes.len(), dataset.notes.len()), (2, 1));
}

#[test]
fn classes_are_matched_by_name_never_by_position() {
    let root = tree(&["train/a/1", "train/b/1", "train/c/1", "test/c/2", "test/b/2"]);
    let dataset = open(root.path()).unwrap();
    let test: Vec<(usize, &str)> = dataset
        .of_set(Some(Subset::Test))
        .iter()
        .map(|&i| (dataset.samples[i].label, dataset.samples[i].name.as_str()))
        .collect();
    assert_eq!(test, [(1, "test/b/2"), (2, "test/c/2")]);
    assert_eq!(dataset.counts(|sample| sample.set == Some(Subset::Test)), [0, 1, 1]);

    let root = tree(&["train/a/1", "train/b/1", "test/a/1", "test/bb/2", "test/empty/"]);
    let error = refused(open(root.path()), &["\"bb\"", "\"a\", \"b\"", "test set"]);
    assert!(error.remedy().is_some());

    let classes = ["a".to_string(), "b".to_string()];
    let root = tree(&["b/1"]);
    let dataset = open_as(root.path(), &classes, Subset::Evaluation).unwrap();
    assert_eq!(names(&dataset), ["evaluation b b/1"]);
    let root = tree(&["b/deep/1", "b/deeper/1"]);
    assert_eq!(open_as(root.path(), &classes, Subset::Test).unwrap().samples.len(), 2);
    let root = tree(&["train/a/1", "train/b/1", "test/b/2"]);
    let dataset = open_as(root.path(), &classes, Subset::Evaluation).unwrap();
    assert_eq!(names(&dataset), ["evaluation b test/b/2"]);
    assert_eq!(dataset.notes.len(), 1);
    let root = tree(&["dogs/1"]);
    refused(open_as(root.path(), &classes, Subset::Evaluation), &["\"dogs\""]);
    let root = tree(&["train/a/1"]);
    refused(open_as(root.path(), &classes, Subset::Evaluation), &["no test set"]);
}

#[test]
fn a_test_set_from_elsewhere_joins() {
    let (root, other) = (tree(&["a/1", "b/1"]), tree(&["b/1"]));
    let mut dataset = open(root.path()).unwrap();
    dataset.add(open_as(other.path(), &dataset.classes, Subset::Test).unwrap());
    assert_eq!(names(&dataset), ["- a a/1", "- b b/1", "test b b/1"]);
}

#[test]
fn what_is_no_data_set_is_refused_with_a_hint() {
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["empty"]),
        (&["a.jpg", "b.jpg"], &["no class folders"]),
        (&["cats/1"], &["only one class", "\"cats\""]),
        (&["cats/1", "dogs/"], &["only one class"]),
        (&["cats/", "dogs/"], &["no photo"]),
        (&["cats/.hidden", "dogs/Thumbs.db"], &["no photo"]),
        (&["train/1.jpg", "test/1.jpg"], &["no class folders"]),
        (&["test/a/1", "test/b/1"], &["no training set"]),
        (
            &["train/a/1", "train/b/1", "training/a/1"],
            &["two folders for the training set", "\"train\", \"training\""],
        ),
        (&[".git/a/1", "__MACOSX/b/1"], &["empty"]),
    ];
    for (files, words) in cases {
        let root = tree(files);
        let error = refused(open(root.path()), words);
        assert!(error.remedy().is_some(), "{error} has no hint");
        assert!(error.path().is_some(), "{error} has no path");
    }
    assert_eq!(open(Path::new("/nonexistent/photos")).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn an_empty_class_folder_is_left_out_with_a_warning() {
    let root = tree(&["a/1", "b/1", "empty/"]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes, ["a", "b"]);
    assert!(texts(&dataset.warnings)[0].contains("\"empty\""));
}

#[test]
fn what_systems_leave_behind_is_ignored_and_listed() {
    let root = tree(&[
        "cats/1.jpg",
        "cats/.DS_Store",
        "cats/._1.jpg",
        "cats/Thumbs.db",
        "cats/@eaDir/1.jpg/SYNOPHOTO.jpg",
        "cats/desktop.ini",
        "dogs/1.jpg",
        "dogs/.ipynb_checkpoints/1.jpg",
        "__MACOSX/cats/._1.jpg",
        ".ipynb_checkpoints/x.jpg",
        ".git/objects/aa",
        "labels.txt",
    ]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes, ["cats", "dogs"]);
    assert_eq!(names(&dataset), ["- cats cats/1.jpg", "- dogs dogs/1.jpg"]);
    let expected = [
        (".git", "hidden"),
        (".ipynb_checkpoints", "hidden"),
        ("__MACOSX", "system"),
        ("cats/.DS_Store", "hidden"),
        ("cats/._1.jpg", "hidden"),
        ("cats/@eaDir", "system"),
        ("cats/Thumbs.db", "system"),
        ("cats/desktop.ini", "system"),
        ("dogs/.ipynb_checkpoints", "hidden"),
        ("labels.txt", "no-photo"),
    ];
    assert_eq!(ignored(&dataset), expected);
}

#[cfg(unix)]
#[test]
fn pipes_loops_and_broken_links_neither_hang_nor_stop() {
    use std::os::unix::fs::symlink;
    let root = tree(&["cats/1.jpg", "cats/folder.jpg/2.jpg", "dogs/1.jpg", "elsewhere/", "zebras/1.jpg"]);
    let outside = tree(&["real/3.jpg", "real/4.jpg"]);
    let at = |path: &str| root.path().join(path);
    symlink("nowhere", at("cats/broken.jpg")).unwrap();
    symlink("self", at("cats/self")).unwrap();
    symlink("..", at("cats/up")).unwrap();
    symlink(".", at("dogs/here")).unwrap();
    symlink("../cats/1.jpg", at("zebras/linked.jpg")).unwrap();
    symlink(outside.path().join("real"), at("zebras/outside")).unwrap();
    symlink(outside.path().join("real"), at("zebras/again")).unwrap();
    symlink(outside.path().join("real"), at("yaks")).unwrap();
    symlink(root.path(), at("everything")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(at("dogs/pipe.jpg")).status();
    let made_fifo = fifo.is_ok_and(|status| status.success());
    let _socket = std::os::unix::net::UnixListener::bind(at("dogs/socket.jpg")).unwrap();
    symlink("/dev/zero", at("dogs/zero.jpg")).unwrap();

    let dataset = open(root.path()).unwrap();
    let expected = [
        "- cats cats/1.jpg",
        "- cats cats/folder.jpg/2.jpg",
        "- dogs dogs/1.jpg",
        "- yaks yaks/3.jpg",
        "- yaks yaks/4.jpg",
        "- zebras zebras/1.jpg",
        "- zebras zebras/again/3.jpg",
        "- zebras zebras/again/4.jpg",
        "- zebras zebras/linked.jpg",
    ];
    assert_eq!(names(&dataset), expected);
    let mut expected = vec![
        ("cats/broken.jpg", "missing"),
        ("cats/self", "io"),
        ("cats/up", "loop"),
        ("dogs/here", "loop"),
        ("dogs/pipe.jpg", "not-a-file"),
        ("dogs/socket.jpg", "not-a-file"),
        ("dogs/zero.jpg", "not-a-file"),
        ("everything", "loop"),
        ("zebras/outside", "loop"),
    ];
    if !made_fifo {
        expected.retain(|(name, _)| *name != "dogs/pipe.jpg");
    }
    assert_eq!(skipped(&dataset), expected);

    let listing = folder::photos(root.path()).unwrap();
    assert!(listing.photos.iter().all(|(_, path)| path.metadata().unwrap().is_file()));
    assert_eq!(listing.photos.iter().filter(|(name, _)| name.ends_with("1.jpg")).count(), 3);
    let single = folder::photos(&at("dogs/zero.jpg")).unwrap();
    assert_eq!(single.photos, [(name::escape(&at("dogs/zero.jpg")), at("dogs/zero.jpg"))]);
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_listed_and_the_run_goes_on() {
    use std::os::unix::fs::PermissionsExt;
    let root = tree(&["cats/1.jpg", "cats/closed/2.jpg", "dogs/1.jpg"]);
    let closed = root.path().join("cats/closed");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o0)).unwrap();
    let is_bound_by_permissions = std::fs::read_dir(&closed).is_err();
    let dataset = open(root.path()).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    if is_bound_by_permissions {
        assert_eq!(skipped(&dataset), [("cats/closed", "no-permission")]);
    } else {
        eprintln!("skipped: this user may read everything");
        assert_eq!(dataset.samples.len(), 3);
    }
}

#[test]
fn very_deep_folders_end() {
    let root = tree(&["a/1", "b/1"]);
    let mut path = root.path().join("a");
    for _ in 0..folder::MAXIMUM_DEPTH + 20 {
        path.push("d");
    }
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("deep.jpg"), "x").unwrap();
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.samples.len(), 2);
    assert_eq!(dataset.skipped.len(), 1);
    assert_eq!(dataset.skipped[0].reason.code(), "too-deep");
}

#[cfg(unix)]
#[test]
fn names_of_every_kind_survive() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let root = tree(&["b/1"]);
    let long = [b'n'; 255];
    let odd: &[&[u8]] = &[
        b"caf\xe9.jpg",
        "cafe\u{301}.jpg".as_bytes(),
        "caf\u{e9}.jpg".as_bytes(),
        b"new\nline.jpg",
        b"tab\t\"quote\",comma;.jpg",
        b"<script>alert(1)<",
        b"=CMD().jpg",
        b"\x1b[31mred.jpg",
        "gpj.\u{202e}exe".as_bytes(),
        b"back\\slash.jpg",
        b"back\\x41slash.jpg",
        b" leading and trailing ",
        &long,
    ];
    let class = root.path().join(OsStr::from_bytes(b"\xff cl\nass"));
    std::fs::create_dir(&class).unwrap();
    for name in odd {
        std::fs::write(class.join(OsStr::from_bytes(name)), name).unwrap();
    }
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes, ["\\xff cl\nass", "b"]);
    let distinct: std::collections::BTreeSet<&String> =
        dataset.samples.iter().map(|sample| &sample.name).collect();
    assert_eq!(distinct.len(), odd.len() + 1);
    for sample in &dataset.samples {
        assert_eq!(root.path().join(name::unescape(&sample.name).unwrap()), sample.photo.path().unwrap());
        assert!(!name::visible(&sample.name).contains(['\n', '\u{1b}', '\u{202e}', '\t']));
    }
    // Through split.csv and back, and the same file as a table.
    let digests: Vec<Option<Digest>> =
        dataset.samples.iter().map(|sample| Some(digest(&sample.name))).collect();
    let done = split(&dataset, &digests, Rule::Stratified { share: 0.3, seed: 1 }, Conflicts::Error).unwrap();
    let bytes = manifest::csv(&dataset, &done, &digests, None).unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let back: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(back.len(), dataset.samples.len());
    for (row, sample) in back.iter().zip(&dataset.samples) {
        assert_eq!(&row[0], sample.name);
        assert_eq!(&row[2], dataset.classes[sample.label]);
        assert_eq!(row[3].len(), 64);
    }
    let path = root.path().join("split.csv");
    std::fs::write(&path, bytes).unwrap();
    let again = open(&path).unwrap();
    let mut paths: Vec<_> = again.samples.iter().map(|sample| sample.photo.path()).collect();
    let mut expected: Vec<_> = dataset.samples.iter().map(|sample| sample.photo.path()).collect();
    paths.sort();
    expected.sort();
    assert_eq!(paths, expected);
}

#[test]
fn the_order_of_the_folder_on_disk_does_not_show() {
    let mut files: Vec<String> = (0..60)
        .map(|index| format!("{}/{}-{index}.jpg", ["cats", "dogs", "eels"][index % 3], index * 7919 % 61))
        .collect();
    let mut expected = None;
    for _ in 0..3 {
        files.rotate_left(17);
        files.reverse();
        let root = tree(&files.iter().map(String::as_str).collect::<Vec<_>>());
        let found = names(&open(root.path()).unwrap());
        assert_eq!(expected.get_or_insert_with(|| found.clone()), &found);
    }
}

#[test]
fn many_classes() {
    let files: Vec<String> = (0..2000).map(|class| format!("class{class}/1")).collect();
    let root = tree(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes.len(), 2000);
    assert!(dataset.classes.is_sorted());
    let digests: Vec<Option<Digest>> =
        dataset.samples.iter().map(|sample| Some(digest(&sample.name))).collect();
    let done =
        split(&dataset, &digests, Rule::Stratified { share: 0.15, seed: 42 }, Conflicts::Error).unwrap();
    assert_eq!(done.of_set(Subset::Training).len(), 2000);
}

fn csv_file(root: &Path, text: impl AsRef<[u8]>) -> PathBuf {
    let path = root.join("labels.csv");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn tables_in_all_dialects() {
    let root = tree(&["p/1.jpg", "p/2.jpg", "p/3, 4.jpg"]);
    let expected = ["- cat p/1.jpg", "- dog p/2.jpg", "- dog p/3, 4.jpg"];
    let dialects = [
        "filename,label\np/1.jpg,cat\np/2.jpg,dog\n\"p/3, 4.jpg\",dog\n",
        "\u{feff}filename,label\r\np/1.jpg,cat\r\np/2.jpg,dog\r\n\"p/3, 4.jpg\",dog\r\n",
        "label;path\ncat;p/1.jpg\ndog;p/2.jpg\ndog;p/3, 4.jpg",
        "Image\tClass\n./p/1.jpg\t cat \np/2.jpg\tdog\n\np/3, 4.jpg\tdog\n\n",
        "id,file_name,set,label\n1,p//1.jpg,,cat\n2,p\\2.jpg,,dog\n3,\"p\\3, 4.jpg\",,\"dog\"\n",
        "\u{feff}\"filename\",\"label\"\n\"p/1.jpg\",\"cat\"\n\"p/2.jpg\",\"dog\"\np/./2.jpg,dog\n\"p/3, 4.jpg\",dog\n",
    ];
    for text in dialects {
        let path = csv_file(root.path(), text);
        let dataset = open(&path).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(names(&dataset), expected, "{text}");
        assert_eq!(dataset.notes.len(), usize::from(text.contains("/./2")), "{text}");
    }
}

#[test]
fn tables_with_sets_and_missing_files() {
    let root = tree(&["1", "2", "3", "4"]);
    let path = csv_file(
        root.path(),
        "filename,label,set\n1,cat,TRAIN\n2,dog,\n3,dog,test_set\n4,cat,val\n5,cat,train\n.,dog,\n",
    );
    let dataset = open(&path).unwrap();
    assert_eq!(names(&dataset), ["- dog 2", "training cat 1", "validation cat 4", "test dog 3"]);
    assert_eq!(skipped(&dataset), [("", "not-a-file"), ("5", "missing")]);
    assert!(dataset.skipped[1].reason.detail().contains("line 6"), "{}", dataset.skipped[1].reason);

    let classes = ["cat".to_string(), "dog".to_string(), "eel".to_string()];
    let dataset = open_as(&path, &classes, Subset::Evaluation).unwrap();
    assert_eq!(names(&dataset), ["evaluation dog 3"]);
    refused(open_as(&path, &classes[..1], Subset::Evaluation), &["line 4", "\"dog\""]);
}

#[test]
fn wrong_tables_are_refused_with_the_line() {
    // In a folder of its own: beside and above it nothing lies.
    let outer = tree(&["inner/1", "inner/2", "inner/3"]);
    let root = outer.path().join("inner");
    let long = format!("filename,label\n1,cat\n{},dog\n", "x".repeat(1 << 20));
    let open_quote = format!("filename,label\n1,cat\n\"2,dog\n{}", "3,dog\n".repeat(100_000));
    let cases: &[(&[u8], &[&str])] = &[
        (b"", &["empty"]),
        (b"filename,label\n", &["no rows"]),
        (b"a,cat\nb,dog\n", &["line 1", "no column for the file name and the label", "\"a\", \"cat\""]),
        (b"5.jpg 0 8\n6.jpg 8 0\n", &["line 1", "no header, but a row"]),
        (b"1,cat,brown\n2,dog,white\n", &["line 1", "no header, but a row of 3 fields"]),
        (b"filename,path,label\n", &["line 1", "2 columns could be the file name", "\"filename\", \"path\""]),
        (b"filename,label\n1,cat\n,dog\n", &["line 3", "file name is empty"]),
        (b"filename,label\n1,cat\n2,dog,brown\n", &["line 3", "3 fields"]),
        (b"filename,label\n1,cat\n2\n", &["line 3", "1 fields"]),
        (b"filename,label,set\n1,cat,train\n2,dog,holdout\n", &["line 3", "unknown set", "\"holdout\""]),
        (
            b"filename,label\n1,cat\n2,dog\n1,dog\n",
            &["two labels", "\"1\" is \"cat\" in line 2 and \"dog\" in line 4"],
        ),
        (b"filename,label\n1,cat\n2,cat\n", &["only one class"]),
        (
            b"filename,label,set\n1,cat,\n2,dog,train\n3,eel,test\n",
            &["line 4", "\"eel\"", "\"cat\", \"dog\""],
        ),
        (b"filename,label\n7,cat\n8,dog\n", &["none of the 2 files", "line 2"]),
        (
            b"filename,label,set\n,cat,\n2,dog,holdout\n3\n",
            &["3 rows", "line 2: the file name is empty; line 3: unknown set \"holdout\"; line 4: 1 fields"],
        ),
        (
            b"filename,label\n1,cat\n2,dog\n1,dog\n2,cat\n",
            &["2 files two labels", "\"1\" is \"cat\" in line 2 and \"dog\" in line 4; \"2\" is"],
        ),
        (b"\xff\xfef\0i\0l\0e\0", &["no column for the label", "\"file\""]),
        (b"PK\x03\x04\0\0\0\0", &["not a CSV"]),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &["not a CSV"]),
        (long.as_bytes(), &["longer than"]),
        (open_quote.as_bytes(), &["longer than", "line 3"]),
    ];
    let mut wrong = Vec::new();
    for (text, words) in cases {
        let path = csv_file(&root, text);
        match open(&path) {
            Ok(dataset) => wrong.push(format!("{words:?} passed as {:?}", names(&dataset))),
            Err(error) => {
                let shown = error.to_string();
                if error.kind() != ErrorKind::Dataset || !words.iter().all(|word| shown.contains(word)) {
                    wrong.push(format!("{words:?} gives {shown}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_label_in_another_encoding_is_read_as_windows_1252_and_said() {
    let root = tree(&["1", "2", "3"]);
    let path = csv_file(root.path(), b"filename,label\n1,caf\xe9\n2,tea\n3,\x8cuf\x80\n");
    let dataset = open(&path).unwrap();
    assert_eq!(dataset.classes, ["café", "tea", "Œuf€"]);
    assert_eq!(
        texts(&dataset.notes),
        ["the table is not UTF-8; reading it as Windows-1252: \"café\", \"Œuf€\""]
    );
}

#[test]
fn rows_without_a_label_are_left_out_and_counted() {
    let root = tree(&["1", "2", "3", "4", "5"]);
    for missing in ["", "  ", "\"\"", "nan", "NaN", "NA", "N/A", "null", "#N/A"] {
        let text = format!("filename,label\r\n1,cat\r\n\r\n2,{missing}\r\n3,{missing}\r\n4,none\r\n5,empty");
        let dataset = open(&csv_file(root.path(), text)).unwrap();
        assert_eq!(names(&dataset), ["- cat 1", "- empty 5", "- none 4"], "{missing}");
        assert_eq!(texts(&dataset.notes)[0], "skipping 2 rows without a label, first in line 4", "{missing}");
        assert!(
            texts(&dataset.notes)[1].contains("used as classes: \"empty\", \"none\""),
            "{:?}",
            dataset.notes
        );
    }
    // Folder names are always classes.
    let root = tree(&["nan/1", "null/1", "NA/1"]);
    assert_eq!(open(root.path()).unwrap().classes, ["NA", "nan", "null"]);
}

#[test]
fn columns_by_the_names_that_tools_give_them() {
    let root = tree(&["1.jpg", "2.png", "sub/3.JPG"]);
    let headers = [
        "image_path,breed",
        "ImagePath,species",
        "filepath,category",
        "image_id,dx",
        "name,label",
        "id,breed",
        "filenames,labels",
        "img,target",
        "image,choice",
        "id,image,emotion,label",
    ];
    for header in headers {
        let before = header.split(',').count() - 2;
        let rows = [("1", "cat"), ("2", "dog"), ("sub/3", "dog")].map(|(file, class)| match before {
            0 => format!("{file},{class}\n"),
            _ => format!("7,{file},joy,{class}\n"),
        });
        let dataset = open(&csv_file(root.path(), format!("{header}\n{}", rows.concat()))).unwrap();
        assert_eq!(names(&dataset), ["- cat 1.jpg", "- dog 2.png", "- dog sub/3.JPG"], "{header}");
    }
}

#[test]
fn names_without_their_folder_are_looked_for_once() {
    let root = tree(&["images/a/1.jpg", "images/b/2.png", "images/b/1.gif", "3.jpg"]);
    let dataset =
        open(&csv_file(root.path(), "image_id,label\n2,cat\n3,dog\nb/1.gif,dog\n1.jpg ,cat\nno,cat\n"))
            .unwrap();
    assert_eq!(
        names(&dataset),
        ["- cat images/a/1.jpg", "- cat images/b/2.png", "- dog 3.jpg", "- dog images/b/1.gif"]
    );
    assert_eq!(skipped(&dataset), [("no", "missing")]);
    assert_eq!(texts(&dataset.notes), ["3 files of the table found in folders below it, by name alone"]);
    assert!(dataset.samples.iter().all(|sample| sample.photo.path().unwrap().is_file()));
    let table = csv_file(root.path(), "image_id,label\n3,cat\n1,dog\n");
    refused(open(&table), &["line 3", "could be 2 files", "\"images/a/1.jpg\", \"images/b/1.gif\""]);
}

#[test]
fn labels_that_may_be_mistakes_are_said() {
    let root = tree(&["1", "2", "3", "4"]);
    let warnings = |rows: &str| {
        open(&csv_file(root.path(), format!("filename,label\n{rows}")))
            .unwrap()
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let same = warnings("1,0\n2,0.0\n3,1\n");
    assert_eq!(same, ["classes that are the same number: \"0\", \"0.0\""]);
    let lists = warnings("1,cat\n2,dog\n3,cat;outdoor\n4,\"dog, cat\"\n");
    assert!(lists[0].contains("look like several: \"cat;outdoor\", \"dog, cat\""), "{lists:?}");
    assert!(warnings("1,1\n2,2\n3,\"snow, grey; or rain\"\n4,nan1\n").is_empty());
}

#[test]
fn columns_of_sets_are_understood_or_named() {
    let root = tree(&["1", "2", "3", "4"]);
    for (header, values) in [
        ("is_valid", ["False", "False", "True", "True"]),
        ("is_valid", ["0", "0", "1", "1"]),
        ("subset", ["train", "training", "val", "validation"]),
        ("Usage", ["Training", "train_set", "valid", "Validation"]),
        ("partition", ["train", "train", "val", "val"]),
        ("data set", ["train", "train", "val", "val"]),
    ] {
        let rows: Vec<String> = values
            .iter()
            .zip(["cat", "dog", "cat", "dog"])
            .enumerate()
            .map(|(at, (value, class))| format!("{},{class},{value}\n", at + 1))
            .collect();
        let dataset =
            open(&csv_file(root.path(), format!("filename,label,{header}\n{}", rows.concat()))).unwrap();
        let expected = ["training cat 1", "training dog 2", "validation cat 3", "validation dog 4"];
        assert_eq!(names(&dataset), expected, "{header}");
        assert!(dataset.notes.is_empty(), "{:?}", dataset.notes);
    }
    let dataset = open(&csv_file(root.path(), "filename,label,fold\n1,cat,0\n2,dog,1\n")).unwrap();
    assert_eq!(texts(&dataset.notes), ["not used: the column \"fold\""]);
    let table = csv_file(root.path(), "filename,label,is_valid\n1,cat,0\n2,dog,maybe\n");
    refused(open(&table), &["line 3", "unknown set", "\"maybe\""]);
}

#[test]
fn sets_in_names_of_several_words() {
    for [training, test] in [
        ["train_images", "test_images"],
        ["01_train", "02_test"],
        ["pets_train", "pets_test"],
        ["train2017", "val2017"],
        ["train", "test1"],
    ] {
        let files = [format!("{training}/cat/1"), format!("{training}/dog/1"), format!("{test}/cat/2")];
        let root = tree(&files.each_ref().map(String::as_str));
        let dataset = open(root.path()).unwrap();
        assert_eq!(dataset.classes, ["cat", "dog"], "{training}");
        assert_eq!(dataset.of_set(Some(Subset::Training)).len(), 2, "{training}");
    }
    // Photos in the folders of sets have no labels.
    let root = tree(&["train/cat.1.jpg", "test1/1.jpg"]);
    refused(open(root.path()), &["\"train\", \"test1\" look like sets, not classes"]);
    // Classes of several words are classes.
    let root = tree(&["train station/1", "test tube/1", "bus/1"]);
    assert_eq!(open(root.path()).unwrap().classes.len(), 3);
    let root = tree(&["test1/1", "test2/1", "test3/1"]);
    assert_eq!(open(root.path()).unwrap().classes.len(), 3);
}

#[test]
fn sets_below_the_classes_are_an_error() {
    let root = tree(&["cat/train/1", "cat/test/2", "dog/train/1", "dog/test/2"]);
    refused(open(root.path()), &["\"cat\" holds the sets \"test\", \"train\""]);
    let root = tree(&["train/bus/1", "bus/train/1", "bus/2", "car/old/1"]);
    assert_eq!(open(root.path()).unwrap().classes, ["bus", "car", "train"]);
}

#[test]
fn what_lies_beside_is_said() {
    let root = tree(&["train/cat/1", "train/dog/1", "test/cat/2", "dev/cat/3"]);
    let dataset = open(root.path()).unwrap();
    let said = |words: &str, dataset: &Dataset| {
        texts(&dataset.warnings).iter().any(|warning| warning.contains(words))
    };
    assert!(said("not used: \"dev\" beside the sets", &dataset), "{:?}", dataset.warnings);
    let root =
        tree(&["cat/1.jpg", "dog/1.jpg", "a.jpg", "b.PNG", "README", "annotations/1.xml", "models/m.pt"]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes, ["cat", "dog"]);
    assert!(
        said("not used: 2 photos beside the class folders, such as \"a.jpg\"", &dataset),
        "{:?}",
        dataset.warnings
    );
    assert!(said("empty class folders: \"annotations\", \"models\"", &dataset), "{:?}", dataset.warnings);
}

// --- splits ---------------------------------------------------------------------------------------------------

fn digest(text: &str) -> Digest {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// A data set of (name, label, set), and the digests of the names.
fn sample_set(rows: &[(&str, usize, Option<Subset>)]) -> (Dataset, Vec<Option<Digest>>) {
    let samples: Vec<Sample> = rows
        .iter()
        .map(|&(name, label, set)| Sample { set, ..Sample::new(name, PhotoSource::File(name.into()), label) })
        .collect();
    let classes = 1 + rows.iter().map(|row| row.1).max().unwrap_or(0);
    let digests = samples.iter().map(|sample| Some(digest(&sample.name))).collect();
    (
        Dataset {
            classes: (0..classes).map(|label| format!("c{label}")).collect(),
            samples,
            ..Dataset::default()
        },
        digests,
    )
}

fn two_classes(first: usize, second: usize) -> (Dataset, Vec<Option<Digest>>) {
    let names: Vec<(String, usize)> =
        (0..first + second).map(|index| (format!("p{index}.jpg"), usize::from(index >= first))).collect();
    let rows: Vec<(&str, usize, Option<Subset>)> =
        names.iter().map(|(name, label)| (name.as_str(), *label, None)).collect();
    sample_set(&rows)
}

const STRATIFIED: Rule = Rule::Stratified { share: 0.15, seed: 42 };

fn validation_names(
    dataset: &Dataset,
    digests: &[Option<Digest>],
    rule: Rule,
) -> std::collections::BTreeSet<Digest> {
    let done = split(dataset, digests, rule, Conflicts::Error).unwrap();
    done.of_set(Subset::Validation).into_iter().filter_map(|index| digests[index]).collect()
}

#[test]
fn every_class_gives_its_share() {
    for (photos, expected) in [(2, 1), (3, 1), (7, 1), (10, 2), (20, 3), (100, 15), (1000, 150)] {
        let (dataset, digests) = two_classes(photos, 40);
        let done = split(&dataset, &digests, STRATIFIED, Conflicts::Error).unwrap();
        let of_class = |label: usize| {
            done.of_set(Subset::Validation).iter().filter(|&&i| dataset.samples[i].label == label).count()
        };
        assert_eq!((of_class(0), of_class(1)), (expected, 6), "of {photos}");
    }
    let (dataset, digests) = two_classes(1, 10);
    let done = split(&dataset, &digests, STRATIFIED, Conflicts::Error).unwrap();
    assert_eq!(done.sets[0], Some(Subset::Training));
    assert_eq!(
        texts(&done.warnings),
        ["only one photo to train on of \"c0\"", "the validation set has no photo of \"c0\""]
    );
    let (dataset, digests) = two_classes(5, 5);
    for rule in [Rule::AllTrain, Rule::Stratified { share: 0.0, seed: 42 }] {
        assert_eq!(
            split(&dataset, &digests, rule, Conflicts::Error).unwrap().of_set(Subset::Training).len(),
            10
        );
    }
    for share in [-0.1, 1.0, f64::NAN] {
        let error =
            split(&dataset, &digests, Rule::Stratified { share, seed: 1 }, Conflicts::Error).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}

#[test]
fn renaming_and_order_move_nobody_and_one_more_photo_hardly_anybody() {
    let (dataset, digests) = two_classes(70, 90);
    let chosen = validation_names(&dataset, &digests, STRATIFIED);
    assert_eq!(chosen.len(), 11 + 14);

    let mut renamed = dataset.clone();
    for (index, sample) in renamed.samples.iter_mut().enumerate() {
        sample.name = format!("renamed{}", 1000 - index);
    }
    assert_eq!(validation_names(&renamed, &digests, STRATIFIED), chosen);

    let mut reversed = dataset.clone();
    reversed.samples.reverse();
    let backwards: Vec<Option<Digest>> = digests.iter().rev().copied().collect();
    assert_eq!(validation_names(&reversed, &backwards, STRATIFIED), chosen);

    for extra in 0..40 {
        let (mut more, mut more_digests) = (dataset.clone(), digests.clone());
        let name = format!("extra{extra}");
        more.samples.push(Sample::new(name.clone(), PhotoSource::File(PathBuf::new()), 1));
        more_digests.push(Some(digest(&name)));
        let now = validation_names(&more, &more_digests, STRATIFIED);
        let moved = chosen.symmetric_difference(&now).filter(|moved| **moved != digest(&name)).count();
        assert!(moved <= 1, "one photo more moved {moved}");
    }
    assert_ne!(validation_names(&dataset, &digests, Rule::Stratified { share: 0.15, seed: 43 }), chosen);
    assert_eq!(validation_names(&dataset, &digests, STRATIFIED), chosen);
}

#[test]
fn validation_is_drawn_fairly() {
    // Over many seeds each photo validates about as often: 200 draws of 3 in 20, standard deviation 5.
    let (dataset, digests) = two_classes(20, 20);
    let mut often = vec![0; 40];
    for seed in 0..200 {
        let done =
            split(&dataset, &digests, Rule::Stratified { share: 0.15, seed }, Conflicts::Error).unwrap();
        done.of_set(Subset::Validation).into_iter().for_each(|index| often[index] += 1);
    }
    assert!(often.iter().all(|count| (10..=50).contains(count)), "{often:?}");
}

#[test]
fn duplicates_are_one_sample_kept_in_test_before_validation_before_training() {
    let (dataset, mut digests) = sample_set(&[
        ("train/1", 0, Some(Subset::Training)),
        ("train/2", 0, Some(Subset::Training)),
        ("train/3", 0, Some(Subset::Training)),
        ("train/4", 1, Some(Subset::Training)),
        ("val/1", 0, Some(Subset::Validation)),
        ("val/2", 1, Some(Subset::Validation)),
        ("test/1", 0, Some(Subset::Test)),
        ("test/2", 1, Some(Subset::Test)),
        ("train/5", 0, Some(Subset::Training)),
        ("train/6", 0, Some(Subset::Training)),
    ]);
    digests[1] = digests[0];
    digests[2] = digests[4];
    digests[5] = digests[7];
    digests[8] = None;
    digests[9] = None;
    let done = split(&dataset, &digests, STRATIFIED, Conflicts::Error).unwrap();
    use Subset::{Test, Training, Validation};
    let expected = [
        Some(Training),
        None,
        None,
        Some(Training),
        Some(Validation),
        None,
        Some(Test),
        Some(Test),
        None,
        None,
    ];
    assert_eq!(done.sets, expected);
    let listed: Vec<String> = done
        .skipped
        .iter()
        .map(|skipped| format!("{} {}: {}", skipped.name, skipped.reason.code(), skipped.reason.detail()))
        .collect();
    let expected = [
        "train/2 duplicate: the same bytes as train/1 (training)",
        "train/3 duplicate: the same bytes as val/1 (validation)",
        "val/2 duplicate: the same bytes as test/2 (test)",
    ];
    assert_eq!(listed, expected);
    assert_eq!(texts(&done.notes), ["the data have their own validation set"]);
}

#[test]
fn the_same_bytes_in_two_classes_are_an_error_or_left_out() {
    let (dataset, mut digests) = sample_set(&[
        ("a/1", 0, None),
        ("a/2", 0, None),
        ("a/3", 0, None),
        ("b/1", 1, None),
        ("b/2", 1, None),
        ("b/3", 1, None),
        ("test/b/1", 1, Some(Subset::Test)),
    ]);
    digests[3] = digests[0];
    digests[6] = digests[1];
    digests[5] = digests[1];
    let error = split(&dataset, &digests, STRATIFIED, Conflicts::Error).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dataset);
    let text = error.to_string();
    assert!(
        text.contains(
            "2 times: \"a/1\" (c0) = \"b/1\" (c1); \"test/b/1\" (c1) = \"a/2\" (c0) = \"b/3\" (c1)"
        ),
        "{text}"
    );
    assert!(error.remedy().unwrap().to_string().contains("skip photos in two classes"));

    let done = split(&dataset, &digests, Rule::AllTrain, Conflicts::Skip).unwrap();
    let listed: Vec<(&str, &str)> =
        done.skipped.iter().map(|skipped| (skipped.name.as_str(), skipped.reason.code())).collect();
    let expected = [
        ("a/1", "conflict"),
        ("a/2", "conflict"),
        ("b/1", "conflict"),
        ("b/3", "conflict"),
        ("test/b/1", "conflict"),
    ];
    assert_eq!(listed, expected);
    assert_eq!(done.of_set(Subset::Training), [2, 4]);
    assert_eq!(texts(&done.warnings), ["only one photo to train on of \"c0\", \"c1\""]);
}

#[test]
fn a_test_set_of_the_training_photos_is_an_error_that_says_so() {
    let (dataset, mut digests) = sample_set(&[
        ("train/1", 0, Some(Subset::Training)),
        ("train/2", 0, Some(Subset::Training)),
        ("train/3", 1, Some(Subset::Training)),
        ("test/1", 0, Some(Subset::Test)),
        ("test/2", 0, Some(Subset::Test)),
        ("test/3", 1, Some(Subset::Test)),
    ]);
    for at in 0..3 {
        digests[at] = digests[at + 3];
    }
    let error = split(&dataset, &digests, STRATIFIED, Conflicts::Error).unwrap_err();
    assert!(
        error.to_string().contains("is a photo of the test or validation set, too (3 in all)"),
        "{error}"
    );
}

#[test]
fn a_class_that_nothing_is_left_of_is_an_error() {
    let (dataset, mut digests) = two_classes(2, 3);
    digests[0] = None;
    digests[1] = None;
    let error = split(&dataset, &digests, STRATIFIED, Conflicts::Error).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dataset);
    assert!(error.to_string().contains("\"c0\""), "{error}");
}

/// Keras 3.15's own lists, by `reference/keras-split/make.py`.
#[test]
fn the_keras_rule_takes_what_keras_takes() {
    let text = include_str!("../../../reference/keras-split/split.json");
    let cases: Vec<BTreeMap<String, serde_json::Value>> = serde_json::from_str(text).unwrap();
    let strings = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string()).collect()
    };
    assert!(cases.len() >= 4);
    for case in &cases {
        let files = strings(&case["files"]);
        let root = tree(&files.iter().map(String::as_str).collect::<Vec<_>>());
        let dataset = open(root.path()).unwrap();
        let digests: Vec<Option<Digest>> =
            dataset.samples.iter().map(|sample| Some(digest(&sample.name))).collect();
        let share = case["share"].as_f64().unwrap();
        let done = split(&dataset, &digests, Rule::Keras { share }, Conflicts::Error).unwrap();
        let mut found: Vec<String> = done
            .of_set(Subset::Validation)
            .iter()
            .map(|&index| dataset.samples[index].name.clone())
            .collect();
        let mut expected = strings(&case["validation"]);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "share {share}");
    }
}

#[test]
fn the_keras_rule_counts_files_that_cannot_be_read() {
    let (dataset, mut digests) = two_classes(10, 10);
    // In Keras' order: p0, p1, …; of ten files two validate, of which one is unreadable.
    digests[1] = None;
    let done = split(&dataset, &digests, Rule::Keras { share: 0.25 }, Conflicts::Error).unwrap();
    assert_eq!(done.of_set(Subset::Validation), [0, 10, 11]);
}

#[test]
fn the_shared_photos_are_understood() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    if !data.is_dir() {
        eprintln!("skipped: no shared photos here");
        return;
    }
    let dataset = open(&data.join("cats-and-dogs")).unwrap();
    assert_eq!(dataset.classes, ["cats", "dogs"]);
    assert_eq!(dataset.counts(|sample| sample.set == Some(Subset::Training)), [1000, 1000]);
    assert_eq!(dataset.counts(|sample| sample.set == Some(Subset::Test)), [500, 500]);
    assert_eq!((dataset.skipped.len(), dataset.warnings.len()), (0, 0));
    let dataset = open(&data.join("cat-breeds/labels.csv")).unwrap();
    assert_eq!((dataset.classes.len(), dataset.samples.len()), (5, 1000));
    assert_eq!(folder::photos(&data.join("cat-breeds")).unwrap().photos.len(), 1000);
}

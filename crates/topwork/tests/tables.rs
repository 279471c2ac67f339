//! Tables as tools and people write them: titles, encodings, places of the photos, spellings of classes.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use topwork::dataset::{Dataset, Options, Subset, open, open_as};

/// A folder with these files, each of other bytes.
fn tree(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        write(root.path(), file, file);
    }
    root
}

fn write(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn lines(dataset: &Dataset) -> Vec<String> {
    let line = |sample: &topwork::dataset::Sample| {
        let set = sample.set.map_or("-", Subset::as_str);
        format!("{set} {} {}", dataset.classes[sample.label], sample.name)
    };
    dataset.samples.iter().map(line).collect()
}

fn read(root: &Path, table: impl AsRef<[u8]>, options: &Options) -> topwork::Result<Dataset> {
    write(root, "labels.csv", table);
    open(&root.join("labels.csv"), options)
}

fn utf_16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
}

fn texts(notices: &[topwork::Notice]) -> String {
    notices.iter().map(|notice| format!("{notice}\n")).collect()
}

#[test]
fn titles_of_other_tools_and_none_at_all_are_understood() {
    let root = tree(&["p/1.jpg", "p/2.jpg", "p/3 x.jpg"]);
    let expected = ["- cat p/1.jpg", "- dog p/2.jpg", "- dog p/3 x.jpg"];
    let tables = [
        "File,RelativePath,Species\n1.jpg,p,cat\n2.jpg,p,dog\n3 x.jpg,p,dog\n",
        "sep=;\nimage_path;dx\np/1.jpg;cat\np/2.jpg;dog\np/3 x.jpg;dog\n",
        "user.id,image,emotion\n1,p/1.jpg,cat\n2,p/2.jpg,dog\n2,p/3 x.jpg,dog\n",
        "filename,label\rp/1.jpg,cat\rp/2.jpg,dog\rp/3 x.jpg,dog\r",
        // Caffe, PaddleClas, MXNet, and plain pairs without a header.
        "p/1.jpg cat\np/2.jpg dog\np/3 x.jpg dog\n",
        "p/1.jpg\tcat\np/2.jpg\tdog\np/3 x.jpg\tdog\n",
        "0\tcat\tp/1.jpg\n1\tdog\tp/2.jpg\n2\tdog\tp/3 x.jpg\n",
        "p/1.jpg,cat\r\np/2.jpg,dog\r\np/3 x.jpg,dog\r\n",
        "cat;p/1.jpg\ndog;p/2.jpg\ndog;p/3 x.jpg\n",
        // Of several columns the one that leads to files, or any of those that are equal.
        "file,path,label\na,p/1.jpg,cat\nb,p/2.jpg,dog\nc,p/3 x.jpg,dog\n",
        "filename,label,class\np/1.jpg,cat,cat\np/2.jpg,dog,dog\np/3 x.jpg,dog,dog\n",
    ];
    for table in tables {
        let dataset = read(root.path(), table, &Options::default());
        let dataset = dataset.unwrap_or_else(|error| panic!("{error}: {table}"));
        assert_eq!(lines(&dataset), expected, "{table}");
        let has_header =
            table.to_lowercase().contains("label") || table.contains("Species") || table.contains("image");
        let said = texts(&dataset.notes).contains("no header");
        assert_eq!(said, !has_header, "{table}: {:?}", dataset.notes);
    }
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let table = utf_16("filename\tlabel\r\np/1.jpg\tkätzchen\r\np/2.jpg\tdog\r\n", unit);
        let dataset = read(root.path(), table, &Options::default()).unwrap();
        assert_eq!(lines(&dataset), ["- dog p/2.jpg", "- kätzchen p/1.jpg"]);
    }
    let sets =
        read(root.path(), "p/1.jpg,cat,train\np/2.jpg,dog,train\np/3 x.jpg,dog,test\n", &Options::default());
    assert_eq!(lines(&sets.unwrap()), ["training cat p/1.jpg", "training dog p/2.jpg", "test dog p/3 x.jpg"]);
}

#[test]
fn columns_can_be_named() {
    let root = tree(&["1.jpg", "2.jpg", "3.jpg"]);
    let table =
        "Label,Filename,foto,what,when\n?,x,1.jpg,cat,train\n?,x,2.jpg,dog,train\n!,y,3.jpg,dog,test\n";
    let named = |filename: &str, label: &str, set: &str| Options {
        filename_column: Some(filename.to_owned()),
        label_column: Some(label.to_owned()),
        set_column: Some(set.to_owned()),
        ..Options::default()
    };
    let dataset = read(root.path(), table, &named("foto", "WHAT", " when")).unwrap();
    assert_eq!(lines(&dataset), ["training cat 1.jpg", "training dog 2.jpg", "test dog 3.jpg"]);
    let error = read(root.path(), table, &named("fotos", "what", "when")).unwrap_err();
    let titles = "\"label\", \"filename\", \"foto\", \"what\", \"when\"";
    assert!(error.to_string().contains("\"fotos\"") && error.to_string().contains(titles), "{error}");
    assert!(error.remedy().unwrap().to_string().contains("column of the file name"));
    for (table, option) in [
        ("foto,label\n1.jpg,cat\n", "file name"),
        ("filename,what\n1.jpg,cat\n", "label"),
        ("filename,path,label\nx,y,cat\n", "file name"),
        ("filename,label,class\n1.jpg,cat,black\n2.jpg,dog,white\n", "label"),
        ("filename,label,set,split\n1.jpg,cat,train,test\n", "set"),
    ] {
        let error = read(root.path(), table, &Options::default()).unwrap_err();
        assert!(error.remedy().unwrap().to_string().contains(option), "{error} {:?}", error.remedy());
    }
    // Columns that are equal at first and differ later.
    let late: String =
        (0..200).map(|row| format!("{row}.jpg,cat,{}\n", if row == 150 { "dog" } else { "cat" })).collect();
    let error = read(root.path(), format!("filename,label,class\n{late}"), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("line 152"), "{error}");
    let folder = named("foto", "what", "when");
    assert!(open(root.path(), &folder).unwrap_err().to_string().contains("for tables"));
}

#[test]
fn photos_beside_and_above_the_table_are_found_and_can_be_named() {
    let table = "user.id,image,emotion\n1,a.jpg,joy\n1,b.jpg,fear\n2,c.jpg,joy\n";
    let expected = |folder: &str| {
        ["fear", "joy", "joy"]
            .iter()
            .zip(["b", "a", "c"])
            .map(|(class, name)| format!("- {class} {folder}{name}.jpg"))
            .collect::<Vec<_>>()
    };
    for (photos, shown) in
        [("data/", ""), ("data/deep/er/", "deep/er/"), ("images/", "../images/"), ("", "../")]
    {
        let files = ["a", "b", "c"].map(|name| format!("{photos}{name}.jpg"));
        let root = tree(&files.each_ref().map(String::as_str));
        write(root.path(), "notes/readme.txt", "");
        write(root.path(), "data/legend.csv", table);
        let dataset = open(&root.path().join("data/legend.csv"), &Options::default()).unwrap();
        assert_eq!(lines(&dataset), expected(shown), "{photos}");
        assert!(dataset.samples.iter().all(|sample| sample.photo.path().unwrap().is_file()));
        let options = Options { photos: Some(root.path().join(photos)), ..Options::default() };
        assert_eq!(
            lines(&open(&root.path().join("data/legend.csv"), &options).unwrap()),
            expected(""),
            "{photos}"
        );
    }
    // In two folders beside it: which?
    let root = tree(&["one/a.jpg", "two/a.jpg", "one/b.jpg", "two/c.jpg"]);
    write(root.path(), "data/legend.csv", table);
    let error = open(&root.path().join("data/legend.csv"), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("\"../one\", \"../two\""), "{error}");
    assert!(error.remedy().unwrap().to_string().contains("relative to"));
    // Where some lie here, one that is missing is not taken from elsewhere.
    let root = tree(&["data/a.jpg", "data/b.jpg", "other/c.jpg"]);
    write(root.path(), "data/legend.csv", table);
    let dataset = open(&root.path().join("data/legend.csv"), &Options::default()).unwrap();
    assert_eq!((dataset.samples.len(), dataset.skipped.len()), (2, 1));
    let options = Options { photos: Some(root.path().join("none")), ..Options::default() };
    assert!(open(&root.path().join("data/legend.csv"), &options).is_err());
}

#[test]
fn names_of_other_systems_are_found() {
    let root = tree(&["photos/m\u{fc}sli.jpg", "photos/deep/2.jpg"]);
    let table = "filename,label\nphotos/mu\u{308}sli.jpg,oat\ndeep\\2.jpg,rye\n";
    let dataset = read(root.path(), table, &Options::default()).unwrap();
    assert_eq!(lines(&dataset), ["- oat photos/m\u{fc}sli.jpg", "- rye photos/deep/2.jpg"]);
}

#[test]
fn spellings_that_differ_in_case_are_merged_where_that_is_asked_for() {
    let root = tree(&["1.jpg", "2.jpg", "3.jpg", "4.jpg"]);
    let table = "filename,label\n1.jpg,ANGER\n2.jpg,anger\n3.jpg,anger\n4.jpg,joy\n";
    let apart = read(root.path(), table, &Options::default()).unwrap();
    assert_eq!(apart.classes, ["ANGER", "anger", "joy"]);
    let warning = texts(&apart.warnings);
    assert!(
        warning.contains("\"ANGER\" (1), \"anger\" (2)") && warning.contains("differ only in case"),
        "{warning}"
    );
    let merging = Options { merge_case: true, ..Options::default() };
    let merged = read(root.path(), table, &merging).unwrap();
    assert_eq!(merged.classes, ["anger", "joy"]);
    assert_eq!(merged.counts(|_| true), [3, 1]);
    assert!(texts(&merged.notes).contains("1 of \"ANGER\" into \"anger\""), "{:?}", merged.notes);
    assert!(merged.warnings.is_empty(), "{:?}", merged.warnings);

    // Folders with different bytes, for a disk that tells upper and lower case apart.
    let root = tree(&["train/Cat/1.jpg", "train/dog/2.jpg", "train/dog/3.jpg", "test/cat/4.jpg"]);
    assert!(open(root.path(), &Options::default()).is_err());
    let merged = open(root.path(), &merging).unwrap();
    assert_eq!(merged.classes, ["Cat", "dog"]);
    assert!(lines(&merged).contains(&"test Cat test/cat/4.jpg".to_owned()));
    let classes = ["Cat".to_owned(), "dog".to_owned()];
    assert!(open_as(root.path(), &classes, Subset::Evaluation, &Options::default()).is_err());
    assert_eq!(open_as(root.path(), &classes, Subset::Evaluation, &merging).unwrap().samples.len(), 1);
}

#[test]
fn spellings_that_nobody_can_tell_apart_are_one_class() {
    let (composed, decomposed) = ("M\u{fc}sli", "Mu\u{308}sli");
    let root = tree(&["1.jpg", "2.jpg", "3.jpg", "4.jpg"]);
    let table =
        format!("filename,label\n1.jpg,{composed}\n2.jpg,{decomposed}\n3.jpg,{composed}\u{a0}\n4.jpg,oat\n");
    let dataset = read(root.path(), table, &Options::default()).unwrap();
    assert_eq!(dataset.classes, [composed, "oat"]);
    let note = texts(&dataset.notes);
    assert!(
        note.contains("M\\u{fc}sli") && note.contains("Mu\\u{308}sli") && note.contains("\\u{a0}"),
        "{note}"
    );

    let files = [composed, decomposed].map(|class| format!("train/{class}/{}.jpg", class.len()));
    let root = tree(&files.each_ref().map(String::as_str));
    write(root.path(), "train/oat/1.jpg", "1");
    write(root.path(), &format!("test/{decomposed}/2.jpg"), "2");
    // A disk that takes both for one name has one folder.
    let both = std::fs::read_dir(root.path().join("train")).unwrap().count() == 3;
    let dataset = open(root.path(), &Options::default()).unwrap();
    assert_eq!(dataset.classes, [composed, "oat"]);
    assert_eq!(dataset.counts(|sample| sample.set == Some(Subset::Training)), [2, 1]);
    assert_eq!(dataset.counts(|sample| sample.set == Some(Subset::Test)), [1, 0]);
    assert_eq!(both, texts(&dataset.notes).contains("one class each"), "{:?}", dataset.notes);
    assert!(dataset.samples.iter().all(|sample| sample.photo.path().unwrap().is_file()));
    // A model that learned one spelling is evaluated on the other.
    let classes = [decomposed.to_owned(), "oat".to_owned()];
    let evaluated =
        open_as(&root.path().join("train"), &classes, Subset::Evaluation, &Options::default()).unwrap();
    assert_eq!(evaluated.counts(|_| true), [2, 1]);

    let root = tree(&["a b/1.jpg", "a\u{a0}b/2.jpg"]);
    let dataset = open(root.path(), &Options::default()).unwrap();
    assert_eq!(dataset.classes.len(), 2);
    assert!(texts(&dataset.warnings).contains("\"a b\", \"a\\u{a0}b\""), "{:?}", dataset.warnings);
}

#[test]
fn files_with_two_labels_are_left_out_where_that_is_asked_for() {
    let root = tree(&["1.jpg", "2.jpg", "3.jpg", "4.jpg"]);
    let table = "filename,label\n1.jpg,cat\n2.jpg,dog\n1.jpg,dog\n3.jpg,cat\n4.jpg,dog\n4.jpg,cat\n";
    let error = read(root.path(), table, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("2 files two labels"), "{error}");
    assert!(error.remedy().unwrap().to_string().contains("skip photos with two labels"));
    let skipping = Options { skip_conflicts: true, ..Options::default() };
    let dataset = read(root.path(), table, &skipping).unwrap();
    assert_eq!(lines(&dataset), ["- cat 3.jpg", "- dog 2.jpg"]);
    let skipped: Vec<&str> = dataset.skipped.iter().map(|skipped| skipped.name.as_str()).collect();
    assert_eq!(skipped, ["1.jpg", "4.jpg"]);
    assert!(dataset.skipped.iter().all(|skipped| skipped.reason.code() == "conflict"));
    assert!(dataset.skipped[0].reason.detail().contains("\"cat\" in line 2 and \"dog\" in line 4"));
}

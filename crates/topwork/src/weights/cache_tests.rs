use super::*;
use crate::weights::Checksum;

/// A small file that reads as weights; others with other values.
fn file(value: f32) -> Vec<u8> {
    use ::safetensors::tensor::{Dtype, TensorView, serialize};
    let bytes = value.to_le_bytes();
    let view = TensorView::new(Dtype::F32, vec![1], &bytes).expect("sizes agree");
    serialize([("a", view)], None).expect("serialisable")
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// A published file with these bytes.
fn source(name: &'static str, file: &'static str, bytes: &[u8]) -> Source {
    let digests = Digests::of(bytes).expect("memory can be read");
    Source {
        name,
        file,
        url: Some("https://huggingface.co/owner/name/resolve/main/model.safetensors"),
        bytes: Some(bytes.len() as u64),
        checksum: Checksum::Sha256(leaked(digests.sha256)),
        licence: "CC0-1.0",
        top1: None,
    }
}

struct Folders(tempfile::TempDir);

impl Folders {
    fn new() -> Folders {
        Folders(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn cache(&self) -> Cache {
        let others = OtherCaches {
            torch: Some(self.path("torch")),
            keras: Some(self.path("keras")),
            hugging_face: Some(self.path("hub")),
        };
        Cache::at(self.path("own"), others)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn records(&self) -> Vec<PathBuf> {
        let listed =
            fs::read_dir(self.path("own")).map(|listed| listed.map(|entry| entry.unwrap().path()).collect());
        let mut listed: Vec<PathBuf> = listed.unwrap_or_default();
        listed.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        listed.sort();
        listed
    }
}

fn keep(cache: &Cache, backbone: &str, bytes: &[u8]) -> Found {
    cache.keep(backbone, None, bytes, Digests::of(bytes).unwrap(), "safetensors").unwrap()
}

#[test]
fn digests_are_the_standard_ones() {
    // FIPS 180-2, RFC 1321 and the test vectors of BLAKE3 for these three bytes.
    let digests = Digests::of(&b"abc"[..]).unwrap();
    assert_eq!(digests.bytes, 3);
    assert_eq!(digests.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(digests.md5, "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(digests.blake3, blake3::hash(b"abc").to_hex().as_str());
}

#[test]
fn sources_are_told_apart_by_every_kind_of_checksum() {
    let right = Digests::of(&b"right"[..]).unwrap();
    let wrong = Digests::of(&b"wrong"[..]).unwrap();
    for checksum in [
        Checksum::Sha256(leaked(right.sha256.clone())),
        Checksum::Sha256Prefix(leaked(right.sha256[..8].to_owned())),
        Checksum::Md5(leaked(right.md5.clone())),
    ] {
        let source = Source { checksum, bytes: None, ..source("a", "a.bin", b"right") };
        assert_eq!(source.check(&right), Ok(()));
        let reason = source.check(&wrong).unwrap_err();
        assert!(reason.contains(&checksum.to_string()), "{reason}");
    }
    let reason = source("a", "a.bin", b"right").check(&Digests { bytes: 6, ..right }).unwrap_err();
    assert_eq!(reason, "expected 5 bytes, found 6");
}

#[test]
fn files_are_found_in_the_layout_of_every_framework() {
    let bytes = file(1.0);
    let sources = [source("published", "net.safetensors", &bytes)];
    for (name, place) in [
        ("own/net.safetensors", Place::Topwork),
        ("torch/net.safetensors", Place::Torch),
        ("keras/net.safetensors", Place::Keras),
        ("hub/models--owner--name/snapshots/0123abc/model.safetensors", Place::HuggingFace),
    ] {
        let folders = Folders::new();
        let path = folders.write(name, &bytes);
        let cache = folders.cache();
        let search = cache.search("net", &sources);
        assert_eq!(search.rejected, []);
        let [found] = &search.found[..] else { panic!("{search:?}") };
        assert_eq!((&found.path, found.place, found.source), (&path, place, Some(sources[0])));
        assert_eq!(cache.weights("net", &sources, None).unwrap().digest(), *blake3::hash(&bytes).as_bytes());
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
        assert_eq!(folders.records().len(), 1);
    }
}

#[test]
fn a_file_of_the_right_name_and_another_content_is_named_and_left_alone() {
    let sources = [source("published", "net.safetensors", &file(1.0))];
    let longer = [file(1.0), vec![0]].concat();
    for (bytes, reason) in [(file(2.0), "SHA-256"), (longer, "bytes"), (Vec::new(), "bytes")] {
        for name in ["own/net.safetensors", "torch/net.safetensors", "keras/net.safetensors"] {
            let folders = Folders::new();
            // With the system's own slashes.
            let path: PathBuf = folders.write(name, &bytes).components().collect();
            let error = folders.cache().weights("net", &sources, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Weights);
            let message = error.to_string();
            assert!(message.contains(&path.display().to_string()) && message.contains(reason), "{message}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert_eq!(folders.records(), [] as [PathBuf; 0]);
        }
    }
}

#[test]
fn of_two_publications_with_one_file_name_each_is_recognised() {
    let (old, new) = (file(1.0), file(2.0));
    let sources = [source("new", "net.safetensors", &new), source("old", "net.safetensors", &old)];
    let folders = Folders::new();
    folders.write("keras/net.safetensors", &old);
    folders.write("torch/net.safetensors", &new);
    let names: Vec<_> = folders
        .cache()
        .search("net", &sources)
        .found
        .iter()
        .map(|found| found.source.unwrap().name)
        .collect();
    assert_eq!(names, ["new", "old"]);
}

#[test]
fn absent_weights_are_explained() {
    let folders = Folders::new();
    let sources = [source("published", "net.safetensors", &file(1.0))];
    let error = folders.cache().weights("net", &sources, None).unwrap_err();
    let Some(Remedy::GetWeights { backbone, download, files, folder }) = error.remedy() else {
        panic!("{:?}", error.remedy());
    };
    let (name, bytes, licence) = download.unwrap();
    assert_eq!((backbone.as_str(), name, licence), ("net", "published", "CC0-1.0"));
    assert_eq!((bytes, files.as_slice()), (sources[0].bytes, &["net.safetensors"][..]));
    assert_eq!(*folder, folders.path("own"));
    let digest = [7; 32];
    let error = folders.cache().weights("net", &sources, Some(&digest)).unwrap_err();
    assert!(error.to_string().contains(&"07".repeat(32)), "{error}");
    assert!(!folders.path("own").exists(), "looking makes nothing");
}

#[test]
fn the_newest_added_file_is_the_one_and_older_ones_are_found_by_digest() {
    let folders = Folders::new();
    let cache = folders.cache();
    let published = file(0.0);
    let sources = [source("published", "net.safetensors", &published)];
    folders.write("torch/net.safetensors", &published);
    let digest = |bytes: &[u8]| *blake3::hash(bytes).as_bytes();
    let of_name = |cache: &Cache| cache.weights("net", &sources, None).unwrap().digest();
    assert_eq!(of_name(&cache), digest(&published));
    for value in [1.0, 2.0, 3.0, 1.0] {
        // File systems may count time in steps.
        std::thread::sleep(std::time::Duration::from_millis(20));
        keep(&cache, "net", &file(value));
        assert_eq!(of_name(&cache), digest(&file(value)));
    }
    for bytes in [file(1.0), file(2.0), file(3.0), published] {
        assert_eq!(cache.weights("net", &sources, Some(&digest(&bytes))).unwrap().digest(), digest(&bytes));
    }
    assert!(cache.weights("other", &[], None).is_err(), "they belong to one backbone");
    keep(&cache, "other", &file(2.0));
    assert_eq!(cache.weights("other", &[], None).unwrap().digest(), digest(&file(2.0)));
    assert!(
        cache.weights("net", &sources, Some(&digest(&file(2.0)))).is_ok(),
        "the same file for two backbones"
    );
}

#[test]
fn the_checksum_is_computed_once() {
    let folders = Folders::new();
    let bytes = file(1.0);
    let sources = [source("published", "net.safetensors", &bytes)];
    let path = folders.write("torch/net.safetensors", &bytes);
    let cache = folders.cache();
    let first = cache.search("net", &sources);
    // Another content of the same length and time passes for the known one until it is read.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, file(2.0)).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(cache.search("net", &sources), first);
    let error = cache.weights("net", &sources, None).unwrap_err();
    assert!(error.to_string().contains("changed"), "{error}");
    let states: Vec<_> = cache.verify("net", &sources).into_iter().map(|verified| verified.state).collect();
    assert!(matches!(&states[..], [State::Changed(_)]), "{states:?}");
}

#[test]
fn a_changed_file_is_refused_and_a_touched_one_is_not() {
    let folders = Folders::new();
    let cache = folders.cache();
    let path = keep(&cache, "net", &file(1.0)).path;
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(100);
    File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert!(cache.weights("net", &[], None).is_ok());
    assert_eq!(cache.verify("net", &[]), [Verified { path: path.clone(), state: State::Unchanged }]);

    fs::write(&path, file(2.0)).unwrap();
    let error = cache.weights("net", &[], None).unwrap_err();
    assert!(error.to_string().contains("changed"), "{error}");
    assert!(matches!(&cache.verify("net", &[])[..], [Verified { state: State::Changed(_), .. }]));

    fs::remove_file(&path).unwrap();
    assert!(cache.weights("net", &[], None).is_err());
    assert_eq!(cache.verify("net", &[]), [Verified { path, state: State::Missing }]);
}

#[test]
fn no_older_file_takes_the_place_of_a_changed_one() {
    let folders = Folders::new();
    let cache = folders.cache();
    let published = file(0.0);
    let sources = [source("published", "net.safetensors", &published)];
    folders.write("torch/net.safetensors", &published);
    keep(&cache, "net", &file(1.0));
    let newest = keep(&cache, "net", &file(2.0)).path;
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(&newest, file(3.0)).unwrap();
    let error = cache.weights("net", &sources, None).unwrap_err();
    assert_eq!(error.path(), Some(newest.as_path()), "{error}");
    for bytes in [published, file(1.0)] {
        assert!(cache.weights("net", &sources, Some(blake3::hash(&bytes).as_bytes())).is_ok());
    }
    fs::remove_file(newest).unwrap();
    assert_eq!(cache.weights("net", &sources, None).unwrap().digest(), *blake3::hash(&file(1.0)).as_bytes());
}

/// A record can at worst name a file that is not used.
#[test]
fn forged_records_lead_to_no_other_weights() {
    let folders = Folders::new();
    let cache = folders.cache();
    let bytes = file(1.0);
    let sources = [source("published", "net.safetensors", &bytes)];
    let path = keep(&cache, "net", &file(2.0)).path;
    let [record] = &folders.records()[..] else { panic!("one record") };
    let honest: serde_json::Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    let name = |digest: &str| folders.path(&format!("own/{digest}.net.json"));
    let forge = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut forged = honest.clone();
        change(&mut forged);
        for path in folders.records() {
            fs::remove_file(path).unwrap();
        }
        let digest = forged["digests"]["blake3"].as_str().unwrap_or("none").to_owned();
        fs::write(name(&digest), forged.to_string()).unwrap();
    };
    let expected = Digests::of(bytes.as_slice()).unwrap();
    let secret = folders.write("elsewhere/secret", &file(3.0));

    forge(&|record| record["source"] = "published".into());
    let search = cache.search("net", &sources);
    assert_eq!(search.found, [], "its digests are not the published ones");

    forge(&|record| {
        record["source"] = "published".into();
        record["digests"] = serde_json::to_value(&expected).unwrap();
    });
    let error = cache.weights("net", &sources, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Weights);

    for file in ["../elsewhere/secret", "own/../../elsewhere/secret", ".", ".."] {
        forge(&|record| record["file"] = file.into());
        assert!(cache.weights("net", &sources, None).is_err(), "{file}");
    }
    forge(&|record| record["file"] = secret.to_str().unwrap().into());
    assert!(cache.weights("net", &sources, None).is_err(), "only files of known names lie outside");

    let text = honest.to_string();
    for broken in
        ["", "{}", "null", "[1", &text[..text.len() / 2], &text.replace("\"format\":1", "\"format\":2")]
    {
        forge(&|_| {});
        let [record] = &folders.records()[..] else { panic!("one record") };
        fs::write(record, broken).unwrap();
        assert!(cache.weights("net", &sources, None).is_err(), "{broken}");
    }
    assert_eq!(fs::read(&path).unwrap(), file(2.0));
    forge(&|_| {});
    assert!(cache.weights("net", &sources, None).is_ok());
}

#[test]
fn a_record_under_another_name_is_none() {
    let folders = Folders::new();
    let cache = folders.cache();
    keep(&cache, "net", &file(1.0));
    let [record] = &folders.records()[..] else { panic!("one record") };
    for other in [format!("{}.net.json", "0".repeat(64)), "net.json".to_owned()] {
        fs::rename(record, folders.path(&format!("own/{other}"))).unwrap();
        assert!(cache.weights("net", &[], None).is_err(), "{other}");
        fs::rename(folders.path(&format!("own/{other}")), record).unwrap();
    }
    assert!(cache.weights("net", &[], None).is_ok());
}

#[test]
fn two_files_alike_are_both_known() {
    let folders = Folders::new();
    let cache = folders.cache();
    let bytes = file(1.0);
    let sources = [source("published", "net.safetensors", &bytes)];
    folders.write("torch/net.safetensors", &bytes);
    cache.search("net", &sources);
    let kept =
        cache.keep("net", Some(&sources[0]), &bytes, Digests::of(bytes.as_slice()).unwrap(), "bin").unwrap();
    for _ in 0..2 {
        let places: Vec<_> = cache.search("net", &sources).found.iter().map(|found| found.place).collect();
        assert_eq!(places, [Place::Topwork, Place::Torch]);
    }
    fs::remove_file(folders.path("torch/net.safetensors")).unwrap();
    assert_eq!(cache.search("net", &sources).found, [kept]);
}

#[test]
fn odd_things_under_a_file_s_name_are_refused() {
    let folders = Folders::new();
    let sources = [Source { bytes: None, ..source("published", "net.safetensors", &file(1.0)) }];
    fs::create_dir_all(folders.path("torch/net.safetensors")).unwrap();
    fs::create_dir_all(folders.path("own/net.safetensors")).unwrap();
    let search = folders.cache().search("net", &sources);
    assert_eq!((search.found.len(), search.rejected.len()), (0, 2), "{search:?}");
    assert!(search.rejected.iter().all(|rejected| rejected.reason == "this is no file"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let folders = Folders::new();
    let bytes = file(1.0);
    let sources = [source("published", "net.safetensors", &bytes)];
    folders.write("torch/net.safetensors", &bytes);
    fs::create_dir_all(folders.path("own")).unwrap();
    let mode = |mode| fs::set_permissions(folders.path("own"), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let cache = folders.cache();
    let loaded = cache.weights("net", &sources, None);
    let kept = cache.keep("net", None, &bytes, Digests::of(bytes.as_slice()).unwrap(), "bin");
    mode(0o755);
    assert!(loaded.is_ok());
    match kept {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Io),
        Ok(_) => {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                b"skipped: this user may write everywhere\n",
            );
        }
    }
}

#[test]
fn many_at_once_find_and_keep_the_same_files() {
    let folders = Folders::new();
    let bytes = file(1.0);
    let sources = [source("published", "net.safetensors", &bytes)];
    folders.write("torch/net.safetensors", &bytes);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (folders, sources, bytes) = (&folders, &sources, &bytes);
            scope.spawn(move || {
                for turn in 0..20 {
                    let cache = folders.cache();
                    let weights = cache.weights("net", sources, None).unwrap();
                    assert!(
                        [*blake3::hash(bytes).as_bytes(), *blake3::hash(&file(2.0)).as_bytes()]
                            .contains(&weights.digest())
                    );
                    if turn % 4 == thread % 4 {
                        keep(&cache, "net", &file(2.0));
                    }
                }
            });
        }
    });
    let states: Vec<_> = folders.cache().verify("net", &sources).into_iter().map(|one| one.state).collect();
    assert_eq!(states, [State::Unchanged, State::Unchanged]);
}

#[test]
fn ranges_lie_beside_their_weights() {
    let folders = Folders::new();
    let cache = folders.cache();
    let digest = [0xab; 32];
    assert_eq!(cache.ranges(&digest).unwrap(), None);
    let ranges_of = |weights: &str| {
        let tensors = [("stem".to_owned(), (-1.0, 2.5))].into();
        Ranges::new(weights.to_owned(), "min-max".to_owned(), 3, tensors)
    };
    let ranges = ranges_of(&hexadecimal(&digest));
    cache.keep_ranges(&ranges).unwrap();
    assert_eq!(cache.ranges(&digest).unwrap(), Some(ranges.clone()));
    assert_eq!(cache.ranges(&[0xcd; 32]).unwrap(), None);
    assert!(Record::read(&cache.ranges_path(&ranges.weights)).is_none());

    let path = cache.ranges_path(&ranges.weights);
    for broken in ["", "{}", &ranges.to_json().unwrap().replace("abab", "cdcd")] {
        fs::write(&path, broken).unwrap();
        let error = cache.ranges(&digest).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Weights, Some(path.as_path())), "{error}");
    }
    for weights in ["../../outside", "", "xyz"] {
        let error = cache.keep_ranges(&ranges_of(weights)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Weights);
    }
}

#[test]
fn other_caches_are_where_their_frameworks_have_them() {
    let of = |pairs: &[(&str, &str)]| {
        OtherCaches::from_variables(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    };
    let at = |path: &str| Some(PathBuf::from(path));
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    assert_eq!(of(&[]), OtherCaches::default());
    let usual = OtherCaches {
        torch: at("/h/.cache/torch/hub/checkpoints"),
        keras: at("/h/.keras/models"),
        hugging_face: at("/h/.cache/huggingface/hub"),
    };
    assert_eq!(of(&[(home, "/h")]), usual);
    let named = of(&[(home, "/h"), ("TORCH_HOME", "/t"), ("KERAS_HOME", "/k"), ("HF_HOME", "/f")]);
    let expected =
        OtherCaches { torch: at("/t/hub/checkpoints"), keras: at("/k/models"), hugging_face: at("/f/hub") };
    assert_eq!(named, expected);
    assert_eq!(of(&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]).hugging_face, at("/c"));
    #[cfg(unix)]
    assert_eq!(of(&[(home, "/h"), ("XDG_CACHE_HOME", "/x")]).torch, at("/x/torch/hub/checkpoints"));
}

//! The program as a black box: small photos, its runs, and what they leave.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The photos beside the repository, or `None` (with a message) where they are absent.
pub(crate) fn shared_data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// Puts published weights of that backbone into the cache of `place`, where this machine's user has some; else says that
/// they are absent.
pub(crate) fn with_cached_weights(place: &Place, backbone: &str) -> bool {
    let row = topwork::backbone::spec(backbone).expect("a known name");
    let cache = topwork::weights::Cache::of_user().expect("a folder for caches");
    let found = cache.search(row.name, row.sources()).found;
    let Some(found) = found.into_iter().find(|found| found.source.is_some()) else {
        eprintln!("skipped: no published weights of {backbone} are in a cache of this machine");
        return false;
    };
    let file = found.path.to_str().expect("a path of letters");
    place.run(&["weights", "add", file, "--backbone", backbone]).expect(0);
    true
}

/// A folder of its own for a test, and the program run in it with a store of its own.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topwork"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("TOPWORK_CACHE", self.path("cache")).env_remove("TOPWORK_ISA");
        // Weights that this machine's user has must not decide a test.
        for variable in ["TORCH_HOME", "KERAS_HOME", "HF_HOME"] {
            command.env(variable, self.path("no caches"));
        }
        command.env_remove("HF_HUB_CACHE");
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().expect("the program starts"))
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().expect("piped").write_all(input).expect("it reads its input");
        Run::from(child.wait_with_output().expect("it ends"))
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        String::from_utf8(bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        path
    }

    /// Class folders below `root` with `count` photos of each class; the classes differ in colour.
    pub(crate) fn photos(&self, root: &str, classes: &[&str], count: usize, seed: u32) {
        for (index, class) in classes.iter().enumerate() {
            for number in 0..count {
                let photo = photo(index, seed + number as u32);
                self.write(&format!("{root}/{class}/{number:03}.ppm"), &photo);
            }
        }
    }
}

/// Two classes, and a run that knows them.
pub(crate) fn trained() -> Place {
    let place = Place::new();
    place.photos("photos", &["blue", "red"], 12, 0);
    place.run(&["train", "photos"]).expect(0);
    place
}

/// How a run ended and what it said.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Run {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A PPM file of 48 × 40: noise around a colour of the class.
pub(crate) fn photo(class: usize, seed: u32) -> Vec<u8> {
    const COLOURS: [[i32; 3]; 6] =
        [[200, 60, 60], [60, 60, 200], [60, 180, 60], [200, 200, 60], [190, 70, 200], [120, 120, 120]];
    let mut file = b"P6\n48 40\n255\n".to_vec();
    let mut state = (seed + 1).wrapping_mul(2_654_435_761) ^ (class as u32) << 8;
    for _ in 0..48 * 40 {
        for channel in COLOURS[class] {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            file.push((channel + (state >> 24) as i32 / 4 - 32).clamp(0, 255) as u8);
        }
    }
    file
}

/// Rows of a CSV as text, the header first.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes())
        .records()
        .map(|row| row.expect("a valid CSV").iter().map(str::to_owned).collect())
        .collect()
}

/// Every file below a folder with its bytes, sorted: to see that nothing was touched.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push((path.clone(), fs::read(&path).expect("a readable file")));
            }
        }
    }
    found.sort();
    found
}

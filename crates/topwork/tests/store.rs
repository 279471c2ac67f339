//! The feature store against everything that befalls files: kills at any moment, a second run, damage, foreign
//! files, folders that cannot be written, a full disk. The children are this test program itself.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use topwork::ErrorKind;
use topwork::features::StoreNotice;
use topwork::features::store::{COMMIT_ROWS, FILE_NAME, Key, Mode, Row, Store, clear, status};
use topwork::photo::{Reason, Unreadable};

/// Bytes of a row.
const WIDTH: usize = 3904;

fn key(number: u64) -> Key {
    Key::new(blake3::hash(&number.to_le_bytes()).as_bytes(), &[3; 32])
}

/// What is stored under a number: features, or every tenth time a refusal.
fn row(number: u64) -> Row {
    match number % 10 {
        9 => Err(Unreadable::new(Reason::Corrupt, format!("number {number}"))),
        _ => Ok((0..WIDTH as u64).map(|index| (number * 1_000 + index) as u8).collect()),
    }
}

fn write(store: &Store, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| store.keep(key(number), || row(number)));
    store.flush();
}

/// How many of the first numbers are there; what is there must be right.
fn known(store: &Store, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let mut features = vec![0; WIDTH];
    let found = numbers.filter(|number| match store.look_up(&key(*number), &mut features) {
        None => false,
        Some(result) => {
            assert_eq!(result.map(|()| features.clone()), row(*number), "number {number}");
            true
        }
    });
    found.collect()
}

fn child(name: &str, folder: &Path, start: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("STORE_TEST_FOLDER", folder).env("STORE_TEST_START", start.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn child_settings() -> (PathBuf, u64) {
    let folder = std::env::var_os("STORE_TEST_FOLDER").expect("set by the parent");
    let start = std::env::var("STORE_TEST_START").unwrap().parse().unwrap();
    (PathBuf::from(folder), start)
}

#[test]
#[ignore = "run by kill_at_any_moment_loses_little_and_corrupts_nothing, which kills it"]
fn writing_child() {
    let (folder, start) = child_settings();
    let store = Store::open(&folder);
    println!("\nmode {:?} {:?}", store.mode(), store.take_notices());
    for number in start.. {
        store.keep(key(number), || row(number));
        println!("sent {number}");
    }
}

#[test]
#[ignore = "run by two_processes_write_in_turn, which tells it when"]
fn turn_child() {
    let (folder, start) = child_settings();
    let store = Store::open(&folder);
    for turn in 0..2 {
        write(&store, start + 100 * turn..start + 100 * turn + 50);
        println!("\nwrote {turn} {:?}", store.take_notices());
        // The store stays open, as in a server, until the other process is done.
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }
}

/// Reads what the child says until it has sent that many rows; the last number that it sent.
fn follow(child: &mut Child, until: impl Fn(u64) -> bool) -> (u64, Box<dyn Iterator<Item = u64>>) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let opened = lines.find(|line| line.starts_with("mode ")).unwrap();
    assert_eq!(opened, "mode Writing []");
    let mut sent = lines.filter_map(|line| line.strip_prefix("sent ")?.parse().ok());
    let last = sent.by_ref().find(|number| until(*number)).unwrap();
    (last, Box::new(sent))
}

#[test]
fn kill_at_any_moment_loses_little_and_corrupts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let (mut start, mut rounds) = (0, 0_u32);
    // Moments spread by an irrational step: early, in a commit, between commits.
    while rounds < 4 || rounds < 12 && begun.elapsed() < Duration::from_secs(6) {
        let mut process = child("writing_child", folder.path(), start).spawn().unwrap();
        let rows = 1.0 + (f64::from(rounds) * 0.618_034).fract() * 400.0;
        let (mut last, rest) = follow(&mut process, |number| number >= start + rows as u64);
        std::thread::sleep(Duration::from_micros(u64::from(rounds) * 397 % 5_000));
        process.kill().unwrap();
        process.wait().unwrap();
        last = rest.last().unwrap_or(last);

        let store = Store::open(folder.path());
        assert_eq!((store.mode(), store.take_notices()), (Mode::Writing, Vec::new()), "round {rounds}");
        let found = known(&store, 0..last + 10);
        assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>(), "round {rounds} has gaps");
        // A batch that was not committed, a full channel, one row in each hand.
        let lost = (last + 1).saturating_sub(found.len() as u64);
        assert!(lost <= 3 * COMMIT_ROWS as u64 + 3, "round {rounds} lost {lost} rows");
        start = found.len() as u64;
        rounds += 1;
    }
    assert!(start > 100, "nothing was tested: {start} rows");
}

#[test]
fn a_second_run_reads_along() {
    let folder = tempfile::tempdir().unwrap();
    write(&Store::open(folder.path()), 0..100);
    let mut process = child("writing_child", folder.path(), 100).spawn().unwrap();
    let (last, rest) = follow(&mut process, |number| number >= 400);
    let store = Store::open(folder.path());
    let found = known(&store, 0..last);
    let size = status(folder.path());
    let cleared = clear(folder.path());
    process.kill().unwrap();
    process.wait().unwrap();
    drop(rest);
    assert_eq!((store.mode(), store.take_notices()), (Mode::Reading, Vec::new()));
    assert!(found.len() >= 100 + 300 - 3 * COMMIT_ROWS - 3, "only {} rows", found.len());
    assert!(size.entries.is_some_and(|entries| entries >= 200), "{size:?}");
    assert_eq!(cleared.unwrap_err().kind(), ErrorKind::Store);
    // The other one is gone, so that this one may write now.
    write(&store, 1_000_000..1_000_010);
    assert_eq!(known(&store, 1_000_000..1_000_010).len(), 10);
}

#[test]
fn two_processes_write_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = child("turn_child", folder.path(), 1_000).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = other.stdin.take().unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut wrote = |turn: usize| lines.find(|line| line.starts_with(&format!("wrote {turn}"))).unwrap();
    assert_eq!(wrote(0), "wrote 0 []");
    let store = Store::open(folder.path());
    assert_eq!(store.mode(), Mode::Reading, "the other process has not been quiet for long");
    assert_eq!(known(&store, 1_000..1_200).len(), 50);
    write(&store, 0..70);
    assert_eq!((store.mode(), store.take_notices()), (Mode::Writing, Vec::new()));
    stdin.write_all(b"\n").unwrap();
    assert_eq!(wrote(1), "wrote 1 []");
    drop(stdin);
    other.wait().unwrap();
    assert_eq!(store.mode(), Mode::Reading, "it was given back after a time of quiet");
    assert_eq!(known(&store, 0..1_200).len(), 170);
    assert_eq!(store.close(), Vec::new());
    assert_eq!(status(folder.path()).entries, Some(170));
}

#[test]
fn what_is_written_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("made/on/the way"));
    assert!(known(&store, 0..10).is_empty());
    write(&store, 0..200);
    assert_eq!(known(&store, 0..300).len(), 200);
    assert_eq!(store.close(), Vec::new());
    let folder = folder.path().join("made/on/the way");
    let size = status(&folder);
    assert_eq!((size.entries, size.damaged_bytes, size.is_large()), (Some(200), 0, false));
    assert!(size.bytes > 180 * WIDTH as u64);
    let store = Store::open(&folder);
    assert_eq!(known(&store, 0..300).len(), 200);
    drop(store);
    assert_eq!(clear(&folder).unwrap(), size.bytes);
    assert_eq!(status(&folder).bytes, 0);
    assert_eq!(clear(&folder).unwrap(), 0);
}

#[test]
fn no_store_knows_and_keeps_nothing() {
    let store = Store::none();
    write(&store, 0..10);
    assert_eq!((known(&store, 0..10), store.mode()), (Vec::new(), Mode::Off));
}

#[test]
fn foreign_and_damaged_files_are_set_aside() {
    let whole = {
        let folder = tempfile::tempdir().unwrap();
        write(&Store::open(folder.path()), 0..50);
        std::fs::read(folder.path().join(FILE_NAME)).unwrap()
    };
    let half = whole.len() / 2;
    let mut wiped = whole.clone();
    wiped[..4096].fill(0);
    let cases: [(&str, Vec<u8>); 5] = [
        ("text", b"this is not a database, but somebody's notes".to_vec()),
        ("zeros", vec![0; 100_000]),
        (
            "noise",
            (0..200_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect(),
        ),
        ("half of a store", whole[..half].to_vec()),
        ("a store without its head", wiped),
    ];
    for (what, bytes) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), &bytes).unwrap();
        let store = Store::open(folder.path());
        assert_eq!(store.mode(), Mode::Writing, "{what}");
        let notices = store.take_notices();
        assert!(matches!(notices[..], [StoreNotice::SetAside { .. }]), "{what}: {notices:?}");
        let aside = folder.path().join(format!("{FILE_NAME}.damaged-1"));
        assert!(aside.is_file(), "{what}");
        if what == "text" {
            assert_eq!(std::fs::read(aside).unwrap(), bytes);
        }
        write(&store, 0..20);
        drop(store);
        let store = Store::open(folder.path());
        assert_eq!((known(&store, 0..50).len(), store.take_notices()), (20, Vec::new()), "{what}");
        drop(store);
        assert!(clear(folder.path()).unwrap() > 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{what}");
    }
}

#[test]
fn a_database_of_another_program_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let table: redb::TableDefinition<u64, u64> = redb::TableDefinition::new("features 2");
    let database = redb::Database::create(folder.path().join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let store = Store::open(folder.path());
    assert_eq!(store.mode(), Mode::Writing);
    let notices = store.take_notices();
    assert!(matches!(notices[..], [StoreNotice::SetAside { .. }]), "{notices:?}");
}

#[test]
fn flipped_bits_never_give_wrong_features() {
    let folder = tempfile::tempdir().unwrap();
    write(&Store::open(folder.path()), 0..80);
    let path = folder.path().join(FILE_NAME);
    let whole = std::fs::read(&path).unwrap();
    let mut state = 12_345_u64;
    let (mut unharmed, mut noticed) = (0, 0);
    for round in 0..24_usize {
        let mut bytes = whole.clone();
        for _ in 0..1 + round % 40 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Half of the flips go to the head and the first pages, where the structure is.
            let range = if round % 2 == 0 { whole.len() } else { 16_384 };
            bytes[(state >> 33) as usize % range] ^= 1 << (state >> 20 & 7);
        }
        std::fs::write(&path, bytes).unwrap();
        let store = Store::open(folder.path());
        let found = known(&store, 0..80).len();
        write(&store, 0..80);
        let notes = store.close();
        if found == 80 && notes.is_empty() {
            unharmed += 1
        } else {
            noticed += 1
        }
        // Whatever happened, the next two runs come to a store that works.
        drop(Store::open(folder.path()));
        let store = Store::open(folder.path());
        write(&store, 0..80);
        let mode = store.mode();
        let after = known(&store, 0..80).len();
        assert!(mode == Mode::Writing, "round {round}: {notes:?} {:?}", store.take_notices());
        if after != 80 {
            store.close();
            let store = Store::open(folder.path());
            write(&store, 0..80);
            assert_eq!(known(&store, 0..80).len(), 80, "round {round}: {notes:?} {:?}", store.take_notices());
        } else {
            drop(store);
        }
        clear(folder.path()).unwrap();
    }
    assert!(noticed > 4 && unharmed + noticed == 24, "{unharmed} unharmed, {noticed} noticed");
}

#[test]
fn a_folder_that_cannot_be_used_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let taken = folder.path().join("taken");
    std::fs::create_dir_all(taken.join(FILE_NAME)).unwrap();
    for place in [file.clone(), file.join("below"), taken] {
        let store = Store::open(&place);
        write(&store, 0..10);
        assert_eq!((store.mode(), known(&store, 0..10)), (Mode::Off, Vec::new()), "{}", place.display());
        assert_eq!(store.close().len(), 1);
    }
}

#[test]
#[ignore = "run by a_full_disk_is_done_without, under a limit on the size of files"]
fn filling_child() {
    let (folder, _) = child_settings();
    let store = Store::open(&folder);
    write(&store, 0..2000);
    println!("\nnotes {:?}", store.take_notices());
    println!("known {}", known(&store, 0..2000).len());
    println!("closed {:?}", store.close());
}

/// A limit on the size of files fails as a full disk does: a write returns an error.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let inner = child("filling_child", folder.path(), 0);
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\""]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("KeepsNothingMore"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("closed ["), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let store = Store::open(folder.path());
    assert_eq!(store.mode(), Mode::Writing, "{:?}", store.take_notices());
    let found = known(&store, 0..2000);
    assert!(found.len() >= COMMIT_ROWS && found.len() < 2000, "{} {said}", found.len());
}

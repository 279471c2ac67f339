//! Files that mean harm, or are broken: each is refused with its reason, in bounded time and memory, and nothing in it runs.

#![allow(clippy::print_stderr, reason = "a test tells how many files it tried")]

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use topwork::ErrorKind;
use topwork::weights::Weights;
use zip::write::{SimpleFileOptions, ZipWriter};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory is counted for the whole process, and making a file takes some, too: each test begins with this.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a file may take beside a small multiple of its own length.
const MEMORY_LIMIT: usize = 64 << 20;

/// Under a second on a machine of one's own.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Reads a file's bytes within the limits: the reason why not, or what was accepted.
#[track_caller]
fn read(name: &str, bytes: &[u8]) -> Result<Weights, String> {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let read = Weights::from_bytes(bytes);
    let (time, peak) = (start.elapsed(), MEMORY.peak_usage().saturating_sub(before));
    assert!(time < TIME_LIMIT, "{name}: {time:?}");
    assert!(peak < MEMORY_LIMIT + 4 * bytes.len(), "{name}: {peak} bytes of memory for {}", bytes.len());
    read.map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::Weights, "{name}");
        error.to_string()
    })
}

#[track_caller]
fn check(cases: Vec<(&str, Vec<u8>, &str)>) {
    let mut wrong = Vec::new();
    for (name, bytes, reason) in cases {
        match read(name, &bytes) {
            Err(message) if message.contains(reason) => {}
            other => wrong.push(format!("{name}: {:?} instead of {reason:?}", other.map(|_| "accepted"))),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/weights_files")
}

/// A file that `reference/weights_files/make.py` wrote.
fn fixture(path: &str) -> Vec<u8> {
    let bytes = std::fs::read(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    if !path.ends_with(".gz") {
        return bytes;
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).expect("a good gzip file");
    unpacked
}

/// A zip archive with these entries, as they are.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    write_archive(entries, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
}

fn deflated(entries: &[(&str, &[u8])]) -> Vec<u8> {
    write_archive(entries, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated))
}

fn write_archive(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in entries {
        writer.start_file(*name, options).expect("a good name");
        writer.write_all(contents).expect("to memory");
    }
    writer.finish().expect("to memory").into_inner()
}

/// PyTorch's archive of a pickle and of one tensor's values, 2, 4, 6, 8, 10 and 12.
fn pytorch(pickle: &[u8]) -> Vec<u8> {
    let values: Vec<u8> = (1..=6).flat_map(|value| (value as f32 * 2.0).to_le_bytes()).collect();
    archive(&[("archive/data.pkl", pickle), ("archive/data/0", &values)])
}

/// A pickle of protocol 2 with these parts.
fn pickle(parts: &[&[u8]]) -> Vec<u8> {
    [b"\x80\x02", &parts.concat()[..], b"."].concat()
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn integer(value: i64) -> Vec<u8> {
    [b"\x8a\x08", &value.to_le_bytes()[..]].concat()
}

fn integers(values: &[i64]) -> Vec<u8> {
    [b"(".to_vec(), values.iter().flat_map(|value| integer(*value)).collect(), b"t".to_vec()].concat()
}

/// A storage: its class, and how many values it is said to have.
fn storage(class: &str, count: i64) -> Vec<u8> {
    [
        b"(",
        &text("storage")[..],
        b"ctorch\n",
        class.as_bytes(),
        b"\n",
        &text("0"),
        &text("cpu"),
        &integer(count),
        b"tQ",
    ]
    .concat()
}

/// A call that makes a tensor, by that function.
fn tensor_by(function: &[u8], storage: &[u8], shape: &[i64], stride: &[i64]) -> Vec<u8> {
    let hooks = b"\x89ccollections\nOrderedDict\n)R";
    [function, b"(", storage, &integer(0), &integers(shape), &integers(stride), hooks, b"tR"].concat()
}

const REBUILD: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\n";

/// A state dict with one tensor.
fn state_dict(tensor: &[u8]) -> Vec<u8> {
    pickle(&[b"}", &text("fc.bias"), tensor, b"s"])
}

fn good_tensor() -> Vec<u8> {
    tensor_by(REBUILD, &storage("FloatStorage", 6), &[2, 3], &[3, 1])
}

/// A call of a function with one text.
fn call(module: &str, function: &str, argument: &str) -> Vec<u8> {
    [b"c", module.as_bytes(), b"\n", function.as_bytes(), b"\n", &text(argument)[..], b"\x85R"].concat()
}

/// Objects in objects, each of two copies of the one before.
fn bomb(levels: usize) -> Vec<u8> {
    [b"\x89q\x00".to_vec(), b"h\x00h\x00\x86q\x00".repeat(levels)].concat()
}

/// A tar archive with these entries.
fn tar(entries: &[(&str, &[u8], u8)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, contents, kind) in entries {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", contents.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = *kind;
        header[257..262].copy_from_slice(b"ustar");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend(header);
        bytes.extend_from_slice(contents);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// The bytes with `new` where `old` is first found.
#[track_caller]
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old).expect("the file has these bytes");
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

#[test]
fn what_is_no_weights_file_is_named() {
    let _alone = alone();
    let random: Vec<u8> = (0..1000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 1).collect();
    check(vec![
        ("an empty file", vec![], "an empty file"),
        ("a web page", b"\n<!DOCTYPE html><html><title>404</title>".to_vec(), "a web page"),
        ("an error of a store", b"<?xml version='1.0'?><Error>NoSuchKey</Error>".to_vec(), "an XML document"),
        (
            "Git LFS",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n".to_vec(),
            "a pointer of Git LFS",
        ),
        ("JSON", b"{\"error\": \"not found\"}".to_vec(), "a JSON document"),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\0".to_vec(), "a gzip archive"),
        ("zstd", b"\x28\xb5\x2f\xfd\0\0\0\0\0\0".to_vec(), "a compressed archive"),
        ("ONNX", b"\x08\x07\x12\x07pytorch\x1a\x032.1".to_vec(), "an ONNX model"),
        ("GGUF", b"GGUF\x03\0\0\0\0\0\0\0".to_vec(), "a GGUF file"),
        ("NumPy", b"\x93NUMPY\x01\0v\0".to_vec(), "a NumPy array"),
        ("TensorFlow Lite", b"\x1c\0\0\0TFL3\0\0\0\0".to_vec(), "a TensorFlow Lite model"),
        ("zeros", vec![0; 5000], "a file of zeros"),
        ("noise", random, "not a weights file that topwork knows"),
        ("an empty archive", [b"PK\x05\x06", &[0; 18][..]].concat(), "an empty zip archive"),
    ]);
}

#[test]
fn pickles_that_would_run_code_are_refused_by_name() {
    let _alone = alone();
    let scene = tempfile::tempdir().expect("a folder");
    let touch = format!("touch {}", scene.path().join("ran").display());
    let open = format!("open({:?}, 'w')", scene.path().join("ran"));
    let system = call("os", "system", &touch);
    let stack_global = |module: &str, name: &str, argument: &str| {
        let short = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes()].concat();
        [&b"\x80\x04"[..], &short(module), &short(name), b"\x93", &text(argument), b"\x85R."].concat()
    };
    let system_dict = [b"}", &text("fc.bias")[..], &system, b"s"].concat();
    let legacy = fixture("pytorch/legacy.pth");
    // The third pickle of the old container describes the machine.
    let info = legacy.windows(2).position(|window| window == b"}q").expect("a dictionary");
    check(vec![
        ("a pickle", pickle(&[&system]), "would import os.system"),
        ("an archive", pytorch(&pickle(&[&system])), "would import os.system"),
        ("an archive by protocol 4", pytorch(&stack_global("builtins", "eval", &open)), "builtins.eval"),
        ("exec", pytorch(&pickle(&[&call("__builtin__", "exec", &open)])), "__builtin__.exec"),
        (
            "a process",
            pytorch(&pickle(&[b"csubprocess\nPopen\n", &text(&touch), b"\x85\x81"])),
            "subprocess.Popen",
        ),
        ("runpy", pytorch(&pickle(&[&call("runpy", "run_path", "/ran")])), "runpy.run_path"),
        (
            "a module from the net",
            pytorch(&pickle(&[&call("webbrowser", "open", "http://127.0.0.1/")])),
            "webbrowser.open",
        ),
        ("instead of the tensors", pytorch(&pickle(&[&system_dict])), "would import os.system"),
        ("as a state", pytorch(&pickle(&[b"c__main__\nA\n)\x81", &system_dict, b"b"])), "os.system"),
        (
            "a function of a tensor",
            pytorch(&state_dict(&tensor_by(
                b"c__main__\nevil\n",
                &storage("FloatStorage", 6),
                &[2, 3],
                &[3, 1],
            ))),
            "__main__.evil",
        ),
        (
            "a sparse tensor",
            pytorch(&state_dict(&tensor_by(
                b"ctorch._utils\n_rebuild_sparse_tensor\n",
                &storage("FloatStorage", 6),
                &[2, 3],
                &[3, 1],
            ))),
            "_rebuild_sparse_tensor",
        ),
        ("the old container", [&legacy[..info], &system, b".", &legacy[info..]].concat(), "os.system"),
        ("a tar archive", tar(&[("pickle", &pickle(&[&system]), b'0')]), "os.system"),
    ]);
    // Beside tensors it is only a name.
    let beside = pickle(&[b"}(", &text("fc.bias"), &good_tensor(), &text("extra"), &system, b"u"]);
    let weights = Weights::from_bytes(&pytorch(&beside)).expect("the tensor does not depend on it");
    assert_eq!(weights.tensor("fc.bias").map(|tensor| tensor.values[5]), Some(12.0));
    assert_eq!(weights.unread(), ["the Python object os.system"]);
    assert_eq!(std::fs::read_dir(scene.path()).expect("the folder").count(), 0, "something ran");
}

#[test]
fn damaged_pickles_are_refused() {
    let _alone = alone();
    let good = state_dict(&good_tensor());
    let with = |storage: &[u8], shape: &[i64], stride: &[i64]| {
        pytorch(&state_dict(&tensor_by(REBUILD, storage, shape, stride)))
    };
    let float = |count| storage("FloatStorage", count);
    let nan = archive(&[("a/data.pkl", &good), ("a/data/0", &f32::NAN.to_le_bytes().repeat(6))]);
    let big_endian = archive(&[("a/data.pkl", &good), ("a/data/0", &[0; 24]), ("a/byteorder", b"big")]);
    let storages = |pickle: &[u8]| {
        tar(&[
            ("sys_info", b"\x80\x02}X\x0d\0\0\0little_endian\x88s.", b'0'),
            ("storages", pickle, b'0'),
            ("tensors", b"", b'0'),
            ("pickle", b"\x80\x02}.", b'0'),
        ])
    };
    check(vec![
        ("copies of copies", pytorch(&pickle(&[&bomb(40)])), "copies of copies"),
        ("doubles", pytorch(&pickle(&[b"K\x01", &b"2\x86".repeat(60)])), "copies of copies"),
        (
            "copies of a long text",
            pytorch(&pickle(&[&text(&"x".repeat(1 << 20)), b"q\x00(", &b"h\x00".repeat(60), b"t"])),
            "copies of copies",
        ),
        ("copies in a tar archive", storages(&pickle(&[&bomb(40)])), "copies of copies"),
        ("deep", pytorch(&pickle(&[b"]", &b"\x85".repeat(100_000)])), "more than 100 deep"),
        (
            "a text of 10 GB",
            pytorch(&pickle(&[b"\x8d", &10_000_000_000_u64.to_le_bytes()])),
            "the end of the file",
        ),
        ("a text of all memory", pytorch(&pickle(&[b"\x8d", &[0xff; 8]])), "the end of the file"),
        ("a number of 4 GB", pytorch(&pickle(&[b"\x8b", &[0xff, 0xff, 0xff, 0x7f]])), "the end of the file"),
        ("no end", pytorch(&good[..good.len() - 1]), "the end of the file"),
        ("no operands", pytorch(&pickle(&[b"s"])), "without its operands"),
        (
            "a list for a dictionary",
            pytorch(&pickle(&[b"]", &text("fc.bias"), &good_tensor(), b"s"])),
            "SetItem",
        ),
        ("an unknown opcode", pytorch(&pickle(&[b"\x82\x01"])), "the opcode 0x82"),
        ("a list", pytorch(&pickle(&[b"]", &good_tensor(), b"a"])), "Expected a dictionary"),
        ("no tensors", pytorch(&pickle(&[b"}", &text("epoch"), b"K\x03s"])), "without tensors"),
        ("too few values in the file", with(&float(60), &[6, 10], &[10, 1]), "only 6 are available"),
        ("too few values in the storage", with(&float(5), &[2, 3], &[3, 1]), "needs 6 elements"),
        ("more values than memory", with(&float(i64::MAX), &[2, 3], &[3, 1]), "overflow"),
        ("a negative length", with(&float(6), &[-2, 3], &[3, 1]), "non-negative"),
        ("a negative stride", with(&float(6), &[2, 3], &[-3, 1]), "non-negative"),
        ("a shape without strides", with(&float(6), &[2, 3], &[1]), "rank"),
        ("a shape that overflows", with(&float(6), &[1 << 40, 1 << 40], &[0, 0]), "overflow"),
        (
            "one value, shown 2^26 times",
            with(&float(6), &[1 << 13, 1 << 13], &[0, 0]),
            "larger than the file allows",
        ),
        ("f64", with(&storage("DoubleStorage", 3), &[3], &[1]), "F64"),
        ("integers", with(&storage("LongStorage", 3), &[3], &[1]), "I64"),
        ("quantised values", with(&storage("QInt8Storage", 3), &[3], &[1]), "QInt8Storage"),
        ("a missing storage", replaced(&pytorch(&good), b"X\x01\0\0\x000", b"X\x01\0\0\x007"), "hecksum"),
        ("a missing entry", archive(&[("a/data.pkl", &good)]), "not found"),
        ("not a number", nan, "NaN at place 0"),
        ("big-endian", big_endian, "ig-endian"),
        (
            "two ways at once",
            {
                let mut bytes = fixture("pytorch/legacy.pth");
                bytes[257..262].copy_from_slice(b"ustar");
                bytes
            },
            "in two ways",
        ),
    ]);
}

#[test]
fn hostile_archives_are_refused() {
    let _alone = alone();
    let good = pytorch(&state_dict(&good_tensor()));
    let keras = fixture("keras/nested.keras.gz");
    let hdf5 = fixture("hostile/good.h5.gz");
    let zeros = vec![0; 100 << 20];
    let bomb = deflated(&[("model.weights.h5", &zeros)]);
    let small = (1000_u32).to_le_bytes();
    let lying = replaced(&bomb, &(zeros.len() as u32).to_le_bytes(), &small);
    let lying = replaced(&lying, &(zeros.len() as u32).to_le_bytes(), &small);
    let mut encrypted = good.clone();
    for at in 0..good.len() - 8 {
        match &good[at..at + 4] {
            b"PK\x03\x04" => encrypted[at + 6] |= 1,
            b"PK\x01\x02" => encrypted[at + 8] |= 1,
            _ => {}
        }
    }
    let directory = keras.windows(4).rposition(|window| window == b"PK\x01\x02").expect("a directory");
    let mut link = keras.clone();
    link[directory + 5] = 3;
    link[directory + 40..directory + 42].copy_from_slice(&0o120_777_u16.to_le_bytes());
    let mut offset = keras.clone();
    offset[directory + 42..directory + 46].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let end = good.len() - 22;
    let mut many = good.clone();
    many[end + 8..end + 12].fill(0xff);
    let mut padded = archive(&[("data.pkl", &zeros[..4 << 20])]);
    let end = padded.len() - 22;
    padded[end + 8..end + 12].fill(0xff);
    padded[end + 12..end + 16].copy_from_slice(&(4_u32 << 20).to_le_bytes());
    check(vec![
        ("a bomb", bomb.clone(), "from an archive of"),
        ("a bomb that lies", lying, "larger than its declared"),
        (
            "PyTorch's, compressed",
            deflated(&[("a/data.pkl", &state_dict(&good_tensor())), ("a/data/0", &zeros[..24])]),
            "is compressed",
        ),
        (
            "an archive in an archive",
            archive(&[("weights.zip", &good)]),
            "without data.pkl and without model.weights.h5",
        ),
        (
            "two of one name",
            replaced(
                &replaced(&archive(&[("data.pkl", b"."), ("data.pkm", b".")]), b"data.pkm", b"data.pkl"),
                b"data.pkm",
                b"data.pkl",
            ),
            "two entries of one name",
        ),
        ("encrypted", encrypted, "assword"),
        ("a symbolic link", link, "not a plain file"),
        ("an offset elsewhere", offset, "entry"),
        ("cut", good[..good.len() - 30].to_vec(), "damaged zip archive"),
        ("more entries than there are", many, "damaged zip archive"),
        ("a directory that is none", padded, "damaged zip archive"),
        (
            "no weights",
            fixture("hostile/without_weights.keras.gz"),
            "without data.pkl and without model.weights.h5",
        ),
        ("weights that are none", archive(&[("model.weights.h5", b"<html>")]), "is not an HDF5 file"),
        ("two frameworks", archive(&[("model.weights.h5", &hdf5), ("data.pkl", b"\x80\x02}.")]), "at once"),
        ("a sparse tar entry", tar(&[("pickle", &[0; 512], b'S')]), "an entry of the type 'S'"),
        ("a tar entry's longer name", tar(&[("pickle", &[0; 512], b'L')]), "an entry of the type 'L'"),
        ("a tar link", tar(&[("pickle", b"", b'2')]), "an entry of the type '2'"),
        (
            "a tar entry beyond the end",
            tar(&[("pickle", &[0; 2000], b'0')])[..1024].to_vec(),
            "beyond the end",
        ),
        (
            "two tar entries of one name",
            tar(&[("pickle", b"", b'0'), ("pickle", b"", b'0')]),
            "two entries called",
        ),
        (
            "a tar archive in a tar archive",
            [tar(&[("pickle", b"", b'0')]), tar(&[("pickle", b"", b'0')])].concat(),
            "something after its end",
        ),
        ("a tar archive without tensors", tar(&[("pickle", b"\x80\x02}.", b'0')]), "missing 'storages'"),
    ]);
}

#[test]
fn hostile_safetensors_are_refused() {
    let _alone = alone();
    let tensor = |dtype: &str, shape: &str, from: usize, to: usize| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let one = |tensor: &str, data: &[u8]| safetensors(&format!(r#"{{"a":{tensor}}}"#), data);
    let two = |a: &str, b: &str, data: &[u8]| safetensors(&format!(r#"{{"a":{a},"b":{b}}}"#), data);
    let good = one(&tensor("F32", "[2]", 0, 8), &[0; 8]);
    let nan = [f32::NAN.to_le_bytes(), [0; 4]].concat();
    check(vec![
        (
            "overlap",
            two(&tensor("F32", "[2]", 0, 8), &tensor("F32", "[2]", 4, 12), &[0; 12]),
            "damaged safetensors",
        ),
        (
            "a hole",
            two(&tensor("F32", "[2]", 0, 8), &tensor("F32", "[1]", 12, 16), &[0; 16]),
            "damaged safetensors",
        ),
        ("a header of 2^64 bytes", [&[0xff; 8][..], b"{}"].concat(), "damaged safetensors"),
        ("a header of 200 MB", [&200_000_000_u64.to_le_bytes()[..], b"{}"].concat(), "damaged safetensors"),
        (
            "a header's length in big-endian",
            [&2_u64.to_be_bytes()[..], b"{}"].concat(),
            "damaged safetensors",
        ),
        ("not a number", one(&tensor("F32", "[2]", 0, 8), &nan), "NaN at place 0"),
        ("a shape of another size", one(&tensor("F32", "[3]", 0, 8), &[0; 8]), "damaged safetensors"),
        (
            "a shape that overflows",
            one(&tensor("F32", "[4294967296,4294967296]", 0, 0), &[]),
            "damaged safetensors",
        ),
        ("backwards", one(&tensor("F32", "[2]", 8, 0), &[0; 8]), "damaged safetensors"),
        ("beyond the end", one(&tensor("F32", "[2]", 0, 8), &[0; 4]), "damaged safetensors"),
        ("more than the header says", [&good[..], &[0]].concat(), "damaged safetensors"),
        ("integers", one(&tensor("I64", "[1]", 0, 8), &[0; 8]), "holds I64 values"),
        ("f64", one(&tensor("F64", "[1]", 0, 8), &[0; 8]), "holds F64 values"),
        ("an unknown type", one(&tensor("F31", "[2]", 0, 8), &[0; 8]), "damaged safetensors"),
        ("no JSON", safetensors("{a}", &[]), "damaged safetensors"),
        ("deep", safetensors(&"{\"a\":".repeat(50_000), &[]), "damaged safetensors"),
        ("an archive behind it", [&good[..], &pytorch(b".")[..]].concat(), "damaged safetensors"),
        (
            "too many tensors",
            {
                let tensors: Vec<String> =
                    (0..30_000).map(|n| format!(r#""{n}":{}"#, tensor("F32", "[0]", 0, 0))).collect();
                safetensors(&format!("{{{}}}", tensors.join(",")), &[])
            },
            "30000 tensors in one file",
        ),
    ]);
}

#[test]
fn hostile_hdf5_files_are_refused() {
    let _alone = alone();
    let cases = [
        ("big_endian", "big-endian"),
        ("compound", "composed"),
        ("cycle", ""),
        ("cycle_latest", ""),
        ("deep", "without the layers of a Keras model"),
        ("deep_layers", "more than 32 deep"),
        ("deflate", "in pieces or compressed"),
        ("external_link", "no tensor"),
        ("external_storage", "no values in this file"),
        ("f64", "8-byte floating point"),
        ("group_for_data", "no tensor"),
        ("huge", "no values in this file"),
        ("huge_chunked", "in pieces or compressed"),
        ("integers", "4-byte integer"),
        ("missing_data", "no tensor"),
        ("missing_layer", "no weights of the layer \"fc1000\""),
        ("missing_list", "has no list of weights"),
        ("names_long", "go on without end"),
        ("names_of_numbers", "not a list of texts"),
        ("names_twice", "two tensors are called"),
        ("names_upwards", "no tensor"),
        ("never_written", "no values in this file"),
        ("no_tensors", "without the layers of a Keras model"),
        ("not_finite", "NaN at place"),
        ("soft_link", "no tensor"),
        ("soft_link_cycle", "no tensor"),
        ("strings", "text"),
        ("unknown_filter", "in pieces or compressed"),
        ("virtual", "in pieces or compressed"),
    ];
    let good = fixture("hostile/good.h5.gz");
    let mut files: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a block before the file", [&[b'#'; 512][..], &good].concat(), "not a weights file"),
        ("an unknown superblock", [&good[..8], &[9], &good[9..]].concat(), "damaged HDF5 file"),
        ("only a signature", good[..8].to_vec(), "damaged HDF5 file"),
        ("a root elsewhere", [&good[..64], &[0xfe; 8], &good[72..]].concat(), "damaged HDF5 file"),
    ];
    for (name, reason) in cases.into_iter().filter(|(_, reason)| !reason.is_empty()) {
        files.push((name, fixture(&format!("hostile/{name}.h5.gz")), reason));
    }
    check(files);
    // A group in itself is not followed where only lists are; and no function of a layer is run.
    for name in ["cycle.h5", "cycle_latest.h5", "lambda.h5", "lambda.keras"] {
        let bytes = fixture(&format!("hostile/{name}.gz"));
        let weights = Weights::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(weights.names().count(), 2, "{name}");
    }
    assert!(!Path::new("lambda-ran").exists(), "something ran");
}

#[test]
fn only_regular_files_are_read() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let error = Weights::read(folder.path()).expect_err("a folder");
    assert!(error.to_string().contains("a folder, not a weights file"), "{error}");
    assert_eq!((error.kind(), error.path()), (ErrorKind::Weights, Some(folder.path())));
    let missing = folder.path().join("missing.h5");
    assert!(Weights::read(&missing).expect_err("missing").to_string().contains("missing.h5"));
    #[cfg(unix)]
    assert!(Weights::read(Path::new("/dev/zero")).expect_err("a device").to_string().contains("device"));
    let page = folder.path().join("resnet50.h5");
    std::fs::write(&page, "<html>").expect("writable");
    assert!(Weights::read(&page).expect_err("a page").to_string().contains("a web page"));
    let file = folder.path().join("renamed.jpg");
    std::fs::write(&file, pytorch(&state_dict(&good_tensor()))).expect("writable");
    assert_eq!(
        Weights::read(&file).expect("the name does not matter").names().collect::<Vec<_>>(),
        ["fc.bias"]
    );
}

/// Small files of each format that are good.
fn small_files() -> Vec<(&'static str, Vec<u8>)> {
    let pickle = state_dict(&good_tensor());
    let good = safetensors(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, &[0; 8]);
    vec![
        ("safetensors", good),
        ("PyTorch's archive", pytorch(&pickle)),
        ("HDF5", fixture("hostile/good.h5.gz")),
        ("Keras' archive", fixture("hostile/lambda.keras.gz")),
    ]
}

#[test]
fn a_cut_file_is_refused_at_every_length() {
    let _alone = alone();
    for (name, bytes) in small_files() {
        let whole = Weights::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        for length in 0..bytes.len() {
            let Ok(cut) = read(name, &bytes[..length]) else { continue };
            // An HDF5 file may end with bytes that nothing refers to.
            assert!(whole.names().eq(cut.names()), "{name}, {length} bytes");
            for tensor in whole.names() {
                assert_eq!(whole.tensor(tensor), cut.tensor(tensor), "{name}, {length} bytes");
            }
        }
    }
    for file in ["pytorch/legacy.pth", "pytorch/tar.pth"] {
        let bytes = fixture(file);
        for length in (0..bytes.len() - 10_240).step_by(97) {
            assert!(read(file, &bytes[..length]).is_err(), "{file}, {length} bytes");
        }
    }
}

#[test]
fn changed_files_are_read_or_refused() {
    let _alone = alone();
    let mut random = Pcg32::seed_from_u64(6);
    let mut files: Vec<(String, Vec<u8>, usize)> =
        small_files().into_iter().map(|(name, bytes)| (name.to_owned(), bytes, 500)).collect();
    for kind in ["keras", "pytorch", "hostile"] {
        for entry in std::fs::read_dir(folder().join(kind)).expect("committed").flatten() {
            let path = format!("{kind}/{}", entry.file_name().display());
            let bytes = fixture(&path);
            files.push((path, bytes, 60));
        }
    }
    let (mut refused, mut caught, mut changed) = (0, 0, 0);
    for (name, bytes, count) in files {
        for _ in 0..count {
            let mut mutant = bytes.clone();
            for _ in 0..1 + random.next_u32() % 6 {
                let at = random.next_u32() as usize;
                // What describes a file lies at its beginning and its end.
                let at = match random.next_u32() % 3 {
                    0 => at % mutant.len().min(4096),
                    1 => mutant.len() - 1 - at % mutant.len().min(4096),
                    _ => at % mutant.len(),
                };
                mutant[at] = match random.next_u32() % 4 {
                    0 => 0,
                    1 => 0xff,
                    2 => mutant[at] ^ 1 << (random.next_u32() % 8),
                    _ => random.next_u32() as u8,
                };
            }
            changed += 1;
            if let Err(message) = read(&name, &mutant) {
                refused += 1;
                caught += usize::from(message.contains("cannot cope"));
            }
        }
    }
    eprintln!("{changed} changed files, {refused} refused, {caught} by a caught panic");
    assert!(changed > 3_000 && refused > changed / 10);
}

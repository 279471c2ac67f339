//! Downloads against a server on this machine that does all that servers do wrong. After each the cache holds nothing, and a good
//! download succeeds.
#![cfg(feature = "download")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use topwork::weights::{Cache, Checksum, Digests, Found, OtherCaches, Place, Policy, Source, download};
use topwork::{CancelToken, Error, ErrorKind};

/// Turns of each misbehaviour.
const TURNS: usize = 20;

/// Turns of those that take a time-out each.
const SLOW_TURNS: usize = 4;

const POLICY: Policy =
    Policy { loopback: true, connect: Duration::from_secs(5), stall: Duration::from_secs(10) };

/// For servers that are known to stall.
const IMPATIENT: Policy = Policy { stall: Duration::from_millis(200), ..POLICY };

const FILE: &str = "net.bin";

/// Bytes that no other file has.
fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// Answers each connection with what `answer` does, from its own number on.
struct Server {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn new(
        answer: impl Fn(&mut TcpStream, &str, usize) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let (answer, count) = (Arc::new(answer), connections.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, number) = (answer.clone(), count.fetch_add(1, Ordering::SeqCst));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let mut request = String::new();
                    let mut lines = BufReader::new(stream.try_clone().unwrap());
                    lines.read_line(&mut request).unwrap();
                    let mut line = String::new();
                    while lines.read_line(&mut line).is_ok_and(|read| read > 2) {
                        line.clear();
                    }
                    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                    // The other side may have left.
                    let _ = answer(&mut stream, &path, number);
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                    let _ = stream.read(&mut [0; 64]);
                });
            }
        });
        Server { address, connections }
    }

    fn good() -> Server {
        Server::new(|stream, _, _| {
            ok(stream, content().len())?;
            stream.write_all(&content())
        })
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn ok(stream: &mut TcpStream, length: usize) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
}

fn source(url: &str) -> Source {
    let digests = Digests::of(content().as_slice()).unwrap();
    Source {
        name: "published",
        file: FILE,
        url: Some(String::leak(url.to_owned())),
        bytes: Some(digests.bytes),
        checksum: Checksum::Sha256(String::leak(digests.sha256)),
        licence: "CC0-1.0",
        top1: None,
    }
}

fn cache(folder: &Path) -> Cache {
    Cache::at(folder.join("weights"), OtherCaches::default())
}

fn fetch(folder: &Path, source: &Source, policy: Policy) -> Result<Found, Error> {
    download(&cache(folder), "net", source, policy, CancelToken::NEVER, &mut |_, _| {})
}

fn names(folder: &Path) -> Vec<String> {
    let listed = std::fs::read_dir(folder.join("weights")).unwrap();
    let mut names: Vec<String> =
        listed.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The download fails that often with that kind and those words, and leaves nothing; then a good one succeeds.
#[track_caller]
fn fails(turns: usize, source: &Source, kind: ErrorKind, words: &[&str]) {
    fails_under(POLICY, turns, source, kind, words);
}

#[track_caller]
fn fails_under(policy: Policy, turns: usize, source: &Source, kind: ErrorKind, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for turn in 0..turns {
        let error = fetch(folder, source, policy).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "turn {turn}: {text}");
        for word in words {
            assert!(text.contains(word), "turn {turn}: no {word:?} in {text:?}");
        }
        let hint = error.remedy().unwrap().to_string();
        let weights = folder.join("weights").display().to_string();
        assert!(hint.contains(FILE) && hint.contains(&weights), "turn {turn}: {hint}");
        assert_eq!(names(folder), [] as [String; 0], "turn {turn}");
    }
    succeeds(folder);
}

#[track_caller]
fn succeeds(folder: &Path) {
    let server = Server::good();
    let source = source(&server.address);
    let found = fetch(folder, &source, POLICY).unwrap();
    assert_eq!((&found.path, found.place), (&folder.join("weights").join(FILE), Place::Topwork));
    assert_eq!(std::fs::read(&found.path).unwrap(), content());
    let [record, file] = &names(folder)[..] else { panic!("{:?}", names(folder)) };
    assert!(record.ends_with(".net.json") && file == FILE, "{record} {file}");
    let search = cache(folder).search("net", &[source]);
    assert_eq!((search.found, search.rejected), (vec![found], Vec::new()));
}

#[test]
fn a_good_file_arrives_with_progress() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path());
    let server = Server::good();
    let mut steps = Vec::new();
    download(
        &cache(folder.path()),
        "net",
        &source(&server.address),
        POLICY,
        CancelToken::NEVER,
        &mut |done, total| {
            steps.push((done, total));
        },
    )
    .unwrap();
    let length = content().len() as u64;
    assert_eq!((steps.first(), steps.last()), (Some(&(0, Some(length))), Some(&(length, Some(length)))));
    assert!(steps.is_sorted() && steps.len() > 3);
}

#[test]
fn a_connection_that_is_dropped_is_no_file() {
    for after in [0, 1, 1_000, 1_199_999] {
        let server = Server::new(move |stream, _, _| {
            ok(stream, content().len())?;
            stream.write_all(&content()[..after])
        });
        fails(TURNS / 4, &source(&server.address), ErrorKind::Io, &["of 1200000 bytes"]);
    }
    let server = Server::new(|_, _, _| Ok(()));
    fails(TURNS, &source(&server.address), ErrorKind::Io, &[]);
}

#[test]
fn a_server_that_stalls_is_left() {
    for after in [0, 1_000] {
        let server = Server::new(move |stream, _, _| {
            ok(stream, content().len())?;
            stream.write_all(&content()[..after])?;
            std::thread::sleep(Duration::from_secs(3));
            Ok(())
        });
        let start = Instant::now();
        fails_under(IMPATIENT, SLOW_TURNS, &source(&server.address), ErrorKind::Io, &["nothing for 200ms"]);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
    let silent = Server::new(|_, _, _| {
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    });
    fails_under(IMPATIENT, SLOW_TURNS, &source(&silent.address), ErrorKind::Io, &["nothing for 200ms"]);
}

#[test]
fn another_length_than_the_published_one_is_refused_before_it_is_read() {
    for length in [0, 1_199_999, 1_200_001, usize::MAX / 2] {
        let server = Server::new(move |stream, _, _| {
            ok(stream, length)?;
            stream.write_all(&content()[..length.min(content().len())])
        });
        let expected = format!("found {length}");
        fails(
            TURNS / 4,
            &source(&server.address),
            ErrorKind::Weights,
            &["expected 1200000 bytes", &expected],
        );
    }
}

#[test]
fn a_body_without_length_ends_where_the_file_does() {
    // Chunks without end, and a body that the end of the connection ends.
    let endless = Server::new(|stream, _, _| {
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            write!(stream, "10000\r\n")?;
            stream.write_all(&[7; 0x10000])?;
            write!(stream, "\r\n")?;
        }
    });
    fails(TURNS, &source(&endless.address), ErrorKind::Weights, &["more than the 1200000 bytes"]);
    let short = Server::new(|stream, _, _| {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        stream.write_all(&content()[..100_000])
    });
    fails(TURNS, &source(&short.address), ErrorKind::Weights, &["found 100000"]);
    let right = Server::new(|stream, _, _| {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        stream.write_all(&content())
    });
    let folder = tempfile::tempdir().unwrap();
    assert!(fetch(folder.path(), &source(&right.address), POLICY).is_ok());
}

#[test]
fn another_content_of_the_right_length_is_refused() {
    let server = Server::new(|stream, _, number| {
        let mut content = content();
        let place = (number * 59_999) % content.len();
        content[place] ^= 1;
        ok(stream, content.len())?;
        stream.write_all(&content)
    });
    let right = source(&server.address);
    let digests = Digests::of(content().as_slice()).unwrap();
    let prefix = Checksum::Sha256Prefix(String::leak(digests.sha256[..8].to_owned()));
    for checksum in [right.checksum, prefix, Checksum::Md5(String::leak(digests.md5))] {
        for bytes in [right.bytes, None] {
            let source = Source { checksum, bytes, ..right };
            fails(TURNS / 4, &source, ErrorKind::Weights, &[&checksum.to_string()]);
        }
    }
}

#[test]
fn a_web_page_is_refused_as_one() {
    let server = Server::new(|stream, _, _| {
        let page = "\n<!DOCTYPE html><html><body>Please log in</body></html>";
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
            page.len()
        )
    });
    let unknown_length = Source { bytes: None, ..source(&server.address) };
    fails(TURNS, &unknown_length, ErrorKind::Weights, &["web page"]);
    fails(TURNS, &source(&server.address), ErrorKind::Weights, &["found 55"]);
}

#[test]
fn errors_of_the_server_are_named() {
    for status in [
        "404 Not Found",
        "403 Forbidden",
        "500 Internal Server Error",
        "204 No Content",
        "206 Partial Content",
    ] {
        let server =
            Server::new(move |stream, _, _| write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        fails(TURNS / 4, &source(&server.address), ErrorKind::Io, &[status]);
    }
    let server = Server::new(|stream, _, _| stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n"));
    fails(TURNS / 4, &source(&server.address), ErrorKind::Io, &[]);
    let encoded = Server::new(|stream, _, _| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1200000\r\n\r\n")?;
        stream.write_all(&content())
    });
    fails(TURNS / 4, &source(&encoded.address), ErrorKind::Io, &["gzip"]);
}

fn redirect(stream: &mut TcpStream, location: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

#[test]
fn redirects_are_followed_five_times() {
    for (hops, arrives) in [(1, true), (5, true), (6, false), (usize::MAX, false)] {
        let server = Server::new(move |stream, path, _| {
            let number: usize = path.trim_start_matches('/').parse().unwrap_or(0);
            if number < hops {
                return redirect(stream, &format!("/{}", number + 1));
            }
            ok(stream, content().len())?;
            stream.write_all(&content())
        });
        let source = source(&server.address);
        if arrives {
            let folder = tempfile::tempdir().unwrap();
            fetch(folder.path(), &source, POLICY).unwrap();
            assert_eq!(server.connections(), hops + 1);
        } else {
            fails(TURNS, &source, ErrorKind::Io, &["more than 5 times"]);
            assert_eq!(server.connections(), 6 * TURNS);
        }
    }
}

#[test]
fn redirects_lead_only_where_the_policy_allows() {
    for (location, word) in [
        ("http://example.com/net.bin", "only HTTPS"),
        ("http://localhost/net.bin", "only HTTPS"),
        ("http://127.0.0.1.example.com/net.bin", "only HTTPS"),
        ("//example.com/net.bin", "only HTTPS"),
        ("ftp://127.0.0.1/net.bin", "only HTTPS"),
        ("file:///etc/passwd", "no address"),
        ("http://[::1", "no address"),
        ("net.bin", "no address"),
        ("", "no address"),
    ] {
        let server = Server::new(move |stream, _, _| redirect(stream, location));
        fails(TURNS / 4, &source(&server.address), ErrorKind::Io, &[word]);
        assert_eq!(server.connections(), TURNS / 4);
    }
}

#[test]
fn plain_http_is_never_allowed_outside_of_tests() {
    let server = Server::good();
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(folder.path(), &source(&server.address), Policy::default()).unwrap_err();
    assert!(error.to_string().contains("only HTTPS"), "{error}");
    assert_eq!((server.connections(), names(folder.path())), (0, Vec::new()));
}

#[test]
fn without_a_server_the_hint_says_which_file_to_put_where() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    fails(TURNS, &source(&address), ErrorKind::Io, &["refused"]);

    let folder = tempfile::tempdir().unwrap();
    let error = fetch(folder.path(), &Source { url: None, ..source(&address) }, POLICY).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.remedy().unwrap().to_string().contains(&folder.path().display().to_string()));
}

#[test]
fn a_token_can_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::good();
    for turn in 0..TURNS {
        let (cancel, mut left) = (CancelToken::new(), turn);
        let outcome =
            download(&cache(folder.path()), "net", &source(&server.address), POLICY, &cancel, &mut |_, _| {
                match left {
                    0 => cancel.cancel(),
                    _ => left -= 1,
                }
            });
        match outcome {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Interrupted);
                assert_eq!(names(folder.path()), [] as [String; 0], "turn {turn}");
            }
            Ok(_) => panic!("{turn} steps of 64 kB are not the whole file"),
        }
    }
    succeeds(folder.path());
}

#[test]
fn a_file_of_another_content_under_the_name_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights").join(FILE);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"somebody's own").unwrap();
    let server = Server::good();
    let found = fetch(folder.path(), &source(&server.address), POLICY).unwrap();
    assert_ne!(found.path, path);
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody's own");
    let search = cache(folder.path()).search("net", &[source(&server.address)]);
    let found_again: Vec<&Path> = search.found.iter().map(|found| found.path.as_path()).collect();
    assert_eq!(found_again, [found.path.as_path()]);
}

#[test]
fn several_at_once_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::good();
    let source = source(&server.address);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let found = fetch(folder.path(), &source, POLICY).unwrap();
                assert_eq!(std::fs::read(found.path).unwrap(), content());
            });
        }
    });
    assert_eq!(names(folder.path()).len(), 2);
    assert_eq!(cache(folder.path()).search("net", &[source]).found.len(), 1);
}

#[test]
#[ignore = "run by a_kill_at_any_moment_leaves_nothing_that_counts, which kills it"]
fn downloading_child() {
    let folder = PathBuf::from(std::env::var_os("DOWNLOAD_TEST_FOLDER").unwrap());
    let address = std::env::var("DOWNLOAD_TEST_ADDRESS").unwrap();
    println!("\nready");
    let _ = fetch(&folder, &source(&address), POLICY);
}

/// The file is there whole or not at all, and what the killed one left is deleted once it is old.
#[test]
fn a_kill_at_any_moment_leaves_nothing_that_counts() {
    let slow = Server::new(|stream, _, _| {
        ok(stream, content().len())?;
        for piece in content().chunks(20_000) {
            stream.write_all(piece)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    });
    let source = source(&slow.address);
    let (mut before, mut after) = (0, 0);
    for turn in 0..TURNS as u64 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "downloading_child", "--ignored", "--nocapture", "--test-threads=1"])
            .env("DOWNLOAD_TEST_FOLDER", folder.path())
            .env("DOWNLOAD_TEST_ADDRESS", &slow.address)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("ready")));
        std::thread::sleep(Duration::from_millis(7 * turn));
        child.kill().unwrap();
        child.wait().unwrap();
        let path = folder.path().join("weights").join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => {
                assert_eq!(bytes, content());
                after += 1;
            }
            Err(_) => before += 1,
        }
        let search = cache(folder.path()).search("net", &[source]);
        assert_eq!(search.found.len(), usize::from(path.exists()));
        if !folder.path().join("weights").exists() {
            continue;
        }
        for name in names(folder.path()).iter().filter(|name| name.ends_with(".partial")) {
            let left =
                std::fs::File::options().write(true).open(folder.path().join("weights").join(name)).unwrap();
            left.set_modified(std::time::SystemTime::now() - Duration::from_secs(7200)).unwrap();
        }
        succeeds(folder.path());
    }
    println!("killed before the end {before} times, after it {after} times");
    assert!(before > 0, "every download was over before it was killed");
}

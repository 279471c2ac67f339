//! Published files over HTTPS into the cache. Nothing appears there under its final name before its length and checksum agree
//! with what was published.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use ureq::http::Uri;
use ureq::http::header::{CONTENT_ENCODING, LOCATION};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use super::cache::name_by_content;
use super::digests::Hasher;
use super::{Cache, Digests, Found, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::execution::CancelToken;
use crate::folders;
use crate::report::{PARTIAL_PREFIX, PARTIAL_SUFFIX, finish, partial_beside};

/// More redirects than publishers use.
const MAX_REDIRECTS: usize = 5;

/// A longer file is no file of weights that anyone published for these networks.
const MAX_BYTES: u64 = 1 << 30;

/// A file that was not finished and to which nothing was added for so long is one that nobody writes any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What a download may do, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Plain HTTP from 127.0.0.1 and nothing else, for tests, instead of HTTPS from anywhere.
    pub loopback: bool,
    /// The longest time to find the server and connect to it.
    pub connect: Duration,
    /// The longest time in which the server may send nothing.
    pub stall: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { loopback: false, connect: Duration::from_secs(15), stall: Duration::from_secs(30) }
    }
}

/// Fetches a published file of a backbone's weights. A proxy is used where the environment names one (`HTTPS_PROXY`, `ALL_PROXY`,
/// `NO_PROXY`), and the certificates of `SSL_CERT_FILE` instead of Mozilla's where it is set. `on_bytes` is told the bytes that are here and, if known, how many there will be.
///
/// # Errors
/// [`ErrorKind::Io`] if the server cannot be reached, answers something else, or the folder cannot be written;
/// [`ErrorKind::Weights`] if what came is not what was published; [`ErrorKind::Configuration`] if there is no address, or
/// this processor cannot do the arithmetic of TLS; [`ErrorKind::Interrupted`] if it was stopped. The hint says how to do without
/// the download. In every case the cache is as it was.
pub fn download(
    cache: &Cache,
    backbone: &str,
    source: &Source,
    policy: Policy,
    cancel: &CancelToken,
    on_bytes: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Found> {
    let Some(url) = source.url else {
        let message = format!("no download is available for {}", source.file);
        return Err(Error::new(ErrorKind::Configuration, message)
            .with_hint(format!("put it into {}", cache.folder().display())));
    };
    let folder = cache.folder().display();
    let by_hand = format!("download {url} by other means and put it as {} into {folder}", source.file);
    let with_hint =
        |error: Error| if error.remedy().is_some() { error } else { error.with_hint(by_hand.clone()) };
    cache.make_folder()?;
    remove_abandoned(cache.folder());
    let (partial, digests) = fetch(url, cache, source, policy, cancel, on_bytes).map_err(with_hint)?;
    let path = destination(cache, backbone, source, &digests);
    finish(partial, &path).map_err(|error| Error::io("cannot write", &path, error))?;
    cache.record(backbone, Some(source), path, digests)
}

/// The published file under a temporary name.
fn fetch(
    url: &str,
    cache: &Cache,
    source: &Source,
    policy: Policy,
    cancel: &CancelToken,
    on_bytes: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(NamedTempFile, Digests)> {
    let body = answer(url, policy)?;
    let announced = body.content_length();
    if let Some(length) = announced {
        let expected = source.check_length(length);
        expected.map_err(|reason| other_file(url, &reason))?;
    }
    let total = source.bytes.or(announced);
    let limit = total.unwrap_or(MAX_BYTES).min(MAX_BYTES);
    let target = cache.folder().join(source.file);
    let cannot_write = |error| Error::io("cannot write", &target, error);
    let mut partial = partial_beside(&target).map_err(cannot_write)?;
    // One more than allowed, to notice a body that does not end there.
    let mut reader = body.into_reader().take(limit + 1);
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    loop {
        on_bytes(done, total);
        cancel.check("the download")?;
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let reason = explain(error.into(), policy);
                return Err(failed(url, &format!("{reason}, after {done} {}", of_total(total))));
            }
        };
        let bytes = &buffer[..read];
        if done == 0 && bytes.trim_ascii_start().starts_with(b"<") {
            return Err(other_file(url, "the server sent a web page"));
        }
        done += read as u64;
        if done > limit {
            return Err(other_file(url, &format!("more than the {limit} bytes that it may have")));
        }
        hasher.update(bytes);
        partial.write_all(bytes).map_err(cannot_write)?;
    }
    let digests = hasher.finish();
    source.check(&digests).map_err(|reason| other_file(url, &reason))?;
    Ok((partial, digests))
}

/// The body behind an address, after redirects.
fn answer(url: &str, policy: Policy) -> Result<Body> {
    let agent = agent(policy)?;
    let mut url = url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        allow(&url, policy)?;
        let response = agent.get(&url).call().map_err(|error| failed(&url, &explain(error, policy)))?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let status = response.status();
        if status.is_redirection() {
            let location = header(LOCATION).unwrap_or_default();
            url = target(&url, location).ok_or_else(|| {
                failed(&url, &format!("the server redirects to {location:?}, which is no address"))
            })?;
            continue;
        }
        if status.as_u16() != 200 {
            return Err(failed(&url, &format!("the server answers {status}")));
        }
        if let Some(encoding) = header(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            return Err(failed(
                &url,
                &format!("the server sends it encoded ({encoding}), which was not asked for"),
            ));
        }
        return Ok(response.into_body());
    }
    Err(failed(&url, &format!("the server redirects more than {MAX_REDIRECTS} times")))
}

fn agent(policy: Policy) -> Result<Agent> {
    // Redirects are followed by `answer`, which looks at each address before it is asked for.
    let config = Agent::config_builder()
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .https_only(!policy.loopback)
        .user_agent(concat!("topwork/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(Some(policy.connect))
        .timeout_connect(Some(policy.connect))
        .timeout_per_read(Some(policy.stall))
        .timeout_per_write(Some(policy.stall));
    let config = match policy.loopback {
        true => config.proxy(None),
        false => config.proxy(Proxy::try_from_env()).tls_config(tls()?),
    };
    Ok(config.build().into())
}

/// TLS, with arithmetic that needs no C.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn tls() -> Result<TlsConfig> {
    // Without these graviola panics.
    #[cfg(target_arch = "x86_64")]
    let needed = [
        ("adx", std::is_x86_feature_detected!("adx")),
        ("aes", std::is_x86_feature_detected!("aes")),
        ("avx", std::is_x86_feature_detected!("avx")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("bmi1", std::is_x86_feature_detected!("bmi1")),
        ("bmi2", std::is_x86_feature_detected!("bmi2")),
        ("pclmulqdq", std::is_x86_feature_detected!("pclmulqdq")),
    ];
    #[cfg(target_arch = "aarch64")]
    let needed = [
        ("aes", std::arch::is_aarch64_feature_detected!("aes")),
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("pmull", std::arch::is_aarch64_feature_detected!("pmull")),
        ("sha2", std::arch::is_aarch64_feature_detected!("sha2")),
    ];
    let lacking: Vec<&str> = needed.iter().filter(|(_, here)| !here).map(|(name, _)| *name).collect();
    if !lacking.is_empty() {
        let message = format!("no downloads on this processor: HTTPS needs its {}", lacking.join(", "));
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    let provider = std::sync::Arc::new(rustls_graviola::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(root_certificates()?)
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

/// Mozilla's, or those of the file that `SSL_CERT_FILE` names: a proxy that looks into what passes brings its own.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn root_certificates() -> Result<RootCerts> {
    let Some(path) = folders::environment("SSL_CERT_FILE").map(PathBuf::from) else {
        return Ok(RootCerts::WebPki);
    };
    let pem = fs::read(&path).map_err(|error| Error::io("cannot read the certificates", &path, error))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        let message = "SSL_CERT_FILE names a file without certificates";
        return Err(Error::new(ErrorKind::Configuration, message).with_path(path));
    }
    Ok(certificates.into())
}

/// There is no arithmetic of TLS without C for these processors.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn tls() -> Result<TlsConfig> {
    let message = format!("no downloads on this processor ({})", std::env::consts::ARCH);
    Err(Error::new(ErrorKind::Configuration, message))
}

/// Refuses what is not HTTPS, or under the policy for tests what is not on this machine.
fn allow(url: &str, policy: Policy) -> Result<()> {
    let uri: Uri = url.parse().map_err(|_| failed(url, "this is no address"))?;
    let allowed = match policy.loopback {
        true => uri.scheme_str() == Some("http") && uri.host() == Some("127.0.0.1"),
        false => uri.scheme_str() == Some("https"),
    };
    if allowed { Ok(()) } else { Err(failed(url, "only HTTPS is allowed, also after redirects")) }
}

/// Where a redirect leads: to an address, or to a path on the same server.
fn target(url: &str, location: &str) -> Option<String> {
    if location.contains("://") {
        return Some(location.to_owned());
    }
    let (scheme, rest) = url.split_once("://")?;
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    let server = rest.split('/').next()?;
    location.starts_with('/').then(|| format!("{scheme}://{server}{location}"))
}

/// Why a server could not be asked, for people.
fn explain(error: ureq::Error, policy: Policy) -> String {
    use ureq::Timeout;
    match error {
        ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => {
            format!("the server sent nothing for {:?}", policy.stall)
        }
        ureq::Error::Timeout(_) => format!("no connection within {:?}", policy.connect),
        ureq::Error::HostNotFound => "the server is not found: is there a network?".to_owned(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection ended".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn of_total(total: Option<u64>) -> String {
    total.map_or("bytes".to_owned(), |total| format!("of {total} bytes"))
}

fn failed(url: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Io, format!("cannot download {url}: {reason}"))
}

fn other_file(url: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Weights, format!("{url} is not the file that was published: {reason}"))
}

/// The published name, unless a file of another content has it: that one is not ours to replace.
fn destination(cache: &Cache, backbone: &str, source: &Source, digests: &Digests) -> PathBuf {
    let path = cache.folder().join(source.file);
    match File::open(&path).and_then(Digests::of) {
        Ok(found) if found != *digests => {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            path.with_file_name(name_by_content(backbone, digests, extension))
        }
        _ => path,
    }
}

/// Deletes what downloads left that were killed.
fn remove_abandoned(folder: &Path) {
    let Ok(listed) = fs::read_dir(folder) else { return };
    for entry in listed.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let partial = name.starts_with(PARTIAL_PREFIX) && name.ends_with(PARTIAL_SUFFIX);
        let age =
            entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
        if partial && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

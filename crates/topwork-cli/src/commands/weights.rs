//! `topwork weights`: what there is of weights, here and at their publishers.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use topwork::backbone::{self, Added, BACKBONES, BackboneSpec, Origin};
use topwork::dataset::folder;
use topwork::dataset::name::visible;
use topwork::report::counted;
use topwork::run::calibrate;
use topwork::weights::{Cache, Found, Place, Rejected, Source, State, Verified};
use topwork::{Error, ErrorKind, PhotoSource};

use crate::arguments::{Figures, Weights, WeightsAction, WeightsAdd, WeightsGet, WeightsVerify};
use crate::failure::{Failure, Outcome};
#[cfg(feature = "download")]
use crate::interrupt;
use crate::screen::Screen;
use crate::session::session_without_store;
use crate::table::{self, Side};
use crate::terminal::Terminal;

pub(crate) fn run(arguments: &Weights) -> Result<Outcome, Failure> {
    match &arguments.action {
        WeightsAction::List(arguments) => list(arguments.format),
        WeightsAction::Get(arguments) => get(arguments),
        WeightsAction::Add(arguments) => add(arguments),
        WeightsAction::Verify(arguments) => verify(arguments),
    }
}

/// A line of the list: a published file, or one of the user's own.
struct Line {
    backbone: &'static str,
    source: Option<Source>,
    state: &'static str,
    found: Option<Found>,
}

fn list(format: Figures) -> Result<Outcome, Failure> {
    let cache = Cache::of_user()?;
    let mut lines = Vec::new();
    for spec in BACKBONES {
        let search = cache.search(spec.name, spec.sources());
        warn_of(&search.rejected);
        if let Origin::Embedded { .. } = spec.origin {
            lines.push(Line { backbone: spec.name, source: None, state: "embedded", found: None });
        }
        for source in spec.sources() {
            let found = search.found.iter().find(|found| found.source.as_ref() == Some(source)).cloned();
            let state = found.as_ref().map_or("absent", |found| whose(found.place));
            lines.push(Line { backbone: spec.name, source: Some(*source), state, found });
        }
        let own = search.found.into_iter().filter(|found| found.source.is_none());
        lines.extend(own.map(|found| Line {
            backbone: spec.name,
            source: None,
            state: whose(found.place),
            found: Some(found),
        }));
    }
    let mut out = std::io::stdout().lock();
    match format {
        Figures::Text => out.write_all(table(&lines).as_bytes())?,
        Figures::Json => writeln!(out, "{}", Value::from_iter(lines.iter().map(object)))?,
    }
    Ok(Outcome::Done)
}

fn table(lines: &[Line]) -> String {
    let heading = ["backbone", "name", "file", "MB", "top-1", "licence", "state"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for Line { backbone, source, state, found } in lines {
        let bytes =
            found.as_ref().map(|found| found.digests.bytes).or(source.and_then(|source| source.bytes));
        let top1 = source.and_then(|source| source.top1);
        let own = found.as_ref().filter(|_| source.is_none());
        let mut state = (*state).to_owned();
        if let Some(found) = found {
            state += &format!(" ({})", shown(&found.path));
        }
        if let Some(own) = own {
            state += &format!(", BLAKE3 {}", own.digests.blake3);
        }
        rows.push(vec![
            (*backbone).to_owned(),
            source.map_or(if own.is_some() { "(your own)" } else { "" }, |source| source.name).to_owned(),
            source.map(|source| source.file.to_owned()).unwrap_or_default(),
            bytes.map(|bytes| format!("{:.1}", bytes as f64 / 1e6)).unwrap_or_default(),
            top1.map(|top1| format!("{top1:.2}")).unwrap_or_default(),
            source.map(|source| source.licence.to_owned()).unwrap_or_default(),
            state,
        ]);
    }
    use Side::{Left, Right};
    table::text(&rows, &[Left, Left, Left, Right, Right, Left, Left])
}

fn object(line: &Line) -> Value {
    let Line { backbone, source, state, found } = line;
    json!({
        "backbone": backbone,
        "name": source.map(|source| source.name),
        "file": source.map(|source| source.file),
        "url": source.and_then(|source| source.url),
        "bytes": found.as_ref().map(|found| found.digests.bytes).or(source.and_then(|source| source.bytes)),
        "checksum": source.map(|source| source.checksum.to_string()),
        "top1": source.and_then(|source| source.top1),
        "licence": source.map(|source| source.licence),
        "state": state,
        "path": found.as_ref().map(|found| found.path.to_string_lossy()),
        "blake3": found.as_ref().map(|found| found.digests.blake3.as_str()),
    })
}

fn whose(place: Place) -> &'static str {
    match place {
        Place::Topwork => "here",
        Place::Torch => "in torch's cache",
        Place::Keras => "in Keras' cache",
        Place::HuggingFace => "in Hugging Face's cache",
    }
}

fn get(arguments: &WeightsGet) -> Result<Outcome, Failure> {
    let terminal = Terminal::new(arguments.quiet);
    let (spec, source) = named(&arguments.name)?;
    let Some(source) = source.or_else(|| spec.sources().iter().find(|source| source.url.is_some())) else {
        let message = match spec.origin {
            Origin::Embedded { .. } => format!("the weights of {} are in the program", spec.name),
            Origin::File { .. } => format!("no download is available for the weights of {}", spec.name),
        };
        return Err(Error::new(ErrorKind::Configuration, message)
            .with_hint("topwork weights list shows what can be fetched")
            .into());
    };
    let cache = Cache::of_user()?;
    let search = cache.search(spec.name, spec.sources());
    warn_of(&search.rejected);
    let found = match search.found.into_iter().find(|found| found.source.as_ref() == Some(source)) {
        Some(found) => {
            terminal.say(format!("{} is {} already", source.name, whose(found.place)));
            found
        }
        None => fetched(&cache, spec, source, terminal)?,
    };
    writeln!(std::io::stdout(), "{}", shown(&found.path))?;
    Ok(Outcome::Done)
}

#[cfg(feature = "download")]
fn fetched(
    cache: &Cache,
    spec: &BackboneSpec,
    source: &Source,
    terminal: Terminal,
) -> Result<Found, Failure> {
    use topwork::weights::{Policy, download};

    const MEGABYTE: u64 = 1_000_000;

    terminal.say(format!("fetching {} (licence: {})", source.url.unwrap_or(source.file), source.licence));
    let mut progress = None;
    let found =
        download(cache, spec.name, source, Policy::default(), interrupt::token(), &mut |done, total| {
            let megabytes = |bytes: u64| usize::try_from(bytes / MEGABYTE).unwrap_or(usize::MAX);
            progress
                .get_or_insert_with(|| terminal.progress("MB", megabytes(total.unwrap_or(0))))
                .set(megabytes(done));
        })?;
    Ok(found)
}

#[cfg(not(feature = "download"))]
fn fetched(
    cache: &Cache,
    _row: &BackboneSpec,
    source: &Source,
    _terminal: Terminal,
) -> Result<Found, Failure> {
    let hint = format!(
        "build it with --features download, or download {} by other means and put it as {} into {}",
        source.url.unwrap_or(source.file),
        source.file,
        cache.folder().display()
    );
    let message = "this program was built without downloads";
    Err(Error::new(ErrorKind::Configuration, message).with_hint(hint).into())
}

fn add(arguments: &WeightsAdd) -> Result<Outcome, Failure> {
    let spec = arguments.backbone.as_deref().map(backbone::spec).transpose()?;
    let photos = arguments.calibrate.as_deref().map(folder::photos).transpose()?;
    let Added { spec, found, report } = backbone::add(&arguments.file, spec, &Cache::of_user()?)?;
    if let Some(photos) = photos {
        let photos = PhotoSource::files(photos.photos.into_iter().map(|(_, path)| path));
        let session = session_without_store(arguments.threads)?;
        let weights = found.read()?;
        let screen = Screen::new(Terminal::new(arguments.quiet));
        screen.follow(|job| calibrate(spec, &weights, &photos, &session, job))?;
    }
    let mut out = std::io::stdout().lock();
    let source = found.source.map(|source| format!(", published as {}", source.name)).unwrap_or_default();
    writeln!(out, "{}{source}: {report}", spec.name)?;
    writeln!(out, "{}  BLAKE3 {}", shown(&found.path), found.digests.blake3)?;
    Ok(Outcome::Done)
}

fn verify(arguments: &WeightsVerify) -> Result<Outcome, Failure> {
    let cache = Cache::of_user()?;
    let wanted = |spec: &&BackboneSpec| arguments.backbone.as_deref().is_none_or(|name| name == spec.name);
    let mut out = std::io::stdout().lock();
    let mut wrong = 0;
    for spec in BACKBONES.iter().filter(wanted) {
        for Verified { path, state } in cache.verify(spec.name, spec.sources()) {
            let (word, reason) = match &state {
                State::Unchanged => ("ok", ""),
                State::Changed(reason) => ("changed", reason.as_str()),
                State::Missing => ("missing", ""),
            };
            wrong += usize::from(state != State::Unchanged);
            let line = format!("{word:<8} {}  {}  {}", spec.name, shown(&path), visible(reason));
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    match wrong {
        0 => Ok(Outcome::Done),
        _ => Err(Error::new(ErrorKind::Weights, format!("{} cannot be used", counted(wrong, "file")))
            .with_hint("put the right file there, or delete what cannot be used, with its .json beside it")
            .into()),
    }
}

/// The backbone of that name, or the published file with its backbone.
fn named(name: &str) -> Result<(&'static BackboneSpec, Option<&'static Source>), Failure> {
    if let Some(spec) = BACKBONES.iter().find(|spec| spec.name == name) {
        return Ok((spec, None));
    }
    let all = || BACKBONES.iter().flat_map(|spec| spec.sources().iter().map(move |source| (spec, source)));
    all().find(|(_, source)| source.name == name).map(|(spec, source)| (spec, Some(source))).ok_or_else(
        || {
            let mut names: Vec<&str> =
                BACKBONES.iter().map(|spec| spec.name).chain(all().map(|(_, source)| source.name)).collect();
            names.sort_unstable();
            names.dedup();
            Error::new(ErrorKind::Configuration, format!("no weights are called {name:?}"))
                .with_hint(format!("there is {}", names.join(", ")))
                .into()
        },
    )
}

fn warn_of(rejected: &[Rejected]) {
    for Rejected { path, reason } in rejected {
        Terminal::new(false).warn(format!("{} is not used: {}", shown(path), visible(reason)));
    }
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string())
}

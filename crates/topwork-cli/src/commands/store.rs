//! `topwork store`: where the features of photos are kept, how many there are, and their end.

use std::io::Write;

use topwork::dataset::name;
use topwork::features::store;
use topwork::report::counted;

use crate::arguments::{Store, StoreAction};
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

pub(crate) fn run(arguments: &Store) -> Result<Outcome, Failure> {
    let folder = match &arguments.store {
        Some(folder) => folder.clone(),
        None => store::default_folder()?,
    };
    let status = store::status(&folder);
    let shown = name::visible(&status.path.display().to_string());
    let mut out = std::io::stdout().lock();
    match arguments.action {
        StoreAction::Path => writeln!(out, "{shown}")?,
        StoreAction::Size => {
            let photos = match status.entries {
                Some(entries) => counted(usize::try_from(entries).unwrap_or(usize::MAX), "photo"),
                None => "an unknown number of photos (a run uses it, or was killed: the next run repairs it)"
                    .to_owned(),
            };
            writeln!(out, "{photos}, {:.1} MB in {shown}", status.bytes as f64 / 1e6)?;
            if status.damaged_bytes > 0 {
                writeln!(out, "{:.1} MB of damaged stores beside it", status.damaged_bytes as f64 / 1e6)?;
            }
            if status.is_large() {
                Terminal::new(false).warn(
                    "the store is large; `topwork store clear` deletes it, and features will be recomputed",
                );
            }
        }
        StoreAction::Clear => {
            let freed = store::clear(&folder)?;
            writeln!(out, "{:.1} MB freed", freed as f64 / 1e6)?;
        }
    }
    Ok(Outcome::Done)
}

//! Decodes photos for other programs: the paths come line by line on stdin; for each, one line goes to stdout,
//! `WIDTH HEIGHT MICROSECONDS` with the RGB bytes behind it, or `REASON: DETAIL`.
//!
//! `reference/decode/compare.py` compares them with other decoders' pixels.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;
use topwork::photo::{Limits, decode, read};

fn main() -> std::io::Result<()> {
    let limits = Limits::default();
    let mut stdout = std::io::stdout().lock();
    for path in std::io::stdin().lock().lines() {
        let bytes = read(Path::new(&path?), &limits);
        let start = Instant::now();
        match bytes.and_then(|bytes| decode(&bytes, &limits)) {
            Ok(photo) => {
                let elapsed = start.elapsed().as_micros();
                writeln!(stdout, "{} {} {elapsed}", photo.width, photo.height)?;
                stdout.write_all(&photo.pixels)?;
            }
            Err(error) => writeln!(stdout, "{error}")?,
        }
        stdout.flush()?;
    }
    Ok(())
}

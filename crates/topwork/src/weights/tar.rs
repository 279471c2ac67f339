//! The entries of a tar archive, held against its length. PyTorch's old container is one; its reader would follow
//! extensions of the format, with which a small archive describes large entries, so only plain entries are let through.

use super::refused;
use crate::error::Result;

const BLOCK: usize = 512;

/// Names and contents, in the archive's order.
///
/// # Errors
/// [`ErrorKind::Weights`](crate::ErrorKind::Weights) if an entry is not a plain file, reaches beyond the end, or if
/// something follows the archive's end.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<(String, &[u8])>> {
    const TYPE: usize = 156;
    let damaged = |what: &str, at: usize| refused(format!("damaged tar archive: {what}, at byte {at}"));
    let mut entries: Vec<(String, &[u8])> = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            if bytes[at..].iter().any(|byte| *byte != 0) {
                return Err(damaged("something after its end", at));
            }
            return Ok(entries);
        }
        let kind = header[TYPE];
        if !matches!(kind, 0 | b'0' | b'5') {
            return Err(damaged(&format!("an entry of the type {:?}", char::from(kind)), at));
        }
        let size = octal(&header[124..136]).ok_or_else(|| damaged("a size that is no number", at))?;
        let start = at + BLOCK;
        let contents = start.checked_add(size).and_then(|end| bytes.get(start..end));
        let contents = contents.ok_or_else(|| damaged("an entry beyond the end of the file", at))?;
        let length = header[..100].iter().position(|byte| *byte == 0).unwrap_or(100);
        let name = String::from_utf8_lossy(&header[..length]).trim_start_matches("./").to_owned();
        if entries.iter().any(|(other, _)| *other == name) {
            return Err(damaged(&format!("two entries called {name:?}"), at));
        }
        entries.push((name, contents));
        at = start + size.next_multiple_of(BLOCK);
    }
    Err(damaged("no end", bytes.len()))
}

/// Digits up to a blank or zero byte.
fn octal(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field).ok()?;
    usize::from_str_radix(text.trim_matches([' ', '\0']), 8).ok()
}

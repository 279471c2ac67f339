//! Names of files as text: an escape that loses nothing, for files and pipes, and another for terminals.
//!
//! A file name is bytes, and not every name is valid UTF-8, but CSV and JSON hold text. [`escape`] keeps valid
//! UTF-8 as it is, except that a backslash becomes `\\`, and writes each other byte as `\xNN` (two lower-case
//! hexadecimal digits); [`unescape`] is its inverse. Newlines, quotes and commas stay: CSV and JSON quote them
//! themselves. [`visible`] is for people and cannot be turned back. Nothing here touches the disk.

use crate::error::{Error, ErrorKind, Result};
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

/// The bytes of a name as text, without loss.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\\' {
                text.push('\\');
            }
            text.push(character);
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("writing to a String cannot fail");
        }
    }
    text
}

/// The bytes that [`escape_bytes`] made this text of. Any byte may be written as `\xNN`, which lets a newline into
/// a list of lines.
///
/// # Errors
/// Kind `Configuration` for a backslash that is followed by neither `\` nor `xNN`.
pub fn unescape_bytes(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'\\' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        match tail {
            [b'\\', tail @ ..] => {
                bytes.push(b'\\');
                rest = tail;
            }
            [b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(16 * hexadecimal(*high) + hexadecimal(*low));
                rest = tail;
            }
            _ => {
                let message = format!("a backslash in a name must be \\\\ or \\xNN: \"{}\"", visible(text));
                return Err(Error::new(ErrorKind::Configuration, message));
            }
        }
    }
    Ok(bytes)
}

fn hexadecimal(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// A path as text without loss, its parts joined by `/` on every system. `.` parts are left out; an absolute path
/// stays absolute.
pub fn escape(path: &Path) -> String {
    let mut text = String::new();
    for component in path.components() {
        match component {
            Component::CurDir => continue,
            Component::RootDir => {
                text.push('/');
                continue;
            }
            _ => {}
        }
        if !text.is_empty() && !text.ends_with('/') {
            text.push('/');
        }
        text.push_str(&escape_bytes(component.as_os_str().as_encoded_bytes()));
    }
    text
}

/// One part of a path as text without loss.
pub fn escape_part(part: &OsStr) -> String {
    escape_bytes(part.as_encoded_bytes())
}

/// The path that [`escape`] made this text of.
///
/// # Errors
/// As [`unescape_bytes`]; on Windows also for bytes that no name can hold.
pub fn unescape(text: &str) -> Result<PathBuf> {
    Ok(PathBuf::from(os_string(unescape_bytes(text)?)?))
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> Result<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Ok(OsString::from_vec(bytes))
}

/// Elsewhere names are Unicode that may hold lone surrogates, three bytes each in the encoding of `OsStr`.
#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> Result<OsString> {
    let refused =
        || Error::new(ErrorKind::Configuration, "a name holds bytes that this system cannot represent");
    let text = String::from_utf8(bytes);
    #[cfg(not(windows))]
    return text.map(OsString::from).map_err(|_| refused());
    #[cfg(windows)]
    {
        use std::os::windows::ffi::OsStringExt;
        let bytes = match text {
            Ok(text) => return Ok(OsString::from(text)),
            Err(error) => error.into_bytes(),
        };
        let mut wide = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match rest {
                [0xed, middle @ 0xa0..=0xbf, last @ 0x80..=0xbf, tail @ ..] => {
                    wide.push(0xd000 | (u16::from(middle & 0x3f) << 6) | u16::from(last & 0x3f));
                    rest = tail;
                }
                _ => {
                    let valid = match std::str::from_utf8(rest) {
                        Ok(text) => text,
                        Err(error) => {
                            std::str::from_utf8(&rest[..error.valid_up_to()]).map_err(|_| refused())?
                        }
                    };
                    if valid.is_empty() {
                        return Err(refused());
                    }
                    wide.extend(valid.encode_utf16());
                    rest = &rest[valid.len()..];
                }
            }
        }
        Ok(OsString::from_wide(&wide))
    }
}

/// The text with everything made visible that could move the cursor, colour the terminal, reverse the reading
/// order or hide: control characters, line separators, bidirectional marks, zero-width characters.
///
/// The two joiners stay, for emoji and Persian are written with them.
///
/// For people only: the result does not say which characters were there and which were escapes.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if is_treacherous(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

fn is_treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator of test bytes (xorshift), so that a failure can be repeated.
    fn random_bytes(seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let length = next() % 24;
        // Half of the bytes come from the characters that the escape is about.
        let special = b"\\x0af/\n\"\xc3\xa9\xed\xa0\x80\xf0\x9f";
        (0..length)
            .map(|_| {
                let value = next();
                if value & 1 == 0 {
                    (value >> 8) as u8
                } else {
                    special[(value >> 8) as usize % special.len()]
                }
            })
            .collect()
    }

    #[test]
    fn escape_and_back_is_the_identity() {
        let mut seen = std::collections::BTreeMap::new();
        for seed in 1..20_000 {
            let bytes = random_bytes(seed);
            let text = escape_bytes(&bytes);
            assert_eq!(unescape_bytes(&text).unwrap(), bytes, "{bytes:?} as {text:?}");
            if let Some(other) = seen.insert(text, bytes.clone()) {
                assert_eq!(other, bytes, "two names share one text");
            }
        }
    }

    #[test]
    fn escapes_are_as_documented() {
        let cases: &[(&[u8], &str)] = &[
            (b"cat.1.jpg", "cat.1.jpg"),
            ("Müller, \"Zoë\"\n<script>=1+1.jpg".as_bytes(), "Müller, \"Zoë\"\n<script>=1+1.jpg"),
            (b"a\\b", "a\\\\b"),
            (b"a\\x41", "a\\\\x41"),
            (b"caf\xe9.jpg", "caf\\xe9.jpg"),
            (b"\xff\xfe", "\\xff\\xfe"),
            (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
            (b"", ""),
        ];
        for (bytes, text) in cases {
            assert_eq!(escape_bytes(bytes), *text);
        }
        assert_eq!(unescape_bytes("a\\x0Ab").unwrap(), b"a\nb");
        for wrong in ["\\", "a\\n", "\\x4", "\\xg0", "\\x"] {
            assert_eq!(unescape_bytes(wrong).unwrap_err().kind(), ErrorKind::Configuration, "{wrong}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn paths_survive() {
        use std::os::unix::ffi::OsStrExt;
        for (bytes, text) in [
            (&b"a/b c/\xff.jpg"[..], "a/b c/\\xff.jpg"),
            (b"./a/./b", "a/b"),
            (b"/photos/x", "/photos/x"),
            (b"../up/x", "../up/x"),
        ] {
            let path = Path::new(OsStr::from_bytes(bytes));
            assert_eq!(escape(path), text);
            assert_eq!(escape(&unescape(text).unwrap()), text);
        }
        let odd = Path::new(OsStr::from_bytes(b"x\\y/\n\xe9"));
        assert_eq!(unescape(&escape(odd)).unwrap(), odd);
    }

    #[test]
    fn terminals_get_nothing_that_moves_or_hides() {
        for (text, shown) in [
            ("plain é 猫.jpg", "plain é 猫.jpg"),
            ("e\u{301} (NFD)", "e\u{301} (NFD)"),
            ("🐈\u{200d}⬛ a\u{200b}b", "🐈\u{200d}⬛ a\\u{200b}b"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("gpj.\u{202e}txt", "gpj.\\u{202e}txt"),
            ("\u{200f}\u{2066}\u{feff}\u{2028}", "\\u{200f}\\u{2066}\\u{feff}\\u{2028}"),
        ] {
            assert_eq!(visible(text), shown);
        }
        for code in 0..=0x10ffff {
            let Some(character) = char::from_u32(code) else { continue };
            assert!(!visible(&character.to_string()).chars().any(char::is_control), "{code:x}");
        }
    }
}

//! Arguments as a shell reads them.

use std::borrow::Cow;
use std::path::Path;

use topwork::dataset::name::visible;

/// What was typed, as far as it can be shown.
pub(crate) fn command_line() -> String {
    std::env::args_os()
        .enumerate()
        .map(|(position, argument)| match position {
            0 => "topwork".to_owned(),
            _ => quoted(Path::new(&argument)),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// A path as an argument for the system's shell, quoted where it must be.
pub(crate) fn quoted(path: &Path) -> String {
    if cfg!(windows) { quoted_for_windows(path) } else { quoted_for_posix(path) }
}

/// As both of Windows' shells understand it; where they differ, as PowerShell does.
fn quoted_for_windows(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./\\:".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    let text = visible(&text);
    if text.contains(['$', '`', '"']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    // A program takes a single backslash before the closing quote for part of the text.
    let end = if text.ends_with('\\') { "\\" } else { "" };
    format!("\"{text}{end}\"")
}

/// What a terminal should not see, or cannot, is written as `$'\NNN'`, which bash, zsh and POSIX since 2024 turn back into
/// the bytes of the name.
fn quoted_for_posix(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./+,=@%:".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    let shown = |text: &str| visible(text) == text;
    if matches!(text, Cow::Borrowed(text) if shown(text)) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let octal = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("\\{byte:03o}")).collect() };
    let mut quoted = "$'".to_owned();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut bytes = [0; 4];
            let text = character.encode_utf8(&mut bytes);
            match character {
                '\'' | '\\' => quoted.extend(['\\', character]),
                _ if shown(text) => quoted.push(character),
                _ => quoted += &octal(text.as_bytes()),
            }
        }
        quoted += &octal(chunk.invalid());
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_a_shell_would_change_them() {
        for (path, expected) in [
            ("a/b-1.jpg", "a/b-1.jpg"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("é", "'é'"),
            ("a\nit's\\\u{1b}1", r"$'a\012it\'s\\\0331'"),
            ("\u{202e}x", r"$'\342\200\256x'"),
        ] {
            assert_eq!(quoted_for_posix(Path::new(path)), expected);
        }
        for (path, expected) in [
            (r"C:\a\b-1.jpg", r"C:\a\b-1.jpg"),
            (r"C:\my photos\a.jpg", r#""C:\my photos\a.jpg""#),
            (r"C:\my photos\", r#""C:\my photos\\""#),
            ("it's", r#""it's""#),
            ("*.jpg", r#""*.jpg""#),
            ("it's $5", "'it''s $5'"),
            ("", "\"\""),
            ("é", "\"é\""),
        ] {
            assert_eq!(quoted_for_windows(Path::new(path)), expected);
        }
    }
}

//! The orientation out of an XMP packet: one property, found as text as Pillow finds it (`ImageOps.exif_transpose`), so that
//! neither a parser of XML nor what it could be made to do is needed.

/// The value of `tiff:Orientation`, as an attribute or an element.
pub(super) fn orientation(packet: &[u8]) -> Option<u16> {
    const NAME: &[u8] = b"tiff:Orientation";
    let places = packet.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    places.filter_map(|(at, _)| value(&packet[at + NAME.len()..])).next()
}

/// The digit behind `="`, `='` or `>`.
fn value(rest: &[u8]) -> Option<u16> {
    let rest = match rest.trim_ascii_start() {
        [b'=', rest @ ..] => match rest.trim_ascii_start() {
            [b'"' | b'\'', rest @ ..] => rest,
            _ => return None,
        },
        [b'>', rest @ ..] => rest,
        _ => return None,
    };
    match rest.trim_ascii_start() {
        [digit @ b'0'..=b'9', next, ..] if !next.is_ascii_digit() => Some(u16::from(digit - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_and_elements_are_found() {
        for packet in [
            r#"<rdf:Description tiff:Orientation="6" tiff:Make="x"/>"#,
            "<rdf:Description tiff:Make='6'\n  tiff:Orientation = '6'/>",
            "<tiff:Orientation>6</tiff:Orientation>",
            "<tiff:Orientation>\n 6 </tiff:Orientation>",
            r#"<a tiff:OrientationX="3" tiff:Orientation="6"/>"#,
        ] {
            assert_eq!(orientation(packet.as_bytes()), Some(6), "{packet}");
        }
        for packet in [
            "",
            "tiff:Orientation",
            "tiff:Orientation=6",
            "tiff:Orientation=\"60\"",
            "tiff:Orientation=\"",
            "</tiff:Orientation>",
        ] {
            assert_eq!(orientation(packet.as_bytes()), None, "{packet}");
        }
    }
}

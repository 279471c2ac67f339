//! `metrics.json`: the figures of each set, for programs.

use std::io;

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::dataset::Subset;
use crate::metrics::Evaluation;

/// The version of the format; a reader refuses a higher one.
pub const METRICS_SCHEMA: u32 = 1;

/// `{"schema": 1, "sets": {"validation": {…}, "test": {…}}}`: each set's [`Evaluation`] in the order given. One key a
/// line, lists on one line; the same figures give the same bytes.
pub fn metrics_json<'a>(sets: impl IntoIterator<Item = (Subset, &'a Evaluation)>) -> Vec<u8> {
    struct Sets<'a>(Vec<(Subset, &'a Evaluation)>);
    impl Serialize for Sets<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.0.len()))?;
            for (set, evaluation) in &self.0 {
                map.serialize_entry(set.as_str(), evaluation)?;
            }
            map.end()
        }
    }
    #[derive(Serialize)]
    struct File<'a> {
        schema: u32,
        sets: Sets<'a>,
    }
    let file = File { schema: METRICS_SCHEMA, sets: Sets(sets.into_iter().collect()) };
    let mut bytes = Vec::new();
    let formatter = Lines(PrettyFormatter::new());
    file.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
        .expect("plain figures, text keys and memory to write to");
    bytes.push(b'\n');
    bytes
}

/// serde_json's indented layout, but with each list on one line: a matrix with a number a line is unreadable.
struct Lines(PrettyFormatter<'static>);

impl Formatter for Lines {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::evaluate;

    #[test]
    fn keys_stand_one_a_line_and_lists_on_one() {
        let classes = ["cats".to_owned(), "dogs".to_owned()];
        let evaluation = evaluate(&classes, [(0, &[0.75, 0.25][..]), (1, &[0.5, 0.5][..])]);
        let bytes = metrics_json([(Subset::Test, &evaluation), (Subset::CrossValidation, &evaluation)]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            text.starts_with("{\n  \"schema\": 1,\n  \"sets\": {\n    \"test\": {\n      \"n\": 2,\n"),
            "{text}"
        );
        assert!(text.contains("        \"counts\": [[1, 0], [1, 0]]\n"), "{text}");
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        for set in ["test", "cross_validation"] {
            assert_eq!(serde_json::from_value::<Evaluation>(value["sets"][set].clone()).unwrap(), evaluation);
        }
    }
}

//! Answers on standard output.

use std::io::{BufWriter, Write};

use serde_json::json;
use topwork::Classifier;
use topwork::dataset::name;
use topwork::run::Answer;

use crate::arguments::Format;
use crate::failure::Failure;

/// Writes answers in the format asked for.
pub(super) struct Writer<'a> {
    format: Format,
    classifier: &'a Classifier,
    top: usize,
    out: BufWriter<std::io::Stdout>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(format: Format, classifier: &'a Classifier, top: usize) -> Result<Writer<'a>, Failure> {
        let mut writer = Writer { format, classifier, top, out: BufWriter::new(std::io::stdout()) };
        if format == Format::Csv {
            writer.row(["filename", "rank", "class", "probability", "wnid", "error"])?;
        }
        Ok(writer)
    }

    pub(super) fn write(&mut self, answer: &Answer) -> Result<(), Failure> {
        let record = self.classifier.record();
        let name = answer.name.as_str();
        let wordnet_id = |class: usize| record.wordnet_ids.get(class).map_or("", String::as_str);
        let row = |(rank, (class, probability)): (usize, (usize, f64))| {
            (rank + 1, record.classes[class].as_str(), probability, wordnet_id(class))
        };
        let rows: Vec<(usize, &str, f64, &str)> =
            answer.top(self.top).into_iter().enumerate().map(row).collect();
        let error = answer.error.as_ref().map(|reason| format!("{}: {}", reason.code(), reason.detail()));
        match self.format {
            Format::Csv => {
                for (rank, class, probability, wordnet_id) in rows {
                    let (rank, probability) = (rank.to_string(), probability.to_string());
                    self.row([name, &rank, class, &probability, wordnet_id, ""])?;
                }
                if let Some(error) = error {
                    self.row([name, "", "", "", "", &error])?;
                }
            }
            Format::Json => {
                let none = serde_json::Value::Null;
                for (rank, class, probability, wordnet_id) in rows {
                    let wnid = if wordnet_id.is_empty() { none.clone() } else { json!(wordnet_id) };
                    self.line(&json!({
                        "filename": name, "rank": rank, "class": class, "probability": probability, "wnid": wnid,
                        "error": none,
                    }))?;
                }
                if let Some(error) = error {
                    self.line(&json!({
                        "filename": name, "rank": none, "class": none, "probability": none, "wnid": none,
                        "error": error,
                    }))?;
                }
            }
            Format::Text => {
                let out = &mut self.out;
                writeln!(out, "{}", name::visible(name))?;
                for (_, class, probability, _) in rows {
                    writeln!(
                        out,
                        "  {:>6} %  {}",
                        topwork::report::percent(probability),
                        name::visible(class)
                    )?;
                }
                if let Some(error) = error {
                    writeln!(out, "  {}", name::visible(&error))?;
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, object: &serde_json::Value) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{object}")?)
    }

    fn row(&mut self, fields: [&str; 6]) -> Result<(), Failure> {
        let mut row = csv::Writer::from_writer(Vec::new());
        row.write_record(fields)?;
        let bytes = row.into_inner().map_err(|error| error.into_error())?;
        Ok(self.out.write_all(&bytes)?)
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

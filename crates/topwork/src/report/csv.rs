//! The tables that a run leaves, as CSV for spreadsheets and programs. Bytes out; writing them is `file.rs`.

use csv::{Terminator, Writer, WriterBuilder};

use super::Prediction;
use crate::dataset::SkipReason;
use crate::train::History;

/// `history.csv`: `epoch,loss,accuracy,val_loss,val_accuracy,learning_rate`; what was not measured is empty.
pub fn history_csv(history: &History) -> Vec<u8> {
    let mut table = Table::new(["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]);
    for epoch in &history.epochs {
        table.row([
            epoch.epoch.to_string(),
            number(epoch.loss),
            number(epoch.accuracy),
            epoch.val_loss.map(number).unwrap_or_default(),
            epoch.val_accuracy.map(number).unwrap_or_default(),
            number(epoch.learning_rate),
        ]);
    }
    table.bytes()
}

/// `predictions.csv`: `filename,set,label,predicted,probability,p_<class>…`, a row a photo, in the order given.
pub fn predictions_csv(classes: &[String], predictions: &[Prediction]) -> Vec<u8> {
    let fixed = ["filename", "set", "label", "predicted", "probability"].map(str::to_owned);
    let mut table = Table::new(fixed.into_iter().chain(classes.iter().map(|class| format!("p_{class}"))));
    for prediction in predictions {
        let Prediction { set, label, answer } = prediction;
        let fixed = [
            answer.name.clone(),
            set.as_str().to_owned(),
            label.map(|label| classes[label].clone()).unwrap_or_default(),
            answer.label.clone().unwrap_or_default(),
            answer.probability.map(number).unwrap_or_default(),
        ];
        table.row(
            fixed.into_iter().chain(answer.probabilities.iter().map(|probability| number(*probability))),
        );
    }
    table.bytes()
}

/// `skipped.csv`: `filename,reason,detail`.
pub fn skipped_csv<'a>(rows: impl IntoIterator<Item = (&'a str, &'a SkipReason)>) -> Vec<u8> {
    let mut table = Table::new(["filename", "reason", "detail"]);
    for (name, reason) in rows {
        table.row([name, reason.code(), &reason.detail()]);
    }
    table.bytes()
}

/// The shortest digits that give the same f64 again; powers of ten where zeros would fill the cell.
fn number(value: f64) -> String {
    if value != 0.0 && !(1e-5..1e16).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

struct Table(Writer<Vec<u8>>);

impl Table {
    fn new<T: AsRef<[u8]>>(head: impl IntoIterator<Item = T>) -> Table {
        let mut table =
            Table(WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new()));
        table.row(head);
        table
    }

    fn row<T: AsRef<[u8]>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.write_record(cells).expect("rows of one length, into memory");
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("memory takes every byte")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Subset;
    use crate::photo::{Reason, Unreadable};
    use crate::train::Epoch;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_come_back_to_the_bit() {
        for value in [0.0, 1.0, 0.1, 1.0 / 3.0, 1e-5, 9.9e-6, 5e-324, 1e300, f64::EPSILON] {
            let text = number(value);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
            assert!(text.len() <= 25, "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_is_an_empty_cell() {
        let epoch = Epoch {
            epoch: 1,
            loss: 0.5,
            accuracy: 0.75,
            val_loss: None,
            val_accuracy: None,
            learning_rate: 1e-6,
        };
        let history = History { epochs: vec![epoch], best_epoch: None };
        assert_eq!(
            text(history_csv(&history)),
            "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate\n1,0.5,0.75,,,1e-6\n"
        );
    }

    #[test]
    fn ugly_names_come_back_as_they_were() {
        let reason = Unreadable::new(Reason::Corrupt, "the \"end\",\r\nis missing");
        let reason = SkipReason::Unreadable(reason);
        let names = ["a,b.jpg", "\"quoted\".jpg", "line\nbreak.jpg", "<script>.jpg", " space ", "=1+1"];
        let bytes = skipped_csv(names.iter().map(|name| (*name, &reason)));
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let read: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
        assert_eq!(read, names);
    }

    #[test]
    fn a_prediction_has_names_and_every_probability() {
        let classes = ["cats".to_owned(), "dogs, small".to_owned()];
        let prediction = |label| Prediction {
            set: Subset::Test,
            label,
            answer: crate::run::Answer::new("cats/1.jpg", &classes, vec![0.25, 0.75]),
        };
        assert_eq!(
            text(predictions_csv(&classes, &[prediction(Some(0)), prediction(None)])),
            "filename,set,label,predicted,probability,p_cats,\"p_dogs, small\"\n\
             cats/1.jpg,test,cats,\"dogs, small\",0.75,0.25,0.75\n\
             cats/1.jpg,test,,\"dogs, small\",0.75,0.25,0.75\n"
        );
    }
}

//! Names of classes: which spellings are one class, and which only look like it.
//!
//! macOS decomposes the umlauts of folder names, spreadsheets leave spaces behind labels, and web pages bring signs that
//! nobody sees. Such spellings are one class. Upper and lower case are not: letters are classes of their own.

use crate::notice::Notice;
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// Signs without a width that only mark where a line may break, or where a file begins.
const UNSEEN: [char; 4] = ['\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}'];

/// Signs without a width that tell scripts and pictures how to join; at the end of a name they join nothing.
const JOINERS: [char; 5] = ['\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{61c}'];

/// Letters of other alphabets that look like these Latin ones, and signs that look like these of ASCII.
const LOOK_ALIKES: [(char, &str); 26] = [
    ('a', "аα"),
    ('c', "сϲ"),
    ('e', "е"),
    ('i', "іι"),
    ('j', "ј"),
    ('o', "оο"),
    ('p', "рρ"),
    ('s', "ѕ"),
    ('x', "хχ"),
    ('y', "уγ"),
    ('A', "АΑ"),
    ('B', "ВΒ"),
    ('C', "СϹ"),
    ('E', "ЕΕ"),
    ('H', "НΗ"),
    ('I', "ІΙ"),
    ('K', "КΚ"),
    ('M', "МΜ"),
    ('N', "Ν"),
    ('O', "ОΟ"),
    ('P', "РΡ"),
    ('T', "ТΤ"),
    ('X', "ХΧ"),
    ('Y', "УΥ"),
    ('-', "‐‑‒–—−"),
    ('\'', "’‘ʼ´`"),
];

/// The one spelling of a class: composed (Unicode's NFC), without what nobody sees and without spaces at its ends.
pub(super) fn canonical(class: &str) -> String {
    let is_end = |sign: char| sign.is_whitespace() || JOINERS.contains(&sign);
    let seen: String = class.nfc().filter(|sign| !UNSEEN.contains(sign)).collect();
    let spelled = seen.trim_matches(is_end);
    if spelled.is_empty() { class.to_owned() } else { spelled.to_owned() }
}

/// The spellings that were met of each class.
#[derive(Default)]
pub(super) struct Spellings(BTreeMap<String, BTreeSet<String>>);

impl Spellings {
    /// Takes a name as it was written, and gives its one spelling.
    pub(super) fn take(&mut self, written: String) -> String {
        let class = canonical(&written);
        self.0.entry(class.clone()).or_default().insert(written);
        class
    }

    /// A note on classes that were written in several ways.
    pub(super) fn note(&self) -> Option<Notice> {
        let several = self.0.iter().filter(|(_, written)| written.len() > 1);
        let classes: Vec<(String, Vec<String>)> =
            several.map(|(class, written)| (class.clone(), written.iter().cloned().collect())).collect();
        (!classes.is_empty()).then_some(Notice::SeveralSpellings(classes))
    }
}

/// For each class the one that it becomes where upper and lower case do not count: the spelling of most photos, the first of
/// equals.
pub(super) fn merged_by_case(counts: &BTreeMap<String, usize>) -> BTreeMap<String, String> {
    let mut by_lower: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for class in counts.keys() {
        by_lower.entry(class.to_lowercase()).or_default().push(class);
    }
    let commonest = |classes: &[&String]| -> Option<String> {
        let most = classes.iter().map(|class| counts[*class]).max()?;
        classes.iter().find(|class| counts[**class] == most).map(|class| (*class).clone())
    };
    let merged = by_lower.values().filter_map(|classes| Some((classes, commonest(classes)?)));
    merged
        .flat_map(|(classes, common)| classes.iter().map(move |class| ((*class).clone(), common.clone())))
        .collect()
}

/// A note on classes that were merged so.
pub(super) fn merged_note(
    counts: &BTreeMap<String, usize>,
    merged: &BTreeMap<String, String>,
) -> Option<Notice> {
    let others = merged.iter().filter(|(class, common)| class != common);
    let others: Vec<(usize, String, String)> =
        others.map(|(class, common)| (counts[class], class.clone(), common.clone())).collect();
    (!others.is_empty()).then_some(Notice::MergedByCase(others))
}

/// Warnings for classes that may be one by mistake; `counts` are their photos.
pub(super) fn twins(classes: &[String], counts: &[usize]) -> Vec<Notice> {
    let by_case = pairs(classes, |class| class.to_lowercase());
    let by_look = pairs(classes, skeleton);
    let mut warnings = Vec::new();
    if !by_case.is_empty() {
        let with_count = |label: usize| (classes[label].clone(), counts[label]);
        let twins = by_case.iter().map(|(one, other)| [with_count(*one), with_count(*other)]);
        warnings.push(Notice::CaseTwins(twins.collect()));
    }
    let twins = by_look.iter().filter(|pair| !by_case.contains(pair));
    let twins: Vec<[String; 2]> =
        twins.map(|(one, other)| [classes[*one].clone(), classes[*other].clone()]).collect();
    if !twins.is_empty() {
        warnings.push(Notice::LookAlikes(twins));
    }
    warnings
}

/// Neighbours among the classes that are the same under `key`.
fn pairs(classes: &[String], key: impl Fn(&str) -> String) -> Vec<(usize, usize)> {
    let mut keys: Vec<(String, usize)> =
        classes.iter().enumerate().map(|(label, class)| (key(class), label)).collect();
    keys.sort();
    keys.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| (pair[0].1, pair[1].1)).collect()
}

/// What a name looks like.
fn skeleton(class: &str) -> String {
    let plain = |sign: char| {
        let same = LOOK_ALIKES.iter().find(|(_, others)| others.contains(sign));
        same.map_or(sign, |(plain, _)| *plain)
    };
    let signs: String = class.nfkc().filter(|sign| !JOINERS.contains(sign)).map(plain).collect();
    signs.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name in quotes with all signs but plain ones as their code points, so that the difference shows.
pub(crate) fn spelled(class: &str) -> String {
    let shown = class.chars().map(|sign| match sign {
        ' '..='~' => sign.to_string(),
        _ => format!("\\u{{{:x}}}", u32::from(sign)),
    });
    format!("\"{}\"", shown.collect::<String>())
}

/// The label of a class that is named so, among classes that are fixed: of another spelling, and of another case where that
/// does not count and only one fits.
pub(super) fn label_of(classes: &[String], written: &str, merge_case: bool) -> Option<usize> {
    let class = canonical(written);
    let spelled = classes.iter().position(|known| *known == class || canonical(known) == class);
    spelled.or_else(|| {
        let lower = class.to_lowercase();
        let mut same = (0..classes.len()).filter(|label| canonical(&classes[*label]).to_lowercase() == lower);
        match (merge_case, same.next(), same.next()) {
            (true, Some(only), None) => Some(only),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn spellings_that_nobody_can_tell_apart_are_one_class() {
        for written in [
            "M\u{fc}sli",
            "Mu\u{308}sli",
            " M\u{fc}sli\t",
            "M\u{fc}sli\u{a0}",
            "\u{feff}M\u{fc}\u{ad}sli\u{200d}",
        ] {
            assert_eq!(canonical(written), "M\u{fc}sli", "{written:?}");
        }
        // What joins letters or pictures within a name counts, and so do spaces and case.
        for written in ["\u{645}\u{6cc}\u{200c}\u{62e}", "a b", "a\u{a0}b", "Cat", "\u{200b}", " "] {
            assert_eq!(canonical(written), written);
        }
    }

    #[test]
    fn what_looks_alike_and_is_not_is_told() {
        let warned = |names: &[&str]| {
            twins(&classes(names), &vec![1; names.len()])
                .iter()
                .map(|notice| format!("{notice}\n"))
                .collect::<String>()
        };
        assert_eq!(warned(&["cat", "dog", "k\u{f6}rner", "k\u{fc}rner"]), "");
        assert!(warned(&["a b", "a\u{a0}b"]).contains("\"a b\", \"a\\u{a0}b\""));
        assert!(warned(&["a  b", "a b"]).contains("\"a  b\", \"a b\""));
        assert!(warned(&["cat", "c\u{430}t"]).contains("\"c\\u{430}t\""));
        assert!(warned(&["t-shirt", "t\u{2013}shirt"]).contains("\\u{2013}"));
        let cases = warned(&["Cat", "cat"]);
        assert!(cases.contains("\"Cat\" (1), \"cat\" (1)") && !cases.contains("look alike"), "{cases}");
    }

    #[test]
    fn the_commonest_spelling_wins() {
        let counts = [("ANGER", 3), ("anger", 9), ("Joy", 2), ("joy", 2), ("fear", 1)];
        let counts: BTreeMap<String, usize> =
            counts.into_iter().map(|(class, count)| (class.to_owned(), count)).collect();
        let merged = merged_by_case(&counts);
        let of = |class: &str| merged[class].as_str();
        assert_eq!(
            ["ANGER", "anger", "Joy", "joy", "fear"].map(of),
            ["anger", "anger", "Joy", "Joy", "fear"]
        );
        let note = merged_note(&counts, &merged).unwrap().to_string();
        assert!(note.contains("3 of \"ANGER\" into \"anger\"; 2 of \"joy\" into \"Joy\""), "{note}");
    }

    #[test]
    fn classes_that_are_fixed_are_found_in_another_spelling() {
        let known = classes(&["Mu\u{308}sli", "Cat", "dog", "DOG"]);
        assert_eq!(label_of(&known, "M\u{fc}sli ", false), Some(0));
        assert_eq!(label_of(&known, "cat", false), None);
        assert_eq!(label_of(&known, "cat", true), Some(1));
        assert_eq!(label_of(&known, "DOG", true), Some(3));
        assert_eq!(label_of(&known, "Dog", true), None);
    }
}

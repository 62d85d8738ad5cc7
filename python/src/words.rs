//! The crate's words in Python's spelling: its messages, hints and notes name settings as the command line does.
//!
//! In: text of the crate, as `--memory-limit 512M or more`. Out: the same with keywords, as `memory_limit="512M" or more`. Which words are settings, and which words after them are values, is told by
//! the crate itself (`Settings::TABLE`, `Settings::set`); a new setting needs nothing here. What is no setting (another program's flags) stays as it is.

use occlude::{EvaluateOptions, JudgeOptions, Settings};
use pyo3::prelude::*;

/// Settings whose value may be any text: only what looks like no English word is taken for one.
const ANY_TEXT: [&str; 5] = ["preprocess", "regions", "region-names", "target", "boxes"];

/// What only the command line can do.
const ONLY_THERE: [&str; 1] = ["; - is standard output (JSON)"];

/// The text with keywords where the command line's flags were.
#[pyfunction]
pub(crate) fn keywords(text: &str) -> String {
    let mut rest = text;
    let mut said = String::with_capacity(text.len());
    while let Some(at) = rest.find("--") {
        let (before, flag) = rest.split_at(at);
        said.push_str(before);
        let is_word = !said.ends_with(|c: char| c.is_alphanumeric() || c == '-');
        rest = match read_flag(flag).filter(|_| is_word) {
            Some((keyword, after)) => {
                said.push_str(&keyword);
                after
            }
            None => {
                said.push_str("--");
                &flag[2..]
            }
        };
    }
    said.push_str(rest);
    let said = ONLY_THERE.iter().fold(said, |said, words| said.replace(words, ""));
    let names = Settings::TABLE.iter().map(|row| row.name);
    let names = names.chain(JudgeOptions::NAMES).chain(EvaluateOptions::NAMES);
    names.filter(|name| name.contains('-')).fold(said, |said, name| spelt(&said, name))
}

/// A flag at the start of a text as a keyword, and what comes after it.
fn read_flag(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix("--")?;
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(text.len());
    let (name, mut after) = text.split_at(end);
    if let ("with", Some((input, after))) =
        (name, after.strip_prefix(' ').and_then(|rest| rest.split_once("=FILE")))
    {
        return Some((format!("x={{\"{input}\": ...}}"), after));
    }
    let row = Settings::TABLE.iter().find(|row| row.name == name)?;
    let mut keyword = format!("{}=", name.replace('-', "_"));
    let mut between = " ";
    // `nchw or nhwc`: another value of the same setting.
    while let Some((value, rest)) = after.strip_prefix(between).and_then(|rest| read_value(row.name, rest)) {
        keyword.push_str(if between == " " { "" } else { between });
        keyword.push_str(&literal(name, value));
        (after, between) = (rest, " or ");
    }
    Some((keyword, after))
}

/// The word at the start of a text, if it is a value of this setting, and what comes after it.
fn read_value<'a>(name: &str, text: &'a str) -> Option<(&'a str, &'a str)> {
    let word = text.split_whitespace().next().filter(|word| text.starts_with(word))?;
    let word = word.trim_end_matches([',', ';', '.', ':', ')', '`']);
    let is_example = word.contains(|c: char| c == '=' || c.is_ascii_digit() || c.is_ascii_uppercase());
    let is_known = || !ANY_TEXT.contains(&name) && Settings::default().set(name, word).is_ok();
    let is_form = || name == "boxes" && Settings::default().set(name, word).is_ok();
    (!word.is_empty() && !word.starts_with('-') && (is_example || is_known() || is_form()))
        .then(|| (word, &text[word.len()..]))
}

fn literal(name: &str, value: &str) -> String {
    match (name, value) {
        ("padded", "yes") => "True".to_string(),
        ("padded", "no") => "False".to_string(),
        _ if value.parse::<f64>().is_ok() => value.to_string(),
        _ => format!("\"{value}\""),
    }
}

/// A setting's name by itself in Python's spelling, where it stands as a word.
fn spelt(text: &str, name: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '/';
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, found) = rest.split_at(at);
        let after = &found[name.len()..];
        said.push_str(before);
        let is_word = !said.ends_with(is_part) && !after.starts_with(is_part);
        said.push_str(&if is_word { name.replace('-', "_") } else { name.to_string() });
        rest = after;
    }
    said.push_str(rest);
    said
}

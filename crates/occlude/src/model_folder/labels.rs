//! Names of classes: by index, and back from what a person types to an index.
//!
//! A name may hold synonyms separated by commas (ImageNet: `tabby, tabby cat`). The whole name or one synonym is accepted; case matters only where it alone tells two
//! classes apart (ImageNet's Cardigan is a dog, its cardigan a garment).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::target::Target;

/// Names of classes by index; may be empty, and may have gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels(Vec<String>);

impl Labels {
    /// Labels in order of the class index; an empty name means that there is none.
    pub fn new(names: Vec<String>) -> Self {
        Labels(names)
    }
    /// Number of names.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The full name of a class, `class 12` if it has none.
    pub fn name(&self, class: usize) -> String {
        match self.0.get(class) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("class {class}"),
        }
    }
    /// The first synonym of a class, `class 12` if it has no name.
    pub fn short(&self, class: usize) -> String {
        let name = self.name(class);
        match name.split_once(',') {
            Some((first, _)) => first.trim().to_string(),
            None => name,
        }
    }
    /// The class that a person means.
    ///
    /// # Errors
    /// Argument: no such name (with the nearest ones as a hint), or several classes have it.
    pub fn find(&self, wanted: &str) -> Result<usize> {
        let wanted_low = wanted.trim().to_lowercase();
        if self.is_empty() {
            return Err(Error::argument(format!(
                "class name \"{wanted}\" cannot be looked up: the model has no class names"
            ))
            .with_hint("give the class index, or put a config.json with id2label beside the model"));
        }
        let exact = wanted.trim();
        let same_whole = |i: &usize| self.0[*i] == exact;
        let same_synonym = |i: &usize| synonyms(&self.0[*i]).any(|s| s == exact);
        let whole = |i: &usize| self.0[*i].to_lowercase() == wanted_low;
        let synonym = |i: &usize| synonyms(&self.0[*i]).any(|s| s.to_lowercase() == wanted_low);
        let rules: [&dyn Fn(&usize) -> bool; 4] = [&same_whole, &same_synonym, &whole, &synonym];
        let mut matches: Vec<usize> = Vec::new();
        for rule in rules {
            matches = (0..self.len()).filter(rule).collect();
            if !matches.is_empty() {
                break;
            }
        }
        match matches.as_slice() {
            [class] => Ok(*class),
            [] => Err(Error::argument(format!(
                "no class is called \"{wanted}\" among the {} class names of the model",
                self.len()
            ))
            .with_hint(self.suggestion(&wanted_low))),
            several => {
                let all: Vec<String> = several.iter().map(|&i| format!("{i} ({})", self.0[i])).collect();
                Err(Error::argument(format!(
                    "the class name \"{wanted}\" belongs to {} classes: {}",
                    several.len(),
                    all.join(", ")
                ))
                .with_hint("give the class index"))
            }
        }
    }

    /// How many of the targets after `first` only go on with the name of this class: a name that holds commas was taken apart at them.
    pub(crate) fn more_synonyms(&self, class: usize, first: &Target, after: &[Target]) -> usize {
        let name = |target: &Target| match target {
            Target::Name(name) => Some(name.trim().to_lowercase()),
            _ => None,
        };
        let whole: Vec<String> =
            self.0.get(class).map_or_else(Vec::new, |name| synonyms(name).map(str::to_lowercase).collect());
        let given = std::iter::once(first).chain(after).map(name).take(whole.len());
        if given.eq(whole.iter().cloned().map(Some)) { whole.len().saturating_sub(1) } else { 0 }
    }

    /// The nearest names, by Damerau and Levenshtein's distance or because they contain what was typed.
    fn suggestion(&self, wanted_low: &str) -> String {
        let mut near: Vec<(f64, usize, &str)> = Vec::new();
        for (class, name) in self.0.iter().enumerate() {
            for synonym in synonyms(name) {
                let low = synonym.to_lowercase();
                let has_word = low.split(|c: char| !c.is_alphanumeric()).any(|word| word == wanted_low);
                let contained = wanted_low.len() >= 3 && low.contains(wanted_low);
                let shared = if has_word { 0.8 } else { f64::from(u8::from(contained)) * 0.7 };
                let similarity = strsim::normalized_damerau_levenshtein(&low, wanted_low).max(shared);
                if similarity >= 0.55 {
                    near.push((similarity, class, synonym));
                }
            }
        }
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        near.dedup_by_key(|(_, class, _)| *class);
        if near.is_empty() {
            return "give the class index, or a name as in the model's config.json".to_string();
        }
        let names: Vec<String> =
            near.iter().take(3).map(|(_, class, name)| format!("\"{name}\" ({class})")).collect();
        format!("did you mean {}?", names.join(", "))
    }
}

fn synonyms(name: &str) -> impl Iterator<Item = &str> {
    name.split(',').map(str::trim).filter(|s| !s.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels::new(
            ["tabby, tabby cat", "Egyptian cat", "crane", "crane", "espresso", ""].map(String::from).to_vec(),
        )
    }

    #[test]
    fn names_are_found_whole_or_by_synonym() {
        for (wanted, class) in
            [("tabby", 0), ("Tabby CAT", 0), ("tabby, tabby cat", 0), (" egyptian cat", 1), ("espresso", 4)]
        {
            assert_eq!(labels().find(wanted).expect("known"), class, "{wanted}");
        }
        assert_eq!(
            (labels().name(5), labels().short(0), labels().name(99)),
            ("class 5".into(), "tabby".into(), "class 99".into())
        );
    }

    #[test]
    fn unknown_and_ambiguous_names_say_what_there_is() {
        let error = labels().find("expresso").expect_err("unknown");
        assert_eq!(error.hint(), Some("did you mean \"espresso\" (4)?"));
        assert!(labels().find("cat").expect_err("part").hint().expect("hint").contains("Egyptian cat"));
        let birds = Labels::new(["oystercatcher", "tiger cat"].map(String::from).to_vec());
        let hint = "did you mean \"tiger cat\" (1), \"oystercatcher\" (0)?";
        assert_eq!(birds.find("cat").expect_err("part").hint(), Some(hint), "whole words first");
        assert!(labels().find("zzzz").expect_err("far").hint().expect("hint").contains("class index"));
        assert!(
            labels().find("crane").expect_err("two").to_string().contains("2 classes: 2 (crane), 3 (crane)")
        );
        assert!(Labels::default().find("cat").expect_err("none").to_string().contains("no class names"));
    }

    #[test]
    fn case_tells_two_classes_apart_that_differ_in_nothing_else() {
        let names = ["Cardigan, Cardigan Welsh corgi", "cardigan", "Crane", "crane", "CAT, x", "cat, y"];
        let labels = Labels::new(names.map(String::from).to_vec());
        for (wanted, class) in
            [("Cardigan", 0), ("cardigan", 1), ("Crane", 2), ("crane", 3), ("CAT", 4), ("cat", 5), ("X", 4)]
        {
            assert_eq!(labels.find(wanted).expect("known"), class, "{wanted}");
        }
        assert!(labels.find("CRANE").expect_err("either").to_string().contains("2 classes"));
    }
}

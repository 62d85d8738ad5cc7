//! `occlude.toml`: the same facts as the Hugging Face files, in a small file that people write by hand. What it says wins over the others.
//!
//! ```toml
//! labels = ["cat", "dog"]            # or: labels = "labels.txt", one name a line
//! problem = "single-label"           # or "multi-label", "regression"
//! layout = "nchw"                    # or "nhwc"
//! preprocess = "resize=256,crop=224,mean=0.485/0.456/0.406,std=0.229/0.224/0.225,scale=1/255"
//! ```

use std::path::Path;

use serde::Deserialize;

use super::{Configuration, Labels, read_if_there};
use crate::error::{Error, Result};
use crate::input::{Preprocess, parse_preprocess};
use crate::tensor::Layout;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    labels: Option<Names>,
    problem: Option<Problem>,
    layout: Option<TomlLayout>,
    preprocess: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    File(String),
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Problem {
    SingleLabel,
    MultiLabel,
    Regression,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum TomlLayout {
    Nchw,
    Nhwc,
}

pub(super) fn read(folder: &Path, configuration: &mut Configuration) -> Result<()> {
    let path = folder.join("occlude.toml");
    let Some(text) = read_if_there(&path)? else { return Ok(()) };
    let file: File = toml::from_str(&text).map_err(|e| Error::file(format!("{} is not understood: {}", path.display(), e.message())).with_hint(
        "its keys are labels (a list, or a file with one name a line), problem (single-label, multi-label, regression), layout (nchw, nhwc), preprocess",
    ))?;
    let in_file = |e: Error| e.in_context(path.display());
    match file.labels {
        Some(Names::List(names)) => configuration.labels = Labels::new(names),
        Some(Names::File(name)) => {
            let names = folder.join(&name);
            let text = read_if_there(&names)?
                .ok_or_else(|| in_file(Error::file(format!("labels file {name} is not there"))))?;
            configuration.labels = Labels::new(text.lines().map(|l| l.trim().to_string()).collect());
        }
        None => {}
    }
    configuration.is_classifier |= !configuration.labels.is_empty();
    match file.problem {
        Some(Problem::SingleLabel) => {
            (configuration.is_classifier, configuration.multi_label) = (true, false)
        }
        Some(Problem::MultiLabel) => (configuration.is_classifier, configuration.multi_label) = (true, true),
        Some(Problem::Regression) => {
            (configuration.is_classifier, configuration.multi_label) = (false, false)
        }
        None => {}
    }
    if let Some(layout) = file.layout {
        configuration.layout = Some(match layout {
            TomlLayout::Nchw => Layout::ChannelsFirst,
            TomlLayout::Nhwc => Layout::ChannelsLast,
        });
    }
    if let Some(text) = file.preprocess {
        let base = configuration.preprocess.clone().unwrap_or_else(Preprocess::imagenet);
        configuration.preprocess = Some(Preprocess {
            source: "occlude.toml".to_string(),
            ..parse_preprocess(&text, &base).map_err(in_file)?
        });
    }
    configuration.files.push(path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_facts_and_it_wins() {
        let dir = tempfile::tempdir().expect("folder");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("write");
        write("config.json", r#"{"id2label": {"0": "x", "1": "y"}}"#);
        write("names.txt", "cat\ndog\nbird\n");
        write(
            "occlude.toml",
            "labels = \"names.txt\"\nproblem = \"multi-label\"\nlayout = \"nhwc\"\npreprocess = \"tf,crop=96\"\n",
        );
        let c = Configuration::read(dir.path()).expect("good");
        assert_eq!(
            (c.labels.len(), c.labels.name(2), c.multi_label, c.layout),
            (3, "bird".into(), true, Some(Layout::ChannelsLast))
        );
        assert_eq!(c.preprocess.expect("said").source, "occlude.toml");
        assert_eq!(c.files.len(), 2);
        write("occlude.toml", "label = [\"a\"]\n");
        let error = Configuration::read(dir.path()).expect_err("unknown key");
        assert!(error.to_string().contains("label") && error.hint().is_some(), "{error}");
        write("occlude.toml", "labels = \"none.txt\"\n");
        assert!(
            Configuration::read(dir.path())
                .expect_err("missing")
                .to_string()
                .contains("none.txt is not there")
        );
    }
}

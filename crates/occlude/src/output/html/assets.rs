//! The files of the page, and the page put together: as they are for a server, or all in one for a report.
//!
//! In: `report/page.html` and the style sheets and scripts that it names; a title and a feed. Out: the files by name, or one HTML text with
//! style, scripts and feed inlined, in the order in which the page names them. What stands between `<!-- live -->` and `<!-- /live -->` is for
//! a page with a server behind it and is cut out of reports. What is in the feed is not here.

use base64::Engine as _;
use sha2::{Digest, Sha256};

use super::{BASE64, escaped, put};
use crate::error::{Error, Result};

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../../report/", $name)))
    };
}

/// The page and every file that it names.
const FILES: &[(&str, &str)] = &[
    file!("page.html"),
    file!("page.css"),
    file!("aids.css"),
    file!("planes.css"),
    file!("parts.js"),
    file!("feed.js"),
    file!("evidence.js"),
    file!("rank.js"),
    file!("words.js"),
    file!("state.js"),
    file!("draw.js"),
    file!("volume.js"),
    file!("looks.js"),
    file!("map_figure.js"),
    file!("figures.js"),
    file!("planes.js"),
    file!("second.js"),
    file!("object.js"),
    file!("readout.js"),
    file!("tables.js"),
    file!("listing.js"),
    file!("page.js"),
    file!("live.css"),
    file!("live_server.js"),
    file!("live_run.js"),
    file!("live_target.js"),
    file!("live_form.js"),
    file!("live_files.js"),
    file!("by_hand.js"),
    file!("live_address.js"),
    file!("live.js"),
];

const LIVE: [&str; 2] = ["<!-- live -->", "<!-- /live -->"];
const STYLE_TAG: [&str; 2] = ["<link rel=\"stylesheet\" href=\"", "\">"];
const SCRIPT_TAG: [&str; 2] = ["<script src=\"", "\"></script>"];

/// The files of a live page by name, with their text: `page.html`, and every style sheet and script that it names, relative to it. Its feed is
/// empty, so the page waits for one.
pub fn live_files() -> Vec<(&'static str, &'static str)> {
    FILES.to_vec()
}

/// The text of one of the files.
///
/// # Errors
/// File: no such file is built in.
pub(super) fn text_of(name: &str) -> Result<&'static str> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, text)| *text)
        .ok_or_else(|| Error::file(format!("the built-in page names {name:?}, which is not built in")))
}

/// A report: one HTML text that needs nothing else. `feed` is JSON in which `<` is escaped.
///
/// # Errors
/// File: the built-in page is not as it should be.
pub(super) fn report(title: &str, feed: &str) -> Result<String> {
    let page = without_live_parts(text_of("page.html")?)?;
    let (page, styles) = inlined(&page, STYLE_TAG, "style")?;
    let (mut page, scripts) = inlined(&page, SCRIPT_TAG, "script")?;
    let policy = format!(
        "default-src 'none'; img-src data:; style-src {styles}; script-src {scripts}; base-uri 'none'; form-action 'none'"
    );
    let marker = "http-equiv=\"Content-Security-Policy\" content=\"";
    let from = place_of(&page, marker)? + marker.len();
    let to = from + place_of(&page[from..], "\"")?;
    page.replace_range(from..to, &policy);
    put(&mut page, "<title>occlude</title>", &format!("<title>{} · occlude</title>", escaped(title)))?;
    put(&mut page, "id=\"feed\"></script>", &format!("id=\"feed\">{feed}</script>"))?;
    Ok(page)
}

/// The page without what a server would be needed for.
fn without_live_parts(page: &str) -> Result<String> {
    let [open, close] = LIVE;
    let mut rest = page;
    let mut kept = String::new();
    while let Some(at) = rest.find(open) {
        kept.push_str(rest[..at].trim_end_matches(' '));
        rest = &rest[at..];
        rest = rest[place_of(rest, close)? + close.len()..].trim_start_matches('\n');
    }
    kept.push_str(rest);
    Ok(kept)
}

/// The page with the files that its tags name in their place, and their hashes as a policy lists them.
fn inlined(page: &str, [open, close]: [&str; 2], element: &str) -> Result<(String, String)> {
    let mut rest = page;
    let (mut made, mut hashes) = (String::new(), Vec::new());
    while let Some(at) = rest.find(open) {
        made.push_str(&rest[..at]);
        rest = &rest[at + open.len()..];
        let end = place_of(rest, close)?;
        let text = text_of(&rest[..end])?;
        made.push_str(&format!("<{element}>{text}</{element}>"));
        hashes.push(format!("'sha256-{}'", BASE64.encode(Sha256::digest(text))));
        rest = &rest[end + close.len()..];
    }
    made.push_str(rest);
    Ok((made, hashes.join(" ")))
}

fn place_of(text: &str, marker: &str) -> Result<usize> {
    text.find(marker).ok_or_else(|| Error::file(format!("the built-in page lacks {marker:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the page names, by tag.
    fn named([open, close]: [&str; 2]) -> Vec<&'static str> {
        let page = text_of("page.html").unwrap();
        page.split(open).skip(1).map(|rest| rest.split(close).next().unwrap()).collect()
    }

    #[test]
    fn every_file_that_the_page_names_is_given_and_no_other() {
        let mut wanted = [named(STYLE_TAG), named(SCRIPT_TAG), vec!["page.html"]].concat();
        let mut given: Vec<&str> = live_files().iter().map(|(name, _)| *name).collect();
        wanted.sort_unstable();
        given.sort_unstable();
        assert_eq!(given, wanted);
    }

    #[test]
    fn a_report_has_no_live_part_and_its_scripts_in_order() {
        let page = text_of("page.html").unwrap();
        assert_eq!(page.matches(LIVE[0]).count(), 3);
        assert_eq!(page.matches(LIVE[1]).count(), 3);
        let report = report("title", "{}").unwrap();
        for token in ["id=\"live\"", "live -->", "src=\"", "stylesheet", "'self'"] {
            assert!(!report.contains(token), "{token}");
        }
        let live = page.split(LIVE[0]).skip(1).map(|part| part.split(LIVE[1]).next().unwrap());
        let live: String = live.collect();
        let mut from = 0;
        for name in named(SCRIPT_TAG).into_iter().filter(|name| !live.contains(&format!("\"{name}\""))) {
            let at = report[from..].find(text_of(name).unwrap());
            from += at.unwrap_or_else(|| panic!("{name} is missing or out of order"));
        }
    }

    #[test]
    fn parts_between_the_markers_are_cut_out() {
        let page = "a\n  <!-- live -->\n<b>\n<!-- /live -->\nc<!-- live -->d<!-- /live -->e";
        assert_eq!(without_live_parts(page).unwrap(), "a\nce");
        assert!(without_live_parts("<!-- live -->").unwrap_err().to_string().contains("lacks"));
        let error = inlined("<script src=\"no.js\"></script>", SCRIPT_TAG, "script").unwrap_err();
        assert!(error.to_string().contains("names \"no.js\", which is not built in"), "{error}");
    }
}

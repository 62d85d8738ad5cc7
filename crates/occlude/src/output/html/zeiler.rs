//! The page of the five panels: one HTML file that opens from `file://` and needs no network.
//!
//! In: a [`Zeiler`] and its [`Input`]. Out: the bytes of `report/zeiler.html` with styles, script, pictures and one JSON block (schema `occlude.zeiler-page/1`) inlined. Arrays
//! travel as base64 of little-endian float32 or int32. The wording is in `zeiler/panels`; what the page does is in `report/zeiler.js`.

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::assets::text_of;
use super::{BASE64, data_url, escaped, floats, put};
use crate::colour;
use crate::error::Result;
use crate::input::Input;
use crate::output::words;
use crate::output::zeiler::panels::Panels;
use crate::zeiler::Zeiler;

const PAGE: &str = include_str!("../../../../../report/zeiler.html");
const OWN_STYLE: &str = include_str!("../../../../../report/zeiler.css");
const SCRIPT: &str = include_str!("../../../../../report/zeiler.js");

/// The page as the bytes of one HTML file.
///
/// # Errors
/// Unsupported: an input that is no picture. File: a picture that cannot be encoded.
pub(in crate::output) fn render(found: &Zeiler, input: &Input) -> Result<Vec<u8>> {
    let panels = Panels::of(found, input)?;
    let feed = feed(found, input, &panels)?.to_string().replace('<', "\\u003c");
    let style = [text_of("page.css")?, OWN_STYLE].concat();
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        BASE64.encode(Sha256::digest(&style)),
        BASE64.encode(Sha256::digest(SCRIPT)),
    );
    let mut page = String::from(PAGE);
    put(&mut page, "default-src 'none'", &policy)?;
    let title = format!("<title>{} · five panels · occlude</title>", escaped(&panels.title));
    put(&mut page, "<title>occlude</title>", &title)?;
    put(&mut page, "<link rel=\"stylesheet\" href=\"zeiler.css\">", &format!("<style>{style}</style>"))?;
    put(&mut page, "<script src=\"zeiler.js\"></script>", &format!("<script>{SCRIPT}</script>"))?;
    put(&mut page, "id=\"feed\"></script>", &format!("id=\"feed\">{feed}</script>"))?;
    Ok(page.into_bytes())
}

fn feed(found: &Zeiler, input: &Input, panels: &Panels) -> Result<Value> {
    let map = &found.map;
    let hex = |[r, g, b]: [u8; 3]| format!("#{r:02x}{g:02x}{b:02x}");
    let axis = |place: usize| {
        let axis = &map.windows.grid().map_or(&[][..], |grid| &grid.axes)[place];
        let source = &map.geometry.axes[place];
        json!({ "length": axis.length, "starts": axis.starts, "ends": axis.ends, "scale": source.scale, "offset": source.offset })
    };
    let classes: serde_json::Map<String, Value> = found
        .classes()
        .iter()
        .map(|&(class, _)| {
            (
                class.to_string(),
                json!({ "label": map.labels.short(class), "colour": hex(panels.class_colour(class)) }),
            )
        })
        .collect();
    let legend: Vec<Value> = panels
        .legend
        .iter()
        .map(|shown| json!({ "label": shown.label, "count": shown.count, "colour": hex(shown.colour) }))
        .collect();
    let said: Vec<u8> = found.most_probable().iter().flat_map(|v| v.to_le_bytes()).collect();
    Ok(json!({
        "schema": "occlude.zeiler-page/1",
        "title": panels.title,
        "lead": panels.lead,
        "setup": words::setup(map),
        "incomplete": words::incomplete(map),
        "names": panels.names,
        "captions": panels.captions,
        "axes": [axis(0), axis(1)],
        "unit": map.geometry.unit,
        "rows": panels.rows,
        "cols": panels.cols,
        "activity": { "values": floats(found.activity()), "range": panels.activity, "untouched": map.targets[1].baseline },
        "probability": { "values": floats(found.probability()), "range": panels.probability, "untouched": map.targets[0].baseline },
        "most_probable": BASE64.encode(said),
        "untouched_class": map.most_probable.as_ref().map(|m| map.labels.short(m.baseline)),
        "classes": classes,
        "legend": legend,
        "least": panels.least,
        "ramp": colour::sequential().into_iter().map(hex).collect::<Vec<_>>(),
        "picture": data_url(&input.picture)?,
        "projection": data_url(&panels.projection)?,
        "notes": map.notes,
        "command": map.provenance.command,
        "facts": facts(found),
    }))
}

fn facts(found: &Zeiler) -> Vec<(String, String)> {
    let (layer, seed) = (&found.feature_map, &found.projection.seed);
    let mut facts = vec![
        ("layer".to_owned(), format!("{} {}", layer.layer, crate::tensor::shape_text(&layer.shape))),
        (
            "feature map".to_owned(),
            format!(
                "{}: sum {}, largest activation {}",
                layer.channel,
                words::number(layer.total),
                words::number(layer.greatest)
            ),
        ),
        (
            "projected".to_owned(),
            format!(
                "{} at {:?} of {}, value {}",
                seed.channel,
                seed.place,
                seed.tensor,
                words::number(seed.value)
            ),
        ),
    ];
    facts.extend(words::facts(&found.map));
    facts
}

//! What the PNG figure and the page say in words about a map: numbers, places, the sentence for the sign, provenance.
//!
//! In: a [`Map`]. Out: plain text in one wording for both. Numbers are rounded for reading (four significant digits); exact
//! ones are in the page's data and in the other outputs. Not here: colours, places on the figure, markup.

use std::ops::Range;

use crate::map::definition::{Aggregate, Normalize, Upsample};
use crate::map::{Map, MapTarget, Stability};
use crate::occlusion::{AxisRole, Grid, GridAxis, Windows};

/// A number to read: four significant digits, a true minus sign, never `-0`.
pub(super) fn number(value: f32) -> String {
    if value.is_nan() {
        return "not computed".to_owned();
    }
    let size = f64::from(value).abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if size.is_infinite() {
        "∞".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        let places = (3 - size.log10().floor() as i32).clamp(0, 4) as usize;
        format!("{size:.places$}")
    } else {
        format!("{size:.2e}").replace("e-", "e−")
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// [`number`] with its sign also where it is positive.
pub(super) fn signed(value: f32) -> String {
    if value > 0.0 { format!("+{}", number(value)) } else { number(value) }
}

/// A mark on a scale: signed, and as short as three significant digits allow.
pub(super) fn tick(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    let sign = if value < 0.0 { '−' } else { '+' };
    let rounded: f64 = format!("{size:.2e}").parse().unwrap_or(size);
    if (1e-4..1e6).contains(&rounded) {
        format!("{sign}{rounded}")
    } else {
        format!("{sign}{rounded:e}").replace("e-", "e−")
    }
}

/// The short name of a grid axis: `y` and `x` of a picture, `z` too of a volume, `position` of a signal, `channel`. Of a volume with an affine `i`, `j` and `k`, as its indices
/// are called: x, y and z are then directions of the body.
pub(super) fn axis_letter(map: &Map, axis: &GridAxis) -> &'static str {
    let rank = map.input.spatial().len();
    match axis.role {
        AxisRole::Channel => "channel",
        AxisRole::Spatial(_) if rank == 1 => "position",
        AxisRole::Spatial(i) if map.geometry.known_affine().is_some() => ["i", "j", "k"][i],
        AxisRole::Spatial(i) => match rank - 1 - i {
            0 => "x",
            1 => "y",
            2 => "z",
            _ => "axis",
        },
    }
}

/// Where window `index` of an axis lies, edge to edge: `24–40` are the elements 24 to 39; a channel goes by its number.
pub(super) fn range_in_input(axis: &GridAxis, index: usize) -> String {
    range_text(axis.role, &(axis.starts[index]..axis.ends[index]))
}

fn range_text(role: AxisRole, range: &Range<usize>) -> String {
    let (start, end) = (range.start, range.end);
    match role {
        AxisRole::Channel if end - start == 1 => start.to_string(),
        AxisRole::Channel => format!("{start}–{}", end - 1),
        AxisRole::Spatial(_) => format!("{start}–{end}"),
    }
}

/// Where a window is: `x 96–112, y 72–88 px` of the source picture, or elements where the source is the tensor itself.
pub(super) fn place(map: &Map, window: usize) -> String {
    let bounds = map.windows.bounds(window);
    let in_source = !map.geometry.is_identity();
    let mut parts: Vec<String> = Vec::new();
    for axis in &map.windows.elements().axes {
        let range = &bounds[axis.tensor_axis];
        let range = match axis.role {
            AxisRole::Spatial(i) if in_source => {
                let source = &map.geometry.axes[i];
                let edge = |e: usize| pixel(source.offset + source.scale * e as f64);
                format!("{}–{}", edge(range.start), edge(range.end))
            }
            _ => range_text(axis.role, range),
        };
        parts.push(format!("{} {range}", axis_letter(map, axis)));
    }
    // x before y, as pictures are read; indices i, j, k in their own order.
    if map.geometry.known_affine().is_none() {
        parts.reverse();
    }
    if let Some(title) = map.windows.title(window) {
        parts.insert(0, title);
    }
    let unit = if in_source { format!(" {}", map.geometry.unit) } else { String::new() };
    format!("{}{unit}", parts.join(", "))
}

fn pixel(place: f64) -> String {
    let whole = place.round();
    if whole < 0.0 { format!("−{}", -whole) } else { format!("{}", whole.abs()) }
}

/// What the colours' sign means, in the unit that all targets share.
pub(super) fn sign_sentence(map: &Map) -> String {
    let first = map.targets.first().map_or("score", |target| target.unit.as_str());
    let unit = if map.targets.iter().all(|target| target.unit == first) { first } else { "score" };
    if let (Windows::Masks(..), Some(joined)) = (&map.windows, joined(map)) {
        return format!(
            "Red, positive: the {unit} is higher where this element is kept, so it holds evidence for the target; blue, negative: lower. {joined}"
        );
    }
    let joined = joined(map).map_or(String::new(), |joined| format!(" {joined}"));
    format!(
        "Red, positive: hiding this window lowers the {unit}, so it holds evidence for the target. \
         Blue, negative: hiding it raises the {unit}, so it holds evidence against it.{joined}"
    )
}

/// What the model said of the untouched input, as an ending to the baseline score.
pub(super) fn predicted(map: &Map, target: &MapTarget) -> String {
    match &map.most_probable {
        Some(said) if target.class == Some(said.baseline) => ", the most probable class".to_owned(),
        Some(said) => format!("; the model says {}", map.labels.short(said.baseline)),
        None => String::new(),
    }
}

/// What the score with each window hidden is called: panel (b) of Zeiler and Fergus, of an inner activation.
pub(super) fn score_title(target: &MapTarget) -> String {
    if target.spec.starts_with("node:") {
        format!("activity of {} with the window hidden", target.label)
    } else {
        format!("{} with the window hidden", target.unit)
    }
}

/// Model, input, window, stride and fill in one line; the separator is ` · `.
pub(super) fn setup(map: &Map) -> String {
    let sizes = |size: fn(&GridAxis) -> usize| {
        let of_grid =
            |grid: &Grid| grid.axes.iter().map(|axis| size(axis).to_string()).collect::<Vec<_>>().join("×");
        map.windows.grids().iter().map(of_grid).collect::<Vec<_>>().join(", ")
    };
    let mut parts = Vec::new();
    for name in [&map.provenance.model.name, &map.provenance.input.name] {
        if !name.is_empty() {
            parts.push(name.clone());
        }
    }
    if !map.windows.grids().is_empty() {
        parts.push(format!("window {}", sizes(|axis| axis.window)));
        parts.push(format!("stride {}", sizes(|axis| axis.stride)));
    }
    for wanted in ["preset", "regions", "masks", "fill", "border", "roi"] {
        let used = map.provenance.arguments.iter().find(|(name, _)| name == wanted);
        let no_windows = map.windows.grids().is_empty();
        let is_default = |name: &str, value: &str| {
            (name, value) == ("roi", "all") || (name == "border" && no_windows) || value == "none"
        };
        if let Some((name, value)) = used.filter(|(name, value)| !is_default(name, value)) {
            parts.push(format!("{name} {value}"));
        }
    }
    parts.join(" · ")
}

/// How many windows there are: `15 × 15 windows`, `39 windows`.
pub(super) fn windows(map: &Map) -> String {
    let shape = map.windows.shape();
    if let Windows::Regions(regions) = &map.windows {
        return format!("{} regions", regions.parts.len());
    }
    if let Windows::Masks(masks, _) = &map.windows {
        return format!("{} random masks", masks.len());
    }
    if map.windows.grids().len() > 1 {
        return format!("{} windows of {} sizes", map.windows.len(), map.windows.grids().len());
    }
    format!("{} windows", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "))
}

/// How windows are joined and scaled to what is drawn, as a sentence; `None` for the windows as they are.
pub(super) fn joined(map: &Map) -> Option<String> {
    let how = &map.definition;
    let joined = match how.aggregate {
        _ if how.upsample == Upsample::Nearest => "the number of the nearest window",
        _ if how.upsample == Upsample::Linear => "interpolated linearly between the windows",
        _ if how.upsample == Upsample::Cubic => "interpolated between the windows by cubic convolution",
        Aggregate::Cells if map.windows.grid().is_some() => "",
        _ if matches!(map.windows, Windows::Masks(..)) => {
            "RISE's estimate less its mean: how much more than on average the score was where this element was kept"
        }
        _ if matches!(map.windows, Windows::Regions(_)) => "the number of its region",
        Aggregate::Cells | Aggregate::Mean => "the mean over the windows that cover it",
        Aggregate::Sum => "the sum over the windows that cover it",
        Aggregate::Share => "the mean over the windows that cover it, each shared out over its elements",
        Aggregate::Gaussian => "the mean over the windows that cover it, weighted by a Gaussian",
        Aggregate::Biased => "the sum over the windows that cover it, divided by one more than their number",
    };
    let scaled = match how.normalize {
        Normalize::None => "",
        Normalize::MaxAbs => ", divided by the largest magnitude",
        Normalize::Abs => ", without sign",
    };
    let what = if joined.is_empty() { "Each window: the difference" } else { "Each element: " };
    (!joined.is_empty() || !scaled.is_empty()).then(|| format!("{what}{joined}{scaled}."))
}

/// That the map is incomplete, if it is.
pub(super) fn incomplete(map: &Map) -> Option<String> {
    let (done, all) = (map.computed, map.windows.len());
    (!map.is_complete())
        .then(|| format!("Incomplete: {done} of {all} windows were computed. The others are hatched."))
}

/// What hatching over colours means, where the map has some: of one target, or of all that are shown.
pub(super) fn stability(map: &Map, targets: Range<usize>) -> Option<String> {
    let found = map.stability.as_ref()?;
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    let shares: Vec<String> = targets
        .map(|t| match map.targets.len() {
            1 => percent(found.targets[t].depends),
            _ => format!("{} of {}", percent(found.targets[t].depends), map.targets[t].label),
        })
        .collect();
    Some(format!(
        "Stripes over colours: the sign depends on the choice of {}, for by one map and against by another ({} of the cells). {} maps were compared; below {} of a map's largest value is no sign.",
        choices(found),
        shares.join(", "),
        found.variants.len() + 1,
        percent(found.zero_below)
    ))
}

/// `fill, window and seed`
fn choices(found: &Stability) -> String {
    let tried = |name: &&str| found.variants.iter().any(|variant| variant.differs.iter().any(|d| d == name));
    let names: Vec<&str> = ["fill", "window", "seed"].into_iter().filter(tried).collect();
    match &names[..] {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        names => names.concat(),
    }
}

/// The self-check in words.
pub(super) fn check(map: &Map) -> String {
    match &map.check {
        Some(check) => format!(
            "{} {} recomputed by an independent full run: largest difference {}, allowed {}",
            check.windows.len(),
            if check.windows.len() == 1 { "window" } else { "windows" },
            number(check.max_abs_diff as f32),
            number(check.tolerance as f32)
        ),
        None => "not done".to_owned(),
    }
}

/// The error of an approximate map in words; `None` for exact ones.
pub(super) fn approximation(map: &Map) -> Option<String> {
    let found = map.approximation.as_ref().filter(|found| found.drop_below > 0.0)?;
    Some(format!(
        "error {:.2}% of the map's range (RMSE), 95 of 100 within {:.2}%, largest {:.2}%, measured on {} windows; {}% was allowed",
        100.0 * found.rmse,
        100.0 * found.percentile_95,
        100.0 * found.largest,
        found.windows.len(),
        100.0 * found.wanted
    ))
}

/// How the map was made, as names and values to list.
pub(super) fn facts(map: &Map) -> Vec<(String, String)> {
    let made = &map.provenance;
    let file = |fact: &crate::map::FileFact| match (fact.name.is_empty(), fact.sha256.is_empty()) {
        (true, _) => "not a file".to_owned(),
        (false, true) => fact.name.clone(),
        (false, false) => format!("{}, SHA-256 {}", fact.name, fact.sha256),
    };
    let mut facts = vec![
        ("model".to_owned(), file(&made.model)),
        ("input".to_owned(), file(&made.input)),
        ("input of the model".to_owned(), format!("{}, {}", map.input, map.input.layout)),
    ];
    if !map.geometry.is_identity() {
        let mut size = map.geometry.source_size.clone();
        size.reverse();
        let size = size.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        facts.push(("source".to_owned(), format!("{size} {}", map.geometry.unit)));
    }
    facts.push(("windows".to_owned(), format!("{}, {} computed", windows(map), map.computed)));
    facts.push(("self-check".to_owned(), check(map)));
    facts.extend(approximation(map).map(|text| ("approximate map".to_owned(), text)));
    if let Some(work) = map.work.filter(|work| work.saved() > 0.0) {
        facts.push(("work".to_owned(), format!("{:.1}% of full runs saved", 100.0 * work.saved())));
    }
    if !made.runtime.is_empty() {
        facts.push(("run by".to_owned(), made.runtime.clone()));
    }
    let t = &made.timings;
    if t.windows_secs > 0.0 {
        facts.push((
            "time".to_owned(),
            format!(
                "{} for {} windows ({:.0} a second); model {}, untouched input {}, first window after {}, self-check {}",
                seconds(t.windows_secs),
                map.computed,
                map.computed as f64 / t.windows_secs,
                seconds(t.load_secs),
                seconds(t.baseline_secs),
                seconds(t.first_window_secs),
                seconds(t.check_secs)
            ),
        ));
    }
    facts.extend(made.arguments.iter().map(|(name, value)| (name.clone(), value.clone())));
    facts.push(("occlude".to_owned(), format!("version {}", made.version)));
    facts
}

/// `0.042 s`, `12.3 s`
fn seconds(secs: f64) -> String {
    if secs < 1.0 { format!("{secs:.3} s") } else { format!("{secs:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    #[test]
    fn numbers_are_read_easily() {
        for (value, text) in [
            (0.943_21, "0.9432"),
            (-0.05, "−0.0500"),
            (12.345_6, "12.35"),
            (123_456.0, "1.23e5"),
            (0.000_012_3, "1.23e−5"),
            (-0.0, "0"),
            (1.0, "1.000"),
            (f32::NAN, "not computed"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
        assert_eq!(
            (signed(0.5), signed(-0.5), signed(0.0)),
            ("+0.5000".into(), "−0.5000".into(), "0".into())
        );
        assert_eq!(
            (tick(-0.2), tick(0.547_9), tick(2.5e-7)),
            ("−0.2".into(), "+0.548".into(), "+2.5e−7".into())
        );
    }

    #[test]
    fn places_are_edges_in_source_pixels_or_elements() {
        let mut small = map([4, 6], [2, 2], [2, 2], vec![0.0; 6]);
        assert_eq!(place(&small, 4), "x 2–4, y 2–4");
        small.geometry = crate::input::Geometry::identity(&[100, 50]);
        small.geometry.resize(&[8, 5]);
        small.geometry.crop(&[0, -1], &[4, 6]);
        assert_eq!(place(&small, 3), "x −10–10, y 25–50 px");
    }

    #[test]
    fn an_approximate_map_says_so() {
        let mut made = map([4, 4], [2, 4], [2, 4], vec![0.5, 0.1]);
        assert_eq!(approximation(&made), None);
        made.approximation = Some(crate::map::Approximation {
            wanted: 0.02,
            drop_below: 0.01,
            windows: vec![0; 32],
            rmse: 0.0112,
            percentile_95: 0.02,
            largest: 0.03,
        });
        let said = "error 1.12% of the map's range (RMSE), 95 of 100 within 2.00%, largest 3.00%, measured on 32 windows; 2% was allowed";
        assert_eq!(approximation(&made).as_deref(), Some(said));
        assert!(facts(&made).iter().any(|(name, _)| name == "approximate map"));
    }

    #[test]
    fn the_self_check_is_told() {
        let mut made = map([4, 4], [2, 4], [2, 4], vec![0.5, 0.1]);
        assert_eq!(check(&made), "not done");
        made.check = Some(crate::map::Check { windows: vec![1], max_abs_diff: 0.0, tolerance: 2.5e-5 });
        let said = "1 window recomputed by an independent full run: largest difference 0, allowed 2.50e−5";
        assert_eq!(check(&made), said);
    }

    #[test]
    fn an_incomplete_map_says_so() {
        let half = map([4, 4], [2, 4], [2, 4], vec![0.5, f32::NAN]);
        assert_eq!(
            incomplete(&half).unwrap(),
            "Incomplete: 1 of 2 windows were computed. The others are hatched."
        );
        assert_eq!(incomplete(&map([4, 4], [2, 4], [2, 4], vec![0.5, 0.1])), None);
    }
}

//! What `occlude map` says about a run: what goes in, what will be done, what was found, and the summary for programs.
//!
//! Every silent choice is a line here, with the flag that changes it. Numbers come from the map as they are; nothing is computed here but rates.

use std::path::Path;

use occlude::input::volume::affine::apply;
use occlude::occlusion::{axis_name, sizes_text};
use occlude::output::table::rows;
use occlude::{
    AxisRole, Direction, Grid, Input, Map, MapTarget, Model, ScoreKind, Settings, SignShares, Stability,
    Unchanged, Windows, Written,
};
use serde_json::json;

use crate::Printer;
use crate::printer::{bytes, count, seconds, windows};

/// Windows listed for and against a target.
const TOP: usize = 3;
/// Regions listed.
const REGIONS: usize = 20;

/// Up to so many targets are all listed, of more only some.
const LISTED: usize = 10;
const OF_MANY: usize = 5;

/// Pages of more bytes are said to open slowly.
const LARGE_PAGE: usize = 20_000_000;

pub(in crate::commands) fn model(model: &Model, printer: &Printer) {
    let port = model.port();
    let dims: Vec<String> = port.dims.iter().map(|d| d.map_or("?".to_string(), |n| n.to_string())).collect();
    printer.say(
        "model",
        &format!(
            "{} · input \"{}\" [{}] {}",
            model.path().display(),
            port.name,
            dims.join(", "),
            port.layout
        ),
    );
}

pub(in crate::commands) fn input(path: &Path, input: &Input, printer: &Printer) {
    printer.say("input", &format!("{} · {}", path.display(), input.spec));
    for note in &input.notes {
        printer.say("note", note);
    }
}

/// What will be hidden; defaults are said with the flags that change them.
pub(in crate::commands) fn plan(
    hidden: &Windows,
    input: &Input,
    settings: &Settings,
    given: &[(&'static str, &str)],
    printer: &Printer,
) {
    let sizes = |of: fn(&occlude::GridAxis) -> usize| {
        let of_grid = |grid: &Grid| sizes_text(&grid.axes.iter().map(of).collect::<Vec<_>>());
        hidden.grids().iter().map(of_grid).collect::<Vec<_>>().join(", ")
    };
    // The score does not matter for the text of the fill.
    let arguments = settings.arguments(&input.spec, ScoreKind::Raw);
    let fill = arguments.iter().find(|(name, _)| name == "fill").map_or("", |(_, value)| value.as_str());
    let preset = settings.preset.map_or(String::new(), |preset| format!("{} · ", preset.name()));
    let has_preset = settings.preset.is_some();
    let silent: Vec<String> = ["window", "stride", "fill"]
        .iter()
        .filter(|name| !has_preset && !given.iter().any(|(given, _)| given == *name))
        .map(|name| format!("--{name}"))
        .collect();
    let change = if silent.is_empty() { String::new() } else { format!(" ({} to change)", silent.join(" ")) };
    if let Windows::Regions(regions) = hidden {
        let names: Vec<String> = regions.parts.iter().take(8).map(occlude::Region::title).collect();
        let more = if regions.parts.len() > 8 { ", ..." } else { "" };
        let text = format!("{} regions ({}{more}) · fill {fill}", regions.parts.len(), names.join(", "));
        return printer.say("plan", &text);
    }
    if let Windows::Masks(masks, _) = hidden {
        let text = format!("{preset}{} random masks over the whole input · fill {fill}", masks.len());
        return printer.say("plan", &text);
    }
    printer.say(
        "plan",
        &format!(
            "{preset}{} ({}) · window {}, stride {} · fill {fill}{change}",
            windows(hidden.len()),
            sizes(|a| a.starts.len()),
            sizes(|a| a.window),
            sizes(|a| a.stride)
        ),
    );
}

/// Windows computed, how fast, and the work that was saved.
pub(in crate::commands) fn ran(map: &Map, printer: &Printer) {
    let times = &map.provenance.timings;
    let rate = if times.windows_secs > 0.0 { map.computed as f64 / times.windows_secs } else { 0.0 };
    printer.say(
        "windows",
        &format!(
            "{} of {} · {} ({rate:.0}/s, {})",
            map.computed,
            map.windows.len(),
            seconds(times.windows_secs),
            map.provenance.runtime
        ),
    );
    if let Some(found) = map.unchanged.as_ref().filter(|found| found.elements > 0) {
        printer.say("tight", &unchanged(found));
    }
    if let Some(work) = map.work.filter(|work| work.saved() > 0.0) {
        printer.say(
            "work",
            &format!(
                "{} multiply-adds of {} in full: {:.1}% saved",
                count(work.multiply_adds),
                count(work.multiply_adds_in_full),
                100.0 * work.saved()
            ),
        );
    }
}

/// How much of the windows is the fill already.
pub(in crate::commands) fn unchanged(found: &Unchanged) -> String {
    format!(
        "{:.1}% of what windows cover is the fill already and costs nothing; {} of {} change nothing and are not run",
        100.0 * found.share(),
        found.windows,
        windows(found.of_windows)
    )
}

/// The regions as a table, the strongest first.
fn regions(map: &Map, printer: &Printer) {
    let rows = rows(map);
    if rows.is_empty() || map.targets.len() > 1 {
        return;
    }
    let text = |value: Option<f64>, digits: usize| value.map_or("-".to_string(), |v| format!("{v:.digits$}"));
    let share = |value: Option<f64>| value.map_or("-".to_string(), |v| format!("{:.1}%", 100.0 * v));
    printer
        .say("regions", &format!("{:<28} {:>10} {:>10} {:>10} {:>8}", "", "places", "ml", "fall", "share"));
    for row in rows.iter().take(REGIONS) {
        let fall = row.sensitivity.map_or("-".to_string(), |v| format!("{v:+.4}"));
        let name: String = row.name.chars().take(28).collect();
        printer.say(
            "",
            &format!(
                "{name:<28} {:>10} {:>10} {fall:>10} {:>8}",
                row.places,
                text(row.millilitres, 2),
                share(row.share)
            ),
        );
    }
    if rows.len() > REGIONS {
        printer.say("", &format!("and {} more; -o regions.csv has all", rows.len() - REGIONS));
    }
}

/// `espresso: 12% of 49 cells change sign by the choice (fill 8%, window 4%), 20% fade; 6 maps; below 5% of a map's largest is no sign`
fn signs(found: &Stability, shares: &SignShares, label: &str) -> String {
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    let alone = [("fill", shares.by_fill), ("window", shares.by_window), ("seed", shares.by_seed)];
    let alone: Vec<String> = alone
        .into_iter()
        .filter_map(|(name, share)| share.map(|share| format!("{name} alone {}", percent(share))))
        .collect();
    format!(
        "{label}: {} of {} cells are for it by one map and against it by another ({}), {} more have evidence by some maps only; {} maps, below {} of a map's largest is no sign",
        percent(shares.depends),
        shares.known,
        alone.join(", "),
        percent(shares.fades),
        found.variants.len() + 1,
        percent(found.zero_below)
    )
}

/// What was found.
pub(super) fn map(map: &Map, target_was_given: bool, printer: &Printer) {
    if !map.is_complete() {
        printer.warn(&format!(
            "interrupted: {} of {} windows; the map is marked incomplete",
            map.computed,
            map.windows.len()
        ));
    }
    ran(map, printer);
    if let Some(found) = map.approximation.as_ref().filter(|found| found.drop_below > 0.0) {
        printer.say(
            "approx",
            &format!(
                "error {:.2}% of the map's range (RMSE; 95 of 100 within {:.2}%, largest {:.2}%), measured on {}; {}% was allowed",
                100.0 * found.rmse,
                100.0 * found.percentile_95,
                100.0 * found.largest,
                windows(found.windows.len()),
                100.0 * found.wanted
            ),
        );
    }
    if let Some(spread) = &map.noise_spread {
        let mut known: Vec<f32> = spread.iter().copied().filter(|v| !v.is_nan()).collect();
        known.sort_by(f32::total_cmp);
        if let (Some(middle), Some(largest)) = (known.get(known.len() / 2), known.last()) {
            let text =
                format!("standard deviation over the noise fills: median {middle:.4}, largest {largest:.4}");
            printer.say("noise", &text);
        }
    }
    if printer.verbose {
        let times = &map.provenance.timings;
        printer.say(
            "times",
            &format!(
                "load {} · untouched input {} · first window after {} · check {}",
                seconds(times.load_secs),
                seconds(times.baseline_secs),
                seconds(times.first_window_secs),
                seconds(times.check_secs)
            ),
        );
        let settings: Vec<String> =
            map.provenance.arguments.iter().map(|(name, value)| format!("{name} {value}")).collect();
        printer.say("settings", &settings.join(" · "));
    }
    let listed = strongest(map);
    if listed.len() < map.targets.len() {
        printer.say(
            "targets",
            &format!(
                "{} of {}, those that hiding changes most; .npy, .npz and .json hold all",
                listed.len(),
                map.targets.len()
            ),
        );
    }
    for index in listed {
        let one = &map.targets[index];
        let change = if index == 0 && !target_was_given { " (--target to change)" } else { "" };
        printer.say("target", &format!("{}{change}", target_text(one)));
        if let Windows::Masks(..) = map.windows {
            // One mask says nothing: what is found is in the map.
            continue;
        }
        for (direction, word) in [(Direction::For, "for"), (Direction::Against, "against")] {
            for top in map.top_windows(index, direction, if map.targets.len() > 1 { 1 } else { TOP }) {
                let place = place(map, top.window);
                printer.say(word, &format!("{:+.4} {} when {place} is hidden", top.sensitivity, one.unit));
            }
        }
    }
    regions(map, printer);
    if let Some(found) = &map.stability {
        for (index, shares) in found.targets.iter().enumerate().take(LISTED) {
            printer.say("signs", &signs(found, shares, &map.targets[index].label));
        }
    }
    if let Some(flips) = map.summary(0).and_then(|s| s.label_flips).filter(|&n| n > 0) {
        printer.say(
            "flips",
            &format!("{flips} of {} windows make another class the most probable one", map.computed),
        );
    }
    if let Some(check) = &map.check {
        printer.say(
            "check",
            &format!(
                "{} recomputed alone in full · largest difference {:.1e}, allowed {:.1e}",
                windows(check.windows.len()),
                check.max_abs_diff,
                check.tolerance
            ),
        );
    }
}

/// The targets to list: all of few; of many those with the largest sensitivity of either sign, largest first.
fn strongest(map: &Map) -> Vec<usize> {
    let mut order: Vec<usize> = (0..map.targets.len()).collect();
    if order.len() > LISTED {
        let size = |index: usize| {
            map.sensitivity_of(index).iter().filter(|v| !v.is_nan()).fold(0.0f32, |most, v| most.max(v.abs()))
        };
        let sizes: Vec<f32> = order.iter().map(|&index| size(index)).collect();
        order.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]));
        order.truncate(OF_MANY);
    }
    order
}

/// `#967 espresso · probability 0.9406`
fn target_text(target: &MapTarget) -> String {
    let class = target.class.map_or(String::new(), |class| format!("#{class} "));
    // A class without a name is called by its number already.
    let class = if target.label.starts_with("class ") { String::new() } else { class };
    format!("{class}{} · {} {:.4}", target.label, target.unit, target.baseline)
}

/// `x 96-112 y 72-88 px` for pictures, the axis named before each range for everything else; channels first, where windows hide some of them.
pub(in crate::commands) fn place(map: &Map, window: usize) -> String {
    // Adding 0 makes one zero of the two.
    let range = |r: &std::ops::Range<f64>| format!("{:.0}-{:.0}", r.start.round() + 0.0, r.end.round() + 0.0);
    let (ranges, rank) = (map.window_in_source(window), map.input.spatial().len());
    let axes = map.windows.elements().axes;
    let channels = axes.iter().find(|axis| axis.role == AxisRole::Channel);
    let bounds = map.windows.bounds(window);
    let channels = channels.map_or(String::new(), |axis| {
        match (bounds[axis.tensor_axis].start, bounds[axis.tensor_axis].end) {
            (start, end) if end - start == 1 => format!("channel {start} of "),
            (start, end) => format!("channels {start}-{} of ", end - 1),
        }
    });
    let place = match &ranges[..] {
        [y, x] => format!("x {} y {} {}", range(x), range(y), map.geometry.unit),
        _ => (ranges.iter().enumerate())
            .map(|(axis, r)| format!("{} {}", axis_name(AxisRole::Spatial(axis), rank), range(r)))
            .collect::<Vec<_>>()
            .join(" "),
    };
    let place = format!("{place}{}", centre(map, &bounds));
    let title = map.windows.title(window).map_or(String::new(), |title| format!("{title} ({channels}"));
    if title.is_empty() { format!("{channels}{place}") } else { format!("{title}{place})") }
}

/// `, centre at -12 30 44 mm` in RAS+, for windows of a volume that lies somewhere: what viewers call the place.
fn centre(map: &Map, bounds: &[std::ops::Range<usize>]) -> String {
    let Some(affine) = map.geometry.known_affine() else {
        return String::new();
    };
    let middles: Vec<f64> = (map.input.spatial_axes().iter())
        .map(|&axis| (bounds[axis].start + bounds[axis].end) as f64 / 2.0 - 0.5)
        .collect();
    let &[i, j, k] = &middles[..] else { return String::new() };
    let [x, y, z] = apply(&affine, [i, j, k]);
    format!(", centre at {x:.1} {y:.1} {z:.1} mm")
}

/// The file that was written, and the folder that was made for it.
pub(in crate::commands) fn written(written: &Written, printer: &Printer) {
    if let Some(folder) = &written.made {
        printer.say("made", &format!("folder {}", folder.display()));
    }
    if let Some(path) = &written.path {
        printer.say("wrote", &format!("{} ({})", path.display(), bytes(written.bytes as u64)));
        if path.extension().is_some_and(|ending| ending == "html") && written.bytes > LARGE_PAGE {
            printer.warn("a page this large opens slowly, for it holds the score of every window and target: fewer targets or a larger stride make it smaller, and .npz has the same numbers");
        }
    }
}

/// The summary for programs, schema `occlude.map-summary/1`.
pub(super) fn summary(map: &Map, path: &Path) -> serde_json::Value {
    let target = |(index, target): (usize, &MapTarget)| {
        json!({
            "label": target.label, "class": target.class, "unit": target.unit, "baseline": target.baseline,
            "stability": map.stability.as_ref().map(|found| &found.targets[index]),
            "summary": map.summary(index),
            "for": map.top_windows(index, Direction::For, TOP),
            "against": map.top_windows(index, Direction::Against, TOP),
        })
    };
    json!({
        "schema": "occlude.map-summary/1",
        "input": path.display().to_string(),
        "complete": map.is_complete(),
        "windows": map.windows.len(),
        "computed": map.computed,
        "targets": map.targets.iter().enumerate().map(target).collect::<Vec<_>>(),
        "check": map.check,
        "approximation": map.approximation,
        "work": map.work,
        "notes": map.notes,
        "runtime": map.provenance.runtime,
        "timings": map.provenance.timings,
    })
}

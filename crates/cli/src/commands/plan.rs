//! `occlude plan`: what a map would cost, without running it.

use occlude::occlusion::{axis_name, sizes_text};
use occlude::{AxisRole, Model, Result, RunPlan};
use serde_json::json;

use super::map::talk::unchanged;
use crate::args::{self, PlanArguments};
use crate::printer::{count, memory, seconds, windows};
use crate::{Outcome, Printer, inputs};

pub(crate) fn run(arguments: &PlanArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(Some(&arguments.what), &arguments.how)?;
    let model = Model::open_with(&arguments.model, &settings)?;
    let input = inputs::read(&model, &arguments.input, &arguments.what)?;
    let plan = model.occlusion().with(&settings).plan(&input)?;
    if arguments.json {
        let mut value = json!({ "schema": "occlude.plan/1" });
        if let (Some(all), serde_json::Value::Object(more)) = (value.as_object_mut(), json!(plan)) {
            all.extend(more);
        }
        printer.line(&value.to_string());
        return Ok(Outcome::Done);
    }
    for line in lines(&plan) {
        printer.line(&line);
    }
    Ok(Outcome::Done)
}

fn lines(plan: &RunPlan) -> Vec<String> {
    let row = |word: &str, text: String| format!("{word:<12}{text}");
    let mut lines: Vec<String> = plan.notes.iter().map(|note| row("note", note.clone())).collect();
    if let occlude::Windows::Regions(regions) = &plan.places {
        lines.push(row("regions", format!("{}", regions.parts.len())));
    }
    if let occlude::Windows::Masks(masks, _) = &plan.places {
        lines.push(row("masks", format!("{} over the whole input", masks.len())));
    }
    for grid in plan.places.grids() {
        let axes = &grid.axes;
        let sizes =
            |of: fn(&occlude::GridAxis) -> usize| sizes_text(&axes.iter().map(of).collect::<Vec<_>>());
        lines.push(row(
            "windows",
            format!(
                "{} ({}) · window {}, stride {}",
                grid.len(),
                sizes(|a| a.starts.len()),
                sizes(|a| a.window),
                sizes(|a| a.stride)
            ),
        ));
        let spatial = axes.iter().filter(|axis| axis.role != AxisRole::Channel).count();
        for axis in axes {
            let name = axis_name(axis.role, spatial);
            let (first, last) =
                (axis.starts.first().copied().unwrap_or(0), axis.ends.last().copied().unwrap_or(0));
            lines.push(row(
                &format!("  {name}s"),
                format!("{} over {first}-{last} of {}", windows(axis.starts.len()), axis.length),
            ));
        }
    }
    if plan.runs < plan.windows {
        lines.push(row(
            "  runs",
            format!(
                "{} of the {} windows, the others hide the same elements or none",
                plan.runs, plan.windows
            ),
        ));
    }
    if let Some(found) = plan.unchanged.as_ref().filter(|found| found.elements > 0) {
        lines.push(row("  tight", unchanged(found)));
    }
    let full = plan.macs_per_full_run;
    let in_full = format!(
        "{} multiply-adds per full run, {} if every window were one",
        count(full),
        count(full * plan.windows as u64)
    );
    lines.push(row("work", in_full));
    if let Some(work) = plan.work.filter(|work| work.per_window < work.full as f64) {
        lines.push(row(
            "",
            format!(
                "{} for an average window: {:.1}% of the work is saved",
                count(work.per_window as u64),
                100.0 * (1.0 - work.per_window / work.full as f64)
            ),
        ));
    }
    if let Some(held) = &plan.memory {
        let total = held.weights + held.baseline + held.in_flight + held.allowance;
        lines.push(row(
            "memory",
            format!(
                "at most {}: packed weights {}, kept baseline {}, {} in flight {}, allowance {}",
                memory(total),
                memory(held.weights),
                memory(held.baseline),
                windows(held.windows_in_flight),
                memory(held.in_flight),
                memory(held.allowance)
            ),
        ));
    }
    if let (Some(work), Some(isa)) = (&plan.work, plan.instruction_set) {
        let in_full = if work.secs < work.secs_in_full {
            format!(", {} if every window were a full run", seconds(work.secs_in_full))
        } else {
            String::new()
        };
        lines.push(row(
            "time",
            format!(
                "about {}{in_full} ({isa}, {} threads; an estimate, within a third)",
                seconds(work.secs),
                plan.threads
            ),
        ));
    }
    lines
}

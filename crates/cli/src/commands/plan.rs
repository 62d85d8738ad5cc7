//! `occlude plan`: what a map would cost, without running it.

use occlude::occlusion::{axis_name, sizes_text};
use occlude::{AxisRole, Model, Result, RunPlan};
use serde_json::json;

use crate::args::{self, PlanArguments};
use crate::printer::{count, memory, seconds, windows};
use crate::{Outcome, Printer};

/// Multiply-adds per second and thread that a full run is taken to reach; measured on one machine, so the estimate is a rough one.
fn assumed_rate(instruction_set: &str) -> f64 {
    match instruction_set {
        "scalar" => 1.5e9,
        _ => 35e9,
    }
}

pub(crate) fn run(arguments: &PlanArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(Some(&arguments.what), &arguments.how)?;
    let model = Model::open_with(&arguments.model, &settings)?;
    let input = model.read_input(&arguments.input)?;
    let plan = model.occlusion().with(&settings).plan(&input)?;
    let full_secs = plan.instruction_set.map(|isa| {
        plan.macs_per_full_run as f64 * plan.windows as f64 / (assumed_rate(isa) * plan.threads as f64)
    });
    if arguments.json {
        let mut value = json!({ "schema": "occlude.plan/1", "estimated_secs_full": full_secs });
        if let (Some(all), serde_json::Value::Object(more)) = (value.as_object_mut(), json!(plan)) {
            all.extend(more);
        }
        printer.line(&value.to_string());
        return Ok(Outcome::Done);
    }
    for line in lines(&plan, full_secs) {
        printer.line(&line);
    }
    Ok(Outcome::Done)
}

fn lines(plan: &RunPlan, full_secs: Option<f64>) -> Vec<String> {
    let row = |word: &str, text: String| format!("{word:<12}{text}");
    let axes = &plan.grid.axes;
    let sizes = |of: fn(&occlude::GridAxis) -> usize| sizes_text(&axes.iter().map(of).collect::<Vec<_>>());
    let mut lines: Vec<String> = plan.notes.iter().map(|note| row("note", note.clone())).collect();
    lines.push(row(
        "windows",
        format!(
            "{} ({}) · window {}, stride {}",
            plan.windows,
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
    lines.push(row(
        "work",
        format!(
            "{} multiply-adds per full run, {} if every window were one",
            count(plan.macs_per_full_run),
            count(plan.macs_per_full_run * plan.windows as u64)
        ),
    ));
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
    if let (Some(secs), Some(isa)) = (full_secs, plan.instruction_set) {
        lines.push(row(
            "time",
            format!(
                "about {} if every window were a full run, a rough estimate from {} multiply-adds per second \
                 and thread ({isa}, {} threads)",
                seconds(secs),
                count(assumed_rate(isa) as u64),
                plan.threads
            ),
        ));
    }
    lines
}

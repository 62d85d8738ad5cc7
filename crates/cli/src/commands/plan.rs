//! `occlude plan`: what a map would cost, without running it.

use occlude::occlusion::sizes_text;
use occlude::{AxisRole, Model, Result, RunPlan};
use serde_json::json;

use crate::args::{self, PlanArguments};
use crate::printer::{bytes, count, seconds};
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
    for axis in axes {
        let name = match axis.role {
            AxisRole::Channel => "channels".to_string(),
            AxisRole::Spatial(index) => format!("axis {index}"),
        };
        let (first, last) =
            (axis.starts.first().copied().unwrap_or(0), axis.ends.last().copied().unwrap_or(0));
        lines.push(row(
            &format!("  {name}"),
            format!("{} windows over {first}-{last} of {}", axis.starts.len(), axis.length),
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
    if let Some(memory) = &plan.memory {
        let total = memory.weights + memory.baseline + memory.in_flight + memory.allowance;
        lines.push(row(
            "memory",
            format!(
                "at most {}: packed weights {}, kept baseline {}, {} windows in flight {}, allowance {}",
                bytes(total),
                bytes(memory.weights),
                bytes(memory.baseline),
                memory.windows_in_flight,
                bytes(memory.in_flight),
                bytes(memory.allowance)
            ),
        ));
    }
    if let (Some(secs), Some(isa)) = (full_secs, plan.instruction_set) {
        lines.push(row(
            "time",
            format!("at most about {} in full runs ({isa}, {} threads; a rough estimate); incremental runs do a part of that", seconds(secs), plan.threads),
        ));
    }
    lines
}

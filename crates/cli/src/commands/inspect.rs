//! `occlude inspect`: what a model is, without running it.

use occlude::{Facts, Model, Result, preprocess_to_text};
use serde_json::json;

use crate::args::{self, InspectArguments};
use crate::printer::{bytes, count, memory, windows};
use crate::{Outcome, Printer};

/// Nodes listed as the most expensive ones.
const TOP: usize = 5;

pub(crate) fn run(arguments: &InspectArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(None, &arguments.how)?;
    let model = Model::open_with(&arguments.model, &settings)?;
    let facts = model.facts()?;
    if arguments.json {
        let mut value = json!({ "schema": "occlude.inspect/1" });
        if let (Some(all), serde_json::Value::Object(more)) = (value.as_object_mut(), json!(facts)) {
            all.extend(more);
        }
        printer.line(&value.to_string());
        return Ok(Outcome::Done);
    }
    for line in lines(&facts, &model, printer.verbose) {
        printer.line(&line);
    }
    Ok(Outcome::Done)
}

fn lines(facts: &Facts, model: &Model, all_nodes: bool) -> Vec<String> {
    let row = |word: &str, text: String| format!("{word:<12}{text}");
    let shape = |dims: &Option<Vec<String>>| {
        dims.as_ref().map_or("shape not given".to_string(), |d| format!("[{}]", d.join(", ")))
    };
    let sizes = |values: &[usize]| values.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
    let mut lines = vec![
        row(
            "model",
            format!("{} · {} · opset {} · {}", facts.file, bytes(facts.bytes), facts.opset, facts.producer),
        ),
        row("sha256", facts.sha256.clone()),
    ];
    for input in &facts.inputs {
        lines.push(row("input", format!("\"{}\" {} {}", input.name, shape(&input.dims), facts.layout)));
    }
    for output in &facts.outputs {
        lines.push(row("output", format!("\"{}\" {}", output.name, shape(&output.dims))));
    }
    lines.push(row(
        "classifier",
        format!("{}: {}", if facts.is_classifier { "yes" } else { "no" }, facts.why),
    ));
    if facts.class_names > 0 {
        lines.push(row("classes", format!("{} names", facts.class_names)));
    }
    lines.push(row(
        "preprocess",
        format!("{} ({})", preprocess_to_text(model.preprocess()), facts.preprocess_source),
    ));
    lines.push(row(
        "work",
        format!("{} multiply-adds for one run of [{}]", count(facts.macs), sizes(&facts.shape)),
    ));
    lines.push(row("parameters", count(facts.parameters)));
    if let Some((tensor, size, step)) = &facts.receptive_field {
        lines.push(row(
            "receptive",
            format!("field of \"{tensor}\": {} input elements, step {}", sizes(size), sizes(step)),
        ));
    }
    let operators: Vec<String> = facts.operators.iter().map(|(name, n)| format!("{name} {n}")).collect();
    lines.push(row("operators", operators.join(", ")));
    let foreign: Vec<&str> = facts.nodes.iter().filter(|n| n.is_foreign).map(|n| n.label.as_str()).collect();
    lines.push(row(
        "slow nodes",
        match foreign.len() {
            0 => "none: every operator has a kernel of its own".to_string(),
            n => format!("{n} without a kernel, run on whole tensors: {}", foreign.join(", ")),
        },
    ));
    let held = &facts.memory;
    lines.push(row(
        "memory",
        format!(
            "packed weights {} · kept baseline {} · {} in flight {} · allowance {} · {}",
            memory(held.weights),
            memory(held.baseline),
            windows(held.windows_in_flight),
            memory(held.in_flight),
            memory(held.allowance),
            facts.instruction_set
        ),
    ));
    let mut nodes: Vec<_> = facts.nodes.iter().collect();
    if !all_nodes {
        nodes.sort_by_key(|n| std::cmp::Reverse(n.macs));
        nodes.truncate(TOP);
    }
    lines.push(String::new());
    lines.push(if all_nodes {
        "nodes, in order: multiply-adds, kind, shape, operator and name -> tensor (for --target node:NAME)"
            .to_string()
    } else {
        format!("the {} most expensive nodes (-v lists all {})", nodes.len(), facts.nodes.len())
    });
    for node in nodes {
        let whole = if node.is_foreign { " · whole tensors" } else { "" };
        // A name with # is the engine's own, for a step that the model's file does not have.
        let has_name = all_nodes && !node.tensor.contains('#');
        let tensor = if has_name { format!(" -> \"{}\"", node.tensor) } else { String::new() };
        lines.push(format!(
            "{:>9}  {:<17} [{}]  {}{tensor}{whole}",
            count(node.macs),
            node.kind,
            sizes(&node.shape),
            node.label
        ));
    }
    lines
}

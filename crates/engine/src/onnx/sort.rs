//! Which nodes of a graph are needed, and in which order.
//!
//! In: nodes as the file lists them, and the names that are asked for. Out: indices of the nodes to run, every value before its
//! readers, in the file's order where that is free. Undefined names and cycles are found here.

use std::collections::{BTreeMap, BTreeSet};

use super::proto::{AttributeValue, Node};
use super::site::label;
use crate::{Error, Result};

/// Every name that a node reads: its inputs, and what its subgraphs take from around them.
pub(super) fn reads(node: &Node) -> Vec<String> {
    let mut names: Vec<String> = node.inputs.iter().filter(|n| !n.is_empty()).cloned().collect();
    for attribute in &node.attributes {
        let AttributeValue::Graph(graph) = &attribute.value else { continue };
        let mut own: BTreeSet<&str> = graph.initializers.iter().map(|t| t.name.as_str()).collect();
        own.extend(graph.inputs.iter().map(|i| i.name.as_str()));
        own.extend(graph.nodes.iter().flat_map(|n| &n.outputs).map(String::as_str));
        let inner = graph.nodes.iter().flat_map(reads).chain(graph.outputs.iter().map(|o| o.name.clone()));
        names.extend(inner.filter(|name| !own.contains(name.as_str())));
    }
    names
}

/// Indices of the nodes that `outputs` need. `is_known` says which names exist before any node runs.
///
/// # Errors
/// `Model` if a name is written twice, is read but never written, or if nodes wait for each other.
pub(super) fn needed(
    nodes: &[Node],
    outputs: &[String],
    is_known: &dyn Fn(&str) -> bool,
) -> Result<Vec<usize>> {
    let mut writer: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|n| !n.is_empty()) {
            if let Some(first) = writer.insert(name, index) {
                let (a, b) = (label(&nodes[first]), label(node));
                return Err(Error::model(format!("value \"{name}\" is written twice, by {a} and by {b}")));
            }
        }
    }
    let inputs: Vec<Vec<String>> = nodes.iter().map(reads).collect();
    let mut waits: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut open = Vec::new();
    for name in outputs {
        match writer.get(name.as_str()) {
            Some(&index) => open.push(index),
            None if is_known(name) => {}
            None => return Err(Error::model(format!("output \"{name}\" is written by no node"))),
        }
    }
    while let Some(index) = open.pop() {
        if waits.contains_key(&index) {
            continue;
        }
        let mut sources = BTreeSet::new();
        for name in &inputs[index] {
            match writer.get(name.as_str()) {
                Some(&source) => {
                    sources.insert(source);
                }
                None if is_known(name) => {}
                None => {
                    let text =
                        format!("input \"{name}\" is not defined: no node, input or weight has this name");
                    return Err(Error::model(text).at_node(label(&nodes[index])));
                }
            }
        }
        for &source in &sources {
            readers.entry(source).or_default().push(index);
            open.push(source);
        }
        waits.insert(index, sources);
    }
    let mut ready: BTreeSet<usize> = waits.iter().filter(|(_, w)| w.is_empty()).map(|(&i, _)| i).collect();
    let mut order = Vec::with_capacity(waits.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for reader in readers.remove(&index).unwrap_or_default() {
            if let Some(wait) = waits.get_mut(&reader) {
                wait.remove(&index);
                if wait.is_empty() {
                    ready.insert(reader);
                }
            }
        }
    }
    let stuck = waits.iter().find(|(_, w)| !w.is_empty());
    match stuck {
        Some((&index, _)) => Err(Error::model("the graph has a cycle: this node waits for its own result")
            .at_node(label(&nodes[index]))),
        None => Ok(order),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, inputs: &[&str], outputs: &[&str]) -> Node {
        let list = |names: &[&str]| names.iter().map(|s| s.to_string()).collect();
        Node {
            name: name.into(),
            op_type: "Op".into(),
            inputs: list(inputs),
            outputs: list(outputs),
            ..Default::default()
        }
    }

    fn order(nodes: &[Node]) -> Result<Vec<usize>> {
        needed(nodes, &["y".to_string()], &|name| name == "x")
    }

    #[test]
    fn unsorted_files_are_sorted_and_dead_nodes_left_out() {
        let nodes = [
            node("c", &["b"], &["y"]),
            node("dead", &["x"], &["z"]),
            node("a", &["x"], &["a"]),
            node("b", &["a", ""], &["b"]),
        ];
        assert_eq!(order(&nodes).unwrap(), [2, 3, 0]);
    }

    #[test]
    fn broken_graphs_say_where() {
        let cases = [
            (vec![node("n", &["nothing"], &["y"])], "Op \"n\": input \"nothing\" is not defined"),
            (vec![node("n", &["x"], &["z"])], "output \"y\" is written by no node"),
            (vec![node("n", &["x"], &["y"]), node("m", &["x"], &["y"])], "written twice"),
            (vec![node("n", &["b"], &["y"]), node("m", &["y"], &["b"])], "cycle"),
        ];
        for (nodes, text) in cases {
            let error = order(&nodes).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}

//! The walk over a model's nodes: scopes of names, order of nodes, inlining, and giving results their names.
//!
//! In: a [`ModelFile`] and concrete shapes. Out: the graph. Each node is folded if its inputs are constant, else lowered (`lower`).
//! Functions and branches with a known condition are inlined; nodes that no output needs are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{ImportOptions, ModelFile};
use super::proto::{self, AttributeValue};
use super::site::{Site, is_onnx, label};
use super::value::{Dynamic, Value};
use super::{fold, ports, sort};
use crate::graph::{Graph, Node, Op, Tensor, TensorId};
use crate::{Error, Result};

/// Functions that call each other, and branches inside branches.
const MAX_DEPTH: usize = 64;

/// Names of one graph, function body or branch.
#[derive(Default)]
pub(super) struct Scope {
    values: BTreeMap<String, Value>,
    /// Readers left per name; a constant is dropped after its last one.
    readers: BTreeMap<String, usize>,
    /// Put before names of tensors, so that two calls of a function do not clash.
    prefix: String,
    /// A branch sees the names around it, a function does not.
    sees_outer: bool,
    /// Operator set per domain.
    opsets: BTreeMap<String, i64>,
}

pub(super) struct Importer<'m> {
    pub(super) file: &'m ModelFile,
    pub(super) graph: Graph,
    scopes: Vec<Scope>,
    /// Tensor that carries a name, where it is not the one that the value is bound to.
    named: BTreeMap<String, TensorId>,
    /// Label of the node being lowered, for the nodes it becomes.
    pub(super) label: String,
    /// Name of its first output, for the tensors between.
    pub(super) output_name: String,
    pub(super) counter: usize,
    /// Copies in another order that were made already.
    pub(super) moves: BTreeMap<(TensorId, Vec<usize>), TensorId>,
    /// What a reshaped tensor was before, with the order in which the reshaped value sees its axes.
    pub(super) reshaped: BTreeMap<TensorId, (Vec<usize>, Dynamic)>,
    /// Zero padding by a node of its own, so that a convolution behind it can take it in: by padded tensor.
    pub(super) zero_pads: BTreeMap<TensorId, super::layout::ZeroPad>,
}

pub(super) fn import(file: &ModelFile, options: &ImportOptions) -> Result<Graph> {
    let opsets = |list: &[proto::Opset]| list.iter().map(|o| (o.domain.clone(), o.version)).collect();
    let mut importer = Importer {
        file,
        graph: Graph::default(),
        scopes: vec![Scope { opsets: opsets(&file.proto.opsets), ..Scope::default() }],
        named: BTreeMap::new(),
        label: String::new(),
        output_name: String::new(),
        counter: 0,
        moves: BTreeMap::new(),
        reshaped: BTreeMap::new(),
        zero_pads: BTreeMap::new(),
    };
    for (info, shape) in file.inputs().iter().zip(ports::resolve(file, options)?) {
        let id = importer.graph.add_tensor(Tensor {
            name: info.name.clone(),
            order: (0..shape.len()).collect(),
            shape: shape.clone(),
            constant: None,
        });
        importer.graph.inputs.push(id);
        let order = (0..shape.len()).collect();
        let dtype = info.dtype.unwrap_or(super::DType::F32);
        importer.set(&info.name, Value::Dynamic(Dynamic { id, stored: shape, order, dtype }))?;
    }
    let outputs: Vec<String> = file.outputs().iter().map(|o| o.name.clone()).collect();
    importer.run(&file.graph.initializers, &file.graph.nodes, &outputs)?;
    for name in &outputs {
        let id = importer.output(name)?;
        importer.graph.outputs.push(id);
    }
    Ok(importer.graph)
}

impl Importer<'_> {
    fn scope(&mut self) -> &mut Scope {
        // There is always the model's own scope.
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    fn set(&mut self, name: &str, value: Value) -> Result<()> {
        if self.scope().values.insert(name.to_string(), value).is_some() {
            return Err(Error::model(format!("two values are called \"{name}\"")));
        }
        Ok(())
    }

    /// Index of the scope that knows a name.
    fn scope_of(&self, name: &str) -> Option<usize> {
        for index in (0..self.scopes.len()).rev() {
            if self.scopes[index].values.contains_key(name) {
                return Some(index);
            }
            if !self.scopes[index].sees_outer {
                return None;
            }
        }
        None
    }

    /// The value of a name, stored tensors decoded. `last` releases what nobody reads any more.
    fn take(&mut self, name: &str) -> Result<Value> {
        if name.is_empty() {
            return Ok(Value::Absent);
        }
        let index =
            self.scope_of(name).ok_or_else(|| Error::model(format!("value \"{name}\" is not defined")))?;
        let is_own = index + 1 == self.scopes.len();
        let scope = &mut self.scopes[index];
        let left = scope.readers.get_mut(name).map_or(1, |left| {
            *left = left.saturating_sub(usize::from(is_own));
            *left
        });
        let value = match scope.values.get(name) {
            Some(Value::Constant(_)) if left == 0 => {
                scope.values.insert(name.to_string(), Value::Absent).unwrap_or(Value::Absent)
            }
            Some(value) => value.clone(),
            None => Value::Absent,
        };
        match value {
            Value::Stored(tensor) => Ok(Value::Constant(self.file.constant(&tensor)?)),
            other => Ok(other),
        }
    }

    /// Lowers nodes whose results `outputs` need, in an order in which every value is there before it is read.
    fn run(
        &mut self,
        initializers: &[std::sync::Arc<proto::Tensor>],
        nodes: &[proto::Node],
        outputs: &[String],
    ) -> Result<()> {
        for tensor in initializers {
            self.set(&tensor.name, Value::Stored(tensor.clone()))?;
        }
        let order = sort::needed(nodes, outputs, &|name| self.scope_of(name).is_some())?;
        let mut readers = BTreeMap::new();
        for name in order.iter().flat_map(|&i| sort::reads(&nodes[i])).chain(outputs.iter().cloned()) {
            *readers.entry(name).or_insert(0) += 1;
        }
        self.scope().readers = readers;
        for index in order {
            let node = &nodes[index];
            self.node(node).map_err(|e| e.at_node(label(node)))?;
        }
        Ok(())
    }

    fn node(&mut self, node: &proto::Node) -> Result<()> {
        let values = node.inputs.iter().map(|name| self.take(name)).collect::<Result<Vec<_>>>()?;
        self.label = label(node);
        self.output_name =
            format!("{}{}", self.scope().prefix, node.outputs.first().map_or("", String::as_str));
        self.counter = 0;
        let first_new = self.graph.tensors.len();
        let used = node.outputs.iter().map(|o| self.scope().readers.contains_key(o)).collect();
        let opset = self.opset_of(&node.domain);
        if let Some(function) = self.function(node) {
            let results = self.call(node, &function, values)?;
            return self.bind(node, results, first_new);
        }
        if node.op_type == "If" && is_onnx(&node.domain) {
            let site = Site { node, inputs: values, opset, used };
            let results = self.branch(&site)?;
            return self.bind(node, results, first_new);
        }
        let keeps = is_onnx(&node.domain) && super::lower::keeps_flattened(&node.op_type);
        let inputs = values
            .into_iter()
            .map(|v| match v {
                Value::Flattened { copy, .. } if !keeps => Value::Dynamic(copy),
                other => other,
            })
            .collect();
        let site = Site { node, inputs, opset, used };
        let results = if site.is_constant() { fold::fold(self, &site)? } else { self.lower(site)? };
        self.bind(node, results, first_new)
    }

    fn opset_of(&mut self, domain: &str) -> i64 {
        let key = if is_onnx(domain) { "" } else { domain };
        let opsets = &self.scope().opsets;
        opsets.get(key).or_else(|| opsets.get("ai.onnx")).copied().unwrap_or(1)
    }

    /// Binds a node's results to its output names, and gives each name a tensor of its own.
    fn bind(&mut self, node: &proto::Node, results: Vec<Value>, first_new: usize) -> Result<()> {
        let mut taken = BTreeSet::new();
        for (name, value) in node.outputs.iter().zip(results) {
            if name.is_empty() || matches!(value, Value::Absent) {
                continue;
            }
            let full = format!("{}{name}", self.scope().prefix);
            match &value {
                Value::Dynamic(d) => {
                    if d.id.0 >= first_new && taken.insert(d.id) && self.is_between(d.id) {
                        let tensor = &mut self.graph.tensors[d.id.0];
                        tensor.name.clone_from(&full);
                        tensor.order.clone_from(&d.order);
                    } else {
                        let id = self.copy(d, &full);
                        self.named.insert(full, id);
                    }
                }
                Value::Flattened { copy, .. } => {
                    let id = self.copy(copy, &full);
                    self.named.insert(full, id);
                }
                _ => {}
            }
            self.set(name, value)?;
        }
        Ok(())
    }

    /// Whether a tensor still has the name of something between nodes.
    fn is_between(&self, id: TensorId) -> bool {
        self.graph.tensor(id).constant.is_none() && self.graph.tensor(id).name.contains('#')
    }

    /// A copy under a name of its own; nobody reads it but outputs and those who ask by name.
    fn copy(&mut self, d: &Dynamic, name: &str) -> TensorId {
        let (shape, order) = (d.stored.clone(), d.order.clone());
        let output = self.graph.add_tensor(Tensor { name: name.to_string(), shape, order, constant: None });
        let label = self.label.clone();
        self.graph.nodes.push(Node { label, op: Op::Reshape, inputs: vec![d.id], output });
        output
    }

    fn output(&mut self, name: &str) -> Result<TensorId> {
        if let Some(&id) = self.named.get(name) {
            return Ok(id);
        }
        match self.take(name)? {
            Value::Dynamic(d) if self.graph.inputs.contains(&d.id) => {
                Ok(self.copy(&d, &format!("{name}#output")))
            }
            Value::Dynamic(d) => Ok(d.id),
            Value::Constant(c) => {
                let shape = c.shape.clone();
                Ok(self.graph.add_constant(name, shape, c.into_f32()))
            }
            _ => Err(Error::model(format!("output \"{name}\" is not defined"))),
        }
    }

    fn function(&self, node: &proto::Node) -> Option<std::sync::Arc<proto::Function>> {
        let is_called = |f: &&std::sync::Arc<proto::Function>| {
            f.name == node.op_type
                && f.overload == node.overload
                && (f.domain == node.domain || (is_onnx(&f.domain) && is_onnx(&node.domain)))
        };
        self.file.proto.functions.iter().find(is_called).cloned()
    }

    /// Inlines a call of a function that the model defines.
    fn call(
        &mut self,
        node: &proto::Node,
        function: &proto::Function,
        values: Vec<Value>,
    ) -> Result<Vec<Value>> {
        if self.scopes.len() >= MAX_DEPTH {
            return Err(Error::model("functions call each other without end"));
        }
        let prefix = format!(
            "{}{}/",
            self.scope().prefix,
            if node.name.is_empty() { &node.op_type } else { &node.name }
        );
        let mut opsets: BTreeMap<String, i64> =
            function.opsets.iter().map(|o| (o.domain.clone(), o.version)).collect();
        if !opsets.contains_key("") && !opsets.contains_key("ai.onnx") {
            opsets.insert(String::new(), self.opset_of(""));
        }
        let body: Vec<proto::Node> = function.nodes.iter().map(|n| substitute(n, node, function)).collect();
        self.scopes.push(Scope { prefix, opsets, ..Scope::default() });
        let mut values = values.into_iter();
        for name in &function.inputs {
            let value = values.next().unwrap_or(Value::Absent);
            self.set(name, value)?;
        }
        self.finish_scope(&[], &body, &function.outputs)
    }

    /// Inlines the branch that a constant condition chooses.
    fn branch(&mut self, site: &Site) -> Result<Vec<Value>> {
        let Some(Value::Constant(condition)) = site.get(0) else {
            return Err(Error::unsupported("the condition depends on the picture")
                .with_hint("export the model without control flow, or use --runtime ort"));
        };
        let is_true =
            condition.scalar().ok_or_else(|| Error::model("the condition is not a single value"))? != 0.0;
        let graph = site.graph(if is_true { "then_branch" } else { "else_branch" })?.clone();
        let (prefix, opsets) = (self.scope().prefix.clone(), self.scope().opsets.clone());
        self.scopes.push(Scope { prefix, opsets, sees_outer: true, ..Scope::default() });
        let outputs: Vec<String> = graph.outputs.iter().map(|o| o.name.clone()).collect();
        self.finish_scope(&graph.initializers, &graph.nodes, &outputs)
    }

    fn finish_scope(
        &mut self,
        initializers: &[std::sync::Arc<proto::Tensor>],
        nodes: &[proto::Node],
        outputs: &[String],
    ) -> Result<Vec<Value>> {
        let (label, name) = (self.label.clone(), self.output_name.clone());
        let run = self.run(initializers, nodes, outputs);
        let results = run.and_then(|()| outputs.iter().map(|name| self.take(name)).collect());
        self.scopes.pop();
        (self.label, self.output_name) = (label, name);
        results
    }
}

/// A function's node with attribute references replaced by what the call gives.
fn substitute(node: &proto::Node, call: &proto::Node, function: &proto::Function) -> proto::Node {
    let mut node = node.clone();
    node.attributes.retain_mut(|attribute| {
        if let AttributeValue::Graph(graph) = &attribute.value {
            let mut graph = (**graph).clone();
            graph.nodes = graph.nodes.iter().map(|n| substitute(n, call, function)).collect();
            attribute.value = AttributeValue::Graph(graph.into());
        }
        if attribute.ref_name.is_empty() {
            return true;
        }
        let given = call.attributes.iter().chain(&function.defaults).find(|a| a.name == attribute.ref_name);
        let Some(given) = given else { return false };
        attribute.value = given.value.clone();
        true
    });
    node
}

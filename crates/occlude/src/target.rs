//! What is measured: the grammar of targets, and their resolution against a model's labels and its outputs on the untouched input.
//!
//! In: text (`top1`, `967`, `espresso`, `top5`, `cat,dog`, `all`, `node:NAME:strongest-sum`). Out: [`Measure`]s, each of which reads one number from the
//! outputs of a run. How outputs become probabilities is not here (`score`).

mod measure;

use std::fmt;

use crate::error::{Error, Result};

pub(crate) use measure::is_vector;
pub use measure::{Measure, resolve};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The classes with the greatest outputs on the untouched input, greatest first.
    Top(usize),
    /// Every class.
    All,
    /// A class by index.
    Class(usize),
    /// A class by name.
    Name(String),
    /// The activation of an inner tensor.
    Node {
        /// The model's name of the tensor.
        name: String,
        /// How it becomes one number.
        reduce: NodeReduce,
    },
    /// Several, in this order.
    List(Vec<Target>),
}

/// The reductions as they are written.
pub(crate) const REDUCTIONS: &str = "sum, mean, max, channel=K, strongest-sum, strongest-max";

/// How an inner tensor becomes one number. Channels are the model's channel axis (axis 1, or the last one of a channels-last model).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NodeReduce {
    /// Sum over all elements.
    #[default]
    Sum,
    /// Mean over all elements.
    Mean,
    /// Greatest element.
    Max,
    /// Sum over one channel: Zeiler and Fergus' total activation of a feature map.
    Channel(usize),
    /// Sum over the channel whose sum is greatest on the untouched input.
    StrongestSum,
    /// Sum over the channel whose greatest element is greatest on the untouched input.
    StrongestMax,
}

impl Target {
    /// The single class with the greatest output.
    #[allow(non_upper_case_globals, reason = "reads like the variant that it stands for: Target::Top1")]
    pub const Top1: Target = Target::Top(1);

    /// Reads the grammar. A comma separates targets; a name that itself holds commas is tried as a whole when it is resolved.
    ///
    /// # Errors
    /// Argument: empty parts, `top0`, an unknown reduction.
    pub fn parse(text: &str) -> Result<Target> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Error::argument(format!("target \"{text}\" has an empty part"))
                .with_hint("targets are top1, top5, all, a class index, a class name, node:NAME, or several separated by commas"));
        }
        match parts.as_slice() {
            [one] => Target::parse_one(one),
            several => {
                Ok(Target::List(several.iter().map(|part| Target::parse_one(part)).collect::<Result<_>>()?))
            }
        }
    }

    fn parse_one(text: &str) -> Result<Target> {
        let low = text.to_lowercase();
        if low == "all" {
            return Ok(Target::All);
        }
        if let Some(count) = low.strip_prefix("top").and_then(|n| n.parse::<usize>().ok()) {
            return match count {
                0 => Err(Error::argument("target top0 asks for no class")
                    .with_hint("top1 is the class with the greatest output")),
                count => Ok(Target::Top(count)),
            };
        }
        if let Ok(class) = text.parse::<usize>() {
            return Ok(Target::Class(class));
        }
        match text.strip_prefix("node:") {
            Some("") => Err(Error::argument("target node: lacks the tensor's name")
                .with_hint("as in node:NAME or node:NAME:max")),
            Some(rest) => Ok(Target::parse_node(rest)),
            None => Ok(Target::Name(text.to_string())),
        }
    }

    /// The reduction is what stands after the last colon, if it is one: names may hold colons themselves (TensorFlow's `conv:0`).
    fn parse_node(rest: &str) -> Target {
        if let Some((name, last)) = rest.rsplit_once(':') {
            let reduce = match last {
                "sum" => Some(NodeReduce::Sum),
                "mean" => Some(NodeReduce::Mean),
                "max" => Some(NodeReduce::Max),
                "strongest-sum" => Some(NodeReduce::StrongestSum),
                "strongest-max" => Some(NodeReduce::StrongestMax),
                _ => last.strip_prefix("channel=").and_then(|k| k.parse().ok()).map(NodeReduce::Channel),
            };
            if let (Some(reduce), false) = (reduce, name.is_empty()) {
                return Target::Node { name: name.to_string(), reduce };
            }
        }
        Target::Node { name: rest.to_string(), reduce: NodeReduce::default() }
    }

    /// Names of the inner tensors that are asked for, each once, in order.
    pub fn nodes(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_nodes(&mut names);
        names
    }

    fn collect_nodes(&self, names: &mut Vec<String>) {
        match self {
            Target::Node { name, .. } if !names.contains(name) => names.push(name.clone()),
            Target::List(list) => list.iter().for_each(|t| t.collect_nodes(names)),
            _ => {}
        }
    }

    /// Whether a class is asked for, so that the model's output must be a vector of classes.
    pub fn wants_classes(&self) -> bool {
        match self {
            Target::Node { .. } => false,
            Target::List(list) => list.iter().any(Target::wants_classes),
            _ => true,
        }
    }
}

impl fmt::Display for NodeReduce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeReduce::Sum => f.write_str("sum"),
            NodeReduce::Mean => f.write_str("mean"),
            NodeReduce::Max => f.write_str("max"),
            NodeReduce::Channel(channel) => write!(f, "channel={channel}"),
            NodeReduce::StrongestSum => f.write_str("strongest-sum"),
            NodeReduce::StrongestMax => f.write_str("strongest-max"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Top(count) => write!(f, "top{count}"),
            Target::All => f.write_str("all"),
            Target::Class(class) => write!(f, "{class}"),
            Target::Name(name) => f.write_str(name),
            Target::Node { name, reduce } => write!(f, "node:{name}:{reduce}"),
            Target::List(list) => {
                f.write_str(&list.iter().map(Target::to_string).collect::<Vec<_>>().join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        let node = |name: &str, reduce| Target::Node { name: name.into(), reduce };
        for (text, target) in [
            ("top1", Target::Top1),
            ("Top5", Target::Top(5)),
            ("all", Target::All),
            ("967", Target::Class(967)),
            ("Espresso", Target::Name("Espresso".into())),
            ("top hat", Target::Name("top hat".into())),
            (
                "3, espresso,top2",
                Target::List(vec![Target::Class(3), Target::Name("espresso".into()), Target::Top(2)]),
            ),
            ("node:conv:0", node("conv:0", NodeReduce::Sum)),
            ("node:conv:0:max", node("conv:0", NodeReduce::Max)),
            ("node:/a/b:channel=12", node("/a/b", NodeReduce::Channel(12))),
            ("node:x:strongest-max", node("x", NodeReduce::StrongestMax)),
        ] {
            assert_eq!(Target::parse(text).expect(text), target);
        }
        for text in ["", "a,,b", "top0", "node:"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        let list = Target::parse("node:a:max,node:a,node:b,3").expect("good");
        assert_eq!((list.nodes(), list.wants_classes()), (vec!["a".to_string(), "b".to_string()], true));
        assert_eq!(Target::parse(&list.to_string()).expect("its own text"), list);
    }
}

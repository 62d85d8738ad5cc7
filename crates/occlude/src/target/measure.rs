//! Targets resolved: each reads one number from the outputs of a run, with a label and a unit.
//!
//! In: a [`Target`], the outputs on the untouched input, labels. Out: [`Measure`]s, in the order asked for, each class once.

use super::{NodeReduce, Target};
use crate::error::{Error, Result};
use crate::model_folder::Labels;
use crate::score::Readout;
use crate::scorer::Outputs;
use crate::tensor::{Layout, shape_text};

/// One number to be read from every run.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// For people.
    pub label: String,
    /// The target in text form, to be asked for again.
    pub spec: String,
    /// Class index, for a class.
    pub class: Option<usize>,
    /// Unit of the number.
    pub unit: String,
    output: usize,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Class(usize, Readout),
    Node(Part, NodeReduce),
}

/// Part of a tensor seen as `[outer, channels, inner]`: one channel, or all.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    channels: usize,
    inner: usize,
    channel: Option<usize>,
}

impl Part {
    fn values<'a>(&self, all: &'a [f32]) -> impl Iterator<Item = f64> + 'a {
        let (channels, inner, channel) = (self.channels, self.inner, self.channel);
        all.chunks(inner.max(1))
            .enumerate()
            .filter(move |(i, _)| channel.is_none_or(|c| i % channels.max(1) == c))
            .flat_map(|(_, run)| run.iter().map(|&v| f64::from(v)))
    }
}

impl Measure {
    /// Reads the number; `outputs` has one slice per requested tensor.
    pub fn read(&self, outputs: &[&[f32]]) -> f32 {
        let values = outputs[self.output];
        match &self.kind {
            Kind::Class(class, readout) => readout.score(values, *class),
            Kind::Node(part, reduce) => {
                let members = part.values(values);
                match reduce {
                    NodeReduce::Max => members.fold(f64::NEG_INFINITY, f64::max) as f32,
                    NodeReduce::Mean => {
                        let (sum, count) =
                            members.fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
                        (sum / count.max(1) as f64) as f32
                    }
                    _ => members.sum::<f64>() as f32,
                }
            }
        }
    }
}

/// Settles targets. `classes` is the place among the outputs of the vector of classes, with how it is read.
///
/// # Errors
/// Argument: a class index or name that the model does not have, more classes than it has, a channel that a tensor does not have. Unsupported: classes asked of a model whose output is
/// not one vector.
pub fn resolve(
    target: &Target,
    outputs: &Outputs,
    classes: Option<(usize, Readout)>,
    labels: &Labels,
    layout: Layout,
) -> Result<Vec<Measure>> {
    let mut measures: Vec<Measure> = Vec::new();
    let mut add = |measure: Measure| {
        if !measures.contains(&measure) {
            measures.push(measure);
        }
    };
    let parts = match target {
        Target::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    for part in parts {
        match part {
            Target::Node { name, reduce } => add(node(name, *reduce, outputs, layout)?),
            Target::List(_) => {
                resolve(part, outputs, classes, labels, layout)?.into_iter().for_each(&mut add)
            }
            _ => {
                let (output, readout) = class_vector(outputs, classes)?;
                let values = &outputs.values[output];
                let class = |class: usize| Measure {
                    label: labels.short(class),
                    spec: class.to_string(),
                    class: Some(class),
                    unit: readout.unit().to_string(),
                    output,
                    kind: Kind::Class(class, readout),
                };
                match part {
                    Target::Top(count) if *count > values.len() => {
                        return Err(Error::argument(format!(
                            "target top{count} asks for {count} classes: the model's output \"{}\" has {} values",
                            outputs.names[output],
                            values.len()
                        ))
                        .with_hint("all is every class"));
                    }
                    Target::Top(count) => {
                        let mut order: Vec<usize> = (0..values.len()).collect();
                        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
                        order.into_iter().take(*count).for_each(|c| add(class(c)));
                    }
                    Target::All => (0..values.len()).for_each(|c| add(class(c))),
                    Target::Class(index) if *index < values.len() => add(class(*index)),
                    Target::Class(index) => {
                        return Err(Error::argument(format!(
                            "there is no class {index}: the model's output \"{}\" has {} values (0 to {})",
                            outputs.names[output],
                            values.len(),
                            values.len().saturating_sub(1)
                        )));
                    }
                    Target::Name(name) => add(class(labels.find(name)?)),
                    Target::Node { .. } | Target::List(_) => {}
                }
            }
        }
    }
    Ok(measures)
}

/// Whether a shape is one vector: all axes but one have length 1.
pub(crate) fn is_vector(shape: &[usize]) -> bool {
    shape.iter().filter(|&&n| n != 1).count() <= 1 && shape.iter().all(|&n| n > 0)
}

fn class_vector(outputs: &Outputs, classes: Option<(usize, Readout)>) -> Result<(usize, Readout)> {
    let hint = "a class needs an output of one value per class, as [1, n]; for other outputs give a target such as node:NAME or node:NAME:channel=K";
    let Some((output, readout)) = classes else {
        return Err(Error::unsupported("the model has no output that could hold classes").with_hint(hint));
    };
    let shape = &outputs.shapes[output];
    if !is_vector(shape) {
        return Err(Error::unsupported(format!(
            "the model's output \"{}\" has shape {}, which is not one vector of classes",
            outputs.names[output],
            shape_text(shape)
        ))
        .with_hint(hint));
    }
    Ok((output, readout))
}

fn node(name: &str, reduce: NodeReduce, outputs: &Outputs, layout: Layout) -> Result<Measure> {
    let Some(output) = outputs.names.iter().position(|n| n == name) else {
        return Err(Error::argument(format!("the model has no tensor \"{name}\"")));
    };
    let shape = &outputs.shapes[output];
    let axis = match layout {
        _ if shape.len() < 2 => None,
        Layout::ChannelsFirst => Some(1),
        Layout::ChannelsLast => Some(shape.len() - 1),
    };
    let (channels, inner) =
        axis.map_or((1, shape.iter().product()), |a| (shape[a], shape[a + 1..].iter().product()));
    let mut part = Part { channels, inner, channel: None };
    let values = &outputs.values[output];
    let strongest = |strength: &dyn Fn(Part) -> f64| {
        let strengths = (0..channels).map(|c| strength(Part { channel: Some(c), ..part }));
        strengths
            .enumerate()
            .fold((0, f64::NEG_INFINITY), |best, (c, s)| if s > best.1 { (c, s) } else { best })
            .0
    };
    let (channel, text) = match reduce {
        NodeReduce::Sum | NodeReduce::Mean | NodeReduce::Max => (None, format!("{name} {reduce}")),
        NodeReduce::Channel(channel) if channel < channels => {
            (Some(channel), format!("{name} channel {channel} sum"))
        }
        NodeReduce::Channel(channel) => {
            return Err(Error::argument(format!(
                "tensor \"{name}\" of shape {} has no channel {channel}",
                shape_text(shape)
            ))
            .with_hint(format!("its channels are 0 to {}", channels.saturating_sub(1))));
        }
        NodeReduce::StrongestSum => {
            let channel = strongest(&|p| p.values(values).sum());
            (Some(channel), format!("{name} channel {channel} (strongest by sum) sum"))
        }
        NodeReduce::StrongestMax => {
            let channel = strongest(&|p| p.values(values).fold(f64::NEG_INFINITY, f64::max));
            (Some(channel), format!("{name} channel {channel} (strongest by max) sum"))
        }
    };
    part.channel = channel;
    Ok(Measure {
        label: text,
        spec: format!("node:{name}:{reduce}"),
        class: None,
        unit: "activation".to_string(),
        output,
        kind: Kind::Node(part, reduce),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{Activation, ScoreKind};

    fn outputs() -> Outputs {
        Outputs {
            names: vec!["logits".into(), "conv".into()],
            shapes: vec![vec![1, 4, 1, 1], vec![1, 3, 1, 2]],
            values: vec![vec![1.0, 3.0, 2.0, 3.0], vec![1.0, 1.0, 0.0, 5.0, 3.0, 3.0]],
        }
    }
    fn read(text: &str, layout: Layout) -> Result<Vec<(String, f32)>> {
        let readout = Readout { kind: ScoreKind::Raw, activation: Activation::None, multi_label: false };
        let labels = Labels::new(["cat, tabby", "dog", "owl", "emu"].map(String::from).to_vec());
        let outputs = outputs();
        let measures = resolve(&Target::parse(text)?, &outputs, Some((0, readout)), &labels, layout)?;
        Ok(measures.iter().map(|m| (m.label.clone(), m.read(&outputs.slices()))).collect())
    }
    fn pairs(list: &[(&str, f32)]) -> Vec<(String, f32)> {
        list.iter().map(|(l, v)| (l.to_string(), *v)).collect()
    }

    #[test]
    fn classes() {
        let first = Layout::ChannelsFirst;
        assert_eq!(read("top1", first).expect("top1"), pairs(&[("dog", 3.0)]));
        assert_eq!(read("top3", first).expect("top3"), pairs(&[("dog", 3.0), ("emu", 3.0), ("owl", 2.0)]));
        assert_eq!(read("cat, tabby,0,OWL", first).expect("names"), pairs(&[("cat", 1.0), ("owl", 2.0)]));
        assert_eq!(read("all", first).expect("all").len(), 4);
        assert_eq!(read("top4", first).expect("all of them").len(), 4);
        let error = read("top5", first).expect_err("more than there are");
        assert!(
            error.to_string().contains("top5 asks for 5 classes: the model's output \"logits\" has 4"),
            "{error}"
        );
        assert!(read("4", first).expect_err("index").to_string().contains("no class 4"));
        assert!(read("eel", first).is_err());
    }

    #[test]
    fn nodes() {
        let first = Layout::ChannelsFirst;
        for (text, label, value) in [
            ("node:conv", "conv sum", 13.0),
            ("node:conv:mean", "conv mean", 13.0 / 6.0),
            ("node:conv:max", "conv max", 5.0),
            ("node:conv:channel=1", "conv channel 1 sum", 5.0),
            ("node:conv:strongest-sum", "conv channel 2 (strongest by sum) sum", 6.0),
            ("node:conv:strongest-max", "conv channel 1 (strongest by max) sum", 5.0),
        ] {
            assert_eq!(read(text, first).expect(text), pairs(&[(label, value)]));
        }
        assert_eq!(
            read("node:conv:channel=1", Layout::ChannelsLast).expect("last axis"),
            pairs(&[("conv channel 1 sum", 9.0)])
        );
        assert!(
            read("node:conv:channel=3", first).expect_err("channel").hint().expect("hint").contains("0 to 2")
        );
        assert!(read("node:none", first).is_err());
    }

    #[test]
    fn an_output_that_is_no_vector() {
        let outputs = outputs();
        let readout = Readout { kind: ScoreKind::Raw, activation: Activation::None, multi_label: false };
        let error =
            resolve(&Target::Top1, &outputs, Some((1, readout)), &Labels::default(), Layout::ChannelsFirst)
                .expect_err("a picture");
        assert!(error.to_string().contains("shape [1, 3, 1, 2], which is not one vector"), "{error}");
        assert!(is_vector(&[1, 1]) && is_vector(&[5]) && is_vector(&[1, 1, 3]) && !is_vector(&[2, 3]));
    }
}

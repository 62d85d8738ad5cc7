//! Targets resolved: each reads one number from the outputs of a run, with a label and a unit.
//!
//! In: a [`Target`], the outputs on the untouched input, and what is known of them ([`Known`]). Out: [`Measure`]s, in the order asked for, each class once, and what was chosen in
//! silence, in words. Classes, tensors and elements are read here; `segment` and `detect` read theirs.

use std::collections::BTreeMap;

use super::detect::Detection;
use super::segment::Segment;
use super::{Boxes, NodeReduce, Pick, Port, Target, detect, segment};
use crate::error::{Error, Result};
use crate::model_folder::Labels;
use crate::score::{Activation, Classes, Readout, ScoreKind, Scores};
use crate::scorer::Outputs;
use crate::tensor::{Layout, TensorSpec, shape_text};

/// What targets are resolved against.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What the model returned for the untouched input.
    pub outputs: &'a Outputs,
    /// The place among the outputs of the vector of classes, with how it is read.
    pub classes: Option<(usize, Readout)>,
    /// Names of classes.
    pub labels: &'a Labels,
    /// What the windows are laid over.
    pub input: &'a TensorSpec,
    /// Which axis of an inner tensor holds its channels, where the model's operators tell; else it is where the input has them.
    pub channel_axes: &'a BTreeMap<String, usize>,
    /// The model's own outputs among `outputs`, with what each ends in; empty where that is not known, and all of them may be meant.
    pub endings: &'a [(String, Activation)],
    /// The quantity that was asked for, if any.
    pub score: Option<ScoreKind>,
    /// Whether classes exclude each other, if that was said.
    pub said: Option<Classes>,
    /// The model's folder says that classes do not exclude each other; what was said counts before it.
    pub multi_label: bool,
    /// How boxes are written.
    pub boxes: &'a Boxes,
}

impl<'a> Known<'a> {
    /// The model's own outputs.
    pub(super) fn ports(&self) -> Vec<Port<'a>> {
        let own = |name: &String| self.endings.is_empty() || self.endings.iter().any(|(own, _)| own == name);
        let all = self.outputs.names.iter().zip(&self.outputs.shapes);
        all.filter(|(name, _)| own(name)).map(|(name, shape)| Port { name, shape }).collect()
    }
    /// Where a tensor is among the outputs.
    pub(super) fn place(&self, name: &str) -> Result<usize> {
        let place = self.outputs.names.iter().position(|n| n == name);
        place.ok_or_else(|| Error::argument(format!("the model has no tensor \"{name}\"")))
    }
    /// What an output ends in.
    pub(super) fn ending(&self, name: &str) -> Activation {
        let found = self.endings.iter().find(|(own, _)| own == name);
        found.map_or(Activation::None, |(_, activation)| *activation)
    }
    /// A class by index or name, where there are so many.
    pub(super) fn class(&self, pick: &Pick, count: usize, output: &str) -> Result<usize> {
        let class = match pick {
            Pick::Name(name) => self.labels.find(name)?,
            Pick::Class(class) => *class,
            Pick::Top(_) | Pick::All => 0,
        };
        if class < count {
            return Ok(class);
        }
        Err(Error::argument(format!(
            "there is no class {class}: the model's output \"{output}\" has {count} (0 to {})",
            count.saturating_sub(1)
        )))
    }
}

/// Targets resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// What to read, in the order asked for.
    pub measures: Vec<Measure>,
    /// A list was asked for, so the axis of targets stays in arrays even where it has length 1.
    pub is_list: bool,
    /// Silent choices, in words.
    pub notes: Vec<String>,
}

impl Resolved {
    fn add(&mut self, measure: Measure) {
        // Of classes the index tells them apart, and there may be many.
        let same = |m: &Measure| m.class == measure.class && *m == measure;
        if !self.measures.iter().any(same) {
            self.measures.push(measure);
        }
    }
    /// A note, once.
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

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
    pub(super) output: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Class(usize, Readout),
    Node(Part, NodeReduce),
    Element(usize),
    Segment(Segment),
    Detection(Detection),
}

/// Part of a tensor seen as `[outer, channels, inner]`: one channel, or all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
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
            Kind::Element(at) => values[*at],
            Kind::Segment(segment) => segment.read(values),
            Kind::Detection(detection) => detection.read(outputs),
        }
    }
}

/// Reads all numbers of one run; what classes of one output share (the sum of a Softmax) is computed once.
pub(crate) fn read_all(measures: &[Measure], outputs: &[&[f32]]) -> Vec<f32> {
    let mut shared: Option<(usize, Readout, Scores<'_>)> = None;
    let one = |measure: &Measure| {
        let Kind::Class(class, readout) = &measure.kind else { return measure.read(outputs) };
        let key = (measure.output, *readout);
        match &shared {
            Some((output, known, scores)) if (*output, *known) == key => scores.of(*class),
            _ => {
                let scores = readout.scores(outputs[measure.output]);
                shared = Some((key.0, key.1, scores));
                scores.of(*class)
            }
        }
    };
    measures.iter().map(one).collect()
}

/// Settles targets.
///
/// # Errors
/// Argument: an empty list, a target that is named twice, a class index or name that the model does not have, more classes than it has, a channel or element that a tensor does not have, a class without a place in the segmentation,
/// a box that no box of the model overlaps, boxes whose convention is neither said nor told by their shapes. Unsupported: classes asked of a model whose output is not one vector.
pub fn resolve(target: &Target, known: &Known<'_>) -> Result<Resolved> {
    let mut found = Resolved::default();
    resolve_into(target, known, &mut found, &mut Vec::new())?;
    if found.measures.is_empty() {
        return Err(Error::argument("the list of targets is empty, expected one target or more")
            .with_hint("leave it out for the most probable class (top1), or name one: 5, top5, all"));
    }
    // A single name that holds commas reads as a list of names, and is none.
    found.is_list = match target {
        Target::List(parts) => {
            let are_names = parts.iter().all(|part| matches!(part, Target::Name(_)));
            parts.len() == 1 || found.measures.len() > 1 || !are_names
        }
        _ => false,
    };
    Ok(found)
}

/// `named` are the measures that were asked for one by one, which may not be asked for again; those of `top5` and `all` give way to them and to each other.
fn resolve_into(
    target: &Target,
    known: &Known<'_>,
    found: &mut Resolved,
    named: &mut Vec<Measure>,
) -> Result<()> {
    let parts = target.parts();
    let mut rest = parts;
    while let Some((part, after)) = rest.split_first() {
        rest = after;
        let measures = match part {
            Target::Node { name, reduce } => vec![node(name, *reduce, known)?],
            Target::Element { name, index } => vec![element(name, index, known)?],
            Target::Segment { class, output } => segment::resolve(class, output.as_deref(), known, found)?,
            Target::Detect { class, area } => vec![detect::resolve(class.as_ref(), *area, known, found)?],
            Target::List(_) => {
                resolve_into(part, known, found, named)?;
                continue;
            }
            Target::Name(_) => {
                let measures = classes(part, known)?;
                // The names of one class, one after the other, are its whole name.
                let more =
                    measures[0].class.map_or(0, |class| known.labels.more_synonyms(class, part, after));
                rest = &after[more..];
                measures
            }
            Target::Top(_) | Target::All | Target::Class(_) => classes(part, known)?,
        };
        if part.is_of_one() {
            for measure in &measures {
                if named.contains(measure) {
                    return Err(given_twice(part, measure));
                }
            }
            named.extend(measures.iter().cloned());
        }
        measures.into_iter().for_each(|measure| found.add(measure));
    }
    Ok(())
}

fn given_twice(part: &Target, measure: &Measure) -> Error {
    let text = part.to_string();
    let same = if text == measure.spec {
        String::new()
    } else {
        format!(", as {} ({})", measure.spec, measure.label)
    };
    Error::argument(format!("target {text} is given twice{same}"))
        .with_hint("name every target once: numbers of the same target would be the same")
}

fn classes(part: &Target, known: &Known<'_>) -> Result<Vec<Measure>> {
    let (output, readout) = class_vector(known.outputs, known.classes)?;
    let (values, name) = (&known.outputs.values[output], &known.outputs.names[output]);
    let class = |class: usize| Measure {
        label: known.labels.short(class),
        spec: class.to_string(),
        class: Some(class),
        unit: readout.unit().to_string(),
        output,
        kind: Kind::Class(class, readout),
    };
    Ok(match part {
        Target::Top(count) if *count > values.len() => {
            return Err(Error::argument(format!(
                "target top{count} asks for {count} classes: the model's output \"{name}\" has {} values",
                values.len()
            ))
            .with_hint("all is every class"));
        }
        Target::Top(count) => {
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
            order.into_iter().take(*count).map(class).collect()
        }
        Target::All => (0..values.len()).map(class).collect(),
        Target::Class(index) if *index < values.len() => vec![class(*index)],
        Target::Class(index) => {
            return Err(Error::argument(format!(
                "there is no class {index}: the model's output \"{name}\" has {} values (0 to {})",
                values.len(),
                values.len().saturating_sub(1)
            )));
        }
        Target::Name(name) => vec![class(known.labels.find(name)?)],
        _ => Vec::new(),
    })
}

/// Whether a shape is one vector: all axes but one have length 1.
pub(crate) fn is_vector(shape: &[usize]) -> bool {
    shape.iter().filter(|&&n| n != 1).count() <= 1 && shape.iter().all(|&n| n > 0)
}

fn class_vector(outputs: &Outputs, classes: Option<(usize, Readout)>) -> Result<(usize, Readout)> {
    let hint = "a class needs an output of one value per class, as [1, n]; other outputs are read by segment:CLASS, detect:CLASS, output:NAME[i] or node:NAME";
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

/// An index counts along the axes without the batch axis; one number alone is row-major.
fn element(name: &str, index: &[usize], known: &Known<'_>) -> Result<Measure> {
    let output = known.place(name)?;
    let shape = &known.outputs.shapes[output];
    let own = if shape.len() > 1 && shape[0] == 1 { &shape[1..] } else { &shape[..] };
    let length: usize = own.iter().product();
    let at = match index {
        [] if length == 1 => Some(0),
        [one] => Some(*one).filter(|at| *at < length),
        index if index.len() == own.len() && index.iter().zip(own).all(|(i, n)| i < n) => {
            Some(index.iter().zip(own).fold(0, |at, (i, n)| at * n + i))
        }
        _ => None,
    };
    let spec = Target::Element { name: name.to_string(), index: index.to_vec() }.to_string();
    let Some(at) = at else {
        let hint = format!(
            "as in output:{name}[0]: one row-major index below {length}, or one per axis of {}, separated by /",
            shape_text(own)
        );
        let message = format!(
            "target {spec} does not name one element of tensor \"{name}\" of shape {}",
            shape_text(shape)
        );
        return Err(Error::argument(message).with_hint(hint));
    };
    Ok(Measure {
        label: spec.trim_start_matches("output:").to_string(),
        spec,
        class: None,
        unit: "output".to_string(),
        output,
        kind: Kind::Element(at),
    })
}

fn node(name: &str, reduce: NodeReduce, known: &Known<'_>) -> Result<Measure> {
    let (outputs, output) = (known.outputs, known.place(name)?);
    let shape = &outputs.shapes[output];
    let told = known.channel_axes.get(name).copied().filter(|&axis| axis < shape.len());
    let axis = told.or(match known.input.layout {
        _ if shape.len() < 2 => None,
        Layout::ChannelsFirst => Some(1),
        Layout::ChannelsLast => Some(shape.len() - 1),
    });
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

    fn outputs() -> Outputs {
        Outputs {
            names: vec!["logits".into(), "conv".into()],
            shapes: vec![vec![1, 4, 1, 1], vec![1, 3, 1, 2]],
            values: vec![vec![1.0, 3.0, 2.0, 3.0], vec![1.0, 1.0, 0.0, 5.0, 3.0, 3.0]],
        }
    }
    fn read(text: &str, layout: Layout) -> Result<Vec<(String, f32)>> {
        let (resolved, outputs) = settle(&Target::parse(text)?, layout)?;
        let measures = resolved.measures;
        let all = read_all(&measures, &outputs.slices());
        for (measure, number) in measures.iter().zip(&all) {
            assert_eq!(measure.read(&outputs.slices()), *number, "one by one and all at once");
        }
        Ok(measures.iter().zip(all).map(|(m, number)| (m.label.clone(), number)).collect())
    }
    fn settle(target: &Target, layout: Layout) -> Result<(Resolved, Outputs)> {
        let readout = Readout { kind: ScoreKind::Raw, activation: Activation::None, multi_label: false };
        let labels = Labels::new(["cat, tabby", "dog", "owl", "emu"].map(String::from).to_vec());
        let outputs = outputs();
        let input = TensorSpec::new("x", &[1, 2, 2], layout);
        let known = Known {
            outputs: &outputs,
            classes: Some((0, readout)),
            labels: &labels,
            input: &input,
            channel_axes: &BTreeMap::new(),
            endings: &[],
            score: None,
            said: None,
            multi_label: false,
            boxes: &Boxes::default(),
        };
        let resolved = resolve(target, &known)?;
        Ok((resolved, outputs))
    }
    fn pairs(list: &[(&str, f32)]) -> Vec<(String, f32)> {
        list.iter().map(|(l, v)| (l.to_string(), *v)).collect()
    }

    #[test]
    fn classes() {
        let first = Layout::ChannelsFirst;
        assert_eq!(read("top1", first).expect("top1"), pairs(&[("dog", 3.0)]));
        assert_eq!(read("top3", first).expect("top3"), pairs(&[("dog", 3.0), ("emu", 3.0), ("owl", 2.0)]));
        assert_eq!(read("cat, tabby,OWL", first).expect("names"), pairs(&[("cat", 1.0), ("owl", 2.0)]));
        assert_eq!(read("dog,top2", first).expect("one more"), pairs(&[("dog", 3.0), ("emu", 3.0)]));
        assert_eq!(read("top2,dog", first).expect("is one of them"), pairs(&[("dog", 3.0), ("emu", 3.0)]));
        for (text, said) in [
            ("2,2", "target 2 is given twice"),
            ("cat, tabby,0", "target 0 is given twice"),
            ("1,owl,dog", "target dog is given twice, as 1 (dog)"),
            ("tabby,owl,cat", "target cat is given twice, as 0 (cat)"),
            ("output:conv[3],node:conv,output:conv[3]", "target output:conv[3] is given twice"),
        ] {
            assert_eq!(read(text, first).expect_err(text).to_string(), said);
        }
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
    fn lists() {
        let name = |name: &str| Target::Name(name.to_string());
        let list = Target::List;
        for (target, is_list) in [
            (Target::Class(2), false),
            (Target::Top(3), false),
            (name("cat"), false),
            (Target::parse("cat, tabby").expect("names"), false),
            (Target::parse("cat, tabby, owl").expect("names"), true),
            (list(vec![Target::Class(2)]), true),
            (list(vec![name("cat")]), true),
            (list(vec![Target::parse("cat, tabby").expect("names")]), true),
        ] {
            let found = settle(&target, Layout::ChannelsFirst).expect("known").0;
            assert_eq!(found.is_list, is_list, "{target:?}");
        }
        // Names that a caller lists one by one are no whole name.
        let apart = list(vec![list(vec![name("cat")]), list(vec![name("tabby")])]);
        assert!(settle(&apart, Layout::ChannelsFirst).expect_err("one class").to_string().contains("twice"));
        for empty in [list(Vec::new()), list(vec![list(Vec::new())])] {
            let error = settle(&empty, Layout::ChannelsFirst).expect_err("nothing");
            assert!(error.to_string().contains("list of targets is empty"), "{error}");
        }
    }

    #[test]
    fn nodes() {
        let first = Layout::ChannelsFirst;
        for (text, label, value) in [
            ("node:conv", "conv channel 2 (strongest by sum) sum", 6.0),
            ("node:conv:sum", "conv sum", 13.0),
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
    fn elements() {
        let first = Layout::ChannelsFirst;
        assert_eq!(
            read("output:conv[3],output:conv[2/0/1],output:logits[2]", first).expect("elements"),
            pairs(&[("conv[3]", 5.0), ("conv[2/0/1]", 3.0), ("logits[2]", 2.0)])
        );
        for text in ["output:conv", "output:conv[6]", "output:conv[2/1/0]", "output:conv[1/1]", "output:none"]
        {
            assert!(read(text, first).is_err(), "{text}");
        }
        let error = read("output:conv[6]", first).expect_err("six elements");
        assert!(error.to_string().contains("tensor \"conv\" of shape [1, 3, 1, 2]"), "{error}");
        assert!(error.hint().expect("hint").contains("below 6, or one per axis of [3, 1, 2]"));
    }

    #[test]
    fn an_output_that_is_no_vector() {
        let outputs = outputs();
        let readout = Readout { kind: ScoreKind::Raw, activation: Activation::None, multi_label: false };
        let error = class_vector(&outputs, Some((1, readout))).expect_err("a picture");
        assert!(error.to_string().contains("shape [1, 3, 1, 2], which is not one vector"), "{error}");
        assert!(is_vector(&[1, 1]) && is_vector(&[5]) && is_vector(&[1, 1, 3]) && !is_vector(&[2, 3]));
    }
}

//! What is measured: the targets that can be asked for. How they are written is in `grammar`.
//!
//! In: text (`top1`, `espresso`, `all`, `node:NAME:max`, `output:NAME[3]`, `segment:top1`, `detect:top`). Out: [`Measure`]s, each of which reads one number from
//! the outputs of a run: classes, tensors and elements in `measure`, segmentation in `segment`, detection in `detect`, with the conventions for boxes in `boxes`. How outputs
//! become probabilities is not here (`score`).

mod boxes;
mod detect;
mod grammar;
mod measure;
mod segment;

pub use boxes::{BoxForm, BoxScale, Boxes};
pub(crate) use detect::tensors as detection_tensors;
pub use measure::{Known, Measure, Resolved, resolve};
pub(crate) use measure::{is_vector, read_all};
pub(crate) use segment::output as segmentation_output;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
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
    /// One element of an output (or of any tensor) as it is: regression.
    Element {
        /// The model's name of the tensor.
        name: String,
        /// Which element: nothing for a tensor of one element, one row-major index, or one index per axis (the batch axis left out).
        index: Vec<usize>,
    },
    /// Segmentation: the mean score of a class over the places that the model gives to it on the untouched input.
    Segment {
        /// Which class.
        class: Pick,
        /// The output that holds a score per class and place; `None` where the model has only one of that shape.
        output: Option<String>,
    },
    /// Detection: the largest IoU x class score of any box against a chosen one, as D-RISE.
    Detect {
        /// Which class; `None` for that of the best box of the untouched input.
        class: Option<Pick>,
        /// The chosen box in elements of the model's input: left, top, right, bottom. `None` for the best box of the untouched input.
        area: Option<[f32; 4]>,
    },
    /// Several, in this order.
    List(Vec<Target>),
}

/// A choice of classes by something else than a vector of outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// So many of them, those with most places first.
    Top(usize),
    /// Every class that has a place.
    All,
    /// By index.
    Class(usize),
    /// By name.
    Name(String),
}

/// A tensor that a target may be about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port<'a> {
    pub(crate) name: &'a str,
    /// In the model's order, batch axis included.
    pub(crate) shape: &'a [usize],
}

/// The reductions as they are written.
pub(crate) const REDUCTIONS: &str = "sum, mean, max, channel=K, strongest-sum, strongest-max";

/// How an inner tensor becomes one number. Channels are the axis that the tensor's operators tell; where none does, the model's channel axis (axis 1, or the last one of a channels-last model).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NodeReduce {
    /// Sum over all elements.
    Sum,
    /// Mean over all elements.
    Mean,
    /// Greatest element.
    Max,
    /// Sum over one channel: Zeiler and Fergus' total activation of a feature map.
    Channel(usize),
    /// Sum over the channel whose sum is greatest on the untouched input.
    #[default]
    StrongestSum,
    /// Sum over the channel whose greatest element is greatest on the untouched input.
    StrongestMax,
}

impl Target {
    /// The single class with the greatest output.
    #[allow(non_upper_case_globals, reason = "reads like the variant that it stands for: Target::Top1")]
    pub const Top1: Target = Target::Top(1);

    /// This target, or those of the list.
    pub(crate) fn parts(&self) -> &[Target] {
        match self {
            Target::List(list) => list,
            one => std::slice::from_ref(one),
        }
    }

    /// Whether it names one thing, rather than as many as the model's answer has.
    pub(crate) fn is_of_one(&self) -> bool {
        match self {
            Target::Top(_) | Target::All | Target::List(_) => false,
            Target::Segment { class, .. } => !matches!(class, Pick::Top(_) | Pick::All),
            Target::Detect { class, .. } => class.is_some(),
            Target::Class(_) | Target::Name(_) | Target::Node { .. } | Target::Element { .. } => true,
        }
    }

    /// Names of the inner tensors that are asked for, each once, in order.
    pub fn nodes(&self) -> Vec<String> {
        let mut names = Vec::new();
        for part in self.parts() {
            match part {
                Target::Node { name, .. } if !names.contains(name) => names.push(name.clone()),
                Target::List(_) => names.extend(part.nodes()),
                _ => {}
            }
        }
        names
    }

    /// Whether nothing but classes are asked for.
    pub(crate) fn is_of_classes(&self) -> bool {
        match self {
            Target::List(list) => list.iter().all(Target::is_of_classes),
            other => other.wants_classes(),
        }
    }

    /// Whether a class is asked for, so that the model's output must be a vector of classes.
    pub fn wants_classes(&self) -> bool {
        match self {
            Target::List(list) => list.iter().any(Target::wants_classes),
            Target::Top(_) | Target::All | Target::Class(_) | Target::Name(_) => true,
            Target::Node { .. } | Target::Element { .. } | Target::Segment { .. } | Target::Detect { .. } => {
                false
            }
        }
    }
}

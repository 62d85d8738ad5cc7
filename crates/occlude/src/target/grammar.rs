//! How targets are written, and written back.
//!
//! In: text. Out: a [`Target`], whose own text reads as the same target. Whether the model has such a class, tensor or box is found out later (`measure`). A comma separates
//! targets, so numbers inside one target are separated by `/`.

use std::fmt;

use super::{NodeReduce, Pick, Target};
use crate::error::{Error, Result};

const FORMS: &str = "targets are top1, top5, all, a class index, a class name, node:NAME, output:NAME[i], segment:CLASS, detect:CLASS@x0/y0/x1/y1, or several separated by commas";

impl Target {
    /// Reads the grammar. A comma separates targets; a name that itself holds commas is tried as a whole when it is resolved.
    ///
    /// # Errors
    /// Argument: empty parts, `top0`, an unknown reduction, an element or a box that is no number.
    pub fn parse(text: &str) -> Result<Target> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Error::argument(format!("target \"{text}\" has an empty part")).with_hint(FORMS));
        }
        match parts.as_slice() {
            [one] => Target::parse_one(one),
            several => {
                Ok(Target::List(several.iter().map(|part| Target::parse_one(part)).collect::<Result<_>>()?))
            }
        }
    }

    fn parse_one(text: &str) -> Result<Target> {
        for (prefix, example, parse) in [
            ("node:", "node:NAME or node:NAME:max", (|rest| Ok(Target::parse_node(rest))) as Parse),
            ("output:", "output:NAME or output:NAME[3]", Target::parse_element),
            ("segment:", "segment:top1, segment:cat or segment:3@OUTPUT", Target::parse_segment),
            ("detect:", "detect:top, detect:cat or detect:3@x0/y0/x1/y1", Target::parse_detect),
        ] {
            match text.strip_prefix(prefix) {
                Some("") => {
                    let message = format!("target {prefix} does not say of what");
                    return Err(Error::argument(message).with_hint(format!("as in {example}")));
                }
                Some(rest) => return parse(rest),
                None => {}
            }
        }
        Ok(match pick(text)? {
            Pick::Top(count) => Target::Top(count),
            Pick::All => Target::All,
            Pick::Class(class) => Target::Class(class),
            Pick::Name(name) => Target::Name(name),
        })
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

    /// The element is what stands in brackets at the end, if these are numbers: names may hold brackets themselves.
    fn parse_element(rest: &str) -> Result<Target> {
        let whole = || Target::Element { name: rest.to_string(), index: Vec::new() };
        let Some((name, inside)) = rest.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) else {
            return Ok(whole());
        };
        let index: Option<Vec<usize>> = inside.split('/').map(|part| part.trim().parse().ok()).collect();
        match index {
            Some(index) if !name.is_empty() => Ok(Target::Element { name: name.to_string(), index }),
            _ if inside.contains(|c: char| c.is_alphabetic()) => Ok(whole()),
            _ => Err(Error::argument(format!("target output:{rest} does not name an element")).with_hint(
                "as in output:NAME[3] (row-major from 0), or output:NAME[0/3] with one index per axis",
            )),
        }
    }

    /// The output is what stands after the last @.
    fn parse_segment(rest: &str) -> Result<Target> {
        let (class, output) = match rest.rsplit_once('@') {
            Some((class, output)) => (class, Some(output.to_string()).filter(|output| !output.is_empty())),
            None => (rest, None),
        };
        Ok(Target::Segment { class: pick(if class == "top" { "top1" } else { class })?, output })
    }

    fn parse_detect(rest: &str) -> Result<Target> {
        let (class, area) = match rest.rsplit_once('@') {
            Some((class, area)) => (class, Some(parse_area(area)?)),
            None => (rest, None),
        };
        let class = match class {
            "top" | "top1" => None,
            class => match pick(class)? {
                Pick::Top(_) | Pick::All => {
                    return Err(Error::argument(format!(
                        "target detect:{rest} asks for several boxes, expected one"
                    ))
                    .with_hint(
                        "detect:top is the best box of the untouched input; several are detect:a, detect:b",
                    ));
                }
                class => Some(class),
            },
        };
        Ok(Target::Detect { class, area })
    }
}

type Parse = fn(&str) -> Result<Target>;

/// `top3`, `all`, an index, else a name.
fn pick(text: &str) -> Result<Pick> {
    let text = text.trim();
    let low = text.to_lowercase();
    if low == "all" {
        return Ok(Pick::All);
    }
    if let Some(count) = low.strip_prefix("top").and_then(|n| n.parse::<usize>().ok()) {
        return match count {
            0 => Err(Error::argument("target top0 asks for no class")
                .with_hint("top1 is the class with the greatest output")),
            count => Ok(Pick::Top(count)),
        };
    }
    Ok(text.parse::<usize>().map_or_else(|_| Pick::Name(text.to_string()), Pick::Class))
}

/// `x0/y0/x1/y1`
fn parse_area(text: &str) -> Result<[f32; 4]> {
    let numbers: Option<Vec<f32>> =
        text.split('/').map(|part| part.trim().parse().ok().filter(|v: &f32| v.is_finite())).collect();
    match numbers.as_deref() {
        Some(&[left, top, right, bottom]) if left < right && top < bottom => Ok([left, top, right, bottom]),
        _ => Err(Error::argument(format!("\"{text}\" is not a box")).with_hint(
            "a box is left/top/right/bottom in elements of the model's input, as in detect:cat@12/30/80/95",
        )),
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

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pick::Top(count) => write!(f, "top{count}"),
            Pick::All => f.write_str("all"),
            Pick::Class(class) => write!(f, "{class}"),
            Pick::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |numbers: &[String]| numbers.join("/");
        match self {
            Target::Top(count) => write!(f, "top{count}"),
            Target::All => f.write_str("all"),
            Target::Class(class) => write!(f, "{class}"),
            Target::Name(name) => f.write_str(name),
            Target::Node { name, reduce } => write!(f, "node:{name}:{reduce}"),
            Target::Element { name, index } if index.is_empty() => write!(f, "output:{name}"),
            Target::Element { name, index } => {
                let index: Vec<String> = index.iter().map(usize::to_string).collect();
                write!(f, "output:{name}[{}]", join(&index))
            }
            Target::Segment { class, output } => {
                write!(f, "segment:{class}")?;
                output.as_ref().map_or(Ok(()), |output| write!(f, "@{output}"))
            }
            Target::Detect { class, area } => {
                f.write_str("detect:")?;
                f.write_str(&class.as_ref().map_or("top".to_string(), Pick::to_string))?;
                let Some(area) = area else { return Ok(()) };
                write!(f, "@{}", join(&area.map(|edge| edge.to_string())))
            }
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
        let element =
            |name: &str, index: &[usize]| Target::Element { name: name.into(), index: index.to_vec() };
        let segment =
            |class, output: Option<&str>| Target::Segment { class, output: output.map(str::to_string) };
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
            ("node:conv:0", node("conv:0", NodeReduce::StrongestSum)),
            ("node:conv:0:max", node("conv:0", NodeReduce::Max)),
            ("node:/a/b:channel=12", node("/a/b", NodeReduce::Channel(12))),
            ("node:x:strongest-max", node("x", NodeReduce::StrongestMax)),
            ("output:age", element("age", &[])),
            ("output:age[2]", element("age", &[2])),
            ("output:a[0][1/ 2]", element("a[0]", &[1, 2])),
            ("output:a[x]", element("a[x]", &[])),
            ("segment:top", segment(Pick::Top(1), None)),
            ("segment:top2@out", segment(Pick::Top(2), Some("out"))),
            ("segment:left lung@aux", segment(Pick::Name("left lung".into()), Some("aux"))),
            ("segment:all", segment(Pick::All, None)),
            ("detect:top", Target::Detect { class: None, area: None }),
            ("detect:7", Target::Detect { class: Some(Pick::Class(7)), area: None }),
            (
                "detect:cat@1/2.5/30/40",
                Target::Detect { class: Some(Pick::Name("cat".into())), area: Some([1.0, 2.5, 30.0, 40.0]) },
            ),
        ] {
            let read = Target::parse(text).expect(text);
            assert_eq!(read, target);
            assert_eq!(Target::parse(&read.to_string()).expect("its own text"), target, "{text}");
        }
        for text in [
            "",
            "a,,b",
            "top0",
            "node:",
            "output:",
            "output:age[]",
            "output:[2]",
            "output:age[1/-2]",
            "segment:",
            "segment:top0",
            "detect:",
            "detect:all",
            "detect:top2",
            "detect:cat@1/2/3",
            "detect:cat@30/2/3/9",
            "detect:cat@a/b/c/d",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        let list = Target::parse("node:a:max,node:a,node:b,3").expect("good");
        assert_eq!((list.nodes(), list.wants_classes()), (vec!["a".to_string(), "b".to_string()], true));
        assert_eq!(Target::parse(&list.to_string()).expect("its own text"), list);
    }
}

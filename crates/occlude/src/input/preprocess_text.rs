//! The text form of preprocessing: what `--preprocess` and `occlude.toml` accept, and how it is printed.
//!
//! Grammar: parts separated by commas. First may stand the JSON file of a MONAI bundle (`inference.json`), whose steps are taken. A name (`imagenet`, `unit`, `tf`, `inception`, `caffe`, `none`) sets everything; `key=value` changes one thing of
//! what would be used otherwise: `resize=256` (shorter side), `resize=224x224` (height x width), `resize=no`; `crop=224`, `crop=224x224`, `crop=no`;
//! `rounding=even` or `down` (where the crop lies if the margins are odd: as torchvision, as Hugging Face); `filter=bicubic`;
//! `scale=1/255`; `mean=0.5` or `mean=0.485/0.456/0.406`; `std=...`; `channels=rgb` or `bgr`. Steps of volumes are taken in the order in which they stand, and take the place of those that would be
//! used otherwise; their grammar, and that of `frame=`, is in `volume/steps_text`. `slice=axial:80` gives a model of pictures one slice of a volume.

use super::preprocess::{ColourOrder, CropRounding, CropRule, Preprocess, ResizeRule};
use super::resize::Filter;
use super::volume::{Frame, SliceChoice, bundle, steps_text};
use crate::error::{Error, Result};

/// Names with what they mean.
pub const PREPROCESS_NAMES: [(&str, &str); 6] = [
    (
        "imagenet",
        "short side to 256/224 of the model's size, centre crop, pixels / 255, ImageNet mean and std",
    ),
    ("unit", "the same sizes, pixels / 255"),
    ("tf", "the same sizes, pixels / 127.5 - 1"),
    ("inception", "short side to 8/7 of the model's size, centre crop, pixels / 127.5 - 1, bicubic"),
    ("caffe", "the same sizes as imagenet, pixels in BGR order minus 103.939, 116.779, 123.68"),
    ("none", "no resize, no crop, pixels 0 to 255 as they are"),
];

/// Changes `base` as the text says.
///
/// # Errors
/// Argument: an unknown name, key or value; a name that is not the first part. File: a bundle that cannot be read.
pub fn parse(text: &str, base: &Preprocess) -> Result<Preprocess> {
    let mut p = base.clone();
    let mut has_steps = false;
    for (place, part) in text.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate() {
        let (key, value) = part.split_once('=').map_or((part, ""), |(key, value)| (key.trim(), value.trim()));
        let is_step = part.contains('=') || steps_text::is_step_alone(part);
        if let Some(step) = if is_step { steps_text::parse(key, value)? } else { None } {
            if !std::mem::replace(&mut has_steps, true) {
                p.volume.clear();
            }
            p.volume.push(step);
            // A picture is stretched to the model's size by the same word.
            if (key, value) != ("resize", "input") {
                continue;
            }
        }
        match part.split_once('=') {
            None if place == 0 && part.to_lowercase().ends_with(".json") => {
                let path = std::path::Path::new(part);
                let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
                p.volume = bundle::steps(&text, path)?;
                has_steps = true;
            }
            None if place == 0 => p = named(part)?,
            None => {
                return Err(Error::argument(format!("preprocess: \"{part}\" is no key=value")).with_hint(
                    "a name or a bundle's JSON file comes first, then key=value; several numbers are separated by / as in mean=0.485/0.456/0.406",
                ));
            }
            Some((key, value)) => set(&mut p, key.trim(), value.trim())?,
        }
    }
    p.source = "--preprocess".to_string();
    Ok(p)
}

fn named(name: &str) -> Result<Preprocess> {
    let mut p = Preprocess::imagenet();
    match name.to_lowercase().as_str() {
        "imagenet" => {}
        "unit" => (p.mean, p.std) = (vec![0.0], vec![1.0]),
        "tf" => (p.scale, p.mean, p.std) = (1.0 / 127.5, vec![1.0], vec![1.0]),
        "inception" => {
            (p.scale, p.mean, p.std) = (1.0 / 127.5, vec![1.0], vec![1.0]);
            (p.resize, p.filter) = (ResizeRule::ShortOfInput(8.0 / 7.0), Filter::Bicubic);
        }
        "caffe" => {
            (p.scale, p.mean, p.std) = (1.0, vec![103.939, 116.779, 123.68], vec![1.0]);
            p.colours = ColourOrder::Bgr;
        }
        "none" => {
            (p.scale, p.mean, p.std) = (1.0, vec![0.0], vec![1.0]);
            (p.resize, p.crop) = (ResizeRule::Keep, CropRule::Keep);
        }
        _ => {
            let names: Vec<&str> = PREPROCESS_NAMES.iter().map(|(n, _)| *n).collect();
            return Err(Error::argument(format!("preprocess: unknown name \"{name}\"")).with_hint(format!(
                "names are {}; or key=value parts as in resize=256,crop=224",
                names.join(", ")
            )));
        }
    }
    Ok(p)
}

fn set(p: &mut Preprocess, key: &str, value: &str) -> Result<()> {
    let bad = |expected: &str| {
        Error::argument(format!("preprocess: {key}={value} is not understood, expected {expected}"))
    };
    let no = matches!(value, "no" | "none" | "off");
    match key {
        "resize" if no => p.resize = ResizeRule::Keep,
        // The second word says it of pictures only.
        "resize" if matches!(value, "input" | "model") => p.resize = ResizeRule::Input,
        "resize" => {
            p.resize = match sizes(value).as_deref() {
                Some([short]) => ResizeRule::Short(*short),
                Some([height, width]) => ResizeRule::Exact([*height, *width]),
                _ => return Err(bad("a shorter side (256), height x width (224x224), input or no")),
            }
        }
        "crop" if no => p.crop = CropRule::Keep,
        "crop" if value == "input" => p.crop = CropRule::Input,
        "crop" => {
            p.crop = match sizes(value).as_deref() {
                Some([side]) => CropRule::Exact([*side, *side]),
                Some([height, width]) => CropRule::Exact([*height, *width]),
                _ => return Err(bad("a side (224), height x width (224x224), input or no")),
            }
        }
        "rounding" => {
            p.rounding = match value {
                "even" => CropRounding::Even,
                "down" => CropRounding::Down,
                _ => return Err(bad("even (as torchvision) or down (as Hugging Face)")),
            }
        }
        "filter" => {
            p.filter =
                filter(value).ok_or_else(|| bad("nearest, box, bilinear, hamming, bicubic or lanczos"))?
        }
        "scale" => p.scale = number(value).ok_or_else(|| bad("a number or a fraction as in 1/255"))?,
        "mean" => {
            p.mean = numbers(value).ok_or_else(|| bad("one number, or one per channel separated by /"))?
        }
        "std" => {
            p.std = numbers(value)
                .filter(|v| v.iter().all(|s| *s != 0.0))
                .ok_or_else(|| bad("one number, or one per channel separated by /, none of them 0"))?
        }
        "channels" => {
            p.colours = match value.to_lowercase().as_str() {
                "rgb" => ColourOrder::Rgb,
                "bgr" => ColourOrder::Bgr,
                _ => return Err(bad("rgb or bgr")),
            }
        }
        "frame" => p.frame = steps_text::parse_frame(value)?,
        "slice" if no => p.slice = None,
        "slice" => p.slice = Some(SliceChoice::parse(value)?),
        _ => {
            return Err(Error::argument(format!("preprocess: unknown key \"{key}\"")).with_hint(format!(
                "keys are resize, crop, rounding, filter, scale, mean, std, channels; of volumes {}, frame, slice",
                steps_text::STEP_KEYS.join(", ")
            )));
        }
    }
    Ok(())
}

/// A filter by name, `linear` and `cubic` included.
pub fn filter(name: &str) -> Option<Filter> {
    let low = name.to_lowercase();
    let low = match low.as_str() {
        "linear" => "bilinear",
        "cubic" => "bicubic",
        other => other,
    };
    Filter::ALL.iter().find(|(_, n, _)| *n == low).map(|(f, ..)| *f)
}

fn sizes(text: &str) -> Option<Vec<usize>> {
    text.split('x').map(|s| s.trim().parse().ok().filter(|n| (1..=100_000).contains(n))).collect()
}

fn number(text: &str) -> Option<f64> {
    let value = match text.split_once('/') {
        Some((a, b)) => a.trim().parse::<f64>().ok()? / b.trim().parse::<f64>().ok()?,
        None => text.trim().parse().ok()?,
    };
    value.is_finite().then_some(value)
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split('/').map(|s| s.trim().parse::<f64>().ok().filter(|v| v.is_finite())).collect()
}

/// The arithmetic part in words: `x / 255, mean 0.485/0.456/0.406, std 0.229/0.224/0.225`.
pub(super) fn values_text(p: &Preprocess) -> String {
    let list = |values: &[f64]| {
        let values =
            if values.windows(2).all(|w| w[0] == w[1]) { &values[..1.min(values.len())] } else { values };
        values.iter().map(|v| format!("{}", (v * 1e6).round() / 1e6)).collect::<Vec<_>>().join("/")
    };
    let mut text = match p.scale {
        1.0 => "pixels 0 to 255".to_string(),
        s => format!("pixels / {}", (1e6 / s).round() / 1e6),
    };
    if p.mean.iter().any(|m| *m != 0.0) || p.std.iter().any(|s| *s != 1.0) {
        text += &format!(", mean {}, std {}", list(&p.mean), list(&p.std));
    }
    if p.colours == ColourOrder::Bgr {
        text += ", BGR";
    }
    text
}

/// The whole in the grammar of this file, so that it can be given again.
pub fn to_text(p: &Preprocess) -> String {
    let list = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join("/");
    let resize = match p.resize {
        ResizeRule::Keep => "no".to_string(),
        ResizeRule::Short(side) => side.to_string(),
        ResizeRule::ShortOfInput(_) => String::new(),
        ResizeRule::Exact([height, width]) => format!("{height}x{width}"),
        ResizeRule::Input if p.volume.is_empty() => "input".to_string(),
        ResizeRule::Input => "model".to_string(),
    };
    let crop = match p.crop {
        CropRule::Keep => "no".to_string(),
        CropRule::Exact([height, width]) => format!("{height}x{width}"),
        CropRule::Input => "input".to_string(),
    };
    // A size in proportion to the model's has a name and no number: 8/7 is what both names mean.
    let mut text = if resize.is_empty() { "imagenet,".to_string() } else { format!("resize={resize},") };
    text += &format!("crop={crop},");
    if p.crop != CropRule::Keep {
        text += match p.rounding {
            CropRounding::Even => "rounding=even,",
            CropRounding::Down => "rounding=down,",
        };
    }
    text +=
        &format!("filter={},scale={},mean={},std={}", p.filter.name(), p.scale, list(&p.mean), list(&p.std));
    if p.colours == ColourOrder::Bgr {
        text += ",channels=bgr";
    }
    match p.frame {
        Frame::Only => {}
        Frame::Number(number) => text += &format!(",frame={number}"),
        Frame::Channels => text += ",frame=channels",
    }
    if let Some(slice) = p.slice {
        text += &format!(",slice={slice}");
    }
    for step in &p.volume {
        text += &format!(",{step}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys() {
        let base = Preprocess::imagenet();
        let p = parse(
            "resize=256, crop=224,rounding=down,mean=0.5/0.25/1,std=2,scale=1/255,filter=cubic,channels=bgr",
            &base,
        )
        .expect("good");
        assert_eq!((p.resize, p.crop), (ResizeRule::Short(256), CropRule::Exact([224, 224])));
        assert_eq!((p.mean.clone(), p.std.clone(), p.scale), (vec![0.5, 0.25, 1.0], vec![2.0], 1.0 / 255.0));
        assert_eq!((p.filter, p.colours), (Filter::Bicubic, ColourOrder::Bgr));
        assert_eq!(p.rounding, CropRounding::Down);
        assert_eq!(parse(&to_text(&p), &base).expect("its own text"), p);
        let tf = parse("tf,resize=10x20,crop=no", &base).expect("good");
        assert_eq!(
            (tf.value(0, 0.0), tf.value(1, 255.0), tf.resize),
            (-1.0, 1.0, ResizeRule::Exact([10, 20]))
        );
        let kept = parse("crop=96", &base).expect("good");
        assert_eq!((kept.mean, kept.crop), (base.mean.clone(), CropRule::Exact([96, 96])));
        for (name, _) in PREPROCESS_NAMES {
            let p = parse(name, &base).expect("every name");
            assert_eq!(parse(&to_text(&p), &base).expect("its own text"), p, "{name}");
        }
        assert_eq!(parse("caffe", &base).expect("good").value(0, 103.939), 0.0);
    }

    #[test]
    fn steps_of_volumes_in_their_order() {
        let base = Preprocess::imagenet();
        let text =
            "orient=RAS, spacing=1x1x2,zscore,resize=input,resize=32x32x32:linear,frame=2,slice=axial:3";
        let p = parse(text, &base).expect("good");
        let shown: Vec<String> = p.volume.iter().map(ToString::to_string).collect();
        let expected =
            ["orient=RAS", "spacing=1x1x2", "zscore", "resize=input:area", "resize=32x32x32:linear"];
        assert_eq!(shown, expected);
        assert_eq!((p.resize, p.frame), (ResizeRule::Input, Frame::Number(2)));
        assert_eq!(parse(&to_text(&p), &base).expect("its own text"), p);
        // What is said takes the place of the steps before, and leaves them where it says none.
        assert_eq!(parse("crop=8", &p).expect("good").volume, p.volume);
        assert_eq!(parse("minmax", &p).expect("good").volume.len(), 1);
        assert_eq!(parse("none,zscore", &p).expect("good").volume.len(), 1);
        let missing = parse("none/inference.json", &base).expect_err("not there");
        assert!(missing.to_string().contains("cannot read none/inference.json"), "{missing}");
    }

    #[test]
    fn mistakes_are_named() {
        let base = Preprocess::imagenet();
        for (text, found) in [
            ("imagnet", "unknown name \"imagnet\""),
            ("size=3", "unknown key \"size\""),
            ("rounding=up", "expected even (as torchvision) or down (as Hugging Face)"),
            ("resize=0", "resize=0 is not understood"),
            ("mean=0.4,0.4", "\"0.4\" is no key=value"),
            ("std=0", "none of them 0"),
            ("crop=2,tf", "\"tf\" is no key=value"),
            ("scale=1/0", "scale=1/0"),
        ] {
            let error = parse(text, &base).expect_err(text).to_string();
            assert!(error.contains(found), "{text}: {error}");
        }
    }
}

//! Configuration in the Hugging Face style: `config.json` (labels, kind of problem) and `preprocessor_config.json` (how pictures are prepared).
//!
//! In: the two files where they exist. Out: entries of [`Configuration`]. The rules for `size` are those of `transformers`' image processors: a whole number
//! is the shorter side where the processor crops, else a square; ConvNeXT and LeViT enlarge the size before they crop. timm's `pretrained_cfg` is read too.

use std::path::Path;

use serde_json::Value;

use super::{Configuration, Labels, read_if_there};
use crate::error::{Error, Result};
use crate::input::{ColourOrder, CropRounding, CropRule, Filter, Preprocess, ResizeRule, filter_by_name};

pub(super) fn read(folder: &Path, configuration: &mut Configuration) -> Result<()> {
    let path = folder.join("config.json");
    if let Some(json) = read_json(&path)? {
        model_config(&json, configuration).map_err(|e| e.in_context(path.display()))?;
        configuration.files.push(path);
    }
    let path = folder.join("preprocessor_config.json");
    if let Some(json) = read_json(&path)? {
        configuration.preprocess = Some(preprocessor(&json).map_err(|e| e.in_context(path.display()))?);
        configuration.files.push(path);
    }
    Ok(())
}

fn read_json(path: &Path) -> Result<Option<Value>> {
    match read_if_there(path)? {
        None => Ok(None),
        Some(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| Error::file(format!("{} is not valid JSON: {e}", path.display()))),
    }
}

fn model_config(json: &Value, configuration: &mut Configuration) -> Result<()> {
    if let Some(map) = json.get("id2label").and_then(Value::as_object) {
        let mut names = Vec::new();
        for (key, value) in map {
            let class: usize = key.parse().ok().filter(|class| *class < 1_000_000).ok_or_else(|| {
                Error::file(format!("id2label has the key \"{key}\", expected a class index"))
            })?;
            if names.len() <= class {
                names.resize(class + 1, String::new());
            }
            names[class] = value.as_str().unwrap_or_default().to_string();
        }
        configuration.labels = Labels::new(names);
    } else if let Some(list) = json.get("label_names").and_then(Value::as_array) {
        configuration.labels =
            Labels::new(list.iter().map(|v| v.as_str().unwrap_or_default().to_string()).collect());
    }
    let classifies = |v: &Value| v.as_str().is_some_and(|s| s.ends_with("ForImageClassification"));
    let architectures = json.get("architectures").and_then(Value::as_array);
    let problem = json.get("problem_type").and_then(Value::as_str);
    configuration.multi_label = problem == Some("multi_label_classification");
    configuration.is_classifier = !configuration.labels.is_empty()
        || architectures.is_some_and(|a| a.iter().any(classifies))
        || problem.is_some_and(|p| p.ends_with("label_classification"));
    if let Some(timm) = json.get("pretrained_cfg") {
        configuration.preprocess = Some(timm_config(timm)?);
    }
    Ok(())
}

/// timm: `input_size [3, h, w]`, `mean`, `std`, `interpolation`, `crop_pct`; short side to floor(size / crop_pct), centre crop.
fn timm_config(json: &Value) -> Result<Preprocess> {
    let mut p =
        Preprocess { source: "config.json".to_string(), filter: Filter::Bicubic, ..Preprocess::imagenet() };
    if let Some([_, height, width]) = json.get("input_size").and_then(whole_numbers).as_deref() {
        let ratio = json.get("crop_pct").and_then(Value::as_f64).filter(|r| *r > 0.0).unwrap_or(0.875);
        p.crop = CropRule::Exact([*height, *width]);
        p.resize = ResizeRule::Short((*height.min(width) as f64 / ratio).floor() as usize);
    }
    if let Some(name) = json.get("interpolation").and_then(Value::as_str) {
        p.filter = filter_by_name(name)
            .ok_or_else(|| Error::file(format!("interpolation \"{name}\" is not known")))?;
    }
    for (key, values) in [("mean", &mut p.mean), ("std", &mut p.std)] {
        if let Some(list) = json.get(key) {
            *values =
                numbers(list).ok_or_else(|| Error::file(format!("{key} is {list}, expected numbers")))?;
        }
    }
    Ok(p)
}

fn preprocessor(json: &Value) -> Result<Preprocess> {
    let flag = |key: &str, default: bool| json.get(key).and_then(Value::as_bool).unwrap_or(default);
    let kind = ["image_processor_type", "feature_extractor_type"]
        .iter()
        .find_map(|k| json.get(*k)?.as_str())
        .unwrap_or("");
    let is = |name: &str| kind.starts_with(name);
    let crops = flag("do_center_crop", json.get("crop_size").is_some());
    let size = match json.get("size") {
        None => None,
        Some(value) => Some(size_rule(value, crops || is("ConvNext"))?),
    };
    let mut p = Preprocess {
        resize: ResizeRule::Keep,
        filter: Filter::Bilinear,
        crop: CropRule::Keep,
        rounding: CropRounding::Down,
        scale: 1.0,
        mean: vec![0.0],
        std: vec![1.0],
        colours: ColourOrder::Rgb,
        source: "preprocessor_config.json".to_string(),
        ..Preprocess::imagenet()
    };
    if flag("do_resize", size.is_some()) {
        p.resize = size.unwrap_or(ResizeRule::Input);
        if let Some(resample) = json.get("resample") {
            p.filter = resample_filter(resample)?;
        }
    }
    if crops {
        p.crop = match json.get("crop_size") {
            None => CropRule::Input,
            Some(value) => match size_rule(value, false)? {
                ResizeRule::Exact(size) => CropRule::Exact(size),
                _ => {
                    return Err(Error::file(format!(
                        "crop_size is {value}, expected a number or height and width"
                    )));
                }
            },
        };
    }
    if let (true, ResizeRule::Short(side)) = (is("ConvNext"), p.resize) {
        // transformers: below 384 the short side is enlarged by 1 / crop_pct and the size cropped; from 384 on the picture is stretched.
        let ratio =
            json.get("crop_pct").and_then(Value::as_f64).filter(|r| *r > 0.0).unwrap_or(224.0 / 256.0);
        (p.resize, p.crop) = if side < 384 {
            (ResizeRule::Short((side as f64 / ratio) as usize), CropRule::Exact([side, side]))
        } else {
            (ResizeRule::Exact([side, side]), CropRule::Keep)
        };
    }
    if let (true, ResizeRule::Short(side)) = (is("Levit"), p.resize) {
        p.resize = ResizeRule::Short((256.0 / 224.0 * side as f64) as usize);
    }
    if flag("do_rescale", true) {
        p.scale = json.get("rescale_factor").and_then(Value::as_f64).unwrap_or(1.0 / 255.0);
    }
    if flag("do_normalize", json.get("image_mean").is_some()) {
        for (key, values, default) in [
            ("image_mean", &mut p.mean, crate::input::IMAGENET_MEAN),
            ("image_std", &mut p.std, crate::input::IMAGENET_STD),
        ] {
            *values = match json.get(key) {
                None | Some(Value::Null) => default.to_vec(),
                Some(list) => numbers(list)
                    .ok_or_else(|| Error::file(format!("{key} is {list}, expected one or more numbers")))?,
            };
        }
    }
    if flag("rescale_offset", false) {
        // transformers: pixels * factor - 1.
        p.mean = p.mean.iter().map(|m| m + 1.0).collect();
    }
    if flag("do_flip_channel_order", false) {
        p.colours = ColourOrder::Bgr;
    }
    Ok(p)
}

/// A whole number (the shorter side, or a square), `{shortest_edge}`, `{height, width}` or `[height, width]`.
fn size_rule(value: &Value, number_is_short_side: bool) -> Result<ResizeRule> {
    let side = |v: Option<&Value>| {
        v.and_then(Value::as_u64).filter(|n| (1..=100_000).contains(n)).map(|n| n as usize)
    };
    let rule = if let Some(n) = side(Some(value)) {
        Some(if number_is_short_side { ResizeRule::Short(n) } else { ResizeRule::Exact([n, n]) })
    } else if let Some([height, width]) = whole_numbers(value).as_deref() {
        Some(ResizeRule::Exact([*height, *width]))
    } else if let (Some(height), Some(width)) = (side(value.get("height")), side(value.get("width"))) {
        Some(ResizeRule::Exact([height, width]))
    } else {
        side(value.get("shortest_edge")).map(ResizeRule::Short)
    };
    rule.ok_or_else(|| {
        Error::file(format!("size {value} is not understood"))
            .with_hint("expected a number, {\"shortest_edge\": n} or {\"height\": h, \"width\": w}; or override it with --preprocess")
    })
}

fn resample_filter(value: &Value) -> Result<Filter> {
    let found = match value {
        Value::Number(n) => {
            Filter::ALL.iter().find(|(_, _, code)| n.as_u64() == Some(*code)).map(|(f, ..)| *f)
        }
        Value::String(name) => filter_by_name(name),
        _ => None,
    };
    found.ok_or_else(|| Error::file(format!("resample is {value}, expected 0 to 5")))
}

/// A list of numbers, or one number.
fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Array(list) if !list.is_empty() => list.iter().map(Value::as_f64).collect(),
        Value::Number(n) => Some(vec![n.as_f64()?]),
        _ => None,
    }
}

fn whole_numbers(value: &Value) -> Option<Vec<usize>> {
    value
        .as_array()?
        .iter()
        .map(|v| v.as_u64().filter(|n| (1..=100_000).contains(n)).map(|n| n as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(json: Value) -> Preprocess {
        preprocessor(&json).expect("understood")
    }

    #[test]
    fn sizes_as_the_processors_mean_them() {
        for (json, resize, crop) in [
            (
                json!({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": true}),
                ResizeRule::Short(256),
                CropRule::Exact([224, 224]),
            ),
            (
                json!({"size": 256, "crop_size": {"height": 224, "width": 200}, "do_center_crop": true}),
                ResizeRule::Short(256),
                CropRule::Exact([224, 200]),
            ),
            (
                json!({"size": 384, "image_processor_type": "ViTImageProcessor"}),
                ResizeRule::Exact([384, 384]),
                CropRule::Keep,
            ),
            (json!({"size": {"height": 10, "width": 20}}), ResizeRule::Exact([10, 20]), CropRule::Keep),
            (json!({"size": [10, 20], "do_resize": false}), ResizeRule::Keep, CropRule::Keep),
            (
                json!({"size": {"shortest_edge": 224}, "crop_pct": 0.875, "image_processor_type": "ConvNextImageProcessor"}),
                ResizeRule::Short(256),
                CropRule::Exact([224, 224]),
            ),
            (
                json!({"size": 384, "feature_extractor_type": "ConvNextFeatureExtractor"}),
                ResizeRule::Exact([384, 384]),
                CropRule::Keep,
            ),
            (
                json!({"size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": true, "image_processor_type": "LevitImageProcessor"}),
                ResizeRule::Short(256),
                CropRule::Exact([224, 224]),
            ),
        ] {
            let p = parsed(json.clone());
            assert_eq!((p.resize, p.crop), (resize, crop), "{json}");
        }
    }

    #[test]
    fn odd_margins_are_rounded_as_the_library_of_the_file_does() {
        let p = parsed(json!({"size": {"shortest_edge": 5}, "crop_size": 4, "do_center_crop": true}));
        assert_eq!(p.rounding, CropRounding::Down);
        let timm = timm_config(&json!({"input_size": [3, 224, 224]})).expect("good");
        assert_eq!(timm.rounding, CropRounding::Even);
    }

    #[test]
    fn values_and_mistakes() {
        let p = parsed(
            json!({"do_rescale": true, "rescale_factor": 0.5, "do_normalize": true, "image_mean": [1, 2, 3], "image_std": 2.0, "resample": 3, "size": 8}),
        );
        assert_eq!(
            (p.scale, p.mean.as_slice(), p.std.as_slice(), p.filter),
            (0.5, &[1.0, 2.0, 3.0][..], &[2.0][..], Filter::Bicubic)
        );
        let p = parsed(json!({"do_rescale": false, "do_normalize": false, "image_mean": [1.0]}));
        assert_eq!((p.scale, p.mean), (1.0, vec![0.0]));
        let p = parsed(json!({"do_normalize": true}));
        assert_eq!(p.mean, crate::input::IMAGENET_MEAN);
        for bad in [
            json!({"size": {"longest_edge": 3}}),
            json!({"size": 8, "resample": 9}),
            json!({"do_normalize": true, "image_mean": "x"}),
        ] {
            assert!(preprocessor(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_and_problem_types() {
        let mut c = Configuration::default();
        model_config(
            &json!({"id2label": {"2": "c", "0": "a"}, "problem_type": "multi_label_classification"}),
            &mut c,
        )
        .expect("good");
        assert_eq!(
            (c.labels.name(2), c.labels.name(1), c.multi_label, c.is_classifier),
            ("c".into(), "class 1".into(), true, true)
        );
        let mut c = Configuration::default();
        model_config(&json!({"architectures": ["ResNetForImageClassification"]}), &mut c).expect("good");
        assert!(c.is_classifier && c.labels.is_empty());
        let mut c = Configuration::default();
        let timm = json!({"label_names": ["x"], "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.95, "mean": [0.5, 0.5, 0.5], "interpolation": "bicubic"}});
        model_config(&timm, &mut c).expect("good");
        let p = c.preprocess.expect("timm says so");
        assert_eq!(
            (p.resize, p.crop, p.filter),
            (ResizeRule::Short(235), CropRule::Exact([224, 224]), Filter::Bicubic)
        );
        assert!(model_config(&json!({"id2label": {"x": "a"}}), &mut Configuration::default()).is_err());
    }
}

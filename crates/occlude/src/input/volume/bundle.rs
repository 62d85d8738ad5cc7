//! Steps from a MONAI bundle: the list `preprocessing` of its `configs/inference.json`.
//!
//! In: the JSON of a bundle. Out: the steps that this crate knows by the same definition. References (`@key`, `@key#0#sub`) are followed; expressions of Python (`$...`) are not run. A transform or an option
//! that would change the input and is not known is an error, never left out.

use std::path::Path;

use serde_json::Value;

use super::affine::parse_codes;
use super::{Interpolation, StepSize, VolumeStep};
use crate::error::{Error, Result};

/// Transforms that change nothing of what the model sees here: files are read, channels and types made as the model wants them anyway.
const OF_NO_EFFECT: [&str; 10] = [
    "LoadImage",
    "EnsureChannelFirst",
    "AsChannelFirst",
    "AddChannel",
    "EnsureType",
    "ToTensor",
    "ToDevice",
    "CastToType",
    "SelectItems",
    "Identity",
];

/// Transforms whose name ends like that of a transform of dictionaries.
const ENDS_IN_D: [&str; 1] = ["CropForeground"];

/// References are followed so deep.
const DEEPEST: usize = 16;

/// The steps of a bundle's file; `path` is for messages.
///
/// # Errors
/// File: no JSON, no list of transforms, one that is not known, an option that is not understood.
pub(crate) fn steps(text: &str, path: &Path) -> Result<Vec<VolumeStep>> {
    let in_file = |e: Error| e.in_context(path.display());
    let bundle: Value =
        serde_json::from_str(text).map_err(|e| Error::file(format!("{} is no JSON: {e}", path.display())))?;
    let bundle = Bundle(&bundle);
    let list = bundle.transforms().map_err(in_file)?;
    let mut steps = Vec::new();
    for (place, transform) in list.iter().enumerate() {
        let transform = bundle.follow(transform, 0).map_err(in_file)?;
        let name = transform["_target_"].as_str().unwrap_or_default();
        let short = short_name(name);
        if transform["_disabled_"] == Value::Bool(true) || OF_NO_EFFECT.contains(&short) {
            continue;
        }
        let one = Transform { bundle: &bundle, of: transform };
        let step = one.step(short).map_err(|e| {
            e.in_context(format!("transform {place} of preprocessing, {name}")).in_context(path.display())
        })?;
        steps.push(step);
    }
    Ok(steps)
}

/// `monai.transforms.Spacingd` as `Spacing`.
fn short_name(name: &str) -> &str {
    let last = name.rsplit('.').next().unwrap_or(name);
    if ENDS_IN_D.contains(&last) {
        return last;
    }
    last.strip_suffix("Dict")
        .or_else(|| last.strip_suffix('d'))
        .or_else(|| last.strip_suffix('D'))
        .unwrap_or(last)
}

struct Bundle<'a>(&'a Value);

impl<'a> Bundle<'a> {
    fn transforms(&self) -> Result<&'a Vec<Value>> {
        let said = self.follow(&self.0["preprocessing"], 0)?;
        let list = if said.is_array() { said } else { self.follow(&said["transforms"], 0)? };
        list.as_array().ok_or_else(|| {
            Error::file("it has no list of transforms under preprocessing")
                .with_hint("a MONAI bundle's configs/inference.json has \"preprocessing\": {\"_target_\": \"Compose\", \"transforms\": [...]}")
        })
    }

    /// The value that a reference names, or the value itself.
    fn follow(&self, value: &'a Value, depth: usize) -> Result<&'a Value> {
        let Some(text) = value.as_str() else { return Ok(value) };
        if let Some(expression) = text.strip_prefix('$') {
            // A reference in the form of an expression is one all the same.
            if !expression.starts_with('@')
                || expression.contains(|c: char| !(c.is_alphanumeric() || "@#_:".contains(c)))
            {
                return Err(Error::file(format!("\"{text}\" is an expression of Python, which is not run"))
                    .with_hint("write its value into the file, or give the steps by --preprocess"));
            }
        }
        let Some(name) = text.trim_start_matches('$').strip_prefix('@') else { return Ok(value) };
        let mut at = self.0;
        for part in name.split(['#', ':']).filter(|part| !part.is_empty()) {
            at = match part.parse::<usize>() {
                Ok(index) if at.is_array() => &at[index],
                _ => &at[part],
            };
        }
        if at.is_null() || depth > DEEPEST {
            return Err(Error::file(format!("the reference \"{text}\" leads nowhere")));
        }
        self.follow(at, depth + 1)
    }
}

struct Transform<'a> {
    bundle: &'a Bundle<'a>,
    of: &'a Value,
}

impl Transform<'_> {
    fn step(&self, name: &str) -> Result<VolumeStep> {
        Ok(match name {
            "Orientation" => {
                self.only(&["axcodes", "labels"])?;
                let codes = self.get("axcodes")?.as_str().and_then(parse_codes);
                VolumeStep::Orient(codes.ok_or_else(|| self.bad("axcodes", "three letters such as RAS"))?)
            }
            "Spacing" => {
                self.only(&["pixdim", "mode", "padding_mode", "align_corners", "dtype", "diagonal"])?;
                self.must_be("padding_mode", &["border"])?;
                self.must_be_off("align_corners")?;
                self.must_be_off("diagonal")?;
                let mm = self.three("pixdim")?.filter(|mm| mm.iter().all(|v| *v > 0.0));
                let mm =
                    mm.ok_or_else(|| self.bad("pixdim", "one or three lengths above 0 in millimetres"))?;
                VolumeStep::Spacing(mm, self.mode(Interpolation::Linear)?)
            }
            "ScaleIntensityRange" => {
                self.only(&["a_min", "a_max", "b_min", "b_max", "clip", "dtype"])?;
                let from = [self.number("a_min")?, self.number("a_max")?];
                let (to, clip) = self.range_and_clip()?;
                VolumeStep::Range { from: self.both(from, "a_min")?, to, clip }
            }
            "ScaleIntensityRangePercentiles" => {
                self.only(&[
                    "lower",
                    "upper",
                    "b_min",
                    "b_max",
                    "clip",
                    "dtype",
                    "relative",
                    "channel_wise",
                ])?;
                self.must_be_off("relative")?;
                self.must_be_off("channel_wise")?;
                let of = [self.number("lower")?, self.number("upper")?];
                let (to, clip) = self.range_and_clip()?;
                VolumeStep::Percentiles { of: self.both(of, "lower")?, to, clip }
            }
            "ScaleIntensity" => {
                self.only(&["minv", "maxv", "dtype", "channel_wise"])?;
                self.must_be_off("channel_wise")?;
                let to = [self.number("minv")?.unwrap_or(0.0), self.number("maxv")?.unwrap_or(1.0)];
                VolumeStep::MinMax(to)
            }
            "NormalizeIntensity" => {
                self.only(&["subtrahend", "divisor", "nonzero", "channel_wise", "dtype"])?;
                let (minus, by) = (self.number("subtrahend")?, self.number("divisor")?);
                let (nonzero, channel_wise) = (self.is_on("nonzero")?, self.is_on("channel_wise")?);
                match (minus, by) {
                    (None, None) => VolumeStep::ZScore { nonzero, channel_wise },
                    (Some(minus), Some(by)) if by != 0.0 && !nonzero => VolumeStep::Shift([minus, by]),
                    _ => {
                        return Err(self
                            .bad("subtrahend", "a number beside a divisor that is not 0, and nonzero off"));
                    }
                }
            }
            "CropForeground" => {
                self.only(&["source_key", "margin", "select_fn", "allow_smaller", "k_divisible", "mode"])?;
                self.must_be("mode", &["constant"])?;
                self.must_be("select_fn", &["$lambda x: x > 0", "$lambda x: x>0"])?;
                let margin = self.number("margin")?.unwrap_or(0.0);
                let is_cut = margin > 0.0 && self.is_on("allow_smaller")?;
                if is_cut || self.number("k_divisible")?.is_some_and(|k| k != 1.0) {
                    return Err(self.bad(
                        "allow_smaller",
                        "no margin that is cut at the volume's end, and k_divisible 1",
                    ));
                }
                let is_whole = margin >= 0.0 && margin.fract() == 0.0 && margin < 1e4;
                let margin = is_whole.then_some(margin as usize);
                VolumeStep::CropForeground(margin.ok_or_else(|| self.bad("margin", "a whole number from 0"))?)
            }
            "Resize" => {
                self.only(&["spatial_size", "mode", "align_corners", "anti_aliasing", "size_mode", "dtype"])?;
                self.must_be("size_mode", &["all"])?;
                self.must_be_off("align_corners")?;
                self.must_be_off("anti_aliasing")?;
                VolumeStep::Resize(self.size()?, self.mode(Interpolation::Area)?)
            }
            "ResizeWithPadOrCrop" => {
                self.only(&["spatial_size", "method", "mode"])?;
                self.must_be("method", &["symmetric"])?;
                self.must_be("mode", &["constant"])?;
                VolumeStep::PadOrCrop(self.size()?)
            }
            _ => {
                return Err(Error::file("this transform is not known")
                    .with_hint("known are Orientation, Spacing, ScaleIntensityRange, ScaleIntensityRangePercentiles, ScaleIntensity, NormalizeIntensity, CropForeground, Resize and ResizeWithPadOrCrop; give other steps as a .npy tensor"));
            }
        })
    }

    /// Options that have no meaning here are refused, but for those about keys and names.
    fn only(&self, known: &[&str]) -> Result<()> {
        let about_keys = [
            "_target_",
            "_disabled_",
            "_desc_",
            "keys",
            "meta_keys",
            "meta_key_postfix",
            "allow_missing_keys",
            "lazy",
            "start_coord_key",
            "end_coord_key",
        ];
        let unknown = self.of.as_object().into_iter().flat_map(|o| o.keys());
        match unknown
            .into_iter()
            .find(|key| !known.contains(&key.as_str()) && !about_keys.contains(&key.as_str()))
        {
            Some(key) => Err(Error::file(format!("its option {key} is not known"))
                .with_hint("give the steps by --preprocess if it does not matter")),
            None => Ok(()),
        }
    }

    fn bad(&self, key: &str, expected: &str) -> Error {
        Error::file(format!("{key} is {}, expected {expected}", self.of[key]))
    }

    /// An option, of several keys the first one's; null where it is not there.
    fn get(&self, key: &str) -> Result<&Value> {
        self.bundle.follow(&self.of[key], 0)
    }

    fn first(&self, key: &str) -> Result<&Value> {
        let value = self.get(key)?;
        match value.as_array().and_then(|all| all.first()) {
            Some(first) => self.bundle.follow(first, 0),
            None => Ok(value),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        let value = self.get(key)?;
        match value.as_f64() {
            Some(number) => Ok(Some(number)),
            None if value.is_null() => Ok(None),
            None => Err(self.bad(key, "a number")),
        }
    }

    fn both(&self, range: [Option<f64>; 2], key: &str) -> Result<[f64; 2]> {
        let [Some(low), Some(high)] = range else { return Err(self.bad(key, "two numbers")) };
        Ok([low, high])
    }

    /// Without a range to go to values are only scaled to 0 and 1.
    fn range_and_clip(&self) -> Result<([f64; 2], bool)> {
        let clip = self.is_on("clip")?;
        match (self.number("b_min")?, self.number("b_max")?) {
            (Some(low), Some(high)) => Ok(([low, high], clip)),
            (None, None) if !clip => Ok(([0.0, 1.0], false)),
            _ => Err(self.bad("b_min", "a number beside b_max")),
        }
    }

    fn is_on(&self, key: &str) -> Result<bool> {
        let value = self.first(key)?;
        match value {
            Value::Null => Ok(false),
            Value::Bool(is_on) => Ok(*is_on),
            _ => Err(self.bad(key, "true or false")),
        }
    }

    fn must_be_off(&self, key: &str) -> Result<()> {
        if self.is_on(key)? { Err(self.bad(key, "false")) } else { Ok(()) }
    }

    fn must_be(&self, key: &str, expected: &[&str]) -> Result<()> {
        // Compared as it stands: a function that is written out is no reference.
        match &self.of[key] {
            Value::Null => Ok(()),
            Value::String(text) if expected.contains(&text.as_str()) => Ok(()),
            _ => match self.first(key).ok().and_then(Value::as_str) {
                Some(text) if expected.contains(&text) => Ok(()),
                _ => Err(self.bad(key, &expected.join(" or "))),
            },
        }
    }

    fn mode(&self, usual: Interpolation) -> Result<Interpolation> {
        let value = self.first("mode")?;
        match (value, value.as_str()) {
            (Value::Null, _) => Ok(usual),
            (_, Some("bilinear" | "trilinear" | "linear")) => Ok(Interpolation::Linear),
            (_, Some("nearest")) => Ok(Interpolation::Nearest),
            (_, Some("area")) if usual == Interpolation::Area => Ok(Interpolation::Area),
            _ => Err(self.bad("mode", "bilinear, trilinear, nearest or (to resize) area")),
        }
    }

    fn three(&self, key: &str) -> Result<Option<[f64; 3]>> {
        let value = self.get(key)?;
        if let Some(one) = value.as_f64() {
            return Ok(Some([one; 3]));
        }
        let Some(all) = value.as_array() else { return Ok(None) };
        let all: Result<Vec<Option<f64>>> =
            all.iter().map(|one| Ok(self.bundle.follow(one, 0)?.as_f64())).collect();
        let all: Option<Vec<f64>> = all?.into_iter().collect();
        Ok(all.and_then(|all| match all[..] {
            [one] => Some([one; 3]),
            [i, j, k] => Some([i, j, k]),
            _ => None,
        }))
    }

    fn size(&self) -> Result<StepSize> {
        let whole = |n: &f64| n.fract() == 0.0 && (1.0..=1e5).contains(n);
        let size = self.three("spatial_size")?.filter(|size| size.iter().all(whole));
        let size = size.ok_or_else(|| self.bad("spatial_size", "one or three whole numbers of voxels"))?;
        Ok(StepSize::Exact(size.map(|n| n as usize)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(transforms: &str) -> Result<Vec<String>> {
        let text = format!(
            r#"{{"image": "image", "pixdim": [1.5, 1.5, 2.0], "size": {{"roi": [96, 96, 64]}},
            "preprocessing": {{"_target_": "Compose", "transforms": [{transforms}]}}}}"#
        );
        steps(&text, Path::new("inference.json")).map(|all| all.iter().map(VolumeStep::to_string).collect())
    }

    #[test]
    fn transforms_as_steps() {
        let found = said(
            r#"{"_target_": "LoadImaged", "keys": "@image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "monai.transforms.Orientationd", "keys": ["image"], "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": ["image", "label"], "pixdim": "@pixdim", "mode": ["bilinear", "nearest"]},
            {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -57, "a_max": 164, "b_min": 0, "b_max": 1, "clip": true},
            {"_target_": "CropForegroundd", "keys": "image", "source_key": "image", "select_fn": "$lambda x: x > 0", "margin": 2},
            {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": true, "channel_wise": true},
            {"_target_": "ScaleIntensityRangePercentilesd", "lower": 1, "upper": 99.5, "b_min": -1, "b_max": 1},
            {"_target_": "Spacing", "_disabled_": true},
            {"_target_": "ResizeWithPadOrCropd", "spatial_size": "$@size#roi"},
            {"_target_": "Resized", "spatial_size": [32, 32, 32], "mode": "trilinear"},
            {"_target_": "EnsureTyped", "keys": "image"}"#,
        );
        assert_eq!(
            found.expect("known"),
            [
                "orient=RAS",
                "spacing=1.5x1.5x2",
                "range=-57:164:0:1",
                "crop-foreground=2",
                "zscore=nonzero+channel-wise",
                "percentiles=1:99.5:-1:1:unclipped",
                "pad-or-crop=96x96x64",
                "resize=32x32x32:linear"
            ]
        );
    }

    #[test]
    fn what_would_be_left_out_is_an_error() {
        for (transform, message) in [
            (
                r#"{"_target_": "RandFlipd"}"#,
                "transform 0 of preprocessing, RandFlipd: this transform is not known",
            ),
            (
                r#"{"_target_": "Spacingd", "pixdim": 1, "scale_extent": true}"#,
                "its option scale_extent is not known",
            ),
            (r#"{"_target_": "Spacingd", "pixdim": [1, -1, 1]}"#, "pixdim is [1,-1,1], expected"),
            (r#"{"_target_": "Spacingd", "pixdim": "$[1] * 3"}"#, "is an expression of Python"),
            (r#"{"_target_": "Spacingd", "pixdim": "@none"}"#, "\"@none\" leads nowhere"),
            (r#"{"_target_": "Resized", "spatial_size": 8, "mode": "bicubic"}"#, "mode is \"bicubic\""),
            (r#"{"_target_": "CropForegroundd", "select_fn": "$lambda x: x > 5"}"#, "select_fn is"),
        ] {
            let error = said(transform).expect_err(transform).to_string();
            assert!(error.contains(message) && error.starts_with("inference.json: "), "{error}");
        }
        assert!(
            steps("{}", Path::new("x.json"))
                .expect_err("nothing")
                .to_string()
                .contains("no list of transforms")
        );
        assert!(steps("[", Path::new("x.json")).expect_err("no JSON").to_string().contains("is no JSON"));
    }
}

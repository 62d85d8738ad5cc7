//! The text of a volume's steps, one part of `--preprocess` each, and back.
//!
//! Grammar: `orient=RAS`; `spacing=1x1x1.5` (millimetres) or `spacing=1:nearest`; `range=-160:240` or `range=-160:240:0:1`, with `:unclipped` at the end; `window=400/40` (width/level: the
//! range from level - width/2 to level + width/2); `minmax`, `minmax=0:1`; `percentiles=1:99`, `percentiles=1:99:0:1`; `zscore`, `zscore=nonzero`, `zscore=channel-wise`, joined by `+`; `shift=MEAN/STD`;
//! `crop-foreground`, `crop-foreground=MARGIN`; `resize=96x96x96`, `resize=input`, `resize=96x96x96:linear`; `pad-or-crop=96x96x96` or `input`. `frame=0` or `frame=channels` says what is read.

use std::fmt;

use super::affine::parse_codes;
use super::{Frame, Interpolation, StepSize, VolumeStep};
use crate::error::{Error, Result};

/// Keys of steps.
pub(crate) const STEP_KEYS: [&str; 11] = [
    "orient",
    "spacing",
    "range",
    "window",
    "minmax",
    "percentiles",
    "zscore",
    "shift",
    "crop-foreground",
    "resize",
    "pad-or-crop",
];

/// Steps that need no value.
const ALONE: [&str; 3] = ["minmax", "zscore", "crop-foreground"];

/// Whether this part without a value is a step.
pub(crate) fn is_step_alone(part: &str) -> bool {
    ALONE.contains(&part)
}

/// One step from its key and value; `None` where the key is none of a volume's, or where `resize` says something about pictures only.
///
/// # Errors
/// Argument: a value that is not understood.
pub(crate) fn parse(key: &str, value: &str) -> Result<Option<VolumeStep>> {
    let bad = |expected: &str| {
        Error::argument(format!("preprocess: {key}={value} is not understood, expected {expected}"))
    };
    let parts: Vec<&str> = value.split(':').map(str::trim).collect();
    let (sizes, how) = (parts[0], parts.get(1).copied());
    let interpolation = |default| match how {
        None => Some(default),
        Some(name) => Interpolation::ALL.iter().find(|(n, _)| *n == name).map(|(_, how)| *how),
    };
    Ok(Some(match key {
        "orient" => VolumeStep::Orient(
            parse_codes(value)
                .ok_or_else(|| bad("three letters, one each of L or R, P or A, I or S: RAS"))?,
        ),
        "spacing" => {
            let how = interpolation(Interpolation::Linear).filter(|how| *how != Interpolation::Area);
            match (millimetres(sizes), how, parts.len()) {
                (Some(mm), Some(how), 1..=2) => VolumeStep::Spacing(mm, how),
                _ => return Err(bad("millimetres per voxel (1, or 1x1x1.5), and :nearest for labels")),
            }
        }
        "window" => match value.split_once('/').map(|(w, l)| (number(w), number(l))) {
            Some((Some(width), Some(level))) if width > 0.0 => VolumeStep::Range {
                from: [level - width / 2.0, level + width / 2.0],
                to: [0.0, 1.0],
                clip: true,
            },
            _ => return Err(bad("width/level, as in 400/40")),
        },
        "range" => {
            let (from, to, clip) = ranges(&parts).ok_or_else(|| {
                bad("two values that become 0 and 1 (-160:240), or the two they become as well (-160:240:-1:1); :unclipped at the end")
            })?;
            VolumeStep::Range { from, to, clip }
        }
        "percentiles" => {
            let (of, to, clip) = ranges(&parts)
                .filter(|(of, ..)| 0.0 <= of[0] && of[0] < of[1] && of[1] <= 100.0)
                .ok_or_else(|| bad("two percentiles from 0 to 100 that become 0 and 1 (1:99), or the two they become as well (1:99:-1:1); :unclipped at the end"))?;
            VolumeStep::Percentiles { of, to, clip }
        }
        "minmax" if value.is_empty() => VolumeStep::MinMax([0.0, 1.0]),
        "minmax" => match ranges(&parts) {
            Some((to, _, true)) if parts.len() == 2 => VolumeStep::MinMax(to),
            _ => return Err(bad("what least and greatest value become: 0:1")),
        },
        "zscore" => {
            let words: Vec<&str> = value.split('+').map(str::trim).filter(|word| !word.is_empty()).collect();
            if words.iter().any(|word| !["nonzero", "channel-wise"].contains(word)) {
                return Err(bad("nothing, nonzero, channel-wise or nonzero+channel-wise"));
            }
            VolumeStep::ZScore {
                nonzero: words.contains(&"nonzero"),
                channel_wise: words.contains(&"channel-wise"),
            }
        }
        "shift" => match value.split_once('/').map(|(m, d)| (number(m), number(d))) {
            Some((Some(minus), Some(by))) if by != 0.0 => VolumeStep::Shift([minus, by]),
            _ => return Err(bad("a number to subtract and one to divide by: 100/50")),
        },
        "crop-foreground" if value.is_empty() => VolumeStep::CropForeground(0),
        "crop-foreground" => VolumeStep::CropForeground(
            value.parse().ok().filter(|n| *n <= 10_000).ok_or_else(|| bad("a margin in voxels"))?,
        ),
        "resize" => match (size(sizes), interpolation(Interpolation::Area), parts.len()) {
            (Some(size), Some(how), 1..=2) => VolumeStep::Resize(size, how),
            _ if sizes.split('x').count() == 3 || parts.len() > 1 => {
                return Err(bad("voxels (96x96x96) or input, and :linear or :nearest"));
            }
            _ => return Ok(None),
        },
        "pad-or-crop" => VolumeStep::PadOrCrop(size(value).ok_or_else(|| bad("voxels (96x96x96) or input"))?),
        _ => return Ok(None),
    }))
}

/// `frame=`
///
/// # Errors
/// Argument: neither a number nor `channels`.
pub(crate) fn parse_frame(value: &str) -> Result<Frame> {
    match value {
        "only" => Ok(Frame::Only),
        "channels" => Ok(Frame::Channels),
        number => number.parse().map(Frame::Number).map_err(|_| {
            Error::argument(format!(
                "preprocess: frame={value} is not understood, expected a number from 0, or channels"
            ))
        }),
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|v: &f64| v.is_finite())
}

fn millimetres(text: &str) -> Option<[f64; 3]> {
    let all: Vec<f64> = text.split('x').map(number).collect::<Option<_>>()?;
    let is_length = |mm: &f64| (1e-3..=1e4).contains(mm);
    match all[..] {
        [one] => Some([one; 3]),
        [i, j, k] => Some([i, j, k]),
        _ => None,
    }
    .filter(|mm: &[f64; 3]| mm.iter().all(is_length))
}

fn size(text: &str) -> Option<StepSize> {
    if text == "input" {
        return Some(StepSize::Input);
    }
    let all: Vec<usize> = text.split('x').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    let size: [usize; 3] = all.try_into().ok()?;
    size.iter().all(|n| (1..=100_000).contains(n)).then_some(StepSize::Exact(size))
}

/// Two numbers, or four, and whether values are clipped.
fn ranges(parts: &[&str]) -> Option<([f64; 2], [f64; 2], bool)> {
    let (numbers, clip) = match parts {
        [numbers @ .., "unclipped"] => (numbers, false),
        numbers => (numbers, true),
    };
    let all: Vec<f64> = numbers.iter().map(|part| number(part)).collect::<Option<_>>()?;
    match all[..] {
        [low, high] if low != high => Some(([low, high], [0.0, 1.0], clip)),
        [low, high, to_low, to_high] if low != high => Some(([low, high], [to_low, to_high], clip)),
        _ => None,
    }
}

impl fmt::Display for StepSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepSize::Exact([i, j, k]) => write!(f, "{i}x{j}x{k}"),
            StepSize::Input => f.write_str("input"),
        }
    }
}

/// As it can be given again.
impl fmt::Display for VolumeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = |f: &mut fmt::Formatter<'_>, of: &[f64; 2], to: &[f64; 2], clip: &bool| {
            write!(f, "{}:{}:{}:{}", of[0], of[1], to[0], to[1])?;
            if *clip { Ok(()) } else { f.write_str(":unclipped") }
        };
        match self {
            VolumeStep::Orient(axes) => {
                let letter = |&(world, is_against): &(usize, bool)| {
                    [["R", "L"], ["A", "P"], ["S", "I"]][world][usize::from(is_against)]
                };
                write!(f, "orient={}", axes.iter().map(letter).collect::<String>())
            }
            VolumeStep::Spacing(mm, how) => {
                write!(f, "spacing={}", mm.map(|v| v.to_string()).join("x"))?;
                if *how == Interpolation::Linear { Ok(()) } else { write!(f, ":{}", how.name()) }
            }
            VolumeStep::Range { from, to, clip } => {
                f.write_str("range=")?;
                ranges(f, from, to, clip)
            }
            VolumeStep::Percentiles { of, to, clip } => {
                f.write_str("percentiles=")?;
                ranges(f, of, to, clip)
            }
            VolumeStep::MinMax([low, high]) => write!(f, "minmax={low}:{high}"),
            VolumeStep::ZScore { nonzero, channel_wise } => f.write_str(match (nonzero, channel_wise) {
                (false, false) => "zscore",
                (true, false) => "zscore=nonzero",
                (false, true) => "zscore=channel-wise",
                (true, true) => "zscore=nonzero+channel-wise",
            }),
            VolumeStep::Shift([minus, by]) => write!(f, "shift={minus}/{by}"),
            VolumeStep::CropForeground(margin) => write!(f, "crop-foreground={margin}"),
            VolumeStep::Resize(size, how) => write!(f, "resize={size}:{}", how.name()),
            VolumeStep::PadOrCrop(size) => write!(f, "pad-or-crop={size}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_written_as_they_are_read() {
        for (key, value, shown) in [
            ("orient", "ras", "orient=RAS"),
            ("orient", "SPL", "orient=SPL"),
            ("spacing", "1.5", "spacing=1.5x1.5x1.5"),
            ("spacing", "1x2x0.5:nearest", "spacing=1x2x0.5:nearest"),
            ("window", "400/40", "range=-160:240:0:1"),
            ("range", "-57:164:-1:1:unclipped", "range=-57:164:-1:1:unclipped"),
            ("percentiles", "1:99", "percentiles=1:99:0:1"),
            ("minmax", "", "minmax=0:1"),
            ("zscore", "channel-wise+nonzero", "zscore=nonzero+channel-wise"),
            ("shift", "-3/2", "shift=-3/2"),
            ("crop-foreground", "", "crop-foreground=0"),
            ("resize", "96x80x64", "resize=96x80x64:area"),
            ("resize", "input:linear", "resize=input:linear"),
            ("pad-or-crop", "input", "pad-or-crop=input"),
        ] {
            let step = parse(key, value).expect(value).expect(key);
            assert_eq!(step.to_string(), shown);
            let (key, value) = shown.split_once('=').unwrap_or((shown, ""));
            assert_eq!(parse(key, value).expect(shown), Some(step));
            assert!(STEP_KEYS.contains(&key));
        }
    }

    #[test]
    fn what_is_not_understood_or_not_for_volumes() {
        for (key, value) in [
            ("orient", "RAR"),
            ("spacing", "0"),
            ("spacing", "1:area"),
            ("window", "40"),
            ("range", "3:3"),
            ("percentiles", "99:1"),
            ("zscore", "all"),
            ("shift", "1/0"),
            ("crop-foreground", "-1"),
            ("resize", "1x2x0"),
            ("resize", "input:cubic"),
            ("pad-or-crop", "96"),
        ] {
            let error = parse(key, value).expect_err(value);
            assert!(error.to_string().contains(&format!("{key}={value}")), "{error}");
        }
        for (key, value) in [("resize", "224"), ("resize", "224x224"), ("crop", "3"), ("resize", "no")] {
            assert_eq!(parse(key, value).expect(value), None);
        }
        assert!(parse_frame("x").is_err());
        assert_eq!(parse_frame("3").expect("a number"), Frame::Number(3));
    }
}

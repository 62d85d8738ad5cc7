//! Values of settings from text. Each function says in its error what was found and what is expected.

use std::ops::Range;
use std::path::PathBuf;

use super::Masks;
use crate::error::{Error, Result};
use crate::occlusion::{Fill, Inpaint};

/// `default` (or nothing) leaves the choice to the model or the input.
pub(super) fn default_or<T>(value: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
    if value.is_empty() || value == "default" { Ok(None) } else { parse(value).map(Some) }
}

/// `16`, `16x24`, `3x16x16`
pub(super) fn sizes(name: &str, value: &str) -> Result<Vec<usize>> {
    value
        .split(['x', 'X', '×'])
        .map(|part| part.trim().parse().ok())
        .collect::<Option<Vec<usize>>>()
        .ok_or_else(|| {
            Error::argument(format!("{name} \"{value}\" is not understood")).with_hint(
                "expected whole numbers of elements: 16, 16x24, or 3x16x16 with the channel axis in front",
            )
        })
}

/// `16`, or several separated by commas: `16,32x24`
pub(super) fn several_sizes(name: &str, value: &str) -> Result<Vec<Vec<usize>>> {
    value.split(',').map(|part| sizes(name, part)).collect()
}

/// Sizes in elements, or in millimetres.
pub(super) type Sizes = (Option<Vec<Vec<usize>>>, Option<Vec<Vec<f64>>>);

/// Several sizes of elements, or of millimetres as in `12mm`, `12x12x24mm`, `8mm,16mm`.
pub(super) fn sizes_or_millimetres(name: &str, value: &str) -> Result<Sizes> {
    if !value.to_lowercase().contains("mm") {
        return Ok((default_or(value, |v| several_sizes(name, v))?, None));
    }
    let one = |part: &str| -> Option<Vec<f64>> {
        let low = part.trim().to_lowercase();
        let sizes = low.strip_suffix("mm")?.trim().split('x');
        sizes.map(|size| size.trim().parse().ok().filter(|mm: &f64| *mm > 0.0 && mm.is_finite())).collect()
    };
    let all: Option<Vec<Vec<f64>>> = value.split(',').map(one).collect();
    all.map(|all| (None, Some(all))).ok_or_else(|| {
        Error::argument(format!("{name} \"{value}\" is not understood"))
            .with_hint("expected millimetres above 0 for all sizes: 12mm, 12x12x24mm, or 8mm,16mm")
    })
}

pub(super) fn whole(name: &str, value: &str) -> Result<u64> {
    value.parse().map_err(|_| Error::argument(format!("{name} \"{value}\" is not a whole number from 0")))
}

/// One of several names, with the nearest as a hint.
pub(super) fn choice<T: Copy>(name: &str, value: &str, all: &[(&str, T)]) -> Result<T> {
    let low = value.to_lowercase();
    if let Some((_, found)) = all.iter().find(|(n, _)| *n == low) {
        return Ok(*found);
    }
    let names: Vec<&str> = all.iter().map(|(n, _)| *n).collect();
    let near =
        names.iter().max_by(|a, b| strsim::jaro_winkler(a, &low).total_cmp(&strsim::jaro_winkler(b, &low)));
    let near = near
        .filter(|n| strsim::jaro_winkler(n, &low) > 0.75)
        .map_or(String::new(), |n| format!("did you mean {n}? "));
    Err(Error::argument(format!("{name} \"{value}\" is not known"))
        .with_hint(format!("{near}{name} is one of {}", names.join(", "))))
}

/// See [`Fill`].
pub(super) fn fill(value: &str) -> Result<Fill> {
    let low = value.to_lowercase();
    let numbers = |text: &str| -> Option<Vec<f32>> {
        text.split(',').map(|part| part.trim().parse().ok().filter(|v: &f32| v.is_finite())).collect()
    };
    if let Some(colour) = low.strip_prefix("rgb:") {
        return match numbers(colour).as_deref() {
            Some(&[r, g, b]) if [r, g, b].iter().all(|v| (0.0..=255.0).contains(v)) => {
                Ok(Fill::Rgb([r, g, b]))
            }
            _ => Err(Error::argument(format!("fill \"{value}\" is not a colour"))
                .with_hint("expected rgb:r,g,b with numbers from 0 to 255")),
        };
    }
    if low.starts_with("image:") {
        let path = &value["image:".len()..];
        if path.is_empty() {
            return Err(Error::argument("fill image: lacks the file").with_hint("as in image:grey.png"));
        }
        return Ok(Fill::Image(PathBuf::from(path)));
    }
    let (name, radius) =
        low.split_once(':').map_or((low.as_str(), None), |(name, radius)| (name, Some(radius)));
    let made: Option<fn(usize) -> Fill> = match name {
        "inpaint" => Some(Fill::Inpaint),
        "inpaint-opencv" => Some(Fill::InpaintOpenCv),
        _ => None,
    };
    if let Some(made) = made {
        let radius = radius.map_or(Ok(Inpaint::default().radius), |radius| radius.trim().parse());
        return match radius {
            Ok(radius) if (1..=Inpaint::MAX_RADIUS).contains(&radius) => Ok(made(radius)),
            _ => Err(Error::argument(format!("fill \"{value}\" has no radius")).with_hint(format!(
                "expected inpaint:R with a whole number of elements from 1 to {}",
                Inpaint::MAX_RADIUS
            ))),
        };
    }
    if let Some(values) = numbers(&low) {
        return Ok(Fill::Value(values));
    }
    let named = [
        ("zero", 0),
        ("mean", 1),
        ("patch-mean", 2),
        ("blur", 3),
        ("noise", 4),
        ("min", 5),
        ("background", 6),
        ("overall-mean", 7),
        ("overall-patch-mean", 8),
    ];
    let fills = [
        Fill::Zero,
        Fill::Mean,
        Fill::PatchMean,
        Fill::Blur,
        Fill::Noise,
        Fill::Min,
        Fill::Background,
        Fill::OverallMean,
        Fill::OverallPatchMean,
    ];
    choice("fill", &low, &named).map(|i| fills[i].clone()).map_err(|e| {
        let names = "zero, mean, patch-mean, overall-mean, overall-patch-mean, blur, inpaint, inpaint-opencv, noise, min, background, a number or one per channel (0.5,0.5,0.5), rgb:r,g,b, image:FILE";
        let near = e.hint().and_then(|h| h.split_once("? ")).map_or(String::new(), |(near, _)| format!("{near}? "));
        Error::argument(format!("fill \"{value}\" is not known")).with_hint(format!("{near}fill is one of {names}"))
    })
}

/// `4000`, `4000:7`, `4000:7:0.5`, or a `.npy` file
pub(super) fn masks(value: &str) -> Result<Masks> {
    if value.to_lowercase().ends_with(".npy") {
        return Ok(Masks::File(PathBuf::from(value)));
    }
    let parts: Vec<&str> = value.split(':').map(str::trim).collect();
    let number =
        |place: usize, default: f64| parts.get(place).map_or(Some(default), |p| p.parse::<f64>().ok());
    let whole = |place: usize, default: f64| {
        number(place, default).filter(|n| n.fract() == 0.0 && *n >= 1.0).map(|n| n as usize)
    };
    match (whole(0, 0.0), whole(1, 7.0), number(2, 0.5), parts.len()) {
        (Some(count), Some(cells), Some(keep), 1..=3) => Ok(Masks::Drawn { count, cells, keep }),
        _ => Err(Error::argument(format!("masks \"{value}\" is not understood")).with_hint(
            "expected how many, cells per axis and the probability to keep a cell: 4000:7:0.5; or a .npy file of masks",
        )),
    }
}

/// `32:96,32:96`; both ends must be given.
pub(super) fn roi(value: &str) -> Result<Vec<Range<usize>>> {
    value
        .split(',')
        .map(|part| {
            let (start, end) = part.split_once(':')?;
            Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            Error::argument(format!("roi \"{value}\" is not understood"))
                .with_hint("expected one range start:end per spatial axis, rows before columns: 32:96,48:112 (end exclusive, in elements of the model's input)")
        })
}

/// `1073741824`, `512M`, `4G`, `4GiB`
pub(super) fn bytes(name: &str, value: &str) -> Result<u64> {
    let low = value.to_lowercase();
    let digits = low.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(low.len());
    let (number, unit) = low.split_at(digits);
    let factor: Option<u64> = match unit.trim() {
        "" | "b" => Some(1),
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(1 << 20),
        "g" | "gb" | "gib" => Some(1 << 30),
        "t" | "tb" | "tib" => Some(1 << 40),
        _ => None,
    };
    match (number.parse::<f64>(), factor) {
        (Ok(number), Some(factor)) if number * factor as f64 >= 1.0 => Ok((number * factor as f64) as u64),
        _ => Err(Error::argument(format!("{name} \"{value}\" is not understood"))
            .with_hint("expected bytes, or a number with K, M, G: 512M, 4G")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills() {
        for (text, expected) in [
            ("zero", Fill::Zero),
            ("0", Fill::Value(vec![0.0])),
            ("-1.5,2,1e-3", Fill::Value(vec![-1.5, 2.0, 1e-3])),
            ("RGB:127,127,127.5", Fill::Rgb([127.0, 127.0, 127.5])),
            ("patch-mean", Fill::PatchMean),
            ("image:A.png", Fill::Image("A.png".into())),
        ] {
            assert_eq!(fill(text).expect(text), expected);
            assert_eq!(fill(&expected.to_string()).expect(text), expected);
        }
        for text in ["rgb:1,2", "rgb:1,2,300", "nan", "image:", "men", ""] {
            assert!(fill(text).is_err(), "{text}");
        }
        assert!(fill("men").expect_err("men").hint().expect("hint").contains("did you mean mean?"));
    }

    #[test]
    fn amounts() {
        assert_eq!(
            (
                bytes("memory-limit", "512M").expect("M"),
                bytes("memory-limit", "1.5GiB").expect("G"),
                bytes("memory-limit", "77").expect("bytes")
            ),
            (512 << 20, 3 << 29, 77)
        );
        assert!(
            bytes("memory-limit", "4X").is_err()
                && bytes("memory-limit", "0").is_err()
                && bytes("memory-limit", "").is_err()
        );
        assert_eq!(roi("1:5, 2:9").expect("two"), [1..5, 2..9]);
    }
}

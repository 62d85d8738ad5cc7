//! What the page draws a volume's planes from: grey values, which way the axes run, how large a voxel is.
//!
//! In: a map of a volume and its [`Picture`]. Out: the feed's `volume`, as `report/volume.js` reads it. All slices along the first axis lie in one grey PNG, which no other form
//! of the same bytes is smaller than, and which every browser decodes by itself.

use base64::Engine as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde_json::{Value, json};

use super::BASE64;
use crate::error::{Error, Result};
use crate::input::volume::affine::{self, Affine};
use crate::input::{GreyVolume, Picture};
use crate::map::Map;
use crate::output::words;

/// The feed's `volume`; null for what has not three spatial axes.
pub(super) fn volume(map: &Map, picture: &Picture) -> Result<Value> {
    if map.input.spatial().len() != 3 {
        return Ok(Value::Null);
    }
    let grey = picture.volume.as_ref();
    let affine = map.geometry.known_affine();
    let mut object = json!({
        "slices": null,
        "affine": affine.map(|affine| [affine[0], affine[1], affine[2]]),
        "spacing": affine.as_ref().map(affine::spacing),
        "codes": affine.as_ref().map(|affine| affine::codes(affine).chars().map(String::from).collect::<Vec<_>>()),
        "note": note(map, affine.as_ref(), grey),
    });
    if let Some(grey) = grey {
        let columns = columns(grey.size);
        object["size"] = json!(grey.size);
        object["every"] = json!(grey.every);
        object["black"] = json!(grey.black);
        object["white"] = json!(grey.white);
        object["slices"] = json!({ "url": mosaic(grey, columns)?, "columns": columns });
    }
    Ok(object)
}

/// How the planes are to be read, in sentences.
fn note(map: &Map, affine: Option<&Affine>, grey: Option<&GreyVolume>) -> String {
    let mut said = vec![match affine {
        Some(affine) => {
            let sizes = affine::spacing(affine).map(|mm| format!("{}", (mm * 1000.0).round() / 1000.0)).join(" × ");
            format!("Voxels of {sizes} mm, drawn to scale.")
        }
        None => "This volume came without an affine: places are told in voxels, which are drawn as cubes, and which side is left is not known."
            .to_owned(),
    }];
    if let Some(degrees) = affine.map(tilt).filter(|degrees| *degrees >= 0.5) {
        said.push(format!(
            "The planes follow the voxel grid, which is turned by up to {degrees:.0}° against the axes of the body."
        ));
    }
    if let Some(grey) = grey {
        let ends = format!("Black is {}, white {}", words::number(grey.black), words::number(grey.white));
        let of = if map.input.channels() > 1 { ", of the mean over channels" } else { "" };
        said.push(format!("{ends} (the 0.1st and 99.9th percentiles{of})."));
        if grey.every != [1; 3] {
            let block = grey.every.map(|n| n.to_string()).join(" × ");
            said.push(format!("The greys are means over {block} voxels; the map is not reduced."));
        }
    }
    said.join(" ")
}

/// The largest angle between an axis of voxels and the axis of the body that it follows most, in degrees.
fn tilt(affine: &Affine) -> f64 {
    let (turned, sizes) = (affine::orientation(affine), affine::spacing(affine));
    let cosines = (0..3).map(|axis| (affine[turned[axis].0][axis] / sizes[axis]).abs().min(1.0));
    cosines.fold(0.0, |most: f64, cosine| most.max(cosine.acos().to_degrees()))
}

/// In how many columns the slices lie, so that the mosaic is about square: browsers bound the sides of what they decode.
fn columns([slices, rows, columns]: [usize; 3]) -> usize {
    let square = (slices as f64 * rows as f64 / columns as f64).sqrt().round() as usize;
    square.clamp(1, slices)
}

fn mosaic(volume: &GreyVolume, columns: usize) -> Result<String> {
    let [slices, height, width] = volume.size;
    let (wide, high) = (columns * width, slices.div_ceil(columns) * height);
    let mut pixels = vec![0; wide * high];
    for (place, row) in volume.grey.chunks_exact(width).enumerate() {
        let (slice, y) = (place / height, place % height);
        let from = (slice / columns * height + y) * wide + slice % columns * width;
        pixels[from..from + width].copy_from_slice(row);
    }
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(&pixels, wide as u32, high as u32, ExtendedColorType::L8)
        .map_err(|e| Error::file(format!("the volume cannot be written into the page: {e}")))?;
    Ok(format!("data:image/png;base64,{}", BASE64.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tilt_is_the_angle_to_the_nearest_axes() {
        let straight =
            [[0.0, 0.0, -2.0, 5.0], [3.0, 0.0, 0.0, 7.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        assert!(tilt(&straight) < 1e-6);
        let (sin, cos) = 20f64.to_radians().sin_cos();
        let turned = [
            [2.0 * cos, -3.0 * sin, 0.0, 0.0],
            [2.0 * sin, 3.0 * cos, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ];
        assert!((tilt(&turned) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn slices_lie_in_rows_of_a_picture_that_is_about_square() {
        assert_eq!(columns([128, 128, 128]), 11);
        assert_eq!(columns([1000, 1000, 8]), 354);
        assert_eq!((columns([3, 10, 4000]), columns([3, 4000, 10])), (1, 3));
        let grey: Vec<u8> = (0..3 * 2 * 4).collect();
        let volume = GreyVolume { size: [3, 2, 4], every: [1; 3], grey, black: 0.0, white: 1.0 };
        let url = mosaic(&volume, 2).unwrap();
        let bytes = BASE64.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let image = image::load_from_memory(&bytes).unwrap();
        assert_eq!(image.color(), image::ColorType::L8);
        let image = image.into_luma8();
        assert_eq!(image.dimensions(), (8, 4));
        for (slice, y, x) in (0..3).flat_map(|s| (0..2).flat_map(move |y| (0..4).map(move |x| (s, y, x)))) {
            let at = image.get_pixel(slice % 2 * 4 + x, slice / 2 * 2 + y).0[0];
            assert_eq!(u32::from(at), (slice * 2 + y) * 4 + x);
        }
    }
}

//! The picture that a map is drawn on: what the model saw, in colours for people.
//!
//! It covers exactly the spatial extent of the input tensor (edge 0 to edge n on each axis), at whatever resolution: real pixels of the source for
//! image files, a grey or colour rendering of the values for tensors. Made by `input`, read by the output writers.

use serde::{Deserialize, Serialize};

use super::GreyVolume;
use crate::archive::Format;
use crate::error::Result;

const FORMAT: Format = Format { magic: b"OCCLPIC\0", name: "a picture", version: 2 };

/// An upright RGB picture of the input tensor's extent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width * 3` bytes, row-major, sRGB.
    pub rgb: Vec<u8>,
    /// Whether these are pixels of an image file (else a rendering of tensor values, stretched to black and white at its least and greatest).
    pub photographic: bool,
    /// Of an input with one axis of places, its samples, for drawing lines.
    pub signal: Option<Signal>,
    /// Of an input with three spatial axes all of it, for drawing its planes; the pixels above are then its middle slice.
    pub volume: Option<GreyVolume>,
}

/// The samples of a signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Number of channels.
    pub channels: usize,
    /// `[channels, samples]`, row-major.
    pub values: Vec<f32>,
}

impl Picture {
    /// A rendering of a tensor `[channels, height, width]`: three channels as RGB, else the mean over channels as grey; the least finite value
    /// is black, the greatest white. A tensor with one spatial axis has height 1.
    pub fn of_tensor(values: &[f32], channels: usize, height: usize, width: usize) -> Picture {
        let pixels = height * width;
        let finite = values.iter().copied().filter(|v| v.is_finite());
        let low = finite.clone().fold(f32::INFINITY, f32::min);
        let high = finite.fold(f32::NEG_INFINITY, f32::max);
        let range = if high > low { high - low } else { 1.0 };
        let byte = |v: f32| ((v - low) / range * 255.0).round().clamp(0.0, 255.0) as u8;
        let mut rgb = Vec::with_capacity(pixels * 3);
        for pixel in 0..pixels {
            if channels == 3 {
                rgb.extend((0..3).map(|c| byte(values[c * pixels + pixel])));
            } else {
                let mean =
                    (0..channels).map(|c| values[c * pixels + pixel]).sum::<f32>() / channels.max(1) as f32;
                rgb.extend([byte(mean); 3]);
            }
        }
        Picture { width, height, rgb, photographic: false, signal: None, volume: None }
    }

    /// The picture as bytes for [`Picture::from_bytes`], beside those of the map that is drawn on it.
    pub fn to_bytes(&self) -> Vec<u8> {
        FORMAT.write(self)
    }

    /// A picture from what [`Picture::to_bytes`] wrote.
    ///
    /// # Errors
    /// File: bytes that are no picture, of another version of the format, cut off or changed; another number of colours than pixels.
    pub fn from_bytes(bytes: &[u8]) -> Result<Picture> {
        let picture: Picture = FORMAT.read(bytes)?;
        let (width, height) = (picture.width, picture.height);
        let needed = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
        if needed.is_none_or(|needed| needed == 0 || needed != picture.rgb.len()) {
            let found = picture.rgb.len();
            return Err(
                FORMAT.damaged(&format!("{width} x {height} pixels of 3 bytes, {found} bytes are there"))
            );
        }
        if picture.volume.as_ref().is_some_and(|volume| !volume.is_sound()) {
            return Err(FORMAT.damaged("the greys of its volume do not hold together"));
        }
        if let Some(signal) = &picture.signal {
            let count = signal.values.len();
            if signal.channels == 0 || count % signal.channels != 0 || count / signal.channels == 0 {
                return Err(
                    FORMAT.damaged(&format!("a signal of {count} samples in {} channels", signal.channels))
                );
            }
        }
        Ok(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_stretched_from_black_to_white() {
        let grey = Picture::of_tensor(&[-1.0, 0.0, 1.0, 3.0], 1, 2, 2);
        assert_eq!(grey.rgb, [0, 0, 0, 64, 64, 64, 128, 128, 128, 255, 255, 255]);
        let flat = Picture::of_tensor(&[2.0; 6], 3, 1, 2);
        assert_eq!(flat.rgb, [0; 6]);
    }

    #[test]
    fn bytes_bring_it_back() {
        let volume =
            GreyVolume { size: [1, 2, 2], every: [1; 3], grey: vec![0, 3, 4, 255], black: 0.0, white: 2.5 };
        let picture = Picture {
            width: 2,
            height: 1,
            rgb: vec![0, 1, 2, 253, 254, 255],
            photographic: true,
            signal: None,
            volume: Some(volume.clone()),
        };
        let bytes = picture.to_bytes();
        assert_eq!(Picture::from_bytes(&bytes).expect("its own bytes"), picture);
        let signal = |channels, values: &[f32]| {
            let signal = Some(Signal { channels, values: values.to_vec() });
            Picture { signal, ..picture.clone() }.to_bytes()
        };
        assert!(Picture::from_bytes(&signal(2, &[1.0, 2.0])).is_ok());
        for (channels, values) in [(0, &[][..]), (2, &[1.0, 2.0, 3.0]), (1, &[])] {
            let error = Picture::from_bytes(&signal(channels, values)).expect_err("no signal");
            assert!(error.to_string().contains("a signal of"), "{error}");
        }
        let wrong = [
            Picture { width: 3, ..picture.clone() },
            Picture { width: 0, rgb: Vec::new(), ..picture.clone() },
            Picture { width: usize::MAX, height: usize::MAX, ..picture.clone() },
        ];
        let lying = Picture { volume: Some(GreyVolume { size: [2, 2, 2], ..volume }), ..picture };
        let error = Picture::from_bytes(&lying.to_bytes()).expect_err("4 greys for 8 voxels");
        assert!(error.to_string().contains("greys of its volume"), "{error}");
        for picture in wrong {
            let error = Picture::from_bytes(&picture.to_bytes()).expect_err("does not hold together");
            assert!(error.to_string().contains("pixels of 3 bytes"), "{error}");
        }
        assert!(crate::Map::from_bytes(&bytes).expect_err("no map").to_string().contains("OCCLPIC"));
    }
}

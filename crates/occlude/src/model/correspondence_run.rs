//! Zeiler and Fergus' correspondence analysis on a model: images with boxes of parts, each part hidden in each image, beside random places of the same sizes.
//!
//! In: images, boxes in elements of the input, layers, the fill. Out: a [`Correspondence`]. Only the layers before those asked for are run, and of them only what a mask
//! reaches, by the gather form, which has a full run's bits. How changes are compared is in `zeiler`.

use std::ops::{ControlFlow, Range};

use super::Model;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::occlusion::{AxisRole, Border, FillContext, Grid, GridAxis, Occluder, Windows};
use crate::scorer::Scorer;
use crate::settings::{EngineChoice, Settings};
use crate::tensor::TensorSpec;
use crate::zeiler::{Consistency, Correspondence, SetOfMasks, random_boxes};

/// A box of the input: one half-open range of elements per spatial axis.
type Box = Vec<Range<usize>>;

impl Model {
    /// Compares what hiding each part does to each layer, over the images. `parts` are names with a box per image; each is followed by random places of the same
    /// sizes, drawn by the settings' seed. Of the settings, fill, seed, engine, runtime, threads and memory limit matter.
    ///
    /// # Errors
    /// Argument: fewer than two images, no layer, a layer that the model does not have or whose size differs between images, a box that does not fit. And what the model says.
    pub fn correspondence(
        &self,
        images: &[Input],
        parts: &[(String, Vec<Box>)],
        layers: &[String],
        settings: &Settings,
    ) -> Result<Correspondence> {
        let mut sets: Vec<(String, bool, Vec<Box>)> = Vec::new();
        let spatial: Vec<Vec<usize>> = images.iter().map(|input| input.spec.spatial()).collect();
        for (number, (name, boxes)) in parts.iter().enumerate() {
            sets.push((name.clone(), false, boxes.clone()));
            let random = random_boxes(boxes, &spatial, settings.seed, number as u64);
            sets.push((format!("random, as {name}"), true, random));
        }
        self.compare_masks(images, sets, layers, settings)
    }

    /// The same with masks of any kind: per set its name, whether it is random, and a box per image.
    ///
    /// # Errors
    /// As [`Model::correspondence`].
    pub fn compare_masks(
        &self,
        images: &[Input],
        sets: Vec<(String, bool, Vec<Box>)>,
        layers: &[String],
        settings: &Settings,
    ) -> Result<Correspondence> {
        if images.len() < 2 || layers.is_empty() {
            return Err(Error::argument(format!(
                "{} images and {} layers are not enough to compare",
                images.len(),
                layers.len()
            ))
            .with_hint("the analysis compares two images or more, at one layer or more"));
        }
        // Two features that a mask leaves alone must be the same to the last bit, or their sign is noise: a full run's bits are needed.
        let mut settings = settings.clone();
        if settings.engine == EngineChoice::Incremental {
            settings.engine = EngineChoice::Gather;
        }
        settings.approximate = None;
        let settings = &settings;
        // [set][layer][image] -> change of the features.
        let mut changes = vec![vec![Vec::with_capacity(images.len()); layers.len()]; sets.len()];
        let mut runtime = String::new();
        for (place, input) in images.iter().enumerate() {
            if !input.beside.is_empty() {
                return Err(Error::unsupported("the analysis is for models of one input"));
            }
            let scorer = self.scorer(&self.specs(input)?, None, layers, settings)?;
            runtime = scorer.runtime();
            let untouched = scorer.untouched(&[&input.values])?;
            for (set, (name, _, boxes)) in sets.iter().enumerate() {
                let hidden = boxes.get(place).ok_or_else(|| {
                    Error::argument(format!("the part \"{name}\" has no box in {}", input.file.name))
                })?;
                let masked = self.masked(scorer.as_ref(), input, hidden, settings)?;
                for (layer, (before, after)) in untouched.values.iter().zip(&masked).enumerate() {
                    let change: Vec<f32> = before.iter().zip(after).map(|(b, a)| b - a).collect();
                    if let Some(wrong) = change.iter().position(|c| !c.is_finite()) {
                        return Err(Error::number(format!(
                            "element {wrong} of layer \"{}\" is not finite for {}",
                            layers[layer], input.file.name
                        )));
                    }
                    changes[set][layer].push(change);
                }
            }
        }
        for (layer, name) in layers.iter().enumerate() {
            let sizes: Vec<usize> =
                changes.first().map_or(Vec::new(), |set| set[layer].iter().map(Vec::len).collect());
            if sizes.windows(2).any(|pair| pair[0] != pair[1]) {
                return Err(Error::argument(format!(
                    "layer \"{name}\" has {sizes:?} features in the images, expected the same number in all"
                ))
                .with_hint(
                    "images of one size give layers of one size; --preprocess crop=HxW makes them so",
                ));
            }
        }
        let masks = sets
            .into_iter()
            .zip(changes)
            .map(|((name, is_random, boxes), changes)| {
                let layers = changes.iter().map(|of_layer| Consistency::of(of_layer)).collect();
                SetOfMasks { name, is_random, boxes, layers, changes }
            })
            .collect();
        Ok(Correspondence {
            images: images.iter().map(|input| input.file.name.clone()).collect(),
            layers: layers.to_vec(),
            masks,
            fill: settings.fill_for(&images[0].spec).to_string(),
            seed: settings.seed,
            runtime,
        })
    }

    /// The layers with one box hidden.
    fn masked(
        &self,
        scorer: &dyn Scorer,
        input: &Input,
        hidden: &Box,
        settings: &Settings,
    ) -> Result<Vec<Vec<f32>>> {
        let grid = single(&input.spec, hidden)?;
        let colour = |rgb: [f32; 3]| input.tensor_colour(rgb).unwrap_or_default();
        let occlusion = self.occlusion().with(settings);
        let read_image = occlusion.image_reader(input);
        let sizes: Vec<usize> = hidden.iter().map(Range::len).collect();
        let context = FillContext {
            window: &sizes,
            seed: settings.seed,
            rgb_to_tensor: input.preprocess.is_some().then_some(&colour as &dyn Fn([f32; 3]) -> Vec<f32>),
            read_image: Some(&read_image),
        };
        let fill = settings.fill_for(&input.spec).resolve(&input.values, &input.spec, &context)?;
        let occluder = Occluder::new(input.values.clone(), input.spec.clone(), Windows::Grid(grid), fill);
        let mut masked = Vec::new();
        scorer.score(&occluder, &[0], &mut |_, outputs| {
            masked = outputs.iter().map(|values| values.to_vec()).collect();
            ControlFlow::Continue(())
        })?;
        Ok(masked)
    }
}

/// The grid whose only window is this box.
fn single(spec: &TensorSpec, hidden: &Box) -> Result<Grid> {
    let lengths = spec.spatial();
    let fits = hidden.len() == lengths.len()
        && hidden.iter().zip(&lengths).all(|(range, &n)| range.start < range.end && range.end <= n);
    if !fits {
        return Err(Error::argument(format!("the box {hidden:?} does not lie in an input of {lengths:?}")));
    }
    let axis = |((i, tensor_axis), range): ((usize, usize), &Range<usize>)| GridAxis {
        role: AxisRole::Spatial(i),
        tensor_axis,
        length: lengths[i],
        window: range.len(),
        stride: 1,
        starts: vec![range.start],
        ends: vec![range.end],
        region: 0..lengths[i],
    };
    let axes = spec.spatial_axes().into_iter().enumerate().zip(hidden).map(axis).collect();
    Ok(Grid { axes, border: Border::Drop, input_shape: spec.shape.clone() })
}

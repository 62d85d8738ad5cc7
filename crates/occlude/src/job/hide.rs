//! From settings and an input to what a run hides: the windows, and the occluder that writes them.
//!
//! In: [`Settings`], an [`Input`] with the other inputs of the model beside it. Out: [`Windows`] and an [`Occluder`] in the order of the model's inputs. No model is run here.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::input::{Input, labels_of, read_labels, read_region_names};
use crate::occlusion::{
    FillContext, FillValues, Grid, OccludedInput, Occluder, RandomMasks, ReadImage, Regions, Shape, Windows,
};
use crate::settings::{GivenArray, Masks, Preset, RegionLabels, RegionNames, Settings};
use crate::tensor::{TensorSpec, shape_text};

/// The windows that these settings lay over an input.
///
/// # Errors
/// Argument: sizes, steps or a region that do not fit the input.
pub(crate) fn windows(settings: &Settings, input: &Input) -> Result<Windows> {
    let settings = settings.in_elements(input)?;
    let settings = settings.as_ref();
    if settings.regions.is_some() && settings.masks.is_some() {
        let preset = settings.preset.filter(|preset| *preset == Preset::Rise);
        let whose = preset.map_or(String::new(), |preset| format!(" (of the preset {})", preset.name()));
        return Err(Error::argument(format!(
            "regions and random masks{whose} both say what is hidden, expected one of them"
        ))
        .with_hint("leave out --regions or --masks"));
    }
    if settings.region_names.is_some() && settings.regions.is_none() {
        return Err(Error::argument("names of regions are given, and no regions")
            .with_hint("--regions gives the label image that they belong to"));
    }
    if let Some(labels) = &settings.regions {
        return regions(labels, settings, input);
    }
    if let Some(masks) = &settings.masks {
        return random_masks(masks, settings, input);
    }
    let sizes = settings.windows_for(&input.spec)?;
    let strides = settings.strides_for(&sizes, &input.spec)?;
    let mut grids: Vec<Grid> = sizes
        .iter()
        .zip(&strides)
        .map(|(window, stride)| {
            Grid::new(&input.spec, window, stride, settings.border, settings.roi.as_deref())
        })
        .collect::<Result<_>>()?;
    let roles = |grid: &Grid| grid.axes.iter().map(|axis| axis.role).collect::<Vec<_>>();
    if grids.iter().any(|grid| roles(grid) != roles(&grids[0])) {
        return Err(Error::argument("some windows have their own size along the channels, others do not")
            .with_hint("give all of them one, or none: 1x16x16,1x32x32"));
    }
    Ok(match grids.len() {
        1 => Windows::Grid(grids.remove(0)),
        _ => Windows::Scales(grids),
    })
}

fn regions(labels: &RegionLabels, settings: &Settings, input: &Input) -> Result<Windows> {
    if settings.window.is_some() || settings.stride.is_some() || settings.roi.is_some() {
        return Err(Error::argument(
            "regions have their own form: window, stride and region of interest do not go with them",
        )
        .with_hint("leave them out, or leave out --regions"));
    }
    let names = match &settings.region_names {
        Some(RegionNames::File(path)) => read_region_names(path)?,
        Some(RegionNames::Given(names)) => names.clone(),
        None => BTreeMap::new(),
    };
    let (labels, shown) = match labels {
        RegionLabels::File(path) => (read_labels(path, input)?, path.display().to_string()),
        RegionLabels::Given(array) => (labels_of(array, input)?, GivenArray::<i64>::SHOWN.to_string()),
    };
    let regions = Regions::new(&labels, &input.spec, &names).map_err(|e| e.in_context(shown))?;
    Ok(Windows::Regions(regions))
}

fn random_masks(masks: &Masks, settings: &Settings, input: &Input) -> Result<Windows> {
    if settings.window.is_some() || settings.stride.is_some() || settings.roi.is_some() {
        return Err(Error::argument(
            "random masks cover the whole input: window, stride and region of interest do not go with them",
        )
        .with_hint("leave them out, or leave out --masks"));
    }
    if settings.shape != Shape::Box {
        return Err(Error::argument("random masks have their own form: a shape does not go with them"));
    }
    let spatial = input.spec.spatial();
    let masks = match masks {
        Masks::Drawn { count, cells, keep } => {
            RandomMasks::new(&spatial, *cells, *keep, *count, settings.seed)?
        }
        Masks::File(path) => {
            let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
            RandomMasks::read(&bytes, path, &spatial, None)?
        }
        Masks::Given(array) => RandomMasks::given(array, &spatial, None)?,
    };
    Ok(Windows::Masks(masks, input.spec.clone()))
}

/// Refuses windows that cannot be inpainted, before a run.
fn check_inpainting(occluder: &Occluder) -> Result<()> {
    for (number, input) in occluder.inputs().iter().enumerate() {
        let (Some(FillValues::Inpaint(inpaint)) | Some(FillValues::InpaintLevels { inpaint, .. })) =
            &input.fill
        else {
            continue;
        };
        let places: usize = input.spec.spatial().iter().product();
        for window in 0..occluder.windows().len() {
            let Some(ranges) = occluder.region(window, number) else { continue };
            let covered: usize =
                input.spec.spatial_axes().into_iter().map(|axis| ranges[axis].len()).product();
            let share = occluder.windows().share(window);
            let hidden: Option<Vec<bool>> =
                share.map(|share| share.iter().map(|&weight| weight > 0.0).collect());
            let hides_all =
                covered == places && hidden.as_ref().is_none_or(|hidden| hidden.iter().all(|h| *h));
            // The first says whether the input can be inpainted at all; of the others only those matter that leave nothing to see.
            if window == 0 || hides_all {
                inpaint
                    .fill_box(&input.values, &input.spec, &ranges, hidden.as_deref())
                    .map_err(|e| e.in_context(occluder.windows().describe(window)))?;
            }
        }
    }
    Ok(())
}

/// The occluder of these inputs, in the order of `specs`; `seed` draws the noise.
///
/// # Errors
/// Argument: an input that the model does not have or that is missing, settings that do not fit. File: a fill that is a picture which cannot be read.
pub(crate) fn occluder(
    settings: &Settings,
    specs: &[TensorSpec],
    input: &Input,
    seed: u64,
    read_image: Option<&ReadImage<'_>>,
) -> Result<Occluder> {
    let windows = windows(settings, input)?;
    occluder_of(windows.clone(), &windows, settings, specs, input, seed, read_image)
}

/// Like [`occluder`], of other windows than those of the settings; the fill is what it is in `run`, the settings' own windows.
///
/// # Errors
/// Those of [`occluder`].
pub(crate) fn occluder_of(
    windows: Windows,
    run: &Windows,
    settings: &Settings,
    specs: &[TensorSpec],
    input: &Input,
    seed: u64,
    read_image: Option<&ReadImage<'_>>,
) -> Result<Occluder> {
    let mut inputs = Vec::with_capacity(specs.len());
    let mut lead = None;
    for spec in specs {
        let (values, is_hidden) = if spec.name == input.spec.name {
            lead = Some(inputs.len());
            (&input.values, true)
        } else {
            let beside =
                input.beside.iter().find(|beside| beside.spec.name == spec.name).ok_or_else(|| {
                    Error::argument(format!("the model's input {spec} is not given"))
                        .with_hint(format!("--with {}=FILE gives it", spec.name))
                })?;
            (&beside.values, beside.is_hidden)
        };
        if values.len() != spec.len() {
            return Err(Error::argument(format!(
                "the input \"{}\" has {} values, the model was prepared for {spec}",
                spec.name,
                values.len()
            )));
        }
        if is_hidden && spec.spatial() != input.spec.spatial() {
            return Err(Error::argument(format!(
                "windows cannot hide {spec} together with {}: their places are {} and {}",
                input.spec,
                shape_text(&spec.spatial()),
                shape_text(&input.spec.spatial())
            ))
            .with_hint("inputs of different sizes are hidden one at a time"));
        }
        let fill = is_hidden.then(|| fill(settings, input, spec, values, run, seed, read_image));
        inputs.push(OccludedInput { spec: spec.clone(), values: values.clone(), fill: fill.transpose()? });
    }
    let lead = lead.filter(|&lead| specs[lead] == input.spec).ok_or_else(|| {
        let wanted: Vec<String> = specs.iter().map(TensorSpec::to_string).collect();
        Error::argument(format!(
            "the input is {}, the model was prepared for {}",
            input.spec,
            wanted.join(" and ")
        ))
    })?;
    let has_own_channels = windows.elements().axes.len() > input.spec.spatial().len();
    if has_own_channels && inputs.iter().filter(|input| input.fill.is_some()).count() > 1 {
        return Err(Error::argument(
            "windows that hide some channels only cannot hide several inputs together",
        )
        .with_hint("leave out the size along the channels, or hide one input at a time"));
    }
    let occluder = Occluder::of_inputs(inputs, lead, windows, settings.shape);
    check_inpainting(&occluder)?;
    Ok(occluder)
}

fn fill(
    settings: &Settings,
    input: &Input,
    spec: &TensorSpec,
    values: &[f32],
    windows: &Windows,
    seed: u64,
    read_image: Option<&ReadImage<'_>>,
) -> Result<FillValues> {
    let colour = |rgb: [f32; 3]| input.tensor_colour(rgb).unwrap_or_default();
    let is_lead = spec.name == input.spec.name;
    let is_picture = is_lead && input.preprocess.is_some();
    let window = windows.nominal(spec.spatial().len());
    let context = FillContext {
        window: &window,
        seed,
        rgb_to_tensor: is_picture.then_some(&colour as &dyn Fn([f32; 3]) -> Vec<f32>),
        read_image: read_image.filter(|_| is_lead),
    };
    settings.fill_for(spec).resolve(values, spec, &context)
}

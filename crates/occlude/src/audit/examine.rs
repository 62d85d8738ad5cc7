//! One image of an audit: its bytes and annotation in, its rows out.
//!
//! In: a [`Model`], settings, an image with what the data set says about it. Out: a [`Row`] per target. This is what every front runs, so that their rows are the same. The judgement itself is `judge`'s.

use std::path::Path;

use super::dataset::{Annotated, is_volume};
use super::frame;
use super::row::Row;
use super::summary::Shown;
use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::input::{Input, read_labels};
use crate::job::{Outlook, Watch};
use crate::judge::{Finding, JudgeOptions, Object};
use crate::map::{Map, MapTarget};
use crate::model::{Model, Occlusion};
use crate::model_folder::Labels;
use crate::settings::Settings;
use crate::target::Target;

/// An image with what is said about it.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Its name in the data set.
    pub name: &'a str,
    /// The file's bytes: a picture, a `.npy` tensor, or a volume.
    pub bytes: &'a [u8],
    /// The file; `None` for bytes in memory, which are no volume.
    pub path: Option<&'a Path>,
    /// The classes that it shows, as the data set calls them.
    pub classes: &'a [String],
    /// Its objects.
    pub objects: &'a [Annotated],
    /// The object where it has none: `[x0, y0, x1, y1]` as shares of the image.
    pub everywhere: Option<[f64; 4]>,
}

/// What is measured and how it is judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// Windows, fill, target, score.
    pub settings: Settings,
    /// Verdict, control, pointing game.
    pub judge: JudgeOptions,
    /// The targets are the classes that the data set says an image shows, instead of the settings' target.
    pub of_data_set: bool,
}

impl Sample<'_> {
    /// The image as the model's input.
    pub(super) fn read(&self, model: &Model) -> Result<Input> {
        match self.path.filter(|path| is_volume(path)) {
            Some(path) => model.read_input(path),
            None => model.read_bytes_input(self.bytes, self.name),
        }
    }

    /// By what a row is known again: SHA-256 of the image's bytes and of its annotation.
    pub fn key(&self) -> String {
        let mut text = sha256_hex(self.bytes);
        for class in self.classes {
            text.push_str(&format!("\nclass {class:?}"));
        }
        for object in self.objects {
            text.push_str(&format!("\nobject {:?} {:?}", object.class, object.bounds));
            if let Some(mask) = &object.mask {
                // A mask that cannot be read is an error of the row, and its key another one as soon as it can.
                let bytes = std::fs::read(mask).unwrap_or_default();
                text.push_str(&format!(" mask {}", sha256_hex(&bytes)));
            }
        }
        if let (Some(shares), true) = (self.everywhere, self.objects.is_empty()) {
            text.push_str(&format!("\neverywhere {shares:?}"));
        }
        sha256_hex(text.as_bytes())
    }
}

/// The rows of an image: one per target. `None` if it was stopped.
///
/// # Errors
/// File: bytes that are no picture, a mask that cannot be read. Argument: a class of the data set that the model does not have (if targets are asked for by it), an object that is no part of what the model sees, and what
/// [`Occlusion::judge`](crate::Occlusion::judge) says.
fn examine(
    model: &Model,
    question: &Question,
    sample: &Sample<'_>,
    key: &str,
    watch: &Watch<'_>,
) -> Result<Option<Vec<Row>>> {
    let input = sample.read(model)?;
    let labels = &model.configuration().labels;
    let mut settings = question.settings.clone();
    if question.of_data_set {
        settings.target = target_of(sample.classes, labels)?;
    }
    let run = model.occlusion().with(&settings);
    let outlook = run.outlook(&input)?;
    let groups = groups(sample, &outlook.targets, labels);
    let mut rows: Vec<Option<Row>> = vec![None; outlook.targets.len()];
    for group in groups {
        let mut settings = settings.clone();
        if group.targets.len() < outlook.targets.len() {
            settings.target = only(&outlook.targets, &group.targets);
        }
        let run = model.occlusion().with(&settings);
        let Some(found) = examine_group(&run, question, sample, &input, &group, watch)? else {
            return Ok(None);
        };
        for (number, mut row) in group.targets.into_iter().zip(found) {
            describe(&mut row, sample, key, &outlook, labels);
            rows[number] = Some(row);
        }
    }
    let rows: Option<Vec<Row>> = rows.into_iter().collect();
    rows.map(Some)
        .ok_or_else(|| Error::model(format!("{}: a target was found once and not again", sample.name)))
}

/// The rows that an audit keeps of an image; a failure is a row with its error. `None` if it was stopped.
pub fn rows_of(
    model: &Model,
    question: &Question,
    sample: &Sample<'_>,
    watch: &Watch<'_>,
) -> Option<Vec<Row>> {
    keyed_rows(model, question, sample, &sample.key(), watch)
}

/// The same, where the key is known: it takes the whole image to make it.
pub(super) fn keyed_rows(
    model: &Model,
    question: &Question,
    sample: &Sample<'_>,
    key: &str,
    watch: &Watch<'_>,
) -> Option<Vec<Row>> {
    match examine(model, question, sample, key, watch) {
        Ok(rows) => rows,
        Err(error) => Some(vec![Row::failed(sample.name, key, sample.classes, &error)]),
    }
}

/// Targets that are judged by the same objects.
struct Group {
    targets: Vec<usize>,
    /// Which of the sample's objects; `None` where there are none and the whole data set's object counts, or none at all.
    objects: Option<Vec<usize>>,
    object_is: Option<&'static str>,
}

/// Which objects each target is judged by: those of its class, and all of them where none is.
fn groups(sample: &Sample<'_>, targets: &[MapTarget], labels: &Labels) -> Vec<Group> {
    let all: Vec<usize> = (0..targets.len()).collect();
    if sample.objects.is_empty() {
        let object_is = sample.everywhere.map(|_| "everywhere");
        return vec![Group { targets: all, objects: None, object_is }];
    }
    let classes: Vec<Option<usize>> =
        sample.objects.iter().map(|object| class_of(object.class.as_deref()?, labels)).collect();
    let mut groups: Vec<Group> = Vec::new();
    for target in all {
        let of_class: Vec<usize> = match targets[target].class {
            Some(class) => (0..classes.len()).filter(|&object| classes[object] == Some(class)).collect(),
            None => Vec::new(),
        };
        let (objects, object_is) = match of_class.is_empty() {
            true => ((0..sample.objects.len()).collect(), "all"),
            false => (of_class, "class"),
        };
        match groups
            .iter_mut()
            .find(|group| group.objects.as_ref() == Some(&objects) && group.object_is == Some(object_is))
        {
            Some(group) => group.targets.push(target),
            None => groups.push(Group {
                targets: vec![target],
                objects: Some(objects),
                object_is: Some(object_is),
            }),
        }
    }
    groups
}

/// Some of the targets, asked for again by what they were.
fn only(targets: &[MapTarget], wanted: &[usize]) -> Target {
    let again = |&number: &usize| Target::parse(&targets[number].spec).ok();
    let mut parts: Vec<Target> = wanted.iter().filter_map(again).collect();
    match parts.len() {
        1 => parts.remove(0),
        _ => Target::List(parts),
    }
}

/// The targets that the classes of the data set are.
fn target_of(classes: &[String], labels: &Labels) -> Result<Target> {
    let find = |class: &String| {
        class_of(class, labels).map(Target::Class).ok_or_else(|| {
            Error::argument(format!("the data set's class \"{class}\" is no class of the model"))
                .with_hint("classes are found by name or index; a config.json with id2label beside the model gives names")
        })
    };
    let mut targets = classes.iter().map(find).collect::<Result<Vec<Target>>>()?;
    match targets.len() {
        0 => Err(Error::argument("the data set does not say which class the image shows")
            .with_hint("--target top1 measures what the model sees")),
        1 => Ok(targets.remove(0)),
        _ => Ok(Target::List(targets)),
    }
}

/// The model's class that a data set's name means: a name or one of its synonyms, `_` or `-` read as spaces too, or an index.
pub(super) fn class_of(name: &str, labels: &Labels) -> Option<usize> {
    if let Ok(class) = labels.find(name) {
        return Some(class);
    }
    if let Ok(class) = name.trim().parse::<usize>() {
        return (labels.is_empty() || class < labels.len()).then_some(class);
    }
    labels.find(&name.replace(['_', '-'], " ")).ok()
}

/// What is shown of a row: its image with the places of the object, and its map made again.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    pub(crate) map: Option<Map>,
    pub(crate) input: Input,
    pub(crate) inside: Option<Vec<bool>>,
}

/// Looks at the image of a row again, and makes its map if that is wanted; `None` if it was stopped.
///
/// # Errors
/// See [`examine`].
pub(super) fn examine_again(
    model: &Model,
    question: &Question,
    sample: &Sample<'_>,
    row: &Shown,
    wants_map: bool,
    watch: &Watch<'_>,
) -> Result<Option<Again>> {
    let input = sample.read(model)?;
    let mut settings = question.settings.clone();
    settings.target = Target::parse(&row.target_spec)?;
    let run = model.occlusion().with(&settings);
    let outlook = run.outlook(&input)?;
    let group = groups(sample, &outlook.targets, &model.configuration().labels).swap_remove(0);
    let object = object_of(sample, &group, &input)?;
    let inside = object.map(|object| object.places(&input.spec, &input.geometry)).transpose()?;
    let mut map = None;
    if wants_map {
        let made = run.run_watched(&input, &mut Watch { cancel: watch.cancel, ..Watch::default() })?;
        if !made.is_complete() {
            return Ok(None);
        }
        map = Some(made);
    }
    Ok(Some(Again { map, input, inside }))
}

/// The rows of targets that are judged by the same objects.
fn examine_group(
    run: &Occlusion<'_>,
    question: &Question,
    sample: &Sample<'_>,
    input: &Input,
    group: &Group,
    watch: &Watch<'_>,
) -> Result<Option<Vec<Row>>> {
    let mut watch = Watch { cancel: watch.cancel, ..Watch::default() };
    let Some(object) = object_of(sample, group, input)? else {
        let map = run.run_watched(input, &mut watch)?;
        if !map.is_complete() {
            return Ok(None);
        }
        return Ok(Some(rows_of_map(&map)));
    };
    let Some(found) = run.judge_watched(input, &object, &question.judge, &mut watch)? else {
        return Ok(None);
    };
    if !found.map.is_complete() {
        return Ok(None);
    }
    let (share, spatial) = (found.object_share(), found.map.input.spatial());
    let places: Vec<f32> = found.inside.iter().map(|&inside| f32::from(u8::from(inside))).collect();
    let rows = rows_of_map(&found.map).into_iter().zip(&found.targets).map(|(mut row, finding)| {
        add_finding(&mut row, finding);
        row.object_share = Some(share);
        row.frame_object = frame::shares(&places, &spatial);
        row.object_is = group.object_is.map(str::to_string);
        row
    });
    Ok(Some(rows.collect()))
}

/// The object of a group in places of the input; `None` where nobody says where it is.
fn object_of(sample: &Sample<'_>, group: &Group, input: &Input) -> Result<Option<Object>> {
    let Some(numbers) = &group.objects else {
        let Some([x0, y0, x1, y1]) = sample.everywhere else { return Ok(None) };
        let [height, width] = input.geometry.source_size[..] else {
            return Err(Error::argument(
                "an object for all images is a box of a picture, the input has another number of axes",
            ));
        };
        let (height, width) = (height as f64, width as f64);
        return Ok(Some(Object::SourceBoxes(vec![vec![y0 * height..y1 * height, x0 * width..x1 * width]])));
    };
    let (mut boxes, mut inside) = (Vec::new(), vec![false; input.spec.spatial().iter().product()]);
    for &number in numbers {
        let object = &sample.objects[number];
        match (&object.mask, object.bounds) {
            (Some(mask), _) => mark(&mut inside, mask, input)?,
            (None, Some([x0, y0, x1, y1])) => boxes.push(vec![y0..y1, x0..x1]),
            (None, None) => {}
        }
    }
    if !boxes.is_empty() {
        match Object::SourceBoxes(boxes).places(&input.spec, &input.geometry) {
            Ok(places) => inside.iter_mut().zip(places).for_each(|(inside, place)| *inside |= place),
            // Masks may hold what boxes have lost to the crop.
            Err(error) if !inside.contains(&true) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(Some(Object::Mask(inside)))
}

fn mark(inside: &mut [bool], mask: &Path, input: &Input) -> Result<()> {
    let labels = read_labels(mask, input)?;
    inside.iter_mut().zip(labels).for_each(|(inside, label)| *inside |= label != 0);
    Ok(())
}

/// What a map says without an object.
fn rows_of_map(map: &Map) -> Vec<Row> {
    let spatial = map.input.spatial();
    let places: usize = spatial.iter().product();
    let evidence = map.evidence_of_places();
    let row = |(target, evidence): (&MapTarget, &[f32])| Row {
        target: Some(target.label.clone()),
        target_spec: Some(target.spec.clone()),
        class_index: target.class.map(|class| class as i64),
        unit: Some(target.unit.clone()),
        baseline: Some(f64::from(target.baseline)),
        windows: Some(map.windows.len() as i64),
        frame: frame::shares(evidence, &spatial),
        frame_shape: frame::shape_of(&spatial).into_iter().map(|cells| cells as i64).collect(),
        notes: map.notes.clone(),
        ..Row::default()
    };
    map.targets.iter().zip(evidence.chunks_exact(places.max(1))).map(row).collect()
}

/// What was found about the object.
fn add_finding(row: &mut Row, finding: &Finding) {
    let direct = &finding.direct;
    row.verdict = Some(finding.verdict.to_string());
    row.reasons = finding.reasons.clone();
    row.gain = direct.gain;
    row.score_object_hidden = Some(direct.object_hidden.score);
    row.score_object_alone = Some(direct.object_alone.score);
    row.score_all_hidden = direct.all_hidden.as_ref().map(|shown| shown.score);
    if let Some(shares) = direct.shares {
        row.share = Some(shares.share);
        row.lost_without = Some(shares.lost_without);
        row.kept_alone = Some(shares.kept_alone);
        row.interaction = Some(shares.interaction);
    }
    if let Some(share) = direct.control.as_ref().and_then(|control| control.share) {
        row.elsewhere_share = Some(share.mean);
        row.elsewhere_deviation = Some(share.deviation);
    }
    if let Some(evidence) = &finding.evidence {
        row.share_inside = evidence.share_inside.map(|judged| judged.value);
        row.share_inside_uniform = evidence.share_inside.map(|judged| judged.uniform);
        let hit = evidence.pointing.as_ref().map(|pointing| pointing.hit);
        row.pointing_hit = hit.map(|judged| judged.value);
        row.pointing_hit_uniform = hit.map(|judged| judged.uniform);
        row.rank_accuracy = evidence.rank_accuracy.map(|judged| judged.value);
        row.density_ratio = evidence.density_ratio.map(|judged| judged.value);
        row.notes.extend(evidence.notes.iter().cloned());
    }
}

/// What is said about the image itself.
fn describe(row: &mut Row, sample: &Sample<'_>, key: &str, outlook: &Outlook, labels: &Labels) {
    row.path = sample.name.to_string();
    row.key = key.to_string();
    row.classes = sample.classes.to_vec();
    if let Some(top) = &outlook.most_probable {
        row.most_probable = Some(labels.short(top.class));
        row.most_probable_class = Some(top.class as i64);
        row.probability = Some(f64::from(top.probability));
        let known: Vec<Option<usize>> = sample.classes.iter().map(|class| class_of(class, labels)).collect();
        // One name that the model does not know may be the very class that it says.
        row.correct = match known.contains(&Some(top.class)) {
            true => Some(true),
            false if known.is_empty() || known.contains(&None) => None,
            false => Some(false),
        };
    }
}

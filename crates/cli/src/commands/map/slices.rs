//! All slices of a volume through a model of pictures: a map each, joined into one volume over the scan.
//!
//! In: the call and the volume's file. Out: one `.nii` or `.nii.gz` file, and lines about the slices that hiding changes most. An interrupted run keeps the slices that it has.

use std::path::Path;
use std::sync::atomic::Ordering;

use occlude::output::encode_slices;
use occlude::{Error, Map, Result, Target, Watch};

use super::{Call, talk};
use crate::printer::seconds;
use crate::progress::Bar;
use crate::{Printer, interrupt};

/// Slices listed.
const TOP: usize = 5;

impl Call<'_> {
    pub(super) fn all_slices(&self, index: usize, path: &Path, printer: &Printer) -> Result<()> {
        let what = &self.arguments.what;
        if !what.with.is_empty() || what.hide.is_some() {
            return Err(Error::argument("all slices of a volume are the model's only input")
                .with_hint("leave out --with and --hide, or take one slice: --slice axial:80"));
        }
        if self.arguments.output.iter().any(|output| output == "-")
            || self.outputs.files(index).any(|file| !is_volume(file))
        {
            return Err(Error::argument(
                "all slices of a volume make one map volume, which only .nii and .nii.gz hold",
            )
            .with_hint("-o map.nii.gz; or one slice at a time: --slice axial:80 -o map.html"));
        }
        let inputs = self.model.read_all_inputs(path)?;
        let Some(first) = inputs.first() else { return Ok(()) };
        talk::input(path, first, printer);
        printer.say("slices", &format!("{}, a map each", inputs.len()));
        if self.settings.target == Target::Top1 {
            printer.say("note", "every slice is asked for its own most probable class (--target to fix one)");
        }
        let occlusion = self.model.occlusion().with(self.settings);
        talk::plan(&occlusion.hidden(first)?, first, self.settings, &crate::args::given_what(what), printer);
        let stop = interrupt::flag()?;
        let mut maps: Vec<Map> = Vec::with_capacity(inputs.len());
        let mut failure = None;
        for input in &inputs {
            let bar = Bar::new(printer);
            let mut show = |progress: &occlude::Progress| bar.show(progress);
            let mut watch = Watch { cancel: Some(stop), progress: Some(&mut show), ..Watch::default() };
            match occlusion.run_watched(input, &mut watch) {
                Ok(map) if map.computed > 0 => maps.push(map),
                Ok(_) => {}
                Err(error) => failure = Some(error),
            }
            if stop.load(Ordering::Relaxed) || failure.is_some() {
                break;
            }
        }
        if maps.len() < inputs.len() {
            printer.warn(&format!(
                "{} of {} slices were computed; the others are 0 in the volume",
                maps.len(),
                inputs.len()
            ));
        }
        self.say_slices(&maps, printer);
        if self.arguments.json {
            for map in &maps {
                printer.line(&talk::summary(map, path).to_string());
            }
        }
        if !maps.is_empty() {
            for written in self.outputs.write_encoded(index, &|format| encode_slices(&maps, format))? {
                talk::written(&written, printer);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn say_slices(&self, maps: &[Map], printer: &Printer) {
        let secs: f64 = maps.iter().map(|map| map.provenance.timings.windows_secs).sum();
        let windows: usize = maps.iter().map(|map| map.computed).sum();
        printer.say("windows", &format!("{windows} in {} slices · {}", maps.len(), seconds(secs)));
        let mut order: Vec<&Map> = maps.iter().collect();
        order.sort_by(|a, b| b.max_abs().total_cmp(&a.max_abs()));
        for map in order.into_iter().take(TOP) {
            let placement = map.geometry.placement.as_ref();
            let name =
                placement.and_then(|p| p.steps.last()).map_or("", |step| step.trim_start_matches("slice="));
            if let (Some(target), Some(summary)) = (map.targets.first(), map.summary(0)) {
                printer.say(
                    "slice",
                    &format!(
                        "{name} · {} · {} {:.4}, from {:+.4} to {:+.4} when a window is hidden",
                        target.label, target.unit, target.baseline, summary.max, summary.min
                    ),
                );
            }
        }
    }
}

fn is_volume(file: &Path) -> bool {
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

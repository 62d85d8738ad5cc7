//! Verifying a model on one input: the incremental runs that a map would use against full runs of the same engine, window by window.
//!
//! In: the settings of a run, an input. Out: a [`Verification`]. Both ways share the packed weights of one program, nothing else. How outputs are compared is in `job`.

use std::sync::PoisonError;

use super::Occlusion;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::job::{Job, Verification, Watch};
use crate::scorer::EngineScorer;
use crate::settings::{EngineChoice, Runtime};

impl Occlusion<'_> {
    /// Runs every window incrementally and in full, and compares outputs and maps.
    ///
    /// # Errors
    /// Argument: a runtime or an engine that has only full runs. Limit: memory that does not hold both. And as [`Job::verify`].
    pub fn verify(&self, input: &Input, watch: &mut Watch<'_>) -> Result<Verification> {
        let settings = self.settings();
        if settings.runtime == Runtime::Ort {
            return Err(Error::argument(
                "runtime \"ort\" has nothing to verify: it always runs the whole network",
            )
            .with_hint("leave it out; to compare the engine with ONNX Runtime, make a map with each"));
        }
        if settings.engine == EngineChoice::Full {
            return Err(Error::argument(
                "engine \"full\" has nothing to verify: full runs are what the others are compared with",
            )
            .with_hint("the engines to verify are incremental (the default) and gather"));
        }
        if settings.approximate.is_some() {
            return Err(Error::argument(
                "an approximate map cannot be verified: it differs from the full runs by intention",
            )
            .with_hint("leave out --approximate; `map` measures and reports the error of approximate maps"));
        }
        let input = &self.prepared(input)?;
        Job::windows(settings, input)?;
        let specs = self.model().specs(input)?;
        let resolved = self.resolve(input)?;
        let graph = match resolved.graph {
            Some(graph) => graph,
            None => self.model().import(&specs)?,
        };
        // The weights of an earlier run go before these come.
        *self.model().last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let options = self.model().engine_options(settings);
        let scorer = EngineScorer::new(graph, specs, &resolved.requests, options)?;
        let read_image = self.image_reader(input);
        let job = Job {
            scorer: &scorer,
            meaning: resolved.meaning,
            settings,
            read_image: Some(&read_image),
            model_file: self.model().fact.clone(),
            load_secs: self.model().load_secs,
        };
        let mut found = job.verify(&scorer.full_runs()?, input, watch)?;
        for map in [&mut found.map, &mut found.full] {
            map.notes.extend(resolved.notes.iter().cloned());
        }
        Ok(found)
    }
}

//! Zeiler and Fergus' figure of five panels on a model and an input: one projection, and one occlusion run for the three panels that are maps.
//!
//! In: settings of the windows, options of the experiment. Out: a [`Zeiler`]. The projection comes first: a layer that has no way back is refused before any window is run.

use super::Model;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::job::{Job, Watch};
use crate::score::ScoreKind;
use crate::settings::Settings;
use crate::target::{NodeReduce, Target};
use crate::zeiler::{Zeiler, ZeilerOptions, default_window, layer_of, project};

impl Model {
    /// Runs the experiment: panels (b) total activity of the strongest feature map, (c) the projection of its largest activation, (d) the probability of the correct class and
    /// (e) the most probable class, each map by the position of the occluder. Start from [`crate::zeiler::settings`]; the window defaults to a fifth of the shorter side;
    /// target, score and definition of the settings are set by the experiment.
    ///
    /// # Errors
    /// Argument: windows that do not fit, a layer or class that the model does not have. Unsupported: a layer without a way back to the input (by the node's name), a model without
    /// classes. And as [`Job::run`].
    pub fn zeiler(
        &self,
        input: &Input,
        settings: &Settings,
        options: &ZeilerOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Zeiler> {
        let mut settings = Settings {
            score: Some(ScoreKind::Probability),
            definition: crate::map::Definition::default(),
            ..settings.clone()
        };
        settings.window.get_or_insert_with(|| vec![vec![default_window(&input.spec)]]);
        let windows = Job::windows(&settings, input)?;
        if windows.grid().is_none() {
            return Err(Error::argument("the panels are maps on one grid of windows of one size")
                .with_hint("give one window size and no regions"));
        }
        let specs = self.specs(input)?;
        let graph = self.import(&specs)?;
        let values = |name: &str| -> &[f32] {
            let beside = input.beside.iter().find(|beside| beside.spec.name == name);
            beside.map_or(&input.values, |beside| &beside.values)
        };
        let inputs: Vec<&[f32]> = specs.iter().map(|spec| values(&spec.name)).collect();
        let hidden = specs.iter().position(|spec| spec.name == input.spec.name).unwrap_or(0);
        let (feature_map, projection) =
            project(&graph, &inputs, hidden, input.spec.layout, options.layer.as_deref(), options.strongest)?;
        drop(graph);
        let class = options.class.clone().unwrap_or(Target::Top1);
        let node = Target::Node {
            name: feature_map.layer.clone(),
            reduce: NodeReduce::Channel(feature_map.channel),
        };
        settings.target = Target::List(vec![class, node]);
        let map = self.occlusion().with(&settings).run_watched(input, watch)?;
        if map.targets.len() != 2 || map.targets[0].class.is_none() {
            let found: Vec<&str> = map.targets.iter().map(|target| target.label.as_str()).collect();
            return Err(Error::argument(format!(
                "the experiment needs one class, given are {}",
                found.join(", ")
            )));
        }
        Ok(Zeiler { map, feature_map, projection })
    }
    /// The model's name of the tensor of its top convolution layer: the last convolution with places, after its activation.
    ///
    /// # Errors
    /// Unsupported: a model without such a convolution. And what the importer says.
    pub fn top_convolution_layer(&self, input: &Input) -> Result<String> {
        let graph = self.import(&self.specs(input)?)?;
        Ok(graph.tensor(layer_of(&graph, None)?).name.clone())
    }
}

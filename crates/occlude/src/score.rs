//! From a model's vector of outputs to one number for one class: logit, probability, log-odds, margin, or the raw output.
//!
//! In: the outputs of one run and what they already are (logits, or the result of a final Softmax or Sigmoid). Out: the score, computed in f64 and
//! stable for large logits. Which class is asked for is not here (`target`).

use std::fmt;

use serde::Serialize;

/// The quantity measured of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScoreKind {
    /// The output before Softmax or Sigmoid.
    Logit,
    /// Softmax of the logits, or Sigmoid where classes do not exclude each other.
    Probability,
    /// `ln(p / (1 - p))`
    LogOdds,
    /// Logit of the class minus the greatest logit of any other class of the same run.
    Margin,
    /// The output as it is.
    Raw,
}

impl ScoreKind {
    /// All of them with their names.
    pub const ALL: [(ScoreKind, &'static str); 5] = [
        (ScoreKind::Logit, "logit"),
        (ScoreKind::Probability, "probability"),
        (ScoreKind::LogOdds, "log-odds"),
        (ScoreKind::Margin, "margin"),
        (ScoreKind::Raw, "raw"),
    ];
}

impl fmt::Display for ScoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ScoreKind::ALL.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name))
    }
}

/// What the last operator of the model made of the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Nothing known: the outputs are taken as logits.
    #[default]
    None,
    /// Probabilities that sum to one.
    Softmax,
    /// Their logarithms.
    LogSoftmax,
    /// Independent probabilities.
    Sigmoid,
}

/// How outputs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Readout {
    /// The quantity.
    pub kind: ScoreKind,
    /// What the outputs already are.
    pub activation: Activation,
    /// Classes do not exclude each other: Sigmoid instead of Softmax.
    pub multi_label: bool,
}

impl Readout {
    /// Unit of the score, in words.
    pub fn unit(&self) -> &'static str {
        match (self.kind, self.activation, self.multi_label) {
            (ScoreKind::Probability, ..) => "probability",
            (ScoreKind::Logit, Activation::Softmax | Activation::LogSoftmax, false) => "log probability",
            (ScoreKind::Logit, ..) => "logit",
            (ScoreKind::LogOdds, ..) => "log-odds",
            (ScoreKind::Margin, ..) => "logit margin",
            (ScoreKind::Raw, ..) => "output",
        }
    }

    /// The score of one class. It may be infinite where a probability was rounded to 0 or 1 by the model.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn score(&self, outputs: &[f32], class: usize) -> f32 {
        let raw = f64::from(outputs[class]);
        let score = match self.kind {
            ScoreKind::Raw => raw,
            ScoreKind::Probability => self.probability(outputs, class),
            ScoreKind::Logit => self.logit(outputs, class),
            ScoreKind::LogOdds if self.is_sigmoid() => self.logit(outputs, class),
            ScoreKind::LogOdds => self.log_odds_softmax(outputs, class),
            ScoreKind::Margin => {
                let best_other = (0..outputs.len())
                    .filter(|&other| other != class)
                    .map(|other| self.logit(outputs, other))
                    .fold(f64::NEG_INFINITY, f64::max);
                // One class alone has no rival: its margin is its logit.
                self.logit(outputs, class) - if outputs.len() > 1 { best_other } else { 0.0 }
            }
        };
        score as f32
    }

    fn is_sigmoid(&self) -> bool {
        self.multi_label || self.activation == Activation::Sigmoid
    }

    fn probability(&self, outputs: &[f32], class: usize) -> f64 {
        let raw = f64::from(outputs[class]);
        match self.activation {
            Activation::Softmax | Activation::Sigmoid => raw,
            Activation::LogSoftmax => raw.exp(),
            Activation::None if self.multi_label => 1.0 / (1.0 + (-raw).exp()),
            Activation::None => (raw - log_sum_exp(outputs, None)).exp(),
        }
    }

    fn logit(&self, outputs: &[f32], class: usize) -> f64 {
        let raw = f64::from(outputs[class]);
        match self.activation {
            Activation::None | Activation::LogSoftmax => raw,
            Activation::Softmax => raw.ln(),
            Activation::Sigmoid => (raw / (1.0 - raw)).ln(),
        }
    }

    /// `ln p - ln (1 - p)`, where `1 - p` is summed over the other classes and not subtracted.
    fn log_odds_softmax(&self, outputs: &[f32], class: usize) -> f64 {
        match self.activation {
            Activation::Softmax | Activation::Sigmoid => {
                let others: f64 = (0..outputs.len())
                    .filter(|&other| other != class)
                    .map(|other| f64::from(outputs[other]))
                    .sum();
                f64::from(outputs[class]).ln() - others.ln()
            }
            Activation::None | Activation::LogSoftmax => {
                f64::from(outputs[class]) - log_sum_exp(outputs, Some(class))
            }
        }
    }
}

/// `ln sum exp` over all outputs but `without`.
fn log_sum_exp(outputs: &[f32], without: Option<usize>) -> f64 {
    let members =
        || outputs.iter().enumerate().filter(|(i, _)| Some(*i) != without).map(|(_, &v)| f64::from(v));
    let max = members().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY { max } else { max + members().map(|v| (v - max).exp()).sum::<f64>().ln() }
}

/// Index of the greatest output, the first of equals.
pub fn argmax(outputs: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in outputs.iter().enumerate() {
        if *v > outputs[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(
        kind: ScoreKind,
        activation: Activation,
        multi_label: bool,
        outputs: &[f32],
        class: usize,
    ) -> f64 {
        f64::from(Readout { kind, activation, multi_label }.score(outputs, class))
    }

    #[test]
    fn large_logits_stay_finite() {
        let outputs = [1000.0, 990.0, -1000.0];
        let p = read(ScoreKind::Probability, Activation::None, false, &outputs, 1);
        assert!((p - (-10.0f64).exp() / (1.0 + (-10.0f64).exp())).abs() < 1e-9);
        assert!((read(ScoreKind::LogOdds, Activation::None, false, &outputs, 0) - 10.0).abs() < 1e-6);
        assert_eq!(read(ScoreKind::Margin, Activation::None, false, &outputs, 2), -2000.0);
        assert_eq!(read(ScoreKind::Probability, Activation::None, true, &outputs, 2), 0.0);
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    }

    proptest! {
        #[test]
        fn the_same_from_logits_and_from_what_a_final_layer_made_of_them(logits in proptest::collection::vec(-6.0f32..6.0, 2..6), pick in 0usize..6) {
            let class = pick % logits.len();
            let exps: Vec<f64> = logits.iter().map(|&v| f64::from(v).exp()).collect();
            let sum: f64 = exps.iter().sum();
            let soft: Vec<f32> = exps.iter().map(|e| (e / sum) as f32).collect();
            let log: Vec<f32> = exps.iter().map(|e| (e / sum).ln() as f32).collect();
            let sigmoid: Vec<f32> = exps.iter().map(|e| (e / (1.0 + e)) as f32).collect();
            for kind in [ScoreKind::Probability, ScoreKind::LogOdds, ScoreKind::Margin] {
                let expected = read(kind, Activation::None, false, &logits, class);
                prop_assert!((read(kind, Activation::Softmax, false, &soft, class) - expected).abs() < 1e-4);
                prop_assert!((read(kind, Activation::LogSoftmax, false, &log, class) - expected).abs() < 1e-4);
                let expected = read(kind, Activation::None, true, &logits, class);
                prop_assert!((read(kind, Activation::Sigmoid, true, &sigmoid, class) - expected).abs() < 2e-3);
            }
            let p = exps[class] / sum;
            prop_assert!((read(ScoreKind::Probability, Activation::None, false, &logits, class) - p).abs() < 1e-6);
            prop_assert!((read(ScoreKind::LogOdds, Activation::None, false, &logits, class) - (p / (1.0 - p)).ln()).abs() < 1e-4);
            prop_assert!((read(ScoreKind::Logit, Activation::Softmax, false, &soft, class) - p.ln()).abs() < 1e-4);
        }
    }
}

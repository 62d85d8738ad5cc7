//! From a model's vector of outputs to one number for one class: logit, probability, log-odds, margin, or the raw output.
//!
//! In: the outputs of one run and what they already are (logits, or the result of a final Softmax or Sigmoid). Out: the score, computed in f64 and
//! stable for large logits. What classes share (sums, the greatest) is computed once for all of them ([`Scores`]). Which class is asked for is not here (`target`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The quantity measured of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Whether the classes of an output exclude each other. This is a question about the outputs, never about the channels of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Classes {
    /// One of them is right: probability is Softmax.
    Exclusive,
    /// Each is a question of its own (multi-label): probability is Sigmoid.
    Independent,
}

impl Classes {
    /// Both with their names.
    pub const ALL: [(&'static str, Classes); 2] =
        [("exclusive", Classes::Exclusive), ("independent", Classes::Independent)];

    /// Whether this can be said of so many outputs that end in this activation.
    ///
    /// # Errors
    /// Argument: the activation says the opposite, or one output alone is said to exclude others.
    pub(crate) fn check(self, activation: Activation, count: usize) -> Result<()> {
        let wrong = match (self, activation) {
            (Classes::Independent, Activation::Softmax | Activation::LogSoftmax) => {
                format!(
                    "classes independent: the model ends in {activation:?}, which makes its {count} classes exclude each other"
                )
            }
            (Classes::Exclusive, Activation::Sigmoid) => {
                "classes exclusive: the model ends in Sigmoid, which makes its classes independent"
                    .to_string()
            }
            (Classes::Exclusive, Activation::None) if count == 1 => {
                "classes exclusive: the model has one output, and the Softmax of one number is always 1"
                    .to_string()
            }
            _ => return Ok(()),
        };
        Err(Error::argument(wrong).with_hint("leave out --classes: the model itself says it"))
    }
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
        self.scores(outputs).of(class)
    }

    /// All classes of one run, with what they share computed once.
    pub fn scores<'a>(&self, outputs: &'a [f32]) -> Scores<'a> {
        let mut scores = Scores {
            readout: *self,
            outputs,
            best: 0,
            second: f64::NEG_INFINITY,
            sum: 0.0,
            sum_without_best: 0.0,
        };
        if !self.is_local() {
            scores.share();
        }
        scores
    }

    /// Whether a class's score depends on its own output alone.
    pub(crate) fn is_local(&self) -> bool {
        match self.kind {
            ScoreKind::Raw | ScoreKind::Logit => true,
            ScoreKind::Probability => self.is_sigmoid() || self.activation != Activation::None,
            ScoreKind::LogOdds => self.is_sigmoid(),
            ScoreKind::Margin => false,
        }
    }

    fn is_sigmoid(&self) -> bool {
        self.multi_label || self.activation == Activation::Sigmoid
    }

    fn logit(&self, output: f32) -> f64 {
        let raw = f64::from(output);
        match self.activation {
            Activation::None | Activation::LogSoftmax => raw,
            Activation::Softmax => raw.ln(),
            Activation::Sigmoid => (raw / (1.0 - raw)).ln(),
        }
    }

    /// The output as a share of a sum over classes, which is 1 for probabilities.
    fn share(&self, output: f32, best: f32) -> f64 {
        match self.activation {
            Activation::None | Activation::LogSoftmax => (f64::from(output) - f64::from(best)).exp(),
            Activation::Softmax | Activation::Sigmoid => f64::from(output),
        }
    }
}

/// The outputs of one run, ready to give the score of any class.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    readout: Readout,
    outputs: &'a [f32],
    /// The class with the greatest output.
    best: usize,
    /// Greatest logit but the best class's.
    second: f64,
    /// Sum of shares: of all classes, and of all but the best.
    sum: f64,
    sum_without_best: f64,
}

impl Scores<'_> {
    fn share(&mut self) {
        self.best = argmax(self.outputs);
        let Some(&greatest) = self.outputs.get(self.best) else { return };
        for (class, &output) in self.outputs.iter().enumerate() {
            let share = self.readout.share(output, greatest);
            self.sum += share;
            if class != self.best {
                self.sum_without_best += share;
                self.second = self.second.max(self.readout.logit(output));
            }
        }
    }

    /// The score of one class. It may be infinite where a probability was rounded to 0 or 1 by the model.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn of(&self, class: usize) -> f32 {
        let (readout, output) = (&self.readout, self.outputs[class]);
        let score = match readout.kind {
            ScoreKind::Raw => f64::from(output),
            ScoreKind::Logit => readout.logit(output),
            ScoreKind::Probability => self.probability(output),
            ScoreKind::LogOdds if readout.is_sigmoid() => readout.logit(output),
            ScoreKind::LogOdds => self.log_odds(class),
            // One class alone has no rival: its margin is its logit.
            ScoreKind::Margin if self.outputs.len() == 1 => readout.logit(output),
            ScoreKind::Margin if class == self.best => readout.logit(output) - self.second,
            ScoreKind::Margin => readout.logit(output) - readout.logit(self.outputs[self.best]),
        };
        score as f32
    }

    fn probability(&self, output: f32) -> f64 {
        let raw = f64::from(output);
        match self.readout.activation {
            Activation::Softmax | Activation::Sigmoid => raw,
            Activation::LogSoftmax => raw.exp(),
            Activation::None if self.readout.multi_label => 1.0 / (1.0 + (-raw).exp()),
            Activation::None => {
                let log_sum = f64::from(self.outputs[self.best]) + self.sum.ln();
                (raw - log_sum).exp()
            }
        }
    }

    /// `ln p - ln (1 - p)`, where `1 - p` is the sum over the other classes: for all but the best class the best is one of them, so taking the class's
    /// own share off the sum of all loses nothing.
    fn log_odds(&self, class: usize) -> f64 {
        let greatest = self.outputs[self.best];
        let own = self.readout.share(self.outputs[class], greatest);
        let others = if class == self.best { self.sum_without_best } else { self.sum - own };
        match self.readout.activation {
            Activation::Softmax | Activation::Sigmoid => own.ln() - others.ln(),
            Activation::None | Activation::LogSoftmax => {
                f64::from(self.outputs[class]) - f64::from(greatest) - others.ln()
            }
        }
    }
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

    /// Every class by the definitions written out, one sum per class.
    #[test]
    fn what_classes_share_is_right_for_each_of_them() {
        let outputs = [2.0f32, -1.0, 5.0, 5.0, -30.0];
        let exps: Vec<f64> = outputs.iter().map(|&v| f64::from(v).exp()).collect();
        let sum: f64 = exps.iter().sum();
        for class in 0..outputs.len() {
            let others: f64 = exps.iter().enumerate().filter(|(i, _)| *i != class).map(|(_, e)| e).sum();
            let best_other = outputs.iter().enumerate().filter(|(i, _)| *i != class);
            let best_other = best_other.map(|(_, v)| f64::from(*v)).fold(f64::NEG_INFINITY, f64::max);
            for (kind, expected) in [
                (ScoreKind::Probability, exps[class] / sum),
                (ScoreKind::LogOdds, (exps[class] / others).ln()),
                (ScoreKind::Margin, f64::from(outputs[class]) - best_other),
                (ScoreKind::Raw, f64::from(outputs[class])),
            ] {
                let got = read(kind, Activation::None, false, &outputs, class);
                assert!((got - expected).abs() <= 1e-6 * expected.abs(), "{kind} {class}: {got}, {expected}");
            }
        }
        assert_eq!(read(ScoreKind::Margin, Activation::None, true, &[0.25], 0), 0.25);
    }

    #[test]
    fn what_is_said_of_classes_must_fit_the_outputs() {
        use Activation::{None, Sigmoid, Softmax};
        for (classes, activation, count, fits) in [
            (Classes::Independent, None, 3, true),
            (Classes::Independent, None, 1, true),
            (Classes::Independent, Sigmoid, 3, true),
            (Classes::Independent, Softmax, 3, false),
            (Classes::Exclusive, None, 3, true),
            (Classes::Exclusive, None, 1, false),
            (Classes::Exclusive, Sigmoid, 3, false),
            (Classes::Exclusive, Softmax, 3, true),
        ] {
            assert_eq!(classes.check(activation, count).is_ok(), fits, "{classes:?} {activation:?} {count}");
        }
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

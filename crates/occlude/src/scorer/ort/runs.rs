//! Batches through an ONNX Runtime session.
//!
//! In: examples one after the other, f32. Out: the requested tensors per example, f32 (16-bit and 64-bit floats are converted on both sides). An open batch axis gets
//! whole batches; where the model then fails (a batch of 1 baked into a Reshape) examples are looped. A fixed batch is filled up with the last example.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ::ort::session::{Session, SessionInputValue, SessionOutputs};
use ::ort::value::{DynValue, Tensor, TensorElementType, ValueType};
use half::{bf16, f16};

use super::super::Outputs;
use super::first_line;
use crate::error::{Error, Result};
use crate::tensor::TensorSpec;

/// One input of the session.
struct Port {
    name: String,
    /// Shape of one example without the batch axis.
    shape: Vec<usize>,
    element: TensorElementType,
}

/// A session with what is asked of it.
pub(super) struct Runs {
    session: Mutex<Session>,
    model: PathBuf,
    requests: Vec<String>,
    ports: Vec<Port>,
    fixed: Option<usize>,
    /// Batches have failed: one example at a time.
    loops: AtomicBool,
}

impl Runs {
    /// The inputs' specs in the session's order.
    pub(super) fn new(
        session: Session,
        model: PathBuf,
        requests: Vec<String>,
        specs: &[TensorSpec],
    ) -> Result<Runs> {
        let (mut ports, mut fixed) = (Vec::new(), None);
        for (input, spec) in session.inputs().iter().zip(specs) {
            match input.dtype() {
                ValueType::Tensor { ty, shape, .. } if is_float(*ty) => {
                    let batch = shape.first().and_then(|&d| usize::try_from(d).ok()).filter(|d| *d > 0);
                    fixed = fixed.or(batch);
                    ports.push(Port {
                        name: input.name().to_string(),
                        shape: spec.shape.clone(),
                        element: *ty,
                    });
                }
                other => {
                    return Err(Error::unsupported(format!(
                        "the model's input \"{}\" is {other}, expected a tensor of floats",
                        input.name()
                    )));
                }
            }
        }
        Ok(Runs {
            session: Mutex::new(session),
            model,
            requests,
            ports,
            fixed,
            loops: AtomicBool::new(false),
        })
    }

    /// The batch that the model's input fixes, `None` if it is open.
    pub(super) fn fixed_batch(&self) -> Option<usize> {
        self.fixed
    }

    /// Runs `count` examples.
    pub(super) fn run(&self, inputs: &[&[f32]], count: usize) -> Result<Outputs> {
        let may_fail = self.fixed.is_none() && count > 1 && !self.loops.load(Ordering::Relaxed);
        let batch = self.fixed.unwrap_or(if may_fail { count } else { 1 });
        match self.run_batches(inputs, count, batch) {
            Err(_) if may_fail => {
                self.loops.store(true, Ordering::Relaxed);
                self.run_batches(inputs, count, 1)
            }
            result => result,
        }
    }

    fn run_batches(&self, inputs: &[&[f32]], count: usize, batch: usize) -> Result<Outputs> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = |e: ::ort::Error| {
            Error::model(format!("ONNX Runtime could not run {}: {}", self.model.display(), first_line(&e)))
        };
        let mut outputs = Outputs::default();
        for first in (0..count).step_by(batch) {
            let used = batch.min(count - first);
            let mut given: Vec<(String, SessionInputValue)> = Vec::new();
            for (port, values) in self.ports.iter().zip(inputs) {
                let length: usize = port.shape.iter().product();
                let mut filled = values[first * length..(first + used) * length].to_vec();
                while filled.len() < batch * length {
                    filled.extend_from_slice(&values[(first + used - 1) * length..(first + used) * length]);
                }
                let value = port.tensor(filled, batch).map_err(refused)?;
                given.push((port.name.clone(), SessionInputValue::from(value)));
            }
            let results = session.run(given).map_err(refused)?;
            self.append(&mut outputs, &results, batch, used)?;
        }
        Ok(outputs)
    }

    fn append(
        &self,
        outputs: &mut Outputs,
        results: &SessionOutputs<'_>,
        batch: usize,
        used: usize,
    ) -> Result<()> {
        let is_first = outputs.names.is_empty();
        for (place, name) in self.requests.iter().enumerate() {
            let value = results
                .get(name)
                .ok_or_else(|| Error::model(format!("ONNX Runtime returned no \"{name}\"")))?;
            let (mut shape, values) = extract(value).ok_or_else(|| {
                Error::unsupported(format!("tensor \"{name}\" is {}, expected floats", value.dtype()))
            })?;
            // A tensor that does not carry the batch on its first axis cannot be split; with a batch of one there is nothing to split.
            if batch > 1 {
                match shape.first_mut() {
                    Some(first) if *first % batch == 0 => *first /= batch,
                    _ => {
                        let message = format!("tensor \"{name}\" does not have the batch as its first axis");
                        return Err(Error::unsupported(message));
                    }
                }
            }
            let one: usize = shape.iter().product();
            if is_first {
                outputs.names.push(name.clone());
                outputs.shapes.push(shape);
                outputs.values.push(Vec::new());
            }
            outputs.values[place].extend_from_slice(&values[..one * used]);
        }
        Ok(())
    }
}

impl Port {
    fn tensor(&self, values: Vec<f32>, batch: usize) -> ::ort::Result<DynValue> {
        let mut shape = vec![batch];
        shape.extend(&self.shape);
        Ok(match self.element {
            TensorElementType::Float16 => {
                Tensor::from_array((shape, values.into_iter().map(f16::from_f32).collect::<Vec<_>>()))?
                    .into_dyn()
            }
            TensorElementType::Bfloat16 => {
                Tensor::from_array((shape, values.into_iter().map(bf16::from_f32).collect::<Vec<_>>()))?
                    .into_dyn()
            }
            TensorElementType::Float64 => {
                Tensor::from_array((shape, values.into_iter().map(f64::from).collect::<Vec<_>>()))?.into_dyn()
            }
            _ => Tensor::from_array((shape, values))?.into_dyn(),
        })
    }
}

fn is_float(element: TensorElementType) -> bool {
    use TensorElementType::{Bfloat16, Float16, Float32, Float64};
    matches!(element, Float16 | Bfloat16 | Float32 | Float64)
}

/// Shape and values as f32; `None` for what is no tensor of floats.
fn extract(value: &DynValue) -> Option<(Vec<usize>, Vec<f32>)> {
    let sizes = |shape: &[i64]| shape.iter().map(|&d| d.max(0) as usize).collect();
    if let Ok((shape, values)) = value.try_extract_tensor::<f32>() {
        return Some((sizes(shape), values.to_vec()));
    }
    if let Ok((shape, values)) = value.try_extract_tensor::<f16>() {
        return Some((sizes(shape), values.iter().map(|v| v.to_f32()).collect()));
    }
    if let Ok((shape, values)) = value.try_extract_tensor::<bf16>() {
        return Some((sizes(shape), values.iter().map(|v| v.to_f32()).collect()));
    }
    let (shape, values) = value.try_extract_tensor::<f64>().ok()?;
    Some((sizes(shape), values.iter().map(|&v| v as f32).collect()))
}

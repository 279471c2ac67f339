//! The safetensors container: a JSON header, then raw little-endian values. The `safetensors` crate checks the header
//! against the file's length, and that the tensors tile the data without holes or overlaps.

use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{MAX_TENSORS, Tensor, Weights, refused};
use crate::error::Result;

/// Whether these bytes begin like a safetensors file: the header's length, then the header, a JSON object.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

pub(super) fn read(bytes: &[u8]) -> Result<Weights> {
    let damaged =
        |error: safetensors::SafeTensorError| refused("damaged safetensors file").with_source(error);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    if file.len() > MAX_TENSORS {
        return Err(refused(format!("{} tensors in one file; the limit is {MAX_TENSORS}", file.len())));
    }
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        // PyTorch's count of training steps, an integer beside each batch norm; it takes no part in the arithmetic.
        if name.ends_with("num_batches_tracked") {
            continue;
        }
        tensors.insert(name.to_owned(), tensor(name, &view)?);
    }
    let metadata = header.metadata().iter().flatten();
    let metadata = metadata.map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(Weights { tensors, metadata, digest: *blake3::hash(bytes).as_bytes(), source: None })
}

fn tensor(name: &str, view: &TensorView) -> Result<Tensor> {
    let values: Vec<f32> = match view.dtype() {
        Dtype::F32 => view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F16 => {
            view.data().as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()
        }
        Dtype::BF16 => {
            view.data().as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect()
        }
        other => return Err(refused(format!("tensor {name:?} holds {other} values, not f32, f16 or bf16"))),
    };
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(refused(format!("tensor {name:?} holds {} at place {at}", values[at])));
    }
    Ok(Tensor { shape: view.shape().to_vec(), values })
}

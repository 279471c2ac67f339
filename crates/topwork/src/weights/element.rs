//! Values as files hold them → f32, exactly.

use half::{bf16, f16};

use super::{Tensor, refused};
use crate::error::Result;

/// The element types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    F16,
    Bf16,
}

impl Element {
    /// Bytes of one value.
    pub(super) fn size(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::F16 | Element::Bf16 => 2,
        }
    }

    /// The tensor of that shape from little-endian values.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) if the bytes are not as many as the shape needs, or a value is
    /// not finite.
    pub(super) fn tensor(self, name: &str, shape: &[usize], bytes: &[u8]) -> Result<Tensor> {
        if self.bytes(shape) != Some(bytes.len()) {
            return Err(refused(format!("tensor {name:?} of shape {shape:?} has {} bytes", bytes.len())));
        }
        let values: Vec<f32> = match self {
            Element::F32 => bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            Element::F16 => {
                bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()
            }
            Element::Bf16 => {
                bytes.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect()
            }
        };
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(refused(format!("tensor {name:?} holds {} at place {at}", values[at])));
        }
        Ok(Tensor { shape: shape.to_vec(), values })
    }

    /// Bytes of a tensor of that shape, where they can be counted.
    pub(super) fn bytes(self, shape: &[usize]) -> Option<usize> {
        shape.iter().try_fold(self.size(), |product, length| product.checked_mul(*length))
    }
}

/// The refusal of a tensor of another element type.
pub(super) fn other_element(name: &str, found: &str) -> crate::Error {
    refused(format!("tensor {name:?} holds {found} values, not f32, f16 or bf16"))
}

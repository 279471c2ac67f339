//! The safetensors container: a JSON header, then raw little-endian values. The `safetensors` crate checks the header
//! against the file's length, and that the tensors tile the data without holes or overlaps.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors};

use super::element::{Element, other_element};
use super::{Contents, check_count, is_count_of_steps, refused};
use crate::error::Result;

/// Whether these bytes begin like a safetensors file: the header's length, then the header, a JSON object.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

pub(super) fn read(bytes: &[u8]) -> Result<Contents> {
    let damaged =
        |error: safetensors::SafeTensorError| refused("damaged safetensors file").with_source(error);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    check_count(file.len())?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        if is_count_of_steps(name) {
            continue;
        }
        let element = match view.dtype() {
            Dtype::F32 => Element::F32,
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::Bf16,
            other => return Err(other_element(name, &other.to_string())),
        };
        tensors.insert(name.to_owned(), element.tensor(name, view.shape(), view.data())?);
    }
    let metadata = header.metadata().iter().flatten();
    let metadata = metadata.map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(Contents { tensors, metadata, unread: Vec::new() })
}

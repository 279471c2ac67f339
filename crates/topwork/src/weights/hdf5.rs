//! HDF5 files: groups of arrays, with lists of names as attributes. The `hdf5-pure` crate finds its way through the file and says
//! where an array lies; the array itself is a slice of the file, which is all that is read of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_pure::{
    AttrValue, Dataset, Datatype, DatatypeByteOrder, File, FloatingPointLayout, FormatError, Group, Layout,
    Source,
};

use super::element::{Element, other_element};
use super::{Tensor, refused};
use crate::error::{Error, Result};

/// The first bytes of a file.
pub(super) const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// All that may be read to find the way. A file of ResNet-50 needs 6 MB; the library has no limit of its own, and a
/// crafted index can lead it in ever more circles, or to the same text again and again.
const MAX_METADATA: u64 = 32 << 20;

/// What a single reading costs beside its bytes.
const READING: u64 = 64;

/// A file in memory.
pub(super) struct Hdf5 {
    bytes: Arc<Vec<u8>>,
    file: File,
    left: Arc<AtomicU64>,
}

/// The bytes as the library sees them: so many, and then no more.
struct Metered {
    bytes: Arc<Vec<u8>>,
    left: Arc<AtomicU64>,
}

impl Source for Metered {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::result::Result<(), FormatError> {
        let cost = buffer.len() as u64 + READING;
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(cost), Ordering::Relaxed);
        if left < cost {
            return Err(FormatError::Source("nothing more is read".to_owned()));
        }
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| self.bytes.get(start..start.checked_add(buffer.len())?));
        let range = range.ok_or(FormatError::Source("the end of the file".to_owned()))?;
        buffer.copy_from_slice(range);
        Ok(())
    }
}

impl Hdf5 {
    pub(super) fn open(bytes: Vec<u8>) -> Result<Hdf5> {
        let bytes = Arc::new(bytes);
        let left = Arc::new(AtomicU64::new(MAX_METADATA));
        let source = Metered { bytes: bytes.clone(), left: left.clone() };
        Ok(Hdf5 { bytes, file: File::from_source(source).map_err(damaged)?, left })
    }

    /// Whether more was to be read than the limit allows; the library leaves out attributes that it cannot read.
    pub(super) fn is_exhausted(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    pub(super) fn root(&self) -> Group {
        self.file.root()
    }

    /// The array's values. Keras writes each as one piece; what is in chunks, compressed, or in another file is refused.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) as said, and if it is of another type than f16 or f32.
    pub(super) fn tensor(&self, name: &str, dataset: &Dataset) -> Result<Tensor> {
        const HINT: &str = "h5repack -l CONTI -f NONE writes the file with its arrays in one piece";
        let datatype = dataset.datatype().map_err(damaged)?;
        let Some(element) = element(&datatype) else {
            return Err(other_element(name, &kind(&datatype)));
        };
        let shape: Vec<usize> =
            dataset.shape().map_err(damaged)?.iter().map(|length| *length as usize).collect();
        let Layout::Contiguous { address, size } = dataset.layout().map_err(damaged)? else {
            return Err(refused(format!("tensor {name:?} is stored in pieces or compressed")).with_hint(HINT));
        };
        let address =
            address.ok_or_else(|| refused(format!("tensor {name:?} has no values in this file")))?;
        let expected = element.bytes(&shape);
        if expected.is_none_or(|expected| expected as u64 != size) {
            return Err(refused(format!("tensor {name:?} of shape {shape:?} has {size} bytes")));
        }
        let start = usize::try_from(address).ok();
        let bytes = start.and_then(|start| self.bytes.get(start..start.checked_add(size as usize)?));
        let bytes =
            bytes.ok_or_else(|| refused(format!("tensor {name:?} lies beyond the end of the file")))?;
        element.tensor(name, &shape, bytes)
    }
}

/// The texts of an attribute; several attributes `name0`, `name1`, … count as one, because HDF5 limits their size.
pub(super) fn texts(group: &Group, name: &str) -> Result<Option<Vec<String>>> {
    let attributes = group.attrs().map_err(damaged)?;
    let texts = |name: &str| -> Option<Result<Vec<String>>> {
        let texts = match attributes.get(name)? {
            // Keras writes a list without names as an array of numbers.
            AttrValue::F64Array(list) if list.is_empty() => Some(Vec::new()),
            value => value.as_strings().map(|texts| texts.iter().map(|text| text.to_string()).collect()),
        };
        Some(texts.ok_or_else(|| refused(format!("the attribute {name:?} is not a list of texts"))))
    };
    if let Some(whole) = texts(name) {
        return whole.map(Some);
    }
    let parts = (0..).map_while(|part| texts(&format!("{name}{part}")));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    Ok((!parts.is_empty()).then(|| parts.concat()))
}

/// The refusal of a file that the library cannot follow.
pub(super) fn damaged(error: hdf5_pure::Error) -> Error {
    refused("damaged HDF5 file").with_source(error)
}

fn element(datatype: &Datatype) -> Option<Element> {
    const HALF: FloatingPointLayout = FloatingPointLayout {
        bit_offset: 0,
        bit_precision: 16,
        exponent_location: 10,
        exponent_size: 5,
        mantissa_location: 0,
        mantissa_size: 10,
        exponent_bias: 15,
    };
    let Datatype::FloatingPoint { size, byte_order: DatatypeByteOrder::LittleEndian, layout } = datatype
    else {
        return None;
    };
    match (size, *layout) {
        (4, FloatingPointLayout::IEEE754_BINARY32) => Some(Element::F32),
        (2, HALF) => Some(Element::F16),
        _ => None,
    }
}

/// A name for a message.
fn kind(datatype: &Datatype) -> String {
    match datatype {
        Datatype::FloatingPoint { size, byte_order: DatatypeByteOrder::BigEndian, .. } => {
            format!("big-endian {}-byte", size)
        }
        Datatype::FloatingPoint { size, .. } => format!("{size}-byte floating point"),
        Datatype::FixedPoint { size, .. } => format!("{size}-byte integer"),
        Datatype::String { .. } | Datatype::VariableLength { .. } => "text".to_owned(),
        _ => "composed".to_owned(),
    }
}

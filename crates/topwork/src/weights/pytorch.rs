//! PyTorch's files: a zip archive since 1.6, a sequence of pickles before, a tar archive before 0.1.10. The
//! `pytorch-reader` crate reads them; before it sees a file, all that it would build is counted here.

use std::collections::{BTreeMap, BTreeSet};

use pytorch_reader::{DType, PytorchReader, Tensor};

use super::archive::Archive;
use super::element::{Element, other_element};
use super::pickle::Survey;
use super::{Contents, MAX_EXPANSION, check_count, is_count_of_steps, refused};
use crate::error::{Error, Result};

/// The number with which a legacy file begins, `0x1950a86a20f9469cfc6c`, as protocol 2 writes it.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// The entry of the archive that describes the tensors.
pub(super) const PICKLE: &str = "data.pkl";

/// What `torch.save` uses to describe tensors and their dictionaries.
const KNOWN: [&str; 8] = [
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
    "torch.Size",
];

/// Where training scripts put the weights among other things.
const NESTED: [&str; 3] = ["state_dict", "model_state_dict", "model"];

pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The name of the format stands behind the first entry's.
pub(super) fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// A zip archive with a pickle.
pub(super) fn read_zip(bytes: Vec<u8>) -> Result<Contents> {
    let mut globals = BTreeSet::new();
    let mut archive = Archive::open(&bytes)?;
    let name = archive.find(PICKLE).ok_or_else(|| refused(format!("no {PICKLE} in the archive")))?;
    let pickle = archive.read(&name)?;
    // A compressed entry is unpacked anew for each tensor in it.
    archive.require_stored()?;
    drop(archive);
    Survey::walk(&pickle, 0, &mut globals)?;
    read(bytes, globals)
}

/// Pickles one after another: the magic number, a version, the machine, the tensors, the list of their values.
pub(super) fn read_legacy(bytes: Vec<u8>) -> Result<Contents> {
    // The library looks for a tar archive first.
    if is_tar(&bytes) {
        return Err(refused("a file that is a PyTorch file in two ways"));
    }
    let mut globals = BTreeSet::new();
    let mut at = 0;
    for _ in 0..5 {
        at = Survey::walk(&bytes, at, &mut globals)?;
    }
    read(bytes, globals)
}

/// A tar archive with the entries `sys_info`, `pickle`, `tensors` and `storages`.
pub(super) fn read_tar(bytes: Vec<u8>) -> Result<Contents> {
    let mut globals = BTreeSet::new();
    let entries = super::tar::entries(&bytes)?;
    for (name, contents) in &entries {
        match name.as_str() {
            "sys_info" | "pickle" => drop(Survey::walk(contents, 0, &mut globals)?),
            "storages" => walk_storages(contents, &mut globals)?,
            "tensors" => walk_tensors(contents, &mut globals)?,
            _ => {}
        }
    }
    drop(entries);
    read(bytes, globals)
}

/// A number, then for each storage a pickle of its class, the number of its values, and these; then a pickle of views.
fn walk_storages(bytes: &[u8], globals: &mut BTreeSet<String>) -> Result<()> {
    let mut at = Survey::walk(bytes, 0, globals)?;
    loop {
        let mut class = BTreeSet::new();
        at = Survey::walk(bytes, at, &mut class)?;
        let size = match class.first().map(|name| name.trim_start_matches("torch.")) {
            None => return Ok(()),
            Some("DoubleStorage" | "LongStorage") => 8,
            Some("FloatStorage" | "IntStorage") => 4,
            Some("HalfStorage" | "BFloat16Storage" | "ShortStorage") => 2,
            Some("CharStorage" | "ByteStorage" | "BoolStorage") => 1,
            Some(other) => return Err(refused(format!("values of the unknown class {other:?}"))),
        };
        globals.append(&mut class);
        let count =
            bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|count| u64::from_le_bytes(*count));
        let values = count.and_then(|count| usize::try_from(count).ok()?.checked_mul(size));
        let end = values.and_then(|values| at.checked_add(8)?.checked_add(values));
        at = end.ok_or_else(|| refused("damaged PyTorch file: the number of values"))?;
        if at > bytes.len() {
            return Err(refused("damaged PyTorch file: values beyond the end of the entry"));
        }
    }
}

/// A number, then for each tensor a pickle of its names, its rank in eight bytes, lengths, strides, and an offset.
fn walk_tensors(bytes: &[u8], globals: &mut BTreeSet<String>) -> Result<()> {
    let mut at = Survey::walk(bytes, 0, globals)?;
    while at < bytes.len() {
        at = Survey::walk(bytes, at, globals)?;
        let rank = bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|rank| u32::from_le_bytes(*rank));
        let rank = rank.filter(|rank| *rank <= 64);
        let rank = rank.ok_or_else(|| refused("damaged PyTorch file: the rank of a tensor"))?;
        at += 8 + 16 * rank as usize + 8;
    }
    Ok(())
}

/// A pickle that is no file of weights: says what it would import.
pub(super) fn refuse_pickle(bytes: &[u8]) -> Error {
    let mut globals = BTreeSet::new();
    match Survey::walk(bytes, 0, &mut globals) {
        Err(error) => error,
        Ok(_) if globals.is_empty() => refused("a pickle without tensors"),
        Ok(_) => {
            let imports = list(&globals);
            refused(format!("a pickle without tensors that would import {imports}, which was not run"))
        }
    }
}

fn read(bytes: Vec<u8>, globals: BTreeSet<String>) -> Result<Contents> {
    let limit = bytes.len().saturating_mul(MAX_EXPANSION);
    let unknown: BTreeSet<String> = globals.into_iter().filter(|name| !is_known(name)).collect();
    let imports = match unknown.is_empty() {
        true => String::new(),
        false => format!(" that would import {}, which was not run", list(&unknown)),
    };
    let reader = PytorchReader::from_bytes(bytes, None)
        .map_err(|error| refused(format!("damaged or unknown PyTorch file{imports}")).with_source(error))?;
    check_count(reader.len())?;
    let all: BTreeMap<String, Tensor> = reader.into_tensors().into_iter().collect();
    let prefix = prefix(&all);
    let mut tensors = BTreeMap::new();
    let (mut bytes, mut beside) = (0_usize, 0);
    for (path, tensor) in &all {
        let Some(name) = path.strip_prefix(&prefix) else {
            beside += 1;
            continue;
        };
        if is_count_of_steps(name) {
            continue;
        }
        let element = match tensor.dtype() {
            DType::F32 => Element::F32,
            DType::F16 => Element::F16,
            DType::BF16 => Element::Bf16,
            other => return Err(other_element(name, &format!("{other:?}"))),
        };
        // A view may be far larger than the values that it shows.
        bytes = bytes.saturating_add(element.bytes(tensor.shape()).unwrap_or(usize::MAX));
        if bytes > limit {
            let shape = tensor.shape();
            return Err(refused(format!(
                "tensor {name:?} of shape {shape:?} is larger than the file allows"
            )));
        }
        let values = tensor.read().map_err(|error| refused("damaged PyTorch file").with_source(error))?;
        let tensor = element.tensor(name, tensor.shape(), &values)?;
        let name = name.strip_prefix("module.").unwrap_or(name);
        if tensors.insert(name.to_owned(), tensor).is_some() {
            return Err(refused(format!("two tensors are called {name:?}, with and without `module.`")));
        }
    }
    if tensors.is_empty() {
        return Err(refused(format!("a PyTorch file without tensors{imports}")));
    }
    let mut unread: Vec<String> =
        unknown.into_iter().map(|name| format!("the Python object {name}")).collect();
    if beside > 0 {
        unread.push(format!("{beside} tensors beside {:?}", prefix.trim_end_matches('.')));
    }
    Ok(Contents { tensors, metadata: BTreeMap::new(), unread })
}

/// What the names of the weights begin with: empty, or the key under which they are nested.
fn prefix(tensors: &BTreeMap<String, Tensor>) -> String {
    let below = |prefix: &str| tensors.keys().any(|name| name.starts_with(prefix));
    let mut prefix = String::new();
    // A key may lie in another: `model`, in it `state_dict`.
    for _ in 0..NESTED.len() {
        let nested = NESTED.iter().map(|key| format!("{prefix}{key}.")).find(|nested| below(nested));
        match nested {
            Some(nested) => prefix = nested,
            None => break,
        }
    }
    prefix
}

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
        || name.strip_prefix("torch.").is_some_and(|class| {
            !class.contains('.') && (class.ends_with("Storage") || class.ends_with("Tensor"))
        })
}

/// The first few, for a message.
fn list(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    shown.join(", ") + more
}

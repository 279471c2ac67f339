//! EfficientNet-Lite0, trained on ImageNet: the weights, the class names and how photos must be prepared for them.
//!
//! Data only: no code here computes, allocates or reads a file. `convert.py` beside this crate writes both files of `data/`
//! from the original checkpoint; `NOTICE` names their origin and their licences.
//!
//! # The file
//!
//! [`WEIGHTS`] is a safetensors file. Names and shapes are those of the original PyTorch checkpoint (4,694,024 numbers in 247
//! tensors): convolutions `[out, in / groups, height, width]`, the classifier `[1000, 1280]`. Matrices of more than 65,536
//! numbers are f16, rounded to nearest; smaller ones (the early and the depthwise convolutions, a tenth of all numbers, which
//! would make nine tenths of f16's error) stay f32. So do the batch-norm tensors, some of whose variances are exactly 0
//! (channels that training switched off) while others reach 566, and the classifier's bias. The metadata has one key,
//! `topwork`: a JSON object with sorted keys `changes`, `classes` (pairs of WordNet id and name), `imagenet_top1`, `licence`,
//! `name`, `network`, `origin`, `paper`, `preprocessing`, `source`, `training_data`.
//!
//! # The network
//!
//! As `efficientnet-lite-pytorch` 0.1.0 computes it (`model.py`, `utils.py`), which follows TensorFlow's
//! `models/official/efficientnet/lite`:
//!
//! - Input: `(pixel - 127) / 128`, RGB, 224 x 224. Every padding holds 0, which is the pixel value 127.
//! - No convolution has a bias; each is followed by batch normalisation with the running statistics,
//!   `(x - running_mean) / sqrt(running_var + 0.001) * weight + bias`. The epsilon is TensorFlow's, not PyTorch's 1e-5.
//! - Padding is TensorFlow's `SAME`, for height and width alone: `out = ceil(in / stride)`,
//!   `total = max((out - 1) * stride + kernel - in, 0)`, `total / 2` (rounded down) before, the rest after. With stride 2 and an
//!   even input that is 0 before and 1 after (kernel 3), 1 before and 2 after (kernel 5): not symmetric.
//! - Stem: convolution 3 x 3, stride 2, 3 → 32; batch norm; ReLU6.
//! - Sixteen inverted-residual blocks: expand 1 x 1 (`_expand_conv`, `_bn0`, ReLU6; absent where the ratio is 1), depthwise
//!   `k x k` with the stride (`_depthwise_conv`, `_bn1`, ReLU6), project 1 x 1 (`_project_conv`, `_bn2`, **no** activation). With
//!   a skip, the block's input is then added, again without an activation. No squeeze-and-excitation; neither
//!   dropout nor drop-connect outside training.
//! - Head: convolution 1 x 1, 320 → 1280; batch norm; ReLU6; mean over all positions. These 1,280 numbers, in [0, 6], are the
//!   features. Classifier: `_fc.weight · features + _fc.bias`, softmax. Output i is class i of [`CLASSES`]; there
//!   is no background class.
//!
//! | block | expand | kernel | stride | in → out | hidden | skip | output at 224 |
//! | ---: | ---: | ---: | ---: | :--- | ---: | :---: | :--- |
//! | stem | | 3 | 2 | 3 → 32 | | | 112 x 112 |
//! | 0 | 1 | 3 | 1 | 32 → 16 | 32 | | 112 x 112 |
//! | 1 | 6 | 3 | 2 | 16 → 24 | 96 | | 56 x 56 |
//! | 2 | 6 | 3 | 1 | 24 → 24 | 144 | yes | 56 x 56 |
//! | 3 | 6 | 5 | 2 | 24 → 40 | 144 | | 28 x 28 |
//! | 4 | 6 | 5 | 1 | 40 → 40 | 240 | yes | 28 x 28 |
//! | 5 | 6 | 3 | 2 | 40 → 80 | 240 | | 14 x 14 |
//! | 6, 7 | 6 | 3 | 1 | 80 → 80 | 480 | yes | 14 x 14 |
//! | 8 | 6 | 5 | 1 | 80 → 112 | 480 | | 14 x 14 |
//! | 9, 10 | 6 | 5 | 1 | 112 → 112 | 672 | yes | 14 x 14 |
//! | 11 | 6 | 5 | 2 | 112 → 192 | 672 | | 7 x 7 |
//! | 12, 13, 14 | 6 | 5 | 1 | 192 → 192 | 1152 | yes | 7 x 7 |
//! | 15 | 6 | 3 | 1 | 192 → 320 | 1152 | | 7 x 7 |
//! | head | | 1 | 1 | 320 → 1280 | | | 7 x 7 |
//!
//! Tensors: `_conv_stem.weight`, `_bn0.*`; `_blocks.N._expand_conv.weight`, `_blocks.N._bn0.*`,
//! `_blocks.N._depthwise_conv.weight`, `_blocks.N._bn1.*`, `_blocks.N._project_conv.weight`, `_blocks.N._bn2.*`;
//! `_conv_head.weight`, `_bn1.*`; `_fc.weight`, `_fc.bias`; where `*` is `weight`, `bias`, `running_mean`, `running_var`.

/// The name under which this set of weights is known: `efficientnet_lite0`.
pub const NAME: &str = "efficientnet_lite0";

/// The weights: a safetensors file, with the record of their origin and preprocessing under the metadata key `topwork`.
pub static WEIGHTS: &[u8] = include_bytes!("../data/efficientnet_lite0.safetensors");

/// BLAKE3 of [`WEIGHTS`], in hexadecimal digits.
pub const CHECKSUM: &str = "359a98128c9605e9f5ba6e974dab77b746d26b4fb91b4145b5188e91a4845906";

/// Between which values the network's tensors lie, for arithmetic on bytes: JSON, recorded on photos by
/// `crates/topwork/examples/calibrate.rs`.
pub const RANGES: &str = include_str!("../data/ranges.json");

/// SHA-256 of the original checkpoint, `efficientnet-lite0-57934424.pth`, in hexadecimal digits.
pub const ORIGIN_SHA256: &str = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

/// ImageNet's 1,000 classes in the order of the network's outputs, as CSV without quotes: the line `wnid,name`, then one line a
/// class: its WordNet id and torchvision's name for it. Ids ascend; no two names are equal.
pub const CLASSES: &str = include_str!("../data/classes.csv");

/// The rows of [`CLASSES`]: WordNet id and name, such as `("n02123045", "tabby")`, in the order of the network's outputs.
pub fn classes() -> impl Iterator<Item = (&'static str, &'static str)> {
    CLASSES.lines().skip(1).filter_map(|row| row.split_once(','))
}

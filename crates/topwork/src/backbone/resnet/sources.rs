//! The published weights of ResNet-50. Names, lengths, digests and accuracies are the publishers' own: `keras/src/applications/resnet.py`
//! and the table in Keras' documentation, `torchvision/models/resnet.py`, timm's `resnet.py` and `results-imagenet.csv`.

use crate::weights::{Checksum, Source};

/// torchvision publishes its weights without a word on their licence.
const TORCHVISION_LICENCE: &str = "BSD-3-Clause (of the repository; the weights name none)";

/// Keras' documentation says so of ResNet's weights.
const KERAS_LICENCE: &str = "MIT (ported from the authors' release)";

pub(in crate::backbone) const KERAS: &[Source] = &[
    Source {
        name: "resnet50_keras",
        file: "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        url: Some(
            "https://storage.googleapis.com/tensorflow/keras-applications/resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        ),
        bytes: Some(102_967_424),
        checksum: Checksum::Md5("2cb95161c43110f7111970584f804107"),
        licence: KERAS_LICENCE,
        top1: Some(74.9),
    },
    Source {
        name: "resnet50_keras_notop",
        file: "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        url: Some(
            "https://storage.googleapis.com/tensorflow/keras-applications/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        bytes: Some(94_765_736),
        checksum: Checksum::Md5("4d473c1dd8becc155b73f8504c6f6626"),
        licence: KERAS_LICENCE,
        top1: None,
    },
    // Keras before 2.2: the same file names, other contents and other names of layers.
    Source {
        name: "resnet50_keras_2016",
        file: "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        url: None,
        bytes: None,
        checksum: Checksum::Md5("a7b3fe01876f51b976af0dea6bc144eb"),
        licence: KERAS_LICENCE,
        top1: None,
    },
    Source {
        name: "resnet50_keras_2016_notop",
        file: "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        url: None,
        bytes: None,
        checksum: Checksum::Md5("a268eb855778b3df3c7506639542a6af"),
        licence: KERAS_LICENCE,
        top1: None,
    },
];

pub(in crate::backbone) const TORCHVISION_V1: &[Source] = &[
    Source {
        name: "resnet50_torchvision",
        file: "resnet50-0676ba61.pth",
        url: Some("https://download.pytorch.org/models/resnet50-0676ba61.pth"),
        bytes: Some(102_530_333),
        checksum: Checksum::Sha256("0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"),
        licence: TORCHVISION_LICENCE,
        top1: Some(76.13),
    },
    // The same weights as they were published before 2021, in PyTorch's oldest container.
    Source {
        name: "resnet50_torchvision_2017",
        file: "resnet50-19c8e357.pth",
        url: Some("https://download.pytorch.org/models/resnet50-19c8e357.pth"),
        bytes: None,
        checksum: Checksum::Sha256Prefix("19c8e357"),
        licence: TORCHVISION_LICENCE,
        top1: Some(76.13),
    },
];

pub(in crate::backbone) const TORCHVISION_V2: &[Source] = &[Source {
    name: "resnet50_torchvision_v2",
    file: "resnet50-11ad3fa6.pth",
    url: Some("https://download.pytorch.org/models/resnet50-11ad3fa6.pth"),
    bytes: Some(102_540_417),
    checksum: Checksum::Sha256("11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca"),
    licence: TORCHVISION_LICENCE,
    top1: Some(80.85),
}];

pub(in crate::backbone) const TIMM_A1: &[Source] = &[
    Source {
        name: "resnet50_timm_a1",
        file: "resnet50.a1_in1k.safetensors",
        url: Some("https://huggingface.co/timm/resnet50.a1_in1k/resolve/main/model.safetensors"),
        bytes: Some(102_469_840),
        checksum: Checksum::Sha256("773525d5821de224f8f30c33377b7a795d7863e08522698200d3217d3f2a41bb"),
        licence: "Apache-2.0",
        top1: Some(80.38),
    },
    Source {
        name: "resnet50_timm_a1_pth",
        file: "resnet50_a1_0-14fe96d1.pth",
        url: Some(
            "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-rsb-weights/resnet50_a1_0-14fe96d1.pth",
        ),
        bytes: None,
        checksum: Checksum::Sha256Prefix("14fe96d1"),
        licence: "Apache-2.0",
        top1: Some(80.38),
    },
];

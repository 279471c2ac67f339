//! ResNet with bottleneck blocks (arXiv 1512.03385), as Keras and as PyTorch have it. They differ in where a stage steps (Keras:
//! the first 1 x 1, the paper's own; PyTorch: the 3 x 3, "v1.5"), in the batch norms' epsilon, in biases, and in names.
//!
//! Sources: `keras/src/applications/resnet.py` (3.15), `torchvision/models/resnet.py` (0.29).

pub(super) mod sources;

use super::{Architecture, Built, Conventions, Family, ImageNetTop};
use crate::network::{Activation, BatchNorm, Convolution, Graph, Groups, Node, Padding};
use crate::weights::{Reader, Tensor};

/// A ResNet by its sizes and by whose it is.
pub(super) struct ResNet {
    framework: Conventions,
    /// Channels of the first convolution.
    stem: usize,
    /// Blocks and channels of each stage.
    stages: [(usize, usize); 4],
    /// Outputs of the classifier.
    classes: usize,
}

/// A block's output has that many times its stage's channels.
const EXPANSION: usize = 4;

/// ResNet-50, as Keras and as PyTorch have it.
pub(super) static RESNET50: Architecture = Architecture {
    name: "resnet50",
    family: Family::Convolutional,
    input: (224, 224),
    feature_dim: 2048,
    tap: "stage3.block6.expand",
    build: |reader, conventions, graph| resnet50(conventions).build(reader, graph),
};

fn resnet50(framework: Conventions) -> ResNet {
    ResNet { framework, stem: 64, stages: [(3, 64), (4, 128), (6, 256), (3, 512)], classes: 1000 }
}

impl ResNet {
    /// Stem, stages, average; and the classifier, where the file has one for these classes.
    fn build(&self, reader: &Reader, mut graph: Graph) -> Built {
        let mut layers = Layers { resnet: self, names: Names::of(reader, self), reader, count: 0 };
        let stem = layers.next(Place::Stem, [self.stem, 3, 7, 7]);
        let stem = Convolution { stride: 2, padding: Padding::Explicit(3), ..stem };
        let stem = graph.convolution("stem", graph.input(), stem);
        let mut node = graph.max_pool("stem.pool", stem, 3, 2, 1);
        for (stage, (blocks, channels)) in self.stages.into_iter().enumerate() {
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                node = layers.block((stage, block), channels, stride, node, &mut graph);
            }
        }
        let features = graph.shape(node).channels;
        graph.global_average("average", node);
        let top = layers.names.top(reader, self.classes, features);
        Built { graph, top }
    }
}

/// Where a convolution with its batch norm stands.
#[derive(Clone, Copy)]
enum Place {
    Stem,
    Block { stage: usize, block: usize, part: Part },
}

/// The convolutions of a block.
#[derive(Clone, Copy)]
enum Part {
    Reduce,
    Middle,
    Project,
    Expand,
}

/// Hands out the layers in the frameworks' own order, which counts where names are only numbers.
struct Layers<'a> {
    resnet: &'a ResNet,
    names: Names,
    reader: &'a Reader<'a>,
    count: usize,
}

impl Layers<'_> {
    /// 1 x 1 to `channels`, 3 x 3, 1 x 1 to four times as many; the input is added, by way of a 1 x 1 in a stage's first block.
    fn block(
        &mut self,
        (stage, block): (usize, usize),
        channels: usize,
        stride: usize,
        input: Node,
        graph: &mut Graph,
    ) -> Node {
        let from = graph.shape(input).channels;
        let wide = channels * EXPANSION;
        let place = |part| Place::Block { stage, block, part };
        let name = |part: &str| format!("stage{}.block{}.{part}", stage + 1, block + 1);
        let (first, second) = match self.resnet.framework {
            Conventions::Keras => (stride, 1),
            Conventions::PyTorch => (1, stride),
        };
        let reduce = self.next(place(Part::Reduce), [channels, from, 1, 1]);
        let node = graph.convolution(name("reduce"), input, Convolution { stride: first, ..reduce });
        let middle = self.next(place(Part::Middle), [channels, channels, 3, 3]);
        let middle = Convolution { stride: second, padding: Padding::Explicit(1), ..middle };
        let node = graph.convolution(name("middle"), node, middle);
        let skip = if block == 0 {
            let project = self.next(place(Part::Project), [wide, from, 1, 1]);
            let project = Convolution { stride, activation: Activation::Linear, ..project };
            graph.convolution(name("project"), input, project)
        } else {
            input
        };
        let expand = self.next(place(Part::Expand), [wide, channels, 1, 1]);
        graph.convolution(name("expand"), node, Convolution { residual: Some(skip), ..expand })
    }

    /// The convolution at that place: stride 1, no padding, ReLU; callers replace what differs.
    fn next(&mut self, place: Place, shape: [usize; 4]) -> Convolution {
        let (weights, bias, batch_norm) = self.names.read(self.reader, place, self.count, shape);
        self.count += 1;
        Convolution {
            groups: Groups::One,
            stride: 1,
            padding: Padding::Explicit(0),
            weights,
            bias,
            batch_norm,
            residual: None,
            activation: Activation::Relu,
        }
    }
}

/// How a file names its tensors.
enum Names {
    /// `layer1.0.conv1.weight`.
    PyTorch,
    /// `conv2_block1_1_conv/kernel`.
    Keras,
    /// `res2a_branch2a/kernel`: files of 2016 to 2018.
    KerasEarly,
    /// `layers/conv2d_1/vars/0`: Keras 3 numbers the layers of a class within a model, which stands below `prefix`, in
    /// the order of its `layers`: by depth, so that a projection comes between what it runs beside.
    KerasCounted { prefix: String },
}

impl Names {
    fn of(reader: &Reader, resnet: &ResNet) -> Names {
        if resnet.framework == Conventions::PyTorch {
            return Names::PyTorch;
        }
        if reader.contains("bn_conv1/gamma") {
            return Names::KerasEarly;
        }
        // Other parts of a model may begin with a convolution of their own.
        let stem = [7, 7, 3, resnet.stem];
        let counted = reader.names().filter(|name| reader.shape(name) == Some(&stem));
        match counted.filter_map(|name| name.strip_suffix("conv2d/vars/0")).next() {
            Some(prefix) => Names::KerasCounted { prefix: prefix.to_owned() },
            None => Names::Keras,
        }
    }

    /// The weights (output channels first), the biases and the batch norm of a convolution.
    fn read(
        &self,
        reader: &Reader,
        place: Place,
        count: usize,
        shape: [usize; 4],
    ) -> (Tensor, Option<Vec<f32>>, BatchNorm) {
        const KERAS: f64 = 1.001e-5;
        const PYTORCH: f64 = 1e-5;
        let channels = shape[0];
        let (convolution, norm) = self.layer(place, count);
        let value = |name: String| reader.tensor(&name, &[channels]).values;
        let norm = |[weight, bias, mean, variance]: [&str; 4], epsilon| BatchNorm {
            weight: value(format!("{norm}{weight}")),
            bias: value(format!("{norm}{bias}")),
            mean: value(format!("{norm}{mean}")),
            variance: value(format!("{norm}{variance}")),
            epsilon,
        };
        let kernel = |name: &str| {
            let [_, depth, height, width] = shape;
            let kernel = reader.tensor(&format!("{convolution}{name}"), &[height, width, depth, channels]);
            output_channels_first(kernel, shape)
        };
        match self {
            Names::PyTorch => {
                let weights = reader.tensor(&format!("{convolution}.weight"), &shape);
                (weights, None, norm([".weight", ".bias", ".running_mean", ".running_var"], PYTORCH))
            }
            Names::Keras | Names::KerasEarly => {
                let bias = value(format!("{convolution}/bias"));
                let norm = norm(["/gamma", "/beta", "/moving_mean", "/moving_variance"], KERAS);
                (kernel("/kernel"), Some(bias), norm)
            }
            Names::KerasCounted { .. } => {
                let bias = value(format!("{convolution}/vars/1"));
                (kernel("/vars/0"), Some(bias), norm(["/vars/0", "/vars/1", "/vars/2", "/vars/3"], KERAS))
            }
        }
    }

    /// What the names of a convolution's and of its batch norm's tensors begin with.
    fn layer(&self, place: Place, count: usize) -> (String, String) {
        match (self, place) {
            (Names::PyTorch, Place::Stem) => ("conv1".to_owned(), "bn1".to_owned()),
            (Names::PyTorch, Place::Block { stage, block, part }) => {
                let block = format!("layer{}.{block}", stage + 1);
                let number = match part {
                    Part::Reduce => 1,
                    Part::Middle => 2,
                    Part::Expand => 3,
                    Part::Project => {
                        return (format!("{block}.downsample.0"), format!("{block}.downsample.1"));
                    }
                };
                (format!("{block}.conv{number}"), format!("{block}.bn{number}"))
            }
            (Names::Keras, Place::Stem) => ("conv1_conv".to_owned(), "conv1_bn".to_owned()),
            (Names::Keras, Place::Block { stage, block, part }) => {
                let number = match part {
                    Part::Project => 0,
                    Part::Reduce => 1,
                    Part::Middle => 2,
                    Part::Expand => 3,
                };
                let layer = format!("conv{}_block{}_{number}", stage + 2, block + 1);
                (format!("{layer}_conv"), format!("{layer}_bn"))
            }
            (Names::KerasEarly, Place::Stem) => ("conv1".to_owned(), "bn_conv1".to_owned()),
            (Names::KerasEarly, Place::Block { stage, block, part }) => {
                let branch = match part {
                    Part::Project => "1",
                    Part::Reduce => "2a",
                    Part::Middle => "2b",
                    Part::Expand => "2c",
                };
                let letter = char::from(b'a' + block as u8);
                let layer = format!("{}{letter}_branch{branch}", stage + 2);
                (format!("res{layer}"), format!("bn{layer}"))
            }
            (Names::KerasCounted { prefix }, _) => {
                let number = if count == 0 { String::new() } else { format!("_{count}") };
                (format!("{prefix}conv2d{number}"), format!("{prefix}batch_normalization{number}"))
            }
        }
    }

    /// The classifier, where the file has one for that many classes.
    fn top(&self, reader: &Reader, classes: usize, features: usize) -> Option<ImageNetTop> {
        let (weights, bias) = match self {
            Names::PyTorch => ("fc.weight".to_owned(), "fc.bias".to_owned()),
            Names::Keras => ("predictions/kernel".to_owned(), "predictions/bias".to_owned()),
            Names::KerasEarly => ("fc1000/kernel".to_owned(), "fc1000/bias".to_owned()),
            Names::KerasCounted { prefix } => {
                (format!("{prefix}dense/vars/0"), format!("{prefix}dense/vars/1"))
            }
        };
        let shape = match self {
            Names::PyTorch => [classes, features],
            _ => [features, classes],
        };
        let read = reader.optional(&weights, &shape)?;
        let bias = reader.tensor(&bias, &[classes]).values;
        let weights = match self {
            Names::PyTorch => read.values,
            _ => (0..classes * features)
                .map(|at| read.values[at % features * classes + at / features])
                .collect(),
        };
        Some(ImageNetTop { weights, bias })
    }
}

/// Keras' `[height, width, in, out]` → `[out, in, height, width]`, which is `shape`.
fn output_channels_first(kernel: Tensor, shape: [usize; 4]) -> Tensor {
    let [channels, depth, height, width] = shape;
    let mut values = Vec::with_capacity(kernel.values.len());
    for channel in 0..channels {
        for from in 0..depth {
            let taps = 0..height * width;
            values.extend(taps.map(|tap| kernel.values[(tap * depth + from) * channels + channel]));
        }
    }
    Tensor { shape: shape.to_vec(), values }
}

#[cfg(test)]
mod tests;

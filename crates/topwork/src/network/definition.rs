//! A graph as its operations are defined, in f64: nothing folded, packed or planned. What networks are tested against.

use super::graph::{Graph, Groups, Normalisation, OperationKind};

/// The normalised pixels, then the output of each operation.
pub(crate) fn tensors(graph: &Graph, pixels: &[u8]) -> Vec<Vec<f64>> {
    let Normalisation { mean, scale } = graph.normalisation;
    let normalised = pixels
        .iter()
        .enumerate()
        .map(|(place, pixel)| (f64::from(*pixel) - f64::from(mean[place % 3])) * f64::from(scale[place % 3]));
    let mut tensors = vec![normalised.collect::<Vec<f64>>()];
    for index in 0..graph.operations.len() {
        tensors.push(output(graph, index, &tensors));
    }
    tensors
}

/// The numbers that a graph's weights, biases and batch norms are made of.
pub(crate) fn parameters(graph: &Graph) -> usize {
    let layers = graph.operations.iter().filter_map(|operation| match &operation.kind {
        OperationKind::Convolution(_, layer) => Some(layer),
        OperationKind::MaxPool(_) | OperationKind::GlobalAverage => None,
    });
    layers
        .map(|layer| {
            let norm = &layer.batch_norm;
            let norm = [&norm.weight, &norm.bias, &norm.mean, &norm.variance].map(Vec::len);
            layer.weights.values.len() + layer.bias.as_ref().map_or(0, Vec::len) + norm.iter().sum::<usize>()
        })
        .sum()
}

/// One layer in f64, as a definition says it: convolution, batch norm, residual, activation.
fn output(graph: &Graph, index: usize, tensors: &[Vec<f64>]) -> Vec<f64> {
    let operation = &graph.operations[index];
    let (from, to) = (graph.shape(operation.input), graph.shapes[index + 1]);
    let input = &tensors[operation.input.0];
    let (window, layer) = match &operation.kind {
        OperationKind::Convolution(window, layer) => (window, layer),
        OperationKind::MaxPool(window) => {
            let mut output = vec![0.0; to.len()];
            topwork_kernels::pooling::max_pool(window, from.channels, input, &mut output);
            return output;
        }
        OperationKind::GlobalAverage => {
            let pixels = from.height * from.width;
            let sum = |channel| (0..pixels).map(|pixel| input[pixel * from.channels + channel]).sum::<f64>();
            return (0..from.channels).map(|channel| sum(channel) / pixels as f64).collect();
        }
    };
    let depth = layer.weights.shape[1];
    let norm = &layer.batch_norm;
    let residual = layer.residual.map(|node| &tensors[node.0]);
    let mut output = Vec::new();
    for place in 0..to.len() {
        let (pixel, channel) = (place / to.channels, place % to.channels);
        let (y, x) = (pixel / to.width, pixel % to.width);
        let mut sum = 0.0;
        for tap in 0..window.taps() {
            let row = (y * layer.stride + tap / window.kernel.1).checked_sub(window.before.0);
            let column = (x * layer.stride + tap % window.kernel.1).checked_sub(window.before.1);
            let (Some(row), Some(column)) = (row, column) else { continue };
            if row >= from.height || column >= from.width {
                continue;
            }
            let values = &input[(row * from.width + column) * from.channels..][..from.channels];
            let weight =
                |at: usize| f64::from(layer.weights.values[(channel * depth + at) * window.taps() + tap]);
            sum += match layer.groups {
                Groups::One => values.iter().enumerate().map(|(at, value)| value * weight(at)).sum(),
                Groups::Depthwise => values[channel] * weight(0),
            };
        }
        let [weight, bias, mean, variance] =
            [&norm.weight, &norm.bias, &norm.mean, &norm.variance].map(|values| f64::from(values[channel]));
        sum += layer.bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]));
        let mut value = (sum - mean) / (variance + norm.epsilon).sqrt() * weight + bias;
        value += residual.map_or(0.0, |values| values[place]);
        let (low, high) = layer.activation.range();
        output.push(value.clamp(f64::from(low), f64::from(high)));
    }
    output
}

//! `topwork backbones`: the networks that give features; or the layers of one, with those of a head on it.

use std::io::Write;

use topwork::backbone::{self, BACKBONES, BackboneSpec, Origin};
use topwork::network::{Activation, Layer, LayerKind, Shape};
use topwork::report::grouped;
use topwork::run::HeadOptions;

use crate::arguments::Backbones;
use crate::failure::{Failure, Outcome};
use crate::table::{self, Side};

pub(crate) fn run(arguments: &Backbones) -> Result<Outcome, Failure> {
    let text = match &arguments.layers {
        None => list(),
        Some(name) => summary(backbone::spec(name)?, arguments.head.as_ref(), arguments.classes as usize),
    };
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(Outcome::Done)
}

fn list() -> String {
    let heading = ["name", "photos", "features", "parameters", "multiply-adds", "weights"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for spec in BACKBONES {
        let layers = spec.layers();
        let multiply_adds: u64 = layers.iter().map(|layer| layer.multiply_adds).sum();
        rows.push(vec![
            spec.name.to_owned(),
            format!("{} x {}", spec.architecture.input.0, spec.architecture.input.1),
            grouped(spec.architecture.feature_dim as u64),
            grouped(parameters(&layers)),
            format!("{:.2} billion", multiply_adds as f64 / 1e9),
            match spec.origin {
                Origin::Embedded { .. } => "in the program".to_owned(),
                Origin::File { .. } => "a file: topwork weights list".to_owned(),
            },
        ]);
    }
    use Side::{Left, Right};
    table::text(&rows, &[Left, Right, Right, Right, Right, Left])
}

/// Numbers in the checkpoint of these layers.
fn parameters(layers: &[Layer]) -> u64 {
    layers.iter().map(|layer| layer.checkpoint_parameters).sum()
}

/// As Keras' `model.summary()`: a spec a layer, and the sums of what is frozen and what is trained.
fn summary(spec: &BackboneSpec, head: Option<&HeadOptions>, classes: usize) -> String {
    let layers = spec.layers();
    let heading = ["layer", "type", "output", "parameters", ""];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let input = layers.first().map_or_else(String::new, |layer| shape(layer.input));
    rows.push(vec!["input".to_owned(), "photo".to_owned(), input, "0".to_owned(), String::new()]);
    for layer in &layers {
        rows.push(vec![
            layer.name.clone(),
            kind(layer),
            shape(layer.output),
            grouped(layer.checkpoint_parameters),
            "frozen".to_owned(),
        ]);
    }
    let frozen = parameters(&layers);
    let mut trained = 0;
    for (number, (units, inputs, activation)) in
        dense(spec.architecture.feature_dim, head, classes).into_iter().enumerate()
    {
        let parameters = units as u64 * (inputs as u64 + 1);
        trained += parameters;
        rows.push(vec![
            format!("head.{}", number + 1),
            format!("dense, {activation}"),
            grouped(units as u64),
            grouped(parameters),
            "trained".to_owned(),
        ]);
    }
    use Side::{Left, Right};
    let mut text = format!("{}\n\n", spec.name);
    text += &table::text(&rows, &[Left, Left, Right, Right, Left]);
    let sums = [("frozen", frozen), ("trained", trained), ("in all", frozen + trained)];
    let sums = sums.map(|(what, sum)| vec![format!("parameters {what}"), grouped(sum)]);
    let shown = if head.is_some() { &sums[..] } else { &sums[..1] };
    text + "\n" + &table::text(shown, &[Left])
}

/// Units, inputs and activation of each layer of a head.
fn dense(features: usize, head: Option<&HeadOptions>, classes: usize) -> Vec<(usize, usize, &'static str)> {
    let Some(hidden) = head.map(HeadOptions::hidden_layers) else { return Vec::new() };
    // Two classes need one score.
    let (outputs, last) = if classes == 2 { (1, "sigmoid") } else { (classes, "softmax") };
    let units = hidden.iter().map(|units| (*units, "ReLU")).chain([(outputs, last)]);
    let inputs = std::iter::once(features).chain(hidden.iter().copied());
    units.zip(inputs).map(|((units, activation), inputs)| (units, inputs, activation)).collect()
}

fn shape(shape: Shape) -> String {
    format!("{} x {} x {}", shape.height, shape.width, shape.channels)
}

/// The operation, its kernel and stride, what is added to it and how it ends.
fn kind(layer: &Layer) -> String {
    let (height, width) = layer.kernel;
    let operation = match layer.kind {
        LayerKind::Convolution | LayerKind::Pointwise => format!("convolution {height} x {width}"),
        LayerKind::Depthwise => format!("depthwise {height} x {width}"),
        LayerKind::MaxPool => format!("maximum {height} x {width}"),
        LayerKind::GlobalAverage => "average of all pixels".to_owned(),
        _ => "other".to_owned(),
    };
    let stride = if layer.stride > 1 { format!(" / {}", layer.stride) } else { String::new() };
    let norm = if layer.checkpoint_parameters > 0 { ", batch norm" } else { "" };
    let added = if layer.residual { ", skip added" } else { "" };
    let activation = match layer.activation {
        Activation::Linear => "",
        Activation::Relu => ", ReLU",
        Activation::Relu6 => ", ReLU6",
    };
    format!("{operation}{stride}{norm}{added}{activation}")
}

//! What a layer does to each sum before it is stored: bias, skip connection, activation, in that order.

/// The function at the end of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// None: the sum itself.
    Linear,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
}

impl Activation {
    /// The smallest and the largest value that it lets through.
    pub fn range(self) -> (f32, f32) {
        match self {
            Activation::Linear => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
        }
    }
}

/// The end of a layer: `activation(sum + bias + residual)`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// One value an output channel.
    pub bias: &'a [f32],
    /// The skip connection, in the output's shape.
    pub residual: Option<&'a [f32]>,
    /// The last step.
    pub activation: Activation,
}

impl<'a> Epilogue<'a> {
    /// The same for output pixels `from..from + count` alone.
    pub(crate) fn of_pixels(&self, from: usize, count: usize) -> Epilogue<'a> {
        let channels = self.bias.len();
        let residual = self.residual.map(|all| &all[from * channels..(from + count) * channels]);
        Epilogue { residual, ..*self }
    }

    /// Panics unless bias and residual have these sizes.
    pub(crate) fn check(&self, pixels: usize, channels: usize) {
        assert_eq!(self.bias.len(), channels, "bias of {} values for {channels} channels", self.bias.len());
        if let Some(residual) = self.residual {
            let (found, wanted) = (residual.len(), pixels * channels);
            assert_eq!(found, wanted, "residual of {found} values for {pixels} pixels x {channels} channels");
        }
    }
}

//! From the i32 sums of a layer to the bytes of its output.

/// The largest |t| (see [`crate::int8`]) that fast paths may meet: they convert to i32 before they clamp. Whoever makes layers
/// checks that `255 · Σ|weight| · m + |b| + 255 · r` stays below it, so that no path differs from another.
pub const LARGEST: f32 = (1 << 30) as f32;

/// What happens to the sums of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Requantise {
    /// m, one an output channel.
    pub scale: Vec<f32>,
    /// b, one an output channel.
    pub bias: Vec<f32>,
    /// z_out.
    pub zero_point: u8,
}

impl Requantise {
    /// Panics unless there is one value a channel.
    pub(crate) fn check(&self, channels: usize) {
        let (scales, biases) = (self.scale.len(), self.bias.len());
        assert_eq!((scales, biases), (channels, channels), "scales and biases for {channels} channels");
    }
}

/// A skip connection.
#[derive(Clone, Copy, Debug)]
pub struct Residual<'a> {
    /// q_skip, in the output's shape.
    pub values: &'a [u8],
    /// z_skip.
    pub zero_point: u8,
    /// r.
    pub ratio: f32,
}

impl<'a> Residual<'a> {
    /// The same from a value on.
    pub(crate) fn from(&self, start: usize) -> Residual<'a> {
        Residual { values: &self.values[start..], ..*self }
    }
}

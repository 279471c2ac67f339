//! The pictures of `topwork demo`: four kinds of simple shapes, drawn from a seed.
//!
//! They exercise the full pipeline without a download. They are not photos, and an accuracy on them says nothing
//! about photos.

use std::f64::consts::TAU;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

/// Width and height of a picture in pixels.
pub(crate) const SIDE: u16 = 240;

/// What can be drawn; the names are the class names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Checks,
    Discs,
    Stripes,
    Triangles,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Checks, Kind::Discs, Kind::Stripes, Kind::Triangles];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Checks => "checks",
            Kind::Discs => "discs",
            Kind::Stripes => "stripes",
            Kind::Triangles => "triangles",
        }
    }
}

/// An RGB picture of [`SIDE`] × [`SIDE`], row by row; the same seed draws the same picture.
pub(crate) fn draw(kind: Kind, seed: u64) -> Vec<u8> {
    let mut random = Random(Pcg32::seed_from_u64(seed));
    let (back, front) = random.two_colours();
    let covers = shape(kind, &mut random);
    let light = (random.between(-0.3, 0.3), random.between(-0.3, 0.3));
    // Some pictures are hard: a demonstration without a mistake would show an empty page.
    let grain = random.between(10.0, 90.0);
    let mut pixels = Vec::with_capacity(usize::from(SIDE) * usize::from(SIDE) * 3);
    for y in 0..SIDE {
        for x in 0..SIDE {
            // Two by two samples a pixel smooth the edges.
            let covered = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)]
                .iter()
                .filter(|(dx, dy)| covers(f64::from(x) + dx, f64::from(y) + dy))
                .count() as f64
                / 4.0;
            let side = f64::from(SIDE);
            let shade = 1.0 + light.0 * (f64::from(x) / side - 0.5) + light.1 * (f64::from(y) / side - 0.5);
            for channel in 0..3 {
                let colour = back[channel] + covered * (front[channel] - back[channel]);
                let noise = random.between(-grain, grain);
                pixels.push((colour * shade + noise).clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}

/// Which points the shapes of a picture cover.
fn shape(kind: Kind, random: &mut Random) -> Box<dyn Fn(f64, f64) -> bool> {
    let side = f64::from(SIDE);
    let angle = random.between(0.0, TAU);
    let (sine, cosine) = angle.sin_cos();
    let period = random.between(0.1, 0.25) * side;
    let along = move |x: f64, y: f64| ((x * cosine + y * sine) / period).floor() as i64;
    let across = move |x: f64, y: f64| ((y * cosine - x * sine) / period).floor() as i64;
    match kind {
        Kind::Checks => Box::new(move |x, y| (along(x, y) + across(x, y)).rem_euclid(2) == 0),
        Kind::Stripes => Box::new(move |x, y| along(x, y).rem_euclid(2) == 0),
        Kind::Discs => {
            let discs = random.places(side);
            Box::new(move |x, y| discs.iter().any(|&(a, b, radius)| (x - a).hypot(y - b) < radius))
        }
        Kind::Triangles => {
            let triangles = random.places(side);
            Box::new(move |x, y| {
                triangles.iter().any(|&(a, b, radius)| {
                    // Inside all three edges, each half a radius from the middle.
                    (0..3).all(|edge| {
                        let direction = angle + f64::from(edge) * TAU / 3.0;
                        (x - a) * direction.cos() + (y - b) * direction.sin() < radius * 0.6
                    })
                })
            })
        }
    }
}

struct Random(Pcg32);

impl Random {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// Two colours that can be told apart.
    fn two_colours(&mut self) -> ([f64; 3], [f64; 3]) {
        loop {
            let mut colour = || [(); 3].map(|()| self.between(20.0, 235.0));
            let (one, other) = (colour(), colour());
            let distance: f64 = one.iter().zip(&other).map(|(a, b)| (a - b).abs()).sum();
            if distance > 60.0 {
                return (one, other);
            }
        }
    }

    /// Centres and radii of three to seven shapes.
    fn places(&mut self, side: f64) -> Vec<(f64, f64, f64)> {
        let count = 3 + self.0.next_u32() % 5;
        (0..count)
            .map(|_| {
                let (x, y) = (self.between(0.1, 0.9) * side, self.between(0.1, 0.9) * side);
                (x, y, self.between(0.06, 0.16) * side)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_one_picture_and_kinds_differ() {
        let size = usize::from(SIDE) * usize::from(SIDE) * 3;
        for kind in Kind::ALL {
            assert_eq!(draw(kind, 1).len(), size);
            assert_eq!(draw(kind, 1), draw(kind, 1));
            assert_ne!(draw(kind, 1), draw(kind, 2));
        }
        assert_ne!(draw(Kind::Discs, 1), draw(Kind::Triangles, 1));
    }
}

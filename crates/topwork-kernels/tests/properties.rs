//! What holds for the resampler whatever the picture: drawn at random, on every instruction set of the machine.
#![allow(clippy::unwrap_used)]

use topwork_kernels::Isa;
use topwork_kernels::resample::{Crop, Filter, Resampler, Scratch};

fn drawn(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

fn resampled(isa: Isa, pixels: &[u8], from: (usize, usize), to: (usize, usize), filter: Filter) -> Vec<u8> {
    let crop = Crop { left: 0, top: 0, width: to.0, height: to.1 };
    let mut out = vec![0; to.0 * to.1 * 3];
    Resampler::new(filter, from, to, crop).run(isa, pixels, &mut Scratch::default(), &mut out);
    out
}

#[test]
fn one_colour_stays_and_bilinear_stays_within_the_picture() {
    let mut state = 7;
    for round in 0..60 {
        let mut side = |limit: usize| 1 + drawn(&mut state) % limit;
        let (from, to) = ((side(70), side(70)), (side(50), side(50)));
        let colour = [drawn(&mut state) as u8, drawn(&mut state) as u8, drawn(&mut state) as u8];
        let plain: Vec<u8> = colour.into_iter().cycle().take(from.0 * from.1 * 3).collect();
        let noise: Vec<u8> = plain.iter().map(|_| 40 + (drawn(&mut state) % 100) as u8).collect();
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            let reference = resampled(Isa::SCALAR, &noise, from, to, filter);
            for isa in Isa::available() {
                let still = resampled(isa, &plain, from, to, filter);
                assert!(still.chunks_exact(3).all(|pixel| pixel == colour), "round {round}, {}", isa.name());
                assert_eq!(
                    resampled(isa, &noise, from, to, filter),
                    reference,
                    "round {round}, {}",
                    isa.name()
                );
            }
            if matches!(filter, Filter::Bilinear) {
                let (low, high) = (noise.iter().min().unwrap(), noise.iter().max().unwrap());
                assert!(reference.iter().all(|value| (low..=high).contains(&value)), "round {round}");
            }
        }
    }
}

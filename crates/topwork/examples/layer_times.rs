//! Time of each layer.
use std::time::Instant;
use topwork::Isa;
use topwork::backbone::BACKBONES;
fn main() {
    let row = &BACKBONES[0];
    let backbone = row.load(row.input, Isa::best()).unwrap();
    let net = &backbone.network;
    let pixels: Vec<u8> = (0..224 * 224 * 3u32).map(|i| (i.wrapping_mul(2654435761) >> 24) as u8).collect();
    let n = 60;
    let mut best = vec![f64::MAX; net.layers().len() + 1];
    let mut arena = net.arena();
    let mut out = vec![0.0; 1280];
    let mut total = f64::MAX;
    for _ in 0..n {
        let start = Instant::now();
        let mut last = start;
        let mut i = 0;
        net.trace(&pixels, &mut arena, &mut out, |_, _| {
            let now = Instant::now();
            best[i] = best[i].min((now - last).as_secs_f64());
            last = now;
            i += 1;
        });
        total = total.min(start.elapsed().as_secs_f64());
    }
    for (layer, time) in net.layers().iter().zip(&best) {
        println!(
            "{:28} {:?} {:?} s{} {}x{}x{} -> {} {:7.1} us {:6.1} GFLOP/s",
            layer.name,
            layer.kind,
            layer.kernel,
            layer.stride,
            layer.input.height,
            layer.input.width,
            layer.input.channels,
            layer.output.channels,
            time * 1e6,
            layer.multiply_adds as f64 * 2.0 / time / 1e9
        );
    }
    let mut kinds = std::collections::BTreeMap::new();
    for (layer, time) in net.layers().iter().zip(&best) {
        let entry = kinds.entry(layer.kind).or_insert((0.0, 0));
        entry.0 += time * 1e3;
        entry.1 += layer.multiply_adds;
    }
    println!("{kinds:?}");
    println!("best total {:.3} ms", total * 1e3);
    for threads in [1, 2] {
        for _ in 0..3 {
            let start = Instant::now();
            std::thread::scope(|s| {
                for _ in 0..threads {
                    s.spawn(|| {
                        let mut arena = net.arena();
                        let mut out = vec![0.0; 1280];
                        for _ in 0..100 {
                            net.features(&pixels, &mut arena, &mut out);
                        }
                    });
                }
            });
            println!(
                "{threads} threads: {:.1} images/s",
                threads as f64 * 100.0 / start.elapsed().as_secs_f64()
            );
        }
    }
}

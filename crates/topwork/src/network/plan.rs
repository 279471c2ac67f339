//! Which buffer of the arena each tensor of a network uses: a buffer is used again once its tensor has been read for the
//! last time. Made once for each network, so that running it allocates nothing.

/// Buffer of each tensor, and size of each buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slots {
    pub(super) of_node: Vec<usize>,
    pub(super) sizes: Vec<usize>,
}

/// Places tensors of these sizes; `readers[i]` are the tensors that are read while tensor `i` is written. Large tensors
/// choose first, each the first buffer that is free while it lives, so that small ones never make a large buffer.
pub(super) fn place(sizes: &[usize], readers: &[Vec<usize>]) -> Slots {
    let mut last_read: Vec<usize> = (0..sizes.len()).collect();
    for (node, sources) in readers.iter().enumerate() {
        for source in sources {
            last_read[*source] = node;
        }
    }
    let live_together = |one: usize, other: usize| one <= last_read[other] && other <= last_read[one];
    let mut by_size: Vec<usize> = (0..sizes.len()).collect();
    by_size.sort_by_key(|node| std::cmp::Reverse(sizes[*node]));
    let mut tenants: Vec<Vec<usize>> = Vec::new();
    let mut slots = Slots { of_node: vec![0; sizes.len()], sizes: Vec::new() };
    for node in by_size {
        let free =
            tenants.iter().position(|tenants| tenants.iter().all(|other| !live_together(node, *other)));
        let slot = free.unwrap_or_else(|| {
            tenants.push(Vec::new());
            slots.sizes.push(sizes[node]);
            tenants.len() - 1
        });
        tenants[slot].push(node);
        slots.of_node[node] = slot;
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tensor_is_overwritten_before_its_last_reader() {
        // Two inverted-residual blocks: 0 → 1 → 2 → 3 (+ 0) → 4 → 5 → 6 (+ 3).
        let readers = [vec![], vec![0], vec![1], vec![2, 0], vec![3], vec![4], vec![5, 3]];
        let sizes = [10, 60, 60, 10, 60, 60, 10];
        let slots = place(&sizes, &readers);
        for (node, sources) in readers.iter().enumerate() {
            assert!(slots.sizes[slots.of_node[node]] >= sizes[node]);
            for source in sources {
                let written_between = source + 1..=node;
                for other in written_between {
                    assert_ne!(slots.of_node[other], slots.of_node[*source], "{other} overwrites {source}");
                }
            }
        }
        assert_eq!(
            slots.sizes.iter().sum::<usize>(),
            10 + 60 + 60 + 10,
            "two small and two large buffers do"
        );
    }
}

//! Which buffer of the arena each tensor of a network uses: a buffer is used again once its tensor has been read for the
//! last time. Made once for each network, so that running it allocates nothing.

/// Buffer of each tensor, and size of each buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slots {
    pub(super) of_node: Vec<usize>,
    pub(super) sizes: Vec<usize>,
}

/// Places tensors of these sizes. `readers[i]` are the tensors that are read while tensor `i` is written; no tensor shares a
/// buffer with one that is still to be read.
pub(super) fn place(sizes: &[usize], readers: &[Vec<usize>]) -> Slots {
    let mut last_read: Vec<usize> = (0..sizes.len()).collect();
    for (node, sources) in readers.iter().enumerate() {
        for source in sources {
            last_read[*source] = node;
        }
    }
    let mut slots = Slots { of_node: Vec::new(), sizes: Vec::new() };
    let mut busy_until: Vec<usize> = Vec::new();
    for (node, &size) in sizes.iter().enumerate() {
        let free = (0..busy_until.len()).filter(|slot| busy_until[*slot] < node);
        // The smallest that suffices, else the one that has to grow least: small tensors leave large buffers alone.
        let fit = |slot: &usize| (slots.sizes[*slot] < size, slots.sizes[*slot].abs_diff(size));
        let slot = free.min_by_key(fit).unwrap_or_else(|| {
            busy_until.push(0);
            slots.sizes.push(0);
            busy_until.len() - 1
        });
        slots.sizes[slot] = slots.sizes[slot].max(size);
        busy_until[slot] = last_read[node];
        slots.of_node.push(slot);
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

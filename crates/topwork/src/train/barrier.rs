//! A place where threads wait for each other, for so short a time that going to sleep would take longer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Looks around so often, some tens of microseconds in all, before the processor is offered to others.
const LOOKS: usize = 1_000;

pub(crate) struct Barrier {
    members: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    pub(crate) fn new(members: usize) -> Barrier {
        Barrier {
            members,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Returns when all members have called it; what they did before is visible to all of them then.
    ///
    /// # Panics
    /// If a member has panicked, since it will never come.
    pub(crate) fn wait(&self) {
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.members {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut looks = 0;
        while self.round.load(Ordering::Acquire) == round {
            assert!(!self.broken.load(Ordering::Relaxed), "another thread of the team has panicked");
            looks += 1;
            if looks < LOOKS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// A value to hold while waiting is possible: should its thread panic, nobody waits for it forever.
    pub(crate) fn member(&self) -> Member<'_> {
        Member(self)
    }
}

pub(crate) struct Member<'a>(&'a Barrier);

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_on_before_all_have_come() {
        let (members, rounds) = (4, 200);
        let (barrier, count) = (Barrier::new(members), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..members {
                scope.spawn(|| {
                    for round in 1..=rounds {
                        count.fetch_add(1, Ordering::Relaxed);
                        barrier.wait();
                        assert_eq!(count.load(Ordering::Relaxed), round * members);
                        barrier.wait();
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_is_not_waited_for() {
        let barrier = Barrier::new(2);
        let outcomes = std::thread::scope(|scope| {
            let waits = scope.spawn(|| barrier.wait());
            let fails = scope.spawn(|| {
                let _member = barrier.member();
                panic!("on purpose");
            });
            [waits.join().is_err(), fails.join().is_err()]
        });
        assert_eq!(outcomes, [true, true]);
    }
}

//! All sequences of choices, one after the other.

/// A sequence of choices, each among so many. Going on, the last one that can be another is.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    made: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    /// Chooses a number below `count`.
    pub fn pick(&mut self, count: usize) -> usize {
        assert!(count > 0, "there is something to choose");
        if self.next == self.made.len() {
            self.made.push((0, count));
        }
        self.next += 1;
        self.made[self.next - 1].0
    }

    /// Goes on to the next sequence; false if this was the last one.
    pub fn advance(&mut self) -> bool {
        self.next = 0;
        while let Some((choice, count)) = self.made.pop() {
            if choice + 1 < count {
                self.made.push((choice + 1, count));
                return true;
            }
        }
        false
    }
}

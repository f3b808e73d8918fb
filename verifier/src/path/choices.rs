//! Enumerates the paths through a rule: each point of choice takes its alternatives in turn, depth first.
//!
//! A path is a list of choices. Evaluation replays the list and takes the first alternative at each
//! point beyond its end; [`Choices::advance`] then moves to the next path. No path is skipped: the only
//! way to leave one out is to stop in the middle of its evaluation as infeasible.

/// One choice that was made.
#[derive(Clone, Debug)]
struct Choice {
    taken: usize,
    alternatives: usize,
}

/// The choices of the path that is being evaluated.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    path: Vec<Choice>,
    cursor: usize,
    /// Labels of the signatures chosen on this path, in order.
    pub signatures: Vec<String>,
}

impl Choices {
    /// Takes the next choice among `alternatives`, of which there is at least one.
    pub fn choose(&mut self, alternatives: usize) -> usize {
        assert!(alternatives > 0, "invariant: something is there to choose");
        if self.cursor == self.path.len() {
            self.path.push(Choice {
                taken: 0,
                alternatives,
            });
        }
        let choice = &self.path[self.cursor];
        assert_eq!(
            choice.alternatives, alternatives,
            "invariant: evaluation replays alike"
        );
        self.cursor += 1;
        choice.taken
    }

    /// Moves to the next path. Returns false when all have been taken.
    pub fn advance(&mut self) -> bool {
        // Choices that this evaluation did not reach belong to no path.
        self.path.truncate(self.cursor);
        self.cursor = 0;
        self.signatures.clear();
        while let Some(last) = self.path.last_mut() {
            last.taken += 1;
            if last.taken < last.alternatives {
                return true;
            }
            self.path.pop();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Choices;

    #[test]
    fn every_path_is_taken_once() {
        let mut choices = Choices::default();
        let mut seen = Vec::new();
        loop {
            let first = choices.choose(2);
            let second = if first == 0 { choices.choose(3) } else { 9 };
            let third = choices.choose(2);
            seen.push((first, second, third));
            if !choices.advance() {
                break;
            }
        }
        let expected = [
            (0, 0, 0),
            (0, 0, 1),
            (0, 1, 0),
            (0, 1, 1),
            (0, 2, 0),
            (0, 2, 1),
            (1, 9, 0),
            (1, 9, 1),
        ];
        assert_eq!(seen, expected);
    }
}

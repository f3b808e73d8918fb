//! The objects behind `externref`s, and the collection of those that are no longer needed.
//!
//! WebAssembly refers to an object by the number of its place. The host refers to it by an
//! [`ExternRef`](crate::ExternRef), which shares a counter with the place. An object is kept if its counter says
//! that the host has a reference, or if its number is in a table or a global. All others are garbage once no
//! WebAssembly of the store runs, because then no frame contains a number. So a collection needs nothing of
//! compiled code, and takes place between calls only.

use std::any::Any;
use std::sync::Arc;

/// An object of the host.
pub(crate) type Object = Box<dyn Any + Send + Sync>;

/// A reference of the host to an object: each clone is another one.
pub(crate) type Held = Arc<()>;

/// The number of objects at which the first collection is due.
const FIRST: usize = 1024;

/// The objects of one store.
#[derive(Default)]
pub(crate) struct ExternObjects {
    places: Vec<Option<(Object, Held)>>,
    free: Vec<u32>,
    /// The number of objects at which a collection is due; 0 before the first one.
    due_at: usize,
}

impl ExternObjects {
    fn live(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there are so many objects that a collection is due.
    pub(crate) fn is_due(&self) -> bool {
        self.live() >= self.due_at.max(FIRST)
    }

    /// Adds an object. Returns its number, and a reference for the caller.
    pub(crate) fn push(&mut self, object: Object) -> (u32, Held) {
        let held = Held::default();
        let place = Some((object, held.clone()));
        let index = match self.free.pop() {
            Some(index) => {
                self.places[index as usize] = place;
                index
            }
            None => {
                let index = u32::try_from(self.places.len()).ok();
                let index = index.filter(|&index| index < u32::MAX);
                self.places.push(place);
                index.expect("a store holds fewer than 2^32 objects")
            }
        };
        (index, held)
    }

    fn place(&self, index: u32) -> &(Object, Held) {
        let place = self.places[index as usize].as_ref();
        place.expect("an object whose number somebody has is there")
    }

    /// The object with this number.
    pub(crate) fn get(&self, index: u32) -> &(dyn Any + Send + Sync) {
        &*self.place(index).0
    }

    /// Another reference of the host to the object with this number.
    pub(crate) fn hold(&self, index: u32) -> Held {
        self.place(index).1.clone()
    }

    /// Takes out the objects to which neither the host nor WebAssembly refers. `words` are all the `externref`s
    /// that WebAssembly has, null or one more than a number.
    pub(crate) fn take_garbage(&mut self, words: impl Iterator<Item = u64>) -> Vec<Object> {
        let mut marked = vec![false; self.places.len()];
        let mut looked_at = 0;
        for word in words {
            looked_at += 1;
            let index = word.checked_sub(1).map(|index| index as usize);
            if let Some(mark) = index.and_then(|index| marked.get_mut(index)) {
                *mark = true;
            }
        }
        let mut garbage = Vec::new();
        for (index, marked) in marked.into_iter().enumerate() {
            let place = &mut self.places[index];
            // One reference is that of the place itself.
            let kept = |(_, held): &mut (Object, Held)| marked || Arc::strong_count(held) > 1;
            if let Some((object, _)) = place.take_if(|place| !kept(place)) {
                garbage.push(object);
                self.free.push(index as u32);
            }
        }
        // The next collection is due when it can find as much garbage as it has to visit.
        self.due_at = 2 * self.live() + looked_at / 4;
        garbage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_neither_side_has_goes_and_its_number_is_used_again() {
        let mut objects = ExternObjects::default();
        let (first, first_held) = objects.push(Box::new("first"));
        let (second, second_held) = objects.push(Box::new("second"));
        let (third, third_held) = objects.push(Box::new("third"));
        drop((second_held, third_held));
        let another = objects.hold(first);
        drop(first_held);
        let words = [0, u64::from(second) + 1, u64::MAX];
        let garbage = objects.take_garbage(words.into_iter());
        assert_eq!(garbage.len(), 1);
        assert_eq!(garbage[0].downcast_ref(), Some(&"third"));
        assert_eq!(objects.get(first).downcast_ref(), Some(&"first"));
        assert_eq!(objects.get(second).downcast_ref(), Some(&"second"));
        assert_eq!(objects.push(Box::new(4)).0, third);
        drop(another);
        assert_eq!(objects.take_garbage(std::iter::empty()).len(), 3);
    }

    #[test]
    fn collections_are_due_by_doubling() {
        let mut objects = ExternObjects::default();
        let push = |objects: &mut ExternObjects, count| -> Vec<Held> {
            (0..count).map(|n| objects.push(Box::new(n)).1).collect()
        };
        let kept = push(&mut objects, FIRST - 1);
        assert!(!objects.is_due());
        push(&mut objects, 1);
        assert!(objects.is_due());
        assert_eq!(objects.take_garbage(std::iter::empty()).len(), 1);
        push(&mut objects, kept.len() - 1);
        assert!(!objects.is_due());
        push(&mut objects, 1);
        assert!(objects.is_due());
        // If tables are large, collections are rarer.
        objects.take_garbage(std::iter::repeat_n(0, 100 * FIRST));
        push(&mut objects, 20 * FIRST);
        assert!(!objects.is_due());
    }
}

//! Connections, by keys that are never reused: an event for a connection that is closed reaches no other one.

/// Which place, and which of those that have had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlaceId {
    index: u32,
    turn: u32,
}

impl PlaceId {
    /// Returns it as a token of the poller, with a bit of the caller's own.
    pub(super) fn token(self, is_marked: bool) -> u64 {
        u64::from(self.turn) << 32 | u64::from(self.index) << 1 | u64::from(is_marked)
    }

    /// Returns what [`Self::token`] was made of.
    pub(super) fn of_token(token: u64) -> (Self, bool) {
        let index = (token & u64::from(u32::MAX)) >> 1;
        let id = Self {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            turn: u32::try_from(token >> 32).unwrap_or(u32::MAX),
        };
        (id, token & 1 == 1)
    }
}

/// The places.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Puts in what is made with the id that it gets.
    pub(super) fn insert_with(&mut self, make: impl FnOnce(PlaceId) -> T) -> PlaceId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let (turn, place) = &mut self.places[index as usize];
        let id = PlaceId { index, turn: *turn };
        *place = Some(make(id));
        id
    }

    pub(super) fn get(&self, id: PlaceId) -> Option<&T> {
        let (turn, place) = self.places.get(id.index as usize)?;
        place.as_ref().filter(|_| *turn == id.turn)
    }

    pub(super) fn get_mut(&mut self, id: PlaceId) -> Option<&mut T> {
        let (turn, place) = self.places.get_mut(id.index as usize)?;
        place.as_mut().filter(|_| *turn == id.turn)
    }

    pub(super) fn remove(&mut self, id: PlaceId) -> Option<T> {
        let (turn, place) = self.places.get_mut(id.index as usize)?;
        if *turn != id.turn {
            return None;
        }
        let taken = place.take()?;
        *turn = turn.wrapping_add(1);
        self.free.push(id.index);
        Some(taken)
    }

    /// Returns all of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|(_, place)| place.as_ref())
    }

    /// Returns the ids of those that a property holds for.
    pub(super) fn ids_where(&self, is_meant: impl Fn(&T) -> bool) -> Vec<PlaceId> {
        let taken = self.places.iter().enumerate();
        taken
            .filter(|(_, (_, place))| place.as_ref().is_some_and(&is_meant))
            .map(|(index, (turn, _))| PlaceId {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                turn: *turn,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_one_that_is_gone_is_never_anothers() {
        let mut slab = Slab::new();
        let first = slab.insert_with(|_| 'a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert_with(|_| 'b');
        assert_eq!((slab.get(first), slab.get(second), slab.len()), (None, Some(&'b'), 1));
        assert_eq!(slab.remove(first), None);
        assert_eq!(PlaceId::of_token(second.token(true)), (second, true));
        assert_eq!(slab.ids_where(|letter| *letter == 'b'), [second]);
    }
}

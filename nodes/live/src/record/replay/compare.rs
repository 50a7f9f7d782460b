//! What a node asks for, held against what was recorded, and told.

use squall_nodes::recording::{Asked, Difference, Entry, Happened, Step, marks};
use squall_nodes::{Effects, Node};

use super::PANIC;
use super::flight::{Flight, Place, Recorded};

impl<N: Node> Flight<'_, N> {
    /// Holds what the node asks for against what was recorded.
    pub(super) fn compare(&mut self, effects: &Effects<'_, N>) -> Happened {
        let replayed = marks::of(effects, &mut self.scratch);
        self.came.effects += replayed.len() as u64;
        let (recorded, is_panic) = match std::mem::replace(&mut self.recorded, Recorded::Nothing) {
            Recorded::Effects(marks) => (marks, false),
            Recorded::Nothing => (Vec::new(), false),
            Recorded::Panic => (Vec::new(), true),
        };
        let is_same = !is_panic && recorded == replayed;
        if is_same && !self.is_wanted() {
            return Happened::Asked(Vec::new());
        }
        let mut looked = effects.look();
        let mut asked = Vec::new();
        for place in 0..recorded.len().max(replayed.len()).max(usize::from(is_panic)) {
            let text = looked
                .next()
                .map(|(outline, content)| self.words.effect(&outline, &content));
            let (recorded, replayed) = (recorded.get(place), replayed.get(place));
            asked.push(match (recorded, replayed, text) {
                (Some(recorded), Some(replayed), Some(text)) if recorded == replayed => {
                    Asked::AsRecorded(text)
                }
                (_, _, text) => Asked::Otherwise {
                    recorded: match recorded {
                        Some(recorded) => Some(self.words.mark::<N>(recorded, replayed)),
                        None => (is_panic && place == 0).then(|| PANIC.to_owned()),
                    },
                    replayed: text,
                },
            });
        }
        let first = asked.iter().enumerate().find_map(|(place, asked)| match asked {
            Asked::AsRecorded(_) => None,
            Asked::Otherwise { recorded, replayed } => {
                Some((place as u64 + 1, recorded.clone(), replayed.clone()))
            }
        });
        if let Some((effect, recorded, replayed)) = first {
            self.differs(effect, recorded, replayed);
        }
        Happened::Asked(asked)
    }

    fn differs(&mut self, effect: u64, recorded: Option<String>, replayed: Option<String>) {
        self.came.differing += 1;
        if self.came.difference.is_none() {
            self.came.difference = Some(Difference {
                input: self.number,
                at: self.now,
                told: self.told_in_words(),
                effect,
                recorded,
                replayed,
            });
        }
    }

    /// The node panicked over the input that it was told last.
    pub(super) fn panicked(&mut self, said: String) {
        match std::mem::replace(&mut self.recorded, Recorded::Nothing) {
            Recorded::Panic => {}
            Recorded::Nothing => self.differs(1, None, Some(PANIC.to_owned())),
            Recorded::Effects(marks) => {
                let first = marks.first().map(|mark| self.words.mark::<N>(mark, None));
                self.differs(1, first, Some(PANIC.to_owned()));
            }
        }
        self.came.panicked = Some(said.clone());
        self.tell(Happened::Panicked(said));
    }

    fn is_wanted(&self) -> bool {
        let story = self.manner.story.as_ref();
        story.is_some_and(|story| story.contains(&self.number))
    }

    /// Tells what the node did, where that is wanted.
    pub(super) fn tell(&mut self, happened: Happened) {
        if self.is_wanted() {
            let step = Step {
                input: self.number,
                at: self.now,
                told: self.told_in_words(),
                happened,
            };
            if (self.told)(step).is_break() {
                self.place = Place::Left;
            }
        }
    }

    fn told_in_words(&mut self) -> String {
        match Entry::<N>::decode(self.frames.body()) {
            Ok(Entry::Handled { told, .. } | Entry::Panicked { told, .. }) => self.words.told(&told),
            // It was read before.
            _ => String::new(),
        }
    }
}

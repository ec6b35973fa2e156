use decoupled_seg_types::CITYSCAPES_LABELS;

use crate::IGNORE_LABEL;

/// Maps the ids in label files to class indices or [`IGNORE_LABEL`]. All other ids are unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdMap {
    /// Class index or [`IGNORE_LABEL`] of every id; [`Self::UNKNOWN`] for unknown ids.
    table: Box<[u16; 256]>,
    /// Ids above 255, which only masks of 16 bits have, with the class index or [`IGNORE_LABEL`] of each.
    large: Vec<(u16, u8)>,
    expected: String,
}

impl IdMap {
    const UNKNOWN: u16 = 256;

    /// Ids that equal class indices. The ids in `ignored` stand for [`IGNORE_LABEL`].
    pub fn identity(num_classes: usize, ignored: &[u8]) -> Self {
        let classes = (0_u8..).take(num_classes).map(|index| (index, index));
        let mut map = Self::new(classes.chain(ignored.iter().map(|&id| (id, IGNORE_LABEL))));
        let ignored = ignored
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        map.expected = format!(
            "0 to {}, or {ignored} for ignored",
            num_classes.saturating_sub(1)
        );
        map
    }

    /// Pairs of an id and its class index or [`IGNORE_LABEL`]. Later pairs win.
    pub fn new(pairs: impl IntoIterator<Item = (u8, u8)>) -> Self {
        Self::of_words(pairs.into_iter().map(|(id, label)| (id.into(), label)))
    }

    /// As [`new`](Self::new), with ids of up to 16 bits.
    pub fn of_words(pairs: impl IntoIterator<Item = (u16, u8)>) -> Self {
        let mut table = Box::new([Self::UNKNOWN; 256]);
        let mut large: Vec<(u16, u8)> = Vec::new();
        for (id, label) in pairs {
            match table.get_mut(usize::from(id)) {
                Some(known) => *known = label.into(),
                None => {
                    large.retain(|&(known, _)| known != id);
                    large.push((id, label));
                }
            }
        }
        large.sort_unstable();
        let small = (0..=u8::MAX).map(u16::from);
        let known: Vec<String> = small
            .filter(|&id| table[usize::from(id)] != Self::UNKNOWN)
            .chain(large.iter().map(|&(id, _)| id))
            .map(|id| id.to_string())
            .collect();
        Self {
            table,
            large,
            expected: format!("one of the ids {}", known.join(", ")),
        }
    }

    /// The class index or [`IGNORE_LABEL`] of an id; `None` for an unknown id.
    pub fn get(&self, id: u16) -> Option<u8> {
        match self.table.get(usize::from(id)) {
            Some(&label) => u8::try_from(label).ok(),
            None => {
                let at = self.large.binary_search_by_key(&id, |&(id, _)| id).ok()?;
                Some(self.large[at].1)
            }
        }
    }

    /// Whether these are the label ids of Cityscapes.
    pub(crate) fn are_label_ids(&self) -> bool {
        CITYSCAPES_LABELS.iter().all(|label| {
            // The license plate has no id that a mask could hold.
            let id = u16::try_from(label.id).ok();
            id.is_none_or(|id| self.get(id) == Some(label.train_id))
        })
    }

    /// The known ids, in words.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

/// Whether the values of masks, which are read as label ids of Cityscapes, may be its train ids: 0 to 18, and 19 or 255 for
/// the rest. Among label ids, 1 to 6 are void, and vegetation, sky and cars are above 19.
pub(crate) fn may_be_train_ids(mut values: impl Iterator<Item = u16>) -> bool {
    let mut has_low = false;
    let fit = values.all(|value| {
        has_low |= (1..=6).contains(&value);
        value <= 19 || value == u16::from(IGNORE_LABEL)
    });
    fit && has_low
}

use serde::{Deserialize, Serialize};

use crate::IGNORE_LABEL;

/// One class of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// The name, as the data set's authors write it.
    pub name: String,
    /// The colour in pictures: red, green, blue.
    pub color: [u8; 3],
    /// The value in the data set's own label files, which benchmarks ask for in submissions. The default is the class
    /// index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u8>,
    /// The group that the benchmark scores together (`vehicle`, `flat`, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whether instance files tell single objects of the class apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_instances: bool,
}

impl Class {
    /// A class with a name and a colour.
    pub fn new(name: impl Into<String>, color: [u8; 3]) -> Self {
        Self {
            name: name.into(),
            color,
            id: None,
            category: None,
            has_instances: false,
        }
    }

    /// Sets [`id`](Self::id).
    pub fn with_id(mut self, id: u8) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets [`category`](Self::category).
    pub fn with_category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Sets [`has_instances`](Self::has_instances).
    pub fn with_instances(mut self, has_instances: bool) -> Self {
        self.has_instances = has_instances;
        self
    }
}

/// The classes of a data set. The position in the list is the class index in label maps and networks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassTable {
    /// The classes, by index.
    pub classes: Vec<Class>,
}

pub use decoupled_seg_types::MAX_CLASSES;

impl ClassTable {
    /// Makes a table.
    ///
    /// # Panics
    ///
    /// Panics if there are no classes or more than [`MAX_CLASSES`].
    pub fn new(classes: Vec<Class>) -> Self {
        assert!(
            (1..=MAX_CLASSES).contains(&classes.len()),
            "a class table holds 1 to {MAX_CLASSES} classes, got {}",
            classes.len()
        );
        Self { classes }
    }

    /// Number of classes, without the ignored pixels.
    pub fn num_classes(&self) -> usize {
        self.classes.len()
    }

    /// The colours, by class index.
    pub fn colors(&self) -> Vec<[u8; 3]> {
        self.classes.iter().map(|class| class.color).collect()
    }

    /// The names, by class index.
    pub fn names(&self) -> Vec<&str> {
        self.classes
            .iter()
            .map(|class| class.name.as_str())
            .collect()
    }

    /// The colour of a label; black for [`IGNORE_LABEL`] and for values that are no class.
    pub fn color(&self, label: u8) -> [u8; 3] {
        self.classes
            .get(usize::from(label))
            .map_or([0; 3], |class| class.color)
    }

    /// The value that the data set's own label files use for a class index.
    pub fn id(&self, label: u8) -> u8 {
        self.classes
            .get(usize::from(label))
            .and_then(|class| class.id)
            .unwrap_or(label)
    }

    /// The index of the class with this name.
    pub fn index_of(&self, name: &str) -> Option<u8> {
        let index = self.classes.iter().position(|class| class.name == name)?;
        Some(u8::try_from(index).expect("a table holds at most 254 classes"))
    }

    /// Whether a label is a class index or [`IGNORE_LABEL`].
    pub fn knows(&self, label: u8) -> bool {
        label == IGNORE_LABEL || usize::from(label) < self.classes.len()
    }

    /// The categories in order of first appearance, each with its class indices; classes without category are left
    /// out.
    pub fn categories(&self) -> Vec<(&str, Vec<u8>)> {
        let mut categories: Vec<(&str, Vec<u8>)> = Vec::new();
        for (index, class) in (0..).zip(&self.classes) {
            let Some(category) = class.category.as_deref() else {
                continue;
            };
            match categories.iter_mut().find(|(name, _)| *name == category) {
                Some((_, members)) => members.push(index),
                None => categories.push((category, vec![index])),
            }
        }
        categories
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ClassTable {
        ClassTable::new(vec![
            Class::new("road", [128, 64, 128])
                .with_id(7)
                .with_category("flat"),
            Class::new("car", [0, 0, 142])
                .with_id(26)
                .with_category("vehicle")
                .with_instances(true),
            Class::new("sidewalk", [244, 35, 232]).with_category("flat"),
        ])
    }

    #[test]
    fn looks_up_both_ways() {
        let table = table();
        assert_eq!(table.num_classes(), 3);
        assert_eq!(table.names(), ["road", "car", "sidewalk"]);
        assert_eq!(table.color(1), [0, 0, 142]);
        assert_eq!(table.color(IGNORE_LABEL), [0, 0, 0]);
        assert_eq!(table.index_of("car"), Some(1));
        assert_eq!(table.index_of("bus"), None);
        assert_eq!((table.id(1), table.id(2)), (26, 2));
        assert!(table.knows(2) && table.knows(IGNORE_LABEL) && !table.knows(3));
        assert_eq!(
            table.categories(),
            [("flat", vec![0, 2]), ("vehicle", vec![1])]
        );
    }

    #[test]
    fn survives_toml() {
        let text = toml::to_string(&table()).expect("a table is plain data");
        assert_eq!(
            toml::from_str::<ClassTable>(&text).expect("written by us"),
            table()
        );
    }

    #[test]
    #[should_panic(expected = "a class table holds 1 to 254 classes, got 0")]
    fn refuses_an_empty_table() {
        ClassTable::new(Vec::new());
    }
}

use std::path::Path;

use decoupled_seg_datasets::ClassTable;

use crate::EngineError;

/// Checks that data of the classes `data` mean the same by each index as weights that were trained on classes with the names
/// `trained`. `path` is where the weights are, for the error.
///
/// # Errors
///
/// Returns [`EngineError::OtherClasses`] at the first class with another name. Colours and ids may differ.
pub fn check_class_names(
    path: &Path,
    trained: &[&str],
    data: &ClassTable,
) -> Result<(), EngineError> {
    let data = data.names();
    let differs = |&index: &usize| trained.get(index) != data.get(index);
    let Some(index) = (0..trained.len().max(data.len())).find(differs) else {
        return Ok(());
    };
    let name = |names: &[&str]| names.get(index).map(ToString::to_string);
    Err(EngineError::OtherClasses {
        path: path.to_path_buf(),
        index,
        trained: name(trained),
        data: name(&data),
    })
}

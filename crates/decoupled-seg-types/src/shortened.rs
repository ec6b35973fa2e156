/// Letters that are shown. Files of other programs may be one line of megabytes.
const SHOWN: usize = 200;

/// The beginning of a line of somebody's file, for messages.
///
/// ```
/// use decoupled_seg_types::shortened;
///
/// assert_eq!(shortened("train/a.png"), "train/a.png");
/// assert_eq!(shortened(&"ä".repeat(1000)), format!("{}…", "ä".repeat(200)));
/// ```
pub fn shortened(line: &str) -> String {
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_string(),
    }
}

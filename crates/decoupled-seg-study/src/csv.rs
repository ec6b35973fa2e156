use crate::StudyReport;

impl StudyReport {
    /// The report as CSV, one row per score and run.
    /// Columns: `variant,fold,seed,score,value`.
    pub fn to_csv(&self) -> String {
        write(self)
    }
}

fn write(report: &StudyReport) -> String {
    let mut text = "variant,fold,seed,score,value\n".to_string();
    for variant in &report.variants {
        for score in &variant.scores {
            for run in &score.values {
                let fold = run.fold.as_deref().unwrap_or_default();
                let value = run.value.map_or(String::new(), |value| value.to_string());
                let cells = [
                    &variant.name,
                    fold,
                    &run.seed.to_string(),
                    &score.name,
                    &value,
                ];
                text.push_str(&cells.map(quoted).join(","));
                text.push('\n');
            }
        }
    }
    text
}

/// RFC 4180.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_are_quoted() {
        assert_eq!(quoted("F, 1 \"px\""), "\"F, 1 \"\"px\"\"\"");
        assert_eq!(quoted("mean IoU"), "mean IoU");
    }
}

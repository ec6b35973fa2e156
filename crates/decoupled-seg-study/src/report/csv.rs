use super::StudyReport;
use super::measure::Measure;

impl StudyReport {
    /// Every value of every run as CSV. Columns: `variant,fold,seed,score,part,value`; the value is empty where the run has
    /// none.
    pub fn to_csv(&self) -> String {
        write(self)
    }
}

fn write(report: &StudyReport) -> String {
    let mut text = "variant,fold,seed,score,part,value\n".to_string();
    let mut measures = Measure::main(report);
    measures.extend(Measure::boundary(report));
    measures.extend(Measure::parts(report).into_iter().flat_map(|(_, of)| of));
    for variant in &report.variants {
        for run in &variant.runs {
            for measure in &measures {
                let value = measure.value(&run.result);
                let [score, part] = measure.names();
                let cells = [
                    &variant.name,
                    run.fold.as_deref().unwrap_or_default(),
                    &run.seed.to_string(),
                    &score,
                    &part,
                    &value.map_or(String::new(), |value| value.to_string()),
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

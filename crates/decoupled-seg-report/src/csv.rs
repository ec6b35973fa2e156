use crate::{Study, measure::Measure};

impl Study {
    /// Every value of every run: `variant,seed,measure,value`, scores in `0..=1`.
    pub fn csv(&self) -> String {
        text(self)
    }
}

/// One line for each value of each run.
fn text(study: &Study) -> String {
    let mut text = String::from("variant,seed,measure,value\n");
    let mut measures = Measure::main(study);
    measures.extend(Measure::boundary(study));
    for (kind, more) in [
        ("IoU of", Measure::classes(study)),
        ("IoU by size:", Measure::sizes(study)),
    ] {
        for mut measure in more {
            measure.name = format!("{kind} {}", measure.name);
            measures.push(measure);
        }
    }
    for variant in &study.variants {
        for run in &variant.runs {
            for measure in &measures {
                if let Some(value) = measure.score(run) {
                    let [variant, measure] = [&variant.name, &measure.name].map(|name| field(name));
                    text += &format!("{variant},{},{measure},{value}\n", run.seed);
                }
            }
        }
    }
    text
}

/// A text as one field.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Run, Variant};

    #[test]
    fn names_with_commas_stay_one_field() {
        let run = Run {
            mean_iou: Some(0.5),
            class_iou: vec![None, Some(0.25)],
            ..Run::new(7)
        };
        let study = Study {
            title: String::new(),
            notes: Vec::new(),
            classes: vec!["road".to_string(), "car, \"parked\"".to_string()],
            variants: vec![Variant::new("plain, small", vec![run])],
            figures: Vec::new(),
        };

        let expected = "variant,seed,measure,value\n\
            \"plain, small\",7,mean IoU,0.5\n\
            \"plain, small\",7,\"IoU of car, \"\"parked\"\"\",0.25\n";
        assert_eq!(study.csv(), expected);
    }
}

use std::fmt;
use std::path::Path;

use decoupled_seg_datasets::ClassTable;
use decoupled_seg_metrics::{
    Aggregation, BoundaryFScore, ConfusionMatrix, InstanceIou, SegmentationReport,
};
use decoupled_seg_viz::confusion_picture;
use serde::Serialize;
use serde_json::{Value, json};

use super::{BenchmarkReport, Timings};
use crate::files::{self, FileError, write_png};
use crate::recipe::Protocol;
use crate::record::{BoundaryScore, Scores};

/// What an evaluation found, and how it was made. Shown as a table ([`Display`](fmt::Display)), written as JSON or
/// CSV.
#[derive(Debug, Clone)]
pub struct EvaluationReport {
    /// Classes of the data set.
    pub classes: ClassTable,
    /// How the predictions were made.
    pub protocol: Protocol,
    /// Images that were evaluated.
    pub images: usize,
    /// All pixels of all images.
    pub confusion: ConfusionMatrix,
    /// Boundary scores, if any were asked for.
    pub boundary: Option<BoundaryFScore>,
    /// Scores by instance, where the data set has the classes of Cityscapes and tells the objects of every image apart.
    pub instances: Option<InstanceIou>,
    /// The first image whose objects are not told apart, where those of others are: then there are no scores by instance.
    pub without_instances: Option<String>,
    /// Where the time went, if it was measured.
    pub timings: Timings,
}

impl EvaluationReport {
    /// The figures in short, as checkpoints keep them. Where nothing was labelled all are 0.
    pub fn scores(&self) -> Scores {
        let boundary_f = self.boundary.iter().flat_map(|metric| {
            let means = metric.mean_scores(Aggregation::PerImage);
            metric
                .thresholds()
                .iter()
                .zip(means)
                .map(|(&threshold, score)| BoundaryScore {
                    threshold,
                    f_score: score.map_or(0.0, |score| score.f),
                })
                .collect::<Vec<_>>()
        });
        Scores {
            mean_iou: self.confusion.mean_iou().unwrap_or(0.0),
            pixel_accuracy: self.confusion.pixel_accuracy().unwrap_or(0.0),
            boundary_f: boundary_f.collect(),
            class_iou: self.confusion.iou(),
        }
    }

    /// Mean IoU of a prediction that always names the most frequent class: what a network that learned nothing gets.
    pub fn majority_mean_iou(&self) -> f64 {
        let classes = self.confusion.num_classes();
        let rows: Vec<u64> = (0..classes)
            .map(|label| (0..classes).map(|p| self.confusion.get(label, p)).sum())
            .collect();
        let present = rows.iter().filter(|&&row| row > 0).count();
        let total: u64 = rows.iter().sum();
        let largest = rows.iter().max().copied().unwrap_or(0);
        if total == 0 {
            return 0.0;
        }
        largest as f64 / total as f64 / present as f64
    }

    /// IoU of each category of the class table, with its name; empty without categories.
    pub fn category_iou(&self) -> Vec<(String, Option<f64>)> {
        let categories = self.classes.categories();
        if categories.is_empty() {
            return Vec::new();
        }
        let mut of_class = vec![None; self.classes.num_classes()];
        for (index, (_, members)) in categories.iter().enumerate() {
            for &class in members {
                of_class[usize::from(class)] = Some(index);
            }
        }
        categories
            .iter()
            .map(|(name, _)| (*name).to_string())
            .zip(self.confusion.category_iou(&of_class))
            .collect()
    }

    /// IoU and iIoU as the benchmark lists them, if there are [`instances`](Self::instances).
    pub fn benchmark(&self) -> Option<BenchmarkReport> {
        let metric = self.instances.as_ref()?;
        Some(BenchmarkReport::new(metric, self.images))
    }

    /// Everything as JSON, fractions in `0..=1` and times in seconds.
    pub fn to_json(&self) -> Value {
        #[derive(Serialize)]
        struct Class<'a> {
            name: &'a str,
            iou: Option<f64>,
            precision: Option<f64>,
            recall: Option<f64>,
            boundary_f: Vec<Option<f64>>,
        }
        let boundary = self.boundary_by_class();
        let precision = self.confusion.precision();
        let recall = self.confusion.recall();
        let classes: Vec<Class> = self
            .classes
            .names()
            .into_iter()
            .zip(self.confusion.iou())
            .enumerate()
            .map(|(class, (name, iou))| Class {
                name,
                iou,
                precision: precision[class],
                recall: recall[class],
                boundary_f: boundary.iter().map(|scores| scores[class]).collect(),
            })
            .collect();
        let categories: serde_json::Map<String, Value> = self
            .category_iou()
            .into_iter()
            .map(|(name, iou)| (name, json!(iou)))
            .collect();
        json!({
            "images": self.images,
            "pixels": self.confusion.total(),
            "ignored_pixels": self.confusion.ignored(),
            "protocol": self.protocol,
            "mean_iou": self.confusion.mean_iou(),
            "pixel_accuracy": self.confusion.pixel_accuracy(),
            "class_accuracy": self.confusion.class_accuracy(),
            "frequency_weighted_iou": self.confusion.frequency_weighted_iou(),
            "majority_mean_iou": self.majority_mean_iou(),
            "boundary_f": self.scores().boundary_f,
            "category_iou": categories,
            "benchmark": self.benchmark(),
            "seconds": self.timings.is_measured().then(|| json!({
                "network": self.timings.network.as_secs_f64(),
                "resizing": self.timings.resizing.as_secs_f64(),
                "metrics": self.timings.metrics.as_secs_f64(),
                "total": self.timings.total.as_secs_f64(),
            })),
            "classes": classes,
            "confusion": self.confusion.counts(),
        })
    }

    /// One line a class: name, IoU, precision, recall and boundary F-scores, fractions; empty where there is no score.
    pub fn to_csv(&self) -> String {
        let mut text = String::from("class,iou,precision,recall");
        if let Some(metric) = &self.boundary {
            for threshold in metric.thresholds() {
                text.push_str(&format!(",boundary_f {threshold}"));
            }
        }
        text.push('\n');
        let boundary = self.boundary_by_class();
        let columns = [
            self.confusion.iou(),
            self.confusion.precision(),
            self.confusion.recall(),
        ];
        for (class, name) in self.classes.names().into_iter().enumerate() {
            text.push_str(&csv_field(name));
            for column in columns.iter().chain(&boundary) {
                text.push(',');
                if let Some(value) = column[class] {
                    text.push_str(&value.to_string());
                }
            }
            text.push('\n');
        }
        text
    }

    /// Writes `report.json`, `report.csv`, `report.txt` and the confusion matrix as `confusion.png` into a folder, which
    /// is made if need be.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), FileError> {
        let folder = folder.as_ref();
        files::create_dir(folder)?;
        let json = serde_json::to_vec_pretty(&self.to_json()).expect("a report is plain data");
        files::write_atomic(&folder.join("report.json"), &json)?;
        files::write_atomic(&folder.join("report.csv"), self.to_csv().as_bytes())?;
        files::write_atomic(&folder.join("report.txt"), self.to_string().as_bytes())?;
        let picture = confusion_picture(self.confusion.counts(), &self.classes.names());
        write_png(&folder.join("confusion.png"), &picture.into())
    }

    /// `[threshold][class]`.
    fn boundary_by_class(&self) -> Vec<Vec<Option<f64>>> {
        let Some(metric) = &self.boundary else {
            return Vec::new();
        };
        metric
            .class_scores(Aggregation::PerImage)
            .into_iter()
            .map(|scores| scores.into_iter().map(|score| Some(score?.f)).collect())
            .collect()
    }
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

/// A table in per cent, one line a class and the means below; then the benchmark's own table if there are instances, or
/// the categories; pixel accuracy, what a prediction of the most frequent class would get, and the time if it was
/// measured.
impl fmt::Display for EvaluationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = SegmentationReport::new(&self.classes.names(), &self.confusion);
        if let Some(boundary) = &self.boundary {
            table = table.with_boundary(boundary, Aggregation::PerImage);
        }
        writeln!(f, "{table}")?;
        let percent = |value: Option<f64>| match value {
            Some(value) => format!("{:.2}", 100.0 * value),
            None => "-".to_string(),
        };
        match self.benchmark() {
            Some(benchmark) => writeln!(f, "{benchmark}")?,
            None => {
                for (name, iou) in self.category_iou() {
                    writeln!(f, "category {name}: IoU {}", percent(iou))?;
                }
            }
        }
        writeln!(
            f,
            "pixel accuracy {}, mean IoU of the majority class {}, {} images",
            percent(self.confusion.pixel_accuracy()),
            percent(Some(self.majority_mean_iou())),
            self.images
        )?;
        if let Some(image) = &self.without_instances {
            writeln!(
                f,
                "no iIoU: `{image}` has no file of instances, as others have"
            )?;
        }
        if self.timings.is_measured() {
            writeln!(f, "{}", self.timings.per_image(self.images))?;
        }
        Ok(())
    }
}

//! Validation pictures of a study: the same of all variants, side by side, and those that a variant gets wrong the most.

use std::fs;
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};

use decoupled_seg::datasets::{ClassTable, IGNORE_LABEL, LabelMap, Sample};
use decoupled_seg::types::Size;
use decoupled_seg::viz::{
    Palette, Panel, Picture, VizError, colorize, error_map, overlay, save_png,
};
use decoupled_seg_study::{Figure, Plan, PlannedRun, RunState};
use decoupled_seg_types::write_atomic;
use image::{ImageFormat, RgbImage};
use serde::{Deserialize, Serialize};

use crate::CliError;

const FOLDER: &str = "pictures";

/// Kinds of pictures, as their files are named.
const KINDS: [&str; 4] = ["image", "truth", "prediction", "mistakes"];

const FIRST: &str = "";
const WORST: &str = "worst-";

/// What is known of the worst pictures, worst first.
const WORST_FILE: &str = "worst.json";

/// Keeps the first and the worst pictures of an evaluation in the folder of their run.
pub(super) struct Pictures {
    folder: PathBuf,
    number: usize,
    seen: usize,
    worst: Vec<Judged>,
    palette: Palette,
    failed: Option<VizError>,
}

/// A picture that may be one of the worst.
struct Judged {
    accuracy: f64,
    sample: Sample,
    prediction: LabelMap,
}

/// A line of [`WORST_FILE`].
#[derive(Serialize, Deserialize)]
struct WorstPicture {
    name: String,
    /// Share of the labelled pixels that are right, in percent.
    accuracy: f64,
}

impl Pictures {
    pub fn new(run: &Path, number: usize, classes: &ClassTable) -> Result<Self, CliError> {
        let folder = run.join(FOLDER);
        if number > 0 {
            fs::create_dir_all(&folder).map_err(|source| CliError::Io {
                path: folder.clone(),
                source,
            })?;
        }
        Ok(Self {
            folder,
            number,
            seen: 0,
            worst: Vec::new(),
            palette: Palette::new(classes.colors()),
            failed: None,
        })
    }

    pub fn add(&mut self, sample: &Sample, prediction: &LabelMap) {
        if self.seen < self.number {
            self.save(FIRST, self.seen, sample, prediction);
        }
        self.seen += 1;
        let Some(accuracy) = accuracy(&sample.labels, prediction) else {
            return;
        };
        let place = self.worst.partition_point(|it| it.accuracy <= accuracy);
        if place < self.number {
            let judged = Judged {
                accuracy,
                sample: sample.clone(),
                prediction: prediction.clone(),
            };
            self.worst.insert(place, judged);
            self.worst.truncate(self.number);
        }
    }

    fn save(&mut self, group: &str, index: usize, sample: &Sample, prediction: &LabelMap) {
        if self.failed.is_some() {
            return;
        }
        let (size, palette) = (sample.size(), &self.palette);
        let blend = overlay(&sample.image, &prediction.data, palette, 0.5);
        let pictures = [
            sample.image.clone(),
            colorize(&sample.labels.data, size, palette),
            colorize(&prediction.data, size, palette),
            error_map(&blend, &sample.labels.data, &prediction.data),
        ];
        for (kind, picture) in KINDS.iter().zip(pictures) {
            let path = path(&self.folder, group, index, kind);
            self.failed = save_png(&picture, path).err();
            if self.failed.is_some() {
                return;
            }
        }
    }

    /// Writes the worst pictures and tells what could not be written.
    pub fn finish(mut self) -> Result<(), CliError> {
        let worst = std::mem::take(&mut self.worst);
        for (index, judged) in worst.iter().enumerate() {
            self.save(WORST, index, &judged.sample, &judged.prediction);
        }
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        let lines: Vec<WorstPicture> = worst
            .into_iter()
            .map(|judged| WorstPicture {
                name: judged.sample.name,
                accuracy: judged.accuracy,
            })
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(&lines).expect("names and numbers");
        let path = self.folder.join(WORST_FILE);
        write_atomic(&path, |file| file.write_all(&json))
            .map_err(|source| CliError::Io { path, source })
    }
}

/// Share of the labelled pixels that are right, in percent; `None` where nothing is labelled.
fn accuracy(labels: &LabelMap, prediction: &LabelMap) -> Option<f64> {
    let pixels = labels.data.iter().zip(&prediction.data);
    let (mut labelled, mut right) = (0_usize, 0_usize);
    for (label, prediction) in pixels.filter(|(label, _)| **label != IGNORE_LABEL) {
        labelled += 1;
        right += usize::from(label == prediction);
    }
    (labelled > 0).then(|| 100.0 * right as f64 / labelled as f64)
}

fn path(folder: &Path, group: &str, index: usize, kind: &str) -> PathBuf {
    folder.join(format!("{group}{index:03}-{kind}.png"))
}

/// The figures of a report. Of each variant the first finished run is shown.
pub(super) fn figures(plan: &Plan) -> Result<Vec<Figure>, CliError> {
    let mut shown: Vec<&PlannedRun> = Vec::new();
    for (run, state) in &plan.runs {
        let is_new = shown.iter().all(|other| other.variant != run.variant);
        if is_new && matches!(state, RunState::Done(_)) {
            shown.push(run);
        }
    }
    let mut figures = side_by_side(&shown)?;
    for run in shown {
        figures.extend(worst(run)?);
    }
    Ok(figures)
}

/// A figure for each of the first pictures: the image and what the variants predict, the truth and their mistakes.
fn side_by_side(shown: &[&PlannedRun]) -> Result<Vec<Figure>, CliError> {
    let Some(first) = shown.first() else {
        return Ok(Vec::new());
    };
    let mut figures = Vec::new();
    for index in 0.. {
        let read = |run: &PlannedRun, kind| read_kept(run, FIRST, index, kind);
        let (Some(image), Some(truth)) = (read(first, "image")?, read(first, "truth")?) else {
            break;
        };
        let cell = cell(&image);
        let mut rows = [
            vec![Picture::new("image", image)],
            vec![Picture::of_labels("truth", truth)],
        ];
        for run in shown {
            if let (Some(prediction), Some(mistakes)) =
                (read(run, "prediction")?, read(run, "mistakes")?)
            {
                rows[0].push(Picture::of_labels(&run.variant, prediction));
                let title = format!("mistakes of {}", run.variant);
                rows[1].push(Picture::of_labels(title, mistakes));
            }
        }
        let panel = Panel::new(rows[0].len() as u32).with_cell(cell);
        let runs: Vec<String> = shown.iter().map(|run| run_name(run)).collect();
        figures.push(Figure {
            caption: format!("Validation picture {index}: {}", runs.join(", ")),
            png: png(rows.into_iter().flatten().fold(panel, Panel::with_picture)),
        });
    }
    Ok(figures)
}

/// The pictures that a run gets wrong the most, a column each; `None` from a run that kept none.
fn worst(run: &PlannedRun) -> Result<Option<Figure>, CliError> {
    let path = run.folder.join(FOLDER).join(WORST_FILE);
    let known: Vec<WorstPicture> = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CliError::Io { path, source }),
        Ok(json) => serde_json::from_slice(&json).map_err(|error| CliError::Io {
            path,
            source: std::io::Error::new(ErrorKind::InvalidData, error),
        })?,
    };
    let mut rows: [Vec<Picture>; KINDS.len()] = Default::default();
    let mut least = Size::square(1);
    for (index, picture) in known.iter().enumerate() {
        for (row, kind) in rows.iter_mut().zip(KINDS) {
            let Some(kept) = read_kept(run, WORST, index, kind)? else {
                return Ok(None);
            };
            least = cell(&kept);
            row.push(match kind {
                "image" => {
                    let title = format!("{}, {:.1} % right", picture.name, picture.accuracy);
                    Picture::new(title, kept)
                }
                kind => Picture::of_labels(kind, kept),
            });
        }
    }
    let panel = Panel::new(known.len() as u32).with_cell(least);
    Ok(Some(Figure {
        caption: format!("The worst validation pictures of {}", run_name(run)),
        png: png(rows.into_iter().flatten().fold(panel, Panel::with_picture)),
    }))
}

fn png(panel: Panel) -> Vec<u8> {
    let mut png = Cursor::new(Vec::new());
    panel
        .render()
        .write_to(&mut png, ImageFormat::Png)
        .expect("a PNG fits into memory");
    png.into_inner()
}

fn read_kept(
    run: &PlannedRun,
    group: &str,
    index: usize,
    kind: &str,
) -> Result<Option<RgbImage>, CliError> {
    read(&path(&run.folder.join(FOLDER), group, index, kind))
}

/// Small pictures are enlarged by a whole number, so that titles have room and edges stay sharp.
fn cell(image: &RgbImage) -> Size {
    const LEAST: u32 = 240;
    let factor = LEAST.div_ceil(image.width().max(1)) as usize;
    Size::new(
        factor * image.height() as usize,
        factor * image.width() as usize,
    )
}

fn run_name(run: &PlannedRun) -> String {
    match &run.fold {
        Some(fold) => format!("{} (seed {}, fold {})", run.variant, run.seed, fold.name),
        None => format!("{} (seed {})", run.variant, run.seed),
    }
}

/// `None` where there is no such file.
fn read(path: &Path) -> Result<Option<RgbImage>, CliError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| CliError::Io {
            path: path.to_path_buf(),
            source,
        })?,
    };
    let image = image::load_from_memory(&bytes).map_err(|error| CliError::Io {
        path: path.to_path_buf(),
        source: std::io::Error::new(ErrorKind::InvalidData, error),
    })?;
    Ok(Some(image.to_rgb8()))
}

#[cfg(test)]
mod tests {
    use decoupled_seg::datasets::Class;

    use super::*;

    #[test]
    fn the_worst_pictures_are_kept_and_shown_worst_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let classes = ClassTable::new(vec![
            Class::new("road", [128, 64, 128]),
            Class::new("sky", [70, 130, 180]),
        ]);
        let mut pictures = Pictures::new(folder.path(), 2, &classes).expect("writable");
        let map = |data: [u8; 4]| LabelMap {
            width: 2,
            height: 2,
            data: data.to_vec(),
        };
        let truth = [0, 0, 1, IGNORE_LABEL];
        for (name, prediction) in [
            ("right", [0, 0, 1, 0]),
            ("none", [1, 1, 0, 0]),
            ("third", [1, 1, 1, 1]),
            ("most", [0, 0, 0, 0]),
        ] {
            let sample = Sample::new(name, RgbImage::new(2, 2), map(truth));
            pictures.add(&sample, &map(prediction));
        }
        let unlabelled = Sample::new("unlabelled", RgbImage::new(2, 2), map([IGNORE_LABEL; 4]));
        pictures.add(&unlabelled, &map([0; 4]));
        pictures.finish().expect("writable");

        let kept = folder.path().join(FOLDER);
        let json = fs::read(kept.join(WORST_FILE)).expect("written");
        let worst: Vec<WorstPicture> = serde_json::from_slice(&json).expect("as written");
        let worst: Vec<_> = worst
            .iter()
            .map(|it| (it.name.as_str(), it.accuracy))
            .collect();
        assert_eq!(worst, [("none", 0.0), ("third", 100.0 / 3.0)]);
        for name in ["000-truth.png", "001-truth.png", "worst-001-mistakes.png"] {
            assert!(kept.join(name).is_file(), "{name}");
        }
        assert!(!kept.join("002-truth.png").exists());
    }
}

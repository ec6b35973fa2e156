//! The same validation pictures of all variants, side by side.

use std::fs;
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};

use decoupled_seg::datasets::{ClassTable, LabelMap, Sample};
use decoupled_seg::types::Size;
use decoupled_seg::viz::{
    Palette, Panel, Picture, VizError, colorize, error_map, overlay, save_png,
};
use decoupled_seg_study::{Figure, Plan, PlannedRun, RunState};
use image::{ImageFormat, RgbImage};

use crate::CliError;

const FOLDER: &str = "pictures";

/// Kinds of pictures, as their files are named.
const KINDS: [&str; 4] = ["image", "truth", "prediction", "mistakes"];

/// Keeps the first pictures of an evaluation in the folder of their run.
pub(super) struct Pictures {
    folder: PathBuf,
    left: usize,
    kept: usize,
    palette: Palette,
    failed: Option<VizError>,
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
            left: number,
            kept: 0,
            palette: Palette::new(classes.colors()),
            failed: None,
        })
    }

    pub fn add(&mut self, sample: &Sample, prediction: &LabelMap) {
        if self.left == 0 || self.failed.is_some() {
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
            let path = path(&self.folder, self.kept, kind);
            self.failed = save_png(&picture, path).err();
            if self.failed.is_some() {
                return;
            }
        }
        self.left -= 1;
        self.kept += 1;
    }

    /// Tells what could not be written.
    pub fn finish(self) -> Result<(), CliError> {
        match self.failed {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

fn path(folder: &Path, index: usize, kind: &str) -> PathBuf {
    folder.join(format!("{index:03}-{kind}.png"))
}

/// A figure for each picture: the image and what the variants predict, the truth and their mistakes. Of each variant the
/// first finished run is shown.
pub(super) fn figures(plan: &Plan) -> Result<Vec<Figure>, CliError> {
    let mut shown: Vec<&PlannedRun> = Vec::new();
    for (run, state) in &plan.runs {
        let is_new = shown.iter().all(|other| other.variant != run.variant);
        if is_new && matches!(state, RunState::Done(_)) {
            shown.push(run);
        }
    }
    let Some(first) = shown.first() else {
        return Ok(Vec::new());
    };
    let mut figures = Vec::new();
    for index in 0.. {
        let read =
            |run: &PlannedRun, kind: &str| read(&path(&run.folder.join(FOLDER), index, kind));
        let (Some(image), Some(truth)) = (read(first, "image")?, read(first, "truth")?) else {
            break;
        };
        let cell = cell(&image);
        let mut rows = [
            vec![Picture::new("image", image)],
            vec![Picture::of_labels("truth", truth)],
        ];
        for run in &shown {
            if let (Some(prediction), Some(mistakes)) =
                (read(run, "prediction")?, read(run, "mistakes")?)
            {
                rows[0].push(Picture::of_labels(&run.variant, prediction));
                let title = format!("mistakes of {}", run.variant);
                rows[1].push(Picture::of_labels(title, mistakes));
            }
        }
        let panel = Panel::new(rows[0].len() as u32).with_cell(cell);
        let panel = rows.into_iter().flatten().fold(panel, Panel::with_picture);
        let mut png = Cursor::new(Vec::new());
        panel
            .render()
            .write_to(&mut png, ImageFormat::Png)
            .expect("a PNG fits into memory");
        let runs: Vec<String> = shown.iter().map(|run| run_name(run)).collect();
        figures.push(Figure {
            caption: format!("Validation picture {index}: {}", runs.join(", ")),
            png: png.into_inner(),
        });
    }
    Ok(figures)
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

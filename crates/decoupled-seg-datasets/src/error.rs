use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use decoupled_seg_types::{FileKind, Size, plain_words};

use crate::description_problem::DescriptionProblem;
use crate::split::Split;
use crate::{JpegDamage, MaskFormat, OtherValues};

/// What to do about masks of train ids.
const LABEL_IDS: &str = "expected label ids (7 is road, 26 car): take the masks as downloaded, or describe the data in a `dataset.toml` with `id = 0` to `id = 18`";

/// Why a data set could not be opened, or one of its items not be read.
///
/// Sizes are `height x width` in pixels. [`Files`](Self::Files) holds all problems; its message shows only the first
/// few.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A folder of the layout does not exist.
    #[error("`{path}`: no such folder; looked for {looked_for}{}", home(.path))]
    MissingFolder {
        /// The folder.
        path: PathBuf,
        /// The layout that was expected, in words.
        looked_for: String,
    },
    /// Images cannot be resized so.
    #[error(
        "images cannot be resized to {found}, expected a scale of 1/1024 to 16, or a size of 1 to {limit} pixels"
    )]
    NoSuchSize {
        /// The scale or the size.
        found: String,
        /// Most pixels of an image.
        limit: u64,
    },
    /// A folder lacks a file of the layout.
    #[error("`{folder}`: looked for {looked_for}, which is not there")]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The file, in words.
        looked_for: String,
    },
    /// A file stands where the layout has a folder.
    #[error("`{path}` is a file, expected a folder{}", unlinked(.link))]
    NotAFolder {
        /// The file.
        path: PathBuf,
        /// Where it points, if it holds the text of a symbolic link.
        link: Option<PathBuf>,
    },
    /// Something else than a file stands where an image or a mask should be.
    #[error("`{path}` is {found}, expected a {expected}")]
    NotAFile {
        /// What stands there.
        path: PathBuf,
        /// Its kind.
        found: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// A folder or list exists, but names no image.
    #[error("`{path}`: no images; looked for {looked_for}")]
    Empty {
        /// The folder or list.
        path: PathBuf,
        /// The files that were expected, in words.
        looked_for: String,
    },
    /// The files of a split do not fit together. These problems are found in the layout, before a file is read.
    #[error("{}", first_few(.problems))]
    Files {
        /// All problems, at least one.
        problems: Vec<DatasetError>,
    },
    /// An image has no label file.
    #[error("`{image}`: image without label, expected `{looked_for}`{}", instead(.there))]
    ImageWithoutLabel {
        /// The image.
        image: PathBuf,
        /// Where the label was expected.
        looked_for: PathBuf,
        /// A file with nearly that name, if there is one: with another ending, or in capitals.
        there: Option<PathBuf>,
    },
    /// A folder of labels has no label for any image.
    #[error("`{folder}`: no labels of {images} images, expected names that end in `{suffix}`{}", instead(.there))]
    NoLabelFiles {
        /// The folder of the labels.
        folder: PathBuf,
        /// Number of images.
        images: usize,
        /// The expected ending of label names.
        suffix: String,
        /// A file of the folder, if there is one; rather one with the name of an image and another ending.
        there: Option<PathBuf>,
    },
    /// No label is named as an image.
    #[error(
        "`{folder}`: none of {labels} labels is named as one of {images} images: there is `{label}`, expected such as `{looked_for}`; rename them, say how they end (`label_suffix`), or write a list of images and labels"
    )]
    OtherNames {
        /// The folder of the labels.
        folder: PathBuf,
        /// Number of labels.
        labels: usize,
        /// Number of images.
        images: usize,
        /// Name of a label.
        label: String,
        /// The name that the label of an image would have.
        looked_for: String,
    },
    /// One folder is given for images and labels, and all that it holds ends as labels do.
    #[error(
        "`{folder}`: all {labels} files end in `{suffix}` as labels do, and no image is beside them; name another folder, or say how the names of labels end: `label_suffix = \"_mask.png\"`"
    )]
    OnlyLabels {
        /// The folder.
        folder: PathBuf,
        /// Number of files.
        labels: usize,
        /// The ending of label names.
        suffix: String,
    },
    /// A split for training or validation has no labels.
    #[error(
        "the {split} images have no labels: nothing can be learned from or measured on them; name their labels, or leave the split out"
    )]
    Unlabelled {
        /// The split.
        split: Split,
    },
    /// The masks of a split hold train ids, where label ids are read.
    #[error(
        "no value of the {split} masks is above 19 (but for 255), as in masks of train ids; {LABEL_IDS}"
    )]
    TrainIds {
        /// The split.
        split: Split,
    },
    /// All labels of a split are ignored.
    #[error(
        "every pixel of the {split} labels is ignored: nothing can be learned from or measured on them; see `ignored` and the ids of the classes"
    )]
    AllIgnored {
        /// The split.
        split: Split,
    },
    /// All images of a split are nearly black.
    #[error(
        "no {split} image has a value above 63 of 255: are they photos of 10 to 14 bits, or of 0 to 1? scale them to 0 to 255"
    )]
    AllDark {
        /// The split.
        split: Split,
    },
    /// Images of a format that is not read, or that was not chosen, lie beside those of a split.
    #[error(
        "`{folder}`: of other formats, and left out: {pictures} images such as `{example}`, expected names that end in `{expected}`; convert them, or move them elsewhere{}", feature(.example)
    )]
    OtherPictures {
        /// The folder of the images.
        folder: PathBuf,
        /// Number of images that are left out.
        pictures: usize,
        /// Name of one.
        example: String,
        /// The endings of those that are taken, in words.
        expected: String,
    },
    /// Images lie in a folder below those of a split, where nobody looks for them.
    #[error(
        "`{folder}`: below the folder of the split, and left out: {pictures} images such as `{example}`; put them beside the others, write a list, or move the folder elsewhere"
    )]
    PicturesBelow {
        /// The folder below.
        folder: PathBuf,
        /// Number of images that are left out.
        pictures: usize,
        /// Name of one.
        example: String,
    },
    /// A label file has no image.
    #[error("`{label}`: label without image, expected `{looked_for}`{}", instead(.there))]
    LabelWithoutImage {
        /// The label file.
        label: PathBuf,
        /// Where the image was expected.
        looked_for: PathBuf,
        /// A file with nearly that name, if there is one: with another ending, or in capitals.
        there: Option<PathBuf>,
    },
    /// Two images claim the same label (`a.png` beside `a.jpg`).
    #[error("`{first}` and `{second}`: two images of the same name, expected one")]
    AmbiguousImage {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Image and label differ in size.
    #[error(
        "`{label}`: label of {label_size} (height x width), expected the {image_size} of its image `{image}`"
    )]
    SizeMismatch {
        /// The image.
        image: PathBuf,
        /// Size of the image.
        image_size: Size,
        /// The label file.
        label: PathBuf,
        /// Size of the label.
        label_size: Size,
    },
    /// Image and label differ in size, and the image was turned as its orientation tag says.
    #[error(
        "`{label}`: label of {label_size} (height x width), expected the {image_size} of its image `{image}`, which was turned as its orientation tag (EXIF) says; turn the label too, or take the tag out of the image"
    )]
    TurnedImage {
        /// The image.
        image: PathBuf,
        /// Size of the image, once turned.
        image_size: Size,
        /// The label file.
        label: PathBuf,
        /// Size of the label.
        label_size: Size,
    },
    /// An image has other bands than it is to be read with.
    #[error(
        "`{path}`: {found} bands, expected {expected}; set `bands` in the description of the data set to what the images have"
    )]
    Bands {
        /// The image.
        path: PathBuf,
        /// Bands of the image.
        found: usize,
        /// Bands that were asked for.
        expected: usize,
    },
    /// A TIFF, WebP or BMP image is damaged, or of a kind that is not read.
    #[error("`{path}`: not a readable image: {source}; convert it to PNG")]
    OtherImage {
        /// The image.
        path: PathBuf,
        /// What its decoder says.
        source: Box<image::ImageError>,
    },
    /// A mask holds a value that is neither in the class table nor ignored.
    #[error(
        "`{path}`: label {label} on {count} pixels, expected {expected} ({num_classes} classes)"
    )]
    UnknownLabel {
        /// The mask.
        path: PathBuf,
        /// The value found (the lowest, if there are several).
        label: u16,
        /// Pixels with this value.
        count: usize,
        /// Classes of the data set.
        num_classes: usize,
        /// The values that would have been right, in words.
        expected: String,
    },
    /// A mask holds the 255 of train ids, where label ids are read, and its other values may be train ids too.
    #[error(
        "`{path}`: 255 on {count} pixels, and no other value above 19, as in masks of train ids; {LABEL_IDS}"
    )]
    TrainIdMask {
        /// The mask.
        path: PathBuf,
        /// Pixels of 255.
        count: usize,
    },
    /// A mask holds many unknown values, too many for a slip, or colours that another order of the channels explains.
    #[error("`{path}`: {values} other values on {pixels} pixels ({likely}), expected {expected}")]
    ManyUnknown {
        /// The mask.
        path: PathBuf,
        /// Number of unknown values or colours.
        values: usize,
        /// Pixels with one of them.
        pixels: usize,
        /// Where they may come from.
        likely: OtherValues,
        /// The values that would have been right, in words.
        expected: String,
    },
    /// A colour-coded mask holds a colour that is not in the class table.
    #[error(
        "`{path}`: colour {color:?} on {count} pixels is not in the class table of {num_classes} classes"
    )]
    UnknownColor {
        /// The mask.
        path: PathBuf,
        /// The colour found (the first in reading order), red, green, blue.
        color: [u8; 3],
        /// Pixels with this colour.
        count: usize,
        /// Classes of the data set.
        num_classes: usize,
    },
    /// A mask is stored in another way than the reader expects. Readers do not reinterpret it silently.
    #[error("`{path}`: mask stored as {found}, expected {expected}")]
    MaskFormat {
        /// The mask.
        path: PathBuf,
        /// How the file stores its pixels.
        found: MaskFormat,
        /// The formats the reader takes, in words.
        expected: String,
    },
    /// A pixel of a mask has an index beyond the end of the palette.
    #[error("`{path}`: palette index {index}, expected one of its {colors} colours; save it again")]
    PaletteIndex {
        /// The mask.
        path: PathBuf,
        /// The first such index.
        index: u8,
        /// Colours of the palette.
        colors: usize,
    },
    /// A palette has another colour at an index than that of a mask before.
    #[error(
        "`{path}`: palette index {index} is the colour {color:?}, expected {expected:?} as in `{first}`: palettes of their own give one index two meanings; read the masks by colour (`encoding = \"color\"`), or save all with one palette"
    )]
    PaletteColor {
        /// The mask.
        path: PathBuf,
        /// An index that some pixel has.
        index: u8,
        /// Its colour, red, green, blue.
        color: [u8; 3],
        /// Its colour in the other mask.
        expected: [u8; 3],
        /// The other mask.
        first: PathBuf,
    },
    /// A palette has a colour at another index than that of a mask before.
    #[error(
        "`{path}`: the colour {color:?} is the value {value}, expected {expected} as in `{first}`: palettes of their own give one colour two meanings; read the masks by colour (`encoding = \"color\"`), or save all with one palette"
    )]
    PaletteOrder {
        /// The mask.
        path: PathBuf,
        /// A colour that some pixel has, red, green, blue.
        color: [u8; 3],
        /// Its value or palette index.
        value: u8,
        /// Its value or palette index in the other mask.
        expected: u8,
        /// The other mask.
        first: PathBuf,
    },
    /// White in a mask of one bit may be the class 1 or the ignored value 255.
    #[error(
        "`{path}`: white in a mask of 1 bit is the class 1 or the ignored 255, and masks of 8 bits such as `{first}` tell the two apart; save it with 8 bits too"
    )]
    DoubtfulWhite {
        /// The mask.
        path: PathBuf,
        /// A mask of 8 bits that holds 1 or 255.
        first: PathBuf,
    },
    /// A mask has an orientation tag, and nobody can say whether its pixels have been turned already.
    #[error(
        "`{path}`: a mask with an orientation tag (EXIF); turn it until it fits its photo, and save it without the tag"
    )]
    TurnedMask {
        /// The mask.
        path: PathBuf,
    },
    /// A file is empty.
    #[error("`{path}`: empty file, expected {expected}")]
    EmptyFile {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// A file ends before its image does.
    #[error("`{path}`: truncated after {bytes} bytes, expected a whole {expected}")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        bytes: u64,
        /// What should be in it.
        expected: &'static str,
    },
    /// A file is of another kind than its name says.
    #[error("`{path}`: {found}, expected a {expected}")]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// The kind that its first bytes show.
        found: FileKind,
        /// What should be in it.
        expected: &'static str,
    },
    /// A PNG is damaged.
    #[error("`{path}`: cannot decode as {expected}: {source}")]
    Png {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What the decoder says.
        source: png::DecodingError,
    },
    /// Transparent pixels of a mask have a colour.
    #[error(
        "`{path}`: {count} transparent pixels have a colour that nobody sees, such as {color:?}: were they erased? Save the mask \
         without transparency"
    )]
    ErasedColor {
        /// The file.
        path: PathBuf,
        /// The colour of the first.
        color: [u8; 3],
        /// How many there are.
        count: usize,
    },
    /// The palette of a PNG is none.
    #[error(
        "`{path}`: a palette of {bytes} bytes, expected three for each of 1 to 256 colours; save the picture anew, or leave it out"
    )]
    PngPalette {
        /// The file.
        path: PathBuf,
        /// Length of the palette.
        bytes: usize,
    },
    /// A JPEG is damaged.
    #[error("`{path}`: cannot decode as JPEG image: {source}")]
    Jpeg {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: image::ImageError,
    },
    /// A JPEG of a kind that no decoder here reads.
    #[error(
        "`{path}`: a JPEG of a kind that is not read: {kind}; convert it to PNG or to a common JPEG"
    )]
    JpegKind {
        /// The file.
        path: PathBuf,
        /// The kind, in words.
        kind: &'static str,
    },
    /// The decoder of another crate panicked on the file.
    #[error(
        "`{path}`: the decoder fails on this file ({said}); save the picture anew, or leave it out"
    )]
    DecoderFault {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        said: String,
    },
    /// A JPEG has its beginning and its end, but something between them is missing or was overwritten. Decoders fill
    /// such places with grey, or show them in other places.
    #[error("`{path}`: damaged JPEG image: {source}; get the file again, or leave it out")]
    DamagedJpeg {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: JpegDamage,
    },
    /// An image is larger than [`MAX_PIXELS`](crate::MAX_PIXELS). It is refused before memory is reserved for it.
    #[error("`{path}`: {size} pixels (height x width), expected at most {limit} in all")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The size in its header.
        size: Size,
        /// The limit, in pixels.
        limit: u64,
    },
    /// A file or folder cannot be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is a link, and what it points to is not there.
    #[error("`{path}`: a link to `{target}`, which is not there; {}", fetch(.target))]
    DeadLink {
        /// The link.
        path: PathBuf,
        /// What it points to, as the link says it.
        target: PathBuf,
    },
    /// The description of a data set is not there, or cannot be read.
    #[error(
        "{source}; expected a folder that holds `{}`, the description of a data set{}",
        name_of(.path), instead(.there)
    )]
    NoDescription {
        /// The description.
        path: PathBuf,
        /// Why it cannot be read.
        source: Box<DatasetError>,
        /// A description of this name in a folder above or below, if there is one.
        there: Option<PathBuf>,
    },
    /// The folder that was named has nothing of a layout, and a folder below it has.
    #[error("{source}; `{root}` has it: take that as `--root`")]
    RootBelow {
        /// What was not found.
        source: Box<DatasetError>,
        /// The folder below.
        root: PathBuf,
    },
    /// The name of an image to write has the ending of another format.
    #[error("`{path}`: images are written as `.png`, `.jpg` or `.jpeg`; choose such a name")]
    Suffix {
        /// The file.
        path: PathBuf,
    },
    /// A line of a list names no usable pair.
    #[error("`{path}`, line {line}: {problem}")]
    List {
        /// The list.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: ListProblem,
    },
    /// A file name is not valid Unicode. Lists and logs could not show such a name faithfully.
    #[error("`{path}`: file name is not UTF-8; rename it")]
    NonUtf8Name {
        /// The file, with replacement characters when shown.
        path: PathBuf,
    },
    /// A description is not the expected TOML.
    #[error("`{path}`: {}{}", plain_words(.source), toml_hint(.path, .source))]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: toml::de::Error,
    },
    /// A description is not the expected JSON.
    #[error("`{path}`: {}", plain_words(.source))]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A description is not UTF-8.
    #[error("`{path}`: {source}; save it as UTF-8")]
    Text {
        /// The file.
        path: PathBuf,
        /// The place of the first wrong byte.
        source: std::string::FromUtf8Error,
    },
    /// A class table or description contradicts itself.
    #[error("`{path}`: {source}")]
    Description {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        source: DescriptionProblem,
    },
    /// The data set has no such split.
    #[error("`{path}`: no split `{split}`; there {}", listed(.there))]
    UnknownSplit {
        /// The description or the folder of the data set.
        path: PathBuf,
        /// The split that was asked for.
        split: String,
        /// The splits of the data set.
        there: Vec<String>,
    },
    /// The name of a frame tells no split.
    #[error("`{path}`: the name tells no split, expected a frame of {expected}")]
    UnknownFrame {
        /// The image.
        path: PathBuf,
        /// The names that tell a split.
        expected: &'static str,
    },
    /// Samples of one batch differ in size. Set a crop size, or make batches of one.
    #[error(
        "`{name}`: {size} (height x width), expected the {expected} of the batch's first sample; set a crop size or a batch of one"
    )]
    BatchShape {
        /// The sample.
        name: String,
        /// Its size.
        size: Size,
        /// Size of the first sample.
        expected: Size,
    },
    /// A setting of the augmentation is outside its range.
    #[error("{field} is {found}, expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// The values that would have been right, in words.
        expected: &'static str,
    },
}

/// What is wrong with a line of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListProblem {
    /// The line is not UTF-8.
    #[error("not UTF-8 text; save the list as UTF-8")]
    NotUtf8,
    /// The line holds separators only.
    #[error("separators without names, expected an image and its label")]
    NoNames,
    /// The line is longer than any path.
    #[error("{bytes} bytes, expected an image and a label")]
    TooLong {
        /// Length of the line.
        bytes: usize,
    },
    /// The line has characters that no name has.
    #[error("control characters, as no list of names has; is it a text file?")]
    Control,
    /// The folders that the line names are not there, and without them it is another line's image.
    #[error(
        "`{image}`, which is left of the path without the folders that are not there, is the image of another line; put the \
         folders there, or take the line out"
    )]
    OfAnotherLine {
        /// The image.
        image: PathBuf,
    },
    /// The folders that the line names are not there, and are others than those that lines before were found without.
    #[error(
        "no such {kind}: `{path}`; lines before are found without the folders `{before}`, and this one would be without \
         `{folders}`: a file of this name may be another collection's; put the folders there, or write a list for each"
    )]
    OtherFolders {
        /// `image` or `label`.
        kind: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// The folders that this line would be found without.
        folders: String,
        /// Those that lines before were found without.
        before: String,
    },
    /// Image and label of a line are one file.
    #[error("`{path}` is both the image and its label; name the file of the label")]
    OwnLabel {
        /// The file.
        path: PathBuf,
    },
    /// The line has more than two names.
    #[error("expected an image and a label, found `{found}` behind them")]
    Extra {
        /// The first name too many.
        found: String,
    },
    /// The line has spaces between and inside names, and no single way to split it.
    #[error("a name with a space? separate image and label by a tab or a comma: `{line}`")]
    Spaces {
        /// The line.
        line: String,
    },
    /// The line has a name where a path was expected.
    #[error(
        "no such image: `{name}`; a line is a path, or a name if the split has `images` (and `labels`) beside `list`"
    )]
    NameAlone {
        /// The name.
        name: String,
    },
    /// No image of the folder has this name.
    #[error("no image `{name}` in `{folder}`{}", instead(.there))]
    NoSuchName {
        /// The name.
        name: String,
        /// The folder of the images.
        folder: PathBuf,
        /// An image whose name differs in capitals only, if there is one.
        there: Option<PathBuf>,
    },
    /// The line has two paths where a name was expected.
    #[error(
        "no image `{line}` in `{folder}`; these are paths of an image and its label: leave out `images` and `labels`, which \
         stand beside `list`"
    )]
    Paths {
        /// The line.
        line: String,
        /// The folder of the images.
        folder: PathBuf,
    },
    /// The image does not exist.
    #[error("no such image: `{path}`{}", instead(.there))]
    NoImage {
        /// Where it was looked for.
        path: PathBuf,
        /// A file whose name differs in capitals only, if there is one.
        there: Option<PathBuf>,
    },
    /// Only some lines have labels.
    #[error("lines with and without label in one list; give each image its label, or none")]
    Mixed,
    /// There are so many wrong lines that the reader stopped.
    #[error("too many wrong lines, the rest is not read")]
    TooMany,
}

impl DatasetError {
    /// The single problems: those of [`Files`](Self::Files), or the error itself.
    pub fn problems(&self) -> &[Self] {
        match self {
            Self::Files { problems } => problems,
            other => std::slice::from_ref(other),
        }
    }

    /// As [`problems`](Self::problems), by value.
    pub fn into_problems(self) -> Vec<Self> {
        match self {
            Self::Files { problems } => problems,
            other => vec![other],
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        let path = path.into();
        if source.kind() == ErrorKind::NotFound
            && let Ok(target) = std::fs::read_link(&path)
        {
            return Self::DeadLink { path, target };
        }
        Self::Io { path, source }
    }
}

/// The message of one problem, or of the first few and the number of all.
fn first_few(problems: &[DatasetError]) -> String {
    const SHOWN: usize = 3;
    if let [problem] = problems {
        return problem.to_string();
    }
    let shown = problems.iter().take(SHOWN).map(DatasetError::to_string);
    let shown = shown.collect::<Vec<_>>().join("; ");
    match problems.len().saturating_sub(SHOWN) {
        0 => format!("{} problems: {shown}", problems.len()),
        rest => format!("{} problems: {shown}; and {rest} more", problems.len()),
    }
}

/// What to do about a link to nothing.
fn fetch(target: &Path) -> &'static str {
    let text = target.to_string_lossy().replace('\\', "/");
    match text.contains(".git/annex/objects/") {
        true => "fetch it with `git annex get`",
        false => "put the file there, or take the link away",
    }
}

fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// What to do about a path that a shell would have completed.
fn home(path: &Path) -> &'static str {
    let is_tilde = |part: std::path::Component<'_>| part.as_os_str() == "~";
    match path.components().any(is_tilde) {
        true => "; `~` stands for nothing here, write the whole path",
        false => "",
    }
}

/// What to do about a description that is no TOML.
fn toml_hint(path: &Path, source: &toml::de::Error) -> &'static str {
    let ending = path.extension().and_then(|it| it.to_str()).unwrap_or("");
    if ["yaml", "yml", "json"].contains(&ending.to_lowercase().as_str()) {
        "\nexpected a `dataset.toml`, see the chapter on your own data"
    } else if source.message().contains("escape") {
        "\nwrite paths with `/`, or in 'single quotes'"
    } else {
        ""
    }
}

/// The feature of the program that reads a format, if it was built without.
fn feature(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_lowercase().as_str() {
        "tif" | "tiff" if !cfg!(feature = "tiff") => "; the feature `tiff` reads them",
        "webp" if !cfg!(feature = "webp") => "; the feature `webp` reads them",
        "bmp" if !cfg!(feature = "bmp") => "; the feature `bmp` reads them",
        _ => "",
    }
}

fn instead(there: &Option<PathBuf>) -> String {
    match there {
        Some(path) => format!("; there is `{}`", path.display()),
        None => String::new(),
    }
}

/// `is `train``, `are `train`, `val``, or `is none`.
fn unlinked(link: &Option<PathBuf>) -> String {
    match link {
        None => String::new(),
        Some(target) => format!(
            ": a symbolic link to `{}` that was unpacked as text; link or copy that folder in its place",
            target.display()
        ),
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "is none".to_string(),
        [name] => format!("is `{name}`"),
        names => format!("are `{}`", names.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_file_found_and_expected() {
        let error = DatasetError::UnknownLabel {
            path: "a/b.png".into(),
            label: 12,
            count: 7,
            num_classes: 11,
            expected: "0 to 10, or 11 for ignored".into(),
        };
        assert_eq!(
            error.to_string(),
            "`a/b.png`: label 12 on 7 pixels, expected 0 to 10, or 11 for ignored (11 classes)"
        );
        let error = DatasetError::UnknownSplit {
            path: "a/dataset.toml".into(),
            split: "test".into(),
            there: vec!["train".into(), "valid".into()],
        };
        assert_eq!(
            error.to_string(),
            "`a/dataset.toml`: no split `test`; there are `train`, `valid`"
        );
    }

    #[test]
    fn many_problems_are_counted_and_the_first_shown() {
        let message = |names: &[&str]| {
            let problem = |name: &&str| DatasetError::NonUtf8Name { path: name.into() };
            let problems = names.iter().map(problem).collect();
            DatasetError::Files { problems }.to_string()
        };
        assert_eq!(message(&["a"]), "`a`: file name is not UTF-8; rename it");
        let two = message(&["a", "b"]);
        assert!(two.starts_with("2 problems: `a`: file name"), "{two}");
        let many = message(&["a", "b", "c", "d", "e"]);
        assert!(many.starts_with("5 problems: `a`"), "{many}");
        assert!(many.ends_with("rename it; and 2 more"), "{many}");
    }
}

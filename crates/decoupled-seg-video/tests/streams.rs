//! Streams that are whole, cut or hostile, and streams of ffmpeg.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread;

use decoupled_seg_types::Size;
use decoupled_seg_video::{
    Chroma, Frame, Matrix, Range, VideoError, VideoHeader, VideoReader, VideoWriter,
};

fn picture(size: Size, number: usize) -> Vec<u8> {
    let value = |at: usize| (at * 7 + number * 31) as u8;
    (0..3 * size.pixels()).map(value).collect()
}

fn stream(header: &VideoHeader, frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = VideoWriter::new(&mut bytes, header.clone()).expect("a Vec takes all");
    let mut frame = Frame::new(header);
    for number in 0..frames {
        frame.fill_from_rgb(header, &picture(header.size, number));
        writer.write(&frame).expect("a Vec takes all");
    }
    bytes
}

fn read_all(bytes: &[u8]) -> (Vec<Frame>, Option<VideoError>) {
    let mut frames = Vec::new();
    let mut reader = match VideoReader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (frames, Some(error)),
    };
    let mut frame = Frame::default();
    loop {
        match reader.read(&mut frame) {
            Ok(true) => frames.push(frame.clone()),
            Ok(false) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

#[test]
fn every_chroma_comes_back() {
    for chroma in Chroma::ALL {
        let header = VideoHeader {
            chroma,
            ..VideoHeader::new(Size::new(5, 7), 30)
        };
        let (frames, error) = read_all(&stream(&header, 3));
        assert!(error.is_none(), "{error:?}");
        assert_eq!(frames.len(), 3);
        let mut expected = Frame::new(&header);
        expected.fill_from_rgb(&header, &picture(header.size, 2));
        assert_eq!(frames[2], expected);
    }
}

#[test]
fn cut_at_any_byte_the_whole_frames_come_and_then_an_error() {
    let header = VideoHeader::new(Size::new(3, 4), 30);
    let whole = stream(&header, 3);
    let (all, _) = read_all(&whole);
    let head = whole
        .iter()
        .position(|&byte| byte == b'\n')
        .expect("a header")
        + 1;
    let step = (whole.len() - head) / 3;
    for length in 0..whole.len() {
        let (frames, error) = read_all(&whole[..length]);
        let expected = length.saturating_sub(head) / step;
        assert_eq!(frames, all[..expected], "{length}");
        if length >= head && (length - head) % step == 0 {
            assert!(error.is_none(), "{length}: {error:?}");
        } else {
            let error = error.unwrap_or_else(|| panic!("{length}: no error"));
            let told = matches!(&error, VideoError::Cut { frames, .. } if *frames == expected as u64)
                || (length < 10
                    && matches!(error, VideoError::Empty | VideoError::NotYuv4Mpeg { .. }));
            assert!(told, "{length}: {error}");
        }
    }
}

#[test]
fn frames_may_have_parameters_and_nothing_else_may_stand_there() {
    let header = VideoHeader::new(Size::new(1, 1), 30);
    let with = |line: &str| [format!("{header}\n{line}\n").as_bytes(), &[1, 2, 3]].concat();
    assert_eq!(read_all(&with("FRAME Ip XA=1")).0.len(), 1);
    for line in ["FRAMES", "frame", "", "\0\0\0"] {
        let (frames, error) = read_all(&with(line));
        assert!(
            frames.is_empty() && matches!(error, Some(VideoError::NoFrame { frame: 0, .. })),
            "{line}"
        );
    }
}

#[test]
fn hostile_headers_take_no_memory() {
    for (header, part) in [
        (
            "YUV4MPEG2 W4294967295 H4294967295 C444\n".to_string(),
            "at most",
        ),
        ("YUV4MPEG2 W100000 H100000\n".to_string(), "at most"),
        (
            format!("YUV4MPEG2 X{}", "a".repeat(100_000)),
            "no end within 4096",
        ),
        ("x".repeat(100_000), "expected `YUV4MPEG2 `"),
    ] {
        let (_, error) = read_all(header.as_bytes());
        let error = error.expect("refused").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
#[should_panic(expected = "a frame must be 4x4 with chroma 420jpeg")]
fn a_frame_of_another_size_is_the_callers_mistake() {
    let frame = Frame::new(&VideoHeader::new(Size::square(2), 1));
    let mut writer =
        VideoWriter::new(io::sink(), VideoHeader::new(Size::square(4), 1)).expect("written");
    let _ = writer.write(&frame);
}

fn ffmpeg(arguments: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-hide_banner", "-loglevel", "error"])
        .args(arguments.split(' '));
    command
}

/// `ffmpeg` is no dependency. Without it these tests print that they are skipped.
fn has_ffmpeg() -> bool {
    let found = ffmpeg("-version").stdout(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: no ffmpeg");
    }
    found
}

/// ffmpeg's own conversion is made of tables with rounded steps.
const COLOUR_STEPS: u8 = 3;

#[test]
fn colours_are_ffmpegs() {
    if !has_ffmpeg() {
        return;
    }
    for (format, chroma) in [
        ("yuv444p", Chroma::C444),
        ("yuv420p", Chroma::C420Jpeg),
        ("yuv422p", Chroma::C422),
        ("yuvj420p", Chroma::C420Jpeg),
        ("gray", Chroma::Mono),
    ] {
        let source = format!("-f lavfi -i testsrc=size=64x48:rate=5:duration=1 -pix_fmt {format}");
        let y4m = ffmpeg(&format!("{source} -f yuv4mpegpipe -"))
            .output()
            .expect("ffmpeg")
            .stdout;
        let (frames, error) = read_all(&y4m);
        assert!(error.is_none() && frames.len() == 5, "{format}: {error:?}");
        let header = VideoReader::new(&*y4m).expect("a header").header().clone();
        assert_eq!((header.size, header.chroma), (Size::new(48, 64), chroma));
        // ffmpeg makes grey pictures of the full range.
        let full = matches!(format, "yuvj420p" | "gray");
        assert_eq!(header.range == Range::Full, full, "{format}");

        let mut child = ffmpeg("-f yuv4mpegpipe -i - -f rawvideo -pix_fmt rgb24 -")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ffmpeg");
        let mut stdin = child.stdin.take().expect("piped");
        let feeder = thread::spawn(move || io::copy(&mut &*y4m, &mut stdin));
        let theirs = child.wait_with_output().expect("ffmpeg").stdout;
        feeder.join().expect("fed").expect("fed");
        let mut ours = Vec::new();
        for (number, frame) in frames.iter().enumerate() {
            frame.to_rgb(&header, &mut ours);
            let theirs = &theirs[number * ours.len()..][..ours.len()];
            let most = ours.iter().zip(theirs).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(
                most <= Some(COLOUR_STEPS),
                "{format}, frame {number}: {most:?}"
            );
        }
    }
}

/// A film as cameras make it: BT.709, of 720 lines.
#[test]
fn colours_of_high_definition_are_ffmpegs() {
    if !has_ffmpeg() {
        return;
    }
    let source = "-f lavfi -i testsrc=size=64x720:rate=1:duration=1";
    let film = ffmpeg(&format!(
        "{source} -vf scale=out_color_matrix=bt709:out_range=tv,format=yuv444p -f yuv4mpegpipe -"
    ));
    let rgb = ffmpeg(&format!("{source} -f rawvideo -pix_fmt rgb24 -"));
    let [film, rgb] = [film, rgb].map(|mut made| made.output().expect("ffmpeg").stdout);
    let (frames, error) = read_all(&film);
    assert!(error.is_none() && frames.len() == 1, "{error:?}");
    let header = VideoReader::new(&*film).expect("a header").header().clone();
    let off = |header: &VideoHeader| {
        let mut ours = Vec::new();
        frames[0].to_rgb(header, &mut ours);
        assert_eq!(ours.len(), rgb.len());
        ours.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max()
    };
    assert!(off(&header) <= Some(COLOUR_STEPS), "{:?}", off(&header));
    let other = VideoHeader {
        matrix: Matrix::Bt601,
        ..header.clone()
    };
    assert!(off(&other) > Some(5 * COLOUR_STEPS), "{:?}", off(&other));
}

#[cfg(target_os = "linux")]
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a line");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn three_hundred_frames_through_two_pipes_in_flat_memory() {
    if !has_ffmpeg() {
        return;
    }
    let mut from = ffmpeg(
        "-f lavfi -i testsrc=size=640x360:rate=30:duration=10 -pix_fmt yuv420p -f yuv4mpegpipe -",
    )
    .stdout(Stdio::piped())
    .spawn()
    .expect("ffmpeg");
    let mut into = ffmpeg("-f yuv4mpegpipe -i - -f framecrc -")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg");
    let mut reader = VideoReader::new(from.stdout.take().expect("piped")).expect("a header");
    let header = VideoHeader {
        range: Range::Limited,
        ..reader.header().clone()
    };
    let mut writer =
        VideoWriter::new(into.stdin.take().expect("piped"), header.clone()).expect("written");
    let mut checksums = into.stdout.take().expect("piped");
    let counter = thread::spawn(move || {
        let mut text = String::new();
        checksums.read_to_string(&mut text).expect("text");
        text.lines().filter(|line| !line.starts_with('#')).count()
    });

    let (mut frame, mut rgb, mut first) = (Frame::default(), Vec::new(), None);
    while reader.read(&mut frame).expect("a frame") {
        frame.to_rgb(&header, &mut rgb);
        frame.fill_from_rgb(&header, &rgb);
        writer.write(&frame).expect("written");
        if reader.frames() == 20 {
            first = Some(resident_kilobytes());
        }
    }
    let grown = resident_kilobytes().saturating_sub(first.expect("20 frames"));
    // Fifteen frames would take 5 MB. The bound leaves room for other tests that run at the same time.
    assert!(grown < 5_000, "{grown} kB more after 300 frames");
    drop(writer);
    assert_eq!(
        (reader.frames(), counter.join().expect("counted")),
        (300, 300)
    );
    assert!(from.wait().expect("ended").success() && into.wait().expect("ended").success());
}

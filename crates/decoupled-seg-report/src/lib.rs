#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod csv;
mod document;
mod html;
mod markdown;
mod measure;
mod statistics;
mod study;

pub use study::{BoundaryResult, Figure, History, Run, SizeResult, Study, Variant};

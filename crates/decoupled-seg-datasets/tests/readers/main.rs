//! Every layout, written to disk as the official archives have it, read back and broken.

mod custom;
mod errors;
mod files;
mod folders;
mod ids;
mod links;
mod lists;
mod long_list;
mod other_forms;
mod real_camvid;
mod whole;

#[path = "../layouts/mod.rs"]
mod layouts;

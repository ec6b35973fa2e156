//! The tests of `tests/` and the benches of `benches/`, as targets of a package of their own.

//! Kulanz.
fn main() {}

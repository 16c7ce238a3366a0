//! Tests that need more than one crate: end to end, crash, browser, structure.

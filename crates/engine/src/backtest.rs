//! Back-tests.

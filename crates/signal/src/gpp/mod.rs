//! The Global Privacy Platform of IAB: one string with a section per law.

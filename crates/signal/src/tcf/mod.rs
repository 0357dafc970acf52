//! The Transparency and Consent Framework of IAB Europe: consent strings, version 2 (TCF 2.2 and 2.3).

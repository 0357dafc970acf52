//! Licences of everything that is linked: only those that go with Apache-2.0.

use cargo_metadata::Metadata;

/// Licences that may stand in a dependency's expression.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

/// Dependencies that may not be linked, as sentences. `A OR B` passes when one side does, `A AND B`
/// when both do.
#[must_use]
pub fn wrong_licences(metadata: &Metadata) -> Vec<String> {
    let allowed = |expression: &str| {
        let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
        plain.split(" AND ").all(|part| part.split(" OR ").any(|l| ALLOWED.contains(&l.trim())))
    };
    let packages = metadata.packages.iter();
    packages
        .filter_map(|p| match p.license.as_deref() {
            Some(expression) if allowed(expression) => None,
            Some(expression) => Some(format!("{} {} is under {expression}, which is not on the list in xtask/src/licences.rs", p.name, p.version)),
            None if p.license_file.is_some() => None,
            None => Some(format!("{} {} names no licence", p.name, p.version)),
        })
        .collect()
}

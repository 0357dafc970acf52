//! The walls of the house stand: a test, so that CI has no secret checks.

use std::path::Path;

fn root() -> &'static Path {
    Path::new("..")
}

#[test]
fn dependencies_point_the_right_way() {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).exec().unwrap();
    assert_eq!(xtask::wrong_directions(&metadata), Vec::<String>::new());
}

#[test]
fn licences_go_with_ours() {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).exec().unwrap();
    assert_eq!(xtask::wrong_licences(&metadata), Vec::<String>::new());
}

#[test]
fn files_are_small_and_links_lead_somewhere() {
    assert_eq!(xtask::wrong_files(root()).unwrap(), Vec::<String>::new());
}

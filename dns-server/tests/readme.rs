//! What the README tells people to write is what we read.

use std::path::Path;

use dns_server::Config;

#[test]
fn every_configuration_in_the_readme_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut blocks = 0;
    let mut rest = &text[..];
    while let Some((_, from)) = rest.split_once("```yaml\n") {
        let (block, after) = from.split_once("```").expect("the block ends");
        let loaded = Config::parse("README.md", block, []).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        blocks += 1;
        rest = after;
    }
    assert!(blocks > 0, "the README shows a configuration");
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if !link.starts_with("http") && !link.starts_with('#') {
                assert!(root.join(link).exists(), "{page} links to {link}");
            }
        }
    }
}

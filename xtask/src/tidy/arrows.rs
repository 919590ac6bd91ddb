//! Which crate may depend on which: arrows point inward, and edges never import one another.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{Finding, relative};
use crate::shell;

/// Where a crate stands; ARCHITECTURE.md tells what each ring is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ring {
    Core,
    Backend,
    Store,
    Edge,
    Server,
    Binary,
    Tool,
}

use Ring::{Backend, Binary, Core, Edge, Server, Store, Tool};

/// Every package of the workspace. A new one is added here, with a thought about what it may know.
const RINGS: &[(&str, Ring)] = &[
    ("jw238dns-core", Core),
    ("jw238dns-backend", Backend),
    ("jw238dns-store", Store),
    ("jw238dns-frontend", Edge),
    ("jw238dns-files", Edge),
    ("jw238dns-api", Edge),
    ("jw238dns-querylog", Edge),
    ("jw238dns-journal", Edge),
    ("jw238dns-server", Server),
    ("jw238dns", Binary),
    ("jw238dns-benches", Tool),
    ("jw238dns-conformance", Tool),
    ("jw238dns-fuzz-bodies", Tool),
    ("xtask", Tool),
];

/// Crates of others that exactly one of ours may name, since they change often.
const ONE_DOOR: &[(&str, &str)] = &[("hickory-proto", "jw238dns-core")];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// Reads the manifests of the workspace and checks their dependencies.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut command = shell::cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit());
    let output = command.output().context("cannot start cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", output.status);
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let path = Path::new(&package.manifest_path);
        let manifest = fs::read_to_string(path).with_context(|| package.manifest_path.clone())?;
        check_package(package, &relative(root, path), &manifest, &mut findings);
    }
    Ok(findings)
}

fn check_package(package: &Package, file: &str, manifest: &str, findings: &mut Vec<Finding>) {
    let mut report = |line, message| {
        let file = file.to_owned();
        findings.push(Finding { file, line, message });
    };
    let Some(ring) = ring(&package.name) else {
        let message = format!("{} has no ring in xtask/src/tidy/arrows.rs", package.name);
        report(1, message);
        return;
    };
    for dependency in &package.dependencies {
        for (guarded, door) in ONE_DOOR {
            if dependency.name == *guarded && package.name != *door {
                report(line_of(manifest, guarded), format!("only {door} may name {guarded}"));
            }
        }
        // Tests may look at the whole from anywhere: what they import is not part of the crate.
        if dependency.kind.as_deref() == Some("dev") {
            continue;
        }
        if let Some(target) = self::ring(&dependency.name)
            && !may_depend(ring, target)
        {
            let message =
                format!("{} ({ring:?}) must not depend on {} ({target:?})", package.name, dependency.name);
            report(line_of(manifest, &dependency.name), message);
        }
    }
}

fn ring(package: &str) -> Option<Ring> {
    RINGS.iter().find(|(name, _)| *name == package).map(|(_, ring)| *ring)
}

fn may_depend(from: Ring, on: Ring) -> bool {
    match from {
        Core => false,
        Backend => on == Core,
        Store => matches!(on, Core | Backend),
        Edge => matches!(on, Core | Backend | Store),
        Server => matches!(on, Core | Backend | Store | Edge),
        Binary => on == Server,
        Tool => true,
    }
}

/// The line of the manifest that names the package, by its own name or by the short one that the workspace gives ours.
fn line_of(manifest: &str, package: &str) -> usize {
    let short = package.replacen("jw238dns-", "dns-", 1);
    let names_it = |line: &str| {
        let key = line.split(['.', '=', ' ']).next().unwrap_or_default();
        key == package || key == short || line.contains(&format!("package = \"{package}\""))
    };
    manifest.lines().position(names_it).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(package: &str, dependencies: &[(&str, Option<&str>)], expected: &[&str]) {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).into(), kind: kind.map(str::to_owned) })
            .collect();
        let package = Package { name: package.into(), manifest_path: "Cargo.toml".into(), dependencies };
        let manifest = "[dependencies]\ndns-core.workspace = true\ndns-files = { workspace = true }\n\
                        hickory-proto.workspace = true\n";
        let mut findings = Vec::new();
        check_package(&package, "x/Cargo.toml", manifest, &mut findings);
        assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn arrows_point_inward() {
        check("jw238dns-api", &[("jw238dns-core", None), ("jw238dns-store", None), ("axum", None)], &[]);
        check(
            "jw238dns-api",
            &[("jw238dns-files", None)],
            &["x/Cargo.toml:3: jw238dns-api (Edge) must not depend on jw238dns-files (Edge)"],
        );
        check(
            "jw238dns",
            &[("jw238dns-core", None), ("jw238dns-server", None)],
            &["x/Cargo.toml:2: jw238dns (Binary) must not depend on jw238dns-core (Core)"],
        );
        check(
            "jw238dns-core",
            &[("xtask", Some("build"))],
            &["x/Cargo.toml:1: jw238dns-core (Core) must not depend on xtask (Tool)"],
        );
    }

    #[test]
    fn tests_may_look_at_the_whole() {
        check("jw238dns-core", &[("jw238dns-server", Some("dev"))], &[]);
    }

    #[test]
    fn hickory_has_one_door() {
        check("jw238dns-core", &[("hickory-proto", None)], &[]);
        let expected = "x/Cargo.toml:4: only jw238dns-core may name hickory-proto";
        check("jw238dns-api", &[("hickory-proto", Some("dev"))], &[expected]);
        check("xtask", &[("hickory-proto", None)], &[expected]);
    }

    #[test]
    fn a_package_without_a_ring_is_reported() {
        check("jw238dns-new", &[], &["x/Cargo.toml:1: jw238dns-new has no ring in xtask/src/tidy/arrows.rs"]);
    }
}

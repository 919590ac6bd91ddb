//! The zones of `testdata/zones`, put together as one server would have them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dns_core::Name;

use crate::peer::ZoneFile;
use crate::signing::{Denial, sign};
use crate::zone::ZoneData;

/// Zones that are served together.
pub struct Scenario {
    /// Files for the servers.
    pub files: Vec<ZoneFile>,
    /// The same for the oracle.
    pub zones: Vec<ZoneData>,
}

impl Scenario {
    fn load(files: Vec<ZoneFile>) -> Result<Self> {
        let zones = files
            .iter()
            .map(|file| {
                // The oracle's reader of zone text does not know the text of every type.
                let generic = file.path.with_extension("rfc3597");
                ZoneData::from_file(&file.apex, if generic.is_file() { &generic } else { &file.path })
            })
            .collect::<Result<_>>()?;
        Ok(Self { files, zones })
    }

    /// Every unsigned zone whose file is named after it.
    pub fn plain() -> Result<Self> {
        let mut files = Vec::new();
        let folder = folder();
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            // `root` and `signed` are not served under their own names.
            if stem.contains('.') && path.extension().is_some_and(|extension| extension == "zone") {
                files.push(ZoneFile { apex: stem.parse()?, path });
            }
        }
        files.sort_by(|left, right| left.apex.cmp(&right.apex));
        Self::load(files)
    }

    /// The root zone alone.
    pub fn root() -> Result<Self> {
        Self::load(vec![ZoneFile { apex: Name::root(), path: folder().join("root.zone") }])
    }

    /// The zone `signed`, signed into `target` with each kind of denial.
    pub fn signed(target: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for denial in Denial::ALL {
            files.push(sign(&folder().join("signed.zone"), &denial.apex().parse()?, denial, target)?);
        }
        Self::load(files)
    }
}

/// `testdata/zones` of this workspace.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/zones")
}

//! The zone files of a run: each is made once.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Name of the zone that nearly all scenarios have.
const APEX: &str = "bench.test";

/// What is served in a scenario; the generator's names (`zone --shape`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shape {
    /// A zone with so many names.
    Plain(u32),
    /// The same, signed with NSEC.
    Signed(u32),
    /// A zone with so many names and with what costs most.
    Extremes(u32),
    /// So many delegations.
    Delegations(u32),
    /// So many zones of five records.
    Small(u32),
}

/// Zones that share one file.
#[derive(Clone, Debug)]
pub struct Zones {
    pub file: PathBuf,
    /// Their names, without the dot at the end. Where there are several, the file has relative names.
    pub apexes: Vec<String>,
    /// Generated names, delegations or zones.
    pub names: u32,
    pub signed: bool,
}

/// Makes zone files, and remembers them.
pub struct Maker<'m> {
    programs: &'m Path,
    folder: &'m Path,
    made: HashMap<Shape, Zones>,
}

impl Shape {
    /// As `zone --shape` takes it.
    fn word(self) -> &'static str {
        match self {
            Self::Plain(_) | Self::Signed(_) => "plain",
            Self::Extremes(_) => "extremes",
            Self::Delegations(_) => "delegations",
            Self::Small(_) => "small",
        }
    }

    /// Names, delegations or zones.
    pub fn names(self) -> u32 {
        let (Self::Plain(names)
        | Self::Signed(names)
        | Self::Extremes(names)
        | Self::Delegations(names)
        | Self::Small(names)) = self;
        names
    }
}

impl<'m> Maker<'m> {
    /// Writes into the folder.
    pub fn new(programs: &'m Path, folder: &'m Path) -> Self {
        Self { programs, folder, made: HashMap::new() }
    }

    /// The zones of this shape.
    pub fn make(&mut self, shape: Shape) -> Result<Zones> {
        if let Some(zones) = self.made.get(&shape) {
            return Ok(zones.clone());
        }
        let zones = self.write(shape)?;
        self.made.insert(shape, zones.clone());
        Ok(zones)
    }

    fn write(&mut self, shape: Shape) -> Result<Zones> {
        let name = format!("{shape:?}").to_lowercase().replace(['(', ')'], "-");
        let file = self.folder.join(format!("{name}zone"));
        if let Shape::Signed(names) = shape {
            let unsigned = self.make(Shape::Plain(names))?;
            sign(&unsigned.file, &file, &self.folder.join(name + "keys"))?;
            return Ok(Zones { file, signed: true, ..unsigned });
        }
        let names = shape.names().to_string();
        let mut command = Command::new(self.programs.join("zone"));
        command.args(["--shape", shape.word(), "--names", &names, "--out"]).arg(&file);
        if !matches!(shape, Shape::Small(_)) {
            shell::run(&mut command)?;
            return Ok(Zones { file, apexes: vec![APEX.to_owned()], names: shape.names(), signed: false });
        }
        let apexes = self.folder.join("apexes");
        shell::run(command.arg("--apexes").arg(&apexes))?;
        let text = fs::read_to_string(&apexes).with_context(|| apexes.display().to_string())?;
        Ok(Zones {
            file,
            apexes: text.lines().map(str::to_owned).collect(),
            names: shape.names(),
            signed: false,
        })
    }
}

/// Signs the zone with one ECDSA key and NSEC, as BIND's tools do it.
fn sign(unsigned: &Path, signed: &Path, keys: &Path) -> Result<()> {
    fs::create_dir_all(keys).with_context(|| format!("cannot create {}", keys.display()))?;
    let program = |name| shell::find_program(name).with_context(|| format!("{name} is not installed"));
    let mut keygen = Command::new(program("dnssec-keygen")?);
    run_quietly(keygen.args(["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "-K"]).arg(keys).arg(APEX))?;
    let mut signzone = Command::new(program("dnssec-signzone")?);
    // Signs everything with the one key, and leaves checking its own work to the answers' checks.
    signzone.args(["-S", "-z", "-P", "-O", "full", "-o", APEX, "-d"]).arg(keys).arg("-K").arg(keys);
    run_quietly(signzone.arg("-f").arg(signed).arg(unsigned))
}

/// Shows what the program says only if it fails.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

//! Zones signed at test time by BIND's tools, with keys made for the occasion.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use dns_core::Name;

use crate::peer::{ZoneFile, find_program};

/// How the zone denies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Denial {
    /// NSEC.
    Nsec,
    /// NSEC3 with a salt and no further iterations.
    Nsec3,
    /// NSEC3 that leaves out unsigned delegations.
    OptOut,
}

impl Denial {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nsec, Self::Nsec3, Self::OptOut];

    /// The apex under which the tests sign.
    pub fn apex(self) -> &'static str {
        match self {
            Self::Nsec => "nsec.test.",
            Self::Nsec3 => "nsec3.test.",
            Self::OptOut => "optout.test.",
        }
    }
}

/// Signs the zone text for `apex` into `folder`; also leaves its `dsset-` file there.
///
/// # Errors
/// A tool is missing or does not succeed; what it said is part of the error.
pub fn sign(text: &Path, apex: &Name, denial: Denial, folder: &Path) -> Result<ZoneFile> {
    let origin = apex.to_string();
    for flags in [&["-f", "KSK"][..], &[]] {
        let mut command = tool("dnssec-keygen")?;
        run(command.args(["-q", "-a", "ECDSAP256SHA256"]).args(flags).arg(&origin), folder)?;
    }
    let signed = folder.join(format!("{origin}signed"));
    let mut command = tool("dnssec-signzone")?;
    command.args(["-q", "-S", "-O", "full", "-o", &origin, "-f"]).arg(&signed);
    match denial {
        Denial::Nsec => &mut command,
        Denial::Nsec3 => command.args(["-3", "AABBCCDD", "-H", "0"]),
        Denial::OptOut => command.args(["-3", "-", "-H", "0", "-A"]),
    };
    run(command.arg(text), folder)?;
    ensure!(signed.is_file(), "{} was not made", signed.display());
    Ok(ZoneFile { apex: apex.clone(), path: signed })
}

/// The DNSKEY records of the key-signing keys in `folder`, one per line, as trust anchors.
pub fn trust_anchors(folder: &Path) -> Result<Vec<String>> {
    let mut anchors = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.extension().is_some_and(|extension| extension == "key") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let key = text.lines().find(|line| line.contains(" DNSKEY 257 "));
            anchors.extend(key.map(str::to_owned));
        }
    }
    Ok(anchors)
}

fn tool(name: &str) -> Result<Command> {
    Ok(Command::new(find_program(name).with_context(|| format!("{name} is not here"))?))
}

/// Runs a program to its end; its output, or an error that holds it.
pub fn run(command: &mut Command, folder: &Path) -> Result<String> {
    let output = command
        .current_dir(folder)
        .output()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if !output.status.success() {
        bail!("{} ended with {}:\n{text}", command.get_program().display(), output.status);
    }
    Ok(text)
}

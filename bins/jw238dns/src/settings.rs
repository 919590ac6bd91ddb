//! The configuration that flags, file and environment make together.

use std::path::Path;

use dns_server::config::{Listener, Zone, ZoneContent};
use dns_server::{Config, ConfigErrors, Loaded};

use crate::args::{ServeArgs, SourceArgs};

/// Read when no flag names another file.
const USUAL_FILE: &str = "/etc/jw238dns/config.yaml";

/// What to serve: the named file, else the usual one if it is there, else the sample; then the zones of the flags.
pub fn load(args: &SourceArgs) -> Result<Loaded, ConfigErrors> {
    let file = config_file(args);
    let mut loaded = match file {
        Some(file) => Config::load(file, environment())?,
        None => Config::load_sample(environment())?,
    };
    let zones = &mut loaded.config.zones;
    if !args.zones.is_empty() && file.is_none() {
        // Whoever names a zone has no need of the sample's.
        zones.retain(|zone| !matches!(zone.content, ZoneContent::Text(_)));
    }
    for zone in &args.zones {
        zones.retain(|other| other.name != zone.name);
        zones.push(Zone {
            name: zone.name.clone(),
            content: ZoneContent::File(zone.file.clone()),
            fallthrough: false,
        });
    }
    Ok(loaded)
}

/// The file that the configuration is read from, unless it is the sample.
pub fn config_file(args: &SourceArgs) -> Option<&Path> {
    let usual = Path::new(USUAL_FILE);
    // A file that is there but cannot be looked at is a mistake worth telling, not a reason to serve the sample.
    let is_there = !matches!(usual.try_exists(), Ok(false));
    args.config.as_deref().or(is_there.then_some(usual))
}

/// What to serve, and how: flags win over the environment, and that over the file.
pub fn load_to_serve(args: &ServeArgs) -> Result<Loaded, ConfigErrors> {
    let mut loaded = load(&args.source)?;
    let config = &mut loaded.config;
    config.strict = args.strict;
    if !args.listen.is_empty() {
        config.listen.dns = args.listen.iter().copied().map(Listener::required).collect();
    }
    if let Some(level) = args.log_level {
        config.log.level = level.0;
    }
    if let Some(format) = args.log_format {
        config.log.format = format.0;
    }
    Ok(loaded)
}

/// The environment as text; what is no text is shown in messages with replacement characters.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

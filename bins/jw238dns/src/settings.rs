//! The configuration that flags, file and environment make together.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use dns_server::config::{Listener, Zone, ZoneContent};
use dns_server::{Config, ConfigErrors, Finding, Loaded, Place};

use crate::args::{ServeArgs, SourceArgs};

/// Read when no flag names another file.
const USUAL_FILE: &str = "/etc/jw238dns/config.yaml";

/// Names the usual file where no flag names another and it is there. To be done once, at the start: should the file vanish
/// later, that is a failed reload, and no reason to serve the sample in its place.
pub fn choose_file(args: &mut SourceArgs) {
    choose(args, Path::new(USUAL_FILE));
}

fn choose(args: &mut SourceArgs, usual: &Path) {
    // A file that is there but cannot be looked at is a mistake worth telling, not a reason to serve the sample.
    if args.config.is_none() && !matches!(usual.try_exists(), Ok(false)) {
        args.config = Some(usual.to_owned());
    }
}

/// What to serve: the chosen file, else the sample; then the zones of the flags.
pub fn load(args: &SourceArgs) -> Result<Loaded, ConfigErrors> {
    let file = args.config.as_deref();
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
        zones.push(Zone::new(zone.name.clone(), ZoneContent::File(zone.file.clone())));
    }
    Ok(loaded)
}

/// What to serve, and how: flags win over the environment, and that over the file.
pub fn load_to_serve(args: &ServeArgs) -> Result<Loaded, ConfigErrors> {
    let mut loaded = load(&args.source)?;
    let config = &mut loaded.config;
    config.strict = args.strict;
    if !args.listen.is_empty() {
        config.listen.dns = args.listen.iter().copied().map(Listener::required).collect();
        if config.listen.http == Config::sample().listen.http {
            // Whoever has other plans than the sample may run several, and only one of them could have its port.
            config.listen.http.clear();
        }
    }
    if !args.http.is_empty() {
        config.listen.http = args.http.iter().copied().map(Listener::required).collect();
    }
    if let Some(level) = args.log_level {
        config.log.level = level.0;
    }
    if let Some(format) = args.log_format {
        config.log.format = format.0;
    }
    let is_managed = !config.listen.http.is_empty() && config.api.enabled;
    if is_managed && args.source.config.is_none() && config.store.data_dir.is_none() {
        config.store.data_dir = data_dir(std::env::var_os);
    }
    if is_managed && config.store.data_dir.is_none() && config.api.admin_token_file.is_none() {
        config.api.admin_token_file = token_file(std::env::var_os);
    }
    let absent = config.absent_listeners();
    loaded.warnings.extend(absent.into_iter().map(|address| Finding {
        place: Place::whole("--listen"),
        key: String::new(),
        message: format!(
            "nothing listens on {address}, so what 'access' and 'views' say of it does not count"
        ),
    }));
    Ok(loaded)
}

/// Where changes are kept without a configuration file: where systemd has a place for them, else where users have theirs.
fn data_dir(variable: impl Fn(&'static str) -> Option<OsString>) -> Option<PathBuf> {
    let state = variable("STATE_DIRECTORY").and_then(|list| first_folder(&list));
    let user = || folder(variable("XDG_DATA_HOME")?);
    let home = || Some(folder(variable("HOME")?)?.join(".local/share"));
    state.or_else(|| Some(user().or_else(home)?.join("jw238dns")))
}

/// Where the first token is written where nothing is kept: a place that ends when the machine or the session does.
fn token_file(variable: impl Fn(&'static str) -> Option<OsString>) -> Option<PathBuf> {
    let service = variable("RUNTIME_DIRECTORY").and_then(|list| first_folder(&list));
    let service = service.map(|folder| folder.join("admin-token"));
    service.or_else(|| Some(folder(variable("XDG_RUNTIME_DIR")?)?.join("jw238dns-admin-token")))
}

/// systemd separates several by colons.
fn first_folder(list: &OsStr) -> Option<PathBuf> {
    folder(list.to_str()?.split(':').next()?.into())
}

/// Relative paths are no good: they lead somewhere else from each place in which the server is started.
fn folder(path: OsString) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

/// The files that say what to do, as opposed to those that say what to answer.
pub fn files_read<'c>(args: &'c SourceArgs, config: &'c Config) -> impl Iterator<Item = &'c Path> {
    args.config.iter().chain(&config.files).map(PathBuf::as_path)
}

/// The environment as text; what is no text is shown in messages with replacement characters.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn flags_that_take_a_listener_away_are_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        let text =
            "listen: {dns: '127.0.0.1:5300'}\naccess: [{listener: '127.0.0.1:5300', allow: loopback}]\n";
        fs::write(&file, text).unwrap();
        let source = SourceArgs { config: Some(file), ..SourceArgs::default() };
        let mut args = ServeArgs { source, ..ServeArgs::default() };
        assert!(load_to_serve(&args).unwrap().warnings.is_empty());
        args.listen.push("127.0.0.1:5301".parse().unwrap());
        let warnings = load_to_serve(&args).unwrap().warnings;
        assert_eq!(
            warnings[0].to_string(),
            "--listen: nothing listens on 127.0.0.1:5300, so what 'access' and 'views' say of it does not count"
        );
    }

    #[test]
    fn changes_are_kept_where_the_system_or_the_user_has_a_place() {
        fn place(variables: &[(&str, &str)]) -> Option<String> {
            let variable = |name: &'static str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            data_dir(variable).map(|path| path.display().to_string())
        }
        let home = ("HOME", "/home/ada");
        for (variables, expected) in [
            (&[home][..], Some("/home/ada/.local/share/jw238dns")),
            (&[home, ("XDG_DATA_HOME", "/data")], Some("/data/jw238dns")),
            (&[home, ("XDG_DATA_HOME", "data")], Some("/home/ada/.local/share/jw238dns")),
            (&[home, ("STATE_DIRECTORY", "/var/lib/jw238dns:/var/lib/other")], Some("/var/lib/jw238dns")),
            (&[("HOME", "")], None),
            (&[], None),
        ] {
            assert_eq!(place(variables).as_deref(), expected, "{variables:?}");
        }
    }

    #[test]
    fn what_is_read_is_chosen_once() {
        let folder = tempfile::tempdir().unwrap();
        let usual = folder.path().join("config.yaml");
        let is_sample =
            |args: &SourceArgs| load(args).map(|loaded| loaded.config.zones == Config::sample().zones);

        let mut without = SourceArgs::default();
        choose(&mut without, &usual);
        fs::write(&usual, "dns_port: 5353\n").unwrap();
        assert!(is_sample(&without).unwrap(), "a file that comes later counts from the next start on");

        let mut with = SourceArgs::default();
        choose(&mut with, &usual);
        assert!(!is_sample(&with).unwrap());
        fs::remove_file(&usual).unwrap();
        let errors = is_sample(&with).unwrap_err().to_string();
        assert!(errors.contains("config.yaml"), "{errors}");

        let mut named = SourceArgs { config: Some("other.yaml".into()), ..SourceArgs::default() };
        choose(&mut named, folder.path());
        assert_eq!(named.config.as_deref(), Some(Path::new("other.yaml")));
    }
}

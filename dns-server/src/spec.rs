//! The configuration file: read with the place of every value, checked as a whole, turned into a [`Config`].

mod convert;
mod env;
mod fault;
mod keys;
mod reader;
mod schema;
mod shape;
mod suggest;
mod tree;
mod value;

use std::path::Path;
use std::sync::Arc;

use self::keys::Spec;
use self::reader::{Reader, Value};
use self::tree::{Kind, Node};
use crate::config::Config;

pub use self::{
    fault::{ConfigErrors, Finding, Place},
    schema::{json_schema, key_table},
};

/// A configuration that was read, and what its author should know.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to do.
    pub config: Config,
    /// Remarks that do not stand in the way.
    pub warnings: Vec<Finding>,
}

impl Config {
    /// Reads a configuration file; `environment` overrides its keys (`JW238DNS_LISTEN__DNS=127.0.0.1:53`).
    ///
    /// Only variables that begin with `JW238DNS_` are looked at, so the whole environment may be passed.
    ///
    /// # Errors
    /// Lists every mistake of the file and of the variables.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        let name = path.display().to_string();
        let octets = read_bounded(path).map_err(|error| ConfigErrors::whole(&name, error))?;
        match String::from_utf8(octets) {
            Ok(text) => Self::parse(&name, &text, environment),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = valid.split(|octet| *octet == b'\n').count();
                Err(ConfigErrors::whole(&name, format!("is not UTF-8 text: bad octet in line {line}")))
            }
        }
    }

    /// Reads the text of a configuration file named `name`; relative paths in it begin at that file's folder.
    ///
    /// An empty text means all defaults.
    ///
    /// # Errors
    /// Lists every mistake of the text and of the variables.
    pub fn parse(
        name: &str,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        read(name, text, environment, false)
    }

    /// The built-in sample with overrides from the environment; zones or records given there replace the sample's zone.
    ///
    /// # Errors
    /// Lists every mistake of the variables.
    pub fn load_sample(
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        read("the built-in sample", "", environment, true)
    }
}

/// Reads a file of at most the size that is parsed, whatever it grows to.
fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;

    let limit = tree::OCTETS_MAX as u64;
    let mut octets = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut octets))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if octets.len() as u64 > limit {
        return Err(format!("is larger than {limit} octets"));
    }
    Ok(octets)
}

fn read(
    name: &str,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    sample: bool,
) -> Result<Loaded, ConfigErrors> {
    let source: Arc<str> = name.into();
    let fields = Spec::shape().fields().to_vec();
    let mut reader = Reader::new(fields.clone());
    let empty = || Node { place: Place::whole(&source), kind: Kind::Mapping(Vec::new()) };
    let parsed = tree::parse(&source, text).unwrap_or_else(|finding| {
        reader.errors.push(finding);
        None
    });
    let mut root = parsed.filter(|node| !node.is_nothing()).unwrap_or_else(empty);
    if !matches!(root.kind, Kind::Mapping(_)) {
        reader.fault(
            &root.place.clone(),
            format!("the file holds {}, a mapping of keys to values is expected", root.noun()),
        );
        root = empty();
    }
    env::apply(&mut root, environment, &fields, &mut reader);

    let base = Path::new(name).parent().unwrap_or(Path::new("")).to_owned();
    let config = Spec::read(&root, &mut reader).map(|spec| convert::config(spec, &base, sample, &mut reader));
    match (ConfigErrors::new(reader.errors), config) {
        (None, Some(config)) => Ok(Loaded { config, warnings: reader.warnings }),
        (Some(errors), _) => Err(errors),
        // A spec that cannot be read has said why.
        (None, None) => Err(ConfigErrors::whole(name, "cannot be read".to_owned())),
    }
}

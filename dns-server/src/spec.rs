//! The configuration file: read with the place of every value, checked as a whole, turned into a [`Config`].

mod convert;
mod env;
mod fault;
mod include;
mod keys;
mod reader;
mod schema;
mod shape;
mod sources;
mod suggest;
mod tree;
mod value;

use std::path::Path;
use std::sync::Arc;

use self::keys::Spec;
use self::reader::{Reader, Value};
use self::sources::{Disk, Files, NoFiles, Sources};
use self::tree::{Kind, Node};
use crate::config::Config;

pub use self::value::duration;
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
    /// Reads a configuration file and what it includes; `environment` overrides its keys (`JW238DNS_LISTEN__DNS=127.0.0.1:53`).
    ///
    /// Only variables that begin with `JW238DNS_` are looked at, so the whole environment may be passed.
    ///
    /// # Errors
    /// Lists every mistake of the files and of the variables.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        let name = path.display().to_string();
        let text = sources::read_main(path, &name)?;
        read(&name, &text, environment, false, &Disk)
    }

    /// Reads the text of a configuration file named `name`; relative paths in it begin at that file's folder.
    ///
    /// An empty text means all defaults. No file is opened, so a text that includes others, or names lists in files, is a
    /// mistake.
    ///
    /// # Errors
    /// Lists every mistake of the text and of the variables.
    pub fn parse(
        name: &str,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        read(name, text, environment, false, &NoFiles)
    }

    /// The built-in sample with overrides from the environment; zones or records given there replace the sample's zone.
    ///
    /// # Errors
    /// Lists every mistake of the variables.
    pub fn load_sample(
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        read("the built-in sample", "", environment, true, &Disk)
    }
}

fn read(
    name: &str,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    sample: bool,
    files: &dyn Files,
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
    let mut variables = env::ours(environment);
    let mut sources = Sources::new(files, name, text.len());
    let instead = env::take_include(&mut variables);
    include::expand(&mut root, name, instead, &mut sources, &mut reader);
    env::apply(&mut root, &variables, &fields, &mut reader);

    let spec = Spec::read(&root, &mut reader);
    let config = spec.map(|spec| convert::config(spec, sources, sample, &mut reader));
    match (ConfigErrors::new(reader.errors), config) {
        (None, Some(config)) => Ok(Loaded { config, warnings: reader.warnings }),
        (Some(errors), _) => Err(errors),
        // A spec that cannot be read has said why.
        (None, None) => Err(ConfigErrors::whole(name, "cannot be read".to_owned())),
    }
}

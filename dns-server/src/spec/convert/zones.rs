//! `zones`, `zone_templates` and `views`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use dns_core::{Name, Network};

use super::super::fault::Place;
use super::super::keys::{ViewSpec, ZoneSpec, ZoneTemplateSpec};
use super::super::reader::Located;
use super::super::sources::list_lines;
use super::super::value::{FilePath, ZoneName, shown, shown_path};
use super::networks::any;
use super::{Context, distinct, records, value};
use crate::config::{Backend, TtlBounds, View, Zone, ZoneContent};

/// Mistakes of one list of names that are told; who gives the wrong file need not read it all.
const LINE_FAULTS_MAX: usize = 20;

/// Most views. A catalog numbers them with 16 bits; what is meant for that many kinds of clients is meant for rules.
const VIEWS_MAX: usize = 10_000;

/// What stands for the name in the path of a template.
const PLACEHOLDER: &str = "{zone}";

/// Zones that are named one by one, then those of templates.
pub(super) fn zones(
    listed: Option<Located<Vec<Located<ZoneSpec>>>>,
    templates: Option<Located<Vec<Located<ZoneTemplateSpec>>>>,
    context: &mut Context<'_, '_>,
) -> Vec<Zone> {
    let mut zones = Unique::default();
    for zone in value(listed).unwrap_or_default() {
        let ZoneSpec { name, file, fallthrough, allow, deny } = zone.value;
        let fallthrough = warn_of_fallthrough(fallthrough, context);
        let allow = context.networks.some(allow.as_ref(), context.reader).into();
        let deny = context.networks.all(deny.as_ref(), context.reader).into();
        let Some(name) = name else { continue };
        // One without a file counts as well, so that its name cannot be given again.
        let content = file.map(|file| ZoneContent::File(context.path(&file.place, &file.value.0)));
        let zone = content.map(|content| Zone {
            fallthrough,
            allow,
            deny,
            ..Zone::new(name.value.0.clone(), content)
        });
        zones.add(&name, zone, context);
    }
    for template in value(templates).unwrap_or_default() {
        expand(template, &mut zones, context);
    }
    zones.zones
}

/// Zones, and where their names are given.
#[derive(Default)]
struct Unique {
    zones: Vec<Zone>,
    first: HashMap<Name, Place>,
}

impl Unique {
    fn add(&mut self, name: &Located<ZoneName>, zone: Option<Zone>, context: &mut Context<'_, '_>) {
        if let Some(place) = self.first.get(&name.value.0) {
            context.reader.object(name, format!("is already given at {place}"));
            return;
        }
        self.first.insert(name.value.0.clone(), name.place.clone());
        self.zones.extend(zone);
    }
}

fn warn_of_fallthrough(given: Option<Located<bool>>, context: &mut Context<'_, '_>) -> bool {
    if let Some(key) = given.as_ref().filter(|fallthrough| fallthrough.value) {
        let warning = "forwarding is not part of this build: names that the zone does not have are denied";
        context.reader.warn(key, warning);
    }
    value(given).unwrap_or(false)
}

fn expand(template: Located<ZoneTemplateSpec>, zones: &mut Unique, context: &mut Context<'_, '_>) {
    let Located { place, key, value: template } = template;
    let ZoneTemplateSpec { zones: names, zones_from, file, fallthrough, allow, deny } = template;
    if names.is_none() && zones_from.is_none() && !context.reader.has_faults_below(&key) {
        context.reader.fault_at(&place, &key, "names no zones, give 'zones' or 'zones_from'");
    }
    let fallthrough = warn_of_fallthrough(fallthrough, context);
    let allow: Arc<[Network]> = context.networks.some(allow.as_ref(), context.reader).into();
    let deny: Arc<[Network]> = context.networks.all(deny.as_ref(), context.reader).into();
    let mut names = names.map_or_else(Vec::new, |names| names.value.0);
    if let Some(file) = zones_from {
        names.extend(names_from(&file, context));
    }
    let Some(file) = file else { return };
    let base = context.sources.base(&file.place).to_owned();
    for name in names {
        let zone = match file_of(&file.value.0, &name.value.0) {
            Ok(path) => {
                let content = ZoneContent::File(base.join(path));
                let (allow, deny) = (allow.clone(), deny.clone());
                Some(Zone { fallthrough, allow, deny, ..Zone::new(name.value.0.clone(), content) })
            }
            Err(problem) => {
                context.reader.object(&name, problem);
                None
            }
        };
        zones.add(&name, zone, context);
    }
}

/// The path of one zone of a template.
fn file_of(template: &str, name: &Name) -> Result<String, String> {
    if !template.contains(PLACEHOLDER) {
        return Ok(template.to_owned());
    }
    if name.is_root() {
        return Err(format!("the root has no name to put in place of {PLACEHOLDER}"));
    }
    let text = name.to_string();
    let text = text.strip_suffix('.').unwrap_or(&text);
    if text.contains('/') {
        return Err(format!("{} has a '/', which no file's name has; list it in 'zones'", shown(text)));
    }
    Ok(template.replace(PLACEHOLDER, text))
}

/// Names of zones from a file with one per line.
fn names_from(file: &Located<FilePath>, context: &mut Context<'_, '_>) -> Vec<Located<ZoneName>> {
    let Some((source, text)) = context.list_file(file) else { return Vec::new() };
    let mut faults = 0;
    let mut names = Vec::new();
    for (line, word) in list_lines(&text) {
        let place = Place { source: source.clone(), line, column: 1 };
        match Name::from_text(word.as_bytes(), Some(&Name::root())) {
            Ok(name) if word != "@" => {
                names.push(Located { place, key: file.key.clone(), value: ZoneName(name) });
            }
            _ if faults == LINE_FAULTS_MAX => {
                context.reader.fault_at(&place, &file.key, "this line and others are no names, either");
                break;
            }
            named => {
                faults += 1;
                let why = named.err().map(|error| format!(": {error}")).unwrap_or_default();
                context.reader.fault_at(&place, &file.key, format!("{} is not a name{why}", shown(word)));
            }
        }
    }
    names
}

/// Views, checked against each other and against the listeners that there are.
pub(super) fn views(
    specs: Option<Located<Vec<Located<ViewSpec>>>>,
    listeners: &[SocketAddr],
    backend: &Backend,
    bounds: TtlBounds,
    context: &mut Context<'_, '_>,
) -> Vec<View> {
    let mut specs = value(specs).unwrap_or_default();
    if let Some(view) = specs.get(VIEWS_MAX) {
        context.reader.object(view, format!("at most {VIEWS_MAX} views are served"));
        specs.truncate(VIEWS_MAX);
    }
    let names = specs.iter().filter_map(|view| view.value.name.as_ref());
    distinct(names.map(|name| (name.value.0.clone(), name)), context.reader);
    let mut clients = HashMap::new();
    let mut views = Vec::new();
    for spec in specs {
        let Located { place, key, value: spec } = spec;
        if let Some(name) = spec.name.as_ref().filter(|name| name.value.0 == View::DEFAULT) {
            let problem = "is what stands outside views; choose another name, or put this at the top";
            context.reader.object(name, problem);
        }
        if spec.clients.is_none() && spec.listeners.is_none() && !context.reader.has_faults_below(&key) {
            let problem = "says neither 'clients' nor 'listeners', so nothing outside views would ever be served; \
                           'clients: any' means just that";
            context.reader.fault_at(&place, &key, problem);
        }
        let view = View {
            clients: context.networks.some(spec.clients.as_ref(), context.reader),
            listeners: spec.listeners.as_ref().map_or_else(Vec::new, |list| {
                if list.value.0.is_empty() && !context.reader.has_faults_below(&list.key) {
                    context.reader.object(list, "the list is empty; leave the key out for all listeners");
                }
                distinct(list.value.0.iter().map(|item| (item.value, item)), context.reader);
                for listener in &list.value.0 {
                    super::guard::check_listener(listener, listeners, context.reader);
                }
                list.value.0.iter().map(|listener| listener.value).collect()
            }),
            shared: value(spec.shared).unwrap_or(false),
            zones_dir: spec.zones_dir.map(|path| context.path(&path.place, &path.value.0)),
            records: spec.records.map_or_else(Vec::new, |records| {
                records::rrsets(&records.value, backend, bounds, context.reader)
            }),
            zones: zones(spec.zones, spec.zone_templates, context),
            name: spec.name.map(|name| name.value.0).unwrap_or_default(),
        };
        // One that is wrong may claim what it is not for.
        if !context.reader.has_faults_below(&key) {
            overlaps(&view, &place, &key, &mut clients, context);
        }
        views.push(view);
    }
    views
}

/// Clients by listeners and network, with the view that has them.
type Clients = HashMap<Vec<SocketAddr>, HashMap<Network, String>>;

/// Reports a view that claims just the clients of another one: nothing says which of the two counts.
fn overlaps(view: &View, place: &Place, key: &str, clients: &mut Clients, context: &mut Context<'_, '_>) {
    let mut listeners = view.listeners.clone();
    listeners.sort_unstable();
    let known = clients.entry(listeners).or_default();
    let everybody = if view.clients.is_empty() { any() } else { Vec::new() };
    let mut other = None;
    for network in view.clients.iter().chain(&everybody) {
        match known.get(network) {
            Some(name) => other = other.or(Some((*network, name.clone()))),
            None => {
                known.insert(*network, view.name.clone());
            }
        }
    }
    if let Some((network, other)) = other {
        let problem =
            format!("is for {network}, and so is view '{other}': which of them counts is not clear");
        context.reader.fault_at(place, key, problem);
    }
}

impl Context<'_, '_> {
    /// A path that is given at a place.
    pub fn path(&self, place: &Place, path: &str) -> PathBuf {
        self.sources.base(place).join(path)
    }

    /// A file with one thing per line: its name as messages show it, and its text.
    pub fn list_file(&mut self, file: &Located<FilePath>) -> Option<(Arc<str>, String)> {
        let path = self.path(&file.place, &file.value.0);
        let shown = shown_path(&path);
        match self.sources.read(&path) {
            Ok(text) => Some((shown.into(), text)),
            Err(problem) => {
                self.reader.object(file, format!("{shown} {problem}"));
                None
            }
        }
    }
}

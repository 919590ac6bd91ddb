//! Zone files taken over.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use dns_core::zone::{Place, SourceTag, ZoneBuilder};
use dns_core::{Name, RecordType, Rrset, give_back_memory, zonecheck, zonefile};
use dns_store::{KeptZone, Source, StoreOptions, Write};
use smallvec::SmallVec;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{DryRunQuery, RECORDS_SHOWN, check_write, shell};
use crate::api::Api;
use crate::auth::Caller;
use crate::body::{OctetsMax, Received, to_its_end};
use crate::convert;
use crate::extract::{self, Path, Query};
use crate::faults::{Faults, unique};
use crate::model::{ChangeSetAnswer, Finding, Imported, Problem, ProblemKind, Severity};
use crate::problem::WriteProblems;
use crate::v1::changes::subject;
use crate::v1::write::{self, WriteError, blocking};

/// Octets of a zone file: some five million records.
const BODY_OCTETS_MAX: usize = 256 << 20;
/// An import of so many RRsets leaves hundreds of megabytes behind that nothing needs any more.
const GIVE_BACK_FROM: usize = 100_000;
/// Most values have no more octets, and stand right in their group until there is an RRset of them.
const RDATA_OCTETS: usize = 24;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(import)).layer(Extension(OctetsMax(BODY_OCTETS_MAX)))
}

/// Takes over a zone file
///
/// What the API has in the zone is that of the file afterwards, no more and no less. A zone that is not there is made. The
/// file may leave out SOA and NS records of the apex, which then stay as they are; relative names in it end in that of the zone.
#[utoipa::path(
    put, path = "/zones/{zone}/import", tag = "zones", operation_id = "importZone",
    request_body(content = String, content_type = "text/dns", description = "The zone file, at most 256 MiB; $INCLUDE is an error"),
    params(("zone" = String, Path, description = "Its apex; the dot at its end may be missing"), DryRunQuery),
    responses(
        (status = 200, description = "The zone is that of the file, or would be", body = Imported),
        (status = 201, description = "The zone is that of the file, and is new", body = Imported),
        WriteProblems,
    ),
)]
async fn import(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(zone): Path<String>,
    Query(query): Query<DryRunQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let apex = convert::name_parameter(&zone, "zone")?;
    check_write(&caller, &apex)?;
    if !extract::is_of_type(request.headers(), super::export::TEXT_DNS) {
        let detail = "the body must be a zone file, and Content-Type: text/dns must say so";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    let Received { octets, room } = api.bodies().receive(request).await?;
    to_its_end(room, imported(api, caller, apex, octets, query.dry_run)).await
}

async fn imported(
    api: Arc<Api>,
    caller: Caller,
    apex: Name,
    octets: Vec<u8>,
    dry_run: bool,
) -> Result<Response, Problem> {
    // What is made of large files takes several times their memory, so there is a bound to how many are worked on. Who is slow to
    // send one takes no turn meanwhile. The semaphore is never closed.
    let _permit = api.imports().acquire().await.ok();
    let (options, default_ttl) = (api.store().options(), api.host().default_ttl());
    let (of, by) = (apex.clone(), caller.clone());
    let present = api.store().found_at(&apex).into_iter().filter(|found| found.source == Source::Api);
    let present: Vec<Rrset> =
        present.map(|found| found.rrset).filter(|rrset| is_shell(&apex, rrset)).collect();
    let read = move || File::read(&of, &octets, default_ttl, &options, present, &by);
    let file = blocking(read).await??;
    let File { shell, records, lines, warnings } = file;
    let rrsets = records.len() + shell.rrsets.len();
    let write = Write::PutZone { apex: apex.clone(), zone: shell, records: Some(records), is_new: false };
    let answer = move |changes: ChangeSetAnswer| {
        let created = changes.zones.iter().any(|zone| zone.before.is_none());
        // The warnings of the whole file take the place of those of a few names.
        Imported { created, rrsets, changes: ChangeSetAnswer { warnings, ..changes } }
    };
    if dry_run {
        return match write::plan(&api, write, Vec::new()).await {
            Ok(plan) => {
                let answered = write::planned(plan, &api, &caller, RECORDS_SHOWN, answer).await;
                forget(lines, rrsets);
                answered
            }
            Err(error) => Err(refused(error, lines).await),
        };
    }
    match write::make(&api, caller.author(), write, Vec::new()).await {
        Ok(made) => {
            let hidden = write::hidden_by_zone(&api, &apex).await;
            let answer = move |changes| {
                let mut body = answer(changes);
                body.changes.warnings.extend(hidden);
                (if body.created { StatusCode::CREATED } else { StatusCode::OK }, body)
            };
            let answered = made.answer(&api, &caller, RECORDS_SHOWN, answer).await;
            forget(lines, rrsets);
            answered
        }
        Err(error) => Err(refused(error, lines).await),
    }
}

/// Gives back the memory of a file with so many RRsets, where that holds nobody up.
fn forget(lines: Lines, rrsets: usize) {
    drop(tokio::task::spawn_blocking(move || {
        drop(lines);
        if rrsets >= GIVE_BACK_FROM {
            give_back_memory();
        }
    }));
}

/// Why a file was not taken over.
async fn refused(error: WriteError, lines: Lines) -> Problem {
    blocking(move || failed(error, &lines)).await.unwrap_or_else(|problem| problem)
}

/// The names and types of a file, and the lines in which their records begin.
#[derive(Default)]
struct Lines {
    places: HashMap<(Name, RecordType), usize>,
    lines: Vec<u32>,
}

impl Lines {
    /// Where a name and type stands among all of them; it begins in this line if it is new.
    fn place(&mut self, owner: Name, rtype: RecordType, line: u32) -> usize {
        let next = self.lines.len();
        let at = *self.places.entry((owner, rtype)).or_insert(next);
        if at == next {
            self.lines.push(line);
        }
        at
    }

    fn of(&self, owner: &Name, rtype: RecordType) -> Option<u32> {
        let at = *self.places.get(&(owner.clone(), rtype))?;
        self.lines.get(at).copied()
    }
}

/// A zone file, read.
struct File {
    /// SOA and NS records of the apex.
    shell: KeptZone,
    /// All others.
    records: Vec<Rrset>,
    lines: Lines,
    warnings: Vec<Finding>,
}

/// Records of one name and type while the file is read.
struct Group {
    owner: Name,
    rtype: RecordType,
    ttl: u32,
    /// Most names have one of a type.
    rdatas: SmallVec<[SmallVec<[u8; RDATA_OCTETS]>; 1]>,
}

impl File {
    fn read(
        apex: &Name,
        octets: &[u8],
        default_ttl: u32,
        options: &StoreOptions,
        present: Vec<Rrset>,
        caller: &Caller,
    ) -> Result<Self, Problem> {
        let reading = zonefile::Options {
            origin: Some(apex.clone()),
            default_ttl: Some(default_ttl),
            ..zonefile::Options::default()
        };
        let mut builder = ZoneBuilder::for_file_of(apex.clone(), octets.len());
        let mut groups: Vec<Group> = Vec::new();
        let mut lines = Lines::default();
        let mut of_signed: Option<Signatures> = None;
        let report = zonefile::read("", octets, &reading, &mut zonefile::no_includes, |record| {
            let place = Place { file: 0, line: record.position.line };
            if is_of_signing(record.rtype) {
                let signatures = of_signed.get_or_insert(Signatures { line: place.line, count: 0 });
                signatures.count += 1;
                return;
            }
            builder.add(record.owner, record.rtype, record.ttl, record.rdata, SourceTag::default(), place);
            // What has been read is a name.
            let Ok(owner) = Name::from_wire(record.owner) else { return };
            let at = lines.place(owner.clone(), record.rtype, record.position.line);
            if at == groups.len() {
                groups.push(Group { owner, rtype: record.rtype, ttl: record.ttl, rdatas: SmallVec::new() });
            }
            groups[at].rdatas.push(SmallVec::from_slice(record.rdata));
        });
        let mut faults = Faults::default();
        if report.errors.is_empty() && groups.is_empty() && of_signed.is_none() {
            faults.add("", nothing(octets));
        }
        for error in &report.errors {
            faults.add(&error.position.to_string(), &error.cause);
        }
        if report.errors_omitted > 0 {
            faults.add("", format_args!("{} more errors are not listed", report.errors_omitted));
        }
        if let Some(Signatures { line, count }) = of_signed {
            let what = "record(s) of a signed zone (RRSIG, NSEC and NSEC3), of which this is the first, cannot be \
                imported: leave these out; all other records can stay";
            faults.add(&line.to_string(), format_args!("{count} {what}"));
        }
        let mut rrsets = Vec::with_capacity(groups.len());
        for Group { owner, rtype, ttl, rdatas } in groups {
            match Rrset::new(owner.clone(), rtype, ttl, rdatas) {
                Ok(rrset) => rrsets.push(rrset),
                Err(error) => {
                    let line = lines.of(&owner, rtype).unwrap_or_default();
                    faults.add(&line.to_string(), error);
                }
            }
        }
        let (mut shell, records): (Vec<Rrset>, Vec<Rrset>) =
            rrsets.into_iter().partition(|rrset| is_shell(apex, rrset));
        let defaults = shell::of(apex, &options.derived, options.first_serial);
        // What the file leaves out stays as it is.
        for rrset in present.into_iter().chain(defaults.into_iter().flatten()) {
            if shell.iter().all(|other| other.rtype() != rrset.rtype()) {
                for rdata in rrset.rdatas() {
                    let (source, place) = (SourceTag::default(), Place::default());
                    builder.add(apex.as_wire(), rrset.rtype(), rrset.ttl(), rdata, source, place);
                }
                shell.push(rrset);
            }
        }
        let warning = |message: String| Finding {
            severity: Severity::Warning,
            name: apex.to_string(),
            rtype: None,
            message,
        };
        let mut warnings: Vec<Finding> = report
            .warnings
            .iter()
            .map(|doubt| warning(format!("{}: {}", doubt.position, doubt.doubt)))
            .collect();
        match builder.finish() {
            Ok(built) => {
                warnings.extend(built.warnings.iter().map(|fault| warning(placed(fault))));
                let findings = convert::findings(&zonecheck::check(&built.zone).findings, None, caller);
                warnings.extend(findings.into_iter().filter(|finding| finding.severity == Severity::Warning));
            }
            Err(zone_faults) => {
                for fault in zone_faults.iter().filter(|fault| !fault.kind.is_warning()) {
                    faults.add("", placed(fault));
                }
            }
        }
        faults.none_or(Self { shell: KeptZone { rrsets: shell }, records, lines, warnings })
    }
}

/// Records that come of signing, and go with the signatures.
#[derive(Clone, Copy)]
struct Signatures {
    /// Where the first one is.
    line: u32,
    count: usize,
}

/// The type stands for nothing but the signatures of a whole zone.
fn is_of_signing(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3)
}

/// What is wrong with a file without records, which would take away all that there is.
fn nothing(octets: &[u8]) -> String {
    let received = match octets.len() {
        0 => "the body is empty".to_owned(),
        count => format!(
            "the {count} octets of the body have no record in them, only comments, directives or blank lines"
        ),
    };
    format!(
        "{received}: an import needs at least one record; a zone is emptied by a file with its SOA alone, and deleted by DELETE"
    )
}

/// One of those records that a zone cannot be without.
fn is_shell(apex: &Name, rrset: &Rrset) -> bool {
    rrset.owner() == apex && matches!(rrset.rtype(), RecordType::SOA | RecordType::NS)
}

/// A fault with its line.
fn placed(fault: &dns_core::zone::ZoneFault) -> String {
    match fault.place.line {
        0 => fault.kind.to_string(),
        line => format!("{line}: {}", fault.kind),
    }
}

/// Tells where in the file stands what each reason of the store is about.
fn failed(error: WriteError, lines: &Lines) -> Problem {
    let error = match error {
        WriteError::Store(error) => error,
        WriteError::Problem(problem) => return problem,
    };
    let line = |(owner, rtype): (&Name, Option<RecordType>)| lines.of(owner, rtype?);
    let reasons: Vec<String> = error
        .reasons()
        .iter()
        .map(|reason| match subject(reason).and_then(line) {
            Some(line) => format!("{line}: {reason}"),
            None => reason.to_string(),
        })
        .collect();
    let mut problem = Problem::from(error);
    problem.reasons = unique(reasons);
    problem
}

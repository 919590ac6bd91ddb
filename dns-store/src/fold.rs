//! Packing zones anew in the background, once many of their names have changed.

use dns_core::zone::{Fold, Folded, Zone};
use dns_core::{Catalog, Name, View, ZoneEntry, ZoneState};

use crate::sync::{mpsc, thread};
use crate::turn::WeakStore;

/// A thread that waits to be told what to fold, and ends when it has done so.
pub(crate) struct Folder {
    work: mpsc::Sender<Vec<(Name, Fold)>>,
}

impl Folder {
    /// `None` if there can be no more threads: zones are right without being folded, only slower.
    pub fn start(store: WeakStore) -> Option<Self> {
        let (work, received) = mpsc::channel::<Vec<(Name, Fold)>>();
        let run = move || {
            for (apex, fold) in received.recv().unwrap_or_default() {
                let Some(folded) = fold.run() else {
                    tracing::warn!(%apex, "the zone is too large to be packed anew");
                    continue;
                };
                if let Some(store) = store.upgrade() {
                    store.finish_fold(&apex, folded);
                }
            }
        };
        match thread::Builder::new().name("fold".into()).spawn(run) {
            Ok(_) => Some(Self { work }),
            Err(error) => {
                tracing::warn!(%error, "cannot start a thread to pack zones anew");
                None
            }
        }
    }

    pub fn run(self, folds: Vec<(Name, Fold)>) {
        // The thread waits for this and nothing else, so it is there to receive it.
        let _ = self.work.send(folds);
    }
}

/// Zones among `touched` of which so many names have changed that they should be packed anew.
pub(crate) fn due(view: Option<&View>, touched: &[Name], fold_after: usize) -> Vec<Name> {
    let is_due =
        |zone: &Zone| zone.overlay_len() >= fold_after.max(zone.name_count() / 16) && !zone.is_folding();
    let zone = |apex| view?.zone(apex)?.zone();
    touched.iter().filter(|apex| zone(apex).is_some_and(is_due)).cloned().collect()
}

/// Sets the overlays of zones aside. The catalog that comes back is to be served meanwhile.
pub(crate) fn begin(catalog: Catalog, view: &str, due: &[Name]) -> (Catalog, Vec<(Name, Fold)>) {
    let mut folds = Vec::new();
    let Some(mut view) = catalog.view(view).cloned() else { return (catalog, folds) };
    for apex in due {
        let Some(entry) = view.zone(apex) else { continue };
        let Some((serving, fold)) = entry.zone().and_then(Zone::begin_fold) else { continue };
        let entry = ZoneEntry { state: ZoneState::Serving(serving), ..entry.clone() };
        view.put(entry);
        folds.push((apex.clone(), fold));
    }
    (catalog.with_view(view), folds)
}

/// Puts a new base under its zone; `None` if the zone has been replaced in between.
pub(crate) fn finish(catalog: &Catalog, view: &str, apex: &Name, folded: Folded) -> Option<Catalog> {
    let mut view = catalog.view(view)?.clone();
    let entry = view.zone(apex)?;
    let zone = entry.zone()?.finish_fold(folded)?;
    let entry = ZoneEntry { state: ZoneState::Serving(zone), ..entry.clone() };
    view.put(entry);
    Some(catalog.clone().with_view(view))
}

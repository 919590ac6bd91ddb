//! Packing zones anew in the background, once many of their names have changed.

use dns_core::zone::{Fold, Folded, Zone};
use dns_core::{Catalog, Name, ZoneEntry, ZoneState};

/// Sets overlays that have grown too large aside. The catalog that comes back is to be served meanwhile.
pub(crate) fn begin(catalog: Catalog, touched: &[Name], fold_after: usize) -> (Catalog, Vec<(Name, Fold)>) {
    let mut folds = Vec::new();
    let mut view = match catalog.default_view() {
        Some(view) => view.clone(),
        None => return (catalog, folds),
    };
    for apex in touched {
        let Some(entry) = view.zone(apex) else { continue };
        let is_due = |zone: &&Zone| zone.overlay_len() >= fold_after.max(zone.name_count() / 16);
        let Some((serving, fold)) = entry.zone().filter(is_due).and_then(Zone::begin_fold) else { continue };
        let entry = ZoneEntry { state: ZoneState::Serving(serving), ..entry.clone() };
        view.put(entry);
        folds.push((apex.clone(), fold));
    }
    if folds.is_empty() { (catalog, folds) } else { (catalog.with_view(view), folds) }
}

/// Puts a new base under its zone; `None` if the zone has been replaced in between.
pub(crate) fn finish(catalog: &Catalog, apex: &Name, folded: Folded) -> Option<Catalog> {
    let mut view = catalog.default_view()?.clone();
    let entry = view.zone(apex)?;
    let zone = entry.zone()?.finish_fold(folded)?;
    let entry = ZoneEntry { state: ZoneState::Serving(zone), ..entry.clone() };
    view.put(entry);
    Some(catalog.clone().with_view(view))
}

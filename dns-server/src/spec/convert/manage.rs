//! Where changes are kept, and how they are made over HTTP.

use std::num::NonZeroU32;

use super::super::keys::{ApiSpec, HistorySpec, StoreSpec, TlsSpec};
use super::super::reader::Located;
use super::{Context, number, value, values};
use crate::config::{Api, StoreConfig, Tls};

pub(super) fn store(spec: Option<Located<StoreSpec>>, context: &Context<'_, '_>) -> StoreConfig {
    let defaults = StoreConfig::default();
    let StoreSpec { data_dir, history } = value(spec).unwrap_or_default();
    let HistorySpec { max_age, max_octets } = value(history).unwrap_or_default();
    StoreConfig {
        data_dir: data_dir.map(|path| context.path(&path.place, &path.value.0)),
        history_age: value(max_age).unwrap_or(defaults.history_age),
        history_octets: max_octets.map(|octets| octets.value.0).or(defaults.history_octets),
    }
}

pub(super) fn api(spec: Option<Located<ApiSpec>>, context: &Context<'_, '_>) -> Api {
    let defaults = Api::default();
    let ApiSpec { enabled, tls, admin_token_file, hosts, requests_per_second } =
        value(spec).unwrap_or_default();
    let tls = value(tls).and_then(|TlsSpec { certificate, private_key }| {
        // One that is missing was told of already.
        let (certificate, private_key) = (certificate?, private_key?);
        Some(Tls {
            certificate: context.path(&certificate.place, &certificate.value.0),
            private_key: context.path(&private_key.place, &private_key.value.0),
        })
    });
    let rate = number(requests_per_second.as_ref(), defaults.requests_per_second.get());
    Api {
        enabled: value(enabled).unwrap_or(defaults.enabled),
        tls,
        admin_token_file: admin_token_file.map(|path| context.path(&path.place, &path.value.0)),
        hosts: values(hosts).unwrap_or_default().into_iter().map(|host| host.0).collect(),
        requests_per_second: NonZeroU32::new(rate).unwrap_or(defaults.requests_per_second),
    }
}

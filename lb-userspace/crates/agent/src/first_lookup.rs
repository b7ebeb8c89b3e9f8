//! Waits, for a bounded time, for the first addresses of names.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lb_config::Document;
use lb_dns::Resolver;

/// How long a start, or a change, waits for names that are not known yet.
pub(super) const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Resolves names that a document has and that are not known yet, for a bounded time: a listener that moves
/// from addresses to a name is not left without targets.
pub(super) async fn await_names(resolver: &Resolver, document: &Document) {
    let names = document.target_names();
    if !names.is_empty() {
        resolver.first(&names, Some(document.dns_servers()), FIRST_WAIT).await;
    }
}

/// The same for one name.
pub(super) async fn await_name(resolver: &Resolver, name: &Arc<str>) {
    resolver.first(&BTreeSet::from([Arc::clone(name)]), None, FIRST_WAIT).await;
}

//! PURE: all that one scrape of a proxy shows, as a value.

use lb_proxy_control::Observed;

/// What a proxy has counted, and what it serves, at one moment.
#[derive(Debug)]
pub(super) struct ProxyObservation(pub(super) Observed);

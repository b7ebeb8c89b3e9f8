//! Where a request belongs: worker, snapshot, listener and connection.

use std::rc::Rc;

use crate::{
    record::ConnectionInfo,
    worker_state::{ListenerView, View, Worker},
};

/// Where a request belongs.
pub(crate) struct RequestContext<'connection> {
    pub(crate) worker: &'connection Rc<Worker>,
    /// The snapshot of this request.
    pub(crate) view: Rc<View>,
    pub(crate) listener: ListenerView,
    pub(crate) connection: &'connection ConnectionInfo,
}

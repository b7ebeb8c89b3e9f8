//! An agent that is played on a Unix socket: it knows one target group with one target.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixListener,
    path::Path,
    thread,
};

use lb_agent::{Snapshot, TargetGroupView, TargetView};

/// An agent with one group that answers what completions ask.
pub(crate) fn start(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    let group = TargetGroupView { name: "web".to_owned(), ..TargetGroupView::default() };
    let target = TargetView {
        group: "web".to_owned(),
        address: Some([10, 0, 1, 11].into()),
        port: 80,
        ..TargetView::default()
    };
    let snapshot =
        Snapshot { target_groups: vec![group], targets: vec![target], ..Snapshot::default() };
    let status = serde_json::to_string(&snapshot).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let is_status = request[..length].starts_with(b"GET /v1/status ");
            let (code, body) = if is_status {
                ("200 OK", status.as_str())
            } else {
                ("403 Forbidden", "{\"error\":\"no\"}")
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {code}\r\ncontent-type: application/json\r\n");
            // A client that has gone away has enough.
            let _sent = write!(stream, "{head}content-length: {length}\r\n\r\n{body}");
        }
    });
}

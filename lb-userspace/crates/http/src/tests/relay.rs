//! A relay without sockets: it forwards requests of a client to a target, and responses back.

use crate::{
    body::WriteError,
    connection::{AfterExchange, ClientConnection, Event, Read, ServerConnection, ServerOptions},
    encode::{LocalResponse, RequestToForward, ResponseToForward},
    field_edits::FieldEdits,
    forwarded::{ForwardedPolicy, Processing, Scheme, Source},
    limits::Limits,
    refusal::Refusal,
};

/// Both sides, and all bytes of an exchange.
pub(super) struct Relay {
    pub(super) server: ServerConnection,
    pub(super) client: ClientConnection,
    /// Bytes of the client that were not consumed yet.
    pub(super) from_client: Vec<u8>,
    /// Bytes of the target that were not consumed yet.
    pub(super) from_target: Vec<u8>,
    pub(super) to_target: Vec<u8>,
    pub(super) to_client: Vec<u8>,
    /// Why the request or the response was refused.
    pub(super) refused: Option<(Refusal, u16)>,
    source: Source,
    /// Edits of requests and of responses.
    pub(super) edits: FieldEdits,
    pub(super) drop_invalid_fields: bool,
}

impl Relay {
    pub(super) fn new(options: ServerOptions) -> Self {
        Self {
            server: ServerConnection::new(options),
            client: ClientConnection::new(Limits::RESPONSE),
            from_client: Vec::new(),
            from_target: Vec::new(),
            to_target: Vec::new(),
            to_client: Vec::new(),
            refused: None,
            source: Source::new(([192, 0, 2, 1], 1024).into(), Scheme::Http, 80),
            edits: FieldEdits::default(),
            drop_invalid_fields: false,
        }
    }

    /// The next event of the client's side.
    pub(super) fn read_client(&mut self) -> (Event, Vec<u8>) {
        let read = self.server.read(&self.from_client);
        take(&mut self.from_client, read)
    }

    /// The next event of the target's side.
    pub(super) fn read_target(&mut self) -> (Event, Vec<u8>) {
        let read = self.client.read(&self.from_target);
        take(&mut self.from_target, read)
    }

    /// Reads and forwards a request, as far as its bytes have arrived. Gives the last event.
    pub(super) fn forward_request(&mut self) -> Event {
        loop {
            let (event, content) = self.read_client();
            match event {
                Event::Head => self.write_request().expect("an idle connection"),
                Event::Data(_) => {
                    let frame =
                        self.client.frame(content.len()).expect("content of the framed length");
                    for part in [frame.prefix(), &content, frame.suffix()] {
                        self.to_target.extend_from_slice(part);
                    }
                }
                Event::Trailers => {}
                Event::End => {
                    let trailers = Some(self.server.trailers());
                    self.client.write_end(trailers, &mut self.to_target).expect("a whole body");
                    return Event::End;
                }
                Event::Refused { reason, status } => {
                    self.refused = Some((reason, status));
                    return event;
                }
                Event::NeedsMore | Event::Tunnel | Event::Interim | Event::Closed => return event,
            }
        }
    }

    /// Writes the head of the request to the target.
    pub(super) fn write_request(&mut self) -> Result<(), WriteError> {
        let request = RequestToForward {
            head: self.server.head(),
            framing: self.server.framing(),
            uri: self.server.uri(),
            default_host: "default.example",
            source: &self.source,
            forwarded: ForwardedPolicy {
                x_forwarded_for: Processing::Append,
                ..Default::default()
            },
            trace_id: None,
            edits: &self.edits,
            preserve_host: false,
            certificate: None,
            drop_invalid_fields: self.drop_invalid_fields,
        };
        self.client.write_request(&request, &mut self.to_target)
    }

    /// Reads and forwards a response, as far as its bytes have arrived. Gives the last event.
    pub(super) fn forward_response(&mut self) -> Event {
        loop {
            let (event, content) = self.read_target();
            match event {
                Event::Interim => {
                    let head = self.client.head();
                    self.server
                        .write_interim(head, &mut self.to_client)
                        .expect("before the response");
                }
                Event::Head => {
                    let response = ResponseToForward {
                        head: self.client.head(),
                        framing: self.client.framing(),
                        edits: &self.edits,
                    };
                    self.server
                        .write_response(&response, &mut self.to_client)
                        .expect("one response");
                }
                Event::Data(_) => {
                    let frame =
                        self.server.frame(content.len()).expect("content of the framed length");
                    for part in [frame.prefix(), &content, frame.suffix()] {
                        self.to_client.extend_from_slice(part);
                    }
                }
                Event::Trailers => {}
                Event::End => {
                    self.end_response();
                    return Event::End;
                }
                Event::Refused { reason, status } => {
                    self.refused = Some((reason, status));
                    return event;
                }
                Event::NeedsMore | Event::Tunnel | Event::Closed => return event,
            }
        }
    }

    /// The target closes its connection.
    pub(super) fn end_of_target(&mut self) -> Event {
        let event = self.client.end_of_input();
        match event {
            Event::End => self.end_response(),
            Event::Refused { reason, status } => self.refused = Some((reason, status)),
            _ => {}
        }
        event
    }

    fn end_response(&mut self) {
        let trailers = Some(self.client.trailers());
        self.server.write_end(trailers, &mut self.to_client).expect("a whole body");
    }

    /// The balancer answers by itself.
    pub(super) fn respond(&mut self, status: u16) {
        let response = LocalResponse { status, fields: &[("Server", "xelb")], body: b"text" };
        self.server.write_local(&response, &mut self.to_client).expect("one response");
    }

    /// What becomes of both connections: the client's, then the target's.
    pub(super) fn after(&self) -> (AfterExchange, AfterExchange) {
        let client = self.server.after_exchange(self.from_client.len());
        (client, self.client.after_exchange(self.from_target.len()))
    }
}

/// Takes consumed bytes away, and gives those of an event.
fn take(bytes: &mut Vec<u8>, read: Read) -> (Event, Vec<u8>) {
    assert!(read.consumed <= bytes.len());
    let content = match &read.event {
        Event::Data(range) => bytes[range.clone()].to_vec(),
        _ => Vec::new(),
    };
    bytes.drain(..read.consumed);
    (read.event, content)
}

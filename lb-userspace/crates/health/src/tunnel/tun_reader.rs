//! The task that carries packets of probes from the TUN device to their targets. What comes out of
//! the device is not trusted: any program of the host may send there.

use std::{io, sync::Arc};

use super::{
    encapsulation::{encapsulate, source_of},
    frame_socket::FrameSocket,
    shared::Shared,
    tun_device::Device,
};

/// Carries until the device is gone; tells why it is.
pub(super) async fn carry(device: Device, frames: FrameSocket, shared: Arc<Shared>) -> io::Error {
    loop {
        if let Err(error) = device.next(|packet| forward(packet, &frames, &shared)).await {
            return error;
        }
    }
}

/// Sends one packet to the target of the probe that it belongs to. What belongs to none is
/// dropped: other programs' packets, and late ones.
fn forward(packet: &[u8], frames: &FrameSocket, shared: &Shared) {
    let Some(in_flight) = source_of(packet).and_then(|source| shared.find(source)) else {
        return;
    };
    match encapsulate(packet, in_flight.vip, &in_flight.target, in_flight.hash_seed) {
        Ok(frame) => {
            // Before the answer can come.
            in_flight.count_sent();
            if let Err(error) = frames.send(&frame) {
                in_flight.fail(format!("cannot send a frame of the probe: {error}"));
            }
        }
        Err(refusal) => in_flight.fail(format!("a packet of the probe cannot be sent: {refusal}")),
    }
}

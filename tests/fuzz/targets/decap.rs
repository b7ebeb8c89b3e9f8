//! Tunnel packets at a decapsulator.
#![no_main]

use lb_common::{Address, Be16, Family, VipKey, WideKey};
use lb_ebpf::{
    Verdict,
    host::{MemoryTables, VecPacket},
};
use libfuzzer_sys::fuzz_target;

const OWN_V4: [u8; 4] = [10, 0, 0, 11];
const OWN_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11];
const VIP_V4: [u8; 4] = [192, 0, 2, 10];
const VIP_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10];

fuzz_target!(|frame: &[u8]| {
    let own = [(Family::V4, Address::v4(OWN_V4)), (Family::V6, Address::v6(OWN_V6))];
    let vips = [(Family::V4, Address::v4(VIP_V4)), (Family::V6, Address::v6(VIP_V6))];
    let whole = |(family, address)| (WideKey::FAMILY_BITS + 128, WideKey::new(family, address));
    let tables = MemoryTables {
        addresses: own.map(|(family, address)| (VipKey::new(family, address), 1)).into(),
        vips: vips.map(whole).into(),
        gue_port: Be16::new(6080),
        ..MemoryTables::default()
    };
    let mut packet = VecPacket::new(frame, 1);
    match lb_ebpf::decap::process(&mut packet, &tables) {
        Verdict::Drop(_) => assert_eq!(packet.bytes(), frame, "a dropped frame was changed"),
        // The inner packet is shorter than the tunnel packet; others stay as they are.
        Verdict::Pass => assert!(packet.bytes() == frame || packet.bytes().len() < frame.len()),
        other => panic!("a decapsulator does not send: {other:?}"),
    }
});

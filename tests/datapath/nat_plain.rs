//! Plain packets of modes nat and fullnat: their stage makes of them what the stages for all packets do.

use std::collections::BTreeMap;

use lb_common::{Address, Be16, Family, Sequence};
use lb_ebpf::{Content, Datagram, Step, host::VecPacket, nat::life::Direction, stage};

use crate::{
    agreement::{SEED, expect},
    nat,
    support::{
        frames::shown,
        random::{Random, frame},
        world::{INGRESS, Sides as _, World, difference},
    },
};

/// What the stages for all packets make of one whose flow has a binding.
fn by_stages_for_all(packet: &mut VecPacket, world: &World) -> Step {
    let mut flow = Datagram {
        family: Family::V4,
        source: Address::default(),
        destination: Address::default(),
        protocol: 0,
        traffic_class: 0,
        length: 0,
        header_length: 0,
        source_port: Be16::default(),
        destination_port: Be16::default(),
        tcp_flags: 0,
        sequence: Sequence::default(),
        content: Content::Whole,
    };
    assert_eq!(stage::read(packet, &mut flow, &world.host), Step::Read);
    let (direction, found) = match stage::request(&flow, &world.host) {
        Step::Unlisted => (Direction::Reply, stage::reply(packet, &flow, &world.host)),
        found => (Direction::Request, found),
    };
    let Step::Bound { index, listener } = found else { return found };
    stage::write(packet, &flow, index, direction, listener, &world.host)
}

crate::support::world::in_sandbox! {
    fn plain_packets_are_translated_as_the_stages_for_all_do_it() {
        let mut random = Random::new(SEED);
        let mut counted = BTreeMap::new();
        for plan in nat::plans() {
            let world = nat::world(&plan);
            let good = nat::good(&plan);
            let run = |frame: &[u8], stages: fn(&mut VecPacket, &World) -> Step| {
                let before = world.host_counters();
                let mut packet = VecPacket::new(frame, INGRESS);
                let step = stages(&mut packet, &world);
                (step, packet.bytes().to_vec(), difference(&before, &world.host_counters()))
            };
            for number in 0..20_000 {
                let frame = frame(&mut random, &good);
                // So that there is a binding.
                let _made = world.run_host(&frame);
                // What comes to this program is for this host, as the others have found.
                let mut packet = VecPacket::new(&frame, INGRESS);
                if stage::balance(&mut packet, &world.host) != Step::Translate {
                    continue;
                }
                let plain = run(&frame, |packet, world| stage::translate_plain(packet, &world.host));
                if plain.0 == Step::NotPlain {
                    assert_eq!((plain.1, plain.2.len()), (frame, 0), "a packet that is handed on");
                    continue;
                }
                let all = run(&frame, by_stages_for_all);
                assert_eq!(plain, all, "frame {number} of seed {SEED:#x}: {}", shown(&frame));
                counted.extend(plain.2);
            }
        }
        expect(&counted, &["target 6 packets", "reply_forwarded"]);
    }
}

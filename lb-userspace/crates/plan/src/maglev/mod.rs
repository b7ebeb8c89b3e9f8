//! PURE: the weighted Maglev ring of a target group (docs/ring.md says why it is built this way).
//!
//! It knows members and slots. It deliberately knows nothing of health, of the position of a ring
//! in the maps, or of the state of slots.

mod quota;
mod turns;

#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use lb_common::limits::ring_bits;
use lb_common::limits::{RING_BITS_MIN, WEIGHT_MAX};
use siphasher::sip::SipHasher24;

use turns::Turns;

/// Key of the hash that gives a target its identity. It is fixed, so that every host of a fleet
/// builds the same ring; the flow hash, which must be secret, has another key.
const IDENTITY_KEY: (u64, u64) = (0x7865_6c62_2072_696e, 0x6720_6964_656e_7431);

/// Key of the second hash of a target, from which its step comes.
const STEP_KEY: (u64, u64) = (0x7865_6c62_2072_696e, 0x6720_7374_6570_2031);

/// One owner of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// What is written into its slots; 1 or more. It has no influence on which slots these are.
    pub id: u16,
    /// Its place in the order of the ring, from [`identity`].
    pub identity: u64,
    /// Its share, relative to the others: 1 to [`WEIGHT_MAX`]. A member of weight 0 takes nothing.
    pub weight: u32,
}

/// The identity of a target in the ring: SipHash-2-4 (Aumasson and Bernstein, 2012) of the bytes of
/// its address and of its port, both in network byte order.
#[must_use]
pub fn identity(address: IpAddr, port: u16) -> u64 {
    let mut bytes = [0_u8; 18];
    let length = match address {
        IpAddr::V4(v4) => {
            bytes[..4].copy_from_slice(&v4.octets());
            4
        }
        IpAddr::V6(v6) => {
            bytes[..16].copy_from_slice(&v6.octets());
            16
        }
    };
    bytes[length..length + 2].copy_from_slice(&port.to_be_bytes());
    SipHasher24::new_with_keys(IDENTITY_KEY.0, IDENTITY_KEY.1).hash(&bytes[..length + 2])
}

/// Builds the ring of `1 << bits` slots (`bits` at most [`lb_common::limits::RING_BITS_MAX`]): the id of the owner of
/// each slot, 0 everywhere when there are no members.
///
/// The result depends on identities and weights alone: not on the order of `members`, and on ids
/// only in that they are what is written.
#[must_use]
pub fn build(members: &[Member], bits: u8) -> Vec<u16> {
    let mut owners = vec![0_u16; 1 << bits];
    let mut sorted: Vec<Member> = members
        .iter()
        .filter(|member| member.id != 0 && member.weight != 0)
        .map(|member| Member { weight: member.weight.min(WEIGHT_MAX), ..*member })
        .collect();
    // Ids decide only between two targets whose identities collide (1 in 2^64).
    sorted.sort_unstable_by_key(|member| (member.identity, member.weight, member.id));
    let weights: Vec<u32> = sorted.iter().map(|member| member.weight).collect();
    let quotas = quota::quotas(&weights, owners.len());

    let mut turns = Turns::new(&weights, &quotas);
    let mut preferences: Vec<Preference> =
        sorted.iter().map(|member| Preference::new(member, bits)).collect();
    let mut free = Free::new(bits);
    while let Some(turn) = turns.next() {
        let preference = &mut preferences[turn];
        let slot = preference.next_free(&owners, &free);
        owners[slot] = preference.id;
        free.take(preference.cell);
    }
    owners
}

/// log2 of the number of cells of a ring of `1 << bits` slots: that of the smallest ring, so that a
/// cell of a small ring becomes a cell of a big one and keeps its owners (see docs/ring.md).
fn cell_bits(bits: u8) -> u8 {
    bits.min(RING_BITS_MIN)
}

/// Which cells still have a free slot. Small enough for the first-level cache.
struct Free {
    /// Free slots, by cell.
    left: Vec<u16>,
    /// One bit a cell: it is full.
    full: [u64; 1 << (RING_BITS_MIN - 6)],
}

impl Free {
    fn new(bits: u8) -> Self {
        let cells = cell_bits(bits);
        Self { left: vec![1 << (bits - cells); 1 << cells], full: [0; 1 << (RING_BITS_MIN - 6)] }
    }

    fn is_full(&self, cell: u32) -> bool {
        let word = (cell >> 6) as usize & (self.full.len() - 1);
        self.full[word] >> (cell & 63) & 1 == 1
    }

    fn take(&mut self, cell: u32) {
        let left = &mut self.left[cell as usize];
        *left -= 1;
        if *left == 0 {
            self.full[(cell >> 6) as usize] |= 1 << (cell & 63);
        }
    }
}

/// A member's order of preference: a permutation of all slots, and how far it has come in it.
///
/// It goes from cell to cell by an odd step, which is a full cycle of a power of two, and inside a
/// cell through all slots in an order of its own.
///
/// The steps alone would be arithmetic progressions, and of two members with related steps (equal,
/// opposite, a small multiple) one follows the other around the ring: with few targets, removing
/// one then moved up to 11 % of the slots between the others. So each position is scrambled, by
/// the member's own factor.
struct Preference {
    /// The cell it is in: the position, scrambled.
    cell: u32,
    /// Its position in the cycle.
    position: u32,
    /// Distance to the next position; odd.
    step: u32,
    /// Factor of the scrambling; odd.
    factor: u32,
    /// Slots of this cell that it has seen; none of them is free.
    seen: u32,
    /// It visits the slots of a cell in the order `0 ^ flip, 1 ^ flip, ...`: in a ring twice the
    /// size, the two halves of a slot are visited one after the other.
    flip: u32,
    /// log2 of the number of cells.
    cells: u8,
    /// log2 of the number of slots of a cell.
    slots: u8,
    /// The member's id.
    id: u16,
}

impl Preference {
    fn new(member: &Member, bits: u8) -> Self {
        let second =
            SipHasher24::new_with_keys(STEP_KEY.0, STEP_KEY.1).hash(&member.identity.to_le_bytes());
        let cells = cell_bits(bits);
        let slots = bits - cells;
        let mut preference = Self {
            cell: 0,
            position: low_bits(member.identity, cells),
            step: low_bits(second, cells) | 1,
            factor: low_bits(second >> 16, cells) | 1,
            seen: 0,
            // From the top, so that one more bit is one more bit at the end.
            flip: low_bits((second >> 32) >> (32 - slots), slots),
            cells,
            slots,
            id: member.id,
        };
        preference.scramble();
        preference
    }

    /// A bijection of positions to cells: multiplying by an odd number is one in a power of two,
    /// and so is adding the upper half of a number to its lower half with XOR.
    fn scramble(&mut self) {
        let half = self.cells.div_ceil(2);
        let mixed = self.position ^ (self.position >> half);
        let mixed = mixed.wrapping_mul(self.factor) & ((1 << self.cells) - 1);
        self.cell = mixed ^ (mixed >> half);
    }

    /// Its most preferred free slot; there must be one.
    fn next_free(&mut self, owners: &[u16], free: &Free) -> usize {
        let width = 1_u32 << self.slots;
        let mask = (1_u32 << self.cells) - 1;
        loop {
            while self.seen == width || free.is_full(self.cell) {
                self.position = (self.position + self.step) & mask;
                self.scramble();
                self.seen = 0;
            }
            let base = self.cell << self.slots;
            while self.seen < width {
                let slot = (base | (self.seen ^ self.flip)) as usize;
                self.seen += 1;
                if owners[slot] == 0 {
                    return slot;
                }
            }
        }
    }
}

/// The low `bits` bits (at most 31) of a hash.
#[expect(clippy::cast_possible_truncation, reason = "masked to 31 bits")]
fn low_bits(hash: u64, bits: u8) -> u32 {
    (hash & ((1 << bits) - 1)) as u32
}

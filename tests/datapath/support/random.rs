//! Random frames with structure: good ones of every kind, and what a hostile hand makes of them.

/// xorshift64* (Vigna 2016): small, and the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap();
        usize::try_from((self.next() >> 16) % limit).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[3]
    }
}

/// Longest frame: TEST_RUN takes one page less headroom and tailroom.
const FRAME_BYTES_MAX: usize = 3000;

/// A good frame or what became of one; at least an Ethernet header long.
pub(crate) fn frame(random: &mut Random, good: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = good[random.below(good.len())].clone();
    match random.below(10) {
        0 => {}
        // Headers are in front: most edits go there.
        1..=4 => {
            for _ in 0..=random.below(4) {
                let reach = frame.len().min(90);
                let at = random.below(reach);
                frame[at] = match random.below(3) {
                    0 => random.byte(),
                    1 => frame[at] ^ (1 << random.below(8)),
                    _ => [0, 1, 4, 6, 17, 41, 44, 0x40, 0x45, 0x60, 0xff][random.below(11)],
                };
            }
        }
        5 => frame.truncate(14.max(random.below(frame.len()))),
        6 => {
            let other = &good[random.below(good.len())];
            let (head, tail) = (random.below(frame.len()), random.below(other.len()));
            frame.truncate(head);
            frame.extend(&other[tail..]);
        }
        7 => {
            let more = random.below(400);
            frame.extend((0..more).map(|_| random.byte()));
        }
        8 => {
            let at = 14.min(frame.len()) + random.below(60);
            let gap = random.below(40);
            let bytes: Vec<u8> = (0..gap).map(|_| random.byte()).collect();
            let at = at.min(frame.len());
            frame.splice(at..at, bytes);
        }
        _ => {
            let length = 14 + random.below(200);
            frame = (0..length).map(|_| random.byte()).collect();
            frame[0] &= 0xfe;
            frame[12..14].copy_from_slice(&[[8, 0], [0x86, 0xdd], [0x81, 0]][random.below(3)]);
        }
    }
    frame.truncate(FRAME_BYTES_MAX);
    frame.resize(frame.len().max(14), 0);
    frame
}

//! PURE: bytes that have arrived, and bytes to send. Memory comes from a stock of the thread, and goes back
//! when a buffer is empty: an idle connection has none.

use std::cell::RefCell;

/// Size of a buffer in bytes.
pub(crate) const BUFFER_SIZE: usize = 16 << 10;
/// An input buffer grows to this when a head does not fit; heads have smaller bounds.
const INPUT_MAX: usize = 128 << 10;
/// Buffers that a thread keeps for later.
const STOCK_MAX: usize = 256;

thread_local! {
    static INPUT_STOCK: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static OUTPUT_STOCK: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that have arrived and were not consumed yet.
#[derive(Debug, Default)]
pub(crate) struct InputBuffer {
    /// Initialised memory; empty when nothing is stored.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl InputBuffer {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes bytes away from the front.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Memory for bytes that arrive; `filled` says how many there are then.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            let stocked = INPUT_STOCK.with_borrow_mut(Vec::pop);
            self.bytes = stocked.unwrap_or_else(|| vec![0; BUFFER_SIZE]);
        }
        if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.bytes.len() && self.bytes.len() < INPUT_MAX {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Adds bytes that were stored in [`Self::space`].
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Gives the memory back if nothing is stored.
    pub(crate) fn release(&mut self) {
        if self.is_empty() && !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            (self.start, self.end) = (0, 0);
            if bytes.len() == BUFFER_SIZE {
                stock(&INPUT_STOCK, bytes);
            }
        }
    }
}

impl Drop for InputBuffer {
    fn drop(&mut self) {
        self.start = self.end;
        self.release();
    }
}

/// Bytes to send.
#[derive(Debug, Default)]
pub(crate) struct OutputBuffer {
    bytes: Vec<u8>,
    /// Those before it were sent.
    start: usize,
    /// Keep what was sent, so that it can be sent again.
    keeps_sent: bool,
}

impl OutputBuffer {
    /// Where bytes are appended.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            let stocked = OUTPUT_STOCK.with_borrow_mut(Vec::pop);
            self.bytes = stocked.unwrap_or_else(|| Vec::with_capacity(BUFFER_SIZE));
        }
        &mut self.bytes
    }

    /// The bytes that were not sent yet.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Number of bytes that were not sent yet.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Accounts for bytes that were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.is_empty() && !self.keeps_sent {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Keeps what is sent from now on, up to the size of a buffer.
    pub(crate) fn keep_sent(&mut self) {
        self.keeps_sent = true;
    }

    /// Whether everything since [`Self::keep_sent`] is still here.
    pub(crate) fn keeps_sent(&self) -> bool {
        self.keeps_sent
    }

    /// Drops what was sent.
    pub(crate) fn forget_sent(&mut self) {
        self.keeps_sent = false;
        self.bytes.drain(..self.start);
        self.start = 0;
    }

    /// Sends everything that was kept once more.
    pub(crate) fn rewind(&mut self) {
        self.start = 0;
    }

    /// Drops everything and gives the memory back.
    pub(crate) fn release(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        (self.start, self.keeps_sent) = (0, false);
        if (1..=2 * BUFFER_SIZE).contains(&bytes.capacity()) {
            bytes.clear();
            stock(&OUTPUT_STOCK, bytes);
        }
    }
}

impl Drop for OutputBuffer {
    fn drop(&mut self) {
        self.release();
    }
}

fn stock(stock: &'static std::thread::LocalKey<RefCell<Vec<Vec<u8>>>>, bytes: Vec<u8>) {
    // At the end of a thread its stock may be gone before its connections.
    let _ = stock.try_with(|stock| {
        let mut stock = stock.borrow_mut();
        if stock.len() < STOCK_MAX {
            stock.push(bytes);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(buffer: &mut InputBuffer, bytes: &[u8]) {
        buffer.space()[..bytes.len()].copy_from_slice(bytes);
        buffer.filled(bytes.len());
    }

    #[test]
    fn input_moves_to_the_front_before_it_grows() {
        let mut buffer = InputBuffer::default();
        store(&mut buffer, &[1; BUFFER_SIZE]);
        buffer.consume(BUFFER_SIZE - 2);
        assert_eq!(buffer.space().len(), BUFFER_SIZE - 2);
        store(&mut buffer, &[2; BUFFER_SIZE - 2]);
        assert_eq!(&buffer.bytes()[..3], [1, 1, 2]);
        assert_eq!(buffer.space().len(), BUFFER_SIZE);
    }

    #[test]
    fn input_is_bounded() {
        let mut buffer = InputBuffer::default();
        while buffer.len() < INPUT_MAX {
            let len = buffer.space().len();
            buffer.filled(len);
        }
        assert_eq!(buffer.len(), INPUT_MAX);
        assert!(buffer.space().is_empty());
    }

    #[test]
    fn an_empty_buffer_holds_no_memory() {
        let mut buffer = InputBuffer::default();
        store(&mut buffer, b"ab");
        buffer.release();
        assert_eq!(buffer.bytes(), b"ab");
        buffer.consume(2);
        buffer.release();
        assert_eq!(buffer.bytes.capacity(), 0);
    }

    #[test]
    fn what_was_sent_can_be_sent_again_until_it_is_forgotten() {
        let mut buffer = OutputBuffer::default();
        buffer.keep_sent();
        buffer.tail().extend_from_slice(b"head");
        buffer.sent(4);
        assert!(buffer.is_empty());
        buffer.tail().extend_from_slice(b"body");
        buffer.sent(2);
        buffer.rewind();
        assert_eq!(buffer.bytes(), b"headbody");
        buffer.sent(5);
        buffer.forget_sent();
        assert_eq!(buffer.bytes(), b"ody");
        buffer.sent(3);
        buffer.rewind();
        assert!(buffer.is_empty());
    }
}

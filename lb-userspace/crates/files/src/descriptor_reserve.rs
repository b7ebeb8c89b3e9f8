//! File descriptors that are kept open for nothing, to be given up when there are no others: the API and the
//! configuration file then still find one. When the whole host has none left (ENFILE), another process may
//! be faster: the reserve makes it likely, not sure.

use std::{
    fs::File,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many are kept.
const KEPT: usize = 16;

static KEPT_OPEN: Reserve = Reserve::new();

/// Descriptors that lead to nothing.
struct Reserve(Mutex<Vec<File>>);

/// Opens as many as are missing; to be called now and then.
pub fn fill() {
    KEPT_OPEN.fill(|| File::open("/dev/null"));
}

/// Opens something; where there is no descriptor for it, one of the reserve is given up.
pub fn or_reserved<T>(open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    KEPT_OPEN.or_reserved(open)
}

/// Gives one up where an error says that there is none for it; whether there was one to give.
pub fn release_for(error: &io::Error) -> bool {
    is_shortage(error) && KEPT_OPEN.kept().pop().is_some()
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

impl Reserve {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn kept(&self) -> MutexGuard<'_, Vec<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, open: impl Fn() -> io::Result<File>) {
        let mut kept = self.kept();
        while kept.len() < KEPT {
            match open() {
                Ok(file) => kept.push(file),
                Err(_) => return,
            }
        }
    }

    fn or_reserved<T>(&self, mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match open() {
                Err(error) if is_shortage(&error) && self.kept().pop().is_some() => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_descriptor_is_released_when_one_is_needed() {
        for errno in [libc::EMFILE, libc::ENFILE] {
            let reserve = Reserve::new();
            reserve.fill(|| File::open("/dev/null"));
            assert_eq!(reserve.kept().len(), KEPT);
            // Two others were faster.
            let mut refusals = 3;
            let opened = reserve.or_reserved(|| {
                refusals -= 1;
                if refusals >= 0 { Err(io::Error::from_raw_os_error(errno)) } else { Ok(7) }
            });
            assert_eq!((opened.unwrap(), reserve.kept().len()), (7, KEPT - 3));
            // It is filled again as far as that is possible.
            reserve.fill(|| Err(io::Error::from_raw_os_error(errno)));
            assert_eq!(reserve.kept().len(), KEPT - 3);
            reserve.fill(|| File::open("/dev/null"));
            assert_eq!(reserve.kept().len(), KEPT);
            // The end of the reserve, and other errors, are reported.
            let refused = || Err::<(), _>(io::Error::from_raw_os_error(errno));
            let error = reserve.or_reserved(refused).unwrap_err();
            assert_eq!((error.raw_os_error(), reserve.kept().len()), (Some(errno), 0));
        }
        let reserve = Reserve::new();
        reserve.fill(|| File::open("/dev/null"));
        let missing = reserve.or_reserved(|| File::open("/nonexistent")).unwrap_err();
        assert_eq!((missing.kind(), reserve.kept().len()), (io::ErrorKind::NotFound, KEPT));
    }
}

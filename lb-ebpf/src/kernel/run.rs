//! Whether a run of a program may write, or is a dry one for `xelb explain`; and the tables of such a run.
//!
//! The program for plain packets is there twice, and each knows what it is: a question that the verifier
//! answers still takes registers. The others are there once, and ask their settings.

use core::marker::PhantomData;

use lb_common::abi::program::Instance;

use super::settings;

/// What kind of run it is.
pub(crate) trait Run {
    /// Whether nothing may be written.
    fn is_dry() -> bool;

    /// Whose program it is.
    #[inline(always)]
    fn instance() -> Instance {
        if Self::is_dry() { Instance::DryRun } else { Instance::Live }
    }
}

/// It forwards packets.
pub(crate) struct Live;

/// It writes nothing.
pub(crate) struct Dry;

/// What the agent has set.
pub(crate) struct AsLoaded;

impl Run for Live {
    #[inline(always)]
    fn is_dry() -> bool {
        false
    }
}

impl Run for Dry {
    #[inline(always)]
    fn is_dry() -> bool {
        true
    }
}

impl Run for AsLoaded {
    #[inline(always)]
    fn is_dry() -> bool {
        settings::dry_run()
    }
}

/// The maps of the balancer, in such a run.
pub(crate) struct KernelTables<R>(PhantomData<R>);

impl<R> KernelTables<R> {
    /// They are always there.
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

/// What the stages that are functions of their own work on: both instances have them.
pub(super) const TABLES: KernelTables<AsLoaded> = KernelTables::new();

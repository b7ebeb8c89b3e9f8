//! An XDP program that passes everything, for the far end of a veth pair.
//!
//! What a program transmits (`XDP_TX`) on one end of a veth pair is only delivered at once when the
//! other end has a program too. GRO on that end is not enough: frames are then queued, but the end
//! is woken only by the next ordinary packet (Linux 6.18, drivers/net/veth.c: `veth_xdp_xmit` asks
//! for a NAPI context, `veth_xdp_flush` for a program). The symptom is a delay of up to the
//! interval of the health checks. A real switch has no such needs; this is the lab's.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use crate::{
    bpf,
    error::{Context as _, Result},
    host::Host,
};

/// Commands and constants of bpf(2), from linux/bpf.h and linux/if_link.h.
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
/// Frames in several buffers, which links of more than about 3,500 bytes have.
const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// `r0 = XDP_PASS; exit`, eight bytes each: opcode, registers, offset, immediate.
const INSTRUCTIONS: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
const LICENSE: &std::ffi::CStr = c"GPL";

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`; the kernel takes the rest as zero.
#[repr(C)]
struct ProgramLoad {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

/// The head of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    program: i32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

/// The program on an interface; it goes when this is dropped.
#[derive(Debug)]
pub struct XdpPass {
    _link: OwnedFd,
}

impl XdpPass {
    /// Attaches it to an interface of a host, in native mode.
    pub fn attach(host: &Host, interface: &str) -> Result<Self> {
        let name = interface.to_owned();
        let label = format!("attaching an XDP program to {interface} of {}", host.name());
        // The host's thread does it: an interface's number means something in its namespace only.
        let link = host.run(move || attach(&name)).context(|| label)?;
        Ok(Self { _link: link })
    }
}

fn attach(interface: &str) -> io::Result<OwnedFd> {
    let interface = nix::net::if_::if_nametoindex(interface)?;
    let program = bpf::descriptor(
        BPF_PROG_LOAD,
        &ProgramLoad {
            program_type: BPF_PROG_TYPE_XDP,
            instruction_count: 2,
            instructions: INSTRUCTIONS.as_ptr() as u64,
            license: LICENSE.as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel_version: 0,
            flags: BPF_F_XDP_HAS_FRAGS,
            name: *b"lab_pass\0\0\0\0\0\0\0\0",
        },
    )?;
    bpf::descriptor(
        BPF_LINK_CREATE,
        &LinkCreate {
            program: program.as_raw_fd(),
            interface,
            attach_type: BPF_XDP,
            flags: XDP_FLAGS_DRV_MODE,
        },
    )
}

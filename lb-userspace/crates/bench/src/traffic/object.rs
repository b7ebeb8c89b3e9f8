//! Programs and maps of the BPF object that the generator and the sink share.

use std::io;

use aya::{
    Ebpf,
    maps::{Map, MapError},
    programs::Xdp,
};

use super::TrafficError;

/// A program of the object.
pub(super) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, TrafficError> {
    let program = ebpf.program_mut(name).ok_or_else(|| {
        TrafficError::system(format!("find the program {name}"))(io::ErrorKind::NotFound.into())
    })?;
    program.try_into().map_err(TrafficError::bpf("use the program"))
}

/// The same, loaded into the kernel.
pub(super) fn load_program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut Xdp, TrafficError> {
    let program = xdp(ebpf, name)?;
    program.load().map_err(TrafficError::bpf("load the program into the kernel"))?;
    Ok(program)
}

/// A map of the object.
pub(super) fn take<M: TryFrom<Map, Error = MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<M, TrafficError> {
    ebpf.take_map(name)
        .ok_or_else(|| MapError::InvalidName { name: name.to_owned() })
        .and_then(M::try_from)
        .map_err(TrafficError::bpf("use a map of the program"))
}

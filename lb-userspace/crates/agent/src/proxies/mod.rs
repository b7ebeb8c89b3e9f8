//! Processes of `xelb proxy`: what they are told ([`feed`]), what they tell, and who they are ([`seen`]).

mod feed;
mod publish;
mod requests;
mod seen;

pub use feed::{Feed, ProxyChange, ProxySnapshot, ProxyTarget};
pub(super) use publish::Publisher;
pub use seen::{DrainingTarget, GroupRequests, Proxies, ProxyReport, ProxyView};

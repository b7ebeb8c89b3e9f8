//! `xelb bench`: measuring tools that an operator can use, apart from the balancer itself.

pub mod traffic;

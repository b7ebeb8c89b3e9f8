//! The macro `shared!`: one declaration gives a type that both sides of the kernel border can trust.
//!
//! Such a type is `repr(C)`, has no padding (bytemuck proves it), has the size that its declaration
//! names (the compiler proves it), and carries a [`Layout`] that a test compares with a golden file.

/// One field of a shared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type, as written.
    pub type_name: &'static str,
    /// Its distance from the start of the type, in bytes.
    pub offset: usize,
}

/// Offset of each field of a shared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The type's name.
    pub name: &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// A type that crosses the kernel border.
pub trait Shared: bytemuck::Pod {
    /// Offsets of its fields.
    const LAYOUT: Layout;
}

/// Declares types that cross the kernel border: `pub struct Name: SIZE { pub field: Type, ... }`.
#[macro_export]
macro_rules! shared {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident: $size:literal {
            $( $(#[$field_meta:meta])* pub $field:ident: $type:ty, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        const _: () = assert!(core::mem::size_of::<$name>() == $size);

        impl Default for $name {
            #[inline(always)]
            fn default() -> Self {
                bytemuck::Zeroable::zeroed()
            }
        }

        impl $crate::shared::Shared for $name {
            const LAYOUT: $crate::shared::Layout = $crate::shared::Layout {
                name: stringify!($name),
                size: $size,
                align: core::mem::align_of::<$name>(),
                fields: &[ $( $crate::shared::Field {
                    name: stringify!($field),
                    type_name: stringify!($type),
                    offset: core::mem::offset_of!($name, $field),
                }, )* ],
            };
        }

        #[cfg(feature = "user")]
        // SAFETY: the type is bytemuck::Pod: repr(C), without padding, valid for any bits.
        unsafe impl aya::Pod for $name {}
    )*};
}

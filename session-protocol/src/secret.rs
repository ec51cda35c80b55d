//! The shape of every symmetric secret: 32 bytes, one type per role, erased on drop, silent in `Debug`.

/// Declares a 32-byte secret of one role. No `Clone`: whoever needs a second copy says so with an explicit method.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name([u8; 32]);

        // In wide stores: `Zeroize` writes byte by byte, and records do this four times each.
        impl Drop for $name {
            fn drop(&mut self) {
                self.0 = [0; 32];
                zeroize::optimization_barrier(&self.0);
            }
        }

        impl zeroize::ZeroizeOnDrop for $name {}

        impl $name {
            /// Takes over 32 secret bytes and erases the source.
            #[allow(dead_code, reason = "some roles are only ever computed in place")]
            pub(crate) fn take(bytes: &mut [u8; 32]) -> Self {
                let taken = Self(*bytes);
                zeroize::Zeroize::zeroize(bytes);
                taken
            }

            /// Lets `write` make the secret where it stays.
            #[allow(dead_code, reason = "not every role is computed in place")]
            pub(crate) fn filled(write: impl FnOnce(&mut [u8; 32])) -> Self {
                let mut secret = Self([0; 32]);
                write(&mut secret.0);
                secret
            }

            /// Lets `write` replace the secret where it is.
            #[allow(dead_code, reason = "few roles are made beside another")]
            pub(crate) fn write(&mut self, write: impl FnOnce(&mut [u8; 32])) {
                write(&mut self.0);
            }

            /// The secret bytes, for a primitive that needs them.
            #[allow(dead_code, reason = "who only keeps a key for others does not look into it")]
            pub(crate) fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use secret;

#[cfg(test)]
mod tests {
    secret! {
        /// For the tests below.
        Example
    }

    /// Decides SC-03.
    #[test]
    fn debug_shows_no_byte() {
        let mut bytes = [0xab; 32];
        let secret = Example::take(&mut bytes);
        assert_eq!(format!("{secret:?}"), "Example { .. }");
        assert_eq!(secret.expose(), &[0xab; 32]);
    }

    /// Decides HS-11, SE-12.
    #[test]
    fn take_erases_its_source_and_the_type_erases_itself() {
        fn erases<T: zeroize::ZeroizeOnDrop>() {}
        erases::<Example>();
        let mut bytes = [0xab; 32];
        let _secret = Example::take(&mut bytes);
        assert_eq!(bytes, [0; 32]);
    }
}

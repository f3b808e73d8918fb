//! Running compiled modules. `unsafe` lives in `vm` alone.
#![deny(unsafe_code)]
